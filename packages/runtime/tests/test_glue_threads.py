"""Thunks between Python and WebAssembly code in several threads, and after a fork."""

from __future__ import annotations

import os
import threading
import time
from array import array

import pytest
from glue_machine import (
    GlueMachine,
    Slow,
    Thread,
    add,
    function_type,
    spin,
    unreachable,
)
from systems import posix

from wasm_core.errors import Trap, WasmError
from wasm_core.testing.patience import PATIENCE, Effort
from wasm_ir import opcodes
from wasm_ir.types import F32, F64


def test_another_thread_may_not_enter() -> None:
    machine = GlueMachine()
    inside, leave = threading.Event(), threading.Event()

    def host() -> None:
        inside.set()
        assert leave.wait(30)

    waiting = machine.forward("->", machine.host("->", host))
    func = machine.wasm("i32 i32 -> i32", add)
    slots = array("Q", [1, 2])
    thread = Thread(target=waiting)
    thread.start()
    try:
        assert inside.wait(30)
        with pytest.raises(Slow):
            func(1, 2)
        with pytest.raises(WasmError, match="thread"):
            machine.glue.raw(function_type("i32 i32 -> i32"))(
                func._funcref, machine.context_address, slots.buffer_info()[0]
            )
    finally:
        leave.set()
        thread.join()
    assert func(1, 2) == 3
    assert machine.at_rest()


def test_the_gil_is_released_while_code_runs() -> None:
    machine = GlueMachine()
    func = machine.wasm("i64 -> i64", spin)
    rounds = 0
    effort = Effort(0)
    # (a machine that stands still for us may let that thread come to its end)
    while effort.goes_on(rounds == 20):
        running = threading.Event()
        done: list[int] = []

        def run(running: threading.Event = running, done: list[int] = done) -> None:
            running.set()
            done.append(func(1_000_000_000))

        thread = Thread(target=run)
        thread.start()
        assert running.wait(PATIENCE)
        time.sleep(0.05)
        rounds = 0
        while not done and rounds < 20:
            rounds += 1
            time.sleep(0.001)
        thread.join()
        assert done == [1_000_000_000]
    assert rounds == 20


def test_threads_with_their_own_stores() -> None:
    results: dict[int, list[int]] = {}

    def run(key: int) -> None:
        machine = GlueMachine()
        func = machine.forward("i32 -> i32", machine.host("i32 -> i32", lambda x: x + key))
        trap = machine.wasm("->", unreachable)
        mine = results.setdefault(key, [])
        for number in range(300):
            mine.append(func(number))
            with pytest.raises(Trap):
                trap()

    threads = [Thread(target=run, args=(key,)) for key in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {key: [number + key for number in range(300)] for key in range(4)}


@posix
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
def test_fork_inside_a_host_call() -> None:
    machine = GlueMachine()

    def host() -> int:
        pid = os.fork()
        if pid == 0:
            return 42
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    func = machine.forward("-> i32", machine.host("-> i32", host))
    parent = os.getpid()
    try:
        result = func()
        if os.getpid() != parent:
            late = machine.wasm("i32 i32 -> i32", add)  # code written by the child
            os._exit(late(result, 1))
    finally:
        if os.getpid() != parent:
            os._exit(99)
    assert result == 43
    assert machine.wasm("f32 -> f32", lambda b, p: b.ret([b.binary(opcodes.FADD, F32, p[0], p[0])]))(1.5) == 3.0
    assert machine.wasm("f64 -> f64", lambda b, p: b.ret([b.binary(opcodes.FADD, F64, p[0], p[0])]))(1.5) == 3.0
