"""The calling conventions of x86-64 code: WebAssembly's own, and those of C functions, by operating system."""

from __future__ import annotations

from wasm_backend_amd64.registers import (
    ALLOCATABLE,
    CALLER_SAVED,
    NATIVE_CALLER_SAVED,
    R8,
    R9,
    RAX,
    RCX,
    RDI,
    RDX,
    RSI,
    WINDOWS_CALLER_SAVED,
    XMM0,
    XMM7,
)
from wasm_ir.codegen.abi import Convention

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_FLOAT_REGISTERS = tuple(range(XMM0, XMM7 + 1))

#: Calls between WebAssembly functions. Results beyond the registers are returned in the stack words of arguments.
WASM: Final = Convention(
    (RDI, RSI, RDX, RCX),
    _FLOAT_REGISTERS,
    (RAX, RDX, RCX, RSI, RDI),
    _FLOAT_REGISTERS,
    CALLER_SAVED,
)
#: Calls of C functions (System V AMD64 ABI, section 3.2.3), without classes of structures.
NATIVE: Final = Convention(
    (RDI, RSI, RDX, RCX, R8, R9),
    _FLOAT_REGISTERS,
    (RAX,),
    (XMM0,),
    NATIVE_CALLER_SAVED,
)
#: The same on Windows (Microsoft, "x64 calling convention"): an argument's position says which register it gets, and
#: callees may use four words above the return address.
WINDOWS: Final = Convention(
    (RCX, RDX, R8, R9),
    _FLOAT_REGISTERS[:4],
    (RAX,),
    (XMM0,),
    WINDOWS_CALLER_SAVED,
    shadow_words=4,
)
#: Integer arguments of C functions, for stubs.
NATIVE_ARGUMENTS: Final = {False: (RDI, RSI, RDX), True: (RCX, RDX, R8)}
#: How the instruction behind a call begins that leads to a landing pad: nop [rcx + disp32], which nothing else here
#: uses. The displacement counts from its end.
LANDING_MARKER: Final = b"\x0f\x1f\x81"
#: Where a tail call that keeps the linkage of its frame (tail_calls.py) has the VMContext and the number of words of
#: results: offsets from the frame pointer.
KEPT_CONTEXT: Final = -8
KEPT_RESULTS: Final = -16
#: Bytes at the beginning of a function, and of the stub lazy_funcref, that calls within the instance leave out.
PINNING_SIZE: Final = 8
#: What `enter` destroys: a trap comes back without restoring anything.
ENTER_CLOBBERS: Final = ALLOCATABLE
