"""Instruction selection for integer division and remainder."""

from __future__ import annotations

from wasm_backend_arm64.integer_instructions import CHECK_MINUS_ONE, CHECK_ZERO, DIVIDE
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.codegen.machinst import MInst
from wasm_ir.ir import Inst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_backend_arm64.lower_integer import IntegerLowering

_CONST: Final = op.CONST


def lower_divide(s: IntegerLowering, inst: Inst) -> None:
    """div_s, div_u, rem_s and rem_u."""
    operation = inst.op
    value_type = inst.type
    dividend, divisor = inst.args
    checks = CHECK_ZERO | CHECK_MINUS_ONE
    if divisor.op == _CONST and divisor.imm:
        checks = CHECK_MINUS_ONE if divisor.imm == types.MASKS[value_type] else 0
        if not s.is_needed(inst) and (checks == 0 or operation != op.DIV_S):
            return
    elif dividend.op == _CONST and dividend.imm != 1 << types.BITS[value_type] - 1:
        checks = CHECK_ZERO
    uses = [s.source(dividend, value_type), s.source(divisor, value_type)]
    s.emit(MInst(DIVIDE[operation << 3 | value_type], [s.define(inst)], uses, checks, inst.offset))
