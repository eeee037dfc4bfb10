"""Numbers for function types, which `call_indirect` compares (core specification, section "Function Instances")."""

from __future__ import annotations

import itertools

from wasm_core.types import FuncType

_type_ids: dict[FuncType, int] = {}
_next_type_id = itertools.count(1)


def function_type_id(type: FuncType) -> int:
    """The number, never 0, that stands for a type in this process: equal types have equal numbers."""
    number = _type_ids.get(type)
    return _type_ids.setdefault(type, next(_next_type_id)) if number is None else number
