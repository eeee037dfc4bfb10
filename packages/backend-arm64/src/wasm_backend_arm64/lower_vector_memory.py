"""Instruction selection for parts of vectors in memory: one element to all lanes, to the lowest, from and to one lane.

The instructions for elements have an address in a register and no offset. Where that would have to be computed, a load
or store of a floating-point register with the lane in it takes no more instructions, and goes with any address.
"""

from __future__ import annotations

from wasm_backend_arm64.vector_encodings import lane, memory_lane
from wasm_backend_arm64.vector_instructions import (
    INSERT_LANE,
    LANE,
    LOAD_ELEMENT,
    LOAD_LANE,
    LOAD_SPLAT,
    SPLAT_LANE,
    STORE_ELEMENT,
    STORE_LANE,
    WIDTHS,
)
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.codegen.machinst import MInst
from wasm_ir.ir import Inst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_backend_arm64.lower_memory import MemoryLowering

_V128: Final = types.V128
#: Loads of less than the type -> bytes.
_NARROW: Final = {
    **dict.fromkeys((op.LOAD8_S, op.LOAD8_U, op.HEAP_LOAD8_S, op.HEAP_LOAD8_U), 1),
    **dict.fromkeys((op.LOAD16_S, op.LOAD16_U, op.HEAP_LOAD16_S, op.HEAP_LOAD16_U), 2),
    **dict.fromkeys((op.LOAD32_S, op.LOAD32_U, op.HEAP_LOAD32_S, op.HEAP_LOAD32_U), 4),
}


def _can_load(s: MemoryLowering, scalar: Inst, width: int) -> bool:
    """Whether a scalar is loaded, with this width, for the instruction being lowered alone."""
    operation = scalar.op
    size = types.BYTES[scalar.type] if operation == op.LOAD or operation == op.HEAP_LOAD else _NARROW.get(operation, 0)
    return size == 1 << width and s.can_sink(scalar)


def _is_in_register(s: MemoryLowering, pointer: Inst, offset: int) -> bool:
    """Whether an address is one that an instruction for elements can have."""
    return offset == 0 and (pointer.op != op.IADD or s.vregs[pointer.id] != 0)


def _load(s: MemoryLowering, scalar: Inst, width: int, destination: int) -> None:
    """Take over a load, to the lowest lane of an empty vector."""
    form = LOAD_ELEMENT[width]
    uses: list[int] = []
    imm = s.memory(scalar, form.access, uses)
    s.emit(MInst(form, [destination], uses, imm, s.fault_offset(scalar)))


def load_low(s: MemoryLowering, inst: Inst, scalar: Inst, width: int) -> bool:
    """v_low of what is loaded."""
    if not _can_load(s, scalar, width):
        return False
    _load(s, scalar, width, s.define(inst))
    return True


def load_splat(s: MemoryLowering, inst: Inst, scalar: Inst, width: int) -> bool:
    """v_splat of what is loaded."""
    if not _can_load(s, scalar, width):
        return False
    destination = s.define(inst)
    pointer = scalar.args[0]
    if _is_in_register(s, pointer, scalar.imm):
        s.sink(scalar)
        s.emit(MInst(LOAD_SPLAT[width], [destination], [s.use(pointer)], 0, s.fault_offset(scalar)))
    else:
        lowest = s.temp(_V128)
        _load(s, scalar, width, lowest)
        s.emit(MInst(SPLAT_LANE[width], [destination], [lowest], 0))
    return True


def load_into_lane(s: MemoryLowering, inst: Inst, vector: Inst, scalar: Inst, width: int, number: int) -> bool:
    """v_replace by what is loaded."""
    if not _can_load(s, scalar, width):
        return False
    destination = s.define(inst)
    pointer = scalar.args[0]
    if _is_in_register(s, pointer, scalar.imm):
        s.sink(scalar)
        uses = [s.use(vector), s.use(pointer)]
        s.emit(MInst(LOAD_LANE[width], [destination], uses, memory_lane(width, number), s.fault_offset(scalar)))
    else:
        lowest = s.temp(_V128)
        _load(s, scalar, width, lowest)
        s.emit(MInst(INSERT_LANE[width], [destination], [s.use(vector), lowest], lane(width, number)))
    return True


def store_lane(s: MemoryLowering, extraction: Inst, size: int, pointer: Inst, imm: int, offset: int) -> bool:
    """A store of `size` bytes of v_extract_u, when that is a whole lane. `offset`: in the module, if it may fault."""
    width = WIDTHS[extraction.imm & op.SHAPE_MASK]
    number = extraction.imm >> op.SHAPE_SHIFT
    if size != 1 << width:
        return False
    source = s.use(extraction.args[0])
    if number and _is_in_register(s, pointer, imm):
        uses = [source, s.use(pointer)]
        s.emit(MInst(STORE_LANE[width], [], uses, memory_lane(width, number), offset))
        return True
    if number:
        lowest = s.temp(_V128)
        s.emit(MInst(LANE[width], [lowest], [source], lane(width, number)))
        source = lowest
    form = STORE_ELEMENT[width]
    uses = [source]
    imm = s.address(pointer, imm, form.access, uses)
    s.emit(MInst(form, [], uses, imm, offset))
    return True
