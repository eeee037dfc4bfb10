"""Frames that are not on the stack while calls are suspended, or while these run: where they are, for those who look
for references in them.

They are known by what they consist of, words and bytes, as long as the call's object is there, whatever the garbage
collector thinks of it: a finalizer may still resume the call.
"""

from __future__ import annotations

import itertools
from array import array
from functools import partial

from wasmetal.glue.host_layout import CALL, CALL_SUSPENDED
from wasmetal.system.hold import Hold
from wasmetal.system.lifetime import untracked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    #: What a call has for its frames (`wasmetal.glue.host_layout.CALL`): words, its own frames while it is suspended,
    #: and those of others while it runs. (At other times what is left of them.)
    ParkedFrames = tuple[array[int], bytearray, bytearray]

_STATE: Final = CALL["state"] // 8
_STORE: Final = CALL["store"] // 8


_parked: Final[dict[int, ParkedFrames]] = {}
_numbers: Final = itertools.count(1)


def park(frames: ParkedFrames) -> Hold:
    """Let frames be known until the hold goes: not before the finalizers of the garbage that it is in have run."""
    number = next(_numbers)
    hold = untracked(Hold(partial(_parked.pop, number, None).__call__))
    _parked[number] = frames
    return hold


def parked_words(address: int) -> list[array[int]]:
    """The words of all such frames of the store whose StoreContext is at an address."""
    found = []
    for words, frames, outer in list(_parked.values()) if _parked else ():
        if words[_STORE] == address:
            found += [array("Q", bytes(frames)), array("Q", bytes(outer))]
    return found


def has_suspended(address: int) -> bool:
    """Whether calls are suspended in the store whose StoreContext is at an address."""
    return any(
        words[_STORE] == address and words[_STATE] == CALL_SUSPENDED
        for words, _, _ in (list(_parked.values()) if _parked else ())
    )
