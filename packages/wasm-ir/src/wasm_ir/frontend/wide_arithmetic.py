"""Sums, differences and products of 128 bits."""

from __future__ import annotations

from wasm_ir import opcodes as ir
from wasm_ir import types
from wasm_ir.frontend.state import State
from wasm_ir.ir import Inst


def add128(s: State, pos: int) -> int:
    """The sum of two numbers of 128 bits: (low, high) and (low, high)."""
    builder = s.builder
    low, high, right_low, right_high = _pop_two_pairs(s)
    sum_low = builder.binary(ir.IADD, types.I64, low, right_low)
    carry = builder.unary(ir.EXTEND_U, types.I64, builder.icmp(ir.LT_U, sum_low, right_low))
    sum_high = builder.binary(ir.IADD, types.I64, high, right_high)
    s.stack.extend((sum_low, builder.binary(ir.IADD, types.I64, sum_high, carry)))
    return pos


def sub128(s: State, pos: int) -> int:
    """The difference of two numbers of 128 bits."""
    builder = s.builder
    low, high, right_low, right_high = _pop_two_pairs(s)
    borrow = builder.unary(ir.EXTEND_U, types.I64, builder.icmp(ir.LT_U, low, right_low))
    difference_high = builder.binary(ir.ISUB, types.I64, high, right_high)
    difference_low = builder.binary(ir.ISUB, types.I64, low, right_low)
    s.stack.extend((difference_low, builder.binary(ir.ISUB, types.I64, difference_high, borrow)))
    return pos


def _pop_two_pairs(s: State) -> list[Inst]:
    operands = s.stack[-4:]
    del s.stack[-4:]
    return operands


def mul_wide_s(s: State, pos: int) -> int:
    return _mul_wide(s, pos, ir.MULHI_S)


def mul_wide_u(s: State, pos: int) -> int:
    return _mul_wide(s, pos, ir.MULHI_U)


def _mul_wide(s: State, pos: int, high: int) -> int:
    """Both halves of a product."""
    builder = s.builder
    right = s.stack.pop()
    left = s.stack.pop()
    low = builder.binary(ir.IMUL, types.I64, left, right)
    s.stack.extend((low, builder.binary(high, types.I64, left, right)))
    return pos
