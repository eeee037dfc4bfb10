"""Linear scan register allocation with lifetime holes and splitting.

Wimmer & Mössenböck, "Optimized Interval Splitting in a Linear Scan Register Allocator" (VEE 2005); Wimmer & Franz,
"Linear Scan Register Allocation on SSA Form" (CGO 2010). A value that is ever in memory is stored there once, where it
is defined (SSA: it never changes), so that going to memory costs nothing at the place of a split.
"""

from __future__ import annotations

from operator import attrgetter

from wasm_core.bisection import bisect_left, bisect_right
from wasm_ir.codegen.intervals import END, Interval, Intervals, Loop, Value, build_intervals
from wasm_ir.codegen.machinst import MFunction, spill_slot
from wasm_ir.codegen.queue import Queue
from wasm_ir.codegen.registers import RegisterSet
from wasm_ir.codegen.resolution import rewrite
from wasm_ir.codegen.spill_slots import assign_slots

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: More intervals than this in lifetime holes at once, per class, are not worth the search: they keep their register.
_MAX_INACTIVE: Final = 32
#: How many ranges of two intervals are compared at most to find out where they meet.
_MAX_RANGES: Final = 16
#: Twice how many ranges of an interval are looked at to find out what conflicts with it.
_MAX_CHECKED: Final = 512


class Allocation:
    """What the frame has to provide for."""

    __slots__ = ("saved_registers", "spill_slots", "spills_vectors")

    def __init__(self, spill_slots: int, saved_registers: list[int], spills_vectors: bool = False) -> None:
        #: Number of 8-byte spill slots.
        self.spill_slots = spill_slots
        #: Some of them hold vectors, two each.
        self.spills_vectors = spills_vectors
        #: Callee-saved registers that the function writes, ascending.
        self.saved_registers = saved_registers


def allocate(machine: MFunction, registers: RegisterSet) -> Allocation:
    """Assign locations to all virtual registers, rewrite the instructions and insert the moves that are needed.

    Raises RuntimeError when an instruction needs more registers at once than there are: a fault of the backend.
    """
    intervals = build_intervals(machine, registers)
    scan = _LinearScan(intervals, registers)
    try:
        scan.run()
        vector_slots, spill_slots = assign_slots(machine, intervals)
        # Where a vector is while others change places in memory, for which one register is not enough.
        spare = spill_slots + 1 & ~1
        if rewrite(machine, intervals, registers.scratch, spill_slot(spare) if vector_slots else 0):
            spill_slots = spare + 2
    finally:
        # A cycle, see pipeline._take_apart; in native code the collector does not know it.
        for value in intervals.existing:
            if value.later:
                value.later.clear()
    saved: list[int] = []
    preserved = registers.callee_saved
    while preserved:
        register = (preserved & -preserved).bit_length() - 1
        preserved ^= 1 << register
        if scan.used[register] or intervals.clobbered >> register & 1:
            saved.append(register)
    return Allocation(spill_slots, saved, vector_slots > 0)


_start_of = attrgetter("start")


def _value(interval: Interval) -> Value:
    """What an interval is a part of."""
    value = interval.first
    if value is None:
        assert isinstance(interval, Value)
        return interval
    return value


class _LinearScan:
    """The scan. Intervals are taken in the order of their starts; `active` holds, by register, who has it now."""

    def __init__(self, intervals: Intervals, registers: RegisterSet) -> None:
        self.intervals = intervals
        self.allocatable: tuple[tuple[int, ...], ...] = registers.allocatable
        #: By register: the class that it is allocated for, or -1; whether a call destroys it.
        self.classes = [-1] * 64
        self.caller_saved = [False] * 64
        for register_class, group in enumerate(registers.allocatable):
            for register in group:
                self.classes[register] = register_class
                if registers.caller_saved >> register & 1:
                    self.caller_saved[register] = True
        self.calls = intervals.calls
        self.fixed = intervals.fixed
        #: By register: the interval that occupies it, and the event that says until when it does so without a hole.
        self.active: list[Interval | None] = [None] * 64
        self.event = [0] * 64
        #: Intervals in a lifetime hole, by class.
        self.inactive: list[list[Interval]] = [[], []]
        #: By class: until * 64 + register of active intervals, descending.
        self.events: list[list[int]] = [[], []]
        #: By class: the position of the first of these.
        self.next_event = [END, END]
        #: No inactive one wakes or ends before this.
        self.next_wake = END
        #: Index in `calls` of the first that is not in front of the scan's position, and where that is.
        self.next_call = -1
        self.call = -1
        #: By register: index in `fixed` of the first that does not end in front of the scan's position (or that of one
        #: in front of it), and where that begins.
        self.next_fixed = [0] * 64
        self.fixed_start = [END] * 64
        for register in intervals.fixed_registers:
            self.fixed_start[register] = self.fixed[register][0]
        #: Intervals that came out of splits, in the order in which they did; start and number of those to be looked at.
        self.parts: list[Interval] = []
        self.queue = Queue()
        #: Whether each register was ever assigned.
        self.used = [False] * 64

    def run(self) -> None:
        ordered: list[Value] = sorted(self.intervals.existing, key=_start_of)
        queue = self.queue
        waiting = queue.entries
        next_event = self.next_event
        position = 0
        count = len(ordered)
        interval: Interval
        while True:
            if position < count:
                interval = ordered[position]
                if waiting and waiting[0][0] <= interval.start:
                    interval = self.parts[queue.pop()]
                else:
                    position += 1
            elif waiting:
                interval = self.parts[queue.pop()]
            else:
                return
            start = interval.start
            register_class = interval.register_class
            if start >= next_event[register_class]:
                self._advance_active(start, register_class)
            if start >= self.next_wake:
                if start >= next_event[1 - register_class]:
                    # Those that wake must find their registers vacated.
                    self._advance_active(start, 1 - register_class)
                self._advance_inactive(start)
            if start > self.call:
                self._advance_calls(start)
            if not self._allocate_free(interval):
                self._allocate_blocked(interval)

    # Who is where.

    def _advance_active(self, position: int, register_class: int) -> None:
        """Retire active intervals of a class that end, set aside those that enter a hole."""
        active = self.active
        events = self.events[register_class]
        limit = position * 64 + 64
        while events and events[-1] < limit:
            event = events.pop()
            register = event & 63
            interval = active[register]
            assert interval is not None
            if interval.end <= position:
                active[register] = None
                continue
            ranges = interval.ranges
            index = bisect_right(ranges, position)
            inactive = self.inactive[register_class]
            if not index & 1 and len(inactive) < _MAX_INACTIVE:
                # In a hole: ranges[index] is where it wakes.
                active[register] = None
                wake = ranges[index]
                if wake < interval.end:
                    inactive.append(interval)
                    if wake < self.next_wake:
                        self.next_wake = wake
                continue
            self._occupy(interval, register, ranges[index | 1])
        self.next_event[register_class] = events[-1] >> 6 if events else END

    def _advance_calls(self, position: int) -> None:
        """Find the first call that is not in front of `position`."""
        calls = self.calls
        k = self.next_call + 1
        count = len(calls)
        while k < count and calls[k] < position:
            k += 1
        self.next_call = k
        self.call = calls[k] if k < count else END

    def _advance_inactive(self, position: int) -> None:
        """Give registers back to intervals whose hole is over."""
        wake = END
        for inactive in self.inactive:
            kept = []
            for interval in inactive:
                if interval.end <= position:
                    continue
                ranges = interval.ranges
                index = bisect_right(ranges, position)
                if index & 1:
                    register = interval.register
                    holder = self.active[register]
                    if holder is not None:
                        # It kept its register in a hole because there were too many inactive ones already.
                        holder_ranges = holder.ranges
                        index_of_wake = bisect_right(holder_ranges, position)
                        assert not index_of_wake & 1, "two intervals in one register"
                        self._vacate(register, holder.register_class)
                        if holder_ranges[index_of_wake] < holder.end:
                            self._spill(self._split(holder, position), position)
                    self._occupy(interval, register, ranges[index])
                else:
                    if ranges[index] >= interval.end:
                        continue
                    kept.append(interval)
                    if ranges[index] < wake:
                        wake = ranges[index]
            inactive[:] = kept
        self.next_wake = wake

    def _vacate(self, register: int, register_class: int) -> None:
        """Note that a register has nothing in it any more, before that ends."""
        self.active[register] = None
        self.events[register_class].remove(self.event[register])

    def _occupy(self, interval: Interval, register: int, until: int) -> None:
        """Note that a register has an interval in it, without a hole up to `until` or its end."""
        if until > interval.end:
            until = interval.end
        self.active[register] = interval
        register_class = interval.register_class
        event = until * 64 + register
        self.event[register] = event
        events = self.events[register_class]
        k = len(events)
        if k and events[-1] < event:
            # What ends soon comes last, and most that begin do.
            k -= 1
            while k and events[k - 1] < event:
                k -= 1
            events.insert(k, event)
        else:
            events.append(event)
        if until < self.next_event[register_class]:
            self.next_event[register_class] = until

    def _assign(self, interval: Interval, register: int) -> None:
        interval.register = register
        self.used[register] = True
        ranges = interval.ranges
        until = ranges[1]
        if until <= interval.start:
            until = ranges[bisect_right(ranges, interval.start) | 1]
        self._occupy(interval, register, until)

    # When a register is taken by instructions with fixed places.

    def _conflict(self, taken: list[int], interval: Interval) -> int:
        """First position in [from, to, ...] pairs that the interval covers, or one before which none is, or END."""
        ranges = interval.ranges
        start = interval.start
        end = interval.end
        index = bisect_right(ranges, start) - 1 & ~1
        if index < 0:
            index = 0
        count = len(taken)
        last = len(ranges)
        if last > index + _MAX_CHECKED:
            last = index + _MAX_CHECKED
        for i in range(index, last, 2):
            low = ranges[i]
            if low < start:
                low = start
            high = ranges[i + 1]
            if high > end:
                high = end
            if low >= high:
                return END
            k = bisect_right(taken, low)
            if k & 1:
                return low
            if k < count and taken[k] < high:
                return taken[k]
        return ranges[last] if last < len(ranges) else END

    def _call_conflict(self, interval: Interval) -> int:
        """First call at which the interval, which starts at the scan's position, is live, or a position before which
        there is none; or END."""
        end = interval.end
        if self.call >= end:
            return END
        calls = self.calls
        start = interval.start
        count = len(calls)
        ranges = interval.ranges
        index = bisect_right(ranges, start) - 1 & ~1
        if index < 0:
            index = 0
        last = len(ranges)
        if last > index + _MAX_CHECKED:
            last = index + _MAX_CHECKED
        for i in range(index, last, 2):
            low = ranges[i]
            if low < start:
                low = start
            high = ranges[i + 1]
            if high > end:
                high = end
            if low >= high:
                return END
            k = bisect_left(calls, low)
            if k < count and calls[k] < high:
                return calls[k]
        return ranges[last] if last < len(ranges) else END

    def _fixed_conflict(self, register: int, interval: Interval) -> int:
        """First position at which an instruction takes the register from the interval, which starts at the scan's
        position; or END."""
        if self.fixed_start[register] >= interval.end:
            return END
        taken = self.fixed[register]
        start = interval.start
        count = len(taken)
        k = self.next_fixed[register]
        while k < count and taken[k + 1] <= start:
            k += 2
        self.next_fixed[register] = k
        if k == count:
            self.fixed_start[register] = END
            return END
        self.fixed_start[register] = taken[k]
        if taken[k] >= interval.end:
            return END
        return self._conflict(taken, interval)

    def _meetings(self, interval: Interval) -> dict[int, int] | None:
        """By register: up to where inactive intervals leave it to this one; None when there are none that matter."""
        inactive = self.inactive[interval.register_class]
        if not inactive or interval.first is None:
            # Only a part that came out of a split can meet one again: SSA form (Wimmer & Franz, section 4).
            return None
        result: dict[int, int] = {}
        for other in inactive:
            meeting = _intersection(other, interval)
            if meeting < result.get(other.register, END):
                result[other.register] = meeting
        return result

    # Choosing a register.

    def _hint(self, interval: Interval) -> int:
        """A register that would save a move, or -1."""
        value = interval.first
        if value is not None:
            for part in value.parts():
                if part.register >= 0 and part is not interval:
                    return part.register
        else:
            assert isinstance(interval, Value)
            value = interval
        if value.hint_register >= 0:
            return value.hint_register
        vreg = value.hint_vreg
        values = self.intervals.values
        hint = -1
        second = value.second_hint
        while vreg:
            other = values[vreg]
            if other is not None:
                if other.is_param:
                    register = other.register
                    if register >= 0 and other.start < interval.start and self.active[register] is None:
                        # The parameter of a loop for its next round.
                        return register
                    if register < 0 and hint < 0 and other.origins:
                        # What else it may become: what that is on another way has a place already.
                        hint = self._most_common_register(other.origins)
                else:
                    register = other.later[-1].register if other.later else other.register
                if hint < 0:
                    hint = register if register >= 0 else other.hint_register
            vreg = second
            second = 0
        if value.origins:
            register = self._most_common_register(value.origins)
            if register >= 0:
                return register
        return hint

    def _most_common_register(self, origins: list[int]) -> int:
        """The register that most of the given virtual registers have in the end, of those that are free now, or -1."""
        values = self.intervals.values
        active = self.active
        votes: dict[int, int] = {}
        best = -1
        most = 0
        for vreg in origins:
            other = values[vreg]
            assert other is not None
            register = other.later[-1].register if other.later else other.register
            if register >= 0 and active[register] is None:
                count = votes[register] = votes.get(register, 0) + 1
                if count > most:
                    most = count
                    best = register
        return best

    def _allocate_free(self, interval: Interval) -> bool:
        """Take a register that is free for the interval or for its first part."""
        active = self.active
        caller_saved = self.caller_saved
        fixed_start = self.fixed_start
        end = interval.end
        register_class = interval.register_class
        call = END if self.call >= end else self._call_conflict(interval)
        meetings = None if interval.first is None else self._meetings(interval)
        hint = interval.hint_register
        if hint < 0 and (interval.hint_vreg or interval.first is not None):
            hint = self._hint(interval)
        if hint >= 0 and (active[hint] is not None or self.classes[hint] != register_class):
            hint = -1
        best = -1
        best_until = -1
        if hint >= 0:
            until = call if caller_saved[hint] else END
            if fixed_start[hint] < end:
                conflict = self._fixed_conflict(hint, interval)
                if conflict < until:
                    until = conflict
            if meetings is not None and meetings.get(hint, END) < until:
                until = meetings[hint]
            if until >= end:
                self._assign(interval, hint)
                return True
            best = hint
            best_until = until
        for register in self.allocatable[register_class]:
            if active[register] is not None:
                continue
            until = call if caller_saved[register] else END
            if until <= best_until:
                continue
            if fixed_start[register] < end:
                conflict = self._fixed_conflict(register, interval)
                if conflict < until:
                    until = conflict
            if meetings is not None and meetings.get(register, END) < until:
                until = meetings[register]
            if until >= end:
                self._assign(interval, register)
                return True
            if until > best_until:
                best = register
                best_until = until
        if call < end and self._take_unused(interval, call + 1, True):
            return True
        if best < 0:
            return False
        # The register is free for the beginning only. It is worth having if there is a use in it.
        start = interval.start
        cut = self._cut(interval, best_until)
        if cut <= start or self._next_strong_use(interval, start) >= cut:
            return False
        self._assign_until(interval, best, cut)
        return True

    def _take_unused(self, interval: Interval, position: int, preserved: bool) -> bool:
        """Take a register from a value that the loop around does not use, for one that it uses again from `position`
        on: the one comes back behind the loop, the other would in it. `preserved`: just one that calls preserve."""
        start = interval.start
        intervals = self.intervals
        loop = intervals.block_loops[bisect_right(intervals.block_starts, start) - 1]
        if loop is None or self._next_use(interval, position) >= loop.end:
            return False
        active = self.active
        best = -1
        best_next = loop.end - 1
        for register in self.allocatable[interval.register_class]:
            if preserved and self.caller_saved[register]:
                continue
            holder = active[register]
            if holder is not None and holder.start < start:
                following = self._next_use(holder, start)
                if following > best_next and self._fixed_limit(interval, register) >= interval.end:
                    best = register
                    best_next = following
        if best < 0:
            return False
        holder = active[best]
        assert holder is not None
        self._vacate(best, interval.register_class)
        self._evict(holder, start)
        if interval.first is not None:
            self._evict_inactive(interval, best)
        self._assign(interval, best)
        return True

    def _allocate_blocked(self, interval: Interval) -> None:
        """No register is free: put into memory whatever is needed last, this interval or another."""
        start = interval.start
        first_use = self._next_strong_use(interval, start)
        if first_use == END:
            # Instructions can take it from memory.
            if not self._take_unused(interval, start, False):
                self._to_memory(interval)
            return
        # The instruction that needs the register may use the value more than once.
        instruction_end = (first_use | 3) + 1
        needed = first_use
        while needed + 1 < instruction_end:
            again = self._next_strong_use(interval, needed + 1)
            if again >= instruction_end:
                break
            needed = again
        active = self.active
        caller_saved = self.caller_saved
        call = self._call_conflict(interval)
        meetings = self._meetings(interval)
        best = -1
        best_next = -1
        first = start * 2
        for register in self.allocatable[interval.register_class]:
            holder = active[register]
            following = END
            if holder is not None:
                uses = holder.uses
                k = bisect_left(uses, first)
                if k < len(uses):
                    following = uses[k] >> 1
                    if following >= holder.end:
                        following = END
                if following <= best_next:
                    continue
                if following < instruction_end and self._is_needed(holder, start, instruction_end):
                    continue
            # Up to where fixed places and inactive intervals leave it to this interval.
            until = call if caller_saved[register] else END
            conflict = self._fixed_conflict(register, interval)
            if conflict < until:
                until = conflict
            if meetings is not None and meetings.get(register, END) < until:
                until = meetings[register]
            if until <= needed:
                continue
            if holder is None:
                following = until
            if following > best_next:
                best = register
                best_next = following
        urgent = first_use <= start + 3
        if best >= 0 and (urgent or best_next > first_use or active[best] is None):
            holder = active[best]
            if holder is not None:
                self._vacate(best, interval.register_class)
                self._evict(holder, start)
            if interval.first is not None:
                self._evict_inactive(interval, best)
            until = self._fixed_limit(interval, best)
            if until < interval.end:
                self._assign_until(interval, best, self._cut(interval, until))
            else:
                self._assign(interval, best)
            return
        if urgent:
            raise RuntimeError(f"no register for v{_value(interval).vreg} at {start}")
        # Everybody else is needed sooner.
        self._spill(interval, start)

    def _cut(self, interval: Interval, until: int) -> int:
        """Where to split an interval that can have its register up to `until`: behind its last use before that.

        From there on it is in memory, which may begin anywhere; but where the same instruction needs it in (another)
        register the cut must be in the gap in front of that.
        """
        uses = interval.uses
        k = bisect_left(uses, until << 1) - 1
        last_use = uses[k] >> 1 if k >= 0 else -1
        if last_use < interval.start:
            last_use = interval.start
        cut = (last_use | 3) + 1
        if cut > until:
            cut = until
        if cut & 3 and self._next_strong_use(interval, cut) <= cut | 3:
            cut &= ~3
        return cut

    def _assign_until(self, interval: Interval, register: int, cut: int) -> None:
        """Assign a register up to `cut`; the rest is in memory and queued again for its next use."""
        rest = self._split(interval, cut)
        self._assign(interval, register)
        self._spill(rest, cut)

    def _fixed_limit(self, interval: Interval, register: int) -> int:
        """Up to where fixed places leave `register` to the interval."""
        until = self._call_conflict(interval) if self.caller_saved[register] else END
        taken = self.fixed[register]
        if taken:
            conflict = self._conflict(taken, interval)
            if conflict < until:
                until = conflict
        return until

    def _is_needed(self, interval: Interval, position: int, end: int) -> bool:
        """Whether the interval has a strong use from `position` on and before `end`."""
        uses = interval.uses
        if end > interval.end:
            end = interval.end
        end <<= 1
        count = len(uses)
        k = bisect_left(uses, position << 1)
        while k < count and uses[k] < end:
            if uses[k] & 1:
                return True
            k += 1
        return False

    def _next_use(self, interval: Interval, position: int) -> int:
        uses = interval.uses
        k = bisect_left(uses, position << 1)
        if k < len(uses) and uses[k] >> 1 < interval.end:
            return uses[k] >> 1
        return END

    def _next_strong_use(self, interval: Interval, position: int) -> int:
        uses = interval.uses
        end = interval.end << 1
        k = bisect_left(uses, position << 1)
        count = len(uses)
        while k < count and uses[k] < end:
            if uses[k] & 1:
                return uses[k] >> 1
            k += 1
        return END

    # Splitting.

    def _split(self, interval: Interval, position: int) -> Interval:
        """Cut off everything from `position` (inside the interval) on; returns that part."""
        value = _value(interval)
        ranges = value.ranges
        index = bisect_right(ranges, position)
        start = position if index & 1 or index == len(ranges) else ranges[index]
        rest = Interval(value, start, interval.end)
        interval.end = position
        value.insert(rest, interval)
        return rest

    def _to_memory(self, interval: Interval) -> None:
        interval.register = -1
        value = _value(interval)
        if value.slot < 0:
            value.slot = 0  # wanted; numbered by assign_slots

    def _spill(self, interval: Interval, after: int) -> None:
        """In memory from its start to just before the next use that needs a register, where it is queued again."""
        use = self._next_strong_use(interval, interval.start)
        if use == END:
            self._to_memory(interval)
            return
        reload = self._reload_position(interval, after, use)
        if reload <= interval.start:
            self._queue(interval)
            return
        rest = self._split(interval, reload)
        self._to_memory(interval)
        self._queue(rest)

    def _reload_position(self, interval: Interval, after: int, use: int) -> int:
        """Gap in front of the instruction at `use`, or of the outermost loop around it that began after `after`."""
        position = use & ~3
        starts = self.intervals.block_starts
        loop: Loop | None = self.intervals.block_loops[bisect_right(starts, position) - 1]
        ranges = interval.ranges
        while loop is not None and loop.start > after:
            # The value must be live there: it is, unless it was defined inside.
            if loop.start < interval.start or not bisect_right(ranges, loop.start) & 1:
                break
            position = loop.start
            loop = loop.parent
        return position

    def _queue(self, interval: Interval) -> None:
        self.queue.push((interval.start, len(self.parts)))
        self.parts.append(interval)

    def _evict(self, holder: Interval, position: int) -> None:
        """Take the register away from `holder` from `position` on."""
        if holder.start >= position:
            holder.register = -1
            self._spill(holder, position)
            return
        rest = self._split(holder, self._eviction_position(holder, position))
        self._spill(rest, position)

    def _eviction_position(self, holder: Interval, position: int) -> int:
        """`position`, or the start of the outermost loop around it in which `holder` was not used up to there.

        At the loop's header the value is then in memory already, and need not come back on every round.
        """
        loop: Loop | None = self.intervals.block_loops[bisect_right(self.intervals.block_starts, position) - 1]
        uses = holder.uses
        while loop is not None and loop.start > holder.start:
            following = bisect_left(uses, loop.start << 1)
            if following < len(uses) and uses[following] >> 1 < position:
                break
            position = loop.start
            loop = loop.parent
        return position

    def _evict_inactive(self, interval: Interval, register: int) -> None:
        """The same for intervals that have the register, are in a hole now, and would meet `interval` later."""
        inactive = self.inactive[interval.register_class]
        start = interval.start
        for other in [other for other in inactive if other.register == register]:
            if _intersection(other, interval) < END:
                inactive.remove(other)
                rest = self._split(other, start)
                self._spill(rest, start)


def _intersection(one: Interval, other: Interval) -> int:
    """First position that both cover, or END. After _MAX_RANGES ranges without one: a position before which none is."""
    start = max(one.start, other.start)
    end = min(one.end, other.end)
    if start >= end:
        return END
    a = one.ranges
    b = other.ranges
    i = bisect_right(a, start) - 1 & ~1
    j = bisect_right(b, start) - 1 & ~1
    if i < 0:
        i = 0
    if j < 0:
        j = 0
    a_count = len(a)
    b_count = len(b)
    steps = 0
    while i < a_count and j < b_count:
        low = a[i] if a[i] > b[j] else b[j]
        if low < start:
            low = start
        if low >= end:
            return END
        steps += 1
        if (low < a[i + 1] and low < b[j + 1]) or steps > _MAX_RANGES:
            return low
        if a[i + 1] < b[j + 1]:
            i += 2
        else:
            j += 2
    return END
