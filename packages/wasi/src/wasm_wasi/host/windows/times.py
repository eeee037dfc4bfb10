"""Setting the times of a file on Windows."""

from __future__ import annotations

import time

from wasm_wasi import time_flags
from wasm_wasi.host.windows import native


def set_times(handle: native.Handle, access: int, modification: int, flags: int) -> None:
    """Set the times of an open file: nanoseconds, and the `fstflags` that say which.

    Args:
        handle: Opened with WRITE_ATTRIBUTES.
        access, modification: The times, of which 100 nanoseconds are kept.
        flags: Which, and to what.

    Raises:
        WasiError: The flags contradict each other, or one is unknown (EINVAL).
        OSError: They cannot be set.
    """
    now = time.time_ns()
    new: list[int | None] = []
    for wanted in time_flags.wanted(access, modification, flags):
        new.append(now if wanted == time_flags.NOW else None if wanted == time_flags.KEEP else wanted)
    native.set_times(handle.value or 0, *new)
