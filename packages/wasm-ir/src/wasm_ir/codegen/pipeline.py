"""Code generation for one function, from IR to bytes."""

from __future__ import annotations

from time import perf_counter

from wasm_ir.backend import CompiledCode
from wasm_ir.codegen.emission import emit
from wasm_ir.codegen.equal_edges import share_edges
from wasm_ir.codegen.frame import Frame
from wasm_ir.codegen.jump_threading import thread_jumps
from wasm_ir.codegen.linear_scan import Allocation, allocate
from wasm_ir.codegen.machinst import HAS_COLD_BLOCKS, MFunction
from wasm_ir.codegen.target import Target
from wasm_ir.ir import ABI_WASM, Function


def compile_function(function: Function, target: Target, timings: dict[str, float] | None = None) -> CompiledCode:
    """Compile an IR function, which is consumed.

    With `timings`, the seconds that each phase takes are added to its keys "lower", "allocate" and "emit".
    """
    registers = target.registers if function.abi == ABI_WASM else target.native_registers
    if timings is None:
        machine = target.lower(function)
        return _finish(function, machine, allocate(machine, registers), target)
    start = perf_counter()
    machine = target.lower(function)
    lowered = perf_counter()
    allocation = allocate(machine, registers)
    allocated = perf_counter()
    code = _finish(function, machine, allocation, target)
    emitted = perf_counter()
    _add(timings, "lower", lowered - start)
    _add(timings, "allocate", allocated - lowered)
    _add(timings, "emit", emitted - allocated)
    return code


def _add(timings: dict[str, float], phase: str, seconds: float) -> None:
    timings[phase] = timings.get(phase, 0.0) + seconds


def _finish(function: Function, machine: MFunction, allocation: Allocation, target: Target) -> CompiledCode:
    """What comes after allocation."""
    share_edges(machine)
    thread_jumps(machine)
    if machine.flags & HAS_COLD_BLOCKS:
        blocks = machine.blocks
        machine.blocks = [b for b in blocks if not b.is_cold] + [b for b in blocks if b.is_cold]
    frame = Frame(
        machine.outgoing_words,
        allocation.spill_slots,
        machine.stack_slots,
        allocation.saved_registers,
        target.extra_frame_words(function, machine),
        allocation.spills_vectors,
    )
    code = emit(function, machine, frame, target)
    _take_apart(function, machine)
    return code


def _take_apart(function: Function, machine: MFunction) -> None:
    """Undo the cycles among blocks: all is freed when its last reference goes, and nothing left to the collector, which
    takes several times as long."""
    for block in function.blocks:
        block.predecessors.clear()
        block.terminator = None
    for machine_block in machine.blocks:
        machine_block.predecessors.clear()
        machine_block.edges.clear()
