"""The glue of one backend: machine code between Python and WebAssembly, compiled from IR when it is first needed."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Callable
from weakref import WeakValueDictionary

from wasm_core.types import FuncType, ValueType
from wasm_ir.backend import CODE_ALIGNMENT, StubEnvironment, Stubs, supports_exceptions
from wasm_ir.vmcontext import FUNCREF
from wasmetal.code import signals
from wasmetal.code.arena import arena
from wasmetal.code.cache import CodeCache
from wasmetal.cpython import c_stack
from wasmetal.glue import ticker
from wasmetal.glue.thunks import Thunks
from wasmetal.glue.ticker_layout import RESTS
from wasmetal.system.hold import Turns, serialized, unserialized
from wasmetal.system.lifetime import Anchor, anchor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, Protocol, TypeVar

    from wasm_ir.backend import Backend
    from wasm_ir.ir import Function
else:
    from wasm_core.lazy_typing import Protocol

#: What thunks box and unbox by themselves; all else takes the slow path.
NUMERIC: Final = frozenset((ValueType.I32, ValueType.I64, ValueType.F32, ValueType.F64))

#: A thunk for more values than this would be long and rarely called: the slow path does it.
MAX_FAST_VALUES: Final = 24

_FUNCREF_CODE: Final = FUNCREF["code"] // 8

#: Thunks without a user that are kept, at most: those that were asked for last.
_WARM: Final = 64
#: Bytes of code that are freed together.
_SLAB: Final = 16384

# The GIL is held during the call, and an exception that is set afterwards is raised.
_RAW_PROTOTYPE: Final = ctypes.PYFUNCTYPE(ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64)
_TAKE_PROTOTYPE: Final = ctypes.PYFUNCTYPE(ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64)


class Thunk:
    """The code of a thunk for functions of a type. It goes with this object: who has the address keeps the thunk."""

    __slots__ = ("__weakref__", "_code", "address")

    def __init__(self, address: int, code: Anchor) -> None:
        self.address = address
        # Finalizers that run together with the holder's may still call it.
        self._code = code


class RawThunk(Thunk):
    """`glue_entry.raw_entry`, to be called with the addresses of a FUNCREF, of a VMContext and of slots. Returns
    whether the store must be given a stack first: then nothing has happened."""

    __slots__ = ("_entry",)

    def __init__(self, address: int, code: Anchor) -> None:
        super().__init__(address, code)
        self._entry: Callable[[int, int, int], int] = _RAW_PROTOTYPE(address)

    @unserialized
    def __call__(self, funcref: int, context: int, slots: int) -> bool:
        while refused := self._entry(funcref, context, slots):
            if refused == RESTS:
                return True
            c_stack.make_room(refused)
        return False


if TYPE_CHECKING:
    _T = TypeVar("_T", bound=Thunk)


def is_fast(type: FuncType) -> bool:
    """Whether thunks convert the values of this type inline."""
    return (
        max(len(type.params), len(type.results)) <= MAX_FAST_VALUES
        and NUMERIC.issuperset(type.params)
        and NUMERIC.issuperset(type.results)
    )


#: By address of the FUNCREF of a function that thunks call.
_helped: Final[WeakValueDictionary[int, Glue]] = WeakValueDictionary()


def helped_glue(funcref: int) -> Glue | None:
    """The glue whose thunks call the function that a FUNCREF is about, if they do."""
    return _helped.get(funcref)


class Callbacks(Protocol):
    """What generated code calls in the runtime. Addresses and handles are unsigned ints."""

    def builtin(self, context: int, number: int, a: int, b: int, c: int) -> int:
        """Do what no instruction can, see BUILTIN_* in wasm_ir.vmcontext; the result is taken modulo 2**64."""

    def resolve(self, funcref: int, slot: int, context: int) -> int:
        """Compile the function behind a FUNCREF or a function slot (the other one is 0); returns where to call."""

    def failed(self, store: int, status: int, what: int | BaseException) -> BaseException | None:
        """After STATUS_TRAP (`what`: its code): raise the Trap. After STATUS_THROWN (the address of the EXCEPTION):
        return what is to be raised for it. After STATUS_EXCEPTION: may add a note to the exception, which is raised
        again when this returns.

        trap_pc and trap_fp of the store tell where it happened; the chain of frame pointers ends at entry_fp.
        """

    def raised(self, context: int, exception: BaseException) -> int:
        """After a host function raised in code of an instance: the address of an EXCEPTION that WebAssembly may catch,
        or 0 if it may not."""

    def interrupted(self, store: int) -> None:
        """At a poll of running code, after a deadline has passed or an interruption was asked for: raise, or let the
        code go on."""

    def host_call(self, core: object, context: int, slots: int, call: object) -> object:
        """Call a host function (HostFunction.invoke) for an instance, arguments and results in the slots at an
        address. Returns None, or something else when `call` is to be suspended until the result is there: it is None
        where nothing can be suspended."""

    def host_result(self, core: object, result: object, slots: int, context: int, call: object) -> object:
        """Put the unusual result of a host function (HostFunction.store_results) into the slots at an address. `call`,
        and what it returns: as above; True: the result is what was waited for."""


@serialized
class Glue:
    """Thunks: one of each kind for all functions, and those that depend on a function's type.

    Code is freed with this object, so who keeps an address of it keeps it alive. The thunk of a type is freed before if
    nobody has it: a process may see any number of types.

    The modules that build them, and the compiler, are only imported for those that are not in the cache.
    """

    def __init__(self, backend: Backend, callbacks: Callbacks, cache: CodeCache | None = None) -> None:
        self._backend = backend
        self._region = arena().region()
        # Finalizers that run together with ours may still call the code.
        self._region_anchor = anchor(self._region)
        self._turns = Turns()
        # Generated code has the addresses of these objects.
        self._builtin = callbacks.builtin
        self._resolve = callbacks.resolve
        self._failed = callbacks.failed
        self._interrupted = callbacks.interrupted
        self._raised_in_host = callbacks.raised
        #: FUNCREFs of WebAssembly functions that thunks call, by name.
        self._helpers = {name: array("Q", bytes(FUNCREF.size)) for name in ("throw", "suspend", "leave", "resume")}
        for words in self._helpers.values():
            _helped[words.buffer_info()[0]] = self
        self._host_call = callbacks.host_call
        self._host_result = callbacks.host_result
        self._single: dict[str, int] = {}
        self._take: Callable[[int, int], int] | None = None
        fixed = {
            "callback builtin": id(self._builtin),
            "callback resolve": id(self._resolve),
            "callback failed": id(self._failed),
            "callback interrupted": id(self._interrupted),
            "callback host_call": id(self._host_call),
            "callback host_result": id(self._host_result),
            "callback raised": id(self._raised_in_host),
            "ticker": ticker.ADDRESS,
            "C stack": c_stack.ADDRESS,
        }
        for name, words in self._helpers.items():
            fixed[f"{name} funcref"] = words.buffer_info()[0]
        # Those that others call.
        shared = ("slow_entry", "fail", "convert_result", "call_host", "raised")
        self._thunks = Thunks(backend, cache, fixed, self._shared, shared)
        ticker.prepare(self._thunks)
        #: By kind and type, those that somebody has; and of these the ones that were asked for last, in this order.
        self._typed_thunks: WeakValueDictionary[tuple[str, FuncType], Thunk] = WeakValueDictionary()
        self._warm: dict[tuple[str, FuncType], Thunk] = {}
        #: Where the next of them goes, and what room there is: it shares the memory of a few that were made with it.
        #: The first share what stays as long as we do.
        self._slab = (self._region, self._region_anchor)
        self._slab_left = _SLAB // 2

    def make_stubs(self, environment: StubEnvironment) -> Stubs:
        """The backend's stubs for an environment."""
        return self._thunks.stubs(environment)

    def use_cache(self, cache: CodeCache | None) -> None:
        """Keep thunks in a cache from now on, if they are not kept in one already."""
        self._thunks.use_cache(cache)

    @property
    def lazy_funcref(self) -> int:
        """First value of FUNCREF.code. Raises KeyError before there are stubs (`signals.install`)."""
        return signals.stub_addresses(self._backend).lazy_funcref

    def _place(self, name: str, build: Callable[[], Function]) -> int:
        return self._region.place(self._thunks.code(name, build))

    def _shared(self, name: str) -> int:
        address: int = getattr(self, name if name == "slow_entry" else f"_{name}")
        return address

    def _one(self, name: str, build: Callable[[], Function]) -> int:
        address = self._single.get(name)
        if address is None:
            with self._turns.wait():
                address = self._single.get(name)
                if address is None:
                    address = self._single[name] = self._place(name, build)
        return address

    def _typed(self, made: type[_T], kind: str, type: FuncType, build: Callable[[], Function]) -> _T:
        key = (kind, type)
        with self._turns.wait():
            thunk = self._typed_thunks.get(key)
            if thunk is None:
                code = self._thunks.code(f"{kind} {type}", build)
                if self._slab_left < len(code):
                    region = arena().region()
                    # (both at once: a signal handler may make a thunk at any moment)
                    self._slab = (region, anchor(region))
                    self._slab_left = _SLAB
                slab, code_anchor = self._slab
                self._slab_left -= len(code) + CODE_ALIGNMENT
                thunk = self._typed_thunks[key] = made(slab.place(code), code_anchor)
            self._warm.pop(key, None)
            self._warm[key] = thunk
            for old in list(self._warm)[:-_WARM]:
                self._warm.pop(old, None)
        assert isinstance(thunk, made)
        return thunk

    # Names of thunks are keys in the cache.

    @property
    def slow_entry(self) -> int:
        """Vectorcall code that passes calls on to a NativeCallable's `_slow` object."""

        def build() -> Function:
            from wasmetal.glue import entry as glue_entry

            return glue_entry.slow_entry()

        return self._one("slow_entry", build)

    def _callback(self, name: str, callback: Callable[..., object]) -> int:
        def build() -> Function:
            from wasmetal.glue import callbacks as glue_callbacks

            made: Function = getattr(glue_callbacks, name)(callback)
            return made

        return self._one(name, build)

    @property
    def builtin(self) -> int:
        """Value of CONTEXT.builtin."""
        return self._callback("builtin", self._builtin)

    @property
    def resolver(self) -> int:
        """Value of STORE.resolver."""
        return self._callback("resolver", self._resolve)

    @property
    def interrupted(self) -> int:
        """Value of STORE.interrupted."""
        return self._callback("interrupted", self._interrupted)

    @property
    def take(self) -> Callable[[int, int], int]:
        """A function (address of a word, another word) that puts that in the place of 0, if it is; returns whether."""
        if self._take is None:

            def build() -> Function:
                from wasmetal.glue import entry as glue_entry

                return glue_entry.take()

            self._take = _TAKE_PROTOTYPE(self._one("take", build))
        return self._take

    @property
    def _fail(self) -> int:
        return self._callback("fail", self._failed)

    @property
    def _raised(self) -> int:
        return self._callback("raised", self._raised_in_host)

    def _helper(self, name: str) -> int:
        """Address of a FUNCREF for a function of `resolve_helper`; 0 from a backend without exceptions."""
        if not supports_exceptions(self._backend):
            return 0
        words = self._helpers[name]
        if not words[_FUNCREF_CODE]:
            words[_FUNCREF_CODE] = self.lazy_funcref
        return words.buffer_info()[0]

    def resolve_helper(self, funcref: int) -> int:
        """Compile the function of one of these FUNCREFs, when it is called first. Returns its address."""

        (name,) = [name for name, words in self._helpers.items() if words.buffer_info()[0] == funcref]
        # Not when it is built: it may be in the cache.
        leave = self._helper("leave") if name == "suspend" else 0

        def build() -> Function:
            if name == "throw":
                from wasmetal.glue import host as glue_host

                return glue_host.throw_raised(self._raised)
            from wasmetal.glue import suspension

            return suspension.leave() if name == "leave" else suspension.suspend(leave)

        address = self._one(name, build)
        self._helpers[name][_FUNCREF_CODE] = address
        return address

    # Calls that can be suspended.

    @property
    def can_suspend(self) -> bool:
        """Whether the backend has what that takes."""
        return self._resume_entry != 0

    @property
    def _resume_entry(self) -> int:
        return signals.stub_addresses(self._backend).resume_entry

    @property
    def suspendable_entry(self) -> int:
        """Vectorcall code of `suspension.entry`."""

        def build() -> Function:
            from wasmetal.glue import suspension

            return suspension.entry(self._fail, words.buffer_info()[0])

        words = self._helpers["resume"]
        words[_FUNCREF_CODE] = self._resume_entry
        return self._one("suspendable_entry", build)

    def start(self, type: FuncType) -> Thunk:
        """Code for the FUNCREF of CALL.start, for functions of a type."""

        def build() -> Function:
            from wasmetal.glue import suspension

            return suspension.start(type)

        return self._typed(Thunk, "start", type, build)

    @property
    def _convert_result(self) -> int:
        return self._callback("convert_result", self._host_result)

    @property
    def _call_host(self) -> int:
        return self._callback("call_host", self._host_call)

    def entry(self, type: FuncType) -> Thunk | None:
        """Fast vectorcall code for WebAssembly functions of a type; None where the type allows only `slow_entry`."""
        if not is_fast(type):
            return None

        def build() -> Function:
            from wasmetal.glue import entry as glue_entry

            return glue_entry.fast_entry(type, self.slow_entry, self._fail)

        return self._typed(Thunk, "entry", type, build)

    def raw(self, type: FuncType) -> RawThunk:
        """A function (funcref, context, slots) that calls the WebAssembly or host function behind a FUNCREF.

        `context` is a VMContext of the store that is to run it (a host function sees it as its caller); arguments are
        read from the slots at an address and results written there. Raises what the function raises, Trap (also
        when too little of the thread's stack is left), and WasmError when another thread runs the store.
        """

        def build() -> Function:
            from wasmetal.glue import entry as glue_entry

            return glue_entry.raw_entry(type, self._fail)

        return self._typed(RawThunk, "raw", type, build)

    def host(self, type: FuncType) -> Thunk:
        """FUNCREF.code for host functions of a type; FUNCREF.host must point to a host_layout.HOST structure."""
        if not is_fast(type):
            return self.host_generic(type)
        throw, suspend = self._helper("throw"), self._helper("suspend")

        def build() -> Function:
            from wasmetal.glue import host as glue_host

            return glue_host.fast_host(type, self._convert_result, throw, suspend)

        return self._typed(Thunk, "host", type, build)

    def host_generic(self, type: FuncType) -> Thunk:
        """The same, by way of callbacks.host_call: for host functions that want to know their caller."""
        throw, suspend = self._helper("throw"), self._helper("suspend")

        def build() -> Function:
            from wasmetal.glue import host as glue_host

            return glue_host.generic_host(type, self._call_host, throw, self._convert_result, suspend)

        return self._typed(Thunk, "generic host", type, build)
