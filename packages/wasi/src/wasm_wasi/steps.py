"""Long work in steps, between which it can be interrupted; and system calls that cannot be divided, in a thread."""

from __future__ import annotations

import _thread
import os
import select
import time
from collections.abc import Callable, Iterator
from io import FileIO
from itertools import chain, islice

from wasm_wasi.guest_memory import STEP
from wasm_wasi.opened import Opened
from wasmetal import interruption

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# Seconds that a step of `paced` may take before the next one is smaller, and below which it is larger.
_SLOW: Final = 0.02
_QUICK: Final = 0.005


def paced(size: int) -> Iterator[tuple[int, int]]:
    """Divide `size` bytes: start and size of each step, as large as is quick. Work that is quick is done in few.

    Raises:
        As `interruption.check`, before each step.
    """
    at, step = 0, STEP
    while at < size:
        interruption.check()
        began = time.monotonic()
        part = min(step, size - at)
        yield at, part
        at += part
        took = time.monotonic() - began
        if took < _QUICK:
            step *= 2
        elif took > _SLOW:
            step = max(step // 2, 1 << 16)


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
