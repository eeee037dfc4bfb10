"""Names of megabytes in a module: whatever says something about it stays short."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import pytest

import wasmetal
from wasmetal import Module

LONG = "\x1bA\n" * (1 << 20)
#: Characters that any message or repr may have, notes included.
LIMIT = 4_000


def _said(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(error)) + repr(error)


def _import(kind: str, space: str = LONG) -> Callable[[Any], Module]:
    def build(wasm: Any) -> Module:
        builder = wasm()
        if kind == "func":
            builder.import_func(space, LONG, "", "i", export="f")
        elif kind == "memory":
            builder.import_memory(space, LONG, 1)
        elif kind == "table":
            builder.import_table(space, LONG, "r", 1)
        else:
            builder.import_global(space, LONG, "i")
        return Module(builder.build())

    return build


@pytest.mark.parametrize("kind", ["func", "memory", "table", "global"])
@pytest.mark.parametrize(
    "value",
    [None, 3, "x", b"x", [], lambda: None, LONG],
    ids=["none", "int", "str", "bytes", "list", "callable", "long"],
)
def test_links(wasm: Any, kind: str, value: object) -> None:
    module = _import(kind)(wasm)
    for imports in ({}, {LONG: {}}, {LONG: value}, {LONG: {LONG: value}}, {LONG: {LONG: Module}}, {"x": {LONG: value}}):
        try:
            module.instantiate(imports)
        except Exception as error:
            assert len(_said(error)) < LIMIT
    assert len(repr(module.imports[0].type)) < LIMIT


def test_results_of_host_functions(wasm: Any) -> None:
    module = _import("func")(wasm)
    for result in ("x", None, 1 << 70, LONG):
        f = module.instantiate({LONG: {LONG: lambda result=result: result}}).exports.f
        with pytest.raises(Exception) as caught:
            f()
        assert len(_said(caught.value)) < LIMIT


def test_types(wasm: Any) -> None:
    builder = wasm()
    builder.import_func("env", "f", "i" * 1000, "i" * 1000, export="g")
    module = Module(builder.build())
    for imports in ({}, {"env": {"f": 3}}):
        with pytest.raises(wasmetal.LinkError) as caught:
            module.instantiate(imports)
        assert len(_said(caught.value)) < LIMIT
    g = module.instantiate({"env": {"f": lambda *args: args[:3]}}).exports.g
    for arguments in ((), (0,) * 1000, ("x",) * 1000):
        with pytest.raises(Exception) as failed:
            g(*arguments)
        assert len(_said(failed.value)) < LIMIT
    assert len(repr(g)) < LIMIT


def test_exports(wasm: Any) -> None:
    builder = wasm()
    builder.memory(1)
    builder.func("i", "", wasm.op.UNREACHABLE, export=LONG)
    builder.func("", "", wasm.op.i32(0) + wasm.op.call(0), export=LONG + "2")
    builder.names(LONG, {0: LONG, 1: LONG})
    module = Module(builder.build())
    instance = module.instantiate()
    f, g = instance.exports.values()
    for what in (module, instance, instance.exports, f, f.type):
        assert len(repr(what)) < LIMIT
        assert repr(what).isprintable()
    for attempt in (
        lambda: f(0),
        g,
        lambda: f(),
        lambda: f("x"),
        lambda: f(x=1),
        lambda: f(**{LONG: 1}),
        lambda: f.call_raw("x"),
        lambda: instance.exports.nothing,
        lambda: getattr(instance.exports, LONG + "3"),
        lambda: getattr(instance, LONG),
    ):
        try:
            attempt()
        except Exception as error:
            if not (isinstance(error, AttributeError) and error.obj is instance):  # Python's own
                assert len(_said(error)) < LIMIT


@pytest.mark.parametrize("kind", [0, 2])
def test_duplicate_exports(wasm: Any, kind: int) -> None:
    builder = wasm()
    builder.memory(1)
    builder.func("", "", b"", export=LONG)
    builder.export(LONG, kind, 0)
    with pytest.raises(wasmetal.InvalidError) as caught:
        Module(builder.build())
    assert len(_said(caught.value)) < LIMIT


def test_names_of_a_hundred_frames(wasm: Any) -> None:
    builder = wasm()
    builder.func("", "", wasm.op.UNREACHABLE)
    for n in range(300):
        builder.func("", "", wasm.op.call(n), export=f"f{n}")
    builder.names("m", {n: f"{LONG[:30_000]}{n}" for n in range(301)})
    f = Module(builder.build()).instantiate().exports.f299
    with pytest.raises(wasmetal.Trap) as caught:
        f()
    (note,) = caught.value.__notes__
    assert len(note.splitlines()) < 80
    assert len(note) < 80 * 800
