"""Several threads: they run at the same time, compile the same function, come and go."""

from __future__ import annotations

import gc
import inspect
import itertools
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import FrameType
from typing import Any

import pytest

import wasmetal
from wasm_core.testing.patience import Effort, wait_until
from wasm_ir.vmcontext import STORE
from wasmetal.store.tables import TableStorage
from wasmetal.system.hold import FREE_THREADED


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
    instance = counting_module(wasm).instantiate()
    store = instance._core.store  # type: ignore[union-attr]
    over = threading.Event()
    calls = 0

    def count() -> None:
        nonlocal calls
        while not over.is_set():
            calls += 1
            with suppress(wasmetal.Trap):
                instance.exports.count(0)  # 2**32 rounds

    thread = threading.Thread(target=count)
    thread.start()
    seen: Counter[int] = Counter()

    def look() -> bool:
        if store.running:
            seen[calls] += 1
        return max(seen.values(), default=0) > 10

    try:
        wait_until(look, "another thread sees ten times that one call runs")
    finally:
        over.set()
        instance.interrupt()
        thread.join()


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
    # (who is stopped in the middle of a call lets the others be refused all the time)
    assert ran >= 1 and ran + refused == 80
    assert exports.count(10) == 0


def calling_module(wasm: Any) -> wasmetal.Module:
    """`run` counts to its parameter; each round stores to memory and calls through the table."""
    op = wasm.op
    b = wasm()
    b.memory(10)
    b.table("r", 4, export="table")
    same = b.func("i", "i", op.get(0), export="same")
    store = op.get(1) + op.i32(0xFFFF) + b"\x71" + op.get(1) + op.I32_STORE
    called = op.get(1) + op.i32(0) + op.call_indirect(0) + b"\x1a"
    count = op.get(1) + op.i32(1) + b"\x6a\x22\x01" + op.get(0) + b"\x49\x0d\x00\x0b" + op.get(1)
    b.func("i", "i", b"\x03\x40" + store + called + count, locals="i", export="run")
    b.elements(op.i32(0), [same])
    return wasmetal.Module(b.build())


class Running:
    """A thread that runs `run` of an instance, for a while."""

    def __init__(self, instance: wasmetal.Instance, rounds: int = 5_000_000) -> None:
        run, self._rounds = instance.exports.run, rounds
        run(1)
        self.results: list[object] = []
        self.thread = threading.Thread(target=lambda: self.results.append(run(rounds)))
        self.thread.start()
        store = instance._core.store  # type: ignore[union-attr]
        while not store.running and self.thread.is_alive():
            time.sleep(0)

    def check(self) -> None:
        self.thread.join()
        assert self.results == [self._rounds]


def test_tables_do_not_move_while_another_thread_runs(wasm: Any) -> None:
    module = calling_module(wasm)
    refused = rounds = 0
    effort = Effort(0)
    # (on a busy machine it may have ended before we get a turn)
    while rounds < 3 or effort.goes_on(refused > 3):
        rounds += 1
        instance = module.instantiate()
        table = instance.exports.table
        # (without a GIL it does not wait for us at its end)
        running = Running(instance, 50_000_000 if FREE_THREADED else 5_000_000)
        while running.thread.is_alive():
            try:
                table.grow(1000)
            except wasmetal.WasmError as error:
                assert "another thread is running" in str(error)
                refused += 1
            table[1] = instance.exports.same  # elements may be set: they stay where they are
        running.check()
        size = len(table)
        assert table.grow(10, instance.exports.same) == size and table[size + 9](5) == 5
    assert refused > 3


def at_each_line(where: Callable[..., Any], work: Callable[[int], None]) -> Callable[..., Any]:
    """A trace function that calls work(number) before the lines of a function."""
    numbers = itertools.count(1)
    where = inspect.unwrap(where)  # without a GIL there is something around it

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        if frame.f_code is not where.__code__:
            return None
        if event == "line":
            work(next(numbers))
        return trace

    return trace


@pytest.mark.parametrize("who", ["thread", "handler"])
def test_a_table_of_python_does_not_move_while_code_runs(wasm: Any, who: str) -> None:
    # It was in no store that anybody could run, so nothing kept others from linking with it and running meanwhile.
    op = wasm.op
    b = wasm()
    b.import_table("m", "table", "r", 4)
    b.func("", "i", b"\x03\x7f" + op.i32(1) + b"\x0c\x00\x0b", export="run")
    module = wasmetal.Module(b.build())
    running = 0
    for line in itertools.count(1):
        table = wasmetal.Table(wasmetal.TableType("funcref", 4, 100_000))
        threads: list[threading.Thread] = []
        instances: list[wasmetal.Instance] = []

        def link() -> None:
            instances.append(module.instantiate({"m": {"table": table}}))  # noqa: B023

        def run() -> None:
            with suppress(wasmetal.WasmError), wasmetal.deadline(0.3):
                if who == "thread":
                    link()
                instances[0].exports.run()  # noqa: B023

        def come(number: int) -> None:
            if number != line:  # noqa: B023
                return
            if who == "handler":
                link()
            threads.append(threading.Thread(target=run))  # noqa: B023
            threads[0].start()  # noqa: B023
            threads[0].join(0.1)  # noqa: B023
            nonlocal running
            running += any(instance._core.store.words[STORE["entry_fp"] // 8] for instance in instances)  # noqa: B023

        sys.settrace(at_each_line(TableStorage.grow, come))
        try:
            assert table.grow(50_000) == 4
        finally:
            sys.settrace(None)
        for thread in threads:
            thread.join()
        if not threads:
            break
    assert line > 5
    assert running == 0


def test_closed_or_dropped_while_another_thread_runs(wasm: Any) -> None:
    module = calling_module(wasm)
    for close in (True, False) * 4:
        instance = module.instantiate()
        running = Running(instance, 1_000_000)
        if close:
            instance.close()
        del instance
        gc.collect()
        others = [module.instantiate() for _ in range(5)]
        running.check()
        assert [other.exports.run(2) for other in others] == [2] * 5


def test_linked_by_other_threads_while_one_runs(wasm: Any) -> None:
    """Instances join a store that runs, and its tables, and go."""
    op = wasm.op
    b = wasm()
    b.import_func("a", "run", "i", "i")
    b.import_table("a", "table", "r", 4)
    add = b.func("i", "i", op.get(0) + op.i32(1) + op.I32_ADD, export="add")
    b.func("i", "i", op.get(0) + op.call(0), export="call")
    b.elements(op.i32(1), [add])
    b.elements(None, [add])
    b.glob("r", op.ref_func(add), mutable=True, export="reference")
    guest = wasmetal.Module(b.build())
    exports = calling_module(wasm).instantiate().exports
    effort = Effort(2)
    done = [0, 0]

    def attempt(call: Callable[[], object], expected: object) -> None:
        try:
            assert call() == expected
        except wasmetal.WasmError as error:
            assert "another thread is running" in str(error)

    def work(number: int) -> None:
        while effort.goes_on(min(done) > 10):
            if number == 0:
                attempt(lambda: exports.run(20_000), 20_000)
                done[0] += 1
                continue
            instance = guest.instantiate({"a": {"run": exports.run, "table": exports.table}})
            exports.table[2] = instance.exports.add
            attempt(lambda: instance.exports.call(5), 5)  # noqa: B023 (called at once)
            attempt(lambda: instance.exports.reference.value(5), 6)  # noqa: B023
            if number == 1:
                instance.close()
            done[1] += 1
            if done[1] % 20 == 0:
                gc.collect()

    together(4, work)
    assert min(done) > 10
    assert exports.run(100) == 100


@pytest.fixture
def often() -> Iterator[None]:
    """Threads take turns all the time."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("often")
def test_stores_merge_in_several_threads(wasm: Any) -> None:
    """Threads link the same instances with each other while others call them: in the end all are one store."""
    op = wasm.op
    b = wasm()
    b.import_table("a", "table", "r", 8)
    b.import_table("b", "table", "r", 8)
    b.func("i", "i", op.get(0) + op.i32(1) + op.I32_ADD, export="add")
    linker = wasmetal.Module(b.build())
    module = calling_module(wasm)
    for _ in range(25):
        members = [module.instantiate() for _ in range(4)]
        tables = [wasmetal.Table(wasmetal.TableType("funcref", 8)), *(member.exports.table for member in members)]
        for table in tables[1:]:
            table.grow(8)
        made: list[wasmetal.Instance] = []

        def work(
            number: int,
            members: list[wasmetal.Instance] = members,
            tables: list[Any] = tables,
            made: list[wasmetal.Instance] = made,
        ) -> None:
            try:
                if number % 2:
                    assert members[number // 2].exports.run(3000) == 3000
                instance = linker.instantiate({"a": {"table": tables[number % 5]}, "b": {"table": tables[number // 2]}})
                tables[(number + 1) % 5][number % 8] = instance.exports.add
                made.append(instance)
            except wasmetal.WasmError as error:
                assert "another thread is running" in str(error) or "both running" in str(error)

        together(8, work)
        # Whatever could not be linked because it ran can be now.
        for table in tables:
            made.append(linker.instantiate({"a": {"table": tables[0]}, "b": {"table": table}}))
        stores = {instance._core.store for instance in (*made, *members)}  # type: ignore[union-attr]
        stores |= {table._storage.store for table in tables}
        assert len(stores) == 1 and not stores.pop().busy
        assert [member.exports.run(50) for member in members] == [50] * 4
        assert {element(1) for table in tables for element in table if element is not None} == {1, 2}


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
    from wasmetal.glue import ticker
    from wasmetal.store.store import stores

    return len(stores), len(ticker._ticker.linked)


def run(program: str) -> None:
    path = [os.path.dirname(__file__), *[entry for entry in sys.path if entry]]
    prelude = (
        f"import sys; sys.path[:0] = {path!r}\nfrom test_threads import *\n"
        "from wasm_core.testing.builder import WasmBuilder\n"
    )
    result = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", prelude + textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_recursion_in_webassembly_needs_no_thread_stack() -> None:
    run("""
        b = WasmBuilder()
        b.func(code=b"\\x10\\x00", export="recurse")
        instance = wasmetal.Module(b.build()).instantiate()

        def work():
            for _ in range(2):
                with pytest.raises(wasmetal.Trap, match="call stack exhausted"):
                    instance.exports.recurse()
        least = 65536 if sys.platform == "win32" else os.sysconf("SC_THREAD_STACK_MIN")  # of AArch64, for one, 131072
        for size in (max(131072, least), max(65536, least), 0):
            threading.stack_size(size)
            together(2 if size else 1, lambda number: work() if number == 0 else None)
    """)
