"""What generated code and glue ask Python to do."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from types import CoroutineType

from wasm_core.errors import TrapCode
from wasm_ir.vmcontext import (
    BUILTIN_EXCEPTION_ROOM,
    BUILTIN_LISTENER_AFTER,
    BUILTIN_LISTENER_BEFORE,
    BUILTIN_MEMORY_GROW,
    BUILTIN_TABLE_GROW,
    FUNCREF,
    STATUS_THROWN,
    STATUS_TRAP,
    STORE,
)
from wasmetal.glue import ticker
from wasmetal.glue.glue import helped_glue
from wasmetal.store import failures, interruption
from wasmetal.store.functions import FunctionCore, host_function_at
from wasmetal.store.instance_core import InstanceCore, instance_at
from wasmetal.store.store import Store, store_at
from wasmetal.system.hold import serialized, unserialized

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasmetal.compiled.listener import FunctionDefinition
    from wasmetal.store.exceptions import ExceptionHeap

_CONTEXT: Final = FUNCREF["context"]


_StoreContext: Final = ctypes.c_uint64 * (STORE.size // 8)


def _words(store: int) -> ctypes.Array[ctypes.c_uint64]:
    """The StoreContext at an address: there is one as long as its code runs, also where the collector has cleared the
    reference to the store, and finalizers of the same garbage call."""
    return _StoreContext.from_address(store)


@serialized
class Callbacks:
    """The callbacks of `wasmetal.glue.glue.Callbacks`. Addresses are those of VMContexts, funcrefs and stores."""

    def builtin(self, context: int, number: int, a: int, b: int, c: int) -> int:
        """One of the BUILTIN_* functions of `wasm_ir.vmcontext`; the arguments are 64-bit words."""
        return _BUILTINS[number](instance_at(context), a, b, c)

    def resolve(self, funcref: int, slot: int, context: int) -> int:
        """Compile the function that a funcref or a slot stands for, and make it point to the code."""
        caller = instance_at(context)
        if slot:
            return caller.code.resolve_slot(slot)
        function = host_function_at(funcref)
        if function is not None:
            return function._core.resolve(caller.code.glue)
        helped = helped_glue(funcref)
        if helped is not None:
            return helped.resolve_helper(funcref)
        return instance_at(ctypes.c_uint64.from_address(funcref + _CONTEXT).value).resolve_funcref(funcref)

    def failed(self, store: int, status: int, what: int | BaseException) -> BaseException | None:
        """Raise the trap of a call that trapped; return what nothing in WebAssembly has caught; add the backtrace to an
        exception that a host function raised."""
        found = store_at(store)
        if isinstance(what, BaseException):
            if found is not None:
                failures.annotate(what, found)
            return None
        if status == STATUS_THROWN:
            assert found is not None
            return _heap(found).leaves(what)
        if status == STATUS_TRAP:
            raise failures.trap(found, TrapCode(what))
        return None

    def raised(self, context: int, exception: BaseException) -> int:
        """The address of an EXCEPTION for what a host function has raised, 0 if WebAssembly is not to catch it."""
        instance = instance_at(context)
        return _heap(instance.store).throw(exception, instance)

    def interrupted(self, store: int) -> None:
        """Raise what is to end the call that is running, if anything is."""
        if ticker.has_failed():
            ticker.fall_back()
        interruption.raise_in(_words(store), store_at(store))

    def host_call(self, core: object, context: int, slots: int, call: object) -> object:
        """Call a host function with what is in the slots, and put its results there, unless they are to be waited
        for."""
        assert isinstance(core, FunctionCore)
        return core.invoke(instance_at(context), slots, call)

    def host_result(self, core: object, result: object, slots: int, context: int, call: object) -> object:
        """Put an unusual result of a host function in the slots, unless it is to be waited for."""
        if type(result) is CoroutineType and call is not True and call is not None:
            # What matters most, the same as below.
            assert isinstance(core, FunctionCore)
            if not core.has_references:
                call.awaited = result  # type: ignore[attr-defined]
                call.host = core  # type: ignore[attr-defined]
                return True
        assert isinstance(core, FunctionCore)
        return core.store_results(instance_at(context) if core.has_references else None, result, slots, call)


def _memory_grow(instance: InstanceCore, index: int, pages: int, _: int) -> int:
    return instance.memories[index]._grow(pages)


def _table_grow(instance: InstanceCore, index: int, count: int, value: int) -> int:
    return instance.tables[index].grow(count, value)


@unserialized
def _tell(listen: Callable[..., None], definition: FunctionDefinition, values: tuple[object, ...]) -> None:
    listen(definition, values)


def _listener_before(instance: InstanceCore, index: int, slots: int, _: int) -> int:
    from wasmetal.compiled.listener import values_at

    code = instance.code
    assert code.listener is not None
    definition = code.definition(index)
    _tell(code.listener.before, definition, values_at(definition.type.params, slots, instance.store))
    return 0


def _listener_after(instance: InstanceCore, index: int, slots: int, _: int) -> int:
    from wasmetal.compiled.listener import values_at

    code = instance.code
    assert code.listener is not None
    definition = code.definition(index)
    _tell(code.listener.after, definition, values_at(definition.type.results, slots, instance.store))
    return 0


def _heap(store: Store) -> ExceptionHeap:
    # Most programs have no exceptions.
    from wasmetal.store.exceptions import heap_of

    return heap_of(store)


def _exception_room(instance: InstanceCore, size: int, _: int, __: int) -> int:
    _heap(instance.store).make_room(size)
    return 0


_BUILTINS: Final = {
    BUILTIN_EXCEPTION_ROOM: _exception_room,
    BUILTIN_MEMORY_GROW: _memory_grow,
    BUILTIN_TABLE_GROW: _table_grow,
    BUILTIN_LISTENER_BEFORE: _listener_before,
    BUILTIN_LISTENER_AFTER: _listener_after,
}
