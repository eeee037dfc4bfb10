"""Address space that is used again: every memory starts with zeros and ends where it should."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

import pytest
from systems import posix

from wasmetal import Engine, Memory, MemoryType, Trap
from wasmetal.store import memory_pool
from wasmetal.store.memory_pool import MemoryLease

PAGE = 65536
SIZE = 1 << 27


@pytest.fixture(autouse=True)
def empty_pool() -> Iterator[None]:
    memory_pool.clear()
    yield
    memory_pool.clear()


@pytest.mark.parametrize("before", [1, 3, 4, 5, 40])
@pytest.mark.parametrize("pages", [0, 1, 3, 4, 5, 40])
def test_the_next_memory_is_all_zeros(before: int, pages: int) -> None:
    first = Memory(MemoryType(before))
    address = first._base
    first[:] = b"\xff" * len(first)
    del first
    second = Memory(MemoryType(pages))
    assert second._base == address
    assert len(second) == pages * PAGE
    assert second[:] == bytes(pages * PAGE)
    second.grow(50)
    assert second[:] == bytes((pages + 50) * PAGE)


def test_what_was_grown_is_zeroed_too() -> None:
    for pages in (1, 2, 1):
        memory = Memory(MemoryType(pages))
        memory.grow(30)
        assert memory[:] == bytes(len(memory))
        memory[:] = b"x" * len(memory)
        del memory


def test_the_next_memory_ends_where_it_should(wasm) -> None:
    builder = wasm()
    op = wasm.op
    builder.memory(1)
    builder.func("i", "i", op.get(0) + op.I32_LOAD, export="load")
    module = Engine().compile(builder.build())
    large = Memory(MemoryType(20))
    address = large._base
    large[:] = b"\xff" * len(large)
    del large
    instance = module.instantiate()
    assert instance._core is not None and instance._core.memories[0]._base == address
    assert instance.exports.load(PAGE - 4) == 0
    for offset in (PAGE - 3, PAGE, 4 * PAGE, 19 * PAGE, 20 * PAGE, (1 << 32) - 1):
        with pytest.raises(Trap, match="out of bounds memory access"):
            instance.exports.load(offset)


def test_a_view_keeps_the_memory_from_being_used_again() -> None:
    memory = Memory(MemoryType(1))
    address = memory._base
    view = memory.view()
    del memory
    other = Memory(MemoryType(1))
    assert other._base != address
    other[0] = 1
    view[1] = 2
    assert (view[0], other[1]) == (0, 0)
    del view
    assert Memory(MemoryType(1))._base == address


def test_large_ones_go_back_to_the_system() -> None:
    lease = MemoryLease.pooled(SIZE)
    lease.commit_first(memory_pool._LARGEST + PAGE)
    del lease
    assert not memory_pool._free[SIZE]


def test_so_many_are_kept_and_no_more() -> None:
    leases = [MemoryLease.pooled(SIZE) for _ in range(memory_pool._KEEP + 5)]
    addresses = {lease.address for lease in leases}
    assert len(addresses) == len(leases)
    del leases
    assert len(memory_pool._free[SIZE]) == memory_pool._KEEP


@posix
def test_pages_that_are_locked_are_zeros_too() -> None:
    lease = MemoryLease.pooled(SIZE)
    lease.commit_first(1 << 20)
    assert ctypes.CDLL(None).mlock(ctypes.c_void_p(lease.address), ctypes.c_size_t(1 << 19)) in (0, -1)
    ctypes.memset(lease.address, 1, 1 << 20)
    del lease
    again = MemoryLease.pooled(SIZE)
    again.commit_first(1 << 20)
    assert ctypes.string_at(again.address, 1 << 20) == bytes(1 << 20)
