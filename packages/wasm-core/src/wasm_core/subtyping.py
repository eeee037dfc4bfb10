"""Matching: which types may stand in for which (core specification, section "Validation", "Matching")."""

from __future__ import annotations

from wasm_core.defined_types import ARRAY, FUNC, STRUCT, DefinedType
from wasm_core.types import (
    ArrayType,
    CompositeType,
    ExternType,
    FieldType,
    FuncType,
    GlobalType,
    MemoryType,
    StorageType,
    StructType,
    TableType,
    ValueType,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: The abstract heap types that each one matches.
_ABOVE: Final[dict[str, frozenset[str]]] = {
    heap_type: frozenset((heap_type, *above.split()))
    for heap_type, above in {
        "any": "",
        "eq": "any",
        "i31": "eq any",
        "struct": "eq any",
        "array": "eq any",
        "none": "i31 struct array eq any",
        "func": "",
        "nofunc": "func",
        "extern": "",
        "noextern": "extern",
        "exn": "",
        "noexn": "exn",
    }.items()
}
#: The abstract heap type right above the defined types of a form, and the one below all of them.
_TOP_OF_FORM: Final[dict[int, str]] = {FUNC: "func", STRUCT: "struct", ARRAY: "array"}
_BOTTOM_OF_FORM: Final[dict[int, str]] = {FUNC: "nofunc", STRUCT: "none", ARRAY: "none"}


def matches(found: ValueType, expected: ValueType) -> bool:
    """Whether values of type `found` are values of type `expected`."""
    if found == expected:
        return True
    heap_type = found.heap_type
    expected_heap_type = expected.heap_type
    if heap_type is None or expected_heap_type is None or (found.nullable and not expected.nullable):
        return False
    return heap_type_matches(heap_type, expected_heap_type)


def heap_type_matches(found: str | DefinedType, expected: str | DefinedType) -> bool:
    """Whether what is of heap type `found` is of heap type `expected`."""
    if isinstance(found, str):
        if isinstance(expected, str):
            return expected in _ABOVE[found]
        return found == _BOTTOM_OF_FORM[expected.form]
    if isinstance(expected, str):
        return expected in _ABOVE[_TOP_OF_FORM[found.form]]
    return found.matches(expected)


def top_of(heap_type: str | DefinedType) -> str:
    """The heap type above all others that have anything to do with one."""
    name = heap_type if isinstance(heap_type, str) else _TOP_OF_FORM[heap_type.form]
    for top in ("any", "func", "extern"):
        if top in _ABOVE[name]:
            return top
    return "exn"


def composite_matches(found: CompositeType, expected: CompositeType) -> bool:
    """Whether the structure of a type allows it to be declared a subtype of another."""
    if isinstance(found, FuncType):
        return (
            isinstance(expected, FuncType)
            and len(found.params) == len(expected.params)
            and len(found.results) == len(expected.results)
            and all(matches(wide, narrow) for wide, narrow in zip(expected.params, found.params))
            and all(matches(narrow, wide) for narrow, wide in zip(found.results, expected.results))
        )
    if isinstance(found, StructType):
        return (
            isinstance(expected, StructType)
            and len(found.fields) >= len(expected.fields)
            and all(_field_matches(mine, its) for mine, its in zip(found.fields, expected.fields))
        )
    return isinstance(expected, ArrayType) and _field_matches(found.element, expected.element)


def _field_matches(found: FieldType, expected: FieldType) -> bool:
    if found.mutable or expected.mutable:
        return found == expected
    return storage_matches(found.type, expected.type)


def storage_matches(found: StorageType, expected: StorageType) -> bool:
    """Whether fields of type `found` can be read as fields of type `expected`."""
    if isinstance(found, ValueType) and isinstance(expected, ValueType):
        return matches(found, expected)
    return found == expected


def _limits_match(found: MemoryType | TableType, expected: MemoryType | TableType) -> bool:
    if found.is64 != expected.is64 or found.minimum < expected.minimum:
        return False
    return expected.maximum is None or (found.maximum is not None and found.maximum <= expected.maximum)


def import_matches(found: ExternType, expected: ExternType) -> bool:
    """Whether an import of type `expected` can be given something of type `found`.

    Core specification, section "Matching", "External Types". Functions and tags need more than their types tell: ask
    `DefinedType.matches` for functions, and for tags whether their `DefinedType`s are equal. Of memories and tables,
    `found.minimum` is their size now.
    """
    if isinstance(found, GlobalType) and isinstance(expected, GlobalType):
        if found.mutable or expected.mutable:
            return found == expected
        return matches(found.value_type, expected.value_type)
    if isinstance(found, TableType) and isinstance(expected, TableType):
        return found.element == expected.element and _limits_match(found, expected)
    if isinstance(found, MemoryType) and isinstance(expected, MemoryType):
        same = found.shared == expected.shared and found.page_size == expected.page_size
        return same and _limits_match(found, expected)
    return found == expected
