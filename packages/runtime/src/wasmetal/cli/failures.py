"""Exit codes, and failures of which a line on stderr tells."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from wasm_core.errors import CompileError, InvalidError, LinkError, MalformedError, Thrown, Trap, WasmError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A file that cannot be read, is malformed, is invalid, or cannot be linked.
FAILED: Final = 1
#: Wrong usage; also click's own.
USAGE: Final = 2
#: `--timeout`, as timeout(1) has it.
TIMED_OUT: Final = 124
#: Ctrl-C: 128 + SIGINT, as shells have it.
INTERRUPTED: Final = 130
#: A trap, or an exception that nothing has caught: 128 + SIGABRT.
TRAPPED: Final = 134


class Failure(Exception):
    """Something that a line on stderr tells."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code


_WHAT: Final[tuple[tuple[type[WasmError], str], ...]] = (
    (MalformedError, "malformed module: "),
    (InvalidError, "invalid module: "),
    (CompileError, "cannot compile: "),
    (LinkError, "cannot link: "),
)


@contextlib.contextmanager
def about(file: str) -> Iterator[None]:
    """Errors in the block are about a file: name it."""
    try:
        yield
    except (Trap, Thrown):
        raise
    except WasmError as error:
        what = next((what for kind, what in _WHAT if isinstance(error, kind)), "")
        raise Failure(f"{file}: {what}{error}") from error
    except MemoryError as error:
        raise Failure(f"{file}: not enough memory{f' ({error})' if str(error) else ''}") from error


def read(file: str) -> bytes:
    """The content of a file.

    Raises:
        Failure: It cannot be read.
    """
    try:
        with open(file, "rb") as source:
            return source.read()
    except OSError as error:
        raise Failure(f"{file}: {error.strerror or error}") from None
