"""Throwing and landing, run: what is where when something lands, and how far it goes."""

from __future__ import annotations

import struct

import pytest

from wasm_core.errors import TrapCode
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.backend import supports_vectors
from wasm_ir.builder import Builder
from wasm_ir.ir import Block, Call, Function, Inst, Signature
from wasm_ir.testing.fixtures import BackendFixtures
from wasm_ir.testing.native_code import Native, Thrown, Trapped, build, pointer, raw
from wasm_ir.vmcontext import CONTEXT, STATUS_OK, STATUS_SUSPENDED, STORE

I32, I64, F32, F64, V128 = types.I32, types.I64, types.F32, types.F64, types.V128
_ONE = Signature((I64,), (I64,))
#: More than there are registers for, of both kinds.
_MANY = Signature((I64, F64, I32, F32) * 8, (I64,))
_MASK = (1 << 64) - 1


def store_of(b: Builder) -> Inst:
    return b.load(op.LOAD_INVARIANT, I64, b.vmctx(), CONTEXT["store"])


def thrown(b: Builder) -> Inst:
    """What was thrown: these tests throw numbers."""
    return b.load(op.LOAD, I64, store_of(b), STORE["exception"])


def throw(b: Builder, value: Inst) -> None:
    b.store(op.STORE, store_of(b), value, STORE["exception"])
    b.throw()


def thrower() -> Function:
    """Returns 3 times its argument if that is even, and throws it if it is odd."""
    function = Function("thrower", _ONE)
    b = Builder(function)
    entry, odd, even = b.new_block(), b.new_block(), b.new_block()
    x = b.append_param(entry, I64)
    b.switch_to(entry)
    b.brif(raw(b, op.WRAP, I32, [raw(b, op.AND, I64, [x, b.const(I64, 1)])]), odd, [], even, [])
    b.switch_to(odd)
    b.offset = 0x77
    throw(b, x)
    b.switch_to(even)
    b.ret([raw(b, op.IMUL, I64, [x, b.const(I64, 3)])])
    return function


def passing(index: int, frame: int = 0) -> Function:
    """Calls a function, and uses preserved registers for what it adds to the result."""

    def body(b: Builder, params: list[Inst]) -> list[Inst]:
        slots = [b.stack_slot(frame)] if frame else []
        values = [raw(b, op.IMUL, I64, [params[0], b.const(I64, k)]) for k in range(2, 9)]
        for slot in slots:
            b.store(op.STORE, slot, values[0], 0)
        total: Inst = b.call(index, _ONE, params)
        for value in values:
            total = raw(b, op.XOR, I64, [total, value])
        return [total]

    return build(_ONE, body)


def passed(x: int, result: int) -> int:
    """What `passing` gives when the function that it calls gives `result`."""
    for k in range(2, 9):
        result ^= x * k
    return result & _MASK


def catcher(index: int, funcref: int = 0, own: bool = False) -> Function:
    """Calls a function; what it throws, plus 1000, is the result."""
    function = Function("catcher", _ONE)
    b = Builder(function)
    entry, following, pad = b.new_block(), b.new_block(), b.new_block()
    x = b.append_param(entry, I64)
    b.switch_to(entry)
    result = b.call_ref(b.const(I64, funcref), _ONE, [x], own) if funcref else b.call(index, _ONE, [x])
    b.invoke(following, pad)
    b.switch_to(following)
    b.ret([result])
    b.switch_to(pad)
    b.ret([raw(b, op.IADD, I64, [thrown(b), b.const(I64, 1000)])])
    return function


def folded(b: Builder, values: list[Inst]) -> Inst:
    """A number that depends on every value and its place."""
    total = b.const(I64, 7)
    for value in values:
        if value.type in (F32, F64):
            value = raw(b, op.BITCAST, I32 if value.type == F32 else I64, [value])
        if value.type == I32:
            value = raw(b, op.EXTEND_U, I64, [value])
        total = raw(b, op.IADD, I64, [raw(b, op.IMUL, I64, [total, b.const(I64, 31)]), value])
    return total


def model(values: list[int]) -> int:
    """The same of bit patterns, in Python."""
    total = 7
    for value in values:
        total = total * 31 + value & _MASK
    return total


def bits(number: int, value_type: int) -> int:
    if value_type in (I32, I64):
        return number * 0x0101_0101
    return int.from_bytes(struct.pack("<f" if value_type == F32 else "<d", number + 0.25), "little")


class ExceptionTests(BackendFixtures):
    """Calls that come back at landing pads. Skipped for backends without the attribute `exceptions`."""

    needs = "exceptions"

    @pytest.mark.parametrize("depth", [0, 1, 10])
    @pytest.mark.parametrize("through", ["slot", "funcref", "own funcref"])
    def test_through_frames(self, native: Native, through: str, depth: int) -> None:
        """Out of functions that use preserved registers and have frames of different sizes."""
        native.define(0, thrower())
        for number in range(depth):
            native.define(number + 1, passing(number, 16 * (number % 3)))
        last = native.funcref(native.place(passing(depth))[0])
        native.define(depth + 1, passing(depth))
        function = native.define(20, catcher(depth + 1, last if through != "slot" else 0, through == "own funcref"))
        expected = 6
        for _ in range(depth + 1):
            expected = passed(2, expected)
        for _ in range(3):
            assert native.call(function, _ONE, (5,)) == (1005,)
            assert native.call(function, _ONE, (2,)) == (expected,)

    def test_nobody_catches(self, native: Native) -> None:
        """The status says so, and the store where it was thrown; the store can be used afterwards."""
        native.define(0, thrower())
        native.define(1, passing(0))
        function = native.define(2, passing(1))
        wasm_sp = native.get_store("wasm_sp")
        for _ in range(2):
            with pytest.raises(Thrown) as caught:
                native.call(function, _ONE, (9,))
            assert caught.value.exception == 9
            assert native.wasm_offset(caught.value.pc, True) == 0x77
            assert native.get_store("wasm_sp") == wasm_sp
            assert native.call(function, _ONE, (2,)) == (passed(2, passed(2, 6)),)

    def test_a_catcher_called_by_what_uses_registers(self, native: Native) -> None:
        """Who lands gives preserved registers back to its caller."""
        native.define(0, thrower())
        native.define(1, passing(0))
        native.define(2, catcher(1))
        function = native.define(3, passing(2))
        assert native.call(function, _ONE, (3,)) == (passed(3, 1003),)

    def test_the_innermost_catches(self, native: Native) -> None:
        native.define(0, thrower())
        native.define(1, catcher(0))
        native.define(2, passing(1))
        function = native.define(3, catcher(2))
        assert native.call(function, _ONE, (3,)) == (passed(3, 1003),)

    def test_throw_again(self, native: Native) -> None:
        """A landing pad throws out of its own function."""
        function = Function("again", _ONE)
        b = Builder(function)
        entry, following, pad = b.new_block(), b.new_block(), b.new_block()
        x = b.append_param(entry, I64)
        b.switch_to(entry)
        result = b.call(0, _ONE, [x])
        b.invoke(following, pad)
        b.switch_to(following)
        b.ret([result])
        b.switch_to(pad)
        throw(b, raw(b, op.IADD, I64, [thrown(b), b.const(I64, 10)]))
        native.define(0, thrower())
        native.define(1, function)
        native.define(2, passing(1))
        caught = native.define(3, catcher(2))
        assert native.call(caught, _ONE, (3,)) == (1013,)

    @pytest.mark.parametrize("x", [1, 2, 4])
    def test_values_of_all_kinds_live_into_landing_pads(self, native: Native, x: int) -> None:
        """More than there are registers for, defined before and between calls that share a landing pad and do not."""
        function = Function("many", _MANY)
        b = Builder(function)
        entry, second, third, last, pad, other, done = (b.new_block() for _ in range(7))
        params = [b.append_param(entry, value_type) for value_type in _MANY.params]
        total = b.append_param(done, I64)
        b.switch_to(entry)
        values = [raw(b, op.IADD, I64, [p, b.const(I64, 5)]) for p in params if p.type == I64]
        b.call(0, _ONE, [b.const(I64, x)])
        b.invoke(second, pad)
        b.switch_to(second)
        floats = [raw(b, op.FADD, F64, [p, params[1]]) for p in params if p.type == F64]
        middle = b.call(0, _ONE, [b.const(I64, x >> 1)])
        b.invoke(third, pad)
        b.switch_to(third)
        b.call(0, _ONE, [b.const(I64, x >> 2)])
        b.invoke(last, other)
        b.switch_to(last)
        b.jump(done, [folded(b, [*params, *values, *floats, middle])])
        b.switch_to(pad)
        b.jump(done, [folded(b, [*params, *values, thrown(b)])])
        b.switch_to(other)
        b.jump(done, [folded(b, [*floats, middle, thrown(b), *values])])
        b.switch_to(done)
        b.ret([total])
        native.define(0, thrower())
        caller = native.define(1, function)
        given = [bits(number, value_type) for number, value_type in enumerate(_MANY.params)]
        added = [value + 5 for value, value_type in zip(given, _MANY.params) if value_type == I64]
        first = struct.unpack("<d", given[1].to_bytes(8, "little"))[0]
        sums = [
            int.from_bytes(struct.pack("<d", struct.unpack("<d", value.to_bytes(8, "little"))[0] + first), "little")
            for value, value_type in zip(given, _MANY.params)
            if value_type == F64
        ]
        expected = {1: [*given, *added, 1], 2: [*given, *added, 1], 4: [*sums, 6, 1, *added]}[x]
        assert native.call(caller, _MANY, given) == (model(expected),)

    def test_vectors_live_into_landing_pads(self, native: Native) -> None:
        if not supports_vectors(native.backend):
            pytest.skip("this backend has no vectors")
        function = Function("vectors", _ONE)
        b = Builder(function)
        entry, following, pad = b.new_block(), b.new_block(), b.new_block()
        x = b.append_param(entry, I64)
        b.switch_to(entry)
        vectors = [
            raw(b, op.V_SPLAT, V128, [raw(b, op.IMUL, I64, [x, b.const(I64, k)])], op.I64X2) for k in range(3, 40)
        ]
        b.call(0, _ONE, [x])
        b.invoke(following, pad)
        b.switch_to(following)
        b.ret([x])
        b.switch_to(pad)
        total = thrown(b)
        for vector in vectors:
            lane = raw(b, op.V_EXTRACT_U, I64, [vector], op.I64X2 | 1 << op.SHAPE_SHIFT)
            total = raw(b, op.IADD, I64, [total, lane])
        b.ret([total])
        native.define(0, thrower())
        caller = native.define(1, function)
        assert native.call(caller, _ONE, (5,)) == (5 + 5 * sum(range(3, 40)),)

    def test_loops_around_calls_that_throw(self, native: Native) -> None:
        """A loop whose variables change on both ways out of the call, and which has more of them than registers."""
        function = Function("loop", Signature((I64,), (I64,)))
        b = Builder(function)
        entry, header, following, pad, done = (b.new_block() for _ in range(5))
        n = b.append_param(entry, I64)
        b.switch_to(entry)
        params = [b.append_param(header, I64) for _ in range(20)]
        header.is_loop_header = True
        for block in (header, following, pad):
            block.loop_depth = 1
        result = b.append_param(done, I64)
        b.jump(header, [n, *[b.const(I64, k) for k in range(1, 20)]])
        b.switch_to(header)
        b.poll()
        left = raw(b, op.ISUB, I64, [params[0], b.const(I64, 1)])
        value = b.call(0, _ONE, [left])
        b.invoke(following, pad)
        b.switch_to(following)
        b.jump(header, [left, *params[2:], raw(b, op.IADD, I64, [params[1], value])])
        b.switch_to(pad)
        turned = [raw(b, op.IADD, I64, [params[-1], thrown(b)]), *params[1:-1]]
        stop = raw(b, op.ICMP, I32, [left, b.const(I64, 1)], op.EQ)
        again = b.new_block()
        again.loop_depth = 1
        b.brif(stop, done, [folded(b, params)], again, [])
        b.switch_to(again)
        b.jump(header, [left, *turned])
        b.switch_to(done)
        b.ret([result])
        native.define(0, thrower())
        caller = native.define(1, function)
        state = list(range(1, 20))
        count = 12
        while True:
            before = [count, *state]
            count -= 1
            if count % 2 == 0:
                state = [*state[1:], state[0] + 3 * count]
            elif count == 1:
                break
            else:
                state = [state[-1] + count, *state[:-1]]
        assert native.call(caller, function.signature, (12,)) == (model(before),)

    def test_results_and_arguments_on_the_stack(self, native: Native) -> None:
        """Calls that land have them as others do, and words of the caller's own arguments stay."""
        wide = Signature((I64,) * 12, (I64,) * 9)
        callee = Function("wide", wide)
        b = Builder(callee)
        entry, odd, even = b.new_block(), b.new_block(), b.new_block()
        params = [b.append_param(entry, I64) for _ in wide.params]
        b.switch_to(entry)
        b.brif(raw(b, op.WRAP, I32, [raw(b, op.AND, I64, [params[11], b.const(I64, 1)])]), odd, [], even, [])
        b.switch_to(odd)
        throw(b, params[10])
        b.switch_to(even)
        b.ret(params[3:])
        native.define(0, callee)
        function = Function("caller", Signature(wide.params, (I64,)))
        b = Builder(function)
        blocks: list[Block] = [b.new_block() for _ in range(3)]
        params = [b.append_param(blocks[0], I64) for _ in wide.params]
        b.switch_to(blocks[0])
        call: Call = b.call(0, wide, params[::-1][1:] + params[:1])
        b.invoke(blocks[1], blocks[2])
        b.switch_to(blocks[1])
        b.ret([folded(b, [call, *call.results, *params])])
        b.switch_to(blocks[2])
        b.ret([folded(b, [thrown(b), *params])])
        caller = native.define(1, function)
        for first in (20, 21):
            given = [first, *range(101, 112)]
            passed_on = given[::-1][1:] + given[:1]
            expected = [passed_on[10], *given] if first & 1 else [*passed_on[3:], *given]
            assert native.call(caller, function.signature, given) == (model(expected),)

    def test_pins_after_landing(self, native: Native) -> None:
        """What throws has another VMContext and memory; who lands has its own again."""
        memory = native.new_memory(1 << 16)
        context = native.new_context(memory)
        memory[8:16] = (1111).to_bytes(8, "little")
        native.memory[8:16] = (2222).to_bytes(8, "little")

        def body(b: Builder, params: list[Inst]) -> list[Inst]:
            throw(b, b.load(op.HEAP_LOAD, I64, pointer(b, b.const(I32, 0)), 8))
            return []

        address, _ = native.place(build(_ONE, body))
        function = Function("pins", _ONE)
        b = Builder(function)
        entry, following, pad = b.new_block(), b.new_block(), b.new_block()
        x = b.append_param(entry, I64)
        b.switch_to(entry)
        b.call_ref(b.const(I64, native.funcref(address, context)), _ONE, [x])
        b.invoke(following, pad)
        b.switch_to(following)
        b.ret([x])
        b.switch_to(pad)
        own = b.load(op.HEAP_LOAD, I64, pointer(b, b.const(I32, 0)), 8)
        b.ret([raw(b, op.IADD, I64, [raw(b, op.IMUL, I64, [thrown(b), b.const(I64, 10_000)]), own])])
        caller = native.define(0, function)
        assert native.call(caller, _ONE, (1,)) == (1111_2222,)

    def test_traps_do_not_land(self, native: Native) -> None:
        def body(b: Builder, params: list[Inst]) -> list[Inst]:
            b.trap(TrapCode.UNREACHABLE.value)
            return []

        native.define(0, build(_ONE, body))
        caller = native.define(1, catcher(0))
        with pytest.raises(Trapped) as caught:
            native.call(caller, _ONE, (1,))
        assert caught.value.code is TrapCode.UNREACHABLE

    def test_a_function_that_has_left_is_resumed(self, native: Native) -> None:
        """Its callers' frames are put back where they were, after others have used the stack."""
        import ctypes

        def leave(b: Builder, params: list[Inst]) -> list[Inst]:
            b.unwind(b.const(I32, STATUS_SUSPENDED))
            return []

        native.define(0, build(_ONE, leave))
        catching = Builder(Function("catching", _ONE))
        entry, following, pad = (catching.new_block() for _ in range(3))
        x = catching.append_param(entry, I64)
        catching.switch_to(entry)
        catching.call(0, _ONE, [x])
        catching.invoke(following, pad)
        catching.switch_to(following)
        catching.ret([x])
        catching.switch_to(pad)
        catching.ret([raw(catching, op.IADD, I64, [x, catching.const(I64, 1000)])])
        native.define(1, catching.function)
        # What is in registers and in the frame of a caller is there again, too.
        native.define(2, passing(1, 64))

        def outermost(b: Builder, params: list[Inst]) -> list[Inst]:
            b.store(op.STORE, store_of(b), b.call(2, _ONE, params), STORE["exception"])
            # It does not return: the frame of the entry has gone.
            b.unwind(b.const(I32, STATUS_OK))
            return []

        signature = Signature((I64,), ())
        funcref = native.define(3, build(signature, outermost))

        def enter(funcref: int, signature: Signature, argument: int) -> int:
            given = (ctypes.c_uint64 * 1)(argument)
            store, context = ctypes.addressof(native.store), ctypes.addressof(native.context)
            address = ctypes.addressof(given)
            return native.thunk(signature)(store, funcref, context, address, address)

        top = native.get_store("wasm_sp")
        parked = []
        for number in (3, 5):
            assert enter(funcref, signature, number) == STATUS_SUSPENDED
            frame = native.get_store("trap_fp")
            parked.append((number, frame, ctypes.string_at(frame, top - frame)))
        ctypes.memset(native.stack_base + 4096, 0xAA, top - native.stack_base - 4096)
        resume = native.funcref(native.stubs_base + native.stubs.resume_entry)
        for number, frame, words in parked:
            ctypes.memmove(frame, words, len(words))
            native.set_store("wasm_sp", frame)
            assert enter(resume, signature, frame) == STATUS_OK
            assert native.get_store("exception") == passed(number, number + 1000)
            native.set_store("wasm_sp", top)

    def test_calls_of_c_functions_between(self, native: Native) -> None:
        """The stack pointer is right after landing: for calls on the C stack, and for the stack's limit."""
        import ctypes

        prototype = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_uint64)
        double = prototype(lambda value: 2 * value)
        address = ctypes.cast(double, ctypes.c_void_p).value
        assert address is not None
        target = address
        function = Function("native", _ONE)
        b = Builder(function)
        entry, following, pad = b.new_block(), b.new_block(), b.new_block()
        x = b.append_param(entry, I64)
        b.switch_to(entry)
        slot = b.stack_slot(64)
        b.store(op.STORE, slot, x, 32)
        b.call(0, _ONE, [x])
        b.invoke(following, pad)
        b.switch_to(following)
        b.ret([x])
        b.switch_to(pad)
        doubled = b.call_native(b.const(I64, target), _ONE, [thrown(b)])
        kept = b.load(op.LOAD, I64, slot, 32)
        b.ret([raw(b, op.IADD, I64, [raw(b, op.IMUL, I64, [doubled, b.const(I64, 100)]), kept])])
        native.define(0, thrower())
        caller = native.define(1, function)
        assert native.call(caller, _ONE, (7,)) == (1407,)

    def test_large_distance_to_a_landing_pad(self, native: Native) -> None:
        """More than a megabyte between the call and its landing pad."""
        function = Function("far", _ONE)
        b = Builder(function)
        entry, following, pad = b.new_block(), b.new_block(), b.new_block()
        x = b.append_param(entry, I64)
        b.switch_to(entry)
        result = b.call(0, _ONE, [x])
        b.invoke(following, pad)
        b.switch_to(following)
        total: Inst = result
        for k in range(60_000):
            total = raw(b, op.IMUL, I64, [total, b.const(I64, 0x1234_5678_9ABC_DEF1 + 2 * k)])
        b.ret([total])
        b.switch_to(pad)
        b.ret([raw(b, op.IADD, I64, [thrown(b), x])])
        native.define(0, thrower())
        caller = native.define(1, function)
        assert native.call(caller, _ONE, (7,)) == (14,)
