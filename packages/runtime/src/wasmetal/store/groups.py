"""Instances that keep each other alive, because functions of any of them may be stored in any other."""

from __future__ import annotations

from collections.abc import Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol
else:
    from wasm_core.lazy_typing import Protocol


class Grouped(Protocol):
    """What knows its group: instances, and the tables and globals that they share."""

    group: Group | None


class Group:
    """Strong references to its instances, held by each of them and by what they share.

    Groups that have become one form a tree: each refers to the one that it is a part of, which refers to it. So from
    each member all instances can be reached, and nobody has to be moved. References are only ever added, each step by
    itself is complete, and steps that decide have no call in them: signal handlers, finalizers and other threads may
    do the same at any moment, and an exception out of one leaves nothing half done.

    An instance with nothing to share has no group, so that it goes with its last reference, without the garbage
    collector.
    """

    __slots__ = ("instances", "parts", "whole")

    def __init__(self) -> None:
        self.instances: list[Grouped] = []
        #: The groups that have become parts of this one.
        self.parts: list[Group] = []
        #: The group that this one has become a part of.
        self.whole: Group | None = None

    @property
    def outermost(self) -> Group:
        """The same for all members of what has become one group."""
        group = self
        while group.whole is not None:
            # Halves the way for those who come later; to refer further up changes nothing else.
            if group.whole.whole is not None:
                group.whole = group.whole.whole
            group = group.whole
        return group


def _join(first: Group, second: Group) -> None:
    """Make one group of two."""
    while True:
        first, second = first.outermost, second.outermost
        if first is second:
            return
        first.parts.append(second)
        # No call stands between these. Should another have been here, it is held without need, and that is all.
        if first.whole is None and second.whole is None:
            second.whole = first
            return


def unite(instances: Sequence[Grouped], shared: Sequence[Grouped]) -> None:
    """Put instances, and what they share, in one group, with all that were in a group with any of them."""
    groups = [member.group for member in (*instances, *shared) if member.group is not None]
    group = groups[0].outermost if groups else Group()
    for instance in instances:
        if instance.group is None:
            group.instances.append(instance)
        # Nobody is in a group that does not hold him.
        if instance.group is None:
            instance.group = group
    for item in shared:
        if item.group is None:
            item.group = group
    for member in (*instances, *shared):
        other = member.group
        assert other is not None
        _join(group, other)


def are_united(first: Grouped, second: Grouped) -> bool:
    """Whether two are in one group."""
    if first.group is None or second.group is None:
        return False
    # (they are held as before, and the next look is quicker)
    first.group = first.group.outermost
    second.group = second.group.outermost
    return first.group is second.group
