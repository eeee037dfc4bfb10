"""Exceptions of WebAssembly as users hold them."""

from __future__ import annotations

from wasmetal.store.exceptions import ExnRef
from wasmetal.store.tags import Tag, WasmException, python_exception

__all__ = ["ExnRef", "Tag", "WasmException", "python_exception"]
