"""Listeners: objects that see every call of a module's functions."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from wasm_core.lazy_attrs import frozen
from wasm_core.types import FuncType, ValueType
from wasmetal.glue import values

if TYPE_CHECKING:
    from wasmetal.glue.values import References


@frozen
class FunctionDefinition:
    """Which function a listener is told about.

    Attributes:
        index: Index in the module's function index space.
        name: Name from the name section or an export, or None.
        module_name: The module's own name from the name section, or None.
        type: Its type.
    """

    index: int
    name: str | None
    module_name: str | None
    type: FuncType


@runtime_checkable
class Listener(Protocol):
    """Given to `Engine.compile(source, listener=...)`; sees the calls of all functions that the module defines.

    An exception that a method raises goes to the caller of the WebAssembly code, as one of a host function does.
    """

    def before(self, definition: FunctionDefinition, params: tuple[object, ...]) -> None:
        """The function is about to run with these arguments."""
        ...

    def after(self, definition: FunctionDefinition, results: tuple[object, ...]) -> None:
        """The function has returned these results. Not called when a trap, an exception or a tail call has left it."""
        ...


def values_at(types: Sequence[ValueType], address: int, store: References) -> tuple[object, ...]:
    """The values of as many slots at `address` as the types take."""
    count = values.slot_count(types)
    slots = list((ctypes.c_uint64 * count).from_address(address)) if count else []
    return tuple(values.from_slots(types, slots, store))
