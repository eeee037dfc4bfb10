"""Slots of calls that are going on, in which there may be references to exceptions: in whichever store."""

from __future__ import annotations

from functools import partial

from wasmetal.system.hold import Hold, holding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

#: Heap types that references to exceptions have.
EXCEPTION_TYPES: Final = ("exn", "noexn")

#: id() of an array of words -> the array.
_rooted: Final[dict[int, Any]] = {}


def rooted(slots: Any) -> Hold:
    """For a `with` block in which the exceptions that slots (an array of words) refer to stay."""
    return holding(partial(_rooted.__setitem__, id(slots), slots), partial(_rooted.pop, id(slots), None))()


def rooted_slots() -> list[Any]:
    """The slots of all such blocks."""
    return list(_rooted.values())
