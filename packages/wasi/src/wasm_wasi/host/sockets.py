"""Sockets, as the system has them."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    from wasm_wasi.host.windows.sockets import Socket, check_number, duplicate, listening
else:
    from wasm_wasi.host.posix.sockets import Socket, check_number, duplicate, listening

__all__ = ["Socket", "check_number", "duplicate", "listening"]
