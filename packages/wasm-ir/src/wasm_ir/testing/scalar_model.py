"""What the scalar operations of the IR mean: a slow model, written from the specification."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence

from wasm_core.errors import TrapCode
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.folding import signed

_MASK = types.MASKS


class TrapError(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(TrapCode(code).name)
        self.code = TrapCode(code)


def to_float(type: int, bits: int) -> float:
    value: float = struct.unpack("<f" if type == types.F32 else "<d", bits.to_bytes(types.BYTES[type], "little"))[0]
    return value


def from_float(type: int, value: float) -> int:
    """Rounds; a NaN becomes the canonical one."""
    if value != value:
        return 0x7FC00000 if type == types.F32 else 0x7FF8 << 48
    if type == types.F32:
        try:
            return int.from_bytes(struct.pack("<f", value), "little")
        except OverflowError:
            return 0x7F800000 if value > 0 else 0xFF800000
    return int.from_bytes(struct.pack("<d", value), "little")


def _fdiv(x: float, y: float) -> float:
    if y != 0:
        return x / y
    return math.nan if x == 0 or x != x else math.copysign(math.inf, x) * math.copysign(1, y)


def _fmin(x: float, y: float) -> float:
    if x != x or y != y:
        return math.nan
    return (x if math.copysign(1, x) < 0 else y) if x == y else min(x, y)


def _fmax(x: float, y: float) -> float:
    if x != x or y != y:
        return math.nan
    return (y if math.copysign(1, x) < 0 else x) if x == y else max(x, y)


def _rounding(function: Callable[[float], int]) -> Callable[[float], float]:
    return lambda x: x if x != x or math.isinf(x) else math.copysign(float(function(x)), x)


_FLOAT_BINARY: dict[int, Callable[[float, float], float]] = {
    op.FADD: lambda x, y: x + y,
    op.FSUB: lambda x, y: x - y,
    op.FMUL: lambda x, y: x * y,
    op.FDIV: _fdiv,
    op.FMIN: _fmin,
    op.FMAX: _fmax,
}
_FLOAT_UNARY: dict[int, Callable[[float], float]] = {
    op.FSQRT: lambda x: math.sqrt(x) if x >= 0 else math.nan,
    op.FCEIL: _rounding(math.ceil),
    op.FFLOOR: _rounding(math.floor),
    op.FTRUNC: _rounding(math.trunc),
    op.FNEAREST: _rounding(round),
}
_FLOAT_CONDITIONS: tuple[Callable[[float, float], bool], ...] = (
    lambda x, y: x == y,
    lambda x, y: x != y,
    lambda x, y: x < y,
    lambda x, y: x > y,
    lambda x, y: x <= y,
    lambda x, y: x >= y,
)


def integer_binary(operation: int, width: int, a: int, b: int) -> int:
    """Written from the specification's definitions, not from the compiler's tables."""
    sa, sb = signed(a, width), signed(b, width)
    count = b % width
    if operation in (op.DIV_S, op.DIV_U, op.REM_S, op.REM_U) and b == 0:
        raise TrapError(TrapCode.INTEGER_DIVIDE_BY_ZERO)
    if operation == op.DIV_S and sa == -(1 << (width - 1)) and sb == -1:
        raise TrapError(TrapCode.INTEGER_OVERFLOW)
    bits = format(a, f"0{width}b")
    results: dict[int, Callable[[], int]] = {
        op.IADD: lambda: a + b,
        op.ISUB: lambda: a - b,
        op.IMUL: lambda: a * b,
        op.MULHI_S: lambda: sa * sb // (1 << width),
        op.MULHI_U: lambda: a * b // (1 << width),
        op.DIV_S: lambda: abs(sa) // abs(sb) * (1 if (sa < 0) == (sb < 0) else -1),
        op.DIV_U: lambda: a // b,
        op.REM_S: lambda: (abs(sa) % abs(sb)) * (-1 if sa < 0 else 1),
        op.REM_U: lambda: a % b,
        op.AND: lambda: a & b,
        op.OR: lambda: a | b,
        op.XOR: lambda: a ^ b,
        op.SHL: lambda: a * (1 << count),
        op.SHR_S: lambda: sa // (1 << count),
        op.SHR_U: lambda: a // (1 << count),
        op.ROTL: lambda: int(bits[count:] + bits[:count], 2),
        op.ROTR: lambda: int(bits[-count:] + bits[:-count], 2) if count else a,
    }
    return results[operation]() % (1 << width)


def integer_condition(condition: int, width: int, a: int, b: int) -> int:
    sa, sb = signed(a, width), signed(b, width)
    return int((a == b, a != b, sa < sb, sa >= sb, sa > sb, sa <= sb, a < b, a >= b, a > b, a <= b)[condition])


def scalar(operation: int, type: int, source: int, a: Sequence[int], imm: int = 0) -> int:
    """The result, of `type`, of an operation that reads no memory; the first operand is of type `source`.

    Raises TrapError.
    """
    width = types.BITS[type]
    if op.IADD <= operation <= op.ROTR:
        return integer_binary(operation, width, a[0], a[1])
    if operation == op.ICMP:
        return integer_condition(imm, types.BITS[source], a[0], a[1])
    if operation == op.SELECT:
        return a[1] if a[0] else a[2]
    if operation in (op.SEXT8, op.SEXT16, op.SEXT32):
        return signed(a[0], {op.SEXT8: 8, op.SEXT16: 16, op.SEXT32: 32}[operation]) & _MASK[type]
    if operation == op.EXTEND_S:
        return signed(a[0], 32) & _MASK[type]
    if operation in (op.EXTEND_U, op.WRAP, op.BITCAST):
        return a[0] & _MASK[type]
    if operation in (op.CLZ, op.CTZ, op.POPCNT):
        bits = format(a[0], f"0{width}b")
        if operation == op.POPCNT:
            return bits.count("1")
        return (bits if operation == op.CLZ else bits[::-1]).find("1") if a[0] else width
    return _float(operation, type, source, a, imm)


def _float(operation: int, type: int, source: int, a: Sequence[int], imm: int) -> int:
    if operation == op.FCMP:
        return int(_FLOAT_CONDITIONS[imm](to_float(source, a[0]), to_float(source, a[1])))
    if operation in _FLOAT_BINARY:
        return from_float(type, _FLOAT_BINARY[operation](to_float(type, a[0]), to_float(type, a[1])))
    if operation in _FLOAT_UNARY:
        return from_float(type, _FLOAT_UNARY[operation](to_float(type, a[0])))
    sign = 1 << (types.BITS[source] - 1)
    if operation == op.FNEG:
        return a[0] ^ sign
    if operation == op.FABS:
        return a[0] & ~sign
    if operation == op.FCOPYSIGN:
        return a[0] & ~sign | a[1] & sign
    if operation in (op.PROMOTE, op.DEMOTE):
        return from_float(type, to_float(source, a[0]))
    if operation in (op.ITOF_S, op.ITOF_U):
        number = signed(a[0], types.BITS[source]) if operation == op.ITOF_S else a[0]
        return _integer_to_f32(number) if type == types.F32 else from_float(type, float(number))
    return _to_integer(operation, type, to_float(source, a[0]))


def _integer_to_f32(number: int) -> int:
    """Round to 24 bits, half to even, before the conversion that would round once more."""
    magnitude = abs(number)
    excess = magnitude.bit_length() - 24
    if excess > 0:
        unit = 1 << excess
        low = magnitude % unit
        magnitude -= low
        if low * 2 > unit or (low * 2 == unit and magnitude // unit % 2):
            magnitude += unit
    return from_float(types.F32, float(magnitude if number >= 0 else -magnitude))


def _to_integer(operation: int, type: int, value: float) -> int:
    width = types.BITS[type]
    is_signed = operation in (op.FTOI_S, op.FTOI_SAT_S)
    low, high = (-(1 << (width - 1)), (1 << (width - 1)) - 1) if is_signed else (0, (1 << width) - 1)
    saturates = operation in (op.FTOI_SAT_S, op.FTOI_SAT_U)
    if value != value:
        if saturates:
            return 0
        raise TrapError(TrapCode.INVALID_CONVERSION_TO_INTEGER)
    number = (high + 1 if value > 0 else low - 1) if math.isinf(value) else math.trunc(value)
    if not low <= number <= high:
        if not saturates:
            raise TrapError(TrapCode.INTEGER_OVERFLOW)
        number = max(low, min(high, number))
    return number & _MASK[type]
