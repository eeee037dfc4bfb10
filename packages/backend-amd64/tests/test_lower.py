"""Instruction selection: what is folded into what."""

from __future__ import annotations

from typing import Any

import pytest

from wasm_backend_amd64 import Amd64Backend
from wasm_core.errors import TrapCode
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.builder import Builder
from wasm_ir.ir import Function, Inst, Signature
from wasm_ir.testing.native_code import Body, build, heap, pointer, raw

I32, I64, F32, F64 = types.I32, types.I64, types.F32, types.F64

BACKEND = Amd64Backend(("bmi1", "bmi2", "lzcnt", "popcnt"))


def shape(signature: Signature, body: Body) -> list[str]:
    """Disassembly of a function of one block, without prologue, epilogue and addresses."""
    compiled = BACKEND.compile(build(signature, body))
    lines = BACKEND.disassemble(compiled.code[compiled.entry :], compiled.entry)
    if lines is None:
        pytest.skip("capstone is not installed")
    texts = [text for _, _, text in lines]
    return [text for text in texts[2 : texts.index("ret")] if text not in ("pop rbp", "leave")]


def binary(operation: int, value_type: int, constant: int | None = None) -> Any:
    def body(b: Builder, p: list[Inst]) -> list[Inst]:
        other = p[1] if constant is None else b.const(value_type, constant)
        return [raw(b, operation, value_type, [p[0], other])]

    return body


# Parameters are in edi and esi, the result in eax.
_INTEGER_SHAPES: list[tuple[str, Any, int, list[str]]] = [
    ("add", binary(op.IADD, I32), I32, ["lea eax, [rdi + rsi]"]),
    ("add 5", binary(op.IADD, I64, 5), I64, ["lea rax, [rdi + 5]"]),
    ("sub 5", binary(op.ISUB, I32, 5), I32, ["lea eax, [rdi - 5]"]),
    ("add large", binary(op.IADD, I64, 1 << 40), I64, ["mov rax, rdi", "add rax, qword ptr [rip + 2]"]),
    ("and ff", binary(op.AND, I64, 0xFF), I64, ["movzx eax, dil"]),
    ("and ffff", binary(op.AND, I32, 0xFFFF), I32, ["movzx eax, di"]),
    ("and 32 bits", binary(op.AND, I64, 0xFFFF_FFFF), I64, ["mov eax, edi"]),
    ("and f0000000", binary(op.AND, I64, 0xF000_0000), I64, ["mov eax, edi", "and eax, 0xf0000000"]),
    ("xor -1", binary(op.XOR, I64, (1 << 64) - 1), I64, ["mov rax, rdi", "not rax"]),
    ("mul 9", binary(op.IMUL, I32, 9), I32, ["lea eax, [rdi + rdi*8]"]),
    ("mul 16", binary(op.IMUL, I64, 16), I64, ["mov rax, rdi", "shl rax, 4"]),
    ("mul 100", binary(op.IMUL, I32, 100), I32, ["imul eax, edi, 0x64"]),
    ("mulhi_u", binary(op.MULHI_U, I64), I64, ["mov rax, rdi", "mul rsi", "mov rax, rdx"]),
    (
        "mulhi_s 2^40",
        binary(op.MULHI_S, I64, 1 << 40),
        I64,
        ["mov rax, rdi", "imul qword ptr [rip + 0xa]", "mov rax, rdx"],
    ),
    ("shl", binary(op.SHL, I32), I32, ["shlx eax, edi, esi"]),
    ("shl 1", binary(op.SHL, I64, 1), I64, ["lea rax, [rdi + rdi]"]),
    ("rotl 5", binary(op.ROTL, I32, 5), I32, ["rorx eax, edi, 0x1b"]),
    ("rem_u", binary(op.REM_U, I64, 7), I64, ["mov ecx, 7", "mov rax, rdi", "xor edx, edx", "div rcx", "mov rax, rdx"]),
]


@pytest.mark.parametrize(("name", "body", "value_type", "expected"), _INTEGER_SHAPES, ids=lambda v: str(v)[:12])
def test_integer_shapes(name: str, body: Any, value_type: int, expected: list[str]) -> None:
    signature = Signature((value_type, value_type), (value_type,))
    assert shape(signature, body) == expected


def test_extension_is_free_and_addresses_are_folded() -> None:
    """base + zero-extended index + offset in one instruction; a 32-bit sum stays outside."""

    def body(b: Builder, p: list[Inst]) -> list[Inst]:
        index = raw(b, op.IADD, I32, [p[0], raw(b, op.SHL, I32, [p[1], b.const(I32, 2)])])
        return [heap(b, I32, index, 16)]

    lines = shape(Signature((I32, I32), (I32,)), body)
    assert lines == ["lea eax, [rdi + rsi*4]", "mov eax, dword ptr [r14 + rax + 0x10]"]


def test_read_modify_write() -> None:
    def body(b: Builder, p: list[Inst]) -> list[Inst]:
        address = pointer(b, p[0])
        loaded = b.load(op.HEAP_LOAD, I32, address, 4)
        b.store(op.HEAP_STORE, address, raw(b, op.IADD, I32, [loaded, b.const(I32, 1)]), 4)
        return []

    assert shape(Signature((I32,), ()), body) == ["add dword ptr [r14 + rdi + 4], 1"]


def test_comparisons_with_memory() -> None:
    def body(b: Builder, p: list[Inst]) -> list[Inst]:
        size = b.load(op.LOAD, I64, b.vmctx(), 64)
        b.trap_if(raw(b, op.ICMP, I32, [raw(b, op.EXTEND_U, I64, [p[0]]), size], op.GE_U), TrapCode.TABLE_OUT_OF_BOUNDS)
        return []

    lines = shape(Signature((I32,), ()), body)
    assert lines[0] == "cmp rdi, qword ptr [r15 + 0x40]"
    assert lines[1].startswith("jae")
    assert len(lines) == 2


def test_masks_become_test() -> None:
    def body(b: Builder, p: list[Inst]) -> list[Inst]:
        masked = raw(b, op.AND, I64, [p[0], b.const(I64, 8)])
        b.trap_if(raw(b, op.ICMP, I32, [masked, b.const(I64, 0)], op.NE), TrapCode.UNREACHABLE)
        return []

    lines = shape(Signature((I64,), ()), body)
    assert lines[0] == "test edi, 8"
    assert lines[1].startswith("jne")


def test_float_operands_come_from_memory_and_pool() -> None:
    def body(b: Builder, p: list[Inst]) -> list[Inst]:
        total = raw(b, op.FADD, F64, [p[0], heap(b, F64, p[1], 0)])
        return [raw(b, op.FMUL, F64, [total, b.const(F64, 0x4000 << 48)])]

    lines = shape(Signature((F64, I32), (F64,)), body)
    assert lines[0] == "addsd xmm0, qword ptr [r14 + rdi]"
    assert lines[1].startswith("mulsd xmm0, qword ptr [rip")
    assert len(lines) == 2


def test_constant_divisors_need_no_checks() -> None:
    lines = shape(Signature((I32, I32), (I32,)), binary(op.DIV_S, I32, 7))
    assert not any(line.startswith("j") for line in lines)
    lines = shape(Signature((I32, I32), (I32,)), binary(op.DIV_S, I32))
    assert sum(line.startswith("j") for line in lines) == 3


def test_unused_divisions_by_constants_are_dropped() -> None:
    def body(b: Builder, p: list[Inst]) -> list[Inst]:
        raw(b, op.DIV_U, I32, [p[0], b.const(I32, 10)])
        return []

    assert shape(Signature((I32,), ()), body) == []


def test_a_sum_used_by_two_loads_is_folded_into_both() -> None:
    def body(b: Builder, p: list[Inst]) -> list[Inst]:
        address = pointer(b, p[0])
        return [b.load(op.HEAP_LOAD, I32, address, 0), b.load(op.HEAP_LOAD, I32, address, 4)]

    lines = shape(Signature((I32,), (I32, I32)), body)
    assert len(lines) == 2
    assert all("[r14 + rdi" in line for line in lines)


def test_leaf_functions_have_no_frame_and_no_stack_check() -> None:
    code = BACKEND.compile(build(Signature((I32,), (I32,)), lambda b, p: p))
    assert code.frame_size == 0
    assert list(code.pcs) == []


def test_loops_are_tight() -> None:
    """A sum over an array: one lea, one add with memory, one increment, compare and branch."""
    function = Function("sum", Signature((I32, I32), (I32,)))
    b = Builder(function)
    entry, loop, done = b.new_block(), b.new_block(), b.new_block()
    start, count = b.append_param(entry, I32), b.append_param(entry, I32)
    i, total = b.append_param(loop, I32), b.append_param(loop, I32)
    result = b.append_param(done, I32)
    loop.is_loop_header = True
    loop.loop_depth = 1
    b.switch_to(entry)
    b.jump(loop, [b.const(I32, 0), b.const(I32, 0)])
    b.switch_to(loop)
    index = b.binary(op.IADD, I32, start, b.binary(op.SHL, I32, i, b.const(I32, 2)))
    more = b.binary(op.IADD, I32, total, heap(b, I32, index, 16))
    following = b.binary(op.IADD, I32, i, b.const(I32, 1))
    b.brif(b.icmp(op.LT_U, following, count), loop, [following, more], done, [more])
    b.switch_to(done)
    b.ret([result])
    compiled = BACKEND.compile(function)
    lines = BACKEND.disassemble(compiled.code, 0)
    if lines is None:
        pytest.skip("capstone is not installed")
    texts = [text for _, _, text in lines]
    first = next(k for k, text in enumerate(texts) if text.startswith("lea"))
    last = next(k for k, text in enumerate(texts) if text.startswith("jb"))
    assert [text.split()[0] for text in texts[first : last + 1]] == ["lea", "add", "add", "cmp", "jb"]


def test_features_are_those_asked_for() -> None:
    floor = ("popcnt", "sse3", "sse4_1", "sse4_2", "ssse3")
    assert Amd64Backend(()).cpu_features == floor
    assert Amd64Backend(("bmi2", "avx", "avx512f")).cpu_features == ("avx", "bmi2", *floor)
    assert "avx512f" not in Amd64Backend(("avx", "avx2", "avx512f")).cpu_features
    # What needs AVX is not there without.
    assert Amd64Backend(("avx2", "fma")).cpu_features == floor
