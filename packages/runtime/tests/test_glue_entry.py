"""Thunks through which Python enters WebAssembly code: arguments, results, traps, compilation on the first call."""

from __future__ import annotations

import ctypes
import gc
import math
import struct
from array import array
from typing import Any

import pytest
from glue_machine import (
    INTERESTING,
    Custom,
    GlueMachine,
    Slow,
    Sub,
    Thread,
    add,
    backend,
    function_type,
    recurse_then,
    same,
    unreachable,
    vectors,
)

from wasm_core.errors import Trap, TrapCode
from wasm_core.types import ValueType
from wasm_ir import opcodes
from wasm_ir.builder import Builder
from wasm_ir.ir import Inst
from wasm_ir.types import I32, I64
from wasm_ir.vmcontext import CONTEXT, FUNCREF, STATUS_EXCEPTION, STATUS_TRAP, STORE
from wasmetal.code.arena import arena
from wasmetal.cpython import layouts
from wasmetal.glue.glue import Glue
from wasmetal.glue.python_api import ir_signature


@pytest.mark.parametrize("value_type", list(INTERESTING), ids=str)
def test_values_go_there_and_back(machine: GlueMachine, value_type: ValueType) -> None:
    same_func = machine.wasm(f"{value_type} -> {value_type}", same)
    for value in INTERESTING[value_type]:
        result = same_func(value)
        assert type(result) is type(value) and repr(result) == repr(value)


def test_unsigned_arguments_and_ints_as_floats(machine: GlueMachine) -> None:
    assert machine.wasm("i32 -> i32", same)(2**32 - 1) == -1
    assert machine.wasm("i32 -> i32", same)(2**31) == -(2**31)
    assert machine.wasm("f64 -> f64", same)(-7) == -7.0
    assert machine.wasm("f32 -> f32", same)(2**30 - 1) == 2.0**30
    assert machine.wasm("f32 -> f32", same)(0.1) == struct.unpack("<f", struct.pack("<f", 0.1))[0]
    assert machine.wasm("f32 -> f32", same)(1e300) == math.inf
    assert math.isnan(machine.wasm("f64 -> f64", same)(math.nan))


def test_arithmetic(machine: GlueMachine) -> None:
    func = machine.wasm("i32 i32 -> i32", add)
    assert func(1, 2) == 3
    assert func(2**31 - 1, 1) == -(2**31)
    assert [func(*pair) for pair in ((0, 0), (-1, -1))] == [0, -2]
    assert list(map(func, range(3), range(3))) == [0, 2, 4]


def test_no_and_several_results(machine: GlueMachine) -> None:
    assert machine.wasm("->", same)() is None
    assert machine.wasm("i32 -> ", lambda b, p: b.ret([]))(1) is None
    assert machine.wasm("i32 f64 -> i32 f64", same)(5, 2.5) == (5, 2.5)
    many = " ".join(["i64", "f32", "i32", "f64"] * 5)
    arguments = tuple(value for number in range(5) for value in (number << 40, number / 2, -number, number + 0.25))
    assert machine.wasm(f"{many} -> {many}", same)(*arguments) == arguments


def test_without_knowing_the_layout_of_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything through the C API, as on a Python whose ints and floats look different."""
    monkeypatch.setattr(layouts, "INT_LAYOUT", layouts.INT_UNKNOWN)
    monkeypatch.setattr(layouts, "FLOAT_VALUE", None)
    machine = GlueMachine()
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


@pytest.mark.parametrize(
    "arguments",
    [(), (1,), (1, 2, 3), (1.0, 2), (1, "2"), (True, 1), (Sub(1), 1), (1, None), (2**32, 0), (0, -(2**31) - 1),
     (10**30, 1), (1, -(10**30))],
    ids=repr,
)  # fmt: skip
def test_unusual_arguments_go_to_the_slow_path(machine: GlueMachine, arguments: tuple[object, ...]) -> None:
    func = machine.wasm("i32 i32 -> i32", add)
    with pytest.raises(Slow) as raised:
        func(*arguments)
    assert raised.value.args == (arguments, {})
    assert len(machine.failures) == 0


def test_unusual_arguments_of_other_types(machine: GlueMachine) -> None:
    for text, argument in (("i64", 2**63), ("i64", 1.0), ("f64", "1"), ("f64", True), ("f64", 2**30), ("f32", None)):
        with pytest.raises(Slow):
            machine.wasm(f"{text} -> {text}", same)(argument)


def test_keywords_go_to_the_slow_path(machine: GlueMachine) -> None:
    func = machine.wasm("i32 -> i32", same)
    with pytest.raises(Slow) as raised:
        func(x=1)
    assert raised.value.args == ((), {"x": 1})


def test_types_that_are_always_slow() -> None:
    machine = GlueMachine()
    for text in ("externref ->", "-> funcref", "v128 ->", " ".join(["i32"] * 25) + " ->"):
        assert machine.glue.entry(function_type(text)) is None
    assert machine.glue.entry(function_type("i32 ->")) is not None


def test_thunks_are_shared_by_type() -> None:
    machine = GlueMachine()
    assert machine.glue.entry(function_type("i32 ->")) is machine.glue.entry(function_type("i32 ->"))
    assert machine.glue.raw(function_type("i32 ->")) is machine.glue.raw(function_type("i32 ->"))
    assert machine.glue.host(function_type("i32 ->")) is machine.glue.host(function_type("i32 ->"))
    assert machine.glue.host(function_type("externref ->")) is machine.glue.host_generic(function_type("externref ->"))


def test_raw_calls_keep_all_bits(machine: GlueMachine) -> None:
    text = "i32 i64 f32 f64 externref -> i32 i64 f32 f64 externref"
    words = [0xFFFF_FFFF, 2**64 - 1, 0x7FA0_0001, 0x7FF4_0000_0000_0001, 2**64 - 5]
    slots = array("Q", words)
    slots[0] |= 0xDEAD << 32  # upper halves are ignored, and cleared in results
    slots[2] |= 0xDEAD << 32
    machine.glue.raw(function_type(text))(machine.define(text, same), machine.context_address, slots.buffer_info()[0])
    assert list(slots) == words


@vectors
def test_raw_calls_of_vectors(machine: GlueMachine) -> None:
    slots = array("Q", [1, 2, 3, 4, 5])
    funcref = machine.define("v128 i64 v128 -> v128 i64 v128", lambda b, p: b.ret([p[2], p[1], p[0]]))
    raw = machine.glue.raw(function_type("v128 i64 v128 -> v128 i64 v128"))
    raw(funcref, machine.context_address, slots.buffer_info()[0])
    assert list(slots) == [4, 5, 3, 1, 2]


# Traps.


def test_traps(machine: GlueMachine) -> None:
    func = machine.wasm("->", unreachable)
    with pytest.raises(Trap) as raised:
        func()
    assert raised.value.code is TrapCode.UNREACHABLE
    assert machine.failures == [(STATUS_TRAP, TrapCode.UNREACHABLE)]
    assert machine.at_rest()
    divide = machine.wasm("i32 i32 -> i32", lambda b, p: b.ret([b.binary(opcodes.DIV_S, I32, *p)]))
    assert divide(7, 2) == 3
    with pytest.raises(Trap, match="integer divide by zero"):
        divide(1, 0)
    with pytest.raises(Trap, match="integer overflow"):
        divide(-(2**31), -1)
    with pytest.raises(Trap, match="unreachable"):
        machine.glue.raw(function_type("->"))(machine.define("->", unreachable), machine.context_address, 0)


def test_memory_faults_become_traps(machine: GlueMachine) -> None:
    from wasmetal.system.address_space import Reservation

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


def test_stack_overflow(machine: GlueMachine) -> None:
    funcref = machine.funcref(0)

    def body(b: Builder, p: list[Inst]) -> None:
        call = b.call_ref(b.const(I64, funcref), ir_signature(function_type("i32 -> i32")), p)
        b.ret([b.binary(opcodes.IADD, I32, call, p[0])])

    ctypes.c_uint64.from_address(funcref).value = machine.compile("i32 -> i32", body)
    func = machine.func("i32 -> i32", funcref)
    for _ in range(3):
        with pytest.raises(Trap, match="call stack exhausted"):
            func(1)


def test_garbage_collection_while_a_trap_is_made(machine: GlueMachine) -> None:
    """Python code that `failed` runs may enter the same store."""
    inner = machine.wasm("i32 i32 -> i32", add)
    results = []

    def failed(store: int, status: int, what: int | BaseException) -> None:
        frame = machine.field("trap_fp")
        saved = ctypes.string_at(frame, 16)
        results.append(inner(1, 2))
        assert ctypes.string_at(frame, 16) == saved
        raise Trap(TrapCode(machine.field("trap_code")))

    machine.replace_failed(failed)
    with pytest.raises(Trap):
        machine.wasm("->", unreachable)()
    assert results == [3]


def load_from_nowhere(b: Builder) -> None:
    b.load(opcodes.HEAP_LOAD, I64, b.const(I64, 8), 0)


def test_a_fault_at_the_end_of_the_stack(machine: GlueMachine) -> None:
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

    thread = Thread(target=run)
    thread.start()
    thread.join()
    assert len(codes) == 4 and TrapCode.MEMORY_OUT_OF_BOUNDS in codes


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


def test_builtins(machine: GlueMachine) -> None:
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


def test_lazy_compilation(machine: GlueMachine) -> None:
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


def test_failing_lazy_compilation(machine: GlueMachine) -> None:
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
    machine = GlueMachine()
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
