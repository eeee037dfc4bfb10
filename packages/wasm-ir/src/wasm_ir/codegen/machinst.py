"""Machine instructions before and after register allocation.

A location is an integer:

* 0..63: a physical register (numbers are the backend's; see registers.py);
* FIRST_VREG and up: a virtual register (before allocation only);
* negative, down to -(1 << 20): spill slot k is -1 - k;
* OUT_ARG - k: the k-th 8-byte word of this function's outgoing stack argument area;
* IN_ARG - k: the k-th 8-byte word of the incoming stack argument area (results on the stack are returned there too).

A spill slot has 8 bytes, and a v128 takes two: k, which is even, and k + 1; the same goes for the words of arguments.
All three areas begin at a multiple of 16 bytes where there are vectors in them, so that these are aligned.

Virtual registers are in SSA form: each has one definition (an instruction or a block parameter). An instruction never
communicates with another through flags: compare and branch, compare and select, compare and set are one MInst.
"""

from __future__ import annotations

from wasm_core.lazy_typing import mypyc_attr
from wasm_ir.ir import Inst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_ir.codegen.emission import Emitter

FIRST_VREG: Final = 64
OUT_ARG: Final = -(1 << 24)
IN_ARG: Final = -(2 << 24)

# Bits of MFunction.flags.
MAKES_CALLS: Final = 1
CALLS_REFERENCES: Final = 2
ENTERS: Final = 4
#: Some blocks are cold.
HAS_COLD_BLOCKS: Final = 8
#: From here on the target's own.
FIRST_TARGET_FLAG: Final = 16


def spill_slot(k: int) -> int:
    """The location of spill slot k."""
    return -1 - k


@mypyc_attr(allow_interpreted_subclasses=True)
class MOp:
    """A kind of machine instruction: how the allocator must treat its operands and, in a subclass, how it is emitted.

    * `tied`: defs[0] should be in the same register as uses[0]; where the allocator gives them different ones, `emit`
      starts with a move from uses[0] to defs[0]. Therefore the other uses never share a register with defs[0] unless
      they are the same virtual register as uses[0] - except for `commutative` operations, where uses[1] may share
      defs[0]'s register (and `emit` then swaps the operands).
    * `late`: all uses are read after defs, temporaries, fixed definitions and clobbered registers may have been
      written: none shares a register with them.
    * `stack_use`: index of the one use that may be in a spill slot instead of a register, or -1.
    * `temps`: the last `temps` entries of defs are temporaries: written while the uses are still needed, then dead.
    * `is_move`: defs[0] = uses[0] and nothing else: hints both to the same register; dropped when they are the same.
    * `is_jump`: goes to the block's only edge and does nothing else: a block of just this is not worth emitting.
    * `lands`: a call that may come back at the landing pad, the block's second edge, instead of behind it. Everything
      but the frame is destroyed then, and its results are not there.
    * `feature`: the optional processor feature that it needs, by the backend's name, or "".
    """

    __slots__ = ("commutative", "feature", "is_jump", "is_move", "lands", "late", "name", "stack_use", "temps", "tied")

    def __init__(
        self,
        name: str,
        *,
        tied: bool = False,
        commutative: bool = False,
        late: bool = False,
        stack_use: int = -1,
        temps: int = 0,
        is_move: bool = False,
        is_jump: bool = False,
        lands: bool = False,
        feature: str = "",
    ) -> None:
        self.name = name
        self.tied = tied
        self.commutative = commutative
        self.late = late
        self.stack_use = stack_use
        self.temps = temps
        self.is_move = is_move
        self.is_jump = is_jump
        self.lands = lands
        self.feature = feature

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        """Append the code of `inst`, which is of this kind and allocated."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True, acyclic=True)
class MInst:
    """One machine instruction. The allocator replaces virtual registers in `defs` and `uses` by locations in place."""

    __slots__ = ("defs", "imm", "offset", "op", "uses")

    def __init__(self, op: MOp, defs: list[int], uses: list[int], imm: int, offset: int = 0) -> None:
        self.op = op
        self.defs = defs
        self.uses = uses
        #: Whatever `op.emit` makes of it: immediate, displacement, condition.
        self.imm = imm
        #: Byte offset in the module, for the pc table; 0 for none.
        self.offset = offset


@mypyc_attr(allow_interpreted_subclasses=True, acyclic=True)
class MFixed(MInst):
    """An instruction with operands in given places: calls, returns, function entry, division, shifts by cl.

    * `fixed_uses`: (value, location): the value (virtual register, wherever it is, or a `const` Inst) is brought to the
      location (physical register or OUT_ARG/IN_ARG word) by a parallel move right before the instruction. Ordinary
      `uses` of the same instruction are never in one of these registers.
    * `fixed_defs`: (virtual register, location): the value is in that location (register, or OUT_ARG/IN_ARG word)
      right after the instruction; the allocator moves it to where the virtual register lives, and treats the register
      as clobbered.
    * `clobbers`: bit mask of further physical registers that the instruction destroys.
    Values that live across the instruction are in none of the fixed-def and clobbered registers.
    """

    __slots__ = ("clobbers", "fixed_defs", "fixed_uses")

    def __init__(
        self,
        op: MOp,
        defs: list[int],
        uses: list[int],
        imm: int,
        fixed_uses: list[tuple[int | Inst, int]],
        fixed_defs: list[tuple[int, int]],
        clobbers: int,
        offset: int = 0,
    ) -> None:
        super().__init__(op, defs, uses, imm, offset)
        self.fixed_uses = fixed_uses
        self.fixed_defs = fixed_defs
        self.clobbers = clobbers


@mypyc_attr(acyclic=True)
class MTailCall(MFixed):
    """A tail call: leaves the frame to function `imm`, or through the funcref in its register.

    Arguments on the stack are in the incoming words, where the callee looks for them, or if these do not do (`grows`)
    in outgoing words, with room in the frame for what else stays behind it.
    """

    __slots__ = ("argument_words", "grows", "result_words")

    def __init__(
        self,
        op: MOp,
        imm: int,
        fixed_uses: list[tuple[int | Inst, int]],
        offset: int,
        argument_words: int,
        result_words: int,
        grows: bool,
    ) -> None:
        super().__init__(op, [], [], imm, fixed_uses, [], 0, offset)
        self.argument_words = argument_words
        self.result_words = result_words
        self.grows = grows

    def area(self) -> int:
        """Bytes, a multiple of 16, of the stack words that the callee has its arguments and results in."""
        return 8 * max(self.argument_words, self.result_words) + 15 & ~15


class MEdge:
    """A way out of a machine block. Values of the target's parameters: virtual registers or `const` Insts."""

    __slots__ = ("args", "block", "is_cold")

    def __init__(self, block: MBlock, args: list[int | Inst], is_cold: bool = False) -> None:
        self.block = block
        self.args = args
        #: As of ir.Edge.
        self.is_cold = is_cold


class MBlock:
    """A block of machine instructions.

    The last instruction is the terminator (`imm` and operands are the backend's; where it goes is in `edges`).
    Only a block with a single edge has arguments on that edge: critical edges are split before allocation. Of a block
    that `lands`, the second edge leads to a landing pad: the last call comes back there with nothing in registers, and
    what its terminator, a jump, goes past is the first edge.
    """

    __slots__ = (
        "edges",
        "id",
        "insts",
        "is_cold",
        "is_loop_header",
        "is_tight_loop",
        "label",
        "landing_label",
        "lands",
        "loop_depth",
        "params",
        "predecessors",
    )

    def __init__(self, id: int) -> None:
        #: Position in MFunction.blocks.
        self.id = id
        self.params: list[int] = []
        self.insts: list[MInst] = []
        self.edges: list[MEdge] = []
        self.predecessors: list[MBlock] = []
        self.loop_depth = 0
        self.is_loop_header = False
        #: It goes behind the blocks that are not, once registers are allocated.
        self.is_cold = False
        #: The header of a loop that contains neither loops nor calls; set by allocation.
        self.is_tight_loop = False
        #: The last call may come back at the second edge.
        self.lands = False
        #: Label in the code buffer; set by emission. Of a landing pad also the one of the code in front of it.
        self.label = -1
        self.landing_label = -1


class MFunction:
    """A function of machine instructions on virtual registers.

    The order of the blocks has a block's dominators before it and the blocks of a loop together. In this order they are
    emitted, but for cold ones.
    """

    __slots__ = ("blocks", "flags", "jump", "name", "origins", "outgoing_words", "stack_slots", "vreg_types")

    def __init__(self, name: str) -> None:
        self.name = name
        self.blocks: list[MBlock] = []
        #: The backend's unconditional jump (no operands, to the only edge), for blocks that the allocator adds.
        self.jump: MOp | None = None
        #: What lowering tells the prologue: MAKES_CALLS and so on.
        self.flags = 0
        #: IR type of virtual register FIRST_VREG + i.
        self.vreg_types: list[int] = []
        #: Size in 8-byte words of the area for stack arguments and results of calls.
        self.outgoing_words = 0
        #: Sizes in bytes of the explicit stack slots.
        self.stack_slots: list[int] = []
        #: For a listing (`Function.listing`): the byte offset in the module that each instruction comes from.
        self.origins: dict[MInst, int] | None = None

    def new_vreg(self, type: int) -> int:
        """A new virtual register for a value of IR type `type`."""
        types = self.vreg_types
        types.append(type)
        return FIRST_VREG + len(types) - 1
