"""Where arguments and results go."""

from __future__ import annotations

from wasm_backend_amd64 import registers as r
from wasm_backend_amd64.abi import NATIVE, WASM
from wasm_ir import types
from wasm_ir.codegen.machinst import IN_ARG, OUT_ARG

I32, I64, F32, F64 = types.I32, types.I64, types.F32, types.F64


def test_classes_are_counted_apart() -> None:
    places = WASM.arguments((I32, F32, I64, F64))
    assert places.outgoing == [r.RDI, r.XMM0, r.RSI, r.XMM1]
    assert places.incoming == places.outgoing
    assert places.words == 0


def test_the_rest_goes_to_the_stack_in_order() -> None:
    places = WASM.arguments((*(I64,) * 5, *(F64,) * 9, I32))
    assert places.outgoing[4] == OUT_ARG
    assert places.outgoing[13] == OUT_ARG - 1
    assert places.outgoing[14] == OUT_ARG - 2
    assert places.incoming[14] == IN_ARG - 2
    assert places.words == 3


def test_results() -> None:
    places = WASM.results((I64,) * 6)
    assert places.outgoing == [r.RAX, r.RDX, r.RCX, r.RSI, r.RDI, OUT_ARG]
    assert NATIVE.results((F32,)).outgoing == [r.XMM0]
    assert WASM.results((I64,) * 6) is places


def test_what_calls_preserve() -> None:
    preserved = {register for register in range(32) if not WASM.clobbers >> register & 1}
    assert preserved == {r.RBX, r.R8, r.R9, r.R12, r.R13, r.RSP, r.RBP, r.R11, r.R14, r.R15, r.XMM15}
    native = {register for register in range(32) if not NATIVE.clobbers >> register & 1}
    assert native == preserved - {r.R8, r.R9}


def test_every_register_has_one_role() -> None:
    registers = r.REGISTERS
    allocatable = {*registers.allocatable[0], *registers.allocatable[1]}
    assert len(allocatable) == len(registers.allocatable[0]) + len(registers.allocatable[1])
    reserved = {r.RSP, r.RBP, r.CONTEXT_REGISTER, r.MEMORY_REGISTER, *registers.scratch}
    assert not allocatable & reserved
    assert allocatable | reserved == set(range(32))
    assert registers.callee_saved & registers.caller_saved == 0
    assert r.CALLEE_REGISTER in allocatable
