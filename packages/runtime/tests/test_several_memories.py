"""Modules with several memories: each access is to its own, and stays inside it."""

from __future__ import annotations

from typing import Any, Literal

import pytest

import wasmetal
from wasmetal import Config, Engine, Memory, Trap, WasmError

assemble = pytest.importorskip("wasm_text").assemble
if not any(backend.supported for backend in wasmetal.backends()):
    pytest.skip("no backend for this machine", allow_module_level=True)

Checks = Literal["guard", "explicit"]

SOURCE = """
(module
  (import "m" "first" (memory 1 3))
  (import "m" "second" (memory 1 3))
  (memory $third (export "third") 2 5)
  (export "second" (memory 1))
  (data (memory 2) (i32.const 8) "third")
  (data (memory 1) (i32.const 8) "second")
  (data $passive "passive")
  (func (export "load0") (param i32) (result i32) (i32.load 0 offset=4 (local.get 0)))
  (func (export "load1") (param i32) (result i32) (i32.load 1 offset=4 (local.get 0)))
  (func (export "load2") (param i32) (result i32) (i32.load 2 offset=4 (local.get 0)))
  (func (export "far2") (param i32) (result i32) (i32.load 2 offset=0xFFFFFFFF (local.get 0)))
  (func (export "constant") (result i32) (i32.load8_u 2 (i32.const 8)))
  (func (export "beyond") (result i32) (i32.load8_u 1 (i32.const 0x10000)))
  (func (export "store") (param i32 i64)
    (i64.store 0 (local.get 0) (local.get 1))
    (i64.store 1 (local.get 0) (i64.add (local.get 1) (i64.const 1)))
    (i64.store 2 (local.get 0) (i64.add (local.get 1) (i64.const 2))))
  (func (export "lanes") (param i32) (result i32)
    (v128.store 1 (i32.const 32) (v128.load 2 (local.get 0)))
    (i32x4.extract_lane 1 (v128.load32_lane 1 1 (i32.const 32) (v128.const i32x4 0 0 0 0))))
  (func (export "copy") (param i32 i32 i32) (memory.copy 1 2 (local.get 0) (local.get 1) (local.get 2)))
  (func (export "fill") (param i32 i32 i32) (memory.fill 2 (local.get 0) (local.get 1) (local.get 2)))
  (func (export "init") (param i32 i32 i32) (memory.init 1 $passive (local.get 0) (local.get 1) (local.get 2)))
  (func (export "size") (param) (result i32 i32 i32) (memory.size 0) (memory.size 1) (memory.size 2))
  (func (export "grow") (param i32) (result i32) (memory.grow 1 (local.get 0)))
  (func (export "grow_third") (param i32) (result i32) (memory.grow 2 (local.get 0))))
"""


@pytest.fixture(params=["guard", "explicit"])
def e(request: pytest.FixtureRequest) -> Any:
    """The exports, of an instance with its memories apart."""
    memories = {"first": Memory(1, 3), "second": Memory(1, 3)}
    return Engine(Config(bounds_checks=request.param)).compile(assemble(SOURCE)).instantiate({"m": memories}).exports


def test_each_access_is_to_its_memory(e: Any) -> None:
    assert bytes(e.third[8:13]) == b"third"
    assert bytes(e.second[8:14]) == b"second"
    e.store(100, 7)
    assert [e.load0(96), e.load1(96), e.load2(96)] == [7, 8, 9]
    assert e.constant() == ord("t")
    assert e.lanes(100) == 9
    assert int.from_bytes(e.second[32:36], "little") == 9


def test_each_has_its_bounds(e: Any) -> None:
    assert e.load2(2 * 65536 - 8) == 0
    for call, arguments in (
        (e.load1, (65536 - 7,)),
        (e.load0, (65536 - 7,)),
        (e.load2, (2 * 65536 - 7,)),
        (e.load2, (-1,)),
        (e.far2, (-1,)),
        (e.far2, (0,)),
        (e.beyond, ()),
        (e.store, (65536 - 7, 1)),
        (e.copy, (65530, 0, 7)),
        (e.copy, (0, 2 * 65536 - 6, 7)),
        (e.fill, (2 * 65536 - 6, 1, 7)),
        (e.init, (65530, 0, 7)),
        (e.init, (0, 1, 7)),
    ):
        with pytest.raises(Trap, match="out of bounds memory access"):
            call(*arguments)


def test_bulk_instructions_and_growing(e: Any) -> None:
    e.copy(1000, 8, 5)
    assert bytes(e.second[1000:1005]) == b"third"
    # Memory 2 is larger than memory 1.
    e.copy(0, 2 * 65536 - 4, 4)
    e.fill(65536, 0xAB, 3)
    assert bytes(e.third[65536:65540]) == b"\xab\xab\xab\0"
    e.init(2000, 0, 7)
    assert bytes(e.second[2000:2007]) == b"passive"
    assert e.size() == (1, 1, 2)
    assert (e.grow(1), e.grow(2), e.grow_third(3)) == (1, -1, 2)
    assert e.size() == (1, 2, 5)
    assert e.load1(65536) == 0
    with pytest.raises(Trap):
        e.load0(65536)


def test_a_trap_says_where_in_which_memory() -> None:
    memories = {"first": Memory(1, 3), "second": Memory(1, 3)}
    guarded = Engine(Config(bounds_checks="guard")).compile(assemble(SOURCE)).instantiate({"m": memories}).exports
    with pytest.raises(Trap) as caught:
        guarded.load2(2 * 65536)
    assert caught.value.access is not None
    assert (caught.value.access.address, caught.value.access.memory_size) == (2 * 65536 + 4, 2 * 65536)


@pytest.mark.parametrize("checks", ["guard", "explicit"])
def test_one_memory_imported_twice(checks: Checks) -> None:
    memory = Memory(1, 3)
    instance = (
        Engine(Config(bounds_checks=checks))
        .compile(assemble(SOURCE))
        .instantiate({"m": {"first": memory, "second": memory}})
    )
    e = instance.exports
    e.store(100, 7)
    assert (e.load0(96), e.load1(96), e.load2(96)) == (8, 8, 9)
    assert e.grow(1) == 1
    assert e.size() == (2, 2, 2)
    instance.close()
    assert len(memory) == 2 * 65536


def test_there_are_not_any_number() -> None:
    assert Engine().compile(assemble("(module" + 100 * "(memory 0)" + ")")).instantiate()
    with pytest.raises(WasmError, match="101 memories is over the limit of 100"):
        Engine().compile(assemble("(module" + 101 * "(memory 0)" + ")")).instantiate()
