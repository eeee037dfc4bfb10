"""What is wrong with a text, and where."""

from __future__ import annotations

from typing import Final

from wasm_core.errors import MalformedError

#: Lines longer than this are shown in part.
_WIDTH: Final = 160


class TextError(MalformedError):
    """The text is not a WebAssembly module or script (core specification, chapter "Text Format").

    `message` begins with the words of the specification's test suite. `str()` adds place, line and underlining.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | None = None,
        line: int = 1,
        column: int = 1,
        line_text: str = "",
        length: int = 1,
        expected: str = "",
        suggestion: str = "",
    ) -> None:
        super().__init__(message)
        #: Name of the file, or None.
        self.file = file
        #: Line and column, both counted from 1; columns count characters.
        self.line = line
        self.column = column
        #: The line, without its end.
        self.line_text = line_text
        #: How many characters are wrong.
        self.length = length
        #: What could have stood there; "" if that is not known.
        self.expected = expected
        #: The name that was probably meant; "" if there is none.
        self.suggestion = suggestion
        #: All errors of the same text that were found, this one (the first) included.
        self.errors: tuple[TextError, ...] = (self,)

    @property
    def place(self) -> str:
        """ "file:line:column"."""
        return f"{self.file or '<text>'}:{self.line}:{self.column}"

    @property
    def summary(self) -> str:
        """Place and message, with what was expected, in one line."""
        text = f"{self.place}: {self.message}"
        if self.expected:
            text += f", expected {self.expected}"
        if self.suggestion:
            text += f"; did you mean {self.suggestion}?"
        return text

    @property
    def excerpt(self) -> str:
        """The line, and a second one that underlines what is wrong."""
        first = max(0, self.column - 1 - _WIDTH // 2) if self.column > _WIDTH else 0
        shown = self.line_text[first : first + _WIDTH].replace("\t", " ")
        at = self.column - 1 - first
        number = str(self.line)
        return f"  {number} | {shown}\n  {' ' * len(number)} | {' ' * at}{'^' * max(1, min(self.length, _WIDTH - at))}"

    def __str__(self) -> str:
        parts = [f"{error.summary}\n{error.excerpt}" for error in self.errors]
        return "\n".join(parts)

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, (type(self), self.__dict__ | {"errors": self.errors[1:]})


def _restore(cls: type[TextError], state: dict[str, object]) -> TextError:
    error = cls(str(state["message"]))
    error.__dict__.update(state)
    others = state["errors"]
    assert isinstance(others, tuple)
    error.errors = (error, *others)
    return error


def error_at(
    message: str, text: str, start: int, end: int, file: str | None, expected: str = "", suggestion: str = ""
) -> TextError:
    """An error about `text[start:end]`."""
    line, column = line_and_column(text, start)
    first = start - column + 1
    last = end_of_line(text, first)
    length = max(1, min(end, last) - start)
    return TextError(
        message,
        file=file,
        line=line,
        column=column,
        line_text=text[first:last],
        length=length,
        expected=expected,
        suggestion=suggestion,
    )


def line_and_column(text: str, position: int) -> tuple[int, int]:
    """Line and column of a character, counted from 1; "\\n", "\\r" and "\\r\\n" end lines."""
    line = 1 + text.count("\n", 0, position)
    returns = text.count("\r", 0, position)
    if returns:
        line += returns - text.count("\r\n", 0, position + 1)
    return line, position - max(text.rfind("\n", 0, position), text.rfind("\r", 0, position))


def end_of_line(text: str, position: int) -> int:
    """Where the line ends that starts at a position."""
    ends = [found for found in (text.find("\n", position), text.find("\r", position)) if found >= 0]
    return min(ends, default=len(text))
