"""Holding something for a `with` block, so that it is let go whatever happens: locks, and everything else that is
switched on and off again.

`try ... finally` and a context manager in Python are not enough. An exception can come at any bytecode, out of a
signal handler (Ctrl-C) or a trace function: also between "it is on" and the `try`, and in the first bytecode of
`__exit__`. What is held here is held by an object on the interpreter's stack, whose deallocation lets it go; it is made
by the same call into C that switches the thing on, and no frame of Python code ever has it in a local variable, which a
traceback would keep. So use it as an operand of `with`, without `as`:

    with self._lock(): ...
"""

from __future__ import annotations

import _thread
from collections.abc import Callable
from functools import partial
from itertools import repeat

from wasmetal.system.host import host

#: How long to wait for a turn, in seconds.
_PATIENCE: Final = 5.0

_NEVER: Final = object()

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    class Hold:
        """What lets go when it is deallocated."""

        args: tuple[Any, ...]

        def __init__(self, release: Callable[[], object], taken: object = None) -> None: ...
        def __enter__(self) -> object: ...
        def __exit__(self, *arguments: object) -> None: ...

else:

    class Hold(partial):
        """What lets go when it is deallocated: calls its first argument, without arguments.

        All of its methods are C code, and `__enter__` and `__exit__` do nothing: the interpreter has the latter, bound
        to this object, on its stack for as long as the block takes.
        """

        __slots__ = ()
        __enter__ = object.__hash__
        __exit__ = object.__init__
        __del__ = vars(partial)["func"]


#: Holds nothing.
NOTHING: Final = Hold(int)


def holding(take: Callable[[], object], release: Callable[[], object]) -> Callable[[], Hold]:
    """A function that calls `take` and returns what calls `release` when it goes.

    Both must be C code, bound to their arguments: nothing can come in between then. When `take` raises, `release` is
    not called.
    """
    # One call of `__next__` runs all of it: `take` and then `Hold(release, its result)`. (A partial of a partial would
    # become one, without the arguments that `func` must have.)
    call: Callable[[], object] = release.__call__  # type: ignore[operator]
    return map(Hold, repeat(call), iter(take, _NEVER)).__next__


def mutex() -> Callable[[], Hold]:
    """A lock that a thread can take again when it has it: `with lock(): ...`.

    Signal handlers and finalizers run in the middle of blocks, and may run the same one: what a block changes has to be
    in order at each bytecode that they can come at, which is at the start of a function, at the end of a loop's round
    and behind a call.
    """
    lock = _thread.RLock()
    return holding(lock.acquire, lock.release)


#: How many forks are between this process and the one that imported this.
_forks = 0


def _forked() -> None:
    global _forks
    _forks += 1


host.at_fork(after_in_child=_forked)


class Turns:
    """A lock for work that takes long and need not be done twice, but may: `with turns.wait(): ...`.

    A handler or a finalizer that runs in one thread's work may wait for another thread's, and the other way around. So
    patience ends at some time, and who has waited that long does the work himself.
    """

    __slots__ = ("_forks", "_lock")

    def __init__(self) -> None:
        self._lock = _thread.RLock()
        self._forks = _forks

    def wait(self) -> Hold:
        """Take a turn, or after some seconds go on without."""
        if self._forks != _forks:
            # Whoever had it may be a thread of the parent.
            self._lock, self._forks = _thread.RLock(), _forks
        lock = self._lock
        acquire = partial(lock.acquire, True, _PATIENCE)
        return next(map(Hold, repeat(lock.release), iter(acquire, False)), NOTHING)


#: For all short pieces of work on what the process or several threads share. One for all of them: two threads that each
#: hold one lock and, in a finalizer, want the other's cannot be.
exclusive: Final = mutex()
