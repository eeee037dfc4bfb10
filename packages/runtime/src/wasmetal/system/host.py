"""The operating system that this process runs on."""

from __future__ import annotations

import sys

from wasm_core.errors import WasmError

if sys.platform != "linux":
    raise WasmError(f"wasmetal runs on Linux only so far, not on {sys.platform}")

from wasmetal.system import linux

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasmetal.system.interface import System

host: Final[System] = linux
