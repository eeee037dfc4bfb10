"""Instruction selection for integer division and remainder."""

from __future__ import annotations

from typing import Final

from wasm_backend_arm64.encodings import ASR, LSR, logical_immediate, shifted
from wasm_backend_arm64.instructions import BINARY, LOGICAL_IMM, NEGATE
from wasm_backend_arm64.integer_instructions import CHECK_MINUS_ONE, CHECK_ZERO, DIVIDE
from wasm_backend_arm64.lower_integer import IntegerLowering
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.codegen.machinst import MInst
from wasm_ir.codegen.operand_lowering import signed
from wasm_ir.ir import Inst

_CONST: Final = op.CONST


class DivisionLowering(IntegerLowering):
    """Handlers of div_s, div_u, rem_s and rem_u."""

    def lower_divide(self, inst: Inst) -> None:
        operation = inst.op
        value_type = inst.type
        dividend, divisor = inst.args
        checks = CHECK_ZERO | CHECK_MINUS_ONE
        if divisor.op == _CONST and divisor.imm:
            checks = CHECK_MINUS_ONE if divisor.imm == types.MASKS[value_type] else 0
            if not self.is_needed(inst) and (checks == 0 or operation != op.DIV_S):
                return
            if self._lower_power_of_two(inst, dividend, divisor.imm):
                return
        elif dividend.op == _CONST and dividend.imm != 1 << types.BITS[value_type] - 1:
            checks = CHECK_ZERO
        uses = [self.source(dividend, value_type), self.source(divisor, value_type)]
        self.emit(MInst(DIVIDE[operation << 3 | value_type], [self.define(inst)], uses, checks, inst.offset))

    def _lower_power_of_two(self, inst: Inst, dividend: Inst, bits: int) -> bool:
        """Divide by shifting when the divisor is plus or minus 2^k, k > 0 (Hacker's Delight, section 10-1)."""
        operation = inst.op
        value_type = inst.type
        is_signed = operation == op.DIV_S or operation == op.REM_S
        number = signed(value_type, bits) if is_signed else bits
        size = abs(number)
        if size < 2 or size & size - 1:
            return False
        shift = size.bit_length() - 1
        source = self.register(dividend, value_type)
        destination = self.define(inst)
        if operation == op.DIV_U:
            self._shift(op.SHR_U, value_type, destination, source, shift)
        elif operation == op.REM_U:
            self._mask(value_type, destination, source, size - 1)
        elif operation == op.DIV_S:
            biased = self._biased(value_type, source, shift)
            if number > 0:
                self._shift(op.SHR_S, value_type, destination, biased, shift)
            else:
                self.emit(MInst(NEGATE[value_type], [destination], [biased], shifted(ASR, shift)))
        else:
            multiple = self.temp(value_type)
            self._mask(
                value_type, multiple, self._biased(value_type, source, shift), types.MASKS[value_type] - size + 1
            )
            self.emit(MInst(BINARY[op.ISUB << 3 | value_type], [destination], [source, multiple], 0))
        return True

    def _biased(self, value_type: int, source: int, shift: int) -> int:
        """source, plus 2^shift - 1 if it is negative: rounds the shift that follows towards zero."""
        bits = types.BITS[value_type]
        sign = source
        if shift > 1:
            sign = self.temp(value_type)
            self._shift(op.SHR_S, value_type, sign, source, bits - 1)
        result = self.temp(value_type)
        self.emit(MInst(BINARY[op.IADD << 3 | value_type], [result], [source, sign], shifted(LSR, bits - shift)))
        return result

    def _mask(self, value_type: int, destination: int, source: int, bits: int) -> None:
        imm = logical_immediate(bits, types.BITS[value_type])
        assert imm is not None, "runs of ones can be encoded"
        self.emit(MInst(LOGICAL_IMM[op.AND << 3 | value_type], [destination], [source], imm))
