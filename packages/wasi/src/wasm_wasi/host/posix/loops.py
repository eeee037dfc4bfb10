"""Waiting in event loops on a POSIX system."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress

from wasm_wasi.descriptors import Descriptor
from wasm_wasi.host.posix.waits import READABLE, WRITABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


async def in_asyncio(wanted: Mapping[Descriptor, int], seconds: float | None) -> None:
    """Wait in the loop of asyncio as `waits.poll` does; what has happened, the caller finds out."""
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
        for descriptor, events in wanted.items():
            own.append(os.dup(descriptor.host()))
            for event, add in ((READABLE, loop.add_reader), (WRITABLE, loop.add_writer)):
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


async def in_trio(wanted: Mapping[Descriptor, int], seconds: float | None) -> None:
    """The same in the loop of trio."""
    trio: Any = sys.modules["trio"]
    own: list[int] = []
    try:
        with trio.move_on_after(float("inf") if seconds is None else seconds):
            async with trio.open_nursery() as nursery:

                async def one(wait: Callable[[int], Coroutine[Any, Any, None]], fd: int) -> None:
                    with suppress(PermissionError):  # what cannot be waited for is always ready
                        await wait(fd)
                    nursery.cancel_scope.cancel()

                for descriptor, events in wanted.items():
                    own.append(os.dup(descriptor.host()))
                    if events & READABLE:
                        nursery.start_soon(one, trio.lowlevel.wait_readable, own[-1])
                    if events & WRITABLE:
                        nursery.start_soon(one, trio.lowlevel.wait_writable, own[-1])
                if not wanted:
                    await trio.sleep_forever()
    finally:
        for fd in own:
            trio.lowlevel.notify_closing(fd)
            os.close(fd)
