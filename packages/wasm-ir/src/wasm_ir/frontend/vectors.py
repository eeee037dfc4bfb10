"""Vector instructions: tables from their numbers to IR operations, and handlers.

Instructions whose result depends on the machine (relaxed ones) have a second row: what they are when every machine is
to give the same, which is the first of the results that the specification allows.
"""

from __future__ import annotations

from collections.abc import Callable

from wasm_core import vector_opcodes as wasm
from wasm_core.constant_opcodes import V128_CONST
from wasm_core.leb128 import read_u32, read_u64
from wasm_ir import opcodes as ir
from wasm_ir.frontend.memory import access, read_memory
from wasm_ir.frontend.state import State
from wasm_ir.ir import Inst
from wasm_ir.opcodes import F32X4, F64X2, HIGH_HALF, I8X16, I16X8, I32X4, I64X2
from wasm_ir.simplify_vectors import bitwise
from wasm_ir.types import F32, F64, I32, V128

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Instruction -> operation, imm. With one operand, two, and three; the result is a vector.
_UNARY: Final[dict[int, tuple[int, int]]] = {
    wasm.I8X16_SPLAT: (ir.V_SPLAT, I8X16),
    wasm.I16X8_SPLAT: (ir.V_SPLAT, I16X8),
    wasm.I32X4_SPLAT: (ir.V_SPLAT, I32X4),
    wasm.I64X2_SPLAT: (ir.V_SPLAT, I64X2),
    wasm.F32X4_SPLAT: (ir.V_SPLAT, F32X4),
    wasm.F64X2_SPLAT: (ir.V_SPLAT, F64X2),
    wasm.V128_NOT: (ir.V_NOT, 0),
    wasm.F32X4_DEMOTE_F64X2_ZERO: (ir.V_DEMOTE, 0),
    wasm.F64X2_PROMOTE_LOW_F32X4: (ir.V_PROMOTE, 0),
    wasm.I8X16_ABS: (ir.V_ABS, I8X16),
    wasm.I8X16_NEG: (ir.V_NEG, I8X16),
    wasm.I8X16_POPCNT: (ir.V_POPCNT, I8X16),
    wasm.I16X8_ABS: (ir.V_ABS, I16X8),
    wasm.I16X8_NEG: (ir.V_NEG, I16X8),
    wasm.I32X4_ABS: (ir.V_ABS, I32X4),
    wasm.I32X4_NEG: (ir.V_NEG, I32X4),
    wasm.I64X2_ABS: (ir.V_ABS, I64X2),
    wasm.I64X2_NEG: (ir.V_NEG, I64X2),
    wasm.I16X8_EXTADD_PAIRWISE_I8X16_S: (ir.V_EXTADD_S, I16X8),
    wasm.I16X8_EXTADD_PAIRWISE_I8X16_U: (ir.V_EXTADD_U, I16X8),
    wasm.I32X4_EXTADD_PAIRWISE_I16X8_S: (ir.V_EXTADD_S, I32X4),
    wasm.I32X4_EXTADD_PAIRWISE_I16X8_U: (ir.V_EXTADD_U, I32X4),
    wasm.F32X4_CEIL: (ir.V_FCEIL, F32X4),
    wasm.F32X4_FLOOR: (ir.V_FFLOOR, F32X4),
    wasm.F32X4_TRUNC: (ir.V_FTRUNC, F32X4),
    wasm.F32X4_NEAREST: (ir.V_FNEAREST, F32X4),
    wasm.F64X2_CEIL: (ir.V_FCEIL, F64X2),
    wasm.F64X2_FLOOR: (ir.V_FFLOOR, F64X2),
    wasm.F64X2_TRUNC: (ir.V_FTRUNC, F64X2),
    wasm.F64X2_NEAREST: (ir.V_FNEAREST, F64X2),
    wasm.F32X4_ABS: (ir.V_FABS, F32X4),
    wasm.F32X4_NEG: (ir.V_FNEG, F32X4),
    wasm.F32X4_SQRT: (ir.V_FSQRT, F32X4),
    wasm.F64X2_ABS: (ir.V_FABS, F64X2),
    wasm.F64X2_NEG: (ir.V_FNEG, F64X2),
    wasm.F64X2_SQRT: (ir.V_FSQRT, F64X2),
    wasm.I32X4_TRUNC_SAT_F32X4_S: (ir.V_TRUNC_SAT_S, F32X4),
    wasm.I32X4_TRUNC_SAT_F32X4_U: (ir.V_TRUNC_SAT_U, F32X4),
    wasm.I32X4_TRUNC_SAT_F64X2_S_ZERO: (ir.V_TRUNC_SAT_S, F64X2),
    wasm.I32X4_TRUNC_SAT_F64X2_U_ZERO: (ir.V_TRUNC_SAT_U, F64X2),
    wasm.F32X4_CONVERT_I32X4_S: (ir.V_CONVERT_S, F32X4),
    wasm.F32X4_CONVERT_I32X4_U: (ir.V_CONVERT_U, F32X4),
    wasm.F64X2_CONVERT_LOW_I32X4_S: (ir.V_CONVERT_S, F64X2),
    wasm.F64X2_CONVERT_LOW_I32X4_U: (ir.V_CONVERT_U, F64X2),
    wasm.I32X4_RELAXED_TRUNC_F32X4_S: (ir.V_RELAXED_TRUNC_S, F32X4),
    wasm.I32X4_RELAXED_TRUNC_F32X4_U: (ir.V_RELAXED_TRUNC_U, F32X4),
    wasm.I32X4_RELAXED_TRUNC_F64X2_S_ZERO: (ir.V_RELAXED_TRUNC_S, F64X2),
    wasm.I32X4_RELAXED_TRUNC_F64X2_U_ZERO: (ir.V_RELAXED_TRUNC_U, F64X2),
}
_BINARY: Final[dict[int, tuple[int, int]]] = {
    wasm.I8X16_SWIZZLE: (ir.V_SWIZZLE, 0),
    wasm.V128_ANDNOT: (ir.V_ANDNOT, 0),
    wasm.I8X16_NARROW_I16X8_S: (ir.V_NARROW_S, I8X16),
    wasm.I8X16_NARROW_I16X8_U: (ir.V_NARROW_U, I8X16),
    wasm.I16X8_NARROW_I32X4_S: (ir.V_NARROW_S, I16X8),
    wasm.I16X8_NARROW_I32X4_U: (ir.V_NARROW_U, I16X8),
    wasm.I16X8_Q15MULR_SAT_S: (ir.V_Q15MULR, I16X8),
    wasm.I32X4_DOT_I16X8_S: (ir.V_DOT, I32X4),
    wasm.I8X16_RELAXED_SWIZZLE: (ir.V_RELAXED_SWIZZLE, 0),
    wasm.F32X4_RELAXED_MIN: (ir.V_RELAXED_FMIN, F32X4),
    wasm.F32X4_RELAXED_MAX: (ir.V_RELAXED_FMAX, F32X4),
    wasm.F64X2_RELAXED_MIN: (ir.V_RELAXED_FMIN, F64X2),
    wasm.F64X2_RELAXED_MAX: (ir.V_RELAXED_FMAX, F64X2),
    wasm.I16X8_RELAXED_Q15MULR_S: (ir.V_RELAXED_Q15MULR, I16X8),
    wasm.I16X8_RELAXED_DOT_I8X16_I7X16_S: (ir.V_RELAXED_DOT, I16X8),
}
_TERNARY: Final[dict[int, tuple[int, int]]] = {
    wasm.V128_BITSELECT: (ir.V_BITSELECT, 0),
    wasm.F32X4_RELAXED_MADD: (ir.V_RELAXED_MADD, F32X4),
    wasm.F32X4_RELAXED_NMADD: (ir.V_RELAXED_NMADD, F32X4),
    wasm.F64X2_RELAXED_MADD: (ir.V_RELAXED_MADD, F64X2),
    wasm.F64X2_RELAXED_NMADD: (ir.V_RELAXED_NMADD, F64X2),
    wasm.I8X16_RELAXED_LANESELECT: (ir.V_RELAXED_LANESELECT, I8X16),
    wasm.I16X8_RELAXED_LANESELECT: (ir.V_RELAXED_LANESELECT, I16X8),
    wasm.I32X4_RELAXED_LANESELECT: (ir.V_RELAXED_LANESELECT, I32X4),
    wasm.I64X2_RELAXED_LANESELECT: (ir.V_RELAXED_LANESELECT, I64X2),
}
#: Those whose result is an i32.
_TESTS: Final[dict[int, tuple[int, int]]] = {
    wasm.V128_ANY_TRUE: (ir.V_ANY_TRUE, 0),
    wasm.I8X16_ALL_TRUE: (ir.V_ALL_TRUE, I8X16),
    wasm.I8X16_BITMASK: (ir.V_BITMASK, I8X16),
    wasm.I16X8_ALL_TRUE: (ir.V_ALL_TRUE, I16X8),
    wasm.I16X8_BITMASK: (ir.V_BITMASK, I16X8),
    wasm.I32X4_ALL_TRUE: (ir.V_ALL_TRUE, I32X4),
    wasm.I32X4_BITMASK: (ir.V_BITMASK, I32X4),
    wasm.I64X2_ALL_TRUE: (ir.V_ALL_TRUE, I64X2),
    wasm.I64X2_BITMASK: (ir.V_BITMASK, I64X2),
}

# Families that the binary format numbers in one order for several shapes.
_SHIFTS: Final = (ir.V_SHL, ir.V_SHR_S, ir.V_SHR_U)
_INTEGER_CONDITIONS: Final = (*(ir.EQ, ir.NE, ir.LT_S, ir.LT_U, ir.GT_S, ir.GT_U, ir.LE_S, ir.LE_U, ir.GE_S, ir.GE_U),)
_LONG_CONDITIONS: Final = (ir.EQ, ir.NE, ir.LT_S, ir.GT_S, ir.LE_S, ir.GE_S)
_FLOAT_CONDITIONS: Final = (ir.FEQ, ir.FNE, ir.FLT, ir.FGT, ir.FLE, ir.FGE)
#: From the addition on.
_BYTE_ARITHMETIC: Final = (ir.V_ADD, ir.V_ADD_SAT_S, ir.V_ADD_SAT_U, ir.V_SUB, ir.V_SUB_SAT_S, ir.V_SUB_SAT_U)
_MIN_MAX: Final = (ir.V_MIN_S, ir.V_MIN_U, ir.V_MAX_S, ir.V_MAX_U)
_FLOAT_ARITHMETIC: Final = (
    *(ir.V_FADD, ir.V_FSUB, ir.V_FMUL, ir.V_FDIV, ir.V_FMIN, ir.V_FMAX, ir.V_FPMIN, ir.V_FPMAX),
)
_HALVES: Final = (0, HIGH_HALF)


def _family(first: int, operations: tuple[int, ...], imm: int) -> dict[int, tuple[int, int]]:
    return {first + number: (operation, imm) for number, operation in enumerate(operations)}


def _conditions(first: int, operation: int, conditions: tuple[int, ...], shape: int) -> dict[int, tuple[int, int]]:
    return {
        first + number: (operation, shape | condition << ir.SHAPE_SHIFT) for number, condition in enumerate(conditions)
    }


def _halves(first: int, operations: tuple[int, int], shape: int) -> dict[int, tuple[int, int]]:
    """Low and high half, signed; low and high half, unsigned."""
    return {
        first + 2 * number + (half != 0): (operation, shape | half)
        for number, operation in enumerate(operations)
        for half in _HALVES
    }


for _shape, _first in (
    (I8X16, wasm.I8X16_SHL),
    (I16X8, wasm.I16X8_SHL),
    (I32X4, wasm.I32X4_SHL),
    (I64X2, wasm.I64X2_SHL),
):
    _BINARY.update(_family(_first, _SHIFTS, _shape))
for _shape, _first in ((I8X16, wasm.I8X16_EQ), (I16X8, wasm.I16X8_EQ), (I32X4, wasm.I32X4_EQ)):
    _BINARY.update(_conditions(_first, ir.V_ICMP, _INTEGER_CONDITIONS, _shape))
_BINARY.update(_conditions(wasm.I64X2_EQ, ir.V_ICMP, _LONG_CONDITIONS, I64X2))
for _shape, _first in ((I8X16, wasm.I8X16_ADD), (I16X8, wasm.I16X8_ADD)):
    _BINARY.update(_family(_first, _BYTE_ARITHMETIC, _shape))
for _shape, _first in ((I8X16, wasm.I8X16_MIN_S), (I16X8, wasm.I16X8_MIN_S), (I32X4, wasm.I32X4_MIN_S)):
    _BINARY.update(_family(_first, _MIN_MAX, _shape))
for _shape, _first in ((F32X4, wasm.F32X4_EQ), (F64X2, wasm.F64X2_EQ)):
    _BINARY.update(_conditions(_first, ir.V_FCMP, _FLOAT_CONDITIONS, _shape))
for _shape, _first in ((F32X4, wasm.F32X4_ADD), (F64X2, wasm.F64X2_ADD)):
    _BINARY.update(_family(_first, _FLOAT_ARITHMETIC, _shape))
_BINARY.update(
    {
        wasm.I8X16_AVGR_U: (ir.V_AVGR_U, I8X16),
        wasm.I16X8_AVGR_U: (ir.V_AVGR_U, I16X8),
        wasm.I16X8_MUL: (ir.V_MUL, I16X8),
        wasm.I32X4_ADD: (ir.V_ADD, I32X4),
        wasm.I32X4_SUB: (ir.V_SUB, I32X4),
        wasm.I32X4_MUL: (ir.V_MUL, I32X4),
        wasm.I64X2_ADD: (ir.V_ADD, I64X2),
        wasm.I64X2_SUB: (ir.V_SUB, I64X2),
        wasm.I64X2_MUL: (ir.V_MUL, I64X2),
    }
)
for _shape, _first in (
    (I16X8, wasm.I16X8_EXTEND_LOW_I8X16_S),
    (I32X4, wasm.I32X4_EXTEND_LOW_I16X8_S),
    (I64X2, wasm.I64X2_EXTEND_LOW_I32X4_S),
):
    _UNARY.update(_halves(_first, (ir.V_EXTEND_S, ir.V_EXTEND_U), _shape))
for _shape, _first in (
    (I16X8, wasm.I16X8_EXTMUL_LOW_I8X16_S),
    (I32X4, wasm.I32X4_EXTMUL_LOW_I16X8_S),
    (I64X2, wasm.I64X2_EXTMUL_LOW_I32X4_S),
):
    _BINARY.update(_halves(_first, (ir.V_EXTMUL_S, ir.V_EXTMUL_U), _shape))

#: Operations without lanes.
_BITWISE: Final[dict[int, int]] = {wasm.V128_AND: ir.AND, wasm.V128_OR: ir.OR, wasm.V128_XOR: ir.XOR}

#: Instruction -> operation, imm without the lane.
_LANES: Final[dict[int, tuple[int, int]]] = {
    wasm.I8X16_EXTRACT_LANE_S: (ir.V_EXTRACT_S, I8X16),
    wasm.I8X16_EXTRACT_LANE_U: (ir.V_EXTRACT_U, I8X16),
    wasm.I8X16_REPLACE_LANE: (ir.V_REPLACE, I8X16),
    wasm.I16X8_EXTRACT_LANE_S: (ir.V_EXTRACT_S, I16X8),
    wasm.I16X8_EXTRACT_LANE_U: (ir.V_EXTRACT_U, I16X8),
    wasm.I16X8_REPLACE_LANE: (ir.V_REPLACE, I16X8),
    wasm.I32X4_EXTRACT_LANE: (ir.V_EXTRACT_U, I32X4),
    wasm.I32X4_REPLACE_LANE: (ir.V_REPLACE, I32X4),
    wasm.I64X2_EXTRACT_LANE: (ir.V_EXTRACT_U, I64X2),
    wasm.I64X2_REPLACE_LANE: (ir.V_REPLACE, I64X2),
    wasm.F32X4_EXTRACT_LANE: (ir.V_EXTRACT_U, F32X4),
    wasm.F32X4_REPLACE_LANE: (ir.V_REPLACE, F32X4),
    wasm.F64X2_EXTRACT_LANE: (ir.V_EXTRACT_U, F64X2),
    wasm.F64X2_REPLACE_LANE: (ir.V_REPLACE, F64X2),
}

# Accesses to memory are a scalar access and an operation between the scalar and a vector, see `wasm_ir.opcodes`.
#: Instruction -> load, its type, bytes; what makes a vector of that, its shape; what is done with the vector (-1:
#: nothing) and its imm.
_LOADS: Final[dict[int, tuple[int, int, int, int, int, int, int]]] = {
    wasm.V128_LOAD8_SPLAT: (ir.HEAP_LOAD8_U, I32, 1, ir.V_SPLAT, I8X16, -1, 0),
    wasm.V128_LOAD16_SPLAT: (ir.HEAP_LOAD16_U, I32, 2, ir.V_SPLAT, I16X8, -1, 0),
    wasm.V128_LOAD32_SPLAT: (ir.HEAP_LOAD, F32, 4, ir.V_SPLAT, F32X4, -1, 0),
    wasm.V128_LOAD64_SPLAT: (ir.HEAP_LOAD, F64, 8, ir.V_SPLAT, F64X2, -1, 0),
    wasm.V128_LOAD32_ZERO: (ir.HEAP_LOAD, F32, 4, ir.V_LOW, F32X4, -1, 0),
    wasm.V128_LOAD64_ZERO: (ir.HEAP_LOAD, F64, 8, ir.V_LOW, F64X2, -1, 0),
    wasm.V128_LOAD8X8_S: (ir.HEAP_LOAD, F64, 8, ir.V_LOW, F64X2, ir.V_EXTEND_S, I16X8),
    wasm.V128_LOAD8X8_U: (ir.HEAP_LOAD, F64, 8, ir.V_LOW, F64X2, ir.V_EXTEND_U, I16X8),
    wasm.V128_LOAD16X4_S: (ir.HEAP_LOAD, F64, 8, ir.V_LOW, F64X2, ir.V_EXTEND_S, I32X4),
    wasm.V128_LOAD16X4_U: (ir.HEAP_LOAD, F64, 8, ir.V_LOW, F64X2, ir.V_EXTEND_U, I32X4),
    wasm.V128_LOAD32X2_S: (ir.HEAP_LOAD, F64, 8, ir.V_LOW, F64X2, ir.V_EXTEND_S, I64X2),
    wasm.V128_LOAD32X2_U: (ir.HEAP_LOAD, F64, 8, ir.V_LOW, F64X2, ir.V_EXTEND_U, I64X2),
}
#: Instruction -> load, its type, bytes, shape.
_LOAD_LANES: Final[dict[int, tuple[int, int, int, int]]] = {
    wasm.V128_LOAD8_LANE: (ir.HEAP_LOAD8_U, I32, 1, I8X16),
    wasm.V128_LOAD16_LANE: (ir.HEAP_LOAD16_U, I32, 2, I16X8),
    wasm.V128_LOAD32_LANE: (ir.HEAP_LOAD, F32, 4, F32X4),
    wasm.V128_LOAD64_LANE: (ir.HEAP_LOAD, F64, 8, F64X2),
}
#: Instruction -> store, type of what it stores, bytes, shape.
_STORE_LANES: Final[dict[int, tuple[int, int, int, int]]] = {
    wasm.V128_STORE8_LANE: (ir.HEAP_STORE8, I32, 1, I8X16),
    wasm.V128_STORE16_LANE: (ir.HEAP_STORE16, I32, 2, I16X8),
    wasm.V128_STORE32_LANE: (ir.HEAP_STORE, F32, 4, F32X4),
    wasm.V128_STORE64_LANE: (ir.HEAP_STORE, F64, 8, F64X2),
}

#: Relaxed operations -> the operation of which the result is the first that the specification allows.
_DETERMINISTIC: Final[dict[int, int]] = {
    ir.V_RELAXED_SWIZZLE: ir.V_SWIZZLE,
    ir.V_RELAXED_LANESELECT: ir.V_BITSELECT,
    ir.V_RELAXED_FMIN: ir.V_FMIN,
    ir.V_RELAXED_FMAX: ir.V_FMAX,
    ir.V_RELAXED_Q15MULR: ir.V_Q15MULR,
    ir.V_RELAXED_TRUNC_S: ir.V_TRUNC_SAT_S,
    ir.V_RELAXED_TRUNC_U: ir.V_TRUNC_SAT_U,
}
#: The even and the odd ones of 16 words, as bytes of a shuffle.
_EVEN_WORDS: Final = int.from_bytes([4 * i + j for i in range(8) for j in (0, 1)], "little")
_ODD_WORDS: Final = int.from_bytes([4 * i + j for i in range(8) for j in (2, 3)], "little")


# Handlers: they get the position after the instruction's number, and return the next instruction's.


def _unary(s: State, number: int, pos: int) -> int:
    operation, imm = _UNARY[number]
    if s.options.deterministic:
        operation = _DETERMINISTIC.get(operation, operation)
    s.stack[-1] = s.builder.vector(operation, V128, imm, [s.stack[-1]])
    return pos


def _binary(s: State, number: int, pos: int) -> int:
    operation, imm = _BINARY[number]
    stack = s.stack
    y = stack.pop()
    if s.options.deterministic:
        operation = _DETERMINISTIC.get(operation, operation)
        if operation == ir.V_RELAXED_DOT:
            stack[-1] = _dot(s, stack[-1], y)
            return pos
    stack[-1] = s.builder.vector(operation, V128, imm, [stack[-1], y])
    return pos


def _ternary(s: State, number: int, pos: int) -> int:
    operation, imm = _TERNARY[number]
    stack = s.stack
    builder = s.builder
    z = stack.pop()
    y = stack.pop()
    x = stack[-1]
    if s.options.deterministic:
        if operation == ir.V_RELAXED_MADD or operation == ir.V_RELAXED_NMADD:
            if operation == ir.V_RELAXED_NMADD:
                x = builder.vector(ir.V_FNEG, V128, imm, [x])
            product = builder.vector(ir.V_FMUL, V128, imm, [x, y])
            stack[-1] = builder.vector(ir.V_FADD, V128, imm, [product, z])
            return pos
        if operation == ir.V_RELAXED_LANESELECT:
            operation = ir.V_BITSELECT
            imm = 0
    stack[-1] = builder.vector(operation, V128, imm, [x, y, z])
    return pos


def _dot(s: State, x: Inst, y: Inst) -> Inst:
    """Sums of products of neighbouring signed bytes, saturated to 16 bits."""
    builder = s.builder
    low = builder.vector(ir.V_EXTMUL_S, V128, I16X8, [x, y])
    high = builder.vector(ir.V_EXTMUL_S, V128, I16X8 | HIGH_HALF, [x, y])
    even = builder.vector(ir.V_SHUFFLE, V128, _EVEN_WORDS, [low, high])
    odd = builder.vector(ir.V_SHUFFLE, V128, _ODD_WORDS, [low, high])
    return builder.vector(ir.V_ADD_SAT_S, V128, I16X8, [even, odd])


def _dot_add(s: State, number: int, pos: int) -> int:
    builder = s.builder
    stack = s.stack
    z = stack.pop()
    y = stack.pop()
    x = stack[-1]
    dot = _dot(s, x, y) if s.options.deterministic else builder.vector(ir.V_RELAXED_DOT, V128, I16X8, [x, y])
    sums = builder.vector(ir.V_EXTADD_S, V128, I32X4, [dot])
    stack[-1] = builder.vector(ir.V_ADD, V128, I32X4, [sums, z])
    return pos


def _test(s: State, number: int, pos: int) -> int:
    operation, imm = _TESTS[number]
    s.stack[-1] = s.builder.vector(operation, I32, imm, [s.stack[-1]])
    return pos


def _bitwise(s: State, number: int, pos: int) -> int:
    y = s.stack.pop()
    s.stack[-1] = bitwise(s.builder, _BITWISE[number], s.stack[-1], y)
    return pos


def _const(s: State, number: int, pos: int) -> int:
    s.stack.append(s.builder.const(V128, int.from_bytes(s.source[pos : pos + 16], "little")))
    return pos + 16


def _shuffle(s: State, number: int, pos: int) -> int:
    y = s.stack.pop()
    imm = int.from_bytes(s.source[pos : pos + 16], "little")
    s.stack[-1] = s.builder.vector(ir.V_SHUFFLE, V128, imm, [s.stack[-1], y])
    return pos + 16


def _lane(s: State, number: int, pos: int) -> int:
    operation, shape = _LANES[number]
    imm = shape | s.source[pos] << ir.SHAPE_SHIFT
    stack = s.stack
    if operation == ir.V_REPLACE:
        scalar = stack.pop()
        stack[-1] = s.builder.vector(operation, V128, imm, [stack[-1], scalar])
    else:
        stack[-1] = s.builder.vector(operation, ir.SHAPE_TYPES[shape], imm, [stack[-1]])
    return pos + 1


def _address(s: State, pos: int, size: int) -> tuple[Inst, int, int]:
    """Pop the address of an access of `size` bytes: address, constant offset, and the position after the immediates."""
    memory, pos = read_memory(s, pos)
    offset, pos = read_u64(s.source, pos, s.end)
    address, offset = access(s, s.stack.pop(), offset, size, memory)
    return address, offset, pos


def _load(s: State, number: int, pos: int) -> int:
    address, offset, pos = _address(s, pos, 16)
    s.stack.append(s.builder.load(ir.HEAP_LOAD, V128, address, offset))
    return pos


def _store(s: State, number: int, pos: int) -> int:
    value = s.stack.pop()
    address, offset, pos = _address(s, pos, 16)
    s.builder.store(ir.HEAP_STORE, address, value, offset)
    return pos


def _load_part(s: State, number: int, pos: int) -> int:
    load, type, size, spread, shape, operation, imm = _LOADS[number]
    address, offset, pos = _address(s, pos, size)
    builder = s.builder
    value = builder.vector(spread, V128, shape, [builder.load(load, type, address, offset)])
    if operation >= 0:
        value = builder.vector(operation, V128, imm, [value])
    s.stack.append(value)
    return pos


def _load_lane(s: State, number: int, pos: int) -> int:
    load, type, size, shape = _LOAD_LANES[number]
    vector = s.stack.pop()
    address, offset, pos = _address(s, pos, size)
    builder = s.builder
    imm = shape | s.source[pos] << ir.SHAPE_SHIFT
    scalar = builder.load(load, type, address, offset)
    s.stack.append(builder.vector(ir.V_REPLACE, V128, imm, [vector, scalar]))
    return pos + 1


def _store_lane(s: State, number: int, pos: int) -> int:
    store, type, size, shape = _STORE_LANES[number]
    vector = s.stack.pop()
    address, offset, pos = _address(s, pos, size)
    builder = s.builder
    imm = shape | s.source[pos] << ir.SHAPE_SHIFT
    builder.store(store, address, builder.vector(ir.V_EXTRACT_U, type, imm, [vector]), offset)
    return pos + 1


_Handler = Callable[[State, int, int], int]

#: By the number after the prefix.
_HANDLERS: Final[dict[int, _Handler]] = {
    **dict.fromkeys(_UNARY, _unary),
    **dict.fromkeys(_BINARY, _binary),
    **dict.fromkeys(_TERNARY, _ternary),
    **dict.fromkeys(_TESTS, _test),
    **dict.fromkeys(_BITWISE, _bitwise),
    **dict.fromkeys(_LANES, _lane),
    **dict.fromkeys(_LOADS, _load_part),
    **dict.fromkeys(_LOAD_LANES, _load_lane),
    **dict.fromkeys(_STORE_LANES, _store_lane),
    V128_CONST: _const,
    wasm.V128_LOAD: _load,
    wasm.V128_STORE: _store,
    wasm.I8X16_SHUFFLE: _shuffle,
    wasm.I32X4_RELAXED_DOT_I8X16_I7X16_ADD_S: _dot_add,
}


def vector_instruction(s: State, pos: int) -> int:
    """An instruction whose prefix, 0xFD, stands before `pos`."""
    number, pos = read_u32(s.source, pos, s.end)
    number |= 0xFD000
    return _HANDLERS[number](s, number, pos)
