"""Building IR functions: instructions are simplified and value-numbered as they are made.

Value numbering keeps a table of the pure instructions that dominate the place where the next instruction goes, and a
log of its entries in order of insertion. Starting a block takes back the entries that do not dominate it. Front
ends that know the structure of their input say how much to take back (`begin`); for others `switch_to` finds
a safe answer.
"""

from __future__ import annotations

from collections.abc import Sequence

from wasm_core.lazy_typing import mypyc_attr
from wasm_ir import opcodes, types
from wasm_ir.ir import Block, Branch, Call, Edge, Function, Inst, Signature
from wasm_ir.simplify import (
    RIGHT_CONST_RULES,
    UNARY_RULES,
    simplify_binary,
    simplify_condition,
    simplify_fcmp,
    simplify_icmp,
    simplify_select,
    simplify_unary,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_CONST: Final = opcodes.CONST
_ICMP: Final = opcodes.ICMP
_FCMP: Final = opcodes.FCMP
_I32: Final = types.I32
_VOID: Final = types.VOID
_ICMP_KEY: Final = opcodes.ICMP << 3
_FCMP_KEY: Final = opcodes.FCMP << 3
_SELECT_KEY: Final = opcodes.SELECT << 3
#: Two operations in one entry, because addresses are so common.
_HEAP_ADDRESS_KEY: Final = -1
#: What `needs_check` notes.
_CHECKED_KEY: Final = -2
_MASK_64: Final = (1 << 64) - 1
#: Most checks that it notes for one index.
_MOST_CHECKS: Final = 8
_PROPERTIES: Final = opcodes.PROPERTIES
_COMMUTATIVE: Final = opcodes.COMMUTATIVE

#: What the value table is keyed by: (operation << 3 | type or condition, operands and immediates).
Key = tuple[int | Inst, ...]


@mypyc_attr(allow_interpreted_subclasses=True)
class Builder:
    """Appends instructions to a function; `begin` or `switch_to` says to which block.

    Division and float-to-integer conversion are numbered although they trap: a second one with the same operands,
    dominated by the first, cannot trap any more.
    """

    def __init__(self, function: Function) -> None:
        self.function = function
        #: Byte offset in the module that instructions built from now on are stamped with; 0 for none.
        self.offset = 0
        #: The block that instructions are appended to; None after its terminator.
        self.block: Block | None = None
        #: Instructions of `block`.
        self.insts: list[Inst] = []
        self.block_count = 0
        self.constants: tuple[dict[int, Inst], ...] = tuple({} for _ in types.NAMES)
        self._vmctx: Inst | None = None
        self._memory_base: Inst | None = None
        #: The table of pure instructions that dominate the place where the next one goes.
        self._values: dict[Key, Inst] = {}
        #: Keys of `_values` in order of insertion.
        self.log: list[Key] = []
        #: Length of the log when the entry block ended; -1 before that.
        self._entry_mark = -1
        self._last_block: Block | None = None

    # Blocks.

    def new_block(self) -> Block:
        """A block that is in no function yet; `switch_to` or `begin` puts it there."""
        block = Block(self.block_count)
        self.block_count += 1
        return block

    def append_param(self, block: Block, type: int) -> Inst:
        """Give `block` another parameter. Edges to it must be given another argument by whoever makes them."""
        function = self.function
        param = Inst(opcodes.PARAM, type, [], 0, function.value_count, 0)
        function.value_count += 1
        block.params.append(param)
        return param

    def switch_to(self, block: Block) -> None:
        """Append `block` to the function and build there.

        Every branch to the block, but for the back edges of a loop that it heads, must have been built before.
        """
        predecessors = block.predecessors
        if self._entry_mark < 0 or (len(predecessors) == 1 and predecessors[0] is self._last_block):
            mark = len(self.log)
        else:
            mark = self._entry_mark
        self.begin(block, mark)

    def begin(self, block: Block, mark: int) -> None:
        """Like `switch_to`; of the value table, the first `mark` entries of the log stay."""
        log = self.log
        if len(log) > mark:
            values = self._values
            for key in log[mark:]:
                del values[key]
            del log[mark:]
        self.function.blocks.append(block)
        self.block = self._last_block = block
        self.insts = block.insts

    # Leaves.

    def const(self, type: int, bits: int) -> Inst:
        """A constant; bits beyond the type's width, and the sign of a negative number, are cut off."""
        bits &= types.MASKS[type]
        inst = self.constants[type].get(bits)
        if inst is None:
            function = self.function
            inst = self.constants[type][bits] = Inst(_CONST, type, [], bits, function.value_count, 0)
            function.value_count += 1
        return inst

    def vmctx(self) -> Inst:
        """The pinned VMContext."""
        if self._vmctx is None:
            function = self.function
            self._vmctx = Inst(opcodes.VMCTX, types.POINTER, [], 0, function.value_count, 0)
            function.value_count += 1
        return self._vmctx

    def memory_base(self) -> Inst:
        """The pinned base address of memory 0."""
        if self._memory_base is None:
            function = self.function
            self._memory_base = Inst(opcodes.MEMORY_BASE, types.POINTER, [], 0, function.value_count, 0)
            function.value_count += 1
        return self._memory_base

    def callee(self) -> Inst:
        """The funcref that the function was called through; to be built at the start of the entry block."""
        self.function.uses_callee = True
        return self._append(opcodes.CALLEE, types.POINTER, [], 0)

    def stack_slot(self, size_bytes: int) -> Inst:
        """The address of a new stack slot."""
        slots = self.function.stack_slots
        slots.append((size_bytes + 15) & ~15)
        return self._append(opcodes.STACK_SLOT, types.POINTER, [], len(slots) - 1)

    # Values.

    def _append(self, op: int, type: int, args: list[Inst], imm: int) -> Inst:
        function = self.function
        inst = Inst(op, type, args, imm, function.value_count, self.offset)
        function.value_count += 1
        self.insts.append(inst)
        return inst

    def unary(self, op: int, type: int, x: Inst) -> Inst:
        if x.op == _CONST or UNARY_RULES[op] is not None:
            known = simplify_unary(self, op, type, x)
            if known is not None:
                return known
        key = (op << 3 | type, x)
        inst = self._values.get(key)
        if inst is None:
            inst = self._values[key] = self._append(op, type, [x], 0)
            self.log.append(key)
        return inst

    def binary(self, op: int, type: int, x: Inst, y: Inst) -> Inst:
        if y.op == _CONST or x.op == _CONST or x is y:
            if x.op == _CONST and _PROPERTIES[op] & _COMMUTATIVE:
                x, y = y, x
            if y.op == _CONST and x.op != _CONST:
                rule = RIGHT_CONST_RULES[op]
                known = None if rule is None else rule(self, type, x, y.imm)
            else:
                known = simplify_binary(self, op, type, x, y)
            if known is not None:
                return known
        key = (op << 3 | type, x, y)
        inst = self._values.get(key)
        if inst is None:
            function = self.function
            id = function.value_count
            function.value_count = id + 1
            inst = self._values[key] = Inst(op, type, [x, y], 0, id, self.offset)
            self.insts.append(inst)
            self.log.append(key)
        return inst

    def binary_as_is(self, op: int, type: int, x: Inst, y: Inst) -> Inst:
        """As `binary`, but neither simplified nor numbered: for what is to stay a step of its own."""
        return self._append(op, type, [x, y], 0)

    def heap_address(self, index: Inst) -> Inst:
        """memory_base + extend_u(index): the address of byte `index` (an i32) of memory 0."""
        key = (_HEAP_ADDRESS_KEY, index)
        inst = self._values.get(key)
        if inst is None:
            offset = self.unary(opcodes.EXTEND_U, types.I64, index)
            inst = self._values[key] = self.binary(opcodes.IADD, types.POINTER, self.memory_base(), offset)
            self.log.append(key)
        return inst

    def needs_check(self, kind: int, index: Inst, distance: int, reach: int) -> bool:
        """Whether no check that dominates says as much of an index as another one would, which the caller makes then.

        Args:
            kind: What is checked.
            index: The index.
            distance: How far from it, modulo 2**64.
            reach: A check also holds for so many distances in front of the one that it was made for (the last ones
                before 2**64 are in front of 0).
        """
        values = self._values
        for number in range(_MOST_CHECKS):
            key = (_CHECKED_KEY, kind, index, number)
            checked = values.get(key)
            if checked is None:
                values[key] = self.const(types.I64, distance)
                self.log.append(key)
                return True
            if (checked.imm - distance) & _MASK_64 < reach:
                return False
        return True

    def icmp(self, cond: int, x: Inst, y: Inst) -> Inst:
        if y.op == _CONST or x.op == _CONST or x is y:
            if x.op == _CONST:
                x, y = y, x
                cond = opcodes.ICMP_SWAPPED[cond]
            known = simplify_icmp(self, cond, x, y)
            if known is not None:
                return known
        key = (_ICMP_KEY, cond, x, y)
        inst = self._values.get(key)
        if inst is None:
            inst = self._values[key] = self._append(_ICMP, _I32, [x, y], cond)
            self.log.append(key)
        return inst

    def fcmp(self, cond: int, x: Inst, y: Inst) -> Inst:
        if x.op == _CONST and y.op == _CONST:
            known = simplify_fcmp(self, cond, x, y)
            if known is not None:
                return known
        key = (_FCMP_KEY, cond, x, y)
        inst = self._values.get(key)
        if inst is None:
            inst = self._values[key] = self._append(_FCMP, _I32, [x, y], cond)
            self.log.append(key)
        return inst

    def select(self, c: Inst, x: Inst, y: Inst) -> Inst:
        """`x` if the i32 `c` is not zero, else `y`."""
        if c.op == _ICMP or c.op == _CONST or x is y:
            c, inverted = simplify_condition(c)
            if inverted:
                x, y = y, x
            known = simplify_select(self, c, x, y)
            if known is not None:
                return known
        key = (_SELECT_KEY, c, x, y)
        inst = self._values.get(key)
        if inst is None:
            inst = self._values[key] = self._append(opcodes.SELECT, x.type, [c, x, y], 0)
            self.log.append(key)
        return inst

    # Vectors.

    def vector(self, op: int, type: int, imm: int, args: list[Inst]) -> Inst:
        """Any of the v_* operations; `type` is the type of the result."""
        # Most programs have no vectors, and need not wait for the rules.
        from wasm_ir.simplify_vectors import VECTOR_RULES

        if _PROPERTIES[op] & _COMMUTATIVE and args[0].op == _CONST and args[1].op != _CONST:
            args = [args[1], args[0]]
        rule = VECTOR_RULES[op]
        if rule is not None:
            known = rule(self, imm, args)
            if known is not None:
                return known
        key: Key = (op << 3 | type, imm, *args)
        inst = self._values.get(key)
        if inst is None:
            inst = self._values[key] = self._append(op, type, args, imm)
            self.log.append(key)
        return inst

    # Memory.

    def load(self, op: int, type: int, ptr: Inst, offset: int) -> Inst:
        """Any of the (heap_)load* operations."""
        if op == opcodes.LOAD_INVARIANT:
            key = (op << 3 | type, ptr, offset)
            inst = self._values.get(key)
            if inst is None:
                inst = self._values[key] = self._append(op, type, [ptr], offset)
                self.log.append(key)
            return inst
        function = self.function
        inst = Inst(op, type, [ptr], offset, function.value_count, self.offset)
        function.value_count += 1
        self.insts.append(inst)
        return inst

    def store(self, op: int, ptr: Inst, value: Inst, offset: int) -> Inst:
        """Any of the (heap_)store* operations."""
        return self._append(op, _VOID, [ptr, value], offset)

    def compare_exchange(self, ptr: Inst, expected: Inst, replacement: Inst, offset: int) -> Inst:
        """Replace a word in memory if it is what is expected; what it was, all in one step."""
        return self._append(opcodes.COMPARE_EXCHANGE, types.I64, [ptr, expected, replacement], offset)

    # Calls.

    def _call(self, op: int, args: list[Inst], imm: int, signature: Signature, results: Sequence[int]) -> Call:
        function = self.function
        call = Call(op, results[0] if results else _VOID, args, imm, function.value_count, self.offset, signature)
        function.value_count += 1
        self.insts.append(call)
        for number in range(1, len(results)):
            call.results.append(self._append(opcodes.RESULT, results[number], [call], number))
        return call

    def call(self, func_index: int, signature: Signature, args: Sequence[Inst]) -> Call:
        """Call a function of the same module."""
        return self._call(opcodes.CALL, list(args), func_index, signature, signature.results)

    def call_ref(self, funcref: Inst, signature: Signature, args: Sequence[Inst], own: bool = False) -> Call:
        """Call through a funcref that is not null; `own`: of a function that belongs to the same instance."""
        return self._call(opcodes.CALL_REF, [funcref, *args], int(own), signature, signature.results)

    def call_native(self, pointer: Inst, signature: Signature, args: Sequence[Inst], in_memory: bool = False) -> Call:
        """Call a C function. `in_memory`: nothing is in registers meanwhile that the WebAssembly stack has not, too."""
        return self._call(opcodes.CALL_NATIVE, [pointer, *args], int(in_memory), signature, signature.results)

    def enter(self, store: Inst, funcref: Inst, vmctx: Inst, signature: Signature, args: Sequence[Inst]) -> Call:
        """Run a WebAssembly function from a C one; result 0 is the status, results 1.. are the function's."""
        results = (_I32, *signature.results)
        return self._call(opcodes.ENTER, [store, funcref, vmctx, *args], 0, signature, results)

    def result(self, call: Call, i: int) -> Inst:
        """Result `i` of a call; 0 is the call itself."""
        return call if i == 0 else call.results[i - 1]

    # Control.

    def _terminate(self, terminator: Inst) -> None:
        block = self.block
        assert block is not None
        block.terminator = terminator
        self.block = None
        if self._entry_mark < 0:
            self._entry_mark = len(self.log)

    def _branch(self, op: int, args: list[Inst], targets: list[Edge]) -> Branch:
        function = self.function
        branch = Branch(op, args, targets, function.value_count, self.offset)
        function.value_count += 1
        block = self.block
        assert block is not None
        for edge in targets:
            edge.block.predecessors.append(block)
        block.terminator = branch
        self.block = None
        if self._entry_mark < 0:
            self._entry_mark = len(self.log)
        return branch

    def jump(self, block: Block, args: Sequence[Inst] = ()) -> Branch:
        return self._branch(opcodes.JUMP, [], [Edge(block, list(args))])

    def brif(
        self, cond: Inst, then: Block, then_args: Sequence[Inst], otherwise: Block, otherwise_args: Sequence[Inst]
    ) -> Branch:
        """Branch to `then` if the i32 `cond` is not zero. A constant condition makes it a jump."""
        if cond.op == _ICMP or cond.op == _CONST:
            cond, inverted = simplify_condition(cond)
            if inverted:
                then, then_args, otherwise, otherwise_args = otherwise, otherwise_args, then, then_args
            if cond.op == _CONST:
                return self.jump(then, then_args) if cond.imm else self.jump(otherwise, otherwise_args)
        return self._branch(opcodes.BRIF, [cond], [Edge(then, list(then_args)), Edge(otherwise, list(otherwise_args))])

    def br_table(self, index: Inst, targets: Sequence[tuple[Block, Sequence[Inst]]]) -> Branch:
        """Branch to `targets[index]`; the last target is the default."""
        count = len(targets)
        if count == 1 or index.op == _CONST:
            block, args = targets[min(index.imm, count - 1) if index.op == _CONST else 0]
            return self.jump(block, args)
        if count == 2:
            return self.brif(index, *targets[1], *targets[0])
        return self._branch(opcodes.BR_TABLE, [index], [Edge(block, list(args)) for block, args in targets])

    def ret(self, values: Sequence[Inst]) -> None:
        self._terminate(self._terminator(opcodes.RETURN, list(values), 0))

    def trap(self, code: int) -> None:
        self._terminate(self._terminator(opcodes.TRAP, [], code))

    def unwind(self, status: Inst) -> None:
        """Leave to the innermost `enter` with an i32 status."""
        self._terminate(self._terminator(opcodes.UNWIND, [status], 0))

    def invoke(self, following: Block, landing_pad: Block) -> Branch:
        """Go on in `following` when the call just built has returned, in `landing_pad` when it has thrown."""
        return self._branch(opcodes.INVOKE, [], [Edge(following, []), Edge(landing_pad, [])])

    def throw(self) -> None:
        """Throw the exception in STORE.exception out of this function."""
        self._terminate(self._terminator(opcodes.THROW, [], 0))

    def return_call(self, func_index: int, signature: Signature, args: Sequence[Inst]) -> None:
        """Leave this function to another one of the same module, whose results have the types of this one's."""
        self._tail_call(opcodes.RETURN_CALL, list(args), func_index, signature)

    def return_call_ref(self, funcref: Inst, signature: Signature, args: Sequence[Inst]) -> None:
        """Leave this function to another one through a funcref that is not null."""
        self._tail_call(opcodes.RETURN_CALL_REF, [funcref, *args], 0, signature)

    def _tail_call(self, op: int, args: list[Inst], imm: int, signature: Signature) -> None:
        function = self.function
        call = Call(op, _VOID, args, imm, function.value_count, self.offset, signature)
        function.value_count += 1
        self._terminate(call)

    def _terminator(self, op: int, args: list[Inst], imm: int) -> Inst:
        function = self.function
        inst = Inst(op, _VOID, args, imm, function.value_count, self.offset)
        function.value_count += 1
        return inst

    def poll(self, imm: int = 0) -> None:
        """Let the runtime interrupt here; at the start of a loop's header, or (`imm` 1) anywhere."""
        self._append(opcodes.POLL, _VOID, [], imm)

    def trap_if(self, cond: Inst, code: int) -> None:
        """Trap if the i32 `cond` is not zero. A condition known to be zero, or checked before, makes it nothing."""
        simpler, inverted = simplify_condition(cond)
        if not inverted:
            cond = simpler
        if cond.op == _CONST and cond.imm == 0:
            return
        key = (opcodes.TRAP_IF << 3, cond)
        if key not in self._values:
            self._values[key] = self._append(opcodes.TRAP_IF, _VOID, [cond], code)
            self.log.append(key)
