"""Address space with guard pages is kept for the next memory: to map it, to touch the first pages and to unmap it again
costs as much as all the rest of a small instance, most of it for page tables."""

from __future__ import annotations

from collections import deque
from weakref import WeakSet

from wasmetal.system.address_space import Reservation, mappings_are_scarce, page_ceil
from wasmetal.system.host import host
from wasmetal.system.raw_memory import fill

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasmetal.system.shared_mappings import Piece

#: Reservations without a user that are kept, at most, by size.
_KEEP: Final = 16
#: Bytes at the start that keep their memory and are zeroed by hand; the rest goes back to the system.
_WARM: Final = 1 << 18
#: A memory that had more bytes than this is unmapped. Where the system does not promise zeros for what it is given
#: back, more than what is zeroed by hand.
_LARGEST: Final = 1 << 26 if host.DISCARDED_IS_ZERO else _WARM

#: By size: reservations, and how many of their first bytes are committed. All of these are zero.
_free: Final[dict[int, deque[tuple[Reservation | Piece, int]]]] = {}

#: All that were made to be pooled.
_guarded: Final[WeakSet[Reservation]] = WeakSet()


#: So many of them leave half as much address space as they take: that has been tried.
_sure = 32


def _may_have_another(size: int) -> bool:
    """Whether there are mappings and address space to spare: what has no guard pages needs some too, and stacks do."""
    global _sure
    if mappings_are_scarce():
        return False
    count = len(_guarded)
    if count >= _sure:
        try:
            Reservation(2 * count * size).release()
        except OSError:
            return False
        _sure = 2 * count
    return True


class MemoryLease:
    """The address space of one memory, given back when the lease is deallocated. Hold leases by anchors."""

    __slots__ = ("_committed", "_pool", "_reservation", "address", "size")

    def __init__(self, reservation: Reservation | Piece, committed: int = 0) -> None:
        """Have a reservation to oneself, of which so many bytes are committed."""
        self._reservation = reservation
        self._committed = committed
        self._pool: deque[tuple[Reservation | Piece, int]] | None = None
        self.address = reservation.address
        self.size = reservation.size

    @classmethod
    def pooled(cls, size: int, sparing: bool = False) -> MemoryLease:
        """One that was used before, if there is one, and that will be used again.

        `sparing`: leave mappings and address space to others.

        Raises:
            OSError: The address space is not to be had.
        """
        pool = _free.get(size)
        if pool is None:
            pool = _free.setdefault(size, deque(maxlen=_KEEP))
        try:
            lease = cls(*pool.pop())
        except IndexError:
            if sparing and not _may_have_another(size):
                raise OSError("too many memories with guard pages") from None
            reservation = Reservation(size)
            _guarded.add(reservation)
            lease = cls(reservation)
        lease._pool = pool
        return lease

    def commit_first(self, size: int) -> None:
        """Let just the first `size` bytes, whole pages of WebAssembly's, be readable and writable: they are zero.

        Raises:
            MemoryError: The system has no memory for it.
        """
        excess = self._committed - size
        if excess > 0:
            pool = self._pool
            self._pool = None  # see `commit`
            self._reservation.withdraw(size, excess)
            self._committed = size
            self._pool = pool
        elif excess:
            self.commit(self._committed, -excess)

    def commit(self, offset: int, size: int) -> None:
        """Add `size` bytes behind the first `offset`, which are committed. Raises MemoryError."""
        pool = self._pool
        # Should this be interrupted, nobody knows what is committed: the reservation is not used again.
        self._pool = None
        committed = page_ceil(offset + size)
        if self._committed < committed:
            self._committed = committed
        self._reservation.commit(offset, size)
        self._pool = pool

    def take_back(self, size: int) -> None:
        """As `commit_first`, after growth that failed: code that ran meanwhile may have written behind the end.

        Raises:
            MemoryError: The system has no memory for it.
        """
        excess = self._committed - size
        if excess <= 0:
            self.commit_first(size)
        else:
            pool = self._pool
            self._pool = None  # see `commit`
            self._reservation.withdraw(size, excess)
            try:
                host.discard(self.address + size, excess)
            except OSError:  # locked in memory: not used again
                pool = None
            self._committed = size
            self._pool = pool

    # The names are bound at definition, because module globals may be gone when the interpreter shuts down.
    def __del__(  # type: ignore[no-untyped-def]
        self, clear=fill, discard=host.discard, warm=_WARM, largest=_LARGEST
    ) -> None:
        pool = getattr(self, "_pool", None)  # none either when `__init__` was interrupted
        if pool is None:
            return
        committed = self._committed
        if committed > largest:
            return
        try:
            if committed > warm:
                discard(self.address + warm, committed - warm)
        except OSError:  # locked in memory: unmapped instead
            return
        clear(self.address, 0, committed if committed < warm else warm)
        pool.append((self._reservation, committed))


def clear() -> None:
    """Unmap what is not in use."""
    for pool in list(_free.values()):
        pool.clear()
