"""The table of AArch64 instruction encodings (Arm Architecture Reference Manual for A-profile, DDI 0487, chapter C4).

One row per encoding; `assembler` has the functions that emit them. The end of a name says what the operands are,
destination first, and therefore which function emits it:

    RRR     three registers; the last perhaps shifted (`shifted`)               rrr
    RRX     the same with the last extended (`extended`)                        rrr
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

A row is the instruction with all operands zero. Register 31 is the zero register or the stack pointer, as the
instruction has it. Floating-point registers have their own numbering in the instruction: only the low five bits of
a register number count.
"""

from __future__ import annotations

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
ADD_RRR32 = 0x0B00_0000
ADD_RRR64 = ADD_RRR32 | _WIDE
ADDS_RRR32 = 0x2B00_0000
ADDS_RRR64 = ADDS_RRR32 | _WIDE
SUB_RRR32 = 0x4B00_0000
SUB_RRR64 = SUB_RRR32 | _WIDE
SUBS_RRR32 = 0x6B00_0000
SUBS_RRR64 = SUBS_RRR32 | _WIDE
ADD_RRX32 = 0x0B20_0000
ADD_RRX64 = ADD_RRX32 | _WIDE
ADDS_RRX32 = 0x2B20_0000
ADDS_RRX64 = ADDS_RRX32 | _WIDE
SUB_RRX32 = 0x4B20_0000
SUB_RRX64 = SUB_RRX32 | _WIDE
SUBS_RRX32 = 0x6B20_0000
SUBS_RRX64 = SUBS_RRX32 | _WIDE
AND_RRR32 = 0x0A00_0000
AND_RRR64 = AND_RRR32 | _WIDE
BIC_RRR32 = 0x0A20_0000
BIC_RRR64 = BIC_RRR32 | _WIDE
ORR_RRR32 = 0x2A00_0000
ORR_RRR64 = ORR_RRR32 | _WIDE
ORN_RRR32 = 0x2A20_0000
ORN_RRR64 = ORN_RRR32 | _WIDE
EOR_RRR32 = 0x4A00_0000
EOR_RRR64 = EOR_RRR32 | _WIDE
EON_RRR32 = 0x4A20_0000
EON_RRR64 = EON_RRR32 | _WIDE
ANDS_RRR32 = 0x6A00_0000
ANDS_RRR64 = ANDS_RRR32 | _WIDE
UDIV_RRR32 = 0x1AC0_0800
UDIV_RRR64 = UDIV_RRR32 | _WIDE
SDIV_RRR32 = 0x1AC0_0C00
SDIV_RRR64 = SDIV_RRR32 | _WIDE
LSLV_RRR32 = 0x1AC0_2000
LSLV_RRR64 = LSLV_RRR32 | _WIDE
LSRV_RRR32 = 0x1AC0_2400
LSRV_RRR64 = LSRV_RRR32 | _WIDE
ASRV_RRR32 = 0x1AC0_2800
ASRV_RRR64 = ASRV_RRR32 | _WIDE
RORV_RRR32 = 0x1AC0_2C00
RORV_RRR64 = RORV_RRR32 | _WIDE
MADD_RRRR32 = 0x1B00_0000
MADD_RRRR64 = MADD_RRRR32 | _WIDE
MSUB_RRRR32 = 0x1B00_8000
MSUB_RRRR64 = MSUB_RRRR32 | _WIDE
SMADDL_RRRR = 0x9B20_0000
SMSUBL_RRRR = 0x9B20_8000
UMADDL_RRRR = 0x9BA0_0000
UMSUBL_RRRR = 0x9BA0_8000
SMULH_RRR64 = 0x9B40_7C00
UMULH_RRR64 = 0x9BC0_7C00
EXTR_RRRI32 = 0x1380_0000
EXTR_RRRI64 = 0x93C0_0000
RBIT_RR32 = 0x5AC0_0000
RBIT_RR64 = RBIT_RR32 | _WIDE
CLZ_RR32 = 0x5AC0_1000
CLZ_RR64 = CLZ_RR32 | _WIDE

# With immediates.
ADD_RRI32 = 0x1100_0000
ADD_RRI64 = ADD_RRI32 | _WIDE
ADDS_RRI32 = 0x3100_0000
ADDS_RRI64 = ADDS_RRI32 | _WIDE
SUB_RRI32 = 0x5100_0000
SUB_RRI64 = SUB_RRI32 | _WIDE
SUBS_RRI32 = 0x7100_0000
SUBS_RRI64 = SUBS_RRI32 | _WIDE
AND_RRL32 = 0x1200_0000
AND_RRL64 = AND_RRL32 | _WIDE
ORR_RRL32 = 0x3200_0000
ORR_RRL64 = ORR_RRL32 | _WIDE
EOR_RRL32 = 0x5200_0000
EOR_RRL64 = EOR_RRL32 | _WIDE
ANDS_RRL32 = 0x7200_0000
ANDS_RRL64 = ANDS_RRL32 | _WIDE
SBFM_RRB32 = 0x1300_0000
SBFM_RRB64 = 0x9340_0000
BFM_RRB32 = 0x3300_0000
BFM_RRB64 = 0xB340_0000
UBFM_RRB32 = 0x5300_0000
UBFM_RRB64 = 0xD340_0000
MOVN_RI32 = 0x1280_0000
MOVN_RI64 = MOVN_RI32 | _WIDE
MOVZ_RI32 = 0x5280_0000
MOVZ_RI64 = MOVZ_RI32 | _WIDE
MOVK_RI32 = 0x7280_0000
MOVK_RI64 = MOVK_RI32 | _WIDE

# Conditional selection and comparison.
CSEL_RRRC32 = 0x1A80_0000
CSEL_RRRC64 = CSEL_RRRC32 | _WIDE
CSINC_RRRC32 = 0x1A80_0400
CSINC_RRRC64 = CSINC_RRRC32 | _WIDE
CSINV_RRRC32 = 0x5A80_0000
CSINV_RRRC64 = CSINV_RRRC32 | _WIDE
CSNEG_RRRC32 = 0x5A80_0400
CSNEG_RRRC64 = CSNEG_RRRC32 | _WIDE
CCMP_RRC32 = 0x7A40_0000
CCMP_RRC64 = CCMP_RRC32 | _WIDE
CCMN_RIC32 = 0x3A40_0800
CCMN_RIC64 = CCMN_RIC32 | _WIDE
CCMP_RIC32 = 0x7A40_0800
CCMP_RIC64 = CCMP_RIC32 | _WIDE

# Branches and addresses relative to the instruction.
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
BR_R = 0xD61F_0000
BLR_R = 0xD63F_0000
RET_R = 0xD65F_0000

# Memory. The number is the width of the register; B, H and SW say what is in memory.
STRB_RM32 = Access("strb", 0x3900_0000, 1)
STRH_RM32 = Access("strh", 0x7900_0000, 2)
STR_RM32 = Access("str", 0xB900_0000, 4)
STR_RM64 = Access("str", 0xF900_0000, 8)
STR_FM32 = Access("str", 0xBD00_0000, 4)
STR_FM64 = Access("str", 0xFD00_0000, 8)
LDRB_RM32 = Access("ldrb", 0x3940_0000, 1)
LDRH_RM32 = Access("ldrh", 0x7940_0000, 2)
LDR_RM32 = Access("ldr", 0xB940_0000, 4)
LDR_RM64 = Access("ldr", 0xF940_0000, 8)
LDR_FM32 = Access("ldr", 0xBD40_0000, 4)
LDR_FM64 = Access("ldr", 0xFD40_0000, 8)
LDRSB_RM32 = Access("ldrsb", 0x39C0_0000, 1)
LDRSB_RM64 = Access("ldrsb", 0x3980_0000, 1)
LDRSH_RM32 = Access("ldrsh", 0x79C0_0000, 2)
LDRSH_RM64 = Access("ldrsh", 0x7980_0000, 2)
LDRSW_RM64 = Access("ldrsw", 0xB980_0000, 4)
# Pairs of 64-bit registers: [base + immediate]; the same, base changed before (PRE), and after (POST).
STP_RRM64 = 0xA900_0000
LDP_RRM64 = 0xA940_0000
STP_RRM64_PRE = 0xA980_0000
LDP_RRM64_POST = 0xA8C0_0000
STP_FFM128 = 0xAD00_0000
LDP_FFM128 = 0xAD40_0000
STP_FFM64 = 0x6D00_0000
LDP_FFM64 = 0x6D40_0000

# Floating point.
FADD_RRR32 = 0x1E20_2800
FADD_RRR64 = FADD_RRR32 | _DOUBLE
FSUB_RRR32 = 0x1E20_3800
FSUB_RRR64 = FSUB_RRR32 | _DOUBLE
FMUL_RRR32 = 0x1E20_0800
FMUL_RRR64 = FMUL_RRR32 | _DOUBLE
FDIV_RRR32 = 0x1E20_1800
FDIV_RRR64 = FDIV_RRR32 | _DOUBLE
FMAX_RRR32 = 0x1E20_4800
FMAX_RRR64 = FMAX_RRR32 | _DOUBLE
FMIN_RRR32 = 0x1E20_5800
FMIN_RRR64 = FMIN_RRR32 | _DOUBLE
FMOV_RR32 = 0x1E20_4000
FMOV_RR64 = FMOV_RR32 | _DOUBLE
FABS_RR32 = 0x1E20_C000
FABS_RR64 = FABS_RR32 | _DOUBLE
FNEG_RR32 = 0x1E21_4000
FNEG_RR64 = FNEG_RR32 | _DOUBLE
FSQRT_RR32 = 0x1E21_C000
FSQRT_RR64 = FSQRT_RR32 | _DOUBLE
FRINTN_RR32 = 0x1E24_4000
FRINTN_RR64 = FRINTN_RR32 | _DOUBLE
FRINTP_RR32 = 0x1E24_C000
FRINTP_RR64 = FRINTP_RR32 | _DOUBLE
FRINTM_RR32 = 0x1E25_4000
FRINTM_RR64 = FRINTM_RR32 | _DOUBLE
FRINTZ_RR32 = 0x1E25_C000
FRINTZ_RR64 = FRINTZ_RR32 | _DOUBLE
FCVT_RR64_32 = 0x1E22_C000  # to double from single
FCVT_RR32_64 = 0x1E62_4000  # to single from double
FCMP_RR32 = 0x1E20_2000
FCMP_RR64 = FCMP_RR32 | _DOUBLE
FCMP_R0_32 = 0x1E20_2008  # with zero
FCMP_R0_64 = FCMP_R0_32 | _DOUBLE
FCCMP_RRC32 = 0x1E20_0400
FCCMP_RRC64 = FCCMP_RRC32 | _DOUBLE
FCSEL_RRRC32 = 0x1E20_0C00
FCSEL_RRRC64 = FCSEL_RRRC32 | _DOUBLE
FMOV_RF32 = 0x1E20_1000
FMOV_RF64 = FMOV_RF32 | _DOUBLE
# Conversions: the integer's width, then the float's.
FCVTZS_RR32_32 = 0x1E38_0000
FCVTZS_RR64_32 = FCVTZS_RR32_32 | _WIDE
FCVTZS_RR32_64 = FCVTZS_RR32_32 | _DOUBLE
FCVTZS_RR64_64 = FCVTZS_RR32_32 | _WIDE | _DOUBLE
FCVTZU_RR32_32 = 0x1E39_0000
FCVTZU_RR64_32 = FCVTZU_RR32_32 | _WIDE
FCVTZU_RR32_64 = FCVTZU_RR32_32 | _DOUBLE
FCVTZU_RR64_64 = FCVTZU_RR32_32 | _WIDE | _DOUBLE
SCVTF_RR32_32 = 0x1E22_0000
SCVTF_RR64_32 = SCVTF_RR32_32 | _WIDE
SCVTF_RR32_64 = SCVTF_RR32_32 | _DOUBLE
SCVTF_RR64_64 = SCVTF_RR32_32 | _WIDE | _DOUBLE
UCVTF_RR32_32 = 0x1E23_0000
UCVTF_RR64_32 = UCVTF_RR32_32 | _WIDE
UCVTF_RR32_64 = UCVTF_RR32_32 | _DOUBLE
UCVTF_RR64_64 = UCVTF_RR32_32 | _WIDE | _DOUBLE
FMOV_RX32 = 0x1E27_0000  # floating-point register from integer register
FMOV_RX64 = 0x9E67_0000
FMOV_XR32 = 0x1E26_0000  # the other way
FMOV_XR64 = 0x9E66_0000
# Vectors, as far as scalars need them. 8B: eight bytes of a 64-bit register.
MOVI_ZERO_R = 0x2F00_E400
CNT_RR8B = 0x0E20_5800
ADDV_RR8B = 0x0E31_B800
USHR31_RR2S = 0x2F21_0400
USHR63_RR64 = 0x7F41_0400
SLI31_RR2S = 0x2F3F_5400
SLI63_RR64 = 0x7F7F_5400

# System.
NOP = 0xD503_201F
BRK = 0xD420_0000
SVC = 0xD400_0001
MRS_CTR_R = 0xD53B_0020
DC_CVAU_R = 0xD50B_7B20
IC_IVAU_R = 0xD50B_7520
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


def names() -> list[str]:
    """Names of all rows."""
    return [name for name, value in globals().items() if name.isupper() and _is_row(name, value)]


def _is_row(name: str, value: object) -> bool:
    if isinstance(value, Access):
        return True
    return isinstance(value, int) and value > 0xFF_FFFF and not name.startswith("_")
