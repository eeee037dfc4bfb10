"""Raw slots: only references that the store knows get in."""

from __future__ import annotations

import gc
from typing import Any

import pytest

import wasmetal
from wasmetal import Func, FuncType


def reference_module(wasm: Any) -> wasmetal.Module:
    b = wasm()
    b.import_func("m", "host", "", "i")
    call = b.type("", "i")
    b.table("r", 4, export="table")
    b.func("e", "e", wasm.op.get(0), export="extern")
    b.func("r", "r", wasm.op.get(0), export="func")
    # table[0] = its parameter, and call that
    b.func("r", "i", b"\x41\x00" + wasm.op.get(0) + b"\x26\x00\x41\x00\x11" + bytes([call]) + b"\x00", export="run")
    b.func("", "i", wasm.op.i32(7), export="seven")
    return wasmetal.Module(b.build())


@pytest.fixture
def instance(wasm: Any) -> wasmetal.Instance:
    return reference_module(wasm).instantiate({"m": {"host": lambda: 42}})


def test_made_up_references(wasm: Any, instance: wasmetal.Instance) -> None:
    class Thing:
        pass

    other = reference_module(wasm).instantiate({"m": {"host": lambda: 43}})
    thing, unknown, host = Thing(), Thing(), Func(lambda: 5, FuncType((), ("i32",)))
    exports = instance.exports
    (handle,) = _handle(exports, thing)
    (foreign_handle,) = _handle(other.exports, unknown)
    other.exports.seven()
    wrong = [1, 8, 0xDEAD_BEEF, (1 << 64) - 1, 1 << 63, id(unknown), foreign_handle, handle + 8, id(instance), id(host)]
    wrong += [host._funcref, other.exports.seven._funcref, exports.seven._funcref, exports.func._core.funcref]
    for slot in wrong:
        with pytest.raises(ValueError, match="not a reference of this store"):
            exports.extern.call_raw(slot)
    for slot in [*wrong[:-2], handle, exports.seven._funcref + 8, exports.seven._funcref - 32 * 100]:
        for function in (exports.func, exports.run):
            with pytest.raises(ValueError, match="not a reference of this store"):
                function.call_raw(slot)
    assert exports.extern.call_raw(handle) == (handle,)
    assert exports.run.call_raw(exports.seven._funcref) == (7,)
    assert exports.extern.call_raw(0) == exports.func.call_raw(0) == (0,)
    with pytest.raises(wasmetal.Trap):
        exports.run.call_raw(0)
    for code in ("funcref", "externref"):
        anybody = Func(lambda x: None, FuncType((code,), ()))
        with pytest.raises(ValueError, match="not a reference of this store"):
            anybody.call_raw(handle)
        assert anybody.call_raw(0) == ()


def _handle(exports: Any, thing: object) -> tuple[int]:
    assert exports.extern(thing) is thing
    return (id(thing),)


def test_references_that_functions_returned(instance: wasmetal.Instance) -> None:
    exports = instance.exports
    host = Func(lambda: 5, FuncType((), ("i32",)))
    assert exports.run(host) == 5
    (slot,) = exports.func.call_raw(host._funcref)
    assert exports.run.call_raw(slot) == (5,)
    del host
    gc.collect()
    assert exports.run.call_raw(slot) == (5,)  # the table has it
    # An imported function is known as well.
    imported = instance._core.functions[0]  # type: ignore[union-attr]
    assert exports.run.call_raw(imported._funcref) == (42,)


def test_notes_of_deep_nesting_are_few(wasm: Any) -> None:
    b = wasm()
    b.import_func("m", "f")
    b.func(code=b"\x10\x00", export="go")
    depth = 0

    def host() -> None:
        nonlocal depth
        depth += 1
        if depth == 100:
            raise RuntimeError("deep")
        instance.exports.go()

    instance = wasmetal.Module(b.build()).instantiate({"m": {"f": host}})
    with pytest.raises(RuntimeError, match="deep") as caught:
        instance.exports.go()
    notes = caught.value.__notes__
    assert len(notes) == 9 and notes[-1] == "WebAssembly backtrace of calls further out: left out"
    assert all("0: go (function 1)" in note for note in notes[:-1])


def test_notes_and_frames_are_short_whatever_functions_are_called(wasm: Any) -> None:
    """A module cannot make exceptions of gigabytes: not by long names, nor by recursion with the host."""
    op = wasm.op
    b = wasm()
    b.import_func("m", "f")
    # Down so many levels, then to the host.
    down = op.get(0) + op.i32(1) + b"\x6b\x10\x01"
    b.func("i", "", op.get(0) + b"\x04\x40" + down + b"\x05\x10\x00\x0b", export="go")
    b.func("", "", b"\0", export="x" * 1_000_000)
    b.names("m" * 1_000_000, {1: "n" * 1_000_000})
    depth = 0

    def host() -> None:
        nonlocal depth
        depth += 1
        if depth % 20 == 0:
            raise RuntimeError("deep")
        instance.exports.go(1000)

    instance = wasmetal.Module(b.build()).instantiate({"m": {"f": host}})
    with pytest.raises(RuntimeError, match="deep") as caught:
        instance.exports.go(1000)
    notes = caught.value.__notes__
    assert len(notes) == 9 and sum(map(len, notes)) < 1_500_000
    assert "nnn... (function 1)" in notes[0]
    with pytest.raises(wasmetal.Trap) as trapped:
        instance.exports["x" * 1_000_000]()
    assert len(trapped.value.frames[0].function_name or "") == 400
