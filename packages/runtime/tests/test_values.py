"""Conversion between Python objects and WebAssembly values."""

from __future__ import annotations

import math
import struct
from array import array
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wasm_core.types import ValueType
from wasmetal.cpython.native_callable import NativeCallable
from wasmetal.glue import values

I32, I64, F32, F64 = ValueType.I32, ValueType.I64, ValueType.F32, ValueType.F64
V128, FUNCREF, EXTERNREF = ValueType.V128, ValueType.FUNCREF, ValueType.EXTERNREF


class Store:
    """References as numbers."""

    def __init__(self) -> None:
        self.objects: dict[int, Any] = {}

    def extern_handle(self, value: object) -> int:
        self.objects[id(value)] = value
        return id(value)

    def extern_object(self, handle: int) -> object:
        return self.objects[handle]

    funcref_of = extern_handle
    func_at = extern_object


class Number:
    def __index__(self) -> int:
        return 5


class Real:
    def __float__(self) -> float:
        return 2.5


@pytest.mark.parametrize(("value_type", "width"), [(I32, 32), (I64, 64)])
def test_ints(value_type: ValueType, width: int) -> None:
    def there(value: object) -> int:
        return values.to_bits(value_type, value, None)

    assert there(-1) == there((1 << width) - 1) == (1 << width) - 1
    assert there(-(1 << (width - 1))) == there(1 << (width - 1)) == 1 << (width - 1)
    assert there(True) == 1 and there(Number()) == 5
    for out in (1 << width, -(1 << (width - 1)) - 1, 10**30, -(10**30)):
        with pytest.raises(OverflowError, match=value_type.value):
            there(out)
    for wrong in (1.0, "1", None, b"1", [1], 1j):
        with pytest.raises(TypeError, match=f"{value_type.value} takes an int, not {type(wrong).__name__}"):
            there(wrong)


@given(st.sampled_from([I32, I64]), st.data())
def test_ints_come_back_signed(value_type: ValueType, data: st.DataObject) -> None:
    width = 32 if value_type is I32 else 64
    value = data.draw(st.integers(-(1 << (width - 1)), (1 << width) - 1))
    bits = values.to_bits(value_type, value, None)
    back = values.from_bits(value_type, bits, None)
    assert isinstance(back, int)
    assert (back - value) % (1 << width) == 0 and -(1 << (width - 1)) <= back < 1 << (width - 1)


@pytest.mark.parametrize("value_type", [F32, F64])
def test_floats(value_type: ValueType) -> None:
    def back(value: object) -> object:
        return values.from_bits(value_type, values.to_bits(value_type, value, None), None)

    assert back(1.5) == 1.5 and back(-7) == -7.0 and back(Real()) == 2.5 and back(Number()) == 5.0
    assert back(True) == 1.0
    assert back(math.inf) == math.inf and math.isnan(back(math.nan))  # type: ignore[arg-type]
    assert math.copysign(1, back(-0.0)) == -1  # type: ignore[arg-type]
    for wrong in ("1.0", None, b"1", 1j, [1.0]):
        with pytest.raises(TypeError, match=f"{value_type.value} takes a float, not {type(wrong).__name__}"):
            back(wrong)
    with pytest.raises(OverflowError):
        back(10**400)


def test_errors_inside_conversion_methods_get_out() -> None:
    class Broken:
        def __index__(self) -> int:
            raise ZeroDivisionError

        def __float__(self) -> float:
            raise ZeroDivisionError

    for value_type in (I32, I64, F32, F64):
        with pytest.raises(ZeroDivisionError):
            values.to_slots([value_type], [Broken()], None)


def test_f32_rounds_as_demote_does() -> None:
    assert values.from_bits(F32, values.to_bits(F32, 0.1, None), None) == struct.unpack("<f", struct.pack("<f", 0.1))[0]
    assert values.to_bits(F32, 1e300, None) == 0x7F80_0000
    assert values.to_bits(F32, -3.4028235677973366e38, None) == 0xFF80_0000  # halfway to 2**128: rounds to infinity
    assert values.to_bits(F32, 3.4028235677973362e38, None) == 0x7F7F_FFFF
    assert values.to_bits(F32, 1e-50, None) == 0


@given(st.integers(0, (1 << 64) - 1))
def test_f64_keeps_bits(bits: int) -> None:
    value = values.from_bits(F64, bits, None)
    assert values.to_bits(F64, value, None) == bits


def test_v128() -> None:
    data = bytes(range(16))
    bits = values.to_bits(V128, data, None)
    assert bits == int.from_bytes(data, "little")
    assert values.from_bits(V128, bits, None) == data
    assert values.to_bits(V128, bytearray(data), None) == values.to_bits(V128, memoryview(data), None) == bits
    # Whatever has a buffer of 16 bytes, in the order of its elements.
    assert values.to_bits(V128, array("I", [1, 0, 0, 2]), None) == 2 << 96 | 1
    assert values.to_bits(V128, memoryview(bytes(range(32)))[::2], None) == int.from_bytes(
        bytes(range(32))[::2], "little"
    )
    with pytest.raises(TypeError, match="length 32"):
        values.to_bits(V128, array("Q", [1, 2, 3, 4]), None)
    with pytest.raises(TypeError, match="length 15"):
        values.to_bits(V128, data[:15], None)
    with pytest.raises(TypeError, match="int"):
        values.to_bits(V128, 5, None)


def test_references() -> None:
    store = Store()
    for thing in (object(), "text", 5, store):
        assert values.from_bits(EXTERNREF, values.to_bits(EXTERNREF, thing, store), store) is thing
    func = NativeCallable()
    with pytest.raises(TypeError, match="Func or None"):
        values.to_bits(FUNCREF, func, store)  # not initialized
    func._funcref = 8
    assert values.from_bits(FUNCREF, values.to_bits(FUNCREF, func, store), store) is func
    for value_type in (EXTERNREF, FUNCREF):
        assert values.to_bits(value_type, None, None) == 0
        assert values.from_bits(value_type, 0, None) is None
        with pytest.raises(TypeError, match="store"):
            values.from_bits(value_type, 1, None)
    with pytest.raises(TypeError, match="Func or None, not builtin_function"):
        values.to_bits(FUNCREF, print, store)


def test_slots() -> None:
    types = [I32, V128, F64]
    slots = values.to_slots(types, [-1, bytes([1] + [0] * 14 + [2]), 1.0], None)
    assert slots == [0xFFFF_FFFF, 1, 2 << 56, 0x3FF0_0000_0000_0000]
    assert values.slot_count(types) == 4
    slots[0] |= 0xDEAD << 32
    assert values.from_slots(types, slots, None) == [-1, bytes([1] + [0] * 14 + [2]), 1.0]


@pytest.mark.parametrize(
    ("given_values", "error", "message"),
    [
        ((1,), TypeError, "2 arguments expected, got 1"),
        ((1, 2, 3), TypeError, "2 arguments expected, got 3"),
        ((1, "x"), TypeError, "argument 2: i64 takes an int, not str"),
        ((1 << 32, 1), OverflowError, "argument 1: 4294967296 is out of range for i32"),
    ],
)
def test_errors_say_where(given_values: tuple[object, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as raised:
        values.to_slots([I32, I64], given_values, None)
    assert str(raised.value) == message
