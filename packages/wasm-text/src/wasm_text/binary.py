"""A module's sections as a binary (core specification, section "Binary Format", "Modules"), and the map of its code."""

from __future__ import annotations

import enum
from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Final

from wasm_core import sections
from wasm_core.errors import CompileError
from wasm_text.annotations import BRANCH_HINTS, CustomSection
from wasm_text.encoding import sized, unsigned, vector
from wasm_text.errors import error_at, line_and_column
from wasm_text.module_reader import Body, ModuleReader
from wasm_text.tokens import Tokens

_MAGIC: Final = b"\0asm\1\0\0\0"


class Subsection(enum.IntEnum):
    """Numbers of the subsections of the name section (appendix "Name Section"; proposal extended name section)."""

    MODULE = 0
    FUNCTIONS = 1
    LOCALS = 2
    LABELS = 3
    TYPES = 4
    TABLES = 5
    MEMORIES = 6
    GLOBALS = 7
    ELEMENTS = 8
    DATA = 9
    FIELDS = 10
    TAGS = 11


class SourceMap:
    """Which place in a text an offset in the binary comes from."""

    __slots__ = ("_offsets", "_positions", "_starts", "file", "text")

    def __init__(self, tokens: Tokens) -> None:
        self._starts: Final = tokens.starts
        self.text: Final = tokens.text
        #: Name of the file, or None.
        self.file: Final = tokens.file
        self._offsets: Final = array("Q")
        self._positions: Final = array("Q")

    def add(self, offset: int, token: int) -> None:
        """Say that what is at an offset comes from what starts with a token. Offsets must grow."""
        self._offsets.append(offset)
        self._positions.append(self._starts[token])

    def add_body(self, start: int, body: Body) -> None:
        """Add the instructions of a code entry that starts at an offset."""
        starts = self._starts
        self.add(start, body.token)
        self._offsets.extend([start + offset for offset in body.mark_offsets])
        self._positions.extend([starts[token] for token in body.mark_tokens])

    def position(self, offset: int) -> int | None:
        """Where in the text the instruction, or the field of the module, starts that an offset in the binary is in.

        None for what comes before all of them.
        """
        number = bisect_right(self._offsets, offset)
        return self._positions[number - 1] if number else None

    def line_and_column(self, offset: int) -> tuple[int, int] | None:
        """The same as line and column, counted from 1."""
        position = self.position(offset)
        return None if position is None else line_and_column(self.text, position)

    def place(self, offset: int) -> str | None:
        """The same as "file:line:column"."""
        position = self.position(offset)
        return None if position is None else error_at("", self.text, position, position, self.file).place

    def explain(self, error: CompileError) -> None:
        """Add a note with the line of the text that an error about the binary is about, if there is one."""
        position = None if error.offset is None else self.position(error.offset)
        if position is not None:
            place = error_at("", self.text, position, position + 1, self.file)
            error.add_note(f"{place.place}\n{place.excerpt}")


class Binary:
    """An assembled module."""

    __slots__ = ("content", "source_map")

    def __init__(self, content: bytes, source_map: SourceMap) -> None:
        self.content: Final = content
        self.source_map: Final = source_map


def encode(reader: ModuleReader, module_name: str | None, customs: Sequence[CustomSection]) -> Binary:
    """The binary of a module that was read."""
    out = bytearray(_MAGIC)
    source_map = SourceMap(reader.tokens)
    hints = _branch_hints(reader)
    entries = reader.entries
    _add_customs(out, customs, 0, False)
    for section in sections.SECTION_READERS:
        _add_customs(out, customs, section, False)
        if section == sections.CODE and hints:
            _add_custom(out, BRANCH_HINTS, hints)
        if section == sections.CODE and reader.bodies:
            _add_code(out, reader, source_map)
        elif section == sections.START and reader.start is not None:
            _add_section(out, section, unsigned(reader.start))
        elif section == sections.DATA_COUNT and reader.needs_data_count:
            _add_section(out, section, unsigned(len(reader.data)))
        elif section in entries:
            _add_entries(out, section, *entries[section], source_map)
        _add_customs(out, customs, section, True)
    names = _names(reader, module_name)
    if names and not any(custom.name == "name" for custom in customs):
        _add_custom(out, "name", names)
    _add_customs(out, customs, 0, True)
    return Binary(bytes(out), source_map)


def _add_section(out: bytearray, section: int, content: bytes) -> None:
    out.append(section)
    out += sized(content)


def _add_entries(
    out: bytearray, section: int, entries: Sequence[bytes], tokens: Sequence[int], source_map: SourceMap
) -> None:
    """Add a section that is a vector, whose entries come from fields that start with some tokens."""
    if not entries:
        return
    content = vector(entries)
    _add_section(out, section, content)
    # What is wrong with a section as a whole is shown at its first field.
    source_map.add(len(out) - len(content), tokens[0])
    offset = len(out) - sum([len(entry) for entry in entries])
    for entry, token in zip(entries, tokens, strict=True):
        source_map.add(offset, token)
        offset += len(entry)


def _add_code(out: bytearray, reader: ModuleReader, source_map: SourceMap) -> None:
    heads = [unsigned(len(body.content)) for body in reader.bodies]
    count = unsigned(len(heads))
    size = len(count) + sum([len(head) for head in heads]) + sum([len(body.content) for body in reader.bodies])
    out.append(sections.CODE)
    out += unsigned(size)
    out += count
    for head, body in zip(heads, reader.bodies, strict=True):
        out += head
        source_map.add_body(len(out), body)
        out += body.content


def _add_custom(out: bytearray, name: str, content: bytes) -> None:
    out.append(sections.CUSTOM)
    out += sized(sized(name.encode()) + content)


def _add_customs(out: bytearray, customs: Sequence[CustomSection], section: int, after: bool) -> None:
    for custom in customs:
        if custom.section == section and custom.after is after:
            _add_custom(out, custom.name, custom.content)


def _branch_hints(reader: ModuleReader) -> bytes:
    entries = [
        unsigned(reader.imported_functions + number)
        + vector([unsigned(offset) + b"\1" + bytes([value]) for offset, value in body.hints])
        for number, body in enumerate(reader.bodies)
        if body.hints
    ]
    return vector(entries) if entries else b""


def _name_map(names: Mapping[int, str]) -> bytes:
    return vector([unsigned(index) + sized(names[index].encode()) for index in sorted(names)])


def _indirect_name_map(maps: Mapping[int, Mapping[int, str]]) -> bytes:
    return vector([unsigned(index) + _name_map(maps[index]) for index in sorted(maps)])


def _names(reader: ModuleReader, module_name: str | None) -> bytes:
    """The content of the name section; nothing if nothing has a name."""
    out = bytearray()

    def add(subsection: int, content: bytes) -> None:
        out.append(subsection)
        out.extend(sized(content))

    def add_map(subsection: int, names: Mapping[int, str]) -> None:
        if names:
            add(subsection, _name_map(names))

    def add_maps(subsection: int, maps: Mapping[int, Mapping[int, str]]) -> None:
        if maps:
            add(subsection, _indirect_name_map(maps))

    spaces = reader.spaces
    own = list(enumerate(reader.bodies, reader.imported_functions))
    if module_name is not None:
        add(Subsection.MODULE, sized(module_name.encode()))
    add_map(Subsection.FUNCTIONS, spaces.functions.debug_names)
    add_maps(Subsection.LOCALS, {index: body.local_names for index, body in own if body.local_names})
    add_maps(Subsection.LABELS, {index: body.label_names for index, body in own if body.label_names})
    add_map(Subsection.TYPES, spaces.types.debug_names)
    add_map(Subsection.TABLES, spaces.tables.debug_names)
    add_map(Subsection.MEMORIES, spaces.memories.debug_names)
    add_map(Subsection.GLOBALS, spaces.globals.debug_names)
    add_map(Subsection.ELEMENTS, spaces.elements.debug_names)
    add_map(Subsection.DATA, spaces.data.debug_names)
    fields = {index: space.debug_names for index, space in reader.types.fields.items() if space.debug_names}
    add_maps(Subsection.FIELDS, fields)
    add_map(Subsection.TAGS, spaces.tags.debug_names)
    return bytes(out)
