"""Numbers at which arithmetic goes wrong first, and random ones."""

from __future__ import annotations

import random
import struct
from typing import Final

I32: Final = 0x7F
I64: Final = 0x7E
F32: Final = 0x7D
F64: Final = 0x7C
V128: Final = 0x7B
FUNCREF: Final = 0x70
NUMERIC: Final = (I32, I64, F32, F64)
WIDTHS: Final = {I32: 32, I64: 64, F32: 32, F64: 64, V128: 128}


def _integers(width: int) -> list[int]:
    found = {0, 1, 2, 3, 5, 7, 10, 24, 31, 32, 33, 63, 64, 65, 100, 1000}
    for bit in range(width):
        found |= {1 << bit, (1 << bit) - 1, (1 << bit) + 1, -(1 << bit), ~(1 << bit)}
    found |= {0x55555555, 0xAAAAAAAA, 0x0F0F0F0F0F0F0F0F, 0x8000000080000000, 0x123456789ABCDEF0}
    return sorted({number & (1 << width) - 1 for number in found})


def _floats(width: int) -> list[int]:
    letter, as_bits = ("f", "I") if width == 32 else ("d", "Q")
    numbers = [0.0, 0.5, 0.9999999, 1.0, 1.5, 2.5, 3.0, 4.5, 1e-10, 1e10, 255.5, 3.4e38, 1.17549435e-38, float("inf")]
    for power in (7, 8, 15, 16, 23, 24, 31, 32, 52, 53, 62, 63, 64):
        numbers += [2.0**power, 2.0**power - 1, 2.0**power + 1, 2.0**power - 0.5]
    found = {struct.unpack(as_bits, struct.pack(letter, number))[0] for number in numbers}
    one_ulp = {bits + step for bits in found for step in (-1, 1) if bits}
    found |= one_ulp | {1, 2}  # the smallest subnormal numbers
    found |= {0x7F800001, 0x7FC00000} if width == 32 else {0x7FF0000000000001, 0x7FF8000000000000}
    return sorted(found | {bits | 1 << width - 1 for bits in found})


#: By type: bit patterns.
EDGES: Final = {I32: _integers(32), I64: _integers(64), F32: _floats(32), F64: _floats(64)}
#: By the width of a lane.
_LANES: Final = {8: _integers(8), 16: _integers(16), 32: EDGES[I32] + EDGES[F32], 64: EDGES[I64] + EDGES[F64]}
_SMALL: Final = (0, 1, 2, 3, 4, 7, 8, 15, 16, 24, 31, 32, 48, 56, 63, 0xFF, 0xFFFF)


def bits(chance: random.Random, value_type: int) -> int:
    """A bit pattern of a type of numbers or vectors."""
    if value_type == V128:
        return _vector(chance)
    how = chance.random()
    width = WIDTHS[value_type]
    if how < 0.6:
        return chance.choice(EDGES[value_type])
    if value_type >= I64:
        if how < 0.85:
            return chance.choice(_SMALL)
        return chance.getrandbits(chance.randint(1, width))
    if how < 0.8:
        number = chance.uniform(-100, 100) if how < 0.7 else float(chance.randint(-1000, 1000))
        return from_float(value_type, number)
    return chance.getrandbits(width)


def _vector(chance: random.Random) -> int:
    """Lanes that are edges, the same in all lanes at times."""
    how = chance.random()
    if how < 0.1:
        return chance.choice((0, (1 << 128) - 1, chance.getrandbits(128)))
    if how < 0.25:
        # Floats of ordinary sizes.
        kind = chance.choice((F32, F64))
        return _join([bits(chance, kind) for _ in range(128 // WIDTHS[kind])], WIDTHS[kind])
    width = chance.choice((8, 16, 32, 64))
    few = [chance.choice(_LANES[width]) for _ in range(1 if how < 0.45 else 128 // width)]
    return _join(few * (128 // width // len(few)), width)


def _join(lanes: list[int], width: int) -> int:
    return sum(lane << width * number for number, lane in enumerate(lanes))


def from_float(value_type: int, number: float) -> int:
    """The bits of a number."""
    if value_type == F32:
        return int(struct.unpack("<I", struct.pack("<f", number))[0])
    return int(struct.unpack("<Q", struct.pack("<d", number))[0])


def to_python(value_type: int, pattern: int) -> int | float:
    """The Python object for a bit pattern."""
    if value_type == F32:
        return float(struct.unpack("<f", pattern.to_bytes(4, "little"))[0])
    if value_type == F64:
        return float(struct.unpack("<d", pattern.to_bytes(8, "little"))[0])
    width = WIDTHS[value_type]
    return pattern - (1 << width) if pattern >> width - 1 else pattern
