"""Reserved address space and the stacks made of it."""

from __future__ import annotations

import ctypes
import gc
import sys
from types import FrameType

import pytest
from systems import mapped

from wasmetal.store.native_stack import RESERVE, NativeStack
from wasmetal.system import address_space
from wasmetal.system.address_space import Reservation, page_ceil
from wasmetal.system.host import host


def test_commits_what_was_asked_for_and_no_more() -> None:
    reservation = Reservation(8 << 30)
    assert reservation.size == 8 << 30
    reservation.commit(0, 3 * 65536)
    words = (ctypes.c_uint64 * (3 * 8192)).from_address(reservation.address)
    assert not any(words)
    words[-1] = 7
    reservation.commit(2 * 65536, 2 * 65536)
    assert words[-1] == 7
    assert mapped(reservation.address + 4 * 65536 - 1) == "rw-p"
    assert mapped(reservation.address + 4 * 65536) == "---p"


def test_commit_stays_inside() -> None:
    reservation = Reservation(65536)
    for offset, size in ((0, 65537), (65536, 1), (-1, 4), (0, -1)):
        with pytest.raises(IndexError):
            reservation.commit(offset, size)
    reservation.commit(65536, 0)


def test_release_gives_the_range_back_once() -> None:
    reservation = Reservation(1 << 20)
    address = reservation.address
    assert mapped(address) == "---p"
    reservation.release()
    assert reservation.released
    assert mapped(address) is None
    again = Reservation(1 << 20)
    reservation.release()
    assert mapped(again.address) == "---p"


def test_collected_reservations_are_released() -> None:
    reservation = Reservation(1 << 40)
    address = reservation.address
    del reservation
    gc.collect()
    assert mapped(address) is None


def test_refused_reservation() -> None:
    with pytest.raises(OSError, match=r"mmap|reserving"):
        Reservation(1 << 60)
    with pytest.raises(ValueError):
        Reservation(0)


def test_page_ceil() -> None:
    assert [page_ceil(size) for size in (0, 1, host.PAGE, host.PAGE + 1)] == [
        0,
        host.PAGE,
        host.PAGE,
        2 * host.PAGE,
    ]


def test_stack_has_a_guard_page_and_a_reserve() -> None:
    stack = NativeStack(1 << 20)
    assert stack.top % 16 == 0
    assert stack.top - stack.limit == 1 << 20
    assert mapped(stack.top - 1) == "rw-p"
    assert mapped(stack.limit - RESERVE) == "rw-p"
    assert mapped(stack.limit - RESERVE - 1) == "---p"
    assert stack.contains(stack.limit) and not stack.contains(stack.top)


def test_one_that_was_interrupted_goes_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    # KeyboardInterrupt as `__init__` begins: Python would show an AttributeError of the finalizer.
    shown: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", shown.append)
    reservation = Reservation.__new__(Reservation)
    del reservation
    assert not shown


def test_what_an_interrupted_finalizer_leaves_is_given_back_later(monkeypatch: pytest.MonkeyPatch) -> None:
    # Each Ctrl-C, at the wrong moment, would cost gigabytes of address space and what was written there.
    def interrupt(frame: FrameType, event: str, argument: object) -> None:
        if frame.f_code is Reservation.__del__.__code__:
            raise KeyboardInterrupt

    monkeypatch.setattr(sys, "unraisablehook", lambda shown: None)
    monkeypatch.setattr(address_space, "_sweep_at", 1 << 60)
    kept = Reservation(65536)
    reservation = Reservation(8 << 30)
    number, previous = reservation._number, sys.gettrace()
    sys.settrace(interrupt)
    try:
        del reservation
    finally:
        sys.settrace(previous)
    assert number in address_space._alive
    monkeypatch.setattr(address_space, "_sweep_at", 0)
    Reservation(65536).release()
    assert number not in address_space._alive
    assert mapped(kept.address) == "---p"
