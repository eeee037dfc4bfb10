"""The registers of AArch64 as the allocator sees them, and what this backend uses each for."""

from __future__ import annotations

from wasm_ir.codegen.registers import RegisterSet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

X0: Final = 0
X1: Final = 1
X2: Final = 2
X3: Final = 3
X4: Final = 4
X5: Final = 5
X6: Final = 6
X7: Final = 7
X8: Final = 8
X9: Final = 9
X10: Final = 10
X11: Final = 11
X12: Final = 12
X13: Final = 13
X14: Final = 14
X15: Final = 15
X16: Final = 16
X17: Final = 17
X18: Final = 18
X19: Final = 19
X20: Final = 20
X21: Final = 21
X22: Final = 22
X23: Final = 23
X24: Final = 24
X25: Final = 25
X26: Final = 26
X27: Final = 27
X28: Final = 28
X29: Final = 29
X30: Final = 30
#: The stack pointer or the zero register, as the instruction has it.
SP: Final = 31
ZR: Final = 31
V0: Final = 32
V7: Final = 39
V8: Final = 40
V15: Final = 47
V31: Final = 63

#: The VMContext, in functions with WebAssembly's convention.
CONTEXT_REGISTER: Final = X28
#: Base address of memory 0, in functions with WebAssembly's convention.
MEMORY_REGISTER: Final = X27
FRAME_POINTER: Final = X29
LINK_REGISTER: Final = X30
#: The funcref that a function is called through. Not x16 or x17: moves of arguments may need both.
CALLEE_REGISTER: Final = X15
#: The C function that `call_native` calls.
NATIVE_REGISTER: Final = X8
#: The StoreContext for `enter`, and afterwards, or for `unwind`, the status.
STORE_REGISTER: Final = X9
STATUS_REGISTER: Final = X9
#: Never allocated: free for moves between other places and inside instruction sequences (IP0 and IP1 of the platform's
#: convention). The second is for addresses: moves between places in the frame need both.
SCRATCH: Final = X16
SCRATCH2: Final = X17
FLOAT_SCRATCH: Final = V31


def mask(*registers: int) -> int:
    """Bit mask of registers."""
    result = 0
    for register in registers:
        result |= 1 << register
    return result


# x18 belongs to the platform (AAPCS64, 6.1.1): never used.
_CALLEE_SAVED = tuple(range(X19, X27))
_INTEGERS = (*range(X0, X16), *_CALLEE_SAVED)
# The platform's convention wants v8..v15 preserved, so functions that C calls would rather have others.
_FLOATS = (*range(V0, V7 + 1), *range(V15 + 1, V31), *range(V8, V15 + 1))

#: What functions with WebAssembly's convention save before use (besides the pinned registers and x29).
CALLEE_SAVED: Final = mask(*_CALLEE_SAVED)
#: Everything that the allocator can give away.
ALLOCATABLE: Final = mask(*_INTEGERS, *_FLOATS)
CALLER_SAVED: Final = ALLOCATABLE & ~CALLEE_SAVED

REGISTERS: Final = RegisterSet(
    names=(*(f"x{number}" for number in range(31)), "sp", *(f"v{number}" for number in range(32))),
    allocatable=(_INTEGERS, _FLOATS),
    scratch=(SCRATCH, FLOAT_SCRATCH),
    callee_saved=CALLEE_SAVED,
    caller_saved=CALLER_SAVED,
)
