"""Edges to one block on which the same is moved share the code that does it."""

from __future__ import annotations

from wasm_ir.codegen.machinst import MBlock, MEdge, MFunction, MInst
from wasm_ir.codegen.parallel_move import LOAD_CONSTANT, MOVE, MConstant

#: Destination, source (of a constant its value), type of each move.
_Moves = tuple[tuple[int, int, int], ...]


def share_edges(machine: MFunction) -> None:
    """Of blocks that do the same moves and jump to the same block keep one, and let the others jump there.

    It is the one in front of the target, which need not jump, or else the last one: a loop's is at its end. Runs after
    register allocation, and before jump threading, which takes out what is left of the others.
    """
    #: By where they lead, whether they are cold, and what they move.
    kept: dict[tuple[int, bool, _Moves], MBlock] = {}
    behind: MBlock | None = None
    following: MBlock | None = None
    for block in reversed(machine.blocks):
        insts = block.insts
        count = len(insts) - 1
        following = behind
        if count and not block.is_cold:
            # (what just jumps goes, what is cold is put elsewhere)
            behind = block
        if count < 1 or len(block.edges) != 1 or not insts[count].op.is_jump:
            continue
        first = insts[0].op
        if first is not MOVE and first is not LOAD_CONSTANT:
            continue
        target = block.edges[0].block
        if len(target.predecessors) < 2:
            continue
        moves = _moves(insts)
        if moves is None:
            continue
        key = target.id, block.is_cold, moves
        same = kept.get(key)
        if same is None:
            kept[key] = block
        elif following is target:
            kept[key] = block
            _jump(same, block)
        else:
            _jump(block, same)
            behind = following


def _jump(block: MBlock, same: MBlock) -> None:
    """Let a block just jump to another, which does the same."""
    del block.insts[:-1]
    block.edges = [MEdge(same, [])]


def _moves(insts: list[MInst]) -> _Moves | None:
    """What a block does in front of its jump, or None if these are not all moves."""
    result: list[tuple[int, int, int]] = []
    for number in range(len(insts) - 1):
        inst = insts[number]
        op = inst.op
        if op is MOVE:
            result.append((inst.defs[0], inst.uses[0], inst.imm))
        elif op is LOAD_CONSTANT:
            assert isinstance(inst, MConstant)
            # Types of constants count from below, as no type of a move does.
            constant = inst.constant
            result.append((inst.defs[0], constant.imm, -1 - constant.type))
        else:
            return None
    return tuple(result)
