"""The calling conventions of AArch64 code: WebAssembly's own and the platform's (AAPCS64)."""

from __future__ import annotations

from wasm_backend_arm64.registers import ALLOCATABLE, CALLER_SAVED, V0, V7, X0, X7
from wasm_ir.codegen.abi import Convention

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_INTEGER_REGISTERS = tuple(range(X0, X7 + 1))
_FLOAT_REGISTERS = tuple(range(V0, V7 + 1))

#: Calls between WebAssembly functions. Results beyond the registers are returned in the stack words of arguments.
WASM: Final = Convention(_INTEGER_REGISTERS, _FLOAT_REGISTERS, _INTEGER_REGISTERS, _FLOAT_REGISTERS, CALLER_SAVED)
#: Calls of C functions (AAPCS64, 6.8 and 6.9), without composite types.
NATIVE: Final = Convention(_INTEGER_REGISTERS, _FLOAT_REGISTERS, (X0,), (V0,), CALLER_SAVED)
#: How to tell the instruction behind a call that leads to a landing pad: adr xzr, label, which does nothing and which
#: nothing else here uses. Of its bits, those of this mask; the others say how far it is, in instructions.
LANDING_MASK: Final = 0xFF00_001F
LANDING_MARKER: Final = 0x1000_001F
#: Where a tail call that keeps the linkage of its frame (tail_calls.py) has the number of words of results, and behind
#: it the VMContext: offset from the frame pointer.
KEPT_RESULTS: Final = -16
#: Bytes at the beginning of a function, and of the stub lazy_funcref, that calls within the instance leave out.
PINNING_SIZE: Final = 8
#: What `enter` destroys: a trap comes back without restoring anything.
ENTER_CLOBBERS: Final = ALLOCATABLE
