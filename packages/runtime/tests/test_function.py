"""Func: functions of instances and host functions, as users call them."""

from __future__ import annotations

import copy
import functools
import gc
import inspect
import math
import pickle
import signal
import struct
import sys
import threading
import weakref
from typing import Any

import pytest

import wasmetal
from wasm_core import defined_types
from wasm_core.defined_types import function_type
from wasm_core.types import FuncType
from wasmetal import Caller, Func, Trap, WasmError
from wasmetal.store.callers import wants_caller
from wasmetal.store.functions import host_function_at

if not any(backend.supported for backend in wasmetal.backends()):
    pytest.skip("no backend for this machine", allow_module_level=True)


@pytest.fixture
def exports(wasm: Any) -> Any:
    """An instance that gives its arguments back, adds, traps, and keeps references in globals."""
    op, b = wasm.op, wasm()
    for code in "iIfF":
        b.func(code, code, op.get(0), export={"i": "i32", "I": "i64", "f": "f32", "F": "f64"}[code])
    b.func("ii", "i", op.get(0) + op.get(1) + op.I32_ADD, export="add")
    b.func("", "", export="nothing")
    b.func("iF", "Fi", op.get(1) + op.get(0), export="swap")
    b.func("", "", op.UNREACHABLE, export="trap")
    b.func("e", "e", op.get(0), export="externref")
    b.func("r", "r", op.get(0), export="funcref")
    b.func("re", "er", op.get(1) + op.get(0), export="references")
    return wasmetal.Module(b.build()).instantiate().exports


def host_module(wasm: Any, params: str, results: str) -> wasmetal.Module:
    """Imports e.f and exports a function of the same type that calls it."""
    op, b = wasm.op, wasm()
    imported = b.import_func("e", "f", params, results, export="imported")
    b.func(params, results, b"".join(op.get(number) for number in range(len(params))) + op.call(imported), export="g")
    return wasmetal.Module(b.build())


def test_attributes(exports: Any) -> None:
    assert exports.add.type == FuncType(("i32", "i32"), ("i32",))
    assert exports.add.name == "add"
    assert repr(exports.add) == "<wasmetal.Func 'add' (i32, i32) -> (i32)>"
    assert exports.add is exports.add and callable(exports.add)
    assert "Raises:" in (inspect.getdoc(Func) or "")


def test_fast_and_slow_calls(exports: Any) -> None:
    for _ in range(3):
        assert exports.add(1, 2) == 3
        assert exports.add(True, False) == 1
        assert exports.add(2**32 - 1, 0) == -1
        assert exports.nothing() is None
        assert exports.swap(-1, 0.5) == (0.5, -1)
        assert exports.i64(2**64 - 1) == -1
        assert exports.i64(2**63) == -(2**63)
        assert exports.f64(2**40) == 2.0**40
        assert exports.f32(True) == 1.0
        assert exports.f32(0.1) == struct.unpack("<f", struct.pack("<f", 0.1))[0]
        assert exports.f32(1e300) == math.inf


class Index:
    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((), TypeError, "2 arguments expected, got 0"),
        ((1, 2, 3), TypeError, "2 arguments expected, got 3"),
        ((1, 2.0), TypeError, "argument 2: i32 takes an int, not float"),
        (("1", 2), TypeError, "argument 1: i32 takes an int, not str"),
        ((1, None), TypeError, "argument 2: i32 takes an int, not NoneType"),
        ((2**32, 1), OverflowError, "argument 1: 4294967296 is out of range for i32"),
        ((1, -(2**31) - 1), OverflowError, "argument 2: -2147483649 is out of range for i32"),
        ((Index(10**30), 1), OverflowError, f"argument 1: {10**30} is out of range for i32"),
    ],
)  # fmt: skip
def test_wrong_arguments(exports: Any, arguments: Any, error: type[Exception], message: str) -> None:
    for _ in range(2):
        with pytest.raises(error) as raised:
            exports.add(*arguments)
        assert str(raised.value) == message
    assert exports.add(Index(1), Index(-3)) == -2


def test_no_keywords(exports: Any) -> None:
    with pytest.raises(TypeError, match="add takes no keyword arguments"):
        exports.add(1, b=2)


def test_raw_calls(exports: Any) -> None:
    assert exports.add.call_raw(2**32 - 1, 2**32 - 1) == (2**32 - 2,)
    assert exports.f32.call_raw(0x7FA0_0001) == (0x7FA0_0001,)  # a signalling NaN
    assert exports.f64.call_raw(0x7FF4_0000_0000_0001) == (0x7FF4_0000_0000_0001,)
    assert exports.nothing.call_raw() == ()
    assert exports.swap.call_raw(7, 0) == (0, 7)
    with pytest.raises(TypeError, match="2 slots expected, got 1"):
        exports.add.call_raw(1)
    with pytest.raises(TypeError):
        exports.add.call_raw(1.0, 2)
    for wrong in (-1, 2**64):
        with pytest.raises(OverflowError):
            exports.add.call_raw(wrong, 0)
    with pytest.raises(Trap, match="unreachable"):
        exports.trap.call_raw()


def test_references(exports: Any, wasm: Any) -> None:
    thing = object()
    for _ in range(3):
        assert exports.externref(thing) is thing
        assert exports.externref(None) is None
        assert exports.externref(exports.externref) is exports.externref
        assert exports.funcref(exports.add) is exports.add
        assert exports.funcref(None) is None
        assert exports.references(exports.add, thing) == (thing, exports.add)
    host = Func(abs, FuncType(("i32",), ("i32",)))
    assert exports.funcref(host) is host
    other = host_module(wasm, "i", "i").instantiate({"e": {"f": lambda x: x + 1}}).exports.g
    assert exports.funcref(other) is other
    with pytest.raises(TypeError, match=r"argument 1: funcref takes a wasmetal\.Func or None, not function"):
        exports.funcref(lambda: None)


def test_references_do_not_leak(exports: Any) -> None:
    things, others = ([object() for _ in range(5000)] for _ in range(2))
    for thing in things:
        exports.externref(thing)
    for _ in range(3000):
        exports.externref(object())
    counts = [sys.getrefcount(thing) for thing in things]
    assert counts[:-1] == [sys.getrefcount(other) for other in others][:-1]


def test_calls_keep_arguments_alive_during_the_call(wasm: Any) -> None:
    seen: list[object] = []

    def host(x: object) -> object:
        seen.append(x)
        return x

    exports = host_module(wasm, "e", "e").instantiate({"e": {"f": host}}).exports
    for number in range(3000):
        assert exports.g([number]) == [number]
    assert seen == [[number] for number in range(3000)]


def test_many_types_by_random_values(wasm: Any) -> None:
    """Everything through WebAssembly into a host function and back."""
    params = "iIfFeiIfFiIfFiIfF"
    given: list[tuple[object, ...]] = []

    def host(*args: object) -> tuple[object, ...]:
        given.append(args)
        return args

    exports = host_module(wasm, params, params).instantiate({"e": {"f": host}}).exports
    thing = object()
    values = {"i": -7, "I": -(2**40), "f": 0.5, "F": 1e300, "e": thing}
    arguments = tuple(values[code] for code in params)
    assert exports.g(*arguments) == arguments and given == [arguments]


def test_closed_instances(wasm: Any) -> None:
    b = wasm()
    b.func("i", "i", wasm.op.get(0), export="fast")
    b.func("e", "e", wasm.op.get(0), export="slow")
    instance = wasmetal.Module(b.build()).instantiate()
    fast, slow = instance.exports.fast, instance.exports.slow
    assert fast(1) == slow(1) == 1
    instance.close()
    for func in (fast, slow):
        with pytest.raises(WasmError, match="instance is closed"):
            func(1)
        with pytest.raises(WasmError, match="instance is closed"):
            func.call_raw(1)


def test_closing_from_a_host_function(wasm: Any) -> None:
    def host(number: int) -> int:
        instance.close()
        gc.collect()
        return number + 1

    instance = host_module(wasm, "i", "i").instantiate({"e": {"f": host}})
    func = instance.exports.g
    assert func(1) == 2
    with pytest.raises(WasmError, match="instance is closed"):
        func(1)


# Host functions.


def test_host_functions_called_from_python() -> None:
    calls: list[tuple[object, ...]] = []

    def both(*args: object) -> object:
        calls.append(args)
        return result

    func = Func(both, FuncType(("i32", "f32", "externref"), ("i64",)))
    assert func.name == "both" and func.type.params[0] == "i32"
    result: object = 2**64 - 1
    thing = object()
    assert func(2**32 - 1, 0.1, thing) == -1
    assert calls == [(-1, struct.unpack("<f", struct.pack("<f", 0.1))[0], thing)]
    assert func.call_raw(5, 0, 0) == (2**64 - 1,)
    for wrong, error in (("x", TypeError), (None, TypeError), (2**64, OverflowError)):
        result = wrong
        with pytest.raises(error, match="result 1"):
            func(1, 1.0, None)
    with pytest.raises(TypeError, match="3 arguments expected"):
        func(1)
    with pytest.raises(TypeError, match="keyword"):
        func(1, 2.0, x=None)


def test_several_and_no_results() -> None:
    result: object = (1, 2.5)
    pair = Func(lambda: result, FuncType((), ("i32", "f64")), name="pair")
    nothing = Func(lambda: result, FuncType(), name="nothing")
    assert pair() == (1, 2.5)
    with pytest.raises(TypeError, match="nothing has no results but returned tuple"):
        nothing()
    result = None
    assert nothing() is None
    with pytest.raises(TypeError, match="pair must return a tuple of 2 results, not NoneType"):
        pair()
    result = (1, 2, 3)
    with pytest.raises(TypeError, match="2 results expected, got 3"):
        pair()


def test_what_is_no_host_function() -> None:
    with pytest.raises(TypeError):
        Func(5, FuncType())  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Func(print, ("i32",))  # type: ignore[arg-type]
    func = Func(print, FuncType())
    with pytest.raises(TypeError, match="twice"):
        func.__init__(print, FuncType())  # type: ignore[misc]


def test_func_cannot_be_copied() -> None:
    func = Func(print, FuncType())
    for operation in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="cannot be pickled or copied"):
            operation(func)
    with pytest.raises(TypeError):
        Func.__new__(Func)()


def test_a_host_function_keeps_its_identity(wasm: Any) -> None:
    func = Func(lambda x: x, FuncType(("i32",), ("i32",)))
    assert host_function_at(func._funcref) is func
    instance = host_module(wasm, "i", "i").instantiate({"e": {"f": func}})
    assert instance.exports.imported is func
    address = func._funcref
    reference = weakref.ref(func)
    del func
    gc.collect()
    assert reference() is host_function_at(address) is instance.exports.imported
    assert instance.exports.g(5) == 5
    del instance
    gc.collect()
    assert reference() is None and host_function_at(address) is None


def test_exceptions_of_host_functions(wasm: Any) -> None:
    error = ValueError("mine")

    def host(number: int) -> int:
        raise error

    func = host_module(wasm, "i", "i").instantiate({"e": {"f": host}}).exports.g
    with pytest.raises(ValueError) as raised:
        func(1)
    assert raised.value is error
    traceback = raised.value.__traceback__
    names = []
    while traceback is not None:
        names.append(traceback.tb_frame.f_code.co_name)
        traceback = traceback.tb_next
    assert names[0] == "test_exceptions_of_host_functions" and names[-1] == "host"
    assert any("function 1" in note for note in error.__notes__)


def test_wrong_results_of_host_functions(wasm: Any) -> None:
    result: object = 5
    func = host_module(wasm, "i", "i").instantiate({"e": {"f": lambda x: result}}).exports.g
    assert func(1) == 5
    for wrong, error in (("x", TypeError), (2**32, OverflowError), (None, TypeError), (1.0, TypeError)):
        result = wrong
        with pytest.raises(error, match="result 1"):
            func(1)
    result = True
    assert func(1) == 1


def test_keyboard_interrupt_in_a_host_function(wasm: Any) -> None:
    def host(number: int) -> int:
        signal.raise_signal(signal.SIGINT)
        return number

    func = host_module(wasm, "i", "i").instantiate({"e": {"f": host}}).exports.g
    with pytest.raises(KeyboardInterrupt):
        func(1)


def test_stop_iteration_and_generators(wasm: Any) -> None:
    numbers = iter(range(3))
    func = host_module(wasm, "", "i").instantiate({"e": {"f": numbers.__next__}}).exports.g
    assert [func(), func(), func()] == [0, 1, 2]
    with pytest.raises(StopIteration):
        func()


def test_mutual_recursion_of_instances(wasm: Any) -> None:
    """Through Python each time: two functions, two stores."""
    module = host_module(wasm, "i", "i")
    first: Any = module.instantiate({"e": {"f": lambda x: second(x - 1) + 1 if x else 0}}).exports.g
    second: Any = module.instantiate({"e": {"f": lambda x: first(x - 1) + 1 if x else 0}}).exports.g
    assert first(40) == 40


def test_another_thread(wasm: Any) -> None:
    inside, leave = threading.Event(), threading.Event()

    def host(number: int) -> int:
        if number:
            inside.set()
            assert leave.wait(30)
        return number

    b = wasm()
    imported = b.import_func("e", "f", "i", "i")
    b.func("i", "i", wasm.op.get(0) + wasm.op.call(imported), export="g")
    b.func("e", "e", wasm.op.get(0), export="slow")
    exports = wasmetal.Module(b.build()).instantiate({"e": {"f": host}}).exports
    thread = threading.Thread(target=exports.g, args=(1,))
    thread.start()
    try:
        assert inside.wait(30)
        for func in (exports.g, exports.slow):
            with pytest.raises(WasmError, match="another thread"):
                func(0)
        with pytest.raises(WasmError, match="another thread"):
            exports.g.call_raw(0)
    finally:
        leave.set()
        thread.join()
    assert exports.g(0) == 0


# Caller.


def annotated(caller: Caller, number: int) -> int:
    return number + caller.exports.offset()  # type: ignore[no-any-return]


def in_words(caller: wasmetal.Caller, number: int) -> int:
    return annotated(caller, number)


class Method:
    def method(self, caller: Caller, number: int) -> int:
        return annotated(caller, number)

    def __call__(self, caller: Caller, number: int) -> int:
        return annotated(caller, number)


@pytest.mark.parametrize("function", [annotated, in_words, Method().method, Method()], ids=lambda f: type(f).__name__)
def test_caller(wasm: Any, function: Any) -> None:
    b = wasm()
    imported = b.import_func("e", "f", "i", "i")
    b.memory(1)
    b.func("i", "i", wasm.op.get(0) + wasm.op.call(imported), export="g")
    b.func("", "i", wasm.op.i32(100), export="offset")
    instance = wasmetal.Module(b.build()).instantiate({"e": {"f": function}})
    assert instance.exports.g(5) == 105


def test_what_a_caller_has(wasm: Any) -> None:
    seen: list[Caller] = []

    def host(caller: Caller) -> None:
        seen.append(caller)
        caller.memory[0] = 7

    b = wasm()
    imported = b.import_func("e", "f")
    b.memory(1, export="memory")
    b.func("", "", wasm.op.call(imported), export="g")
    instance = wasmetal.Module(b.build()).instantiate({"e": {"f": host}})
    instance.exports.g()
    assert instance.exports.memory[0] == 7
    assert seen[0].instance is instance and seen[0].exports is instance.exports
    assert seen[0].memory is instance.exports.memory
    with pytest.raises(WasmError, match="not called by an instance"):
        Func(host, FuncType())()


def test_wants_caller() -> None:
    def plain(x: int) -> int:
        return x

    def second(x: int, caller: Caller) -> int:
        return x

    assert wants_caller(annotated) and wants_caller(Method()) and wants_caller(Method().method)
    assert wants_caller(functools.partial(annotated))
    others: list[Any] = [plain, second, print, lambda x: x, lambda *args: args, len, dict.get, [].append, int]
    for function in others:
        assert not wants_caller(function)


def test_type_ids() -> None:
    one, two = FuncType(("i32",)), FuncType(("i64",))
    held = function_type(one)
    assert held == function_type(FuncType(("i32",))) != function_type(two)
    assert held.number > 0


def test_numbers_of_types_are_not_used_again() -> None:
    # Code that has an old number must not take a funcref of another type for its own.
    unusual = [FuncType(("f64",) * 40 + ("i32",) * count) for count in range(20)]
    before = len(defined_types._groups)
    held = [function_type(each) for each in unusual]
    numbers = {each.number for each in held}
    assert len(numbers) == 20 and len(defined_types._groups) == before + 20
    del held
    assert len(defined_types._groups) == before
    assert numbers.isdisjoint({function_type(each).number for each in unusual})


def test_a_type_is_known_as_long_as_a_module_or_a_function_has_it(wasm: Any) -> None:
    gc.collect()
    before = len(defined_types._groups)
    builder = wasm()
    builder.func("f" * 50, "", b"", export="f")
    module = wasmetal.Module(builder.build())
    f = module.instantiate().exports.f
    number = function_type(f.type).number
    type = f.type
    del module
    gc.collect()
    assert function_type(type).number == number
    host = wasmetal.Func(print, type)
    del f
    gc.collect()
    assert function_type(type).number == number
    del host
    gc.collect()
    assert len(defined_types._groups) == before
