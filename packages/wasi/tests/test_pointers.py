"""Pointers that lead out of the memory are EFAULT, whatever function gets them, and nothing happens."""

from __future__ import annotations

import struct

import pytest

from wasm_wasi.abi import ERRNO, SIGNATURES
from wasm_wasi.guest_memory import GuestMemory

RESULT, DATA, IOVECS = 9000, 16384, 8192
BAD = [65536, 65535, -1, -65536, 0x7FFFFFFF, -0x80000000]

# Arguments with P where the bad pointer goes.
P = object()
CALLS = [
    ("args_get", (P, 0)),
    ("args_get", (0, P)),
    ("args_sizes_get", (P, 0)),
    ("args_sizes_get", (0, P)),
    ("environ_get", (P, 0)),
    ("environ_get", (0, P)),
    ("environ_sizes_get", (P, 0)),
    ("environ_sizes_get", (0, P)),
    ("clock_res_get", (0, P)),
    ("clock_time_get", (0, 0, P)),
    ("fd_fdstat_get", (0, P)),
    ("fd_filestat_get", (0, P)),
    ("fd_pread", (4, P, 1, 0, 0)),
    ("fd_pread", (4, 0, 0, 0, P)),
    ("fd_prestat_get", (3, P)),
    ("fd_prestat_dir_name", (3, P, 11)),
    ("fd_pwrite", (4, P, 1, 0, 0)),
    ("fd_read", (4, P, 1, 0)),
    ("fd_read", (4, P, 3, 0)),
    ("fd_read", (4, 0, 0, P)),
    ("fd_readdir", (3, P, 100, 0, 0)),
    ("fd_readdir", (3, 0, 100, 0, P)),
    ("fd_seek", (4, 0, 0, P)),
    ("fd_tell", (4, P)),
    ("fd_write", (1, P, 1, 0)),
    ("fd_write", (1, 0, 0, P)),
    ("path_create_directory", (3, P, 4)),
    ("path_filestat_get", (3, 0, P, 4, 0)),
    ("path_filestat_get", (3, 0, 0, 4, P)),
    ("path_filestat_set_times", (3, 0, P, 4, 0, 0, 0)),
    ("path_link", (3, 0, P, 4, 3, 0, 4)),
    ("path_link", (3, 0, 0, 4, 3, P, 4)),
    ("path_open", (3, 0, P, 4, 0, 0, 0, 0, 0)),
    ("path_open", (3, 0, 0, 4, 0, 0, 0, 0, P)),
    ("path_readlink", (3, P, 4, 0, 0, 0)),
    ("path_readlink", (3, 0, 4, P, 4, 0)),
    ("path_readlink", (3, 0, 4, 0, 0, P)),
    ("path_remove_directory", (3, P, 4)),
    ("path_rename", (3, P, 4, 3, 0, 4)),
    ("path_rename", (3, 0, 4, 3, P, 4)),
    ("path_symlink", (P, 4, 3, 0, 4)),
    ("path_symlink", (0, 4, 3, P, 4)),
    ("path_unlink_file", (3, P, 4)),
    ("poll_oneoff", (P, 0, 1, 0)),
    ("poll_oneoff", (0, P, 1, 0)),
    ("poll_oneoff", (0, 0, 1, P)),
    ("random_get", (P, 16)),
]


@pytest.mark.parametrize(("name", "arguments"), CALLS, ids=[f"{n}-{a.index(P)}" for n, a in CALLS])
@pytest.mark.parametrize("pointer", BAD)
def test_bad_pointers(start, directory, name, arguments, pointer):
    program = start(args=("a", "b"), env=("A=1",), preopens={"a long name": str(directory)})
    assert program.open("file") == (0, 4)
    program.put(0, b"file")
    before = sorted(path.name for path in directory.rglob("*"))
    assert program.call(name, *(pointer if a is P else a for a in arguments)) == ERRNO["FAULT"]
    assert sorted(path.name for path in directory.rglob("*")) == before
    assert (directory / "file").read_bytes() == b"hello world"


def test_every_function_with_a_pointer_is_in_the_table():
    without = {
        *("fd_advise", "fd_allocate", "fd_close", "fd_datasync", "fd_fdstat_set_flags", "fd_fdstat_set_rights"),
        *("fd_filestat_set_size", "fd_filestat_set_times", "fd_renumber", "fd_sync", "proc_exit", "proc_raise"),
        *("sched_yield", "sock_accept", "sock_recv", "sock_send", "sock_shutdown"),
    }
    assert {name for name, _ in CALLS} | without == set(SIGNATURES)


@pytest.mark.parametrize("name", ["fd_read", "fd_write"])
@pytest.mark.parametrize(("start_at", "size"), [(65536, 1), (65535, 2), (0xFFFFFFFF, 0xFFFFFFFF), (0, 65537)])
@pytest.mark.parametrize("count", [1, 2])
def test_buffers_outside(program, name, start_at, size, count):
    fd = program.open("file")[1]
    program.put(IOVECS, struct.pack("<IIII", DATA, 1, start_at, size))
    vectors = IOVECS + 8 if count == 1 else IOVECS
    assert program.call(name, fd, vectors, count, RESULT) == ERRNO["FAULT"]
    assert program.call("fd_tell", fd, RESULT) == 0
    assert program.u64() == 0


@pytest.mark.parametrize("count", [-1, 0x20000000, 8193])
def test_too_many_of_something(program, count):
    fd = program.open("file")[1]
    assert program.call("fd_write", fd, 0, count, RESULT) == ERRNO["FAULT"]
    assert program.call("poll_oneoff", 0, 0, count, RESULT) == ERRNO["FAULT"]
    assert program.call("random_get", 60000, -1) == ERRNO["FAULT"]


def test_memory_that_has_grown_since_is_seen(program):
    class Growing:
        def __init__(self) -> None:
            self.data = bytearray(65536)

        def view(self) -> memoryview:
            return memoryview(self.data)

    memory = Growing()
    guest = program.process.guest = GuestMemory(memory)
    assert program.call("clock_time_get", 0, 0, 65536) == ERRNO["FAULT"]
    assert guest.size == 65536
    memory.data = bytearray(131072)
    assert program.call("clock_time_get", 0, 0, 65536) == 0
    assert struct.unpack_from("<Q", memory.data, 65536)[0] > 10**18
    program.put(0, struct.pack("<II", 131071, 1))
    assert program.call("fd_write", 1, 0, 1, RESULT) == 0


def test_a_program_without_memory(program):
    program.process.guest = GuestMemory(None)
    assert program.call("fd_write", 1, 0, 0, 0) == ERRNO["FAULT"]
    assert program.call("sched_yield") == 0
