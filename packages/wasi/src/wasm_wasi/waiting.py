"""Waiting in an event loop: what functions that would wait for descriptors and times do below `Func.call_async`.

A function is called when what it would wait for is there, so that it waits no more. Until then its call is suspended.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine

from wasm_wasi.abi import Right
from wasm_wasi.descriptors import Descriptor
from wasm_wasi.functions import returning_errors
from wasm_wasi.host import loops, waits
from wasm_wasi.poll import Poll, report, subscribed
from wasm_wasi.process import Process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    #: What is waited for, as `waits.poll` takes it, and seconds (None: for ever).
    Needed = tuple[dict[Descriptor, int], float | None]

#: Functions that wait for their first argument: with which rights they look it up, and for what.
_WAIT_FOR: Final = {
    "fd_read": (Right.FD_READ, waits.READABLE),
    "sock_recv": (Right.FD_READ, waits.READABLE),
    "sock_accept": (Right.SOCK_ACCEPT, waits.READABLE),
    "sock_send": (Right.FD_WRITE, waits.WRITABLE),
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
            needed = poll.wanted(), poll.remaining()
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
    descriptor = process.table.get(number, right)
    if not descriptor.waitable() or not descriptor.blocks():
        return None
    return None if waits.is_ready(descriptor, events) else ({descriptor: events}, None)


def _waiter() -> Callable[[dict[Descriptor, int], float | None], Coroutine[Any, Any, None]] | None:
    """What waits in the event loop that is running; None where none is that we know."""
    for name, (runs, wait) in _LOOPS.items():
        if name in sys.modules and runs():
            return wait
    return None


def _asyncio_runs() -> bool:
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _trio_runs() -> bool:
    trio: Any = sys.modules["trio"]
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return False
    return True


#: The loops that are known: whether one runs, and what waits in it.
_LOOPS: Final = {"trio": (_trio_runs, loops.in_trio), "asyncio": (_asyncio_runs, loops.in_asyncio)}
