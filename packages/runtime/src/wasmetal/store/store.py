"""The store: what instances that call each other share (core specification, section "Runtime Structure", "Store").

It has the stack that WebAssembly code runs on and keeps alive the objects that references stand for.
"""

from __future__ import annotations

import threading
from array import array
from typing import TYPE_CHECKING, Generic, TypeVar
from weakref import ref

from wasm_core.errors import LinkError, WasmError
from wasm_ir.vmcontext import CONTEXT, STORE
from wasmetal.function import Func, host_function_at
from wasmetal.glue import ticker
from wasmetal.store import references
from wasmetal.store.lifetime import anchor
from wasmetal.store.native_stack import NativeStack
from wasmetal.store.stack_pool import StackLease

if TYPE_CHECKING:
    from wasmetal.code.compiled_module import CompiledModule
    from wasmetal.globals import GlobalCell
    from wasmetal.store.instance_core import InstanceCore
    from wasmetal.table import TableStorage

_WASM_SP = STORE["wasm_sp"] // 8
_ENTRY_FP = STORE["entry_fp"] // 8
_OWNER = STORE["owner"] // 8
_HOLD_GIL = STORE["hold_gil"] // 8
_RESOLVER = STORE["resolver"] // 8
_STACK_LIMIT = STORE["stack_limit"] // 8
_ATTENTION = STORE["attention"] // 8
_INTERRUPT = STORE["interrupt"] // 8
_INTERRUPTED = STORE["interrupted"] // 8
_CONTEXT_STORE = CONTEXT["store"] // 8
_CONTEXT_STACK_LIMIT = CONTEXT["stack_limit"] // 8

#: So many references are kept before it is looked for the first time which of them are still stored anywhere.
_FIRST_SWEEP = 1024

_BOTH_RUN = "instances of two stores that are both running cannot be linked"

#: Above every stack: makes code call out at its next poll.
_NO_STACK = (1 << 64) - 1

#: Held while it changes what stores consist of and keep.
lock = threading.RLock()


class UnknownReference(WasmError, LookupError):
    """A slot of `call_raw` is not a reference that the store knows."""


_T = TypeVar("_T")


class _Members(Generic[_T]):
    """Things of a store that are held weakly, each added once. (A WeakValueDictionary takes ten times as long to make,
    and stores of one instance are many.)"""

    __slots__ = ("_references", "_sweep_at")

    def __init__(self) -> None:
        self._references: list[ref[_T]] = []
        self._sweep_at = 64

    def add(self, thing: _T) -> None:
        """Add one. Only one thread at a time may do that."""
        references = self._references
        if len(references) >= self._sweep_at:
            references = self._references = [reference for reference in references if reference() is not None]
            self._sweep_at = max(64, 2 * len(references))
        references.append(ref(thing))

    def alive(self) -> list[_T]:
        """Those that are alive, in the order in which they were added."""
        return [thing for reference in self._references if (thing := reference()) is not None]


class Store:
    """Instances, tables and reference globals that may reach each other.

    It starts without a stack: a table that Python made needs to keep references but runs nothing. `activate` makes the
    rest.
    """

    __slots__ = (
        "__weakref__",
        "_globals",
        "_glue",
        "_instances",
        "_registrations",
        "_stack_anchor",
        "_sweep_at",
        "_tables",
        "address",
        "busy",
        "kept",
        "stack",
        "successor",
        "words",
    )

    def __init__(self) -> None:
        #: The StoreContext and its address; address 0 before `activate`.
        self.words: array[int] = array("Q")
        self.address = 0
        self.stack: NativeStack | None = None
        #: The store that this one became part of.
        self.successor: Store | None = None
        #: How many are between `begin` and `end`.
        self.busy = 0
        #: Address (of the object for an externref, of the FUNCREF for a funcref) -> what must stay alive.
        self.kept: dict[int, object] = {}
        self._registrations = 0
        self._sweep_at = _FIRST_SWEEP
        self._instances: _Members[InstanceCore] = _Members()
        self._tables: _Members[TableStorage] = _Members()
        self._globals: _Members[GlobalCell] = _Members()

    def activate(self, code: CompiledModule) -> None:
        """Make the stack and the StoreContext, as the first instance's configuration says.

        Raises:
            MemoryError: There is no room for the stack.
        """
        if self.address:
            return
        with lock:
            if not self.address:
                self._activate(code)

    def _activate(self, code: CompiledModule) -> None:
        try:
            lease = StackLease(code.config.max_stack_bytes)
        except OSError as error:
            raise MemoryError(f"no room for a stack of {code.config.max_stack_bytes} bytes: {error}") from error
        stack = lease.stack
        self.words = array("Q", bytes(STORE.size))
        self.words[_WASM_SP] = stack.top
        self.words[_HOLD_GIL] = int(code.config.hold_gil)
        self.words[_RESOLVER] = code.glue.resolver
        self.words[_INTERRUPTED] = code.glue.interrupted
        self.words[_STACK_LIMIT] = stack.limit
        self.stack = stack
        self._glue = code.glue  # the resolver is its code
        self._stack_anchor = anchor(lease)
        self.address = self.words.buffer_info()[0]
        references.stores[self.address] = self
        self._prepare(self.kept)

    def _prepare(self, kept: dict[int, object]) -> None:
        """Make host functions callable from WebAssembly that were kept when there was no glue to do it."""
        for value in kept.values():
            if isinstance(value, Func):
                value._core.prepare(self._glue)

    # Another thread may have made this store a part of another one since it was looked up: each of the following is
    # about that one then.

    def _current(self) -> Store:
        """The store that this one is a part of today: itself, most of the time. To be called with the lock."""
        store = self
        while store.successor is not None:
            store = store.successor
        return store

    def adopt(self, instance: InstanceCore) -> None:
        """Make this the store of an instance."""
        with lock:
            store = self._current()
            assert store.stack is not None
            instance.store = store
            instance.words[_CONTEXT_STACK_LIMIT] = store.stack.limit
            if instance.link is None:
                instance.words[_CONTEXT_STORE] = store.address
                instance.link = ticker.link_context(instance.words, store.words)
            else:
                ticker.move_context(instance.link, store.words)
            store._instances.add(instance)

    def add_table(self, table: TableStorage) -> None:
        """Make this the store of a table."""
        with lock:
            store = self._current()
            table.store = store
            store._tables.add(table)

    def add_global(self, cell: GlobalCell) -> None:
        """Make this the store of a global of a reference type."""
        with lock:
            store = self._current()
            cell.store = store
            store._globals.add(cell)

    @property
    def instances(self) -> list[InstanceCore]:
        """The instances that are alive."""
        return self._instances.alive()

    @property
    def running(self) -> bool:
        """Whether WebAssembly code of this store is active (it may just be in a host function)."""
        return bool(self.address) and (self.words[_ENTRY_FP] != 0 or self.words[_OWNER] != 0)

    def take(self) -> bool:
        """Let no other thread run code of this store until `leave`; what that must be told.

        Raises:
            WasmError: Another thread runs code of it.
        """
        if not self.address:
            return False
        mine = ticker.thread_state()
        words = self.words
        # No call stands between these two, so the GIL stays here.
        owner = words[_OWNER]
        if not owner:
            words[_OWNER] = mine
            return True
        if owner != mine:
            raise WasmError("another thread is running code of this store")
        return False

    def leave(self, taken: bool) -> None:
        """The opposite of `take`, to be called on the same store."""
        if taken:
            # Nobody ran: an interruption that was asked for meanwhile is not for the next one who does.
            self.words[_INTERRUPT] = 0
            self.words[_OWNER] = 0

    def interrupt(self) -> None:
        """End the call that is running with a trap, at its next poll. Does nothing when none is."""
        with lock:
            if not self.running:
                return
            self.words[_INTERRUPT] = 1
            self.words[_ATTENTION] = 1
            for instance in self.instances:
                instance.words[_CONTEXT_STACK_LIMIT] = _NO_STACK

    @property
    def owner(self) -> int:
        """PyThreadState of the thread that runs code of this store; 0 when none does."""
        return self.words[_OWNER] if self.address else 0

    # What `values.References` asks for.

    def extern_handle(self, value: object) -> int:
        """The externref that stands for `value` (not null): its address. Keeps the object alive."""
        address = id(value)
        self._keep(address, value)
        return address

    def _keep(self, address: int, value: object) -> None:
        with lock:
            store = self._current()
            store._registrations += 1
            store.kept[address] = value

    def extern_object(self, handle: int) -> object:
        """The object that an externref (not null) stands for. Raises UnknownReference."""
        value = self.kept.get(handle)
        # Functions are kept too, under the addresses of their FUNCREFs.
        # (None is never kept: it is null, and what `get` gives for an address that is not there)
        if value is None or id(value) != handle:
            raise UnknownReference("not a reference of this store")
        return value

    def funcref_of(self, function: Func) -> int:
        """The funcref that stands for `function`; keeps the function alive, and lets this store run it.

        Raises:
            LinkError: The function belongs to another store, and both are running.
        """
        core = function._core
        survivor = self
        if core.is_host:
            if self.address:
                core.prepare(self._glue)
            keep: object = function
        else:
            instance = core.instance
            survivor = merge(self, instance.store)
            if instance.code.passes_functions:
                # It may store functions that it is called with, so those must outlive it, and it them.
                for other in survivor.instances:
                    if other.code.passes_functions:
                        instance.live_with(other)
            keep = (function, instance)
        address: int = function._funcref
        survivor._keep(address, keep)
        return address

    def func_at(self, address: int) -> Func:
        """The function that a funcref (not null) stands for: the same object as long as it is alive.

        Raises:
            UnknownReference: Nothing in this store has that address, or its owner is being destroyed.
        """
        found = references.functions.get(address)
        if found is not None:
            # (one whose instance is closed goes on if somebody in the store still has it)
            if address in self.kept or found._core.instance.store is self:
                return found
            raise UnknownReference("a function of another store")
        for instance in self.instances:
            if instance.has_funcref(address):
                return instance.function_at(address)
        found = host_function_at(address)
        if found is not None and (address in self.kept or any(found in other.functions for other in self.instances)):
            return found
        raise UnknownReference("not a reference of this store")

    # Letting go.

    def begin(self) -> None:
        """Say that references are about to be made that are stored nowhere for a while.

        None are let go until `end`.
        """
        with lock:
            store = self._current()
            if len(store.kept) >= store._sweep_at and not store.busy:
                store.sweep()
            store.busy += 1

    def end(self) -> None:
        """The opposite of `begin`; `merge` moves the count."""
        with lock:
            self._current().busy -= 1

    def sweep(self) -> None:
        """Let go of what no table, global or element segment refers to any more. Does nothing while the store runs."""
        with lock:
            registrations = self._registrations
            roots: list[array[int]] = [self.words]
            for instance in self.instances:
                roots.append(instance.words)
                roots += instance.segments
            roots += [table.words for table in self._tables.alive()]
            roots += [cell.words for cell in self._globals.alive()]
            # The GIL is held while all of this is copied, and it takes the GIL to enter WebAssembly code or to return
            # from it: so if nobody is inside in the copy, nobody moved references about while it was made.
            snapshot = array("Q", b"".join(roots))
            if self.address and (snapshot[_ENTRY_FP] or snapshot[_OWNER]):
                return
            words = set(snapshot)
            alive = {address: value for address, value in self.kept.items() if address in words}
            # A finalizer that the garbage collector ran just now may have registered something.
            if self._registrations == registrations:
                # Deallocations run code of users: the dictionary must be in order before the first one.
                self.kept = alive
                self._sweep_at = max(_FIRST_SWEEP, 2 * len(alive))


def merge(first: Store, second: Store) -> Store:
    """Make one store of two, and return it. A store that runs absorbs one that does not.

    Raises:
        LinkError: Both are running.
    """
    with lock:
        first, second = first._current(), second._current()
        if first is second:
            return first
        survivor, absorbed = first, second
        if second.running or (second.address and not first.address):
            survivor, absorbed = second, first
        if absorbed.running:
            raise LinkError(_BOTH_RUN)
        try:
            # Another thread may have begun to run it just now; from here on none can.
            taken = absorbed.take()
        except WasmError as error:
            raise LinkError(_BOTH_RUN) from error
        try:
            for instance in absorbed.instances:
                survivor.adopt(instance)
            for table in absorbed._tables.alive():
                survivor.add_table(table)
            for cell in absorbed._globals.alive():
                survivor.add_global(cell)
            if survivor.address:
                survivor._prepare(absorbed.kept)
            survivor._registrations += 1
            survivor.kept.update(absorbed.kept)
            survivor.busy += absorbed.busy
            absorbed.successor = survivor
        finally:
            absorbed.leave(taken)
        return survivor
