"""Finding loops: headers, and how deep in loops each block is.

Relies on the order of the blocks (see ir.Function): an edge to a block that does not come later is a back edge, and
a loop is the run of blocks from its header to the last block that belongs to it.
"""

from __future__ import annotations

from wasm_ir.ir import Block, Function


def find_loops(function: Function) -> dict[int, int]:
    """Set `is_loop_header` and `loop_depth` of every block.

    Returns, by the position of each header, that of the last block of its loop.
    """
    blocks = function.blocks
    positions: dict[int, int] = {}
    #: Position of a header -> of the last block known to be in its loop.
    ends: dict[int, int] = {}
    for position, block in enumerate(blocks):
        positions[block.id] = position
        block.loop_depth = 0
        block.is_loop_header = False
        for edge in block.successors():
            header = positions.get(edge.block.id)
            if header is not None:
                ends[header] = position
    if ends:
        ends = _extend(ends)
        _set_depths(blocks, ends)
    return ends


def _extend(ends: dict[int, int]) -> dict[int, int]:
    """Let loops that contain a part of another loop contain all of it.

    An outer loop may be continued from the middle of an inner one, which then reaches further.
    """
    result: dict[int, int] = {}
    outermost: list[tuple[int, int]] = []  # of the loops handled so far: header, end; the nearest is last
    for header in sorted(ends, reverse=True):
        end = ends[header]
        while outermost and outermost[-1][0] <= end:
            end = max(end, outermost.pop()[1])
        outermost.append((header, end))
        result[header] = end
    return result


def _set_depths(blocks: list[Block], ends: dict[int, int]) -> None:
    open_loops: list[int] = []  # ends; the innermost is last
    for position, block in enumerate(blocks):
        while open_loops and open_loops[-1] < position:
            open_loops.pop()
        end = ends.get(position)
        if end is not None:
            block.is_loop_header = True
            open_loops.append(end)
        block.loop_depth = len(open_loops)
