"""Instruction selection for floating-point operations and conversions."""

from __future__ import annotations

from collections.abc import Callable

from wasm_backend_arm64.float_instructions import (
    BITCAST,
    COPY_SIGN,
    FLOAT_BINARY,
    FLOAT_UNARY,
    FROM_INTEGER,
    TO_INTEGER,
)
from wasm_backend_arm64.instructions import LOAD
from wasm_ir import opcodes as op
from wasm_ir.codegen.machinst import MInst
from wasm_ir.ir import Inst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_backend_arm64.lower_conditions import ConditionLowering


def float_binary(s: ConditionLowering, inst: Inst) -> None:
    """fadd, fsub, fmul, fdiv, fmin, fmax."""
    uses = [s.use(inst.args[0]), s.use(inst.args[1])]
    s.emit(MInst(FLOAT_BINARY[inst.op << 3 | inst.type], [s.define(inst)], uses, 0))


def copysign(s: ConditionLowering, inst: Inst) -> None:
    uses = [s.use(inst.args[0]), s.use(inst.args[1])]
    s.emit(MInst(COPY_SIGN[inst.type], [s.define(inst)], uses, 0))


def float_unary(s: ConditionLowering, inst: Inst) -> None:
    """fabs, fneg, fsqrt, fceil, ffloor, ftrunc, fnearest, demote, promote."""
    s.emit(MInst(FLOAT_UNARY[inst.op << 3 | inst.type], [s.define(inst)], [s.use(inst.args[0])], 0))


def to_integer(s: ConditionLowering, inst: Inst) -> None:
    """The four kinds of ftoi."""
    source = inst.args[0]
    operation = TO_INTEGER[inst.op, source.type, inst.type]
    s.emit(MInst(operation, [s.define(inst)], [s.use(source)], 0, inst.offset))


def from_integer(s: ConditionLowering, inst: Inst) -> None:
    """itof_s, itof_u."""
    source = inst.args[0]
    operation = FROM_INTEGER[inst.op, source.type, inst.type]
    s.emit(MInst(operation, [s.define(inst)], [s.source(source, source.type)], 0))


def bitcast(s: ConditionLowering, inst: Inst) -> None:
    source = inst.args[0]
    destination = s.define(inst)
    if s.is_operand(source, source.type):
        uses: list[int] = []
        load = LOAD[op.LOAD << 3 | inst.type]
        imm = s.memory(source, load.access, uses)
        s.emit(MInst(load, [destination], uses, imm, s.fault_offset(source)))
    else:
        s.emit(MInst(BITCAST[inst.type], [destination], [s.source(source, source.type)], 0))


#: By operation.
HANDLERS: Final[dict[int, Callable[[ConditionLowering, Inst], None]]] = {
    **dict.fromkeys((op.FADD, op.FSUB, op.FMUL, op.FDIV, op.FMIN, op.FMAX), float_binary),
    op.FCOPYSIGN: copysign,
    **dict.fromkeys((op.FABS, op.FNEG, op.FSQRT, op.DEMOTE, op.PROMOTE), float_unary),
    **dict.fromkeys((op.FCEIL, op.FFLOOR, op.FTRUNC, op.FNEAREST), float_unary),
    **dict.fromkeys((op.FTOI_S, op.FTOI_U, op.FTOI_SAT_S, op.FTOI_SAT_U), to_integer),
    **dict.fromkeys((op.ITOF_S, op.ITOF_U), from_integer),
    op.BITCAST: bitcast,
}
