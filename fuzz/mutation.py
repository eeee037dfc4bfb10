"""Damaging binaries: anywhere, or within a section or a function's body, whose sizes are right again afterwards."""

from __future__ import annotations

import random

from wasm_core.testing.binary import sized, vector

_INTERESTING = (0, 1, 0x0B, 0x40, 0x41, 0x60, 0x6F, 0x70, 0x7B, 0x7C, 0x7D, 0x7E, 0x7F, 0x80, 0xFC, 0xFF)
_HEADER = 8
_CODE = 10
#: A section's number, and its content; that of the code section is one body after the other.
Section = tuple[int, list[bytes]]


def mutate(source: bytes, other: bytes, chance: random.Random) -> bytes:
    """A damaged copy of `source`, perhaps with pieces of `other`."""
    if chance.random() < 0.05:
        return source[: chance.randrange(len(source) + 1)]
    sections = split(source)
    if not sections or chance.random() < 0.2:
        return source[:_HEADER] + _damage(source[_HEADER:], other, chance)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        # Half of the time code, in which most can go wrong.
        bodies = [pieces for number, pieces in sections if number == _CODE and pieces]
        pieces = bodies[0] if bodies and chance.random() < 0.6 else chance.choice(sections)[1]
        if pieces:
            at = chance.randrange(len(pieces))
            pieces[at] = _damage(pieces[at], other, chance)
    return source[:_HEADER] + b"".join(map(_join, sections))


def split(binary: bytes) -> list[Section]:
    """The sections of a module; empty when it is too damaged for that."""
    found: list[Section] = []
    pos = _HEADER
    try:
        while pos < len(binary):
            number = binary[pos]
            size, pos = _read(binary, pos + 1)
            end = pos + size
            if end > len(binary):
                return []
            pieces = [binary[pos:end]]
            if number == _CODE:
                pieces = []
                count, pos = _read(binary, pos)
                for _ in range(count):
                    size, pos = _read(binary, pos)
                    pieces.append(binary[pos : pos + size])
                    pos += size
            found.append((number, pieces))
            pos = end
    except IndexError:
        return []
    return found


def _join(section: Section) -> bytes:
    number, pieces = section
    return bytes([number]) + sized(vector(map(sized, pieces)) if number == _CODE else pieces[0])


def _read(binary: bytes, pos: int) -> tuple[int, int]:
    """An unsigned LEB128 number, and where it ends."""
    value = shift = 0
    while True:
        byte = binary[pos]
        value |= (byte & 0x7F) << shift
        pos += 1
        shift += 7
        if byte < 0x80:
            return value, pos


def _damage(source: bytes, other: bytes, chance: random.Random) -> bytes:
    """Change some bytes, cut out or put in some."""
    out = bytearray(source)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        if not out:
            break
        at = chance.randrange(len(out))
        how = chance.randrange(10)
        if how == 0:
            out[at] = chance.randrange(256)
        elif how == 1:
            out[at] ^= 1 << chance.randrange(8)
        elif how == 2:
            out[at] = chance.choice(_INTERESTING)
        elif how in (3, 4):
            out[at] = out[at] + chance.choice((-1, 1)) & 0xFF
        elif how == 5:
            del out[at : at + chance.choice((1, 1, 2, 5))]
        elif how == 6:
            out[at:at] = bytes([chance.choice(_INTERESTING)])
        elif how == 7:
            # A large number.
            out[at : at + chance.randrange(2)] = chance.choice((b"\xff\xff\xff\xff\x0f", b"\x80\x80\x04", b"\x90\x4e"))
        elif how == 8:
            begin = chance.randrange(len(out))
            out[at:at] = out[begin : begin + chance.randrange(1, 20)]
        else:
            begin = chance.randrange(len(other))
            piece = other[begin : begin + chance.randrange(1, 20)]
            out[at : at + chance.choice((0, len(piece)))] = piece
    return bytes(out)
