"""Branches, traps, calls and conventions, run."""

from __future__ import annotations

import ctypes
import random
from typing import Any

import pytest

from wasm_core.errors import CompileError, TrapCode
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.backend import c_convention, supports_vectors
from wasm_ir.builder import Builder
from wasm_ir.ir import ABI_C, ABI_WASM, Function, Inst, Signature
from wasm_ir.testing.fixtures import BackendFixtures
from wasm_ir.testing.native_code import Native, Trapped, build, raw
from wasm_ir.vmcontext import CONTEXT, FUNCREF, STATUS_EXCEPTION

I32, I64, F32, F64 = types.I32, types.I64, types.F32, types.F64


def code_of(call: Any) -> TrapCode:
    """The code of the trap that a call ends in."""
    with pytest.raises(Trapped) as caught:
        call()
    return caught.value.code


# Calls.


def _mixed_types(count: int, seed: int) -> tuple[int, ...]:
    chosen = random.Random(seed)
    return tuple(chosen.choice((I32, I64, F32, F64)) for _ in range(count))


class ControlTests(BackendFixtures):
    """Branches, traps, calls and conventions."""

    # Branches.

    @pytest.mark.parametrize("then_next", [True, False], ids=["then", "else"])
    @pytest.mark.parametrize("condition", range(10), ids=op.ICMP_NAMES)
    def test_branches_on_integers(self, native: Native, condition: int, then_next: bool) -> None:
        """Whichever target follows in the code."""
        function = Function("test", Signature((I64, I64), (I32,)))
        b = Builder(function)
        entry, then, otherwise = b.new_block(), b.new_block(), b.new_block()
        x, y = b.append_param(entry, I64), b.append_param(entry, I64)
        b.switch_to(entry)
        b.brif(raw(b, op.ICMP, I32, [x, y], condition), then, [], otherwise, [])
        for block in (then, otherwise) if then_next else (otherwise, then):
            b.switch_to(block)
            b.ret([b.const(I32, 5 if block is then else 6)])
        funcref = native.define(0, function)
        for p in (0, 1, (1 << 64) - 1, 1 << 63):
            for q in (0, 1, (1 << 64) - 1, 1 << 63):
                sp, sq = (value - (1 << 64) if value >> 63 else value for value in (p, q))
                holds = (p == q, p != q, sp < sq, sp >= sq, sp > sq, sp <= sq, p < q, p >= q, p > q, p <= q)[condition]
                assert native.call(funcref, function.signature, (p, q)) == (5 if holds else 6,)

    @pytest.mark.parametrize("order", [(0, 1), (1, 0), (2, 0, 1)], ids=["then", "else", "far"])
    @pytest.mark.parametrize("condition", range(6), ids=op.FCMP_NAMES)
    def test_branches_on_floats(self, native: Native, condition: int, order: tuple[int, ...]) -> None:
        """With NaNs, whichever target follows in the code, or none."""
        function = Function("test", Signature((F64, F64), (I32,)))
        b = Builder(function)
        entry, then, otherwise, other = b.new_block(), b.new_block(), b.new_block(), b.new_block()
        x, y = b.append_param(entry, F64), b.append_param(entry, F64)
        b.switch_to(entry)
        if len(order) == 3:
            middle = b.new_block()
            b.brif(raw(b, op.FCMP, I32, [x, x], op.FEQ), middle, [], other, [])
            # `other` is emitted behind `middle`, whose targets are further on.
            b.switch_to(middle)
        b.brif(raw(b, op.FCMP, I32, [x, y], condition), then, [], otherwise, [])
        targets = (then, otherwise, other)
        for number in order:
            b.switch_to(targets[number])
            b.ret([b.const(I32, 5 + number)])
        funcref = native.define(0, function)
        numbers = {0: 0.0, 1 << 63: -0.0, 0x3FF0 << 48: 1.0, 0x7FF0 << 48: float("inf"), 0x7FF8 << 48: float("nan")}
        for p, fp in numbers.items():
            for q, fq in numbers.items():
                holds = (fp == fq, fp != fq, fp < fq, fp > fq, fp <= fq, fp >= fq)[condition]
                expected = 5 if holds else 6
                if len(order) == 3 and fp != fp:
                    expected = 7
                assert native.call(funcref, function.signature, (p, q)) == (expected,), (fp, fq)

    def test_loop_with_arguments_on_both_edges(self, native: Native) -> None:
        """Fibonacci, with swapping parameters and an exit edge that carries a value."""
        function = Function("fib", Signature((I32,), (I64,)))
        b = Builder(function)
        entry, loop, done = b.new_block(), b.new_block(), b.new_block()
        n = b.append_param(entry, I32)
        i, x, y = b.append_param(loop, I32), b.append_param(loop, I64), b.append_param(loop, I64)
        result = b.append_param(done, I64)
        loop.is_loop_header = True
        loop.loop_depth = 1
        b.switch_to(entry)
        b.jump(loop, [n, b.const(I64, 0), b.const(I64, 1)])
        b.switch_to(loop)
        total = raw(b, op.IADD, I64, [x, y])
        left = raw(b, op.IADD, I32, [i, b.const(I32, 0xFFFF_FFFF)])
        b.brif(left, loop, [left, y, total], done, [y])
        b.switch_to(done)
        b.ret([result])
        funcref = native.define(0, function)
        assert [native.call(funcref, function.signature, (k,))[0] for k in (1, 2, 3, 10, 90)] == [
            1,
            1,
            2,
            55,
            2880067194370816120,
        ]

    @pytest.mark.parametrize("count", [3, 4, 10, 300])
    def test_br_table(self, native: Native, count: int) -> None:
        """Some targets take an argument, some are repeated, the last is the default."""
        function = Function("table", Signature((I32,), (I32,)))
        b = Builder(function)
        entry = b.new_block()
        index = b.append_param(entry, I32)
        b.switch_to(entry)
        join = b.new_block()
        value = b.append_param(join, I32)
        blocks = [b.new_block() for _ in range(count)]
        targets = [(join, [b.const(I32, 1000 + k)]) if k % 3 == 0 else (blocks[k // 2], []) for k in range(count)]
        b.br_table(index, targets)
        for k in {k // 2 for k in range(count) if k % 3}:
            b.switch_to(blocks[k])
            b.ret([b.const(I32, k)])
        b.switch_to(join)
        b.ret([value])
        funcref = native.define(0, function)
        for k in [*range(count), count, count + 1, 1 << 31, (1 << 32) - 1]:
            target = min(k, count - 1)
            expected = 1000 + target if target % 3 == 0 else target // 2
            assert native.call(funcref, function.signature, (k,)) == (expected,), k

    # Traps.

    @pytest.mark.parametrize("code", list(TrapCode), ids=lambda c: c.name)
    def test_trap_codes_and_places(self, native: Native, code: TrapCode) -> None:
        """A trap that depends on a comparison, one that does not; the pc leads to the instruction's offset."""

        def conditional(b: Builder, p: list[Inst]) -> list[Inst]:
            b.offset = 100
            b.trap_if(raw(b, op.ICMP, I32, [p[0], b.const(I32, 7)], op.EQ), code)
            b.offset = 200
            b.trap_if(raw(b, op.ICMP, I32, [p[0], b.const(I32, 8)], op.EQ), code)
            return [p[0]]

        def unconditional(b: Builder, p: list[Inst]) -> list[Inst]:
            b.offset = 300
            b.trap(code)
            return []

        signature = Signature((I32,), (I32,))
        function = native.function(signature, conditional)
        assert function(6) == (6,)
        always = native.function(signature, unconditional)
        for call, argument, offset in ((function, 7, 100), (function, 8, 200), (always, 0, 300)):
            with pytest.raises(Trapped) as caught:
                call(argument)
            assert caught.value.code is code
            assert native.wasm_offset(caught.value.pc, False) == offset
            frame = native.get_store("trap_fp")
            assert native.stack_base < frame < native.stack_base + (1 << 20)

    @pytest.mark.parametrize("condition", range(6), ids=op.FCMP_NAMES)
    def test_traps_on_floats(self, native: Native, condition: int) -> None:
        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            b.trap_if(raw(b, op.FCMP, I32, p, condition), TrapCode.UNREACHABLE)
            return []

        function = native.function(Signature((F64, F64), ()), body)
        numbers = {0: 0.0, 0x3FF0 << 48: 1.0, 0x7FF8 << 48: float("nan")}
        for p, fp in numbers.items():
            for q, fq in numbers.items():
                if (fp == fq, fp != fq, fp < fq, fp > fq, fp <= fq, fp >= fq)[condition]:
                    assert code_of(lambda p=p, q=q: function(p, q)) is TrapCode.UNREACHABLE
                else:
                    assert function(p, q) == ()

    @pytest.mark.parametrize("condition", range(op.LT_U, op.LE_U + 1), ids=op.ICMP_NAMES[op.LT_U :])
    @pytest.mark.parametrize("bits", [31, 32, 33, 34, 63, 64])
    def test_traps_on_high_bits(self, native: Native, bits: int, condition: int) -> None:
        """As indices of 64-bit memories are checked, and their neighbours."""
        all_ones = (1 << 64) - 1
        for number in ((1 << bits) - 2, (1 << bits) - 1, 1 << bits):
            if number >> 64:
                continue

            def body(b: Builder, p: list[Inst], number: int = number) -> list[Inst]:
                b.trap_if(raw(b, op.ICMP, I32, [p[0], b.const(I64, number)], condition), TrapCode.UNREACHABLE)
                return []

            function = native.function(Signature((I64,), ()), body)
            for x in {0, number - 1, number, number + 1 & all_ones, 1 << 33, 1 << 34, 1 << 63, all_ones}:
                holds = {op.LT_U: x < number, op.GE_U: x >= number, op.GT_U: x > number, op.LE_U: x <= number}
                if holds[condition]:
                    assert code_of(lambda x=x, f=function: f(x)) is TrapCode.UNREACHABLE
                else:
                    assert function(x) == ()

    def test_traps_come_in_order(self, native: Native) -> None:
        """A division whose result nobody needs still traps, and before what follows it."""

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            raw(b, op.DIV_U, I32, [p[0], p[1]])
            b.trap_if(raw(b, op.ICMP, I32, [p[0], b.const(I32, 0)], op.EQ), TrapCode.UNREACHABLE)
            raw(b, op.DIV_U, I32, [p[0], b.const(I32, 0)])
            return []

        function = native.function(Signature((I32, I32), ()), body)
        assert code_of(lambda: function(0, 0)) is TrapCode.INTEGER_DIVIDE_BY_ZERO
        assert code_of(lambda: function(0, 1)) is TrapCode.UNREACHABLE
        assert code_of(lambda: function(1, 1)) is TrapCode.INTEGER_DIVIDE_BY_ZERO

    def test_unwind(self, native: Native) -> None:
        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            b.offset = 70
            b.unwind(b.const(I32, STATUS_EXCEPTION))
            return []

        signature = Signature((), ())
        address, _ = native.place(build(signature, body))
        none = ctypes.c_uint64(0)
        status = native.thunk(signature)(
            ctypes.addressof(native.store),
            native.funcref(address),
            ctypes.addressof(native.context),
            ctypes.addressof(none),
            ctypes.addressof(none),
        )
        assert status == STATUS_EXCEPTION
        assert native.wasm_offset(native.get_store("trap_pc"), False) == 70

    @pytest.mark.parametrize("count", [0, 1, 6, 7, 9, 14, 15, 16, 17, 25, 40])
    def test_parameters_and_results(self, native: Native, count: int) -> None:
        """A function that gives back its parameters in reverse, through a caller that passes them on in reverse."""
        parameters = _mixed_types(count, count)
        signature = Signature(parameters, parameters[::-1])
        native.define(0, build(signature, lambda b, p: p[::-1]))

        def twice(b: Builder, p: list[Inst]) -> list[Inst]:
            first = b.call(0, signature, p)
            results = [b.result(first, i) for i in range(count)]
            second = b.call(0, signature, results[::-1])
            return [b.result(second, i) for i in range(count)]

        function = native.function(signature, twice)
        arguments = [(0x1111_2222_3333_4444 * (i + 1) + i) & types.MASKS[t] for i, t in enumerate(parameters)]
        assert function(*arguments) == tuple(arguments[::-1])

    @pytest.mark.parametrize("count", [3, 12, 30])
    def test_values_live_across_calls(self, native: Native, count: int) -> None:
        """More of them than callee-saved registers, of both classes; only some results are used."""
        signature = Signature((I64, F64), (I64, F64, I64))
        native.define(
            1,
            build(
                signature,
                lambda b, p: [raw(b, op.IADD, I64, [p[0], b.const(I64, 1)]), raw(b, op.FADD, F64, [p[1], p[1]]), p[0]],
            ),
        )

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            integers = [raw(b, op.IADD, I64, [p[0], b.const(I64, i)]) for i in range(count)]
            floats = [raw(b, op.FMUL, F64, [p[1], raw(b, op.ITOF_S, F64, [value])]) for value in integers]
            call = b.call(1, signature, [p[0], p[1]])
            total, real = b.result(call, 2), b.result(call, 1)
            for integer, number in zip(integers, floats):
                total = raw(b, op.IADD, I64, [total, integer])
                real = raw(b, op.FADD, F64, [real, number])
            return [total, raw(b, op.FTOI_S, I64, [real])]

        function = native.function(Signature((I64, F64), (I64, I64)), body)
        two = 0x4000 << 48
        integers = [5 + i for i in range(count)]
        assert function(5, two) == (5 + sum(integers), 4 + 2 * sum(integers))

    def test_recursion_and_stack_exhaustion(self, native: Native) -> None:
        """Depth is limited by the stack limit, at the call that goes too far, and the store is usable afterwards."""
        signature = Signature((I32,), (I32,))
        function = Function("depth", signature)
        b = Builder(function)
        entry, more, done = b.new_block(), b.new_block(), b.new_block()
        n = b.append_param(entry, I32)
        b.switch_to(entry)
        b.brif(n, more, [], done, [])
        b.switch_to(more)
        b.offset = 500
        call = b.call(2, signature, [raw(b, op.IADD, I32, [n, b.const(I32, 0xFFFF_FFFF)])])
        b.ret([raw(b, op.IADD, I32, [call, b.const(I32, 1)])])
        b.switch_to(done)
        b.ret([n])
        funcref = native.define(2, function)
        assert native.call(funcref, signature, (1000,)) == (1000,)
        assert code_of(lambda: native.call(funcref, signature, (1 << 20,))) is TrapCode.CALL_STACK_EXHAUSTED
        frame = native.get_store("trap_fp")
        limit = native.stack_base + (1 << 18)
        assert limit - 64 < frame < limit + 64
        # The return addresses on the stack are in the pc table.
        return_address = ctypes.c_uint64.from_address(frame + 8).value
        assert native.wasm_offset(return_address, True) == 500
        assert native.call(funcref, signature, (1000,)) == (1000,)

    def test_large_frames_are_checked_before_use(self, native: Native) -> None:
        """A frame larger than what is left of the stack traps without touching memory below the limit."""

        def body(size: int) -> Any:
            def build(b: Builder, p: list[Inst]) -> list[Inst]:
                slot = b.stack_slot(size)
                b.store(op.STORE, slot, p[0], 0)
                return [b.load(op.LOAD, I64, slot, 0)]

            return build

        signature = Signature((I64,), (I64,))
        assert native.function(signature, body(100_000))(5) == (5,)
        assert code_of(lambda: native.function(signature, body(1 << 20))(5)) is TrapCode.CALL_STACK_EXHAUSTED

    def test_calls_through_references_change_and_restore_the_context(self, native: Native) -> None:
        """Two instances with memories of their own: each sees its own, before and after the call."""
        other_memory = native.new_memory(64)
        other_context = native.new_context(other_memory)
        signature = Signature((I64,), (I64,))

        def load(b: Builder) -> Inst:
            return b.load(op.HEAP_LOAD, I64, raw(b, op.IADD, I64, [b.memory_base(), b.const(I64, 8)]), 0)

        address, _ = native.place(
            build(signature, lambda b, p: [raw(b, op.IADD, I64, [load(b), raw(b, op.IADD, I64, [p[0], b.vmctx()])])])
        )
        funcref = native.funcref(address, other_context)
        native.memory[8:16] = (1000).to_bytes(8, "little")
        other_memory[8:16] = (77).to_bytes(8, "little")

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            before = load(b)
            result = b.call_ref(p[0], signature, [p[1]])
            return [before, result, load(b), b.vmctx()]

        function = native.function(Signature((I64, I64), (I64,) * 4), body)
        own, others = ctypes.addressof(native.context), ctypes.addressof(other_context)
        assert function(funcref, 5) == (1000, 77 + 5 + others, 1000, own)

    def test_calls_through_own_funcrefs_keep_what_is_pinned(self, native: Native) -> None:
        """A function of the same instance finds both pinned, also where the funcref itself does not say so."""

        def pinned(b: Builder) -> list[Inst]:
            return [b.vmctx(), b.memory_base()]

        signature = Signature((I64,), (I64,) * 3)
        address, _ = native.place(build(signature, lambda b, p: [*pinned(b), p[0]]))
        funcref = native.funcref(address, native.new_context(native.new_memory(64)))

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            called = b.call_ref(p[0], signature, [p[1]], own=True)
            return [called, *called.results, *pinned(b)]

        function = native.function(Signature((I64, I64), (I64,) * 5), body)
        own, memory = function(funcref, 5)[3:]
        assert function(funcref, 5) == (own, memory, 5, own, memory)

    def test_native_calls_switch_stacks(self, native: Native) -> None:
        """All six integer and eight float arguments, on the C stack; values of the caller survive."""
        seen: list[Any] = []
        word, real = ctypes.c_uint64, ctypes.c_double
        prototype = ctypes.CFUNCTYPE(word, *[word] * 6, *[real] * 8)

        def record(*arguments: Any) -> int:
            seen.append(arguments)
            seen.append(native.get_store("wasm_sp"))
            return 0xFFFF_FFFF_0000_0005

        callback = prototype(record)
        pointer = ctypes.cast(callback, ctypes.c_void_p).value
        assert pointer is not None
        integers, floats = (I64,) * 6, (F64,) * 8
        signature = Signature((*integers, *floats), (I32,))

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            kept = [raw(b, op.IADD, I64, [p[0], b.const(I64, i)]) for i in range(8)]
            reals = [raw(b, op.ITOF_S, F64, [value]) for value in kept]
            call = b.call_native(b.const(I64, pointer), signature, [b.vmctx(), *kept[:5], *reals])
            total = raw(b, op.EXTEND_U, I64, [call])
            for value in kept:
                total = raw(b, op.IADD, I64, [total, value])
            return [total]

        function = native.function(Signature((I64,), (I64,)), body)
        assert function(10) == (5 + 8 * 10 + 28,)
        arguments, stack_pointer = seen
        assert arguments[:6] == (ctypes.addressof(native.context), 10, 11, 12, 13, 14)
        assert arguments[6:] == tuple(float(10 + i) for i in range(8))
        assert native.stack_base < stack_pointer < native.stack_base + (1 << 20)

    def test_host_call_thunks_get_their_funcref(self, native: Native) -> None:
        """A function that uses its callee has one entry and keeps the caller's context."""
        signature = Signature((I64,), (I64,))

        def thunk(b: Builder, p: list[Inst]) -> list[Inst]:
            callee = b.callee()
            host = b.load(op.LOAD, I64, callee, FUNCREF["host"])
            store = b.load(op.LOAD, I64, b.vmctx(), CONTEXT["store"])
            return [raw(b, op.IADD, I64, [p[0], raw(b, op.IADD, I64, [host, store])])]

        function = build(signature, thunk)
        address, compiled = native.place(function)
        assert compiled.entry == 0
        fields = (ctypes.c_uint64 * 4)(address, 0, 0, 4000)
        result = native.call(ctypes.addressof(fields), signature, (5,))
        assert result == (4005 + ctypes.addressof(native.store),)

    def test_c_functions(self, native: Native) -> None:
        """Narrow parameters come with garbage above them; callee-saved registers survive."""
        signature = Signature((I64, I32, I64, I32, I64, I64), (I64,))

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            total = p[0]
            for value in p[1:]:
                wide = value if value.type == I64 else raw(b, op.EXTEND_U, I64, [value])
                total = raw(b, op.IADD, I64, [raw(b, op.IMUL, I64, [total, b.const(I64, 10)]), wide])
            return [total]

        function = native.c_function(build(signature, body, ABI_C))
        assert function(1, 2 | 0xDEAD << 32, 3, 4 | 0xBEEF << 40, 5, 6) == 123456

    def test_nested_entries(self, native: Native) -> None:
        """WebAssembly calls C, C enters WebAssembly again, which traps: the outer function goes on."""
        unary = Signature((I64,), (I64,))
        trapping = native.define(3, build(unary, lambda b, p: [raw(b, op.DIV_U, I64, [p[0], p[0]])]))
        outcomes: list[object] = []

        def again(argument: int) -> int:
            try:
                outcomes.append(native.call(trapping, unary, (argument,)))
            except Trapped as trapped:
                outcomes.append(trapped.code)
            return argument + 1

        callback = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_uint64)(again)
        pointer = ctypes.cast(callback, ctypes.c_void_p).value
        assert pointer is not None

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            signature = Signature((I64,), (I64,))
            kept = [raw(b, op.IMUL, I64, [p[0], b.const(I64, i + 7)]) for i in range(6)]
            total: Inst = b.call_native(b.const(I64, pointer), signature, [p[0]])
            total = b.call_native(b.const(I64, pointer), signature, [total])
            for value in kept:
                total = raw(b, op.IADD, I64, [total, value])
            return [total]

        function = native.function(Signature((I64,), (I64,)), body)
        assert function(0) == (2,)
        assert outcomes == [TrapCode.INTEGER_DIVIDE_BY_ZERO, (1,)]
        before = [native.get_store(field) for field in ("wasm_sp", "entry_fp")]
        assert function(0) == (2,)
        assert [native.get_store(field) for field in ("wasm_sp", "entry_fp")] == before
        assert native.get_store("entry_fp") == 0

    # What there is not.

    def test_too_many_arguments_for_c(self, native: Native) -> None:
        if c_convention(native.backend) == "windows":
            pytest.skip("C functions may have arguments on the stack")
        signature = Signature((I64,) * 9, ())

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            b.call_native(p[0], signature, [p[0]] * 9)
            return []

        with pytest.raises(CompileError, match="stack"):
            native.function(Signature((I64,), ()), body)

    def test_vectors_are_refused(self, native: Native) -> None:
        if supports_vectors(native.backend):
            pytest.skip("the backend has vectors")

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            raw(b, op.HEAP_LOAD, types.V128, [p[0]])
            return []

        with pytest.raises(CompileError, match="v128"):
            native.function(Signature((I64,), ()), body)

    def test_slots_out_of_reach(self, native: Native) -> None:
        compiled = native.backend.compile(
            build(Signature((), ()), lambda b, p: [b.call(5, Signature((), ()), [])][:0], ABI_WASM)
        )
        assert [relocation.target for relocation in compiled.relocations] == [5]
        with pytest.raises(CompileError, match="reach"):
            native.backend.relocate(bytearray(compiled.code), 1 << 40, compiled.relocations, 1 << 20)
