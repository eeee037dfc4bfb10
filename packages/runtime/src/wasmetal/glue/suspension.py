"""Glue for calls that can be suspended: IR of the entry that starts and resumes them, and of what leaves it.

A host function whose result is to be waited for calls `suspend`, which leaves to the entry. The frames from there to
the top of the stack are copied away, so that other calls can use the stack; to resume, they are copied back to where
they were, and `suspend` returns. All of what an entry does to the stack is in one native call with the GIL held at its
beginning and end, and CALL.state says whether there is something to resume: nothing can come in between.
"""

from __future__ import annotations

import ctypes

from wasm_core.errors import WasmError
from wasm_core.types import FuncType
from wasm_ir import opcodes
from wasm_ir.ir import ABI_C, ABI_WASM, Block, Function, Inst, Signature
from wasm_ir.types import I32, I64
from wasm_ir.vmcontext import CONTEXT, STATUS_OK, STATUS_SUSPENDED, STATUS_THROWN, STORE
from wasmetal.cpython import layouts, native_callable
from wasmetal.glue.entry import VECTORCALL, Entry, load_slots, store_slots
from wasmetal.glue.host_layout import CALL, CALL_ENDED, CALL_NEW, CALL_RUNNING, CALL_SUSPENDED
from wasmetal.glue.python_api import PythonBuilder, ir_signature
from wasmetal.glue.thunks import NOT_SUSPENDED
from wasmetal.system.hold import FREE_THREADED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Of `suspend`: a new reference to what was waited for, 0 with an exception set.
SUSPENDS: Final = Signature((), (I64,))
#: Of `start`.
_START: Final = Signature((I64, I64), ())
#: Of the backend's stub `resume_entry`.
_RESUME: Final = Signature((I64,), ())
_NOTHING: Final = Signature((), ())


def leave() -> Function:
    """WebAssembly function that leaves to the innermost entry, to be entered again where it was called."""
    b = PythonBuilder(Function("leave", _NOTHING, ABI_WASM))
    b.function.checks_stack = False
    b.start()
    b.callee()  # runs with the VMContext of its caller
    b.unwind(b.const(I32, STATUS_SUSPENDED))
    return b.function


def suspend(leave: int) -> Function:
    """WebAssembly function that returns when the innermost entry has been left and entered again. `leave`: address of a
    FUNCREF for `leave`.

    As everything that lives into a landing pad, what its callers have in registers is in its frame meanwhile.
    """
    b = PythonBuilder(Function("suspend", SUSPENDS, ABI_WASM))
    b.function.checks_stack = False
    b.start()
    b.callee()
    b.call_ref(b.pointer(leave), _NOTHING, [])
    following, resumed = b.new_block(), b.new_block()
    b.invoke(following, resumed)
    b.switch_to(following)
    b.ret([b.const(I64, 0)])  # (it does not return)
    b.switch_to(resumed)
    store = b.get(b.vmctx(), CONTEXT["store"])
    b.set(store, b.get(store, STORE["entry_fp"]), STORE["await_fp"])
    b.ret([b.get(store, STORE["await_value"])])
    return b.function


def start(type: FuncType) -> Function:
    """WebAssembly function (FUNCREF, slots) that calls a function of a type, and leaves to the innermost entry, which
    need not be the one that called it.

    Whoever throws finds a landing pad here at the latest, as the frame outside of this one may have gone.
    """
    b = PythonBuilder(Function(f"start {type}", _START, ABI_WASM))
    function, slots = b.start()
    b.callee()
    store = b.get(b.vmctx(), CONTEXT["store"])
    b.set(store, b.get(store, STORE["entry_fp"]), STORE["await_fp"])
    call = b.call_ref(function, ir_signature(type), load_slots(b, type.params, slots))
    returned, thrown = b.new_block(), b.new_block()
    b.invoke(returned, thrown)
    b.switch_to(returned)
    store_slots(b, type.results, [b.result(call, number) for number in range(len(type.results))], slots)
    b.unwind(b.const(I32, STATUS_OK))
    b.switch_to(thrown)
    # To unwind overwrites where it was thrown: `entry` puts this back from fields that are not needed any more.
    for kept, field in _KEPT:
        b.set(store, b.get(store, STORE[field]), STORE[kept])
    b.unwind(b.const(I32, STATUS_THROWN))
    return b.function


_KEPT: Final = (("await_value", "trap_pc"), ("await_fp", "trap_fp"))


def entry(fail: int, resume: int) -> Function:
    """Vectorcall thunk of the objects that CALL structures belong to: (value, exception or None), which are what the
    call was suspended for; at its start they do not matter.

    Returns None when it has ended, True when it is suspended, False when another thread runs the store, and an address
    on the thread's stack for `c_stack.make_room` when too little of that is left. `fail`: see `glue_callbacks.fail`.
    `resume`: address of a FUNCREF for the backend's stub `resume_entry`.
    """
    b = PythonBuilder(Function("suspendable entry", VECTORCALL, ABI_C))
    callable, arguments, nargsf, kwnames = b.start()
    wrong, busy, deep, no_room = (b.new_block() for _ in range(4))
    zero = b.const(I64, 0)
    record = b.get(callable, native_callable.FUNCREF)
    doubled = b.binary(opcodes.SHL, I64, nargsf, b.const(I64, 1))
    other_count = b.binary(opcodes.XOR, I64, doubled, b.const(I64, 4))
    b.guard(b.icmp(opcodes.NE, b.binary(opcodes.OR, I64, other_count, kwnames), zero), wrong)
    context = b.get(record, CALL["context"])
    made = Entry(b, context, fail)
    store = made.store
    state = b.get(record, CALL["state"])
    new, again, ready = b.new_block(), b.new_block(), b.new_block()
    b.brif(b.icmp(opcodes.EQ, state, b.const(I64, CALL_NEW)), ready, (), again, ())
    b.switch_to(again)
    b.guard(b.icmp(opcodes.NE, state, b.const(I64, CALL_SUSPENDED)), wrong)
    # The frames belong to one stack.
    b.brif(b.icmp(opcodes.NE, store, b.get(record, CALL["store"])), wrong, (), ready, ())
    b.switch_to(ready)
    place = made.guard(busy, deep)
    top = b.get(store, STORE["stack_top"])
    displaced = _save_outer(b, record, store, top, no_room)

    made.begin(("await_fp", "await_call", "await_value"))
    b.set(store, callable, STORE["await_call"])
    b.set(record, store, CALL["store"])
    b.set(record, b.const(I64, CALL_RUNNING), CALL["state"])
    left, resumed = b.new_block(), b.new_block()
    status = b.append_param(left, I32)
    b.brif(b.icmp(opcodes.EQ, state, b.const(I64, CALL_NEW)), new, (), resumed, ())
    b.switch_to(new)
    b.set(store, top, STORE["wasm_sp"])
    made.release_gil()
    words = [b.get(record, CALL[field]) for field in ("function", "slots")]
    call = b.enter(store, b.get(record, CALL["start"]), context, _START, words)
    b.jump(left, (b.result(call, 0),))

    b.switch_to(resumed)
    size = b.get(record, CALL["frames_size"])
    frames = b.binary(opcodes.ISUB, I64, top, size)
    _copy(b, context, frames, b.api("PyByteArray_AsString", b.get(record, CALL["frames"])), size)
    b.set(store, frames, STORE["wasm_sp"])
    value, error = b.get(arguments, 0), b.get(arguments, 8)
    returns, raises, enter = b.new_block(), b.new_block(), b.new_block()
    b.brif(b.icmp(opcodes.EQ, error, b.pointer(id(None))), returns, (), raises, ())
    b.switch_to(returns)
    b.api("Py_IncRef", value)
    b.set(store, value, STORE["await_value"])
    b.jump(enter)
    b.switch_to(raises)
    b.api("PyErr_SetObject", b.get(error, layouts.OB_TYPE), error)
    b.set(store, zero, STORE["await_value"])
    b.jump(enter)
    b.switch_to(enter)
    call = b.enter(store, b.pointer(resume), context, _RESUME, [frames])
    b.jump(left, (b.result(call, 0),))

    b.switch_to(left)
    made.acquire_gil()
    suspended, not_suspended, over, failed, thrown, failing = (b.new_block() for _ in range(6))
    b.brif(b.icmp(opcodes.EQ, status, b.const(I32, STATUS_SUSPENDED)), suspended, (), not_suspended, ())
    b.switch_to(not_suspended)
    ended = b.const(I64, CALL_ENDED)
    b.brif(b.is_zero(status), over, (), failed, ())
    b.switch_to(failed)
    b.brif(b.icmp(opcodes.EQ, status, b.const(I32, STATUS_THROWN)), thrown, (), failing, ())
    b.switch_to(thrown)
    for kept, field in _KEPT:
        b.set(store, b.get(store, STORE[kept]), STORE[field])
    b.jump(failing)
    b.switch_to(failing)
    made.fail(status)
    b.set(record, ended, CALL["state"])
    _restore(b, made, record, top, displaced)
    b.ret([zero])

    b.switch_to(over)
    b.set(record, ended, CALL["state"])
    _restore(b, made, record, top, displaced)
    _return(b, None)

    b.switch_to(suspended)
    lowest = b.get(store, STORE["trap_fp"])
    size = b.binary(opcodes.ISUB, I64, top, lowest)
    stored, lost = b.new_block(), b.new_block()
    buffer = b.get(record, CALL["frames"])
    b.brif(_is_error(b, b.api("PyByteArray_Resize", buffer, size)), lost, (), stored, ())
    b.switch_to(lost)
    b.set(record, ended, CALL["state"])
    _restore(b, made, record, top, displaced)
    b.ret([zero])
    b.switch_to(stored)
    _copy(b, context, b.api("PyByteArray_AsString", buffer), lowest, size)
    b.set(record, size, CALL["frames_size"])
    b.set(record, b.const(I64, CALL_SUSPENDED), CALL["state"])
    _restore(b, made, record, top, displaced)
    _return(b, True)

    b.switch_to(wrong)
    b.api("PyErr_SetString", b.pointer(id(WasmError)), b.pointer(ctypes.addressof(NOT_SUSPENDED)))
    b.ret([zero])
    b.switch_to(no_room)
    if FREE_THREADED:
        made.let_go()
    b.ret([zero])
    b.switch_to(busy)
    _return(b, False)
    b.switch_to(deep)
    b.ret([b.api("PyLong_FromUnsignedLongLong", place)])
    return b.function


def _return(b: PythonBuilder, constant: object) -> None:
    pointer = b.pointer(id(constant))
    b.api("Py_IncRef", pointer)
    b.ret([pointer])


def _is_error(b: PythonBuilder, result: Inst) -> Inst:
    return b.icmp(opcodes.NE, b.unary(opcodes.WRAP, I32, result), b.const(I32, 0))


def _copy(b: PythonBuilder, context: Inst, to: Inst, from_: Inst, size: Inst) -> None:
    b.call_native(b.get(context, CONTEXT["memmove"]), Signature((I64, I64, I64), (I64,)), (to, from_, size))


def _save_outer(b: PythonBuilder, record: Inst, store: Inst, top: Inst, no_room: Block) -> Inst:
    """Copy away the frames of a call that the store is in the middle of, which has called what resumes this one.
    Returns their size."""
    there, none, done = b.new_block(), b.new_block(), b.new_block()
    size = b.append_param(done, I64)
    b.brif(b.is_zero(b.get(store, STORE["entry_fp"])), none, (), there, ())
    b.switch_to(none)
    b.jump(done, (b.const(I64, 0),))
    b.switch_to(there)
    lowest = b.get(store, STORE["wasm_sp"])
    outer = b.binary(opcodes.ISUB, I64, top, lowest)
    buffer = b.get(record, CALL["outer"])
    b.guard(_is_error(b, b.api("PyByteArray_Resize", buffer, outer)), no_room)
    _copy(b, b.get(record, CALL["context"]), b.api("PyByteArray_AsString", buffer), lowest, outer)
    b.set(record, outer, CALL["outer_size"])
    b.jump(done, (outer,))
    b.switch_to(done)
    return size


def _restore(b: PythonBuilder, made: Entry, record: Inst, top: Inst, displaced: Inst) -> None:
    """Put back the frames of others, and what the entry has changed in the store."""
    there, done = b.new_block(), b.new_block()
    b.brif(b.is_zero(displaced), done, (), there, ())
    b.switch_to(there)
    lowest = b.binary(opcodes.ISUB, I64, top, displaced)
    buffer = b.api("PyByteArray_AsString", b.get(record, CALL["outer"]))
    _copy(b, b.get(record, CALL["context"]), lowest, buffer, displaced)
    b.set(record, b.const(I64, 0), CALL["outer_size"])
    b.jump(done)
    b.switch_to(done)
    made.restore()
