"""The functions of `wasi_snapshot_preview1` by name, and how they are called: errors become error numbers."""

from __future__ import annotations

from collections.abc import Callable
from threading import get_ident
from typing import Any, Final

from wasm_core.types import FuncType
from wasm_wasi import file_functions, path_functions, poll, process_functions, socket_functions
from wasm_wasi.abi import SIGNATURES, WITHOUT_RESULT
from wasm_wasi.errors import WasiError, errno_of
from wasm_wasi.process import Process

#: A WASI function as it is written here: it takes the process and its arguments, and raises what goes wrong.
Implementation = Callable[..., Any]

_TYPES: Final = {"i": "i32", "I": "i64"}


def _implementation(name: str) -> Implementation:
    for module in (file_functions, path_functions, process_functions, socket_functions, poll):
        if hasattr(module, name):
            function: Implementation = getattr(module, name)
            return function
    raise LookupError(name)


#: Modules whose functions look for descriptors.
_WITH_DESCRIPTORS: Final = {module.__name__ for module in (file_functions, path_functions, socket_functions, poll)}

#: Every function of the standard.
IMPLEMENTATIONS: Final[dict[str, Implementation]] = {name: _implementation(name) for name in SIGNATURES}


def func_type(name: str) -> FuncType:
    """The WebAssembly type of a function."""
    params = tuple(_TYPES[letter] for letter in SIGNATURES[name])
    return FuncType(params, () if name in WITHOUT_RESULT else ("i32",))


def guarded(name: str, process: Process) -> Callable[..., int]:
    """A function of `process` as a program calls it: it returns an error number.

    Raises:
        Exit: From `proc_exit`.
    """
    function = IMPLEMENTATIONS[name]
    table = process.table
    used, closing = table.used, table.closing

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
            if before:
                del mine[before:]
            else:
                del used[thread]
            if closing:
                table.close_unused()
        return 0

    made = call_with_descriptors if function.__module__ in _WITH_DESCRIPTORS else call
    made.__name__ = name
    return made
