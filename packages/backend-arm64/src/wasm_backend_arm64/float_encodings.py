"""The rows of floating-point instructions that compute and convert."""

from __future__ import annotations

from wasm_backend_arm64.encodings import Encoding, conversions, floats

FADD_RRR32, FADD_RRR64 = floats("fadd", 0x1E20_2800, "wrr")
FSUB_RRR32, FSUB_RRR64 = floats("fsub", 0x1E20_3800, "wrr")
FMUL_RRR32, FMUL_RRR64 = floats("fmul", 0x1E20_0800, "wrr")
FDIV_RRR32, FDIV_RRR64 = floats("fdiv", 0x1E20_1800, "wrr")
FMAX_RRR32, FMAX_RRR64 = floats("fmax", 0x1E20_4800, "wrr")
FMIN_RRR32, FMIN_RRR64 = floats("fmin", 0x1E20_5800, "wrr")
FABS_RR32, FABS_RR64 = floats("fabs", 0x1E20_C000, "wr")
FNEG_RR32, FNEG_RR64 = floats("fneg", 0x1E21_4000, "wr")
FSQRT_RR32, FSQRT_RR64 = floats("fsqrt", 0x1E21_C000, "wr")
FRINTN_RR32, FRINTN_RR64 = floats("frintn", 0x1E24_4000, "wr")
FRINTP_RR32, FRINTP_RR64 = floats("frintp", 0x1E24_C000, "wr")
FRINTM_RR32, FRINTM_RR64 = floats("frintm", 0x1E25_4000, "wr")
FRINTZ_RR32, FRINTZ_RR64 = floats("frintz", 0x1E25_C000, "wr")
FCVT_RR64_32 = Encoding("fcvt.f64.f32", 0x1E22_C000, "wr")  # to double from single
FCVT_RR32_64 = Encoding("fcvt.f32.f64", 0x1E62_4000, "wr")  # to single from double
# Conversions: the integer's width, then the float's.
FCVTZS_RR32_32, FCVTZS_RR64_32, FCVTZS_RR32_64, FCVTZS_RR64_64 = conversions("fcvtzs", 0x1E38_0000)
FCVTZU_RR32_32, FCVTZU_RR64_32, FCVTZU_RR32_64, FCVTZU_RR64_64 = conversions("fcvtzu", 0x1E39_0000)
SCVTF_RR32_32, SCVTF_RR64_32, SCVTF_RR32_64, SCVTF_RR64_64 = conversions("scvtf", 0x1E22_0000)
UCVTF_RR32_32, UCVTF_RR64_32, UCVTF_RR32_64, UCVTF_RR64_64 = conversions("ucvtf", 0x1E23_0000)
# Vectors: what copies a sign.
USHR31_RR2S = Encoding("ushr.2s", 0x2F21_0400, "wr")
USHR63_RR64 = Encoding("ushr.1d", 0x7F41_0400, "wr")
SLI31_RR2S = Encoding("sli.2s", 0x2F3F_5400, "mr")
SLI63_RR64 = Encoding("sli.1d", 0x7F7F_5400, "mr")
