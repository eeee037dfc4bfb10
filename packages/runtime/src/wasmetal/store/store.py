"""The store: what instances that call each other share (core specification, section "Runtime Structure", "Store").

It has the stack that WebAssembly code runs on and keeps alive the objects that references stand for.
"""

from __future__ import annotations

import sys
from array import array
from contextlib import suppress
from functools import partial
from itertools import islice, repeat
from weakref import ref

from wasm_core.errors import LinkError, WasmError
from wasm_ir.vmcontext import CONTEXT, FUNCREF, STORE
from wasmetal.glue import ticker
from wasmetal.glue.ticker_layout import BRIEFLY, BUSY, RESTS
from wasmetal.store import functions
from wasmetal.store.functions import FuncHandle, host_function_at
from wasmetal.store.native_stack import NativeStack
from wasmetal.store.parked_frames import has_suspended, parked_words
from wasmetal.store.stack_pool import StackLease, prepare
from wasmetal.system.hold import FREE_THREADED, NOTHING, Hold, exclusive, holding, serialized
from wasmetal.system.lifetime import keeper, untrack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final, Generic, NoReturn, Protocol, TypeVar

    from wasmetal.compiled.compiled_module import CompiledModule
    from wasmetal.store.members import Instance, Parts

    _T = TypeVar("_T")
else:
    from wasm_core.lazy_typing import Generic, Protocol

    _T = object

_WASM_SP = STORE["wasm_sp"] // 8
_ENTRY_FP = STORE["entry_fp"] // 8
_OWNER = STORE["owner"] // 8
_HOLD_GIL = STORE["hold_gil"] // 8
_RESOLVER = STORE["resolver"] // 8
_STACK_LIMIT = STORE["stack_limit"] // 8
_AWAIT_FP = STORE["await_fp"] // 8
_STACK_TOP = STORE["stack_top"] // 8
_ATTENTION = STORE["attention"] // 8
_INTERRUPT = STORE["interrupt"] // 8
_INTERRUPTED = STORE["interrupted"] // 8
_CONTEXT_STORE = CONTEXT["store"] // 8
_CONTEXT_STACK_LIMIT = CONTEXT["stack_limit"] // 8

#: So many references are kept before it is looked for the first time which of them are still stored anywhere.
_FIRST_SWEEP = 1024

_BOTH_RUN = "instances of two stores that are both running, or have suspended calls, cannot be linked"
_IN_GARBAGE = (
    "an instance of a store with members that were garbage, which a finalizer may have saved, cannot be linked"
)

#: Above every stack: makes code call out at its next poll.
_NO_STACK = (1 << 64) - 1

#: What a StoreContext starts as.
_UNUSED_CONTEXT: Final = array("Q", bytes(STORE.size))

#: The two words that are set to zero when a store is let go of. Nobody ran: an interruption that was asked for
#: meanwhile is not for the next one who does.
_LEAVE = slice(_INTERRUPT, _OWNER - 1, _OWNER - _INTERRUPT)
_LEFT = array("Q", (0, 0))


#: Address of a StoreContext -> the store, held weakly, and what there must be until the last finalizer of the garbage
#: that it is in has run: the StoreContext, and the stack if it has one.
stores: Final[dict[int, tuple[ref[Store], array[int], StackLease | None]]] = {}
_StoreKeeper: Final = keeper(stores)

#: Addresses of stores that got a stack and can do without, the last one last. (Some may be gone.)
_lent: Final[dict[int, None]] = {}


#: Stores that are looked at, at most, to find one that does not need its stack.
_TRIED: Final = 8


class _Lending:
    """How many of these there may be before the first must do without."""

    most = 4
    #: How many stores got one again since that was doubled.
    again = 0
    #: Where mappings may get scarce.
    limit = 1 << 14


def store_at(address: int) -> Store | None:
    """The store whose StoreContext is at `address`; None when it is gone, or in garbage."""
    found = stores.get(address)
    return None if found is None else found[0]()


class UnknownReference(WasmError, LookupError):
    """A slot of `call_raw` is not a reference that the store knows."""


class Holder(Protocol):
    """A table, or a global of a reference type."""

    life: object
    store: Any

    @property
    def words(self) -> array[int]: ...
    @property
    def holds_exceptions(self) -> bool: ...


class Exceptions(Protocol):
    """The exceptions of a store; `wasmetal.store.exceptions.ExceptionHeap` says what each of these is."""

    def add_tags(self, instance: Instance) -> None: ...
    def collect(self) -> None: ...
    def needed_words(self) -> list[array[int]]: ...
    def address_of(self, value: object) -> int: ...
    def reference(self, address: int) -> object: ...
    def is_known(self, address: int) -> bool: ...
    def moved_to(self, store: Store) -> Exceptions: ...
    def absorb(self, other: Any) -> None: ...


#: What `sys.getrefcount` says of an object that its owner alone has. (Without a GIL as well: new references to what is
#: asked about are made in blocks of `exclusive` alone, and it is asked in these. One that goes meanwhile may count.)
_UNUSED = sys.getrefcount(Hold(int)) + 1


class _Member(ref[_T]):
    """A weak reference that can tell a member that is gone from one in garbage that finalizers may still use.

    The collector clears references to all of a garbage cycle before the first finalizer of it runs; from Python 3.15
    on after the last one.
    """

    __slots__ = ("life",)

    #: What the member and we alone have, of a class that the collector does not know: it goes with the member.
    life: object


def _member(thing: Any) -> ref[Any]:
    reference: _Member[Any] = _Member(thing)
    reference.life = thing.life
    return reference


def _is_there(reference: ref[_T]) -> bool:
    """Whether what a reference was made for is not gone, though perhaps in garbage."""
    return reference() is not None or (isinstance(reference, _Member) and sys.getrefcount(reference.life) > _UNUSED)


@serialized
class Members(Generic[_T]):
    """Things of a store that are held weakly, each added once. (A WeakValueDictionary takes ten times as long to make,
    and stores of one instance are many.)"""

    __slots__ = ("_added", "_references", "_sweep_at")

    def __init__(self) -> None:
        self._references: list[ref[_T]] = []
        self._sweep_at = 64
        self._added = 0

    def add(self, reference: ref[_T]) -> None:
        """Add one. Only one thread at a time may do that."""
        if len(self._references) >= self._sweep_at:
            added = self._added
            alive = [reference for reference in self._references if _is_there(reference)]
            if self._added == added:  # a signal handler or a finalizer may have been here
                self._references = alive
            self._sweep_at = max(64, 2 * len(alive))
        # No call stands between this and the list.
        self._added += 1
        self._references.append(reference)

    def add_all(self, others: Members[_T]) -> None:
        """Add others. Only one thread at a time may do that."""
        for reference in others._references[:]:
            self.add(reference)

    def alive(self) -> list[_T]:
        """Those that are alive, in the order in which they were added."""
        return [thing for reference in self._references if (thing := reference()) is not None]

    def add_garbage(self, others: Members[_T]) -> None:
        """Add those of others that `in_garbage` is about. Only one thread at a time may do that."""
        for reference in others._references[:]:
            if reference() is None and _is_there(reference) and reference not in self._references:
                self.add(reference)

    def in_garbage(self) -> bool:
        """Whether there is one that `alive` leaves out though finalizers may still use it."""
        return any(_is_there(reference) for reference in self._references[:] if reference() is None)


@serialized
class Store:
    """Instances, tables and reference globals that may reach each other.

    It starts without a stack: a table that Python made needs to keep references but runs nothing. `activate` makes the
    rest.
    """

    __slots__ = (
        "__weakref__",
        "_first",
        "_glue",
        "_had_stack",
        "_holders",
        "_instances",
        "_keeper",
        "_keeps_stack",
        "_registrations",
        "_resting",
        "_stack_bytes",
        "_sweep_at",
        "_use",
        "_uses_before",
        "address",
        "exceptions",
        "kept",
        "successor",
        "ways",
        "words",
    )

    def __init__(self) -> None:
        #: The StoreContext, which says just who has taken the store before `activate`, and its address, 0 until then.
        words = _UNUSED_CONTEXT[:]
        address = words.buffer_info()[0]
        self.words: array[int] = words
        self.address = 0
        stores[address] = (ref(self), words, None)
        self._keeper = _StoreKeeper(address)
        untrack(self._keeper)
        #: The VMContext of the first instance, and what is there of it only while the store has a stack.
        self._first: array[int] | None = None
        self._resting: Parts | None = None
        #: Whether it has more instances than that, or suspended calls: then its stack is not taken away.
        self._keeps_stack = False
        self._had_stack = False
        #: The store that this one became part of.
        self.successor: Store | None = None
        if FREE_THREADED:
            #: Structures of stores that have become part of this one: threads that are about to enter may look at them.
            self.ways: list[array[int]] = [self.words]
        #: Who works with references that are stored nowhere has a reference to this object, so we have the only one
        #: when nobody does. None as long as nobody has asked, and once the store has become part of another, which has
        #: those that are in use.
        self._use: Hold | None = None
        self._uses_before: Members[Hold] | None = None
        #: Address (of the object for an externref, of the FUNCREF for a funcref) -> what must stay alive.
        self.kept: dict[int, object] = {}
        #: Made when the first one is thrown.
        self.exceptions: Exceptions | None = None
        self._registrations = 0
        self._sweep_at = _FIRST_SWEEP
        self._instances: Members[Instance] = Members()
        self._holders: Members[Holder] | None = None

    def activate(self, code: CompiledModule) -> None:
        """Make the StoreContext, as the first instance's configuration says, unless there is one.

        To be called in a block of `exclusive`, if anybody else knows the store.

        Raises:
            MemoryError: There is no room for the stack.
        """
        if self.address:
            return
        size = code.config.max_stack_bytes
        try:
            prepare(size)
        except OSError as error:
            raise _no_room(size, error) from error
        hold_gil, resolver, interrupted = code.entry_words
        words = self.words
        address = int(self._keeper)
        # A signal handler may have done the same meanwhile; no call stands between these.
        if not self.address:
            words[_HOLD_GIL] = hold_gil
            words[_RESOLVER] = resolver
            words[_INTERRUPTED] = interrupted
            self._stack_bytes = size
            self._glue = code.glue  # the resolver is its code
            self.address = address
            if not words[_OWNER]:
                words[_OWNER] = RESTS
        if words[_OWNER] != RESTS:
            # A signal handler of a thread that has taken it before: us.
            self._lend()
        if self.kept:
            self._prepare(self.kept)

    # Stores that do not run need no stack. Whoever wants to run one finds that another has it (RESTS).

    @property
    def stack(self) -> NativeStack | None:
        """The stack, if it has one just now."""
        found = stores.get(int(self._keeper))
        return None if found is None or found[2] is None else found[2].stack

    @property
    def rests(self) -> bool:
        """Whether it cannot run before `give_stack` has been called."""
        return self._current().words[_OWNER] == RESTS

    def give_stack(self) -> bool:
        """Let the store have a stack that it can run on. Returns False if it has one.

        Raises:
            MemoryError: There is no room for one.
        """
        store = self._current()
        if store.words[_OWNER] != RESTS:
            return False
        with exclusive():
            store = self._current()
            if store.words[_OWNER] == RESTS:
                store._lend()
        return True

    def keep_stack(self) -> None:
        """The same, and never take it away."""
        store = self._current()
        store._keeps_stack = True
        store.give_stack()

    def _lend(self) -> None:
        """Give the store a stack, in a block of `exclusive`, which may come from another store."""
        words = self.words
        address = int(self._keeper)
        while True:
            if stores[address][2] is None:
                self._borrow(address)
            record = stores[address]
            if self._resting is not None:
                self._resting.fill()
            # A signal handler or a finalizer may have run it meanwhile, and others, so that it rests again. No call
            # stands between this and the end.
            if record[2] is not None and stores[address] is record:
                break
        # (nobody runs it before the last of these, unless one who has taken it in a signal handler)
        first = self._first
        if first is not None:
            first[_CONTEXT_STACK_LIMIT] = words[_STACK_LIMIT]
        if words[_OWNER] == RESTS:
            words[_OWNER] = 0

    def _borrow(self, address: int) -> None:
        """Take a stack from those that there are, or from another store."""
        words = self.words
        if not self._keeps_stack:
            if self._had_stack:
                _Lending.again += 1
                if _Lending.again >= _Lending.most and _Lending.most < _Lending.limit:
                    # It goes round among more than there are stacks for.
                    _Lending.most *= 2
                    _Lending.again = 0
            _lent.pop(address, None)
            while len(_lent) >= _Lending.most and _take_stack():
                pass
        try:
            lease = StackLease(self._stack_bytes)
        except (OSError, MemoryError) as error:
            if not _take_stack():
                raise _no_room(self._stack_bytes, error) from error
            lease = StackLease(self._stack_bytes)
        record = (stores[address][0], words, lease)
        stack = lease.stack
        # A signal handler may have done the same meanwhile; no call stands between these.
        if stores[address][2] is None:
            stores[address] = record
            words[_WASM_SP] = stack.top
            words[_STACK_LIMIT] = stack.limit
            words[_STACK_TOP] = stack.top
            self._had_stack = True
        if not self._keeps_stack:
            _lent[address] = None

    def _do_without(self) -> bool:
        """Take the stack away, in a block of `exclusive`; whether that could be done."""
        words = self.words
        if FREE_THREADED:
            if not self._glue.take(self.address + STORE["owner"], RESTS):
                return False
        # (as everywhere: no call stands between these)
        elif words[_OWNER]:
            return False
        else:
            words[_OWNER] = RESTS
        # A signal handler may have let it run again; no call stands between these.
        if self._keeps_stack or words[_ENTRY_FP] or words[_OWNER] != RESTS:
            if words[_OWNER] == RESTS:
                words[_OWNER] = 0
            return False
        stores[self.address] = (stores[self.address][0], words, None)
        if self._resting is not None:
            self._resting.empty(words, _OWNER)
        return True

    def _prepare(self, kept: dict[int, object]) -> None:
        """Make host functions callable from WebAssembly that were kept when there was no glue to do it."""
        for value in list(kept.values()):
            # Not isinstance, which believes what objects say of themselves (`unittest.mock`).
            if issubclass(type(value), FuncHandle):
                value._core.prepare(self._glue)  # type: ignore[attr-defined]

    # Another thread may have made this store a part of another one since it was looked up: each of the following is
    # about that one then.

    def _current(self) -> Store:
        """The store that this one is a part of today: itself, most of the time."""
        store = self
        while store.successor is not None:
            store = store.successor
        return store

    def _follow(self) -> None:
        """Let what was just added follow, should a signal handler have made this store a part of another meanwhile."""
        if self.successor is not None:
            _absorb(self._current(), self)

    def adopt(self, instance: Instance) -> None:
        """Make this the store of an instance.

        To be called in a block of `exclusive`, if anybody else knows the store.
        """
        store = self._current()
        words = instance.words
        if store._first is None:
            store._first = words
            store._resting = instance.resting
        elif store._first is not words:
            # Those in garbage run as well, and nobody knows them: their limits stay.
            store.keep_stack()
            if instance.resting is not None:
                instance.resting.fill()
        instance.store = store
        if instance.link is None:
            words[_CONTEXT_STACK_LIMIT] = store.words[_STACK_LIMIT]
            words[_CONTEXT_STORE] = store.address
            instance.link = ticker.link_context(instance.context, words, store.words, ref(instance))
        store._instances.add(_member(instance))
        if store.exceptions is not None:
            store.exceptions.add_tags(instance)
        store._follow()

    def add_holder(self, holder: Holder, *, alone: bool = False) -> None:
        """Make this the store of a table, or of a global of a reference type. `alone`: nobody else knows the store."""
        with NOTHING if alone else exclusive():
            store = self._current()
            holder.store = store
            if store._holders is None:
                made: Members[Holder] = Members()
                # (a signal handler may have been here; no call stands between these)
                if store._holders is None:
                    store._holders = made
            store._holders.add(_member(holder))
            store._follow()

    @property
    def instances(self) -> list[Instance]:
        """The instances that are alive."""
        return self._instances.alive()

    def holders(self) -> list[Holder]:
        """The tables, and globals of reference types, that are alive."""
        return [] if self._holders is None else self._holders.alive()

    @property
    def running(self) -> bool:
        """Whether WebAssembly code of this store is active (it may just be in a host function), or it was taken."""
        return self.words[_ENTRY_FP] != 0 or self.words[_OWNER] not in (0, RESTS)

    @property
    def in_use(self) -> bool:
        """Whether its stack is: by code that is active, or by suspended calls, whose frames belong there."""
        return self.running or has_suspended(self.address)

    @property
    def suspendable(self) -> bool:
        """Whether the innermost entry is one that can be left and entered again."""
        words = self.words
        return words[_ENTRY_FP] != 0 and words[_ENTRY_FP] == words[_AWAIT_FP]

    def take(self, *, briefly: bool = False) -> Hold:
        """Let no other thread run code of this store, for a `with` block.

        Args:
            briefly: The block is in one of `exclusive`, and runs no code: whoever wants to run some meanwhile waits.
                (Where there is a GIL, nobody can want that.)

        Raises:
            WasmError: Another thread runs code of it.
        """
        mine = ticker.thread_state()
        words = self.words
        leave = partial(words.__setitem__, _LEAVE, _LEFT)
        while True:
            # (signal handlers may run code of a store that we have)
            if words[_OWNER] == RESTS:
                with exclusive():
                    if words[_OWNER] == RESTS:
                        self._lend()
            if FREE_THREADED and self.address and words[_OWNER] & ~BRIEFLY != mine:
                # Entries do not ask for `exclusive`. (As in `holding`: one call does all of it.)
                take = partial(self._glue.take, self.address + STORE["owner"], mine | BRIEFLY if briefly else mine)
                taken = next(map(Hold, repeat(leave.__call__), iter(take, 0)), None)
                if taken is not None:
                    return taken
                owner = words[_OWNER]
            else:
                hold = holding(partial(words.__setitem__, _OWNER, mine), leave)
                # No call stands between these two, so the GIL stays here.
                owner = words[_OWNER]
                if not owner:
                    return hold()
                if owner & ~BRIEFLY == mine:
                    return NOTHING
            if owner != RESTS:
                _busy()

    def interrupt(self) -> None:
        """End the call that is running with a trap, at its next poll. Does nothing when none is."""
        with exclusive():
            if not self.running:
                return
            self.words[_INTERRUPT] = 1
            self.words[_ATTENTION] = 1
            for instance in self.instances:
                instance.words[_CONTEXT_STACK_LIMIT] = _NO_STACK

    @property
    def owner(self) -> int:
        """PyThreadState of the thread that runs code of this store; 0 when none does."""
        owner = self.words[_OWNER]
        return 0 if owner == RESTS else owner

    def has_garbage(self) -> bool:
        """Whether a member is in garbage, or was: finalizers may use it still, and may have saved it."""
        return self._instances.in_garbage() or (self._holders is not None and self._holders.in_garbage())

    # What `values.References` asks for.

    def extern_handle(self, value: object) -> int:
        """The externref that stands for `value` (not null): its address. Keeps the object alive."""
        address = id(value)
        self._keep(address, value)
        return address

    def _keep(self, address: int, value: object) -> None:
        with exclusive():
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

    def funcref_of(self, function: FuncHandle) -> int:
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

    def func_at(self, address: int) -> FuncHandle:
        """The function that a funcref (not null) stands for: the same object as long as it is alive.

        Raises:
            UnknownReference: Nothing in this store has that address, or its owner is being destroyed.
        """
        found = functions.functions.get(address)
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

    def exn_handle(self, value: Any) -> int:
        """The bits of an `ExnRef`. Raises TypeError for one of another store, and for everything else."""
        heap = self._current().exceptions
        address = 0 if heap is None else heap.address_of(value)
        if not address:
            raise TypeError(
                f"exnref takes a reference to an exception of the same store or None, not {type(value).__name__}"
            )
        return address

    def knows_exception(self, address: int) -> bool:
        """Whether Python has an `ExnRef` for the bits of a reference."""
        heap = self._current().exceptions
        return heap is not None and heap.is_known(address)

    def exn_object(self, address: int) -> object:
        """The `ExnRef` for the bits of a reference."""
        heap = self._current().exceptions
        assert heap is not None
        return heap.reference(address)

    # Letting go.

    def use(self) -> Hold:
        """For a `with` block that makes references which are stored nowhere for a while: none are let go in it."""
        store = self._current()
        if len(store.kept) >= store._sweep_at:
            with exclusive():
                if not store.busy:
                    store.sweep()
        # A sweep that is going on in another thread, or below a signal handler, is given up.
        store._registrations += 1
        if store._use is None:
            with exclusive():
                made = Hold(int)
                # (a signal handler may have been here; no call stands between these)
                if store._use is None and store.successor is None:
                    store._use = made
                del made  # a traceback would keep it
        return store._use or self.use()

    @property
    def busy(self) -> bool:
        """Whether anybody is in a block of `use`."""
        if self._use is not None and sys.getrefcount(self._use) > _UNUSED:
            return True
        return self._uses_before is not None and bool(self._uses_before.alive())

    def _copy(self, parked: list[array[int]]) -> array[int]:
        """The words in which references may be, those of the StoreContext first."""
        roots: list[array[int]] = [self.words]
        for instance in self.instances:
            roots.append(instance.words)
            roots += instance.segments
        roots += [holder.words for holder in self.holders()]
        roots += parked
        if self.exceptions is not None:
            self.exceptions.collect()
            roots += self.exceptions.needed_words()
        # The GIL is held while all of this is copied, and it takes the GIL to enter WebAssembly code or to return from
        # it: so if nobody is inside in the copy, nobody moved references about while it was made.
        return array("Q", b"".join(roots))

    def _copy_at_rest(self, parked: list[array[int]]) -> array[int] | None:
        """The same without a GIL; None when code runs."""
        if self.running:
            return None
        try:
            with self.take(briefly=True):
                snapshot = self._copy(parked)
        except WasmError:
            return None
        snapshot[_OWNER] = 0
        return snapshot

    def sweep(self) -> None:
        """Let go of what no table, global or element segment refers to any more. Does nothing while the store runs."""
        with exclusive():
            registrations = self._registrations
            parked = parked_words(self.address)
            if FREE_THREADED:
                snapshot = self._copy_at_rest(parked)
            else:
                snapshot = self._copy(parked)
            if snapshot is None or snapshot[_ENTRY_FP] or snapshot[_OWNER] not in (0, RESTS):
                return
            # What is in garbage still has its references, and finalizers may use them: later, then.
            if self.has_garbage():
                return
            words = set(snapshot)
            alive = {address: value for address, value in self.kept.items() if address in words}
            if parked:
                alive.update((address, value) for address, value in self.kept.items() if _is_active(value, words))
            # Whoever came meanwhile (also a finalizer that the garbage collector ran) may have registered something.
            if self._registrations == registrations:
                # Deallocations run code of users: the dictionary must be in order before the first one.
                self.kept = alive
                self._sweep_at = max(_FIRST_SWEEP, 2 * len(alive))


def _lent_first() -> list[int]:
    """Addresses of the stores that got their stacks first."""
    while True:
        # (a finalizer, or a signal handler in one, may come between the making of the iterator and its use)
        with suppress(RuntimeError):
            return list(islice(_lent, _TRIED))


def _take_stack() -> bool:
    """Take its stack away from one of the stores that got theirs first, to be called in a block of `exclusive`. Returns
    whether there was one that does not need it."""
    for address in _lent_first():
        _lent.pop(address, None)
        found = stores.get(address)
        store = None if found is None or found[2] is None else found[0]()
        if store is None or store._keeps_stack:
            continue
        if store._do_without():
            return True
        _lent[address] = None
    return False


def _no_room(size: int, error: BaseException) -> MemoryError:
    return MemoryError(f"no room for a stack of {size} bytes: {error}")


def _busy() -> NoReturn:
    raise WasmError(BUSY)


def _is_active(kept: Any, words: set[int]) -> bool:
    """Whether a function that a store keeps may be active in frames with these words: its own funcref need not be among
    them."""
    if type(kept) is tuple:
        context: int = kept[1].context
        return context in words
    return issubclass(type(kept), FuncHandle) and kept._funcref + FUNCREF.size in words


@serialized
def merge(first: Store, second: Store) -> Store:
    """Make one store of two, and return it. A store that runs absorbs one that does not.

    Raises:
        LinkError: Both are running, or the one that would become a part of the other has members in garbage, which a
            finalizer may have saved.
    """
    with exclusive():
        while True:
            first, second = first._current(), second._current()
            if first is second:
                return first
            survivor, absorbed = first, second
            if second.in_use or (second.address and not first.address):
                survivor, absorbed = second, first
            # (what was taken without a stack to run on is a table that Python lets grow, below a signal handler: us)
            if absorbed.in_use or (absorbed.address and not survivor.address):
                raise LinkError(_BOTH_RUN)
            # What its finalizer has saved, or may save yet, would stay behind: nobody can tell where it is.
            if absorbed.has_garbage():
                raise LinkError(_IN_GARBAGE)
            if survivor.address:
                absorbed._keeps_stack = True
                survivor.keep_stack()
            try:
                # Another thread may have begun to run it just now; from here on none can.
                with absorbed.take(briefly=True), survivor.use():
                    if has_suspended(absorbed.address):
                        raise LinkError(_BOTH_RUN)
                    # A signal handler may have linked one of them meanwhile. No call stands between this and taking it.
                    if first.successor is not None or second.successor is not None:
                        continue
                    try:
                        absorbed.successor = survivor
                        _absorb(survivor, absorbed)
                    except BaseException:
                        # Out of a signal handler. There is no way back to two stores.
                        _absorb(survivor, absorbed)
                        raise
            except WasmError as error:
                raise LinkError(_BOTH_RUN) from error
            return survivor


def _absorb(survivor: Store, absorbed: Store) -> None:
    """Make one store a part of another, which is in use. To do it again, also after a part of it, changes nothing."""
    # From here on everybody who comes, such as a signal handler, turns to the survivor.
    absorbed.successor = survivor
    if FREE_THREADED:
        known = [id(words) for words in survivor.ways]
        survivor.ways += [words for words in absorbed.ways if id(words) not in known]
    survivor.kept.update(absorbed.kept)
    if survivor.address:
        survivor._prepare(absorbed.kept)
    if absorbed._use is not None or absorbed._uses_before is not None:
        before: Members[Hold] = Members()
        # (a signal handler may have been here; no call stands between these)
        if survivor._uses_before is None:
            survivor._uses_before = before
        if absorbed._use is not None:
            survivor._uses_before.add(ref(absorbed._use))
            absorbed._use = None
        if absorbed._uses_before is not None:
            survivor._uses_before.add_all(absorbed._uses_before)
    survivor._instances.add_garbage(absorbed._instances)
    if absorbed._holders is not None:
        holders: Members[Holder] = Members()
        if survivor._holders is None:
            survivor._holders = holders
        survivor._holders.add_garbage(absorbed._holders)
    if absorbed.exceptions is not None:
        if survivor.exceptions is None:
            survivor.exceptions = absorbed.exceptions.moved_to(survivor)
        elif survivor.exceptions is not absorbed.exceptions:
            survivor.exceptions.absorb(absorbed.exceptions)
    instances = absorbed.instances
    links = [instance.link for instance in instances if instance.link is not None]
    if links:
        ticker.move_contexts(links, absorbed.words, survivor.words)
    for instance in instances:
        survivor.adopt(instance)
    for holder in absorbed.holders():
        survivor.add_holder(holder)
