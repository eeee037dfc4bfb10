"""Tables of the instructions that are one IR operation: WebAssembly opcode to operation and type."""

from __future__ import annotations

from wasm_core import opcodes as wasm
from wasm_ir import opcodes as ir
from wasm_ir.types import F32, F64, I32, I64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

Run = tuple[int, tuple[int, ...], tuple[int, ...]]

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

#: What comes one after another in the binary format: first opcode, operations, types of results.
UNARY: Final[tuple[Run, ...]] = (
    (wasm.I32_CLZ, _INTEGER_UNARY, (I32,) * 3),
    (wasm.I64_CLZ, _INTEGER_UNARY, (I64,) * 3),
    (wasm.F32_ABS, _FLOAT_UNARY, (F32,) * 7),
    (wasm.F64_ABS, _FLOAT_UNARY, (F64,) * 7),
    (
        wasm.I32_WRAP_I64,
        (
            *(ir.WRAP, ir.FTOI_S, ir.FTOI_U, ir.FTOI_S, ir.FTOI_U),
            *(ir.EXTEND_S, ir.EXTEND_U, ir.FTOI_S, ir.FTOI_U, ir.FTOI_S, ir.FTOI_U),
            *(ir.ITOF_S, ir.ITOF_U, ir.ITOF_S, ir.ITOF_U, ir.DEMOTE),
            *(ir.ITOF_S, ir.ITOF_U, ir.ITOF_S, ir.ITOF_U, ir.PROMOTE),
            *(ir.BITCAST, ir.BITCAST, ir.BITCAST, ir.BITCAST),
            *(ir.SEXT8, ir.SEXT16, ir.SEXT8, ir.SEXT16, ir.SEXT32),
        ),
        (I32,) * 5 + (I64,) * 6 + (F32,) * 5 + (F64,) * 5 + (I32, I64, F32, F64, I32, I32, I64, I64, I64),
    ),
)
#: The same: types of operands and results.
BINARY: Final[tuple[Run, ...]] = (
    (wasm.I32_ADD, _INTEGER_BINARY, (I32,) * 15),
    (wasm.I64_ADD, _INTEGER_BINARY, (I64,) * 15),
    (wasm.F32_ADD, _FLOAT_BINARY, (F32,) * 7),
    (wasm.F64_ADD, _FLOAT_BINARY, (F64,) * 7),
)
#: The same: conditions, types of operands.
ICMP: Final[tuple[Run, ...]] = (
    (wasm.I32_EQ, _INTEGER_COMPARISONS, (I32,) * 10),
    (wasm.I64_EQ, _INTEGER_COMPARISONS, (I64,) * 10),
)
FCMP: Final[tuple[Run, ...]] = (
    (wasm.F32_EQ, _FLOAT_COMPARISONS, (F32,) * 6),
    (wasm.F64_EQ, _FLOAT_COMPARISONS, (F64,) * 6),
)
EQZ: Final[tuple[Run, ...]] = ((wasm.I32_EQZ, (ir.EQ,), (I32,)), (wasm.I64_EQZ, (ir.EQ,), (I64,)))
#: The same: types of values.
LOADS: Final[Run] = (
    wasm.I32_LOAD,
    (
        *(ir.HEAP_LOAD, ir.HEAP_LOAD, ir.HEAP_LOAD, ir.HEAP_LOAD),
        *(ir.HEAP_LOAD8_S, ir.HEAP_LOAD8_U, ir.HEAP_LOAD16_S, ir.HEAP_LOAD16_U),
        *(ir.HEAP_LOAD8_S, ir.HEAP_LOAD8_U, ir.HEAP_LOAD16_S, ir.HEAP_LOAD16_U, ir.HEAP_LOAD32_S, ir.HEAP_LOAD32_U),
    ),
    (I32, I64, F32, F64, I32, I32, I32, I32, I64, I64, I64, I64, I64, I64),
)
STORES: Final[Run] = (
    wasm.I32_STORE,
    (
        *(ir.HEAP_STORE, ir.HEAP_STORE, ir.HEAP_STORE, ir.HEAP_STORE),
        *(ir.HEAP_STORE8, ir.HEAP_STORE16, ir.HEAP_STORE8, ir.HEAP_STORE16, ir.HEAP_STORE32),
    ),
    (I32, I64, F32, F64, I32, I32, I64, I64, I64),
)
#: Bytes that these access.
LOAD_SIZES: Final = (4, 8, 4, 8, 1, 1, 2, 2, 1, 1, 2, 2, 4, 4)
STORE_SIZES: Final = (4, 8, 4, 8, 1, 2, 1, 2, 4)

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
