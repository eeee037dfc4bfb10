"""Finds the machine code in the ELF file that wasmtime's `Module.serialize` gives (System V ABI, "Object Files")."""

from __future__ import annotations

import struct


def text_section(data: bytes) -> bytes:
    """Contents of the section `.text` of a 64-bit little-endian ELF file.

    Raises:
        ValueError: It is no such file, or has no such section.
    """
    if data[:6] != b"\x7fELF\x02\x01":
        raise ValueError("not a 64-bit little-endian ELF file")
    (table,) = struct.unpack_from("<Q", data, 0x28)
    entry_size, count, names_index = struct.unpack_from("<HHH", data, 0x3A)

    def header(index: int) -> tuple[int, int, int]:
        """Offset of the name, offset and size of the contents."""
        at = table + index * entry_size
        (name,) = struct.unpack_from("<I", data, at)
        offset, size = struct.unpack_from("<QQ", data, at + 0x18)
        return name, offset, size

    names = header(names_index)[1]
    for index in range(count):
        name, offset, size = header(index)
        if data[names + name :].startswith(b".text\0"):
            return data[offset : offset + size]
    raise ValueError("no section .text")
