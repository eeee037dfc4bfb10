"""What a linear memory is made of (core specification, section "Memory Instances")."""

from __future__ import annotations

import ctypes
import operator
import weakref
from array import array
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache

from wasm_core.errors import WasmError
from wasm_core.types import MAX_PAGES, MAX_PAGES_64, PAGE_SIZE, MemoryType
from wasm_ir.vmcontext import GUARDED_ADDRESSES_64, GUARDED_OFFSETS, MEMORY
from wasmetal.store import memory_pool
from wasmetal.store.memory_pool import MemoryLease
from wasmetal.store.store import Members
from wasmetal.system.address_space import Reservation, mappings_are_scarce, page_ceil
from wasmetal.system.hold import Turns, exclusive, serialized
from wasmetal.system.lifetime import untrack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wasmetal.store.members import Instance
    from wasmetal.store.memory_image import MemoryImage

#: What a 32-bit index plus a 32-bit constant offset can reach, and something for the width of the access.
_GUARDED_BYTES = (8 << 30) + PAGE_SIZE
#: What a checked 64-bit index plus a constant offset below GUARDED_OFFSETS can reach.
_GUARDED_BYTES_64 = GUARDED_ADDRESSES_64 + GUARDED_OFFSETS + PAGE_SIZE

#: Most bytes of a memory whose pages have one byte.
_MAX_BYTES = (1 << 32) - 1

#: More address space than any process can have. A larger minimum is refused, a larger maximum means this much.
_ADDRESS_SPACE = 1 << 56
#: What is reserved at most for a memory without guard pages that does not need it at once.
_MOST_RESERVED = 1 << 40

#: So many memories with little data are made in new address space before there is an image.
_FEW = 8

#: What a memory can grow to, whatever its type says, when there are so many that they share mappings.
_SHARED_PAGES = 4096

_BASE = MEMORY["base"] // 8
_SIZE = MEMORY["size"] // 8


def _is_plain(given: MemoryType) -> bool:
    """Whether a type is of our class, and its numbers are ints: then they stay what they are."""
    return (
        type(given) is MemoryType
        and type(given.minimum) is type(given.page_size) is int
        and type(given.maximum) in (int, type(None))
        and type(given.is64) is type(given.shared) is bool
    )


@lru_cache(maxsize=64)
def _bytes_type(size: int) -> type[ctypes.Array[ctypes.c_ubyte]]:
    return ctypes.c_ubyte * size


def _reserve(plan: MemoryPlan, image: MemoryImage | None) -> tuple[MemoryLease, bool]:
    """Address space for a memory, preferably one that begins with `image`; and whether guard pages follow that make
    checks needless."""
    if plan.bounds_checks != "explicit":
        try:
            return MemoryLease.pooled(plan.guarded_bytes, plan.bounds_checks == "auto", image), True
        except (OSError, MemoryError) as error:
            if plan.bounds_checks == "guard":
                size = f"{plan.guarded_bytes >> 30} GiB"
                raise MemoryError(f"no address space for a memory with guard pages ({size}): {error}") from error
    minimum = -(-plan.size // PAGE_SIZE)
    maximum = -(-plan.limit * plan.page_size // PAGE_SIZE)
    memory_pool.clear()
    # A memory never moves, so what is reserved now bounds its growth. Where not everything is to be had, half of what
    # there is stays for others.
    pages = max(maximum, 1)
    least = max(minimum, 1)
    if mappings_are_scarce():
        from wasmetal.system.shared_mappings import Piece

        try:
            return MemoryLease(Piece(min(pages, max(2 * least, _SHARED_PAGES)) * PAGE_SIZE)), False
        except (OSError, MemoryError):
            pass
    while True:
        try:
            reservation = Reservation(pages * PAGE_SIZE)
        except (OSError, MemoryError) as error:
            if pages == least:
                raise MemoryError(f"no address space for a memory of {minimum} pages: {error}") from error
            pages = max(pages // 2, least)
            continue
        if pages < maximum and pages > least:
            reservation.release()
            reservation = Reservation(max(pages // 2, least) * PAGE_SIZE)
        return MemoryLease(reservation), False


def _limit_64(minimum: int, limit: int, bounded: bool, bounds_checks: str) -> tuple[int, str]:
    """What a 64-bit memory can grow to, and how its code is to be kept in bounds.

    Args:
        minimum: Bytes that it has at first.
        limit: Most bytes that it may grow to.
        bounded: Whether anybody has said how many these are.
        bounds_checks: What is asked for.

    Raises:
        MemoryError: There is no room for the minimum.
    """
    if minimum > _ADDRESS_SPACE:
        raise MemoryError(f"no address space for a memory of {minimum} bytes")
    if bounds_checks != "explicit" and limit > GUARDED_ADDRESSES_64:
        if minimum > GUARDED_ADDRESSES_64 and bounds_checks == "guard":
            raise MemoryError(f"a memory with guard pages has {GUARDED_ADDRESSES_64} bytes at most, not {minimum}")
        if bounds_checks == "guard" or (not bounded and minimum <= GUARDED_ADDRESSES_64):
            limit = GUARDED_ADDRESSES_64
        else:
            bounds_checks = "explicit"
    return min(limit, max(_MOST_RESERVED, minimum)), bounds_checks


@serialized
class MemoryPlan:
    """What all memories of a type have in common, checked and reckoned once.

    Raises:
        TypeError, ValueError: The type is no such thing, or contradicts itself or the limits.
        WasmError: It is over the limit, or a shared memory.
        MemoryError: There is no room for any.
    """

    __slots__ = ("bounds_checks", "committed", "guarded_bytes", "images", "limit", "page_size", "size", "type")

    def __init__(self, type: MemoryType, max_pages: int | None, bounds_checks: str) -> None:
        if not _is_plain(type):
            # (few programs need that, so the start of none waits for it)
            from wasmetal.store.plain_types import memory_type

            type = memory_type(type)
        page_size = type.page_size
        largest = MAX_PAGES
        if type.shared:
            raise WasmError("shared memories are not supported")
        if page_size != PAGE_SIZE:
            if page_size != 1:
                raise ValueError(f"pages have {PAGE_SIZE} bytes, or one; not {page_size}")
            largest = _MAX_BYTES
            # The processor's pages do not end where such a memory does.
            bounds_checks = "explicit"
        #: Bytes of address space that a memory with guard pages takes.
        self.guarded_bytes = _GUARDED_BYTES
        if type.is64:
            largest = MAX_PAGES_64 if page_size == PAGE_SIZE else (1 << 64) - 1
            self.guarded_bytes = _GUARDED_BYTES_64
        maximum = largest if type.maximum is None else type.maximum
        if not 0 <= type.minimum <= maximum <= largest:
            raise ValueError(f"a memory has from 0 to {largest} pages, minimum not above maximum; not {type}")
        limit = maximum
        if max_pages is not None:
            limit = min(maximum, max(operator.index(max_pages), 0) * PAGE_SIZE // page_size)
        if type.minimum > limit:
            raise WasmError(f"a memory of {type.minimum} pages is over the limit of {limit}")
        if type.is64:
            bounded = type.maximum is not None or max_pages is not None
            most, bounds_checks = _limit_64(type.minimum * page_size, limit * page_size, bounded, bounds_checks)
            limit = most // page_size
        #: The type as declared.
        self.type = type
        #: Bytes of a page.
        self.page_size = page_size
        #: Most pages that one may have.
        self.limit = limit
        #: How its code is to be kept in bounds.
        self.bounds_checks = bounds_checks
        #: Bytes that one has at first, and the same in whole pages of the system.
        self.size = type.minimum * page_size
        self.committed = page_ceil(self.size)
        #: Makes what memories may begin with; None for zeros.
        self.images: Images | None = None

    def begin_with(self, make: Callable[[], MemoryImage | None], *, little: bool = False) -> None:
        """Let memories begin with the image that `make` makes, if it makes one: all but the first. `little`: there is
        so little in it that it had rather be copied where there are pages already, which no other memory uses."""
        self.images = Images(make, self.guarded_bytes if little else 0)


@serialized
class Images:
    """Makes an image when a second memory wants it: most programs have one, and would have its data twice. An image of
    little data is made for the first of many memories that are there at the same time."""

    __slots__ = ("_image", "_is_made", "_make", "_others", "_turns", "_unless")

    def __init__(self, make: Callable[[], MemoryImage | None], unless: int) -> None:
        """`unless`: size of reservations, one of which to use again is better; 0 for none."""
        self._make = make
        self._turns = Turns()
        self._unless = unless
        #: So many go without.
        self._others = _FEW if unless else 1
        self._is_made = False
        self._image: MemoryImage | None = None

    def next(self) -> MemoryImage | None:
        """The image for one more memory; None for the first, and if there cannot be any."""
        if self._unless and memory_pool.has_spare(self._unless):
            return None
        if not self._is_made:
            if self._others:
                self._others -= 1
                return None
            with self._turns.wait():
                if not self._is_made:
                    try:
                        image = self._make()
                    except (OSError, MemoryError):
                        image = None
                    # (a signal handler may have made one meanwhile; no call stands between these)
                    if not self._is_made:
                        self._image = image
                        self._is_made = True
        return self._image


@serialized
class LinearMemory:
    """What a memory consists of: a mapping, and the structure through which code knows it.

    Every instance that uses a memory holds this, so it is there as long as any code that uses it can run, whoever is
    closed. Views hold the mapping only.
    """

    __slots__ = (
        "__weakref__",
        "_lease",
        "_limit",
        "_page_size",
        "_view",
        "_words",
        "definer_closed",
        "guarded",
        "handle",
        "image",
        "importers",
        "type",
    )

    def __init__(self, plan: MemoryPlan) -> None:
        """Make one.

        Raises:
            MemoryError: There is no room.
        """
        image = None if plan.images is None else plan.images.next()
        lease, guarded = _reserve(plan, image)
        if image is not None and guarded:
            lease.begin_with(image, plan.committed)
        else:
            lease.commit_first(plan.committed)
        #: What it began with; None for zeros.
        self.image = lease.image
        self._page_size = page_size = plan.page_size
        limit = lease.size // page_size
        self._limit = limit if limit < plan.limit else plan.limit
        self._lease = lease
        untrack(lease)
        #: The MEMORY structure.
        self._words = array("Q", (lease.address, plan.size))
        #: What Python sees of it: there is one from the first `Memory` on.
        self._view: memoryview | None = None
        #: The type as declared.
        self.type = plan.type
        #: Whether any access with a 32-bit index and offset faults where it is out of bounds; of a 64-bit memory, any
        #: with an index below GUARDED_ADDRESSES_64 and an offset below GUARDED_OFFSETS.
        self.guarded = guarded
        #: The `Memory` that Python sees, while there is one.
        self.handle: weakref.ref[MemoryHandle] | None = None
        #: See `wasmetal.store.sharing`.
        self.importers: Members[Instance] | None = None
        self.definer_closed = False

    def _view_of(self, size: int) -> memoryview:
        """A view of the first `size` bytes."""
        if not size:
            return memoryview(bytearray())
        data = _bytes_type(size).from_address(self._words[_BASE])
        data.lease = self._lease  # type: ignore[attr-defined]  # views keep the mapping alive
        return memoryview(data).cast("B")

    @property
    def _struct(self) -> int:
        """Address of the MEMORY structure."""
        return self._words.buffer_info()[0]

    @property
    def _base(self) -> int:
        """Address of byte 0."""
        return self._words[_BASE]

    @property
    def size(self) -> int:
        """The size in bytes."""
        size: int = self._words[_SIZE]
        return size

    def reaches(self, address: int) -> bool:
        """Whether an access at `address` is one by way of this memory: to it, or what is reserved behind it."""
        lease = self._lease
        return lease.address <= address < lease.address + lease.size

    def _grow(self, pages: int) -> int:
        """As the instruction memory.grow: the previous number of pages, or -1."""
        words = self._words
        page_size = self._page_size
        lease = self._lease
        again = False
        with exclusive():
            while True:
                size: int = words[_SIZE]
                previous = size // page_size
                if previous + pages > self._limit:
                    if again:
                        self._settle(lease)
                    return -1
                if not pages:
                    return previous
                again = True
                grown = size + pages * page_size
                try:
                    start = page_ceil(size)
                    lease.commit(start, page_ceil(grown) - start)
                    view = None if self._view is None else self._view_of(grown)
                    # A signal handler may have let it grow meanwhile, or made a view; no call stands between these.
                    if words[_SIZE] == size and (view is None) is (self._view is None):
                        words[_SIZE] = grown
                        self._view = view
                        return previous
                except BaseException as error:  # out of a signal handler or a trace function, perhaps
                    self._settle(lease)
                    if isinstance(error, MemoryError):
                        return -1
                    raise

    def _settle(self, lease: MemoryLease) -> None:
        """After growth that came to nothing: let there be what the size says, whatever handlers do meanwhile."""
        words = self._words
        size = -1
        while size != words[_SIZE] or (self._view is not None and size != len(self._view)):
            size = words[_SIZE]
            with suppress(MemoryError):
                lease.take_back(page_ceil(size))
            if self._view is not None and size != len(self._view):
                self._view = self._view_of(size)

    def show(self) -> None:
        """Make the view, if there is none."""
        with exclusive():
            while self._view is None:
                size = self._words[_SIZE]
                view = self._view_of(size)
                # A signal handler may have let it grow meanwhile; no call stands between these.
                if self._words[_SIZE] == size:
                    self._view = view

    def is_plainly(self, wanted: MemoryType) -> bool:
        """Whether it can be imported as `wanted`, as far as that is to be seen without making a type."""
        type = self.type
        return (
            type.maximum == wanted.maximum
            and type.is64 is wanted.is64
            and type.page_size == wanted.page_size
            and not wanted.shared
            and self._words[_SIZE] >= wanted.minimum * self._page_size
        )

    @property
    def _matching_type(self) -> MemoryType:
        """The type that an import is matched with: the minimum is the present size."""
        type = self.type
        pages = self._words[_SIZE] // self._page_size
        return MemoryType(pages, type.maximum, is64=type.is64, shared=type.shared, page_size=self._page_size)

    def as_memory(self) -> MemoryHandle:
        """The object that Python sees: the same one as long as it is alive."""
        found = self.handle() if self.handle is not None else None
        if found is None:
            if self._view is None:
                self.show()
            found = memory_class.__new__(memory_class)
            found._storage = self
            self.handle = weakref.ref(found)
        return found

    def close_handle(self) -> None:
        """Close the object that Python sees, if there is one."""
        handle = None if self.handle is None else self.handle()
        if handle is not None:
            handle._close()


class MemoryHandle:
    """What a `wasmetal.Memory` is to this room."""

    __slots__ = ("__weakref__", "_storage")

    _storage: LinearMemory | None

    def _opened(self) -> LinearMemory:
        storage = self._storage
        if storage is None:
            raise WasmError("the memory's instance is closed")
        return storage

    def _close(self) -> None:
        storage = self._storage
        if storage is not None:
            storage.handle = None
        self._storage = None


#: The class of memories: who defines it puts it here.
memory_class: type[MemoryHandle] = MemoryHandle
