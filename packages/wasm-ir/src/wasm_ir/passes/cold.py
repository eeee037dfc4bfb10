"""Which blocks are not expected to run often: those that only branches lead to which are not expected to be taken."""

from __future__ import annotations

from wasm_ir.ir import Function


def mark_cold_blocks(function: Function) -> None:
    """Set `is_cold` of every block that only cold edges and cold blocks lead to."""
    blocks = function.blocks
    warm = {blocks[0].id}
    # What dominates a block stands before it: a block that a warm way leads to has been found when it comes.
    for block in blocks:
        if block.id not in warm:
            block.is_cold = True
            continue
        for edge in block.successors():
            if not edge.is_cold:
                warm.add(edge.block.id)
