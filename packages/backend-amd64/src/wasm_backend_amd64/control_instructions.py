"""Instructions that change where execution goes: jumps, tables, entry, return, calls, traps."""

from __future__ import annotations

from wasm_backend_amd64 import assembler as asm
from wasm_backend_amd64 import encodings as e
from wasm_backend_amd64.abi import WINDOWS
from wasm_backend_amd64.assembler import rm as _rm
from wasm_backend_amd64.encodings import CC_AE, CC_B
from wasm_backend_amd64.operands import REL32, branch, jump, shorten_jumps
from wasm_backend_amd64.registers import (
    CONTEXT_REGISTER,
    R12,
    RAX,
    RBP,
    RBX,
    RDI,
    RSI,
    RSP,
    SCRATCH,
    VECTORS_KEPT,
    WINDOWS_REGISTERS,
)
from wasm_ir import types
from wasm_ir.backend import RELOCATION_FUNCTION_SLOT
from wasm_ir.codegen.control import mark_landing
from wasm_ir.codegen.machinst import ENTERS, MFunction, MInst, MOp
from wasm_ir.ir import ABI_C, Function
from wasm_ir.vmcontext import CONTEXT, STORE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_ir.codegen.emission import Emitter

#: Registers that a C function which executes `enter` saves whatever the allocator did.
ENTER_SAVED: Final = (RBX, R12, 13, 14, 15)
#: The same on Windows.
WINDOWS_ENTER_SAVED: Final = (RBX, RSI, RDI, R12, 13, 14, 15)
#: The words in which a C function on Windows keeps the vector registers that it may change.
VECTOR_WORDS: Final = 2 * len(VECTORS_KEPT)


def call_tail(emitter: Emitter, trap_code: int) -> None:
    """Call the code that leaves with `trap_code`; the return address tells which site it was."""
    label = emitter.trap_tails.get(trap_code)
    if label is None:
        label = emitter.trap_tails[trap_code] = emitter.buffer.new_label()
    emitter.buffer.fixups.append((asm.call32(emitter.code), label, REL32))


def emit_trap_tails(emitter: Emitter) -> None:
    """The code behind the trap sites: trap code to r11, and to the trap exit."""
    code = emitter.code
    for trap_code, label in emitter.trap_tails.items():
        emitter.buffer.bind(label)
        asm.ri(code, e.MOV_RI32, SCRATCH, trap_code)
        asm.m(code, e.JMP_M, CONTEXT_REGISTER, -1, 0, CONTEXT["trap_exit"])


def saved_words(emitter: Emitter) -> list[tuple[int, int]]:
    """Registers that the prologue saves, and their offsets from the frame pointer, to which they are near."""
    frame = emitter.frame
    saved = list(frame.saved_registers)
    if emitter.machine.flags & ENTERS and emitter.function.abi == ABI_C:
        all_saved = WINDOWS_ENTER_SAVED if on_windows(emitter) else ENTER_SAVED
        saved.extend(register for register in all_saved if register not in frame.saved_registers)
    first = frame.saved_offset - frame.size
    return [(register, first + 8 * i) for i, register in enumerate(saved)]


def on_windows(emitter: Emitter) -> bool:
    """Whether C functions have the convention of Windows."""
    return emitter.target.native_registers is WINDOWS_REGISTERS


def keeps_vectors(function: Function, machine: MFunction) -> bool:
    """Whether a function that is C for Windows may change vector registers which it has to keep."""
    if function.abi != ABI_C:
        return False
    return bool(machine.flags & ENTERS) or any(types.CLASS[type] for type in machine.vreg_types)


def kept_vectors(emitter: Emitter) -> list[tuple[int, int]]:
    """Vector registers that the prologue saves, and their offsets from the frame pointer."""
    if not on_windows(emitter) or not keeps_vectors(emitter.function, emitter.machine):
        return []
    first = emitter.frame.saved_offset - emitter.frame.size + 8 * len(saved_words(emitter))
    return [(register, first + 16 * number) for number, register in enumerate(VECTORS_KEPT)]


def context_word(emitter: Emitter) -> int:
    """Offset from the frame pointer of the word in which a function that calls references keeps its VMContext."""
    frame = emitter.frame
    return frame.saved_offset - frame.size + 8 * len(frame.saved_registers)


def check_stack(emitter: Emitter, lowest: int, wasm_offset: int) -> None:
    """Call the poll exit when address `lowest` is below the stack limit, which the runtime raises to interrupt code.

    One comparison with memory and a branch, which the processor executes as one operation.
    """
    buffer = emitter.buffer
    _rm(emitter.code, e.CMP_RM64, lowest, CONTEXT_REGISTER, -1, 0, CONTEXT["stack_limit"])
    label = buffer.new_label()
    branch(emitter, CC_B, label)
    back = buffer.new_label()
    buffer.bind(back)
    emitter.poll_sites.append((label, back, lowest, wasm_offset))


def emit_poll_sites(emitter: Emitter) -> None:
    """The calls of the poll exit, which come back. r11 is the lowest address that is needed."""
    code = emitter.code
    buffer = emitter.buffer
    for label, back, lowest, wasm_offset in emitter.poll_sites:
        shorten_jumps(emitter, label, 0)
        buffer.bind(label)
        if lowest != SCRATCH:
            asm.rr(code, e.MOV_RR64, SCRATCH, lowest)
        asm.m(code, e.CALL_M, CONTEXT_REGISTER, -1, 0, CONTEXT["poll_exit"])
        buffer.mark(len(code), wasm_offset)
        jump(emitter, back)


class BrTable(MOp):
    """To edge uses[0], the last one when it is out of range. defs[0] is a temporary."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        code = emitter.code
        edges = emitter.block.edges
        index = inst.uses[0]
        offset = inst.defs[0]
        default = edges[-1].block.label
        asm.ri(code, e.CMP_RI32, index, len(edges) - 1)
        branch(emitter, CC_AE, default)
        table = emitter.jump_table([edge.block.label for edge in edges[:-1]])
        emitter.buffer.fixups.append((asm.rip(code, e.LEA_RM64, SCRATCH), table, REL32))
        _rm(code, e.MOVSXD_RM64, offset, SCRATCH, index, 2, 0)
        asm.rr(code, e.ADD_RR64, SCRATCH, offset)
        asm.r(code, e.JMP_R, SCRATCH)


class Return(MOp):
    """Saved registers back, the frame away, and return."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        code = emitter.code
        for register, offset in saved_words(emitter):
            _rm(code, e.MOV_RM64, register, RBP, -1, 0, offset)
        for register, offset in kept_vectors(emitter):
            _rm(code, e.MOVUPS_RM, register, RBP, -1, 0, offset)
        if emitter.frame.size:
            code.append(0xC9)  # leave
        else:
            asm.r(code, e.POP_R, RBP)
        code += e.RET


class Throw(MOp):
    """To the throw exit; the return address tells where."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        asm.m(emitter.code, e.CALL_M, CONTEXT_REGISTER, -1, 0, CONTEXT["throw_exit"])
        emitter.buffer.mark(len(emitter.code), inst.offset)


class Call(MOp):
    """Through the slot of function imm, or to the function's own entry."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        code = emitter.code
        buffer = emitter.buffer
        if inst.imm == emitter.function.index:
            buffer.fixups.append((asm.call32(code), emitter.own_entry(), REL32))
        else:
            position = asm.rip_m(code, e.CALL_M)
            del code[position:]
            buffer.relocate(RELOCATION_FUNCTION_SLOT, inst.imm)
            code += b"\0\0\0\0"
        buffer.mark(len(code), inst.offset)
        if self.lands:
            mark_landing(emitter)


class CallNative(MOp):
    """The C function in rax, on the C stack.

    imm: stack words of arguments << 1 | whether the result is an i32, of which C leaves the upper half undefined.
    """

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        code = emitter.code
        if emitter.function.abi == ABI_C:
            asm.r(code, e.CALL_R, RAX)
        else:
            _rm(code, e.MOV_RM64, SCRATCH, CONTEXT_REGISTER, -1, 0, CONTEXT["store"])
            _rm(code, e.MOV_MR64, RSP, SCRATCH, -1, 0, STORE["wasm_sp"])
            _rm(code, e.MOV_RM64, RSP, SCRATCH, -1, 0, STORE["c_sp"])
            words = inst.imm >> 1
            if words:
                asm.ri(code, e.SUB_RI64, RSP, 8 * words + 15 & ~15)
                for word in range(WINDOWS.shadow_words, words):
                    _rm(code, e.MOV_RM64, SCRATCH, RBP, -1, 0, 8 * word - emitter.frame.size)
                    _rm(code, e.MOV_MR64, SCRATCH, RSP, -1, 0, 8 * word)
            asm.r(code, e.CALL_R, RAX)
            emitter.buffer.mark(len(code), inst.offset)
            _rm(code, e.LEA_RM64, RSP, RBP, -1, 0, -emitter.frame.size)
        if inst.imm & 1:
            asm.rr(code, e.MOV_RR32, RAX, RAX)


BR_TABLE: Final = BrTable("br_table", temps=1)
RETURN: Final = Return("return")
CALL: Final = Call("call")
INVOKE: Final = Call("invoke", lands=True)
THROW: Final = Throw("throw")
CALL_NATIVE: Final = CallNative("call_native")
