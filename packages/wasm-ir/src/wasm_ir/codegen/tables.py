"""Tables of machine instructions for instruction selection, from pairs of encodings for both widths of an operation."""

from __future__ import annotations

from collections.abc import Callable

from wasm_ir import types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, TypeVar

    _Row = TypeVar("_Row")
    _Form = TypeVar("_Form")

INTEGERS: Final = (types.I32, types.I64)
FLOATS: Final = (types.F32, types.F64)


def by_type(
    make: Callable[[_Row], _Form], rows: tuple[_Row, _Row], value_types: tuple[int, int] = INTEGERS
) -> dict[int, _Form]:
    """Type -> what is made of its row."""
    return {value_type: make(row) for value_type, row in zip(value_types, rows)}


def by_operation(
    make: Callable[[_Row], _Form], rows: dict[int, tuple[_Row, _Row]], value_types: tuple[int, int] = INTEGERS
) -> dict[int, _Form]:
    """Operation << 3 | type -> what is made of its row."""
    return {
        operation << 3 | value_type: make(row)
        for operation, pair in rows.items()
        for value_type, row in zip(value_types, pair)
    }
