"""Instruction selection for vectors: what is folded into what, at each level of features. Nothing here is executed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import pytest

from wasm_backend_amd64 import Amd64Backend
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.builder import Builder
from wasm_ir.ir import Inst, Signature
from wasm_ir.opcodes import F32X4, F64X2, HIGH_HALF, I8X16, I16X8, I32X4, I64X2
from wasm_ir.testing.native_code import build, pointer, raw

I32, I64, F32, F64, V128 = types.I32, types.I64, types.F32, types.F64, types.V128
ONES = types.MASKS[V128]

SSE = ()
AVX = ("avx",)
AVX2 = ("avx", "avx2", "bmi1", "bmi2", "fma", "lzcnt")
AVX512 = (*AVX2, "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512bitalg", "avx512vbmi")

#: Functions take three vectors (xmm0, xmm1, xmm2), an i32 (edi), an address (rsi) and an f32 (xmm3).
SIGNATURE = (V128, V128, V128, I32, I64, F32)

_Body = Callable[[Builder, Inst, Inst, Inst, Inst, Inst, Inst], Inst]


def code(body: _Body, features: Sequence[str]) -> list[str]:
    """Disassembly without prologue, epilogue and what is behind."""
    result: list[int] = []

    def built(b: Builder, p: list[Inst]) -> list[Inst]:
        made = body(b, *p)
        result[:] = [made.type]
        return [made]

    build(Signature(SIGNATURE, ()), built)
    backend = Amd64Backend(features)
    compiled = backend.compile(build(Signature(SIGNATURE, tuple(result)), built))
    lines = backend.disassemble(compiled.code[compiled.entry :], compiled.entry)
    if lines is None:
        pytest.skip("capstone is not installed")
    # Where the pool is does not matter.
    texts = [re.sub(r"xmmword ptr \[rip.*\]", "=", text) for _, _, text in lines]
    return [text for text in texts[2 : texts.index("ret")] if text not in ("pop rbp", "leave")]


def v(b: Builder, operation: int, imm: int, *args: Inst) -> Inst:
    return raw(b, operation, V128, args, imm)


def const(b: Builder, bits: int) -> Inst:
    return b.const(V128, bits)


def count(b: Builder, number: int) -> Inst:
    return b.const(I32, number)


def shuffle(b: Builder, numbers: Sequence[int], x: Inst, y: Inst) -> Inst:
    return v(b, op.V_SHUFFLE, int.from_bytes(bytes(numbers), "little"), x, y)


def compare(b: Builder, shape: int, condition: int, x: Inst, y: Inst) -> Inst:
    return v(b, op.V_FCMP if shape >= F32X4 else op.V_ICMP, shape | condition << op.SHAPE_SHIFT, x, y)


def any_true(b: Builder, x: Inst) -> Inst:
    return raw(b, op.V_ANY_TRUE, I32, [x])


def rotated(b: Builder, shape: int, x: Inst, number: int) -> Inst:
    left = v(b, op.V_SHL, shape, x, count(b, number))
    return v(b, op.OR, 0, left, v(b, op.V_SHR_U, shape, x, count(b, op.SHAPE_BITS[shape] - number)))


def loaded(b: Builder, p: Inst, offset: int = 16) -> Inst:
    return b.load(op.HEAP_LOAD, V128, p, offset)


CASES: dict[str, tuple[Sequence[str], _Body, list[str]]] = {
    # Operands in memory: with AVX alone, as they need not be aligned.
    "memory, SSE": (
        SSE,
        lambda b, x, y, z, i, p, f: v(b, op.V_ADD, I8X16, loaded(b, p), x),
        ["movups xmm1, xmmword ptr [rsi + 0x10]", "paddb xmm0, xmm1"],
    ),
    "memory": (
        AVX,
        lambda b, x, y, z, i, p, f: v(b, op.V_ADD, I8X16, loaded(b, p), x),
        ["vpaddb xmm0, xmm0, xmmword ptr [rsi + 0x10]"],
    ),
    "pool, SSE": (SSE, lambda b, x, y, z, i, p, f: v(b, op.AND, 0, x, const(b, 5)), ["pand xmm0, ="]),
    "zeros": (SSE, lambda b, x, y, z, i, p, f: const(b, 0), ["xorps xmm0, xmm0"]),
    "ones": (SSE, lambda b, x, y, z, i, p, f: const(b, ONES), ["pcmpeqd xmm0, xmm0"]),
    "fused": (
        AVX2,
        lambda b, x, y, z, i, p, f: v(b, op.V_RELAXED_MADD, F32X4, x, loaded(b, p), z),
        ["movaps xmm1, xmm2", "vfmadd231ps xmm1, xmm0, xmmword ptr [rsi + 0x10]", "movaps xmm0, xmm1"],
    ),
    "splat of memory": (
        AVX,
        lambda b, x, y, z, i, p, f: v(b, op.V_SPLAT, F32X4, b.load(op.HEAP_LOAD, F32, p, 4)),
        ["vbroadcastss xmm0, dword ptr [rsi + 4]"],
    ),
    "byte of memory": (
        AVX2,
        lambda b, x, y, z, i, p, f: v(b, op.V_SPLAT, I8X16, b.load(op.HEAP_LOAD8_U, I32, p, 4)),
        ["vpbroadcastb xmm0, byte ptr [rsi + 4]"],
    ),
    "extension of memory": (
        SSE,
        lambda b, x, y, z, i, p, f: v(b, op.V_EXTEND_U, I32X4, v(b, op.V_LOW, F64X2, b.load(op.HEAP_LOAD, F64, p, 4))),
        ["pmovzxwd xmm0, qword ptr [rsi + 4]"],
    ),
    # Half of a vector is not loaded alone: the other half may be where memory ends.
    "half of a vector": (
        AVX,
        lambda b, x, y, z, i, p, f: v(b, op.V_EXTEND_U, I32X4, loaded(b, p)),
        ["movups xmm0, xmmword ptr [rsi + 0x10]", "vpmovzxwd xmm0, xmm0"],
    ),
    # Bytes moved.
    "broadcast": (SSE, lambda b, x, y, z, i, p, f: shuffle(b, [4, 5, 6, 7] * 4, y, y), ["pshufd xmm0, xmm1, 0x55"]),
    "interleaving": (
        AVX,
        lambda b, x, y, z, i, p, f: shuffle(b, [n // 2 + n % 2 * 16 for n in range(16)], x, y),
        ["vpunpcklbw xmm0, xmm0, xmm1"],
    ),
    "from two": (
        AVX,
        lambda b, x, y, z, i, p, f: shuffle(b, [n + 3 for n in range(16)], x, y),
        ["vpalignr xmm0, xmm1, xmm0, 3"],
    ),
    "words of two": (
        SSE,
        lambda b, x, y, z, i, p, f: shuffle(b, [n + 16 * (n // 2 == 3) for n in range(16)], x, y),
        ["pblendw xmm0, xmm1, 8"],
    ),
    "one dword of another": (
        SSE,
        lambda b, x, y, z, i, p, f: shuffle(b, [*range(8), 20, 21, 22, 23, *range(12, 16)], x, y),
        ["insertps xmm0, xmm1, 0x60"],
    ),
    "zeros behind": (
        SSE,
        lambda b, x, y, z, i, p, f: shuffle(b, [n + 5 if n < 11 else 16 for n in range(16)], x, const(b, 0)),
        ["psrldq xmm0, 5"],
    ),
    "anything": (
        AVX512,
        lambda b, x, y, z, i, p, f: shuffle(b, [n * 7 % 32 for n in range(16)], x, y),
        ["movaps xmm2, =", "vpermi2b xmm2, xmm0, xmm1", "movaps xmm0, xmm2"],
    ),
    "small numbers": (
        AVX,
        lambda b, x, y, z, i, p, f: v(b, op.V_SWIZZLE, 0, x, v(b, op.AND, 0, y, const(b, 0x0F * (ONES // 255)))),
        ["vpand xmm1, xmm1, =", "vpshufb xmm0, xmm0, xmm1"],
    ),
    # Shifts and rotations.
    "bytes": (
        SSE,
        lambda b, x, y, z, i, p, f: v(b, op.V_SHR_U, I8X16, x, count(b, 4)),
        ["psrlw xmm0, 4", "pand xmm0, ="],
    ),
    "sign": (
        AVX,
        lambda b, x, y, z, i, p, f: v(b, op.V_SHR_S, I64X2, x, count(b, 63)),
        ["xorps xmm1, xmm1", "vpcmpgtq xmm0, xmm1, xmm0"],
    ),
    "known count": (
        SSE,
        lambda b, x, y, z, i, p, f: v(b, op.V_SHL, I32X4, x, raw(b, op.AND, I32, [i, count(b, 15)])),
        ["and edi, 0xf", "movd xmm1, edi", "pslld xmm0, xmm1"],
    ),
    "rotated by bytes": (SSE, lambda b, x, y, z, i, p, f: rotated(b, I32X4, x, 16), ["pshufb xmm0, ="]),
    "rotated": (AVX512, lambda b, x, y, z, i, p, f: rotated(b, I32X4, x, 7), ["vprold xmm0, xmm0, 7"]),
    # Bits.
    "three values": (
        AVX512,
        lambda b, x, y, z, i, p, f: v(
            b, op.XOR, 0, v(b, op.V_ANDNOT, 0, x, y), v(b, op.V_NOT, 0, v(b, op.OR, 0, y, z))
        ),
        ["vpternlogd xmm0, xmm1, xmm2, 0x21"],
    ),
    "not equal": (
        SSE,
        lambda b, x, y, z, i, p, f: v(b, op.AND, 0, compare(b, I8X16, op.NE, x, y), z),
        ["pcmpeqb xmm0, xmm1", "pandn xmm0, xmm2"],
    ),
    "chosen lanes": (
        AVX,
        lambda b, x, y, z, i, p, f: v(b, op.V_BITSELECT, 0, x, y, compare(b, I32X4, op.NE, x, z)),
        ["vpcmpeqd xmm2, xmm0, xmm2", "vpblendvb xmm0, xmm0, xmm1, xmm2"],
    ),
    # Tests.
    "any bit": (
        SSE,
        lambda b, x, y, z, i, p, f: any_true(b, v(b, op.AND, 0, x, y)),
        ["xor eax, eax", "ptest xmm0, xmm1", "setne al"],
    ),
    "any lane": (
        SSE,
        lambda b, x, y, z, i, p, f: any_true(b, compare(b, I8X16, op.EQ, x, y)),
        ["pcmpeqb xmm0, xmm1", "pmovmskb eax, xmm0", "test eax, eax", "setne al", "movzx eax, al"],
    ),
    # Sums of products.
    "sums": (
        AVX,
        lambda b, x, y, z, i, p, f: v(b, op.V_EXTADD_U, I32X4, v(b, op.V_EXTADD_U, I16X8, x)),
        ["vpmaddubsw xmm0, xmm0, =", "vpmaddwd xmm0, xmm0, ="],
    ),
    "long products": (
        AVX,
        lambda b, x, y, z, i, p, f: v(b, op.V_EXTMUL_U, I64X2 | HIGH_HALF, x, y),
        ["vpshufd xmm0, xmm0, 0xfa", "vpshufd xmm1, xmm1, 0xfa", "vpmuludq xmm0, xmm0, xmm1"],
    ),
    # Scalars.
    "scalars": (
        AVX,
        lambda b, x, y, z, i, p, f: raw(b, op.FMUL, F32, [raw(b, op.FADD, F32, [f, f]), f]),
        ["vaddss xmm0, xmm3, xmm3", "vmulss xmm0, xmm0, xmm3"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_code(name: str) -> None:
    features, body, expected = CASES[name]
    assert code(body, features) == expected


def test_lanes_are_stored_from_vectors() -> None:
    for shape, type, store, lane, instruction in (
        (I8X16, I32, op.HEAP_STORE8, 5, "pextrb byte ptr [r14 + rdi + 4], xmm0, 5"),
        (I16X8, I32, op.HEAP_STORE16, 5, "pextrw word ptr [r14 + rdi + 4], xmm0, 5"),
        (F32X4, F32, op.HEAP_STORE, 3, "pextrd dword ptr [r14 + rdi + 4], xmm0, 3"),
        (F32X4, F32, op.HEAP_STORE, 0, "movss dword ptr [r14 + rdi + 4], xmm0"),
        (F64X2, F64, op.HEAP_STORE, 1, "movhps qword ptr [r14 + rdi + 4], xmm0"),
    ):

        def body(
            b: Builder,
            x: Inst,
            y: Inst,
            z: Inst,
            i: Inst,
            p: Inst,
            f: Inst,
            row: tuple[int, int, int, int] = (shape, type, store, lane),
        ) -> Inst:
            extracted = raw(b, op.V_EXTRACT_U, row[1], [x], row[0] | row[3] << op.SHAPE_SHIFT)
            b.store(row[2], pointer(b, i), extracted, 4)
            return i

        assert code(body, SSE)[0] == instruction
