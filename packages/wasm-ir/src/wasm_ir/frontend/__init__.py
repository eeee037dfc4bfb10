"""From WebAssembly function bodies to IR."""

from __future__ import annotations

from wasm_ir.frontend.translate import translate
from wasm_ir.frontend_options import FrontendOptions

__all__ = ["FrontendOptions", "translate"]
