"""The rows of vector instructions (DDI 0487, C4.1: Advanced SIMD data processing, and loads and stores of elements).

Most exist for several widths of lanes: such a family is a dict by the lane's width, B, H, S or D. The names are the
manual's, those with Q at the end are the ones that it ends with 2: they work on the upper half of what is narrower.
Vectors have 128 bits; where lanes become wider or narrower, the name of a width stands for the narrower ones, and
families of scalars (`P`) for the lowest lane alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from wasm_backend_arm64 import encodings
from wasm_backend_arm64.encodings import Encoding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Widths of lanes: log2 of the bytes.
B, H, S, D = range(4)
_BHS, _BHSD, _SD = (B, H, S), (B, H, S, D), (S, D)
#: Arrangements, of 128 and of 64 bits.
ARRANGEMENTS: Final = (("16b", "8h", "4s", "2d"), ("8b", "4h", "2s", "1d"))
_LETTERS: Final = "bhsd"

_Q = 1 << 30
_U = 1 << 29

Family = dict[int, Encoding]


def _lanes(name: str, word: int, operands: str, widths: Iterable[int] = _BHSD, feature: str = "") -> Family:
    """A row for each width of lanes, which is in bits 22 and 23."""
    return {
        width: Encoding(f"{name}.{ARRANGEMENTS[0][width]}", word | _Q | width << 22, operands, feature)
        for width in widths
    }


def _three(name: str, opcode: int, widths: Iterable[int] = _BHSD, operands: str = "wrr") -> Family:
    """Three vectors of the same shape."""
    return _lanes(name, 0x0E20_0400 | opcode << 11, operands, widths)


def _three_u(name: str, opcode: int, widths: Iterable[int] = _BHSD, operands: str = "wrr") -> Family:
    """The same with U."""
    return _lanes(name, 0x2E20_0400 | opcode << 11, operands, widths)


def _three_floats(name: str, word: int, operands: str = "wrr") -> Family:
    """The same with floats; `word` is the one for f32."""
    return {S: Encoding(f"{name}.4s", word | _Q, operands), D: Encoding(f"{name}.2d", word | _Q | 1 << 22, operands)}


def _bits(name: str, word: int, operands: str = "wrr") -> Encoding:
    """Bitwise, on all 128 bits."""
    return Encoding(f"{name}.16b", word | _Q, operands)


def _different(name: str, word: int, operands: str = "wrr", widths: Iterable[int] = _BHS) -> tuple[Family, Family]:
    """Results twice as wide as sources: from the lower halves of these, and from the upper ones."""
    return (
        {width: Encoding(f"{name}.{ARRANGEMENTS[1][width]}", word | width << 22, operands) for width in widths},
        {width: Encoding(f"{name}2.{ARRANGEMENTS[0][width]}", word | _Q | width << 22, operands) for width in widths},
    )


def _narrow(name: str, word: int) -> tuple[Family, Family]:
    """Results half as wide as the source: to the lower half, the other cleared; to the upper half, the other kept."""
    lower, _ = _different(name, word, "wr")
    _, upper = _different(name, word, "mr")
    return lower, upper


def _two(name: str, opcode: int, widths: Iterable[int] = _BHSD, operands: str = "wr") -> Family:
    """One source."""
    return _lanes(name, 0x0E20_0800 | opcode << 12, operands, widths)


def _two_u(name: str, opcode: int, widths: Iterable[int] = _BHSD, operands: str = "wr") -> Family:
    """The same with U."""
    return _lanes(name, 0x2E20_0800 | opcode << 12, operands, widths)


def _shift(name: str, word: int, operands: str = "wr", widths: Iterable[int] = _BHSD) -> Family:
    """By an immediate (`left`, `right`)."""
    return {
        width: Encoding(f"{name}.{ARRANGEMENTS[0][width]}", word | _Q | 8 << width << 16, operands) for width in widths
    }


def _element(name: str, word: int, operands: str, widths: Iterable[int] = _BHSD) -> Family:
    """One lane of a vector (`lane`)."""
    return {width: Encoding(f"{name}.{_LETTERS[width]}", word | 1 << width << 16, operands) for width in widths}


def left(count: int) -> int:
    """Bits of a shift to the left, less than the lane's width."""
    return count << 16


def right(width: int, count: int) -> int:
    """Bits of a shift to the right, 1 to the width of lanes of `width`."""
    return (8 << width) - count << 16


def lane(width: int, number: int) -> int:
    """Bits of the number of a lane in a row of `_element`."""
    return number << width + 17


def source_lane(width: int, number: int) -> int:
    """Bits of the number of the other lane of INS_VV."""
    return number << width + 11


def element(width: int, number: int) -> int:
    """Bits of the number of a lane (of S or D) in a row that ends with VVE."""
    return (number & 1) << 21 | number >> 1 << 11 if width == S else number << 11


def memory_lane(width: int, number: int) -> int:
    """Bits of the number of a lane that is loaded or stored: the top one is Q, the others S and size."""
    index = number << width
    return index >> 3 << 30 | (index & 7) << 10


def byte_immediate(number: int) -> int:
    """Bits of the immediate of MOVI and its like, 0 to 255."""
    return (number >> 5) << 16 | (number & 31) << 5


# Integer arithmetic.
ADD_VVV: Final = _three("add", 0b10000)
SUB_VVV: Final = _three_u("sub", 0b10000)
MUL_VVV: Final = _three("mul", 0b10011, _BHS)
MLA_VVV: Final = _three("mla", 0b10010, _BHS, "mrr")
MLS_VVV: Final = _three_u("mls", 0b10010, _BHS, "mrr")
ADDP_VVV: Final = _three("addp", 0b10111)
SQADD_VVV: Final = _three("sqadd", 0b00001)
UQADD_VVV: Final = _three_u("uqadd", 0b00001)
SQSUB_VVV: Final = _three("sqsub", 0b00101)
UQSUB_VVV: Final = _three_u("uqsub", 0b00101)
SMAX_VVV: Final = _three("smax", 0b01100, _BHS)
UMAX_VVV: Final = _three_u("umax", 0b01100, _BHS)
SMIN_VVV: Final = _three("smin", 0b01101, _BHS)
UMIN_VVV: Final = _three_u("umin", 0b01101, _BHS)
#: The absolute difference, as many bits of it as there are.
SABD_VVV: Final = _three("sabd", 0b01110, _BHS)
UABD_VVV: Final = _three_u("uabd", 0b01110, _BHS)
UMAXP_VVV: Final = _three_u("umaxp", 0b10100, _BHS)
UMINP_VVV: Final = _three_u("uminp", 0b10101, _BHS)
URHADD_VVV: Final = _three_u("urhadd", 0b00010, _BHS)
SQRDMULH_VVV: Final = _three_u("sqrdmulh", 0b10110, (H, S))
ABS_VV: Final = _two("abs", 0b01011)
NEG_VV: Final = _two_u("neg", 0b01011)
CNT_VV: Final = _two("cnt", 0b00101, (B,))
SADDLP_VV: Final = _two("saddlp", 0b00010, _BHS)
UADDLP_VV: Final = _two_u("uaddlp", 0b00010, _BHS)
SADALP_VV: Final = _two("sadalp", 0b00110, _BHS, "mr")
UADALP_VV: Final = _two_u("uadalp", 0b00110, _BHS, "mr")
#: Sums of four products of bytes, added to lanes of 32 bits.
SDOT_VVV: Final = Encoding("sdot.4s", 0x0E80_9400 | _Q, "mrr", "asimddp")
UDOT_VVV: Final = Encoding("udot.4s", 0x2E80_9400 | _Q, "mrr", "asimddp")

# From narrower lanes to wider ones, and back.
SMULL_VVV, SMULLQ_VVV = _different("smull", 0x0E20_C000)
UMULL_VVV, UMULLQ_VVV = _different("umull", 0x2E20_C000)
SMLAL_VVV, SMLALQ_VVV = _different("smlal", 0x0E20_8000, "mrr")
UMLAL_VVV, UMLALQ_VVV = _different("umlal", 0x2E20_8000, "mrr")
SMLSL_VVV, SMLSLQ_VVV = _different("smlsl", 0x0E20_A000, "mrr")
UMLSL_VVV, UMLSLQ_VVV = _different("umlsl", 0x2E20_A000, "mrr")
SADDL_VVV, SADDLQ_VVV = _different("saddl", 0x0E20_0000)
UADDL_VVV, UADDLQ_VVV = _different("uaddl", 0x2E20_0000)
SSUBL_VVV, SSUBLQ_VVV = _different("ssubl", 0x0E20_2000)
USUBL_VVV, USUBLQ_VVV = _different("usubl", 0x2E20_2000)
#: The first source is as wide as the result.
SADDW_VVV, SADDWQ_VVV = _different("saddw", 0x0E20_1000)
UADDW_VVV, UADDWQ_VVV = _different("uaddw", 0x2E20_1000)
SSUBW_VVV, SSUBWQ_VVV = _different("ssubw", 0x0E20_3000)
USUBW_VVV, USUBWQ_VVV = _different("usubw", 0x2E20_3000)
XTN_VV, XTNQ_VV = _narrow("xtn", 0x0E21_2800)
SQXTN_VV, SQXTNQ_VV = _narrow("sqxtn", 0x0E21_4800)
SQXTUN_VV, SQXTUNQ_VV = _narrow("sqxtun", 0x2E21_2800)
UQXTN_VV, UQXTNQ_VV = _narrow("uqxtn", 0x2E21_4800)

# Bits and comparisons.
AND_VVV: Final = _bits("and", 0x0E20_1C00)
BIC_VVV: Final = _bits("bic", 0x0E60_1C00)
ORR_VVV: Final = encodings.ORR_RRR16B
ORN_VVV: Final = _bits("orn", 0x0EE0_1C00)
EOR_VVV: Final = _bits("eor", 0x2E20_1C00)
BSL_VVV: Final = _bits("bsl", 0x2E60_1C00, "mrr")
BIT_VVV: Final = _bits("bit", 0x2EA0_1C00, "mrr")
BIF_VVV: Final = _bits("bif", 0x2EE0_1C00, "mrr")
MVN_VV: Final = _bits("mvn", 0x2E20_5800, "wr")
CMEQ_VVV: Final = _three_u("cmeq", 0b10001)
CMTST_VVV: Final = _three("cmtst", 0b10001)
CMGT_VVV: Final = _three("cmgt", 0b00110)
CMGE_VVV: Final = _three("cmge", 0b00111)
CMHI_VVV: Final = _three_u("cmhi", 0b00110)
CMHS_VVV: Final = _three_u("cmhs", 0b00111)
#: With zero.
CMGT0_VV: Final = _two("cmgt", 0b01000)
CMEQ0_VV: Final = _two("cmeq", 0b01001)
CMLT0_VV: Final = _two("cmlt", 0b01010)
CMGE0_VV: Final = _two_u("cmge", 0b01000)
CMLE0_VV: Final = _two_u("cmle", 0b01001)

# Shifts by an immediate, and by the lanes of another vector (negative ones to the right).
SHL_VV: Final = _shift("shl", 0x0F00_5400)
SSHR_VV: Final = _shift("sshr", 0x0F00_0400)
USHR_VV: Final = _shift("ushr", 0x2F00_0400)
SSRA_VV: Final = _shift("ssra", 0x0F00_1400, "mr")
USRA_VV: Final = _shift("usra", 0x2F00_1400, "mr")
SLI_VV: Final = _shift("sli", 0x2F00_5400, "mr")
SRI_VV: Final = _shift("sri", 0x2F00_4400, "mr")
SSHL_VVV: Final = _three("sshl", 0b01000)
USHL_VVV: Final = _three_u("ushl", 0b01000)
#: The lower half, extended and shifted left, and the upper half (shift 0: sxtl, uxtl). Right, narrowed.
SSHLLQ_VV: Final = _shift("sshll2", 0x0F00_A400, "wr", _BHS)
USHLLQ_VV: Final = _shift("ushll2", 0x2F00_A400, "wr", _BHS)
SSHLL_VV: Final = {k: Encoding(f"sshll.{ARRANGEMENTS[1][k]}", row.word ^ _Q, "wr") for k, row in SSHLLQ_VV.items()}
USHLL_VV: Final = {k: Encoding(f"ushll.{ARRANGEMENTS[1][k]}", row.word ^ _Q, "wr") for k, row in USHLLQ_VV.items()}
SHRN_VV: Final = {k: Encoding(f"shrn.{ARRANGEMENTS[1][k]}", 0x0F00_8400 | 8 << k << 16, "wr") for k in _BHS}

# Lanes: from a lane (E) or an integer register (X) to all lanes, to one lane, and from one lane to a register.
DUP_VE: Final = _element("dup", 0x4E00_0400, "wr")
DUP_VX: Final = _element("dup", 0x4E00_0C00, "wr")
INS_VX: Final = _element("ins", 0x4E00_1C00, "mr")
INS_VV: Final = _element("ins", 0x6E00_0400, "mr")
#: To the lowest lane of an empty vector.
DUP_PE: Final = _element("mov", 0x5E00_0400, "wr")
UMOV_XE: Final = {
    **_element("umov", 0x0E00_3C00, "wr", _BHS),
    **_element("umov", 0x4E00_3C00, "wr", (D,)),
}
#: To 32 bits.
SMOV_XE: Final = _element("smov", 0x0E00_2C00, "wr", (B, H))
ZIP1_VVV: Final = _lanes("zip1", 0x0E00_3800, "wrr")
ZIP2_VVV: Final = _lanes("zip2", 0x0E00_7800, "wrr")
UZP1_VVV: Final = _lanes("uzp1", 0x0E00_1800, "wrr")
UZP2_VVV: Final = _lanes("uzp2", 0x0E00_5800, "wrr")
TRN1_VVV: Final = _lanes("trn1", 0x0E00_2800, "wrr")
TRN2_VVV: Final = _lanes("trn2", 0x0E00_6800, "wrr")
REV16_VV: Final = _two("rev16", 0b00001, (B,))
REV32_VV: Final = _two_u("rev32", 0b00000, (B, H))
REV64_VV: Final = _two("rev64", 0b00000, _BHS)
#: Bytes from number imm >> 11 on.
EXT_VVV: Final = _bits("ext", 0x2E00_0000)
#: Bytes by number: those outside of the table are 0, or what they were. TBL2: of a vector and the next register's.
TBL_VVV: Final = _bits("tbl", 0x0E00_0000)
TBX_VVV: Final = _bits("tbx", 0x0E00_1000, "mrr")
TBL2_VVV: Final = _bits("tbl", 0x0E00_2000, "")
#: Over all lanes, to the lowest one of an empty vector.
ADDV_PV: Final = _lanes("addv", 0x0E31_B800, "wr", _BHS)
UADDLV_PV: Final = _lanes("uaddlv", 0x2E30_3800, "wr", _BHS)
UMAXV_PV: Final = _lanes("umaxv", 0x2E30_A800, "wr", _BHS)
UMINV_PV: Final = _lanes("uminv", 0x2E31_A800, "wr", _BHS)
ADDP_PV: Final = Encoding("addp.d", 0x5EF1_B800, "wr")

# Numbers (`byte_immediate`): in every byte; in every lane of 16 and 32 bits, shifted left by 8 times what is in bit 13
# and up, or (ONES) by 8 or 16, as bit 12 says, with ones below; of 64 bits, a byte of ones for each bit; floats.
MOVI_V16B: Final = Encoding("movi.16b", 0x4F00_E400, "w")
MOVI_V8H: Final = Encoding("movi.8h", 0x4F00_8400, "w")
MOVI_V4S: Final = Encoding("movi.4s", 0x4F00_0400, "w")
MOVI_V4S_ONES: Final = Encoding("movi.4s", 0x4F00_C400, "w")
MOVI_V2D: Final = Encoding("movi.2d", 0x6F00_E400, "w")
MVNI_V8H: Final = Encoding("mvni.8h", 0x6F00_8400, "w")
MVNI_V4S: Final = Encoding("mvni.4s", 0x6F00_0400, "w")
MVNI_V4S_ONES: Final = Encoding("mvni.4s", 0x6F00_C400, "w")
FMOV_V4S: Final = Encoding("fmov.4s", 0x4F00_F400, "w")
FMOV_V2D: Final = Encoding("fmov.2d", 0x6F00_F400, "w")
ORR_V8H: Final = Encoding("orr.8h", 0x4F00_9400, "m")
ORR_V4S: Final = Encoding("orr.4s", 0x4F00_1400, "m")
BIC_V8H: Final = Encoding("bic.8h", 0x6F00_9400, "m")
BIC_V4S: Final = Encoding("bic.4s", 0x6F00_1400, "m")

# Floating point.
FADD_VVV: Final = _three_floats("fadd", 0x0E20_D400)
FSUB_VVV: Final = _three_floats("fsub", 0x0EA0_D400)
FMUL_VVV: Final = _three_floats("fmul", 0x2E20_DC00)
FDIV_VVV: Final = _three_floats("fdiv", 0x2E20_FC00)
FMAX_VVV: Final = _three_floats("fmax", 0x0E20_F400)
FMIN_VVV: Final = _three_floats("fmin", 0x0EA0_F400)
FMLA_VVV: Final = _three_floats("fmla", 0x0E20_CC00, "mrr")
FMLS_VVV: Final = _three_floats("fmls", 0x0EA0_CC00, "mrr")
#: The last source is one lane of a vector (`element`).
FMUL_VVE: Final = _three_floats("fmul", 0x0F80_9000)
FMLA_VVE: Final = _three_floats("fmla", 0x0F80_1000, "mrr")
FMLS_VVE: Final = _three_floats("fmls", 0x0F80_5000, "mrr")
FCMEQ_VVV: Final = _three_floats("fcmeq", 0x0E20_E400)
FCMGE_VVV: Final = _three_floats("fcmge", 0x2E20_E400)
FCMGT_VVV: Final = _three_floats("fcmgt", 0x2EA0_E400)
#: With zero.
FCMEQ0_VV: Final = _three_floats("fcmeq", 0x0EA0_D800, "wr")
FCMGT0_VV: Final = _three_floats("fcmgt", 0x0EA0_C800, "wr")
FCMGE0_VV: Final = _three_floats("fcmge", 0x2EA0_C800, "wr")
FCMLT0_VV: Final = _three_floats("fcmlt", 0x0EA0_E800, "wr")
FCMLE0_VV: Final = _three_floats("fcmle", 0x2EA0_D800, "wr")
FABS_VV: Final = _three_floats("fabs", 0x0EA0_F800, "wr")
FNEG_VV: Final = _three_floats("fneg", 0x2EA0_F800, "wr")
FSQRT_VV: Final = _three_floats("fsqrt", 0x2EA1_F800, "wr")
FRINTN_VV: Final = _three_floats("frintn", 0x0E21_8800, "wr")
FRINTM_VV: Final = _three_floats("frintm", 0x0E21_9800, "wr")
FRINTP_VV: Final = _three_floats("frintp", 0x0EA1_8800, "wr")
FRINTZ_VV: Final = _three_floats("frintz", 0x0EA1_9800, "wr")
FCVTZS_VV: Final = _three_floats("fcvtzs", 0x0EA1_B800, "wr")
FCVTZU_VV: Final = _three_floats("fcvtzu", 0x2EA1_B800, "wr")
SCVTF_VV: Final = _three_floats("scvtf", 0x0E21_D800, "wr")
UCVTF_VV: Final = _three_floats("ucvtf", 0x2E21_D800, "wr")
#: f64 from the two lower f32, from the upper ones; two f32 from f64, the others cleared.
FCVTL_VV: Final = Encoding("fcvtl.2s", 0x0E61_7800, "wr")
FCVTLQ_VV: Final = Encoding("fcvtl2.4s", 0x4E61_7800, "wr")
FCVTN_VV: Final = Encoding("fcvtn.2s", 0x0E61_6800, "wr")

# Memory: one element to all lanes; one lane from and to memory (`memory_lane`); the address is in a register.
LD1R_VM: Final = {k: Encoding(f"ld1r.{ARRANGEMENTS[0][k]}", 0x4D40_C000 | k << 10, "wa") for k in _BHSD}
_OPCODES: Final = (0x0000, 0x4000, 0x8000, 0x8400)
LD1_EM: Final = {k: Encoding(f"ld1.{_LETTERS[k]}", 0x0D40_0000 | _OPCODES[k], "ma") for k in _BHSD}
ST1_EM: Final = {k: Encoding(f"st1.{_LETTERS[k]}", 0x0D00_0000 | _OPCODES[k], "ra") for k in _BHSD}
