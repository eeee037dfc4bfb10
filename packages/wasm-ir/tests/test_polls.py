"""Which loops poll: those that may run for long. One that is taken for short and is not would never end when asked."""

from __future__ import annotations

import wasm_programs as w

from wasm_ir import opcodes as op
from wasm_ir.ir import Function
from wasm_ir.passes.polls import LONG_LEAF, MOST_WORK, count_rounds

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
    return [(b.loop_depth, bool(i.imm)) for b in function.blocks for i in b.insts if i.op == op.POLL]


def compiled(body: bytes, polls: bool = True) -> Function:
    return w.compile_function(w.module(body, [w.I32], [], [(3, w.I32)]), polls=polls)


ADD = b"\x6a"
#: local 1 = 0 is what locals are; local 1 += 1.
STEP = w.get(1) + w.i32(1) + ADD + b"\x22\x01"


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
    assert polls(compiled(counting(w.i32(10), w.get(0), b"\x10\x00"))) == [(1, False)]


def test_loops_in_a_loop_rely_on_it_for_as_much_as_may_go_without() -> None:
    inner = w.i32(0) + w.put(1) + counting(w.i32(1000))
    outer = w.loop(inner, w.get(0), w.br_if(0))
    assert polls(compiled(outer)) == [(1, False)]
    # Loops that follow each other: together they would take too long.
    long = w.i32(0) + w.put(1) + counting(w.i32(MOST_WORK // 8))
    outer = w.loop(*[long] * 4, w.get(0), w.br_if(0))
    found = polls(compiled(outer))
    assert found[0] == (1, False)
    assert len(found) > 1 and all(poll == (1, True) for poll in found[1:])


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
    assert polls(compiled(nested(10, RESET, counting(w.get(0), w.get(0), b"\x10\x00")))) == [(1, False), (2, False)]


def test_thousands_of_loops_in_each_other() -> None:
    body = b""
    for _ in range(1000):
        body = w.loop(body, w.get(0), w.br_if(0))
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
    assert polls(compiled(counting(w.get(0)) + long)) == [(1, False)]
    # A loop that is not always come by.
    assert polls(compiled(w.get(0) + w.if_(counting(w.get(0))) + long)) == [(0, True), (1, False)]
    # What nothing goes back to is no loop.
    assert polls(compiled(w.loop(w.get(0), b"\x1a") + long))[0] == (0, True)
