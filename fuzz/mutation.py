"""Damaging binaries."""

from __future__ import annotations

import random

_INTERESTING = (0, 1, 0x0B, 0x40, 0x41, 0x60, 0x6F, 0x70, 0x7B, 0x7C, 0x7D, 0x7E, 0x7F, 0x80, 0xFC, 0xFF)


def mutate(source: bytes, other: bytes, chance: random.Random) -> bytes:
    """A damaged copy of `source`, perhaps with pieces of `other`."""
    out = bytearray(source)
    if chance.random() < 0.08:
        return bytes(out[: chance.randrange(len(out) + 1)])
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        if len(out) <= 8:
            break
        at = chance.randrange(8, len(out))
        how = chance.randrange(9)
        if how == 0:
            out[at] = chance.randrange(256)
        elif how == 1:
            out[at] ^= 1 << chance.randrange(8)
        elif how == 2:
            out[at] = chance.choice(_INTERESTING)
        elif how == 3:
            out[at] = out[at] + chance.choice((-1, 1)) & 0xFF
        elif how == 4:
            del out[at : at + chance.choice((1, 1, 2, 5))]
        elif how == 5:
            out[at:at] = bytes([chance.choice(_INTERESTING)])
        elif how == 6:
            # A large number.
            out[at : at + chance.randrange(2)] = chance.choice((b"\xff\xff\xff\xff\x0f", b"\x80\x80\x04", b"\x90\x4e"))
        elif how == 7:
            begin = chance.randrange(len(out))
            out[at:at] = out[begin : begin + chance.randrange(1, 20)]
        else:
            begin = chance.randrange(len(other))
            piece = other[begin : begin + chance.randrange(1, 20)]
            out[at : at + chance.choice((0, len(piece)))] = piece
    return bytes(out)
