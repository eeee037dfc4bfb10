"""Instruction selection for comparisons and what is made of them: branches, selects, traps, truth values."""

from __future__ import annotations

from wasm_backend_arm64 import encodings as e
from wasm_backend_arm64.conditions import (
    BIT_IS_ZERO,
    COMPARE,
    COMPARE_EXTENDED,
    COMPARE_FLOAT_ZERO,
    COMPARE_IMM,
    COMPARE_NEGATIVE,
    FCMP_CODES,
    FLAGS_FOR,
    ICMP_CODES,
    IS_ZERO,
    SELECT_WORDS,
    TEST,
    TEST_IMM,
    Comparison,
    brif_op,
    chain_imm,
    chain_registers,
    select_op,
    set_op,
    trap_if_op,
)
from wasm_backend_arm64.control_instructions import BR_TABLE
from wasm_backend_arm64.encodings import CC_NE, add_immediate, logical_immediate
from wasm_backend_arm64.lower_memory import MemoryLowering
from wasm_backend_arm64.registers import ZR
from wasm_backend_arm64.vocabulary import VOCABULARY
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.codegen.machinst import MInst
from wasm_ir.codegen.operand_lowering import signed
from wasm_ir.ir import Function, Inst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_CONST: Final = op.CONST
_I32: Final = types.I32
_I64: Final = types.I64
_V128: Final = types.V128
_COMPARISONS: Final[tuple[int, ...]] = (op.ICMP, op.FCMP)
#: Conditions on x and c -> the same on x and c - 1, and on x and c + 1.
_WITH_PREVIOUS: Final = {op.LT_S: op.LE_S, op.GE_S: op.GT_S, op.LT_U: op.LE_U, op.GE_U: op.GT_U}
_WITH_NEXT: Final = {op.LE_S: op.LT_S, op.GT_S: op.GE_S, op.LE_U: op.LT_U, op.GT_U: op.GE_U}


class ConditionLowering(MemoryLowering):
    """Handlers of icmp, fcmp, select, trap_if and brif.

    The methods that choose a comparison append its operands to `self.operands` and set `self.imm`.
    """

    def __init__(self, function: Function, features: frozenset[str]) -> None:
        super().__init__(function, VOCABULARY, features)
        self.operands: list[int] = []
        self.imm = 0

    def compare(self, condition: Inst, operands: list[int], branching: bool) -> tuple[Comparison, int]:
        """The comparison and condition code that say whether an i32 is not zero.

        `operands` are the consumer's own uses, to which the comparison's are appended. `branching`: the consumer
        branches, and may do so on a register without a comparison.
        """
        self.operands = operands
        self.imm = 0
        flip = 0
        while condition.op == op.ICMP and condition.imm <= op.NE and self.vregs[condition.id] == 0:
            inner, zero = condition.args
            if zero.op != _CONST or zero.imm or inner.op not in _COMPARISONS:
                break
            flip ^= condition.imm ^ op.NE
            condition = inner
        comparison, code = self._compare(condition, branching)
        return comparison, code ^ flip

    def _compare(self, condition: Inst, branching: bool) -> tuple[Comparison, int]:
        if self.vregs[condition.id] == 0:
            if condition.op == op.ICMP:
                return self._compare_integers(condition, branching)
            if condition.op == op.FCMP:
                return self._compare_floats(condition)
            if self.is_chain(condition):
                return self._compare_chain(condition)
        return self._compare_zero(condition, op.NE, branching)

    def _compare_integers(self, icmp: Inst, branching: bool) -> tuple[Comparison, int]:
        condition = icmp.imm
        first, second = icmp.args
        value_type = first.type
        if first.op == _CONST:
            first, second = second, first
            condition = op.ICMP_SWAPPED[condition]
        operands = self.operands
        if second.op == _CONST:
            return self._compare_constant(first, condition, second.imm, branching)
        if not self.is_shifted(second, False) and not self.is_extended(second):
            if self.is_shifted(first, False) or self.is_extended(first):
                first, second = second, first
                condition = op.ICMP_SWAPPED[condition]
            else:
                operands.append(self.register(first, value_type))
                operands.append(self.register(second, value_type))
                return COMPARE[value_type], ICMP_CODES[condition]
        operands.append(self.register(first, value_type))
        extend = self.is_extended(second)
        register, self.imm = self.extended_operand(second) if extend else self.shifted_operand(second, False)
        operands.append(register)
        return (COMPARE_EXTENDED if extend else COMPARE)[value_type], ICMP_CODES[condition]

    def _compare_constant(self, value: Inst, condition: int, bits: int, branching: bool) -> tuple[Comparison, int]:
        value_type = value.type
        operands = self.operands
        if bits == 0:
            if condition <= op.NE:
                return self._compare_zero(value, condition, branching)
            if branching and (condition == op.LT_S or condition == op.GE_S):
                operands.append(self.register(value, value_type))
                self.imm = types.BITS[value_type] - 1
                return BIT_IS_ZERO, CC_NE ^ (condition == op.GE_S)
        number = signed(value_type, bits)
        if add_immediate(abs(number)) is None:
            # The number next to it may be easier. (Not at the ends of the range, where it would wrap round.)
            mask = types.MASKS[value_type]
            edges = (0, mask, mask >> 1, (mask >> 1) + 1)
            for table, step in ((_WITH_PREVIOUS, -1), (_WITH_NEXT, 1)):
                if condition in table and bits not in edges and add_immediate(abs(number + step)) is not None:
                    condition = table[condition]
                    number += step
                    break
        imm = add_immediate(abs(number))
        if imm is not None:
            operands.append(self.register(value, value_type))
            self.imm = imm
            return (COMPARE_NEGATIVE if number < 0 else COMPARE_IMM)[value_type], ICMP_CODES[condition]
        operands.append(self.register(value, value_type))
        operands.append(self.constant(value_type, bits))
        return COMPARE[value_type], ICMP_CODES[condition]

    def _compare_zero(self, value: Inst, condition: int, branching: bool) -> tuple[Comparison, int]:
        """Compare with zero for equality, bits of an `and` alone where the value is one."""
        value_type = value.type
        operands = self.operands
        code = ICMP_CODES[condition]
        if op.V_ANY_TRUE <= value.op <= op.V_BITMASK and self.is_inner(value):
            from wasm_backend_arm64.lower_vector import truth

            value_type, register, is_zero = truth(self, value)
            operands.append(register)
            return (IS_ZERO if branching else COMPARE_IMM)[value_type], code ^ is_zero
        if value.op == op.AND and self.vregs[value.id] == 0:
            first, second = value.args
            if second.op == _CONST:
                bits = second.imm
                if branching and bits and bits & bits - 1 == 0:
                    operands.append(self.low(first) if bits <= 0x8000_0000 else self.use(first))
                    self.imm = bits.bit_length() - 1
                    return BIT_IS_ZERO, code
                narrow = _I32 if bits <= 0xFFFF_FFFF else _I64
                imm = logical_immediate(bits, types.BITS[narrow])
                operands.append(self.register(first, narrow))
                if imm is not None:
                    self.imm = imm
                    return TEST_IMM[narrow], code
                operands.append(self.source(second, narrow))
                return TEST[narrow], code
            if self.is_shifted(first, True):
                first, second = second, first
            operands.append(self.register(first, value_type))
            register, self.imm = self.shifted_operand(second, True)
            operands.append(register)
            return TEST[value_type], code
        if value.op == op.EXTEND_U and self.vregs[value.id] == 0:
            return self._compare_zero(value.args[0], condition, branching)
        operands.append(self.register(value, value_type))
        return (IS_ZERO if branching else COMPARE_IMM)[value_type], code

    def _compare_floats(self, fcmp: Inst) -> tuple[Comparison, int]:
        condition = fcmp.imm
        first, second = fcmp.args
        value_type = first.type
        operands = self.operands
        if condition <= op.FNE and first.op == _CONST:
            first, second = second, first
        operands.append(self.use(first))
        if second.op == _CONST and second.imm & types.MASKS[value_type] >> 1 == 0:
            # +0 or -0
            return COMPARE_FLOAT_ZERO[value_type], FCMP_CODES[condition]
        operands.append(self.use(second))
        return COMPARE[value_type], FCMP_CODES[condition]

    # Two comparisons with `and` or `or` between them.

    def is_chain(self, value: Inst) -> bool:
        """Whether a value is two comparisons of which the second can be made conditional on the first."""
        if (value.op != op.AND and value.op != op.OR) or value.type != _I32:
            return False
        first, second = value.args
        if first.op not in _COMPARISONS or second.op not in _COMPARISONS:
            return False
        return self.is_inner(first) and self.is_inner(second) and first is not second

    def _compare_chain(self, value: Inst) -> tuple[Comparison, int]:
        first, second = value.args
        if self._chain_rank(first) > self._chain_rank(second):
            first, second = second, first
        comparison, code = self._compare(first, False)
        imm = self.imm
        operands = self.operands
        chain: Comparison
        left, right = second.args
        value_type = left.type
        condition = second.imm
        if second.op == op.FCMP:
            second_code = FCMP_CODES[condition]
            operands.append(self.use(left))
            operands.append(self.use(right))
            chain = chain_registers(comparison, value_type)
            small = 0
        else:
            if left.op == _CONST:
                left, right = right, left
                condition = op.ICMP_SWAPPED[condition]
            second_code = ICMP_CODES[condition]
            operands.append(self.register(left, value_type))
            small = signed(value_type, right.imm) if right.op == _CONST else 99
            if -31 <= small <= 31:
                chain = chain_imm(comparison, value_type, small < 0)
                small = abs(small) << 16
            else:
                operands.append(self.register(right, value_type))
                chain = chain_registers(comparison, value_type)
                small = 0
        if value.op == op.AND:
            # Where the first does not hold: flags with which the second does not.
            bits = code << 12 | FLAGS_FOR[second_code ^ 1]
        else:
            bits = (code ^ 1) << 12 | FLAGS_FOR[second_code]
        self.imm = (bits | small) << 32 | imm
        return chain, second_code

    def _chain_rank(self, comparison: Inst) -> int:
        """How good a comparison is as the second one, inverted: zero for those that need no constant loaded."""
        if comparison.op == op.FCMP:
            return 0
        number = comparison.args[1]
        if number.op != _CONST:
            return int(not (self.is_shifted(number, False) or self.is_extended(number)))
        return 2 if -31 <= signed(number.type, number.imm) <= 31 else -1

    # Handlers.

    def lower_brif(self, inst: Inst) -> None:
        uses: list[int] = []
        comparison, code = self.compare(inst.args[0], uses, True)
        self.emit(MInst(brif_op(comparison, code), [], uses, self.imm))

    def lower_trap_if(self, inst: Inst) -> None:
        uses: list[int] = []
        condition = inst.args[0]
        if condition.op == op.ICMP and condition.imm == op.GT_U and self.vregs[condition.id] == 0:
            index, last = condition.args
            if last.op == _CONST and 0xFFFF_FFFF < last.imm < types.MASKS[_I64] and last.imm & last.imm + 1 == 0:
                # An address in a 64-bit memory: no constant is needed to look at its high bits.
                uses.append(self.use(index))
                mask = logical_immediate(last.imm ^ types.MASKS[_I64], 64)
                assert mask is not None
                self.emit(MInst(trap_if_op(TEST_IMM[_I64], CC_NE, inst.imm), [], uses, mask, inst.offset))
                return
        comparison, code = self.compare(inst.args[0], uses, True)
        self.emit(MInst(trap_if_op(comparison, code, inst.imm), [], uses, self.imm, inst.offset))

    def lower_set(self, inst: Inst) -> None:
        """icmp, fcmp or a chain of two whose result is needed as a number."""
        destination = self.define(inst)
        if inst.op == op.ICMP and inst.imm == op.LT_S and inst.args[1].op == _CONST and inst.args[1].imm == 0:
            value = inst.args[0]
            bits = types.BITS[value.type]
            self._shift(op.SHR_U, value.type, destination, self.register(value, value.type), bits - 1)
            return
        self.operands = []
        self.imm = 0
        if inst.op == op.ICMP:
            comparison, code = self._compare_integers(inst, False)
        elif inst.op == op.FCMP:
            comparison, code = self._compare_floats(inst)
        else:
            comparison, code = self._compare_chain(inst)
        self.emit(MInst(set_op(comparison, code), [destination], self.operands, self.imm))

    def lower_and(self, inst: Inst) -> None:
        if self.is_chain(inst):
            self.lower_set(inst)
        elif inst.type == _V128:
            self.lower_vector(inst)
        else:
            super().lower_and(inst)

    def lower_or(self, inst: Inst) -> None:
        if self.is_chain(inst):
            self.lower_set(inst)
        elif inst.type == _V128:
            self.lower_vector(inst)
        else:
            super().lower_or(inst)

    def lower_xor(self, inst: Inst) -> None:
        if inst.type == _V128:
            self.lower_vector(inst)
        else:
            super().lower_xor(inst)

    def lower_select(self, inst: Inst) -> None:
        value_type = inst.type
        if value_type == _V128:
            self.lower_vector(inst)
            return
        condition, if_true, if_false = inst.args
        destination = self.define(inst)
        word = SELECT_WORDS[value_type]
        flip = 0
        if value_type <= _I64:
            if self._derived(if_false) is None and self._derived(if_true) is not None:
                if_true, if_false = if_false, if_true
                flip = 1
            derived = self._derived(if_false)
            uses = [self.source(if_true, value_type)]
            if derived is not None:
                form, origin = derived
                word = form if value_type == _I32 else form | 1 << 31
                uses.append(ZR if origin is None else self.source(origin, value_type))
            else:
                uses.append(self.source(if_false, value_type))
        else:
            uses = [self.use(if_true), self.use(if_false)]
        comparison, code = self.compare(condition, uses, False)
        self.emit(MInst(select_op(comparison, code ^ flip, word), [destination], uses, self.imm))

    def _derived(self, value: Inst) -> tuple[int, Inst | None] | None:
        """If a selection can compute a value itself from another one (or zero): the instruction, and the other one."""
        operation = value.op
        if operation == _CONST:
            if value.imm == 1:
                return e.CSINC_RRRC32.word, None
            return (e.CSINV_RRRC32.word, None) if value.imm == types.MASKS[value.type] else None
        if not self.is_inner(value):
            return None
        if operation == op.IADD:
            number = value.args[1]
            if number.op == _CONST and number.imm == 1:
                return e.CSINC_RRRC32.word, value.args[0]
        elif operation == op.XOR:
            number = value.args[1]
            if number.op == _CONST and number.imm == types.MASKS[value.type]:
                return e.CSINV_RRRC32.word, value.args[0]
        elif operation == op.ISUB:
            number = value.args[0]
            if number.op == _CONST and number.imm == 0:
                return e.CSNEG_RRRC32.word, value.args[1]
        return None

    def lower_br_table(self, inst: Inst) -> None:
        self.emit(MInst(BR_TABLE, [], [self.low(inst.args[0])], 0))

    # Vectors. Most programs have none, and need not wait for the tables.

    def lower_float(self, inst: Inst) -> None:
        """All operations on floats but comparisons, and conversions."""
        from wasm_backend_arm64.lower_float import HANDLERS

        HANDLERS[inst.op](self, inst)

    def lower_vector(self, inst: Inst) -> None:
        """All operations on vectors but loads and stores of 16 bytes."""
        from wasm_backend_arm64.lower_vector import HANDLERS

        HANDLERS[inst.op](self, inst)
