"""Which spill slot a value has that is in memory at some time: one for its whole lifetime.

Values that become each other, on edges into blocks with parameters, share a slot where they are never live at once:
then nothing has to be moved there. They form groups, and groups that are not there at the same time share slots, too.
"""

from __future__ import annotations

from wasm_core.bisection import bisect_right
from wasm_ir import types
from wasm_ir.codegen.intervals import Intervals, Value
from wasm_ir.codegen.machinst import FIRST_VREG, MFunction
from wasm_ir.codegen.queue import Queue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: How many ranges may be looked at, for each argument that would like to share, to find out which may.
_RANGES_PER_ARGUMENT: Final = 32


def assign_slots(machine: MFunction, intervals: Intervals) -> tuple[int, int]:
    """Give every spilled value a slot for its whole lifetime.

    Vectors, which take two slots each, come first. Returns how many slots these take, and how many all take.
    """
    words: list[Value] = []
    vectors: list[Value] = []
    for value in intervals.existing:
        if value.slot == 0:
            if value.type == types.V128:
                vectors.append(value)
            else:
                words.append(value)
            value.slot = -1
    if not words and not vectors:
        return 0, 0
    values = intervals.values
    vector_slots = 0
    if vectors:
        vector_slots = 2 * _share_slots(machine, values, vectors)
        for value in vectors:
            value.slot *= 2
    if not words:
        return vector_slots, vector_slots
    count = _share_slots(machine, values, words)
    if vector_slots:
        for value in words:
            value.slot += vector_slots
    return vector_slots, vector_slots + count


class _Group:
    """Values for one slot."""

    __slots__ = ("_owns", "members", "ranges")

    def __init__(self, value: Value) -> None:
        self.members = [value]
        #: Where any of them is live: [from, to, from, to, ...] ascending.
        self.ranges = value.ranges
        #: Whether that list is nobody else's.
        self._owns = False

    def take_over(self, other: _Group) -> None:
        """Add the values of another group, with which this one does not overlap."""
        few, many = self, other
        if len(few.ranges) > len(many.ranges):
            few, many = many, few
        ranges = many.ranges if many._owns else many.ranges.copy()
        added = few.ranges
        if ranges[-1] <= added[0]:
            ranges += added
        else:
            # In place: to make a list of all for each of many values would take long.
            for i in range(0, len(added), 2):
                at = bisect_right(ranges, added[i])
                ranges[at:at] = added[i : i + 2]
        self.ranges = ranges
        self._owns = True
        self.members += other.members
        other.ranges = []


def _share_slots(machine: MFunction, values: list[Value | None], spilled: list[Value]) -> int:
    """Number the slots of values of one width; returns how many there are."""
    spilled.sort(key=_start)
    groups: list[_Group] = []
    #: By virtual register: its group.
    group_of: list[_Group | None] = [None] * len(values)
    for value in spilled:
        group_of[value.vreg] = group = _Group(value)
        groups.append(group)
    if len(spilled) > 1:
        _join(_pairs(machine, spilled, group_of), group_of)
    busy = Queue()
    waiting = busy.entries
    count = 0
    # (those without any have become parts of others)
    for group in sorted([group for group in groups if group.ranges], key=_first_position):
        ranges = group.ranges
        if waiting and waiting[0][0] <= ranges[0]:
            slot = busy.pop()
        else:
            slot = count
            count += 1
        for value in group.members:
            value.slot = slot
        busy.push((ranges[-1], slot))
    return count


def _start(value: Value) -> int:
    return value.ranges[0]


def _first_position(group: _Group) -> int:
    return group.ranges[0]


def _pairs(machine: MFunction, spilled: list[Value], group_of: list[_Group | None]) -> list[tuple[int, int]]:
    """Virtual registers that would like to share a slot, the most useful first."""
    depths: dict[int, list[tuple[int, int]]] = {}
    for block in machine.blocks:
        edges = block.edges
        if len(edges) != 1 or not edges[0].args:
            continue
        edge = edges[0]
        params = edge.block.params
        i = -1
        for arg in edge.args:
            i += 1
            if isinstance(arg, int) and group_of[arg] is not None and group_of[params[i]] is not None:
                depth = block.loop_depth
                if depth in depths:
                    depths[depth].append((params[i], arg))
                else:
                    depths[depth] = [(params[i], arg)]
    result: list[tuple[int, int]] = []
    for depth in sorted(depths, reverse=True):
        result += depths[depth]
    for value in spilled:
        # What an instruction makes of another value, of which it is a copy at best.
        for vreg in (value.second_hint, value.hint_vreg):
            if vreg >= FIRST_VREG and group_of[vreg] is not None:
                result.append((vreg, value.vreg))
    return result


def _join(pairs: list[tuple[int, int]], group_of: list[_Group | None]) -> None:
    """Join groups where the values of a pair are in different ones that do not overlap."""
    budget = _RANGES_PER_ARGUMENT * len(pairs)
    for one, other in pairs:
        group = group_of[one]
        joined = group_of[other]
        assert group is not None and joined is not None
        if group is joined:
            continue
        few, many = group.ranges, joined.ranges
        if len(few) > len(many):
            few, many = many, few
        if few[-1] > many[0] and many[-1] > few[0]:
            budget -= len(few)
            if budget < 0:
                return
            if _overlap(few, many):
                continue
        if len(group.members) < len(joined.members):
            group, joined = joined, group
        for value in joined.members:
            group_of[value.vreg] = group
        group.take_over(joined)


def _overlap(few: list[int], many: list[int]) -> bool:
    """Whether two ascending lists of [from, to, ...] have a position in common."""
    count = len(many)
    for i in range(0, len(few), 2):
        k = bisect_right(many, few[i])
        if k & 1 or (k < count and many[k] < few[i + 1]):
            return True
    return False
