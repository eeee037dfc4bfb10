"""Deadlines and Ctrl-C end every call, and no call makes the host hold more than it should."""

from __future__ import annotations

import errno
import io
import mmap
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

import wasmetal
from wasm_core.testing.patience import PATIENCE, wait_until
from wasm_wasi import descriptors
from wasm_wasi.abi import ERRNO, FdFlag, OpenFlag
from wasm_wasi.guest_memory import GuestMemory
from wasm_wasi.host import most_descriptors
from wasm_wasi.paths import MAX_DEPTH

RESULT, DATA = 9000, 16384
LIMIT = 0.2
#: Seconds of the processor that may be used after that. What else runs on the machine has no part in these.
LATE = 0.3


@contextmanager
def soon(limit: float) -> Iterator[None]:
    """What is done inside does not work much longer than the limit says, and does not wait for ever."""
    start, used = time.monotonic(), time.thread_time()
    yield
    assert time.thread_time() - used < limit + LATE
    assert time.monotonic() - start < PATIENCE


@contextmanager
def ends(limit: float = LIMIT) -> Iterator[None]:
    """What is done inside ends soon after a deadline, by it or by itself."""
    with soon(limit), suppress(wasmetal.DeadlineExceeded), wasmetal.deadline(limit):
        yield


@contextmanager
def ends_by_itself() -> Iterator[None]:
    """The same with a deadline that is far away, so that a busy machine gets as far as others."""
    with soon(LIMIT), wasmetal.deadline(PATIENCE):
        yield


@contextmanager
def times_out() -> Iterator[None]:
    """What is done inside would take long, and a deadline ends it soon."""
    start = time.monotonic()
    with soon(LIMIT), pytest.raises(wasmetal.DeadlineExceeded), wasmetal.deadline(LIMIT):
        yield
    assert time.monotonic() - start >= LIMIT


class BigMemory:
    """A gibibyte, of which there is as much as is touched."""

    def __init__(self) -> None:
        private = {} if sys.platform == "win32" else {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS}
        self._bytes = mmap.mmap(-1, 1 << 30, **private)

    def view(self) -> memoryview:
        return memoryview(self._bytes)


def with_big_memory(program):
    program.process.guest = GuestMemory(BigMemory())
    return program


def huge_buffers(program, count: int = 1024, size: int = 0x3FF00000) -> None:
    """Buffers at 0 that all mean the same memory."""
    program.put(0, struct.pack("<II", 1 << 20, size) * count)


def test_random_numbers(program):
    with_big_memory(program)
    with times_out():
        program.call("random_get", 0, 1 << 30)


def test_ctrl_c(program, press_ctrl_c):
    # Some thread gets the signal; the main one is to notice, and all of this takes seconds.
    with_big_memory(program)
    pressed = 0.0

    def press() -> None:
        nonlocal pressed
        press_ctrl_c()
        pressed = time.process_time()

    timer = threading.Timer(LIMIT, press)
    with pytest.raises(KeyboardInterrupt):
        timer.start()
        while True:
            program.call("random_get", 0, 1 << 30)
    noticed = time.process_time()
    timer.join()
    assert noticed - pressed < LATE


def test_opening_and_reading_a_fifo_without_a_writer(program, directory):
    os.mkfifo(directory / "fifo")
    with ends_by_itself():
        error, fd = program.open("fifo", rights=2)
        assert error == 0
    assert program.call("fd_fdstat_get", fd, RESULT) == 0
    # It is a FIFO that blocks, so the reader waits for a writer.
    assert not program.get(RESULT, 4)[2] & FdFlag.NONBLOCK
    with times_out():
        program.read(fd, 10)
    with open(directory / "fifo", "wb", buffering=0) as writer:
        writer.write(b"there")
        assert program.read(fd, 10) == (0, b"there")


def test_opening_a_fifo_without_a_reader(program, directory):
    os.mkfifo(directory / "fifo")
    assert program.open("fifo", rights=64, fdflags=FdFlag.NONBLOCK)[0] == ERRNO["NXIO"]
    with times_out():
        program.open("fifo", rights=64)
    found: list[bytes] = []

    def read() -> None:
        with open(directory / "fifo", "rb") as reader:
            found.append(reader.read())

    thread = threading.Timer(0.05, read)
    thread.start()
    error, fd = program.open("fifo", rights=64)
    assert error == 0
    assert program.write(fd, b"x") == 0
    assert program.call("fd_close", fd) == 0
    thread.join()
    assert found == [b"x"]


def test_what_has_no_reader_ever(program, directory):
    # A socket file is ENXIO as well.
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(directory / "socket"))
        with ends_by_itself():
            assert program.open("socket", rights=64)[0] == ERRNO["NXIO"]


@pytest.mark.parametrize("name", ["fd_read", "fd_pread", "fd_write", "fd_pwrite"])
def test_huge_transfers(program, directory, name):
    with_big_memory(program)
    with open(directory / "sparse", "wb") as file:
        file.truncate(1 << 40)
    fd = program.open("sparse")[1]
    huge_buffers(program)
    offset = () if name in ("fd_read", "fd_write") else (0,)
    if "write" in name:
        # Not as much as could be written in the time.
        os.truncate(directory / "sparse", 0)
    with ends():
        assert program.call(name, fd, 0, 1024, *offset, RESULT) == 0


def test_a_transfer_in_steps_moves_everything(program, directory):
    with_big_memory(program)
    data = os.urandom(5_000_000)
    (directory / "big").write_bytes(data)
    fd = program.open("big")[1]
    sizes = (1, 3_000_000, 0, 7, 2_500_000)
    starts = [DATA + sum(sizes[:n]) for n in range(len(sizes))]
    program.put(0, b"".join(struct.pack("<II", *pair) for pair in zip(starts, sizes, strict=True)))
    assert program.call("fd_read", fd, 0, len(sizes), RESULT) == 0
    assert program.u32() == len(data)
    assert program.get(DATA, len(data)) == data
    out = program.open("copy", OpenFlag.CREAT)[1]
    program.put(0, struct.pack("<II", DATA, len(data)))
    assert program.call("fd_pwrite", out, 0, 1, 10, RESULT) == 0
    assert program.u32() == len(data)
    assert (directory / "copy").read_bytes() == bytes(10) + data


def test_an_error_in_the_middle_tells_what_was_moved(program, directory, monkeypatch):
    with_big_memory(program)
    fd = program.open("file", rights=64)[1]
    real, calls = os.writev, []

    def full(*args):
        calls.append(args)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "full")
        return real(*args)

    monkeypatch.setattr(os, "writev", full)
    program.put(0, struct.pack("<II", 0, 3 << 20))
    assert program.call("fd_write", fd, 0, 1, RESULT) == 0
    assert program.u32() == 1 << 20


def test_endless_devices(start):
    program = with_big_memory(start(stdin="/dev/zero", stdout="/dev/full"))
    huge_buffers(program, 1)
    with ends():
        assert program.call("fd_read", 0, 0, 1, RESULT) == 0
    with ends():
        assert program.call("fd_write", 1, 0, 1, RESULT) == ERRNO["NOSPC"]


@pytest.fixture
def pipe():
    ends = os.pipe()
    files = os.fdopen(ends[0], "rb", buffering=0), os.fdopen(ends[1], "wb", buffering=0)
    yield files
    for file in files:
        file.close()


@pytest.mark.parametrize("limited", [False, True])
def test_a_pipe_takes_all_that_is_written(start, pipe, limited):
    program = with_big_memory(start(stdout=pipe[1]))
    program.put(0, struct.pack("<II", DATA, 1_000_000))
    program.put(DATA, data := os.urandom(1_000_000))
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(b"".join(iter(lambda: pipe[0].read(50_000), b""))))
    reader.start()
    if limited:
        with wasmetal.deadline(PATIENCE):
            assert program.call("fd_write", 1, 0, 1, RESULT) == 0
    else:
        assert program.call("fd_write", 1, 0, 1, RESULT) == 0
    assert program.u32() == len(data)
    program.process.close()
    pipe[1].close()
    reader.join()
    assert found == [data]


def each_until_one_gets_it(programs, call: Callable[..., object], results: list[object]) -> Callable[[], None]:
    """Lets a thread of each program wait for the same until one has it; returns what waits for all of them.

    Afterwards each waits once more, now in vain: longer than its deadline only where it waits in the system.
    """
    taken = threading.Event()
    ended: list[object] = []

    def work(program) -> None:
        last = False
        while not last:
            last = taken.is_set()
            with suppress(wasmetal.DeadlineExceeded), wasmetal.deadline(LIMIT):
                results.append(call(program))
                taken.set()
                last = False
        ended.append(program)

    threads = [threading.Thread(target=work, args=(program,), daemon=True) for program in programs]
    for thread in threads:
        thread.start()

    def join() -> None:
        wait_until(lambda: len(ended) == len(programs), "a deadline ends the wait in each thread")
        for thread in threads:
            thread.join()

    return join


def test_two_readers_of_a_pipe(start, pipe):
    # All are told that there is something; the others must not wait for more in the system.
    results: list[object] = []
    programs = [start(stdin=pipe[0]) for _ in range(4)]
    join = each_until_one_gets_it(programs, lambda program: program.read(0, 10), results)
    time.sleep(0.05)
    pipe[1].write(b"x")
    join()
    assert results == [(0, b"x")]


def test_sockets(start):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        program = with_big_memory(start(sockets=[theirs]))
        huge_buffers(program, 1)
        for name, args in (("sock_send", (0, RESULT)), ("fd_write", (RESULT,))):
            with times_out():
                program.call(name, 3, 0, 1, *args)
        ours.send(b"a part")
        for flags in (2, 3):  # WAITALL, and PEEK with it
            with times_out():
                program.call("sock_recv", 3, 0, 1, flags, RESULT, RESULT + 4)
        with times_out():
            program.call("fd_read", 3, 0, 1, RESULT)


def test_waiting_for_all(start):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        program = start(sockets=[theirs])
        program.put(0, struct.pack("<II", DATA, 6))
        ours.send(b"abc")
        timer = threading.Timer(0.05, ours.send, (b"defg",))
        timer.start()
        for flags in (3, 2):
            assert program.call("sock_recv", 3, 0, 1, flags, RESULT, RESULT + 4) == 0
            assert program.get(DATA, program.u32()) == b"abcdef"
        timer.join()
        ours.shutdown(socket.SHUT_WR)
        for flags in (3, 2):
            assert program.call("sock_recv", 3, 0, 1, flags, RESULT, RESULT + 4) == 0
            assert program.get(DATA, program.u32()) == b"g"


def test_threads_that_accept(start):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        program = start(sockets=[listener])
        results: list[object] = []
        join = each_until_one_gets_it([program] * 4, lambda program: program.call("sock_accept", 3, 0, RESULT), results)
        time.sleep(0.05)
        with socket.create_connection(listener.getsockname()):
            join()
        assert results == [0]


def test_a_million_subscriptions(program):
    with_big_memory(program)
    with ends():
        assert program.call("poll_oneoff", 0, 1 << 29, 1_000_000, RESULT) == ERRNO["INVAL"]
    program.put(0, struct.pack("<QB7xI4xQQH6x", 1, 0, 1, 60_000_000_000, 0, 0) * 16384)
    with times_out():
        program.call("poll_oneoff", 0, 1 << 29, 16384, 1 << 28)


def test_a_large_directory(program, directory):
    for number in range(20_000):
        (directory / "sub" / f"{number}").touch()
    with_big_memory(program)
    fd = program.open("sub", OpenFlag.DIRECTORY)[1]
    with ends(0.02):
        program.call("fd_readdir", fd, DATA, 1 << 28, 0, RESULT)
    assert program.call("fd_readdir", fd, DATA, 1 << 28, 0, RESULT) == 0
    data, at, names = program.get(DATA, program.u32()), 0, []
    while at < len(data):
        _, _, size, _ = struct.unpack_from("<QQIBxxx", data, at)
        names.append(data[at + 24 : at + 24 + size])
        at += 24 + size
    assert names[:2] == [b".", b".."]
    assert len(set(names)) == len(names) == 20_003  # with the file that was there


def test_directories_that_are_too_large_together(program, directory):
    for number in range(2000):
        (directory / "sub" / f"{number}").touch()
    listings = program.process.table.listings
    before = listings.left
    listings.left = 3000
    first, second = (program.open("sub", OpenFlag.DIRECTORY)[1] for _ in range(2))
    for _ in range(3):
        assert program.call("fd_readdir", first, DATA, 1000, 0, RESULT) == 0
    assert program.call("fd_readdir", second, DATA, 1000, 0, RESULT) == ERRNO["NOMEM"]
    assert program.call("fd_close", first) == 0
    assert program.call("fd_readdir", second, DATA, 1000, 0, RESULT) == 0
    assert program.call("fd_close", second) == 0
    assert listings.left == 3000 < before


def test_allocation(program, directory):
    fd = program.open("file")[1]
    with ends():
        assert program.call("fd_allocate", fd, 0, 1 << 62) == ERRNO["NOSPC"]
    with ends_by_itself():
        assert program.call("fd_allocate", fd, 5, 5_000_000) == 0
    assert os.stat(directory / "file").st_size == 5_000_005
    for offset, size in ((-1, 5), (0, 0), (0, -1)):
        assert program.call("fd_allocate", fd, offset, size) == ERRNO["INVAL"]


def test_allocation_that_takes_long(program, directory, monkeypatch):
    # As where the C library writes to each block.
    real = os.posix_fallocate

    def slow(fd: int, offset: int, size: int) -> None:
        time.sleep(0.03)
        real(fd, offset, size)

    monkeypatch.setattr(os, "posix_fallocate", slow)
    fd = program.open("file")[1]
    with times_out():
        program.call("fd_allocate", fd, 0, 1 << 29)


def test_allocation_that_fails_leaves_the_size(program, directory, monkeypatch):
    real = os.posix_fallocate

    def full(fd: int, offset: int, size: int) -> None:
        if offset:
            raise OSError(errno.ENOSPC, "full")
        real(fd, offset, size)

    monkeypatch.setattr(os, "posix_fallocate", full)
    fd = program.open("file")[1]
    assert program.call("fd_allocate", fd, 0, 1 << 24) == ERRNO["NOSPC"]
    assert (directory / "file").read_bytes() == b"hello world"


def test_sizes(program, directory):
    fd = program.open("file")[1]
    for size in (1 << 40, 3, 0, 10):
        with ends_by_itself():
            assert program.call("fd_filestat_set_size", fd, size) == 0
        assert os.stat(directory / "file").st_size == size
    assert program.call("fd_filestat_set_size", fd, -1) == ERRNO["INVAL"]


@pytest.mark.parametrize(("name", "host"), [("fd_sync", "fsync"), ("fd_datasync", "fdatasync")])
def test_a_disk_that_is_slow(program, monkeypatch, name, host):
    fd = program.open("file")[1]
    assert program.call(name, fd) == 0
    open_before = len(os.listdir("/proc/self/fd"))
    ready = threading.Event()
    monkeypatch.setattr(os, host, lambda fd: ready.wait(2 * PATIENCE))
    with times_out():
        program.call(name, fd)
    ready.set()
    wait_until(lambda: len(os.listdir("/proc/self/fd")) == open_before, "what synchronized has closed its descriptor")

    def broken(fd: int) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, host, broken)
    assert program.call(name, fd) == ERRNO["IO"]


def test_long_chains_of_links(program, directory):
    # Forty links of four thousand bytes each.
    for number in range(39):
        os.symlink("sub/../" * 580 + f"l{number + 1}", directory / f"l{number}")
    os.symlink("sub/../" * 580 + "file", directory / "l39")
    with ends(0.02):
        assert program.stat("l0", follow=True)[0] == 0
    assert program.stat("l0", follow=True)[0] == 0


def test_deep_paths(program, directory):
    # Every directory on the way is open.
    deep = directory
    for _ in range(MAX_DEPTH):
        deep /= "d"
        deep.mkdir()
    assert program.stat("d/" * MAX_DEPTH)[0] == 0
    (deep / "e").mkdir()
    assert program.stat("d/" * MAX_DEPTH + "e")[0] == 0
    assert program.stat("d/" * MAX_DEPTH + "e/")[0] == ERRNO["NAMETOOLONG"]


def test_the_host_keeps_descriptors(program, directory, monkeypatch):
    monkeypatch.setattr(os, "sysconf", lambda name: 64)
    program.process.table.limit(most_descriptors())
    before = len(os.listdir("/proc/self/fd"))
    numbers = []
    while not (result := program.open("file"))[0]:
        numbers.append(result[1])
    assert result[0] == ERRNO["MFILE"]
    assert len(numbers) == 16
    # What cannot be opened is not made either.
    assert program.open("new", OpenFlag.CREAT)[0] == ERRNO["MFILE"]
    assert not (directory / "new").exists()
    assert len(os.listdir("/proc/self/fd")) == before + 16
    assert program.call("fd_close", numbers[0]) == 0
    assert program.open("file") == (0, numbers[0])


def test_the_host_keeps_descriptors_from_those_who_connect(start, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        program = start(sockets=[listener])
        table = program.process.table
        monkeypatch.setattr(os, "sysconf", lambda name: 4)
        table.limit(most_descriptors())
        with (
            socket.create_connection(listener.getsockname()),
            socket.create_connection(listener.getsockname()),
        ):
            assert program.call("sock_accept", 3, 0, RESULT) == 0
            assert program.call("sock_accept", 3, 0, RESULT) == ERRNO["MFILE"]


def test_the_limit_is_below_that_of_the_process():
    assert descriptors.MAX_DESCRIPTORS > 0
    table = descriptors.DescriptorTable()
    table.limit(most_descriptors())
    assert 0 < table._limit <= min(descriptors.MAX_DESCRIPTORS, os.sysconf("SC_OPEN_MAX") // 4)


@pytest.mark.parametrize("offset", [1 << 20, 1 << 31, 1 << 62, (1 << 63) - 1, -5])
def test_a_position_far_behind_the_end(start, offset):
    out = io.BytesIO()
    program = start(stdin=io.BytesIO(b"xyz"), stdout=out)
    assert program.call("fd_seek", 1, offset, 0, RESULT) == ERRNO["SPIPE"]
    assert program.write(1, b"x") == 0
    assert out.getvalue() == b"x"
    for whence in (0, 1):
        assert program.call("fd_seek", 0, offset, whence, RESULT) in (0, ERRNO["INVAL"])
        assert program.read(0, 1) in ((0, b""), (0, b"x"))


def test_huge_transfers_of_file_objects(start):
    class Endless(io.RawIOBase):
        asked = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer) -> int:
            self.asked = max(self.asked, len(buffer))
            return len(buffer)

    endless, out = Endless(), io.BytesIO()
    program = with_big_memory(start(stdin=endless, stdout=out))
    huge_buffers(program)
    for count in (1, 1024):
        with ends():
            assert program.call("fd_read", 0, 0, count, RESULT) == 0
            assert program.call("fd_write", 1, 0, count, RESULT) == 0
    assert endless.asked <= 1 << 24
    assert len(out.getvalue()) <= 1 << 25


def parent(program, fd: int) -> int:
    """The inode that a listing tells for `..`."""
    assert program.call("fd_readdir", fd, DATA, 4096, 0, RESULT) == 0
    data = program.get(DATA, program.u32())
    (size,) = struct.unpack_from("<I", data, 16)
    _, inode, length, _ = struct.unpack_from("<QQIBxxx", data, 24 + size)
    assert data[48 + size : 48 + size + length] == b".."
    return int(inode)


def test_nothing_is_told_about_what_is_above(program, directory):
    (directory / "sub" / "below").mkdir()
    os.symlink("sub/..", directory / "round")
    own, sub = (directory.stat().st_ino, (directory / "sub").stat().st_ino)
    expected = {
        ".": own,
        "./": own,
        "sub/..": own,
        "sub/../": own,
        "sub/below/../..": own,
        "round": own,
        "sub": own,
        "sub/": own,
        "sub/.": own,
        "sub/below": sub,
        "sub/below/": sub,
        "sub/below/.": sub,
        "sub/below/..": own,
    }
    assert parent(program, 3) == own
    for path, inode in expected.items():
        error, fd = program.open(path, OpenFlag.DIRECTORY)
        assert error == 0
        assert parent(program, fd) == inode, path
        # Once more from there.
        error, again = program.open(".", OpenFlag.DIRECTORY, directory=fd)
        assert error == 0
        assert parent(program, again) == inode, path
    # A directory that is moved out tells nothing of where it is then.
    fd = program.open("sub", OpenFlag.DIRECTORY)[1]
    os.rename(directory / "sub", directory.parent / "moved")
    assert parent(program, fd) == own
