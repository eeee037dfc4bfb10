"""Forms of machine instructions: what their operands are and how they are emitted.

A form is a class of MOp; the operations are its instances, in instructions.py and its siblings. In most of them
MInst.imm is what lowering adds to the instruction word: an encoded immediate, shift or extension.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm_backend_arm64 import assembler as asm
from wasm_backend_arm64 import encodings as e
from wasm_backend_arm64.encodings import Access
from wasm_backend_arm64.operands import load_float, load_integer, mark_fault, stack_slot_offset
from wasm_backend_arm64.registers import SCRATCH, SP
from wasm_ir.codegen.machinst import MInst, MOp

if TYPE_CHECKING:
    from wasm_ir.codegen.emission import Emitter

_pack = asm.pack

# MInst.imm of loads and stores, to be added to Access.unscaled.
_SCALED: Final = 1 << 24
_REGISTER: Final = 0x0020_0800


def pack_offset(access: Access, offset: int) -> int:
    """The imm for [base + offset]; -1 when the instruction cannot have this offset."""
    if offset >= 0 and offset & access.size - 1 == 0 and offset >> access.shift <= 0xFFF:
        return _SCALED | offset >> access.shift << 10
    return (offset & 0x1FF) << 12 if -256 <= offset <= 255 else -1


def pack_index(kind: int, scale: bool) -> int:
    """The imm for [base + index]; see encodings.indexed."""
    return _REGISTER | e.indexed(kind, scale)


class Rr(MOp):
    """d = op(s), with or without an immediate."""

    __slots__ = ("word",)

    def __init__(self, name: str, word: int, is_move: bool = False) -> None:
        super().__init__(name, is_move=is_move)
        self.word = word

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        emitter.code += _pack(self.word | inst.imm | inst.defs[0] & 31 | (inst.uses[0] & 31) << 5)


class Rm(MOp):
    """d = op(zero, s), s perhaps shifted: moves, negation, complement."""

    __slots__ = ("word",)

    def __init__(self, name: str, word: int) -> None:
        super().__init__(name)
        self.word = word | asm.ZR << 5

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        emitter.code += _pack(self.word | inst.imm | inst.defs[0] | inst.uses[0] << 16)


class Rrr(MOp):
    """d = op(x, y), y perhaps shifted or extended."""

    __slots__ = ("word",)

    def __init__(self, name: str, word: int) -> None:
        super().__init__(name)
        self.word = word

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        first, second = inst.uses
        emitter.code += _pack(self.word | inst.imm | inst.defs[0] & 31 | (first & 31) << 5 | (second & 31) << 16)


class Rrrr(MOp):
    """d = z + x * y, or minus; uses are x, y, z."""

    __slots__ = ("word",)

    def __init__(self, name: str, word: int) -> None:
        super().__init__(name)
        self.word = word

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        first, second, third = inst.uses
        emitter.code += _pack(self.word | inst.defs[0] | first << 5 | second << 16 | third << 10)


class Constant(MOp):
    """d = the integer imm (unsigned)."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("const")

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        load_integer(emitter, inst.defs[0], inst.imm)


class FloatConstant(MOp):
    """d = the floating-point number with bits imm."""

    __slots__ = ("value_type",)

    def __init__(self, name: str, value_type: int) -> None:
        super().__init__(name)
        self.value_type = value_type

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        load_float(emitter, inst.defs[0], inst.imm, self.value_type)


class Load(MOp):
    """d = memory; uses are the base and perhaps the index."""

    __slots__ = ("access", "word")

    def __init__(self, access: Access, suffix: str = "") -> None:
        super().__init__(access.name + suffix)
        self.access = access
        self.word = access.unscaled

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        if inst.offset:
            mark_fault(emitter, inst.offset)
        uses = inst.uses
        word = self.word | inst.imm | inst.defs[0] & 31 | uses[0] << 5
        emitter.code += _pack(word if len(uses) == 1 else word | uses[1] << 16)


class Store(MOp):
    """memory = uses[0]; then the base and perhaps the index."""

    __slots__ = ("access", "word")

    def __init__(self, access: Access, suffix: str = "") -> None:
        super().__init__(access.name + suffix)
        self.access = access
        self.word = access.unscaled

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        if inst.offset:
            mark_fault(emitter, inst.offset)
        uses = inst.uses
        word = self.word | inst.imm | uses[0] & 31 | uses[1] << 5
        emitter.code += _pack(word if len(uses) == 2 else word | uses[2] << 16)


class SlotAddress(MOp):
    """d = address of stack slot imm."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("slot_address")

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        asm.add_sp(emitter.code, inst.defs[0], SP, stack_slot_offset(emitter, inst.imm), SCRATCH)
