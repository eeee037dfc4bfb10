"""Bisection of ascending lists of integers, as the standard library's, for native code.

There the calls, the integers' objects and comparing them cost several times what the search does. In plain Python these
functions are the standard library's.
"""

from __future__ import annotations

import bisect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mypy_extensions import i64


def bisect_left(numbers: list[int], number: int) -> int:
    """How many of `numbers` are less than `number`."""
    low: i64 = 0
    high: i64 = len(numbers)
    while low < high:
        middle: i64 = (low + high) >> 1
        if numbers[middle] < number:
            low = middle + 1
        else:
            high = middle
    return low


def bisect_right(numbers: list[int], number: int) -> int:
    """How many of `numbers` are not greater than `number`."""
    low: i64 = 0
    high: i64 = len(numbers)
    while low < high:
        middle: i64 = (low + high) >> 1
        if number < numbers[middle]:
            high = middle
        else:
            low = middle + 1
    return low


if __file__.endswith(".py"):
    # Interpreted.
    globals().update(bisect_left=bisect.bisect_left, bisect_right=bisect.bisect_right)
