"""Tables that nothing changes once they are filled: own ones that are not exported, and that no instruction writes.

Their sizes and places are constant, and only functions in active segments are in them.
"""

from __future__ import annotations

from wasm_core.module import ConstExpr, DecodedModule, ExternKind, SegmentMode
from wasm_core.types import CompositeType
from wasm_ir.vmcontext import REF_FUNC, ContextLayout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Opcode of the `ref.null` instruction in a constant expression.
_REF_NULL: Final = 0xD0


class KnownTable:
    """What is known of such a table."""

    __slots__ = ("_module", "_own", "_types", "has_imports", "size")

    def __init__(self, module: DecodedModule, size: int, types: list[int], has_imports: bool) -> None:
        #: How many elements it has.
        self.size = size
        #: Whether imported functions may be among them.
        self.has_imports = has_imports
        self._module = module
        #: Indices of the types of the functions that may be in it; only of imported ones what they are declared as.
        self._types = types
        #: Index of a type -> what `all_have` gives.
        self._own: dict[int, bool] = {}

    def all_have(self, type_index: int) -> bool:
        """Whether all functions that may be in it have a type, or a subtype of it."""
        found = self._own.get(type_index)
        if found is None:
            module = self._module
            defined = module.defined_types
            if defined is None:
                wanted: CompositeType = module.types[type_index]
                found = all(index == type_index or module.types[index] == wanted for index in self._types)
            else:
                found = all(defined[index].matches(defined[type_index]) for index in self._types)
            self._own[type_index] = found
        return found


def known_table(layout: ContextLayout, module: DecodedModule, table: int) -> KnownTable | None:
    """What is known of a table; None where it may change."""
    tables = layout.known_tables
    if table not in tables:
        tables[table] = _find(layout, module, table)
    return tables[table]


def _find(layout: ContextLayout, module: DecodedModule, table: int) -> KnownTable | None:
    if not layout.unwritten_tables >> table & 1 or table < module.imported_tables:
        return None
    if any(export.kind is ExternKind.TABLE and export.index == table for export in module.exports):
        return None
    functions: set[int] = set()
    expressions: list[ConstExpr] = []
    if module.table_inits:
        init = module.table_inits[table - module.imported_tables]
        if init is not None:
            expressions.append(init)
    for segment in module.elements:
        if segment.mode is SegmentMode.ACTIVE and segment.table == table:
            functions.update(segment.functions or ())
            expressions.extend(segment.expressions or ())
    for expression in expressions:
        for opcode, immediate in expression.instructions:
            if opcode == REF_FUNC and isinstance(immediate, int):
                functions.add(immediate)
            elif opcode != _REF_NULL:
                return None
    types = sorted({module.function_types[index] for index in functions})
    has_imports = any(index < module.imported_functions for index in functions)
    return KnownTable(module, module.tables[table].minimum, types, has_imports)
