"""Fewer registers than a machine has, so that the allocator has to spill."""

from __future__ import annotations

import attrs

from wasm_ir.codegen.registers import RegisterSet


def fewer(registers: RegisterSet, ints: int, floats: int) -> RegisterSet:
    """Only the first so many of each class. Those that conventions and instructions ask for must be among them."""
    kept = (registers.allocatable[0][:ints], registers.allocatable[1][:floats])
    mask = sum(1 << register for register in (*kept[0], *kept[1]))
    return attrs.evolve(
        registers,
        allocatable=kept,
        callee_saved=registers.callee_saved & mask,
        caller_saved=registers.caller_saved & mask,
    )
