"""Ending calls from outside: deadlines, and interruption by another thread.

Running code notices at loops and function entries; host functions that wait for something ask `remaining` and `check`,
or wait with `poll`.
"""

from __future__ import annotations

import os
import select
import threading
import time
from array import array
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self
from weakref import WeakSet

from wasm_core.errors import Frame, Trap, TrapCode
from wasm_ir.vmcontext import STORE
from wasmetal.glue import ticker
from wasmetal.glue.ticker_layout import DEADLINE

if TYPE_CHECKING:
    from wasmetal.store.store import Store

_INTERRUPT: Final = STORE["interrupt"] // 8
_DEADLINE: Final = STORE["deadline"] // 8
_DUE: Final = DEADLINE["due"] // 8
_THREAD: Final = DEADLINE["thread"] // 8
# In milliseconds: a C int.
_LONGEST_POLL: Final = 2**31 - 1
# Seconds that nobody minds waiting.
_SHORT: Final = 0.002
# What a signed 64-bit number of nanoseconds can say.
_LATEST: Final = (1 << 63) - 1


class DeadlineExceeded(Trap):
    """Time is up, see `deadline`."""

    def __init__(self, frames: tuple[Frame, ...] = ()) -> None:
        super().__init__(TrapCode.INTERRUPTED, "deadline exceeded", frames)


class _Thread(threading.local):
    """The deadlines of a thread."""

    def __init__(self) -> None:
        #: In nanoseconds on the monotonic clock, each the earliest of itself and those around it.
        self.dues: list[int] = []
        self.words: array[int] = array("Q")
        self.link: ticker.DeadlineLink | None = None

    def update(self) -> None:
        """Tell the ticker the innermost deadline."""
        dues = self.dues
        if not dues:
            self.link = None
        elif self.link is not None:
            self.words[_DUE] = dues[-1]
        else:
            words = array("Q", bytes(DEADLINE.size))
            words[_THREAD] = ticker.thread_state()
            words[_DUE] = dues[-1]
            self.words = words
            self.link = ticker.link_deadline(words)


_thread: Final = _Thread()


class deadline:
    """A limit to the time that calls of WebAssembly functions may take, for a `with` block.

    It holds for what the thread that is in the block calls, also through host functions. When it has passed, running
    code, and a wait of a WASI function, ends with DeadlineExceeded: within 0.1 s, and once more for each further call
    in the block. Blocks nest; the earliest deadline counts. What host functions of your own do is not interrupted: see
    `wasmetal.interruption`. Do not await in the block: other tasks of the thread would be in it too.
    """

    __slots__ = ("_seconds",)

    def __init__(self, seconds: float) -> None:
        """`seconds`: how long the block may take, from when it is entered.

        Raises:
            ValueError: It is negative or not a number.
        """
        if not seconds >= 0:
            raise ValueError(f"a deadline is a number of seconds that is not negative, not {seconds}")
        self._seconds = seconds

    def __enter__(self) -> Self:
        dues = _thread.dues
        limit = dues[-1] if dues else _LATEST
        dues.append(int(min(limit, time.monotonic_ns() + self._seconds * 1e9)))
        _thread.update()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _thread.dues.pop()
        _thread.update()


def remaining() -> float | None:
    """Seconds until the calling thread's earliest deadline, 0.0 when it has passed; None without one."""
    dues = _thread.dues
    return max(0, dues[-1] - time.monotonic_ns()) / 1e9 if dues else None


def raise_in(store: Store) -> None:
    """Raise what is to end the call that the calling thread has running in a store: nothing, perhaps.

    Raises:
        DeadlineExceeded: A deadline of the thread has passed.
        Trap: An instance of the store was interrupted.
    """
    from wasmetal.store import backtrace

    words = store.words
    words[_DEADLINE] = 0
    if words[_INTERRUPT]:
        words[_INTERRUPT] = 0
        raise Trap(TrapCode.INTERRUPTED, frames=backtrace.frames(store))
    dues = _thread.dues
    if dues and dues[-1] <= time.monotonic_ns():
        raise DeadlineExceeded(backtrace.frames(store))


def check() -> None:
    """For host functions that take long: end the call that they are part of if that is asked for.

    Raises:
        DeadlineExceeded: A deadline of the calling thread has passed.
        Trap: An instance whose function called us was interrupted.
    """
    mine = ticker.thread_state()
    for store in list(_asked):
        if not store.words[_INTERRUPT]:
            # The call has ended.
            _asked.discard(store)
        elif store.owner == mine:
            store.words[_INTERRUPT] = 0
            raise Trap(TrapCode.INTERRUPTED)
    dues = _thread.dues
    if dues and dues[-1] <= time.monotonic_ns():
        raise DeadlineExceeded


#: Stores whose calls may still have to be told of an interruption.
_asked: Final[WeakSet[Store]] = WeakSet()

#: PyThreadState of a thread that waits in `poll` -> descriptor that wakes it.
_waiting: Final[dict[int, int]] = {}


def poll(poller: select.poll, seconds: float | None = None) -> list[tuple[int, int]]:
    """Wait for descriptors on behalf of WebAssembly code, as `poller.poll` does.

    Args:
        poller: What to wait for.
        seconds: How long at most; None for as long as it takes.

    Returns:
        Pairs of a descriptor and what has happened; empty when time was up, or sooner.

    Raises:
        DeadlineExceeded: A deadline of the calling thread passed.
        Trap: An instance whose function called us was interrupted.
        Whatever a handler of a signal raises: KeyboardInterrupt, for one.
    """
    mine = ticker.thread_state()
    if mine in _waiting:
        # A signal handler that waits while what it interrupts waits.
        return _wait(poller, seconds)
    wake, waker = os.pipe()
    try:
        _waiting[mine] = waker
        poller.register(wake, select.POLLIN)
        return [event for event in _wait(poller, seconds) if event[0] != wake]
    finally:
        poller.unregister(wake)
        _waiting.pop(mine, None)
        os.close(wake)
        os.close(waker)


def wait(descriptor: int, events: int) -> None:
    """Wait, as `poll` does, until a descriptor is ready: until reading or writing does not block, for one.

    Args:
        descriptor: What to wait for.
        events: select.POLLIN, select.POLLOUT.

    Raises:
        As `poll`.
    """
    poller = select.poll()
    poller.register(descriptor, events)
    check()
    if not poller.poll(0):
        while not poll(poller):
            pass


def sleep(seconds: float) -> None:
    """Wait, as `poll` does, for a time, or a little less.

    Raises:
        As `poll`.
    """
    if seconds < _SHORT:
        # Finer than the milliseconds of `poll`.
        check()
        time.sleep(seconds)
    else:
        poll(select.poll(), seconds)


def _wait(poller: select.poll, seconds: float | None) -> list[tuple[int, int]]:
    check()
    left = remaining()
    until = seconds if left is None else left if seconds is None else min(left, seconds)
    # Rounded up, or the last fraction of a millisecond would be spent turning round and round.
    milliseconds = None if until is None else int(min(-(-until * 1000 // 1), _LONGEST_POLL))
    events = poller.poll(milliseconds)
    check()
    return events


def interrupt(store: Store) -> None:
    """End the call that another thread has running in a store. Does nothing when there is none."""
    store.interrupt()
    _asked.add(store)
    waker = _waiting.get(store.owner)
    if waker is not None:
        os.write(waker, b"!")
