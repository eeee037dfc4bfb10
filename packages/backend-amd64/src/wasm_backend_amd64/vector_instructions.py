"""Machine instructions on vectors: tables of rows by operation and shape, and their forms. Read with the first vector.

The tables have rows: there are two forms of each, one with a VEX prefix, which forms.py makes when they are needed.
"""

from __future__ import annotations

from functools import cache

from wasm_backend_amd64 import assembler as asm
from wasm_backend_amd64 import encodings as e
from wasm_backend_amd64 import vector_encodings as v
from wasm_backend_amd64.conditions import Comparison
from wasm_backend_amd64.conditions import Registers as ComparedRegisters
from wasm_backend_amd64.encodings import Encoding
from wasm_backend_amd64.forms import at_level
from wasm_ir import opcodes as op
from wasm_ir.codegen.machinst import MInst, MOp
from wasm_ir.opcodes import F32X4, F64X2, HIGH_HALF, I8X16, I16X8, I32X4, I64X2

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_ir.codegen.emission import Emitter

INTEGER_SHAPES: Final = (I8X16, I16X8, I32X4, I64X2)
FLOAT_SHAPES: Final = (F32X4, F64X2)


def _by_shape(
    rows: dict[int, tuple[Encoding | None, ...]], shapes: tuple[int, ...] = INTEGER_SHAPES
) -> dict[int, Encoding]:
    """Operation << 4 | shape -> its row; None where there is no such instruction."""
    return {
        operation << 4 | shape: row
        for operation, of_shapes in rows.items()
        for shape, row in zip(shapes, of_shapes)
        if row is not None
    }


#: Operation << 4 | imm -> the one instruction that it is, on the operands in order.
ROWS: Final[dict[int, Encoding]] = {
    op.OR << 4: v.POR,
    op.XOR << 4: v.PXOR,
    op.V_DEMOTE << 4: v.CVTPD2PS,
    op.V_PROMOTE << 4: v.CVTPS2PD,
    op.V_RELAXED_SWIZZLE << 4: v.PSHUFB,
    op.V_DOT << 4 | I32X4: v.PMADDWD,
    op.V_RELAXED_Q15MULR << 4 | I16X8: v.PMULHRSW,
    op.V_RELAXED_TRUNC_S << 4 | F32X4: v.CVTTPS2DQ,
    op.V_RELAXED_TRUNC_S << 4 | F64X2: v.CVTTPD2DQ,
    op.V_CONVERT_S << 4 | F32X4: v.CVTDQ2PS,
    op.V_CONVERT_S << 4 | F64X2: v.CVTDQ2PD,
    **_by_shape(
        {
            op.V_ADD: (v.PADDB, v.PADDW, v.PADDD, v.PADDQ),
            op.V_SUB: (v.PSUBB, v.PSUBW, v.PSUBD, v.PSUBQ),
            op.V_MUL: (None, v.PMULLW, v.PMULLD, None),
            op.V_ABS: (v.PABSB, v.PABSW, v.PABSD, None),
            op.V_ADD_SAT_S: (v.PADDSB, v.PADDSW),
            op.V_ADD_SAT_U: (v.PADDUSB, v.PADDUSW),
            op.V_SUB_SAT_S: (v.PSUBSB, v.PSUBSW),
            op.V_SUB_SAT_U: (v.PSUBUSB, v.PSUBUSW),
            op.V_MIN_S: (v.PMINSB, v.PMINSW, v.PMINSD),
            op.V_MIN_U: (v.PMINUB, v.PMINUW, v.PMINUD),
            op.V_MAX_S: (v.PMAXSB, v.PMAXSW, v.PMAXSD),
            op.V_MAX_U: (v.PMAXUB, v.PMAXUW, v.PMAXUD),
            op.V_AVGR_U: (v.PAVGB, v.PAVGW),
            op.V_NARROW_S: (v.PACKSSWB, v.PACKSSDW),
            op.V_NARROW_U: (v.PACKUSWB, v.PACKUSDW),
            # The low half; the high half is brought there first.
            op.V_EXTEND_S: (None, v.PMOVSXBW, v.PMOVSXWD, v.PMOVSXDQ),
            op.V_EXTEND_U: (None, v.PMOVZXBW, v.PMOVZXWD, v.PMOVZXDQ),
        }
    ),
    **_by_shape(
        {
            op.V_FADD: (v.ADDPS, v.ADDPD),
            op.V_FSUB: (v.SUBPS, v.SUBPD),
            op.V_FMUL: (v.MULPS, v.MULPD),
            op.V_FDIV: (v.DIVPS, v.DIVPD),
            op.V_FSQRT: (v.SQRTPS, v.SQRTPD),
            # Of a NaN and a number, and of two zeros: the second operand.
            op.V_RELAXED_FMIN: (v.MINPS, v.MINPD),
            op.V_RELAXED_FMAX: (v.MAXPS, v.MAXPD),
        },
        FLOAT_SHAPES,
    ),
}
#: The same, on the operands in the other order.
REVERSED_ROWS: Final[dict[int, Encoding]] = {
    # The unsigned operand comes first.
    op.V_RELAXED_DOT << 4 | I16X8: v.PMADDUBSW,
    **_by_shape(
        {op.V_FPMIN: (v.MINPS, v.MINPD), op.V_FPMAX: (v.MAXPS, v.MAXPD)},
        FLOAT_SHAPES,
    ),
}
#: Rounding, by shape: the immediate is that of scalars (float_instructions.ROUNDING_MODES).
ROUND: Final = {F32X4: v.ROUNDPS, F64X2: v.ROUNDPD}
#: With a constant: the row, and bits of a lane.
SIGN_BITS: Final = {op.V_FABS: (v.PAND, (0x7FFF_FFFF, (1 << 63) - 1)), op.V_FNEG: (v.PXOR, (1 << 31, 1 << 63))}

# Comparisons, by shape.
EQUAL: Final = (v.PCMPEQB, v.PCMPEQW, v.PCMPEQD, v.PCMPEQQ)
GREATER: Final = (v.PCMPGTB, v.PCMPGTW, v.PCMPGTD, v.PCMPGTQ)
#: Condition that is "equal to the smaller, or to the larger one" -> the row for that one.
BOUNDS: Final = {
    op.GE_S: (v.PMAXSB, v.PMAXSW, v.PMAXSD),
    op.LE_S: (v.PMINSB, v.PMINSW, v.PMINSD),
    op.GE_U: (v.PMAXUB, v.PMAXUW, v.PMAXUD),
    op.LE_U: (v.PMINUB, v.PMINUW, v.PMINUD),
}
FLOAT_COMPARE: Final = {F32X4: v.CMPPS, F64X2: v.CMPPD}
#: Condition -> the predicate, and whether the operands change places.
PREDICATES: Final = {
    op.FEQ: (0, False),
    op.FNE: (4, False),
    op.FLT: (1, False),
    op.FLE: (2, False),
    op.FGT: (1, True),
    op.FGE: (2, True),
}
UNORDERED: Final = 3
NOT_LESS: Final = 5

#: Shifts by the low bits of a register, and by a constant: by operation, then shape (for bytes those of words).
SHIFTS: Final[dict[int, tuple[Encoding, ...]]] = {
    op.V_SHL: (v.PSLLW, v.PSLLW, v.PSLLD, v.PSLLQ),
    op.V_SHR_S: (v.PSRAW, v.PSRAW, v.PSRAD),
    op.V_SHR_U: (v.PSRLW, v.PSRLW, v.PSRLD, v.PSRLQ),
}
SHIFTS_BY_CONSTANT: Final[dict[int, tuple[Encoding, ...]]] = {
    op.V_SHL: (v.PSLLW_I, v.PSLLW_I, v.PSLLD_I, v.PSLLQ_I),
    op.V_SHR_S: (v.PSRAW_I, v.PSRAW_I, v.PSRAD_I),
    op.V_SHR_U: (v.PSRLW_I, v.PSRLW_I, v.PSRLD_I, v.PSRLQ_I),
}

#: Rotations to the left by a constant, by shape.
ROTATE: Final = {I32X4: v.VPROLD_I, I64X2: v.VPROLQ_I}

# Lanes, by shape.
INSERT: Final = (v.PINSRB, v.PINSRW, v.PINSRD, v.PINSRQ)
EXTRACT: Final = (v.PEXTRB, v.PEXTRW, v.PEXTRD, v.PEXTRQ)
#: The lowest lane of a register, the others cleared.
TO_VECTOR: Final = {I32X4: e.MOVD_XR, I64X2: e.MOVQ_XR}
FROM_VECTOR: Final = {I32X4: e.MOVD_RX, I64X2: e.MOVQ_RX}
BROADCAST: Final = (v.VPBROADCASTB, v.VPBROADCASTW, v.VPBROADCASTD, v.VPBROADCASTQ)
#: Interleaving low and high halves, by log2 of the width in bytes.
INTERLEAVE_LOW: Final = (v.PUNPCKLBW, v.PUNPCKLWD, v.PUNPCKLDQ, v.PUNPCKLQDQ)
INTERLEAVE_HIGH: Final = (v.PUNPCKHBW, v.PUNPCKHWD, v.PUNPCKHDQ, v.PUNPCKHQDQ)

#: Fused multiplication and addition, by operation << 4 | shape: x * y + d, and d * x + y.
FUSED_231: Final = _by_shape(
    {
        op.V_RELAXED_MADD: (v.VFMADD231PS, v.VFMADD231PD),
        op.V_RELAXED_NMADD: (v.VFNMADD231PS, v.VFNMADD231PD),
    },
    FLOAT_SHAPES,
)
FUSED_213: Final = _by_shape(
    {
        op.V_RELAXED_MADD: (v.VFMADD213PS, v.VFMADD213PD),
        op.V_RELAXED_NMADD: (v.VFNMADD213PS, v.VFNMADD213PD),
    },
    FLOAT_SHAPES,
)
#: Products of the low and of the high half of lanes of 16 bits, for v_extmul.
HIGH_PRODUCT: Final = {op.V_EXTMUL_S: v.PMULHW, op.V_EXTMUL_U: v.PMULHUW}
LONG_PRODUCT: Final = {op.V_EXTMUL_S: v.PMULDQ, op.V_EXTMUL_U: v.PMULUDQ}
#: Halves of the dwords of a vector, each in the low half of a qword (pshufd).
SPREAD_HALF: Final = {0: 0x50, HIGH_HALF: 0xFA}


class LowestLane(MOp):
    """d = s: a scalar as a vector's lowest lane, or the other way round; the same register, if it can be."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("lowest_lane", is_move=True)

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        asm.rr(emitter.code, e.MOVAPS_RR, inst.defs[0], inst.uses[0])


LOWEST_LANE: Final = LowestLane()


@cache
def test_bits(avx: bool) -> tuple[Comparison, Comparison]:
    """Whether two vectors have bits in common (else "equal"), and whether the second one has none that the first one
    has not ("below"): of one vector, of two."""
    row = at_level(v.PTEST, avx)
    return ComparedRegisters("ptest", row), ComparedRegisters("ptest.two", row, 1)
