"""What the translation of one function carries along, and the helpers that all instructions share."""

from __future__ import annotations

from collections.abc import Callable

from wasm_core.body_facts import BodyFacts
from wasm_core.errors import CompileError
from wasm_core.module import DecodedModule
from wasm_ir import opcodes as ir
from wasm_ir import types
from wasm_ir.builder import Builder
from wasm_ir.frontend.locals import BlockRecord, Locals
from wasm_ir.frontend.signatures import signatures_of
from wasm_ir.frontend_options import FrontendOptions
from wasm_ir.ir import Block, Edge, Function, Inst, Signature
from wasm_ir.vmcontext import CONTEXT, STORE, ContextLayout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_ir.frontend.fuel import Fuel

#: No branch is hinted at.
NO_HINTS: Final[dict[int, bool]] = {}

#: Kinds of control frames. INLINED: the body of a function that is called, in the place of the call.
INLINED: Final = -1
FUNCTION: Final = 0
BLOCK: Final = 1
LOOP: Final = 2
IF: Final = 3
ELSE: Final = 4

#: What becomes of the `else` side of an `if`: it cannot run, it is the target of the branch, or (the condition is the
#: constant 0) it is what runs next.
ELSE_DEAD: Final = 0
ELSE_BRANCH: Final = 1
ELSE_ALWAYS: Final = 2

#: So many known locals are copied from a block to the one that follows it, which is faster than looking for them later.
FEW_LOCALS: Final = 32

#: Calls, blocks with parameters and branches take two bytes, and may pass on a thousand values each: those that pass on
#: more than a few must keep, together, to this and so many for each instruction of the function. Else a module of some
#: kilobytes could make the compiler take gigabytes.
FEW_VALUES: Final = 8
PASSED_BASE: Final = 100_000
PASSED_PER_INSTRUCTION: Final = 8

#: Larger than every length of the builder's log.
NO_MARK: Final = 1 << 60


class Handler:
    """A `try` or `try_table`: what is thrown in its body goes to one block."""

    __slots__ = ("block", "clauses", "exception", "following", "is_open", "level", "mark", "pads", "record")

    def __init__(self, level: int) -> None:
        #: Number of constructs around it.
        self.level = level
        #: Its body is open (and its catch clauses were not reached).
        self.is_open = True
        #: Where exceptions go, STORE.exception being set; made when the first one comes.
        self.block: Block | None = None
        #: Landing pads to be built, which go there: block, record of the block with the call, byte offset of that.
        self.pads: list[tuple[Block, BlockRecord, int]] = []
        #: Of a `try_table`: kind, tag and label of each catch clause.
        self.clauses: list[tuple[int, int, int]] = []
        #: The exception, in the catch clauses of `try`.
        self.exception: Inst | None = None
        #: Where exceptions go that no catch clause of the `try` has caught so far, None when there are none; the record
        #: of the block that is left for there, and the length of the builder's log then.
        self.following: Block | None = None
        self.record: BlockRecord | None = None
        self.mark = 0


class Frame:
    """A construct that is open."""

    __slots__ = (
        "block",
        "branch",
        "branch_record",
        "cut",
        "else_edge",
        "else_kind",
        "entry",
        "handler",
        "height",
        "kind",
        "label_types",
        "low",
        "mark",
        "params",
        "start",
    )

    def __init__(self, kind: int, height: int, label_types: tuple[int, ...], entry: BlockRecord, start: int) -> None:
        self.kind = kind
        #: Operands below the construct's own.
        self.height = height
        #: Types of what a branch to the construct takes along.
        self.label_types = label_types
        #: The block in which the construct was entered.
        self.entry = entry
        #: Byte offset in the module of where the construct starts.
        self.start = start
        #: Where branches go: the loop's header or the block after the construct; made by the first branch.
        self.block: Block | None = None
        #: The last edge to `block`, and the record of the block that it leaves.
        self.branch: Edge | None = None
        self.branch_record: BlockRecord | None = None
        #: `try` and `try_table`.
        self.handler: Handler | None = None
        # For value numbering. Shortest that the log has been since the first branch to this frame's end; NO_MARK
        # before that. Shortest that it was cut to since the construct was entered.
        self.low = NO_MARK
        self.cut = NO_MARK
        #: Length of the log at the branch of `if` or the start of `try`; and of `if` the edge to the `else` side, and
        #: the operands that it starts with.
        self.mark = 0
        self.else_kind = ELSE_DEAD
        self.else_edge: Edge | None = None
        self.params: list[Inst] = []

    def cut_to(self, mark: int) -> None:
        """Note that the builder's log was cut inside the construct."""
        if mark < self.cut:
            self.cut = mark
        if mark < self.low != NO_MARK:
            self.low = mark


class State:
    """The translation of one function. Instruction handlers get it and a position, and return the next position."""

    __slots__ = (
        "builder",
        "cold",
        "control",
        "defs",
        "end",
        "facts",
        "fuel",
        "function",
        "handlers",
        "hints",
        "inlining_room",
        "layout",
        "local_slots",
        "locals",
        "module",
        "options",
        "reachable",
        "room",
        "run",
        "signatures",
        "slots",
        "source",
        "stack",
        "trampolines",
        "where",
    )

    def __init__(
        self,
        module: DecodedModule,
        function: Function,
        layout: ContextLayout,
        facts: BodyFacts,
        options: FrontendOptions,
        run: Callable[[State], None],
    ) -> None:
        self.module = module
        self.source = module.source
        #: Position after the function's body.
        self.end = 0
        self.function = function
        self.layout = layout
        self.facts = facts
        self.options = options
        #: Translates the instructions of a body.
        self.run = run
        self.builder = Builder(function)
        self.stack: list[Inst] = []
        self.control: list[Frame] = []
        self.locals: Locals
        #: Definitions of the current block: `locals.current.defs`.
        self.defs: dict[int, Inst] = {}
        self.reachable = True
        #: Byte offset of a conditional branch -> whether it is expected to be taken.
        self.hints: dict[int, bool] = NO_HINTS
        if any(custom.name.startswith("metadata.code.") for custom in module.customs):
            from wasm_ir.frontend.hints import branch_hints_of

            self.hints = branch_hints_of(module, function.index)
        #: What `passes` may count still.
        self.room = PASSED_BASE + PASSED_PER_INSTRUCTION * facts.instruction_count
        #: Byte offset of the instruction being translated.
        self.where = 0
        self.signatures = signatures_of(module)
        #: Address of the locals when they are in memory, and where each one is (those that are assigned).
        self.slots: Inst | None = None
        self.local_slots: dict[int, int] = {}
        #: Blocks that leave after a builtin raised: block, its dominator, byte offset. They are built last.
        self.cold: list[tuple[Block, BlockRecord, int]] = []
        #: The `try` constructs whose bodies are open, the innermost last.
        self.handlers: list[Handler] = []
        #: How work is counted, None if it is not.
        self.fuel: Fuel | None = None
        #: How many bytes of other functions may still be inlined.
        self.inlining_room = 0
        #: Blocks between a br_table and a target that it names more than once.
        self.trampolines: list[Block] = []

    def passes(self, count: int) -> None:
        """Count values that one instruction passes on; need not be called for FEW_VALUES and less.

        Raises:
            CompileError: The function's instructions pass too many.
        """
        self.room -= count
        if self.room < 0:
            raise CompileError("the function passes on too many values for its size", self.where)

    def begin(self, block: Block, entry: BlockRecord | None, start: int, end: int, mark: int) -> None:
        """Go on in `block`; see BlockRecord and Builder.begin."""
        self.builder.begin(block, mark)
        record = BlockRecord(block, entry, start, end)
        if end == 0 and entry is not None and len(entry.defs) <= FEW_LOCALS:
            record.defs = entry.defs.copy()
        locals = self.locals
        locals.records.append(record)
        locals.current = record
        self.defs = record.defs

    def continue_in(self, block: Block, entry: BlockRecord) -> None:
        """Go on in `block`, whose only predecessor was just ended, or whose dominator `entry` was."""
        self.begin(block, entry, 0, 0, len(self.builder.log))

    def hint(self, taken: Edge, other: Edge) -> None:
        """Note what is known about how often the branch just built is taken."""
        likely = self.hints.get(self.where)
        if likely is not None:
            (other if likely else taken).is_cold = True

    def land(self) -> None:
        """Let what the call just built throws go to the innermost handler."""
        builder = self.builder
        following = builder.new_block()
        pad = builder.new_block()
        record = self.locals.current
        builder.invoke(following, pad)
        self.handlers[-1].pads.append((pad, record, self.where))
        self.continue_in(following, record)

    def signature(self, type_index: int) -> Signature:
        """An entry of the type section."""
        return self.signatures.get(type_index)

    def context_pointer(self, offset: int) -> Inst:
        """The pointer at `offset` of the VMContext, which never changes."""
        builder = self.builder
        return builder.load(ir.LOAD_INVARIANT, types.POINTER, builder.vmctx(), offset)

    def check_pending(self) -> None:
        """Leave the function if the builtin just called set an exception."""
        builder = self.builder
        store = self.context_pointer(CONTEXT["store"])
        pending = builder.load(ir.LOAD, types.I64, store, STORE["pending"])
        condition = builder.icmp(ir.NE, pending, builder.const(types.I64, 0))
        cold = builder.new_block()
        following = builder.new_block()
        record = self.locals.current
        builder.brif(condition, cold, (), following, ())
        self.cold.append((cold, record, self.where))
        self.continue_in(following, record)

    def builtin(self, number: int, a: Inst, b: Inst, c: Inst, in_memory: bool = False) -> Inst:
        """Call the runtime's builtin `number` with three i64; leaves the function if it raised.

        `in_memory`: it looks for references on the stack, see Builder.call_native.
        """
        builder = self.builder
        pointer = self.context_pointer(CONTEXT["builtin"])
        arguments = (builder.vmctx(), builder.const(types.I64, number), a, b, c)
        result = builder.call_native(pointer, _BUILTIN, arguments, in_memory)
        self.check_pending()
        return result


_BUILTIN: Final = Signature((types.I64,) * 5, (types.I64,))
