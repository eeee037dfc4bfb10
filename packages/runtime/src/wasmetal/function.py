"""Functions as Python objects: those of instances, and host functions made from Python callables."""

from __future__ import annotations

import ctypes
import itertools
import operator
import weakref
from array import array
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, NoReturn

from wasm_core.errors import WasmError
from wasm_core.types import FuncType, ValueType
from wasm_ir.vmcontext import FUNCREF
from wasmetal.caller import Caller, wants_caller
from wasmetal.cpython import c_stack
from wasmetal.cpython.native_callable import NativeCallable, inherit_vectorcall
from wasmetal.glue import values
from wasmetal.glue.glue import Glue
from wasmetal.glue.host_layout import HOST

if TYPE_CHECKING:
    from wasmetal.store.instance_core import InstanceCore


_REFERENCES: Final = frozenset(t for t in ValueType if t.is_reference)

# Words of a HostFunction's structures.
_FUNCREF_CODE: Final = FUNCREF["code"] // 8
_FUNCREF_TYPE_ID: Final = FUNCREF["type_id"] // 8
_FUNCREF_HOST: Final = FUNCREF["host"] // 8
_HOST_CALLABLE: Final = (FUNCREF.size + HOST["callable"]) // 8
_HOST_CORE: Final = (FUNCREF.size + HOST["core"]) // 8

_type_ids: dict[FuncType, int] = {}
_next_type_id = itertools.count(1)

#: Live host functions by address of their FUNCREF.
_host_functions: weakref.WeakValueDictionary[int, Func] = weakref.WeakValueDictionary()


def function_type_id(type: FuncType) -> int:
    """The number, never 0, that stands for a type in this process: equal types have equal numbers."""
    number = _type_ids.get(type)
    return _type_ids.setdefault(type, next(_next_type_id)) if number is None else number


def _slots_array(type: FuncType) -> ctypes.Array[ctypes.c_uint64]:
    count = max(values.slot_count(type.params), values.slot_count(type.results))
    return (ctypes.c_uint64 * count)()


def _pack(results: list[object]) -> object:
    """What a call returns: None, the value, or a tuple."""
    if len(results) == 1:
        return results[0]
    return tuple(results) if results else None


class FunctionCore:
    """What a Func is about, apart from being called: it knows the Func only weakly, so there is no cycle."""

    __slots__ = ("__weakref__", "func", "funcref", "has_references", "name", "type")

    #: Whether it is a HostFunction, else a WasmFunction.
    is_host = False
    #: The instance of a WasmFunction.
    instance: InstanceCore

    def __init__(self, type: FuncType, name: str | None, funcref: int) -> None:
        self.type = type
        self.name = name
        #: Address of the FUNCREF.
        self.funcref = funcref
        self.has_references = not _REFERENCES.isdisjoint(type.params + type.results)
        self.func: weakref.ref[Func] | None = None

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

    def invoke(self, instance: InstanceCore, slots: int) -> None:
        """Host functions: a call by code of `instance`, with arguments and results in the slots at address `slots`."""
        raise NotImplementedError

    def store_results(self, instance: InstanceCore | None, result: object, slots: int) -> None:
        """Host functions: put what the callable returned into the slots at address `slots`.

        Raises:
            TypeError, OverflowError: it is not what the type says.
        """
        raise NotImplementedError

    def use_slow_entry(self) -> None:
        """Let the next call take the slow path."""

    def _no_keywords(self, kwargs: dict[str, object]) -> None:
        if kwargs:
            raise TypeError(f"{self.name or 'a WebAssembly function'} takes no keyword arguments")


class WasmFunction(FunctionCore):
    """A function that an instance defines."""

    __slots__ = ("_fast_made", "glue", "instance")

    def __init__(self, type: FuncType, name: str | None, funcref: int, instance: InstanceCore, glue: Glue) -> None:
        super().__init__(type, name, funcref)
        self.instance = instance
        self.glue = glue
        self._fast_made = False

    def _check_open(self) -> None:
        if self.instance.closed:
            raise WasmError("instance is closed")

    def call(self, *args: object, **kwargs: object) -> object:
        self._no_keywords(kwargs)
        self._check_open()
        # What a thread calls first comes here too.
        if c_stack.learn() or not self._fast_made:
            self._fast_made = True
            func = None if self.func is None else self.func()
            entry = self.glue.entry(self.type)
            if func is not None and entry != self.glue.slow_entry:
                func._entry = entry
                return func(*args)
        if self.has_references:
            with self.instance.store.use():
                return self._convert_and_call(args)
        return self._convert_and_call(args)

    def _convert_and_call(self, args: Sequence[object]) -> object:
        slots = values.to_slots(self.type.params, args, self.instance.store)
        # A funcref among the arguments may have moved the instance to another store.
        return _pack(values.from_slots(self.type.results, self.call_slots(slots), self.instance.store))

    def call_slots(self, slots: list[int]) -> tuple[int, ...]:
        self._check_open()
        array = _slots_array(self.type)
        for number, slot in enumerate(slots):
            array[number] = slot
        self.glue.raw(self.type)(self.funcref, self.instance.context, ctypes.addressof(array))
        return tuple([array[number] for number in range(values.slot_count(self.type.results))])

    def use_slow_entry(self) -> None:
        func = None if self.func is None else self.func()
        if func is not None:
            func._entry = self.glue.slow_entry
        self._fast_made = False


class HostFunction(FunctionCore):
    """A Python callable with a type; its FUNCREF is its own."""

    __slots__ = ("_code_glue", "_entry_glue", "_words", "callable", "wants_caller")

    is_host = True

    def __init__(self, callable: Callable[..., Any], type: FuncType, name: str | None, glue: Glue) -> None:
        #: The FUNCREF and, right behind it, the HOST structure.
        self._words = array("Q", bytes(FUNCREF.size + HOST.size))
        super().__init__(type, name, self._words.buffer_info()[0])
        self.callable = callable
        self.wants_caller = wants_caller(callable)
        # Whose code the Func's entry and the FUNCREF are.
        self._entry_glue = glue
        self._code_glue: Glue | None = None
        words = self._words
        words[_FUNCREF_TYPE_ID] = function_type_id(type)
        words[_FUNCREF_HOST] = self.funcref + FUNCREF.size
        words[_HOST_CALLABLE] = id(callable)
        words[_HOST_CORE] = id(self)

    def prepare(self, glue: Glue) -> None:
        if not self._words[_FUNCREF_CODE]:
            self._words[_FUNCREF_CODE] = glue.lazy_funcref

    def resolve(self, glue: Glue) -> int:
        code = glue.host_generic(self.type) if self.wants_caller else glue.host(self.type)
        # Another thread, with another glue, may be here too: the code must be of the glue that is kept. No call stands
        # between these, so nobody comes in between.
        if self._code_glue is None:
            self._code_glue = glue
        if self._code_glue is glue:
            self._words[_FUNCREF_CODE] = code
        return self._words[_FUNCREF_CODE]

    def call(self, *args: object, **kwargs: object) -> object:
        self._no_keywords(kwargs)
        arguments = self._as_seen(self.type.params, args, "argument")
        result = self._run(None, arguments)
        return _pack(self._as_seen(self.type.results, self._unpack(result), "result"))

    def call_slots(self, slots: list[int]) -> tuple[int, ...]:
        result = self._run(None, values.from_slots(self.type.params, slots, None))
        return tuple(values.to_slots(self.type.results, self._unpack(result), None, "result"))

    def invoke(self, instance: InstanceCore, slots: int) -> None:
        params = self.type.params
        array = (ctypes.c_uint64 * values.slot_count(params)).from_address(slots)
        arguments = values.from_slots(params, list(array), instance.store)
        self.store_results(instance, self._run(instance, arguments), slots)

    def store_results(self, instance: InstanceCore | None, result: object, slots: int) -> None:
        store = None if instance is None else instance.store
        converted = values.to_slots(self.type.results, self._unpack(result), store, "result")
        array = (ctypes.c_uint64 * len(converted)).from_address(slots)
        for number, slot in enumerate(converted):
            array[number] = slot

    def _run(self, instance: InstanceCore | None, arguments: list[object]) -> object:
        if self.wants_caller:
            return self.callable(Caller(instance), *arguments)
        return self.callable(*arguments)

    def _unpack(self, result: object) -> Sequence[object]:
        """The single results in what the callable returned."""
        expected = len(self.type.results)
        if expected == 1:
            return (result,)
        if expected == 0:
            if result is None:
                return ()
            raise TypeError(f"{self.name or 'the host function'} has no results but returned {type(result).__name__}")
        if isinstance(result, (tuple, list)):
            return result
        raise TypeError(
            f"{self.name or 'the host function'} must return a tuple of {expected} results, not {type(result).__name__}"
        )

    @staticmethod
    def _as_seen(types: Sequence[ValueType], objects: Sequence[object], what: str) -> list[object]:
        """Objects as they come out on the other side of a call: checked, numbers within their type. References stay."""
        slots = values.to_slots(types, objects, _PLAIN, what)
        converted = values.from_slots(types, slots, _PLAIN)
        return [old if t.is_reference else new for t, old, new in zip(types, objects, converted)]


class _PlainReferences:
    """References of calls from Python to Python, which need no bits."""

    def extern_handle(self, value: object) -> int:
        return 1

    def extern_object(self, handle: int) -> object:
        return None

    def funcref_of(self, function: Any) -> int:
        return 1

    def func_at(self, address: int) -> object:
        return None


_PLAIN: Final = _PlainReferences()


def _known(params: Sequence[ValueType], slots: list[int], store: values.References) -> list[object]:
    """The objects that slots stand for. Raises ValueError for a reference that the store does not know."""
    try:
        return values.from_slots(params, slots, store)
    except LookupError as error:
        raise ValueError("a slot is not a reference of this store") from error


class _NoStore(_PlainReferences):
    """The references of a function that is in no store: null."""

    def extern_object(self, handle: int) -> object:
        raise LookupError("the function is in no store")

    def func_at(self, address: int) -> object:
        raise LookupError("the function is in no store")


_NO_STORE: Final = _NoStore()


class Func(NativeCallable):
    """A function: exported by an instance, or made from a Python callable.

    Calling it takes and returns Python objects: ints for i32 and i64 (arguments signed or unsigned, results
    signed), floats for f32 and f64, bytes of length 16 for v128, Func or None for funcref, anything for externref; None
    for no result, a tuple for several.

    Raises:
        TypeError: the number of arguments, or the type of one, is wrong; no keywords are taken.
        OverflowError: an int is out of range.
        Trap: the WebAssembly code trapped.
        WasmError: the instance is closed, or another thread is running code of its store.
        Whatever a host function raises.
    """

    __slots__ = ("__weakref__", "_call", "_core")

    _call: Callable[..., object]
    _core: FunctionCore

    def __init__(self, callable: Callable[..., Any], type: FuncType, *, name: str | None = None) -> None:
        """Make a host function.

        `callable` is called with one argument per parameter, and a Caller in front if its first parameter is annotated
        so. `name` is by default the callable's own.
        """
        if hasattr(self, "_core"):
            raise TypeError("a Func cannot be initialized twice")
        from wasmetal.engine import any_glue

        _init_host(self, callable, type, any_glue(), name)

    @property
    def type(self) -> FuncType:
        return self._core.type

    @property
    def name(self) -> str | None:
        """Name from the name section or an export, or the Python callable's; None if there is none."""
        return self._core.name

    def call_raw(self, *slots: int) -> tuple[int, ...]:
        """Call with raw unsigned 64-bit slots, and return the results' slots.

        i32 and f32 are in the low half of theirs, v128 takes two (low half first). NaN bits are kept. A reference is 0
        for null, or what an earlier call of a function of the same store returned for it.

        Raises:
            TypeError: the number of slots is wrong, or one is not an int.
            OverflowError: a slot is not an unsigned 64-bit number.
            ValueError: a slot is not a reference that the store knows.
            Everything else that an ordinary call raises.
        """
        core = self._core
        params = core.type.params
        expected = values.slot_count(params)
        if len(slots) != expected:
            raise TypeError(f"{expected} slots expected, got {len(slots)}")
        numbers = [operator.index(slot) for slot in slots]
        for number in numbers:
            if not 0 <= number < 1 << 64:
                raise OverflowError(f"{number} is not an unsigned 64-bit number")
        if not core.has_references:
            return core.call_slots(numbers)
        if core.is_host:
            _known(params, numbers, _NO_STORE)
            return core.call_slots(numbers)
        with core.instance.store.use():
            # Held until the call has returned.
            referred = _known(params, numbers, core.instance.store)
            results = core.call_slots(numbers)
            del referred
            return results

    def _use_slow_entry(self) -> None:
        """Let the next call look again whether the instance is open."""
        self._core.use_slow_entry()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Func cannot be pickled or copied: it belongs to its store")

    def __repr__(self) -> str:
        core = getattr(self, "_core", None)
        if core is None:
            return "<wasmetal.Func, not initialized>"
        return f"<wasmetal.Func {core.name!r} {core.type}{' of the host' if core.is_host else ''}>"


inherit_vectorcall(Func)


def _attach(func: Func, core: FunctionCore, glue: Glue) -> None:
    core.func = weakref.ref(func)
    func._core = core
    func._call = core.call
    func._slow = id(func._call)
    func._funcref = core.funcref
    func._entry = glue.slow_entry


def _init_host(func: Func, callable: Callable[..., Any], type: FuncType, glue: Glue, name: str | None) -> None:
    if not isinstance(type, FuncType):
        raise TypeError(f"a FuncType is needed, not {type!r}")
    if not hasattr(callable, "__call__"):  # noqa: B004 - `callable` is the argument here
        raise TypeError(f"{callable!r} cannot be called")
    if name is None:
        own = getattr(callable, "__name__", None)
        name = own if isinstance(own, str) else None
    core = HostFunction(callable, type, name, glue)
    _attach(func, core, glue)
    _host_functions[core.funcref] = func


def wasm_function(type: FuncType, name: str | None, funcref: int, instance: InstanceCore, glue: Glue) -> Func:
    """The Func for a function of an instance, whose FUNCREF is at `funcref`. It keeps the instance alive."""
    func = Func.__new__(Func)
    _attach(func, WasmFunction(type, name, funcref, instance, glue), glue)
    return func


def host_function(callable: Callable[..., Any], type: FuncType, glue: Glue, name: str | None = None) -> Func:
    """A host function like `Func(callable, type)`, with the glue of a certain engine.

    Raises:
        TypeError: `callable` cannot be called.
    """
    func = Func.__new__(Func)
    _init_host(func, callable, type, glue, name)
    return func


def host_function_at(address: int) -> Func | None:
    """The live host function whose FUNCREF is at `address`, or None."""
    return _host_functions.get(address)
