"""Compiling thunks, or taking them ready made or from the cache: machine code whose addresses are filled in last.

Thunks have the addresses of CPython's functions and objects in them, which are others in each process. In the IR each
is a symbol (`ir.Function.symbols`); in the cache it has a name.
"""

from __future__ import annotations

import ctypes
import sys
import weakref
from array import array
from collections.abc import Callable, Mapping, Sequence

from wasm_core.errors import WasmError
from wasm_ir.backend import (
    RELOCATION_SYMBOL,
    CompiledCode,
    Relocation,
    StubEnvironment,
    Stubs,
    c_convention,
    supports_symbols,
    supports_vectors,
)
from wasmetal.code import fingerprint
from wasmetal.code.cache import CacheEntry, CodeCache
from wasmetal.code.checksum import digest
from wasmetal.code.code_file import decode_code, encode_code
from wasmetal.code.collector import paused
from wasmetal.cpython import layouts
from wasmetal.glue import prebuilt
from wasmetal.glue.ticker_layout import BUSY
from wasmetal.system.hold import serialized

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_ir.backend import Backend
    from wasm_ir.ir import Function

#: Texts that thunks hand to the C API.
BUSY_TEXT: Final = ctypes.create_string_buffer(BUSY.encode())
NOT_SUSPENDED: Final = ctypes.create_string_buffer(b"the call is not suspended")

_API: Final = "api "
_FIXED: Final[dict[str, int]] = {
    "None": id(None),
    "True": id(True),
    "False": id(False),
    "int": id(int),
    "float": id(float),
    "WasmError": id(WasmError),
    "text busy": ctypes.addressof(BUSY_TEXT),
    "text not suspended": ctypes.addressof(NOT_SUSPENDED),
}
#: The offsets in `Stubs`, in the order of its fields.
_STUB_ENTRIES: Final = (
    "trap_exit",
    "signal_handler",
    "lazy_funcref",
    "lazy_slot",
    "poll_exit",
    "synchronize",
    "throw_exit",
    "lazy_tail",
    "tail_return",
    "resume_entry",
)
_NOTHING: Final[dict[str, int]] = {}
#: Most thunks that the cache keeps: a process may see any number of types.
_MAX_KEPT: Final = 1000


@serialized
class Thunks:
    """Makes the code of one backend's thunks."""

    def __init__(
        self,
        backend: Backend,
        cache: CodeCache | None = None,
        addresses: Mapping[str, int] = _NOTHING,
        thunk: Callable[[str], int] | None = None,
        thunks: Sequence[str] = (),
    ) -> None:
        """
        Args:
            backend: Compiles them.
            cache: Keeps them.
            addresses: Names and addresses of what else they refer to, besides the C API.
            thunk: Gives the address of a thunk that others refer to, by its name.
            thunks: The names of these.
        """
        self._backend = backend
        self._addresses = _FIXED | dict(addresses)
        self._thunk = thunk
        self._thunk_names = thunks
        self._prebuilt = prebuilt.find(backend) if supports_symbols(backend) else None
        self._entry = CacheEntry(None, b"")
        #: How many more the cache may keep.
        self._keep = 0
        self.use_cache(cache)

    def use_cache(self, cache: CodeCache | None) -> None:
        """Keep thunks in a cache from now on, if they are not kept in one already."""
        if cache is not None and not self._entry.writes and supports_symbols(self._backend):
            self._entry = CacheEntry(cache, thunks_identity(self._backend))
            self._keep = max(0, _MAX_KEPT - len(self._entry.found()))
            weakref.finalize(self, self._entry.save)

    def code(self, name: str, build: Callable[[], Function]) -> bytes:
        """The code of a thunk, to be placed anywhere.

        Args:
            name: What it is called in the cache: different code, different name.
            build: Builds it if it is not there.
        """
        key = int.from_bytes(digest(name.encode(), 8), "little")
        blob = self._kept(key)
        if blob is not None:
            made, names = decode_code(blob)
            try:
                return _fill_in(made, [self._address(symbol) for symbol in names])
            except LookupError:  # a name of another version: compile it
                pass
        with paused():
            function = build()
            symbols = function.symbols
            if symbols and not supports_symbols(self._backend):
                from wasm_ir.symbols import replace_symbols

                replace_symbols(function)
            if not supports_vectors(self._backend):
                from wasm_ir.vectorless import refuse_vectors

                refuse_vectors(function)
            made = self._backend.compile(function)
        if self._entry.writes and self._keep:
            found = self._names(symbols)
            if found is not None:
                self._keep -= 1
                self._entry.put(key, encode_code(made, found))
        return _fill_in(made, symbols)

    def stubs(self, environment: StubEnvironment) -> Stubs:
        """The backend's stubs for an environment."""
        previous = sorted(environment.previous_handlers.items())
        passed_on = [signal for signal, handler in previous if handler > 1]  # neither SIG_DFL nor SIG_IGN
        values = [environment.arena_start, environment.sigaction]
        values += [environment.previous_handlers[signal] for signal in passed_on]
        kinds = [(signal, min(handler, 2)) for signal, handler in previous]
        key = int.from_bytes(digest(repr(("stubs", environment.arena_size, kinds)).encode(), 8), "little")
        blob = self._kept(key)
        if blob is not None:
            code, _ = decode_code(blob)
            return _stubs(_fill_in(code, values), code.pcs)
        if not self._entry.writes:
            return self._backend.stubs(environment)
        # Not needed when the code was in the cache.
        from wasm_ir.ir import SYMBOL_BASE, SYMBOL_SHIFT

        # Made for an environment of symbols, so that it shows which address stands where.
        symbols = {number: SYMBOL_BASE + (number << SYMBOL_SHIFT) for number in range(len(values))}
        handlers = dict(previous) | {signal: symbols[2 + number] for number, signal in enumerate(passed_on)}
        made = self._backend.stubs(StubEnvironment(symbols[0], environment.arena_size, handlers, symbols[1]))
        if made.addresses is None:
            return self._backend.stubs(environment)
        numbers = {symbol: number for number, symbol in symbols.items()}
        relocations = [
            Relocation(at, RELOCATION_SYMBOL, numbers[int.from_bytes(made.code[at : at + 8], "little")])
            for at in made.addresses
        ]
        entries = array("I", [getattr(made, name) + 1 for name in _STUB_ENTRIES])  # -1 stands for none
        code = CompiledCode(made.code, 0, relocations, entries, entries, 0)
        self._entry.put(key, encode_code(code))
        return _stubs(_fill_in(code, values), entries)

    def _kept(self, key: int) -> bytes | None:
        """What need not be compiled."""
        found = None if self._prebuilt is None else self._prebuilt.get(key)
        return self._entry.get(key) if found is None else found

    def _address(self, name: str) -> int:
        if name.startswith(_API):
            return layouts.api(name.removeprefix(_API))
        if self._thunk is not None and name in self._thunk_names:
            return self._thunk(name)
        return self._addresses[name]

    def _names(self, symbols: list[int]) -> list[str] | None:
        """The names of addresses; None when one has none."""
        names = {address: _API + name for name, address in layouts.known_api().items()}
        names |= {address: name for name, address in self._addresses.items()}
        if self._thunk is not None and not names.keys() >= set(symbols):
            names |= {self._thunk(name): name for name in self._thunk_names}
        return [names[symbol] for symbol in symbols] if names.keys() >= set(symbols) else None


def thunks_identity(backend: Backend) -> bytes:
    """What the code of thunks depends on."""
    python = (sys.version_info[:3], layouts.description())
    parts = [
        repr((backend.name, backend.cpu_features, c_convention(backend), python)).encode(),
        fingerprint.of_compiler(backend),
    ]
    return digest(b"\0".join(parts))


def _stubs(code: bytes, entries: array[int]) -> Stubs:
    trap, handler, by_funcref, by_slot, poll, synchronize, throw, tail, back, resume = [entry - 1 for entry in entries]
    return Stubs(code, trap, handler, by_funcref, by_slot, poll, synchronize, None, throw, tail, back, resume)


def _fill_in(made: CompiledCode, addresses: list[int]) -> bytes:
    """The code with the addresses of its symbols."""
    code = bytearray(made.code)
    for relocation in made.relocations:
        if relocation.kind != RELOCATION_SYMBOL:
            raise AssertionError("a thunk refers to functions of a module")
        offset = relocation.offset
        code[offset : offset + 8] = addresses[relocation.target].to_bytes(8, "little")
    return bytes(code)
