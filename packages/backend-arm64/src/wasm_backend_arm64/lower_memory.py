"""Instruction selection for loads, stores and addresses."""

from __future__ import annotations

from typing import Final

from wasm_backend_arm64.instructions import LOAD, SLOT_ADDRESS, STORE
from wasm_backend_arm64.lower_float import FloatLowering
from wasm_backend_arm64.registers import ZR
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.codegen.machinst import MInst
from wasm_ir.ir import Inst

_CONST: Final = op.CONST
_HEAP_STORE: Final = op.HEAP_STORE
#: Loads that may fault -> the same ones that may not.
_PLAIN_LOADS: Final = {
    **{code: code for code in range(op.LOAD, op.LOAD_INVARIANT)},
    op.LOAD_INVARIANT: op.LOAD,
    **{code: code - op.HEAP_LOAD + op.LOAD for code in range(op.HEAP_LOAD, op.HEAP_LOAD32_U + 1)},
}
#: Width in bytes of store8, store16 and store32; `store` is as wide as its value.
_NARROW: Final = {op.STORE8: 1, op.STORE16: 2, op.STORE32: 4}
#: Operations that do not change what a narrow store stores -> how many bits they keep.
_KEPT_BITS: Final = {
    op.WRAP: 32,
    op.EXTEND_U: 32,
    op.EXTEND_S: 32,
    op.SEXT8: 8,
    op.SEXT16: 16,
    op.SEXT32: 32,
}


class MemoryLowering(FloatLowering):
    """Handlers of memory operations."""

    def lower_load(self, inst: Inst) -> None:
        uses: list[int] = []
        destination = self.define(inst)
        load = LOAD[_PLAIN_LOADS[inst.op] << 3 | inst.type]
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
            value = self._stored_part(value, _NARROW[operation])
        elif value.op == op.BITCAST and self.vregs[value.id] == 0:
            value = value.args[0]
        value_type = value.type
        if value.op == _CONST and (operation != op.STORE or value.imm == 0):
            bits = value.imm & (1 << 8 * _NARROW.get(operation, 8)) - 1
            register = self.constant(value_type, bits) if bits else ZR
            if value_type >= types.F32:
                value_type = types.I32 if value_type == types.F32 else types.I64
        elif operation != op.STORE or value_type == types.I32:
            register = self.low(value)
        else:
            register = self.use(value)
        uses = [register]
        store = STORE[operation << 3 | value_type]
        imm = self.address(pointer, inst.imm, store.access, uses)
        self.emit(MInst(store, [], uses, imm, offset))

    def _stored_part(self, value: Inst, width: int) -> Inst:
        """What is left of a value of which only `width` bytes are stored."""
        bits = 8 * width
        while self.vregs[value.id] == 0:
            kept = _KEPT_BITS.get(value.op, 0)
            if kept < bits:
                if value.op != op.AND or value.args[1].op != _CONST:
                    break
                if ~value.args[1].imm & (1 << bits) - 1:
                    break
            value = value.args[0]
        return value

    def lower_stack_slot(self, inst: Inst) -> None:
        self.emit(MInst(SLOT_ADDRESS, [self.define(inst)], [], inst.imm))
