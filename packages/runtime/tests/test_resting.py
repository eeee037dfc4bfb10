"""Instances with many functions in tables, which are there while code may run: nobody ever sees that they are not."""

from __future__ import annotations

import dis
import gc
import inspect
import subprocess
import sys
import textwrap
from collections.abc import Callable
from types import FrameType

import pytest

import wasmetal
from wasm_core.testing.builder import Op, WasmBuilder
from wasmetal import Engine, Instance, Module
from wasmetal.store.resting import RestingParts
from wasmetal.store.store import Store
from wasmetal.store.tables import UNMADE
from wasmetal.system.host import host

if host.DISCARD_AT_ONCE is None:
    pytest.skip("all of it is always there on this system", allow_module_level=True)

FEW = 3
COUNT = 900


@pytest.fixture(autouse=True)
def few(few_stacks: Callable[[int], None]) -> None:
    few_stacks(FEW)


def module(*, exported: bool = False) -> Module:
    b = WasmBuilder()
    kind = b.type("i", "i")
    for number in range(COUNT):
        b.func("i", "i", Op.get(0) + Op.i32(number) + Op.I32_ADD + Op.global_get(0) + Op.I32_ADD)
    b.glob("i", Op.i32(0), mutable=True)
    b.glob("r", Op.ref_null("r"), mutable=True)
    b.func("ii", "i", Op.get(0) + Op.get(1) + Op.call_indirect(kind), export="at")
    b.func("ii", "", Op.get(0) + Op.get(1) + Op.table_get() + Op.table_set(), export="copy")
    b.func("i", "r", Op.get(0) + Op.table_get(), export="element")
    b.func("", "r", Op.ref_func(5), export="five")
    b.func("i", "", Op.get(0) + Op.table_get() + Op.global_set(1), export="keep")
    b.func(
        "i",
        "i",
        Op.i32(0) + Op.global_get(1) + Op.table_set() + Op.get(0) + Op.i32(0) + Op.call_indirect(kind),
        export="kept",
    )
    b.func("i", "i", Op.ref_null("r") + Op.get(0) + Op.table_grow(), export="grow")
    b.func("i", "", Op.get(0) + Op.global_set(0), export="set")
    b.func("i", "i", Op.get(0) + Op.call(COUNT + 8), export="deep")
    b.table("r", COUNT + 20, export="table" if exported else None)
    b.elements(Op.i32(10), range(COUNT))
    b.elements(Op.i32(4), [7, 8])
    return after_the_first(Engine().compile(b.build()))


def after_the_first(compiled: Module) -> Module:
    """The same module, when so many instances have been made that there may be more."""
    for _ in range(5):
        compiled.instantiate({"m": {"at": lambda a, b: 0}})
    return compiled


def is_there(instance: Instance) -> bool:
    core = instance._core
    assert core is not None and core.resting is not None
    return core.tables[0].words is not UNMADE


def check(instance: Instance, first: int = 0) -> None:
    at = instance.exports.at
    assert [at(1, 10 + number) for number in (0, 1, 450, COUNT - 1)] == [
        first + number + 1 for number in (0, 1, 450, COUNT - 1)
    ]
    assert at(1, 4) == first + 8 and at(1, 5) == first + 9
    for number in (0, 9, COUNT + 10, COUNT + 19):
        with pytest.raises(wasmetal.Trap, match="uninitialized element"):
            at(1, number)
    with pytest.raises(wasmetal.Trap, match="undefined element"):
        at(1, COUNT + 20)


def test_many_instances() -> None:
    compiled = module()
    instances = [compiled.instantiate() for _ in range(12)]
    assert not any(map(is_there, instances))
    for number, instance in enumerate(instances):
        instance.exports.set(number)
    for _ in range(3):
        for number, instance in enumerate(instances):
            check(instance, number)
        assert sum(map(is_there, instances)) == FEW
    del instances, instance
    for _ in range(30):
        check(compiled.instantiate())


def test_what_code_has_written_stays() -> None:
    compiled = module()
    instances = [compiled.instantiate() for _ in range(9)]
    for number, instance in enumerate(instances):
        instance.exports.copy(number % 3, 20 + number)
        if number % 2:
            assert instance.exports.grow(number) == COUNT + 20
    for other in [compiled.instantiate() for _ in range(9)]:
        check(other)
    for number, instance in enumerate(instances):
        assert instance.exports.at(1, number % 3) == 11 + number
        assert instance.exports.at(1, 10 + COUNT - 1) == COUNT
        assert instance.exports.grow(0) == COUNT + 20 + number % 2 * number


def test_what_is_put_back_may_go() -> None:
    compiled = module()
    instance = compiled.instantiate()
    instance.exports.copy(0, 20)
    instance.exports.copy(0, 1)
    for other in [compiled.instantiate() for _ in range(6)]:
        check(other)
    assert not is_there(instance)
    check(instance)


def test_references_to_functions_are_good_for_ever() -> None:
    compiled = module()
    instance, second = compiled.instantiate(), compiled.instantiate()
    instance.exports.keep(310)
    five, nine = second.exports.five(), second.exports.element(19)
    for other in [compiled.instantiate() for _ in range(9)]:
        check(other)
    assert not is_there(instance) and is_there(second)
    assert instance.exports.kept(2) == 302
    assert five(1) == 6 and nine(1) == 10 and second.exports.five() is five
    with pytest.raises(wasmetal.Trap, match="call stack exhausted"):
        instance.exports.deep(1)


def test_a_table_that_is_exported_is_always_there() -> None:
    compiled = module(exported=True)
    instances = [compiled.instantiate() for _ in range(9)]
    for instance in instances:
        table = instance.exports.table
        assert len(table) == COUNT + 20 and table[0] is None and table[15](1) == 6
        check(instance)
    assert all(instance.exports.table[15](2) == 7 for instance in instances)


def test_instances_that_share_a_store_keep_it() -> None:
    compiled = module()
    first = compiled.instantiate()
    b = WasmBuilder()
    kind = b.type("i", "i")
    b.import_func("m", "at", "ii", "i")
    for number in range(COUNT):
        b.func("i", "i", Op.get(0) + Op.i32(number) + Op.call(0))
    b.func("ii", "i", Op.get(0) + Op.get(1) + Op.call_indirect(kind), export="at")
    b.table("r", COUNT)
    b.elements(Op.i32(0), range(1, COUNT + 1))
    linking = after_the_first(compiled.engine.compile(b.build()))
    linked = [linking.instantiate({"m": first.exports}) for _ in range(3)]
    for other in [compiled.instantiate() for _ in range(9)]:
        check(other)
        for instance in linked:
            assert instance.exports.at(3, 20) == 13
    # And those of which one rests when they are joined.
    resting, other = compiled.instantiate(), compiled.instantiate()
    check(resting)
    for instance in [compiled.instantiate() for _ in range(9)]:
        check(instance)
    assert not is_there(resting)
    second = linking.instantiate({"m": resting.exports})
    for instance in [compiled.instantiate() for _ in range(9)]:
        check(instance)
    assert second.exports.at(3, 20) == 13
    check(resting)
    check(other)


def test_finalizers_may_call() -> None:
    """In garbage all weak references are gone, and code runs all the same."""
    compiled = module()
    found: list[int] = []
    # (what is not compiled yet cannot be called any more)
    assert compiled.instantiate().exports.at(1, 310) == 301

    class Calls:
        def __init__(self, instance: Instance) -> None:
            self.instance, self.itself = instance, self

        def __del__(self) -> None:
            found.append(self.instance.exports.at(1, 310))

    for _ in range(8):
        held = Calls(compiled.instantiate())
        check(held.instance)
    del held
    gc.collect()
    assert found == [301] * 8


def test_a_module_that_is_compiled_meanwhile() -> None:
    """The memory of an instance that is gone, with functions that were not compiled then, is used again."""
    compiled = module()
    for number in range(20):
        instance = compiled.instantiate()
        assert instance.exports.at(1, 10 + number) == 1 + number
        del instance


def test_memory_of_each() -> None:
    """What an instance takes that was called once, of many: kilobytes of memory, and of page tables."""
    program = """
        import gc
        from wasm_core.testing.builder import Op, WasmBuilder
        from wasmetal import Module

        def memory():
            with open("/proc/self/status") as file:
                return sum(int(line.split()[1]) for line in file if line.startswith(("VmRSS:", "VmPTE:")))

        def each(count, data, number=500):
            b = WasmBuilder()
            for index in range(count):
                b.func("i", "i", Op.get(0), export=None if index else "run")
            if data:
                b.memory(2, export="memory")
                b.data(Op.i32(1024), bytes(range(256)) * 16)
            if count > 1:
                b.table("r", count)
                b.elements(Op.i32(0), range(count))
            module = Module(b.build())
            for _ in range(5):
                module.instantiate().exports.run(1)
            gc.collect()
            before = memory()
            kept = [module.instantiate() for _ in range(number)]
            for instance in kept:
                assert instance.exports.run(1) == 1
            return (memory() - before) / number

        print(each(1, False), each(1, True), each(1000, True))
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=120, check=True
    )
    empty, memory, table = map(float, result.stdout.split())
    assert empty < 5 and memory < 7 and table < 14, result.stdout


def places(function: Callable[..., object]) -> list[int]:
    """Where signal handlers run in a function: at its start, behind calls, and at the ends of rounds of loops."""
    found: set[int] = set()
    before = ""
    for each in dis.get_instructions(function):
        if before.startswith(("CALL", "RESUME")):
            found.add(each.offset)
        if each.opname.startswith("JUMP_BACKWARD"):
            found.add(each.argval)
        before = each.opname
    return sorted(found)


class Once:
    """A trace function that calls something at one place in a function, once, as a signal handler would."""

    def __init__(self, function: Callable[..., object], place: int, call: Callable[[], object]) -> None:
        self._code = function.__code__
        self._place = place
        self._call = call
        self.done = False

    def __call__(self, frame: FrameType, event: str, argument: object) -> Once | None:
        if frame.f_code is not self._code:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode" and frame.f_lasti == self._place and not self.done:
            self.done = True
            sys.settrace(None)
            self._call()
            return None
        return self


def test_handlers_let_it_run_and_rest_while_it_gets_a_stack() -> None:
    """At each step: it would run without a stack, so on one that others have, or without its functions."""
    compiled = module()
    others = [compiled.instantiate() for _ in range(2 * FEW)]
    instance = compiled.instantiate()

    def rest() -> None:
        for other in others:
            assert other.exports.at(1, 10) == 1

    def run_and_rest() -> None:
        assert instance.exports.at(1, 20) == 11
        rest()

    done = 0
    function: Callable[..., object]
    for function in (RestingParts.fill, RestingParts._built, Store._lend, Store._borrow):
        function = inspect.unwrap(function)  # of what is serialized
        for place in places(function):
            rest()
            assert not is_there(instance)
            handler = Once(function, place, run_and_rest)
            sys.settrace(handler)
            try:
                assert instance.exports.at(1, 30) == 21
            finally:
                sys.settrace(None)
            core = instance._core
            assert core is not None
            store = core.store
            assert store.stack is not None and not store.rests and is_there(instance)
            done += handler.done
    assert done > 9


def test_tables_behind_a_segment_that_traps() -> None:
    """Functions that others have got before it traps find nothing in tables that come later."""
    b = WasmBuilder()
    kind = b.type("i", "i")
    b.import_table("m", "table", "r", 1)
    for number in range(COUNT):
        b.func("i", "i", Op.get(0) + Op.i32(number) + Op.I32_ADD)
    escaped = b.func("i", "i", Op.i32(1) + Op.get(0) + Op.call_indirect(kind, 1))
    b.table("r", COUNT)
    b.elements(Op.i32(0), [escaped])
    b.elements(Op.i32(1), [escaped])
    b.elements(Op.i32(0), range(COUNT), table=1)
    compiled = Engine().compile(b.build())
    for _ in range(7):
        table = wasmetal.Table(wasmetal.TableType("funcref", 1))
        with pytest.raises(wasmetal.Trap, match="out of bounds table access"):
            compiled.instantiate({"m": {"table": table}})
        with pytest.raises(wasmetal.Trap, match="uninitialized element"):
            table[0](5)
