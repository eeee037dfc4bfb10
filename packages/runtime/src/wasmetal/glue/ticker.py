"""The ticker: a native thread that makes running WebAssembly code call out from time to time, so that Python's signal
handlers run and deadlines are kept.

It runs only while WebAssembly code runs, and a second longer: entry thunks start it when TICKER.active is 0. It neither
has nor needs the GIL, so it works for code that holds it. See docs/rationale.md.

Where no thread can be made (`ulimit -u`, a cgroup's pids.max), a timer and a signal do the same: `fall_back`.
"""

from __future__ import annotations

import _thread
import ctypes
import functools
import os
import time
import weakref
from array import array
from collections.abc import Callable

from wasm_ir.vmcontext import CONTEXT, STORE
from wasmetal.code.arena import CodeRegion, arena
from wasmetal.cpython import layouts
from wasmetal.glue.thunks import Thunks
from wasmetal.glue.ticker_layout import DEADLINE, LOST, OPERATIONS, RESTS, TICK, TICKER
from wasmetal.system.hold import FREE_THREADED, Turns, serialized
from wasmetal.system.host import host
from wasmetal.system.lifetime import untrack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final, TypeVar

    from wasm_ir.ir import Function

    _T = TypeVar("_T", bound="_Linked")
    _Memory = tuple[object, "array[int] | None", "Callable[[], Any] | None"]

_STACK_BYTES: Final = 65536
#: Seconds.
_MOMENT: Final = 0.0001
_OWNER: Final = STORE["owner"] // 8
_NEXT: Final = CONTEXT["next"]
_PREVIOUS: Final = CONTEXT["previous"]

_api: Final = ctypes.pythonapi


class _Ticker:
    """What there is once per process."""

    def __init__(self) -> None:
        self.turns = Turns()
        #: Address of the TICKER structure; never unmapped, as other threads look at it until the process ends.
        self.address = host.allocate(max(host.PAGE, TICKER.size))
        self.words = (ctypes.c_uint64 * (TICKER.size // 8)).from_address(self.address)
        self.region: CodeRegion | None = None
        self.operations: dict[str, Callable[..., int]] = {}
        #: Of all glue.
        self.thunks: weakref.WeakSet[Thunks] = weakref.WeakSet()
        self.warned = False
        #: Address of a member of a list -> memory that the ticker reads because of it. Of a VMContext, the StoreContext
        #: is the second, and what gives its instance the third.
        self.linked: dict[int, _Memory] = {}
        #: Address of a member that is to be put in a list as soon as there are operations -> which one.
        self.pending: dict[int, str] = {}
        # Daemon threads may run until the very end, when modules are cleared: what is linked must stay.
        _api.Py_IncRef(ctypes.py_object(self.linked))
        self.set("tick_nanoseconds", TICK)
        self.set("tick_milliseconds", TICK // 1_000_000)
        for field, name in host.TICKER_FUNCTIONS.items():
            self.set(field, host.address_of(name))
        for field, value in host.prepare_ticker(self.address_of, _STACK_BYTES).items():
            self.set(field, value)
        self.set("main", main_thread_state())

    def get(self, field: str) -> int:
        return self.words[TICKER[field] // 8]

    def set(self, field: str, value: int) -> None:
        self.words[TICKER[field] // 8] = value

    def address_of(self, field: str) -> int:
        return self.address + TICKER[field]


def main_thread_state() -> int:
    """PyThreadState of the main thread: the first that was made, which comes last in the list."""
    if FREE_THREADED and _thread.get_ident() == _thread._get_main_thread_ident():  # type: ignore[attr-defined]
        return thread_state()  # (the list may change at any moment)
    state, last = _thread_head(_main_interpreter()), 0
    while state:
        state, last = _next_thread(state), state
    return last


def thread_state() -> int:
    """PyThreadState of the calling thread."""
    state: int = _current_thread()
    return state


def _pointer_function(name: str, *arguments: type) -> Callable[..., int]:
    prototype = ctypes.PYFUNCTYPE(ctypes.c_uint64, *arguments)
    result: Callable[..., int] = prototype(layouts.api(name))
    return result


_main_interpreter: Final = _pointer_function("PyInterpreterState_Main")
_thread_head: Final = _pointer_function("PyInterpreterState_ThreadHead", ctypes.c_uint64)
_next_thread: Final = _pointer_function("PyThreadState_Next", ctypes.c_uint64)
_current_thread: Final = _pointer_function("PyThreadState_Get")

_ticker: Final = _Ticker()
#: Address of the TICKER structure.
ADDRESS: Final = _ticker.address


def _build(name: str) -> Function:
    # Imported when the code is in no cache.
    from wasmetal.glue import ticker_code as glue_ticker

    made: Function = getattr(glue_ticker, name)()
    return made


@serialized
def prepare(thunks: Thunks) -> None:
    """Compile the ticker's code, unless that has been done. Must come before the first entry thunk is called.

    Raises:
        MemoryError: The code arena is full.
    """
    _ticker.thunks.add(thunks)
    if _ticker.operations:
        if _ticker.pending:
            _link_pending()
        return
    with _ticker.turns.wait():
        if _ticker.operations:
            return
        region = _ticker.region = arena().region()  # never freed
        operations: dict[str, Callable[..., int]] = {}
        for name, arguments in OPERATIONS.items():
            address = region.place(thunks.code(f"ticker {name}", functools.partial(_build, name)))
            _ticker.set(name, address)
            # With the GIL held.
            prototype = ctypes.PYFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * (arguments + 1))
            operations[name] = prototype(address)
        _ticker.set("code", region.place(thunks.code("ticker", functools.partial(_build, "ticker"))))
        host.at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)
        _ticker.operations = operations
        _link_pending()


def is_running() -> bool:
    """Whether there is a thread."""
    return bool(_ticker.get("alive"))


def _before_fork() -> None:
    # A thread would be lost in the child, and make Python warn.
    if _ticker.operations:
        while _ticker.operations["stop_now"](ADDRESS):
            time.sleep(_MOMENT)  # without a GIL: somebody starts it just now


def _after_fork_in_child() -> None:
    if FREE_THREADED:
        _ticker.set("main", thread_state())
    # Timers are the parent's (timer_create(2)).
    for field in ("has_timer", "active"):
        _ticker.set(field, 0)
    # What other threads ran stands still in the middle, for ever; and a new thread may get the address of one's state.
    mine = thread_state()
    for _, words, _ in list(_ticker.linked.values()):
        if words is not None and words[_OWNER] not in (0, RESTS, mine):
            words[_OWNER] = LOST
    _after_fork()


def _after_fork() -> None:
    _ticker.set("starting", 0)
    if not FREE_THREADED:
        _ticker.set("main", main_thread_state())
    # Entry thunks start it again; but some code may be running already: of other threads in the parent, or when a host
    # function forked.
    for _, words, _ in list(_ticker.linked.values()):
        if words is not None and words[_OWNER] > LOST:
            _ticker.operations["start"](ADDRESS, 0)
            return


def has_failed() -> bool:
    """Whether `fall_back` is to be called: code runs, and there may be neither a thread nor a timer."""
    return bool(_ticker.get("failed"))


@serialized
def fall_back() -> None:
    """After no thread could be made: try again, or let a timer and a signal do its work.

    Warns (RuntimeWarning) the first time that it does, or that neither is to be had.
    """
    with _ticker.turns.wait():
        _ticker.set("failed", 0)
        error = _ticker.operations["start"](ADDRESS, 0)
        if not error:
            return
        what = f"no thread can be made ({os.strerror(error)}): running code cannot be stopped"
        try:
            number = _make_timer()
            if not _ticker.operations["start"](ADDRESS, 0):
                what = f"no thread can be made ({os.strerror(error)}): signal {number} and a timer stop running code"
        except (OSError, AttributeError, MemoryError) as refusal:
            what += f" ({refusal})"
        if _ticker.warned:
            return
        _ticker.warned = True
    import warnings

    warnings.warn(what, RuntimeWarning, stacklevel=3)


def _make_timer() -> int:
    """Make the timer. Returns the number of its signal.

    Raises:
        OSError: The system refuses, or all signals are in use.
        AttributeError: The C library has no timers.
        MemoryError: The code arena is full.
    """

    def build() -> Function:
        from wasmetal.glue import ticker_code

        return ticker_code.tick(ADDRESS)

    def handler() -> int:
        assert _ticker.region is not None
        # That of the code that runs, for one.
        return _ticker.region.place(next(iter(_ticker.thunks)).code("tick", build))

    settime = host.address_of("timer_settime")
    number, timer = host.make_timer(handler)
    _ticker.set("address", ADDRESS)
    _ticker.set("timer", timer)
    _ticker.set("timer_settime", settime)
    for field in ("tick_interval 1", "tick_interval 3"):
        _ticker.set(field, TICK)
    _ticker.set("has_timer", 1)
    return number


class _Linked(int):
    """A member of one of the ticker's lists, by address; taken out when this, which is `untracked`, is deallocated.

    The list `linked` keeps the memory until that has been done, whatever happens: KeyboardInterrupt in the finalizer
    for one leaves it there for ever.
    """

    __slots__ = ()

    # Bound at definition, because module globals may be gone when the interpreter shuts down.
    @serialized
    def __del__(self, _ticker=_ticker) -> None:  # type: ignore[no-untyped-def]
        if _ticker.pending:
            _ticker.pending.pop(int(self), None)
        operations = _ticker.operations
        if operations:
            operations["unlink"](_ticker.address, self)
        _ticker.linked.pop(self, None)


@serialized
def _link(cls: type[_T], head: str, links: int, memory: _Memory) -> _T:
    """Put a new member in front of a list. Its links make a list of their own: it can be taken out before it is put in.

    Args:
        cls: Of what is returned.
        head: Which list.
        links: Address of the member's links.
        memory: What is to be kept.
    """
    link = cls(links)
    untrack(link)
    _ticker.linked[links] = memory
    operations = _ticker.operations
    if operations:
        operations["link"](ADDRESS, ADDRESS + TICKER[head], links)
    else:
        _ticker.pending[links] = head
        # Another thread may have made them just now.
        if _ticker.operations:
            _link_pending()
    return link


@serialized
def _link_pending() -> None:
    """Put the members in their lists that came before there were operations."""
    for links, head in list(_ticker.pending.items()):
        memory = _ticker.linked.get(links)
        if memory is not None:
            _ticker.operations["link"](ADDRESS, ADDRESS + TICKER[head], links)
        # Its thread may be taking it out, or have done so: then it is not pending any more. `memory` is there still.
        if _ticker.pending.pop(links, None) is None and memory is not None:
            _ticker.operations["unlink"](ADDRESS, links)


class ContextLink(_Linked):
    """A VMContext that the ticker looks at. Keeps the VMContext and the StoreContext that it points to."""

    __slots__ = ()


def link_context(address: int, context: array[int], store: array[int], instance: Callable[[], Any]) -> ContextLink:
    """Let the ticker look at a VMContext, whose `store` must have been set.

    Args:
        address: The VMContext's.
        context: Its words.
        store: The words of the StoreContext.
        instance: A weak reference to the instance, for `instance_at`.
    """
    links = address + _NEXT
    context[_NEXT // 8] = 0
    context[_PREVIOUS // 8] = links
    return _link(ContextLink, "contexts", links, (context, store, instance))


def instance_at(context: int) -> Any:
    """The instance whose VMContext is at `context`; None when it is gone, or in garbage."""
    found = _ticker.linked.get(context + _NEXT)
    return None if found is None or found[2] is None else found[2]()


@serialized
def move_contexts(links: list[ContextLink], old: array[int], store: array[int]) -> None:
    """Give the VMContexts of a store, all of them, to another store, in one step. To do it again changes nothing."""
    addresses = [int(link) for link in links]
    for address in addresses:
        context, its, instance = _ticker.linked[address]
        if its is not store:
            # Both, until nobody looks at the old one any more.
            _ticker.linked[address] = ((context, its), store, instance)
    _ticker.operations["move"](ADDRESS, old.buffer_info()[0], store.buffer_info()[0])
    for address in addresses:
        context, _, instance = _ticker.linked[address]
        if isinstance(context, tuple):
            _ticker.linked[address] = (context[0], store, instance)


class DeadlineLink(_Linked):
    """A DEADLINE structure that the ticker looks at."""

    __slots__ = ()


def link_deadline(deadline: array[int]) -> DeadlineLink:
    """Let the ticker look at a DEADLINE structure."""
    links = deadline.buffer_info()[0] + DEADLINE["next"]
    deadline[DEADLINE["next"] // 8] = 0
    deadline[DEADLINE["previous"] // 8] = links
    return _link(DeadlineLink, "deadlines", links, (deadline, None, None))
