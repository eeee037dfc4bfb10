"""Instruction selection for integer division and remainder."""

from __future__ import annotations

from typing import Final

from wasm_backend_amd64.addressing import fits
from wasm_backend_amd64.instructions import ADD, BINARY, BINARY_IMM, NEG
from wasm_backend_amd64.integer_instructions import CHECK_MINUS_ONE, CHECK_ZERO, DIVIDE
from wasm_backend_amd64.lower_integer import IntegerLowering
from wasm_backend_amd64.registers import RAX, RDX
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.codegen.machinst import MFixed, MInst
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
            if checks == 0 and not self.is_needed(inst):
                return
            if self._lower_power_of_two(inst, dividend, divisor.imm):
                return
        elif dividend.op == _CONST and dividend.imm != 1 << types.BITS[value_type] - 1:
            checks = CHECK_ZERO if operation == op.DIV_S else checks
        quotient = operation == op.DIV_S or operation == op.DIV_U
        fixed_uses: list[tuple[int | Inst, int]] = [
            (dividend if dividend.op == _CONST else self.register(dividend, value_type), RAX)
        ]
        self.emit(
            MFixed(
                DIVIDE[operation << 3 | value_type],
                [],
                [self.register(divisor, value_type)],
                checks,
                fixed_uses,
                [(self.define(inst), RAX if quotient else RDX)],
                1 << RDX if quotient else 1 << RAX,
                inst.offset,
            )
        )

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
                quotient = self.temp(value_type)
                self._shift(op.SHR_S, value_type, quotient, biased, shift)
                self.emit(MInst(NEG[value_type], [destination], [quotient], 0))
        else:
            biased = self._biased(value_type, source, shift)
            multiple = self.temp(value_type)
            self._mask(value_type, multiple, biased, types.MASKS[value_type] - size + 1)
            self.emit(MInst(BINARY[op.ISUB << 3 | value_type], [destination], [source, multiple], 0))
        return True

    def _biased(self, value_type: int, source: int, shift: int) -> int:
        """source, plus 2^shift - 1 if it is negative: rounds the shift that follows towards zero."""
        bits = types.BITS[value_type]
        sign = source
        if shift > 1:
            sign = self.temp(value_type)
            self._shift(op.SHR_S, value_type, sign, source, bits - 1)
        bias = self.temp(value_type)
        self._shift(op.SHR_U, value_type, bias, sign, bits - shift)
        result = self.temp(value_type)
        self.emit(MInst(ADD[value_type], [result], [source, bias], 0))
        return result

    def _shift(self, operation: int, value_type: int, destination: int, source: int, count: int) -> None:
        self.emit(MInst(BINARY_IMM[operation << 3 | value_type], [destination], [source], count))

    def _mask(self, value_type: int, destination: int, source: int, bits: int) -> None:
        number = signed(value_type, bits)
        if 0 <= number <= 0x7FFF_FFFF:
            self.emit(MInst(BINARY_IMM[op.AND << 3 | types.I32], [destination], [source], number))
        elif fits(number):
            self.emit(MInst(BINARY_IMM[op.AND << 3 | value_type], [destination], [source], number))
        else:
            mask = self.constant(value_type, bits)
            self.emit(MInst(BINARY[op.AND << 3 | value_type], [destination], [source, mask], 0))
