"""Forms of machine instructions: what their operands are and how they are emitted.

A form is a class of MOp; the operations are its instances, in instructions.py and its siblings, most of them made by
`on_registers`, `on_memory` and `on_constant` from a row of encodings.py, which says which form it takes, what the
allocator must know and what the processor must have. Memory operands are described in operands.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from wasm_backend_amd64 import assembler as asm
from wasm_backend_amd64 import encodings as e
from wasm_backend_amd64.assembler import rm as _rm
from wasm_backend_amd64.assembler import rr as _rr
from wasm_backend_amd64.encodings import COMMUTATIVE, RM_FIRST, SSE, UNALIGNED, Encoding, Row, VexEncoding
from wasm_backend_amd64.operands import frame_address, mark_fault, rm_constant, rm_frame, unpack_disp
from wasm_backend_amd64.registers import RSP
from wasm_ir.backend import RELOCATION_SYMBOL, Relocation
from wasm_ir.codegen.machinst import MInst, MOp
from wasm_ir.symbols import symbol_number

if TYPE_CHECKING:
    from wasm_ir.codegen.emission import Emitter


class RowOp(MOp):
    """Base of the instructions that are a row of the table of encodings."""

    __slots__ = ("encoding",)

    def __init__(self, row: Encoding, suffix: str = "", stack_use: int = -1, tied: bool = False) -> None:
        commutative = tied and stack_use >= 0 and row.flags & COMMUTATIVE != 0
        name = row.name + ("" if row.flags & SSE else ".i64" if row.w else ".i32") + suffix
        super().__init__(name, tied=tied, commutative=commutative, stack_use=stack_use, feature=row.feature)
        self.encoding = row


def _spillable(row: Encoding | VexEncoding, use: int) -> int:
    """`use` if this operand may stay in its spill slot: slots are not aligned to 16 bytes, as SSE wants memory."""
    flags = row.flags
    if flags & RM_FIRST or row.memory == 0 or (row.memory > 8 and not flags & UNALIGNED):
        return -1
    return use


class Unary(RowOp):
    """d = op(s), and op(s, imm); s may be spilled. Where the row says so, d is cleared so as not to wait for it."""

    __slots__ = ("clean",)

    def __init__(self, row: Encoding) -> None:
        super().__init__(row, "", _spillable(row, 0))
        self.clean = row.operands[0] == "c"

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        source = inst.uses[0]
        destination = inst.defs[0]
        if self.clean and source != destination:
            _rr(emitter.code, e.XORPS_RR, destination, destination)
        if source >= 0:
            _rr(emitter.code, self.encoding, destination, source)
        else:
            rm_frame(emitter, self.encoding, destination, source)


class UnaryImm(Unary):
    """d = op(s, imm)."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        source = inst.uses[0]
        destination = inst.defs[0]
        code = emitter.code
        if self.clean and source != destination:
            _rr(code, e.XORPS_RR, destination, destination)
        if source >= 0:
            asm.rri(code, self.encoding, destination, source, inst.imm)
        else:
            base, disp = frame_address(emitter, source)
            asm.rmi(code, self.encoding, destination, base, -1, 0, disp, inst.imm)


class Load(RowOp):
    """d = op(memory)."""

    __slots__ = ("clean",)

    def __init__(self, row: Encoding) -> None:
        super().__init__(row, ".m")
        self.clean = row.operands[0] == "c"

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        uses = inst.uses
        destination = inst.defs[0]
        if self.clean:
            _rr(emitter.code, e.XORPS_RR, destination, destination)
        if inst.offset:
            mark_fault(emitter, inst.offset)
        imm = inst.imm
        if len(uses) == 1:
            _rm(emitter.code, self.encoding, destination, uses[0], -1, 0, imm >> 2)
        else:
            _rm(emitter.code, self.encoding, destination, uses[0], uses[1], imm & 3, imm >> 2)


class LoadImm(Load):
    """d = op(memory, imm)."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        uses = inst.uses
        destination = inst.defs[0]
        if self.clean:
            _rr(emitter.code, e.XORPS_RR, destination, destination)
        if inst.offset:
            mark_fault(emitter, inst.offset)
        imm = inst.imm
        index = uses[1] if len(uses) > 1 else -1
        asm.rmi(emitter.code, self.encoding, destination, uses[0], index, imm & 3, unpack_disp(imm), imm >> 34)


class LoadConstant(RowOp):
    """d = op(constant in the pool with bits imm)."""

    __slots__ = ("clean",)

    def __init__(self, row: Encoding) -> None:
        super().__init__(row, ".c")
        self.clean = row.operands[0] == "c"

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        destination = inst.defs[0]
        if self.clean:
            _rr(emitter.code, e.XORPS_RR, destination, destination)
        rm_constant(emitter, self.encoding, destination, inst.imm, self.encoding.memory)


class Store(RowOp):
    """memory = uses[0]; with the encoding of an arithmetic operation: memory = op(memory, uses[0])."""

    __slots__ = ()

    def __init__(self, row: Encoding) -> None:
        super().__init__(row, ".s")

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        uses = inst.uses
        if inst.offset:
            mark_fault(emitter, inst.offset)
        imm = inst.imm
        if len(uses) == 2:
            _rm(emitter.code, self.encoding, uses[0], uses[1], -1, 0, imm >> 2)
        else:
            _rm(emitter.code, self.encoding, uses[0], uses[1], uses[2], imm & 3, imm >> 2)


class StorePart(Store):
    """memory = op(uses[0], imm), as pextrb; imm is both packed."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        uses = inst.uses
        if inst.offset:
            mark_fault(emitter, inst.offset)
        imm = inst.imm
        index = uses[2] if len(uses) > 2 else -1
        asm.rmi(emitter.code, self.encoding, uses[0], uses[1], index, imm & 3, unpack_disp(imm), imm >> 34)


class StoreImm(RowOp):
    """memory = value, or memory = op(memory, value); imm is both packed."""

    __slots__ = ()

    def __init__(self, row: Encoding) -> None:
        super().__init__(row, ".si")

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        uses = inst.uses
        if inst.offset:
            mark_fault(emitter, inst.offset)
        imm = inst.imm
        index = uses[1] if len(uses) > 1 else -1
        asm.mi(emitter.code, self.encoding, uses[0], index, imm & 3, unpack_disp(imm), imm >> 34)


class Tied(RowOp):
    """Base of what changes its first operand, d = op(d): `move` brings that there."""

    __slots__ = ("move",)

    def __init__(self, row: Encoding, suffix: str = "", stack_use: int = -1) -> None:
        super().__init__(row, suffix, stack_use, tied=True)
        self.move = e.MOVAPS_RR if row.flags & SSE else e.MOV_RR64 if row.w else e.MOV_RR32

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        destination = inst.defs[0]
        if destination != inst.uses[0]:
            _rr(emitter.code, self.move, destination, inst.uses[0])
        asm.r(emitter.code, self.encoding, destination)


class Binary(Tied):
    """d = op(d, s); s may be spilled."""

    __slots__ = ()

    def __init__(self, row: Encoding) -> None:
        super().__init__(row, "", _spillable(row, 1))

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        destination = inst.defs[0]
        first, second = inst.uses
        if destination != first:
            if destination == second:
                second = first
            else:
                _rr(emitter.code, self.move, destination, first)
        if second >= 0:
            _rr(emitter.code, self.encoding, destination, second)
        else:
            rm_frame(emitter, self.encoding, destination, second)


class BinaryImm(Tied):
    """d = op(d, imm)."""

    __slots__ = ()

    def __init__(self, row: Encoding) -> None:
        super().__init__(row, ".i")

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        destination = inst.defs[0]
        if destination != inst.uses[0]:
            _rr(emitter.code, self.move, destination, inst.uses[0])
        asm.ri(emitter.code, self.encoding, destination, inst.imm)


class BinaryLoad(Tied):
    """d = op(d, memory)."""

    __slots__ = ()

    def __init__(self, row: Encoding) -> None:
        super().__init__(row, ".m")

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        uses = inst.uses
        destination = inst.defs[0]
        if destination != uses[0]:
            _rr(emitter.code, self.move, destination, uses[0])
        if inst.offset:
            mark_fault(emitter, inst.offset)
        imm = inst.imm
        index = uses[2] if len(uses) > 2 else -1
        _rm(emitter.code, self.encoding, destination, uses[1], index, imm & 3, imm >> 2)


class BinaryConstant(Tied):
    """d = op(d, constant in the pool with bits imm)."""

    __slots__ = ()

    def __init__(self, row: Encoding) -> None:
        super().__init__(row, ".c")

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        destination = inst.defs[0]
        if destination != inst.uses[0]:
            _rr(emitter.code, self.move, destination, inst.uses[0])
        rm_constant(emitter, self.encoding, destination, inst.imm, self.encoding.memory)


class Ternary(Tied):
    """d = op(d, s, imm)."""

    __slots__ = ()

    def __init__(self, row: Encoding) -> None:
        super().__init__(row, "", _spillable(row, 1))

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        destination = inst.defs[0]
        first, second = inst.uses
        # Operands never change places: imm may tell them apart.
        if destination != first:
            _rr(emitter.code, self.move, destination, first)
        if second >= 0:
            asm.rri(emitter.code, self.encoding, destination, second, inst.imm)
        else:
            base, disp = frame_address(emitter, second)
            asm.rmi(emitter.code, self.encoding, destination, base, -1, 0, disp, inst.imm)


class TernaryLoad(Tied):
    """d = op(d, memory, imm)."""

    __slots__ = ()

    def __init__(self, row: Encoding) -> None:
        super().__init__(row, ".m")

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        uses = inst.uses
        destination = inst.defs[0]
        if destination != uses[0]:
            _rr(emitter.code, self.move, destination, uses[0])
        if inst.offset:
            mark_fault(emitter, inst.offset)
        imm = inst.imm
        index = uses[2] if len(uses) > 2 else -1
        asm.rmi(emitter.code, self.encoding, destination, uses[1], index, imm & 3, unpack_disp(imm), imm >> 34)


class VexOp(MOp):
    """Base of the instructions with an operand in VEX.vvvv: for each register there, one as others are."""

    __slots__ = ("row",)

    def __init__(self, row: VexEncoding, suffix: str = "", stack_use: int = -1) -> None:
        super().__init__(row.name + suffix, stack_use=stack_use, feature=row.feature)
        self.row = row


class Vex(VexOp):
    """d = op(x, y), y perhaps spilled."""

    __slots__ = ("count",)

    def __init__(self, row: VexEncoding) -> None:
        #: The second source is the one in VEX.vvvv, as the count of a shift is.
        self.count = row.operands == "wrv"
        super().__init__(row, "", -1 if self.count else _spillable(row, 1))

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        first, second = inst.uses
        if self.count:
            first, second = second, first
        if second >= 0:
            _rr(emitter.code, self.row.source(first), inst.defs[0], second)
        else:
            rm_frame(emitter, self.row.source(first), inst.defs[0], second)


class VexImm(VexOp):
    """d = op(x, y, imm), y perhaps spilled."""

    __slots__ = ()

    def __init__(self, row: VexEncoding) -> None:
        super().__init__(row, "", _spillable(row, 1))

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        first, second = inst.uses
        encoding = self.row.source(first)
        if second >= 0:
            asm.rri(emitter.code, encoding, inst.defs[0], second, inst.imm)
        else:
            base, disp = frame_address(emitter, second)
            asm.rmi(emitter.code, encoding, inst.defs[0], base, -1, 0, disp, inst.imm)


class VexShift(VexOp):
    """d = op(s, imm), d in VEX.vvvv."""

    __slots__ = ()

    def __init__(self, row: VexEncoding) -> None:
        super().__init__(row, ".i")

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        asm.ri(emitter.code, self.row.source(inst.defs[0]), inst.uses[0], inst.imm)


class VexLoad(VexOp):
    """d = op(x, memory)."""

    __slots__ = ()

    def __init__(self, row: VexEncoding) -> None:
        super().__init__(row, ".m")

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        uses = inst.uses
        if inst.offset:
            mark_fault(emitter, inst.offset)
        imm = inst.imm
        index = uses[2] if len(uses) > 2 else -1
        _rm(emitter.code, self.row.source(uses[0]), inst.defs[0], uses[1], index, imm & 3, imm >> 2)


class VexLoadImm(VexOp):
    """d = op(x, memory, imm)."""

    __slots__ = ()

    def __init__(self, row: VexEncoding) -> None:
        super().__init__(row, ".m")

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        uses = inst.uses
        if inst.offset:
            mark_fault(emitter, inst.offset)
        imm = inst.imm
        index = uses[2] if len(uses) > 2 else -1
        encoding = self.row.source(uses[0])
        asm.rmi(emitter.code, encoding, inst.defs[0], uses[1], index, imm & 3, unpack_disp(imm), imm >> 34)


class VexConstant(VexOp):
    """d = op(x, constant in the pool with bits imm)."""

    __slots__ = ()

    def __init__(self, row: VexEncoding) -> None:
        super().__init__(row, ".c")

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        rm_constant(emitter, self.row.source(inst.uses[0]), inst.defs[0], inst.imm, self.row.memory)


class Lea(MOp):
    """d = base + (index << shift) + disp; without a base when the only use is scaled."""

    __slots__ = ("encoding",)

    def __init__(self, name: str, encoding: Encoding) -> None:
        super().__init__(name)
        self.encoding = encoding

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        uses = inst.uses
        imm = inst.imm
        if len(uses) == 1:
            _rm(emitter.code, self.encoding, inst.defs[0], uses[0], -1, 0, imm >> 2)
        else:
            _rm(emitter.code, self.encoding, inst.defs[0], uses[0], uses[1], imm & 3, imm >> 2)


class LeaSlot(MOp):
    """d = address of stack slot imm."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("lea_slot")

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        asm.rm(emitter.code, e.LEA_RM64, inst.defs[0], RSP, -1, 0, emitter.frame.stack_slot_offsets[inst.imm])


class Add(MOp):
    """d = x + y: add where d is one of them, else lea; y may be spilled."""

    __slots__ = ("add", "lea", "move")

    def __init__(self, name: str, add: Encoding, lea: Encoding, move: Encoding) -> None:
        super().__init__(name, stack_use=1)
        self.add = add
        self.lea = lea
        self.move = move

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        destination = inst.defs[0]
        first, second = inst.uses
        if second < 0:
            if destination != first:
                _rr(emitter.code, self.move, destination, first)
            rm_frame(emitter, self.add, destination, second)
        elif destination == first:
            _rr(emitter.code, self.add, destination, second)
        elif destination == second:
            _rr(emitter.code, self.add, destination, first)
        else:
            # A base of rbp or r13 needs a displacement, which makes lea slower.
            if first & 7 == 5:
                first, second = second, first
            _rm(emitter.code, self.lea, destination, first, second, 0, 0)


class AddImm(MOp):
    """d = x + imm: add where d is x, else lea; add to a copy where x is spilled."""

    __slots__ = ("add", "lea", "load", "sub")

    def __init__(self, name: str, add: Encoding, sub: Encoding, lea: Encoding, load: Encoding) -> None:
        super().__init__(name, stack_use=0)
        self.add = add
        self.sub = sub
        self.lea = lea
        self.load = load

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        destination = inst.defs[0]
        source = inst.uses[0]
        imm = inst.imm
        if source < 0:
            rm_frame(emitter, self.load, destination, source)
        elif source != destination:
            _rm(emitter.code, self.lea, destination, source, -1, 0, imm)
            return
        if imm == 128:
            asm.ri(emitter.code, self.sub, destination, -128)
        else:
            asm.ri(emitter.code, self.add, destination, imm)


class Constant(MOp):
    """d = the integer imm (unsigned)."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("const")

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        if inst.imm:
            load_integer(emitter, inst.defs[0], inst.imm)
        else:
            _rr(emitter.code, e.XOR_RR32, inst.defs[0], inst.defs[0])


def load_integer(emitter: Emitter, register: int, bits: int) -> None:
    """The shortest mov of an unsigned 64-bit number that leaves flags alone."""
    if bits <= 0xFFFF_FFFF:
        asm.ri(emitter.code, e.MOV_RI32, register, bits)
    elif bits >= (1 << 64) - (1 << 31):
        asm.ri(emitter.code, e.MOV_RI64_S32, register, bits - (1 << 64))
    else:
        asm.ri(emitter.code, e.MOV_RI64, register, bits)
        if emitter.function.symbols:
            symbol = symbol_number(bits)
            if symbol >= 0:
                emitter.buffer.relocations.append(Relocation(len(emitter.code) - 8, RELOCATION_SYMBOL, symbol))


class FloatConstant(RowOp):
    """d = the floating-point number (or vector) with bits imm, loaded by the row."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        if inst.imm:
            rm_constant(emitter, self.encoding, inst.defs[0], inst.imm, self.encoding.memory)
        else:
            _rr(emitter.code, e.XORPS_RR, inst.defs[0], inst.defs[0])


#: Operands of a row -> its form on registers, with the last source in memory, and with a constant there.
_ON_REGISTERS: Final[dict[str, Callable[[Encoding], MOp]]] = {
    "wr": Unary,
    "cr": Unary,
    "wri": UnaryImm,
    "cri": UnaryImm,
    "m": Tied,
    "mr": Binary,
    "mi": BinaryImm,
    "mri": Ternary,
}
_ON_MEMORY: Final[dict[str, Callable[[Encoding], MOp]]] = {
    "wr": Load,
    "cr": Load,
    "wri": LoadImm,
    "cri": LoadImm,
    "mr": BinaryLoad,
    "mri": TernaryLoad,
    "wi": StoreImm,
    "mi": StoreImm,
}
_IN_MEMORY: Final[dict[str, Callable[[Encoding], MOp]]] = {"wr": Store, "wri": StorePart, "mr": Store}
_ON_CONSTANT: Final[dict[str, Callable[[Encoding], MOp]]] = {
    "wr": LoadConstant,
    "cr": LoadConstant,
    "mr": BinaryConstant,
}
_VEX_ON_REGISTERS: Final[dict[str, Callable[[VexEncoding], MOp]]] = {
    "wvr": Vex,
    "wrv": Vex,
    "wvri": VexImm,
    "Vri": VexShift,
}
_VEX_ON_MEMORY: Final[dict[str, Callable[[VexEncoding], MOp]]] = {"wvr": VexLoad, "wvri": VexLoadImm}


def on_registers(row: Row) -> MOp:
    """The instruction on registers, one of which may be spilled where the row lets it be memory.

    defs and uses are the row's operands in order, one that is read and written at the head of both; imm is the
    immediate.
    """
    if isinstance(row, VexEncoding):
        if row.operands in _VEX_ON_REGISTERS:
            return _VEX_ON_REGISTERS[row.operands](row)
        row = row.source(0)
    return _ON_REGISTERS[row.operands](row)


def on_memory(row: Row) -> MOp:
    """The instruction with memory as its last source, or as its destination where that is what the row is for.

    The last uses are the base and perhaps the index, imm the rest of the address (operands.pack_address), with the
    immediate if there is one (operands.pack_value).
    """
    if isinstance(row, VexEncoding):
        if row.operands in _VEX_ON_MEMORY:
            return _VEX_ON_MEMORY[row.operands](row)
        row = row.source(0)
    return (_IN_MEMORY if row.flags & RM_FIRST else _ON_MEMORY)[row.operands](row)


def on_constant(row: Row) -> MOp:
    """The instruction with a constant of the pool as its last source: imm has its bits, as many as the row reads."""
    if isinstance(row, VexEncoding):
        if row.operands == "wvr":
            return VexConstant(row)
        row = row.source(0)
    return _ON_CONSTANT[row.operands](row)
