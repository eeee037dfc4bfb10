"""The machine-independent driver of instruction selection.

Blocks and their instructions are visited backwards, so that when an instruction is reached it is known whether its
value is needed: handlers match trees bottom-up, and whatever they took into their own instruction is not visited again.
"""

from __future__ import annotations

from wasm_core.lazy_typing import mypyc_attr
from wasm_ir import opcodes, types
from wasm_ir.codegen.machinst import HAS_COLD_BLOCKS, MBlock, MEdge, MFunction, MInst
from wasm_ir.ir import Block, Branch, Function, Inst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_ir.codegen.loop_constants import LoopConstants

#: The properties of what is done even if nobody needs its value.
_KEPT: Final = opcodes.EFFECT | opcodes.TRAPS
#: By properties: whether memory may be another behind such an operation, or what follows may not come before it.
_DIVIDES: Final = [
    bool(flags & opcodes.EFFECT) or flags & (opcodes.TRAPS | opcodes.READS) == opcodes.TRAPS
    for flags in range(2 * opcodes.TERMINATOR)
]


@mypyc_attr(allow_interpreted_subclasses=True)
class Lowering:
    """Turns an IR function into machine instructions; a backend subclasses it and supplies `lower_inst`.

    That calls `emit` for one or more machine instructions, in the order in which they will run. It asks for operands
    with `use` (a register) or `value` (anywhere), for its own result with `define`, and for scratch values with `temp`.
    """

    def __init__(self, function: Function) -> None:
        self.function = function
        self.machine = MFunction(function.name)
        self.machine.stack_slots = function.stack_slots
        if function.listing is not None:
            self.machine.origins = {}
        count = function.value_count
        #: How many operands refer to each value.
        self.use_counts = [0] * count
        #: The virtual register of each value, 0 until somebody needs it.
        self.vregs = [0] * count
        #: Values that a user has taken into its own instruction.
        self.sunk = [0] * count
        #: Instructions of one block with no effect between them, which see the same memory, have the same number.
        self.colors = [0] * count
        #: Constants that loops keep in registers, from the first on that could be.
        self.loop_constants: LoopConstants | None = None
        #: The block's machine instructions, the last one first; at the end those of the IR instruction that is being
        #: lowered, still in the order in which they will run.
        self._emitted: list[MInst] = []
        self._color = 0
        self._block = -1
        #: `invoke` ends the block, and its call was not visited yet.
        self.is_invoked = False

    # What handlers use.

    def use(self, value: Inst) -> int:
        """A register that holds `value` (a virtual one, or a physical one for pinned values).

        A constant is materialized right before the instruction being lowered.
        """
        vreg = self.vregs[value.id]
        if vreg == 0:
            if value.op == opcodes.CONST:
                vreg = self.machine.new_vreg(value.type)
                self.load_constant(vreg, value)
                return vreg
            pinned = self.pinned(value)
            if pinned >= 0:
                return pinned
            vreg = self.vregs[value.id] = self.machine.new_vreg(value.type)
        return vreg

    def value(self, value: Inst) -> int | Inst:
        """For fixed uses and edge arguments: a register, or the constant itself."""
        return value if value.op == opcodes.CONST else self.use(value)

    def define(self, value: Inst) -> int:
        """The virtual register that the instruction being lowered must write."""
        vreg = self.vregs[value.id]
        if vreg == 0:
            vreg = self.vregs[value.id] = self.machine.new_vreg(value.type)
        return vreg

    def is_needed(self, value: Inst) -> bool:
        """Whether a visited (that is, later) instruction asked for the value in a register."""
        return self.vregs[value.id] != 0

    def temp(self, type: int = types.I64) -> int:
        """A fresh virtual register."""
        return self.machine.new_vreg(type)

    def emit(self, inst: MInst) -> None:
        self._emitted.append(inst)

    def can_sink(self, load: Inst) -> bool:
        """Whether the memory read `load` may be done by the instruction being lowered instead.

        It must have no other user, stand in the same block, and have no effect between it and here.
        """
        return self.use_counts[load.id] == 1 and self.colors[load.id] == self._color and self.vregs[load.id] == 0

    def sink(self, value: Inst) -> None:
        """Declare that the instruction being lowered does `value`'s work: it will not be lowered itself."""
        self.sunk[value.id] = 1

    # What a backend overrides.

    def lower_inst(self, inst: Inst) -> None:
        """Emit machine instructions for one IR instruction or terminator. Raises CompileError for what it has not."""
        raise NotImplementedError

    def load_constant(self, vreg: int, constant: Inst) -> None:
        """Emit the instruction that loads a constant."""
        raise NotImplementedError

    def load_loop_constants(self, constants: list[tuple[int, int]]) -> None:
        """Emit the instructions that load constants, (bits, virtual register), for loops that begin here."""
        raise NotImplementedError

    def pinned(self, value: Inst) -> int:
        """The physical register in which `value` always is (vmctx, memory_base), or -1."""
        return -1

    def lower_entry(self, params: list[Inst]) -> None:
        """Emit the instruction that defines the function's parameters (those that are needed) at its start."""
        raise NotImplementedError

    def lower_jump(self) -> None:
        """Emit an unconditional jump to the only edge."""
        raise NotImplementedError

    # The driver.

    def run(self) -> MFunction:
        """Lower the whole function."""
        self._prepare()
        machine_blocks = self._make_blocks()
        self.lower_jump()
        self.machine.jump = self._emitted.pop().op
        blocks = self.function.blocks
        machine = self.machine
        for number in range(len(blocks) - 1, -1, -1):
            block = blocks[number]
            mblock = machine_blocks[number]
            emitted = self._emitted = []
            self._block = number
            self._lower_terminator(block, mblock)
            if self.loop_constants is not None:
                self.load_loop_constants(self.loop_constants.loaded(number))
            self._lower_body(block)
            if number == 0:
                start = len(emitted)
                self.lower_entry(block.params)
                self._turn_round(start)
            elif block.params:
                mblock.params = [self.define(param) for param in block.params]
            emitted.reverse()
            mblock.insts = emitted
        return machine

    def _prepare(self) -> None:
        """Count uses and number memory states."""
        counts = self.use_counts
        colors = self.colors
        divides = _DIVIDES
        properties = opcodes.PROPERTIES
        color = 0
        for block in self.function.blocks:
            color += 1
            for inst in block.insts:
                for arg in inst.args:
                    used = arg.id
                    counts[used] = counts[used] + 1
                colors[inst.id] = color
                if divides[properties[inst.op]]:
                    color += 1
            terminator = block.terminator
            assert terminator is not None
            colors[terminator.id] = color
            for arg in terminator.args:
                used = arg.id
                counts[used] = counts[used] + 1
            if isinstance(terminator, Branch):
                for edge in terminator.targets:
                    for arg in edge.args:
                        used = arg.id
                        counts[used] = counts[used] + 1

    def _make_blocks(self) -> list[MBlock]:
        """The machine block of each block. An edge that carries values out of a block with several gets a block too."""
        order = self.machine.blocks
        result: list[MBlock] = []
        by_id: dict[int, MBlock] = {}
        #: Edges whose targets are filled in when all blocks are there, where they leave from, ids of the targets.
        waiting: list[tuple[MEdge, MBlock, int]] = []
        for block in self.function.blocks:
            mblock = by_id[block.id] = MBlock(len(order))
            result.append(mblock)
            mblock.loop_depth = block.loop_depth
            mblock.is_loop_header = block.is_loop_header
            if block.is_cold:
                mblock.is_cold = True
                self.machine.flags |= HAS_COLD_BLOCKS
            order.append(mblock)
            edges = block.successors()
            terminator = block.terminator
            mblock.lands = terminator is not None and terminator.op == opcodes.INVOKE
            if len(edges) > 1:
                for edge in edges:
                    if edge.args:
                        split = MBlock(len(order))
                        split.loop_depth = min(block.loop_depth, edge.block.loop_depth)
                        if edge.is_cold or edge.block.is_cold or block.is_cold:
                            split.is_cold = True
                            self.machine.flags |= HAS_COLD_BLOCKS
                        order.append(split)
                        mblock.edges.append(MEdge(split, []))
                        split.predecessors.append(mblock)
                        medge = MEdge(split, [])
                        split.edges.append(medge)
                        waiting.append((medge, split, edge.block.id))
                    else:
                        medge = MEdge(mblock, [], edge.is_cold)
                        mblock.edges.append(medge)
                        waiting.append((medge, mblock, edge.block.id))
            elif edges:
                medge = MEdge(mblock, [])
                mblock.edges.append(medge)
                waiting.append((medge, mblock, edges[0].block.id))
        for medge, origin, number in waiting:
            target = medge.block = by_id[number]
            target.predecessors.append(origin)
        return result

    def _lower_terminator(self, block: Block, mblock: MBlock) -> None:
        terminator = block.terminator
        assert terminator is not None
        if isinstance(terminator, Branch):
            number = -1
            for edge in terminator.targets:
                number += 1
                if edge.args:
                    args: list[int | Inst] = []
                    for arg in edge.args:
                        args.append(arg if arg.op == opcodes.CONST else self.use(arg))
                    medge = mblock.edges[number]
                    if len(terminator.targets) > 1:
                        medge.block.edges[0].args = args
                        self.lower_jump()
                        medge.block.insts = [self._emitted.pop()]
                    else:
                        medge.args = args
        self._color = self.colors[terminator.id]
        self.lower_inst(terminator)
        if self.machine.origins is not None:
            self._note_origin(0, terminator)
        self._turn_round(0)

    def _lower_body(self, block: Block) -> None:
        vregs = self.vregs
        sunk = self.sunk
        colors = self.colors
        properties = opcodes.PROPERTIES
        emitted = self._emitted
        origins = self.machine.origins
        for inst in reversed(block.insts):
            id = inst.id
            if sunk[id] or (vregs[id] == 0 and not properties[inst.op] & _KEPT):
                continue
            self._color = colors[id]
            start = len(emitted)
            self.lower_inst(inst)
            if origins is not None:
                self._note_origin(start, inst)
            if len(emitted) > start + 1:
                self._turn_round(start)

    def _note_origin(self, start: int, inst: Inst) -> None:
        """Note, for a listing, what was emitted from number `start` on for an instruction."""
        origins = self.machine.origins
        assert origins is not None
        for made in self._emitted[start:]:
            origins[made] = inst.offset

    def _turn_round(self, start: int) -> None:
        """Reverse what was emitted from number `start` on."""
        emitted = self._emitted
        late = emitted[start:]
        late.reverse()
        emitted[start:] = late
