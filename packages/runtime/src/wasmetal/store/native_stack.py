"""The stack that WebAssembly code runs on: one per store, with a guard page or a gap at its bottom."""

from __future__ import annotations

from wasmetal.system.address_space import Reservation, mappings_are_scarce, page_ceil
from wasmetal.system.host import host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasmetal.system.shared_mappings import Piece

#: Bytes below the limit that generated code leaves alone: room for the frame of a signal handler that runs on this
#: stack (AVX-512 state alone takes 2.5 KiB, Python's own C handler little more) and for the small leaf functions that
#: do not check the limit.
RESERVE: Final = 65536
#: Bytes below the reserve that nobody uses, where a guard page would cost a mapping: what went too far all the same
#: would meet no other stack.
_GAP: Final = 1 << 20


class NativeStack:
    """A stack that grows downwards from `top`; frames that would reach below `limit` must not be made."""

    __slots__ = ("_reservation", "limit", "top")

    def __init__(self, size: int) -> None:
        """`size`: bytes between `limit` and `top`, rounded up to whole pages.

        Raises:
            OSError, MemoryError: the system has no memory for it.
        """
        self._reservation: Reservation | Piece
        if mappings_are_scarce():
            from wasmetal.system.shared_mappings import Piece

            self._reservation = Piece(_GAP + RESERVE + page_ceil(size))
        else:
            guard = host.PAGE
            self._reservation = Reservation(guard + RESERVE + size)
            self._reservation.commit(guard, self._reservation.size - guard)
        #: One past the highest byte; a multiple of 16.
        self.top = self._reservation.address + self._reservation.size
        self.limit = self.top - page_ceil(size)

    def contains(self, address: int) -> bool:
        """Whether `address` is on this stack."""
        return self._reservation.address <= address < self.top
