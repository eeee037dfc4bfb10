"""Machine code that exists once per process: trap exit, signal handler, what calls the lazy compiler, cache upkeep.

See `wasm_ir.backend.Stubs` for what each does. Registers are those of the calling convention in `abi`: x28 is the
VMContext, x29 the frame pointer, x15 the funcref at entries through one, and x16 and x17 are free everywhere.
"""

from __future__ import annotations

from wasm_backend_arm64 import encodings as e
from wasm_backend_arm64.abi import KEPT_RESULTS, LANDING_MARKER, LANDING_MASK, PINNING_SIZE
from wasm_backend_arm64.assembler import (
    add_sp,
    branch,
    branch_if,
    branch_r,
    load_integer,
    pair,
    patch,
    r,
    r_low,
    ri,
    rm,
    rmx,
    rrb,
    rri,
    rrl,
    rrr,
)
from wasm_backend_arm64.assembler import pack as word
from wasm_backend_arm64.registers import (
    CALLEE_REGISTER,
    CONTEXT_REGISTER,
    FRAME_POINTER,
    LINK_REGISTER,
    MEMORY_REGISTER,
    SCRATCH,
    SCRATCH2,
    SP,
    STATUS_REGISTER,
    V0,
    X0,
    X1,
    X2,
    X3,
    X4,
    X5,
    X8,
    X9,
    X10,
    X11,
    X12,
    X13,
    X14,
    X19,
    X20,
    ZR,
)
from wasm_backend_arm64.signals import SignalLayout, signal_layout
from wasm_core.errors import TrapCode
from wasm_ir.backend import StubEnvironment, Stubs
from wasm_ir.vmcontext import CONTEXT, STATUS_EXCEPTION, STATUS_THROWN, STATUS_TRAP, STORE

_SIG_DFL, _SIG_IGN = 0, 1

# What the lazy stubs save: arguments of WebAssembly functions (x0..x7, all of v0..v7), the funcref.
_LAZY_FLOATS = 64
_LAZY_FUNCREF = _LAZY_FLOATS + 8 * 16
_LAZY_FRAME = _LAZY_FUNCREF + 16
# What a poll saves: all that C functions may destroy, but x16, x17 and x18, which no code of ours keeps anything in.
_POLL_FLOATS = 128
_POLL_FRAME = _POLL_FLOATS + 32 * 16
#: What lazy compilation finds the function by: the funcref in x15, the slot that a tail call names, or a call.
_BY_FUNCREF, _BY_SLOT, _BY_CALL = range(3)


def build_stubs(environment: StubEnvironment) -> Stubs:
    """Assemble the stubs. Raises CompileError when the operating system's signal frames are not known."""
    layout = signal_layout()
    code = bytearray()
    trap_exit, fault_exit = _trap_exits(code)
    _align(code)
    lazy_funcref = len(code)
    for _ in range(0, PINNING_SIZE, 4):
        code += word(e.NOP)
    _lazy(code, _BY_FUNCREF)
    _align(code)
    lazy_slot = len(code)
    _lazy(code, _BY_CALL)
    _align(code)
    lazy_tail = len(code)
    _lazy(code, _BY_SLOT)
    _align(code)
    tail_return = len(code)
    _tail_return(code)
    _align(code)
    poll_exit = len(code)
    _poll_exit(code, trap_exit)
    _align(code)
    throw_exit = len(code)
    walk = _throw_exit(code)
    _align(code)
    resume_entry = len(code)
    _resume_entry(code, walk)
    _align(code)
    synchronize = len(code)
    _synchronize(code)
    _align(code)
    signal_handler = len(code)
    addresses = _Addresses()
    _signal_handler(code, environment, layout, fault_exit, addresses)
    places = addresses.emit(code)
    return Stubs(
        bytes(code),
        trap_exit,
        signal_handler,
        lazy_funcref,
        lazy_slot,
        poll_exit,
        synchronize,
        places,
        throw_exit,
        lazy_tail,
        tail_return,
        resume_entry,
    )


class _Addresses:
    """Addresses of the environment: 8-byte words behind the code that loads them."""

    def __init__(self) -> None:
        #: (position of the load, address)
        self._loads: list[tuple[int, int]] = []

    def load(self, code: bytearray, register: int, address: int) -> None:
        """Emit the load of an address."""
        self._loads.append((branch_r(code, e.LDR_RL64, register), address))

    def emit(self, code: bytearray) -> tuple[int, ...]:
        """Emit the words; returns where they are."""
        _align(code)
        places = []
        for position, address in self._loads:
            patch(code, position, len(code))
            places.append(len(code))
            code += address.to_bytes(8, "little")
        return tuple(places)


def _align(code: bytearray) -> None:
    while len(code) & 15:
        code += word(e.NOP)


def _load(code: bytearray, register: int, base: int, offset: int) -> None:
    rm(code, e.LDR_RM64, register, base, offset)


def _store(code: bytearray, base: int, offset: int, register: int) -> None:
    rm(code, e.STR_RM64, register, base, offset)


def _move(code: bytearray, destination: int, source: int) -> None:
    rrr(code, e.ORR_RRR64, destination, ZR, source)


def _push_frame(code: bytearray, size: int) -> None:
    """Save x29 and x30, and make room for `size` bytes below."""
    pair(code, e.STP_RRM64_PRE, FRAME_POINTER, LINK_REGISTER, SP, -16)
    add_sp(code, FRAME_POINTER, SP, 0, SCRATCH)
    add_sp(code, SP, SP, -size, SCRATCH)


def _pop_frame(code: bytearray) -> None:
    add_sp(code, SP, FRAME_POINTER, 0, SCRATCH)
    pair(code, e.LDP_RRM64_POST, FRAME_POINTER, LINK_REGISTER, SP, 16)


def _to_c_stack(code: bytearray, store: int) -> None:
    """Remember the stack pointer and take that of C. Uses x17."""
    add_sp(code, SCRATCH2, SP, 0, SCRATCH2)
    _store(code, store, STORE["wasm_sp"], SCRATCH2)
    _load(code, SCRATCH2, store, STORE["c_sp"])
    add_sp(code, SP, SCRATCH2, 0, SCRATCH2)


def _record_caller(code: bytearray, store: int) -> None:
    """Backtraces begin in the caller: our own frame belongs to no function. Uses x16 and x17."""
    _load(code, SCRATCH, FRAME_POINTER, 0)
    _load(code, SCRATCH2, FRAME_POINTER, 8)
    _store(code, store, STORE["trap_fp"], SCRATCH)
    _store(code, store, STORE["trap_pc"], SCRATCH2)


def _leave(code: bytearray, store: int, status: int) -> None:
    """Continue behind the innermost `enter` with a status. `store`: register with the address of the store."""
    _load(code, FRAME_POINTER, store, STORE["entry_fp"])
    _load(code, SCRATCH2, store, STORE["entry_resume"])
    ri(code, e.MOVZ_RI32, STATUS_REGISTER, status)
    r(code, e.BR_R, SCRATCH2)


def _trap_exits(code: bytearray) -> tuple[int, int]:
    """The trap exit (code in x16, pc in x30) and the fault exit (pc in x16, the address that was accessed in x17).

    Returns the offsets of both.
    """
    trap_exit = len(code)
    _load(code, X10, CONTEXT_REGISTER, CONTEXT["store"])
    _store(code, X10, STORE["trap_code"], SCRATCH)
    _move(code, SCRATCH, LINK_REGISTER)
    recorded = branch(code)
    _align(code)
    fault_exit = len(code)
    _load(code, X10, CONTEXT_REGISTER, CONTEXT["store"])
    ri(code, e.MOVZ_RI32, X11, TrapCode.MEMORY_OUT_OF_BOUNDS)
    _store(code, X10, STORE["trap_code"], X11)
    _store(code, X10, STORE["fault_address"], SCRATCH2)
    patch(code, recorded, len(code))
    _store(code, X10, STORE["trap_pc"], SCRATCH)
    _store(code, X10, STORE["trap_fp"], FRAME_POINTER)
    _leave(code, X10, STATUS_TRAP)
    return trap_exit, fault_exit


def _lazy(code: bytearray, by: int) -> None:
    """Call the store's resolver on the C stack, with all argument registers kept, and go where it says."""
    _push_frame(code, _LAZY_FRAME)
    for number in range(0, 8, 2):
        pair(code, e.STP_RRM64, X0 + number, X0 + number + 1, SP, 8 * number)
        pair(code, e.STP_FFM128, V0 + number, V0 + number + 1, SP, _LAZY_FLOATS + 16 * number)
    _store(code, SP, _LAZY_FUNCREF, CALLEE_REGISTER)

    if by == _BY_FUNCREF:
        _move(code, X0, CALLEE_REGISTER)
        ri(code, e.MOVZ_RI32, X1, 0)
    else:
        # The call was `adrp x16, page; ldr x17, [x16, offset]; blr x17`, so x16 is still the page of the slot; the
        # offset is in the load's immediate, bits 10 to 21, in units of 8. Of a tail call x10 is the page, and x12 says
        # where the load is.
        ri(code, e.MOVZ_RI32, X0, 0)
        load, distance, page = (LINK_REGISTER, -8, SCRATCH) if by == _BY_CALL else (X12, 0, X10)
        rm(code, e.LDR_RM32, X1, load, distance)
        rrb(code, e.UBFM_RRB32, X1, X1, 10, 21)
        rrr(code, e.ADD_RRR64, X1, page, X1, e.shifted(e.LSL, 3))
    # The caller's VMContext, of another instance perhaps. Those that call each other have one store.
    _move(code, X2, CONTEXT_REGISTER)
    _load(code, X8, X2, CONTEXT["store"])
    _to_c_stack(code, X8)
    _load(code, SCRATCH, X8, STORE["resolver"])
    r(code, e.BLR_R, SCRATCH)

    refused = branch_r(code, e.CBZ_RL64, X0)
    _move(code, SCRATCH, X0)
    add_sp(code, SP, FRAME_POINTER, -_LAZY_FRAME, SCRATCH2)
    for number in range(0, 8, 2):
        pair(code, e.LDP_RRM64, X0 + number, X0 + number + 1, SP, 8 * number)
        pair(code, e.LDP_FFM128, V0 + number, V0 + number + 1, SP, _LAZY_FLOATS + 16 * number)
    _load(code, CALLEE_REGISTER, SP, _LAZY_FUNCREF)
    add_sp(code, SP, FRAME_POINTER, 0, SCRATCH2)
    pair(code, e.LDP_RRM64_POST, FRAME_POINTER, LINK_REGISTER, SP, 16)
    r(code, e.BR_R, SCRATCH)

    patch(code, refused, len(code))
    _load(code, X10, CONTEXT_REGISTER, CONTEXT["store"])
    _record_caller(code, X10)
    _leave(code, X10, STATUS_EXCEPTION)


def _tail_return(code: bytearray) -> None:
    """Where the callee of a tail call returns that has kept the linkage of its frame (see tail_calls.py).

    Results that are on the stack go to the words where the caller looks for them. Uses x9 to x13.
    """
    pair(code, e.LDP_RRM64, X9, X10, FRAME_POINTER, KEPT_RESULTS)
    none = branch_r(code, e.CBZ_RL64, X9)
    add_sp(code, X11, SP, 0, SCRATCH)
    add_sp(code, X12, FRAME_POINTER, 16, SCRATCH)
    more = len(code)
    rri(code, e.SUBS_RRI64, X9, X9, 1)
    rmx(code, e.LDR_RM64, X13, X11, X9, e.indexed(e.UXTX, True))
    rmx(code, e.STR_RM64, X13, X12, X9, e.indexed(e.UXTX, True))
    patch(code, branch_if(code, e.CC_NE), more)
    patch(code, none, len(code))
    _move(code, CONTEXT_REGISTER, X10)
    _load(code, MEMORY_REGISTER, CONTEXT_REGISTER, CONTEXT["memory_base"])
    _pop_frame(code)
    r(code, e.RET_R, LINK_REGISTER)


def _poll_exit(code: bytearray, trap_exit: int) -> None:
    """Called by a function's prologue or loop with the lowest address it needs in x17.

    All registers are kept but x16, x17 and x30, also those that C functions preserve anyway: by them.
    """
    _push_frame(code, _POLL_FRAME)
    for number in range(0, 16, 2):
        pair(code, e.STP_RRM64, X0 + number, X0 + number + 1, SP, 8 * number)
    _load(code, X10, CONTEXT_REGISTER, CONTEXT["store"])
    _load(code, X11, X10, STORE["stack_limit"])
    rrr(code, e.SUBS_RRR64, ZR, SCRATCH2, X11)
    exhausted = branch_if(code, e.CC_LO)
    for number in range(0, 32, 2):
        pair(code, e.STP_FFM128, V0 + number, V0 + number + 1, SP, _POLL_FLOATS + 16 * number)
    _record_caller(code, X10)
    _to_c_stack(code, X10)
    _move(code, X0, CONTEXT_REGISTER)
    _load(code, SCRATCH, X10, STORE["interrupted"])
    r(code, e.BLR_R, SCRATCH)

    leaves = branch_r(code, e.CBNZ_RL64, X0)
    add_sp(code, SP, FRAME_POINTER, -_POLL_FRAME, SCRATCH)
    for number in range(0, 32, 2):
        pair(code, e.LDP_FFM128, V0 + number, V0 + number + 1, SP, _POLL_FLOATS + 16 * number)
    for number in range(0, 16, 2):
        pair(code, e.LDP_RRM64, X0 + number, X0 + number + 1, SP, 8 * number)
    _pop_frame(code)
    r(code, e.RET_R, LINK_REGISTER)

    patch(code, leaves, len(code))
    _load(code, X10, CONTEXT_REGISTER, CONTEXT["store"])
    _record_caller(code, X10)
    _leave(code, X10, STATUS_EXCEPTION)

    patch(code, exhausted, len(code))
    _pop_frame(code)
    ri(code, e.MOVZ_RI32, SCRATCH, TrapCode.CALL_STACK_EXHAUSTED)
    patch(code, branch(code), trap_exit)


def _throw_exit(code: bytearray) -> int:
    """Called by a function that throws: look behind the calls outside of it, by the chain of frame pointers.

    Returns the offset of the part that looks, from the frame pointer on, with the store's address in x10.
    """
    _load(code, X10, CONTEXT_REGISTER, CONTEXT["store"])
    _store(code, X10, STORE["trap_pc"], LINK_REGISTER)
    _store(code, X10, STORE["trap_fp"], FRAME_POINTER)
    walk = len(code)
    _load(code, X11, X10, STORE["entry_fp"])
    load_integer(code, X12, LANDING_MARKER)
    outward = len(code)
    _load(code, X13, FRAME_POINTER, 8)
    _load(code, FRAME_POINTER, FRAME_POINTER, 0)
    rrr(code, e.SUBS_RRR64, ZR, FRAME_POINTER, X11)
    outermost = branch_if(code, e.CC_EQ)
    rm(code, e.LDR_RM32, SCRATCH, X13, 0)
    rrl(code, e.AND_RRL32, SCRATCH2, SCRATCH, LANDING_MASK)
    rrr(code, e.SUBS_RRR32, ZR, SCRATCH2, X12)
    patch(code, branch_if(code, e.CC_NE), outward)
    rrb(code, e.SBFM_RRB64, SCRATCH, SCRATCH, 5, 23)
    rrr(code, e.ADD_RRR64, X13, X13, SCRATCH, e.shifted(e.LSL, 2))
    r(code, e.BR_R, X13)
    patch(code, outermost, len(code))
    _leave(code, X10, STATUS_THROWN)
    return walk


def _resume_entry(code: bytearray, walk: int) -> None:
    """A WebAssembly function of one i64, a frame pointer: goes on as if the function with that frame had thrown."""
    _move(code, FRAME_POINTER, X0)
    _load(code, X10, CONTEXT_REGISTER, CONTEXT["store"])
    patch(code, branch(code), walk)


def _synchronize(code: bytearray) -> None:
    """void synchronize(start, end): what was written there is what instruction fetches see from now on.

    Instruction caches need not be coherent with data caches: Arm Architecture Reference Manual (DDI 0487), chapter B2,
    "Synchronization and coherency issues between data and instruction accesses", has this sequence for one line. The
    data lines are cleaned to the point of unification, `dsb` waits for that, the instruction lines are invalidated in
    all processors that share memory with us, `dsb` waits for that, and `isb` drops what this processor has fetched
    already. Line sizes are in CTR_EL0, as log2 of the number of words: the smallest data line's in bits 19:16
    (DminLine), the smallest instruction line's in bits 3:0 (IminLine). Linux lets programs do all of this (it sets
    SCTLR_EL1.UCI and UCT).
    """
    r_low(code, e.MRS_CTR_R, X3)
    for first_bit, operation in ((16, e.DC_CVAU_R), (0, e.IC_IVAU_R)):
        # x4 = line size, x5 = start of the line
        rrb(code, e.UBFM_RRB64, X5, X3, first_bit, first_bit + 3)
        ri(code, e.MOVZ_RI32, X4, 4)
        rrr(code, e.LSLV_RRR64, X4, X4, X5)
        rri(code, e.SUB_RRI64, X5, X4, 1)
        rrr(code, e.BIC_RRR64, X5, X0, X5)
        loop = len(code)
        r_low(code, operation, X5)
        rrr(code, e.ADD_RRR64, X5, X5, X4)
        rrr(code, e.SUBS_RRR64, ZR, X5, X1)
        patch(code, branch_if(code, e.CC_LO), loop)
        code += word(e.DSB_ISH)
    code += word(e.ISB)
    r(code, e.RET_R, LINK_REGISTER)


def _signal_handler(
    code: bytearray, environment: StubEnvironment, layout: SignalLayout, fault_exit: int, addresses: _Addresses
) -> None:
    """The SA_SIGINFO handler: x0 = signal, x1 = siginfo_t *, x2 = ucontext_t *.

    A fault is ours when its pc lies in the arena but not in the stubs, which begin at offset 0: were one of those to
    fault, resuming it as a trap would fault again for ever.
    """
    # A signal that somebody sent (kill, raise) says nothing about the instruction at the pc.
    rm(code, e.LDR_RM32, X10, X1, layout.info_code)
    rri(code, e.SUBS_RRI32, ZR, X10, 0)
    foreign = [branch_if(code, e.CC_LE)]
    context = X2
    if layout.context_pointer >= 0:
        context = X14
        _load(code, X14, X2, layout.context_pointer)
    _load(code, X10, context, layout.context_pc)
    addresses.load(code, X11, environment.arena_start)
    load_integer(code, X12, environment.arena_size)
    rrr(code, e.SUB_RRR64, X11, X10, X11)
    rrr(code, e.SUBS_RRR64, ZR, X11, X12)
    foreign.append(branch_if(code, e.CC_HS))
    patch(code, branch_r(code, e.ADR_RL, X11), 0)
    end_of_stubs = branch_r(code, e.ADR_RL, X12)
    rrr(code, e.SUB_RRR64, X13, X10, X11)
    rrr(code, e.SUB_RRR64, X12, X12, X11)
    rrr(code, e.SUBS_RRR64, ZR, X13, X12)
    foreign.append(branch_if(code, e.CC_LO))
    patch(code, branch_r(code, e.ADR_RL, X11), fault_exit)
    _store(code, context, layout.context_x16, X10)
    _load(code, X10, X1, layout.info_address)
    _store(code, context, layout.context_x17, X10)
    _store(code, context, layout.context_pc, X11)
    r(code, e.RET_R, LINK_REGISTER)

    for position in foreign:
        patch(code, position, len(code))
    # x0, x1 and x2 are still what the kernel passed.
    ignored = []
    for signal, handler in environment.previous_handlers.items():
        if handler == _SIG_DFL:
            continue
        rri(code, e.SUBS_RRI32, ZR, X0, signal)
        if handler == _SIG_IGN:
            ignored.append(branch_if(code, e.CC_EQ))
            continue
        other = branch_if(code, e.CC_NE)
        addresses.load(code, SCRATCH, handler)
        r(code, e.BR_R, SCRATCH)
        patch(code, other, len(code))
    default = branch(code) if ignored else -1
    for position in ignored:
        patch(code, position, len(code))
    if ignored:
        # Signals that were sent are ignored as before; a fault kills even where it is ignored (POSIX, sigaction).
        rm(code, e.LDR_RM32, X10, X1, layout.info_code)
        rri(code, e.SUBS_RRI32, ZR, X10, 0)
        fault = branch_if(code, e.CC_GT)
        r(code, e.RET_R, LINK_REGISTER)
        patch(code, fault, len(code))
        patch(code, default, len(code))
    _restore_default(code, environment.sigaction, layout, addresses)
    patch(code, end_of_stubs, len(code))


def _restore_default(code: bytearray, sigaction: int, layout: SignalLayout, addresses: _Addresses) -> None:
    """Give signal x0 its default action and return: a fault then repeats. A signal that was sent is sent again."""
    size = (layout.sigaction_size + 15) & ~15
    _push_frame(code, size + 16)
    pair(code, e.STP_RRM64, X19, X20, SP, size)
    _move(code, X19, X0)
    _move(code, X20, X1)
    for offset in range(0, size, 16):
        pair(code, e.STP_RRM64, ZR, ZR, SP, offset)
    add_sp(code, X1, SP, 0, SCRATCH)
    ri(code, e.MOVZ_RI32, X2, 0)
    addresses.load(code, SCRATCH, sigaction)
    r(code, e.BLR_R, SCRATCH)
    rm(code, e.LDR_RM32, X10, X20, layout.info_code)
    rri(code, e.SUBS_RRI32, ZR, X10, 0)
    fault = branch_if(code, e.CC_GT)
    call = word(e.SVC | layout.call_immediate << 5)
    ri(code, e.MOVZ_RI32, layout.call_register, layout.getpid)
    code += call
    _move(code, X1, X19)
    ri(code, e.MOVZ_RI32, layout.call_register, layout.kill)
    code += call
    patch(code, fault, len(code))
    pair(code, e.LDP_RRM64, X19, X20, SP, size)
    _pop_frame(code)
    r(code, e.RET_R, LINK_REGISTER)
