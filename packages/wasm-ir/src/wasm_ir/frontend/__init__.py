"""From WebAssembly function bodies to IR."""

from __future__ import annotations

from wasm_ir.frontend.state import FrontendOptions
from wasm_ir.frontend.translate import translate

__all__ = ["FrontendOptions", "translate"]
