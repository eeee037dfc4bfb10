"""The C convention of Windows: where arguments go, and that what callers rely on is kept.

Runs on every system: WebAssembly's convention is the same everywhere, and functions for Windows are called by code.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import pytest

from wasm_backend_amd64 import Amd64Backend
from wasm_backend_amd64 import assembler as asm
from wasm_backend_amd64 import encodings as enc
from wasm_backend_amd64.abi import WINDOWS
from wasm_backend_amd64.cpu import host_support
from wasm_backend_amd64.registers import (
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
    RAX,
    RBP,
    RBX,
    RCX,
    RDI,
    RDX,
    RSI,
    RSP,
    VECTORS_KEPT,
    XMM0,
    XMM1,
    XMM3,
)
from wasm_core.errors import TrapCode
from wasm_ir import opcodes as op
from wasm_ir.builder import Builder
from wasm_ir.codegen.machinst import OUT_ARG
from wasm_ir.ir import ABI_C, ABI_WASM, Function, Inst, Signature
from wasm_ir.testing.native_code import Native, Trapped, build, raw
from wasm_ir.types import F32, F64, I32, I64
from wasm_ir.vmcontext import CONTEXT

executed = pytest.mark.skipif(not host_support().supported, reason=host_support().reason)

_KEPT: Final = (RBX, RBP, RSI, RDI, R12, R13, R14, R15)
_PATTERN: Final = 0x1111_2222_3333_0000
#: Words of what `Caller` hands over: the function, six arguments, the result, and the registers after the call.
_ARGUMENTS, _RESULT, _INTEGERS = 1, 7, 8
_VECTORS: Final = _INTEGERS + len(_KEPT)
_WORDS: Final = _VECTORS + 2 * len(VECTORS_KEPT)
#: On the stack of `Caller`: vector registers of who called it, and the address of what it was handed.
_SAVED: Final = 16 * len(VECTORS_KEPT)
_FRAME: Final = _SAVED + 8
#: Shadow space and two more arguments.
_ROOM: Final = 48


def _caller() -> bytes:
    """Code of a C function, of this system, that calls a function of Windows with something in every register."""
    code = bytearray()
    handed = RCX if sys.platform == "win32" else RDI
    for register in _KEPT:
        asm.r(code, enc.PUSH_R, register)
    asm.ri(code, enc.SUB_RI64, RSP, _FRAME)
    for number, register in enumerate(VECTORS_KEPT):
        asm.rm(code, enc.MOVUPS_MR, register, RSP, -1, 0, 16 * number)
    asm.rm(code, enc.MOV_MR64, handed, RSP, -1, 0, _SAVED)
    asm.rr(code, enc.MOV_RR64, R10, handed)
    for number, register in enumerate(VECTORS_KEPT):
        asm.rm(code, enc.MOVUPS_RM, register, R10, -1, 0, 8 * (_VECTORS + 2 * number))
    for register in _KEPT:
        asm.ri(code, enc.MOV_RI64, register, _PATTERN + register)
    asm.ri(code, enc.SUB_RI64, RSP, _ROOM)
    for number, register in enumerate((RCX, RDX, R8, R9)):
        asm.rm(code, enc.MOV_RM64, register, R10, -1, 0, 8 * (_ARGUMENTS + number))
    for number in (4, 5):
        asm.rm(code, enc.MOV_RM64, RAX, R10, -1, 0, 8 * (_ARGUMENTS + number))
        asm.rm(code, enc.MOV_MR64, RAX, RSP, -1, 0, 8 * number)
    asm.m(code, enc.CALL_M, R10, -1, 0, 0)
    asm.ri(code, enc.ADD_RI64, RSP, _ROOM)
    asm.rm(code, enc.MOV_RM64, R10, RSP, -1, 0, _SAVED)
    asm.rm(code, enc.MOV_MR64, RAX, R10, -1, 0, 8 * _RESULT)
    for number, register in enumerate(_KEPT):
        asm.rm(code, enc.MOV_MR64, register, R10, -1, 0, 8 * (_INTEGERS + number))
    for number, register in enumerate(VECTORS_KEPT):
        asm.rm(code, enc.MOVUPS_MR, register, R10, -1, 0, 8 * (_VECTORS + 2 * number))
        asm.rm(code, enc.MOVUPS_RM, register, RSP, -1, 0, 16 * number)
    asm.ri(code, enc.ADD_RI64, RSP, _FRAME)
    for register in reversed(_KEPT):
        asm.r(code, enc.POP_R, register)
    code += enc.RET
    return bytes(code)


class Machine(Native):
    """Code for Windows, called as there."""

    def __init__(self) -> None:
        super().__init__(Amd64Backend(c_convention="windows"))
        self._call = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self._write(_caller()))

    def c_call(self, address: int, arguments: Sequence[int]) -> int:
        """The result of a function of up to six words; whatever has to be kept must have been."""
        words = (ctypes.c_uint64 * _WORDS)(address, *arguments)
        vectors = [0x0123_4567_0000_0000 + number for number in range(2 * len(VECTORS_KEPT))]
        words[_VECTORS:_WORDS] = vectors
        self._call(ctypes.addressof(words))
        assert words[_INTEGERS:_VECTORS] == [_PATTERN + register for register in _KEPT]
        assert words[_VECTORS:_WORDS] == vectors
        return words[_RESULT]

    def c_function(self, function: Function) -> Callable[..., int]:
        address, _ = self.place(function)
        return lambda *arguments: self.c_call(address, arguments) & 0xFFFF_FFFF


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    yield Machine()


def test_where_arguments_go() -> None:
    """By position; those of both classes share it. Four words are the callee's in any case."""
    mixed = WINDOWS.arguments((I64, F64, I32, F32, F64, I64))
    assert mixed.outgoing == [RCX, XMM1, R8, XMM3, OUT_ARG - 4, OUT_ARG - 5]
    assert mixed.words == 6
    assert WINDOWS.arguments((F64,)).outgoing == [XMM0]
    assert [WINDOWS.arguments((I64,) * count).words for count in (0, 1, 4, 5)] == [4, 4, 4, 5]
    assert (WINDOWS.results((F64,)).outgoing, WINDOWS.results((I64,)).words) == ([XMM0], 0)


@executed
def test_arguments(machine: Machine) -> None:
    signature = Signature((I64,) * 6, (I64,))

    def body(b: Builder, p: list[Inst]) -> list[Inst]:
        total = b.const(I64, 0)
        for value in p:
            total = raw(b, op.IADD, I64, [raw(b, op.IMUL, I64, [total, b.const(I64, 10)]), value])
        return [total]

    address, _ = machine.place(build(signature, body, ABI_C))
    assert machine.c_call(address, range(1, 7)) == 123456


@executed
@pytest.mark.parametrize("abi", [ABI_C, ABI_WASM], ids=["C", "WebAssembly"])
def test_calls_with_arguments_on_the_stack(machine: Machine, abi: int) -> None:
    """From the thread's stack, and from the store's: the words go to where the callee looks for them."""
    callee = Signature((I64,) * 6, (I64,))

    def subtract(b: Builder, p: list[Inst]) -> list[Inst]:
        total = p[0]
        for shift, value in enumerate(p[1:]):
            total = raw(b, op.ISUB, I64, [total, raw(b, op.SHL, I64, [value, b.const(I64, 8 * shift)])])
        return [total]

    address, _ = machine.place(build(callee, subtract, ABI_C))
    signature = Signature((I64, I64), (I64,))

    def body(b: Builder, p: list[Inst]) -> list[Inst]:
        called = b.call_native(b.const(I64, address), callee, [p[0], p[1], *[b.const(I64, n) for n in (2, 3, 4, 5)]])
        return [raw(b, op.IADD, I64, [called, p[1]])]

    caller, _ = machine.place(build(signature, body, abi))
    expected = 9 - 7 - (2 << 8) - (3 << 16) - (4 << 24) - (5 << 32) + 7 & (1 << 64) - 1
    if abi == ABI_C:
        assert machine.c_call(caller, (9, 7)) == expected
    else:
        assert machine.call(machine.funcref(caller), signature, (9, 7)) == (expected,)


@executed
def test_floats_are_kept(machine: Machine) -> None:
    """A C function that needs many vector registers, and the one that is free everywhere."""
    signature = Signature((I64,), (I64,))

    def body(b: Builder, p: list[Inst]) -> list[Inst]:
        values = [raw(b, op.ITOF_S, F64, [raw(b, op.IADD, I64, [p[0], b.const(I64, n)])]) for n in range(20)]
        total = values[0]
        for value in values[1:]:
            total = raw(b, op.FCOPYSIGN, F64, [raw(b, op.FADD, F64, [total, value]), values[0]])
        return [raw(b, op.BITCAST, I64, [total])]

    address, _ = machine.place(build(signature, body, ABI_C))
    assert ctypes.c_double.from_buffer(ctypes.c_uint64(machine.c_call(address, (5,)))).value == 5 * 20 + 190


@executed
def test_large_frames(machine: Machine) -> None:
    """Each page of a new frame is touched, from the top: the system adds pages to a thread's stack one by one."""

    def body(b: Builder, p: list[Inst]) -> list[Inst]:
        slot = b.stack_slot(3 << 12)
        b.store(op.STORE, slot, p[0], 0)
        return [b.load(op.LOAD, I64, slot, 0)]

    function = build(Signature((I64,), (I64,)), body, ABI_C)
    address, compiled = machine.place(function)
    assert machine.c_call(address, (77,)) == 77
    probes = [
        b"".join([b"\x4c\x8b\x9c\x24", (-depth).to_bytes(4, "little", signed=True)]) for depth in (4096, 8192, 12288)
    ]
    places = [compiled.code.find(probe) for probe in probes]
    assert -1 not in places and places == sorted(places)


@executed
def test_everything_is_kept_when_code_traps(machine: Machine) -> None:
    """WebAssembly code has whatever it likes in all registers when it leaves by a trap."""
    code = bytearray()
    for register in (RBX, RSI, RDI, R8, R9, R12, R13):
        asm.rr(code, enc.XOR_RR32, register, register)
    for register in range(XMM0, XMM0 + 16):
        asm.rr(code, enc.XORPS_RR, register, register)
    position = asm.call32(code)
    asm.patch_rel32(code, position, len(code))
    asm.ri(code, enc.MOV_RI32, R11, TrapCode.UNREACHABLE)
    asm.m(code, enc.JMP_M, R15, -1, 0, CONTEXT["trap_exit"])
    funcref = machine.funcref(machine._write(bytes(code)))
    with pytest.raises(Trapped) as caught:
        machine.call(funcref, Signature((), ()), ())
    assert caught.value.code is TrapCode.UNREACHABLE
