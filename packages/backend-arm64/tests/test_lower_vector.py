"""Instruction selection for vectors: what is folded into what. Nothing here is executed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import pytest

from wasm_backend_arm64 import Arm64Backend
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.builder import Builder
from wasm_ir.ir import Inst, Signature
from wasm_ir.opcodes import F32X4, F64X2, HIGH_HALF, I8X16, I16X8, I32X4, I64X2
from wasm_ir.testing.native_code import build, pointer, raw

I32, I64, F32, F64, V128 = types.I32, types.I64, types.F32, types.F64, types.V128
ONES = types.MASKS[V128]
LOW_BYTES = ONES // 0xFFFF * 0xFF

#: Functions take three vectors (v0, v1, v2), an i32 (w0), an address (x1) and an f32 (s3).
SIGNATURE = (V128, V128, V128, I32, I64, F32)

_Body = Callable[..., Inst | None]


def code(body: _Body, features: Sequence[str] = ()) -> list[str]:
    """Disassembly without prologue, epilogue and what is behind."""
    result: list[int] = []

    def built(b: Builder, p: list[Inst]) -> list[Inst]:
        made = body(b, *p)
        result[:] = [] if made is None else [made.type]
        return [] if made is None else [made]

    build(Signature(SIGNATURE, ()), built)
    backend = Arm64Backend(features)
    compiled = backend.compile(build(Signature(SIGNATURE, tuple(result)), built))
    lines = backend.disassemble(compiled.code[compiled.entry :], compiled.entry)
    if lines is None:
        pytest.skip("capstone is not installed")
    # Where the pool is does not matter.
    texts = [re.sub(r"^(ldr \w+), #\w+$", r"\1, =", text) for _, _, text in lines]
    return [text for text in texts[2 : texts.index("ret")] if not text.startswith("ldp x29, x30")]


def v(b: Builder, operation: int, imm: int, *args: Inst) -> Inst:
    return raw(b, operation, V128, args, imm)


def const(b: Builder, bits: int) -> Inst:
    return b.const(V128, bits)


def count(b: Builder, number: int) -> Inst:
    return b.const(I32, number)


def test(b: Builder, operation: int, imm: int, x: Inst) -> Inst:
    return raw(b, operation, I32, [x], imm)


test.__test__ = False  # type: ignore[attr-defined]


def shuffle(b: Builder, numbers: Sequence[int], x: Inst, y: Inst) -> Inst:
    return v(b, op.V_SHUFFLE, int.from_bytes(bytes(numbers), "little"), x, y)


def compare(b: Builder, shape: int, condition: int, x: Inst, y: Inst) -> Inst:
    return v(b, op.V_FCMP if shape >= F32X4 else op.V_ICMP, shape | condition << op.SHAPE_SHIFT, x, y)


def load(b: Builder, operation: int, type: int, address: Inst, offset: int = 0) -> Inst:
    return b.load(operation, type, address, offset)


def rotated(b: Builder, shape: int, x: Inst, number: int) -> Inst:
    bits = op.SHAPE_BITS[shape]
    left = v(b, op.V_SHL, shape, x, count(b, number))
    return v(b, op.OR, 0, left, v(b, op.V_SHR_U, shape, x, count(b, bits - number)))


ARITHMETIC: list[tuple[_Body, list[str]]] = [
    # Products and others that are added to something, or subtracted.
    (
        lambda b, x, y, z, i, p, f: v(b, op.V_ADD, I32X4, v(b, op.V_MUL, I32X4, x, y), z),
        ["mla v2.4s, v0.4s, v1.4s", "mov v0.16b, v2.16b"],
    ),
    (lambda b, x, y, z, i, p, f: v(b, op.V_SUB, I16X8, x, v(b, op.V_MUL, I16X8, y, z)), ["mls v0.8h, v1.8h, v2.8h"]),
    (
        lambda b, x, y, z, i, p, f: v(b, op.V_ADD, I32X4, x, v(b, op.V_EXTMUL_S, I32X4 | HIGH_HALF, y, z)),
        ["smlal2 v0.4s, v1.8h, v2.8h"],
    ),
    (lambda b, x, y, z, i, p, f: v(b, op.V_ADD, I16X8, x, v(b, op.V_EXTADD_U, I16X8, y)), ["uadalp v0.8h, v1.16b"]),
    (
        lambda b, x, y, z, i, p, f: v(b, op.V_ADD, I64X2, x, v(b, op.V_SHR_S, I64X2, y, count(b, 5))),
        ["ssra v0.2d, v1.2d, #5"],
    ),
    # What is extended first.
    (
        lambda b, x, y, z, i, p, f: v(b, op.V_ADD, I16X8, x, v(b, op.V_EXTEND_U, I16X8, y)),
        ["uaddw v0.8h, v0.8h, v1.8b"],
    ),
    (
        lambda b, x, y, z, i, p, f: v(
            b, op.V_SUB, I32X4, v(b, op.V_EXTEND_S, I32X4 | 8, x), v(b, op.V_EXTEND_S, I32X4 | 8, y)
        ),
        ["ssubl2 v0.4s, v0.8h, v1.8h"],
    ),
    (
        lambda b, x, y, z, i, p, f: v(b, op.V_MUL, I64X2, v(b, op.V_EXTEND_U, I64X2, x), v(b, op.V_EXTEND_U, I64X2, y)),
        ["umull v0.2d, v0.2s, v1.2s"],
    ),
    (
        lambda b, x, y, z, i, p, f: v(b, op.V_SHL, I32X4, v(b, op.V_EXTEND_U, I32X4, x), count(b, 7)),
        ["ushll v0.4s, v0.4h, #7"],
    ),
    (
        lambda b, x, y, z, i, p, f: v(b, op.V_EXTEND_S, I16X8, v(b, op.V_LOW, F64X2, load(b, op.LOAD, F64, p, 8))),
        ["ldr d0, [x1, #8]", "sshll v0.8h, v0.8b, #0"],
    ),
    # Shifts.
    (
        lambda b, x, y, z, i, p, f: v(b, op.V_SHR_S, I16X8, x, i),
        ["and w0, w0, #0xf", "neg w0, w0", "dup v1.8h, w0", "sshl v0.8h, v0.8h, v1.8h"],
    ),
    (
        lambda b, x, y, z, i, p, f: rotated(b, I32X4, x, 7),
        ["shl v1.4s, v0.4s, #7", "sri v1.4s, v0.4s, #0x19", "mov v0.16b, v1.16b"],
    ),
    (lambda b, x, y, z, i, p, f: rotated(b, I32X4, x, 16), ["rev32 v0.8h, v0.8h"]),
    (lambda b, x, y, z, i, p, f: rotated(b, I64X2, x, 32), ["rev64 v0.4s, v0.4s"]),
    # Differences, in the ways in which programs must write them.
    (
        lambda b, x, y, z, i, p, f: v(b, op.V_SUB, I8X16, v(b, op.V_MAX_U, I8X16, x, y), v(b, op.V_MIN_U, I8X16, y, x)),
        ["uabd v0.16b, v0.16b, v1.16b"],
    ),
    (
        lambda b, x, y, z, i, p, f: v(
            b, op.OR, 0, v(b, op.V_SUB_SAT_U, I16X8, x, y), v(b, op.V_SUB_SAT_U, I16X8, y, x)
        ),
        ["uabd v0.8h, v0.8h, v1.8h"],
    ),
    # Halves of lanes, which need not be saturated.
    (
        lambda b, x, y, z, i, p, f: v(
            b, op.V_NARROW_U, I8X16, v(b, op.AND, 0, x, const(b, LOW_BYTES)), v(b, op.AND, 0, y, const(b, LOW_BYTES))
        ),
        ["uzp1 v0.16b, v0.16b, v1.16b"],
    ),
    (
        lambda b, x, y, z, i, p, f: v(
            b,
            op.V_NARROW_U,
            I16X8,
            v(b, op.V_SHR_U, I32X4, x, count(b, 16)),
            v(b, op.V_SHR_U, I32X4, y, count(b, 16)),
        ),
        ["uzp2 v0.8h, v0.8h, v1.8h"],
    ),
    # One lane of a vector, or a scalar, as a factor.
    (
        lambda b, x, y, z, i, p, f: v(b, op.V_FMUL, F32X4, v(b, op.V_SPLAT, F32X4, f), x),
        ["fmul v0.4s, v0.4s, v3.s[0]"],
    ),
    (
        lambda b, x, y, z, i, p, f: v(b, op.V_RELAXED_NMADD, F64X2, y, shuffle(b, [*range(8, 16)] * 2, z, z), x),
        ["fmls v0.2d, v1.2d, v2.d[1]"],
    ),
    # Halves of the constant, and not the instructions that would take it apart.
    (
        lambda b, x, y, z, i, p, f: v(b, op.V_MUL, I64X2, x, const(b, 0x1234_5678_9ABC_DEF0_1111_2222_3333_4444)),
        [
            *("ldr q1, =", "ldr d2, =", "mul v1.4s, v1.4s, v0.4s", "uaddlp v1.2d, v1.4s"),
            *("shl v1.2d, v1.2d, #0x20", "xtn v0.2s, v0.2d", "umlal v1.2d, v0.2s, v2.2s", "mov v0.16b, v1.16b"),
        ],
    ),
]
BITS: list[tuple[_Body, list[str]]] = [
    (
        lambda b, x, y, z, i, p, f: v(b, op.AND, 0, x, const(b, ONES - (0xFF << 16) * (ONES // 0xFFFF_FFFF))),
        ["bic v0.4s, #0xff, lsl #16"],
    ),
    (lambda b, x, y, z, i, p, f: v(b, op.OR, 0, x, const(b, 0x80 * (ONES // 0xFFFF))), ["orr v0.8h, #0x80"]),
    (lambda b, x, y, z, i, p, f: v(b, op.OR, 0, v(b, op.V_NOT, 0, x), y), ["orn v0.16b, v1.16b, v0.16b"]),
    # Not equal is what equal is not.
    (
        lambda b, x, y, z, i, p, f: v(b, op.AND, 0, compare(b, I8X16, op.NE, x, y), z),
        ["cmeq v0.16b, v0.16b, v1.16b", "bic v0.16b, v2.16b, v0.16b"],
    ),
    (
        lambda b, x, y, z, i, p, f: v(b, op.V_BITSELECT, 0, x, y, compare(b, F32X4, op.FNE, x, z)),
        ["fcmeq v2.4s, v0.4s, v2.4s", "bsl v2.16b, v1.16b, v0.16b", "mov v0.16b, v2.16b"],
    ),
    (
        lambda b, x, y, z, i, p, f: compare(b, I16X8, op.NE, v(b, op.AND, 0, x, y), const(b, 0)),
        ["cmtst v0.8h, v0.8h, v1.8h"],
    ),
    (lambda b, x, y, z, i, p, f: compare(b, I16X8, op.LT_S, x, const(b, 0)), ["cmlt v0.8h, v0.8h, #0"]),
    (lambda b, x, y, z, i, p, f: compare(b, F64X2, op.FGE, x, const(b, 0)), ["fcmge v0.2d, v0.2d, #0.0"]),
]
TESTS: list[tuple[_Body, list[str]]] = [
    (
        lambda b, x, y, z, i, p, f: test(b, op.V_ALL_TRUE, I8X16, compare(b, I8X16, op.EQ, x, y)),
        ["eor v0.16b, v0.16b, v1.16b", "umaxp v0.4s, v0.4s, v0.4s", "fmov x0, d0", "cmp x0, #0", "cset w0, eq"],
    ),
    (
        lambda b, x, y, z, i, p, f: test(b, op.V_ALL_TRUE, I8X16, compare(b, I8X16, op.GT_U, x, y)),
        ["cmhs v0.16b, v1.16b, v0.16b", "umaxp v0.4s, v0.4s, v0.4s", "fmov x0, d0", "cmp x0, #0", "cset w0, eq"],
    ),
    # The lanes are ones or zeros already.
    (
        lambda b, x, y, z, i, p, f: test(
            b, op.V_BITMASK, I16X8, v(b, op.AND, 0, compare(b, I16X8, op.EQ, x, y), compare(b, I16X8, op.EQ, x, z))
        ),
        [
            *("cmeq v1.8h, v0.8h, v1.8h", "cmeq v0.8h, v0.8h, v2.8h", "and v0.16b, v0.16b, v1.16b", "ldr q1, ="),
            *("and v0.16b, v0.16b, v1.16b", "addv h0, v0.8h", "fmov w0, s0"),
        ],
    ),
    (
        lambda b, x, y, z, i, p, f: raw(b, op.ICMP, I32, [test(b, op.V_BITMASK, I8X16, x), count(b, 0)], op.NE),
        ["cmlt v0.16b, v0.16b, #0", "umaxp v0.4s, v0.4s, v0.4s", "fmov x0, d0", "cmp x0, #0", "cset w0, ne"],
    ),
]
MEMORY: list[tuple[_Body, list[str]]] = [
    (lambda b, x, y, z, i, p, f: v(b, op.V_SPLAT, I8X16, load(b, op.LOAD8_U, I32, p)), ["ld1r {v0.16b}, [x1]"]),
    (
        lambda b, x, y, z, i, p, f: v(b, op.V_SPLAT, F64X2, load(b, op.LOAD, F64, p, 16)),
        ["ldr d0, [x1, #0x10]", "dup v0.2d, v0.d[0]"],
    ),
    (
        lambda b, x, y, z, i, p, f: v(b, op.V_SPLAT, I16X8, load(b, op.HEAP_LOAD16_U, I32, pointer(b, i), 2)),
        ["add x0, x27, w0, uxtw", "ldr h0, [x0, #2]", "dup v0.8h, v0.h[0]"],
    ),
    (lambda b, x, y, z, i, p, f: v(b, op.V_LOW, I32X4, load(b, op.LOAD, I32, p, 4)), ["ldr s0, [x1, #4]"]),
    (
        lambda b, x, y, z, i, p, f: v(b, op.V_REPLACE, I16X8 | 5 << 3, x, load(b, op.LOAD16_U, I32, p)),
        ["ld1 {v0.h}[5], [x1]"],
    ),
    (
        lambda b, x, y, z, i, p, f: v(b, op.V_REPLACE, F32X4 | 1 << 3, x, load(b, op.HEAP_LOAD, F32, pointer(b, i))),
        ["ldr s1, [x27, w0, uxtw]", "mov v0.s[1], v1.s[0]"],
    ),
    (
        lambda b, x, y, z, i, p, f: v(
            b, op.V_REPLACE, I8X16 | 9 << 3, x, raw(b, op.V_EXTRACT_U, I32, [y], I8X16 | 3 << 3)
        ),
        ["mov v0.b[9], v1.b[3]"],
    ),
    (
        lambda b, x, y, z, i, p, f: store(b, op.STORE8, p, raw(b, op.V_EXTRACT_U, I32, [x], I8X16 | 9 << 3)),
        ["st1 {v0.b}[9], [x1]"],
    ),
    (
        lambda b, x, y, z, i, p, f: store(b, op.STORE, p, raw(b, op.V_EXTRACT_U, F64, [x], F64X2), 8),
        ["str d0, [x1, #8]"],
    ),
    (
        lambda b, x, y, z, i, p, f: store(b, op.STORE, p, raw(b, op.V_EXTRACT_U, F64, [x], F64X2 | 1 << 3), 8),
        ["mov d0, v0.d[1]", "str d0, [x1, #8]"],
    ),
]


def store(b: Builder, operation: int, address: Inst, value: Inst, offset: int = 0) -> None:
    b.store(operation, address, value, offset)


@pytest.mark.parametrize(("body", "expected"), [*ARITHMETIC, *BITS, *TESTS, *MEMORY])
def test_folding(body: _Body, expected: list[str]) -> None:
    assert code(body) == expected


SHUFFLES: list[tuple[list[int], list[str]]] = [
    ([4, 5, 6, 7] * 4, ["dup v0.4s, v0.s[1]"]),
    ([n ^ 3 for n in range(16)], ["rev32 v0.16b, v0.16b"]),
    ([(n + 5) % 16 for n in range(16)], ["ext v0.16b, v0.16b, v0.16b, #5"]),
    ([n + 9 for n in range(16)], ["ext v0.16b, v0.16b, v1.16b, #9"]),
    ([n // 2 + n % 2 * 16 for n in range(16)], ["zip1 v0.16b, v0.16b, v1.16b"]),
    ([(n // 2 + n % 2 * 16) ^ 16 for n in range(16)], ["zip1 v0.16b, v1.16b, v0.16b"]),
    ([n * 2 + 1 for n in range(16)], ["uzp2 v0.16b, v0.16b, v1.16b"]),
    ([n // 2 * 2 + n % 2 * 16 for n in range(16)], ["trn1 v0.16b, v0.16b, v1.16b"]),
    ([n + 16 * (n >= 8) for n in range(16)], ["mov v0.d[1], v1.d[1]"]),
    ([*range(14), 24, 25], ["mov v0.h[7], v1.h[4]"]),
    ([3, 0, 7, 1, *[5] * 12], ["ldr q1, =", "tbl v0.16b, {v0.16b}, v1.16b"]),
]


@pytest.mark.parametrize(("numbers", "expected"), SHUFFLES)
def test_shuffles(numbers: list[int], expected: list[str]) -> None:
    both = max(numbers) > 15
    found = code(lambda b, x, y, z, i, p, f: shuffle(b, numbers, x, y if both else x))
    assert found == expected


def test_a_table_of_two() -> None:
    """Any other bytes of two vectors: these are brought to v29 and v30."""
    numbers = [3, 17, 7, 1, *[21] * 12]
    assert code(lambda b, x, y, z, i, p, f: shuffle(b, numbers, x, y)) == [
        *("ldr q2, =", "mov v29.16b, v0.16b", "mov v30.16b, v1.16b", "tbl v0.16b, {v29.16b, v30.16b}, v2.16b"),
    ]


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([n // 2 if n % 2 == 0 else 16 for n in range(16)], ["ushll v0.8h, v0.8b, #0"]),
        ([8 + n // 2 if n % 2 == 0 else 20 for n in range(16)], ["ushll2 v0.8h, v0.16b, #0"]),
        ([min(n + 3, 16) for n in range(16)], ["movi d1, #0000000000000000", "ext v0.16b, v0.16b, v1.16b, #3"]),
        ([0, 16, *[1] * 14], ["ldr q1, =", "tbl v0.16b, {v0.16b}, v1.16b"]),
    ],
)
def test_shuffles_with_zeros(numbers: list[int], expected: list[str]) -> None:
    assert code(lambda b, x, y, z, i, p, f: shuffle(b, numbers, x, const(b, 0))) == expected


def test_sums_of_products_of_bytes() -> None:
    """One instruction where the processor has it."""

    def body(b: Builder, x: Inst, y: Inst, z: Inst, i: Inst, p: Inst, f: Inst) -> Inst:
        sums = v(b, op.V_EXTADD_S, I32X4, v(b, op.V_RELAXED_DOT, I16X8, y, z))
        return v(b, op.V_ADD, I32X4, sums, x)

    assert code(body, ("asimddp",)) == ["sdot v0.4s, v1.16b, v2.16b"]
    assert code(body)[-1] == "sadalp v0.4s, v1.8h"
