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
    threshold = gc.get_threshold()
    yield
    gc.enable()
    assert gc.get_threshold() == threshold


def is_paused() -> bool:
    return gc.get_threshold()[0] == collector._MANY


def test_off_in_the_block_and_on_behind() -> None:
    with paused():
        assert is_paused()
        with paused():
            assert is_paused()
        assert is_paused()
    assert not is_paused()


def test_after_exceptions() -> None:
    with pytest.raises(KeyError), paused(), paused():
        raise KeyError
    assert not is_paused()


def test_stays_off_if_it_was() -> None:
    gc.disable()
    with paused():
        pass
    assert not gc.isenabled()
    gc.enable()
    threshold = gc.get_threshold()
    gc.set_threshold(0)
    with paused():
        pass
    assert gc.get_threshold()[0] == 0
    gc.set_threshold(*threshold)


def test_disabled_meanwhile() -> None:
    """By another thread or a signal handler: it is not enabled behind their back."""
    with paused():
        gc.disable()
    assert not gc.isenabled()
    with paused():
        gc.enable()
    assert gc.isenabled()


def test_threads() -> None:
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with paused():
            inside.set()
            leave.wait(60)

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait(60)
    with paused():
        pass
    assert is_paused()
    leave.set()
    thread.join(60)
    assert not is_paused()


def test_compilation_runs_without_it(wasm, monkeypatch: pytest.MonkeyPatch) -> None:
    builder = wasm()
    builder.func("", "i", wasm.op.i32(1), export="one")
    builder.func("", "i", wasm.op.i32(1), export="two")
    engine = Engine()
    seen: list[bool] = []
    real = type(engine.backend).compile

    def compile(self: object, function: object) -> object:
        seen.append(is_paused())
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
    assert seen == [True, True]
    assert not is_paused()
