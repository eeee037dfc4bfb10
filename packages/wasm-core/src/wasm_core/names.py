"""The name section, read on demand (core specification, appendix "Custom Sections", "Name Section").

Names are for people, so damage never is an error: what comes before it is used, and bytes that are not UTF-8 are
replaced.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Final, Self

from wasm_core.errors import MalformedError
from wasm_core.leb128 import read_u32
from wasm_core.module import DecodedModule

# Subsections. Locals, labels and fields have a map of names for each function or type.
_MODULE: Final = 0
_FUNCTIONS: Final = 1
_LOCALS: Final = 2
_LABELS: Final = 3
_TYPES: Final = 4
_TABLES: Final = 5
_MEMORIES: Final = 6
_GLOBALS: Final = 7
_ELEMENTS: Final = 8
_DATA: Final = 9
_FIELDS: Final = 10
_TAGS: Final = 11


class NameSection:
    """Lookups in the name section `source[start:end]`."""

    __slots__ = ("_functions", "_known", "_nested", "_source", "_subsections")

    def __init__(self, source: bytes, start: int, end: int) -> None:
        self._source: Final = source
        self._subsections: Final = _find_subsections(source, start, end)
        self._functions: dict[int, str] | None = None
        # What has been asked for one by one.
        self._known: dict[int, str | None] = {}
        # By subsection: index of a function or type -> where the map of its names starts.
        self._nested: Final[dict[int, dict[int, int]]] = {}

    @classmethod
    def of(cls, module: DecodedModule) -> Self:
        """The name section of a module; without one, no lookup finds anything."""
        for custom in module.customs:
            if custom.name == "name":
                return cls(module.source, custom.start, custom.end)
        return cls(module.source, 0, 0)

    @property
    def module_name(self) -> str | None:
        """The name of the module."""
        start, end = self._subsections.get(_MODULE, (0, 0))
        if start == end:
            return None
        try:
            return _read_name(self._source, start, end)[0]
        except MalformedError:
            return None

    @property
    def function_names(self) -> dict[int, str]:
        """The names of functions by function index."""
        if self._functions is None:
            self._functions = self._names(_FUNCTIONS)
        return self._functions

    def function_name(self, index: int) -> str | None:
        """The name of one function."""
        return self.names_of({index}).get(index)

    def names_of(self, functions: Set[int]) -> dict[int, str]:
        """The names of some functions, by index; those that have none are left out.

        That takes one look at all names, and memory for these: it is asked for when things go wrong.
        """
        known = self._known
        wanted = functions - known.keys()
        if wanted:
            start, end = self._subsections.get(_FUNCTIONS, (0, 0))
            known.update(_find_names(self._source, start, end, wanted))
        return {index: name for index in functions if (name := known[index]) is not None}

    def local_names(self, function: int) -> dict[int, str]:
        """The names of the locals of one function by local index."""
        return self._names_in(_LOCALS, function)

    def label_names(self, function: int) -> dict[int, str]:
        """The names of the labels of one function, numbered in the order of their constructs."""
        return self._names_in(_LABELS, function)

    def field_names(self, type_index: int) -> dict[int, str]:
        """The names of the fields of one structure type by number."""
        return self._names_in(_FIELDS, type_index)

    @property
    def type_names(self) -> dict[int, str]:
        """The names of types by type index."""
        return self._names(_TYPES)

    @property
    def table_names(self) -> dict[int, str]:
        """The names of tables by table index."""
        return self._names(_TABLES)

    @property
    def memory_names(self) -> dict[int, str]:
        """The names of memories by memory index."""
        return self._names(_MEMORIES)

    @property
    def global_names(self) -> dict[int, str]:
        """The names of globals by global index."""
        return self._names(_GLOBALS)

    @property
    def element_names(self) -> dict[int, str]:
        """The names of element segments by index."""
        return self._names(_ELEMENTS)

    @property
    def data_names(self) -> dict[int, str]:
        """The names of data segments by index."""
        return self._names(_DATA)

    @property
    def tag_names(self) -> dict[int, str]:
        """The names of tags by tag index."""
        return self._names(_TAGS)

    def _names(self, subsection: int) -> dict[int, str]:
        start, end = self._subsections.get(subsection, (0, 0))
        return _read_name_map(self._source, start, end)

    def _names_in(self, subsection: int, index: int) -> dict[int, str]:
        start, end = self._subsections.get(subsection, (0, 0))
        maps = self._nested.get(subsection)
        if maps is None:
            maps = self._nested[subsection] = _find_maps(self._source, start, end)
        return _read_name_map(self._source, maps.get(index, end), end)


def _find_subsections(source: bytes, pos: int, end: int) -> dict[int, tuple[int, int]]:
    found: dict[int, tuple[int, int]] = {}
    try:
        while pos < end:
            number = source[pos]
            size, pos = read_u32(source, pos + 1, end)
            found.setdefault(number, (pos, min(pos + size, end)))
            pos += size
    except MalformedError:
        pass
    return found


def _read_name(source: bytes, pos: int, end: int) -> tuple[str, int]:
    size, pos = read_u32(source, pos, end)
    after = pos + size
    if after > end:
        raise MalformedError("unexpected end", pos)
    return source[pos:after].decode(errors="replace"), after


def _read_name_map(source: bytes, pos: int, end: int) -> dict[int, str]:
    names: dict[int, str] = {}
    try:
        count, pos = read_u32(source, pos, end)
        for _ in range(count):
            index, pos = read_u32(source, pos, end)
            names[index], pos = _read_name(source, pos, end)
    except MalformedError:
        pass
    return names


def _find_names(source: bytes, pos: int, end: int, wanted: Set[int]) -> dict[int, str | None]:
    """Of these indices the last name in a map, as `_read_name_map` has it, or None."""
    found: dict[int, str | None] = dict.fromkeys(wanted)
    try:
        count, pos = read_u32(source, pos, end)
        for _ in range(count):
            index, pos = read_u32(source, pos, end)
            if index in found:
                found[index], pos = _read_name(source, pos, end)
            else:
                size, pos = read_u32(source, pos, end)
                pos += size
    except MalformedError:
        pass
    return found


def _find_maps(source: bytes, pos: int, end: int) -> dict[int, int]:
    starts: dict[int, int] = {}
    try:
        count, pos = read_u32(source, pos, end)
        for _ in range(count):
            index, pos = read_u32(source, pos, end)
            starts[index] = pos
            entries, pos = read_u32(source, pos, end)
            for _ in range(entries):
                _, pos = read_u32(source, pos, end)
                size, pos = read_u32(source, pos, end)
                pos += size
    except MalformedError:
        pass
    return starts
