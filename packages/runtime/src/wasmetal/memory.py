"""Linear memories (core specification, section "Runtime Structure", "Memory Instances")."""

from __future__ import annotations

import ctypes
import operator
from array import array
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, NoReturn, SupportsIndex, overload

from wasm_core.errors import WasmError
from wasm_core.types import MAX_PAGES, PAGE_SIZE, MemoryType
from wasm_ir.vmcontext import MEMORY
from wasmetal.store import memory_pool
from wasmetal.store.lifetime import Anchor, anchor
from wasmetal.store.memory_pool import MemoryLease
from wasmetal.system.address_space import Reservation
from wasmetal.system.hold import exclusive

if TYPE_CHECKING:
    from typing_extensions import Buffer

#: What a 32-bit index plus a 32-bit constant offset can reach, and something for the width of the access.
_GUARDED_BYTES = (8 << 30) + PAGE_SIZE

_BASE = MEMORY["base"] // 8
_SIZE = MEMORY["size"] // 8


@lru_cache(maxsize=64)
def _bytes_type(size: int) -> type[ctypes.Array[ctypes.c_ubyte]]:
    return ctypes.c_ubyte * size


def _reserve(maximum: int, minimum: int, bounds_checks: str) -> tuple[MemoryLease, bool]:
    """Address space for `minimum` to `maximum` pages, and whether guard pages follow that make checks needless."""
    if bounds_checks != "explicit":
        try:
            return MemoryLease.pooled(_GUARDED_BYTES), True
        except (OSError, MemoryError) as error:
            if bounds_checks == "guard":
                raise MemoryError(f"no address space for a memory with guard pages (8 GiB): {error}") from error
    memory_pool.clear()
    # A memory never moves, so what is reserved now bounds its growth. Where not everything is to be had, half of what
    # there is stays for others.
    pages = max(maximum, 1)
    least = max(minimum, 1)
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


class Memory:
    """A linear memory: a resizable array of bytes that WebAssembly code and Python share.

    It never moves. `memory[i]` and `memory[a:b]` read an int and bytes, assignment takes an int and anything
    bytes-like; negative indices count from the end. On Python 3.12 and later it also has the buffer protocol.
    """

    __slots__ = ("__weakref__", "_anchor", "_limit", "_view", "_words", "guarded", "type")

    def __init__(self, type: MemoryType, *, max_pages: int | None = None, bounds_checks: str = "auto") -> None:
        """Make a memory of `type.minimum` pages, all zeros.

        Args:
            type: Sizes, in pages of 64 KiB.
            max_pages: Most pages that it may grow to even where its type allows more.
            bounds_checks: As in `Config`. Code that has no checks cannot use a memory without guard pages.

        Raises:
            ValueError: The type's sizes contradict each other or the limits.
            WasmError: A 64-bit or shared memory, which are not supported.
            MemoryError: The system has no room for it.
        """
        if type.is64 or type.shared:
            raise WasmError("64-bit and shared memories are not supported")
        maximum = MAX_PAGES if type.maximum is None else type.maximum
        if not 0 <= type.minimum <= maximum <= MAX_PAGES:
            raise ValueError(f"a memory has from 0 to {MAX_PAGES} pages, minimum not above maximum; not {type}")
        limit = maximum if max_pages is None else min(maximum, max_pages)
        if type.minimum > limit:
            raise WasmError(f"a memory of {type.minimum} pages is over the limit of {limit}")
        lease, guarded = _reserve(limit, type.minimum, bounds_checks)
        lease.commit_first(type.minimum * PAGE_SIZE)
        self._limit = min(limit, lease.size // PAGE_SIZE)
        self._anchor: Anchor | None = anchor(lease)
        #: The MEMORY structure.
        self._words = array("Q", (lease.address, type.minimum * PAGE_SIZE))
        self._view: memoryview | None = self._view_of(self._words[_SIZE])
        #: The type as declared.
        self.type = type
        #: Whether any access with a 32-bit index and offset faults where it is out of bounds.
        self.guarded = guarded

    def _view_of(self, size: int) -> memoryview:
        """A view of the first `size` bytes."""
        if not size:
            return memoryview(bytearray())
        data = _bytes_type(size).from_address(self._words[_BASE])
        data.anchor = self._anchor  # type: ignore[attr-defined]  # views keep the mapping alive
        return memoryview(data).cast("B")

    @property
    def _struct(self) -> int:
        """Address of the MEMORY structure."""
        return self._words.buffer_info()[0]

    @property
    def _base(self) -> int:
        """Address of byte 0."""
        return self._words[_BASE]

    def _open(self) -> memoryview:
        view = self._view
        if view is None:
            raise WasmError("the memory's instance is closed")
        return view

    def _close(self) -> None:
        """Let go of the mapping, which lives as long as there are views. No code may use the memory any more."""
        self._view = None
        self._anchor = None
        self._words[_SIZE] = 0

    def _grow(self, pages: int) -> int:
        """As the instruction memory.grow: the previous number of pages, or -1."""
        words = self._words
        with exclusive():
            while True:
                size: int = words[_SIZE]
                previous = size // PAGE_SIZE
                if previous + pages > self._limit or self._anchor is None:
                    return -1
                if not pages:
                    return previous
                lease = self._anchor.target
                assert isinstance(lease, MemoryLease)
                grown = size + pages * PAGE_SIZE
                try:
                    lease.commit(size, pages * PAGE_SIZE)
                    view = self._view_of(grown)
                    # A signal handler may have let it grow meanwhile; no call stands between these.
                    if words[_SIZE] == size:
                        words[_SIZE] = grown
                        self._view = view
                        return previous
                except MemoryError:
                    return -1
                except BaseException:  # out of a signal handler or a trace function
                    with suppress(MemoryError):
                        lease.commit_first(words[_SIZE])
                    self._view = self._view_of(words[_SIZE])
                    raise

    @property
    def pages(self) -> int:
        """The size in pages of 64 KiB."""
        return len(self._open()) // PAGE_SIZE

    def __len__(self) -> int:
        """The size in bytes."""
        return len(self._open())

    def grow(self, pages: int) -> int:
        """Add zeroed pages.

        Args:
            pages: How many, in pages of 64 KiB; 0 is allowed.

        Returns:
            The number of pages before.

        Raises:
            WasmError: Refused: over the maximum, or there is no memory.
            ValueError: `pages` is negative.
        """
        if pages < 0:
            raise ValueError("a memory cannot shrink")
        before = self.pages
        previous = self._grow(pages)
        if previous < 0:
            raise WasmError(f"a memory of {before} pages cannot grow by {pages}: its limit is {self._limit}")
        return previous

    def _bounds(self, key: slice) -> slice:
        """The slice itself, if both of its ends are in the memory."""
        size = len(self)
        for end in (key.start, key.stop):
            if end is not None and not -size <= operator.index(end) <= size:
                raise IndexError(f"memory index {end} is out of range: the memory has {size} bytes")
        return key

    @overload
    def __getitem__(self, key: SupportsIndex) -> int: ...
    @overload
    def __getitem__(self, key: slice) -> bytes: ...
    def __getitem__(self, key: SupportsIndex | slice) -> int | bytes:
        """Byte `key`, or a copy of the bytes of a slice. Raises IndexError where it is not in the memory."""
        if isinstance(key, slice):
            return bytes(self._open()[self._bounds(key)])
        return self._open()[self._index(key)]

    @overload
    def __setitem__(self, key: SupportsIndex, value: int) -> None: ...
    @overload
    def __setitem__(self, key: slice, value: Buffer) -> None: ...
    def __setitem__(self, key: SupportsIndex | slice, value: int | Buffer) -> None:
        """Set a byte, or the bytes of a slice to as many bytes.

        Raises:
            IndexError: The place is not in the memory.
            ValueError: A byte that is not in 0..255, or the wrong number of bytes.
            TypeError: Neither an int nor bytes-like.
        """
        view = self._open()
        if not isinstance(key, slice):
            view[self._index(key)] = value  # type: ignore[assignment]
            return
        data = _bytes_of(value)
        target = view[self._bounds(key)]
        if len(target) != len(data):
            raise ValueError(f"cannot assign {len(data)} bytes to a slice of {len(target)}")
        target[:] = data

    def _index(self, key: SupportsIndex) -> int:
        try:
            index = operator.index(key)
        except TypeError:
            raise TypeError(f"a memory is indexed by int or slice, not {type(key).__name__}") from None
        size = len(self)
        if not -size <= index < size:
            raise IndexError(f"memory index {index} is out of range: the memory has {size} bytes")
        return index

    def read(self, offset: int, size: int) -> bytes:
        """A copy of `size` bytes at `offset`.

        Raises:
            IndexError: The range is not in the memory.
        """
        view = self._open()
        if offset < 0 or size < 0 or offset + size > len(view):
            raise IndexError(f"{size} bytes at {offset} are out of range: the memory has {len(view)} bytes")
        return bytes(view[offset : offset + size])

    def write(self, offset: int, data: Buffer) -> None:
        """Copy bytes-like `data` to `offset`.

        Raises:
            IndexError: The range is not in the memory; nothing is written.
            TypeError: `data` is not bytes-like.
        """
        view = self._open()
        source = _bytes_of(data)
        if offset < 0 or offset + len(source) > len(view):
            raise IndexError(f"{len(source)} bytes at {offset} are out of range: the memory has {len(view)} bytes")
        view[offset : offset + len(source)] = source

    def view(self) -> memoryview:
        """A writable view of the bytes that the memory has now, without a copy.

        It stays valid when the memory grows (it does not grow itself), and when the instance is closed.
        """
        return self._open()[:]

    def __buffer__(self, flags: int) -> memoryview:
        """The buffer protocol of Python 3.12 and later (PEP 688): as `view`."""
        return self.view()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a memory cannot be pickled or copied")

    def __repr__(self) -> str:
        return "<Memory, closed>" if self._view is None else f"<Memory, {self.pages} pages>"

    @property
    def _matching_type(self) -> MemoryType:
        """The type that an import is matched with: the minimum is the present size."""
        type = self.type
        return MemoryType(self.pages, type.maximum, is64=type.is64, shared=type.shared)


def _bytes_of(value: object) -> memoryview:
    """The bytes of something bytes-like, as a view of format B."""
    view = memoryview(value)  # type: ignore[arg-type]
    if view.contiguous and view.nbytes:
        return view.cast("B")
    return memoryview(view.tobytes())
