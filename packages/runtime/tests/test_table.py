"""Tables: access from Python, identity of functions, growth."""

from __future__ import annotations

import gc
import itertools
from typing import Any

import pytest

from wasmetal import Func, FuncType, Module, Table, TableType, Trap, WasmError
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
