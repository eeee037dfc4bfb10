"""Arguments, environment, clocks, random numbers, exit, waiting."""

from __future__ import annotations

import os
import pickle
import struct
import time

import pytest

from wasm_core.testing.patience import PATIENCE
from wasm_wasi import Exit
from wasm_wasi.abi import ERRNO, EVENT, SIGNALS, SIGNATURES
from wasm_wasi.functions import func_type, implementation
from wasm_wasi.process import string_block

RESULT, DATA = 9000, 16384


@pytest.mark.parametrize("kind", ["args", "environ"])
def test_strings(start, kind):
    strings = ("first", "", "A=grüße", "x y")
    program = start(args=strings) if kind == "args" else start(env=strings)
    assert program.call(f"{kind}_sizes_get", RESULT, RESULT + 4) == 0
    count, size = program.u32(RESULT), program.u32(RESULT + 4)
    assert (count, size) == (4, sum(len(s.encode()) + 1 for s in strings))
    assert program.call(f"{kind}_get", RESULT, DATA) == 0
    found = []
    for number in range(count):
        start_at = program.u32(RESULT + 4 * number)
        found.append(program.get(start_at, 100).split(b"\0")[0].decode())
    assert tuple(found) == strings


def test_strings_cannot_hold_a_nul():
    with pytest.raises(ValueError, match="NUL"):
        string_block(["a\0b"])


@pytest.mark.parametrize(
    ("clock", "read"),
    [(0, time.time_ns), (1, time.monotonic_ns), (2, time.process_time_ns), (3, time.thread_time_ns)],
)
def test_clocks(program, clock, read):
    before = read()
    assert program.call("clock_time_get", clock, 1, RESULT) == 0
    assert before <= program.u64() <= read()
    assert program.call("clock_res_get", clock, RESULT) == 0
    assert 1 <= program.u64() <= 10**9


@pytest.mark.parametrize("clock", [4, -1, 1000])
def test_unknown_clocks(program, clock):
    assert program.call("clock_time_get", clock, 0, RESULT) == ERRNO["INVAL"]
    assert program.call("clock_res_get", clock, RESULT) == ERRNO["INVAL"]


def test_random_fills_exactly_the_buffer(program):
    assert program.call("random_get", 1, 65534) == 0
    data = program.get(0, 65536)
    assert data[0] == data[-1] == 0
    assert len(set(data)) == 256
    assert program.call("random_get", 0, 0) == 0


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (3, 3), (-1, 2**32 - 1)])
def test_exit(program, code, expected):
    with pytest.raises(Exit) as caught:
        program.call("proc_exit", code)
    assert caught.value.code == expected


@pytest.mark.parametrize(
    ("number", "name", "code"),
    [(1, "HUP", 129), (2, "INT", 130), (6, "ABRT", 134), (9, "KILL", 137), (15, "TERM", 143)],
)
def test_signals_that_end_a_program(program, number, name, code):
    with pytest.raises(Exit) as caught:
        program.call("proc_raise", number)
    assert (caught.value.code, caught.value.signal) == (code, name)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (copy.code, copy.signal, str(copy)) == (code, name, str(caught.value))


def test_signals_that_do_nothing_or_cannot_be_raised(program):
    assert len(SIGNALS) == 31
    for name in ("NONE", "CHLD", "CONT", "URG", "WINCH"):
        assert program.call("proc_raise", SIGNALS.index(name)) == 0
    for name in ("STOP", "TSTP", "TTIN", "TTOU"):
        assert program.call("proc_raise", SIGNALS.index(name)) == ERRNO["NOTSUP"]
    for number in (31, 255, -1):
        assert program.call("proc_raise", number) == ERRNO["INVAL"]


def test_yielding(program):
    assert program.call("sched_yield") == 0


def test_every_function_is_there():
    assert len(SIGNATURES) == 46
    assert all(callable(implementation(name)) for name in SIGNATURES)
    assert str(func_type("fd_seek")) == "(i32, i64, i32, i32) -> (i32)"
    assert str(func_type("proc_exit")) == "(i32) -> ()"


def clock_subscription(user_data, timeout, clock=1, flags=0):
    return struct.pack("<QB7xI4xQQH6x", user_data, 0, clock, timeout, 0, flags)


def fd_subscription(user_data, kind, fd):
    return struct.pack("<QB7xI28x", user_data, kind, fd)


def poll(program, *subscriptions):
    program.put(0, b"".join(subscriptions))
    assert program.call("poll_oneoff", 0, DATA, len(subscriptions), RESULT) == 0
    data = program.get(DATA, EVENT.size * program.u32())
    return sorted(EVENT.iter_unpack(data))


def test_waiting_for_a_time(program):
    began = time.monotonic()
    assert poll(program, clock_subscription(7, 20_000_000), clock_subscription(8, 10**12)) == [(7, 0, 0, 0, 0)]
    assert 0.02 <= time.monotonic() - began < PATIENCE
    assert poll(program, clock_subscription(7, 0)) == [(7, 0, 0, 0, 0)]
    passed = time.time_ns() - 1
    assert poll(program, clock_subscription(9, passed, clock=0, flags=1)) == [(9, 0, 0, 0, 0)]
    assert poll(program, clock_subscription(1, 0, clock=9)) == [(1, ERRNO["INVAL"], 0, 0, 0)]
    assert program.call("poll_oneoff", 0, DATA, 0, RESULT) == ERRNO["INVAL"]


def test_waiting_for_descriptors(start, directory):
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb", buffering=0) as reader, os.fdopen(write_end, "wb", buffering=0) as writer:
        from io import BytesIO

        program = start(preopens={"/": str(directory)}, stdin=BytesIO(b"x"), stdout=writer)
        regular = program.open("file")[1]
        assert poll(program, fd_subscription(1, 1, regular)) == [(1, 0, 1, 11, 0)]
        assert poll(program, fd_subscription(1, 1, 0)) == [(1, 0, 1, 0, 0)]
        assert poll(program, fd_subscription(2, 2, 1), clock_subscription(3, 10**12)) == [(2, 0, 2, 0, 0)]
        assert poll(program, fd_subscription(4, 1, 1)) == [(4, ERRNO["BADF"], 1, 0, 0)]
        assert poll(program, fd_subscription(5, 1, 55)) == [(5, ERRNO["BADF"], 1, 0, 0)]
        assert poll(program, struct.pack("<QB39x", 6, 9)) == [(6, ERRNO["INVAL"], 9, 0, 0)]
        # A pipe with nothing in it: the clock comes first; then with something.
        other = start(stdin=_unbuffered(reader))
        assert poll(other, fd_subscription(1, 1, 0), clock_subscription(2, 1_000_000)) == [(2, 0, 0, 0, 0)]
        writer.write(b"abc")
        assert poll(other, fd_subscription(1, 1, 0), clock_subscription(2, 10**12)) == [(1, 0, 1, 3, 0)]


def _unbuffered(file):
    """The file itself: it is one of the system's, so it can be waited for."""
    return file
