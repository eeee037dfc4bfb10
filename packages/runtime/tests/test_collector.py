"""The garbage collector rests while functions are compiled, and comes back."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest

from wasm_core.errors import CompileError
from wasmetal import Engine
from wasmetal.code import collector
from wasmetal.code.collector import paused


@pytest.fixture(autouse=True)
def restore() -> Iterator[None]:
    yield
    gc.enable()
    assert collector._depth == 0


def test_off_in_the_block_and_on_behind() -> None:
    with paused():
        assert not gc.isenabled()
        with paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_after_exceptions() -> None:
    with pytest.raises(KeyError), paused(), paused():
        raise KeyError
    assert gc.isenabled()


def test_stays_off_if_it_was() -> None:
    gc.disable()
    with paused():
        pass
    assert not gc.isenabled()


def test_threads() -> None:
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with paused():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait(10)
    with paused():
        pass
    assert not gc.isenabled()
    leave.set()
    thread.join(10)
    assert gc.isenabled()


def test_compilation_runs_without_it(wasm, monkeypatch: pytest.MonkeyPatch) -> None:
    builder = wasm()
    builder.func("", "i", wasm.op.i32(1), export="one")
    builder.func("", "i", wasm.op.i32(1), export="two")
    engine = Engine()
    seen: list[bool] = []
    real = type(engine.backend).compile

    def compile(self: object, function: object) -> object:
        seen.append(gc.isenabled())
        if len(seen) > 1:
            raise CompileError("no")
        return real(self, function)

    instance = engine.compile(builder.build()).instantiate()
    one, two = instance.exports.one, instance.exports.two
    assert one._core.instance is not None
    engine.glue.entry(one.type)
    monkeypatch.setattr(type(engine.backend), "compile", compile)
    assert one() == 1
    with pytest.raises(CompileError, match="no"):
        two()
    assert seen == [False, False]
    assert gc.isenabled()
