"""The types of WebAssembly (core specification, section "Structure", "Types")."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from wasm_core.lazy_attrs import field, frozen

#: Bytes in a page of linear memory.
PAGE_SIZE = 65536
#: Most pages that a 32-bit memory can have.
MAX_PAGES = 65536


class ValueType(enum.StrEnum):
    """A value type; members equal their names in the text format, so plain strings may be used in their place."""

    I32 = "i32"
    I64 = "i64"
    F32 = "f32"
    F64 = "f64"
    V128 = "v128"
    FUNCREF = "funcref"
    EXTERNREF = "externref"

    @property
    def is_reference(self) -> bool:
        return self in (ValueType.FUNCREF, ValueType.EXTERNREF)

    @property
    def slots(self) -> int:
        """How many unsigned 64-bit slots a value takes in the raw calling interface."""
        return 2 if self is ValueType.V128 else 1


def _value_types(types: Iterable[ValueType | str]) -> tuple[ValueType, ...]:
    return tuple(ValueType(t) for t in types)


@frozen(eq=False)
class FuncType:
    """The type of a function: its parameters and its results."""

    params: tuple[ValueType, ...] = field(default=(), converter=_value_types)
    results: tuple[ValueType, ...] = field(default=(), converter=_value_types)

    # Every program looks things up by types: these need not wait for attrs to be imported.

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FuncType):
            return NotImplemented
        return self.params == other.params and self.results == other.results

    def __hash__(self) -> int:
        return hash((self.params, self.results))

    def __str__(self) -> str:
        return f"({', '.join(self.params)}) -> ({', '.join(self.results)})"


@frozen
class MemoryType:
    """The type of a linear memory; sizes are in pages of 64 KiB.

    The keyword-only fields are for proposals beyond 2.0 (64-bit memories, shared memories).
    """

    minimum: int
    maximum: int | None = None
    is64: bool = field(default=False, kw_only=True)
    shared: bool = field(default=False, kw_only=True)


@frozen
class TableType:
    """The type of a table; sizes are in elements."""

    element: ValueType = field(converter=ValueType)
    minimum: int = 0
    maximum: int | None = None
    is64: bool = field(default=False, kw_only=True)


@frozen
class GlobalType:
    """The type of a global variable."""

    value_type: ValueType = field(converter=ValueType)
    mutable: bool = False


ExternType = FuncType | TableType | MemoryType | GlobalType


@frozen
class ImportType:
    """What a module asks for: two names and a type."""

    module: str
    name: str
    type: ExternType


@frozen
class ExportType:
    """What an instance of a module offers: a name and a type."""

    name: str
    type: ExternType
