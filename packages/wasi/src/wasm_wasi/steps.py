"""Long work in steps, between which it can be interrupted."""

from __future__ import annotations

import time
from collections.abc import Iterator

from wasm_wasi.guest_memory import STEP
from wasmetal import interruption

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# Seconds that a step of `paced` may take before the next one is smaller, and below which it is larger.
_SLOW: Final = 0.02
_QUICK: Final = 0.005


def paced(size: int) -> Iterator[tuple[int, int]]:
    """Divide `size` bytes: start and size of each step, as large as is quick. Work that is quick is done in few.

    Raises:
        As `interruption.check`, before each step.
    """
    at, step = 0, STEP
    while at < size:
        interruption.check()
        began = time.monotonic()
        part = min(step, size - at)
        yield at, part
        at += part
        took = time.monotonic() - began
        if took < _QUICK:
            step *= 2
        elif took > _SLOW:
            step = max(step // 2, 1 << 16)
