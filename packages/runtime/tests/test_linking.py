"""Imports: where they come from, and what they must be."""

from __future__ import annotations

import pytest

from wasmetal import (
    Func,
    FuncType,
    Global,
    GlobalType,
    LinkError,
    Memory,
    MemoryType,
    Module,
    Table,
    TableType,
    Trap,
)


@pytest.fixture
def needs_function(wasm) -> Module:
    builder = wasm()
    op = wasm.op
    builder.import_func("env", "f", "ii", "i")
    builder.func("ii", "i", op.get(0) + op.get(1) + op.call(0), export="call")
    return Module(builder.build())


def test_bare_callable_takes_the_declared_type(needs_function: Module) -> None:
    seen = []

    def f(a: int, b: int) -> int:
        seen.append((a, b))
        return a - b

    assert needs_function.instantiate({"env": {"f": f}}).exports.call(-1, 2**32 - 2) == 1
    assert seen == [(-1, -2)]


def test_func_has_its_own_type(needs_function: Module) -> None:
    good = Func(lambda a, b: a * b, FuncType(["i32", "i32"], ["i32"]))
    assert needs_function.instantiate({"env": {"f": good}}).exports.call(6, 7) == 42
    for bad in (FuncType(["i32"], ["i32"]), FuncType(["i32", "i64"], ["i32"]), FuncType(["i32", "i32"])):
        with pytest.raises(
            LinkError, match=r"incompatible import type: 'env'.'f' must be a function \(i32, i32\) -> \(i32\)"
        ):
            needs_function.instantiate({"env": {"f": Func(lambda *args: 0, bad)}})


@pytest.mark.parametrize("imports", [None, {}, {"env": {}}, {"other": {"f": print}}, {"env": {"g": print}}])
def test_unknown_import(needs_function: Module, imports: object) -> None:
    with pytest.raises(LinkError, match=r"unknown import: 'env'\.'f'"):
        needs_function.instantiate(imports)


def test_wrong_kinds(needs_function: Module) -> None:
    for value in (3, None, "f", Memory(MemoryType(1)), Table(TableType("funcref", 1)), Global(GlobalType("i32"), 1)):
        with pytest.raises(LinkError, match="incompatible import type"):
            needs_function.instantiate({"env": {"f": value}})


@pytest.mark.parametrize("imports", [[], "env", {"env": 3}, {"env": [print]}, {"env": None}])
def test_imports_must_be_mappings(needs_function: Module, imports: object) -> None:
    with pytest.raises(TypeError, match="mapping"):
        needs_function.instantiate(imports)


def test_instances_and_exports_are_mappings(needs_function: Module, wasm) -> None:
    builder = wasm()
    op = wasm.op
    builder.func("ii", "i", op.get(0) + op.get(1) + op.I32_ADD, export="f")
    adder = Module(builder.build()).instantiate()
    assert needs_function.instantiate({"env": adder}).exports.call(1, 2) == 3
    assert needs_function.instantiate({"env": adder.exports}).exports.call(1, 2) == 3
    assert needs_function.instantiate({"env": {"f": adder.exports.f}}).exports.call(1, 2) == 3


def test_thunks_for_imports_are_compiled_when_they_are_called(needs_function: Module, wasm) -> None:
    op = wasm.op
    builder = wasm()
    imported = builder.import_func("env", "f", "ii", "i")
    builder.table("r", 1)
    builder.elements(op.i32(0), [imported])
    call = op.call_indirect(builder.type("ii", "i"))
    builder.func("ii", "i", op.get(0) + op.get(1) + op.i32(0) + call, export="call")
    for module in (needs_function, Module(builder.build())):
        function = Func(min, FuncType(("i32", "i32"), ("i32",)))
        exports = module.instantiate({"env": {"f": function}}).exports
        assert function._core._code_glue is None
        assert exports.call(4, 3) == 3
        assert function._core._code_glue is not None
        assert needs_function.instantiate({"env": {"f": function}}).exports.call(1, 2) == 1


def test_extra_imports_do_no_harm(needs_function: Module) -> None:
    needs_function.instantiate({"env": {"f": min, "unused": 3}, "more": {}})


@pytest.mark.parametrize(
    ("wanted", "given", "matches"),
    [
        ((1, None), MemoryType(1), True),
        ((1, None), MemoryType(2, 3), True),
        ((2, None), MemoryType(1), False),
        ((1, 3), MemoryType(1, 3), True),
        ((1, 3), MemoryType(1, 2), True),
        ((1, 3), MemoryType(1, 4), False),
        ((1, 3), MemoryType(1), False),
    ],
)
def test_memory_limits(wasm, wanted: tuple, given: MemoryType, matches: bool) -> None:
    builder = wasm()
    builder.import_memory("env", "memory", *wanted)
    module = Module(builder.build())
    if matches:
        module.instantiate({"env": {"memory": Memory(given)}})
    else:
        with pytest.raises(LinkError, match=r"incompatible import type: .* must be a memory of"):
            module.instantiate({"env": {"memory": Memory(given)}})


@pytest.mark.parametrize(
    ("wanted", "given", "matches"),
    [
        (("r", 1, None), TableType("funcref", 1), True),
        (("r", 1, 5), TableType("funcref", 2, 5), True),
        (("r", 3, None), TableType("funcref", 2), False),
        (("r", 1, 5), TableType("funcref", 1, 6), False),
        (("r", 1, 5), TableType("funcref", 1), False),
        (("r", 1, None), TableType("externref", 1), False),
        (("e", 1, None), TableType("externref", 1), True),
    ],
)
def test_table_limits(wasm, wanted: tuple, given: TableType, matches: bool) -> None:
    builder = wasm()
    builder.import_table("env", "table", *wanted)
    module = Module(builder.build())
    if matches:
        module.instantiate({"env": {"table": Table(given)}})
    else:
        with pytest.raises(LinkError, match="incompatible import type"):
            module.instantiate({"env": {"table": Table(given)}})


def test_the_present_size_is_what_matches(wasm) -> None:
    builder = wasm()
    builder.import_memory("env", "memory", 3)
    builder.import_table("env", "table", "r", 3)
    module = Module(builder.build())
    imports = {"memory": Memory(MemoryType(1)), "table": Table(TableType("funcref", 1))}
    with pytest.raises(LinkError):
        module.instantiate({"env": imports})
    imports["memory"].grow(2)
    imports["table"].grow(2)
    module.instantiate({"env": imports})


def test_globals_must_match_exactly(wasm) -> None:
    builder = wasm()
    builder.import_global("env", "g", "i")
    builder.import_global("env", "m", "I", mutable=True)
    builder.func("", "i", wasm.op.global_get(0), export="g")
    builder.func("", "I", wasm.op.global_get(1), export="m")
    module = Module(builder.build())
    good = {"g": Global(GlobalType("i32"), 5), "m": Global(GlobalType("i64", True), 6)}
    exports = module.instantiate({"env": good}).exports
    assert (exports.g(), exports.m()) == (5, 6)
    for name, bad in [
        ("g", Global(GlobalType("i64"), 5)),
        ("g", Global(GlobalType("i32", True), 5)),
        ("m", Global(GlobalType("i64"), 5)),
        ("m", 5),
        ("g", "five"),
        ("g", None),
        ("g", 1 << 32),
        ("g", print),
    ]:
        with pytest.raises(LinkError, match=f"incompatible import type: 'env'.'{name}'"):
            module.instantiate({"env": {**good, name: bad}})


def test_plain_values_for_immutable_globals(wasm) -> None:
    builder = wasm()
    for name, type in (("i", "i"), ("I", "I"), ("f", "f"), ("F", "F"), ("e", "e"), ("r", "r")):
        builder.import_global("env", name, type, export=name)
    value = object()
    values = {"i": -5, "I": 1 << 40, "f": 0.5, "F": 0.1, "e": value, "r": None}
    exports = Module(builder.build()).instantiate({"env": values}).exports
    assert {name: exports[name].value for name in exports} == values
    assert exports.e.value is value


def test_failed_linking_changes_nothing(wasm) -> None:
    builder = wasm()
    op = wasm.op
    builder.import_memory("env", "memory", 1)
    builder.import_func("env", "missing")
    builder.data(op.i32(0), b"written")
    memory = Memory(MemoryType(1))
    with pytest.raises(LinkError):
        Module(builder.build()).instantiate({"env": {"memory": memory}})
    assert memory[:7] == bytes(7)


def test_segments_that_came_before_the_trap_stay(wasm) -> None:
    builder = wasm()
    op = wasm.op
    builder.import_memory("env", "memory", 1)
    builder.import_table("env", "table", "r", 2)
    builder.func("", "i", op.i32(42))
    builder.elements(op.i32(1), [0])
    builder.data(op.i32(0), b"first")
    builder.data(op.i32(65534), b"second")
    builder.data(op.i32(10), b"third")
    memory = Memory(MemoryType(1))
    table = Table(TableType("funcref", 2))
    with pytest.raises(Trap, match="out of bounds memory access"):
        Module(builder.build()).instantiate({"env": {"memory": memory, "table": table}})
    assert memory[:5] == b"first" and memory[-2:] == b"\0\0" and memory[10:15] == bytes(5)
    assert table[0] is None
    assert table[1]() == 42


def test_element_segments_come_first(wasm) -> None:
    builder = wasm()
    op = wasm.op
    builder.import_memory("env", "memory", 1)
    builder.table("r", 1)
    builder.func()
    builder.elements(op.i32(1), [0])
    builder.data(op.i32(0), b"data")
    memory = Memory(MemoryType(1))
    with pytest.raises(Trap, match="out of bounds table access"):
        Module(builder.build()).instantiate({"env": {"memory": memory}})
    assert memory[:4] == bytes(4)


def test_start_function_trap(wasm) -> None:
    builder = wasm()
    op = wasm.op
    builder.import_memory("env", "memory", 1)
    builder.func("", "", op.i32(0) + op.i32(99) + op.I32_STORE + op.UNREACHABLE)
    builder.start(0)
    memory = Memory(MemoryType(1))
    with pytest.raises(Trap, match="unreachable"):
        Module(builder.build()).instantiate({"env": {"memory": memory}})
    assert memory[0] == 99


def test_imported_start_function(wasm) -> None:
    builder = wasm()
    builder.import_func("env", "start")
    builder.start(0)
    calls = []
    Module(builder.build()).instantiate({"env": {"start": lambda: calls.append(1)}})
    assert calls == [1]


def test_start_function_raises(wasm) -> None:
    builder = wasm()
    builder.import_func("env", "start")
    builder.func("", "", wasm.op.call(0))
    builder.start(1)

    def start() -> None:
        raise LookupError("from the host")

    with pytest.raises(LookupError, match="from the host"):
        Module(builder.build()).instantiate({"env": {"start": start}})


def test_segments_at_imported_offsets(wasm) -> None:
    builder = wasm()
    op = wasm.op
    builder.import_global("env", "base", "i")
    builder.import_global("env", "f", "r")
    builder.import_func("env", "h", "", "i")
    builder.memory(1, export="memory")
    builder.table("r", 5, export="table")
    builder.glob("i", op.global_get(0), export="copy")
    builder.glob("r", op.ref_func(1), export="own")
    builder.func("", "i", op.i32(1), export="one")
    builder.data(op.global_get(0), b"here")
    builder.element_expressions(
        op.global_get(0), "r", [op.ref_func(1), op.ref_null("r"), op.ref_func(0), op.global_get(1)]
    )
    f = Func(lambda: 7, FuncType([], ["i32"]))
    h = Func(lambda: 8, FuncType([], ["i32"]))
    exports = Module(builder.build()).instantiate({"env": {"base": 1, "f": f, "h": h}}).exports
    assert exports.memory[0:6] == b"\0here\0"
    assert exports.copy.value == 1
    assert exports.own.value is exports.one
    table = exports.table
    assert [table[i] for i in range(5)] == [None, exports.one, None, h, f]
