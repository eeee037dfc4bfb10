"""Which values share a spill slot, and that moves between values in memory are rare."""

from __future__ import annotations

import time

import machine_programs as programs
import pytest

from wasm_ir import types
from wasm_ir.codegen import spill_slots
from wasm_ir.codegen.allocation_checker import check, snapshot
from wasm_ir.codegen.intervals import Value
from wasm_ir.codegen.linear_scan import allocate
from wasm_ir.codegen.machinst import MBlock, MEdge, MFixed, MFunction, MInst
from wasm_ir.codegen.parallel_move import MOVE

REGISTERS = programs.toy_registers(4, 3, 0)


def state_machine(states: int, count: int, type: int = types.I64) -> MFunction:
    """`count` values, which go from each state to the next, and to each state from a table in front of them.

    Each state changes one of them.
    """
    machine = MFunction("state machine")
    machine.jump = programs.JUMP
    entry = MBlock(0)
    first = [machine.new_vreg(type) for _ in range(count)]
    index = machine.new_vreg(types.I64)
    entry.insts = [MInst(programs.CONST, [value], [], 0) for value in [*first, index]]
    entry.insts.append(MInst(programs.BR_TABLE, [machine.new_vreg(types.I64)], [index], 0))
    blocks = [entry]
    previous: MBlock | None = None
    values = first
    for state in range(states):
        between = MBlock(len(blocks))
        between.predecessors = [entry]
        between.insts = [MInst(programs.JUMP, [], [], 0)]
        entry.edges.append(MEdge(between, []))
        block = MBlock(len(blocks) + 1)
        blocks += [between, block]
        block.params = [machine.new_vreg(type) for _ in range(count)]
        block.predecessors = [between]
        between.edges = [MEdge(block, list(first))]
        if previous is not None:
            block.predecessors.append(previous)
            previous.edges = [MEdge(block, list(values))]
        changed = machine.new_vreg(type)
        values = list(block.params)
        block.insts = [
            MInst(programs.PLAIN, [changed], [values[state % count]], 0),
            MInst(programs.JUMP, [], [], 0),
        ]
        values[state % count] = changed
        previous = block
    assert previous is not None
    previous.insts[-1:] = [
        *(MInst(programs.STORE, [], [value], 0) for value in values),
        MInst(programs.TRAP, [], [], 0),
    ]
    machine.blocks = blocks
    return machine


def moves(machine: MFunction) -> int:
    return sum(inst.op is MOVE for block in machine.blocks for inst in block.insts)


@pytest.mark.parametrize("type", [types.I64, types.F64, types.V128])
def test_what_becomes_each_other_stays_in_its_slot(type: int) -> None:
    """Each state has a value of its own for each variable. All of a variable share a slot: it is loaded and stored
    where it is changed, and otherwise left alone, whichever way a state is entered."""
    states, count = 25, 16
    machine = state_machine(states, count, type)
    before = snapshot(machine)
    allocation = allocate(machine, REGISTERS)
    check(machine, before, allocation, REGISTERS)
    # (some are in registers in between; without, there are 750)
    assert moves(machine) < 12 * states
    assert allocation.spill_slots <= (count + 3) * (2 if type == types.V128 else 1)


def test_values_that_are_there_at_once_have_slots_of_their_own() -> None:
    """The same value for two parameters of a block, and it lives on: three slots."""
    machine = MFunction("twins")
    entry, block = MBlock(0), MBlock(1)
    machine.blocks = [entry, block]
    value, *others = [machine.new_vreg(types.I64) for _ in range(6)]
    block.params = [machine.new_vreg(types.I64), machine.new_vreg(types.I64)]
    block.predecessors = [entry]
    everything = REGISTERS.caller_saved
    entry.insts = [
        *(MInst(programs.CONST, [one], [], 0) for one in [value, *others]),
        MFixed(programs.CALL, [], [], 0, [], [], everything),
        MInst(programs.JUMP, [], [], 0),
    ]
    entry.edges = [MEdge(block, [value, value])]
    block.insts = [
        MFixed(programs.CALL, [], [], 0, [], [], everything),
        *(MInst(programs.STORE, [], [one], 0) for one in [value, *block.params, *others]),
        MInst(programs.TRAP, [], [], 0),
    ]
    before = snapshot(machine)
    allocation = allocate(machine, REGISTERS)
    check(machine, before, allocation, REGISTERS)
    assert allocation.spill_slots == 8


def test_search_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """When finding out what may share takes too long, values have slots of their own, and that is right as well."""
    monkeypatch.setattr(spill_slots, "_RANGES_PER_ARGUMENT", 0)
    machine = state_machine(25, 16)
    before = snapshot(machine)
    check(machine, before, allocate(machine, REGISTERS), REGISTERS)


def test_arms_compute_in_the_same_register() -> None:
    """What a parameter is on one way is made in the register of what it is on another, and becomes the parameter there:
    no arm moves anything."""
    machine = MFunction("arms")
    machine.jump = programs.JUMP
    entry, end = MBlock(0), MBlock(9)
    arms = [MBlock(1 + number) for number in range(8)]
    machine.blocks = [entry, *arms, end]
    other, index, temp, param = [machine.new_vreg(types.I64) for _ in range(4)]
    end.params = [param]
    entry.insts = [MInst(programs.CONST, [value], [], 0) for value in (other, index)]
    entry.insts.append(MInst(programs.BR_TABLE, [temp], [index], 0))
    entry.edges = [MEdge(arm, []) for arm in arms]
    for number, arm in enumerate(arms):
        arm.predecessors = [entry]
        inner = [machine.new_vreg(types.I64) for _ in range(number == 0)]
        result = machine.new_vreg(types.I64)
        # In the first arm another one takes the register that would come first.
        arm.insts = [
            *(MInst(programs.CONST, [value], [], 0) for value in inner),
            MInst(programs.CONST, [result], [], 0),
            *(MInst(programs.STORE, [], [value], 0) for value in inner),
            MInst(programs.JUMP, [], [], 0),
        ]
        arm.edges = [MEdge(end, [result])]
    end.predecessors = list(arms)
    end.insts = [MInst(programs.STORE, [], [param, other], 0), MInst(programs.TRAP, [], [], 0)]
    before = snapshot(machine)
    check(machine, before, allocate(machine, REGISTERS), REGISTERS)
    assert moves(machine) == 0


def time_to_join(count: int) -> float:
    """Seconds of the processor for a value that is live between many others, all of which become it."""
    values = [Value(0, types.I64, [0, 1, 4 * count + 4, 4 * count + 5], [])]
    values += [Value(number, types.I64, [4 * number, 4 * number + 2], []) for number in range(1, count)]
    group_of: list[spill_slots._Group | None] = [spill_slots._Group(value) for value in values]
    pairs = [(0, number) for number in range(1, count)]
    start = time.process_time()
    spill_slots._join(pairs, group_of)
    taken = time.process_time() - start
    (group,) = {id(group): group for group in group_of if group is not None}.values()
    assert len(group.members) == count and group.ranges == sorted(group.ranges)
    return taken


def test_many_values_of_one_slot_take_time_in_proportion() -> None:
    """A state machine of thousands of states has variables of thousands of values."""
    assert min(time_to_join(16_000) for _ in range(2)) < 60 * max(min(time_to_join(1_000) for _ in range(5)), 1e-4)
