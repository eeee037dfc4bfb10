"""Branch hints of a module's custom section (proposal "branch hinting"), by function."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from wasm_core.module import DecodedModule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_NOTHING: Final[dict[int, bool]] = {}
#: Modules that have some.
_found: Final[WeakKeyDictionary[DecodedModule, dict[int, dict[int, bool]]]] = WeakKeyDictionary()


def branch_hints_of(module: DecodedModule, index: int) -> dict[int, bool]:
    """By byte offset in the module of a conditional branch in a function: whether it is expected to be taken."""
    hints = _found.get(module)
    if hints is None:
        from wasm_core.custom_sections import branch_hints

        hints = _found[module] = branch_hints(module)
    return hints.get(index, _NOTHING)
