"""Thunks between Python and WebAssembly code, with functions written in IR: no module, instance or store object is
involved."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import math
import os
import random
import struct
import sys
import threading
import time
import traceback
from array import array
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from wasm_core.errors import CompileError, Trap, TrapCode, WasmError
from wasm_core.types import FuncType, ValueType
from wasm_ir import opcodes
from wasm_ir.builder import Builder
from wasm_ir.ir import Function, Inst
from wasm_ir.types import F32, F64, I32, I64
from wasm_ir.vmcontext import CONTEXT, FUNCREF, STATUS_EXCEPTION, STATUS_TRAP, STORE
from wasmetal import cpython, signals, values
from wasmetal.code_memory import arena
from wasmetal.glue import Glue
from wasmetal.glue_python import ir_signature
from wasmetal.host_layout import HOST
from wasmetal.native_callable import NativeCallable, inherit_vectorcall
from wasmetal.native_stack import NativeStack

backends = pytest.importorskip("wasm_backend_amd64", reason="a backend is needed to compile thunks")
if not backends.Amd64Backend.host_support().supported:
    pytest.skip("no backend for this machine", allow_module_level=True)
backend = backends.Amd64Backend()


class Code(NativeCallable):
    __slots__ = ("__weakref__", "slow")

    slow: Callable[..., Any]


inherit_vectorcall(Code)


class Slow(Exception):
    """The fast path was left."""


def refuse(*args: object, **kwargs: object) -> object:
    raise Slow(args, kwargs)


def function_type(text: str) -> FuncType:
    """ "i32 i32 -> i64" """
    params, results = text.split("->")
    return FuncType(tuple(params.split()), tuple(results.split()))


class Core:
    """What HostFunction is in the runtime."""

    def __init__(self, type: FuncType, callable: Callable[..., Any]) -> None:
        self.type = type
        self.callable = callable


class Machine:
    """A store with one context, and the callbacks of its glue."""

    def __init__(self, hold_gil: bool = False) -> None:
        self.stack = NativeStack(1 << 18)
        stubs = signals.install(backend)
        self.store = array("Q", bytes(STORE.size))
        self.context = array("Q", bytes(CONTEXT.size))
        self.store_address = self.store.buffer_info()[0]
        self.context_address = self.context.buffer_info()[0]
        self.failures: list[tuple[int, BaseException | None]] = []
        self.resolved: list[tuple[int, int, int]] = []
        self.resolve_to: Callable[[], int] = lambda: 0
        self.on_builtin: Callable[..., Any] = lambda *args: 0
        self.glue = Glue(backend, self)
        self.set_store(wasm_sp=self.stack.top, hold_gil=int(hold_gil), resolver=self.glue.resolver)
        self.set_store(stack_limit=self.stack.limit, interrupted=self.glue.interrupted)
        for name, value in (
            ("store", self.store_address),
            ("stack_limit", self.stack.limit),
            ("trap_exit", stubs.trap_exit),
            ("poll_exit", stubs.poll_exit),
            ("builtin", self.glue.builtin),
        ):
            self.context[CONTEXT[name] // 8] = value
        self.lazy_funcref = stubs.lazy_funcref
        self.region = arena().region()
        self.keep: list[object] = []

    def set_store(self, **fields: int) -> None:
        for name, value in fields.items():
            self.store[STORE[name] // 8] = value

    def field(self, name: str) -> int:
        return self.store[STORE[name] // 8]

    def at_rest(self) -> bool:
        return (
            self.field("wasm_sp") == self.stack.top
            and self.field("owner") == self.field("thread_state") == self.field("entry_fp") == 0
            and self.field("pending") == 0
        )

    # Callbacks.

    def builtin(self, context: int, number: int, a: int, b: int, c: int) -> int:
        result = self.on_builtin(context, number, a, b, c)
        assert isinstance(result, int)
        return result

    def resolve(self, funcref: int, slot: int, context: int) -> int:
        self.resolved.append((funcref, slot, context))
        return self.resolve_to()

    def interrupted(self, store: int) -> None:
        raise AssertionError("nobody asked for that")

    def failed(self, store: int, status: int, exception: BaseException | None) -> None:
        assert store == self.store_address
        assert self.field("thread_state") == 0
        # (the lazy compiler fails in the name of its caller, which may be the entry)
        assert self.stack.contains(self.field("trap_fp")) or self.field("trap_fp") == self.field("entry_fp")
        assert self.stack.contains(self.field("wasm_sp") - 1)
        self.failures.append((status, exception))
        if status == STATUS_TRAP:
            raise Trap(TrapCode(self.field("trap_code")))
        assert exception is not None
        exception.add_note("through WebAssembly")

    def host_call(self, core: object, context: int, slots: int) -> None:
        assert context == self.context_address and isinstance(core, Core)
        types = core.type.params
        words = list((ctypes.c_uint64 * values.slot_count(types)).from_address(slots))
        self.host_result(core, core.callable(*values.from_slots(types, words, None)), slots)

    def host_result(self, core: object, result: object, slots: int) -> None:
        assert isinstance(core, Core)
        types = core.type.results
        results: Any = result if len(types) > 1 else (result,) if types else ()
        if not types and result is not None:
            raise TypeError("no result expected")
        for number, word in enumerate(values.to_slots(types, results, None, "result")):
            ctypes.c_uint64.from_address(slots + 8 * number).value = word

    def replace_failed(self, failed: Callable[..., None]) -> None:
        self.failed = failed  # type: ignore[method-assign]
        self.keep.append(self.glue)
        self.glue = Glue(backend, self)

    # Functions.

    def funcref(self, code: int, host: int = 0) -> int:
        words = array("Q", bytes(FUNCREF.size))
        words[FUNCREF["code"] // 8] = code
        words[FUNCREF["context"] // 8] = 0 if host else self.context_address
        words[FUNCREF["host"] // 8] = host
        self.keep.append(words)
        return words.buffer_info()[0]

    def compile(self, text: str, body: Callable[[Builder, list[Inst]], None]) -> int:
        """Code for a WebAssembly function whose body `body` builds."""
        signature = ir_signature(function_type(text))
        b = Builder(Function("test", signature))
        entry = b.new_block()
        parameters = [b.append_param(entry, t) for t in signature.params]
        b.switch_to(entry)
        body(b, parameters)
        compiled = backend.compile(b.function)
        assert not compiled.relocations
        return self.region.place(compiled.code)

    def define(self, text: str, body: Callable[[Builder, list[Inst]], None]) -> int:
        return self.funcref(self.compile(text, body))

    def host(self, text: str, callable: Callable[..., Any], generic: bool = False) -> int:
        type = function_type(text)
        core = Core(type, callable)
        words = array("Q", bytes(HOST.size))
        words[HOST["callable"] // 8] = id(callable)
        words[HOST["core"] // 8] = id(core)
        self.keep += [core, callable, words]
        code = self.glue.host_generic(type) if generic else self.glue.host(type)
        return self.funcref(code, words.buffer_info()[0])

    def func(self, text: str, funcref: int, slow: Callable[..., Any] = refuse) -> Code:
        made = Code()
        made.slow = slow
        made._slow = id(slow)
        made._funcref = funcref
        made._entry = self.glue.entry(function_type(text))
        return made

    def wasm(self, text: str, body: Callable[[Builder, list[Inst]], None], slow: Callable[..., Any] = refuse) -> Code:
        return self.func(text, self.define(text, body), slow)

    def forward(self, text: str, funcref: int) -> Code:
        """A WebAssembly function that calls a funcref with its own arguments and returns its results."""
        signature = ir_signature(function_type(text))

        def body(b: Builder, parameters: list[Inst]) -> None:
            call = b.call_ref(b.const(I64, funcref), signature, parameters)
            b.ret([b.result(call, number) for number in range(len(signature.results))])

        return self.wasm(text, body)


@pytest.fixture(params=[False, True], ids=["GIL released", "GIL held"])
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    made = Machine(request.param)
    yield made
    assert made.at_rest()


def add(b: Builder, p: list[Inst]) -> None:
    b.ret([b.binary(opcodes.IADD, p[0].type, p[0], p[1])])


def same(b: Builder, p: list[Inst]) -> None:
    b.ret(p)


def unreachable(b: Builder, p: list[Inst]) -> None:
    b.trap(TrapCode.UNREACHABLE)


MISSING: dict[str, object] = {}
INTERESTING: dict[ValueType, list[Any]] = {
    ValueType.I32: [0, 1, -1, 255, -6, 2**30 - 1, 1 - 2**30, 2**30, -(2**30), 2**31 - 1, -(2**31)],
    ValueType.I64: [0, 1, -1, 2**30, -(2**30), 2**32, 2**60, -(2**60), 2**63 - 1, -(2**63), 10**18],
    ValueType.F32: [0.0, -0.0, 1.5, -(2.0**100), math.inf, -math.inf, 2.0**-149],
    ValueType.F64: [0.0, -0.0, 0.1, 1e300, math.inf, -5e-324],
}


@pytest.mark.parametrize("value_type", list(INTERESTING), ids=str)
def test_values_go_there_and_back(machine: Machine, value_type: ValueType) -> None:
    same_func = machine.wasm(f"{value_type} -> {value_type}", same)
    for value in INTERESTING[value_type]:
        result = same_func(value)
        assert type(result) is type(value) and repr(result) == repr(value)


def test_unsigned_arguments_and_ints_as_floats(machine: Machine) -> None:
    assert machine.wasm("i32 -> i32", same)(2**32 - 1) == -1
    assert machine.wasm("i32 -> i32", same)(2**31) == -(2**31)
    assert machine.wasm("f64 -> f64", same)(-7) == -7.0
    assert machine.wasm("f32 -> f32", same)(2**30 - 1) == 2.0**30
    assert machine.wasm("f32 -> f32", same)(0.1) == struct.unpack("<f", struct.pack("<f", 0.1))[0]
    assert machine.wasm("f32 -> f32", same)(1e300) == math.inf
    assert math.isnan(machine.wasm("f64 -> f64", same)(math.nan))


def test_arithmetic(machine: Machine) -> None:
    func = machine.wasm("i32 i32 -> i32", add)
    assert func(1, 2) == 3
    assert func(2**31 - 1, 1) == -(2**31)
    assert [func(*pair) for pair in ((0, 0), (-1, -1))] == [0, -2]
    assert list(map(func, range(3), range(3))) == [0, 2, 4]


def test_no_and_several_results(machine: Machine) -> None:
    assert machine.wasm("->", same)() is None
    assert machine.wasm("i32 -> ", lambda b, p: b.ret([]))(1) is None
    assert machine.wasm("i32 f64 -> i32 f64", same)(5, 2.5) == (5, 2.5)
    many = " ".join(["i64", "f32", "i32", "f64"] * 5)
    arguments = tuple(value for number in range(5) for value in (number << 40, number / 2, -number, number + 0.25))
    assert machine.wasm(f"{many} -> {many}", same)(*arguments) == arguments


def test_without_knowing_the_layout_of_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything through the C API, as on a Python whose ints and floats look different."""
    monkeypatch.setattr(cpython, "INT_LAYOUT", cpython.INT_UNKNOWN)
    monkeypatch.setattr(cpython, "FLOAT_VALUE", None)
    machine = Machine()
    for value_type, numbers in INTERESTING.items():
        text = f"{value_type} -> {value_type}"
        func = machine.forward(text, machine.host(text, lambda value: value))
        assert [repr(func(number)) for number in numbers] == [repr(number) for number in numbers]
        for wrong in (True, "1", None):
            with pytest.raises(Slow):
                func(wrong)
    for out_of_range in (2**32, -(2**31) - 1, 10**30):
        with pytest.raises(Slow):
            machine.wasm("i32 -> i32", same)(out_of_range)
    with pytest.raises(Slow):
        machine.wasm("f64 -> f64", same)(1)


class Sub(int):
    pass


@pytest.mark.parametrize(
    "arguments",
    [(), (1,), (1, 2, 3), (1.0, 2), (1, "2"), (True, 1), (Sub(1), 1), (1, None), (2**32, 0), (0, -(2**31) - 1),
     (10**30, 1), (1, -(10**30))],
    ids=repr,
)  # fmt: skip
def test_unusual_arguments_go_to_the_slow_path(machine: Machine, arguments: tuple[object, ...]) -> None:
    func = machine.wasm("i32 i32 -> i32", add)
    with pytest.raises(Slow) as raised:
        func(*arguments)
    assert raised.value.args == (arguments, {})
    assert len(machine.failures) == 0


def test_unusual_arguments_of_other_types(machine: Machine) -> None:
    for text, argument in (("i64", 2**63), ("i64", 1.0), ("f64", "1"), ("f64", True), ("f64", 2**30), ("f32", None)):
        with pytest.raises(Slow):
            machine.wasm(f"{text} -> {text}", same)(argument)


def test_keywords_go_to_the_slow_path(machine: Machine) -> None:
    func = machine.wasm("i32 -> i32", same)
    with pytest.raises(Slow) as raised:
        func(x=1)
    assert raised.value.args == ((), {"x": 1})


def test_types_that_are_always_slow() -> None:
    machine = Machine()
    for text in ("externref ->", "-> funcref", "v128 ->", " ".join(["i32"] * 25) + " ->"):
        assert machine.glue.entry(function_type(text)) == machine.glue.slow_entry
    assert machine.glue.entry(function_type("i32 ->")) != machine.glue.slow_entry


def test_thunks_are_shared_by_type() -> None:
    machine = Machine()
    assert machine.glue.entry(function_type("i32 ->")) == machine.glue.entry(function_type("i32 ->"))
    assert machine.glue.raw(function_type("i32 ->")) is machine.glue.raw(function_type("i32 ->"))
    assert machine.glue.host(function_type("i32 ->")) == machine.glue.host(function_type("i32 ->"))
    assert machine.glue.host(function_type("externref ->")) == machine.glue.host_generic(function_type("externref ->"))


def test_raw_calls_keep_all_bits(machine: Machine) -> None:
    text = "i32 i64 f32 f64 externref -> i32 i64 f32 f64 externref"
    words = [0xFFFF_FFFF, 2**64 - 1, 0x7FA0_0001, 0x7FF4_0000_0000_0001, 2**64 - 5]
    slots = array("Q", words)
    slots[0] |= 0xDEAD << 32  # upper halves are ignored, and cleared in results
    slots[2] |= 0xDEAD << 32
    machine.glue.raw(function_type(text))(machine.define(text, same), machine.context_address, slots.buffer_info()[0])
    assert list(slots) == words


def has_vectors() -> bool:
    try:
        Glue(backend, Machine()).raw(function_type("v128 ->"))
    except CompileError:
        return False
    return True


vectors = pytest.mark.skipif(not has_vectors(), reason="the backend has no vectors")


@vectors
def test_raw_calls_of_vectors(machine: Machine) -> None:
    slots = array("Q", [1, 2, 3, 4, 5])
    funcref = machine.define("v128 i64 v128 -> v128 i64 v128", lambda b, p: b.ret([p[2], p[1], p[0]]))
    raw = machine.glue.raw(function_type("v128 i64 v128 -> v128 i64 v128"))
    raw(funcref, machine.context_address, slots.buffer_info()[0])
    assert list(slots) == [4, 5, 3, 1, 2]


# Traps.


def test_traps(machine: Machine) -> None:
    func = machine.wasm("->", unreachable)
    with pytest.raises(Trap) as raised:
        func()
    assert raised.value.code is TrapCode.UNREACHABLE
    assert machine.failures == [(STATUS_TRAP, None)]
    assert machine.at_rest()
    divide = machine.wasm("i32 i32 -> i32", lambda b, p: b.ret([b.binary(opcodes.DIV_S, I32, *p)]))
    assert divide(7, 2) == 3
    with pytest.raises(Trap, match="integer divide by zero"):
        divide(1, 0)
    with pytest.raises(Trap, match="integer overflow"):
        divide(-(2**31), -1)
    with pytest.raises(Trap, match="unreachable"):
        machine.glue.raw(function_type("->"))(machine.define("->", unreachable), machine.context_address, 0)


def test_memory_faults_become_traps(machine: Machine) -> None:
    from wasmetal.address_space import Reservation

    reservation = Reservation(1 << 20)
    reservation.commit(0, 65536)

    def body(b: Builder, p: list[Inst]) -> None:
        address = b.binary(opcodes.IADD, I64, b.const(I64, reservation.address), b.unary(opcodes.EXTEND_U, I64, p[0]))
        b.ret([b.load(opcodes.HEAP_LOAD, I32, address, 0)])

    func = machine.wasm("i32 -> i32", body)
    assert func(65532) == 0
    for _ in range(3):
        with pytest.raises(Trap, match="out of bounds memory access"):
            func(65533)
    assert func(0) == 0


def test_stack_overflow(machine: Machine) -> None:
    funcref = machine.funcref(0)

    def body(b: Builder, p: list[Inst]) -> None:
        call = b.call_ref(b.const(I64, funcref), ir_signature(function_type("i32 -> i32")), p)
        b.ret([b.binary(opcodes.IADD, I32, call, p[0])])

    ctypes.c_uint64.from_address(funcref).value = machine.compile("i32 -> i32", body)
    func = machine.func("i32 -> i32", funcref)
    for _ in range(3):
        with pytest.raises(Trap, match="call stack exhausted"):
            func(1)


def test_garbage_collection_while_a_trap_is_made(machine: Machine) -> None:
    """Python code that `failed` runs may enter the same store."""
    inner = machine.wasm("i32 i32 -> i32", add)
    results = []

    def failed(store: int, status: int, exception: BaseException | None) -> None:
        frame = machine.field("trap_fp")
        saved = ctypes.string_at(frame, 16)
        results.append(inner(1, 2))
        assert ctypes.string_at(frame, 16) == saved
        raise Trap(TrapCode(machine.field("trap_code")))

    machine.replace_failed(failed)
    with pytest.raises(Trap):
        machine.wasm("->", unreachable)()
    assert results == [3]


def recurse_then(last: Callable[[Builder], None]) -> Callable[[Builder, list[Inst]], None]:
    """Call the funcref p[1] with p[0] - 1 and p[1] until p[0] is 0, then do something else."""

    def body(b: Builder, p: list[Inst]) -> None:
        deeper, end = b.new_block(), b.new_block()
        b.brif(b.icmp(opcodes.EQ, p[0], b.const(I64, 0)), end, [], deeper, [])
        b.switch_to(deeper)
        count = b.binary(opcodes.ISUB, I64, p[0], b.const(I64, 1))
        b.ret([b.binary(opcodes.IADD, I64, b.call_ref(p[1], b.function.signature, [count, p[1]]), p[0])])
        b.switch_to(end)
        last(b)
        b.ret([b.const(I64, 0)])

    return body


def load_from_nowhere(b: Builder) -> None:
    b.load(opcodes.HEAP_LOAD, I64, b.const(I64, 8), 0)


def test_a_fault_at_the_end_of_the_stack(machine: Machine) -> None:
    """The signal frame fits in the reserve below the limit; threads have no signal stack of their own."""
    text = "i64 i64 -> i64"
    deep = machine.define(text, recurse_then(lambda b: None))
    fault = machine.define(text, recurse_then(load_from_nowhere))
    fits, too_deep = 1, 1 << 20
    func = machine.func(text, deep)
    while too_deep - fits > 1:
        middle = (fits + too_deep) // 2
        try:
            func(middle, deep)
            fits = middle
        except Trap as trap:
            assert trap.code is TrapCode.CALL_STACK_EXHAUSTED
            too_deep = middle
    codes: list[TrapCode] = []

    def run() -> None:
        for depth in range(fits - 3, fits + 1):
            try:
                machine.func(text, fault)(depth, fault)
            except Trap as trap:
                codes.append(trap.code)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert len(codes) == 4 and TrapCode.MEMORY_OUT_OF_BOUNDS in codes


# Host functions.


@pytest.mark.parametrize("generic", [False, True], ids=["fast", "generic"])
def test_host_functions(machine: Machine, generic: bool) -> None:
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
def test_results_of_host_functions(machine: Machine, value_type: ValueType, generic: bool) -> None:
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
def test_no_and_several_results_of_host_functions(machine: Machine, generic: bool) -> None:
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
def test_host_functions_of_slow_types(machine: Machine) -> None:
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


class Custom(Exception):
    pass


@pytest.mark.parametrize("generic", [False, True], ids=["fast", "generic"])
def test_exceptions_pass_through(machine: Machine, generic: bool) -> None:
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
def test_base_exceptions_pass_through(machine: Machine, kind: type[BaseException]) -> None:
    def raising() -> None:
        raise kind

    with pytest.raises(kind):
        machine.forward("->", machine.host("->", raising))()


def test_exceptions_while_an_exception_is_handled(machine: Machine) -> None:
    """What was being handled is the context of what the host function raises."""
    func = machine.forward("->", machine.host("->", lambda: MISSING["key"]))
    try:
        raise Custom
    except Custom as outer:
        with pytest.raises(KeyError) as raised:
            func()
        assert raised.value.__context__ is outer


def test_an_exception_in_the_failed_callback_wins(machine: Machine) -> None:
    def failed(*args: object) -> None:
        raise Custom("instead")

    machine.replace_failed(failed)
    func = machine.forward("->", machine.host("->", lambda: MISSING["key"]))
    with pytest.raises(Custom, match="instead"):
        func()
    machine.replace_failed(lambda *args: None)
    with pytest.raises(SystemError):
        machine.wasm("->", unreachable)()


def test_nested_entries(machine: Machine) -> None:
    """wasm -> host -> wasm -> host ..."""

    def host(depth: int) -> int:
        assert machine.field("owner") and not machine.field("thread_state")
        result: int = 1 + func(depth - 1) if depth else 0
        return result

    func = machine.forward("i32 -> i32", machine.host("i32 -> i32", host))
    assert func(50) == 50
    assert machine.at_rest()


def test_exceptions_and_traps_in_nested_entries(machine: Machine) -> None:
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


def test_python_recursion_limit(machine: Machine) -> None:
    func = machine.forward("->", machine.host("->", lambda: func()))
    with pytest.raises((RecursionError, Trap)):
        func()


def test_recursion_without_python_functions(machine: Machine) -> None:
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


def test_arguments_and_results_on_the_stack(machine: Machine) -> None:
    """More values than registers, through both kinds of thunks and back."""
    types = ["i32", "f64", "i64", "f32"] * 6
    text = f"{' '.join(types)} -> {' '.join(types)}"
    func = machine.forward(text, machine.host(text, lambda *args: args))
    rng = random.Random(5)
    for _ in range(5):
        arguments = tuple(rng.randrange(-(2**31), 2**31) if t[0] == "i" else float(rng.randrange(1000)) for t in types)
        assert func(*arguments) == arguments


# References.


def test_nothing_leaks(machine: Machine) -> None:
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
    assert abs(sys.getallocatedblocks() - blocks) < 100


def test_ten_thousand_traps_and_exceptions(machine: Machine) -> None:
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


def test_collecting_garbage_during_host_calls(machine: Machine) -> None:
    def host(number: int) -> int:
        cycle: list[object] = []
        cycle.append(cycle)
        gc.collect()
        return number + 1

    func = machine.forward("i64 -> i64", machine.host("i64 -> i64", host))
    assert [func(2**40 + number) for number in range(20)] == [2**40 + 1 + number for number in range(20)]


# Threads.


def test_another_thread_may_not_enter() -> None:
    machine = Machine()
    inside, leave = threading.Event(), threading.Event()

    def host() -> None:
        inside.set()
        assert leave.wait(30)

    waiting = machine.forward("->", machine.host("->", host))
    func = machine.wasm("i32 i32 -> i32", add)
    slots = array("Q", [1, 2])
    thread = threading.Thread(target=waiting)
    thread.start()
    try:
        assert inside.wait(30)
        with pytest.raises(Slow):
            func(1, 2)
        with pytest.raises(WasmError, match="thread"):
            machine.glue.raw(function_type("i32 i32 -> i32"))(
                func._funcref, machine.context_address, slots.buffer_info()[0]
            )
    finally:
        leave.set()
        thread.join()
    assert func(1, 2) == 3
    assert machine.at_rest()


def spin(b: Builder, p: list[Inst]) -> None:
    """Loop p[0] times; returns the count."""
    head, out = b.new_block(), b.new_block()
    number = b.append_param(head, I64)
    b.jump(head, [b.const(I64, 0)])
    head.is_loop_header = True
    head.loop_depth = 1
    b.switch_to(head)
    following = b.binary(opcodes.IADD, I64, number, b.const(I64, 1))
    b.brif(b.icmp(opcodes.LT_U, following, p[0]), head, [following], out, [])
    b.switch_to(out)
    b.ret([following])


def test_the_gil_is_released_while_code_runs() -> None:
    machine = Machine()
    func = machine.wasm("i64 -> i64", spin)
    running = threading.Event()
    done: list[int] = []

    def run() -> None:
        running.set()
        done.append(func(1_000_000_000))

    thread = threading.Thread(target=run)
    thread.start()
    assert running.wait(30)
    time.sleep(0.05)
    rounds = 0
    while not done and rounds < 20:
        rounds += 1
        time.sleep(0.001)
    thread.join()
    assert rounds == 20 and done == [1_000_000_000]


def test_threads_with_their_own_stores() -> None:
    results: dict[int, list[int]] = {}

    def run(key: int) -> None:
        machine = Machine()
        func = machine.forward("i32 -> i32", machine.host("i32 -> i32", lambda x: x + key))
        trap = machine.wasm("->", unreachable)
        mine = results.setdefault(key, [])
        for number in range(300):
            mine.append(func(number))
            with pytest.raises(Trap):
                trap()

    threads = [threading.Thread(target=run, args=(key,)) for key in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {key: [number + key for number in range(300)] for key in range(4)}


# Builtins and lazy compilation.


def call_builtin(b: Builder, p: list[Inst]) -> None:
    """CONTEXT.builtin(context, p[0], p[1], p[2], p[3]), as the front end does it."""
    from wasm_ir.ir import Signature

    function = b.load(opcodes.LOAD, I64, b.vmctx(), CONTEXT["builtin"])
    result = b.call_native(function, Signature((I64,) * 5, (I64,)), [b.vmctx(), *p])
    store = b.load(opcodes.LOAD, I64, b.vmctx(), CONTEXT["store"])
    pending = b.load(opcodes.LOAD, I64, store, STORE["pending"])
    failed, fine = b.new_block(), b.new_block()
    b.brif(b.icmp(opcodes.NE, pending, b.const(I64, 0)), failed, [], fine, [])
    b.switch_to(fine)
    b.ret([result])
    b.switch_to(failed)
    b.unwind(b.const(I32, STATUS_EXCEPTION))


def test_builtins(machine: Machine) -> None:
    func = machine.wasm("i64 i64 i64 i64 -> i64", call_builtin)
    machine.on_builtin = lambda *args: list(args) == [machine.context_address, 3, 2**64 - 1, 5, 6] and 2**63
    assert func(3, -1, 5, 6) == -(2**63)
    machine.on_builtin = lambda *args: -1
    assert func(0, 0, 0, 0) == -1

    def raising(*args: object) -> int:
        raise Custom

    for _ in range(3):
        machine.on_builtin = raising
        with pytest.raises(Custom):
            func(0, 0, 0, 0)
        machine.on_builtin = lambda *args: func(1, 1, 1, 1) if args[1] == 0 else 77
        assert func(0, 0, 0, 0) == 77
    machine.on_builtin = lambda *args: "not an int"
    with pytest.raises(AssertionError):
        func(0, 0, 0, 0)


def test_lazy_compilation(machine: Machine) -> None:
    text = "i32 i64 f32 f64 i32 i32 i32 i32 -> i32 i64 f32 f64 i32 i32 i32 i32"
    funcref = machine.funcref(machine.lazy_funcref)

    def resolve() -> int:
        gc.collect()
        code = machine.compile(text, same)
        ctypes.c_uint64.from_address(funcref + FUNCREF["code"]).value = code
        return code

    machine.resolve_to = resolve
    arguments = (1, 2, 0.5, 0.25, 5, 6, 7, 8)
    func = machine.func(text, funcref)
    assert func(*arguments) == arguments
    assert func(*arguments) == arguments
    assert machine.resolved == [(funcref, 0, machine.context_address)]


def test_failing_lazy_compilation(machine: Machine) -> None:
    def resolve() -> int:
        raise Custom

    machine.resolve_to = resolve
    inner = machine.wasm("i32 i32 -> i32", add)
    failed = machine.failed

    def enter_again(*args: Any) -> None:
        assert inner(1, 2) == 3
        failed(*args)

    machine.replace_failed(enter_again)
    func = machine.func("i32 -> i32", machine.funcref(machine.lazy_funcref))
    for _ in range(3):
        with pytest.raises(Custom):
            func(1)
        with pytest.raises(Custom):
            machine.forward("i32 -> i32", func._funcref)(1)


# Lifetime.


def test_glue_gives_its_code_back() -> None:
    gc.collect()
    machine = Machine()
    before = arena().bytes_in_use
    glue = Glue(backend, machine)
    for text in ("i32 -> i32", "f64 -> f64", "externref ->"):
        glue.entry(function_type(text))
        glue.host(function_type(text))
    glue.raw(function_type("->"))
    assert arena().bytes_in_use > before
    del glue
    gc.collect()
    assert arena().bytes_in_use == before


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
def test_fork_inside_a_host_call() -> None:
    machine = Machine()

    def host() -> int:
        pid = os.fork()
        if pid == 0:
            return 42
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    func = machine.forward("-> i32", machine.host("-> i32", host))
    parent = os.getpid()
    try:
        result = func()
        if os.getpid() != parent:
            late = machine.wasm("i32 i32 -> i32", add)  # code written by the child
            os._exit(late(result, 1))
    finally:
        if os.getpid() != parent:
            os._exit(99)
    assert result == 43
    assert machine.wasm("f32 -> f32", lambda b, p: b.ret([b.binary(opcodes.FADD, F32, p[0], p[0])]))(1.5) == 3.0
    assert machine.wasm("f64 -> f64", lambda b, p: b.ret([b.binary(opcodes.FADD, F64, p[0], p[0])]))(1.5) == 3.0
