"""The program's memory, as WASI functions see it: every pointer is checked, and a bad one is EFAULT.

i32 arguments arrive signed, so pointers and lengths are masked before use.
"""

from __future__ import annotations

from struct import Struct

from wasm_wasi.abi import FAULT, ILSEQ, INVAL, IOVEC, NAMETOOLONG, U32, U64
from wasm_wasi.errors import WasiError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, Protocol
else:
    from wasm_core.lazy_typing import Protocol

MASK32: Final = 0xFFFFFFFF
MASK64: Final = 0xFFFFFFFFFFFFFFFF
#: Most buffers that one readv or writev takes on every system we know (IOV_MAX); a shorter transfer is allowed.
MAX_BUFFERS: Final = 1024
#: Most bytes that one transfer moves, as on Linux; buffers may overlap, so they can describe more than there is memory.
MAX_TRANSFER: Final = 0x7FFFF000
#: Bytes that are moved in one step: the system needs much less than 0.1 s for them.
STEP: Final = 1 << 20
#: Longest path that is looked at, in bytes (PATH_MAX of Linux).
MAX_PATH: Final = 4096


class LinearMemory(Protocol):
    """The part of `wasmetal.Memory` that is needed here."""

    def view(self) -> memoryview:
        """All bytes of the memory as it is now."""


class GuestMemory:
    """A linear memory; `view` covers `size` bytes and is renewed when the program has grown its memory since."""

    __slots__ = ("_memory", "size", "view")

    def __init__(self, memory: LinearMemory | None) -> None:
        self._memory = memory
        self.view = memoryview(b"") if memory is None else memory.view()
        self.size = len(self.view)

    def release(self) -> None:
        """Let go of the memory."""
        self._memory = None
        self.view = memoryview(b"")
        self.size = 0

    def check(self, pointer: int, size: int) -> int:
        """The address that `pointer` means, after a check that `size` bytes from there exist.

        Raises:
            WasiError: They do not all exist (EFAULT).
        """
        pointer &= MASK32
        if pointer + size > self.size:
            self._renew(pointer + size)
        return pointer

    def _renew(self, end: int) -> None:
        if self._memory is not None:
            self.view = self._memory.view()
            self.size = len(self.view)
        if end > self.size:
            raise WasiError(FAULT)

    def slice(self, pointer: int, size: int) -> memoryview:
        """`size` bytes from `pointer`, writable."""
        size &= MASK32
        pointer = self.check(pointer, size)
        return self.view[pointer : pointer + size]

    def store(self, layout: Struct, pointer: int, *values: int) -> None:
        """Write a structure."""
        layout.pack_into(self.view, self.check(pointer, layout.size), *values)

    def store_u32(self, pointer: int, value: int) -> None:
        pointer = self.check(pointer, 4)
        U32.pack_into(self.view, pointer, value)

    def store_u64(self, pointer: int, value: int) -> None:
        pointer = self.check(pointer, 8)
        U64.pack_into(self.view, pointer, value & MASK64)

    def buffers(self, pointer: int, count: int) -> list[memoryview]:
        """The buffers that an array of `count` iovecs describes: what one transfer takes of them."""
        if count == 1:
            pointer = self.check(pointer, 8)
            start, size = IOVEC.unpack_from(self.view, pointer)
            if start + size > self.size:
                self._renew(start + size)
            return [self.view[start : start + size]]
        count &= MASK32
        pointer = self.check(pointer, 8 * count)
        buffers = []
        room = MAX_TRANSFER
        for at in range(pointer, pointer + 8 * min(count, MAX_BUFFERS), 8):
            start, size = IOVEC.unpack_from(self.view, at)
            if start + size > self.size:
                self._renew(start + size)
            if size >= room:
                buffers.append(self.view[start : start + room])
                break
            if size:
                buffers.append(self.view[start : start + size])
                room -= size
        return buffers

    def path(self, pointer: int, size: int) -> bytes:
        """A path: UTF-8 without NUL.

        Raises:
            WasiError: EFAULT, ENAMETOOLONG, EINVAL (a NUL in it) or EILSEQ (not UTF-8).
        """
        size &= MASK32
        pointer = self.check(pointer, size)
        if size > MAX_PATH:
            raise WasiError(NAMETOOLONG)
        path = bytes(self.view[pointer : pointer + size])
        if b"\0" in path:
            raise WasiError(INVAL)
        try:
            path.decode()
        except UnicodeDecodeError:
            raise WasiError(ILSEQ) from None
        return path
