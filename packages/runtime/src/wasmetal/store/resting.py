"""What only code that runs looks at, of an instance with many functions in tables: their FUNCREFs, and private tables.

It is the same in all instances of a module but for addresses, and is there from the time on at which the instance's
store gets a stack (`Store.give_stack`) until that is taken away. Python looks at none of it: a function that it gets
out of a table makes the store keep its stack (`InstanceCore.function_at`).
"""

from __future__ import annotations

import ctypes
from array import array
from collections import deque
from collections.abc import Sequence

from wasm_core.module import ExternKind
from wasm_ir.vmcontext import TABLE, ContextLayout
from wasmetal.compiled.template import FUNCREF_CONTEXT, FUNCREF_WORDS, Template
from wasmetal.glue.ticker_layout import RESTS
from wasmetal.store.tables import UNMADE, Elements
from wasmetal.system.hold import FREE_THREADED, serialized
from wasmetal.system.host import host
from wasmetal.system.lifetime import untrack_resource
from wasmetal.system.shared_mappings import Piece

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    from wasm_core.module import DecodedModule
    from wasmetal.compiled.template import ElementPlan

_ELEMENTS: Final = TABLE["elements"] // 8
_SIZE: Final = TABLE["size"] // 8

#: Fewer bytes of FUNCREFs than this are always there.
_LEAST: Final = 4 * host.PAGE
#: Fewer elements of a table.
_LEAST_ELEMENTS: Final = 128
#: VMContexts without an instance that are kept, at most, by module.
_KEEP: Final = 16

#: By module: VMContexts without an instance, and the version of the template that their functions are of, 0 for none.
Pool = deque[tuple[Piece, int]]


class RestingPlan:
    """What that is for all instances of a module."""

    __slots__ = ("count", "end", "head", "named", "pool", "tables", "template", "type", "unwritten")

    def __init__(self, module: DecodedModule, layout: ContextLayout, template: Template) -> None:
        self.template = template
        #: A bit for each table that no instruction writes.
        self.unwritten = layout.unwritten_tables
        #: Words of a VMContext, and what they are to ctypes; they keep what they are in.
        self.count = len(template.words)
        self.type: Any = type("Words", (ctypes.c_uint64 * self.count,), {"__slots__": ("block",)})
        #: The words that are always there, up to `end`; among them, those that say in which VMContext a function is.
        named, self.end = template.named
        self.head = memoryview(template.words)[: self.end]
        self.named = [self.end - FUNCREF_WORDS * number + FUNCREF_CONTEXT for number in range(named, 0, -1)]
        self.tables = _private_tables(module, template)
        self.pool: Pool = deque(maxlen=_KEEP)

    def parts(self) -> RestingParts:
        """Those of one more instance. Raises OSError, MemoryError."""
        return RestingParts(self)


def resting_plan(module: DecodedModule, layout: ContextLayout, template: Template) -> RestingPlan | None:
    """The plan for a module, if it has so many functions in tables that it is worth while."""
    if host.DISCARD_AT_ONCE is None or 8 * (len(template.words) - template.named[1]) < _LEAST:
        return None
    return RestingPlan(module, layout, template)


class _Block:
    """Where a VMContext is. It goes with the words that have it."""

    __slots__ = ("_pool", "piece", "version")

    def __init__(self, plan: RestingPlan) -> None:
        if FREE_THREADED:
            untrack_resource(self)
        self._pool = plan.pool
        try:
            self.piece, self.version = plan.pool.pop()
        except IndexError:
            self.piece, self.version = Piece(8 * plan.count), 0

    # Bound at definition, because module globals may be gone when the interpreter shuts down.
    @serialized
    def __del__(self, keep: int = _KEEP) -> None:
        if hasattr(self, "piece") and len(self._pool) < keep:
            self._pool.append((self.piece, self.version))


@serialized
class RestingParts:
    """These parts of one instance."""

    __slots__ = ("_block", "_plan", "_tables", "context", "words")

    def __init__(self, plan: RestingPlan) -> None:
        """Make the VMContext, without them.

        Raises:
            OSError, MemoryError: There is no room.
        """
        self._plan = plan
        #: Each table, what is in it, and whether that never changes.
        self._tables: list[tuple[Elements, Sequence[ElementPlan], int]] = []
        self._block = block = _Block(plan)
        #: Address of the VMContext.
        self.context = context = block.piece.address
        data = plan.type.from_address(context)
        data.block = block
        #: Its words, which everybody uses as an array. (No memoryview knows what ctypes calls a word.)
        self.words: Any = memoryview(data).cast("B").cast("Q")
        self.words[: plan.end] = plan.head
        for at in plan.named:
            self.words[at] = context

    @property
    def private_tables(self) -> dict[int, list[ElementPlan]]:
        """Indices of the tables that are parts, and what is in them."""
        return self._plan.tables

    def add_tables(self, tables: Sequence[tuple[int, Elements]]) -> None:
        """Add these, which the instance has made without elements."""
        plan = self._plan
        self._tables = [(elements, plan.tables[index], plan.unwritten >> index & 1) for index, elements in tables]

    def _built(self, size: int, plans: Sequence[ElementPlan]) -> array[int]:
        if len(plans) == 1 and plans[0].count == size:
            return plans[0].words(self.context)
        built = array("Q", bytes(8)) * size
        for plan in plans:
            assert plan.at is not None
            built[plan.at : plan.at + plan.count] = plan.words(self.context)
        return built

    def fill(self) -> None:
        """Let them be there. To do it again, in a signal handler for one, changes nothing."""
        block, template = self._block, self._plan.template
        version = template.version
        if block.version != version:
            start = self._plan.end
            own = template.words[start:]
            count = len(own) // FUNCREF_WORDS
            own[FUNCREF_CONTEXT::FUNCREF_WORDS] = array("Q", (self.context,)) * count
            self.words[start:] = own
            block.version = version
        for elements, plans, _ in self._tables:
            if elements.words is UNMADE:
                built = self._built(elements.unmade, plans)
                address, count = built.buffer_info()
                # No call stands between these.
                if elements.words is UNMADE:
                    elements.words = built
                    elements.struct[_ELEMENTS] = address
                    elements.struct[_SIZE] = count

    def empty(self, store: array[int], owner: int) -> None:
        """Give their memory back, as long as the word `owner` of the StoreContext says that the store rests: a signal
        handler may have let it run again. What code has written to a table stays."""
        discard = host.DISCARD_AT_ONCE
        assert discard is not None
        start = self.context + 8 * self._plan.end
        first = (start + host.PAGE - 1) & -host.PAGE
        size = self.context + self._block.piece.size - first
        # No call stands between these, and the last of them is one step.
        if store[owner] == RESTS:
            self._block.version = 0
            discard(first, size)
        for elements, plans, unwritten in self._tables:
            if elements.words is not UNMADE:
                count = elements.struct[_SIZE]
                built = elements.words if unwritten else self._built(count, plans)
                if store[owner] == RESTS and elements.words == built:
                    elements.unmade = count
                    elements.words = UNMADE
                    elements.struct[_SIZE] = elements.struct[_ELEMENTS] = 0


def _private_tables(module: DecodedModule, template: Template) -> dict[int, list[ElementPlan]]:
    """Index of each table that only the instance's own code can have, and that begins with functions of the instance
    alone -> how these get there."""
    exported = {export.index for export in module.exports if export.kind is ExternKind.TABLE}
    begun = {index for index, _ in template.table_inits}
    found: dict[int, list[ElementPlan]] = {
        index: []
        for index in range(module.imported_tables, len(module.tables))
        if index not in exported
        and index not in begun
        and module.tables[index].element.is_function_reference
        and module.tables[index].minimum >= _LEAST_ELEMENTS
    }
    # Behind a segment that may trap nothing must have been written if others have got functions before that.
    may_trap = False
    for plan in template.active_elements:
        size = module.tables[plan.table].minimum if plan.table >= module.imported_tables else -1
        does_not_fit = plan.at is None or plan.at + plan.count > size
        may_trap = may_trap or (does_not_fit and module.imported_tables > 0)
        if plan.table in found:
            if does_not_fit or plan.others or may_trap:
                del found[plan.table]
            else:
                found[plan.table].append(plan)
    return found
