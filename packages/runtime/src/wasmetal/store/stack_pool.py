"""Stacks are kept for the next store: mapping one costs as much as all the rest of a small instance."""

from __future__ import annotations

import ctypes
from collections import deque

from wasmetal.store.native_stack import RESERVE, NativeStack
from wasmetal.system.hold import FREE_THREADED, serialized
from wasmetal.system.host import host
from wasmetal.system.lifetime import untrack_resource

#: Stacks without a user that are kept, at most, by size.
_KEEP = 16
#: Bytes at the top of a stack that keep their memory; the rest goes back to the system, as deep recursion is rare.
_WARM = 65536
#: Bytes below these that tell whether the stack was used that far: hardly any frame is larger.
_SAMPLE = 4096
_UNUSED = bytes(_SAMPLE)
#: Sizes of which stacks are kept, at most.
_SIZES = 8

_free: dict[int, deque[NativeStack]] = {}


def prepare(size: int) -> None:
    """See to it that there was a stack of `size` bytes.

    Raises:
        OSError, MemoryError: The system has no room for one.
    """
    if size not in _free:
        StackLease(size)


@serialized
class StackLease:
    """A stack, given back when the lease is deallocated. Hold leases by anchors."""

    __slots__ = ("_pool", "stack")

    def __init__(self, size: int) -> None:
        """Take a stack of `size` bytes.

        Raises:
            OSError, MemoryError: The system has no room for it.
        """
        if size not in _free and len(_free) >= _SIZES:
            _free.clear()
        pool = _free.get(size)
        if pool is None:
            pool = _free.setdefault(size, deque(maxlen=_KEEP))
        self._pool = pool
        if FREE_THREADED:
            untrack_resource(self)
        try:
            self.stack = pool.pop()
        except IndexError:
            self.stack = NativeStack(size)

    def __del__(  # type: ignore[no-untyped-def]
        self,
        discard=host.discard,
        reserve: int = RESERVE,
        warm: int = _WARM,
        read=ctypes.string_at,
        sample: int = _SAMPLE,
        unused: bytes = _UNUSED,
        keep: int = _KEEP,
    ) -> None:
        # The names are bound at definition, because module globals may be gone when the interpreter shuts down.
        if not hasattr(self, "stack") or len(self._pool) >= keep:
            return
        stack = self.stack
        low = stack.limit - reserve
        # To ask takes a tenth of the time that the system takes.
        if stack.top - low > warm + sample and read(stack.top - warm - sample, sample) != unused:
            discard(low, stack.top - warm - low)
        self._pool.append(stack)
