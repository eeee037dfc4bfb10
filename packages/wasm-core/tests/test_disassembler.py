"""The disassembler: every instruction of real bodies, and the notation."""

from __future__ import annotations

from typing import Any

import pytest

from wasm_core import MalformedError, decode, validate_body
from wasm_core.disassembler import disassemble, format_instruction, instructions_between, read_local_groups


def text_of(code: bytes) -> list[str]:
    return [format_instruction(i, values) for _, i, values in instructions_between(code, 0, len(code))]


def test_notation() -> None:
    assert text_of(
        b"\x02\x40\x03\x7f\x04\x05\x0b\x0b"
        b"\x20\x85\x01\x41\x7f\x42\x80\x01\x43\0\0\xc0\x3f\x44\0\0\0\0\0\0\xf0\xbf"
        b"\x28\x02\x00\x28\x01\x08\x0e\x02\x00\x01\x02\x11\x03\x01\x11\x03\x00\x1b\x1c\x01\x7e"
        b"\xd0\x70\xfc\x0a\x00\x00\xfc\x08\x05\x00\xfc\x0c\x06\x07\xfd\x54\x00\x01\x0f"
        b"\xfd\x0c\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04\0\0\0\xfd\x9b\x01"
    ) == [
        "block",
        "loop (result i32)",
        "if (type 5)",
        "end",
        "end",
        "local.get 133",
        "i32.const -1",
        "i64.const 128",
        "f32.const 1.5",
        "f64.const -1.0",
        "i32.load",
        "i32.load offset=8 align=2",
        "br_table 0 1 2",
        "call_indirect 1 (type 3)",
        "call_indirect (type 3)",
        "select",
        "select (result i64)",
        "ref.null func",
        "memory.copy",
        "memory.init 5",
        "table.init 7 6",
        "v128.load8_lane offset=1 15",
        "v128.const i32x4 0x00000001 0x00000002 0x00000003 0x00000004",
        "i16x8.avgr_u",
    ]


def test_notation_of_later_versions() -> None:
    assert text_of(
        b"\x02\x63\x05\x06\x7f\x07\x02\x18\x01\x09\x00\x19\x0b\x0b"
        b"\x28\x42\x01\x08\x28\x02\x80\x80\x80\x80\x10\xfd\x54\x40\x02\x01\x0f"
        b"\x3f\x01\xfc\x0a\x01\x00\xfc\x08\x05\x02"
        b"\xd0\x6e\xd0\x03\x1c\x02\x64\x6b\x63\x02\x14\x07\xd5\x00"
        b"\xfb\x02\x04\x01\xfb\x14\x6c\xfb\x17\x09\xfb\x18\x02\x00\x6d\x6a\xfc\x13\xfe\x03\x00\xfe\x10\x02\x04"
    ) == [
        "block (result (ref null 5))",
        "try (result i32)",
        "catch 2",
        "delegate 1",
        "rethrow 0",
        "catch_all",
        "end",
        "end",
        "i32.load 1 offset=8",
        "i32.load offset=4294967296",
        "v128.load8_lane 2 offset=1 15",
        "memory.size 1",
        "memory.copy 1 0",
        "memory.init 2 5",
        "ref.null any",
        "ref.null 3",
        "select (result (ref struct) (ref null 2))",
        "call_ref 7",
        "br_on_null 0",
        "struct.get 4 1",
        "ref.test (ref i31)",
        "ref.cast (ref null 9)",
        "br_on_cast 0 (ref eq) (ref null array)",
        "i64.add128",
        "atomic.fence",
        "i32.atomic.load offset=4",
    ]


def test_offsets_and_locals(wasm: Any) -> None:
    module = decode(wasm.function(b"\x41\x80\x01\x1a\x0b", local_groups=((2, 0x7F), (300, 0x7C))))
    start, end = module.body(0)
    groups, pos = read_local_groups(module.source, start, end)
    assert groups == [(2, 0x7F), (300, 0x7C)]
    assert [(at - pos, i.name, values) for at, i, values in disassemble(module, 0)] == [
        (0, "i32.const", (128,)),
        (3, "drop", ()),
        (4, "end", ()),
    ]


def test_damage() -> None:
    for code in (b"\xff", b"\x41", b"\x0e\xff\xff\xff\xff\x0f", b"\x02\x60", b"\x44\0", b"\xd0\x7f", b"\xfd\xff\x7f"):
        with pytest.raises(MalformedError):
            text_of(code)


@pytest.mark.parametrize("name", ["ackermann", "fib2", "richards"])
def test_agrees_with_the_validator(corpus: dict[str, bytes], name: str) -> None:
    module = decode(corpus[name])
    for index in range(module.imported_functions, len(module.function_types)):
        facts = validate_body(module, index)
        found = list(disassemble(module, index))
        assert len(found) == facts.instruction_count
        sets: dict[int, list[int]] = {}
        loops: dict[int, int] = {}
        nest: list[int] = []
        for at, instruction, values in found:
            assert format_instruction(instruction, values)
            if instruction.name in ("local.set", "local.tee"):
                sets.setdefault(values[0], []).append(at)
            elif instruction.name in ("block", "if", "loop"):
                nest.append(at + 1 if instruction.name == "loop" else -1)
            elif instruction.name == "end" and nest:
                start = nest.pop()
                if start >= 0:
                    loops[start] = at
        assert sets == facts.local_sets
        assert loops == (facts.loops or {})
