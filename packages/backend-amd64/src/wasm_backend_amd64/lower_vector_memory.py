"""Instruction selection for parts of vectors in memory: one element to all lanes, to the lowest, from and to one lane.

They are trees of a scalar access and an operation between the scalar and a vector (`wasm_ir.opcodes`).
"""

from __future__ import annotations

from wasm_backend_amd64 import encodings as e
from wasm_backend_amd64 import vector_encodings as v
from wasm_backend_amd64.encodings import Encoding
from wasm_backend_amd64.forms import with_memory
from wasm_backend_amd64.operands import pack_value
from wasm_backend_amd64.vector_instructions import BROADCAST, EXTRACT, INSERT
from wasm_backend_amd64.vector_operands import make
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.codegen.machinst import MInst
from wasm_ir.ir import Inst
from wasm_ir.opcodes import F32X4, F64X2, I64X2

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_backend_amd64.lower_memory import MemoryLowering

_V128: Final = types.V128
#: Loads of less than the type -> bytes.
_NARROW: Final = {
    **dict.fromkeys((op.LOAD8_S, op.LOAD8_U, op.HEAP_LOAD8_S, op.HEAP_LOAD8_U), 1),
    **dict.fromkeys((op.LOAD16_S, op.LOAD16_U, op.HEAP_LOAD16_S, op.HEAP_LOAD16_U), 2),
    **dict.fromkeys((op.LOAD32_S, op.LOAD32_U, op.HEAP_LOAD32_S, op.HEAP_LOAD32_U), 4),
}
#: The lowest lane of an empty vector, by its size in bytes.
_LOADS: Final = {4: e.MOVSS_RM, 8: e.MOVSD_RM}
_STORES: Final = {4: e.MOVSS_MR, 8: e.MOVSD_MR}


def _is_loaded(s: MemoryLowering, scalar: Inst, size: int) -> bool:
    """Whether a scalar is loaded, with this size, for the instruction being lowered alone."""
    operation = scalar.op
    loaded = (
        types.BYTES[scalar.type] if operation == op.LOAD or operation == op.HEAP_LOAD else _NARROW.get(operation, 0)
    )
    return loaded == size and s.can_sink(scalar)


def _take(
    s: MemoryLowering, row: Encoding, uses: list[int], scalar: Inst, destination: int, avx: bool, imm: int = 0
) -> None:
    """An instruction that loads its last operand."""
    address = s.memory(scalar, uses)
    packed = pack_value(address, imm) if row.operands[-1] == "i" else address
    s.emit(MInst(with_memory(row, avx), [destination], uses, packed, s.fault_offset(scalar)))


def load_splat(s: MemoryLowering, scalar: Inst, shape: int, destination: int) -> bool:
    """v_splat of what is loaded; False when it is not, or when it takes the scalar in a register."""
    size = op.SHAPE_BITS[shape] >> 3
    if (size < 4 and "avx2" not in s.features) or not _is_loaded(s, scalar, size):
        return False
    if size < 4:
        _take(s, BROADCAST[shape], [], scalar, destination, True)
    elif size == 8:
        _take(s, v.MOVDDUP, [], scalar, destination, s.avx)
    elif s.avx:
        _take(s, v.VBROADCASTSS_RM, [], scalar, destination, True)
    else:
        low = s.temp(_V128)
        _take(s, e.MOVSS_RM, [], scalar, low, False)
        make(s, v.SHUFPS, [low, low], 0, destination)
    return True


def load_low(s: MemoryLowering, scalar: Inst, shape: int, destination: int) -> bool:
    """v_low of what is loaded; False when it is not."""
    size = op.SHAPE_BITS[shape] >> 3
    if not _is_loaded(s, scalar, size):
        return False
    _take(s, _LOADS[size], [], scalar, destination, False)
    return True


def load_low_half(s: MemoryLowering, row: Encoding, vector: Inst, destination: int) -> bool:
    """An instruction that reads the low half of a vector, of which just that is loaded; False when it is not."""
    if vector.op != op.V_LOW or vector.imm not in (I64X2, F64X2) or not s.is_inner(vector):
        return False
    (scalar,) = vector.args
    if not _is_loaded(s, scalar, 8):
        return False
    s.sink(vector)
    _take(s, row, [], scalar, destination, s.avx)
    return True


def load_lane(s: MemoryLowering, vector: Inst, scalar: Inst, shape: int, lane: int, destination: int) -> bool:
    """v_replace by what is loaded; False when it is not."""
    if not _is_loaded(s, scalar, op.SHAPE_BITS[shape] >> 3):
        return False
    uses = [s.use(vector)]
    if shape < F32X4:
        _take(s, INSERT[shape], uses, scalar, destination, s.avx, lane)
    elif shape == F32X4:
        _take(s, v.INSERTPS, uses, scalar, destination, s.avx, lane << 4)
    else:
        _take(s, v.MOVHPS_RM if lane else v.MOVLPS_RM, uses, scalar, destination, s.avx)
    return True


def store_lane(s: MemoryLowering, lane: Inst, width: int, pointer: Inst, offset: int, fault: int) -> bool:
    """Store a lane, v_extract_u, from the vector; False when just a part of it is stored.

    `offset` belongs to the address; `fault`: where the store comes from in the module if it can fault, else 0.
    """
    shape = lane.imm & op.SHAPE_MASK
    number = lane.imm >> op.SHAPE_SHIFT
    if op.SHAPE_BITS[shape] >> 3 != width:
        return False
    uses = [s.use(lane.args[0])]
    address = s.address(pointer, offset, uses)
    if width < 4 or (width == 4 and number):
        row = EXTRACT[(width >> 1) if width < 4 else 2]
        s.emit(MInst(with_memory(row, s.avx), [], uses, pack_value(address, number), fault))
    else:
        row = v.MOVHPS_MR if number else _STORES[width]
        s.emit(MInst(with_memory(row, False), [], uses, address, fault))
    s.sink(lane)
    return True
