"""The operations of the IR: one table of names and properties, and an integer constant for each row.

Operations are polymorphic: an instruction's `type` is the type of its result, and its operands' types follow from
it unless the row says otherwise.

Invariant that lowering relies on: a register or slot that holds an i32 holds it zero-extended to 64 bits.
"""

from __future__ import annotations

from wasm_ir import types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# Properties of an operation.
#: No effect, cannot trap, same operands give the same result: may be numbered, moved and removed.
PURE: Final = 1
COMMUTATIVE: Final = 2
#: May leave the function through the trap exit.
TRAPS: Final = 4
#: Reads memory.
READS: Final = 8
#: Writes memory or does anything else that the outside can see; never removed or reordered.
EFFECT: Final = 16
#: Ends a block.
TERMINATOR: Final = 32

NAMES: Final[list[str]] = []
PROPERTIES: Final[list[int]] = []


def _define(name: str, properties: int) -> int:
    NAMES.append(name)
    PROPERTIES.append(properties)
    return len(NAMES) - 1


# Leaves. `const`: imm is the bit pattern, unsigned. `param`: a block parameter. `result`: result number imm (>= 1) of
# the call args[0]; a call itself is its result 0. `vmctx`: the pinned VMContext. `memory_base`: the pinned base address
# of memory 0. `callee`: the funcref that this function was called through (valid in the entry block of a
# function whose `uses_callee` is set). `stack_slot`: the address of the function's stack slot number imm.
CONST: Final = _define("const", PURE)
PARAM: Final = _define("param", 0)
RESULT: Final = _define("result", 0)
VMCTX: Final = _define("vmctx", PURE)
MEMORY_BASE: Final = _define("memory_base", PURE)
CALLEE: Final = _define("callee", PURE)
STACK_SLOT: Final = _define("stack_slot", PURE)

# Integers, i32 and i64. Shift and rotate counts have the type of the result and are taken modulo its width.
# Division traps as WebAssembly's does (INTEGER_DIVIDE_BY_ZERO, INTEGER_OVERFLOW).
IADD: Final = _define("iadd", PURE | COMMUTATIVE)
ISUB: Final = _define("isub", PURE)
IMUL: Final = _define("imul", PURE | COMMUTATIVE)
# The high half of the product, i64 only.
MULHI_S: Final = _define("mulhi_s", PURE | COMMUTATIVE)
MULHI_U: Final = _define("mulhi_u", PURE | COMMUTATIVE)
DIV_S: Final = _define("div_s", TRAPS)
DIV_U: Final = _define("div_u", TRAPS)
REM_S: Final = _define("rem_s", TRAPS)
REM_U: Final = _define("rem_u", TRAPS)
AND: Final = _define("and", PURE | COMMUTATIVE)
OR: Final = _define("or", PURE | COMMUTATIVE)
XOR: Final = _define("xor", PURE | COMMUTATIVE)
SHL: Final = _define("shl", PURE)
SHR_S: Final = _define("shr_s", PURE)
SHR_U: Final = _define("shr_u", PURE)
ROTL: Final = _define("rotl", PURE)
ROTR: Final = _define("rotr", PURE)
CLZ: Final = _define("clz", PURE)
CTZ: Final = _define("ctz", PURE)
POPCNT: Final = _define("popcnt", PURE)
# Sign-extend the low 8, 16 or 32 bits within the type; i32 -> i64; i64 -> i32.
SEXT8: Final = _define("sext8", PURE)
SEXT16: Final = _define("sext16", PURE)
SEXT32: Final = _define("sext32", PURE)
EXTEND_S: Final = _define("extend_s", PURE)
EXTEND_U: Final = _define("extend_u", PURE)
WRAP: Final = _define("wrap", PURE)
# Comparisons give an i32 that is 0 or 1; imm is a condition (below); operands' type is args[0].type.
ICMP: Final = _define("icmp", PURE)
FCMP: Final = _define("fcmp", PURE)
# args = (condition: i32, value if not zero, value if zero)
SELECT: Final = _define("select", PURE)

# Floating point, f32 and f64, with WebAssembly's NaN, signed zero and rounding rules.
FADD: Final = _define("fadd", PURE | COMMUTATIVE)
FSUB: Final = _define("fsub", PURE)
FMUL: Final = _define("fmul", PURE | COMMUTATIVE)
FDIV: Final = _define("fdiv", PURE)
FMIN: Final = _define("fmin", PURE)
FMAX: Final = _define("fmax", PURE)
FCOPYSIGN: Final = _define("fcopysign", PURE)
FABS: Final = _define("fabs", PURE)
FNEG: Final = _define("fneg", PURE)
FSQRT: Final = _define("fsqrt", PURE)
FCEIL: Final = _define("fceil", PURE)
FFLOOR: Final = _define("ffloor", PURE)
FTRUNC: Final = _define("ftrunc", PURE)
FNEAREST: Final = _define("fnearest", PURE)
# Conversions: float to integer (trapping with INVALID_CONVERSION_TO_INTEGER and INTEGER_OVERFLOW, and saturating),
# integer to float, between floats, and the same bits as another type of the same width.
FTOI_S: Final = _define("ftoi_s", TRAPS)
FTOI_U: Final = _define("ftoi_u", TRAPS)
FTOI_SAT_S: Final = _define("ftoi_sat_s", PURE)
FTOI_SAT_U: Final = _define("ftoi_sat_u", PURE)
ITOF_S: Final = _define("itof_s", PURE)
ITOF_U: Final = _define("itof_u", PURE)
DEMOTE: Final = _define("demote", PURE)
PROMOTE: Final = _define("promote", PURE)
BITCAST: Final = _define("bitcast", PURE)

# Vectors: 128 bits as lanes, the first lane in the low bits. A vector has the one type v128; how an operation divides
# it into lanes is in its imm, whose low three bits are a lane shape (below) and whose other bits are what the row says.
# `shape` there is the shape of operands and result alike, unless the row says which of them it describes. Operands and
# results are v128 unless the row says otherwise; a "scalar" has the type SHAPE_TYPES[shape].
#
# What has no lanes is no operation of its own: const, param, select, load, load_invariant, store, heap_load, heap_store
# (16 bytes in memory, at any address), and, or and xor take the type v128 as they are; a const's imm has 128 bits. Nor
# are accesses to memory that do more than to load or store 16 bytes: they are trees that a backend can match, whose
# inner value has one use (`Lowering.can_sink`), and which are right, if slower, when it does not:
#
#   load8_splat, load16_splat           v_splat(heap_load8_u.i32), v_splat(heap_load16_u.i32)
#   load32_splat, load64_splat          v_splat.f32x4(heap_load.f32), v_splat.f64x2(heap_load.f64)
#   load32_zero, load64_zero            v_low.f32x4(heap_load.f32), v_low.f64x2(heap_load.f64)
#   load8x8_s and its like              v_extend_s.i16x8(v_low.f64x2(heap_load.f64)), the low half
#   load8_lane, load16_lane             v_replace(v, heap_load8_u.i32), v_replace(v, heap_load16_u.i32)
#   load32_lane, load64_lane            v_replace.f32x4(v, heap_load.f32), v_replace.f64x2(v, heap_load.f64)
#   store8_lane, store16_lane           heap_store8(v_extract_u.i32), heap_store16(v_extract_u.i32)
#   store32_lane, store64_lane          heap_store(v_extract_u.f32), heap_store(v_extract_u.f64)
#
# Meaning: core specification, "Execution", "Numerics", vector operations, under the name of the instruction; what works
# on each lane is there defined by the scalar operation. NaN: arithmetic on floats (v_fadd to v_fmax, v_fsqrt, v_fceil
# to v_fnearest, v_demote, v_promote, v_relaxed_madd and v_relaxed_nmadd) has the rules of the scalar operations: a NaN
# result is a quiet NaN, canonical when all NaN operands are, and the relaxed minimum and maximum may also be the
# operand that is one. Everything else, v_fabs, v_fneg, v_fpmin and v_fpmax included, moves or changes bits and keeps a
# NaN's payload, signalling or not.

# From and to scalars. v_splat: args = (scalar,); of an i32 the low 8 or 16 bits count. v_low: args = (scalar,), the
# first lane, zeros in the others; I32X4, I64X2, F32X4, F64X2 only. v_extract_u: the scalar in lane imm >> 3,
# zero-extended to i32 for I8X16 and I16X8; v_extract_s: the same sign-extended, I8X16 and I16X8 only. v_replace: args =
# (vector, scalar), lane imm >> 3.
V_SPLAT: Final = _define("v_splat", PURE)
V_LOW: Final = _define("v_low", PURE)
V_EXTRACT_S: Final = _define("v_extract_s", PURE)
V_EXTRACT_U: Final = _define("v_extract_u", PURE)
V_REPLACE: Final = _define("v_replace", PURE)
# Bytes moved. v_shuffle: args = (x, y); imm has no shape but 16 bytes, byte i the number (0 to 31) of the byte in x (0
# to 15) or y (16 to 31) that byte i of the result is. When only one operand matters it is both, and all numbers are
# below 16; when both do, byte 0 is one of x (`Builder.vector` sees to that). v_swizzle: args = (vector, indices), a
# byte whose index is above 15 is 0; imm 0. v_relaxed_swizzle: for an index above 15, byte index % 16 or 0 (for an index
# above 127: 0).
V_SHUFFLE: Final = _define("v_shuffle", PURE)
V_SWIZZLE: Final = _define("v_swizzle", PURE)
V_RELAXED_SWIZZLE: Final = _define("v_relaxed_swizzle", PURE)
# Bits (imm 0). v_andnot: x & ~y. v_bitselect: args = (x, y, mask), bits of x where the mask has ones, else of y.
# v_relaxed_laneselect: integer shapes; that, or what it is for a mask whose lanes are filled with their top bits.
# v_any_true: i32, 1 when any bit is set.
V_NOT: Final = _define("v_not", PURE)
V_ANDNOT: Final = _define("v_andnot", PURE)
V_BITSELECT: Final = _define("v_bitselect", PURE)
V_RELAXED_LANESELECT: Final = _define("v_relaxed_laneselect", PURE)
V_ANY_TRUE: Final = _define("v_any_true", PURE)
# Integer shapes. v_all_true: i32, 1 when no lane is 0. v_bitmask: i32, bit i is the top bit of lane i.
V_ALL_TRUE: Final = _define("v_all_true", PURE)
V_BITMASK: Final = _define("v_bitmask", PURE)
# Comparisons: a lane becomes ones or zeros. imm is shape | condition << 3 (conditions below). v_icmp: integer shapes,
# for I64X2 not the unsigned conditions but eq and ne. v_fcmp: float shapes.
V_ICMP: Final = _define("v_icmp", PURE)
V_FCMP: Final = _define("v_fcmp", PURE)
# Shifts: integer shapes, args = (vector, count: i32), the count is taken modulo the lane's width.
V_SHL: Final = _define("v_shl", PURE)
V_SHR_S: Final = _define("v_shr_s", PURE)
V_SHR_U: Final = _define("v_shr_u", PURE)
# Integer lanes. v_add, v_sub, v_neg, v_abs: all integer shapes. v_mul: I16X8, I32X4, I64X2. v_add_sat and v_sub_sat,
# v_avgr_u: I8X16, I16X8. v_min and v_max: I8X16, I16X8, I32X4. v_popcnt: I8X16. v_q15mulr: I16X8, sat_s((x * y +
# 0x4000) >> 15); v_relaxed_q15mulr: the same, but -32768 * -32768 may also give -32768.
V_ADD: Final = _define("v_add", PURE | COMMUTATIVE)
V_SUB: Final = _define("v_sub", PURE)
V_MUL: Final = _define("v_mul", PURE | COMMUTATIVE)
V_NEG: Final = _define("v_neg", PURE)
V_ABS: Final = _define("v_abs", PURE)
V_ADD_SAT_S: Final = _define("v_add_sat_s", PURE | COMMUTATIVE)
V_ADD_SAT_U: Final = _define("v_add_sat_u", PURE | COMMUTATIVE)
V_SUB_SAT_S: Final = _define("v_sub_sat_s", PURE)
V_SUB_SAT_U: Final = _define("v_sub_sat_u", PURE)
V_MIN_S: Final = _define("v_min_s", PURE | COMMUTATIVE)
V_MIN_U: Final = _define("v_min_u", PURE | COMMUTATIVE)
V_MAX_S: Final = _define("v_max_s", PURE | COMMUTATIVE)
V_MAX_U: Final = _define("v_max_u", PURE | COMMUTATIVE)
V_AVGR_U: Final = _define("v_avgr_u", PURE | COMMUTATIVE)
V_POPCNT: Final = _define("v_popcnt", PURE)
V_Q15MULR: Final = _define("v_q15mulr", PURE | COMMUTATIVE)
V_RELAXED_Q15MULR: Final = _define("v_relaxed_q15mulr", PURE | COMMUTATIVE)
# Sums of products of neighbours. v_dot: shape I32X4, of 16-bit lanes, signed; wraps round. v_relaxed_dot: shape I16X8,
# of 8-bit lanes, those of x signed, those of y signed or unsigned; saturated. (The instruction that adds is
# v_add.i32x4(v_extadd_s.i32x4(v_relaxed_dot(x, y)), z).)
V_DOT: Final = _define("v_dot", PURE | COMMUTATIVE)
V_RELAXED_DOT: Final = _define("v_relaxed_dot", PURE)
# Between widths. v_narrow: args = (x, y), whose lanes, signed and twice as wide as those of `shape` (I8X16, I16X8: the
# result), are saturated to signed or unsigned ones: those of x, then those of y. v_extend: `shape` (I16X8, I32X4,
# I64X2) is the result's; extends the low half of the operand's lanes, or with imm bit 3 (HIGH_HALF) the high half.
# v_extmul: the product of both operands, each extended like that. v_extadd: `shape` (I16X8, I32X4) is the result's;
# sums of neighbours.
V_NARROW_S: Final = _define("v_narrow_s", PURE)
V_NARROW_U: Final = _define("v_narrow_u", PURE)
V_EXTEND_S: Final = _define("v_extend_s", PURE)
V_EXTEND_U: Final = _define("v_extend_u", PURE)
V_EXTMUL_S: Final = _define("v_extmul_s", PURE | COMMUTATIVE)
V_EXTMUL_U: Final = _define("v_extmul_u", PURE | COMMUTATIVE)
V_EXTADD_S: Final = _define("v_extadd_s", PURE)
V_EXTADD_U: Final = _define("v_extadd_u", PURE)
# Float shapes. v_fpmin: y < x ? y : x; v_fpmax: x < y ? y : x. v_relaxed_fmin, v_relaxed_fmax: v_fmin and v_fmax, or
# either operand when one is NaN or both are zeros.
V_FADD: Final = _define("v_fadd", PURE | COMMUTATIVE)
V_FSUB: Final = _define("v_fsub", PURE)
V_FMUL: Final = _define("v_fmul", PURE | COMMUTATIVE)
V_FDIV: Final = _define("v_fdiv", PURE)
V_FMIN: Final = _define("v_fmin", PURE)
V_FMAX: Final = _define("v_fmax", PURE)
V_FPMIN: Final = _define("v_fpmin", PURE)
V_FPMAX: Final = _define("v_fpmax", PURE)
V_RELAXED_FMIN: Final = _define("v_relaxed_fmin", PURE)
V_RELAXED_FMAX: Final = _define("v_relaxed_fmax", PURE)
V_FABS: Final = _define("v_fabs", PURE)
V_FNEG: Final = _define("v_fneg", PURE)
V_FSQRT: Final = _define("v_fsqrt", PURE)
V_FCEIL: Final = _define("v_fceil", PURE)
V_FFLOOR: Final = _define("v_ffloor", PURE)
V_FTRUNC: Final = _define("v_ftrunc", PURE)
V_FNEAREST: Final = _define("v_fnearest", PURE)
# Float shapes, args = (x, y, z). v_relaxed_madd: x * y + z, v_relaxed_nmadd: -x * y + z; rounded once or twice, but
# always the same way in code that one backend makes on one machine.
V_RELAXED_MADD: Final = _define("v_relaxed_madd", PURE)
V_RELAXED_NMADD: Final = _define("v_relaxed_nmadd", PURE)
# Conversions. v_convert: `shape` is the result's: F32X4 from four integers of 32 bits, F64X2 from the low two.
# v_trunc_sat: `shape` is the operand's: F32X4 gives four integers of 32 bits, F64X2 two, and zeros in the upper lanes;
# NaN gives 0. v_relaxed_trunc: the same, but for a NaN or what is out of range a lane may be anything. v_demote: two
# f64 to f32, zeros in the upper lanes; v_promote: the low two f32 to f64 (both: imm 0).
V_CONVERT_S: Final = _define("v_convert_s", PURE)
V_CONVERT_U: Final = _define("v_convert_u", PURE)
V_TRUNC_SAT_S: Final = _define("v_trunc_sat_s", PURE)
V_TRUNC_SAT_U: Final = _define("v_trunc_sat_u", PURE)
V_RELAXED_TRUNC_S: Final = _define("v_relaxed_trunc_s", PURE)
V_RELAXED_TRUNC_U: Final = _define("v_relaxed_trunc_u", PURE)
V_DEMOTE: Final = _define("v_demote", PURE)
V_PROMOTE: Final = _define("v_promote", PURE)

# Memory. args = (address: i64[, value]), imm = unsigned constant offset that is added to the address.
# load/store reach the runtime's own structures and cannot fault; `load_invariant` reads what never changes while the
# function runs. heap_load/heap_store reach linear memory and may fault into MEMORY_OUT_OF_BOUNDS, so they stay even
# when unused. The suffix is the width in memory and, for loads, how it is extended to the type.
LOAD: Final = _define("load", READS)
LOAD8_S: Final = _define("load8_s", READS)
LOAD8_U: Final = _define("load8_u", READS)
LOAD16_S: Final = _define("load16_s", READS)
LOAD16_U: Final = _define("load16_u", READS)
LOAD32_S: Final = _define("load32_s", READS)
LOAD32_U: Final = _define("load32_u", READS)
LOAD_INVARIANT: Final = _define("load_invariant", PURE)
STORE: Final = _define("store", EFFECT)
STORE8: Final = _define("store8", EFFECT)
STORE16: Final = _define("store16", EFFECT)
STORE32: Final = _define("store32", EFFECT)
HEAP_LOAD: Final = _define("heap_load", READS | TRAPS)
HEAP_LOAD8_S: Final = _define("heap_load8_s", READS | TRAPS)
HEAP_LOAD8_U: Final = _define("heap_load8_u", READS | TRAPS)
HEAP_LOAD16_S: Final = _define("heap_load16_s", READS | TRAPS)
HEAP_LOAD16_U: Final = _define("heap_load16_u", READS | TRAPS)
HEAP_LOAD32_S: Final = _define("heap_load32_s", READS | TRAPS)
HEAP_LOAD32_U: Final = _define("heap_load32_u", READS | TRAPS)
HEAP_STORE: Final = _define("heap_store", EFFECT | TRAPS)
HEAP_STORE8: Final = _define("heap_store8", EFFECT | TRAPS)
HEAP_STORE16: Final = _define("heap_store16", EFFECT | TRAPS)
HEAP_STORE32: Final = _define("heap_store32", EFFECT | TRAPS)
# args = (address, expected, replacement), all i64: in one step that no other thread can come between, reads a word of
# the runtime's own structures, and replaces it if it is what is expected; the result is what was read. Nothing that
# stands in front is seen by others after it, nothing behind before it.
COMPARE_EXCHANGE: Final = _define("compare_exchange", EFFECT)

# Calls (instances of ir.Call). `call`: a function of the same module, imm = its index in the function index space.
# `call_ref`: args[0] is a funcref (never null), see vmcontext.FUNCREF; with imm 1 it is one of the instance's own
# functions (`own` when printed). `call_native`: args[0] is the address of a C
# function; from a function that runs on the WebAssembly stack the call switches to the C stack and back. `enter`: only
# in functions with the C convention: args[0] is the StoreContext, args[1] a funcref, args[2] the VMContext to pin for
# the callee's caller (or any value, 0 included, when there is none): runs a WebAssembly function on the store's stack;
# result 0 is a status (i32; STATUS_* in vmcontext), results 1.. are the function's results, undefined unless the
# status is STATUS_OK.
CALL: Final = _define("call", EFFECT | TRAPS)
CALL_REF: Final = _define("call_ref", EFFECT | TRAPS)
CALL_NATIVE: Final = _define("call_native", EFFECT)
ENTER: Final = _define("enter", EFFECT)

# Leave through the trap exit with code imm when args[0] (i32) is not zero.
TRAP_IF: Final = _define("trap_if", EFFECT | TRAPS)
# Let the runtime interrupt the loop whose header this stands in, or (imm 1) whatever comes here: costs a comparison of
# the stack pointer with CONTEXT.stack_limit, which the runtime raises above every address when it wants the code to
# call out.
POLL: Final = _define("poll", EFFECT)

# Terminators (instances of ir.Branch when they have targets). `brif`: targets[0] when args[0] (i32) is not zero, else
# targets[1]. `br_table`: targets[args[0]], the last one when the index (unsigned i32) is out of range. `trap`: imm is
# the code. `unwind`: leave to the innermost `enter` with args[0] (i32) as its status. `invoke`: where the call (`call`
# or `call_ref`) comes back with which the block's instructions end (its results stand behind it): to targets[0] when it
# has returned, to targets[1], a landing pad, when something was thrown out of it, which is in STORE.exception then. A
# landing pad has no parameters, and only such edges lead there. `throw`: go on at the landing pad of the innermost call
# outside of this function that has one, or leave to the innermost `enter` with STATUS_THROWN. `return_call` and
# `return_call_ref` (instances of ir.Call without results): what `call` and `call_ref` of the same operands do, in the
# place of this function: its frame is gone by then, and what the callee gives, which has the types of this function's
# results, is what this function gives.
JUMP: Final = _define("jump", TERMINATOR)
BRIF: Final = _define("brif", TERMINATOR)
BR_TABLE: Final = _define("br_table", TERMINATOR)
RETURN: Final = _define("return", TERMINATOR)
TRAP: Final = _define("trap", TERMINATOR)
UNWIND: Final = _define("unwind", TERMINATOR)
INVOKE: Final = _define("invoke", TERMINATOR)
THROW: Final = _define("throw", TERMINATOR)
RETURN_CALL: Final = _define("return_call", TERMINATOR)
RETURN_CALL_REF: Final = _define("return_call_ref", TERMINATOR)

COUNT: Final = len(NAMES)

# Lane shapes.
I8X16: Final = 0
I16X8: Final = 1
I32X4: Final = 2
I64X2: Final = 3
F32X4: Final = 4
F64X2: Final = 5
SHAPE_NAMES: Final = ("i8x16", "i16x8", "i32x4", "i64x2", "f32x4", "f64x2")
#: A lane's width in bits, and how many lanes there are.
SHAPE_BITS: Final = (8, 16, 32, 64, 32, 64)
SHAPE_LANES: Final = (16, 8, 4, 2, 4, 2)
#: The scalar type that a lane is extracted to, and replaced from.
SHAPE_TYPES: Final = (types.I32, types.I32, types.I32, types.I64, types.F32, types.F64)
#: The shape in the imm of an operation on vectors, and what to shift the rest (lane, condition) down by.
SHAPE_MASK: Final = 7
SHAPE_SHIFT: Final = 3
#: In the imm of v_extend and v_extmul: the high half of the operands' lanes.
HIGH_HALF: Final = 8

# Conditions of icmp.
EQ: Final = 0
NE: Final = 1
LT_S: Final = 2
GE_S: Final = 3
GT_S: Final = 4
LE_S: Final = 5
LT_U: Final = 6
GE_U: Final = 7
GT_U: Final = 8
LE_U: Final = 9
#: The negation of condition c is c ^ 1 for every integer condition.
ICMP_NAMES: Final = ("eq", "ne", "lt_s", "ge_s", "gt_s", "le_s", "lt_u", "ge_u", "gt_u", "le_u")
#: The condition that holds for (y, x) when the given one holds for (x, y).
ICMP_SWAPPED: Final[tuple[int, ...]] = (EQ, NE, GT_S, LE_S, LT_S, GE_S, GT_U, LE_U, LT_U, GE_U)

# Conditions of fcmp: false when an operand is NaN, but for `ne`.
FEQ: Final = 0
FNE: Final = 1
FLT: Final = 2
FGT: Final = 3
FLE: Final = 4
FGE: Final = 5
FCMP_NAMES: Final = ("eq", "ne", "lt", "gt", "le", "ge")
