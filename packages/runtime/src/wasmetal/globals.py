"""Global variables (core specification, section "Runtime Structure", "Global Instances")."""

from __future__ import annotations

import ctypes
import weakref
from array import array
from typing import TYPE_CHECKING, NoReturn

from wasm_core.errors import WasmError
from wasm_core.types import GlobalType, ValueType
from wasm_ir.vmcontext import GLOBAL_SIZE
from wasmetal.glue import values
from wasmetal.store.store import Store

if TYPE_CHECKING:
    from wasmetal.store.groups import Group
    from wasmetal.store.instance_core import InstanceCore


class GlobalCell:
    """Where a global's value is, without any reference to instances."""

    __slots__ = ("__weakref__", "address", "group", "handle", "store", "type", "words")

    def __init__(self, type: GlobalType, words: array[int], address: int, store: Store | None) -> None:
        """`words`: the array that has the cell; `store`: for reference types, else None."""
        self.type = type
        #: The array that has the cell.
        self.words = words
        self.address = address
        self.store: Store | None = None
        if store is not None:
            store.add_global(self)
        #: Instances that keep each other alive because they share this global; None where there is one at most.
        self.group: Group | None = None
        #: The `Global` that Python sees, while there is one.
        self.handle: weakref.ref[Global] | None = None

    @property
    def bits(self) -> int:
        """The value's bits, unsigned."""
        size = 16 if self.type.value_type is ValueType.V128 else 8
        return int.from_bytes(ctypes.string_at(self.address, size), "little")

    @bits.setter
    def bits(self, bits: int) -> None:
        ctypes.memmove(self.address, bits.to_bytes(16, "little"), 16)

    def as_global(self, owner: InstanceCore | None) -> Global:
        """The object that Python sees: the same one as long as it is alive."""
        found = self.handle() if self.handle is not None else None
        if found is None:
            found = Global.__new__(Global)
            found._cell = self
            # Only a reference can lead back to the instance.
            found._owner = owner if self.store is not None else None
            self.handle = weakref.ref(found)
        return found


class Global:
    """A global variable."""

    __slots__ = ("__weakref__", "_cell", "_owner")

    _cell: GlobalCell | None
    #: The instance that exports it, which its value may refer to.
    _owner: InstanceCore | None

    def __init__(self, type: GlobalType, value: object = None) -> None:
        """Make a global.

        Args:
            type: Value type, and whether it can be changed.
            value: What it is set to. None stands for zero or null.

        Raises:
            TypeError: The value is not of the type.
            OverflowError: It is out of the type's range.
        """
        words = array("Q", bytes(GLOBAL_SIZE))
        store = Store() if type.value_type.is_reference else None
        cell = GlobalCell(type, words, words.buffer_info()[0], store)
        cell.handle = weakref.ref(self)
        self._cell = cell
        self._owner = None
        if value is not None:
            self._set(value)

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

    @property
    def type(self) -> GlobalType:
        """Value type, and whether it can be changed."""
        return self._open().type

    @property
    def value(self) -> object:
        """The value.

        Setting it raises AttributeError if the global is immutable, TypeError or OverflowError for what is not of its
        type.
        """
        cell = self._open()
        return values.from_bits(cell.type.value_type, cell.bits, cell.store)

    @value.setter
    def value(self, value: object) -> None:
        if not self._open().type.mutable:
            raise AttributeError("the global is immutable")
        self._set(value)

    def _set(self, value: object) -> None:
        cell = self._open()
        if cell.store is None:
            cell.bits = values.to_bits(cell.type.value_type, value, None)
            return
        with cell.store.use():
            cell.bits = values.to_bits(cell.type.value_type, value, cell.store)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a global cannot be pickled or copied")

    def __repr__(self) -> str:
        cell = self._cell
        if cell is None:
            return "<Global, closed>"
        return f"<Global {'mutable ' if cell.type.mutable else ''}{cell.type.value_type.value} = {self.value!r}>"
