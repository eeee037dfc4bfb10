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
import sys
from collections.abc import Callable
from functools import partial
from itertools import repeat

from wasmetal.system.host import host

#: Whether this is a build of CPython in which threads run Python code at the same time (PEP 703).
FREE_THREADED: Final = "free-threading" in sys.version  # (sys.abiflags is not there on Windows)

#: CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR
_RUNS_LATER: Final = 0x20 | 0x80 | 0x200

#: How long to wait for a turn, in seconds.
_PATIENCE: Final = 5.0

_NEVER: Final = object()

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final, TypeVar

    class Hold:
        """What lets go when it is deallocated."""

        args: tuple[Any, ...]

        def __init__(self, release: Callable[[], object], taken: object = None) -> None: ...
        def __enter__(self) -> object: ...
        def __exit__(self, *arguments: object) -> None: ...

    _T = TypeVar("_T")

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
        turn = map(Hold, repeat(lock.release), iter(acquire, False))
        if not FREE_THREADED:
            return next(turn, NOTHING)
        # Whoever has it may want `exclusive`.
        with released():
            return next(turn, NOTHING)


_lock: Final = _thread.RLock()

#: A lock for all short pieces of work on what the process or several threads share: `with exclusive(): ...`. One for
#: all of them: two threads that each hold one lock and, in a finalizer, want the other's cannot be. A thread can take
#: it again when it has it.
#:
#: Signal handlers and finalizers run in the middle of blocks, and may run the same one: what a block changes has to be
#: in order at each bytecode that they can come at, which is at the start of a function, at the end of a loop's round
#: and behind a call.
exclusive: Callable[[], Hold] = holding(_lock.acquire, _lock.release)


# Where there is a GIL, no other thread comes in between two bytecodes but at those places. So is what is written for
# that right where there is none: one thread at a time runs the functions that are `serialized`, or blocks of
# `exclusive`. In the former it lets others come while it runs what is not ours, in blocks of `released`.

if TYPE_CHECKING or not FREE_THREADED:

    def serialized(made: _T) -> _T:
        """Let one thread at a time run a function, or the methods of a class, where there is no GIL."""
        return made

    def released() -> Hold:
        """For a `with` block in which other threads may run what is `serialized`, where there is no GIL, unless it is
        in one of `exclusive`."""
        return NOTHING

    def unserialized(function: _T) -> _T:
        """Let other threads run what is `serialized` while this function runs, where there is no GIL."""
        return function

else:
    from functools import wraps
    from operator import attrgetter
    from types import FunctionType

    #: Taken by blocks of `exclusive` besides the lock, which is not given up in them: what runs there and is not ours,
    #: such as a finalizer, keeps others out of these blocks as it does where there is a GIL.
    _inner = _thread.RLock()
    _locked = map(Hold, repeat(_lock.release.__call__), iter(_lock.acquire, _NEVER))
    _with_lock = _locked.__next__
    # (what goes last is released first)
    _with_both = map(Hold, repeat(_inner.release.__call__), _locked, iter(_inner.acquire, _NEVER)).__next__

    # At the very end daemon threads stand still where they are, some perhaps with the lock. Nobody else runs then.

    def exclusive(_is_finalizing=sys.is_finalizing):
        return NOTHING if _is_finalizing() else _with_both()

    def _in_turn(_is_finalizing=sys.is_finalizing):
        return NOTHING if _is_finalizing() else _with_lock()

    # One call of `__next__` gives up the lock, and makes what takes it as often as it was held (see `holding`).
    _release = map(
        Hold, map(attrgetter("__call__"), map(partial(partial, _lock._acquire_restore), iter(_lock._release_save, 0)))
    ).__next__

    def released():
        return _release() if _lock._is_owned() and not _inner._is_owned() else NOTHING

    def unserialized(function):
        @wraps(function)
        def run(*args, **kwargs):
            with released():
                return function(*args, **kwargs)

        return run

    def _serialized_function(function):
        @wraps(function)
        def run(*args, **kwargs):
            with _in_turn():
                return function(*args, **kwargs)

        return run

    def serialized(made):
        if isinstance(made, FunctionType):
            return _serialized_function(made)
        for name, member in list(vars(made).items()):
            if isinstance(member, FunctionType) and not member.__code__.co_flags & _RUNS_LATER:
                setattr(made, name, _serialized_function(member))
            elif isinstance(member, (classmethod, staticmethod)):
                setattr(made, name, type(member)(_serialized_function(member.__func__)))
            elif isinstance(member, property) and name != "__name__":  # (which cannot be set for instances alone)
                parts = (member.fget, member.fset, member.fdel)
                setattr(made, name, property(*[part and _serialized_function(part) for part in parts], member.__doc__))
        return made
