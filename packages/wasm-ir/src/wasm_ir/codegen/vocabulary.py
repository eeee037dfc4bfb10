"""What instruction selection has to know of an architecture, where that is the same kind of thing on all of them."""

from __future__ import annotations

from collections.abc import Callable

from wasm_core.lazy_attrs import frozen
from wasm_ir.codegen.abi import Convention
from wasm_ir.codegen.machinst import MOp


@frozen(kw_only=True)
class Vocabulary:
    """An architecture's registers, conventions and instructions that selection uses the same way on all of them."""

    #: What errors call the backend.
    name: str
    #: Whether there is a handler for each operation on vectors.
    vectors: bool
    #: How many registers the vector constants that a loop keeps may have together with the values that go round in it;
    #: 0 where every constant is loaded where it is needed.
    loop_registers: int
    #: Where functions with WebAssembly's convention always have the VMContext and the base address of memory 0.
    context_register: int
    memory_register: int
    #: The funcref that a function is called through.
    callee_register: int
    #: The address of the C function for `call_native`.
    native_register: int
    #: The StoreContext for `enter`.
    store_register: int
    #: The status that `enter` gives and `unwind` takes.
    status_register: int
    wasm: Convention
    native: Convention
    #: What `enter` destroys: all that can be allocated.
    enter_clobbers: int
    #: Loads imm, the bits of an i32 or i64.
    constant: MOp
    #: By type: loads imm, the bits of an f32 or f64.
    float_constants: dict[int, MOp]
    # Those of `control` are not here: they are the same everywhere.
    call: MOp
    call_ref: MOp
    #: Through a funcref of the same instance, whose VMContext stays pinned.
    call_own: MOp
    call_native: MOp
    ret: MOp
    #: Imports what glue alone has: enter, unwind.
    crossings: Callable[[], tuple[MOp, MOp]]
    #: Calls that may come back at a landing pad, and leaving by the throw exit. None where there are no exceptions.
    invoke: MOp | None = None
    invoke_ref: MOp | None = None
    invoke_own: MOp | None = None
    throw: MOp | None = None
    #: Imports the MTailCall, through a slot and through a funcref. None where there are no tail calls.
    tail_calls: Callable[[], tuple[MOp, MOp]] | None = None
