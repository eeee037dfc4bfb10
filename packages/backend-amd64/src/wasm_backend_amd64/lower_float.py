"""Instruction selection for floating-point operations and conversions."""

from __future__ import annotations

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
from wasm_backend_amd64.lower_division import DivisionLowering
from wasm_backend_amd64.operands import pack_value
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.codegen.machinst import MInst
from wasm_ir.ir import Inst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_CONST: Final = op.CONST


class FloatLowering(DivisionLowering):
    """Handlers of floating-point operations."""

    def lower_float_binary(self, inst: Inst) -> None:
        """fadd, fsub, fmul, fdiv."""
        value_type = inst.type
        row = FLOAT_BINARY[inst.op << 3 | value_type]
        first, second = inst.args
        destination = self.define(inst)
        if op.PROPERTIES[inst.op] & op.COMMUTATIVE and (
            first.op == _CONST or (self.is_operand(first, value_type) and not self.is_operand(second, value_type))
        ):
            first, second = second, first
        uses = [self.use(first)]
        if second.op == _CONST and second.imm:
            self.emit(MInst(with_constant(row, self.avx), [destination], uses, second.imm))
        elif self.is_operand(second, value_type):
            imm = self.memory(second, uses)
            self.emit(MInst(with_memory(row, self.avx), [destination], uses, imm, self.fault_offset(second)))
        else:
            uses.append(self.use(second))
            self.emit(MInst(in_registers(row, self.avx), [destination], uses, 0))

    def lower_min_max(self, inst: Inst) -> None:
        uses = [self.use(inst.args[0]), self.use(inst.args[1])]
        self.emit(MInst(MIN_MAX[inst.op << 3 | inst.type], [self.define(inst)], uses, 0))

    def lower_copysign(self, inst: Inst) -> None:
        uses = [self.use(inst.args[0]), self.use(inst.args[1])]
        self.emit(MInst(COPY_SIGN[inst.type], [self.define(inst)], uses, 0))

    def lower_sign_bits(self, inst: Inst) -> None:
        """fabs, fneg."""
        mask = SIGN_MASKS[inst.op << 3 | inst.type]
        operation = with_constant(SIGN_BITS[inst.op], self.avx)
        self.emit(MInst(operation, [self.define(inst)], [self.use(inst.args[0])], mask))

    def lower_float_unary(self, inst: Inst) -> None:
        """fsqrt, demote, promote."""
        row = FLOAT_UNARY[inst.op << 3 | inst.type]
        source = inst.args[0]
        destination = self.define(inst)
        if self.is_operand(source, source.type):
            # Without VEX prefix, where the rest of the destination would have to come from a register.
            uses: list[int] = []
            imm = self.memory(source, uses)
            self.emit(MInst(with_memory(row, False), [destination], uses, imm, self.fault_offset(source)))
        else:
            register = self.use(source)
            uses = [register, register] if self.avx else [register]
            self.emit(MInst(in_registers(row, self.avx), [destination], uses, 0))

    def lower_round(self, inst: Inst) -> None:
        """fceil, ffloor, ftrunc, fnearest."""
        value_type = inst.type
        mode = ROUNDING_MODES[inst.op]
        row = ROUND[value_type]
        source = inst.args[0]
        destination = self.define(inst)
        if self.is_operand(source, value_type):
            uses: list[int] = []
            imm = pack_value(self.memory(source, uses), mode)
            self.emit(MInst(with_memory(row, False), [destination], uses, imm, self.fault_offset(source)))
        else:
            register = self.use(source)
            uses = [register, register] if self.avx else [register]
            self.emit(MInst(in_registers(row, self.avx), [destination], uses, mode))

    def lower_to_integer(self, inst: Inst) -> None:
        """The four kinds of ftoi."""
        source = inst.args[0]
        operation = TO_INTEGER[inst.op, source.type, inst.type == types.I64]
        self.emit(MInst(operation, [self.define(inst)], [self.use(source)], 0, inst.offset))

    def lower_from_signed(self, inst: Inst) -> None:
        source = inst.args[0]
        key = source.type << 3 | inst.type
        destination = self.define(inst)
        if self.is_operand(source, source.type):
            uses: list[int] = []
            imm = self.memory(source, uses)
            self.emit(MInst(FROM_SIGNED_LOAD[key], [destination], uses, imm, self.fault_offset(source)))
        else:
            self.emit(MInst(FROM_SIGNED[key], [destination], [self.register(source, source.type)], 0))

    def lower_from_unsigned(self, inst: Inst) -> None:
        source = inst.args[0]
        destination = self.define(inst)
        if source.type == types.I32:
            # Zero-extended it is a signed 64-bit number.
            self.emit(MInst(FROM_SIGNED[types.I64 << 3 | inst.type], [destination], [self.use(source)], 0))
        else:
            temp = self.temp()
            self.emit(MInst(FROM_UNSIGNED64[inst.type], [destination, temp], [self.use(source)], 0))

    def lower_bitcast(self, inst: Inst) -> None:
        source = inst.args[0]
        destination = self.define(inst)
        if self.is_operand(source, source.type):
            uses: list[int] = []
            imm = self.memory(source, uses)
            self.emit(MInst(LOAD[op.LOAD << 3 | inst.type], [destination], uses, imm, self.fault_offset(source)))
        else:
            self.emit(MInst(BITCAST[inst.type], [destination], [self.register(source, source.type)], 0))
