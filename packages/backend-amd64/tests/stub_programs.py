"""Programs for test_stubs.py, each run in a process of its own: python stub_programs.py NAME.

They put the stubs and some hand-assembled functions into a small arena and enter it as the runtime would.
"""

from __future__ import annotations

import ctypes
import faulthandler
import mmap
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Callable
from typing import cast

from wasm_backend_amd64 import encodings as enc
from wasm_backend_amd64.assembler import (
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
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
    call32,
    m,
    patch_rel32,
    r,
    ri,
    rip,
    rip_m,
    rm,
    rr,
)
from wasm_backend_amd64.stubs import build_stubs
from wasm_backend_amd64.vector_encodings import PXOR
from wasm_core.errors import TrapCode
from wasm_ir.backend import StubEnvironment
from wasm_ir.vmcontext import CONTEXT, FUNCREF, STATUS_EXCEPTION, STATUS_OK, STATUS_TRAP, STORE

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
libc.sigaction.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]

PROT_NONE = 0  # in the mmap module from Python 3.13 on
SA_SIGINFO, SA_ONSTACK = 0x4, 0x0800_0000
ARENA_SIZE = 1 << 16
STACK_SIZE = 1 << 18
INTEGER_ARGS = (RDI, RSI, RDX, RCX, R8, R9)
FLOAT_ARGS = range(XMM0, XMM0 + 8)
PRESERVED = (RBX, R12, R13, R14)
# What the function `dump` records, 8 bytes each.
DUMPED = (*INTEGER_ARGS, R10, *PRESERVED, R15, RSP, RBP)

Words = ctypes.Array[ctypes.c_uint64]


class SigAction(ctypes.Structure):
    _fields_ = [
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_ulong * 16),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    ]


def words(count: int) -> Words:
    return (ctypes.c_uint64 * count)()


def map_pages(size: int, protection: int) -> int:
    address = libc.mmap(None, size, protection, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    assert address not in (None, ctypes.c_void_p(-1).value)
    return cast(int, address)


class Machine:
    """An arena with the stubs at its start, a store, a VMContext, a funcref and a stack."""

    def __init__(self, install: bool = True) -> None:
        self.address = map_pages(ARENA_SIZE, mmap.PROT_READ | mmap.PROT_WRITE)
        self.store, self.context, self.funcref = (
            words(STORE.size // 8),
            words(CONTEXT.size // 8),
            words(FUNCREF.size // 8),
        )
        self.stack = map_pages(STACK_SIZE, mmap.PROT_READ | mmap.PROT_WRITE)
        self.stack_top = self.stack + STACK_SIZE
        self.dumped = words(len(DUMPED) + 2 * len(FLOAT_ARGS))
        self.cells = words(4)
        self.code = bytearray()
        previous = {}
        for number in (signal.SIGSEGV, signal.SIGBUS):
            old = SigAction()
            assert libc.sigaction(number, None, ctypes.byref(old)) == 0
            previous[int(number)] = old.handler or 0
        sigaction = ctypes.cast(libc.sigaction, ctypes.c_void_p).value
        assert sigaction is not None
        self.stubs = build_stubs(StubEnvironment(self.address, ARENA_SIZE, previous, sigaction))
        self.code += self.stubs.code
        self.code += bytes(-len(self.code) % 64)
        self.install = install
        self.enter_address = self.here()
        self._assemble_enter()
        self.dump_address = self.here()
        self._assemble_dump()

        self.set(self.store, STORE["wasm_sp"], self.stack_top)
        self.set(self.context, CONTEXT["store"], ctypes.addressof(self.store))
        self.set(self.context, CONTEXT["trap_exit"], self.address + self.stubs.trap_exit)
        self.set(self.funcref, FUNCREF["context"], ctypes.addressof(self.context))

    @staticmethod
    def set(structure: Words, offset: int, value: int) -> None:
        structure[offset // 8] = value

    def here(self) -> int:
        return self.address + len(self.code)

    def prologue(self) -> None:
        r(self.code, enc.PUSH_R, RBP)
        rr(self.code, enc.MOV_RR64, RBP, RSP)

    def epilogue(self) -> None:
        r(self.code, enc.POP_R, RBP)
        self.code += enc.RET

    def _assemble_enter(self) -> None:
        """enter(store, funcref, vmctx, 14 + 16 argument words) -> status"""
        code = self.code
        self.prologue()
        for register in (RBX, R12, R13, R14, R15):
            r(code, enc.PUSH_R, register)
        frame = 40 + 24
        ri(code, enc.SUB_RI64, RSP, 24)
        rr(code, enc.MOV_RR64, RAX, RDI)
        rr(code, enc.MOV_RR64, R10, RSI)
        rr(code, enc.MOV_RR64, R15, RDX)
        rr(code, enc.MOV_RR64, R11, RCX)
        rm(code, enc.MOV_MR64, RBP, RAX, -1, 0, STORE["entry_fp"])
        resume = rip(code, enc.LEA_RM64, RCX)
        rm(code, enc.MOV_MR64, RCX, RAX, -1, 0, STORE["entry_resume"])
        rm(code, enc.MOV_MR64, RSP, RAX, -1, 0, STORE["c_sp"])
        rm(code, enc.MOV_RM64, RSP, RAX, -1, 0, STORE["wasm_sp"])
        for number, register in enumerate(INTEGER_ARGS + PRESERVED):
            rm(code, enc.MOV_RM64, register, R11, -1, 0, 8 * number)
        for number, register in enumerate(FLOAT_ARGS):
            rm(code, enc.MOVUPS_RM, register, R11, -1, 0, 112 + 16 * number)
        m(code, enc.CALL_M, R10, -1, 0, FUNCREF["code"])
        rr(code, enc.XOR_RR32, R10, R10)
        patch_rel32(code, resume, len(code))
        rm(code, enc.LEA_RM64, RSP, RBP, -1, 0, -frame)
        rr(code, enc.MOV_RR32, RAX, R10)
        ri(code, enc.ADD_RI64, RSP, 24)
        for register in (R15, R14, R13, R12, RBX):
            r(code, enc.POP_R, register)
        self.epilogue()

    def _assemble_dump(self) -> None:
        """A WebAssembly function that records its registers."""
        code = self.code
        self.prologue()
        ri(code, enc.MOV_RI64, R11, ctypes.addressof(self.dumped))
        for number, register in enumerate(DUMPED):
            rm(code, enc.MOV_MR64, register, R11, -1, 0, 8 * number)
        for number, register in enumerate(FLOAT_ARGS):
            rm(code, enc.MOVUPS_MR, register, R11, -1, 0, 8 * len(DUMPED) + 16 * number)
        self.epilogue()

    def load_function(self) -> tuple[int, int]:
        """A function that loads from address rdi after noting its frame pointer. Its address, and that of the load."""
        code = self.code
        start = self.here()
        self.prologue()
        self._note_frame_pointer()
        pc = self.here()
        rm(code, enc.MOV_RM32, RAX, RDI, -1, 0, 0)
        self.epilogue()
        return start, pc

    def _note_frame_pointer(self) -> None:
        ri(self.code, enc.MOV_RI64, R11, ctypes.addressof(self.cells))
        rm(self.code, enc.MOV_MR64, RBP, R11, -1, 0, 0)

    def calling_function(self, slot: int) -> tuple[int, int, int]:
        """A function that calls through a slot holding `slot`. Addresses: function, return, slot."""
        code = self.code
        slot_offset = len(code)
        code += slot.to_bytes(8, "little")
        start = self.here()
        self.prologue()
        self._note_frame_pointer()
        patch_rel32(code, rip_m(code, enc.CALL_M), slot_offset)
        returns_to = self.here()
        self.epilogue()
        return start, returns_to, self.address + slot_offset

    def finish(self) -> None:
        """Make the code executable and install the handler."""
        assert len(self.code) < ARENA_SIZE
        ctypes.memmove(self.address, bytes(self.code), len(self.code))
        assert libc.mprotect(self.address, ARENA_SIZE, mmap.PROT_READ | mmap.PROT_EXEC) == 0
        if self.install:
            action = SigAction(handler=self.address + self.stubs.signal_handler, flags=SA_SIGINFO | SA_ONSTACK)
            for number in (signal.SIGSEGV, signal.SIGBUS):
                assert libc.sigaction(number, ctypes.byref(action), None) == 0
        self._enter = ctypes.CFUNCTYPE(
            ctypes.c_uint64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p
        )(self.enter_address)

    def enter(self, code: int, args: list[int] | None = None, vmctx: int | None = None) -> int:
        """Enter WebAssembly code at an address. Returns the status."""
        self.set(self.funcref, FUNCREF["code"], code)
        arguments = words(14 + 16)
        for number, value in enumerate(args or []):
            arguments[number] = value
        status = self._enter(
            ctypes.addressof(self.store),
            ctypes.addressof(self.funcref),
            ctypes.addressof(self.context) if vmctx is None else vmctx,
            ctypes.addressof(arguments),
        )
        return cast(int, status)

    def field(self, name: str) -> int:
        return self.store[STORE[name] // 8]

    def expect_trap(self, code: int, pc: int) -> None:
        assert self.field("trap_code") == code, self.field("trap_code")
        assert self.field("trap_pc") == pc, hex(self.field("trap_pc"))
        assert self.field("trap_fp") == self.cells[0] != 0


def sample_arguments() -> list[int]:
    """Different values in all registers: 6 integers, 4 preserved ones, 4 unused, 8 times two halves of xmm."""
    return [0x1111_0000_0000_0000 + 0x0101_0101 * n for n in range(14 + 16)]


def trap_exit() -> None:
    machine = Machine(install=False)
    start = machine.here()
    machine.prologue()
    machine._note_frame_pointer()
    # Something in the frame, so that the exit must not rely on the stack pointer.
    ri(machine.code, enc.SUB_RI64, RSP, 0x208)
    position = call32(machine.code)
    returns_to = machine.here()
    patch_rel32(machine.code, position, len(machine.code))
    ri(machine.code, enc.MOV_RI32, R11, TrapCode.INTEGER_DIVIDE_BY_ZERO)
    m(machine.code, enc.JMP_M, R15, -1, 0, CONTEXT["trap_exit"])
    machine.finish()
    for _ in range(3):
        assert machine.enter(start) == STATUS_TRAP
        machine.expect_trap(TrapCode.INTEGER_DIVIDE_BY_ZERO, returns_to)
    assert machine.enter(machine.dump_address) == STATUS_OK


def faults() -> None:
    machine = Machine()
    load, pc = machine.load_function()
    machine.finish()
    forbidden = map_pages(4096, PROT_NONE)
    # Nothing mapped; no permission; not canonical (a general protection fault, without an address).
    for address in (8, forbidden, 1 << 62):
        for _ in range(100):
            assert machine.enter(load, [address]) == STATUS_TRAP
            machine.expect_trap(TrapCode.MEMORY_OUT_OF_BOUNDS, pc)
            machine.cells[0] = 0
    assert machine.enter(load, [machine.address]) == STATUS_OK
    # Behind the end of a file: SIGBUS.
    with tempfile.TemporaryFile() as file:
        mapping = libc.mmap(None, 4096, mmap.PROT_READ, mmap.MAP_SHARED, file.fileno(), 0)
        assert machine.enter(load, [mapping]) == STATUS_TRAP
        machine.expect_trap(TrapCode.MEMORY_OUT_OF_BOUNDS, pc)


def foreign_fault() -> None:
    """Also after a fault of ours. The test enables faulthandler, or not."""
    faults()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    print("before", flush=True)
    ctypes.string_at(8)


def fault_in_c_code() -> None:
    """Called from WebAssembly code, with the VMContext still in its register: a crash of the C library, not a trap."""
    faulthandler.disable()
    machine = Machine()
    start = machine.here()
    machine.prologue()
    strlen = ctypes.cast(libc.strlen, ctypes.c_void_p).value
    assert strlen is not None
    ri(machine.code, enc.MOV_RI64, RAX, strlen)
    r(machine.code, enc.CALL_R, RAX)
    machine.epilogue()
    machine.finish()
    assert machine.enter(start, [ctypes.addressof(machine.store)]) == STATUS_OK
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    print("before", flush=True)
    machine.enter(start, [8])


def foreign_fault_ignored() -> None:
    faulthandler.disable()
    signal.signal(signal.SIGSEGV, signal.SIG_IGN)
    machine = Machine()
    machine.finish()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.kill(os.getpid(), signal.SIGSEGV)
    print("before", flush=True)
    ctypes.string_at(8)


def sent_signal() -> None:
    """Signals that are sent have their default effect, too."""
    faulthandler.disable()
    machine = Machine()
    machine.finish()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    print("before", flush=True)
    os.kill(os.getpid(), signal.SIGBUS)
    print("survived")


def sent_while_in_arena() -> None:
    """A signal sent while WebAssembly code runs is no trap: a handler that was there gets it and the code goes on."""
    received: list[int] = []
    signal.signal(signal.SIGSEGV, lambda number, frame: received.append(number))
    machine = Machine()
    code = machine.code
    start = machine.here()
    machine.prologue()
    # kill(rdi, rsi) by system call, so that the pc is in the arena when the signal comes
    ri(code, enc.MOV_RI32, RAX, 62)
    code += enc.SYSCALL
    ri(code, enc.MOV_RI64, R11, ctypes.addressof(machine.cells))
    rm(code, enc.MOV_MR64, RAX, R11, -1, 0, 8)
    machine.epilogue()
    machine.cells[1] = 99
    machine.finish()
    assert machine.enter(start, [os.getpid(), signal.SIGSEGV]) == STATUS_OK
    assert machine.cells[1] == 0
    assert received == [signal.SIGSEGV]


def previous_handler_arguments() -> None:
    """The handler that was there gets signal, siginfo_t and ucontext_t."""
    handlers = Machine(install=False)
    code = handlers.code
    start = handlers.here()
    ri(code, enc.MOV_RI64, RAX, ctypes.addressof(handlers.cells))
    rm(code, enc.MOV_MR64, RDI, RAX, -1, 0, 0)
    rm(code, enc.MOV_RM32, RCX, RSI, -1, 0, 0)  # si_signo
    rm(code, enc.MOV_MR64, RCX, RAX, -1, 0, 8)
    rm(code, enc.MOV_RM32, RCX, RSI, -1, 0, 16)  # si_pid
    rm(code, enc.MOV_MR64, RCX, RAX, -1, 0, 16)
    rm(code, enc.MOV_RM64, RCX, RDX, -1, 0, 40 + 8 * 15)  # rsp
    rm(code, enc.MOV_MR64, RCX, RAX, -1, 0, 24)
    code += enc.RET
    handlers.finish()
    action = SigAction(handler=start, flags=SA_SIGINFO)
    for number in (signal.SIGSEGV, signal.SIGBUS):
        assert libc.sigaction(number, ctypes.byref(action), None) == 0
    machine = Machine()
    machine.finish()
    for number in (signal.SIGSEGV, signal.SIGBUS):
        os.kill(os.getpid(), number)
        assert list(handlers.cells)[:3] == [number, number, os.getpid()]
        assert handlers.cells[3] % 8 == 0 and handlers.cells[3] > 4096


def fault_in_stub() -> None:
    """Without a VMContext the exits fault themselves: that must kill the process, not hang it."""
    faulthandler.disable()
    machine = Machine()
    load, _ = machine.load_function()
    machine.finish()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    print("before", flush=True)
    machine.enter(load, [8], vmctx=0)


class Resolver:
    """A resolver on the C stack that records what it sees and spoils what it may."""

    def __init__(self, machine: Machine, answer: int) -> None:
        self.machine = machine
        self.answer = answer
        self.calls: list[tuple[int, int, int]] = []
        prototype = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64)
        self.callback = prototype(self.resolve)
        # Notes the stack pointer, spoils argument registers and goes on to the callback.
        code = machine.code
        address = machine.here()
        ri(code, enc.MOV_RI64, R11, ctypes.addressof(machine.cells))
        rm(code, enc.MOV_MR64, RSP, R11, -1, 0, 16)
        for register in FLOAT_ARGS:
            rr(code, PXOR, register, register)
        for register in (R8, R9, R10, RCX):
            rr(code, enc.XOR_RR32, register, register)
        target = ctypes.cast(self.callback, ctypes.c_void_p).value
        assert target is not None
        ri(code, enc.MOV_RI64, R11, target)
        r(code, enc.JMP_R, R11)
        machine.set(machine.store, STORE["resolver"], address)

    def resolve(self, funcref: int, slot: int, context: int) -> int:
        self.calls.append((funcref, slot, context))
        machine = self.machine
        wasm_sp = machine.field("wasm_sp")
        assert machine.stack < wasm_sp < machine.stack_top and wasm_sp % 16 == 0
        # A nested entry would write here.
        ctypes.memset(machine.stack, 0xCC, wasm_sp - machine.stack)
        return self.answer

    def check_stack(self) -> None:
        sp = self.machine.cells[2]
        assert sp == self.machine.field("c_sp") - 8 and sp % 16 == 8


def check_dump(machine: Machine, args: list[int]) -> dict[int, int]:
    """All argument and preserved registers are as passed. Returns the registers recorded."""
    recorded = dict(zip(DUMPED, machine.dumped))
    assert [recorded[register] for register in INTEGER_ARGS + PRESERVED] == args[:10]
    assert list(machine.dumped)[len(DUMPED) :] == args[14:]
    return recorded


def lazy_funcref() -> None:
    machine = Machine(install=False)
    resolver = Resolver(machine, machine.dump_address)
    machine.finish()
    args = sample_arguments()
    # The VMContext register is the caller's; the funcref may have none, as those of host functions.
    machine.set(machine.funcref, FUNCREF["context"], 0)
    assert machine.enter(machine.address + machine.stubs.lazy_funcref, args) == STATUS_OK
    assert resolver.calls == [(ctypes.addressof(machine.funcref), 0, ctypes.addressof(machine.context))]
    resolver.check_stack()
    recorded = check_dump(machine, args)
    assert recorded[R10] == ctypes.addressof(machine.funcref)
    assert recorded[R15] == ctypes.addressof(machine.context)
    # The stack is as if the function had been called directly: return address, frame pointer.
    assert recorded[RSP] == recorded[RBP] == machine.stack_top - 16


def lazy_slot() -> None:
    machine = Machine(install=False)
    resolver = Resolver(machine, machine.dump_address)
    start, _, slot = machine.calling_function(machine.address + machine.stubs.lazy_slot)
    machine.finish()
    args = sample_arguments()
    assert machine.enter(start, args) == STATUS_OK
    assert resolver.calls == [(0, slot, ctypes.addressof(machine.context))]
    resolver.check_stack()
    recorded = check_dump(machine, args)
    assert recorded[R15] == ctypes.addressof(machine.context)
    assert recorded[RSP] == recorded[RBP] == machine.stack_top - 32


def lazy_slot_before_caller() -> None:
    """The slot's address is computed right in both directions."""
    machine = Machine(install=False)
    resolver = Resolver(machine, machine.dump_address)
    code = machine.code
    start = machine.here()
    machine.prologue()
    position = rip_m(code, enc.CALL_M)
    machine.epilogue()
    patch_rel32(code, position, 0x8000)
    machine.code += bytes(0x8000 - len(code))
    code += (machine.address + machine.stubs.lazy_slot).to_bytes(8, "little")
    machine.finish()
    assert machine.enter(start) == STATUS_OK
    assert resolver.calls == [(0, machine.address + 0x8000, ctypes.addressof(machine.context))]


def lazy_refused() -> None:
    """The resolver answers 0: unwound with the caller as innermost frame."""
    machine = Machine(install=False)
    Resolver(machine, 0)
    start, returns_to, _ = machine.calling_function(machine.address + machine.stubs.lazy_slot)
    through_funcref = machine.here()
    machine.prologue()
    machine._note_frame_pointer()
    m(machine.code, enc.CALL_M, R10, -1, 0, FUNCREF["host"])
    returns_to_2 = machine.here()
    machine.epilogue()
    machine.finish()
    machine.set(machine.funcref, FUNCREF["host"], machine.address + machine.stubs.lazy_funcref)
    for address, pc in ((start, returns_to), (through_funcref, returns_to_2)):
        assert machine.enter(address, sample_arguments()) == STATUS_EXCEPTION
        machine.expect_trap(0, pc)
        machine.set(machine.store, STORE["wasm_sp"], machine.stack_top)


def polling_function(machine: Machine) -> tuple[int, int]:
    """A function that polls and then records its registers, in r11 the stack pointer. Address, and where it polls."""
    code = machine.code
    start = machine.here()
    machine.prologue()
    machine._note_frame_pointer()
    rr(code, enc.MOV_RR64, R11, RSP)
    m(code, enc.CALL_M, R15, -1, 0, CONTEXT["poll_exit"])
    returns_to = machine.here()
    m(code, enc.CALL_M, R10, -1, 0, FUNCREF["host"])
    machine.epilogue()
    return start, returns_to


class Interrupted:
    """STORE.interrupted: like Resolver."""

    def __init__(self, machine: Machine) -> None:
        self.answer = 0
        self.calls: list[int] = []
        self.resolver = Resolver(machine, 0)
        machine.set(machine.store, STORE["interrupted"], machine.field("resolver"))
        self.resolver.callback = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_uint64)(self.interrupted)
        code = machine.code
        # The callback's address is the last immediate that was assembled.
        target = ctypes.cast(self.resolver.callback, ctypes.c_void_p).value
        assert target is not None
        end = len(code) - 3
        code[end - 8 : end] = target.to_bytes(8, "little")

    def interrupted(self, context: int) -> int:
        self.calls.append(context)
        self.resolver.resolve(0, 0, 0)
        return self.answer


def poll() -> None:
    """Every register survives, or the code is left; a stack that is exhausted is a trap."""
    machine = Machine(install=False)
    interrupted = Interrupted(machine)
    start, returns_to = polling_function(machine)
    machine.finish()
    machine.set(machine.context, CONTEXT["poll_exit"], machine.address + machine.stubs.poll_exit)
    machine.set(machine.funcref, FUNCREF["host"], machine.dump_address)
    machine.set(machine.store, STORE["stack_limit"], machine.stack)
    args = sample_arguments()
    assert machine.enter(start, args) == STATUS_OK
    assert interrupted.calls == [ctypes.addressof(machine.context)]
    interrupted.resolver.check_stack()
    recorded = check_dump(machine, args)
    assert recorded[R10] == ctypes.addressof(machine.funcref)
    assert recorded[R15] == ctypes.addressof(machine.context)
    assert recorded[RSP] == recorded[RBP] == machine.stack_top - 32
    # For a backtrace while it is being asked.
    machine.expect_trap(0, returns_to)

    interrupted.answer = 1
    machine.set(machine.store, STORE["wasm_sp"], machine.stack_top)
    assert machine.enter(start, args) == STATUS_EXCEPTION
    machine.expect_trap(0, returns_to)

    machine.set(machine.store, STORE["wasm_sp"], machine.stack_top)
    machine.set(machine.store, STORE["stack_limit"], machine.stack_top - 15)
    assert machine.enter(start, args) == STATUS_TRAP
    machine.expect_trap(TrapCode.CALL_STACK_EXHAUSTED, returns_to)
    assert len(interrupted.calls) == 2


PROGRAMS: dict[str, Callable[[], None]] = {
    program.__name__: program
    for program in (
        trap_exit,
        faults,
        foreign_fault,
        fault_in_c_code,
        foreign_fault_ignored,
        sent_signal,
        sent_while_in_arena,
        previous_handler_arguments,
        fault_in_stub,
        lazy_funcref,
        lazy_slot,
        lazy_slot_before_caller,
        lazy_refused,
        poll,
    )
}

if __name__ == "__main__":
    PROGRAMS[sys.argv[1]]()
    print("done")
