"""Forms of machine instructions: what their operands are and how they are emitted.

A form is a class of MOp; the operations are its instances, in instructions.py and its siblings. Memory operands are
described in operands.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm_backend_amd64 import assembler as asm
from wasm_backend_amd64 import encodings as e
from wasm_backend_amd64.assembler import rm as _rm
from wasm_backend_amd64.assembler import rr as _rr
from wasm_backend_amd64.encodings import Encoding, VexEncoding
from wasm_backend_amd64.operands import frame_address, mark_fault, rm_constant, rm_frame, unpack_disp
from wasm_backend_amd64.registers import RSP
from wasm_ir.backend import RELOCATION_SYMBOL, Relocation
from wasm_ir.codegen.machinst import MInst, MOp
from wasm_ir.symbols import symbol_number

if TYPE_CHECKING:
    from wasm_ir.codegen.emission import Emitter


class Unary(MOp):
    """d = op(s); s may be spilled."""

    __slots__ = ("encoding",)

    def __init__(self, name: str, encoding: Encoding, spilled: bool = True) -> None:
        super().__init__(name, stack_use=0 if spilled else -1)
        self.encoding = encoding

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        source = inst.uses[0]
        if source >= 0:
            _rr(emitter.code, self.encoding, inst.defs[0], source)
        else:
            rm_frame(emitter, self.encoding, inst.defs[0], source)


class UnaryClean(MOp):
    """The same for SSE instructions that leave part of d as it was: clears d first, so as not to wait for it."""

    __slots__ = ("encoding",)

    def __init__(self, name: str, encoding: Encoding) -> None:
        super().__init__(name, stack_use=0)
        self.encoding = encoding

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        source = inst.uses[0]
        destination = inst.defs[0]
        code = emitter.code
        if source != destination:
            _rr(code, e.XORPS_RR, destination, destination)
        if source >= 0:
            _rr(code, self.encoding, destination, source)
        else:
            rm_frame(emitter, self.encoding, destination, source)


class UnaryImm(MOp):
    """d = op(s, imm), not tied: imul, and roundss with `clean`."""

    __slots__ = ("clean", "encoding")

    def __init__(self, name: str, encoding: Encoding, clean: bool) -> None:
        super().__init__(name, stack_use=0)
        self.encoding = encoding
        self.clean = clean

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


class UnaryTied(MOp):
    """d = op(d)."""

    __slots__ = ("encoding", "move")

    def __init__(self, name: str, encoding: Encoding, move: Encoding) -> None:
        super().__init__(name, tied=True)
        self.encoding = encoding
        self.move = move

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        destination = inst.defs[0]
        if destination != inst.uses[0]:
            _rr(emitter.code, self.move, destination, inst.uses[0])
        asm.r(emitter.code, self.encoding, destination)


class Load(MOp):
    """d = op(memory)."""

    __slots__ = ("clean", "encoding")

    def __init__(self, name: str, encoding: Encoding, clean: bool = False) -> None:
        super().__init__(name)
        self.encoding = encoding
        self.clean = clean

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


class LoadImm(MOp):
    """d = op(memory, imm): imul, and roundss with `clean`."""

    __slots__ = ("clean", "encoding")

    def __init__(self, name: str, encoding: Encoding, clean: bool) -> None:
        super().__init__(name)
        self.encoding = encoding
        self.clean = clean

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


class Binary(MOp):
    """d = op(d, s); s may be spilled."""

    __slots__ = ("encoding", "move")

    def __init__(self, name: str, encoding: Encoding, move: Encoding, commutative: bool) -> None:
        super().__init__(name, tied=True, commutative=commutative, stack_use=1)
        self.encoding = encoding
        self.move = move

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


class BinaryImm(MOp):
    """d = op(d, imm)."""

    __slots__ = ("encoding", "move")

    def __init__(self, name: str, encoding: Encoding, move: Encoding) -> None:
        super().__init__(name, tied=True)
        self.encoding = encoding
        self.move = move

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        destination = inst.defs[0]
        if destination != inst.uses[0]:
            _rr(emitter.code, self.move, destination, inst.uses[0])
        asm.ri(emitter.code, self.encoding, destination, inst.imm)


class BinaryLoad(MOp):
    """d = op(d, memory)."""

    __slots__ = ("encoding", "move")

    def __init__(self, name: str, encoding: Encoding, move: Encoding) -> None:
        super().__init__(name, tied=True)
        self.encoding = encoding
        self.move = move

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


class BinaryConstant(MOp):
    """d = op(d, constant in the pool with bits imm)."""

    __slots__ = ("encoding", "move", "size")

    def __init__(self, name: str, encoding: Encoding, move: Encoding, size: int) -> None:
        super().__init__(name, tied=True)
        self.encoding = encoding
        self.move = move
        self.size = size

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        destination = inst.defs[0]
        if destination != inst.uses[0]:
            _rr(emitter.code, self.move, destination, inst.uses[0])
        rm_constant(emitter, self.encoding, destination, inst.imm, self.size)


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


class Vex(MOp):
    """d = op(x, y) in three-operand form."""

    __slots__ = ("encoding",)

    def __init__(self, name: str, encoding: VexEncoding) -> None:
        super().__init__(name)
        self.encoding = encoding

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        asm.rrr(emitter.code, self.encoding, inst.defs[0], inst.uses[0], inst.uses[1])


class Rorx(MOp):
    """d = x rotated right by imm."""

    __slots__ = ("encoding",)

    def __init__(self, name: str, encoding: VexEncoding) -> None:
        super().__init__(name)
        self.encoding = encoding

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        asm.rorx(emitter.code, self.encoding, inst.defs[0], inst.uses[0], inst.imm)


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


class FloatConstant(MOp):
    """d = the floating-point number with bits imm."""

    __slots__ = ("encoding", "size")

    def __init__(self, name: str, encoding: Encoding, size: int) -> None:
        super().__init__(name)
        self.encoding = encoding
        self.size = size

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        if inst.imm:
            rm_constant(emitter, self.encoding, inst.defs[0], inst.imm, self.size)
        else:
            _rr(emitter.code, e.XORPS_RR, inst.defs[0], inst.defs[0])


class Store(MOp):
    """memory = uses[0]; with the encoding of an arithmetic operation: memory = op(memory, uses[0])."""

    __slots__ = ("encoding",)

    def __init__(self, name: str, encoding: Encoding) -> None:
        super().__init__(name)
        self.encoding = encoding

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        uses = inst.uses
        if inst.offset:
            mark_fault(emitter, inst.offset)
        imm = inst.imm
        if len(uses) == 2:
            _rm(emitter.code, self.encoding, uses[0], uses[1], -1, 0, imm >> 2)
        else:
            _rm(emitter.code, self.encoding, uses[0], uses[1], uses[2], imm & 3, imm >> 2)


class StoreImm(MOp):
    """memory = value, or memory = op(memory, value); imm is both packed."""

    __slots__ = ("encoding",)

    def __init__(self, name: str, encoding: Encoding) -> None:
        super().__init__(name)
        self.encoding = encoding

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        uses = inst.uses
        if inst.offset:
            mark_fault(emitter, inst.offset)
        imm = inst.imm
        index = uses[1] if len(uses) > 1 else -1
        asm.mi(emitter.code, self.encoding, uses[0], index, imm & 3, unpack_disp(imm), imm >> 34)
