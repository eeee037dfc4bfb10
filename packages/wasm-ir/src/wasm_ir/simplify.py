"""Rewriting instructions to simpler ones before they are built (Hacker's Delight, chapter 2, has most of the rules).

Every `simplify_` function gives the value to use instead of the instruction, or None if it is to be built as asked.
In binary operations that commute, and in comparisons, a constant is on the right when they come here.
"""

from __future__ import annotations

from collections.abc import Callable

from wasm_ir import opcodes, types
from wasm_ir.folding import fold_binary, fold_fcmp, fold_icmp, fold_unary, signed
from wasm_ir.ir import Inst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_ir.builder import Builder

_CONST: Final = opcodes.CONST
_ICMP: Final = opcodes.ICMP
_I32: Final = types.I32
#: Addresses have an index times 8 at most.
_MOST_SCALED: Final = 3


def _significant_bits(value: Inst) -> int:
    """An upper bound of the bit length of an integer, from the operation alone."""
    op = value.op
    bits = _RESULT_BITS.get(op)
    if bits is not None:
        return bits
    if op == opcodes.EXTEND_U:
        return _RESULT_BITS.get(value.args[0].op, 32)
    if op == opcodes.AND:
        mask = value.args[1]
        if mask.op == _CONST:
            return mask.imm.bit_length()
    elif op == opcodes.SHR_U:
        count = value.args[1]
        if count.op == _CONST:
            return types.BITS[value.type] - count.imm
    elif op == opcodes.V_EXTRACT_U:
        return opcodes.SHAPE_BITS[value.imm & opcodes.SHAPE_MASK]
    return types.BITS[value.type]


_RESULT_BITS: Final[dict[int, int]] = {
    opcodes.LOAD8_U: 8,
    opcodes.LOAD16_U: 16,
    opcodes.LOAD32_U: 32,
    opcodes.HEAP_LOAD8_U: 8,
    opcodes.HEAP_LOAD16_U: 16,
    opcodes.HEAP_LOAD32_U: 32,
    opcodes.ICMP: 1,
    opcodes.FCMP: 1,
    opcodes.V_ANY_TRUE: 1,
    opcodes.V_ALL_TRUE: 1,
    opcodes.V_BITMASK: 16,
    opcodes.CLZ: 7,
    opcodes.CTZ: 7,
    opcodes.POPCNT: 7,
}


def _combine(b: Builder, op: int, type: int, x: Inst, c: int) -> Inst | None:
    """(x op c1) op c -> x op (c1 op c), for an associative op."""
    if x.op == op:
        inner = x.args[1]
        if inner.op == _CONST:
            combined = fold_binary(op, type, inner.imm, c)
            if combined is not None:
                return b.binary(op, type, x.args[0], b.const(type, combined))
    return None


# Rules for an operation whose right operand is the constant c.


def _add_const(b: Builder, type: int, x: Inst, c: int) -> Inst | None:
    if c == 0:
        return x
    return _combine(b, opcodes.IADD, type, x, c) if x.op == opcodes.IADD else None


def _sub_const(b: Builder, type: int, x: Inst, c: int) -> Inst | None:
    return b.binary(opcodes.IADD, type, x, b.const(type, -c))


def _mul_const(b: Builder, type: int, x: Inst, c: int) -> Inst | None:
    if c == 0:
        return b.const(type, 0)
    if c == 1:
        return x
    if c & (c - 1) == 0:
        return b.binary(opcodes.SHL, type, x, b.const(type, c.bit_length() - 1))
    if c == types.MASKS[type]:
        return b.binary(opcodes.ISUB, type, b.const(type, 0), x)
    return _combine(b, opcodes.IMUL, type, x, c)


def _div_s_const(b: Builder, type: int, x: Inst, c: int) -> Inst | None:
    if c == 1:
        return x
    divisor = signed(c, types.BITS[type])
    if divisor == 0 or divisor == -1:
        return None
    from wasm_ir.reciprocals import divide_by_power_of_two, divide_signed

    size = abs(divisor)
    divide = divide_signed if size & (size - 1) else divide_by_power_of_two
    return divide(b, type, x, divisor)


def _div_u_const(b: Builder, type: int, x: Inst, c: int) -> Inst | None:
    if c == 0:
        return None
    if c & (c - 1):
        from wasm_ir.reciprocals import divide_unsigned

        return divide_unsigned(b, type, x, c)
    return b.binary(opcodes.SHR_U, type, x, b.const(type, c.bit_length() - 1))


def _rem_s_const(b: Builder, type: int, x: Inst, c: int) -> Inst | None:
    if c == 1 or c == types.MASKS[type]:
        return b.const(type, 0)
    from wasm_ir.reciprocals import divide_signed, remainder_of_power_of_two

    # The sign of the divisor makes no difference.
    size = abs(signed(c, types.BITS[type]))
    if size & (size - 1):
        return _remainder(b, type, x, size, divide_signed(b, type, x, size))
    return remainder_of_power_of_two(b, type, x, size) if size else None


def _rem_u_const(b: Builder, type: int, x: Inst, c: int) -> Inst | None:
    if c == 0:
        return None
    if c & (c - 1):
        from wasm_ir.reciprocals import divide_unsigned

        return _remainder(b, type, x, c, divide_unsigned(b, type, x, c))
    return b.binary(opcodes.AND, type, x, b.const(type, c - 1))


def _remainder(b: Builder, type: int, x: Inst, divisor: int, quotient: Inst) -> Inst:
    return b.binary(opcodes.ISUB, type, x, b.binary(opcodes.IMUL, type, quotient, b.const(type, divisor)))


def _and_const(b: Builder, type: int, x: Inst, c: int) -> Inst | None:
    if c == 0:
        return b.const(type, 0)
    relevant = (1 << _significant_bits(x)) - 1
    if c & relevant == relevant:
        return x
    return _combine(b, opcodes.AND, type, x, c)


def _or_const(b: Builder, type: int, x: Inst, c: int) -> Inst | None:
    if c == 0:
        return x
    if c == types.MASKS[type]:
        return b.const(type, c)
    return _combine(b, opcodes.OR, type, x, c)


def _xor_const(b: Builder, type: int, x: Inst, c: int) -> Inst | None:
    if c == 0:
        return x
    if c == 1 and x.op == _ICMP:
        return b.icmp(x.imm ^ 1, x.args[0], x.args[1])
    return _combine(b, opcodes.XOR, type, x, c)


def _shl_const(b: Builder, type: int, x: Inst, c: int) -> Inst | None:
    width = types.BITS[type]
    count = c & (width - 1)
    if count == 0:
        return x
    if x.op == opcodes.SHL or x.op == opcodes.SHR_U or x.op == opcodes.SHR_S:
        inner = x.args[1]
        if inner.op == _CONST:
            if x.op == opcodes.SHL:
                total = inner.imm + count
                if total >= width:
                    return b.const(type, 0)
                return b.binary(opcodes.SHL, type, x.args[0], b.const(type, total))
            if inner.imm == count:
                return b.binary(opcodes.AND, type, x.args[0], b.const(type, -1 << count))
    return b.binary(opcodes.SHL, type, x, b.const(type, count)) if count != c else None


#: Left by this and back with the sign, in i32 and i64: the operation that does the same.
_SIGN_EXTENSIONS: Final[dict[tuple[int, int], int]] = {
    (types.I32, 24): opcodes.SEXT8,
    (types.I32, 16): opcodes.SEXT16,
    (types.I64, 56): opcodes.SEXT8,
    (types.I64, 48): opcodes.SEXT16,
    (types.I64, 32): opcodes.SEXT32,
}


def _shr_s_const(b: Builder, type: int, x: Inst, c: int) -> Inst | None:
    width = types.BITS[type]
    count = c & (width - 1)
    if count == 0:
        return x
    if x.op == opcodes.SHL or x.op == opcodes.SHR_S:
        inner = x.args[1]
        if inner.op == _CONST:
            if x.op == opcodes.SHR_S:
                return b.binary(opcodes.SHR_S, type, x.args[0], b.const(type, min(inner.imm + count, width - 1)))
            extension = _SIGN_EXTENSIONS.get((type, count))
            if extension is not None and inner.imm == count:
                return b.unary(extension, type, x.args[0])
    return b.binary(opcodes.SHR_S, type, x, b.const(type, count)) if count != c else None


def _shr_u_const(b: Builder, type: int, x: Inst, c: int) -> Inst | None:
    width = types.BITS[type]
    count = c & (width - 1)
    if count == 0:
        return x
    if x.op == opcodes.SHL or x.op == opcodes.SHR_U:
        inner = x.args[1]
        if inner.op == _CONST:
            if x.op == opcodes.SHR_U:
                total = inner.imm + count
                if total >= width:
                    return b.const(type, 0)
                return b.binary(opcodes.SHR_U, type, x.args[0], b.const(type, total))
            if inner.imm == count:
                return b.binary(opcodes.AND, type, x.args[0], b.const(type, types.MASKS[type] >> count))
    return b.binary(opcodes.SHR_U, type, x, b.const(type, count)) if count != c else None


def _rotl_const(b: Builder, type: int, x: Inst, c: int) -> Inst | None:
    count = c & (types.BITS[type] - 1)
    if count == 0:
        return x
    return b.binary(opcodes.ROTL, type, x, b.const(type, count)) if count != c else None


def _rotr_const(b: Builder, type: int, x: Inst, c: int) -> Inst | None:
    count = c & (types.BITS[type] - 1)
    if count == 0:
        return x
    return b.binary(opcodes.ROTR, type, x, b.const(type, count)) if count != c else None


_BinaryRule = Callable[["Builder", int, Inst, int], Inst | None]


def _by_operation(rules: dict[int, _BinaryRule]) -> list[_BinaryRule | None]:
    found: list[_BinaryRule | None] = [None] * opcodes.COUNT
    for op, rule in rules.items():
        found[op] = rule
    return found


#: Operation -> the rule for a constant right operand, or None.
RIGHT_CONST_RULES: Final = _by_operation(
    {
        opcodes.IADD: _add_const,
        opcodes.ISUB: _sub_const,
        opcodes.IMUL: _mul_const,
        opcodes.DIV_S: _div_s_const,
        opcodes.DIV_U: _div_u_const,
        opcodes.REM_S: _rem_s_const,
        opcodes.REM_U: _rem_u_const,
        opcodes.AND: _and_const,
        opcodes.OR: _or_const,
        opcodes.XOR: _xor_const,
        opcodes.SHL: _shl_const,
        opcodes.SHR_S: _shr_s_const,
        opcodes.SHR_U: _shr_u_const,
        opcodes.ROTL: _rotl_const,
        opcodes.ROTR: _rotr_const,
    }
)


def simplify_binary(b: Builder, op: int, type: int, x: Inst, y: Inst) -> Inst | None:
    """For two constants, operands that are the same, or a constant on the left; see also RIGHT_CONST_RULES."""
    if y.op == _CONST:
        if x.op != _CONST:
            return None
        bits = fold_binary(op, type, x.imm, y.imm)
        return None if bits is None else b.const(type, bits)
    if x is y:
        if op == opcodes.AND or op == opcodes.OR:
            return x
        if op == opcodes.XOR or op == opcodes.ISUB:
            return b.const(type, 0)
        return None
    if x.imm == 0 and opcodes.SHL <= op <= opcodes.ROTR:
        return x
    return None


# Unary operations.


def _wrap(b: Builder, type: int, x: Inst) -> Inst | None:
    if x.op == opcodes.EXTEND_U or x.op == opcodes.EXTEND_S:
        return x.args[0]
    return None


def _extend_u(b: Builder, type: int, x: Inst) -> Inst | None:
    if x.op == opcodes.WRAP:
        return b.binary(opcodes.AND, type, x.args[0], b.const(type, types.MASKS[_I32]))
    if x.op == opcodes.SHL:
        # An index and the size of what it counts: behind the extension an address takes the shift in.
        index, count = x.args
        if count.op == _CONST and count.imm <= _MOST_SCALED and _significant_bits(index) + count.imm <= 32:
            return b.binary(opcodes.SHL, type, b.unary(opcodes.EXTEND_U, type, index), b.const(type, count.imm))
    return None


def _extend_s(b: Builder, type: int, x: Inst) -> Inst | None:
    if x.op == opcodes.WRAP:
        return b.unary(opcodes.SEXT32, type, x.args[0])
    if _significant_bits(x) < 32:
        return b.unary(opcodes.EXTEND_U, type, x)
    return None


def _sext8(b: Builder, type: int, x: Inst) -> Inst | None:
    if _significant_bits(x) < 8 or x.op == opcodes.SEXT8:
        return x
    return None


def _sext16(b: Builder, type: int, x: Inst) -> Inst | None:
    if _significant_bits(x) < 16 or x.op == opcodes.SEXT8 or x.op == opcodes.SEXT16:
        return x
    return None


def _sext32(b: Builder, type: int, x: Inst) -> Inst | None:
    if _significant_bits(x) < 32 or x.op in _SIGN_EXTENDED:
        return x
    if x.op == opcodes.EXTEND_U:
        return b.unary(opcodes.EXTEND_S, type, x.args[0])
    return None


_SIGN_EXTENDED: Final[tuple[int, ...]] = (opcodes.SEXT8, opcodes.SEXT16, opcodes.SEXT32, opcodes.EXTEND_S)


def _bitcast(b: Builder, type: int, x: Inst) -> Inst | None:
    return x.args[0] if x.op == opcodes.BITCAST else None


def _fneg(b: Builder, type: int, x: Inst) -> Inst | None:
    return x.args[0] if x.op == opcodes.FNEG else None


_UnaryRule = Callable[["Builder", int, Inst], Inst | None]
_UNARY: Final[dict[int, _UnaryRule]] = {
    opcodes.WRAP: _wrap,
    opcodes.EXTEND_U: _extend_u,
    opcodes.EXTEND_S: _extend_s,
    opcodes.SEXT8: _sext8,
    opcodes.SEXT16: _sext16,
    opcodes.SEXT32: _sext32,
    opcodes.BITCAST: _bitcast,
    opcodes.FNEG: _fneg,
}
#: Operation -> its rule, or None.
UNARY_RULES: Final[list[_UnaryRule | None]] = [None] * opcodes.COUNT
for _op, _rule in _UNARY.items():
    UNARY_RULES[_op] = _rule


def simplify_unary(b: Builder, op: int, type: int, x: Inst) -> Inst | None:
    """For an operation with a rule, or a constant operand."""
    if x.op == _CONST:
        bits = fold_unary(op, type, x.type, x.imm)
        return None if bits is None else b.const(type, bits)
    rule = UNARY_RULES[op]
    return None if rule is None else rule(b, type, x)


# Comparisons and what depends on them.

#: Operations whose result is 0 or 1.
_TRUTHS: Final[tuple[int, ...]] = (_ICMP, opcodes.FCMP, opcodes.V_ANY_TRUE, opcodes.V_ALL_TRUE)
#: Conditions that hold when both operands are the same.
_REFLEXIVE: Final[tuple[int, ...]] = (opcodes.EQ, opcodes.GE_S, opcodes.LE_S, opcodes.GE_U, opcodes.LE_U)


def simplify_icmp(b: Builder, cond: int, x: Inst, y: Inst) -> Inst | None:
    """For operands of which one is constant, or that are the same."""
    if y.op != _CONST:
        return b.const(_I32, int(cond in _REFLEXIVE)) if x is y else None
    c = y.imm
    type = y.type
    op = x.op
    if op == _CONST:
        return b.const(_I32, fold_icmp(cond, type, x.imm, c))
    if cond <= opcodes.NE:
        if c == 0:
            return _compare_with_zero(b, cond, x)
        if op == opcodes.IADD and x.args[1].op == _CONST:
            return b.icmp(cond, x.args[0], b.const(type, c - x.args[1].imm))
        if op == opcodes.EXTEND_U and c >> 32 == 0:
            return b.icmp(cond, x.args[0], b.const(_I32, c))
        if c == 1 and op in _TRUTHS:
            return x if cond == opcodes.EQ else b.icmp(opcodes.EQ, x, b.const(_I32, 0))
    elif cond >= opcodes.LT_U:
        if c == 0:
            if cond == opcodes.LT_U:
                return b.const(_I32, 0)
            if cond == opcodes.GE_U:
                return b.const(_I32, 1)
            return b.icmp(opcodes.NE if cond == opcodes.GT_U else opcodes.EQ, x, y)
        if c == 1 and cond <= opcodes.GE_U:
            return b.icmp(opcodes.EQ if cond == opcodes.LT_U else opcodes.NE, x, b.const(type, 0))
    return None


def _compare_with_zero(b: Builder, cond: int, x: Inst) -> Inst | None:
    op = x.op
    if op == _ICMP:
        return x if cond == opcodes.NE else b.icmp(x.imm ^ 1, x.args[0], x.args[1])
    if op == opcodes.V_ANY_TRUE or op == opcodes.V_ALL_TRUE:
        return x if cond == opcodes.NE else None
    if op == opcodes.FCMP:
        if cond == opcodes.NE:
            return x
        # The only float conditions that are each other's negation.
        return b.fcmp(x.imm ^ 1, x.args[0], x.args[1]) if x.imm <= opcodes.FNE else None
    if op == opcodes.ISUB or op == opcodes.XOR:
        # Constants are left alone: taking them apart could go on for as long as the chain of operations is.
        left, right = x.args
        return b.icmp(cond, left, right) if left.op != _CONST and right.op != _CONST else None
    if op == opcodes.IADD and x.args[1].op == _CONST:
        return b.icmp(cond, x.args[0], b.const(x.type, -x.args[1].imm))
    if op == opcodes.EXTEND_U or op == opcodes.EXTEND_S:
        return b.icmp(cond, x.args[0], b.const(_I32, 0))
    return None


def simplify_fcmp(b: Builder, cond: int, x: Inst, y: Inst) -> Inst | None:
    """For constant operands."""
    return b.const(_I32, fold_fcmp(cond, x.type, x.imm, y.imm))


def simplify_condition(condition: Inst) -> tuple[Inst, bool]:
    """The simplest i32 that is zero when `condition` is, or, when the second result is true, when it is not."""
    inverted = False
    while condition.op == _ICMP and condition.imm <= opcodes.NE:
        x, y = condition.args
        if y.op != _CONST or y.imm != 0 or x.type != _I32:
            break
        if condition.imm == opcodes.EQ:
            inverted = not inverted
        condition = x
    return condition, inverted


def simplify_select(b: Builder, c: Inst, x: Inst, y: Inst) -> Inst | None:
    """For arms that are the same, or a condition that may be constant."""
    if x is y:
        return x
    if c.op == _CONST:
        return x if c.imm else y
    if c.op == _ICMP and x.op == _CONST and y.op == _CONST and x.type == _I32:
        if x.imm == 1 and y.imm == 0:
            return c
        if x.imm == 0 and y.imm == 1:
            return b.icmp(c.imm ^ 1, c.args[0], c.args[1])
    return None
