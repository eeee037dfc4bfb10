"""Binaries to text: what users call, and the fields of modules."""

from __future__ import annotations

from array import array
from typing import Final

from wasm_core import sections
from wasm_core.custom_sections import branch_hints
from wasm_core.decoder import decode
from wasm_core.disassembler import read_local_groups
from wasm_core.errors import MalformedError
from wasm_core.features import Features
from wasm_core.module import DecodedModule, ExternKind
from wasm_core.reader import Reader
from wasm_text.annotations import BRANCH_HINTS, SECTION_NAMES
from wasm_text.body_printer import BodyPrinter, Node, indent, inline, write
from wasm_text.identifiers import Identifiers, name_literal
from wasm_text.instruction_printer import Scope
from wasm_text.module_view import ModuleView
from wasm_text.strings import encode_string

_KINDS: Final = ("func", "table", "memory", "global", "tag")
#: Bytes of data in a line.
_DATA_WIDTH: Final = 64
#: Items of an element segment in a line.
_ITEMS_WIDTH: Final = 12
#: More locals than any engine allows; a few bytes can declare billions.
_MOST_LOCALS: Final = 1_000_000

# Flags of element and data segments.
_PASSIVE: Final = 1
_EXPLICIT: Final = 2
_DECLARED: Final = 3
_EXPRESSIONS: Final = 4


def format(
    module: DecodedModule | bytes,
    *,
    fold: bool = True,
    offsets: bool = False,
    generate_names: bool = True,
    features: Features | None = None,
) -> str:
    """A module in the text format; it assembles to the same module again.

    Args:
        module: The module, or its binary.
        fold: Whether operands are written in the parentheses of their instruction.
        offsets: Whether a comment gives the offset in the binary of every instruction.
        generate_names: Whether functions, locals and so on that have no name in the name section get one. (They then
            have it when the text is assembled.)
        features: Which parts of WebAssembly are on where a binary is decoded; all if None.

    Raises:
        MalformedError: A function body is malformed. (Whether the module is valid does not matter.)
    """
    if not isinstance(module, DecodedModule):
        module = decode(module, _every_feature() if features is None else features)
    return _Printer(ModuleView(module, generate_names), fold, offsets).print()


def _every_feature() -> Features:
    return Features(**dict.fromkeys(Features.__annotations__, True))


class _Printer:
    def __init__(self, view: ModuleView, fold: bool, offsets: bool) -> None:
        self._view: Final = view
        self._module: Final = view.module
        self._fold: Final = fold
        self._offsets: Final = offsets
        self._out: Final[list[str]] = []
        #: By function, then by the offset of a branch: whether it is likely.
        self._hints: Final = branch_hints(view.module)
        #: Exports to write where things are defined, by kind and index.
        self._inline_exports: Final[dict[tuple[int, int], list[str]]] = {}

    def print(self) -> str:
        view = self._view
        name = view.module_name
        head = "(module"
        if name:
            from wasm_text.identifiers import identifier

            head += f" {identifier(name)}"
        elif name is not None:
            head += ' (@name "")'
        self._out.append(head)
        separate = self._plan_exports()
        self._customs(0)
        for section in sections.SECTION_READERS:
            if section == sections.EXPORT:
                if separate:
                    self._exports()
            else:
                reader = view.section(section)
                write_section = _SECTIONS.get(section)
                if reader is not None and write_section is not None:
                    write_section(self, reader)
            self._customs(section)
        self._out.append(")")
        return "\n".join(self._out) + "\n"

    def _line(self, text: str) -> None:
        self._out.append(f"  {text}")

    # Exports.

    def _plan_exports(self) -> bool:
        """Whether exports must be fields of their own, to keep their order."""
        module = self._module
        imported = self._imported()
        order = (ExternKind.TABLE, ExternKind.MEMORY, ExternKind.TAG, ExternKind.GLOBAL, ExternKind.FUNC)
        places = [
            (order.index(export.kind), export.index)
            for export in module.exports
            if export.index >= imported[export.kind] and export.index < self._count(export.kind)
        ]
        if len(places) != len(module.exports) or places != sorted(places):
            return True
        for export in module.exports:
            found = self._inline_exports.setdefault((export.kind, export.index), [])
            found.append(f"(export {name_literal(export.name)})")
        return False

    def _imported(self) -> tuple[int, ...]:
        module = self._module
        return (
            module.imported_functions,
            module.imported_tables,
            module.imported_memories,
            module.imported_globals,
            module.imported_tags,
        )

    def _count(self, kind: ExternKind) -> int:
        return len(self._space(kind))

    def _space(self, kind: int) -> Identifiers:
        view = self._view
        return (view.functions, view.tables, view.memories, view.globals, view.tags)[kind]

    def _exports(self) -> None:
        for export in self._module.exports:
            used = self._space(export.kind).use(export.index)
            self._line(f"(export {name_literal(export.name)} ({_KINDS[export.kind]} {used}))")

    def _head(self, kind: int, index: int) -> str:
        """The beginning of a definition."""
        words = [_KINDS[kind], self._space(kind).declaration(index), *self._inline_exports.get((kind, index), ())]
        return " ".join([word for word in words if word])

    # Custom sections.

    def _customs(self, section: int) -> None:
        """The custom sections that follow a section, or the beginning."""
        found: list[tuple[int, int]] = []
        last = 0
        for entry in self._module.sections:
            if entry.id:
                last = entry.id
            elif last == section:
                found.append((entry.start, entry.end))
        place = "(before first)"
        if section:
            word = next(word for word, number in SECTION_NAMES.items() if number == section)
            place = f"(after {word})"
        names = {(custom.end): custom for custom in self._module.customs}
        for _, end in found:
            custom = names.get(end)
            # (These two have words of their own.)
            if custom is None or custom.name in ("name", BRANCH_HINTS):
                continue
            content = self._module.source[custom.start : custom.end]
            self._strings(f"(@custom {name_literal(custom.name)} {place}", content)

    def _strings(self, head: str, content: bytes) -> None:
        """A field that ends with strings."""
        pieces = [content[at : at + _DATA_WIDTH] for at in range(0, len(content), _DATA_WIDTH)]
        if len(pieces) <= 1:
            self._line(f"{head} {encode_string(content)})")
            return
        self._line(head)
        for piece in pieces:
            self._out.append(f"    {encode_string(piece)}")
        self._line(")")

    # Sections.

    def _types(self, reader: Reader) -> None:
        view = self._view
        for first, size in view.groups:
            if size < 0:
                self._line(view.type_text(first))
                continue
            self._line("(rec")
            for index in range(first, first + size):
                self._out.append(f"    {view.type_text(index)}")
            self._line(")")

    def _imports(self, reader: Reader) -> None:
        view = self._view
        counts = [0] * len(_KINDS)
        for _ in range(reader.count()):
            module, name = reader.name(), reader.name()
            kind = reader.byte()
            index = counts[kind]
            counts[kind] += 1
            if kind == ExternKind.FUNC:
                description = self._type_use(reader.u32())
            elif kind == ExternKind.TABLE:
                description = view.read_table_type(reader)
            elif kind == ExternKind.MEMORY:
                description = view.read_memory_type(reader)
            elif kind == ExternKind.GLOBAL:
                description = view.read_global_type(reader)
            else:
                reader.byte()
                description = self._type_use(reader.u32())
            head = f"{_KINDS[kind]} {self._space(kind).declaration(index)}".rstrip()
            self._line(f"(import {name_literal(module)} {name_literal(name)} ({head}{description}))")

    def _type_use(self, index: int) -> str:
        entry = self._view.signature(index)
        use = self._view.use_text(index)
        return use if entry is None else use + self._view.signature_text(entry)

    def _tables(self, reader: Reader) -> None:
        index = self._module.imported_tables
        for _ in range(reader.count()):
            head = self._head(ExternKind.TABLE, index)
            has_init = reader.data[reader.pos] == 0x40
            if has_init:
                reader.byte()
                reader.byte()
            text = self._view.read_table_type(reader)
            if has_init:
                text += f" {inline(self._expression(reader))}"
            self._line(f"({head}{text})")
            index += 1

    def _memories(self, reader: Reader) -> None:
        index = self._module.imported_memories
        for _ in range(reader.count()):
            head = self._head(ExternKind.MEMORY, index)
            self._line(f"({head}{self._view.read_memory_type(reader)})")
            index += 1

    def _tags(self, reader: Reader) -> None:
        index = self._module.imported_tags
        for _ in range(reader.count()):
            reader.byte()
            self._line(f"({self._head(ExternKind.TAG, index)}{self._type_use(reader.u32())})")
            index += 1

    def _globals(self, reader: Reader) -> None:
        index = self._module.imported_globals
        for _ in range(reader.count()):
            head = self._head(ExternKind.GLOBAL, index)
            text = self._view.read_global_type(reader)
            self._line(f"({head}{text} {inline(self._expression(reader))})")
            index += 1

    def _start(self, reader: Reader) -> None:
        self._line(f"(start {self._view.functions.use(reader.u32())})")

    def _expression(self, reader: Reader) -> list[Node]:
        """Read a constant expression."""
        scope = Scope(self._view, Identifiers(0, {}, {}, ""), 1)
        printer = BodyPrinter(reader.data, scope, self._fold, self._offsets, {})
        nodes, reader.pos = printer.read(reader.pos, reader.end, {})
        return nodes

    def _offset(self, reader: Reader) -> str:
        """Read the offset of a segment."""
        nodes = self._expression(reader)
        if len(nodes) == 1:
            return inline(nodes)
        return f"(offset {inline(nodes)})"

    def _elements(self, reader: Reader) -> None:
        view = self._view
        for index in range(reader.count()):
            flags = reader.u32()
            words = ["elem", view.elements.declaration(index)]
            if flags & _DECLARED == _DECLARED:
                words.append("declare")
            elif not flags & _PASSIVE:
                if flags & _EXPLICIT:
                    words.append(f"(table {view.tables.use(reader.u32())})")
                words.append(self._offset(reader))
            if not flags & _EXPRESSIONS:
                if flags & _DECLARED:
                    reader.byte()
                words.append("func")
                items = [view.functions.use(reader.u32()) for _ in range(reader.count())]
            else:
                words.append(view.read_value_type(reader) if flags & _DECLARED else "funcref")
                items = [self._item(reader) for _ in range(reader.count())]
            self._items(f"({' '.join(words)}", items)

    def _item(self, reader: Reader) -> str:
        nodes = self._expression(reader)
        return inline(nodes) if len(nodes) == 1 else f"(item {inline(nodes)})"

    def _items(self, head: str, items: list[str]) -> None:
        if len(items) <= _ITEMS_WIDTH:
            self._line(f"{' '.join([head, *items])})")
            return
        self._line(head)
        for at in range(0, len(items), _ITEMS_WIDTH):
            self._out.append(f"    {' '.join(items[at : at + _ITEMS_WIDTH])}")
        self._line(")")

    def _data(self, reader: Reader) -> None:
        view = self._view
        for index in range(reader.count()):
            flags = reader.u32()
            words = ["data", view.data.declaration(index)]
            if not flags & _PASSIVE:
                memory = reader.u32() if flags & _EXPLICIT else 0
                if memory:
                    words.append(f"(memory {view.memories.use(memory)})")
                words.append(self._offset(reader))
            size = reader.count()
            start = reader.pos
            reader.pos += size
            self._strings(f"({' '.join(words)}", self._module.source[start : start + size])

    def _code(self, reader: Reader) -> None:
        for number in range(len(self._module.body_starts)):
            self._function(self._module.imported_functions + number)

    def _function(self, index: int) -> None:
        view = self._view
        module = self._module
        start, end = module.body(index)
        type_index = module.function_types[index]
        entry = view.signature(type_index)
        params = entry.params if entry is not None else []
        groups, pos = read_local_groups(module.source, start, end)
        if sum([size for size, _ in groups]) > _MOST_LOCALS:
            raise MalformedError("too many locals", start)
        types = array("Q", params)
        for size, code in groups:
            types.extend([code] * size)
        local_variables = self._locals(index, len(params), len(types))
        head = self._head(ExternKind.FUNC, index) + view.use_text(type_index)
        for number, code in enumerate(params):
            head += f" (param {local_variables.declaration(number)} {view.value_type(code)})"
        if entry is not None:
            head += view.results_text(entry.results)
        scope = Scope(view, local_variables, len(entry.results) if entry is not None else 0)
        printer = BodyPrinter(module.source, scope, self._fold, self._offsets, self._hints.get(index, {}))
        nodes, after = printer.read(pos, end, view.names.label_names(index))
        if after != end:
            raise MalformedError("END opcode expected", after)
        self._line(f"({head}")
        self._local_lines(local_variables, types, len(params))
        write(nodes, 2, self._out)
        if len(self._out[-1]) < 100 and self._out[-1].startswith(f"  ({_KINDS[0]}"):
            self._out[-1] += ")"
        else:
            self._line(")")

    def _locals(self, index: int, params: int, count: int) -> Identifiers:
        generate = self._view.generate
        others = {
            number: f"p{number}" if number < params else f"l{number}" for number in range(count if generate else 0)
        }
        return Identifiers(count, self._view.names.local_names(index), others, "")

    def _local_lines(self, local_variables: Identifiers, types: array[int], first: int) -> None:
        line = ""
        for number in range(first, len(types)):
            text = f"(local {local_variables.declaration(number)} {self._view.value_type(types[number])})"
            if line and len(line) + len(text) > 80:
                self._out.append(indent(2) + line)
                line = ""
            line += f" {text}" if line else text
        if line:
            self._out.append(indent(2) + line)


_SECTIONS: Final = {
    sections.TYPE: _Printer._types,
    sections.IMPORT: _Printer._imports,
    sections.TABLE: _Printer._tables,
    sections.MEMORY: _Printer._memories,
    sections.TAG: _Printer._tags,
    sections.GLOBAL: _Printer._globals,
    sections.START: _Printer._start,
    sections.ELEMENT: _Printer._elements,
    sections.CODE: _Printer._code,
    sections.DATA: _Printer._data,
}
