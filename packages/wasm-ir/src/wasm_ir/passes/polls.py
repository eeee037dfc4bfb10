"""Polls where they matter: not every round of a loop that is known to end soon, nor twice a round where a loop inside
polls, or the function calls itself, nor on the way out of a loop; but in long functions without calls.

A loop that ends soon polls once in front of it, or leaves that to the loop around. How often it goes round follows from
constants: a parameter of its header starts as one, the only way back adds another, and a condition that every round
comes by compares with a third.
"""

from __future__ import annotations

from wasm_ir import opcodes, types
from wasm_ir.ir import Block, Branch, Function, Inst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: So many IR instructions may run without a poll: a tenth of a millisecond or two, where code is to end within 100 ms
#: when it is asked to.
MOST_WORK: Final = 1 << 19
#: An access to memory counts as so many: it may be the first one to its page, which costs two microseconds. So there
#: are at most 2^14 of these.
MEMORY_WORK: Final = 32

#: A function that calls others polls when it begins (`Function.checks_stack`). One that does not, and has more IR
#: instructions than this, polls as well: it may be called a million times by straight code.
LONG_LEAF: Final = 100

_CALLS: Final = frozenset((opcodes.CALL, opcodes.CALL_REF, opcodes.CALL_NATIVE, opcodes.ENTER))
_LEAVING_CALLS: Final = frozenset((opcodes.RETURN_CALL, opcodes.RETURN_CALL_REF))
_MEMORY: Final = frozenset(range(opcodes.HEAP_LOAD, opcodes.HEAP_STORE32 + 1))
_SIGNED: Final = frozenset((opcodes.LT_S, opcodes.GE_S, opcodes.GT_S, opcodes.LE_S))
#: So often may each block be looked at, on average, to find loops in which another one polls each round.
_MOST_LOOKS: Final = 4
#: How many additions of constants to a value are looked through.
_MAX_ADDITIONS: Final = 8


class _OtherPolls:
    """Which loops need no poll of their own, because every round comes by another one.

    Loops are asked about from the inside outwards. Of the blocks of any way round, one is the header of a loop that has
    all the others in it, and that was asked about when all of these had the polls that they were to keep.
    """

    __slots__ = ("_function", "_left", "_needed", "_positions", "_sure")

    def __init__(self, function: Function) -> None:
        self._function = function
        self._positions = {block.id: position for position, block in enumerate(function.blocks)}
        #: How many blocks may be looked at yet: to look at all of a loop for each loop around it would take too long.
        self._left = _MOST_LOOKS * len(function.blocks)
        #: Positions of headers from which each way out of the loop comes by a poll.
        self._sure: set[int] = set()
        #: Positions of blocks whose polls others rely on.
        self._needed: set[int] = set()

    def on_all_ways(self, start: int, end: int) -> bool:
        """Whether all ways from a loop's header back to it come by a poll behind the one that the header begins with;
        false also when that would take too long to find out."""
        blocks = self._function.blocks
        positions = self._positions
        if self._polls(blocks[start], 1):
            self._sure.add(start)
            return True
        leaves = False
        needed: list[int] = []
        seen = {start}
        ahead = [start]
        while ahead:
            if self._left == 0:
                return False
            self._left -= 1
            for edge in blocks[ahead.pop()].successors():
                position = positions[edge.block.id]
                if position == start:
                    return False
                if position > end or position < start:
                    leaves = True
                elif position not in seen:
                    seen.add(position)
                    if position in self._sure:
                        continue
                    if self._polls(blocks[position], 0):
                        needed.append(position)
                    else:
                        ahead.append(position)
        self._needed.update(needed)
        if not leaves:
            self._sure.add(start)
        return True

    def behind_ways_out(self, start: int, end: int) -> Block | None:
        """The block furthest on by which all ways from a loop's header back to it come that come by no other poll, if
        it is behind a way out or by one; none also where others rely on the header's poll."""
        if start in self._needed:
            return None
        header = block = self._function.blocks[start]
        best: Block | None = None
        leaves = False
        needed: list[int] = []
        while True:
            terminator = block.terminator
            if terminator is None or terminator.op == opcodes.INVOKE:
                return best
            following: Block | None = None
            for edge in block.successors():
                position = self._positions[edge.block.id]
                if position < start or position > end:
                    leaves = True
                elif position != start and self._polls(edge.block, 0):
                    leaves = True
                    needed.append(position)
                elif following is None:
                    following = edge.block
                else:
                    return best
            # Where other ways come together with this one more of them would poll.
            if following is None or following is header or len(following.predecessors) > 1:
                return best
            block = following
            if leaves:
                best = block
                self._needed.update(needed)

    def _polls(self, block: Block, first: int) -> bool:
        """Whether the instructions of a block, from number `first` on, poll: as a loop's header, in front of a loop, or
        by a call of the function itself, which compares the stack pointer with the limit when it begins."""
        for inst in block.insts[first:]:
            if inst.op == opcodes.POLL:
                if inst.imm or block.is_loop_header:
                    return True
            elif inst.op == opcodes.CALL and inst.imm == self._function.index:
                return True
        return False


def _begins_with_poll(header: Block) -> bool:
    return bool(header.insts) and header.insts[0].op == opcodes.POLL


class _Loop:
    """A loop: positions of its header and its last block, and how many instructions it may run without a poll."""

    __slots__ = ("end", "start", "work")

    def __init__(self, start: int, end: int, work: int) -> None:
        self.start = start
        self.end = end
        #: All rounds together, or one where each round polls; 0 when there are calls.
        self.work = work


def thin_out_polls(function: Function, ends: dict[int, int]) -> None:
    """Take the polls out of short loops. `ends`: what find_loops gave."""
    blocks = function.blocks
    positions = {block.id: position for position, block in enumerate(blocks)}
    left = MOST_WORK
    #: Those that the loop being looked at may contain; the nearest is last.
    loops: list[_Loop] = []
    for start in sorted(ends, reverse=True):
        end = ends[start]
        work = _work(blocks, start, end, loops)
        header = blocks[start]
        if work and header.insts and header.insts[0].op == opcodes.POLL and len(header.predecessors) == 2:
            entry, latch = header.predecessors
            if entry is blocks[end]:
                entry, latch = latch, entry
            if latch is blocks[end] and latch is not entry:
                rounds = _rounds(header, entry, latch, end, positions)
                if 0 < rounds * work <= MOST_WORK:
                    work *= rounds
                    if header.loop_depth > 1 and work <= left:
                        # The loop around polls. Those that rely on that are counted together: they may follow each
                        # other.
                        left -= work
                        header.insts = header.insts[1:]
                    else:
                        _move_poll(header, entry)
        loops.append(_Loop(start, end, work))


def share_polls(function: Function, ends: dict[int, int]) -> None:
    """Take the polls out of loops in which another one polls each round, and let others poll behind their first ways
    out. Loops that are unrolled have been. `ends`: what find_loops would give."""
    blocks = function.blocks
    others = _OtherPolls(function)
    polling: list[int] = []
    for start in sorted(ends, reverse=True):
        header = blocks[start]
        if _begins_with_poll(header):
            if others.on_all_ways(start, ends[start]):
                header.insts = header.insts[1:]
            else:
                polling.append(start)
    for start in polling:
        later = others.behind_ways_out(start, ends[start])
        if later is not None:
            header = blocks[start]
            poll = header.insts[0]
            poll.imm = 1
            header.insts = header.insts[1:]
            later.insts.insert(0, poll)


def poll_in_long_leaf(function: Function) -> None:
    """Let a function that calls nobody, and so looks at no limit of the stack, poll at its start if it is long."""
    blocks = function.blocks
    if sum([len(block.insts) for block in blocks]) <= LONG_LEAF:
        return
    work = 0
    for block in blocks:
        for inst in block.insts:
            if inst.op in _CALLS:
                return
            if inst.op != opcodes.POLL:
                work += 1
        terminator = block.terminator
        if terminator is not None and terminator.op in _LEAVING_CALLS:
            return
    if work <= LONG_LEAF or _polls_at_once(blocks[0]):
        return
    poll = Inst(opcodes.POLL, types.VOID, [], 1, function.value_count, 0)
    function.value_count += 1
    blocks[0].insts.insert(0, poll)


def _polls_at_once(block: Block) -> bool:
    """Whether the block polls, or the only one that follows it begins with that: a loop."""
    for inst in block.insts:
        if inst.op == opcodes.POLL and inst.imm:
            return True
    terminator = block.terminator
    if not isinstance(terminator, Branch) or terminator.op != opcodes.JUMP:
        return False
    following = terminator.targets[0].block
    # A poll at the start of what is no loop is not emitted.
    if not following.is_loop_header or not following.insts:
        return False
    return following.insts[0].op == opcodes.POLL


def _move_poll(header: Block, entry: Block) -> None:
    """Let the block poll from which the loop is entered."""
    terminator = entry.terminator
    # A call that may throw ends its block; and no loop that comes before must poll for this one.
    if terminator is not None and terminator.op != opcodes.INVOKE and entry.loop_depth < header.loop_depth:
        poll = header.insts[0]
        poll.imm = 1
        header.insts = header.insts[1:]
        entry.insts.append(poll)


def _work(blocks: list[Block], start: int, end: int, loops: list[_Loop]) -> int:
    """What _Loop.work says, of one round. Takes the loops in it off the list."""
    work = 0
    calls = False
    position = start
    while position <= end:
        if loops and loops[-1].start == position:
            loop = loops.pop()
            position = loop.end + 1
            work += loop.work
            if loop.work == 0:
                calls = True
            continue
        insts = blocks[position].insts
        for inst in insts:
            if inst.op in _MEMORY:
                work += MEMORY_WORK - 1
            elif inst.op in _CALLS:
                calls = True
        work += len(insts) + 1
        position += 1
    return 0 if calls else work


def _rounds(header: Block, entry: Block, latch: Block, end: int, positions: dict[int, int]) -> int:
    """How often the loop goes round at most, by the condition at the end of the header or of the last block, which
    every round comes by; 0 when that does not show."""
    for block in (latch, header):
        terminator = block.terminator
        if not isinstance(terminator, Branch) or terminator.op != opcodes.BRIF:
            continue
        then, otherwise = terminator.targets
        if block is latch:
            stays = then.block is header
        elif positions[then.block.id] > end:
            stays = False
        elif positions[otherwise.block.id] > end:
            stays = True
        else:
            continue
        rounds = _rounds_by(terminator.args[0], stays, header, entry, latch)
        if rounds:
            return rounds
    return 0


def _rounds_by(condition: Inst, stays: bool, header: Block, entry: Block, latch: Block) -> int:
    """The same by one condition; whether the loop goes on when it is true."""
    if condition.op == opcodes.ICMP:
        compared, limit = condition.args
        if limit.op != opcodes.CONST:
            return 0
        relation = condition.imm
        bound = limit.imm
    else:
        compared = condition
        relation = opcodes.NE
        bound = 0
    variable, ahead = _without_constants(compared)
    if variable not in header.params:
        return 0
    position = header.params.index(variable)
    first = _argument(entry, header, position)
    following, step = _without_constants(_argument(latch, header, position))
    if first.op != opcodes.CONST or following is not variable:
        return 0
    return count_rounds(relation if stays else relation ^ 1, first.imm + ahead, step, bound, types.BITS[compared.type])


def _without_constants(value: Inst) -> tuple[Inst, int]:
    """A value as another one and what is added to it."""
    added = 0
    for _ in range(_MAX_ADDITIONS):
        if value.op != opcodes.IADD or value.args[1].op != opcodes.CONST:
            break
        added += value.args[1].imm
        value = value.args[0]
    return value, added


def _argument(block: Block, target: Block, position: int) -> Inst:
    """What a block gives for a parameter of another one, to which it has one edge."""
    (edge,) = [edge for edge in block.successors() if edge.block is target]
    return edge.args[position]


def count_rounds(relation: int, first: int, step: int, bound: int, bits: int) -> int:
    """How many of first, first + step, first + 2 * step... (modulo 2 to the power of `bits`) there are up to and with
    the first one that does not have `relation` (a condition of icmp) to `bound`; 0 for endless, or not known."""
    size = 1 << bits
    mask = size - 1
    if relation in _SIGNED:
        # The same order without signs.
        first += size >> 1
        bound += size >> 1
    bound &= mask
    # The numbers that end it: so many from `low` on, going round.
    if relation == opcodes.EQ:
        low, count = bound + 1, mask
    elif relation == opcodes.NE:
        low, count = bound, 1
    elif relation in (opcodes.LT_S, opcodes.LT_U):
        low, count = bound, size - bound
    elif relation in (opcodes.LE_S, opcodes.LE_U):
        low, count = bound + 1, mask - bound
    elif relation in (opcodes.GT_S, opcodes.GT_U):
        low, count = 0, bound + 1
    else:
        low, count = 0, bound
    if (first - low) & mask < count:
        return 1
    step &= mask
    if step < size >> 1:
        distance = low - first & mask
    else:
        # Downwards: where it comes to them from above.
        step = size - step
        distance = first - (low + count - 1) & mask
    if step == 0 or count == 0:
        return 0
    steps = -(-distance // step)
    # It may step over all of them.
    return steps + 1 if steps * step - distance < count else 0
