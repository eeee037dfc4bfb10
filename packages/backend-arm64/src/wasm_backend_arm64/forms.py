"""Forms of machine instructions: what their operands are and how they are emitted.

A form is a class of MOp; the operations are its instances, in instructions.py and its siblings, most of them made by
`on_registers` from a row of encodings.py, which says which form it takes, what the allocator must know and what the
processor must have. In most of them MInst.imm is what lowering adds to the instruction word: an encoded immediate,
shift, extension or number of a lane.
"""

from __future__ import annotations

from collections.abc import Callable

from wasm_backend_arm64 import assembler as asm
from wasm_backend_arm64 import encodings as e
from wasm_backend_arm64.encodings import Access, Encoding
from wasm_backend_arm64.operands import load_float, load_integer, mark_fault, stack_slot_offset
from wasm_backend_arm64.registers import SCRATCH, SP
from wasm_ir.codegen.machinst import MInst, MOp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

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


class RowOp(MOp):
    """Base of the instructions that are a row of the table of encodings; MInst.imm is added to the word."""

    __slots__ = ("word",)

    def __init__(self, row: Encoding) -> None:
        super().__init__(row.name, tied=row.operands[0] == "m", feature=row.feature)
        self.word = row.word


class R(RowOp):
    """d = a number."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        destination = inst.defs[0]
        if inst.uses:
            tie(emitter, destination, inst.uses[0])
        emitter.code += _pack(self.word | inst.imm | destination & 31)


class Rr(RowOp):
    """d = op(s)."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        emitter.code += _pack(self.word | inst.imm | inst.defs[0] & 31 | (inst.uses[0] & 31) << 5)


class Rzr(RowOp):
    """d = op(zero, s), s perhaps shifted."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        emitter.code += _pack(self.word | inst.imm | inst.defs[0] | inst.uses[0] << 16)


class Rrr(RowOp):
    """d = op(x, y), y perhaps shifted or extended."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        first, second = inst.uses
        emitter.code += _pack(self.word | inst.imm | inst.defs[0] & 31 | (first & 31) << 5 | (second & 31) << 16)


class Rrrr(RowOp):
    """d = z + x * y, or minus; uses are x, y, z."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        first, second, third = inst.uses
        emitter.code += _pack(self.word | inst.defs[0] | first << 5 | second << 16 | third << 10)


class TiedRr(RowOp):
    """d = op(d, s)."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        destination = inst.defs[0]
        first, second = inst.uses
        tie(emitter, destination, first)
        emitter.code += _pack(self.word | inst.imm | destination & 31 | (second & 31) << 5)


class TiedRrr(RowOp):
    """d = op(d, x, y)."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        destination = inst.defs[0]
        first, second, third = inst.uses
        tie(emitter, destination, first)
        emitter.code += _pack(self.word | inst.imm | destination & 31 | (second & 31) << 5 | (third & 31) << 16)


class Element(RowOp):
    """d = memory, d = op(d, memory) or memory = s: elements of a vector at the address in the last use."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        uses = inst.uses
        register = inst.defs[0] if inst.defs else uses[0]
        if self.tied:
            tie(emitter, register, uses[0])
        if inst.offset:
            mark_fault(emitter, inst.offset)
        emitter.code += _pack(self.word | inst.imm | register & 31 | uses[-1] << 5)


def tie(emitter: Emitter, destination: int, source: int) -> None:
    """What a tied instruction starts with: the operand that it changes, brought to where the result will be."""
    if destination != source:
        asm.rrr(emitter.code, e.ORR_RRR16B, destination, source, source)


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

    def __init__(self, access: Access) -> None:
        super().__init__(access.name)
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

    def __init__(self, access: Access) -> None:
        super().__init__(access.name)
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


#: Operands of a row -> its form.
_ON_REGISTERS: Final[dict[str, Callable[[Encoding], MOp]]] = {
    "w": R,
    "m": R,
    "wr": Rr,
    "w-r": Rzr,
    "wrr": Rrr,
    "wrrr": Rrrr,
    "mr": TiedRr,
    "mrr": TiedRrr,
}


def on_registers(row: Encoding) -> MOp:
    """The instruction on registers: defs and uses are the row's operands in order, one that is read and written at the
    head of both."""
    return _ON_REGISTERS[row.operands](row)
