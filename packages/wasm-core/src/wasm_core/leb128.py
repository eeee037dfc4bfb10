"""LEB128 integers (core specification, section "Binary Format", "Values", "Integers").

Every reader takes the bytes, the position of the integer and the position where readable bytes end, and returns the
value and the position after it. Errors are `MalformedError` with the position as offset: "unexpected end",
"integer representation too long" or "integer too large". `unsigned` and `signed` encode, in as few bytes as possible.
"""

from __future__ import annotations

from wasm_core.errors import MalformedError


def read_unsigned(data: bytes, pos: int, end: int, bits: int) -> tuple[int, int]:
    """An unsigned integer of at most `bits` bits."""
    start = pos
    value = 0
    shift = 0
    while True:
        if pos >= end:
            raise MalformedError("unexpected end", pos)
        byte = data[pos]
        pos += 1
        left = bits - shift
        if left <= 0:
            raise MalformedError("integer representation too long", start)
        if left < 7 and (byte & 0x7F) >> left:
            raise MalformedError("integer too large", start)
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, pos
        shift += 7


def read_signed(data: bytes, pos: int, end: int, bits: int) -> tuple[int, int]:
    """A signed integer of at most `bits` bits."""
    start = pos
    value = 0
    shift = 0
    while True:
        if pos >= end:
            raise MalformedError("unexpected end", pos)
        byte = data[pos]
        pos += 1
        left = bits - shift
        if left <= 0:
            raise MalformedError("integer representation too long", start)
        if left < 7:
            # All bits from the sign bit upwards must be equal.
            top = (byte & 0x7F) >> (left - 1)
            if top != 0 and top != 0x7F >> (left - 1):
                raise MalformedError("integer too large", start)
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            if byte & 0x40:
                value -= 1 << shift
            return value, pos


def read_u32(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """An unsigned 32-bit integer."""
    if pos < end:
        byte = data[pos]
        if byte < 0x80:
            return byte, pos + 1
    return read_unsigned(data, pos, end, 32)


def read_u64(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """An unsigned 64-bit integer."""
    return read_unsigned(data, pos, end, 64)


def read_s32(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """A signed 32-bit integer."""
    return read_signed(data, pos, end, 32)


def read_s33(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """A signed 33-bit integer, which is how a block type is encoded."""
    return read_signed(data, pos, end, 33)


def read_s64(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """A signed 64-bit integer."""
    return read_signed(data, pos, end, 64)


def unsigned(value: int) -> bytes:
    """An unsigned integer, encoded."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def signed(value: int) -> bytes:
    """A signed integer, encoded."""
    out = bytearray()
    while not -0x40 <= value < 0x40:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value & 0x7F)
    return bytes(out)
