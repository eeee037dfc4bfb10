"""What integer operations of the IR mean, as terms of bit vectors for z3: written from the core specification, chapter
"Numerics", not from the compiler."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import z3

from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.ir import Inst

Term = z3.BitVecRef


#: Whether products are taken for what nothing is known of, but that it does not matter which factor comes first: where
#: both sides multiply the same, a solver finds no end of what multiplication is.
opaque_products = False


def product(x: Term, y: Term) -> Term:
    """x * y."""
    if not opaque_products or any(isinstance(z3.simplify(factor), z3.BitVecNumRef) for factor in (x, y)):
        return x * y
    function = z3.Function(f"product{x.size()}", x.sort(), x.sort(), x.sort())
    return z3.If(z3.ULE(x, y), function(x, y), function(y, x))


def count(x: Term, y: Term) -> Term:
    """A shift's or rotation's count: modulo the width."""
    return y & z3.BitVecVal(x.size() - 1, x.size())


def high(x: Term, y: Term, extend: Callable[[int, Term], Term]) -> Term:
    """The high half of a product."""
    width = x.size()
    return z3.Extract(2 * width - 1, width, extend(width, x) * extend(width, y))


def leading_zeros(x: Term) -> Term:
    width = x.size()
    result = z3.BitVecVal(width, width)
    for bit in range(width):
        result = z3.If(z3.Extract(bit, bit, x) == 1, z3.BitVecVal(width - 1 - bit, width), result)
    return result


def trailing_zeros(x: Term) -> Term:
    width = x.size()
    result = z3.BitVecVal(width, width)
    for bit in reversed(range(width)):
        result = z3.If(z3.Extract(bit, bit, x) == 1, z3.BitVecVal(bit, width), result)
    return result


def ones(x: Term) -> Term:
    """How many bits are set; halves are added, so that equal terms are made of equal ones."""
    parts = [z3.ZeroExt(x.size() - 1, z3.Extract(bit, bit, x)) for bit in range(x.size())]
    while len(parts) > 1:
        parts = [left + right for left, right in zip(parts[::2], parts[1::2])]
    return parts[0]


def _sext(bits: int) -> Callable[[Term], Term]:
    return lambda x: z3.SignExt(x.size() - bits, z3.Extract(bits - 1, 0, x))


#: Operation -> meaning of the operands' terms. Division: where it does not trap.
BINARY: dict[int, Callable[[Term, Term], Term]] = {
    op.IADD: lambda x, y: x + y,
    op.ISUB: lambda x, y: x - y,
    op.IMUL: product,
    op.MULHI_S: lambda x, y: high(x, y, z3.SignExt),
    op.MULHI_U: lambda x, y: high(x, y, z3.ZeroExt),
    op.DIV_S: lambda x, y: x / y,
    op.DIV_U: z3.UDiv,
    # As the specification has it; z3.SRem and z3.URem are the same, but no solver finds out.
    op.REM_S: lambda x, y: x - (x / y) * y,
    op.REM_U: lambda x, y: x - z3.UDiv(x, y) * y,
    op.AND: lambda x, y: x & y,
    op.OR: lambda x, y: x | y,
    op.XOR: lambda x, y: x ^ y,
    op.SHL: lambda x, y: x << count(x, y),
    op.SHR_S: lambda x, y: x >> count(x, y),
    op.SHR_U: lambda x, y: z3.LShR(x, count(x, y)),
    op.ROTL: lambda x, y: z3.RotateLeft(x, count(x, y)),
    op.ROTR: lambda x, y: z3.RotateRight(x, count(x, y)),
}
UNARY: dict[int, Callable[[Term], Term]] = {
    op.CLZ: leading_zeros,
    op.CTZ: trailing_zeros,
    op.POPCNT: ones,
    op.SEXT8: _sext(8),
    op.SEXT16: _sext(16),
    op.SEXT32: _sext(32),
    op.EXTEND_S: lambda x: z3.SignExt(32, x),
    op.EXTEND_U: lambda x: z3.ZeroExt(32, x),
    op.WRAP: lambda x: z3.Extract(31, 0, x),
}
CONDITIONS: dict[int, Callable[[Term, Term], z3.BoolRef]] = {
    op.EQ: lambda x, y: x == y,
    op.NE: lambda x, y: x != y,
    op.LT_S: lambda x, y: x < y,
    op.GE_S: lambda x, y: x >= y,
    op.GT_S: lambda x, y: x > y,
    op.LE_S: lambda x, y: x <= y,
    op.LT_U: z3.ULT,
    op.GE_U: z3.UGE,
    op.GT_U: z3.UGT,
    op.LE_U: z3.ULE,
}


def truth(condition: z3.BoolRef) -> Term:
    """The i32 that is 1 when a condition holds, else 0."""
    return z3.If(condition, z3.BitVecVal(1, 32), z3.BitVecVal(0, 32))


def operation(inst: Inst, operands: list[Term]) -> Term:
    """The meaning of an instruction whose operands mean these. Raises KeyError for what is no integer operation."""
    if inst.op == op.CONST:
        return z3.BitVecVal(inst.imm, types.BITS[inst.type])
    if inst.op == op.ICMP:
        return truth(CONDITIONS[inst.imm](*operands))
    if inst.op == op.SELECT:
        condition, then, otherwise = operands
        return z3.If(condition != 0, then, otherwise)
    return BINARY[inst.op](*operands) if len(operands) == 2 else UNARY[inst.op](*operands)


def meaning(inst: Inst, known: Mapping[int, Term]) -> Term:
    """The meaning of a tree of instructions; `known`: by the id of an instruction, parameters and what is opaque."""
    found = known.get(inst.id)
    return operation(inst, [meaning(argument, known) for argument in inst.args]) if found is None else found


def traps(operation: int, x: Term, y: Term) -> dict[int, z3.BoolRef]:
    """When a division traps: by code of the trap (wasm_core.errors.TrapCode)."""
    found = {7: y == 0}
    if operation == op.DIV_S:
        lowest = z3.BitVecVal(1 << x.size() - 1, x.size())
        found[8] = z3.And(x == lowest, y == -1)
    return found
