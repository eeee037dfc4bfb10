"""Instruction selection for integer division and remainder."""

from __future__ import annotations

from wasm_backend_amd64.integer_instructions import CHECK_MINUS_ONE, CHECK_ZERO, DIVIDE
from wasm_backend_amd64.registers import RAX, RDX
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.codegen.machinst import MFixed
from wasm_ir.ir import Inst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_backend_amd64.lower_integer import IntegerLowering

_CONST: Final = op.CONST


def lower_divide(s: IntegerLowering, inst: Inst) -> None:
    """div_s, div_u, rem_s and rem_u."""
    operation = inst.op
    value_type = inst.type
    dividend, divisor = inst.args
    checks = CHECK_ZERO | CHECK_MINUS_ONE
    if divisor.op == _CONST and divisor.imm:
        checks = CHECK_MINUS_ONE if divisor.imm == types.MASKS[value_type] else 0
        if checks == 0 and not s.is_needed(inst):
            return
    elif dividend.op == _CONST and dividend.imm != 1 << types.BITS[value_type] - 1:
        checks = CHECK_ZERO if operation == op.DIV_S else checks
    quotient = operation == op.DIV_S or operation == op.DIV_U
    fixed_uses: list[tuple[int | Inst, int]] = [
        (dividend if dividend.op == _CONST else s.register(dividend, value_type), RAX)
    ]
    s.emit(
        MFixed(
            DIVIDE[operation << 3 | value_type],
            [],
            [s.register(divisor, value_type)],
            checks,
            fixed_uses,
            [(s.define(inst), RAX if quotient else RDX)],
            1 << RDX if quotient else 1 << RAX,
            inst.offset,
        )
    )
