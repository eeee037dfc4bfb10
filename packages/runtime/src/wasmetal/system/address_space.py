"""Reserved address space, of which parts are committed as they are needed: linear memories live here. And what writes
there by address."""

from __future__ import annotations

import atexit
import ctypes
import itertools
import sys
from collections.abc import Callable

from wasmetal.system.host import host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Mappings that one reservation takes: what is committed of it, and the rest.
_MAPPINGS_EACH: Final = 2
#: Fewer reservations than this are never too many.
_FEW: Final = 1000

#: Number of a reservation -> its address and size, and what only the reservation has besides, until it is given back.
_alive: Final[dict[int, tuple[int, int, object]]] = {}
_numbers: Final = itertools.count(1)
#: So many there may be until it is looked for those that are gone (`_sweep`).
_sweep_at = 64
_gone = (0, 0, object())
#: What `sys.getrefcount` says of what a reservation had that is gone.
_UNUSED: Final = sys.getrefcount(_gone[2])
#: Not empty when the interpreter shuts down. What is there then stays: threads may run until the process ends.
_shutdown: Final[list[bool]] = []
atexit.register(_shutdown.append, True)


#: (target, source, size): copy bytes. The GIL is held: to give it up for some KiB can cost a turn of another thread.
copy: Final[Callable[[int, int, int], object]] = ctypes.PYFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t
)(host.address_of("memmove"))
#: (target, byte, size): set bytes, in the same way.
fill: Final[Callable[[int, int, int], object]] = ctypes.PYFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t
)(host.address_of("memset"))


def page_ceil(size: int) -> int:
    """`size` rounded up to whole pages of the operating system."""
    return (size + host.PAGE - 1) & -host.PAGE


class Reservation:
    """A range of address space that belongs to this object and never moves.

    Nothing in it may be touched before `commit`. It is given back when the object goes, or by `release`.
    """

    __slots__ = ("__weakref__", "_life", "_number", "address", "size")

    def __init__(self, size: int) -> None:
        """Reserve `size` bytes, rounded up to whole pages.

        Raises:
            ValueError: the size is not positive.
            OSError: the address space is not to be had.
        """
        self._number = number = next(_numbers)
        if size <= 0:
            raise ValueError("the size of a reservation must be positive")
        if len(_alive) >= _sweep_at:
            _sweep()
        self._life = life = object()
        self.size = size = page_ceil(size)
        self.address = address = host.reserve(size)
        _alive[number] = (address, size, life)

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
        return self._number not in _alive

    def release(self) -> None:
        """Give the range back now. Nothing may point into it any more. Doing it again does nothing."""
        # (there is no number when `__init__` was interrupted)
        found = _alive.pop(getattr(self, "_number", 0), None)
        if found is not None:
            host.release(found[0], found[1])

    # Bound at definition, because module globals may be gone when the interpreter shuts down.
    def __del__(self, _shutdown: list[bool] = _shutdown) -> None:
        if not _shutdown:
            self.release()


def _sweep() -> None:
    """Give back the ranges of reservations whose finalizers an exception out of a signal handler has ended."""
    global _sweep_at
    for number, entry in list(_alive.items()):
        # (another thread may do the same)
        if sys.getrefcount(entry[2]) == _UNUSED and _alive.pop(number, None) is not None:
            host.release(entry[0], entry[1])
    _sweep_at = max(64, 2 * len(_alive))


def mappings_are_scarce(each: int = _MAPPINGS_EACH) -> bool:
    """Whether reservations have so many of the mappings that the system allows that the others may need the rest.

    `each`: how many one reservation takes.
    """
    return len(_alive) > _FEW and each * len(_alive) > host.most_mappings() // 2
