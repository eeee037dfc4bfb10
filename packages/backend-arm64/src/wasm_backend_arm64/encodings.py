"""The table of AArch64 instruction encodings (Arm Architecture Reference Manual for A-profile, DDI 0487, chapter C4).

One row per encoding; `assembler` has the functions that emit them. The end of a name says what the operands are,
destination first, and therefore which function emits it:

    RRR     three registers; the last perhaps shifted (`shifted`)               rrr
    RRX     the same with the last extended (`extended`)                        rrr
    RZR     the same as RRR with the second of them zero                        rrr
    RRRR    four registers                                                      rrrr
    RRRC    three registers and a condition                                     rrrc
    RRRI    three registers and a bit number (extr)                             rrri
    RRC, RIC  registers, or a register and a number up to 31, flags, a condition  ccmp
    RR, R   two registers, one                                                  rr, r
    RRI     two registers and an immediate of 12 bits, perhaps shifted by 12    rri
    RRL     two registers and a bitmask immediate                               rrl
    RRB     two registers and the two numbers of a bit field (immr, imms)       rrb
    RI      a register and 16 bits, shifted by 0, 16, 32 or 48                  ri
    RF      a floating-point register and a number with 8 bits                  rf
    RM      a register and memory: see Access
    RRM     two registers and memory                                            pair
    L, RL, RBL  a label; with a register; with a register and a bit             branch, branch_r, branch_bit, adr
    32, 64  operand size in bits, where there is more than one

Register 31 is the zero register or the stack pointer, as the instruction has it. Floating-point registers have their
own numbering in the instruction: only the low five bits of a register number count. Instructions with a label or
without operands are plain words. Vector instructions are in vector_encodings.py.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# Condition codes (DDI 0487, C1.2.4); cc ^ 1 is the opposite condition, but for AL.
CC_EQ, CC_NE, CC_HS, CC_LO, CC_MI, CC_PL, CC_VS, CC_VC, CC_HI, CC_LS, CC_GE, CC_LT, CC_GT, CC_LE, CC_AL = range(15)

CONDITION_NAMES: Final = ("eq", "ne", "hs", "lo", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", "al")

# Kinds of shift, and of extension.
LSL, LSR, ASR, ROR = range(4)
UXTB, UXTH, UXTW, UXTX, SXTB, SXTH, SXTW, SXTX = range(8)

_WIDE = 1 << 31
_DOUBLE = 1 << 22


def shifted(kind: int, amount: int) -> int:
    """Modifier of an RRR instruction: the last register is shifted (ROR: logical operations only)."""
    return kind << 22 | amount << 10


def extended(kind: int, amount: int = 0) -> int:
    """Modifier of an RRX instruction: the last register is extended and then shifted left by 0..4."""
    return kind << 13 | amount << 10


class Encoding:
    """How one instruction is encoded and what it does to its operands.

    `operands` has a letter for each register, in the places Rd, Rn, Rm, Ra of the word, and is empty where no machine
    instruction is made from the row (forms.py):

        w   written
        m   read and written: what the instruction leaves of it stays
        r   read
        -   no operand: the zero register, which the word has
        a   read: the address in memory

    Immediates, shifts, extensions and numbers of lanes are bits to be added.
    """

    __slots__ = ("feature", "name", "operands", "word")

    def __init__(self, name: str, word: int, operands: str = "", feature: str = "") -> None:
        """`word`: the instruction with all operands zero; `feature`: what the processor must have."""
        self.name = name
        self.word = word
        self.operands = operands
        self.feature = feature

    def __repr__(self) -> str:
        return f"<Encoding {self.name} {self.word:08x}>"


def _widths(name: str, word: int, operands: str = "", wide: int = _WIDE) -> tuple[Encoding, Encoding]:
    """On integers of 32 and 64 bits."""
    return Encoding(name + ".i32", word, operands), Encoding(name + ".i64", word | wide, operands)


def floats(name: str, word: int, operands: str = "") -> tuple[Encoding, Encoding]:
    """On floats of 32 and 64 bits."""
    return Encoding(name + ".f32", word, operands), Encoding(name + ".f64", word | _DOUBLE, operands)


def conversions(name: str, word: int) -> tuple[Encoding, Encoding, Encoding, Encoding]:
    """Between f32 and both integers, then f64 and both integers."""
    return (*_widths(name + ".f32", word, "wr"), *_widths(name + ".f64", word | _DOUBLE, "wr"))


class Access:
    """The addressing forms of one load or store, which differ in a few bits.

    `size` is the width in memory in bytes.
    """

    __slots__ = ("name", "post", "pre", "register", "scaled", "shift", "size", "unscaled")

    def __init__(self, name: str, word: int, size: int) -> None:
        self.name = name
        self.size = size
        self.shift = size.bit_length() - 1
        #: [base + immediate], unsigned, in units of the size.
        self.scaled = word
        unscaled = word & ~(1 << 24)
        #: [base + immediate], -256..255 bytes (ldur, stur).
        self.unscaled = unscaled
        #: [base + register]; extension and shift come as a modifier (`indexed`).
        self.register = unscaled | 0x0020_0800
        #: The base is changed by -256..255 before and after.
        self.pre = unscaled | 0xC00
        self.post = unscaled | 0x400


def indexed(kind: int, scale: bool) -> int:
    """Modifier of a load or store with an index: UXTW, UXTX (which is no extension), SXTW; times the size or not."""
    return kind << 13 | scale << 12


# Arithmetic and logic on registers.
ADD_RRR32, ADD_RRR64 = _widths("add", 0x0B00_0000, "wrr")
ADDS_RRR32, ADDS_RRR64 = _widths("adds", 0x2B00_0000)
SUB_RRR32, SUB_RRR64 = _widths("sub", 0x4B00_0000, "wrr")
SUBS_RRR32, SUBS_RRR64 = _widths("subs", 0x6B00_0000)
ADC_RRR64 = Encoding("adc", 0x9A00_0000, "wrr")
SBC_RRR64 = Encoding("sbc", 0xDA00_0000, "wrr")
ADD_RRX32, ADD_RRX64 = _widths("add", 0x0B20_0000, "wrr")
ADDS_RRX32, ADDS_RRX64 = _widths("adds", 0x2B20_0000)
SUB_RRX32, SUB_RRX64 = _widths("sub", 0x4B20_0000, "wrr")
SUBS_RRX32, SUBS_RRX64 = _widths("subs", 0x6B20_0000)
NEG_RZR32, NEG_RZR64 = _widths("neg", 0x4B00_03E0, "w-r")
AND_RRR32, AND_RRR64 = _widths("and", 0x0A00_0000, "wrr")
BIC_RRR32, BIC_RRR64 = _widths("bic", 0x0A20_0000, "wrr")
ORR_RRR32, ORR_RRR64 = _widths("orr", 0x2A00_0000, "wrr")
ORN_RRR32, ORN_RRR64 = _widths("orn", 0x2A20_0000, "wrr")
EOR_RRR32, EOR_RRR64 = _widths("eor", 0x4A00_0000, "wrr")
EON_RRR32, EON_RRR64 = _widths("eon", 0x4A20_0000, "wrr")
ANDS_RRR32, ANDS_RRR64 = _widths("ands", 0x6A00_0000)
MOV_RZR32, MOV_RZR64 = _widths("mov", 0x2A00_03E0, "w-r")
MVN_RZR32, MVN_RZR64 = _widths("mvn", 0x2A20_03E0, "w-r")
UDIV_RRR32, UDIV_RRR64 = _widths("udiv", 0x1AC0_0800, "wrr")
SDIV_RRR32, SDIV_RRR64 = _widths("sdiv", 0x1AC0_0C00, "wrr")
LSLV_RRR32, LSLV_RRR64 = _widths("lsl", 0x1AC0_2000, "wrr")
LSRV_RRR32, LSRV_RRR64 = _widths("lsr", 0x1AC0_2400, "wrr")
ASRV_RRR32, ASRV_RRR64 = _widths("asr", 0x1AC0_2800, "wrr")
RORV_RRR32, RORV_RRR64 = _widths("ror", 0x1AC0_2C00, "wrr")
MADD_RRRR32, MADD_RRRR64 = _widths("madd", 0x1B00_0000, "wrrr")
MSUB_RRRR32, MSUB_RRRR64 = _widths("msub", 0x1B00_8000, "wrrr")
SMADDL_RRRR = Encoding("smaddl", 0x9B20_0000, "wrrr")
SMSUBL_RRRR = Encoding("smsubl", 0x9B20_8000, "wrrr")
UMADDL_RRRR = Encoding("umaddl", 0x9BA0_0000, "wrrr")
UMSUBL_RRRR = Encoding("umsubl", 0x9BA0_8000, "wrrr")
SMULH_RRR64 = Encoding("smulh", 0x9B40_7C00, "wrr")
UMULH_RRR64 = Encoding("umulh", 0x9BC0_7C00, "wrr")
EXTR_RRRI32, EXTR_RRRI64 = _widths("extr", 0x1380_0000, "wrr", _WIDE | _DOUBLE)
RBIT_RR32, RBIT_RR64 = _widths("rbit", 0x5AC0_0000, "wr")
CLZ_RR32, CLZ_RR64 = _widths("clz", 0x5AC0_1000, "wr")

# With immediates.
ADD_RRI32, ADD_RRI64 = _widths("add", 0x1100_0000, "wr")
ADDS_RRI32, ADDS_RRI64 = _widths("adds", 0x3100_0000)
SUB_RRI32, SUB_RRI64 = _widths("sub", 0x5100_0000, "wr")
SUBS_RRI32, SUBS_RRI64 = _widths("subs", 0x7100_0000)
AND_RRL32, AND_RRL64 = _widths("and", 0x1200_0000, "wr")
ORR_RRL32, ORR_RRL64 = _widths("orr", 0x3200_0000, "wr")
EOR_RRL32, EOR_RRL64 = _widths("eor", 0x5200_0000, "wr")
ANDS_RRL32, ANDS_RRL64 = _widths("ands", 0x7200_0000)
SBFM_RRB32, SBFM_RRB64 = _widths("sbfm", 0x1300_0000, "wr", _WIDE | _DOUBLE)
BFM_RRB32, BFM_RRB64 = _widths("bfm", 0x3300_0000, "mr", _WIDE | _DOUBLE)
UBFM_RRB32, UBFM_RRB64 = _widths("ubfm", 0x5300_0000, "wr", _WIDE | _DOUBLE)
MOVN_RI32, MOVN_RI64 = _widths("movn", 0x1280_0000)
MOVZ_RI32, MOVZ_RI64 = _widths("movz", 0x5280_0000)
MOVK_RI32, MOVK_RI64 = _widths("movk", 0x7280_0000)

# Conditional selection and comparison.
CSEL_RRRC32, CSEL_RRRC64 = _widths("csel", 0x1A80_0000)
CSINC_RRRC32, CSINC_RRRC64 = _widths("csinc", 0x1A80_0400)
CSINV_RRRC32, CSINV_RRRC64 = _widths("csinv", 0x5A80_0000)
CSNEG_RRRC32, CSNEG_RRRC64 = _widths("csneg", 0x5A80_0400)
CCMP_RRC32, CCMP_RRC64 = _widths("ccmp", 0x7A40_0000)
CCMN_RIC32, CCMN_RIC64 = _widths("ccmn", 0x3A40_0800)
CCMP_RIC32, CCMP_RIC64 = _widths("ccmp", 0x7A40_0800)

# Branches and addresses relative to the instruction: plain words, but for those to an address in a register.
B_L = 0x1400_0000
BL_L = 0x9400_0000
BCC_L = 0x5400_0000
CBZ_RL32 = 0x3400_0000
CBZ_RL64 = CBZ_RL32 | _WIDE
CBNZ_RL32 = 0x3500_0000
CBNZ_RL64 = CBNZ_RL32 | _WIDE
TBZ_RBL = 0x3600_0000
TBNZ_RBL = 0x3700_0000
ADR_RL = 0x1000_0000
ADRP_RL = 0x9000_0000
LDR_RL64 = 0x5800_0000
LDR_FL32 = 0x1C00_0000
LDR_FL64 = 0x5C00_0000
LDR_FL128 = 0x9C00_0000
BR_R = Encoding("br", 0xD61F_0000)
BLR_R = Encoding("blr", 0xD63F_0000)
RET_R = Encoding("ret", 0xD65F_0000)

# Memory. The number is the width of the register; B, H and SW say what is in memory.
STRB_RM32 = Access("strb", 0x3900_0000, 1)
STRH_RM32 = Access("strh", 0x7900_0000, 2)
STR_RM32 = Access("str.i32", 0xB900_0000, 4)
STR_RM64 = Access("str.i64", 0xF900_0000, 8)
STR_FM32 = Access("str.f32", 0xBD00_0000, 4)
STR_FM64 = Access("str.f64", 0xFD00_0000, 8)
STR_FM8 = Access("str.b", 0x3D00_0000, 1)
STR_FM16 = Access("str.h", 0x7D00_0000, 2)
STR_FM128 = Access("str.v128", 0x3D80_0000, 16)
LDRB_RM32 = Access("ldrb", 0x3940_0000, 1)
LDRH_RM32 = Access("ldrh", 0x7940_0000, 2)
LDR_RM32 = Access("ldr.i32", 0xB940_0000, 4)
LDR_RM64 = Access("ldr.i64", 0xF940_0000, 8)
LDR_FM32 = Access("ldr.f32", 0xBD40_0000, 4)
LDR_FM64 = Access("ldr.f64", 0xFD40_0000, 8)
LDR_FM8 = Access("ldr.b", 0x3D40_0000, 1)
LDR_FM16 = Access("ldr.h", 0x7D40_0000, 2)
LDR_FM128 = Access("ldr.v128", 0x3DC0_0000, 16)
LDRSB_RM32 = Access("ldrsb.i32", 0x39C0_0000, 1)
LDRSB_RM64 = Access("ldrsb.i64", 0x3980_0000, 1)
LDRSH_RM32 = Access("ldrsh.i32", 0x79C0_0000, 2)
LDRSH_RM64 = Access("ldrsh.i64", 0x7980_0000, 2)
LDRSW_RM64 = Access("ldrsw", 0xB980_0000, 4)
# Exclusive: acquires, and releases; the register of what is written comes first, that of whether it was (0) last.
LDAXR_RR64 = Encoding("ldaxr", 0xC85F_FC00)
STLXR_RRR64 = Encoding("stlxr", 0xC800_FC00)
# Pairs of 64-bit registers: [base + immediate]; the same, base changed before (PRE), and after (POST).
STP_RRM64 = Encoding("stp", 0xA900_0000)
LDP_RRM64 = Encoding("ldp", 0xA940_0000)
STP_RRM64_PRE = Encoding("stp", 0xA980_0000)
LDP_RRM64_POST = Encoding("ldp", 0xA8C0_0000)
STP_FFM128 = Encoding("stp", 0xAD00_0000)
LDP_FFM128 = Encoding("ldp", 0xAD40_0000)
STP_FFM64 = Encoding("stp", 0x6D00_0000)
LDP_FFM64 = Encoding("ldp", 0x6D40_0000)

# Floating point; what computes and converts is in float_encodings.py.
FMOV_RR32, FMOV_RR64 = floats("fmov", 0x1E20_4000, "wr")
FCMP_RR32, FCMP_RR64 = floats("fcmp", 0x1E20_2000)
FCMP_R0_32, FCMP_R0_64 = floats("fcmp", 0x1E20_2008)  # with zero
FCCMP_RRC32, FCCMP_RRC64 = floats("fccmp", 0x1E20_0400)
FCSEL_RRRC32, FCSEL_RRRC64 = floats("fcsel", 0x1E20_0C00)
FMOV_RF32, FMOV_RF64 = floats("fmov", 0x1E20_1000)
FMOV_RX32 = Encoding("fmov.f32.i32", 0x1E27_0000, "wr")  # floating-point register from integer register
FMOV_RX64 = Encoding("fmov.f64.i64", 0x9E67_0000, "wr")
FMOV_XR32 = Encoding("fmov.i32.f32", 0x1E26_0000, "wr")  # the other way
FMOV_XR64 = Encoding("fmov.i64.f64", 0x9E66_0000, "wr")
# Vectors, as far as scalars need them; the others are in vector_encodings.py. 8B: eight bytes of a 64-bit register.
MOVI_ZERO_R = Encoding("movi", 0x2F00_E400)
INS_RX64_HIGH = Encoding("ins.d", 0x4E18_1C00, "mr")  # to the upper half
ORR_RRR16B = Encoding("orr.16b", 0x4EA0_1C00, "wrr")
CNT_RR8B = Encoding("cnt.8b", 0x0E20_5800, "wr")
ADDV_RR8B = Encoding("addv.8b", 0x0E31_B800, "wr")

# System.
NOP = 0xD503_201F
BRK = 0xD420_0000
SVC = 0xD400_0001
MRS_CTR_R = Encoding("mrs", 0xD53B_0020)
DC_CVAU_R = Encoding("dc", 0xD50B_7B20)
IC_IVAU_R = Encoding("ic", 0xD50B_7520)
DSB_ISH = 0xD503_3B9F
ISB = 0xD503_3FDF


# Immediates. These give the bits to be added to an instruction, or None where a number has no such encoding.


def add_immediate(number: int) -> int | None:
    """RRI: 0..4095, perhaps times 4096."""
    if 0 <= number <= 0xFFF:
        return number << 10
    if number & 0xFFF == 0 and 0 <= number <= 0xFF_F000:
        return 1 << 22 | number >> 2
    return None


_logical: dict[int, int | None] = {}


def logical_immediate(bits: int, width: int) -> int | None:
    """RRL: a run of ones, rotated, repeated every 2, 4, 8, 16, 32 or 64 bits (DDI 0487, DecodeBitMasks)."""
    if width == 32:
        bits |= bits << 32
    if bits in _logical:
        return _logical[bits]
    if len(_logical) > 4096:
        _logical.clear()
    found = _logical[bits] = _bitmask(bits)
    return found


def _bitmask(bits: int) -> int | None:
    if bits == 0 or bits == 0xFFFF_FFFF_FFFF_FFFF:
        return None
    size = 64
    while size > 2:
        half = size >> 1
        if bits >> half != bits & (1 << half) - 1:
            break
        size = half
        bits >>= half
    ones = bits.bit_count()
    if bits & 1:
        # The run goes round the end: look at the zeros between.
        zeros = bits ^ (1 << size) - 1
        low = (zeros & -zeros).bit_length() - 1
        run = zeros >> low
        start = low + run.bit_length()
    else:
        start = (bits & -bits).bit_length() - 1
        run = bits >> start
    if run & run + 1:
        return None
    rotation = -start & size - 1
    return (size == 64) << 22 | rotation << 16 | (-2 * size & 0x3F | ones - 1) << 10


def _float_immediates(exponent_bits: int, fraction_bits: int) -> dict[int, int]:
    """VFPExpandImm of the manual for every imm8: the numbers' bit patterns -> the operand."""
    result = {}
    for imm8 in range(256):
        sign, top, exponent, fraction = imm8 >> 7, imm8 >> 6 & 1, imm8 >> 4 & 3, imm8 & 15
        repeated = (1 << exponent_bits - 3) - 1 if top else 0
        full = (top ^ 1) << exponent_bits - 1 | repeated << 2 | exponent
        bits = (sign << exponent_bits | full) << fraction_bits | fraction << fraction_bits - 4
        result[bits] = imm8 << 13
    return result


#: RF: by the number's bits, for f32 and f64.
FLOAT_IMMEDIATES32: Final = _float_immediates(8, 23)
FLOAT_IMMEDIATES64: Final = _float_immediates(11, 52)


def names(module: dict[str, object]) -> list[str]:
    """Names of the rows of a module with these names."""
    return [name for name, value in module.items() if name.isupper() and _is_row(name, value)]


def _is_row(name: str, value: object) -> bool:
    if isinstance(value, Access | Encoding):
        return not name.startswith("_")
    return isinstance(value, int) and value > 0xFF_FFFF and not name.startswith("_")
