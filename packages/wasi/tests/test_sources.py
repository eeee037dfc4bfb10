"""Clocks and random numbers that the embedder gives."""

from __future__ import annotations

import itertools
import random
import time

import pytest

from wasm_core.testing.patience import PATIENCE
from wasm_wasi import Wasi
from wasm_wasi.abi import ERRNO, SUBSCRIPTION, SUBSCRIPTION_CLOCK, SUBSCRIPTION_UNION

RESULT, DATA = 9000, 16384


def test_a_clock(start):
    program = start(clock=itertools.count(1000, 5).__next__)
    times = []
    for clock in (0, 1, 2, 3):
        assert program.call("clock_time_get", clock, 0, RESULT) == 0
        times.append(program.u64())
    assert times == [1000, 1005, 1010, 1015]
    for clock in (4, -1):
        assert program.call("clock_time_get", clock, 0, RESULT) == ERRNO["INVAL"]
    assert program.call("clock_res_get", 0, RESULT) == 0


@pytest.mark.parametrize("value", [1 << 64, -1])
def test_times_wrap(start, value):
    program = start(clock=lambda: value)
    assert program.call("clock_time_get", 0, 0, RESULT) == 0
    assert program.u64() == value % 2**64


def test_a_clock_that_fails(start):
    def broken() -> int:
        raise KeyError("clock")

    with pytest.raises(KeyError, match="clock"):
        start(clock=broken).call("clock_time_get", 0, 0, RESULT)
    with pytest.raises(TypeError, match="nanoseconds"):
        start(clock=time.time).call("clock_time_get", 0, 0, RESULT)


def test_waiting_for_a_time_of_the_clock(start):
    # 20 ms behind what it says, which is far in the past for the system's.
    program = start(clock=lambda: 1_000_000_000)
    program.put(0, bytes(SUBSCRIPTION_UNION + SUBSCRIPTION_CLOCK.size))
    program.put(0, SUBSCRIPTION.pack(7, 0))
    program.put(SUBSCRIPTION_UNION, SUBSCRIPTION_CLOCK.pack(0, 1_020_000_000, 0, 1))
    began = time.monotonic()
    assert program.call("poll_oneoff", 0, 1024, 1, RESULT) == 0
    assert 0.015 < time.monotonic() - began < PATIENCE


def test_random_numbers(start):
    program = start(random=random.Random(1).randbytes)
    assert program.call("random_get", DATA, 10) == 0
    assert program.get(DATA, 10) == random.Random(1).randbytes(10)
    assert program.call("random_get", DATA, 0) == 0


@pytest.mark.parametrize("size", [9, 11])
def test_too_few_and_too_many_random_numbers(start, size):
    program = start(random=lambda wanted: bytes(size))
    with pytest.raises(ValueError, match=f"returned {size} bytes"):
        program.call("random_get", DATA, 10)


def test_instances_of_one_process_share_them(start):
    other = start(clock=lambda: 5, random=bytes).process.with_memory_of_its_own()
    assert other.clock is not None
    assert other.clock() == 5
    assert other.random is bytes


@pytest.mark.parametrize("name", ["clock", "random"])
def test_what_cannot_be_called(name):
    with pytest.raises(TypeError, match=f"{name} must be callable"):
        Wasi(**{name: 5})
