"""Forms of machine instructions: what their operands are and how they are emitted.

A form is a class of MOp; the operations are its instances, in instructions.py and its siblings, most of them made by
`on_registers`, `on_memory` and `on_constant` from a row of encodings.py, which says which form it takes, what the
allocator must know and what the processor must have. Memory operands are described in operands.py.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from wasm_backend_amd64 import assembler as asm
from wasm_backend_amd64 import encodings as e
from wasm_backend_amd64.assembler import rm as _rm
from wasm_backend_amd64.assembler import rr as _rr
from wasm_backend_amd64.encodings import COMMUTATIVE, RM_FIRST, SSE, Encoding, VexEncoding, vex
from wasm_backend_amd64.operands import mark_fault, rm_constant, rm_frame, unpack_disp
from wasm_backend_amd64.registers import RSP
from wasm_ir.backend import RELOCATION_SYMBOL, Relocation
from wasm_ir.codegen.machinst import MInst, MOp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_ir.codegen.emission import Emitter


_ONES: Final = (1 << 128) - 1


class RowOp(MOp):
    """Base of the instructions that are a row of the table of encodings.

    defs and uses are the row's operands in order, one that is read and written at the head of both; imm is the
    immediate, or has it.
    """

    __slots__ = ("clean", "encoding", "has_imm", "move", "plain", "vex")

    def __init__(self, row: Encoding, suffix: str = "", stack_use: int = -1) -> None:
        operands = row.operands
        tied = operands[0] == "m" and suffix not in (".s", ".si")
        commutative = tied and stack_use >= 0 and row.flags & COMMUTATIVE != 0
        name = row.name + ("" if row.flags & SSE else ".i64" if row.w else ".i32") + suffix
        super().__init__(name, tied=tied, commutative=commutative, stack_use=stack_use, feature=row.feature)
        self.encoding = row
        self.has_imm = operands[-1] == "i"
        #: The destination is cleared so as not to wait for what was there.
        self.clean = operands[0] == "c"
        #: What brings a tied operand to the destination.
        self.move = e.MOVAPS_RR if row.flags & SSE else e.MOV_RR64 if row.w else e.MOV_RR32
        #: There is an operand in VEX.vvvv.
        self.vex = row if isinstance(row, VexEncoding) and ("v" in operands or "V" in operands) else None
        #: `begin` has nothing to do.
        self.plain = not tied and not self.clean and self.vex is None

    def begin(self, emitter: Emitter, inst: MInst, source: int) -> Encoding:
        """What comes before: the encoding of the rest. `source`: the register that the rest reads, or -1."""
        destination = inst.defs[0]
        vex = self.vex
        if self.tied:
            if destination != inst.uses[0]:
                _rr(emitter.code, self.move, destination, inst.uses[0])
            return self.encoding if vex is None else vex.source(inst.uses[1])
        if vex is not None:
            return vex.source(inst.uses[0])
        if self.clean and destination != source:
            _rr(emitter.code, e.XORPS_RR, destination, destination)
        return self.encoding


class Registers(RowOp):
    """d = op(..., s), perhaps with an immediate; s may be spilled where the row lets it be memory.

    Slots of vectors are aligned to 16 bytes, as SSE wants memory: a row that reads 16 must have vectors for operands.
    """

    __slots__ = ()

    def __init__(self, row: Encoding) -> None:
        operands = row.operands
        last = len(operands.rstrip("ik")) - (1 if operands[0] == "m" else 2)
        super().__init__(row, "", -1 if row.flags & RM_FIRST or row.memory == 0 else last)

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        source = inst.uses[-1]
        destination = inst.defs[0]
        encoding = self.encoding if self.plain else self.begin(emitter, inst, source)
        if self.has_imm and -128 <= inst.imm <= 127:
            encoding = encoding.short
        if source >= 0:
            _rr(emitter.code, encoding, destination, source)
        else:
            rm_frame(emitter, encoding, destination, source)
        if self.has_imm:
            emitter.code += encoding.pack(inst.imm)


class Binary(Registers):
    """d = op(d, s), whose operands change places where the allocator wants it."""

    __slots__ = ()

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


class Masked(Registers):
    """d = op(x, y, mask), x in VEX.vvvv and the mask in the immediate; y may be spilled."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        first, second, mask = inst.uses
        vex = self.vex
        assert vex is not None
        encoding = vex.source(first)
        if second >= 0:
            _rr(emitter.code, encoding, inst.defs[0], second)
        else:
            rm_frame(emitter, encoding, inst.defs[0], second)
        emitter.code += encoding.pack((mask & 15) << 4)


class Count(Registers):
    """d = op(x, y), y in VEX.vvvv: the count of a shift."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        first, second = inst.uses
        vex = self.vex
        assert vex is not None
        _rr(emitter.code, vex.source(second), inst.defs[0], first)


class Single(RowOp):
    """d = op(d)."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        asm.r(emitter.code, self.begin(emitter, inst, -1), inst.defs[0])


class SingleImm(RowOp):
    """d = op(d, imm), and d = op(s, imm), d in VEX.vvvv."""

    __slots__ = ()

    def __init__(self, row: Encoding) -> None:
        super().__init__(row, ".i")

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        vex = self.vex
        if vex is None:
            asm.ri(emitter.code, self.begin(emitter, inst, -1), inst.defs[0], inst.imm)
        else:
            asm.ri(emitter.code, vex.source(inst.defs[0]), inst.uses[0], inst.imm)


class Memory(RowOp):
    """d = op(..., memory), perhaps with an immediate; or, where the row is for that, memory = op(s) or op(memory, s).

    The last uses are the base and perhaps the index, imm the rest of the address, with the immediate if there is one
    (operands.pack_address, pack_value).
    """

    __slots__ = ("sources",)

    def __init__(self, row: Encoding) -> None:
        to_memory = row.flags & RM_FIRST != 0
        super().__init__(row, ".s" if to_memory else ".m")
        #: How many uses come before the base.
        self.sources = 1 if to_memory else int(self.tied) + int(self.vex is not None)

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        uses = inst.uses
        encoding = self.encoding if self.plain else self.begin(emitter, inst, -1)
        if inst.offset:
            mark_fault(emitter, inst.offset)
        register = inst.defs[0] if inst.defs else uses[0]
        at = self.sources
        index = uses[at + 1] if len(uses) > at + 1 else -1
        imm = inst.imm
        if self.has_imm:
            asm.rmi(emitter.code, encoding, register, uses[at], index, imm & 3, unpack_disp(imm), imm >> 34)
        else:
            _rm(emitter.code, encoding, register, uses[at], index, imm & 3, imm >> 2)


class MemoryImm(RowOp):
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


class PoolConstant(RowOp):
    """d = op(..., the constant of the pool with bits imm, as many as the row reads)."""

    __slots__ = ()

    def __init__(self, row: Encoding) -> None:
        super().__init__(row, ".c")

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        encoding = self.encoding if self.plain else self.begin(emitter, inst, -1)
        rm_constant(emitter, encoding, inst.defs[0], inst.imm, encoding.memory)


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
    """The shortest mov of an unsigned 64-bit number; of zero xor is shorter."""
    if bits <= 0xFFFF_FFFF:
        asm.ri(emitter.code, e.MOV_RI32, register, bits)
    elif bits >= (1 << 64) - (1 << 31):
        asm.ri(emitter.code, e.MOV_RI64_S32, register, bits - (1 << 64))
    else:
        asm.ri(emitter.code, e.MOV_RI64, register, bits)
        if emitter.function.symbols:
            from wasm_ir.symbols import symbol_number

            symbol = symbol_number(bits)
            if symbol >= 0:
                emitter.buffer.relocations.append(Relocation(len(emitter.code) - 8, RELOCATION_SYMBOL, symbol))


class FloatConstant(RowOp):
    """d = the floating-point number or vector with bits imm, loaded by the row."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        load_float(emitter, self.encoding, inst.defs[0], inst.imm)


def load_float(emitter: Emitter, row: Encoding, register: int, bits: int) -> None:
    """Load a floating-point number or vector; the row is for what is not zeros or ones."""
    if bits == 0:
        _rr(emitter.code, e.XORPS_RR, register, register)
    elif bits == _ONES:
        # Vectors alone are as long.
        from wasm_backend_amd64.vector_encodings import PCMPEQD

        _rr(emitter.code, PCMPEQD, register, register)
    else:
        rm_constant(emitter, row, register, bits, row.memory)


#: Operands of a row -> its form on registers, where that is not `Registers`.
_ON_REGISTERS: Final[dict[str, Callable[[Encoding], MOp]]] = {
    "m": Single,
    "mr": Binary,
    "mi": SingleImm,
    "Vri": SingleImm,
    "wrv": Count,
    "wvrk": Masked,
}


def on_registers(row: Encoding) -> MOp:
    """The instruction on registers."""
    return _ON_REGISTERS.get(row.operands, Registers)(row)


def on_memory(row: Encoding) -> MOp:
    """The instruction with memory as its last source, or as its destination where that is what the row is for."""
    return MemoryImm(row) if row.operands in ("wi", "mi") else Memory(row)


def on_constant(row: Encoding) -> MOp:
    """The instruction with a constant of the pool as its last source."""
    return PoolConstant(row)


# Forms of rows on SSE registers, with a VEX prefix where `avx` says so: code has one or the other, and most rows are in
# no code, so they are made when they are first needed.


@cache
def at_level(row: Encoding, avx: bool) -> Encoding:
    """The row, or its VEX form."""
    return vex(row) if avx and not isinstance(row, VexEncoding) else row


@cache
def in_registers(row: Encoding, avx: bool) -> MOp:
    """The form on registers, of which one may be spilled where the row lets it be memory."""
    return on_registers(at_level(row, avx))


@cache
def in_registers_alone(row: Encoding, avx: bool) -> MOp:
    """The same where the last source, if it was in memory, would be another, or not be as long as the row reads."""
    form = on_registers(at_level(row, avx))
    form.stack_use = -1
    return form


@cache
def with_memory(row: Encoding, avx: bool) -> MOp:
    """The form with memory as its last source, or as its destination."""
    return on_memory(at_level(row, avx))


@cache
def with_constant(row: Encoding, avx: bool) -> MOp:
    """The form with a constant of the pool as its last source."""
    return on_constant(at_level(row, avx))
