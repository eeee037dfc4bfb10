"""Instances of one process in several threads: what one closes, another one never takes for something else."""

from __future__ import annotations

import os
import signal
import struct
import sys
import threading
import time

import pytest

from wasm_core.testing.patience import PATIENCE, wait_until
from wasm_wasi import Wasi
from wasm_wasi.abi import BADF, Right
from wasm_wasi.descriptors import DescriptorTable
from wasm_wasi.functions import guarded
from wasm_wasi.guest_memory import GuestMemory
from wasm_wasi.process import Process
from wasmetal import Func, Module


class Memory:
    def __init__(self) -> None:
        self.bytes = bytearray(65536)
        # fd_read's one buffer: 64 bytes at 1024.
        struct.pack_into("<II", self.bytes, 0, 1024, 64)

    def view(self) -> memoryview:
        return memoryview(self.bytes)


class Program:
    """One instance: the functions of a process, and a memory of its own."""

    def __init__(self, process: Process) -> None:
        self.process = process.with_memory_of_its_own()
        self.memory = Memory()
        self.process.guest = GuestMemory(self.memory)

    def call(self, name: str, *args: int) -> int:
        return guarded(name, self.process)(*args)

    def read(self, fd: int) -> tuple[int, bytes]:
        error = self.call("fd_read", fd, 0, 1, 512)
        size = struct.unpack_from("<I", self.memory.bytes, 512)[0]
        return error, bytes(self.memory.bytes[1024 : 1024 + size])


@pytest.fixture
def pipe():
    """A process whose stdin is a pipe that nobody writes to yet, and the end to write to."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb", buffering=0) as stdin:
        process = Process((), (), {}, (stdin, None, None))
        yield process, writer
        process.close()
    os.close(writer)


def blocked_reader(process: Process, results: list[tuple[int, bytes]]) -> threading.Thread:
    """A thread that reads from stdin, and waits."""
    program = Program(process)
    thread = threading.Thread(target=lambda: results.append(program.read(0)))
    thread.start()
    wait_until(lambda: process.table.used, "the thread reads")
    time.sleep(0.05)
    return thread


@pytest.mark.parametrize("how", ["fd_close", "fd_renumber", "close all"])
def test_what_is_used_is_closed_when_the_call_ends(pipe, how: str, is_open) -> None:
    process, writer = pipe
    host = process.table.get(0, 0).host()
    results: list[tuple[int, bytes]] = []
    thread = blocked_reader(process, results)
    other = Program(process)
    if how == "fd_close":
        assert other.call("fd_close", 0) == 0
    elif how == "fd_renumber":
        assert other.call("fd_renumber", 1, 0) == 0
    else:
        process.close()
    # Gone for the program; but the host cannot give its number to another file.
    assert other.read(0) == (BADF, b"")
    assert is_open(host)
    os.write(writer, b"data")
    thread.join(PATIENCE)
    assert results == [(0, b"data")]
    assert not is_open(host)
    assert not process.table.used and not process.table.closing


def test_what_is_not_used_is_closed_at_once(pipe, tmp_path, is_open) -> None:
    process, writer = pipe
    (tmp_path / "file").write_bytes(b"content")
    directory = Process((), (), {"/": str(tmp_path)}, (None, None, None))
    host = directory.table.get(3, 0).host()
    results: list[tuple[int, bytes]] = []
    thread = blocked_reader(process, results)
    assert Program(directory).call("fd_close", 3) == 0
    assert not is_open(host)
    os.write(writer, b"x")
    thread.join(PATIENCE)


def test_nothing_of_the_host_is_read_by_mistake(tmp_path) -> None:
    """Files of the program and of the host are opened and closed all the time, and take each other's numbers."""
    (tmp_path / "file").write_bytes(b"public")
    secret = tmp_path.parent / f"{tmp_path.name}-secret"
    secret.write_bytes(b"SECRET")
    process = Process((), (), {"/": str(tmp_path)}, (None, None, None))
    seen: set[tuple[int, bytes]] = set()
    end = time.monotonic() + 1

    def opens() -> None:
        program = Program(process)
        program.memory.bytes[2048:2052] = b"file"
        while time.monotonic() < end:
            assert program.call("path_open", 3, 0, 2048, 4, 0, 2, 0, 0, 512) == 0
            program.call("fd_close", struct.unpack_from("<I", program.memory.bytes, 512)[0])

    def reads() -> None:
        program = Program(process)
        while time.monotonic() < end:
            seen.add(program.read(4))

    def host_opens() -> None:
        while time.monotonic() < end:
            os.close(os.open(secret, os.O_RDONLY))

    threads = [threading.Thread(target=work) for work in (opens, reads, reads, host_opens)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    process.close()
    assert {content for error, content in seen if error == 0} <= {b"public", b""}
    assert {error for error, _ in seen} <= {0, BADF}
    assert not process.table.used and not process.table.closing


#: (import "m" "read" (func (param i32 i32 i32 i32) (result i32))) (memory (export "memory") 1)
#: (func (export "go") (param i32 i32 i32 i32) (result i32) (call 0 (local.get 0) ... (local.get 3)))
CALLER = bytes.fromhex(
    "0061736d01000000" "0109016004" "7f7f7f7f" "017f" "020a01016d0472656164" "0000" "03020100" "0503010001"
    "070f02066d656d6f7279" "0200" "02676f" "0001" "0a0e010c00" "2000200120022003" "1000" "0b"
)  # fmt: skip


def test_functions_that_many_use_write_to_the_memory_of_who_calls() -> None:
    """A function that was taken out of the imports is called by two instances at the same time."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb", buffering=0) as stdin, Wasi(stdin=stdin) as wasi:
        read = wasi.imports["wasi_snapshot_preview1"]["fd_read"]
        assert isinstance(read, Func)
        instances = [Module(CALLER).instantiate({"m": {"read": read}}) for _ in range(2)]
        for instance in instances:
            instance.exports.memory.write(0, struct.pack("<II", 1024, 4))
        waits, other = instances
        thread = threading.Thread(target=waits.exports.go, args=(0, 0, 1, 64))
        thread.start()
        wait_until(lambda: wasi._process.table.used, "the thread reads")
        time.sleep(0.05)
        assert other.exports.go(5, 0, 1, 64) == BADF
        os.write(writer, b"data")
        thread.join(PATIENCE)
        assert waits.exports.memory.read(1024, 4) == b"data" and waits.exports.memory.read(64, 4) == b"\4\0\0\0"
        assert other.exports.memory.read(1024, 4) == other.exports.memory.read(64, 4) == bytes(4)
    os.close(writer)


def test_a_handler_calls_while_a_call_waits(tmp_path) -> None:
    """The call that waited forgot which descriptors it used, and failed with a KeyError."""
    process = Process((), (), {"/": str(tmp_path)}, (None, None, None))
    program, other = Program(process), Program(process)
    struct.pack_into("<QB7xI4xQQH", program.memory.bytes, 128, 1, 0, 1, 200_000_000, 0, 0)
    errors = []
    before = signal.signal(signal.SIGALRM, lambda *_: errors.append(other.call("fd_write", 1, 0, 1, 512)))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        assert program.call("poll_oneoff", 128, 256, 1, 64) == 0
    finally:
        signal.signal(signal.SIGALRM, before)
        process.close()
    assert errors == [0]
    assert not process.table.used


@pytest.mark.parametrize("method", [DescriptorTable._add, DescriptorTable.close, DescriptorTable.renumber])
def test_a_handler_calls_while_the_table_is_changed(tmp_path, method) -> None:
    """It waited for ever for the lock that its own thread had."""
    (tmp_path / "file").write_bytes(b"content")
    process = Process((), (), {"/": str(tmp_path)}, (None, None, None))
    program, other = Program(process), Program(process)

    def opened(program: Program) -> int:
        program.memory.bytes[2048:2052] = b"file"
        assert program.call("path_open", 3, 0, 2048, 4, 0, int(Right.FD_READ), 0, 0, 512) == 0
        return struct.unpack_from("<I", program.memory.bytes, 512)[0]

    def handler() -> None:
        number = opened(other)
        assert other.read(number) == (0, b"content")
        assert other.call("fd_close", number) == 0

    def trace(frame, event, argument):
        if frame.f_code is not method.__code__:
            return None
        if event == "line":
            handler()
        return trace

    def give_up(*_) -> None:
        raise TimeoutError

    handler()
    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(int(PATIENCE))
    sys.settrace(trace)
    try:
        first, second = opened(program), opened(program)
        assert first != second
        assert program.call("fd_renumber", first, second) == 0
        assert program.read(second) == (0, b"content")
        assert program.call("fd_close", second) == 0
        assert program.call("fd_close", first) == BADF
    finally:
        sys.settrace(None)
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    process.close()
    assert not process.table.used and not process.table.closing
