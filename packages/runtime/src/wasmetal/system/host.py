"""The operating system that this process runs on."""

from __future__ import annotations

import sys

from wasm_core.errors import WasmError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasmetal.system.interface import System

#: By `sys.platform`: the module that is its port.
_PORTS: Final = {"linux": "linux", "darwin": "darwin", "win32": "windows"}

if sys.platform not in _PORTS:
    raise WasmError(f"wasmetal runs on Linux, macOS and Windows, not on {sys.platform}")

_port = __import__(f"wasmetal.system.{_PORTS[sys.platform]}", fromlist=["__name__"])

host: Final[System] = _port
