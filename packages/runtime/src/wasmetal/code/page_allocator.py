"""First-fit allocation of page-granular ranges out of one big range: bookkeeping only, no memory is touched."""

from __future__ import annotations

from bisect import bisect_left


class PageAllocator:
    """Free ranges of [0, size), ascending and coalesced.

    Signal handlers and finalizers may allocate and free in the middle of a method. So each makes a new list of ranges,
    and puts it in the place of the old one if that is still there: no call stands between looking and putting.
    """

    __slots__ = ("_free", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        #: (start, size)
        self._free: tuple[tuple[int, int], ...] = ((0, size),)

    @property
    def in_use(self) -> int:
        """Bytes handed out."""
        return self.size - sum([size for _, size in self._free])

    def allocate(self, size: int) -> int | None:
        """Offset of a range of `size` bytes (a multiple of the page size), or None when there is no room."""
        while True:
            ranges = self._free
            index = next((number for number, (_, free) in enumerate(ranges) if free >= size), None)
            if index is None:
                return None
            start, free = ranges[index]
            rest = ((start + size, free - size),) if free > size else ()
            changed = (*ranges[:index], *rest, *ranges[index + 1 :])
            if self._free is ranges:
                self._free = changed
                return start

    def free(self, start: int, size: int) -> None:
        """Take back a range that `allocate` gave out."""
        while True:
            ranges = self._free
            index = following = bisect_left(ranges, (start,))
            begin, end = start, start + size
            if following < len(ranges) and end == ranges[following][0]:
                end += ranges[following][1]
                following += 1
            if index and sum(ranges[index - 1]) == begin:
                index -= 1
                begin = ranges[index][0]
            changed = (*ranges[:index], (begin, end - begin), *ranges[following:])
            if self._free is ranges:
                self._free = changed
                return

    def ranges_in_use(self) -> list[tuple[int, int]]:
        """(start, size) of everything between the free ranges."""
        found = []
        position = 0
        for start, size in self._free:
            if start > position:
                found.append((position, start - position))
            position = start + size
        if position < self.size:
            found.append((position, self.size - position))
        return found
