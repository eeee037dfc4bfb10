"""Folding and simplification against the definitions of the operations, on random expressions."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ir_interpreter import pure
from test_builder import start

from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.builder import Builder
from wasm_ir.folding import fold_binary, fold_fcmp, fold_unary
from wasm_ir.ir import Inst
from wasm_ir.testing.scalar_model import TrapError, from_float, to_float
from wasm_ir.types import F32, F64, I32, I64

_BINARY = list(range(op.IADD, op.ROTR + 1))
#: Constants at which rules change their mind.
_INTERESTING = [0, 1, 2, 3, 4, 7, 8, 16, 24, 31, 32, 48, 56, 63, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x7FFFFFFF, 1 << 31]
_INTERESTING += [(1 << 32) - 1, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, (1 << 64) - 8, (1 << 64) - 128]
_bits = st.one_of(st.sampled_from(_INTERESTING), st.integers(0, (1 << 64) - 1))


def evaluate(inst: Inst, params: dict[int, int]) -> int:
    """The value of an expression."""
    if inst.op == op.CONST:
        return inst.imm
    if inst.op == op.PARAM:
        return params[inst.id]
    return pure(inst, [evaluate(arg, params) for arg in inst.args])


class Expression:
    """A random expression: built with parameters and constants for leaves, with its value by definition beside it."""

    def __init__(self, data: st.DataObject) -> None:
        self.draw = data.draw
        self.builder, params = start(I32, I32, I64, I64)
        values = [self.draw(_bits) & types.MASKS[param.type] for param in params]
        self.params = {param.id: value for param, value in zip(params, values)}
        #: Type -> (instruction, its value).
        self.known: dict[int, list[tuple[Inst, int]]] = {I32: [], I64: []}
        for param, value in zip(params, values):
            self.known[param.type].append((param, value))

    def operand(self, type: int) -> tuple[Inst, int]:
        if self.draw(st.booleans()):
            bits = self.draw(_bits) & types.MASKS[type]
            return self.builder.const(type, bits), bits
        # The latest ones more often, so that expressions get deep.
        known = self.known[type]
        return known[-1 - self.draw(st.integers(0, min(3, len(known) - 1)))]

    def grow(self) -> None:
        kind = self.draw(st.sampled_from(("binary", "binary", "binary", "unary", "icmp", "eqz", "select")))
        type = self.draw(st.sampled_from((I32, I64)))
        x, a = self.operand(type)
        builder = self.builder
        if kind == "unary":
            operation, result = self.draw(st.sampled_from(_UNARY[type]))
            self.add(builder.unary(operation, result, x), pure(Inst(operation, result, [x], 0, 0, 0), [a]))
            return
        y, b = self.operand(type)
        if kind == "binary":
            operation = self.draw(st.sampled_from(_BINARY))
            try:
                expected = pure(Inst(operation, type, [x, y], 0, 0, 0), [a, b])
            except TrapError:
                return
            self.add(builder.binary(operation, type, x, y), expected)
        elif kind == "select":
            condition, c = self.operand(I32)
            self.add(builder.select(condition, x, y), a if c else b)
        else:
            condition_code = op.EQ if kind == "eqz" else self.draw(st.integers(0, 9))
            if kind == "eqz":
                y, b = builder.const(type, 0), 0
            expected = pure(Inst(op.ICMP, I32, [x, y], condition_code, 0, 0), [a, b])
            self.add(builder.icmp(condition_code, x, y), expected)

    def add(self, inst: Inst, expected: int) -> None:
        assert evaluate(inst, self.params) == expected
        self.known[inst.type].append((inst, expected))


_SAME = (op.CLZ, op.CTZ, op.POPCNT, op.SEXT8, op.SEXT16)
_UNARY: dict[int, list[tuple[int, int]]] = {
    I32: [*((operation, I32) for operation in _SAME), (op.EXTEND_S, I64), (op.EXTEND_U, I64)],
    I64: [*((operation, I64) for operation in _SAME), (op.SEXT32, I64), (op.WRAP, I32), (op.WRAP, I32)],
}


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_expressions_keep_their_value(data: st.DataObject) -> None:
    expression = Expression(data)
    for _ in range(data.draw(st.integers(1, 14))):
        expression.grow()


@pytest.mark.parametrize("type", [I32, I64])
@pytest.mark.parametrize("operation", _BINARY)
def test_every_binary_operation_at_the_edges(operation: int, type: int) -> None:
    mask = types.MASKS[type]
    numbers = sorted({bits & mask for bits in _INTERESTING})
    for a in numbers:
        for b in numbers:
            builder, (x,) = start(type)
            try:
                expected = pure(Inst(operation, type, [x, x], 0, 0, 0), [a, b])
            except TrapError:
                folded = builder.binary(operation, type, builder.const(type, a), builder.const(type, b))
                assert folded.op == operation, "what traps must stay"
                continue
            folded = builder.binary(operation, type, builder.const(type, a), builder.const(type, b))
            assert (folded.op, folded.imm) == (op.CONST, expected)
            assert evaluate(builder.binary(operation, type, x, builder.const(type, b)), {x.id: a}) == expected
            assert evaluate(builder.binary(operation, type, builder.const(type, a), x), {x.id: b}) == expected


@settings(max_examples=600, deadline=None)
@given(_bits, _bits, st.sampled_from((I32, I64)))
@example(7, (1 << 32) - 1, I32)
@example(7, (1 << 64) - 1, I64)
@example(28, (1 << 64) - 1, I64)
@example((1 << 63) + 1, 1 << 63, I64)
@example((1 << 64) - 7, 1 << 63, I64)
@example(2, 1 << 63, I64)
@example(1 << 31, 1 << 31, I32)
@example(1 << 63, (1 << 63) + 1, I64)
@example((1 << 32) - 64, 1 << 31, I32)
def test_division_by_a_constant_is_no_division(divisor: int, value: int, type: int) -> None:
    width = types.BITS[type]
    mask = types.MASKS[type]
    divisor &= mask
    signed_size = min(divisor, (1 << width) - divisor)
    for operation in (op.DIV_U, op.REM_U, op.DIV_S, op.REM_S):
        size = divisor if operation in (op.DIV_U, op.REM_U) else signed_size
        if size < 2:
            continue
        b, (x,) = start(type)
        result = b.binary(operation, type, x, b.const(type, divisor))
        assert operation not in [inst.op for inst in b.insts]
        # Multiples of the divisor, and their neighbours, are where an error would show.
        multiple = value // divisor * divisor
        for dividend in (value & mask, multiple & mask, multiple - 1 & mask, multiple + divisor - 1 & mask, mask):
            expected = pure(Inst(operation, type, [x, x], 0, 0, 0), [dividend, divisor])
            assert evaluate(result, {x.id: dividend}) == expected, (dividend, divisor)


def _is(inst: Inst, operation: int, *args: Inst | int) -> bool:
    found = [arg.imm if arg.op == op.CONST else arg for arg in inst.args]
    return inst.op == operation and found == list(args)


def test_identities() -> None:
    b, (x, y) = start(I32, I32)

    def c(value: int) -> Inst:
        return b.const(I32, value)

    for operation, neutral in ((op.IADD, 0), (op.ISUB, 0), (op.IMUL, 1), (op.OR, 0), (op.XOR, 0), (op.AND, -1)):
        assert b.binary(operation, I32, x, c(neutral)) is x
    for operation in (op.SHL, op.SHR_S, op.SHR_U, op.ROTL, op.ROTR):
        assert b.binary(operation, I32, x, c(32)) is x
        assert b.binary(operation, I32, c(0), x) is c(0)
    for operation in (op.IMUL, op.AND):
        assert b.binary(operation, I32, x, c(0)) is c(0)
    assert b.binary(op.XOR, I32, x, x) is b.binary(op.ISUB, I32, x, x) is c(0)
    assert b.binary(op.AND, I32, x, x) is b.binary(op.OR, I32, x, x) is x
    assert _is(b.binary(op.IADD, I32, c(5), x), op.IADD, x, 5)
    assert _is(b.binary(op.ISUB, I32, x, c(5)), op.IADD, x, -5 & 0xFFFFFFFF)
    assert _is(b.binary(op.IADD, I32, b.binary(op.IADD, I32, x, c(5)), c(6)), op.IADD, x, 11)
    assert _is(b.binary(op.IMUL, I32, x, c(8)), op.SHL, x, 3)
    assert _is(b.binary(op.DIV_U, I32, x, c(8)), op.SHR_U, x, 3)
    assert _is(b.binary(op.REM_U, I32, x, c(8)), op.AND, x, 7)
    assert b.binary(op.DIV_S, I32, x, c(8)).op == op.SHR_S
    assert b.binary(op.DIV_S, I32, x, c(-1)).op == op.DIV_S
    assert b.binary(op.DIV_S, I32, x, c(1)) is x
    assert b.select(x, y, y) is y
    assert b.select(c(0), x, y) is y
    assert b.select(b.icmp(op.LT_S, x, y), c(1), c(0)) is b.icmp(op.LT_S, x, y)
    assert _is(b.select(b.icmp(op.EQ, x, c(0)), x, y), op.SELECT, x, y, x)


def test_comparisons() -> None:
    b, (x, y) = start(I32, I32)
    zero = b.const(I32, 0)
    less = b.icmp(op.LT_S, x, y)
    assert b.icmp(op.EQ, less, zero) is b.icmp(op.GE_S, x, y)
    assert b.icmp(op.NE, less, zero) is less
    assert b.binary(op.XOR, I32, less, b.const(I32, 1)) is b.icmp(op.GE_S, x, y)
    assert _is(b.icmp(op.GT_S, b.const(I32, 5), x), op.ICMP, x, 5)
    assert b.icmp(op.GT_S, b.const(I32, 5), x).imm == op.LT_S
    assert b.icmp(op.LE_U, x, x) is b.const(I32, 1)
    assert b.icmp(op.LT_U, x, zero) is zero
    floats = start(F64, F64)
    b, (f, g) = floats
    # !(f < g) is not f >= g: either may be NaN.
    assert b.icmp(op.EQ, b.fcmp(op.FLT, f, g), b.const(I32, 0)).op == op.ICMP
    assert b.icmp(op.EQ, b.fcmp(op.FEQ, f, g), b.const(I32, 0)) is b.fcmp(op.FNE, f, g)


def test_extensions() -> None:
    b, (x, wide) = start(I32, I64)
    assert b.unary(op.WRAP, I32, b.unary(op.EXTEND_U, I64, x)) is x
    assert b.unary(op.WRAP, I32, b.unary(op.EXTEND_S, I64, x)) is x
    assert _is(b.unary(op.EXTEND_U, I64, b.unary(op.WRAP, I32, wide)), op.AND, wide, 0xFFFFFFFF)
    assert _is(b.unary(op.EXTEND_S, I64, b.unary(op.WRAP, I32, wide)), op.SEXT32, wide)
    for type, value, count, expected in (
        (I32, x, 24, op.SEXT8),
        (I32, x, 16, op.SEXT16),
        (I64, wide, 56, op.SEXT8),
        (I64, wide, 48, op.SEXT16),
        (I64, wide, 32, op.SEXT32),
    ):
        by = b.const(type, count)
        shifted = b.binary(op.SHL, type, value, by)
        assert _is(b.binary(op.SHR_S, type, shifted, by), expected, value)
    byte = b.load(op.HEAP_LOAD8_U, I32, wide, 0)
    assert b.binary(op.AND, I32, byte, b.const(I32, 0xFF)) is byte
    assert b.binary(op.AND, I32, byte, b.const(I32, 0x7F)) is not byte
    assert b.unary(op.SEXT16, I32, byte) is byte
    assert b.unary(op.SEXT8, I32, byte) is not byte


def test_long_chains_do_not_recurse() -> None:
    """Rules that take apart their operand must not follow it all the way."""
    b, (x, y) = start(I32, I32)
    for _ in range(5000):
        x = b.binary(op.XOR, I32, b.binary(op.IADD, I32, x, b.const(I32, 5)), b.const(I32, 9))
        b.icmp(op.EQ, x, b.const(I32, 9))
        y = b.binary(op.ISUB, I32, b.const(I32, 0), y)
        b.icmp(op.EQ, y, b.const(I32, 0))


# Floats.

_DOUBLES = st.floats(allow_nan=True, allow_infinity=True)
_SINGLES = st.floats(allow_nan=True, allow_infinity=True, width=32)


@settings(max_examples=300, deadline=None)
@given(_DOUBLES, _DOUBLES, _SINGLES, _SINGLES)
def test_float_arithmetic_folds_to_the_same_bits(a: float, b: float, c: float, d: float) -> None:
    for type, x, y in ((F64, a, b), (F32, c, d)):
        first, second = _raw(type, x), _raw(type, y)
        for operation in (op.FADD, op.FSUB, op.FMUL, op.FDIV, op.FCOPYSIGN):
            folded = fold_binary(operation, type, first, second)
            if folded is not None:
                expected = pure(Inst(operation, type, [_leaf(type)] * 2, 0, 0, 0), [first, second])
                assert folded == expected
                assert operation == op.FCOPYSIGN or not math.isnan(to_float(type, folded))
        for operation in (op.FSQRT, op.FNEG, op.FABS):
            folded = fold_unary(operation, type, type, first)
            if folded is not None:
                assert folded == pure(Inst(operation, type, [_leaf(type)], 0, 0, 0), [first])
        for condition in range(6):
            expected = pure(Inst(op.FCMP, I32, [_leaf(type)] * 2, condition, 0, 0), [first, second])
            assert fold_fcmp(condition, type, first, second) == expected


@settings(max_examples=300, deadline=None)
@given(_bits, _DOUBLES)
def test_conversions_fold_to_the_same_bits(bits: int, number: float) -> None:
    cases = [(operation, to, type) for operation in (op.ITOF_S, op.ITOF_U) for to in (F32, F64) for type in (I32, I64)]
    for operation, to, type in cases:
        _check_conversion(operation, to, type, bits & types.MASKS[type])
    _check_conversion(op.DEMOTE, F32, F64, _raw(F64, number))
    single = from_float(F32, number)
    _check_conversion(op.PROMOTE, F64, F32, single)
    for operation in range(op.FTOI_S, op.FTOI_SAT_U + 1):
        for to in (I32, I64):
            _check_conversion(operation, to, F64, _raw(F64, number))
            _check_conversion(operation, to, F32, single)


def _check_conversion(operation: int, to: int, type: int, bits: int) -> None:
    folded = fold_unary(operation, to, type, bits)
    if folded is not None:
        assert folded == pure(Inst(operation, to, [_leaf(type)], 0, 0, 0), [bits])


def test_nan_is_left_to_the_processor() -> None:
    nan = 0x7FF8 << 48
    one = 0x3FF0 << 48
    infinity = 0x7FF0 << 48
    assert fold_binary(op.FADD, F64, nan, one) is None
    assert fold_binary(op.FSUB, F64, infinity, infinity) is None
    assert fold_binary(op.FDIV, F64, 0, 0) is None
    assert fold_unary(op.FSQRT, F64, F64, one | 1 << 63) is None
    assert fold_unary(op.PROMOTE, F64, F32, 0x7FC00000) is None
    # Signs are bits, of NaNs too.
    assert fold_unary(op.FNEG, F64, F64, nan) == nan | 1 << 63


def test_float_identities_are_not_used() -> None:
    """x + 0 is not x for -0, nor x * 1 for a signalling NaN."""
    b, (x,) = start(F64)
    for operation, bits in ((op.FADD, 0), (op.FMUL, 0x3FF0 << 48), (op.FSUB, 0)):
        assert b.binary(operation, F64, x, b.const(F64, bits)).op == operation
    assert b.fcmp(op.FEQ, x, x).op == op.FCMP


def _raw(type: int, value: float) -> int:
    return int.from_bytes(struct.pack("<f" if type == F32 else "<d", value), "little")


def _leaf(type: int) -> Inst:
    return Inst(op.PARAM, type, [], 0, 0, 0)


def test_commutative_operations_put_the_constant_on_the_right() -> None:
    b: Builder
    b, (x,) = start(F64)
    constant = b.const(F64, 0x4000 << 48)
    assert b.binary(op.FADD, F64, constant, x).args == [x, constant]
    assert b.binary(op.FSUB, F64, constant, x).args == [constant, x]
