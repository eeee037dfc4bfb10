"""Waiting in an event loop: what functions that would wait for descriptors and times do below `Func.call_async`.

A function is called when what it would wait for is there, so that it waits no more. Until then its call is suspended.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress

from wasm_wasi.abi import Right
from wasm_wasi.functions import returning_errors
from wasm_wasi.poll import Poll, report, subscribed
from wasm_wasi.process import Process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    #: What is waited for: events of `select.poll` by descriptor of the system, and seconds (None: for ever).
    Needed = tuple[dict[int, int], float | None]

#: Functions that wait for their first argument: with which rights they look it up, and for what.
_WAIT_FOR: Final = {
    "fd_read": (Right.FD_READ, select.POLLIN),
    "sock_recv": (Right.FD_READ, select.POLLIN),
    "sock_accept": (Right.SOCK_ACCEPT, select.POLLIN),
    "sock_send": (Right.FD_WRITE, select.POLLOUT),
}


def later(
    name: str, process: Process, call: Callable[..., int], args: tuple[int, ...]
) -> Coroutine[Any, Any, int] | int | None:
    """What calls a function when it need not wait; its result, if it was not necessary to call it; None if it can be
    called now, or has to wait itself.

    Args:
        name: The function.
        process: Whose it is.
        call: Calls it, and returns an error number.
        args: Its arguments.
    """
    wait = _waiter()
    if wait is None:
        return None
    needed: Needed | None = None
    poll: Poll | None = None

    def look(process: Process, *args: int) -> None:
        """Find out what is to be waited for: nothing if that is not clear, as the function says then why not."""
        nonlocal needed, poll
        needed = None
        if name != "poll_oneoff":
            needed = _needed(process, name, args[0])
            return
        if poll is None:
            poll = subscribed(process, *args)
        else:
            poll.renew(process, args[0], args[2])
        events = poll.look()
        if not events:
            needed = poll.hosts(), poll.remaining()
        else:
            # (relative times would begin anew)
            report(process, events, args[1], args[3])

    guarded_look = returning_errors(name, process, look)
    error = guarded_look(*args)
    if needed is None:
        return error if name == "poll_oneoff" else None

    async def until_ready() -> int:
        nonlocal error
        while needed is not None:
            await wait(*needed)
            error = guarded_look(*args)
        return error if name == "poll_oneoff" else call(*args)

    return until_ready()


def _needed(process: Process, name: str, number: int) -> Needed | None:
    """What a call of a function has to wait for; None for nothing.

    Raises:
        WasiError: The descriptor is not one to do that with.
    """
    right, events = _WAIT_FOR[name]
    host = process.table.get(number, right).poll_descriptor()
    if host is None or not os.get_blocking(host):
        return None
    poller = select.poll()
    poller.register(host, events)
    return None if poller.poll(0) else ({host: events}, None)


def _waiter() -> Callable[[dict[int, int], float | None], Coroutine[Any, Any, None]] | None:
    """What waits in the event loop that is running; None where none is that we know."""
    for name, loop in _LOOPS.items():
        if name in sys.modules and loop.runs():
            return loop.wait
    return None


class _Asyncio:
    """The loop of asyncio."""

    @staticmethod
    def runs() -> bool:
        import asyncio

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return False
        return True

    @staticmethod
    async def wait(hosts: dict[int, int], seconds: float | None) -> None:
        import asyncio

        loop = asyncio.get_running_loop()
        done = loop.create_future()

        def wake() -> None:
            if not done.done():
                done.set_result(None)

        timer = None if seconds is None else loop.call_later(seconds, wake)
        # A loop knows one callback for a descriptor: others may wait for the same.
        own: list[int] = []
        try:
            for host, events in hosts.items():
                own.append(os.dup(host))
                for event, add in ((select.POLLIN, loop.add_reader), (select.POLLOUT, loop.add_writer)):
                    if events & event:
                        try:
                            add(own[-1], wake)
                        except PermissionError:
                            wake()  # what cannot be waited for is always ready
            await done
        finally:
            for fd in own:
                loop.remove_reader(fd)
                loop.remove_writer(fd)
                os.close(fd)
            if timer is not None:
                timer.cancel()


class _Trio:
    """The loop of trio."""

    @staticmethod
    def runs() -> bool:
        trio: Any = sys.modules["trio"]
        try:
            trio.lowlevel.current_task()
        except RuntimeError:
            return False
        return True

    @staticmethod
    async def wait(hosts: dict[int, int], seconds: float | None) -> None:
        trio: Any = sys.modules["trio"]
        own: list[int] = []
        try:
            with trio.move_on_after(float("inf") if seconds is None else seconds):
                async with trio.open_nursery() as nursery:

                    async def one(wait: Callable[[int], Coroutine[Any, Any, None]], fd: int) -> None:
                        with suppress(PermissionError):  # what cannot be waited for is always ready
                            await wait(fd)
                        nursery.cancel_scope.cancel()

                    for host, events in hosts.items():
                        own.append(os.dup(host))
                        if events & select.POLLIN:
                            nursery.start_soon(one, trio.lowlevel.wait_readable, own[-1])
                        if events & select.POLLOUT:
                            nursery.start_soon(one, trio.lowlevel.wait_writable, own[-1])
                    if not hosts:
                        await trio.sleep_forever()
        finally:
            for fd in own:
                trio.lowlevel.notify_closing(fd)
                os.close(fd)


_LOOPS: Final[dict[str, type[_Asyncio] | type[_Trio]]] = {"trio": _Trio, "asyncio": _Asyncio}
