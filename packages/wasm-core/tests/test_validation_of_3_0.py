"""Validation beyond 2.0 where the specification's suite does not go: limits, sizes, depths."""

from __future__ import annotations

import time
from typing import Any

import attrs
import pytest

from wasm_core import Features, InvalidError, MalformedError, decode, validate

ALL = attrs.evolve(Features.default(), threads=True, custom_page_sizes=True)


def check(source: bytes) -> None:
    validate(decode(source, ALL), ALL)


def test_constructs_nest_deeply(wasm: Any) -> None:
    depth = 100_000
    started = time.process_time()
    check(wasm.function(b"\x1f\x40\x01\x02\0" * depth + b"\x0b" * depth + b"\x0b"))
    check(wasm.function(b"\x06\x40" * depth + b"\x19\x0b" * depth + b"\x0b"))
    check(wasm.function(b"\x06\x40" * depth + b"\x18\0" * depth + b"\x0b"))
    # Locals that have no value yet, set and forgotten at every depth.
    types = (b"\x60\x01\x64\x70\0",)
    code = b"\x02\x40\x20\0\x21\x01" * depth + b"\x0b" * depth + b"\x0b"
    source = wasm.module(
        wasm.section(1, wasm.vector(types)),
        wasm.section(3, b"\x01\0"),
        wasm.section(10, wasm.vector([wasm.sized(b"\x01\x01\x64\x70" + code)])),
    )
    check(source)
    assert time.process_time() - started < 10


def test_locals_without_a_value(wasm: Any) -> None:
    def body(code: bytes) -> bytes:
        return bytes(
            wasm.module(
                wasm.section(1, wasm.vector([b"\x60\x01\x64\x70\0"])),
                wasm.section(3, b"\x01\0"),
                wasm.section(13, b"\x01\0\0"),
                wasm.section(10, wasm.vector([wasm.sized(b"\x02\x01\x7f\x02\x64\x70" + code + b"\x0b")])),
            )
        )

    get, put = b"\x20\x02\x1a", b"\x20\0\x21\x02"
    for valid in (put + get, b"\x20\0\x22\x02\x1a" + get, put + b"\x02\x40" + get + b"\x0b" + get):
        check(body(valid))
    for code in (
        get,
        b"\x20\0\x21\x03" + get,
        b"\x02\x40" + put + b"\x0b" + get,
        b"\x41\0\x04\x40" + put + b"\x05" + get + b"\x0b",
        b"\x06\x40" + put + b"\x19" + get + b"\x0b",
        b"\x06\x40" + put + b"\x18\0" + get,
        b"\x1f\x40\0" + put + b"\x0b" + get,
    ):
        with pytest.raises(InvalidError, match="uninitialized local 2"):
            check(body(code))
    with pytest.raises(InvalidError, match="unknown local 4"):
        check(body(b"\x20\x04"))
    with pytest.raises(InvalidError, match="unknown local 4"):
        check(body(put + b"\x20\0\x21\x04"))


def test_misplaced_catches(wasm: Any) -> None:
    for code in (b"\x19\x0b", b"\x02\x40\x19\x0b\x0b", b"\x06\x40\x19\x19\x0b\x0b"):
        with pytest.raises(MalformedError, match="misplaced catch"):
            check(wasm.function(code))
    for code in (b"\x18\0\x0b", b"\x02\x40\x18\0\x0b", b"\x06\x40\x19\x18\0\x0b"):
        with pytest.raises(MalformedError, match="misplaced delegate"):
            check(wasm.function(code))


def chain(wasm: Any, count: int) -> bytes:
    types = [b"\x50\0\x5f\0"] + [b"\x50\x01" + wasm.unsigned(index) + b"\x5f\0" for index in range(count)]
    return bytes(wasm.module(wasm.section(1, wasm.vector(types))))


def test_limits(wasm: Any) -> None:
    check(chain(wasm, 63))
    with pytest.raises(InvalidError, match="sub type hierarchy too deep: type 64 has 64 supertypes, the limit is 63"):
        check(chain(wasm, 64))
    check(wasm.module(wasm.section(1, b"\x01\x5f" + wasm.unsigned(10_000) + b"\x7f\0" * 10_000)))
    with pytest.raises(InvalidError, match="too many fields"):
        check(wasm.module(wasm.section(1, b"\x01\x5f" + wasm.unsigned(10_001) + b"\x7f\0" * 10_001)))
    array = b"\x5e\x7f\0"
    fixed = b"\0\xfb\x08\x01" + wasm.unsigned(10_001) + b"\x1a\x0b"
    with pytest.raises(InvalidError, match="too many elements"):
        check(wasm.function(fixed, types=(array,)))


def test_large_structures_cost_little_where_they_are_used(wasm: Any) -> None:
    count = 50_000
    struct = b"\x5f" + wasm.unsigned(10_000) + b"\x7f\0" * 10_000
    array = b"\x5e\x7f\0"
    started = time.process_time()
    check(wasm.function(b"\0" + b"\xfb\0\x01\x1a" * count + b"\x0b", types=(struct, array)))
    check(wasm.function(b"\xfb\x01\x01\x1a" * count + b"\x0b", types=(struct, array)))
    check(wasm.function(b"\0" + b"\xfb\x08\x02\x90\x4e\x1a\0" * count + b"\x0b", types=(struct, array)))
    assert time.process_time() - started < 5


def test_atomic_alignment(wasm: Any) -> None:
    check(wasm.function(b"\x41\0\xfe\x10\x02\0\x1a\x0b", memory=True))
    with pytest.raises(InvalidError, match="alignment must not be smaller than natural"):
        check(wasm.function(b"\x41\0\xfe\x10\x01\0\x1a\x0b", memory=True))


def test_offsets(wasm: Any) -> None:
    large = b"\x80\x80\x80\x80\x10"
    with pytest.raises(InvalidError, match="offset out of range"):
        check(wasm.function(b"\x41\0\x28\x02" + large + b"\x1a\x0b", memory=True))
    source = wasm.module(
        wasm.section(1, b"\x01\x60\0\0"),
        wasm.section(3, b"\x01\0"),
        wasm.section(5, b"\x01\x04\x01"),
        wasm.section(10, wasm.vector([wasm.sized(b"\0\x42\0\x28\x02" + large + b"\x1a\x0b")])),
    )
    check(source)
