"""Where arguments and results go."""

from __future__ import annotations

from wasm_backend_arm64 import registers as r
from wasm_backend_arm64.abi import NATIVE, WASM
from wasm_ir import types
from wasm_ir.codegen.machinst import IN_ARG, OUT_ARG

I32, I64, F32, F64 = types.I32, types.I64, types.F32, types.F64


def test_classes_are_counted_apart() -> None:
    places = WASM.arguments((I32, F32, I64, F64))
    assert places.outgoing == [r.X0, r.V0, r.X1, r.V0 + 1]
    assert places.incoming == places.outgoing
    assert places.words == 0


def test_the_rest_goes_to_the_stack_in_order() -> None:
    places = WASM.arguments((*(I64,) * 9, *(F64,) * 9, I32))
    assert places.outgoing[8] == OUT_ARG
    assert places.outgoing[17] == OUT_ARG - 1
    assert places.outgoing[18] == OUT_ARG - 2
    assert places.incoming[18] == IN_ARG - 2
    assert places.words == 3


def test_results() -> None:
    places = WASM.results((I64,) * 9)
    assert places.outgoing == [*range(8), OUT_ARG]
    assert NATIVE.results((F32,)).outgoing == [r.V0]


def test_what_calls_preserve() -> None:
    preserved = {register for register in range(64) if not WASM.clobbers >> register & 1}
    assert preserved == {*range(r.X16, r.SP + 1), r.V31}


def test_every_register_has_one_role() -> None:
    registers = r.REGISTERS
    allocatable = {*registers.allocatable[0], *registers.allocatable[1]}
    assert len(allocatable) == len(registers.allocatable[0]) + len(registers.allocatable[1])
    reserved = {r.SP, r.FRAME_POINTER, r.LINK_REGISTER, r.CONTEXT_REGISTER, r.MEMORY_REGISTER, r.SCRATCH2}
    reserved |= {*registers.scratch, r.X18}
    assert not allocatable & reserved
    assert allocatable | reserved == set(range(64))
    assert registers.callee_saved & registers.caller_saved == 0
    assert {r.CALLEE_REGISTER, r.NATIVE_REGISTER, r.STORE_REGISTER} <= allocatable
    assert not {r.CALLEE_REGISTER, r.NATIVE_REGISTER, r.STORE_REGISTER} & {*WASM.arguments((I64,) * 8).outgoing}
