"""Operands for instruction selection: registers, narrowed registers, shifted and extended registers, addresses."""

from __future__ import annotations

from wasm_backend_arm64.encodings import (
    ASR,
    LSL,
    LSR,
    ROR,
    SXTB,
    SXTH,
    SXTW,
    UXTB,
    UXTH,
    UXTW,
    UXTX,
    Access,
    extended,
    shifted,
)
from wasm_backend_arm64.forms import pack_index, pack_offset
from wasm_backend_arm64.registers import ZR
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.codegen.operand_lowering import signed
from wasm_ir.codegen.selection import Selection
from wasm_ir.ir import Inst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_CONST: Final = op.CONST
_IADD: Final = op.IADD
_SHL: Final = op.SHL
_EXTEND_U: Final = op.EXTEND_U
_EXTEND_S: Final = op.EXTEND_S
_MEMORY_BASE: Final = op.MEMORY_BASE
_I32: Final = types.I32
_I64: Final = types.I64

_SHIFTS: Final = {op.SHL: LSL, op.SHR_U: LSR, op.SHR_S: ASR}
_SIGN_EXTENSIONS: Final = {op.SEXT8: SXTB, op.SEXT16: SXTH, op.SEXT32: SXTW, op.EXTEND_S: SXTW}
_MASKS: Final = {0xFF: UXTB, 0xFFFF: UXTH}


class Addressing(Selection):
    """The part of lowering that finds operands."""

    def source(self, value: Inst, value_type: int) -> int:
        """The same where number 31 is the zero register: zero costs nothing."""
        if value.op == _CONST and value.imm == 0 and value.type <= _I64:
            return ZR
        return self.low(value) if value_type == _I32 else self.use(value)

    # Second operands of arithmetic.

    def is_shifted(self, value: Inst, rotation: bool) -> bool:
        """Whether `shifted_operand` does more than take a register."""
        operation = value.op
        if operation not in _SHIFTS and not (rotation and (operation == op.ROTR or operation == op.ROTL)):
            return False
        return value.args[1].op == _CONST and self.is_inner(value)

    def shifted_operand(self, value: Inst, rotation: bool) -> tuple[int, int]:
        """A register and the modifier with which an RRR instruction takes it. `rotation`: it can rotate, too."""
        value_type = value.type
        if not self.is_shifted(value, rotation):
            return self.source(value, value_type), 0
        operation = value.op
        count = value.args[1].imm & types.BITS[value_type] - 1
        if operation == op.ROTL:
            count = -count & types.BITS[value_type] - 1
        return self.register(value.args[0], value_type), shifted(_SHIFTS.get(operation, ROR), count)

    def is_extended(self, value: Inst) -> bool:
        """Whether `extended_operand` can be asked."""
        if not self.is_inner(value):
            return False
        operation = value.op
        if operation == _SHL:
            inner, count = value.args
            return (
                count.op == _CONST
                and count.imm & types.BITS[value.type] - 1 <= 4
                and inner.op in _SIGN_EXTENSIONS
                and self.is_inner(inner)
            )
        if operation == op.AND:
            return value.args[1].op == _CONST and value.args[1].imm in _MASKS
        return operation in _SIGN_EXTENSIONS

    def extended_operand(self, value: Inst) -> tuple[int, int]:
        """A register and the modifier with which an RRX instruction takes it."""
        amount = 0
        if value.op == _SHL:
            amount = value.args[1].imm & types.BITS[value.type] - 1
            value = value.args[0]
        kind = _MASKS[value.args[1].imm] if value.op == op.AND else _SIGN_EXTENSIONS[value.op]
        return self.low(value.args[0]), extended(kind, amount)

    # Addresses.

    def address(self, pointer: Inst, offset: int, access: Access, uses: list[int]) -> int:
        """Match pointer + offset (unsigned): append its base and perhaps its index to `uses`; what the access adds."""
        vregs = self.vregs
        while pointer.op == _IADD and vregs[pointer.id] == 0 and pointer.args[1].op == _CONST:
            total = offset + signed(_I64, pointer.args[1].imm)
            if not 0 <= total <= 0xFFFF_FFFF:
                break
            offset = total
            pointer = pointer.args[0]
        if offset == 0 and pointer.op == _IADD and vregs[pointer.id] == 0:
            first, second = pointer.args
            if self.use_counts[pointer.id] == 1 or first.op == _MEMORY_BASE or second.op == _MEMORY_BASE:
                return self._indexed(first, second, access, uses)
        uses.append(self.use(pointer))
        imm = pack_offset(access, offset)
        if imm < 0:
            uses.append(self.constant(_I64, offset))
            imm = pack_index(UXTX, False)
        return imm

    def _indexed(self, base: Inst, index: Inst, access: Access, uses: list[int]) -> int:
        if self._index_rank(base, access) > self._index_rank(index, access):
            base, index = index, base
        uses.append(self.use(base))
        scale = False
        if self._is_scaled(index, access):
            scale = True
            index = index.args[0]
        kind = UXTX
        if self.vregs[index.id] == 0 and (index.op == _EXTEND_U or index.op == _EXTEND_S):
            kind = UXTW if index.op == _EXTEND_U else SXTW
            uses.append(self.low(index.args[0]))
        else:
            uses.append(self.use(index))
        return pack_index(kind, scale)

    def _is_scaled(self, value: Inst, access: Access) -> bool:
        return (
            value.op == _SHL
            and access.shift > 0
            and self.vregs[value.id] == 0
            and value.args[1].op == _CONST
            and value.args[1].imm & 63 == access.shift
        )

    def _index_rank(self, value: Inst, access: Access) -> int:
        """How much there is to gain from making an operand the index."""
        if value.op == _EXTEND_U or value.op == _EXTEND_S:
            return 1
        return 2 if self._is_scaled(value, access) else 0

    # Memory operands.

    def memory(self, load: Inst, access: Access, uses: list[int]) -> int:
        """Take over a load: its address is appended to `uses` and returned as by `address`."""
        self.sunk[load.id] = 1
        return self.address(load.args[0], load.imm, access, uses)
