"""What operations give for constant operands (core specification, section "Execution", "Numerics").

Constants are bit patterns, unsigned. A function gives None where there is nothing to fold: the operation would trap, or
a NaN is involved whose bits the specification leaves open.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from wasm_ir import opcodes, types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_F32: Final = struct.Struct("<f")
_F64: Final = struct.Struct("<d")
_U32: Final = struct.Struct("<I")
_U64: Final = struct.Struct("<Q")


def signed(value: int, width: int) -> int:
    """The two's complement number that the low `width` bits of `value` stand for."""
    value &= (1 << width) - 1
    return value - (1 << width) if value >> (width - 1) else value


def to_float(type: int, bits: int) -> float:
    """The number that the bits of an f32 or f64 stand for."""
    value: float
    if type == types.F32:
        (value,) = _F32.unpack(_U32.pack(bits))
    else:
        (value,) = _F64.unpack(_U64.pack(bits))
    return value


def from_float(type: int, value: float) -> int | None:
    """The bits of `value`, rounded to `type`; None for NaN and for what overflows in rounding."""
    if value != value:
        return None
    bits: int
    if type == types.F64:
        (bits,) = _U64.unpack(_F64.pack(value))
        return bits
    try:
        (bits,) = _U32.unpack(_F32.pack(value))
    except OverflowError:
        return None
    return bits


# Integers: (a, b, width) -> result, of which the low `width` bits count.


def _divide(a: int, b: int) -> int:
    """Quotient rounded towards zero."""
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def _div_s(a: int, b: int, width: int) -> int | None:
    x = signed(a, width)
    y = signed(b, width)
    if y == 0 or (y == -1 and x == -(1 << (width - 1))):
        return None
    return _divide(x, y)


def _rem_s(a: int, b: int, width: int) -> int | None:
    x = signed(a, width)
    y = signed(b, width)
    return None if y == 0 else x - y * _divide(x, y)


def _rotl(a: int, b: int, width: int) -> int | None:
    b &= width - 1
    return a << b | a >> (width - b)


_BinaryFold = Callable[[int, int, int], int | None]

_BINARY: Final[dict[int, _BinaryFold]] = {
    opcodes.IADD: lambda a, b, width: a + b,
    opcodes.ISUB: lambda a, b, width: a - b,
    opcodes.IMUL: lambda a, b, width: a * b,
    opcodes.MULHI_S: lambda a, b, width: signed(a, width) * signed(b, width) >> width,
    opcodes.MULHI_U: lambda a, b, width: a * b >> width,
    opcodes.DIV_S: _div_s,
    opcodes.DIV_U: lambda a, b, width: a // b if b else None,
    opcodes.REM_S: _rem_s,
    opcodes.REM_U: lambda a, b, width: a % b if b else None,
    opcodes.AND: lambda a, b, width: a & b,
    opcodes.OR: lambda a, b, width: a | b,
    opcodes.XOR: lambda a, b, width: a ^ b,
    opcodes.SHL: lambda a, b, width: a << (b & (width - 1)),
    opcodes.SHR_S: lambda a, b, width: signed(a, width) >> (b & (width - 1)),
    opcodes.SHR_U: lambda a, b, width: a >> (b & (width - 1)),
    opcodes.ROTL: _rotl,
    opcodes.ROTR: lambda a, b, width: _rotl(a, width - (b & (width - 1)), width),
}

# Floats: (a, b) -> result in double precision. Rounding that to single precision gives the single-precision result for
# these four and the square root (Figueroa, "When is double rounding innocuous?", 1995).
_FLOAT_BINARY: Final[dict[int, Callable[[float, float], float]]] = {
    opcodes.FADD: lambda a, b: a + b,
    opcodes.FSUB: lambda a, b: a - b,
    opcodes.FMUL: lambda a, b: a * b,
    opcodes.FDIV: lambda a, b: a / b,
}


def fold_binary(op: int, type: int, a: int, b: int) -> int | None:
    """The bits of `op`.`type` a, b."""
    fold = _BINARY.get(op)
    if fold is not None:
        result = fold(a, b, types.BITS[type])
        return None if result is None else result & types.MASKS[type]
    if op == opcodes.FCOPYSIGN:
        sign = 1 << (types.BITS[type] - 1)
        return (a & ~sign) | (b & sign)
    compute = _FLOAT_BINARY.get(op)
    if compute is None:
        return None
    x = to_float(type, a)
    y = to_float(type, b)
    if op == opcodes.FDIV and y == 0:
        return None
    return from_float(type, compute(x, y))


_UnaryFold = Callable[[int, int], int | None]

# (bits of the operand, width of the operand) -> result, of which the low bits count.
_UNARY: Final[dict[int, _UnaryFold]] = {
    opcodes.CLZ: lambda a, width: width - a.bit_length(),
    opcodes.CTZ: lambda a, width: (a & -a).bit_length() - 1 if a else width,
    opcodes.POPCNT: lambda a, width: a.bit_count(),
    opcodes.SEXT8: lambda a, width: signed(a, 8),
    opcodes.SEXT16: lambda a, width: signed(a, 16),
    opcodes.SEXT32: lambda a, width: signed(a, 32),
    opcodes.EXTEND_S: signed,
    opcodes.EXTEND_U: lambda a, width: a,
    opcodes.WRAP: lambda a, width: a,
    opcodes.BITCAST: lambda a, width: a,
    opcodes.FNEG: lambda a, width: a ^ 1 << (width - 1),
    opcodes.FABS: lambda a, width: a & ~(1 << (width - 1)),
}


def _fold_to_int(op: int, type: int, value: float) -> int | None:
    if value - value != 0.0:  # infinite, or a NaN
        return None
    result = int(value)
    width = types.BITS[type]
    if op in (opcodes.FTOI_S, opcodes.FTOI_SAT_S):
        in_range = -(1 << (width - 1)) <= result < 1 << (width - 1)
    else:
        in_range = 0 <= result < 1 << width
    return result & types.MASKS[type] if in_range else None


def _fold_to_float(type: int, number: int) -> int | None:
    value = float(number)
    if type == types.F32 and value != number:
        return None  # would be rounded twice
    return from_float(type, value)


def fold_unary(op: int, type: int, operand_type: int, a: int) -> int | None:
    """The bits of `op`.`type` a, where a is of `operand_type`."""
    width = types.BITS[operand_type]
    fold = _UNARY.get(op)
    if fold is not None:
        result = fold(a, width)
        return None if result is None else result & types.MASKS[type]
    if op == opcodes.ITOF_S:
        return _fold_to_float(type, signed(a, width))
    if op == opcodes.ITOF_U:
        return _fold_to_float(type, a)
    if operand_type not in (types.F32, types.F64):
        return None
    value = to_float(operand_type, a)
    if op == opcodes.PROMOTE or op == opcodes.DEMOTE:
        return from_float(type, value)
    if op == opcodes.FSQRT:
        from math import sqrt

        return from_float(type, sqrt(value)) if value >= 0 else None
    if op in (opcodes.FTOI_S, opcodes.FTOI_U, opcodes.FTOI_SAT_S, opcodes.FTOI_SAT_U):
        return _fold_to_int(op, type, value)
    return None


# Conditions come in signed and unsigned pairs: (a, b) -> truth, on signed or unsigned numbers as the name says.
_COMPARE: Final[tuple[Callable[[int, int], bool], ...]] = (
    lambda a, b: a == b,
    lambda a, b: a != b,
    lambda a, b: a < b,
    lambda a, b: a >= b,
    lambda a, b: a > b,
    lambda a, b: a <= b,
    lambda a, b: a < b,
    lambda a, b: a >= b,
    lambda a, b: a > b,
    lambda a, b: a <= b,
)
_FLOAT_COMPARE: Final[tuple[Callable[[float, float], bool], ...]] = (
    lambda a, b: a == b,
    lambda a, b: a != b,
    lambda a, b: a < b,
    lambda a, b: a > b,
    lambda a, b: a <= b,
    lambda a, b: a >= b,
)


def fold_icmp(cond: int, type: int, a: int, b: int) -> int:
    """1 or 0: whether the condition holds for integers a, b of `type`."""
    if opcodes.LT_S <= cond <= opcodes.LE_S:
        width = types.BITS[type]
        a = signed(a, width)
        b = signed(b, width)
    return int(_COMPARE[cond](a, b))


def fold_fcmp(cond: int, type: int, a: int, b: int) -> int:
    """1 or 0: whether the condition holds for floats a, b of `type`."""
    return int(_FLOAT_COMPARE[cond](to_float(type, a), to_float(type, b)))
