"""Glue for what generated code asks of the runtime: IR of C functions that call the engine's Python callbacks."""

from __future__ import annotations

from collections.abc import Callable

from wasm_ir import opcodes
from wasm_ir.ir import ABI_C, Block, Function, Inst, Signature
from wasm_ir.types import I32, I64
from wasm_ir.vmcontext import CONTEXT, STATUS_EXCEPTION, STATUS_THROWN, STORE
from wasmetal.cpython import layouts
from wasmetal.glue.host_layout import SUSPEND
from wasmetal.glue.python_api import PythonBuilder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

_WORDS: Final = tuple(Signature((I64,) * count, (I64,)) for count in range(7))


def _function(name: str, parameters: int) -> PythonBuilder:
    return PythonBuilder(Function(name, _WORDS[parameters], ABI_C))


def _box_word(b: PythonBuilder, word: Inst) -> Inst:
    return b.api("PyLong_FromUnsignedLongLong", word)


# Exceptions that are set, taken and put back: one object since CPython 3.12, three before.


class _Raised:
    """The exception that was set, normalized; in stack slots, so that it can be put back from any block."""

    def __init__(self, b: PythonBuilder) -> None:
        self._b = b
        self._slots = b.stack_slot(32)
        if layouts.ONE_RAISED_EXCEPTION:
            b.set(self._slots, b.api("PyErr_GetRaisedException"), 8)
            return
        slots = [b.binary(opcodes.IADD, I64, self._slots, b.const(I64, 8 * number)) for number in range(3)]
        b.api("PyErr_Fetch", *slots)
        b.api("PyErr_NormalizeException", *slots)
        traceback = b.get(self._slots, 16)
        attach, done = b.new_block(), b.new_block()
        b.brif(b.is_zero(traceback), done, (), attach, ())
        b.switch_to(attach)
        b.api("PyException_SetTraceback", b.get(self._slots, 8), traceback)
        b.jump(done)
        b.switch_to(done)

    @property
    def exception(self) -> Inst:
        """A borrowed reference to the exception."""
        return self._b.get(self._slots, 8)

    def restore(self) -> None:
        b = self._b
        if layouts.ONE_RAISED_EXCEPTION:
            b.api("PyErr_SetRaisedException", b.get(self._slots, 8))
        else:
            b.api("PyErr_Restore", *[b.get(self._slots, 8 * number) for number in range(3)])

    def drop(self) -> None:
        b = self._b
        for number in (1,) if layouts.ONE_RAISED_EXCEPTION else range(3):
            b.decref(b.get(self._slots, 8 * number))  # Py_DecRef ignores null


def fail(failed: Callable[..., Any]) -> Function:
    """C function (store, status): completes a trap or an exception that left WebAssembly code; an exception is set
    after.

    Calls failed(store, status, what): for a trap, with its code, it must raise; for what was thrown in WebAssembly,
    with the address of the EXCEPTION, it returns what is to be raised; for an exception that is set it gets the object
    and returns, after which the exception is set again (what `failed` itself raises takes its place).
    """
    b = _function("fail", 2)
    store, status = b.start()
    # Python code may enter this store again (finalizers, for example): below the frames that are to be looked at. There
    # are none, and the stack pointer is fine, when what failed is the entry's own call of the lazy compiler.
    frame = b.get(store, STORE["trap_fp"])
    no_frames = b.icmp(opcodes.EQ, frame, b.get(store, STORE["entry_fp"]))
    below = b.select(no_frames, b.get(store, STORE["wasm_sp"]), b.binary(opcodes.AND, I64, frame, b.const(I64, -16)))
    b.set(store, below, STORE["wasm_sp"])
    zero = b.const(I64, 0)
    b.set(store, zero, STORE["pending"])
    trap, exception, ended = b.new_block(), b.new_block(), b.new_block()
    b.brif(b.icmp(opcodes.EQ, status, b.const(I64, STATUS_EXCEPTION)), exception, (), trap, ())
    b.switch_to(trap)
    # Before `failed` can look, a signal handler may run code of this store that traps or throws. So it is told; what
    # was thrown is kept where references to exceptions are looked for.
    thrown = b.icmp(opcodes.EQ, status, b.const(I64, STATUS_THROWN))
    what = b.select(thrown, b.get(store, STORE["exception"]), b.get(store, STORE["trap_code"]))
    kept = b.binary(opcodes.ISUB, I64, below, b.const(I64, 16))
    b.set(kept, what, 0)
    b.set(store, kept, STORE["wasm_sp"])
    boxed = [_box_word(b, store), _box_word(b, status), _box_word(b, what)]
    result = b.call_callback(failed, boxed, boxed, ended)
    # With the traceback that it has; `raise` would add to that.
    b.api("PyErr_SetObject", b.get(result, layouts.OB_TYPE), result)
    b.decref(result)
    b.ret([zero])
    b.switch_to(exception)
    raised = _Raised(b)
    replaced = b.new_block()
    boxed = [_box_word(b, store), _box_word(b, status)]
    result = b.call_callback(failed, [*boxed, raised.exception], boxed, replaced)
    b.decref(result)
    raised.restore()
    b.ret([zero])
    b.switch_to(replaced)
    raised.drop()
    b.jump(ended)
    b.switch_to(ended)
    b.ret([zero])
    return b.function


def _with_gil(b: PythonBuilder, store: Inst) -> tuple[Inst, Inst]:
    """Take the GIL if the store has released it; returns what `_release` needs."""
    state = b.get(store, STORE["thread_state"])
    acquire, ready = b.new_block(), b.new_block()
    b.brif(b.is_zero(state), ready, (), acquire, ())
    b.switch_to(acquire)
    b.set(store, b.const(I64, 0), STORE["thread_state"])
    b.api("PyEval_RestoreThread", state)
    b.jump(ready)
    b.switch_to(ready)
    return store, state


def _release(b: PythonBuilder, gil: tuple[Inst, Inst]) -> None:
    store, state = gil
    release, done = b.new_block(), b.new_block()
    b.brif(b.is_zero(state), done, (), release, ())
    b.switch_to(release)
    b.set(store, b.api("PyEval_SaveThread"), STORE["thread_state"])
    b.jump(done)
    b.switch_to(done)


def _call_for_word(b: PythonBuilder, callback: object, words: list[Inst], boxed: list[Inst], failed: Block) -> Inst:
    """Call a callback and take its result, an int, modulo 2**64."""
    result = b.call_callback(callback, words, boxed, failed)
    word = b.api("PyLong_AsUnsignedLongLongMask", result)
    b.decref(result)
    wrong, right = b.new_block(), b.new_block()
    # -1 is also what an error gives.
    suspicious = b.icmp(opcodes.EQ, word, b.const(I64, -1))
    b.brif(suspicious, wrong, (), right, ())
    b.switch_to(wrong)
    error = b.api("PyErr_Occurred")
    b.brif(b.is_zero(error), right, (), failed, ())
    b.switch_to(right)
    return word


def builtin(callback: Callable[..., Any]) -> Function:
    """C function for CONTEXT.builtin: callback(context, number, a, b, c) -> int; all words unsigned.

    When the callback raises, STORE.pending is set, the GIL stays held and the result is 0.
    """
    b = _function("builtin", 5)
    words = b.start()
    store = b.get(words[0], CONTEXT["store"])
    gil = _with_gil(b, store)
    failed = b.new_block()
    boxed = [_box_word(b, word) for word in words]
    word = _call_for_word(b, callback, boxed, boxed, failed)
    _release(b, gil)
    b.ret([word])
    b.switch_to(failed)
    b.set(store, b.const(I64, 1), STORE["pending"])
    b.ret([b.const(I64, 0)])
    return b.function


def resolver(callback: Callable[..., Any]) -> Function:
    """C function for STORE.resolver: callback(funcref, slot, context) -> address of the code.

    When the callback raises, the GIL stays held and the result is 0. An exception that is set (when it is about the
    function that throws it) stays so.
    """
    b = _function("resolver", 3)
    words = b.start()
    gil = _with_gil(b, b.get(words[2], CONTEXT["store"]))
    before = _Raised(b)
    failed = b.new_block()
    boxed = [_box_word(b, word) for word in words]
    word = _call_for_word(b, callback, boxed, boxed, failed)
    before.restore()
    _release(b, gil)
    b.ret([word])
    b.switch_to(failed)
    before.drop()
    b.ret([b.const(I64, 0)])
    return b.function


def interrupted(callback: Callable[..., Any]) -> Function:
    """C function for STORE.interrupted (VMContext): 0 to go on, 1 with an exception set and the GIL held.

    Runs the handlers of signals that have come, if this is the main thread. Calls callback(store) when a deadline has
    passed or the call is to be interrupted: it raises, or returns to let the code go on.
    """
    b = _function("interrupted", 1)
    (context,) = b.start()
    store = b.get(context, CONTEXT["store"])
    zero = b.const(I64, 0)
    nothing, look, ask, done, failed = (b.new_block() for _ in range(5))
    # From here on a new request makes the next poll call again.
    b.set(context, b.get(store, STORE["stack_limit"]), CONTEXT["stack_limit"])
    b.brif(b.is_zero(b.get(store, STORE["attention"])), nothing, (), look, ())
    b.switch_to(look)
    b.set(store, zero, STORE["attention"])
    gil = _with_gil(b, store)
    b.guard(b.unary(opcodes.WRAP, I32, b.api("PyErr_CheckSignals")), failed)
    asked = b.binary(opcodes.OR, I64, b.get(store, STORE["interrupt"]), b.get(store, STORE["deadline"]))
    b.brif(b.is_zero(asked), done, (), ask, ())
    b.switch_to(ask)
    boxed = _box_word(b, store)
    b.decref(b.call_callback(callback, [boxed], [boxed], failed))
    b.jump(done)
    b.switch_to(done)
    _release(b, gil)
    b.jump(nothing)
    b.switch_to(nothing)
    b.ret([zero])
    b.switch_to(failed)
    b.ret([b.const(I64, 1)])
    return b.function


def convert_result(callback: Callable[..., Any]) -> Function:
    """C function (core, result, slots, VMContext, whether the result may be waited for): callback(core, result, address
    of slots, context, call); returns 0, SUSPEND, or 1 with an exception set.

    `call`: see `_suspendable`; True for a result that has been waited for.
    """
    b = _function("convert result", 5)
    core, result, slots, context, first = b.start()
    call = b.select(b.is_zero(first), b.pointer(id(True)), _suspendable(b, context))
    boxed = [_box_word(b, slots), _box_word(b, context)]
    _return_flag(b, callback, [core, result, *boxed, call], boxed)
    return b.function


def call_host(callback: Callable[..., Any]) -> Function:
    """C function (core, context, slots): callback(core, context, address of slots, call); returns 0, SUSPEND, or 1 with
    an exception set. `call`: see `_suspendable`."""
    b = _function("call host", 3)
    core, context, slots = b.start()
    boxed = [_box_word(b, context), _box_word(b, slots)]
    _return_flag(b, callback, [core, *boxed, _suspendable(b, context)], boxed)
    return b.function


def _suspendable(b: PythonBuilder, context: Inst) -> Inst:
    """The call that the innermost entry was made by, if that can be left for a while; None otherwise."""
    store = b.get(context, CONTEXT["store"])
    can = b.icmp(opcodes.EQ, b.get(store, STORE["entry_fp"]), b.get(store, STORE["await_fp"]))
    return b.select(can, b.get(store, STORE["await_call"]), b.pointer(id(None)))


def raised(callback: Callable[..., Any]) -> Function:
    """C function (VMContext): callback(context, exception) for the exception that is set -> address of an EXCEPTION
    that stands for it, which is not set any more; 0 with an exception set."""
    b = _function("raised", 1)
    (context,) = b.start()
    exception = _Raised(b)
    replaced, keep, done = b.new_block(), b.new_block(), b.new_block()
    boxed = _box_word(b, context)
    address = _call_for_word(b, callback, [boxed, exception.exception], [boxed], replaced)
    b.brif(b.is_zero(address), keep, (), done, ())
    b.switch_to(keep)
    exception.restore()
    b.ret([b.const(I64, 0)])
    b.switch_to(done)
    exception.drop()
    b.ret([address])
    b.switch_to(replaced)
    exception.drop()
    b.ret([b.const(I64, 0)])
    return b.function


def _return_flag(b: PythonBuilder, callback: object, arguments: list[Inst], boxed: list[Inst]) -> None:
    """Return 0 when the callback returns None, SUSPEND when it returns anything else, 1 when it raises."""
    failed = b.new_block()
    result = b.call_callback(callback, arguments, boxed, failed)
    waits = b.icmp(opcodes.NE, result, b.pointer(id(None)))
    b.decref(result)
    b.ret([b.select(waits, b.const(I64, SUSPEND), b.const(I64, 0))])
    b.switch_to(failed)
    b.ret([b.const(I64, 1)])
