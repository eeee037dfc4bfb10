"""Waiting on a POSIX system: for descriptors, and for calls that nothing interrupts."""

from __future__ import annotations

import _thread
import array
import fcntl
import os
import select
import termios
from collections.abc import Callable, Mapping
from io import FileIO
from itertools import chain, islice

from wasm_wasi.descriptors import Descriptor
from wasm_wasi.opened import Opened
from wasmetal import interruption

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: What can be waited for, and what can have happened beside it.
READABLE: Final = select.POLLIN
WRITABLE: Final = select.POLLOUT
HANGUP: Final = select.POLLHUP
ERROR: Final = select.POLLERR


def poll(wanted: Mapping[Descriptor, int], seconds: float | None) -> list[tuple[Descriptor, int]]:
    """Wait until something is ready, or for a time.

    Args:
        wanted: READABLE, WRITABLE by descriptor: one that is `Descriptor.waitable`.
        seconds: How long at most; None for as long as it takes.

    Returns:
        What is ready, and for what; empty when time was up, or sooner.

    Raises:
        DeadlineExceeded, Trap, BaseException: As `interruption.poll`.
    """
    poller = select.poll()
    found: dict[int | None, Descriptor] = {}
    for descriptor, events in wanted.items():
        host = descriptor.host()
        found[host] = descriptor
        poller.register(host, events)
    return [(found[host], ready) for host, ready in interruption.poll(poller, seconds)]


def is_ready(descriptor: Descriptor, events: int) -> bool:
    """Whether that is so now, for one that is `Descriptor.waitable`."""
    poller = select.poll()
    poller.register(descriptor.host(), events)
    return bool(poller.poll(0))


def available(descriptor: Descriptor) -> int:
    """Bytes that can be read at once from what is no file.

    Raises:
        OSError: The system does not know.
    """
    count = array.array("i", [0])
    fcntl.ioctl(descriptor.host(), termios.FIONREAD, count)
    return count[0]


def apart(function: Callable[[int], None], descriptor: int) -> None:
    """Call a function with a descriptor in a thread of its own, and wait in a way that can be interrupted.

    The system lets nothing interrupt a write to a disk. When the wait is interrupted, the thread goes on until the
    system lets it, with a duplicate of the descriptor.

    Raises:
        OSError: From the function.
        DeadlineExceeded, Trap: As `interruption.poll`.
    """
    errors: list[OSError] = []
    # One call makes files of both ends: nothing can come in between and leave one open. The end that is written to
    # belongs to the thread, as does the duplicate.
    ends = chain.from_iterable(iter(os.pipe, None))
    done, tell = list(islice(map(FileIO, ends, ("rb", "wb")), 2))
    own = Opened()
    own += map(os.dup, (descriptor,))

    def work() -> None:
        try:
            function(own[0])
        except OSError as error:
            errors.append(error)
        finally:
            own.close()
            tell.close()

    try:
        try:
            # (not `threading.Thread`, which what a signal handler raises leaves half started)
            _thread.start_new_thread(work, ())
        except RuntimeError:
            # No more threads are to be had.
            work()
        poller = select.poll()
        poller.register(done, select.POLLIN)
        while not interruption.poll(poller):
            pass
    finally:
        done.close()
    if errors:
        raise errors[0]
