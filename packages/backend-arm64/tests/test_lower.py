"""Instruction selection: what is folded into what. Nothing here is executed."""

from __future__ import annotations

from typing import Any

import pytest

from wasm_backend_arm64 import Arm64Backend
from wasm_core.errors import TrapCode
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.builder import Builder
from wasm_ir.ir import Function, Inst, Signature
from wasm_ir.testing.native_code import Body, build, pointer, raw

I32, I64, F32, F64 = types.I32, types.I64, types.F32, types.F64

BACKEND = Arm64Backend()


def shape(signature: Signature, body: Body) -> list[str]:
    """Disassembly of a function of one block, without prologue, epilogue and what is behind."""
    compiled = BACKEND.compile(build(signature, body))
    lines = BACKEND.disassemble(compiled.code[compiled.entry :], compiled.entry)
    if lines is None:
        pytest.skip("capstone is not installed")
    texts = [text for _, _, text in lines]
    return [text for text in texts[2 : texts.index("ret")] if not text.startswith("ldp x29, x30")]


def binary(operation: int, value_type: int, constant: int | None = None) -> Any:
    def body(b: Builder, p: list[Inst]) -> list[Inst]:
        other = p[1] if constant is None else b.const(value_type, constant)
        return [raw(b, operation, value_type, [p[0], other])]

    return body


def nested(outer: int, inner: int, value_type: int, constant: int, other: int | None = None) -> Any:
    """outer(x, inner(y, constant)), or outer(inner(x, constant), other)."""

    def body(b: Builder, p: list[Inst]) -> list[Inst]:
        if other is None:
            folded = raw(b, inner, value_type, [p[1], b.const(value_type, constant)])
            return [raw(b, outer, value_type, [p[0], folded])]
        folded = raw(b, inner, value_type, [p[0], b.const(value_type, constant)])
        return [raw(b, outer, value_type, [folded, b.const(value_type, other)])]

    return body


def sum_of_product(outer: int, value_type: int) -> Any:
    def body(b: Builder, p: list[Inst]) -> list[Inst]:
        return [raw(b, outer, value_type, [p[0], raw(b, op.IMUL, value_type, [p[0], p[1]])])]

    return body


# Parameters are in x0 and x1, the result in x0.
_SHAPES: list[tuple[str, Any, int, list[str]]] = [
    ("add", binary(op.IADD, I32), I32, ["add w0, w0, w1"]),
    ("add 5", binary(op.IADD, I64, 5), I64, ["add x0, x0, #5"]),
    ("add -5", binary(op.IADD, I32, 0xFFFF_FFFB), I32, ["sub w0, w0, #5"]),
    ("add 8192", binary(op.IADD, I32, 8192), I32, ["add w0, w0, #2, lsl #12"]),
    ("add 24 bits", binary(op.IADD, I64, 0x123456), I64, ["add x0, x0, #0x123, lsl #12", "add x0, x0, #0x456"]),
    ("add large", binary(op.IADD, I64, 1 << 40), I64, ["mov x1, #0x10000000000", "add x0, x0, x1"]),
    ("sub 5", binary(op.ISUB, I32, 5), I32, ["sub w0, w0, #5"]),
    ("add shifted", nested(op.IADD, op.SHL, I64, 3), I64, ["add x0, x0, x1, lsl #3"]),
    ("sub shifted", nested(op.ISUB, op.SHR_S, I32, 7), I32, ["sub w0, w0, w1, asr #7"]),
    ("add byte", nested(op.IADD, op.AND, I32, 0xFF), I32, ["add w0, w0, w1, uxtb"]),
    ("madd", sum_of_product(op.IADD, I64), I64, ["madd x0, x0, x1, x0"]),
    ("msub", sum_of_product(op.ISUB, I32), I32, ["msub w0, w0, w1, w0"]),
    ("mul", binary(op.IMUL, I32), I32, ["mul w0, w0, w1"]),
    ("mul 9", binary(op.IMUL, I32, 9), I32, ["add w0, w0, w0, lsl #3"]),
    ("mul -7", binary(op.IMUL, I32, (1 << 32) - 7), I32, ["sub w0, w0, w0, lsl #3"]),
    ("mul 16", binary(op.IMUL, I64, 16), I64, ["lsl x0, x0, #4"]),
    ("mul 100", binary(op.IMUL, I32, 100), I32, ["mov w1, #0x64", "mul w0, w0, w1"]),
    ("and mask", binary(op.AND, I32, 0xFFF0), I32, ["and w0, w0, #0xfff0"]),
    ("and low", binary(op.AND, I64, 0xFF00), I64, ["and w0, w0, #0xff00"]),
    ("and 32 bits", binary(op.AND, I64, 0xFFFF_FFFF), I64, ["mov w0, w0"]),
    ("and high", binary(op.AND, I64, 0xFF << 40), I64, ["and x0, x0, #0xff0000000000"]),
    ("and no mask", binary(op.AND, I32, 0x1005), I32, ["mov w1, #0x1005", "and w0, w0, w1"]),
    ("or rotated", nested(op.OR, op.ROTL, I32, 5), I32, ["orr w0, w0, w1, ror #27"]),
    ("bic", nested(op.AND, op.XOR, I64, (1 << 64) - 1), I64, ["bic x0, x0, x1"]),
    ("orn", nested(op.OR, op.XOR, I32, (1 << 32) - 1), I32, ["orn w0, w0, w1"]),
    ("not", binary(op.XOR, I32, (1 << 32) - 1), I32, ["mvn w0, w0"]),
    ("field", nested(op.AND, op.SHR_U, I32, 5, 0xFF), I32, ["ubfx w0, w0, #5, #8"]),
    ("signed field", nested(op.SHR_S, op.SHL, I32, 8, 20), I32, ["sbfx w0, w0, #0xc, #0xc"]),
    ("field up", nested(op.SHL, op.AND, I64, 0xFF, 8), I64, ["ubfiz x0, x0, #8, #8"]),
    ("shl", binary(op.SHL, I32), I32, ["lsl w0, w0, w1"]),
    ("shr 3", binary(op.SHR_U, I64, 3), I64, ["lsr x0, x0, #3"]),
    ("rotl 5", binary(op.ROTL, I32, 5), I32, ["ror w0, w0, #0x1b"]),
    ("rotl", binary(op.ROTL, I32), I32, ["neg w1, w1", "ror w0, w0, w1"]),
    ("mulhi_u", binary(op.MULHI_U, I64), I64, ["umulh x0, x0, x1"]),
    ("mulhi_s", binary(op.MULHI_S, I64), I64, ["smulh x0, x0, x1"]),
    ("div_u 7", binary(op.DIV_U, I32, 7), I32, ["mov w1, #7", "udiv w0, w0, w1"]),
    ("rem_u 7", binary(op.REM_U, I64, 7), I64, ["mov w1, #7", "udiv x16, x0, x1", "msub x0, x16, x1, x0"]),
]


@pytest.mark.parametrize(("name", "body", "value_type", "expected"), _SHAPES, ids=[row[0] for row in _SHAPES])
def test_integer_shapes(name: str, body: Any, value_type: int, expected: list[str]) -> None:
    assert shape(Signature((value_type, value_type), (value_type,)), body) == expected


def test_addresses() -> None:
    """Base and zero-extended index in one instruction; with an offset the sum is shared."""

    def body(b: Builder, p: list[Inst]) -> list[Inst]:
        address = pointer(b, p[0])
        return [b.load(op.HEAP_LOAD, I32, address, 0)]

    assert shape(Signature((I32,), (I32,)), body) == ["ldr w0, [x27, w0, uxtw]"]

    def two(b: Builder, p: list[Inst]) -> list[Inst]:
        address = pointer(b, p[0])
        first, second = b.load(op.HEAP_LOAD, I32, address, 8), b.load(op.HEAP_LOAD8_U, I32, address, 3)
        return [raw(b, op.IADD, I32, [first, second])]

    lines = shape(Signature((I32,), (I32,)), two)
    assert lines == ["add x0, x27, w0, uxtw", "ldr w1, [x0, #8]", "ldrb w0, [x0, #3]", "add w0, w1, w0"]


def test_scaled_index_and_offsets_out_of_range() -> None:
    def element(b: Builder, p: list[Inst]) -> list[Inst]:
        index = raw(b, op.SHL, I64, [raw(b, op.EXTEND_U, I64, [p[1]]), b.const(I64, 3)])
        return [b.load(op.LOAD, I64, raw(b, op.IADD, I64, [p[0], index]), 0)]

    assert shape(Signature((I64, I32), (I64,)), element) == ["ldr x0, [x0, w1, uxtw #3]"]

    def far(b: Builder, p: list[Inst]) -> list[Inst]:
        return [b.load(op.LOAD, I32, p[0], 4095 * 4), b.load(op.LOAD, I32, p[0], 4096 * 4)]

    lines = shape(Signature((I64,), (I32, I32)), far)
    assert "[x0, #0x3ffc]" in lines[0]
    assert lines[1].startswith("mov w") and lines[1].endswith("#0x4000")


def test_stores_of_zero_need_no_register() -> None:
    def body(b: Builder, p: list[Inst]) -> list[Inst]:
        address = pointer(b, p[0])
        b.store(op.HEAP_STORE, address, b.const(F64, 0), 8)
        b.store(op.HEAP_STORE8, address, b.const(I32, 0x100), 0)
        return []

    lines = shape(Signature((I32,), ()), body)
    assert lines == ["add x1, x27, w0, uxtw", "str xzr, [x1, #8]", "strb wzr, [x27, w0, uxtw]"]


def _condition(operation: int, condition: int, value_type: int, constant: int | None) -> Any:
    def body(b: Builder, p: list[Inst]) -> list[Inst]:
        other = p[1] if constant is None else b.const(value_type, constant)
        b.trap_if(raw(b, operation, I32, [p[0], other], condition), TrapCode.UNREACHABLE)
        return []

    return body


@pytest.mark.parametrize(
    ("condition", "value_type", "constant", "expected"),
    [
        (op.EQ, I32, 0, ["cbz w0,"]),
        (op.NE, I64, 0, ["cbnz x0,"]),
        (op.LT_S, I32, 0, ["tbnz w0, #0x1f,"]),
        (op.GE_S, I64, 0, ["tbz x0, #0x3f,"]),
        (op.GT_S, I32, 0, ["cmp w0, #0", "b.gt"]),
        (op.LT_U, I32, 10, ["cmp w0, #0xa", "b.lo"]),
        (op.EQ, I64, (1 << 64) - 3, ["cmn x0, #3", "b.eq"]),
        (op.LT_U, I32, 4097, ["cmp w0, #1, lsl #12", "b.ls"]),
        (op.GT_S, I32, 4095, ["cmp w0, #0xfff", "b.gt"]),
        (op.GT_U, I64, 0x1001, ["mov w1, #0x1001", "cmp x0, x1", "b.hi"]),
        (op.LE_S, I32, None, ["cmp w0, w1", "b.le"]),
    ],
)
def test_comparisons(condition: int, value_type: int, constant: int | None, expected: list[str]) -> None:
    lines = shape(Signature((value_type, value_type), ()), _condition(op.ICMP, condition, value_type, constant))
    assert len(lines) == len(expected)
    assert all(line.startswith(start) for line, start in zip(lines, expected)), lines


def test_masks_become_test() -> None:
    def body(mask: int) -> Any:
        def make(b: Builder, p: list[Inst]) -> list[Inst]:
            masked = raw(b, op.AND, I64, [p[0], b.const(I64, mask)])
            b.trap_if(raw(b, op.ICMP, I32, [masked, b.const(I64, 0)], op.NE), TrapCode.UNREACHABLE)
            return []

        return make

    assert shape(Signature((I64,), ()), body(1 << 40))[0].startswith("tbnz x0, #0x28")
    assert shape(Signature((I64,), ()), body(0xFF0))[0] == "tst w0, #0xff0"


def test_two_comparisons_make_a_chain() -> None:
    def body(operation: int) -> Any:
        def make(b: Builder, p: list[Inst]) -> list[Inst]:
            first = raw(b, op.ICMP, I32, [p[0], b.const(I32, 100)], op.LT_U)
            second = raw(b, op.ICMP, I32, [p[1], b.const(I32, 0xFFFF_FFFF)], op.NE)
            return [raw(b, operation, I32, [first, second])]

        return make

    signature = Signature((I32, I32), (I32,))
    assert shape(signature, body(op.AND)) == ["cmp w0, #0x64", "ccmn w1, #1, #4, lo", "cset w0, ne"]
    assert shape(signature, body(op.OR)) == ["cmp w0, #0x64", "ccmn w1, #1, #0, hs", "cset w0, ne"]


def test_selections() -> None:
    def body(kind: str) -> Any:
        def make(b: Builder, p: list[Inst]) -> list[Inst]:
            condition = raw(b, op.ICMP, I32, [p[0], p[1]], op.LT_S)
            if kind == "one":
                return [raw(b, op.SELECT, I32, [condition, p[0], b.const(I32, 1)])]
            if kind == "next":
                return [raw(b, op.SELECT, I32, [condition, raw(b, op.IADD, I32, [p[0], b.const(I32, 1)]), p[1]])]
            return [raw(b, op.SELECT, I32, [condition, b.const(I32, 0), p[1]])]

        return make

    signature = Signature((I32, I32), (I32,))
    assert shape(signature, body("one")) == ["cmp w0, w1", "csinc w0, w0, wzr, lt"]
    assert shape(signature, body("next")) == ["cmp w0, w1", "csinc w0, w1, w0, ge"]
    assert shape(signature, body("zero")) == ["cmp w0, w1", "csel w0, wzr, w1, lt"]


def test_float_constants() -> None:
    def body(bits: int) -> Any:
        def make(b: Builder, p: list[Inst]) -> list[Inst]:
            return [raw(b, op.FADD, F64, [p[0], b.const(F64, bits)])]

        return make

    signature = Signature((F64,), (F64,))
    assert shape(signature, body(0x4000 << 48)) == ["fmov d1, #2.00000000", "fadd d0, d0, d1"]
    assert shape(signature, body(0x4059 << 48)) == ["mov x16, #0x4059000000000000", "fmov d1, x16", "fadd d0, d0, d1"]
    assert shape(signature, body(0x3FB9_9999_9999_999A))[0].startswith("ldr d1, #")


def test_long_integers_come_from_the_pool() -> None:
    lines = shape(Signature((I64, I64), (I64,)), binary(op.XOR, I64, 0x1234_5678_9ABC_DEF1))
    assert lines[0].startswith("ldr x1, #")
    assert lines[1:] == ["eor x0, x0, x1"]


def test_divisions_check_only_what_can_happen() -> None:
    def count(body: Any) -> int:
        lines = shape(Signature((I32, I32), (I32,)), body)
        return sum(line.startswith(("b.", "cb")) for line in lines)

    assert count(binary(op.DIV_S, I32, 7)) == 0
    assert count(binary(op.REM_S, I32)) == 1
    assert count(binary(op.DIV_U, I32)) == 1
    assert count(binary(op.DIV_S, I32)) == 2


def test_leaf_functions_have_no_stack_check() -> None:
    code = BACKEND.compile(build(Signature((I32,), (I32,)), lambda b, p: p))
    assert code.frame_size == 0
    assert list(code.pcs) == []


def test_registers_are_saved_in_pairs() -> None:
    def body(b: Builder, p: list[Inst]) -> list[Inst]:
        signature = Signature((), ())
        b.call(1, signature, [])
        return p

    code = BACKEND.compile(build(Signature((I64,) * 4, (I64,) * 4), body))
    lines = BACKEND.disassemble(code.code[code.entry :], 0)
    if lines is None:
        pytest.skip("capstone is not installed")
    texts = [text for _, _, text in lines]
    assert texts[0] == "stp x29, x30, [sp, #-0x30]!"
    assert "stp x19, x20, [sp, #0x10]" in texts
    assert "ldp x21, x22, [sp, #0x20]" in texts
    assert "ldp x29, x30, [sp], #0x30" in texts


def _function_with_distances(words: int, condition: int) -> Function:
    """A branch over about twice so many instructions, a cbz or a tbz."""
    function = Function("far", Signature((I64, I64), (I64,)))
    b = Builder(function)
    entry, middle, done = b.new_block(), b.new_block(), b.new_block()
    x, y = b.append_param(entry, I64), b.append_param(entry, I64)
    b.switch_to(entry)
    b.brif(raw(b, op.ICMP, I32, [x, b.const(I64, 0)], condition), done, [], middle, [])
    b.switch_to(middle)
    value = x
    for _ in range(words):
        value = raw(b, op.XOR, I64, [raw(b, op.IADD, I64, [value, y]), x])
    b.ret([value])
    b.switch_to(done)
    b.ret([y])
    return function


@pytest.mark.parametrize(
    ("words", "condition", "near"),
    [
        *((100, op.LT_S, True), (5000, op.LT_S, False), (5000, op.EQ, True)),
        pytest.param(140_000, op.EQ, False, marks=pytest.mark.long),
    ],
)
def test_branches_that_reach_too_far(words: int, condition: int, near: bool) -> None:
    """tbz reaches 32 KiB, cbz 1 MiB: beyond, the opposite jumps over a `b`."""
    code = BACKEND.compile(_function_with_distances(words, condition))
    lines = BACKEND.disassemble(code.code[code.entry : code.entry + 32], 0)
    if lines is None:
        pytest.skip("capstone is not installed")
    texts = [text for _, _, text in lines]
    assert sum(text.startswith("b #") for text in texts[:5]) == (not near)
