"""Glue for calls from Python into WebAssembly: IR of the thunks that enter a store's code.

All of them have the C convention. The state of the store that an entry changes (where unwinding goes, which stack
pointers are current, who runs it) is saved by the thunk and put back, so entries nest.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence

from wasm_core.errors import WasmError
from wasm_core.types import FuncType, ValueType
from wasm_ir import opcodes
from wasm_ir.ir import ABI_C, Block, Call, Function, Inst, Signature
from wasm_ir.types import I32, I64, V128
from wasm_ir.vmcontext import CONTEXT, FUNCREF, STORE
from wasmetal.cpython import c_stack, layouts, native_callable
from wasmetal.cpython.c_stack import C_STACK
from wasmetal.glue import ticker
from wasmetal.glue.python_api import PythonBuilder, ir_signature, ir_type
from wasmetal.glue.thunks import BUSY_TEXT
from wasmetal.glue.ticker_layout import BRIEFLY, LOST, RESTS, TICKER
from wasmetal.system.hold import FREE_THREADED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Fields of the store that belong to the innermost entry.
_SAVED: Final = ("entry_fp", "entry_resume", "c_sp", "wasm_sp", "owner")
_OWNER: Final = _SAVED.index("owner")
_WORD_MASK: Final = (1 << 64) - 1

VECTORCALL: Final = Signature((I64, I64, I64, I64), (I64,))
#: (funcref, context, address of slots) -> 0, or 1 with an exception set.
_RAW: Final = Signature((I64, I64, I64), (I64,))
#: C_STACK.thread_value
_WORD: Final = Signature((I64,), (I64,))
#: TICKER.start
_WORDS: Final = Signature((I64, I64), (I64,))


def slow_entry() -> Function:
    """Vectorcall for a NativeCallable: passes the call on to its `_slow` object."""
    b = PythonBuilder(Function("slow entry", VECTORCALL, ABI_C))
    callable, arguments, nargsf, kwnames = b.start()
    slow = b.get(callable, native_callable.SLOW)
    b.ret([b.api("PyObject_Vectorcall", slow, arguments, nargsf, kwnames)])
    return b.function


def take() -> Function:
    """C function (address, word): puts a word in the place of 0, in one step. Returns 1 if there was one, else 0."""
    b = PythonBuilder(Function("take", _WORDS, ABI_C))
    address, word = b.start()
    found = b.compare_exchange(address, b.const(I64, 0), word, 0)
    b.ret([b.unary(opcodes.EXTEND_U, I64, b.is_zero(found))])
    return b.function


class Entry:
    """The part that all entries share: from a VMContext and arguments to results, or to `fail`."""

    def __init__(self, b: PythonBuilder, context: Inst, fail: int) -> None:
        self._b = b
        self._context = context
        self._fail = fail
        self.store = b.get(context, CONTEXT["store"])
        self._thread = b.api("PyThreadState_Get")
        self._fields: Sequence[str] = ()
        self._saved: list[Inst] = []
        #: Who had the store before: the calling thread, or 0. None until `begin` reads it, where there is a GIL.
        self._before: Inst | None = None

    def guard(self, foreign: Block, deep: Block, closed: Callable[[], Inst] | None = None) -> Inst:
        """Leave for `foreign` when another thread runs the store, and for `deep` when the thread's stack may be too
        full. Returns the address that says how full it is, which may be used in both.

        Without a GIL it takes the store as well. It leaves for `deep` then too when the call is to be begun anew:
        another thread has the store briefly, the instance has become part of another store just now, or what `closed`
        gives is not zero.
        """
        b = self._b
        place = b.stack_slot(16)
        words = b.pointer(c_stack.ADDRESS)
        inverted = b.call_native(b.get(words, C_STACK["thread_value"]), _WORD, (b.get(words, C_STACK["key"]),))
        limit = b.binary(opcodes.XOR, I64, inverted, b.const(I64, -1))
        b.guard(b.icmp(opcodes.LT_U, place, limit), deep)
        if FREE_THREADED:
            self._take(foreign, deep, closed)
            return place
        owned, free = b.new_block(), b.new_block()
        owner = b.get(self.store, STORE["owner"])
        b.brif(b.is_zero(owner), free, (), owned, ())
        b.switch_to(owned)
        b.brif(b.icmp(opcodes.EQ, owner, self._thread), free, (), foreign, ())
        b.switch_to(free)
        return place

    def _take(self, foreign: Block, again: Block, closed: Callable[[], Inst] | None) -> None:
        b, store = self._b, self.store
        take, refused, taken, wrong, ready = (b.new_block() for _ in range(5))
        before = b.append_param(ready, I64)
        owner, nobody = STORE["owner"], b.const(I64, 0)
        had = b.get(store, owner)
        mine = b.icmp(opcodes.EQ, b.binary(opcodes.AND, I64, had, b.const(I64, ~BRIEFLY & _WORD_MASK)), self._thread)
        b.brif(mine, ready, (had,), take, ())
        b.switch_to(take)
        found = b.compare_exchange(store, nobody, self._thread, owner)
        b.brif(b.is_zero(found), taken, (), refused, ())
        b.switch_to(refused)
        lost = b.icmp(opcodes.EQ, found, b.const(I64, LOST))
        briefly = b.unary(opcodes.WRAP, I32, b.binary(opcodes.AND, I64, found, b.const(I64, BRIEFLY)))
        b.brif(b.binary(opcodes.XOR, I32, briefly, lost), again, (), foreign, ())
        b.switch_to(taken)
        # Until here other threads could do anything: whoever closes an instance, or links stores, takes the store
        # after he has said so in these places, and keeps the structures that lead here (`Store.ways`).
        moved = b.icmp(opcodes.NE, b.get(self._context, CONTEXT["store"]), store)
        unfit = moved if closed is None else b.binary(opcodes.OR, I32, moved, closed())
        # An interruption may have been asked for when the last call had just ended.
        b.set(store, nobody, STORE["interrupt"])
        b.brif(unfit, wrong, (), ready, (nobody,))
        b.switch_to(wrong)
        b.set(store, nobody, owner)
        b.jump(again)
        b.switch_to(ready)
        self._before = before

    def run(self, funcref: Inst, signature: Signature, arguments: Sequence[Inst], failure: Inst) -> Call:
        """Enter; returns the call, whose results count from 1. On a trap or exception the thunk returns `failure`."""
        b = self._b
        self.begin()
        self.release_gil()
        call = b.enter(self.store, funcref, self._context, signature, arguments)
        self.acquire_gil()
        failed, done = b.new_block(), b.new_block()
        b.brif(b.is_zero(b.result(call, 0)), done, (), failed, ())
        b.switch_to(failed)
        self.fail(b.result(call, 0))
        self.restore()
        b.ret([failure])
        b.switch_to(done)
        self.restore()
        return call

    def begin(self, more: Sequence[str] = ()) -> None:
        """Save the fields of the store that the entry changes, `more` besides those of every entry, and take the
        store."""
        b, store = self._b, self.store
        self._start_ticker()
        self._fields = (*_SAVED, *more)
        self._saved = [b.get(store, STORE[field]) for field in self._fields]
        if self._before is None:
            b.set(store, self._thread, STORE["owner"])
        else:
            self._saved[_OWNER] = self._before

    def release_gil(self) -> None:
        """Release the GIL, unless the store holds it."""
        b, store = self._b, self.store
        enter, release = b.new_block(), b.new_block()
        b.brif(b.is_zero(b.get(store, STORE["hold_gil"])), release, (), enter, ())
        b.switch_to(release)
        b.set(store, b.api("PyEval_SaveThread"), STORE["thread_state"])
        b.jump(enter)
        b.switch_to(enter)

    def acquire_gil(self) -> None:
        """Take the GIL again. It is held when it was never released, or when a host function raised."""
        b, store = self._b, self.store
        leave, acquire = b.new_block(), b.new_block()
        state = b.get(store, STORE["thread_state"])
        b.brif(b.is_zero(state), leave, (), acquire, ())
        b.switch_to(acquire)
        b.set(store, b.const(I64, 0), STORE["thread_state"])
        b.api("PyEval_RestoreThread", state)
        b.jump(leave)
        b.switch_to(leave)

    def fail(self, status: Inst) -> None:
        """Set the exception for a status that is not STATUS_OK."""
        b = self._b
        b.native(self._fail, self.store, b.unary(opcodes.EXTEND_U, I64, status))

    def _start_ticker(self) -> None:
        """Whoever is about to run code must be seen by the ticker."""
        b = self._b
        asleep, awake = b.new_block(), b.new_block()
        address = b.pointer(ticker.ADDRESS)
        b.brif(b.is_zero(b.get(address, TICKER["active"])), asleep, (), awake, ())
        b.switch_to(asleep)
        b.call_native(b.get(address, TICKER["start"]), _WORDS, (address, self._context))
        b.jump(awake)
        b.switch_to(awake)

    def restore(self) -> None:
        """Put back what `begin` has saved."""
        b = self._b
        for field, value in zip(self._fields, self._saved):
            if field != "owner" or not FREE_THREADED:
                b.set(self.store, value, STORE[field])
        outermost, done = b.new_block(), b.new_block()
        b.brif(b.is_zero(self._saved[_OWNER]), outermost, (), done, ())
        b.switch_to(outermost)
        # What was asked of this call must not befall the next.
        b.set(self.store, b.const(I64, 0), STORE["interrupt"])
        b.jump(done)
        b.switch_to(done)
        if FREE_THREADED:
            self.let_go()

    def let_go(self) -> None:
        """Without a GIL: let others have what `guard` has taken."""
        assert self._before is not None
        self._b.set(self.store, self._before, STORE["owner"])


def fast_entry(type: FuncType, slow: int, fail: int) -> Function:
    """Vectorcall thunk for functions of a type whose values are all numeric (`glue.is_fast`).

    Whatever is not plain (number of arguments, keywords, objects that are not exactly int or float, numbers out of
    range, a store that another thread runs or that has no stack, a thread with little stack left) goes to the code at
    `slow`, which must have the signature of vectorcall, before anything has happened. `fail`: see
    `glue_callbacks.fail`.
    """
    b = PythonBuilder(Function(f"entry {type}", VECTORCALL, ABI_C))
    callable, arguments, nargsf, kwnames = b.start()
    unusual = b.new_block()
    count = len(type.params)
    # Shifting left drops VECTORCALL_ARGUMENTS_OFFSET.
    doubled = b.binary(opcodes.SHL, I64, nargsf, b.const(I64, 1))
    other_count = b.binary(opcodes.XOR, I64, doubled, b.const(I64, 2 * count))
    b.guard(b.icmp(opcodes.NE, b.binary(opcodes.OR, I64, other_count, kwnames), b.const(I64, 0)), unusual)
    values = [b.unbox(t, b.get(arguments, 8 * number), unusual) for number, t in enumerate(type.params)]
    funcref = b.get(callable, native_callable.FUNCREF)
    context = b.get(funcref, FUNCREF["context"])
    entry = Entry(b, context, fail)
    entry.guard(unusual, unusual, lambda: b.icmp(opcodes.EQ, b.get(callable, native_callable.ENTRY), b.pointer(slow)))
    call = entry.run(funcref, ir_signature(type), values, b.const(I64, 0))
    _return_boxed(b, type, call)
    b.switch_to(unusual)
    b.ret([b.native(slow, callable, arguments, nargsf, kwnames)])
    return b.function


def _return_boxed(b: PythonBuilder, type: FuncType, call: Call) -> None:
    results = type.results
    if not results:
        none = b.pointer(id(None))
        b.api("Py_IncRef", none)
        b.ret([none])
        return
    if len(results) == 1:
        b.ret([b.box(results[0], b.result(call, 1))])
        return
    # The tuple is filled as we go: when an object cannot be made, its deallocation takes care of the others.
    nothing = b.const(I64, 0)
    failed, no_tuple = b.new_block(), b.new_block()
    made = b.api("PyTuple_New", b.const(I64, len(results)))
    b.guard(b.is_zero(made), no_tuple)
    for number, value_type in enumerate(results):
        item = b.box(value_type, b.result(call, number + 1))
        b.guard(b.is_zero(item), failed)
        b.set(made, item, layouts.TUPLE_ITEMS + 8 * number)
    b.ret([made])
    b.switch_to(failed)
    b.decref(made)
    b.ret([nothing])
    b.switch_to(no_tuple)
    b.ret([nothing])


def raw_entry(type: FuncType, fail: int) -> Function:
    """C function (funcref, context, slots) that takes the arguments from slots and puts the results there.

    `context` is the VMContext whose store runs the function. Returns 0, or 1 with an exception set. When the thread's
    stack may be too full it does nothing and returns an address on it for `c_stack.make_room`; when the store has no
    stack it does nothing and returns RESTS.
    """
    b = PythonBuilder(Function(f"raw entry {type}", _RAW, ABI_C))
    funcref, context, slots = b.start()
    busy, deep = b.new_block(), b.new_block()
    entry = Entry(b, context, fail)
    failure = b.const(I64, 1)
    place = entry.guard(busy, deep)
    call = entry.run(funcref, ir_signature(type), load_slots(b, type.params, slots), failure)
    results = [b.result(call, number + 1) for number in range(len(type.results))]
    store_slots(b, type.results, results, slots)
    b.ret([b.const(I64, 0)])
    b.switch_to(busy)
    resting, refused = b.new_block(), b.new_block()
    rests = b.const(I64, RESTS)
    b.brif(b.icmp(opcodes.EQ, b.get(entry.store, STORE["owner"]), rests), resting, (), refused, ())
    b.switch_to(resting)
    b.ret([rests])
    b.switch_to(refused)
    b.api("PyErr_SetString", b.pointer(id(WasmError)), b.pointer(ctypes.addressof(BUSY_TEXT)))
    b.ret([failure])
    b.switch_to(deep)
    b.ret([place])
    return b.function


def load_slots(b: PythonBuilder, types: Sequence[ValueType], slots: Inst) -> list[Inst]:
    """Read values of these types from an array of slots."""
    values = []
    offset = 0
    for value_type in types:
        values.append(b.load(opcodes.LOAD, ir_type(value_type), slots, offset))
        offset += 8 * value_type.slots
    return values


def store_slots(b: PythonBuilder, types: Sequence[ValueType], values: Sequence[Inst], slots: Inst) -> None:
    """Write values of these types to an array of slots, zero-extended."""
    offset = 0
    zero = b.const(I32, 0)
    for value_type, value in zip(types, values):
        b.store(opcodes.STORE, slots, value, offset)
        if value.type != V128 and value_type in (ValueType.I32, ValueType.F32):
            b.store(opcodes.STORE, slots, zero, offset + 4)
        offset += 8 * value_type.slots
