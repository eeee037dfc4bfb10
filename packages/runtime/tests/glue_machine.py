"""A store and glue for the tests of thunks, whose functions are written in IR: no module or instance is involved."""

from __future__ import annotations

import ctypes
import math
import threading
from array import array
from collections.abc import Callable
from typing import Any

import pytest

from wasm_core.errors import CompileError, Trap, TrapCode, WasmError
from wasm_core.types import FuncType, ValueType
from wasm_ir import opcodes
from wasm_ir.builder import Builder
from wasm_ir.ir import Function, Inst
from wasm_ir.types import I64
from wasm_ir.vmcontext import CONTEXT, FUNCREF, STATUS_TRAP, STORE
from wasmetal.code import signals
from wasmetal.code.arena import arena
from wasmetal.cpython import c_stack
from wasmetal.cpython.native_callable import NativeCallable, inherit_vectorcall
from wasmetal.glue import values
from wasmetal.glue.glue import Glue, helped_glue
from wasmetal.glue.host_layout import HOST
from wasmetal.glue.python_api import ir_signature
from wasmetal.registry import backends as registry
from wasmetal.store.native_stack import NativeStack

try:
    backend = registry.select()()
except WasmError as error:
    pytest.skip(str(error), allow_module_level=True)


class Code(NativeCallable):
    __slots__ = ("__weakref__", "slow")

    slow: Callable[..., Any]


inherit_vectorcall(Code)


class Thread(threading.Thread):
    """A thread whose stack is known, so that entries do not refuse to use it."""

    def run(self) -> None:
        c_stack.learn()
        super().run()


class Slow(Exception):
    """The fast path was left."""


class Custom(Exception):
    pass


class Sub(int):
    pass


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


class GlueMachine:
    """A store with one context, and the callbacks of its glue."""

    def __init__(self, hold_gil: bool = False) -> None:
        c_stack.learn()
        self.stack = NativeStack(1 << 18)
        stubs = signals.install(backend)
        self.store = array("Q", bytes(STORE.size))
        self.context = array("Q", bytes(CONTEXT.size))
        self.store_address = self.store.buffer_info()[0]
        self.context_address = self.context.buffer_info()[0]
        self.failures: list[tuple[int, int | BaseException]] = []
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
        helped = helped_glue(funcref)
        if helped is not None:
            return helped.resolve_helper(funcref)
        self.resolved.append((funcref, slot, context))
        return self.resolve_to()

    def raised(self, context: int, exception: BaseException) -> int:
        assert context == self.context_address
        return 0

    def interrupted(self, store: int) -> None:
        raise AssertionError("nobody asked for that")

    def failed(self, store: int, status: int, what: int | BaseException) -> None:
        assert store == self.store_address
        assert self.field("thread_state") == 0
        # (the lazy compiler fails in the name of its caller, which may be the entry)
        assert self.stack.contains(self.field("trap_fp")) or self.field("trap_fp") == self.field("entry_fp")
        assert self.stack.contains(self.field("wasm_sp") - 1)
        self.failures.append((status, what))
        if status == STATUS_TRAP:
            assert what == self.field("trap_code")
            raise Trap(TrapCode(what))
        assert isinstance(what, BaseException)
        what.add_note("through WebAssembly")

    def host_call(self, core: object, context: int, slots: int, call: object) -> None:
        assert call is None  # nothing here can be suspended
        assert context == self.context_address and isinstance(core, Core)
        types = core.type.params
        words = list((ctypes.c_uint64 * values.slot_count(types)).from_address(slots))
        self.host_result(core, core.callable(*values.from_slots(types, words, None)), slots, context, call)

    def host_result(self, core: object, result: object, slots: int, context: int, call: object) -> None:
        assert isinstance(core, Core) and context == self.context_address and call is None
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
        thunk = self.glue.host_generic(type) if generic else self.glue.host(type)
        self.keep.append(thunk)
        return self.funcref(thunk.address, words.buffer_info()[0])

    def func(self, text: str, funcref: int, slow: Callable[..., Any] = refuse) -> Code:
        made = Code()
        made.slow = slow
        made._slow = id(slow)
        made._funcref = funcref
        thunk = self.glue.entry(function_type(text))
        self.keep.append(thunk)
        made._entry = self.glue.slow_entry if thunk is None else thunk.address
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


def add(b: Builder, p: list[Inst]) -> None:
    b.ret([b.binary(opcodes.IADD, p[0].type, p[0], p[1])])


def same(b: Builder, p: list[Inst]) -> None:
    b.ret(p)


def unreachable(b: Builder, p: list[Inst]) -> None:
    b.trap(TrapCode.UNREACHABLE)


INTERESTING: dict[ValueType, list[Any]] = {
    ValueType.I32: [0, 1, -1, 255, -6, 2**30 - 1, 1 - 2**30, 2**30, -(2**30), 2**31 - 1, -(2**31)],
    ValueType.I64: [0, 1, -1, 2**30, -(2**30), 2**32, 2**60, -(2**60), 2**63 - 1, -(2**63), 10**18],
    ValueType.F32: [0.0, -0.0, 1.5, -(2.0**100), math.inf, -math.inf, 2.0**-149],
    ValueType.F64: [0.0, -0.0, 0.1, 1e300, math.inf, -5e-324],
}


def has_vectors() -> bool:
    try:
        Glue(backend, GlueMachine()).raw(function_type("v128 ->"))
    except CompileError:
        return False
    return True


vectors = pytest.mark.skipif(not has_vectors(), reason="the backend has no vectors")


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
