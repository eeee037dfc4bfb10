"""More memories and stacks than there is address space and mappings for, if each had its own and guard pages."""

from __future__ import annotations

import gc
import itertools
import os
import subprocess
import sys
import textwrap
from typing import Any

import pytest
from systems import mappings, posix

import wasmetal
from wasm_core.types import PAGE_SIZE, MemoryType
from wasmetal.store import memory_pool
from wasmetal.store.native_stack import NativeStack
from wasmetal.system import address_space, shared_mappings
from wasmetal.system.host import host
from wasmetal.system.shared_mappings import Piece

if not any(backend.supported for backend in wasmetal.backends()):
    pytest.skip("no backend for this machine", allow_module_level=True)


@pytest.fixture
def scarce(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address_space, "_FEW", -1)
    monkeypatch.setattr(host, "most_mappings", lambda: -2)


@posix
@pytest.mark.skipif(sys.maxsize < 2**47, reason="needs a large address space")
def test_twenty_thousand_instances() -> None:
    # It used to end with MemoryError at 16,666, when 128 TiB were used up.
    program = """
        import gc, wasmetal
        from wasm_core.testing.builder import WasmBuilder

        op = WasmBuilder.op
        b = WasmBuilder()
        b.memory(1, export="memory")
        b.func("i", "i", op.get(0) + op.I32_LOAD, export="load")
        b.func("ii", "", op.get(0) + op.get(1) + op.I32_STORE, export="store")
        b.func("i", "i", op.get(0) + op.MEMORY_GROW, export="grow")
        module = wasmetal.Module(b.build())
        instances = [module.instantiate() for _ in range(20_000)]
        some = instances[::500] + instances[-3:]
        for number, instance in enumerate(some):
            assert instance.exports.load(0) == 0
            instance.exports.store(65532, number)
        for number, instance in enumerate(some):
            exports = instance.exports
            assert exports.load(65532) == number
            try:
                exports.load(65533)
            except wasmetal.Trap:
                pass
            else:
                raise AssertionError("no trap")
            assert exports.grow(10) == 1 and exports.load(65536 * 11 - 4) == 0
        kinds = [instance.exports.memory.guarded for instance in some]
        assert kinds[0] and not kinds[-1]
        del instances, some, instance, exports
        gc.collect()
        assert module.instantiate().exports.memory.guarded
    """
    path = [os.path.dirname(__file__), *[entry for entry in sys.path if entry]]
    source = f"import sys; sys.path[:0] = {path!r}\n{textwrap.dedent(program)}"
    result = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr


def test_memories_take_comparisons_before_they_are_refused(wasm: Any, scarce: None) -> None:
    op, b = wasm.op, wasm()
    b.memory(1, export="memory")
    b.func("i", "i", op.get(0) + op.I32_LOAD, export="load")
    b.func("i", "i", op.get(0) + op.MEMORY_GROW, export="grow")
    module = wasmetal.Module(b.build())
    module.instantiate()
    before = len(mappings())
    instances = [module.instantiate() for _ in range(300)]
    assert len(mappings()) < before + 100
    # Those in the pool still have their guard pages.
    assert not instances[-1].exports.memory.guarded
    exports = instances[-1].exports
    assert exports.load(65532) == 0 and exports.grow(3) == 1 and exports.load(4 * 65536 - 4) == 0
    with pytest.raises(wasmetal.Trap, match="out of bounds memory access"):
        exports.load(4 * 65536 - 3)
    # Who asks for guard pages gets them.
    assert wasmetal.Memory(MemoryType(1), bounds_checks="guard").guarded


def test_shared_memory_is_zero_when_it_is_used_again(scarce: None) -> None:
    addresses = set()
    for _ in range(3):
        held = [wasmetal.Memory(MemoryType(2, 2), bounds_checks="explicit") for _ in range(5)]
        for memory in held:
            assert bytes(memory.view()) == bytes(2 * PAGE_SIZE)
            memory.view()[:] = b"x" * (2 * PAGE_SIZE)
            addresses.add(memory._base)
        # One mapping stays, so that its pieces are used again.
        other = Piece(2 * PAGE_SIZE)
        del held, memory
        gc.collect()
    assert len(addresses) < 15
    del other


class Interrupt(Exception):
    pass


@pytest.mark.parametrize("shared", [True, False])
def test_growth_that_is_interrupted_leaves_a_memory_that_can_grow(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    """It used to take the access away for good from the pieces that it did not need in the end."""
    if shared:
        request.getfixturevalue("scarce")
    memory = wasmetal.Memory(MemoryType(1, 20), bounds_checks="auto" if not shared else "explicit")
    commit = memory_pool.MemoryLease.commit

    def interrupted(lease: Any, offset: int, size: int) -> None:
        commit(lease, offset, size)
        monkeypatch.undo()
        raise Interrupt

    monkeypatch.setattr(memory_pool.MemoryLease, "commit", interrupted)
    with pytest.raises(Interrupt):
        memory.grow(3)
    assert memory.pages == 1
    assert memory.grow(2) == 1
    memory[len(memory) - 1] = 1
    # The same pages, for another one.
    del memory
    memory = wasmetal.Memory(MemoryType(20, 20), bounds_checks="auto" if not shared else "explicit")
    assert bytes(memory.view()) == bytes(len(memory))


@pytest.mark.parametrize("end", ["exception", "limit"])
def test_growth_below_growth(wasm: Any, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    """Handlers let a memory grow while it grows, or while what an exception left behind is tidied up."""
    op, b = wasm.op, wasm()
    b.memory(1, 6, export="memory")
    b.func("i", "i", op.get(0) + op.I32_LOAD8_U, export="load")
    exports = wasmetal.Module(b.build()).instantiate().exports
    memory = exports.memory
    commit, forbid = memory_pool.MemoryLease.commit, host.forbid

    def interrupted(lease: Any, offset: int, size: int) -> None:
        commit(lease, offset, size)
        monkeypatch.setattr(memory_pool.MemoryLease, "commit", commit)
        if end == "exception":
            raise Interrupt
        memory.grow(1)

    def handled(address: int, size: int) -> None:
        monkeypatch.setattr(host, "forbid", forbid)
        memory.grow(4)
        forbid(address, size)

    monkeypatch.setattr(memory_pool.MemoryLease, "commit", interrupted)
    if end == "exception":
        monkeypatch.setattr(host, "forbid", handled)
        with pytest.raises(Interrupt):
            memory.grow(3)
        assert memory.pages == 5
    else:
        with pytest.raises(wasmetal.WasmError, match="cannot grow"):
            memory.grow(5)
        assert memory.pages == 2
    for at in range(0, len(memory), PAGE_SIZE):
        memory[at] = 1
        assert exports.load(at) == 1
    with pytest.raises(wasmetal.Trap):
        exports.load(len(memory))


def test_a_memory_with_a_large_minimum_is_shared_too(scarce: None) -> None:
    memory = wasmetal.Memory(MemoryType(5000, 20000), bounds_checks="explicit")
    assert memory.grow(5000) == 5000
    memory[len(memory) - 1] = 1


def test_pieces_do_not_overlap_and_mappings_go_with_them() -> None:
    size = 1 << 22
    pieces = [Piece(size - 5) for _ in range(100)]
    assert {piece.size for piece in pieces} == {size}
    ends = sorted((piece.address, piece.address + piece.size) for piece in pieces)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(ends))
    with pytest.raises(IndexError):
        pieces[0].commit(size - 1, 2)
    reservations = len(address_space._alive)
    del pieces
    gc.collect()
    assert len(address_space._alive) == reservations - 4
    again = Piece(size)
    assert again.size == size


def test_no_room_for_shared_mappings(wasm: Any, scarce: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where so much at once is not to be had, a memory gets a mapping of its own."""

    def refuse(size: int) -> Any:
        raise OSError("refused")

    monkeypatch.setattr(shared_mappings, "_Mapping", refuse)
    monkeypatch.setattr(shared_mappings, "_free", {})
    assert wasmetal.Memory(MemoryType(1, 5), bounds_checks="explicit").grow(4) == 1


def test_stacks_in_shared_mappings_are_as_large_as_asked_for(scarce: None) -> None:
    stacks = [NativeStack(1 << 20) for _ in range(3)]
    for stack in stacks:
        assert stack.top - stack.limit == 1 << 20 and stack.top % 16 == 0
        assert stack.contains(stack.limit - 65536) and not stack.contains(stack.top)
    assert len({stack.top for stack in stacks}) == 3


def test_stack_overflow_on_a_shared_mapping(wasm: Any, scarce: None) -> None:
    op, b = wasm.op, wasm()
    b.func("", "", op.call(0), export="f")
    engine = wasmetal.Engine(wasmetal.Config(max_stack_bytes=3 * 256 * 1024))
    exports = engine.compile(b.build()).instantiate().exports
    with pytest.raises(wasmetal.Trap, match="call stack exhausted"):
        exports.f()


def test_guard_pages_leave_address_space_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    # What a small address space has room for would be all used up by guard pages, and no stack could be had.
    reserve = host.reserve
    most = 40 * (8 << 30)

    def limited(size: int) -> int:
        if size > most - sum(memory.guarded for memory in held) * (8 << 30):
            raise OSError("refused")
        return reserve(size)

    held: list[wasmetal.Memory] = []
    gc.collect()
    memory_pool.clear()
    monkeypatch.setattr(memory_pool, "_sure", 4)
    monkeypatch.setattr(host, "reserve", limited)
    while len(held) < 50:
        held.append(wasmetal.Memory(MemoryType(1, 1)))
    assert 4 <= sum(memory.guarded for memory in held) <= 24
