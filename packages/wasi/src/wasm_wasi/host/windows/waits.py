"""Waiting on Windows: for descriptors, and for calls that nothing interrupts.

The system waits for many things, but for pipes not at all, and for consoles only until a key is pressed. So everything
is looked at again and again, soon at first and then 100 times a second; `interruption.sleep` in between ends the wait
when it has to end.
"""

from __future__ import annotations

import _thread
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from wasm_wasi.abi import INVAL
from wasm_wasi.descriptors import Descriptor
from wasm_wasi.errors import WasiError
from wasm_wasi.host.windows import native
from wasm_wasi.host.windows.files import ERROR, HANGUP, READABLE, WRITABLE, Pipe
from wasmetal import interruption

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_wasi.host.windows.consoles import Console
    from wasm_wasi.host.windows.sockets import Socket

    #: What can be waited for.
    Waitable = Pipe | Console | Socket

__all__ = ["ERROR", "HANGUP", "READABLE", "WRITABLE", "apart", "available", "is_ready", "poll", "wait"]

_Result = TypeVar("_Result")

# Seconds between the first two looks, and between any two.
_FIRST: Final = 0.0005
_LONGEST: Final = 0.01
# How often a thread is told to stop what it waits for: it may not have begun.
_CANCELLATIONS: Final = 5


def pauses() -> Iterator[float]:
    """Seconds to wait between one look and the next."""
    pause = _FIRST
    while True:
        yield pause
        pause = min(2 * pause, _LONGEST)


def ready(descriptor: Descriptor, events: int) -> int:
    """For what of `events` a descriptor is ready, and what has happened beside it; 0 for nothing."""
    return descriptor.ready(events)  # type: ignore[attr-defined, no-any-return]


def is_ready(descriptor: Descriptor, events: int) -> bool:
    """Whether it is ready for that now, for one that is `Descriptor.waitable`."""
    return bool(ready(descriptor, events))


def poll(wanted: Mapping[Descriptor, int], seconds: float | None) -> list[tuple[Descriptor, int]]:
    """Wait until something is ready, or for a time.

    Args:
        wanted: READABLE, WRITABLE by descriptor: one that is `Descriptor.waitable`.
        seconds: How long at most; None for as long as it takes.

    Returns:
        What is ready, and for what; empty when time was up.

    Raises:
        DeadlineExceeded, Trap, BaseException: As `interruption.sleep`.
    """
    due = None if seconds is None else time.monotonic() + seconds
    for pause in pauses():
        found = [(descriptor, now) for descriptor, events in wanted.items() if (now := ready(descriptor, events))]
        left = pause if due is None else min(pause, due - time.monotonic())
        if found or left <= 0:
            break
        interruption.sleep(left)
    interruption.check()
    return found


def wait(descriptor: Descriptor, events: int) -> None:
    """Wait until a descriptor is ready. Raises as `poll`."""
    poll({descriptor: events}, None)


def available(descriptor: Descriptor) -> int:
    """Bytes that can be read at once from what is no file.

    Raises:
        OSError: The system does not know.
        WasiError: It is nothing that can be waited for (EINVAL).
    """
    if not descriptor.waitable():
        raise WasiError(INVAL)
    return descriptor.available()  # type: ignore[attr-defined, no-any-return]


def apart(function: Callable[[], _Result]) -> _Result:
    """Call a function in a thread of its own, and wait in a way that can be interrupted.

    When the wait is interrupted, the thread is told to stop what it waits for; the function must use what is its own.

    Raises:
        BaseException: From the function; or as `interruption.sleep`.
    """
    results: list[_Result] = []
    errors: list[BaseException] = []
    threads: list[int] = []

    def work() -> None:
        threads.append(_thread.get_native_id())
        try:
            results.append(function())
        except BaseException as error:
            errors.append(error)

    try:
        _thread.start_new_thread(work, ())
    except RuntimeError:
        # No more threads are to be had.
        return function()
    try:
        for pause in pauses():
            if results or errors:
                break
            interruption.sleep(pause)
    except BaseException:
        for _ in range(_CANCELLATIONS):
            if results or errors:
                break
            for thread in threads:
                native.cancel(thread)
            time.sleep(_FIRST)
        raise
    if errors:
        raise errors[0]
    return results[0]
