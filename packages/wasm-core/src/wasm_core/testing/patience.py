"""How tests wait for other threads and processes, however busy the machine is: until something is so."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

#: Seconds after which what a test waits for is taken not to come.
PATIENCE: Final = 60.0
_BETWEEN: Final = 0.001


def wait_until(condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Return as soon as a condition is true.

    Args:
        condition: Asked again and again.
        what: The condition in words.
        seconds: How long to wait at most.

    Raises:
        AssertionError: It did not become true; says what.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} seconds: {what}")
        time.sleep(_BETWEEN)


class Effort:
    """For work that is repeated for a time: goes on until enough has happened, if the machine needs longer for that.

    effort = Effort(2)
    while effort.goes_on(done > 20):
        ...
    assert done > 20
    """

    __slots__ = ("_least", "_most")

    def __init__(self, seconds: float) -> None:
        """
        Args:
            seconds: How long at least; `PATIENCE` more at most.
        """
        self._least = time.monotonic() + seconds
        self._most = self._least + PATIENCE

    def goes_on(self, enough: object) -> bool:
        """Whether to work on, where `enough` says whether what is to happen has happened."""
        return time.monotonic() < (self._most if not enough else self._least)
