"""Parallel moves, run on a model machine: whatever the moves, the result is as if all happened at once."""

from __future__ import annotations

import random

import pytest

from wasm_ir import opcodes, types
from wasm_ir.codegen.machinst import IN_ARG, OUT_ARG, MInst, spill_slot
from wasm_ir.codegen.parallel_move import LOAD_CONSTANT, MOVE, MConstant, parallel_moves
from wasm_ir.ir import Inst

SCRATCH = (11, 31)
SPARE = spill_slot(300_020)
VECTORS = [spill_slot(300_010), spill_slot(300_012), spill_slot(300_014), OUT_ARG - 6, IN_ARG - 4]
INTS = [0, 1, 2, 3, 15]
FLOATS = [16, 17, 18, 19]
MEMORY = [spill_slot(0), spill_slot(1), spill_slot(7), OUT_ARG, OUT_ARG - 3, IN_ARG, IN_ARG - 1]


def constant(value: int, value_type: int = types.I64) -> Inst:
    return Inst(opcodes.CONST, value_type, [], value, 0, 0)


def run(insts: list[MInst]) -> dict[int, object]:
    """Final contents of every place, starting with each place containing its own number."""
    places: dict[int, object] = {}
    for inst in insts:
        (destination,) = inst.defs
        if inst.op is MOVE:
            (source,) = inst.uses
            assert source >= 0 or destination >= 0, "memory to memory"
            for place in (source, destination):
                if place >= 0:
                    assert (place >= 16) == (types.CLASS[inst.imm] == types.FLOAT_CLASS), "wrong class of register"
            if inst.imm != types.V128:
                assert source not in VECTORS and destination not in VECTORS, "half of a vector"
            places[destination] = places.get(source, source)
        else:
            assert inst.op is LOAD_CONSTANT and isinstance(inst, MConstant)
            if destination < 0:
                places[SCRATCH[types.CLASS[inst.constant.type]]] = "destroyed"
            places[destination] = inst.constant
    return places


def check(moves: list[tuple[int, int | Inst, int]]) -> list[MInst]:
    insts = parallel_moves(moves, SCRATCH, SPARE)
    places = run(insts)
    expected: dict[int, object] = {destination: source for destination, source, _ in moves}
    for place in [*INTS, *FLOATS, *MEMORY, *VECTORS, *expected]:
        assert places.get(place, place) == expected.get(place, place), (moves, place)
    return insts


def test_nothing() -> None:
    assert check([]) == []
    assert check([(3, 3, types.I64)]) == []
    assert check([(3, 3, types.I64), (spill_slot(1), spill_slot(1), types.F64)]) == []


def test_chain_needs_no_scratch() -> None:
    insts = check([(0, 1, types.I64), (1, 2, types.I64), (2, 3, types.I64)])
    assert [(inst.defs, inst.uses) for inst in insts] == [([0], [1]), ([1], [2]), ([2], [3])]


def test_swap_keeps_types() -> None:
    insts = check([(0, 1, types.I32), (1, 0, types.I64)])
    assert len(insts) == 3
    by_destination = {inst.defs[0]: inst.imm for inst in insts}
    assert by_destination[0] == types.I32
    assert by_destination[1] == types.I64


def test_memory_cycle_of_both_classes() -> None:
    a, b, c = spill_slot(0), spill_slot(1), spill_slot(7)
    check([(a, b, types.I64), (b, c, types.F64), (c, a, types.I32)])
    check([(a, b, types.F32), (b, a, types.F64), (0, 1, types.I64), (1, 0, types.I64)])


def test_memory_cycle_of_vectors() -> None:
    a, b, c = VECTORS[:3]
    swap = check([(a, b, types.V128), (b, a, types.V128)])
    assert [inst.defs[0] for inst in swap].count(SPARE) == 1
    check([(a, b, types.V128), (b, c, types.V128), (c, a, types.V128)])
    # Through a register as well, whichever move comes last.
    moves: list[tuple[int, int | Inst, int]] = [(a, b, types.V128), (b, 16, types.V128), (16, a, types.V128)]
    for _ in range(3):
        moves.append(moves.pop(0))
        check(moves)
    # Where every second place is a register the scratch register is enough.
    alternating = check([(a, 16, types.V128), (16, b, types.V128), (b, 17, types.V128), (17, a, types.V128)])
    assert SPARE not in [inst.defs[0] for inst in alternating]


def test_constants_come_last() -> None:
    check([(0, constant(5), types.I64), (1, 0, types.I64), (spill_slot(0), constant(6), types.I64)])
    check([(0, 1, types.I64), (1, 0, types.I64), (spill_slot(0), constant(6), types.I64)])


@pytest.mark.parametrize("seed", range(40))
def test_random(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(50):
        # Memory words hold a value of one class, so that register moves out of them make sense.
        float_words = {place for place in MEMORY if rng.random() < 0.4}
        moves: list[tuple[int, int | Inst, int]] = []
        for register_class, registers in enumerate((INTS, FLOATS)):
            words = [place for place in MEMORY if (place in float_words) == (register_class == types.FLOAT_CLASS)]
            places = registers + words
            kinds = (types.F32, types.F64) if register_class == types.FLOAT_CLASS else (types.I32, types.I64)
            if register_class == types.FLOAT_CLASS and rng.random() < 0.4:
                # A register that vectors use may then be read as one by the others, but words of memory may not.
                places = registers + VECTORS
                kinds = (types.V128,)
            for destination in rng.sample(places, rng.randint(0, len(places))):
                source = constant(rng.randint(0, 9)) if rng.random() < 0.15 else rng.choice(places)
                moves.append((destination, source, rng.choice(kinds)))
        rng.shuffle(moves)
        check(moves)


def test_large_cycle_is_linear() -> None:
    count = 200_000
    moves: list[tuple[int, int | Inst, int]] = [
        (spill_slot(k), spill_slot((k + 1) % count), types.I64) for k in range(count)
    ]
    places = run(parallel_moves(moves, SCRATCH, SPARE))
    assert all(places[destination] == source for destination, source, _ in moves)
