"""The fault handler for macOS, called as the kernel would call it: with structures as Apple's headers have them."""

from __future__ import annotations

import ctypes
import mmap
import platform

import pytest

from wasm_backend_amd64.stubs import build_stubs
from wasm_ir.backend import StubEnvironment

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="the handler is run")

_ARENA = 0x7000_0000_0000


class SigInfo(ctypes.Structure):
    """`siginfo_t`, sys/signal.h."""

    _fields_ = [
        *[(name, ctypes.c_int) for name in ("signo", "errno", "code", "pid", "uid", "status")],
        ("address", ctypes.c_uint64),
        ("rest", ctypes.c_uint64 * 9),
    ]


class MachineContext(ctypes.Structure):
    """`struct __darwin_mcontext64`: exception state and thread state."""

    _fields_ = [
        ("exception", ctypes.c_uint64 * 2),
        *[(name, ctypes.c_uint64) for name in ("rax", "rbx", "rcx", "rdx", "rdi", "rsi", "rbp", "rsp")],
        *[(f"r{number}", ctypes.c_uint64) for number in range(8, 16)],
        *[(name, ctypes.c_uint64) for name in ("rip", "rflags", "cs", "fs", "gs")],
    ]


class UserContext(ctypes.Structure):
    """`ucontext_t`, sys/_types/_ucontext.h."""

    _fields_ = [
        ("onstack", ctypes.c_int),
        ("sigmask", ctypes.c_uint32),
        ("stack", ctypes.c_uint64 * 3),
        ("link", ctypes.c_void_p),
        ("mcsize", ctypes.c_size_t),
        ("mcontext", ctypes.POINTER(MachineContext)),
    ]


def test_a_fault_of_ours_goes_on_at_the_exit(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of others goes to the handler that was there before."""
    monkeypatch.setattr("sys.platform", "darwin")
    seen = []
    prototype = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.POINTER(SigInfo), ctypes.POINTER(UserContext))
    other = prototype(lambda number, info, context: seen.append(number))
    previous = {10: ctypes.cast(other, ctypes.c_void_p).value or 0, 11: 0}
    stubs = build_stubs(StubEnvironment(_ARENA, 1 << 30, previous, 0))
    with mmap.mmap(-1, mmap.PAGESIZE * 4, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC) as page:
        page.write(stubs.code)
        place = ctypes.c_char.from_buffer(page)
        start = ctypes.addressof(place)
        handler = prototype(start + stubs.signal_handler)
        registers = MachineContext(rip=_ARENA + 0x1234, r11=1, rcx=2, rdx=3, rsp=4)
        context = UserContext(mcontext=ctypes.pointer(registers))
        handler(10, SigInfo(signo=10, code=2, address=0xABCD), context)
        assert not seen
        assert start <= registers.rip < start + len(stubs.code)
        assert (registers.r11, registers.rcx) == (_ARENA + 0x1234, 0xABCD)
        assert (registers.rdx, registers.rsp) == (3, 4)
        registers.rip = 0x1000
        handler(10, SigInfo(signo=10, code=2, address=0xABCD), context)
        assert seen == [10]
        assert registers.rip == 0x1000
        del place
