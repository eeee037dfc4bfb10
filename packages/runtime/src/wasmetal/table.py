"""Tables (core specification, section "Runtime Structure", "Table Instances")."""

from __future__ import annotations

import operator
import weakref
from array import array
from typing import TYPE_CHECKING, NoReturn, SupportsIndex

from wasm_core.errors import WasmError
from wasm_core.types import TableType
from wasm_ir.vmcontext import TABLE
from wasmetal.glue import values
from wasmetal.store.store import Store

if TYPE_CHECKING:
    from wasmetal.store.groups import Group
    from wasmetal.store.instance_core import InstanceCore

#: Most elements of a table that Python makes without a maximum; `Config.max_table_elements` bounds those of modules.
_MAX_ELEMENTS = 10_000_000

_ELEMENTS = TABLE["elements"] // 8
_SIZE = TABLE["size"] // 8


_NO_ELEMENTS = array("Q").__sizeof__()


def _capacity(words: array[int]) -> int:
    """How many words there can be before they move to another place."""
    return (words.__sizeof__() - _NO_ELEMENTS) // words.itemsize


class Quota:
    """What the tables of one instance may have together."""

    __slots__ = ("left",)

    def __init__(self, elements: int) -> None:
        #: Elements that they may have besides those that they have.
        self.left = elements


class TableStorage:
    """What a table consists of, without any reference to instances."""

    __slots__ = ("__weakref__", "group", "handle", "quota", "store", "struct", "type", "words")

    def __init__(self, type: TableType, quota: Quota, store: Store) -> None:
        self.type = type
        self.quota = quota
        if type.minimum > quota.left:
            raise WasmError(f"a table of {type.minimum} elements is over the limit of {quota.left}")
        quota.left -= type.minimum
        #: The elements: funcref addresses or externref handles, 0 is null.
        self.words = array("Q", bytes(8 * type.minimum))
        #: The TABLE structure.
        self.struct = array("Q", (self.words.buffer_info()[0], type.minimum))
        #: Set by the store; replaced when stores are merged.
        self.store: Store
        store.add_table(self)
        #: Instances that keep each other alive because they share this table; None where there is one at most.
        self.group: Group | None = None
        #: The `Table` that Python sees, while there is one.
        self.handle: weakref.ref[Table] | None = None

    @property
    def address(self) -> int:
        """Address of the TABLE structure."""
        return self.struct.buffer_info()[0]

    @property
    def limit(self) -> int:
        """Most elements that it can have, as things are."""
        limit = len(self.words) + self.quota.left
        return limit if self.type.maximum is None else min(limit, self.type.maximum)

    def grow(self, count: int, word: int) -> int:
        """As the instruction table.grow: the previous size, or -1."""
        while True:
            words = self.words
            previous = len(words)
            if previous + count > self.limit:
                return -1
            # Only the thread that runs the store can be looking at the elements, and it is here: in a signal handler,
            # perhaps, when they have moved and the structure does not say so yet. So they move to a new place.
            try:
                added = array("Q", (word,)) * count
                grown = words if _capacity(words) >= previous + count else words[:]
                grown.extend(added)
            except MemoryError:
                return -1
            if grown is words:
                self.quota.left -= count
                if self.struct[_SIZE] < previous + count:
                    self.struct[_SIZE] = previous + count
                return previous
            elements = grown.buffer_info()[0]
            # No call stands between these. What a handler changed meanwhile must not get lost.
            if self.words is words and grown[:previous] == words:
                self.struct[_ELEMENTS] = elements
                self.struct[_SIZE] = previous + count
                self.words = grown
                self.quota.left -= count
                return previous

    def as_table(self, owner: InstanceCore | None) -> Table:
        """The object that Python sees: the same one as long as it is alive."""
        table = self.handle() if self.handle is not None else None
        if table is None:
            table = Table.__new__(Table)
            table._storage = self
            table._owner = owner
            self.handle = weakref.ref(table)
        return table


class Table:
    """A table: a resizable array of references, `Func` or None for funcref, any object or None for externref.

    `table[i]` reads and writes an element, `len(table)` is their number; negative indices count from the end.
    """

    __slots__ = ("__weakref__", "_owner", "_storage")

    _storage: TableStorage | None
    #: The instance that exports it, which elements may refer to.
    _owner: InstanceCore | None

    def __init__(self, type: TableType, init: object = None) -> None:
        """Make a table of `type.minimum` elements.

        Args:
            type: Element type and sizes, in elements.
            init: What all elements are set to.

        Raises:
            ValueError: The sizes contradict each other.
            TypeError: `init` is not of the element type.
            WasmError: 64-bit tables, or too large a one.
        """
        if type.is64:
            raise WasmError("64-bit tables are not supported")
        if type.maximum is not None and type.minimum > type.maximum:
            raise ValueError(f"the minimum of a table must not be above its maximum: {type}")
        if not type.element.is_reference:
            raise ValueError(f"a table holds references, not {type.element.value}")
        storage = TableStorage(type, Quota(_MAX_ELEMENTS), Store())
        storage.handle = weakref.ref(self)
        self._storage = storage
        self._owner = None
        if init is not None:
            for index in range(type.minimum):
                self[index] = init

    def _open(self) -> TableStorage:
        storage = self._storage
        if storage is None:
            raise WasmError("the table's instance is closed")
        return storage

    def _close(self) -> None:
        storage = self._storage
        if storage is not None:
            storage.handle = None
        self._storage = None
        self._owner = None

    @property
    def type(self) -> TableType:
        """The type as declared."""
        return self._open().type

    def __len__(self) -> int:
        return len(self._open().words)

    def _index(self, key: SupportsIndex) -> int:
        index = operator.index(key)
        size = len(self)
        if not -size <= index < size:
            raise IndexError(f"table index {index} is out of range: the table has {size} elements")
        return index

    def __getitem__(self, key: SupportsIndex) -> object:
        """Element `key`. Raises IndexError."""
        storage = self._open()
        return values.from_bits(storage.type.element, storage.words[self._index(key)], storage.store)

    def __setitem__(self, key: SupportsIndex, value: object) -> None:
        """Set element `key`.

        Raises:
            IndexError: There is no such element.
            TypeError: The value is not of the element type.
        """
        storage = self._open()
        index = self._index(key)
        with storage.store.use():
            storage.words[index] = values.to_bits(storage.type.element, value, storage.store)

    def grow(self, count: int, value: object = None) -> int:
        """Add elements.

        Args:
            count: How many.
            value: What they are set to.

        Returns:
            The number of elements before.

        Raises:
            WasmError: Refused: over the maximum, or there is no memory; or another thread runs code that may use the
                table.
            TypeError: The value is not of the element type.
            ValueError: `count` is negative.
        """
        if count < 0:
            raise ValueError("a table cannot shrink")
        storage = self._open()
        with storage.store.use():
            bits = values.to_bits(storage.type.element, value, storage.store)
            # The elements may move: nobody else must be looking at them.
            with storage.store.take():
                previous = storage.grow(count, bits)
        if previous < 0:
            raise WasmError(f"a table of {len(self)} elements cannot grow by {count}: its limit is {storage.limit}")
        return previous

    def __reduce__(self) -> NoReturn:
        raise TypeError("a table cannot be pickled or copied")

    def __repr__(self) -> str:
        storage = self._storage
        return (
            "<Table, closed>" if storage is None else f"<Table of {storage.type.element.value}, {len(self)} elements>"
        )


def matching_type(storage: TableStorage) -> TableType:
    """The type that an import is matched with: the minimum is the present size."""
    type = storage.type
    return TableType(type.element, len(storage.words), type.maximum, is64=type.is64)
