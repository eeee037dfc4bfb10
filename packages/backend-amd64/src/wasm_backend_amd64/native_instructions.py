"""Instructions of glue between WebAssembly and C: entering, and leaving for the caller in C."""

from __future__ import annotations

from wasm_backend_amd64 import assembler as asm
from wasm_backend_amd64 import encodings as e
from wasm_backend_amd64.assembler import rm as _rm
from wasm_backend_amd64.encodings import CC_NE
from wasm_backend_amd64.operands import REL32
from wasm_backend_amd64.registers import (
    CALLEE_REGISTER,
    CONTEXT_REGISTER,
    R10,
    R12,
    RAX,
    RBP,
    RBX,
    RSP,
    SCRATCH,
)
from wasm_ir.codegen.machinst import MInst, MOp
from wasm_ir.vmcontext import CONTEXT, FUNCREF, STORE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_ir.codegen.emission import Emitter


class Unwind(MOp):
    """To the innermost `enter`; the status is in r10 already."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        code = emitter.code
        _rm(code, e.MOV_RM64, SCRATCH, CONTEXT_REGISTER, -1, 0, CONTEXT["store"])
        asm.rip(code, e.LEA_RM64, RAX)  # displacement zero: the address of what follows
        emitter.buffer.mark(len(code), inst.offset)
        _rm(code, e.MOV_MR64, RAX, SCRATCH, -1, 0, STORE["trap_pc"])
        _rm(code, e.MOV_MR64, RBP, SCRATCH, -1, 0, STORE["trap_fp"])
        _rm(code, e.MOV_RM64, RBP, SCRATCH, -1, 0, STORE["entry_fp"])
        asm.m(code, e.JMP_M, SCRATCH, -1, 0, STORE["entry_resume"])


def _copy_words(emitter: Emitter, count: int, to: int, from_: int, from_disp: int, to_disp: int) -> None:
    """Copy stack words, by a loop when there are many. Uses rbx and r12."""
    code = emitter.code
    if count <= 8:
        for i in range(count):
            _rm(code, e.MOV_RM64, R12, from_, -1, 0, from_disp + 8 * i)
            _rm(code, e.MOV_MR64, R12, to, -1, 0, to_disp + 8 * i)
        return
    asm.ri(code, e.MOV_RI32, RBX, count)
    start = len(code)
    _rm(code, e.MOV_RM64, R12, from_, RBX, 3, from_disp - 8)
    _rm(code, e.MOV_MR64, R12, to, RBX, 3, to_disp - 8)
    asm.r(code, e.DEC_R32, RBX)
    asm.patch_rel8(code, asm.jcc8(code, CC_NE), start)


class Enter(MOp):
    """Run a WebAssembly function on the store's stack.

    rax: StoreContext, r10: funcref, r15: VMContext, arguments as usual.
    imm: stack words of arguments << 16 | stack words of results.
    """

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        code = emitter.code
        buffer = emitter.buffer
        frame_size = emitter.frame.size
        argument_words = inst.imm >> 16
        result_words = inst.imm & 0xFFFF
        resume = buffer.new_label()
        _rm(code, e.MOV_MR64, RBP, RAX, -1, 0, STORE["entry_fp"])
        buffer.fixups.append((asm.rip(code, e.LEA_RM64, SCRATCH), resume, REL32))
        _rm(code, e.MOV_MR64, SCRATCH, RAX, -1, 0, STORE["entry_resume"])
        _rm(code, e.MOV_MR64, RSP, RAX, -1, 0, STORE["c_sp"])
        words = max(argument_words, result_words)
        _rm(code, e.MOV_RM64, RSP, RAX, -1, 0, STORE["wasm_sp"])
        if words:
            _rm(code, e.LEA_RM64, RSP, RSP, -1, 0, -8 * words)
        asm.ri(code, e.AND_RI64, RSP, -16)
        _copy_words(emitter, argument_words, RSP, RBP, -frame_size, 0)
        asm.m(code, e.CALL_M, CALLEE_REGISTER, -1, 0, FUNCREF["code"])
        buffer.mark(len(code), inst.offset)
        _copy_words(emitter, result_words, RBP, RSP, 0, -frame_size)
        asm.rr(code, e.XOR_RR32, R10, R10)
        buffer.bind(resume)
        _rm(code, e.LEA_RM64, RSP, RBP, -1, 0, -frame_size)


UNWIND: Final = Unwind("unwind")
ENTER: Final = Enter("enter")
