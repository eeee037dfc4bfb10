"""Bisection gives what the standard library's gives, also where it is compiled."""

from __future__ import annotations

import bisect

import pytest

from wasm_core.bisection import bisect_left, bisect_right


@pytest.mark.parametrize(
    "numbers", [[], [3], [1, 3], [1, 1, 1], [-4, 0, 0, 7, 7, 1 << 62, 1 << 70], list(range(0, 99, 3))]
)
def test_bisection(numbers: list[int]) -> None:
    for number in {candidate + step for candidate in [*numbers, 0] for step in (-1, 0, 1)}:
        assert bisect_left(numbers, number) == bisect.bisect_left(numbers, number)
        assert bisect_right(numbers, number) == bisect.bisect_right(numbers, number)
