"""`mypyc_attr`: what mypyc has to know about a class when it compiles it. It does nothing by itself.

The original, which mypyc recognizes by its name, is in the package mypy_extensions, which is not needed to run.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mypy_extensions import mypyc_attr as mypyc_attr
else:

    def mypyc_attr(**attributes):
        """What there is to know.

        `allow_interpreted_subclasses`: classes that are not compiled may have this one as a base.
        `native_class`: False leaves it a class as all others, to whose objects attributes can be added.
        `acyclic`: objects are never part of a cycle of references, so that the collector need not know them.
        """
        return lambda cls: cls
