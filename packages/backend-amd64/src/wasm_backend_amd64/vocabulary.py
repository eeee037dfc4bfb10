"""What the shared part of instruction selection has to know about x86-64."""

from __future__ import annotations

from wasm_backend_amd64 import control_instructions as control
from wasm_backend_amd64.abi import ENTER_CLOBBERS, NATIVE, WASM, WINDOWS
from wasm_backend_amd64.instructions import CONSTANT, FLOAT_CONSTANT
from wasm_backend_amd64.registers import CALLEE_REGISTER, CONTEXT_REGISTER, MEMORY_REGISTER, R10, RAX
from wasm_ir.codegen.control import CallOwn, CallRef
from wasm_ir.codegen.machinst import MOp
from wasm_ir.codegen.vocabulary import Vocabulary

# What few functions have is imported by the first of them.


def _crossings() -> tuple[MOp, MOp]:
    from wasm_backend_amd64.native_instructions import ENTER, UNWIND

    return ENTER, UNWIND


def _tail_calls() -> tuple[MOp, MOp]:
    from wasm_backend_amd64.tail_calls import TAIL_CALL, TAIL_CALL_REF

    return TAIL_CALL, TAIL_CALL_REF


def vocabulary(windows: bool) -> Vocabulary:
    """`windows`: C functions have the convention of Windows."""
    return Vocabulary(
        name="amd64",
        vectors=True,
        loop_registers=8,
        context_register=CONTEXT_REGISTER,
        memory_register=MEMORY_REGISTER,
        callee_register=CALLEE_REGISTER,
        native_register=RAX,
        store_register=RAX,
        status_register=R10,
        wasm=WASM,
        native=WINDOWS if windows else NATIVE,
        enter_clobbers=ENTER_CLOBBERS,
        constant=CONSTANT,
        float_constants={**FLOAT_CONSTANT},
        call=control.CALL,
        call_ref=CallRef(CALLEE_REGISTER, CONTEXT_REGISTER, MEMORY_REGISTER),
        call_own=CallOwn(CALLEE_REGISTER),
        call_native=control.CALL_NATIVE,
        ret=control.RETURN,
        invoke=control.INVOKE,
        invoke_ref=CallRef(CALLEE_REGISTER, CONTEXT_REGISTER, MEMORY_REGISTER, lands=True),
        invoke_own=CallOwn(CALLEE_REGISTER, lands=True),
        throw=control.THROW,
        crossings=_crossings,
        tail_calls=_tail_calls,
    )
