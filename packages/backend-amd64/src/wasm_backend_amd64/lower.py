"""Instruction selection: the table of handlers, one per IR operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wasm_backend_amd64.lower_conditions import ConditionLowering
from wasm_core.errors import CompileError
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.ir import Function, Inst
from wasm_ir.codegen.machinst import MInst
from wasm_backend_amd64 import encodings as e
import wasm_backend_amd64.forms as forms
PADD = {0: forms.Binary("paddb", e.PADDB_RR, e.MOVAPS_RR, True), 2: forms.Binary("paddd", e.PADDD_RR, e.MOVAPS_RR, True)}
PXOR = forms.Binary("xorps", e.XORPS_RR, e.MOVAPS_RR, True)

_LOADS: Final = (*range(op.LOAD, op.LOAD_INVARIANT + 1), *range(op.HEAP_LOAD, op.HEAP_LOAD32_U + 1))
_STORES: Final = (*range(op.STORE, op.STORE32 + 1), *range(op.HEAP_STORE, op.HEAP_STORE32 + 1))


_HANDLERS: Final[dict[int, Callable[[ConditionLowering, Inst], None]]] = {
    op.CALLEE: ConditionLowering.lower_callee,
    op.RESULT: ConditionLowering.lower_result,
    op.STACK_SLOT: ConditionLowering.lower_stack_slot,
    op.IADD: ConditionLowering.lower_iadd,
    op.ISUB: ConditionLowering.lower_isub,
    op.IMUL: ConditionLowering.lower_imul,
    op.MULHI_S: ConditionLowering.lower_multiply_high,
    op.MULHI_U: ConditionLowering.lower_multiply_high,
    op.DIV_S: ConditionLowering.lower_divide,
    op.DIV_U: ConditionLowering.lower_divide,
    op.REM_S: ConditionLowering.lower_divide,
    op.REM_U: ConditionLowering.lower_divide,
    op.AND: ConditionLowering.lower_and,
    op.OR: ConditionLowering.lower_or,
    op.SHL: ConditionLowering.lower_shift,
    op.SHR_S: ConditionLowering.lower_shift,
    op.SHR_U: ConditionLowering.lower_shift,
    op.ROTL: ConditionLowering.lower_rotate,
    op.ROTR: ConditionLowering.lower_rotate,
    op.CLZ: ConditionLowering.lower_count_bits,
    op.CTZ: ConditionLowering.lower_count_bits,
    op.POPCNT: ConditionLowering.lower_count_bits,
    op.SEXT8: ConditionLowering.lower_sign_extension,
    op.SEXT16: ConditionLowering.lower_sign_extension,
    op.SEXT32: ConditionLowering.lower_sign_extension,
    op.EXTEND_S: ConditionLowering.lower_sign_extension,
    op.WRAP: ConditionLowering.lower_wrap,
    op.ICMP: ConditionLowering.lower_set,
    op.FCMP: ConditionLowering.lower_set,
    op.SELECT: ConditionLowering.lower_select,
    op.FADD: ConditionLowering.lower_float_binary,
    op.FSUB: ConditionLowering.lower_float_binary,
    op.FMUL: ConditionLowering.lower_float_binary,
    op.FDIV: ConditionLowering.lower_float_binary,
    op.FMIN: ConditionLowering.lower_min_max,
    op.FMAX: ConditionLowering.lower_min_max,
    op.FCOPYSIGN: ConditionLowering.lower_copysign,
    op.FABS: ConditionLowering.lower_sign_bits,
    op.FNEG: ConditionLowering.lower_sign_bits,
    op.FSQRT: ConditionLowering.lower_float_unary,
    op.FCEIL: ConditionLowering.lower_round,
    op.FFLOOR: ConditionLowering.lower_round,
    op.FTRUNC: ConditionLowering.lower_round,
    op.FNEAREST: ConditionLowering.lower_round,
    op.FTOI_S: ConditionLowering.lower_to_integer,
    op.FTOI_U: ConditionLowering.lower_to_integer,
    op.FTOI_SAT_S: ConditionLowering.lower_to_integer,
    op.FTOI_SAT_U: ConditionLowering.lower_to_integer,
    op.ITOF_S: ConditionLowering.lower_from_signed,
    op.ITOF_U: ConditionLowering.lower_from_unsigned,
    op.DEMOTE: ConditionLowering.lower_float_unary,
    op.PROMOTE: ConditionLowering.lower_float_unary,
    op.BITCAST: ConditionLowering.lower_bitcast,
    op.CALL: ConditionLowering.lower_call,
    op.XOR: lambda self, inst: self.emit(MInst(PXOR, [self.define(inst)], [self.use(inst.args[0]), self.use(inst.args[1])], 0)) if inst.type == types.V128 else ConditionLowering.lower_xor(self, inst),
    op.V_ADD: lambda self, inst: self.emit(MInst(PADD[inst.imm], [self.define(inst)], [self.use(inst.args[0]), self.use(inst.args[1])], 0)),
    op.CALL_REF: ConditionLowering.lower_call_ref,
    op.CALL_NATIVE: ConditionLowering.lower_call_native,
    op.ENTER: ConditionLowering.lower_enter,
    op.POLL: ConditionLowering.lower_poll,
    op.TRAP_IF: ConditionLowering.lower_trap_if,
    op.JUMP: ConditionLowering.lower_jump_inst,
    op.BRIF: ConditionLowering.lower_brif,
    op.BR_TABLE: ConditionLowering.lower_br_table,
    op.RETURN: ConditionLowering.lower_return,
    op.TRAP: ConditionLowering.lower_trap,
    op.UNWIND: ConditionLowering.lower_unwind,
    **dict.fromkeys(_LOADS, ConditionLowering.lower_load),
    **dict.fromkeys(_STORES, ConditionLowering.lower_store),
}


#: By operation.
_HANDLER_OF: Final = [_HANDLERS.get(operation) for operation in range(op.COUNT)]


class Amd64Lowering(ConditionLowering):
    """Lowers one function."""

    def __init__(self, function: Function, features: frozenset[str]) -> None:
        super().__init__(function)
        self.features = features

    def lower_inst(self, inst: Inst) -> None:
        handler = _HANDLER_OF[inst.op]
        if handler is None:
            raise CompileError(f"the amd64 backend has no {types.NAMES[inst.type]} {op.NAMES[inst.op]}")
        handler(self, inst)
