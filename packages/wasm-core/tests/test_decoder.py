"""The decoder: what it makes of each section, its errors, and that hostile or large input costs little."""

from __future__ import annotations

import time
from array import array
from typing import Any

import pytest

from wasm_core import (
    DecodedModule,
    ExternKind,
    Features,
    FuncType,
    GlobalType,
    InvalidError,
    MalformedError,
    MemoryType,
    SegmentMode,
    TableType,
    Unsupported,
    ValueType,
    decode,
)

I32_ZERO = b"\x41\0\x0b"


def error_of(source: bytes, features: Features | None = None) -> MalformedError:
    with pytest.raises(MalformedError) as caught:
        decode(source, features)
    return caught.value


def test_empty_module(wasm: Any) -> None:
    module = decode(wasm.module())
    assert isinstance(module, DecodedModule)
    assert (module.types, module.imports, module.exports, module.start) == ((), (), (), None)


def test_every_section(wasm: Any) -> None:
    source = wasm.module(
        wasm.section(1, wasm.vector([wasm.func_type(), wasm.func_type(b"\x7f\x7e", b"\x7d")])),
        wasm.section(
            2,
            wasm.vector(
                [
                    wasm.sized(b"m") + wasm.sized(b"f") + b"\0\x01",
                    wasm.sized(b"m") + wasm.sized(b"t") + b"\x01\x6f\x01\x02\x05",
                    wasm.sized(b"m") + wasm.sized(b"g") + b"\x03\x7f\0",
                ]
            ),
        ),
        wasm.custom("note", b"hello"),
        wasm.section(3, b"\x02\0\0"),
        wasm.section(4, b"\x01\x70\0\x02"),
        wasm.section(5, b"\x01\x01\x01\x03"),
        wasm.section(6, b"\x01\x7e\x01\x42\x7f\x0b"),
        wasm.section(7, wasm.vector([wasm.sized("é".encode()) + b"\0\x01"])),
        wasm.section(8, b"\x01"),
        wasm.section(9, b"\x02\x00\x41\x01\x0b\x02\x00\x01\x05\x70\x01\xd0\x70\x0b"),
        wasm.section(12, b"\x02"),
        wasm.section(10, wasm.vector([wasm.sized(b"\0\x0b"), wasm.sized(b"\0\x01\x0b")])),
        wasm.section(11, b"\x02\x00\x23\x00\x0b\x03abc\x01\x00"),
    )
    module = decode(source)
    assert module.types[1] == FuncType(["i32", "i64"], ["f32"])
    assert [(i.module, i.name, i.kind, i.type, i.type_index) for i in module.imports] == [
        ("m", "f", ExternKind.FUNC, module.types[1], 1),
        ("m", "t", ExternKind.TABLE, TableType("externref", 2, 5), None),
        ("m", "g", ExternKind.GLOBAL, GlobalType("i32", False), None),
    ]
    assert list(module.function_types) == [1, 0, 0]
    assert module.tables == (TableType("externref", 2, 5), TableType("funcref", 2))
    assert module.memories == (MemoryType(1, 3),)
    assert module.global_types == (GlobalType("i32"), GlobalType("i64", True))
    assert module.globals[0].init.instructions == ((0x42, -1),)
    assert [(e.name, e.kind, e.index) for e in module.exports] == [("é", ExternKind.FUNC, 1)]
    assert module.start == 1
    first, second = module.elements
    assert (first.mode, first.table, first.functions) == (SegmentMode.ACTIVE, 0, array("I", [0, 1]))
    assert second.mode is SegmentMode.PASSIVE
    assert second.expressions is not None
    assert second.expressions[0].instructions == ((0xD0, ValueType.FUNCREF),)
    assert (len(first), len(second)) == (2, 1)
    active, passive = module.data
    assert active.offset is not None
    assert active.offset.instructions == ((0x23, 0),)
    assert source[active.start : active.end] == b"abc"
    assert (passive.mode, passive.start) == (SegmentMode.PASSIVE, passive.end)
    assert module.data_count == 2
    assert [source[slice(*module.body(i))] for i in (1, 2)] == [b"\0\x0b", b"\0\x01\x0b"]
    assert [(c.name, source[c.start : c.end]) for c in module.customs] == [("note", b"hello")]
    assert [s.id for s in module.sections] == [1, 2, 0, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11]
    assert (module.imported_functions, module.imported_tables) == (1, 1)
    assert (module.imported_memories, module.imported_globals) == (0, 1)
    assert module.extern_type(ExternKind.TABLE, 1) == TableType("funcref", 2)


@pytest.mark.parametrize(
    ("flags", "rest", "mode", "table"),
    [
        (0, I32_ZERO + b"\x01\0", SegmentMode.ACTIVE, 0),
        (1, b"\0\x01\0", SegmentMode.PASSIVE, 0),
        (2, b"\x03" + I32_ZERO + b"\0\x01\0", SegmentMode.ACTIVE, 3),
        (3, b"\0\x01\0", SegmentMode.DECLARATIVE, 0),
        (4, I32_ZERO + b"\x01\xd2\0\x0b", SegmentMode.ACTIVE, 0),
        (5, b"\x70\x01\xd2\0\x0b", SegmentMode.PASSIVE, 0),
        (6, b"\x03" + I32_ZERO + b"\x70\x01\xd2\0\x0b", SegmentMode.ACTIVE, 3),
        (7, b"\x70\x01\xd2\0\x0b", SegmentMode.DECLARATIVE, 0),
    ],
)
def test_element_segments(wasm: Any, flags: int, rest: bytes, mode: SegmentMode, table: int) -> None:
    (segment,) = decode(wasm.module(wasm.section(9, b"\x01" + bytes([flags]) + rest))).elements
    assert (segment.mode, segment.table, segment.type) == (mode, table, ValueType.FUNCREF)
    assert (segment.offset is None) == (mode is not SegmentMode.ACTIVE)
    if flags < 4:
        assert segment.functions == array("I", [0])
    else:
        assert segment.expressions is not None
        assert segment.expressions[0].instructions == ((0xD2, 0),)


def test_constants(wasm: Any) -> None:
    v128 = bytes(range(16))
    content = wasm.vector(
        [
            b"\x7f\0\x41\x80\x80\x80\x80\x78\x0b",
            b"\x7d\0\x43\x01\0\xa0\x7f\x0b",
            b"\x7c\0\x44" + bytes(7) + b"\x80\x0b",
            b"\x7b\0\xfd\x0c" + v128 + b"\x0b",
        ]
    )
    module = decode(wasm.module(wasm.section(6, content)))
    assert [g.init.instructions[0][1] for g in module.globals] == [
        -(2**31),
        0x7FA00001,
        1 << 63,
        int.from_bytes(v128, "little"),
    ]


def test_what_is_not_constant_still_decodes(wasm: Any) -> None:
    # A block within the expression: the first `end` is not the last, and stays.
    module = decode(wasm.module(wasm.section(6, b"\x01\x7f\0\x02\x7f\x41\x00\x0b\x0b")))
    assert [opcode for opcode, _ in module.globals[0].init.instructions] == [0x02, 0x41, 0x0B]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"", "unexpected end"),
        (b"\0as", "unexpected end"),
        (b"\0asm\x01\0", "unexpected end"),
        (b"\0ASM\x01\0\0\0", "magic header not detected"),
        (b"\x7fELF\x02\x01\x01\0", "magic header not detected: this looks like an ELF file"),
        (b"(module)", "magic header not detected: this looks like the text format"),
        (b"PK\x03\x04....", "magic header not detected: this looks like a zip archive"),
        (b"\0asm\x02\0\0\0", "unknown binary version 2"),
        (b"\0asm\x0d\0\x01\0", "unknown binary version: this is a component, not a core module"),
    ],
)
def test_preamble(source: bytes, message: str) -> None:
    assert error_of(source).message.startswith(message)


def test_errors_name_the_place(wasm: Any) -> None:
    cases = [
        (b"\x0e\0", "malformed section id 14", 8),
        (b"\x01\x05\0", "length out of bounds", 9),
        (wasm.section(1, b"\0\0"), "section size mismatch", 11),
        (wasm.section(3, b"\0") + wasm.section(1, b"\0"), "unexpected content after last section", 11),
        (wasm.section(1, b"\0") * 2, "unexpected content after last section", 11),
        (wasm.section(1, b"\x01\x60\x01\x00\x00"), "malformed value type", 13),
        (wasm.section(1, b"\x01\x40\0\0"), "malformed function type", 11),
        (wasm.section(2, b"\x01\x01\xff\0\0\0"), "malformed UTF-8 encoding", 12),
        (wasm.section(2, b"\x01\0\0\x05\0"), "malformed import kind", 13),
        (wasm.section(4, b"\x01\x7f\0\0"), "malformed reference type", 11),
        (wasm.section(5, b"\x01\x10\0"), "integer too large", 11),
        (wasm.section(6, b"\x01\x7f\x02\x41\0\x0b"), "malformed mutability", 12),
        (wasm.section(6, b"\x01\x7f\x00\xff\0\x0b"), "illegal opcode", 13),
        (wasm.section(6, b"\x01\x7f\x00\xfd\x80\x40\0\x0b"), "illegal opcode", 13),
        (wasm.section(7, b"\x01\0\x05\0"), "malformed export kind", 12),
        (wasm.section(9, b"\x01\x08"), "malformed elements segment kind", 11),
        (wasm.section(9, b"\x01\x01\x01\0"), "malformed element kind", 12),
        (wasm.section(11, b"\x01\x03"), "malformed data segment kind", 11),
        (wasm.section(11, b"\x01\x01\x05abc"), "unexpected end", 12),
        (wasm.section(3, b"\x01\0"), "function and code section have inconsistent lengths", 12),
        (wasm.section(12, b"\x01"), "data count and data section have inconsistent lengths", 11),
    ]
    for sections, message, offset in cases:
        error = error_of(wasm.module(sections), Features.wasm_2_0())
        assert (error.message.startswith(message), error.offset) == (True, offset), (error, message)


def test_unknown_type_of_an_import(wasm: Any) -> None:
    with pytest.raises(InvalidError, match="unknown type 3"):
        decode(wasm.module(wasm.section(2, b"\x01\0\0\0\x03")))


def test_features(wasm: Any) -> None:
    old = Features.wasm_1_0()
    # Nothing is malformed because it is new.
    for section, what, feature in (
        (wasm.section(12, b"\0"), "a data count section", "bulk_memory"),
        (wasm.section(1, b"\x01\x60\x01\x6f\0"), "the type externref", "reference_types"),
        (wasm.section(1, b"\x01\x60\x01\x7b\0"), "the type v128", "simd"),
        (wasm.section(1, b"\x01\x60\x01\x64\x70\0"), "a reference type in full", "function_references"),
        (wasm.section(1, b"\x01\x5f\0"), "a structure type", "gc"),
        (wasm.section(1, b"\x01\x5e\x7f\0"), "an array type", "gc"),
        (wasm.section(1, b"\x01\x4e\0"), "a recursion group", "gc"),
        (wasm.section(1, b"\x01\x50\0\x60\0\0"), "a subtype", "gc"),
        (wasm.section(2, b"\x01\0\0\x04\0\0"), "a tag", "exceptions"),
        (wasm.section(4, b"\x01\x6f\0\0"), "the type externref", "reference_types"),
        (wasm.section(4, b"\x01\x69\0\0"), "the type exnref", "exceptions"),
        (wasm.section(5, b"\x01\x03\0\x01"), "this type of a memory", "threads"),
        (wasm.section(5, b"\x01\x04\0"), "this type of a memory", "memory64"),
        (wasm.section(5, b"\x01\x08\0\0"), "this type of a memory", "custom_page_sizes"),
        (wasm.section(4, b"\x01\x70\x04\0"), "this type of a table", "memory64"),
        (wasm.section(6, b"\x01\x7f\0\xd0\x70\x0b"), "ref.null", "reference_types"),
        (wasm.section(13, b"\0"), "a tag section", "exceptions"),
    ):
        with pytest.raises(Unsupported) as caught:
            decode(wasm.module(section), old)
        assert caught.value.feature == feature
        assert caught.value.message == f"{what} needs the feature {feature}, which is switched off"
    # Before bulk memory the flags of a segment were an index.
    module = decode(
        wasm.module(wasm.section(9, b"\x01\x01" + I32_ZERO + b"\0"), wasm.section(11, b"\x01\x01" + I32_ZERO + b"\0")),
        old,
    )
    assert (module.elements[0].table, module.data[0].memory) == (1, 1)


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6, 7, 9, 10, 11])
def test_impossible_counts_cost_nothing(wasm: Any, number: int) -> None:
    started = time.process_time()
    error_of(wasm.module(wasm.section(number, b"\xff\xff\xff\xff\x0f")))
    error_of(wasm.module(wasm.section(number, b"\xff\xff\xff\xff\x0f" + bytes(1000))))
    assert time.process_time() - started < 0.5


def test_impossible_counts_inside(wasm: Any) -> None:
    huge = b"\xff\xff\xff\xff\x0f"
    for sections in (
        wasm.section(1, b"\x01\x60" + huge),
        wasm.section(2, b"\x01" + huge),
        wasm.section(9, b"\x01\0" + I32_ZERO + huge),
        wasm.section(9, b"\x01\x05\x70" + huge),
        wasm.section(10, b"\x01" + huge),
        wasm.section(6, b"\x01\x7f\0\x0e" + huge),
        wasm.section(0, huge),
    ):
        assert "unexpected end" in error_of(wasm.module(sections)).message


def test_a_large_module_decodes_fast(wasm: Any) -> None:
    functions = 46_000
    body = wasm.sized(b"\0" + b"\x01" * 1440 + b"\x0b")
    source = wasm.module(
        wasm.section(1, wasm.vector([wasm.func_type()])),
        wasm.section(3, wasm.unsigned(functions) + bytes(functions)),
        wasm.section(4, b"\x01\x70\0\0"),
        wasm.section(9, b"\x01\0" + I32_ZERO + wasm.vector([wasm.unsigned(i) for i in range(20_000)])),
        wasm.section(10, wasm.unsigned(functions) + body * functions),
        wasm.custom("name", bytes(3_000_000)),
    )
    assert len(source) > 69_000_000
    taken = []
    for _ in range(3):
        started = time.process_time()
        module = decode(source)
        taken.append(time.process_time() - started)
    assert min(taken) < 0.5, taken
    assert len(module.body_starts) == functions
    assert module.source is source
