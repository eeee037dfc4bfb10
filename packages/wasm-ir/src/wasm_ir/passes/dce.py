"""Dead code elimination: mark what effects, traps and branches need; remove everything else.

A block parameter is needed only if something that is needed uses it, so that cycles of parameters that feed
nothing but each other go too.
"""

from __future__ import annotations

from wasm_ir import opcodes
from wasm_ir.ir import Branch, Edge, Function, Inst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: The properties of what stays without users.
_STAYS: Final = opcodes.EFFECT | opcodes.TRAPS
#: These stand behind their call, needed or not.
_RESULT: Final = opcodes.RESULT


def eliminate_dead_code(function: Function) -> None:
    """Remove instructions and block parameters that nothing needs, and the arguments for those parameters.

    The entry block's parameters, and results of calls, stay even when they are not used.
    """
    live = _mark(function)
    for block in function.blocks:
        for inst in block.insts:
            if not live[inst.id]:
                block.insts = [inst for inst in block.insts if live[inst.id]]
                break
    _remove_params(function, live)


def _mark(function: Function) -> list[int]:
    """By instruction id: 1 if it is needed.

    Uses come after definitions in the order of the blocks, so one walk backwards finds nearly everything. Arguments of
    back edges are needed if the header's parameters are, which is known only when the header is reached.
    """
    live = [0] * function.value_count
    properties = opcodes.PROPERTIES
    seen: set[int] = set()
    back_edges: dict[int, list[Edge]] = {}
    late = _LateMarker(function, live)
    for block in reversed(function.blocks):
        terminator = block.terminator
        assert terminator is not None
        for arg in terminator.args:
            live[arg.id] = 1
        if isinstance(terminator, Branch):
            for edge in terminator.targets:
                args = edge.args
                if not args:
                    continue
                target = edge.block
                if target.id in seen:
                    for param, arg in zip(target.params, args):
                        if live[param.id]:
                            live[arg.id] = 1
                else:
                    back_edges.setdefault(target.id, []).append(edge)
        for inst in reversed(block.insts):
            if live[inst.id]:
                for arg in inst.args:
                    live[arg.id] = 1
            elif properties[inst.op] & _STAYS or inst.op == _RESULT:
                live[inst.id] = 1
                for arg in inst.args:
                    live[arg.id] = 1
        seen.add(block.id)
        if block.id in back_edges:
            for edge in back_edges[block.id]:
                for param, arg in zip(block.params, edge.args):
                    if live[param.id] and not live[arg.id]:
                        late.mark(arg)
    return live


class _LateMarker:
    """Marks values, and all that they need, in blocks that the walk has passed already."""

    def __init__(self, function: Function, live: list[int]) -> None:
        self.function = function
        self.live = live
        #: Parameter -> edges to its block and its position; made when first needed.
        self.sources: dict[int, tuple[list[Edge], int]] = {}

    def mark(self, value: Inst) -> None:
        live = self.live
        work = [value]
        while work:
            value = work.pop()
            if live[value.id]:
                continue
            live[value.id] = 1
            if value.op != opcodes.PARAM:
                work.extend(value.args)
                continue
            if not self.sources:
                self._find_sources()
            edges, position = self.sources[value.id]
            for edge in edges:
                work.append(edge.args[position])

    def _find_sources(self) -> None:
        incoming: dict[int, list[Edge]] = {}
        for block in self.function.blocks:
            edges = incoming[block.id] = []
            for position, param in enumerate(block.params):
                self.sources[param.id] = (edges, position)
        for block in self.function.blocks:
            for edge in block.successors():
                incoming[edge.block.id].append(edge)


def _remove_params(function: Function, live: list[int]) -> None:
    """Take dead parameters out of their blocks, and their arguments out of the edges."""
    kept: dict[int, list[int]] = {}
    for block in function.blocks[1:]:
        params = block.params
        for param in params:
            if not live[param.id]:
                keep = [position for position, param in enumerate(params) if live[param.id]]
                kept[block.id] = keep
                block.params = [params[position] for position in keep]
                break
    if not kept:
        return
    for block in function.blocks:
        for edge in block.successors():
            positions = kept.get(edge.block.id)
            if positions is not None:
                args = edge.args
                edge.args = [args[position] for position in positions]
