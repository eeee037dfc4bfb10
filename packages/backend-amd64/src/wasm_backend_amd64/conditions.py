"""Instructions that set flags and use them at once: compare and branch, set, select, or trap.

A `Comparison` sets flags from some operands; a consumer (an MOp made for a comparison and a condition) makes something
of them. The consumer's own uses come first, then the comparison's; imm is the comparison's.
"""

from __future__ import annotations

from functools import cache

from wasm_backend_amd64 import assembler as asm
from wasm_backend_amd64 import encodings as e
from wasm_backend_amd64.encodings import CC_A, CC_AE, CC_B, CC_BE, CC_E, CC_G, CC_GE, CC_L, CC_LE, CC_NE, CC_NP, CC_P
from wasm_backend_amd64.operands import branch, frame_address, jump, mark_fault, rm_constant, rm_frame, unpack_disp
from wasm_backend_amd64.registers import SCRATCH
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.codegen.machinst import MInst, MOp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_backend_amd64.encodings import Encoding
    from wasm_ir.codegen.emission import Emitter

# Conditions of ucomis that take two flags, numbered after the hardware's so that cc ^ 1 stays the negation.
#: Equal and not unordered.
CC_EQUAL: Final = 16
#: Not equal or unordered.
CC_DIFFERENT: Final = 17

#: Condition codes of icmp conditions.
ICMP_CODES: Final[tuple[int, ...]] = (CC_E, CC_NE, CC_L, CC_GE, CC_G, CC_LE, CC_B, CC_AE, CC_A, CC_BE)
#: The same for operands that are known to be less than 2^31.
UNSIGNED_CODES: Final[tuple[int, ...]] = (CC_E, CC_NE, CC_B, CC_AE, CC_A, CC_BE, CC_B, CC_AE, CC_A, CC_BE)
#: fcmp condition -> (whether the operands are swapped, condition code). ucomis sets CF when unordered, so that only
#: "above" conditions are false then.
FCMP_CODES: Final[tuple[tuple[bool, int], ...]] = (
    (False, CC_EQUAL),
    (False, CC_DIFFERENT),
    (True, CC_A),
    (False, CC_A),
    (True, CC_AE),
    (False, CC_AE),
)


class Comparison:
    """Sets flags from the uses of an instruction that start at `at`."""

    __slots__ = ("encoding", "name", "spilled")

    def __init__(self, name: str, encoding: Encoding, spilled: int = -1) -> None:
        self.name = name
        self.encoding = encoding
        #: Which of its operands may be spilled.
        self.spilled = spilled

    def emit(self, emitter: Emitter, inst: MInst, at: int, wasm_offset: int) -> None:
        raise NotImplementedError


class Registers(Comparison):
    """Two registers, the second perhaps spilled."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst, at: int, wasm_offset: int) -> None:
        first = inst.uses[at]
        second = inst.uses[at + 1]
        if second >= 0:
            asm.rr(emitter.code, self.encoding, first, second)
        else:
            rm_frame(emitter, self.encoding, first, second)


class Immediate(Comparison):
    """A register, perhaps spilled, and an immediate."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst, at: int, wasm_offset: int) -> None:
        first = inst.uses[at]
        if first >= 0:
            asm.ri(emitter.code, self.encoding, first, inst.imm)
        else:
            base, disp = frame_address(emitter, first)
            asm.mi(emitter.code, self.encoding, base, -1, 0, disp, inst.imm)


class Zero(Comparison):
    """A register and zero: test where it is a register, cmp where it is spilled."""

    __slots__ = ("compare",)

    def __init__(self, name: str, test: Encoding, compare: Encoding) -> None:
        super().__init__(name, test, 0)
        self.compare = compare

    def emit(self, emitter: Emitter, inst: MInst, at: int, wasm_offset: int) -> None:
        first = inst.uses[at]
        if first >= 0:
            asm.rr(emitter.code, self.encoding, first, first)
        else:
            base, disp = frame_address(emitter, first)
            asm.mi(emitter.code, self.compare, base, -1, 0, disp, 0)


class WithMemory(Comparison):
    """A register and memory; the encoding says in which order."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst, at: int, wasm_offset: int) -> None:
        if wasm_offset:
            mark_fault(emitter, wasm_offset)
        uses = inst.uses
        index = uses[at + 2] if len(uses) > at + 2 else -1
        asm.rm(emitter.code, self.encoding, uses[at], uses[at + 1], index, inst.imm & 3, inst.imm >> 2)


class MemoryImmediate(Comparison):
    """Memory and an immediate."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst, at: int, wasm_offset: int) -> None:
        if wasm_offset:
            mark_fault(emitter, wasm_offset)
        uses = inst.uses
        index = uses[at + 1] if len(uses) > at + 1 else -1
        imm = inst.imm
        asm.mi(emitter.code, self.encoding, uses[at], index, imm & 3, unpack_disp(imm), imm >> 34)


class WithConstant(Comparison):
    """A register and a constant of the pool."""

    __slots__ = ("size",)

    def __init__(self, name: str, encoding: Encoding, size: int) -> None:
        super().__init__(name, encoding)
        self.size = size

    def emit(self, emitter: Emitter, inst: MInst, at: int, wasm_offset: int) -> None:
        rm_constant(emitter, self.encoding, inst.uses[at], inst.imm, self.size)


_I32, _I64, _F32, _F64 = types.I32, types.I64, types.F32, types.F64

COMPARE: Final = {
    _I32: Registers("cmp.i32", e.CMP_RR32, 1),
    _I64: Registers("cmp.i64", e.CMP_RR64, 1),
    _F32: Registers("ucomiss", e.UCOMISS_RR, 1),
    _F64: Registers("ucomisd", e.UCOMISD_RR, 1),
}
COMPARE_IMM: Final = {
    _I32: Immediate("cmp.i32.ri", e.CMP_RI32, 0),
    _I64: Immediate("cmp.i64.ri", e.CMP_RI64, 0),
}
#: register, memory
COMPARE_LOAD: Final = {
    _I32: WithMemory("cmp.i32.rm", e.CMP_RM32),
    _I64: WithMemory("cmp.i64.rm", e.CMP_RM64),
    _F32: WithMemory("ucomiss.rm", e.UCOMISS_RM),
    _F64: WithMemory("ucomisd.rm", e.UCOMISD_RM),
}
#: memory, register (which is the first use all the same)
COMPARE_LOADED: Final = {
    _I32: WithMemory("cmp.i32.mr", e.CMP_MR32),
    _I64: WithMemory("cmp.i64.mr", e.CMP_MR64),
}
COMPARE_LOADED_IMM: Final = {
    _I32: MemoryImmediate("cmp.i32.mi", e.CMP_MI32),
    _I64: MemoryImmediate("cmp.i64.mi", e.CMP_MI64),
}
COMPARE_LOADED_BYTE: Final = MemoryImmediate("cmp.i8.mi", e.CMP_MI8)
TEST_ZERO: Final = {
    _I32: Zero("test.i32", e.TEST_RR32, e.CMP_MI32),
    _I64: Zero("test.i64", e.TEST_RR64, e.CMP_MI64),
}
TEST: Final = {
    _I32: Registers("test.i32.rr", e.TEST_RR32, 1),
    _I64: Registers("test.i64.rr", e.TEST_RR64, 1),
}
TEST_IMM: Final = {
    _I32: Immediate("test.i32.ri", e.TEST_RI32, 0),
    _I64: Immediate("test.i64.ri", e.TEST_RI64, 0),
}
TEST_LOADED_IMM: Final = {
    _I32: MemoryImmediate("test.i32.mi", e.TEST_MI32),
    _I64: MemoryImmediate("test.i64.mi", e.TEST_MI64),
}
TEST_LOADED_BYTE: Final = MemoryImmediate("test.i8.mi", e.TEST_MI8)
COMPARE_CONSTANT: Final = {
    _I64: WithConstant("cmp.i64.rc", e.CMP_RM64, 8),
    _F32: WithConstant("ucomiss.rc", e.UCOMISS_RM, 4),
    _F64: WithConstant("ucomisd.rc", e.UCOMISD_RM, 8),
}


class Brif(MOp):
    """Terminator: to edge 0 when the condition holds, else to edge 1."""

    __slots__ = ("code", "comparison")

    def __init__(self, comparison: Comparison, code: int) -> None:
        super().__init__(f"brif.{comparison.name}", stack_use=comparison.spilled)
        self.comparison = comparison
        self.code = code

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        self.comparison.emit(emitter, inst, 0, inst.offset)
        first, second = emitter.block.edges
        taken = first.block
        other = second.block
        code = self.code
        if taken is emitter.next_block:
            taken, other = other, taken
            code ^= 1
        if code < CC_EQUAL:
            branch(emitter, code, taken.label)
            if other is not emitter.next_block:
                jump(emitter, other.label)
        elif code == CC_DIFFERENT:
            branch(emitter, CC_NE, taken.label)
            branch(emitter, CC_P, taken.label)
            if other is not emitter.next_block:
                jump(emitter, other.label)
        else:
            branch(emitter, CC_NE, other.label)
            if other is emitter.next_block:
                branch(emitter, CC_NP, taken.label)
            else:
                branch(emitter, CC_P, other.label)
                jump(emitter, taken.label)


class Set(MOp):
    """d = 1 when the condition holds, else 0."""

    __slots__ = ("code", "comparison")

    def __init__(self, comparison: Comparison, code: int) -> None:
        super().__init__(f"set.{comparison.name}", stack_use=comparison.spilled)
        self.comparison = comparison
        self.code = code

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        destination = inst.defs[0]
        condition = self.code
        code = emitter.code
        clear = destination not in inst.uses
        if clear:
            asm.rr(code, e.XOR_RR32, destination, destination)
        self.comparison.emit(emitter, inst, 0, inst.offset)
        if condition < CC_EQUAL:
            asm.r(code, e.SET_R8[condition], destination)
        elif condition == CC_EQUAL:
            asm.r(code, e.SET_R8[CC_NP], SCRATCH)
            asm.r(code, e.SET_R8[CC_E], destination)
            asm.rr(code, e.AND_RR8, destination, SCRATCH)
        else:
            asm.r(code, e.SET_R8[CC_P], SCRATCH)
            asm.r(code, e.SET_R8[CC_NE], destination)
            asm.rr(code, e.OR_RR8, destination, SCRATCH)
        if not clear:
            asm.rr(code, e.MOVZX8_RR32, destination, destination)


class Select(MOp):
    """d = uses[1] when the condition holds, else uses[0]; not for CC_EQUAL (swap the operands instead)."""

    __slots__ = ("code", "comparison", "moves", "wide")

    def __init__(self, comparison: Comparison, code: int, value_type: int) -> None:
        super().__init__(f"select.{comparison.name}", tied=True, stack_use=1)
        self.comparison = comparison
        self.code = code
        self.wide = value_type == types.I64
        self.moves = e.CMOV_RR64 if self.wide else e.CMOV_RR32

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        destination = inst.defs[0]
        code = emitter.code
        if destination != inst.uses[0]:
            asm.rr(code, e.MOV_RR64 if self.wide else e.MOV_RR32, destination, inst.uses[0])
        self.comparison.emit(emitter, inst, 2, inst.offset)
        if self.code == CC_DIFFERENT:
            self._move(emitter, CC_NE, destination, inst.uses[1])
            self._move(emitter, CC_P, destination, inst.uses[1])
        else:
            self._move(emitter, self.code, destination, inst.uses[1])

    def _move(self, emitter: Emitter, condition: int, destination: int, source: int) -> None:
        if source >= 0:
            asm.rr(emitter.code, self.moves[condition], destination, source)
        else:
            rm_frame(emitter, self.moves[condition], destination, source)


class TrapIf(MOp):
    """Leave with the trap code when the condition holds. `offset` is the trap's: the comparison must not fault."""

    __slots__ = ("code", "comparison", "trap_code")

    def __init__(self, comparison: Comparison, code: int, trap_code: int) -> None:
        super().__init__(f"trap_if.{comparison.name}", stack_use=comparison.spilled)
        self.comparison = comparison
        self.code = code
        self.trap_code = trap_code

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        self.comparison.emit(emitter, inst, 0, 0)
        label = emitter.trap_label(self.trap_code, inst.offset)
        if self.code < CC_EQUAL:
            branch(emitter, self.code, label)
        elif self.code == CC_DIFFERENT:
            branch(emitter, CC_NE, label)
            branch(emitter, CC_P, label)
        else:
            over = asm.jcc8(emitter.code, CC_P)
            branch(emitter, CC_E, label)
            asm.patch_rel8(emitter.code, over, len(emitter.code))


# Consumers are made when they are first needed: there would be some thousand.


@cache
def brif_op(comparison: Comparison, code: int) -> Brif:
    return Brif(comparison, code)


@cache
def set_op(comparison: Comparison, code: int) -> Set:
    return Set(comparison, code)


@cache
def select_op(comparison: Comparison, code: int, value_type: int) -> MOp:
    if types.CLASS[value_type] == types.INT_CLASS:
        return Select(comparison, code, value_type)
    from wasm_backend_amd64.float_instructions import SelectFloat

    return SelectFloat(comparison, code, value_type)


@cache
def trap_if_op(comparison: Comparison, code: int, trap_code: int) -> TrapIf:
    return TrapIf(comparison, code, trap_code)


#: Integer conditions that say something about a number compared with zero by `test` (CF and OF are clear).
SIGN_CONDITIONS: Final[tuple[int, ...]] = (op.EQ, op.NE, op.LT_S, op.GE_S, op.GT_S, op.LE_S)
