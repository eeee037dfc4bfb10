"""The queue of register allocation gives back the least entry first, however many there are."""

from __future__ import annotations

import random

import pytest

from wasm_ir.codegen.queue import FEW, Queue


@pytest.mark.parametrize("most", [3, FEW, 4 * FEW])
def test_the_least_entry_leaves_first(most: int) -> None:
    """Few entries are kept in order, many on a heap; entries that came to a heap stay on it when few are left."""
    numbers = random.Random(most)
    queue = Queue()
    expected: list[tuple[int, int]] = []
    for round_number in range(3):
        while len(expected) < most:
            entry = (numbers.randrange(1000), len(expected) + round_number * 10_000)
            queue.push(entry)
            expected.append(entry)
        expected.sort()
        for _ in range(most * 2 // 3):
            assert queue.entries[0] == expected[0]
            assert queue.pop() == expected.pop(0)[1]
    while expected:
        assert queue.pop() == expected.pop(0)[1]
    assert not queue.entries
