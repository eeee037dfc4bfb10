"""Instruction selection for integer operations."""

from __future__ import annotations

from wasm_backend_amd64.addressing import Addressing, fits
from wasm_backend_amd64.instructions import (
    ADD,
    ADD_IMM,
    ANDN,
    BINARY,
    BINARY_CONSTANT,
    BINARY_IMM,
    BINARY_LOAD,
    COUNT_BITS,
    IMUL_IMM,
    IMUL_IMM_LOAD,
    LEA,
    LOAD,
    MOVE_LOW,
    NEG,
    NOT,
    RORX,
    SHIFT_VEX,
    SIGN_EXTEND,
    ZERO_EXTEND8,
    ZERO_EXTEND16,
)
from wasm_backend_amd64.operands import pack_address, pack_value
from wasm_backend_amd64.registers import RAX, RCX, RDX
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.codegen.machinst import MFixed, MInst
from wasm_ir.codegen.operand_lowering import signed
from wasm_ir.codegen.vocabulary import Vocabulary
from wasm_ir.ir import Function, Inst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_I32: Final = types.I32
_I64: Final = types.I64
_CONST: Final = op.CONST
_ALL_ONES: Final = types.MASKS


class IntegerLowering(Addressing):
    """Handlers of integer operations."""

    def __init__(self, function: Function, vocabulary: Vocabulary, features: frozenset[str]) -> None:
        super().__init__(function, vocabulary, features)
        #: The products of one block, by the numbers of their values, and the position of that block.
        self._products: dict[int, Inst] = {}
        self._products_of = -1

    # Addition.

    def lower_iadd(self, inst: Inst) -> None:
        value_type = inst.type
        first, second = inst.args
        if first.op == _CONST:
            first, second = second, first
        if self._lower_with_carry(inst, first, second) or self._lower_with_carry(inst, second, first):
            return
        destination = self.define(inst)
        if second.op == _CONST:
            number = signed(value_type, second.imm)
            if fits(number):
                if self._is_sum(first):
                    self._lower_lea(inst, destination, first.args[0], first.args[1], number)
                else:
                    source = self.register(first, value_type)
                    self.emit(MInst(ADD_IMM[value_type], [destination], [source], number))
                return
        if second.op == _CONST or self.is_operand(second, value_type) or self.is_operand(first, value_type):
            self._lower_binary(inst, first, second)
            return
        for x, y in ((first, second), (second, first)):
            if self._is_scaled(y):
                self._lower_lea(inst, destination, x, y, 0)
                return
            if x.op == op.IADD and self.is_inner(x) and x.args[1].op == _CONST:
                number = signed(value_type, x.args[1].imm)
                if fits(number):
                    self._lower_lea(inst, destination, x.args[0], y, number)
                    return
        self.emit(
            MInst(
                ADD[value_type],
                [destination],
                [self.register(first, value_type), self.register(second, value_type)],
                0,
            )
        )

    def _lower_with_carry(self, inst: Inst, first: Inst, second: Inst) -> bool:
        """`first` plus or minus a carry that a comparison tells: the carry flag is what it says."""
        compared = self.carry_operands(second)
        if compared is None:
            return False
        from wasm_backend_amd64.integer_instructions import WITH_CARRY, WITH_CARRY_IMM

        below, above = compared
        destination = self.define(inst)
        number: int | None = 0
        other: Inst | None = None
        if first.op == inst.op and self.is_inner(first):
            number = self.immediate(first.args[1])
            if number is None:
                other = first.args[1]
            first = first.args[0]
        uses = [self.use(first)]
        if other is not None:
            uses.append(self.use(other))
        uses.append(self.use(below))
        uses.append(self.use(above))
        if other is None:
            assert number is not None
            self.emit(MInst(WITH_CARRY_IMM[inst.op], [destination], uses, number))
        else:
            self.emit(MInst(WITH_CARRY[inst.op], [destination], uses, 0))
        return True

    def _is_sum(self, value: Inst) -> bool:
        return value.op == op.IADD and self.is_inner(value) and value.args[1].op != _CONST

    def _is_scaled(self, value: Inst) -> bool:
        return (
            value.op == op.SHL
            and self.is_inner(value)
            and value.args[1].op == _CONST
            and 1 <= value.args[1].imm & types.BITS[value.type] - 1 <= 3
        )

    def _lower_lea(self, inst: Inst, destination: int, base: Inst, index: Inst, number: int) -> None:
        """destination = base + index + number, one of the two perhaps scaled."""
        value_type = inst.type
        if not self._is_scaled(index) and self._is_scaled(base):
            base, index = index, base
        shift = 0
        if self._is_scaled(index):
            shift = index.args[1].imm & types.BITS[value_type] - 1
            index = index.args[0]
        uses = [self.register(base, value_type), self.register(index, value_type)]
        self.emit(MInst(LEA[value_type], [destination], uses, pack_address(number, shift)))

    # Other arithmetic.

    def _lower_binary(self, inst: Inst, first: Inst, second: Inst) -> None:
        """A two-operand instruction on registers, a register and memory, or a register and a constant of the pool."""
        value_type = inst.type
        operation = inst.op
        destination = self.define(inst)
        commutes = op.PROPERTIES[operation] & op.COMMUTATIVE
        if second.op == _CONST and self.is_wide(second):
            source = self.register(first, value_type)
            self.emit(MInst(BINARY_CONSTANT[operation << 3 | value_type], [destination], [source], second.imm))
            return
        if commutes and not self.is_operand(second, value_type) and self.is_operand(first, value_type):
            first, second = second, first
        uses = [self.register(first, value_type)]
        if self.is_operand(second, value_type) and second is not first:
            imm = self.memory(second, uses)
            self.emit(
                MInst(BINARY_LOAD[operation << 3 | value_type], [destination], uses, imm, self.fault_offset(second))
            )
            return
        uses.append(self.register(second, value_type))
        self.emit(MInst(BINARY[operation << 3 | value_type], [destination], uses, 0))

    def lower_isub(self, inst: Inst) -> None:
        value_type = inst.type
        first, second = inst.args
        if self._lower_with_carry(inst, first, second):
            return
        if first.op == _CONST and first.imm == 0:
            self.emit(MInst(NEG[value_type], [self.define(inst)], [self.register(second, value_type)], 0))
            return
        if second.op == _CONST:
            number = -signed(value_type, second.imm)
            if fits(number):
                source = self.register(first, value_type)
                self.emit(MInst(ADD_IMM[value_type], [self.define(inst)], [source], number))
                return
        self._lower_binary(inst, first, second)

    def lower_imul(self, inst: Inst) -> None:
        value_type = inst.type
        first, second = inst.args
        if first.op == _CONST:
            first, second = second, first
        number = self.immediate(second)
        if number is None:
            self._lower_binary(inst, first, second)
            return
        destination = self.define(inst)
        bits = second.imm
        if bits in (3, 5, 9):
            source = self.register(first, value_type)
            shift = (3, 5, 9).index(bits) + 1
            self.emit(MInst(LEA[value_type], [destination], [source, source], pack_address(0, shift)))
        elif bits and bits & bits - 1 == 0:
            source = self.register(first, value_type)
            self.emit(MInst(BINARY_IMM[op.SHL << 3 | value_type], [destination], [source], bits.bit_length() - 1))
        elif self.is_operand(first, value_type):
            uses: list[int] = []
            imm = pack_value(self.memory(first, uses), number)
            self.emit(MInst(IMUL_IMM_LOAD[value_type], [destination], uses, imm, self.fault_offset(first)))
        else:
            self.emit(MInst(IMUL_IMM[value_type], [destination], [self.register(first, value_type)], number))

    def lower_multiply_high(self, inst: Inst) -> None:
        from wasm_backend_amd64.integer_instructions import MULTIPLY_HIGH

        first, second = inst.args
        if first.op == _CONST:
            first, second = second, first
        wide = second.op == _CONST and self.is_wide(second)
        fixed_uses: list[tuple[int | Inst, int]] = [(first if first.op == _CONST else self.use(first), RAX)]
        uses = [] if wide else [self.use(second)]
        imm = second.imm if wide else 0
        fixed_defs = [(self.define(inst), RDX)]
        clobbers = 1 << RAX
        product = self._product_before(inst)
        if product is not None:
            fixed_defs.append((self.define(product), RAX))
            self.sunk[product.id] = 1
            clobbers = 0
        self.emit(MFixed(MULTIPLY_HIGH[inst.op], [], uses, imm, fixed_uses, fixed_defs, clobbers))

    def _product_before(self, high: Inst) -> Inst | None:
        """The low half of the product of which this is the high one, if it is needed and stands right in front."""
        if self._products_of != self._block:
            self._products_of = self._block
            insts = self.function.blocks[self._block].insts
            self._products = {inst.id: inst for inst in insts if inst.op == op.IMUL and inst.type == _I64}
        # (numbers are given in the order in which instructions are built)
        product = self._products.get(high.id - 1)
        if product is None or self.vregs[product.id] == 0 or product.args != high.args:
            return None
        return product

    # Bitwise operations.

    def lower_and(self, inst: Inst) -> None:
        value_type = inst.type
        first, second = inst.args
        if first.op == _CONST:
            first, second = second, first
        if second.op == _CONST:
            bits = second.imm
            if bits == 0xFF or bits == 0xFFFF or bits == 0xFFFF_FFFF:
                if bits == 0xFF:
                    operation = ZERO_EXTEND8
                else:
                    operation = ZERO_EXTEND16 if bits == 0xFFFF else MOVE_LOW
                self.emit(MInst(operation, [self.define(inst)], [self.low(first)], 0))
                return
            if bits <= 0xFFFF_FFFF:
                # The 32-bit instruction clears the rest.
                source = self.low(first)
                number = signed(_I32, bits)
                self.emit(MInst(BINARY_IMM[op.AND << 3 | _I32], [self.define(inst)], [source], number))
                return
        elif self.has(ANDN[value_type]):
            for x, y in ((first, second), (second, first)):
                if (
                    x.op == op.XOR
                    and self.is_inner(x)
                    and x.args[1].op == _CONST
                    and x.args[1].imm == _ALL_ONES[value_type]
                ):
                    uses = [self.register(x.args[0], value_type), self.register(y, value_type)]
                    self.emit(MInst(ANDN[value_type], [self.define(inst)], uses, 0))
                    return
        self._lower_bitwise(inst, first, second)

    def lower_or(self, inst: Inst) -> None:
        self._lower_bitwise(inst, inst.args[0], inst.args[1])

    def lower_xor(self, inst: Inst) -> None:
        value_type = inst.type
        first, second = inst.args
        if second.op == _CONST and second.imm == _ALL_ONES[value_type]:
            self.emit(MInst(NOT[value_type], [self.define(inst)], [self.register(first, value_type)], 0))
        else:
            self._lower_bitwise(inst, first, second)

    def _lower_bitwise(self, inst: Inst, first: Inst, second: Inst) -> None:
        value_type = inst.type
        if first.op == _CONST:
            first, second = second, first
        number = self.immediate(second)
        if number is None:
            self._lower_binary(inst, first, second)
            return
        source = self.register(first, value_type)
        self.emit(MInst(BINARY_IMM[inst.op << 3 | value_type], [self.define(inst)], [source], number))

    # Shifts and rotates.

    def _shift_count(self, count: Inst, value_type: int) -> Inst:
        """The count without masking that the processor does by itself."""
        mask = types.BITS[value_type] - 1
        while count.op == op.AND and count.args[1].op == _CONST and count.args[1].imm & mask == mask:
            if self.vregs[count.id]:
                break
            count = count.args[0]
        return count

    def lower_shift(self, inst: Inst) -> None:
        value_type = inst.type
        key = inst.op << 3 | value_type
        first, count = inst.args
        if count.op == _CONST:
            number = count.imm & types.BITS[value_type] - 1
            source = self.register(first, value_type)
            destination = self.define(inst)
            if inst.op == op.SHL and number == 1:
                self.emit(MInst(ADD[value_type], [destination], [source, source], 0))
            else:
                self.emit(MInst(BINARY_IMM[key], [destination], [source], number))
            return
        count = self._shift_count(count, value_type)
        shift = SHIFT_VEX[key]
        if self.has(shift):
            uses = [self.register(first, value_type), self.low(count)]
            self.emit(MInst(shift, [self.define(inst)], uses, 0))
        else:
            self._lower_shift_by_cl(inst, key, first, count)

    def lower_rotate(self, inst: Inst) -> None:
        value_type = inst.type
        key = inst.op << 3 | value_type
        first, count = inst.args
        if count.op != _CONST:
            self._lower_shift_by_cl(inst, key, first, self._shift_count(count, value_type))
            return
        bits = types.BITS[value_type]
        number = count.imm & bits - 1
        source = self.register(first, value_type)
        if self.has(RORX[value_type]):
            right = number if inst.op == op.ROTR else -number & bits - 1
            self.emit(MInst(RORX[value_type], [self.define(inst)], [source], right))
        else:
            self.emit(MInst(BINARY_IMM[key], [self.define(inst)], [source], number))

    def _lower_shift_by_cl(self, inst: Inst, key: int, first: Inst, count: Inst) -> None:
        from wasm_backend_amd64.integer_instructions import SHIFT_BY_CL

        # Everything in given places: a tied destination could be rcx.
        fixed_uses: list[tuple[int | Inst, int]] = [
            (first if first.op == _CONST else self.register(first, inst.type), RAX),
            (self.low(count), RCX),
        ]
        self.emit(MFixed(SHIFT_BY_CL[key], [], [], 0, fixed_uses, [(self.define(inst), RAX)], 1 << RCX))

    def lower_divide(self, inst: Inst) -> None:
        """div_s, div_u, rem_s, rem_u: not every program divides."""
        from wasm_backend_amd64.lower_division import lower_divide

        lower_divide(self, inst)

    # Bit counts and extensions.

    def lower_count_bits(self, inst: Inst) -> None:
        key = inst.op << 3 | inst.type
        source = self.register(inst.args[0], inst.type)
        destination = self.define(inst)
        count = COUNT_BITS[key]
        if not self.has(count):
            from wasm_backend_amd64.integer_instructions import SCAN_BITS

            count = SCAN_BITS[key]
        self.emit(MInst(count, [destination], [source], 0))

    def lower_sign_extension(self, inst: Inst) -> None:
        """sext8, sext16, sext32, extend_s."""
        source = inst.args[0]
        destination = self.define(inst)
        if inst.op == op.EXTEND_S and self.is_operand(source, _I32):
            uses: list[int] = []
            imm = self.memory(source, uses)
            self.emit(MInst(LOAD[op.LOAD32_S << 3 | _I64], [destination], uses, imm, self.fault_offset(source)))
        else:
            self.emit(MInst(SIGN_EXTEND[inst.op << 3 | inst.type], [destination], [self.low(source)], 0))

    def lower_wrap(self, inst: Inst) -> None:
        source = inst.args[0]
        destination = self.define(inst)
        if self.is_operand(source, _I64):
            uses: list[int] = []
            imm = self.memory(source, uses)
            self.emit(MInst(LOAD[op.LOAD << 3 | _I32], [destination], uses, imm, self.fault_offset(source)))
        else:
            self.emit(MInst(MOVE_LOW, [destination], [self.low(source)], 0))
