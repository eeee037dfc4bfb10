"""The operations of the IR: one table of names and properties, and an integer constant for each row.

Operations are polymorphic: an instruction's `type` is the type of its result, and its operands' types follow from
it unless the row says otherwise.

Invariant that lowering relies on: a register or slot that holds an i32 holds it zero-extended to 64 bits.
"""

from __future__ import annotations

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

# Calls (instances of ir.Call). `call`: a function of the same module, imm = its index in the function index space.
# `call_ref`: args[0] is a funcref (never null), see vmcontext.FUNCREF. `call_native`: args[0] is the address of a C
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
# Let the runtime interrupt the loop whose header this stands in: costs a comparison of the stack pointer with
# CONTEXT.stack_limit, which the runtime raises above every address when it wants the code to call out.
POLL: Final = _define("poll", EFFECT)

# Terminators (instances of ir.Branch when they have targets). `brif`: targets[0] when args[0] (i32) is not zero, else
# targets[1]. `br_table`: targets[args[0]], the last one when the index (unsigned i32) is out of range. `trap`: imm is
# the code. `unwind`: leave to the innermost `enter` with args[0] (i32) as its status.
JUMP: Final = _define("jump", TERMINATOR)
BRIF: Final = _define("brif", TERMINATOR)
BR_TABLE: Final = _define("br_table", TERMINATOR)
RETURN: Final = _define("return", TERMINATOR)
TRAP: Final = _define("trap", TERMINATOR)
UNWIND: Final = _define("unwind", TERMINATOR)

COUNT: Final = len(NAMES)

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
