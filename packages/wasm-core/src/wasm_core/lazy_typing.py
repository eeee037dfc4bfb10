"""What type checkers and mypyc are told, for modules that every program imports: `typing` with `re` takes a tenth of a
short program's time, and `mypy_extensions` is not needed to run.

Type checkers see the real ones, under `if TYPE_CHECKING:`. Here is what classes need when they are made; other names
come from `typing` when they are asked for, as `typing.get_type_hints` does for public annotations.
"""

from __future__ import annotations

from types import GenericAlias

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mypy_extensions import mypyc_attr as mypyc_attr
else:

    def mypyc_attr(**attributes):
        """What mypyc, which recognizes the original by its name, has to know about a class. It does nothing by itself.

        `allow_interpreted_subclasses`: classes that are not compiled may have this one as a base.
        `native_class`: False leaves it a class as all others, to whose objects attributes can be added.
        `acyclic`: objects are never part of a cycle of references, so that the collector need not know them.
        """
        return lambda cls: cls


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
