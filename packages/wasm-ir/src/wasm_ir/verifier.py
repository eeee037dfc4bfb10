"""Checks that a function is well-formed IR; for tests and for finding out which pass broke something."""

from __future__ import annotations

from collections.abc import Callable

from wasm_ir import opcodes, types
from wasm_ir.ir import Block, Branch, Call, Function, Inst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_INTEGERS: Final = (types.I32, types.I64)
_FLOATS: Final = (types.F32, types.F64)


class VerificationError(Exception):
    """A function is not well-formed; the message lists what is wrong, one thing a line."""


def verify(function: Function) -> None:
    """Check types, dominance, the order of blocks, edges, predecessors and terminators.

    Raises VerificationError.
    """
    problems = _Verifier(function).run()
    if problems:
        shown = problems[:50]
        more = [f"... and {len(problems) - 50} more"] if len(problems) > 50 else []
        raise VerificationError("\n".join([f"{function.name} is not well-formed:", *shown, *more]))


# What an operation asks of its result and operands: (result type, operand types) -> whether it is satisfied.
_Rule = Callable[[int, list[int]], bool]


def _same(*allowed: int) -> _Rule:
    """Result and operands all have one of the types."""
    return lambda type, args: type in allowed and args == [type] * len(args)


def _converts(results: tuple[int, ...], operands: tuple[int, ...]) -> _Rule:
    return lambda type, args: type in results and args[0] in operands


def _bitcast(type: int, args: list[int]) -> bool:
    return types.BITS[type] == types.BITS[args[0]] and types.CLASS[type] != types.CLASS[args[0]]


def _load(type: int, args: list[int]) -> bool:
    return type != types.VOID and args[0] == types.POINTER


def _store(type: int, args: list[int]) -> bool:
    return type == types.VOID and args[0] == types.POINTER and args[1] != types.VOID


def _narrow_load(widest: tuple[int, ...]) -> _Rule:
    return lambda type, args: type in widest and args[0] == types.POINTER


def _narrow_store(widest: tuple[int, ...]) -> _Rule:
    return lambda type, args: type == types.VOID and args[0] == types.POINTER and args[1] in widest


_I32: Final = (types.I32,)
_I64: Final = (types.I64,)

_INTEGER_BINARY: Final = range(opcodes.IADD, opcodes.ROTR + 1)
_INTEGER_UNARY: Final = range(opcodes.CLZ, opcodes.SEXT32 + 1)
_FLOAT_BINARY: Final = range(opcodes.FADD, opcodes.FCOPYSIGN + 1)
_FLOAT_UNARY: Final = range(opcodes.FABS, opcodes.FNEAREST + 1)

#: Operation -> (number of operands, rule).
_RULES: Final[dict[int, tuple[int, _Rule]]] = {
    **dict.fromkeys(_INTEGER_BINARY, (2, _same(*_INTEGERS))),
    **dict.fromkeys(_INTEGER_UNARY, (1, _same(*_INTEGERS))),
    opcodes.MULHI_S: (2, _same(types.I64)),
    opcodes.MULHI_U: (2, _same(types.I64)),
    opcodes.SEXT32: (1, _same(types.I64)),
    opcodes.EXTEND_S: (1, _converts(_I64, _I32)),
    opcodes.EXTEND_U: (1, _converts(_I64, _I32)),
    opcodes.WRAP: (1, _converts(_I32, _I64)),
    opcodes.ICMP: (2, lambda type, args: type == types.I32 and args[0] == args[1] and args[0] in _INTEGERS),
    opcodes.FCMP: (2, lambda type, args: type == types.I32 and args[0] == args[1] and args[0] in _FLOATS),
    opcodes.SELECT: (3, lambda type, args: args[0] == types.I32 and type == args[1] == args[2] != types.VOID),
    **dict.fromkeys(_FLOAT_BINARY, (2, _same(*_FLOATS))),
    **dict.fromkeys(_FLOAT_UNARY, (1, _same(*_FLOATS))),
    **dict.fromkeys(range(opcodes.FTOI_S, opcodes.FTOI_SAT_U + 1), (1, _converts(_INTEGERS, _FLOATS))),
    opcodes.ITOF_S: (1, _converts(_FLOATS, _INTEGERS)),
    opcodes.ITOF_U: (1, _converts(_FLOATS, _INTEGERS)),
    opcodes.DEMOTE: (1, _converts((types.F32,), (types.F64,))),
    opcodes.PROMOTE: (1, _converts((types.F64,), (types.F32,))),
    opcodes.BITCAST: (1, _bitcast),
    **dict.fromkeys((opcodes.LOAD, opcodes.LOAD_INVARIANT, opcodes.HEAP_LOAD), (1, _load)),
    **dict.fromkeys(range(opcodes.LOAD8_S, opcodes.LOAD16_U + 1), (1, _narrow_load(_INTEGERS))),
    **dict.fromkeys((opcodes.LOAD32_S, opcodes.LOAD32_U), (1, _narrow_load(_I64))),
    **dict.fromkeys(range(opcodes.HEAP_LOAD8_S, opcodes.HEAP_LOAD16_U + 1), (1, _narrow_load(_INTEGERS))),
    **dict.fromkeys((opcodes.HEAP_LOAD32_S, opcodes.HEAP_LOAD32_U), (1, _narrow_load(_I64))),
    **dict.fromkeys((opcodes.STORE, opcodes.HEAP_STORE), (2, _store)),
    **dict.fromkeys((opcodes.STORE8, opcodes.STORE16), (2, _narrow_store(_INTEGERS))),
    **dict.fromkeys((opcodes.HEAP_STORE8, opcodes.HEAP_STORE16), (2, _narrow_store(_INTEGERS))),
    **dict.fromkeys((opcodes.STORE32, opcodes.HEAP_STORE32), (2, _narrow_store(_I64))),
    opcodes.COMPARE_EXCHANGE: (3, _same(types.I64)),
    opcodes.TRAP_IF: (1, lambda type, args: type == types.VOID and args[0] == types.I32),
    opcodes.POLL: (0, lambda type, args: type == types.VOID),
    opcodes.STACK_SLOT: (0, lambda type, args: type == types.POINTER),
    opcodes.CALLEE: (0, lambda type, args: type == types.POINTER),
}

#: Bitwise operations and the choice between values take vectors too.
for _op in (opcodes.AND, opcodes.OR, opcodes.XOR):
    _RULES[_op] = (2, _same(*_INTEGERS, types.V128))

# Vector operations: result, operands ("v" a vector, "s" the scalar of the shape, "i" an i32), the shapes that there
# are, and how many values the rest of the imm has (0: as many as there are lanes).
_INTEGER_SHAPES: Final = (opcodes.I8X16, opcodes.I16X8, opcodes.I32X4, opcodes.I64X2)
_FLOAT_SHAPES: Final = (opcodes.F32X4, opcodes.F64X2)
_ALL_SHAPES: Final = (*_INTEGER_SHAPES, *_FLOAT_SHAPES)
_BYTES_AND_WORDS: Final = (opcodes.I8X16, opcodes.I16X8)
_UP_TO_32: Final = (opcodes.I8X16, opcodes.I16X8, opcodes.I32X4)
_FROM_16: Final = (opcodes.I16X8, opcodes.I32X4, opcodes.I64X2)
#: The imm is 0.
_NO_SHAPE: Final = (0,)

_VectorRule = tuple[str, str, tuple[int, ...], int]

VECTOR_RULES: Final[dict[int, _VectorRule]] = {
    opcodes.V_SPLAT: ("v", "s", _ALL_SHAPES, 1),
    opcodes.V_LOW: ("v", "s", (opcodes.I32X4, opcodes.I64X2, *_FLOAT_SHAPES), 1),
    opcodes.V_EXTRACT_S: ("s", "v", _BYTES_AND_WORDS, 0),
    opcodes.V_EXTRACT_U: ("s", "v", _ALL_SHAPES, 0),
    opcodes.V_REPLACE: ("v", "vs", _ALL_SHAPES, 0),
    opcodes.V_SWIZZLE: ("v", "vv", _NO_SHAPE, 1),
    opcodes.V_RELAXED_SWIZZLE: ("v", "vv", _NO_SHAPE, 1),
    opcodes.V_NOT: ("v", "v", _NO_SHAPE, 1),
    opcodes.V_ANDNOT: ("v", "vv", _NO_SHAPE, 1),
    opcodes.V_BITSELECT: ("v", "vvv", _NO_SHAPE, 1),
    opcodes.V_RELAXED_LANESELECT: ("v", "vvv", _INTEGER_SHAPES, 1),
    opcodes.V_ANY_TRUE: ("i", "v", _NO_SHAPE, 1),
    opcodes.V_ALL_TRUE: ("i", "v", _INTEGER_SHAPES, 1),
    opcodes.V_BITMASK: ("i", "v", _INTEGER_SHAPES, 1),
    opcodes.V_ICMP: ("v", "vv", _INTEGER_SHAPES, len(opcodes.ICMP_NAMES)),
    opcodes.V_FCMP: ("v", "vv", _FLOAT_SHAPES, len(opcodes.FCMP_NAMES)),
    **dict.fromkeys((opcodes.V_SHL, opcodes.V_SHR_S, opcodes.V_SHR_U), ("v", "vi", _INTEGER_SHAPES, 1)),
    **dict.fromkeys((opcodes.V_ADD, opcodes.V_SUB), ("v", "vv", _INTEGER_SHAPES, 1)),
    **dict.fromkeys((opcodes.V_NEG, opcodes.V_ABS), ("v", "v", _INTEGER_SHAPES, 1)),
    opcodes.V_MUL: ("v", "vv", _FROM_16, 1),
    **dict.fromkeys(range(opcodes.V_ADD_SAT_S, opcodes.V_SUB_SAT_U + 1), ("v", "vv", _BYTES_AND_WORDS, 1)),
    **dict.fromkeys(range(opcodes.V_MIN_S, opcodes.V_MAX_U + 1), ("v", "vv", _UP_TO_32, 1)),
    opcodes.V_AVGR_U: ("v", "vv", _BYTES_AND_WORDS, 1),
    opcodes.V_POPCNT: ("v", "v", (opcodes.I8X16,), 1),
    **dict.fromkeys((opcodes.V_Q15MULR, opcodes.V_RELAXED_Q15MULR), ("v", "vv", (opcodes.I16X8,), 1)),
    opcodes.V_DOT: ("v", "vv", (opcodes.I32X4,), 1),
    opcodes.V_RELAXED_DOT: ("v", "vv", (opcodes.I16X8,), 1),
    **dict.fromkeys((opcodes.V_NARROW_S, opcodes.V_NARROW_U), ("v", "vv", _BYTES_AND_WORDS, 1)),
    **dict.fromkeys((opcodes.V_EXTEND_S, opcodes.V_EXTEND_U), ("v", "v", _FROM_16, 2)),
    **dict.fromkeys((opcodes.V_EXTMUL_S, opcodes.V_EXTMUL_U), ("v", "vv", _FROM_16, 2)),
    **dict.fromkeys((opcodes.V_EXTADD_S, opcodes.V_EXTADD_U), ("v", "v", (opcodes.I16X8, opcodes.I32X4), 1)),
    **dict.fromkeys(range(opcodes.V_FADD, opcodes.V_RELAXED_FMAX + 1), ("v", "vv", _FLOAT_SHAPES, 1)),
    **dict.fromkeys(range(opcodes.V_FABS, opcodes.V_FNEAREST + 1), ("v", "v", _FLOAT_SHAPES, 1)),
    **dict.fromkeys((opcodes.V_RELAXED_MADD, opcodes.V_RELAXED_NMADD), ("v", "vvv", _FLOAT_SHAPES, 1)),
    **dict.fromkeys(range(opcodes.V_CONVERT_S, opcodes.V_RELAXED_TRUNC_U + 1), ("v", "v", _FLOAT_SHAPES, 1)),
    **dict.fromkeys((opcodes.V_DEMOTE, opcodes.V_PROMOTE), ("v", "v", _NO_SHAPE, 1)),
}


def _is_vector_operation(inst: Inst) -> bool:
    """Whether a v_* operation has the types and the imm that its row asks for."""
    args = [arg.type for arg in inst.args]
    if inst.op == opcodes.V_SHUFFLE:
        bytes_ = inst.imm.to_bytes(16, "little") if inst.imm >> 128 == 0 else b"\xff"
        limit = 16 if inst.args[0] is inst.args[-1] else 32
        return inst.type == types.V128 and args == [types.V128] * 2 and max(bytes_) < limit and bytes_[0] < 16
    result, operands, shapes, count = VECTOR_RULES[inst.op]
    shape = inst.imm & opcodes.SHAPE_MASK
    if shape not in shapes or inst.imm >> opcodes.SHAPE_SHIFT >= (count or opcodes.SHAPE_LANES[shape]):
        return False
    kinds = {"v": types.V128, "s": opcodes.SHAPE_TYPES[shape], "i": types.I32}
    return inst.type == kinds[result] and args == [kinds[operand] for operand in operands]


#: Operation of a call -> types of the operands before the callee's parameters.
_CALL_OPERANDS: Final[dict[int, tuple[int, ...]]] = {
    opcodes.CALL: (),
    opcodes.CALL_REF: (types.POINTER,),
    opcodes.CALL_NATIVE: (types.POINTER,),
    opcodes.ENTER: (types.POINTER, types.POINTER, types.POINTER),
    opcodes.RETURN_CALL: (),
    opcodes.RETURN_CALL_REF: (types.POINTER,),
}

#: Terminators with targets.
_BRANCHES: Final = (opcodes.JUMP, opcodes.BRIF, opcodes.BR_TABLE, opcodes.INVOKE)

#: Values that are in no block: (operation, type).
_FLOATING: Final = (opcodes.CONST, opcodes.VMCTX, opcodes.MEMORY_BASE)


class _Verifier:
    def __init__(self, function: Function) -> None:
        self.function = function
        self.problems: list[str] = []
        #: Value -> position of its block, position in the block (parameters: -1).
        self.places: dict[int, tuple[int, int]] = {}
        self.positions: dict[int, int] = {block.id: i for i, block in enumerate(function.blocks)}
        #: Position of a block -> of its immediate dominator, and the interval of the dominator tree below it.
        self.idoms: list[int] = []
        #: Position of a block that ends in `invoke` -> where in it the call stands.
        self.invoking: dict[int, int] = {}
        self.first: list[int] = []
        self.last: list[int] = []

    def problem(self, where: Block | None, text: str) -> None:
        self.problems.append(f"{where}: {text}" if where is not None else text)

    def run(self) -> list[str]:
        function = self.function
        if not function.blocks:
            return ["no blocks"]
        if len(self.positions) != len(function.blocks):
            return ["a block, or its id, stands twice"]
        self.check_edges()
        if self.problems:
            return self.problems
        self.find_dominators()
        self.check_order()
        self.find_invoking()
        self.place_values()
        for position, block in enumerate(function.blocks):
            self.check_block(position, block)
        params = tuple([param.type for param in function.blocks[0].params])
        if params != function.signature.params:
            self.problem(None, "the entry block's parameters are not those of the signature")
        return self.problems

    # Control flow.

    def check_edges(self) -> None:
        incoming: dict[int, list[int]] = {block.id: [] for block in self.function.blocks}
        for block in self.function.blocks:
            terminator = block.terminator
            if terminator is None:
                self.problem(block, "no terminator")
                continue
            if not opcodes.PROPERTIES[terminator.op] & opcodes.TERMINATOR:
                self.problem(block, f"{opcodes.NAMES[terminator.op]} is no terminator")
            if isinstance(terminator, Branch) != (terminator.op in _BRANCHES):
                self.problem(block, f"{opcodes.NAMES[terminator.op]} is of the wrong class")
            for edge in block.successors():
                if edge.block.id not in incoming:
                    self.problem(block, f"branches to {edge.block}, which is not in the function")
                    continue
                incoming[edge.block.id].append(block.id)
                expected = [param.type for param in edge.block.params]
                if [arg.type for arg in edge.args] != expected:
                    self.problem(block, f"arguments {edge.args} do not fit the parameters of {edge.block}")
        for block in self.function.blocks:
            if sorted(incoming[block.id]) != sorted([predecessor.id for predecessor in block.predecessors]):
                self.problem(block, f"predecessors {block.predecessors} should be {sorted(incoming[block.id])}")
        if incoming[self.function.blocks[0].id]:
            self.problem(self.function.blocks[0], "the entry block has predecessors")

    def find_dominators(self) -> None:
        """Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm"; the order of blocks is a reverse postorder
        in all that matters: an edge that goes back goes to a dominator, which is checked afterwards."""
        blocks = self.function.blocks
        idoms = self.idoms = [-1] * len(blocks)
        idoms[0] = 0
        depths = [0] * len(blocks)
        changed = True
        while changed:
            changed = False
            for position in range(1, len(blocks)):
                known = [self.positions[predecessor.id] for predecessor in blocks[position].predecessors]
                # The deepest first, so that many predecessors in one chain are passed only once.
                known = sorted([other for other in known if idoms[other] != -1], key=depths.__getitem__, reverse=True)
                found = -1
                for other in known:
                    found = other if found == -1 else self.intersect(found, other, depths)
                if found != -1 and (idoms[position] != found or depths[position] != depths[found] + 1):
                    idoms[position] = found
                    depths[position] = depths[found] + 1
                    changed = True
        self.number_tree()

    def intersect(self, a: int, b: int, depths: list[int]) -> int:
        while a != b:
            if depths[a] >= depths[b]:
                a, b = b, a
            b = self.idoms[b]
        return a

    def number_tree(self) -> None:
        """Give every block the interval of numbers that the blocks it dominates have."""
        children: list[list[int]] = [[] for _ in self.idoms]
        for position, idom in enumerate(self.idoms):
            if position and idom >= 0:
                children[idom].append(position)
        self.first = [-1] * len(self.idoms)
        self.last = [-1] * len(self.idoms)
        number = 0
        work = [0]
        while work:
            position = work.pop()
            if position < 0:
                self.last[~position] = number
                continue
            self.first[position] = number
            number += 1
            work.append(~position)
            work.extend(children[position])

    def dominates(self, a: int, b: int) -> bool:
        return self.first[a] <= self.first[b] < self.last[a]

    def check_order(self) -> None:
        blocks = self.function.blocks
        for position, block in enumerate(blocks):
            if position and self.idoms[position] == -1:
                self.problem(block, "cannot be reached")
            elif self.idoms[position] > position:
                self.problem(block, f"stands before its dominator {blocks[self.idoms[position]]}")
        headers: set[int] = set()
        for position, block in enumerate(blocks):
            for edge in block.successors():
                target = self.positions[edge.block.id]
                if target <= position:
                    headers.add(target)
                    if not self.dominates(target, position):
                        self.problem(block, f"goes back to {edge.block}, which does not dominate it")
        for position, block in enumerate(blocks):
            if block.is_loop_header != (position in headers):
                self.problem(block, f"is_loop_header is {block.is_loop_header}")
        self.check_depths(headers)

    def check_depths(self, headers: set[int]) -> None:
        """Every block of a loop, found from its back edges, must be at least as deep as the header."""
        blocks = self.function.blocks
        if len(blocks) * len(headers) > 4_000_000:
            return  # would take too long
        for header in headers:
            depth = blocks[header].loop_depth
            if depth < 1:
                self.problem(blocks[header], "a loop header with loop_depth 0")
            body = {header}
            work = [
                self.positions[predecessor.id]
                for predecessor in blocks[header].predecessors
                if self.positions[predecessor.id] >= header
            ]
            while work:
                position = work.pop()
                if position not in body:
                    body.add(position)
                    work.extend([self.positions[predecessor.id] for predecessor in blocks[position].predecessors])
            for position in range(header, max(body) + 1):
                if blocks[position].loop_depth < depth:
                    self.problem(blocks[position], f"stands in the loop of {blocks[header]} but is less deep")
            if min(body) < header:
                self.problem(blocks[header], "its loop starts before it")

    def find_invoking(self) -> None:
        """Where the calls stand that `invoke` is about."""
        for position, block in enumerate(self.function.blocks):
            if block.terminator is not None and block.terminator.op == opcodes.INVOKE:
                number = len(block.insts) - 1
                while number >= 0 and block.insts[number].op == opcodes.RESULT:
                    number -= 1
                if number >= 0 and block.insts[number].op in (opcodes.CALL, opcodes.CALL_REF):
                    self.invoking[position] = number

    # Values.

    def place_values(self) -> None:
        ids: set[int] = set()
        for position, block in enumerate(self.function.blocks):
            for param in block.params:
                if param.op != opcodes.PARAM:
                    self.problem(block, f"{param} among the parameters is a {opcodes.NAMES[param.op]}")
                self.place(block, param, (position, -1), ids)
            for number, inst in enumerate(block.insts):
                if inst.op in _FLOATING or inst.op == opcodes.PARAM:
                    self.problem(block, f"{opcodes.NAMES[inst.op]} in the block")
                self.place(block, inst, (position, number), ids)
            if block.terminator is not None:
                self.place(block, block.terminator, (position, len(block.insts)), ids)

    def place(self, block: Block, inst: Inst, place: tuple[int, int], ids: set[int]) -> None:
        if inst.id in ids:
            self.problem(block, f"{inst} stands twice")
        if not 0 <= inst.id < self.function.value_count:
            self.problem(block, f"{inst}: the id is not below value_count")
        ids.add(inst.id)
        self.places[inst.id] = place

    def check_block(self, position: int, block: Block) -> None:
        results_of: Call | None = None
        for number, inst in enumerate(block.insts):
            if opcodes.PROPERTIES[inst.op] & opcodes.TERMINATOR:
                self.problem(block, f"{opcodes.NAMES[inst.op]} in the middle")
            for arg in inst.args:
                self.check_use(block, inst, arg, position, number)
            if inst.op == opcodes.RESULT:
                if results_of is None or inst.args != [results_of]:
                    self.problem(block, f"{inst}: a result that is not behind its call")
            else:
                results_of = inst if isinstance(inst, Call) else None
                self.check_types(block, inst)
                if isinstance(inst, Call):
                    self.check_call(block, inst, number)
        terminator = block.terminator
        assert terminator is not None
        for arg in terminator.args:
            self.check_use(block, terminator, arg, position, len(block.insts))
        for edge in block.successors():
            for arg in edge.args:
                self.check_use(block, terminator, arg, position, len(block.insts))
        self.check_terminator(block, terminator)

    def check_use(self, block: Block, user: Inst, value: Inst, position: int, number: int) -> None:
        if value.op in _FLOATING:
            if value.op == opcodes.CONST and value.imm & types.MASKS[value.type] != value.imm:
                self.problem(block, f"{user}: constant {value.imm} does not fit its type")
            return
        place = self.places.get(value.id)
        if place is None:
            self.problem(block, f"{user} ({opcodes.NAMES[user.op]}) uses {value}, which is in no block")
        elif place[0] == position:
            if place[1] >= number:
                self.problem(block, f"{user} uses {value} before it is there")
        elif place[0] in self.invoking and place[1] >= self.invoking[place[0]]:
            self.check_use_of_result(block, user, value, place[0], position)
        elif not self.dominates(place[0], position):
            self.problem(block, f"{user} uses {value} of {self.function.blocks[place[0]]}, which does not dominate it")

    def check_use_of_result(self, block: Block, user: Inst, value: Inst, invoking: int, position: int) -> None:
        """A result of a call that may land elsewhere is only there where it has returned."""
        following = self.function.blocks[invoking].successors()[0].block
        if len(following.predecessors) != 1 or not self.dominates(self.positions[following.id], position):
            self.problem(block, f"{user} uses {value} of a call that may not have returned")

    def check_invoke(self, block: Block) -> None:
        """The call in front of an invoke, and its landing pad."""
        position = self.positions[block.id]
        if position not in self.invoking:
            self.problem(block, "invoke without a call in front of it")
        following, pad = [edge.block for edge in block.successors()]
        if pad.params or pad is following:
            self.problem(block, f"{pad} cannot be a landing pad")
        for predecessor in pad.predecessors:
            terminator = predecessor.terminator
            if terminator is None or terminator.op != opcodes.INVOKE or predecessor.successors()[0].block is pad:
                self.problem(block, f"{predecessor} goes to {pad}, which is a landing pad")

    def check_types(self, block: Block, inst: Inst) -> None:
        if isinstance(inst, Call):
            return
        rule = _RULES.get(inst.op)
        name = opcodes.NAMES[inst.op]
        if opcodes.V_SPLAT <= inst.op <= opcodes.V_PROMOTE:
            if not _is_vector_operation(inst):
                self.problem(block, f"{inst} = {name} with imm {inst.imm:#x} does not fit its operands")
            return
        if rule is None:
            if not opcodes.PROPERTIES[inst.op] & opcodes.TERMINATOR:
                self.problem(block, f"{inst}: {name} cannot stand here")
            return
        count, satisfied = rule
        args = [arg.type for arg in inst.args]
        if len(args) != count or not satisfied(inst.type, args):
            operands = ", ".join([types.NAMES[arg] for arg in args])
            self.problem(block, f"{inst} = {name}.{types.NAMES[inst.type]} has operands of {operands or 'nothing'}")

    def check_call(self, block: Block, call: Call, number: int) -> None:
        before = _CALL_OPERANDS[call.op]
        if tuple([arg.type for arg in call.args]) != before + call.signature.params:
            self.problem(block, f"{call}: operands do not fit the signature {call.signature}")
        expected = call.signature.results
        if call.op == opcodes.ENTER:
            expected = (types.I32, *expected)
        if call.type != (expected[0] if expected else types.VOID):
            self.problem(block, f"{call}: its type is not that of result 0")
        if tuple([result.type for result in call.results]) != expected[1:]:
            self.problem(block, f"{call}: results do not fit the signature {call.signature}")
        if block.insts[number + 1 : number + 1 + len(call.results)] != call.results:
            self.problem(block, f"{call}: its results do not stand behind it")
        if [result.imm for result in call.results] != list(range(1, len(call.results) + 1)):
            self.problem(block, f"{call}: its results are not numbered in order")

    def check_terminator(self, block: Block, terminator: Inst) -> None:
        op = terminator.op
        args = tuple([arg.type for arg in terminator.args])
        targets = len(block.successors())
        if op == opcodes.RETURN:
            fits = args == self.function.signature.results
        elif op == opcodes.JUMP:
            fits = args == () and targets == 1
        elif op == opcodes.BRIF:
            fits = args == (types.I32,) and targets == 2
        elif op == opcodes.BR_TABLE:
            fits = args == (types.I32,) and targets >= 1
        elif op == opcodes.UNWIND:
            fits = args == (types.I32,)
        elif op == opcodes.INVOKE:
            fits = args == () and targets == 2
            self.check_invoke(block)
        elif op in (opcodes.RETURN_CALL, opcodes.RETURN_CALL_REF):
            fits = (
                isinstance(terminator, Call)
                and args == _CALL_OPERANDS[op] + terminator.signature.params
                and terminator.signature.results == self.function.signature.results
                and terminator.type == types.VOID
                and not terminator.results
            )
        else:
            fits = args == ()
        if not fits:
            self.problem(block, f"{opcodes.NAMES[op]} has the wrong operands or targets")
