"""Memories whose pages have one byte: they end at a byte, not where a page of the processor does."""

from __future__ import annotations

import gc
from typing import Any, Literal

import attrs
import pytest

import wasmetal
from wasmetal import Config, Engine, Features, LinkError, Memory, MemoryType, Trap, WasmError

assemble = pytest.importorskip("wasm_text").assemble
if not any(backend.supported for backend in wasmetal.backends()):
    pytest.skip("no backend for this machine", allow_module_level=True)

SOURCE = """
(module
  (memory (export "memory") {limits} (pagesize 1))
  (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "load4") (param i32) (result i32) (i32.load offset=4 (local.get 0)))
  (func (export "store") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
  (func (export "fill") (param i32 i32 i32) (memory.fill (local.get 0) (local.get 1) (local.get 2)))
  (func (export "size") (result i32) (memory.size))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))
"""
FEATURES = attrs.evolve(Features.default(), custom_page_sizes=True)


def instantiate(limits: str, bounds_checks: Literal["auto", "guard", "explicit"] = "auto", **settings: Any) -> Any:
    engine = Engine(Config(features=FEATURES, bounds_checks=bounds_checks, **settings))
    return engine.compile(assemble(SOURCE.format(limits=limits))).instantiate().exports


@pytest.mark.parametrize("bounds_checks", ["auto", "guard", "explicit"])
def test_it_ends_at_a_byte(bounds_checks: Literal["auto", "guard", "explicit"]) -> None:
    e = instantiate("10 20000", bounds_checks)
    assert (e.size(), len(e.memory), e.memory.pages) == (10, 10, 10)
    e.store(9, 5)
    assert e.load(9) == 5
    assert e.load4(2) == 5 << 24
    for call, arguments in ((e.load, (10,)), (e.load, (-1,)), (e.load4, (3,)), (e.store, (10, 1)), (e.fill, (5, 1, 6))):
        with pytest.raises(Trap, match="out of bounds memory access"):
            call(*arguments)
    with pytest.raises(IndexError):
        e.memory[10]


def test_growing_byte_by_byte() -> None:
    e = instantiate("4090 4100")
    for size in range(4090, 4100):
        assert e.size() == size
        with pytest.raises(Trap):
            e.store(size, 1)
        assert e.grow(1) == size
        assert e.load(size) == 0
        e.store(size, 1)
    assert (e.grow(1), e.grow(0), e.size()) == (-1, 4100, 4100)
    with pytest.raises(WasmError, match="limit is 4100"):
        e.memory.grow(1)
    assert bytes(e.memory[4090:4100]) == b"\1" * 10


def test_from_nothing_to_much() -> None:
    e = instantiate("0")
    assert (e.size(), len(e.memory)) == (0, 0)
    with pytest.raises(Trap):
        e.load(0)
    assert e.grow(100_000) == 0
    e.fill(0, 7, 100_000)
    assert e.load(99_999) == 7
    with pytest.raises(Trap):
        e.load(100_000)
    assert e.memory.grow(1) == 100_000
    assert e.load(100_000) == 0


def test_what_was_there_before_is_gone() -> None:
    for _ in range(5):
        e = instantiate("5000")
        assert bytes(e.memory[:]) == bytes(5000)
        e.fill(0, 0xFF, 5000)
        del e
        gc.collect()


def test_limits() -> None:
    # The engine's is in pages of 64 KiB.
    e = instantiate("1", max_memory_pages=2)
    assert (e.grow(2 * 65536), e.grow(2 * 65536 - 1), e.size()) == (-1, 1, 2 * 65536)
    with pytest.raises(WasmError, match="over the limit"):
        instantiate("131073", max_memory_pages=2)
    for wrong in (0, 2, 4096, 1 << 20, -1):
        with pytest.raises(ValueError, match="pages have 65536 bytes, or one"):
            Memory(MemoryType(1, page_size=wrong))
    with pytest.raises(ValueError):
        Memory(MemoryType(1 << 32, page_size=1))


@pytest.mark.parametrize("bounds_checks", ["auto", "guard", "explicit"])
def test_memories_of_python(bounds_checks: Literal["auto", "guard", "explicit"]) -> None:
    memory = Memory(MemoryType(10, 20, page_size=1))
    assert (memory.pages, len(memory), memory.grow(3), memory.type.page_size) == (10, 10, 10, 1)
    source = """(module (import "m" "m" (memory 10 20{}))
        (func (export "f") (param i32) (result i32) (i32.load8_u (local.get 0))))"""
    engine = Engine(Config(features=FEATURES, bounds_checks=bounds_checks))
    f = engine.compile(assemble(source.format(" (pagesize 1)"))).instantiate({"m": {"m": memory}}).exports.f
    memory[12] = 9
    assert f(12) == 9
    with pytest.raises(Trap):
        f(13)
    with pytest.raises(LinkError, match="incompatible import type"):
        engine.compile(assemble(source.format(""))).instantiate({"m": {"m": memory}})
    with pytest.raises(LinkError, match="incompatible import type"):
        engine.compile(assemble(source.format(" (pagesize 1)"))).instantiate({"m": {"m": Memory(10, 20)}})
