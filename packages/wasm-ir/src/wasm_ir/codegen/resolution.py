"""Resolution: after allocation, put locations into the instructions and moves where values change place.

Moves are needed where a value's next part begins in a register (inside a block), on edges where a value is in different
places on the two sides, for block parameters, for fixed operands, and behind definitions of values that are in memory
later.
"""

from __future__ import annotations

from wasm_core.bisection import bisect_left, bisect_right
from wasm_ir import types
from wasm_ir.codegen.intervals import Intervals, Value
from wasm_ir.codegen.machinst import FIRST_VREG, HAS_COLD_BLOCKS, MBlock, MEdge, MFixed, MFunction, MInst
from wasm_ir.codegen.parallel_move import parallel_moves
from wasm_ir.ir import Inst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Marks a virtual register that is in more than one place in its life.
_SEVERAL: Final = 1 << 40
_NOTHING: Final[list[int]] = []

#: Destination, source, IR type.
Move = tuple[int, int | Inst, int]


def _add_move(moves_at: list[list[Move] | None], number: int, move: Move) -> None:
    moves = moves_at[number]
    if moves is None:
        moves_at[number] = [move]
    else:
        moves.append(move)


def rewrite(machine: MFunction, intervals: Intervals, scratch: tuple[int, int], spare: int) -> bool:
    """Replace virtual registers by locations in all instructions, in place, and insert moves.

    Returns whether the spill slots at `spare` have been used, see `parallel_moves`; 0 when no vector is spilled.
    """
    resolution = _Resolution(machine, intervals, scratch, spare)
    resolution.run()
    return resolution.uses_spare


class _Resolution:
    def __init__(self, machine: MFunction, intervals: Intervals, scratch: tuple[int, int], spare: int) -> None:
        self.machine = machine
        self.intervals = intervals
        self.scratch = scratch
        self.spare = spare
        self.uses_spare = False
        #: By virtual register: its location, or _SEVERAL, then look at `starts` and `places`. Physical registers are
        #: where they are.
        self.location = list(range(FIRST_VREG)) + [0] * (len(intervals.values) - FIRST_VREG)
        self.starts: list[list[int]] = [_NOTHING] * len(intervals.values)
        self.places: list[list[int]] = [_NOTHING] * len(intervals.values)
        #: Those that are in several places.
        self.several: list[Value] = []
        #: By block start: (virtual register, register in which a part of it begins there, place before that).
        self.changes: dict[int, list[tuple[int, int, int]]] = {}
        count = (intervals.block_ends[-1] >> 2) + 1
        #: By instruction number: moves in the gap in front of it, and behind it.
        self.before: list[list[Move] | None] = [None] * count
        self.behind: list[list[Move] | None] = [None] * count
        #: By instruction number: whether there are any, or it has operands in given places, or virtual registers are
        #: somewhere else behind it than in front of it.
        self.special = intervals.special
        #: By instruction number: (virtual register, where it is from the next one on).
        self.moved: dict[int, list[tuple[int, int]]] = {}
        #: By virtual register: where it is at the instructions that are being rewritten.
        self.current: list[int] = []
        #: Stores of block parameters that are also in memory, by block start.
        self.param_stores: dict[int, list[Move]] = {}
        #: What is in memory when something lands, and in a register at a landing pad.
        self.landing_moves: list[tuple[MBlock, list[Move]]] = []

    def run(self) -> None:
        self._place_values()
        edge_moves = self._edge_moves()
        for number, block in enumerate(self.machine.blocks):
            self._rewrite_block(number, block)
        self._insert_edge_moves(edge_moves)
        for pad, moves in self.landing_moves:
            pad.insts[0:0] = self.in_order(moves)

    def in_order(self, moves: list[Move]) -> list[MInst]:
        """The machine instructions for parallel moves."""
        result = parallel_moves(moves, self.scratch, self.spare)
        if self.spare < 0:
            for inst in result:
                if inst.defs[0] == self.spare:
                    self.uses_spare = True
        return result

    def at(self, vreg: int, position: int) -> int:
        """Location of a virtual register at a position."""
        place = self.location[vreg]
        if place != _SEVERAL:
            return place
        return self.places[vreg][bisect_right(self.starts[vreg], position) - 1]

    def _place_values(self) -> None:
        location = self.location
        existing = self.intervals.existing
        for value in existing:
            register = value.register
            if value.later:
                self.several.append(value)
            elif register < 0:
                location[value.vreg] = -1 - value.slot
            else:
                location[value.vreg] = register
                if value.slot >= 0:
                    self._store_definition(value, value.start, register, -1 - value.slot)
        self.current = location.copy()
        if self.several:
            self._place_several()

    def _place_several(self) -> None:
        """Places of values that were split."""
        block_starts = set(self.intervals.block_starts)
        for value in self.several:
            parts = value.parts()
            slot = -1 - value.slot
            vreg = value.vreg
            self.location[vreg] = _SEVERAL
            places = [part.register if part.register >= 0 else slot for part in parts]
            self.current[vreg] = places[0]
            self.starts[vreg] = [part.start for part in parts]
            self.places[vreg] = places
            for i in range(1, len(parts)):
                start = parts[i].start
                place = places[i]
                number = start >> 2
                self.special[number] = True
                self.moved.setdefault(number, []).append((vreg, place))
                if place >= 0 and places[i - 1] != place:
                    if start in block_starts:
                        self.changes.setdefault(start, []).append((vreg, place, places[i - 1]))
                    else:
                        _add_move(self.before, number, (place, places[i - 1], value.type))
            if value.slot >= 0 and value.register >= 0:
                self._store_definition(value, value.start, value.register, slot)

    def _store_definition(self, value: Value, start: int, register: int, slot: int) -> None:
        """The one store of a value that is in memory later. (Fixed definitions are stored where they arrive.)"""
        if value.is_param:
            self.param_stores.setdefault(start, []).append((slot, register, value.type))
        elif start & 3 != 3:
            number = start >> 2
            self.special[number] = True
            _add_move(self.behind, number, (slot, register, value.type))

    def _edge_moves(self) -> list[tuple[MBlock, MEdge, list[Move]]]:
        """For every edge that needs moves: where from, the edge, the moves."""
        result: list[tuple[MBlock, MEdge, list[Move]]] = []
        intervals = self.intervals
        block_starts = intervals.block_starts
        values = intervals.values
        changes = self.changes
        starts = self.starts
        places = self.places
        location = self.location
        vreg_types = self.machine.vreg_types
        expected = self._expected()
        self._land()
        for number, block in enumerate(self.machine.blocks):
            end = intervals.block_ends[number] - 1
            # Nothing can be moved on the way to a landing pad, and what is reloaded behind the call is not there.
            for edge in block.edges[:1] if block.lands else block.edges:
                target = edge.block
                following = target.id
                if not edge.args and (not changes if following == number + 1 else following not in expected):
                    continue
                start = block_starts[following]
                moves: list[Move] = []
                if following == number + 1:
                    # Positions run on: only what changes place right here needs a move.
                    if start in changes:
                        for vreg, destination, source in changes[start]:
                            if self._is_live(vreg, start):
                                moves.append((destination, source, vreg_types[vreg - FIRST_VREG]))
                elif following in expected:
                    for vreg, destination in expected[following]:
                        source = places[vreg][bisect_right(starts[vreg], end) - 1]
                        if source != destination:
                            moves.append((destination, source, vreg_types[vreg - FIRST_VREG]))
                if edge.args:
                    i = 0
                    for arg in edge.args:
                        param = target.params[i]
                        i += 1
                        value = values[param]
                        assert value is not None
                        destination = location[param]
                        if destination == _SEVERAL:
                            destination = self.at(param, start)
                        if isinstance(arg, int):
                            if arg < FIRST_VREG:
                                moves.append((destination, arg, value.type))
                                continue
                            place = location[arg]
                            if place == _SEVERAL:
                                place = self.at(arg, end)
                            if place != destination:
                                source_value = values[arg]
                                assert source_value is not None
                                # It may be in memory, in the same slot, besides being in a register.
                                if source_value.slot < 0 or -1 - source_value.slot != destination:
                                    moves.append((destination, place, value.type))
                        else:
                            moves.append((destination, arg, value.type))
                if moves:
                    result.append((block, edge, moves))
        return result

    def _land(self) -> None:
        """Load what landing pads have in registers: there it is in memory alone, whichever call it was."""
        blocks = self.machine.blocks
        pads = sorted({block.edges[1].block.id for block in blocks if block.lands})
        if not pads:
            return
        starts = [self.intervals.block_starts[number] for number in pads]
        moves: list[list[Move]] = [[] for _ in pads]
        for value in self.intervals.existing:
            if value.slot < 0:
                continue
            for part in value.parts():
                if part.register >= 0:
                    k = bisect_left(starts, part.start)
                    while k < len(starts) and starts[k] < part.end:
                        if self._is_live(value.vreg, starts[k]):
                            moves[k].append((part.register, -1 - value.slot, value.type))
                        k += 1
        self.landing_moves = [(blocks[number], needed) for number, needed in zip(pads, moves) if needed]

    def _expected(self) -> dict[int, list[tuple[int, int]]]:
        """By block that others jump to: (virtual register, register) of values that are in
        several places, and in a register where the block starts.

        There are never more than registers, so this is linear, which going through all values that are live is not.
        """
        result: dict[int, list[tuple[int, int]]] = {}
        if not self.several:
            return result
        starts: list[int] = []
        numbers: list[int] = []
        for block, start in zip(self.machine.blocks, self.intervals.block_starts):
            number = block.id
            for predecessor in block.predecessors:
                if predecessor.id != number - 1:
                    starts.append(start)
                    numbers.append(number)
                    break
        count = len(starts)
        if count == 0:
            return result
        for value in self.several:
            vreg = value.vreg
            for part in value.parts():
                if part.register >= 0:
                    k = bisect_left(starts, part.start)
                    while k < count and starts[k] < part.end:
                        if self._is_live(vreg, starts[k]):
                            result.setdefault(numbers[k], []).append((vreg, part.register))
                        k += 1
        return result

    def _is_live(self, vreg: int, start: int) -> bool:
        """Whether a value comes into the block that starts at `start`; not for parameters of the block."""
        value = self.intervals.values[vreg]
        assert value is not None
        ranges = value.ranges
        return ranges[0] < start and bisect_right(ranges, start) & 1 == 1

    def _rewrite_block(self, number: int, block: MBlock) -> None:
        current = self.current
        special = self.special
        start = self.intervals.block_starts[number]
        out: list[MInst] = []
        stores = self.param_stores.get(start)
        if stores:
            out += self.in_order(stores)
        index = start >> 2
        for inst in block.insts:
            if special[index]:
                self._rewrite_special(inst, index, out)
            else:
                uses = inst.uses
                if uses:
                    # Mostly one or two: a loop costs more than what is done in it.
                    uses[0] = current[uses[0]]
                    count = len(uses)
                    if count == 2:
                        uses[1] = current[uses[1]]
                    elif count != 1:
                        for i in range(1, count):
                            uses[i] = current[uses[i]]
                defs = inst.defs
                if defs:
                    defs[0] = current[defs[0]]
                    count = len(defs)
                    if count != 1:
                        for i in range(1, count):
                            defs[i] = current[defs[i]]
                if not inst.op.is_move or defs[0] != uses[0]:
                    out.append(inst)
            index += 1
        block.insts = out

    def _rewrite_special(self, inst: MInst, index: int, out: list[MInst]) -> None:
        """An instruction that needs moves in front of it or behind it, or in which values change places."""
        position = index << 2
        moves = self.before[index]
        if moves is not None:
            out += self.in_order(moves)
        if isinstance(inst, MFixed) and inst.fixed_uses:
            out += self._moves_to_fixed(inst, position)
        uses = inst.uses
        for i, vreg in enumerate(uses):
            uses[i] = self.at(vreg, position + 1)
        defs = inst.defs
        for i, vreg in enumerate(defs):
            defs[i] = self.at(vreg, position + 2)
        if not inst.op.is_move or defs[0] != uses[0]:
            out.append(inst)
        if isinstance(inst, MFixed) and inst.fixed_defs:
            out += self._moves_from_fixed(inst, position)
        moves = self.behind[index]
        if moves is not None:
            out += self.in_order(moves)
        moved = self.moved.get(index)
        if moved is not None:
            for vreg, place in moved:
                self.current[vreg] = place

    def _moves_to_fixed(self, inst: MFixed, position: int) -> list[MInst]:
        """Moves of fixed uses to their places."""
        moves: list[Move] = []
        for source, destination in inst.fixed_uses:
            if isinstance(source, int):
                place = source if source < FIRST_VREG else self.at(source, position)
                if place != destination:
                    moves.append((destination, place, self._type(source)))
            else:
                moves.append((destination, source, source.type))
        return self.in_order(moves)

    def _moves_from_fixed(self, inst: MFixed, position: int) -> list[MInst]:
        """Moves of fixed definitions from their places."""
        values = self.intervals.values
        moves: list[Move] = []
        for vreg, source in inst.fixed_defs:
            value = values[vreg]
            assert value is not None
            place = self.at(vreg, position + 3)
            if place != source:
                moves.append((place, source, value.type))
            if value.slot >= 0 and place >= 0:
                moves.append((-1 - value.slot, source, value.type))
        return self.in_order(moves)

    def _type(self, vreg: int) -> int:
        """IR type of a virtual register; a pinned physical one holds a pointer."""
        if vreg < FIRST_VREG:
            return types.POINTER
        return self.machine.vreg_types[vreg - FIRST_VREG]

    def _insert_edge_moves(self, edge_moves: list[tuple[MBlock, MEdge, list[Move]]]) -> None:
        """At the end of a block with one way out, at the start of a block with one way in, else in a block between."""
        machine = self.machine
        new_blocks: dict[int, list[MBlock]] = {}
        for block, edge, moves in edge_moves:
            sequence = self.in_order(moves)
            if len(block.edges) == 1:
                block.insts[-1:-1] = sequence
            elif len(edge.block.predecessors) == 1:
                edge.block.insts[0:0] = sequence
            else:
                target = edge.block
                between = MBlock(-1)
                between.loop_depth = min(block.loop_depth, target.loop_depth)
                if edge.is_cold or block.is_cold or target.is_cold:
                    between.is_cold = True
                    machine.flags |= HAS_COLD_BLOCKS
                assert machine.jump is not None
                between.insts = [*sequence, MInst(machine.jump, [], [], 0)]
                between.edges = [MEdge(target, [])]
                between.predecessors = [block]
                target.predecessors[target.predecessors.index(block)] = between
                edge.block = between
                new_blocks.setdefault(block.id, []).append(between)
        if new_blocks:
            blocks: list[MBlock] = []
            for block in machine.blocks:
                blocks.append(block)
                blocks += new_blocks.get(block.id, ())
            for number, block in enumerate(blocks):
                block.id = number
            machine.blocks = blocks
