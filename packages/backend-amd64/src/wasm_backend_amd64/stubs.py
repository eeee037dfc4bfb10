"""Machine code that exists once per process: trap exit, handler of faults, and what calls the lazy compiler.

See `wasm_ir.backend.Stubs` for what each does. Registers are those of the calling convention in `abi`: r15 is the
VMContext, rbp the frame pointer, r10 the funcref at entries through one, and r11 is free everywhere.
"""

from __future__ import annotations

from wasm_backend_amd64 import encodings as enc
from wasm_backend_amd64.abi import (
    KEPT_CONTEXT,
    KEPT_RESULTS,
    LANDING_MARKER,
    NATIVE_ARGUMENTS,
    PINNING_SIZE,
    WINDOWS,
)
from wasm_backend_amd64.assembler import (
    R8,
    R9,
    R10,
    R11,
    R14,
    R15,
    RAX,
    RBP,
    RBX,
    RCX,
    RDI,
    RDX,
    RSI,
    RSP,
    XMM0,
    jcc32,
    jmp32,
    m,
    mi,
    nop,
    patch_rel32,
    r,
    ri,
    rip,
    rm,
    rr,
)
from wasm_backend_amd64.signals import SignalLayout, signal_layout
from wasm_core.errors import TrapCode
from wasm_ir.backend import StubEnvironment, Stubs
from wasm_ir.vmcontext import CONTEXT, STATUS_EXCEPTION, STATUS_THROWN, STATUS_TRAP, STORE

_SIG_DFL, _SIG_IGN = 0, 1
#: winerror.h; EXCEPTION_IN_PAGE_ERROR is the next number.
_ACCESS_VIOLATION = 0xC0000005

#: Arguments of WebAssembly functions, what these preserve and C functions do not (r8, r9), and the funcref.
_SAVED_INTEGER = (RDI, RSI, RDX, RCX, R8, R9, R10)
_SAVED_FLOAT = tuple(range(XMM0, XMM0 + 8))
# Below the frame pointer: integer registers, 8 bytes each, then xmm registers, 16 bytes each.
_FLOAT_OFFSET = -((8 * len(_SAVED_INTEGER) + 15) & ~15) - 16 * len(_SAVED_FLOAT)
_LAZY_FRAME = -_FLOAT_OFFSET
#: What a poll saves: all that C functions may destroy, but r11 (and all of every xmm register).
_POLL_INTEGER = (RAX, RCX, RDX, RSI, RDI, R8, R9, R10)
_POLL_FLOAT_OFFSET = -8 * len(_POLL_INTEGER) - 16 * 16
_POLL_FRAME = -_POLL_FLOAT_OFFSET
#: What lazy compilation finds the function by: the funcref in r10, the slot whose address is in r11, or the slot that
#: the call in front of the return address names.
_BY_FUNCREF, _BY_SLOT, _BY_CALL = range(3)


def build_stubs(environment: StubEnvironment, windows: bool = False) -> Stubs:
    """Assemble the stubs; `windows`: C functions have its convention.

    Raises CompileError when the operating system's signal frames are not known.
    """
    layout = signal_layout()
    code = bytearray()
    trap_exit, fault_exit = _trap_exits(code)
    _align(code)
    lazy_funcref = len(code)
    nop(code, PINNING_SIZE)
    _lazy(code, _BY_FUNCREF, windows)
    _align(code)
    lazy_slot = len(code)
    _lazy(code, _BY_CALL, windows)
    _align(code)
    lazy_tail = len(code)
    _lazy(code, _BY_SLOT, windows)
    _align(code)
    tail_return = len(code)
    _tail_return(code)
    _align(code)
    poll_exit = len(code)
    _poll_exit(code, trap_exit, windows)
    _align(code)
    throw_exit = len(code)
    walk = _throw_exit(code)
    _align(code)
    resume_entry = len(code)
    _resume_entry(code, walk)
    _align(code)
    signal_handler = len(code)
    addresses: list[int] = []
    make_handler = _vectored_handler if layout.vectored else _signal_handler
    make_handler(code, environment, layout, fault_exit, addresses)
    return Stubs(
        bytes(code),
        trap_exit,
        signal_handler,
        lazy_funcref,
        lazy_slot,
        poll_exit,
        throw_exit=throw_exit,
        lazy_tail=lazy_tail,
        tail_return=tail_return,
        resume_entry=resume_entry,
        addresses=tuple(addresses),
    )


def _align(code: bytearray) -> None:
    nop(code, -len(code) & 15)


def _load(code: bytearray, register: int, base: int, offset: int) -> None:
    rm(code, enc.MOV_RM64, register, base, -1, 0, offset)


def _store(code: bytearray, base: int, offset: int, register: int) -> None:
    rm(code, enc.MOV_MR64, register, base, -1, 0, offset)


def _leave(code: bytearray, store: int, status: int) -> None:
    """Continue behind the innermost `enter` with a status. `store`: register with the address of the store."""
    _load(code, RBP, store, STORE["entry_fp"])
    ri(code, enc.MOV_RI32, R10, status)
    m(code, enc.JMP_M, store, -1, 0, STORE["entry_resume"])


def _trap_exits(code: bytearray) -> tuple[int, int]:
    """The trap exit (code in r11, pc on the stack) and the fault exit (pc in r11, the address accessed in rcx).

    Returns the offsets of both.
    """
    trap_exit = len(code)
    _load(code, RAX, R15, CONTEXT["store"])
    _store(code, RAX, STORE["trap_code"], R11)
    r(code, enc.POP_R, R11)
    recorded = jmp32(code)
    _align(code)
    fault_exit = len(code)
    _load(code, RAX, R15, CONTEXT["store"])
    mi(code, enc.MOV_MI64, RAX, -1, 0, STORE["trap_code"], TrapCode.MEMORY_OUT_OF_BOUNDS)
    _store(code, RAX, STORE["fault_address"], RCX)
    patch_rel32(code, recorded, len(code))
    _store(code, RAX, STORE["trap_pc"], R11)
    _store(code, RAX, STORE["trap_fp"], RBP)
    _leave(code, RAX, STATUS_TRAP)
    return trap_exit, fault_exit


def _lazy(code: bytearray, by: int, windows: bool) -> None:
    """Call the store's resolver on the C stack, with all argument registers kept, and go where it says."""
    r(code, enc.PUSH_R, RBP)
    rr(code, enc.MOV_RR64, RBP, RSP)
    ri(code, enc.SUB_RI64, RSP, _LAZY_FRAME)
    for number, register in enumerate(_SAVED_INTEGER):
        _store(code, RBP, -8 * (number + 1), register)
    for number, register in enumerate(_SAVED_FLOAT):
        rm(code, enc.MOVUPS_MR, register, RBP, -1, 0, _FLOAT_OFFSET + 16 * number)

    funcref, slot, context = NATIVE_ARGUMENTS[windows]
    if by == _BY_FUNCREF:
        rr(code, enc.MOV_RR64, funcref, R10)
        rr(code, enc.XOR_RR32, slot, slot)
    elif by == _BY_SLOT:
        rr(code, enc.XOR_RR32, funcref, funcref)
        rr(code, enc.MOV_RR64, slot, R11)
    else:
        # The call was `call [rip + disp32]`: the displacement in front of the return address leads to the slot.
        rr(code, enc.XOR_RR32, funcref, funcref)
        _load(code, RAX, RBP, 8)
        rm(code, enc.MOVSXD_RM64, slot, RAX, -1, 0, -4)
        rr(code, enc.ADD_RR64, slot, RAX)
    # The caller's VMContext, of another instance perhaps. Those that call each other have one store.
    rr(code, enc.MOV_RR64, context, R15)
    _load(code, RAX, context, CONTEXT["store"])
    _call_on_c_stack(code, STORE["resolver"], windows)

    rr(code, enc.TEST_RR64, RAX, RAX)
    refused = jcc32(code, enc.CC_E)
    rr(code, enc.MOV_RR64, R11, RAX)
    for number, register in enumerate(_SAVED_INTEGER):
        _load(code, register, RBP, -8 * (number + 1))
    for number, register in enumerate(_SAVED_FLOAT):
        rm(code, enc.MOVUPS_RM, register, RBP, -1, 0, _FLOAT_OFFSET + 16 * number)
    rr(code, enc.MOV_RR64, RSP, RBP)
    r(code, enc.POP_R, RBP)
    r(code, enc.JMP_R, R11)

    patch_rel32(code, refused, len(code))
    _load(code, RAX, R15, CONTEXT["store"])
    # The backtrace begins in the caller: this frame belongs to no function.
    _load(code, RCX, RBP, 8)
    _store(code, RAX, STORE["trap_pc"], RCX)
    _load(code, RCX, RBP, 0)
    _store(code, RAX, STORE["trap_fp"], RCX)
    _leave(code, RAX, STATUS_EXCEPTION)


def _call_on_c_stack(code: bytearray, field: int, windows: bool) -> None:
    """Call the C function in a field of the store, whose address is in rax."""
    _store(code, RAX, STORE["wasm_sp"], RSP)
    _load(code, RSP, RAX, STORE["c_sp"])
    if windows:
        ri(code, enc.SUB_RI64, RSP, 8 * WINDOWS.shadow_words)
    m(code, enc.CALL_M, RAX, -1, 0, field)


def _tail_return(code: bytearray) -> None:
    """Where the callee of a tail call returns that has kept the linkage of its frame (see tail_calls.py).

    Results that are on the stack go to the words where the caller looks for them. Uses r10 and r11.
    """
    _load(code, R10, RBP, KEPT_RESULTS)
    rr(code, enc.TEST_RR64, R10, R10)
    none = jcc32(code, enc.CC_E)
    more = len(code)
    rm(code, enc.MOV_RM64, R11, RSP, R10, 3, -8)
    rm(code, enc.MOV_MR64, R11, RBP, R10, 3, 8)
    r(code, enc.DEC_R32, R10)
    patch_rel32(code, jcc32(code, enc.CC_NE), more)
    patch_rel32(code, none, len(code))
    _load(code, R15, RBP, KEPT_CONTEXT)
    _load(code, R14, R15, CONTEXT["memory_base"])
    rr(code, enc.MOV_RR64, RSP, RBP)
    r(code, enc.POP_R, RBP)
    code += enc.RET


def _poll_exit(code: bytearray, trap_exit: int, windows: bool) -> None:
    """Called by a function's prologue or loop (return address on the stack) with the lowest address it needs in r11.

    All registers are kept but r11, also those that C functions preserve anyway: by them.
    """
    r(code, enc.PUSH_R, RBP)
    rr(code, enc.MOV_RR64, RBP, RSP)
    ri(code, enc.SUB_RI64, RSP, _POLL_FRAME)
    for number, register in enumerate(_POLL_INTEGER):
        _store(code, RBP, -8 * (number + 1), register)
    _load(code, RAX, R15, CONTEXT["store"])
    rm(code, enc.CMP_RM64, R11, RAX, -1, 0, STORE["stack_limit"])
    exhausted = jcc32(code, enc.CC_B)
    for number in range(16):
        rm(code, enc.MOVUPS_MR, XMM0 + number, RBP, -1, 0, _POLL_FLOAT_OFFSET + 16 * number)

    # For backtraces: the function that polled, not this frame.
    _load(code, RCX, RBP, 8)
    _store(code, RAX, STORE["trap_pc"], RCX)
    _load(code, RCX, RBP, 0)
    _store(code, RAX, STORE["trap_fp"], RCX)
    rr(code, enc.MOV_RR64, NATIVE_ARGUMENTS[windows][0], R15)
    _call_on_c_stack(code, STORE["interrupted"], windows)
    rr(code, enc.TEST_RR64, RAX, RAX)
    leaves = jcc32(code, enc.CC_NE)
    for number in range(16):
        rm(code, enc.MOVUPS_RM, XMM0 + number, RBP, -1, 0, _POLL_FLOAT_OFFSET + 16 * number)
    for number, register in enumerate(_POLL_INTEGER):
        _load(code, register, RBP, -8 * (number + 1))
    rr(code, enc.MOV_RR64, RSP, RBP)
    r(code, enc.POP_R, RBP)
    code += enc.RET

    patch_rel32(code, leaves, len(code))
    _load(code, RAX, R15, CONTEXT["store"])
    _load(code, RCX, RBP, 8)
    _store(code, RAX, STORE["trap_pc"], RCX)
    _load(code, RCX, RBP, 0)
    _store(code, RAX, STORE["trap_fp"], RCX)
    _leave(code, RAX, STATUS_EXCEPTION)

    patch_rel32(code, exhausted, len(code))
    rr(code, enc.MOV_RR64, RSP, RBP)
    r(code, enc.POP_R, RBP)
    ri(code, enc.MOV_RI32, R11, TrapCode.CALL_STACK_EXHAUSTED)
    patch_rel32(code, jmp32(code), trap_exit)


def _throw_exit(code: bytearray) -> int:
    """Called by a function that throws: look behind the calls outside of it, by the chain of frame pointers.

    Returns the offset of the part that looks, from the frame pointer on, with the store's address in rax.
    """
    _load(code, RAX, R15, CONTEXT["store"])
    r(code, enc.POP_R, RCX)
    _store(code, RAX, STORE["trap_pc"], RCX)
    _store(code, RAX, STORE["trap_fp"], RBP)
    walk = len(code)
    _load(code, RSI, RAX, STORE["entry_fp"])
    outward = len(code)
    _load(code, RCX, RBP, 8)
    _load(code, RBP, RBP, 0)
    rr(code, enc.CMP_RR64, RBP, RSI)
    outermost = jcc32(code, enc.CC_E)
    # Byte by byte: the call may be at the end of what can be read, with an instruction as short as that behind it.
    for offset, byte in enumerate(LANDING_MARKER):
        mi(code, enc.CMP_MI8, RCX, -1, 0, offset, byte)
        patch_rel32(code, jcc32(code, enc.CC_NE), outward)
    rm(code, enc.MOVSXD_RM64, RDX, RCX, -1, 0, len(LANDING_MARKER))
    rm(code, enc.LEA_RM64, RCX, RCX, RDX, 0, len(LANDING_MARKER) + 4)
    r(code, enc.JMP_R, RCX)
    patch_rel32(code, outermost, len(code))
    _leave(code, RAX, STATUS_THROWN)
    return walk


def _resume_entry(code: bytearray, walk: int) -> None:
    """A WebAssembly function of one i64, a frame pointer: goes on as if the function with that frame had thrown."""
    rr(code, enc.MOV_RR64, RBP, RDI)
    _load(code, RAX, R15, CONTEXT["store"])
    patch_rel32(code, jmp32(code), walk)


def _address(code: bytearray, register: int, address: int, addresses: list[int]) -> None:
    """Load an address of the environment, and note where it stands."""
    ri(code, enc.MOV_RI64, register, address)
    addresses.append(len(code) - 8)


def _redirect(
    code: bytearray,
    environment: StubEnvironment,
    layout: SignalLayout,
    fault_exit: int,
    addresses: list[int],
    record: int,
    foreign: list[int],
) -> int:
    """Change the saved registers, at rdx, so that a fault of ours goes on at its exit.

    A fault is ours when its pc lies in the arena but not in the stubs, which begin at offset 0: were one of those to
    fault, resuming it as a trap would fault again for ever. Jumps that leave for others are added to `foreign`.
    `record` is the register with the address of what says where the fault was.
    Uses rax, rcx, r8, r9 and r11. Returns the place of the displacement that is to lead to the end of the stubs.
    """
    context = RDX
    if layout.context_pointer >= 0:
        context = R11
        _load(code, R11, RDX, layout.context_pointer)
    _load(code, RAX, context, layout.context_rip)
    _address(code, RCX, environment.arena_start, addresses)
    ri(code, enc.MOV_RI64, R8, environment.arena_size)
    rr(code, enc.MOV_RR64, R9, RAX)
    rr(code, enc.SUB_RR64, R9, RCX)
    rr(code, enc.CMP_RR64, R9, R8)
    foreign.append(jcc32(code, enc.CC_AE))
    patch_rel32(code, rip(code, enc.LEA_RM64, RCX), 0)
    rr(code, enc.MOV_RR64, R9, RAX)
    rr(code, enc.SUB_RR64, R9, RCX)
    end_of_stubs = rip(code, enc.LEA_RM64, R8)
    rr(code, enc.SUB_RR64, R8, RCX)
    rr(code, enc.CMP_RR64, R9, R8)
    foreign.append(jcc32(code, enc.CC_B))
    patch_rel32(code, rip(code, enc.LEA_RM64, RCX), fault_exit)
    _store(code, context, layout.context_r11, RAX)
    _load(code, RAX, record, layout.info_address)
    _store(code, context, layout.context_rcx, RAX)
    _store(code, context, layout.context_rip, RCX)
    return end_of_stubs


def _vectored_handler(
    code: bytearray, environment: StubEnvironment, layout: SignalLayout, fault_exit: int, addresses: list[int]
) -> None:
    """A vectored handler of Windows: rcx = EXCEPTION_POINTERS *, which is an EXCEPTION_RECORD * and a CONTEXT *.

    It says whether to go on with the registers in the CONTEXT, or to ask the next handler.
    """
    code += enc.ENDBR64
    _load(code, R10, RCX, 0)
    _load(code, RDX, RCX, 8)
    foreign = []
    rm(code, enc.MOV_RM32, RAX, R10, -1, 0, layout.info_code)
    ri(code, enc.ADD_RI32, RAX, (1 << 32) - _ACCESS_VIOLATION)
    ri(code, enc.CMP_RI32, RAX, 1)
    foreign.append(jcc32(code, enc.CC_A))
    end_of_stubs = _redirect(code, environment, layout, fault_exit, addresses, R10, foreign)
    ri(code, enc.MOV_RI32, RAX, 0xFFFF_FFFF)  # EXCEPTION_CONTINUE_EXECUTION
    code += enc.RET
    for position in foreign:
        patch_rel32(code, position, len(code))
    rr(code, enc.XOR_RR32, RAX, RAX)  # EXCEPTION_CONTINUE_SEARCH
    code += enc.RET
    patch_rel32(code, end_of_stubs, len(code))


def _signal_handler(
    code: bytearray, environment: StubEnvironment, layout: SignalLayout, fault_exit: int, addresses: list[int]
) -> None:
    """The SA_SIGINFO handler: rdi = signal, rsi = siginfo_t *, rdx = ucontext_t *."""
    code += enc.ENDBR64
    # A signal that somebody sent (kill, raise) says nothing about the instruction at the pc.
    mi(code, enc.CMP_MI32, RSI, -1, 0, layout.info_code, 0)
    foreign = [jcc32(code, enc.CC_LE)]
    end_of_stubs = _redirect(code, environment, layout, fault_exit, addresses, RSI, foreign)
    code += enc.RET

    for position in foreign:
        patch_rel32(code, position, len(code))
    # rdi, rsi and rdx are still what the kernel passed.
    ignored = []
    for signal, handler in environment.previous_handlers.items():
        if handler == _SIG_DFL:
            continue
        ri(code, enc.CMP_RI32, RDI, signal)
        if handler == _SIG_IGN:
            ignored.append(jcc32(code, enc.CC_E))
            continue
        other = jcc32(code, enc.CC_NE)
        _address(code, RAX, handler, addresses)
        r(code, enc.JMP_R, RAX)
        patch_rel32(code, other, len(code))
    default = jmp32(code) if ignored else -1
    for position in ignored:
        patch_rel32(code, position, len(code))
    if ignored:
        # Signals that were sent are ignored as before; a fault kills even where it is ignored (POSIX, sigaction).
        mi(code, enc.CMP_MI32, RSI, -1, 0, layout.info_code, 0)
        fault = jcc32(code, enc.CC_G)
        code += enc.RET
        patch_rel32(code, fault, len(code))
        patch_rel32(code, default, len(code))
    _restore_default(code, environment.sigaction, layout, addresses)
    patch_rel32(code, end_of_stubs, len(code))


def _restore_default(code: bytearray, sigaction: int, layout: SignalLayout, addresses: list[int]) -> None:
    """Give signal rdi its default action and return: a fault then repeats. A signal that was sent is sent again."""
    frame = (layout.sigaction_size + 15) & ~15 | 8  # with two pushes and the return address: a multiple of 16
    r(code, enc.PUSH_R, RBX)
    r(code, enc.PUSH_R, RBP)
    ri(code, enc.SUB_RI64, RSP, frame)
    rr(code, enc.MOV_RR32, RBX, RDI)
    rr(code, enc.MOV_RR64, RBP, RSI)
    rr(code, enc.XOR_RR32, RAX, RAX)
    for offset in range(0, layout.sigaction_size, 8):
        _store(code, RSP, offset, RAX)
    rr(code, enc.MOV_RR64, RSI, RSP)
    rr(code, enc.XOR_RR32, RDX, RDX)
    _address(code, RAX, sigaction, addresses)
    r(code, enc.CALL_R, RAX)
    mi(code, enc.CMP_MI32, RBP, -1, 0, layout.info_code, 0)
    fault = jcc32(code, enc.CC_G)
    ri(code, enc.MOV_RI32, RAX, layout.getpid)
    code += enc.SYSCALL
    rr(code, enc.MOV_RR32, RDI, RAX)
    rr(code, enc.MOV_RR32, RSI, RBX)
    ri(code, enc.MOV_RI32, RAX, layout.kill)
    code += enc.SYSCALL
    patch_rel32(code, fault, len(code))
    ri(code, enc.ADD_RI64, RSP, frame)
    r(code, enc.POP_R, RBP)
    r(code, enc.POP_R, RBX)
    code += enc.RET
