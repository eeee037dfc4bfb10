"""Functions that call themselves, which goes to their own entry and asks no slot: results, traps, exceptions."""

from __future__ import annotations

import pytest

import wasmetal

assemble = pytest.importorskip("wasm_text").assemble

pytestmark = pytest.mark.skipif(
    not any(backend.supported for backend in wasmetal.backends()), reason="no backend for this machine"
)

#: Imports, so that a function's index is not where it stands among those that have code. A row of parameters more than
#: there are registers, some of them on the stack; results in several registers.
SOURCE = """
(module
  (import "m" "seen" (func $seen (param i32)))
  (memory 1)
  (func (export "sum") (param i32 i64 i64 i64 i64 i64 i64 i64 i64 i64 f64) (result i64 f64)
    local.get 0
    i32.eqz
    if (result i64 f64)
      local.get 1
      local.get 9
      i64.sub
      local.get 10
    else
      local.get 0
      i32.const 1
      i32.sub
      local.get 2 local.get 3 local.get 4 local.get 5 local.get 6 local.get 7 local.get 8 local.get 9 local.get 1
      local.get 10
      f64.const 0.5
      f64.add
      call 1
    end)
  (func (export "forever") (param i32) (result i32)
    local.get 0
    call 2
    i32.const 1
    i32.add)
  (func $fall (export "fall") (param i32) (result i32)
    local.get 0
    i32.eqz
    if
      i32.const -4
      i32.load
      drop
    end
    local.get 0
    i32.const 1
    i32.sub
    call $fall)
  (func $host (export "host") (param i32)
    local.get 0
    call $seen
    local.get 0
    if
      local.get 0
      i32.const 1
      i32.sub
      call $host
    end))
"""

THROWS = """
(module
  (tag $t (param i32))
  (func $f (export "f") (param i32) (result i32)
    local.get 0
    i32.eqz
    if
      i32.const 1
      throw $t
    end
    block (result i32)
      try_table (result i32) (catch $t 0)
        local.get 0
        i32.const 1
        i32.sub
        call $f
      end
      return
    end
    ;; every second one goes on
    i32.const 2
    i32.mul
    local.get 0
    i32.const 1
    i32.and
    if (param i32) (result i32)
      throw $t
    end))
"""


@pytest.fixture(scope="module")
def exports() -> wasmetal.Exports:
    return wasmetal.default_engine().compile(assemble(SOURCE)).instantiate({"m": {"seen": seen.append}}).exports


seen: list[int] = []


def test_arguments_and_results(exports: wasmetal.Exports) -> None:
    """Also the words on the stack, which each call has for itself."""
    for depth in range(12):
        values = [10**n for n in range(9)]
        turned = values[depth % 9 :] + values[: depth % 9]
        assert exports.sum(depth, *values, 1.0) == (turned[0] - turned[8], 1.0 + depth / 2)


def test_recursion_without_end(exports: wasmetal.Exports) -> None:
    """The entry that it goes to is the one that compares the stack pointer with its limit."""
    for _ in range(2):
        with pytest.raises(wasmetal.Trap) as raised:
            exports.forever(1)
        assert raised.value.code == wasmetal.TrapCode.CALL_STACK_EXHAUSTED


def test_frames_of_a_trap(exports: wasmetal.Exports) -> None:
    """Return addresses of such calls are in the pc table as others are."""
    with pytest.raises(wasmetal.Trap) as raised:
        exports.fall(3)
    frames = raised.value.frames
    assert [frame.function_index for frame in frames] == [3] * 4
    offsets = [frame.module_offset for frame in frames]
    assert None not in offsets
    assert offsets[0] != offsets[1] == offsets[2] == offsets[3]


def test_host_functions_in_between(exports: wasmetal.Exports) -> None:
    seen.clear()
    exports.host(5)
    assert seen == [5, 4, 3, 2, 1, 0]


def test_exceptions_out_of_calls_of_itself() -> None:
    """A call that lands has its marker behind it, however it goes to the callee."""
    if not getattr(wasmetal.default_engine().backend, "exceptions", False):
        pytest.skip("the backend has no exceptions")
    f = wasmetal.default_engine().compile(assemble(THROWS)).instantiate().exports.f
    # Odd ones throw, even ones return what they have caught or got.
    assert f(2) == 4
    assert f(4) == 4
    with pytest.raises(wasmetal.WasmException):
        f(1)
