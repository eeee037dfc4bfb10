"""Instances that keep each other alive, because functions of any of them may be stored in any other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Grouped(Protocol):
    """What knows its group: instances, and the tables and globals that they share."""

    group: Group | None


class Group:
    """Strong references to its instances, held by each of them and by what they share.

    An instance with nothing to share has no group, so that it goes with its last reference, without the garbage
    collector.
    """

    __slots__ = ("instances", "shared")

    def __init__(self) -> None:
        self.instances: set[Grouped] = set()
        self.shared: list[Grouped] = []


def unite(instances: Sequence[Grouped], shared: Sequence[Grouped]) -> None:
    """Put instances, and what they share, in one group, with all that were in a group with any of them."""
    group = Group()
    for member in (*instances, *shared):
        other = member.group
        if other is not None and other is not group:
            group.instances |= other.instances
            group.shared += other.shared
            for moved in (*other.instances, *other.shared):
                moved.group = group
    group.instances.update(instances)
    for instance in instances:
        instance.group = group
    for item in shared:
        if item.group is not group:
            item.group = group
            group.shared.append(item)
