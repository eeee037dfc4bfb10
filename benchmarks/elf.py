"""Finds the machine code in the ELF file that wasmtime's `Module.serialize` gives (System V ABI, "Object Files")."""

from __future__ import annotations

import re
import struct

import attrs

#: Symbol types (System V ABI, "Symbol Table"): the lower half of st_info.
_FUNCTION = 2
_SYMBOL_TABLE = 2
#: Symbols of functions of the module; others are entry trampolines and the like.
_MODULE_FUNCTION = re.compile(r"wasm\[0\]::function\[(\d+)\]")


@attrs.frozen
class _SectionHeader:
    name: bytes
    type: int
    offset: int
    size: int
    #: For a symbol table the index of the section with its names.
    link: int


def _sections(data: bytes) -> list[_SectionHeader]:
    if data[:6] != b"\x7fELF\x02\x01":
        raise ValueError("not a 64-bit little-endian ELF file")
    (table,) = struct.unpack_from("<Q", data, 0x28)
    entry_size, count, names_index = struct.unpack_from("<HHH", data, 0x3A)
    raw = [struct.unpack_from("<IIQQQQI", data, table + index * entry_size) for index in range(count)]
    names = raw[names_index][4]
    return [
        _SectionHeader(_string(data, names + name), kind, offset, size, link)
        for name, kind, _, _, offset, size, link in raw
    ]


def _string(data: bytes, start: int) -> bytes:
    return data[start : data.index(b"\0", start)]


def text_section(data: bytes) -> bytes:
    """Contents of the section `.text` of a 64-bit little-endian ELF file.

    Raises:
        ValueError: It is no such file, or has no such section.
    """
    for section in _sections(data):
        if section.name == b".text":
            return data[section.offset : section.offset + section.size]
    raise ValueError("no section .text")


def function_sizes(data: bytes) -> dict[int, int]:
    """Bytes of code of each function of the WebAssembly module, by its index; constants and jump tables count.

    Raises:
        ValueError: It is no such file.
    """
    sections = _sections(data)
    sizes = {}
    for section in sections:
        if section.type == _SYMBOL_TABLE:
            names = sections[section.link].offset
            for at in range(section.offset, section.offset + section.size, 24):
                name, info, _, _, _, size = struct.unpack_from("<IBBHQQ", data, at)
                found = _MODULE_FUNCTION.match(_string(data, names + name).decode())
                if info & 15 == _FUNCTION and found:
                    sizes[int(found[1])] = size
    return sizes
