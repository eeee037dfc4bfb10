"""Glue for calls from WebAssembly to Python functions: IR of the thunks that FUNCREF.code of a host function points at.

They are WebAssembly functions, reached through the host function's funcref and running with their caller's VMContext.
"""

from __future__ import annotations

from wasm_core.types import FuncType
from wasm_ir import opcodes
from wasm_ir.ir import ABI_WASM, Block, Function, Inst, Signature
from wasm_ir.passes.loops import find_loops
from wasm_ir.types import I32, I64
from wasm_ir.vmcontext import CONTEXT, FUNCREF, STATUS_EXCEPTION, STORE
from wasmetal.glue.entry import load_slots, store_slots
from wasmetal.glue.host_layout import HOST, SUSPEND
from wasmetal.glue.python_api import PythonBuilder, ir_signature
from wasmetal.glue.suspension import SUSPENDS
from wasmetal.glue.values import slot_count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


class _HostCall:
    """Taking the GIL before and giving it back after Python runs."""

    def __init__(self, b: PythonBuilder) -> None:
        self._b = b
        self.host = b.load(opcodes.LOAD_INVARIANT, I64, b.callee(), FUNCREF["host"])
        self._store = b.get(b.vmctx(), CONTEXT["store"])
        #: The thread state whose GIL was released; 0 when it is held.
        self._state = b.get(self._store, STORE["thread_state"])
        acquire, ready = b.new_block(), b.new_block()
        b.brif(b.is_zero(self._state), ready, (), acquire, ())
        b.switch_to(acquire)
        b.set(self._store, b.const(I64, 0), STORE["thread_state"])
        b.api("PyEval_RestoreThread", self._state)
        b.jump(ready)
        b.switch_to(ready)

    def leave(self) -> None:
        """Release the GIL again if it was released."""
        b = self._b
        release, done = b.new_block(), b.new_block()
        b.brif(b.is_zero(self._state), done, (), release, ())
        b.switch_to(release)
        b.set(self._store, b.api("PyEval_SaveThread"), STORE["thread_state"])
        b.jump(done)
        b.switch_to(done)

    def raise_in(self, block: Block, throw: int) -> None:
        """Fill `block`: leave WebAssembly with the exception that is set, the GIL held, unless code may catch it.

        `throw`: address of a FUNCREF for `throw_raised`, or 0.
        """
        b = self._b
        b.switch_to(block)
        if throw:
            b.call_ref(b.pointer(throw), _THROW, [self._state])
        b.unwind(b.const(I32, STATUS_EXCEPTION))


#: Of `throw_raised`.
_THROW: Final = Signature((I64,), ())


def throw_raised(raised: int) -> Function:
    """What thunks call when an exception is set: throws it, with the GIL released if it was (the parameter is what the
    thunk has of it), or comes back. `raised`: see `glue_callbacks`.

    A function of its own: it puts registers on the stack that thunks need not save.
    """
    b = PythonBuilder(Function("throw raised", _THROW, ABI_WASM))
    # What was raised may be that the stack is exhausted.
    b.function.checks_stack = False
    (state,) = b.start()
    b.callee()  # runs with the VMContext of its caller
    store = b.get(b.vmctx(), CONTEXT["store"])
    address = b.call_native(b.pointer(raised), Signature((I64,), (I64,)), [b.vmctx()], in_memory=True)
    back, thrown, release, done = (b.new_block() for _ in range(4))
    b.brif(b.is_zero(address), back, (), thrown, ())
    b.switch_to(back)
    b.ret([])
    b.switch_to(thrown)
    b.set(store, address, STORE["exception"])
    b.brif(b.is_zero(state), done, (), release, ())
    b.switch_to(release)
    b.set(store, b.api("PyEval_SaveThread"), STORE["thread_state"])
    b.jump(done)
    b.switch_to(done)
    b.throw()
    return b.function


def fast_host(type: FuncType, convert_result: int, throw: int = 0, suspend: int = 0) -> Function:
    """Thunk for a host function whose values are all numeric (`glue.is_fast`).

    Results that are not plain go through `convert_result`, see `glue_callbacks`. `throw`: see `raise_in`. `suspend`:
    address of a FUNCREF for `suspension.suspend`, or 0.
    """
    function = Function(f"host {type}", ir_signature(type), ABI_WASM)
    b = PythonBuilder(function)
    parameters = b.start()
    call = _HostCall(b)
    raised = b.new_block()
    boxed = [b.box(t, value) for t, value in zip(type.params, parameters)]
    result = b.call_giving_up(b.get(call.host, HOST["callable"]), boxed, boxed)
    values = _results(b, type, call.host, result, convert_result, suspend, raised)
    call.leave()
    b.ret(values)
    call.raise_in(raised, throw)
    find_loops(function)
    return function


def _results(
    b: PythonBuilder, type: FuncType, host: Inst, result: Inst, convert_result: int, suspend: int, raised: Block
) -> list[Inst]:
    """The function's results out of the Python object that was returned (0: an exception is set), whose reference is
    given up."""
    types = type.results
    signature = ir_signature(type)
    returned, unusual, done = b.new_block(), b.new_block(), b.new_block()
    values = [b.append_param(done, t) for t in signature.results]
    if suspend:
        # What the callable has returned, and once more what it was to wait for.
        first = b.const(I64, 1)
        b.jump(returned, (result, first))
        result, first = b.append_param(returned, I64), b.append_param(returned, I64)
    else:
        first = b.const(I64, 0)
        b.jump(returned)
    b.switch_to(returned)
    b.guard(b.is_zero(result), raised)
    if not types:
        b.guard(b.icmp(opcodes.NE, result, b.pointer(id(None))), unusual)
        b.decref(result)
        b.jump(done)
    elif len(types) == 1:
        value = b.unbox(types[0], result, unusual)
        b.decref(result)
        b.jump(done, (value,))
    else:
        b.jump(unusual)
    b.switch_to(unusual)
    slots = b.stack_slot(8 * max(slot_count(types), 1))
    failed = b.native(convert_result, b.get(host, HOST["core"]), result, slots, b.vmctx(), first)
    b.decref(result)
    converted = b.new_block()
    if suspend:
        waits = b.new_block()
        b.brif(b.icmp(opcodes.EQ, failed, b.const(I64, SUSPEND)), waits, (), converted, ())
        b.switch_to(waits)
        b.jump(returned, (b.call_ref(b.pointer(suspend), SUSPENDS, []), b.const(I64, 0)))
        b.switch_to(converted)
    b.guard(b.icmp(opcodes.NE, failed, b.const(I64, 0)), raised)
    b.jump(done, load_slots(b, types, slots))
    b.switch_to(done)
    return values


def generic_host(type: FuncType, call_host: int, throw: int = 0, convert_result: int = 0, suspend: int = 0) -> Function:
    """Thunk for any host function: passes everything through slots to `call_host`, see `glue_callbacks`.

    `throw`, `convert_result` and `suspend`: as for `fast_host`.
    """
    function = Function(f"generic host {type}", ir_signature(type), ABI_WASM)
    b = PythonBuilder(function)
    parameters = b.start()
    call = _HostCall(b)
    raised = b.new_block()
    slots = b.stack_slot(8 * max(slot_count(type.params), slot_count(type.results), 1))
    store_slots(b, type.params, parameters, slots)
    core = b.get(call.host, HOST["core"])
    failed = b.native(call_host, core, b.vmctx(), slots)
    if suspend:
        waits, checked, ready = b.new_block(), b.new_block(), b.new_block()
        b.brif(b.icmp(opcodes.EQ, failed, b.const(I64, SUSPEND)), waits, (), checked, ())
        b.switch_to(waits)
        value = b.call_ref(b.pointer(suspend), SUSPENDS, [])
        b.guard(b.is_zero(value), raised)
        failed_later = b.native(convert_result, core, value, slots, b.vmctx(), b.const(I64, 0))
        b.decref(value)
        b.brif(b.icmp(opcodes.NE, failed_later, b.const(I64, 0)), raised, (), ready, ())
        b.switch_to(checked)
        b.brif(b.icmp(opcodes.NE, failed, b.const(I64, 0)), raised, (), ready, ())
        b.switch_to(ready)
    else:
        b.guard(b.icmp(opcodes.NE, failed, b.const(I64, 0)), raised)
    values = load_slots(b, type.results, slots)
    call.leave()
    b.ret(values)
    call.raise_in(raised, throw)
    return function
