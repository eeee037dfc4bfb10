"""Constants that are loaded in front of a loop and stay in registers while it runs.

Selection visits blocks backwards: a loop's last block first, and in the end the block in front of it, where what the
loop has asked for is loaded. Loops with calls keep nothing: calls destroy most registers.
"""

from __future__ import annotations

from wasm_ir import opcodes, types
from wasm_ir.ir import Block, Function

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_CALLS: Final = (opcodes.CALL, opcodes.CALL_REF, opcodes.CALL_NATIVE, opcodes.ENTER)


class _Loop:
    """A loop that keeps constants."""

    __slots__ = ("constants", "first", "front", "room")

    def __init__(self, first: int, front: int, room: int) -> None:
        #: Positions of its header, and of the only block that it is entered from.
        self.first = first
        self.front = front
        #: How many constants it may keep in addition.
        self.room = room
        #: Bits of a constant -> its virtual register.
        self.constants: dict[int, int] = {}


class LoopConstants:
    """Which constants of a function are in registers in which loops."""

    __slots__ = ("_fronts", "_loops")

    def __init__(self, function: Function, registers: int) -> None:
        """`registers`: how many a loop's constants and the values that go round in it may have together."""
        blocks = function.blocks
        positions = {block.id: position for position, block in enumerate(blocks)}
        calls = [any(inst.op in _CALLS for inst in block.insts) for block in blocks]
        #: Position of a block -> the outermost loop around it that keeps constants, or None.
        self._loops: list[_Loop | None] = [None] * len(blocks)
        #: Position of a block -> the loops that are entered from there.
        self._fronts: dict[int, list[_Loop]] = {}
        for first, header in enumerate(blocks):
            if not header.is_loop_header or self._loops[first] is not None:
                continue
            origins = [positions[block.id] for block in header.predecessors]
            outside = [origin for origin in origins if origin < first]
            last = max(origins)
            if len(outside) != 1 or any(calls[first : last + 1]):
                continue
            if blocks[outside[0]].loop_depth >= header.loop_depth:
                # Another loop of which this is an exit: it would load them in each iteration.
                continue
            if not _is_entered_by_header(blocks, positions, first, last):
                continue
            values = max(map(_count_vectors, blocks[first : last + 1]))
            if values < registers:
                loop = _Loop(first, outside[0], registers - values)
                self._loops[first : last + 1] = [loop] * (last + 1 - first)
                self._fronts.setdefault(outside[0], []).append(loop)

    def find(self, position: int, bits: int) -> int:
        """The virtual register of a constant in the block at a position, 0 if it has none there."""
        loop = self._loops[position]
        return 0 if loop is None else loop.constants.get(bits, 0)

    def keep(self, position: int, bits: int, vreg: int) -> bool:
        """Let a loop around the block keep a constant; False when it must be loaded where it is needed."""
        loop = self._loops[position]
        if loop is None or loop.room == 0:
            return False
        loop.room -= 1
        loop.constants[bits] = vreg
        return True

    def loaded(self, position: int) -> list[tuple[int, int]]:
        """(bits, virtual register) of what is to be loaded at the end of the block at a position."""
        return [item for loop in self._fronts.get(position, ()) for item in loop.constants.items()]


def _is_entered_by_header(blocks: list[Block], positions: dict[int, int], first: int, last: int) -> bool:
    """Whether the way into the blocks from `first` to `last` is by the first of them alone."""
    return all(
        first <= positions[origin.id] <= last for block in blocks[first + 1 : last + 1] for origin in block.predecessors
    )


def _count_vectors(block: Block) -> int:
    return sum([types.CLASS[param.type] == types.FLOAT_CLASS for param in block.params])
