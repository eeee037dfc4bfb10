"""The table of instructions: complete, consistent, and the same as what another assembler emits."""

from __future__ import annotations

import pytest

from wasm_core import decode, opcodes, vector_opcodes
from wasm_core import instructions as table
from wasm_core.disassembler import disassemble, format_instruction
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
    # Version 3.0 and the proposals, without vectors.
    counts = {i.feature: 0 for i in instructions()}
    for i in instructions():
        counts[i.feature] += 1
    assert counts["tail_calls"] == 2
    assert counts["function_references"] == 5
    assert counts["gc"] == 32
    assert counts["exceptions"] == 3
    assert counts["legacy_exceptions"] == 5
    assert counts["threads"] == 67
    assert counts["wide_arithmetic"] == 4
    assert len(instructions()) == len({i.opcode for i in instructions()}) == 575
    assert list(instructions()) == sorted(instructions(), key=lambda i: i.opcode)
    assert all(find(i.opcode) is i for i in instructions())
    assert find(0xFF) is find(0xFC000 | 23) is find(0xFD000 | 0x9A) is find(0xFB01F) is find(0xFE004) is None
    assert len(by_name()) == 572  # both forms of select, ref.test and ref.cast


def test_constants_equal_the_table() -> None:
    tables = {**vars(opcodes), **vars(vector_opcodes)}
    named = {name: value for name, value in tables.items() if name.isupper() and type(value) is int}
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
        table.IMM_HEAP_TYPE: ("func", b"\x70"),
        table.IMM_SELECT_TYPES: ("(result i32 (ref null 0))", b"\x02\x7f\x63\0"),
        table.IMM_TAG: ("0", b"\0"),
        table.IMM_TYPE: ("0", b"\0"),
        table.IMM_TYPE_FIELD: ("0 1", b"\0\x01"),
        table.IMM_TYPE_COUNT: ("0 3", b"\0\x03"),
        table.IMM_TYPE_DATA: ("0 0", b"\0\0"),
        table.IMM_TYPE_ELEM: ("0 0", b"\0\0"),
        table.IMM_TYPE_TYPE: ("0 0", b"\0\0"),
        table.IMM_REF_TYPE: (f"(ref {'null ' if instruction.opcode & 1 else ''}eq)", b"\x6d"),
        table.IMM_CAST_LABEL: ("1 (ref null any) (ref 0)", b"\x01\x01\x6e\0"),
        table.IMM_ZERO: ("", b"\0"),
    }
    return simple[kind]


@pytest.mark.parametrize(
    "instruction",
    [
        i
        for i in instructions()
        if i.immediate not in (table.IMM_BLOCK, table.IMM_BLOCK_CATCHES) and i.name not in ("else", "end")
    ],
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
        source = f"""(module (memory 1 1 shared) (table 1 funcref) (elem func) (data "")
            (func (param {params}) (result {results}) {operands} {instruction.name} {text}))"""
        config = wasmtime.Config()
        config.wasm_threads = config.shared_memory = config.wasm_wide_arithmetic = True
        config.wasm_gc = config.wasm_function_references = True
        wasmtime.Module(wasmtime.Engine(config), source)


def test_another_assembler_agrees_on_try_table() -> None:
    wasmtime = pytest.importorskip("wasmtime")
    catches = "(catch 0 1) (catch_ref 1 0) (catch_all 0) (catch_all_ref 1)"
    source = f"(module (type (func)) (func try_table (result (ref null 0)) {catches} end))"
    module = decode(bytes(wasmtime.wat2wasm(source)))
    start, end = module.body(0)
    assert module.source[start:end] == b"\0\x1f\x63\0\x04\0\0\x01\x01\x01\0\x02\0\x03\x01\x0b\x0b"
    (_, instruction, immediates), *_ = disassemble(module, 0)
    assert immediates == (-(1 << 9), 0, 0, 1, 1, 1, 0, 2, 0, 0, 3, 0, 1)
    assert format_instruction(instruction, immediates) == f"try_table (result (ref null 0)) {catches}"
