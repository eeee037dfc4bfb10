"""Instructions on vectors for instruction selection: on registers, constants, and vectors that are loaded for them.

All return the register with the result: the one that is given, or a new one.
"""

from __future__ import annotations

from wasm_backend_amd64.encodings import COMMUTATIVE, Encoding
from wasm_backend_amd64.forms import in_registers, with_constant, with_memory
from wasm_backend_amd64.operands import pack_value
from wasm_backend_amd64.vector_instructions import LOWEST_LANE
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.codegen.machinst import MInst
from wasm_ir.ir import Inst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_backend_amd64.lower_memory import MemoryLowering

_CONST: Final = op.CONST
_V128: Final = types.V128
_ONES: Final = types.MASKS[types.V128]


def make(s: MemoryLowering, row: Encoding, uses: list[int], imm: int = 0, destination: int = 0) -> int:
    """An instruction on registers."""
    register = destination or s.temp(_V128)
    s.emit(MInst(in_registers(row, s.avx), [register], uses, imm))
    return register


def make_with(s: MemoryLowering, row: Encoding, x: int, constant: int, destination: int = 0) -> int:
    """An instruction on a register and a constant vector."""
    if constant == 0 or constant == _ONES:
        return make(s, row, [x, s.vector_constant(constant)], 0, destination)
    register = destination or s.temp(_V128)
    s.emit(MInst(with_constant(row, s.avx), [register], [x], constant))
    return register


def scalar_lane(s: MemoryLowering, scalar: int) -> int:
    """A vector with a floating-point number in its lowest lane, and anything in the others."""
    register = s.temp(_V128)
    s.emit(MInst(LOWEST_LANE, [register], [scalar], 0))
    return register


def is_memory(s: MemoryLowering, row: Encoding, value: Inst) -> bool:
    """Whether a vector is loaded for the instruction alone, which can do that: legacy instructions want it aligned, and
    those that read less would not notice where memory ends."""
    return s.avx and row.memory == 16 and s.is_operand(value, _V128)


def operate(s: MemoryLowering, row: Encoding, x: Inst, y: Inst, destination: int = 0, imm: int = 0) -> int:
    """An instruction on two vectors, of which the second (or first, if they can change places) may be in memory."""
    if row.flags & COMMUTATIVE and (x.op == _CONST or (is_memory(s, row, x) and not is_memory(s, row, y))):
        x, y = y, x
    uses = [s.use(x)]
    has_imm = row.operands[-1] == "i"
    if y.op == _CONST and not has_imm:
        return make_with(s, row, uses[0], y.imm, destination)
    if not is_memory(s, row, y):
        uses.append(s.use(y))
        return make(s, row, uses, imm, destination)
    address = s.memory(y, uses)
    register = destination or s.temp(_V128)
    packed = pack_value(address, imm) if has_imm else address
    s.emit(MInst(with_memory(row, s.avx), [register], uses, packed, s.fault_offset(y)))
    return register


def operate_one(s: MemoryLowering, row: Encoding, x: Inst, destination: int = 0, imm: int = 0) -> int:
    """An instruction on a vector that may be in memory."""
    if not is_memory(s, row, x):
        return make(s, row, [s.use(x)], imm, destination)
    uses: list[int] = []
    address = s.memory(x, uses)
    register = destination or s.temp(_V128)
    packed = pack_value(address, imm) if row.operands[-1] == "i" else address
    s.emit(MInst(with_memory(row, s.avx), [register], uses, packed, s.fault_offset(x)))
    return register
