"""What a signal handler in machine code finds where, per operating system."""

from __future__ import annotations

import sys

from wasm_core.errors import CompileError
from wasm_core.lazy_attrs import frozen


@frozen
class SignalLayout:
    """Offsets in bytes and numbers that belong to one operating system on AArch64."""

    #: In the ucontext_t that a handler gets as its third argument: the saved registers.
    context_pc: int
    context_x16: int
    context_x17: int
    #: In siginfo_t: the int that is positive when the kernel reports a fault, and not when somebody sent the signal;
    #: and the address that faulted.
    info_code: int
    info_address: int
    #: Size of the C library's struct sigaction; all zeros must mean SIG_DFL with an empty mask and no flags.
    sigaction_size: int
    #: Numbers of system calls.
    getpid: int
    kill: int
    #: The register that they are in, and the immediate of the instruction that makes them.
    call_register: int = 8
    call_immediate: int = 0
    #: Where a ucontext_t has a pointer to the saved registers, which offsets above count from; -1 if they are in it.
    context_pointer: int = -1


# Linux: ucontext_t is flags, link, stack (40 bytes), a signal mask with room for 1024 bits, and, 16-aligned, a
# sigcontext: fault_address, regs[31], sp, pc, pstate (asm/ucontext.h and asm/sigcontext.h; the same in glibc and musl).
# siginfo_t: signo, errno, code, padding, address. struct sigaction: handler, mask of 128 bytes, flags, restorer, in
# glibc and musl alike.
_SIGCONTEXT = (40 + 128 + 15) & ~15
_REGISTERS = _SIGCONTEXT + 8

_LAYOUTS = {
    "linux": SignalLayout(
        context_pc=_REGISTERS + 8 * 32,
        context_x16=_REGISTERS + 8 * 16,
        context_x17=_REGISTERS + 8 * 17,
        info_code=8,
        info_address=16,
        sigaction_size=152,
        getpid=172,
        kill=129,
    ),
    # ucontext_t (sys/_types/_ucontext.h) points to a mcontext64 (arm/_mcontext.h): an exception state of 16 bytes, then
    # x0..x28, fp, lr, sp, pc, cpsr (mach/arm/_structs.h). siginfo_t (sys/signal.h): signo, errno, code, pid, uid,
    # status, address; signals that were sent have positive codes too, so one that comes while code of ours runs is
    # taken for a fault. System calls: sys/syscall.h.
    "darwin": SignalLayout(
        context_pc=16 + 8 * 32,
        context_x16=16 + 8 * 16,
        context_x17=16 + 8 * 17,
        info_code=8,
        info_address=24,
        sigaction_size=16,
        getpid=20,
        kill=37,
        call_register=16,
        call_immediate=0x80,
        context_pointer=48,
    ),
}


def signal_layout() -> SignalLayout:
    """The layout of this process's operating system. Raises CompileError where it is not known."""
    layout = _LAYOUTS.get(sys.platform)
    if layout is None:
        raise CompileError(f"signal frames of {sys.platform} on AArch64 are not known")
    return layout
