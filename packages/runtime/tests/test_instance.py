"""Instances and exports: access, identity, closing."""

from __future__ import annotations

import copy
import pickle
import threading
import weakref

import pytest

import wasmetal
from wasmetal import (
    Caller,
    Exports,
    Func,
    FuncType,
    Global,
    GlobalType,
    Instance,
    Memory,
    MemoryType,
    Module,
    Table,
    TableType,
    WasmError,
)
from wasmetal.system.hold import FREE_THREADED


@pytest.fixture
def everything(wasm) -> Module:
    """One export of each kind, twice: defined, and imported and exported again."""
    builder = wasm()
    op = wasm.op
    builder.import_func("env", "f", "i", "i", export="f2")
    builder.import_memory("env", "m", 1, export="m2")
    builder.import_table("env", "t", "r", 1, export="t2")
    builder.import_global("env", "g", "i", mutable=True, export="g2")
    builder.func("i", "i", op.get(0) + op.i32(1) + op.I32_ADD, export="f")
    builder.table("r", 3, export="t")
    builder.glob("i", op.i32(5), mutable=True, export="g")
    builder.func("i", "i", op.get(0) + op.call(0), export="call")
    builder.func("", "i", op.global_get(0), export="get-imported")
    return Module(builder.build())


@pytest.fixture
def environment() -> dict[str, object]:
    return {
        "f": Func(lambda x: x * 2, FuncType(["i32"], ["i32"])),
        "m": Memory(MemoryType(1)),
        "t": Table(TableType("funcref", 1)),
        "g": Global(GlobalType("i32", True), 3),
    }


@pytest.fixture
def instance(everything: Module, environment: dict[str, object]) -> Instance:
    return everything.instantiate({"env": environment})


def test_exports_is_a_mapping(instance: Instance) -> None:
    exports = instance.exports
    names = ["f2", "m2", "t2", "g2", "f", "t", "g", "call", "get-imported"]
    assert list(exports) == list(exports.keys()) == names
    assert len(exports) == 9
    assert "f" in exports and "h" not in exports and 3 not in exports
    assert exports["get-imported"]() == 3
    assert exports.get("f") is exports["f"] is exports.f
    assert exports.get("h") is None
    assert dict(exports.items())["g"] is exports.g
    assert set(names) <= set(dir(exports))
    with pytest.raises(KeyError):
        exports["h"]
    with pytest.raises(AttributeError, match="no export 'h'"):
        _ = exports.h
    assert not hasattr(exports, "h")
    assert "get-imported" in repr(exports)


def test_exports_that_are_called_like_methods(wasm) -> None:
    builder = wasm()
    for number, name in enumerate(("get", "items", "keys", "values", "_core_", "__len__", "__class__", "")):
        builder.func("", "i", wasm.op.i32(number), export=name)
    exports = Module(builder.build()).instantiate().exports
    assert [exports[name]() for name in exports] == list(range(8))
    assert exports.get("get")() == 0
    with pytest.raises(TypeError, match=r"exports\['get'\]"):
        exports.get(1)
    assert len(exports) == 8
    assert isinstance(exports, Exports)


def test_identity(instance: Instance, environment: dict[str, object]) -> None:
    exports = instance.exports
    assert instance.exports is exports
    for name in exports:
        assert exports[name] is exports[name]
    for name in "fmtg":
        assert exports[name + "2"] is environment[name]
    f = exports.f
    del exports
    assert instance.exports.f is f


def test_reexported_things_are_the_same_over_several_instances(wasm, instance: Instance) -> None:
    builder = wasm()
    builder.import_func("a", "f", "i", "i", export="f")
    builder.import_table("a", "t", "r", 1, export="t")
    builder.import_global("a", "g", "i", mutable=True, export="g")
    builder.import_memory("a", "m2", 1, export="m2")
    middle = Module(builder.build()).instantiate({"a": instance})
    last = Module(builder.build()).instantiate({"a": middle})
    for name in ("f", "t", "g", "m2"):
        assert last.exports[name] is instance.exports[name]


def test_names_and_types(instance: Instance) -> None:
    exports = instance.exports
    assert exports.f.type == FuncType(["i32"], ["i32"])
    assert exports.f.name == "f"
    assert exports.t.type == TableType("funcref", 3)
    assert exports.g.type == GlobalType("i32", True)


def test_calls_and_state(instance: Instance, environment: dict[str, object]) -> None:
    assert instance.exports.f(41) == 42
    assert instance.exports.call(21) == 42
    environment["g"].value = 9
    assert instance.exports["get-imported"]() == 9


def test_instances_are_independent(everything: Module, environment: dict[str, object]) -> None:
    first, second = (everything.instantiate({"env": environment}) for _ in range(2))
    first.exports.g.value = 100
    assert second.exports.g.value == 5
    assert first.exports.f is not second.exports.f
    assert first.exports.m2 is second.exports.m2


def test_module_of_an_instance(instance: Instance, everything: Module) -> None:
    assert instance.module is everything


def test_caller(wasm) -> None:
    builder = wasm()
    op = wasm.op
    builder.import_func("env", "look", "i", "i")
    builder.memory(1, export="memory")
    builder.data(op.i32(4), b"\x2a")
    builder.func("i", "i", op.get(0) + op.call(0), export="call")
    seen = []

    def look(caller: Caller, address: int) -> int:
        seen.append((caller.exports, caller.memory, caller.instance))
        return caller.memory[address]

    module = Module(builder.build())
    first = module.instantiate({"env": {"look": look}})
    second = module.instantiate({"env": {"look": look}})
    assert first.exports.call(4) == 42
    assert second.exports.call(4) == 42
    assert seen[0] == (first.exports, first.exports.memory, first)
    assert seen[1] == (second.exports, second.exports.memory, second)


def test_nothing_that_runs_can_be_copied(instance: Instance) -> None:
    exports = instance.exports
    for thing in (instance, exports, exports.f, exports.m2, exports.t, exports.g):
        for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match="cannot be pickled or copied"):
                attempt(thing)


# Closing.


def test_use_after_close(wasm) -> None:
    builder = wasm()
    op = wasm.op
    builder.func("", "i", op.i32(1), export="f")
    builder.func("", "e", op.ref_null("e"), export="refs")
    builder.memory(1, export="m")
    builder.table("r", 1, export="t")
    builder.glob("i", op.i32(5), mutable=True, export="g")
    module = Module(builder.build())
    instance = module.instantiate()
    exports = instance.exports
    f, refs, m, t, g = (exports[name] for name in ("f", "refs", "m", "t", "g"))
    view = m.view()
    assert f() == 1 and refs() is None
    assert not instance.closed
    instance.close()
    instance.close()
    assert instance.closed
    for use in (
        f,
        refs,
        f.call_raw,
        lambda: m[0],
        lambda: m.grow(1),
        lambda: len(m),
        m.view,
        lambda: m.read(0, 1),
        lambda: t[0],
        lambda: t.grow(1),
        lambda: len(t),
        lambda: g.value,
        lambda: setattr(g, "value", 1),
        lambda: exports.f,
        lambda: exports["f"],
        lambda: instance.exports.f,
        instance.__enter__,
    ):
        with pytest.raises(WasmError, match="closed"):
            use()
    view[0] = 7
    assert view[0] == 7 and len(view) == 65536
    assert "closed" in repr(instance) and "closed" in repr(m) and "closed" in repr(t) and "closed" in repr(g)
    assert module.instantiate().exports.f() == 1


def test_a_new_instance_at_the_address_of_a_closed_one(wasm) -> None:
    builder = wasm()
    builder.func("", "i", wasm.op.i32(1), export="f")
    builder.table("r", 1, export="t")
    builder.glob("i", wasm.op.i32(5), export="g")
    module = Module(builder.build())
    held = []
    addresses = set()
    for _ in range(50):
        instance = module.instantiate()
        held.append([instance.exports[name] for name in instance.exports])
        addresses.add(instance._core.context)
        assert instance.exports.f() == 1
        assert len(instance.exports.t) == 1
        assert instance.exports.g.value == 5
        instance.close()
    # Without a GIL its place stays as long as its functions do: some thread may be about to enter.
    assert FREE_THREADED or len(addresses) < 50


def test_context_manager(wasm) -> None:
    builder = wasm()
    builder.func("", "i", wasm.op.i32(1), export="f")
    with Module(builder.build()).instantiate() as instance:
        f = instance.exports.f
        assert f() == 1
    with pytest.raises(WasmError, match="closed"):
        f()


def test_closing_frees_what_python_still_holds(wasm, clean: None) -> None:
    builder = wasm()
    builder.func("", "i", wasm.op.i32(1), export="f")
    builder.table("r", 1, export="t")
    instance = Module(builder.build()).instantiate()
    held = (instance.exports.f, instance.exports.t, instance.exports)
    core = weakref.ref(instance._core)
    instance.close()
    assert core() is None
    del held


def test_importers_go_on_after_close(wasm) -> None:
    builder = wasm()
    op = wasm.op
    builder.memory(1, export="m")
    builder.func("", "i", op.i32(0) + op.I32_LOAD, export="f")
    builder.data(op.i32(0), b"\x09")
    exporter = Module(builder.build()).instantiate()
    builder = wasm()
    builder.import_func("a", "f", "", "i")
    builder.import_memory("a", "m", 1)
    builder.func("", "i", op.call(0) + op.i32(0) + op.I32_LOAD + op.I32_ADD, export="twice")
    importer = Module(builder.build()).instantiate({"a": exporter})
    exporter.close()
    assert importer.exports.twice() == 18
    with pytest.raises(wasmetal.LinkError, match="closed"):
        builder = wasm()
        builder.import_func("a", "f", "", "i")
        closed = Module(builder.build())
        function = Module(_exporting(wasm)).instantiate()
        held = function.exports.f
        function.close()
        closed.instantiate({"a": {"f": held}})


def _exporting(wasm) -> bytes:
    builder = wasm()
    builder.func("", "i", wasm.op.i32(1), export="f")
    return builder.build()


def test_closing_while_it_runs(wasm) -> None:
    builder = wasm()
    op = wasm.op
    builder.import_func("env", "close")
    builder.memory(1, export="m")
    builder.data(op.i32(0), b"\x2a")
    builder.func("", "i", op.call(0) + op.i32(0) + op.I32_LOAD, export="f")
    holder = []
    instance = Module(builder.build()).instantiate({"env": {"close": lambda: holder.pop().close()}})
    holder.append(instance)
    f = instance.exports.f
    del instance
    assert f() == 42
    with pytest.raises(WasmError, match="closed"):
        f()


def test_another_thread_may_not_enter_a_running_store(wasm) -> None:
    builder = wasm()
    op = wasm.op
    builder.import_func("env", "wait")
    builder.func("", "i", op.call(0) + op.i32(1), export="f")
    builder.func("", "i", op.i32(2), export="g")
    inside, leave = threading.Event(), threading.Event()

    def wait() -> None:
        inside.set()
        leave.wait(20)

    instance = Module(builder.build()).instantiate({"env": {"wait": wait}})
    results = []
    thread = threading.Thread(target=lambda: results.append(instance.exports.f()))
    thread.start()
    assert inside.wait(20)
    with pytest.raises(WasmError, match="thread"):
        instance.exports.g()
    leave.set()
    thread.join(20)
    assert results == [1]
    assert instance.exports.g() == 2


def test_reentry_from_a_host_function(wasm) -> None:
    builder = wasm()
    op = wasm.op
    builder.import_func("env", "again", "i", "i")
    builder.func(
        "i", "i", op.get(0) + op.if_("i", op.get(0) + op.i32(-1) + op.I32_ADD + op.call(0), op.i32(100)), export="f"
    )
    instance: Instance

    def again(n: int) -> int:
        return instance.exports.f(n) + 1

    instance = Module(builder.build()).instantiate({"env": {"again": again}})
    assert instance.exports.f(20) == 120
