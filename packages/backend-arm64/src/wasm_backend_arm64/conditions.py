"""Instructions that set flags and use them at once: compare and branch, set, select, or trap.

A `Comparison` sets flags from some operands; a consumer (an MOp made for a comparison and a condition) makes something
of them. The consumer's own uses come first, then the comparison's; imm is the comparison's.
"""

from __future__ import annotations

from functools import cache

from wasm_backend_arm64 import assembler as asm
from wasm_backend_arm64 import encodings as e
from wasm_backend_arm64.encodings import (
    CC_EQ,
    CC_GE,
    CC_GT,
    CC_HI,
    CC_HS,
    CC_LE,
    CC_LO,
    CC_LS,
    CC_LT,
    CC_MI,
    CC_NE,
)
from wasm_backend_arm64.operands import branch, branch_bit, branch_zero, jump
from wasm_backend_arm64.registers import ZR
from wasm_ir import types
from wasm_ir.codegen.machinst import MInst, MOp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_ir.codegen.emission import Emitter

_pack = asm.pack

#: Condition codes of icmp conditions.
ICMP_CODES: Final[tuple[int, ...]] = (CC_EQ, CC_NE, CC_LT, CC_GE, CC_GT, CC_LE, CC_LO, CC_HS, CC_HI, CC_LS)
#: Condition codes of fcmp conditions: those that are false (`ne`: true) for the flags of an unordered comparison, 0011.
FCMP_CODES: Final[tuple[int, ...]] = (CC_EQ, CC_NE, CC_MI, CC_GT, CC_LS, CC_GE)
#: Flags (NZCV) for which the condition holds, for conditional comparisons; for c ^ 1 it does not.
FLAGS_FOR: Final[tuple[int, ...]] = (4, 0, 2, 0, 8, 0, 1, 0, 2, 0, 0, 8, 0, 8)


class Comparison:
    """Sets flags from the uses of an instruction that start at `at`."""

    __slots__ = ("name", "operands", "word")

    def __init__(self, name: str, word: int, operands: int) -> None:
        self.name = name
        self.word = word
        #: How many operands it has.
        self.operands = operands

    def emit(self, emitter: Emitter, inst: MInst, at: int, imm: int) -> None:
        raise NotImplementedError

    def branch(self, emitter: Emitter, inst: MInst, condition: int, label: int) -> None:
        """Branch when the condition holds; the comparison's uses are the only ones."""
        self.emit(emitter, inst, 0, inst.imm)
        branch(emitter, condition, label)


class Registers(Comparison):
    """Two registers, the second perhaps shifted or extended."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst, at: int, imm: int) -> None:
        uses = inst.uses
        emitter.code += _pack(self.word | imm | (uses[at] & 31) << 5 | (uses[at + 1] & 31) << 16)


class Immediate(Comparison):
    """A register and what `imm` encodes (nothing, where it is compared with zero)."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst, at: int, imm: int) -> None:
        emitter.code += _pack(self.word | imm | (inst.uses[at] & 31) << 5)


class Zero(Comparison):
    """A register and zero, for branches on equality alone."""

    __slots__ = ()

    def branch(self, emitter: Emitter, inst: MInst, condition: int, label: int) -> None:
        branch_zero(emitter, self.word | condition << 24, inst.uses[0], label)


class Bit(Comparison):
    """Bit number imm of a register and zero, for branches on equality alone."""

    __slots__ = ()

    def branch(self, emitter: Emitter, inst: MInst, condition: int, label: int) -> None:
        branch_bit(emitter, self.word | condition << 24, inst.uses[0], inst.imm, label)


class Chain(Comparison):
    """A second comparison that is made only if the first has a certain result: see `chain`.

    imm: the first's, and << 32 what is to be added to the conditional comparison.
    """

    __slots__ = ("first", "two_registers")

    def __init__(self, first: Comparison, word: int, two_registers: bool) -> None:
        super().__init__(f"{first.name}.ccmp", word, first.operands + 1 + two_registers)
        self.first = first
        self.two_registers = two_registers

    def emit(self, emitter: Emitter, inst: MInst, at: int, imm: int) -> None:
        self.first.emit(emitter, inst, at, imm & 0xFFFF_FFFF)
        at += self.first.operands
        uses = inst.uses
        word = self.word | imm >> 32 | (uses[at] & 31) << 5
        if self.two_registers:
            word |= (uses[at + 1] & 31) << 16
        emitter.code += _pack(word)


_I32, _I64, _F32, _F64 = types.I32, types.I64, types.F32, types.F64

COMPARE: Final = {
    _I32: Registers("cmp.i32", e.SUBS_RRR32.word | ZR, 2),
    _I64: Registers("cmp.i64", e.SUBS_RRR64.word | ZR, 2),
    _F32: Registers("fcmp.f32", e.FCMP_RR32.word, 2),
    _F64: Registers("fcmp.f64", e.FCMP_RR64.word, 2),
}
COMPARE_EXTENDED: Final = {
    _I32: Registers("cmp.i32.rx", e.SUBS_RRX32.word | ZR, 2),
    _I64: Registers("cmp.i64.rx", e.SUBS_RRX64.word | ZR, 2),
}
COMPARE_IMM: Final = {
    _I32: Immediate("cmp.i32.ri", e.SUBS_RRI32.word | ZR, 1),
    _I64: Immediate("cmp.i64.ri", e.SUBS_RRI64.word | ZR, 1),
}
#: With a negative immediate.
COMPARE_NEGATIVE: Final = {
    _I32: Immediate("cmn.i32.ri", e.ADDS_RRI32.word | ZR, 1),
    _I64: Immediate("cmn.i64.ri", e.ADDS_RRI64.word | ZR, 1),
}
COMPARE_FLOAT_ZERO: Final = {
    _F32: Immediate("fcmp.f32.zero", e.FCMP_R0_32.word, 1),
    _F64: Immediate("fcmp.f64.zero", e.FCMP_R0_64.word, 1),
}
TEST: Final = {
    _I32: Registers("tst.i32", e.ANDS_RRR32.word | ZR, 2),
    _I64: Registers("tst.i64", e.ANDS_RRR64.word | ZR, 2),
}
TEST_IMM: Final = {
    _I32: Immediate("tst.i32.ri", e.ANDS_RRL32.word | ZR, 1),
    _I64: Immediate("tst.i64.ri", e.ANDS_RRL64.word | ZR, 1),
}
IS_ZERO: Final = {
    _I32: Zero("cbz.i32", e.CBZ_RL32, 1),
    _I64: Zero("cbz.i64", e.CBZ_RL64, 1),
}
BIT_IS_ZERO: Final = Bit("tbz", e.TBZ_RBL, 1)

#: Words of conditional comparisons, by type: on two registers, with 0..31, with -31..-1.
_CHAIN_REGISTERS: Final = {
    _I32: e.CCMP_RRC32.word,
    _I64: e.CCMP_RRC64.word,
    _F32: e.FCCMP_RRC32.word,
    _F64: e.FCCMP_RRC64.word,
}
_CHAIN_IMM: Final = {_I32: e.CCMP_RIC32.word, _I64: e.CCMP_RIC64.word}
_CHAIN_NEGATIVE: Final = {_I32: e.CCMN_RIC32.word, _I64: e.CCMN_RIC64.word}


@cache
def _chain(first: Comparison, word: int, two_registers: bool) -> Chain:
    return Chain(first, word, two_registers)


def chain_registers(first: Comparison, value_type: int) -> Chain:
    """`first`, then a comparison of two registers."""
    return _chain(first, _CHAIN_REGISTERS[value_type], True)


def chain_imm(first: Comparison, value_type: int, negative: bool) -> Chain:
    """`first`, then a comparison of a register with a small number."""
    return _chain(first, (_CHAIN_NEGATIVE if negative else _CHAIN_IMM)[value_type], False)


class Brif(MOp):
    """Terminator: to edge 0 when the condition holds, else to edge 1."""

    __slots__ = ("code", "comparison")

    def __init__(self, comparison: Comparison, code: int) -> None:
        super().__init__(f"brif.{comparison.name}")
        self.comparison = comparison
        self.code = code

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        first, second = emitter.block.edges
        taken = first.block
        other = second.block
        code = self.code
        if taken is emitter.next_block:
            taken, other = other, taken
            code ^= 1
        if taken is not other:
            self.comparison.branch(emitter, inst, code, taken.label)
        if other is not emitter.next_block:
            jump(emitter, other.label)


class TrapIf(MOp):
    """Leave with the trap code when the condition holds."""

    __slots__ = ("code", "comparison", "trap_code")

    def __init__(self, comparison: Comparison, code: int, trap_code: int) -> None:
        super().__init__(f"trap_if.{comparison.name}")
        self.comparison = comparison
        self.code = code
        self.trap_code = trap_code

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        label = emitter.trap_label(self.trap_code, inst.offset)
        self.comparison.branch(emitter, inst, self.code, label)


class Set(MOp):
    """d = 1 when the condition holds, else 0: cset, which is csinc of zeros with the opposite condition."""

    __slots__ = ("comparison", "word")

    def __init__(self, comparison: Comparison, code: int) -> None:
        super().__init__(f"set.{comparison.name}")
        self.comparison = comparison
        self.word = e.CSINC_RRRC32.word | ZR << 5 | ZR << 16 | (code ^ 1) << 12

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        self.comparison.emit(emitter, inst, 0, inst.imm)
        emitter.code += _pack(self.word | inst.defs[0])


class Select(MOp):
    """d = uses[0] when the condition holds, else uses[1], or what the instruction makes of uses[1]."""

    __slots__ = ("comparison", "word")

    def __init__(self, comparison: Comparison, code: int, word: int) -> None:
        super().__init__(f"select.{comparison.name}")
        self.comparison = comparison
        self.word = word | code << 12

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        self.comparison.emit(emitter, inst, 2, inst.imm)
        uses = inst.uses
        emitter.code += _pack(self.word | inst.defs[0] & 31 | (uses[0] & 31) << 5 | (uses[1] & 31) << 16)


#: By type.
SELECT_WORDS: Final = {
    _I32: e.CSEL_RRRC32.word,
    _I64: e.CSEL_RRRC64.word,
    _F32: e.FCSEL_RRRC32.word,
    _F64: e.FCSEL_RRRC64.word,
}

# Consumers are made when they are first needed: there would be some thousand.


@cache
def brif_op(comparison: Comparison, code: int) -> Brif:
    return Brif(comparison, code)


@cache
def set_op(comparison: Comparison, code: int) -> Set:
    return Set(comparison, code)


@cache
def select_op(comparison: Comparison, code: int, word: int) -> Select:
    return Select(comparison, code, word)


@cache
def trap_if_op(comparison: Comparison, code: int, trap_code: int) -> TrapIf:
    return TrapIf(comparison, code, trap_code)
