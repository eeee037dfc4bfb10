"""Where in a text the instructions of the module come from that was assembled from it."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from wasm_core.errors import CompileError
    from wasm_text import SourceMap


class Places:
    """Lines and columns, counted from 1, for many offsets."""

    def __init__(self, source_map: SourceMap) -> None:
        self.source_map: Final = source_map
        #: Where the lines of the text start.
        self.line_starts: Final = [0]
        self.line_starts.extend([at + 1 for at, sign in enumerate(source_map.text) if sign == "\n"])

    def of(self, offset: int) -> tuple[int, int] | None:
        """Line and column of what is at a byte offset in the module."""
        position = self.source_map.position(offset)
        if position is None:
            return None
        line = bisect_right(self.line_starts, position)
        return line, position - self.line_starts[line - 1] + 1

    def explain(self, error: CompileError) -> None:
        """Add a note with the line of the text that an error about the binary is about, if there is one."""
        self.source_map.explain(error)


def place(places: Places | None, offset: int) -> str:
    """ "line:column" for a byte offset in the module, or the offset where there is no text."""
    found = None if places is None else places.of(offset)
    return f"{offset:#x}" if found is None else f"{found[0]}:{found[1]}"
