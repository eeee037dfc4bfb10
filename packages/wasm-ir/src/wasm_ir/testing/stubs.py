"""The stubs that come back, run: lazy compilation and polls keep whatever the code that uses them has in registers."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable

import pytest

from wasm_core.errors import TrapCode
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.builder import Builder
from wasm_ir.ir import Function, Inst, Signature
from wasm_ir.testing.fixtures import BackendFixtures
from wasm_ir.testing.native_code import Native, Trapped, build, raw
from wasm_ir.vmcontext import CONTEXT, STATUS_EXCEPTION, STATUS_OK

I64, F64 = types.I64, types.F64
_RESOLVER = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64)
_INTERRUPTED = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_uint64)
#: More than there are registers for, of both kinds.
_SIGNATURE = Signature((I64, F64) * 12, (I64,))
_SLOT = 9
_LAST = 0xFFFF_FFFF_FFFF_FFFF


def mixed(b: Builder, values: list[Inst]) -> Inst:
    """A number that depends on every value and its place."""
    total = b.const(I64, 1)
    for value in values:
        bits = value if value.type == I64 else raw(b, op.BITCAST, I64, [value])
        total = raw(b, op.IADD, I64, [raw(b, op.IMUL, I64, [total, b.const(I64, 31)]), bits])
    return total


def model(values: list[int]) -> int:
    """The same of bit patterns, in Python."""
    total = 1
    for value in values:
        total = total * 31 + value & _LAST
    return total


def arguments() -> list[int]:
    return [
        number * 0x1111_1111 if value_type == I64 else int.from_bytes(struct.pack("<d", number + 0.5), "little")
        for number, value_type in enumerate(_SIGNATURE.params, 1)
    ]


def status_of(native: Native, funcref: int, values: list[int]) -> tuple[int, int]:
    """Status and result of a call."""
    given = (ctypes.c_uint64 * len(values))(*values)
    result = ctypes.c_uint64()
    addresses = map(ctypes.addressof, (native.store, native.context, given, result))
    store, context, given_at, result_at = addresses
    wasm_sp = native.get_store("wasm_sp")
    status = native.thunk(_SIGNATURE)(store, funcref, context, given_at, result_at)
    assert native.get_store("wasm_sp") == wasm_sp
    return status, result.value


class Resolver:
    """STORE.resolver: notes what it is asked, and spoils the stack that a nested entry would use."""

    def __init__(self, native: Native, answer: int) -> None:
        self.calls: list[tuple[int, int, int]] = []

        def resolve(funcref: int, slot: int, context: int) -> int:
            wasm_sp = native.get_store("wasm_sp")
            assert native.stack_base < wasm_sp and wasm_sp % 16 == 0
            ctypes.memset(wasm_sp - 4096, 0xCC, 4096)
            self.calls.append((funcref, slot, context))
            return answer

        self._callback = _RESOLVER(resolve)
        address = ctypes.cast(self._callback, ctypes.c_void_p).value
        assert address is not None
        native.set_store("resolver", address)


def lazily(native: Native) -> dict[str, tuple[int, tuple[int, int, int], int]]:
    """By kind of call: a funcref to a function that calls so, what the resolver is told, what it should answer."""
    address, compiled = native.place(build(_SIGNATURE, lambda b, p: [mixed(b, p)]))
    native.slots[_SLOT] = native.stubs_base + native.stubs.lazy_slot
    through_slot, _ = native.place(build(_SIGNATURE, lambda b, p: [b.call(_SLOT, _SIGNATURE, p)]))
    lazy = native.funcref(native.stubs_base + native.stubs.lazy_funcref)
    through_funcref, _ = native.place(build(_SIGNATURE, lambda b, p: [b.call_ref(b.const(I64, lazy), _SIGNATURE, p)]))
    through_own, _ = native.place(build(_SIGNATURE, lambda b, p: [b.call_ref(b.const(I64, lazy), _SIGNATURE, p, True)]))
    slot = ctypes.addressof(native.slots) + 8 * _SLOT
    context = ctypes.addressof(native.context)
    return {
        "slot": (native.funcref(through_slot), (0, slot, context), address + compiled.entry),
        "funcref": (native.funcref(through_funcref), (lazy, 0, context), address),
        "own funcref": (native.funcref(through_own), (lazy, 0, context), address),
    }


def polling(native: Native) -> int:
    """A funcref to a function that polls in a loop, with something in every register."""
    function = Function("polling", _SIGNATURE)
    b = Builder(function)
    entry, header, done = b.new_block(), b.new_block(), b.new_block()
    p = [b.append_param(entry, value_type) for value_type in _SIGNATURE.params]
    left = b.append_param(header, types.I32)
    header.is_loop_header = True
    header.loop_depth = 1
    b.switch_to(entry)
    changed = [raw(b, op.IADD, I64, [x, b.const(I64, 3)]) for x in p if x.type == I64]
    floats = [raw(b, op.FADD, F64, [x, y]) for x in p if x.type == F64 for y in p[1:7:2]]
    b.jump(header, [b.const(types.I32, 3)])
    b.switch_to(header)
    b.poll()
    less = raw(b, op.IADD, types.I32, [left, b.const(types.I32, 0xFFFF_FFFF)])
    b.brif(less, header, [less], done, [])
    b.switch_to(done)
    b.ret([mixed(b, [*p, *changed, *floats])])
    address, _ = native.place(function)
    return native.funcref(address)


def interrupt(native: Native, answer: int, limit: int) -> tuple[list[int], Callable[[], None]]:
    """Let the next poll call STORE.interrupted: the contexts that it is told, and what puts everything back."""
    calls: list[int] = []
    field = CONTEXT["stack_limit"] // 8
    before = native.context[field]

    def interrupted(context: int) -> int:
        calls.append(context)
        native.context[field] = before
        return answer

    callback = _INTERRUPTED(interrupted)
    address = ctypes.cast(callback, ctypes.c_void_p).value
    assert address is not None
    native.set_store("interrupted", address)
    native.context[field] = limit

    def restore(kept: object = callback) -> None:
        native.context[field] = before

    return calls, restore


class StubsTests(BackendFixtures):
    """Lazy compilation and polls."""

    @pytest.mark.parametrize("kind", ["slot", "funcref", "own funcref"])
    def test_lazy_compilation(self, native: Native, kind: str) -> None:
        """Arguments of all kinds reach the function that was not there."""
        funcref, told, answer = lazily(native)[kind]
        resolver = Resolver(native, answer)
        values = arguments()
        for _ in range(2):
            assert status_of(native, funcref, values) == (STATUS_OK, model(values))
        assert resolver.calls == [told] * 2

    @pytest.mark.parametrize("kind", ["slot", "funcref", "own funcref"])
    def test_a_function_that_cannot_be_compiled(self, native: Native, kind: str) -> None:
        """The resolver answers 0: unwound, and the store is usable afterwards."""
        funcref, told, answer = lazily(native)[kind]
        values = arguments()
        resolver = Resolver(native, 0)
        assert status_of(native, funcref, values)[0] == STATUS_EXCEPTION
        assert resolver.calls == [told]
        assert native.stack_base < native.get_store("trap_fp")
        resolver = Resolver(native, answer)
        assert status_of(native, funcref, values) == (STATUS_OK, model(values))

    def test_polls_keep_every_register(self, native: Native) -> None:
        funcref = polling(native)
        values = arguments()
        expected = status_of(native, funcref, values)
        assert expected[0] == STATUS_OK
        calls, restore = interrupt(native, 0, _LAST)
        try:
            assert status_of(native, funcref, values) == expected
        finally:
            restore()
        assert calls == [ctypes.addressof(native.context)]

    def test_polls_leave(self, native: Native) -> None:
        """The runtime has an exception; afterwards the function runs as before."""
        funcref = polling(native)
        values = arguments()
        expected = status_of(native, funcref, values)
        calls, restore = interrupt(native, 1, _LAST)
        try:
            assert status_of(native, funcref, values)[0] == STATUS_EXCEPTION
        finally:
            restore()
        assert len(calls) == 1
        assert status_of(native, funcref, values) == expected

    def test_polls_on_an_exhausted_stack(self, native: Native) -> None:
        """What is really too deep traps, and nobody is asked."""
        funcref = polling(native)
        calls, restore = interrupt(native, 0, _LAST)
        limit = native.get_store("stack_limit")
        native.set_store("stack_limit", native.stack_base + (1 << 20))
        try:
            with pytest.raises(Trapped) as caught:
                native.call(funcref, _SIGNATURE, arguments())
        finally:
            restore()
            native.set_store("stack_limit", limit)
        assert caught.value.code is TrapCode.CALL_STACK_EXHAUSTED
        assert calls == []
