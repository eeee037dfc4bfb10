"""The intermediate representation: SSA with block parameters.

An instruction is its own (first) result. Classes are plain, with slots: a function has thousands of instructions.

Instructions `const`, `vmctx` and `memory_base` are in no block: each exists once per function (a constant once per type
and bits), may be an operand anywhere, and is materialized where it is used.
"""

from __future__ import annotations

from wasm_ir import types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Calling conventions of a function: WebAssembly's own (runs on the store's stack, VMContext pinned) and the
#: platform's C convention (runs on the C stack, no VMContext).
ABI_WASM: Final = 0
ABI_C: Final = 1

#: The constant SYMBOL_BASE + (n << SYMBOL_SHIFT) in a function stands for the address `function.symbols[n]`. Chosen so
#: that it needs all of 64 bits, that no address and no number in thunks is like it, and that arithmetic with it shows.
SYMBOL_BASE: Final = 0x7A3C_0000_0000_0000
SYMBOL_SHIFT: Final = 16

#: Bits of an instruction's offset in the module; see `Function.call_sites`.
CALL_SITE_SHIFT: Final = 32


class Signature:
    """Types of parameters and results, in IR types."""

    __slots__ = ("params", "results")

    def __init__(self, params: tuple[int, ...], results: tuple[int, ...]) -> None:
        self.params = params
        self.results = results

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Signature) and self.params == other.params and self.results == other.results

    def __hash__(self) -> int:
        return hash((self.params, self.results))

    def __repr__(self) -> str:
        params = ", ".join(types.NAMES[t] for t in self.params)
        results = ", ".join(types.NAMES[t] for t in self.results)
        return f"({params}) -> ({results})"


class Inst:
    """An instruction and the value that it produces."""

    __slots__ = ("args", "id", "imm", "offset", "op", "type")

    def __init__(self, op: int, type: int, args: list[Inst], imm: int, id: int, offset: int) -> None:
        self.op = op
        self.type = type
        self.args = args
        #: What the operation's row in `opcodes` says; 0 where it says nothing.
        self.imm = imm
        #: Dense number within the function.
        self.id = id
        #: Byte offset in the module of the WebAssembly instruction that this came from; 0 for none.
        self.offset = offset

    def __repr__(self) -> str:
        return f"v{self.id}"


class Call(Inst):
    """A call; `signature` describes the callee (for `enter`: the WebAssembly function, without the status)."""

    __slots__ = ("results", "signature")

    def __init__(
        self, op: int, type: int, args: list[Inst], imm: int, id: int, offset: int, signature: Signature
    ) -> None:
        super().__init__(op, type, args, imm, id, offset)
        self.signature = signature
        #: The `result` instructions for results 1, 2, ... (they stand right behind the call in its block).
        self.results: list[Inst] = []


class Edge:
    """A way out of a block: where to, and the values for the target's parameters."""

    __slots__ = ("args", "block", "is_cold")

    def __init__(self, block: Block, args: list[Inst]) -> None:
        self.block = block
        self.args = args
        #: It is not expected to be taken often.
        self.is_cold = False


class Branch(Inst):
    """A terminator with targets."""

    __slots__ = ("targets",)

    def __init__(self, op: int, args: list[Inst], targets: list[Edge], id: int, offset: int) -> None:
        super().__init__(op, types.VOID, args, 0, id, offset)
        self.targets = targets


class Block:
    """A basic block: parameters, instructions, and a terminator (which is not in `insts`)."""

    __slots__ = ("id", "insts", "is_cold", "is_loop_header", "loop_depth", "params", "predecessors", "terminator")

    def __init__(self, id: int) -> None:
        self.id = id
        self.params: list[Inst] = []
        self.insts: list[Inst] = []
        self.terminator: Inst | None = None
        #: One entry per edge (a block that reaches this one by two edges stands here twice).
        self.predecessors: list[Block] = []
        self.loop_depth = 0
        self.is_loop_header = False
        #: It is not expected to run often: its code goes behind the other blocks'.
        self.is_cold = False

    def successors(self) -> list[Edge]:
        terminator = self.terminator
        return terminator.targets if isinstance(terminator, Branch) else []

    def __repr__(self) -> str:
        return f"block{self.id}"


class Function:
    """A function in SSA form.

    `blocks` is in an order that later phases rely on: a block's dominators stand before it, and the blocks of a loop
    stand together, header first. The first block is the entry; its parameters are the function's.
    """

    __slots__ = (
        "abi",
        "blocks",
        "call_sites",
        "checks_stack",
        "index",
        "listing",
        "name",
        "signature",
        "stack_slots",
        "symbols",
        "uses_callee",
        "value_count",
    )

    def __init__(self, name: str, signature: Signature, abi: int = ABI_WASM, index: int = -1) -> None:
        self.name = name
        self.signature = signature
        self.abi = abi
        #: Index in the module's function index space; -1 for glue.
        self.index = index
        self.blocks: list[Block] = []
        #: Number of instruction ids handed out.
        self.value_count = 0
        #: Sizes in bytes (multiples of 16) of the stack slots.
        self.stack_slots: list[int] = []
        #: Addresses of this process that constants stand for (see SYMBOL_BASE); functions of modules have none.
        self.symbols: list[int] = []
        #: The function reads the funcref it was called through (`callee`), and keeps its caller's VMContext pinned
        #: instead of loading its own: a host-call thunk.
        self.uses_callee = False
        #: It compares the stack pointer with the limit of the stack before it calls anything. Not what runs when there
        #: is no way to trap: it is small, and there is a reserve below the limit.
        self.checks_stack = True
        #: Offsets of the calls in whose place bodies of other functions stand. The offset of an instruction from such a
        #: body has the number of the call here, which is not 0, above CALL_SITE_SHIFT bits of offset.
        self.call_sites: list[int] = []
        #: A list asks for the origin of the code: compiling fills it with (offset in the code, offset in the module of
        #: the WebAssembly instruction that what begins there was made for; 0 for none, -1 for that of what follows).
        self.listing: list[tuple[int, int]] | None = None

    def own_offset(self, offset: int) -> int:
        """The offset of an instruction, as it is in this function: that of the call for one from another's body."""
        return offset if offset < 1 << CALL_SITE_SHIFT else self.call_sites[offset >> CALL_SITE_SHIFT]
