"""Instructions that change where execution goes: jumps, tables, entry, return, calls, traps."""

from __future__ import annotations

from wasm_backend_arm64 import assembler as asm
from wasm_backend_arm64 import encodings as e
from wasm_backend_arm64.encodings import CC_HS, CC_LO, UXTW, UXTX, Access, Encoding, extended, indexed
from wasm_backend_arm64.operands import INSTRUCTION, branch, is_compact, jump, load_address
from wasm_backend_arm64.registers import (
    CONTEXT_REGISTER,
    FRAME_POINTER,
    LINK_REGISTER,
    NATIVE_REGISTER,
    SCRATCH,
    SCRATCH2,
    SP,
    V8,
    V15,
    X0,
    X19,
    ZR,
)
from wasm_ir.backend import RELOCATION_FUNCTION_SLOT
from wasm_ir.codegen.control import mark_landing
from wasm_ir.codegen.machinst import ENTERS, FIRST_TARGET_FLAG, MInst, MOp
from wasm_ir.ir import ABI_C
from wasm_ir.vmcontext import CONTEXT, STORE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_ir.codegen.emission import Emitter

#: The function has the C convention and may use v8..v15, of which it must preserve the lower halves (AAPCS64, 6.1.2).
SAVES_FLOATS: Final = FIRST_TARGET_FLAG

#: Registers that a C function which executes `enter` saves whatever the allocator did.
ENTER_SAVED: Final = tuple(range(X19, CONTEXT_REGISTER + 1))
FLOATS_SAVED: Final = tuple(range(V8, V15 + 1))

_rm = asm.rm


def saved_registers(emitter: Emitter) -> list[int]:
    """Registers that the prologue saves, in the order of their words in the frame."""
    saved = list(emitter.frame.saved_registers)
    flags = emitter.machine.flags
    if flags & (ENTERS | SAVES_FLOATS) and emitter.function.abi == ABI_C:
        if flags & ENTERS:
            saved += [register for register in ENTER_SAVED if register not in emitter.frame.saved_registers]
        saved += FLOATS_SAVED
    return saved


def _saved_place(emitter: Emitter) -> tuple[int, int]:
    """Base register and offset of the words of saved registers, which are near to the frame pointer."""
    frame = emitter.frame
    if is_compact(frame):
        return SP, frame.saved_offset + 16
    return FRAME_POINTER, frame.saved_offset - frame.size


def _move_saved(emitter: Emitter, pair: Encoding, word: Access, float_pair: Encoding, float_word: Access) -> None:
    """Store or load saved registers, two at a time."""
    registers = saved_registers(emitter)
    base, offset = _saved_place(emitter)
    code = emitter.code
    number = 0
    while number < len(registers):
        register = registers[number]
        is_float = register >= V8
        if number + 1 < len(registers) and (registers[number + 1] >= V8) == is_float:
            enc = float_pair if is_float else pair
            asm.pair(code, enc, register, registers[number + 1], base, offset + 8 * number)
            number += 2
        else:
            _rm(code, float_word if is_float else word, register, base, offset + 8 * number)
            number += 1


def save_registers(emitter: Emitter) -> None:
    _move_saved(emitter, e.STP_RRM64, e.STR_RM64, e.STP_FFM64, e.STR_FM64)


def restore_registers(emitter: Emitter) -> None:
    _move_saved(emitter, e.LDP_RRM64, e.LDR_RM64, e.LDP_FFM64, e.LDR_FM64)


def leave_frame(emitter: Emitter) -> None:
    """Stack pointer, frame pointer and return address as they were at the function's entry."""
    code = emitter.code
    frame = emitter.frame
    if is_compact(frame):
        asm.pair(code, e.LDP_RRM64_POST, FRAME_POINTER, LINK_REGISTER, SP, frame.size + 16)
    else:
        asm.add_sp(code, SP, FRAME_POINTER, 0, SCRATCH)
        asm.pair(code, e.LDP_RRM64_POST, FRAME_POINTER, LINK_REGISTER, SP, 16)


def context_place(emitter: Emitter) -> tuple[int, int]:
    """Where a function that calls references keeps its VMContext: base register and offset."""
    base, offset = _saved_place(emitter)
    return base, offset + 8 * len(emitter.frame.saved_registers)


def restore_sp(emitter: Emitter) -> None:
    """The stack pointer as it is between prologue and return, from the frame pointer."""
    frame = emitter.frame
    asm.add_sp(emitter.code, SP, FRAME_POINTER, 0 if is_compact(frame) else -frame.size, SCRATCH)


# Traps. A site is a call, whose return address says which site it was, of code that all sites with the same trap code
# share; that loads the code and continues in what all trap codes share. Both are left out where nobody would share.


def emit_trap_site(emitter: Emitter, trap_code: int) -> None:
    """Leave with `trap_code`."""
    code = emitter.code
    label = emitter.trap_tails.get(trap_code)
    if label is None:
        label = emitter.trap_tails[trap_code] = emitter.buffer.new_label()
    emitter.buffer.refer(label, INSTRUCTION)
    asm.branch(code, e.BL_L)


def emit_trap_tails(emitter: Emitter) -> None:
    """The code behind the trap sites: trap code to x16, and to the trap exit, which expects the pc in x30."""
    code = emitter.code
    tails = emitter.trap_tails
    if not tails:
        return
    last = len(tails) - 1
    common = emitter.buffer.new_label()
    for number, (trap_code, label) in enumerate(tails.items()):
        emitter.buffer.bind(label)
        asm.ri(code, e.MOVZ_RI32, SCRATCH, trap_code)
        if number < last:
            jump(emitter, common)
    emitter.buffer.bind(common)
    _rm(code, e.LDR_RM64, SCRATCH2, CONTEXT_REGISTER, CONTEXT["trap_exit"])
    asm.r(code, e.BR_R, SCRATCH2)


def check_stack(emitter: Emitter, lowest: int, wasm_offset: int) -> None:
    """Call the poll exit when address `lowest` (sp or x17) is below the stack limit.

    The runtime raises the limit to interrupt code.
    """
    code = emitter.code
    buffer = emitter.buffer
    _rm(code, e.LDR_RM64, SCRATCH, CONTEXT_REGISTER, CONTEXT["stack_limit"])
    asm.rrr(code, e.SUBS_RRX64, ZR, lowest, SCRATCH, extended(UXTX))
    label = buffer.new_label()
    branch(emitter, CC_LO, label)
    back = buffer.new_label()
    buffer.bind(back)
    emitter.poll_sites.append((label, back, lowest, wasm_offset))


def emit_poll_sites(emitter: Emitter) -> None:
    """The calls of the poll exit, which come back. x17 is the lowest address that is needed."""
    code = emitter.code
    buffer = emitter.buffer
    sites = emitter.poll_sites
    shared = buffer.new_label()
    several = sum(lowest == SP for _, _, lowest, _ in sites) > 1
    for label, back, lowest, wasm_offset in sites:
        buffer.bind(label)
        if several and lowest == SP:
            buffer.refer(shared, INSTRUCTION)
            asm.branch(code, e.BL_L)
        else:
            if lowest == SP:
                asm.rri(code, e.ADD_RRI64, SCRATCH2, SP, 0)
            _rm(code, e.LDR_RM64, SCRATCH, CONTEXT_REGISTER, CONTEXT["poll_exit"])
            asm.r(code, e.BLR_R, SCRATCH)
        buffer.mark(len(code), wasm_offset)
        jump(emitter, back)
    if several:
        buffer.bind(shared)
        asm.rri(code, e.ADD_RRI64, SCRATCH2, SP, 0)
        _rm(code, e.LDR_RM64, SCRATCH, CONTEXT_REGISTER, CONTEXT["poll_exit"])
        asm.r(code, e.BR_R, SCRATCH)


class BrTable(MOp):
    """To edge uses[0], the last one when it is out of range."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        code = emitter.code
        edges = emitter.block.edges
        index = inst.uses[0]
        default = edges[-1].block.label
        count = len(edges) - 1
        if count <= 0xFFF:
            asm.rri(code, e.SUBS_RRI32, ZR, index, count)
        else:
            asm.load_integer(code, SCRATCH, count)
            asm.rrr(code, e.SUBS_RRR32, ZR, index, SCRATCH)
        branch(emitter, CC_HS, default)
        load_address(emitter, SCRATCH, emitter.jump_table([edge.block.label for edge in edges[:-1]]))
        asm.rmx(code, e.LDRSW_RM64, SCRATCH2, SCRATCH, index, indexed(UXTW, True))
        asm.rrr(code, e.ADD_RRR64, SCRATCH, SCRATCH, SCRATCH2)
        asm.r(code, e.BR_R, SCRATCH)


class Return(MOp):
    """Saved registers back, the frame away, and return."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        restore_registers(emitter)
        leave_frame(emitter)
        asm.r(emitter.code, e.RET_R, LINK_REGISTER)


class Throw(MOp):
    """To the throw exit; the return address tells where."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        _rm(emitter.code, e.LDR_RM64, SCRATCH, CONTEXT_REGISTER, CONTEXT["throw_exit"])
        asm.r(emitter.code, e.BLR_R, SCRATCH)
        emitter.buffer.mark(len(emitter.code), inst.offset)


class Call(MOp):
    """Through the slot of function imm, by a sequence that `lazy_slot` relies on, or to the function's own entry."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        code = emitter.code
        buffer = emitter.buffer
        if inst.imm == emitter.function.index:
            buffer.fixups.append((len(code), emitter.own_entry(), INSTRUCTION))
            asm.branch(code, e.BL_L)
        else:
            buffer.relocate(RELOCATION_FUNCTION_SLOT, inst.imm)
            asm.branch_r(code, e.ADRP_RL, SCRATCH)
            _rm(code, e.LDR_RM64, SCRATCH2, SCRATCH, 0)
            asm.r(code, e.BLR_R, SCRATCH2)
        buffer.mark(len(code), inst.offset)
        if self.lands:
            mark_landing(emitter)


class CallNative(MOp):
    """The C function in x8, on the C stack. imm: its result is an i32, of which C leaves the upper half undefined."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        code = emitter.code
        if emitter.function.abi == ABI_C:
            asm.r(code, e.BLR_R, NATIVE_REGISTER)
        else:
            _rm(code, e.LDR_RM64, SCRATCH, CONTEXT_REGISTER, CONTEXT["store"])
            asm.rri(code, e.ADD_RRI64, SCRATCH2, SP, 0)
            _rm(code, e.STR_RM64, SCRATCH2, SCRATCH, STORE["wasm_sp"])
            _rm(code, e.LDR_RM64, SCRATCH2, SCRATCH, STORE["c_sp"])
            asm.rri(code, e.ADD_RRI64, SP, SCRATCH2, 0)
            asm.r(code, e.BLR_R, NATIVE_REGISTER)
            emitter.buffer.mark(len(code), inst.offset)
            restore_sp(emitter)
        if inst.imm:
            asm.rrr(code, e.ORR_RRR32, X0, ZR, X0)


BR_TABLE: Final = BrTable("br_table")
RETURN: Final = Return("return")
CALL: Final = Call("call")
INVOKE: Final = Call("invoke", lands=True)
THROW: Final = Throw("throw")
CALL_NATIVE: Final = CallNative("call_native")
