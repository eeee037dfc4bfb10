"""A target whose machine code is easy to read: one byte per instruction, a label reference is one byte, its offset."""

from __future__ import annotations

from wasm_ir.codegen.emission import Emitter
from wasm_ir.codegen.machinst import MBlock, MEdge, MFunction, MInst, MOp
from wasm_ir.codegen.registers import RegisterSet
from wasm_ir.codegen.target import Target
from wasm_ir.ir import Function, Inst

REGISTERS = RegisterSet(
    names=tuple(f"r{n}" for n in range(64)),
    allocatable=((0, 1, 2, 3), (16, 17)),
    scratch=(4, 18),
    callee_saved=0b1000,
    caller_saved=0b0111 | 3 << 16,
)


class Byte(MOp):
    """The byte imm."""

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        emitter.code.append(inst.imm)


def _refer(emitter: Emitter, label: int) -> None:
    emitter.buffer.refer(label, 7)
    emitter.code.append(0xFF)


class Jump(MOp):
    """To the only edge."""

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        target = emitter.block.edges[0].block
        if target is not emitter.next_block:
            emitter.code.append(ord("j"))
            _refer(emitter, target.label)


class Brif(MOp):
    """To the first edge, or else to the second."""

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        then, otherwise = (edge.block for edge in emitter.block.edges)
        emitter.code.append(ord("b"))
        _refer(emitter, then.label)
        if otherwise is not emitter.next_block:
            emitter.code.append(ord("j"))
            _refer(emitter, otherwise.label)


class Dispatch(MOp):
    """To one of three edges."""

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        emitter.code.append(ord("d"))
        for edge in emitter.block.edges:
            _refer(emitter, edge.block.label)


class TrapIf(MOp):
    """Trap code imm."""

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        emitter.code.append(ord("t"))
        _refer(emitter, emitter.trap_label(inst.imm, inst.offset))


class Call(MOp):
    """Function imm."""

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        emitter.code.append(ord("c"))
        emitter.buffer.relocate(1, inst.imm)
        emitter.code.append(0)
        emitter.buffer.mark(len(emitter.code), inst.offset)


class Pool(MOp):
    """The constant imm, of one byte."""

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        emitter.code.append(ord("p"))
        _refer(emitter, emitter.constant(inst.imm, 1))


class Ret(MOp):
    """The end."""

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        emitter.code.append(ord("r"))


BYTE = Byte("byte")
JUMP = Jump("jump", is_jump=True)
BRIF = Brif("brif")
DISPATCH = Dispatch("dispatch")
TRAP_IF = TrapIf("trap_if")
CALL = Call("call")
POOL = Pool("pool")
RET = Ret("ret")


class ToyTarget(Target):
    """ "Lowering" returns the function that it was made with."""

    def __init__(self, machine: MFunction) -> None:
        super().__init__(REGISTERS, REGISTERS)
        self.machine = machine

    def lower(self, function: Function) -> MFunction:
        return self.machine

    def extra_frame_words(self, function: Function, machine: MFunction) -> int:
        return 1

    def emit_prologue(self, emitter: Emitter) -> None:
        emitter.code += b"E"
        emitter.entry = len(emitter.code)
        emitter.code += b"P"

    def emit_move(self, emitter: Emitter, destination: int, source: int, type: int) -> None:
        emitter.code += b"m"

    def emit_constant(self, emitter: Emitter, destination: int, constant: Inst) -> None:
        emitter.code += b"k"

    def emit_padding(self, emitter: Emitter, size: int) -> None:
        emitter.code += b"_" * size

    def emit_trap_site(self, emitter: Emitter, trap_code: int) -> None:
        emitter.code += bytes((ord("T"), trap_code))

    def emit_data(self, emitter: Emitter) -> None:
        for (bits, _), label in emitter.constants.items():
            emitter.buffer.bind(label)
            emitter.code.append(bits)

    def patch(self, code: bytearray, position: int, kind: int, target: int) -> None:
        assert kind == 7
        assert code[position] == 0xFF
        code[position] = target


def machine_function(edges: dict[int, list[int]], insts: dict[int, list[MInst]] | None = None) -> MFunction:
    """Blocks 0.. with these edges. Each has its `insts`, then a jump, branch or return."""
    machine = MFunction("test")
    machine.jump = JUMP
    machine.blocks = [MBlock(number) for number in range(len(edges))]
    for number, targets in edges.items():
        block = machine.blocks[number]
        block.insts = list((insts or {}).get(number, []))
        block.insts.append(MInst((RET, JUMP, BRIF, DISPATCH)[len(targets)], [], [], 0))
        for target in targets:
            block.edges.append(MEdge(machine.blocks[target], []))
            machine.blocks[target].predecessors.append(block)
            machine.blocks[target].is_loop_header |= target <= number
    return machine
