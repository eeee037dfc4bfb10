"""Random machine functions for tests of the register allocator: structured control flow on a toy machine."""

from __future__ import annotations

import random

from wasm_ir import opcodes, types
from wasm_ir.codegen.machinst import FIRST_VREG, IN_ARG, OUT_ARG, MBlock, MEdge, MFixed, MFunction, MInst, MOp
from wasm_ir.codegen.registers import RegisterSet
from wasm_ir.ir import Inst

INT_SCRATCH = 11
FLOAT_SCRATCH = 31
PINNED = 15
FIRST_FLOAT = 16


def toy_registers(ints: int, floats: int, callee_saved_ints: int, callee_saved_floats: int = 0) -> RegisterSet:
    """Integer registers 0.. and float registers 16.., the last ones of each class callee-saved."""
    int_registers = tuple(range(ints))
    float_registers = tuple(range(FIRST_FLOAT, FIRST_FLOAT + floats))
    callee_saved = 0
    for register in int_registers[ints - callee_saved_ints :] + float_registers[floats - callee_saved_floats :]:
        callee_saved |= 1 << register
    everything = 0
    for register in int_registers + float_registers:
        everything |= 1 << register
    return RegisterSet(
        names=tuple(f"r{n}" for n in range(16)) + tuple(f"f{n}" for n in range(16)),
        allocatable=(int_registers, float_registers),
        scratch=(INT_SCRATCH, FLOAT_SCRATCH),
        callee_saved=callee_saved,
        caller_saved=everything & ~callee_saved,
    )


CONST = MOp("const")
PLAIN = MOp("plain")
PLAIN_STACK = MOp("plain", stack_use=0)
TIED = MOp("tied", tied=True)
TIED_STACK = MOp("tied", tied=True, stack_use=1)
COMMUTATIVE = MOp("commutative", tied=True, commutative=True)
COMMUTATIVE_STACK = MOp("commutative", tied=True, commutative=True, stack_use=1)
LATE = MOp("late", late=True)
LATE_STACK = MOp("late", late=True, stack_use=1)
TEMPS = MOp("temps", temps=1)
TIED_TEMPS = MOp("tied", tied=True, temps=1)
LATE_TEMPS = MOp("late", late=True, temps=1)
COPY = MOp("copy", is_move=True)
STORE = MOp("store")
STORE_STACK = MOp("store", stack_use=1)
CALL = MOp("call")
INVOKE = MOp("invoke", lands=True)
DIVIDE = MOp("divide", late=True)
FIXED = MOp("fixed")
ENTRY = MOp("entry")
JUMP = MOp("jump", is_jump=True)
BRIF = MOp("brif")
BRIF_STACK = MOp("brif", stack_use=1)
BR_TABLE = MOp("br_table", temps=1)
RETURN = MOp("return")
TRAP = MOp("trap")

#: (operation, number of uses, number of results without temporaries)
SHAPES = [
    (CONST, 0, 1),
    (PLAIN, 1, 1),
    (PLAIN, 2, 1),
    (PLAIN, 3, 1),
    (PLAIN, 2, 2),
    (PLAIN_STACK, 1, 1),
    (PLAIN_STACK, 2, 1),
    (TIED, 1, 1),
    (TIED, 2, 1),
    (TIED, 3, 1),
    (TIED_STACK, 2, 1),
    (TIED_STACK, 3, 1),
    (COMMUTATIVE, 2, 1),
    (COMMUTATIVE, 3, 1),
    (COMMUTATIVE_STACK, 2, 1),
    (LATE, 1, 1),
    (LATE, 2, 1),
    (LATE_STACK, 2, 1),
    (TEMPS, 1, 1),
    (TEMPS, 2, 1),
    (TEMPS, 2, 0),
    (TIED_TEMPS, 1, 1),
    (TIED_TEMPS, 2, 1),
    (LATE_TEMPS, 1, 1),
    (COPY, 1, 1),
    (COPY, 1, 1),
    (STORE, 1, 0),
    (STORE, 2, 0),
    (STORE, 3, 0),
    (STORE_STACK, 2, 0),
]

_TYPES = (types.I32, types.I64, types.I64, types.F32, types.F64)
_TYPES_WITH_VECTORS = (types.I32, types.I64, types.F64, types.V128, types.V128)


class Generator:
    """Makes one function. `size` is about the number of instructions, `pressure` how far back operands reach."""

    def __init__(self, seed: int, size: int, registers: RegisterSet, split_critical_edges: bool = True) -> None:
        self.rng = random.Random(seed)
        self.registers = registers
        self.machine = MFunction(f"seed{seed}")
        self.machine.jump = JUMP
        self.left = size
        self.types = _TYPES_WITH_VECTORS if seed % 3 == 2 else _TYPES
        self.pressure = self.rng.choice((2, 4, 8, 20))
        self.call_share = self.rng.choice((0.0, 0.05, 0.2))
        self.fixed_share = self.rng.choice((0.0, 0.05, 0.2))
        self.split_critical_edges = split_critical_edges
        #: Values in scope, per class, in order of definition.
        self.scope: tuple[list[int], list[int]] = ([], [])
        self.block = MBlock(0)
        self.loop_depth = 0
        #: Where branches out of (or back to) enclosing constructs may go.
        self.exits: list[MBlock] = []

    # Pieces.

    def constant(self, value_type: int) -> Inst:
        return Inst(opcodes.CONST, value_type, [], self.rng.randint(0, 3), 0, 0)

    def vreg(self, value_type: int) -> int:
        return self.machine.new_vreg(value_type)

    def declare(self, vreg: int) -> None:
        self.scope[types.CLASS[self.type_of(vreg)]].append(vreg)

    def type_of(self, vreg: int) -> int:
        return self.machine.vreg_types[vreg - FIRST_VREG] if vreg >= FIRST_VREG else types.I64

    def pick(self, register_class: int) -> int:
        """A value in scope."""
        scope = self.scope[register_class]
        if not scope:
            vreg = self.vreg(types.I64 if register_class == types.INT_CLASS else types.F64)
            self.add(MInst(CONST, [vreg], [], 0))
            self.declare(vreg)
            return vreg
        rng = self.rng
        if register_class == types.INT_CLASS and rng.random() < 0.03:
            return PINNED
        if rng.random() < 0.2:
            # Far away; in large functions one of the first, or everything would stay live for ever.
            return scope[rng.randrange(min(len(scope), 100))]
        return scope[-rng.randint(1, min(len(scope), self.pressure))]

    def pick_typed(self, value_type: int) -> int | Inst:
        """A value of a type, or a constant when there is none."""
        register_class = types.CLASS[value_type]
        if self.rng.random() > 0.15:
            for _ in range(3):
                vreg = self.pick(register_class)
                if self.type_of(vreg) == value_type:
                    return vreg
        return self.constant(value_type)

    def add(self, inst: MInst) -> None:
        self.block.insts.append(inst)
        self.left -= 1

    def new_block(self) -> MBlock:
        return MBlock(-1)

    def place(self, block: MBlock) -> None:
        """Make it the next block."""
        block.id = len(self.machine.blocks)
        block.loop_depth = self.loop_depth
        self.machine.blocks.append(block)

    def switch_to(self, block: MBlock) -> None:
        self.place(block)
        self.block = block
        for param in block.params:
            self.declare(param)

    def edge(self, target: MBlock, args: list[int | Inst]) -> None:
        self.block.edges.append(MEdge(target, args))
        target.predecessors.append(self.block)

    def args_for(self, target: MBlock) -> list[int | Inst]:
        return [self.pick_typed(self.type_of(param)) for param in target.params]

    def params(self, limit: int) -> list[int]:
        return [self.vreg(self.rng.choice(self.types)) for _ in range(self.rng.randint(0, limit))]

    def jump(self, target: MBlock, args: list[int | Inst] | None = None) -> None:
        args = self.args_for(target) if args is None else args
        self.add(MInst(JUMP, [], [], 0))
        self.edge(target, args)

    def split(self, target: MBlock) -> MBlock:
        """A block of its own on an edge from a branch, to carry arguments; placed behind the branch."""
        block = self.new_block()
        self.edge(block, [])
        return block

    def finish_split(self, block: MBlock, target: MBlock, args: list[int | Inst]) -> None:
        self.place(block)
        block.insts.append(MInst(JUMP, [], [], 0))
        block.edges.append(MEdge(target, args))
        target.predecessors.append(block)

    def branch_use(self) -> None:
        rng = self.rng
        uses = [self.pick(rng.choice((0, 0, 1))) for _ in range(rng.randint(1, 2))]
        operation = BRIF_STACK if len(uses) == 2 and rng.random() < 0.4 else BRIF
        self.add(MInst(operation, [], uses, 0))

    # Instructions.

    def fits(self, operation: MOp, uses: list[int], results: list[int]) -> bool:
        """Whether the toy machine has registers enough for the instruction on its own."""
        for register_class in (0, 1):
            used = {v for v in uses if v >= FIRST_VREG and types.CLASS[self.type_of(v)] == register_class}
            made = [v for v in results if types.CLASS[self.type_of(v)] == register_class]
            if len(used) + len(made) > len(self.registers.allocatable[register_class]):
                return False
        return True

    def ordinary(self) -> None:
        rng = self.rng
        operation, use_count, result_count = rng.choice(SHAPES)
        if operation is COPY:
            source = self.pick(rng.choice((0, 0, 1)))
            copy = self.vreg(self.type_of(source))
            self.add(MInst(COPY, [copy], [source], 0))
            self.declare(copy)
            return
        uses = [self.pick(rng.choice((0, 0, 1))) for _ in range(use_count)]
        results: list[int] = []
        for index in range(result_count):
            if index == 0 and operation.tied:
                results.append(self.vreg(self.type_of(uses[0])))
            else:
                results.append(self.vreg(rng.choice(self.types)))
        if operation.commutative:
            same = types.CLASS[self.type_of(uses[0])]
            uses[1] = self.pick(same)
        temps = [self.vreg(rng.choice(self.types)) for _ in range(operation.temps)]
        if not self.fits(operation, uses, results + temps):
            return
        self.add(MInst(operation, results + temps, uses, 0))
        for vreg in results:
            self.declare(vreg)

    def places(self, count: int, words: int) -> list[tuple[int, int]]:
        """(location, type) for arguments or results: registers first, then stack words."""
        rng = self.rng
        free = (
            rng.sample(self.registers.allocatable[0], len(self.registers.allocatable[0])),
            rng.sample(self.registers.allocatable[1], len(self.registers.allocatable[1])),
        )
        if rng.random() < 0.7:
            free = (sorted(free[0], reverse=True), sorted(free[1], reverse=True))
        result: list[tuple[int, int]] = []
        word = 0
        for _ in range(count):
            value_type = rng.choice(self.types)
            registers = free[types.CLASS[value_type]]
            if registers and (word >= words or rng.random() < 0.8):
                result.append((registers.pop(), value_type))
            elif word < words and value_type == types.V128:
                word += word & 1
                result.append((OUT_ARG - word, value_type))
                word += 2
            elif word < words:
                result.append((OUT_ARG - word, value_type))
                word += 1
        self.machine.outgoing_words = max(self.machine.outgoing_words, word)
        return result

    def call(self, lands: bool = False) -> None:
        rng = self.rng
        caller_saved = self.registers.caller_saved
        fixed_uses = [(self.pick_typed(t), place) for place, t in self.places(rng.randint(0, 5), 2)]
        fixed_defs = [
            (self.vreg(t), place)
            for place, t in self.places(rng.randint(0, 3), 2)
            if place < 0 or caller_saved >> place & 1
        ]
        operation = INVOKE if lands else CALL
        self.add(MFixed(operation, [], [], 0, fixed_uses, fixed_defs, caller_saved))
        for vreg, _ in fixed_defs:
            if rng.random() < 0.8:
                self.declare(vreg)

    def fixed(self) -> None:
        """Something like a division or a shift: a few fixed registers and perhaps an ordinary use."""
        rng = self.rng
        late = rng.random() < 0.5
        available = len(self.registers.allocatable[0])
        uses = [self.pick(rng.choice((0, 1)))] if rng.random() < 0.6 else []
        registers = rng.sample(self.registers.allocatable[0], min(available - 1, rng.randint(1, 2)))
        fixed_uses = [
            (self.pick(0) if rng.random() < 0.9 else self.constant(types.I64), register)
            for register in registers
            if rng.random() < 0.8
        ]
        defined = [register for register in registers if rng.random() < 0.5]
        clobbers = 0
        for register in registers:
            if register not in defined and rng.random() < 0.7:
                clobbers |= 1 << register
        fixed_defs = [(self.vreg(rng.choice((types.I32, types.I64))), register) for register in defined]
        self.add(MFixed(DIVIDE if late else FIXED, [], uses, 0, fixed_uses, fixed_defs, clobbers))
        for vreg, _ in fixed_defs:
            self.declare(vreg)

    def instruction(self) -> None:
        chance = self.rng.random()
        if chance < self.call_share:
            self.call()
        elif chance < self.call_share + self.fixed_share:
            self.fixed()
        else:
            self.ordinary()

    # Control flow.

    def body(self, depth: int) -> bool:
        """Statements in the current block and further ones. False when the end cannot be reached."""
        rng = self.rng
        for _ in range(rng.randint(1, 6)):
            chance = rng.random()
            if self.left <= 0:
                break
            if depth < 5 and chance < 0.22:
                self.if_else(depth)
            elif depth < 5 and chance < 0.38:
                self.loop(depth)
            elif depth < 5 and chance < 0.45:
                self.table(depth)
            elif depth < 5 and chance < 0.55:
                self.block_with_exits(depth)
            elif self.exits and chance < 0.6:
                self.branch_out()
            elif depth and chance < 0.62:
                self.end()
                return False
            elif depth < 5 and chance < 0.7:
                self.try_(depth)
            else:
                for _ in range(rng.randint(1, 8)):
                    self.instruction()
        return True

    def try_(self, depth: int) -> None:
        """Calls that land, which share a landing pad or do not, and code between them."""
        after = self.new_block()
        after.params = self.params(2)
        saved = self.save_scope()
        pads: list[tuple[MBlock, tuple[int, int]]] = []
        for _ in range(self.rng.randint(1, 4)):
            for _ in range(self.rng.randint(0, 4)):
                self.instruction()
            if not pads or self.rng.random() < 0.4:
                pads.append((self.new_block(), self.save_scope()))
            following = self.new_block()
            self.call(lands=True)
            self.block.lands = True
            self.add(MInst(JUMP, [], [], 0))
            self.edge(following, [])
            self.edge(pads[-1][0], [])
            self.switch_to(following)
        try:
            if self.rng.random() < 0.3 and not self.body(depth + 1):
                pass
            else:
                self.jump(after)
        except Unreachable:
            pass
        for pad, scope in reversed(pads):
            self.restore_scope(scope)
            self.switch_to(pad)
            for _ in range(self.rng.randint(0, 6)):
                self.instruction()
            self.jump(after)
        self.restore_scope(saved)
        self.switch_to(after)

    def save_scope(self) -> tuple[int, int]:
        return len(self.scope[0]), len(self.scope[1])

    def restore_scope(self, saved: tuple[int, int]) -> None:
        del self.scope[0][saved[0] :]
        del self.scope[1][saved[1] :]

    def branch_out(self) -> None:
        """A conditional branch to an enclosing construct's end or loop's header."""
        target = self.rng.choice(self.exits)
        go_on = self.new_block()
        args = self.args_for(target)
        self.branch_use()
        if args or self.split_critical_edges:
            split = self.split(target)
            self.edge(go_on, [])
            self.finish_split(split, target, args)
        else:
            self.edge(target, [])
            self.edge(go_on, [])
        self.switch_to(go_on)

    def block_with_exits(self, depth: int) -> None:
        end = self.new_block()
        end.params = self.params(3)
        saved = self.save_scope()
        self.exits.append(end)
        reached = self.reach(depth)
        self.exits.pop()
        if not reached and not end.predecessors:
            raise Unreachable
        if reached:
            self.jump(end)
        self.restore_scope(saved)
        self.switch_to(end)

    def if_else(self, depth: int) -> None:
        then, otherwise, end = self.new_block(), self.new_block(), self.new_block()
        end.params = self.params(3)
        one_armed = self.rng.random() < 0.3
        args = self.args_for(end) if one_armed else []
        saved = self.save_scope()
        self.branch_use()
        if one_armed and not args and not self.split_critical_edges:
            self.edge(then, [])
            self.edge(end, [])
        else:
            self.edge(then, [])
            self.edge(otherwise, [])
        self.switch_to(then)
        if self.reach(depth):
            self.jump(end)
        self.restore_scope(saved)
        if one_armed:
            if otherwise.predecessors:
                self.finish_split(otherwise, end, args)
        else:
            self.switch_to(otherwise)
            if self.reach(depth):
                self.jump(end)
            self.restore_scope(saved)
        if not end.predecessors:
            raise Unreachable
        self.switch_to(end)

    def reach(self, depth: int) -> bool:
        """A nested body; whether its end is reached."""
        try:
            return self.body(depth + 1)
        except Unreachable:
            return False

    def loop(self, depth: int) -> None:
        header = self.new_block()
        header.params = self.params(4)
        saved = self.save_scope()
        self.jump(header)
        self.loop_depth += 1
        header.is_loop_header = True
        self.switch_to(header)
        self.exits.append(header)
        inner_saved = self.save_scope()
        reached = self.reach(depth)
        self.exits.pop()
        if not reached and len(header.predecessors) == 1:
            header.is_loop_header = False
        if not reached:
            self.loop_depth -= 1
            self.restore_scope(saved)
            raise Unreachable
        # Back to the header, or on.
        out = self.new_block()
        if self.rng.random() < 0.1:
            self.restore_scope(inner_saved)
        args = self.args_for(header)
        self.branch_use()
        back: MBlock | None = None
        if args or self.split_critical_edges:
            back = self.split(header)
            self.edge(out, [])
            self.finish_split(back, header, args)
        else:
            self.edge(header, [])
            self.edge(out, [])
        self.loop_depth -= 1
        if self.rng.random() < 0.5:
            self.restore_scope(inner_saved)
        self.switch_to(out)

    def table(self, depth: int) -> None:
        """A branch table whose arms meet again."""
        arms = [self.new_block() for _ in range(self.rng.randint(2, 4))]
        end = self.new_block()
        end.params = self.params(2)
        saved = self.save_scope()
        index = self.pick(0)
        self.add(MInst(BR_TABLE, [self.vreg(types.I64)], [index], 0))
        for arm in arms:
            self.edge(arm, [])
        if not self.split_critical_edges and self.rng.random() < 0.3:
            self.edge(arms[0], [])
        for arm in arms:
            self.switch_to(arm)
            if self.reach(depth):
                self.jump(end)
            self.restore_scope(saved)
        if not end.predecessors:
            raise Unreachable
        self.switch_to(end)

    def end(self) -> None:
        """Leave the function."""
        rng = self.rng
        if rng.random() < 0.3:
            self.add(MInst(TRAP, [], [], 0))
            return
        to_incoming = IN_ARG - OUT_ARG
        fixed_uses = [
            (self.pick_typed(t), place if place >= 0 else place + to_incoming)
            for place, t in self.places(rng.randint(0, 4), 3)
        ]
        self.add(MFixed(RETURN, [], [], 0, fixed_uses, [], 0))

    def run(self) -> MFunction:
        entry = self.new_block()
        self.switch_to(entry)
        to_incoming = IN_ARG - OUT_ARG
        fixed_defs = [
            (self.vreg(t), place if place >= 0 else place + to_incoming)
            for place, t in self.places(self.rng.randint(0, 6), 3)
        ]
        self.machine.outgoing_words = 0
        self.add(MFixed(ENTRY, [], [], 0, [], fixed_defs, 0))
        for vreg, _ in fixed_defs:
            self.declare(vreg)
        try:
            while self.left > 0:
                self.body(0)
            self.end()
        except Unreachable:
            pass
        return self.machine


class Unreachable(Exception):
    """The rest of a body cannot be reached."""


def generate(seed: int, size: int, registers: RegisterSet, split_critical_edges: bool = True) -> MFunction:
    """A function of about `size` instructions."""
    return Generator(seed, size, registers, split_critical_edges).run()
