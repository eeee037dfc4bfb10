"""What functions are made of: those of instances, and host functions made from Python callables."""

from __future__ import annotations

import ctypes
import time
import weakref
from array import array
from collections.abc import Callable, Sequence
from types import CoroutineType, GeneratorType

from wasm_core.defined_types import DefinedType, function_type
from wasm_core.errors import WasmError
from wasm_core.quoting import shown
from wasm_core.types import FuncType, ValueType
from wasm_ir.vmcontext import FUNCREF, lineage_words
from wasmetal.cpython import c_stack
from wasmetal.cpython.native_callable import ENTRY, NativeCallable
from wasmetal.glue import values
from wasmetal.glue.glue import Glue, RawThunk, Thunk
from wasmetal.glue.host_layout import HOST
from wasmetal.glue.ticker_layout import LOST
from wasmetal.store import callers
from wasmetal.store.exception_roots import EXCEPTION_TYPES, rooted
from wasmetal.system.hold import FREE_THREADED, NOTHING, Hold, exclusive, released, serialized, unserialized

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final, NoReturn

    from wasmetal.store.members import Instance
    from wasmetal.store.store import Store


_class_of: Final = type
#: CO_ITERABLE_COROUTINE: of what `types.coroutine` has made.
_ITERABLE_COROUTINE: Final = 0x100

#: How long to wait for another thread that runs the store before looking again, in seconds: at first, and at most.
#: (Generated code lets go of a store with one store to memory, and tells nobody.)
_FIRST_PAUSE: Final = 0.000_02
_LONGEST_PAUSE: Final = 0.001

# Words of a HostFunction's structures.
_FUNCREF_CODE: Final = FUNCREF["code"] // 8
_FUNCREF_TYPE_ID: Final = FUNCREF["type_id"] // 8
_FUNCREF_LINEAGE: Final = FUNCREF["lineage"] // 8
_FUNCREF_HOST: Final = FUNCREF["host"] // 8
_HOST_CALLABLE: Final = (FUNCREF.size + HOST["callable"]) // 8
_HOST_CORE: Final = (FUNCREF.size + HOST["core"]) // 8

#: Live host functions by address of their FUNCREF.
_host_functions: weakref.WeakValueDictionary[int, FuncHandle] = weakref.WeakValueDictionary()


def slots_array(type: FuncType) -> ctypes.Array[ctypes.c_uint64]:
    count = max(values.slot_count(type.params), values.slot_count(type.results))
    return (ctypes.c_uint64 * count)()


def pack(results: list[object]) -> object:
    """What a call returns: None, the value, or a tuple."""
    if len(results) == 1:
        return results[0]
    return tuple(results) if results else None


class FunctionCore:
    """What a Func is about, apart from being called: it knows the Func only weakly, so there is no cycle."""

    __slots__ = ("__weakref__", "func", "funcref", "has_exceptions", "has_references", "name", "type")

    #: Whether it is a HostFunction, else a WasmFunction.
    is_host = False
    #: The instance of a WasmFunction.
    instance: Instance
    #: Of a HostFunction.
    has_plain_type: bool

    def __init__(self, type: FuncType, name: str | None, funcref: int) -> None:
        self.type = type
        self.name = name
        #: Address of the FUNCREF.
        self.funcref = funcref
        #: Results may refer to exceptions.
        self.has_exceptions = any(value_type.heap_type in EXCEPTION_TYPES for value_type in type.results)
        self.has_references = any(value_type.is_reference for value_type in type.params + type.results)
        self.func: weakref.ref[FuncHandle] | None = None

    def defined_type(self) -> DefinedType:
        """What the function's type is to the process."""
        raise NotImplementedError

    def call(self, *args: object, **kwargs: object) -> object:
        """The slow path of a call: takes everything, and raises the precise error."""
        raise NotImplementedError

    def call_slots(self, slots: list[int]) -> tuple[int, ...]:
        """Call with checked slots; returns the slots of the results."""
        raise NotImplementedError

    def prepare(self, glue: Glue) -> None:
        """Make the FUNCREF fit to be called by WebAssembly code. Cheap when it has been done."""

    def resolve(self, glue: Glue) -> int:
        """Host functions, on the first call by WebAssembly code: compile what does it. Returns its address."""
        raise NotImplementedError

    def invoke(self, instance: Instance, slots: int, call: Any) -> object:
        """Host functions: a call by code of `instance`, with arguments and results in the slots at address `slots`.

        `call`, and what is returned: see `store_results`.
        """
        raise NotImplementedError

    def store_results(self, instance: Instance | None, result: object, slots: int, call: Any) -> object:
        """Host functions: put what the callable returned into the slots at address `slots`.

        Args:
            instance: Whose code has called; may be None if the type has no references.
            result: What the callable returned.
            slots: Where to put it.
            call: The `SuspendableCall` that waits for the result if it is awaitable; None where it cannot be waited
                for, True where it has been.

        Returns:
            None; True if `call` is to be suspended.

        Raises:
            TypeError, OverflowError: it is not what the type says.
        """
        raise NotImplementedError

    def _shown(self, otherwise: str) -> str:
        return otherwise if not self.name else shown(self.name)

    def _no_keywords(self, kwargs: dict[str, object]) -> None:
        if kwargs:
            raise TypeError(f"{self._shown('a WebAssembly function')} takes no keyword arguments")


@unserialized
def call_function(func: FuncHandle, args: Sequence[object]) -> object:
    """Call a function from within what is serialized."""
    return func(*args)


@serialized
class WasmFunction(FunctionCore):
    """A function that an instance defines."""

    __slots__ = ("_entry", "_fast_made", "_last_results", "_raw", "_way", "glue", "instance")

    if FREE_THREADED:
        #: What a thread may still be looking at that is about to enter a closed instance: it finds that out when it has
        #: taken the store, whose structure must be there as long as the Func is.
        _way: tuple[array[int], list[array[int]]]

    def __init__(self, type: FuncType, name: str | None, funcref: int, instance: Instance, glue: Glue) -> None:
        super().__init__(type, name, funcref)
        self.instance = instance
        self.glue = glue
        self._fast_made = False
        #: The Func's entry, once it has been fast: kept even when it is no longer, as it may be running.
        self._entry: Thunk | None = None
        self._raw: RawThunk | None = None
        #: What the last call that gave raw references to exceptions has returned: they are good until the next one.
        self._last_results: list[object] = []

    def defined_type(self) -> DefinedType:
        return self.opened().defined_type(self.funcref)

    def opened(self) -> Instance:
        """The instance, which stays as long as the caller holds it: it can be closed at any moment.

        Raises:
            WasmError: It is closed.
        """
        instance = self.instance
        if instance.closed:
            self.let_go()
            raise WasmError("instance is closed")
        return instance

    def let_go(self) -> bool:
        """Forget the instance, which is closed, unless a call of the function may be running; whether that was done.

        To be called when the next call takes the slow path, which holds the instance itself.
        """
        instance = self.instance
        if instance is not CLOSED:
            store = instance.store
            if store.running:
                return False
            if FREE_THREADED:
                try:
                    with exclusive(), store.take(briefly=True):
                        self._way = instance.words, store.ways
                        self.instance = CLOSED
                except WasmError:
                    return False
            self.instance = CLOSED
        return True

    def call(self, *args: object, **kwargs: object) -> object:
        self._no_keywords(kwargs)
        instance = self.opened()
        # What a thread calls first comes here too, and what a store without a stack is to run.
        if c_stack.learn() or not self._fast_made or (self._entry is not None and instance.store.give_stack()):
            instance.store.give_stack()
            self._fast_made = True
            func = None if self.func is None else self.func()
            if self._entry is None:
                self._entry = self.glue.entry(self.type)
            slow = self.glue.slow_entry
            # (one in garbage is not known any more, though from Python 3.15 on finalizers still find it: whoever closes
            # its instance would not)
            if func is not None and self._entry is not None and functions.get(func._funcref) is func:
                fast = self._entry.address
                # It may have been closed meanwhile. No call stands between these two, so it is not closed in between:
                # the fast entry does not ask, and whoever closes relies on that no function of the instance has it.
                func._entry = slow if instance.closed else fast
                return call_function(func, args)
        if self.has_references:
            with instance.store.use():
                return self._convert_and_call(instance, args)
        return self._convert_and_call(instance, args)

    def _convert_and_call(self, instance: Instance, args: Sequence[object]) -> object:
        slots = values.to_slots(self.type.params, args, instance.store)
        array = slots_array(self.type)
        # A funcref among the arguments may have moved the instance to another store.
        if not self.has_exceptions:
            return pack(values.from_slots(self.type.results, self._call(slots, array), instance.store))
        with rooted(array):
            return pack(values.from_slots(self.type.results, self._call(slots, array), instance.store))

    def turn(self) -> Hold:
        """The store for a step of a call that can be suspended, if there is something to do for that."""
        return NOTHING

    def call_slots(self, slots: list[int]) -> tuple[int, ...]:
        array = slots_array(self.type)
        if not self.has_exceptions:
            return self._call(slots, array)
        with rooted(array):
            results = self._call(slots, array)
            self._last_results = values.from_slots(self.type.results, results, self.instance.store)
            return results

    def _call(self, slots: list[int], array: ctypes.Array[ctypes.c_uint64]) -> tuple[int, ...]:
        for number, slot in enumerate(slots):
            array[number] = slot
        run = self._raw
        if run is None:
            run = self._raw = self.glue.raw(self.type)
        instance = self.opened()
        while run(self.funcref, instance.context, ctypes.addressof(array)):
            instance.store.give_stack()
        return tuple([array[number] for number in range(values.slot_count(self.type.results))])


#: Waits for so many seconds: who defines how threads wait puts it here.
sleep: Callable[[float], None] = time.sleep


@serialized
class WaitingFunction(WasmFunction):
    """The same with `Config(busy="wait")`: the slow path, which all calls take that find the store busy, waits."""

    __slots__ = ()

    def _call(self, slots: list[int], array: ctypes.Array[ctypes.c_uint64]) -> tuple[int, ...]:
        with self.turn():
            return super()._call(slots, array)

    def turn(self) -> Hold:
        """The store for this thread alone, as soon as no other thread runs code of it.

        Raises:
            WasmError: The instance is closed, or a fork has left the other thread behind.
            Whatever ends a wait.
        """
        pause = _FIRST_PAUSE
        while True:
            # It may have become part of another store.
            store = self.opened().store
            try:
                return store.take()
            except WasmError:
                if store.owner == LOST:
                    raise
            with released():
                sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


class _Closed:
    """Stands for an instance that is closed."""

    closed: Final = True

    @property
    def store(self) -> Store:
        raise WasmError("the instance is closed")

    @property
    def context(self) -> int:
        raise WasmError("the instance is closed")


CLOSED: Final[Any] = _Closed()


@serialized
class HostFunction(FunctionCore):
    """A Python callable with a type; its FUNCREF is its own."""

    __slots__ = (
        "_code",
        "_code_glue",
        "_defined_type",
        "_entry_glue",
        "_words",
        "callable",
        "has_plain_type",
        "wants_caller",
    )

    is_host = True

    def __init__(
        self,
        callable: Callable[..., Any],
        type: FuncType,
        name: str | None,
        glue: Glue,
        caller: bool | None,
        defined: DefinedType | None,
    ) -> None:
        """`defined`: what the type is to the process; None for the plain function type."""
        lineage = None if defined is None else lineage_words(defined, defined.lineage())
        #: The FUNCREF and, right behind it, the HOST structure, and what FUNCREF.lineage points to.
        self._words = array("Q", bytes(FUNCREF.size + HOST.size))
        if lineage is not None:
            self._words += lineage
        super().__init__(type, name, self._words.buffer_info()[0])
        self.callable = callable
        self.wants_caller = callers.wants_caller(callable) if caller is None else caller
        # Whose code the Func's entry and the FUNCREF are.
        self._entry_glue = glue
        self._code_glue: Glue | None = None
        self._code: Thunk | None = None
        #: Whether parameters and results tell the type, which has no supertypes.
        self.has_plain_type = defined is None
        self._defined_type = function_type(type) if defined is None else defined
        words = self._words
        words[_FUNCREF_TYPE_ID] = self._defined_type.number
        words[_FUNCREF_HOST] = self.funcref + FUNCREF.size
        if lineage is not None:
            words[_FUNCREF_LINEAGE] = self.funcref + FUNCREF.size + HOST.size
        words[_HOST_CALLABLE] = id(callable)
        words[_HOST_CORE] = id(self)

    def defined_type(self) -> DefinedType:
        return self._defined_type

    def prepare(self, glue: Glue) -> None:
        if not self._words[_FUNCREF_CODE]:
            self._words[_FUNCREF_CODE] = glue.lazy_funcref

    def resolve(self, glue: Glue) -> int:
        code = glue.host_generic(self.type) if self.wants_caller else glue.host(self.type)
        # Another thread, with another glue, may be here too: the code must be of the glue that is kept. No call stands
        # between these, so nobody comes in between.
        if self._code is None:
            self._code = code
            self._code_glue = glue
        if self._code is code:
            self._words[_FUNCREF_CODE] = code.address
        return self._words[_FUNCREF_CODE]

    def call(self, *args: object, **kwargs: object) -> object:
        self._no_keywords(kwargs)
        arguments = self._as_seen(self.type.params, args, "argument")
        result = self._run(None, arguments)
        if self._is_awaitable(result):
            self._refuse_awaitable(result)
        return pack(self._as_seen(self.type.results, self._unpack(result), "result"))

    async def call_async(self, args: Sequence[object]) -> object:
        """The same as a coroutine, which waits for what the callable wants to wait for."""
        arguments = self._as_seen(self.type.params, args, "argument")
        result = self._run(None, arguments)
        if self._is_awaitable(result):
            result = await result  # type: ignore[misc]
        return pack(self._as_seen(self.type.results, self._unpack(result), "result"))

    def call_slots(self, slots: list[int]) -> tuple[int, ...]:
        result = self._run(None, values.from_slots(self.type.params, slots, None))
        return tuple(values.to_slots(self.type.results, self._unpack(result), None, "result"))

    def invoke(self, instance: Instance, slots: int, call: Any) -> object:
        params = self.type.params
        array = (ctypes.c_uint64 * values.slot_count(params)).from_address(slots)
        arguments = values.from_slots(params, list(array), instance.store)
        return self.store_results(instance, self._run(instance, arguments), slots, call)

    def store_results(self, instance: Instance | None, result: object, slots: int, call: Any) -> object:
        if call is not True and self._is_awaitable(result):
            if call is None:
                self._refuse_awaitable(result)
            call.awaited = result
            call.host = self
            return True
        store = None if instance is None else instance.store
        results = self._unpack(result)
        try:
            converted = values.to_slots(self.type.results, results, store, "result")
        except (TypeError, OverflowError) as error:
            # Whoever called has no idea which function of the host that was.
            raise type(error)(f"{self._shown('the host function')}: {error}") from None
        array = (ctypes.c_uint64 * len(converted)).from_address(slots)
        for number, slot in enumerate(converted):
            array[number] = slot
        return None

    def _is_awaitable(self, result: object) -> bool:
        """Whether the results are to be waited for, and `result` is not one of them."""
        kind = _class_of(result)
        if not hasattr(kind, "__await__") and not (
            isinstance(result, GeneratorType) and result.gi_code.co_flags & _ITERABLE_COROUTINE
        ):
            return False
        # Where any object will do, an awaitable one may be meant: it is what to wait for only if the function cannot
        # help returning it.
        results = self.type.results
        if len(results) != 1 or not results[0].is_reference:
            return True
        from inspect import iscoroutinefunction

        callable = self.callable
        return iscoroutinefunction(callable) or iscoroutinefunction(getattr(type(callable), "__call__", None))  # noqa: B004

    def _refuse_awaitable(self, result: Any) -> NoReturn:
        close = getattr(result, "close", None)
        if isinstance(result, CoroutineType) and close is not None:
            close()  # (or Python says that nobody has awaited it)
        raise TypeError(
            f"{self._shown('the host function')} is asynchronous, and was called by a synchronous call: use call_async"
        )

    @unserialized
    def _run(self, instance: Instance | None, arguments: list[object]) -> object:
        if self.wants_caller:
            return self.callable(callers.caller_class(instance), *arguments)
        return self.callable(*arguments)

    def _unpack(self, result: object) -> Sequence[object]:
        """The single results in what the callable returned."""
        expected = len(self.type.results)
        if expected == 1:
            return (result,)
        if expected == 0:
            if result is None:
                return ()
            raise TypeError(f"{self._shown('the host function')} has no results but returned {type(result).__name__}")
        if isinstance(result, (tuple, list)):
            # A copy: converting the first may change the others.
            return tuple(result)
        raise TypeError(
            f"{self._shown('the host function')} must return a tuple of {expected} results, not {type(result).__name__}"
        )

    @staticmethod
    def _as_seen(types: Sequence[ValueType], objects: Sequence[object], what: str) -> list[object]:
        """Objects as they come out on the other side of a call: checked, numbers within their type. References stay."""
        slots = values.to_slots(types, objects, _PLAIN, what)
        converted = values.from_slots(types, slots, _PLAIN)
        return [old if t.is_reference else new for t, old, new in zip(types, objects, converted)]


class PlainReferences:
    """References of calls from Python to Python, which need no bits."""

    def extern_handle(self, value: object) -> int:
        return 1

    def extern_object(self, handle: int) -> object:
        return None

    def funcref_of(self, function: Any) -> int:
        return 1

    def func_at(self, address: int) -> object:
        return None

    def exn_handle(self, value: Any) -> int:
        raise TypeError(f"exnref values other than None exist only in a store, not {type(value).__name__}")

    def exn_object(self, address: int) -> object:
        return None


_PLAIN: Final = PlainReferences()


class FuncHandle(NativeCallable):
    """What a `wasmetal.Func` is to this room: machine code that is called, and what it is about."""

    __slots__ = ("__weakref__", "_call", "_core")

    _call: Callable[..., object]
    _core: FunctionCore


#: The class of functions: who defines it puts it here.
func_class: type[FuncHandle] = FuncHandle


class _FuncReference(weakref.ref[FuncHandle]):
    """A weak reference to a Func that is among `functions`."""

    __slots__ = ("entry", "funcref", "slow")

    #: Addresses: of its field `_entry`, of its FUNCREF, and of the code that asks whether the instance is open.
    entry: int
    funcref: int
    slow: int


@serialized
class Functions:
    """Functions of instances by address of their FUNCREF: Python sees the same one as long as it is alive.

    Those in garbage are not found any more, but finalizers can still call them when the instance has been closed: from
    then on they take the slow entry, which asks.
    """

    __slots__ = ("_references",)

    def __init__(self) -> None:
        self._references: dict[int, _FuncReference] = {}

    def get(self, funcref: int) -> FuncHandle | None:
        """The function, if there is one."""
        reference = self._references.get(funcref)
        return None if reference is None else reference()

    def add(self, func: FuncHandle, slow: int) -> FuncHandle:
        """Add a function, whose slow entry is at `slow`, or return the one that another thread has added just now."""
        # The references must be reachable, else they are not told of garbage.
        reference = _FuncReference(func, self._gone)
        reference.entry = id(func) + ENTRY
        reference.slow = slow
        reference.funcref = func._funcref
        winner = self._references.setdefault(func._funcref, reference)
        if winner is not reference:
            other = winner()
            if other is not None:
                return other
            self._references[func._funcref] = reference
        return func

    def remove(self, funcref: int) -> None:
        """Let nobody find the function any more, if there is one."""
        self._references.pop(funcref, None)

    # Bound at definition, because module globals may be gone when the interpreter shuts down.
    def _gone(self, reference: Any, word: Any = ctypes.c_uint64) -> None:
        # The object is still there: this comes before it is freed, or before the finalizers of its garbage.
        word.from_address(reference.entry).value = reference.slow
        references = self._references
        funcref = reference.funcref
        if funcref in references and references[funcref] is reference:
            del references[funcref]  # no call stands between these


functions: Final = Functions()


@serialized
def _attach(func: FuncHandle, core: FunctionCore, glue: Glue) -> None:
    """Let `func` be about `core`.

    Raises:
        TypeError: It is about one already, which somebody may use.
    """
    core.func = weakref.ref(func)
    call = core.call
    slow, slow_entry = id(call), glue.slow_entry
    # Whatever was asked of arguments may have come here for the same function. No call stands between these.
    if func._funcref:
        raise TypeError("a Func cannot be initialized twice")
    func._core = core
    func._call = call
    func._slow = slow
    func._entry = slow_entry
    func._funcref = core.funcref


@serialized
def init_host(
    func: FuncHandle,
    callable: Callable[..., Any],
    type: FuncType,
    glue: Glue,
    name: str | None,
    caller: bool | None = None,
    defined: DefinedType | None = None,
) -> None:
    """Make a new `func` a host function.

    `caller`: whether it gets a Caller; None to ask its annotations. `defined`: see HostFunction.
    """
    if _class_of(type) is not FuncType:
        # (few programs need that, so the start of none waits for it)
        from wasmetal.store.plain_types import func_type

        type = func_type(type)
    if not hasattr(callable, "__call__"):  # noqa: B004 - `callable` is the argument here
        raise TypeError(f"{callable!r} cannot be called")
    if name is None:
        own = getattr(callable, "__name__", None)
        name = own if isinstance(own, str) else None
    core = HostFunction(callable, type, name, glue, caller, defined)
    _attach(func, core, glue)
    _host_functions[core.funcref] = func


@serialized
def wasm_function(type: FuncType, name: str | None, funcref: int, instance: Instance, glue: Glue) -> FuncHandle:
    """The Func for a function of an instance, whose FUNCREF is at `funcref`. It keeps the instance alive."""
    func = func_class.__new__(func_class)
    core_class = WaitingFunction if instance.code.config.busy == "wait" else WasmFunction
    _attach(func, core_class(type, name, funcref, instance, glue), glue)
    return func


@serialized
def host_function(
    callable: Callable[..., Any],
    type: FuncType,
    glue: Glue,
    name: str | None = None,
    defined: DefinedType | None = None,
) -> FuncHandle:
    """A host function like `Func(callable, type)`, with the glue of a certain engine; `defined`: see HostFunction.

    Raises:
        TypeError: `callable` cannot be called.
    """
    func = func_class.__new__(func_class)
    init_host(func, callable, type, glue, name, defined=defined)
    return func


@serialized
def host_function_at(address: int) -> FuncHandle | None:
    """The live host function whose FUNCREF is at `address`, or None."""
    return _host_functions.get(address)
