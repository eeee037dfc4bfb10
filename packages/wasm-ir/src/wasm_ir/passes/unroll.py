"""Unrolling small loops that poll, so that they poll, and jump back, less often.

Loops of one block, which ends with a condition. Copies of it follow each other, and each goes on with the next one, the
last one with the first, which polls for all of them. Nothing else changes: each copy does all that a round does, and
leaves the loop by an edge of its own. Loops of several blocks gain nothing that could be measured.
"""

from __future__ import annotations

from wasm_ir import opcodes
from wasm_ir.ir import Block, Branch, Edge, Function, Inst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: How many instructions a round may have, its branch included.
MOST_INSTRUCTIONS: Final = 12
#: How many rounds become one, at most, and how many instructions they have altogether.
MOST_ROUNDS: Final = 4
MOST_COPIED: Final = 32

#: What is not worth it.
_CALLS: Final = frozenset((opcodes.CALL, opcodes.CALL_REF, opcodes.CALL_NATIVE, opcodes.ENTER))


class _Loop:
    """A loop that is unrolled."""

    __slots__ = ("back", "block", "exit", "passed_on")

    def __init__(self, block: Block, back: Edge, exit: Edge) -> None:
        self.block = block
        #: Its two edges.
        self.back = back
        self.exit = exit
        #: Its values that are used behind it.
        self.passed_on: list[Inst] = []


def unroll_polling_loops(function: Function, ends: dict[int, int]) -> dict[int, int]:
    """Unroll the small loops of a function that poll.

    `ends`: what find_loops gave. Returns what it would give now.
    """
    blocks = function.blocks
    loops: dict[int, _Loop] = {}
    for start, end in ends.items():
        if start == end:
            block = blocks[start]
            if block.insts and block.insts[0].op == opcodes.POLL and len(block.insts) < MOST_INSTRUCTIONS:
                loop = _loop(block)
                if loop is not None:
                    loops[block.id] = loop
    if not loops:
        return ends
    _find_passed_on(blocks, loops)
    _pass_on(function, loops)
    number = max([block.id for block in blocks]) + 1
    result = function.blocks = []
    #: By position of a block: where it has gone, and where the last of its copies is.
    moved: list[int] = []
    last: list[int] = []
    for block in blocks:
        moved.append(len(result))
        result.append(block)
        unrolled = loops.get(block.id)
        if unrolled is not None:
            copies = _copies(function, unrolled, number)
            number += len(copies)
            result += copies
        last.append(len(result) - 1)
    return {moved[start]: last[end] for start, end in ends.items()}


def _loop(block: Block) -> _Loop | None:
    """The loop that a block is that polls, if it is one to unroll."""
    terminator = block.terminator
    if not isinstance(terminator, Branch) or terminator.op != opcodes.BRIF or block.is_cold:
        return None
    for inst in block.insts:
        if inst.op in _CALLS:
            return None
    back, exit = terminator.targets
    if exit.block is block:
        back, exit = exit, back
    return None if exit.block is block else _Loop(block, back, exit)


def _find_passed_on(blocks: list[Block], loops: dict[int, _Loop]) -> None:
    """Fill in `passed_on`; drop loops with values that others get as well, not by edges, who come another way."""
    #: By id of a value: the loop that defines it, as long as it has not been found to be used elsewhere.
    owners: dict[int, _Loop] = {}
    for loop in loops.values():
        for value in loop.block.params:
            owners[value.id] = loop
        for value in loop.block.insts:
            owners[value.id] = loop
    for block in blocks:
        here = loops.get(block.id)
        for args in _operands(block):
            for value in args:
                owner = owners.get(value.id)
                if owner is not None and owner is not here:
                    del owners[value.id]
                    owner.passed_on.append(value)
    for loop in list(loops.values()):
        if loop.passed_on and len(loop.exit.block.predecessors) > 1:
            del loops[loop.block.id]


def _pass_on(function: Function, loops: dict[int, _Loop]) -> None:
    """Let what is used behind a loop be parameters there: each copy will have values of its own."""
    #: By id of a value: its loop, and the parameter.
    owners: dict[int, _Loop] = {}
    params: dict[int, Inst] = {}
    for loop in loops.values():
        for value in loop.passed_on:
            owners[value.id] = loop
            param = params[value.id] = Inst(opcodes.PARAM, value.type, [], 0, function.value_count, 0)
            function.value_count += 1
            loop.exit.block.params.append(param)
    if not params:
        return
    for block in function.blocks:
        here = loops.get(block.id)
        for args in _operands(block):
            for position, value in enumerate(args):
                if value.id in params and owners[value.id] is not here:
                    args[position] = params[value.id]
    for loop in loops.values():
        loop.exit.args = loop.exit.args + loop.passed_on


def _operands(block: Block) -> list[list[Inst]]:
    """The operands of all of a block's instructions, and the arguments on its edges."""
    result = [inst.args for inst in block.insts if inst.args]
    if block.terminator is not None:
        result.append(block.terminator.args)
    result += [edge.args for edge in block.successors() if edge.args]
    return result


def _copies(function: Function, loop: _Loop, number: int) -> list[Block]:
    """The further rounds, connected to the first one. The ids of their blocks begin with `number`."""
    block = loop.block
    terminator = block.terminator
    assert isinstance(terminator, Branch)
    rounds = min(MOST_ROUNDS, MOST_COPIED // (len(block.insts) + 1))
    carried = loop.back.args
    target = loop.exit.block
    result: list[Block] = []
    previous = block
    back = loop.back
    following = carried
    for _ in range(rounds - 1):
        # The parameters are what the round before gives for them.
        values = {param.id: value for param, value in zip(block.params, following)}
        copy = Block(number)
        number += 1
        copy.loop_depth = block.loop_depth
        copy.predecessors.append(previous)
        back.block = copy
        back.args = []
        _copy_insts(function, block, copy, values)
        following = _replaced(carried, values)
        back = Edge(block, following)
        exit = Edge(target, _replaced(loop.exit.args, values))
        target.predecessors.append(copy)
        back.is_cold = loop.back.is_cold
        exit.is_cold = loop.exit.is_cold
        targets = [back, exit] if terminator.targets[0] is loop.back else [exit, back]
        args = _replaced(terminator.args, values)
        copy.terminator = Branch(terminator.op, args, targets, function.value_count, terminator.offset)
        function.value_count += 1
        result.append(copy)
        previous = copy
    block.predecessors[block.predecessors.index(block)] = previous
    return result


def _copy_insts(function: Function, block: Block, copy: Block, values: dict[int, Inst]) -> None:
    """Do in a copy what the block does behind its poll. `values`: by id of a value, that of the copy; is added to."""
    number = function.value_count
    for inst in block.insts[1:]:
        new = Inst(inst.op, inst.type, _replaced(inst.args, values), inst.imm, number, inst.offset)
        number += 1
        values[inst.id] = new
        copy.insts.append(new)
    function.value_count = number


def _replaced(args: list[Inst], values: dict[int, Inst]) -> list[Inst]:
    return [values.get(arg.id, arg) for arg in args]
