"""A cursor over a part of a module, with the readers that several sections share."""

from __future__ import annotations

from typing import Final

from wasm_core.errors import MalformedError
from wasm_core.features import Features
from wasm_core.leb128 import read_u32, read_unsigned
from wasm_core.type_codes import EXTERNREF, FUNCREF, V128, VALUE_TYPE_OF
from wasm_core.types import GlobalType, MemoryType, TableType, ValueType


def value_types_of(features: Features) -> dict[int, ValueType]:
    """The value types that are switched on, by type code."""
    allowed = dict(VALUE_TYPE_OF)
    if not features.simd:
        del allowed[V128]
    if not features.reference_types:
        del allowed[FUNCREF]
        del allowed[EXTERNREF]
    return allowed


class Reader:
    """Reads `data[pos:end]`; every method advances `pos` and raises MalformedError where the bytes are wrong."""

    __slots__ = ("data", "end", "features", "pos", "value_types")

    def __init__(self, data: bytes, pos: int, end: int, features: Features) -> None:
        self.data: Final = data
        self.pos = pos
        self.end = end
        self.features: Final = features
        self.value_types: Final = value_types_of(features)

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
        value_type = self.value_types.get(self.byte())
        if value_type is None:
            raise MalformedError("malformed value type", self.pos - 1)
        return value_type

    def reference_type(self) -> ValueType:
        """A reference type that is switched on; funcref always is one in a table type."""
        code = self.byte()
        if code == FUNCREF or (code == EXTERNREF and self.features.reference_types):
            return VALUE_TYPE_OF[code]
        raise MalformedError("malformed reference type", self.pos - 1)

    def _limits(self) -> tuple[int, int | None]:
        # A one-bit integer, so that a wrong flag gets the message of a wrong integer.
        flag, self.pos = read_unsigned(self.data, self.pos, self.end, 1)
        minimum = self.u32()
        return minimum, self.u32() if flag else None

    def table_type(self) -> TableType:
        """A table type."""
        element = self.reference_type()
        minimum, maximum = self._limits()
        return TableType(element, minimum, maximum)

    def memory_type(self) -> MemoryType:
        """A memory type."""
        minimum, maximum = self._limits()
        return MemoryType(minimum, maximum)

    def global_type(self) -> GlobalType:
        """A global type."""
        value_type = self.value_type()
        mutability = self.byte()
        if mutability > 1:
            raise MalformedError("malformed mutability", self.pos - 1)
        return GlobalType(value_type, mutability == 1)
