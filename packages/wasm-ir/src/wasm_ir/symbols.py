"""Symbols: constants in a function that stand for addresses of the process (`ir.SYMBOL_BASE`)."""

from __future__ import annotations

from wasm_core.errors import CompileError
from wasm_ir.ir import SYMBOL_BASE, SYMBOL_SHIFT, Branch, Function, Inst
from wasm_ir.opcodes import CONST


def symbol_number(bits: int) -> int:
    """The number of the symbol that a constant in a function with symbols stands for; -1 for other constants.

    Raises CompileError for what must have come from arithmetic on a symbol.
    """
    if bits >> 48 != SYMBOL_BASE >> 48:
        return -1
    offset = bits - SYMBOL_BASE
    if offset & ((1 << SYMBOL_SHIFT) - 1):
        raise CompileError("arithmetic on a symbol: its address is only known when the code is placed")
    return offset >> SYMBOL_SHIFT


def replace_symbols(function: Function) -> None:
    """Turn the symbols of a function into the constants that they stand for: its code will be good for this process."""
    symbols = function.symbols
    for block in function.blocks:
        insts = block.insts if block.terminator is None else [*block.insts, block.terminator]
        for inst in insts:
            for value in inst.args:
                _replace(value, symbols)
            if isinstance(inst, Branch):
                for edge in inst.targets:
                    for value in edge.args:
                        _replace(value, symbols)
    function.symbols = []


def _replace(value: Inst, symbols: list[int]) -> None:
    number = symbol_number(value.imm) if value.op == CONST and symbols else -1
    if number >= 0:
        value.imm = symbols[number]
