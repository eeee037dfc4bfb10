"""Several threads: they run at the same time, compile the same function, come and go."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import wasmetal


def counting_module(wasm: Any) -> wasmetal.Module:
    op = wasm.op
    b = wasm()
    b.memory(1)
    b.func("i", "i", b"\x03\x40" + op.get(0) + op.i32(1) + b"\x6b\x22\x00\x0d\x00\x0b" + op.get(0), export="count")
    b.func("i", "i", op.get(0) + op.I32_LOAD, export="load")
    for number in range(50):
        b.func("i", "i", op.get(0) + op.i32(number) + op.I32_ADD, export=f"add{number}")
    return wasmetal.Module(b.build())


def together(count: int, work: Callable[[int], None]) -> None:
    """Run work(number) on threads that start at the same time; raises what any of them raised."""
    barrier = threading.Barrier(count)
    raised: list[BaseException] = []

    def run(number: int) -> None:
        try:
            barrier.wait()
            work(number)
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]


def test_other_threads_run_meanwhile(wasm: Any) -> None:
    exports = counting_module(wasm).instantiate().exports
    ticks = 0
    finished = threading.Event()

    def count() -> None:
        try:
            with wasmetal.deadline(0.2):
                exports.count(0)  # 2**32 rounds
        except wasmetal.DeadlineExceeded:
            pass
        finished.set()

    thread = threading.Thread(target=count)
    thread.start()
    while not finished.is_set():
        ticks += 1
        time.sleep(0.001)
    thread.join()
    assert ticks > 10


def test_two_threads_compile_one_function(wasm: Any) -> None:
    for _ in range(5):
        module = counting_module(wasm)
        instances = [module.instantiate() for _ in range(4)]

        def call(number: int, instances: list[wasmetal.Instance] = instances) -> None:
            exports = instances[number].exports
            for function in range(50):
                assert exports[f"add{function}"](number) == number + function

        together(4, call)
        module.engine.delete_compiled_module(module)


def test_a_running_store_refuses_other_threads(wasm: Any) -> None:
    exports = counting_module(wasm).instantiate().exports
    refused = ran = 0
    lock = threading.Lock()

    def call(number: int) -> None:
        nonlocal refused, ran
        for _ in range(20):
            try:
                assert exports.count(100_000) == 0
                with lock:
                    ran += 1
            except wasmetal.WasmError as error:
                assert "another thread is running" in str(error)
                with lock:
                    refused += 1

    together(4, call)
    assert ran >= 20 and ran + refused == 80
    assert exports.count(10) == 0


def test_threads_come_and_go(wasm: Any) -> None:
    """Instantiate, call, trap, drop: what is there afterwards is what was there before."""
    module = counting_module(wasm)

    def work(number: int) -> None:
        for turn in range(8):
            instance = module.instantiate()
            assert instance.exports.count(1000) == 0
            with pytest.raises(wasmetal.Trap, match="out of bounds"):
                instance.exports.load(-1)
            if turn % 4 == 0:
                with pytest.raises(wasmetal.DeadlineExceeded), wasmetal.deadline(0):
                    instance.exports.count(0)
            if turn % 2:
                instance.close()

    together(4, work)
    gc.collect()
    before = _alive()
    together(12, work)
    gc.collect()
    assert _alive() == before


def _alive() -> tuple[int, int]:
    from wasmetal import references, ticker

    return len(references.instances), len(ticker._ticker.linked)


def run(program: str) -> None:
    path = [os.path.dirname(__file__), *[entry for entry in sys.path if entry]]
    prelude = f"import sys; sys.path[:0] = {path!r}\nfrom test_threads import *\nfrom conftest import WasmBuilder\n"
    result = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", prelude + textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_small_thread_stacks() -> None:
    run("""
        # Recursion in WebAssembly does not use the thread's stack; recursion through the host does, but ends.
        b = WasmBuilder()
        b.import_func("m", "f")
        b.func(code=b"\\x10\\x00", export="through_host")
        b.func(code=b"\\x10\\x02", export="alone")
        depth = 0
        def host():
            global depth
            depth += 1
            instance.exports.through_host()
        instance = wasmetal.Module(b.build()).instantiate({"m": {"f": host}})

        def work():
            for _ in range(2):
                with pytest.raises(wasmetal.Trap, match="call stack exhausted"):
                    instance.exports.alone()
        for size in (131072, 65536, 0):
            threading.stack_size(size)
            together(2 if size else 1, lambda number: work() if number == 0 else None)
        # Python's default limit, 1000, is enough of one for half a megabyte.
        def deep():
            with pytest.raises(RecursionError):
                instance.exports.through_host()
        threading.stack_size(1 << 19)
        together(1, lambda number: deep())
        assert 400 < depth < 1000
        depth = 0
        threading.stack_size(0)
        sys.setrecursionlimit(200)
        def nested():
            with pytest.raises(RecursionError):
                instance.exports.through_host()
        together(1, lambda number: nested())
        assert depth > 50
        depth = 0
        threading.stack_size(1 << 20)
        together(1, lambda number: nested())
        assert depth > 50
    """)
