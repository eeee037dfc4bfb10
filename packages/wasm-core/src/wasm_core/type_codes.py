"""Integer codes of value types, which the hot paths use in the place of `ValueType`.

A code is the byte of the binary format (core specification, section "Binary Format", "Types") where the type is one
byte: numbers, vectors, nullable references to abstract heap types. Other references have the bits of a code

    type << 9 | NON_NULL | byte

where `type` is 0 and `byte` that of the nullable reference for (ref func) and the like, and `byte` is 0 and `type` is
1 + the number of the type for references to defined types. Which numbers these are, is for the user of the codes to
say: indices of the module's type section (`immediates`), of which the validator takes the first of equal ones.
"""

from __future__ import annotations

from collections.abc import Iterable

from wasm_core.types import ValueType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: The type of an operand in unreachable code, which matches every type.
UNKNOWN: Final = 0x00
I32: Final = 0x7F
I64: Final = 0x7E
F32: Final = 0x7D
F64: Final = 0x7C
V128: Final = 0x7B
FUNCREF: Final = 0x70
EXTERNREF: Final = 0x6F
ANYREF: Final = 0x6E
EQREF: Final = 0x6D
I31REF: Final = 0x6C
STRUCTREF: Final = 0x6B
ARRAYREF: Final = 0x6A
EXNREF: Final = 0x69
NULLREF: Final = 0x71
NULLEXTERNREF: Final = 0x72
NULLFUNCREF: Final = 0x73
NULLEXNREF: Final = 0x74

#: Codes of packed types, which only fields have.
I8: Final = 0x78
I16: Final = 0x77

# What long reference types start with in the binary format: (ref ht), (ref null ht).
REF_PREFIX: Final = 0x64
REF_NULL_PREFIX: Final = 0x63

#: Of references that are not null.
NON_NULL: Final = 0x100
#: The type of a reference in unreachable code, which is not null and matches every reference type.
UNKNOWN_REF: Final = NON_NULL
#: How far `type` is shifted in codes of references to defined types.
DEFINED_SHIFT: Final = 9

#: The block type that stands for "no parameters, no results"; not a value type.
EMPTY_BLOCK: Final = 0x40

#: The value types with names of one word.
VALUE_TYPE_OF: Final[dict[int, ValueType]] = {
    I32: ValueType.I32,
    I64: ValueType.I64,
    F32: ValueType.F32,
    F64: ValueType.F64,
    V128: ValueType.V128,
    FUNCREF: ValueType.FUNCREF,
    EXTERNREF: ValueType.EXTERNREF,
    ANYREF: ValueType.ANYREF,
    EQREF: ValueType.EQREF,
    I31REF: ValueType.I31REF,
    STRUCTREF: ValueType.STRUCTREF,
    ARRAYREF: ValueType.ARRAYREF,
    NULLREF: ValueType.NULLREF,
    NULLEXTERNREF: ValueType.NULLEXTERNREF,
    NULLFUNCREF: ValueType.NULLFUNCREF,
    EXNREF: ValueType.EXNREF,
    NULLEXNREF: ValueType.NULLEXNREF,
}
#: Codes of the value types that take one byte.
ONE_BYTE_CODES: Final = frozenset(VALUE_TYPE_OF)
#: Codes of nullable references to abstract heap types, which also stand for the heap types in the binary format.
ABSTRACT_HEAP_CODES: Final = ONE_BYTE_CODES - {I32, I64, F32, F64, V128}

CODE_OF: Final[dict[ValueType, int]] = {value_type: code for code, value_type in VALUE_TYPE_OF.items()}


def codes_of(types: Iterable[ValueType]) -> list[int]:
    """The codes of some value types, in order; none of them may refer to a defined type."""
    return [abstract_code(t) for t in types]


def abstract_code(value_type: ValueType) -> int:
    """The code of a value type that does not refer to a defined type."""
    code = CODE_OF.get(value_type)
    if code is not None:
        return code
    heap_type = value_type.heap_type
    assert isinstance(heap_type, str)
    return CODE_OF[ValueType.reference(heap_type)] | NON_NULL


def abstract_type(code: int) -> ValueType:
    """The value type that has a code, which does not refer to a defined type."""
    if code & NON_NULL:
        heap_type = VALUE_TYPE_OF[code & 0xFF].heap_type
        assert isinstance(heap_type, str)
        return ValueType.reference(heap_type, nullable=False)
    return VALUE_TYPE_OF[code]


def heap_type_name(heap_type: int) -> str:
    """The name in the text format of a heap type, numbered as for the immediates IMM_HEAP_TYPE."""
    return str(heap_type) if heap_type >= 0 else str(VALUE_TYPE_OF[-heap_type].heap_type)


def type_name(code: int) -> str:
    """What to call a type code in a message; in the text format, if it is not that of unreachable code."""
    value_type = VALUE_TYPE_OF.get(code)
    if value_type is not None:
        return value_type.value
    if code == UNKNOWN:
        return "unknown"
    if code in (I8, I16):
        return "i8" if code == I8 else "i16"
    if code == UNKNOWN_REF:
        return "a reference"
    defined = code >> DEFINED_SHIFT
    heap_type = str(defined - 1) if defined else heap_type_name(-(code & 0xFF))
    return f"(ref {heap_type})" if code & NON_NULL else f"(ref null {heap_type})"
