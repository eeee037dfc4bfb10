"""The rows of scalar SSE instructions that compute and convert, and what else conversions need (see encodings.py)."""

from __future__ import annotations

from wasm_backend_amd64.encodings import COMMUTATIVE, NP, P66, PF2, PF3, Encoding, sse

ADDSS_RR = ADDSS_RM = sse("addss", PF3, b"\x58", "mr", 4, COMMUTATIVE)
ADDSD_RR = ADDSD_RM = sse("addsd", PF2, b"\x58", "mr", 8, COMMUTATIVE)
MULSS_RR = MULSS_RM = sse("mulss", PF3, b"\x59", "mr", 4, COMMUTATIVE)
MULSD_RR = MULSD_RM = sse("mulsd", PF2, b"\x59", "mr", 8, COMMUTATIVE)
SUBSS_RR = SUBSS_RM = sse("subss", PF3, b"\x5c", "mr", 4)
SUBSD_RR = SUBSD_RM = sse("subsd", PF2, b"\x5c", "mr", 8)
MINSS_RR = MINSS_RM = sse("minss", PF3, b"\x5d", "mr", 4)
MINSD_RR = MINSD_RM = sse("minsd", PF2, b"\x5d", "mr", 8)
DIVSS_RR = DIVSS_RM = sse("divss", PF3, b"\x5e", "mr", 4)
DIVSD_RR = DIVSD_RM = sse("divsd", PF2, b"\x5e", "mr", 8)
MAXSS_RR = MAXSS_RM = sse("maxss", PF3, b"\x5f", "mr", 4)
MAXSD_RR = MAXSD_RM = sse("maxsd", PF2, b"\x5f", "mr", 8)
SQRTSS_RR = SQRTSS_RM = sse("sqrtss", PF3, b"\x51", "cr", 4)
SQRTSD_RR = SQRTSD_RM = sse("sqrtsd", PF2, b"\x51", "cr", 8)
CMPSS_RRI = CMPSS_RMI = sse("cmpss", PF3, b"\xc2", "mri", 4)
CMPSD_RRI = CMPSD_RMI = sse("cmpsd", PF2, b"\xc2", "mri", 8)
#: SSE4.1. Immediate: 8 | (0 nearest even, 1 down, 2 up, 3 towards zero); 8 keeps the precision exception quiet.
ROUNDSS_RRI = ROUNDSS_RMI = sse("roundss", P66, b"\x3a\x0a", "cri", 4, feature="sse4_1")
ROUNDSD_RRI = ROUNDSD_RMI = sse("roundsd", P66, b"\x3a\x0b", "cri", 8, feature="sse4_1")

# 128-bit bitwise operations; a memory operand must be aligned to 16 bytes.
ANDPS_RR = ANDPS_RM = sse("andps", NP, b"\x54", "mr", 16, COMMUTATIVE)
ANDPD_RR = ANDPD_RM = sse("andpd", P66, b"\x54", "mr", 16, COMMUTATIVE)
ANDNPS_RR = ANDNPS_RM = sse("andnps", NP, b"\x55", "mr", 16)
ANDNPD_RR = ANDNPD_RM = sse("andnpd", P66, b"\x55", "mr", 16)
ORPS_RR = ORPS_RM = sse("orps", NP, b"\x56", "mr", 16, COMMUTATIVE)
ORPD_RR = ORPD_RM = sse("orpd", P66, b"\x56", "mr", 16, COMMUTATIVE)
XORPD_RR = XORPD_RM = sse("xorpd", P66, b"\x57", "mr", 16, COMMUTATIVE)

# The number at the end is the size of the integer.
CVTSI2SS_RR32 = CVTSI2SS_RM32 = sse("cvtsi2ss", PF3, b"\x2a", "cr", 4)
CVTSI2SS_RR64 = CVTSI2SS_RM64 = sse("cvtsi2ss", PF3, b"\x2a", "cr", 8, w=1)
CVTSI2SD_RR32 = CVTSI2SD_RM32 = sse("cvtsi2sd", PF2, b"\x2a", "cr", 4)
CVTSI2SD_RR64 = CVTSI2SD_RM64 = sse("cvtsi2sd", PF2, b"\x2a", "cr", 8, w=1)
CVTTSS2SI_RR32 = CVTTSS2SI_RM32 = sse("cvttss2si", PF3, b"\x2c", "wr", 4)
CVTTSS2SI_RR64 = CVTTSS2SI_RM64 = sse("cvttss2si", PF3, b"\x2c", "wr", 4, w=1)
CVTTSD2SI_RR32 = CVTTSD2SI_RM32 = sse("cvttsd2si", PF2, b"\x2c", "wr", 8)
CVTTSD2SI_RR64 = CVTTSD2SI_RM64 = sse("cvttsd2si", PF2, b"\x2c", "wr", 8, w=1)
CVTSS2SD_RR = CVTSS2SD_RM = sse("cvtss2sd", PF3, b"\x5a", "cr", 4)
CVTSD2SS_RR = CVTSD2SS_RM = sse("cvtsd2ss", PF2, b"\x5a", "cr", 8)

#: By one.
SHR_R1_64 = SHR_M1_64 = Encoding("shr", NP, 1, b"\xd1", 5)
