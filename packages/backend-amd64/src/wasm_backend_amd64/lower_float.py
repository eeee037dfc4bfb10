"""Instruction selection for floating-point operations and conversions: functions, imported when there are any."""

from __future__ import annotations

from collections.abc import Callable

from wasm_backend_amd64.float_instructions import (
    BITCAST,
    COPY_SIGN,
    FLOAT_BINARY,
    FLOAT_UNARY,
    FROM_SIGNED,
    FROM_SIGNED_LOAD,
    FROM_UNSIGNED64,
    MIN_MAX,
    ROUND,
    ROUNDING_MODES,
    SIGN_BITS,
    SIGN_MASKS,
    TO_INTEGER,
)
from wasm_backend_amd64.forms import in_registers, with_constant, with_memory
from wasm_backend_amd64.instructions import LOAD
from wasm_backend_amd64.operands import pack_value
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.codegen.machinst import MInst
from wasm_ir.ir import Inst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_backend_amd64.lower_conditions import ConditionLowering

_CONST: Final = op.CONST


def float_binary(s: ConditionLowering, inst: Inst) -> None:
    """fadd, fsub, fmul, fdiv."""
    value_type = inst.type
    row = FLOAT_BINARY[inst.op << 3 | value_type]
    first, second = inst.args
    destination = s.define(inst)
    if op.PROPERTIES[inst.op] & op.COMMUTATIVE and (
        first.op == _CONST or (s.is_operand(first, value_type) and not s.is_operand(second, value_type))
    ):
        first, second = second, first
    uses = [s.use(first)]
    if second.op == _CONST and second.imm:
        s.emit(MInst(with_constant(row, s.avx), [destination], uses, second.imm))
    elif s.is_operand(second, value_type):
        imm = s.memory(second, uses)
        s.emit(MInst(with_memory(row, s.avx), [destination], uses, imm, s.fault_offset(second)))
    else:
        uses.append(s.use(second))
        s.emit(MInst(in_registers(row, s.avx), [destination], uses, 0))


def min_max(s: ConditionLowering, inst: Inst) -> None:
    uses = [s.use(inst.args[0]), s.use(inst.args[1])]
    s.emit(MInst(MIN_MAX[inst.op << 3 | inst.type], [s.define(inst)], uses, 0))


def copysign(s: ConditionLowering, inst: Inst) -> None:
    uses = [s.use(inst.args[0]), s.use(inst.args[1])]
    s.emit(MInst(COPY_SIGN[inst.type], [s.define(inst)], uses, 0))


def sign_bits(s: ConditionLowering, inst: Inst) -> None:
    """fabs, fneg."""
    mask = SIGN_MASKS[inst.op << 3 | inst.type]
    operation = with_constant(SIGN_BITS[inst.op], s.avx)
    s.emit(MInst(operation, [s.define(inst)], [s.use(inst.args[0])], mask))


def float_unary(s: ConditionLowering, inst: Inst) -> None:
    """fsqrt, demote, promote."""
    row = FLOAT_UNARY[inst.op << 3 | inst.type]
    source = inst.args[0]
    destination = s.define(inst)
    if s.is_operand(source, source.type):
        # Without VEX prefix, where the rest of the destination would have to come from a register.
        uses: list[int] = []
        imm = s.memory(source, uses)
        s.emit(MInst(with_memory(row, False), [destination], uses, imm, s.fault_offset(source)))
    else:
        register = s.use(source)
        uses = [register, register] if s.avx else [register]
        s.emit(MInst(in_registers(row, s.avx), [destination], uses, 0))


def round_to_integer(s: ConditionLowering, inst: Inst) -> None:
    """fceil, ffloor, ftrunc, fnearest."""
    value_type = inst.type
    mode = ROUNDING_MODES[inst.op]
    row = ROUND[value_type]
    source = inst.args[0]
    destination = s.define(inst)
    if s.is_operand(source, value_type):
        uses: list[int] = []
        imm = pack_value(s.memory(source, uses), mode)
        s.emit(MInst(with_memory(row, False), [destination], uses, imm, s.fault_offset(source)))
    else:
        register = s.use(source)
        uses = [register, register] if s.avx else [register]
        s.emit(MInst(in_registers(row, s.avx), [destination], uses, mode))


def to_integer(s: ConditionLowering, inst: Inst) -> None:
    """The four kinds of ftoi."""
    source = inst.args[0]
    operation = TO_INTEGER[inst.op, source.type, inst.type == types.I64]
    s.emit(MInst(operation, [s.define(inst)], [s.use(source)], 0, inst.offset))


def from_signed(s: ConditionLowering, inst: Inst) -> None:
    source = inst.args[0]
    key = source.type << 3 | inst.type
    destination = s.define(inst)
    if s.is_operand(source, source.type):
        uses: list[int] = []
        imm = s.memory(source, uses)
        s.emit(MInst(FROM_SIGNED_LOAD[key], [destination], uses, imm, s.fault_offset(source)))
    else:
        s.emit(MInst(FROM_SIGNED[key], [destination], [s.register(source, source.type)], 0))


def from_unsigned(s: ConditionLowering, inst: Inst) -> None:
    source = inst.args[0]
    destination = s.define(inst)
    if source.type == types.I32:
        # Zero-extended it is a signed 64-bit number.
        s.emit(MInst(FROM_SIGNED[types.I64 << 3 | inst.type], [destination], [s.use(source)], 0))
    else:
        temp = s.temp()
        s.emit(MInst(FROM_UNSIGNED64[inst.type], [destination, temp], [s.use(source)], 0))


def bitcast(s: ConditionLowering, inst: Inst) -> None:
    source = inst.args[0]
    destination = s.define(inst)
    if s.is_operand(source, source.type):
        uses: list[int] = []
        imm = s.memory(source, uses)
        s.emit(MInst(LOAD[op.LOAD << 3 | inst.type], [destination], uses, imm, s.fault_offset(source)))
    else:
        s.emit(MInst(BITCAST[inst.type], [destination], [s.register(source, source.type)], 0))


#: By operation.
HANDLERS: Final[dict[int, Callable[[ConditionLowering, Inst], None]]] = {
    **dict.fromkeys((op.FADD, op.FSUB, op.FMUL, op.FDIV), float_binary),
    **dict.fromkeys((op.FMIN, op.FMAX), min_max),
    op.FCOPYSIGN: copysign,
    **dict.fromkeys((op.FABS, op.FNEG), sign_bits),
    **dict.fromkeys((op.FSQRT, op.DEMOTE, op.PROMOTE), float_unary),
    **dict.fromkeys((op.FCEIL, op.FFLOOR, op.FTRUNC, op.FNEAREST), round_to_integer),
    **dict.fromkeys((op.FTOI_S, op.FTOI_U, op.FTOI_SAT_S, op.FTOI_SAT_U), to_integer),
    op.ITOF_S: from_signed,
    op.ITOF_U: from_unsigned,
    op.BITCAST: bitcast,
}
