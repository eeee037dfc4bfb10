"""Instruction selection for loads, stores and addresses."""

from __future__ import annotations

from wasm_backend_arm64.instructions import LOAD, SLOT_ADDRESS, STORE, STORE_ROWS
from wasm_backend_arm64.lower_integer import IntegerLowering
from wasm_backend_arm64.registers import ZR
from wasm_core.errors import CompileError
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.codegen.machinst import MInst
from wasm_ir.codegen.operand_lowering import NARROW_STORES, PLAIN_LOADS
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
        load = LOAD[PLAIN_LOADS[inst.op] << 3 | inst.type]
        imm = self.address(inst.args[0], inst.imm, load.access, uses)
        self.emit(MInst(load, [destination], uses, imm, self.fault_offset(inst)))

    def lower_store(self, inst: Inst) -> None:
        operation = inst.op
        offset = 0
        if operation >= _HEAP_STORE:
            operation += op.STORE - _HEAP_STORE
            offset = inst.offset
        pointer, value = inst.args
        if operation != op.STORE:
            value = self.stored_part(value, NARROW_STORES[operation])
        elif value.op == op.BITCAST and self.vregs[value.id] == 0:
            value = value.args[0]
        value_type = value.type
        if value.op == _EXTRACT_U and self.is_inner(value):
            from wasm_backend_arm64.lower_vector_memory import store_lane

            size = NARROW_STORES.get(operation, types.BYTES[value_type])
            if store_lane(self, value, size, pointer, inst.imm, offset):
                return
        if value.op == _CONST and value_type != types.V128 and (operation != op.STORE or value.imm == 0):
            bits = value.imm & (1 << 8 * NARROW_STORES.get(operation, 8)) - 1
            register = self.constant(value_type, bits) if bits else ZR
            if value_type >= types.F32:
                value_type = types.I32 if value_type == types.F32 else types.I64
        elif operation != op.STORE or value_type == types.I32:
            register = self.low(value)
        else:
            register = self.use(value)
        uses = [register]
        key = operation << 3 | value_type
        access = STORE_ROWS.get(key)
        if access is None:
            raise CompileError(f"the arm64 backend has no {types.NAMES[value_type]} store")
        imm = self.address(pointer, inst.imm, access, uses)
        self.emit(MInst(STORE[key], [], uses, imm, offset))

    def lower_compare_exchange(self, inst: Inst) -> None:
        from wasm_backend_arm64.integer_instructions import COMPARE_EXCHANGE

        uses = [self.use(operand) for operand in inst.args]
        self.emit(MInst(COMPARE_EXCHANGE, [self.define(inst)], uses, inst.imm))

    def lower_stack_slot(self, inst: Inst) -> None:
        self.emit(MInst(SLOT_ADDRESS, [self.define(inst)], [], inst.imm))
