"""Floating-point instructions other than arithmetic: conversions, signs, rounding."""

from __future__ import annotations

from wasm_backend_arm64 import assembler as asm
from wasm_backend_arm64 import encodings as e
from wasm_backend_arm64 import float_encodings as f
from wasm_backend_arm64.encodings import (
    CC_EQ,
    CC_LE,
    CC_MI,
    CC_NE,
    CC_VS,
    FLOAT_IMMEDIATES32,
    FLOAT_IMMEDIATES64,
    Encoding,
)
from wasm_backend_arm64.forms import on_registers
from wasm_backend_arm64.operands import branch
from wasm_backend_arm64.registers import FLOAT_SCRATCH, SCRATCH, ZR
from wasm_core.errors import TrapCode
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.codegen.machinst import MInst, MOp
from wasm_ir.codegen.tables import FLOATS, by_operation, by_type, forms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_ir.codegen.emission import Emitter

_F32, _F64, _I32, _I64 = types.F32, types.F64, types.I32, types.I64


class CopySign(MOp):
    """d = d with the sign of s: the sign bit of s, shifted down, is inserted at the top of d."""

    __slots__ = ("insert", "isolate")

    def __init__(self, name: str, isolate: Encoding, insert: Encoding) -> None:
        super().__init__(name, tied=True)
        self.isolate = isolate
        self.insert = insert

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        destination = inst.defs[0]
        code = emitter.code
        if destination != inst.uses[0]:
            asm.rr(code, e.FMOV_RR64, destination, inst.uses[0])
        asm.rr(code, self.isolate, FLOAT_SCRATCH, inst.uses[1])
        asm.rr(code, self.insert, destination, FLOAT_SCRATCH)


# Conversions to integers saturate and make 0 of NaN (DDI 0487, FPToFixed), which is what the `sat` operations want.


class _ToInteger(MOp):
    """Base of the conversions that trap."""

    __slots__ = ("compare", "single", "to_signed", "to_unsigned")

    def __init__(self, name: str, source_type: int) -> None:
        # Late: the source is looked at again after the result has been written (they differ in class, but say so).
        super().__init__(name, late=True)
        single = source_type == _F32
        self.single = single
        self.compare = e.FCMP_RR32 if single else e.FCMP_RR64
        self.to_signed = f.FCVTZS_RR64_32 if single else f.FCVTZS_RR64_64
        self.to_unsigned = f.FCVTZU_RR64_32 if single else f.FCVTZU_RR64_64

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        raise NotImplementedError

    def _trap_unordered(self, emitter: Emitter, inst: MInst) -> None:
        branch(emitter, CC_VS, emitter.trap_label(TrapCode.INVALID_CONVERSION_TO_INTEGER, inst.offset))

    def _trap_overflow(self, emitter: Emitter, inst: MInst, condition: int) -> None:
        branch(emitter, condition, emitter.trap_label(TrapCode.INTEGER_OVERFLOW, inst.offset))


class ToInteger32(_ToInteger):
    """d = truncated s, an i32: a 64-bit integer that must be the extension of its lower half."""

    __slots__ = ("extension",)

    def __init__(self, name: str, source_type: int, extension: int) -> None:
        super().__init__(name, source_type)
        self.extension = e.extended(extension)

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        destination = inst.defs[0]
        source = inst.uses[0]
        code = emitter.code
        asm.cmp_rr(code, self.compare, source, source)
        self._trap_unordered(emitter, inst)
        asm.rr(code, self.to_signed, destination, source)
        asm.rrr(code, e.SUBS_RRX64, ZR, destination, destination, self.extension)
        self._trap_overflow(emitter, inst, CC_NE)
        if self.extension == e.extended(e.SXTW):
            asm.rrr(code, e.ORR_RRR32, destination, ZR, destination)


class ToSigned64(_ToInteger):
    """d = truncated s, an i64. No float is 2^63 - 1, so that is what overflow gives."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        destination = inst.defs[0]
        source = inst.uses[0]
        code = emitter.code
        # -2^63
        asm.load_integer(code, SCRATCH, 0xDF00_0000 if self.single else 0xC3E0 << 48)
        asm.rr(code, e.FMOV_RX32 if self.single else e.FMOV_RX64, FLOAT_SCRATCH, SCRATCH)
        asm.cmp_rr(code, self.compare, source, FLOAT_SCRATCH)
        self._trap_unordered(emitter, inst)
        self._trap_overflow(emitter, inst, CC_MI)
        asm.rr(code, self.to_signed, destination, source)
        asm.rri(code, e.ADDS_RRI64, ZR, destination, 1)
        self._trap_overflow(emitter, inst, CC_VS)


class ToUnsigned64(_ToInteger):
    """The same, unsigned. No float is 2^64 - 1."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        destination = inst.defs[0]
        source = inst.uses[0]
        code = emitter.code
        if self.single:
            asm.rf(code, e.FMOV_RF32, FLOAT_SCRATCH, FLOAT_IMMEDIATES32[0xBF80_0000])
        else:
            asm.rf(code, e.FMOV_RF64, FLOAT_SCRATCH, FLOAT_IMMEDIATES64[0xBFF0 << 48])
        asm.cmp_rr(code, self.compare, source, FLOAT_SCRATCH)
        self._trap_unordered(emitter, inst)
        self._trap_overflow(emitter, inst, CC_LE)
        asm.rr(code, self.to_unsigned, destination, source)
        asm.rri(code, e.ADDS_RRI64, ZR, destination, 1)
        self._trap_overflow(emitter, inst, CC_EQ)


_FLOAT_RRR = {
    op.FADD: (f.FADD_RRR32, f.FADD_RRR64),
    op.FSUB: (f.FSUB_RRR32, f.FSUB_RRR64),
    op.FMUL: (f.FMUL_RRR32, f.FMUL_RRR64),
    op.FDIV: (f.FDIV_RRR32, f.FDIV_RRR64),
    # NaN if either operand is one, and -0 < +0, as WebAssembly has it (DDI 0487, FPMin).
    op.FMIN: (f.FMIN_RRR32, f.FMIN_RRR64),
    op.FMAX: (f.FMAX_RRR32, f.FMAX_RRR64),
}
#: By operation << 3 | type.
FLOAT_BINARY: Final = forms(on_registers, by_operation(_FLOAT_RRR, FLOATS))
#: By operation << 3 | type of the result.
FLOAT_UNARY: Final = forms(
    on_registers,
    {
        **by_operation(
            {
                op.FABS: (f.FABS_RR32, f.FABS_RR64),
                op.FNEG: (f.FNEG_RR32, f.FNEG_RR64),
                op.FSQRT: (f.FSQRT_RR32, f.FSQRT_RR64),
                op.FCEIL: (f.FRINTP_RR32, f.FRINTP_RR64),
                op.FFLOOR: (f.FRINTM_RR32, f.FRINTM_RR64),
                op.FTRUNC: (f.FRINTZ_RR32, f.FRINTZ_RR64),
                op.FNEAREST: (f.FRINTN_RR32, f.FRINTN_RR64),
            },
            FLOATS,
        ),
        op.DEMOTE << 3 | _F32: f.FCVT_RR32_64,
        op.PROMOTE << 3 | _F64: f.FCVT_RR64_32,
    },
)
COPY_SIGN: Final = {
    _F32: CopySign("fcopysign.f32", f.USHR31_RR2S, f.SLI31_RR2S),
    _F64: CopySign("fcopysign.f64", f.USHR63_RR64, f.SLI63_RR64),
}
#: Integer to float: (operation, type of the integer, type of the float).
FROM_INTEGER: Final = {
    (op.ITOF_S, _I32, _F32): on_registers(f.SCVTF_RR32_32),
    (op.ITOF_S, _I32, _F64): on_registers(f.SCVTF_RR32_64),
    (op.ITOF_S, _I64, _F32): on_registers(f.SCVTF_RR64_32),
    (op.ITOF_S, _I64, _F64): on_registers(f.SCVTF_RR64_64),
    (op.ITOF_U, _I32, _F32): on_registers(f.UCVTF_RR32_32),
    (op.ITOF_U, _I32, _F64): on_registers(f.UCVTF_RR32_64),
    (op.ITOF_U, _I64, _F32): on_registers(f.UCVTF_RR64_32),
    (op.ITOF_U, _I64, _F64): on_registers(f.UCVTF_RR64_64),
}
#: Float to integer: (operation, type of the float, type of the integer).
TO_INTEGER: Final[dict[tuple[int, int, int], MOp]] = {
    (op.FTOI_SAT_S, _F32, _I32): on_registers(f.FCVTZS_RR32_32),
    (op.FTOI_SAT_S, _F64, _I32): on_registers(f.FCVTZS_RR32_64),
    (op.FTOI_SAT_S, _F32, _I64): on_registers(f.FCVTZS_RR64_32),
    (op.FTOI_SAT_S, _F64, _I64): on_registers(f.FCVTZS_RR64_64),
    (op.FTOI_SAT_U, _F32, _I32): on_registers(f.FCVTZU_RR32_32),
    (op.FTOI_SAT_U, _F64, _I32): on_registers(f.FCVTZU_RR32_64),
    (op.FTOI_SAT_U, _F32, _I64): on_registers(f.FCVTZU_RR64_32),
    (op.FTOI_SAT_U, _F64, _I64): on_registers(f.FCVTZU_RR64_64),
    **{(op.FTOI_S, t, _I32): ToInteger32("ftoi_s.i32", t, e.SXTW) for t in (_F32, _F64)},
    **{(op.FTOI_U, t, _I32): ToInteger32("ftoi_u.i32", t, e.UXTW) for t in (_F32, _F64)},
    **{(op.FTOI_S, t, _I64): ToSigned64("ftoi_s.i64", t) for t in (_F32, _F64)},
    **{(op.FTOI_U, t, _I64): ToUnsigned64("ftoi_u.i64", t) for t in (_F32, _F64)},
}
#: The same bits in the other class, by the result's type.
BITCAST: Final = forms(
    on_registers,
    {
        **by_type((e.FMOV_XR32, e.FMOV_XR64)),
        **by_type((e.FMOV_RX32, e.FMOV_RX64), FLOATS),
    },
)
