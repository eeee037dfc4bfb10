"""What memories begin with, as a file that each maps for itself: instances share the pages that they do not write.

It has the data segments that are the same in every instance, in the longest stretch of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from wasm_core.types import PAGE_SIZE
from wasmetal.store.memory_pool import pool_of
from wasmetal.system.address_space import page_ceil
from wasmetal.system.host import host
from wasmetal.system.lifetime import Anchor, anchor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_core.module import DecodedModule
    from wasmetal.compiled.template import DataPlan, Template

#: Segments that are farther apart than this are not in one stretch.
_FARTHEST: Final = 1 << 16
#: Memories that begin with as many bytes as this, or fewer, have images of all of them: that spares each a mapping.
_WHOLE: Final = 1 << 17


class _File:
    """A file that nobody can write any more."""

    __slots__ = ("descriptor",)

    def __init__(self, size: int, pieces: Sequence[tuple[int, int, int]]) -> None:
        self.descriptor = host.image_file(size, pieces)

    # Bound at definition, because module globals may be gone when the interpreter shuts down.
    def __del__(self, _close=os.close) -> None:  # type: ignore[no-untyped-def]
        if hasattr(self, "descriptor"):
            _close(self.descriptor)


class MemoryImage:
    """What a stretch of a memory begins with."""

    __slots__ = ("__weakref__", "_file", "_size", "_start", "covers", "free", "segments")

    def __init__(self, start: int, end: int, segments: Sequence[tuple[int, DataPlan]]) -> None:
        """Make the file.

        Args:
            start: Where the stretch begins, and `end` where it ends.
            segments: What is in it, each with its number, in the order in which they are written.

        Raises:
            OSError: The system refuses.
        """
        self._start = start & -host.PAGE
        self._size = page_ceil(end) - self._start
        #: So many bytes from the start of the memory are in it.
        self.covers = 0 if self._start else self._size
        #: Numbers of the segments that are in it.
        self.segments = frozenset([number for number, _ in segments])
        pieces = [(data.at - self._start, data.address, data.count) for _, data in segments if data.at is not None]
        #: See `memory_pool`.
        self.free = pool_of(self)
        # Finalizers that run together with that of the module may still make instances.
        self._file: Anchor = anchor(_File(self._size, pieces))

    def map(self, address: int) -> None:
        """Let the memory at `address` begin with it. Raises OSError."""
        file = self._file.target
        assert isinstance(file, _File)
        host.map_image(file.descriptor, self._size, address + self._start)


def make_image(module: DecodedModule, template: Template, memory: int, least: int) -> MemoryImage | None:
    """The image of a memory that a module defines; None if no data, or less than `least` bytes, would be in it.

    Raises:
        OSError: The system refuses.
    """
    # It is there before anything is written: what may trap, and leave it at that, must not come first.
    for element in template.active_elements:
        size = module.tables[element.table].minimum if element.table >= module.imported_tables else -1
        if element.at is None or element.at + element.count > size:
            return None
    segments = []
    for number, data in enumerate(template.data):
        size = module.memories[data.memory].minimum * PAGE_SIZE if data.memory >= module.imported_memories else -1
        if data.at is None or data.at + data.count > size:
            break
        if data.memory == memory:
            segments.append((data.at, data.at + data.count, number, data))
    longest: list[tuple[int, int, int, DataPlan]] = []
    for stretch in _stretches(segments):
        if sum([data.count for *_, data in stretch]) > sum([data.count for *_, data in longest]):
            longest = stretch
    if not longest or sum([data.count for *_, data in longest]) < least:
        return None
    start, end = min([start for start, *_ in longest]), max([end for _, end, *_ in longest])
    whole = module.memories[memory].minimum * PAGE_SIZE
    if whole <= _WHOLE:
        start, end = 0, whole
    return MemoryImage(start, end, [(number, data) for _, _, number, data in sorted(longest, key=lambda each: each[2])])


def _stretches(
    segments: Iterable[tuple[int, int, int, DataPlan]],
) -> list[list[tuple[int, int, int, DataPlan]]]:
    """Segments (start, end, number, what to write), by how far they are apart."""
    found: list[list[tuple[int, int, int, DataPlan]]] = []
    reached = -_FARTHEST - 1
    for segment in sorted(segments, key=lambda each: each[0]):
        if segment[0] > reached + _FARTHEST:
            found.append([])
        found[-1].append(segment)
        reached = max(reached, segment[1])
    return found
