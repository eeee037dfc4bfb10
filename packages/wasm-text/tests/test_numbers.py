"""Number literals: which there are, their ranges, and rounding."""

from __future__ import annotations

import random
import struct

import pytest

from wasm_text.numbers import F32, F64, FloatFormat, NumberError, float_text, integer, signed, unsigned


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("007", 7),
        ("+1_000", 1000),
        ("-0x1_F", -31),
        ("0xffff_ffff", 0xFFFFFFFF),
        ("9" * 30, int("9" * 30)),
        ("0" * 5000 + "12", 12),
    ],
)
def test_integers(text: str, value: int) -> None:
    assert integer(text) == value


@pytest.mark.parametrize(
    "text", ["", "_1", "1_", "1__0", "0x", "0x_1", "0X1", "1a", "0xg", "--1", "+-1", "1.0", "½", "0b1", "- 1"]
)
def test_what_is_no_integer(text: str) -> None:
    assert integer(text) is None


def test_integers_of_more_digits_than_python_reads() -> None:
    assert integer("1" + "0" * 10000) == 10**10000


def test_ranges() -> None:
    assert signed("4294967295", 32) == -1
    assert signed("-2147483648", 32) == -(2**31)
    for text in ("4294967296", "-2147483649", "9" * 100):
        with pytest.raises(NumberError):
            signed(text, 32)
    assert unsigned("255", 8) == 255
    assert unsigned("-1", 8) is None
    assert unsigned("+1", 8) is None
    with pytest.raises(NumberError):
        unsigned("256", 8)


def bits_of(value: float, format: str) -> int:
    return int.from_bytes(struct.pack(format, value), "little")


def test_every_bit_pattern_is_read_as_it_was_written() -> None:
    choose = random.Random(1)
    for format, bits in ((F32, 32), (F64, 64)):
        for _ in range(3000):
            pattern = choose.getrandbits(bits)
            assert format.read(float_text(pattern, format)) == pattern


def test_rounding_is_that_of_the_hardware() -> None:
    choose = random.Random(2)
    for _ in range(3000):
        value = struct.unpack("<d", choose.randbytes(8))[0]
        if value == value and abs(value) != float("inf"):
            assert F64.read(value.hex()) == F64.read(repr(value)) == bits_of(value, "<d")
        # In the range of f32, half way between two and near it.
        value = struct.unpack("<f", choose.randbytes(4))[0] * (1 + choose.choice([0, 1, 2, 3]) * 2.0**-25)
        if value == value and abs(value) < 3e38:
            assert F32.read(value.hex()) == F32.read(repr(value)) == bits_of(value, "<f")


@pytest.mark.parametrize(
    ("text", "format", "bits"),
    [
        # By way of f64, this would be rounded twice.
        ("0x1.00000100000000001p0", F32, 0x3F800001),
        ("0x1.000001p0", F32, 0x3F800000),
        ("1.000000059604644775390625", F32, 0x3F800000),
        ("1.000000059604644775390625000000000000000000000001", F32, 0x3F800001),
        ("0x1p-149", F32, 1),
        ("0x1p-150", F32, 0),
        ("0x1.8p-150", F32, 1),
        ("-0x0p0", F32, 0x80000000),
        ("1e-999999999999999999999", F64, 0),
        ("0e999999999999999999999", F64, 0),
        ("0x1p-99999999999999999999999", F64, 0),
        ("1" + "0" * 5000 + "e-5000", F64, 0x3FF0000000000000),
        ("0." + "0" * 5000 + "1e5001", F32, 0x3F800000),
        ("0x1.fffffffffffff8p-1", F64, 0x3FF0000000000000),
        ("340282346638528859811704183484516925440", F32, 0x7F7FFFFF),
        ("0x1.fffffefffffff8p127", F32, 0x7F7FFFFF),
        ("inf", F32, 0x7F800000),
        ("-nan", F64, 0xFFF8000000000000),
        ("nan:0x1", F32, 0x7F800001),
        ("+nan:0x7f_ffff", F32, 0x7FFFFFFF),
        ("1.", F32, 0x3F800000),
        ("0x1.p+1", F32, 0x40000000),
        ("1_0.0_1e0_1", F64, bits_of(100.1, "<d")),
    ],
)
def test_floats(text: str, format: FloatFormat, bits: int) -> None:
    assert format.read(text) == bits


@pytest.mark.parametrize(
    "text",
    [
        "0x1p128",
        "3.5e38",
        "340282356779733661637539395458142568448",
        "nan:0x0",
        "nan:0x800000",
        "1e99999999999999999999",
    ],
)
def test_floats_out_of_range(text: str) -> None:
    with pytest.raises(NumberError):
        F32.read(text)


@pytest.mark.parametrize(
    "text",
    [
        ".5",
        "1e",
        "1e+",
        "0x.8p0",
        "0x1p",
        "1_.0",
        "1._0",
        "infinity",
        "nan:",
        "nan:1",
        "nan:0x",
        "Inf",
        "0x1e-1",
        "1p3",
    ],
)
def test_what_is_no_float(text: str) -> None:
    assert F64.read(text) is None
