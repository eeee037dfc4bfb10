"""SSA construction for locals.

The algorithm is that of Braun et al., "Simple and Efficient Construction of Static Single Assignment Form", CC 2013.

A block gets a parameter for a local only if somebody reads the local there and the construct that the block joins (or
the loop that it heads) assigns it; otherwise the search goes on where the construct was entered. Arguments for these
parameters are added to the edges at the end, when all edges are known. Nothing recurses.
"""

from __future__ import annotations

from wasm_core.bisection import bisect_left
from wasm_core.body_facts import BodyFacts
from wasm_core.lazy_typing import mypyc_attr
from wasm_ir.builder import Builder
from wasm_ir.ir import Block, Edge, Inst


@mypyc_attr(native_class=False)
class TooManyValuesError(Exception):
    """There are so many locals and branches that locals should not be SSA values."""


class BlockRecord:
    """What the front end knows of a block while it builds SSA form."""

    __slots__ = ("block", "defs", "end", "entry", "start")

    def __init__(self, block: Block, entry: BlockRecord | None, start: int, end: int) -> None:
        self.block = block
        #: Local -> its value at the end of the block (for the current block: now).
        self.defs: dict[int, Inst] = {}
        #: Where to look for locals that the bytes from `start` to `end` do not assign: the only predecessor, or the
        #: block where the construct that this block ends was entered, or the loop's preheader. None for the entry
        #: block.
        self.entry = entry
        self.start = start
        #: 0 if nothing is assigned between `entry` and this block.
        self.end = end


class Locals:
    """The locals of one function. `current` is the record of the block being built."""

    def __init__(self, builder: Builder, types: list[int], facts: BodyFacts, limit: int) -> None:
        self.builder = builder
        #: IR types.
        self.types = types
        self.sets = facts.local_sets
        #: In the order of the function's blocks.
        self.records: list[BlockRecord] = []
        self.current: BlockRecord
        #: How many more entries in tables and arguments on edges are allowed.
        self.budget = limit
        #: Parameters made, in order, whose edges have no arguments yet.
        self._params: list[tuple[BlockRecord, int, Inst]] = []

    def read(self, local: int) -> Inst:
        """The value of a local in the current block."""
        return self._find(local, self.current)

    def _find(self, local: int, record: BlockRecord) -> Inst:
        """The value of a local at the end of the block of `record`."""
        offsets = self.sets.get(local)
        if offsets is None:
            # Never assigned: what it was at the start.
            value = self.records[0].defs.get(local)
            if value is None:
                value = self.records[0].defs[local] = self.builder.const(self.types[local], 0)
            record.defs[local] = value
            return value
        path: list[BlockRecord] = []
        while True:
            known = record.defs.get(local)
            if known is not None:
                value = known
                break
            path.append(record)
            end = record.end
            if end:
                at = bisect_left(offsets, record.start)
                if at < len(offsets) and offsets[at] < end:
                    value = self.builder.append_param(record.block, self.types[local])
                    self._params.append((record, local, value))
                    break
            entry = record.entry
            if entry is None:
                value = self.builder.const(self.types[local], 0)
                break
            record = entry
        for passed in path:
            passed.defs[local] = value
        self.budget -= len(path)
        if self.budget < 0:
            raise TooManyValuesError
        return value

    def fill_edges(self) -> bool:
        """Give every edge the arguments for the parameters that `read` made. Whether there were any."""
        params = self._params
        if not params:
            return False
        # All edges to the blocks that can have such parameters.
        incoming: dict[int, list[tuple[Edge, BlockRecord]]] = {
            record.block.id: [] for record in self.records if record.end
        }
        for record in self.records:
            for edge in record.block.successors():
                edges = incoming.get(edge.block.id)
                if edges is not None:
                    edges.append((edge, record))
        for record, local, _ in params:  # grows while we are at it
            edges = incoming[record.block.id]
            for edge, predecessor in edges:
                value = predecessor.defs.get(local)
                edge.args.append(self._find(local, predecessor) if value is None else value)
            self.budget -= len(edges)
        return True
