"""Types as users give them, made plain: of classes of ours, with numbers that stay what they are.

What is checked here and used there must not change in between, and two types that are equal for one who asks must be so
for all. Objects of derived classes, and numbers that compute in a way of their own, promise nothing of the kind.
"""

from __future__ import annotations

import operator

from wasm_core.quoting import shown
from wasm_core.types import FuncType, GlobalType, MemoryType, TableType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


def _size(what: str, given: object) -> int:
    try:
        return operator.index(given)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"the {what} must be an int, not {shown(type(given).__name__)}") from None


def _maximum(given: object) -> int | None:
    return None if given is None else _size("maximum", given)


#: What to write, by the class.
_EXAMPLES: Final[dict[type, str]] = {
    FuncType: 'FuncType(["i32", "i32"], ["i32"])',
    MemoryType: "MemoryType(minimum=1, maximum=10)",
    TableType: 'TableType("funcref", minimum=10)',
    GlobalType: 'GlobalType("i32", mutable=True)',
}


def _check(given: object, cls: type) -> None:
    if not issubclass(type(given), cls):
        # (the class itself is a usual mistake)
        what = f"the class {given.__name__}" if isinstance(given, type) else type(given).__name__
        others = " (or sizes in pages, as in Memory(1, 10))" if cls is MemoryType else ""
        raise TypeError(f"a {cls.__name__}{others} is needed, such as {_EXAMPLES[cls]}, not {shown(what)}")


def func_type(given: FuncType) -> FuncType:
    """A function type. Raises TypeError for what is none."""
    _check(given, FuncType)
    return FuncType(given.params, given.results)


def memory_type(given: MemoryType) -> MemoryType:
    """A memory type. Raises TypeError for what is none."""
    _check(given, MemoryType)
    minimum = _size("minimum", given.minimum)
    maximum = _maximum(given.maximum)
    page_size = _size("page size", given.page_size)
    return MemoryType(minimum, maximum, is64=bool(given.is64), shared=bool(given.shared), page_size=page_size)


def table_type(given: TableType) -> TableType:
    """A table type. Raises TypeError for what is none."""
    _check(given, TableType)
    return TableType(given.element, _size("minimum", given.minimum), _maximum(given.maximum), is64=bool(given.is64))


def global_type(given: GlobalType) -> GlobalType:
    """A global type. Raises TypeError for what is none."""
    _check(given, GlobalType)
    return GlobalType(given.value_type, bool(given.mutable))
