"""Instances, their exports, and the callers of host functions, as users hold them."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import TracebackType

import wasmetal  # in annotations its names are looked up when somebody asks what they mean
from wasm_core.errors import WasmError
from wasm_core.module import ExternKind
from wasm_core.quoting import MAX_QUOTED, listed, quoted, shown, similar
from wasmetal import function, globals, table  # noqa: F401 - what instances export is of their classes
from wasmetal.memory import Memory
from wasmetal.store import callers
from wasmetal.store.callers import CallerHandle
from wasmetal.store.instance_core import InstanceCore, detach
from wasmetal.store.interruption import interrupt
from wasmetal.system.hold import serialized

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing

    from wasmetal.module import Module
else:
    from wasm_core import lazy_typing as typing


@serialized
class Exports(Mapping[str, "typing.Any"]):
    """What an instance exports: a mapping from names to `Func`, `Memory`, `Table` and `Global`.

    The names that are identifiers are attributes as well, except for the names of a mapping's methods (`get`, `items`,
    `keys`, `values`). The object for a name is always the same one.
    """

    __slots__ = ("__dict__", "__weakref__", "_core_", "_names_")

    def __init__(self, core: InstanceCore) -> None:
        # Whatever was asked for is an attribute from then on, which is the fastest way to get at it again.
        self._core_: InstanceCore | None = None if core.closed else core
        self._names_: dict[str, tuple[ExternKind, int]] = core.code.exports

    def __getitem__(self, name: str) -> typing.Any:
        found = self.__dict__.get(name, self)
        if found is not self:
            return found
        core = self._core_
        if core is None:
            raise WasmError("the instance is closed")
        try:
            kind, index = self._names_[name]
        except KeyError:
            meant = similar(name, self._names_) if isinstance(name, str) else ""
            raise KeyError(f"the instance has no export {quoted(name)}{meant}") from None
        found = core.exported(kind, index)
        if not hasattr(Exports, name):
            self.__dict__[name] = found
        if core.closed:  # just now
            self._close()
            raise WasmError("the instance is closed")
        return found

    def __getattr__(self, name: str) -> typing.Any:
        if name in self._names_:
            return self[name]
        # What may have been meant Python finds out itself, when it shows the error; for a long name, which may be like
        # one that the module chose, it gets one that is like none.
        raise AttributeError(f"the instance has no export {quoted(name)}", name=name[: MAX_QUOTED + 1], obj=self)

    def get(self, name: str, default: typing.Any = None) -> typing.Any:
        """The export with this name, or `default` where there is none."""
        if not isinstance(name, str):
            # Somebody calls an export of this name, most likely.
            raise TypeError("exports.get takes a name; a function that is exported as 'get' is exports['get']")
        return self[name] if name in self._names_ else default

    def __iter__(self) -> Iterator[str]:
        return iter(self._names_)

    def __len__(self) -> int:
        return len(self._names_)

    def __contains__(self, name: object) -> bool:
        return name in self._names_

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._names_]

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"<Exports: {listed(self._names_) or 'none'}>"

    def __reduce__(self) -> typing.NoReturn:
        raise TypeError("exports cannot be pickled or copied")

    def _close(self) -> None:
        self.__dict__.clear()
        self._core_ = None


@serialized
class Instance:
    """A module that has been instantiated.

    It lives as long as there is a reference to it or to any of its exports. `close()`, or leaving a `with` block, ends
    it earlier: every later use of it, its functions and whatever else it defines raises WasmError. Memories, tables and
    globals that another instance imports can be used until that one is closed too.
    """

    __slots__ = ("__weakref__", "_core", "_module", "exports")

    def __init__(self, core: InstanceCore) -> None:
        # Only modules are instantiated.
        module: typing.Any = core.module
        self._module: Module = module
        self._core: InstanceCore | None = None if core.closed else core
        #: What the instance exports; getting anything from it raises WasmError once the instance is closed.
        self.exports: Exports = exports_of(core)

    @property
    def module(self) -> wasmetal.Module:
        """The module that this is an instance of."""
        return self._module

    @property
    def closed(self) -> bool:
        """Whether `close` has been called."""
        core = self._core
        return core is None or core.closed

    def close(self) -> None:
        """Let go of everything, now. Doing it again does nothing.

        It may be called at any moment, by any thread. No call of the instance's functions begins any more; one that is
        running goes on to its end, though host functions that it calls cannot get at the instance. Other instances that
        import from this one, or have functions of it in their tables, can still use that. The instance's own memory
        goes when nothing of all this needs it any more (docs/ownership.md).
        """
        core = self._core
        if core is None:
            return
        detach(core)
        self.exports._close()
        self._core = None

    async def run_async(self) -> None:
        """Run the program: call the exported function `_start` with `Func.call_async`.

        Raises:
            WasmError: The instance is closed, or exports no function `_start`.
            Everything that the call raises, `wasm_wasi.Exit` for one.
        """
        start = self.exports.get("_start")
        if not isinstance(start, function.Func):
            if self.closed:
                raise WasmError("the instance is closed")
            raise WasmError("the module has no function _start: it is not a program")
        await start.call_async()

    def interrupt(self) -> None:
        """End the call that another thread has running in this instance, or in one that it is linked with.

        It ends with a Trap of code INTERRUPTED, at the next loop or function entry, or when a wait of a WASI function
        ends for it; the instance can be used again. Does nothing when no call is running, and cannot reach code that
        holds the GIL (`Config(hold_gil=True)`), as no other thread runs then.

        Raises:
            WasmError: The instance is closed.
        """
        core = self._core
        if core is None or core.closed:
            raise WasmError("the instance is closed")
        interrupt(core.store)

    @property
    def fuel(self) -> int:
        """How much work the instance's own code may still do (`Config(fuel=True)`): 0 to 2**63 - 1, and settable.

        Each instruction takes 1 of it, whatever the machine; when there is none left, code ends with a Trap of code
        OUT_OF_FUEL. What it calls in other instances takes theirs. Set it between calls, or in a host function that the
        instance calls; what a signal handler or another thread sets while code runs may be lost.

        Raises:
            WasmError: Work is not counted (`Config(fuel=True)`), or the instance is closed.
            TypeError: What is set is no int.
            OverflowError: What is set is out of range.
        """
        from wasmetal.store.fuel import fuel_left  # few programs count work

        return fuel_left(self._core)

    @fuel.setter
    def fuel(self, value: int) -> None:
        from wasmetal.store.fuel import set_fuel

        set_fuel(self._core, value)

    # (before Python 3.12 this would make every `instance.exports` take three times as long)
    if not TYPE_CHECKING and sys.version_info >= (3, 12):

        def __getattr__(self, name: str) -> typing.NoReturn:
            hint = ""
            if name != "exports" and name in self.exports._names_:
                hint = f"; the module exports it: instance.exports.{shown(name)}"
            message = f"an Instance has no attribute {quoted(name)}{hint}"
            raise AttributeError(message, name=name[: MAX_QUOTED + 1], obj=self)

    def __reduce__(self) -> typing.NoReturn:
        raise TypeError("an instance cannot be pickled or copied")

    def __enter__(self) -> typing.Self:
        if self.closed:
            raise WasmError("the instance is closed")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        name = self._module.name
        return f"<Instance{'' if name is None else f' of {quoted(name)}'}{', closed' if self.closed else ''}>"


def exports_of(core: InstanceCore) -> Exports:
    """The exports of an instance: the same object as long as it is alive."""
    found: Exports | None = core.exports_handle() if core.exports_handle is not None else None
    if found is None:
        found = Exports(core)
        core.exports_handle = weakref.ref(found)
    return found


def instance_of(core: InstanceCore) -> Instance:
    """An instance as users hold it: the same object as long as it is alive."""
    found: Instance | None = core.instance_handle() if core.instance_handle is not None else None
    if found is None:
        found = Instance(core)
        core.instance_handle = weakref.ref(found)
    return found


def _is_suspendable(reference: weakref.ref[InstanceCore]) -> bool:
    core = reference()
    return core is not None and core.store.suspendable


@serialized
class Caller(CallerHandle):
    """The calling instance. A host function whose first parameter is annotated with this class gets one there.

    All properties but `suspendable` raise WasmError when the host function was called from Python.
    """

    __slots__ = ()

    def _instance(self) -> InstanceCore:
        core = self._core
        # (anybody may make one of anything)
        if not isinstance(core, InstanceCore):
            raise WasmError("the host function was not called by an instance")
        return core

    @property
    def instance(self) -> Instance:
        """The instance whose code called the host function."""
        return instance_of(self._instance())

    @property
    def exports(self) -> Exports:
        """What the calling instance exports."""
        return exports_of(self._instance())

    @property
    def memory(self) -> Memory:
        """The first memory of the calling instance, exported or not. Raises WasmError when it has none."""
        memory = self._instance().memory0
        if memory is None:
            raise WasmError("the calling instance has no memory")
        assert isinstance(memory, Memory)
        return memory

    @property
    def fuel(self) -> int:
        """What the calling instance has left (`Instance.fuel`); what is set counts when the host function returns."""
        from wasmetal.store.fuel import fuel_left  # few programs count work

        return fuel_left(self._instance())

    @fuel.setter
    def fuel(self, value: int) -> None:
        from wasmetal.store.fuel import set_fuel

        set_fuel(self._instance(), value)

    @property
    def suspendable(self) -> Callable[[], bool]:
        """Tells whether a host function that the instance calls may return an awaitable just now.

        That is so below `Func.call_async`, if WebAssembly code that it runs calls the host function directly. It can be
        kept, and asked by any host function of the instance; it does not keep the instance. (Called by Python: never.)
        """
        core = self._core
        return partial(_is_suspendable, weakref.ref(core)) if isinstance(core, InstanceCore) else bool

    def __repr__(self) -> str:
        core = self._core
        return f"<Caller: {instance_of(core)!r}>" if isinstance(core, InstanceCore) else "<Caller: none, but Python>"


callers.caller_class = Caller
