"""Symbols: constants that stand for addresses."""

from __future__ import annotations

import pytest

from wasm_core.errors import CompileError
from wasm_ir import opcodes
from wasm_ir.builder import Builder
from wasm_ir.ir import ABI_C, SYMBOL_BASE, SYMBOL_SHIFT, Function, Signature
from wasm_ir.symbols import replace_symbols, symbol_number
from wasm_ir.types import I64


def test_numbers() -> None:
    assert symbol_number(SYMBOL_BASE) == 0
    assert symbol_number(SYMBOL_BASE + (3 << SYMBOL_SHIFT)) == 3
    assert symbol_number(12) == symbol_number(0x7FFF_FFFF_F000) == symbol_number((1 << 64) - 1) == -1
    with pytest.raises(CompileError, match="arithmetic on a symbol"):
        symbol_number(SYMBOL_BASE + 8)


def test_replacing() -> None:
    function = Function("test", Signature((I64,), (I64,)), ABI_C)
    b = Builder(function)
    entry, loop, end = b.new_block(), b.new_block(), b.new_block()
    parameter = b.append_param(entry, I64)
    value = b.append_param(end, I64)
    b.switch_to(entry)
    function.symbols = [0x1000, 0x2000]
    first, second = (b.const(I64, SYMBOL_BASE + (n << SYMBOL_SHIFT)) for n in range(2))
    other = b.const(I64, 77)
    b.store(opcodes.STORE, first, other, 0)
    b.brif(b.icmp(opcodes.EQ, parameter, second), loop, (), end, (first,))
    b.switch_to(loop)
    b.jump(end, (second,))
    b.switch_to(end)
    b.ret([value])
    replace_symbols(function)
    assert (first.imm, second.imm, other.imm) == (0x1000, 0x2000, 77)
    assert function.symbols == []
