"""Programs of test_close.py, each for a process of its own, as failures crash: `python closing.py NAME [ARGUMENTS]`.

Everything is about instances whose function `f` gives 42 as long as its memory, its passive segments, its code and its
stack are there.
"""

from __future__ import annotations

import atexit
import gc
import itertools
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import wasmetal
from wasm_core.testing.builder import WasmBuilder
from wasm_core.testing.patience import Effort
from wasmetal import Engine, Func, FuncType, Instance, Memory, MemoryType, Module, WasmError

op = WasmBuilder.op
PACKAGE = os.path.dirname(wasmetal.__file__)
MEMORY_INIT = b"\xfc\x08\x00\x00"
LARGE_PAGES = 1100  # more than the pool of address space keeps


def nothing() -> None:
    pass


def definer(engine: Engine, pages: int = 1) -> Module:
    b = WasmBuilder()
    b.import_func("env", "pause")
    b.memory(pages, export="memory")
    b.table("r", 4, export="table")
    b.glob("i", op.i32(42), mutable=True, export="global")
    b.data(None, b"\x2a\0\0\0")
    load = op.i32(16) + op.I32_LOAD
    body = op.i32(16) + op.i32(0) + op.i32(4) + MEMORY_INIT + load
    f = b.func("", "i", body, export="f")
    b.glob("r", op.ref_func(f), mutable=True, export="reference")
    b.elements(op.i32(0), [f])
    b.elements(None, [f])
    b.func("", "i", op.call(0) + op.i32(1) + op.MEMORY_GROW + op.DROP + op.call(f), export="pausing")
    b.func("e", "i", op.call(0) + op.call(f), export="slow")
    b.func("i", "i", op.get(0), export="same")
    b.data(op.i32(0), b"\x2a")
    return engine.compile(b.build())


def user(engine: Engine, resource: str) -> Module:
    """A module that imports one thing, exports it again, and has a function `run` that uses it after a host call."""
    b = WasmBuilder()
    b.import_func("env", "pause")
    number = b.type("", "i")
    if resource == "memory":
        b.import_memory("a", resource, 1, export=resource)
        # Its contents, and that it grows.
        use = op.i32(1) + op.MEMORY_GROW + op.DROP + op.i32(0) + op.I32_LOAD
    elif resource == "table":
        b.import_table("a", resource, "r", 4, export=resource)
        use = op.i32(0) + op.call_indirect(number)
    elif resource == "global":
        b.import_global("a", resource, "i", mutable=True, export=resource)
        use = op.global_get(0)
    elif resource == "reference":
        b.import_global("a", resource, "r", mutable=True, export=resource)
        b.table("r", 1)
        use = op.i32(0) + op.global_get(0) + op.table_set() + op.i32(0) + op.call_indirect(number)
    else:
        use = op.call(b.import_func("a", resource, "", "i", export=resource))
    b.func("", "i", op.call(0) + use, export="run")
    return engine.compile(b.build())


RESOURCES = ("memory", "table", "global", "reference", "f")


def strangers(module: Module) -> None:
    """Others take the addresses and the memory that were freed too early, and write there."""
    gc.collect()
    made = [module.instantiate({"env": {"pause": nothing}}) for _ in range(3)]
    for each in made:
        each.exports.memory[0:64] = b"\x55" * 64
        each.exports["global"].value = 0x55
        each.exports.table[0] = None
        each.exports.reference.value = None
    rubbish = [bytearray(b"\xa5" * size) for size in range(16, 2048, 48)]
    del made, rubbish


def refused(call: Callable[[], object]) -> None:
    try:
        got = call()
    except WasmError as error:
        assert "closed" in str(error), error
    else:
        raise AssertionError(f"went on after close: {got!r}")


# Every resource, every holder, every moment.

USES: dict[str, Callable[[Any], object]] = {
    "memory": lambda memory: memory[0],
    "table": lambda table: table[0],
    "global": lambda variable: variable.value,
    "reference": lambda variable: variable.value,
    "f": lambda function: function(),
}
HOLDERS = ("importer", "importer of importer", "importer and object", "by hand")
CLOSED = ("definer", "middle", "both", "dropped")
MOMENTS = ("before", "during", "after")


def holders(resource: str, pages: str = "1") -> None:
    engine = Engine()
    module, importing = definer(engine, int(pages)), user(engine, resource)
    for holder, which, moment in itertools.product(HOLDERS, CLOSED, MOMENTS):
        actions: list[Callable[[], None]] = []

        def pause(actions: list[Callable[[], None]] = actions) -> None:
            while actions:
                actions.pop()()

        env = {"pause": pause}
        parts: dict[str, Any] = {"a": module.instantiate({"env": env})}
        held = parts["a"].exports[resource] if holder == "importer and object" else None
        source = parts["a"] if holder != "by hand" else {resource: parts["a"].exports[resource]}
        parts["b"] = importing.instantiate({"env": env, "a": source})
        del source
        last = parts["b"]
        if holder == "importer of importer":
            last = importing.instantiate({"env": env, "a": parts["b"]})
        run = last.exports.run

        def close(parts: dict[str, Any] = parts, which: str = which) -> None:
            if which == "dropped":
                parts.clear()
            for name in {"definer": "a", "middle": "b", "both": "ab", "dropped": ""}[which]:
                parts[name].close()
            strangers(module)

        if moment == "during":
            actions.append(close)
        if moment != "before":
            assert run() == 42, (holder, which, moment)
            assert not actions
        if moment != "during":
            close()
        open_still = not last.closed
        if open_still:
            assert run() == 42, (holder, which, moment)
            strangers(module)
            assert run() == 42, (holder, which, moment)
            # What an open instance uses, Python may use too.
            again = last.exports[resource]
            if resource == "memory":
                assert again[0] == 42
                again.grow(1)
                again[len(again) - 1] = 1
            elif resource == "table":
                assert len(again) == 4
                again.grow(1)
            elif resource != "f":
                assert again.value is not None
            last.close()
        refused(run)
        refused(lambda last=last: last.exports[resource])  # type: ignore[misc]
        if held is not None and which in ("definer", "both"):
            # Whoever defined it and whoever imported it are closed: so is this.
            refused(lambda: USES[resource](held))  # noqa: B023


def objects() -> None:
    """Closing gives memory back though Python still has the object, unless there is a view."""
    engine = Engine()
    module = definer(engine)
    from wasmetal.system.lifetime import _held

    def instance() -> Instance:
        return module.instantiate({"env": {"pause": nothing}})

    instance().close()
    gc.collect()
    before = len(_held)
    made = instance()
    objects = [made.exports[name] for name in made.exports]
    made.exports.f()
    made.close()
    assert len(_held) == before, (len(_held), before)
    made = instance()
    view = made.exports.memory.view()
    made.close()
    strangers(module)
    assert view[0] == 42
    view[0] = 43
    del view
    gc.collect()
    assert len(_held) == before
    # A memory that Python made is nobody's to close.
    shared = Memory(MemoryType(1))
    users = [user(engine, "memory").instantiate({"env": {"pause": nothing}, "a": {"memory": shared}}) for _ in range(2)]
    shared[0] = 42
    users[0].close()
    assert users[1].exports.run() == 42 == shared[0]
    users[1].close()
    assert shared[0] == 42
    del objects


# At any moment.


def at_each_event(work: Callable[[], object], act: Callable[[], object], files: tuple[str, ...], number: int) -> bool:
    """Run `work`, and `act` at the `number`th line of these files. Whether there are that many."""
    count = 0
    acted = False

    def local(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count, acted
        if event == "line":
            count += 1
            if count == number:
                sys.settrace(None)
                acted = True
                act()
                return None
        return None if acted else local

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        name = frame.f_code.co_filename
        ours = name.startswith(PACKAGE) and name[len(PACKAGE) + 1 :].replace(os.sep, "/") in files
        return local if ours and not acted else None

    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(None)
    return acted


FILES = (
    *("function.py", "instance.py", "store/functions.py", "store/instance_core.py", "store/linking.py"),
    *("store/store.py", "store/callbacks.py", "compiled/compiled_module.py", "glue/glue.py", "cpython/c_stack.py"),
    *("code/arena.py", "memory.py", "store/linear_memory.py", "store/sharing.py", "module.py"),
)

CALLS: dict[str, Callable[[Any], object]] = {
    "first": lambda exports: exports.f(),
    "slow": lambda exports: exports.slow(None),
    "raw": lambda exports: exports.f.call_raw()[0],
    "export": lambda exports: 42 if len(exports.memory) and len(exports.table) else 0,
}


def moments(kind: str, how: str, step: str) -> None:
    """Closed (or its module's code deleted, or dropped) at each line, or every so many, that a first call or an
    instantiation runs."""
    for number in itertools.count(1, int(step)):
        engine = Engine()
        module = definer(engine)
        parts: dict[str, Any] = {"i": module.instantiate({"env": {"pause": nothing}})}
        exports = parts["i"].exports
        outcome: list[object] = []
        functions = [exports.f, exports.slow, exports.same]

        def work(exports: Any = exports, outcome: list[object] = outcome) -> None:
            try:
                if kind in CALLS:
                    outcome.append(CALLS[kind](exports))
                else:
                    made = [user(engine, each) for each in RESOURCES]  # noqa: B023
                    linked = [each.instantiate({"env": {"pause": nothing}, "a": exports}) for each in made]
                    outcome.append(sum(each.exports.run() for each in linked) // len(linked))
            except WasmError as error:
                outcome.append(error)

        del exports

        def act(parts: dict[str, Any] = parts, engine: Engine = engine, module: Module = module) -> None:
            if how == "close":
                parts["i"].close()
            elif how == "delete":
                engine.delete_compiled_module(module)
            parts.clear()
            gc.collect()

        more = at_each_event(work, act, FILES, number)
        (got,) = outcome
        if how == "close" and more:
            assert got == 42 or "closed" in str(got), got
            for function in functions:
                refused(lambda: function(*[None] * len(function.type.params)))  # noqa: B023
        else:
            assert got == 42, got
            assert functions[0]() == 42 == functions[1](None)
        if not more:
            assert number > 20, number
            return


def links(step: str) -> None:
    """Closed and dropped, and its memory given to others, at every `step`-th line of linking with one thing of it."""
    engine = Engine()
    module = definer(engine)
    stride = int(step)
    for resource in RESOURCES:
        importing = user(engine, resource)
        for number in itertools.count(1, stride):
            parts: dict[str, Any] = {"i": module.instantiate({"env": {"pause": nothing}})}
            thing = parts["i"].exports[resource]
            linked: list[Instance] = []

            def work(importing: Module = importing, space: object = {resource: thing}) -> None:
                try:
                    linked.append(importing.instantiate({"env": {"pause": nothing}, "a": space}))  # noqa: B023
                except WasmError as error:
                    assert "closed" in str(error), error

            del thing

            def act(parts: dict[str, Any] = parts) -> None:
                parts["i"].close()
                parts.clear()
                strangers(module)

            more = at_each_event(work, act, ("store/linking.py",), number)
            del work
            if linked:
                strangers(module)
                assert linked[0].exports.run() == 42, (resource, number)
            if not more:
                assert number > 10, number
                break


def threads(kind: str, seconds: str = "3") -> None:
    """An instance that another thread runs, or is about to run, is closed."""
    sys.setswitchinterval(1e-6)
    engine = Engine(wasmetal.Config(hold_gil=kind == "holding"))
    b = WasmBuilder()
    b.memory(1, export="m")
    # Counts down, in a loop that reads memory.
    loop = b"\x03\x40" + op.get(0) + op.i32(-1) + op.I32_ADD + b"\x22\x00" + op.I32_LOAD8_U + op.DROP
    loop += op.get(0) + b"\x0d\x00\x0b" + op.get(0)
    b.func("i", "i", loop, export="count")
    b.func("ie", "i", loop, export="slow")
    module = engine.compile(b.build())
    effort = Effort(float(seconds))
    turns = refusals = 0
    problems: list[BaseException] = []
    while effort.goes_on(turns > 20 and refusals):
        instance = module.instantiate()
        exports = instance.exports
        arguments = (30_000 if turns % 3 else 100,)
        if kind == "slow":
            arguments = (*arguments, None)  # type: ignore[assignment]
        f = exports.slow if kind == "slow" else exports.count
        if kind == "warm":
            f(1)
        call = f.call_raw if kind == "raw" else f

        def work(call: Any = call, arguments: Any = arguments) -> None:
            nonlocal refusals
            try:
                for _ in range(3):
                    assert call(*arguments) in (0, (0,))
            except wasmetal.Trap as trap:
                assert trap.code is wasmetal.TrapCode.INTERRUPTED
            except WasmError as error:
                refusals += 1
                if "closed" not in str(error) and "another thread" not in str(error):
                    problems.append(error)
            except BaseException as error:
                problems.append(error)

        running = [threading.Thread(target=work) for _ in range(1 + turns % 2)]
        for thread in running:
            thread.start()
        for _ in range(turns % 7 * 20):
            pass
        if kind == "interrupt":
            instance.interrupt()
        closers = [threading.Thread(target=instance.close) for _ in range(turns % 3 // 2)]
        for thread in closers:
            thread.start()
        instance.close()
        refused(lambda: f(*arguments))  # noqa: B023
        if turns % 2:
            del f, call, exports, instance, work
        others = [module.instantiate() for _ in range(2)]
        for thread in (*running, *closers):
            thread.join()
        running.clear()
        for other in others:
            assert other.exports.count(5) == 0
        assert not problems, problems
        turns += 1
    assert turns > 20 and refusals, (turns, refusals)


def signals() -> None:
    """Closed by a signal handler, wherever the signal comes."""
    engine = Engine()
    current: list[Instance] = []
    closed = 0

    def handler(number: int, frame: object) -> None:
        nonlocal closed
        if current:
            current.pop().close()
            closed += 1

    signal.signal(signal.SIGALRM, handler)
    for turn in range(150):
        module = definer(engine)
        engine.delete_compiled_module(module)
        instance = module.instantiate({"env": {"pause": nothing}})
        f, slow = instance.exports.f, instance.exports.slow
        current[:] = [instance]
        signal.setitimer(signal.ITIMER_REAL, 1e-5 * (1 + turn % 50))
        try:
            while True:
                assert f() == 42 == slow(None)
        except WasmError as error:
            assert "closed" in str(error)
        refused(f)
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert closed == 150


# Inside of what Python runs for code.


def inside() -> None:
    """Closed by the host function that it calls; the call goes on, lets its memory grow, and ends."""
    engine = Engine()
    module = definer(engine)
    made: list[Any] = []
    seen: list[str] = []

    def pause(caller: wasmetal.Caller) -> None:
        made.pop().close()
        strangers(module)
        assert caller.instance.closed
        for use in (lambda: caller.memory, lambda: caller.exports.memory, lambda: f(), lambda: f.call_raw()):
            refused(use)
        seen.append("closed")

    for name, arguments in (("pausing", ()), ("slow", (None,))):
        instance = module.instantiate({"env": {"pause": pause}})
        made.append(instance)
        f, call = instance.exports.f, instance.exports[name]
        del instance
        assert call(*arguments) == 42
        refused(lambda: call(*arguments))  # noqa: B023
    assert len(seen) == 2


def start() -> None:
    """The start function's host function closes the instance that is being made, or the one that it imports from."""
    engine = Engine()
    for whom in ("itself", "definer"):
        exporter = definer(engine).instantiate({"env": {"pause": nothing}})
        b = WasmBuilder()
        b.import_func("env", "pause")
        imported = b.import_func("a", "f", "", "i")
        b.import_memory("a", "memory", 1)
        b.glob("i", op.i32(0), mutable=True, export="result")
        body = op.call(0) + op.call(imported) + op.i32(0) + op.I32_LOAD + op.I32_ADD + op.global_set(0)
        b.start(b.func("", "", body, export="again"))

        def pause(caller: wasmetal.Caller, whom: str = whom, exporter: Instance = exporter) -> None:
            (caller.instance if whom == "itself" else exporter).close()
            strangers(definer(engine))

        made = engine.compile(b.build()).instantiate({"env": {"pause": pause}, "a": exporter})
        if whom == "itself":
            assert made.closed
            refused(lambda: made.exports.result)  # noqa: B023
            assert exporter.exports.f() == 42
        else:
            assert made.exports.result.value == 84
            made.exports.again()
            refused(lambda: exporter.exports.f)  # noqa: B023


def listener() -> None:
    class Closing:
        def __init__(self, when: str) -> None:
            self.when = when
            self.made: list[Instance] = []

        def before(self, definition: object, params: object) -> None:
            if self.made and self.when == "before":
                self.made.pop().close()

        def after(self, definition: object, results: object) -> None:
            if self.made and self.when == "after":
                self.made.pop().close()

    engine = Engine()
    for when in ("before", "after"):
        told = Closing(when)
        module = engine.compile(definer(engine).source, listener=told)
        instance = module.instantiate({"env": {"pause": nothing}})
        f = instance.exports.f
        told.made.append(instance)
        del instance
        assert f() == 42
        refused(f)


def finalizers() -> None:
    """Closed by `__del__`, by a weakref's callback and at exit; garbage has functions of it."""
    engine = Engine()
    module = definer(engine)

    class Closing:
        def __init__(self) -> None:
            self.instance = module.instantiate({"env": {"pause": lambda: self and None}})
            self.f = self.instance.exports.f
            self.cycle = self
            assert self.f() == 42  # compiled: that would be refused in garbage

        def __del__(self) -> None:
            assert self.f() == 42
            self.instance.close()
            gc.collect()
            refused(self.f)
            done.append(self.f)

    done: list[Any] = []
    for _ in range(10):
        Closing()
    gc.collect()
    assert len(done) == 10
    for f in done:
        refused(f)
    instance = module.instantiate({"env": {"pause": nothing}})
    f = instance.exports.f
    late = module.instantiate({"env": {"pause": lambda: strangers(module)}}).exports

    def leave() -> None:
        assert f() == 42
        instance.close()
        refused(f)
        strangers(module)
        assert late.f() == 42 == late.pausing()

    atexit.register(leave)


def tables() -> None:
    """A function of a closed instance in the tables of others: one that Python made, and one of an instance."""
    engine = Engine()
    number = FuncType((), ("i32",))
    for running in (False, True):
        exporter = definer(engine).instantiate({"env": {"pause": nothing}})
        table = wasmetal.Table(wasmetal.TableType("funcref", 4))
        table[0] = exporter.exports.f
        caller = user(engine, "table").instantiate({"env": {"pause": lambda: closing()}, "a": {"table": table}})
        other = definer(engine).instantiate({"env": {"pause": nothing}})
        other.exports.table[0] = exporter.exports.f

        def closing(exporter: Instance = exporter) -> None:
            exporter.close()
            strangers(definer(engine))

        if not running:
            closing()
        assert caller.exports.run() == 42
        table.grow(1000)
        table[1] = Func(lambda: 1, number)
        refused(lambda: table[0]())  # type: ignore[operator]  # noqa: B023
        assert caller.exports.run() == 42
        caller.close()
        assert len(table) == 1004
        relay = user(engine, "table").instantiate({"env": {"pause": nothing}, "a": other})
        other.close()
        strangers(definer(engine))
        assert relay.exports.run() == 42


def forks() -> None:
    """A child closes what its parent goes on with, and the other way round."""
    engine = Engine()
    for closes in ("child", "parent"):
        exporter = definer(engine).instantiate({"env": {"pause": nothing}})
        f = exporter.exports.f
        importers = [user(engine, each).instantiate({"env": {"pause": nothing}, "a": exporter}) for each in RESOURCES]
        assert f() == 42
        child = os.fork()
        if (child == 0) == (closes == "child"):
            exporter.close()
            refused(f)
        else:
            assert f() == 42
        strangers(definer(engine))
        assert all(each.exports.run() == 42 for each in importers)
        if child == 0:
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
