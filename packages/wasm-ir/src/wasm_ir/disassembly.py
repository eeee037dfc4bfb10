"""Disassembly for people, by capstone where it is installed."""

from __future__ import annotations


def disassemble(code: bytes, address: int, architecture: str, mode: str) -> list[tuple[int, bytes, str]] | None:
    """Instructions as (address, bytes, text); bytes that are no instruction become ".byte" lines.

    Args:
        code: Machine code.
        address: Where it runs.
        architecture, mode: The names of capstone's constants.

    Returns:
        None when capstone is not installed.
    """
    # Imported here: it takes longer than the rest of a backend, and only tools need it.
    try:
        import capstone
    except ImportError:  # an optional dependency: the extra `disassembler` of a backend
        return None
    decoder = capstone.Cs(getattr(capstone, architecture), getattr(capstone, mode))
    decoder.skipdata = True
    return [
        (at, code[at - address : at - address + size], f"{mnemonic} {operands}".rstrip())
        for at, size, mnemonic, operands in decoder.disasm_lite(code, address)
    ]
