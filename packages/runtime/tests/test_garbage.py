"""The garbage collector at the worst moments, and cycles of every kind. In processes of their own: failures crash."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

PRELUDE = """
import gc, weakref
import wasmetal
from wasmetal import Func, FuncType, Global, GlobalType, Table, TableType
from wasm_core.testing.builder import WasmBuilder
from wasmetal.store.store import stores
from wasmetal.glue import ticker

op = WasmBuilder.op
TYPE = FuncType((), ("i32",))

class Thing:
    pass

def churn():
    "Garbage of all sizes that instances are made of, so that what was freed too early is overwritten."
    gc.collect()
    rubbish = [bytearray(b"\\xa5" * size) for size in range(16, 2048, 48) for _ in range(3)]
    cycle = [rubbish]
    cycle.append(cycle)

# (table (export "table") 8 funcref) (global (export "ref") (mut funcref)) and functions that call what is there.
b = WasmBuilder()
b.import_func("m", "host", "i", "i")
call = b.type("", "i")
b.table("r", 8, export="table")
b.glob("r", op.ref_null("r"), mutable=True, export="ref")
b.glob("e", op.ref_null("e"), mutable=True, export="thing")
b.func("i", "i", op.get(0) + b"\\x11" + bytes([call]) + b"\\x00" + op.get(0) + b"\\x10\\x00" + op.I32_ADD, export="run")
OWNER = wasmetal.Engine().compile(b.build())

# Puts functions of its own into somebody's table and global.
b = WasmBuilder()
b.import_func("m", "host", "i", "i")
b.import_table("m", "table", "r", 1)
b.memory(1)
b.glob("i", op.i32(0), mutable=True, export="own")
body = op.i32(3) + b"\\x10\\x00" + op.global_get(0) + op.I32_ADD + op.i32(0) + op.I32_LOAD + op.I32_ADD
b.func("", "i", body, export="f")
b.elements(op.i32(0), [1, 1, 1])
GUEST = OWNER.engine.compile(b.build())

def at_rest():
    gc.collect()
    return len(stores), len(ticker._ticker.linked)
"""


def run(program: str) -> None:
    path = [os.path.dirname(__file__), *[entry for entry in sys.path if entry]]
    result = subprocess.run(
        [
            *(sys.executable, "-X", "faulthandler", "-c"),
            f"import sys; sys.path[:0] = {path!r}\n{PRELUDE}\n{textwrap.dedent(program)}",
        ],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_collections_at_every_host_call() -> None:
    run("""
        def host(number):
            churn()
            return number
        start = at_rest()
        for _ in range(3):
            owner = OWNER.instantiate({"m": {"host": host}})
            exports = owner.exports
            del owner
            for number in range(4):
                guest = GUEST.instantiate({"m": {"host": host, "table": exports.table}})
                guest.exports.own.value = number
                # Its functions live on in the table; it has no other user.
                del guest
                churn()
                assert exports.run(0) == 3 + number
                exports.ref.value = exports.table[1]
                exports.table[2] = Func(lambda: host(40), TYPE)
                churn()
                assert exports.run(2) == 42
                assert exports.ref.value() == 3 + number
            del exports
        assert at_rest() == start
    """)


def test_dropped_during_a_call() -> None:
    """The last reference to the instance whose code runs, and to all it is linked with, goes in a host function."""
    run("""
        kept = {}
        def host(number):
            kept.clear()
            churn()
            return number
        start = at_rest()
        for close in (False, True):
            kept["owner"] = OWNER.instantiate({"m": {"host": host}})
            kept["guest"] = GUEST.instantiate({"m": {"host": host, "table": kept["owner"].exports.table}})
            kept["table"] = kept["owner"].exports.table
            calls = [0]
            def closing(number):
                for each in (kept.get("guest"), kept.get("owner")):
                    if each is not None and close:
                        each.close()
                return host(number)
            kept["owner"].exports.table[1] = Func(lambda: closing(1), TYPE)
            assert kept["owner"].exports.run(1) == 2
            assert kept == {}
            run = OWNER.instantiate({"m": {"host": host}}).exports.run
            try:
                run(0)
            except wasmetal.Trap as trap:
                assert "uninitialized element" in str(trap)
            del run
        del closing
        assert at_rest() == start
    """)


def test_closed_while_its_functions_are_used_by_others() -> None:
    run("""
        def host(number):
            guest.close()
            churn()
            return number
        start = at_rest()
        owner = OWNER.instantiate({"m": {"host": lambda number: number}})
        guest = GUEST.instantiate({"m": {"host": host, "table": owner.exports.table}})
        f = guest.exports.f
        assert f() == 3
        for _ in range(3):
            churn()
            assert owner.exports.run(0) == 3
            try:
                f()
            except wasmetal.WasmError as error:
                assert "closed" in str(error)
            else:
                raise AssertionError("it is closed")
        del owner, guest, f
        assert at_rest() == start
    """)


def test_cycles_of_every_kind() -> None:
    run("""
        start = at_rest()
        alive = []
        for kind in ("closure", "table", "externref", "global", "func", "each other"):
            thing = Thing()
            alive.append((kind, weakref.ref(thing)))
            thing.calls = []
            def host(number, thing=thing):
                thing.calls.append(number)
                return number
            instance = OWNER.instantiate({"m": {"host": host}})
            exports = instance.exports
            thing.instance = instance  # instance -> host -> thing -> instance
            if kind == "table":
                exports.table[3] = Func(lambda thing=thing: 1, TYPE)
            elif kind == "externref":
                exports.thing.value = thing
            elif kind == "global":
                exports.ref.value = exports.run
            elif kind == "func":
                other = OWNER.instantiate({"m": {"host": exports.run}})
                exports.table[0] = Func(lambda: 20, TYPE)
                exports.table[1] = other.exports.run
                try:
                    other.exports.run(1)
                except wasmetal.Trap:
                    pass
                thing.other = other
                del other
            elif kind == "each other":
                guest = GUEST.instantiate({"m": {"host": exports.run, "table": exports.table}})
                thing.guest = guest
                guest.exports.own.value = 5
                del guest
            del instance, exports, host, thing
            churn()
        assert [kind for kind, reference in alive if reference() is not None] == []
        assert at_rest() == start
    """)


def test_traps_do_not_keep_anything() -> None:
    run("""
        start = at_rest()
        def fails(number):
            raise ValueError(number)
        for host in (fails, lambda number: "not a number"):
            for _ in range(3):
                owner = OWNER.instantiate({"m": {"host": host}})
                owner.exports.table[0] = Func(lambda: 1, TYPE)
                for element in (0, 1, 100):
                    try:
                        owner.exports.run(element)
                    except (wasmetal.Trap, ValueError, TypeError):
                        pass
                    else:
                        raise AssertionError("no error")
                with wasmetal.deadline(0):
                    pass
                del owner
        assert at_rest() == start
    """)


@pytest.mark.parametrize("where", ["builtins", "sys", "threading", "wasmetal", "weakref"])
def test_the_end_of_the_interpreter_is_quiet(wasm, where: str) -> None:
    # What modules that are cleared late hold is finalized when the globals of the library are gone already.
    builder = wasm()
    op = wasm.op
    builder.import_func("env", "host", "i", "i")
    builder.memory(1, export="memory")
    builder.table("r", 4, export="table")
    builder.glob("i", op.i32(1), mutable=True, export="global")
    builder.func("i", "i", op.get(0) + op.call(0), export="f")
    program = f"""if True:
        import {where} as place
        import wasmetal
        from wasmetal import GlobalType, MemoryType, TableType
        module = wasmetal.Module({builder.build()!r})
        instance = module.instantiate({{"env": {{"host": lambda n: n}}}})
        assert instance.exports.f(3) == 3
        memory = wasmetal.Memory(MemoryType(40, 100))
        memory.grow(20)
        made = [module, instance, memory, wasmetal.Table(TableType("funcref", 3))]
        made.append(wasmetal.Global(GlobalType("i64"), 3))
        made += [instance.exports.f, instance.exports.memory, instance.exports.table, wasmetal.Engine()]
        made.append(made)
        place.kept = made
        place.view = memory.view()
    """
    done = subprocess.run([sys.executable, "-X", "faulthandler", "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("held", ["B.instantiate().exports.f", "Func(lambda: 42, TYPE)"])
def test_finalizers_use_what_only_references_keep(held: str) -> None:
    """What only a table in garbage refers to was let go of when a finalizer made very many references."""
    run(f"""
        b = WasmBuilder()
        call = b.type("", "i")
        b.table("r", 4, export="table")
        b.func("", "i", op.i32(0) + op.call_indirect(call), export="run")
        b.func("e", "", b"", export="take")
        A = wasmetal.Module(b.build())
        b = WasmBuilder()
        b.func("", "i", op.i32(42), export="f")
        B = wasmetal.Module(b.build())
        results = []

        class Finalized:
            def __del__(self):
                for _ in range(5000):
                    self.take(Thing())
                churn()
                results.append(self.run())

        start = at_rest()
        finalized = Finalized()
        finalized.itself = finalized
        instance = A.instantiate()
        instance.exports.table[0] = {held}
        finalized.run, finalized.take = instance.exports.run, instance.exports.take
        finalized.take(None)
        assert finalized.run() == 42
        del finalized, instance
        gc.collect()
        assert results == [42]
        assert at_rest() == start
    """)


def test_two_come_to_share_a_table_at_once() -> None:
    """The one that came while the other did was held by nobody: its function in the table dangled."""
    run("""
        import sys
        from wasmetal.store import groups
        b = WasmBuilder()
        call = b.type("", "i")
        b.import_table("m", "table", "r", 8)
        b.import_global("m", "at", "i")
        f = b.func("", "i", op.global_get(0) + op.i32(40) + op.I32_ADD)
        b.elements(op.global_get(0), [f])
        module = wasmetal.Module(b.build())
        b = WasmBuilder()
        call = b.type("", "i")
        b.import_table("m", "table", "r", 8)
        b.func("i", "i", op.get(0) + op.call_indirect(call), export="run")
        caller = wasmetal.Module(b.build())

        def come(at):
            module.instantiate({"m": {"table": table, "at": at}})

        def attempt(number):
            "Lets the second one come at event `number` of the first one's coming; whether there was such an event."
            left = number
            def trace(frame, event, argument):
                nonlocal left
                if frame.f_code.co_filename != groups.__file__:
                    return None
                frame.f_trace_opcodes = True
                left -= 1
                if left == 0:
                    come(2)
                return trace
            sys.settrace(trace)
            try:
                come(1)
            finally:
                sys.settrace(None)
            return left <= 0

        number = 1
        more = True
        while more:
            table = Table(TableType("funcref", 8))
            run = caller.instantiate({"m": {"table": table}}).exports.run
            come(0)
            more = attempt(number)
            number += 1
            churn()
            assert run(0) == 40 and run(1) == 41
            if more:
                assert run(2) == 42
        assert number > 30, number
    """)


def test_a_long_chain_of_groups() -> None:
    run("""
        from wasmetal.store.groups import are_united, unite

        class Member:
            group = None

        first = last = Member()
        for _ in range(100_000):
            member = Member()
            unite([member, last], [])
            last = member
        assert are_united(first, last)
        gone = weakref.ref(first)
        del first
        gc.collect()
        assert gone() is not None
        del last, member
        gc.collect()
        assert gone() is None
    """)


def test_calls_of_finalizers_trap_and_end() -> None:
    """A trap was an AssertionError, and a deadline did not end a loop."""
    run("""
        b = WasmBuilder()
        b.func("", "", op.UNREACHABLE, export="trap")
        b.func("", "i", b"\\x03\\x7f" + op.i32(1) + b"\\x0c\\x00\\x0b", export="loop")
        module = wasmetal.Module(b.build())
        results = []

        class Finalized:
            def __del__(self):
                for call in (self.exports.trap, self.exports.loop):
                    try:
                        with wasmetal.deadline(0.1):
                            call()
                    except BaseException as error:
                        results.append(type(error))

        finalized = Finalized()
        finalized.itself = finalized
        finalized.exports = module.instantiate().exports
        for call in (finalized.exports.trap, finalized.exports.loop):
            try:
                with wasmetal.deadline(0.1):
                    call()
            except wasmetal.Trap:
                pass
        del finalized, call
        gc.collect()
        assert results == [wasmetal.Trap, wasmetal.DeadlineExceeded], results
    """)


@pytest.mark.parametrize("first", ["Finalized()", "None"])
def test_finalizers_have_the_memory_and_the_stack(first: str) -> None:
    """The collector ran the finalizer of what holds them before others: another instance got the same memory."""
    run(f"""
        b = WasmBuilder()
        b.memory(1, export="memory")
        b.func("i", "i", op.get(0) + op.I32_LOAD, export="load")
        b.func("ii", "", op.get(0) + op.get(1) + op.I32_STORE, export="store")
        b.func("", "i", b"\\x03\\x7f" + op.i32(1) + b"\\x0c\\x00\\x0b", export="loop")
        module = wasmetal.Module(b.build())
        results = []

        class Finalized:
            def __del__(self):
                other = module.instantiate()
                other.exports.store(0, 99)
                results.append((self.exports.load(0), self.memory.read(0, 1)))
                churn()
                try:
                    with wasmetal.deadline(0.1):
                        self.exports.loop()
                except wasmetal.DeadlineExceeded:
                    results.append("ended")

        start = at_rest()
        # Finalizers run in the order in which objects were made.
        finalized = {first}
        instance = module.instantiate()
        exports = instance.exports
        exports.store(0, 7)
        exports.load(0)
        try:
            with wasmetal.deadline(0.01):
                exports.loop()
        except wasmetal.Trap:
            pass
        if finalized is None:
            finalized = Finalized()
        finalized.itself, finalized.exports, finalized.memory = finalized, exports, exports.memory
        del finalized, instance, exports
        gc.collect()
        assert results == [(7, b"\\x07"), "ended"], results
        assert at_rest() == start
    """)


def test_what_a_finalizer_has_saved_stays_in_its_store() -> None:
    """Its store knows of it no more: as a part of another store, it would go on with the stack of its own."""
    run("""
        b = WasmBuilder()
        call = b.type("", "i")
        b.table("r", 4, export="table")
        b.func("", "i", op.i32(0) + op.call_indirect(call), export="run")
        module = wasmetal.Module(b.build())
        saved = []

        class Saved:
            def __del__(self):
                saved.append(self)

        thing = Saved()
        thing.itself = thing
        thing.exports = module.instantiate().exports
        thing.exports.table[0] = Func(lambda: 41, TYPE)
        assert thing.exports.run() == 41
        del thing
        gc.collect()
        other = module.instantiate().exports
        try:
            other.table[1] = saved[0].exports.run
        except wasmetal.LinkError as error:
            assert "a finalizer may have saved" in str(error)
        else:
            # From 3.15 on finalizers run before weak references go: its store knows of it still, so it moved with it.
            assert sys.version_info >= (3, 15)
            core = saved[0].exports.run._core.instance
            assert core.store is other.run._core.instance.store and core in core.store.instances
        churn()
        assert saved[0].exports.run() == 41
        other.table[0] = Func(lambda: 43, TYPE)
        assert other.run() == 43
    """)
