"""The glue of one backend: machine code between Python and WebAssembly, compiled from IR when it is first needed."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import Final, Protocol

from wasm_core.types import FuncType
from wasm_ir.backend import Backend
from wasm_ir.ir import Function
from wasmetal import glue_callbacks, glue_entry, glue_host
from wasmetal.code_memory import arena
from wasmetal.glue_python import is_fast
from wasmetal.lifetime import anchor

#: What `Glue.raw` gives: (address of a FUNCREF, address of a VMContext, address of slots).
RawCall = Callable[[int, int, int], object]

# The GIL is held during the call, and an exception that is set afterwards is raised.
_RAW_PROTOTYPE: Final = ctypes.PYFUNCTYPE(None, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64)


class Callbacks(Protocol):
    """What generated code calls in the runtime. Addresses and handles are unsigned ints."""

    def builtin(self, context: int, number: int, a: int, b: int, c: int) -> int:
        """Do what no instruction can, see BUILTIN_* in wasm_ir.vmcontext; the result is taken modulo 2**64."""
        ...

    def resolve(self, funcref: int, slot: int, context: int) -> int:
        """Compile the function behind a FUNCREF or a function slot (the other one is 0); returns where to call."""
        ...

    def failed(self, store: int, status: int, exception: BaseException | None) -> None:
        """After STATUS_TRAP (`exception` is None): raise the Trap. After STATUS_EXCEPTION: may add a note to the
        exception, which is raised again when this returns.

        trap_code, trap_pc and trap_fp of the store tell what happened; the chain of frame pointers ends at entry_fp.
        """
        ...

    def host_call(self, core: object, context: int, slots: int) -> None:
        """Call a host function (HostFunction.invoke) for an instance, arguments and results in the slots at an
        address."""
        ...

    def host_result(self, core: object, result: object, slots: int) -> None:
        """Put the unusual result of a host function (HostFunction.store_results) into the slots at an address."""
        ...


class Glue:
    """Thunks, by type of function. Code is freed with this object, so who keeps an address of it keeps it alive."""

    def __init__(self, backend: Backend, callbacks: Callbacks) -> None:
        self._backend = backend
        self._region = arena().region()
        # Finalizers that run together with ours may still call the code.
        self._region_anchor = anchor(self._region)
        self._lock = threading.RLock()
        # Generated code has the addresses of these objects.
        self._builtin = callbacks.builtin
        self._resolve = callbacks.resolve
        self._failed = callbacks.failed
        self._host_call = callbacks.host_call
        self._host_result = callbacks.host_result
        self._single: dict[str, int] = {}
        self._entries: dict[FuncType, int] = {}
        self._raws: dict[FuncType, RawCall] = {}
        self._hosts: dict[FuncType, int] = {}
        self._generic_hosts: dict[FuncType, int] = {}

    def _place(self, function: Function) -> int:
        compiled = self._backend.compile(function)
        if compiled.relocations:
            raise AssertionError(f"glue refers to functions of a module: {function.name}")
        return self._region.place(compiled.code)

    def _one(self, name: str, build: Callable[[], Function]) -> int:
        address = self._single.get(name)
        if address is None:
            with self._lock:
                address = self._single.get(name)
                if address is None:
                    address = self._single[name] = self._place(build())
        return address

    def _typed(self, cache: dict[FuncType, int], type: FuncType, build: Callable[[], Function]) -> int:
        address = cache.get(type)
        if address is None:
            with self._lock:
                address = cache.get(type)
                if address is None:
                    address = cache[type] = self._place(build())
        return address

    @property
    def slow_entry(self) -> int:
        """Vectorcall code that passes calls on to a NativeCallable's `_slow` object."""
        return self._one("slow_entry", glue_entry.slow_entry)

    @property
    def builtin(self) -> int:
        """Value of CONTEXT.builtin."""
        return self._one("builtin", lambda: glue_callbacks.builtin(self._builtin))

    @property
    def resolver(self) -> int:
        """Value of STORE.resolver."""
        return self._one("resolver", lambda: glue_callbacks.resolver(self._resolve))

    @property
    def _fail(self) -> int:
        return self._one("fail", lambda: glue_callbacks.fail(self._failed))

    @property
    def _convert_result(self) -> int:
        return self._one("convert_result", lambda: glue_callbacks.convert_result(self._host_result))

    @property
    def _call_host(self) -> int:
        return self._one("call_host", lambda: glue_callbacks.call_host(self._host_call))

    def entry(self, type: FuncType) -> int:
        """Vectorcall code for WebAssembly functions of a type: fast where the type allows it, else `slow_entry`."""
        address = self._entries.get(type)
        if address is None:
            if not is_fast(type):
                return self.slow_entry
            address = self._typed(self._entries, type, lambda: glue_entry.fast_entry(type, self.slow_entry, self._fail))
        return address

    def raw(self, type: FuncType) -> RawCall:
        """A function (funcref, context, slots) that calls the WebAssembly or host function behind a FUNCREF.

        `context` is a VMContext of the store that is to run it (a host function sees it as its caller); arguments are
        read from the slots at an address and results written there. Raises what the function raises, Trap, and
        WasmError when another thread runs the store.
        """
        call = self._raws.get(type)
        if call is None:
            with self._lock:
                call = self._raws.get(type)
                if call is None:
                    address = self._place(glue_entry.raw_entry(type, self._fail))
                    call = self._raws[type] = _RAW_PROTOTYPE(address)
        return call

    def host(self, type: FuncType) -> int:
        """FUNCREF.code for host functions of a type; FUNCREF.host must point to a glue_host.HOST structure."""
        address = self._hosts.get(type)
        if address is None:
            if not is_fast(type):
                return self.host_generic(type)
            address = self._typed(self._hosts, type, lambda: glue_host.fast_host(type, self._convert_result))
        return address

    def host_generic(self, type: FuncType) -> int:
        """The same, by way of callbacks.host_call: for host functions that want to know their caller."""
        return self._typed(self._generic_hosts, type, lambda: glue_host.generic_host(type, self._call_host))
