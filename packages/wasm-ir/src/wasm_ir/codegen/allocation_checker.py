"""Proof that a register allocation is right, by symbolic execution of the allocated code.

Independent of how the allocator works: forward data flow finds, for every point, which virtual registers' values each
location holds on all paths; every operand must find its value where the allocator says it is. The method is that of
Rideau and Leroy, "Validating Register Allocation and Spilling" (CC 2010).
"""

from __future__ import annotations

from collections import deque

from wasm_ir import types
from wasm_ir.codegen.linear_scan import Allocation
from wasm_ir.codegen.machine_printer import format_inst, format_place
from wasm_ir.codegen.machinst import FIRST_VREG, IN_ARG, OUT_ARG, MBlock, MFixed, MFunction, MInst
from wasm_ir.codegen.parallel_move import LOAD_CONSTANT, MOVE, MConstant
from wasm_ir.codegen.registers import RegisterSet
from wasm_ir.ir import Inst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: What a location may hold: a virtual register's value, or the initial value of a register that is never allocated
#: (both as themselves); a constant, as (IR type, bits); the lower half of one of the former, as (_LOWER_HALF, which).
_Value = int | tuple[int, int]
_LOWER_HALF: Final = -1
#: By location, the names of the one value that it is known to hold.
_State = dict[int, frozenset[_Value]]

_NOTHING: frozenset[_Value] = frozenset()


class AllocationError(Exception):
    """An allocated function does not compute what the function did before allocation."""


class _Operands:
    """Operands of an instruction before allocation."""

    __slots__ = ("defs", "fixed_defs", "fixed_uses", "inst", "uses")

    def __init__(self, inst: MInst) -> None:
        self.inst = inst
        self.defs = list(inst.defs)
        self.uses = list(inst.uses)
        self.fixed_uses: list[tuple[int | Inst, int]] = []
        self.fixed_defs: list[tuple[int, int]] = []
        if isinstance(inst, MFixed):
            self.fixed_uses = list(inst.fixed_uses)
            self.fixed_defs = list(inst.fixed_defs)


class Snapshot:
    """What a function's operands were before allocation."""

    __slots__ = ("blocks", "edges", "insts", "params", "vreg_types")

    def __init__(self, machine: MFunction) -> None:
        self.vreg_types = list(machine.vreg_types)
        self.blocks = list(machine.blocks)
        # The following by id() of the block: numbers may change when blocks are added.
        self.params = {id(block): list(block.params) for block in machine.blocks}
        self.insts = {id(block): [_Operands(inst) for inst in block.insts] for block in machine.blocks}
        #: Targets and arguments.
        self.edges = {id(block): [(edge.block, list(edge.args)) for edge in block.edges] for block in machine.blocks}


def snapshot(machine: MFunction) -> Snapshot:
    """Remember a function's operands; call it before `allocate`."""
    return Snapshot(machine)


def check(machine: MFunction, before: Snapshot, allocation: Allocation, registers: RegisterSet) -> None:
    """Check an allocated function against its snapshot.

    Raises AllocationError, with the place and the reason, when the allocation is wrong.
    """
    _Checker(machine, before, allocation, registers).run()


class _Checker:
    def __init__(self, machine: MFunction, before: Snapshot, allocation: Allocation, registers: RegisterSet) -> None:
        self.machine = machine
        self.before = before
        self.allocation = allocation
        self.registers = registers
        self.allocatable = (frozenset(registers.allocatable[0]), frozenset(registers.allocatable[1]))
        self.all_allocatable = self.allocatable[0] | self.allocatable[1]
        self.saved = frozenset(allocation.saved_registers)
        #: By block id: values known at its start, when it has been reached.
        self.starts: dict[int, _State] = {}
        #: Whether uses are checked (the states are final) or only states computed.
        self.verify = False
        #: What is known when the call of the block at hand comes back at its landing pad.
        self.thrown: _State = {}
        self.block: MBlock = machine.blocks[0]
        self.inst: MInst | None = None
        #: Values known at the start of the block at hand: only these can be stale when they are defined again.
        self.inherited: set[_Value] = set()

    def run(self) -> None:
        blocks = self.machine.blocks
        if [block for block in blocks if id(block) in self.before.insts] != self.before.blocks:
            raise AllocationError("blocks have disappeared or changed places")
        if any(block.id != number for number, block in enumerate(blocks)):
            raise AllocationError("block ids are not their positions")
        if self.allocation.saved_registers != sorted(self.saved):
            raise AllocationError("saved registers are not in ascending order")
        self.starts[0] = {
            register: frozenset((register,))
            for register in range(FIRST_VREG)
            if register not in self.all_allocatable and register not in self.registers.scratch
        }
        work = deque([0])
        queued = {0}
        while work:
            number = work.popleft()
            queued.discard(number)
            block = blocks[number]
            self.thrown = {}
            end = self.run_block(block, dict(self.starts[number]))
            for index, (target, args) in enumerate(self.edges_of(block)):
                params = self.before.params.get(id(target), [])
                state = end
                if block.lands and index:
                    state = self.thrown
                if self.flow(target.id, self.along_edge(state, args, params)) and target.id not in queued:
                    queued.add(target.id)
                    work.append(target.id)
        self.verify = True
        for block in blocks:
            if block.id in self.starts:
                self.run_block(block, dict(self.starts[block.id]))

    def edges_of(self, block: MBlock) -> list[tuple[MBlock, list[int | Inst]]]:
        """Targets and arguments, after having made sure that the block still leads where it did."""
        edges = self.before.edges.get(id(block))
        self.block = block
        if edges is None:
            if len(block.edges) != 1:
                self.fail("an added block with several ways out")
            return [(block.edges[0].block, [])]
        if len(edges) != len(block.edges):
            self.fail("the number of edges has changed")
        result: list[tuple[MBlock, list[int | Inst]]] = []
        for edge, (target, args) in zip(block.edges, edges):
            now = edge.block
            if now is not target and (id(now) in self.before.edges or now.edges[0].block is not target or args):
                self.fail("an edge leads elsewhere")
            result.append((now, args))
        return result

    def flow(self, target: int, incoming: _State) -> bool:
        """Meet a state with what is known at the start of a block; whether that changed."""
        known = self.starts.get(target)
        if known is None:
            self.starts[target] = incoming
            return True
        met: _State = {}
        for location, values in known.items():
            common = values & incoming.get(location, _NOTHING)
            if common:
                met[location] = common
        if met == known:
            return False
        self.starts[target] = met
        return True

    def along_edge(self, state: _State, args: list[int | Inst], params: list[int]) -> _State:
        """The state after parameters, all at once, have become other names of their arguments."""
        if not params:
            return dict(state)
        if len(args) != len(params):
            self.fail("arguments and parameters do not match")
        gone: set[_Value] = set(params)
        gone.update((_LOWER_HALF, param) for param in params)
        names: dict[_Value, list[int]] = {}
        for arg, param in zip(args, params):
            names.setdefault(_value(arg), []).append(param)
            if isinstance(arg, int) and self.type_of(param) == types.I32:
                names.setdefault((_LOWER_HALF, arg), []).append(param)
        result: _State = {}
        for location, values in state.items():
            new: set[_Value] = set(values - gone)
            for value in values:
                new.update(names.get(value, ()))
            if new:
                result[location] = frozenset(new)
        return result

    # Instructions.

    def run_block(self, block: MBlock, state: _State) -> _State:
        self.block = block
        self.inherited = set().union(*state.values())
        originals = self.before.insts.get(id(block), [])
        position = 0
        index_of = {id(operands.inst): index for index, operands in enumerate(originals)}
        for inst in block.insts:
            self.inst = inst
            index = index_of.get(id(inst))
            if index is None and inst is block.insts[-1] and not originals and inst.op.is_jump:
                continue
            if index is None:
                self.inserted(inst, state)
                continue
            if index < position:
                self.fail("instructions are out of order")
            for skipped in originals[position:index]:
                self.dropped(skipped, state)
            self.inst = inst
            self.original(originals[index], state)
            position = index + 1
        for skipped in originals[position:]:
            self.dropped(skipped, state)
        self.inst = None
        return state

    def inserted(self, inst: MInst, state: _State) -> None:
        """A move or constant that the allocator put in."""
        if inst.op is LOAD_CONSTANT:
            assert isinstance(inst, MConstant)
            (destination,) = inst.defs
            constant = inst.constant
            if destination < 0:
                state.pop(self.registers.scratch[types.CLASS[constant.type]], None)
            else:
                self.check_class(destination, constant.type)
            self.write(state, destination, frozenset(((constant.type, constant.imm),)))
            return
        if inst.op is not MOVE:
            self.fail("an instruction that is not from the function")
        (destination,) = inst.defs
        (source,) = inst.uses
        if destination < 0 and source < 0:
            self.fail("a move from memory to memory")
        for place in (destination, source):
            if place >= 0:
                self.check_class(place, inst.imm)
        bits = types.BITS[inst.imm]
        values = state.get(source, _NOTHING)
        if bits == 32:
            values = frozenset(
                (_LOWER_HALF, value) if isinstance(value, int) and types.BITS[self.type_of(value)] > 32 else value
                for value in values
            )
        self.write(state, destination, values)

    def dropped(self, operands: _Operands, state: _State) -> None:
        """An original instruction that is not there any more."""
        self.inst = operands.inst
        if not operands.inst.op.is_move:
            self.fail("an instruction has disappeared")
        self.rename(operands, state)

    def rename(self, operands: _Operands, state: _State) -> None:
        """A move of the original function: from here on its result is another name of its operand."""
        (new,) = operands.defs
        (old,) = operands.uses
        self.forget(state, new)
        same_size = self.type_of(new) == self.type_of(old)
        for location, values in state.items():
            # Between types of different sizes only whole registers are the same.
            if old in values and (same_size or location >= 0):
                state[location] = values | {new}

    def original(self, operands: _Operands, state: _State) -> None:
        inst = operands.inst
        op = inst.op
        defs = inst.defs
        uses = inst.uses
        if len(defs) != len(operands.defs) or len(uses) != len(operands.uses):
            self.fail("the number of operands has changed")
        fixed_use_places = [place for _, place in operands.fixed_uses]
        fixed_def_places = [place for _, place in operands.fixed_defs]
        clobbers = inst.clobbers if isinstance(inst, MFixed) else 0

        if self.verify:
            for value, place in operands.fixed_uses:
                self.check_holds(state, place, value)
            for index, (value, place) in enumerate(zip(operands.uses, uses)):
                self.check_use(state, value, place, index == op.stack_use)
                if place in fixed_use_places:
                    self.fail(f"use {index} is in the place of a fixed use")
            self.check_conflicts(operands, fixed_def_places, clobbers)

        copied = state.get(uses[0], _NOTHING) if op.is_move else _NOTHING
        if op.is_move:
            self.rename(operands, state)
        if isinstance(inst, MFixed):
            for location in [place for place in state if IN_ARG < place <= OUT_ARG]:
                # A callee owns the words of its arguments.
                del state[location]
            for register in range(FIRST_VREG):
                if clobbers >> register & 1:
                    self.write(state, register, _NOTHING)
        for register in self.registers.scratch:
            state.pop(register, None)
        if op.lands:
            for register in self.all_allocatable - self.saved:
                if self.registers.callee_saved >> register & 1:
                    self.fail(f"lands with {self.name(register)} destroyed, which is callee-saved and not reported")
            self.thrown = {place: held for place, held in state.items() if place not in self.all_allocatable}
        for vreg, place in operands.fixed_defs:
            self.forget(state, vreg)
            self.write(state, place, frozenset((vreg,)))
        first_temp = len(defs) - op.temps
        for index, (vreg, place) in enumerate(zip(operands.defs, defs)):
            self.forget(state, vreg) if not op.is_move else None
            if index < first_temp:
                if op.is_move and self.type_of(vreg) != self.type_of(operands.uses[0]):
                    copied = _NOTHING
                self.write(state, place, copied | {vreg})
            else:
                self.write(state, place, _NOTHING)

    def check_conflicts(self, operands: _Operands, fixed_def_places: list[int], clobbers: int) -> None:
        """Which operands of one instruction may share a register."""
        inst = operands.inst
        op = inst.op
        defs = inst.defs
        uses = inst.uses
        for vreg, place in zip(operands.defs, defs):
            if vreg < FIRST_VREG:
                if place != vreg:
                    self.fail("a physical register has been replaced")
            elif place not in self.allocatable[types.CLASS[self.type_of(vreg)]]:
                self.fail(f"result in {self.name(place)}, which is not an allocatable register of its class")
            if place in fixed_def_places or (place >= 0 and clobbers >> place & 1):
                self.fail(f"result in {self.name(place)}, which the instruction destroys")
        if len({*defs, *fixed_def_places}) != len(defs) + len(fixed_def_places):
            self.fail("two results in the same place")
        if inst.op.late:
            for place in uses:
                if place in defs:
                    self.fail(f"late use in {self.name(place)}, which a result shares")
                if place in fixed_def_places or (place >= 0 and clobbers >> place & 1):
                    self.fail(f"late use in {self.name(place)}, which the instruction destroys")
        for place in defs[len(defs) - op.temps :]:
            if place in uses:
                self.fail(f"temporary in {self.name(place)}, which a use shares")
        if op.tied and defs[0] != uses[0]:
            for index in range(2 if op.commutative else 1, len(uses)):
                if uses[index] == defs[0] and operands.uses[index] != operands.uses[0]:
                    self.fail(f"use {index} is overwritten by the move of the tied operand")

    def check_use(self, state: _State, value: int, place: int, may_be_memory: bool) -> None:
        if value < FIRST_VREG:
            if place != value:
                self.fail("a physical register has been replaced")
        elif place < 0:
            if not may_be_memory:
                self.fail(f"{self.name(value)} is in memory ({self.name(place)})")
        elif place not in self.allocatable[types.CLASS[self.type_of(value)]]:
            self.fail(f"{self.name(value)} in {self.name(place)}, which is not an allocatable register of its class")
        self.check_holds(state, place, value)

    def check_holds(self, state: _State, place: int, value: int | Inst) -> None:
        held = state.get(place, _NOTHING)
        if _value(value) not in held:
            found = ", ".join(self.value_name(other) for other in held) or "nothing known"
            self.fail(f"{self.name(place)} should hold {self.name(value)}, but holds {found}")

    def check_class(self, register: int, value_type: int) -> None:
        """Whether a moved value and a register of known class fit."""
        register_class = types.CLASS[value_type]
        if register in self.allocatable[1 - register_class] or register == self.registers.scratch[1 - register_class]:
            self.fail(f"a move of type {types.NAMES[value_type]} with {self.name(register)}")

    # State.

    def write(self, state: _State, place: int, values: frozenset[_Value]) -> None:
        if place >= 0:
            if self.registers.callee_saved >> place & 1 and place in self.all_allocatable and place not in self.saved:
                self.fail(f"writes {self.name(place)}, which is callee-saved and not reported")
        else:
            is_vector = any(self.type_of(value) == types.V128 for value in values)
            if place > OUT_ARG and -1 - place + is_vector >= self.allocation.spill_slots:
                self.fail(f"{self.name(place)} is outside the frame")
            if is_vector:
                if place & 1 != (place > OUT_ARG):  # spill slot 0 is -1
                    self.fail(f"a vector in {self.name(place)}, which is not aligned")
                state.pop(place - 1, None)
            # A vector whose second word this is.
            if any(self.type_of(value) == types.V128 for value in state.get(place + 1, _NOTHING)):
                del state[place + 1]
        if values:
            state[place] = values
        else:
            state.pop(place, None)

    def forget(self, state: _State, vreg: int) -> None:
        """A virtual register is about to be defined: what an earlier iteration left of it is something else."""
        names = {vreg, (_LOWER_HALF, vreg)}
        if not self.inherited.isdisjoint(names):
            for location, values in list(state.items()):
                if not values.isdisjoint(names):
                    left = values - names
                    if left:
                        state[location] = left
                    else:
                        del state[location]

    # Text.

    def type_of(self, value: _Value) -> int:
        if isinstance(value, tuple):
            return types.I32 if value[0] == _LOWER_HALF else value[0]
        return self.before.vreg_types[value - FIRST_VREG] if value >= FIRST_VREG else types.POINTER

    def name(self, place: int | Inst) -> str:
        return format_place(place, self.registers)

    def value_name(self, value: _Value) -> str:
        if isinstance(value, tuple):
            return f"lower half of {self.name(value[1])}" if value[0] == _LOWER_HALF else f"#{value[1]}"
        return self.name(value)

    def fail(self, reason: str) -> None:
        where = f"block{self.block.id}"
        if self.inst is not None:
            where += f", {format_inst(self.inst, self.registers)!r}"
        raise AllocationError(f"{self.machine.name}: {where}: {reason}")


def _value(value: int | Inst) -> _Value:
    """The name of an operand's value."""
    return (value.type, value.imm) if isinstance(value, Inst) else value
