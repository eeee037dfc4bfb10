"""What vector operations of the IR mean: a slow model, lane by lane, written from the specification.

`vector` gives the one result that the interpreter of IR takes; `allowed` says whether a machine's result is right,
where NaNs and relaxed operations leave a choice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from fractions import Fraction

from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.folding import signed
from wasm_ir.testing.scalar_model import from_float, integer_condition, scalar, to_float

#: Shape of half as many lanes of twice the width, and of twice as many of half the width.
WIDER = {op.I8X16: op.I16X8, op.I16X8: op.I32X4, op.I32X4: op.I64X2, op.F32X4: op.F64X2}
NARROWER = {wide: narrow for narrow, wide in WIDER.items()}
FLOAT_SHAPES = (op.F32X4, op.F64X2)

#: Operations on floats whose NaN results may have any payload when an operand is a NaN that is not canonical.
_FLOAT_ARITHMETIC = {
    op.V_FADD: op.FADD,
    op.V_FSUB: op.FSUB,
    op.V_FMUL: op.FMUL,
    op.V_FDIV: op.FDIV,
    op.V_FMIN: op.FMIN,
    op.V_FMAX: op.FMAX,
    op.V_FSQRT: op.FSQRT,
    op.V_FCEIL: op.FCEIL,
    op.V_FFLOOR: op.FFLOOR,
    op.V_FTRUNC: op.FTRUNC,
    op.V_FNEAREST: op.FNEAREST,
}
_FLOAT_BITS = {op.V_FABS: op.FABS, op.V_FNEG: op.FNEG}

_DETERMINISTIC = {
    op.V_RELAXED_SWIZZLE: op.V_SWIZZLE,
    op.V_RELAXED_LANESELECT: op.V_BITSELECT,
    op.V_RELAXED_FMIN: op.V_FMIN,
    op.V_RELAXED_FMAX: op.V_FMAX,
    op.V_RELAXED_Q15MULR: op.V_Q15MULR,
    op.V_RELAXED_TRUNC_S: op.V_TRUNC_SAT_S,
    op.V_RELAXED_TRUNC_U: op.V_TRUNC_SAT_U,
}


def split(value: int, shape: int) -> list[int]:
    """The lanes of a vector, the first one in the low bits; unsigned."""
    width = op.SHAPE_BITS[shape]
    return [value >> at & (1 << width) - 1 for at in range(0, 128, width)]


def join(lanes: Iterable[int], shape: int) -> int:
    """The vector with these lanes, of which the bits beyond the shape's width are cut off."""
    width = op.SHAPE_BITS[shape]
    return sum((lane & (1 << width) - 1) << width * number for number, lane in enumerate(lanes))


def saturate(value: int, width: int, is_signed: bool) -> int:
    low, high = (-(1 << width - 1), (1 << width - 1) - 1) if is_signed else (0, (1 << width) - 1)
    return max(low, min(high, value))


def _extended(value: int, shape: int, is_signed: bool) -> list[int]:
    """The lanes as numbers."""
    width = op.SHAPE_BITS[shape]
    return [signed(lane, width) if is_signed else lane for lane in split(value, shape)]


#: (x, y, width), unsigned -> lane; the number may be out of range.
_INTEGER: dict[int, Callable[[int, int, int], int]] = {
    op.V_ADD: lambda x, y, w: x + y,
    op.V_SUB: lambda x, y, w: x - y,
    op.V_MUL: lambda x, y, w: x * y,
    op.V_ADD_SAT_S: lambda x, y, w: saturate(signed(x, w) + signed(y, w), w, True),
    op.V_ADD_SAT_U: lambda x, y, w: saturate(x + y, w, False),
    op.V_SUB_SAT_S: lambda x, y, w: saturate(signed(x, w) - signed(y, w), w, True),
    op.V_SUB_SAT_U: lambda x, y, w: saturate(x - y, w, False),
    op.V_MIN_S: lambda x, y, w: min(signed(x, w), signed(y, w)),
    op.V_MIN_U: lambda x, y, w: min(x, y),
    op.V_MAX_S: lambda x, y, w: max(signed(x, w), signed(y, w)),
    op.V_MAX_U: lambda x, y, w: max(x, y),
    op.V_AVGR_U: lambda x, y, w: (x + y + 1) // 2,
    op.V_Q15MULR: lambda x, y, w: saturate((signed(x, w) * signed(y, w) + 0x4000) >> 15, w, True),
}
_INTEGER_UNARY: dict[int, Callable[[int, int], int]] = {
    op.V_NEG: lambda x, w: -x,
    op.V_ABS: lambda x, w: abs(signed(x, w)),
    op.V_POPCNT: lambda x, w: x.bit_count(),
}
_SHIFTS: dict[int, Callable[[int, int, int], int]] = {
    op.V_SHL: lambda x, count, w: x << count,
    op.V_SHR_S: lambda x, count, w: signed(x, w) >> count,
    op.V_SHR_U: lambda x, count, w: x >> count,
}


def vector(operation: int, imm: int, a: list[int]) -> int:
    """The result for operands `a`; of several that are allowed, the first of the specification."""
    operation = _DETERMINISTIC.get(operation, operation)
    shape, rest = imm & op.SHAPE_MASK, imm >> op.SHAPE_SHIFT
    width = op.SHAPE_BITS[shape] if operation != op.V_SHUFFLE else 8
    if operation in _INTEGER:
        return join([_INTEGER[operation](x, y, width) for x, y in zip(split(a[0], shape), split(a[1], shape))], shape)
    if operation in _INTEGER_UNARY:
        return join([_INTEGER_UNARY[operation](x, width) for x in split(a[0], shape)], shape)
    if operation in _SHIFTS:
        return join([_SHIFTS[operation](x, a[1] % width, width) for x in split(a[0], shape)], shape)
    if operation in _FLOAT_ARITHMETIC or operation in _FLOAT_BITS:
        type = op.SHAPE_TYPES[shape]
        code = _FLOAT_ARITHMETIC.get(operation) or _FLOAT_BITS[operation]
        return join([scalar(code, type, type, lanes) for lanes in zip(*[split(x, shape) for x in a])], shape)
    return _OTHERS[operation](a, shape, rest, imm, operation)


_Other = Callable[[list[int], int, int, int, int], int]


def _replace(a: list[int], shape: int, lane: int, imm: int, operation: int) -> int:
    lanes = split(a[0], shape)
    lanes[lane] = a[1]
    return join(lanes, shape)


def _extract(a: list[int], shape: int, lane: int, imm: int, operation: int) -> int:
    value = split(a[0], shape)[lane]
    return signed(value, op.SHAPE_BITS[shape]) & types.MASKS[types.I32] if operation == op.V_EXTRACT_S else value


def _shuffle(a: list[int], shape: int, rest: int, imm: int, operation: int) -> int:
    both = split(a[0], op.I8X16) + split(a[1], op.I8X16)
    return join([both[number] for number in imm.to_bytes(16, "little")], op.I8X16)


def _swizzle(a: list[int], shape: int, rest: int, imm: int, operation: int) -> int:
    x = split(a[0], op.I8X16)
    return join([x[number] if number < 16 else 0 for number in split(a[1], op.I8X16)], op.I8X16)


def _compare(a: list[int], shape: int, condition: int, imm: int, operation: int) -> int:
    type = op.SHAPE_TYPES[shape]
    lanes = list(zip(split(a[0], shape), split(a[1], shape)))
    if operation == op.V_FCMP:
        return join([-scalar(op.FCMP, types.I32, type, (x, y), condition) for x, y in lanes], shape)
    width = op.SHAPE_BITS[shape]
    return join([-integer_condition(condition, width, x, y) for x, y in lanes], shape)


def _pseudo(a: list[int], shape: int, rest: int, imm: int, operation: int) -> int:
    """pmin: y < x ? y : x; pmax: x < y ? y : x."""
    type = op.SHAPE_TYPES[shape]
    result = []
    for x, y in zip(split(a[0], shape), split(a[1], shape)):
        fx, fy = to_float(type, x), to_float(type, y)
        result.append(y if (fy < fx if operation == op.V_FPMIN else fx < fy) else x)
    return join(result, shape)


def _narrow(a: list[int], shape: int, rest: int, imm: int, operation: int) -> int:
    numbers = [number for x in a for number in _extended(x, WIDER[shape], True)]
    is_signed = operation == op.V_NARROW_S
    return join([saturate(number, op.SHAPE_BITS[shape], is_signed) for number in numbers], shape)


def _half(value: int, shape: int, is_signed: bool, high: int) -> list[int]:
    """Half of the lanes that are half as wide as those of `shape`."""
    numbers = _extended(value, NARROWER[shape], is_signed)
    count = len(numbers) // 2
    return numbers[count:] if high else numbers[:count]


def _extend(a: list[int], shape: int, high: int, imm: int, operation: int) -> int:
    return join(_half(a[0], shape, operation == op.V_EXTEND_S, high), shape)


def _extmul(a: list[int], shape: int, high: int, imm: int, operation: int) -> int:
    x, y = [_half(value, shape, operation == op.V_EXTMUL_S, high) for value in a]
    return join([i * j for i, j in zip(x, y)], shape)


def _extadd(a: list[int], shape: int, rest: int, imm: int, operation: int) -> int:
    numbers = _extended(a[0], NARROWER[shape], operation == op.V_EXTADD_S)
    return join([i + j for i, j in zip(numbers[::2], numbers[1::2])], shape)


def _products(x: int, y: int, shape: int, signed_y: bool) -> list[int]:
    """Sums of products of neighbours."""
    products = [i * j for i, j in zip(_extended(x, shape, True), _extended(y, shape, signed_y))]
    return [i + j for i, j in zip(products[::2], products[1::2])]


def _dot(a: list[int], shape: int, rest: int, imm: int, operation: int) -> int:
    return join(_products(a[0], a[1], op.I16X8, True), shape)


def _dot_bytes(a: list[int], signed_y: bool) -> int:
    return join([saturate(n, 16, True) for n in _products(a[0], a[1], op.I8X16, signed_y)], op.I16X8)


def _convert(a: list[int], shape: int, rest: int, imm: int, operation: int) -> int:
    code = op.ITOF_S if operation == op.V_CONVERT_S else op.ITOF_U
    lanes = split(a[0], op.I32X4)[: op.SHAPE_LANES[shape]]
    return join([scalar(code, op.SHAPE_TYPES[shape], types.I32, (lane,)) for lane in lanes], shape)


def _trunc(a: list[int], shape: int, rest: int, imm: int, operation: int) -> int:
    code = op.FTOI_SAT_S if operation == op.V_TRUNC_SAT_S else op.FTOI_SAT_U
    return join([scalar(code, types.I32, op.SHAPE_TYPES[shape], (lane,)) for lane in split(a[0], shape)], op.I32X4)


def _demote(a: list[int], shape: int, rest: int, imm: int, operation: int) -> int:
    return join([scalar(op.DEMOTE, types.F32, types.F64, (lane,)) for lane in split(a[0], op.F64X2)], op.F32X4)


def _promote(a: list[int], shape: int, rest: int, imm: int, operation: int) -> int:
    return join([scalar(op.PROMOTE, types.F64, types.F32, (lane,)) for lane in split(a[0], op.F32X4)[:2]], op.F64X2)


def _madd(a: list[int], shape: int, rest: int, imm: int, operation: int) -> int:
    type = op.SHAPE_TYPES[shape]
    result = []
    for x, y, z in zip(*[split(value, shape) for value in a]):
        if operation == op.V_RELAXED_NMADD:
            x = scalar(op.FNEG, type, type, (x,))
        result.append(scalar(op.FADD, type, type, (scalar(op.FMUL, type, type, (x, y)), z)))
    return join(result, shape)


_OTHERS: dict[int, _Other] = {
    op.V_SPLAT: lambda a, shape, rest, imm, operation: join([a[0]] * op.SHAPE_LANES[shape], shape),
    op.V_LOW: lambda a, shape, rest, imm, operation: a[0],
    op.V_EXTRACT_S: _extract,
    op.V_EXTRACT_U: _extract,
    op.V_REPLACE: _replace,
    op.V_SHUFFLE: _shuffle,
    op.V_SWIZZLE: _swizzle,
    op.V_NOT: lambda a, shape, rest, imm, operation: a[0] ^ types.MASKS[types.V128],
    op.V_ANDNOT: lambda a, shape, rest, imm, operation: a[0] & ~a[1],
    op.V_BITSELECT: lambda a, shape, rest, imm, operation: a[0] & a[2] | a[1] & ~a[2],
    op.V_ANY_TRUE: lambda a, shape, rest, imm, operation: int(a[0] != 0),
    op.V_ALL_TRUE: lambda a, shape, rest, imm, operation: int(all(split(a[0], shape))),
    op.V_BITMASK: lambda a, shape, rest, imm, operation: sum(
        lane >> op.SHAPE_BITS[shape] - 1 << number for number, lane in enumerate(split(a[0], shape))
    ),
    op.V_ICMP: _compare,
    op.V_FCMP: _compare,
    op.V_FPMIN: _pseudo,
    op.V_FPMAX: _pseudo,
    op.V_NARROW_S: _narrow,
    op.V_NARROW_U: _narrow,
    op.V_EXTEND_S: _extend,
    op.V_EXTEND_U: _extend,
    op.V_EXTMUL_S: _extmul,
    op.V_EXTMUL_U: _extmul,
    op.V_EXTADD_S: _extadd,
    op.V_EXTADD_U: _extadd,
    op.V_DOT: _dot,
    op.V_RELAXED_DOT: lambda a, shape, rest, imm, operation: _dot_bytes(a, True),
    op.V_CONVERT_S: _convert,
    op.V_CONVERT_U: _convert,
    op.V_TRUNC_SAT_S: _trunc,
    op.V_TRUNC_SAT_U: _trunc,
    op.V_DEMOTE: _demote,
    op.V_PROMOTE: _promote,
    op.V_RELAXED_MADD: _madd,
    op.V_RELAXED_NMADD: _madd,
}


# What machines may do.


def _is_nan(type: int, bits: int) -> bool:
    return math.isnan(to_float(type, bits))


def _nan_fits(type: int, operands: Iterable[tuple[int, int]], result: int) -> bool:
    """Whether a NaN is one that arithmetic may give for operands, (type, bits)."""
    canonical = from_float(type, math.nan)
    magnitude = result & types.MASKS[type] >> 1
    if magnitude & canonical != canonical:
        return False
    for source, bits in operands:
        if _is_nan(source, bits) and bits & types.MASKS[source] >> 1 != from_float(source, math.nan):
            return True
    return magnitude == canonical


def fused(type: int, x: int, y: int, z: int) -> int:
    """x * y + z rounded once; a NaN is the canonical one."""
    fx, fy, fz = (to_float(type, bits) for bits in (x, y, z))
    if not (math.isfinite(fx) and math.isfinite(fy) and math.isfinite(fz)):
        # The product does not overflow as a double where it matters, so rounding twice makes no difference.
        product = (
            fx * fy
            if math.isinf(fx) or math.isinf(fy) or math.isnan(fx * fy)
            else math.copysign(1.0, math.copysign(1.0, fx) * math.copysign(1.0, fy))
        )
        return from_float(type, product + fz)
    exact = Fraction(fx) * Fraction(fy) + Fraction(fz)
    if exact == 0:
        negative = math.copysign(1.0, fx) * math.copysign(1.0, fy) < 0
        both = negative and math.copysign(1.0, fz) < 0 and (fx == 0 or fy == 0)
        return from_float(type, -0.0 if both else 0.0)
    return _rounded(type, exact)


def _rounded(type: int, exact: Fraction) -> int:
    """A number that is not 0 to the nearest float, half to even."""
    digits, lowest = (24, -149) if type == types.F32 else (53, -1074)
    magnitude = abs(exact)
    exponent = magnitude.numerator.bit_length() - magnitude.denominator.bit_length() - digits - 1
    while magnitude / Fraction(2) ** exponent >= 1 << digits:
        exponent += 1
    exponent = max(exponent, lowest)
    units = round(magnitude / Fraction(2) ** exponent)
    value = Fraction(units) * Fraction(2) ** exponent
    limit = Fraction(2) ** (128 if type == types.F32 else 1024)
    number = math.inf if value >= limit else float(value)
    return from_float(type, number if exact > 0 else -number)


def _lane_fits(operation: int, imm: int, operands: list[int], expected: int, result: int) -> bool:
    """Whether a lane is right that differs from what the model has. Operands are the lanes at the same place."""
    shape = imm & op.SHAPE_MASK
    type = op.SHAPE_TYPES[shape]
    sources = [(type, bits) for bits in operands]
    if operation in (op.V_RELAXED_FMIN, op.V_RELAXED_FMAX):
        x, y = operands
        if _is_nan(type, expected):
            return result in (x, y) or _nan_fits(type, sources, result)
        sign = 1 << op.SHAPE_BITS[shape] - 1
        return (x | y) & ~sign == 0 and result in (x, y)
    if operation in (op.V_RELAXED_MADD, op.V_RELAXED_NMADD):
        x, y, z = operands
        other = fused(type, scalar(op.FNEG, type, type, (x,)) if operation == op.V_RELAXED_NMADD else x, y, z)
        if _is_nan(type, expected) or _is_nan(type, other):
            return result == other or _nan_fits(type, sources, result)
        return result == other
    if operation == op.V_RELAXED_LANESELECT:
        x, y, mask = operands
        return result == (x if mask >> op.SHAPE_BITS[shape] - 1 else y)
    if operation == op.V_RELAXED_Q15MULR:
        return operands == [0x8000, 0x8000] and result == 0x8000
    return operation in _FLOAT_ARITHMETIC and _is_nan(type, expected) and _nan_fits(type, sources, result)


def allowed(operation: int, imm: int, a: list[int], result: int) -> bool:
    """Whether the result of a machine is one that the specification allows."""
    expected = vector(operation, imm, a)
    if result == expected:
        return True
    if operation == op.V_RELAXED_DOT:
        return result == _dot_bytes(a, False)
    if operation == op.V_RELAXED_SWIZZLE:
        x, numbers, lanes = (split(value, op.I8X16) for value in (*a, result))
        return all(
            lane == x[number % 16] or (lane == 0 and number > 15) if number < 128 else lane == 0
            for number, lane in zip(numbers, lanes)
        )
    if operation in (op.V_RELAXED_TRUNC_S, op.V_RELAXED_TRUNC_U):
        return _truncation_fits(operation, imm, a[0], result)
    if operation in (op.V_DEMOTE, op.V_PROMOTE):
        source, target = (op.F64X2, op.F32X4) if operation == op.V_DEMOTE else (op.F32X4, op.F64X2)
        pairs = list(zip(split(a[0], source)[:2], split(expected, target), split(result, target)))
        return result >> 64 * (3 - op.SHAPE_LANES[target] // 2) == 0 and all(
            lane == wanted
            or (
                _is_nan(op.SHAPE_TYPES[target], wanted)
                and _nan_fits(op.SHAPE_TYPES[target], [(op.SHAPE_TYPES[source], given)], lane)
            )
            for given, wanted, lane in pairs
        )
    if operation in _FLOAT_ARITHMETIC or op.NAMES[operation].startswith("v_relaxed_"):
        shape = imm & op.SHAPE_MASK
        operands = zip(*[split(value, shape) for value in a])
        return all(
            wanted == lane or _lane_fits(operation, imm, list(lanes), wanted, lane)
            for lanes, wanted, lane in zip(operands, split(expected, shape), split(result, shape))
        )
    return False


def _truncation_fits(operation: int, imm: int, a: int, result: int) -> bool:
    shape = imm & op.SHAPE_MASK
    low, high = (-(1 << 31), (1 << 31) - 1) if operation == op.V_RELAXED_TRUNC_S else (0, (1 << 32) - 1)
    lanes = split(result, op.I32X4)
    for number, bits in enumerate(split(a, shape)):
        value = to_float(op.SHAPE_TYPES[shape], bits)
        if (
            math.isfinite(value)
            and low <= math.trunc(value) <= high
            and lanes[number] != math.trunc(value) & 0xFFFFFFFF
        ):
            return False
    return shape == op.F32X4 or lanes[2:] == [0, 0]
