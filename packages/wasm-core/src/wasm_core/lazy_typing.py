"""`typing`, for modules that every program imports: with `re` it takes a tenth of a short program's time.

Type checkers see the real one, under `if TYPE_CHECKING:`. Here is what classes need when they are made; other names
come from `typing` when they are asked for, as `typing.get_type_hints` does for public annotations.
"""

from __future__ import annotations

from types import GenericAlias


class Generic:
    """A base of classes that can be subscripted, as `typing.Generic` without checks."""

    __slots__ = ()

    __class_getitem__: object = classmethod(GenericAlias)


class Protocol:
    """A base of protocols that nobody asks `isinstance` about."""

    __slots__ = ()


def __getattr__(name: str) -> object:
    if name.startswith("_"):  # what the import statement asks for
        raise AttributeError(name)
    import typing

    return getattr(typing, name)
