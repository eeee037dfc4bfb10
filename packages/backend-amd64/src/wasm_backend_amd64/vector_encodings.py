"""The rows of vector instructions: SSE up to 4.2, each with its VEX form (`vex`), and those that only AVX2 has.

A row is the legacy instruction, from which `encodings.vex` makes the other; encodings.Encoding says what its operands
are. Names are the manual's, opcodes what comes behind 0F.
"""

from __future__ import annotations

from wasm_backend_amd64.encodings import (
    COMMUTATIVE,
    NP,
    P66,
    PF2,
    PF3,
    RM_FIRST,
    SSE,
    UNALIGNED,
    Encoding,
    VexEncoding,
    sse,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_SSSE3, _SSE41, _SSE42, _AVX, _AVX2, _FMA = "ssse3", "sse4_1", "sse4_2", "avx", "avx2", "fma"
_VL, _DQ = "avx512vl", "avx512dq"


def _two(name: str, opcode: bytes, feature: str = "", prefix: bytes = P66, memory: int = 16) -> Encoding:
    """d = op(d, s)"""
    return sse(name, prefix, opcode, "mr", memory, feature=feature)


def _swap(name: str, opcode: bytes, feature: str = "", prefix: bytes = P66) -> Encoding:
    """The same where d and s may change places."""
    return sse(name, prefix, opcode, "mr", 16, COMMUTATIVE, feature=feature)


def _one(name: str, opcode: bytes, feature: str = "", prefix: bytes = P66, memory: int = 16) -> Encoding:
    """d = op(s)"""
    return sse(name, prefix, opcode, "wr", memory, feature=feature)


def _shift(name: str, opcode: bytes, digit: int) -> Encoding:
    """d = op(d, imm)"""
    return sse(name, P66, opcode, "mi", 0, digit=digit)


def _blend(name: str, opcode: bytes) -> VexEncoding:
    """d = lanes of x, or of y where the top bit of the mask's lane is set"""
    return VexEncoding(name, P66, 0, opcode, "wvrk", _AVX, flags=SSE, memory=16)


def _fused(name: str, opcode: bytes, w: int) -> VexEncoding:
    """d = op(d, x, y)"""
    return VexEncoding(name, P66, w, opcode, "mvr", _FMA, flags=SSE, memory=16)


def _evex(
    name: str, opcode: bytes, operands: str, feature: str, w: int = 0, prefix: bytes = P66, digit: int = -1
) -> VexEncoding:
    """A row of AVX-512, on registers."""
    return VexEncoding(name, prefix, w, opcode, operands, feature, digit, SSE, 0, evex=True)


# Integer arithmetic.
PADDB: Final = _swap("paddb", b"\xfc")
PADDW: Final = _swap("paddw", b"\xfd")
PADDD: Final = _swap("paddd", b"\xfe")
PADDQ: Final = _swap("paddq", b"\xd4")
PSUBB: Final = _two("psubb", b"\xf8")
PSUBW: Final = _two("psubw", b"\xf9")
PSUBD: Final = _two("psubd", b"\xfa")
PSUBQ: Final = _two("psubq", b"\xfb")
PADDSB: Final = _swap("paddsb", b"\xec")
PADDSW: Final = _swap("paddsw", b"\xed")
PADDUSB: Final = _swap("paddusb", b"\xdc")
PADDUSW: Final = _swap("paddusw", b"\xdd")
PSUBSB: Final = _two("psubsb", b"\xe8")
PSUBSW: Final = _two("psubsw", b"\xe9")
PSUBUSB: Final = _two("psubusb", b"\xd8")
PSUBUSW: Final = _two("psubusw", b"\xd9")
PMULLW: Final = _swap("pmullw", b"\xd5")
PMULHW: Final = _swap("pmulhw", b"\xe5")
PMULHUW: Final = _swap("pmulhuw", b"\xe4")
PMULLD: Final = _swap("pmulld", b"\x38\x40", _SSE41)
PMULUDQ: Final = _swap("pmuludq", b"\xf4")
PMULDQ: Final = _swap("pmuldq", b"\x38\x28", _SSE41)
PMULHRSW: Final = _swap("pmulhrsw", b"\x38\x0b", _SSSE3)
PMADDWD: Final = _swap("pmaddwd", b"\xf5")
PMADDUBSW: Final = _two("pmaddubsw", b"\x38\x04", _SSSE3)
PAVGB: Final = _swap("pavgb", b"\xe0")
PAVGW: Final = _swap("pavgw", b"\xe3")
PSADBW: Final = _swap("psadbw", b"\xf6")
PMINSB: Final = _swap("pminsb", b"\x38\x38", _SSE41)
PMINSW: Final = _swap("pminsw", b"\xea")
PMINSD: Final = _swap("pminsd", b"\x38\x39", _SSE41)
PMINUB: Final = _swap("pminub", b"\xda")
PMINUW: Final = _swap("pminuw", b"\x38\x3a", _SSE41)
PMINUD: Final = _swap("pminud", b"\x38\x3b", _SSE41)
PMAXSB: Final = _swap("pmaxsb", b"\x38\x3c", _SSE41)
PMAXSW: Final = _swap("pmaxsw", b"\xee")
PMAXSD: Final = _swap("pmaxsd", b"\x38\x3d", _SSE41)
PMAXUB: Final = _swap("pmaxub", b"\xde")
PMAXUW: Final = _swap("pmaxuw", b"\x38\x3e", _SSE41)
PMAXUD: Final = _swap("pmaxud", b"\x38\x3f", _SSE41)
PABSB: Final = _one("pabsb", b"\x38\x1c", _SSSE3)
PABSW: Final = _one("pabsw", b"\x38\x1d", _SSSE3)
PABSD: Final = _one("pabsd", b"\x38\x1e", _SSSE3)

# Bits and comparisons.
PAND: Final = _swap("pand", b"\xdb")
PANDN: Final = _two("pandn", b"\xdf")
POR: Final = _swap("por", b"\xeb")
PXOR: Final = _swap("pxor", b"\xef")
PCMPEQB: Final = _swap("pcmpeqb", b"\x74")
PCMPEQW: Final = _swap("pcmpeqw", b"\x75")
PCMPEQD: Final = _swap("pcmpeqd", b"\x76")
PCMPEQQ: Final = _swap("pcmpeqq", b"\x38\x29", _SSE41)
PCMPGTB: Final = _two("pcmpgtb", b"\x64")
PCMPGTW: Final = _two("pcmpgtw", b"\x65")
PCMPGTD: Final = _two("pcmpgtd", b"\x66")
PCMPGTQ: Final = _two("pcmpgtq", b"\x38\x37", _SSE42)
PTEST: Final = sse("ptest", P66, b"\x38\x17", "rr", 16, feature=_SSE41)

# Shifts, by the low 64 bits of a register or by an immediate.
PSLLW: Final = _two("psllw", b"\xf1")
PSLLD: Final = _two("pslld", b"\xf2")
PSLLQ: Final = _two("psllq", b"\xf3")
PSRLW: Final = _two("psrlw", b"\xd1")
PSRLD: Final = _two("psrld", b"\xd2")
PSRLQ: Final = _two("psrlq", b"\xd3")
PSRAW: Final = _two("psraw", b"\xe1")
PSRAD: Final = _two("psrad", b"\xe2")
PSLLW_I: Final = _shift("psllw", b"\x71", 6)
PSLLD_I: Final = _shift("pslld", b"\x72", 6)
PSLLQ_I: Final = _shift("psllq", b"\x73", 6)
PSRLW_I: Final = _shift("psrlw", b"\x71", 2)
PSRLD_I: Final = _shift("psrld", b"\x72", 2)
PSRLQ_I: Final = _shift("psrlq", b"\x73", 2)
PSRAW_I: Final = _shift("psraw", b"\x71", 4)
PSRAD_I: Final = _shift("psrad", b"\x72", 4)
PSLLDQ_I: Final = _shift("pslldq", b"\x73", 7)
PSRLDQ_I: Final = _shift("psrldq", b"\x73", 3)

# Lanes.
PACKSSWB: Final = _two("packsswb", b"\x63")
PACKSSDW: Final = _two("packssdw", b"\x6b")
PACKUSWB: Final = _two("packuswb", b"\x67")
PACKUSDW: Final = _two("packusdw", b"\x38\x2b", _SSE41)
PUNPCKLBW: Final = _two("punpcklbw", b"\x60")
PUNPCKLWD: Final = _two("punpcklwd", b"\x61")
PUNPCKLDQ: Final = _two("punpckldq", b"\x62")
PUNPCKLQDQ: Final = _two("punpcklqdq", b"\x6c")
PUNPCKHBW: Final = _two("punpckhbw", b"\x68")
PUNPCKHWD: Final = _two("punpckhwd", b"\x69")
PUNPCKHDQ: Final = _two("punpckhdq", b"\x6a")
PUNPCKHQDQ: Final = _two("punpckhqdq", b"\x6d")
PSHUFB: Final = _two("pshufb", b"\x38\x00", _SSSE3)
PSHUFD: Final = sse("pshufd", P66, b"\x70", "wri", 16)
PSHUFLW: Final = sse("pshuflw", PF2, b"\x70", "wri", 16)
PSHUFHW: Final = sse("pshufhw", PF3, b"\x70", "wri", 16)
SHUFPS: Final = sse("shufps", NP, b"\xc6", "mri", 16)
SHUFPD: Final = sse("shufpd", P66, b"\xc6", "mri", 16)
PALIGNR: Final = sse("palignr", P66, b"\x3a\x0f", "mri", 16, feature=_SSSE3)
PBLENDW: Final = sse("pblendw", P66, b"\x3a\x0e", "mri", 16, feature=_SSE41)
UNPCKLPS: Final = _two("unpcklps", b"\x14", prefix=NP)
#: The lowest lane alone, of registers.
MOVSS: Final = _two("movss", b"\x10", prefix=PF3, memory=0)
MOVSD: Final = _two("movsd", b"\x10", prefix=PF2, memory=0)
MOVLHPS: Final = _two("movlhps", b"\x16", prefix=NP, memory=0)
MOVHLPS: Final = _two("movhlps", b"\x12", prefix=NP, memory=0)
#: With memory alone: on registers these bytes are the two above. MOVLPS_RM, MOVHPS_RM: the other half stays.
MOVLPS_RM: Final = _two("movlps", b"\x12", prefix=NP, memory=8)
MOVHPS_RM: Final = _two("movhps", b"\x16", prefix=NP, memory=8)
MOVHPS_MR: Final = sse("movhps", NP, b"\x17", "wr", 8, RM_FIRST)
MOVDDUP: Final = _one("movddup", b"\x12", "sse3", PF2, 8)
#: The integer register or memory is the source of pinsr and the destination of pextr.
PINSRB: Final = sse("pinsrb", P66, b"\x3a\x20", "mri", 1, feature=_SSE41)
PINSRW: Final = sse("pinsrw", P66, b"\xc4", "mri", 2)
PINSRD: Final = sse("pinsrd", P66, b"\x3a\x22", "mri", 4, feature=_SSE41)
PINSRQ: Final = sse("pinsrq", P66, b"\x3a\x22", "mri", 8, w=1, feature=_SSE41)
PEXTRB: Final = sse("pextrb", P66, b"\x3a\x14", "wri", 1, RM_FIRST, feature=_SSE41)
PEXTRW: Final = sse("pextrw", P66, b"\x3a\x15", "wri", 2, RM_FIRST, feature=_SSE41)
PEXTRD: Final = sse("pextrd", P66, b"\x3a\x16", "wri", 4, RM_FIRST, feature=_SSE41)
PEXTRQ: Final = sse("pextrq", P66, b"\x3a\x16", "wri", 8, RM_FIRST, w=1, feature=_SSE41)
INSERTPS: Final = sse("insertps", P66, b"\x3a\x21", "mri", 4, feature=_SSE41)
#: One bit of an integer register per lane.
PMOVMSKB: Final = _one("pmovmskb", b"\xd7", memory=0)
MOVMSKPS: Final = _one("movmskps", b"\x50", prefix=NP, memory=0)
MOVMSKPD: Final = _one("movmskpd", b"\x50", memory=0)

# Moves that extend lanes.
PMOVSXBW: Final = _one("pmovsxbw", b"\x38\x20", _SSE41, memory=8)
PMOVSXWD: Final = _one("pmovsxwd", b"\x38\x23", _SSE41, memory=8)
PMOVSXDQ: Final = _one("pmovsxdq", b"\x38\x25", _SSE41, memory=8)
PMOVZXBW: Final = _one("pmovzxbw", b"\x38\x30", _SSE41, memory=8)
PMOVZXWD: Final = _one("pmovzxwd", b"\x38\x33", _SSE41, memory=8)
PMOVZXDQ: Final = _one("pmovzxdq", b"\x38\x35", _SSE41, memory=8)
MOVDQU_RM: Final = sse("movdqu", PF3, b"\x6f", "wr", 16, UNALIGNED)
MOVDQU_MR: Final = sse("movdqu", PF3, b"\x7f", "wr", 16, UNALIGNED | RM_FIRST)

# Floating point.
ADDPS: Final = _swap("addps", b"\x58", prefix=NP)
ADDPD: Final = _swap("addpd", b"\x58")
SUBPS: Final = _two("subps", b"\x5c", prefix=NP)
SUBPD: Final = _two("subpd", b"\x5c")
MULPS: Final = _swap("mulps", b"\x59", prefix=NP)
MULPD: Final = _swap("mulpd", b"\x59")
DIVPS: Final = _two("divps", b"\x5e", prefix=NP)
DIVPD: Final = _two("divpd", b"\x5e")
MINPS: Final = _two("minps", b"\x5d", prefix=NP)
MINPD: Final = _two("minpd", b"\x5d")
MAXPS: Final = _two("maxps", b"\x5f", prefix=NP)
MAXPD: Final = _two("maxpd", b"\x5f")
SQRTPS: Final = _one("sqrtps", b"\x51", prefix=NP)
SQRTPD: Final = _one("sqrtpd", b"\x51")
ROUNDPS: Final = sse("roundps", P66, b"\x3a\x08", "wri", 16, feature=_SSE41)
ROUNDPD: Final = sse("roundpd", P66, b"\x3a\x09", "wri", 16, feature=_SSE41)
#: Immediate: 0 equal, 1 less, 2 less or equal, 3 unordered, 4 to 7 their negations.
CMPPS: Final = sse("cmpps", NP, b"\xc2", "mri", 16)
CMPPD: Final = sse("cmppd", P66, b"\xc2", "mri", 16)
CVTDQ2PS: Final = _one("cvtdq2ps", b"\x5b", prefix=NP)
CVTDQ2PD: Final = _one("cvtdq2pd", b"\xe6", prefix=PF3, memory=8)
CVTTPS2DQ: Final = _one("cvttps2dq", b"\x5b", prefix=PF3)
CVTTPD2DQ: Final = _one("cvttpd2dq", b"\xe6")
CVTPS2PD: Final = _one("cvtps2pd", b"\x5a", prefix=NP, memory=8)
CVTPD2PS: Final = _one("cvtpd2ps", b"\x5a")

# AVX and AVX2 alone.
VPBROADCASTB: Final = VexEncoding("vpbroadcastb", P66, 0, b"\x0f\x38\x78", "wr", _AVX2, flags=SSE, memory=1)
VPBROADCASTW: Final = VexEncoding("vpbroadcastw", P66, 0, b"\x0f\x38\x79", "wr", _AVX2, flags=SSE, memory=2)
VPBROADCASTD: Final = VexEncoding("vpbroadcastd", P66, 0, b"\x0f\x38\x58", "wr", _AVX2, flags=SSE, memory=4)
VPBROADCASTQ: Final = VexEncoding("vpbroadcastq", P66, 0, b"\x0f\x38\x59", "wr", _AVX2, flags=SSE, memory=8)
#: With memory alone: on registers it takes AVX2.
VBROADCASTSS_RM: Final = VexEncoding("vbroadcastss", P66, 0, b"\x0f\x38\x18", "wr", _AVX, flags=SSE, memory=4)
VPBLENDVB: Final = _blend("vpblendvb", b"\x0f\x3a\x4c")
VBLENDVPS: Final = _blend("vblendvps", b"\x0f\x3a\x4a")
VBLENDVPD: Final = _blend("vblendvpd", b"\x0f\x3a\x4b")
VPBLENDD: Final = VexEncoding("vpblendd", P66, 0, b"\x0f\x3a\x02", "wvri", _AVX2, flags=SSE, memory=16)

# FMA: 213 is d = d * x + y, 231 is d = x * y + d.
VFMADD213PS: Final = _fused("vfmadd213ps", b"\x0f\x38\xa8", 0)
VFMADD213PD: Final = _fused("vfmadd213pd", b"\x0f\x38\xa8", 1)
VFMADD231PS: Final = _fused("vfmadd231ps", b"\x0f\x38\xb8", 0)
VFMADD231PD: Final = _fused("vfmadd231pd", b"\x0f\x38\xb8", 1)
VFNMADD213PS: Final = _fused("vfnmadd213ps", b"\x0f\x38\xac", 0)
VFNMADD213PD: Final = _fused("vfnmadd213pd", b"\x0f\x38\xac", 1)
VFNMADD231PS: Final = _fused("vfnmadd231ps", b"\x0f\x38\xbc", 0)
VFNMADD231PD: Final = _fused("vfnmadd231pd", b"\x0f\x38\xbc", 1)

# AVX-512.
VPABSQ: Final = _evex("vpabsq", b"\x0f\x38\x1f", "wr", _VL, 1)
VPMULLQ: Final = _evex("vpmullq", b"\x0f\x38\x40", "wvr", _DQ, 1)
VPSRAQ: Final = _evex("vpsraq", b"\x0f\xe2", "wvr", _VL, 1)
VPSRAQ_I: Final = _evex("vpsraq", b"\x0f\x72", "Vri", _VL, 1, digit=4)
VPROLD_I: Final = _evex("vprold", b"\x0f\x72", "Vri", _VL, digit=1)
VPROLQ_I: Final = _evex("vprolq", b"\x0f\x72", "Vri", _VL, 1, digit=1)
#: The immediate is the table of d << 2 | x << 1 | y, for each bit.
VPTERNLOGD: Final = _evex("vpternlogd", b"\x0f\x3a\x25", "mvri", _VL)
VPOPCNTB: Final = _evex("vpopcntb", b"\x0f\x38\x54", "wr", "avx512bitalg")
#: d = bytes by numbers, in d, of x and y.
VPERMI2B: Final = _evex("vpermi2b", b"\x0f\x38\x75", "mvr", "avx512vbmi")
VCVTUDQ2PS: Final = _evex("vcvtudq2ps", b"\x0f\x7a", "wr", _VL, prefix=PF2)
VCVTUDQ2PD: Final = _evex("vcvtudq2pd", b"\x0f\x7a", "wr", _VL, prefix=PF3)
VCVTTPS2UDQ: Final = _evex("vcvttps2udq", b"\x0f\x78", "wr", _VL, prefix=NP)
VCVTTPD2UDQ: Final = _evex("vcvttpd2udq", b"\x0f\x78", "wr", _VL, 1, prefix=NP)
