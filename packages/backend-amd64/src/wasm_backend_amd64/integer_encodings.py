"""The rows of integer instructions that want operands in given registers, or are parts of longer sequences."""

from __future__ import annotations

from wasm_backend_amd64.encodings import NP, RM_FIRST, Encoding

MUL_R32 = MUL_M32 = Encoding("mul", NP, 0, b"\xf7", 4)
MUL_R64 = MUL_M64 = Encoding("mul", NP, 1, b"\xf7", 4)
IMUL_R32 = IMUL_M32 = Encoding("imul", NP, 0, b"\xf7", 5)
IMUL_R64 = IMUL_M64 = Encoding("imul", NP, 1, b"\xf7", 5)
DIV_R32 = DIV_M32 = Encoding("div", NP, 0, b"\xf7", 6)
DIV_R64 = DIV_M64 = Encoding("div", NP, 1, b"\xf7", 6)
IDIV_R32 = IDIV_M32 = Encoding("idiv", NP, 0, b"\xf7", 7)
IDIV_R64 = IDIV_M64 = Encoding("idiv", NP, 1, b"\xf7", 7)
BSF_RR32 = BSF_RM32 = Encoding("bsf", NP, 0, b"\x0f\xbc")
BSF_RR64 = BSF_RM64 = Encoding("bsf", NP, 1, b"\x0f\xbc")
BSR_RR32 = BSR_RM32 = Encoding("bsr", NP, 0, b"\x0f\xbd")
BSR_RR64 = BSR_RM64 = Encoding("bsr", NP, 1, b"\x0f\xbd")

# With the prefix that makes it one step (SDM 9.1.2.2), which comes before REX.
LOCK_CMPXCHG_MR64 = Encoding("lock cmpxchg", b"\xf0", 1, b"\x0f\xb1", flags=RM_FIRST)

# Shifts: R and M by cl, R1 and M1 by one.


def _shift(name: str, w: int, digit: int) -> tuple[Encoding, Encoding]:
    return Encoding(name, NP, w, b"\xd3", digit), Encoding(name, NP, w, b"\xd1", digit)


ROL_R32, ROL_R1_32 = ROL_M32, ROL_M1_32 = _shift("rol", 0, 0)
ROL_R64, ROL_R1_64 = ROL_M64, ROL_M1_64 = _shift("rol", 1, 0)
ROR_R32, ROR_R1_32 = ROR_M32, ROR_M1_32 = _shift("ror", 0, 1)
ROR_R64, ROR_R1_64 = ROR_M64, ROR_M1_64 = _shift("ror", 1, 1)
SHL_R32, SHL_R1_32 = SHL_M32, SHL_M1_32 = _shift("shl", 0, 4)
SHL_R64, SHL_R1_64 = SHL_M64, SHL_M1_64 = _shift("shl", 1, 4)
SHR_R32, SHR_R1_32 = SHR_M32, SHR_M1_32 = _shift("shr", 0, 5)
SHR_R64, SHR_R1_64 = SHR_M64, SHR_M1_64 = _shift("shr", 1, 5)
SAR_R32, SAR_R1_32 = SAR_M32, SAR_M1_32 = _shift("sar", 0, 7)
SAR_R64, SAR_R1_64 = SAR_M64, SAR_M1_64 = _shift("sar", 1, 7)
