"""Types as users give them, made plain: of classes of ours, with numbers that stay what they are.

What is checked here and used there must not change in between, and two types that are equal for one who asks must be so
for all. Objects of derived classes, and numbers that compute in a way of their own, promise nothing of the kind.
"""

from __future__ import annotations

import operator

from wasm_core.types import FuncType, GlobalType, MemoryType, TableType


def _maximum(given: object) -> int | None:
    return None if given is None else operator.index(given)  # type: ignore[arg-type]


def _check(given: object, cls: type) -> None:
    if not issubclass(type(given), cls):
        raise TypeError(f"a {cls.__name__} is needed, not {type(given).__name__}")


def func_type(given: FuncType) -> FuncType:
    """A function type. Raises TypeError for what is none."""
    _check(given, FuncType)
    return FuncType(given.params, given.results)


def memory_type(given: MemoryType) -> MemoryType:
    """A memory type. Raises TypeError for what is none."""
    _check(given, MemoryType)
    minimum = operator.index(given.minimum)
    maximum = _maximum(given.maximum)
    page_size = operator.index(given.page_size)
    return MemoryType(minimum, maximum, is64=bool(given.is64), shared=bool(given.shared), page_size=page_size)


def table_type(given: TableType) -> TableType:
    """A table type. Raises TypeError for what is none."""
    _check(given, TableType)
    return TableType(given.element, operator.index(given.minimum), _maximum(given.maximum), is64=bool(given.is64))


def global_type(given: GlobalType) -> GlobalType:
    """A global type. Raises TypeError for what is none."""
    _check(given, GlobalType)
    return GlobalType(given.value_type, bool(given.mutable))
