"""Floating-point instructions that take more than one encoding."""

from __future__ import annotations

from wasm_backend_amd64 import assembler as asm
from wasm_backend_amd64 import encodings as e
from wasm_backend_amd64 import float_encodings as f
from wasm_backend_amd64.assembler import rr as _rr
from wasm_backend_amd64.conditions import CC_DIFFERENT, Comparison
from wasm_backend_amd64.encodings import CC_A, CC_AE, CC_B, CC_BE, CC_E, CC_NE, CC_NO, CC_NS, CC_P, CC_S, Encoding
from wasm_backend_amd64.forms import load_integer, on_memory, on_registers
from wasm_backend_amd64.operands import branch, jump, rm_constant, rm_frame
from wasm_backend_amd64.registers import FLOAT_SCRATCH, SCRATCH
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
_SIGN: Final = {_F32: 1 << 31, _F64: 1 << 63}


def _patch(code: bytearray, *positions: int) -> None:
    """Short jumps at these positions go to the end of the code."""
    for position in positions:
        asm.patch_rel8(code, position, len(code))


class MinMax(MOp):
    """d = min(d, s) or max: a NaN if either is one, and -0 < +0."""

    __slots__ = ("combine", "operation", "value_type")

    def __init__(self, name: str, value_type: int, operation: Encoding, combine: Encoding) -> None:
        """`combine`: bitwise operation that chooses between equal operands, which may be zeros of either sign."""
        super().__init__(name, tied=True)
        self.value_type = value_type
        self.operation = operation
        self.combine = combine

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        destination = inst.defs[0]
        source = inst.uses[1]
        code = emitter.code
        single = self.value_type == _F32
        if destination != inst.uses[0]:
            _rr(code, e.MOVAPS_RR, destination, inst.uses[0])
        _rr(code, e.UCOMISS_RR if single else e.UCOMISD_RR, destination, source)
        ordered = asm.jcc8(code, CC_NE)
        unordered = asm.jcc8(code, CC_P)
        _rr(code, self.combine, destination, source)
        done = asm.jmp8(code)
        _patch(code, unordered)
        _rr(code, f.ADDSS_RR if single else f.ADDSD_RR, destination, source)
        done2 = asm.jmp8(code)
        _patch(code, ordered)
        _rr(code, self.operation, destination, source)
        _patch(code, done, done2)


class CopySign(MOp):
    """d = d with the sign of s."""

    __slots__ = ("magnitude", "sign")

    def __init__(self, name: str, sign: int, magnitude: int) -> None:
        super().__init__(name, tied=True)
        self.sign = sign
        self.magnitude = magnitude

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        destination = inst.defs[0]
        code = emitter.code
        if destination != inst.uses[0]:
            _rr(code, e.MOVAPS_RR, destination, inst.uses[0])
        _rr(code, e.MOVAPS_RR, FLOAT_SCRATCH, inst.uses[1])
        rm_constant(emitter, f.ANDPS_RM, FLOAT_SCRATCH, self.sign, 16)
        rm_constant(emitter, f.ANDPS_RM, destination, self.magnitude, 16)
        _rr(code, f.ORPS_RR, destination, FLOAT_SCRATCH)


class FromUnsigned64(MOp):
    """d = unsigned 64-bit integer as a float. defs[1] is a temporary."""

    __slots__ = ("add", "convert")

    def __init__(self, name: str, convert: Encoding, add: Encoding) -> None:
        super().__init__(name, temps=1)
        self.convert = convert
        self.add = add

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        destination, half = inst.defs
        source = inst.uses[0]
        code = emitter.code
        _rr(code, e.XORPS_RR, destination, destination)
        _rr(code, e.TEST_RR64, source, source)
        negative = asm.jcc8(code, CC_S)
        _rr(code, self.convert, destination, source)
        done = asm.jmp8(code)
        _patch(code, negative)
        # Half of it, the lowest bit kept so that rounding sees it, and double that.
        _rr(code, e.MOV_RR64, half, source)
        asm.r(code, f.SHR_R1_64, half)
        _rr(code, e.MOV_RR32, SCRATCH, source)
        asm.ri(code, e.AND_RI32, SCRATCH, 1)
        _rr(code, e.OR_RR64, half, SCRATCH)
        _rr(code, self.convert, destination, half)
        _rr(code, self.add, destination, destination)
        _patch(code, done)


class _ToInteger(MOp):
    """Base of the conversions from float to integer."""

    __slots__ = ("compare", "convert32", "convert64", "source_type", "subtract", "wide")

    def __init__(self, name: str, source_type: int, wide: bool) -> None:
        # Late: the source is looked at again after the result has been written (they differ in class, but say so).
        super().__init__(name, late=True)
        single = source_type == _F32
        self.source_type = source_type
        #: The result has 64 bits.
        self.wide = wide
        self.compare = e.UCOMISS_RR if single else e.UCOMISD_RR
        self.convert32 = f.CVTTSS2SI_RR32 if single else f.CVTTSD2SI_RR32
        self.convert64 = f.CVTTSS2SI_RR64 if single else f.CVTTSD2SI_RR64
        self.subtract = f.SUBSS_RM if single else f.SUBSD_RM

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        raise NotImplementedError

    def _constant(self, emitter: Emitter, encoding: Encoding, register: int, bits32: int, bits64: int) -> None:
        """An instruction on a register and a constant of the source's type, given in both widths."""
        if self.source_type == _F32:
            rm_constant(emitter, encoding, register, bits32, 4)
        else:
            rm_constant(emitter, encoding, register, bits64, 8)

    def _trap_unordered(self, emitter: Emitter, inst: MInst, source: int) -> None:
        _rr(emitter.code, self.compare, source, source)
        branch(emitter, CC_P, emitter.trap_label(TrapCode.INVALID_CONVERSION_TO_INTEGER, inst.offset))

    def _convert_upper_half(self, emitter: Emitter, destination: int, source: int) -> None:
        """Convert source - 2^63, and test the result's sign."""
        code = emitter.code
        _rr(code, e.MOVAPS_RR, FLOAT_SCRATCH, source)
        self._constant(emitter, self.subtract, FLOAT_SCRATCH, 0x5F00_0000, 0x43E0_0000_0000_0000)
        _rr(code, self.convert64, destination, FLOAT_SCRATCH)
        _rr(code, e.TEST_RR64, destination, destination)

    def _set_top_bit(self, emitter: Emitter, destination: int) -> None:
        load_integer(emitter, SCRATCH, 1 << 63)
        _rr(emitter.code, e.OR_RR64, destination, SCRATCH)


# The hardware gives INT_MIN for whatever does not fit and for NaN, so only that result needs a second look.


class ToSigned(_ToInteger):
    """d = truncated s; traps."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        destination = inst.defs[0]
        source = inst.uses[0]
        code = emitter.code
        _rr(code, self.convert64 if self.wide else self.convert32, destination, source)
        asm.ri(code, e.CMP_RI64 if self.wide else e.CMP_RI32, destination, 1)
        good = asm.jcc8(code, CC_NO)
        self._trap_unordered(emitter, inst, source)
        overflow = emitter.trap_label(TrapCode.INTEGER_OVERFLOW, inst.offset)
        # INT_MIN is right for numbers in (INT_MIN - 1, INT_MIN].
        if self.wide:
            self._constant(emitter, self.compare, source, 0xDF00_0000, 0xC3E0_0000_0000_0000)
            branch(emitter, CC_B, overflow)
        else:
            # f32 has no number between -2147483648 and -2147483904; f64's bound is -2147483649.
            self._constant(emitter, self.compare, source, 0xCF00_0000, 0xC1E0_0000_0020_0000)
            branch(emitter, CC_B if self.source_type == _F32 else CC_BE, overflow)
        _rr(code, e.XORPS_RR, FLOAT_SCRATCH, FLOAT_SCRATCH)
        _rr(code, self.compare, source, FLOAT_SCRATCH)
        branch(emitter, CC_AE, overflow)
        _patch(code, good)


class ToUnsigned(_ToInteger):
    """d = truncated s, unsigned; traps."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        destination = inst.defs[0]
        source = inst.uses[0]
        code = emitter.code
        _rr(code, self.convert64, destination, source)
        if not self.wide:
            _rr(code, e.MOV_RR32, SCRATCH, destination)
            _rr(code, e.CMP_RR64, SCRATCH, destination)
            good = asm.jcc8(code, CC_E)
            self._trap_unordered(emitter, inst, source)
            jump(emitter, emitter.trap_label(TrapCode.INTEGER_OVERFLOW, inst.offset))
            _patch(code, good)
            return
        _rr(code, e.TEST_RR64, destination, destination)
        good = asm.jcc8(code, CC_NS)
        self._trap_unordered(emitter, inst, source)
        self._convert_upper_half(emitter, destination, source)
        branch(emitter, CC_S, emitter.trap_label(TrapCode.INTEGER_OVERFLOW, inst.offset))
        self._set_top_bit(emitter, destination)
        _patch(code, good)


class ToSignedSaturating(_ToInteger):
    """d = truncated s, the nearest integer when it does not fit, 0 for NaN."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        destination = inst.defs[0]
        source = inst.uses[0]
        code = emitter.code
        _rr(code, self.convert64 if self.wide else self.convert32, destination, source)
        asm.ri(code, e.CMP_RI64 if self.wide else e.CMP_RI32, destination, 1)
        good = asm.jcc8(code, CC_NO)
        _rr(code, e.XORPS_RR, FLOAT_SCRATCH, FLOAT_SCRATCH)
        _rr(code, self.compare, source, FLOAT_SCRATCH)
        nan = asm.jcc8(code, CC_P)
        negative = asm.jcc8(code, CC_B)
        asm.r(code, e.NOT_R64 if self.wide else e.NOT_R32, destination)
        done = asm.jmp8(code)
        _patch(code, nan)
        _rr(code, e.XOR_RR32, destination, destination)
        _patch(code, good, negative, done)


class ToUnsignedSaturating(_ToInteger):
    """The same, unsigned."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        destination = inst.defs[0]
        source = inst.uses[0]
        code = emitter.code
        _rr(code, self.convert64, destination, source)
        if self.wide:
            _rr(code, e.TEST_RR64, destination, destination)
            good = asm.jcc8(code, CC_NS)
        else:
            _rr(code, e.MOV_RR32, SCRATCH, destination)
            _rr(code, e.CMP_RR64, SCRATCH, destination)
            good = asm.jcc8(code, CC_E)
        _rr(code, e.XORPS_RR, FLOAT_SCRATCH, FLOAT_SCRATCH)
        _rr(code, self.compare, source, FLOAT_SCRATCH)
        positive = asm.jcc8(code, CC_A)
        _rr(code, e.XOR_RR32, destination, destination)
        done = asm.jmp8(code)
        _patch(code, positive)
        if self.wide:
            self._convert_upper_half(emitter, destination, source)
            too_large = asm.jcc8(code, CC_S)
            self._set_top_bit(emitter, destination)
            done2 = asm.jmp8(code)
            _patch(code, too_large)
            asm.ri(code, e.MOV_RI64_S32, destination, -1)
            _patch(code, done2)
        else:
            asm.ri(code, e.MOV_RI32, destination, 0xFFFF_FFFF)
        _patch(code, good, done)


def _twice(bits: int, size: int) -> int:
    """A mask as wide as an SSE register."""
    return sum(bits << 8 * size * i for i in range(16 // size))


_SIGNS: Final = {t: _twice(_SIGN[t], types.BYTES[t]) for t in (_F32, _F64)}
_MAGNITUDES: Final = {t: _twice(_SIGN[t] - 1, types.BYTES[t]) for t in (_F32, _F64)}

#: By operation << 3 | type.
MIN_MAX: Final = {
    op.FMIN << 3 | _F32: MinMax("fmin.f32", _F32, f.MINSS_RR, f.ORPS_RR),
    op.FMIN << 3 | _F64: MinMax("fmin.f64", _F64, f.MINSD_RR, f.ORPS_RR),
    op.FMAX << 3 | _F32: MinMax("fmax.f32", _F32, f.MAXSS_RR, f.ANDPS_RR),
    op.FMAX << 3 | _F64: MinMax("fmax.f64", _F64, f.MAXSD_RR, f.ANDPS_RR),
}
#: Signs removed and changed, by operation: with a constant.
SIGN_BITS: Final = {op.FABS: f.ANDPS_RM, op.FNEG: e.XORPS_RM}
#: Operation << 3 | type -> the constant for that, as wide as these instructions read memory.
SIGN_MASKS: Final = {
    **{op.FABS << 3 | t: mask for t, mask in _MAGNITUDES.items()},
    **{op.FNEG << 3 | t: mask for t, mask in _SIGNS.items()},
}
COPY_SIGN: Final = {
    _F32: CopySign("fcopysign.f32", _SIGNS[_F32], _MAGNITUDES[_F32]),
    _F64: CopySign("fcopysign.f64", _SIGNS[_F64], _MAGNITUDES[_F64]),
}

#: Rows on floats, of which forms.py makes what is needed: by operation << 3 | type.
FLOAT_BINARY: Final = {
    op.FADD << 3 | _F32: f.ADDSS_RR,
    op.FADD << 3 | _F64: f.ADDSD_RR,
    op.FSUB << 3 | _F32: f.SUBSS_RR,
    op.FSUB << 3 | _F64: f.SUBSD_RR,
    op.FMUL << 3 | _F32: f.MULSS_RR,
    op.FMUL << 3 | _F64: f.MULSD_RR,
    op.FDIV << 3 | _F32: f.DIVSS_RR,
    op.FDIV << 3 | _F64: f.DIVSD_RR,
}
FLOAT_UNARY: Final = {
    op.FSQRT << 3 | _F32: f.SQRTSS_RR,
    op.FSQRT << 3 | _F64: f.SQRTSD_RR,
    op.DEMOTE << 3 | _F32: f.CVTSD2SS_RR,
    op.PROMOTE << 3 | _F64: f.CVTSS2SD_RR,
}
#: By type.
ROUND: Final = {_F32: f.ROUNDSS_RRI, _F64: f.ROUNDSD_RRI}
_LOADS: Final = {_F32: e.MOVSS_RM, _F64: e.MOVSD_RM, types.V128: e.MOVAPS_RM}


class SelectFloat(MOp):
    """The same for SSE registers, by a branch."""

    __slots__ = ("code", "comparison", "load")

    def __init__(self, comparison: Comparison, code: int, value_type: int) -> None:
        super().__init__(f"select.{comparison.name}", tied=True, stack_use=1)
        self.comparison = comparison
        self.code = code
        self.load = _LOADS[value_type]

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        destination = inst.defs[0]
        source = inst.uses[1]
        code = emitter.code
        if destination != inst.uses[0]:
            asm.rr(code, e.MOVAPS_RR, destination, inst.uses[0])
        self.comparison.emit(emitter, inst, 2, inst.offset)
        parity = -1
        if self.code == CC_DIFFERENT:
            parity = asm.jcc8(code, CC_P)
            over = asm.jcc8(code, CC_E)
            asm.patch_rel8(code, parity, len(code))
        else:
            over = asm.jcc8(code, self.code ^ 1)
        if source >= 0:
            asm.rr(code, e.MOVAPS_RR, destination, source)
        else:
            rm_frame(emitter, self.load, destination, source)
        asm.patch_rel8(code, over, len(code))


#: roundss immediates; 8 suppresses the precision exception.
ROUNDING_MODES: Final = {op.FNEAREST: 8, op.FFLOOR: 9, op.FCEIL: 10, op.FTRUNC: 11}

#: Integer to float: integer type << 3 | float type -> signed conversion.
_FROM_SIGNED = {
    _I32: (f.CVTSI2SS_RR32, f.CVTSI2SD_RR32),
    _I64: (f.CVTSI2SS_RR64, f.CVTSI2SD_RR64),
}
FROM_SIGNED: Final = forms(on_registers, by_operation(_FROM_SIGNED, FLOATS))
FROM_SIGNED_LOAD: Final = forms(on_memory, by_operation(_FROM_SIGNED, FLOATS))
FROM_UNSIGNED64: Final = {
    _F32: FromUnsigned64("cvt.u64.f32", f.CVTSI2SS_RR64, f.ADDSS_RR),
    _F64: FromUnsigned64("cvt.u64.f64", f.CVTSI2SD_RR64, f.ADDSD_RR),
}
#: (operation, float type, whether the result has 64 bits)
TO_INTEGER: Final = {
    (code, t, wide): form(f"{op.NAMES[code]}.{types.NAMES[t]}.{64 if wide else 32}", t, wide)
    for code, form in (
        (op.FTOI_S, ToSigned),
        (op.FTOI_U, ToUnsigned),
        (op.FTOI_SAT_S, ToSignedSaturating),
        (op.FTOI_SAT_U, ToUnsignedSaturating),
    )
    for t in (_F32, _F64)
    for wide in (False, True)
}
#: The same bits in the other class, by the result's type.
BITCAST: Final = forms(
    on_registers,
    {
        **by_type((e.MOVD_RX, e.MOVQ_RX)),
        **by_type((e.MOVD_XR, e.MOVQ_XR), FLOATS),
    },
)
