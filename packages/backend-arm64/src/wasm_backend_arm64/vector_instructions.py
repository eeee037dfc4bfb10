"""Machine instructions: tables of operations on vectors, by operation and shape. Read with the first of them."""

from __future__ import annotations

from functools import cache

from wasm_backend_arm64 import assembler as asm
from wasm_backend_arm64 import encodings as e
from wasm_backend_arm64 import vector_encodings as v
from wasm_backend_arm64.conditions import Comparison
from wasm_backend_arm64.encodings import BCC_L, Encoding
from wasm_backend_arm64.forms import Element, Load, Store, on_registers, tie
from wasm_backend_arm64.vector_encodings import B, D, Family, H, S
from wasm_ir import opcodes as op
from wasm_ir.codegen.machinst import MInst, MOp
from wasm_ir.opcodes import F32X4, F64X2, HIGH_HALF, I8X16, I16X8, I32X4, I64X2

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_ir.codegen.emission import Emitter

#: Shape -> width of its lanes, the key of families of instructions.
WIDTHS: Final = (B, H, S, D, S, D)
INTEGER_SHAPES: Final = (I8X16, I16X8, I32X4, I64X2)
FLOAT_SHAPES: Final = (F32X4, F64X2)


def on_lanes(family: Family) -> dict[int, MOp]:
    """Width of the lanes -> the form on registers."""
    return {width: on_registers(row) for width, row in family.items()}


def _by_shape(operations: dict[int, Family], shapes: tuple[int, ...]) -> dict[int, MOp]:
    """Those that the table is for: operation << 4 | imm -> the form on registers."""
    return {
        operation << 4 | shape: on_registers(family[WIDTHS[shape]])
        for operation, family in operations.items()
        for shape in shapes
        if WIDTHS[shape] in family
    }


def _by_half(operations: dict[int, tuple[Family, Family]]) -> dict[int, MOp]:
    """The same for those whose result has wider lanes: from the low half and from the high half of what is narrower."""
    return {
        operation << 4 | width + 1 | half: on_registers(row)
        for operation, halves in operations.items()
        for half, family in zip((0, HIGH_HALF), halves)
        for width, row in family.items()
    }


def _wider(operations: dict[int, Family]) -> dict[int, MOp]:
    """The same for those that take neighbours together."""
    return {
        operation << 4 | width + 1: on_registers(family[width])
        for operation, family in operations.items()
        for width in (B, H)
    }


_NO_SHAPE: Final[dict[int, Encoding]] = {
    op.AND: v.AND_VVV,
    op.OR: v.ORR_VVV,
    op.XOR: v.EOR_VVV,
    op.V_SWIZZLE: v.TBL_VVV,
    op.V_RELAXED_SWIZZLE: v.TBL_VVV,
    op.V_NOT: v.MVN_VV,
    op.V_ANDNOT: v.BIC_VVV,
    op.V_DEMOTE: v.FCVTN_VV,
    op.V_PROMOTE: v.FCVTL_VV,
}
_INTEGERS: Final[dict[int, Family]] = {
    op.V_ADD: v.ADD_VVV,
    op.V_SUB: v.SUB_VVV,
    op.V_MUL: v.MUL_VVV,
    op.V_NEG: v.NEG_VV,
    op.V_ABS: v.ABS_VV,
    op.V_ADD_SAT_S: v.SQADD_VVV,
    op.V_ADD_SAT_U: v.UQADD_VVV,
    op.V_SUB_SAT_S: v.SQSUB_VVV,
    op.V_SUB_SAT_U: v.UQSUB_VVV,
    op.V_MIN_S: v.SMIN_VVV,
    op.V_MIN_U: v.UMIN_VVV,
    op.V_MAX_S: v.SMAX_VVV,
    op.V_MAX_U: v.UMAX_VVV,
    op.V_AVGR_U: v.URHADD_VVV,
    op.V_POPCNT: v.CNT_VV,
    op.V_Q15MULR: v.SQRDMULH_VVV,
    op.V_RELAXED_Q15MULR: v.SQRDMULH_VVV,
}
_FLOATS: Final[dict[int, Family]] = {
    op.V_FADD: v.FADD_VVV,
    op.V_FSUB: v.FSUB_VVV,
    op.V_FMUL: v.FMUL_VVV,
    op.V_FDIV: v.FDIV_VVV,
    # As for scalars: NaN if either operand is one, and -0 < +0.
    op.V_FMIN: v.FMIN_VVV,
    op.V_FMAX: v.FMAX_VVV,
    op.V_RELAXED_FMIN: v.FMIN_VVV,
    op.V_RELAXED_FMAX: v.FMAX_VVV,
    op.V_FABS: v.FABS_VV,
    op.V_FNEG: v.FNEG_VV,
    op.V_FSQRT: v.FSQRT_VV,
    op.V_FCEIL: v.FRINTP_VV,
    op.V_FFLOOR: v.FRINTM_VV,
    op.V_FTRUNC: v.FRINTZ_VV,
    op.V_FNEAREST: v.FRINTN_VV,
}
#: Conversions saturate and make 0 of NaN. Those between f64 and 32 bits are made of two instructions.
_CONVERSIONS: Final[dict[int, Family]] = {
    op.V_CONVERT_S: v.SCVTF_VV,
    op.V_CONVERT_U: v.UCVTF_VV,
    op.V_TRUNC_SAT_S: v.FCVTZS_VV,
    op.V_TRUNC_SAT_U: v.FCVTZU_VV,
    op.V_RELAXED_TRUNC_S: v.FCVTZS_VV,
    op.V_RELAXED_TRUNC_U: v.FCVTZU_VV,
}

#: Operation << 4 | imm -> the one instruction that it is, on the operands in order.
ROWS: Final[dict[int, MOp]] = {
    **{operation << 4: on_registers(row) for operation, row in _NO_SHAPE.items()},
    **_by_shape(_INTEGERS, INTEGER_SHAPES),
    **_by_shape(_FLOATS, FLOAT_SHAPES),
    **_by_shape(_CONVERSIONS, (F32X4,)),
    **_by_half(
        {
            op.V_EXTEND_S: (v.SSHLL_VV, v.SSHLLQ_VV),
            op.V_EXTEND_U: (v.USHLL_VV, v.USHLLQ_VV),
            op.V_EXTMUL_S: (v.SMULL_VVV, v.SMULLQ_VVV),
            op.V_EXTMUL_U: (v.UMULL_VVV, v.UMULLQ_VVV),
        }
    ),
    **_wider({op.V_EXTADD_S: v.SADDLP_VV, op.V_EXTADD_U: v.UADDLP_VV}),
}

# What is added to something, or subtracted from it, and itself made by an operation: operation << 4 | imm of that.
#: Instructions on the sum so far and the inner operation's operands.
ACCUMULATE: Final[dict[int, dict[int, MOp]]] = {
    op.V_ADD: {
        **_by_shape({op.V_MUL: v.MLA_VVV}, (I16X8, I32X4)),
        **_by_half(
            {op.V_EXTMUL_S: (v.SMLAL_VVV, v.SMLALQ_VVV), op.V_EXTMUL_U: (v.UMLAL_VVV, v.UMLALQ_VVV)},
        ),
        **_wider({op.V_EXTADD_S: v.SADALP_VV, op.V_EXTADD_U: v.UADALP_VV}),
        # By a constant.
        **_by_shape({op.V_SHR_S: v.SSRA_VV, op.V_SHR_U: v.USRA_VV}, INTEGER_SHAPES),
    },
    op.V_SUB: {
        **_by_shape({op.V_MUL: v.MLS_VVV}, (I16X8, I32X4)),
        **_by_half(
            {op.V_EXTMUL_S: (v.SMLSL_VVV, v.SMLSLQ_VVV), op.V_EXTMUL_U: (v.UMLSL_VVV, v.UMLSLQ_VVV)},
        ),
    },
}
#: Instructions on a vector and one with narrower lanes, and on two with narrower lanes (of the same half).
ADD_EXTENDED: Final[dict[int, dict[int, MOp]]] = {
    op.V_ADD: _by_half(
        {op.V_EXTEND_S: (v.SADDW_VVV, v.SADDWQ_VVV), op.V_EXTEND_U: (v.UADDW_VVV, v.UADDWQ_VVV)},
    ),
    op.V_SUB: _by_half(
        {op.V_EXTEND_S: (v.SSUBW_VVV, v.SSUBWQ_VVV), op.V_EXTEND_U: (v.USUBW_VVV, v.USUBWQ_VVV)},
    ),
}
BOTH_EXTENDED: Final[dict[int, dict[int, MOp]]] = {
    op.V_ADD: _by_half(
        {op.V_EXTEND_S: (v.SADDL_VVV, v.SADDLQ_VVV), op.V_EXTEND_U: (v.UADDL_VVV, v.UADDLQ_VVV)},
    ),
    op.V_SUB: _by_half(
        {op.V_EXTEND_S: (v.SSUBL_VVV, v.SSUBLQ_VVV), op.V_EXTEND_U: (v.USUBL_VVV, v.USUBLQ_VVV)},
    ),
    op.V_MUL: _by_half(
        {op.V_EXTEND_S: (v.SMULL_VVV, v.SMULLQ_VVV), op.V_EXTEND_U: (v.UMULL_VVV, v.UMULLQ_VVV)},
    ),
}

#: What the smaller one is taken away from -> the operation that gives the smaller one, and the difference.
DIFFERENCES: Final = {
    op.V_MAX_S: (op.V_MIN_S, on_lanes(v.SABD_VVV)),
    op.V_MAX_U: (op.V_MIN_U, on_lanes(v.UABD_VVV)),
}
UNSIGNED_DIFFERENCE: Final = on_lanes(v.UABD_VVV)

#: Comparisons: imm -> the instruction, and whether its operands change places. `ne` is what `eq` is not.
COMPARISONS: Final[dict[int, tuple[MOp, bool]]] = {
    shape | condition << op.SHAPE_SHIFT: (on_registers(family[shape]), swapped)
    for condition, (family, swapped) in {
        op.EQ: (v.CMEQ_VVV, False),
        op.LT_S: (v.CMGT_VVV, True),
        op.GE_S: (v.CMGE_VVV, False),
        op.GT_S: (v.CMGT_VVV, False),
        op.LE_S: (v.CMGE_VVV, True),
        op.LT_U: (v.CMHI_VVV, True),
        op.GE_U: (v.CMHS_VVV, False),
        op.GT_U: (v.CMHI_VVV, False),
        op.LE_U: (v.CMHS_VVV, True),
    }.items()
    for shape in INTEGER_SHAPES
}
FLOAT_COMPARISONS: Final[dict[int, tuple[MOp, bool]]] = {
    shape | condition << op.SHAPE_SHIFT: (on_registers(family[WIDTHS[shape]]), swapped)
    for condition, (family, swapped) in {
        op.FEQ: (v.FCMEQ_VVV, False),
        op.FLT: (v.FCMGT_VVV, True),
        op.FGT: (v.FCMGT_VVV, False),
        op.FLE: (v.FCMGE_VVV, True),
        op.FGE: (v.FCMGE_VVV, False),
    }.items()
    for shape in FLOAT_SHAPES
}
#: Comparisons with zero: imm -> the instruction.
ZERO_COMPARISONS: Final[dict[int, MOp]] = {
    shape | condition << op.SHAPE_SHIFT: on_registers(family[shape])
    for condition, family in {
        op.EQ: v.CMEQ0_VV,
        op.LT_S: v.CMLT0_VV,
        op.GE_S: v.CMGE0_VV,
        op.GT_S: v.CMGT0_VV,
        op.LE_S: v.CMLE0_VV,
    }.items()
    for shape in INTEGER_SHAPES
}
FLOAT_ZERO_COMPARISONS: Final[dict[int, MOp]] = {
    shape | condition << op.SHAPE_SHIFT: on_registers(family[WIDTHS[shape]])
    for condition, family in {
        op.FEQ: v.FCMEQ0_VV,
        op.FLT: v.FCMLT0_VV,
        op.FGT: v.FCMGT0_VV,
        op.FLE: v.FCMLE0_VV,
        op.FGE: v.FCMGE0_VV,
    }.items()
    for shape in FLOAT_SHAPES
}
#: Whether x and y have bits in common.
HAVE_COMMON_BITS: Final = on_lanes(v.CMTST_VVV)
LESS_THAN_ZERO: Final = on_lanes(v.CMLT0_VV)

# Shifts: by a constant (`left`, `right`), and by the lanes of a vector, negative ones to the right. By operation.
SHIFT_BY_CONSTANT: Final = {
    op.V_SHL: on_lanes(v.SHL_VV),
    op.V_SHR_S: on_lanes(v.SSHR_VV),
    op.V_SHR_U: on_lanes(v.USHR_VV),
}
SHIFT_BY_LANES: Final = {
    op.V_SHL: on_lanes(v.USHL_VVV),
    op.V_SHR_S: on_lanes(v.SSHL_VVV),
    op.V_SHR_U: on_lanes(v.USHL_VVV),
}
#: Shifted left into the upper bits, right into the lower ones, of what there is.
INSERT_RIGHT: Final = on_lanes(v.SRI_VV)
#: Width -> lanes whose two halves change places.
SWAP_HALVES: Final[dict[int, MOp]] = {
    H: on_registers(v.REV16_VV[B]),
    S: on_registers(v.REV32_VV[H]),
    D: on_registers(v.REV64_VV[S]),
}

# Bits.
AND: Final = on_registers(v.AND_VVV)
XOR: Final = on_registers(v.EOR_VVV)
NOT: Final = on_registers(v.MVN_VV)
AND_NOT: Final = on_registers(v.BIC_VVV)
OR_NOT: Final = on_registers(v.ORN_VVV)
#: On mask, x and y; on y, x and the mask; on x, y and the mask.
SELECT_BITS: Final = on_registers(v.BSL_VVV)
INSERT_TRUE: Final = on_registers(v.BIT_VVV)
INSERT_FALSE: Final = on_registers(v.BIF_VVV)

# Lanes.
SPLAT_SCALAR: Final = on_lanes(v.DUP_VX)
SPLAT_LANE: Final = on_lanes(v.DUP_VE)
INSERT_SCALAR: Final = on_lanes(v.INS_VX)
INSERT_LANE: Final = on_lanes(v.INS_VV)
#: As a floating-point number, the rest of the register cleared.
LANE: Final = on_lanes(v.DUP_PE)
EXTRACT_U: Final = on_lanes(v.UMOV_XE)
EXTRACT_S: Final = on_lanes(v.SMOV_XE)
#: To the lowest lane of an empty vector, by the scalar's type.
LOW_FLOAT: Final = {S: on_registers(e.FMOV_RR32), D: on_registers(e.FMOV_RR64)}
LOW_INTEGER: Final = {S: on_registers(e.FMOV_RX32), D: on_registers(e.FMOV_RX64)}
TO_INTEGER: Final = {S: on_registers(e.FMOV_XR32), D: on_registers(e.FMOV_XR64)}

# Across lanes.
MINIMUM: Final = on_lanes(v.UMINV_PV)
MAXIMUM: Final = on_lanes(v.UMAXV_PV)
PAIRWISE_MAXIMUM: Final = on_registers(v.UMAXP_VVV[S])
SUM: Final = on_lanes(v.ADDV_PV)
PAIRWISE_SUM: Final = on_lanes(v.ADDP_VVV)

# Widths.
NARROW: Final = {
    op.V_NARROW_S: (on_lanes(v.SQXTN_VV), on_lanes(v.SQXTNQ_VV)),
    op.V_NARROW_U: (on_lanes(v.SQXTUN_VV), on_lanes(v.SQXTUNQ_VV)),
}
TRUNCATE: Final = on_lanes(v.XTN_VV)
SATURATE_S: Final = on_registers(v.SQXTN_VV[S])
SATURATE_U: Final = on_registers(v.UQXTN_VV[S])
MULTIPLY_LOW: Final = on_lanes(v.SMULL_VVV)
MULTIPLY_HIGH: Final = on_lanes(v.SMULLQ_VVV)
MULTIPLY: Final = on_lanes(v.MUL_VVV)
ADD_PAIRS: Final = on_lanes(v.UADDLP_VV)
MULTIPLY_ADD_LOW: Final = on_lanes(v.UMLAL_VVV)
REVERSE_PAIRS: Final = on_registers(v.REV64_VV[S])
ADD_SATURATED: Final = on_lanes(v.SQADD_VVV)
EVEN: Final = on_lanes(v.UZP1_VVV)
ODD: Final = on_lanes(v.UZP2_VVV)
#: Lanes of two vectors, interleaved.
ZIP: Final = on_lanes(v.ZIP1_VVV)
#: Bytes of two vectors from number imm >> 11 on.
BYTES_FROM: Final = on_registers(v.EXT_VVV)
#: By operation << 4 | imm; on z, x and y.
MULTIPLY_ADD: Final = _by_shape(
    {op.V_RELAXED_MADD: v.FMLA_VVV, op.V_RELAXED_NMADD: v.FMLS_VVV},
    FLOAT_SHAPES,
)
#: The same with one lane of the last operand (`element`), by width; on x and y, on z, x and y.
MULTIPLY_BY_LANE: Final = on_lanes(v.FMUL_VVE)
MULTIPLY_ADD_BY_LANE: Final = {
    op.V_RELAXED_MADD: on_lanes(v.FMLA_VVE),
    op.V_RELAXED_NMADD: on_lanes(v.FMLS_VVE),
}
#: Sums of four products of bytes, added to lanes of 32 bits.
DOT_PRODUCT: Final = on_registers(v.SDOT_VVV)
CONVERT_LONG: Final = {op.V_CONVERT_S: on_registers(v.SCVTF_VV[D]), op.V_CONVERT_U: on_registers(v.UCVTF_VV[D])}
TRUNCATE_DOUBLE: Final = {
    **dict.fromkeys((op.V_TRUNC_SAT_S, op.V_RELAXED_TRUNC_S), on_registers(v.FCVTZS_VV[D])),
    **dict.fromkeys((op.V_TRUNC_SAT_U, op.V_RELAXED_TRUNC_U), on_registers(v.FCVTZU_VV[D])),
}
GREATER: Final = {F32X4: on_registers(v.FCMGT_VVV[S]), F64X2: on_registers(v.FCMGT_VVV[D])}

# With immediates (`byte_immediate`).
OR_IMM: Final = {H: on_registers(v.ORR_V8H), S: on_registers(v.ORR_V4S)}
AND_NOT_IMM: Final = {H: on_registers(v.BIC_V8H), S: on_registers(v.BIC_V4S)}

# Memory, by the lane's width.
LOAD_ELEMENT: Final = {
    B: Load(e.LDR_FM8),
    H: Load(e.LDR_FM16),
    S: Load(e.LDR_FM32),
    D: Load(e.LDR_FM64),
}
STORE_ELEMENT: Final = {
    B: Store(e.STR_FM8),
    H: Store(e.STR_FM16),
    S: Store(e.STR_FM32),
    D: Store(e.STR_FM64),
}
LOAD_SPLAT: Final = {width: Element(row) for width, row in v.LD1R_VM.items()}
LOAD_LANE: Final = {width: Element(row) for width, row in v.LD1_EM.items()}
STORE_LANE: Final = {width: Element(row) for width, row in v.ST1_EM.items()}


class LowestLane(MOp):
    """d = the lowest lane of s as a floating-point number: the same register, if it can be."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("lowest_lane", is_move=True)

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        asm.rr(emitter.code, e.FMOV_RR64, inst.defs[0], inst.uses[0])


LOWEST_LANE: Final = LowestLane()


class SelectVector(MOp):
    """d = d when the condition holds, else uses[1]: there is no instruction that does that without a branch."""

    __slots__ = ("branch", "comparison")

    def __init__(self, comparison: Comparison, code: int) -> None:
        super().__init__(f"select_vector.{comparison.name}", tied=True)
        self.comparison = comparison
        # Over the move: a distance of 8 bytes.
        self.branch = BCC_L | code | 2 << 5

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        destination = inst.defs[0]
        first, second = inst.uses[:2]
        tie(emitter, destination, first)
        self.comparison.emit(emitter, inst, 2, inst.imm)
        emitter.code += asm.pack(self.branch)
        asm.rrr(emitter.code, v.ORR_VVV, destination, second, second)


@cache
def select_vector_op(comparison: Comparison, code: int) -> SelectVector:
    return SelectVector(comparison, code)


class TableOfTwo(MOp):
    """d = bytes by number of a table of two registers, v29 and v30, which are fixed uses."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("tbl2")

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        asm.rrr(emitter.code, v.TBL2_VVV, inst.defs[0], TABLE_REGISTERS[0], inst.uses[0])


#: Two registers, one after the other.
TABLE_REGISTERS: Final = (61, 62)
TABLE_OF_TWO: Final = TableOfTwo()
