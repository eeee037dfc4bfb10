"""The registers of x86-64 as the allocator sees them, and what this backend uses each for."""

from __future__ import annotations

from wasm_ir.codegen.registers import RegisterSet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

RAX: Final = 0
RCX: Final = 1
RDX: Final = 2
RBX: Final = 3
RSP: Final = 4
RBP: Final = 5
RSI: Final = 6
RDI: Final = 7
R8: Final = 8
R9: Final = 9
R10: Final = 10
R11: Final = 11
R12: Final = 12
R13: Final = 13
R14: Final = 14
R15: Final = 15
XMM0: Final = 16
XMM1: Final = 17
XMM2: Final = 18
XMM3: Final = 19
XMM4: Final = 20
XMM5: Final = 21
XMM6: Final = 22
XMM7: Final = 23
XMM8: Final = 24
XMM9: Final = 25
XMM10: Final = 26
XMM11: Final = 27
XMM12: Final = 28
XMM13: Final = 29
XMM14: Final = 30
XMM15: Final = 31

#: The VMContext, in functions with WebAssembly's convention.
CONTEXT_REGISTER: Final = R15
#: Base address of memory 0, in functions with WebAssembly's convention.
MEMORY_REGISTER: Final = R14
#: The funcref that a function is called through.
CALLEE_REGISTER: Final = R10
#: Never allocated: free for moves between other places and inside instruction sequences.
SCRATCH: Final = R11
FLOAT_SCRATCH: Final = XMM15


def mask(*registers: int) -> int:
    """Bit mask of registers."""
    result = 0
    for register in registers:
        result |= 1 << register
    return result


# In order of preference: what calls destroy comes first.
_INTEGERS = (RAX, RCX, RDX, RSI, RDI, R10, RBX, R8, R9, R12, R13)
_FLOATS = tuple(range(XMM0, XMM15))

#: What functions with WebAssembly's convention save before use (besides the pinned registers and rbp).
CALLEE_SAVED: Final = mask(RBX, R8, R9, R12, R13)
#: The same for the System V AMD64 ABI.
NATIVE_CALLEE_SAVED: Final = mask(RBX, R12, R13)
#: The same for the C convention of Windows, which also preserves some vector registers: see VECTORS_KEPT.
WINDOWS_CALLEE_SAVED: Final = mask(RBX, RSI, RDI, R12, R13)
#: What C functions preserve on Windows, of each 16 bytes.
VECTORS_KEPT: Final = tuple(range(XMM6, XMM15 + 1))
#: Everything that the allocator can give away.
ALLOCATABLE: Final = mask(*_INTEGERS, *_FLOATS)
CALLER_SAVED: Final = ALLOCATABLE & ~CALLEE_SAVED
NATIVE_CALLER_SAVED: Final = ALLOCATABLE & ~NATIVE_CALLEE_SAVED
WINDOWS_CALLER_SAVED: Final = ALLOCATABLE & ~WINDOWS_CALLEE_SAVED & ~mask(*VECTORS_KEPT)

#: In functions with WebAssembly's convention.
REGISTERS: Final = RegisterSet(
    names=(
        *("rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"),
        *(f"r{number}" for number in range(8, 16)),
        *(f"xmm{number}" for number in range(16)),
    ),
    allocatable=(_INTEGERS, _FLOATS),
    scratch=(SCRATCH, FLOAT_SCRATCH),
    callee_saved=CALLEE_SAVED,
    caller_saved=CALLER_SAVED,
)
#: In functions with the C convention (System V).
NATIVE_REGISTERS: Final = RegisterSet(
    names=REGISTERS.names,
    allocatable=((RAX, RCX, RDX, RSI, RDI, R8, R9, R10, RBX, R12, R13), _FLOATS),
    scratch=REGISTERS.scratch,
    callee_saved=NATIVE_CALLEE_SAVED,
    caller_saved=NATIVE_CALLER_SAVED,
)
#: The same on Windows. Of the vector registers, the prologue keeps what has to be kept.
WINDOWS_REGISTERS: Final = RegisterSet(
    names=REGISTERS.names,
    allocatable=((RAX, RCX, RDX, R8, R9, R10, RBX, RSI, RDI, R12, R13), _FLOATS),
    scratch=REGISTERS.scratch,
    callee_saved=WINDOWS_CALLEE_SAVED,
    caller_saved=WINDOWS_CALLER_SAVED,
)
