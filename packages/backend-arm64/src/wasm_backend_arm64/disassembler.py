"""Disassembly for people, by capstone where it is installed."""

from __future__ import annotations


def disassemble(code: bytes, address: int) -> list[tuple[int, bytes, str]] | None:
    """Instructions of `code`, which runs at `address`, as (address, bytes, text).

    None when capstone is not installed. Words that are no instruction become ".word" lines.
    """
    # Imported here: it takes longer than the rest of the backend, and only tools need it.
    try:
        import capstone
    except ImportError:  # an optional dependency: wasm-backend-arm64[disassembler]
        return None
    decoder = capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_LITTLE_ENDIAN)
    lines: list[tuple[int, bytes, str]] = []
    position = 0
    while position < len(code):
        for at, size, mnemonic, operands in decoder.disasm_lite(code[position:], address + position):
            start = at - address
            lines.append((at, code[start : start + size], f"{mnemonic} {operands}".rstrip()))
            position = start + size
        if position < len(code):
            word = code[position : position + 4]
            lines.append((address + position, word, f".word {int.from_bytes(word, 'little'):#010x}"))
            position += 4
    return lines
