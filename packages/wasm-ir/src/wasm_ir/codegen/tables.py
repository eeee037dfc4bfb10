"""Tables of machine instructions for instruction selection, from pairs of encodings for both widths of an operation.

Most instructions are in no code of a process, so a table makes them when they are first asked for.
"""

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


class _Forms(dict[int, object]):
    """What is not there yet is made of its row."""

    __slots__ = ("_make", "_rows")

    def __init__(self, make: Callable[[_Row], object], rows: dict[int, _Row]) -> None:
        self._make = make
        self._rows = rows

    def __missing__(self, key: int) -> object:
        form = self[key] = self._make(self._rows[key])
        return form


def forms(make: Callable[[_Row], _Form], rows: dict[int, _Row]) -> dict[int, _Form]:
    """Key -> what is made of its row, for subscripts alone: `in` and `get` know only what was made before."""
    return _Forms(make, rows)  # type: ignore[return-value]


def by_type(rows: tuple[_Row, _Row], value_types: tuple[int, int] = INTEGERS) -> dict[int, _Row]:
    """Type -> its row."""
    return dict(zip(value_types, rows))


def by_operation(rows: dict[int, tuple[_Row, _Row]], value_types: tuple[int, int] = INTEGERS) -> dict[int, _Row]:
    """Operation << 3 | type -> its row."""
    first, second = value_types
    found: dict[int, _Row] = {}
    for operation, (narrow, wide) in rows.items():
        found[operation << 3 | first] = narrow
        found[operation << 3 | second] = wide
    return found
