"""Waiting in event loops on Windows: by looking again and again, as `waits` does."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Coroutine, Mapping

from wasm_wasi.descriptors import Descriptor
from wasm_wasi.host.windows import waits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


async def in_asyncio(wanted: Mapping[Descriptor, int], seconds: float | None) -> None:
    """Wait in the loop of asyncio as `waits.poll` does; what has happened, the caller finds out."""
    import asyncio

    await _until_ready(asyncio.sleep, wanted, seconds)


async def in_trio(wanted: Mapping[Descriptor, int], seconds: float | None) -> None:
    """The same in the loop of trio."""
    trio: Any = sys.modules["trio"]
    await _until_ready(trio.sleep, wanted, seconds)


async def _until_ready(
    sleep: Callable[[float], Coroutine[Any, Any, None]], wanted: Mapping[Descriptor, int], seconds: float | None
) -> None:
    due = None if seconds is None else time.monotonic() + seconds
    for pause in waits.pauses():
        left = pause if due is None else due - time.monotonic()
        if left <= 0 or any(waits.is_ready(descriptor, events) for descriptor, events in wanted.items()):
            return
        # With nothing to look at, in one go.
        await sleep(min(left, pause) if wanted or due is None else left)
