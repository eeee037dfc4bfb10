"""Instruction selection for vectors. Read with the first operation on them.

Handlers are functions on the lowering of a function, found by operation. Most operations are one instruction, a row of
`vector_instructions`; a handler of its own is for what takes several, or takes the work of others over.
"""

from __future__ import annotations

from collections.abc import Callable

from wasm_backend_arm64.conditions import COMPARE_IMM, set_op
from wasm_backend_arm64.encodings import CC_NE, LSL, logical_immediate, shifted
from wasm_backend_arm64.instructions import BINARY, LOGICAL_IMM, NEGATE
from wasm_backend_arm64.lower_shuffle import lower_shuffle, splat_of_lane
from wasm_backend_arm64.lower_vector_memory import load_into_lane, load_low, load_splat
from wasm_backend_arm64.vector_constants import small_immediate
from wasm_backend_arm64.vector_encodings import B, D, H, S, element, lane, left, right, source_lane
from wasm_backend_arm64.vector_instructions import (
    ACCUMULATE,
    ADD_EXTENDED,
    ADD_PAIRS,
    ADD_SATURATED,
    AND,
    AND_NOT,
    AND_NOT_IMM,
    BOTH_EXTENDED,
    BYTES_FROM,
    COMPARISONS,
    CONVERT_LONG,
    DIFFERENCES,
    DOT_PRODUCT,
    EVEN,
    EXTRACT_S,
    EXTRACT_U,
    FLOAT_COMPARISONS,
    FLOAT_ZERO_COMPARISONS,
    GREATER,
    HAVE_COMMON_BITS,
    INSERT_FALSE,
    INSERT_LANE,
    INSERT_RIGHT,
    INSERT_SCALAR,
    INSERT_TRUE,
    LANE,
    LESS_THAN_ZERO,
    LOW_FLOAT,
    LOW_INTEGER,
    LOWEST_LANE,
    MINIMUM,
    MULTIPLY,
    MULTIPLY_ADD,
    MULTIPLY_ADD_BY_LANE,
    MULTIPLY_ADD_LOW,
    MULTIPLY_BY_LANE,
    MULTIPLY_HIGH,
    MULTIPLY_LOW,
    NARROW,
    NOT,
    ODD,
    OR_IMM,
    OR_NOT,
    PAIRWISE_MAXIMUM,
    PAIRWISE_SUM,
    REVERSE_PAIRS,
    ROWS,
    SATURATE_S,
    SATURATE_U,
    SELECT_BITS,
    SHIFT_BY_CONSTANT,
    SHIFT_BY_LANES,
    SPLAT_LANE,
    SPLAT_SCALAR,
    SUM,
    SWAP_HALVES,
    TO_INTEGER,
    TRUNCATE,
    TRUNCATE_DOUBLE,
    UNSIGNED_DIFFERENCE,
    WIDTHS,
    XOR,
    ZERO_COMPARISONS,
    ZIP,
    select_vector_op,
)
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.codegen.machinst import MInst, MOp
from wasm_ir.ir import Inst
from wasm_ir.opcodes import F32X4, F64X2, I8X16, I16X8, I32X4, I64X2

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_backend_arm64.lower_conditions import ConditionLowering

_CONST: Final = op.CONST
_I32: Final = types.I32
_I64: Final = types.I64
_V128: Final = types.V128
_SHAPE: Final = op.SHAPE_MASK
_SHIFT: Final = op.SHAPE_SHIFT
_EXTRACTIONS: Final = (op.V_EXTRACT_U, op.V_EXTRACT_S)
_BITWISE: Final = (op.AND, op.OR, op.XOR, op.V_ANDNOT, op.V_NOT)
_EXTENSIONS: Final = (op.V_EXTEND_S, op.V_EXTEND_U)
#: Shape -> bits 0, 1, 2 and so on in its lanes.
_LANE_BITS: Final = {
    I8X16: sum(1 << 8 * number + number % 8 for number in range(16)),
    I16X8: sum(1 << 16 * number + number for number in range(8)),
    I32X4: sum(1 << 32 * number + number for number in range(4)),
}


def _emit(s: ConditionLowering, operation: MOp, uses: list[int], imm: int = 0, value_type: int = _V128) -> int:
    """An instruction in the middle of a sequence; gives the register of its result."""
    result = s.temp(value_type)
    s.emit(MInst(operation, [result], uses, imm))
    return result


def _row(s: ConditionLowering, inst: Inst) -> None:
    """One instruction, all operands in registers."""
    s.emit(MInst(ROWS[inst.op << 4 | inst.imm], [s.define(inst)], [s.use(arg) for arg in inst.args], 0))


# From and to scalars.


def _splat(s: ConditionLowering, inst: Inst) -> None:
    shape = inst.imm
    width = WIDTHS[shape]
    scalar = inst.args[0]
    if load_splat(s, inst, scalar, width):
        return
    destination = s.define(inst)
    if shape >= F32X4:
        s.emit(MInst(SPLAT_LANE[width], [destination], [s.use(scalar)], 0))
        return
    if width < S:
        scalar = s.stored_part(scalar, 1 << width)
    s.emit(MInst(SPLAT_SCALAR[width], [destination], [s.low(scalar) if width < D else s.source(scalar, _I64)], 0))


def _low(s: ConditionLowering, inst: Inst) -> None:
    scalar = inst.args[0]
    width = WIDTHS[inst.imm]
    if load_low(s, inst, scalar, width):
        return
    destination = s.define(inst)
    if inst.imm >= F32X4:
        s.emit(MInst(LOW_FLOAT[width], [destination], [s.use(scalar)], 0))
    else:
        s.emit(MInst(LOW_INTEGER[width], [destination], [s.source(scalar, scalar.type)], 0))


def _extract(s: ConditionLowering, inst: Inst) -> None:
    shape = inst.imm & _SHAPE
    number = inst.imm >> _SHIFT
    width = WIDTHS[shape]
    destination = s.define(inst)
    uses = [s.use(inst.args[0])]
    if shape >= F32X4:
        if number:
            s.emit(MInst(LANE[width], [destination], uses, lane(width, number)))
        else:
            s.emit(MInst(LOWEST_LANE, [destination], uses, 0))
    elif inst.op == op.V_EXTRACT_S:
        s.emit(MInst(EXTRACT_S[width], [destination], uses, lane(width, number)))
    elif number == 0 and width >= S:
        s.emit(MInst(TO_INTEGER[width], [destination], uses, 0))
    else:
        s.emit(MInst(EXTRACT_U[width], [destination], uses, lane(width, number)))


def _replace(s: ConditionLowering, inst: Inst) -> None:
    vector, scalar = inst.args
    shape = inst.imm & _SHAPE
    width = WIDTHS[shape]
    number = inst.imm >> _SHIFT
    if load_into_lane(s, inst, vector, scalar, width, number):
        return
    if width < S:
        scalar = s.stored_part(scalar, 1 << width)
    destination = s.define(inst)
    if scalar.op in _EXTRACTIONS and WIDTHS[scalar.imm & _SHAPE] == width and s.is_inner(scalar):
        # From lane to lane, without the way through a scalar register.
        imm = lane(width, number) | source_lane(width, scalar.imm >> _SHIFT)
        s.emit(MInst(INSERT_LANE[width], [destination], [s.use(vector), s.use(scalar.args[0])], imm))
    elif shape >= F32X4:
        s.emit(MInst(INSERT_LANE[width], [destination], [s.use(vector), s.use(scalar)], lane(width, number)))
    else:
        uses = [s.use(vector), s.source(scalar, scalar.type)]
        s.emit(MInst(INSERT_SCALAR[width], [destination], uses, lane(width, number)))


# Bits.


def _mask(s: ConditionLowering, value: Inst) -> tuple[int, bool]:
    """A register with a vector, and whether it holds the complement: of `not equal`, for which there is none."""
    if (value.op == op.V_ICMP or value.op == op.V_FCMP) and value.imm >> _SHIFT == op.NE and s.is_inner(value):
        second = value.args[1]
        if value.op == op.V_FCMP or second.op != _CONST or second.imm:
            mask = s.temp(_V128)
            _compare(s, mask, value, value.imm & _SHAPE)
            return mask, True
    if value.op == op.V_NOT and s.is_inner(value):
        return s.use(value.args[0]), True
    return s.use(value), False


def _and(s: ConditionLowering, inst: Inst) -> None:
    first, second = inst.args
    destination = s.define(inst)
    if first.op == _CONST:
        first, second = second, first
    if second.op == _CONST:
        found = small_immediate(second.imm ^ types.MASKS[_V128])
        if found is not None:
            s.emit(MInst(AND_NOT_IMM[found[0]], [destination], [s.use(first)], found[1]))
            return
    register, inverted = _mask(s, second)
    if inverted:
        other = s.use(first)
    else:
        other = register
        register, inverted = _mask(s, first)
    s.emit(MInst(AND_NOT if inverted else AND, [destination], [other, register], 0))


def _andnot(s: ConditionLowering, inst: Inst) -> None:
    destination = s.define(inst)
    register, inverted = _mask(s, inst.args[1])
    s.emit(MInst(AND if inverted else AND_NOT, [destination], [s.use(inst.args[0]), register], 0))


def _or(s: ConditionLowering, inst: Inst) -> None:
    first, second = inst.args
    if first.op == _CONST:
        first, second = second, first
    if _rotate(s, inst, first, second) or _rotate(s, inst, second, first):
        return
    destination = s.define(inst)
    if first.op == second.op == op.V_SUB_SAT_U and first.imm == second.imm and first.args == second.args[::-1]:
        # What is left of x without y, or of y without x: one of them is zero.
        uses = [s.use(arg) for arg in first.args]
        s.emit(MInst(UNSIGNED_DIFFERENCE[WIDTHS[first.imm]], [destination], uses, 0))
        return
    if second.op == _CONST:
        found = small_immediate(second.imm)
        if found is not None:
            s.emit(MInst(OR_IMM[found[0]], [destination], [s.use(first)], found[1]))
            return
    for x, y in ((first, second), (second, first)):
        if y.op == op.V_NOT and s.is_inner(y):
            s.emit(MInst(OR_NOT, [destination], [s.use(x), s.use(y.args[0])], 0))
            return
    s.emit(MInst(ROWS[op.OR << 4], [destination], [s.use(first), s.use(second)], 0))


def _rotate(s: ConditionLowering, inst: Inst, x: Inst, y: Inst) -> bool:
    """x << k | y >> width - k, bits of both side by side."""
    if x.op != op.V_SHL or y.op != op.V_SHR_U or x.imm != y.imm or not (s.is_inner(x) and s.is_inner(y)):
        return False
    if x.args[1].op != _CONST or y.args[1].op != _CONST:
        return False
    width = WIDTHS[x.imm]
    bits = 8 << width
    by_left = x.args[1].imm & bits - 1
    by_right = y.args[1].imm & bits - 1
    if by_left == 0 or by_left + by_right != bits:
        return False
    destination = s.define(inst)
    if x.args[0] is y.args[0] and by_left == by_right and width in SWAP_HALVES:
        s.emit(MInst(SWAP_HALVES[width], [destination], [s.use(x.args[0])], 0))
        return True
    upper = _emit(s, SHIFT_BY_CONSTANT[op.V_SHL][width], [s.use(x.args[0])], left(by_left))
    s.emit(MInst(INSERT_RIGHT[width], [destination], [upper, s.use(y.args[0])], right(width, by_right)))
    return True


def _bitselect(s: ConditionLowering, inst: Inst) -> None:
    """v_bitselect and v_relaxed_laneselect: the operand that nobody needs any more is the one that is changed."""
    x, y, mask = inst.args
    destination = s.define(inst)
    register, inverted = _mask(s, mask)
    if inverted:
        x, y = y, x
    if not inverted and not _is_last_use(s, mask):
        if _is_last_use(s, y):
            s.emit(MInst(INSERT_TRUE, [destination], [s.use(y), s.use(x), register], 0))
            return
        if _is_last_use(s, x):
            s.emit(MInst(INSERT_FALSE, [destination], [s.use(x), s.use(y), register], 0))
            return
    s.emit(MInst(SELECT_BITS, [destination], [register, s.use(x), s.use(y)], 0))


def _is_last_use(s: ConditionLowering, value: Inst) -> bool:
    """Constants may be those of a loop."""
    return value.op != _CONST and s.use_counts[value.id] == 1


def _select(s: ConditionLowering, inst: Inst) -> None:
    condition, if_true, if_false = inst.args
    uses = [s.use(if_true), s.use(if_false)]
    comparison, code = s.compare(condition, uses, False)
    s.emit(MInst(select_vector_op(comparison, code), [s.define(inst)], uses, s.imm))


# Tests.


def truth(s: ConditionLowering, inst: Inst) -> tuple[int, int, bool]:
    """v_any_true, v_all_true or v_bitmask as the type and register of a number, and whether that is zero when it holds
    (for v_bitmask: when any bit is set), instead of when it does not."""
    vector = inst.args[0]
    if inst.op == op.V_BITMASK:
        # Whether any lane is negative.
        if not _is_mask(vector, inst.imm, 4):
            width = WIDTHS[inst.imm]
            return _I64, _any(s, _emit(s, LESS_THAN_ZERO[width], [s.use(vector)])), False
        return _I64, _any(s, s.use(vector)), False
    is_comparison = vector.op == op.V_ICMP and s.is_inner(vector)
    condition = vector.imm >> _SHIFT
    if inst.op == op.V_ANY_TRUE:
        if is_comparison and condition == op.NE:
            return _I64, _any(s, _difference(s, vector)), False
        return _I64, _any(s, s.use(vector)), False
    shape = inst.imm
    if is_comparison and vector.imm & _SHAPE == shape:
        if condition == op.EQ:
            return _I64, _any(s, _difference(s, vector)), True
        # All are true when there is none of which the opposite is.
        mask = s.temp(_V128)
        _compare(s, mask, vector, vector.imm ^ 1 << _SHIFT)
        return _I64, _any(s, mask), True
    if shape == I64X2:
        return _I64, _any(s, _emit(s, ZERO_COMPARISONS[shape], [s.use(vector)])), True
    smallest = _emit(s, MINIMUM[WIDTHS[shape]], [s.use(vector)])
    return _I32, _emit(s, TO_INTEGER[S], [smallest], 0, _I32), False


def _is_mask(vector: Inst, shape: int, depth: int) -> bool:
    """Whether all lanes are ones or zeros: comparisons, and what bits of comparisons are put together to."""
    operation = vector.op
    if operation == op.V_ICMP or operation == op.V_FCMP:
        return WIDTHS[vector.imm & _SHAPE] >= WIDTHS[shape]
    if operation in _BITWISE and depth:
        return all(_is_mask(arg, shape, depth - 1) for arg in vector.args)
    return False


def _any(s: ConditionLowering, vector: int) -> int:
    """An i64 that is zero when all of a vector is."""
    return _emit(s, TO_INTEGER[D], [_emit(s, PAIRWISE_MAXIMUM, [vector, vector])], 0, _I64)


def _difference(s: ConditionLowering, comparison: Inst) -> int:
    """A vector that is zero when all lanes of a comparison are equal."""
    x, y = comparison.args
    if y.op == _CONST and y.imm == 0:
        return s.use(x)
    return _emit(s, XOR, [s.use(x), s.use(y)])


def _truth(s: ConditionLowering, inst: Inst) -> None:
    """v_any_true and v_all_true as a number."""
    destination = s.define(inst)
    value_type, register, is_zero = truth(s, inst)
    s.emit(MInst(set_op(COMPARE_IMM[value_type], CC_NE ^ is_zero), [destination], [register], 0))


def _bitmask(s: ConditionLowering, inst: Inst) -> None:
    """The top bits: each lane keeps the bit that is its number, and all are added up."""
    shape = inst.imm
    width = WIDTHS[shape]
    vector = inst.args[0]
    destination = s.define(inst)
    register = s.use(vector)
    if shape == I64X2:
        signs = _emit(s, SHIFT_BY_CONSTANT[op.V_SHR_U][D], [register], right(D, 63))
        low = _emit(s, TO_INTEGER[D], [signs], 0, _I64)
        high = _emit(s, EXTRACT_U[D], [signs], lane(D, 1), _I64)
        s.emit(MInst(BINARY[op.IADD << 3 | _I32], [destination], [low, high], shifted(LSL, 1)))
        return
    if not _is_mask(vector, shape, 4):
        register = _emit(s, LESS_THAN_ZERO[width], [register])
    register = _emit(s, AND, [register, s.vector_constant(_LANE_BITS[shape])])
    if shape == I8X16:
        # The upper eight beside the lower ones, as halves of 16 bits.
        upper = _emit(s, BYTES_FROM, [register, register], 8 << 11)
        register = _emit(s, ZIP[B], [register, upper])
        width = H
    total = _emit(s, SUM[width], [register])
    s.emit(MInst(TO_INTEGER[S], [destination], [total], 0))


def _compare(s: ConditionLowering, destination: int, comparison: Inst, imm: int) -> None:
    """A comparison of the operands of one; `imm` says which, but it is never `ne`."""
    x, y = comparison.args
    is_float = comparison.op == op.V_FCMP
    if y.op == _CONST and (y.imm == 0 or (is_float and y.imm == _MINUS_ZEROS[imm & _SHAPE])):
        zero = (FLOAT_ZERO_COMPARISONS if is_float else ZERO_COMPARISONS).get(imm)
        if zero is not None:
            s.emit(MInst(zero, [destination], [s.use(x)], 0))
            return
    operation, swapped = (FLOAT_COMPARISONS if is_float else COMPARISONS)[imm]
    uses = [s.use(y), s.use(x)] if swapped else [s.use(x), s.use(y)]
    s.emit(MInst(operation, [destination], uses, 0))


_MINUS_ZEROS: Final = {F32X4: sum(1 << at for at in range(31, 128, 32)), F64X2: 1 << 127 | 1 << 63}


def _comparison(s: ConditionLowering, inst: Inst) -> None:
    """v_icmp and v_fcmp."""
    imm = inst.imm
    destination = s.define(inst)
    if imm >> _SHIFT != op.NE:
        _compare(s, destination, inst, imm)
        return
    x, y = inst.args
    if inst.op == op.V_ICMP and y.op == _CONST and y.imm == 0:
        width = WIDTHS[imm & _SHAPE]
        if x.op == op.AND and s.is_inner(x):
            uses = [s.use(x.args[0]), s.use(x.args[1])]
        else:
            register = s.use(x)
            uses = [register, register]
        s.emit(MInst(HAVE_COMMON_BITS[width], [destination], uses, 0))
        return
    mask = s.temp(_V128)
    _compare(s, mask, inst, imm & _SHAPE)
    s.emit(MInst(NOT, [destination], [mask], 0))


# Integers.


def _sum(s: ConditionLowering, inst: Inst) -> None:
    """v_add and v_sub: of a product, of neighbours, of what is shifted or extended."""
    x, y = inst.args
    operation = inst.op
    shape = inst.imm
    if operation == op.V_SUB and x.op in DIFFERENCES and x.imm == y.imm == shape and y.op == DIFFERENCES[x.op][0]:
        difference = DIFFERENCES[x.op][1][shape]
        if x.args == y.args or x.args == y.args[::-1]:
            s.emit(MInst(difference, [s.define(inst)], [s.use(arg) for arg in x.args], 0))
            return
    if x is not y:
        for base, term in ((x, y), (y, x)) if operation == op.V_ADD else ((x, y),):
            if term.imm & _SHAPE == shape and s.is_inner(term) and _accumulate(s, inst, base, term):
                return
        if x.op in _EXTENSIONS and x.op == y.op and x.imm == y.imm and _on_extended(s, inst, x, y):
            return
        for base, term in ((x, y), (y, x)) if operation == op.V_ADD else ((x, y),):
            if term.op in _EXTENSIONS and term.imm & _SHAPE == shape and s.is_inner(term):
                form = ADD_EXTENDED[operation][term.op << 4 | term.imm]
                s.emit(MInst(form, [s.define(inst)], [s.use(base), s.use(_extended(s, term))], 0))
                return
    _row(s, inst)


def _accumulate(s: ConditionLowering, inst: Inst, base: Inst, term: Inst) -> bool:
    args = term.args
    if term.op == op.V_EXTADD_S and inst.op == op.V_ADD and inst.imm == I32X4:
        dot = args[0]
        if dot.op == op.V_RELAXED_DOT and s.is_inner(dot) and s.has(DOT_PRODUCT):
            uses = [s.use(base), s.use(dot.args[0]), s.use(dot.args[1])]
            s.emit(MInst(DOT_PRODUCT, [s.define(inst)], uses, 0))
            return True
    # Lanes, conditions and constants have larger numbers.
    form = ACCUMULATE[inst.op].get(term.op << 4 | term.imm) if term.imm < 16 else None
    if form is None:
        return False
    imm = 0
    if term.op == op.V_SHR_S or term.op == op.V_SHR_U:
        count = args[1]
        width = WIDTHS[term.imm]
        if count.op != _CONST or count.imm & (8 << width) - 1 == 0:
            return False
        imm = right(width, count.imm & (8 << width) - 1)
        args = args[:1]
    s.emit(MInst(form, [s.define(inst)], [s.use(base), *[s.use(arg) for arg in args]], imm))
    return True


def _on_extended(s: ConditionLowering, inst: Inst, x: Inst, y: Inst) -> bool:
    """An operation on two operands that are extended in the same way."""
    if x.imm & _SHAPE != inst.imm or not (s.is_inner(x) and s.is_inner(y)):
        return False
    form = BOTH_EXTENDED[inst.op][x.op << 4 | x.imm]
    s.emit(MInst(form, [s.define(inst)], [s.use(_extended(s, x)), s.use(_extended(s, y))], 0))
    return True


def _extended(s: ConditionLowering, extension: Inst) -> Inst:
    """What is extended: of a low half that is a scalar, the rest need not be cleared (a load does that anyway)."""
    source = extension.args[0]
    if extension.imm & op.HIGH_HALF == 0 and source.op == op.V_LOW and source.imm == F64X2 and s.is_inner(source):
        scalar = source.args[0]
        if scalar.op != op.HEAP_LOAD and scalar.op != op.LOAD:
            return scalar
    return source


def _extend(s: ConditionLowering, inst: Inst) -> None:
    s.emit(MInst(ROWS[inst.op << 4 | inst.imm], [s.define(inst)], [s.use(_extended(s, inst))], 0))


def _product(s: ConditionLowering, inst: Inst) -> None:
    x, y = inst.args
    if x.op in _EXTENSIONS and x.op == y.op and x.imm == y.imm and x is not y and _on_extended(s, inst, x, y):
        return
    if inst.imm != I64X2:
        _row(s, inst)
        return
    # low * low + ((low * high + high * low) << 32)
    destination = s.define(inst)
    if x.op == _CONST:
        x, y = y, x
    first = s.use(x)
    if y.op == _CONST:
        words = [y.imm >> at & 0xFFFF_FFFF for at in range(0, 128, 32)]
        swapped = s.vector_constant(words[1] | words[0] << 32 | words[3] << 64 | words[2] << 96)
        second_low = s.vector_constant(words[0] | words[2] << 32)
    else:
        second = s.use(y)
        swapped = _emit(s, REVERSE_PAIRS, [second])
        second_low = _emit(s, TRUNCATE[S], [second])
    crossed = _emit(s, ADD_PAIRS[S], [_emit(s, MULTIPLY[S], [swapped, first])])
    upper = _emit(s, SHIFT_BY_CONSTANT[op.V_SHL][D], [crossed], left(32))
    first_low = _emit(s, TRUNCATE[S], [first])
    s.emit(MInst(MULTIPLY_ADD_LOW[S], [destination], [upper, first_low, second_low], 0))


def _shift(s: ConditionLowering, inst: Inst) -> None:
    vector, count = inst.args
    operation = inst.op
    width = WIDTHS[inst.imm]
    mask = (8 << width) - 1
    destination = s.define(inst)
    if count.op == _CONST:
        number = count.imm & mask
        if operation == op.V_SHL:
            extended = vector.op in _EXTENSIONS and vector.imm & _SHAPE == inst.imm
            if extended and number < 4 << width and s.is_inner(vector):
                form = ROWS[vector.op << 4 | vector.imm]
                s.emit(MInst(form, [destination], [s.use(_extended(s, vector))], left(number)))
                return
            imm = left(number)
        elif number == 0:
            operation, imm = op.V_SHL, 0
        else:
            imm = right(width, number)
        s.emit(MInst(SHIFT_BY_CONSTANT[operation][width], [destination], [s.use(vector)], imm))
        return
    bits = logical_immediate(mask, 32)
    assert bits is not None
    amount = _emit(s, LOGICAL_IMM[op.AND << 3 | _I32], [s.low(count)], bits, _I32)
    if operation != op.V_SHL:
        amount = _emit(s, NEGATE[_I32 if width < D else _I64], [amount], 0, _I64)
    amounts = _emit(s, SPLAT_SCALAR[width], [amount])
    s.emit(MInst(SHIFT_BY_LANES[operation][width], [destination], [s.use(vector), amounts], 0))


def _dot(s: ConditionLowering, inst: Inst) -> None:
    uses = [s.use(inst.args[0]), s.use(inst.args[1])]
    products = [_emit(s, MULTIPLY_LOW[H], uses), _emit(s, MULTIPLY_HIGH[H], [*uses])]
    s.emit(MInst(PAIRWISE_SUM[S], [s.define(inst)], products, 0))


def _relaxed_dot(s: ConditionLowering, inst: Inst) -> None:
    """Sums of two products fit 16 bits but for one case, -128 * -128 twice: then they saturate."""
    uses = [s.use(inst.args[0]), s.use(inst.args[1])]
    products = [_emit(s, MULTIPLY_LOW[B], uses), _emit(s, MULTIPLY_HIGH[B], [*uses])]
    terms = [_emit(s, EVEN[H], products), _emit(s, ODD[H], [*products])]
    s.emit(MInst(ADD_SATURATED[H], [s.define(inst)], terms, 0))


def _narrow(s: ConditionLowering, inst: Inst) -> None:
    lower, upper = NARROW[inst.op]
    width = WIDTHS[inst.imm]
    first, second = inst.args
    destination = s.define(inst)
    if inst.op == op.V_NARROW_U:
        for part, form in ((_lower_half, EVEN), (_upper_half, ODD)):
            x, y = part(first, inst.imm), part(second, inst.imm)
            if x is not None and y is not None:
                s.emit(MInst(form[width], [destination], [s.use(x), s.use(y)], 0))
                return
    if second.op == _CONST and second.imm == 0:
        s.emit(MInst(lower[width], [destination], [s.use(first)], 0))
        return
    half = _emit(s, lower[width], [s.use(first)])
    s.emit(MInst(upper[width], [destination], [half, s.use(second)], 0))


def _lower_half(value: Inst, narrow: int) -> Inst | None:
    """A vector of which a value is the lower halves of lanes, twice as wide as those of the shape `narrow`."""
    if value.op != op.AND:
        return None
    x, y = value.args
    if x.op == _CONST:
        x, y = y, x
    return x if y.op == _CONST and y.imm == _LOWER_HALVES[narrow] else None


def _upper_half(value: Inst, narrow: int) -> Inst | None:
    """The same with the upper halves."""
    if value.op != op.V_SHR_U or value.imm != narrow + 1:
        return None
    vector, count = value.args
    bits = op.SHAPE_BITS[narrow]
    return vector if count.op == _CONST and count.imm & 2 * bits - 1 == bits else None


#: Shape -> the lower halves of lanes twice as wide.
_LOWER_HALVES: Final = {
    shape: sum(types.MASKS[_V128] >> 128 - op.SHAPE_BITS[shape] << at for at in range(0, 128, 2 * op.SHAPE_BITS[shape]))
    for shape in (I8X16, I16X8)
}


# Floats.


def _pseudo_minimum(s: ConditionLowering, inst: Inst) -> None:
    """v_fpmin and v_fpmax: y where it is less (or greater) than x, else x."""
    x, y = s.use(inst.args[0]), s.use(inst.args[1])
    mask = _emit(s, GREATER[inst.imm], [x, y] if inst.op == op.V_FPMIN else [y, x])
    s.emit(MInst(SELECT_BITS, [s.define(inst)], [mask, y, x], 0))


def _multiply(s: ConditionLowering, inst: Inst) -> None:
    width = WIDTHS[inst.imm]
    x, y = inst.args
    for vector, other in ((x, y), (y, x)):
        number = _lane_everywhere(s, other, inst.imm)
        if number >= 0:
            uses = [s.use(vector), s.use(other.args[0])]
            s.emit(MInst(MULTIPLY_BY_LANE[width], [s.define(inst)], uses, element(width, number)))
            return
    _row(s, inst)


def _multiply_add(s: ConditionLowering, inst: Inst) -> None:
    width = WIDTHS[inst.imm]
    x, y, z = inst.args
    destination = s.define(inst)
    for vector, other in ((x, y), (y, x)):
        number = _lane_everywhere(s, other, inst.imm)
        if number >= 0:
            uses = [s.use(z), s.use(vector), s.use(other.args[0])]
            s.emit(MInst(MULTIPLY_ADD_BY_LANE[inst.op][width], [destination], uses, element(width, number)))
            return
    form = MULTIPLY_ADD[inst.op << 4 | inst.imm]
    s.emit(MInst(form, [destination], [s.use(z), s.use(x), s.use(y)], 0))


def _lane_everywhere(s: ConditionLowering, value: Inst, shape: int) -> int:
    """If all lanes of a vector that nobody else has asked for are one lane of its operand, or a scalar, the number of
    that, else -1."""
    if s.vregs[value.id]:
        return -1
    if value.op == op.V_SPLAT and value.imm == shape:
        return 0
    if value.op == op.V_SHUFFLE and value.args[0] is value.args[1]:
        return splat_of_lane(value.imm, WIDTHS[shape])
    return -1


def _convert(s: ConditionLowering, inst: Inst) -> None:
    """v_convert: two integers are extended to 64 bits first."""
    if inst.imm == F32X4:
        _row(s, inst)
        return
    extension = op.V_EXTEND_S if inst.op == op.V_CONVERT_S else op.V_EXTEND_U
    wide = _emit(s, ROWS[extension << 4 | I64X2], [s.use(inst.args[0])])
    s.emit(MInst(CONVERT_LONG[inst.op], [s.define(inst)], [wide], 0))


def _truncate(s: ConditionLowering, inst: Inst) -> None:
    """v_trunc_sat and v_relaxed_trunc: doubles to 64 bits, and these saturated to 32."""
    if inst.imm == F32X4:
        _row(s, inst)
        return
    wide = _emit(s, TRUNCATE_DOUBLE[inst.op], [s.use(inst.args[0])])
    narrow = SATURATE_S if inst.op == op.V_TRUNC_SAT_S or inst.op == op.V_RELAXED_TRUNC_S else SATURATE_U
    s.emit(MInst(narrow, [s.define(inst)], [wide], 0))


_Handler = Callable[["ConditionLowering", Inst], None]

#: By operation.
HANDLERS: Final[dict[int, _Handler]] = {
    **dict.fromkeys((operation >> 4 for operation in ROWS), _row),
    op.V_SPLAT: _splat,
    op.V_LOW: _low,
    op.V_EXTRACT_S: _extract,
    op.V_EXTRACT_U: _extract,
    op.V_REPLACE: _replace,
    op.V_SHUFFLE: lower_shuffle,
    op.AND: _and,
    op.OR: _or,
    op.SELECT: _select,
    op.V_ANDNOT: _andnot,
    op.V_BITSELECT: _bitselect,
    op.V_RELAXED_LANESELECT: _bitselect,
    op.V_ANY_TRUE: _truth,
    op.V_ALL_TRUE: _truth,
    op.V_BITMASK: _bitmask,
    op.V_ICMP: _comparison,
    op.V_FCMP: _comparison,
    **dict.fromkeys((op.V_SHL, op.V_SHR_S, op.V_SHR_U), _shift),
    op.V_ADD: _sum,
    op.V_SUB: _sum,
    op.V_MUL: _product,
    op.V_DOT: _dot,
    op.V_RELAXED_DOT: _relaxed_dot,
    op.V_NARROW_S: _narrow,
    op.V_NARROW_U: _narrow,
    op.V_EXTEND_S: _extend,
    op.V_EXTEND_U: _extend,
    op.V_FMUL: _multiply,
    op.V_FPMIN: _pseudo_minimum,
    op.V_FPMAX: _pseudo_minimum,
    op.V_RELAXED_MADD: _multiply_add,
    op.V_RELAXED_NMADD: _multiply_add,
    op.V_CONVERT_S: _convert,
    op.V_CONVERT_U: _convert,
    **dict.fromkeys((op.V_TRUNC_SAT_S, op.V_TRUNC_SAT_U, op.V_RELAXED_TRUNC_S, op.V_RELAXED_TRUNC_U), _truncate),
}
