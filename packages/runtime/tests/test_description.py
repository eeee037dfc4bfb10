"""What Python's own tools show of functions and other objects: signatures, names, documentation, reprs."""

from __future__ import annotations

import functools
import inspect
import pydoc

import wasmetal
from wasm_core.testing import binary


def instance(wasm, names: dict[int, dict[int, str]] | None = None) -> wasmetal.Instance:
    builder = wasm()
    op = wasm.op
    builder.func("iF", "F", op.get(1), export="scale")
    builder.func("iIfFvre", "", b"", export="everything")
    builder.func("", "iI", op.i32(1) + op.i64(2), export="pair")
    if names:
        maps = b"".join(
            binary.unsigned(index)
            + binary.unsigned(len(each))
            + b"".join(binary.unsigned(number) + binary.name(text) for number, text in each.items())
            for index, each in names.items()
        )
        local_names = binary.unsigned(len(names)) + maps
        builder.custom("name", b"\x02" + binary.sized(local_names))
    return wasmetal.Module(builder.build()).instantiate()


def library(wasm, names: dict[int, dict[int, str]] | None = None) -> wasmetal.Exports:
    return instance(wasm, names).exports


def test_signatures(wasm) -> None:
    exports = library(wasm)
    assert str(inspect.signature(exports.scale)) == "(arg0: int, arg1: float, /) -> float"
    kinds = [parameter.annotation for parameter in inspect.signature(exports.everything).parameters.values()]
    assert kinds == [int, int, float, float, bytes, wasmetal.Func | None, object]
    assert inspect.signature(exports.everything).return_annotation is None
    assert inspect.signature(exports.pair).return_annotation == tuple[int, int]


def test_names_of_parameters(wasm) -> None:
    scale = library(wasm, {0: {0: "count", 1: "factor"}}).scale
    assert str(inspect.signature(scale)) == "(count: int, factor: float, /) -> float"
    # What is no identifier, a keyword, or there twice.
    for wrong in ({0: "a b", 1: "factor"}, {0: "class", 1: "factor"}):
        assert [*inspect.signature(library(wasm, {0: wrong}).scale).parameters] == ["arg0", "factor"]
    assert [*inspect.signature(library(wasm, {0: {0: "x", 1: "x"}}).scale).parameters] == ["x", "arg1"]
    assert [*inspect.signature(library(wasm, {0: {0: "arg1"}}).scale).parameters] == ["arg0", "arg1"]
    assert len(str(inspect.signature(library(wasm, {0: {0: "x" * 100_000}}).scale))) < 100


def test_names_and_documentation(wasm) -> None:
    scale = library(wasm).scale
    assert scale.__name__ == scale.__qualname__ == scale.name == "scale"
    assert scale.__doc__ == "WebAssembly function scale: (i32, f64) -> (f64)"
    assert wasmetal.Func.__name__ == wasmetal.Func.__qualname__ == "Func"
    assert "Calling it" in str(wasmetal.Func.__doc__)
    assert [*inspect.signature(wasmetal.Func).parameters] == ["callable", "type", "name", "caller"]
    assert functools.wraps(scale)(lambda: None).__name__ == "scale"
    assert "WebAssembly function scale" in pydoc.render_doc(scale)
    assert "Make a host function" in pydoc.render_doc(wasmetal.Func)


def test_host_functions() -> None:
    def log(caller: wasmetal.Caller, level: int, ratio: float) -> None:
        """Write a line."""

    func = wasmetal.Func(log, wasmetal.FuncType(["i32", "f32"], []))
    assert str(inspect.signature(func)) == "(level: int, ratio: float, /) -> None"
    assert (func.__name__, func.__doc__) == ("log", "Write a line.")
    nameless = wasmetal.Func(functools.partial(print), wasmetal.FuncType(["i32"], ["i32"]))
    assert nameless.__name__ == "<unnamed>"
    assert str(inspect.signature(nameless)) == "(arg0: int, /) -> int"
    assert "<unnamed>: (i32) -> (i32)" in str(nameless.__doc__)


def test_after_closing(wasm) -> None:
    """Looking at a function never fails: debuggers do it at any time."""
    with instance(wasm, {0: {0: "count", 1: "factor"}}) as opened:
        scale = opened.exports.scale
    assert str(inspect.signature(scale)) == "(arg0: int, arg1: float, /) -> float"
    assert scale.__qualname__ == "scale"
    assert "scale" in scale.__doc__
    empty = wasmetal.Func.__new__(wasmetal.Func)
    assert "Calling it" in str(empty.__doc__)
    assert not callable(getattr(empty, "__signature__", None))


def test_reprs(wasm) -> None:
    seen = []

    def look(caller: wasmetal.Caller) -> None:
        seen.append(repr(caller))

    builder = wasm()
    builder.import_func("env", "look", "", "")
    builder.func("", "", wasm.op.call(0), export="run")
    wasmetal.Module(builder.build()).instantiate({"env": {"look": look}}).exports.run()
    assert seen == ["<Caller: <Instance>>"]
    wasmetal.Func(look, wasmetal.FuncType([], []))()
    assert seen[1] == "<Caller: none, but Python>"
    assert repr(wasmetal.deadline(0.5)) == "deadline(0.5)"
    backend = wasmetal.default_engine().backend
    assert repr(backend).startswith(f"<backend {backend.name}, ")
