"""Live intervals: where each virtual register is live and used, and what it would like to share a register with.

One backward pass over the blocks (Wimmer & Franz, "Linear Scan Register Allocation on SSA Form", CGO 2010, figure 4).

Instruction number i has four positions: 4i is the gap before it (moves, fixed uses), 4i+1 is early (ordinary uses),
4i+2 is late (definitions; late uses last until here), 4i+3 is behind it (fixed definitions arrive). Ranges are
half-open.
"""

from __future__ import annotations

from wasm_core.bisection import bisect_left
from wasm_core.lazy_typing import mypyc_attr
from wasm_ir import types
from wasm_ir.codegen.machinst import FIRST_VREG, MFixed, MFunction
from wasm_ir.codegen.registers import RegisterSet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Position behind all others.
END: Final = 1 << 60
#: How many edges into a block are looked at, at most, to find a register for its parameters.
_MAX_ORIGINS: Final = 32


class Loop:
    """A loop of the function: its header's number, positions of its first block's start and its last block's end."""

    __slots__ = ("end", "header", "parent", "start")

    def __init__(self, header: int, start: int, end: int, parent: Loop | None) -> None:
        self.header = header
        self.start = start
        self.end = end
        self.parent = parent


@mypyc_attr(acyclic=True)
class Interval:
    """A part of a virtual register's lifetime that has one location: a register, or memory when `register` is -1.

    The first part is the `Value` itself: most are never split.
    """

    __slots__ = ("end", "first", "hint_register", "hint_vreg", "ranges", "register", "register_class", "start", "uses")

    def __init__(self, first: Value, start: int, end: int) -> None:
        #: The value of which this is a later part; None for the first one.
        self.first: Value | None = first
        #: Of the whole value: [from, to, from, to, ...] ascending. (While intervals are being built: descending, to
        #: before from.)
        self.ranges: list[int] = first.ranges
        #: Of the whole value: position << 1 | strong, ascending. A strong use needs a register, a weak one would like
        #: one.
        self.uses: list[int] = first.uses
        self.register_class: int = first.register_class
        self.start = start
        self.end = end
        self.register = -1
        #: A physical register that would save a move, or -1; a virtual one whose register would, or 0. (Later parts ask
        #: the value.)
        self.hint_register = -1
        self.hint_vreg = 0


#: Of values that were not split.
_NO_PARTS: Final[list[Interval]] = []
#: Of values that are no parameters.
_NOTHING: Final[list[int]] = []


@mypyc_attr(acyclic=True)
class Value(Interval):
    """Everything about one virtual register. It and its later parts refer to each other until allocation is done."""

    __slots__ = ("is_param", "later", "origins", "second_hint", "slot", "type", "vreg")

    def __init__(self, vreg: int, type: int, ranges: list[int], uses: list[int]) -> None:
        # All that Interval has but `start` and `end`, which are known in the end.
        self.first = None
        self.ranges = ranges
        self.uses = uses
        self.register_class = types.CLASS[type]
        self.register = -1
        self.hint_register = -1
        self.hint_vreg = 0
        self.vreg = vreg
        self.type = type
        #: Its parts but for the first, ascending.
        self.later = _NO_PARTS
        #: Spill slot number, or -1. A value that has one is stored there when it is defined.
        self.slot = -1
        self.is_param = False
        #: A second virtual register that `hint_vreg` might as well be, or 0.
        self.second_hint = 0
        #: Of a parameter: what it is on edges into its block from blocks in front of it that are not cold, on some of
        #: them if many.
        self.origins = _NOTHING

    def parts(self) -> list[Interval]:
        """Its lifetime in pieces, ascending; one piece unless it was split."""
        return [self, *self.later]

    def insert(self, part: Interval, before: Interval) -> None:
        """Put a new part behind one that there is."""
        later = self.later
        if not later:
            self.later = [part]
        elif later[-1] is before:
            later.append(part)
        else:
            later.insert(0 if before is self else later.index(before) + 1, part)


#: Of registers that no instruction with fixed places takes.
_NEVER: Final[list[int]] = []


class Intervals:
    """What the allocator works on."""

    __slots__ = (
        "block_ends",
        "block_loops",
        "block_starts",
        "calls",
        "clobbered",
        "existing",
        "fixed",
        "fixed_registers",
        "special",
        "values",
    )

    def __init__(self) -> None:
        #: By block number: positions of its start and end, its innermost loop.
        self.block_starts: list[int] = []
        self.block_ends: list[int] = []
        self.block_loops: list[Loop | None] = []
        #: By virtual register; None for those that never appear, and for physical registers.
        self.values: list[Value | None] = []
        #: Those that are not None, in the same order.
        self.existing: list[Value] = []
        #: Positions at which all caller-saved registers are destroyed, ascending.
        self.calls: list[int] = []
        #: By instruction number: whether it has operands in given places.
        self.special: list[bool] = []
        #: By physical register: further [from, to, ...] in which it is taken, ascending.
        self.fixed: list[list[int]] = [_NEVER] * FIRST_VREG
        #: The registers of which there are any.
        self.fixed_registers: list[int] = []
        #: All registers that fixed operands and clobbers write.
        self.clobbered = 0


def build_intervals(machine: MFunction, registers: RegisterSet) -> Intervals:
    """Number the instructions and build the intervals of all virtual registers."""
    result = Intervals()
    _number_blocks(machine, result)
    _scan(machine, registers, result)
    existing = result.existing = list(filter(None, result.values))
    for value in existing:
        ranges = value.ranges
        ranges.reverse()
        value.uses.reverse()
        value.start = ranges[0]
        value.end = ranges[-1]
    result.calls.reverse()
    for register in result.fixed_registers:
        result.fixed[register].reverse()
    _find_tight_loops(machine, result)
    return result


def _find_tight_loops(machine: MFunction, result: Intervals) -> None:
    """Mark the headers of loops that contain neither loops nor calls."""
    headers = [loop for number, loop in enumerate(result.block_loops) if loop is not None and loop.header == number]
    outer = {loop.parent.header for loop in headers if loop.parent is not None}
    calls = result.calls
    for loop in headers:
        if loop.header not in outer:
            call = bisect_left(calls, loop.start)
            machine.blocks[loop.header].is_tight_loop = call == len(calls) or calls[call] >= loop.end


def _number_blocks(machine: MFunction, result: Intervals) -> None:
    """Positions of blocks, and the loops around them."""
    position = 0
    starts = result.block_starts
    ends = result.block_ends
    for block in machine.blocks:
        starts.append(position)
        position += 4 * len(block.insts)
        ends.append(position)
    # Where loops end, inner ones first: one that is entered before the outer loop's last jump back is part of it.
    loop_ends: dict[int, int] = {}
    inner: list[tuple[int, int]] = []
    for block in reversed(machine.blocks):
        if block.is_loop_header:
            number = block.id
            end = 0
            for predecessor in block.predecessors:
                if predecessor.id >= number and ends[predecessor.id] > end:
                    end = ends[predecessor.id]
            if end:
                while inner and inner[-1][0] < end:
                    inner_end = inner.pop()[1]
                    if inner_end > end:
                        end = inner_end
                inner.append((starts[number], end))
                loop_ends[number] = end
    loop: Loop | None = None
    loops = result.block_loops
    for number, start in enumerate(starts):
        while loop is not None and start >= loop.end:
            loop = loop.parent
        if number in loop_ends:
            loop = Loop(number, start, loop_ends[number], loop)
        loops.append(loop)


def _scan(machine: MFunction, registers: RegisterSet, result: Intervals) -> None:
    """The backward pass. One long function: it runs for every operand of every instruction.

    While a value is live, its `ranges` are open: of odd length, the last range's start not there yet.
    """
    caller_saved = registers.caller_saved
    calls = result.calls
    clobbered = 0
    vreg_types = machine.vreg_types
    values: list[Value | None] = [None] * (FIRST_VREG + len(vreg_types))
    result.values = values
    blocks = machine.blocks
    #: Where landing pads start, ascending.
    pads = sorted({result.block_starts[block.edges[1].block.id] for block in blocks if block.lands})
    nothing: set[Value] = set()
    #: What is live at the starts of blocks, parameters not among it; given up when all that jump there were visited,
    #: so that memory is in proportion to how many such jumps are open at a time.
    live_in: list[set[Value]] = [nothing] * len(blocks)
    readers = [0] * len(blocks)
    #: By virtual register: uses at ends of loops, to be put among the others in the end. One by one that would take
    #: long for a value that is used in thousands of loops.
    loop_uses: dict[int, list[int]] = {}
    #: Values that were used or became live in loops; those of a loop from its mark, by its end, on.
    touched: list[Value] = []
    marks = {loop.end: 0 for loop in result.block_loops if loop is not None}
    block_starts = result.block_starts
    block_ends = result.block_ends
    special = result.special = [False] * ((block_ends[-1] >> 2) + 1)
    #: What is live at the start of the block that follows in the order of blocks; of a latch, a set of its own.
    following = nothing
    follows_latch = False
    for number in range(len(blocks) - 1, -1, -1):
        block = blocks[number]
        start = block_starts[number]
        end = block_ends[number]
        edges = block.edges
        if end in marks:
            marks[end] = len(touched)
        in_loop = result.block_loops[number] is not None
        live: set[Value]
        #: Just a jump back to a loop, whose header was not visited yet: what is live behind it is left live in it. Much
        #: of that is live all through the loop, and a hole would have to be closed again for each value.
        is_latch = False
        #: All that is live behind this block is live at its end.
        has_following = False
        if len(edges) == 1:
            edge = edges[0]
            is_back = edge.block.id <= number
            is_latch = is_back and len(block.insts) == 1 and not block.params
            there = live_in[edge.block.id]
            has_following = there is following
            live = there.copy()
            if edge.args:
                params = edge.block.params
                i = -1
                for arg in edge.args:
                    i += 1
                    if not isinstance(arg, int) or arg < FIRST_VREG:
                        continue
                    value = values[arg]
                    if value is None:
                        value = values[arg] = Value(arg, vreg_types[arg - FIRST_VREG], [], [])
                    if value not in live:
                        live.add(value)
                        value.uses.append(end - 1 << 1)
                        if in_loop:
                            touched.append(value)
                        if value.hint_vreg:
                            value.second_hint = params[i]
                        else:
                            value.hint_vreg = params[i]
                        if is_back:
                            # The register that it wants is for what comes behind the loop.
                            value.hint_register = -1
        elif len(edges) == 2:
            one = live_in[edges[0].block.id]
            other = live_in[edges[1].block.id]
            if block.lands:
                # Landing pads find everything in memory. Nothing restores what other functions had in registers.
                for value in other:
                    value.slot = 0
                clobbered |= registers.callee_saved
            live = one | other
            has_following = one is following or other is following
        elif edges:
            targets = {edge.block.id for edge in edges}
            live = live_in[targets.pop()].copy()
            for target in targets:
                live |= live_in[target]
        else:
            live = set()
        for edge in edges:
            target = edge.block.id
            readers[target] -= 1
            if readers[target] == 0:
                live_in[target] = nothing
        if not has_following and not is_latch:
            for gone in following - live:
                gone.ranges.append(end)
        if not has_following or len(live) != len(following):
            for come in live - following:
                come.ranges.append(end)
                if in_loop:
                    touched.append(come)
        position = end
        for inst in reversed(block.insts):
            position -= 4
            op = inst.op
            defs = inst.defs
            is_fixed = isinstance(inst, MFixed)
            if is_fixed:
                assert isinstance(inst, MFixed)
                special[position >> 2] = True
                # Behind the instruction: results arrive from fixed places.
                taken = inst.clobbers
                for vreg, location in inst.fixed_defs:
                    value = values[vreg]
                    use = position + 3 << 1
                    if value is None:
                        ranges = [position + 4, position + 3]
                        value = values[vreg] = Value(vreg, vreg_types[vreg - FIRST_VREG], ranges, [use])
                    else:
                        value.ranges.append(position + 3)
                        live.remove(value)
                        value.uses.append(use)
                    if location >= 0:
                        taken |= 1 << location
                        value.hint_register = location
                needed = 0
                for _, location in inst.fixed_uses:
                    if location >= 0:
                        needed |= 1 << location
                clobbered |= taken | needed
                if taken & caller_saved == caller_saved:
                    calls.append(position + 1)
                    _take(result, (taken | needed) & ~caller_saved, position + 1, position + 3)
                else:
                    _take(result, taken & needed, position + 1, position + 3)
                    _take(result, taken & ~needed, position + 2, position + 3)
                    _take(result, needed & ~taken, position + 1, position + 2)
            early = position + 1
            defined = position + 2
            strong = early * 2 + 1
            if defs:
                temps = op.temps
                for vreg in defs:
                    if vreg < FIRST_VREG:
                        continue
                    value = values[vreg]
                    if value is None:
                        ranges = [position + 3, defined]
                        values[vreg] = Value(vreg, vreg_types[vreg - FIRST_VREG], ranges, [strong + 2])
                    else:
                        value.ranges.append(defined)
                        live.remove(value)
                        value.uses.append(strong + 2)
                if temps:
                    for vreg in defs[len(defs) - temps :]:
                        # Written early already.
                        value = values[vreg]
                        assert value is not None
                        value.ranges[-1] = early
                        value.uses.append(strong)
            uses = inst.uses
            if uses:
                late = op.late
                tied = op.tied
                weak = op.stack_use
                i = 0
                for vreg in uses:
                    if vreg < FIRST_VREG:
                        i += 1
                        continue
                    # It is live up to there.
                    to = defined
                    use = strong
                    if late or (tied and i and not (i == 1 and op.commutative) and vreg != uses[0]):
                        # It must not share a register with the first definition: see MOp.
                        to += 1
                        use += 2
                    if i == weak:
                        use -= 1
                    i += 1
                    value = values[vreg]
                    if value is None:
                        value = values[vreg] = Value(vreg, vreg_types[vreg - FIRST_VREG], [to], [use])
                        live.add(value)
                    elif value not in live:
                        live.add(value)
                        value.ranges.append(to)
                        value.uses.append(use)
                    else:
                        # Live already in this instruction, but perhaps not long enough.
                        if value.ranges[-1] < to:
                            value.ranges[-1] = to
                        if value.uses[-1] < use:
                            _insert_descending(value.uses, use)
                        else:
                            value.uses.append(use)
                        if in_loop:
                            touched.append(value)
                        continue
                    if in_loop:
                        touched.append(value)
                    if i == 1 and (tied or op.is_move) and defs and defs[0] >= FIRST_VREG:
                        defined_value = values[defs[0]]
                        assert defined_value is not None
                        if value.hint_vreg:
                            value.second_hint = defs[0]
                        else:
                            value.hint_vreg = defs[0]
                        if defined_value.hint_vreg:
                            defined_value.second_hint = defined_value.hint_vreg
                        defined_value.hint_vreg = vreg
            if is_fixed:
                assert isinstance(inst, MFixed)
                for source, location in inst.fixed_uses:
                    if not isinstance(source, int) or source < FIRST_VREG:
                        continue
                    value = values[source]
                    if value is None:
                        value = values[source] = Value(source, vreg_types[source - FIRST_VREG], [], [])
                    if value not in live:
                        live.add(value)
                        value.ranges.append(position + 1)
                        if location >= 0:
                            value.hint_register = location
                    value.uses.append(position << 1)
                    if in_loop:
                        touched.append(value)
        for vreg in block.params:
            value = values[vreg]
            if value is None:
                value = values[vreg] = Value(vreg, vreg_types[vreg - FIRST_VREG], [start + 1, start], [])
            else:
                value.ranges.append(start)
                live.remove(value)
            value.is_param = True
            value.uses.append(start << 1)
        live_in[number] = live
        if not is_latch:
            following = live
        elif follows_latch:
            # Many latches in a row, those of nested loops, add to one set.
            following |= live
        else:
            following = following | live
        follows_latch = is_latch
        if block.is_loop_header:
            loop = result.block_loops[number]
            if loop is not None and loop.header == number:
                pad = bisect_left(pads, start)
                if pad < len(pads) and pads[pad] < loop.end:
                    # What the landing pads in the loop did not know yet.
                    for value in live:
                        value.slot = 0
                # Others are live from before this to behind the loop and have no use in it.
                mark = marks[loop.end]
                inside = live.intersection(touched[mark:])
                touched[mark:] = inside
                _extend_over_loop(inside, loop.end, loop_uses)
        for edge_block in block.predecessors:
            if edge_block.id >= number:
                continue
            readers[number] += 1
            args = edge_block.edges[0].args
            if args:
                i = -1
                for arg in args:
                    i += 1
                    if isinstance(arg, int) and arg >= FIRST_VREG:
                        value = values[block.params[i]]
                        assert value is not None
                        if not value.hint_vreg:
                            value.hint_vreg = arg
                        if edge_block.is_cold:
                            continue
                        count = len(value.origins)
                        if not count:
                            value.origins = [arg]
                        elif count < _MAX_ORIGINS:
                            value.origins.append(arg)
    for vreg, ends in loop_uses.items():
        value = values[vreg]
        assert value is not None
        value.uses += ends
        value.uses.sort(reverse=True)
    assert not following, "virtual registers are used before they are defined"
    result.clobbered = clobbered


def _extend_over_loop(live: set[Value], end: int, loop_uses: dict[int, list[int]]) -> None:
    """What is live at a loop's header is live in the whole loop, which ends at position `end`."""
    for value in live:
        ranges = value.ranges
        to = ranges.pop()
        if to < end:
            to = end
        while ranges and ranges[-1] <= to:
            ranges.pop()
            last = ranges.pop()
            if last > to:
                to = last
        ranges.append(to)
        uses = value.uses
        if uses and uses[-1] >> 1 < end:
            # The next iteration uses it again: a weak use at the loop's end keeps it from looking idle.
            ends = loop_uses.get(value.vreg)
            if ends is None:
                ends = loop_uses[value.vreg] = []
            ends.append(end - 1 << 1)


def _insert_descending(uses: list[int], use: int) -> None:
    low = 0
    high = len(uses)
    while low < high:
        middle = (low + high) >> 1
        if uses[middle] > use:
            low = middle + 1
        else:
            high = middle
    uses.insert(low, use)


def _take(result: Intervals, mask: int, start: int, end: int) -> None:
    fixed = result.fixed
    while mask:
        lowest = mask & -mask
        register = lowest.bit_length() - 1
        if fixed[register]:
            fixed[register] += (end, start)
        else:
            fixed[register] = [end, start]
            result.fixed_registers.append(register)
        mask ^= lowest
