"""Objects that misbehave: whatever they are asked, they may raise, lie, call back, close things or collect garbage."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final, Protocol
from unittest import mock

from fuzz.surface import CLASSES


class HostileError(Exception):
    """Raised by hostile objects."""


class HostileExit(BaseException):
    """The same, for those who catch Exception."""


class Accomplice(Protocol):
    """What hostile objects do beyond raising and lying."""

    def mischief(self, chance: random.Random) -> object:
        """Use the library, or close or collect something."""

    def thing(self, chance: random.Random) -> object:
        """Any object."""


#: What is asked of an object, and answers of the right type: of those who answer, most give one of these.
_ANSWERS: Final[dict[str, tuple[object, ...]]] = {
    "__index__": (0, 1, -1, 5, 1 << 31, 1 << 64, 1 << 70),
    "__int__": (0, 7),
    "__float__": (0.0, -1.5, float("nan"), float("inf")),
    "__complex__": (1j,),
    "__bool__": (True, False),
    "__len__": (0, 1, 4, 16, 1 << 40),
    "__hash__": (0, 1, -1, 1 << 70),
    "__eq__": (True, False, NotImplemented),
    "__ne__": (True, False, NotImplemented),
    "__lt__": (True, False, NotImplemented),
    "__le__": (True, False, NotImplemented),
    "__gt__": (True, False, NotImplemented),
    "__ge__": (True, False, NotImplemented),
    "__add__": (0, 1, 1 << 40, -1),
    "__radd__": (0, 1, 1 << 40, -1),
    "__mul__": (0, 1, 1 << 40),
    "__rmul__": (0, 1, 1 << 40),
    "__sub__": (0, 1, -1),
    "__rsub__": (0, 1, -1),
    "__neg__": (0, 1),
    "__and__": (0, 1),
    "__str__": ("", "i32", "x"),
    "__repr__": ("", "i32"),
    "__format__": ("", "x"),
    "__fspath__": ("no such file", b"no such file", "good.wasm"),
    "__bytes__": (b"", b"\0asm\1\0\0\0"),
    "__buffer__": (memoryview(b""), memoryview(b"x" * 16), memoryview(b"\0asm\1\0\0\0")),
    "__call__": (None, 0, 1.5, (), (1, 2)),
    "__contains__": (True, False),
    "__enter__": (None,),
    "__exit__": (None, True),
    "__del__": (None,),
    "__release_buffer__": (None,),
    "before": (None,),
    "after": (None,),
    "read": (b"", b"x" * 70000),
    "readinto": (0, 3, 1 << 40),
    "write": (0, 1, None, 1 << 40),
    "flush": (None,),
    "fileno": (-1, 1 << 40),
    "keys": ((), ("env",)),
    "items": ((), (("env", {}),)),
}
#: Those whose answer is any object, several objects, or an attribute.
_FREE: Final = ("__getitem__", "__iter__", "__getattr__", "__next__", "get", "exports")
#: What is asked of everything all the time: to misbehave then would end every call too early.
_SELDOM: Final = frozenset(
    ("__getattr__", "__hash__", "__eq__", "__ne__", "__bool__", "__del__", "__repr__", "__str__")
)


def _asked(self: Any, name: str) -> object:
    """What an object does when it is asked something."""
    state = _STATES.get(id(self))
    if state is None:
        # It is being made, or destroyed.
        return random.Random(name).choice(_ANSWERS.get(name, (None,)))
    chance, accomplice, depth = state
    if depth[0] > 2:
        return chance.choice(_ANSWERS.get(name, (None,)))
    depth[0] += 1
    try:
        how = chance.random() + (0.3 if name in _SELDOM else 0)
        if how < 0.12:
            raise chance.choice((HostileError(name), HostileExit(name), ValueError(name), KeyError(name)))
        if how < 0.4:
            accomplice.mischief(chance)
        if how < 0.5 or name not in _ANSWERS:
            return accomplice.thing(chance)
        return chance.choice(_ANSWERS[name])
    finally:
        depth[0] -= 1


#: State of hostile objects by address: objects of any class have it, also of those without attributes.
_STATES: dict[int, tuple[random.Random, Accomplice, list[int]]] = {}


def _method(name: str) -> Callable[..., object]:
    if name == "__getattr__":

        def getattr_(self: Any, attribute: str) -> object:
            if attribute.startswith("__"):
                raise AttributeError(attribute)
            return _asked(self, name)

        return getattr_
    if name == "__iter__":

        def iterate(self: Any) -> object:
            answer = _asked(self, name)
            return iter(answer) if isinstance(answer, (tuple, list, str, bytes)) else iter((answer, _asked(self, name)))

        return iterate
    if name == "__del__":

        def finalize(self: Any) -> None:
            _asked(self, name)
            _STATES.pop(id(self), None)

        return finalize

    def method(self: Any, *args: object, **kwargs: object) -> object:
        return _asked(self, name)

    return method


def _class(base: type, names: frozenset[str]) -> type | None:
    """A class derived from `base` that misbehaves in these methods; None where there can be none."""
    namespace: dict[str, object] = {name: _method(name) for name in names}
    if "__eq__" in names and "__hash__" not in names:
        namespace["__hash__"] = base.__hash__
    try:
        return type(f"Hostile{base.__name__.title()}", (base,), namespace)
    except TypeError:
        return None


#: Values for classes that are derived from these.
_VALUES: Final[dict[type, tuple[object, ...]]] = {
    object: (),
    int: (0, 1, 3, -1, 1 << 31, 1 << 64),
    float: (0.0, 1.5, float("nan")),
    str: ("", "i32", "x", "funcref", "env"),
    bytes: (b"", b"\0asm\1\0\0\0", b"x" * 16),
    bytearray: (b"", b"x" * 16),
    list: ((), (1, 2), ("i32",)),
    tuple: ((), (1, 2), ("i32",)),
    dict: ({}, {"env": {}}),
}
_BASES: Final = (object, object, object, *_VALUES)
_PUBLIC: Final = tuple(CLASSES.values())
_NAMES: Final = (*_ANSWERS, *_FREE)


def _some_names(chance: random.Random, base: type) -> frozenset[str]:
    everything = chance.random() < 0.4
    names = set(_NAMES if everything else chance.sample(_NAMES, chance.randint(1, 6)))
    if base is not object:
        # A container that is none any more is of little use; `__getattr__` is not asked where there are attributes.
        names -= {"__getattr__", "exports"} if chance.random() < 0.8 else set()
    return frozenset(names)


def hostile(chance: random.Random, accomplice: Accomplice, base: type | None = None) -> object:
    """An object that misbehaves, of a class derived from `base` if there is one."""
    if base is None:
        if chance.random() < 0.08:
            # Says of itself that it is of another class.
            made = chance.choice((mock.Mock, mock.MagicMock))(spec=chance.choice(_PUBLIC))
            if hasattr(made, "__getitem__") and isinstance(made, mock.MagicMock):
                # It would be a sequence without an end.
                made.__getitem__.side_effect = IndexError
            return made
        base = chance.choice(_BASES)
    cls = _class(base, _some_names(chance, base))
    if cls is None:
        return object()
    values = _VALUES[base]
    instance: object = cls(chance.choice(values)) if values else cls()
    _STATES[id(instance)] = (random.Random(chance.random()), accomplice, [0])
    return instance


def derived(chance: random.Random, cls: type) -> type:
    """A class derived from a public one, which misbehaves in a few methods; the class itself where that cannot be."""
    names = set(chance.sample([name for name in _NAMES if name != "__getattr__"], chance.randint(0, 3)))
    if chance.random() < 0.5:
        # What is looked up and compared.
        names |= {"__eq__", "__ne__", "__hash__"}
    return _class(cls, frozenset(names)) or cls


def adopt(made: object, chance: random.Random, accomplice: Accomplice) -> None:
    """Let an object of a derived class misbehave from now on."""
    _STATES[id(made)] = (random.Random(chance.random()), accomplice, [0])


def forget() -> None:
    """Those that are left behave from now on."""
    _STATES.clear()
