"""Waits that end when a deadline passes, when an instance is interrupted, and on Ctrl-C."""

from __future__ import annotations

import gc
import os
import random
import signal
import struct
import threading
import time

import pytest

import wasmetal
from wasm_core.testing.patience import PATIENCE, Effort, wait_until
from wasm_wasi import Wasi
from wasm_wasi.abi import Right

#: (import "wasi_snapshot_preview1" "fd_read" "poll_oneoff" "fd_write") (memory (export "memory") 1)
#: (func (export "read") (drop (fd_read 0 0 1 64))) (func (export "poll") (drop (poll_oneoff 128 256 1 64)))
#: (func (export "write") (loop (drop (fd_write 1 0 1 64)) (br 0)))
SOURCE = bytes.fromhex(
    "0061736d01000000010c0260047f7f7f7f017f60000002690316776173695f736e617073686f745f70726576696577310766"
    "645f72656164000016776173695f736e617073686f745f70726576696577310b706f6c6c5f6f6e656f666600001677617369"
    "5f736e617073686f745f70726576696577310866645f777269746500000304030101010503010001072004066d656d6f7279"
    "02000472656164000304706f6c6c000405777269746500050a35030e0041004100410141c00010001a0b1000418001418002"
    "410141c00010011a0b1300034041014100410141c00010021a0c000b0b"
)


class Blocked:
    """An instance whose streams are pipes that nobody serves."""

    def __init__(self) -> None:
        self.pipes = [*os.pipe(), *os.pipe()]
        self.stdin = os.fdopen(self.pipes[0], "rb", buffering=0)
        self.stdout = os.fdopen(self.pipes[3], "wb", buffering=0)
        self.wasi = Wasi(stdin=self.stdin, stdout=self.stdout)
        self.instance = wasmetal.Module(SOURCE).instantiate(self.wasi.imports)
        memory = self.instance.exports.memory
        memory.write(0, struct.pack("<II", 1024, 32768))
        # A subscription to descriptor 0: read.
        memory.write(128, struct.pack("<QB7xI", 1, 1, 0))
        self.calls = {
            "read": self.instance.exports["read"],
            "poll": self.instance.exports["poll"],
            "sleep": self.sleep,
            "write": self.instance.exports["write"],
        }

    def sleep(self) -> None:
        """An hour on the monotonic clock."""
        memory = self.instance.exports.memory
        memory.write(128, struct.pack("<QB7xI4xQQH", 1, 0, 1, 3600 * 10**9, 0, 0))
        self.instance.exports["poll"]()

    def close(self) -> None:
        self.wasi.close()
        self.stdin.close()
        self.stdout.close()
        os.close(self.pipes[1])
        os.close(self.pipes[2])


@pytest.fixture
def blocked():
    made = Blocked()
    yield made
    made.close()


NAMES = ("read", "poll", "sleep", "write")


@pytest.mark.parametrize("name", NAMES)
def test_deadline(blocked, name):
    start = time.monotonic()
    for _ in range(2):
        with pytest.raises(wasmetal.DeadlineExceeded), wasmetal.deadline(0.05):
            blocked.calls[name]()
    assert time.monotonic() - start < PATIENCE


def _later(blocked, work):
    def run():
        wait_until(lambda: blocked.instance._core.store.running, "the instance runs")
        time.sleep(0.05)
        work()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.parametrize("name", NAMES[:3])
def test_interrupt(blocked, name):
    for _ in range(2):
        thread = _later(blocked, blocked.instance.interrupt)
        with pytest.raises(wasmetal.Trap) as caught:
            blocked.calls[name]()
        thread.join()
        assert caught.value.code is wasmetal.TrapCode.INTERRUPTED


@pytest.mark.parametrize("name", NAMES)
def test_ctrl_c(blocked, name, press_ctrl_c):
    # Some thread gets the signal; the main one, which waits, is to notice.
    thread = _later(blocked, press_ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        blocked.calls[name]()
    thread.join()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_exceptions_of_handlers_lose_no_descriptor(start, tmp_path):
    # What had been opened, and was not anybody's yet, stayed open; what a thread was to close was closed twice.
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("a/b")
    made = start(preopens={"/": str(tmp_path)})
    made.process.table._limit = None

    class Stop(Exception):
        pass

    def stop(*_):
        raise Stop

    def work():
        path = made.put(4096, b"link/file")
        assert made.call("path_open", 3, 0, *path, 0, int(Right.FD_READ), 0, 0, 64) == 0
        assert made.call("fd_close", made.u32(64)) == 0
        assert made.call("path_filestat_get", 3, 1, *path, 128) == 0
        assert made.call("fd_sync", 3) == 0

    def opened():
        return len(os.listdir("/dev/fd"))

    work()
    at_rest = opened()
    delays = random.Random(1)
    stopped = 0
    before = signal.signal(signal.SIGALRM, stop)
    try:
        effort = Effort(2)
        while effort.goes_on(stopped > 20):
            try:
                try:
                    signal.setitimer(signal.ITIMER_REAL, delays.uniform(1e-5, 1e-3))
                    work()
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
            except Stop:
                stopped += 1
    finally:
        signal.signal(signal.SIGALRM, before)
    # What was entered for the program, which could not be told its number, goes with its process.
    made.process.close()
    gc.collect()
    assert stopped > 20
    # (threads may still synchronize)
    wait_until(lambda: opened() < at_rest, f"as few descriptors are open as before: {at_rest} less that of the process")
