"""Times the region that a program of the corpus marks by calling bench.start and bench.end."""

from __future__ import annotations

from time import thread_time


class Stopwatch:
    """Host functions to give to the program as `bench.start` and `bench.end`.

    It counts processor time of the thread: programs of the corpus have one, and what else the machine does is left out.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._started = 0.0

    def start(self) -> None:
        """The region begins."""
        self._started = thread_time()

    def end(self) -> None:
        """The region has ended."""
        self.seconds += thread_time() - self._started
