"""Keeping the garbage collector from running while a function is compiled.

The intermediate representation is made of very many objects that live until the function is done: every collection in
between walks through all of them to find nothing, which takes a fifth of the time and more.
"""

from __future__ import annotations

import gc
from functools import partial

from wasmetal.system.hold import NOTHING, Hold, holding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Objects that may be made between two collections.
_MANY: Final = 1 << 20


def paused() -> Hold:
    """Hardly any automatic collections in a `with` block. An outer block, or another thread's, does for an inner one.

    That is done by the collector's threshold: whether it is enabled is left to those who call `gc.disable`, before the
    block or meanwhile.
    """
    threshold, *others = gc.get_threshold()
    if not 0 < threshold < _MANY:
        return NOTHING
    return holding(partial(gc.set_threshold, _MANY, *others), partial(gc.set_threshold, threshold, *others))()
