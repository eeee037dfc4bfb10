"""Vector operations that are simplified while they are built mean what was asked for; and what they become."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest
from ir_interpreter import pure

from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.builder import Builder
from wasm_ir.ir import Function, Inst, Signature
from wasm_ir.opcodes import F32X4, F64X2, HIGH_HALF, I8X16, I16X8, I32X4, I64X2
from wasm_ir.printer import format_function
from wasm_ir.simplify_vectors import bitwise
from wasm_ir.testing import vector_model as model
from wasm_ir.verifier import VECTOR_RULES, verify

V128, I32, F32 = types.V128, types.I32, types.F32
ONES = types.MASKS[V128]

_KINDS = {"v": V128, "i": I32}
#: Constants whose lanes are something special.
_SPECIAL = [
    0,
    ONES,
    *(n * sum(1 << at for at in range(0, 128, w)) for w in (8, 16, 32, 64) for n in (1, 2, 1 << w - 1)),
]


class Expression:
    """A value that is built, and what it should be."""

    def __init__(self, inst: Inst, bits: int) -> None:
        self.inst = inst
        self.bits = bits


class Machine:
    """Builds random operations on parameters and constants."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        signature = Signature((V128, V128, V128, I32, types.I64, F32, types.F64), ())
        self.function = Function("random", signature)
        self.b = Builder(self.function)
        block = self.b.new_block()
        self.params = [self.b.append_param(block, type) for type in signature.params]
        self.b.switch_to(block)
        self.values: dict[int, list[Expression]] = {type: [] for type in range(len(types.NAMES))}
        self.bits = {param.id: self.random_bits(param.type) for param in self.params}
        for param in self.params:
            self.values[param.type].append(Expression(param, self.bits[param.id]))

    def random_bits(self, type: int) -> int:
        if type == V128 and self.rng.random() < 0.5:
            return self.rng.choice(_SPECIAL)
        if self.rng.random() < 0.3:
            return self.rng.choice([0, 1, 7, 16, 31, 1 << types.BITS[type] - 1]) & types.MASKS[type]
        return self.rng.getrandbits(types.BITS[type])

    def pick(self, type: int) -> Expression:
        if self.rng.random() < 0.3:
            bits = self.random_bits(type)
            return Expression(self.b.const(type, bits), bits)
        return self.rng.choice(self.values[type][-4:] + self.values[type][:2])

    def step(self) -> None:
        rng = self.rng
        operation = rng.choice([op.V_SHUFFLE, op.V_SHUFFLE, op.V_NOT, op.V_ICMP, op.AND, op.XOR, *VECTOR_RULES])
        if operation in (op.AND, op.OR, op.XOR):
            x, y = self.pick(V128), self.pick(V128)
            bits = {op.AND: x.bits & y.bits, op.OR: x.bits | y.bits, op.XOR: x.bits ^ y.bits}[operation]
            self.values[V128].append(Expression(bitwise(self.b, operation, x.inst, y.inst), bits))
            return
        if operation == op.V_SHUFFLE:
            result, operands, count = V128, [V128, V128], 1
            numbers = rng.choices(rng.choice([range(32), range(16), range(16, 32)]), k=16)
            if rng.random() < 0.3:
                # Lanes that are only brought down.
                start = rng.randrange(0, 32, 4)
                numbers[:8] = [(start + n) % 32 for n in range(8)]
            imm = int.from_bytes(numbers, "little")
        else:
            kind, kinds, shapes, count = VECTOR_RULES[operation]
            shape = rng.choice(shapes)
            imm = shape | rng.randrange(count or op.SHAPE_LANES[shape]) << op.SHAPE_SHIFT
            if operation == op.V_ICMP and shape == I64X2:
                imm = shape | rng.choice([op.EQ, op.NE, op.LT_S, op.GE_S, op.GT_S, op.LE_S]) << op.SHAPE_SHIFT
            of = {**_KINDS, "s": op.SHAPE_TYPES[shape]}
            result, operands = of[kind], [of[letter] for letter in kinds]
        args = [self.pick(type) for type in operands]
        expected = model.vector(operation, imm, [arg.bits for arg in args])
        inst = self.b.vector(operation, result, imm, [arg.inst for arg in args])
        assert inst.type == result
        self.values[result].append(Expression(inst, expected))

    def evaluate(self) -> dict[int, int]:
        """What the instructions that were built give."""
        known = dict(self.bits)

        def value(inst: Inst) -> int:
            return inst.imm if inst.op == op.CONST else known[inst.id]

        for inst in self.function.blocks[0].insts:
            known[inst.id] = pure(inst, [value(arg) for arg in inst.args])
        return known


@pytest.mark.parametrize("seed", range(150))
def test_random_operations(seed: int) -> None:
    machine = Machine(seed)
    for _ in range(60):
        machine.step()
    machine.b.ret([])
    verify(machine.function)
    known = machine.evaluate()
    for type, values in machine.values.items():
        for expression in values:
            inst = expression.inst
            found = inst.imm if inst.op == op.CONST else known[inst.id]
            assert found == expression.bits, f"{types.NAMES[type]} {inst}\n{format_function(machine.function)}"


# What becomes of operations. Functions take two vectors x, y, an i32 i and an f32 f.


def built(build: Callable[[Builder, Inst, Inst, Inst, Inst], Inst]) -> str:
    function = Function("f", Signature((V128, V128, I32, F32), ()))
    b = Builder(function)
    block = b.new_block()
    x, y, i, f = [b.append_param(block, type) for type in function.signature.params]
    b.switch_to(block)
    result = build(b, x, y, i, f)
    function.signature = Signature((V128, V128, I32, F32), (result.type,))
    b.ret([result])
    verify(function)
    lines = format_function(function).splitlines()
    return "\n".join(line.strip() for line in lines[2:-1])


def shuffle(b: Builder, numbers: list[int], x: Inst, y: Inst) -> Inst:
    return b.vector(op.V_SHUFFLE, V128, int.from_bytes(bytes(numbers), "little"), [x, y])


def extend(b: Builder, shape: int, x: Inst) -> Inst:
    return b.vector(op.V_EXTEND_U, V128, shape, [x])


FIRST = list(range(16))

CASES: list[tuple[Callable[[Builder, Inst, Inst, Inst, Inst], Inst], str]] = [
    (lambda b, x, y, i, f: b.vector(op.V_SPLAT, V128, I16X8, [b.const(I32, -1)]), f"return {ONES:#x}:v128"),
    (
        lambda b, x, y, i, f: b.vector(op.V_EXTRACT_U, F32, F32X4 | 1 << 3, [b.vector(op.V_SPLAT, V128, F32X4, [f])]),
        "v4 = v_splat.f32x4 v3\nreturn v3",
    ),
    (lambda b, x, y, i, f: shuffle(b, FIRST, x, y), "return v0"),
    (lambda b, x, y, i, f: shuffle(b, [n + 16 for n in FIRST], x, y), "return v1"),
    (
        lambda b, x, y, i, f: shuffle(b, [n ^ 17 for n in FIRST], x, y),
        "v4 = v_shuffle [1 0 3 2 5 4 7 6 9 8 11 10 13 12 15 14] v1, v1\nreturn v4",
    ),
    (
        lambda b, x, y, i, f: shuffle(b, [n ^ (16 if n % 2 == 0 else 0) for n in FIRST], x, y),
        "v4 = v_shuffle [0 17 2 19 4 21 6 23 8 25 10 27 12 29 14 31] v1, v0\nreturn v4",
    ),
    (
        lambda b, x, y, i, f: b.vector(
            op.V_SWIZZLE, V128, 0, [x, b.const(V128, 0x0F0E0D0C_0B0A0908_07060504_030201FF)]
        ),
        # Numbers beyond the vector are bytes of zeros.
        "v4 = v_shuffle [0 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31] 0x0:v128, v0\nreturn v4",
    ),
    (
        lambda b, x, y, i, f: bitwise(b, op.AND, b.vector(op.V_NOT, V128, 0, [x]), y),
        "v4 = v_not v0\nv5 = v_andnot v1, v0\nreturn v5",
    ),
    (
        lambda b, x, y, i, f: bitwise(b, op.XOR, bitwise(b, op.XOR, x, b.const(V128, -1)), b.const(V128, -1)),
        "v4 = v_not v0\nreturn v0",
    ),
    (lambda b, x, y, i, f: b.vector(op.V_BITSELECT, V128, 0, [x, y, b.const(V128, -1)]), "return v0"),
    (
        lambda b, x, y, i, f: b.vector(op.V_BITSELECT, V128, 0, [x, b.const(V128, 0), y]),
        "v4 = and.v128 v0, v1\nreturn v4",
    ),
    (lambda b, x, y, i, f: b.vector(op.V_SHL, V128, I8X16, [x, b.const(I32, 8)]), "return v0"),
    (
        lambda b, x, y, i, f: b.vector(op.V_SHL, V128, I8X16, [x, b.const(I32, 11)]),
        "v4 = v_shl.i8x16 v0, 3:i32\nreturn v4",
    ),
    (
        lambda b, x, y, i, f: b.vector(op.V_MUL, V128, I64X2, [b.const(V128, 8 << 64 | 8), x]),
        "v4 = v_shl.i64x2 v0, 3:i32\nreturn v4",
    ),
    (
        lambda b, x, y, i, f: b.vector(op.V_REPLACE, V128, I32X4, [b.const(V128, 0), i]),
        "v4 = v_low.i32x4 v2\nreturn v4",
    ),
    (
        lambda b, x, y, i, f: b.vector(op.V_SPLAT, V128, I16X8, [b.vector(op.V_EXTRACT_S, I32, I16X8 | 3 << 3, [x])]),
        "v4 = v_extract_s.i16x8[3] v0\nv5 = v_shuffle [6 7 6 7 6 7 6 7 6 7 6 7 6 7 6 7] v0, v0\nreturn v5",
    ),
    (
        lambda b, x, y, i, f: b.vector(
            op.V_ALL_TRUE, I32, I32X4, [b.vector(op.V_ICMP, V128, I32X4, [x, b.const(V128, 0)])]
        ),
        "v4 = v_icmp.i32x4 eq v0, 0x0:v128\nv5 = v_any_true v0\nv6 = icmp.i32 eq v5, 0:i32\nreturn v6",
    ),
    (
        lambda b, x, y, i, f: b.icmp(op.NE, b.vector(op.V_ANY_TRUE, I32, 0, [x]), b.const(I32, 0)),
        "v4 = v_any_true v0\nreturn v4",
    ),
    (
        lambda b, x, y, i, f: b.binary(op.AND, I32, b.vector(op.V_EXTRACT_U, I32, I8X16, [x]), b.const(I32, 255)),
        "v4 = v_extract_u.i8x16[0] v0\nreturn v4",
    ),
    (
        lambda b, x, y, i, f: b.vector(op.V_EXTMUL_S, V128, I16X8 | HIGH_HALF, [x, y]),
        "v4 = v_extmul_s.i16x8 high v0, v1\nreturn v4",
    ),
    (
        # The upper half, brought down.
        lambda b, x, y, i, f: extend(b, I32X4, shuffle(b, [24, 25, 26, 27, 28, 29, 30, 31, *[0] * 8], x, y)),
        "v4 = v_shuffle [8 9 10 11 12 13 14 15 16 16 16 16 16 16 16 16] v1, v0\n"
        "v5 = v_extend_u.i32x4 high v1\nreturn v5",
    ),
    (
        # The second and the last quarter.
        lambda b, x, y, i, f: bitwise(
            b,
            op.OR,
            extend(b, I32X4, extend(b, I16X8, shuffle(b, [4, 5, 6, 7, *[0] * 12], x, x))),
            extend(b, I32X4, extend(b, I16X8, shuffle(b, [12, 13, 14, 15, *[0] * 12], x, x))),
        ),
        "v4 = v_shuffle [4 5 6 7 0 0 0 0 0 0 0 0 0 0 0 0] v0, v0\n"
        "v5 = v_extend_u.i16x8 low v4\n"
        "v6 = v_extend_u.i16x8 low v0\n"
        "v7 = v_extend_u.i32x4 high v6\n"
        "v8 = v_shuffle [12 13 14 15 0 0 0 0 0 0 0 0 0 0 0 0] v0, v0\n"
        "v9 = v_extend_u.i16x8 low v8\n"
        "v10 = v_extend_u.i16x8 high v0\n"
        "v11 = v_extend_u.i32x4 high v10\n"
        "v12 = or.v128 v7, v11\nreturn v12",
    ),
    (
        lambda b, x, y, i, f: b.vector(op.V_FCMP, V128, F64X2 | op.FGE << 3, [x, y]),
        "v4 = v_fcmp.f64x2 ge v0, v1\nreturn v4",
    ),
]


@pytest.mark.parametrize("number", range(len(CASES)))
def test_what_operations_become(number: int) -> None:
    build, expected = CASES[number]
    assert built(build) == expected


def test_relaxed_choices_are_left_to_the_machine() -> None:
    """Whether number 16 gives 0 or byte 0 must be the same here and where the numbers are not known."""
    for numbers, folded in ((0x10, False), (0x7F, False), (0xFF, True), (0x0F, True)):
        text = built(lambda b, x, y, i, f, n=numbers: b.vector(op.V_RELAXED_SWIZZLE, V128, 0, [x, b.const(V128, n)]))
        assert ("v_relaxed_swizzle" in text) != folded


def test_long_chains_are_fast() -> None:
    """Rules look back along operations of the same kind, but not to the start of a long chain."""
    function = Function("f", Signature((V128, I32), ()))
    b = Builder(function)
    block = b.new_block()
    x, i = b.append_param(block, V128), b.append_param(block, I32)
    b.switch_to(block)
    zero = b.const(V128, 0)
    start = time.process_time()
    for _ in range(3000):
        for shape in (I8X16, I16X8):
            x = b.vector(op.V_ICMP, V128, shape | op.NE << 3, [x, zero])
            b.vector(op.V_ANY_TRUE, I32, 0, [x])
            x = b.vector(op.V_REPLACE, V128, I8X16, [x, i])
            b.vector(op.V_EXTRACT_U, I32, I8X16 | 5 << 3, [x])
            x = b.vector(op.V_NOT, V128, 0, [bitwise(b, op.AND, b.vector(op.V_NOT, V128, 0, [x]), x)])
            x = shuffle(b, FIRST[::-1], shuffle(b, FIRST[::-1], x, x), zero)
            extend(b, I32X4, extend(b, I16X8, x))
    for number in range(3000):
        x = b.vector(op.V_REPLACE, V128, I8X16, [x, b.binary(op.IADD, I32, i, b.const(I32, number))])
        b.vector(op.V_EXTRACT_U, I32, I8X16 | 5 << 3, [x])
    for number in range(3000):
        x = b.vector(op.V_ICMP, V128, (I8X16, I16X8)[number % 2] | op.NE << 3, [x, zero])
    b.vector(op.V_ANY_TRUE, I32, 0, [x])
    assert time.process_time() - start < 5
