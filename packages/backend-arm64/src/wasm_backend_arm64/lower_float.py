"""Instruction selection for floating-point operations and conversions."""

from __future__ import annotations

from wasm_backend_arm64.float_instructions import BITCAST, COPY_SIGN, FLOAT_UNARY, FROM_INTEGER, TO_INTEGER
from wasm_backend_arm64.instructions import BINARY, LOAD
from wasm_backend_arm64.lower_integer import IntegerLowering
from wasm_ir import opcodes as op
from wasm_ir.codegen.machinst import MInst
from wasm_ir.ir import Inst


class FloatLowering(IntegerLowering):
    """Handlers of floating-point operations."""

    def lower_float_binary(self, inst: Inst) -> None:
        """fadd, fsub, fmul, fdiv, fmin, fmax."""
        uses = [self.use(inst.args[0]), self.use(inst.args[1])]
        self.emit(MInst(BINARY[inst.op << 3 | inst.type], [self.define(inst)], uses, 0))

    def lower_copysign(self, inst: Inst) -> None:
        uses = [self.use(inst.args[0]), self.use(inst.args[1])]
        self.emit(MInst(COPY_SIGN[inst.type], [self.define(inst)], uses, 0))

    def lower_float_unary(self, inst: Inst) -> None:
        """fabs, fneg, fsqrt, fceil, ffloor, ftrunc, fnearest, demote, promote."""
        self.emit(MInst(FLOAT_UNARY[inst.op << 3 | inst.type], [self.define(inst)], [self.use(inst.args[0])], 0))

    def lower_to_integer(self, inst: Inst) -> None:
        """The four kinds of ftoi."""
        source = inst.args[0]
        operation = TO_INTEGER[inst.op, source.type, inst.type]
        self.emit(MInst(operation, [self.define(inst)], [self.use(source)], 0, inst.offset))

    def lower_from_integer(self, inst: Inst) -> None:
        """itof_s, itof_u."""
        source = inst.args[0]
        operation = FROM_INTEGER[inst.op, source.type, inst.type]
        self.emit(MInst(operation, [self.define(inst)], [self.source(source, source.type)], 0))

    def lower_bitcast(self, inst: Inst) -> None:
        source = inst.args[0]
        destination = self.define(inst)
        if self.is_operand(source, source.type):
            uses: list[int] = []
            load = LOAD[op.LOAD << 3 | inst.type]
            imm = self.memory(source, load.access, uses)
            self.emit(MInst(load, [destination], uses, imm, self.fault_offset(source)))
        else:
            self.emit(MInst(BITCAST[inst.type], [destination], [self.source(source, source.type)], 0))
