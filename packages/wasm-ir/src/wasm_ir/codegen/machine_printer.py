"""Machine functions as text, for people who debug a backend or the register allocator."""

from __future__ import annotations

from wasm_ir import types
from wasm_ir.codegen.machinst import FIRST_VREG, IN_ARG, OUT_ARG, MFixed, MFunction, MInst
from wasm_ir.codegen.parallel_move import MConstant
from wasm_ir.codegen.registers import RegisterSet
from wasm_ir.ir import Inst


def format_place(place: int | Inst, registers: RegisterSet) -> str:
    """A location, virtual register or constant: `rax`, `s3` (spill slot), `out0`, `in2`, `v7`, `#42`."""
    if isinstance(place, Inst):
        return f"#{place.imm}"
    if place >= FIRST_VREG:
        return f"v{place - FIRST_VREG}"
    if place >= 0:
        return registers.names[place]
    if place > OUT_ARG:
        return f"s{-1 - place}"
    if place > IN_ARG:
        return f"out{OUT_ARG - place}"
    return f"in{IN_ARG - place}"


def format_inst(inst: MInst, registers: RegisterSet) -> str:
    """One instruction: `defs = name uses {fixed uses} -> {fixed defs} clobbers {registers}`."""
    words: list[str] = []
    if inst.defs:
        words.append(", ".join(format_place(place, registers) for place in inst.defs) + " =")
    op = inst.op
    words.append(op.name)
    if inst.uses:
        words.append(", ".join(format_place(place, registers) for place in inst.uses))
    if isinstance(inst, MConstant):
        words.append(format_place(inst.constant, registers))
    if isinstance(inst, MFixed):
        if inst.fixed_uses:
            pairs = (
                f"{format_place(place, registers)}: {format_place(value, registers)}"
                for value, place in inst.fixed_uses
            )
            words.append("{" + ", ".join(pairs) + "}")
        if inst.fixed_defs:
            pairs = (
                f"{format_place(value, registers)}: {format_place(place, registers)}"
                for value, place in inst.fixed_defs
            )
            words.append("-> {" + ", ".join(pairs) + "}")
        if inst.clobbers:
            names = (name for number, name in enumerate(registers.names) if inst.clobbers >> number & 1)
            words.append("clobbers {" + ", ".join(names) + "}")
    notes = [name for name in ("tied", "commutative", "late", "lands") if getattr(op, name)]
    if op.stack_use >= 0:
        notes.append(f"stack_use={op.stack_use}")
    if op.temps:
        notes.append(f"temps={op.temps}")
    if notes:
        words.append("; " + " ".join(notes))
    return " ".join(words)


def format_function(machine: MFunction, registers: RegisterSet) -> str:
    """A whole function, before or after register allocation."""
    lines = [f"function {machine.name}"]
    if machine.vreg_types:
        pairs = (f"v{number}: {types.NAMES[vreg_type]}" for number, vreg_type in enumerate(machine.vreg_types))
        lines.append("  " + ", ".join(pairs))
    for block in machine.blocks:
        params = ", ".join(format_place(param, registers) for param in block.params)
        loop = f" loop depth {block.loop_depth}" if block.loop_depth else ""
        lines.append(f"block{block.id}({params}):{' header' if block.is_loop_header else ''}{loop}")
        lines += [f"    {format_inst(inst, registers)}" for inst in block.insts]
        for number, edge in enumerate(block.edges):
            args = ", ".join(format_place(arg, registers) for arg in edge.args)
            landing = " landing pad" if block.lands and number else ""
            lines.append(f"    -> block{edge.block.id}({args}){landing}")
    return "\n".join(lines) + "\n"
