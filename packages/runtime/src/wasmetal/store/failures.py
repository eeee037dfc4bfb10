"""Reports of what went wrong in code that ran, whatever state the process is in.

A program may have used up memory or descriptors. Then a report has no backtrace, but it is the same exception.
"""

from __future__ import annotations

from contextlib import suppress

from wasm_core.errors import Frame, Trap, TrapCode
from wasmetal.store.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: What looking for the frames may raise then: it imports modules, and takes memory.
_SHORTAGE: Final = (ImportError, OSError, MemoryError, RecursionError)


def trap(store: Store | None, code: TrapCode) -> Trap:
    """The trap with which code of a store has ended; without a backtrace where the store is None: it is garbage."""
    if store is None:
        return Trap(code)
    try:
        from wasmetal.store import backtrace

        access = backtrace.access(store) if code is TrapCode.MEMORY_OUT_OF_BOUNDS else None
        return Trap(code, frames=backtrace.frames(store), access=access)
    except _SHORTAGE:
        return Trap(code)


def frames(store: Store | None) -> tuple[Frame, ...]:
    """The functions that are active in a store; none when they cannot be told."""
    if store is None:
        return ()
    try:
        from wasmetal.store import backtrace

        return backtrace.frames(store)
    except _SHORTAGE:
        return ()


def annotate(exception: BaseException, store: Store) -> None:
    """Note on an exception of a host function which frames it has left, if they can be told."""
    with suppress(Exception):  # `exception` is what matters
        from wasmetal.store import backtrace

        backtrace.annotate(exception, store)
