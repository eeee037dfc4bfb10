"""Description of a machine's registers, as far as the allocator needs it."""

from __future__ import annotations

from wasm_core.lazy_attrs import frozen


@frozen
class RegisterSet:
    """Physical registers are numbered 0..63 in one numbering; masks have bit n for register n."""

    #: Names by number, for printing (64-bit or full-width names).
    names: tuple[str, ...]
    #: Per register class (types.INT_CLASS, types.FLOAT_CLASS): registers that may be allocated, in order of preference.
    allocatable: tuple[tuple[int, ...], tuple[int, ...]]
    #: Per class: a register that is never allocated, free for moves between memory and memory and for cycles.
    scratch: tuple[int, int]
    #: Registers that a function must preserve (allocating one costs a save and a restore in the prologue).
    callee_saved: int
    #: Bit mask of all registers that an ordinary call destroys.
    caller_saved: int
