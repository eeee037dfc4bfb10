"""Passes: dead code, trivial parameters, loops."""

from __future__ import annotations

from test_builder import start

from wasm_ir import opcodes as op
from wasm_ir.ir import Function, Inst, Signature
from wasm_ir.passes.dce import eliminate_dead_code
from wasm_ir.passes.loops import find_loops
from wasm_ir.passes.trivial_params import remove_trivial_params
from wasm_ir.types import I32, I64
from wasm_ir.verifier import verify


def operations(function: Function) -> list[int]:
    return [inst.op for block in function.blocks for inst in block.insts]


def test_what_nothing_uses_goes_and_what_may_trap_stays() -> None:
    b, (x, pointer) = start(I32, I64)
    b.binary(op.IMUL, I32, b.binary(op.IADD, I32, x, x), x)
    b.load(op.LOAD, I32, pointer, 0)
    b.load(op.HEAP_LOAD, I32, pointer, 0)
    b.binary(op.DIV_S, I32, x, x)
    b.call(0, Signature((), (I32, I64)), ())
    b.store(op.STORE, pointer, b.binary(op.XOR, I32, x, b.const(I32, 1)), 0)
    b.ret([])
    eliminate_dead_code(b.function)
    verify(b.function)
    assert operations(b.function) == [op.HEAP_LOAD, op.DIV_S, op.CALL, op.RESULT, op.XOR, op.STORE]


def loop_with(dead: bool) -> tuple[Function, list[Inst]]:
    """A loop that carries two values; the second feeds only itself, or is returned."""
    b, (x,) = start(I32, results=(I32,))
    header, body, after = b.new_block(), b.new_block(), b.new_block()
    count, other = b.append_param(header, I32), b.append_param(header, I32)
    b.jump(header, [x, x])
    b.switch_to(header)
    b.brif(count, body, (), after, ())
    b.switch_to(body)
    less = b.binary(op.IADD, I32, count, b.const(I32, -1))
    changed = b.binary(op.IMUL, I32, other, b.const(I32, 3))
    b.jump(header, [less, changed])
    b.switch_to(after)
    b.ret([count if dead else other])
    find_loops(b.function)
    return b.function, [count, other]


def test_a_cycle_of_parameters_that_feeds_nothing_goes() -> None:
    function, (count, _) = loop_with(dead=True)
    eliminate_dead_code(function)
    verify(function)
    assert function.blocks[1].params == [count]
    assert operations(function) == [op.IADD]
    assert [len(edge.args) for block in function.blocks for edge in block.successors()] == [1, 0, 0, 1]


def test_what_a_loop_carries_for_later_stays() -> None:
    function, params = loop_with(dead=False)
    eliminate_dead_code(function)
    verify(function)
    assert function.blocks[1].params == params
    assert operations(function) == [op.IADD, op.IMUL]


def test_need_found_late_goes_through_the_parameters_of_the_loop() -> None:
    """The header's parameter is needed only by itself and after the loop; its value joins inside the loop."""
    b, (x,) = start(I32, results=(I32,))
    header, then, join, after = (b.new_block() for _ in range(4))
    carried = b.append_param(header, I32)
    joined = b.append_param(join, I32)
    b.jump(header, [x])
    b.switch_to(header)
    b.brif(x, then, (), join, (carried,))
    b.switch_to(then)
    product = b.binary(op.IMUL, I32, x, x)
    b.jump(join, [product])
    b.switch_to(join)
    b.brif(x, header, (joined,), after, ())
    b.switch_to(after)
    b.ret([carried])
    find_loops(b.function)
    verify(b.function)
    eliminate_dead_code(b.function)
    verify(b.function)
    assert operations(b.function) == [op.IMUL]
    assert b.function.blocks[3].params == [joined]


def test_trivial_parameters_are_replaced() -> None:
    b, (x, y) = start(I32, I32, results=(I32,))
    header, body, after = b.new_block(), b.new_block(), b.new_block()
    same, different = b.append_param(header, I32), b.append_param(header, I32)
    late = b.append_param(after, I32)
    b.jump(header, [x, x])
    b.switch_to(header)
    b.brif(y, body, (), after, (same,))
    b.switch_to(body)
    b.jump(header, [same, b.binary(op.IADD, I32, same, different)])
    b.switch_to(after)
    b.ret([b.binary(op.ISUB, I32, late, different)])
    find_loops(b.function)
    assert remove_trivial_params(b.function)
    verify(b.function)
    assert b.function.blocks[1].params == [different]
    assert b.function.blocks[3].params == []
    (difference,) = b.function.blocks[3].insts
    assert difference.args == [x, different]
    (total,) = b.function.blocks[2].insts
    assert total.args == [x, different]
    assert not remove_trivial_params(b.function)


def test_parameters_that_swap_stay() -> None:
    b, (x, y) = start(I32, I32, results=(I32,))
    header, after = b.new_block(), b.new_block()
    first, second = b.append_param(header, I32), b.append_param(header, I32)
    b.jump(header, [x, y])
    b.switch_to(header)
    b.brif(x, header, (second, first), after, ())
    b.switch_to(after)
    b.ret([first])
    assert not remove_trivial_params(b.function)


def graph(*edges: tuple[int, ...]) -> Function:
    """A function of blocks with these successors."""
    b, (x,) = start(I32)
    blocks = [b.function.blocks[0], *(b.new_block() for _ in edges[1:])]
    for number, targets in enumerate(edges):
        if number:
            b.switch_to(blocks[number])
        if not targets:
            b.ret([])
        elif len(targets) == 1:
            b.jump(blocks[targets[0]])
        else:
            b.brif(x, blocks[targets[0]], (), blocks[targets[1]], ())
    find_loops(b.function)
    verify(b.function)
    return b.function


def depths(function: Function) -> list[int]:
    return [block.loop_depth for block in function.blocks]


def test_depths_of_nested_loops() -> None:
    function = graph((1,), (2,), (2, 3), (1, 4), ())
    assert depths(function) == [0, 1, 2, 1, 0]
    assert [block.is_loop_header for block in function.blocks] == [False, True, True, False, False]


def test_a_loop_continued_from_inside_another_contains_all_of_it() -> None:
    # 2 and 3 are the inner loop; the outer one is only continued from 2, its middle.
    function = graph((1,), (2,), (1, 3), (2, 4), ())
    assert depths(function) == [0, 1, 2, 2, 0]


def test_loops_one_after_the_other() -> None:
    assert depths(graph((1,), (1, 2), (2, 3), ())) == [0, 1, 1, 0]
