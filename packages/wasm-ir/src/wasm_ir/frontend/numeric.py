"""Tables of the instructions that are one IR operation: WebAssembly opcode to operation and type."""

from __future__ import annotations

from wasm_core import opcodes as wasm
from wasm_ir import opcodes as ir
from wasm_ir.types import F32, F64, I32, I64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# The binary format keeps these in the same order for both integer and both float types.
_INTEGER_UNARY: Final = (ir.CLZ, ir.CTZ, ir.POPCNT)
_INTEGER_BINARY: Final = (
    ir.IADD,
    ir.ISUB,
    ir.IMUL,
    ir.DIV_S,
    ir.DIV_U,
    ir.REM_S,
    ir.REM_U,
    ir.AND,
    ir.OR,
    ir.XOR,
    ir.SHL,
    ir.SHR_S,
    ir.SHR_U,
    ir.ROTL,
    ir.ROTR,
)
_INTEGER_COMPARISONS: Final = (
    ir.EQ,
    ir.NE,
    ir.LT_S,
    ir.LT_U,
    ir.GT_S,
    ir.GT_U,
    ir.LE_S,
    ir.LE_U,
    ir.GE_S,
    ir.GE_U,
)
_FLOAT_COMPARISONS: Final = (ir.FEQ, ir.FNE, ir.FLT, ir.FGT, ir.FLE, ir.FGE)
_FLOAT_UNARY: Final = (ir.FABS, ir.FNEG, ir.FCEIL, ir.FFLOOR, ir.FTRUNC, ir.FNEAREST, ir.FSQRT)
_FLOAT_BINARY: Final = (ir.FADD, ir.FSUB, ir.FMUL, ir.FDIV, ir.FMIN, ir.FMAX, ir.FCOPYSIGN)

#: Opcode -> (operation, type of result).
UNARY: Final[dict[int, tuple[int, int]]] = {
    wasm.I32_WRAP_I64: (ir.WRAP, I32),
    wasm.I32_TRUNC_F32_S: (ir.FTOI_S, I32),
    wasm.I32_TRUNC_F32_U: (ir.FTOI_U, I32),
    wasm.I32_TRUNC_F64_S: (ir.FTOI_S, I32),
    wasm.I32_TRUNC_F64_U: (ir.FTOI_U, I32),
    wasm.I64_EXTEND_I32_S: (ir.EXTEND_S, I64),
    wasm.I64_EXTEND_I32_U: (ir.EXTEND_U, I64),
    wasm.I64_TRUNC_F32_S: (ir.FTOI_S, I64),
    wasm.I64_TRUNC_F32_U: (ir.FTOI_U, I64),
    wasm.I64_TRUNC_F64_S: (ir.FTOI_S, I64),
    wasm.I64_TRUNC_F64_U: (ir.FTOI_U, I64),
    wasm.F32_CONVERT_I32_S: (ir.ITOF_S, F32),
    wasm.F32_CONVERT_I32_U: (ir.ITOF_U, F32),
    wasm.F32_CONVERT_I64_S: (ir.ITOF_S, F32),
    wasm.F32_CONVERT_I64_U: (ir.ITOF_U, F32),
    wasm.F32_DEMOTE_F64: (ir.DEMOTE, F32),
    wasm.F64_CONVERT_I32_S: (ir.ITOF_S, F64),
    wasm.F64_CONVERT_I32_U: (ir.ITOF_U, F64),
    wasm.F64_CONVERT_I64_S: (ir.ITOF_S, F64),
    wasm.F64_CONVERT_I64_U: (ir.ITOF_U, F64),
    wasm.F64_PROMOTE_F32: (ir.PROMOTE, F64),
    wasm.I32_REINTERPRET_F32: (ir.BITCAST, I32),
    wasm.I64_REINTERPRET_F64: (ir.BITCAST, I64),
    wasm.F32_REINTERPRET_I32: (ir.BITCAST, F32),
    wasm.F64_REINTERPRET_I64: (ir.BITCAST, F64),
    wasm.I32_EXTEND8_S: (ir.SEXT8, I32),
    wasm.I32_EXTEND16_S: (ir.SEXT16, I32),
    wasm.I64_EXTEND8_S: (ir.SEXT8, I64),
    wasm.I64_EXTEND16_S: (ir.SEXT16, I64),
    wasm.I64_EXTEND32_S: (ir.SEXT32, I64),
}
for _first, _type in ((wasm.I32_CLZ, I32), (wasm.I64_CLZ, I64)):
    UNARY.update((_first + _i, (_op, _type)) for _i, _op in enumerate(_INTEGER_UNARY))
for _first, _type in ((wasm.F32_ABS, F32), (wasm.F64_ABS, F64)):
    UNARY.update((_first + _i, (_op, _type)) for _i, _op in enumerate(_FLOAT_UNARY))

#: Opcode -> (operation, type).
BINARY: Final[dict[int, tuple[int, int]]] = {}
for _first, _type in ((wasm.I32_ADD, I32), (wasm.I64_ADD, I64)):
    BINARY.update((_first + _i, (_op, _type)) for _i, _op in enumerate(_INTEGER_BINARY))
for _first, _type in ((wasm.F32_ADD, F32), (wasm.F64_ADD, F64)):
    BINARY.update((_first + _i, (_op, _type)) for _i, _op in enumerate(_FLOAT_BINARY))

#: Opcode -> condition of icmp.
ICMP: Final[dict[int, int]] = {
    _first + _i: _condition
    for _first in (wasm.I32_EQ, wasm.I64_EQ)
    for _i, _condition in enumerate(_INTEGER_COMPARISONS)
}
#: Opcode -> condition of fcmp.
FCMP: Final[dict[int, int]] = {
    _first + _i: _condition for _first in (wasm.F32_EQ, wasm.F64_EQ) for _i, _condition in enumerate(_FLOAT_COMPARISONS)
}
#: Opcode -> type of the operand.
EQZ: Final[dict[int, int]] = {wasm.I32_EQZ: I32, wasm.I64_EQZ: I64}

#: Second opcode of the saturating truncations (after the prefix 0xFC) -> (operation, type).
SATURATING: Final = (
    (ir.FTOI_SAT_S, I32),
    (ir.FTOI_SAT_U, I32),
    (ir.FTOI_SAT_S, I32),
    (ir.FTOI_SAT_U, I32),
    (ir.FTOI_SAT_S, I64),
    (ir.FTOI_SAT_U, I64),
    (ir.FTOI_SAT_S, I64),
    (ir.FTOI_SAT_U, I64),
)

#: Opcode -> (operation, type of the value, bytes accessed).
LOADS: Final[dict[int, tuple[int, int, int]]] = {
    wasm.I32_LOAD: (ir.HEAP_LOAD, I32, 4),
    wasm.I64_LOAD: (ir.HEAP_LOAD, I64, 8),
    wasm.F32_LOAD: (ir.HEAP_LOAD, F32, 4),
    wasm.F64_LOAD: (ir.HEAP_LOAD, F64, 8),
    wasm.I32_LOAD8_S: (ir.HEAP_LOAD8_S, I32, 1),
    wasm.I32_LOAD8_U: (ir.HEAP_LOAD8_U, I32, 1),
    wasm.I32_LOAD16_S: (ir.HEAP_LOAD16_S, I32, 2),
    wasm.I32_LOAD16_U: (ir.HEAP_LOAD16_U, I32, 2),
    wasm.I64_LOAD8_S: (ir.HEAP_LOAD8_S, I64, 1),
    wasm.I64_LOAD8_U: (ir.HEAP_LOAD8_U, I64, 1),
    wasm.I64_LOAD16_S: (ir.HEAP_LOAD16_S, I64, 2),
    wasm.I64_LOAD16_U: (ir.HEAP_LOAD16_U, I64, 2),
    wasm.I64_LOAD32_S: (ir.HEAP_LOAD32_S, I64, 4),
    wasm.I64_LOAD32_U: (ir.HEAP_LOAD32_U, I64, 4),
}
#: Opcode -> (operation, bytes accessed).
STORES: Final[dict[int, tuple[int, int]]] = {
    wasm.I32_STORE: (ir.HEAP_STORE, 4),
    wasm.I64_STORE: (ir.HEAP_STORE, 8),
    wasm.F32_STORE: (ir.HEAP_STORE, 4),
    wasm.F64_STORE: (ir.HEAP_STORE, 8),
    wasm.I32_STORE8: (ir.HEAP_STORE8, 1),
    wasm.I32_STORE16: (ir.HEAP_STORE16, 2),
    wasm.I64_STORE8: (ir.HEAP_STORE8, 1),
    wasm.I64_STORE16: (ir.HEAP_STORE16, 2),
    wasm.I64_STORE32: (ir.HEAP_STORE32, 4),
}
