"""Integer operations, run, against Python's integers: operands in registers, constants, memory and spill slots."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wasm_core.errors import TrapCode
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.builder import Builder
from wasm_ir.ir import Inst, Signature
from wasm_ir.testing.fixtures import BackendFixtures
from wasm_ir.testing.native_code import Native, heap, outcome, raw

I32, I64 = types.I32, types.I64


def signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> bits - 1 else value


def _divide(x: int, y: int, bits: int, is_signed: bool, remainder: bool) -> int | TrapCode:
    if y == 0:
        return TrapCode.INTEGER_DIVIDE_BY_ZERO
    if is_signed:
        x, y = signed(x, bits), signed(y, bits)
    quotient = abs(x) // abs(y)
    if (x < 0) != (y < 0):
        quotient = -quotient
    if remainder:
        return x - quotient * y
    if is_signed and quotient == 1 << bits - 1:
        return TrapCode.INTEGER_OVERFLOW
    return quotient


BINARY: dict[int, Callable[[int, int, int], int | TrapCode]] = {
    op.IADD: lambda x, y, n: x + y,
    op.ISUB: lambda x, y, n: x - y,
    op.IMUL: lambda x, y, n: x * y,
    op.MULHI_S: lambda x, y, n: signed(x, n) * signed(y, n) >> n,
    op.MULHI_U: lambda x, y, n: x * y >> n,
    op.AND: lambda x, y, n: x & y,
    op.OR: lambda x, y, n: x | y,
    op.XOR: lambda x, y, n: x ^ y,
    op.SHL: lambda x, y, n: x << (y % n),
    op.SHR_U: lambda x, y, n: x >> (y % n),
    op.SHR_S: lambda x, y, n: signed(x, n) >> (y % n),
    op.ROTL: lambda x, y, n: x << (y % n) | x >> (-y % n),
    op.ROTR: lambda x, y, n: x >> (y % n) | x << (-y % n),
    op.DIV_S: lambda x, y, n: _divide(x, y, n, True, False),
    op.DIV_U: lambda x, y, n: _divide(x, y, n, False, False),
    op.REM_S: lambda x, y, n: _divide(x, y, n, True, True),
    op.REM_U: lambda x, y, n: _divide(x, y, n, False, True),
}


def _clz(x: int, n: int) -> int:
    return n - x.bit_length()


def _ctz(x: int, n: int) -> int:
    return (x & -x).bit_length() - 1 if x else n


UNARY: list[tuple[int, int, int, Callable[[int], int]]] = [
    *((op.CLZ, t, t, lambda x, n=types.BITS[t]: _clz(x, n)) for t in (I32, I64)),
    *((op.CTZ, t, t, lambda x, n=types.BITS[t]: _ctz(x, n)) for t in (I32, I64)),
    *((op.POPCNT, t, t, lambda x: x.bit_count()) for t in (I32, I64)),
    *((op.SEXT8, t, t, lambda x: signed(x & 0xFF, 8)) for t in (I32, I64)),
    *((op.SEXT16, t, t, lambda x: signed(x & 0xFFFF, 16)) for t in (I32, I64)),
    (op.SEXT32, I64, I64, lambda x: signed(x & 0xFFFF_FFFF, 32)),
    (op.EXTEND_S, I32, I64, lambda x: signed(x, 32)),
    (op.EXTEND_U, I32, I64, lambda x: x),
    (op.WRAP, I64, I32, lambda x: x),
]

CONDITIONS: dict[int, Callable[[int, int, int], bool]] = {
    op.EQ: lambda x, y, n: x == y,
    op.NE: lambda x, y, n: x != y,
    op.LT_S: lambda x, y, n: signed(x, n) < signed(y, n),
    op.GE_S: lambda x, y, n: signed(x, n) >= signed(y, n),
    op.GT_S: lambda x, y, n: signed(x, n) > signed(y, n),
    op.LE_S: lambda x, y, n: signed(x, n) <= signed(y, n),
    op.LT_U: lambda x, y, n: x < y,
    op.GE_U: lambda x, y, n: x >= y,
    op.GT_U: lambda x, y, n: x > y,
    op.LE_U: lambda x, y, n: x <= y,
}

_EDGES = (0, 1, 2, 3, 5, 7, 8, 9, 31, 32, 63, 64, 100, 127, 128, 255, 256, 65535, 65536, 0x7FFFFFFF)


def edges(value_type: int) -> list[int]:
    """Numbers at which something changes."""
    mask = types.MASKS[value_type]
    numbers = [*_EDGES, *(-x for x in _EDGES), 0x8000_0000, 0x8000_0001, 0x1234_5678]
    if value_type == I64:
        numbers += [1 << 63, (1 << 63) - 1, 1 << 32, 0x1234_5678_9ABC_DEF0, 0xFFFF_FFFF]
    return sorted({x & mask for x in numbers})


def wanted(result: int | TrapCode, value_type: int) -> int | TrapCode:
    return result if isinstance(result, TrapCode) else result & types.MASKS[value_type]


def _ids(operation: int) -> str:
    return op.NAMES[operation]


_WIDE_ONLY = (op.MULHI_S, op.MULHI_U)
_BINARY_CASES = [
    pytest.param(operation, t, id=f"{op.NAMES[operation]}-{types.NAMES[t]}")
    for operation in BINARY
    for t in (I32, I64)
    if t == I64 or operation not in _WIDE_ONLY
]


_integer_operations = pytest.mark.parametrize(("operation", "value_type"), _BINARY_CASES)


_integer_types = pytest.mark.parametrize("value_type", [I32, I64], ids=["i32", "i64"])
_integer_conditions = pytest.mark.parametrize("condition", CONDITIONS, ids=lambda c: op.ICMP_NAMES[c])


_ADDRESS_SHAPES = (
    (op.SHL, op.IADD),
    (op.IADD, op.SHL),
    (op.IADD, op.IADD),
    (op.SHL, op.SHL),
)


class IntegerTests(BackendFixtures):
    """Integer operations."""

    @pytest.mark.parametrize(("operation", "source", "target", "reference"), UNARY, ids=lambda v: str(v)[:3])
    def test_unary(
        self, any_native: Native, operation: int, source: int, target: int, reference: Callable[[int], int]
    ) -> None:
        from_register = any_native.function(
            Signature((source,), (target,)), lambda b, p: [raw(b, operation, target, p)]
        )
        from_memory = any_native.function(
            Signature((I32,), (target,)), lambda b, p: [raw(b, operation, target, [heap(b, source, p[0])])]
        )
        for x in edges(source):
            expected = reference(x) & types.MASKS[target]
            assert from_register(x) == (expected,), hex(x)
            any_native.memory[8:16] = x.to_bytes(8, "little")
            assert from_memory(0) == (expected,), hex(x)

    def test_negated_conditions(self, native: Native) -> None:
        """A comparison compared with zero, in a select, used twice."""

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            zero = b.const(I32, 0)
            less = raw(b, op.ICMP, I32, [p[0], p[1]], op.LT_S)
            not_less = raw(b, op.ICMP, I32, [less, zero], op.EQ)
            less_again = raw(b, op.ICMP, I32, [not_less, zero], op.EQ)
            return [
                raw(b, op.SELECT, I32, [not_less, p[0], p[1]]),
                raw(b, op.SELECT, I32, [less_again, p[0], p[1]]),
                not_less,
            ]

        function = native.function(Signature((I32, I32), (I32, I32, I32)), body)
        assert function(1, 2) == (2, 1, 0)
        assert function(2, 1) == (2, 1, 1)

    def test_wrapped_values_are_zero_extended(self, native: Native) -> None:
        """The low half of numbers whose upper half is, and is not, known to be clear."""

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            numbers = [
                p[0],
                raw(b, op.SHR_U, I64, [p[0], b.const(I64, 31)]),
                raw(b, op.SHR_U, I64, [p[0], b.const(I64, 32)]),
                raw(b, op.AND, I64, [p[0], b.const(I64, 0xFFFF_FFFF)]),
                raw(b, op.AND, I64, [p[0], b.const(I64, 0x1_FFFF_FFFF)]),
                raw(b, op.POPCNT, I64, [p[0]]),
            ]
            return [raw(b, op.EXTEND_U, I64, [raw(b, op.WRAP, I32, [number])]) for number in numbers]

        function = native.function(Signature((I64,), (I64,) * 6), body)
        for x in edges(I64):
            wide = (x, x >> 31, x >> 32, x, x, x.bit_count())
            assert function(x) == tuple(number & 0xFFFF_FFFF for number in wide)

    @pytest.mark.parametrize("operation", [op.MULHI_S, op.MULHI_U], ids=["signed", "unsigned"])
    def test_both_halves_of_products(self, native: Native, operation: int) -> None:
        """Next to each other and apart, in both orders, of registers and constants; one half not needed."""
        constants = (3, 1 << 40, -7)

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            x, y = p
            pairs = [(x, y), (y, x), (x, x), *((x, b.const(I64, constant)) for constant in constants)]
            results = []
            for pair in pairs:
                results += [raw(b, code, I64, [*pair]) for code in (op.IMUL, operation)]
                results += [raw(b, code, I64, [*pair]) for code in (operation, op.IMUL)]
            raw(b, op.IMUL, I64, [x, y])
            high = raw(b, operation, I64, [x, y])
            low = raw(b, op.IMUL, I64, [x, y])
            changed = raw(b, op.XOR, I64, [low, high])
            return [*results, raw(b, op.IADD, I64, [changed, raw(b, operation, I64, [y, x])])]

        mask = (1 << 64) - 1
        signed = operation == op.MULHI_S

        def value(x: int) -> int:
            return x - (1 << 64) if signed and x >> 63 else x

        function = native.function(Signature((I64, I64), (I64,) * 25), body)
        for x, y in itertools.product((0, 1, 7, 1 << 33, (1 << 63) - 1, 1 << 63, mask - 6, mask), repeat=2):
            products = [value(x) * value(y)] * 2 + [value(x) * value(x)]
            products += [value(x) * value(constant & mask) for constant in constants]
            expected: list[int] = []
            for product in products:
                halves = [product & mask, product >> 64 & mask]
                expected += [*halves, *halves[::-1]]
            product = products[0]
            expected.append(((product ^ product >> 64) & mask) + (product >> 64) & mask)
            assert function(x, y) == tuple(expected)

    @pytest.mark.parametrize("operation", [op.IADD, op.ISUB], ids=["sums", "differences"])
    def test_carries(self, native: Native, operation: int) -> None:
        """Comparisons whose result is added or subtracted, as in arithmetic on numbers of more than 64 bits."""

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            low, high, right_low, right_high = p
            minus = operation == op.ISUB
            results = [raw(b, operation, I64, [low, right_low])]
            compared = [low, right_low] if minus else [results[0], right_low]
            for swap, constant in ((False, None), (True, None), (False, 5), (True, -1), (False, 1 << 40), (True, 0)):
                operands = compared[::-1] if swap else compared
                flag = raw(b, op.ICMP, I32, operands, op.GT_U if swap else op.LT_U)
                carry = raw(b, op.EXTEND_U, I64, [flag])
                other = right_high if constant is None else b.const(I64, constant)
                inner = high if constant == 0 else raw(b, operation, I64, [high, other])
                outer = [carry, inner] if swap and not minus else [inner, carry]
                results.append(raw(b, operation, I64, outer))
            # Of a carry that is needed twice, of the same number, and of constants.
            flag = raw(b, op.ICMP, I32, compared, op.LT_U)
            carry = raw(b, op.EXTEND_U, I64, [flag])
            results += [raw(b, operation, I64, [carry, carry]), raw(b, operation, I64, [compared[0], carry])]
            flag = raw(b, op.ICMP, I32, [low, b.const(I64, 1 << 35)], op.LT_U)
            results.append(raw(b, operation, I64, [low, raw(b, op.EXTEND_U, I64, [flag])]))
            return results

        function = native.function(Signature((I64,) * 4, (I64,) * 10), body)
        mask = (1 << 64) - 1
        sign = -1 if operation == op.ISUB else 1
        numbers = (0, 1, 5, (1 << 35) - 1, 1 << 35, 1 << 63, mask - 1, mask)
        for low, right_low in itertools.product(numbers, repeat=2):
            for high, right_high in ((0, 0), (mask, 1), (7, mask)):
                first = low + sign * right_low & mask
                carry = int(low < right_low if operation == op.ISUB else first < right_low)
                others = (right_high, right_high, 5, -1, 1 << 40, 0)
                expected = [first, *(high + sign * (other + carry) & mask for other in others)]
                compared = low if operation == op.ISUB else first
                expected += [carry + sign * carry & mask, compared + sign * carry & mask]
                expected.append(low + sign * (low < 1 << 35) & mask)
                assert function(low, high, right_low, right_high) == tuple(expected)

    @settings(max_examples=60, deadline=None)
    @given(
        x=st.integers(0, (1 << 64) - 1),
        y=st.integers(0, (1 << 64) - 1),
        shift=st.integers(0, 5),
        constant=st.integers(-(1 << 33), 1 << 33),
        shape=st.sampled_from(_ADDRESS_SHAPES),
        value_type=st.sampled_from((I32, I64)),
    )
    def test_sums(
        self, native: Native, x: int, y: int, shift: int, constant: int, shape: tuple[int, int], value_type: int
    ) -> None:
        """Trees of additions and shifts, which become lea."""
        mask = types.MASKS[value_type]

        def combine(b: Builder, operation: int, left: Inst, right: Inst) -> Inst:
            if operation == op.SHL:
                right = b.const(value_type, shift)
            return raw(b, operation, value_type, [left, right])

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            inner = combine(b, shape[0], p[0], p[1])
            outer = raw(b, op.IADD, value_type, [combine(b, shape[1], p[1], inner), inner])
            return [raw(b, op.IADD, value_type, [outer, b.const(value_type, constant)])]

        def evaluate(operation: int, left: int, right: int) -> int:
            return left << shift if operation == op.SHL else left + right

        function = native.function(Signature((value_type, value_type), (value_type,)), body)
        x &= mask
        y &= mask
        inner = evaluate(shape[0], x, y)
        assert function(x, y) == (evaluate(shape[1], y, inner) + inner + constant & mask,)

    @_integer_operations
    def test_operation_registers(self, any_native: Native, operation: int, value_type: int) -> None:
        reference = BINARY[operation]
        function = any_native.function(
            Signature((value_type, value_type), (value_type,)), lambda b, p: [raw(b, operation, value_type, p)]
        )
        numbers = edges(value_type)
        for x in numbers:
            for y in numbers:
                expected = wanted(reference(x, y, types.BITS[value_type]), value_type)
                assert outcome(function, x, y) == expected, (hex(x), hex(y))

    @_integer_operations
    @pytest.mark.parametrize("left", [True, False], ids=["left", "right"])
    def test_operation_constant(self, any_native: Native, operation: int, value_type: int, left: bool) -> None:
        reference = BINARY[operation]
        numbers = edges(value_type)
        for constant in numbers:

            def body(b: Builder, p: list[Inst], constant: int = constant) -> list[Inst]:
                other = b.const(value_type, constant)
                return [raw(b, operation, value_type, [other, p[0]] if left else [p[0], other])]

            function = any_native.function(Signature((value_type,), (value_type,)), body)
            for x in numbers[::2]:
                pair = (constant, x) if left else (x, constant)
                expected = wanted(reference(*pair, types.BITS[value_type]), value_type)
                assert outcome(function, x) == expected, (hex(constant), hex(x))

    @_integer_operations
    @pytest.mark.parametrize("left", [True, False], ids=["left", "right"])
    def test_operation_memory(self, native: Native, operation: int, value_type: int, left: bool) -> None:
        reference = BINARY[operation]

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            other = heap(b, value_type, p[1])
            return [raw(b, operation, value_type, [other, p[0]] if left else [p[0], other])]

        function = native.function(Signature((value_type, I32), (value_type,)), body)
        numbers = edges(value_type)[::3]
        for x in numbers:
            native.memory[40:48] = x.to_bytes(8, "little")
            for y in numbers:
                pair = (x, y) if left else (y, x)
                expected = wanted(reference(*pair, types.BITS[value_type]), value_type)
                assert outcome(function, y, 32) == expected, (hex(x), hex(y))

    @_integer_operations
    def test_operation_same_operand(self, any_native: Native, operation: int, value_type: int) -> None:
        reference = BINARY[operation]
        function = any_native.function(
            Signature((value_type,), (value_type,)), lambda b, p: [raw(b, operation, value_type, [p[0], p[0]])]
        )
        for x in edges(value_type):
            expected = wanted(reference(x, x, types.BITS[value_type]), value_type)
            assert outcome(function, x) == expected

    @_integer_operations
    def test_operation_wrapped_operands(self, native: Native, operation: int, value_type: int) -> None:
        """Operands that are the low half of 64-bit numbers; the result is used with all 64 bits."""
        if value_type == I64:
            pytest.skip("about i32")
        reference = BINARY[operation]

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            narrow = [raw(b, op.WRAP, I32, [x]) for x in p]
            return [raw(b, op.EXTEND_U, I64, [raw(b, operation, I32, narrow)])]

        function = native.function(Signature((I64, I64), (I64,)), body)
        for x in edges(I32)[::3]:
            for y in edges(I32)[::3]:
                expected = wanted(reference(x, y, 32), I32)
                actual = outcome(function, x | 0xABCD_0000_0000, y | 0xFFFF_FFFF_0000_0000)
                assert actual == expected, (hex(x), hex(y))

    @_integer_operations
    def test_operation_under_pressure(self, native: Native, operation: int, value_type: int) -> None:
        """With so many live values that operands are spilled."""
        reference = BINARY[operation]
        count = 18

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            values = [raw(b, op.IADD, value_type, [p[0], b.const(value_type, i)]) for i in range(count)]
            results = [raw(b, operation, value_type, [values[i], values[-1 - i]]) for i in range(count)]
            total = p[1]
            for value in [*results, *values]:
                total = raw(b, op.XOR, value_type, [total, value])
            return [total]

        function = native.function(Signature((value_type, value_type), (value_type,)), body)
        bits = types.BITS[value_type]
        mask = types.MASKS[value_type]
        for x in edges(value_type):
            values = [x + i & mask for i in range(count)]
            total = 77
            for i in range(count):
                result = wanted(reference(values[i], values[-1 - i], bits), value_type)
                if isinstance(result, TrapCode):
                    break
                total ^= result ^ values[i]
            else:
                assert outcome(function, x, 77) == total, hex(x)

    def _check(self, native: Native, condition: int, value_type: int, function: Any, y: int, cases: list[int]) -> None:
        for x in cases:
            expected = CONDITIONS[condition](x, y, types.BITS[value_type])
            assert function(x) == (int(expected), 5 if expected else 6), (hex(x), hex(y))

    @_integer_types
    @_integer_conditions
    def test_comparison_constant(self, native: Native, condition: int, value_type: int) -> None:
        """As a number and in a select, with the constant on either side."""
        numbers = edges(value_type)
        for y in numbers:
            for swapped in (False, True):

                def body(b: Builder, p: list[Inst], y: int = y, swapped: bool = swapped) -> list[Inst]:
                    pair = [p[0], b.const(value_type, y)]
                    number = condition
                    if swapped:
                        pair.reverse()
                        number = op.ICMP_SWAPPED[condition]
                    one = raw(b, op.ICMP, I32, pair, number)
                    other = raw(b, op.ICMP, I32, pair, number)
                    return [one, raw(b, op.SELECT, I32, [other, b.const(I32, 5), b.const(I32, 6)])]

                function = native.function(Signature((value_type,), (I32, I32)), body)
                self._check(native, condition, value_type, function, y, [*numbers[::3], y])

    @_integer_types
    @_integer_conditions
    def test_comparison_registers_and_memory(self, native: Native, condition: int, value_type: int) -> None:
        """Register with register, register with memory, memory with register, memory with a constant."""

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            x, y, index = p
            pairs = [[x, y], [x, heap(b, value_type, index)], [heap(b, value_type, index), x]]
            return [
                raw(b, op.SELECT, I64, [raw(b, op.ICMP, I32, pair, condition), b.const(I64, 5), b.const(I64, 6)])
                for pair in pairs
            ]

        function = native.function(Signature((value_type, value_type, I32), (I64,) * 3), body)
        bits = types.BITS[value_type]
        holds = CONDITIONS[condition]
        for y in edges(value_type):
            native.memory[8:16] = y.to_bytes(8, "little")
            for x in edges(value_type):
                straight = 5 if holds(x, y, bits) else 6
                assert function(x, y, 0) == (straight, straight, 5 if holds(y, x, bits) else 6)

    @_integer_types
    @_integer_conditions
    def test_comparison_masked(self, native: Native, condition: int, value_type: int) -> None:
        """(x & y) compared with zero, with masks that are constants, registers and memory."""
        for mask in (1, 0x80, 0xFF, 0x8000_0000, types.MASKS[value_type], 0x7FFF_FFFF):

            def body(b: Builder, p: list[Inst], mask: int = mask) -> list[Inst]:
                x, y, index = p
                zero = b.const(value_type, 0)
                masked = [
                    raw(b, op.AND, value_type, [x, b.const(value_type, mask)]),
                    raw(b, op.AND, value_type, [x, y]),
                    raw(b, op.AND, value_type, [heap(b, value_type, index), b.const(value_type, mask)]),
                ]
                return [raw(b, op.ICMP, I32, [value, zero], condition) for value in masked]

            function = native.function(Signature((value_type, value_type, I32), (I32,) * 3), body)
            for x in edges(value_type):
                native.memory[8:16] = x.to_bytes(8, "little")
                expected = int(CONDITIONS[condition](x & mask, 0, types.BITS[value_type]))
                assert function(x, mask, 0) == (expected,) * 3, (hex(x), hex(mask))

    @_integer_types
    @_integer_conditions
    def test_comparison_bytes_in_memory(self, native: Native, condition: int, value_type: int) -> None:
        """A zero-extended byte of memory compared with constants, and masked."""
        for y in (0, 1, 0x7F, 0x80, 0xFF, 0x100, types.MASKS[value_type]):

            def body(b: Builder, p: list[Inst], y: int = y) -> list[Inst]:
                address = b.binary(op.IADD, I64, b.memory_base(), b.unary(op.EXTEND_U, I64, p[0]))
                results = []
                for mask in (0, 0x80):
                    value = b._append(op.HEAP_LOAD8_U, value_type, [address], 8)
                    if mask:
                        value = raw(b, op.AND, value_type, [value, b.const(value_type, mask)])
                    results.append(raw(b, op.ICMP, I32, [value, b.const(value_type, y)], condition))
                return results

            function = native.function(Signature((I32,), (I32, I32)), body)
            for x in (0, 1, 0x7F, 0x80, 0x81, 0xFF):
                native.memory[8:16] = bytes([x, *b"\x55" * 7])
                holds = CONDITIONS[condition]
                bits = types.BITS[value_type]
                assert function(0) == (int(holds(x, y, bits)), int(holds(x & 0x80, y, bits))), (x, y)
