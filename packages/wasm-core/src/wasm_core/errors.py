"""The exceptions that every package raises, and the trap codes with the messages of the specification."""

from __future__ import annotations

import enum

from wasm_core.lazy_attrs import frozen


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

    @property
    def message(self) -> str:
        """The message that the specification's test suite gives to this trap."""
        return _MESSAGES[self]


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
}


class WasmError(Exception):
    """Base of every error that this project raises on purpose."""


class CompileError(WasmError):
    """A module cannot be used: it is malformed, invalid, or needs what the compiler does not have."""

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message if offset is None else f"{message} (at offset {offset:#x})")
        #: The message alone, in the words of the specification's test suite.
        self.message = message
        #: Byte offset in the module where the problem was found; None if no place can be named.
        self.offset = offset


class MalformedError(CompileError):
    """The bytes are not a WebAssembly module (core specification, chapter "Binary Format")."""


class InvalidError(CompileError):
    """The module decodes but breaks a rule (core specification, chapter "Validation")."""


class LinkError(WasmError):
    """An import is missing or has the wrong type (core specification, section "Instantiation")."""


@frozen
class Frame:
    """One WebAssembly function on the stack when a trap or an exception left it."""

    #: Index of the function in its module's function index space.
    function_index: int
    #: Name from the name section or an export, cut off where it is very long; or None.
    function_name: str | None
    #: Byte offset in the module of the instruction that was executing; None if unknown.
    module_offset: int | None


class Trap(WasmError):
    """Execution was aborted (core specification, section "Execution", "traps")."""

    def __init__(self, code: TrapCode, message: str | None = None, frames: tuple[Frame, ...] = ()) -> None:
        super().__init__(code.message if message is None else message)
        self.code = code
        #: The WebAssembly functions that were active, innermost first.
        self.frames = frames
