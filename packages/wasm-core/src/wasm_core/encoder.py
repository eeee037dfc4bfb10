"""The binary encoder: `DecodedModule` to bytes (core specification, section "Binary Format", "Modules").

What comes out decodes to an equal module. Function bodies, data and custom sections are copied from the module's
source; all else is written anew, with integers in as few bytes as there can be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from wasm_core import opcodes as op
from wasm_core import sections
from wasm_core.defined_types import ARRAY, FUNC, REC, STRUCT, SUB, SUB_FINAL, DefinedType
from wasm_core.immediates import write_immediates, write_opcode, write_value_type
from wasm_core.instructions import find
from wasm_core.leb128 import signed, unsigned
from wasm_core.module import ConstExpr, DataSegment, DecodedModule, ElementSegment, Import, SegmentMode
from wasm_core.type_codes import DEFINED_SHIFT, I8, I16, NON_NULL, abstract_code
from wasm_core.types import (
    PAGE_SIZE,
    ArrayType,
    CompositeType,
    FieldType,
    FuncType,
    GlobalType,
    MemoryType,
    PackedType,
    TableType,
    TagType,
    ValueType,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_PREAMBLE: Final = b"\0asm\x01\0\0\0"

_TABLE_WITH_INIT: Final = b"\x40\x00"
#: The element kind of function indices, and the attribute of a tag.
_FUNCTIONS: Final = b"\0"
_EXCEPTION: Final = b"\0"

# Flags of element segments. Those that are not active have no table; an explicit table is followed by a type, too.
_NOT_ACTIVE: Final = 1
_DECLARATIVE: Final = 2
_EXPLICIT_TABLE: Final = 2
_EXPRESSIONS: Final = 4


def encode(module: DecodedModule) -> bytes:
    """Encode a module.

    Args:
        module: The module. Its sections come in the order that it says, custom ones where they were; a module that
            names no sections gets those that are not empty.
    """
    return _Encoder(module).encode()


def _vector(items: Iterable[bytes]) -> bytes:
    found = list(items)
    return unsigned(len(found)) + b"".join(found)


def _name(name: str) -> bytes:
    encoded = name.encode()
    return unsigned(len(encoded)) + encoded


class _Encoder:
    """One module on its way to bytes."""

    __slots__ = ("_indices", "_own", "module")

    def __init__(self, module: DecodedModule) -> None:
        self.module: Final = module
        #: Number of a type -> its first index; made when needed.
        self._indices: dict[int, int] | None = None
        #: The same for the group that is being encoded: in it, its types are meant and not equal ones before.
        self._own: dict[int, int] = {}

    def encode(self) -> bytes:
        module = self.module
        source = module.source
        customs = iter(module.customs)
        out = [_PREAMBLE]
        numbers = [section.id for section in module.sections]
        if not numbers:
            numbers = [number for number in sections.SECTION_READERS if self._has(number)]
            numbers += [sections.CUSTOM] * len(module.customs)
        for number in numbers:
            if number == sections.CUSTOM:
                custom = next(customs)
                content = _name(custom.name) + source[custom.start : custom.end]
            else:
                content = _WRITERS[number](self)
            out.append(bytes([number]) + unsigned(len(content)) + content)
        return b"".join(out)

    def _has(self, number: int) -> bool:
        """Whether a section has anything in it."""
        if number == sections.START:
            return self.module.start is not None
        if number == sections.DATA_COUNT:
            return self.module.data_count is not None
        return _WRITERS[number](self) != b"\0"

    # Types.

    def type_index(self, defined: DefinedType) -> int:
        """The index in the type section of a defined type."""
        own = self._own.get(defined.number)
        if own is not None:
            return own
        indices = self._indices
        if indices is None:
            module = self.module
            # (held until they have been looked up: the numbers of plain types are nobody's otherwise)
            held = [module.defined_type(index) for index in range(len(module.types))]
            indices = self._indices = {}
            for index, found in enumerate(held):
                indices.setdefault(found.number, index)
        return indices[defined.number]

    def type_code(self, value_type: ValueType) -> int:
        """The type code of a value type, with type indices."""
        defined = value_type.defined_type
        if defined is None:
            return abstract_code(value_type)
        code = (self.type_index(defined) + 1) << DEFINED_SHIFT
        return code if value_type.nullable else code | NON_NULL

    def value_type(self, value_type: ValueType) -> bytes:
        return write_value_type(self.type_code(value_type))

    def types(self) -> bytes:
        module = self.module
        defined_types = module.defined_types
        if defined_types is None:
            return _vector([self.composite(composite) for composite in module.types])
        groups: list[bytes] = []
        index = 0
        while index < len(defined_types):
            group = defined_types[index].group
            size = len(group)
            self._own = {number: index + place for place, number in enumerate(group.numbers)}
            entries = [self.subtype(place) for place in range(index, index + size)]
            groups.append(entries[0] if size == 1 else bytes([REC]) + _vector(entries))
            index += size
        self._own = {}
        return _vector(groups)

    def subtype(self, index: int) -> bytes:
        defined = self.module.defined_type(index)
        supertype = defined.supertype
        composite = self.composite(self.module.types[index])
        if defined.final and supertype is None:
            return composite
        supertypes = [] if supertype is None else [unsigned(self.type_index(supertype))]
        return bytes([SUB_FINAL if defined.final else SUB]) + _vector(supertypes) + composite

    def composite(self, composite: CompositeType) -> bytes:
        if isinstance(composite, FuncType):
            params = _vector([self.value_type(t) for t in composite.params])
            return bytes([FUNC]) + params + _vector([self.value_type(t) for t in composite.results])
        if isinstance(composite, ArrayType):
            return bytes([ARRAY]) + self.field(composite.element)
        return bytes([STRUCT]) + _vector([self.field(field) for field in composite.fields])

    def field(self, field: FieldType) -> bytes:
        if isinstance(field.type, PackedType):
            storage = bytes([I8 if field.type is PackedType.I8 else I16])
        else:
            storage = self.value_type(field.type)
        return storage + bytes([field.mutable])

    def limits(self, limits: MemoryType | TableType) -> bytes:
        flags = (limits.maximum is not None) | limits.is64 << 2
        page_size = b""
        if isinstance(limits, MemoryType):
            flags |= limits.shared << 1
            if limits.page_size != PAGE_SIZE:
                flags |= 8
                page_size = unsigned(limits.page_size.bit_length() - 1)
        maximum = b"" if limits.maximum is None else unsigned(limits.maximum)
        return bytes([flags]) + unsigned(limits.minimum) + maximum + page_size

    def table_type(self, table: TableType) -> bytes:
        return self.value_type(table.element) + self.limits(table)

    def global_type(self, global_type: GlobalType) -> bytes:
        return self.value_type(global_type.value_type) + bytes([global_type.mutable])

    # Sections.

    def imports(self) -> bytes:
        return _vector([self.import_(entry) for entry in self.module.imports])

    def import_(self, entry: Import) -> bytes:
        head = _name(entry.module) + _name(entry.name) + bytes([entry.kind])
        if isinstance(entry.type, FuncType):
            return head + unsigned(entry.type_index or 0)
        if isinstance(entry.type, TagType):
            return head + _EXCEPTION + unsigned(entry.type_index or 0)
        if isinstance(entry.type, TableType):
            return head + self.table_type(entry.type)
        if isinstance(entry.type, MemoryType):
            return head + self.limits(entry.type)
        return head + self.global_type(entry.type)

    def functions(self) -> bytes:
        return _vector([unsigned(index) for index in self.module.function_types[self.module.imported_functions :]])

    def tables(self) -> bytes:
        module = self.module
        found: list[bytes] = []
        for own, table in enumerate(module.tables[module.imported_tables :]):
            init = module.table_inits[own] if module.table_inits else None
            if init is None:
                found.append(self.table_type(table))
            else:
                found.append(_TABLE_WITH_INIT + self.table_type(table) + self.expression(init))
        return _vector(found)

    def memories(self) -> bytes:
        return _vector([self.limits(memory) for memory in self.module.memories[self.module.imported_memories :]])

    def tags(self) -> bytes:
        return _vector([_EXCEPTION + unsigned(i) for i in self.module.tag_types[self.module.imported_tags :]])

    def globals(self) -> bytes:
        return _vector([self.global_type(own.type) + self.expression(own.init) for own in self.module.globals])

    def exports(self) -> bytes:
        return _vector([_name(e.name) + bytes([e.kind]) + unsigned(e.index) for e in self.module.exports])

    def start(self) -> bytes:
        return unsigned(self.module.start or 0)

    def elements(self) -> bytes:
        return _vector([self.element(segment) for segment in self.module.elements])

    def element(self, segment: ElementSegment) -> bytes:
        flags = _EXPRESSIONS if segment.expressions is not None else 0
        head = b""
        if segment.mode is not SegmentMode.ACTIVE:
            flags |= _NOT_ACTIVE | (_DECLARATIVE if segment.mode is SegmentMode.DECLARATIVE else 0)
        else:
            assert segment.offset is not None
            if segment.table or segment.type is not ValueType.FUNCREF:
                flags |= _EXPLICIT_TABLE
                head = unsigned(segment.table)
            head += self.expression(segment.offset)
        if flags & (_NOT_ACTIVE | _EXPLICIT_TABLE):
            head += _FUNCTIONS if segment.expressions is None else self.value_type(segment.type)
        if segment.expressions is not None:
            items = _vector([self.expression(expression) for expression in segment.expressions])
        else:
            items = _vector([unsigned(index) for index in segment.functions or ()])
        return unsigned(flags) + head + items

    def data_count(self) -> bytes:
        return unsigned(self.module.data_count or 0)

    def code(self) -> bytes:
        module = self.module
        source = module.source
        bodies = [source[start:end] for start, end in zip(module.body_starts, module.body_ends)]
        return _vector([unsigned(len(body)) + body for body in bodies])

    def data(self) -> bytes:
        return _vector([self.data_segment(segment) for segment in self.module.data])

    def data_segment(self, segment: DataSegment) -> bytes:
        content = self.module.source[segment.start : segment.end]
        head = b"\x01"
        if segment.mode is SegmentMode.ACTIVE:
            assert segment.offset is not None
            head = b"\x02" + unsigned(segment.memory) if segment.memory else b"\0"
            head += self.expression(segment.offset)
        return head + unsigned(len(content)) + content

    def expression(self, expression: ConstExpr) -> bytes:
        parts: list[bytes] = []
        for opcode, immediate in expression.instructions:
            parts.append(write_opcode(opcode))
            if isinstance(immediate, ValueType):
                code = self.type_code(immediate)
                index = code >> DEFINED_SHIFT
                parts.append(signed(index - 1) if index else bytes([code & 0xFF]))
                continue
            instruction = find(opcode)
            assert instruction is not None
            values = immediate if isinstance(immediate, tuple) else (immediate,)
            parts.append(write_immediates(instruction.immediate, values))
        parts.append(bytes([op.END]))
        return b"".join(parts)


_WRITERS: Final[dict[int, Callable[[_Encoder], bytes]]] = {
    sections.TYPE: _Encoder.types,
    sections.IMPORT: _Encoder.imports,
    sections.FUNCTION: _Encoder.functions,
    sections.TABLE: _Encoder.tables,
    sections.MEMORY: _Encoder.memories,
    sections.TAG: _Encoder.tags,
    sections.GLOBAL: _Encoder.globals,
    sections.EXPORT: _Encoder.exports,
    sections.START: _Encoder.start,
    sections.ELEMENT: _Encoder.elements,
    sections.DATA_COUNT: _Encoder.data_count,
    sections.CODE: _Encoder.code,
    sections.DATA: _Encoder.data,
}
