"""Keeping the garbage collector from running while a function is compiled.

The intermediate representation is made of very many objects that live until the function is done: every collection in
between walks through all of them to find nothing, which takes a fifth of the time and more.
"""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Iterator

_lock = threading.Lock()
#: Compilations that are going on, in all threads, and whether the collector was on before the first of them.
_depth = 0
_was_enabled = False


@contextlib.contextmanager
def paused() -> Iterator[None]:
    """No automatic collections in the block; they come back, if they were on, when no thread is in such a block."""
    global _depth, _was_enabled
    with _lock:
        if _depth == 0:
            _was_enabled = gc.isenabled()
            gc.disable()
        _depth += 1
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0 and _was_enabled:
                gc.enable()
