"""Writing integers and vectors of the binary format (core specification, chapter "Binary Format")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_SMALL: Final = tuple([bytes([value]) for value in range(0x80)])


def unsigned(value: int) -> bytes:
    """Unsigned LEB128."""
    if value < 0x80:
        return _SMALL[value]
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def signed(value: int) -> bytes:
    """Signed LEB128."""
    if -0x40 <= value < 0x40:
        return _SMALL[value & 0x7F]
    out = bytearray()
    while not -0x40 <= value < 0x40:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value & 0x7F)
    return bytes(out)


def sized(content: bytes | bytearray) -> bytes:
    """Some bytes after their number."""
    return unsigned(len(content)) + content


def vector(items: Sequence[bytes]) -> bytes:
    """Items after their number."""
    return unsigned(len(items)) + b"".join(items)


def opcode_bytes(opcode: int) -> bytes:
    """An opcode, numbered as in `wasm_core.opcodes`."""
    return bytes([opcode]) if opcode < 0x100 else bytes([opcode >> 12]) + unsigned(opcode & 0xFFF)
