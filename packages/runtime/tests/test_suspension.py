"""Calls that host functions suspend: `Func.call_async`.

Most of it is driven by hand, so that each interleaving is the one that the test means; with asyncio what depends on an
event loop.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import inspect
import itertools
import os
import sys
import threading
import types
import weakref
from collections.abc import Callable, Coroutine, Generator, Iterator
from typing import Any

import pytest

import wasmetal
from wasmetal import Config, Engine, Func, FuncType, LinkError, Trap, TrapCode, WasmError
from wasmetal.store.parked_frames import _parked
from wasmetal.store.suspension import SuspendableCall

assemble = pytest.importorskip("wasm_text").assemble

RECURSIVE = """(module
  (import "e" "wait" (func $wait (param i32) (result i32)))
  (import "e" "plain" (func $plain (param i32) (result i32)))
  (memory (export "memory") 1)
  ;; waits at depth n with something of every kind in each frame
  (func $deep (export "deep") (param $n i32) (param $x i32) (result i32) (local $y i64) (local $z f64)
    (local.set $y (i64.extend_i32_s (i32.mul (local.get $n) (i32.const 1000))))
    (local.set $z (f64.convert_i32_s (i32.add (local.get $n) (local.get $x))))
    (if (result i32) (local.get $n)
      (then (call $deep (i32.sub (local.get $n) (i32.const 1)) (local.get $x)))
      (else (call $wait (local.get $x))))
    (i32.add (i32.wrap_i64 (local.get $y)))
    (i32.add (i32.trunc_f64_s (local.get $z))))
  (func (export "twice") (param i32) (result i32)
    (i32.add (call $wait (local.get 0)) (call $wait (i32.add (local.get 0) (i32.const 1)))))
  (func (export "plain") (param i32) (result i32) (i32.add (call $plain (local.get 0)) (i32.const 1)))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (call $wait (local.get 1))))
  (func (export "spin") (loop $l (br $l)))
)"""


@pytest.fixture(autouse=True, scope="module")
def no_garbage() -> Iterator[None]:
    """Coroutines that are left over are not finalized in the middle of other tests, of recursion for one."""
    yield
    gc.collect()


def deep(n: int, x: int, waited: int) -> int:
    """What `deep` of that module gives."""
    return waited + sum(1000 * k + k + x for k in range(n + 1))


class Yields:
    """Something to await: yields a value to whoever drives the coroutine, and returns what that sends."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __await__(self) -> Generator[object, Any, Any]:
        return (yield self.value)


async def ask(value: Any) -> Any:
    return await Yields(value)


def finish(coroutine: Coroutine[Any, Any, Any], sent: object = None) -> Any:
    """Send something to a coroutine, which then returns."""
    with pytest.raises(StopIteration) as stopped:
        coroutine.send(sent)
    return stopped.value.value


def instance_of(
    text: str = RECURSIVE, wait: Callable[..., Any] = ask, config: Config | None = None, **others: Any
) -> wasmetal.Instance:
    module = Engine(config or Config()).compile(assemble(text))
    return module.instantiate({"e": {"wait": wait, "plain": lambda x: x, **others}})


def at_rest(instance: wasmetal.Instance) -> bool:
    from wasm_ir.vmcontext import STORE

    core = instance._core
    assert core is not None and core.store.stack is not None
    words = core.store.words
    fields = ("entry_fp", "owner", "thread_state", "await_fp", "await_call", "pending", "interrupt")
    return words[STORE["wasm_sp"] // 8] == core.store.stack.top and not any(words[STORE[f] // 8] for f in fields)


# What goes in and out.


def test_a_host_coroutine_yields_through_and_gets_what_is_sent() -> None:
    instance = instance_of()
    call = instance.exports.twice.call_async(5)
    assert inspect.iscoroutine(call)
    assert call.send(None) == 5
    assert at_rest(instance)
    assert call.send(100) == 6
    assert finish(call, 23) == 123
    assert at_rest(instance)


@pytest.mark.parametrize("hold_gil", [False, True])
def test_calls_go_on_in_any_order(hold_gil: bool) -> None:
    """Each has frames of its own, of different depths, where those of the others were meanwhile."""
    instance = instance_of(config=Config(hold_gil=hold_gil))
    add = instance.exports.add
    for order in itertools.permutations(range(4)):
        calls = [instance.exports.deep.call_async(7 * n, n) for n in range(4)]
        assert [call.send(None) for call in calls] == [0, 1, 2, 3]
        for n in order:
            assert add(n, n) == 2 * n
            assert finish(calls[n], 50 + n) == deep(7 * n, n, 50 + n)
        assert at_rest(instance)


def test_calls_that_are_suspended_again_and_again() -> None:
    """Frames are taken away and put back many times, in between those of others."""
    instance = instance_of()
    calls = [instance.exports.twice.call_async(n) for n in range(50)]
    assert [call.send(None) for call in calls] == list(range(50))
    assert [call.send(10 * n) for n, call in enumerate(calls)] == list(range(1, 51))
    assert [finish(call, 1) for call in reversed(calls)] == [10 * n + 1 for n in reversed(range(50))]


def test_with_asyncio() -> None:
    async def wait(x: int) -> int:
        await asyncio.sleep(0.001 * (x % 3))
        return 2 * x

    instance = instance_of(wait=wait)

    async def main() -> None:
        calls = [instance.exports.twice.call_async(n) for n in range(20)]
        assert await asyncio.gather(*calls) == [4 * n + 2 for n in range(20)]
        assert await asyncio.create_task(instance.exports.deep.call_async(3, 1)) == deep(3, 1, 2)

    asyncio.run(main())


@pytest.mark.parametrize("library", ["trio", "anyio"])
def test_with_other_libraries(library: str) -> None:
    module: Any = pytest.importorskip(library)

    async def wait(x: int) -> int:
        await module.sleep(0.001)
        return x

    results = []

    async def one(n: int) -> None:
        results.append(await instance.exports.twice.call_async(n))

    async def main() -> None:
        async with module.open_nursery() if library == "trio" else module.create_task_group() as group:
            for n in range(5):
                group.start_soon(one, n)
        with module.move_on_after(0.01) as scope:
            await instance.exports.wait_for_ever.call_async()
        assert scope.cancelled_caught

    text = '(func (export "wait_for_ever") (loop $l (drop (call $wait (i32.const 0))) (br $l))))'
    instance = instance_of(RECURSIVE[:-1] + text, wait=wait)
    module.run(main)
    assert sorted(results) == [1, 3, 5, 7, 9]


VALUES = """(module
  (import "e" "all" (func $all (param i32 i64 f32 f64 externref) (result i32 i64 f32 f64 externref)))
  (import "e" "none" (func $none))
  (import "e" "wide" (func $wide (result i64)))
  (import "e" "half" (func $half (result f32)))
  (import "e" "object" (func $object (result externref)))
  (import "e" "vector" (func $vector (param v128) (result v128)))
  (func (export "all") (param i32 i64 f32 f64 externref) (result i32 i64 f32 f64 externref)
    (call $all (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4)))
  (func (export "none") (call $none))
  (func (export "wide") (result i64) (call $wide))
  (func (export "half") (result f32) (call $half))
  (func (export "object") (result externref) (call $object))
  (func (export "vector") (param v128) (result v128) (call $vector (local.get 0)))
)"""


def test_values_of_all_kinds() -> None:
    thing = object()

    async def same(*values: Any) -> Any:
        assert await Yields("waiting") == "done"
        return values

    async def nothing() -> None:
        await Yields("waiting")

    def given(value: object) -> Callable[..., Any]:
        async def give(*_: object) -> object:
            await Yields("waiting")
            return value

        return give

    host = {"all": same, "none": nothing, "wide": given(-(1 << 63)), "half": given(0.5), "object": given(thing)}
    host["vector"] = given(bytes(range(16)))
    exports = Engine().compile(assemble(VALUES)).instantiate({"e": host}).exports
    arguments = (-1, 1 << 62, 0.25, 1e300, thing)
    for name, args, result in (
        ("all", arguments, arguments),
        ("none", (), None),
        ("wide", (), -(1 << 63)),
        ("half", (), 0.5),
        ("object", (), thing),
        ("vector", (bytes(16),), bytes(range(16))),
    ):
        call = exports[name].call_async(*args)
        assert call.send(None) == "waiting"
        assert finish(call, "done") == result


def test_what_an_async_host_function_returns_is_checked() -> None:
    async def wrong(x: int) -> object:
        await Yields(x)
        return "text"

    async def more(x: int) -> object:
        return ask(x)

    instance = instance_of(wait=wrong)
    call = instance.exports.twice.call_async(1)
    call.send(None)
    with pytest.raises(TypeError, match="result"):
        call.send(None)
    with pytest.warns(RuntimeWarning, match="never awaited"):
        with pytest.raises(TypeError, match="coroutine"):
            instance_of(wait=more).exports.twice.call_async(1).send(None)
        gc.collect()


def test_any_awaitable_is_waited_for() -> None:
    @types.coroutine
    def old(x: int) -> Generator[int, int, int]:
        return (yield x) + 1

    for wait in (Yields, lambda x: ask(x), old):
        call = instance_of(wait=wait).exports.twice.call_async(1)
        assert [call.send(None), call.send(5)] == [1, 2]
        assert finish(call, 6) in (11, 13)


def test_an_awaitable_among_external_references_is_a_value() -> None:
    """Only from `async def` it is certain that it is not what was meant."""
    awaitable = Yields(1)
    host = {name: lambda *args: None for name in ("all", "none", "wide", "half", "vector")}
    exports = Engine().compile(assemble(VALUES)).instantiate({"e": {**host, "object": lambda: awaitable}}).exports
    assert exports.object() is awaitable
    assert finish(exports.object.call_async()) is awaitable


def test_a_host_function_may_ask_for_its_caller() -> None:
    async def wait(caller: wasmetal.Caller, x: int) -> int:
        await Yields(x)
        return caller.exports.add(x, 1)  # type: ignore[no-any-return]

    call = instance_of(wait=wait).exports.twice.call_async(1)
    assert [call.send(None), call.send(None)] == [1, 2]
    assert finish(call) == 5


def test_calls_that_do_not_wait_end_at_once() -> None:
    instance = instance_of()
    assert finish(instance.exports.add.call_async(1, 2)) == 3
    assert finish(instance.exports.plain.call_async(1)) == 2


def test_host_functions_are_called_directly() -> None:
    call = Func(ask, FuncType(["i32"], ["i32"])).call_async(7)
    assert call.send(None) == 7
    assert finish(call, 8) == 8
    call = Func(ask, FuncType(["i32"], ["i32"])).call_async(7)
    call.send(None)
    with pytest.raises(TypeError):
        call.send("text")
    assert finish(Func(abs, FuncType(["i32"], ["i32"])).call_async(-7)) == 7


def test_wrong_arguments() -> None:
    add = instance_of().exports.add
    for args, error in (((1,), TypeError), ((1, "2"), TypeError), ((1, 1 << 40), OverflowError)):
        with pytest.raises(error):
            finish(add.call_async(*args))


def test_run_async() -> None:
    text = '(module (import "e" "wait" (func (param i32) (result i32))) (func (export "_start") {}))'
    call = instance_of(text.format("(drop (call 0 (i32.const 3)))")).run_async()
    assert call.send(None) == 3
    assert finish(call, 1) is None
    with pytest.raises(WasmError, match="_start"):
        finish(instance_of().run_async())


def test_context_variables() -> None:
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable")

    async def wait(x: int) -> int:
        await asyncio.sleep(0)
        return variable.get()

    instance = instance_of(wait=wait)

    async def one(n: int) -> Any:
        variable.set(n)
        return await instance.exports.twice.call_async(0)

    async def main() -> None:
        assert await asyncio.gather(*[one(n) for n in range(5)]) == [0, 2, 4, 6, 8]

    asyncio.run(main())


# Synchronous calls.


def test_a_synchronous_call_says_what_to_use() -> None:
    """...and closes the coroutine, of which Python would say that it was never awaited."""
    instance = instance_of()
    with pytest.raises(TypeError, match=r"e\.wait is asynchronous.*call_async"):
        instance.exports.twice(1)
    with pytest.raises(TypeError, match="call_async"):
        Func(ask, FuncType(["i32"], ["i32"]))(1)
    assert at_rest(instance)


def test_not_below_a_synchronous_call() -> None:
    """There are frames of C code in between: they cannot be suspended."""
    instance = instance_of(plain=lambda x: instance.exports.twice(x))
    with pytest.raises(TypeError, match="call_async"):
        finish(instance.exports.plain.call_async(1))
    assert at_rest(instance)


# Exceptions.


def test_an_exception_of_a_host_coroutine() -> None:
    async def wait(x: int) -> int:
        await Yields(x)
        raise KeyError("no such thing")

    instance = instance_of(wait=wait)
    call = instance.exports.deep.call_async(2, 1)
    call.send(None)
    with pytest.raises(KeyError) as caught:
        call.send(None)
    assert "deep" in caught.value.__notes__[0] and caught.value.__notes__[0].count("deep") == 3
    assert at_rest(instance)


def test_traps_afterwards() -> None:
    instance = instance_of()
    call = instance.exports.divide.call_async(1, 1)
    call.send(None)
    with pytest.raises(Trap) as caught:
        call.send(0)
    assert caught.value.code is TrapCode.INTEGER_DIVIDE_BY_ZERO
    assert [frame.function_name for frame in caught.value.frames] == ["divide"]
    assert at_rest(instance)


CATCHING = """(module
  (import "e" "wait" (func $wait (param i32) (result i32)))
  (import "e" "tag" (tag $tag (param i32)))
  (func $inner (param i32) (result i32) (call $wait (local.get 0)))
  (func (export "catch") (param i32) (result i32)
    (block $h (result i32)
      (return (try_table (result i32) (catch $tag $h) (call $inner (local.get 0)))))
    (i32.add (i32.const 1000)))
  (func (export "catch_all") (param i32) (result i32)
    (block $h
      (return (try_table (result i32) (catch_all $h) (call $inner (local.get 0)))))
    (i32.const -1))
  (func (export "throw") (param i32) (result i32)
    (throw $tag (call $inner (local.get 0))))
  ;; keeps a reference to an exception while it waits
  (func (export "keep") (param i32) (result i32) (local exnref)
    (block $h (result i32 exnref)
      (try_table (catch_ref $tag $h) (throw $tag (local.get 0)))
      unreachable)
    (local.set 1) (drop)
    (drop (call $wait (i32.const 0)))
    (block $h2 (result i32)
      (try_table (catch $tag $h2) (throw_ref (local.get 1)))
      unreachable))
  (func (export "throws") (param i32)
    (block $h (try_table (catch_all $h) (throw $tag (local.get 0)))))
)"""


def test_webassembly_catches_what_a_host_coroutine_throws() -> None:
    tag = wasmetal.Tag(FuncType(["i32"], []))

    async def wait(x: int) -> int:
        if await Yields(x) == "throw":
            raise wasmetal.WasmException(tag, (x + 1,))
        return x

    instance = instance_of(CATCHING, wait, tag=tag)
    call = instance.exports["catch"].call_async(5)
    call.send(None)
    assert finish(call, "throw") == 1006
    call = instance.exports["catch_all"].call_async(5)
    call.send(None)
    assert finish(call, "throw") == -1
    call = instance.exports["throw"].call_async(5)
    call.send(None)
    with pytest.raises(wasmetal.WasmException) as caught:
        call.send(None)
    assert caught.value.values == (5,)
    assert "throw" in caught.value.__notes__[0]
    assert at_rest(instance)


def test_references_to_exceptions_in_suspended_frames_stay() -> None:
    """Blocks of exceptions that nothing leads to are used again."""
    instance = instance_of(CATCHING, tag=wasmetal.Tag(FuncType(["i32"], [])))
    calls = [instance.exports.keep.call_async(n) for n in range(20)]
    for call in calls:
        call.send(None)
    for n in range(20_000):
        instance.exports.throws(n)
    assert [finish(call, 1) for call in calls] == list(range(20))


def test_cancellation_is_not_caught() -> None:
    instance = instance_of(CATCHING, tag=wasmetal.Tag(FuncType(["i32"], [])))
    call = instance.exports.catch_all.call_async(1)
    call.send(None)
    with pytest.raises(asyncio.CancelledError):
        call.throw(asyncio.CancelledError())
    assert at_rest(instance)
    caught = instance_of(CATCHING, config=Config(catch_python_exceptions=True), tag=wasmetal.Tag(FuncType(["i32"], [])))
    call = caught.exports.catch_all.call_async(1)
    call.send(None)
    with pytest.raises(asyncio.CancelledError):
        call.throw(asyncio.CancelledError())
    call = caught.exports.catch_all.call_async(1)
    call.send(None)
    with pytest.raises(StopIteration) as stopped:
        call.throw(ValueError())
    assert stopped.value.value == -1


def test_a_host_coroutine_may_refuse_to_be_cancelled() -> None:
    async def wait(x: int) -> int:
        try:
            await Yields(x)
        except asyncio.CancelledError:
            await Yields("cleaning")
        return 1

    call = instance_of(wait=wait).exports.twice.call_async(1)
    call.send(None)
    assert call.throw(asyncio.CancelledError()) == "cleaning"
    assert call.send(None) == 2
    assert finish(call) == 2


def test_timeouts() -> None:
    """The frames are gone, the instance is not."""

    async def wait(x: int) -> int:
        await asyncio.sleep(x)
        return x

    instance = instance_of(wait=wait)

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await instance.exports.deep.call_async(5, 1000)
        task = asyncio.create_task(instance.exports.twice.call_async(1000))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await instance.exports.deep.call_async(1, 0) == deep(1, 0, 0)

    asyncio.run(main())
    assert at_rest(instance)


# Lifetimes.


def test_a_call_that_is_dropped_closes_its_coroutine(clean: None) -> None:
    closed = []

    async def wait(x: int) -> int:
        try:
            await Yields(x)
        finally:
            closed.append(x)
        return x

    instance = instance_of(wait=wait)
    before = len(_parked)
    call = instance.exports.deep.call_async(4, 3)
    call.send(None)
    assert len(_parked) == before + 1
    del call
    assert closed == [3] and len(_parked) == before
    # before it has begun, and by hand
    instance.exports.deep.call_async(4, 3).close()
    call = instance.exports.deep.call_async(4, 3)
    call.send(None)
    call.close()
    assert closed == [3, 3] and at_rest(instance)


def test_garbage_with_suspended_frames_is_collected(clean: None) -> None:
    """The frames hold an object that holds the call."""

    class Thing:
        call: object

    text = """(module (import "e" "wait" (func $wait (param i32) (result i32)))
      (func (export "f") (param externref) (result externref) (drop (call $wait (i32.const 1))) (local.get 0)))"""
    instance = instance_of(text)
    thing = Thing()
    thing.call = call = instance.exports.f.call_async(thing)
    call.send(None)
    gone = weakref.ref(thing), weakref.ref(instance._core)
    del thing, call, instance
    gc.collect()
    assert [reference() for reference in gone] == [None, None]


def test_what_suspended_frames_refer_to_stays(clean: None) -> None:
    """It is looked for among the words of tables, globals and frames when there is much of it."""
    text = """(module (import "e" "wait" (func $wait (param i32) (result i32)))
      (type $f (func (result i32)))
      (func (export "same") (param externref) (result externref) (local.get 0))
      (func (export "f") (param externref funcref) (result externref funcref)
        (drop (call $wait (i32.const 1))) (local.get 0) (local.get 1))
      (table $t 1 funcref)
      (func (export "through") (param funcref) (result i32)
        (table.set $t (i32.const 0) (local.get 0))
        (local.set 0 (ref.null func))
        (call_indirect $t (type $f) (i32.const 0)))
      (type $g (func (param externref) (result externref)))
      (func (export "through_generic") (param funcref externref) (result externref)
        (table.set $t (i32.const 0) (local.get 0))
        (local.set 0 (ref.null func))
        (call_indirect $t (type $g) (local.get 1) (i32.const 0)))
      (func (export "forget") (table.set $t (i32.const 0) (ref.null func))))"""
    instance = instance_of(text)

    class Thing:
        pass

    # A host function that waits, called through a table that it is taken out of meanwhile.
    through = instance.exports.through.call_async(Func(lambda: ask(5), FuncType([], ["i32"])))
    assert through.send(None) == 5
    instance.exports.forget()

    async def generic(thing: object) -> object:
        return await ask(thing)

    through_generic = instance.exports.through_generic.call_async(
        Func(generic, FuncType(["externref"], ["externref"])), 5
    )
    assert through_generic.send(None) == 5
    del generic
    instance.exports.forget()
    # A function of an instance that nobody else has.
    other = instance_of(
        '(module (import "e" "wait" (func (param i32) (result i32)))'
        ' (func (export "g") (result i32) (i32.add (i32.const 7) (call 0 (i32.const 6)))))'
    )
    inner = instance.exports.through.call_async(other.exports.g)
    del other
    assert inner.send(None) == 6
    instance.exports.forget()
    calls = []
    for _ in range(5):
        call = instance.exports.f.call_async(Thing(), Func(lambda: None, FuncType([], [])))
        call.send(None)
        calls.append(call)
    for number in range(5000):
        instance.exports.same(float(number))
    gc.collect()
    store = instance._core.store  # type: ignore[union-attr]
    assert len(store.kept) < 3000
    for call in calls:
        thing, function = finish(call, 1)
        assert type(thing) is Thing and function() is None
    assert finish(through, 40) == 40
    assert finish(inner, 50) == 57
    assert finish(through_generic, 60) == 60


def test_the_instance_is_closed_meanwhile() -> None:
    waited = []

    async def wait(x: int) -> int:
        waited.append(await Yields(x))
        return x

    instance = instance_of(wait=wait)
    calls = [instance.exports.deep.call_async(3, 1), instance.exports.deep.call_async(3, 1)]
    for call in calls:
        call.send(None)
    not_begun = instance.exports.twice.call_async(1)
    instance.close()
    with pytest.raises(WasmError, match="closed"):
        calls[0].send("there")
    assert waited == ["there"]
    calls[1].close()
    with pytest.raises(WasmError, match="closed"):
        not_begun.send(None)


def test_what_another_instance_calls_goes_on_when_its_own_is_closed() -> None:
    first = instance_of()
    text = """(module (import "e" "twice" (func $twice (param i32) (result i32)))
      (func (export "f") (param i32) (result i32) (call $twice (local.get 0))))"""
    second = instance_of(text, twice=first.exports.twice)
    call = second.exports.f.call_async(1)
    call.send(None)
    first.close()
    del first
    gc.collect()
    assert call.send(10) == 2
    assert finish(call, 20) == 30


def test_stores_with_suspended_calls() -> None:
    """Frames belong to a stack. The store that has some takes the other in; two that have some cannot be linked."""
    text = """(module (import "e" "f" (func (param i32) (result i32))) (import "e" "g" (func (param i32) (result i32)))
      (func (export "f") (param i32) (result i32) (i32.add (call 0 (local.get 0)) (call 1 (local.get 0)))))"""
    for first_waits, second_waits in itertools.product((False, True), repeat=2):
        first, second = instance_of(), instance_of()
        calls = [
            instance.exports.twice.call_async(1)
            for instance, waits in ((first, first_waits), (second, second_waits))
            if waits
        ]
        not_begun = [instance.exports.twice.call_async(1) for instance in (first, second)]
        for call in calls:
            call.send(None)
        if first_waits and second_waits:
            with pytest.raises(LinkError, match="suspended"):
                instance_of(text, f=first.exports.twice, g=second.exports.twice)
        else:
            third = instance_of(text, f=first.exports.twice, g=second.exports.twice)
            call = third.exports.f.call_async(5)
            assert [call.send(n) for n in (None, 1, 2, 3)] == [5, 6, 5, 6]
            assert finish(call, 4) == 10
        for call in [*calls, *not_begun]:
            if call in not_begun:
                call.send(None)
            assert call.send(1) == 2
            assert finish(call, 2) == 3


def test_a_call_that_ended_is_not_suspended_while_its_exception_is_kept() -> None:
    """The traceback has the call: its store could not become a part of another as long as that."""
    text = """(module (import "e" "f" (func $f (param i32) (result i32)))
      (import "e" "g" (func (param i32) (result i32)))
      (func (export "f") (param i32) (result i32) (call $f (local.get 0))))"""
    first, second = instance_of(), instance_of()
    neighbour = instance_of(text, f=first.exports.twice, g=first.exports.twice)
    ended, goes_on = first.exports.twice.call_async(1), second.exports.twice.call_async(1)
    assert [ended.send(None), goes_on.send(None)] == [1, 1]
    first.close()
    with pytest.raises(WasmError, match="closed") as kept:
        ended.send(1)
    third = instance_of(text, f=neighbour.exports.f, g=second.exports.twice)
    assert third.exports.f.call_async(7).send(None) == 7
    assert goes_on.send(1) == 2
    assert finish(goes_on, 2) == 3
    assert kept.value.__traceback__ is not None


# What else runs meanwhile.


def test_a_host_function_drives_another_call() -> None:
    """Its frames take the place of those of the call that is in the middle of something."""
    resumed = [0]

    def plain(x: int) -> int:
        if x:
            return instance.exports.deepest(x - 1)  # type: ignore[no-any-return]
        inner = instance.exports.deep.call_async(30, 4)
        assert inner.send(None) == 4
        assert finish(outer, 100) == deep(9, 2, 100)
        resumed[0] = finish(inner, 7)
        return 5

    text = (
        RECURSIVE[:-1]
        + """
      (func $deepest (export "deepest") (param i32) (result i32) (call $down (i32.const 20) (local.get 0)))
      (func $down (param i32 i32) (result i32)
        (if (result i32) (local.get 0)
          (then (i32.add (local.get 0) (call $down (i32.sub (local.get 0) (i32.const 1)) (local.get 1))))
          (else (call $plain (local.get 1))))))"""
    )
    instance = instance_of(text, plain=plain)
    for n in range(3):
        outer = instance.exports.deep.call_async(9, 2)
        outer.send(None)
        assert instance.exports.deepest(n) == 5 + 210 * (n + 1)
        assert resumed == [deep(30, 4, 7)]
        outer = instance.exports.deep.call_async(9, 2)
        outer.send(None)
        assert finish(instance.exports.deepest.call_async(n)) == 5 + 210 * (n + 1)
    assert at_rest(instance)


def test_calls_within_calls_end_badly() -> None:
    """What is below them is as it was, however they end."""

    def plain(x: int) -> int:
        call = instance.exports.divide.call_async(1, 1)
        call.send(None)
        with pytest.raises(Trap):
            call.send(0)
        call = instance.exports.divide.call_async(1, 1)
        call.send(None)
        with pytest.raises(ValueError, match="x"):
            call.throw(ValueError("x"))
        call = instance.exports.divide.call_async(1, 1)
        call.send(None)
        call.close()
        return x

    instance = instance_of(plain=plain)
    assert instance.exports.plain(3) == 4
    assert finish(instance.exports.plain.call_async(3)) == 4
    assert at_rest(instance)


def test_an_event_loop_in_a_host_function() -> None:
    async def wait(x: int) -> int:
        await asyncio.sleep(0)
        return x

    def plain(x: int) -> int:
        async def main() -> Any:
            return await asyncio.gather(*[instance.exports.twice.call_async(n) for n in range(x)])

        return sum(asyncio.run(main()))

    instance = instance_of(wait=wait, plain=plain)
    assert instance.exports.plain(4) == 1 + 3 + 5 + 7 + 1


def test_a_host_coroutine_calls_its_instance() -> None:
    async def wait(x: int) -> int:
        await Yields(x)
        if not x:
            return 1
        return instance.exports.add(x, 1) + await instance.exports.deep.call_async(1, x - 1)  # type: ignore[no-any-return]

    instance = instance_of(wait=wait)
    call = instance.exports.deep.call_async(2, 2)
    assert [call.send(None) for _ in range(3)] == [2, 1, 0]
    assert finish(call) == deep(2, 2, 3 + deep(1, 1, 2 + deep(1, 0, 1)))


def test_a_call_that_resumes_itself() -> None:
    """Python says no before we have to."""

    async def wait(x: int) -> int:
        with pytest.raises(ValueError, match="already executing"):
            call.send(None)
        await Yields(x)
        return x

    call = instance_of(wait=wait).exports.twice.call_async(1)
    assert call.send(None) == 1


def test_machine_code_checks_the_state_itself() -> None:
    """Whatever Python code does: a call that is not suspended is not resumed."""
    instance = instance_of(plain=lambda x: [made(None, None), 1][1])
    core = instance.exports.deep._core

    def fails() -> None:
        with pytest.raises(WasmError, match="not suspended"):
            made(None, None)

    made = SuspendableCall(core, instance._core)
    made.set_arguments((3, 4))
    assert made(None, None) is True
    made.awaited.close()
    assert made(7, None) is None and made.results() == deep(3, 4, 7)
    fails()
    made = SuspendableCall(core, instance._core)
    made.set_arguments((3, 4))
    assert made(None, None) is True
    made.awaited.close()
    made.discard()
    fails()
    for wrong in ((), (1,), (1, None, 2)):
        with pytest.raises(WasmError, match="not suspended"):
            made(*wrong)
    # while it runs
    made = SuspendableCall(instance.exports.plain._core, instance._core)
    made.set_arguments((3,))
    with pytest.raises(WasmError, match="not suspended"):
        made(None, None)
    fails()
    # in a store that is not the one of its frames
    made = SuspendableCall(core, instance._core)
    made.set_arguments((3, 4))
    assert made(None, None) is True
    made.awaited.close()
    from wasmetal.glue.host_layout import CALL

    made._parked[0][CALL["store"] // 8] += 8
    fails()


def test_listeners() -> None:
    events = []

    class Listener:
        def before(self, definition: Any, params: Any) -> None:
            events.append(("before", definition.name, *params))

        def after(self, definition: Any, results: Any) -> None:
            events.append(("after", definition.name, *results))

    module = Engine().compile(assemble(RECURSIVE), listener=Listener())
    instance = module.instantiate({"e": {"wait": ask, "plain": abs}})
    calls = [instance.exports.twice.call_async(n) for n in (1, 5)]
    for call in calls:
        call.send(None)
    for call in calls:
        call.send(0)
    assert [finish(call, 3) for call in calls[::-1]] == [3, 3]
    assert events == [("before", "twice", 1), ("before", "twice", 5), ("after", "twice", 3), ("after", "twice", 3)]


def test_interruption_and_stack_overflow() -> None:
    instance = instance_of(
        RECURSIVE[:-1]
        + """(func (export "wait_and_spin") (param i32) (drop (call $wait (local.get 0))) (loop $l (br $l)))
        (func (export "wait_and_recurse") (param i32) (drop (call $wait (local.get 0))) (call $forever))
        (func $forever (call $forever)))"""
    )
    call = instance.exports.wait_and_recurse.call_async(1)
    call.send(None)
    with pytest.raises(Trap) as caught:
        call.send(1)
    assert caught.value.code is TrapCode.CALL_STACK_EXHAUSTED
    call = instance.exports.wait_and_spin.call_async(1)
    call.send(None)
    instance.interrupt()  # nothing runs
    over = threading.Event()

    def interrupt() -> None:
        while not over.wait(0.05):
            instance.interrupt()

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with pytest.raises(Trap, match="interrupted"):
            call.send(1)
    finally:
        over.set()
        thread.join()
    assert at_rest(instance)


def test_a_deadline_is_that_of_a_task() -> None:
    """Whoever awaits in the block is in it, for as long as the clock says; what other tasks do meanwhile is not."""

    async def wait(x: int) -> int:
        await asyncio.sleep(x / 1000)
        return x

    text = (
        RECURSIVE[:-1]
        + """(func (export "wait_and_count") (param i32 i64) (result i64) (local i64)
      (drop (call $wait (local.get 0)))
      (loop $l (local.set 2 (i64.add (local.get 2) (i64.const 1))) (br_if $l (i64.lt_u (local.get 2) (local.get 1))))
      (local.get 2)))"""
    )
    instance = instance_of(text, wait=wait)
    call = instance.exports.wait_and_count.call_async

    async def with_deadline() -> None:
        with wasmetal.deadline(0.05):
            with pytest.raises(wasmetal.DeadlineExceeded):
                await call(150, 1 << 60)
            with pytest.raises(wasmetal.DeadlineExceeded):
                await asyncio.create_task(call(0, 1 << 60))

    async def without() -> None:
        await asyncio.sleep(0.01)
        assert wasmetal.interruption.remaining() is None
        assert await call(0, 50_000_000) == 50_000_000
        with wasmetal.deadline(1000):
            assert await call(0, 50_000_000) == 50_000_000

    async def main() -> None:
        await asyncio.gather(with_deadline(), without())

    asyncio.run(main())
    assert instance.exports.add(1, 2) == 3


def test_tail_calls() -> None:
    """What they leave on the stack comes and goes with the frames."""
    text = (
        RECURSIVE[:-1]
        + """
      (func $many (param i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i32) (result i32)
        (local.set 0 (i64.add (local.get 10) (local.get 11)))
        (i32.add (call $wait (local.get 12)) (i32.wrap_i64 (local.get 0))))
      (func $few (param $x i32) (result i32)
        (return_call $many (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4) (i64.const 5) (i64.const 6)
          (i64.const 7) (i64.const 8) (i64.const 9) (i64.const 10) (i64.const 11) (i64.const 12) (local.get $x)))
      (func (export "f") (param $x i32) (result i32)
        (i32.add (i32.mul (call $few (local.get $x)) (i32.const 100)) (call $last (local.get $x))))
      (func $last (param $x i32) (result i32) (return_call $wait (i32.add (local.get $x) (i32.const 1)))))"""
    )
    instance = instance_of(text)
    calls = [instance.exports.f.call_async(n) for n in range(5)]
    assert [call.send(None) for call in calls] == [0, 1, 2, 3, 4]
    assert [call.send(10 * n) for n, call in enumerate(calls)] == [1, 2, 3, 4, 5]
    assert [finish(call, 7) for call in calls] == [100 * (10 * n + 23) + 7 for n in range(5)]
    call = instance.exports.f.call_async(1)
    call.send(None)
    with pytest.raises(KeyError):
        call.throw(KeyError())
    assert at_rest(instance)


def test_deep_frames() -> None:
    instance = instance_of()
    calls = [instance.exports.deep.call_async(2000, n) for n in range(3)]
    for call in calls:
        call.send(None)
    assert [finish(call, n) for n, call in enumerate(calls)] == [
        (deep(2000, n, n) + 2**31) % 2**32 - 2**31 for n in range(3)
    ]


# Threads and processes.


def in_thread(function: Callable[[], Any]) -> Any:
    results = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join()
    return results[0]


def test_another_thread_resumes() -> None:
    instance = instance_of()
    call = instance.exports.deep.call_async(5, 1)
    call.send(None)
    assert in_thread(lambda: finish(call, 3)) == deep(5, 1, 3)
    call = in_thread(lambda: (made := instance.exports.deep.call_async(5, 1), made.send(None)))[0]
    assert finish(call, 3) == deep(5, 1, 3)
    assert at_rest(instance)


def test_another_thread_runs_the_store() -> None:
    entered, go_on = threading.Event(), threading.Event()

    def plain(x: int) -> int:
        entered.set()
        go_on.wait()
        return x

    for config in (Config(), Config(busy="wait")):
        instance = instance_of(plain=plain, config=config)
        call = instance.exports.deep.call_async(5, 1)
        call.send(None)
        thread = threading.Thread(target=instance.exports.plain, args=(1,))
        thread.start()
        entered.wait()
        if config.busy == "raise":
            with pytest.raises(WasmError, match="another thread"):
                call.send(3)
            go_on.set()
        else:
            threading.Timer(0.05, go_on.set).start()
            assert finish(call, 3) == deep(5, 1, 3)
        thread.join()
        assert at_rest(instance)
        entered.clear()
        go_on.clear()


def test_threads_with_loops_of_their_own() -> None:
    async def wait(x: int) -> int:
        await asyncio.sleep(0)
        return x

    instance = instance_of(wait=wait, config=Config(busy="wait"))
    failed = []

    async def main(n: int) -> None:
        for _ in range(30):
            assert await instance.exports.deep.call_async(n, n) == deep(n, n, n)

    def work(n: int) -> None:
        try:
            asyncio.run(main(n))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork() -> None:
    instance = instance_of()
    call = instance.exports.deep.call_async(5, 1)
    call.send(None)
    child = os.fork()
    if not child:
        ok = False
        try:
            ok = finish(call, 3) == deep(5, 1, 3)
        finally:
            os._exit(0 if ok else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert finish(call, 4) == deep(5, 1, 4)


def test_many() -> None:
    """No mapping, no descriptor, no thread: what is suspended is bytes."""
    instance = instance_of()
    calls = [instance.exports.deep.call_async(n % 10, n) for n in range(2000)]
    for call in calls:
        call.send(None)
    if sys.platform == "linux":
        with open("/proc/self/maps") as maps:
            assert len(maps.readlines()) < 3000
    assert [finish(call, n) for n, call in enumerate(calls)] == [deep(n % 10, n, n) for n in range(2000)]


def test_a_signal_handler_links_the_same_stores_the_other_way_around() -> None:
    """Each would have become a part of the other, and whoever looks for the whole went round for ever."""
    text = """(module
      (import "e" "f" (func $f (param i32) (result i32))) (import "e" "g" (func (param i32) (result i32)))
      (func (export "f") (param i32) (result i32) (call $f (local.get 0))))"""
    first, second = instance_of(), instance_of()
    exports = (first.exports.plain, second.exports.plain)
    module = Engine(Config()).compile(assemble(text))
    linked: list[wasmetal.Instance] = []

    def handler(frame: Any, event: str, argument: object) -> None:
        # In the middle of what another one runs, as a signal's would be.
        if frame.f_code.co_name == "has_suspended" and frame.f_back.f_code.co_name == "merge" and not linked:
            linked.append(module.instantiate({"e": {"f": exports[1], "g": exports[0]}}))

    before = sys.gettrace()
    sys.settrace(handler)
    try:
        linked.append(module.instantiate({"e": {"f": exports[0], "g": exports[1]}}))
    finally:
        sys.settrace(before)
    assert [instance.exports.f(number) for number, instance in enumerate(linked)] == [1, 2]
    stores = {instance._core.store for instance in (first, second, *linked) if instance._core is not None}
    assert len(stores) == 1
