"""Which loops keep constants in registers, and how many; and that what is kept is there on every way into the loop."""

from __future__ import annotations

from wasm_ir import types
from wasm_ir.builder import Builder
from wasm_ir.codegen.loop_constants import LoopConstants
from wasm_ir.ir import Block, Function, Signature
from wasm_ir.passes.loops import find_loops
from wasm_ir.verifier import verify

I32, V128 = types.I32, types.V128
NOTHING = Signature((), ())


class Flow:
    """A function of blocks that branch on its parameter: (targets of each block, blocks with a call)."""

    def __init__(self, targets: list[tuple[int, ...]], calls: tuple[int, ...] = (), carried: int = 0) -> None:
        """`carried`: how many vectors go round in each loop."""
        function = Function("f", Signature((I32,), ()))
        b = Builder(function)
        blocks = [b.new_block() for _ in targets]
        condition = b.append_param(blocks[0], I32)
        zeros = [b.const(V128, 0)] * carried
        headers = {target for block, each in enumerate(targets) for target in each if target <= block}
        for number, each in enumerate(targets):
            b.switch_to(blocks[number])
            if number in headers:
                for _ in range(carried):
                    b.append_param(blocks[number], V128)
            if number in calls:
                b.call(0, NOTHING, [])
            edges: list[object] = []
            for target in each:
                edges += [blocks[target], zeros if target in headers else []]
            if len(each) == 2:
                b.brif(condition, *edges)  # type: ignore[arg-type]
            elif each:
                b.jump(*edges)  # type: ignore[arg-type]
            else:
                b.ret([])
        find_loops(function)
        verify(function)
        self.blocks: list[Block] = function.blocks
        self.constants = LoopConstants(function, 4)

    def kept(self) -> dict[int, list[int]]:
        """Block in front of a loop -> blocks in which what it loads can be had."""
        found: dict[int, list[int]] = {}
        for position in range(len(self.blocks)):
            for number in range(len(self.blocks)):
                loop = self.constants._loops[position]
                if loop is not None and loop.front == number:
                    found.setdefault(number, []).append(position)
        return found


def test_a_loop() -> None:
    flow = Flow([(1,), (2, 3), (1,), ()])
    assert flow.kept() == {0: [1, 2]}
    constants = flow.constants
    assert constants.find(1, 7) == 0
    assert constants.keep(2, 7, 100)
    assert constants.find(1, 7) == 100
    # Not behind the loop, nor in front of it.
    assert constants.find(3, 7) == constants.find(0, 7) == 0
    assert not constants.keep(3, 7, 101)
    assert constants.loaded(0) == [(7, 100)]
    assert constants.loaded(1) == []


def test_what_goes_round_takes_room() -> None:
    for carried, room in ((0, 4), (3, 1), (4, 0), (9, 0)):
        constants = Flow([(1,), (1, 2), ()], carried=carried).constants
        assert [constants.keep(1, number, 100 + number) for number in range(5)] == [True] * room + [False] * (5 - room)


def test_calls_destroy_registers() -> None:
    assert Flow([(1,), (1, 2), ()], calls=(1,)).kept() == {}
    assert Flow([(1,), (1, 2), ()], calls=(0, 2)).kept() == {0: [1]}


def test_the_outermost_loop_without_calls() -> None:
    nested = [(1,), (2,), (2, 3), (1, 4), ()]
    assert Flow(nested).kept() == {0: [1, 2, 3]}
    assert Flow(nested, calls=(3,)).kept() == {1: [2]}


def test_a_loop_that_another_one_leaves_to() -> None:
    """What would be loaded in front of it would be loaded in each iteration of the other."""
    assert Flow([(1,), (1, 2), (2, 3), ()]).kept() == {0: [1]}
    # With a block between them it is not.
    assert Flow([(1,), (1, 2), (3,), (3, 4), ()]).kept() == {0: [1], 2: [3]}


def test_a_loop_that_may_be_skipped() -> None:
    """What stands behind it is reached without what it would load."""
    flow = Flow([(1, 3), (2,), (2, 3), (4,), (4, 5), ()])
    assert flow.kept() == {1: [2], 3: [4]}


def test_a_loop_with_two_ways_in_keeps_nothing() -> None:
    assert Flow([(1, 2), (3,), (3,), (3, 4), ()]).kept() == {}
