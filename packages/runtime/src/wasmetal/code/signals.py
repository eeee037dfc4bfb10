"""The process-wide stubs of a backend in the code arena, and its handler for SIGSEGV and SIGBUS.

A fault in generated code is an access outside of a linear memory; the handler, machine code itself, turns it into a
trap. All other faults go to the handler that was there before.
"""

from __future__ import annotations

from collections.abc import Callable

from wasm_core.lazy_attrs import frozen
from wasm_ir.backend import StubEnvironment, Stubs
from wasmetal.code.arena import CodeArena, CodeRegion, arena
from wasmetal.system.hold import Turns, serialized
from wasmetal.system.host import host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wasm_ir.backend import Backend


@frozen
class StubAddresses:
    """Where a backend's stubs are (see `wasm_ir.backend.Stubs`)."""

    trap_exit: int
    lazy_funcref: int
    lazy_slot: int
    poll_exit: int
    signal_handler: int
    #: 0 from a backend that has none: nothing throws then.
    throw_exit: int
    #: The same for tail calls.
    lazy_tail: int
    tail_return: int
    #: The same for calls that can be suspended.
    resume_entry: int


class _Installed:
    """What `install` has done so far in this process."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.region: CodeRegion | None = None
        #: By name of the backend.
        self.stubs: dict[str, StubAddresses] = {}
        #: Addresses of all signal handlers of ours. An older one is as good as the last: they differ in what they pass
        #: foreign faults on to.
        self.handlers: set[int] = set()


_installed = _Installed()


@serialized
def install(backend: Backend, make: Callable[[StubEnvironment], Stubs] | None = None) -> StubAddresses:
    """Make sure that faults in generated code become traps; returns the addresses of the backend's stubs.

    Cheap when there is nothing to do. It is worth calling again: whoever sets a handler of his own later
    (`faulthandler.enable()`) sees our faults first, and the next call puts that right: ours comes first again, and
    passes on to his what is not ours.

    Args:
        backend: Whose code runs.
        make: Makes its stubs, in the place of `backend.stubs`.

    Raises:
        MemoryError: the code arena is full.
        OSError: the system refuses the signal handler.
    """
    stubs = _installed.stubs.get(backend.name)
    if stubs is not None and _handled():
        return stubs
    with _installed.turns.wait():
        stubs = _installed.stubs.get(backend.name)
        if stubs is not None and _handled():
            return stubs
        return _install(backend, make or backend.stubs)


def stub_addresses(backend: Backend) -> StubAddresses:
    """The stubs that `install` made for this backend. Raises KeyError when it has not been called."""
    return _installed.stubs[backend.name]


def _handled() -> bool:
    """Whether the handler of what accesses to our memories raise is ours. (Others are only set together with it.)"""
    return host.fault_handler(host.FAULTS[0]) in _installed.handlers


def _install(backend: Backend, make: Callable[[StubEnvironment], Stubs]) -> StubAddresses:
    code_arena: CodeArena = arena()
    if _installed.region is None:
        _installed.region = code_arena.region()  # never freed: signals may come at any time
    previous = {number: host.fault_handler(number) for number in host.FAULTS}
    made = make(
        StubEnvironment(
            arena_start=code_arena.start,
            arena_size=code_arena.code_size,
            previous_handlers=previous,
            sigaction=host.default_setter(),
        )
    )
    address = _installed.region.place(made.code, alignment=64)
    if made.synchronize >= 0:
        code_arena.synchronize_with(address + made.synchronize)
    handler = address + made.signal_handler
    for number in host.FAULTS:
        if previous[number] not in _installed.handlers:
            host.set_fault_handler(number, handler)
    _installed.handlers.add(handler)
    stubs = _installed.stubs.get(backend.name)
    if stubs is None:
        stubs = _installed.stubs[backend.name] = StubAddresses(
            trap_exit=address + made.trap_exit,
            lazy_funcref=address + made.lazy_funcref,
            lazy_slot=address + made.lazy_slot,
            poll_exit=address + made.poll_exit,
            throw_exit=address + made.throw_exit if made.throw_exit >= 0 else 0,
            lazy_tail=address + made.lazy_tail if made.lazy_tail >= 0 else 0,
            tail_return=address + made.tail_return if made.tail_return >= 0 else 0,
            resume_entry=address + made.resume_entry if made.resume_entry >= 0 else 0,
            signal_handler=handler,
        )
    return stubs
