"""First-fit allocation of page-granular ranges out of one big range: bookkeeping only, no memory is touched."""

from __future__ import annotations

from bisect import bisect_left


class PageAllocator:
    """Free ranges of [0, size), ascending and coalesced."""

    __slots__ = ("_sizes", "_starts", "in_use", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        #: Bytes handed out.
        self.in_use = 0
        self._starts = [0]
        self._sizes = [size]

    def allocate(self, size: int) -> int | None:
        """Offset of a range of `size` bytes (a multiple of the page size), or None when there is no room."""
        for index, free in enumerate(self._sizes):
            if free >= size:
                start = self._starts[index]
                if free == size:
                    del self._starts[index], self._sizes[index]
                else:
                    self._starts[index] = start + size
                    self._sizes[index] = free - size
                self.in_use += size
                return start
        return None

    def free(self, start: int, size: int) -> None:
        """Take back a range that `allocate` gave out."""
        self.in_use -= size
        starts, sizes = self._starts, self._sizes
        index = bisect_left(starts, start)
        if index < len(starts) and start + size == starts[index]:
            size += sizes[index]
            del starts[index], sizes[index]
        if index and starts[index - 1] + sizes[index - 1] == start:
            sizes[index - 1] += size
        else:
            starts.insert(index, start)
            sizes.insert(index, size)

    def ranges_in_use(self) -> list[tuple[int, int]]:
        """(start, size) of everything between the free ranges."""
        found = []
        position = 0
        for start, size in zip(self._starts, self._sizes):
            if start > position:
                found.append((position, start - position))
            position = start + size
        if position < self.size:
            found.append((position, self.size - position))
        return found
