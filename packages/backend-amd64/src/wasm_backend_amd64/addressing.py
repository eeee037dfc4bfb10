"""Operands for instruction selection: registers, narrowed registers, addresses, memory operands."""

from __future__ import annotations

from wasm_backend_amd64.instructions import LEA
from wasm_backend_amd64.operands import pack_address
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.codegen.machinst import MInst
from wasm_ir.codegen.operand_lowering import signed
from wasm_ir.codegen.selection import Selection
from wasm_ir.codegen.vocabulary import Vocabulary
from wasm_ir.ir import Function, Inst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_CONST: Final = op.CONST
_IADD: Final = op.IADD
_SHL: Final = op.SHL
_VMCTX: Final = op.VMCTX
_MEMORY_BASE: Final = op.MEMORY_BASE
_I64: Final = types.I64


def fits(number: int) -> bool:
    """Whether a number fits in a sign-extended 32-bit immediate or displacement."""
    return -0x8000_0000 <= number <= 0x7FFF_FFFF


class Addressing(Selection):
    """The part of lowering that finds operands."""

    def __init__(self, function: Function, vocabulary: Vocabulary, features: frozenset[str]) -> None:
        super().__init__(function, vocabulary, features)
        #: Whether instructions on SSE registers take their VEX forms.
        self.avx = "avx" in features

    def immediate(self, value: Inst) -> int | None:
        """The signed immediate that stands for `value`, or None when it is no constant or too large."""
        if value.op != _CONST:
            return None
        number = signed(value.type, value.imm)
        return number if fits(number) else None

    def is_wide(self, constant: Inst) -> bool:
        """Whether an integer constant is better read from the pool than loaded by an instruction of ten bytes."""
        # Addresses that stand for symbols are known only when the code is placed.
        return constant.imm > 0xFFFF_FFFF and self.immediate(constant) is None and not self.function.symbols

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
                self.emit(MInst(LEA[_I64], [register], operands, pack_address(offset, shift)))
                offset = shift = 0
            uses.append(register)
            uses.append(high)
        else:
            uses.append(register)
            if index is not None:
                uses.append(self.use(index))
        return pack_address(offset, shift)

    # Memory operands.

    def memory(self, load: Inst, uses: list[int]) -> int:
        """Take over a load: its address is appended to `uses` and returned as by `address`."""
        self.sunk[load.id] = 1
        return self.address(load.args[0], load.imm, uses)
