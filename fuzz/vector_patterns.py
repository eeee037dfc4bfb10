"""Immediates of shuffles: such that compilers look for, some that miss them by a byte, and any."""

from __future__ import annotations

import random


def pattern(chance: random.Random) -> bytes:
    """Sixteen numbers below 32."""
    numbers = _regular(chance)
    how = chance.random()
    if how < 0.15:
        # The other operand first, or only one of them.
        numbers = [number ^ 16 for number in numbers]
    elif how < 0.3:
        numbers = [number % 16 + (16 if how < 0.2 else 0) for number in numbers]
    elif how < 0.4:
        numbers[chance.randrange(16)] = chance.randrange(32)
    return bytes(number % 32 for number in numbers)


def _regular(chance: random.Random) -> list[int]:
    size = chance.choice((1, 2, 4, 8))
    count = 16 // size
    kind = chance.randrange(9)
    if kind == 0:
        return [chance.randrange(32) for _ in range(16)]
    if kind == 1:
        # Elements, chosen at will.
        return _elements([chance.randrange(2 * count) for _ in range(count)], size)
    if kind == 2:
        # Both interleaved.
        start = chance.choice((0, count // 2))
        return _elements([start + n // 2 + n % 2 * count for n in range(count)], size)
    if kind == 3:
        # Every second.
        odd = chance.randrange(2)
        return _elements([2 * n + odd for n in range(count)], size)
    if kind == 4:
        # One everywhere.
        return _elements([chance.randrange(2 * count)] * count, size)
    if kind == 5:
        # A window over both, or one that is rotated.
        start = chance.randrange(17)
        return [start + n for n in range(16)] if chance.random() < 0.7 else [(start + n) % 16 for n in range(16)]
    if kind == 6:
        # Each from its own place, of one or the other.
        return _elements([n + chance.choice((0, count)) for n in range(count)], size)
    if kind == 7:
        # Even ones, or odd ones, of both, side by side.
        odd = chance.randrange(2)
        return _elements([n - n % 2 + odd + n % 2 * count for n in range(count)], size)
    # Neighbours change places.
    flip = chance.choice([step for step in (1, 2, 3, 4, 7, 8, 15) if step < count] or [0])
    return _elements([n ^ flip for n in range(count)], size)


def _elements(places: list[int], size: int) -> list[int]:
    """The numbers of the bytes of elements."""
    return [place * size + n for place in places for n in range(size)]
