"""Global variables as users hold them."""

from __future__ import annotations

import weakref
from array import array

from wasm_core.types import GlobalType
from wasm_ir.vmcontext import GLOBAL_SIZE
from wasmetal.glue import values
from wasmetal.store import global_cells
from wasmetal.store.global_cells import GlobalCell, GlobalHandle
from wasmetal.store.store import Store
from wasmetal.system.hold import serialized

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
    from typing import Generic

    from typing_extensions import TypeVar

    Value = TypeVar("Value", default=typing.Any)
else:
    from wasm_core import lazy_typing as typing
    from wasm_core.lazy_typing import Generic

    Value = object


@serialized
class Global(GlobalHandle, Generic[Value]):
    """A global variable.

    For type checkers it has the type of its value: `Global[int]` is one of i32 or i64; `Global` alone, and what the
    constructor makes, has a value of any type.
    """

    __slots__ = ()

    def __init__(self: Global[typing.Any], type: GlobalType, value: object = None) -> None:
        """Make a global.

        Args:
            type: Value type, and whether it can be changed.
            value: What it is set to. None stands for zero or null.

        Raises:
            TypeError: The value is not of the type, or `type` no GlobalType.
            OverflowError: It is out of the type's range.
            Unsupported: There are no values of the type yet.
        """
        if hasattr(self, "_cell"):
            raise TypeError("a global cannot be initialized twice")
        from wasmetal.store.plain_types import global_type

        type = global_type(type)
        words = array("Q", bytes(GLOBAL_SIZE))
        store = Store() if type.value_type.is_reference else None
        cell = GlobalCell(type, words, words.buffer_info()[0], store)
        # Before it is a global: it must never have a value that is not of its type.
        if value is not None or (type.value_type.is_reference and not type.value_type.nullable):
            _set(cell, value)
        cell.handle = weakref.ref(self)
        self._cell = cell
        self._owner = None

    @property
    def type(self) -> GlobalType:
        """Value type, and whether it can be changed."""
        return self._open().type

    @property
    def value(self) -> Value:
        """The value: int for i32 and i64 (signed), float for f32 and f64, 16 bytes for v128, Func or None for funcref,
        any object or None for externref.

        Setting it raises AttributeError if the global is immutable, TypeError or OverflowError for what is not of its
        type.
        """
        cell = self._open()
        while True:
            bits = cell.bits
            found: Value = values.from_bits(cell.type.value_type, bits, cell.store)  # type: ignore[assignment]
            # Only the global keeps an exception, and somebody may have set it just now.
            if not cell.holds_exceptions or cell.bits == bits:
                return found

    @value.setter
    def value(self, value: Value) -> None:
        if not self._open().type.mutable:
            raise AttributeError("the global is immutable")
        _set(self._open(), value)

    def __reduce__(self) -> typing.NoReturn:
        raise TypeError("a global cannot be pickled or copied")

    def __repr__(self) -> str:
        cell = self._cell
        if cell is None:
            return "<Global, closed>"
        return f"<Global {'mutable ' if cell.type.mutable else ''}{cell.type.value_type.value} = {self.value!r}>"


def _set(cell: GlobalCell, value: object) -> None:
    if cell.store is None:
        cell.bits = values.to_bits(cell.type.value_type, value, None)
        return
    with cell.store.use():
        cell.bits = values.to_bits(cell.type.value_type, value, cell.store)


global_cells.global_class = Global
