"""WASI preview 1 for wasmetal: run WebAssembly programs with arguments, environment, streams and directories."""

from wasm_wasi.errors import Exit
from wasm_wasi.wasi import Wasi

__all__ = ["Exit", "Wasi"]
