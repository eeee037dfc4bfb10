"""Disassembly for people, by capstone where it is installed."""

from __future__ import annotations


def disassemble(code: bytes, address: int) -> list[tuple[int, bytes, str]] | None:
    """Instructions of `code`, which runs at `address`, as (address, bytes, text in Intel syntax).

    None when capstone is not installed. Bytes that are no instruction become ".byte" lines.
    """
    # Imported here: it takes longer than the rest of the backend, and only tools need it.
    try:
        import capstone
    except ImportError:  # an optional dependency: wasm-backend-amd64[disassembler]
        return None
    decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    lines: list[tuple[int, bytes, str]] = []
    position = 0
    while position < len(code):
        for at, size, mnemonic, operands in decoder.disasm_lite(code[position:], address + position):
            start = at - address
            lines.append((at, code[start : start + size], f"{mnemonic} {operands}".rstrip()))
            position = start + size
        if position < len(code):
            lines.append((address + position, code[position : position + 1], f".byte {code[position]:#04x}"))
            position += 1
    return lines
