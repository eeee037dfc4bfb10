"""Layout of the structures that generated code and the runtime share, each declared once.

Offsets are in bytes. Backends and the runtime read them by name and never write a number. All fields are 8 bytes
wide and little-endian.
"""

from __future__ import annotations

from array import array

from wasm_core.errors import Unsupported
from wasm_core.module import ConstExpr, DecodedModule, ExternKind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_core.body_facts import BodyFacts
    from wasm_core.defined_types import DefinedType
    from wasm_core.features import Features
    from wasm_ir.frontend.known_tables import KnownTable

#: Number of all that generated code and the runtime must agree on: the structures below, builtins, what stubs do. It is
#: raised with each change. A backend says for which one it was made (native wheels keep what they were built with),
#: and the runtime has its own (`wasmetal.code.version`), so that parts of different versions refuse each other.
LAYOUT: Final = 6

#: Opcode of the `ref.func` instruction in a constant expression.
REF_FUNC: Final = 0xD2


class Layout:
    """Names to offsets, in the order of declaration."""

    def __init__(self, *fields: str) -> None:
        self.offsets: dict[str, int] = {name: 8 * i for i, name in enumerate(fields)}
        self.size = 8 * len(fields)

    def __getitem__(self, name: str) -> int:
        return self.offsets[name]


#: The fixed head of every VMContext. One VMContext per instance; generated code has its address in a pinned register.
#: The arrays that follow the head are placed by `ContextLayout`.
CONTEXT: Final = Layout(
    "store",  # -> StoreContext
    "stack_limit",  # functions whose frames would reach below this address, and loops that run below it, call poll_exit
    "memory_base",  # base address of memory 0 (constant: memories never move); 0 without a memory
    "trap_exit",  # -> backend stub: trap; see Stubs in backend.py for the registers
    "builtin",  # -> C function (VMContext, number, a, b, c: i64) -> i64; BUILTIN_* below; may set pending
    "memmove",  # -> the C library's memmove
    "memset",  # -> the C library's memset
    "poll_exit",  # -> backend stub: the stack is exhausted (STORE.stack_limit says) or an interruption was asked for
    "throw_exit",  # -> backend stub: throws STORE.exception out of the function that jumps there
    "tail_return",  # -> backend stub: where a tail call that had to keep something of its frame comes back
    "lazy_slot",  # -> backend stub: what the slot of a function refers to that was not compiled yet
    "lazy_tail",  # -> backend stub: where tail calls of such functions go
    "next",  # links of the list of all VMContexts: address of the next one's `next`, or 0
    "previous",  # -> the word that points to our `next`
)

#: One per store: what entering and leaving WebAssembly code needs.
STORE: Final = Layout(
    "wasm_sp",  # where the next entry's frames start; the stack pointer of WebAssembly code while C code runs
    "c_sp",  # the C stack pointer to switch to for call_native: the innermost entry's
    "entry_fp",  # frame pointer of the innermost function that executed `enter`; 0 when none is active
    "entry_resume",  # where that function continues after a trap or unwind
    "trap_code",  # TrapCode of the last trap
    "trap_pc",  # the pc that trapped, or the return address of the frame that unwound
    "trap_fp",  # frame pointer of the function that contains trap_pc
    "owner",  # PyThreadState* of the thread that runs this store; 0 when none
    "thread_state",  # PyThreadState* to restore when the GIL was released; 0 while it is held
    "pending",  # not zero after a builtin raised: unwind with STATUS_EXCEPTION
    "hold_gil",  # not zero: never release the GIL
    "resolver",  # -> C function (funcref or 0, slot or 0, VMContext of the caller) -> code or 0: lazy compilation
    "stack_limit",  # the real limit of the stack: CONTEXT.stack_limit is this, or all ones to make code call out
    "attention",  # not zero: something is to be done at the next poll; else somebody has done it already
    "interrupt",  # not zero: the call that is running is to end with a trap
    "deadline",  # not zero: a deadline of the running thread has passed
    "interrupted",  # -> C function (VMContext) -> 0 to go on, or 1 with an exception set: what poll_exit calls
    "exception",  # the EXCEPTION that was thrown last; 0 when Python has it already
    "exception_room",  # where the next EXCEPTION goes
    "exception_end",  # where the room for them ends
    "fault_address",  # what the access that faulted touched (the signal handler records it); 0: unknown
    "stack_top",  # one past the highest byte of the stack
    "await_fp",  # entry_fp of the innermost entry that can be left for a while and entered again
    "await_call",  # PyObject*: the call that made that entry
    "await_value",  # PyObject*: what such an entry brings back to where it was left; 0 with an exception set
)

#: Results 0 of `enter`.
STATUS_OK: Final = 0
STATUS_TRAP: Final = 1  # trap_code, trap_pc and trap_fp of the store say which
STATUS_EXCEPTION: Final = 2  # a Python exception is set
STATUS_THROWN: Final = 3  # nothing has caught STORE.exception; trap_pc and trap_fp say where it was thrown
STATUS_SUSPENDED: Final = 4  # the frames from trap_fp on are to be entered again

#: What a funcref points to. Null is address 0.
FUNCREF: Final = Layout(
    "code",  # where to call: expects the funcref's own address in the callee register
    "context",  # VMContext of the function's instance; 0 for a host function
    "type_id",  # process-wide number of the function's type
    "host",  # host functions: what the host-call thunk needs (owned by the runtime); else 0
    "lineage",  # -> lineage_words of the function's type; 0 for a final type without supertypes
)

#: A memory's mutable part, shared by all that import it.
MEMORY: Final = Layout("base", "size")  # size in bytes
#: A table's mutable part. Elements are 8 bytes each: funcref addresses or externref handles; 0 is null.
TABLE: Final = Layout("elements", "size")  # size in elements
#: A passive segment: address and length (data: bytes; elements: 8-byte references). Dropping sets length to 0.
SEGMENT: Final = Layout("address", "length")

#: An exception: an exnref is its address, 0 is null. A tag is an address that identifies it. What the exception carries
#: follows, 8 bytes for each value, zero-extended, 16 for a v128.
EXCEPTION: Final = Layout("tag")

#: A 64-bit memory with guard pages never has more bytes than this, and code compares addresses with it (16 GiB, what
#: browsers let such a memory have). Guard pages behind that take care of constant offsets below GUARDED_OFFSETS.
GUARDED_ADDRESSES_64: Final = 1 << 34
GUARDED_OFFSETS: Final = 1 << 32

#: A global's cell: 16 bytes, wide enough for v128.
GLOBAL_SIZE: Final = 16

# Numbers of builtins, and their arguments and result.
BUILTIN_MEMORY_GROW: Final = 0  # memory index, pages -> previous pages or -1 (as i64)
BUILTIN_TABLE_GROW: Final = 1  # table index, count, value -> previous size or -1
BUILTIN_LISTENER_BEFORE: Final = 2  # function index, address of parameter slots
BUILTIN_LISTENER_AFTER: Final = 3  # function index, address of result slots
BUILTIN_EXCEPTION_ROOM: Final = 4  # size in bytes: makes room for an EXCEPTION at STORE.exception_room


def lineage_words(defined: DefinedType, lineage: list[int]) -> array[int] | None:
    """What FUNCREF.lineage of a function points to: how many numbers follow, and the numbers of its type and of the
    supertypes, the outermost first (`DefinedType.lineage`). So one look tells whether it is a subtype of another: at
    the place where that one's own number is the last. None for a final type without supertypes: a subtype of no other.
    """
    return None if len(lineage) == 1 and defined.final else array("Q", [len(lineage), *lineage])


def not_yet(what: str, feature: str, offset: int | None = None) -> Unsupported:
    """The error for what needs a feature that can be read and validated, but not run yet."""
    return Unsupported(f"{what} needs the feature {feature}, which cannot be run yet", offset, feature=feature)


def check_supported(module: DecodedModule) -> None:
    """Check that the structures here can describe a module's memories.

    Raises:
        Unsupported: They cannot yet.
    """
    for memory in module.memories:
        if memory.shared:
            raise not_yet("a shared memory", "threads")


def escaping_functions(module: DecodedModule) -> tuple[list[int], list[int]]:
    """Indices, ascending, of the module's own functions that need a funcref in every instance.

    Those are the ones that are exported, in a global's initial value, or the start function, which come first; and the
    others that are in an element segment (a `ref.func` in a body may only name one of these and of the first two: core
    specification, "Contexts", C.refs).
    """
    named = {export.index for export in module.exports if export.kind is ExternKind.FUNC}
    if module.start is not None:
        named.add(module.start)
    for own in module.globals:
        named.update(_referred_to(own.init))
    found: set[int] = set()
    for init in module.table_inits:
        if init is not None:
            found.update(_referred_to(init))
    for segment in module.elements:
        if segment.functions is not None:
            found.update(segment.functions)
        else:
            for expression in segment.expressions or ():
                found.update(_referred_to(expression))
    first = module.imported_functions
    return sorted([index for index in named if index >= first]), sorted(
        [index for index in found - named if index >= first]
    )


def _referred_to(expression: ConstExpr) -> list[int]:
    return [imm for opcode, imm in expression.instructions if opcode == REF_FUNC and isinstance(imm, int)]


class ContextLayout:
    """Where the arrays of one module's VMContext are, in bytes from the start of the context.

    Everything depends on the module alone, so compiled code is shared by its instances.
    """

    __slots__ = (
        "data",
        "elements",
        "fuel",
        "funcref_slots",
        "funcrefs",
        "globals",
        "imports",
        "known_tables",
        "memories",
        "named_funcrefs",
        "size",
        "small_functions",
        "tables",
        "tags",
        "types",
        "unwritten_tables",
        "valid_under",
    )

    def __init__(self, module: DecodedModule, unwritten_tables: int = 0) -> None:
        """`unwritten_tables`: a bit for each table that no instruction of the module writes, as far as is known."""
        self.unwritten_tables = unwritten_tables
        #: The features under which all bodies are known to be valid: then small functions are inlined.
        self.valid_under: Features | None = None
        #: What the front end has found out about tables (`frontend.known_tables`) and functions (`frontend.inlining`).
        self.small_functions: dict[int, BodyFacts | None] = {}
        self.known_tables: dict[int, KnownTable | None] = {}
        offset = (CONTEXT.size + 15) & ~15
        #: One cell of GLOBAL_SIZE bytes per global. An imported global's cell holds the address of the real cell.
        self.globals = offset
        offset += GLOBAL_SIZE * len(module.global_types)
        #: One funcref address per imported function.
        self.imports = offset
        offset += 8 * module.imported_functions
        #: One pointer to a MEMORY structure per memory, to a TABLE structure per table.
        self.memories = offset
        offset += 8 * len(module.memories)
        self.tables = offset
        offset += 8 * len(module.tables)
        #: One address that identifies it per tag.
        self.tags = offset
        offset += 8 * len(module.tag_types)
        #: One process-wide type number per entry of the type section.
        self.types = offset
        offset += 8 * len(module.types)
        #: One SEGMENT structure per element segment and per data segment.
        self.elements = offset
        offset += SEGMENT.size * len(module.elements)
        self.data = offset
        offset += SEGMENT.size * len(module.data)
        #: What the code of the instance may do still, signed (FrontendOptions.fuel; the others do not look at it).
        self.fuel = offset
        offset += 8
        #: One FUNCREF structure per escaping function, at the end.
        self.funcrefs = offset
        named, others = escaping_functions(module)
        #: How many of them come first that are not in element segments alone.
        self.named_funcrefs = len(named)
        #: Function index -> its number among the escaping functions.
        self.funcref_slots = {index: number for number, index in enumerate([*named, *others])}
        offset += FUNCREF.size * len(self.funcref_slots)
        self.size = offset

    def funcref(self, index: int) -> int:
        """Offset of the FUNCREF structure of escaping function `index`."""
        return self.funcrefs + FUNCREF.size * self.funcref_slots[index]
