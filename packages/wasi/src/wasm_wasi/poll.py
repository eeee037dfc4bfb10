"""`poll_oneoff`: wait for times and for descriptors."""

from __future__ import annotations

import os
import time

from wasm_wasi import clocks
from wasm_wasi.abi import (
    EVENT,
    EVENT_CLOCK,
    EVENT_FD_READ,
    EVENT_FD_READWRITE_HANGUP,
    EVENT_FD_WRITE,
    INVAL,
    NOTSUP,
    SUBSCRIPTION,
    SUBSCRIPTION_CLOCK,
    SUBSCRIPTION_CLOCK_ABSTIME,
    SUBSCRIPTION_SIZE,
    SUBSCRIPTION_UNION,
    SUCCESS,
    U32,
    FileType,
    Right,
)
from wasm_wasi.descriptors import Descriptor
from wasm_wasi.errors import WasiError
from wasm_wasi.guest_memory import MASK32
from wasm_wasi.host import waits
from wasm_wasi.process import Process
from wasmetal import interruption

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: User data, error number, kind, bytes available, flags: the values of `abi.EVENT`.
Event = tuple[int, int, int, int, int]

# Most subscriptions of one call; the program cannot have more descriptors to wait for.
_MOST: Final = 16384

# Clocks whose time passes while the program waits.
_WAITABLE: Final = (clocks.REALTIME, clocks.MONOTONIC)


# By `eventtype`.
_WANTED: Final = {EVENT_FD_READ: waits.READABLE, EVENT_FD_WRITE: waits.WRITABLE}


class _Waiting:
    """A subscription to a descriptor that the system can wait for."""

    __slots__ = ("descriptor", "kind", "user_data")

    def __init__(self, user_data: int, kind: int, descriptor: Descriptor) -> None:
        self.user_data = user_data
        self.kind = kind
        self.descriptor = descriptor

    def event(self, ready: int) -> Event:
        hangup = EVENT_FD_READWRITE_HANGUP if ready & waits.HANGUP else 0
        return self.user_data, SUCCESS, self.kind, _available(self.descriptor, self.kind), hangup


def _available(descriptor: Descriptor, kind: int) -> int:
    """Bytes that can be read at once, as far as that can be known."""
    if kind != EVENT_FD_READ:
        return 0
    try:
        if descriptor.type == FileType.REGULAR_FILE:
            return max(0, descriptor.stat()[4] - descriptor.seek(0, os.SEEK_CUR))
        return waits.available(descriptor)
    except (OSError, WasiError):
        return 0


def _deadline(process: Process, clock: int, timeout: int, flags: int) -> int:
    """The time on the monotonic clock when a subscription to a clock is due."""
    if clock not in _WAITABLE:
        raise WasiError(NOTSUP if 0 <= clock <= max(_WAITABLE) + 2 else INVAL)
    if flags & SUBSCRIPTION_CLOCK_ABSTIME:
        own = process.clock
        timeout -= clocks.now(clock) if own is None else clocks.own_now(own, clock)
    return time.monotonic_ns() + timeout


class Poll:
    """One call."""

    __slots__ = ("_clocks", "_events", "_waiting")

    def __init__(self) -> None:
        self._events: list[Event] = []
        # (deadline, user data)
        self._clocks: list[tuple[int, int]] = []
        self._waiting: dict[Descriptor, list[_Waiting]] = {}

    def subscribe(self, process: Process, at: int) -> None:
        view = process.guest.view
        user_data, kind = SUBSCRIPTION.unpack_from(view, at)
        at += SUBSCRIPTION_UNION
        try:
            if kind == EVENT_CLOCK:
                clock, timeout, _, flags = SUBSCRIPTION_CLOCK.unpack_from(view, at)
                self._clocks.append((_deadline(process, clock, timeout, flags), user_data))
            elif kind in (EVENT_FD_READ, EVENT_FD_WRITE):
                self._subscribe_descriptor(process, user_data, kind, U32.unpack_from(view, at)[0])
            else:
                raise WasiError(INVAL)
        except WasiError as error:
            self._events.append((user_data, error.errno, kind, 0, 0))

    def _subscribe_descriptor(self, process: Process, user_data: int, kind: int, number: int) -> None:
        access = Right.FD_READ if kind == EVENT_FD_READ else Right.FD_WRITE
        descriptor = process.table.get(number, Right.POLL_FD_READWRITE | access)
        waiting = _Waiting(user_data, kind, descriptor)
        if not descriptor.waitable():
            self._events.append(waiting.event(0))
        else:
            self._waiting.setdefault(descriptor, []).append(waiting)

    def renew(self, process: Process, subscriptions: int, count: int) -> None:
        """Look up all descriptors again: what the program did meanwhile may have closed some. Times stay."""
        due = self._clocks
        self._clocks, self._events, self._waiting = [], [], {}
        self.subscribe_all(process, subscriptions, count)
        self._clocks = due

    def subscribe_all(self, process: Process, subscriptions: int, count: int) -> None:
        start = process.guest.check(subscriptions, SUBSCRIPTION_SIZE * (count & MASK32))
        for at in range(start, start + SUBSCRIPTION_SIZE * (count & MASK32), SUBSCRIPTION_SIZE):
            self.subscribe(process, at)

    def look(self) -> list[Event]:
        """What is due now."""
        if self._waiting:
            self._poll_descriptors(0)
        now = time.monotonic_ns()
        self._events += [(user_data, SUCCESS, EVENT_CLOCK, 0, 0) for due, user_data in self._clocks if due <= now]
        return self._events

    def wanted(self) -> dict[Descriptor, int]:
        """What is waited for, as `waits.poll` takes it."""
        return {
            descriptor: sum({_WANTED[one.kind] for one in waiting}) for descriptor, waiting in self._waiting.items()
        }

    def remaining(self) -> float | None:
        """Seconds until the first of the times; None if there is none."""
        return max(0, min(self._clocks)[0] - time.monotonic_ns()) / 1e9 if self._clocks else None

    def wait(self) -> list[Event]:
        """Wait until something is due; what that is."""
        events = self._events
        while True:
            remaining = 0 if events else self.remaining()
            if not self._waiting and remaining is not None:
                interruption.sleep(remaining)
            else:
                self._poll_descriptors(remaining)
            now = time.monotonic_ns()
            events += [(user_data, SUCCESS, EVENT_CLOCK, 0, 0) for due, user_data in self._clocks if due <= now]
            if events:
                return events

    def _poll_descriptors(self, seconds: float | None) -> None:
        for descriptor, ready in waits.poll(self.wanted(), seconds):
            for one in self._waiting[descriptor]:
                if ready & (_WANTED[one.kind] | waits.HANGUP | waits.ERROR):
                    self._events.append(one.event(ready))


def subscribed(process: Process, subscriptions: int, events: int, count: int, result: int) -> Poll:
    """The call of `poll_oneoff` with these arguments.

    Raises:
        WasiError: They are wrong.
    """
    guest = process.guest
    count &= MASK32
    if count == 0:
        raise WasiError(INVAL)
    guest.check(subscriptions, SUBSCRIPTION_SIZE * count)
    guest.check(events, EVENT.size * count)
    guest.check(result, 4)
    if count > _MOST:
        raise WasiError(INVAL)
    poll = Poll()
    poll.subscribe_all(process, subscriptions, count)
    return poll


def report(process: Process, happened: list[Event], events: int, result: int) -> None:
    """Tell the program what has happened."""
    guest = process.guest
    events = guest.check(events, EVENT.size * len(happened))
    for event in happened:
        EVENT.pack_into(guest.view, events, *event)
        events += EVENT.size
    guest.store_u32(result, len(happened))


def poll_oneoff(process: Process, subscriptions: int, events: int, count: int, result: int) -> None:
    report(process, subscribed(process, subscriptions, events, count, result).wait(), events, result)
