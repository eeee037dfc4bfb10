"""Register allocation of random functions, proved right one by one; and the prover on allocations that are wrong."""

from __future__ import annotations

import gc
import os
import random
from collections.abc import Callable

import machine_programs as programs
import pytest

from wasm_ir import opcodes, types
from wasm_ir.codegen.allocation_checker import AllocationError, check, snapshot
from wasm_ir.codegen.intervals import Value
from wasm_ir.codegen.linear_scan import Allocation, allocate
from wasm_ir.codegen.machine_printer import format_function
from wasm_ir.codegen.machinst import OUT_ARG, MBlock, MEdge, MFixed, MFunction, MInst, spill_slot
from wasm_ir.codegen.parallel_move import MOVE, MConstant
from wasm_ir.codegen.registers import RegisterSet
from wasm_ir.ir import Inst

#: Random functions per machine and size.
COUNT = int(os.environ.get("WASMETAL_ALLOCATION_TESTS", "25"))

MACHINES = {
    "3+3": programs.toy_registers(3, 3, 0),
    "4+3": programs.toy_registers(4, 3, 1),
    "5+4": programs.toy_registers(5, 4, 2),
    "5+5": programs.toy_registers(5, 5, 2, 1),
    "6+4": programs.toy_registers(6, 4, 2),
}


def failure(seed: int, size: int, registers: RegisterSet) -> str:
    """What is wrong with the allocation of a random function; empty when nothing is."""
    machine = programs.generate(seed, size, registers, split_critical_edges=seed % 2 == 0)
    before = snapshot(machine)
    text = format_function(machine, registers)
    allocation = None
    try:
        allocation = allocate(machine, registers)
        check(machine, before, allocation, registers)
    except Exception as error:
        after = format_function(machine, registers) if allocation is not None else "no allocation"
        return f"{type(error).__name__}: {error}\n\n{text}\n{after}"
    return ""


@pytest.mark.parametrize("size", [4, 12, 40, 100, 250])
@pytest.mark.parametrize("name", list(MACHINES))
def test_random_functions(name: str, size: int) -> None:
    registers = MACHINES[name]
    for seed in range(COUNT if size < 100 else COUNT * 20 // size):
        if failure(seed, size, registers):
            smaller = next(s for s in range(1, size + 1) if failure(seed, s, registers))
            pytest.fail(f"seed {seed}, size {smaller}: {failure(seed, smaller, registers)}", pytrace=False)


def test_what_fails_leaves_no_cycles() -> None:
    """In native code the collector does not know values and intervals."""
    machine = programs.generate(1, 40, MACHINES["5+5"])
    gc.collect()
    gc.disable()
    try:
        with pytest.raises(RuntimeError) as raised:
            allocate(machine, programs.toy_registers(1, 1, 0))
        del raised
        assert not [thing for thing in gc.get_objects() if isinstance(thing, Value)]
    finally:
        gc.enable()


def test_calls_without_pressure_use_callee_saved_registers() -> None:
    """A value that lives across a call goes into a register that survives it, and the register is reported."""
    registers = MACHINES["5+5"]
    machine, block = one_block()
    value = machine.new_vreg(types.I64)
    block.insts = [
        MInst(programs.CONST, [value], [], 0),
        MFixed(programs.CALL, [], [], 0, [], [], registers.caller_saved),
        MInst(programs.STORE, [], [value], 0),
        MInst(programs.TRAP, [], [], 0),
    ]
    allocation = allocated(machine, registers)
    (register,) = block.insts[0].defs
    assert registers.callee_saved >> register & 1
    assert allocation.saved_registers == [register]
    assert allocation.spill_slots == 0
    assert len(block.insts) == 4


def test_hints_avoid_moves() -> None:
    """Arguments are computed where the call wants them, a loop's counter stays in one register."""
    registers = MACHINES["6+4"]
    machine = MFunction("loop")
    entry, header, out = (MBlock(number) for number in range(3))
    machine.blocks = [entry, header, out]
    latch = MBlock(2)
    out.id = 3
    machine.blocks = [entry, header, latch, out]
    counter, following = machine.new_vreg(types.I64), machine.new_vreg(types.I64)
    header.params = [counter]
    header.is_loop_header = True
    header.loop_depth = latch.loop_depth = 1
    zero = Inst(opcodes.CONST, types.I64, [], 0, 0, 0)
    entry.insts = [MFixed(programs.ENTRY, [], [], 0, [], [], 0), MInst(programs.JUMP, [], [], 0)]
    entry.edges = [MEdge(header, [zero])]
    header.insts = [MInst(programs.TIED, [following], [counter], 0), MInst(programs.BRIF, [], [following], 0)]
    header.edges = [MEdge(latch, []), MEdge(out, [])]
    latch.insts = [MInst(programs.JUMP, [], [], 0)]
    latch.edges = [MEdge(header, [following])]
    out.insts = [
        MFixed(programs.CALL, [], [], 0, [(following, 2)], [], registers.caller_saved),
        MInst(programs.TRAP, [], [], 0),
    ]
    header.predecessors = [entry, latch]
    latch.predecessors = [header]
    out.predecessors = [header]
    allocated(machine, registers)
    assert header.is_tight_loop
    assert [inst.op for inst in latch.insts] == [programs.JUMP]
    assert [inst.op for inst in header.insts] == [programs.TIED, programs.BRIF]
    assert header.insts[0].defs == header.insts[0].uses


def test_more_values_in_lifetime_holes_than_are_tracked() -> None:
    """A branch table in whose arms long-lived values are used now and then, and dead in between."""
    registers = programs.toy_registers(11, 4, 3)
    machine = MFunction("table")
    machine.jump = programs.JUMP
    entry, end = MBlock(0), MBlock(101)
    arms = [MBlock(1 + number) for number in range(100)]
    machine.blocks = [entry, *arms, end]
    values = [machine.new_vreg(types.I64) for _ in range(50)]
    param = machine.new_vreg(types.I64)
    end.params = [param]
    entry.insts = [MInst(programs.CONST, [value], [], 0) for value in values]
    entry.insts.append(MInst(programs.BR_TABLE, [machine.new_vreg(types.I64)], [values[0]], 0))
    entry.edges = [MEdge(arm, []) for arm in arms]
    rng = random.Random(1)
    for arm in arms:
        arm.predecessors = [entry]
        for _ in range(rng.randint(1, 8)):
            result = machine.new_vreg(types.I64)
            arm.insts.append(MInst(programs.PLAIN, [result], [rng.choice(values), rng.choice(values)], 0))
        arm.insts.append(MInst(programs.JUMP, [], [], 0))
        arm.edges = [MEdge(end, [result])]
    end.predecessors = list(arms)
    end.insts = [MInst(programs.STORE, [], [param, values[1]], 0), MInst(programs.TRAP, [], [], 0)]
    allocated(machine, registers)


def one_block() -> tuple[MFunction, MBlock]:
    machine = MFunction("test")
    block = MBlock(0)
    machine.blocks.append(block)
    return machine, block


def allocated(machine: MFunction, registers: RegisterSet) -> Allocation:
    before = snapshot(machine)
    allocation = allocate(machine, registers)
    check(machine, before, allocation, registers)
    return allocation


# The checker.


def by_hand(change: Callable[[MBlock], None]) -> None:
    """Check a small allocation made by hand, after `change` has been made to it."""
    registers = MACHINES["4+3"]
    machine, block = one_block()
    a, b, c, result, temp = (machine.new_vreg(types.I64) for _ in range(5))
    const_a = MInst(programs.CONST, [a], [], 0)
    const_b = MInst(programs.CONST, [b], [], 0)
    tied = MInst(programs.TIED, [c], [a, b], 0)
    temps = MInst(programs.TEMPS, [result, temp], [c, b], 0)
    call = MFixed(programs.CALL, [], [], 0, [(result, 2), (b, OUT_ARG)], [], registers.caller_saved)
    trap = MInst(programs.TRAP, [], [], 0)
    block.insts = [const_a, const_b, tied, temps, call, trap]
    machine.outgoing_words = 1
    before = snapshot(machine)
    const_a.defs[:] = [0]
    const_b.defs[:] = [1]
    tied.defs[:], tied.uses[:] = [0], [0, 1]
    temps.defs[:], temps.uses[:] = [3, 2], [0, 1]
    block.insts = [
        const_a,
        const_b,
        MInst(MOVE, [spill_slot(0)], [1], types.I64),
        tied,
        temps,
        MInst(MOVE, [2], [3], types.I64),
        MInst(MOVE, [OUT_ARG], [1], types.I64),
        call,
        trap,
    ]
    change(block)
    check(machine, before, Allocation(1, [3]), registers)


def test_checker_accepts() -> None:
    by_hand(lambda block: None)


def _insts(block: MBlock, op_name: str) -> MInst:
    return next(inst for inst in block.insts if inst.op.name == op_name)


def _wrong_use(block: MBlock) -> None:
    _insts(block, "tied").uses[1] = 2


def _same_results(block: MBlock) -> None:
    _insts(block, "temps").defs[:] = [3, 3]


def _temp_on_use(block: MBlock) -> None:
    _insts(block, "temps").defs[1] = 1


def _tied_overwrites(block: MBlock) -> None:
    _insts(block, "tied").defs[0] = 1


def _use_in_memory(block: MBlock) -> None:
    _insts(block, "tied").uses[1] = spill_slot(0)


def _missing_move(block: MBlock) -> None:
    del block.insts[5]


def _missing_stack_argument(block: MBlock) -> None:
    del block.insts[6]


def _wrong_order(block: MBlock) -> None:
    block.insts[5], block.insts[4] = block.insts[4], block.insts[5]


def _narrow_move(block: MBlock) -> None:
    block.insts[5].imm = types.I32


def _memory_to_memory(block: MBlock) -> None:
    block.insts[6].uses[0] = spill_slot(0)


def _slot_outside(block: MBlock) -> None:
    block.insts[2].defs[0] = spill_slot(1)


def _unreported_register(block: MBlock) -> None:
    _insts(block, "const").defs[0] = 3
    _insts(block, "tied").uses[0] = 3
    block.insts.insert(4, MInst(MOVE, [17], [18], types.F64))
    block.insts.insert(4, MInst(MOVE, [17], [1], types.F64))


def _lost_instruction(block: MBlock) -> None:
    del block.insts[1]


def _overwriting_constant(block: MBlock) -> None:
    block.insts.insert(3, MConstant(1, Inst(opcodes.CONST, types.I64, [], 1, 0, 0)))


@pytest.mark.parametrize(
    "change",
    [
        _wrong_use,
        _same_results,
        _temp_on_use,
        _tied_overwrites,
        _use_in_memory,
        _missing_move,
        _missing_stack_argument,
        _wrong_order,
        _narrow_move,
        _memory_to_memory,
        _slot_outside,
        _unreported_register,
        _lost_instruction,
        _overwriting_constant,
    ],
)
def test_checker_rejects(change: Callable[[MBlock], None]) -> None:
    with pytest.raises(AllocationError):
        by_hand(change)


def test_checker_reports_unsaved_register() -> None:
    registers = MACHINES["4+3"]
    machine, block = one_block()
    value = machine.new_vreg(types.I64)
    block.insts = [MInst(programs.CONST, [value], [], 0), MInst(programs.TRAP, [], [], 0)]
    before = snapshot(machine)
    block.insts[0].defs[0] = 3
    check(machine, before, Allocation(0, [3]), registers)
    with pytest.raises(AllocationError, match="callee-saved"):
        check(machine, before, Allocation(0, []), registers)


def test_checker_meets_paths() -> None:
    """A value that is in a register on one path only is not there where paths meet."""
    registers = MACHINES["4+3"]
    for wrong in (False, True):
        machine = MFunction("diamond")
        entry, left, right, end = blocks = [MBlock(number) for number in range(4)]
        machine.blocks = blocks
        value = machine.new_vreg(types.I64)
        entry.insts = [MInst(programs.CONST, [value], [], 0), MInst(programs.BRIF, [], [value], 0)]
        entry.edges = [MEdge(left, []), MEdge(right, [])]
        for arm in (left, right):
            arm.insts = [MInst(programs.JUMP, [], [], 0)]
            arm.edges = [MEdge(end, [])]
            arm.predecessors = [entry]
        end.insts = [MInst(programs.STORE, [], [value], 0), MInst(programs.TRAP, [], [], 0)]
        end.predecessors = [left, right]
        before = snapshot(machine)
        entry.insts[0].defs[0] = entry.insts[1].uses[0] = 0
        end.insts[0].uses[0] = 1
        left.insts.insert(0, MInst(MOVE, [1], [0], types.I64))
        if not wrong:
            right.insts.insert(0, MInst(MOVE, [1], [0], types.I64))
            check(machine, before, Allocation(0, []), registers)
        else:
            with pytest.raises(AllocationError, match="should hold"):
                check(machine, before, Allocation(0, []), registers)


def test_checker_knows_iterations_apart() -> None:
    """A loop's value from the iteration before is not the value of this iteration."""
    registers = MACHINES["4+3"]
    for wrong in (False, True):
        machine = MFunction("loop")
        entry, header = machine.blocks = [MBlock(0), MBlock(1)]
        first, param, following = (machine.new_vreg(types.I64) for _ in range(3))
        header.params = [param]
        entry.insts = [MInst(programs.CONST, [first], [], 0), MInst(programs.JUMP, [], [], 0)]
        entry.edges = [MEdge(header, [first])]
        header.insts = [MInst(programs.PLAIN, [following], [param], 0), MInst(programs.JUMP, [], [], 0)]
        header.edges = [MEdge(header, [following])]
        header.predecessors = [entry, header]
        before = snapshot(machine)
        entry.insts[0].defs[0] = 0
        header.insts[0].uses[0] = 0
        header.insts[0].defs[0] = 1 if wrong else 0
        if wrong:
            with pytest.raises(AllocationError, match="should hold"):
                check(machine, before, Allocation(0, []), registers)
        else:
            check(machine, before, Allocation(0, []), registers)


def _vector_in_odd_slot(block: MBlock) -> None:
    block.insts[2].defs[0] = block.insts[3].uses[0] = spill_slot(1)


def _half_overwritten(block: MBlock) -> None:
    block.insts.insert(3, MInst(MOVE, [spill_slot(1)], [1], types.I64))


def _slot_too_short(block: MBlock) -> None:
    block.insts[2].defs[0] = block.insts[3].uses[0] = spill_slot(4)


@pytest.mark.parametrize("change", [None, _vector_in_odd_slot, _half_overwritten, _slot_too_short])
def test_checker_knows_that_vectors_take_two_slots(change: Callable[[MBlock], None] | None) -> None:
    machine, block = one_block()
    vector, number = machine.new_vreg(types.V128), machine.new_vreg(types.I64)
    block.insts += [
        MInst(programs.CONST, [vector], [], 0),
        MInst(programs.CONST, [number], [], 0),
        MInst(programs.RETURN, [], [vector, number], 0),
    ]
    before = snapshot(machine)
    registers = MACHINES["4+3"]
    block.insts[0].defs[0] = 17
    block.insts[1].defs[0] = 1
    block.insts[2].uses[:] = [17, 1]
    block.insts[2:2] = [
        MInst(MOVE, [spill_slot(0)], [17], types.V128),
        MInst(MOVE, [17], [spill_slot(0)], types.V128),
    ]
    if change is not None:
        change(block)
        with pytest.raises(AllocationError):
            check(machine, before, Allocation(5, [], True), registers)
    else:
        check(machine, before, Allocation(2, [], True), registers)
