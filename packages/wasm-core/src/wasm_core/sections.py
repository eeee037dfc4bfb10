"""Decoding sections, one function for each (core specification, section "Binary Format", "Modules")."""

from __future__ import annotations

from array import array
from collections.abc import Callable

from wasm_core.const_expr import read_const_expr
from wasm_core.errors import InvalidError, MalformedError
from wasm_core.leb128 import read_unsigned
from wasm_core.module import (
    ConstExpr,
    DataSegment,
    ElementSegment,
    Export,
    ExternKind,
    Global,
    Import,
    SegmentMode,
)
from wasm_core.reader import Reader, switched_off
from wasm_core.types import ExternType, FuncType, GlobalType, MemoryType, TableType, TagType, ValueType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# Section numbers.
CUSTOM: Final = 0
TYPE: Final = 1
IMPORT: Final = 2
FUNCTION: Final = 3
TABLE: Final = 4
MEMORY: Final = 5
GLOBAL: Final = 6
EXPORT: Final = 7
START: Final = 8
ELEMENT: Final = 9
CODE: Final = 10
DATA: Final = 11
DATA_COUNT: Final = 12
TAG: Final = 13

SECTION_NAMES: Final[dict[int, str]] = {
    CUSTOM: "custom",
    TYPE: "type",
    IMPORT: "import",
    FUNCTION: "function",
    TABLE: "table",
    MEMORY: "memory",
    GLOBAL: "global",
    EXPORT: "export",
    START: "start",
    ELEMENT: "element",
    CODE: "code",
    DATA: "data",
    DATA_COUNT: "data count",
    TAG: "tag",
}

#: The fields of `Features`, of which one must be on, of sections that came after version 1.0.
SECTION_FEATURES: Final[dict[int, tuple[str, ...]]] = {
    DATA_COUNT: ("bulk_memory",),
    TAG: ("exceptions", "legacy_exceptions"),
}

# What a function type starts with, and the element kind that stands for function indices.
_FUNC_TYPE: Final = 0x60
_ELEMENT_KIND_FUNC: Final = 0x00
# What a table with an initial value starts with.
_TABLE_WITH_INIT: Final = b"\x40\x00"


class ModuleParts:
    """What the sections read so far have brought."""

    __slots__ = (
        "body_ends",
        "body_starts",
        "data",
        "data_count",
        "elements",
        "exports",
        "function_types",
        "global_types",
        "globals",
        "imports",
        "memories",
        "start",
        "table_inits",
        "tables",
        "tag_types",
    )

    def __init__(self) -> None:
        self.imports: list[Import] = []
        self.function_types: array[int] = array("I")
        self.tables: list[TableType] = []
        self.table_inits: list[ConstExpr | None] = []
        self.memories: list[MemoryType] = []
        self.tag_types: list[int] = []
        self.global_types: list[GlobalType] = []
        self.globals: list[Global] = []
        self.exports: list[Export] = []
        self.start: int | None = None
        self.elements: list[ElementSegment] = []
        self.data: list[DataSegment] = []
        self.data_count: int | None = None
        self.body_starts: array[int] = array("Q")
        self.body_ends: array[int] = array("Q")


def _types(reader: Reader, parts: ModuleParts) -> None:
    add = reader.types.add_function
    for _ in range(reader.count()):
        at = reader.pos
        if reader.byte() == _FUNC_TYPE:
            params = _one_byte_types(reader)
            results = _one_byte_types(reader) if params is not None else None
            if params is not None and results is not None:
                add(FuncType(params, results))
                continue
        from wasm_core.type_section import read_recursive_type

        reader.pos = at
        read_recursive_type(reader)


def _one_byte_types(reader: Reader) -> list[ValueType] | None:
    """A vector of value types that take one byte; None if there are others."""
    count = reader.count()
    start = reader.pos
    reader.pos = start + count
    get = reader.value_types.get
    found = [value_type for code in reader.data[start : start + count] if (value_type := get(code)) is not None]
    return found if len(found) == count else None


def _function_type_at(reader: Reader, index: int, at: int) -> FuncType:
    """Entry `index` of the type section, which must be a function type."""
    composites = reader.types.composites
    if index >= len(composites):
        raise InvalidError(f"unknown type {index}", at)
    found = composites[index]
    if not isinstance(found, FuncType):
        raise InvalidError(f"type {index} is not a function type", at)
    return found


def _tag_type(reader: Reader) -> int:
    """The type index of a tag."""
    at = reader.pos
    if reader.byte():
        raise MalformedError("malformed tag attribute", at)
    return reader.u32()


def _imports(reader: Reader, parts: ModuleParts) -> None:
    for _ in range(reader.count()):
        module = reader.name()
        name = reader.name()
        kind = reader.byte()
        type_index: int | None = None
        external: ExternType
        if kind == ExternKind.FUNC:
            at = reader.pos
            type_index = reader.u32()
            external = _function_type_at(reader, type_index, at)
            parts.function_types.append(type_index)
        elif kind == ExternKind.TABLE:
            external = reader.table_type()
            parts.tables.append(external)
        elif kind == ExternKind.MEMORY:
            external = reader.memory_type()
            parts.memories.append(external)
        elif kind == ExternKind.GLOBAL:
            external = reader.global_type()
            parts.global_types.append(external)
        elif kind == ExternKind.TAG:
            _check_tags_on(reader)
            at = reader.pos
            type_index = _tag_type(reader)
            external = TagType(_function_type_at(reader, type_index, at))
            parts.tag_types.append(type_index)
        else:
            raise MalformedError("malformed import kind", reader.pos - 1)
        parts.imports.append(Import(module, name, ExternKind(kind), external, type_index))


def _read_indices(reader: Reader, indices: array[int]) -> None:
    """Append a vector of indices."""
    count = reader.count()
    data = reader.data
    end = reader.end
    pos = reader.pos
    append = indices.append
    for _ in range(count):
        if pos < end and data[pos] < 0x80:
            append(data[pos])
            pos += 1
        else:
            index, pos = read_unsigned(data, pos, end, 32)
            append(index)
    reader.pos = pos


def _functions(reader: Reader, parts: ModuleParts) -> None:
    _read_indices(reader, parts.function_types)


def _tables(reader: Reader, parts: ModuleParts) -> None:
    for _ in range(reader.count()):
        init: ConstExpr | None = None
        if reader.data.startswith(_TABLE_WITH_INIT, reader.pos, reader.end):
            if not reader.features.function_references:
                raise switched_off("a table with an initial value", "function_references", reader.pos)
            reader.pos += len(_TABLE_WITH_INIT)
            parts.tables.append(reader.table_type())
            init = read_const_expr(reader)
        else:
            parts.tables.append(reader.table_type())
        parts.table_inits.append(init)


def _tags(reader: Reader, parts: ModuleParts) -> None:
    for _ in range(reader.count()):
        parts.tag_types.append(_tag_type(reader))


def _check_tags_on(reader: Reader) -> None:
    if not (reader.features.exceptions or reader.features.legacy_exceptions):
        raise switched_off("a tag", "exceptions", reader.pos - 1)


def _memories(reader: Reader, parts: ModuleParts) -> None:
    for _ in range(reader.count()):
        parts.memories.append(reader.memory_type())


def _globals(reader: Reader, parts: ModuleParts) -> None:
    for _ in range(reader.count()):
        global_type = reader.global_type()
        parts.globals.append(Global(global_type, read_const_expr(reader)))
        parts.global_types.append(global_type)


def _exports(reader: Reader, parts: ModuleParts) -> None:
    for _ in range(reader.count()):
        name = reader.name()
        kind = reader.byte()
        if kind > ExternKind.TAG:
            raise MalformedError("malformed export kind", reader.pos - 1)
        if kind == ExternKind.TAG:
            _check_tags_on(reader)
        parts.exports.append(Export(name, ExternKind(kind), reader.u32()))


def _start(reader: Reader, parts: ModuleParts) -> None:
    parts.start = reader.u32()


def _element_segment(reader: Reader) -> ElementSegment:
    flags_at = reader.pos
    flags = reader.u32()
    mode = SegmentMode.ACTIVE
    table = 0
    offset = None
    if not reader.features.bulk_memory:
        # Before bulk memory this number was the index of the table.
        table, flags = flags, 0
    if flags > 7:
        raise MalformedError("malformed elements segment kind", flags_at)
    if flags & 1:
        mode = SegmentMode.DECLARATIVE if flags & 2 else SegmentMode.PASSIVE
    else:
        if flags & 2:
            table = reader.u32()
        offset = read_const_expr(reader)
    element = ValueType.FUNCREF
    if flags & 3:
        if flags & 4:
            element = reader.reference_type()
        elif reader.byte() != _ELEMENT_KIND_FUNC:
            raise MalformedError("malformed element kind", reader.pos - 1)
    if flags & 4:
        expressions = tuple([read_const_expr(reader) for _ in range(reader.count())])
        return ElementSegment(mode, element, table, offset, None, expressions)
    functions: array[int] = array("I")
    _read_indices(reader, functions)
    return ElementSegment(mode, element, table, offset, functions, None)


def _elements(reader: Reader, parts: ModuleParts) -> None:
    for _ in range(reader.count()):
        parts.elements.append(_element_segment(reader))


def _code(reader: Reader, parts: ModuleParts) -> None:
    """Slice the function bodies."""
    count = reader.count()
    data = reader.data
    end = reader.end
    pos = reader.pos
    add_start = parts.body_starts.append
    add_end = parts.body_ends.append
    for _ in range(count):
        start = pos
        # Most bodies have 128 to 16,383 bytes; there may be very many.
        if pos + 1 < end and data[pos + 1] < 0x80 <= data[pos]:
            size = data[pos] & 0x7F | data[pos + 1] << 7
            pos += 2
        else:
            size, pos = read_unsigned(data, pos, end, 32)
        add_start(pos)
        pos += size
        if pos > end:
            raise MalformedError("unexpected end of section or function", start)
        add_end(pos)
    reader.pos = pos


def _data_segment(reader: Reader) -> DataSegment:
    flags_at = reader.pos
    flags = reader.u32()
    mode = SegmentMode.ACTIVE
    memory = 0
    offset = None
    if not reader.features.bulk_memory:
        # Before bulk memory this number was the index of the memory.
        memory, flags = flags, 0
    if flags > 2:
        raise MalformedError("malformed data segment kind", flags_at)
    if flags == 1:
        mode = SegmentMode.PASSIVE
    else:
        if flags == 2:
            memory = reader.u32()
        offset = read_const_expr(reader)
    size_at = reader.pos
    size = reader.u32()
    start = reader.pos
    end = start + size
    if end > reader.end:
        raise MalformedError("unexpected end of section or function", size_at)
    reader.pos = end
    return DataSegment(mode, memory, offset, start, end)


def _data(reader: Reader, parts: ModuleParts) -> None:
    for _ in range(reader.count()):
        parts.data.append(_data_segment(reader))


def _data_count(reader: Reader, parts: ModuleParts) -> None:
    parts.data_count = reader.u32()


#: The order in which sections must come, with the reader of each.
SECTION_READERS: Final[dict[int, Callable[[Reader, ModuleParts], None]]] = {
    TYPE: _types,
    IMPORT: _imports,
    FUNCTION: _functions,
    TABLE: _tables,
    MEMORY: _memories,
    TAG: _tags,
    GLOBAL: _globals,
    EXPORT: _exports,
    START: _start,
    ELEMENT: _elements,
    DATA_COUNT: _data_count,
    CODE: _code,
    DATA: _data,
}
