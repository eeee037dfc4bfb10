"""Loops that are unrolled: they mean what they meant, poll once in several rounds, and only small ones grow."""

from __future__ import annotations

from random import Random
from textwrap import dedent

import wasm_programs as w
from ir_interpreter import Instance, TrapError
from test_builder import start

from wasm_core.decoder import decode
from wasm_ir import opcodes as op
from wasm_ir.frontend import FrontendOptions
from wasm_ir.ir import Function
from wasm_ir.passes import unroll
from wasm_ir.passes.loops import find_loops
from wasm_ir.printer import format_function
from wasm_ir.types import I32
from wasm_ir.verifier import verify

ADD, SUB, MUL, AND, XOR, DIV_U = b"\x6a", b"\x6b", b"\x6c", b"\x71", b"\x73", b"\x6e"
LT_U, EQZ = b"\x49", b"\x45"
LOAD, STORE = b"\x28\x02\x00", b"\x36\x02\x00"
#: local 0 -= 1, which stays on the stack.
COUNT = w.get(0) + w.i32(1) + SUB + b"\x22\x00"
#: local 1 = local 1 * local 1 + 1: two instructions of the IR.
SQUARE = w.get(1) + w.get(1) + MUL + w.i32(1) + ADD + w.put(1)


def compiled(*body: bytes, **options: bool) -> Function:
    """A function of two parameters that gives the second one at the end."""
    return w.compile_function(w.module(b"".join(body) + w.get(1), [w.I32] * 2, [w.I32], [(1, w.I32)]), **options)


def rounds(function: Function) -> int:
    """How often local 0 is counted down."""
    return sum(i.op == op.IADD and i.args[1].imm == 0xFFFF_FFFF for block in function.blocks for i in block.insts)


def polls(function: Function) -> int:
    return sum(i.op == op.POLL for block in function.blocks for i in block.insts)


def test_a_small_loop() -> None:
    function = compiled(w.loop(w.get(1), w.get(0), ADD, w.put(1), COUNT, w.br_if(0)))
    expected = """
        block0(v0: i32, v1: i32):
          jump block1(v1, v0)
        block1(v2: i32, v3: i32):  ; loop, depth 1
          v4 = iadd.i32 v2, v3
          v5 = iadd.i32 v3, -1:i32
          brif v5, block2, block5(v4)
        block2:
          v6 = iadd.i32 v4, v5
          v7 = iadd.i32 v5, -1:i32
          brif v7, block3, block5(v6)
        block3:
          v8 = iadd.i32 v6, v7
          v9 = iadd.i32 v7, -1:i32
          brif v9, block4, block5(v8)
        block4:
          poll
          v10 = iadd.i32 v8, v9
          v11 = iadd.i32 v9, -1:i32
          brif v11, block1(v10, v11), block5(v10)
        block5(v12: i32):
          return v12
        """
    assert "\n".join(format_function(function).splitlines()[1:-1]) == dedent(expected).strip("\n")


def test_larger_loops_are_copied_less_often() -> None:
    for squares, expected in ((0, 4), (2, 4), (3, 3), (4, 2), (5, 1), (50, 1)):
        function = compiled(w.loop(SQUARE * squares, COUNT, w.br_if(0)))
        assert rounds(function) == expected
        assert polls(function) == 1


def test_loops_that_need_no_poll_stay() -> None:
    assert rounds(compiled(w.loop(COUNT, w.br_if(0)), polls=False)) == 1
    known = w.i32(100) + w.put(0) + w.loop(COUNT, w.br_if(0))
    assert rounds(compiled(known)) == 1


def test_loops_with_calls_stay() -> None:
    call = w.get(0) + w.get(1) + b"\x10\x00" + w.put(1)
    assert rounds(compiled(w.loop(call, COUNT, w.br_if(0)))) == 1


def test_only_inner_loops() -> None:
    inner = w.loop(SQUARE, w.get(1), w.br_if(0))
    function = compiled(w.loop(inner, COUNT, w.br_if(0)))
    assert rounds(function) == 1
    assert sum(i.op == op.IMUL for block in function.blocks for i in block.insts) == 4
    # The outer loop relies on the inner one's poll, which so is at its start.
    assert polls(function) == 1
    assert function.blocks[2].is_loop_header and function.blocks[2].insts[0].op == op.POLL


def test_a_loop_that_nothing_leaves_stays() -> None:
    assert rounds(compiled(w.loop(COUNT, w.DROP, w.br(0)))) <= 1


def self_loop(joined: bool) -> Function:
    """A loop of one block, whose parameter is used behind it, or by a parameter that another way gives, too."""
    b, (x,) = start(I32, results=(I32,))
    before, header, other, after = (b.new_block() for _ in range(4))
    count = b.append_param(header, I32)
    given = b.append_param(after, I32) if joined else count
    passed = (count,) if joined else ()
    if joined:
        b.brif(x, before, (), other, ())
        b.switch_to(other)
        b.jump(after, [x])
        b.switch_to(before)
    b.jump(header, [x])
    b.switch_to(header)
    b.poll()
    less = b.binary(op.IADD, I32, count, b.const(I32, -1))
    b.brif(less, header, (less,), after, passed)
    b.switch_to(after)
    b.ret([given])
    return b.function


def test_values_behind_a_loop() -> None:
    """By a parameter that is made for them, or that is there already; each copy gives its own."""
    for joined in (False, True):
        function = self_loop(joined)
        ends = unroll.unroll_polling_loops(function, find_loops(function))
        verify(function)
        assert ends == find_loops(function)
        assert rounds(function) == 4
        after = function.blocks[-1]
        given = [edge.args[0] for block in function.blocks for edge in block.successors() if edge.block is after]
        assert len(after.params) == 1
        assert len(given) == len(set(given)) == 4 + joined


def test_loops_that_are_not_expected_to_run_stay() -> None:
    function = self_loop(False)
    ends = find_loops(function)
    function.blocks[1].is_cold = True
    assert unroll.unroll_polling_loops(function, ends) == ends
    assert rounds(function) == 1


def test_a_function_has_many() -> None:
    loop = w.loop(w.get(1), w.get(0), ADD, w.put(1), COUNT, w.br_if(0))
    function = compiled(*[loop] * 50)
    assert rounds(function) == 200
    # One in each, none of which is always come by, and one at the start of a long function that calls nobody.
    assert polls(function) == 51


def statement(random: Random, depth: int) -> bytes:
    """Something that changes one of locals 1 to 3, or memory, or traps, or leaves."""
    x, y, z = (random.randrange(1, 4) for _ in range(3))
    kind = random.randrange(10)
    if kind < 5:
        return w.get(x) + w.get(y) + random.choice((ADD, SUB, MUL, XOR)) + w.put(z)
    if kind == 5:
        return w.get(x) + w.i32(0x1FFFC) + AND + w.get(y) + STORE  # traps beyond the first page
    if kind == 6:
        return w.get(x) + w.i32(0xFFC) + AND + LOAD + w.put(z)
    if kind == 7:
        return w.get(x) + w.get(y) + DIV_U + w.put(z)
    test = w.get(x) + w.i32(random.choice((1, 3, 7))) + AND
    return test + random.choice((b"", EQZ)) + w.br_if(random.randrange(1, 1 + depth))


#: Whether local 0, counted down, is still above 0.
MORE = COUNT + w.i32(0) + b"\x4a"


def random_body(random: Random) -> bytes:
    """Loops in blocks, one behind the other or in each other; local 0 counts down in each of them, so they end."""
    body = b""
    after = w.get(1) + w.get(2) + ADD + w.get(3) + XOR + w.put(2)
    for _ in range(random.randrange(1, 3)):
        code = b"".join(statement(random, 2) for _ in range(random.randrange(0, 3)))
        # Tested at the end, or at the start.
        if random.random() < 0.6:
            inner = w.loop(code, MORE, w.br_if(0))
        else:
            inner = w.loop(MORE, EQZ, w.br_if(1), code, w.br(0))
        inner = w.block(inner, random.choice((b"", after)))
        if random.random() < 0.3:
            inner = w.loop(MORE, EQZ, w.br_if(1), inner, w.br(0))
        body += w.block(inner, random.choice((b"", after)))
        # For the next one.
        body += w.i32(random.randrange(1, 6)) + w.put(0)
    return body + w.get(1) + w.get(2) + w.i32(31) + MUL + ADD + w.get(3) + w.i32(77) + MUL + XOR + w.get(0) + ADD


def test_random_loops_mean_the_same() -> None:
    """With polls, which unrolls, and without: results, memory, traps."""
    random = Random(7)
    unrolled = trapped = 0
    for _ in range(60):
        decoded = decode(w.module(random_body(random), [w.I32] * 4, [w.I32]))
        for count in (1, 2, 4, 6):
            arguments = [count, *(random.choice((0, 1, 6, 0xFFFC, 0xFFFF_FFFF)) for _ in range(3))]
            outcomes = []
            for polled in (True, False):
                instance = Instance(decoded, FrontendOptions(polls=polled))
                try:
                    outcome: object = instance.call(0, arguments)
                except TrapError as error:
                    outcome = error.args
                    trapped += 1
                outcomes.append((outcome, bytes(instance.regions[instance.heap >> 40])))
                if polled:
                    unrolled += polls_behind(instance.compiled[0])
            assert outcomes[0] == outcomes[1]
    assert unrolled > 40 and trapped > 5


def polls_behind(function: Function) -> int:
    """How many polls stand in copies."""
    return sum(i.op == op.POLL and i.imm != 0 for block in function.blocks for i in block.insts)


def test_growth_is_bounded() -> None:
    """No module gets larger than by this."""
    loop = w.loop(COUNT, w.br_if(0))
    function = compiled(loop * 100)
    size = sum(len(block.insts) + 1 for block in function.blocks)
    plain = compiled(loop * 100, polls=False)
    assert size <= unroll.MOST_ROUNDS * sum(len(block.insts) + 1 for block in plain.blocks)
