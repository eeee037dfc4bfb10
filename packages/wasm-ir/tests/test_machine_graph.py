"""What is left of a function that was not compiled to its end is freed without harm."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
from wasm_ir.codegen.machinst import MBlock, MEdge, MInst, MOp

kind = MOp("kind")
for length in range(1, 120):
    block = MBlock(0)
    for number in range(1, length):
        following = block
        block = MBlock(number)
        block.insts = [MInst(kind, [1000], [2000], 3) for _ in range(5)]
        block.edges.append(MEdge(following, []))
    following = block = None
    # What corrupt memory would be noticed in.
    kept = [MInst(kind, [number], [number], number) for number in range(1000)]
    assert all(inst.imm == inst.defs[0] for inst in kept)
"""


def test_a_chain_of_blocks_is_freed() -> None:
    # CPython puts off freeing what is deep in a chain; in native wheels that wrote over other objects, where
    # instructions were what it put off.
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
