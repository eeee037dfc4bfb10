"""Exit codes, and failures of which a line on stderr tells."""

from __future__ import annotations

import contextlib
import sys

from wasm_core.errors import CompileError, InvalidError, LinkError, MalformedError, Thrown, Trap, WasmError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import Final

    from wasmetal.cli.places import Places

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

    def __init__(self, message: str, code: int = FAILED, more: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.code = code
        #: Lines that follow: a place in a text.
        self.more = tuple(more)


_WHAT: Final[tuple[tuple[type[WasmError], str], ...]] = (
    (MalformedError, "malformed module: "),
    (InvalidError, "invalid module: "),
    (CompileError, "cannot compile: "),
    (LinkError, "cannot link: "),
)


@contextlib.contextmanager
def about(file: str, places: Places | None = None) -> Iterator[None]:
    """Errors in the block are about a file: name it, and the place in it if it is text."""
    try:
        yield
    except (Trap, Thrown):
        raise
    except WasmError as error:
        if places is not None and isinstance(error, CompileError):
            places.explain(error)
        notes = [line for note in getattr(error, "__notes__", ()) for line in note.splitlines()]
        if hasattr(error, "excerpt"):
            # An error in a text has its place, and lines of its own.
            first, *more = str(error).splitlines()
            raise Failure(first, more=more + notes) from error
        what = next((what for kind, what in _WHAT if isinstance(error, kind)), "")
        if isinstance(error, LinkError) and str(error).startswith("unknown import"):
            notes.append("(--stub gives stand-ins for imports, --preload another module's exports)")
        # (modules that were loaded by name know it)
        message = str(error).removeprefix(f"{file}: ")
        raise Failure(f"{file}: {what}{message}", more=notes) from error
    except MemoryError as error:
        raise Failure(f"{file}: not enough memory{f' ({error})' if str(error) else ''}") from error


def read(file: str) -> bytes:
    """The content of a file, or of the standard input for "-"; text format is assembled.

    Raises:
        Failure: It cannot be read, or it is text that is no module.
    """
    return read_with_places(file)[0]


def read_with_places(file: str) -> tuple[bytes, Places | None]:
    """As `read`; and for text format, which places in it the instructions come from.

    Raises:
        Failure: It cannot be read, or it is text that is no module.
    """
    content = read_content(file)
    if not is_text(file, content):
        return content, None
    from wasmetal.cli.places import Places
    from wasmetal.text import assemble

    with about(file):
        binary, source_map = assemble(content, "<stdin>" if file == "-" else file)
    return binary, None if source_map is None else Places(source_map)


def module_source(file: str) -> bytes | Path:
    """As `read`; but text by its name, so that errors and traps show places in it."""
    if not file.endswith(".wat"):
        return read(file)
    read_content(file)
    from pathlib import Path

    return Path(file)


def read_content(file: str) -> bytes:
    """The content of a file, or of the standard input for "-".

    Raises:
        Failure: It cannot be read.
    """
    try:
        if file == "-":
            if sys.stdin is None:
                raise Failure("-: there is no standard input")
            return sys.stdin.buffer.read()
        with open(file, "rb") as source:
            return source.read()
    except OSError as error:
        raise Failure(f"{file}: {error.strerror or error}") from None


def is_text(file: str, content: bytes) -> bool:
    """Whether a file is in the text format, by its name and its first bytes."""
    if content.startswith(b"\0"):
        return False
    return file.endswith((".wat", ".wast")) or (file == "-" and content.lstrip().startswith((b"(", b";;")))
