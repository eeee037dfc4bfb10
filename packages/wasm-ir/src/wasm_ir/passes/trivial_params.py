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
_PARAM: Final = opcodes.PARAM

#: A parameter, its position in its block, and the edges to that.
_Param = tuple[int, Inst, list[Edge]]


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
    undecided = [
        (position, param, incoming[block.id]) for block in candidates for position, param in enumerate(block.params)
    ]
    for _ in range(_MAX_ROUNDS):
        found = len(forwards)
        undecided = _find_trivial(undecided, forwards)
        if len(forwards) == found:
            break
    if not forwards:
        return False
    for value in list(forwards):
        forwards[value] = _resolve(forwards[value], forwards)
    _remove(candidates, incoming, forwards)
    _replace(function, forwards)
    return True


def _find_trivial(params: list[_Param], forwards: dict[int, Inst]) -> list[_Param]:
    """Replace what is trivial. Returns what may still turn out to be: others have two values that nothing replaces."""
    undecided: list[_Param] = []
    for candidate in params:
        position, param, edges = candidate
        only: Inst | None = None
        for edge in edges:
            value = edge.args[position]
            if value.op == _PARAM and value.id in forwards:
                value = edge.args[position] = _resolve(value, forwards)
            if value is not only and value is not param:
                if only is not None:
                    if only.op == _PARAM or value.op == _PARAM:
                        undecided.append(candidate)
                    break
                only = value
        else:
            if only is not None:
                forwards[param.id] = only
    return undecided


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
        for param in params:
            if param.id in forwards:
                break
        else:
            continue
        keep = [position for position, param in enumerate(params) if param.id not in forwards]
        block.params = [params[position] for position in keep]
        for edge in incoming[block.id]:
            args = edge.args
            edge.args = [args[position] for position in keep]


def _replace(function: Function, forwards: dict[int, Inst]) -> None:
    """Use the replacements in the place of the replaced values."""
    for block in function.blocks:
        for inst in block.insts:
            for value in inst.args:
                if value.op == _PARAM and value.id in forwards:
                    _replace_in(inst.args, forwards)
                    break
        terminator = block.terminator
        if terminator is not None:
            _replace_in(terminator.args, forwards)
        for edge in block.successors():
            if edge.args:
                _replace_in(edge.args, forwards)


def _replace_in(args: list[Inst], forwards: dict[int, Inst]) -> None:
    for position, value in enumerate(args):
        if value.op == _PARAM and value.id in forwards:
            args[position] = forwards[value.id]
