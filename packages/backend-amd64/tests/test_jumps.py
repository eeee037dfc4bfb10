"""Jumps forward become short when their target is bound, and what comes between moves: nothing may be left behind."""

from __future__ import annotations

import random

import pytest

from wasm_backend_amd64 import Amd64Backend
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.backend import CompiledCode
from wasm_ir.builder import Builder
from wasm_ir.ir import Function, Inst, Signature
from wasm_ir.passes.loops import find_loops
from wasm_ir.testing.native_code import Native, raw

I32 = types.I32
SIGNATURE = Signature((I32, I32), (I32,))
MASK = 0xFFFF_FFFF

BACKEND = Amd64Backend(())


def over(count: int) -> CompiledCode:
    """A branch over so many instructions."""
    b = Builder(Function("test", SIGNATURE))
    entry, then, after = b.new_block(), b.new_block(), b.new_block()
    x, y = b.append_param(entry, I32), b.append_param(entry, I32)
    b.switch_to(entry)
    b.brif(y, after, [], then, [])
    b.switch_to(then)
    changed = x
    for number in range(count):
        changed = raw(b, op.XOR, I32, [changed, b.const(I32, 0x1234_0000 + number)])
    b.ret([changed])
    b.switch_to(after)
    b.ret([x])
    return BACKEND.compile(b.function)


def test_a_jump_is_short_when_its_target_is_near_enough() -> None:
    kinds = set()
    for count in range(10, 40):
        code = over(count).code
        at = code.index(b"\x85\xf6") + 2  # test esi, esi
        if code[at] == 0x0F:
            kinds.add("long")
            assert int.from_bytes(code[at + 2 : at + 6], "little", signed=True) > 127
        else:
            kinds.add("short")
            assert code[at] & 0xF0 == 0x70 and 0 < code[at + 1] <= 127
    assert kinds == {"long", "short"}


class Program:
    """Blocks that change a number and branch on it, forward or back, until so many have run; some call function 1."""

    def __init__(self, seed: int) -> None:
        chosen = random.Random(seed)
        self.count = chosen.randrange(3, 20)
        longest = chosen.choice((2, 6, 20))
        #: Of each block: what is done to the number, the bit that decides, both targets, whether it calls.
        self.blocks = []
        gates = [0]
        for number in range(self.count):
            # Nothing jumps over a gate, so that all that comes later may go back there.
            if chosen.random() < 0.3:
                gates.append(number)
        for number in range(self.count):
            last = min([gate for gate in gates if gate > number], default=self.count)
            targets = [
                chosen.choice([gate for gate in gates if gate <= number])
                if chosen.random() < 0.2
                else chosen.randrange(number + 1, last + 1)
                for _ in range(2)
            ]
            changes = [chosen.choice((chosen.randrange(1, 100), chosen.getrandbits(31))) for _ in range(longest)]
            changes = changes[: chosen.randrange(longest + 1)]
            self.blocks.append((changes, chosen.randrange(8), targets, chosen.random() < 0.2))

    def run(self, x: int, left: int) -> int:
        number = 0
        while number < self.count and left:
            changes, bit, targets, calls = self.blocks[number]
            for change in changes:
                x = (x + change ^ 0x55) & MASK
            if calls:
                x ^= 0x99
            left -= 1
            number = targets[x >> bit & 1]
        return x

    def build(self) -> Function:
        b = Builder(Function("test", SIGNATURE))
        entry = b.new_block()
        first = [b.append_param(entry, I32) for _ in range(2)]
        heads = [b.new_block() for _ in range(self.count + 1)]
        params = [[b.append_param(head, I32) for _ in range(2)] for head in heads]
        b.switch_to(entry)
        b.jump(heads[0], first)
        for number, (changes, bit, targets, calls) in enumerate(self.blocks):
            b.switch_to(heads[number])
            x, left = params[number]
            body = b.new_block()
            b.brif(left, body, [], heads[self.count], [x, left])
            b.switch_to(body)
            for change in changes:
                x = raw(b, op.IADD, I32, [x, b.const(I32, change)])
                x = raw(b, op.XOR, I32, [x, b.const(I32, 0x55)])
            if calls:
                b.offset = 0x1000 + number
                x = b.call(1, Signature((I32,), (I32,)), [x])
            left = raw(b, op.ISUB, I32, [left, b.const(I32, 1)])
            chosen = raw(b, op.AND, I32, [raw(b, op.SHR_U, I32, [x, b.const(I32, bit)]), b.const(I32, 1)])
            b.brif(chosen, heads[targets[1]], [x, left], heads[targets[0]], [x, left])
        b.switch_to(heads[self.count])
        b.ret([params[self.count][0]])
        find_loops(b.function)
        return b.function


def callee() -> Function:
    b = Builder(Function("callee", Signature((I32,), (I32,))))
    entry = b.new_block()
    x: Inst = b.append_param(entry, I32)
    b.switch_to(entry)
    b.ret([b.binary(op.XOR, I32, x, b.const(I32, 0x99))])
    return b.function


@pytest.mark.parametrize("seed", range(20))
def test_programs_of_branches(seed: int) -> None:
    program = Program(seed)
    compiled = Amd64Backend(()).compile(program.build())
    calls = [pc for pc, offset in zip(compiled.pcs, compiled.wasm_offsets) if offset >= 0x1000]
    # The table of pcs and the relocations moved with the calls.
    assert [relocation.offset + 4 for relocation in compiled.relocations] == calls
    assert all(compiled.code[pc - 6 : pc - 4] == b"\xff\x15" for pc in calls)
    native = Native(Amd64Backend(()))
    native.define(1, callee())
    funcref = native.define(0, program.build())
    for x in (0, 1, 0x1234_5678, MASK):
        for left in (0, 1, 7, 50):
            (result,) = native.call(funcref, SIGNATURE, (x, left))
            assert result & MASK == program.run(x, left)
