"""Thunks through which WebAssembly code calls Python: arguments, results, exceptions, nesting, references."""

from __future__ import annotations

import contextlib
import gc
import random
import sys
import traceback
from array import array
from typing import Any

import pytest
from glue_machine import (
    INTERESTING,
    Code,
    Custom,
    GlueMachine,
    Slow,
    Sub,
    function_type,
    same,
    unreachable,
    vectors,
)

from wasm_core.errors import Trap
from wasm_core.types import ValueType
from wasm_ir import opcodes
from wasm_ir.builder import Builder
from wasm_ir.ir import Inst
from wasm_ir.types import I32, I64
from wasm_ir.vmcontext import STATUS_EXCEPTION
from wasmetal.system.hold import FREE_THREADED

MISSING: dict[str, object] = {}


@pytest.mark.parametrize("generic", [False, True], ids=["fast", "generic"])
def test_host_functions(machine: GlueMachine, generic: bool) -> None:
    calls: list[tuple[object, ...]] = []

    def host(*args: object) -> object:
        calls.append(args)
        return args[0]

    text = "i32 i64 f32 f64 -> i32"
    func = machine.forward(text, machine.host(text, host, generic))
    assert func(-5, 2**40, 0.5, 1e300) == -5
    assert func(2**32 - 1, 2**63 - 1, -0.0, -1.25) == -1
    assert calls == [(-5, 2**40, 0.5, 1e300), (-1, 2**63 - 1, 0.0, -1.25)]
    assert [type(value) for value in calls[0]] == [int, int, float, float]


@pytest.mark.parametrize("generic", [False, True], ids=["fast", "generic"])
@pytest.mark.parametrize("value_type", list(INTERESTING), ids=str)
def test_results_of_host_functions(machine: GlueMachine, value_type: ValueType, generic: bool) -> None:
    given: Any = None
    text = f"-> {value_type}"
    func = machine.forward(text, machine.host(text, lambda: given, generic))
    for given in INTERESTING[value_type]:
        assert repr(func()) == repr(given)
    given = True
    assert func() == 1
    for wrong in ("x", None):
        given = wrong
        with pytest.raises(TypeError, match="result 1"):
            func()
    if value_type in (ValueType.I32, ValueType.I64):
        given = 2**64 - 1 if value_type is ValueType.I64 else 2**32 - 1
        assert func() == -1
        for too_large in (2**64, -(2**63) - 1, 10**40):
            given = too_large
            with pytest.raises(OverflowError, match="result 1"):
                func()


@pytest.mark.parametrize("generic", [False, True], ids=["fast", "generic"])
def test_no_and_several_results_of_host_functions(machine: GlueMachine, generic: bool) -> None:
    given: Any = None
    none = machine.forward("->", machine.host("->", lambda: given, generic))
    assert none() is None
    given = 0
    with pytest.raises(TypeError):
        none()
    pair = machine.forward("i32 -> f64 i32", machine.host("i32 -> f64 i32", lambda x: given, generic))
    given = (0.5, -3)
    assert pair(1) == (0.5, -3)
    given = (0.5,)
    with pytest.raises(TypeError):
        pair(1)


@vectors
def test_host_functions_of_slow_types(machine: GlueMachine) -> None:
    text = "v128 i32 -> v128"
    funcref = machine.host(text, lambda data, count: data[count:] + data[:count])
    func = machine.forward(text, funcref)
    slots = array("Q", [1, 2, 8])
    raw = machine.glue.raw(function_type(text))
    raw(func._funcref, machine.context_address, slots.buffer_info()[0])
    assert list(slots[:2]) == [2, 1]
    slots = array("Q", [1, 2, 8])
    raw(funcref, machine.context_address, slots.buffer_info()[0])  # without WebAssembly code in between
    assert list(slots[:2]) == [2, 1]


@pytest.mark.parametrize("generic", [False, True], ids=["fast", "generic"])
def test_exceptions_pass_through(machine: GlueMachine, generic: bool) -> None:
    error = Custom("mine")

    def raising(number: int) -> int:
        raise error

    func = machine.forward("i32 -> i32", machine.host("i32 -> i32", raising, generic))
    for number in range(3):
        with pytest.raises(Custom) as raised:
            func(number)
        assert raised.value is error
        frames = [frame.name for frame in traceback.extract_tb(raised.value.__traceback__)]
        assert frames[0] == "test_exceptions_pass_through" and frames[-1] == "raising"
        error.__traceback__ = None
    assert error.__notes__ == ["through WebAssembly"] * 3
    assert machine.failures == [(STATUS_EXCEPTION, error)] * 3


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_base_exceptions_pass_through(machine: GlueMachine, kind: type[BaseException]) -> None:
    def raising() -> None:
        raise kind

    with pytest.raises(kind):
        machine.forward("->", machine.host("->", raising))()


def test_exceptions_while_an_exception_is_handled(machine: GlueMachine) -> None:
    """What was being handled is the context of what the host function raises."""
    func = machine.forward("->", machine.host("->", lambda: MISSING["key"]))
    try:
        raise Custom
    except Custom as outer:
        with pytest.raises(KeyError) as raised:
            func()
        assert raised.value.__context__ is outer


def test_an_exception_in_the_failed_callback_wins(machine: GlueMachine) -> None:
    def failed(*args: object) -> None:
        raise Custom("instead")

    machine.replace_failed(failed)
    func = machine.forward("->", machine.host("->", lambda: MISSING["key"]))
    with pytest.raises(Custom, match="instead"):
        func()
    machine.replace_failed(lambda *args: None)
    with pytest.raises(SystemError):
        machine.wasm("->", unreachable)()


def test_nested_entries(machine: GlueMachine) -> None:
    """wasm -> host -> wasm -> host ..."""

    def host(depth: int) -> int:
        assert machine.field("owner") and not machine.field("thread_state")
        result: int = 1 + func(depth - 1) if depth else 0
        return result

    func = machine.forward("i32 -> i32", machine.host("i32 -> i32", host))
    assert func(50) == 50
    assert machine.at_rest()


def test_exceptions_and_traps_in_nested_entries(machine: GlueMachine) -> None:
    trap = machine.wasm("->", unreachable)

    def host(depth: int) -> int:
        if not depth:
            trap()
        if depth % 2:
            try:
                func(depth - 1)
            except Trap:
                raise Custom(depth) from None
        try:
            result: int = func(depth - 1)
            return result
        except Custom:
            trap()
            raise

    func = machine.forward("i32 -> i32", machine.host("i32 -> i32", host))
    with pytest.raises(Trap):
        func(20)
    with pytest.raises(Custom, match="21"):
        func(21)


def test_python_recursion_limit(machine: GlueMachine) -> None:
    func = machine.forward("->", machine.host("->", lambda: func()))
    with pytest.raises((RecursionError, Trap)):
        func()


def test_recursion_without_python_functions(machine: GlueMachine) -> None:
    target = Code()
    host = machine.host("->", target)
    forward = machine.forward("->", host)
    target._entry, target._funcref = forward._entry, forward._funcref
    raw = machine.glue.raw(function_type("->"))
    for _ in range(3):
        # what comes first depends on the sizes of the stacks
        with pytest.raises((RecursionError, Trap)):
            target()
        with pytest.raises((RecursionError, Trap)):
            raw(forward._funcref, machine.context_address, 0)
    # The counter is balanced, after errors too: as much recursion is left as before.
    inner = machine.wasm("-> i32", one)
    outer = machine.forward("-> i32", machine.host("-> i32", inner))
    for _ in range(20_000):
        assert outer() == 1
    sort = sorted(range(3), key=lambda number: outer())
    assert sort == [0, 1, 2]


def one(b: Builder, p: list[Inst]) -> None:
    b.ret([b.const(I32, 1)])


def test_arguments_and_results_on_the_stack(machine: GlueMachine) -> None:
    """More values than registers, through both kinds of thunks and back."""
    types = ["i32", "f64", "i64", "f32"] * 6
    text = f"{' '.join(types)} -> {' '.join(types)}"
    func = machine.forward(text, machine.host(text, lambda *args: args))
    rng = random.Random(5)
    for _ in range(5):
        arguments = tuple(rng.randrange(-(2**31), 2**31) if t[0] == "i" else float(rng.randrange(1000)) for t in types)
        assert func(*arguments) == arguments


# References.


def test_nothing_leaks(machine: GlueMachine) -> None:
    big = 2**40
    given: Any = None

    def host(*args: object) -> object:
        if isinstance(given, Exception):
            raise given
        return given

    text = "i64 f64 -> i64"
    fast = machine.forward(text, machine.host(text, host))
    generic = machine.forward(text, machine.host(text, host, True))
    pair = machine.wasm("i64 f64 -> i64 f64", same)
    nothing = machine.forward("->", machine.host("->", lambda: None))
    trap = machine.wasm("i64 f64 ->", unreachable)
    raw = machine.glue.raw(function_type("->"))
    trap_raw = machine.define("->", unreachable)
    number, real = int("1" + "0" * 15), float("1.25")
    error = Custom()

    def work() -> None:
        nonlocal given
        for func in (fast, generic):
            for result in (number, True, Sub(3), error, "wrong", 2**64):
                given = result
                with contextlib.suppress(Custom, TypeError, OverflowError):
                    func(number, real)
                error.__notes__ = []
                error.__traceback__ = None
        pair(number, real)
        nothing()
        for callable, arguments in ((trap, (number, real)), (raw, (trap_raw, machine.context_address, 0))):
            with contextlib.suppress(Trap):
                callable(*arguments)
        with contextlib.suppress(Slow):
            fast("wrong", real)
        machine.failures.clear()

    objects = [number, real, error, host, fast, generic, pair, big, None, Custom, Trap, "wrong", machine.failed]
    if FREE_THREADED:
        # Each thread has a count of its own for types, which is added to theirs now and then.
        objects = [thing for thing in objects if not isinstance(thing, type)]
    for _ in range(3):
        work()
    gc.collect()
    given = None
    counts = [sys.getrefcount(thing) for thing in objects]
    blocks = sys.getallocatedblocks()
    for _ in range(500):
        work()
    given = None
    gc.collect()
    after = [sys.getrefcount(thing) for thing in objects]
    assert [new - old for new, old in zip(after, counts) if abs(new - old) > 5] == []
    # (without a GIL what was garbage before may go only now)
    change = sys.getallocatedblocks() - blocks
    assert (change if FREE_THREADED else abs(change)) < 100


def test_ten_thousand_traps_and_exceptions(machine: GlueMachine) -> None:
    error = Custom()

    def raising() -> None:
        raise error

    func = machine.forward("->", machine.host("->", raising))
    trap = machine.wasm("->", unreachable)
    fault = machine.wasm("-> i32", lambda b, p: b.ret([b.load(opcodes.HEAP_LOAD, I32, b.const(I64, 8), 0)]))
    blocks = 0
    for round in range(10_000):
        if round == 100:
            gc.collect()
            blocks = sys.getallocatedblocks()
        for call in (func, trap, fault):
            with contextlib.suppress(Custom, Trap):
                call()
        machine.failures.clear()
        error.__notes__ = []
        error.__traceback__ = None
    gc.collect()
    assert abs(sys.getallocatedblocks() - blocks) < 100
    assert machine.at_rest()


def test_collecting_garbage_during_host_calls(machine: GlueMachine) -> None:
    def host(number: int) -> int:
        cycle: list[object] = []
        cycle.append(cycle)
        gc.collect()
        return number + 1

    func = machine.forward("i64 -> i64", machine.host("i64 -> i64", host))
    assert [func(2**40 + number) for number in range(5)] == [2**40 + 1 + number for number in range(5)]
