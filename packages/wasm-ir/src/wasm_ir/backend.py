"""What a backend is: the protocol that packages in the entry-point group `wasmetal.backends` implement."""

from __future__ import annotations

from array import array

from wasm_core.lazy_attrs import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wasm_ir.backend_protocol import Backend as Backend

#: Entry-point group in which backends are found.
ENTRY_POINT_GROUP = "wasmetal.backends"

#: Relocation kinds: a pc-relative reference to the slot (8 bytes, address of the code) of function `target`.
RELOCATION_FUNCTION_SLOT = 1
#: 8 bytes, little-endian: the address of symbol `target` of the function (`ir.Function.symbols`). The runtime fills
#: these in itself. Made by backends whose attribute `symbols` is true; others need not know symbols.
RELOCATION_SYMBOL = 2


#: The code of a function is placed at a multiple of this many bytes: alignment inside of it reaches that far.
CODE_ALIGNMENT = 64


@frozen
class HostSupport:
    """Whether a backend can run code on this machine, and why (not)."""

    supported: bool
    reason: str


class Relocation:
    """A place in the code that depends on where the code, or what it refers to, ends up."""

    __slots__ = ("kind", "offset", "target")

    def __init__(self, offset: int, kind: int, target: int) -> None:
        self.offset = offset
        self.kind = kind
        self.target = target


TYPE_CHECKING = False
if TYPE_CHECKING:
    #: Byte offsets, unsigned.
    Offsets = array[int]
else:
    # (before Python 3.12 there is no `array[int]` at run time)
    Offsets = array


class CompiledCode:
    """Machine code of one function, position-independent but for its relocations."""

    __slots__ = ("code", "entry", "frame_size", "pcs", "relocations", "wasm_offsets")

    def __init__(
        self,
        code: bytes,
        entry: int,
        relocations: list[Relocation],
        pcs: Offsets,
        wasm_offsets: Offsets,
        frame_size: int,
    ) -> None:
        self.code = code
        #: Offset of the entry for calls within the module (VMContext and memory base already pinned). Offset 0 is the
        #: entry for calls through a funcref, which pins them first; the same for functions with the C convention.
        self.entry = entry
        self.relocations = relocations
        #: pc table, ascending: for every faulting instruction its own offset, for every call and trap exit the offset
        #: of the return address; beside it the byte offset of the WebAssembly instruction in the module. Where that is
        #: of another function, whose body stands in the place of a call, a second row for the same pc has the call.
        self.pcs = pcs
        self.wasm_offsets = wasm_offsets
        self.frame_size = frame_size


@frozen
class StubEnvironment:
    """What stubs need to know about the process."""

    #: Address range of the code arena: a fault with its pc in it is ours.
    arena_start: int
    arena_size: int
    #: Addresses of the handlers that were installed before ours, by signal number (SIG_DFL is 0, SIG_IGN is 1).
    previous_handlers: dict[int, int]
    #: Address of the C library's `sigaction`, to restore a default handler before a foreign fault is retried.
    sigaction: int


@frozen
class Stubs:
    """Machine code that exists once per process, and where its entries are (offsets into `code`)."""

    code: bytes
    #: Value of the VMContext field trap_exit: records the trap in the store and resumes the innermost `enter` with
    #: STATUS_TRAP. How code and pc get there is the backend's own affair.
    trap_exit: int
    #: Signal handler with the SA_SIGINFO signature for SIGSEGV and SIGBUS: resumes faults of ours as the trap
    #: MEMORY_OUT_OF_BOUNDS, with the address in STORE.fault_address if it can; passes others on.
    signal_handler: int
    #: First value of FUNCREF.code for functions not compiled yet: calls the store's resolver with the funcref and
    #: the caller's VMContext, then continues at the address that it returns; unwinds with STATUS_EXCEPTION when it
    #: returns 0. Calls through funcrefs of the caller's own instance leave out its first bytes, as those of functions.
    lazy_funcref: int
    #: First value of a function slot for functions not compiled yet: the same with the slot's address.
    lazy_slot: int
    #: Value of the VMContext field poll_exit: traps with CALL_STACK_EXHAUSTED when the stack is, else calls
    #: STORE.interrupted with every register kept; goes on when that returns 0, else unwinds with STATUS_EXCEPTION.
    poll_exit: int
    #: C function (start, end) to be called after code has been written to that range and before it runs: makes
    #: instruction fetches see it. -1 where the processor sees to that by itself.
    synchronize: int = -1
    #: Where addresses of the environment (start of the arena, handlers that are functions, sigaction) stand in the
    #: code, as 8 bytes, little-endian: the code can then be made once, and used in other processes with theirs. None
    #: when it is only good for the environment that it was made for.
    addresses: tuple[int, ...] | None = None
    #: Value of the VMContext field throw_exit: records where the exception in STORE.exception is thrown, and goes on at
    #: the first landing pad that the calls outside of the throwing function have; leaves with STATUS_THROWN if there is
    #: none. -1 from backends that know no exceptions (`supports_exceptions`).
    throw_exit: int = -1
    #: Value of the VMContext field lazy_tail: what lazy_slot does, for a tail call through a slot, behind which no
    #: return address says which slot it was. How that gets there is the backend's own affair.
    lazy_tail: int = -1
    #: Value of the VMContext field tail_return: the return address of a tail call that has kept something of the frame
    #: that it left (see docs/rationale.md): puts back what the caller expects, and returns to it. Both are -1 from
    #: backends that know no tail calls (`supports_tail_calls`).
    tail_return: int = -1
    #: WebAssembly function of one i64, the frame pointer of a function that has left with `unwind`: goes on at the
    #: first landing pad that the calls outside of it have, whose frames must be where they were. -1 from backends that
    #: know no exceptions.
    resume_entry: int = -1


def __getattr__(name: str) -> object:
    # A class made with `typing`, which is not imported for it when a program starts: only who writes a backend, or asks
    # what annotations mean, needs more of it than its name.
    if name != "Backend":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from wasm_ir import backend_protocol

    return backend_protocol.Backend


def supports_vectors(backend: object) -> bool:
    """Whether a backend compiles functions that use vectors: its attribute `vectors` is true."""
    return bool(getattr(backend, "vectors", False))


def supports_exceptions(backend: object) -> bool:
    """Whether a backend compiles functions that throw and catch: its attribute `exceptions` is true."""
    return bool(getattr(backend, "exceptions", False))


def supports_tail_calls(backend: object) -> bool:
    """Whether a backend compiles functions that make tail calls: its attribute `tail_calls` is true."""
    return bool(getattr(backend, "tail_calls", False))


def supports_symbols(backend: object) -> bool:
    """Whether a backend makes RELOCATION_SYMBOL for constants that stand for symbols."""
    return bool(getattr(backend, "symbols", False))


def c_convention(backend: object) -> str:
    """How a backend's code calls C functions, where one machine knows several ways ("windows"); "" for the usual one.

    Code for one is not good for another.
    """
    return str(getattr(backend, "c_convention", ""))
