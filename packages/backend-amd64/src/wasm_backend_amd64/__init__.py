"""Machine code for x86-64: a backend for wasm_ir."""

from wasm_backend_amd64.backend import Amd64Backend

__all__ = ["Amd64Backend"]
