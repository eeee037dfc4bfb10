"""Integer codes of value types, which the hot paths use in the place of `ValueType`.

A code is the byte of the binary format (core specification, section "Binary Format", "Types"). Codes above 0xFF are
free for interned concrete reference types.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from wasm_core.types import ValueType

#: The type of an operand in unreachable code, which matches every type.
UNKNOWN: Final = 0x00
I32: Final = 0x7F
I64: Final = 0x7E
F32: Final = 0x7D
F64: Final = 0x7C
V128: Final = 0x7B
FUNCREF: Final = 0x70
EXTERNREF: Final = 0x6F

#: The block type that stands for "no parameters, no results"; not a value type.
EMPTY_BLOCK: Final = 0x40

VALUE_TYPE_OF: Final[dict[int, ValueType]] = {
    I32: ValueType.I32,
    I64: ValueType.I64,
    F32: ValueType.F32,
    F64: ValueType.F64,
    V128: ValueType.V128,
    FUNCREF: ValueType.FUNCREF,
    EXTERNREF: ValueType.EXTERNREF,
}
CODE_OF: Final[dict[ValueType, int]] = {value_type: code for code, value_type in VALUE_TYPE_OF.items()}


def codes_of(types: Iterable[ValueType]) -> list[int]:
    """The codes of some value types, in order."""
    return [CODE_OF[t] for t in types]


def type_name(code: int) -> str:
    """What to call a type code in a message."""
    value_type = VALUE_TYPE_OF.get(code)
    return "unknown" if value_type is None else value_type.value
