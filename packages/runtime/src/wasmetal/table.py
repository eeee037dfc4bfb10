"""Tables as users hold them."""

from __future__ import annotations

import operator
import weakref

from wasm_core.errors import WasmError
from wasm_core.types import TableType
from wasmetal.glue import values
from wasmetal.store import tables
from wasmetal.store.store import Store
from wasmetal.store.tables import Quota, TableHandle, TableStorage
from wasmetal.system.hold import exclusive, serialized

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
    from typing import Generic

    from typing_extensions import TypeVar

    Element = TypeVar("Element", default=typing.Any)
else:
    from wasm_core import lazy_typing as typing
    from wasm_core.lazy_typing import Generic

    Element = object

#: Most elements of a table that Python makes without a maximum; `Config.max_table_elements` bounds those of modules.
_MAX_ELEMENTS = 10_000_000


@serialized
class Table(TableHandle, Generic[Element]):
    """A table: a resizable array of references, `Func` or None for funcref, any object or None for externref.

    `table[i]` reads and writes an element, `len(table)` is their number; negative indices count from the end.

    For type checkers it has the type of its elements: `Table[Func | None]` is one of funcref; `Table` alone, and what
    the constructor makes, has elements of any type.
    """

    __slots__ = ()

    def __init__(self: Table[typing.Any], type: TableType, init: object = None) -> None:
        """Make a table of `type.minimum` elements.

        Args:
            type: Element type and sizes, in elements.
            init: What all elements are set to.

        Raises:
            ValueError: The sizes contradict each other.
            TypeError: `type` is no TableType, a size no int, or `init` not of the element type.
            WasmError: Too large a one.
        """
        if hasattr(self, "_storage"):
            raise TypeError("a table cannot be initialized twice")
        from wasmetal.store.plain_types import table_type

        type = table_type(type)
        if type.minimum < 0:
            raise ValueError(f"the size of a table must not be negative: {type}")
        if type.maximum is not None and type.minimum > type.maximum:
            raise ValueError(f"the minimum of a table must not be above its maximum: {type}")
        if not type.element.is_reference:
            raise ValueError(f"a table holds references, not {type.element.value}")
        store = Store()
        word = 0
        # Before there is a table: it must never have elements that are not of its type.
        if init is not None or (type.minimum and not type.element.nullable):
            with store.use():
                word = values.to_bits(type.element, init, store)
        storage = TableStorage(type, Quota(_MAX_ELEMENTS), store, word)
        storage.handle = weakref.ref(self)
        self._storage = storage
        self._owner = None

    @property
    def type(self) -> TableType:
        """The type as declared."""
        return self._open().type

    def __len__(self) -> int:
        return len(self._open().words)

    def _index(self, key: typing.SupportsIndex) -> int:
        index = operator.index(key)
        size = len(self)
        if not -size <= index < size:
            raise IndexError(f"table index {index} is out of range: the table has {size} elements")
        return index

    def __getitem__(self, key: typing.SupportsIndex) -> Element:
        """Element `key`. Raises IndexError."""
        storage = self._open()
        index = self._index(key)
        while True:
            bits = storage.words[index]
            found: Element = values.from_bits(storage.type.element, bits, storage.store)  # type: ignore[assignment]
            # Only the element keeps an exception, and somebody may have set it just now.
            if not storage.holds_exceptions or storage.words[index] == bits:
                return found

    def __setitem__(self, key: typing.SupportsIndex, value: Element) -> None:
        """Set element `key`.

        Raises:
            IndexError: There is no such element.
            TypeError: The value is not of the element type.
        """
        storage = self._open()
        index = self._index(key)
        with storage.store.use():
            storage.words[index] = values.to_bits(storage.type.element, value, storage.store)

    def grow(self, count: int, value: Element | None = None) -> int:
        """Add elements.

        Args:
            count: How many.
            value: What they are set to.

        Returns:
            The number of elements before.

        Raises:
            WasmError: Refused: over the maximum, or there is no memory; or another thread runs code that may use the
                table.
            TypeError: The value is not of the element type, or `count` not an int.
            ValueError: `count` is negative.
        """
        count = operator.index(count)
        if count < 0:
            raise ValueError("a table cannot shrink")
        storage = self._open()
        with storage.store.use():
            bits = values.to_bits(storage.type.element, value, storage.store)
            # The elements may move: nobody else must be looking at them, also not by becoming part of the store.
            with exclusive(), storage.store.take(briefly=True):
                previous = storage.grow(count, bits)
        if previous < 0:
            raise WasmError(f"a table of {len(self)} elements cannot grow by {count}: its limit is {storage.limit}")
        return previous

    def __reduce__(self) -> typing.NoReturn:
        raise TypeError("a table cannot be pickled or copied")

    def __repr__(self) -> str:
        storage = self._storage
        if storage is None:
            return "<Table, closed>"
        wide = ", 64-bit" if storage.type.is64 else ""
        return f"<Table of {storage.type.element.value}, {len(self)} elements{wide}>"


tables.table_class = Table
