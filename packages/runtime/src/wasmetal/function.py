"""Functions as users hold them: those that instances export, and host functions made from Python callables."""

from __future__ import annotations

import operator
from collections.abc import Callable, Coroutine, Sequence

from wasm_core.quoting import quoted, shown
from wasm_core.types import FuncType, ValueType
from wasmetal.cpython.native_callable import inherit_vectorcall
from wasmetal.glue import values
from wasmetal.store import functions
from wasmetal.store.functions import FuncHandle, HostFunction, PlainReferences, WasmFunction, init_host
from wasmetal.system.hold import serialized

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
    from typing import Final
else:
    from wasm_core import lazy_typing as typing


def _known(params: Sequence[ValueType], slots: list[int], store: values.References) -> list[object]:
    """The objects that slots stand for. Raises ValueError for a reference that the store does not know, or that is not
    of the parameter's type."""
    try:
        objects = values.from_slots(params, slots, _Given(store))
    except LookupError as error:
        raise ValueError("a slot is not a reference of this store") from error
    for param, found in zip(params, objects):
        if param.is_reference:
            try:
                values.check_reference(param, found)
            except TypeError as error:
                raise ValueError(f"a slot is not a reference of its parameter's type: {error}") from error
    return objects


class _Given:
    """References whose bits anybody may have made up."""

    def __init__(self, store: typing.Any) -> None:
        self._store = store
        self.extern_object = store.extern_object
        self.func_at = store.func_at

    def exn_object(self, address: int) -> object:
        if not self._store.knows_exception(address):
            raise LookupError("not a reference of this store")
        return self._store.exn_object(address)

    extern_handle = funcref_of = exn_handle = PlainReferences.exn_handle


class _NoStore(PlainReferences):
    """The references of a function that is in no store: null."""

    def extern_object(self, handle: int) -> object:
        raise LookupError("the function is in no store")

    def func_at(self, address: int) -> object:
        raise LookupError("the function is in no store")

    def knows_exception(self, address: int) -> bool:
        return False


_NO_STORE: Final = _NoStore()


class _OfFunctions:
    """An attribute that each function has of its own, made by a function of `wasmetal.description` when it is needed.

    `inspect.signature` and `help` look for it at the class as well.
    """

    __slots__ = ("_make", "_of_class")

    def __init__(self, make: str, of_class: str | None = None) -> None:
        #: What makes it.
        self._make = make
        #: What the class itself has instead; None for nothing.
        self._of_class = of_class

    def __get__(self, func: Func | None, owner: type[Func]) -> typing.Any:
        if func is None or not hasattr(func, "_core"):
            if self._of_class is None:
                raise AttributeError(self._make)
            return self._of_class
        from wasmetal import description

        return getattr(description, self._make)(func._core)


@serialized
class Func(FuncHandle):
    """A function: exported by an instance, or made from a Python callable.

    Calling it takes and returns Python objects: ints for i32 and i64 (arguments signed or unsigned, results
    signed), floats for f32 and f64, bytes of length 16 for v128, Func or None for funcref, anything for externref; None
    for no result, a tuple for several.

    Raises:
        TypeError: the number of arguments, or the type of one, is wrong; no keywords are taken.
        OverflowError: an int is out of range.
        Trap: the WebAssembly code trapped.
        WasmError: the instance is closed, or another thread is running code of its store (see `Config.busy`).
        BaseException: whatever a host function raises.
    """

    __slots__ = ()

    def __init__(
        self,
        callable: Callable[..., typing.Any],
        type: FuncType,
        *,
        name: str | None = None,
        caller: bool | None = None,
    ) -> None:
        """Make a host function.

        Args:
            callable: Is called with one argument per parameter.
            type: The types of parameters and results.
            name: How messages and backtraces call it; the callable's own name if None.
            caller: Whether `callable` gets a Caller in front; if None it does where its first parameter is annotated
                with `wasmetal.Caller`.

        Raises:
            TypeError: `callable` cannot be called, or `type` is no FuncType.
        """
        if hasattr(self, "_core"):
            raise TypeError("a Func cannot be initialized twice")
        from wasmetal.store.shared_glue import any_glue

        init_host(self, callable, type, any_glue(), name, None if caller is None else bool(caller))

    if not TYPE_CHECKING:
        __signature__ = _OfFunctions("signature")

    @property
    def __name__(self) -> str:
        """`name`, or "<unnamed>" where there is none."""
        return self._core.name or "<unnamed>"

    @property
    def type(self) -> FuncType:
        """The WebAssembly types of parameters and results; `inspect.signature` has those of Python."""
        return self._core.type

    @property
    def name(self) -> str | None:
        """Name from the name section or an export, or the Python callable's; None if there is none."""
        return self._core.name

    def call_async(self, *args: typing.Any) -> Coroutine[typing.Any, typing.Any, typing.Any]:
        """Call the function, and wait for what host functions wait for.

        A host function that is `async def`, or returns an awaitable, suspends the call until it is done; other calls,
        also of the same instance, go on meanwhile. It runs in the caller's task, whatever event loop that has. The
        other host functions, and WebAssembly code, run as in an ordinary call: the event loop waits for them.

        Args:
            args: As for an ordinary call.

        Returns:
            A coroutine, which does all of this when it is awaited, and returns what an ordinary call does.

        Raises:
            Everything that an ordinary call raises: WasmError also when another thread runs code of the store when the
                call goes on, or the instance has been closed meanwhile.
            Whatever awaiting raises, unless WebAssembly catches it: cancellation, for one, which WebAssembly does not
                see.
        """
        core = self._core
        if isinstance(core, HostFunction):
            return core.call_async(args)
        assert isinstance(core, WasmFunction)
        from wasmetal.store import suspension

        return suspension.call_async(core, args)

    def call_raw(self, *slots: int) -> tuple[int, ...]:
        """Call with raw unsigned 64-bit slots, and return the results' slots.

        i32 and f32 are in the low half of theirs, v128 takes two (low half first). NaN bits are kept. A reference is 0
        for null, or what an earlier call of a function of the same store returned for it (to exceptions: what the last
        call of a function did).

        Raises:
            TypeError: the number of slots is wrong, or one is not an int.
            OverflowError: a slot is not an unsigned 64-bit number.
            ValueError: a slot is not a reference that the store knows.
            BaseException: everything else that an ordinary call raises.
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
        # Held until the call has returned, and what the references stand for too.
        instance = core.instance
        with instance.store.use():
            referred = _known(params, numbers, instance.store)
            results = core.call_slots(numbers)
            del referred
            return results

    def __reduce__(self) -> typing.NoReturn:
        raise TypeError("a Func cannot be pickled or copied: it belongs to its store")

    def __repr__(self) -> str:
        core = getattr(self, "_core", None)
        if core is None:
            return "<wasmetal.Func, not initialized>"
        return (
            f"<wasmetal.Func {quoted(core.name)} {shown(str(core.type), 400)}{' of the host' if core.is_host else ''}>"
        )


if not TYPE_CHECKING:
    Func.__doc__ = _OfFunctions("documentation", Func.__doc__)
inherit_vectorcall(Func)
functions.func_class = Func
