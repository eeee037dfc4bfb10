"""The table of instructions: complete, consistent, and the same as what another assembler emits."""

from __future__ import annotations

import pytest

from wasm_core import decode, opcodes
from wasm_core import instructions as table
from wasm_core.features import Features
from wasm_core.instructions import Instruction, by_name, find, instructions, is_enabled
from wasm_core.testing.binary import unsigned
from wasm_core.type_codes import CODE_OF, VALUE_TYPE_OF, codes_of, type_name
from wasm_core.types import ValueType


def test_counts() -> None:
    # WebAssembly 1.0 has 172 instructions.
    assert len([i for i in instructions() if not i.feature]) == 172
    assert len([i for i in instructions() if i.feature == "simd"]) == 236
    assert len([i for i in instructions() if i.feature == "relaxed_simd"]) == 20
    assert len(instructions()) == len({i.opcode for i in instructions()}) == 457
    assert all(find(i.opcode) is i for i in instructions())
    assert find(0xFF) is find(0xFC000 | 18) is find(0xFD000 | 0x9A) is None
    assert len(by_name()) == 456  # both forms of select


def test_constants_equal_the_table() -> None:
    named = {name: value for name, value in vars(opcodes).items() if name.isupper()}
    assert named == {i.constant_name: i.opcode for i in instructions()}


def test_every_feature_is_a_switch() -> None:
    assert {i.feature for i in instructions() if i.feature} <= {a for a in dir(Features()) if not a.startswith("_")}
    assert not is_enabled(by_name()["i32.extend8_s"], Features.wasm_1_0())
    assert is_enabled(by_name()["i32.extend8_s"], Features.wasm_2_0())
    assert is_enabled(by_name()["i32.add"], Features.wasm_1_0())


def test_type_codes() -> None:
    assert len(VALUE_TYPE_OF) == len(CODE_OF) == len(ValueType)
    assert codes_of([ValueType.I32, ValueType.EXTERNREF]) == [0x7F, 0x6F]
    assert type_name(0x7B) == "v128"
    assert type_name(0) == "unknown"


def _text_immediates(instruction: Instruction) -> tuple[str, bytes]:
    """Immediates in the text format, and their bytes."""
    kind = instruction.immediate
    size = instruction.access_size
    memarg = bytes([size.bit_length() - 1 if size else 0, 0])
    simple: dict[int, tuple[str, bytes]] = {
        table.IMM_NONE: ("", b""),
        table.IMM_FUNC: ("0", b"\0"),
        table.IMM_LOCAL: ("0", b"\0"),
        table.IMM_GLOBAL: ("0", b"\0"),
        table.IMM_LABEL: ("0", b"\0"),
        table.IMM_LABEL_TABLE: ("0 0", b"\x01\0\0"),
        table.IMM_TYPE_TABLE: ("(type 0)", b"\0\0"),
        table.IMM_TABLE: ("0", b"\0"),
        table.IMM_MEMARG: ("", memarg),
        table.IMM_MEMARG_LANE: ("1", memarg + b"\x01"),
        table.IMM_I32: ("5", b"\x05"),
        table.IMM_I64: ("5", b"\x05"),
        table.IMM_F32: ("0", bytes(4)),
        table.IMM_F64: ("0", bytes(8)),
        table.IMM_V128: ("i64x2 0 0", bytes(16)),
        table.IMM_LANE: ("1", b"\x01"),
        table.IMM_SHUFFLE: (" ".join(["3"] * 16), b"\x03" * 16),
        table.IMM_MEMORY: ("", b"\0"),
        table.IMM_MEMORY_MEMORY: ("", b"\0\0"),
        table.IMM_DATA: ("0", b"\0"),
        table.IMM_DATA_MEMORY: ("0", b"\0\0"),
        table.IMM_ELEM: ("0", b"\0"),
        table.IMM_ELEM_TABLE: ("0", b"\0\0"),
        table.IMM_TABLE_TABLE: ("0 0", b"\0\0"),
        table.IMM_REF_TYPE: ("func", b"\x70"),
        table.IMM_SELECT_TYPES: ("(result i32)", b"\x01\x7f"),
    }
    return simple[kind]


@pytest.mark.parametrize(
    "instruction",
    [i for i in instructions() if i.immediate != table.IMM_BLOCK and i.name not in ("else", "end")],
    ids=lambda i: f"{i.name}-{i.opcode:x}",
)
def test_another_assembler_agrees(instruction: Instruction) -> None:
    wasmtime = pytest.importorskip("wasmtime")
    text, immediates = _text_immediates(instruction)
    source = f"""(module (type (func)) (memory 1) (table 1 funcref) (global (mut i32) (i32.const 0))
        (elem func) (data "") (func (param i32) unreachable {instruction.name} {text} unreachable))"""
    module = decode(bytes(wasmtime.wat2wasm(source)))
    start, end = module.body(0)
    opcode = instruction.opcode
    if opcode <= 0xFF:
        encoded = bytes([opcode])
    else:
        encoded = bytes([opcode >> 12]) + unsigned(opcode & 0xFFF)
    assert module.source[start:end] == b"\0\0" + encoded + immediates + b"\0\x0b"
    # A signature that is wrong would not pass the other's validator.
    if instruction.params is not None and instruction.results is not None and instruction.opcode != opcodes.REF_FUNC:
        results = " ".join(type_name(t) for t in instruction.results)
        params = " ".join(type_name(t) for t in instruction.params)
        operands = " ".join(f"local.get {i}" for i in range(len(instruction.params)))
        source = f"""(module (memory 1) (table 1 funcref) (elem func) (data "")
            (func (param {params}) (result {results}) {operands} {instruction.name} {text}))"""
        wasmtime.Module(wasmtime.Engine(), source)
