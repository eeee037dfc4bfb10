"""Floating-point operations, run, against Python's floats and the rules of the specification."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from fractions import Fraction

import pytest

from wasm_core.errors import TrapCode
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.builder import Builder
from wasm_ir.ir import Inst, Signature
from wasm_ir.testing.fixtures import BackendFixtures
from wasm_ir.testing.native_code import Native, heap, outcome, raw

I32, I64, F32, F64 = types.I32, types.I64, types.F32, types.F64
_FORMATS = {F32: ("<f", "<I"), F64: ("<d", "<Q")}
_SIGN = {F32: 1 << 31, F64: 1 << 63}
_INFINITY = {F32: 0x7F80_0000, F64: 0x7FF0_0000_0000_0000}
_QUIET = {F32: 0x0040_0000, F64: 0x0008_0000_0000_0000}


def to_float(bits: int, value_type: int) -> float:
    real, integer = _FORMATS[value_type]
    return float(struct.unpack(real, struct.pack(integer, bits))[0])


def to_bits(number: float, value_type: int) -> int:
    real, integer = _FORMATS[value_type]
    try:
        return int(struct.unpack(integer, struct.pack(real, number))[0])
    except OverflowError:  # too large for f32
        return _INFINITY[value_type] | (_SIGN[value_type] if number < 0 else 0)


def is_nan(bits: int, value_type: int) -> bool:
    return bits & ~_SIGN[value_type] > _INFINITY[value_type]


_NUMBERS = (
    *(0.0, 1.0, 0.5, 1.5, 2.5, 3.5, 0.49999999999999994, 1e-310, 5e-324, 1e-45, 1e-40, 1e30, 1e38, 3.5e38, 1e300),
    *(math.inf, math.pi, 2.0**23, 2.0**24 + 1, 2.0**31, 2.0**31 - 0.5, 2.0**31 - 1, 2.0**31 + 1, 2.0**32),
    *(2.0**32 - 1, 2.0**32 - 0.5, 2.0**52 + 0.5, 2.0**53, 2.0**62, 2.0**63, 2.0**64, 2.0**63 - 1024, 2.0**64 - 2048),
    *(2.0**31 - 128, 2.0**32 - 256, 2.0**63 - 2.0**39, 2.0**64 - 2.0**40, 0.9999999, 0.99999999999999989, 1.1, 1e308),
)


def edges(value_type: int) -> list[int]:
    """Bit patterns at which something changes, NaNs of both kinds among them."""
    sign = _SIGN[value_type]
    infinity = _INFINITY[value_type]
    patterns = {to_bits(number, value_type) for number in _NUMBERS}
    patterns |= {infinity | _QUIET[value_type], infinity | 1, infinity | _QUIET[value_type] | 0x1234, infinity - 1}
    # Neighbours of -2^31 - 1 and the like.
    for number in (2.0**31, 2.0**31 + 1, 2.0**32, 2.0**63, 2.0**64, 1.0):
        bits = to_bits(number, value_type)
        patterns |= {bits - 1, bits, bits + 1}
    return sorted(patterns | {pattern | sign for pattern in patterns})


def check(bits: int, expected: float | int | None, value_type: int, *operands: int) -> None:
    """`expected`: a float, or exact bits as an int, or None for any arithmetic NaN."""
    context = [hex(operand) for operand in operands]
    if expected is None or (isinstance(expected, float) and math.isnan(expected)):
        assert is_nan(bits, value_type), (hex(bits), context)
        assert bits & _QUIET[value_type], (hex(bits), context)
    else:
        wanted = expected if isinstance(expected, int) else to_bits(expected, value_type)
        assert bits == wanted, (hex(bits), hex(wanted), context)


def _quotient(x: float, y: float) -> float:
    if y == 0:
        return math.nan if x == 0 or math.isnan(x) else math.copysign(math.inf, x) * math.copysign(1, y)
    return x / y


def _minimum(x: float, y: float) -> float:
    if math.isnan(x) or math.isnan(y):
        return math.nan
    if x == y:
        return x if math.copysign(1, x) < 0 else y
    return min(x, y)


def _maximum(x: float, y: float) -> float:
    return -_minimum(-x, -y)


BINARY: dict[int, Callable[[float, float], float]] = {
    op.FADD: lambda x, y: x + y,
    op.FSUB: lambda x, y: x - y,
    op.FMUL: lambda x, y: x * y,
    op.FDIV: _quotient,
    op.FMIN: _minimum,
    op.FMAX: _maximum,
}


def _round(function: Callable[[float], int]) -> Callable[[float], float]:
    def rounded(x: float) -> float:
        if math.isnan(x) or math.isinf(x):
            return x
        return math.copysign(float(function(x)), x)

    return rounded


UNARY: dict[int, Callable[[float], float]] = {
    op.FSQRT: lambda x: math.nan if x < 0 else math.sqrt(x),
    op.FCEIL: _round(math.ceil),
    op.FFLOOR: _round(math.floor),
    op.FTRUNC: _round(math.trunc),
    op.FNEAREST: _round(round),
}

CONDITIONS: dict[int, Callable[[float, float], bool]] = {
    op.FEQ: lambda x, y: x == y,
    op.FNE: lambda x, y: x != y,
    op.FLT: lambda x, y: x < y,
    op.FGT: lambda x, y: x > y,
    op.FLE: lambda x, y: x <= y,
    op.FGE: lambda x, y: x >= y,
}

both_types = pytest.mark.parametrize("value_type", [F32, F64], ids=["f32", "f64"])


_float_operations = pytest.mark.parametrize("operation", BINARY, ids=lambda o: op.NAMES[o])


_float_conditions = pytest.mark.parametrize("condition", CONDITIONS, ids=lambda c: op.FCMP_NAMES[c])


def _truncated(x: float, bits: int, is_signed: bool) -> int | TrapCode:
    if math.isnan(x):
        return TrapCode.INVALID_CONVERSION_TO_INTEGER
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if is_signed else (0, (1 << bits) - 1)
    if math.isinf(x) or not low <= math.trunc(x) <= high:
        return TrapCode.INTEGER_OVERFLOW
    return math.trunc(x)


def _saturated(x: float, bits: int, is_signed: bool) -> int:
    result = _truncated(x, bits, is_signed)
    if not isinstance(result, TrapCode):
        return result
    if math.isnan(x):
        return 0
    if is_signed:
        return (1 << bits - 1) - 1 if x > 0 else -(1 << bits - 1)
    return (1 << bits) - 1 if x > 0 else 0


_integer_targets = pytest.mark.parametrize("target", [I32, I64], ids=["i32", "i64"])
_signedness = pytest.mark.parametrize("is_signed", [True, False], ids=["signed", "unsigned"])


def _nearest(value: int, value_type: int) -> float:
    """The float nearest to an integer, ties to even (going through f64 would round twice)."""
    precision = 24 if value_type == F32 else 53
    excess = abs(value).bit_length() - precision
    if excess <= 0:
        return float(value)
    return math.ldexp(float(round(Fraction(value, 1 << excess))), excess)


class FloatTests(BackendFixtures):
    """Floating-point operations."""

    @both_types
    @pytest.mark.parametrize("operation", UNARY, ids=lambda o: op.NAMES[o])
    def test_float_unary(self, native: Native, operation: int, value_type: int) -> None:
        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            return [raw(b, operation, value_type, [p[0]]), raw(b, operation, value_type, [heap(b, value_type, p[1])])]

        function = native.function(Signature((value_type, I32), (value_type, value_type)), body)
        for bits in edges(value_type):
            native.memory[8:16] = bits.to_bytes(8, "little")
            expected = UNARY[operation](to_float(bits, value_type))
            for result in function(bits, 0):
                check(result, expected, value_type, bits)

    @both_types
    def test_sign_bits(self, native: Native, value_type: int) -> None:
        """abs, neg and copysign change the sign alone, of NaNs too."""

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            return [
                raw(b, op.FABS, value_type, [p[0]]),
                raw(b, op.FNEG, value_type, [p[0]]),
                raw(b, op.FCOPYSIGN, value_type, p),
                raw(b, op.FCOPYSIGN, value_type, [p[0], p[0]]),
            ]

        function = native.function(Signature((value_type, value_type), (value_type,) * 4), body)
        sign = _SIGN[value_type]
        for x in edges(value_type):
            for y in edges(value_type)[::7]:
                assert function(x, y) == (x & ~sign, x ^ sign, x & ~sign | y & sign, x)

    def test_between_floats(self, native: Native) -> None:
        demote = native.function(Signature((F64,), (F32,)), lambda b, p: [raw(b, op.DEMOTE, F32, p)])
        promote = native.function(Signature((F32,), (F64,)), lambda b, p: [raw(b, op.PROMOTE, F64, p)])
        loaded = native.function(
            Signature((I32,), (F32, F64)),
            lambda b, p: [
                raw(b, op.DEMOTE, F32, [heap(b, F64, p[0])]),
                raw(b, op.PROMOTE, F64, [heap(b, F32, p[0])]),
            ],
        )
        for bits in edges(F64):
            native.memory[8:16] = bits.to_bytes(8, "little")
            check(demote(bits)[0], to_float(bits, F64), F32, bits)
            check(loaded(0)[0], to_float(bits, F64), F32, bits)
        for bits in edges(F32):
            native.memory[8:16] = bits.to_bytes(8, "little")
            check(promote(bits)[0], to_float(bits, F32), F64, bits)
            check(loaded(0)[1], to_float(bits, F32), F64, bits)

    @pytest.mark.parametrize(("integer", "real"), [(I32, F32), (I64, F64)], ids=["32", "64"])
    def test_bitcast(self, native: Native, integer: int, real: int) -> None:
        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            x, y, index = p
            address = b.binary(op.IADD, I64, b.memory_base(), b.unary(op.EXTEND_U, I64, index))
            b.store(op.HEAP_STORE, address, raw(b, op.BITCAST, real, [x]), 16)
            b.store(op.HEAP_STORE, address, raw(b, op.BITCAST, integer, [y]), 24)
            return [
                raw(b, op.BITCAST, real, [x]),
                raw(b, op.BITCAST, integer, [y]),
                raw(b, op.BITCAST, real, [heap(b, integer, index)]),
                raw(b, op.BITCAST, integer, [heap(b, real, index)]),
            ]

        function = native.function(Signature((integer, real, I32), (real, integer, real, integer)), body)
        size = types.BYTES[integer]
        for bits in edges(real):
            native.memory[8:16] = bits.to_bytes(8, "little")
            assert function(bits, bits, 0) == (bits,) * 4
            assert int.from_bytes(native.memory[16 : 16 + size], "little") == bits
            assert int.from_bytes(native.memory[24 : 24 + size], "little") == bits

    @both_types
    def test_float_constants(self, native: Native, value_type: int) -> None:
        """Constants as results, where they are loaded into given registers, and stored."""
        patterns = edges(value_type)[:30]

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            address = b.binary(op.IADD, I64, b.memory_base(), b.unary(op.EXTEND_U, I64, p[0]))
            for i, bits in enumerate(patterns):
                b.store(op.HEAP_STORE, address, b.const(value_type, bits), 8 * i)
            return [b.const(value_type, bits) for bits in patterns]

        function = native.function(Signature((I32,), (value_type,) * len(patterns)), body)
        assert function(0) == tuple(patterns)
        size = types.BYTES[value_type]
        for i, bits in enumerate(patterns):
            assert int.from_bytes(native.memory[8 * i : 8 * i + size], "little") == bits

    @both_types
    @_float_operations
    def test_float_operation_registers(self, native: Native, operation: int, value_type: int) -> None:
        function = native.function(
            Signature((value_type, value_type), (value_type,)), lambda b, p: [raw(b, operation, value_type, p)]
        )
        for x in edges(value_type):
            for y in edges(value_type)[::2]:
                expected = BINARY[operation](to_float(x, value_type), to_float(y, value_type))
                check(function(x, y)[0], expected, value_type, x, y)

    @both_types
    @_float_operations
    def test_float_operation_memory_and_constants(self, native: Native, operation: int, value_type: int) -> None:
        for constant in edges(value_type)[::4]:

            def body(b: Builder, p: list[Inst], constant: int = constant) -> list[Inst]:
                loaded = [heap(b, value_type, p[1]) for _ in range(2)]
                known = b.const(value_type, constant)
                pairs = ([p[0], known], [known, p[0]], [p[0], loaded[0]], [loaded[1], p[0]])
                return [raw(b, operation, value_type, pair) for pair in pairs]

            function = native.function(Signature((value_type, I32), (value_type,) * 4), body)
            native.memory[8:16] = constant.to_bytes(8, "little")
            y = to_float(constant, value_type)
            for bits in edges(value_type)[::5]:
                x = to_float(bits, value_type)
                results = function(bits, 0)
                for result, expected in zip(results, (BINARY[operation](x, y), BINARY[operation](y, x)) * 2):
                    check(result, expected, value_type, bits, constant)

    @both_types
    @_float_operations
    def test_float_operation_under_pressure(self, native: Native, operation: int, value_type: int) -> None:
        count = 20

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            numbers = [b.const(value_type, to_bits(float(i), value_type)) for i in range(count)]
            values = [raw(b, op.FADD, value_type, [p[0], number]) for number in numbers]
            total = p[0]
            for i in range(count):
                total = raw(b, op.FADD, value_type, [total, raw(b, operation, value_type, [values[i], values[-1 - i]])])
            for value in values:
                total = raw(b, op.FADD, value_type, [total, value])
            return [total]

        function = native.function(Signature((value_type,), (value_type,)), body)
        single = value_type == F32

        def rounded(x: float) -> float:
            return to_float(to_bits(x, F32), F32) if single else x

        for x in (0.0, 1.0, -3.0, 1e10, math.inf):
            values = [rounded(x + i) for i in range(count)]
            total = x
            for i in range(count):
                total = rounded(total + rounded(BINARY[operation](values[i], values[-1 - i])))
            for value in values:
                total = rounded(total + value)
            check(function(to_bits(x, value_type))[0], total, value_type)

    @both_types
    @_float_conditions
    def test_float_comparison_values_and_selects(self, native: Native, condition: int, value_type: int) -> None:
        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            x, y, index = p
            zero = b.const(I32, 0)
            holds = raw(b, op.FCMP, I32, [x, y], condition)
            fails = raw(b, op.ICMP, I32, [raw(b, op.FCMP, I32, [x, y], condition), zero], op.EQ)
            loaded = raw(b, op.FCMP, I32, [x, heap(b, value_type, index)], condition)
            loaded_first = raw(b, op.FCMP, I32, [heap(b, value_type, index), x], condition)
            return [
                raw(b, op.FCMP, I32, [x, y], condition),
                raw(b, op.SELECT, I64, [holds, b.const(I64, 5), b.const(I64, 6)]),
                raw(b, op.SELECT, value_type, [holds, x, y]),
                raw(b, op.SELECT, value_type, [fails, x, y]),
                raw(b, op.SELECT, I32, [fails, b.const(I32, 6), b.const(I32, 5)]),
                loaded,
                loaded_first,
            ]

        results = (I32, I64, value_type, value_type, I32, I32, I32)
        function = native.function(Signature((value_type, value_type, I32), results), body)
        for x in edges(value_type)[::2]:
            for y in edges(value_type)[::2]:
                native.memory[8:16] = y.to_bytes(8, "little")
                pair = to_float(x, value_type), to_float(y, value_type)
                holds = CONDITIONS[condition](*pair)
                swapped = CONDITIONS[condition](pair[1], pair[0])
                chosen = (5, x, y, 5) if holds else (6, y, x, 6)
                assert function(x, y, 0) == (int(holds), *chosen, int(holds), int(swapped)), (hex(x), hex(y))

    @both_types
    @_float_conditions
    def test_float_comparison_constants(self, native: Native, condition: int, value_type: int) -> None:
        for constant in edges(value_type)[::6]:

            def body(b: Builder, p: list[Inst], constant: int = constant) -> list[Inst]:
                known = b.const(value_type, constant)
                return [raw(b, op.FCMP, I32, pair, condition) for pair in ([p[0], known], [known, p[0]])]

            function = native.function(Signature((value_type,), (I32, I32)), body)
            y = to_float(constant, value_type)
            for bits in edges(value_type)[::3]:
                x = to_float(bits, value_type)
                assert function(bits) == (CONDITIONS[condition](x, y), CONDITIONS[condition](y, x))

    @both_types
    @_integer_targets
    @_signedness
    def test_conversion_to_integer(self, native: Native, value_type: int, target: int, is_signed: bool) -> None:
        operation = op.FTOI_S if is_signed else op.FTOI_U
        # The result is used with all 64 bits.
        function = native.function(
            Signature((value_type,), (I64,)),
            lambda b, p: [
                raw(b, op.EXTEND_U, I64, [raw(b, operation, I32, p)]) if target == I32 else raw(b, operation, I64, p)
            ],
        )
        bits = types.BITS[target]
        for pattern in edges(value_type):
            expected = _truncated(to_float(pattern, value_type), bits, is_signed)
            if not isinstance(expected, TrapCode):
                expected &= types.MASKS[target]
            assert outcome(function, pattern) == expected, hex(pattern)

    @both_types
    @_integer_targets
    @_signedness
    def test_conversion_saturating(self, native: Native, value_type: int, target: int, is_signed: bool) -> None:
        operation = op.FTOI_SAT_S if is_signed else op.FTOI_SAT_U
        function = native.function(
            Signature((value_type,), (I64,)),
            lambda b, p: [
                raw(b, op.EXTEND_U, I64, [raw(b, operation, I32, p)]) if target == I32 else raw(b, operation, I64, p)
            ],
        )
        for pattern in edges(value_type):
            expected = _saturated(to_float(pattern, value_type), types.BITS[target], is_signed)
            assert function(pattern) == (expected & types.MASKS[target],), hex(pattern)

    @both_types
    @_integer_targets
    @_signedness
    def test_conversion_from_integer(self, native: Native, value_type: int, target: int, is_signed: bool) -> None:
        operation = op.ITOF_S if is_signed else op.ITOF_U

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            return [raw(b, operation, value_type, [p[0]]), raw(b, operation, value_type, [heap(b, target, p[1])])]

        function = native.function(Signature((target, I32), (value_type, value_type)), body)
        size = types.BITS[target]
        numbers = {1, 3, 0, (1 << size) - 1, 1 << size - 1, (1 << size - 1) - 1, 12345}
        for power in range(20, size):
            half = 1 << max(0, power - 24)  # of f32's last place
            for low in (0, 1, -1, (1 << power - 20) + 1, half, half + 1, half - 1, 3 * half):
                numbers.add((1 << power) + low & types.MASKS[target])
                numbers.add((1 << power) + (1 << max(0, power - 53)) + low & types.MASKS[target])
        for number in numbers:
            native.memory[8:16] = number.to_bytes(8, "little")
            value = number - (1 << size) if is_signed and number >> size - 1 else number
            expected = _nearest(value, value_type)
            for result in function(number, 0):
                check(result, expected, value_type, number)
