"""Runs a command: everything that goes wrong becomes one clear line and an exit code, never a Python traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from wasm_core.errors import Thrown, Trap, WasmError
from wasm_core.quoting import shown
from wasmetal.cli import quick
from wasmetal.cli.failures import FAILED, INTERRUPTED, TIMED_OUT, TRAPPED, Failure
from wasmetal.store.interruption import DeadlineExceeded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Characters of a message that are shown.
_MAX_MESSAGE: Final = 2000
#: Environment variable: not empty to see Python's traceback of what no command expects.
_TRACEBACK: Final = "WASMETAL_TRACEBACK"


def _say(message: str) -> None:
    # A terminal must not be steered by what a file has in its names, nor flooded.
    _tell(f"wasmetal: {shown(message, _MAX_MESSAGE)}")


def _tell(text: str) -> None:
    # A process may have been started without a stderr, or whoever reads it may have gone.
    if sys.stderr is not None:
        print(text, file=sys.stderr)


def _tell_trap(trap: Trap) -> None:
    _tell_with_notes(f"trap: {trap}", trap)


def _tell_with_notes(message: str, error: Exception) -> None:
    _tell("\n".join([f"wasmetal: {shown(message, _MAX_MESSAGE)}", *getattr(error, "__notes__", ())]))
    _tell_page(error)


def _tell_page(error: BaseException | None) -> None:
    """Where people look: which page says what to do about an error."""
    if isinstance(error, WasmError) and sys.stderr is not None and sys.stderr.isatty():
        _tell(f"What to do: {error.explanation}")


def _unexpected(error: Exception) -> int:
    """Say what nothing else has said; the exit code."""
    if os.environ.get(_TRACEBACK):
        raise error
    if isinstance(error, OSError):
        # Of no file that was named: the output, or the system's limits.
        _say(f"{f'{error.filename}: ' if error.filename else ''}{error.strerror or error}")
    elif isinstance(error, MemoryError):
        _say("not enough memory")
    elif isinstance(error, UnicodeEncodeError):
        _say(f"the output has characters that {error.encoding} has not: set PYTHONIOENCODING=utf-8:backslashreplace")
    else:
        _say(f"unexpected {type(error).__name__}: {error} (a bug; {_TRACEBACK}=1 shows the traceback)")
    return FAILED


def _main(args: Sequence[str]) -> object:
    """Run a command. Raises what goes wrong."""
    args = quick.written_out(args)
    given = quick.parse_run(args)
    if given is not None:
        try:
            return quick.run(given)
        except Exception as error:
            # For wrong usage click has the words.
            if not _is_click(error, "UsageError"):
                raise
    from wasmetal.cli.commands import wasmetal

    return wasmetal.main(args=list(args), prog_name="wasmetal", standalone_mode=False)


def _is_click(error: BaseException, name: str) -> bool:
    """Whether an exception is one of click's, which may not have been imported."""
    click = sys.modules.get("click")
    return click is not None and isinstance(error, getattr(click, name))


def run_command(args: Sequence[str]) -> int:
    """Run a command and say what went wrong; the exit code."""
    try:
        code = _main(args)
        # A process may have been started without a stdout.
        if sys.stdout is not None:
            sys.stdout.flush()
    except Failure as failure:
        _say(str(failure))
        for line in failure.more:
            _tell(shown(line, _MAX_MESSAGE))
        _tell_page(failure.__cause__)
        return failure.code
    except DeadlineExceeded as trap:
        _tell_trap(trap)
        return TIMED_OUT
    except Trap as trap:
        _tell_trap(trap)
        return TRAPPED
    except Thrown as thrown:
        _tell_with_notes(str(thrown), thrown)
        return TRAPPED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has had enough; Python would complain again when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return FAILED
    except ModuleNotFoundError as error:
        if error.name != "click":
            return _unexpected(error)
        _tell("wasmetal: the command line needs click: pip install 'wasmetal[cli]'")
        return FAILED
    except Exception as error:
        if _is_click(error, "Abort"):
            return INTERRUPTED
        if not _is_click(error, "ClickException"):
            return _unexpected(error)
        error.show()  # type: ignore[attr-defined]
        return error.exit_code  # type: ignore[attr-defined,no-any-return]
    return code if isinstance(code, int) else 0
