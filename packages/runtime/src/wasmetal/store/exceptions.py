"""Exceptions on their way through the WebAssembly code of a store: where they are, and which of them are still needed.

Generated code puts one behind the other into a block of memory. When that is full, blocks to which nothing leads any
more are used again. What leads to one is found as a conservative collector does it: every word on the stacks, in tables
and globals, and in exceptions that are needed, which is an address in a block keeps all of the block. Generated code
sees to it that it has nothing in registers alone when it asks for room.
"""

from __future__ import annotations

import ctypes
import threading
from array import array
from collections.abc import Iterable
from contextlib import suppress
from weakref import ReferenceType, WeakValueDictionary, ref

from wasm_core.bisection import bisect_right
from wasm_core.errors import Trap, WasmError
from wasm_ir.vmcontext import EXCEPTION, STORE
from wasmetal.glue import values
from wasmetal.store import failures
from wasmetal.store.exception_roots import rooted_slots
from wasmetal.store.parked_frames import parked_words
from wasmetal.store.tags import Tag, WasmException, python_exception, tag_at
from wasmetal.system.hold import exclusive, serialized
from wasmetal.system.host import host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasmetal.store.members import Instance
    from wasmetal.store.store import Store

_EXCEPTION: Final = STORE["exception"] // 8
_ROOM: Final = STORE["exception_room"] // 8
_END: Final = STORE["exception_end"] // 8
_WASM_SP: Final = STORE["wasm_sp"] // 8
_C_SP: Final = STORE["c_sp"] // 8
_ENTRY_FP: Final = STORE["entry_fp"] // 8

#: Bytes of a block. One exception that is needed keeps as much.
_BLOCK: Final = 4096
#: So many blocks there are before it is looked for the first time which are still needed.
_FIRST_COLLECTION: Final = 16
#: Most bytes that exceptions of a store may take.
_MAX_BYTES: Final = 256 << 20


class _Thread(threading.local):
    """What is known about the calling thread."""

    def __init__(self) -> None:
        #: Where its own stack is; nowhere if the system does not tell. (To ask takes long on the main thread.)
        self.stack = range(0)
        with suppress(OSError):
            lowest, size = host.thread_stack()
            self.stack = range(lowest, lowest + size)


_thread: Final = _Thread()


@serialized
class ExnRef:
    """A reference to an exception of WebAssembly, as host functions get it and results, globals and tables have it.

    It stays what it is as long as the object is alive.
    """

    __slots__ = ("__weakref__", "_heap", "address")

    def __init__(self) -> None:
        raise TypeError("only WebAssembly makes references to exceptions")

    _heap: ExceptionHeap
    address: int

    @property
    def tag(self) -> Tag:
        """What kind of exception it is."""
        return self._heap.tag_of(self.address)

    @property
    def exception(self) -> BaseException:
        """The exception as a host function would raise it."""
        return self._heap.as_python(self.address)

    def __repr__(self) -> str:
        return f"<wasmetal.ExnRef {self.tag!r}>"


def heap_of(store: Store) -> ExceptionHeap:
    """Where the exceptions of a store are. It must not become part of another meanwhile: it runs."""
    found = store.exceptions
    if found is None:
        with exclusive():
            if store.exceptions is None:
                store.exceptions = ExceptionHeap(store)
            found = store.exceptions
    assert isinstance(found, ExceptionHeap)
    return found


@serialized
class ExceptionHeap:
    """The exceptions of one store."""

    __slots__ = (
        "_blocks",
        "_bytes",
        "_changes",
        "_collect_at",
        "_free",
        "_handles",
        "_origins",
        "_tags",
        "store",
    )

    def __init__(self, store: Store) -> None:
        self.store = store
        #: Address -> block.
        self._blocks: dict[int, array[int]] = {}
        self._bytes = 0
        #: Addresses of blocks, of the usual size, that have nothing in them.
        self._free: list[int] = []
        #: Counts what changes these.
        self._changes = 0
        self._collect_at = _FIRST_COLLECTION
        #: Those that Python has, by address.
        self._handles: WeakValueDictionary[int, ExnRef] = WeakValueDictionary()
        #: Address -> the Python exception that was thrown into WebAssembly.
        self._origins: dict[int, BaseException | ReferenceType[BaseException]] = {}
        #: Tags that exceptions may have, by address: they stay until none has.
        self._tags: dict[int, Tag] = {python_exception.address: python_exception}
        for instance in store.instances:
            self.add_tags(instance)

    def add_tags(self, instance: Instance) -> None:
        """Let exceptions have the tags of an instance, whatever becomes of that."""
        for tag in instance.tags:
            self._tags[tag.address] = tag

    # Room.

    def make_room(self, size: int) -> None:
        """Let STORE.exception_room lead to at least `size` bytes.

        Raises:
            WasmError: The store has too many exceptions.
        """
        if size <= _BLOCK:
            if not self._free and len(self._blocks) >= self._collect_at:
                self.collect()
                # The next time, half of the blocks will be full again at least.
                self._collect_at = max(_FIRST_COLLECTION, 2 * (len(self._blocks) - len(self._free)))
            if self._free:
                self._changes += 1
                start = self._free.pop()
                self._use(start, _BLOCK)
                return
        elif len(self._blocks) >= self._collect_at:
            self.collect()
        size = max(size, _BLOCK)
        if self._bytes + size > _MAX_BYTES:
            raise WasmError(f"the exceptions that are referred to take more than {_MAX_BYTES} bytes")
        block = array("Q", bytes(size))
        start = block.buffer_info()[0]
        self._changes += 1
        self._blocks[start] = block
        self._bytes += size
        self._use(start, size)

    def _use(self, start: int, size: int) -> None:
        words = self.store.words
        words[_ROOM] = start
        words[_END] = start + size

    def _new(self, tag: Tag, slots: list[int]) -> int:
        """The address of a new exception that Python throws."""
        size = EXCEPTION.size + 8 * len(slots)
        words = self.store.words
        if words[_END] - words[_ROOM] < size:
            self.make_room(size)
        address = words[_ROOM]
        words[_ROOM] = address + size
        self._tags[tag.address] = tag
        (ctypes.c_uint64 * (size // 8)).from_address(address)[:] = [tag.address, *slots]
        return address

    # What is needed.

    def collect(self) -> None:
        """Find out which blocks are needed; the others are free then. Large ones go."""
        changes = self._changes
        roots = self._roots()
        if roots is None:
            return
        starts = sorted(self._blocks)
        if not starts:
            return
        ends = [start + 8 * len(self._blocks[start]) for start in starts]
        lowest, highest = starts[0], ends[-1]
        needed: set[int] = set()
        seen: set[int] = set()
        work: list[Iterable[int]] = roots
        while work:
            found = [word for word in work.pop() if lowest <= word < highest]
            for word in found:
                number = bisect_right(starts, word) - 1
                start = starts[number]
                if word < ends[number] and start not in needed:
                    needed.add(start)
                    words = self._blocks[start]
                    seen.update(words)
                    work.append(words)
        alive = {tag.address for instance in self.store.instances for tag in instance.tags}
        alive.add(python_exception.address)
        tags = {address: tag for address, tag in self._tags.items() if address in seen or address in alive}
        origins = {
            address: origin
            for address, origin in self._origins.items()
            if starts[bisect_right(starts, address) - 1] in needed
        }
        blocks = {start: block for start, block in self._blocks.items() if start in needed or 8 * len(block) == _BLOCK}
        free = [start for start in blocks if start not in needed]
        total = sum([8 * len(block) for block in blocks.values()])
        # A signal handler may have thrown meanwhile. No call stands between this and the end.
        if self._changes == changes:
            self._changes = changes + 1
            gone = self._origins, self._tags, self._blocks
            self._blocks = blocks
            self._bytes = total
            self._free = free
            self._origins = origins
            self._tags = tags
            if self.store.words[_ROOM]:
                self.store.words[_ROOM] = self.store.words[_END] = 0
            # (finalizers run from here on)
            del gone

    def needed_words(self) -> list[array[int]]:
        """The words of exceptions that may be needed."""
        free = set(self._free)
        return [block for start, block in self._blocks.items() if start not in free]

    def _roots(self) -> list[Iterable[int]] | None:
        """Words that may lead to exceptions; None when it cannot be told where all of them are."""
        store = self.store
        words = store.words
        roots: list[Iterable[int]] = [words, list(self._handles), *rooted_slots(), *parked_words(store.address)]
        for instance in store.instances:
            roots.append(instance.words)
        for holder in store.holders():
            if holder.holds_exceptions:
                roots.append(holder.words)
        if not words[_ENTRY_FP]:
            # Nothing is on its way.
            words[_EXCEPTION] = 0
        else:
            assert store.stack is not None
            # Functions that called host functions, which called back, may have something in registers that C code has
            # put on the thread's own stack since then.
            c_sp = words[_C_SP]
            if c_sp not in _thread.stack:
                return None
            roots.append(_words_at(words[_WASM_SP], store.stack.top))
            roots.append(_words_at(c_sp, _thread.stack.stop))
        return roots

    # Between Python and WebAssembly.

    def throw(self, exception: BaseException, instance: Instance) -> int:
        """The address of an exception of WebAssembly for one that a host function has raised; 0: WebAssembly is not to
        see it."""
        store = self.store
        if issubclass(type(exception), WasmException):
            tag, carried = exception.args
            with store.use():
                address = self._new(tag, values.to_slots(tag.type.params, carried, store))
        elif (
            instance.code.config.catch_python_exceptions
            and issubclass(type(exception), Exception)
            and not issubclass(type(exception), Trap)
            and not getattr(type(exception), "uncatchable", False)
        ):
            with store.use():
                address = self._new(python_exception, [store.extern_handle(exception)])
        else:
            return 0
        self._origins[address] = exception
        return address

    def tag_of(self, address: int) -> Tag:
        """The tag of an exception."""
        tag = tag_at(ctypes.c_uint64.from_address(address + EXCEPTION["tag"]).value)
        assert tag is not None, "an exception outlives its tag"
        return tag

    def as_python(self, address: int) -> BaseException:
        """The Python exception for one of WebAssembly: the one that it was, if it comes from there."""
        origin = self._origins.get(address)
        if isinstance(origin, ReferenceType):
            origin = origin()
        if origin is not None:
            return origin
        tag = self.tag_of(address)
        params = tag.type.params
        count = values.slot_count(params)
        slots = list((ctypes.c_uint64 * count).from_address(address + EXCEPTION.size)) if count else []
        carried = values.from_slots(params, slots, self.store)
        if tag is python_exception and issubclass(type(carried[0]), Exception):
            # Thrown by WebAssembly, with what it has caught.
            assert isinstance(carried[0], Exception)
            return carried[0]
        return WasmException(tag, tuple(carried))

    def leaves(self, address: int) -> BaseException:
        """What is to be raised after nothing in WebAssembly has caught an exception."""
        exception = self.as_python(address)
        self.store.words[_EXCEPTION] = 0
        failures.annotate(exception, self.store)
        if address in self._origins:
            # Whoever catches it has it now; its traceback holds much. (Some are not to be referred to weakly.)
            with suppress(TypeError):
                self._origins[address] = ref(exception)
        return exception

    def reference(self, address: int) -> ExnRef:
        """The object for a reference: the same one as long as it is alive."""
        found = self._handles.get(address)
        if found is None:
            found = ExnRef.__new__(ExnRef)
            found._heap = self
            found.address = address
            found = self._handles.setdefault(address, found)
        return found

    def address_of(self, value: object) -> int:
        """The address of the exception that a reference of ours refers to; 0 for everything else."""
        return value.address if type(value) is ExnRef and value._heap is self else 0

    def is_known(self, address: int) -> bool:
        """Whether Python has a reference to an exception at this address."""
        return address in self._handles

    def moved_to(self, store: Store) -> ExceptionHeap:
        """Be the heap of a store, which has none, that ours has become a part of."""
        self.store = store
        return self

    def absorb(self, other: ExceptionHeap) -> None:
        """Take what another store had, which has become a part of ours."""
        self._changes += 1
        other._changes += 1
        self._blocks.update(other._blocks)
        self._bytes = sum([8 * len(block) for block in self._blocks.values()])
        self._free += [start for start in other._free if start not in self._free]
        self._origins.update(other._origins)
        self._tags.update(other._tags)
        for address, handle in list(other._handles.items()):
            handle._heap = self
            self._handles[address] = handle


def _words_at(start: int, end: int) -> array[int]:
    """A copy of the words from an address up to another one."""
    words = array("Q")
    start = start + 7 & ~7
    if start < end:
        words.frombytes(ctypes.string_at(start, end - start & ~7))
    return words
