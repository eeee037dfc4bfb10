"""Stacks go from stores that do not run to those that do; who is in the middle of something keeps his."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import pytest

import wasmetal
from wasm_core.testing.builder import Op, WasmBuilder
from wasmetal import Engine, Func, FuncType, Instance, Module, ValueType
from wasmetal.store import store as stores
from wasmetal.store.store import _Lending

FEW = 4


@pytest.fixture(autouse=True)
def few(few_stacks: Callable[[int], None]) -> None:
    few_stacks(FEW)


def module(engine: Engine | None = None) -> Module:
    b = WasmBuilder()
    b.import_func("m", "host", "i", "i")
    b.func("i", "i", Op.get(0) + Op.call(0), export="out")
    b.func("i", "i", Op.get(0) + Op.i32(1) + Op.I32_ADD, export="plus")
    b.func("i", "i", Op.get(0) + Op.call(3), export="deep")
    b.memory(1, export="memory")
    b.table("r", 2, export="table")
    return (engine or Engine()).compile(b.build())


def has_stack(instance: Instance) -> bool:
    assert instance._core is not None
    return instance._core.store.stack is not None


def identity(value: int) -> int:
    return value


def made(count: int, host: Any = identity, engine: Engine | None = None) -> list[Instance]:
    compiled = module(engine)
    return [compiled.instantiate({"m": {"host": host}}) for _ in range(count)]


def test_there_is_none_before_the_first_call() -> None:
    (instance,) = made(1)
    assert not has_stack(instance)
    assert instance.exports.plus(1) == 2 and has_stack(instance)


def test_many_take_turns() -> None:
    instances = made(5 * FEW)
    for turn in range(3):
        for number, instance in enumerate(instances):
            assert instance.exports.plus(number) == number + 1
            assert instance.exports.plus.call_raw(number) == (number + 1,)
            with pytest.raises(wasmetal.Trap, match="call stack exhausted"):
                instance.exports.deep(turn)
        assert sum(map(has_stack, instances)) == FEW
    # Those that have one are called as always.
    assert instances[-1].exports.plus(1) == 2 and sum(map(has_stack, instances)) == FEW


def test_stores_that_run_keep_theirs() -> None:
    """Host functions call the next instance, and so on: all of them are in the middle of a call."""
    instances: list[Instance] = []

    def host(value: int) -> int:
        if value + 1 < len(instances):
            assert instances[value + 1].exports.out(value + 1) == len(instances) - 1
        for other in instances[:value]:
            assert other.exports.plus(value) == value + 1
        return len(instances) - 1

    instances += made(3 * FEW, host)
    assert instances[0].exports.out(0) == len(instances) - 1
    assert all(map(has_stack, instances))
    idle = made(2 * FEW)
    for instance in idle:
        instance.exports.plus(1)
    assert sum(map(has_stack, [*instances, *idle])) <= len(instances)


def test_suspended_calls_keep_theirs() -> None:
    async def all_of_it() -> list[int]:
        go = asyncio.Event()

        async def wait(value: int) -> int:
            await go.wait()
            return value

        host = Func(wait, FuncType([ValueType.I32], [ValueType.I32]))
        instances = made(3 * FEW, host)
        calls = [asyncio.ensure_future(each.exports.out.call_async(number)) for number, each in enumerate(instances)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert all(map(has_stack, instances))
        for instance in made(3 * FEW):
            assert instance.exports.plus(1) == 2
        assert all(map(has_stack, instances))
        go.set()
        return list(await asyncio.gather(*calls))

    assert asyncio.run(all_of_it()) == list(range(3 * FEW))


def test_who_shares_a_store_keeps_the_stack() -> None:
    """Calls go from instance to instance, each of which knows the limit of the stack."""
    first, *idle = made(3 * FEW)
    b = WasmBuilder()
    b.import_func("m", "deep", "i", "i")
    b.import_func("m", "plus", "i", "i")
    b.func("i", "i", Op.get(0) + Op.call(0), export="deep")
    b.func("i", "i", Op.get(0) + Op.call(1), export="plus")
    second = Engine().compile(b.build())
    other = first.exports
    linked = first.module.engine.compile(second.source).instantiate({"m": other})
    assert has_stack(linked) and has_stack(first)
    for instance in idle:
        instance.exports.plus(1)
        assert linked.exports.plus(1) == 2 and other.plus(2) == 3
        for exports in (linked.exports, other):
            with pytest.raises(wasmetal.Trap, match="call stack exhausted"):
                exports.deep(0)
    assert has_stack(linked) and has_stack(first)


def test_stores_that_are_linked_later() -> None:
    """A function of one goes into a table of the other, when neither has a stack, or when one of them does."""
    for called in ((), (0,), (1,), (0, 1)):
        instances = made(2)
        for number in called:
            instances[number].exports.plus(1)
        instances[0].exports.table[0] = instances[1].exports.plus
        for instance in made(2 * FEW):
            instance.exports.plus(1)
        assert [instance.exports.plus(3) for instance in instances] == [4, 4]
        assert instances[0].exports.table[0](5) == 6
        for instance in instances:
            with pytest.raises(wasmetal.Trap, match="call stack exhausted"):
                instance.exports.deep(0)


def test_what_goes_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stores without a stack are closed, dropped, grow tables, and are asked to end what they do not do."""
    instances = made(3 * FEW)
    for instance in instances:
        instance.exports.plus(1)
    resting = [instance for instance in instances if not has_stack(instance)]
    resting[0].interrupt()
    assert resting[0].exports.plus(1) == 2
    assert resting[1].exports.table.grow(1) == 2 and resting[1].exports.plus(1) == 2
    plus = resting[2].exports.plus
    resting[2].close()
    with pytest.raises(wasmetal.WasmError, match="closed"):
        plus(1)
    del plus, resting, instance
    instances.clear()
    assert made(1)[0].exports.plus(1) == 2


def test_no_room_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no more can be had, one that rests does without; where none does, the call fails, and can be made again."""
    from wasmetal.store import stack_pool

    engine = Engine(wasmetal.Config(max_stack_bytes=5 << 16))
    taken, *others = made(FEW, engine=engine)
    assert taken.exports.plus(1) == 2

    def refuse(size: int) -> None:
        raise OSError("refused")

    monkeypatch.setattr(stack_pool, "NativeStack", refuse)
    for pool in stack_pool._free.values():
        pool.clear()
    assert others[0].exports.plus(1) == 2 and not has_stack(taken)
    others[0]._core.store.keep_stack()  # type: ignore[union-attr]
    for _ in range(2):
        with pytest.raises(MemoryError, match="no room for a stack"):
            taken.exports.plus(1)
    with pytest.raises(MemoryError, match="no room for a stack"):
        Engine(wasmetal.Config(max_stack_bytes=7 << 16)).compile(taken.module.source).instantiate(
            {"m": {"host": identity}}
        )
    monkeypatch.undo()
    assert taken.exports.plus(1) == 2


def test_there_are_more_for_those_who_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls that go round among many instances must not have to wait for a stack each time, for ever."""
    monkeypatch.setattr(_Lending, "limit", 1 << 14)
    instances = made(5 * FEW)
    for _ in range(10):
        for instance in instances:
            instance.exports.plus(1)
    assert all(map(has_stack, instances))
    assert stores._Lending.most < 16 * FEW


@pytest.mark.parametrize("hold_gil", [False, True])
def test_threads(hold_gil: bool) -> None:
    engine = Engine(wasmetal.Config(hold_gil=hold_gil))
    instances = made(4 * FEW, engine=engine)
    failures: list[BaseException] = []

    def work(first: int) -> None:
        try:
            mine = instances[first::4]
            for number in range(60):
                for instance in mine:
                    assert instance.exports.out(number) == number
                    assert instance.exports.plus.call_raw(number) == (number + 1,)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_calls_are_fast_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a call for which there was no stack: another one may have got one since then."""
    from wasmetal.store.functions import WasmFunction
    from wasmetal.store.store import Store

    (instance,) = made(1)
    plus = instance.exports.plus

    def refuse(store: Store) -> None:
        raise MemoryError

    monkeypatch.setattr(Store, "_lend", refuse)
    with pytest.raises(MemoryError):
        plus(1)
    monkeypatch.undo()
    assert plus.call_raw(1) == (2,) and plus(1) == 2
    monkeypatch.setattr(WasmFunction, "call", None)
    assert plus(2) == 3


def test_stacks_are_lent_while_one_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A collection may come, with finalizers that call, when it has begun to go through those that have one."""
    instances = made(3 * FEW)
    for instance in instances:
        instance.exports.plus(1)

    def more() -> None:
        monkeypatch.setattr(_Lending, "most", FEW + 1)
        assert [instances[number].exports.plus(1) for number in (1, 2)] == [2, 2]

    finalizers = [more]

    def begun(lent: dict[int, None], count: int) -> Iterator[int]:
        found = islice(lent, count)
        if finalizers:
            finalizers.pop()()
        return found

    monkeypatch.setattr(stores, "islice", begun)
    assert [instance.exports.plus(3) for instance in instances] == [4] * len(instances)
    assert not finalizers and sum(map(has_stack, instances)) == FEW + 1
