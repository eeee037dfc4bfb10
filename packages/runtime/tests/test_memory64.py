"""64-bit memories: no address and no offset, however large, reaches anything but the memory's bytes."""

from __future__ import annotations

import itertools
import os
import platform
from typing import Any, Final, Literal

import attrs
import pytest

import wasmetal
from wasmetal import Config, Engine, Features, LinkError, Memory, MemoryType, Trap, TrapCode, WasmError

assemble = pytest.importorskip("wasm_text").assemble
if not any(backend.supported for backend in wasmetal.backends()):
    pytest.skip("no backend for this machine", allow_module_level=True)

Checks = Literal["auto", "guard", "explicit"]
Rows = tuple[tuple[str, int, str], ...]

PAGE: Final = 65536
ALL: Final = (1 << 64) - 1

#: Of a vector that is stored across the end of a memory with guard pages, what is inside may be written: Arm's
#: architecture does not say that such a store is done as a whole or not at all (nor do QEMU and 32-bit memories).
TEARS: Final = platform.machine() == "aarch64"

#: Name, bytes, and what is done at an address (and, for stores, with which value).
LOADS: Final[Rows] = (
    ("load1", 1, "(i64.load8_u {m} offset={o} {a})"),
    ("load2", 2, "(i64.load16_u {m} offset={o} {a})"),
    ("load4", 4, "(i64.extend_i32_u (i32.load {m} offset={o} {a}))"),
    ("load8", 8, "(i64.load {m} offset={o} {a})"),
    ("loadf", 8, "(i64.reinterpret_f64 (f64.load {m} offset={o} {a}))"),
    ("load16", 16, "(i64x2.extract_lane 0 (v128.load {m} offset={o} {a}))"),
    ("lane2", 2, "(i64.extend_i32_u (i16x8.extract_lane_u 3 (v128.load16_lane {m} offset={o} 3 {a} {zeros})))"),
    ("lane8", 8, "(i64x2.extract_lane 1 (v128.load64_lane {m} offset={o} 1 {a} {zeros}))"),
)
STORES: Final[Rows] = (
    ("store1", 1, "(i64.store8 {m} offset={o} {a} {v})"),
    ("store2", 2, "(i64.store16 {m} offset={o} {a} {v})"),
    ("store4", 4, "(i32.store {m} offset={o} {a} (i32.wrap_i64 {v}))"),
    ("store8", 8, "(i64.store {m} offset={o} {a} {v})"),
    ("storef", 4, "(f32.store {m} offset={o} {a} (f32.reinterpret_i32 (i32.wrap_i64 {v})))"),
    ("store16", 16, "(v128.store {m} offset={o} {a} (i64x2.splat {v}))"),
    ("storelane", 4, "(v128.store32_lane {m} offset={o} 2 {a} (i64x2.splat {v}))"),
)
ZEROS: Final = "(v128.const i64x2 0 0)"


def edges(size: int, width: int) -> list[int]:
    """Numbers at which something may go wrong, in addresses as in offsets."""
    found = {0, 1, size - width - 1, size - width, size - width + 1, size - 1, size, size + 1}
    for power in (31, 32, 33, 34, 35, 47, 48, 63, 64):
        for less in (-1, 0, 1, width - 1, width, width + 1, size, size - width):
            found.add((1 << power) - less)
    return sorted(number for number in found if 0 <= number <= ALL)


def offsets(size: int, width: int) -> list[int]:
    powers = [1 << power for power in (31, 32, 34, 63)]
    return sorted({0, 1, size - width, size, *powers, *(n - 1 for n in powers), (1 << 64) - width, ALL})


def text(memories: str, memory: int, size: int, loads: Rows, stores: Rows) -> str:
    """A module with a function for each instruction and offset, and for each and constant addresses."""
    functions = []
    for rows, parameters in ((loads, "(param i64) (result i64)"), (stores, "(param i64 i64)")):
        for name, width, code in rows:
            for offset in offsets(size, width):
                body = code.format(m=memory, o=offset, a="(local.get 0)", v="(local.get 1)", zeros=ZEROS)
                functions.append(f'(func (export "{name} {offset}") {parameters} {body})')
    for address, offset in itertools.product((0, size - 8, size - 7, 1 << 32, 1 << 34, 1 << 63, ALL), repeat=2):
        body = LOADS[3][2].format(m=memory, o=offset, a=f"(i64.const {address})", zeros=ZEROS)
        functions.append(f'(func (export "constant {address} {offset}") (result i64) {body})')
    return f'(module {memories} (export "memory" (memory {memory})) {" ".join(functions)})'


def instantiate(source: str, bounds_checks: Checks, imports: Any = None, **settings: Any) -> Any:
    engine = Engine(Config(bounds_checks=bounds_checks, **settings))
    return engine.compile(assemble(source)).instantiate(imports).exports


@pytest.mark.parametrize("bounds_checks", ["guard", "explicit"])
@pytest.mark.parametrize(
    ("memories", "memory"),
    [
        ("(memory i64 1 2)", 0),
        ("(memory i64 0)", 0),
        ("(memory 1) (memory i64 0 1)", 1),
        ("(memory i64 1) (memory i64 1)", 1),
    ],
)
def test_every_address_and_offset(memories: str, memory: int, bounds_checks: Checks) -> None:
    # Of the other memories the rows that differ in how they check; all of them with WASMETAL_ALL=1.
    few = memories != "(memory i64 1 2)" and not os.environ.get("WASMETAL_ALL")
    loads, stores = (LOADS[3:4], STORES[3:4]) if few else (LOADS, STORES)
    e = instantiate(text(memories, memory, PAGE, loads, stores), bounds_checks)
    if not len(e.memory):
        e.memory.grow(1)
    content = bytes((7 * i + i // 256) % 256 for i in range(PAGE))
    e.memory[:] = content
    view = e.memory.view()
    for rows in (loads, stores):
        for name, width, _ in rows:
            for offset in offsets(PAGE, width):
                function = e[f"{name} {offset}"]
                for address in edges(PAGE, width):
                    place = address + offset
                    arguments = (address,) if rows is loads else (address, -1)
                    if place + width > PAGE:
                        with pytest.raises(Trap) as caught:
                            function(*arguments)
                        assert caught.value.code is TrapCode.MEMORY_OUT_OF_BOUNDS, (name, address, offset)
                        if TEARS and width == 16 and place < PAGE:
                            view[place:] = content[place:]
                        continue
                    result = function(*arguments)
                    if rows is loads:
                        expected = int.from_bytes(content[place : place + min(width, 8)], "little")
                        assert result & ALL == expected, (name, address, offset)
                    else:
                        assert view[place : place + width] == b"\xff" * width
                        view[place : place + width] = content[place : place + width]
        # Nothing else was written, and of what was out of bounds nothing.
        assert view == content
    for name in e:
        if name.startswith("constant"):
            address, offset = map(int, name.split()[1:])
            if address + offset + 8 > PAGE:
                with pytest.raises(Trap, match="out of bounds memory access"):
                    e[name]()
            else:
                place = address + offset
                assert e[name]() & ALL == int.from_bytes(content[place : place + 8], "little")


@pytest.mark.parametrize("bounds_checks", ["guard", "explicit"])
@pytest.mark.parametrize("minimum", [0, 1])
def test_accesses_that_share_a_check(bounds_checks: Checks, minimum: int) -> None:
    """Several at one index, the nearest, the farthest and one that grows the memory in between first or last."""
    orders = list(itertools.permutations((0, 56, 65536)))[:: 1 if os.environ.get("WASMETAL_ALL") else 2]
    source = "".join(
        f'(func (export "f{number}") (param i64) (result i64)'
        f"(i64.load offset={a} (local.get 0)) (if (i64.eqz (local.get 0)) (then (drop (memory.grow (i64.const 1)))))"
        f"(i64.load offset={b} (local.get 0)) i64.add"
        f"(block (br_if 0 (i64.eqz (local.get 0))) (drop (i64.load offset={c} (local.get 0))))"
        f"(i64.load offset={c} (local.get 0)) i64.add)"
        for number, (a, b, c) in enumerate(orders)
    )
    for number, (a, b, c) in enumerate(orders):
        for first in (1, 7, 8, 64, 65472, 65473, 65528, 65529, 65535, 65536, ALL - 64, ALL - 7):
            memory = Memory(MemoryType(1, 3, is64=True), bounds_checks=bounds_checks)
            code = f'(module (import "m" "m" (memory i64 {minimum})) {source})'
            f = instantiate(code, bounds_checks, {"m": {"m": memory}})[f"f{number}"]
            with pytest.raises(Trap, match="out of bounds memory access"):
                f(first)
            memory.grow(1)
            if first + 65536 + 8 <= 2 * PAGE:
                for at in (a, b, c):
                    memory.write(first + at, (1 << at % 3).to_bytes(8, "little"))
                assert f(first) == sum(int.from_bytes(memory.read(first + at, 8), "little") for at in (a, b, c))
            else:
                with pytest.raises(Trap, match="out of bounds memory access"):
                    f(first)
        memory = Memory(MemoryType(1, 3, is64=True), bounds_checks=bounds_checks)
        f = instantiate(code, bounds_checks, {"m": {"m": memory}})[f"f{number}"]
        if a == 65536:  # before it grows
            with pytest.raises(Trap):
                f(0)
        else:
            assert f(0) == 0
            assert memory.pages == 2


BULK: Final = """
(module
  (memory $wide (export "wide") i64 1 3)
  (memory $narrow (export "narrow") 1 3)
  (data $passive "passive")
  (func (export "size") (result i64) (memory.size $wide))
  (func (export "grow") (param i64) (result i64) (memory.grow $wide (local.get 0)))
  (func (export "fill") (param i64 i32 i64) (memory.fill $wide (local.get 0) (local.get 1) (local.get 2)))
  (func (export "copy") (param i64 i64 i64) (memory.copy $wide $wide (local.get 0) (local.get 1) (local.get 2)))
  (func (export "out") (param i32 i64 i32) (memory.copy $narrow $wide (local.get 0) (local.get 1) (local.get 2)))
  (func (export "in") (param i64 i32 i32) (memory.copy $wide $narrow (local.get 0) (local.get 1) (local.get 2)))
  (func (export "init") (param i64 i32 i32) (memory.init $wide $passive (local.get 0) (local.get 1) (local.get 2))))
"""


@pytest.mark.parametrize("bounds_checks", ["guard", "explicit"])
def test_bulk_instructions(bounds_checks: Checks) -> None:
    e = instantiate(BULK, bounds_checks)
    content = bytes(i % 251 for i in range(PAGE))
    e.wide[:] = e.narrow[:] = content
    numbers = (0, 1, 7, 8, PAGE - 7, PAGE, PAGE + 1, (1 << 32) - 1, 1 << 32, 1 << 63, ALL - PAGE, ALL - 6, ALL - 7, ALL)
    for destination, source, length in itertools.product(numbers, repeat=3):
        for name, sizes in (
            ("copy", (64, 64, 64)),
            ("out", (32, 64, 32)),
            ("in", (64, 32, 32)),
            ("fill", (64, 32, 64)),
        ):
            operands = (destination, source, length)
            if any(number >> bits for number, bits in zip(operands, sizes, strict=True)):
                continue
            if destination + length > PAGE or (name != "fill" and source + length > PAGE):
                with pytest.raises(Trap, match="out of bounds memory access"):
                    e[name](*operands)
            elif name == "copy":
                e.copy(*operands)
                expected = bytearray(content)
                expected[destination : destination + length] = content[source : source + length]
                assert e.wide[:] == expected
                e.wide[:] = content
    assert e.wide[:] == content
    e.fill(PAGE - 3, 0x1AB, 3)
    assert e.wide[-4:] == content[-4:-3] + b"\xab\xab\xab"
    e.out(8, PAGE - 3, 3)
    assert e.narrow[7:12] == content[7:8] + b"\xab\xab\xab" + content[11:12]
    e["in"](100, 8, 3)
    assert e.wide[100:103] == b"\xab\xab\xab"
    e.init(PAGE - 7, 0, 7)
    assert e.wide[-7:] == b"passive"
    for operands in ((PAGE - 6, 0, 7), (ALL - 3, 0, 7), (0, 1, 7), (1 << 32, 0, 1), (PAGE + 1, 0, 0)):
        with pytest.raises(Trap, match="out of bounds memory access"):
            e.init(*operands)
    e.init(PAGE, 7, 0)
    for pages in (3, ALL, 1 << 63, 1 << 48, 1 << 32, (1 << 32) + 1):
        assert e.grow(pages) == -1
    assert (e.grow(2), e.size(), e.grow(0), e.grow(1)) == (1, 3, 3, -1)


def test_addresses_of_segments() -> None:
    source = '(module (import "m" "g" (global i64)) (memory (export "memory") i64 1) (data (offset {}) "data"))'
    get = "(i64.add (global.get 0) (i64.const 4))"
    e = instantiate(source.format(get), "auto", {"m": {"g": 96}})
    assert e.memory[100:104] == b"data"
    for start in (PAGE - 7, 1 << 32, 1 << 63, -9):
        with pytest.raises(Trap, match="out of bounds memory access") as caught:
            instantiate(source.format(get), "auto", {"m": {"g": start}})
        assert caught.value.access is not None
        assert caught.value.access.address == (start + 4) % (1 << 64)
    with pytest.raises(Trap):
        instantiate(source.format("(i64.const 0x100000000)"), "auto", {"m": {"g": 0}})


def test_it_may_have_more_than_4_gib() -> None:
    source = """(module (memory (export "memory") i64 1)
        (func (export "load") (param i64) (result i64) (i64.load offset=0x100000000 (local.get 0)))
        (func (export "near") (param i64) (result i64) (i64.load offset=8 (local.get 0)))
        (func (export "store") (param i64 i64) (i64.store (local.get 0) (local.get 1)))
        (func (export "constant") (result i64) (i64.load (i64.const 0x1_0000_0010)))
        (func (export "grow") (param i64) (result i64) (memory.grow (local.get 0))))"""
    for bounds_checks in ("guard", "explicit"):
        e = instantiate(source, bounds_checks)  # type: ignore[arg-type]
        if e.grow(PAGE) != 1:
            pytest.skip("the system has no 4 GiB")
        assert (e.memory.pages, len(e.memory)) == (PAGE + 1, (1 << 32) + PAGE)
        e.store((1 << 32) + 16, 7)
        assert (e.load(16), e.near((1 << 32) + 8), e.constant(), e.memory[(1 << 32) + 16]) == (7, 7, 7, 7)
        assert (e.memory[16], e.near(8)) == (0, 0)
        assert e.load(PAGE - 8) == 0
        for address in (PAGE - 7, PAGE, 1 << 32, ALL, ALL - (1 << 32), ALL - (1 << 32) - 8):
            with pytest.raises(Trap):
                e.load(address)
        with pytest.raises(Trap):
            e.store((1 << 32) + PAGE - 7, 1)


def test_sizes() -> None:
    # The engine's limit is 16 GiB unless it says something else, whatever the type says.
    for maximum in ("", "0x1000000000000"):
        assert instantiate(f'(module (memory (export "m") i64 1 {maximum}))', "auto").m.type.is64
    with pytest.raises(WasmError, match="over the limit of 262144"):
        instantiate("(module (memory i64 262145))", "auto")
    for minimum in (1 << 33, 1 << 40, 1 << 48):
        with pytest.raises(MemoryError, match="no address space"):
            instantiate(f"(module (memory i64 {minimum}))", "auto", max_memory_pages=1 << 48)
        with pytest.raises(MemoryError, match=r"at most|no address space"):
            instantiate(f"(module (memory i64 {minimum}))", "guard", max_memory_pages=1 << 48)
        with pytest.raises(MemoryError):
            Memory(MemoryType(minimum, is64=True))
    with pytest.raises(ValueError):
        Memory(MemoryType((1 << 48) + 1, is64=True))
    with pytest.raises(ValueError):
        Memory(MemoryType(1, (1 << 48) + 1, is64=True))
    # More than guard pages are for: the code makes comparisons.
    assert Memory(MemoryType(1, is64=True)).guarded
    assert Memory(MemoryType(1, 1 << 18, is64=True)).guarded
    assert not Memory(MemoryType(1, (1 << 18) + 1, is64=True)).guarded
    assert not Memory(MemoryType(1, is64=True), max_pages=1 << 19).guarded
    assert Memory(MemoryType(1, 1 << 48, is64=True), bounds_checks="guard").guarded
    memory = Memory(MemoryType(1, 1 << 48, is64=True))
    with pytest.raises(WasmError, match="its limit is"):
        memory.grow(1 << 47)
    code = """(module (import "m" "m" (memory i64 1))
        (func (export "load") (param i64) (result i32) (i32.load (local.get 0))))"""
    assert instantiate(code, "auto", {"m": {"m": memory}}).load(PAGE - 4) == 0
    with pytest.raises(Trap):
        instantiate(code, "auto", {"m": {"m": memory}}).load(1 << 33)
    with pytest.raises(LinkError, match="no guard pages"):
        instantiate(code, "guard", {"m": {"m": memory}})


def test_only_memories_with_the_same_addresses_are_linked() -> None:
    narrow, wide = Memory(1, 2), Memory(MemoryType(1, 2, is64=True))
    assert (wide.type.is64, repr(wide), wide.grow(1), wide.pages) == (True, "<Memory, 1 pages, 64-bit>", 1, 2)
    for text, found, message in (
        ("(memory i64 1 2)", narrow, "must be a 64-bit memory of 1 to 2 pages, not a memory of 1 to 2 pages"),
        ("(memory 1 2)", wide, "must be a memory of 1 to 2 pages, not a 64-bit memory of 2 to 2 pages"),
    ):
        with pytest.raises(LinkError, match=message):
            instantiate(f'(module (import "m" "m" {text}))', "auto", {"m": {"m": found}})
    e = instantiate('(module (import "m" "m" (memory i64 1)) (export "m" (memory 0)))', "auto", {"m": {"m": wide}})
    assert e.m is wide


def test_traps_say_where() -> None:
    source = """(module (memory i64 1)
        (func (export "f") (param i64) (result i64) (i64.load offset=8 (local.get 0))))"""
    with pytest.raises(Trap) as caught:
        instantiate(source, "guard").f(0x3_0000_0000)
    assert str(caught.value.access) == (
        "access of 8 bytes at address 12884901896 (0x300000008) of a memory of 65536 bytes (0x10000)"
    )
    for bounds_checks in ("guard", "explicit"):
        with pytest.raises(Trap) as caught:
            instantiate(source, bounds_checks).f(-8)  # type: ignore[arg-type]
        assert str(caught.value.access) == "access of 8 bytes"


@pytest.mark.parametrize("bounds_checks", ["auto", "explicit"])
def test_pages_of_one_byte(bounds_checks: Checks) -> None:
    source = """(module (memory (export "memory") i64 5 20000 (pagesize 1))
        (func (export "load") (param i64) (result i32) (i32.load8_u (local.get 0)))
        (func (export "load4") (param i64) (result i32) (i32.load offset=1 (local.get 0)))
        (func (export "size") (result i64) (memory.size))
        (func (export "grow") (param i64) (result i64) (memory.grow (local.get 0))))"""
    e = instantiate(source, bounds_checks, features=attrs.evolve(Features.default(), custom_page_sizes=True))
    e.memory[4] = 9
    assert (e.load(4), e.load4(0), e.size(), len(e.memory)) == (9, 9 << 24, 5, 5)
    for call, address in (
        (e.load, 5),
        (e.load4, 1),
        (e.load, 1 << 32),
        (e.load, ALL),
        (e.load4, ALL),
        (e.load4, ALL - 3),
    ):
        with pytest.raises(Trap):
            call(address)
    assert (e.grow(3), e.grow(20000), e.grow(ALL), e.size(), e.load(7)) == (5, -1, -1, 8, 0)


def test_compiled_code_is_kept() -> None:
    """What another process gets has the same checks."""
    engine = Engine()
    module = engine.compile(assemble(text("(memory i64 1)", 0, PAGE, LOADS[3:4], ())))
    again = wasmetal.Module.deserialize(module.serialize(), engine=Engine())
    e = again.instantiate().exports
    assert e[f"load8 {PAGE - 8}"](0) == 0
    for address in (1, PAGE, 1 << 32, 1 << 63, ALL):
        with pytest.raises(Trap):
            e[f"load8 {PAGE - 8}"](address)


def test_offsets_may_be_written_in_ten_bytes() -> None:
    """Also those of 32-bit memories, where 64-bit ones are allowed."""
    body = b"\0\x41\0\x28\2" + b"\x84" + b"\x80" * 8 + b"\0\x0b"
    source = (
        b"\0asm\1\0\0\0\1\5\1\x60\0\1\x7f\3\2\1\0\5\3\1\0\1\7\5\1\1f\0\0\x0a"
        + bytes([len(body) + 2, 1, len(body)])
        + body
    )
    assert wasmetal.Module(source).instantiate().exports.f() == 0


def test_wasi_with_a_64_bit_memory() -> None:
    """Preview 1 has pointers of 32 bits: they reach the first 4 GiB, and nothing else."""
    wasm_wasi = pytest.importorskip("wasm_wasi")
    source = """(module
        (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (memory (export "memory") i64 1)
        (func (export "f") (param i32 i32) (result i32) (call $random (local.get 0) (local.get 1))))"""
    wasi = wasm_wasi.Wasi(random=lambda size: b"\xaa" * size)
    e = instantiate(source, "auto", wasi.imports)
    assert e.f(PAGE - 4, 4) == 0
    assert e.memory[-5:] == b"\0\xaa\xaa\xaa\xaa"
    assert e.f(PAGE - 3, 4) != 0
    assert e.f(-1, 4) != 0
    assert e.memory[:8] == bytes(8)
    wide = source.replace("(param i32 i32)", "(param i64 i64)")
    with pytest.raises(LinkError, match="incompatible import type"):
        instantiate(wide, "auto", wasi.imports)


@pytest.mark.parametrize("pages", [1, 1 << 18])
def test_indices_at_a_distance_share_a_check(pages: int) -> None:
    """Of two indices that are so far apart that guard pages take care of it, the second has no check of its own."""
    distances = (0, 8, -8, 1 << 31, (1 << 32) - 9, (1 << 32) - 8, (1 << 32) - 1, 1 << 32, 1 << 34, -(1 << 32), 1 << 63)
    offsets = (0, 8, PAGE, (1 << 32) - 9, (1 << 32) - 8, (1 << 32) - 1)
    pairs = list(itertools.product((0, 16, -16, 1 << 33), distances, offsets))
    functions = "".join(
        f'(func (export "f{number}") (param i64) (result i64)'
        f"(drop (i64.load8_u (i64.add (local.get 0) (i64.const {first}))))"
        f"(i64.load offset={offset} (i64.add (local.get 0) (i64.const {first + distance}))))"
        for number, (first, distance, offset) in enumerate(pairs)
        if pages == 1 or first == 0
    )
    e = instantiate(f'(module (memory (export "memory") i64 1) {functions})', "guard")
    if pages > 1:
        try:
            e.memory.grow(pages - 1)
        except WasmError:
            pytest.skip("the system has no 16 GiB")
    size = pages * PAGE
    for place in (0, 8, size // 2, size - 8, size - 1):
        e.memory[place] = 7
        for number, (first, distance, offset) in enumerate(pairs):
            if pages > 1 and first:
                continue
            x = (place - first) & ALL
            second = ((x + first + distance) & ALL) + offset
            function = e[f"f{number}"]
            if second + 8 > size:
                with pytest.raises(Trap, match="out of bounds memory access"):
                    function(x)
            else:
                assert function(x) & ALL == int.from_bytes(e.memory.read(second, 8), "little")


def test_what_a_type_says_of_addresses_stays_so() -> None:
    """Else a memory with guard pages for 32-bit addresses could be linked as a 64-bit one, and code leave it."""

    class Chameleon:
        answers = itertools.cycle((False, False, True))

        def __bool__(self) -> bool:
            return next(self.answers)

        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]

    memory = Memory(MemoryType(1, 1, is64=Chameleon()))  # type: ignore[arg-type]
    assert memory.type.is64 is False
    assert Memory(MemoryType(1, 1, is64=5)).type.is64 is True  # type: ignore[arg-type]
    with pytest.raises(LinkError):
        instantiate('(module (import "m" "m" (memory i64 1 1)))', "auto", {"m": {"m": memory}})
