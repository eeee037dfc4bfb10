"""Tail calls, run: what the callee gets, what the caller finds afterwards, and that the stack does not grow."""

from __future__ import annotations

import ctypes
import itertools
import random

import pytest

from wasm_core.errors import TrapCode
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.backend import supports_exceptions, supports_vectors
from wasm_ir.builder import Builder
from wasm_ir.ir import Function, Inst, Signature
from wasm_ir.testing.exceptions import catcher, throw
from wasm_ir.testing.fixtures import BackendFixtures
from wasm_ir.testing.native_code import Native, Trapped, build, pointer, raw
from wasm_ir.testing.stubs import Resolver, arguments, interrupt, mixed, status_of
from wasm_ir.testing.stubs import model as mixed_model
from wasm_ir.vmcontext import STATUS_EXCEPTION, STATUS_OK, STATUS_THROWN

I32, I64, F32, F64, V128 = types.I32, types.I64, types.F32, types.F64, types.V128
_MASK = (1 << 64) - 1
_ONE = Signature((I64,), (I64,))
_WIDE = Signature((I64,) * 30, (I64,))
#: Numbers of further arguments: in registers alone, and so many that they need few and many words of the stack.
_COUNTS = (0, 3, 9, 15, 16, 40, 1, 60)
_RESULTS: dict[str, tuple[int, ...]] = {"one": (I64,), "many": (I64, F64, I32) * 8, "few": (I64,) * 10}


def _from(b: Builder, value: Inst, value_type: int) -> Inst:
    """A value of a type from an i64."""
    if value_type == I64:
        return value
    if value_type == F64:
        return raw(b, op.BITCAST, F64, [value])
    if value_type == V128:
        return raw(b, op.V_SPLAT, V128, [value], op.I64X2)
    low = raw(b, op.WRAP, I32, [value])
    return low if value_type == I32 else raw(b, op.BITCAST, F32, [low])


def _bits(b: Builder, value: Inst) -> Inst:
    """Back again; of a vector the upper half."""
    if value.type == V128:
        return raw(b, op.V_EXTRACT_U, I64, [value], op.I64X2 | 1 << op.SHAPE_SHIFT)
    if value.type in (F32, F64):
        value = raw(b, op.BITCAST, I32 if value.type == F32 else I64, [value])
    return raw(b, op.EXTEND_U, I64, [value]) if value.type == I32 else value


def _narrowed(value: int, value_type: int) -> int:
    return value & (0xFFFF_FFFF if value_type in (I32, F32) else _MASK)


def _folded(b: Builder, values: list[Inst]) -> Inst:
    total = b.const(I64, 7)
    for value in values:
        total = raw(b, op.IADD, I64, [raw(b, op.IMUL, I64, [total, b.const(I64, 31)]), _bits(b, value)])
    return total


def _fold(values: list[int]) -> int:
    """The same in Python."""
    total = 7
    for value in values:
        total = total * 31 + value & _MASK
    return total


class Ring:
    """Functions of different types that call each other in turn, as often as the first argument says.

    Each mixes what it gets into the second argument and makes up what the next one gets. In the end the results are
    made of the second argument and what is in the memory of the instance of the last function.
    """

    def __init__(self, native: Native, counts: tuple[int, ...], results: tuple[int, ...], instances: int) -> None:
        self.native = native
        self.results = results
        choice = random.Random(len(results))
        kinds = (I32, I64, F32, F64) + ((V128, V128) if supports_vectors(native.backend) else ())
        self.extras = [tuple(choice.choice(kinds) for _ in range(count)) for count in counts]
        #: With a VMContext each, the first one the harness's own.
        self.memories = memories = [native.memory, *[native.new_memory(64) for _ in range(instances - 1)]]
        self.contexts = [native.context, *[native.new_context(memory) for memory in memories[1:]]]
        for number, memory in enumerate(memories):
            memory[8:16] = (1000 + number).to_bytes(8, "little")
        # Through funcrefs if there are several instances, which have to exist before the functions do.
        self.funcrefs = [native.funcref(0, self.contexts[number % instances]) for number in range(len(counts))]
        self.through_references = instances > 1
        for number in range(len(counts)):
            address, compiled = native.place(self._function(number))
            native.slots[number] = address + compiled.entry
            ctypes.c_uint64.from_address(self.funcrefs[number]).value = address

    def signature(self, number: int) -> Signature:
        return Signature((I64, I64, *self.extras[number]), self.results)

    def _function(self, number: int) -> Function:
        function = Function(f"ring {number}", self.signature(number))
        b = Builder(function)
        entry, more, done = b.new_block(), b.new_block(), b.new_block()
        params = [b.append_param(entry, value_type) for value_type in function.signature.params]
        b.switch_to(entry)
        left, total = params[:2]
        total = raw(b, op.IADD, I64, [raw(b, op.IMUL, I64, [total, b.const(I64, 31)]), _folded(b, params[2:])])
        b.brif(raw(b, op.ICMP, I32, [left, b.const(I64, 0)], op.NE), more, [], done, [])
        b.switch_to(more)
        following = (number + 1) % len(self.extras)
        extras = [
            _from(b, raw(b, op.IMUL, I64, [total, b.const(I64, 2 * k + 3)]), value_type)
            for k, value_type in enumerate(self.extras[following])
        ]
        passed = [raw(b, op.ISUB, I64, [left, b.const(I64, 1)]), total, *extras]
        if self.through_references:
            b.return_call_ref(b.const(I64, self.funcrefs[following]), self.signature(following), passed)
        else:
            b.return_call(following, self.signature(following), passed)
        b.switch_to(done)
        own = b.load(op.HEAP_LOAD, I64, pointer(b, b.const(I32, 0)), 8)
        b.ret(
            [
                _from(b, raw(b, op.IADD, I64, [raw(b, op.IMUL, I64, [total, b.const(I64, k + 1)]), own]), value_type)
                for k, value_type in enumerate(self.results)
            ]
        )
        return function

    def caller(self) -> int:
        """A funcref to a function that calls the first one, with much that is live across the call."""
        native = self.native

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            kept = [raw(b, op.IMUL, I64, [p[0], b.const(I64, k)]) for k in range(2, 22)]
            floats = [raw(b, op.BITCAST, F64, [value]) for value in kept]
            extras = [
                _from(b, raw(b, op.IMUL, I64, [p[1], b.const(I64, 2 * k + 3)]), value_type)
                for k, value_type in enumerate(self.extras[0])
            ]
            call = b.call(0, self.signature(0), [p[0], p[1], *extras])
            results = [b.result(call, number) for number in range(len(self.results))]
            own = b.load(op.HEAP_LOAD, I64, pointer(b, b.const(I32, 0)), 8)
            return [_folded(b, [*results, *kept, *floats, own])]

        return native.define(len(self.extras), build(Signature((I64, I64), (I64,)), body))

    def expected(self, hops: int, total: int) -> int:
        """What the caller gives."""
        number = 0
        seed = total
        for left in range(hops, -1, -1):
            extras = [_narrowed(seed * (2 * k + 3), t) for k, t in enumerate(self.extras[number])]
            seed = total = total * 31 + _fold(extras) & _MASK
            if left:
                number = (number + 1) % len(self.extras)
        own = 1000 + number % len(self.contexts)
        results = [_narrowed(total * (k + 1) + own, t) for k, t in enumerate(self.results)]
        kept = [hops * k & _MASK for k in range(2, 22)]
        return _fold([*results, *kept, *kept, 1000])


def _counter(native: Native, words: int) -> int:
    """A funcref to a function that calls itself, through this funcref, until its first argument is 0."""
    signature = Signature((I64,) * words, (I64,))
    funcref = native.funcref(0)
    function = Function("counter", signature)
    b = Builder(function)
    entry, more, done = b.new_block(), b.new_block(), b.new_block()
    params = [b.append_param(entry, value_type) for value_type in signature.params]
    b.switch_to(entry)
    b.brif(raw(b, op.ICMP, I32, [params[0], b.const(I64, 0)], op.NE), more, [], done, [])
    b.switch_to(more)
    b.offset = 0x55
    left = raw(b, op.ISUB, I64, [params[0], b.const(I64, 1)])
    b.return_call_ref(b.const(I64, funcref), signature, [left, *params[2:], params[1]] if words > 1 else [left])
    b.switch_to(done)
    b.ret([_folded(b, params)])
    ctypes.c_uint64.from_address(funcref).value = native.place(function)[0]
    return funcref


class TailCallTests(BackendFixtures):
    """Tail calls."""

    needs = "tail_calls"

    @pytest.mark.parametrize("instances", [1, 2, 3])
    @pytest.mark.parametrize("results", list(_RESULTS))
    def test_functions_of_many_types(self, native: Native, results: str, instances: int) -> None:
        """Words of arguments grow and shrink, and instances change, with every hop; the caller finds all as it was."""
        ring = Ring(native, _COUNTS, _RESULTS[results], instances)
        caller = ring.caller()
        for hops in (0, 1, 2, 3, 4, 5, 6, 7, 8, 23, 1001):
            given = (hops, 99 + hops)
            assert native.call(caller, Signature((I64, I64), (I64,)), given) == (ring.expected(*given),), hops

    @pytest.mark.parametrize("instances", [1, 2])
    @pytest.mark.parametrize("counts", list(itertools.permutations((0, 9, 40))))
    def test_each_order_of_sizes(self, native: Native, counts: tuple[int, ...], instances: int) -> None:
        ring = Ring(native, counts, (I64,) * 12, instances)
        caller = ring.caller()
        for hops in range(7):
            assert native.call(caller, Signature((I64, I64), (I64,)), (hops, 5)) == (ring.expected(hops, 5),), hops

    @pytest.mark.parametrize("instances", [1, 2])
    def test_the_stack_does_not_grow(self, native: Native, instances: int) -> None:
        """More hops than the stack has bytes for, if each took two words of it."""
        ring = Ring(native, (0, 20, 1, 45), (I64,) * 12, instances)
        caller = ring.caller()
        wasm_sp = native.get_store("wasm_sp")
        native.call(caller, Signature((I64, I64), (I64,)), (70_000, 1))
        assert native.get_store("wasm_sp") == wasm_sp

    @pytest.mark.parametrize("words", [1, 2, 12, 30])
    def test_a_function_that_calls_itself(self, native: Native, words: int) -> None:
        """Arguments change places, in registers and on the stack."""
        given = [*range(1, words), 77]
        state = list(given)
        while state[0]:
            state = [state[0] - 1, *state[2:], state[1]] if words > 1 else [state[0] - 1]
        signature = Signature((I64,) * words, (I64,))
        assert native.call(_counter(native, words), signature, given) == (_fold(state),)

    @pytest.mark.parametrize("words", [1, 30])
    def test_calling_itself_by_index(self, native: Native, words: int) -> None:
        signature = Signature((I64,) * words, (I64,))
        function = Function("counter", signature, index=3)
        b = Builder(function)
        entry, more, done = b.new_block(), b.new_block(), b.new_block()
        params = [b.append_param(entry, value_type) for value_type in signature.params]
        b.switch_to(entry)
        b.brif(raw(b, op.ICMP, I32, [params[0], b.const(I64, 0)], op.NE), more, [], done, [])
        b.switch_to(more)
        left = raw(b, op.ISUB, I64, [params[0], b.const(I64, 1)])
        b.return_call(3, signature, [left, *params[2:], params[1]] if words > 1 else [left])
        b.switch_to(done)
        b.ret([_folded(b, params)])
        funcref = native.define(3, function)
        rest = list(range(100, 99 + words))
        turned = 100_000 % len(rest) if rest else 0
        expected = _fold([0, *rest[turned:], *rest[:turned]])
        assert native.call(funcref, signature, (100_000, *rest)) == (expected,)
        calls, restore = interrupt(native, 0, _MASK)
        try:
            assert native.call(funcref, signature, (100_000, *rest)) == (expected,)
        finally:
            restore()
        assert len(calls) == 1

    @pytest.mark.parametrize("words", [1, 30])
    def test_loops_can_be_interrupted(self, native: Native, words: int) -> None:
        """The entries of functions poll that do nothing but tail calls; all arguments are as they were."""
        funcref = _counter(native, words)
        signature = Signature((I64,) * words, (I64,))
        given = [5, *range(100, 99 + words)]
        expected = native.call(funcref, signature, given)
        calls, restore = interrupt(native, 0, _MASK)
        try:
            assert native.call(funcref, signature, given) == expected
        finally:
            restore()
        assert calls == [ctypes.addressof(native.context)]

    def test_the_stack_is_checked(self, native: Native) -> None:
        """Calls in tail calls, without end: the stack is exhausted, and nothing is written below its limit."""
        memory = native.new_memory(64)
        other = native.new_context(memory)
        funcref = native.funcref(0)
        narrow = Function("narrow", _ONE)
        b = Builder(narrow)
        entry = b.new_block()
        x = b.append_param(entry, I64)
        b.switch_to(entry)
        called = b.call_ref(b.const(I64, funcref), _ONE, [x])
        b.return_call(0, _WIDE, [called] * 30)
        wide, _ = native.place(build(_WIDE, lambda b, p: [b.call_ref(b.const(I64, funcref), _ONE, p[:1])]))
        native.define(0, build(_WIDE, lambda b, p: [p[0]]))
        address, _ = native.place(narrow)
        ctypes.c_uint64.from_address(funcref).value = address
        passed = native.funcref(wide, other)

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            b.return_call_ref(b.const(I64, passed), _WIDE, p * 30)
            return []

        through, _ = native.place(build(_ONE, body))
        for start in (native.funcref(address), native.funcref(through)):
            with pytest.raises(Trapped) as caught:
                native.call(start, _ONE, (1,))
            assert caught.value.code is TrapCode.CALL_STACK_EXHAUSTED
            frame = native.get_store("trap_fp")
            limit = native.stack_base + (1 << 18)
            assert limit - 1024 < frame < limit + 1024

    @pytest.mark.parametrize("hops", [1, 2, 5])
    def test_frames_can_be_walked_from_a_trap(self, native: Native, hops: int) -> None:
        """The chain of frame pointers leads from the callee to the entry, past calls that were not tail calls."""
        memory = native.new_memory(64)
        other = native.new_context(memory)

        def trapping(b: Builder, p: list[Inst]) -> list[Inst]:
            b.offset = 0x99
            b.trap(TrapCode.UNREACHABLE.value)
            return []

        address, _ = native.place(build(_WIDE, trapping))
        target = native.funcref(address, other)
        signature = _WIDE
        for number in range(hops):
            signature = (_ONE, _WIDE)[number % 2]

            def body(b: Builder, p: list[Inst], to: int = target, turn: int = number) -> list[Inst]:
                values = [p[0]] * (30 if turn % 2 == 0 else 1)
                b.return_call_ref(b.const(I64, to), (_WIDE, _ONE)[turn % 2], values)
                return []

            address, _ = native.place(build(signature, body))
            target = native.funcref(address, (native.context, other)[number % 2])
        words = len(signature.params)

        def calling(b: Builder, p: list[Inst]) -> list[Inst]:
            b.offset = 0x44
            return [b.call_ref(b.const(I64, target), signature, [p[0]] * words)]

        caller, _ = native.place(build(_ONE, calling))
        with pytest.raises(Trapped) as caught:
            native.call(native.funcref(caller), _ONE, (1,))
        assert native.wasm_offset(caught.value.pc, False) == 0x99
        frame = native.get_store("trap_fp")
        found = []
        while native.stack_base < frame < native.stack_base + (1 << 20):
            frame, pc = (ctypes.c_uint64 * 2).from_address(frame)
            found.append(native.wasm_offset(pc, True))
        # Between them is at most one return address that is nobody's.
        assert [offset for offset in found[:-1] if offset is not None] == [0x44]
        assert len(found) <= 3

    @pytest.mark.parametrize("words", [1, 30])
    @pytest.mark.parametrize("other", [False, True], ids=["same", "other"])
    def test_what_is_thrown_goes_past_frames_that_are_left(self, native: Native, words: int, other: bool) -> None:
        """It lands in the caller, whose preserved registers and pins are as they were."""
        if not supports_exceptions(native.backend):
            pytest.skip("this backend has no exceptions")
        memory = native.new_memory(64)
        context = native.new_context(memory) if other else native.context
        native.memory[8:16] = (2222).to_bytes(8, "little")
        signature = Signature((I64,) * words, (I64,))

        def throwing(b: Builder, p: list[Inst]) -> list[Inst]:
            throw(b, p[-1])
            return []

        address, _ = native.place(build(signature, throwing))
        target = native.funcref(address, context)

        # Its own handler is no longer there, nor is what it needed it for.
        leaving = Function("leaving", _ONE)
        b = Builder(leaving)
        entry, following, pad = b.new_block(), b.new_block(), b.new_block()
        x = b.append_param(entry, I64)
        b.switch_to(entry)
        b.call(0, _ONE, [x])
        b.invoke(following, pad)
        b.switch_to(following)
        b.return_call_ref(b.const(I64, target), signature, [x] * words)
        b.switch_to(pad)
        b.ret([b.const(I64, 13)])
        native.define(0, build(_ONE, lambda b, p: p))
        native.define(1, leaving)

        function = Function("catching", _ONE)
        b = Builder(function)
        entry, following, pad = b.new_block(), b.new_block(), b.new_block()
        x = b.append_param(entry, I64)
        b.switch_to(entry)
        kept = [raw(b, op.IMUL, I64, [x, b.const(I64, k)]) for k in range(2, 15)]
        b.call(1, _ONE, [x])
        b.invoke(following, pad)
        b.switch_to(following)
        b.ret([x])
        b.switch_to(pad)
        own = b.load(op.HEAP_LOAD, I64, pointer(b, b.const(I32, 0)), 8)
        b.ret([_folded(b, [*kept, own])])
        caller = native.define(2, function)
        assert native.call(caller, _ONE, (9,)) == (_fold([9 * k for k in range(2, 15)] + [2222]),)
        # And out of everything, if nobody catches it.
        outer = native.define(3, build(_ONE, lambda b, p: [b.call(1, _ONE, p)]))
        values = ctypes.c_uint64(9)
        store, vmctx, at = (ctypes.addressof(place) for place in (native.store, native.context, values))
        assert native.thunk(_ONE)(store, outer, vmctx, at, at) == STATUS_THROWN
        assert native.call(native.define(4, catcher(3)), _ONE, (9,))[0] > 1000

    @pytest.mark.parametrize("kind", ["slot", "funcref"])
    @pytest.mark.parametrize("fits", [True, False], ids=["fits", "grows"])
    def test_leaving_to_functions_that_are_not_compiled(self, native: Native, kind: str, fits: bool) -> None:
        """Arguments of all kinds reach the function that was not there; if that cannot be made, it unwinds."""
        values = arguments()
        signature = Signature((I64, F64) * 12, (I64,))
        address, compiled = native.place(build(signature, lambda b, p: [mixed(b, p)]))
        native.slots[9] = native.stubs_base + native.stubs.lazy_slot
        lazy = native.funcref(native.stubs_base + native.stubs.lazy_funcref)

        def leave(b: Builder, p: list[Inst]) -> list[Inst]:
            p = [b.const(t, value) for t, value in zip(signature.params, values)] if len(p) == 1 else p
            if kind == "slot":
                b.return_call(9, signature, p)
            else:
                b.return_call_ref(b.const(I64, lazy), signature, p)
            return []

        own = signature if fits else _ONE
        native.define(8, build(own, leave))

        def call(b: Builder, p: list[Inst]) -> list[Inst]:
            return [b.call(8, own, p[: len(own.params)])]

        funcref, _ = native.place(build(signature, call))
        caller = native.funcref(funcref)
        told = (0, ctypes.addressof(native.slots) + 72) if kind == "slot" else (lazy, 0)
        resolver = Resolver(native, 0)
        assert status_of(native, caller, values)[0] == STATUS_EXCEPTION
        assert native.stack_base < native.get_store("trap_fp")
        assert resolver.calls == [(*told, ctypes.addressof(native.context))]
        answer = address + compiled.entry if kind == "slot" else address
        resolver = Resolver(native, answer)
        for _ in range(2):
            assert status_of(native, caller, values) == (STATUS_OK, mixed_model(values))
        assert resolver.calls == [(*told, ctypes.addressof(native.context))] * 2
        if kind == "slot":
            native.slots[9] = answer
            assert status_of(native, caller, values) == (STATUS_OK, mixed_model(values))
            assert len(resolver.calls) == 2
