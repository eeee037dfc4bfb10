"""Reserved address space, of which parts are committed as they are needed: linear memories live here."""

from __future__ import annotations

import weakref

from wasmetal.system.host import host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Mappings that one reservation takes: what is committed of it, and the rest.
_MAPPINGS_EACH: Final = 2
#: Fewer reservations than this are never too many.
_FEW: Final = 1000

#: Addresses of all reservations.
_alive: Final[set[int]] = set()


def page_ceil(size: int) -> int:
    """`size` rounded up to whole pages of the operating system."""
    return (size + host.PAGE - 1) & -host.PAGE


class Reservation:
    """A range of address space that belongs to this object and never moves.

    Nothing in it may be touched before `commit`. It is given back when the object goes, or by `release`.
    """

    __slots__ = ("__weakref__", "_finalizer", "address", "size")

    def __init__(self, size: int) -> None:
        """Reserve `size` bytes, rounded up to whole pages.

        Raises:
            ValueError: the size is not positive.
            OSError: the address space is not to be had.
        """
        if size <= 0:
            raise ValueError("the size of a reservation must be positive")
        self.size = page_ceil(size)
        self.address = host.reserve(self.size)
        _alive.add(self.address)
        self._finalizer = weakref.finalize(self, _unmap, self.address, self.size)
        self._finalizer.atexit = False

    def commit(self, offset: int, size: int) -> None:
        """Make `size` bytes from `offset` readable and writable (both rounded outwards to whole pages of the operating
        system); they read as zero until written. Committing again changes nothing.

        Raises:
            IndexError: the range is not within the reservation.
            MemoryError: the system has no memory for it.
        """
        if offset < 0 or size < 0 or offset + size > self.size:
            raise IndexError("commit outside of the reservation")
        if not size:
            return
        start = offset & -host.PAGE
        try:
            host.commit(self.address + start, page_ceil(offset + size) - start)
        except OSError as error:
            raise MemoryError(f"cannot commit {size} bytes: {error}") from error

    def withdraw(self, offset: int, size: int) -> None:
        """Make `size` bytes from `offset`, whole pages of the operating system, inaccessible as before `commit`; what
        is in them stays.

        Raises:
            MemoryError: the system has no memory for it.
        """
        try:
            host.forbid(self.address + offset, size)
        except OSError as error:
            raise MemoryError(f"cannot protect {size} bytes: {error}") from error

    @property
    def released(self) -> bool:
        return not self._finalizer.alive

    def release(self) -> None:
        """Give the range back now. Nothing may point into it any more. Doing it again does nothing."""
        self._finalizer()


def _unmap(address: int, size: int) -> None:
    _alive.discard(address)
    host.release(address, size)


def mappings_are_scarce() -> bool:
    """Whether reservations have so many of the mappings that the system allows that the others may need the rest."""
    return len(_alive) > _FEW and _MAPPINGS_EACH * len(_alive) > host.most_mappings() // 2
