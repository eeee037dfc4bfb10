"""Instructions of glue between WebAssembly and C: entering, and leaving for the caller in C."""

from __future__ import annotations

from wasm_backend_arm64 import assembler as asm
from wasm_backend_arm64 import encodings as e
from wasm_backend_arm64.assembler import rm as _rm
from wasm_backend_arm64.control_instructions import restore_sp
from wasm_backend_arm64.encodings import CC_NE, UXTX, indexed
from wasm_backend_arm64.operands import load_address
from wasm_backend_arm64.registers import (
    CALLEE_REGISTER,
    CONTEXT_REGISTER,
    FRAME_POINTER,
    SCRATCH,
    SCRATCH2,
    SP,
    STATUS_REGISTER,
    STORE_REGISTER,
    X10,
    X11,
    X12,
    X13,
    X14,
)
from wasm_ir.codegen.machinst import MInst, MOp
from wasm_ir.vmcontext import CONTEXT, FUNCREF, STORE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_ir.codegen.emission import Emitter


class Unwind(MOp):
    """To the innermost `enter`; the status is in its register already."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        code = emitter.code
        _rm(code, e.LDR_RM64, SCRATCH, CONTEXT_REGISTER, CONTEXT["store"])
        # Its own address: the pc table has a row for it.
        emitter.buffer.mark(len(code), inst.offset)
        asm.branch_r(code, e.ADR_RL, SCRATCH2)
        _rm(code, e.STR_RM64, SCRATCH2, SCRATCH, STORE["trap_pc"])
        _rm(code, e.STR_RM64, FRAME_POINTER, SCRATCH, STORE["trap_fp"])
        _rm(code, e.LDR_RM64, FRAME_POINTER, SCRATCH, STORE["entry_fp"])
        _rm(code, e.LDR_RM64, SCRATCH, SCRATCH, STORE["entry_resume"])
        asm.r(code, e.BR_R, SCRATCH)


def _copy_words(emitter: Emitter, count: int, to: int, from_: int) -> None:
    """Copy stack words from [from_] to [to], by a loop when there are many. Uses x10, x11, x12 and x13."""
    code = emitter.code
    if count <= 8:
        for i in range(count):
            _rm(code, e.LDR_RM64, X10, from_, 8 * i)
            _rm(code, e.STR_RM64, X10, to, 8 * i)
        return
    asm.load_integer(code, X11, 8 * count)
    asm.add_sp(code, X12, from_, 0, SCRATCH)
    asm.add_sp(code, X13, to, 0, SCRATCH)
    start = len(code)
    asm.rri(code, e.SUBS_RRI64, X11, X11, 8)
    asm.rmx(code, e.LDR_RM64, X10, X12, X11, indexed(UXTX, False))
    asm.rmx(code, e.STR_RM64, X10, X13, X11, indexed(UXTX, False))
    asm.patch(code, asm.branch_if(code, CC_NE), start)


class Enter(MOp):
    """Run a WebAssembly function on the store's stack.

    x9: StoreContext, x15: funcref, x28: VMContext, arguments as usual.
    imm: stack words of arguments << 16 | stack words of results.
    """

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        code = emitter.code
        buffer = emitter.buffer
        argument_words = inst.imm >> 16
        result_words = inst.imm & 0xFFFF
        resume = buffer.new_label()
        _rm(code, e.STR_RM64, FRAME_POINTER, STORE_REGISTER, STORE["entry_fp"])
        load_address(emitter, SCRATCH, resume)
        _rm(code, e.STR_RM64, SCRATCH, STORE_REGISTER, STORE["entry_resume"])
        asm.rri(code, e.ADD_RRI64, X10, SP, 0)
        _rm(code, e.STR_RM64, X10, STORE_REGISTER, STORE["c_sp"])
        _rm(code, e.LDR_RM64, SCRATCH, STORE_REGISTER, STORE["wasm_sp"])
        words = max(argument_words, result_words)
        if words:
            asm.load_integer(code, SCRATCH2, 8 * words)
            asm.rrr(code, e.SUB_RRR64, SCRATCH, SCRATCH, SCRATCH2)
            # The outgoing words are at the bottom of the frame; x14 keeps their address from here on.
            asm.rri(code, e.ADD_RRI64, X14, X10, 0)
        asm.rrl(code, e.AND_RRL64, SP, SCRATCH, 0xFFFF_FFFF_FFFF_FFF0)
        _copy_words(emitter, argument_words, SP, X14)
        _rm(code, e.LDR_RM64, SCRATCH, CALLEE_REGISTER, FUNCREF["code"])
        asm.r(code, e.BLR_R, SCRATCH)
        buffer.mark(len(code), inst.offset)
        if result_words:
            asm.add_sp(code, X14, FRAME_POINTER, -emitter.frame.size, SCRATCH)
            _copy_words(emitter, result_words, X14, SP)
        asm.ri(code, e.MOVZ_RI32, STATUS_REGISTER, 0)
        buffer.bind(resume)
        restore_sp(emitter)


UNWIND: Final = Unwind("unwind")
ENTER: Final = Enter("enter")
