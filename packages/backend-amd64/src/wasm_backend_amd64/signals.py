"""What a handler of faults in machine code finds where, per operating system."""

from __future__ import annotations

import sys

from wasm_core.errors import CompileError
from wasm_core.lazy_attrs import frozen


@frozen
class SignalLayout:
    """Offsets in bytes and numbers that belong to one operating system on x86-64."""

    #: In the ucontext_t that a handler gets as its third argument, or in the CONTEXT: the saved registers.
    context_rip: int
    context_r11: int
    context_rcx: int
    #: In siginfo_t: the int that is positive when the kernel reports a fault, and not when somebody sent the signal;
    #: and the address that faulted.
    info_code: int
    info_address: int
    #: Size of the C library's struct sigaction; all zeros must mean SIG_DFL with an empty mask and no flags.
    sigaction_size: int
    #: Numbers of system calls.
    getpid: int
    kill: int
    #: Whether the handler is a vectored one, of Windows.
    vectored: bool = False
    #: Where a ucontext_t has a pointer to the saved registers, which offsets above count from; -1 if they are in it.
    context_pointer: int = -1


# Linux: ucontext_t is flags, link and stack (40 bytes), then gregs in the order r8..r15, rdi, rsi, rbp, rbx, rdx, rax,
# rcx, rsp, rip (asm/sigcontext.h; the same in glibc and musl). siginfo_t: signo, errno, code, padding, address.
# struct sigaction: handler, mask of 128 bytes, flags, restorer, in glibc and musl alike.
_GREGS = 40

_LAYOUTS = {
    "linux": SignalLayout(
        context_rip=_GREGS + 8 * 16,
        context_r11=_GREGS + 8 * 3,
        context_rcx=_GREGS + 8 * 14,
        info_code=8,
        info_address=16,
        sigaction_size=152,
        getpid=39,
        kill=62,
    ),
    # ucontext_t (sys/_types/_ucontext.h) points to a mcontext64 (i386/_mcontext.h): an exception state of 16 bytes and
    # rax, rbx, rcx, rdx, rdi, rsi, rbp, rsp, r8..r15, rip (mach/i386/_structs.h). siginfo_t (sys/signal.h): signo,
    # errno, code, pid, uid, status, address; signals that were sent have positive codes too, so one that comes while
    # code of ours runs is taken for a fault. Numbers of system calls (sys/syscall.h) are of class 2, Unix.
    "darwin": SignalLayout(
        context_rip=16 + 8 * 16,
        context_r11=16 + 8 * 11,
        context_rcx=16 + 8 * 2,
        info_code=8,
        info_address=24,
        sigaction_size=16,
        getpid=0x2000000 + 20,
        kill=0x2000000 + 37,
        context_pointer=48,
    ),
    # CONTEXT and EXCEPTION_RECORD of winnt.h. Of accesses to what is not there, the record has whether it was a write,
    # then the address.
    "win32": SignalLayout(
        context_rip=0xF8,
        context_r11=0xD0,
        context_rcx=0x80,
        info_code=0,
        info_address=40,
        sigaction_size=0,
        getpid=0,
        kill=0,
        vectored=True,
    ),
}


def signal_layout() -> SignalLayout:
    """The layout of this process's operating system. Raises CompileError where it is not known."""
    layout = _LAYOUTS.get(sys.platform)
    if layout is None:
        raise CompileError(f"signal frames of {sys.platform} on x86-64 are not known")
    return layout
