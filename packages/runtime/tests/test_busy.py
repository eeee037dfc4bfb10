"""What a call does while another thread runs code of the same store."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import wasmetal
from wasmetal import Config, Engine


def module(wasm, busy: str) -> wasmetal.Module:
    builder = wasm()
    op = wasm.op
    builder.import_func("env", "block", "", "")
    builder.glob("i", op.i32(0), mutable=True, export="count")
    builder.func("", "", op.call(0), export="run")
    builder.func(
        "", "i", op.global_get(0) + op.i32(1) + op.I32_ADD + op.global_set(0) + op.global_get(0), export="next"
    )
    builder.func("e", "e", op.get(0), export="same")
    return Engine(Config(busy=busy)).compile(builder.build())


@contextmanager
def running(wasm, busy: str) -> Iterator[tuple[wasmetal.Instance, threading.Event]]:
    """An instance that another thread runs until the event is set."""
    inside, done = threading.Event(), threading.Event()

    def block() -> None:
        inside.set()
        done.wait(30)

    instance = module(wasm, busy).instantiate({"env": {"block": block}})
    thread = threading.Thread(target=instance.exports.run)
    thread.start()
    try:
        assert inside.wait(30)
        yield instance, done
    finally:
        done.set()
        thread.join(30)
    assert not thread.is_alive()


def test_raise(wasm) -> None:
    with running(wasm, "raise") as (instance, _), pytest.raises(wasmetal.WasmError, match="another thread"):
        instance.exports.next()


@pytest.mark.parametrize("how", ["next", "raw", "same"])
def test_wait(wasm, how: str) -> None:
    with running(wasm, "wait") as (instance, done):
        exports = instance.exports
        call = {"next": exports.next, "raw": exports.next.call_raw, "same": lambda: exports.same("x")}[how]
        timer = threading.Timer(0.2, done.set)
        before = time.monotonic()
        timer.start()
        assert call() == {"next": 1, "raw": (1,), "same": "x"}[how]
        assert time.monotonic() - before > 0.15
        # Nothing is left taken.
        assert exports.next() > 0
        timer.join()


def test_deadlines_end_the_wait(wasm) -> None:
    with running(wasm, "wait") as (instance, done):
        with pytest.raises(wasmetal.DeadlineExceeded), wasmetal.deadline(0.1):
            instance.exports.next()
        done.set()
        assert instance.exports.next() == 1


def test_closing_ends_the_wait(wasm) -> None:
    with running(wasm, "wait") as (instance, _):
        call = instance.exports.next
        threading.Timer(0.1, instance.close).start()
        with pytest.raises(wasmetal.WasmError, match="closed"):
            call()


def test_threads_take_turns(wasm) -> None:
    """No call is lost, and none runs twice."""
    instance = module(wasm, "wait").instantiate({"env": {"block": lambda: None}})
    seen: list[int] = []

    def work() -> None:
        for _ in range(200):
            seen.append(instance.exports.next())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(seen) == list(range(1, 801))


def test_choices() -> None:
    with pytest.raises(ValueError, match="busy must be one of 'raise', 'wait', not 'never'"):
        Config(busy="never")
