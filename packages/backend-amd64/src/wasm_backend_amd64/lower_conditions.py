"""Instruction selection for comparisons and what is made of them: branches, selects, traps, truth values."""

from __future__ import annotations

from wasm_backend_amd64.conditions import (
    CC_EQUAL,
    COMPARE,
    COMPARE_CONSTANT,
    COMPARE_IMM,
    COMPARE_LOAD,
    COMPARE_LOADED,
    COMPARE_LOADED_BYTE,
    COMPARE_LOADED_IMM,
    FCMP_CODES,
    ICMP_CODES,
    SIGN_CONDITIONS,
    TEST,
    TEST_IMM,
    TEST_LOADED_BYTE,
    TEST_LOADED_IMM,
    TEST_ZERO,
    UNSIGNED_CODES,
    Comparison,
    brif_op,
    select_op,
    set_op,
    trap_if_op,
)
from wasm_backend_amd64.control_instructions import BR_TABLE
from wasm_backend_amd64.lower_memory import MemoryLowering
from wasm_backend_amd64.operands import pack_value
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.codegen.machinst import MInst
from wasm_ir.codegen.operand_lowering import signed
from wasm_ir.codegen.vocabulary import Vocabulary
from wasm_ir.ir import Function, Inst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_CONST: Final = op.CONST
_I32: Final = types.I32
_V128: Final = types.V128
_ANY_TRUE: Final = op.V_ANY_TRUE
_ALL_TRUE: Final = op.V_ALL_TRUE
_BYTE_LOADS: Final[tuple[int, ...]] = (op.LOAD8_U, op.HEAP_LOAD8_U)


class ConditionLowering(MemoryLowering):
    """Handlers of icmp, fcmp, select, trap_if and brif.

    The methods that choose a comparison append its operands to `self.operands`, and set `self.imm` and `self.offset`
    for the instruction.
    """

    def __init__(self, function: Function, vocabulary: Vocabulary, features: frozenset[str]) -> None:
        super().__init__(function, vocabulary, features)
        self.operands: list[int] = []
        self.imm = 0
        self.offset = 0
        #: Whether the instruction being lowered has its pc table row to give to a load that may fault.
        self.may_fault = True

    def compare(self, condition: Inst, operands: list[int], may_fault: bool) -> tuple[Comparison, int]:
        """The comparison and condition code that say whether an i32 is not zero.

        `operands` are the consumer's own uses, to which the comparison's are appended.
        """
        self.operands = operands
        self.imm = 0
        self.offset = 0
        self.may_fault = may_fault
        flip = 0
        counts = self.use_counts
        alone = counts[condition.id] == 1
        while condition.op == op.ICMP and condition.imm <= op.NE and self.vregs[condition.id] == 0:
            inner, zero = condition.args
            if zero.op != _CONST or zero.imm or inner.op not in (op.ICMP, op.FCMP):
                break
            flip ^= condition.imm ^ op.NE
            condition = inner
            alone = alone and counts[condition.id] == 1
        if self.vregs[condition.id] == 0:
            if condition.op == op.ICMP:
                comparison, code = self._compare_integers(condition, alone)
                return comparison, code ^ flip
            if condition.op == op.FCMP:
                comparison, code = self._compare_floats(condition, alone)
                return comparison, code ^ flip
        comparison, code = self._compare_zero(condition, op.NE, alone)
        return comparison, code ^ flip

    def _is_memory(self, value: Inst, value_type: int, alone: bool) -> bool:
        """Whether a load can be an operand; `alone`: nothing else will evaluate the comparison again."""
        return alone and self.is_operand(value, value_type) and (self.may_fault or self.fault_offset(value) == 0)

    def _is_byte(self, value: Inst, alone: bool) -> bool:
        return (
            alone
            and value.op in _BYTE_LOADS
            and self.can_sink(value)
            and (self.may_fault or self.fault_offset(value) == 0)
        )

    def _take(self, load: Inst) -> None:
        """Do a load in the comparison."""
        self.imm = self.memory(load, self.operands)
        self.offset = self.fault_offset(load)

    def _compare_integers(self, icmp: Inst, alone: bool) -> tuple[Comparison, int]:
        condition = icmp.imm
        first, second = icmp.args
        value_type = first.type
        if first.op == _CONST:
            first, second = second, first
            condition = op.ICMP_SWAPPED[condition]
        operands = self.operands
        if second.op == _CONST:
            number = signed(value_type, second.imm)
            if number == 0 and condition in SIGN_CONDITIONS:
                return self._compare_zero(first, condition, alone)
            if 0 <= number <= 0xFF and self._is_byte(first, alone):
                self._take(first)
                self.imm = pack_value(self.imm, number)
                return COMPARE_LOADED_BYTE, UNSIGNED_CODES[condition]
            if -0x8000_0000 <= number <= 0x7FFF_FFFF:
                if self._is_memory(first, value_type, alone):
                    self._take(first)
                    self.imm = pack_value(self.imm, number)
                    return COMPARE_LOADED_IMM[value_type], ICMP_CODES[condition]
                operands.append(self.register(first, value_type))
                self.imm = number
                return COMPARE_IMM[value_type], ICMP_CODES[condition]
            if self.is_wide(second):
                operands.append(self.register(first, value_type))
                self.imm = second.imm
                return COMPARE_CONSTANT[value_type], ICMP_CODES[condition]
        if self._is_memory(second, value_type, alone):
            operands.append(self.register(first, value_type))
            self._take(second)
            return COMPARE_LOAD[value_type], ICMP_CODES[condition]
        if self._is_memory(first, value_type, alone):
            operands.append(self.register(second, value_type))
            self._take(first)
            return COMPARE_LOADED[value_type], ICMP_CODES[condition]
        operands.append(self.register(first, value_type))
        operands.append(self.register(second, value_type))
        return COMPARE[value_type], ICMP_CODES[condition]

    def _compare_zero(self, value: Inst, condition: int, alone: bool) -> tuple[Comparison, int]:
        """Compare with zero (one of SIGN_CONDITIONS): `test`, of both operands where the value is an `and`."""
        value_type = value.type
        operands = self.operands
        code = ICMP_CODES[condition]
        alone = alone and self.use_counts[value.id] == 1
        if _ANY_TRUE <= value.op <= _ALL_TRUE and condition <= op.NE and self.is_inner(value):
            from wasm_backend_amd64.lower_vector import truth

            comparison, truth_code = truth(self, value)
            return comparison, truth_code ^ condition ^ op.NE
        if value.op == op.AND and self.vregs[value.id] == 0:
            first, second = value.args
            if second.op == _CONST:
                number = signed(value_type, second.imm)
                equality = condition <= op.NE
                if equality and 0 < second.imm <= 0xFF and self._is_byte(first, alone):
                    self._take(first)
                    self.imm = pack_value(self.imm, second.imm)
                    return TEST_LOADED_BYTE, code
                if -0x8000_0000 <= number <= 0x7FFF_FFFF:
                    if self._is_memory(first, value_type, alone):
                        self._take(first)
                        self.imm = pack_value(self.imm, number)
                        return TEST_LOADED_IMM[value_type], code
                    # Without the sign bit the 32-bit instruction says the same.
                    if number >= 0:
                        value_type = _I32
                    operands.append(self.low(first) if value_type == _I32 else self.use(first))
                    self.imm = number
                    return TEST_IMM[value_type], code
            operands.append(self.register(first, value_type))
            operands.append(self.register(second, value_type))
            return TEST[value_type], code
        if self._is_byte(value, alone):
            self._take(value)
            self.imm = pack_value(self.imm, 0)
            return COMPARE_LOADED_BYTE, UNSIGNED_CODES[condition]
        if self._is_memory(value, value_type, alone):
            self._take(value)
            self.imm = pack_value(self.imm, 0)
            return COMPARE_LOADED_IMM[value_type], code
        operands.append(self.register(value, value_type))
        return TEST_ZERO[value_type], code

    def _compare_floats(self, fcmp: Inst, alone: bool) -> tuple[Comparison, int]:
        swapped, code = FCMP_CODES[fcmp.imm]
        first, second = fcmp.args
        value_type = first.type
        symmetric = code >= CC_EQUAL
        if swapped or (symmetric and (first.op == _CONST or self._is_memory(first, value_type, alone))):
            first, second = second, first
        operands = self.operands
        operands.append(self.use(first))
        if second.op == _CONST and second.imm:
            self.imm = second.imm
            return COMPARE_CONSTANT[value_type], code
        if self._is_memory(second, value_type, alone):
            self._take(second)
            return COMPARE_LOAD[value_type], code
        operands.append(self.use(second))
        return COMPARE[value_type], code

    # Handlers.

    def lower_brif(self, inst: Inst) -> None:
        uses: list[int] = []
        comparison, code = self.compare(inst.args[0], uses, True)
        self.emit(MInst(brif_op(comparison, code), [], uses, self.imm, self.offset))

    def lower_trap_if(self, inst: Inst) -> None:
        uses: list[int] = []
        comparison, code = self.compare(inst.args[0], uses, False)
        self.emit(MInst(trap_if_op(comparison, code, inst.imm), [], uses, self.imm, inst.offset))

    def lower_set(self, inst: Inst) -> None:
        """icmp, fcmp whose result is needed as a number."""
        destination = self.define(inst)
        self.operands = []
        self.imm = 0
        self.offset = 0
        self.may_fault = True
        comparison, code = (
            self._compare_integers(inst, True) if inst.op == op.ICMP else self._compare_floats(inst, True)
        )
        self.emit(MInst(set_op(comparison, code), [destination], self.operands, self.imm, self.offset))

    def lower_select(self, inst: Inst) -> None:
        value_type = inst.type
        condition, if_true, if_false = inst.args
        destination = self.define(inst)
        true_register = self.register(if_true, value_type)
        false_register = self.register(if_false, value_type)
        uses = [false_register, true_register]
        comparison, code = self.compare(condition, uses, True)
        if code == CC_EQUAL:
            uses[0], uses[1] = true_register, false_register
            code ^= 1
        self.emit(MInst(select_op(comparison, code, value_type), [destination], uses, self.imm, self.offset))

    def lower_br_table(self, inst: Inst) -> None:
        self.emit(MInst(BR_TABLE, [self.temp()], [self.use(inst.args[0])], 0))

    # Floats and vectors. Programs that have none need not wait for the tables.

    def lower_float(self, inst: Inst) -> None:
        """All operations on floats but comparisons, and conversions."""
        from wasm_backend_amd64.lower_float import HANDLERS

        HANDLERS[inst.op](self, inst)

    def lower_vector(self, inst: Inst) -> None:
        """All operations on vectors but select, and loads and stores of 16 bytes."""
        from wasm_backend_amd64.lower_vector import HANDLERS

        HANDLERS[inst.op](self, inst)

    def lower_and(self, inst: Inst) -> None:
        if inst.type == _V128:
            self.lower_vector(inst)
        else:
            super().lower_and(inst)

    def lower_or(self, inst: Inst) -> None:
        if inst.type == _V128:
            self.lower_vector(inst)
        else:
            super().lower_or(inst)

    def lower_xor(self, inst: Inst) -> None:
        if inst.type == _V128:
            self.lower_vector(inst)
        else:
            super().lower_xor(inst)
