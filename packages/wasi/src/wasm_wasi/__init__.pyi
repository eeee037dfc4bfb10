"""WASI preview 1 for wasmetal: run WebAssembly programs with arguments, environment, streams and directories.

The modules are imported when something of theirs is first asked for.
"""

# Written by tests/typing/package_stubs.py (nox -s stubs) from the table in __init__.py.

from wasm_wasi.errors import Exit as Exit
from wasm_wasi.memory import MemoryDirectory as MemoryDirectory
from wasm_wasi.preopens import Directory as Directory
from wasm_wasi.preopens import Preopened as Preopened
from wasm_wasi.sockets import SocketSource as SocketSource
from wasm_wasi.stdio import Stream as Stream
from wasm_wasi.wasi import Wasi as Wasi

__all__ = [
    "Directory",
    "Exit",
    "MemoryDirectory",
    "Preopened",
    "SocketSource",
    "Stream",
    "Wasi",
]
