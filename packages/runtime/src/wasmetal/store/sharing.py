"""Which instances use a memory, a table or a global, so that `close` knows whether Python may go on using it.

That is about the objects that Python sees only: what they stand for is owned by reference (docs/ownership.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from weakref import ref

from wasmetal.store.store import Members
from wasmetal.system.hold import exclusive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from wasmetal.store.members import Instance
else:
    from wasm_core.lazy_typing import Protocol


class Shared(Protocol):
    """What a memory, a table or a global consists of."""

    #: Instances that import it; None as long as none has.
    importers: Members[Instance] | None
    #: Whether the instance that defined it has been closed. What Python made has no such instance.
    definer_closed: bool

    def close_handle(self) -> None:
        """Close the object that Python sees, if there is one."""


def add_importer(items: Iterable[Shared], instance: Instance) -> None:
    """Note that an instance imports these."""
    with exclusive():
        for item in items:
            if item.importers is None:
                item.importers = Members()
            item.importers.add(ref(instance))


def close_handles(items: Iterable[Shared], *, defined: bool) -> None:
    """Close the objects that Python has for what a closed instance defined or imported.

    Those stay open that an open instance still uses: the one that defined it, or one that imports it.
    """
    with exclusive():
        for item in items:
            if defined:
                item.definer_closed = True
            if not item.definer_closed:
                continue
            if item.importers is not None and any(not importer.closed for importer in item.importers.alive()):
                continue
            item.close_handle()
