"""LEB128 integers: values, ends, and what is malformed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wasm_core.errors import MalformedError
from wasm_core.leb128 import read_s32, read_s33, read_s64, read_signed, read_u32, read_unsigned
from wasm_core.testing.binary import signed, unsigned


@given(st.integers(0, 2**32 - 1), st.binary(max_size=3))
def test_u32_round_trip(value: int, before: bytes) -> None:
    data = before + unsigned(value) + b"\xff"
    assert read_u32(data, len(before), len(data)) == (value, len(data) - 1)


@given(st.integers(-(2**63), 2**63 - 1))
def test_s64_round_trip(value: int) -> None:
    data = signed(value)
    assert read_s64(data, 0, len(data)) == (value, len(data))


@given(st.integers(-(2**31), 2**31 - 1))
def test_s32_round_trip(value: int) -> None:
    data = signed(value)
    assert read_s32(data, 0, len(data)) == (value, len(data))


def test_s33() -> None:
    assert read_s33(b"\xff\xff\xff\xff\x0f", 0, 5) == (2**32 - 1, 5)
    assert read_s33(b"\x40", 0, 1) == (-64, 1)


def test_longer_than_needed_is_fine() -> None:
    assert read_u32(b"\x83\x80\x80\x80\x00", 0, 5) == (3, 5)
    assert read_s32(b"\xff\xff\xff\xff\x7f", 0, 5) == (-1, 5)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "unexpected end"),
        (b"\x80\x80", "unexpected end"),
        (b"\x80\x80\x80\x80\x80\x00", "integer representation too long"),
        (b"\x80\x80\x80\x80\x10", "integer too large"),
        (b"\x80\x80\x80\x80\x70", "integer too large"),
    ],
)
def test_malformed_u32(data: bytes, message: str) -> None:
    with pytest.raises(MalformedError) as caught:
        read_unsigned(data, 0, len(data), 32)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x80\x80\x80\x80\x80\x00", "integer representation too long"),
        (b"\x80\x80\x80\x80\x08", "integer too large"),
        (b"\xff\xff\xff\xff\x0f", "integer too large"),
        (b"\x80\x80\x80\x80\x70", "integer too large"),
    ],
)
def test_malformed_s32(data: bytes, message: str) -> None:
    with pytest.raises(MalformedError) as caught:
        read_signed(data, 0, len(data), 32)
    assert caught.value.message == message


def test_the_end_is_respected() -> None:
    with pytest.raises(MalformedError, match="unexpected end"):
        read_u32(b"\x80\x01", 0, 1)
