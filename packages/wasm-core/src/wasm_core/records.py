"""Records: immutable descriptions with named fields, for classes that exist when the program starts.

They do what frozen attrs classes do (comparison, hash, repr, pickling, errors for wrong arguments), without generating
code for each class: attrs takes longer to import and to set up the descriptions of one module than a whole program
takes to start from the cache of compiled code. Calls are slower than those of generated methods, so records are for
what exists once per module, export or section, never per instruction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, dataclass_transform, overload

T = TypeVar("T")
C = TypeVar("C", bound=type)

_set = object.__setattr__


class FrozenRecordError(AttributeError):
    """A field of a record cannot be set."""


class _Field:
    """What `field` says about a field."""

    __slots__ = ("default", "factory", "kw_only", "repr")

    def __init__(self, default: object, factory: Callable[[], object] | None, repr: bool, kw_only: bool) -> None:
        self.default = default
        self.factory = factory
        self.repr = repr
        self.kw_only = kw_only


class _Missing:
    """Stands for no default."""


_MISSING = _Missing()


@overload
def field(*, default: T, repr: bool = True, kw_only: bool = False) -> T: ...
@overload
def field(*, factory: Callable[[], T], repr: bool = True, kw_only: bool = False) -> T: ...
@overload
def field(*, repr: bool = True, kw_only: bool = False) -> Any: ...
def field(
    *,
    default: object = _MISSING,
    factory: Callable[[], object] | None = None,
    repr: bool = True,
    kw_only: bool = False,
) -> Any:
    """Say more about a field of a record than its type and its default.

    Args:
        default: The value when none is given.
        factory: Makes that value.
        repr: Whether `repr` shows the field.
        kw_only: It can only be given by name.
    """
    return _Field(default, factory, repr, kw_only)


class _Shape:
    """The fields of one class."""

    __slots__ = ("check", "defaults", "factories", "names", "positional", "required", "shown")

    def __init__(self, cls: type, kw_only: bool) -> None:
        self.names: tuple[str, ...] = tuple(cls.__annotations__)
        self.defaults: dict[str, object] = {}
        self.factories: dict[str, Callable[[], object]] = {}
        positional, shown = [], []
        for name in self.names:
            said = cls.__dict__.get(name, _MISSING)
            if isinstance(said, _Field):
                delattr(cls, name)
                if said.factory is not None:
                    self.factories[name] = said.factory
                elif said.default is not _MISSING:
                    self.defaults[name] = said.default
            elif said is not _MISSING:
                delattr(cls, name)
                self.defaults[name] = said
            if not (kw_only or (isinstance(said, _Field) and said.kw_only)):
                positional.append(name)
            if not isinstance(said, _Field) or said.repr:
                shown.append(name)
        self.positional = tuple(positional)
        self.shown = tuple(shown)
        self.required = [name for name in self.names if name not in self.defaults and name not in self.factories]
        #: Refuses the values of a new record by raising.
        self.check: Callable[[Any], None] | None = cls.__dict__.get("__post_init__")


_shapes: dict[type, _Shape] = {}


def _arguments(cls: type, shape: _Shape, args: tuple[object, ...], given: dict[str, object]) -> dict[str, object]:
    """All values by name, in the order of the fields."""
    positional = shape.positional
    if len(args) > len(positional):
        raise TypeError(f"{cls.__name__}() takes {len(positional)} positional arguments but {len(args)} were given")
    values = dict(zip(positional, args))
    for name, value in given.items():
        if name in values:
            raise TypeError(f"{cls.__name__}() got multiple values for argument {name!r}")
        if name not in shape.names:
            raise TypeError(f"{cls.__name__}() got an unexpected keyword argument {name!r}")
        values[name] = value
    if len(values) < len(shape.names):
        missing = [name for name in shape.required if name not in values]
        if missing:
            raise TypeError(f"{cls.__name__}() misses the arguments {', '.join(map(repr, missing))}")
        values = shape.defaults | values
        for name, factory in shape.factories.items():
            if name not in values:
                values[name] = factory()
    return values


def _init(self: object, *args: object, **given: object) -> None:
    cls = self.__class__
    shape = _shapes[cls]
    names = shape.names
    if len(args) == len(names) == len(shape.positional) and not given:
        for name, value in zip(names, args):
            _set(self, name, value)
    else:
        values = _arguments(cls, shape, args, given)
        for name in names:
            _set(self, name, values[name])
    if shape.check is not None:
        shape.check(self)


def _setattr(self: object, name: str, value: object) -> None:
    raise FrozenRecordError(f"a {type(self).__name__} cannot be changed")


def _delattr(self: object, name: str) -> None:
    raise FrozenRecordError(f"a {type(self).__name__} cannot be changed")


def _eq(self: object, other: object) -> Any:
    if self.__class__ is not other.__class__:
        return NotImplemented
    return self.__dict__ == other.__dict__


def _hash(self: object) -> int:
    return hash((self.__class__, *self.__dict__.values()))


def _repr(self: object) -> str:
    cls = type(self)
    fields = ", ".join([f"{name}={getattr(self, name)!r}" for name in _shapes[cls].shown])
    return f"{cls.__qualname__}({fields})"


#: What a class may define itself.
_DEFAULTS: dict[str, object] = {"__init__": _init, "__repr__": _repr}


@overload
def record(cls: C, /) -> C: ...
@overload
def record(*, kw_only: bool = False, eq: bool = True) -> Callable[[C], C]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: C | None = None, /, *, kw_only: bool = False, eq: bool = True) -> C | Callable[[C], C]:
    """Class decorator: annotated names of the class become fields that are set once, by the constructor.

    A method `__post_init__` of the class runs at the end of the constructor, and may raise. A class with an `__init__`
    of its own keeps it; it sets the fields, all of them, with `initialize`.

    Args:
        cls: The class.
        kw_only: Fields can only be given by name.
        eq: Records with equal fields are equal, and hash alike; otherwise each is equal to itself alone.
    """

    def decorate(cls: C) -> C:
        _shapes[cls] = _Shape(cls, kw_only)
        methods: dict[str, object] = {"__setattr__": _setattr, "__delattr__": _delattr}
        if eq:
            methods |= {"__eq__": _eq, "__hash__": _hash}
        own = cls.__dict__
        methods |= {name: method for name, method in _DEFAULTS.items() if name not in own}
        for name, method in methods.items():
            setattr(cls, name, method)
        setattr(cls, "__match_args__", _shapes[cls].positional)  # noqa: B010 (mypy knows no such name of a type)
        return cls

    return decorate if cls is None else decorate(cls)


def initialize(record: object, **fields: object) -> None:
    """Set the fields of a new record, in an `__init__` only: all of them, in their order."""
    for name, value in fields.items():
        _set(record, name, value)


def replace(record: T, **changes: object) -> T:
    """A copy of a record with other values for some fields. Raises TypeError for names that are not fields."""
    cls = type(record)
    return cls(**{**{name: getattr(record, name) for name in _shapes[cls].names}, **changes})


def field_names(record: object) -> tuple[str, ...]:
    """Names of a record's fields, in their order."""
    return _shapes[type(record)].names
