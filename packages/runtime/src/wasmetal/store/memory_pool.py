"""Address space with guard pages is kept for the next memory: to map it, to touch the first pages and to unmap it again
costs as much as all the rest of a small instance, most of it for page tables."""

from __future__ import annotations

from collections import deque
from weakref import WeakSet

from wasmetal.system.address_space import Reservation, fill, mappings_are_scarce, page_ceil
from wasmetal.system.hold import FREE_THREADED, serialized
from wasmetal.system.host import host
from wasmetal.system.lifetime import Census, untrack_resource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasmetal.store.memory_image import MemoryImage
    from wasmetal.system.shared_mappings import Piece

    Pool = deque[tuple[Reservation | Piece, int]]

#: Reservations without a user that are kept, at most, by size.
_KEEP: Final = 16
#: Bytes at the start that keep their memory and are zeroed by hand; the rest goes back to the system.
_WARM: Final = 1 << 18
#: A memory that had more bytes than this is unmapped. Where the system does not promise zeros for what it is given
#: back, more than what is zeroed by hand.
_LARGEST: Final = 1 << 26 if host.DISCARDED_IS_ZERO else _WARM

#: What a memory takes, of the mappings that the system allows, if it begins with an image that does not cover it.
_MAPPINGS_OF_IMAGES: Final = 4

#: By size: reservations, and how many of their first bytes are committed. All of these are zero.
_free: Final[dict[int, Pool]] = {}
#: Images, which have the same: these bytes are as the image says.
_images: Final[WeakSet[MemoryImage]] = WeakSet()

#: Counts those that were made to be pooled.
_guarded: Final = Census()


class _Guarded(Reservation):
    """A reservation that is made to be pooled."""

    __slots__ = ("_ticket",)

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._ticket = _guarded.ticket


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


def has_spare(size: int) -> bool:
    """Whether a reservation of that size, without an image, waits to be used again."""
    return bool(_free.get(size))


def pool_of(image: MemoryImage) -> Pool:
    """For reservations without a user that begin with an image; it goes with the image."""
    _images.add(image)
    return deque(maxlen=_KEEP)


@serialized
class MemoryLease:
    """The address space of one memory, given back when the lease is deallocated: it must be `untracked`, as finalizers
    of the same garbage may use the memory."""

    __slots__ = ("_committed", "_pool", "_reservation", "address", "image", "size")

    def __init__(self, reservation: Reservation | Piece, committed: int = 0) -> None:
        """Have a reservation to oneself, of which so many bytes are committed."""
        if FREE_THREADED:
            untrack_resource(self)
        self._reservation = reservation
        self._committed = committed
        self._pool: Pool | None = None
        #: What it begins with, if that is not all zeros.
        self.image: MemoryImage | None = None
        self.address = reservation.address
        self.size = reservation.size

    @classmethod
    def pooled(cls, size: int, sparing: bool = False, image: MemoryImage | None = None) -> MemoryLease:
        """One that was used before, if there is one, and that will be used again.

        Args:
            size: In bytes.
            sparing: Leave mappings and address space to others.
            image: Prefer one that begins with this.

        Raises:
            OSError: The address space is not to be had.
        """
        if image is not None and image.free:
            try:
                lease = cls(*image.free.pop())
                lease.image = image
                lease._pool = image.free
                return lease
            except IndexError:  # another thread
                pass
        pool = _free.get(size)
        if pool is None:
            pool = _free.setdefault(size, deque(maxlen=_KEEP))
        try:
            lease = cls(*pool.pop())
        except IndexError:
            if sparing and not _may_have_another(size):
                raise OSError("too many memories with guard pages") from None
            lease = cls(_Guarded(size))
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

    def begin_with(self, image: MemoryImage, size: int) -> None:
        """As `commit_first`, but let it begin with an image, if it does not yet, and if that can be."""
        covers = size <= image.covers
        if self.image is not None or (mappings_are_scarce() if covers else mappings_are_scarce(_MAPPINGS_OF_IMAGES)):
            self.commit_first(size)
            return
        if not covers or self._committed > size:
            self.commit_first(size)
        # Whatever comes of it, this is not a pool for it any more.
        self._pool = None
        self._committed = size
        try:
            image.map(self.address)
        except OSError:
            if covers:
                self._reservation.commit(0, size)
            return
        self.image = image
        self._pool = image.free

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
        self, clear=fill, discard=host.discard, warm=_WARM, largest=_LARGEST, keep=_KEEP
    ) -> None:
        pool = getattr(self, "_pool", None)  # none either when `__init__` was interrupted
        # (what would go for want of room need not be zeroed)
        if pool is None or len(pool) >= keep:
            return
        committed = self._committed
        if self.image is not None:
            # (whose pages stay in the file, so it may be of any size)
            try:
                discard(self.address, committed)
            except OSError:  # locked in memory: unmapped instead
                return
            pool.append((self._reservation, committed))
            return
        if committed > largest:
            return
        try:
            if committed > warm:
                discard(self.address + warm, committed - warm)
        except OSError:  # locked in memory: unmapped instead
            return
        clear(self.address, 0, committed if committed < warm else warm)
        pool.append((self._reservation, committed))


@serialized
def clear() -> None:
    """Unmap what is not in use."""
    for pool in list(_free.values()):
        pool.clear()
    for image in list(_images):
        image.free.clear()
