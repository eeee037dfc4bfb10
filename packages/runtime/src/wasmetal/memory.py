"""Linear memories as users hold them."""

from __future__ import annotations

import collections.abc
import operator
import weakref

from wasm_core.errors import WasmError
from wasm_core.types import MemoryType
from wasmetal.store import linear_memory
from wasmetal.store.linear_memory import LinearMemory, MemoryHandle, MemoryPlan

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
    from typing import Final, overload

    from typing_extensions import Buffer as Buffer
else:
    # (before Python 3.12 bytes-like objects have no class in common)
    from wasm_core import lazy_typing as typing

    Buffer = getattr(collections.abc, "Buffer", bytes | bytearray | memoryview)


_class_of: Final = type


class Memory(MemoryHandle):
    """A linear memory: a resizable array of bytes that WebAssembly code and Python share.

    It never moves. `memory[i]` and `memory[a:b]` read an int and bytes, assignment takes an int and anything
    bytes-like; negative indices count from the end. On Python 3.12 and later it also has the buffer protocol.
    """

    __slots__ = ()

    def __init__(
        self,
        type: MemoryType | int,
        maximum: int | None = None,
        *,
        max_pages: int | None = None,
        bounds_checks: str = "auto",
    ) -> None:
        """Make a memory of `type.minimum` pages, all zeros: `Memory(MemoryType(1, 10))`, or `Memory(1, 10)`.

        Args:
            type: Sizes, in pages of 64 KiB; or the number of pages.
            maximum: Most pages that it may grow to, where `type` is a number; None for as many as there can be.
            max_pages: Most pages of 64 KiB that it may grow to even where its type allows more. A 64-bit memory has a
                terabyte at most, and 16 GiB where it has guard pages: as none has whose type allows more.
            bounds_checks: As in `Config`. Code that has no checks cannot use a memory without guard pages. Where pages
                are of one byte, there are always checks.

        Raises:
            ValueError: The type's sizes contradict each other or the limits.
            TypeError: `type` is no MemoryType nor int, or a size no int.
            WasmError: It is over `max_pages`; or a shared memory, which are not supported.
            MemoryError: The system has no room for it.
        """
        # (not isinstance, which believes what objects say of themselves)
        if issubclass(_class_of(type), int):
            type = MemoryType(type, maximum)  # type: ignore[arg-type]
        elif maximum is not None:
            raise TypeError("a memory takes a MemoryType, which has a maximum itself, or the two sizes in pages")
        storage = LinearMemory(MemoryPlan(type, max_pages, bounds_checks))  # type: ignore[arg-type]
        storage.show()
        if hasattr(self, "_storage"):
            raise TypeError("a memory cannot be initialized twice")
        storage.handle = weakref.ref(self)
        self._storage = storage

    def _open(self) -> memoryview:
        storage = self._storage
        # (whatever a Memory has, has a view)
        return self._opened()._view if storage is None else storage._view  # type: ignore[return-value]

    @property
    def _base(self) -> int:
        """Address of byte 0."""
        return self._opened()._base

    @property
    def type(self) -> MemoryType:
        """The type as declared."""
        return self._opened().type

    @property
    def guarded(self) -> bool:
        """Whether guard pages follow: code needs no comparison with the size to stay inside."""
        return self._opened().guarded

    @property
    def pages(self) -> int:
        """The size in pages: of 64 KiB, or what the type says."""
        return len(self._open()) // self._opened()._page_size

    def __len__(self) -> int:
        """The size in bytes."""
        return len(self._open())

    def grow(self, pages: int) -> int:
        """Add zeroed pages.

        Args:
            pages: How many; 0 is allowed.

        Returns:
            The number of pages before.

        Raises:
            WasmError: Refused: over the maximum, or there is no memory.
            ValueError: `pages` is negative.
            TypeError: It is not an int.
        """
        pages = operator.index(pages)
        if pages < 0:
            raise ValueError("a memory cannot shrink")
        storage = self._opened()
        before = self.pages
        previous = storage._grow(pages)
        if previous < 0:
            raise WasmError(f"a memory of {before} pages cannot grow by {pages}: its limit is {storage._limit}")
        return previous

    def _bounds(self, key: slice) -> slice:
        """The slice itself, if both of its ends are in the memory."""
        size = len(self)
        for end in (key.start, key.stop):
            if end is not None and not -size <= operator.index(end) <= size:
                raise IndexError(f"memory index {end} is out of range: the memory has {size} bytes")
        return key

    if TYPE_CHECKING:

        @overload
        def __getitem__(self, key: typing.SupportsIndex) -> int: ...
        @overload
        def __getitem__(self, key: slice) -> bytes: ...

    def __getitem__(self, key: typing.SupportsIndex | slice) -> int | bytes:
        """Byte `key`, or a copy of the bytes of a slice. Raises IndexError where it is not in the memory."""
        if isinstance(key, slice):
            return bytes(self._open()[self._bounds(key)])
        return self._open()[self._index(key)]

    if TYPE_CHECKING:

        @overload
        def __setitem__(self, key: typing.SupportsIndex, value: int) -> None: ...
        @overload
        def __setitem__(self, key: slice, value: Buffer) -> None: ...

    def __setitem__(self, key: typing.SupportsIndex | slice, value: int | Buffer) -> None:
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

    def _index(self, key: typing.SupportsIndex) -> int:
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

    def __reduce__(self) -> typing.NoReturn:
        raise TypeError("a memory cannot be pickled or copied")

    def __repr__(self) -> str:
        storage = self._storage
        if storage is None:
            return "<Memory, closed>"
        return f"<Memory, {self.pages} pages{', 64-bit' if storage.type.is64 else ''}>"


def _bytes_of(value: object) -> memoryview:
    """The bytes of something bytes-like, as a view of format B."""
    view = memoryview(value)  # type: ignore[arg-type]
    if view.contiguous and view.nbytes:
        return view.cast("B")
    return memoryview(view.tobytes())


linear_memory.memory_class = Memory
