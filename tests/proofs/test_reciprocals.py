"""Division by constants (`wasm_ir.reciprocals`) proved for all dividends, for many divisors.

A solver takes minutes for one product of 64 bits, so the proof has two parts. The multiplier: x * m >> k is x // d for
all x below 2**n if and only if 2**k <= m * d and it holds for the largest x below 2**n that leaves d - 1, because the
error x * (m * d - 2**k) grows with x and room for it is least there (Granlund & Montgomery 1994, theorem 4.2 and its
proof; Hacker's Delight, 10-9). That is arithmetic of integers, done here for each divisor. The instructions around the
multiplication are then proved by the solver, with the multiplication's result as it is by the first part.
"""

from __future__ import annotations

import random

import pytest

pytest.importorskip("z3", reason="the solver is installed by nox -s proofs")

import z3
from ir_meaning import meaning

from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.builder import Builder
from wasm_ir.folding import signed as to_signed
from wasm_ir.ir import Function, Inst, Signature
from wasm_ir.reciprocals import multiplier
from wasm_ir.testing.scalar_model import scalar
from wasm_ir.types import I32, I64

_TYPES = pytest.mark.parametrize("type", [I32, I64], ids=["i32", "i64"])


def divisors(width: int) -> list[int]:
    """All small ones, the neighbours of powers of two, factors of 2**n + 1, and some of no kind."""
    found = set(range(3, 5000))
    found |= {(1 << bit) + number for bit in range(2, width) for number in (-3, -2, -1, 1, 2, 3)}
    found |= {641, 6700417, 274177, 67280421310721, (1 << width) - 1, (1 << width) - 2, (1 << width - 1) + 1}
    pick = random.Random(width)
    found |= {pick.getrandbits(pick.randint(3, width)) for _ in range(3000)}
    return sorted(d for d in found if 2 < d < 1 << width and d & (d - 1))


def is_exact(m: int, k: int, d: int, n: int) -> bool:
    """Whether x * m >> k is x // d for all x below 2**n."""
    worst = (1 << n) // d * d - 1  # the largest that leaves d - 1
    return m * d >= 1 << k and worst * m >> k == worst // d and ((1 << n) - 1) * m >> k == ((1 << n) - 1) // d


@pytest.mark.parametrize("width", [5, 8, 10])
def test_the_criterion(width: int) -> None:
    """The criterion itself, against all dividends, also of multipliers that are wrong."""
    for d in range(1, 1 << width):
        for k in range(width, 2 * width + 1, 3):
            for m in range(max(0, (1 << k) // d - 1), (1 << k) // d + 3):
                every = all(x * m >> k == x // d for x in range(1 << width))
                if is_exact(m, k, d, width):
                    assert every, (d, m, k)
                elif m * d >= 1 << k:
                    assert not every, (d, m, k)
        if width == 10 and d > 80:
            break


@pytest.mark.parametrize("width", [32, 64])
def test_multipliers(width: int) -> None:
    for d in divisors(width):
        for precision in {width, width - 1, width - ((d & -d).bit_length() - 1)}:
            odd = d >> (width - precision) if precision < width - 1 else d
            if odd < 2 or not odd & (odd - 1):
                continue
            m, shift = multiplier(odd, width, precision)
            assert is_exact(m, width + shift, odd, precision), (d, precision)
            assert m < 1 << width + 1
            if precision == width - 1:
                # Of a negative x the floor of the product and one more is the quotient, rounded towards zero: the
                # same as (|x| * m - 1 >> k), negated. Where |x| is a multiple of d, only an error above 0 makes up for
                # the 1; otherwise it is what was proved, but for |x| = 2**(width - 1), which has no positive twin.
                k, lowest = width + shift, 1 << precision
                assert m * odd > 1 << k
                assert lowest * m - 1 >> k == lowest // odd


def _built(operation: int, type: int, divisor: int) -> tuple[Inst, Inst]:
    """What the builder makes of a division by a constant, and its dividend."""
    builder = Builder(Function("division", Signature((type,), (type,))))
    entry = builder.new_block()
    x = builder.append_param(entry, type)
    builder.switch_to(entry)
    return builder.binary(operation, type, x, builder.const(type, divisor)), x


def _worst(d: int, width: int) -> list[int]:
    """Dividends at which a multiplier that is not good enough shows it, and those at which instructions do."""
    top = (1 << width) - 1
    half = top >> 1
    found = {0, 1, d - 1, d, d + 1, top, half, half + 1, top // d * d, half // d * d}
    return sorted({number & top for x in found for number in (x - 1, x, x + 1, -x)})


@_TYPES
@pytest.mark.parametrize("operation", [op.DIV_S, op.DIV_U, op.REM_S, op.REM_U], ids=op.NAMES.__getitem__)
def test_instructions_at_the_worst_dividends(operation: int, type: int) -> None:
    width = types.BITS[type]
    signed = operation in (op.DIV_S, op.REM_S)
    for d in divisors(width)[::3]:
        for divisor in {d, -d & types.MASKS[type]} if signed else {d}:
            size = abs(to_signed(divisor, width)) if signed else divisor
            if not size & (size - 1):
                continue  # plus or minus a power of two: no multiplication
            made, x = _built(operation, type, divisor)
            assert made.op != operation
            for value in _worst(d, width):
                expected = scalar(operation, type, type, [value, divisor], 0)
                assert _evaluate(made, x, value) == expected, (operation, divisor, value)


def _evaluate(inst: Inst, x: Inst, value: int) -> int:
    if inst is x:
        return value
    if inst.op == op.CONST:
        return inst.imm
    arguments = [_evaluate(argument, x, value) for argument in inst.args]
    return scalar(inst.op, inst.type, inst.args[0].type, arguments, inst.imm)


def _products(inst: Inst) -> list[Inst]:
    """The multiplications by a reciprocal below an instruction."""
    found = [inst] if inst.op in (op.IMUL, op.MULHI_S, op.MULHI_U) and inst.type == I64 else []
    return found + [product for argument in inst.args for product in _products(argument)]


def _prove(*claims: z3.BoolRef) -> None:
    solver = z3.Solver()
    solver.set("timeout", 120_000)
    solver.add(*claims[:-1], z3.Not(claims[-1]))
    answer = solver.check()
    assert answer == z3.unsat, solver.model() if answer == z3.sat else answer


@pytest.mark.parametrize("divisor", [3, 5, 6, 7, 10, 14, 28, 641, 1000003, (1 << 31) - 1, (1 << 31) + 1, (1 << 32) - 1])
def test_unsigned_32_bits(divisor: int) -> None:
    """Around the product: what is cut off, and that no product overflows."""
    made, x = _built(op.DIV_U, I32, divisor)
    (product,) = _products(made)
    m = product.args[1].imm
    given = z3.BitVec("x", 32)
    multiplied = meaning(product.args[0], {x.id: given})
    whole = z3.ZeroExt(64, multiplied) * z3.BitVecVal(m, 128)
    if product.op == op.IMUL:
        _prove(z3.Extract(127, 64, whole) == 0)  # nothing is lost
    # The quotient as an integer is the upper part of the whole product, which fits in 32 bits, so `wrap` keeps it.
    twos = (
        0
        if product.args[0].op == op.EXTEND_U and product.args[0].args[0] is x
        else (divisor & -divisor).bit_length() - 1
    )
    _prove(multiplied == z3.ZeroExt(32, z3.LShR(given, twos)))
    k = 64 if product.op == op.MULHI_U else made.args[0].args[1].imm
    assert is_exact(m, k, divisor >> twos, 32 - twos)


_LONG = [d for d in (*range(3, 60, 2), 641, (1 << 63) + 1, (1 << 64) - 3) if multiplier(d, 64, 64)[0] >> 64]


@pytest.mark.parametrize("divisor", _LONG)
def test_the_long_way_of_unsigned_64_bits(divisor: int) -> None:
    """(x + high) >> shift with 65 bits is what x - high, halved, plus high gives: high is the product's upper half."""
    made, x = _built(op.DIV_U, I64, divisor)
    (product,) = {found.id: found for found in _products(made)}.values()
    known, high = z3.BitVec("x", 64), z3.BitVec("high", 64)
    term = meaning(made, {x.id: known, product.id: high})
    _, shift = multiplier(divisor, 64, 64)
    whole = z3.LShR(z3.ZeroExt(1, known) + z3.ZeroExt(1, high), shift)
    _prove(z3.ULE(high, known), z3.ZeroExt(1, term) == whole)


@pytest.mark.parametrize("divisor", [3, 7, -7, 10, -10, (1 << 62) + 1, 1 - (1 << 63)])
def test_signed_64_bits(divisor: int) -> None:
    """The multiplier as a signed number, and the sign of the quotient: floor of the product, plus one when x < 0."""
    made, x = _built(op.DIV_S, I64, divisor & types.MASKS[I64])
    (product,) = {found.id: found for found in _products(made)}.values()
    known, high = z3.BitVec("x", 64), z3.BitVec("high", 64)
    term = meaning(made, {x.id: known, product.id: high})
    m, shift = multiplier(abs(divisor), 64, 63)
    assert product.args[1].imm == m & types.MASKS[I64]
    # x * m = x * (m - 2**64) + 2**64 * x, so with a multiplier of 64 bits the upper half lacks x.
    upper = z3.SignExt(1, high) + (z3.SignExt(1, known) if m >> 63 else 0)
    in_range = upper == z3.SignExt(1, z3.Extract(63, 0, upper))
    floor = z3.Extract(63, 0, upper) >> shift
    towards_zero = z3.If(known < 0, floor + 1, floor)
    _prove(in_range, term == (-towards_zero if divisor < 0 else towards_zero))
