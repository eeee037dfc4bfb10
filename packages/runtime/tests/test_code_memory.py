"""The code arena: W^X, giving back, fork."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from systems import mappings, posix, windows

from wasmetal.code.arena import CodeArena, arena
from wasmetal.code.page_allocator import PageAllocator
from wasmetal.system.host import host

amd64 = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the code in this test is x86-64")

Call = ctypes.CFUNCTYPE(ctypes.c_uint64)


def returning(number: int) -> bytes:
    """mov eax, number; ret"""
    return b"\xb8" + number.to_bytes(4, "little") + b"\xc3"


def protections(start: int, end: int) -> set[str]:
    """Protections of all mappings that overlap a range."""
    return {protection for low, high, protection in mappings() if low < end and start < high}


def all_protections() -> set[str]:
    return protections(0, 1 << 64)


def writable_code() -> set[tuple[int, int, str]]:
    """Mappings that are writable and executable. (libffi makes some for callbacks, as another test may have used.)"""
    return {mapping for mapping in mappings() if {"w", "x"} <= set(mapping[2])}


@pytest.fixture(params=[True, False], ids=["two mappings", "in place"])
def own_arena(request: pytest.FixtureRequest) -> CodeArena:
    if request.param and (windows or not hasattr(ctypes.CDLL(None), "memfd_create")):
        pytest.skip("no memory here that could be mapped twice")
    made = CodeArena(1 << 24, dual_mapping=request.param)
    assert made.dual_mapping == request.param
    return made


@amd64
def test_code_runs_and_is_never_writable_and_executable(own_arena: CodeArena) -> None:
    region = own_arena.region()
    others = writable_code()
    stop = threading.Event()
    seen: set[str] = set()
    writable: set[tuple[int, int, str]] = set()

    def watch() -> None:
        while not stop.is_set():
            seen.update(all_protections())
            writable.update(writable_code())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        calls = [Call(region.place(returning(number))) for number in range(300)]
        assert [call() for call in calls] == list(range(300))
    finally:
        stop.set()
        watcher.join()
    seen.update(all_protections())
    writable.update(writable_code())
    assert any("x" in protection for protection in seen)
    assert not writable - others
    assert protections(own_arena.start, own_arena.data_start) <= {"r-xs", "r-xp", "---p"}


@amd64
def test_code_written_in_place_has_its_own_pages() -> None:
    region = CodeArena(1 << 24, dual_mapping=False).region()
    first, second = region.place(returning(1)), region.place(returning(2))
    assert first // host.PAGE != second // host.PAGE


@amd64
def test_data_is_zeroed_writable_and_near(own_arena: CodeArena) -> None:
    region = own_arena.region()
    first, second = region.data(24), region.data(100_000)
    assert first % 32 == second % 32 == 0
    words = (ctypes.c_uint64 * 12_500).from_address(second)
    assert not any(words)
    words[-1] = 1
    code = region.place(returning(0))
    assert abs(second - code) < 1 << 31
    assert protections(second, second + 100_000) == {"rw-p"}
    region.free()
    again = own_arena.region()
    assert not any((ctypes.c_uint64 * 12_500).from_address(again.data(100_000)))


def test_regions_give_everything_back(own_arena: CodeArena) -> None:
    before = own_arena.bytes_in_use
    region = own_arena.region()
    for number in range(200):
        address = region.place(bytes([0xCC]) * (number * 37 + 1))
        assert own_arena.contains(address) and region.contains(address)
    region.data(5000)
    assert own_arena.bytes_in_use == before + region.bytes_in_use > before
    region.free()
    region.free()
    assert own_arena.bytes_in_use == before
    assert not region.contains(address)
    with pytest.raises(ValueError):
        region.reserve(1)
    with pytest.raises(ValueError):
        region.data(1)


def test_collected_regions_give_everything_back(own_arena: CodeArena) -> None:
    region = own_arena.region()
    region.place(b"\xcc" * 100_000)
    region.data(8)
    del region
    gc.collect()
    assert own_arena.bytes_in_use == 0
    assert protections(own_arena.data_start, own_arena.start + own_arena.size) == {"---p"}


@posix
def test_memory_goes_back_to_the_system() -> None:
    own_arena = CodeArena(1 << 26)
    region = own_arena.region()
    region.place(b"\xcc" * (8 << 20))

    def resident() -> int:
        maps = Path("/proc/self/smaps").read_text()
        if f"{own_arena.start:x}-" not in maps:
            pytest.skip("smaps is about the emulator's memory")
        rest = maps.split(f"{own_arena.start:x}-", 1)[1]
        return int(rest.split("Pss:", 1)[1].split()[0])

    pointer = region.place(b"\xcc" * 4096)
    ctypes.string_at(pointer, 1)
    region.free()
    assert resident() == 0


def test_full_arena(own_arena: CodeArena) -> None:
    region = own_arena.region()
    with pytest.raises(MemoryError, match="arena"):
        region.reserve(own_arena.size)
    with pytest.raises(MemoryError, match="arena"):
        region.data(own_arena.size)
    region.reserve(own_arena.code_size - (1 << 20))


def test_alignment(own_arena: CodeArena) -> None:
    """In place every piece has pages of its own."""
    region = own_arena.region()
    region.place(b"\xc3")
    assert region.reserve(3) % 32 == 0
    assert region.reserve(3, 64) % 64 == 0
    assert region.reserve(3, 1) % 64 == (3 if own_arena.dual_mapping else 0)


def test_finalizers_may_run_in_the_middle_of_an_allocation(own_arena: CodeArena) -> None:
    region = own_arena.region()
    region.place(b"\xc3")
    allocator = own_arena._code

    class Interrupted:
        """A list of free ranges that the collector comes to while it is looked through."""

        def __iter__(self) -> Iterator[tuple[int, int]]:
            ranges, allocator._free = allocator._free, before
            assert ranges is self
            region.free()
            return iter(before)

        def __getitem__(self, key: slice) -> tuple[tuple[int, int], ...]:
            return before[key]

    before = allocator._free
    allocator._free = Interrupted()  # type: ignore[assignment]
    other = own_arena.region()
    other.place(b"\xc3")
    assert own_arena.bytes_in_use == other.bytes_in_use
    other.free()
    assert own_arena.bytes_in_use == 0


def in_child(work: object) -> int:
    """Exit code of a forked child that runs `work`."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            assert callable(work)
            code = work()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@amd64
@posix
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
def test_fork_separates_the_code_of_parent_and_child() -> None:
    region = arena().region()
    others = writable_code()
    old = Call(region.place(returning(1)))
    reserved = region.reserve(16)

    def grandchild() -> int:
        region.write(reserved, returning(3))
        return int(Call(reserved)())

    def child() -> int:
        if old() != 1:
            return 1
        region.write(reserved, returning(2))
        if Call(reserved)() != 2:
            return 2
        if writable_code() - others:
            return 3
        # a grandchild has its own again
        if in_child(grandchild) != 3:
            return 4
        return 0 if Call(reserved)() == 2 else 5

    assert in_child(child) == 0
    if arena().dual_mapping:  # else nothing is there yet
        assert ctypes.string_at(reserved, 6) == bytes(6)
    region.write(reserved, returning(4))
    assert Call(reserved)() == 4 and old() == 1
    assert in_child(lambda: Call(reserved)()) == 4


@amd64
@posix
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
def test_parent_may_change_code_while_the_child_starts() -> None:
    """The child's copy is made before the fork."""
    region = arena().region()
    code = region.place(returning(1))
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.read(read, 1)
        os._exit(Call(code)())
    region.write(code, returning(2))
    os.write(write, b"x")
    os.close(read)
    os.close(write)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
    assert Call(code)() == 2


def test_page_allocator_against_a_model() -> None:
    rng = random.Random(1)
    allocator = PageAllocator(64)
    taken: dict[int, int] = {}
    for _ in range(5000):
        if taken and rng.random() < 0.5:
            start = rng.choice(list(taken))
            allocator.free(start, taken.pop(start))
        else:
            size = rng.randint(1, 9)
            found = allocator.allocate(size)
            if found is None:
                used = {unit for start, length in taken.items() for unit in range(start, start + length)}
                runs = "".join("x" if unit in used else "." for unit in range(64)).split("x")
                assert max(map(len, runs)) < size
            else:
                assert found >= 0 and found + size <= 64
                assert all(found + size <= start or start + length <= found for start, length in taken.items())
                taken[found] = size
        assert allocator.in_use == sum(taken.values())
        units = {unit for start, length in allocator.ranges_in_use() for unit in range(start, start + length)}
        assert units == {unit for start, length in taken.items() for unit in range(start, start + length)}
