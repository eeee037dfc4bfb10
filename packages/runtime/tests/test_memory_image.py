"""Memories that begin with an image of their data: what one writes is its own, and all is as if data were written."""

from __future__ import annotations

import gc
import os
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from systems import mapped

import wasmetal
from wasm_core.testing.binary import sized, unsigned
from wasm_core.testing.builder import Op, WasmBuilder
from wasmetal import Engine, Instance, Module, Trap
from wasmetal.store import memory_pool
from wasmetal.system.host import host

try:
    os.close(host.image_file(4096, ()))
except OSError:
    pytest.skip("this system makes no images", allow_module_level=True)

PAGE = 65536
#: Enough to be worth an image, and no two pages are the same.
DATA = b"".join(number.to_bytes(4, "little") for number in range(32768))
START = 1500


@pytest.fixture(autouse=True)
def empty_pool() -> Iterator[None]:
    memory_pool.clear()
    yield
    memory_pool.clear()


def builder(pages: int = 4) -> WasmBuilder:
    b = WasmBuilder()
    b.memory(pages, export="memory")
    b.func("i", "i", Op.get(0) + Op.I32_LOAD, export="load")
    b.func("ii", "", Op.get(0) + Op.get(1) + Op.I32_STORE, export="store")
    b.func("i", "i", Op.get(0) + Op.MEMORY_GROW, export="grow")
    return b


def with_data(data: bytes = DATA, pages: int = 4) -> Module:
    b = builder(pages)
    b.data(Op.i32(START), data)
    return Engine().compile(b.build())


def made(module: Module, imports: Any = None) -> Instance:
    """An instance whose memory begins with an image, as that of a module's first instance does not."""
    module.instantiate(imports)
    instance = module.instantiate(imports)
    assert has_image(instance)
    return instance


def has_image(instance: Instance) -> bool:
    assert instance._core is not None
    return instance._core.memories[-1].image is not None


def expected(pages: int = 4) -> bytes:
    return (bytes(START) + DATA).ljust(pages * PAGE, b"\0")


def test_what_one_writes_no_other_sees() -> None:
    module = with_data()
    assert not has_image(module.instantiate())
    instances = [made(module), *[module.instantiate() for _ in range(3)]]
    for number, instance in enumerate(instances):
        assert instance.exports.memory[:] == expected()
        instance.exports.store(START, number)
        instance.exports.memory[3 * PAGE] = number
    assert [instance.exports.load(START) for instance in instances] == [0, 1, 2, 3]
    assert module.instantiate().exports.memory[:] == expected()


@pytest.mark.parametrize("grown", [0, 1, 60])
def test_the_next_memory_in_the_same_place_begins_anew(grown: int) -> None:
    module = with_data()
    instance = made(module)
    address = instance._core.memories[0]._base  # type: ignore[union-attr]
    instance.exports.grow(grown)
    memory = instance.exports.memory
    memory[:] = b"\xff" * len(memory)
    del instance, memory
    again = module.instantiate()
    assert again._core.memories[0]._base == address and has_image(again)  # type: ignore[union-attr]
    assert again.exports.memory[:] == expected()
    for offset in (4 * PAGE - 3, 4 * PAGE, (4 + grown) * PAGE):
        with pytest.raises(Trap, match="out of bounds memory access"):
            again.exports.load(offset)
    again.exports.grow(grown)
    assert again.exports.memory[4 * PAGE :] == bytes(grown * PAGE)


def test_growth() -> None:
    instance = made(with_data())
    view = instance.exports.memory.view()
    assert instance.exports.grow(3) == 4
    assert instance.exports.memory[:] == expected(7)
    instance.exports.store(6 * PAGE, 5)
    instance.exports.store(START, 7)
    assert view[START] == 7 and instance.exports.memory[6 * PAGE] == 5


def test_it_is_no_other_module_s() -> None:
    """A reservation that began with an image goes to nobody else, and the other way around."""
    module, other = with_data(), with_data(DATA[::-1])
    plain = Engine().compile(builder().build())
    for _ in range(3):
        assert made(module).exports.memory[:] == expected()
        assert made(other).exports.memory[START : START + len(DATA)] == DATA[::-1]
        assert plain.instantiate().exports.memory[:] == bytes(4 * PAGE)


def test_it_goes_with_the_last_who_has_it() -> None:
    module = with_data()
    instance = made(module)
    image = weakref.ref(instance._core.memories[0].image)  # type: ignore[union-attr]
    files = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    memory = instance.exports.memory
    module.engine.delete_compiled_module(module)
    del module, instance
    gc.collect()
    assert memory[:] == expected()
    del memory
    gc.collect()
    assert image() is None
    if files:
        assert len(os.listdir("/proc/self/fd")) == files - 1


def test_garbage_may_make_instances() -> None:
    """The finalizer of what is garbage together with the module and its image."""

    class Holder:
        def __init__(self) -> None:
            self.me = self
            self.module = with_data()
            self.instance = made(self.module)

        def __del__(self) -> None:
            seen.append(self.module.instantiate().exports.memory[:] == self.instance.exports.memory[:] == expected())

    seen: list[bool] = []
    for _ in range(5):
        Holder()
    gc.collect()
    assert seen == [True] * 5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_has_its_own_pages() -> None:
    module = with_data()
    instance = made(module)
    instance.exports.store(START, 1)
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        instance.exports.store(START, 2)
        mine = instance.exports.load(START), instance.exports.load(START + 40), module.instantiate().exports.load(START)
        os.write(theirs, repr(mine).encode())
        os._exit(0)
    assert os.read(ours, 100) == b"(2, 10, 0)"
    assert os.waitpid(child, 0)[1] == 0
    os.close(ours)
    os.close(theirs)
    assert instance.exports.load(START) == 1
    assert module.instantiate().exports.load(START) == 0


def test_segments_are_written_in_their_order() -> None:
    b = builder(10)
    b.data(Op.i32(START), DATA)
    b.data(Op.i32(START + 100), b"a" * 100)
    b.data(Op.i32(START + 150), b"b" * 100)
    b.data(Op.i32(6 * PAGE), b"far away")
    b.data(Op.i32(0), b"below")
    module = Engine().compile(b.build())
    first = module.instantiate().exports.memory[:]
    assert first[START + 95 : START + 255] == DATA[95:100] + b"a" * 50 + b"b" * 100 + DATA[250:255]
    assert first[:5] == b"below" and first[6 * PAGE :][:8] == b"far away"
    second = made(module)
    assert second.exports.memory[:] == first
    assert second._core.memories[0].image.segments == {0, 1, 2, 4}  # type: ignore[union-attr]


def test_offsets_that_depend_on_imports() -> None:
    """What comes behind them may lie over them, so it is written as ever."""
    b = WasmBuilder()
    b.import_global("m", "at", "i")
    b.memory(4, export="memory")
    b.data(Op.i32(START), DATA)
    b.data(Op.global_get(0), b"x" * 8)
    b.data(Op.i32(START + 4), b"y" * 4)
    module = Engine().compile(b.build())
    for at in (START, START + 2, 10):
        memory = made(module, {"m": {"at": at}}).exports.memory[:]
        wanted = bytearray(expected())
        wanted[at : at + 8] = b"x" * 8
        wanted[START + 4 : START + 8] = b"y" * 4
        assert memory == bytes(wanted)


def test_what_was_written_before_a_trap_stays() -> None:
    """Functions in an imported table reach the memory of an instance whose instantiation failed."""
    lookup = WasmBuilder()
    lookup.table("r", 2, export="table")
    code = Op.get(0) + Op.i32(0) + Op.call_indirect(lookup.type("i", "i"))
    lookup.func("i", "i", code, export="ask")
    for late in ("data", "elements"):
        b = WasmBuilder()
        b.import_table("m", "table", "r", 2)
        b.memory(4)
        load = b.func("i", "i", Op.get(0) + Op.I32_LOAD)
        b.elements(Op.i32(0), [load])
        if late == "elements":
            b.elements(Op.i32(2), [load])
        b.data(Op.i32(START), DATA)
        b.data(Op.i32(4 * PAGE - 1), b"ab")
        module = Engine().compile(b.build())
        for _ in range(3):
            tables = Engine().compile(lookup.build()).instantiate()
            with pytest.raises(Trap, match="out of bounds"):
                module.instantiate({"m": tables})
            assert tables.exports.ask(START + 40) == (10 if late == "data" else 0)


def test_an_imported_memory_has_the_image_of_another_module() -> None:
    owner = with_data()
    b = WasmBuilder()
    b.import_memory("m", "memory", 1)
    b.data(Op.i32(START), b"mine")
    user = Engine().compile(b.build())
    for _ in range(3):
        memory = made(owner).exports.memory
        user.instantiate({"m": {"memory": memory}})
        assert memory[START : START + 8] == b"mine" + DATA[4:8]


def test_several_memories() -> None:
    b = builder()
    b.memory(4, export="second")
    b.data(Op.i32(START), DATA)
    source = b.build()
    module = Engine().compile(source)
    instance = made_of_two(module)
    assert instance.exports.memory[:] == expected()
    assert instance.exports.second[:] == bytes(4 * PAGE)


def made_of_two(module: Module) -> Instance:
    module.instantiate()
    instance = module.instantiate()
    assert [memory.image is not None for memory in instance._core.memories] == [True, False]  # type: ignore[union-attr]
    return instance


def test_checked_memories_have_their_data_written() -> None:
    b = builder()
    b.data(Op.i32(START), DATA)
    module = Engine(wasmetal.Config(bounds_checks="explicit")).compile(b.build())
    for _ in range(3):
        instance = module.instantiate()
        assert not has_image(instance) and instance.exports.memory[:] == expected()


@pytest.mark.parametrize("what", ["image_file", "map_image"])
def test_the_system_refuses(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError("refused")

    monkeypatch.setattr(host, what, refuse)
    module = with_data()
    for _ in range(4):
        instance = module.instantiate()
        assert not has_image(instance) and instance.exports.memory[:] == expected()
        instance.exports.memory[:] = b"\xff" * (4 * PAGE)


def test_too_many_mappings(monkeypatch: pytest.MonkeyPatch) -> None:
    """An image takes more of them, so it is given up first."""
    module = with_data()
    made(module)
    memory_pool.clear()
    monkeypatch.setattr(memory_pool, "mappings_are_scarce", lambda each=2: each > 2)
    instance = module.instantiate()
    assert not has_image(instance) and instance.exports.memory[:] == expected()


def test_much_data() -> None:
    """Instances take no time, and no memory for what they do not write."""
    size = 100_000_000 if os.environ.get("WASMETAL_ALL") else 20_000_000
    b = builder(size // PAGE + 2)
    b.data(Op.i32(START), bytes(4) + b"\x01" * (size - 4))
    module = Engine(wasmetal.Config(cache=False)).compile(b.build())
    instances = [made(module)]
    taken = []
    for _ in range(5):
        began = process_time()
        instances += [module.instantiate() for _ in range(10)]
        taken.append((process_time() - began) / 10)
    # To copy as much once takes longer than this.
    assert min(taken) < 0.001, taken
    for number, instance in enumerate(instances):
        instance.exports.store(START + size - 4, number)
    assert [instance.exports.load(START + size - 4) for instance in instances] == [*range(51)]
    assert {instance.exports.load(START + size - 8) for instance in instances} == {0x01010101}


def test_images_leave_descriptors_to_others() -> None:
    # One module of a few MB has a hundred memories. What it makes the process keep open must not be all that it can.
    resource = pytest.importorskip("resource")
    b = WasmBuilder()
    for _ in range(40):
        b.memory(2)
    for number in range(40):
        b._data.append(b"\x02" + unsigned(number) + Op.i32(0) + Op.END + sized(DATA[: PAGE + number]))
    module = Engine().compile(b.build())
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    first = os.open(os.devnull, os.O_RDONLY)
    resource.setrlimit(resource.RLIMIT_NOFILE, (2 * first + 20, limits[1]))
    try:
        instances = [module.instantiate() for _ in range(2)]
        os.close(os.open(os.devnull, os.O_RDONLY))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        os.close(first)
    core = instances[1]._core
    assert core is not None
    assert 1 <= sum(memory.image is not None for memory in core.memories) <= first + 10
    assert all(bytes(core.memories[number].as_memory()[:PAGE]) == DATA[:PAGE] for number in range(40))


@pytest.mark.skipif(sys.platform != "linux", reason="about the calls of Linux")
def test_mapping_an_image_fails_when_the_place_is_unmapped_already(monkeypatch: pytest.MonkeyPatch) -> None:
    # As mmap(2) says it may. Whatever came to be mapped there would be the program's to read and write.
    from wasmetal.system import linux

    mmap = linux.mmap
    with_file = []

    def refuse(
        size: int, protection: int, flags: int, fd: int = -1, offset: int = 0, address: int | None = None
    ) -> int:
        if flags & linux.MAP_FIXED and fd >= 0:
            assert address is not None
            linux.munmap(address, size)
            with_file.append((address, size))
            raise OSError("refused")
        return mmap(size, protection, flags, fd, offset, address)

    module = with_data()
    module.instantiate()
    monkeypatch.setattr(linux, "mmap", refuse)
    instance = module.instantiate()
    [(address, size)] = with_file
    assert mapped(address) == mapped(address + size - 1) == "rw-p"
    assert not has_image(instance)
    assert instance.exports.memory[:] == expected()

    def refuse_all(size: int, protection: int, flags: int, *rest: int, **more: int) -> int:
        if flags & linux.MAP_FIXED:
            raise OSError("refused")
        return mmap(size, protection, flags, *rest, **more)

    # With a hole in it there is no memory.
    monkeypatch.setattr(linux, "mmap", refuse_all)
    with pytest.raises(MemoryError, match="cannot map"):
        module.instantiate()


def test_little_data_that_many_have() -> None:
    """Where pages are there already it is copied to these; many at the same time share it."""
    module = with_data(DATA[:5000], 2)
    for _ in range(20):
        assert not has_image(module.instantiate())
    instances = [module.instantiate() for _ in range(30)]
    assert [has_image(instance) for instance in instances].count(True) > 15 and not has_image(instances[0])
    for number, instance in enumerate(instances):
        exports = instance.exports
        assert exports.memory[:] == (bytes(START) + DATA[:5000]).ljust(2 * PAGE, b"\0")
        exports.store(START, number)
        exports.store(2 * PAGE - 4, number)
        with pytest.raises(Trap, match="out of bounds memory access"):
            exports.load(2 * PAGE - 3)
        assert exports.grow(1) == 2 and exports.load(2 * PAGE) == 0
    for offset in (START, 2 * PAGE - 4):
        assert [instance.exports.load(offset) for instance in instances] == list(range(30))
    del instances, instance, exports
    # (the first of these are where others were)
    for instance in [module.instantiate() for _ in range(40)]:
        assert instance.exports.memory[:] == (bytes(START) + DATA[:5000]).ljust(2 * PAGE, b"\0")


def test_little_data_is_copied_when_mappings_are_scarce(monkeypatch: pytest.MonkeyPatch) -> None:
    module = with_data(DATA[:5000], 2)
    kept = [module.instantiate() for _ in range(12)]
    assert has_image(kept[-1])
    for most in (2, 1):
        monkeypatch.setattr(memory_pool, "mappings_are_scarce", lambda each=2, most=most: each > most)
        kept.append(module.instantiate())
        assert has_image(kept[-1]) is (most == 2)
        assert kept[-1].exports.memory[:] == (bytes(START) + DATA[:5000]).ljust(2 * PAGE, b"\0")
