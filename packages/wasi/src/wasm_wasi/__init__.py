"""WASI preview 1 for wasmetal: run WebAssembly programs with arguments, environment, streams and directories.

The modules are imported when something of theirs is first asked for.
"""

from __future__ import annotations

#: Which names come from which module. Type checkers and editors see `__init__.pyi`, made from this (nox -s stubs).
_NAMES = {
    "wasm_wasi.errors": "Exit",
    "wasm_wasi.memory": "MemoryDirectory",
    "wasm_wasi.preopens": "Directory Preopened",
    "wasm_wasi.sockets": "SocketSource",
    "wasm_wasi.stdio": "Stream",
    "wasm_wasi.wasi": "Wasi",
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = list(_MODULES)


def __getattr__(name: str) -> object:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(__import__(module, fromlist=["_"]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
