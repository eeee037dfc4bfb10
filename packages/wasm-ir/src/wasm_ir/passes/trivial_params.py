"""Removing block parameters that only ever have one value (Braun et al. 2013, section 3.1)."""

from __future__ import annotations

from wasm_ir import opcodes
from wasm_ir.ir import Block, Edge, Function, Inst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Parameters are looked at in the order of the blocks, so that one round is enough where there is no loop. Every
#: further round finds what depends on a loop's; code that would need more rounds keeps some parameters.
_MAX_ROUNDS: Final = 6


def remove_trivial_params(function: Function) -> bool:
    """Replace parameters whose arguments are all the same value, or the parameter itself. Whether any were found."""
    incoming: dict[int, list[Edge]] = {}
    candidates: list[Block] = []
    for block in function.blocks[1:]:
        if block.params:
            incoming[block.id] = []
            candidates.append(block)
    if not candidates:
        return False
    for block in function.blocks:
        for edge in block.successors():
            if edge.args:
                incoming[edge.block.id].append(edge)
    forwards: dict[int, Inst] = {}
    for _ in range(_MAX_ROUNDS):
        found = len(forwards)
        for block in candidates:
            _find_trivial(block, incoming[block.id], forwards)
        if len(forwards) == found:
            break
    if not forwards:
        return False
    for value in list(forwards):
        forwards[value] = _resolve(forwards[value], forwards)
    _remove(candidates, incoming, forwards)
    _replace(function, forwards)
    return True


def _find_trivial(block: Block, edges: list[Edge], forwards: dict[int, Inst]) -> None:
    for position, param in enumerate(block.params):
        if param.id in forwards:
            continue
        only: Inst | None = None
        for edge in edges:
            value = edge.args[position]
            if value.op == opcodes.PARAM and value.id in forwards:
                value = edge.args[position] = _resolve(value, forwards)
            if value is not only and value is not param:
                if only is not None:
                    break
                only = value
        else:
            if only is not None:
                forwards[param.id] = only


def _resolve(value: Inst, forwards: dict[int, Inst]) -> Inst:
    """The value at the end of the chain of replacements; makes the chain short."""
    path: list[int] = []
    following = forwards.get(value.id)
    while following is not None:
        path.append(value.id)
        value = following
        following = forwards.get(value.id)
    for id in path:
        forwards[id] = value
    return value


def _remove(blocks: list[Block], incoming: dict[int, list[Edge]], forwards: dict[int, Inst]) -> None:
    """Take the replaced parameters, and the arguments for them, out of blocks and edges."""
    for block in blocks:
        params = block.params
        keep = [position for position, param in enumerate(params) if param.id not in forwards]
        if len(keep) == len(params):
            continue
        block.params = [params[position] for position in keep]
        for edge in incoming[block.id]:
            args = edge.args
            edge.args = [args[position] for position in keep]


def _replace(function: Function, forwards: dict[int, Inst]) -> None:
    """Use the replacements in the place of the replaced values."""
    param = opcodes.PARAM
    for block in function.blocks:
        for inst in block.insts:
            args = inst.args
            for position, value in enumerate(args):
                if value.op == param and value.id in forwards:
                    args[position] = forwards[value.id]
        terminator = block.terminator
        if terminator is not None:
            args = terminator.args
            for position, value in enumerate(args):
                if value.op == param and value.id in forwards:
                    args[position] = forwards[value.id]
        for edge in block.successors():
            args = edge.args
            for position, value in enumerate(args):
                if value.op == param and value.id in forwards:
                    args[position] = forwards[value.id]
