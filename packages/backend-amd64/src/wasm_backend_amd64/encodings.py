"""The table of x86-64 instruction encodings (Intel SDM volume 2, AMD64 APM volume 3).

One row per encoding; `assembler` has the functions that emit them. The end of a name says what the operands are,
destination first, and therefore which function emits it:

    RR, RM, MR      registers; register and memory; memory and register         rr, rm, rip (MR: rm too, register first)
    R, M            one operand                                                 r, m, rip_m
    RI, MI          with an immediate                                           ri, mi
    RRI, RMI        two operands and an immediate                               rri, rmi
    RRR             three registers (VEX)                                       rrr
    XR, RX          xmm and integer register, integer register and xmm          rr
    8, 16, 32, 64   operand size in bits, where there is more than one

Rows whose bytes do not depend on whether the operand is a register or memory have two names. SSE registers count
as R in instructions on SSE registers alone. Instructions without operands are plain bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct

from wasm_ir.codegen.tables import forms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# Condition codes (SDM volume 1, appendix B.1); cc ^ 1 is the opposite condition.
CC_O, CC_NO, CC_B, CC_AE, CC_E, CC_NE, CC_BE, CC_A, CC_S, CC_NS, CC_P, CC_NP, CC_L, CC_GE, CC_LE, CC_G = range(16)

_CONDITIONS = ("o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g")

# Mandatory prefixes: none, operand size, repne, rep.
NP, P66, PF2, PF3 = b"", b"\x66", b"\xf2", b"\xf3"

# What an immediate is: none; sign-extended or unsigned byte; of exactly the operand size (signed and unsigned values
# are both taken); 32 bits sign-extended to 64.
NO_IMM, IMM_S8, IMM_U8, IMM_8, IMM_16, IMM_32, IMM_S32, IMM_64 = range(8)

# Which operands are byte registers: numbers 4..7 need a REX prefix to mean spl, bpl, sil, dil.
BYTE_REG, BYTE_RM = 1, 2
# The register is part of the opcode, there is no ModRM byte.
IN_OPCODE = 4
# The destination is ModRM.rm, not ModRM.reg.
RM_FIRST = 8
# The two sources may change places.
COMMUTATIVE = 16
# Memory of 16 bytes need not be aligned, though there is no VEX prefix.
UNALIGNED = 32
# On SSE registers.
SSE = 64


_pack_u8, _pack_s8 = Struct("<B").pack, Struct("<b").pack
_pack_u16, _pack_s16 = Struct("<H").pack, Struct("<h").pack
_pack_u32, _pack_s32 = Struct("<I").pack, Struct("<i").pack
_pack_u64, _pack_s64 = Struct("<Q").pack, Struct("<q").pack


def _pack_8(value: int) -> bytes:
    return _pack_u8(value) if value >= 0 else _pack_s8(value)


def _pack_16(value: int) -> bytes:
    return _pack_u16(value) if value >= 0 else _pack_s16(value)


def _pack_32(value: int) -> bytes:
    return _pack_u32(value) if value >= 0 else _pack_s32(value)


def _pack_64(value: int) -> bytes:
    return _pack_u64(value) if value >= 0 else _pack_s64(value)


def _pack_nothing(value: int) -> bytes:
    raise ValueError("instruction without an immediate")


_PACK: tuple[Callable[[int], bytes], ...] = (
    _pack_nothing,
    _pack_s8,
    _pack_u8,
    _pack_8,
    _pack_16,
    _pack_32,
    _pack_s32,
    _pack_64,
)
_BYTES: Final[tuple[bytes, ...]] = Struct("256c").unpack(bytes(range(256)))
#: REX prefixes by W, and by R << 2 | X << 1 | B.
_REX = (_BYTES[0x40:0x48], _BYTES[0x48:0x50])
_IMM_SIZE = (0, 1, 1, 1, 2, 4, 4, 8)


class Encoding:
    """How one instruction is encoded and what it does to its operands; bytes that do not depend on them are computed
    beforehand.

    `operands` has a letter for each operand, destination first, and is empty where no machine instruction is made from
    the row (forms.py):

        w   written
        c   written in part: what the rest was is kept, so it is cleared first
        m   read and written
        r   read; the last one of these or of `w` (with RM_FIRST) may be memory, of `memory` bytes
        v   read, and in VEX.vvvv; V: written, and there
        k   read, and in the upper half of an immediate
        i   an immediate
    """

    __slots__ = (
        "digit",
        "feature",
        "flags",
        "heads",
        "imm",
        "imm_size",
        "memory",
        "name",
        "opcode",
        "operands",
        "pack",
        "pairs",
        "places",
        "prefix",
        "short",
        "singles",
        "w",
    )

    def __init__(
        self,
        name: str,
        prefix: bytes,
        w: int,
        opcode: bytes,
        digit: int = -1,
        imm: int = NO_IMM,
        flags: int = 0,
        short: Encoding | None = None,
        operands: str = "",
        memory: int = -1,
        feature: str = "",
    ) -> None:
        """`digit`: ModRM.reg of instructions with one register or memory operand; `short`: the form with IMM_S8;
        `memory`: bytes of a memory operand, 0 when there can be none (by default as many as of a register);
        `feature`: what the processor must have."""
        self.name = name
        self.prefix = prefix
        self.w = w
        self.opcode = opcode
        self.digit = digit
        self.flags = flags
        self.operands = operands
        self.memory = memory if memory >= 0 else 8 if w else 4
        self.feature = feature
        self.imm = imm
        #: Size in bytes of the immediate, and the function that encodes it (raises when it does not fit).
        self.imm_size = _IMM_SIZE[imm]
        self.pack = _PACK[imm]
        #: What to use when the immediate is a signed byte.
        self.short: Encoding = self if short is None else short
        # Most rows are in no code, so these are made when they are needed.
        #: Prefixes, REX and opcode for memory operands, by (reg & 12) | REX.X << 1 | REX.B. See `make_heads`.
        self.heads: list[bytes] = []
        #: Complete register forms by first << 4 | second, filled as they are needed.
        self.pairs: dict[int, bytes] = {}
        #: Forms with memory, by what `assembler.rm` packs: complete, or up to a displacement of four bytes; filled as
        #: they are needed.
        self.places: dict[int, bytes] = {}
        #: Complete register forms of instructions with one register operand. See `make_singles`.
        self.singles: list[bytes] = []

    def make_heads(self) -> list[bytes]:
        """Fill `heads`."""
        self.heads = self._heads()
        return self.heads

    def make_singles(self) -> list[bytes]:
        """Fill `singles`."""
        heads = self._heads()
        made: list[bytes] = []
        if self.flags & IN_OPCODE:
            for head in heads[:2]:
                made += [head[:-1] + _BYTES[head[-1] | register] for register in range(8)]
        elif self.digit >= 0:
            modrm = _BYTES[0xC0 + 8 * self.digit : 0xC8 + 8 * self.digit]
            for head in heads[:2]:
                made += [head + last for last in modrm]
            if self.flags & BYTE_RM:
                made[4:8] = [self._head(0, True) + last for last in modrm[4:]]
        self.singles = made
        return made

    def __repr__(self) -> str:
        return f"<Encoding {self.name} {self._head(0, False).hex()}>"

    def _heads(self) -> list[bytes]:
        prefix = self.prefix
        opcode = self.opcode
        with_rex = [prefix + rex + opcode for rex in _REX[self.w]]
        low = with_rex[:4]
        if not self.w:
            low[0] = prefix + opcode
        byte_low = with_rex[:4] if self.flags & BYTE_REG else low
        return low + byte_low + with_rex[4:] + with_rex[4:]

    def _head(self, rxb: int, byte_register: bool) -> bytes:
        """Everything before ModRM. A byte register 4..7 needs REX even when no bit of it is set."""
        rex = self.w << 3 | rxb
        if rex or byte_register:
            return self.prefix + _BYTES[0x40 | rex] + self.opcode
        return self.prefix + self.opcode

    def pair(self, first: int, second: int) -> bytes:
        """Bytes of the form with two registers, without immediate; remembered in `pairs`."""
        first &= 15
        second &= 15
        reg, rm = (second, first) if self.flags & RM_FIRST else (first, second)
        byte_register = bool((self.flags & BYTE_REG and reg & 12 == 4) or (self.flags & BYTE_RM and rm & 12 == 4))
        head = self._head((reg & 8) >> 1 | rm >> 3, byte_register)
        encoded = head + _BYTES[0xC0 | (reg & 7) << 3 | rm & 7]
        self.pairs[first << 4 | second] = encoded
        return encoded


_PP: Final = {NP: 0, P66: 1, PF3: 2, PF2: 3}
_MAP: Final = {b"\x0f": 1, b"\x0f\x38": 2, b"\x0f\x3a": 3}


class VexEncoding(Encoding):
    """An instruction with a VEX prefix, on 128 bits or integers; or with an EVEX prefix, on 128 bits, without a mask.

    The operand in VEX.vvvv is decided, register 0 in the tables; `source` has the others. The rest is encoded as it is
    without the prefix. With EVEX displacements of a byte would count by 16, so rows with that have no memory operand.
    """

    __slots__ = ("evex", "sources", "vvvv")

    def __init__(
        self,
        name: str,
        prefix: bytes,
        w: int,
        opcode: bytes,
        operands: str,
        feature: str,
        digit: int = -1,
        flags: int = 0,
        memory: int = 8,
        vvvv: int = 0,
        evex: bool = False,
    ) -> None:
        self.vvvv = vvvv
        self.evex = evex
        imm = IMM_U8 if operands[-1] in "ik" else NO_IMM
        super().__init__(name, prefix, w, opcode, digit, imm, flags | UNALIGNED, None, operands, memory, feature)
        #: The same with other registers in VEX.vvvv, made as they are needed.
        self.sources: list[VexEncoding | None] = [None] * 16
        self.sources[vvvv] = self

    def source(self, register: int) -> VexEncoding:
        """The instruction with this register in VEX.vvvv."""
        found = self.sources[register & 15]
        if found is None:
            found = self.sources[register & 15] = VexEncoding(
                self.name,
                self.prefix,
                self.w,
                self.opcode,
                self.operands,
                self.feature,
                self.digit,
                self.flags,
                self.memory,
                register & 15,
                self.evex,
            )
        return found

    def _heads(self) -> list[bytes]:
        heads = [self._head(rxb, False) for rxb in range(8)]
        return heads[:4] + heads[:4] + heads[4:] + heads[4:]

    def _head(self, rxb: int, byte_register: bool) -> bytes:
        """SDM 2.3.5: the form of two bytes where X, B, W and the map are what it stands for; 2.7.1 for EVEX."""
        last = (~self.vvvv & 15) << 3 | _PP[self.prefix]
        map = _MAP[self.opcode[:-1]]
        if self.evex:
            return bytes((0x62, (~rxb & 7) << 5 | 0x10 | map, self.w << 7 | last | 4, 8, self.opcode[-1]))
        if rxb & 3 or self.w or map != 1:
            return bytes((0xC4, (~rxb & 7) << 5 | map, self.w << 7 | last, self.opcode[-1]))
        return bytes((0xC5, (~rxb & 4) << 5 | last, self.opcode[-1]))


#: Operands of an SSE instruction -> of the same one with a VEX prefix, which always writes the whole register.
_VEX_OPERANDS: Final = {
    "wr": "wr",
    "wri": "wri",
    "rr": "rr",
    "cr": "wvr",
    "cri": "wvri",
    "mr": "wvr",
    "mri": "wvri",
    "mi": "Vri",
}


def vex(row: Encoding, feature: str = "avx") -> VexEncoding:
    """The form of an SSE instruction with a VEX prefix."""
    operands = _VEX_OPERANDS[row.operands]
    return VexEncoding(
        "v" + row.name, row.prefix, row.w, row.opcode, operands, feature, row.digit, row.flags, row.memory
    )


# --- Integer arithmetic -----------------------------------------------------------------------------------------------

_Alu = tuple[Encoding, Encoding, Encoding, Encoding, Encoding]


def _alu(name: str, digit: int, w: int) -> _Alu:
    """RR, RM, MR, RI, MI for 32 or 64 bits of the operations with opcodes 00..3F and 80..83."""
    base = digit << 3
    # add, or, and, xor
    flags = COMMUTATIVE if digit in (0, 1, 4, 6) else 0
    modify = "r" if digit == 7 else "m"
    rm = Encoding(name, NP, w, bytes([base | 3]), flags=flags, operands=modify + "r")
    mr = Encoding(name, NP, w, bytes([base | 1]), flags=RM_FIRST, operands=modify + "r")
    short = Encoding(name, NP, w, b"\x83", digit, IMM_S8)
    i = Encoding(name, NP, w, b"\x81", digit, IMM_S32 if w else IMM_32, short=short, operands=modify + "i")
    return rm, rm, mr, i, i


# RI32, RI64 and MI32, MI64 choose the form with a byte by themselves.
ADD_RR32, ADD_RM32, ADD_MR32, ADD_RI32, ADD_MI32 = _alu("add", 0, 0)
ADD_RR64, ADD_RM64, ADD_MR64, ADD_RI64, ADD_MI64 = _alu("add", 0, 1)
OR_RR32, OR_RM32, OR_MR32, OR_RI32, OR_MI32 = _alu("or", 1, 0)
OR_RR64, OR_RM64, OR_MR64, OR_RI64, OR_MI64 = _alu("or", 1, 1)
ADC_RR64, ADC_RM64, ADC_MR64, ADC_RI64, ADC_MI64 = _alu("adc", 2, 1)
SBB_RR64, SBB_RM64, SBB_MR64, SBB_RI64, SBB_MI64 = _alu("sbb", 3, 1)
AND_RR32, AND_RM32, AND_MR32, AND_RI32, AND_MI32 = _alu("and", 4, 0)
AND_RR64, AND_RM64, AND_MR64, AND_RI64, AND_MI64 = _alu("and", 4, 1)
SUB_RR32, SUB_RM32, SUB_MR32, SUB_RI32, SUB_MI32 = _alu("sub", 5, 0)
SUB_RR64, SUB_RM64, SUB_MR64, SUB_RI64, SUB_MI64 = _alu("sub", 5, 1)
XOR_RR32, XOR_RM32, XOR_MR32, XOR_RI32, XOR_MI32 = _alu("xor", 6, 0)
XOR_RR64, XOR_RM64, XOR_MR64, XOR_RI64, XOR_MI64 = _alu("xor", 6, 1)
CMP_RR32, CMP_RM32, CMP_MR32, CMP_RI32, CMP_MI32 = _alu("cmp", 7, 0)
CMP_RR64, CMP_RM64, CMP_MR64, CMP_RI64, CMP_MI64 = _alu("cmp", 7, 1)
# Of 8 bits those that are used.
AND_RR8 = Encoding("and", NP, 0, b"\x22", flags=BYTE_REG | BYTE_RM)
OR_RR8 = Encoding("or", NP, 0, b"\x0a", flags=BYTE_REG | BYTE_RM)
CMP_MI8 = Encoding("cmp", NP, 0, b"\x80", 7, IMM_8, BYTE_RM)

TEST_RR32 = TEST_MR32 = Encoding("test", NP, 0, b"\x85", flags=RM_FIRST)
TEST_RR64 = TEST_MR64 = Encoding("test", NP, 1, b"\x85", flags=RM_FIRST)
TEST_MI8 = Encoding("test", NP, 0, b"\xf6", 0, IMM_8, BYTE_RM)
TEST_RI32 = TEST_MI32 = Encoding("test", NP, 0, b"\xf7", 0, IMM_32)
TEST_RI64 = TEST_MI64 = Encoding("test", NP, 1, b"\xf7", 0, IMM_S32)

NOT_R32 = NOT_M32 = Encoding("not", NP, 0, b"\xf7", 2, operands="m")
NOT_R64 = NOT_M64 = Encoding("not", NP, 1, b"\xf7", 2, operands="m")
NEG_R32 = NEG_M32 = Encoding("neg", NP, 0, b"\xf7", 3, operands="m")
NEG_R64 = NEG_M64 = Encoding("neg", NP, 1, b"\xf7", 3, operands="m")
MUL_R32 = MUL_M32 = Encoding("mul", NP, 0, b"\xf7", 4)
MUL_R64 = MUL_M64 = Encoding("mul", NP, 1, b"\xf7", 4)
IMUL_R32 = IMUL_M32 = Encoding("imul", NP, 0, b"\xf7", 5)
IMUL_R64 = IMUL_M64 = Encoding("imul", NP, 1, b"\xf7", 5)
DIV_R32 = DIV_M32 = Encoding("div", NP, 0, b"\xf7", 6)
DIV_R64 = DIV_M64 = Encoding("div", NP, 1, b"\xf7", 6)
IDIV_R32 = IDIV_M32 = Encoding("idiv", NP, 0, b"\xf7", 7)
IDIV_R64 = IDIV_M64 = Encoding("idiv", NP, 1, b"\xf7", 7)
DEC_R32 = DEC_M32 = Encoding("dec", NP, 0, b"\xff", 1)
DEC_R64 = DEC_M64 = Encoding("dec", NP, 1, b"\xff", 1)

IMUL_RR32 = IMUL_RM32 = Encoding("imul", NP, 0, b"\x0f\xaf", flags=COMMUTATIVE, operands="mr")
IMUL_RR64 = IMUL_RM64 = Encoding("imul", NP, 1, b"\x0f\xaf", flags=COMMUTATIVE, operands="mr")
_IMUL_S8_32 = Encoding("imul", NP, 0, b"\x6b", imm=IMM_S8)
_IMUL_S8_64 = Encoding("imul", NP, 1, b"\x6b", imm=IMM_S8)
IMUL_RRI32 = IMUL_RMI32 = Encoding("imul", NP, 0, b"\x69", imm=IMM_32, short=_IMUL_S8_32, operands="wri")
IMUL_RRI64 = IMUL_RMI64 = Encoding("imul", NP, 1, b"\x69", imm=IMM_S32, short=_IMUL_S8_64, operands="wri")

# With the prefix that makes it one step (SDM 9.1.2.2), which comes before REX.
LOCK_CMPXCHG_MR64 = Encoding("lock cmpxchg", b"\xf0", 1, b"\x0f\xb1", flags=RM_FIRST)

# --- Shifts and bits --------------------------------------------------------------------------------------------------
# RI: by an immediate; R and M: by cl.


def _shift(name: str, w: int, digit: int) -> tuple[Encoding, Encoding]:
    return Encoding(name, NP, w, b"\xc1", digit, IMM_U8, operands="mi"), Encoding(name, NP, w, b"\xd3", digit)


ROL_RI32, ROL_R32 = ROL_MI32, ROL_M32 = _shift("rol", 0, 0)
ROL_RI64, ROL_R64 = ROL_MI64, ROL_M64 = _shift("rol", 1, 0)
ROR_RI32, ROR_R32 = ROR_MI32, ROR_M32 = _shift("ror", 0, 1)
ROR_RI64, ROR_R64 = ROR_MI64, ROR_M64 = _shift("ror", 1, 1)
SHL_RI32, SHL_R32 = SHL_MI32, SHL_M32 = _shift("shl", 0, 4)
SHL_RI64, SHL_R64 = SHL_MI64, SHL_M64 = _shift("shl", 1, 4)
SHR_RI32, SHR_R32 = SHR_MI32, SHR_M32 = _shift("shr", 0, 5)
SHR_RI64, SHR_R64 = SHR_MI64, SHR_M64 = _shift("shr", 1, 5)
SAR_RI32, SAR_R32 = SAR_MI32, SAR_M32 = _shift("sar", 0, 7)
SAR_RI64, SAR_R64 = SAR_MI64, SAR_M64 = _shift("sar", 1, 7)

# BMI2 and BMI1, operands as in the manual: shlx destination, source, count; andn destination, inverted, other.
SHLX_RRR32 = VexEncoding("shlx", P66, 0, b"\x0f\x38\xf7", "wrv", "bmi2", memory=0)
SHLX_RRR64 = VexEncoding("shlx", P66, 1, b"\x0f\x38\xf7", "wrv", "bmi2", memory=0)
SARX_RRR32 = VexEncoding("sarx", PF3, 0, b"\x0f\x38\xf7", "wrv", "bmi2", memory=0)
SARX_RRR64 = VexEncoding("sarx", PF3, 1, b"\x0f\x38\xf7", "wrv", "bmi2", memory=0)
SHRX_RRR32 = VexEncoding("shrx", PF2, 0, b"\x0f\x38\xf7", "wrv", "bmi2", memory=0)
SHRX_RRR64 = VexEncoding("shrx", PF2, 1, b"\x0f\x38\xf7", "wrv", "bmi2", memory=0)
ANDN_RRR32 = VexEncoding("andn", NP, 0, b"\x0f\x38\xf2", "wvr", "bmi1", memory=0)
ANDN_RRR64 = VexEncoding("andn", NP, 1, b"\x0f\x38\xf2", "wvr", "bmi1", memory=0)
RORX_RRI32 = VexEncoding("rorx", PF2, 0, b"\x0f\x3a\xf0", "wri", "bmi2", memory=0)
RORX_RRI64 = VexEncoding("rorx", PF2, 1, b"\x0f\x3a\xf0", "wri", "bmi2", memory=0)

BSF_RR32 = BSF_RM32 = Encoding("bsf", NP, 0, b"\x0f\xbc")
BSF_RR64 = BSF_RM64 = Encoding("bsf", NP, 1, b"\x0f\xbc")
BSR_RR32 = BSR_RM32 = Encoding("bsr", NP, 0, b"\x0f\xbd")
BSR_RR64 = BSR_RM64 = Encoding("bsr", NP, 1, b"\x0f\xbd")
TZCNT_RR32 = TZCNT_RM32 = Encoding("tzcnt", PF3, 0, b"\x0f\xbc", operands="wr", feature="bmi1")
TZCNT_RR64 = TZCNT_RM64 = Encoding("tzcnt", PF3, 1, b"\x0f\xbc", operands="wr", feature="bmi1")
LZCNT_RR32 = LZCNT_RM32 = Encoding("lzcnt", PF3, 0, b"\x0f\xbd", operands="wr", feature="lzcnt")
LZCNT_RR64 = LZCNT_RM64 = Encoding("lzcnt", PF3, 1, b"\x0f\xbd", operands="wr", feature="lzcnt")
POPCNT_RR32 = POPCNT_RM32 = Encoding("popcnt", PF3, 0, b"\x0f\xb8", operands="wr", feature="popcnt")
POPCNT_RR64 = POPCNT_RM64 = Encoding("popcnt", PF3, 1, b"\x0f\xb8", operands="wr", feature="popcnt")

# --- Moves ------------------------------------------------------------------------------------------------------------

MOV_RR32 = MOV_RM32 = Encoding("mov", NP, 0, b"\x8b", operands="wr")
MOV_RR64 = MOV_RM64 = Encoding("mov", NP, 1, b"\x8b", operands="wr")
MOV_MR8 = Encoding("mov", NP, 0, b"\x88", flags=BYTE_REG | RM_FIRST, operands="wr")
MOV_MR16 = Encoding("mov", P66, 0, b"\x89", flags=RM_FIRST, operands="wr")
MOV_MR32 = Encoding("mov", NP, 0, b"\x89", flags=RM_FIRST, operands="wr")
MOV_MR64 = Encoding("mov", NP, 1, b"\x89", flags=RM_FIRST, operands="wr")
MOV_MI8 = Encoding("mov", NP, 0, b"\xc6", 0, IMM_8, operands="wi")
MOV_MI16 = Encoding("mov", P66, 0, b"\xc7", 0, IMM_16, operands="wi")
MOV_MI32 = Encoding("mov", NP, 0, b"\xc7", 0, IMM_32, operands="wi")
#: The immediate is 32 bits, sign-extended.
MOV_RI64_S32 = MOV_MI64 = Encoding("mov", NP, 1, b"\xc7", 0, IMM_S32, operands="wi")
MOV_RI32 = Encoding("mov", NP, 0, b"\xb8", imm=IMM_32, flags=IN_OPCODE)
#: movabs: all 64 bits.
MOV_RI64 = Encoding("movabs", NP, 1, b"\xb8", imm=IMM_64, flags=IN_OPCODE)

# From 8, 16 or 32 bits; the number at the end is the destination's size. Zero extension to 64 bits is that to 32.
MOVZX8_RR32 = MOVZX8_RM32 = Encoding("movzx8", NP, 0, b"\x0f\xb6", flags=BYTE_RM, operands="wr")
MOVZX16_RR32 = MOVZX16_RM32 = Encoding("movzx16", NP, 0, b"\x0f\xb7", operands="wr")
MOVSX8_RR32 = MOVSX8_RM32 = Encoding("movsx8", NP, 0, b"\x0f\xbe", flags=BYTE_RM, operands="wr")
MOVSX8_RR64 = MOVSX8_RM64 = Encoding("movsx8", NP, 1, b"\x0f\xbe", flags=BYTE_RM, operands="wr")
MOVSX16_RR32 = MOVSX16_RM32 = Encoding("movsx16", NP, 0, b"\x0f\xbf", operands="wr")
MOVSX16_RR64 = MOVSX16_RM64 = Encoding("movsx16", NP, 1, b"\x0f\xbf", operands="wr")
MOVSXD_RR64 = MOVSXD_RM64 = Encoding("movsxd", NP, 1, b"\x63", operands="wr")

LEA_RM32 = Encoding("lea", NP, 0, b"\x8d", operands="wr")
LEA_RM64 = Encoding("lea", NP, 1, b"\x8d", operands="wr")


def _cmov32(code: int) -> Encoding:
    return Encoding("cmov" + _CONDITIONS[code], NP, 0, bytes([0x0F, 0x40 | code]))


def _cmov64(code: int) -> Encoding:
    return Encoding("cmov" + _CONDITIONS[code], NP, 1, bytes([0x0F, 0x40 | code]))


def _set(code: int) -> Encoding:
    return Encoding("set" + _CONDITIONS[code], NP, 0, bytes([0x0F, 0x90 | code]), 0, flags=BYTE_RM)


#: By condition code.
_CODES = {code: code for code in range(16)}
CMOV_RR32 = CMOV_RM32 = forms(_cmov32, _CODES)
CMOV_RR64 = CMOV_RM64 = forms(_cmov64, _CODES)
SET_R8 = SET_M8 = forms(_set, _CODES)

PUSH_R = Encoding("push", NP, 0, b"\x50", flags=IN_OPCODE)
POP_R = Encoding("pop", NP, 0, b"\x58", flags=IN_OPCODE)

# --- Control ----------------------------------------------------------------------------------------------------------

CALL_R = CALL_M = Encoding("call", NP, 0, b"\xff", 2)
JMP_R = JMP_M = Encoding("jmp", NP, 0, b"\xff", 4)
# Opcodes in front of a displacement of 1 or 4 bytes; conditional ones are indexed by condition code.
JMP_REL8 = b"\xeb"
JMP_REL32 = b"\xe9"
CALL_REL32 = b"\xe8"
JCC_REL8 = [bytes([0x70 | cc]) for cc in range(16)]
JCC_REL32 = [bytes([0x0F, 0x80 | cc]) for cc in range(16)]

RET = b"\xc3"
UD2 = b"\x0f\x0b"
INT3 = b"\xcc"
CDQ = b"\x99"
CQO = b"\x48\x99"
ENDBR64 = b"\xf3\x0f\x1e\xfa"
CPUID = b"\x0f\xa2"
XGETBV = b"\x0f\x01\xd0"
MFENCE = b"\x0f\xae\xf0"
SYSCALL = b"\x0f\x05"

#: The recommended nop of each length (SDM volume 2, NOP, table 4-12).
NOPS = (
    b"",
    b"\x90",
    b"\x66\x90",
    b"\x0f\x1f\x00",
    b"\x0f\x1f\x40\x00",
    b"\x0f\x1f\x44\x00\x00",
    b"\x66\x0f\x1f\x44\x00\x00",
    b"\x0f\x1f\x80\x00\x00\x00\x00",
    b"\x0f\x1f\x84\x00\x00\x00\x00\x00",
    b"\x66\x0f\x1f\x84\x00\x00\x00\x00\x00",
)

# --- SSE --------------------------------------------------------------------------------------------------------------


def sse(
    name: str,
    prefix: bytes,
    opcode: bytes,
    operands: str,
    memory: int,
    flags: int = 0,
    digit: int = -1,
    w: int = 0,
    feature: str = "",
) -> Encoding:
    """A row on SSE registers; the opcode is what comes behind 0F."""
    imm = IMM_U8 if operands[-1] == "i" else NO_IMM
    opcode = b"\x0f" + opcode
    return Encoding(name, prefix, w, opcode, digit, imm, flags | SSE, None, operands, memory, feature)


MOVSS_RR = MOVSS_RM = sse("movss", PF3, b"\x10", "wr", 4)
MOVSS_MR = sse("movss", PF3, b"\x11", "wr", 4, RM_FIRST)
MOVSD_RR = MOVSD_RM = sse("movsd", PF2, b"\x10", "wr", 8)
MOVSD_MR = sse("movsd", PF2, b"\x11", "wr", 8, RM_FIRST)
MOVAPS_RR = MOVAPS_RM = sse("movaps", NP, b"\x28", "wr", 16)
MOVAPS_MR = sse("movaps", NP, b"\x29", "wr", 16, RM_FIRST)
MOVUPS_RR = MOVUPS_RM = sse("movups", NP, b"\x10", "wr", 16, UNALIGNED)
MOVUPS_MR = sse("movups", NP, b"\x11", "wr", 16, UNALIGNED | RM_FIRST)
# Between xmm and integer registers, or memory: 32 bits (movd) and 64 bits (movq).
MOVD_XR = MOVD_RM = sse("movd", P66, b"\x6e", "wr", 4)
MOVD_RX = MOVD_MR = sse("movd", P66, b"\x7e", "wr", 4, RM_FIRST)
MOVQ_XR = sse("movq", P66, b"\x6e", "wr", 8, w=1)
MOVQ_RX = sse("movq", P66, b"\x7e", "wr", 8, RM_FIRST, w=1)
#: Low 64 bits, the rest cleared.
MOVQ_RR = MOVQ_RM = sse("movq", PF3, b"\x7e", "wr", 8)
MOVQ_MR = sse("movq", P66, b"\xd6", "wr", 8, RM_FIRST)

# Others are in float_encodings.py.
UCOMISS_RR = UCOMISS_RM = sse("ucomiss", NP, b"\x2e", "rr", 4)
UCOMISD_RR = UCOMISD_RM = sse("ucomisd", P66, b"\x2e", "rr", 8)
XORPS_RR = XORPS_RM = sse("xorps", NP, b"\x57", "mr", 16, COMMUTATIVE)
