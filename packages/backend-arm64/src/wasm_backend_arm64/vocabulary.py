"""What the shared part of instruction selection has to know about AArch64."""

from __future__ import annotations

from wasm_backend_arm64 import control_instructions as control
from wasm_backend_arm64.abi import ENTER_CLOBBERS, NATIVE, WASM
from wasm_backend_arm64.instructions import CONSTANT, FLOAT_CONSTANT
from wasm_backend_arm64.registers import (
    CALLEE_REGISTER,
    CONTEXT_REGISTER,
    MEMORY_REGISTER,
    NATIVE_REGISTER,
    STATUS_REGISTER,
    STORE_REGISTER,
)
from wasm_ir.codegen.control import CallOwn, CallRef
from wasm_ir.codegen.machinst import MOp
from wasm_ir.codegen.vocabulary import Vocabulary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


# What few functions have is imported by the first of them.


def _crossings() -> tuple[MOp, MOp]:
    from wasm_backend_arm64.native_instructions import ENTER, UNWIND

    return ENTER, UNWIND


def _tail_calls() -> tuple[MOp, MOp]:
    from wasm_backend_arm64.tail_calls import TAIL_CALL, TAIL_CALL_REF

    return TAIL_CALL, TAIL_CALL_REF


VOCABULARY: Final = Vocabulary(
    name="arm64",
    vectors=True,
    loop_registers=20,
    context_register=CONTEXT_REGISTER,
    memory_register=MEMORY_REGISTER,
    callee_register=CALLEE_REGISTER,
    native_register=NATIVE_REGISTER,
    store_register=STORE_REGISTER,
    status_register=STATUS_REGISTER,
    wasm=WASM,
    native=NATIVE,
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
