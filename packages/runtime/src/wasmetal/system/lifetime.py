"""Releasing native resources at deallocation, never earlier."""

from __future__ import annotations

import ctypes
import itertools
import sys
from functools import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, TypeVar

#: Hides an object from the garbage collector (`untracked`).
untrack: Final = ctypes.PYFUNCTYPE(None, ctypes.py_object)(("PyObject_GC_UnTrack", ctypes.pythonapi))

if TYPE_CHECKING:
    _T = TypeVar("_T")


def untracked(thing: _T) -> _T:
    """The same object, hidden from the garbage collector, which tracks whatever is of a class written in Python.

    What it refers to must not lead back to it. If it is in garbage its `__del__` runs when its reference
    count says so, not together with the finalizers of the garbage.
    """
    untrack(thing)
    return thing


def untrack_resource(thing: object) -> None:
    """Without a GIL: hide what has a finalizer that uses what it refers to, and is in no cycle, from the collector.

    What a thread that did not make an object lets go last is freed later, by the thread that made it. Meanwhile the
    collector would take it for garbage, and run its finalizer and those of what it refers to in no particular order.
    """
    untrack(thing)


def keeper(held: dict[int, _T]) -> type[int]:
    """A class of ints, to be hidden from the collector (`untrack`), that take what is under their number out of `held`
    when they are deallocated."""

    class Keeper(int):
        __slots__ = ()

        # Calls `held.pop(self)`, which an exception out of a signal handler cannot prevent: this is all C code.
        # It does not look up names either, as module globals may be gone when the interpreter shuts down.
        __del__ = property(partial(partial, held.pop))

    return Keeper


_held: dict[int, object] = {}
_numbers = itertools.count(1)

if TYPE_CHECKING:
    _Keeper = int
else:
    _Keeper = keeper(_held)


class Anchor(_Keeper):
    """Holds one object, out of reach of the garbage collector, until the anchor itself is deallocated.

    When the collector finds a garbage cycle it runs the finalizers of everything in it in no particular order, so
    memory or code could be gone when a `__del__` method in the same cycle still uses it. An anchor is `untracked`,
    hence it is deallocated by its reference count alone, after every finalizer of the cycle has run; and what it holds
    is reachable from this module until then.
    """

    __slots__ = ()

    @property
    def target(self) -> object:
        """The object that is held."""
        return _held[int(self)]


def anchor(target: object) -> Anchor:
    """An anchor that holds `target`."""
    number = next(_numbers)
    _held[number] = target
    made = Anchor(number)
    untrack(made)
    return made


class Census:
    """Counts the objects that hold its ticket, without a word from those that go."""

    __slots__ = ("ticket",)

    def __init__(self) -> None:
        self.ticket: Final = object()

    def __len__(self) -> int:
        return sys.getrefcount(self.ticket) - _OWN


_OWN = 0
_OWN = len(Census())
