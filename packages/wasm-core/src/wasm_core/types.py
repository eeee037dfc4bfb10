"""The types of WebAssembly (core specification, section "Structure", "Types")."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Self

from wasm_core.lazy_attrs import field, frozen
from wasm_core.quoting import quoted

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

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        choices = ", ".join([member.value for member in cls])
        raise ValueError(f"{quoted(value)} is not a value type; choose from {choices}")

    @property
    def is_reference(self) -> bool:
        """Whether its values are references."""
        return self in (ValueType.FUNCREF, ValueType.EXTERNREF)

    @property
    def slots(self) -> int:
        """How many unsigned 64-bit slots a value takes in the raw calling interface."""
        return 2 if self is ValueType.V128 else 1


def _value_types(types: Iterable[ValueType | str]) -> tuple[ValueType, ...]:
    if isinstance(types, str):
        raise TypeError(f"a sequence of value types is needed, such as ['i32'], not the string {quoted(types)}")
    return tuple([ValueType(t) for t in types])


@frozen(eq=False)
class FuncType:
    """The type of a function: its parameters and its results.

    Attributes:
        params: Types of the parameters; names such as "i32" are made value types.
        results: Types of the results.
    """

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

    Attributes:
        minimum: Pages that it has at first.
        maximum: Most pages that it can grow to; None for as many as there can be.
        is64: Whether its addresses have 64 bits.
        shared: Whether threads share it.
    """

    minimum: int
    maximum: int | None = None
    is64: bool = field(default=False, kw_only=True)
    shared: bool = field(default=False, kw_only=True)


@frozen
class TableType:
    """The type of a table; sizes are in elements.

    Attributes:
        element: Type of the elements, a reference.
        minimum: Elements that it has at first.
        maximum: Most elements that it can grow to; None for as many as there can be.
        is64: Whether its indices have 64 bits.
    """

    element: ValueType = field(converter=ValueType)
    minimum: int = 0
    maximum: int | None = None
    is64: bool = field(default=False, kw_only=True)


@frozen
class GlobalType:
    """The type of a global variable.

    Attributes:
        value_type: Type of its value.
        mutable: Whether the value can be changed.
    """

    value_type: ValueType = field(converter=ValueType)
    mutable: bool = False


ExternType = FuncType | TableType | MemoryType | GlobalType


@frozen
class ImportType:
    """What a module asks for: two names and a type.

    Attributes:
        module: First name: of the module, or whatever, that it is to come from.
        name: Second name: its own.
        type: What it must be: a FuncType, MemoryType, TableType or GlobalType.
    """

    module: str
    name: str
    type: ExternType


@frozen
class ExportType:
    """What an instance of a module offers: a name and a type.

    Attributes:
        name: The name.
        type: What it is: a FuncType, MemoryType, TableType or GlobalType.
    """

    name: str
    type: ExternType
