"""Tables of machine instructions make what is asked for, once."""

from __future__ import annotations

import pytest

from wasm_ir.codegen.tables import FLOATS, by_operation, by_type, forms
from wasm_ir.types import F32, F64, I32, I64


def test_forms_are_made_once() -> None:
    made: list[str] = []

    def make(row: str) -> list[str]:
        made.append(row)
        return [row]

    table = forms(make, by_type(("narrow", "wide")))
    assert not made
    assert table[I64] == ["wide"]
    assert table[I64] is table[I64]
    assert made == ["wide"]
    with pytest.raises(KeyError):
        table[F32]


def test_rows_by_operation_and_type() -> None:
    assert by_type(("a", "b")) == {I32: "a", I64: "b"}
    assert by_operation({5: ("a", "b"), 7: ("c", "d")}) == {
        5 << 3 | I32: "a",
        5 << 3 | I64: "b",
        7 << 3 | I32: "c",
        7 << 3 | I64: "d",
    }
    assert by_operation({5: ("a", "b")}, FLOATS) == {5 << 3 | F32: "a", 5 << 3 | F64: "b"}
