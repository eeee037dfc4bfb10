"""The exceptions that every package raises, and the trap codes with the messages of the specification."""

from __future__ import annotations

import enum

from wasm_core.lazy_attrs import frozen
from wasm_core.quoting import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
    from typing import Final
else:
    from wasm_core import lazy_typing as typing


class TrapCode(enum.IntEnum):
    """Why WebAssembly code trapped.

    The numbers are part of the contract between generated code and the runtime: generated code passes them to
    the trap exit. Zero is never a trap, so it can stand for "none".
    """

    UNREACHABLE = 1
    MEMORY_OUT_OF_BOUNDS = 2
    TABLE_OUT_OF_BOUNDS = 3
    UNDEFINED_ELEMENT = 4
    UNINITIALIZED_ELEMENT = 5
    INDIRECT_CALL_TYPE_MISMATCH = 6
    INTEGER_DIVIDE_BY_ZERO = 7
    INTEGER_OVERFLOW = 8
    INVALID_CONVERSION_TO_INTEGER = 9
    CALL_STACK_EXHAUSTED = 10
    INTERRUPTED = 11
    NULL_EXCEPTION = 12
    NULL_REFERENCE = 13
    NULL_FUNCTION = 14
    OUT_OF_FUEL = 15

    @property
    def message(self) -> str:
        """The message that the specification's test suite gives to this trap."""
        return _MESSAGES[self]

    def __str__(self) -> str:
        return self.name

    def __format__(self, spec: str) -> str:
        # Formats of numbers ("d", "#x") go on showing the number.
        return format(int(self) if spec[-1:] in _NUMBER_FORMATS else self.name, spec)


#: Last characters of format specifications that are for numbers only.
_NUMBER_FORMATS: Final = tuple("bcdeEfFgGnoxX%")

_MESSAGES = {
    TrapCode.UNREACHABLE: "unreachable",
    TrapCode.MEMORY_OUT_OF_BOUNDS: "out of bounds memory access",
    TrapCode.TABLE_OUT_OF_BOUNDS: "out of bounds table access",
    TrapCode.UNDEFINED_ELEMENT: "undefined element",
    TrapCode.UNINITIALIZED_ELEMENT: "uninitialized element",
    TrapCode.INDIRECT_CALL_TYPE_MISMATCH: "indirect call type mismatch",
    TrapCode.INTEGER_DIVIDE_BY_ZERO: "integer divide by zero",
    TrapCode.INTEGER_OVERFLOW: "integer overflow",
    TrapCode.INVALID_CONVERSION_TO_INTEGER: "invalid conversion to integer",
    TrapCode.CALL_STACK_EXHAUSTED: "call stack exhausted",
    TrapCode.INTERRUPTED: "interrupted",
    TrapCode.NULL_EXCEPTION: "null exception reference",
    TrapCode.NULL_REFERENCE: "null reference",
    TrapCode.NULL_FUNCTION: "null function reference",
    TrapCode.OUT_OF_FUEL: "all fuel consumed",
}


def made_anew(error: BaseException) -> tuple[typing.Any, ...]:
    """What `__reduce__` returns for an exception whose constructor does not take its `args`: all that it carries."""
    import copyreg  # Python has loaded it long before

    state = dict(error.__dict__)
    if "__notes__" in state:
        # A copy gets further notes of its own.
        state["__notes__"] = list(state["__notes__"])
    return copyreg.__newobj__, (type(error), *error.args), state  # type: ignore[attr-defined]  # what pickle calls


#: Says what each error means and what to do about it.
_EXPLANATIONS: Final = "https://github.com/wasmetal/wasmetal/blob/main/docs/errors.md"
#: The classes that it has a section for; traps have one for each code.
_EXPLAINED: Final = (
    *("WasmError", "CompileError", "MalformedError", "InvalidError", "Unsupported", "TextError", "LinkError"),
    *("DeadlineExceeded", "WasmException"),
)


class WasmError(Exception):
    """Base of every error that this project raises on purpose.

    All of them pickle and copy, with the attributes and notes that they have.
    """

    @property
    def explanation(self) -> str:
        """Address of a page that says what such an error means and what to do about it."""
        return f"{_EXPLANATIONS}#{self._section().lower()}"

    def _section(self) -> str:
        # Other classes are told of under the one that they are derived from.
        return next(cls.__name__ for cls in type(self).__mro__ if cls.__name__ in _EXPLAINED)

    def __reduce__(self) -> tuple[typing.Any, ...]:
        # Not by way of the constructors, as exceptions usually do: those take other arguments than `args`.
        return made_anew(self)


class CompileError(WasmError):
    """A module cannot be used: it is malformed, invalid, or needs what the compiler does not have.

    Attributes:
        message: The message alone, in the words of the specification's test suite.
        offset: Byte offset in the module where the problem was found; None if no place can be named.
    """

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message if offset is None else f"{message} (at offset {offset:#x})")
        self.message = message
        self.offset = offset


class MalformedError(CompileError):
    """The bytes are not a WebAssembly module (core specification, chapter "Binary Format")."""


class InvalidError(CompileError):
    """The module decodes but breaks a rule (core specification, chapter "Validation")."""


class Unsupported(CompileError):
    """The module needs a proposal that is switched off, or that can be read and validated but not run yet."""

    def __init__(self, message: str, offset: int | None = None, *, feature: str = "") -> None:
        super().__init__(message, offset)
        #: The field of `Features` that stands for the proposal.
        self.feature = feature


class Thrown(WasmError):
    """An exception of WebAssembly that nothing in WebAssembly has caught: the base of the runtime's `WasmException`."""


class LinkError(WasmError):
    """An import is missing or has the wrong type (core specification, section "Instantiation")."""


@frozen
class Frame:
    """One WebAssembly function on the stack when a trap or an exception left it.

    Attributes:
        function_index: Index of the function in its module's function index space.
        function_name: Name from the name section or an export, cut off where it is very long; or None.
        module_offset: Byte offset in the module of the instruction that was executing; None if unknown.
        text_place: "file:line:column" of the instruction in the text that the module was made of; None if it was not or
            it is unknown.
    """

    function_index: int
    function_name: str | None
    module_offset: int | None
    text_place: str | None = None


#: The first line of notes with a backtrace.
BACKTRACE: Final = "WebAssembly backtrace"
#: Innermost frames that are reported; a stack overflow has very many.
MAX_FRAMES: Final = 256
#: Equal frames one after another, as of recursion, that are shown, as Python has it; and lines that a note has.
_MAX_EQUAL: Final = 3
_MAX_LINES: Final = 64


def describe(frames: tuple[Frame, ...]) -> str:
    """Frames as lines for people, innermost first: of a bounded number and length, whatever the module's names are."""
    lines = [f"{BACKTRACE} (innermost first):"]
    number = 0
    while number < len(frames):
        if len(lines) > _MAX_LINES:
            lines.append(f"  ... {len(frames) - number} more")
            break
        frame = frames[number]
        # By the fields: methods of attrs might have to be made first.
        same = number + 1
        while same < len(frames) and _fields(frames[same]) == _fields(frame):
            same += 1
        name = shown(frame.function_name or "<unnamed>")
        place = "" if frame.module_offset is None else f" at {frame.text_place or hex(frame.module_offset)}"
        for again in range(number, min(same, number + _MAX_EQUAL)):
            lines.append(f"  {again}: {name} (function {frame.function_index}){place}")
        if same - number > _MAX_EQUAL:
            lines.append(f"  ... {same - number - _MAX_EQUAL} more")
        number = same
    if len(frames) >= MAX_FRAMES:
        lines.append(f"  (the innermost {MAX_FRAMES}; there may be others)")
    return "\n".join(lines)


def _fields(frame: Frame) -> tuple[int, int | None]:
    return frame.function_index, frame.module_offset


@frozen
class MemoryAccess:
    """An access to a linear memory that was out of bounds, as far as it is known.

    Attributes:
        address: Where it was: an index into the memory, of the first byte that is out of bounds or, for data segments,
            of their first byte; None where code made the check itself (`Config(bounds_checks="explicit")`, memory.copy
            and the like, and indices of a 64-bit memory that are beyond its guard pages).
        width: How many bytes the instruction accesses.
        memory_size: Size of the memory in bytes.
    """

    address: int | None
    width: int | None
    memory_size: int | None

    def __str__(self) -> str:
        width = "" if self.width is None else f" of {self.width} byte{'s' if self.width != 1 else ''}"
        place = "" if self.address is None else f" at address {self.address} ({self.address:#x})"
        size = "" if self.memory_size is None else f" of a memory of {self.memory_size} bytes ({self.memory_size:#x})"
        return f"access{width}{place}{size}"


class Trap(WasmError):
    """Execution was aborted (core specification, section "Execution", "traps").

    The message is the specification's; notes (`__notes__`) say where it happened, so that whatever shows exceptions
    shows that too.

    Attributes:
        code: Why, as a TrapCode.
        frames: The WebAssembly functions that were active, innermost first.
        access: What was accessed, if the code is MEMORY_OUT_OF_BOUNDS and something is known about it; else None.
    """

    def __init__(
        self,
        code: TrapCode,
        message: str | None = None,
        frames: tuple[Frame, ...] = (),
        access: MemoryAccess | None = None,
    ) -> None:
        super().__init__(code.message if message is None else message)
        self.code = code
        self.frames = frames
        self.access = access
        if access is not None:
            self.add_note(str(access))
        if frames:
            self.add_note(describe(frames))

    def _section(self) -> str:
        section = super()._section()
        return self.code.name if section == "WasmError" else section
