"""Operands for instruction selection: registers, narrowed registers, addresses, memory operands."""

from __future__ import annotations

from typing import Final

from wasm_backend_amd64.instructions import CONSTANT, FLOAT_CONSTANT, LEA
from wasm_backend_amd64.operands import pack_address
from wasm_backend_amd64.registers import CONTEXT_REGISTER, MEMORY_REGISTER
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.codegen.lowering import Lowering
from wasm_ir.codegen.machinst import MInst
from wasm_ir.ir import Inst

_CONST: Final = op.CONST
_IADD: Final = op.IADD
_SHL: Final = op.SHL
_EXTEND_U: Final = op.EXTEND_U
_WRAP: Final = op.WRAP
_VMCTX: Final = op.VMCTX
_MEMORY_BASE: Final = op.MEMORY_BASE
_I32: Final = types.I32
_I64: Final = types.I64
_HEAP_LOAD: Final = op.HEAP_LOAD
_HEAP_LOAD_LAST: Final = op.HEAP_LOAD32_U
_FULL_LOADS: Final = (op.LOAD, op.HEAP_LOAD)

#: i64 operations whose result has a clear upper half.
_ZERO_EXTENDED: Final = frozenset(
    (
        *(op.EXTEND_U, op.LOAD8_U, op.LOAD16_U, op.LOAD32_U),
        *(op.HEAP_LOAD8_U, op.HEAP_LOAD16_U, op.HEAP_LOAD32_U),
        *(op.CLZ, op.CTZ, op.POPCNT),
    )
)


def signed(value_type: int, bits: int) -> int:
    """The signed number with these bits."""
    if value_type == _I32:
        return (bits ^ 0x8000_0000) - 0x8000_0000
    return (bits ^ 0x8000_0000_0000_0000) - 0x8000_0000_0000_0000


def fits(number: int) -> bool:
    """Whether a number fits in a sign-extended 32-bit immediate or displacement."""
    return -0x8000_0000 <= number <= 0x7FFF_FFFF


class Addressing(Lowering):
    """The part of lowering that finds operands."""

    def use(self, value: Inst) -> int:
        """A register that holds `value`. Zero extension costs nothing: registers hold i32 zero-extended."""
        vreg = self.vregs[value.id]
        if vreg:
            return vreg
        operation = value.op
        while operation == _EXTEND_U:
            value = value.args[0]
            vreg = self.vregs[value.id]
            if vreg:
                return vreg
            operation = value.op
        if operation == _CONST:
            vreg = self.machine.new_vreg(value.type)
            self.load_constant(vreg, value)
            return vreg
        if operation == _VMCTX:
            return CONTEXT_REGISTER
        if operation == _MEMORY_BASE:
            return MEMORY_REGISTER
        if operation == _WRAP and self._is_zero_extended(value.args[0]):
            return self.use(value.args[0])
        vreg = self.vregs[value.id] = self.machine.new_vreg(value.type)
        return vreg

    def _is_zero_extended(self, value: Inst) -> bool:
        operation = value.op
        if operation in _ZERO_EXTENDED:
            return True
        args = value.args
        if operation == op.SHR_U:
            return args[1].op == _CONST and args[1].imm & 63 >= 32
        return operation == op.AND and (args[1].op == _CONST and args[1].imm <= 0xFFFF_FFFF)

    def low(self, value: Inst) -> int:
        """A register whose low 32 bits are `value`, for instructions that look no further."""
        while value.op == _WRAP and self.vregs[value.id] == 0:
            value = value.args[0]
        return self.use(value)

    def register(self, value: Inst, value_type: int) -> int:
        """An operand of an instruction of type `value_type`."""
        return self.low(value) if value_type == _I32 else self.use(value)

    def constant(self, value_type: int, bits: int) -> int:
        """A register that holds an integer constant."""
        vreg = self.machine.new_vreg(value_type)
        self._pending.append(MInst(CONSTANT, [vreg], [], bits))
        return vreg

    def load_constant(self, vreg: int, constant: Inst) -> None:
        if constant.type <= _I64:
            self._pending.append(MInst(CONSTANT, [vreg], [], constant.imm))
        else:
            self._pending.append(MInst(FLOAT_CONSTANT[constant.type], [vreg], [], constant.imm))

    def pinned(self, value: Inst) -> int:
        operation = value.op
        if operation == _VMCTX:
            return CONTEXT_REGISTER
        return MEMORY_REGISTER if operation == _MEMORY_BASE else -1

    def immediate(self, value: Inst) -> int | None:
        """The signed immediate that stands for `value`, or None when it is no constant or too large."""
        if value.op != _CONST:
            return None
        number = signed(value.type, value.imm)
        return number if fits(number) else None

    # Addresses.

    def address(self, pointer: Inst, offset: int, uses: list[int]) -> int:
        """Match pointer + offset (unsigned): append its base and perhaps its index to `uses`; the rest, packed."""
        large = 0
        if offset > 0x7FFF_FFFF:
            large = offset
            offset = 0
        vregs = self.vregs
        index: Inst | None = None
        base = pointer
        while base.op == _IADD and vregs[base.id] == 0:
            first, second = base.args
            if second.op == _CONST:
                total = offset + signed(_I64, second.imm)
                if not fits(total):
                    break
                offset = total
                base = first
            elif index is None and (
                self.use_counts[base.id] == 1
                or first.op == _MEMORY_BASE
                or second.op == _MEMORY_BASE
                or first.op == _VMCTX
                or second.op == _VMCTX
            ):
                base = first
                index = second
            else:
                break
        return self.finish_address(base, index, offset, large, uses)

    def finish_address(self, base: Inst, index: Inst | None, offset: int, large: int, uses: list[int]) -> int:
        """Take constants and a shift out of the index, and append registers."""
        vregs = self.vregs
        shift = 0
        if index is not None:
            if base.op == _SHL and index.op != _SHL:
                base, index = index, base
            while index.op == _IADD and vregs[index.id] == 0 and index.args[1].op == _CONST:
                total = offset + signed(_I64, index.args[1].imm)
                if not fits(total):
                    break
                offset = total
                index = index.args[0]
            if index.op == _SHL and vregs[index.id] == 0 and index.args[1].op == _CONST:
                count = index.args[1].imm & 63
                if 1 <= count <= 3:
                    shift = count
                    index = index.args[0]
        register = self.use(base)
        if large:
            high = self.constant(_I64, large)
            if index is not None:
                operands = [register, self.use(index)]
                register = self.machine.new_vreg(_I64)
                self._pending.append(MInst(LEA[_I64], [register], operands, pack_address(offset, shift)))
                offset = shift = 0
            uses.append(register)
            uses.append(high)
        else:
            uses.append(register)
            if index is not None:
                uses.append(self.use(index))
        return pack_address(offset, shift)

    # Memory operands.

    def is_operand(self, value: Inst, value_type: int) -> bool:
        """Whether `value` is a load that the instruction being lowered can do itself, of exactly this type."""
        return value.op in _FULL_LOADS and value.type == value_type and self.can_sink(value)

    def memory(self, load: Inst, uses: list[int]) -> int:
        """Take over a load: its address is appended to `uses` and returned as by `address`."""
        self.sunk[load.id] = 1
        return self.address(load.args[0], load.imm, uses)

    def fault_offset(self, access: Inst) -> int:
        """For MInst.offset: where a load came from in the module if it can fault, else 0."""
        return access.offset if _HEAP_LOAD <= access.op <= _HEAP_LOAD_LAST else 0
