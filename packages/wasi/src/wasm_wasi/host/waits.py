"""Waiting, as the system has it."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    from wasm_wasi.host.windows.waits import ERROR, HANGUP, READABLE, WRITABLE, available, is_ready, poll
else:
    from wasm_wasi.host.posix.waits import ERROR, HANGUP, READABLE, WRITABLE, available, is_ready, poll

__all__ = ["ERROR", "HANGUP", "READABLE", "WRITABLE", "available", "is_ready", "poll"]
