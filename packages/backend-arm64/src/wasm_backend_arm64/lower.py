"""Instruction selection: the table of handlers, one per IR operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wasm_backend_arm64.lower_calls import CallLowering
from wasm_core.errors import CompileError
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.ir import Inst

_LOADS: Final = (*range(op.LOAD, op.LOAD_INVARIANT + 1), *range(op.HEAP_LOAD, op.HEAP_LOAD32_U + 1))
_STORES: Final = (*range(op.STORE, op.STORE32 + 1), *range(op.HEAP_STORE, op.HEAP_STORE32 + 1))


_HANDLERS: Final[dict[int, Callable[[CallLowering, Inst], None]]] = {
    op.CALLEE: CallLowering.lower_callee,
    op.RESULT: CallLowering.lower_result,
    op.STACK_SLOT: CallLowering.lower_stack_slot,
    op.IADD: CallLowering.lower_iadd,
    op.ISUB: CallLowering.lower_isub,
    op.IMUL: CallLowering.lower_imul,
    op.DIV_S: CallLowering.lower_divide,
    op.DIV_U: CallLowering.lower_divide,
    op.REM_S: CallLowering.lower_divide,
    op.REM_U: CallLowering.lower_divide,
    op.AND: CallLowering.lower_and,
    op.OR: CallLowering.lower_or,
    op.XOR: CallLowering.lower_xor,
    op.SHL: CallLowering.lower_shift,
    op.SHR_S: CallLowering.lower_shift,
    op.SHR_U: CallLowering.lower_shift,
    op.ROTL: CallLowering.lower_rotate,
    op.ROTR: CallLowering.lower_rotate,
    op.CLZ: CallLowering.lower_count_bits,
    op.CTZ: CallLowering.lower_count_bits,
    op.POPCNT: CallLowering.lower_count_bits,
    op.SEXT8: CallLowering.lower_sign_extension,
    op.SEXT16: CallLowering.lower_sign_extension,
    op.SEXT32: CallLowering.lower_sign_extension,
    op.EXTEND_S: CallLowering.lower_sign_extension,
    op.WRAP: CallLowering.lower_wrap,
    op.ICMP: CallLowering.lower_set,
    op.FCMP: CallLowering.lower_set,
    op.SELECT: CallLowering.lower_select,
    op.FADD: CallLowering.lower_float_binary,
    op.FSUB: CallLowering.lower_float_binary,
    op.FMUL: CallLowering.lower_float_binary,
    op.FDIV: CallLowering.lower_float_binary,
    op.FMIN: CallLowering.lower_float_binary,
    op.FMAX: CallLowering.lower_float_binary,
    op.FCOPYSIGN: CallLowering.lower_copysign,
    op.FABS: CallLowering.lower_float_unary,
    op.FNEG: CallLowering.lower_float_unary,
    op.FSQRT: CallLowering.lower_float_unary,
    op.FCEIL: CallLowering.lower_float_unary,
    op.FFLOOR: CallLowering.lower_float_unary,
    op.FTRUNC: CallLowering.lower_float_unary,
    op.FNEAREST: CallLowering.lower_float_unary,
    op.FTOI_S: CallLowering.lower_to_integer,
    op.FTOI_U: CallLowering.lower_to_integer,
    op.FTOI_SAT_S: CallLowering.lower_to_integer,
    op.FTOI_SAT_U: CallLowering.lower_to_integer,
    op.ITOF_S: CallLowering.lower_from_integer,
    op.ITOF_U: CallLowering.lower_from_integer,
    op.DEMOTE: CallLowering.lower_float_unary,
    op.PROMOTE: CallLowering.lower_float_unary,
    op.BITCAST: CallLowering.lower_bitcast,
    op.CALL: CallLowering.lower_call,
    op.CALL_REF: CallLowering.lower_call_ref,
    op.CALL_NATIVE: CallLowering.lower_call_native,
    op.ENTER: CallLowering.lower_enter,
    op.POLL: CallLowering.lower_poll,
    op.TRAP_IF: CallLowering.lower_trap_if,
    op.JUMP: CallLowering.lower_jump_inst,
    op.BRIF: CallLowering.lower_brif,
    op.BR_TABLE: CallLowering.lower_br_table,
    op.RETURN: CallLowering.lower_return,
    op.TRAP: CallLowering.lower_trap,
    op.UNWIND: CallLowering.lower_unwind,
    **dict.fromkeys(_LOADS, CallLowering.lower_load),
    **dict.fromkeys(_STORES, CallLowering.lower_store),
}


class Arm64Lowering(CallLowering):
    """Lowers one function."""

    def lower_inst(self, inst: Inst) -> None:
        handler = _HANDLERS.get(inst.op)
        if handler is None or inst.type == types.V128:
            raise CompileError(f"the arm64 backend has no {types.NAMES[inst.type]} {op.NAMES[inst.op]}")
        handler(self, inst)
