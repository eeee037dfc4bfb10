"""The functions of `wasi_snapshot_preview1` by name, and how they are called: errors become error numbers."""

from __future__ import annotations

from _thread import get_ident
from collections.abc import Callable

from wasm_core.types import FuncType
from wasm_wasi.abi import SIGNATURES, WITHOUT_RESULT
from wasm_wasi.errors import WasiError, errno_of
from wasm_wasi.late import whole
from wasm_wasi.process import Process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

#: A WASI function as it is written here: it takes the process and its arguments, and raises what goes wrong.
Implementation = Callable[..., object]

_TYPES: Final = {"i": "i32", "I": "i64"}

#: Which module has the functions whose names begin so; they look for descriptors. `process_functions` has all others.
_MODULES: Final = {
    "fd": "file_functions",
    "path": "path_functions",
    "poll": "poll",
    "sock": "socket_functions",
}


#: Functions that wait for others than the host itself.
_WAITING: Final = frozenset(("fd_read", "poll_oneoff", "sock_accept", "sock_recv", "sock_send"))


def implementation(name: str) -> Implementation:
    """A function of the standard; its module is imported when it is first needed."""
    module = _MODULES.get(name.partition("_")[0], "process_functions")
    function: Implementation = getattr(whole(module), name)
    return function


def func_type(name: str) -> FuncType:
    """The WebAssembly type of a function."""
    params = tuple(_TYPES[letter] for letter in SIGNATURES[name])
    return FuncType(params, () if name in WITHOUT_RESULT else ("i32",))


def guarded(name: str, process: Process) -> Callable[..., Any]:
    """A function of `process` as a program calls it: it returns an error number.

    One that would wait returns an awaitable of that, where it may (`wasmetal.Caller.suspendable`).

    Raises:
        Exit: From `proc_exit`.
    """
    made = returning_errors(name, process)
    if name not in _WAITING:
        return made

    def call(*args: int) -> Any:
        if process.suspendable():
            later = whole("waiting").later(name, process, made, args)
            if later is not None:
                return later
        return made(*args)

    call.__name__ = name
    return call


def returning_errors(name: str, process: Process, replacement: Implementation | None = None) -> Callable[..., int]:
    """A function of `process`, or a replacement for it, as one that returns an error number."""
    function: Implementation
    table = process.table
    used, closing = table.used, table.closing

    # Programs import many functions that they never call.
    def first(process: Process, *args: int) -> Any:
        nonlocal function
        function = implementation(name)
        return function(process, *args)

    function = replacement or first

    def call(*args: int) -> int:
        try:
            function(process, *args)
        except WasiError as error:
            return error.errno
        except OSError as error:
            return errno_of(error)
        return 0

    def call_with_descriptors(*args: int) -> int:
        thread = get_ident()
        mine = used.get(thread)
        outermost = mine is None
        if mine is None:
            mine = used[thread] = []
        before = len(mine)
        try:
            function(process, *args)
        except WasiError as error:
            return error.errno
        except OSError as error:
            return errno_of(error)
        finally:
            # A call that a signal handler makes leaves the list to the call that it came in.
            if outermost:
                del used[thread]
            else:
                del mine[before:]
            if closing:
                table.close_unused()
        return 0

    made = call_with_descriptors if name.partition("_")[0] in _MODULES else call
    made.__name__ = name
    return made
