"""Which loops poll: those that may run for long. One that is taken for short and is not would never end when asked."""

from __future__ import annotations

from random import Random

import wasm_programs as w

from wasm_ir import opcodes as op
from wasm_ir.ir import Block, Function, Inst
from wasm_ir.passes.polls import LONG_LEAF, MEMORY_WORK, MOST_WORK, count_rounds

RELATIONS = {
    op.EQ: lambda x, y: x == y,
    op.NE: lambda x, y: x != y,
    op.LT_U: lambda x, y: x < y,
    op.LE_U: lambda x, y: x <= y,
    op.GT_U: lambda x, y: x > y,
    op.GE_U: lambda x, y: x >= y,
    op.LT_S: lambda x, y: signed(x) < signed(y),
    op.LE_S: lambda x, y: signed(x) <= signed(y),
    op.GT_S: lambda x, y: signed(x) > signed(y),
    op.GE_S: lambda x, y: signed(x) >= signed(y),
}
BITS = 4


def signed(x: int) -> int:
    return x - (1 << BITS) if x >> BITS - 1 else x


def test_rounds_are_counted_as_running_counts_them() -> None:
    size = 1 << BITS
    known = 0
    for relation, holds in RELATIONS.items():
        for first in range(size):
            for step in range(size):
                for bound in range(size):
                    counted = count_rounds(relation, first, step, bound, BITS)
                    x, rounds = first, 1
                    while holds(x, bound) and rounds <= size:
                        x = (x + step) % size
                        rounds += 1
                    # A loop that steps over its end and meets it later is not counted.
                    assert counted in (0, rounds), (relation, first, step, bound)
                    assert counted == 0 or rounds <= size
                    known += counted != 0
    assert known > len(RELATIONS) * size**3 // 2


def polls(function: Function) -> list[tuple[int, bool]]:
    """Of each poll: how deep in loops it is, and whether it stands in front of a loop."""
    return [
        (b.loop_depth, bool(i.imm) and not is_in_loop(b, i))
        for b in function.blocks
        for i in b.insts
        if i.op == op.POLL
    ]


def is_in_loop(block: Block, poll: Inst) -> bool:
    """Whether a poll is that of the loop that its block is in, and no bulk instruction's, nor in front of a loop."""
    inner = any(edge.block.loop_depth > block.loop_depth for edge in block.successors())
    return not poll.imm or (block.loop_depth > 0 and block.insts[0] is poll and not inner)


def compiled(body: bytes, polls: bool = True) -> Function:
    return w.compile_function(w.module(body, [w.I32], [], [(3, w.I32)]), polls=polls)


ADD = b"\x6a"
#: local 1 = 0 is what locals are; local 1 += 1.
STEP = w.get(1) + w.i32(1) + ADD + b"\x22\x01"
#: Calls somebody.
CALL_ANY = w.get(0) + w.i32(0) + b"\x11\x00\x00"


def counting(end: bytes, *more: bytes) -> bytes:
    return w.loop(*more, STEP, end, b"\x48", w.br_if(0))


def test_a_loop_that_ends_soon_polls_in_front_of_it() -> None:
    assert polls(compiled(counting(w.i32(1000)))) == [(0, True)]


def test_a_loop_that_ends_late_polls() -> None:
    assert polls(compiled(counting(w.i32(MOST_WORK)))) == [(1, False)]


def test_a_loop_with_an_end_that_is_not_known_polls() -> None:
    assert polls(compiled(counting(w.get(0)))) == [(1, False)]


def test_a_loop_that_starts_anywhere_polls() -> None:
    body = w.get(0) + w.put(1) + counting(w.i32(1000))
    assert polls(compiled(body)) == [(1, False)]


def test_a_loop_with_two_ways_back_polls() -> None:
    # The second way back does not count.
    assert polls(compiled(w.loop(w.get(0), w.br_if(0), STEP, w.i32(1000), b"\x48", w.br_if(0)))) == [(1, False)]


def test_a_counter_that_is_set_elsewhere_too_polls() -> None:
    reset = w.get(0) + w.if_(w.i32(0) + w.put(1))
    assert polls(compiled(counting(w.i32(1000), reset))) == [(1, False)]


def test_a_condition_at_the_start_counts() -> None:
    body = w.block(w.loop(w.get(1), w.i32(1000), b"\x46", w.br_if(1), STEP, b"\x1a", w.br(0)))
    assert polls(compiled(body)) == [(0, True)]


def test_a_condition_that_not_every_round_meets_does_not_count() -> None:
    body = w.block(
        w.loop(w.get(0), w.if_(w.get(1) + w.i32(1000) + b"\x46" + w.br_if(2)), STEP, b"\x1a", w.br(0)),
    )
    assert polls(compiled(body)) == [(1, False)]


def test_a_loop_that_calls_polls() -> None:
    # Who is called may take as long as it likes.
    assert polls(compiled(counting(w.i32(10), CALL_ANY))) == [(1, False)]


def test_a_loop_that_touches_much_memory_polls() -> None:
    # Each access may be the first one to its page, which the system has to find.
    rounds = MOST_WORK // MEMORY_WORK
    assert polls(compiled(counting(w.i32(rounds // 2)))) == [(0, True)]
    assert polls(compiled(counting(w.i32(rounds // 2), KEEP * 2))) == [(1, False)]


def test_loops_in_a_loop_rely_on_it_for_as_much_as_may_go_without() -> None:
    inner = w.i32(0) + w.put(1) + counting(w.i32(1000))
    outer = w.loop(inner, w.get(0), w.br_if(0))
    assert polls(compiled(outer)) == [(1, False)]
    # Loops that follow each other: together they would take too long.
    long = w.i32(0) + w.put(1) + counting(w.i32(MOST_WORK // 8))
    outer = w.loop(*[long] * 4, w.get(0), w.br_if(0))
    # Some poll in front, and so in each round of the outer loop, which then need not.
    found = polls(compiled(outer))
    assert found and all(poll == (1, True) for poll in found)


def nested(rounds: int, *inner: bytes) -> bytes:
    """So many rounds of other code; counts in local 2."""
    step = w.get(2) + w.i32(1) + ADD + b"\x22\x02"
    return w.i32(0) + w.put(2) + w.loop(*inner, step, w.i32(rounds), b"\x48", w.br_if(0))


RESET = w.i32(0) + w.put(1)


def test_loops_in_loops_are_short_together() -> None:
    assert polls(compiled(nested(10, RESET, counting(w.i32(10))))) == [(0, True)]
    # Each is short.
    assert polls(compiled(nested(MOST_WORK // 1000, RESET, counting(w.i32(1000))))) == [(1, False)]


def test_a_short_loop_around_one_that_polls() -> None:
    # What comes between two of the inner loop's polls is short, and so is a run that never enters that.
    assert polls(compiled(nested(10, RESET, counting(w.get(0))))) == [(0, True), (2, False)]


def test_a_short_loop_around_one_that_calls_polls() -> None:
    inner = w.get(0) + w.if_(RESET + counting(w.get(0), CALL_ANY))
    assert polls(compiled(nested(10, inner))) == [(1, False), (2, False)]


AGAIN = w.get(0) + w.br_if(0)


def test_a_loop_around_one_that_polls_each_round_does_not() -> None:
    inner = w.loop(AGAIN)
    assert polls(compiled(w.loop(inner, AGAIN))) == [(2, False)]
    # Also where that is left early, or stands behind other code.
    early = w.loop(w.get(0), w.br_if(0), w.get(0), w.br_if(1))
    assert polls(compiled(w.loop(SQUARE, early, AGAIN))) == [(2, False)]
    # Either of two polls.
    assert polls(compiled(w.loop(w.get(0), w.if_(inner, inner), AGAIN))) == [(2, False), (2, False)]


def test_a_loop_around_one_that_is_not_always_run_polls() -> None:
    inner = w.loop(AGAIN)
    assert polls(compiled(w.loop(w.get(0), w.if_(inner), AGAIN))) == [(1, False), (2, False)]
    # Back before, and from within a block that goes round it.
    assert polls(compiled(w.loop(AGAIN, inner, AGAIN))) == [(1, False), (2, False)]
    assert polls(compiled(w.loop(w.block(w.get(0), w.br_if(0), inner), AGAIN))) == [(1, False), (2, False)]


def test_a_loop_goes_on_from_inside_another() -> None:
    # The inner loop's rounds may all end with going on with the outer one: each of these comes by the inner poll.
    inner = w.loop(w.get(0), w.br_if(1), AGAIN)
    assert polls(compiled(w.loop(inner, AGAIN))) == [(2, False)]
    # Not where the middle one goes on with the outermost before it comes to the innermost.
    middle = w.loop(w.get(0), w.br_if(1), w.loop(AGAIN), AGAIN)
    assert polls(compiled(w.loop(middle))) == [(1, False), (3, False)]


def test_a_bulk_instruction_is_a_poll_of_the_loop() -> None:
    fill = w.i32(0) * 2 + w.get(0) + b"\xfc\x0b\x00"
    assert polls(compiled(w.loop(fill, AGAIN))) == [(1, True)]


def test_a_function_that_calls_itself_polls_there() -> None:
    # It looks at the limit of the stack when it begins.
    itself = w.get(0) + b"\x10\x00"
    assert polls(compiled(w.loop(itself, AGAIN))) == []
    assert polls(compiled(w.loop(w.loop(itself, AGAIN), AGAIN))) == []
    assert polls(compiled(w.loop(w.get(0), w.if_(itself), AGAIN))) == [(1, False)]
    assert polls(compiled(w.loop(CALL_ANY, AGAIN))) == [(1, False)]


def test_thousands_of_loops_in_each_other() -> None:
    body = b""
    for _ in range(1000):
        body = w.loop(body, AGAIN)
    assert len(polls(compiled(body))) == 1
    # Where the inner ones are not always come by, each polls. To find that out takes no longer.
    body = b""
    for _ in range(1000):
        body = w.loop(w.get(0), w.if_(body), AGAIN)
    assert len(polls(compiled(body))) == 1000


def test_no_polls_when_not_asked() -> None:
    assert polls(compiled(counting(w.i32(1000)), polls=False)) == []


#: local 0 = local 0 * local 0 + 1: two instructions of the IR.
SQUARE = w.get(0) + w.get(0) + b"\x6c" + w.i32(1) + ADD + w.put(0)
#: Somebody must need it: three instructions.
KEEP = w.i32(0) + w.get(0) + b"\x36\x02\x00"


def test_a_long_function_that_calls_nobody_polls_when_it_begins() -> None:
    # Straight code calls it a million times, and looks at the limit of the stack once.
    short = SQUARE * (LONG_LEAF // 2 - 2) + KEEP
    long = SQUARE * (LONG_LEAF // 2) + KEEP
    assert polls(compiled(short)) == []
    assert polls(compiled(long)) == [(0, True)]
    assert polls(compiled(long, polls=False)) == []
    # One that calls looks at the limit.
    assert polls(compiled(long + w.get(0) + b"\x10\x00")) == []


def test_bulk_instructions_poll() -> None:
    # Each may take a second, and thousands of them follow each other.
    for length in (w.get(0), w.i32(1 << 16)):
        fill = w.i32(0) * 2 + length + b"\xfc\x0b\x00"
        copy = w.i32(0) * 2 + length + b"\xfc\x0a\x00\x00"
        assert polls(compiled(fill + copy)) == [(0, True)] * 2
        assert polls(compiled(fill + copy, polls=False)) == []
    assert polls(compiled(w.i32(0) * 3 + b"\xfc\x0b\x00")) == []


def test_a_long_function_that_begins_with_a_loop_polls_there() -> None:
    long = SQUARE * (LONG_LEAF // 2) + KEEP
    # In front of the loop, and in it.
    assert polls(compiled(counting(w.i32(1000)) + long)) == [(0, True)]
    assert polls(compiled(counting(w.get(0), SQUARE * 6) + long)) == [(1, False)]
    # One that is unrolled polls later, if it comes to that.
    assert polls(compiled(counting(w.get(0)) + long)) == [(0, True), (1, False)]
    # A loop that is not always come by.
    assert polls(compiled(w.get(0) + w.if_(counting(w.get(0))) + long)) == [(0, True), (1, False)]
    # What nothing goes back to is no loop.
    assert polls(compiled(w.loop(w.get(0), b"\x1a") + long))[0] == (0, True)


def random_code(random: Random, depth: int, labels: int) -> bytes:
    """Constructs in each other that leave or go on with any of so many around them; no loop counts."""
    code = b""
    for _ in range(random.randrange(1, 4)):
        kind = random.randrange(7 if depth else 3)
        if kind == 0:
            code += w.get(0) + w.br_if(random.randrange(labels))
        elif kind == 1:
            code += w.get(0) + w.br_table(*(random.randrange(labels) for _ in range(3)))
            return code  # nothing follows
        elif kind == 2:
            code += random.choice((SQUARE, KEEP, CALL_ANY, w.get(0) + b"\x10\x00"))
        elif kind == 3:
            code += w.block(random_code(random, depth - 1, labels + 1))
        elif kind == 4:
            then, otherwise = (random_code(random, depth - 1, labels + 1) for _ in range(2))
            code += w.get(0) + w.if_(then, random.choice((otherwise, None)))
        else:
            code += w.loop(random_code(random, depth - 1, labels + 1))
    return code


def ways_round(function: Function) -> bool:
    """Whether some way round comes by no poll, and no call of the function itself."""
    quiet = {
        block.id: [edge.block.id for edge in block.successors()]
        for block in function.blocks
        if not any(
            (i.op == op.POLL and (i.imm or block.is_loop_header)) or (i.op == op.CALL and i.imm == function.index)
            for i in block.insts
        )
    }
    # What nothing leads to, again and again: what is left then leads round.
    while True:
        reached = {target for targets in quiet.values() for target in targets}
        last = [block for block in quiet if block not in reached]
        if not last:
            return bool(quiet)
        for block in last:
            del quiet[block]


def test_no_way_round_comes_by_no_poll() -> None:
    # It could be gone for ever, and nothing would end it.
    random = Random(20)
    spared = 0
    for _ in range(300):
        function = compiled(random_code(random, 5, 1))
        assert not ways_round(function)
        headers = [block for block in function.blocks if block.is_loop_header]
        spared += sum(not block.insts or block.insts[0].op != op.POLL for block in headers)
    assert spared > 50
    # (the check can fail)
    assert ways_round(compiled(w.loop(AGAIN), polls=False))


def test_a_loop_polls_behind_its_way_out() -> None:
    tested_first = compiled(w.block(w.loop(w.get(0), w.br_if(1), CALL_ANY, w.br(0))))
    assert [b.is_loop_header for b in tested_first.blocks for i in b.insts if i.op == op.POLL] == [False]
    # Those who call the function itself poll there.
    itself = w.get(0) + b"\x10\x00"
    sometimes = compiled(w.loop(w.get(0), w.if_(itself, w.get(0) + w.put(1)), AGAIN))
    (polling,) = [b for b in sometimes.blocks for i in b.insts if i.op == op.POLL]
    assert not polling.is_loop_header and not any(i.op == op.CALL for i in polling.insts)
    # Not where others rely on the poll at the start.
    inner = w.block(w.loop(w.get(0), w.br_if(1), CALL_ANY, w.br(0)))
    nested = compiled(w.loop(inner, AGAIN))
    assert [b.is_loop_header for b in nested.blocks for i in b.insts if i.op == op.POLL] == [True]
