"""The first pass over the fields of a module: what has an index gets it.

So identifiers may be used before they are there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wasm_text.errors import TextError
from wasm_text.expressions import ExpressionReader
from wasm_text.spaces import IndexSpace
from wasm_text.tokens import END, LEFT, RIGHT, Tokens
from wasm_text.types import annotated_name

#: Kinds of imports and exports, as in the binary format.
FUNC, TABLE, MEMORY, GLOBAL, TAG = range(5)
KINDS: Final = {"func": FUNC, "table": TABLE, "memory": MEMORY, "global": GLOBAL, "tag": TAG}
#: What importing after one of these is called in messages.
_IMPORT_AFTER: Final = ("function", "table", "memory", "global", "tag")
#: Errors of a text that are reported at most.
_MOST_ERRORS: Final = 20


class FieldNumbers(ExpressionReader):
    """Numbers the fields of one module."""

    __slots__ = ("_defined", "errors", "fields")

    def __init__(self, tokens: Tokens, pos: int = 0) -> None:
        super().__init__(tokens, pos)
        self.errors: Final[list[TextError]] = []
        #: Where fields start: the token of their "(".
        self.fields: Final[list[int]] = []
        # The first kind that the module defines itself.
        self._defined = len(_IMPORT_AFTER)

    def stop_at_errors(self) -> None:
        """Raise the first error, if there are any."""
        if self.errors:
            self.errors.sort(key=_place)
            first = self.errors[0]
            first.errors = tuple(self.errors)
            raise first

    def fail(self, error: TextError) -> None:
        """Note an error, and go on unless there are many."""
        self.errors.append(error)
        if len(self.errors) >= _MOST_ERRORS:
            self.stop_at_errors()

    def number_fields(self) -> None:
        """Go through the fields up to the ")" of the module, or the end of the text."""
        kinds = self.kinds
        while kinds[self.pos] == LEFT:
            start = self.pos
            try:
                number = _NUMBER.get(self.opened_word())
                if number is None:
                    raise self.unexpected("a field of a module")
                self.pos += 2
                number(self)
            except TextError as error:
                self.fail(error)
            self.fields.append(start)
            self.pos = start
            self.skip()
        if kinds[self.pos] != RIGHT and kinds[self.pos] != END:
            # Nothing that comes now can be made sense of.
            self.fail(self.unexpected("a field of a module"))

    def _number(self, space: IndexSpace) -> None:
        at = self.pos
        name = self.identifier()
        index = self.declare(space, name, at)
        annotated_name(self, self.pos, space, index)

    def _number_type(self) -> None:
        self._number(self.spaces.types)

    def _number_group(self) -> None:
        while self.opens("type"):
            start = self.pos
            self.pos += 2
            self._number(self.spaces.types)
            self.pos = start
            self.skip()

    def _number_definition(self, kind: int) -> None:
        """Number a function, table, memory, global or tag; and its inline segment."""
        start = self.pos - 2
        self._number(self.space(kind))
        imported = False
        while self.opens("export"):
            self.skip()
        if self.opens("import"):
            self._check_import(self.pos)
            imported = True
        if not imported:
            self._defined = min(self._defined, kind)
            if kind in (TABLE, MEMORY):
                self._number_segment(start, kind)

    def _number_segment(self, start: int, kind: int) -> None:
        """Number the segment that a table or memory has in line."""
        word, space = ("elem", self.spaces.elements) if kind == TABLE else ("data", self.spaces.data)
        while self.kinds[self.pos] != RIGHT and self.kinds[self.pos] != END:
            if self.opens(word):
                space.count += 1
                return
            if self.kinds[self.pos] == LEFT:
                self.skip()
            else:
                self.pos += 1

    def _number_import(self) -> None:
        at = self.pos - 2
        self.name()
        self.name()
        kind = KINDS.get(self.opened_word())
        if kind is None:
            raise self.unexpected("(func ...), (table ...), (memory ...), (global ...) or (tag ...)")
        self.pos += 2
        self._number(self.space(kind))
        self._check_import(at)

    def _check_import(self, at: int) -> None:
        if self._defined < len(_IMPORT_AFTER):
            raise self.error(f"import after {_IMPORT_AFTER[self._defined]}", at + 1)

    def _number_nothing(self) -> None:
        pass

    def space(self, kind: int) -> IndexSpace:
        """The index space of a kind of definitions."""
        spaces = self.spaces
        return (spaces.functions, spaces.tables, spaces.memories, spaces.globals, spaces.tags)[kind]


def _place(error: TextError) -> tuple[int, int]:
    return error.line, error.column


def _number_function(reader: FieldNumbers) -> None:
    reader._number_definition(FUNC)


def _number_table(reader: FieldNumbers) -> None:
    reader._number_definition(TABLE)


def _number_memory(reader: FieldNumbers) -> None:
    reader._number_definition(MEMORY)


def _number_global(reader: FieldNumbers) -> None:
    reader._number_definition(GLOBAL)


def _number_tag(reader: FieldNumbers) -> None:
    reader._number_definition(TAG)


def _number_elem(reader: FieldNumbers) -> None:
    reader._number(reader.spaces.elements)


def _number_data(reader: FieldNumbers) -> None:
    reader._number(reader.spaces.data)


#: How fields are numbered.
_NUMBER: Final[dict[str, Callable[[FieldNumbers], None]]] = {
    "type": FieldNumbers._number_type,
    "rec": FieldNumbers._number_group,
    "import": FieldNumbers._number_import,
    "func": _number_function,
    "table": _number_table,
    "memory": _number_memory,
    "global": _number_global,
    "tag": _number_tag,
    "export": FieldNumbers._number_nothing,
    "start": FieldNumbers._number_nothing,
    "elem": _number_elem,
    "data": _number_data,
}
#: The keywords of fields.
FIELDS: Final = frozenset(_NUMBER)
