"""The operating system that this process runs on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from wasm_core.errors import WasmError

if sys.platform != "linux":
    raise WasmError(f"wasmetal runs on Linux only so far, not on {sys.platform}")

from wasmetal.system import linux

if TYPE_CHECKING:
    from wasmetal.system.interface import System

host: Final[System] = linux
