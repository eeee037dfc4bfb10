"""What operations give for constant operands (core specification, section "Execution", "Numerics").

Constants are bit patterns, unsigned. A function gives None where there is nothing to fold: the operation would trap, or
a NaN is involved whose bits the specification leaves open.
"""

from __future__ import annotations

import operator
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


def _rotr(a: int, b: int, width: int) -> int | None:
    return _rotl(a, width - (b & (width - 1)), width)


def _mulhi_s(a: int, b: int, width: int) -> int | None:
    return signed(a, width) * signed(b, width) >> width


def _mulhi_u(a: int, b: int, width: int) -> int | None:
    return a * b >> width


def _div_u(a: int, b: int, width: int) -> int | None:
    return a // b if b else None


def _rem_u(a: int, b: int, width: int) -> int | None:
    return a % b if b else None


def _shl(a: int, b: int, width: int) -> int | None:
    return a << (b & (width - 1))


def _shr_s(a: int, b: int, width: int) -> int | None:
    return signed(a, width) >> (b & (width - 1))


def _shr_u(a: int, b: int, width: int) -> int | None:
    return a >> (b & (width - 1))


# (Functions with names: mypyc makes a class of each lambda, which takes 10 µs at every start.)
#: The same for every width: (a, b) -> result.
_ANY_WIDTH: Final[dict[int, Callable[[int, int], int]]] = {
    opcodes.IADD: operator.add,
    opcodes.ISUB: operator.sub,
    opcodes.IMUL: operator.mul,
    opcodes.AND: operator.and_,
    opcodes.OR: operator.or_,
    opcodes.XOR: operator.xor,
}
_BINARY: Final[dict[int, Callable[[int, int, int], int | None]]] = {
    opcodes.MULHI_S: _mulhi_s,
    opcodes.MULHI_U: _mulhi_u,
    opcodes.DIV_S: _div_s,
    opcodes.DIV_U: _div_u,
    opcodes.REM_S: _rem_s,
    opcodes.REM_U: _rem_u,
    opcodes.SHL: _shl,
    opcodes.SHR_S: _shr_s,
    opcodes.SHR_U: _shr_u,
    opcodes.ROTL: _rotl,
    opcodes.ROTR: _rotr,
}

# Floats: (a, b) -> result in double precision. Rounding that to single precision gives the single-precision result for
# these four and the square root (Figueroa, "When is double rounding innocuous?", 1995).
_FLOAT_BINARY: Final[dict[int, Callable[[float, float], float]]] = {
    opcodes.FADD: operator.add,
    opcodes.FSUB: operator.sub,
    opcodes.FMUL: operator.mul,
    opcodes.FDIV: operator.truediv,
}


def fold_binary(op: int, type: int, a: int, b: int) -> int | None:
    """The bits of `op`.`type` a, b."""
    plain = _ANY_WIDTH.get(op)
    if plain is not None:
        return plain(a, b) & types.MASKS[type]
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


def _clz(a: int, width: int) -> int:
    return width - a.bit_length()


def _ctz(a: int, width: int) -> int:
    return (a & -a).bit_length() - 1 if a else width


def _popcnt(a: int, width: int) -> int:
    return a.bit_count()


def _sext8(a: int, width: int) -> int:
    return signed(a, 8)


def _sext16(a: int, width: int) -> int:
    return signed(a, 16)


def _sext32(a: int, width: int) -> int:
    return signed(a, 32)


def _same(a: int, width: int) -> int:
    return a


def _fneg(a: int, width: int) -> int:
    return a ^ 1 << (width - 1)


def _fabs(a: int, width: int) -> int:
    return a & ~(1 << (width - 1))


# (bits of the operand, width of the operand) -> result, of which the low bits count.
_UNARY: Final[dict[int, Callable[[int, int], int]]] = {
    opcodes.CLZ: _clz,
    opcodes.CTZ: _ctz,
    opcodes.POPCNT: _popcnt,
    opcodes.SEXT8: _sext8,
    opcodes.SEXT16: _sext16,
    opcodes.SEXT32: _sext32,
    opcodes.EXTEND_S: signed,
    opcodes.EXTEND_U: _same,
    opcodes.WRAP: _same,
    opcodes.BITCAST: _same,
    opcodes.FNEG: _fneg,
    opcodes.FABS: _fabs,
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
        return fold(a, width) & types.MASKS[type]
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
    operator.eq,
    operator.ne,
    operator.lt,
    operator.ge,
    operator.gt,
    operator.le,
    operator.lt,
    operator.ge,
    operator.gt,
    operator.le,
)
_FLOAT_COMPARE: Final[tuple[Callable[[float, float], bool], ...]] = (
    operator.eq,
    operator.ne,
    operator.lt,
    operator.gt,
    operator.le,
    operator.ge,
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
