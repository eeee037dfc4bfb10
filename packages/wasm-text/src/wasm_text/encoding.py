"""Writing integers and vectors of the binary format (core specification, chapter "Binary Format")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from wasm_core import leb128

#: Integers of one byte, which most are.
_SMALL: Final = tuple([bytes([value]) for value in range(0x80)])


def unsigned(value: int) -> bytes:
    """Unsigned LEB128."""
    return _SMALL[value] if value < 0x80 else leb128.unsigned(value)


def signed(value: int) -> bytes:
    """Signed LEB128."""
    return _SMALL[value & 0x7F] if -0x40 <= value < 0x40 else leb128.signed(value)


def sized(content: bytes | bytearray) -> bytes:
    """Some bytes after their number."""
    return unsigned(len(content)) + content


def vector(items: Sequence[bytes]) -> bytes:
    """Items after their number."""
    return unsigned(len(items)) + b"".join(items)


def opcode_bytes(opcode: int) -> bytes:
    """An opcode, numbered as in `wasm_core.opcodes`."""
    return bytes([opcode]) if opcode < 0x100 else bytes([opcode >> 12]) + unsigned(opcode & 0xFFF)
