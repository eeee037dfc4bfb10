"""A priority queue of pairs of numbers: the intervals that wait for registers, and slots that are in use."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Up to how many entries a queue is kept in order, without `heapq`, whose import takes as long as a hundred splits.
FEW: Final = 256


class Queue:
    """Pairs of numbers, of which the least is the first to leave."""

    __slots__ = ("entries", "push_to_heap")

    def __init__(self) -> None:
        #: In order as long as there are few: that makes a heap, too.
        self.entries: list[tuple[int, int]] = []
        self.push_to_heap: Callable[[list[tuple[int, int]], tuple[int, int]], None] | None = None

    def push(self, entry: tuple[int, int]) -> None:
        entries = self.entries
        if self.push_to_heap is not None:
            self.push_to_heap(entries, entry)
            return
        insort(entries, entry)
        if len(entries) > FEW:
            from heapq import heappush

            self.push_to_heap = heappush

    def pop(self) -> int:
        """The second number of the least pair."""
        entries = self.entries
        if self.push_to_heap is None:
            return entries.pop(0)[1]
        from heapq import heappop

        return heappop(entries)[1]
