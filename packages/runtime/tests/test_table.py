"""Tables: access from Python, identity of functions, growth."""

from __future__ import annotations

import gc
import itertools
from typing import Any

import pytest

from wasmetal import Func, FuncType, LinkError, Module, Table, TableType, Trap, WasmError
from wasmetal.store import tables


@pytest.fixture
def instance(wasm):
    builder = wasm()
    op = wasm.op
    builder.table("r", 3, 10, export="table")
    builder.table("e", 2, export="objects")
    number = builder.type("", "i")
    builder.func("", "i", op.i32(10), export="ten")
    builder.func("", "i", op.i32(20))
    builder.func("i", "i", op.get(0) + op.call_indirect(number), export="call")
    builder.func("iI", "I", op.get(1), export="other-type")
    builder.func("i", "r", op.get(0) + op.table_get(), export="element")
    builder.func("ir", "", op.get(0) + op.get(1) + op.table_set(), export="set")
    builder.func("ri", "i", op.get(0) + op.get(1) + op.table_grow(), export="grow")
    builder.func("i", "e", op.get(0) + op.table_get(1), export="get-object")
    builder.func("ie", "", op.get(0) + op.get(1) + op.table_set(1), export="set-object")
    builder.func("ei", "i", op.get(0) + op.get(1) + op.table_grow(1), export="grow-objects")
    builder.elements(op.i32(0), [0, 1])
    return Module(builder.build()).instantiate()


def test_new_table() -> None:
    table = Table(TableType("externref", 2, 4), "x")
    assert len(table) == 2 and list(table) == ["x", "x"]
    assert table.type == TableType("externref", 2, 4)
    assert "externref" in repr(table)
    assert list(Table(TableType("funcref", 3))) == [None] * 3


def test_wrong_types() -> None:
    with pytest.raises(ValueError):
        Table(TableType("i32", 1))
    with pytest.raises(ValueError):
        Table(TableType("funcref", 2, 1))
    with pytest.raises(TypeError):
        Table(TableType("funcref", 1), print)
    with pytest.raises(WasmError, match="limit"):
        Table(TableType("funcref", 1 << 63, is64=True))
    with pytest.raises(WasmError, match="limit"):
        Table(TableType("funcref", 1 << 31))


def test_elements(instance) -> None:
    exports = instance.exports
    table = exports.table
    assert len(table) == 3
    assert table[0] is exports.ten
    assert table[1]() == 20
    assert table[1].name is None
    assert table[2] is None is table[-1]
    assert table[-3] is exports.ten
    for index in (3, -4, 1 << 70):
        with pytest.raises(IndexError):
            table[index]
        with pytest.raises(IndexError):
            table[index] = None
    for value in (print, 3, "ten"):
        with pytest.raises(TypeError):
            table[0] = value
    assert list(table) == [exports.ten, table[1], None]


def test_functions_keep_their_identity(instance) -> None:
    exports = instance.exports
    second = exports.table[1]
    assert exports.table[1] is second is exports.element(1)
    exports.set(2, second)
    assert exports.table[2] is second
    exports.table[0] = second
    assert exports.call(0) == 20
    exports.set(0, None)
    with pytest.raises(Trap, match="uninitialized element"):
        exports.call(0)
    exports.table[0] = exports["other-type"]
    with pytest.raises(Trap, match="indirect call type mismatch"):
        exports.call(0)
    with pytest.raises(Trap, match="undefined element"):
        exports.call(3)


def test_host_functions(instance, clean: None) -> None:
    exports = instance.exports
    calls = []
    host = Func(lambda: calls.append(1) or 30, FuncType([], ["i32"]))
    exports.table[2] = host
    assert exports.call(2) == 30
    assert exports.table[2] is host is exports.element(2)
    del host
    gc.collect()
    assert exports.call(2) == 30
    assert exports.table[2]() == 30
    assert len(calls) == 3


def test_a_table_that_python_made_takes_functions_before_it_has_an_instance(wasm, clean: None) -> None:
    op = wasm.op
    table = Table(TableType("funcref", 3))
    table[0] = Func(lambda: 1, FuncType([], ["i32"]))
    exporter = wasm()
    exporter.func("", "i", op.i32(2), export="two")
    table[1] = Module(exporter.build()).instantiate().exports.two
    gc.collect()
    assert [table[0](), table[1]()] == [1, 2]
    builder = wasm()
    builder.import_table("env", "table", "r", 3)
    number = builder.type("", "i")
    builder.func("i", "i", op.get(0) + op.call_indirect(number), export="call")
    builder.func("", "i", op.i32(3))
    builder.elements(op.i32(2), [1])
    exports = Module(builder.build()).instantiate({"env": {"table": table}}).exports
    assert [exports.call(i) for i in range(3)] == [1, 2, 3]
    del exports
    gc.collect()
    assert table[2]() == 3


def test_growth(instance) -> None:
    exports = instance.exports
    table = exports.table
    assert table.grow(2, exports.ten) == 3
    assert table[4] is exports.ten and exports.call(3) == 10
    assert exports.grow(None, 4) == 5
    assert len(table) == 9
    assert exports.grow(exports.ten, 2) == -1
    with pytest.raises(WasmError, match="cannot grow by 2"):
        table.grow(2)
    with pytest.raises(ValueError):
        table.grow(-1)
    assert table.grow(1) == 9
    assert exports.call(0) == 10


def test_growth_far_beyond_the_first_size(instance) -> None:
    objects = instance.exports.objects
    objects[1] = "kept"
    for _ in range(10):
        assert instance.exports["grow-objects"]("new", 1000) == len(objects) - 1000
    assert len(objects) == 10_002
    assert objects[1] == "kept" and objects[10_001] == "new"
    assert instance.exports["get-object"](1) == "kept"
    instance.exports["set-object"](10_000, "last but one")
    assert objects[-2] == "last but one"


@pytest.mark.parametrize("when", ["before", "after"])
def test_growth_below_growth(monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    # A handler used the room behind the elements up: they moved, and code went on where they had been.
    capacity = tables._capacity
    for first, second in itertools.product(range(1, 12), range(1, 12)):
        table = Table(TableType("externref", 100, 10_000))
        table.grow(1)
        left = [first]

        def interrupted(words: Any) -> int:
            room = capacity(words) if when == "after" else 0
            if left:  # noqa: B023
                assert table.grow(left.pop(), 1) == 101  # noqa: B023
            return room or capacity(words)

        with monkeypatch.context() as patch:
            patch.setattr(tables, "_capacity", interrupted)
            assert table.grow(second, 2) == 101 + first
        storage = table._storage
        assert storage is not None
        assert storage.struct.tolist() == [*storage.words.buffer_info()]
        assert [table[index] for index in range(101, len(table))] == [1] * first + [2] * second


def test_objects_keep_their_identity(instance) -> None:
    exports = instance.exports
    value = {"any": "object"}
    exports.objects[0] = value
    assert exports["get-object"](0) is value
    exports["set-object"](1, value)
    assert exports.objects[1] is value
    exports["set-object"](1, None)
    assert exports.objects[1] is None
    for same in (0, "", (), value, instance, exports.ten, int, ...):
        exports.objects[0] = same
        assert exports["get-object"](0) is same


WIDE = """
(module
  (type $f (func (result i32)))
  (table $wide (export "wide") i64 10 20 funcref)
  (table $narrow (export "narrow") 10 20 funcref)
  (elem (table $wide) (offset (i64.const 2)) func $one $two)
  (elem (table $narrow) (offset (i32.const 2)) func $one $two)
  (elem $passive func $two $one)
  (func $one (result i32) (i32.const 1))
  (func $two (result i32) (i32.const 2))
  (func (export "call") (param i64) (result i32) (call_indirect $wide (type $f) (local.get 0)))
  (func (export "element") (param i64) (result funcref) (table.get $wide (local.get 0)))
  (func (export "set") (param i64) (table.set $wide (local.get 0) (ref.func $two)))
  (func (export "size") (result i64) (table.size $wide))
  (func (export "grow") (param i64) (result i64) (table.grow $wide (ref.func $one) (local.get 0)))
  (func (export "fill") (param i64 i64 i64) (table.fill $wide (local.get 0) (ref.func $two) (local.get 2)))
  (func (export "copy") (param i64 i64 i64) (table.copy $wide $wide (local.get 0) (local.get 1) (local.get 2)))
  (func (export "out") (param i32 i64 i32) (table.copy $narrow $wide (local.get 0) (local.get 1) (local.get 2)))
  (func (export "in") (param i64 i32 i32) (table.copy $wide $narrow (local.get 0) (local.get 1) (local.get 2)))
  (func (export "init") (param i64 i32 i32) (table.init $wide $passive (local.get 0) (local.get 1) (local.get 2))))
"""
FAR = (10, 11, (1 << 32) - 1, 1 << 32, (1 << 32) + 2, 1 << 61, (1 << 61) + 2, 1 << 63, (1 << 64) - 10, (1 << 64) - 1)


def test_64_bit_indices() -> None:
    """No index and no length, however large, reaches anything but the table's elements: times 8 they would wrap."""
    e = Module(pytest.importorskip("wasm_text").assemble(WIDE)).instantiate().exports
    assert (e.call(2), e.call(3), e.element(1), len(e.wide)) == (1, 2, None, 10)
    before = list(e.wide)
    for index in FAR:
        for name in ("call", "element", "set"):
            with pytest.raises(Trap, match="undefined element" if name == "call" else "out of bounds table access"):
                e[name](index)
        assert e.grow(index if index > 11 else 1 << 62) == -1
    numbers = (0, 1, 9, *FAR)
    for destination, source, length in itertools.product(numbers, repeat=3):
        for name, wide in (
            ("fill", (1, 1, 1)),
            ("copy", (1, 1, 1)),
            ("out", (0, 1, 0)),
            ("in", (1, 0, 0)),
            ("init", (1, 0, 0)),
        ):
            operands = (destination, source, length)
            if any(number >> 32 and not is_wide for number, is_wide in zip(operands, wide, strict=True)):
                continue
            room = 2 if name == "init" else 10
            if destination + length > 10 or (name != "fill" and source + length > room):
                with pytest.raises(Trap, match="out of bounds table access"):
                    e[name](*operands)
    assert list(e.wide) == before == list(e.narrow)[:2] + before[2:]
    e.init(8, 0, 2)
    e.copy(0, 8, 2)
    e.out(9, 0, 1)
    getattr(e, "in")(4, 9, 1)
    e.fill(5, 0, 2)
    assert [e.call(index) for index in (0, 1, 4, 5, 6)] == [2, 1, 2, 2, 2]
    assert (e.grow(10), e.size(), e.grow(1), e.call(19)) == (10, 20, -1, 1)
    with pytest.raises(Trap, match="undefined element"):
        e.call(20)


def test_64_bit_tables_of_python() -> None:
    table = Table(TableType("funcref", 1, 1 << 40, is64=True))
    assert (len(table), table.grow(2), repr(table)) == (1, 1, "<Table of funcref, 3 elements, 64-bit>")
    with pytest.raises(WasmError, match="limit"):
        table.grow(1 << 39)
    assemble = pytest.importorskip("wasm_text").assemble
    wide = Module(assemble('(module (import "m" "t" (table i64 1 funcref)) (export "t" (table 0)))'))
    narrow = Module(assemble('(module (import "m" "t" (table 1 funcref)))'))
    assert wide.instantiate({"m": {"t": table}}).exports.t is table
    with pytest.raises(LinkError, match="must be a table of at least 1 funcref, not a 64-bit table of"):
        narrow.instantiate({"m": {"t": table}})
    with pytest.raises(LinkError, match="must be a 64-bit table of at least 1 funcref, not a table of"):
        wide.instantiate({"m": {"t": Table(TableType("funcref", 1))}})
    # An offset may have 64 bits; a size beyond all limits is refused.
    segment = "(module (table i64 4 funcref) (func $f) (elem (offset (i64.const {})) func $f))"
    Module(assemble(segment.format(3))).instantiate()
    for offset in (4, 1 << 32, 1 << 61, 1 << 63, -1):
        with pytest.raises(Trap, match="out of bounds table access"):
            Module(assemble(segment.format(offset))).instantiate()
    with pytest.raises(WasmError, match="over the limit"):
        Module(assemble("(module (table i64 0x8000000000000000 funcref))")).instantiate()
