"""How soon running code ends when it is asked to: each way of asking, and each kind of code, some times.

    python tests/soak/latency.py [--repeat N]

Ctrl-C is a SIGINT that another process sends, which notes when; the rest is timed in the process itself. What is
printed is how long after that the exception was there. Afterwards the instance is called again.
"""

from __future__ import annotations

import argparse
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

sys.path.append(str(Path(__file__).parent))

import wasmetal
from wasm_core.testing.builder import WasmBuilder
from wasm_wasi import Wasi
from wasmetal.cli.run import Surroundings, run

#: What docs/signals.md promises, in seconds.
LIMIT: Final = 0.1
#: How long code runs before it is asked to end, in seconds.
_BEFORE: Final = 0.15
#: How long at most where that is not even enough to come to run.
_LONGEST: Final = 2.4
_SENDER: Final = """
import os, sys, time
time.sleep(float(sys.argv[2]))
at = time.monotonic()
os.kill(int(sys.argv[1]), 2)
print(at)
"""


def binary() -> bytes:
    """A module with endless code of several kinds."""
    op = WasmBuilder.op
    b = WasmBuilder()
    b.import_func("wasi_snapshot_preview1", "fd_read", "iiii", "i")
    b.import_func("wasi_snapshot_preview1", "poll_oneoff", "iiii", "i")
    b.memory(1, export="memory")
    b.func(code=b"\x03\x40\x0c\x00\x0b", export="loop")
    # Fibonacci numbers the slow way: always deep in recursion, no loop.
    less = op.get(0) + op.i32(2) + b"\x48"
    recur = b"".join(op.get(0) + op.i32(n) + b"\x6b\x10\x03" for n in (1, 2))
    b.func("i", "i", less + b"\x04\x7f" + op.get(0) + b"\x05" + recur + op.I32_ADD + b"\x0b")
    b.func("", "i", op.i32(60) + b"\x10\x03", export="recursion")
    # Reads 64 bytes to 1024 from descriptor 0; waits until there is something to read.
    b.func("", "i", op.i32(0) + op.i32(0) + op.i32(1) + op.i32(64) + b"\x10\x00", export="read")
    b.func("", "i", op.i32(128) + op.i32(256) + op.i32(1) + op.i32(64) + b"\x10\x01", export="poll")
    b.func("", "i", op.i32(7), export="seven")
    b.data(op.i32(0), struct.pack("<II", 1024, 64))
    b.data(op.i32(128), struct.pack("<QB7xI", 1, 1, 0))
    data: bytes = b.build()
    return data


KINDS: Final = ("loop", "recursion", "read", "poll")


class Subject:
    """An instance whose stdin is a pipe that nobody writes to."""

    def __init__(self, hold_gil: bool) -> None:
        reader, self._writer = os.pipe()
        self.stdin = os.fdopen(reader, "rb", buffering=0)
        self._wasi = Wasi(stdin=self.stdin)
        module = wasmetal.Engine(wasmetal.Config(hold_gil=hold_gil)).compile(binary())
        self.instance = module.instantiate(self._wasi.imports)
        for name in KINDS:
            # Compiled before the clock runs.
            with wasmetal.deadline(0):
                self.ends(name, wasmetal.DeadlineExceeded)

    def ends(self, name: str, error: type[BaseException]) -> float:
        """Run until `error` comes; when that was."""
        try:
            self.instance.exports[name]()
        except error:
            at = time.monotonic()
            if self.instance.exports.seven() != 7:
                raise AssertionError("the instance does not work any more") from None
            return at
        raise AssertionError(f"{name} ended by itself")

    def close(self) -> None:
        self._wasi.close()
        self.stdin.close()
        os.close(self._writer)


def ctrl_c(subject: Subject, name: str, before: float) -> float:
    arguments = [sys.executable, "-SEc", _SENDER, str(os.getpid()), str(before)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as sender:
        at = subject.ends(name, KeyboardInterrupt)
        assert sender.stdout is not None
        return at - float(sender.stdout.read())


def deadline(subject: Subject, name: str, before: float) -> float:
    due = time.monotonic() + before
    with wasmetal.deadline(before):
        return subject.ends(name, wasmetal.DeadlineExceeded) - due


def interrupt(subject: Subject, name: str, before: float) -> float:
    asked = 0.0

    def ask() -> None:
        nonlocal asked
        while not subject.instance._core.store.running:  # type: ignore[union-attr]
            time.sleep(0.001)
        time.sleep(before)
        asked = time.monotonic()
        subject.instance.interrupt()

    thread = threading.Thread(target=ask)
    thread.start()
    at = subject.ends(name, wasmetal.Trap)
    thread.join()
    return at - asked


def timeout(subject: Subject, name: str, before: float) -> float:
    """What the command `run` does, loading and compiling included; the process's stdin is the subject's."""
    saved = os.dup(0)
    os.dup2(subject.stdin.fileno(), 0)
    try:
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "endless.wasm")
            with open(file, "wb") as opened:
                opened.write(binary())
            due = time.monotonic() + before
            try:
                run(file, (), Surroundings(), invoke=name, max_memory=None, timeout=before, cache=False)
            except wasmetal.DeadlineExceeded:
                return time.monotonic() - due
    finally:
        os.dup2(saved, 0)
        os.close(saved)
    raise AssertionError(f"{name} ended by itself")


WAYS: Final[dict[str, Callable[[Subject, str, float], float]]] = {
    "Ctrl-C": ctrl_c,
    "deadline": deadline,
    "interrupt": interrupt,
    "--timeout": timeout,
}
#: Those that can be told to hold the GIL: nobody could interrupt then.
_MAY_HOLD_THE_GIL: Final = ("Ctrl-C", "deadline")


def measure(way: str, name: str, repeat: int, hold_gil: bool = False) -> list[float]:
    """Seconds."""
    subject = Subject(hold_gil)
    try:
        return [WAYS[way](subject, name, _BEFORE) for _ in range(repeat)]
    finally:
        subject.close()


def least(way: str, name: str, patience: float) -> float:
    """Seconds: of the first time within the limit, or the least in so many seconds on a machine that is busy."""
    end = time.monotonic() + patience
    subject = Subject(False)
    before = _BEFORE
    try:
        found = WAYS[way](subject, name, before)
        while found > LIMIT and time.monotonic() < end:
            before = min(2 * before, _LONGEST)
            found = min(found, WAYS[way](subject, name, before))
        return found
    finally:
        subject.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=10, help="times of each (10)")
    options = parser.parse_args()
    late = 0
    print(f"{'milliseconds':28} {'code':10} {'least':>7} {'median':>7} {'most':>7}")
    for way in WAYS:
        for hold_gil in (False, True):
            if hold_gil and way not in _MAY_HOLD_THE_GIL:
                continue
            for name in KINDS:
                found: Any = [1000 * seconds for seconds in measure(way, name, options.repeat, hold_gil)]
                title = f"{way}, GIL held" if hold_gil else way
                print(f"{title:28} {name:10} {min(found):7.1f} {statistics.median(found):7.1f} {max(found):7.1f}")
                late += statistics.median(found) > 1000 * LIMIT
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
