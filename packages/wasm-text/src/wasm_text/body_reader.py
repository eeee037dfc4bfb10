"""What an expression may refer to: the module's index spaces and types, the function's locals, the labels in scope."""

from __future__ import annotations

from typing import Final

from wasm_text.reader import Reader
from wasm_text.spaces import IndexSpace, Spaces
from wasm_text.tokens import NUMBER, Tokens
from wasm_text.types import TypeTable


class BodyReader(Reader):
    """A reader with index spaces."""

    __slots__ = (
        "_label_depths",
        "_label_names",
        "label_count",
        "label_names",
        "locals",
        "needs_data_count",
        "spaces",
        "types",
    )

    def __init__(self, tokens: Tokens, pos: int = 0) -> None:
        super().__init__(tokens, pos)
        self.spaces: Final = Spaces()
        self.types: Final = TypeTable(self.spaces.types)
        #: Locals of the function that is being read.
        self.locals: IndexSpace = IndexSpace("local")
        #: Names of the labels of this function for the name section, by their order in the text.
        self.label_names: dict[int, str] = {}
        self.label_count = 0
        #: Whether an instruction has named a data segment.
        self.needs_data_count = False
        # Of the labels in scope, outermost first; and by name, at which depths there is one.
        self._label_names: list[str | None] = []
        self._label_depths: dict[str, list[int]] = {}

    def start_body(self, local_variables: IndexSpace) -> None:
        """Forget the labels of the function before, whose text may have ended in the middle."""
        self.locals = local_variables
        self.label_names = {}
        self.label_count = 0
        self._label_names.clear()
        self._label_depths.clear()

    def push_label(self, name: str | None) -> None:
        """Begin a block."""
        if name is not None:
            self.label_names[self.label_count] = name
            self._label_depths.setdefault(name, []).append(len(self._label_names))
        self.label_count += 1
        self._label_names.append(name)

    def pop_label(self) -> None:
        """End the innermost block."""
        name = self._label_names.pop()
        if name is not None:
            self._label_depths[name].pop()

    def check_label(self) -> None:
        """Read the label that may be repeated after `else` and `end`."""
        if self.at_index() and self.kinds[self.pos] != NUMBER:
            name = self.identifier_text(self.pos)
            if name != self._label_names[-1]:
                own = self._label_names[-1]
                expected = "no label" if own is None else f"${own}"
                raise self.error(f"mismatching label {self.word(self.pos)}", self.pos, expected)
            self.pos += 1

    def label(self) -> int:
        """Read a label; returns how many blocks out it is."""
        if self.kinds[self.pos] == NUMBER:
            return self.unsigned(32)
        if not self.at_index():
            raise self.unexpected("a label")
        name = self.identifier_text(self.pos)
        depths = self._label_depths.get(name)
        if not depths:
            raise self.unknown("label", name, [known for known, found in self._label_depths.items() if found])
        self.pos += 1
        return len(self._label_names) - 1 - depths[-1]
