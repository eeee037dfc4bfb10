"""Globals, and locals that are kept in memory because there are too many of them."""

from __future__ import annotations

from wasm_core.leb128 import read_u32
from wasm_ir import opcodes as ir
from wasm_ir.frontend.signatures import ir_type
from wasm_ir.frontend.state import State
from wasm_ir.ir import Inst
from wasm_ir.types import V128
from wasm_ir.vmcontext import GLOBAL_SIZE


def _cell(s: State, index: int) -> tuple[Inst, int]:
    """Address and offset of a global's cell."""
    offset = s.layout.globals + GLOBAL_SIZE * index
    if index < s.module.imported_globals:
        return s.context_pointer(offset), 0
    return s.builder.vmctx(), offset


def global_get(s: State, pos: int) -> int:
    index, pos = read_u32(s.source, pos, s.end)
    global_type = s.module.global_types[index]
    type = ir_type(global_type.value_type)
    cell, offset = _cell(s, index)
    s.stack.append(s.builder.load(ir.LOAD if global_type.mutable else ir.LOAD_INVARIANT, type, cell, offset))
    return pos


def global_set(s: State, pos: int) -> int:
    index, pos = read_u32(s.source, pos, s.end)
    cell, offset = _cell(s, index)
    s.builder.store(ir.STORE, cell, s.stack.pop(), offset)
    return pos


# Locals in memory. Those that are never assigned are values all the same.


def slot_get(s: State, pos: int) -> int:
    local, pos = read_u32(s.source, pos, s.end)
    offset = s.local_slots.get(local)
    if offset is None:
        value = s.defs.get(local) or s.locals.read(local)
    else:
        assert s.slots is not None
        value = s.builder.load(ir.LOAD, s.locals.types[local], s.slots, offset)
    s.stack.append(value)
    return pos


def slot_set(s: State, pos: int) -> int:
    local, pos = read_u32(s.source, pos, s.end)
    _store_slot(s, local, s.stack.pop())
    return pos


def slot_tee(s: State, pos: int) -> int:
    local, pos = read_u32(s.source, pos, s.end)
    _store_slot(s, local, s.stack[-1])
    return pos


def _store_slot(s: State, local: int, value: Inst) -> None:
    assert s.slots is not None
    s.builder.store(ir.STORE, s.slots, value, s.local_slots[local])


def make_slots(s: State) -> None:
    """Put the locals that are assigned into a stack slot, with their first values."""
    builder = s.builder
    assigned = sorted(s.facts.local_sets)
    types = s.locals.types
    # Vectors first, so that they are aligned.
    size = 0
    for is_vector in (True, False):
        for local in assigned:
            if (types[local] == V128) == is_vector:
                s.local_slots[local] = size
                size += 16 if is_vector else 8
    s.slots = builder.stack_slot(size)
    for local in assigned:
        _store_slot(s, local, s.defs.get(local) or builder.const(types[local], 0))
