"""Tail calls: the frame goes, and the callee returns to whoever called this function.

Where the words of the arguments do not suffice for the callee's, or the callee belongs to another instance, the caller
would find its stack pointer or its pinned registers changed. Then the linkage of this frame (the caller's frame pointer
and the return address) stays, at the top of the frame, with the VMContext and the number of result words below it;
below those come as many words as the callee needs, and its return address is the stub `tail_return`, which puts
everything back. A function that has been called like this and makes such a tail call finds that return address, and
uses the linkage that is there.
"""

from __future__ import annotations

from wasm_backend_arm64 import assembler as asm
from wasm_backend_arm64 import encodings as e
from wasm_backend_arm64.abi import KEPT_RESULTS
from wasm_backend_arm64.control_instructions import check_stack, leave_frame, restore_registers
from wasm_backend_arm64.encodings import CC_EQ, CC_NE, UXTX, indexed
from wasm_backend_arm64.operands import branch, is_compact, jump
from wasm_backend_arm64.registers import (
    CALLEE_REGISTER,
    CONTEXT_REGISTER,
    FRAME_POINTER,
    LINK_REGISTER,
    SCRATCH,
    SP,
    X9,
    X10,
    X11,
    X12,
    X13,
    X14,
    ZR,
)
from wasm_ir.backend import RELOCATION_FUNCTION_SLOT
from wasm_ir.codegen.machinst import MInst, MOp, MTailCall
from wasm_ir.vmcontext import CONTEXT, FUNCREF

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_ir.codegen.emission import Emitter

_rm = asm.rm


class TailCall(MOp):
    """To function imm, or through the funcref in x15. Nothing is in registers but arguments."""

    __slots__ = ("through_reference",)

    def __init__(self, name: str, through_reference: bool) -> None:
        super().__init__(name)
        self.through_reference = through_reference

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        assert isinstance(inst, MTailCall)
        code = emitter.code
        if not self.through_reference and inst.imm == emitter.function.index:
            # The frame is as good as a new one, and a loop needs no more than a poll.
            check_stack(emitter, SP, inst.offset)
            jump(emitter, emitter.machine.blocks[0].label)
            return
        restore_registers(emitter)
        if not inst.grows:
            other = emitter.buffer.new_label()
            if self.through_reference:
                _rm(code, e.LDR_RM64, SCRATCH, CALLEE_REGISTER, FUNCREF["context"])
                asm.rrr(code, e.SUBS_RRR64, ZR, CONTEXT_REGISTER, SCRATCH)
                branch(emitter, CC_NE, other)
            leave_frame(emitter)
            self._go(emitter, inst)
            if not self.through_reference:
                return
            emitter.buffer.bind(other)
        _keep_linkage(emitter, inst)
        self._go(emitter, inst)

    def _go(self, emitter: Emitter, inst: MTailCall) -> None:
        """Jump to the callee."""
        code = emitter.code
        if self.through_reference:
            _rm(code, e.LDR_RM64, SCRATCH, CALLEE_REGISTER, FUNCREF["code"])
            asm.r(code, e.BR_R, SCRATCH)
            return
        emitter.buffer.relocate(RELOCATION_FUNCTION_SLOT, inst.imm)
        asm.branch_r(code, e.ADRP_RL, X10)
        load = len(code)
        _rm(code, e.LDR_RM64, X9, X10, 0)
        _rm(code, e.LDR_RM64, X11, CONTEXT_REGISTER, CONTEXT["lazy_slot"])
        asm.rrr(code, e.SUBS_RRR64, ZR, X9, X11)
        lazy = emitter.buffer.new_label()
        branch(emitter, CC_EQ, lazy)
        asm.r(code, e.BR_R, X9)
        emitter.buffer.bind(lazy)
        # There is no return address that tells which slot it was: the stub gets the page and where the load stands.
        asm.patch(code, asm.branch_r(code, e.ADR_RL, X12), load)
        _rm(code, e.LDR_RM64, X9, CONTEXT_REGISTER, CONTEXT["lazy_tail"])
        asm.r(code, e.BR_R, X9)


def _keep_linkage(emitter: Emitter, inst: MTailCall) -> None:
    """Let the callee return to tail_return, with its words below what that needs. Uses x9 to x14."""
    code = emitter.code
    area = inst.area()
    frame = emitter.frame
    top = frame.size if is_compact(frame) else 0
    there = emitter.buffer.new_label()
    _rm(code, e.LDR_RM64, X11, CONTEXT_REGISTER, CONTEXT["tail_return"])
    asm.pair(code, e.LDP_RRM64, X9, X10, FRAME_POINTER, 0)
    asm.rrr(code, e.SUBS_RRR64, ZR, X10, X11)
    branch(emitter, CC_EQ, there)
    if area == 0:
        # Nothing in this frame is needed, and it may be smaller.
        asm.add_sp(code, SP, FRAME_POINTER, top + KEPT_RESULTS, X12)
    asm.pair(code, e.STP_RRM64, X9, X10, FRAME_POINTER, top)
    asm.load_integer(code, X13, inst.result_words)
    asm.pair(code, e.STP_RRM64, X13, CONTEXT_REGISTER, FRAME_POINTER, top + KEPT_RESULTS)
    asm.add_sp(code, X9, FRAME_POINTER, top, X12)
    emitter.buffer.bind(there)
    asm.add_sp(code, X13, X9, KEPT_RESULTS - area, X12)
    # Outgoing words, at the bottom of this frame, go up, so the last one goes first. Incoming words go up, too, or to
    # where none of them is.
    from_, displacement = (SP, 0) if inst.grows else (FRAME_POINTER, top + 16)
    count = inst.argument_words
    if count <= 8:
        for number in range(count - 1, -1, -1):
            _rm(code, e.LDR_RM64, X14, from_, displacement + 8 * number)
            _rm(code, e.STR_RM64, X14, X13, 8 * number)
    else:
        asm.load_integer(code, X10, 8 * count)
        asm.add_sp(code, X12, from_, displacement, X12)
        start = len(code)
        asm.rri(code, e.SUBS_RRI64, X10, X10, 8)
        asm.rmx(code, e.LDR_RM64, X14, X12, X10, indexed(UXTX, False))
        asm.rmx(code, e.STR_RM64, X14, X13, X10, indexed(UXTX, False))
        asm.patch(code, asm.branch_if(code, CC_NE), start)
    asm.add_sp(code, SP, X13, 0, X12)
    asm.rrr(code, e.ORR_RRR64, FRAME_POINTER, ZR, X9)
    asm.rrr(code, e.ORR_RRR64, LINK_REGISTER, ZR, X11)


TAIL_CALL: Final = TailCall("tail_call", through_reference=False)
TAIL_CALL_REF: Final = TailCall("tail_call_ref", through_reference=True)
