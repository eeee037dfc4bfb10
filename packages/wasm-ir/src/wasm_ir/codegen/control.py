"""Machine instructions that are the same on all architectures, but for what `Target` emits for them."""

from __future__ import annotations

from wasm_ir.codegen.machinst import MInst, MOp
from wasm_ir.vmcontext import CONTEXT, FUNCREF

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_ir.codegen.emission import Emitter


class Entry(MOp):
    """Zero-extend parameters whose registers are in the mask imm."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        mask = inst.imm
        register = 0
        while mask:
            if mask & 1:
                emitter.target.emit_zero_extension(emitter, register)
            mask >>= 1
            register += 1


class Poll(MOp):
    """The comparison with the stack limit that lets the runtime interrupt loops."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        emitter.target.emit_poll(emitter, inst.offset)


class Jump(MOp):
    """To the only edge, if that is not what follows."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        target = emitter.block.edges[0].block
        if target is not emitter.next_block:
            emitter.target.emit_jump(emitter, target.label)


class Trap(MOp):
    """Leave with trap code imm."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        emitter.target.emit_trap_site(emitter, inst.imm)
        emitter.buffer.mark(len(emitter.code), inst.offset)


class CallRef(MOp):
    """Through a funcref. The callee pins its own VMContext and memory."""

    __slots__ = ("callee", "context", "memory")

    def __init__(self, callee: int, context: int, memory: int, lands: bool = False) -> None:
        """The registers of the funcref, and of the VMContext and the base of memory 0."""
        super().__init__("invoke_ref" if lands else "call_ref", lands=lands)
        self.callee = callee
        self.context = context
        self.memory = memory

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        target = emitter.target
        target.emit_call_word(emitter, self.callee, FUNCREF["code"])
        emitter.buffer.mark(len(emitter.code), inst.offset)
        if self.lands:
            mark_landing(emitter)
        base, offset = target.context_place(emitter)
        target.emit_load_word(emitter, self.context, base, offset)
        target.emit_load_word(emitter, self.memory, self.context, CONTEXT["memory_base"])


class CallOwn(MOp):
    """Through a funcref of a function of the same instance: what is pinned stays."""

    __slots__ = ("callee",)

    def __init__(self, callee: int, lands: bool = False) -> None:
        """The register of the funcref."""
        super().__init__("invoke_own" if lands else "call_own", lands=lands)
        self.callee = callee

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        emitter.target.emit_call_own(emitter, self.callee)
        emitter.buffer.mark(len(emitter.code), inst.offset)
        if self.lands:
            mark_landing(emitter)


def mark_landing(emitter: Emitter) -> None:
    """Right behind a call that lands."""
    emitter.target.emit_landing_marker(emitter, emitter.block.edges[1].block.landing_label)


ENTRY: Final = Entry("entry")
JUMP: Final = Jump("jump", is_jump=True)
POLL: Final = Poll("poll")
TRAP: Final = Trap("trap")
