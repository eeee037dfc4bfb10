"""The types of WebAssembly (core specification, section "Structure", "Types")."""

from __future__ import annotations

import enum
from collections.abc import Iterable

import wasm_core  # in annotations its names are looked up when somebody asks what they mean
from wasm_core.lazy_attrs import field, frozen
from wasm_core.quoting import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
else:
    from wasm_core import lazy_typing as typing

#: Bytes in a page of linear memory.
PAGE_SIZE = 65536
#: Most pages that a 32-bit memory can have.
MAX_PAGES = 65536
#: Most pages that the type of a 64-bit memory can have.
MAX_PAGES_64 = 1 << 48


#: Names of the abstract heap types by the one-word name of the nullable reference to them.
_HEAP_TYPES = {
    "funcref": "func",
    "externref": "extern",
    "anyref": "any",
    "eqref": "eq",
    "i31ref": "i31",
    "structref": "struct",
    "arrayref": "array",
    "nullref": "none",
    "nullexternref": "noextern",
    "nullfuncref": "nofunc",
    "exnref": "exn",
    "nullexnref": "noexn",
}
_ONE_WORD_NAMES = {heap_type: name for name, heap_type in _HEAP_TYPES.items()}


class ValueType(enum.StrEnum):
    """A value type; members equal their names in the text format, so plain strings may be used in their place.

    The types that have a name of one word are listed. All other references are members too, made when they are asked
    for (as combinations of flags are): `ValueType("(ref func)")`, `ValueType.reference("func", nullable=False)`, or
    with a `DefinedType` in the place of the name. Their text has the number of the defined type, "(ref null 12)"; it is
    understood as long as there is anything that has the type.
    """

    I32 = "i32"
    I64 = "i64"
    F32 = "f32"
    F64 = "f64"
    V128 = "v128"
    FUNCREF = "funcref"
    EXTERNREF = "externref"
    ANYREF = "anyref"
    EQREF = "eqref"
    I31REF = "i31ref"
    STRUCTREF = "structref"
    ARRAYREF = "arrayref"
    NULLREF = "nullref"
    NULLEXTERNREF = "nullexternref"
    NULLFUNCREF = "nullfuncref"
    EXNREF = "exnref"
    NULLEXNREF = "nullexnref"

    # Of references that have no name of one word.
    _heap_type: str | wasm_core.DefinedType
    _nullable: bool

    @classmethod
    def reference(cls, heap_type: str | wasm_core.DefinedType, nullable: bool = True) -> typing.Self:
        """The type of references to a heap type.

        Args:
            heap_type: "func", "extern", "any" or another name of an abstract heap type, or a defined type.
            nullable: Whether null is a value of the type.

        Raises:
            ValueError: There is no heap type of this name.
        """
        if isinstance(heap_type, str):
            name = _ONE_WORD_NAMES.get(heap_type)
            if name is None:
                raise ValueError(f"{quoted(heap_type)} is not a heap type; choose from {', '.join(_ONE_WORD_NAMES)}")
            if nullable:
                return cls(name)
            text = f"(ref {heap_type})"
        else:
            text = f"(ref null {heap_type.number})" if nullable else f"(ref {heap_type.number})"
        made = str.__new__(cls, text)
        made._name_ = made._value_ = text
        made._heap_type = heap_type
        made._nullable = nullable
        return made

    @classmethod
    def _missing_(cls, value: object) -> typing.Self | None:
        if isinstance(value, str):
            words = value.replace("(", " ( ").replace(")", " ) ").split()
            nullable = words[2:3] == ["null"]
            if words[:2] == ["(", "ref"] and words[3 + nullable :] == [")"]:
                heap_type = words[2 + nullable]
                if heap_type in _ONE_WORD_NAMES:
                    return cls.reference(heap_type, nullable)
                if heap_type.isdecimal():
                    from wasm_core.defined_types import live_type

                    defined = live_type(int(heap_type))
                    if defined is not None:
                        return cls.reference(defined, nullable)
        choices = ", ".join([member.value for member in cls])
        raise ValueError(
            f"{quoted(value)} is not a value type; choose from {choices}, or (ref ...) and (ref null ...) of "
            f"{', '.join(_ONE_WORD_NAMES)} or the number of a defined type"
        )

    def __reduce_ex__(self, protocol: typing.Any) -> tuple[typing.Any, ...]:
        if self.defined_type is not None:
            return ValueType.reference, (self.defined_type, self.nullable)
        return ValueType, (self.value,)

    @property
    def is_reference(self) -> bool:
        """Whether its values are references."""
        return self.heap_type is not None

    @property
    def heap_type(self) -> str | wasm_core.DefinedType | None:
        """What a reference refers to: the name of an abstract heap type, or a defined type; None for other types."""
        name = _HEAP_TYPES.get(self)
        return getattr(self, "_heap_type", None) if name is None else name

    @property
    def defined_type(self) -> wasm_core.DefinedType | None:
        """The defined type that a reference refers to; None for other types."""
        found = getattr(self, "_heap_type", None)
        return None if isinstance(found, str) else found

    @property
    def nullable(self) -> bool:
        """Whether null is a value of the type."""
        return self in _HEAP_TYPES or getattr(self, "_nullable", False)

    @property
    def is_function_reference(self) -> bool:
        """Whether values of the type are null or functions."""
        defined = self.defined_type
        return self.heap_type in ("func", "nofunc") if defined is None else isinstance(defined.composite, FuncType)

    @property
    def slots(self) -> int:
        """How many unsigned 64-bit slots a value takes in the raw calling interface."""
        return 2 if self is ValueType.V128 else 1


def _value_types(types: Iterable[ValueType | str]) -> tuple[ValueType, ...]:
    # Faster than leaving it to the enum that a member stays what it is.
    if isinstance(types, str):
        raise TypeError(f"a sequence of value types is needed, such as ['i32'], not the string {quoted(types)}")
    try:
        return tuple([t if t.__class__ is ValueType else ValueType(t) for t in types])
    except TypeError:
        if hasattr(types, "__iter__") and not isinstance(types, type):
            raise
        what = f"the class {types.__name__}" if isinstance(types, type) else type(types).__name__
        raise TypeError(f"a sequence of value types is needed, such as ['i32'], not {what}") from None


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


class PackedType(enum.StrEnum):
    """The types of integers that only fields of structures and arrays have."""

    I8 = "i8"
    I16 = "i16"


#: What a field holds.
StorageType = ValueType | PackedType


def _storage_type(type: StorageType | str) -> StorageType:
    return PackedType(type) if type in ("i8", "i16") else ValueType(type)


@frozen
class FieldType:
    """The type of a structure's field, or of an array's elements.

    Attributes:
        type: What it holds: a value type, or an integer of 8 or 16 bits.
        mutable: Whether it can be changed.
    """

    type: StorageType = field(converter=_storage_type)
    mutable: bool = False

    def __str__(self) -> str:
        return f"(mut {self.type})" if self.mutable else str(self.type)


@frozen
class StructType:
    """The type of a structure.

    Attributes:
        fields: The types of its fields, in order.
    """

    fields: tuple[FieldType, ...] = ()

    def __str__(self) -> str:
        return f"struct ({', '.join([str(field) for field in self.fields])})"


@frozen
class ArrayType:
    """The type of an array.

    Attributes:
        element: The type of its elements.
    """

    element: FieldType

    def __str__(self) -> str:
        return f"array of {self.element}"


#: What an entry of the type section defines, without its supertype.
CompositeType = FuncType | StructType | ArrayType


@frozen
class TagType:
    """The type of a tag.

    Attributes:
        type: A function type without results; its parameters are what exceptions with the tag carry.
    """

    type: FuncType


@frozen
class MemoryType:
    """The type of a linear memory; sizes are in pages.

    Attributes:
        minimum: Pages that it has at first.
        maximum: Most pages that it can grow to; None for as many as there can be.
        is64: Whether its addresses have 64 bits.
        shared: Whether threads share it.
        page_size: Bytes in a page.
    """

    minimum: int
    maximum: int | None = None
    is64: bool = field(default=False, kw_only=True)
    shared: bool = field(default=False, kw_only=True)
    page_size: int = field(default=PAGE_SIZE, kw_only=True)


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


ExternType = FuncType | TableType | MemoryType | GlobalType | TagType


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
