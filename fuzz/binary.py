"""Writing the binary format: numbers, vectors, sections."""

from __future__ import annotations

from collections.abc import Iterable

MAGIC = b"\0asm\x01\0\0\0"


def unsigned(number: int) -> bytes:
    """LEB128."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def signed(number: int) -> bytes:
    """Signed LEB128."""
    out = bytearray()
    while not -0x40 <= number <= 0x3F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number & 0x7F)
    return bytes(out)


def sized(content: bytes) -> bytes:
    """Bytes behind their number: also a name."""
    return unsigned(len(content)) + content


def vector(items: Iterable[bytes]) -> bytes:
    """Items behind their number."""
    listed = list(items)
    return unsigned(len(listed)) + b"".join(listed)


def section(number: int, content: bytes) -> bytes:
    """A section; nothing when it would be an empty vector."""
    return bytes([number]) + sized(content) if content != b"\0" else b""
