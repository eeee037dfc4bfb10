"""The code generator's phases strung together, and jump threading between them."""

from __future__ import annotations

import random

import pytest
from toy_target import BYTE, JUMP, ToyTarget, machine_function

from wasm_ir import types
from wasm_ir.codegen.emission import Emitter
from wasm_ir.codegen.jump_threading import thread_jumps
from wasm_ir.codegen.machinst import MFixed, MInst, MOp
from wasm_ir.codegen.pipeline import compile_function
from wasm_ir.ir import Function, Signature


def nothing() -> Function:
    return Function("test", Signature((), ()))


def test_compile_function() -> None:
    class Define(MOp):
        def emit(self, emitter: Emitter, inst: MInst) -> None:
            assert all(0 <= place < 64 for place in inst.defs + inst.uses)

    machine = machine_function({0: [1], 1: []})
    value = machine.new_vreg(types.I64)
    machine.blocks[0].insts.insert(0, MInst(Define("define"), [value], [], 0))
    machine.blocks[1].insts.insert(0, MFixed(Define("call"), [], [], 0, [(value, 1)], [], 0b0111 | 3 << 16))
    machine.blocks[1].insts.insert(1, MInst(Define("use"), [], [value], 0))
    timings: dict[str, float] = {"emit": 1.0}
    code = compile_function(nothing(), ToyTarget(machine), timings)
    # The value survives the call in the callee-saved register and is moved to its argument register.
    assert code.code == b"EP" + b"m" + b"r"
    # One saved register and the target's extra word.
    assert code.frame_size == 16
    assert timings.keys() == {"lower", "allocate", "emit"}
    assert timings["emit"] > 1.0
    assert timings["lower"] > 0


def test_timings_do_not_change_the_code() -> None:
    edges = {0: [1, 2], 1: [3], 2: [3], 3: []}
    insts = {2: [MInst(BYTE, [], [], 1)]}
    one = compile_function(nothing(), ToyTarget(machine_function(edges, insts)))
    two = compile_function(nothing(), ToyTarget(machine_function(edges, insts)), {})
    assert one.code == two.code == b"EP" + b"b\x05" + b"\x01" + b"r"


def test_empty_blocks_are_skipped() -> None:
    machine = machine_function({0: [1, 2], 1: [3], 2: [4], 3: [4], 4: []})
    thread_jumps(machine)
    assert [block.id for block in machine.blocks] == [0, 4]
    assert [edge.block.id for edge in machine.blocks[0].edges] == [4, 4]


def test_blocks_with_moves_stay() -> None:
    machine = machine_function({0: [1, 2], 1: [3], 2: [3], 3: []}, {1: [MInst(BYTE, [], [], 1)]})
    thread_jumps(machine)
    assert [block.id for block in machine.blocks] == [0, 1, 3]


@pytest.mark.parametrize(
    ("edges", "kept"),
    [
        ({0: [0]}, [0]),
        ({0: [1], 1: [1]}, [0, 1]),
        ({0: [1, 2], 1: [2], 2: [1]}, [0, 2]),
        ({0: [1, 4], 1: [2], 2: [3], 3: [2], 4: []}, [0, 3, 4]),
        ({0: [1], 1: [0]}, [0]),
    ],
)
def test_empty_endless_loops(edges: dict[int, list[int]], kept: list[int]) -> None:
    machine = machine_function(edges)
    thread_jumps(machine)
    assert len(machine.blocks) == len(kept)
    blocks = set(machine.blocks)
    assert machine.blocks[0].id == 0
    for block in machine.blocks:
        assert all(edge.block in blocks for edge in block.edges)


@pytest.mark.parametrize("seed", range(30))
def test_random_graphs_run_the_same(seed: int) -> None:
    """Following edges by the same choices visits the same blocks that do something, and dead ends stay dead ends."""
    rng = random.Random(seed)
    count = rng.randint(1, 12)
    edges = {n: [rng.randrange(count) for _ in range(rng.choice((0, 1, 1, 1, 1, 2)))] for n in range(count)}
    insts = {n: [MInst(BYTE, [], [], n)] for n in range(count) if rng.random() < 0.3}
    choices = [rng.randrange(2) for _ in range(200)]

    def trace(threaded: bool) -> list[str]:
        machine = machine_function(edges, insts)
        if threaded:
            thread_jumps(machine)
        block = machine.blocks[0]
        result: list[str] = []
        steps = iter(choices)
        # Jumps without effects take no step of the trace, so an endless loop of these ends it.
        silent = 0
        while silent <= count:
            for inst in block.insts:
                if inst.op is BYTE:
                    result.append(f"byte {inst.imm}")
                    silent = 0
            if not block.edges:
                return [*result, "end"]
            if len(block.edges) == 2:
                silent = 0
                choice = next(steps, None)
                if choice is None:
                    return result
                result.append(f"branch {choice}")
                block = block.edges[choice].block
            else:
                block = block.edges[0].block
                silent += 1
            if len(result) > 400:
                return result
        return [*result, "for ever"]

    assert trace(True) == trace(False)


def test_long_chains_take_no_quadratic_time() -> None:
    count = 100_000
    edges = {n: [n + 1] for n in range(count)}
    edges[count] = []
    machine = machine_function(edges)
    machine.blocks[1:-1] = machine.blocks[-2:0:-1]
    for number, block in enumerate(machine.blocks):
        block.id = number
    thread_jumps(machine)
    assert len(machine.blocks) == 2
    assert machine.blocks[0].insts[0].op is JUMP
    assert machine.blocks[0].edges[0].block is machine.blocks[1]
