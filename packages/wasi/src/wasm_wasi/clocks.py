"""The clocks of WASI: time and resolution in nanoseconds."""

from __future__ import annotations

import time
from collections.abc import Callable

from wasm_wasi.abi import INVAL
from wasm_wasi.errors import WasiError
from wasm_wasi.guest_memory import MASK64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, Literal

    #: How to read a clock, and its name for `time.get_clock_info`.
    _Clock = tuple[Callable[[], int], Literal["time", "monotonic", "process_time", "thread_time"]]

REALTIME: Final = 0
MONOTONIC: Final = 1


# By `clockid`.
_CLOCKS: Final[tuple[_Clock, ...]] = (
    (time.time_ns, "time"),
    (time.monotonic_ns, "monotonic"),
    (time.process_time_ns, "process_time"),
    (time.thread_time_ns, "thread_time"),
)


def now(clock: int) -> int:
    """The time of a clock."""
    if 0 <= clock < len(_CLOCKS):
        return _CLOCKS[clock][0]()
    raise WasiError(INVAL)


def own_now(source: Callable[[], int], clock: int) -> int:
    """The time of a clock where the embedder has given one for all of them."""
    if not 0 <= clock < len(_CLOCKS):
        raise WasiError(INVAL)
    time = source()
    if not isinstance(time, int):
        raise TypeError(f"clock must return nanoseconds as an int, not {type(time).__name__}")
    return time & MASK64


def resolution(clock: int) -> int:
    """The resolution of a clock; at least 1."""
    if 0 <= clock < len(_CLOCKS):
        return max(1, round(time.get_clock_info(_CLOCKS[clock][1]).resolution * 1e9))
    raise WasiError(INVAL)
