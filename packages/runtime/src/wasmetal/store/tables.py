"""What tables are made of (core specification, section "Table Instances")."""

from __future__ import annotations

import weakref
from array import array

from wasm_core.errors import WasmError
from wasm_core.types import TableType
from wasm_ir.vmcontext import TABLE
from wasmetal.store.exception_roots import EXCEPTION_TYPES
from wasmetal.store.groups import Group
from wasmetal.store.store import Members, Store
from wasmetal.system.hold import serialized

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasmetal.store.members import Instance

_ELEMENTS = TABLE["elements"] // 8
_SIZE = TABLE["size"] // 8


_NO_ELEMENTS = array("Q").__sizeof__()


def _capacity(words: array[int]) -> int:
    """How many words there can be before they move to another place."""
    return (words.__sizeof__() - _NO_ELEMENTS) // words.itemsize


#: The elements of a table that are not there (`wasmetal.store.resting`).
UNMADE: Final = array("Q")


class Elements:
    """The memory of a table."""

    __slots__ = ("struct", "unmade", "words")

    def __init__(self, words: array[int], unmade: int = 0) -> None:
        """`unmade`: how many elements there are to be, where there are none yet."""
        #: The elements: funcref addresses or externref handles, 0 is null.
        self.words = words
        #: The TABLE structure.
        self.struct = array("Q", words.buffer_info())
        self.unmade = unmade


class Quota:
    """What the tables of one instance may have together."""

    __slots__ = ("left",)

    def __init__(self, elements: int) -> None:
        #: Elements that they may have besides those that they have.
        self.left = elements


@serialized
class TableStorage:
    """What a table consists of, without any reference to instances."""

    __slots__ = (
        "__weakref__",
        "definer_closed",
        "elements",
        "group",
        "handle",
        "importers",
        "life",
        "quota",
        "store",
        "type",
    )

    def __init__(
        self, type: TableType, quota: Quota, store: Store, word: int = 0, *, alone: bool = False, made: bool = True
    ) -> None:
        """`word`: what the elements start as; `alone`: see `Store.add_holder`; `made`: whether they are made now."""
        self.type = type
        self.quota = quota
        if type.minimum > quota.left:
            raise WasmError(f"a table of {type.minimum} elements is over the limit of {quota.left}")
        quota.left -= type.minimum
        self.elements = Elements(array("Q", (word,)) * type.minimum) if made else Elements(UNMADE, type.minimum)
        #: See `store.Members`.
        self.life = object()
        #: Set by the store; replaced when stores are merged.
        self.store: Store
        store.add_holder(self, alone=alone)
        #: Instances that keep each other alive because they share this table; None where there is one at most.
        self.group: Group | None = None
        #: The `Table` that Python sees, while there is one.
        self.handle: weakref.ref[TableHandle] | None = None
        #: See `wasmetal.store.sharing`.
        self.importers: Members[Instance] | None = None
        self.definer_closed = False

    @property
    def words(self) -> array[int]:
        """The elements."""
        return self.elements.words

    @property
    def struct(self) -> array[int]:
        """The TABLE structure."""
        return self.elements.struct

    @property
    def holds_exceptions(self) -> bool:
        """Whether elements are references to exceptions."""
        return self.type.element.heap_type in EXCEPTION_TYPES

    @property
    def address(self) -> int:
        """Address of the TABLE structure."""
        return self.struct.buffer_info()[0]

    @property
    def limit(self) -> int:
        """Most elements that it can have, as things are."""
        limit = len(self.words) + self.quota.left
        return limit if self.type.maximum is None else min(limit, self.type.maximum)

    def fill(self, word: int) -> None:
        """Set all elements of a new table."""
        # Same length: they stay where they are.
        self.words[:] = array("Q", (word,)) * len(self.words)

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
                if _capacity(words) >= previous + count:
                    # They stay where they are, if no handler has used the room meanwhile. No call stands between these.
                    if self.elements.words is words and not words[previous:]:
                        words += added
                        self.elements.struct[_SIZE] = previous + count
                        self.quota.left -= count
                        return previous
                    continue
                grown = words[:]
                grown.extend(added)
            except MemoryError:
                return -1
            elements = grown.buffer_info()[0]
            # No call stands between these. What a handler changed meanwhile must not get lost.
            found = self.elements
            if found.words is words and grown[:previous] == words:
                found.struct[_ELEMENTS] = elements
                found.struct[_SIZE] = previous + count
                found.words = grown
                self.quota.left -= count
                return previous

    def as_table(self, owner: Instance | None) -> TableHandle:
        """The object that Python sees: the same one as long as it is alive."""
        table = self.handle() if self.handle is not None else None
        if table is None:
            table = table_class.__new__(table_class)
            table._storage = self
            table._owner = owner
            self.handle = weakref.ref(table)
        return table

    def close_handle(self) -> None:
        """Close the object that Python sees, if there is one."""
        handle = None if self.handle is None else self.handle()
        if handle is not None:
            handle._close()


class TableHandle:
    """What a `wasmetal.Table` is to this room."""

    __slots__ = ("__weakref__", "_owner", "_storage")

    if TYPE_CHECKING:
        _storage: TableStorage | None
        #: The instance that exports it, which elements may refer to.
        _owner: Instance | None

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


#: The class of tables: who defines it puts it here.
table_class: type[TableHandle] = TableHandle


def matching_type(storage: TableStorage) -> TableType:
    """The type that an import is matched with: the minimum is the present size."""
    type = storage.type
    return TableType(type.element, len(storage.words), type.maximum, is64=type.is64)
