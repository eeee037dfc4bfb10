"""Blocks that move the same and jump to the same block become one, and no others."""

from __future__ import annotations

from toy_target import JUMP, Byte, machine_function

from wasm_ir import opcodes, types
from wasm_ir.codegen.equal_edges import share_edges
from wasm_ir.codegen.jump_threading import thread_jumps
from wasm_ir.codegen.machinst import MFunction, MInst
from wasm_ir.codegen.parallel_move import MOVE, MConstant
from wasm_ir.ir import Inst


def move(destination: int, source: int, type: int = types.I32) -> MInst:
    return MInst(MOVE, [destination], [source], type)


def constant(destination: int, bits: int, type: int = types.I32) -> MInst:
    return MConstant(destination, Inst(opcodes.CONST, type, [], bits, 0, 0))


def two_edges(one: list[MInst], other: list[MInst]) -> MFunction:
    """A branch to two blocks with these instructions, which jump to the same third one."""
    return machine_function({0: [1, 2], 1: [3], 2: [3], 3: []}, {1: one, 2: other})


def shares(machine: MFunction) -> bool:
    share_edges(machine)
    thread_jumps(machine)
    one, other = machine.blocks[0].edges
    return one.block is other.block


def test_the_same_moves() -> None:
    machine = two_edges([move(1, 2), move(3, -1), constant(4, 7)], [move(1, 2), move(3, -1), constant(4, 7)])
    last = machine.blocks[2]
    assert shares(machine)
    # The last one stays, which is in front of where it jumps to.
    assert machine.blocks[1] is last
    assert len(last.insts) == 4
    assert last.insts[-1].op is JUMP
    assert last.edges[0].block is machine.blocks[2]


def test_the_one_in_front_of_the_target_stays() -> None:
    """Whoever falls through from there should not have to jump away and come back."""
    machine = machine_function(
        {0: [1, 3], 1: [2], 2: [4], 3: [2], 4: []}, {1: [move(1, 2)], 2: [move(5, 6)], 3: [move(1, 2)]}
    )
    first = machine.blocks[1]
    assert shares(machine)
    assert machine.blocks[1] is first


def test_moves_that_differ() -> None:
    for one, other in (
        ([move(1, 2)], [move(1, 3)]),
        ([move(1, 2)], [move(2, 2)]),
        ([move(1, 2)], [move(1, 2), move(3, 4)]),
        ([move(1, 2), move(2, 3)], [move(2, 3), move(1, 2)]),
        ([move(1, 2)], [move(1, 2, types.I64)]),
        ([constant(1, 2)], [constant(1, 3)]),
        ([constant(1, 2)], [constant(1, 2, types.I64)]),
        ([constant(1, 2)], [move(1, 2)]),
        ([move(1, 0, types.I32)], [constant(1, 0, types.I32)]),
    ):
        assert not shares(two_edges(one, other))
        assert not shares(two_edges(other, one))


def test_more_than_moves() -> None:
    """What has a row in the pc table is said to be in one place."""
    byte = Byte("byte")
    assert not shares(two_edges([move(1, 2), MInst(byte, [], [], 1)], [move(1, 2), MInst(byte, [], [], 1)]))


def test_cold_ones_stay_apart() -> None:
    """Else the way that is expected would lead through code that is far away."""
    machine = two_edges([move(1, 2)], [move(1, 2)])
    machine.blocks[2].is_cold = True
    assert not shares(machine)


def test_different_targets() -> None:
    machine = machine_function(
        {0: [1, 2], 1: [3], 2: [4], 3: [5], 4: [5], 5: []}, {number: [move(1, 2)] for number in (1, 2)}
    )
    machine.blocks[3].predecessors *= 2
    machine.blocks[4].predecessors *= 2
    machine.blocks[3].insts.insert(0, move(5, 6))
    machine.blocks[4].insts.insert(0, move(5, 7))
    assert not shares(machine)


def test_a_loop_of_moves() -> None:
    """A block that jumps to itself, and one in front of it that does the same."""
    machine = machine_function({0: [1, 2], 1: [2], 2: [2]}, {1: [move(1, 2)], 2: [move(1, 2)]})
    share_edges(machine)
    thread_jumps(machine)
    (loop,) = {edge.block.id for edge in machine.blocks[0].edges}
    (block,) = [block for block in machine.blocks if block.id == loop]
    assert [inst.op for inst in block.insts] == [MOVE, JUMP]
    assert block.edges[0].block is block
