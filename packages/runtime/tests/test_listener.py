"""Listeners: what they see, and what they raise."""

from __future__ import annotations

import pytest

import wasmetal
from wasmetal import Engine, FunctionDefinition, FuncType, Listener


class Recorder:
    def __init__(self) -> None:
        self.events: list[tuple[str, object, tuple[object, ...]]] = []

    def before(self, definition: FunctionDefinition, params: tuple[object, ...]) -> None:
        self.events.append(("before", definition.name, params))

    def after(self, definition: FunctionDefinition, results: tuple[object, ...]) -> None:
        self.events.append(("after", definition.name, results))


@pytest.fixture
def source(wasm) -> bytes:
    builder = wasm()
    op = wasm.op
    builder.import_func("env", "host", "I", "I")
    builder.func("iFf", "F", op.get(1), export="inner")
    builder.func(
        "e",
        "ei",
        op.i64(5)
        + op.call(0)
        + op.DROP
        + op.i32(-1)
        + op.get(1 - 1)
        + op.DROP
        + op.DROP
        + op.i32(1)
        + b"\x44"
        + bytes(8)
        + b"\x43"
        + bytes(4)
        + op.call(1)
        + op.DROP
        + op.get(0)
        + op.i32(-3),
        export="outer",
    )
    builder.func("", "", op.UNREACHABLE, export="trap")
    builder.names("demo", {1: "the_inner"})
    return builder.build()


def test_every_call_is_seen(source: bytes) -> None:
    recorder = Recorder()
    assert isinstance(recorder, Listener)
    instance = Engine().compile(source, listener=recorder).instantiate({"env": {"host": lambda x: x}})
    value = object()
    assert instance.exports.outer(value) == (value, -3)
    assert recorder.events == [
        ("before", "outer", (value,)),
        ("before", "the_inner", (1, 0.0, 0.0)),
        ("after", "the_inner", (0.0,)),
        ("after", "outer", (value, -3)),
    ]
    recorder.events.clear()
    assert instance.exports.inner(-2, 0.5, 0.25) == 0.5
    assert recorder.events == [("before", "the_inner", (-2, 0.5, 0.25)), ("after", "the_inner", (0.5,))]


def test_definitions(source: bytes) -> None:
    definitions = []

    class Collector(Recorder):
        def before(self, definition: FunctionDefinition, params: tuple[object, ...]) -> None:
            definitions.append(definition)

    instance = Engine().compile(source, listener=Collector()).instantiate({"env": {"host": lambda x: x}})
    instance.exports.inner(0, 0, 0)
    instance.exports.inner(0, 0, 0)
    first, second = definitions
    assert first is second
    assert first == FunctionDefinition(1, "the_inner", "demo", FuncType(["i32", "f64", "f32"], ["f64"]))


def test_a_trap_is_not_a_return(source: bytes) -> None:
    recorder = Recorder()
    instance = Engine().compile(source, listener=recorder).instantiate({"env": {"host": lambda x: x}})
    with pytest.raises(wasmetal.Trap, match="unreachable"):
        instance.exports.trap()
    assert recorder.events == [("before", "trap", ())]


@pytest.mark.parametrize("method", ["before", "after"])
def test_exceptions_of_listeners(source: bytes, method: str) -> None:
    class Failing(Recorder):
        def before(self, definition: FunctionDefinition, params: tuple[object, ...]) -> None:
            super().before(definition, params)
            if method == "before" and definition.index == 1:
                raise LookupError(method)

        def after(self, definition: FunctionDefinition, results: tuple[object, ...]) -> None:
            super().after(definition, results)
            if method == "after" and definition.index == 1:
                raise LookupError(method)

    recorder = Failing()
    instance = Engine().compile(source, listener=recorder).instantiate({"env": {"host": lambda x: x}})
    for _ in range(2):
        with pytest.raises(LookupError, match=method):
            instance.exports.outer(None)
    with pytest.raises(LookupError, match=method):
        instance.exports.inner(0, 0, 0)
    assert ("before", "outer", (None,)) in recorder.events
    assert ("before", "the_inner", (1, 0.0, 0.0)) in recorder.events
    assert "outer" not in [name for when, name, _ in recorder.events if when == "after"]


def test_code_with_and_without_a_listener_is_kept_apart(source: bytes) -> None:
    engine = Engine()
    first, second = Recorder(), Recorder()
    plain = engine.compile(source)
    modules = [engine.compile(source, listener=listener) for listener in (first, second, first)]
    assert modules[0].code is modules[2].code
    assert len({module.code for module in (plain, *modules)}) == 3
    plain.instantiate({"env": {"host": lambda x: x}}).exports.inner(0, 0, 0)
    assert not first.events
    modules[1].instantiate({"env": {"host": lambda x: x}}).exports.inner(0, 0, 0)
    assert not first.events and len(second.events) == 2
