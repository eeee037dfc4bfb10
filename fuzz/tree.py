"""Code as a tree, so that it can be made smaller piece by piece and still be code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Union

from fuzz.edge_values import F32, FUNCREF, I32, I64, V128, WIDTHS
from wasm_core.testing.binary import signed, unsigned

VOID: Final = 0
#: The type of code after which nothing runs: fits everywhere.
NEVER: Final = -1


class Label:
    """What branches can name; its depth is known only when the code around is."""

    __slots__ = ("types",)

    def __init__(self, types: tuple[int, ...]) -> None:
        #: What a branch takes along.
        self.types = types


Part = Union[bytes, "Node", Label]


class Node:
    """Some code that leaves a value of `type` (or none, or several) and needs nothing that lies below."""

    __slots__ = ("exact", "label", "nan_lanes", "parts", "repeatable", "type")

    def __init__(
        self, type: int, parts: list[Part], label: Label | None = None, exact: bool = False, nan_lanes: int = 0
    ) -> None:
        self.type = type
        #: Bytes, code inside, and labels, which stand for their depth.
        self.parts = parts
        #: Set when this is a block, loop or if: the parts that are nodes are inside, but for the first of an `if`.
        self.label = label
        #: A float whose bits are the same in every engine even if it is NaN.
        self.exact = exact
        #: For a vector: the type of the lanes in which a NaN may have different bits in different engines; 0 for none.
        self.nan_lanes = nan_lanes
        #: It does nothing but compute a value, so that other places may compute it again.
        self.repeatable = False

    def copy(self) -> Node:
        """The same code again."""
        parts = [part.copy() if isinstance(part, Node) else part for part in self.parts]
        return Node(self.type, parts, self.label, self.exact, self.nan_lanes)


class UnknownLabelError(Exception):
    """A branch to a label that is not around it: the result of a reduction that cannot be used."""


def encode(node: Node) -> bytes:
    """The bytes of some code, within the function's own block."""
    out = bytearray()
    _encode(node, out, [])
    return bytes(out)


def _encode(node: Node, out: bytearray, labels: list[Label]) -> None:
    # The label begins behind the first bytes, which open the construct; an `if` has its condition before them.
    opened = False
    for part in node.parts:
        if isinstance(part, Node):
            _encode(part, out, labels)
        elif isinstance(part, Label):
            if part not in labels:
                raise UnknownLabelError
            out += unsigned(len(labels) - 1 - labels.index(part))
        else:
            out += part
            if node.label is not None and not opened:
                labels.append(node.label)
                opened = True
    if opened:
        labels.pop()


def walk(node: Node) -> Iterator[tuple[Node, int]]:
    """Every place of a node, as parent and number of the part: outermost first."""
    work = [node]
    while work:
        parent = work.pop(0)
        for number, part in enumerate(parent.parts):
            if isinstance(part, Node):
                yield parent, number
                work.append(part)


def size(node: Node) -> int:
    """How many nodes there are."""
    return 1 + sum(1 for _ in walk(node))


def const(type: int, pattern: int) -> Node:
    """A constant from its bits; for funcref, null."""
    if type == FUNCREF:
        return Node(type, [b"\xd0\x70"])
    width = WIDTHS[type]
    if type == V128:
        return Node(type, [b"\xfd\x0c" + pattern.to_bytes(16, "little")])
    if type in (I32, I64):
        number = pattern - (1 << width) if pattern >> width - 1 else pattern
        return Node(type, [(b"\x41" if type == I32 else b"\x42") + signed(number)])
    return Node(type, [(b"\x43" if type == F32 else b"\x44") + pattern.to_bytes(width // 8, "little")], exact=True)


def simplest(type: int) -> Node:
    """The least code for a type."""
    if type == VOID:
        return Node(VOID, [])
    if type == NEVER:
        return Node(NEVER, [b"\x00"])
    return const(type, 0)
