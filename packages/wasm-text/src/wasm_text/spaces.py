"""Index spaces: what identifiers stand for (core specification, section "Text Format", "Modules", "Indices")."""

from __future__ import annotations

from typing import Final


class IndexSpace:
    """The things of one kind, and their identifiers."""

    __slots__ = ("count", "debug_names", "indices", "kind", "unknown")

    def __init__(self, kind: str, unknown: str | None = None) -> None:
        """Start an empty space.

        Args:
            kind: What things of it are called in messages about identifiers that are there twice.
            unknown: What they are called where an identifier is not there; as `kind` if None.
        """
        self.kind: Final = kind
        self.unknown: Final = kind if unknown is None else unknown
        self.indices: Final[dict[str, int]] = {}
        #: What goes to the name section.
        self.debug_names: Final[dict[int, str]] = {}
        self.count = 0


class Spaces:
    """All index spaces of a module."""

    __slots__ = ("data", "elements", "functions", "globals", "memories", "tables", "tags", "types")

    def __init__(self) -> None:
        self.types: Final = IndexSpace("type")
        self.functions: Final = IndexSpace("func", "function")
        self.tables: Final = IndexSpace("table")
        self.memories: Final = IndexSpace("memory")
        self.globals: Final = IndexSpace("global")
        self.tags: Final = IndexSpace("tag")
        self.elements: Final = IndexSpace("elem segment")
        self.data: Final = IndexSpace("data segment")
