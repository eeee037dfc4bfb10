"""Jump threading: edges to blocks that do nothing but jump go straight to where those jump."""

from __future__ import annotations

from wasm_ir.codegen.machinst import MBlock, MFunction


def thread_jumps(machine: MFunction) -> None:
    """Retarget edges past blocks that consist of a jump alone, and drop these blocks.

    Runs after register allocation, which fills or empties such blocks. Afterwards block ids need no longer be positions
    in `machine.blocks`, and predecessors are out of date.
    """
    blocks = machine.blocks
    #: By id of a block that only jumps: the block where it leads.
    forward: dict[int, MBlock] = {}
    entry = blocks[0]
    for block in blocks:
        insts = block.insts
        if len(insts) == 1 and insts[0].op.is_jump and block is not entry:
            forward[block.id] = block.edges[0].block
    if not forward:
        return
    for start in list(forward):
        path: list[int] = []
        on_path: set[int] = set()
        number = start
        while number in forward and number not in on_path:
            path.append(number)
            on_path.add(number)
            number = forward[number].id
        if number in on_path:
            # An empty endless loop: this block of it stays.
            del forward[number]
        if len(path) > 1:
            final = blocks[number]
            for number in path:
                if number in forward:
                    forward[number] = final
    kept: list[MBlock] = []
    for block in blocks:
        if block.id in forward:
            continue
        kept.append(block)
        for edge in block.edges:
            target = forward.get(edge.block.id)
            if target is not None:
                edge.block = target
    machine.blocks = kept
