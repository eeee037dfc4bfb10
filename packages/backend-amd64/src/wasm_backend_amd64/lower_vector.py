"""Instruction selection for operations on vectors: functions on the lowering, by operation. Read with the first vector.

A result in one instruction is a row of `vector_instructions.ROWS`; the functions are for those that take several.
"""

from __future__ import annotations

from collections.abc import Callable

from wasm_backend_amd64 import encodings as e
from wasm_backend_amd64 import vector_encodings as v
from wasm_backend_amd64.conditions import COMPARE_IMM, TEST_ZERO, Comparison, set_op
from wasm_backend_amd64.encodings import CC_AE, CC_E, CC_NE
from wasm_backend_amd64.float_instructions import ROUNDING_MODES
from wasm_backend_amd64.forms import in_registers_alone, with_constant, with_memory
from wasm_backend_amd64.instructions import ADD_IMM, BINARY_IMM, SIGN_EXTEND
from wasm_backend_amd64.lower_shuffle import shuffle, shuffle_bytes
from wasm_backend_amd64.lower_vector_memory import load_lane, load_low, load_low_half, load_splat
from wasm_backend_amd64.vector_instructions import (
    BOUNDS,
    BROADCAST,
    EQUAL,
    EXTRACT,
    FLOAT_COMPARE,
    FROM_VECTOR,
    FUSED_213,
    FUSED_231,
    GREATER,
    HIGH_PRODUCT,
    INSERT,
    INTERLEAVE_HIGH,
    INTERLEAVE_LOW,
    LONG_PRODUCT,
    LOWEST_LANE,
    NOT_LESS,
    PREDICATES,
    REVERSED_ROWS,
    ROTATE,
    ROUND,
    ROWS,
    SHIFTS,
    SHIFTS_BY_CONSTANT,
    SIGN_BITS,
    SPREAD_HALF,
    TO_VECTOR,
    UNORDERED,
    test_bits,
)
from wasm_backend_amd64.vector_operands import (
    is_memory,
    make,
    make_with,
    operate,
    operate_one,
    scalar_lane,
)
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.codegen.machinst import MInst
from wasm_ir.ir import Inst
from wasm_ir.opcodes import F32X4, F64X2, HIGH_HALF, I8X16, I16X8, I32X4, I64X2

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_backend_amd64.lower_conditions import ConditionLowering

_Handler = Callable[["ConditionLowering", Inst], None]

_CONST: Final = op.CONST
_I32: Final = types.I32
_I64: Final = types.I64
_F32: Final = types.F32
_V128: Final = types.V128
_ONES: Final = types.MASKS[types.V128]
_SHAPE: Final = op.SHAPE_MASK
_SHIFT: Final = op.SHAPE_SHIFT

#: Shape -> what a lane is multiplied by to be in all of them.
_SPREAD: Final = tuple([sum([1 << at for at in range(0, 128, bits)]) for bits in op.SHAPE_BITS])
#: The top bit of every lane.
_SIGNS: Final = tuple([_SPREAD[shape] << op.SHAPE_BITS[shape] - 1 for shape in range(len(_SPREAD))])

# Floating-point numbers in all lanes.
_TWO_31: Final = 0x4F00_0000 * _SPREAD[F32X4]
_INT_MAX: Final = 0x41DF_FFFF_FFC0_0000 * _SPREAD[F64X2]
_UINT_MAX: Final = 0x41EF_FFFF_FFE0_0000 * _SPREAD[F64X2]
_TWO_52: Final = 0x4330_0000_0000_0000 * _SPREAD[F64X2]
#: Between the upper halves of the two above and dwords, interleaved, are doubles that are 2^52 + the dword.
_TWO_52_UPPER: Final = 0x4330_0000 << 32 | 0x4330_0000

# In one instruction.


def row_of_table(s: ConditionLowering, inst: Inst) -> None:
    row = ROWS[inst.op << 4 | inst.imm]
    args = inst.args
    if len(args) == 2:
        operate(s, row, args[0], args[1], s.define(inst))
    else:
        operate_one(s, row, args[0], s.define(inst))


def reversed_row(s: ConditionLowering, inst: Inst) -> None:
    operate(s, REVERSED_ROWS[inst.op << 4 | inst.imm], inst.args[1], inst.args[0], s.define(inst))


def rounding(s: ConditionLowering, inst: Inst) -> None:
    """v_fceil, v_ffloor, v_ftrunc, v_fnearest."""
    operate_one(s, ROUND[inst.imm], inst.args[0], s.define(inst), _ROUNDING[inst.op])


_ROUNDING: Final = {
    op.V_FCEIL: ROUNDING_MODES[op.FCEIL],
    op.V_FFLOOR: ROUNDING_MODES[op.FFLOOR],
    op.V_FTRUNC: ROUNDING_MODES[op.FTRUNC],
    op.V_FNEAREST: ROUNDING_MODES[op.FNEAREST],
}


def sign_bits(s: ConditionLowering, inst: Inst) -> None:
    """v_fabs, v_fneg."""
    row, bits = SIGN_BITS[inst.op]
    shape = inst.imm
    make_with(s, row, s.use(inst.args[0]), bits[shape - F32X4] * _SPREAD[shape], s.define(inst))


# From and to scalars.


def splat(s: ConditionLowering, inst: Inst) -> None:
    shape = inst.imm
    (scalar,) = inst.args
    destination = s.define(inst)
    if load_splat(s, scalar, shape, destination):
        return
    if shape == F32X4:
        source = s.use(scalar)
        s.emit(MInst(in_registers_alone(v.SHUFPS, s.avx), [destination], [source, source], 0))
    elif shape == F64X2:
        make(s, v.MOVDDUP, [s.use(scalar)], 0, destination)
    elif shape == I64X2:
        low = make(s, e.MOVQ_XR, [s.use(scalar)])
        splat_lowest(s, low, shape, destination)
    else:
        low = make(s, e.MOVD_XR, [s.low(scalar)])
        splat_lowest(s, low, shape, destination)


def splat_lowest(s: ConditionLowering, low: int, shape: int, destination: int) -> None:
    """The lowest lane of integers, in all lanes."""
    if "avx2" in s.features and shape < I32X4:
        make(s, BROADCAST[shape], [low], 0, destination)
    elif shape == I8X16:
        make_with(s, v.PSHUFB, low, 0, destination)
    elif shape == I16X8:
        make(s, v.PSHUFD, [make(s, v.PSHUFLW, [low], 0)], 0, destination)
    else:
        make(s, v.PSHUFD, [low], 0 if shape == I32X4 else 0x44, destination)


def low(s: ConditionLowering, inst: Inst) -> None:
    shape = inst.imm
    (scalar,) = inst.args
    destination = s.define(inst)
    if load_low(s, scalar, shape, destination):
        return
    source = s.register(scalar, scalar.type)
    if shape == F32X4:
        make(s, v.INSERTPS, [scalar_lane(s, source), source], 0b1110, destination)
    elif shape == F64X2:
        make(s, e.MOVQ_RR, [source], 0, destination)
    else:
        make(s, TO_VECTOR[shape], [source], 0, destination)


def extract(s: ConditionLowering, inst: Inst) -> None:
    """v_extract_s, v_extract_u."""
    shape = inst.imm & _SHAPE
    lane = inst.imm >> _SHIFT
    source = s.use(inst.args[0])
    destination = s.define(inst)
    if shape >= F32X4:
        if lane:
            make(s, v.PSHUFD, [source], lane if shape == F32X4 else 0xEE, destination)
        else:
            s.emit(MInst(LOWEST_LANE, [destination], [source], 0))
        return
    if inst.op == op.V_EXTRACT_S:
        narrow = s.temp(_I32)
        make(s, EXTRACT[shape], [source], lane, narrow)
        operation = op.SEXT8 if shape == I8X16 else op.SEXT16
        s.emit(MInst(SIGN_EXTEND[operation << 3 | _I32], [destination], [narrow], 0))
    elif lane == 0 and shape >= I32X4:
        make(s, FROM_VECTOR[shape], [source], 0, destination)
    else:
        make(s, EXTRACT[shape], [source], lane, destination)


def replace(s: ConditionLowering, inst: Inst) -> None:
    shape = inst.imm & _SHAPE
    lane = inst.imm >> _SHIFT
    vector, scalar = inst.args
    destination = s.define(inst)
    if load_lane(s, vector, scalar, shape, lane, destination):
        return
    uses = [s.use(vector), s.register(scalar, scalar.type)]
    if shape < F32X4:
        make(s, INSERT[shape], uses, lane, destination)
    elif shape == F64X2:
        make(s, v.MOVLHPS if lane else v.MOVSD, uses, 0, destination)
    elif lane:
        make(s, v.INSERTPS, uses, lane << 4, destination)
    else:
        make(s, v.MOVSS, uses, 0, destination)


# Bytes moved.


def swizzle(s: ConditionLowering, inst: Inst) -> None:
    """Numbers from 16 to 127 become some with the top bit, for which pshufb gives zero as it does for those above."""
    x, numbers = inst.args
    if numbers.op == _CONST:
        known = [number if number < 16 else 0x80 for number in numbers.imm.to_bytes(16, "little")]
        make_with(s, v.PSHUFB, s.use(x), int.from_bytes(bytes(known), "little"), s.define(inst))
        return
    if _are_numbers(numbers):
        operate(s, v.PSHUFB, x, numbers, s.define(inst))
        return
    indices = make_with(s, v.PADDUSB, s.use(numbers), 0x70 * _SPREAD[I8X16])
    make(s, v.PSHUFB, [s.use(x), indices], 0, s.define(inst))


def _are_numbers(numbers: Inst) -> bool:
    """Whether bytes are known to be below 16, or above 127."""
    operation = numbers.op
    if operation == op.V_SHR_U:
        return numbers.imm == I8X16 and numbers.args[1].op == _CONST and numbers.args[1].imm & 7 >= 4
    if operation == op.AND:
        return any(arg.op == _CONST and arg.imm & 0x70 * _SPREAD[I8X16] == 0 for arg in numbers.args)
    return False


# Bits.

_LOGIC: Final = (op.AND, op.OR, op.XOR, op.V_NOT, op.V_ANDNOT, op.V_BITSELECT)
#: Of these, and besides, those that take more than one instruction otherwise.
_LONG_LOGIC: Final = (op.V_NOT, op.V_BITSELECT, op.V_RELAXED_LANESELECT)
#: Tables of the three operands of vpternlog.
_OPERANDS: Final = (0xF0, 0xCC, 0xAA)


def bitwise(s: ConditionLowering, inst: Inst) -> None:
    """Operations on bits: with AVX-512, any number of them on no more than three values is one instruction."""
    if "avx512vl" not in s.features or not _three_operands(s, inst):
        _HANDLERS_OF_BITS[inst.op](s, inst)


def _three_operands(s: ConditionLowering, inst: Inst) -> bool:
    leaves = _distinct(inst.args)
    taken = [inst]
    found = True
    while found:
        found = False
        for leaf in leaves:
            if leaf.op in _LOGIC and s.is_inner(leaf):
                following = _distinct([*[other for other in leaves if other is not leaf], *leaf.args])
                if len(following) <= 3:
                    leaves = following
                    taken.append(leaf)
                    found = True
                    break
    if len(taken) == 1 and inst.op not in _LONG_LOGIC:
        return False
    tables = {leaf.id: table for leaf, table in zip(leaves, _OPERANDS)}
    for value in reversed(taken):
        tables[value.id] = _table(value.op, [tables[arg.id] for arg in value.args])
    uses = [s.use(leaf) for leaf in leaves]
    uses += uses[-1:] * (3 - len(uses))
    make(s, v.VPTERNLOGD, uses, tables[inst.id], s.define(inst))
    return True


def _distinct(values: list[Inst]) -> list[Inst]:
    return [value for number, value in enumerate(values) if all(other is not value for other in values[:number])]


def _table(operation: int, args: list[int]) -> int:
    """What an operation makes of tables."""
    if operation == op.AND:
        return args[0] & args[1]
    if operation == op.OR:
        return args[0] | args[1]
    if operation == op.XOR:
        return args[0] ^ args[1]
    if operation == op.V_NOT:
        return args[0] ^ 0xFF
    if operation == op.V_ANDNOT:
        return args[0] & ~args[1]
    x, y, mask = args
    return x & mask | y & ~mask


def either(s: ConditionLowering, inst: Inst) -> None:
    """or: lanes shifted to the left and to the right are rotated; by whole bytes, these change places."""
    x, y = inst.args
    destination = s.define(inst)
    rotated = _rotation(s, x, y) or _rotation(s, y, x)
    if rotated and x.imm >= I32X4 and "avx512vl" in s.features:
        make(s, ROTATE[x.imm], [s.use(x.args[0])], rotated, destination)
    elif rotated and rotated & 7 == 0:
        size = op.SHAPE_BITS[x.imm] >> 3
        by = rotated >> 3
        numbers = bytes([n - n % size + (n - by) % size for n in range(16)])
        shuffle_bytes(s, x.args[0], numbers, destination)
    else:
        bitwise(s, inst)


def _rotation(s: ConditionLowering, x: Inst, y: Inst) -> int:
    """By how many bits lanes are rotated where x, shifted to the left, and y, shifted to the right, meet; else 0."""
    if x.op != op.V_SHL or y.op != op.V_SHR_U or x.imm != y.imm or x.args[0] is not y.args[0]:
        return 0
    left, right = x.args[1], y.args[1]
    if left.op != _CONST or right.op != _CONST or left.imm + right.imm != op.SHAPE_BITS[x.imm]:
        return 0
    return left.imm if s.is_inner(x) and s.is_inner(y) else 0


def _lanes(s: ConditionLowering, mask: Inst) -> tuple[int, bool]:
    """A register with a mask, or with what the mask is not: "not equal" is made of "equal"."""
    if s.is_inner(mask):
        if mask.op == op.V_NOT:
            return s.use(mask.args[0]), True
        if mask.op == op.V_ICMP and mask.imm >> _SHIFT == op.NE:
            return operate(s, EQUAL[mask.imm & _SHAPE], mask.args[0], mask.args[1]), True
    return s.use(mask), False


def _is_unequal(value: Inst) -> bool:
    return value.op == op.V_ICMP and value.imm >> _SHIFT == op.NE


def both(s: ConditionLowering, inst: Inst) -> None:
    """and"""
    x, y = inst.args
    if _is_unequal(x) and s.is_inner(x):
        x, y = y, x
    if _is_unequal(y) and s.is_inner(y):
        equal, _ = _lanes(s, y)
        make(s, v.PANDN, [equal, s.use(x)], 0, s.define(inst))
    else:
        operate(s, v.PAND, x, y, s.define(inst))


def and_not(s: ConditionLowering, inst: Inst) -> None:
    x, y = inst.args
    if _is_unequal(y) and s.is_inner(y):
        equal, _ = _lanes(s, y)
        make(s, v.PAND, [equal, s.use(x)], 0, s.define(inst))
    else:
        operate(s, v.PANDN, y, x, s.define(inst))


def invert(s: ConditionLowering, inst: Inst) -> None:
    make_with(s, v.PXOR, s.use(inst.args[0]), _ONES, s.define(inst))


def bitselect(s: ConditionLowering, inst: Inst) -> None:
    x, y, mask = inst.args
    if s.avx and _lane_width(mask, 0):
        # Lanes of ones and zeros: bytes can be chosen by their top bits.
        register, inverted = _lanes(s, mask)
        uses = [s.use(x), s.use(y), register] if inverted else [s.use(y), s.use(x), register]
        make(s, v.VPBLENDVB, uses, 0, s.define(inst))
        return
    if mask.op == _CONST:
        chosen = _bits_of_constant(s, x, mask.imm)
        other = _bits_of_constant(s, y, mask.imm ^ _ONES)
    else:
        register, inverted = _lanes(s, mask)
        if inverted:
            x, y = y, x
        chosen = make(s, v.PAND, [s.use(x), register])
        other = make(s, v.PANDN, [register, s.use(y)])
    make(s, v.POR, [chosen, other], 0, s.define(inst))


def _bits_of_constant(s: ConditionLowering, x: Inst, mask: int) -> int:
    """x & mask"""
    if x.op == _CONST:
        return s.vector_constant(x.imm & mask)
    return make_with(s, v.PAND, s.use(x), mask)


_BLENDS: Final = {I8X16: v.VPBLENDVB, I32X4: v.VBLENDVPS, I64X2: v.VBLENDVPD}


_HANDLERS_OF_BITS: Final[dict[int, _Handler]] = {
    op.AND: both,
    op.OR: row_of_table,
    op.XOR: row_of_table,
    op.V_ANDNOT: and_not,
    op.V_NOT: invert,
    op.V_BITSELECT: bitselect,
    op.V_RELAXED_LANESELECT: bitselect,
}


def lane_select(s: ConditionLowering, inst: Inst) -> None:
    """v_relaxed_laneselect: by top bits where there is an instruction."""
    row = _BLENDS.get(inst.imm)
    if row is None or not s.avx or "avx512vl" in s.features:
        bitwise(s, inst)
        return
    x, y, mask = inst.args
    make(s, row, [s.use(y), s.use(x), s.use(mask)], 0, s.define(inst))


#: How deep `_lane_width` looks.
_DEPTH: Final = 3


def _lane_width(value: Inst, depth: int) -> int:
    """The width of lanes that are known to be ones or zeros, each as a whole; 0 when nothing is known."""
    operation = value.op
    if operation == op.V_ICMP or operation == op.V_FCMP:
        return op.SHAPE_BITS[value.imm & _SHAPE]
    if operation == _CONST:
        return 8 if all(byte in (0, 0xFF) for byte in value.imm.to_bytes(16, "little")) else 0
    if depth < _DEPTH:
        if operation == op.V_NOT:
            return _lane_width(value.args[0], depth + 1)
        if operation in (op.AND, op.OR, op.XOR, op.V_ANDNOT):
            first, second = value.args
            return min(_lane_width(first, depth + 1), _lane_width(second, depth + 1))
    return 0


def truth(s: ConditionLowering, value: Inst) -> tuple[Comparison, int]:
    """v_any_true, v_all_true: a comparison, whose operands are appended to those of the lowering, and the condition
    code that holds when it is true."""
    (x,) = value.args
    all_true = value.op == op.V_ALL_TRUE
    width = _lane_width(x, 0) if x.op != _CONST else 0
    if width and (not all_true or width >= op.SHAPE_BITS[value.imm]):
        lanes, inverted = _lanes(s, x)
        mask = s.temp(_I32)
        make(s, v.PMOVMSKB, [lanes], 0, mask)
        s.operands.append(mask)
        code = CC_E if all_true else CC_NE
        if all_true != inverted:
            s.imm = 0xFFFF
            return COMPARE_IMM[_I32], code
        return TEST_ZERO[_I32], code
    one, two = test_bits(s.avx)
    if all_true:
        zeros = make_with(s, EQUAL[value.imm], s.use(x), 0)
        s.operands += (zeros, zeros)
        return one, CC_E
    if s.is_inner(x) and x.op in (op.AND, op.V_ANDNOT, op.V_NOT):
        if x.op == op.V_NOT:
            s.operands += (s.use(x.args[0]), s.vector_constant(_ONES))
            return two, CC_AE
        first, second = x.args
        if x.op == op.AND:
            s.operands += (s.use(first), s.use(second))
            return two, CC_NE
        s.operands += (s.use(second), s.use(first))
        return two, CC_AE
    tested = s.use(x)
    s.operands += (tested, tested)
    return one, CC_NE


def any_or_all_true(s: ConditionLowering, inst: Inst) -> None:
    """The same as a number."""
    destination = s.define(inst)
    s.operands = []
    s.imm = 0
    comparison, code = truth(s, inst)
    s.emit(MInst(set_op(comparison, code), [destination], s.operands, s.imm))


def bitmask(s: ConditionLowering, inst: Inst) -> None:
    shape = inst.imm
    source = s.use(inst.args[0])
    destination = s.define(inst)
    if shape == I16X8:
        source = make_with(s, v.PACKSSWB, source, 0)
    make(s, _MASKS[shape], [source], 0, destination)


_MASKS: Final = (v.PMOVMSKB, v.PMOVMSKB, v.MOVMSKPS, v.MOVMSKPD)


# Comparisons.


def integer_comparison(s: ConditionLowering, inst: Inst) -> None:
    shape = inst.imm & _SHAPE
    condition = inst.imm >> _SHIFT
    x, y = inst.args
    if condition == op.LT_S or condition == op.LT_U:
        condition = op.ICMP_SWAPPED[condition]
        x, y = y, x
    if condition == op.EQ:
        operate(s, EQUAL[shape], x, y, s.define(inst))
    elif condition == op.GT_S:
        operate(s, GREATER[shape], x, y, s.define(inst))
    elif condition == op.NE:
        _inverted(s, inst, operate(s, EQUAL[shape], x, y))
    elif condition == op.GT_U:
        # As signed numbers, with the top bits turned over.
        signs = _SIGNS[shape]
        first = _turned(s, x, signs)
        if y.op == _CONST:
            make_with(s, GREATER[shape], first, y.imm ^ signs, s.define(inst))
        else:
            make(s, GREATER[shape], [first, _turned(s, y, signs)], 0, s.define(inst))
    elif shape == I64X2:
        # x >= y is not y > x.
        if condition == op.GE_S:
            x, y = y, x
        _inverted(s, inst, operate(s, GREATER[shape], x, y))
    else:
        # One of them is the larger, or the smaller, of the two.
        bound = make(s, BOUNDS[condition][shape], [s.use(x), s.use(y)])
        make(s, EQUAL[shape], [bound, s.use(x)], 0, s.define(inst))


def _inverted(s: ConditionLowering, inst: Inst, register: int) -> None:
    if "avx512vl" in s.features:
        make(s, v.VPTERNLOGD, [register] * 3, _OPERANDS[2] ^ 0xFF, s.define(inst))
        return
    make_with(s, v.PXOR, register, _ONES, s.define(inst))


def _turned(s: ConditionLowering, x: Inst, bits: int) -> int:
    if x.op == _CONST:
        return s.vector_constant(x.imm ^ bits)
    return make_with(s, v.PXOR, s.use(x), bits)


def float_comparison(s: ConditionLowering, inst: Inst) -> None:
    predicate, swapped = PREDICATES[inst.imm >> _SHIFT]
    x, y = inst.args
    if swapped:
        x, y = y, x
    operate(s, FLOAT_COMPARE[inst.imm & _SHAPE], x, y, s.define(inst), predicate)


# Shifts.


def _masked_count(s: ConditionLowering, count: Inst, width: int) -> int:
    """The count modulo the width, in an integer register."""
    mask = width - 1
    if count.op == op.AND and count.args[1].op == _CONST and count.args[1].imm <= mask:
        return s.low(count)
    while count.op == op.AND and count.args[1].op == _CONST and count.args[1].imm & mask == mask:
        if s.vregs[count.id]:
            break
        count = count.args[0]
    register = s.temp(_I32)
    s.emit(MInst(BINARY_IMM[op.AND << 3 | _I32], [register], [s.low(count)], mask))
    return register


def _in_vector(s: ConditionLowering, count: int) -> int:
    return make(s, e.MOVD_XR, [count])


def shift(s: ConditionLowering, inst: Inst) -> None:
    shape = inst.imm
    count = inst.args[1]
    width = op.SHAPE_BITS[shape]
    if count.op == _CONST:
        _shift_by_constant(s, inst, count.imm & width - 1)
    elif shape == I8X16:
        _shift_bytes(s, inst, _masked_count(s, count, width))
    elif shape == I64X2 and inst.op == op.V_SHR_S and "avx512vl" in s.features:
        number = _in_vector(s, _masked_count(s, count, width))
        make(s, v.VPSRAQ, [s.use(inst.args[0]), number], 0, s.define(inst))
    elif shape == I64X2 and inst.op == op.V_SHR_S:
        # What a logical shift makes of the sign is 2^(63 - count), and subtracting that from the rest extends it.
        number = _in_vector(s, _masked_count(s, count, width))
        sign = make(s, v.PSRLQ, [s.vector_constant(_SIGNS[I64X2]), number])
        shifted = make(s, v.PSRLQ, [s.use(inst.args[0]), number])
        make(s, v.PSUBQ, [make(s, v.PXOR, [shifted, sign]), sign], 0, s.define(inst))
    else:
        number = _in_vector(s, _masked_count(s, count, width))
        make(s, SHIFTS[inst.op][shape], [s.use(inst.args[0]), number], 0, s.define(inst))


def _shift_by_constant(s: ConditionLowering, inst: Inst, number: int) -> None:
    shape = inst.imm
    operation = inst.op
    x = s.use(inst.args[0])
    destination = s.define(inst)
    width = op.SHAPE_BITS[shape]
    if number == 0:
        make(s, v.POR, [x, x], 0, destination)
    elif operation == op.V_SHR_S and number == width - 1 and shape in (I8X16, I64X2):
        make(s, GREATER[shape], [s.vector_constant(0), x], 0, destination)
    elif shape == I64X2 and operation == op.V_SHR_S:
        if "avx512vl" in s.features:
            make(s, v.VPSRAQ_I, [x], number, destination)
        elif number < 32:
            # The upper half is that of lanes of 32 bits.
            upper = make(s, v.PSRAD_I, [x], number)
            lower = make(s, v.PSRLQ_I, [x], number)
            make(s, v.PBLENDW, [lower, upper], 0b1100_1100, destination)
        else:
            sign = (1 << 63 - number) * _SPREAD[I64X2]
            turned = make_with(s, v.PXOR, make(s, v.PSRLQ_I, [x], number), sign)
            make_with(s, v.PSUBQ, turned, sign, destination)
    elif shape == I8X16:
        if operation == op.V_SHL and number == 1:
            make(s, v.PADDB, [x, x], 0, destination)
            return
        shifted = make(s, SHIFTS_BY_CONSTANT[op.V_SHL if operation == op.V_SHL else op.V_SHR_U][shape], [x], number)
        kept = 0xFF << number & 0xFF if operation == op.V_SHL else 0xFF >> number
        if operation == op.V_SHR_S:
            sign = (0x80 >> number) * _SPREAD[I8X16]
            shifted = make_with(s, v.PAND, shifted, kept * _SPREAD[I8X16])
            make_with(s, v.PSUBB, make_with(s, v.PXOR, shifted, sign), sign, destination)
        else:
            make_with(s, v.PAND, shifted, kept * _SPREAD[I8X16], destination)
    else:
        make(s, SHIFTS_BY_CONSTANT[operation][shape], [x], number, destination)


def _shift_bytes(s: ConditionLowering, inst: Inst, count: int) -> None:
    """Bytes by a number that is not known: as words, without what would come from the neighbour."""
    x = s.use(inst.args[0])
    destination = s.define(inst)
    if inst.op == op.V_SHR_S:
        # Each in the upper half of a word.
        more = s.temp(_I32)
        s.emit(MInst(ADD_IMM[_I32], [more], [count], 8))
        number = _in_vector(s, more)
        lower = make(s, v.PSRAW, [make(s, v.PUNPCKLBW, [x, x]), number])
        upper = make(s, v.PSRAW, [make(s, v.PUNPCKHBW, [x, x]), number])
        make(s, v.PACKSSWB, [lower, upper], 0, destination)
        return
    number = _in_vector(s, count)
    words = make(s, v.PSRLW, [s.vector_constant(0xFF * _SPREAD[I16X8]), number])
    kept = make(s, v.PACKUSWB, [words, words])
    if inst.op == op.V_SHL:
        make(s, v.PSLLW, [make(s, v.PAND, [x, kept]), number], 0, destination)
    else:
        make(s, v.PAND, [make(s, v.PSRLW, [x, number]), kept], 0, destination)


# Integer arithmetic.


def negate(s: ConditionLowering, inst: Inst) -> None:
    row = ROWS[op.V_SUB << 4 | inst.imm]
    make(s, row, [s.vector_constant(0), s.use(inst.args[0])], 0, s.define(inst))


def absolute(s: ConditionLowering, inst: Inst) -> None:
    if inst.imm != I64X2:
        row_of_table(s, inst)
        return
    x = s.use(inst.args[0])
    if "avx512vl" in s.features:
        make(s, v.VPABSQ, [x], 0, s.define(inst))
        return
    sign = make(s, v.PSHUFD, [make(s, v.PSRAD_I, [x], 31)], 0xF5)
    make(s, v.PSUBQ, [make(s, v.PXOR, [x, sign]), sign], 0, s.define(inst))


def multiply(s: ConditionLowering, inst: Inst) -> None:
    if inst.imm != I64X2:
        row_of_table(s, inst)
        return
    # x * y = low x * low y + (high x * low y + low x * high y) * 2^32, from products of 32 bits.
    first, second = inst.args
    if first.op == _CONST:
        first, second = second, first
    x = s.use(first)
    if "avx512dq" in s.features:
        make(s, v.VPMULLQ, [x, s.use(second)], 0, s.define(inst))
        return
    cross: list[int] = []
    if second.op == _CONST:
        upper = second.imm >> 32 & 0xFFFF_FFFF * _SPREAD[I64X2]
        if second.imm & 0xFFFF_FFFF * _SPREAD[I64X2]:
            cross.append(make_with(s, v.PMULUDQ, make(s, v.PSRLQ_I, [x], 32), second.imm))
        if upper:
            cross.append(make_with(s, v.PMULUDQ, x, upper))
        product = make_with(s, v.PMULUDQ, x, second.imm)
    else:
        y = s.use(second)
        cross.append(make(s, v.PMULUDQ, [make(s, v.PSRLQ_I, [x], 32), y]))
        if first is not second:
            cross.append(make(s, v.PMULUDQ, [make(s, v.PSRLQ_I, [y], 32), x]))
        else:
            cross.append(cross[0])
        product = make(s, v.PMULUDQ, [x, y])
    total = make(s, v.PADDQ, cross) if len(cross) == 2 else cross[0] if cross else s.vector_constant(0)
    make(s, v.PADDQ, [make(s, v.PSLLQ_I, [total], 32), product], 0, s.define(inst))


def count_bits(s: ConditionLowering, inst: Inst) -> None:
    """A table of numbers for each half of a byte."""
    x = s.use(inst.args[0])
    if "avx512bitalg" in s.features:
        make(s, v.VPOPCNTB, [x], 0, s.define(inst))
        return
    half = 0x0F * _SPREAD[I8X16]
    table = s.vector_constant(int.from_bytes(bytes([number.bit_count() for number in range(16)]), "little"))
    lower = make(s, v.PSHUFB, [table, make_with(s, v.PAND, x, half)])
    upper = make(s, v.PSHUFB, [table, make_with(s, v.PAND, make(s, v.PSRLW_I, [x], 4), half)])
    make(s, v.PADDB, [lower, upper], 0, s.define(inst))


def rounded_product(s: ConditionLowering, inst: Inst) -> None:
    """v_q15mulr: -1 * -1, which does not fit, is what gives -32768; all its bits change."""
    product = operate(s, v.PMULHRSW, inst.args[0], inst.args[1])
    overflow = make_with(s, v.PCMPEQW, product, _SIGNS[I16X8])
    make(s, v.PXOR, [product, overflow], 0, s.define(inst))


# Between widths.


def extend(s: ConditionLowering, inst: Inst) -> None:
    """v_extend_s, v_extend_u."""
    shape = inst.imm & _SHAPE
    (x,) = inst.args
    row = ROWS[inst.op << 4 | shape]
    destination = s.define(inst)
    if inst.imm & HIGH_HALF == 0:
        if not load_low_half(s, row, x, destination):
            make(s, row, [s.use(x)], 0, destination)
    elif inst.op == op.V_EXTEND_U and s.avx:
        make(s, INTERLEAVE_HIGH[shape - 1], [s.use(x), s.vector_constant(0)], 0, destination)
    else:
        make(s, row, [make(s, v.PSHUFD, [s.use(x)], 0xEE)], 0, destination)


def extended_product(s: ConditionLowering, inst: Inst) -> None:
    """v_extmul_s, v_extmul_u."""
    shape = inst.imm & _SHAPE
    high = inst.imm & HIGH_HALF
    first, second = inst.args
    operation = inst.op
    x = s.use(first)
    y = s.use(second)
    destination = s.define(inst)
    if shape == I32X4:
        lower = make(s, v.PMULLW, [x, y])
        upper = make(s, HIGH_PRODUCT[operation], [x, y])
        make(s, (INTERLEAVE_HIGH if high else INTERLEAVE_LOW)[1], [lower, upper], 0, destination)
        return
    if shape == I64X2:
        x, y = _both(s, x, y, lambda value: make(s, v.PSHUFD, [value], SPREAD_HALF[high]))
        make(s, LONG_PRODUCT[operation], [x, y], 0, destination)
        return
    row = ROWS[(op.V_EXTEND_S if operation == op.V_EXTMUL_S else op.V_EXTEND_U) << 4 | I16X8]
    if high:
        x, y = _both(s, x, y, lambda value: make(s, v.PSHUFD, [value], 0xEE))
    x, y = _both(s, x, y, lambda value: make(s, row, [value]))
    make(s, v.PMULLW, [x, y], 0, destination)


def _both(s: ConditionLowering, x: int, y: int, change: Callable[[int], int]) -> tuple[int, int]:
    """The same done to two operands, once when they are one."""
    changed = change(x)
    return changed, changed if x == y else change(y)


def pairwise_sum(s: ConditionLowering, inst: Inst) -> None:
    """v_extadd_s, v_extadd_u."""
    (narrow,) = inst.args
    x = s.use(narrow)
    destination = s.define(inst)
    if inst.imm == I16X8:
        if inst.op == op.V_EXTADD_U:
            make_with(s, v.PMADDUBSW, x, _SPREAD[I8X16], destination)
        else:
            # The unsigned operand comes first.
            make(s, v.PMADDUBSW, [s.vector_constant(_SPREAD[I8X16]), x], 0, destination)
    elif inst.op == op.V_EXTADD_S or _is_not_negative(narrow):
        make_with(s, v.PMADDWD, x, _SPREAD[I16X8], destination)
    else:
        odd = make(s, v.PSRLD_I, [x], 16)
        even = make_with(s, v.PAND, x, 0xFFFF * _SPREAD[I32X4])
        make(s, v.PADDD, [odd, even], 0, destination)


def _is_not_negative(words: Inst) -> bool:
    """Whether words are known not to have their top bits set."""
    operation = words.op
    if operation in (op.V_EXTADD_U, op.V_EXTEND_U, op.V_SHR_U) and words.imm & _SHAPE == I16X8:
        return operation != op.V_SHR_U or (words.args[1].op == _CONST and words.args[1].imm & 15 != 0)
    return operation == op.AND and words.args[1].op == _CONST and words.args[1].imm & _SIGNS[I16X8] == 0


# Floating point.


def minimum(s: ConditionLowering, inst: Inst) -> None:
    """Both orders: what the second operand decides (NaN, zeros) is different in them, and in `or` both have a say."""
    single = inst.imm == F32X4
    row = v.MINPS if single else v.MINPD
    x, y = s.use(inst.args[0]), s.use(inst.args[1])
    one = make(s, row, [x, y])
    other = make(s, row, [y, x])
    either = make(s, v.POR, [one, other])
    unordered = make(s, FLOAT_COMPARE[inst.imm], [one, other], UNORDERED)
    _quieted(s, inst, make(s, v.POR, [either, unordered]), unordered)


def maximum(s: ConditionLowering, inst: Inst) -> None:
    """The same, but where zeros differ in sign, -0 - -0 is +0."""
    single = inst.imm == F32X4
    row = v.MAXPS if single else v.MAXPD
    x, y = s.use(inst.args[0]), s.use(inst.args[1])
    one = make(s, row, [x, y])
    other = make(s, row, [y, x])
    difference = make(s, v.PXOR, [one, other])
    either = make(s, v.POR, [one, difference])
    number = make(s, v.SUBPS if single else v.SUBPD, [either, difference])
    unordered = make(s, FLOAT_COMPARE[inst.imm], [either, either], UNORDERED)
    _quieted(s, inst, number, unordered)


def _quieted(s: ConditionLowering, inst: Inst, number: int, unordered: int) -> None:
    """Clear all of a NaN's fraction but the bit that makes it quiet."""
    row, bits = (v.PSRLD_I, 10) if inst.imm == F32X4 else (v.PSRLQ_I, 13)
    make(s, v.PANDN, [make(s, row, [unordered], bits), number], 0, s.define(inst))


def multiply_add(s: ConditionLowering, inst: Inst) -> None:
    """v_relaxed_madd, v_relaxed_nmadd."""
    x, y, z = inst.args
    key = inst.op << 4 | inst.imm
    destination = s.define(inst)
    if "fma" in s.features:
        row = FUSED_213[key]
        if is_memory(s, row, z):
            uses = [s.use(x), s.use(y)]
            address = s.memory(z, uses)
            s.emit(MInst(with_memory(row, True), [destination], uses, address, s.fault_offset(z)))
        elif z.op == _CONST and z.imm:
            s.emit(MInst(with_constant(row, True), [destination], [s.use(x), s.use(y)], z.imm))
        else:
            row = FUSED_231[key]
            if x.op == _CONST or is_memory(s, row, x):
                x, y = y, x
            uses = [s.use(z), s.use(x)]
            if y.op == _CONST and y.imm:
                s.emit(MInst(with_constant(row, True), [destination], uses, y.imm))
            elif is_memory(s, row, y):
                address = s.memory(y, uses)
                s.emit(MInst(with_memory(row, True), [destination], uses, address, s.fault_offset(y)))
            else:
                make(s, row, [*uses, s.use(y)], 0, destination)
        return
    product = operate(s, ROWS[op.V_FMUL << 4 | inst.imm], x, y)
    if inst.op == op.V_RELAXED_MADD:
        make(s, ROWS[op.V_FADD << 4 | inst.imm], [product, s.use(z)], 0, destination)
    else:
        make(s, ROWS[op.V_FSUB << 4 | inst.imm], [s.use(z), product], 0, destination)


# Conversions.


def convert(s: ConditionLowering, inst: Inst) -> None:
    """v_convert_s, v_convert_u."""
    (x,) = inst.args
    destination = s.define(inst)
    shape = inst.imm
    if inst.op == op.V_CONVERT_S:
        row = ROWS[inst.op << 4 | shape]
        if shape != F64X2:
            operate_one(s, row, x, destination)
        elif not load_low_half(s, row, x, destination):
            make(s, row, [s.use(x)], 0, destination)
    elif "avx512vl" in s.features:
        make(s, v.VCVTUDQ2PS if shape == F32X4 else v.VCVTUDQ2PD, [s.use(x)], 0, destination)
    elif shape == F64X2:
        number = make_with(s, v.UNPCKLPS, s.use(x), _TWO_52_UPPER)
        make_with(s, v.SUBPD, number, _TWO_52, destination)
    else:
        # The low half, and the high half divided by two and doubled again, are exact; their sum is rounded, once.
        source = s.use(x)
        lower = make(s, v.PBLENDW, [source, s.vector_constant(0)], 0b1010_1010)
        upper = make(s, v.PSRLD_I, [make(s, v.PSUBD, [source, lower])], 1)
        half = make(s, v.CVTDQ2PS, [upper])
        doubled = make(s, v.ADDPS, [half, half])
        make(s, v.ADDPS, [doubled, make(s, v.CVTDQ2PS, [lower])], 0, destination)


def promote(s: ConditionLowering, inst: Inst) -> None:
    row = ROWS[inst.op << 4]
    destination = s.define(inst)
    if not load_low_half(s, row, inst.args[0], destination):
        make(s, row, [s.use(inst.args[0])], 0, destination)


# The hardware gives 0x80000000 for what does not fit, and for NaN.


def saturating_s(s: ConditionLowering, inst: Inst) -> None:
    """v_trunc_sat_s."""
    x = s.use(inst.args[0])
    destination = s.define(inst)
    if inst.imm == F64X2:
        ordered = make(s, v.CMPPD, [x, x])
        limit = make_with(s, v.PAND, ordered, _INT_MAX)
        # The second operand where the first is NaN: zero.
        make(s, v.CVTTPD2DQ, [make(s, v.MINPD, [x, limit])], 0, destination)
        return
    number = make(s, v.PAND, [x, make(s, v.CMPPS, [x, x])])
    large = make(s, v.CMPPS, [number, s.vector_constant(_TWO_31)], NOT_LESS)
    make(s, v.PXOR, [make(s, v.CVTTPS2DQ, [number]), large], 0, destination)


def saturating_u(s: ConditionLowering, inst: Inst) -> None:
    """v_trunc_sat_u."""
    x = s.use(inst.args[0])
    zero = s.vector_constant(0)
    if "avx512vl" in s.features:
        # What is too large becomes 2^32 - 1.
        if inst.imm == F32X4:
            make(s, v.VCVTTPS2UDQ, [make(s, v.MAXPS, [x, zero])], 0, s.define(inst))
        else:
            make(s, v.VCVTTPD2UDQ, [make(s, v.MAXPD, [x, zero])], 0, s.define(inst))
        return
    if inst.imm == F64X2:
        number = make_with(s, v.MINPD, make(s, v.MAXPD, [x, zero]), _UINT_MAX)
        _low_words(s, inst, number, zero)
        return
    # In two parts: below 2^31, and from there on.
    number = make(s, v.MAXPS, [x, zero])
    lower = make(s, v.CVTTPS2DQ, [number])
    rest = make_with(s, v.SUBPS, number, _TWO_31)
    large = make(s, v.CMPPS, [rest, s.vector_constant(_TWO_31)], NOT_LESS)
    upper = make(s, v.PXOR, [make(s, v.CVTTPS2DQ, [rest]), large])
    make(s, v.PADDD, [make(s, v.PMAXSD, [upper, zero]), lower], 0, s.define(inst))


def _low_words(s: ConditionLowering, inst: Inst, number: int, zero: int) -> None:
    """Doubles from 0 to 2^32 - 1 as integers: the low words of 2^52 + the truncated number."""
    truncated = make(s, v.ROUNDPD, [number], ROUNDING_MODES[op.FTRUNC])
    make(s, v.SHUFPS, [make_with(s, v.ADDPD, truncated, _TWO_52), zero], 0x88, s.define(inst))


def relaxed_u(s: ConditionLowering, inst: Inst) -> None:
    """v_relaxed_trunc_u."""
    x = s.use(inst.args[0])
    if "avx512vl" in s.features:
        make(s, v.VCVTTPS2UDQ if inst.imm == F32X4 else v.VCVTTPD2UDQ, [x], 0, s.define(inst))
        return
    if inst.imm == F64X2:
        _low_words(s, inst, x, s.vector_constant(0))
        return
    lower = make(s, v.CVTTPS2DQ, [x])
    upper = make(s, v.CVTTPS2DQ, [make_with(s, v.SUBPS, x, _TWO_31)])
    # The first one is 0x80000000 where the second one is wanted.
    chosen = make(s, v.PAND, [upper, make(s, v.PSRAD_I, [lower], 31)])
    make(s, v.POR, [lower, chosen], 0, s.define(inst))


HANDLERS: Final[dict[int, _Handler]] = {
    **{key >> 4: row_of_table for key in ROWS},
    **{key >> 4: reversed_row for key in REVERSED_ROWS},
    op.V_SPLAT: splat,
    op.V_LOW: low,
    op.V_EXTRACT_S: extract,
    op.V_EXTRACT_U: extract,
    op.V_REPLACE: replace,
    op.V_SHUFFLE: shuffle,
    op.V_SWIZZLE: swizzle,
    **dict.fromkeys(_HANDLERS_OF_BITS, bitwise),
    op.OR: either,
    op.V_RELAXED_LANESELECT: lane_select,
    op.V_ANY_TRUE: any_or_all_true,
    op.V_ALL_TRUE: any_or_all_true,
    op.V_BITMASK: bitmask,
    op.V_ICMP: integer_comparison,
    op.V_FCMP: float_comparison,
    **dict.fromkeys((op.V_SHL, op.V_SHR_S, op.V_SHR_U), shift),
    op.V_NEG: negate,
    op.V_ABS: absolute,
    op.V_MUL: multiply,
    op.V_POPCNT: count_bits,
    op.V_Q15MULR: rounded_product,
    **dict.fromkeys((op.V_EXTEND_S, op.V_EXTEND_U), extend),
    **dict.fromkeys((op.V_EXTMUL_S, op.V_EXTMUL_U), extended_product),
    **dict.fromkeys((op.V_EXTADD_S, op.V_EXTADD_U), pairwise_sum),
    op.V_FMIN: minimum,
    op.V_FMAX: maximum,
    **dict.fromkeys((op.V_FABS, op.V_FNEG), sign_bits),
    **dict.fromkeys((op.V_FCEIL, op.V_FFLOOR, op.V_FTRUNC, op.V_FNEAREST), rounding),
    **dict.fromkeys((op.V_RELAXED_MADD, op.V_RELAXED_NMADD), multiply_add),
    **dict.fromkeys((op.V_CONVERT_S, op.V_CONVERT_U), convert),
    op.V_PROMOTE: promote,
    op.V_TRUNC_SAT_S: saturating_s,
    op.V_TRUNC_SAT_U: saturating_u,
    op.V_RELAXED_TRUNC_U: relaxed_u,
}
