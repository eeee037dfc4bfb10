"""What global variables are made of (core specification, section "Global Instances")."""

from __future__ import annotations

import ctypes
import weakref
from array import array

from wasm_core.errors import WasmError
from wasm_core.types import GlobalType, ValueType
from wasmetal.store.exception_roots import EXCEPTION_TYPES
from wasmetal.store.groups import Group
from wasmetal.store.store import Members, Store
from wasmetal.system.hold import serialized

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wasmetal.store.members import Instance


@serialized
class GlobalCell:
    """Where a global's value is, without any reference to instances."""

    __slots__ = (
        "__weakref__",
        "address",
        "definer_closed",
        "group",
        "handle",
        "importers",
        "life",
        "store",
        "type",
        "words",
    )

    def __init__(self, type: GlobalType, words: array[int], address: int, store: Store | None) -> None:
        """`words`: the array that has the cell; `store`: for reference types, else None."""
        self.type = type
        #: The array that has the cell.
        self.words = words
        self.address = address
        #: See `store.Members`.
        self.life = object()
        self.store: Store | None = None
        if store is not None:
            store.add_holder(self)
        #: Instances that keep each other alive because they share this global; None where there is one at most.
        self.group: Group | None = None
        #: The `Global` that Python sees, while there is one.
        self.handle: weakref.ref[GlobalHandle] | None = None
        #: See `wasmetal.store.sharing`.
        self.importers: Members[Instance] | None = None
        self.definer_closed = False

    @property
    def holds_exceptions(self) -> bool:
        """Whether the value is a reference to an exception."""
        return self.type.value_type.heap_type in EXCEPTION_TYPES

    @property
    def bits(self) -> int:
        """The value's bits, unsigned."""
        size = 16 if self.type.value_type is ValueType.V128 else 8
        return int.from_bytes(ctypes.string_at(self.address, size), "little")

    @bits.setter
    def bits(self, bits: int) -> None:
        ctypes.memmove(self.address, bits.to_bytes(16, "little"), 16)

    def as_global(self, owner: Instance | None) -> GlobalHandle:
        """The object that Python sees: the same one as long as it is alive."""
        found = self.handle() if self.handle is not None else None
        if found is None:
            found = global_class.__new__(global_class)
            found._cell = self
            # Only a reference can lead back to the instance.
            found._owner = owner if self.store is not None else None
            self.handle = weakref.ref(found)
        return found

    def close_handle(self) -> None:
        """Close the object that Python sees, if there is one."""
        handle = None if self.handle is None else self.handle()
        if handle is not None:
            handle._close()


class GlobalHandle:
    """What a `wasmetal.Global` is to this room."""

    __slots__ = ("__weakref__", "_cell", "_owner")

    if TYPE_CHECKING:
        _cell: GlobalCell | None
        #: The instance that exports it, which its value may refer to.
        _owner: Instance | None

    def __init__(self, type: GlobalType, value: object = None) -> None:
        raise NotImplementedError

    def _open(self) -> GlobalCell:
        cell = self._cell
        if cell is None:
            raise WasmError("the global's instance is closed")
        return cell

    def _close(self) -> None:
        cell = self._cell
        if cell is not None:
            cell.handle = None
        self._cell = None
        self._owner = None


#: The class of globals: who defines it puts it here.
global_class: type[GlobalHandle] = GlobalHandle
