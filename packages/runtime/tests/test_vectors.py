"""Vectors in all places where values can be; a backend that has none refuses functions that use them."""

from __future__ import annotations

import gc
import platform
import random
from array import array
from pathlib import Path
from typing import Any

import pytest

import wasmetal
from wasm_core.instructions import (
    IMM_LANE,
    IMM_MEMARG,
    IMM_MEMARG_LANE,
    IMM_NONE,
    IMM_SHUFFLE,
    IMM_V128,
    Instruction,
    instructions,
)
from wasm_core.testing.binary import unsigned
from wasm_core.type_codes import F32, F64, I32, I64, V128
from wasm_ir.backend import supports_vectors

REFUSED = "SIMD execution is not supported"
VECTOR = b"\xfd\x0c" + bytes(range(16))
_LETTERS = {I32: "i", I64: "I", F32: "f", F64: "F", V128: "v"}
_IMMEDIATES = {
    IMM_NONE: b"",
    IMM_V128: bytes(16),
    IMM_SHUFFLE: bytes(16),
    IMM_LANE: b"\0",
    IMM_MEMARG: b"\0\0",
    IMM_MEMARG_LANE: b"\0\0\0",
}
SIMD = [instruction for instruction in instructions() if instruction.feature in ("simd", "relaxed_simd")]
FEATURES = wasmetal.Features(
    sign_extension=True,
    saturating_float_to_int=True,
    multi_value=True,
    bulk_memory=True,
    reference_types=True,
    simd=True,
    relaxed_simd=True,
)

ENGINES = [
    wasmetal.Engine(wasmetal.Config(features=FEATURES, validation=validation, bounds_checks=bounds_checks))
    for validation, bounds_checks in (("eager", "auto"), ("lazy", "explicit"))
]
EAGER = wasmetal.Engine(wasmetal.Config(features=FEATURES, compile="eager"))
HAS_VECTORS = supports_vectors(EAGER.backend)
needs_vectors = pytest.mark.skipif(not HAS_VECTORS, reason="the backend has no vectors")

ONE, TWO, THREE = (bytes([byte] * 16) for byte in (1, 2, 3))


def encoded(instruction: Instruction) -> bytes:
    return b"\xfd" + unsigned(instruction.opcode & 0xFFF) + _IMMEDIATES[instruction.immediate]


def zeros(func: Any) -> list[object]:
    return [bytes(16) if param.value == "v128" else 0 for param in func.type.params]


def runs_or_is_refused(b: Any) -> None:
    """Calling `f` of a module works, or raises where there are no vectors, whatever the engine; other functions of the
    module work in any case."""
    b.func("", "i", b.op.i32(7), export="seven")
    source = b.build()
    wasmetal.validate(source, FEATURES)
    for engine in ENGINES:
        exports = engine.compile(source).instantiate({"m": host()}).exports
        for _ in range(2):
            if HAS_VECTORS:
                exports.f(*zeros(exports.f))
            else:
                with pytest.raises(wasmetal.CompileError, match=REFUSED):
                    exports.f(*zeros(exports.f))
        assert exports.seven() == 7
    if HAS_VECTORS:
        EAGER.compile(source).serialize()
    else:
        with pytest.raises(wasmetal.CompileError, match=REFUSED):
            EAGER.compile(source)


def host() -> dict[str, object]:
    return {
        "function": lambda *args: bytes(16),
        "pair": lambda *args: (bytes(16), 0),
        "vector": wasmetal.Global(wasmetal.GlobalType("v128"), bytes(range(16))),
        "changing": wasmetal.Global(wasmetal.GlobalType("v128", True), bytes(range(16))),
    }


@pytest.mark.parametrize("instruction", SIMD, ids=lambda instruction: instruction.name)
def test_every_instruction(wasm: Any, instruction: Instruction) -> None:
    assert instruction.params is not None and instruction.results is not None
    b = wasm()
    b.memory(1)
    params = "".join(_LETTERS[param] for param in instruction.params)
    results = "".join(_LETTERS[result] for result in instruction.results)
    operands = b"".join(b.op.get(number) for number in range(len(params)))
    b.func(params, results, operands + encoded(instruction), export="f")
    runs_or_is_refused(b)


#: Code that needs no vectors, although it mentions them: it cannot be reached, or nobody uses what it gives.
HARMLESS = {
    "select": b"\0\x1c\x01\x7b\x1a",
    "call": b"\0\x10\0\x1a",
    "indirect call": b"\0\x11\0\0\x1a",
    "block": b"\0\x02\x7b\0\x0b\x1a",
    "block with parameters": b"\0\x02\0\x0b\x1a",
    "branch": b"\x02\x7b\0\x0c\0\x0b\x1a",
    "global": b"\0\x23\0\x1a",
    **{
        instruction.name: b"\0" + encoded(instruction) + b"\x1a" * len(instruction.results or ())
        for instruction in SIMD
    },
}


@pytest.mark.parametrize("name", HARMLESS)
def test_code_that_cannot_be_reached(wasm: Any, name: str) -> None:
    b = wasm()
    b.import_global("m", "vector", "v")
    b.func("v", "v", b"\x20\0")
    b.table("r", 1)
    b.memory(1)
    b.func("", "", HARMLESS[name], export="f")
    for engine in ENGINES:
        exports = engine.compile(b.build()).instantiate({"m": host()}).exports
        with pytest.raises(wasmetal.Trap, match="unreachable"):
            exports.f()


#: Parameters, results, locals and code of a function. Function 0 takes and gives a vector; so does type 0; memory 0 is
#: there, and tests of the results keep them from being thrown away.
ANY = b"\xfd\x53\x1a"
STORE = b"\x21\x00\x41\0\x20\x00\xfd\x0b\0\0"
PLACES = {
    "parameter": ("v", "", "", b""),
    "parameter that is used": ("v", "", "", b"\x41\0\x20\0\xfd\x0b\0\0"),
    "result": ("", "v", "", VECTOR),
    "parameter among others": ("iIfFv", "", "", b""),
    "local": ("", "v", "v", b"\x20\0"),
    "local that is set": ("", "v", "iv", VECTOR + b"\x21\x01\x20\x01"),
    "tee": ("", "v", "v", VECTOR + b"\x22\0"),
    "block": ("", "v", "", b"\x02\x7b" + VECTOR + b"\x0b"),
    "loop": ("", "v", "", b"\x03\x7b" + VECTOR + b"\x0b"),
    "if": ("i", "v", "", b"\x20\0\x04\x7b" + VECTOR + b"\x05" + VECTOR + b"\x0b"),
    "block with parameters": ("", "v", "", VECTOR + b"\x02\0\x0b"),
    "loop with parameters": ("", "v", "", VECTOR + b"\x03\0\x0b"),
    "branch": ("", "v", "", b"\x02\x7b" + VECTOR + b"\x0c\0\x0b"),
    "conditional branch": ("i", "v", "", b"\x02\x7b" + VECTOR + b"\x20\0\x0d\0\x0b"),
    "branch table": ("i", "v", "", b"\x02\x7b" + VECTOR + b"\x20\0\x0e\0\0\x0b"),
    "select": ("i", "v", "", VECTOR + b"\xfd\x0c" + bytes(16) + b"\x20\0\x1b"),
    "select with a type": ("i", "v", "", VECTOR + b"\xfd\x0c" + bytes(16) + b"\x20\0\x1c\x01\x7b"),
    "call": ("", "", "", VECTOR + b"\x10\0\x1a"),
    "indirect call": ("", "", "", VECTOR + b"\x41\0\x11\0\0\x1a"),
    "global": ("", "v", "", b"\x23\0"),
    "global of the module": ("", "v", "", b"\x23\x02"),
    "global that is set": ("", "", "", VECTOR + b"\x24\x01"),
    "return": ("", "v", "", VECTOR + b"\x0f"),
}


@pytest.mark.parametrize("place", PLACES)
def test_every_place(wasm: Any, place: str) -> None:
    params, results, locals, code = PLACES[place]
    b = wasm()
    b.func("v", "v", b"\x20\0")
    b.import_global("m", "vector", "v")
    b.import_global("m", "changing", "v", mutable=True)
    b.glob("v", VECTOR)
    b.table("r", 1)
    b.memory(1)
    b.elements(b.op.i32(0), [0])
    b.func(params, results, code, locals=locals, export="f")
    runs_or_is_refused(b)


def test_functions_of_the_host(wasm: Any) -> None:
    """A module may import them where there are no vectors, but not call them."""
    for params, results, code in (
        ("v", "v", VECTOR + b"\x10\0\x1a"),
        ("", "v", b"\x10\0\x1a"),
    ):
        b = wasm()
        b.import_func("m", "function", params, results)
        b.func("", "", code, export="f")
        runs_or_is_refused(b)
    b = wasm()
    b.import_func("m", "pair", "iv", "vi")
    b.func("", "", b"\x41\0" + VECTOR + b"\x10\0\x1a\x1a", export="f")
    runs_or_is_refused(b)


def test_outside_of_code_they_always_work(wasm: Any) -> None:
    """Globals with vectors; and functions of the host that Python calls."""
    b = wasm()
    b.import_global("m", "changing", "v", mutable=True, export="changing")
    b.glob("v", VECTOR, mutable=True, export="own")
    b.glob("i", b.op.i32(3), export="behind")
    given = host()
    exports = wasmetal.Module(b.build()).instantiate({"m": given}).exports
    assert exports.own.value == bytes(range(16)) and exports.behind.value == 3
    exports.own.value = exports.changing.value = bytes(16)
    assert exports.own.value == exports.changing.value == given["changing"].value == bytes(16)  # type: ignore[attr-defined]
    same = wasmetal.Func(lambda value: value, wasmetal.FuncType(("v128",), ("v128",)))
    assert same(bytes(range(16))) == same(bytearray(range(16))) == bytes(range(16))
    assert same.call_raw(1, 2) == (1, 2)
    for wrong in (b"short", 5, None, "0123456789abcdef"):
        with pytest.raises(TypeError):
            same(wrong)
        with pytest.raises(TypeError):
            exports.own.value = wrong


@pytest.mark.skipif(HAS_VECTORS, reason="the backend has vectors")
def test_refused_when_called_through_a_table_by_other_code(wasm: Any) -> None:
    """The compiler meets the vector when a function is on its way that has none in its own code."""
    b = wasm()
    plain = b.type("", "i")
    b.table("r", 2, export="table")
    b.memory(1)
    b.func("", "i", b.op.i32(0) + b"\xfd\0\0\0\xfd\x53")
    b.func("", "i", b.op.i32(2))
    b.func("i", "i", b.op.get(0) + b"\x11" + bytes([plain]) + b"\0", export="run")
    b.func("", "i", b"\x10\0", export="direct")
    b.elements(b.op.i32(0), [0, 1])
    for engine in ENGINES:
        exports = engine.compile(b.build()).instantiate().exports
        for call in (lambda e=exports: e.run(0), lambda e=exports: e.direct(), lambda e=exports: e.table[0]()):
            for _ in range(2):
                with pytest.raises(wasmetal.CompileError, match=REFUSED):
                    call()
        assert exports.run(1) == 2


# Values on their way.


@needs_vectors
def test_calls_from_python(wasm: Any) -> None:
    b = wasm()
    b.func("viv", "viv", b.op.get(2) + b.op.get(1) + b.op.get(0), export="turn")
    b.func("v", "v", b.op.get(0), export="same")
    for engine in ENGINES:
        exports = engine.compile(b.build()).instantiate().exports
        assert exports.turn(ONE, -5, TWO) == (TWO, -5, ONE)
        assert exports.turn.call_raw(1, 2, 3, 4, 5) == (4, 5, 3, 1, 2)
        for value in (THREE, bytearray(THREE), memoryview(THREE), array("I", THREE), memoryview(THREE * 2)[::2]):
            assert exports.same(value) == THREE
        with pytest.raises(TypeError, match="argument 3: v128 takes bytes of length 16, not of length 15"):
            exports.turn(ONE, 0, ONE[1:])
        with pytest.raises(TypeError, match="argument 1: v128 takes bytes of length 16, not str"):
            exports.turn("0123456789abcdef", 0, ONE)
        with pytest.raises(TypeError, match="slots"):
            exports.same.call_raw(1)


def _value(letter: str, number: int) -> object:
    return {"i": number, "I": number << 40, "f": number / 2, "F": number / 4, "v": bytes([number] * 16)}[letter]


@needs_vectors
@pytest.mark.parametrize("seed", range(12))
def test_more_values_than_registers(wasm: Any, seed: int) -> None:
    """On the stack a vector takes two words; what is around it must not move."""
    chance = random.Random(seed)
    params = "".join(chance.choice("vvviIfF") for _ in range(chance.randint(1, 40)))
    order = list(range(len(params)))
    chance.shuffle(order)
    results = "".join(params[number] for number in order)
    arguments = [_value(letter, number + 1) for number, letter in enumerate(params)]
    expected = tuple(arguments[number] for number in order)
    expected_of_call = expected[0] if len(expected) == 1 else expected
    seen: list[tuple[object, ...]] = []

    def host_function(*args: object) -> object:
        seen.append(args)
        return tuple(args[number] for number in order) if len(args) > 1 else args[0]

    def host_function_with_caller(caller: wasmetal.Caller, *args: object) -> object:
        return host_function(*args)

    b = wasm()
    b.import_func("m", "host", params, results)
    loads = b"".join(b.op.get(number) for number in range(len(params)))
    kind = b.type(params, results)
    own = b.func(params, results, b"".join(b.op.get(number) for number in order), export="own")
    b.func(params, results, loads + b"\x10\0", export="through_host")
    b.func(params, results, loads + b"\x10" + bytes([own]), export="direct")
    b.func(params + "i", results, loads + b.op.get(len(params)) + b"\x11" + bytes([kind]) + b"\0", export="indirect")
    b.table("r", 2)
    b.elements(b.op.i32(0), [0, own])
    for engine in ENGINES:
        for function in (host_function, host_function_with_caller):
            exports = engine.compile(b.build()).instantiate({"m": {"host": function}}).exports
            for name in ("own", "through_host", "direct"):
                assert exports[name](*arguments) == expected_of_call, name
            for index in (0, 1):
                assert exports.indirect(*arguments, index) == expected_of_call
    assert seen and set(seen) == {tuple(arguments)}


@needs_vectors
def test_host_functions_that_give_something_else(wasm: Any) -> None:
    given: list[object] = [None]
    b = wasm()
    b.import_func("m", "one", "", "v")
    b.import_func("m", "two", "v", "vi")
    b.func("", "v", b"\x10\0", export="one")
    b.func("", "vi", VECTOR + b"\x10\x01", export="two")
    functions = {"one": lambda: given[0], "two": lambda vector: given[0]}
    exports = ENGINES[0].compile(b.build()).instantiate({"m": functions}).exports
    for given[0] in (THREE, bytearray(THREE), array("Q", THREE)):
        assert exports.one() == THREE
    for given[0] in (None, b"short", 5, "0123456789abcdef"):
        with pytest.raises(TypeError):
            exports.one()
    given[0] = (THREE, 4)
    assert exports.two() == (THREE, 4)
    for given[0] in ((THREE,), (4, THREE), (THREE, 4, 5)):
        with pytest.raises((TypeError, ValueError)):
            exports.two()


@needs_vectors
def test_vectors_live_across_host_calls_and_collections(wasm: Any) -> None:
    """The C convention preserves no vector, or half of it."""
    b = wasm()
    b.import_func("m", "host", "", "")
    constants = [b"\xfd\x0c" + bytes([number] * 16) for number in range(20)]
    total = b"".join(constant + b"\xfd\x6e" for constant in constants)
    code = b"".join(b.op.get(0) + constant + b"\xfd\x6e" for constant in constants) + b"\x10\0" + b"\xfd\x6e" * 19
    b.func("v", "v", code, export="f")
    b.func("v", "v", b.op.get(0) + total, export="g")

    def collect() -> None:
        gc.collect()

    for engine in ENGINES:
        exports = engine.compile(b.build()).instantiate({"m": {"host": collect}}).exports
        assert exports.f(ONE) == bytes([(20 + sum(range(20))) % 256] * 16)
        assert exports.g(ONE) == bytes([(1 + sum(range(20))) % 256] * 16)


@needs_vectors
def test_listener(wasm: Any) -> None:
    heard: list[tuple[str, tuple[object, ...]]] = []

    class Ear:
        def before(self, definition: object, params: tuple[object, ...]) -> None:
            heard.append(("before", params))

        def after(self, definition: object, results: tuple[object, ...]) -> None:
            heard.append(("after", results))

    b = wasm()
    b.func("ivfv", "vfv", b.op.get(3) + b.op.get(2) + b.op.get(1), export="f")
    exports = ENGINES[0].compile(b.build(), listener=Ear()).instantiate().exports
    assert exports.f(7, ONE, 0.5, TWO) == (TWO, 0.5, ONE)
    assert heard == [("before", (7, ONE, 0.5, TWO)), ("after", (TWO, 0.5, ONE))]


@needs_vectors
def test_globals_shared_by_instances(wasm: Any) -> None:
    b = wasm()
    b.glob("v", VECTOR, mutable=True, export="g")
    b.func("v", "", b.op.get(0) + b"\x24\0", export="set")
    first = ENGINES[0].compile(b.build()).instantiate().exports
    b = wasm()
    b.import_global("m", "g", "v", mutable=True)
    b.func("", "v", b"\x23\0", export="read")
    second = ENGINES[0].compile(b.build()).instantiate({"m": {"g": first.g}}).exports
    assert second.read() == bytes(range(16))
    first.set(TWO)
    assert second.read() == first.g.value == TWO
    first.g.value = memoryview(THREE)
    assert second.read() == THREE


@needs_vectors
def test_files_of_code(wasm: Any, tmp_path: Path) -> None:
    """Constants and addresses in code that another engine loads."""
    b = wasm()
    b.memory(1)
    b.func("v", "v", b.op.get(0) + VECTOR + b"\xfd\x6e", export="f")
    expected = bytes(byte + 1 for byte in range(16))
    source = b.build()
    content = EAGER.compile(source).serialize()
    fresh = wasmetal.Engine(wasmetal.Config(features=FEATURES))
    assert wasmetal.Module.deserialize(content, engine=fresh).instantiate().exports.f(ONE) == expected
    for _ in range(2):
        engine = wasmetal.Engine(wasmetal.Config(features=FEATURES, cache=tmp_path))
        assert engine.compile(source).instantiate().exports.f(ONE) == expected
        del engine
        gc.collect()


@needs_vectors
def test_accesses_at_the_end_of_memory(wasm: Any) -> None:
    """The last byte that 16 of them reach decides, with guard pages and with comparisons."""
    b = wasm()
    b.memory(1, export="memory")
    b.func("i", "v", b.op.get(0) + b"\xfd\0\0\0", export="load")
    b.func("iv", "", b.op.get(0) + b.op.get(1) + b"\xfd\x0b\0\0", export="store")
    b.func("i", "v", b.op.get(0) + b"\xfd\0\0\xff\xff\xff\xff\x0f", export="load_far")
    for engine in ENGINES:
        exports = engine.compile(b.build()).instantiate().exports
        last = 65536 - 16
        exports.store(last, ONE)
        assert exports.load(last) == ONE
        assert exports.load(last - 1) == b"\0" + ONE[1:]
        for address in (last + 1, 65535, 65536, -1, -16):
            for name, arguments in (("load", ()), ("load_far", ()), ("store", (TWO,))):
                with pytest.raises(wasmetal.Trap, match="out of bounds memory access"):
                    exports[name](address, *arguments)
        # AArch64 leaves open whether a store that faults in its second page has written to the first; QEMU does.
        if engine is ENGINES[1] or platform.machine() != "aarch64":
            assert exports.load(last) == ONE


@needs_vectors
def test_parts_at_the_end_of_memory(wasm: Any) -> None:
    """Loads and stores of less than a vector reach no further than they say."""
    b = wasm()
    b.memory(1, export="memory")
    extended = [(1, 8), (2, 8), (3, 8), (4, 8), (5, 8), (6, 8), (7, 1), (8, 2), (9, 4), (10, 8), (92, 4), (93, 8)]
    for number, _ in extended:
        code = bytes([0xFD, number]) + b"\0\0"
        b.func("i", "v", b.op.get(0) + code, export=f"load {number}")
        b.func("i", "", b.op.get(0) + code + b"\x1a", export=f"drop {number}")
    for exponent in range(4):
        b.func(
            "iv", "v", b.op.get(0) + b.op.get(1) + bytes([0xFD, 84 + exponent]) + b"\0\0\1", export=f"lane {exponent}"
        )
        b.func(
            "iv", "", b.op.get(0) + b.op.get(1) + bytes([0xFD, 88 + exponent]) + b"\0\0\1", export=f"store {exponent}"
        )
    for engine in ENGINES:
        exports = engine.compile(b.build()).instantiate().exports
        for name, size, arguments in (
            *((f"load {number}", size, ()) for number, size in extended),
            *((f"drop {number}", size, ()) for number, size in extended),
            *((f"lane {exponent}", 1 << exponent, (TWO,)) for exponent in range(4)),
            *((f"store {exponent}", 1 << exponent, (TWO,)) for exponent in range(4)),
        ):
            exports[name](65536 - size, *arguments)
            with pytest.raises(wasmetal.Trap, match="out of bounds memory access"):
                exports[name](65536 - size + 1, *arguments)
        assert bytes(exports.memory.view()[-9:]) == b"\0" + TWO[:8]


def test_relaxed_needs_its_switch(wasm: Any) -> None:
    b = wasm()
    b.func("vv", "v", b.op.get(0) + b.op.get(1) + b"\xfd\x80\x02", export="f")
    with pytest.raises(wasmetal.CompileError, match=r"i8x16\.relaxed_swizzle needs the feature relaxed_simd"):
        wasmetal.validate(b.build(), wasmetal.Features.wasm_2_0())
    wasmetal.validate(b.build(), FEATURES)


@needs_vectors
def test_relaxed_and_deterministic(wasm: Any) -> None:
    """Where the standard leaves a choice, `deterministic` takes the first."""
    b = wasm()
    b.func("vv", "v", b.op.get(0) + b.op.get(1) + b"\xfd\x80\x02", export="swizzle")
    b.func("vvv", "v", b.op.get(0) + b.op.get(1) + b.op.get(2) + b"\xfd\x89\x02", export="laneselect")
    b.func("vv", "v", b.op.get(0) + b.op.get(1) + b"\xfd\x92\x02", export="dot")
    for mode in ("native", "deterministic"):
        engine = wasmetal.Engine(wasmetal.Config(features=FEATURES, relaxed_simd=mode))
        exports = engine.compile(b.build()).instantiate().exports
        numbers = bytes(range(16))
        assert exports.swizzle(numbers, numbers[::-1]) == numbers[::-1]
        assert exports.swizzle(numbers, b"\xff" * 16) == bytes(16)
        assert exports.laneselect(ONE, TWO, b"\xff\0" * 8) == b"\1\2" * 8
        assert exports.dot(ONE, TWO) == b"\4\0" * 8
    assert exports.swizzle(THREE, TWO * 0 + b"\x10" * 16) == bytes(16)
    assert exports.laneselect(b"\xff" * 16, bytes(16), b"\x81" * 16) == b"\x81" * 16
    assert exports.dot(b"\x80" * 16, b"\x80" * 16) == b"\xff\x7f" * 8
    with pytest.raises(ValueError, match="relaxed_simd"):
        wasmetal.Config(relaxed_simd="sometimes")
