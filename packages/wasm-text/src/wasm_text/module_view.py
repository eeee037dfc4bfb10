"""What a printer needs to know of a binary: its types as they are written there, and identifiers for everything."""

from __future__ import annotations

from typing import Final

from wasm_core import sections
from wasm_core.defined_types import ARRAY, FUNC, REC, STRUCT, SUB, SUB_FINAL
from wasm_core.errors import MalformedError
from wasm_core.features import Features
from wasm_core.leb128 import read_unsigned
from wasm_core.module import DecodedModule, ExternKind
from wasm_core.names import NameSection
from wasm_core.reader import Reader, read_value_type
from wasm_core.type_codes import DEFINED_SHIFT, I8, I16, NON_NULL, heap_type_name, type_name
from wasm_text.identifiers import Identifiers

_PACKED: Final = {I8: "i8", I16: "i16"}


class TypeEntry:
    """One type of the type section, with type codes that have type indices."""

    __slots__ = ("final", "form", "mutable", "params", "plain", "results", "supertypes")

    def __init__(self, form: int, final: bool, supertypes: list[int], plain: bool) -> None:
        self.form: Final = form
        self.final: Final = final
        self.supertypes: Final = supertypes
        #: Whether it is written as a composite type alone, in no group.
        self.plain: Final = plain
        #: Of a function; of structures and arrays, the fields.
        self.params: Final[list[int]] = []
        self.mutable: Final[list[bool]] = []
        self.results: Final[list[int]] = []


class ModuleView:
    """A module, its types, and identifiers."""

    __slots__ = (
        "_fields",
        "_first",
        "data",
        "elements",
        "functions",
        "generate",
        "globals",
        "groups",
        "memories",
        "module",
        "module_name",
        "names",
        "source",
        "tables",
        "tags",
        "type_entries",
        "types",
    )

    def __init__(self, module: DecodedModule, generate: bool) -> None:
        """Read the types and the names.

        Args:
            generate: Whether to make up identifiers for what has no name.
        """
        self.module: Final = module
        self.source: Final = module.source
        self.generate: Final = generate
        self.type_entries: Final[list[TypeEntry]] = []
        #: First type and number of types of each group; -1 types stand for a type by itself.
        self.groups: Final[list[tuple[int, int]]] = []
        #: The first plain function type of each signature.
        self._first: Final[dict[tuple[tuple[int, ...], tuple[int, ...]], int]] = {}
        section = self.section(sections.TYPE)
        if section is not None:
            self._read_types(section)
        names = NameSection.of(module)
        self.module_name: Final = names.module_name
        self._fields: Final[dict[int, Identifiers]] = {}
        others: list[dict[int, str]] = [{} for _ in ExternKind]
        counts = [0] * len(ExternKind)
        for item in module.imports:
            others[item.kind][counts[item.kind]] = item.name
            counts[item.kind] += 1
        for export in module.exports:
            others[export.kind].setdefault(export.index, export.name)

        def identifiers(own: dict[int, str], count: int, prefix: str, kind: ExternKind | None = None) -> Identifiers:
            known = others[kind] if kind is not None and generate and prefix else {}
            return Identifiers(count, own, known, prefix if generate else "")

        tables, memories = len(module.tables), len(module.memories)
        self.types: Final = identifiers(names.type_names, len(self.type_entries), "type")
        self.functions: Final = identifiers(names.function_names, len(module.function_types), "func", ExternKind.FUNC)
        # One that is alone need not be named.
        self.tables: Final = identifiers(names.table_names, tables, "table" if tables > 1 else "", ExternKind.TABLE)
        self.memories: Final = identifiers(
            names.memory_names, memories, "memory" if memories > 1 else "", ExternKind.MEMORY
        )
        self.globals: Final = identifiers(names.global_names, len(module.global_types), "global", ExternKind.GLOBAL)
        self.tags: Final = identifiers(names.tag_names, len(module.tag_types), "tag", ExternKind.TAG)
        self.elements: Final = identifiers(names.element_names, len(module.elements), "")
        self.data: Final = identifiers(names.data_names, len(module.data), "")
        self.names: Final = names

    def section(self, number: int) -> Reader | None:
        """A reader of a section's content, or None if there is no such section."""
        for section in self.module.sections:
            if section.id == number:
                return Reader(self.source, section.start, section.end, Features.wasm_3_0())
        return None

    # Types.

    def _read_types(self, reader: Reader) -> None:
        for _ in range(reader.count()):
            first = len(self.type_entries)
            if reader.data[reader.pos] == REC:
                reader.byte()
                size = reader.count()
                for _ in range(size):
                    self.type_entries.append(self._read_type(reader, False))
                self.groups.append((first, size))
            else:
                entry = self._read_type(reader, True)
                self.type_entries.append(entry)
                self.groups.append((first, -1))
                if entry.plain and entry.form == FUNC:
                    self._first.setdefault((tuple(entry.params), tuple(entry.results)), first)

    def _read_type(self, reader: Reader, alone: bool) -> TypeEntry:
        form = reader.byte()
        final = True
        supertypes: list[int] = []
        plain = alone
        if form in (SUB, SUB_FINAL):
            final = form == SUB_FINAL
            supertypes = [reader.u32() for _ in range(reader.count())]
            form = reader.byte()
            plain = plain and final and not supertypes
        entry = TypeEntry(form, final, supertypes, plain)
        if form == FUNC:
            entry.params.extend([self._value_type(reader) for _ in range(reader.count())])
            entry.results.extend([self._value_type(reader) for _ in range(reader.count())])
        else:
            for _ in range(reader.count() if form == STRUCT else 1):
                entry.params.append(self._value_type(reader))
                entry.mutable.append(reader.byte() == 1)
        return entry

    def _value_type(self, reader: Reader) -> int:
        if reader.pos < reader.end and reader.data[reader.pos] in _PACKED:
            return reader.byte()
        code, reader.pos = read_value_type(reader.data, reader.pos, reader.end)
        return code

    def signature(self, index: int) -> TypeEntry | None:
        """The type of functions with a type index, or None if that is not what it stands for."""
        if index < len(self.type_entries) and self.type_entries[index].form == FUNC:
            return self.type_entries[index]
        return None

    def is_first(self, index: int) -> bool:
        """Whether a type is what its signature alone stands for."""
        entry = self.type_entries[index]
        return entry.plain and self._first.get((tuple(entry.params), tuple(entry.results))) == index

    def value_type(self, code: int) -> str:
        """A value type or packed type."""
        defined = code >> DEFINED_SHIFT
        if defined:
            return f"(ref {'' if code & NON_NULL else 'null '}{self.types.use(defined - 1)})"
        return _PACKED.get(code) or type_name(code)

    def heap_type(self, number: int) -> str:
        """A heap type, numbered as for IMM_HEAP_TYPE."""
        return self.types.use(number) if number >= 0 else heap_type_name(number)

    def read_value_type(self, reader: Reader) -> str:
        """Read a value type."""
        code, reader.pos = read_value_type(reader.data, reader.pos, reader.end)
        return self.value_type(code)

    def results_text(self, results: list[int]) -> str:
        """ " (result ...)", or nothing."""
        return f" (result {' '.join([self.value_type(code) for code in results])})" if results else ""

    def signature_text(self, entry: TypeEntry) -> str:
        """ " (param ...) (result ...)", without names."""
        params = f" (param {' '.join([self.value_type(code) for code in entry.params])})" if entry.params else ""
        return params + self.results_text(entry.results)

    def use_text(self, index: int) -> str:
        """ " (type ...)", or nothing where the signature says it."""
        if self.signature(index) is not None and self.is_first(index):
            return ""
        return f" (type {self.types.use(index)})"

    def block_type(self, number: int) -> str:
        """A block type, numbered as for IMM_BLOCK, with a space before it."""
        if number < 0:
            return "" if number == -0x40 else f" (result {self.value_type(-number)})"
        entry = self.signature(number)
        # What has a short form would be encoded as that.
        if entry is not None and self.is_first(number) and (entry.params or len(entry.results) > 1):
            return self.signature_text(entry)
        return f" (type {self.types.use(number)})"

    def block_effect(self, number: int) -> tuple[int, int]:
        """How many parameters and results a block type has."""
        if number < 0:
            return 0, 0 if number == -0x40 else 1
        entry = self.signature(number)
        return (0, 0) if entry is None else (len(entry.params), len(entry.results))

    def fields_text(self, index: int, entry: TypeEntry) -> list[str]:
        """The fields of a structure, or the element of an array."""
        texts = []
        for code, mutable in zip(entry.params, entry.mutable, strict=True):
            storage = self.value_type(code)
            texts.append(f"(mut {storage})" if mutable else storage)
        if entry.form == ARRAY:
            return texts
        names = self.fields(index)
        return [f"(field {names.declaration(number)} {text})" for number, text in enumerate(texts)]

    def fields(self, index: int) -> Identifiers:
        """Identifiers for the fields of a structure."""
        found = self._fields.get(index)
        if found is None:
            count = len(self.type_entries[index].params) if index < len(self.type_entries) else 0
            found = self._fields[index] = Identifiers(count, self.names.field_names(index), {}, "")
        return found

    def type_text(self, index: int) -> str:
        """A type definition."""
        entry = self.type_entries[index]
        if entry.form == FUNC:
            text = f"(func{self.signature_text(entry)})"
        else:
            word = "struct" if entry.form == STRUCT else "array"
            text = f"({' '.join([word, *self.fields_text(index, entry)])})"
        if not entry.final or entry.supertypes:
            words = ["sub", *(["final"] if entry.final else []), *map(self.types.use, entry.supertypes)]
            text = f"({' '.join(words)} {text})"
        return f"(type {self.types.declaration(index)} {text})"

    # Types of imports and definitions.

    def read_limits(self, reader: Reader) -> tuple[int, str, str]:
        """Read limits: their flags, " i64" or nothing, the numbers."""
        flags = reader.byte()
        minimum, reader.pos = read_unsigned(reader.data, reader.pos, reader.end, 64)
        numbers = str(minimum)
        if flags & 1:
            maximum, reader.pos = read_unsigned(reader.data, reader.pos, reader.end, 64)
            numbers += f" {maximum}"
        return flags, " i64" if flags & 4 else "", numbers

    def read_memory_type(self, reader: Reader) -> str:
        """Read a memory type; the text has a space before it."""
        flags, address, numbers = self.read_limits(reader)
        text = f"{address} {numbers}"
        if flags & 2:
            text += " shared"
        if flags & 8:
            text += f" (pagesize {1 << self._page_bits(reader)})"
        return text

    def _page_bits(self, reader: Reader) -> int:
        bits = reader.u32()
        if bits > 63:
            raise MalformedError("invalid custom page size", reader.pos)
        return bits

    def read_table_type(self, reader: Reader) -> str:
        """Read a table type; the text has a space before it."""
        element = self.read_value_type(reader)
        _, address, numbers = self.read_limits(reader)
        return f"{address} {numbers} {element}"

    def read_global_type(self, reader: Reader) -> str:
        """Read a global type; the text has a space before it."""
        value_type = self.read_value_type(reader)
        return f" (mut {value_type})" if reader.byte() else f" {value_type}"
