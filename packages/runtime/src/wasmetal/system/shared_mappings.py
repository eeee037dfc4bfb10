"""Pieces of larger mappings: any number of them costs the system few mappings. For processes that have very many."""

from __future__ import annotations

import weakref
from collections import deque

from wasmetal.system.address_space import Reservation
from wasmetal.system.hold import FREE_THREADED, serialized
from wasmetal.system.host import host
from wasmetal.system.lifetime import untrack_resource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Pieces of one mapping.
_PIECES: Final = 32


class _Mapping:
    """A mapping that lives as long as any of its pieces."""

    __slots__ = ("__weakref__", "reservation")

    def __init__(self, size: int) -> None:
        self.reservation = Reservation(size)
        self.reservation.commit(0, size)
        # Else the first touch of a piece could cost 2 MiB.
        host.keep_small_pages(self.reservation.address, size)


#: By size of the pieces: free ones, all zero, of mappings that may be gone.
_free: Final[dict[int, deque[tuple[weakref.ref[_Mapping], int]]]] = {}


class Piece:
    """What a `Reservation` is, but all of it may be touched from the start: reads as zero until written.

    Nothing guards its ends.
    """

    __slots__ = ("__weakref__", "_mapping", "_pool", "address", "size")

    def __init__(self, size: int) -> None:
        """Take `size` bytes, rounded up to a power of two.

        Raises:
            OSError, MemoryError: The system has no room for it.
        """
        if FREE_THREADED:
            untrack_resource(self)
        self.size = max(host.PAGE, 1 << (size - 1).bit_length())
        self._pool = _free.setdefault(self.size, deque())
        self._mapping, self.address = _take(self.size, self._pool)

    def commit(self, offset: int, size: int) -> None:
        """See `Reservation.commit`: there is nothing to do.

        Raises:
            IndexError: The range is not within the piece.
        """
        if offset < 0 or size < 0 or offset + size > self.size:
            raise IndexError("commit outside of the piece")

    def withdraw(self, offset: int, size: int) -> None:
        """See `Reservation.withdraw`: it can be touched all the same, as it always could."""

    # Bound at definition, because module globals may be gone when the interpreter shuts down.
    @serialized
    def __del__(  # type: ignore[no-untyped-def]
        self, discard=host.discard, reference=weakref.ref, refused=OSError
    ) -> None:
        mapping = getattr(self, "_mapping", None)  # none when `__init__` was interrupted
        if mapping is None:
            return
        # Memory that is locked stays as it is, and is not used again while the mapping lives.
        try:
            discard(self.address, self.size)
        except refused:
            return
        self._pool.append((reference(mapping), self.address))


@serialized
def _take(size: int, free: deque[tuple[weakref.ref[_Mapping], int]]) -> tuple[_Mapping, int]:
    while free:
        # Finalizers, and other threads, give back and take at any moment.
        try:
            reference, address = free.pop()
        except IndexError:
            break
        mapping = reference()
        if mapping is not None:
            return mapping, address
    mapping = _Mapping(size * _PIECES)
    first = mapping.reservation.address
    reference = weakref.ref(mapping)
    free.extend([(reference, first + size * number) for number in range(_PIECES - 1, 0, -1)])
    return mapping, first
