"""Exit codes, and how everything that goes wrong becomes one clear line and one of them."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click

from wasm_core.errors import CompileError, InvalidError, LinkError, MalformedError, Trap, WasmError
from wasmetal.interruption import DeadlineExceeded

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
#: A trap: 128 + SIGABRT.
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


def _say(message: str) -> None:
    # A terminal must not be steered by what a file has in its names.
    printable = "".join(c if c.isprintable() else repr(c)[1:-1] for c in message)
    click.echo(f"wasmetal: {printable}", err=True)


@contextlib.contextmanager
def about(file: str) -> Iterator[None]:
    """Errors in the block are about a file: name it."""
    try:
        yield
    except Trap:
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


def _backtrace(trap: Trap) -> Iterator[str]:
    yield f"wasmetal: trap: {trap}"
    for number, frame in enumerate(trap.frames):
        name = "".join(c for c in frame.function_name or "" if c.isprintable())
        place = "" if frame.module_offset is None else f" at {frame.module_offset:#x}"
        yield f"  {number}: function {frame.function_index}{f' {name}' if name else ''}{place}"


def run_command(args: Sequence[str] | None) -> int:
    """Run a command and say what went wrong; the exit code."""
    from wasmetal.cli.commands import wasmetal

    try:
        code = wasmetal.main(args=args, prog_name="wasmetal", standalone_mode=False)
        # A process may have been started without a stdout.
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except Failure as failure:
        _say(str(failure))
        return failure.code
    except DeadlineExceeded as trap:
        click.echo("\n".join(_backtrace(trap)), err=True)
        return TIMED_OUT
    except Trap as trap:
        click.echo("\n".join(_backtrace(trap)), err=True)
        return TRAPPED
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has had enough; Python would complain again when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return FAILED
    return code if isinstance(code, int) else 0
