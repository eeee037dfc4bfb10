"""Instruction selection for integer operations."""

from __future__ import annotations

from wasm_backend_arm64.addressing import Addressing
from wasm_backend_arm64.assembler import integer_length
from wasm_backend_arm64.encodings import (
    LDRSW_RM64,
    LSL,
    UXTW,
    add_immediate,
    extended,
    logical_immediate,
    shifted,
)
from wasm_backend_arm64.instructions import (
    ADD_IMM,
    BINARY,
    BINARY_EXTENDED,
    BINARY_NOT,
    COUNT_LEADING,
    EXTRACT,
    LOAD,
    LOGICAL_IMM,
    MOVE_LOW,
    MULTIPLY_ADD,
    MULTIPLY_ADD_WIDE,
    MULTIPLY_HIGH,
    MULTIPLY_SUBTRACT,
    MULTIPLY_SUBTRACT_WIDE,
    NEGATE,
    NOT,
    REVERSE_BITS,
    SIGNED_FIELD,
    SUB_IMM,
    UNSIGNED_FIELD,
    field,
)
from wasm_backend_arm64.registers import ZR
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.codegen.machinst import MInst, MOp
from wasm_ir.codegen.operand_lowering import signed
from wasm_ir.ir import Inst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_I32: Final = types.I32
_I64: Final = types.I64
_CONST: Final = op.CONST
_EXTEND_U: Final = op.EXTEND_U
_EXTEND_S: Final = op.EXTEND_S
_MEMORY_BASE: Final = op.MEMORY_BASE
#: Sign extensions -> how many bits they keep.
_KEPT_BITS: Final = {op.SEXT8: 8, op.SEXT16: 16, op.SEXT32: 32, op.EXTEND_S: 32}


class IntegerLowering(Addressing):
    """Handlers of integer operations."""

    # Addition and multiplication.

    def lower_iadd(self, inst: Inst) -> None:
        value_type = inst.type
        first, second = inst.args
        if first.op == _CONST or second.op == _MEMORY_BASE:
            first, second = second, first
        if self._lower_with_carry(inst, first, second) or self._lower_with_carry(inst, second, first):
            return
        destination = self.define(inst)
        if second.op == _CONST:
            self._add_constant(value_type, destination, first, signed(value_type, second.imm))
            return
        for x, y in ((first, second), (second, first)):
            if (
                y.op == op.IMUL
                and self.is_inner(y)
                and self._lower_multiply_add(MULTIPLY_ADD[value_type], MULTIPLY_ADD_WIDE, destination, x, y)
            ):
                return
        if (not self.is_shifted(second, False) and self.is_shifted(first, False) and not self.is_extended(second)) or (
            self.is_extended(first) and not self.is_extended(second)
        ):
            first, second = second, first
        self._lower_sum(op.IADD, value_type, destination, first, second)

    def _lower_with_carry(self, inst: Inst, first: Inst, second: Inst) -> bool:
        """`first` plus the carry of another sum, or minus the borrow of a difference, which a comparison tells."""
        compared = self.carry_operands(second)
        if compared is None:
            return False
        below, above = compared
        if inst.op == op.IADD:
            # A sum below one of its operands has a carry. (What other comparisons leave in the flag is the opposite.)
            if below.op != op.IADD or above not in below.args:
                return False
            below = below.args[0] if above is below.args[1] else below.args[1]
        from wasm_backend_arm64.integer_instructions import WITH_CARRY

        destination = self.define(inst)
        if first.op == inst.op and self.is_inner(first):
            uses = [self.source(operand, _I64) for operand in first.args]
        else:
            uses = [self.source(first, _I64), ZR]
        uses.append(self.use(below))
        uses.append(self.use(above))
        self.emit(MInst(WITH_CARRY[inst.op], [destination], uses, 0))
        return True

    def _lower_sum(self, operation: int, value_type: int, destination: int, first: Inst, second: Inst) -> None:
        """An addition or subtraction whose second operand is shifted or extended where it can be."""
        key = operation << 3 | value_type
        if value_type == _I64 and second.op == _EXTEND_U and operation == op.IADD and first.op == _MEMORY_BASE:
            # The same with the upper half cut off, in case the index is the lower half of an i64.
            uses = [self.use(first), self.low(second.args[0])]
            self.emit(MInst(BINARY_EXTENDED[key], [destination], uses, extended(UXTW)))
        elif self.is_extended(second):
            # Here number 31 in the first place would be the stack pointer.
            register, modifier = self.extended_operand(second)
            uses = [self.register(first, value_type), register]
            self.emit(MInst(BINARY_EXTENDED[key], [destination], uses, modifier))
        else:
            register, modifier = self.shifted_operand(second, False)
            uses = [self.source(first, value_type), register]
            self.emit(MInst(BINARY[key], [destination], uses, modifier))

    def _add_constant(self, value_type: int, destination: int, value: Inst, number: int) -> None:
        """destination = value + number: one instruction, or two."""
        operation = ADD_IMM[value_type]
        size = number
        if number < 0:
            operation = SUB_IMM[value_type]
            size = -number
        imm = add_immediate(size)
        source = self.register(value, value_type)
        if imm is not None:
            self.emit(MInst(operation, [destination], [source], imm))
        elif size < 1 << 24 and integer_length(number & types.MASKS[value_type]) > 1:
            upper = self.temp(value_type)
            lower_imm = add_immediate(size & 0xFFF)
            upper_imm = add_immediate(size & 0xFF_F000)
            assert lower_imm is not None and upper_imm is not None
            self.emit(MInst(operation, [upper], [source], upper_imm))
            self.emit(MInst(operation, [destination], [upper], lower_imm))
        else:
            constant = self.constant(value_type, number & types.MASKS[value_type])
            self.emit(MInst(BINARY[op.IADD << 3 | value_type], [destination], [source, constant], 0))

    def lower_isub(self, inst: Inst) -> None:
        value_type = inst.type
        first, second = inst.args
        if self._lower_with_carry(inst, first, second):
            return
        destination = self.define(inst)
        if second.op == _CONST:
            self._add_constant(value_type, destination, first, -signed(value_type, second.imm))
        elif first.op == _CONST and first.imm == 0:
            register, modifier = self.shifted_operand(second, False)
            self.emit(MInst(NEGATE[value_type], [destination], [register], modifier))
        elif not (
            second.op == op.IMUL
            and self.is_inner(second)
            and self._lower_multiply_add(
                MULTIPLY_SUBTRACT[value_type], MULTIPLY_SUBTRACT_WIDE, destination, first, second
            )
        ):
            self._lower_sum(op.ISUB, value_type, destination, first, second)

    def _is_wide_product(self, first: Inst, second: Inst) -> bool:
        return (
            first.op == _EXTEND_S
            and second.op == _EXTEND_S
            and self.vregs[first.id] == 0
            and self.vregs[second.id] == 0
        )

    def _lower_multiply_add(self, operation: MOp, wide: MOp, destination: int, addend: Inst, product: Inst) -> bool:
        """destination = addend + product, or minus; not where the product is one of an easy constant."""
        value_type = product.type
        first, second = product.args
        if second.op == _CONST and self._shift_and_add(second.imm, value_type) is not None:
            return False
        if self._is_wide_product(first, second):
            uses = [self.low(first.args[0]), self.low(second.args[0]), self.source(addend, value_type)]
            self.emit(MInst(wide, [destination], uses, 0))
        else:
            uses = [
                self.register(first, value_type),
                self.register(second, value_type),
                self.source(addend, value_type),
            ]
            self.emit(MInst(operation, [destination], uses, 0))
        return True

    def _shift_and_add(self, factor: int, value_type: int) -> tuple[int, int] | None:
        """The operation and shift k with which x op (x << k) is x * factor."""
        bits = types.BITS[value_type]
        less = factor - 1
        if less > 1 and less & less - 1 == 0:
            return op.IADD, less.bit_length() - 1
        less = 1 - signed(value_type, factor)
        if less > 1 and less & less - 1 == 0 and less.bit_length() <= bits:
            return op.ISUB, less.bit_length() - 1
        return None

    def lower_imul(self, inst: Inst) -> None:
        value_type = inst.type
        first, second = inst.args
        if first.op == _CONST:
            first, second = second, first
        destination = self.define(inst)
        if second.op == _CONST:
            bits = second.imm
            easy = self._shift_and_add(bits, value_type)
            if easy is not None:
                source = self.register(first, value_type)
                operation = BINARY[easy[0] << 3 | value_type]
                self.emit(MInst(operation, [destination], [source, source], shifted(LSL, easy[1])))
                return
            if bits and bits & bits - 1 == 0:
                self._shift(op.SHL, value_type, destination, self.register(first, value_type), bits.bit_length() - 1)
                return
        if value_type == _I64 and self._is_wide_product(first, second):
            uses = [self.low(first.args[0]), self.low(second.args[0]), ZR]
            self.emit(MInst(MULTIPLY_ADD_WIDE, [destination], uses, 0))
            return
        uses = [self.source(first, value_type), self.source(second, value_type), ZR]
        self.emit(MInst(MULTIPLY_ADD[value_type], [destination], uses, 0))

    def lower_multiply_high(self, inst: Inst) -> None:
        first, second = inst.args
        destination = self.define(inst)
        uses = [self.source(first, _I64), self.source(second, _I64)]
        self.emit(MInst(MULTIPLY_HIGH[inst.op], [destination], uses, 0))

    # Bitwise operations.

    def lower_and(self, inst: Inst) -> None:
        first, second = inst.args
        if first.op == _CONST:
            first, second = second, first
        if second.op == _CONST:
            bits = second.imm
            if bits & bits + 1 == 0 and self._lower_field(inst, first, bits.bit_length()):
                return
            destination = self.define(inst)
            # The 32-bit instruction clears the rest.
            narrow = _I32 if bits <= 0xFFFF_FFFF else _I64
            if bits == 0xFFFF_FFFF:
                self.emit(MInst(MOVE_LOW, [destination], [self.low(first)], 0))
                return
            imm = logical_immediate(bits, types.BITS[narrow])
            if imm is not None:
                self.emit(MInst(LOGICAL_IMM[op.AND << 3 | narrow], [destination], [self.register(first, narrow)], imm))
                return
            uses = [self.register(first, narrow), self.source(second, narrow)]
            self.emit(MInst(BINARY[op.AND << 3 | narrow], [destination], uses, 0))
            return
        self._lower_bitwise(inst, first, second)

    def _lower_field(self, inst: Inst, value: Inst, width: int) -> bool:
        """The low `width` bits of a number shifted right: a bit field."""
        value_type = value.type
        if value.op != op.SHR_U and value.op != op.SHR_S:
            return False
        count = value.args[1]
        if count.op != _CONST or not self.is_inner(value):
            return False
        start = count.imm & types.BITS[value_type] - 1
        if start + width > types.BITS[value_type]:
            return False
        destination = self.define(inst)
        source = self.register(value.args[0], value_type)
        self.emit(MInst(UNSIGNED_FIELD[value_type], [destination], [source], field(start, start + width - 1)))
        return True

    def lower_or(self, inst: Inst) -> None:
        first, second = inst.args
        if self._lower_extract(inst, first, second) or self._lower_extract(inst, second, first):
            return
        self._lower_bitwise(inst, first, second)

    def _lower_extract(self, inst: Inst, left: Inst, right: Inst) -> bool:
        """x << k | y >> width - k."""
        if left.op != op.SHL or right.op != op.SHR_U or not (self.is_inner(left) and self.is_inner(right)):
            return False
        if left.args[1].op != _CONST or right.args[1].op != _CONST:
            return False
        value_type = inst.type
        mask = types.BITS[value_type] - 1
        start = right.args[1].imm & mask
        if start == 0 or (left.args[1].imm & mask) + start != types.BITS[value_type]:
            return False
        uses = [self.source(left.args[0], value_type), self.source(right.args[0], value_type)]
        self.emit(MInst(EXTRACT[value_type], [self.define(inst)], uses, start << 10))
        return True

    def lower_xor(self, inst: Inst) -> None:
        value_type = inst.type
        first, second = inst.args
        if second.op == _CONST and second.imm == types.MASKS[value_type]:
            destination = self.define(inst)
            if first.op == op.XOR and self.is_inner(first) and first.args[1].op != _CONST:
                self._lower_not(op.XOR, value_type, destination, first.args[0], first.args[1])
                return
            register, modifier = self.shifted_operand(first, True)
            self.emit(MInst(NOT[value_type], [destination], [register], modifier))
        else:
            self._lower_bitwise(inst, first, second)

    def _is_not(self, value: Inst) -> bool:
        return (
            value.op == op.XOR
            and self.is_inner(value)
            and value.args[1].op == _CONST
            and value.args[1].imm == types.MASKS[value.type]
        )

    def _lower_not(self, operation: int, value_type: int, destination: int, first: Inst, second: Inst) -> None:
        """destination = first op not second."""
        register, modifier = self.shifted_operand(second, True)
        uses = [self.source(first, value_type), register]
        self.emit(MInst(BINARY_NOT[operation << 3 | value_type], [destination], uses, modifier))

    def _lower_bitwise(self, inst: Inst, first: Inst, second: Inst) -> None:
        value_type = inst.type
        key = inst.op << 3 | value_type
        if first.op == _CONST:
            first, second = second, first
        destination = self.define(inst)
        if second.op == _CONST:
            imm = logical_immediate(second.imm, types.BITS[value_type])
            if imm is not None:
                self.emit(MInst(LOGICAL_IMM[key], [destination], [self.register(first, value_type)], imm))
                return
        for x, y in ((first, second), (second, first)):
            if self._is_not(y):
                self._lower_not(inst.op, value_type, destination, x, y.args[0])
                return
        if self.is_shifted(first, True) and not self.is_shifted(second, True):
            first, second = second, first
        register, modifier = self.shifted_operand(second, True)
        self.emit(MInst(BINARY[key], [destination], [self.source(first, value_type), register], modifier))

    # Shifts and rotates.

    def _shift_count(self, count: Inst, value_type: int) -> Inst:
        """The count without masking that the processor does by itself."""
        mask = types.BITS[value_type] - 1
        while count.op == op.AND and count.args[1].op == _CONST and count.args[1].imm & mask == mask:
            if self.vregs[count.id]:
                break
            count = count.args[0]
        return count

    def _shift(self, operation: int, value_type: int, destination: int, source: int, count: int) -> None:
        """Shift by a constant number of bits."""
        bits = types.BITS[value_type]
        if operation == op.SHL:
            imm = field(-count & bits - 1, bits - 1 - count)
        else:
            imm = field(count, bits - 1)
        form = SIGNED_FIELD if operation == op.SHR_S else UNSIGNED_FIELD
        self.emit(MInst(form[value_type], [destination], [source], imm))

    def lower_shift(self, inst: Inst) -> None:
        value_type = inst.type
        operation = inst.op
        first, count = inst.args
        destination = self.define(inst)
        if count.op != _CONST:
            count = self._shift_count(count, value_type)
            uses = [self.source(first, value_type), self.low(count)]
            self.emit(MInst(BINARY[operation << 3 | value_type], [destination], uses, 0))
            return
        number = count.imm & types.BITS[value_type] - 1
        if number == 0 or not self._lower_shifted_field(inst, destination, first, number):
            self._shift(operation, value_type, destination, self.register(first, value_type), number)

    def _lower_shifted_field(self, inst: Inst, destination: int, value: Inst, number: int) -> bool:
        """A shift of a bit field, or one shift after another."""
        if not self.is_inner(value):
            return False
        value_type = inst.type
        operation = inst.op
        bits = types.BITS[value_type]
        if operation == op.SHL:
            if value.op in _KEPT_BITS:
                form, width = SIGNED_FIELD, _KEPT_BITS[value.op]
            elif value.op == op.AND and value.args[1].op == _CONST and value.args[1].imm & value.args[1].imm + 1 == 0:
                form, width = UNSIGNED_FIELD, value.args[1].imm.bit_length()
            else:
                return False
            imm = field(-number & bits - 1, min(width, bits - number) - 1)
        elif value.op == op.SHL and value.args[1].op == _CONST:
            form = SIGNED_FIELD if operation == op.SHR_S else UNSIGNED_FIELD
            left = value.args[1].imm & bits - 1
            imm = field(number - left & bits - 1, bits - 1 - left)
        elif operation == op.SHR_U and value.op == op.AND and value.args[1].op == _CONST:
            kept = value.args[1].imm >> number
            if kept == 0 or kept & kept + 1:
                return False
            form = UNSIGNED_FIELD
            imm = field(number, number + kept.bit_length() - 1)
        else:
            return False
        source = self.low(value.args[0]) if value.op in _KEPT_BITS else self.register(value.args[0], value_type)
        self.emit(MInst(form[value_type], [destination], [source], imm))
        return True

    def lower_rotate(self, inst: Inst) -> None:
        value_type = inst.type
        first, count = inst.args
        bits = types.BITS[value_type]
        destination = self.define(inst)
        if count.op == _CONST:
            number = (count.imm if inst.op == op.ROTR else -count.imm) & bits - 1
            source = self.register(first, value_type)
            self.emit(MInst(EXTRACT[value_type], [destination], [source, source], number << 10))
            return
        source = self.register(first, value_type)
        right = self.low(self._shift_count(count, value_type))
        if inst.op == op.ROTL:
            left, right = right, self.temp(_I32)
            self.emit(MInst(NEGATE[_I32], [right], [left], 0))
        self.emit(MInst(BINARY[op.ROTR << 3 | value_type], [destination], [source, right], 0))

    def lower_divide(self, inst: Inst) -> None:
        """div_s, div_u, rem_s, rem_u: not every program divides."""
        from wasm_backend_arm64.lower_division import lower_divide

        lower_divide(self, inst)

    # Bit counts and extensions.

    def lower_count_bits(self, inst: Inst) -> None:
        value_type = inst.type
        source = self.register(inst.args[0], value_type)
        destination = self.define(inst)
        if inst.op == op.POPCNT:
            from wasm_backend_arm64.integer_instructions import POPULATION_COUNT

            self.emit(MInst(POPULATION_COUNT[value_type], [destination], [source], 0))
            return
        if inst.op == op.CTZ:
            reversed_ = self.temp(value_type)
            self.emit(MInst(REVERSE_BITS[value_type], [reversed_], [source], 0))
            source = reversed_
        self.emit(MInst(COUNT_LEADING[value_type], [destination], [source], 0))

    def lower_sign_extension(self, inst: Inst) -> None:
        """sext8, sext16, sext32, extend_s."""
        source = inst.args[0]
        destination = self.define(inst)
        if inst.op == _EXTEND_S and self.is_operand(source, _I32):
            uses: list[int] = []
            imm = self.memory(source, LDRSW_RM64, uses)
            self.emit(MInst(LOAD[op.LOAD32_S << 3 | _I64], [destination], uses, imm, self.fault_offset(source)))
        else:
            width = _KEPT_BITS[inst.op]
            self.emit(MInst(SIGNED_FIELD[inst.type], [destination], [self.low(source)], field(0, width - 1)))

    def lower_wrap(self, inst: Inst) -> None:
        source = inst.args[0]
        destination = self.define(inst)
        if self.is_operand(source, _I64):
            uses: list[int] = []
            load = LOAD[op.LOAD << 3 | _I32]
            imm = self.memory(source, load.access, uses)
            self.emit(MInst(load, [destination], uses, imm, self.fault_offset(source)))
        else:
            self.emit(MInst(MOVE_LOW, [destination], [self.low(source)], 0))
