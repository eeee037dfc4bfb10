"""Machine code for AArch64: a backend for wasm_ir."""

from wasm_backend_arm64.backend import Arm64Backend

__all__ = ["Arm64Backend"]
