"""Damaged modules raise CompileError and nothing else, fast; and another engine gives the same verdict."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wasm_core import CompileError, decode, validate

SMALL = ("gimli", "heapsort", "fib2", "noop")


def verdict(source: bytes) -> str:
    """What is wrong with a module; "" if nothing is."""
    try:
        validate(decode(source))
    except CompileError as error:
        assert error.message
        assert error.offset is None or 0 <= error.offset <= len(source)
        return error.message
    return ""


def damage(source: bytes, chance: random.Random) -> bytes:
    out = bytearray(source)
    for _ in range(chance.choice((1, 1, 2, 5))):
        at = chance.randrange(8, len(out))
        how = chance.randrange(4)
        if how == 0:
            out[at] = chance.randrange(256)
        elif how == 1:
            out[at] ^= 1 << chance.randrange(8)
        elif how == 2:
            del out[at]
        else:
            out[at : at + 2] = out[chance.randrange(8, len(out)) :][:2]
    return bytes(out)


def test_corpus_is_valid(corpus: dict[str, bytes]) -> None:
    for name, source in corpus.items():
        assert verdict(source) == "", name


@pytest.mark.parametrize("name", SMALL)
def test_mutations(corpus: dict[str, bytes], name: str) -> None:
    chance = random.Random(name)
    verdicts = {verdict(damage(corpus[name], chance)) for _ in range(150)}
    assert len(verdicts) > 10


@pytest.mark.parametrize("name", SMALL)
def test_truncations(corpus: dict[str, bytes], name: str) -> None:
    source = corpus[name]
    step = max(1, len(source) // 150)
    ends = {section.end for section in decode(source).sections}
    for size in range(0, len(source), step):
        # What is cut between two sections may still be a module.
        assert verdict(source[:size]) or size in ends or size == 8


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_arbitrary_sections(data: bytes) -> None:
    verdict(b"\0asm\x01\0\0\0" + data)


@given(st.lists(st.integers(0, 255), max_size=60).map(bytes))
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_arbitrary_code(wasm: Any, code: bytes) -> None:
    verdict(wasm.function(code + b"\x0b", b"\x7f\x7e", b"\x7f", memory=True, table=True))


def test_runs_of_one_byte_are_fast(wasm: Any) -> None:
    started = time.process_time()
    for byte in range(256):
        verdict(wasm.function(bytes([byte]) * 3_000 + b"\x0b", memory=True, table=True))
        verdict(wasm.module(wasm.section(max(byte % 13, 1), bytes([byte]) * 3_000)))
    assert time.process_time() - started < 10


def test_another_engine_agrees(corpus: dict[str, bytes], wasm: Any) -> None:
    wasmtime = pytest.importorskip("wasmtime")
    config = wasmtime.Config()
    for later in ("tail_call", "memory64", "multi_memory", "relaxed_simd", "threads", "gc", "function_references"):
        setattr(config, f"wasm_{later}", False)
    engine = wasmtime.Engine(config)
    chance = random.Random(7)
    valid = 0
    for _ in range(400):
        source = damage(corpus["gimli"], chance)
        try:
            wasmtime.Module.validate(engine, source)
            expected = True
        except wasmtime.WasmtimeError:
            expected = False
        valid += expected
        assert (verdict(source) == "") == expected, source.hex()
    assert valid > 20
