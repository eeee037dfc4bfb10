"""Tail calls: the frame goes, and the callee returns to whoever called this function.

Where the words of the arguments do not suffice for the callee's, or the callee belongs to another instance, the caller
would find its stack pointer or its pinned registers changed. Then the linkage of this frame (the caller's frame pointer
and the return address) stays, with the VMContext and the number of result words below it; below those come as many
words as the callee needs, and its return address is the stub `tail_return`, which puts everything back. A function that
has been called like this and makes such a tail call finds that return address, and uses the linkage that is there.
"""

from __future__ import annotations

from wasm_backend_amd64 import assembler as asm
from wasm_backend_amd64 import encodings as e
from wasm_backend_amd64.abi import KEPT_CONTEXT, KEPT_RESULTS
from wasm_backend_amd64.assembler import rm as _rm
from wasm_backend_amd64.control_instructions import check_stack, saved_words
from wasm_backend_amd64.encodings import CC_E, CC_NE
from wasm_backend_amd64.operands import branch, jump
from wasm_backend_amd64.registers import (
    CALLEE_REGISTER,
    CONTEXT_REGISTER,
    FLOAT_SCRATCH,
    RAX,
    RBP,
    RSP,
    SCRATCH,
)
from wasm_ir.backend import RELOCATION_FUNCTION_SLOT
from wasm_ir.codegen.machinst import MInst, MOp, MTailCall
from wasm_ir.vmcontext import CONTEXT, FUNCREF

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_ir.codegen.emission import Emitter

#: Size of what is kept below the linkage.
_KEPT: Final = -KEPT_RESULTS


class TailCall(MOp):
    """To function imm, or through the funcref in r10. Nothing is in registers but arguments."""

    __slots__ = ("through_reference",)

    def __init__(self, name: str, through_reference: bool) -> None:
        super().__init__(name)
        self.through_reference = through_reference

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        assert isinstance(inst, MTailCall)
        code = emitter.code
        if not self.through_reference and inst.imm == emitter.function.index:
            # The frame is as good as a new one, and a loop needs no more than a poll.
            check_stack(emitter, RSP, inst.offset)
            jump(emitter, emitter.machine.blocks[0].label)
            return
        for register, offset in saved_words(emitter):
            _rm(code, e.MOV_RM64, register, RBP, -1, 0, offset)
        if not inst.grows:
            other = emitter.buffer.new_label()
            if self.through_reference:
                _rm(code, e.CMP_RM64, CONTEXT_REGISTER, CALLEE_REGISTER, -1, 0, FUNCREF["context"])
                branch(emitter, CC_NE, other)
            if emitter.frame.size:
                code.append(0xC9)  # leave
            else:
                asm.r(code, e.POP_R, RBP)
            self._go(emitter, inst)
            if not self.through_reference:
                return
            emitter.buffer.bind(other)
        self._keep_linkage(emitter, inst)
        self._go(emitter, inst)

    def _keep_linkage(self, emitter: Emitter, inst: MTailCall) -> None:
        """Let the callee return to tail_return, with its words below what that needs. Uses rax, r11 and xmm15."""
        code = emitter.code
        area = inst.area()
        there = emitter.buffer.new_label()
        _rm(code, e.MOV_RM64, SCRATCH, CONTEXT_REGISTER, -1, 0, CONTEXT["tail_return"])
        _rm(code, e.CMP_RM64, SCRATCH, RBP, -1, 0, 8)
        _rm(code, e.MOV_RM64, RAX, RBP, -1, 0, 0)
        branch(emitter, CC_E, there)
        if area == 0:
            # Nothing in this frame is needed, and it may be smaller.
            _rm(code, e.LEA_RM64, RSP, RBP, -1, 0, -_KEPT)
        _rm(code, e.MOV_MR64, CONTEXT_REGISTER, RBP, -1, 0, KEPT_CONTEXT)
        asm.mi(code, e.MOV_MI64, RBP, -1, 0, KEPT_RESULTS, inst.result_words)
        asm.rr(code, e.MOV_RR64, RAX, RBP)
        emitter.buffer.bind(there)
        # Outgoing words, at the bottom of this frame, go up, so the last one goes first. Incoming words go up, too, or
        # to where none of them is.
        from_, displacement = (RSP, 0) if inst.grows else (RBP, 16)
        count = inst.argument_words
        if count <= 8:
            for number in range(count - 1, -1, -1):
                _rm(code, e.MOV_RM64, SCRATCH, from_, -1, 0, displacement + 8 * number)
                _rm(code, e.MOV_MR64, SCRATCH, RAX, -1, 0, 8 * number - area - _KEPT)
        else:
            asm.ri(code, e.MOV_RI32, SCRATCH, count)
            start = len(code)
            _rm(code, e.MOVSD_RM, FLOAT_SCRATCH, from_, SCRATCH, 3, displacement - 8)
            _rm(code, e.MOVSD_MR, FLOAT_SCRATCH, RAX, SCRATCH, 3, -area - _KEPT - 8)
            asm.r(code, e.DEC_R32, SCRATCH)
            asm.patch_rel8(code, asm.jcc8(code, CC_NE), start)
        _rm(code, e.LEA_RM64, RSP, RAX, -1, 0, -area - _KEPT)
        asm.rr(code, e.MOV_RR64, RBP, RAX)
        _rm(code, e.MOV_RM64, SCRATCH, CONTEXT_REGISTER, -1, 0, CONTEXT["tail_return"])
        asm.r(code, e.PUSH_R, SCRATCH)

    def _go(self, emitter: Emitter, inst: MTailCall) -> None:
        """Jump to the callee."""
        code = emitter.code
        if self.through_reference:
            asm.m(code, e.JMP_M, CALLEE_REGISTER, -1, 0, FUNCREF["code"])
            return
        _slot(emitter, e.MOV_RM64, CALLEE_REGISTER, inst.imm)
        _rm(code, e.CMP_RM64, CALLEE_REGISTER, CONTEXT_REGISTER, -1, 0, CONTEXT["lazy_slot"])
        lazy = emitter.buffer.new_label()
        branch(emitter, CC_E, lazy)
        asm.r(code, e.JMP_R, CALLEE_REGISTER)
        emitter.buffer.bind(lazy)
        # There is no return address that tells which slot it was.
        _slot(emitter, e.LEA_RM64, SCRATCH, inst.imm)
        asm.m(code, e.JMP_M, CONTEXT_REGISTER, -1, 0, CONTEXT["lazy_tail"])


def _slot(emitter: Emitter, enc: e.Encoding, register: int, index: int) -> None:
    """An instruction on a register and the slot of a function."""
    code = emitter.code
    position = asm.rip(code, enc, register)
    del code[position:]
    emitter.buffer.relocate(RELOCATION_FUNCTION_SLOT, index)
    code += b"\0\0\0\0"


TAIL_CALL: Final = TailCall("tail_call", through_reference=False)
TAIL_CALL_REF: Final = TailCall("tail_call_ref", through_reference=True)
