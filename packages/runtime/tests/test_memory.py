"""Memories: access from Python, growth, views."""

from __future__ import annotations

import array
import gc
import subprocess
import sys

import pytest

import wasmetal
from wasmetal import Config, Engine, Memory, MemoryType, Module, WasmError
from wasmetal.store.linear_memory import LinearMemory

PAGE = 65536


def test_new_memory() -> None:
    memory = Memory(MemoryType(2, 5))
    assert memory.pages == 2
    assert len(memory) == 2 * PAGE
    assert memory.type == MemoryType(2, 5)
    assert memory[:] == bytes(2 * PAGE)
    assert "2 pages" in repr(memory)


@pytest.mark.parametrize("type", [MemoryType(3, 2), MemoryType(-1), MemoryType(65537), MemoryType(0, 65537)])
def test_wrong_sizes(type: MemoryType) -> None:
    with pytest.raises(ValueError):
        Memory(type)


@pytest.mark.parametrize("type", [MemoryType(1, 2, shared=True), MemoryType(1, is64=True, shared=True)])
def test_kinds_that_are_not_supported(type: MemoryType) -> None:
    with pytest.raises(WasmError, match="not supported"):
        Memory(type)


def test_bytes() -> None:
    memory = Memory(MemoryType(1))
    memory[0] = 1
    memory[-1] = 255
    assert (memory[0], memory[PAGE - 1], memory[-1], memory[-PAGE]) == (1, 255, 255, 1)
    for index in (PAGE, -PAGE - 1, 1 << 64, -(1 << 64)):
        with pytest.raises(IndexError):
            memory[index]
        with pytest.raises(IndexError):
            memory[index] = 0
    for value in (-1, 256):
        with pytest.raises(ValueError):
            memory[0] = value
    for value in ("x", None, 1.0):
        with pytest.raises(TypeError):
            memory[0] = value
    with pytest.raises(TypeError):
        memory["0"]


def test_slices() -> None:
    memory = Memory(MemoryType(1))
    memory[10:15] = b"hello"
    assert memory[10:15] == b"hello"
    assert type(memory[10:15]) is bytes
    assert memory[10:15:2] == b"hlo"
    assert memory[14:9:-1] == b"olleh"
    memory[-5:] = bytearray(b"world")
    assert memory[-5:] == b"world" == memory[PAGE - 5 :]
    assert memory[5:5] == b"" == memory[9:3] == memory[PAGE:]
    for part in (slice(0, PAGE + 1), slice(PAGE + 1, None), slice(-PAGE - 1, None), slice(0, 1 << 70)):
        with pytest.raises(IndexError):
            memory[part]
        with pytest.raises(IndexError):
            memory[part] = b""
    memory[0:4] = array.array("I", [0x04030201])
    assert memory[:4] == b"\1\2\3\4"
    memory[0:3] = memoryview(b"a-b-c")[::2]
    assert memory[:3] == b"abc"
    for data in (b"xx", b"xxxx"):
        with pytest.raises(ValueError):
            memory[0:3] = data
    for data in ("abc", 3, [1, 2, 3]):
        with pytest.raises(TypeError):
            memory[0:3] = data
    assert memory[:3] == b"abc"


def test_read_and_write() -> None:
    memory = Memory(MemoryType(1))
    memory.write(100, b"abc")
    assert memory.read(100, 3) == b"abc"
    assert memory.read(PAGE, 0) == b""
    memory.write(PAGE, b"")
    memory.write(PAGE - 3, memoryview(b"xyz"))
    assert memory.read(PAGE - 3, 3) == b"xyz"
    for offset, size in ((-1, 1), (0, -1), (PAGE, 1), (PAGE - 1, 2), (1 << 40, 1), (0, 1 << 40)):
        with pytest.raises(IndexError):
            memory.read(offset, size)
    for offset in (-1, PAGE - 2, PAGE, 1 << 40):
        with pytest.raises(IndexError):
            memory.write(offset, b"???")
    assert memory.read(PAGE - 3, 3) == b"xyz"
    with pytest.raises(TypeError):
        memory.write(0, "text")


def test_growth() -> None:
    memory = Memory(MemoryType(1, 3))
    memory[PAGE - 1] = 7
    assert memory.grow(0) == 1
    assert memory.grow(2) == 1
    assert memory.pages == 3
    assert memory[PAGE - 1 : PAGE + 1] == b"\7\0"
    with pytest.raises(WasmError, match="cannot grow by 1"):
        memory.grow(1)
    with pytest.raises(WasmError):
        memory.grow(1 << 40)
    with pytest.raises(ValueError):
        memory.grow(-1)
    assert memory.pages == 3


def test_growth_that_fails_leaves_nothing_behind_the_end(wasm, monkeypatch: pytest.MonkeyPatch) -> None:
    # What code wrote there, while it could, was read without a trap; by whoever had the memory next, perhaps.
    op = wasm.op
    b = wasm()
    b.memory(1, 100, export="memory")
    b.func("i", "i", op.get(0) + op.I32_LOAD, export="load")
    b.func("ii", "", op.get(0) + op.get(1) + op.I32_STORE, export="store")
    exports = Module(b.build()).instantiate().exports
    view_of = LinearMemory._view_of

    def fail(memory: LinearMemory, size: int) -> memoryview:
        if size == 2 * PAGE:
            exports.store(PAGE + 100, 7)
            raise MemoryError
        return view_of(memory, size)

    with monkeypatch.context() as patch:
        patch.setattr(LinearMemory, "_view_of", fail)
        with pytest.raises(WasmError, match="cannot grow"):
            exports.memory.grow(1)
    with pytest.raises(wasmetal.Trap, match="out of bounds"):
        exports.load(PAGE + 100)
    assert exports.memory.grow(1) == 1
    assert exports.load(PAGE + 100) == 0


def test_memory_of_no_pages() -> None:
    memory = Memory(MemoryType(0))
    assert len(memory) == 0 and memory[:] == b""
    assert len(memory.view()) == 0
    with pytest.raises(IndexError):
        memory[0]
    assert memory.grow(1) == 0
    memory[0] = 1
    assert memory[0] == 1


def test_views_are_writable_and_survive_growth() -> None:
    memory = Memory(MemoryType(1))
    view = memory.view()
    assert not view.readonly and view.format == "B" and view.nbytes == PAGE
    view[5] = 42
    assert memory[5] == 42
    memory.grow(100)
    memory[6] = 43
    view[7] = 44
    assert view[6] == 43 and memory[7] == 44
    assert len(view) == PAGE and len(memory.view()) == 101 * PAGE


def test_releasing_a_view_harms_nothing() -> None:
    memory = Memory(MemoryType(1))
    memory.view().release()
    assert memory[0] == 0
    with memory.view() as view:
        view[0] = 9
    assert memory[0] == 9


def test_views_keep_the_mapping(clean: None) -> None:
    memory = Memory(MemoryType(1))
    memory[3] = 33
    view = memory.view()
    part = view[2:5]
    del memory, view
    gc.collect()
    assert bytes(part) == b"\0\x21\0"
    part[0] = 1


@pytest.mark.skipif(sys.version_info < (3, 12), reason="PEP 688 is for Python 3.12")
def test_buffer_protocol() -> None:
    memory = Memory(MemoryType(1))
    with memoryview(memory) as view:
        view[0] = 5
    assert memory[0] == 5


def test_wasm_and_python_see_the_same_bytes(wasm) -> None:
    builder = wasm()
    op = wasm.op
    builder.memory(1, export="memory")
    builder.func("i", "i", op.get(0) + op.I32_LOAD, export="load")
    builder.func("ii", "", op.get(0) + op.get(1) + op.I32_STORE, export="store")
    builder.func("i", "i", op.get(0) + op.MEMORY_GROW, export="grow")
    builder.func("", "i", op.MEMORY_SIZE, export="size")
    exports = Module(builder.build()).instantiate().exports
    memory = exports.memory
    view = memory.view()
    exports.store(8, 0x04030201)
    assert memory[8:12] == b"\1\2\3\4" == bytes(view[8:12])
    memory[8] = 0xFF
    assert exports.load(8) == 0x040302FF
    assert exports.grow(3) == 1
    assert memory.pages == 4 == exports.size()
    assert memory.grow(1) == 4
    assert exports.size() == 5
    exports.store(5 * PAGE - 4, 77)
    assert memory[-4] == 77
    with pytest.raises(wasmetal.Trap, match="out of bounds memory access"):
        exports.load(5 * PAGE - 3)
    view[8] = 1
    assert exports.load(8) == 0x04030201


@pytest.mark.parametrize("bounds_checks", ["guard", "explicit", "auto"])
def test_bounds(wasm, bounds_checks: str) -> None:
    builder = wasm()
    op = wasm.op
    builder.memory(1, 2, export="memory")
    builder.func("i", "i", op.get(0) + op.I32_LOAD, export="load")
    # The largest constant offset.
    builder.func("i", "i", op.get(0) + b"\x28\x00\xff\xff\xff\xff\x0f", export="far")
    exports = Engine(Config(bounds_checks=bounds_checks)).compile(builder.build()).instantiate().exports
    assert exports.memory.guarded is (bounds_checks != "explicit")
    assert exports.load(PAGE - 4) == 0
    for address in (PAGE - 3, PAGE, PAGE + 1, 1 << 31, (1 << 32) - 1, -4):
        with pytest.raises(wasmetal.Trap, match="out of bounds memory access"):
            exports.load(address)
    for address in (0, 1, (1 << 32) - 1):
        with pytest.raises(wasmetal.Trap, match="out of bounds memory access"):
            exports.far(address)
    assert exports.load(0) == 0


def test_explicit_memory_makes_explicit_code(wasm) -> None:
    """An imported memory without guard pages is not used by code that relies on them."""
    builder = wasm()
    op = wasm.op
    builder.import_memory("env", "memory", 1)
    builder.func("i", "i", op.get(0) + op.I32_LOAD, export="load")
    module = Module(builder.build())
    unguarded = Memory(MemoryType(1), bounds_checks="explicit")
    guarded = Memory(MemoryType(1))
    assert guarded.guarded and not unguarded.guarded
    for memory in (guarded, unguarded, guarded):
        load = module.instantiate({"env": {"memory": memory}}).exports.load
        assert load(PAGE - 4) == 0
        with pytest.raises(wasmetal.Trap, match="out of bounds memory access"):
            load(PAGE - 3)
    with pytest.raises(wasmetal.LinkError, match="guard pages"):
        Engine(Config(bounds_checks="guard")).compile(builder.build()).instantiate({"env": {"memory": unguarded}})


# In a process with little address space: no guard pages can be had, and not all that a memory may grow to.
_LITTLE = """
import resource, wasmetal
from wasmetal import Config, Engine, Memory, MemoryType, Module
from wasmetal.store import memory_pool
source = bytes.fromhex({source!r})
Module(source).instantiate().exports.load(0)  # the arena for code is there
memory_pool.clear()
import pathlib
pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + (1 << 30)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
exports = Module(source).instantiate().exports
assert not exports.memory.guarded
assert exports.load(65532) == 0
try:
    exports.load(65533)
except wasmetal.Trap as trap:
    assert str(trap) == "out of bounds memory access"
else:
    raise SystemExit("no trap")
assert exports.grow(60000) == -1
assert exports.grow(10) == 1
assert exports.load(11 * 65536 - 4) == 0
for attempt in (
    lambda: Memory(MemoryType(65536)),
    lambda: Memory(MemoryType(1), bounds_checks="guard"),
    lambda: Engine(Config(bounds_checks="guard")).compile(source).instantiate(),
    lambda: exports.memory.grow(50000),
):
    try:
        attempt()
    except (MemoryError, wasmetal.WasmError):
        pass
    else:
        raise SystemExit("no error")
print("done")
"""


@pytest.mark.usefixtures("address_limit")
def test_little_address_space(wasm) -> None:
    resource = pytest.importorskip("resource")
    if resource.getrlimit(resource.RLIMIT_AS)[1] != resource.RLIM_INFINITY:
        pytest.skip("limited already")
    builder = wasm()
    op = wasm.op
    builder.memory(1, export="memory")
    builder.func("i", "i", op.get(0) + op.I32_LOAD, export="load")
    builder.func("i", "i", op.get(0) + op.MEMORY_GROW, export="grow")
    program = _LITTLE.format(source=builder.build().hex())
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stdout) == (0, "done\n"), run.stderr
