"""Vectors are decoded and validated; a function that has to do with one is a CompileError, however it gets there."""

from __future__ import annotations

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

MESSAGE = "SIMD execution is not supported|no v128"
VECTOR = b"\xfd\x0c" + bytes(range(16))
_CONSTANTS = {I32: b"\x41\0", I64: b"\x42\0", F32: b"\x43" + bytes(4), F64: b"\x44" + bytes(8), V128: VECTOR}
_IMMEDIATES = {
    IMM_NONE: b"",
    IMM_V128: bytes(16),
    IMM_SHUFFLE: bytes(16),
    IMM_LANE: b"\0",
    IMM_MEMARG: b"\0\0",
    IMM_MEMARG_LANE: b"\0\0\0",
}
SIMD = [instruction for instruction in instructions() if instruction.feature == "simd"]

ENGINES = [
    wasmetal.Engine(wasmetal.Config(validation=validation, compile=compile, bounds_checks=bounds_checks))
    for validation, compile, bounds_checks in (("eager", "lazy", "auto"), ("lazy", "lazy", "explicit"))
]
EAGER = wasmetal.Engine(wasmetal.Config(compile="eager"))


def encoded(instruction: Instruction) -> bytes:
    return b"\xfd" + unsigned(instruction.opcode & 0xFFF) + _IMMEDIATES[instruction.immediate]


def refused(b: Any) -> None:
    """Calling `f` of a module raises, whatever the engine; other functions of the module work."""
    b.func("", "i", b.op.i32(7), export="seven")
    source = b.build()
    wasmetal.validate(source)
    for engine in ENGINES:
        module = engine.compile(source)
        exports = module.instantiate({"m": HOST}).exports
        for _ in range(2):
            arguments = [bytes(16) if param.value == "v128" else 0 for param in exports.f.type.params]
            with pytest.raises(wasmetal.CompileError, match=MESSAGE):
                exports.f(*arguments)
        assert exports.seven() == 7
    for refuse in (
        EAGER.compile,
        lambda s: ENGINES[0].compile(s).serialize(),
    ):
        with pytest.raises(wasmetal.CompileError, match=MESSAGE):
            refuse(source)


HOST = {
    "pass": lambda value: value,
    "function": lambda *args: bytes(16),
    "vector": wasmetal.Global(wasmetal.GlobalType("v128"), bytes(range(16))),
    "changing": wasmetal.Global(wasmetal.GlobalType("v128", True), bytes(range(16))),
}


@pytest.mark.parametrize("instruction", SIMD, ids=lambda instruction: instruction.name)
def test_every_instruction(wasm: Any, instruction: Instruction) -> None:
    assert instruction.params is not None and instruction.results is not None
    b = wasm()
    b.memory(1)
    operands = b"".join(_CONSTANTS[param] for param in instruction.params)
    b.func("", "", operands + encoded(instruction) + b"\x1a" * len(instruction.results), export="f")
    refused(b)


@pytest.mark.parametrize("instruction", SIMD[::7], ids=lambda instruction: instruction.name)
def test_in_code_that_cannot_be_reached(wasm: Any, instruction: Instruction) -> None:
    assert instruction.results is not None
    b = wasm()
    b.memory(1)
    b.func("", "", b"\x00" + encoded(instruction) + b"\x1a" * len(instruction.results), export="f")
    refused(b)


#: Code that is never reached and has a vector only as a type: there is nothing to refuse.
HARMLESS = {
    "select": b"\0\x1c\x01\x7b\x1a",
    "call": b"\0\x10\0\x1a",
    "indirect call": b"\0\x11\0\0\x1a",
    "block": b"\0\x02\x7b\0\x0b\x1a",
    "block with parameters": b"\0\x02\0\x0b\x1a",
    "branch": b"\x02\x7b\0\x0c\0\x0b\x1a",
    "global": b"\0\x23\0\x1a",
}


@pytest.mark.parametrize("name", HARMLESS)
def test_types_in_code_that_cannot_be_reached(wasm: Any, name: str) -> None:
    b = wasm()
    b.import_global("m", "vector", "v")
    b.func("v", "v", b"\x20\0")
    b.table("r", 1)
    b.func("", "", HARMLESS[name], export="f")
    for engine in ENGINES:
        exports = engine.compile(b.build()).instantiate({"m": HOST}).exports
        with pytest.raises((wasmetal.Trap, wasmetal.CompileError), match=f"unreachable|{MESSAGE}"):
            exports.f()


#: Parameters, results, locals and code of a function. Function 0 takes and gives a vector; so does type 0.
PLACES = {
    "parameter": ("v", "", "", b""),
    "parameter that is used": ("v", "", "", b"\x20\0\x1a"),
    "result": ("", "v", "", VECTOR),
    "result that is never there": ("", "v", "", b"\0"),
    "parameter among others": ("iIfFv", "", "", b""),
    "local": ("", "", "v", b""),
    "local that is set": ("", "", "iv", VECTOR + b"\x21\x01"),
    "constant": ("", "", "", VECTOR + b"\x1a"),
    "tee": ("", "", "v", VECTOR + b"\x22\0\x1a"),
    "block": ("", "", "", b"\x02\x7b" + VECTOR + b"\x0b\x1a"),
    "loop": ("", "", "", b"\x03\x7b" + VECTOR + b"\x0b\x1a"),
    "if": ("", "", "", b"\x41\0\x04\x7b" + VECTOR + b"\x05" + VECTOR + b"\x0b\x1a"),
    "block with parameters": ("", "", "", VECTOR + b"\x02\0\x0b\x1a"),
    "loop with parameters": ("", "", "", VECTOR + b"\x03\0\x0b\x1a"),
    "branch": ("", "", "", b"\x02\x7b" + VECTOR + b"\x0c\0\x0b\x1a"),
    "branch that cannot be reached": ("", "", "", b"\x02\x7b\0\x0c\0\x0b\x1a"),
    "conditional branch": ("", "", "", b"\x02\x7b" + VECTOR + b"\x41\0\x0d\0\x0b\x1a"),
    "branch table": ("", "", "", b"\x02\x7b" + VECTOR + b"\x41\0\x0e\0\0\x0b\x1a"),
    "select": ("", "", "", VECTOR + VECTOR + b"\x41\0\x1b\x1a"),
    "select with a type": ("", "", "", VECTOR + VECTOR + b"\x41\0\x1c\x01\x7b\x1a"),
    "call": ("", "", "", VECTOR + b"\x10\0\x1a"),
    "indirect call": ("", "", "", VECTOR + b"\x41\0\x11\0\0\x1a"),
    "global": ("", "", "", b"\x23\0\x1a"),
    "global of the module": ("", "", "", b"\x23\x02\x1a"),
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
    b.func(params, results, code, locals=locals, export="f")
    refused(b)


def test_functions_of_the_host(wasm: Any) -> None:
    """A module may import them, but not call them."""
    for params, results, code in (
        ("v", "", VECTOR + b"\x10\0"),
        ("", "v", b"\x10\0\x1a"),
        ("iv", "vi", b"\x41\0" + VECTOR + b"\x10\0\x1a\x1a"),
    ):
        b = wasm()
        b.import_func("m", "function", params, results)
        b.func("", "", code, export="f")
        refused(b)


def test_outside_of_code_they_work(wasm: Any) -> None:
    """Globals with vectors; and functions of the host that Python calls."""
    b = wasm()
    b.import_global("m", "changing", "v", mutable=True, export="changing")
    b.glob("v", VECTOR, mutable=True, export="own")
    b.glob("i", b.op.i32(3), export="behind")
    exports = wasmetal.Module(b.build()).instantiate({"m": HOST}).exports
    assert exports.own.value == bytes(range(16)) and exports.behind.value == 3
    exports.own.value = exports.changing.value = bytes(16)
    assert exports.own.value == exports.changing.value == HOST["changing"].value == bytes(16)
    same = wasmetal.Func(lambda value: value, wasmetal.FuncType(("v128",), ("v128",)))
    assert same(bytes(range(16))) == bytes(range(16))
    assert same.call_raw(1, 2) == (1, 2)
    for wrong in (b"short", 5, None):
        with pytest.raises(TypeError):
            same(wrong)
        with pytest.raises(TypeError):
            exports.own.value = wrong


def test_called_through_a_table_by_other_code(wasm: Any) -> None:
    """The compiler meets the vector when a function is on its way that has none in its own code."""
    b = wasm()
    plain = b.type("", "i")
    b.table("r", 2, export="table")
    b.func("", "i", VECTOR + b"\x1a" + b.op.i32(1))
    b.func("", "i", b.op.i32(2))
    b.func("i", "i", b.op.get(0) + b"\x11" + bytes([plain]) + b"\0", export="run")
    b.func("", "i", b"\x10\0", export="direct")
    b.elements(b.op.i32(0), [0, 1])
    for engine in ENGINES:
        exports = engine.compile(b.build()).instantiate().exports
        for call in (lambda e=exports: e.run(0), lambda e=exports: e.direct(), lambda e=exports: e.table[0]()):
            for _ in range(2):
                with pytest.raises(wasmetal.CompileError, match=MESSAGE):
                    call()
        assert exports.run(1) == 2
