"""Functions so large that short forms of branches, addresses and constants do not reach, run.

On AArch64 the borders are 32 KiB (tbz), and 1 MiB (b.cond, cbz, adr, literals); elsewhere this is any large function.
"""

from __future__ import annotations

import math
import struct

import pytest

from wasm_core.errors import TrapCode
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.builder import Builder
from wasm_ir.ir import Block, Function, Signature
from wasm_ir.testing.fixtures import BackendFixtures
from wasm_ir.testing.native_code import Native, Trapped, build, raw
from wasm_ir.vmcontext import CONTEXT

I32, I64, F64 = types.I32, types.I64, types.F64

_SIGNATURE = Signature((I32, I32, F64), (I64,))
#: Takes its arguments, constants without a short form, from the stack: more bytes of code than anything else.
_MANY = Signature((I64,) * 108, ())
_LARGE = 0x1234_5678_9ABC_DEF0
_TRAP_OFFSET = 0x777


def bits(number: float) -> int:
    return int(struct.unpack("<Q", struct.pack("<d", number))[0])


def filler(b: Builder, calls: int) -> None:
    """Code that takes room, about 1 KB for each call."""
    for call in range(calls):
        b.call(0, _MANY, [b.const(I64, _LARGE + call * 0x1_0001_0001 + n) for n in range(len(_MANY.params))])


def large(calls: int) -> Function:
    """A loop of choices, with all of the filler between them and what they lead to."""
    function = Function("large", _SIGNATURE)
    b = Builder(function)
    blocks: list[Block] = [b.new_block() for _ in range(9)]
    entry, header, second, third, fourth, table, middle, again, done = blocks
    x, limit, f = (b.append_param(entry, value_type) for value_type in _SIGNATURE.params)
    i, total = b.append_param(header, I32), b.append_param(header, I64)
    more = b.append_param(again, I64)
    header.is_loop_header = True
    for block in blocks[1:-1]:
        block.loop_depth = 1
    far = [b.new_block() for _ in range(7)]
    for block in far:
        block.loop_depth = 1
    b.switch_to(entry)
    b.jump(header, [x, b.const(I64, 0)])
    b.switch_to(header)
    b.poll()
    b.offset = _TRAP_OFFSET
    b.trap_if(raw(b, op.ICMP, I32, [i, b.const(I32, 99)], op.EQ), TrapCode.INTEGER_OVERFLOW)
    b.brif(raw(b, op.ICMP, I32, [i, b.const(I32, 1000)], op.GT_U), far[0], [], second, [])
    b.switch_to(second)
    b.brif(raw(b, op.AND, I32, [i, b.const(I32, 8)]), far[1], [], third, [])
    b.switch_to(third)
    b.brif(i, fourth, [], far[2], [])
    b.switch_to(fourth)
    b.brif(raw(b, op.FCMP, I32, [f, b.const(F64, bits(2.5))], op.FNE), far[3], [], table, [])
    b.switch_to(table)
    b.br_table(i, [(far[4], []), (far[4], []), (far[5], []), (far[6], []), (middle, [])])
    b.switch_to(middle)
    filler(b, calls)
    b.jump(again, [b.const(I64, 7)])
    for number, block in enumerate(far):
        b.switch_to(block)
        b.jump(again, [b.const(I64, _LARGE << number & types.MASKS[I64])])
    b.switch_to(again)
    summed = raw(b, op.IADD, I64, [total, more])
    left = raw(b, op.IADD, I32, [i, b.const(I32, 0xFFFF_FFFF)])
    b.brif(raw(b, op.ICMP, I32, [left, limit], op.NE), header, [left, summed], done, [])
    b.switch_to(done)
    b.ret([summed])
    return function


def model(x: int, limit: int, f: float) -> int:
    """The same in Python."""
    total = 0
    while True:
        if x > 1000:
            chosen = 0
        elif x & 8:
            chosen = 1
        elif x == 0:
            chosen = 2
        elif f != 2.5 or math.isnan(f):
            chosen = 3
        else:
            chosen = (4, 4, 5, 6)[x] if x < 4 else -1
        total += 7 if chosen < 0 else _LARGE << chosen & types.MASKS[I64]
        x = (x - 1) & types.MASKS[I32]
        if x == limit:
            return total & types.MASKS[I64]


def needs_border(native: Native) -> None:
    """Skips where nothing changes at 1 MiB; such functions take a while to compile."""
    if native.backend.name == "amd64":
        pytest.skip("displacements of x86-64 reach 2 GiB")


class LargeTests(BackendFixtures):
    """Functions in which short forms do not reach."""

    @pytest.mark.parametrize("least", [1 << 15, 1 << 20], ids=["32KiB", "1MiB"])
    def test_large_function(self, native: Native, least: int) -> None:
        """Every kind of reference that a function has to its own code, as far as it gets, there and back."""
        if least > 1 << 15:
            needs_border(native)
        native.define(0, build(_MANY, lambda b, params: []))
        address, compiled = native.place(large(least // 700))
        assert len(compiled.code) > least
        funcref = native.funcref(address)
        for x, limit in ((1002, 998), (15, 6), (3, 0), (2, 0xFFFF_FFFE), (0, 0xFFFF_FFFF), (5, 3)):
            for f in (2.5, 3.0, math.nan):
                assert native.call(funcref, _SIGNATURE, (x, limit, bits(f))) == (model(x, limit, f),), (x, limit, f)
        with pytest.raises(Trapped) as caught:
            native.call(funcref, _SIGNATURE, (100, 98, 0))
        assert caught.value.code is TrapCode.INTEGER_OVERFLOW
        assert native.wasm_offset(caught.value.pc, of_call=True) == _TRAP_OFFSET
        limits = native.context[CONTEXT["stack_limit"] // 8], native.get_store("stack_limit")
        native.context[CONTEXT["stack_limit"] // 8] = native.stack_base + (1 << 20)
        native.set_store("stack_limit", native.stack_base + (1 << 20))
        try:
            with pytest.raises(Trapped) as caught:
                native.call(funcref, _SIGNATURE, (3, 0, 0))
        finally:
            native.context[CONTEXT["stack_limit"] // 8] = limits[0]
            native.set_store("stack_limit", limits[1])
        assert caught.value.code is TrapCode.CALL_STACK_EXHAUSTED

    def test_large_table(self, native: Native) -> None:
        """A jump table of more than 1 MiB between the code and its constants, and the address of another behind it."""
        needs_border(native)
        count = (1 << 18) + 100
        function = Function("table", Signature((I32, I32), (I64,)))
        b = Builder(function)
        entry, other = b.new_block(), b.new_block()
        x, y = b.append_param(entry, I32), b.append_param(entry, I32)
        ends = [b.new_block() for _ in range(4)]
        b.switch_to(entry)
        b.br_table(x, [*((ends[n % 3], []) for n in range(count)), (other, [])])
        b.switch_to(other)
        b.br_table(y, [(ends[n % 4], []) for n in (3, 2, 1, 0)])
        for number, block in enumerate(ends):
            b.switch_to(block)
            b.ret([b.const(I64, _LARGE + number)])
        funcref = native.define(0, function)
        for x_value in (0, 1, 2, count - 1, 1 << 17):
            assert native.call(funcref, function.signature, (x_value, 0)) == (_LARGE + x_value % 3,)
        for y_value in range(5):
            expected = _LARGE + max(0, 3 - y_value)
            assert native.call(funcref, function.signature, (count, y_value)) == (expected,)
            assert native.call(funcref, function.signature, (0xFFFF_FFFF, y_value)) == (expected,)
