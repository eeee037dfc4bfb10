"""The table of x86-64 instruction encodings (Intel SDM volume 2, AMD64 APM volume 3).

One row per encoding; `assembler` has the functions that emit them. The end of a name says what the operands are,
destination first, and therefore which function emits it:

    RR, RM, MR      registers; register and memory; memory and register         rr, rm, rip (MR: rm too, register first)
    R, M            one operand                                                 r, m, rip_m
    RI, MI          with an immediate                                           ri, mi, rip_mi
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
# In the register form the destination is ModRM.rm, not ModRM.reg.
RM_FIRST = 8


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
_BYTES = [bytes([value]) for value in range(256)]
#: REX prefixes by W, and by R << 2 | X << 1 | B.
_REX = (_BYTES[0x40:0x48], _BYTES[0x48:0x50])
_IMM_SIZE = (0, 1, 1, 1, 2, 4, 4, 8)


class Encoding:
    """How one instruction is encoded; everything that does not depend on operands is computed beforehand."""

    __slots__ = (
        "digit",
        "flags",
        "heads",
        "imm_size",
        "name",
        "near",
        "opcode",
        "pack",
        "pairs",
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
    ) -> None:
        """`digit`: ModRM.reg of instructions with one register or memory operand; `short`: the form with IMM_S8."""
        self.name = name
        self.prefix = prefix
        self.w = w
        self.opcode = opcode
        self.digit = digit
        self.flags = flags
        #: Size in bytes of the immediate, and the function that encodes it (raises when it does not fit).
        self.imm_size = _IMM_SIZE[imm]
        self.pack = _PACK[imm]
        #: What to use when the immediate is a signed byte.
        self.short: Encoding = self if short is None else short
        #: Prefixes, REX and opcode for memory operands, by (reg & 12) | REX.X << 1 | REX.B.
        with_rex = [prefix + rex + opcode for rex in _REX[w]]
        low = with_rex[:4]
        if not w:
            low[0] = prefix + opcode
        byte_low = with_rex[:4] if flags & BYTE_REG else low
        self.heads: list[bytes] = low + byte_low + with_rex[4:] + with_rex[4:]
        #: Complete register forms by first << 4 | second, filled as they are needed.
        self.pairs: dict[int, bytes] = {}
        #: Complete forms with memory at base + a byte, by reg << 12 | base << 8 | the byte, filled as they are needed.
        self.near: dict[int, bytes] = {}
        #: Complete register forms of instructions with one register operand.
        self.singles: list[bytes] = []
        if flags & IN_OPCODE:
            for head in low[:2]:
                self.singles += [head[:-1] + _BYTES[head[-1] | register] for register in range(8)]
        elif digit >= 0:
            modrm = _BYTES[0xC0 + 8 * digit : 0xC8 + 8 * digit]
            for head in low[:2]:
                self.singles += [head + last for last in modrm]
            if flags & BYTE_RM:
                self.singles[4:8] = [self._head(0, True) + last for last in modrm[4:]]

    def __repr__(self) -> str:
        return f"<Encoding {self.name} {self.heads[0].hex()}>"

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


class VexEncoding:
    """An instruction with three register operands, or two and an immediate, and a VEX prefix (SDM 2.3.5)."""

    __slots__ = ("map", "name", "opcode", "pp", "rm_last", "triples", "w")

    def __init__(self, name: str, pp: int, map: int, w: int, opcode: int, rm_last: bool) -> None:
        """`rm_last`: the third operand is in ModRM.rm and the second in VEX.vvvv; else the other way round."""
        self.name = name
        self.pp = pp
        self.map = map
        self.w = w
        self.opcode = opcode
        self.rm_last = rm_last
        self.triples: dict[int, bytes] = {}

    def triple(self, first: int, second: int, third: int) -> bytes:
        """Bytes for three registers, remembered in `triples`. A missing operand in VEX.vvvv is register 0."""
        first &= 15
        second &= 15
        third &= 15
        v, rm = (second, third) if self.rm_last else (third, second)
        inverted_rxb = (~first & 8) << 4 | 0x40 | (~rm & 8) << 2
        encoded = bytes(
            [
                0xC4,
                inverted_rxb | self.map,
                self.w << 7 | (~v & 15) << 3 | self.pp,
                self.opcode,
                0xC0 | (first & 7) << 3 | rm & 7,
            ]
        )
        self.triples[first << 8 | second << 4 | third] = encoded
        return encoded


# --- Integer arithmetic -----------------------------------------------------------------------------------------------

_Alu = tuple[Encoding, Encoding, Encoding, Encoding, Encoding]


def _alu(name: str, digit: int) -> tuple[_Alu, _Alu, _Alu]:
    """RR, RM, MR, RI, MI for 8, 32 and 64 bits of the eight operations with opcodes 00..3F and 80..83."""
    base = digit << 3
    byte_rm = Encoding(name, NP, 0, bytes([base | 2]), flags=BYTE_REG | BYTE_RM)
    byte_mr = Encoding(name, NP, 0, bytes([base]), flags=BYTE_REG)
    byte_i = Encoding(name, NP, 0, b"\x80", digit, IMM_8, BYTE_RM)
    rows: list[_Alu] = [(byte_rm, byte_rm, byte_mr, byte_i, byte_i)]
    for w in (0, 1):
        rm = Encoding(name, NP, w, bytes([base | 3]))
        mr = Encoding(name, NP, w, bytes([base | 1]))
        short = Encoding(name, NP, w, b"\x83", digit, IMM_S8)
        i = Encoding(name, NP, w, b"\x81", digit, IMM_S32 if w else IMM_32, short=short)
        rows.append((rm, rm, mr, i, i))
    return rows[0], rows[1], rows[2]


_ADD8, _ADD32, _ADD64 = _alu("add", 0)
_OR8, _OR32, _OR64 = _alu("or", 1)
_ADC8, _ADC32, _ADC64 = _alu("adc", 2)
_SBB8, _SBB32, _SBB64 = _alu("sbb", 3)
_AND8, _AND32, _AND64 = _alu("and", 4)
_SUB8, _SUB32, _SUB64 = _alu("sub", 5)
_XOR8, _XOR32, _XOR64 = _alu("xor", 6)
_CMP8, _CMP32, _CMP64 = _alu("cmp", 7)

# RI32, RI64 and MI32, MI64 choose the form with a byte by themselves.
ADD_RR8, ADD_RM8, ADD_MR8, ADD_RI8, ADD_MI8 = _ADD8
ADD_RR32, ADD_RM32, ADD_MR32, ADD_RI32, ADD_MI32 = _ADD32
ADD_RR64, ADD_RM64, ADD_MR64, ADD_RI64, ADD_MI64 = _ADD64
OR_RR8, OR_RM8, OR_MR8, OR_RI8, OR_MI8 = _OR8
OR_RR32, OR_RM32, OR_MR32, OR_RI32, OR_MI32 = _OR32
OR_RR64, OR_RM64, OR_MR64, OR_RI64, OR_MI64 = _OR64
ADC_RR8, ADC_RM8, ADC_MR8, ADC_RI8, ADC_MI8 = _ADC8
ADC_RR32, ADC_RM32, ADC_MR32, ADC_RI32, ADC_MI32 = _ADC32
ADC_RR64, ADC_RM64, ADC_MR64, ADC_RI64, ADC_MI64 = _ADC64
SBB_RR8, SBB_RM8, SBB_MR8, SBB_RI8, SBB_MI8 = _SBB8
SBB_RR32, SBB_RM32, SBB_MR32, SBB_RI32, SBB_MI32 = _SBB32
SBB_RR64, SBB_RM64, SBB_MR64, SBB_RI64, SBB_MI64 = _SBB64
AND_RR8, AND_RM8, AND_MR8, AND_RI8, AND_MI8 = _AND8
AND_RR32, AND_RM32, AND_MR32, AND_RI32, AND_MI32 = _AND32
AND_RR64, AND_RM64, AND_MR64, AND_RI64, AND_MI64 = _AND64
SUB_RR8, SUB_RM8, SUB_MR8, SUB_RI8, SUB_MI8 = _SUB8
SUB_RR32, SUB_RM32, SUB_MR32, SUB_RI32, SUB_MI32 = _SUB32
SUB_RR64, SUB_RM64, SUB_MR64, SUB_RI64, SUB_MI64 = _SUB64
XOR_RR8, XOR_RM8, XOR_MR8, XOR_RI8, XOR_MI8 = _XOR8
XOR_RR32, XOR_RM32, XOR_MR32, XOR_RI32, XOR_MI32 = _XOR32
XOR_RR64, XOR_RM64, XOR_MR64, XOR_RI64, XOR_MI64 = _XOR64
CMP_RR8, CMP_RM8, CMP_MR8, CMP_RI8, CMP_MI8 = _CMP8
CMP_RR32, CMP_RM32, CMP_MR32, CMP_RI32, CMP_MI32 = _CMP32
CMP_RR64, CMP_RM64, CMP_MR64, CMP_RI64, CMP_MI64 = _CMP64

TEST_RR8 = TEST_MR8 = Encoding("test", NP, 0, b"\x84", flags=BYTE_REG | BYTE_RM | RM_FIRST)
TEST_RR32 = TEST_MR32 = Encoding("test", NP, 0, b"\x85", flags=RM_FIRST)
TEST_RR64 = TEST_MR64 = Encoding("test", NP, 1, b"\x85", flags=RM_FIRST)
TEST_RI8 = TEST_MI8 = Encoding("test", NP, 0, b"\xf6", 0, IMM_8, BYTE_RM)
TEST_RI32 = TEST_MI32 = Encoding("test", NP, 0, b"\xf7", 0, IMM_32)
TEST_RI64 = TEST_MI64 = Encoding("test", NP, 1, b"\xf7", 0, IMM_S32)

NOT_R32 = NOT_M32 = Encoding("not", NP, 0, b"\xf7", 2)
NOT_R64 = NOT_M64 = Encoding("not", NP, 1, b"\xf7", 2)
NEG_R32 = NEG_M32 = Encoding("neg", NP, 0, b"\xf7", 3)
NEG_R64 = NEG_M64 = Encoding("neg", NP, 1, b"\xf7", 3)
MUL_R32 = MUL_M32 = Encoding("mul", NP, 0, b"\xf7", 4)
MUL_R64 = MUL_M64 = Encoding("mul", NP, 1, b"\xf7", 4)
IMUL_R32 = IMUL_M32 = Encoding("imul", NP, 0, b"\xf7", 5)
IMUL_R64 = IMUL_M64 = Encoding("imul", NP, 1, b"\xf7", 5)
DIV_R32 = DIV_M32 = Encoding("div", NP, 0, b"\xf7", 6)
DIV_R64 = DIV_M64 = Encoding("div", NP, 1, b"\xf7", 6)
IDIV_R32 = IDIV_M32 = Encoding("idiv", NP, 0, b"\xf7", 7)
IDIV_R64 = IDIV_M64 = Encoding("idiv", NP, 1, b"\xf7", 7)
INC_R32 = INC_M32 = Encoding("inc", NP, 0, b"\xff", 0)
INC_R64 = INC_M64 = Encoding("inc", NP, 1, b"\xff", 0)
DEC_R32 = DEC_M32 = Encoding("dec", NP, 0, b"\xff", 1)
DEC_R64 = DEC_M64 = Encoding("dec", NP, 1, b"\xff", 1)

IMUL_RR32 = IMUL_RM32 = Encoding("imul", NP, 0, b"\x0f\xaf")
IMUL_RR64 = IMUL_RM64 = Encoding("imul", NP, 1, b"\x0f\xaf")
_IMUL_S8_32 = Encoding("imul", NP, 0, b"\x6b", imm=IMM_S8)
_IMUL_S8_64 = Encoding("imul", NP, 1, b"\x6b", imm=IMM_S8)
IMUL_RRI32 = IMUL_RMI32 = Encoding("imul", NP, 0, b"\x69", imm=IMM_32, short=_IMUL_S8_32)
IMUL_RRI64 = IMUL_RMI64 = Encoding("imul", NP, 1, b"\x69", imm=IMM_S32, short=_IMUL_S8_64)

# --- Shifts and bits --------------------------------------------------------------------------------------------------
# RI: by an immediate; R and M: by cl; R1 and M1: by one.

_Shift = tuple[Encoding, Encoding, Encoding]


def _shift(name: str, w: int, digit: int) -> _Shift:
    return (
        Encoding(name, NP, w, b"\xc1", digit, IMM_U8),
        Encoding(name, NP, w, b"\xd3", digit),
        Encoding(name, NP, w, b"\xd1", digit),
    )


ROL_RI32, ROL_R32, ROL_R1_32 = ROL_MI32, ROL_M32, ROL_M1_32 = _shift("rol", 0, 0)
ROL_RI64, ROL_R64, ROL_R1_64 = ROL_MI64, ROL_M64, ROL_M1_64 = _shift("rol", 1, 0)
ROR_RI32, ROR_R32, ROR_R1_32 = ROR_MI32, ROR_M32, ROR_M1_32 = _shift("ror", 0, 1)
ROR_RI64, ROR_R64, ROR_R1_64 = ROR_MI64, ROR_M64, ROR_M1_64 = _shift("ror", 1, 1)
SHL_RI32, SHL_R32, SHL_R1_32 = SHL_MI32, SHL_M32, SHL_M1_32 = _shift("shl", 0, 4)
SHL_RI64, SHL_R64, SHL_R1_64 = SHL_MI64, SHL_M64, SHL_M1_64 = _shift("shl", 1, 4)
SHR_RI32, SHR_R32, SHR_R1_32 = SHR_MI32, SHR_M32, SHR_M1_32 = _shift("shr", 0, 5)
SHR_RI64, SHR_R64, SHR_R1_64 = SHR_MI64, SHR_M64, SHR_M1_64 = _shift("shr", 1, 5)
SAR_RI32, SAR_R32, SAR_R1_32 = SAR_MI32, SAR_M32, SAR_M1_32 = _shift("sar", 0, 7)
SAR_RI64, SAR_R64, SAR_R1_64 = SAR_MI64, SAR_M64, SAR_M1_64 = _shift("sar", 1, 7)

# BMI2 and BMI1, operands as in the manual: shlx destination, source, count; andn destination, inverted, other.
SHLX_RRR32 = VexEncoding("shlx", 1, 2, 0, 0xF7, rm_last=False)
SHLX_RRR64 = VexEncoding("shlx", 1, 2, 1, 0xF7, rm_last=False)
SARX_RRR32 = VexEncoding("sarx", 2, 2, 0, 0xF7, rm_last=False)
SARX_RRR64 = VexEncoding("sarx", 2, 2, 1, 0xF7, rm_last=False)
SHRX_RRR32 = VexEncoding("shrx", 3, 2, 0, 0xF7, rm_last=False)
SHRX_RRR64 = VexEncoding("shrx", 3, 2, 1, 0xF7, rm_last=False)
ANDN_RRR32 = VexEncoding("andn", 0, 2, 0, 0xF2, rm_last=True)
ANDN_RRR64 = VexEncoding("andn", 0, 2, 1, 0xF2, rm_last=True)
#: For assembler.rorx.
RORX_RRI32 = VexEncoding("rorx", 3, 3, 0, 0xF0, rm_last=False)
RORX_RRI64 = VexEncoding("rorx", 3, 3, 1, 0xF0, rm_last=False)

BSF_RR32 = BSF_RM32 = Encoding("bsf", NP, 0, b"\x0f\xbc")
BSF_RR64 = BSF_RM64 = Encoding("bsf", NP, 1, b"\x0f\xbc")
BSR_RR32 = BSR_RM32 = Encoding("bsr", NP, 0, b"\x0f\xbd")
BSR_RR64 = BSR_RM64 = Encoding("bsr", NP, 1, b"\x0f\xbd")
TZCNT_RR32 = TZCNT_RM32 = Encoding("tzcnt", PF3, 0, b"\x0f\xbc")
TZCNT_RR64 = TZCNT_RM64 = Encoding("tzcnt", PF3, 1, b"\x0f\xbc")
LZCNT_RR32 = LZCNT_RM32 = Encoding("lzcnt", PF3, 0, b"\x0f\xbd")
LZCNT_RR64 = LZCNT_RM64 = Encoding("lzcnt", PF3, 1, b"\x0f\xbd")
POPCNT_RR32 = POPCNT_RM32 = Encoding("popcnt", PF3, 0, b"\x0f\xb8")
POPCNT_RR64 = POPCNT_RM64 = Encoding("popcnt", PF3, 1, b"\x0f\xb8")
BT_RR32 = BT_MR32 = Encoding("bt", NP, 0, b"\x0f\xa3", flags=RM_FIRST)
BT_RR64 = BT_MR64 = Encoding("bt", NP, 1, b"\x0f\xa3", flags=RM_FIRST)
BT_RI32 = BT_MI32 = Encoding("bt", NP, 0, b"\x0f\xba", 4, IMM_U8)
BT_RI64 = BT_MI64 = Encoding("bt", NP, 1, b"\x0f\xba", 4, IMM_U8)
BSWAP_R32 = Encoding("bswap", NP, 0, b"\x0f\xc8", flags=IN_OPCODE)
BSWAP_R64 = Encoding("bswap", NP, 1, b"\x0f\xc8", flags=IN_OPCODE)

# --- Moves ------------------------------------------------------------------------------------------------------------

MOV_RR8 = MOV_RM8 = Encoding("mov", NP, 0, b"\x8a", flags=BYTE_REG | BYTE_RM)
MOV_RR32 = MOV_RM32 = Encoding("mov", NP, 0, b"\x8b")
MOV_RR64 = MOV_RM64 = Encoding("mov", NP, 1, b"\x8b")
MOV_MR8 = Encoding("mov", NP, 0, b"\x88", flags=BYTE_REG)
MOV_MR16 = Encoding("mov", P66, 0, b"\x89")
MOV_MR32 = Encoding("mov", NP, 0, b"\x89")
MOV_MR64 = Encoding("mov", NP, 1, b"\x89")
MOV_MI8 = Encoding("mov", NP, 0, b"\xc6", 0, IMM_8)
MOV_MI16 = Encoding("mov", P66, 0, b"\xc7", 0, IMM_16)
MOV_MI32 = Encoding("mov", NP, 0, b"\xc7", 0, IMM_32)
#: The immediate is 32 bits, sign-extended.
MOV_RI64_S32 = MOV_MI64 = Encoding("mov", NP, 1, b"\xc7", 0, IMM_S32)
MOV_RI32 = Encoding("mov", NP, 0, b"\xb8", imm=IMM_32, flags=IN_OPCODE)
#: movabs: all 64 bits.
MOV_RI64 = Encoding("movabs", NP, 1, b"\xb8", imm=IMM_64, flags=IN_OPCODE)

# From 8, 16 or 32 bits; the number at the end is the destination's size. Zero extension to 64 bits is that to 32.
MOVZX8_RR32 = MOVZX8_RM32 = Encoding("movzx", NP, 0, b"\x0f\xb6", flags=BYTE_RM)
MOVZX16_RR32 = MOVZX16_RM32 = Encoding("movzx", NP, 0, b"\x0f\xb7")
MOVSX8_RR32 = MOVSX8_RM32 = Encoding("movsx", NP, 0, b"\x0f\xbe", flags=BYTE_RM)
MOVSX8_RR64 = MOVSX8_RM64 = Encoding("movsx", NP, 1, b"\x0f\xbe", flags=BYTE_RM)
MOVSX16_RR32 = MOVSX16_RM32 = Encoding("movsx", NP, 0, b"\x0f\xbf")
MOVSX16_RR64 = MOVSX16_RM64 = Encoding("movsx", NP, 1, b"\x0f\xbf")
MOVSXD_RR64 = MOVSXD_RM64 = Encoding("movsxd", NP, 1, b"\x63")

LEA_RM32 = Encoding("lea", NP, 0, b"\x8d")
LEA_RM64 = Encoding("lea", NP, 1, b"\x8d")
XCHG_RR32 = XCHG_MR32 = Encoding("xchg", NP, 0, b"\x87", flags=RM_FIRST)
XCHG_RR64 = XCHG_MR64 = Encoding("xchg", NP, 1, b"\x87", flags=RM_FIRST)

#: Indexed by condition code.
CMOV_RR32 = CMOV_RM32 = [Encoding("cmov" + name, NP, 0, bytes([0x0F, 0x40 | i])) for i, name in enumerate(_CONDITIONS)]
CMOV_RR64 = CMOV_RM64 = [Encoding("cmov" + name, NP, 1, bytes([0x0F, 0x40 | i])) for i, name in enumerate(_CONDITIONS)]
SET_R8 = SET_M8 = [
    Encoding("set" + name, NP, 0, bytes([0x0F, 0x90 | i]), 0, flags=BYTE_RM) for i, name in enumerate(_CONDITIONS)
]

PUSH_R = Encoding("push", NP, 0, b"\x50", flags=IN_OPCODE)
POP_R = Encoding("pop", NP, 0, b"\x58", flags=IN_OPCODE)
PUSH_M = Encoding("push", NP, 0, b"\xff", 6)
POP_M = Encoding("pop", NP, 0, b"\x8f", 0)

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

MOVSS_RR = MOVSS_RM = Encoding("movss", PF3, 0, b"\x0f\x10")
MOVSS_MR = Encoding("movss", PF3, 0, b"\x0f\x11")
MOVSD_RR = MOVSD_RM = Encoding("movsd", PF2, 0, b"\x0f\x10")
MOVSD_MR = Encoding("movsd", PF2, 0, b"\x0f\x11")
MOVAPS_RR = MOVAPS_RM = Encoding("movaps", NP, 0, b"\x0f\x28")
MOVAPS_MR = Encoding("movaps", NP, 0, b"\x0f\x29")
MOVUPS_RR = MOVUPS_RM = Encoding("movups", NP, 0, b"\x0f\x10")
MOVUPS_MR = Encoding("movups", NP, 0, b"\x0f\x11")
# Between xmm and integer registers, or memory: 32 bits (movd) and 64 bits (movq).
MOVD_XR = MOVD_RM = Encoding("movd", P66, 0, b"\x0f\x6e")
MOVD_RX = MOVD_MR = Encoding("movd", P66, 0, b"\x0f\x7e", flags=RM_FIRST)
MOVQ_XR = Encoding("movq", P66, 1, b"\x0f\x6e")
MOVQ_RX = Encoding("movq", P66, 1, b"\x0f\x7e", flags=RM_FIRST)
#: Low 64 bits, the rest cleared.
MOVQ_RR = MOVQ_RM = Encoding("movq", PF3, 0, b"\x0f\x7e")
MOVQ_MR = Encoding("movq", P66, 0, b"\x0f\xd6")

ADDSS_RR = ADDSS_RM = Encoding("addss", PF3, 0, b"\x0f\x58")
ADDSD_RR = ADDSD_RM = Encoding("addsd", PF2, 0, b"\x0f\x58")
MULSS_RR = MULSS_RM = Encoding("mulss", PF3, 0, b"\x0f\x59")
MULSD_RR = MULSD_RM = Encoding("mulsd", PF2, 0, b"\x0f\x59")
SUBSS_RR = SUBSS_RM = Encoding("subss", PF3, 0, b"\x0f\x5c")
SUBSD_RR = SUBSD_RM = Encoding("subsd", PF2, 0, b"\x0f\x5c")
MINSS_RR = MINSS_RM = Encoding("minss", PF3, 0, b"\x0f\x5d")
MINSD_RR = MINSD_RM = Encoding("minsd", PF2, 0, b"\x0f\x5d")
DIVSS_RR = DIVSS_RM = Encoding("divss", PF3, 0, b"\x0f\x5e")
DIVSD_RR = DIVSD_RM = Encoding("divsd", PF2, 0, b"\x0f\x5e")
MAXSS_RR = MAXSS_RM = Encoding("maxss", PF3, 0, b"\x0f\x5f")
MAXSD_RR = MAXSD_RM = Encoding("maxsd", PF2, 0, b"\x0f\x5f")
SQRTSS_RR = SQRTSS_RM = Encoding("sqrtss", PF3, 0, b"\x0f\x51")
SQRTSD_RR = SQRTSD_RM = Encoding("sqrtsd", PF2, 0, b"\x0f\x51")
UCOMISS_RR = UCOMISS_RM = Encoding("ucomiss", NP, 0, b"\x0f\x2e")
UCOMISD_RR = UCOMISD_RM = Encoding("ucomisd", P66, 0, b"\x0f\x2e")
CMPSS_RRI = CMPSS_RMI = Encoding("cmpss", PF3, 0, b"\x0f\xc2", imm=IMM_U8)
CMPSD_RRI = CMPSD_RMI = Encoding("cmpsd", PF2, 0, b"\x0f\xc2", imm=IMM_U8)
#: SSE4.1. Immediate: 8 | (0 nearest even, 1 down, 2 up, 3 towards zero); 8 keeps the precision exception quiet.
ROUNDSS_RRI = ROUNDSS_RMI = Encoding("roundss", P66, 0, b"\x0f\x3a\x0a", imm=IMM_U8)
ROUNDSD_RRI = ROUNDSD_RMI = Encoding("roundsd", P66, 0, b"\x0f\x3a\x0b", imm=IMM_U8)

# 128-bit bitwise operations; a memory operand must be aligned to 16 bytes.
ANDPS_RR = ANDPS_RM = Encoding("andps", NP, 0, b"\x0f\x54")
ANDPD_RR = ANDPD_RM = Encoding("andpd", P66, 0, b"\x0f\x54")
ANDNPS_RR = ANDNPS_RM = Encoding("andnps", NP, 0, b"\x0f\x55")
ANDNPD_RR = ANDNPD_RM = Encoding("andnpd", P66, 0, b"\x0f\x55")
ORPS_RR = ORPS_RM = Encoding("orps", NP, 0, b"\x0f\x56")
ORPD_RR = ORPD_RM = Encoding("orpd", P66, 0, b"\x0f\x56")
MOVUPS_RM = Encoding("movups", NP, 0, b"\x0f\x10")
MOVUPS_MR = Encoding("movups", NP, 0, b"\x0f\x11")
PADDB_RR = Encoding("paddb", P66, 0, b"\x0f\xfc")
PADDD_RR = Encoding("paddd", P66, 0, b"\x0f\xfe")
XORPS_RR = XORPS_RM = Encoding("xorps", NP, 0, b"\x0f\x57")
XORPD_RR = XORPD_RM = Encoding("xorpd", P66, 0, b"\x0f\x57")
PXOR_RR = PXOR_RM = Encoding("pxor", P66, 0, b"\x0f\xef")

# The number at the end is the size of the integer.
CVTSI2SS_RR32 = CVTSI2SS_RM32 = Encoding("cvtsi2ss", PF3, 0, b"\x0f\x2a")
CVTSI2SS_RR64 = CVTSI2SS_RM64 = Encoding("cvtsi2ss", PF3, 1, b"\x0f\x2a")
CVTSI2SD_RR32 = CVTSI2SD_RM32 = Encoding("cvtsi2sd", PF2, 0, b"\x0f\x2a")
CVTSI2SD_RR64 = CVTSI2SD_RM64 = Encoding("cvtsi2sd", PF2, 1, b"\x0f\x2a")
CVTTSS2SI_RR32 = CVTTSS2SI_RM32 = Encoding("cvttss2si", PF3, 0, b"\x0f\x2c")
CVTTSS2SI_RR64 = CVTTSS2SI_RM64 = Encoding("cvttss2si", PF3, 1, b"\x0f\x2c")
CVTTSD2SI_RR32 = CVTTSD2SI_RM32 = Encoding("cvttsd2si", PF2, 0, b"\x0f\x2c")
CVTTSD2SI_RR64 = CVTTSD2SI_RM64 = Encoding("cvttsd2si", PF2, 1, b"\x0f\x2c")
CVTSS2SD_RR = CVTSS2SD_RM = Encoding("cvtss2sd", PF3, 0, b"\x0f\x5a")
CVTSD2SS_RR = CVTSD2SS_RM = Encoding("cvtsd2ss", PF2, 0, b"\x0f\x5a")
