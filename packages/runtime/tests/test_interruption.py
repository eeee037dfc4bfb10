"""Ending calls: deadlines, interruption by other threads, signals; in loops, in recursion, and in waits."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from systems import posix, windows  # noqa: F401 (programs below use it)

import wasmetal
from wasm_core.testing.patience import PATIENCE, Effort, wait_until
from wasmetal import Trap, TrapCode, interruption
from wasmetal.store.interruption import _thread, _waiting
from wasmetal.system.host import host

#: Seconds of the processor that what is to end may still take: on a busy machine the ticker may get no turn for some.
#: How soon it ends on others is measured in tests/test_latency.py.
LATE = 10.0


@contextlib.contextmanager
def soon() -> Iterator[None]:
    """What is done inside is ended by others: it neither works nor waits until it would end by itself."""
    started, used = time.monotonic(), time.thread_time()
    yield
    assert time.thread_time() - used < LATE
    assert time.monotonic() - started < PATIENCE


def endless_module(wasm: Any) -> wasmetal.Module:
    op = wasm.op
    b = wasm()
    b.import_func("m", "host", "i", "i")
    b.func(code=b"\x03\x40\x0c\x00\x0b", export="loop")
    # Fibonacci numbers the slow way: always deep in recursion, no loop.
    less = op.get(0) + op.i32(2) + b"\x48"
    recur = b"".join(op.get(0) + op.i32(n) + b"\x6b\x10\x02" for n in (1, 2))
    b.func("i", "i", less + b"\x04\x7f" + op.get(0) + b"\x05" + recur + op.I32_ADD + b"\x0b", export="fib")
    # Calls the host for ever; a function of its own.
    b.func("i", "", b"\x03\x40" + op.get(0) + b"\x10\x00\x21\x00\x0c\x00\x0b", export="hosts")
    # Many values are alive in the loop, of all types: r = sum of all, until the first is 0.
    many = "iIfFiIfFiIfFiIfFiIfF"
    kept = b"".join(op.get(n) + {"i": b"\xac", "I": b"", "f": b"\xae", "F": b"\xb0"}[t] for n, t in enumerate(many))
    body = b"\x03\x40" + op.get(0) + op.i32(1) + b"\x6b\x22\x00\x0d\x00\x0b" + kept + b"\x7c" * (len(many) - 1)
    b.func(many, "I", body, export="count")
    b.func("", "i", op.i32(7), export="seven")
    return wasmetal.Module(b.build())


def make(wasm: Any, host: Callable[[int], int] = lambda n: n, **settings: Any) -> wasmetal.Instance:
    source = endless_module(wasm).source
    return wasmetal.Engine(wasmetal.Config(**settings)).compile(source).instantiate({"m": {"host": host}})


CALLS: dict[str, Callable[[Any], object]] = {
    "loop": lambda exports: exports.loop(),
    "recursion": lambda exports: exports.fib(60),
    "hosts": lambda exports: exports.hosts(1),
    "raw": lambda exports: exports.fib.call_raw(60),
}


@pytest.mark.parametrize("hold_gil", [False, True])
@pytest.mark.parametrize("name", CALLS)
def test_deadline(wasm: Any, name: str, hold_gil: bool) -> None:
    instance = make(wasm, hold_gil=hold_gil)
    start = time.monotonic()
    for _ in range(2):
        with (
            soon(),
            pytest.raises(wasmetal.DeadlineExceeded, match="deadline exceeded") as caught,
            wasmetal.deadline(0.05),
        ):
            CALLS[name](instance.exports)
        assert caught.value.code is TrapCode.INTERRUPTED
        assert caught.value.frames and isinstance(caught.value, Trap)
        assert instance.exports.seven() == 7 and instance.exports.fib(10) == 55
    assert time.monotonic() - start >= 0.1
    assert interruption.remaining() is None


def test_deadline_between_bulk_instructions(wasm: Any) -> None:
    """Straight code without calls, of steps each of which may take a second: a deadline ends it behind one of them."""
    pages = 1600
    b = wasm()
    b.memory(pages)
    b.func(code=(wasm.op.i32(0) * 2 + wasm.op.i32(pages << 16) + b"\xfc\x0b\x00") * 400, export="fill")
    fill = wasmetal.Module(b.build()).instantiate({}).exports.fill
    with soon(), pytest.raises(wasmetal.DeadlineExceeded) as caught, wasmetal.deadline(0.05):
        fill()
    assert caught.value.frames[0].function_index == 0


def sparing_module(wasm: Any) -> bytes:
    """Endless loops that have no poll at their start, or a bounded one without polls inside; and one that ends."""
    op = wasm.op
    b = wasm()
    b.memory(1)

    def add(index: int, number: int) -> bytes:
        return op.get(index) + op.i32(number) + op.I32_ADD

    def times(index: int, rounds: bytes, *code: bytes) -> bytes:
        """A loop of so many rounds (at least one), which counts in a local."""
        step = add(index, 1) + b"\x22" + bytes([index])
        return op.i32(0) + b"\x21" + bytes([index]) + b"\x03\x40" + b"".join(code) + step + rounds + b"\x48\x0d\x00\x0b"

    def forever(*code: bytes) -> bytes:
        return b"\x03\x40" + b"".join(code) + b"\x0c\x00\x0b"

    # The poll is the inner loop's, which has one round.
    b.func("i", "", forever(times(1, op.get(0))), locals="ii", export="inner")
    # In front of the second of two inner loops: both together run too long without.
    long = times(1, op.i32(60_000))
    b.func("i", "", forever(long, long), locals="ii", export="in front")
    # Calls itself, and returns at once.
    b.func(
        "i", "", op.get(0) + b"\x45\x04\x40\x0f\x0b" + forever(op.i32(0) + b"\x10\x02"), locals="ii", export="itself"
    )
    # memory.fill
    b.func("i", "", forever(op.i32(0) * 2 + op.get(0) + b"\xfc\x0b\x00"), locals="ii", export="fill")
    # Unrolled: one of the copies polls. And tested at the start, with the poll behind that.
    b.func("i", "", b"\x03\x40" + add(1, 3) + b"\x21\x01" + op.get(0) + b"\x0d\x00\x0b", locals="ii", export="unrolled")
    first = b"\x02\x40\x03\x40" + op.get(0) + b"\x45\x0d\x01" + add(1, 3) + b"\x21\x01\x0c\x00\x0b\x0b"
    b.func("i", "", first, locals="ii", export="tested first")
    # acc = 31 * acc + j + 1, in memory; the loop around relies on the loop inside.
    sum = op.i32(8) + op.i32(8) + b"\x28\x02\x00" + op.i32(31) + b"\x6c" + add(2, 1) + b"\x6a\x36\x02\x00"
    start = op.i32(8) + op.i32(0) + b"\x36\x02\x00"
    b.func(
        "i",
        "i",
        start + times(1, op.get(0), times(2, op.get(0), sum)) + op.i32(8) + b"\x28\x02\x00",
        locals="ii",
        export="sum",
    )
    data: bytes = b.build()
    return data


def sparing(wasm: Any, **settings: Any) -> wasmetal.Instance:
    return wasmetal.Engine(wasmetal.Config(**settings)).compile(sparing_module(wasm)).instantiate({})


@pytest.mark.parametrize("name", ["inner", "in front", "itself", "fill", "unrolled", "tested first"])
def test_loops_that_rely_on_other_polls(wasm: Any, name: str) -> None:
    instance = sparing(wasm)
    with soon(), pytest.raises(wasmetal.DeadlineExceeded) as caught, wasmetal.deadline(0.05):
        instance.exports[name](1)
    assert caught.value.frames


@pytest.mark.parametrize("bounds_checks", ["auto", "explicit"])
def test_interrupted_again_and_again(wasm: Any, bounds_checks: str) -> None:
    """Several stores in threads of their own, interrupted at any moment: what is not ended gives the right result."""
    rounds = 700
    expected = 0
    for number in range(1, rounds + 1):
        expected = (expected * 31 + number) % 2**32
    # (what one run of the inner loop makes of 0; of others the same with a power of 31 more)
    power = pow(31, rounds, 2**32)
    total = 0
    for _ in range(rounds):
        total = (total * power + expected) % 2**32
    instances = [sparing(wasm, bounds_checks=bounds_checks) for _ in range(3)]
    counts = {"ended": 0, "finished": 0, "wrong": 0}
    over = threading.Event()

    def run(instance: wasmetal.Instance) -> None:
        while not over.is_set():
            try:
                result = instance.exports.sum(rounds)
            except Trap as trap:
                counts["ended" if trap.code is TrapCode.INTERRUPTED and trap.frames else "wrong"] += 1
            else:
                counts["finished" if result % 2**32 == total else "wrong"] += 1

    threads = [threading.Thread(target=run, args=(instance,)) for instance in instances]
    for thread in threads:
        thread.start()
    effort = Effort(0)
    turn = 0
    while effort.goes_on(counts["wrong"] or (counts["ended"] >= 50 and counts["finished"] >= 50)):
        turn += 1
        time.sleep(turn % 7 * 0.0005)
        # (where those who run get few turns nothing would ever finish)
        if counts["ended"] < counts["finished"] + 20:
            instances[turn % 3].interrupt()
    over.set()
    for thread in threads:
        thread.join()
    assert not counts["wrong"]
    assert counts["ended"] >= 50 and counts["finished"] >= 50


def test_registers_survive_polls(wasm: Any) -> None:
    """The ticker of the main thread makes code call out all the time; nothing in it changes."""
    exports = make(wasm).exports
    arguments = [number + 1 for number in range(20)]
    arguments[0] = 200_000_000
    start = time.monotonic()
    with wasmetal.deadline(1e9):
        assert exports.count(*arguments) == sum(arguments[1:])
        assert exports.fib(27) == 196418
    assert time.monotonic() - start > 0.05, "too fast to have been disturbed"


def test_deadlines_nest(wasm: Any) -> None:
    exports = make(wasm).exports
    with wasmetal.deadline(1000):
        assert 990 < (interruption.remaining() or 0) <= 1000
        with wasmetal.deadline(2000):
            assert (interruption.remaining() or 0) <= 1000
            with wasmetal.deadline(0.05):
                with pytest.raises(wasmetal.DeadlineExceeded):
                    exports.loop()
                assert interruption.remaining() == 0
                with pytest.raises(wasmetal.DeadlineExceeded):
                    exports.fib(60)
        assert exports.fib(20) == 6765
        assert (interruption.remaining() or 0) > 900
    with wasmetal.deadline(float("inf")):
        assert exports.seven() == 7
    for wrong in (-1, float("nan")):
        with pytest.raises(ValueError, match="deadline"):
            wasmetal.deadline(wrong)


def test_a_deadline_is_its_threads_own(wasm: Any) -> None:
    exports = make(wasm).exports
    seen: list[object] = []

    def other() -> None:
        seen.append(interruption.remaining())
        with wasmetal.deadline(0.3):
            try:
                exports.loop()
            except wasmetal.DeadlineExceeded as error:
                seen.append(error.code)

    with wasmetal.deadline(0):
        thread = threading.Thread(target=other)
        start = time.monotonic()
        thread.start()
        thread.join()
    assert seen == [None, TrapCode.INTERRUPTED]
    assert time.monotonic() - start >= 0.3


def test_a_deadline_reaches_through_host_functions(wasm: Any) -> None:
    inner = make(wasm)
    outer = make(wasm, lambda n: inner.exports.loop() or n)
    notes: list[str] = []
    effort = Effort(0)
    # (on a busy machine the deadline may pass before the inner one is called)
    while effort.goes_on(len(notes) == 2):
        with pytest.raises(wasmetal.DeadlineExceeded) as caught, wasmetal.deadline(0.05):
            outer.exports.hosts(1)
        notes = caught.value.__notes__
    inner_frames, outer_frames = notes
    assert "loop" in inner_frames
    assert "hosts" in outer_frames
    assert inner.exports.seven() == outer.exports.seven() == 7


def interrupt_when_running(instance: wasmetal.Instance, done: list[object]) -> threading.Thread:
    def work() -> None:
        wait_until(lambda: instance._core.store.running, "the instance runs")  # type: ignore[union-attr]
        time.sleep(0.02)
        instance.interrupt()
        done.append("asked")

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.parametrize("name", CALLS)
def test_interrupt(wasm: Any, name: str) -> None:
    instance = make(wasm)
    for _ in range(3):
        done: list[object] = []
        thread = interrupt_when_running(instance, done)
        with pytest.raises(Trap, match=r"^interrupted\b") as caught:
            CALLS[name](instance.exports)
        thread.join()
        assert done == ["asked"] and caught.value.code is TrapCode.INTERRUPTED
        assert caught.value.frames
        assert instance.exports.seven() == 7


def test_interrupting_what_does_not_run(wasm: Any) -> None:
    instance = make(wasm)
    instance.interrupt()
    assert instance.exports.fib(20) == 6765
    instance.close()
    with pytest.raises(wasmetal.WasmError, match="closed"):
        instance.interrupt()


def test_an_interruption_that_comes_too_late_hits_nobody(wasm: Any) -> None:
    b = wasm()
    b.import_func("m", "host")
    b.func(code=b"\x10\x00", export="once")
    b.func(code=b"\x03\x40\x0b", export="other")
    instance = wasmetal.Module(b.build()).instantiate({"m": {"host": lambda: instance.interrupt()}})
    for _ in range(3):
        instance.exports.once()  # no poll after the host function
        instance.exports.other()


def test_interrupted_while_a_host_function_waits(wasm: Any) -> None:
    # (on Windows pipes cannot be waited for)
    ends = socket.socketpair()
    reader = ends[0].fileno()
    readable = 1  # select.POLLIN

    def wait(number: int) -> int:
        poller = host.poller()
        poller.register(reader, readable)
        assert interruption.poll(poller, 10 * PATIENCE) == [(reader, readable)]
        ends[0].recv(1)
        return number

    try:
        instance = make(wasm, wait)
        done: list[object] = []
        thread = interrupt_when_running(instance, done)
        with soon(), pytest.raises(Trap, match=r"^interrupted\b"):
            instance.exports.hosts(1)
        thread.join()
        ends[1].send(b"12")  # twice something to read, then nothing
        with soon(), pytest.raises(wasmetal.DeadlineExceeded), wasmetal.deadline(0.05):
            instance.exports.hosts(1)
        assert not _waiting
        with wasmetal.deadline(1000):
            assert interruption.poll(host.poller(), 0.001) == []
    finally:
        for end in ends:
            end.close()


def test_host_functions_that_check(wasm: Any) -> None:
    def busy(number: int) -> int:
        while True:
            interruption.check()

    instance = make(wasm, busy)
    with pytest.raises(wasmetal.DeadlineExceeded), wasmetal.deadline(0.05):
        instance.exports.hosts(1)
    done: list[object] = []
    thread = interrupt_when_running(instance, done)
    with pytest.raises(Trap, match=r"^interrupted\b"):
        instance.exports.hosts(1)
    thread.join()


def test_recursion_without_end_is_a_trap_still(wasm: Any) -> None:
    b = wasm()
    b.func(code=b"\x10\x00", export="down")
    # A frame of more than a page.
    b.func("i", "i", wasm.op.get(0) + b"\x10\x01" + wasm.op.get(0) + wasm.op.I32_ADD, locals="I" * 1000, export="wide")
    with wasmetal.deadline(1000):
        instance = wasmetal.Module(b.build()).instantiate()
        for call in (instance.exports.down, lambda: instance.exports.wide(1)):
            with pytest.raises(Trap, match="call stack exhausted"):
                call()


def test_instances_that_are_linked(wasm: Any) -> None:
    """Functions of two instances take turns; either may be interrupted, also after their stores became one."""
    b = wasm()
    b.import_func("m", "again", "i", "i")
    b.func("i", "i", wasm.op.get(0) + b"\x10\x00", export="f")
    first = make(wasm)
    linked = wasmetal.Module(b.build()).instantiate({"m": {"again": first.exports.fib}})
    for instance in (first, linked):
        thread = interrupt_when_running(instance, [])
        with pytest.raises(Trap, match=r"^interrupted\b"):
            linked.exports.f(60)
        thread.join()
    with pytest.raises(wasmetal.DeadlineExceeded), wasmetal.deadline(0.05):
        linked.exports.f(60)
    assert linked.exports.f(10) == 55


PRELUDE = """
import os, signal, subprocess, sys, threading, time
import pytest
from test_interruption import *
from wasm_core.testing.builder import WasmBuilder
from wasmetal.glue import ticker

timers = []

# To be entered last: the signal may come as soon as it is.
def send(number, after=0.1):
    if sys.platform == "win32":
        # As the console does: in another thread, which has no GIL.
        import contextlib, ctypes
        timers.append(ctypes.c_void_p())
        once = 8  # WT_EXECUTEONLYONCE
        assert ctypes.windll.kernel32.CreateTimerQueueTimer(
            ctypes.byref(timers[-1]), None, ctypes.cdll.ucrtbase["raise"], number, int(after * 1000), 0, once
        )
        return contextlib.nullcontext()
    # From another process, which needs no GIL of ours.
    program = f"import os, time; time.sleep({after}); os.kill({os.getpid()}, {int(number)})"
    return subprocess.Popen([sys.executable, "-SEc", program])
"""


def run(program: str) -> str:
    here = os.path.dirname(__file__)
    path = [here, *[entry for entry in sys.path if entry]]
    result = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", f"import sys; sys.path[:0] = {path!r}\n{PRELUDE}\n"
         + textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_ctrl_c() -> None:
    run("""
        for hold_gil in (False, True):
            instance = make(WasmBuilder, hold_gil=hold_gil)
            for name in ("loop", "recursion", "hosts"):
                noted = False  # (a signal that comes before the call has no frames to note)
                effort = Effort(0)
                while effort.goes_on(noted):
                    with pytest.raises(KeyboardInterrupt) as caught, send(signal.SIGINT):
                        CALLS[name](instance.exports)
                    noted = "WebAssembly backtrace" in str(getattr(caught.value, "__notes__", ""))
                    assert instance.exports.seven() == 7
                assert noted, name
    """)


@posix
def test_other_signals_run_their_handlers() -> None:
    run("""
        instance = make(WasmBuilder)
        exports, store = instance.exports, instance._core.store
        seen = []
        signal.signal(signal.SIGALRM, lambda *args: seen.append(time.monotonic()))
        with pytest.raises(wasmetal.DeadlineExceeded), wasmetal.deadline(0.01):
            exports.loop()  # compiled before times matter
        effort = Effort(0)
        while effort.goes_on(len(seen) >= 3):
            del seen[:]
            start = time.monotonic()
            signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)
            with pytest.raises(wasmetal.DeadlineExceeded), wasmetal.deadline(0.5):
                exports.loop()
            signal.setitimer(signal.ITIMER_REAL, 0)
            assert len(seen) <= (time.monotonic() - start) / 0.1 + 1, seen
        assert len(seen) >= 3, seen

        # It runs a function of the store that it interrupts.
        seen = []
        signal.signal(signal.SIGUSR1, lambda *args: seen.append((bool(store.running), exports.fib(10))))
        effort = Effort(0)
        while effort.goes_on((True, 55) in seen):
            with pytest.raises(wasmetal.DeadlineExceeded), wasmetal.deadline(0.4), send(signal.SIGUSR1):
                exports.loop()
        assert (True, 55) in seen, seen

        def stop(*args):
            raise RuntimeError("enough")
        signal.signal(signal.SIGTERM, stop)
        with pytest.raises(RuntimeError, match="enough"), send(signal.SIGTERM):
            exports.fib(60)
        assert exports.fib(10) == 55
    """)


def test_the_ticker_comes_and_goes() -> None:
    run("""
        def threads():
            return ticker.is_running() if windows else len(os.listdir("/proc/self/task"))
        exports = make(WasmBuilder).exports
        alone = threads()  # an emulator may have its own
        assert not ticker.is_running()
        idle = 0.0
        for _ in range(2):
            # (it ends after a second, for which a busy machine may stand still)
            wait_until(
                lambda: exports.seven() == 7 and ticker.is_running() and threads() == alone + 1, "a call starts it"
            )
            deadline = time.monotonic() + PATIENCE
            before = time.process_time()
            while ticker.is_running() or threads() > alone:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            idle += time.process_time() - before
            with pytest.raises(KeyboardInterrupt), send(signal.SIGINT, 0.02):
                exports.loop()
        # What is idle takes no time.
        assert idle < 1, idle
    """)


@posix
def test_fork() -> None:
    run("""
        import warnings
        warnings.simplefilter("error")
        instance = make(WasmBuilder)
        def check():
            for name in ("loop", "recursion"):
                with pytest.raises(wasmetal.DeadlineExceeded), wasmetal.deadline(0.05):
                    CALLS[name](instance.exports)
            assert instance.exports.seven() == 7
        def in_child(work):
            pid = os.fork()
            if not pid:
                try:
                    work()
                    os._exit(0)
                finally:
                    os._exit(1)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        check()
        in_child(lambda: (check(), in_child(check)))
        check()
        # From a host function: the child goes on in the same call.
        def forks(number):
            if number:
                in_child(lambda: host_calls.exports.hosts(0))
                interruption.check()
            return 0
        host_calls = make(WasmBuilder, forks)
        def times_out():
            with pytest.raises(wasmetal.DeadlineExceeded), wasmetal.deadline(0.05):
                host_calls.exports.hosts(0)
        times_out()
        pid = None
        def once(number):
            global pid
            if pid is None:
                pid = os.fork()
            return 0
        forking = make(WasmBuilder, once)
        effort = Effort(0)
        while effort.goes_on(pid is not None):
            with pytest.raises(wasmetal.DeadlineExceeded), wasmetal.deadline(0.3):
                forking.exports.hosts(0)
        assert pid is not None
        if not pid:
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        check()
    """)


#: Makes pthread_create fail, as far as the ticker goes: getpid returns something else than 0.
NO_THREADS = """
import warnings
from wasmetal.system import linux
create = ticker._ticker.get("create")
ticker._ticker.set("create", linux.address_of("getpid"))
"""


@posix
def test_no_thread_can_be_made() -> None:
    # Nothing could be stopped, and nobody was told.
    run(NO_THREADS + textwrap.dedent("""
        def threads():
            return len(os.listdir("/proc/self/task"))
        instance = make(WasmBuilder)
        exports = instance.exports
        alone = threads()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for name in CALLS:
                for _ in range(2):
                    with soon(), pytest.raises(wasmetal.DeadlineExceeded), wasmetal.deadline(0.1):
                        CALLS[name](exports)
        assert [each.category for each in caught] == [RuntimeWarning] and "signal" in str(caught[0].message)
        assert exports.fib(10) == 55 and threads() == alone and not ticker.is_running()
        with pytest.raises(KeyboardInterrupt), send(signal.SIGINT):
            exports.loop()
        # In another thread, and by another thread.
        def late():
            with soon(), pytest.raises(wasmetal.DeadlineExceeded), wasmetal.deadline(0.1):
                make(WasmBuilder).exports.loop()
            done.append(1)
        done = []
        thread = threading.Thread(target=late)
        thread.start()
        thread.join()
        assert done
        thread = interrupt_when_running(instance, [])
        with soon(), pytest.raises(Trap, match=r"^interrupted\\b"):
            exports.loop()
        thread.join()
        # No signals come any more when nothing has run for a second.
        wait_until(lambda: not ticker._ticker.get("active"), "the timer stops")
        time.sleep(0.1)
        ticks = ticker._ticker.get("idle_ticks")
        time.sleep(0.2)
        assert ticker._ticker.get("idle_ticks") == ticks
        # It starts again, also in a child, which has no timer at first.
        with pytest.raises(wasmetal.DeadlineExceeded), wasmetal.deadline(0.1):
            exports.loop()
        pid = os.fork()
        if not pid:
            with pytest.raises(wasmetal.DeadlineExceeded), wasmetal.deadline(0.1):
                exports.loop()
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        with pytest.raises(wasmetal.DeadlineExceeded), wasmetal.deadline(0.1):
            exports.fib(60)
        # As soon as there can be a thread again, there is one.
        ticker._ticker.set("create", create)
        ticker._ticker.set("active", 0)
        def ended():
            with pytest.raises(wasmetal.DeadlineExceeded), wasmetal.deadline(0.1):
                exports.fib(60)
            return ticker.is_running() and threads() == alone + 1
        wait_until(ended, "there is a ticker")
    """))  # fmt: skip


@posix
def test_neither_a_thread_nor_a_timer() -> None:
    run(NO_THREADS + textwrap.dedent("""
        def refuse(number, action):
            raise OSError("refused")
        exports = make(WasmBuilder).exports
        linux.set_signal_action = refuse
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for _ in range(3):
                assert exports.fib(10) == 55
        assert ["cannot be stopped (refused)" in str(each.message) for each in caught] == [True]
        # One whose warnings are errors learns it that way.
        ticker._ticker.warned = False
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning):
            exports.fib(10)
        assert exports.fib(10) == 55
    """))  # fmt: skip


@posix
def test_a_limit_on_processes() -> None:
    run("""
        import resource, warnings
        instance = make(WasmBuilder)
        # The limit counts what a user has, and does not hold for root.
        if not os.getuid():
            os.setgid(65534)
            os.setuid(65534)
        resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
        try:
            threading.Thread(target=print).start()
        except RuntimeError:
            pass
        else:
            sys.exit(0)  # not limited all the same, by a capability or an emulator
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for name in CALLS:
                with soon(), pytest.raises(wasmetal.DeadlineExceeded), wasmetal.deadline(0.1):
                    CALLS[name](instance.exports)
        assert [each.category for each in caught] == [RuntimeWarning], caught
    """)


def test_the_interpreter_ends_while_code_runs() -> None:
    run("""
        exports = [make(WasmBuilder).exports for _ in range(3)]
        for each in exports:
            threading.Thread(target=each.loop, daemon=True).start()
        time.sleep(0.1)
        del each, exports
        sys.exit()
    """)


def test_a_deadline_before_anything_else() -> None:
    # Blocks that begin before there is any machine code: one that is over by then, and one that is not.
    script = """
        import wasmetal
        loop = bytes.fromhex("0061736d0100000001040160000003020100070801046c6f6f7000000a0901070003400c000b0b")
        with wasmetal.deadline(5):
            pass
        try:
            with wasmetal.deadline(3600), wasmetal.deadline(0.5):
                wasmetal.instantiate(loop).exports.loop()
        except wasmetal.DeadlineExceeded:
            print("exceeded")
    """
    # How late does not matter: what is imported and compiled first takes a busy machine longer than the deadline.
    command = [sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(script)]
    assert subprocess.run(command, capture_output=True, text=True, timeout=300).stdout == "exceeded\n"


def test_deadlines_that_are_over_are_forgotten() -> None:
    """Not kept until somebody asks, or each block would take longer than the one before."""
    for _ in range(100):
        with wasmetal.deadline(1000):
            assert len(_thread._entries) <= 2
    assert interruption.remaining() is None
    assert not _thread._entries


def test_deadlines_in_other_ways() -> None:
    """By an ExitStack, by calls, and one object in several blocks at a time."""
    limit = wasmetal.deadline(1000)
    with contextlib.ExitStack() as stack:
        assert stack.enter_context(limit) is limit
        assert interruption.remaining() is not None
        with limit, limit as again:
            assert again is limit and len(_thread.dues) == 3
        assert len(_thread.dues) == 1
    assert interruption.remaining() is None
    limit.__enter__()
    assert interruption.remaining() is not None
    limit.__exit__(None, None, None)
    assert interruption.remaining() is None


def test_waits_for_no_number() -> None:
    """Where waits go in turns, one until NaN would never end."""
    with pytest.raises(ValueError):
        interruption.sleep(float("nan"))


@pytest.mark.parametrize("in_loop", [True, False], ids=["loop", "straight"])
def test_filling_tables_ends(wasm: Any, in_loop: bool) -> None:
    # Each fill takes a millisecond; the loop ends "soon" as its rounds are counted, and nothing else here polls.
    op = wasm.op
    b = wasm()
    b.table("e", 1_000_000)
    fill = op.i32(0) + b"\xd0\x6f" + op.i32(1_000_000) + b"\xfc\x11\x00"
    step = op.get(0) + op.i32(1) + op.I32_ADD + b"\x22\x00" + op.i32(30_000) + b"\x49\x0d\x00"
    code = op.i32(0) + b"\x21\x00\x03\x40" + fill + step + b"\x0b" if in_loop else 3000 * fill
    b.func("i", "", code, export="fill")
    fill_table = wasmetal.Module(b.build()).instantiate().exports.fill
    with contextlib.suppress(Trap), wasmetal.deadline(0):  # (compiles it)
        fill_table(0)
    with soon(), pytest.raises(wasmetal.DeadlineExceeded), wasmetal.deadline(0.1):
        fill_table(0)
