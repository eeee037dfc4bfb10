"""Who keeps whom alive, and that everything is given back: with and without the garbage collector."""

from __future__ import annotations

import gc
import mmap
import sys
import threading
import weakref
from pathlib import Path

import pytest
from systems import windows

import wasmetal
from wasmetal import Engine, Func, FuncType, Global, GlobalType, Memory, MemoryType, Module, Table, TableType
from wasmetal.code.arena import arena
from wasmetal.store import memory_pool
from wasmetal.system.lifetime import _held

pytestmark = pytest.mark.usefixtures("clean")

needs_proc = pytest.mark.skipif(windows or not Path("/proc/self/statm").exists(), reason="no /proc")


class Object:
    """Something that can be referred to weakly."""


def address_space() -> int:
    """Bytes of address space that the process has."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE


@pytest.fixture
def program(wasm) -> Module:
    """A module with one of everything, in its own engine."""
    builder = wasm()
    op = wasm.op
    builder.memory(1, export="memory")
    builder.table("r", 2, export="table")
    builder.table("e", 2, export="objects")
    builder.glob("e", op.ref_null("e"), mutable=True, export="object")
    builder.func("ii", "i", op.get(0) + op.get(1) + op.I32_ADD, export="add")
    builder.func("", "i", op.i32(0) + op.I32_LOAD8_U, export="load")
    builder.elements(op.i32(0), [0, 1])
    module = Engine().compile(builder.build())
    module.instantiate().exports.add(1, 2)  # glue and code are made now
    return module


@needs_proc
def test_an_instance_goes_with_its_last_reference(program: Module) -> None:
    memory_pool.clear()
    space, code, held = address_space(), arena().bytes_in_use, len(_held)
    for _ in range(5):
        instance = program.instantiate()
        exports = instance.exports
        parts = [exports[name] for name in exports]
        assert exports.add(1, 2) == 3
        exports.memory.grow(10)
        assert address_space() > space + (8 << 30)
        core = weakref.ref(instance._core)
        del instance, exports
        assert core() is not None
        del parts
        assert core() is None
    assert (arena().bytes_in_use, len(_held)) == (code, held)
    memory_pool.clear()
    assert address_space() < space + (1 << 30)


@pytest.mark.parametrize("name", ["add", "table", "object"])
def test_every_export_keeps_the_instance(program: Module, name: str) -> None:
    instance = program.instantiate()
    core = weakref.ref(instance._core)
    part = instance.exports[name]
    del instance
    assert core() is not None
    del part
    assert core() is None


def test_a_function_works_when_only_it_is_left(program: Module) -> None:
    add = program.instantiate().exports.add
    assert add(2, 3) == 5
    load = program.instantiate().exports.load
    assert load() == 0


def test_a_memory_works_when_only_it_is_left(program: Module) -> None:
    instance = program.instantiate()
    memory = instance.exports.memory
    core = weakref.ref(instance._core)
    del instance
    assert core() is None
    memory[5] = 5
    memory.grow(1)
    assert memory[5] == 5


def test_code_goes_with_modules_and_instances(program: Module) -> None:
    engine = program.engine
    before = arena().bytes_in_use
    module = engine.compile(program.source + b"\0\2\1x")
    instance = module.instantiate()
    assert instance.exports.add(1, 1) == 2
    del module
    assert arena().bytes_in_use > before
    assert instance.exports.load() == 0
    del instance
    assert arena().bytes_in_use == before


def module_of_type(wasm, number: int, *, host: bool) -> bytes:
    """A module with a function, or the import of one, of the `number`th type: of numbers, so that thunks are fast."""
    params = "".join(["iIfF"[number >> 2 * digit & 3] for digit in range(6)])
    builder = wasm()
    zeros = {"i": b"\x41\0", "I": b"\x42\0", "f": b"\x43" + bytes(4), "F": b"\x44" + bytes(8)}
    if host:
        builder.import_func("env", "f", params)
        builder.func("", "", b"".join([zeros[param] for param in params]) + b"\x10\0", export="f")
    else:
        builder.func(params, "", b"", export="f")
    return builder.build()


@pytest.mark.parametrize("host", [False, True])
def test_thunks_go_with_those_who_use_them(wasm, host: bool) -> None:
    # A process that loads and drops modules of ever new types must not grow for ever.
    def load(number: int) -> None:
        f = Module(module_of_type(wasm, number, host=host)).instantiate({"env": {"f": lambda *args: None}}).exports.f
        f(*[0 for _ in f.type.params])
        f.call_raw(*[0 for _ in f.type.params])

    for number in range(100):
        load(number)
    gc.collect()
    before = arena().bytes_in_use
    for number in range(100, 300):
        load(number)
    gc.collect()
    assert arena().bytes_in_use <= before + 32768


def test_thunks_stay_while_they_run(wasm) -> None:
    # As many others come meanwhile as are kept without a user, and more.
    calls: list[int] = []

    def other(*args: object) -> None:
        if not calls:
            calls.append(1)
            for number in range(200, 300):
                for host in (False, True):
                    one = Module(module_of_type(wasm, number, host=host)).instantiate({"env": {"f": other}})
                    f = one.exports.f
                    f(*[0 for _ in f.type.params])
                    f.call_raw(*[0 for _ in f.type.params])
            gc.collect()
        calls.append(2)

    for call in ("__call__", "call_raw"):
        f = Module(module_of_type(wasm, 4000, host=True)).instantiate({"env": {"f": other}}).exports.f
        calls.clear()
        assert getattr(f, call)() in (None, ())
        assert len(calls) > 100
        f()


def test_stacks_are_used_again(program: Module) -> None:
    tops = set()
    for _ in range(3):
        instance = program.instantiate()
        instance._core.store.give_stack()
        tops.add(instance._core.store.stack.top)
        del instance
    assert len(tops) == 1
    first, second = program.instantiate(), program.instantiate()
    for each in (first, second):
        each._core.store.give_stack()
    assert first._core.store.stack is not second._core.store.stack
    other = Engine(wasmetal.Config(max_stack_bytes=1 << 20)).compile(program.source).instantiate()
    other._core.store.give_stack()
    stack = other._core.store.stack
    assert stack.top - stack.limit == 1 << 20


def test_failed_instantiation_leaves_nothing(wasm) -> None:
    builder = wasm()
    builder.import_func("env", "start")
    builder.memory(1)
    builder.func("", "", wasm.op.call(0) + wasm.op.UNREACHABLE)
    builder.start(1)
    module = Engine().compile(builder.build())
    passed = []

    def instantiate() -> None:
        value = Object()
        passed.append(weakref.ref(value))
        with pytest.raises(wasmetal.Trap):
            module.instantiate({"env": {"start": lambda: value and None}})
        with pytest.raises(wasmetal.LinkError):
            module.instantiate({"env": {}})

    instantiate()
    gc.collect()
    held, code = len(_held), arena().bytes_in_use
    for _ in range(3):
        instantiate()
    gc.collect()
    assert (len(_held), arena().bytes_in_use) == (held, code)
    assert [reference() for reference in passed] == [None] * 4


def test_cycles_through_host_functions_are_collected(wasm) -> None:
    builder = wasm()
    op = wasm.op
    builder.import_func("env", "f", "i", "i")
    builder.memory(1)
    builder.func("i", "i", op.get(0) + op.call(0), export="call")
    module = Engine().compile(builder.build())

    def make() -> tuple[weakref.ref, weakref.ref]:
        owner = Object()
        owner.instance = module.instantiate({"env": {"f": lambda x: x + owner.offset}})
        owner.offset = 5
        assert owner.instance.exports.call(1) == 6
        return weakref.ref(owner), weakref.ref(owner.instance._core)

    make()
    gc.collect()
    held = len(_held)
    owner, core = make()
    assert owner() is not None and core() is not None
    gc.collect()
    assert owner() is None and core() is None
    assert len(_held) == held


def test_finalizers_in_garbage_can_still_call(wasm) -> None:
    """Nothing native is released before the last `__del__` of a garbage cycle has run."""
    builder = wasm()
    op = wasm.op
    builder.import_func("env", "f", "i", "i")
    builder.memory(1, export="memory")
    builder.func("i", "i", op.get(0) + op.call(0), export="call")
    builder.func("", "i", op.i32(0) + op.I32_LOAD8_U, export="load")
    builder.data(op.i32(0), b"\x2a")
    source = builder.build()
    results = []

    class Owner:
        def __init__(self, number: int) -> None:
            # An engine of its own: code and glue are part of the garbage too.
            self.instance = Engine().compile(source).instantiate({"env": {"f": lambda x: x + self.offset}})
            self.offset = number
            assert self.instance.exports.call(1) == number + 1
            assert self.instance.exports.load() == 42

        def __del__(self) -> None:
            exports = self.instance.exports
            results.append((exports.call(2), exports.load(), exports.memory[0]))

    for number in range(20):
        Owner(number)
    gc.collect()
    assert sorted(results) == [(number + 2, 42, 42) for number in range(20)]


def test_first_calls_in_finalizers_do_not_crash(wasm) -> None:
    """What was not compiled before the instance became garbage is refused, or works; it never crashes."""
    builder = wasm()
    builder.import_func("env", "f")
    builder.func("", "i", wasm.op.i32(1), export="one")
    module = Engine().compile(builder.build())
    outcomes = []

    class Owner:
        def __init__(self) -> None:
            self.instance = module.instantiate({"env": {"f": lambda: self}})

        def __del__(self) -> None:
            try:
                outcomes.append(self.instance.exports.one())
            except wasmetal.WasmError as error:
                outcomes.append(str(error))

    for _ in range(3):
        Owner()
    gc.collect()
    assert len(outcomes) == 3
    assert all(outcome == 1 or "destroyed" in outcome for outcome in outcomes)


# Functions of one instance in the tables and globals of another.


@pytest.fixture
def owner_of_table(wasm):
    builder = wasm()
    op = wasm.op
    builder.table("r", 4, export="table")
    builder.glob("r", op.ref_null("r"), mutable=True, export="global")
    number = builder.type("", "i")
    builder.func("i", "i", op.get(0) + op.call_indirect(number), export="call")
    builder.func(
        "",
        "i",
        op.i32(0) + op.global_get(0) + op.table_set() + op.i32(0) + op.call_indirect(number),
        export="call-global",
    )
    return Engine().compile(builder.build())


def test_functions_that_an_instance_leaves_in_a_table(wasm, owner_of_table: Module) -> None:
    builder = wasm()
    op = wasm.op
    builder.import_table("owner", "table", "r", 4)
    builder.memory(1)
    builder.func("", "i", op.i32(0) + op.I32_LOAD8_U)
    builder.elements(op.i32(1), [0])
    builder.data(op.i32(0), b"\x2a")
    guest = owner_of_table.engine.compile(builder.build())
    owner = owner_of_table.instantiate()
    instance = guest.instantiate({"owner": owner})
    core = weakref.ref(instance._core)
    del instance, guest
    gc.collect()
    assert core() is not None
    assert owner.exports.call(1) == 42
    call = owner.exports.call
    del owner
    gc.collect()
    assert call(1) == 42
    del call
    gc.collect()
    assert core() is None


def test_functions_that_a_failed_instance_leaves_in_a_table(wasm, owner_of_table: Module) -> None:
    builder = wasm()
    op = wasm.op
    builder.import_table("owner", "table", "r", 4)
    builder.memory(1)
    builder.func("", "i", op.i32(0) + op.I32_LOAD8_U)
    builder.elements(op.i32(1), [0])
    builder.data(op.i32(0), b"\x2a")
    builder.data(op.i32(65536), b"too far")
    owner = owner_of_table.instantiate()
    with pytest.raises(wasmetal.Trap):
        owner_of_table.engine.compile(builder.build()).instantiate({"owner": owner})
    gc.collect()
    assert owner.exports.call(1) == 42
    assert owner.exports.table[1]() == 42


def test_functions_that_an_instance_leaves_in_a_global(wasm, owner_of_table: Module) -> None:
    builder = wasm()
    op = wasm.op
    builder.import_global("owner", "global", "r", mutable=True)
    builder.func("", "i", op.i32(43))
    builder.func("", "", op.ref_func(0) + op.global_set(0))
    builder.start(1)
    builder.elements(None, [0])
    owner = owner_of_table.instantiate()
    owner_of_table.engine.compile(builder.build()).instantiate({"owner": owner})
    gc.collect()
    assert owner.exports["call-global"]() == 43
    assert owner.exports["global"].value() == 43


def test_functions_that_are_passed_as_arguments(wasm, owner_of_table: Module) -> None:
    """`keep` of one instance gets a function of another, which Python forgets."""
    builder = wasm()
    op = wasm.op
    builder.table("r", 1)
    number = builder.type("", "i")
    builder.func("r", "", op.i32(0) + op.get(0) + op.table_set(), export="keep")
    builder.func("", "i", op.i32(0) + op.call_indirect(number), export="call")
    keeper = owner_of_table.engine.compile(builder.build()).instantiate()
    builder = wasm()
    builder.import_func("keeper", "keep", "r")
    builder.memory(1)
    builder.func("", "i", op.i32(0) + op.I32_LOAD8_U, export="own")
    builder.func("", "", op.ref_func(1) + op.call(0), export="give")
    builder.data(op.i32(0), b"\x07")
    module = owner_of_table.engine.compile(builder.build())
    # By a call from WebAssembly code.
    module.instantiate({"keeper": keeper}).exports.give()
    gc.collect()
    assert keeper.exports.call() == 7
    # By a call from Python, into another store.
    other = module.instantiate({"keeper": {"keep": lambda function: None}})
    keeper.exports.keep(other.exports.own)
    del other
    gc.collect()
    assert keeper.exports.call() == 7
    host = Func(lambda: 8, FuncType([], ["i32"]))
    keeper.exports.keep(host)
    gone = weakref.ref(host)
    del host
    gc.collect()
    assert keeper.exports.call() == 8
    del keeper
    gc.collect()
    assert gone() is None


def test_exporters_do_not_keep_importers(program: Module, wasm) -> None:
    builder = wasm()
    builder.import_func("a", "add", "ii", "i")
    builder.import_memory("a", "memory", 1)
    builder.import_global("a", "object", "e", mutable=True)
    builder.func("ii", "i", wasm.op.get(0) + wasm.op.get(1) + wasm.op.call(0), export="call")
    exporter = program.instantiate()
    importer = program.engine.compile(builder.build()).instantiate({"a": exporter})
    core = weakref.ref(importer._core)
    call = importer.exports.call
    del importer
    assert call(1, 2) == 3
    del call
    assert core() is None


def test_importers_keep_exporters(program: Module, wasm) -> None:
    builder = wasm()
    builder.import_func("a", "load", "", "i")
    builder.func("", "i", wasm.op.call(0), export="call")
    importer = program.engine.compile(builder.build()).instantiate({"a": program.instantiate()})
    gc.collect()
    assert importer.exports.call() == 0


def test_things_that_python_made_go(wasm) -> None:
    builder = wasm()
    builder.import_memory("env", "memory", 1)
    builder.import_table("env", "table", "r", 1)
    builder.import_global("env", "global", "e", mutable=True)
    builder.import_func("env", "f")
    builder.func("", "", wasm.op.call(0), export="call")
    builder.elements(wasm.op.i32(0), [0])
    module = Engine().compile(builder.build())

    def make() -> list[weakref.ref]:
        imports = {
            "memory": Memory(MemoryType(1)),
            "table": Table(TableType("funcref", 1)),
            "global": Global(GlobalType("externref", True), Object()),
            "f": Func(lambda: None, FuncType()),
        }
        instance = module.instantiate({"env": imports})
        instance.exports.call()
        return [weakref.ref(thing) for thing in (*imports.values(), imports["global"].value, instance._core)]

    references = make()
    gc.collect()
    assert [reference() for reference in references] == [None] * 6


# Objects that externrefs stand for.


def test_objects_live_in_tables_and_globals(program: Module) -> None:
    instance = program.instantiate()
    in_table, in_global = Object(), Object()
    instance.exports.objects[0] = in_table
    instance.exports.object.value = in_global
    references = [weakref.ref(in_table), weakref.ref(in_global)]
    del in_table, in_global
    gc.collect()
    assert instance.exports.objects[0] is references[0]()
    assert instance.exports.object.value is references[1]()
    del instance
    assert [reference() for reference in references] == [None, None]


def test_objects_that_were_only_passing_through_are_let_go(wasm) -> None:
    builder = wasm()
    op = wasm.op
    builder.table("e", 1, export="objects")
    builder.func("e", "e", op.get(0), export="same")
    exports = Engine().compile(builder.build()).instantiate().exports
    kept = Object()
    exports.objects[0] = kept
    references = []
    for _ in range(5000):
        value = Object()
        assert exports.same(value) is value
        references.append(weakref.ref(value))
    del value
    alive = sum(reference() is not None for reference in references)
    assert alive <= 2100
    assert exports.objects[0] is kept


def test_arguments_are_not_let_go_while_they_are_used(wasm) -> None:
    """A host function makes the store forget what it can, while objects are only on the stack of WebAssembly code."""
    builder = wasm()
    op = wasm.op
    builder.import_func("env", "fill", "e", "")
    builder.func("e", "e", op.get(0) + op.call(0) + op.get(0), export="through")
    builder.func("e", "e", op.get(0), export="same")
    instance = None

    def fill(_: object) -> None:
        for _ in range(3000):
            instance.exports.same(Object())

    instance = Engine().compile(builder.build()).instantiate({"env": {"fill": fill}})
    for _ in range(2):
        value = Object()
        marker = weakref.ref(value)
        result = instance.exports.through(value)
        del value
        assert result is marker()


def test_sweeping_with_threads(wasm) -> None:
    builder = wasm()
    op = wasm.op
    builder.table("e", 8, export="objects")
    builder.func("i", "e", op.get(0) + op.table_get(), export="element")
    exports = Engine().compile(builder.build()).instantiate().exports
    failures = []

    def work(slot: int) -> None:
        try:
            for _ in range(2000):
                value = Object()
                exports.objects[slot] = value
                marker = weakref.ref(value)
                del value
                assert exports.objects[slot] is marker()
        except BaseException as error:
            failures.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work, args=(slot,)) for slot in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(600)
    finally:
        sys.setswitchinterval(interval)
    assert not failures
    assert len(exports.objects) == 8


def test_instances_in_threads(program: Module) -> None:
    """Instances of one module are made, used and dropped on several threads at once."""
    held = len(_held)
    failures = []

    def work() -> None:
        try:
            for number in range(100):
                exports = program.instantiate().exports
                if exports.add(number, 1) != number + 1 or exports.load() != 0:
                    failures.append(number)
        except Exception as error:  # a thread's errors are collected
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(600)
    gc.collect()
    assert not failures
    assert len(_held) == held
