"""Waiting in event loops, as the system has it."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    from wasm_wasi.host.windows.loops import in_asyncio, in_trio
else:
    from wasm_wasi.host.posix.loops import in_asyncio, in_trio

__all__ = ["in_asyncio", "in_trio"]
