"""Frame layout: where things are in a function's stack frame.

From the stack pointer upwards: outgoing argument words, spill slots, explicit stack slots, saved callee-saved
registers and backend words. The size keeps the stack pointer 16-byte aligned.
"""

from __future__ import annotations


class Frame:
    """Offsets, in bytes, from the stack pointer after the prologue."""

    __slots__ = ("saved_offset", "saved_registers", "size", "slots_offset", "spill_offset", "stack_slot_offsets")

    def __init__(
        self,
        outgoing_words: int,
        spill_slots: int,
        stack_slots: list[int],
        saved_registers: list[int],
        extra_words: int,
        align_spills: bool = False,
    ) -> None:
        """`saved_registers`: callee-saved registers that the function writes; `extra_words`: number of the backend's
        own words (the saved VMContext, for example), which come right behind the saved registers; `align_spills`: spill
        slots begin at a multiple of 16 bytes, because there are vectors in them."""
        self.saved_registers = saved_registers
        self.spill_offset = 8 * outgoing_words + 15 & ~15 if align_spills else 8 * outgoing_words
        self.slots_offset = (self.spill_offset + 8 * spill_slots + 15) & ~15
        offset = self.slots_offset
        self.stack_slot_offsets: list[int] = []
        for size in stack_slots:
            self.stack_slot_offsets.append(offset)
            offset += (size + 15) & ~15
        #: Saved registers, in the order of `saved_registers`, then the extra words.
        self.saved_offset = offset
        self.size = (offset + 8 * (len(saved_registers) + extra_words) + 15) & ~15

    def spill(self, k: int) -> int:
        """Offset of spill slot k."""
        return self.spill_offset + 8 * k
