"""Instruction selection for loads, stores and addresses."""

from __future__ import annotations

from wasm_backend_amd64.addressing import fits
from wasm_backend_amd64.instructions import (
    LEA_SLOT,
    LOAD,
    MODIFY,
    MODIFY_IMM,
    MODIFY_ROWS,
    STORE,
    STORE_IMM,
    STORE_ROWS,
)
from wasm_backend_amd64.lower_integer import IntegerLowering
from wasm_backend_amd64.operands import pack_value
from wasm_backend_amd64.registers import RAX
from wasm_core.errors import CompileError
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.codegen.machinst import MFixed, MInst
from wasm_ir.codegen.operand_lowering import NARROW_STORES, PLAIN_LOADS, signed
from wasm_ir.ir import Inst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_CONST: Final = op.CONST
_HEAP_STORE: Final = op.HEAP_STORE
_EXTRACT_U: Final = op.V_EXTRACT_U


class MemoryLowering(IntegerLowering):
    """Handlers of memory operations."""

    def lower_load(self, inst: Inst) -> None:
        uses: list[int] = []
        destination = self.define(inst)
        imm = self.address(inst.args[0], inst.imm, uses)
        operation = LOAD[PLAIN_LOADS[inst.op] << 3 | inst.type]
        self.emit(MInst(operation, [destination], uses, imm, self.fault_offset(inst)))

    def lower_store(self, inst: Inst) -> None:
        operation = inst.op
        offset = 0
        if operation >= _HEAP_STORE:
            operation += op.STORE - _HEAP_STORE
            offset = inst.offset
        pointer, value = inst.args
        value_type = value.type
        if operation != op.STORE:
            width = NARROW_STORES[operation]
            value = self.stored_part(value, width)
            value_type = value.type
            if operation == op.STORE32 and value_type == types.I32:
                operation = op.STORE
        else:
            width = types.BYTES[value_type]
            if value.op == op.BITCAST and self.vregs[value.id] == 0:
                value = value.args[0]
                value_type = value.type
            if value_type <= types.I64 and self._lower_modify(inst, pointer, value, offset):
                return
        if value.op == _EXTRACT_U and self.is_inner(value):
            from wasm_backend_amd64.lower_vector_memory import store_lane

            if store_lane(self, value, width, pointer, inst.imm, offset):
                return
        if value.op == _CONST and width <= 8:
            bits = value.imm & (1 << 8 * width) - 1
            number = signed(types.I64, bits) if width == 8 else bits
            if width < 8 or fits(number):
                uses: list[int] = []
                imm = pack_value(self.address(pointer, inst.imm, uses), number)
                self.emit(MInst(STORE_IMM[width], [], uses, imm, offset))
                return
        uses = [self.low(value) if width < 8 and value_type <= types.I64 else self.use(value)]
        imm = self.address(pointer, inst.imm, uses)
        key = operation << 3 | value_type
        if key not in STORE_ROWS:
            raise CompileError(f"the amd64 backend has no {types.NAMES[value_type]} store")
        self.emit(MInst(STORE[key], [], uses, imm, offset))

    def _lower_modify(self, inst: Inst, pointer: Inst, value: Inst, offset: int) -> bool:
        """A store of an operation on what is in the same place: one instruction."""
        key = value.op << 3 | value.type
        if key not in MODIFY_ROWS or self.use_counts[value.id] != 1 or self.vregs[value.id]:
            return False
        value_type = value.type
        load, other = value.args
        if value.op != op.ISUB and not self._is_same_place(load, inst, pointer, value_type):
            load, other = other, load
        if not self._is_same_place(load, inst, pointer, value_type) or load is other:
            return False
        self.sink(load)
        number = self.immediate(other)
        uses: list[int] = []
        if number is not None:
            imm = pack_value(self.address(pointer, inst.imm, uses), number)
            self.emit(MInst(MODIFY_IMM[key], [], uses, imm, offset))
        else:
            uses.append(self.register(other, value_type))
            imm = self.address(pointer, inst.imm, uses)
            self.emit(MInst(MODIFY[key], [], uses, imm, offset))
        return True

    def _is_same_place(self, load: Inst, store: Inst, pointer: Inst, value_type: int) -> bool:
        return self.is_operand(load, value_type) and load.args[0] is pointer and load.imm == store.imm

    def lower_compare_exchange(self, inst: Inst) -> None:
        from wasm_backend_amd64.integer_instructions import COMPARE_EXCHANGE

        pointer, expected, replacement = inst.args
        fixed_uses: list[tuple[int | Inst, int]] = [(expected if expected.op == _CONST else self.use(expected), RAX)]
        uses = [self.use(replacement)]
        imm = self.address(pointer, inst.imm, uses)
        self.emit(MFixed(COMPARE_EXCHANGE, [], uses, imm, fixed_uses, [(self.define(inst), RAX)], 0))

    def lower_stack_slot(self, inst: Inst) -> None:
        self.emit(MInst(LEA_SLOT, [self.define(inst)], [], inst.imm))
