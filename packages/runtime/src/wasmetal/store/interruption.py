"""Ending calls from outside: deadlines, and interruption by another thread.

Running code notices at loops and function entries; host functions that wait for something ask `remaining` and `check`,
or wait with `poll`.
"""

from __future__ import annotations

import ctypes
import os
import select
import time
from array import array
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from io import FileIO
from itertools import chain, count, islice
from types import MethodType, TracebackType
from weakref import ref

from wasm_core.errors import Frame, Trap, TrapCode
from wasm_ir.vmcontext import STORE
from wasmetal.glue import ticker
from wasmetal.glue.ticker_layout import DEADLINE
from wasmetal.store import failures, functions
from wasmetal.system.hold import Hold, holding
from wasmetal.system.host import host

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
    from contextvars import ContextVar
    from threading import local
    from typing import Final

    from wasmetal.store.store import Store
else:
    # (`threading` takes it from there as well)
    from _thread import _local as local

    from wasm_core import lazy_typing as typing

_INTERRUPT: Final = STORE["interrupt"] // 8
_DEADLINE: Final = STORE["deadline"] // 8
_DUE: Final = DEADLINE["due"] // 8
_THREAD: Final = DEADLINE["thread"] // 8
#: Seconds after which it is looked whether a wait is to end, where nothing else ends it.
_TURN: Final = 0.04
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


class _Entry:
    """A block with a deadline that its thread is about to enter, or is in."""

    __slots__ = ("block", "by_call", "due", "entered", "link", "token")

    def __init__(self, block: deadline, by_call: bool) -> None:
        """`by_call`: the block's end is a call of `_leave`, else that its hold goes."""
        self.block = block
        self.by_call = by_call
        #: In nanoseconds on the monotonic clock: the earliest of this one and those around it.
        self.due = _LATEST
        self.entered = False
        #: What the context that it was entered in has of it.
        self.token = object()
        #: What the ticker knows the thread's deadlines by: it goes with the last entry.
        self.link: ticker.DeadlineLink | None = None


class _NoTasks(local):
    """Stands for a context variable where nothing can be imported any more: a thread is one task then."""

    def __init__(self) -> None:
        self._tokens: tuple[object, ...] = ()

    def get(self) -> tuple[object, ...]:
        return self._tokens

    def set(self, tokens: tuple[object, ...]) -> None:
        self._tokens = tokens


_variables: Final[dict[str, ContextVar[tuple[object, ...]] | _NoTasks]] = {}


def _tokens() -> ContextVar[tuple[object, ...]] | _NoTasks:
    """Of the blocks that the running task is in: tasks of a thread take turns, and each is in blocks of its own. Tokens
    of blocks that have been left stay until the next one is entered."""
    found = _variables.get("tokens")
    if found is None:
        try:
            from contextvars import ContextVar

            found = ContextVar("wasmetal deadlines", default=())
        except ImportError:
            found = _NoTasks()
        found = _variables.setdefault("tokens", found)
    return found


class _Thread(local):
    """The deadlines of a thread."""

    def __init__(self) -> None:
        self._numbers = count()
        self._entries: dict[int, _Entry] = {}
        self._words: array[int] = array("Q")

    @property
    def dues(self) -> list[int]:
        """When the blocks that the thread's running task is in are due, the innermost one last: each is the earliest so
        far."""
        entries = self._entries
        if not entries:
            return []
        tokens = _tokens().get()
        return [entry.due for entry in list(entries.values()) if entry.entered and entry.token in tokens]

    def _earliest(self) -> int:
        """When the first of all tasks' blocks is due."""
        return min([entry.due for entry in list(self._entries.values()) if entry.entered], default=_LATEST)

    def told(self) -> list[int]:
        """As `dues`, when the ticker has said that the innermost one is due: it may say so of the next one."""
        if self._entries:
            self._words[_DUE] = _due(self._earliest())
        return self.dues

    def expect(self, block: deadline) -> Hold:
        """Add a block that is about to be entered, and that ends when the hold goes."""
        number = next(self._numbers)
        # (The call of a bound method: a partial of a partial would become one.)
        hold = Hold(partial(self._entries.pop, number, None).__call__)
        self._entries[number] = _Entry(block, by_call=False)
        return hold

    def enter(self, block: deadline, due: float) -> None:
        """Enter a block: the one that is expected, or else one that ends with `_leave`."""
        dues = self.dues
        entry = self.find(block, entered=False)
        if entry is None:
            entry = _Entry(block, by_call=True)
            self._entries[next(self._numbers)] = entry
        entry.due = int(min(dues[-1] if dues else _LATEST, due))
        entry.link = next((other.link for other in list(self._entries.values()) if other.link is not None), None)
        if entry.link is None:
            words = array("Q", bytes(DEADLINE.size))
            words[_THREAD] = ticker.thread_state()
            words[_DUE] = _LATEST
            self._words = words
            entry.link = ticker.link_deadline(words)
        self._words[_DUE] = _due(min(entry.due, self._earliest()))
        others = {other.token for other in list(self._entries.values())}
        variable = _tokens()
        variable.set((*[token for token in variable.get() if token in others], entry.token))
        entry.entered = True

    def find(self, block: deadline, entered: bool) -> _Entry | None:
        """The innermost entry of a block, if it is one that `enter` or `_leave` is for."""
        for entry in list(self._entries.values())[::-1]:
            if entry.block is block:
                return entry if entry.entered is entered and (entry.by_call or not entered) else None
        return None

    def remove(self, entry: _Entry) -> None:
        for number, other in list(self._entries.items()):
            if other is entry:
                self._entries.pop(number, None)


_thread: Final = _Thread()


def _due(due: int) -> int:
    """What the ticker compares its time with."""
    return due if due == _LATEST else host.ticker_time(due)


def _leave(
    block: deadline, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
) -> None:
    """The end of a block that was entered by a call of `__enter__`, by an ExitStack for example."""
    entry = _thread.find(block, entered=True)
    if entry is not None:
        _thread.remove(entry)


class _Exit:
    """`deadline.__exit__`.

    A `with` statement gets it before it calls `__enter__`, and keeps what it gets until the block has been left: that
    holds the entry, so that there is no time at which an exception out of a signal handler could leave it behind.
    """

    def __get__(self, block: deadline | None, owner: object = None) -> Callable[..., None]:
        if block is None:
            return _leave
        if _thread.find(block, entered=True) is not None:
            return MethodType(_leave, block)
        return _thread.expect(block).__exit__


class deadline:
    """A limit to the time that calls of WebAssembly functions may take, for a `with` block.

    It holds for what the thread that is in the block calls, also through host functions. When it has passed, running
    code, and a wait of a WASI function, ends with DeadlineExceeded: within 0.1 s, and once more for each further call
    in the block. Blocks nest; the earliest deadline counts. What host functions of your own do is not interrupted: see
    `wasmetal.interruption`.

    Who awaits in the block is in it alone, with the tasks that he begins there; other tasks of the thread are not. The
    time that tasks wait counts. But a wait of a host function is not ended when it is over, only the code that goes on
    afterwards: use `asyncio.timeout` or the like for the former.
    """

    __slots__ = ("_seconds",)

    def __init__(self, seconds: float) -> None:
        """`seconds`: how long the block may take, from when it is entered.

        Raises:
            ValueError: It is negative or not a number.
            TypeError: It is no number at all.
        """
        try:
            is_some = seconds >= 0
        except TypeError:
            raise TypeError(f"a deadline is a number of seconds, not a {type(seconds).__name__}") from None
        if not is_some:
            raise ValueError(f"a deadline is a number of seconds that is not negative, not {seconds}")
        self._seconds = seconds

    def __repr__(self) -> str:
        return f"deadline({self._seconds!r})"

    def __enter__(self) -> typing.Self:
        _thread.enter(self, time.monotonic_ns() + self._seconds * 1e9)
        return self

    if TYPE_CHECKING:

        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
        ) -> None: ...

    else:
        __exit__ = _Exit()


def remaining() -> float | None:
    """Seconds until the calling thread's earliest deadline, 0.0 when it has passed; None without one."""
    dues = _thread.dues
    return max(0, dues[-1] - time.monotonic_ns()) / 1e9 if dues else None


def raise_in(words: array[int] | ctypes.Array[ctypes.c_uint64], store: Store | None) -> None:
    """Raise what is to end the call that the calling thread has running in a store: nothing, perhaps.

    Args:
        words: The StoreContext.
        store: The store, which has the backtrace; None where it is garbage, and a finalizer calls.

    Raises:
        DeadlineExceeded: A deadline of the thread has passed.
        Trap: An instance of the store was interrupted.
    """
    words[_DEADLINE] = 0
    if words[_INTERRUPT]:
        words[_INTERRUPT] = 0
        raise Trap(TrapCode.INTERRUPTED, frames=failures.frames(store))
    dues = _thread.told()
    if dues and dues[-1] <= time.monotonic_ns():
        raise DeadlineExceeded(failures.frames(store))


def check() -> None:
    """For host functions that take long: end the call that they are part of if that is asked for.

    Raises:
        DeadlineExceeded: A deadline of the calling thread has passed.
        Trap: An instance whose function called us was interrupted.
    """
    mine = ticker.thread_state()
    for reference in list(_asked):
        store = reference()
        if store is None or not store.words[_INTERRUPT]:
            # The call has ended.
            _asked.discard(reference)
        elif store.owner == mine:
            store.words[_INTERRUPT] = 0
            raise Trap(TrapCode.INTERRUPTED)
    dues = _thread.dues
    if dues and dues[-1] <= time.monotonic_ns():
        raise DeadlineExceeded


#: Stores whose calls may still have to be told of an interruption.
_asked: Final[set[ref[Store]]] = set()

#: PyThreadState of a thread that waits in `poll` -> pipe that wakes it.
_waiting: Final[dict[int, FileIO]] = {}


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
        BaseException: whatever a handler of a signal raises, KeyboardInterrupt for one.
    """
    if not host.POLLS_ARE_WOKEN:
        return _poll_in_turns(poller, seconds)
    mine = ticker.thread_state()
    if mine in _waiting:
        # A signal handler that waits while what it interrupts waits.
        return _wait(poller, seconds)
    # One call makes files of both descriptors: nothing can come in between and leave one open.
    descriptors = chain.from_iterable(iter(os.pipe, None))
    reader, writer = list(islice(map(FileIO, descriptors, ("rb", "wb")), 2))
    wake = reader.fileno()
    add = partial(_waiting.__setitem__, mine, writer)
    try:
        with holding(add, partial(_waiting.pop, mine, None))():
            poller.register(wake, select.POLLIN)
            return [event for event in _wait(poller, seconds) if event[0] != wake]
    finally:
        with suppress(KeyError):
            poller.unregister(wake)
        reader.close()
        writer.close()


def wait(descriptor: int, events: int) -> None:
    """Wait, as `poll` does, until a descriptor is ready: until reading or writing does not block, for one.

    Args:
        descriptor: What to wait for.
        events: select.POLLIN, select.POLLOUT.

    Raises:
        DeadlineExceeded, Trap, BaseException: as `poll`.
    """
    poller = host.poller()
    poller.register(descriptor, events)
    check()
    if not poller.poll(0):
        while not poll(poller):
            pass


def sleep(seconds: float) -> None:
    """Wait, as `poll` does, for a time, or a little less.

    Raises:
        DeadlineExceeded, Trap, BaseException: as `poll`.
    """
    if seconds < _SHORT:
        # Finer than the milliseconds of `poll`.
        check()
        time.sleep(seconds)
    else:
        poll(host.poller(), seconds)


def _poll_in_turns(poller: select.poll, seconds: float | None) -> list[tuple[int, int]]:
    """Wait where neither signals nor other threads end a wait."""
    end = None if seconds is None else time.monotonic() + seconds
    if end is not None and end != end:
        raise ValueError("cannot wait until nan")
    while True:
        left = _TURN if end is None else min(_TURN, end - time.monotonic())
        events = _wait(poller, max(left, 0))
        if events or (end is not None and time.monotonic() >= end):
            return events


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
    _asked.add(ref(store))
    waker = _waiting.get(store.owner)
    if waker is not None:
        with suppress(ValueError):  # it is closed: nobody waits any more
            waker.write(b"!")


functions.sleep = sleep
