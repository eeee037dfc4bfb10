"""A growing piece of machine code with labels, label references, relocations and a pc table."""

from __future__ import annotations

from wasm_ir.backend import Relocation


class CodeBuffer:
    """Bytes, and what refers to what in them. Label numbers index `labels`; -1 there means not bound yet."""

    __slots__ = ("code", "fixups", "labels", "pcs", "relocations", "wasm_offsets")

    def __init__(self) -> None:
        self.code = bytearray()
        self.labels: list[int] = []
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
