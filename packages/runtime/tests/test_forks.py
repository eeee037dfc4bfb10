"""Forks while other threads run WebAssembly code: the child has what they did not run, and is told of the rest.

Each case is a process of its own.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap

from systems import posix

pytestmark = posix

PRELUDE = """
import os, threading, time, warnings
import wasmetal
from wasm_core.testing.builder import WasmBuilder
from wasmetal.glue import ticker
from wasmetal.system.hold import Turns

warnings.simplefilter("ignore", DeprecationWarning)  # of forks in processes with threads
op = WasmBuilder.op
b = WasmBuilder()
b.memory(1)
b.func("", "", b"\\x03\\x40\\x0c\\x00\\x0b", export="loop")
b.func("i", "i", op.get(0) + op.I32_LOAD, export="load")
for number in range(5):
    b.func("i", "i", op.get(0) + op.i32(number) + op.I32_ADD, export=f"add{number}")
source = b.build()

def make(**settings):
    return wasmetal.Engine(wasmetal.Config(**settings)).compile(source).instantiate()

def raises(kind, text, function, *arguments):
    try:
        function(*arguments)
    except kind as error:
        assert text in str(error), error
    else:
        raise AssertionError("nothing was raised")

def in_child(work):
    pid = os.fork()
    if not pid:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

def running(instance):
    # A thread in the middle of an import would keep Python's lock of the module in the child, for ever.
    instance.exports.load(0)
    def work():
        raises(wasmetal.Trap, "interrupted", instance.exports.loop)
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    while not instance._core.store.owner:
        time.sleep(0.001)
    return thread
"""


def run(program: str) -> None:
    path = f"import sys; sys.path[:0] = {[entry for entry in sys.path if entry]!r}\n"
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", path + PRELUDE + textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def test_another_thread_runs_code() -> None:
    run("""
        idle, busy, waiting = make(), make(), make(busy="wait")
        threads = [running(busy), running(waiting)]
        assert idle.exports.add0(1) == 1

        def child():
            # Compiled before the fork, compiled now; traps; deadlines, so the ticker; and all that with a new instance.
            for instance in (idle, make()):
                assert [instance.exports[f"add{n}"](1) for n in range(5)] == [1, 2, 3, 4, 5]
                raises(wasmetal.Trap, "out of bounds", instance.exports.load, -4)
                with wasmetal.deadline(0.05):
                    raises(wasmetal.DeadlineExceeded, "", instance.exports.loop)
            # A state of a new thread may be where that of one of the parent's was.
            for _ in range(3):
                thread = threading.Thread(target=lambda: [raises(wasmetal.WasmError, "thread", f.exports.add0, 1)
                                                          for f in (busy, waiting)])
                thread.start()
                thread.join()
            raises(wasmetal.WasmError, "thread", busy.exports.add1, 1)
            raises(wasmetal.WasmError, "thread", waiting.exports.add1, 1)
            busy.interrupt()
            busy.close()

        in_child(child)
        in_child(lambda: in_child(child))
        for instance, thread in zip((busy, waiting), threads):
            instance.interrupt()
            thread.join()
            assert instance.exports.add1(1) == 2
        print("done")
    """)


def test_the_ticker_ends_in_the_child() -> None:
    """What stands still for ever does not keep it awake."""
    run("""
        instance = make()
        thread = running(instance)

        def child():
            assert not ticker.is_running()
            assert make().exports.add0(1) == 1
            end = time.monotonic() + 30
            while ticker.is_running():
                assert time.monotonic() < end
                time.sleep(0.05)

        in_child(child)
        instance.interrupt()
        thread.join()
        print("done")
    """)


def test_another_thread_has_a_turn() -> None:
    """Nobody gives it back in the child: there it is free at once, not after some seconds each time."""
    run("""
        turns = Turns()
        taken, over = threading.Event(), threading.Event()

        def work():
            with turns.wait():
                taken.set()
                over.wait()

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        taken.wait()

        def child():
            start = time.monotonic()
            for _ in range(3):
                with turns.wait(), turns.wait():
                    pass
            # (five seconds each)
            assert time.monotonic() - start < 12

        in_child(child)
        over.set()
        thread.join()
        print("done")
    """)
