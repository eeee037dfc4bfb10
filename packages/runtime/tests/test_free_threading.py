"""Builds of Python without a GIL; and with one, that nothing is in the way."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
from typing import Any

import pytest

import wasmetal
from wasm_core.testing.patience import PATIENCE, Effort
from wasmetal.cpython import layouts
from wasmetal.glue import ticker
from wasmetal.glue.ticker_layout import BRIEFLY, BUSY
from wasmetal.store.functions import WasmFunction
from wasmetal.system import hold
from wasmetal.system.hold import FREE_THREADED, exclusive, released, serialized, unserialized

without_gil = pytest.mark.skipif(not FREE_THREADED, reason="this Python has a GIL")


def adding(wasm: Any) -> wasmetal.Module:
    op = wasm.op
    b = wasm()
    b.import_func("m", "host", "i", "i")
    b.func("ii", "i", op.get(0) + op.get(1) + op.I32_ADD, export="add")
    b.func("i", "i", op.get(0) + b"\x10\x00", export="host")
    b.func("i", "i", b"\x03\x40" + op.get(0) + op.i32(1) + b"\x6b\x22\x00\x0d\x00\x0b" + op.get(0), export="count")
    return wasmetal.Module(b.build())


def in_thread(work: Any) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.skipif(FREE_THREADED, reason="this Python has none")
def test_with_a_gil_nothing_is_wrapped() -> None:
    def function() -> None: ...

    assert serialized(function) is function is unserialized(function)
    assert released() is hold.NOTHING
    assert not hasattr(WasmFunction.call, "__wrapped__")


@without_gil
def test_the_gil_stays_off(wasm: Any) -> None:
    exports = adding(wasm).instantiate({"m": {"host": lambda x: x + 1}}).exports
    assert exports.add(2, 3) == 5 and exports.host(6) == 7
    assert not sys._is_gil_enabled()  # type: ignore[attr-defined]


@without_gil
def test_objects_look_as_expected() -> None:
    assert layouts.HEAD == 32
    assert layouts.INT_LAYOUT == layouts.INT_LV_TAG
    assert layouts.FLOAT_VALUE == 32


@without_gil
def test_what_is_serialized_is_run_by_one_thread() -> None:
    inside = most = 0

    class Work:
        value = property(lambda self: self.work())

        def work(self, depth: int = 2) -> None:
            nonlocal inside, most
            if depth:
                return self.work(depth - 1)
            inside += 1
            most = max(most, inside)
            time.sleep(0.001)
            inside -= 1

        @classmethod
        def of_class(cls) -> None:
            cls().work()

    serialized(Work)

    def run() -> None:
        for _ in range(5):
            Work().work()
            Work.of_class()
            Work().value  # noqa: B018

    for thread in [in_thread(run) for _ in range(4)]:
        thread.join()
    assert most == 1


@without_gil
def test_released_gives_up_all_of_it_and_takes_it_back() -> None:
    entered = threading.Event()

    def other() -> None:
        with exclusive():
            entered.set()

    @serialized
    def work(depth: int) -> None:
        if depth:
            return work(depth - 1)
        threads = [in_thread(other)]
        assert not entered.wait(0.05)
        with released():
            assert entered.wait(PATIENCE)
        entered.clear()
        threads.append(in_thread(other))
        assert not entered.wait(0.05)
        with exclusive(), released():
            assert not entered.wait(0.05)
        waiting.extend(threads)

    waiting: list[threading.Thread] = []
    work(2)
    for thread in waiting:
        thread.join()
    with released():  # without having it
        pass

    @serialized
    def fail() -> None:
        with exclusive():
            pass
        with released():
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not hold._lock._is_owned() and not hold._inner._is_owned()  # type: ignore[attr-defined]


@without_gil
def test_who_has_a_store_briefly_is_waited_for(wasm: Any) -> None:
    instance = adding(wasm).instantiate({"m": {"host": lambda x: x}})
    exports = instance.exports
    assert exports.add(1, 2) == 3
    store = instance._core.store  # type: ignore[union-attr]
    results: list[object] = []

    def call() -> None:
        try:
            results.append(exports.add(2, 3))
        except wasmetal.WasmError as error:
            results.append(str(error))

    with exclusive(), store.take(briefly=True):
        assert store.owner == ticker.thread_state() | BRIEFLY
        # A finalizer, perhaps.
        assert exports.add(20, 3) == 23
        thread = in_thread(call)
        time.sleep(0.05)
        assert not results
    thread.join()
    with store.take():
        in_thread(call).join()
    assert results == [5, BUSY]
    assert store.owner == 0


@without_gil
def test_a_store_that_another_thread_has_just_linked(wasm: Any) -> None:
    """Each round links the store of an instance that another thread calls all the time."""
    module = adding(wasm)
    instance = module.instantiate({"m": {"host": lambda x: x}})
    add = instance.exports.add
    stop = threading.Event()
    calls = 0

    def call() -> None:
        nonlocal calls
        while not stop.is_set():
            assert add(calls, 1) == calls + 1
            calls += 1

    thread = in_thread(call)
    effort = Effort(0)
    number = 0
    while number < 200 or effort.goes_on(calls > 100):
        number += 1
        other = module.instantiate({"m": {"host": lambda x: x + 1}})
        other.exports.host(number)
        try:
            linked = module.instantiate({"m": {"host": instance.exports.host}})
        except wasmetal.LinkError as error:
            assert "both running" in str(error)
        else:
            assert linked._core.store is instance._core.store  # type: ignore[union-attr]
    stop.set()
    thread.join()
    assert calls > 100


def test_a_function_is_called_while_another_thread_closes_its_instance(wasm: Any) -> None:
    module = adding(wasm)
    for _ in range(50):
        instance = module.instantiate({"m": {"host": lambda x: x}})
        add = instance.exports.add
        assert add(1, 1) == 2
        begun = threading.Event()

        def call(add: Any = add, begun: threading.Event = begun) -> None:
            begun.set()
            with pytest.raises(wasmetal.WasmError, match="closed"):
                while True:
                    assert add(3, 4) == 7

        threads = [in_thread(call)]
        begun.wait()
        instance.close()
        threads[0].join()


def test_the_end_of_a_program_whose_threads_go_on() -> None:
    """Daemon threads stop wherever they are, and what is theirs stays taken."""
    program = """
        import threading, time, wasmetal
        module = wasmetal.Module('(module (memory 1) (table 1 funcref) (func (export "f") (result i32) i32.const 1))')
        kept = []

        def work():
            while True:
                with module.instantiate() as instance:
                    assert instance.exports.f() == 1
                    kept[:] = [instance.exports, module.instantiate()]

        for _ in range(3):
            threading.Thread(target=work, daemon=True).start()
        time.sleep(0.2)
        print("end")
    """
    path = [entry for entry in sys.path if entry]
    script = f"import sys; sys.path[:0] = {path!r}\n{textwrap.dedent(program)}"
    for _ in range(2):
        command = [sys.executable, "-X", "faulthandler", "-c", script]
        result = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert (result.returncode, result.stdout) == (0, "end\n"), result.stderr


def test_an_interruption_is_not_for_the_next_call(wasm: Any) -> None:
    """Asked for at any moment: around the end of a call above all."""
    instance = adding(wasm).instantiate({"m": {"host": lambda x: x}})
    count = instance.exports.count
    stop = threading.Event()
    interrupted = 0

    def interrupt() -> None:
        while not stop.is_set():
            instance.interrupt()

    thread = in_thread(interrupt)
    for _ in range(300):
        try:
            count(1000)
        except wasmetal.Trap as trap:
            assert trap.code is wasmetal.TrapCode.INTERRUPTED
            interrupted += 1
    stop.set()
    thread.join()
    assert count(100_000) == 0
