"""A growing piece of machine code with labels, label references, relocations and a pc table."""

from __future__ import annotations

from wasm_ir.backend import Relocation


class CodeBuffer:
    """Bytes, and what refers to what in them. Label numbers index `labels`."""

    __slots__ = ("bound", "code", "fixups", "labels", "listing", "pcs", "relocations", "settled", "wasm_offsets")

    def __init__(self) -> None:
        self.code = bytearray()
        #: Their offsets; negative: not bound yet, and (where the target has jumps of several lengths) the complement of
        #: the offset of the last jump there.
        self.labels: list[int] = []
        #: Those that are bound, in the order in which they were.
        self.bound: list[int] = []
        #: Nothing before this offset moves any more.
        self.settled = 0
        #: `Function.listing`.
        self.listing: list[tuple[int, int]] | None = None
        #: (position, label, kind): kinds belong to the target, which patches them when all labels are bound.
        self.fixups: list[tuple[int, int, int]] = []
        self.relocations: list[Relocation] = []
        self.pcs: list[int] = []
        self.wasm_offsets: list[int] = []

    def new_label(self) -> int:
        self.labels.append(-1)
        return len(self.labels) - 1

    def bind(self, label: int) -> None:
        """Bind a label to the current end of the code."""
        self.labels[label] = len(self.code)
        self.bound.append(label)

    def refer(self, label: int, kind: int) -> None:
        """Note that the bytes about to be appended at the current end refer to `label`."""
        self.fixups.append((len(self.code), label, kind))

    def relocate(self, kind: int, target: int) -> None:
        """Note that the bytes about to be appended need a relocation."""
        self.relocations.append(Relocation(len(self.code), kind, target))

    def mark(self, pc: int, wasm_offset: int) -> None:
        """Add a row to the pc table."""
        self.pcs.append(pc)
        self.wasm_offsets.append(wasm_offset)

    def close_gaps(self, gaps: list[tuple[int, int]], first_fixup: int) -> None:
        """Tell all that refers to the code that bytes were taken out of it.

        Args:
            gaps: Offsets, in the code as it was, of what was taken out, and how many bytes; ascending.
            first_fixup: Fixups before this one are in front of all gaps.
        """
        start = gaps[0][0]
        fixups = self.fixups
        for number in range(first_fixup, len(fixups)):
            position, label, kind = fixups[number]
            fixups[number] = (_moved(position, gaps), label, kind)
        labels = self.labels
        for label in reversed(self.bound):
            if labels[label] <= start:
                break
            labels[label] = _moved(labels[label], gaps)
        pcs = self.pcs
        number = len(pcs) - 1
        while number >= 0 and pcs[number] > start:
            pcs[number] = _moved(pcs[number], gaps)
            number -= 1
        for relocation in reversed(self.relocations):
            if relocation.offset <= start:
                break
            relocation.offset = _moved(relocation.offset, gaps)
        listing = self.listing
        if listing is not None:
            number = len(listing) - 1
            while listing[number][0] > start:
                position, origin = listing[number]
                listing[number] = (_moved(position, gaps), origin)
                number -= 1


def _moved(position: int, gaps: list[tuple[int, int]]) -> int:
    """Where something is that was at `position`: what was at the start of a gap is in front of it."""
    moved = position
    for gap, size in gaps:
        if position <= gap:
            break
        moved -= size
    return moved
