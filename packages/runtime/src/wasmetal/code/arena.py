"""Memory for machine code: one arena per process, of which modules take and give back regions.

No page is ever writable and executable through one mapping. The normal way is a memfd that is mapped twice, readable
and executable in the arena, readable and writable somewhere else. Where that is refused, pages are written before they
are made executable, and never written again: every piece of code then has pages of its own.

The first part of the arena is for code, the second for data that code refers to (slots of functions), private
and never executable. All of the arena is within reach of a 32-bit pc-relative displacement.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import weakref
from collections import deque
from collections.abc import Callable

from wasm_ir.backend import CODE_ALIGNMENT
from wasmetal.code.page_allocator import PageAllocator
from wasmetal.system.address_space import page_ceil
from wasmetal.system.hold import Hold, exclusive, serialized
from wasmetal.system.host import host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Sizes of the arena that are tried, largest first. The last is what a small process with `ulimit -v` may still give.
_SIZES: Final = (1 << 30, 1 << 28, 1 << 26)
#: A region takes chunks from the arena that grow from the first to the second size.
_FIRST_CHUNK: Final = 16384
_LARGEST_CHUNK: Final = 1 << 20


def _view(address: int, size: int) -> memoryview:
    """Memory as bytes."""
    return memoryview((ctypes.c_ubyte * size).from_address(address)).cast("B")


@serialized
class CodeArena:
    """The reserved range of addresses in which all machine code of the process lies."""

    def __init__(self, size: int, dual_mapping: bool = True) -> None:
        """Reserve `size` bytes (a power of two); three quarters are for code.

        `dual_mapping`: map a memfd twice if the system lets us.

        Raises:
            OSError: the address space is not to be had.
        """
        self.size = size
        self.code_size = size // 4 * 3
        self.start = host.reserve(size)
        self.data_start = self.start + self.code_size
        #: Address of the writable view of the code part; 0 when code is written in place.
        self._writable = 0
        #: Makes instruction fetches see what has been written from one address to another.
        self._synchronize: Callable[[int, int], object] | None = host.SYNCHRONIZE
        self._code = PageAllocator(self.code_size)
        self._data = PageAllocator(size - self.code_size)
        #: Keeps other threads out while the process forks.
        self._fork: Hold | None = None
        #: Chunks whose owners are gone.
        self._returned: deque[tuple[bool, int, int]] = deque()
        #: Descriptor of the copy that a forked child will map; -1 when none.
        self._copy_fd = -1
        #: A forked child could not get its copy: what is there runs, but nothing may be written any more.
        self._frozen = False
        if dual_mapping:
            # Without memfd, or where the system refuses to map one executable: code is written in place.
            with contextlib.suppress(OSError):
                self._map_twice()
        #: Where code is written. (At the limit of recursion ctypes' functions raise an error of their own.)
        self._view = _view(self._writable or self.start, self.code_size)

    def _map_twice(self) -> None:
        fd = host.code_file(self.code_size)
        try:
            host.map_executable(fd, self.code_size, self.start)
            try:
                self._writable = host.map_writable(fd, self.code_size)
            except OSError:
                host.reserve_again(self.start, self.code_size)
                raise
        finally:
            os.close(fd)

    @property
    def dual_mapping(self) -> bool:
        """Whether code is written through a second mapping."""
        return self._writable != 0

    @property
    def bytes_in_use(self) -> int:
        """Bytes of code and data that regions hold."""
        self._reclaim()
        return self._code.in_use + self._data.in_use

    def contains(self, address: int) -> bool:
        """Whether `address` is in the code part."""
        return self.start <= address < self.data_start

    def region(self) -> CodeRegion:
        """A new, empty region."""
        return CodeRegion(self)

    def allocate_code(self, size: int) -> int:
        """Address of `size` bytes (whole pages) for code. Raises MemoryError."""
        self._reclaim()
        offset = None if self._frozen else self._code.allocate(size)
        if offset is None:
            raise MemoryError(f"no room for {size} bytes of code in the arena")
        return self.start + offset

    def allocate_data(self, size: int) -> int:
        """Address of `size` zero bytes (whole pages), readable and writable. Raises MemoryError."""
        self._reclaim()
        offset = self._data.allocate(size)
        if offset is None:
            raise MemoryError(f"no room for {size} bytes of data in the arena")
        try:
            host.commit(self.data_start + offset, size)
        except OSError as error:
            self.give_back(self.data_start + offset, size)
            raise MemoryError(f"no memory for {size} bytes of data: {error}") from error
        return self.data_start + offset

    def give_back(self, address: int, size: int) -> None:
        """Take back what an `allocate_*` method gave out. Safe in finalizers."""
        is_code = self.contains(address)
        self._returned.append((is_code, address - (self.start if is_code else self.data_start), size))
        self._reclaim()

    def _reclaim(self) -> None:
        """Give the memory of returned chunks to the system and their addresses to the allocators.

        Each is taken by one thread, and by one of a thread's frames when a finalizer comes in between.
        """
        returned = self._returned
        while returned:
            try:
                is_code, offset, size = returned.popleft()
            except IndexError:
                return
            if is_code:
                if self._frozen:
                    continue
                if self._writable:
                    host.discard_in_file(self._writable + offset, size)
                else:
                    host.forbid(self.start + offset, size)
                    host.discard(self.start + offset, size)
                self._code.free(offset, size)
            else:
                host.discard(self.data_start + offset, size)
                host.forbid(self.data_start + offset, size)
                self._data.free(offset, size)

    def write(self, address: int, code: bytes | bytearray) -> None:
        """Put code at `address`; afterwards it can run. Pages written in place can be written only once."""
        offset = address - self.start
        if self._writable:
            self._view[offset : offset + len(code)] = code
            if self._synchronize is not None:
                self._synchronize(address, address + len(code))
            return
        first = address & -host.PAGE
        size = page_ceil(address + len(code)) - first
        host.commit(first, size)
        self._view[offset : offset + len(code)] = code
        host.make_executable(first, size)
        if self._synchronize is not None:
            self._synchronize(address, address + len(code))

    def synchronize_with(self, function: int) -> None:
        """Call the C function (start, end) at this address, `Stubs.synchronize`, whenever code has been written.

        It was written itself without being called, which is safe in a page that is new: the kernel does as much for
        a page before it maps it executable for the first time (Linux, arch/arm64/mm/flush.c, __sync_icache_dcache).
        """
        if host.SYNCHRONIZE is None:
            self._synchronize = ctypes.PYFUNCTYPE(None, ctypes.c_uint64, ctypes.c_uint64)(function)

    # fork(2): a MAP_SHARED mapping stays shared with the child, so each process would write into the other's code. The
    # child gets a copy of the file, made before the fork so that the parent cannot change it on the way.

    def before_fork(self) -> None:
        self._fork = exclusive()
        if self._writable:
            with contextlib.suppress(OSError):
                self._copy_fd = self._copy()

    def after_fork_in_parent(self) -> None:
        if self._copy_fd >= 0:
            os.close(self._copy_fd)
            self._copy_fd = -1
        self._fork = None

    def after_fork_in_child(self) -> None:
        try:
            if self._writable:
                self._frozen = True
                if self._copy_fd < 0:
                    self._copy_fd = self._copy()
                host.map_executable(self._copy_fd, self.code_size, self.start)
                host.map_writable(self._copy_fd, self.code_size, self._writable)
                self._frozen = False
                os.close(self._copy_fd)
                self._copy_fd = -1
        finally:
            self._fork = None

    def _copy(self) -> int:
        """Descriptor of a memfd with the same contents as ours."""
        fd = host.code_file(self.code_size)
        try:
            for start, size in self._code.ranges_in_use():
                done = 0
                contents = _view(self._writable + start, size)
                while done < size:
                    done += os.pwrite(fd, contents[done:], start + done)
        except BaseException:
            os.close(fd)
            raise
        return fd


@serialized
class CodeRegion:
    """Code and data of one owner, freed together: by `free`, or when the region is collected."""

    __slots__ = ("__weakref__", "_arena", "_chunks", "_code", "_data", "_finalizer")

    def __init__(self, arena: CodeArena) -> None:
        self._arena = arena
        #: (address, size) of all that we hold.
        self._chunks: list[tuple[int, int]] = []
        #: Where there is room in the last chunk: (next address, end). Signal handlers may come at any time and take
        #: some; no call stands between looking what there is and taking it.
        self._code = self._data = (0, 0)
        self._finalizer = weakref.finalize(self, _give_back, arena, self._chunks)
        self._finalizer.atexit = False

    @property
    def bytes_in_use(self) -> int:
        """Bytes of the arena that the region holds."""
        return sum(size for _, size in self._chunks)

    def contains(self, pc: int) -> bool:
        """Whether `pc` is in one of the region's chunks."""
        return any(address <= pc < address + size for address, size in self._chunks)

    def _chunk_size(self, size: int) -> int:
        return max(page_ceil(size), min(max(_FIRST_CHUNK, self.bytes_in_use), _LARGEST_CHUNK))

    def reserve(self, size: int, alignment: int = CODE_ALIGNMENT) -> int:
        """Address for `size` bytes of code, to be filled with `write` (once).

        `alignment`: a power of two, at most the page size.

        Raises:
            MemoryError: the arena is full.
        """
        if not self._finalizer.alive:
            raise ValueError("the region has been freed")
        # In place, a page is never writable again once another thread may be running code on it.
        alignment = alignment if self._arena.dual_mapping else host.PAGE
        while True:
            room = self._code
            following, end = room
            address = (following + alignment - 1) & -alignment
            if address + size > end or not following:
                chunk = self._chunk_size(size)
                address = self._arena.allocate_code(chunk)
                self._chunks.append((address, chunk))
                end = address + chunk
                self._code = (address + size, end)
                return address
            rest = (address + size, end)
            if self._code is room:
                self._code = rest
                return address

    def write(self, address: int, code: bytes | bytearray) -> None:
        """Put code where `reserve` said."""
        self._arena.write(address, code)

    def place(self, code: bytes | bytearray, alignment: int = CODE_ALIGNMENT) -> int:
        """Reserve and write position-independent code; returns its address. Raises MemoryError."""
        address = self.reserve(len(code), alignment)
        self._arena.write(address, code)
        return address

    def data(self, size: int) -> int:
        """Address of `size` zero bytes (16-aligned), readable and writable, never executable. Raises MemoryError."""
        if not self._finalizer.alive:
            raise ValueError("the region has been freed")
        while True:
            room = self._data
            following, end = room
            address = (following + 15) & ~15
            if address + size > end or not following:
                chunk = page_ceil(max(size, 1))
                address = self._arena.allocate_data(chunk)
                self._chunks.append((address, chunk))
                self._data = (address + size, address + chunk)
                return address
            rest = (address + size, end)
            if self._data is room:
                self._data = rest
                return address

    def free(self) -> None:
        """Give everything back now; nothing may run or refer to it any more. Doing it again does nothing."""
        self._finalizer()


@serialized
def _give_back(arena: CodeArena, chunks: list[tuple[int, int]]) -> None:
    while chunks:
        arena.give_back(*chunks.pop())


_arena: CodeArena | None = None


def arena() -> CodeArena:
    """The arena of this process, made on first use.

    Raises:
        MemoryError: the system does not give us the address space.
    """
    global _arena
    if _arena is None:
        with exclusive():
            if _arena is None:
                _arena = _make_arena()
    return _arena


def _make_arena() -> CodeArena:
    refusal: OSError | None = None
    for size in _SIZES:
        try:
            made = CodeArena(size)
        except OSError as error:
            refusal = error
            continue
        host.at_fork(
            before=made.before_fork,
            after_in_parent=made.after_fork_in_parent,
            after_in_child=made.after_fork_in_child,
        )
        return made
    raise MemoryError(f"cannot reserve address space for code: {refusal}")
