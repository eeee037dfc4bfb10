"""A cursor over a part of a module, with the readers of bytes and types that several sections share."""

from __future__ import annotations

from wasm_core.errors import CompileError, InvalidError, MalformedError, Unsupported
from wasm_core.features import Features
from wasm_core.leb128 import read_s33, read_u32, read_unsigned
from wasm_core.type_codes import (
    ABSTRACT_HEAP_CODES,
    ANYREF,
    ARRAYREF,
    DEFINED_SHIFT,
    EQREF,
    EXNREF,
    EXTERNREF,
    FUNCREF,
    I31REF,
    NON_NULL,
    NULLEXNREF,
    NULLEXTERNREF,
    NULLFUNCREF,
    NULLREF,
    ONE_BYTE_CODES,
    REF_NULL_PREFIX,
    REF_PREFIX,
    STRUCTREF,
    V128,
    VALUE_TYPE_OF,
)
from wasm_core.types import PAGE_SIZE, CompositeType, FuncType, GlobalType, MemoryType, TableType, ValueType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_core.defined_types import DefinedType

#: One-byte value types by the field of `Features` that they need.
_TYPES_OF_FEATURE: Final[dict[str, tuple[int, ...]]] = {
    "simd": (V128,),
    "reference_types": (FUNCREF, EXTERNREF),
    "gc": (ANYREF, EQREF, I31REF, STRUCTREF, ARRAYREF, NULLREF, NULLEXTERNREF, NULLFUNCREF),
    "exceptions": (EXNREF, NULLEXNREF),
}

# Flags of limits.
HAS_MAXIMUM: Final = 1
SHARED: Final = 2
IS_64: Final = 4
HAS_PAGE_SIZE: Final = 8
_FEATURE_OF_FLAG: Final = ((SHARED, "threads"), (IS_64, "memory64"), (HAS_PAGE_SIZE, "custom_page_sizes"))
#: Largest exponent of a page size that can be told apart from nonsense.
_MAX_PAGE_BITS: Final = 64


def read_byte(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """One byte."""
    if pos >= end:
        raise MalformedError("unexpected end", pos)
    return data[pos], pos + 1


def read_zero_byte(data: bytes, pos: int, end: int) -> int:
    """A byte that must be zero, which is what 2.0 has in the place of a memory index; returns the position after it."""
    byte, after = read_byte(data, pos, end)
    if byte:
        raise MalformedError("zero byte expected", pos)
    return after


def read_heap_type(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """A heap type, numbered as for IMM_HEAP_TYPE, and the position after it."""
    if pos < end and data[pos] in ABSTRACT_HEAP_CODES:
        return -data[pos], pos + 1
    index, after = read_s33(data, pos, end)
    if index < 0:
        raise MalformedError("malformed heap type", pos)
    return index, after


def reference_code(heap_type: int, nullable: bool) -> int:
    """The type code of references to a heap type, numbered as for IMM_HEAP_TYPE."""
    code = -heap_type if heap_type < 0 else (heap_type + 1) << DEFINED_SHIFT
    return code if nullable else code | NON_NULL


def read_value_type(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """The type code of a value type, and the position after it."""
    code, after = read_byte(data, pos, end)
    if code in ONE_BYTE_CODES:
        return code, after
    if code != REF_PREFIX and code != REF_NULL_PREFIX:
        raise MalformedError("malformed value type", pos)
    heap_type, after = read_heap_type(data, after, end)
    return reference_code(heap_type, code == REF_NULL_PREFIX), after


def value_types_of(features: Features) -> dict[int, ValueType]:
    """The one-byte value types that are switched on, by type code."""
    allowed = dict(VALUE_TYPE_OF)
    for feature, codes in _TYPES_OF_FEATURE.items():
        if not getattr(features, feature):
            for code in codes:
                del allowed[code]
    return allowed


def switched_off(what: str, feature: str, at: int) -> Unsupported:
    """The error for something that needs a feature that is switched off."""
    return Unsupported(f"{what} needs the feature {feature}, which is switched off", at, feature=feature)


def value_type_error(code: int, at: int) -> CompileError:
    """The error for a byte that is no value type, or one that is switched off."""
    for feature, codes in _TYPES_OF_FEATURE.items():
        if code in codes:
            return switched_off(f"the type {VALUE_TYPE_OF[code].value}", feature, at)
    if code in (REF_PREFIX, REF_NULL_PREFIX):
        return switched_off("a reference type in full", "function_references", at)
    return MalformedError("malformed value type", at)


class ModuleTypes:
    """The entries of the type section that have been read."""

    __slots__ = ("composites", "defined", "plain")

    def __init__(self) -> None:
        self.composites: list[CompositeType] = []
        #: What they are to the process, as far as anybody asked for it.
        self.defined: list[DefinedType | None] = []
        #: Whether all are plain function types, see `DecodedModule.defined_types`.
        self.plain = True

    def add_function(self, func_type: FuncType) -> None:
        """Add a plain function type."""
        self.composites.append(func_type)
        self.defined.append(None)

    def get(self, index: int) -> DefinedType:
        """Entry `index`."""
        found = self.defined[index]
        if found is None:
            from wasm_core.defined_types import function_type

            func_type = self.composites[index]
            assert isinstance(func_type, FuncType)
            found = self.defined[index] = function_type(func_type)
        return found


class Reader:
    """Reads `data[pos:end]`; every method advances `pos` and raises MalformedError where the bytes are wrong."""

    __slots__ = ("data", "end", "features", "pos", "types", "value_types")

    def __init__(self, data: bytes, pos: int, end: int, features: Features) -> None:
        self.data: Final = data
        self.pos = pos
        self.end = end
        self.features: Final = features
        self.value_types: Final = value_types_of(features)
        self.types: Final = ModuleTypes()

    def byte(self) -> int:
        """One byte."""
        pos = self.pos
        if pos >= self.end:
            raise MalformedError("unexpected end", pos)
        self.pos = pos + 1
        return self.data[pos]

    def u32(self) -> int:
        """An unsigned 32-bit LEB128 integer."""
        value, self.pos = read_u32(self.data, self.pos, self.end)
        return value

    def count(self) -> int:
        """The length of a vector, whose items have at least one byte each."""
        start = self.pos
        count = self.u32()
        if count > self.end - self.pos:
            raise MalformedError("unexpected end of section or function", start)
        return count

    def name(self) -> str:
        """A name: a vector of bytes in UTF-8."""
        start = self.pos
        size = self.u32()
        pos = self.pos
        after = pos + size
        if after > self.end:
            raise MalformedError("unexpected end", start)
        self.pos = after
        try:
            return self.data[pos:after].decode()
        except UnicodeDecodeError as error:
            raise MalformedError("malformed UTF-8 encoding", pos + error.start) from None

    def value_type(self) -> ValueType:
        """A value type that is switched on."""
        code = self.byte()
        value_type = self.value_types.get(code)
        return self._long_reference(code) if value_type is None else value_type

    def _long_reference(self, prefix: int) -> ValueType:
        """The reference type that starts with a byte that has been read."""
        at = self.pos - 1
        if prefix not in (REF_PREFIX, REF_NULL_PREFIX) or not self.features.function_references:
            raise value_type_error(prefix, at)
        heap_type = self.heap_type()
        if isinstance(heap_type, int):
            return ValueType.reference(self.defined_type(heap_type, at), prefix == REF_NULL_PREFIX)
        if prefix == REF_NULL_PREFIX:
            return heap_type
        name = heap_type.heap_type
        assert name is not None
        return ValueType.reference(name, nullable=False)

    def heap_type(self) -> ValueType | int:
        """A heap type that is switched on: the nullable reference to an abstract one, or a type index."""
        at = self.pos
        code = self.byte()
        if code in ABSTRACT_HEAP_CODES:
            value_type = self.value_types.get(code)
            if value_type is None:
                raise value_type_error(code, at)
            return value_type
        index, self.pos = read_s33(self.data, at, self.end)
        if index < 0:
            raise MalformedError("malformed heap type", at)
        return index

    def defined_type(self, index: int, at: int) -> DefinedType:
        """Entry `index` of the type section, for a reference at offset `at`."""
        if index >= len(self.types.composites):
            raise InvalidError(f"unknown type {index}", at)
        return self.types.get(index)

    def reference_type(self) -> ValueType:
        """A reference type that is switched on; funcref always is one in a table type."""
        at = self.pos
        code = self.byte()
        if code == FUNCREF:
            return ValueType.FUNCREF
        if code in ABSTRACT_HEAP_CODES or code in (REF_PREFIX, REF_NULL_PREFIX):
            self.pos = at
            return self.value_type()
        raise MalformedError("malformed reference type", at)

    def _limits(self, kind: str, allowed: int) -> tuple[int, int | None, int]:
        """Minimum, maximum and flags; the page size, if flags say that there is one, comes next."""
        at = self.pos
        flags = self.byte()
        if flags & ~(HAS_MAXIMUM | allowed):
            if not self.features.memory64:
                # Before there were flags it was an integer of one bit.
                read_unsigned(self.data, at, self.end, 1)
            raise MalformedError("malformed limits flags", at)
        for flag, feature in _FEATURE_OF_FLAG:
            if flags & flag and not getattr(self.features, feature):
                raise switched_off(f"this type of a {kind}", feature, at)
        # Where there are 64-bit addresses, all limits are read as such; too large ones are invalid.
        bits = 64 if self.features.memory64 else 32
        minimum, self.pos = read_unsigned(self.data, self.pos, self.end, bits)
        maximum: int | None = None
        if flags & HAS_MAXIMUM:
            maximum, self.pos = read_unsigned(self.data, self.pos, self.end, bits)
        return minimum, maximum, flags

    def table_type(self) -> TableType:
        """A table type."""
        element = self.reference_type()
        minimum, maximum, flags = self._limits("table", IS_64)
        return TableType(element, minimum, maximum, is64=flags & IS_64 != 0)

    def memory_type(self) -> MemoryType:
        """A memory type."""
        minimum, maximum, flags = self._limits("memory", SHARED | IS_64 | HAS_PAGE_SIZE)
        if flags < SHARED:
            return MemoryType(minimum, maximum)
        page_size = PAGE_SIZE
        if flags & HAS_PAGE_SIZE:
            at = self.pos
            bits = self.u32()
            if bits >= _MAX_PAGE_BITS:
                raise MalformedError("invalid custom page size", at)
            page_size = 1 << bits
        shared = flags & SHARED != 0
        return MemoryType(minimum, maximum, is64=flags & IS_64 != 0, shared=shared, page_size=page_size)

    def global_type(self) -> GlobalType:
        """A global type."""
        value_type = self.value_type()
        mutability = self.byte()
        if mutability > 1:
            raise MalformedError("malformed mutability", self.pos - 1)
        return GlobalType(value_type, mutability == 1)
