"""Rules for vector operations: what a new one is if something simpler means the same, and the forms that backends get.

A rule gets the operation's imm and operands and gives None when there is nothing simpler. What is relaxed is only
touched where every choice gives the same: a machine makes its choice once.
"""

from __future__ import annotations

from collections.abc import Callable

from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.folding import signed
from wasm_ir.ir import Inst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_ir.builder import Builder

_CONST: Final = op.CONST
_I32: Final = types.I32
_V128: Final = types.V128
_ONES: Final = types.MASKS[types.V128]
_SHAPE: Final = op.SHAPE_MASK
_SHIFT: Final = op.SHAPE_SHIFT

#: Shape -> what a lane is multiplied by to be in all of them.
_SPREAD: Final = tuple([sum([1 << at for at in range(0, 128, bits)]) for bits in op.SHAPE_BITS])
#: The bytes of a shuffle that gives its first operand.
_IDENTITY: Final = int.from_bytes(bytes(range(16)), "little")
#: Low four bits of every byte, and the bit that says which operand.
_BYTE_NUMBERS: Final = 0x0F * _SPREAD[op.I8X16]
_SECOND: Final = 0x10 * _SPREAD[op.I8X16]

_Rule = Callable[["Builder", int, list[Inst]], Inst | None]


def _const(b: Builder, bits: int) -> Inst:
    return b.const(_V128, bits)


def _lane(bits: int, shape: int, lane: int) -> int:
    width = op.SHAPE_BITS[shape]
    return bits >> width * lane & (1 << width) - 1


# From and to scalars.


def _splat(b: Builder, imm: int, args: list[Inst]) -> Inst | None:
    (scalar,) = args
    if scalar.op == _CONST:
        return _const(b, (scalar.imm & (1 << op.SHAPE_BITS[imm]) - 1) * _SPREAD[imm])
    if (scalar.op == op.V_EXTRACT_U or scalar.op == op.V_EXTRACT_S) and scalar.imm & _SHAPE == imm:
        # Without the way through a scalar register.
        size = op.SHAPE_BITS[imm] >> 3
        first = (scalar.imm >> _SHIFT) * size
        numbers = int.from_bytes(bytes(range(first, first + size)) * op.SHAPE_LANES[imm], "little")
        return b.vector(op.V_SHUFFLE, _V128, numbers, [scalar.args[0], scalar.args[0]])
    return None


def _low(b: Builder, imm: int, args: list[Inst]) -> Inst | None:
    (scalar,) = args
    return _const(b, scalar.imm) if scalar.op == _CONST else None


def _extract(b: Builder, imm: int, args: list[Inst], is_signed: bool) -> Inst | None:
    (vector,) = args
    shape = imm & _SHAPE
    operation = vector.op
    type = op.SHAPE_TYPES[shape]
    if operation == _CONST:
        lane = _lane(vector.imm, shape, imm >> _SHIFT)
        return b.const(type, signed(lane, op.SHAPE_BITS[shape]) if is_signed else lane)
    if operation == op.V_REPLACE and vector.imm & _SHAPE == shape:
        if vector.imm != imm:
            # Past other lanes, but not past any number of replacements of one.
            for _ in range(op.SHAPE_LANES[shape]):
                vector = vector.args[0]
                if vector.op != op.V_REPLACE or vector.imm & _SHAPE != shape or vector.imm == imm:
                    return b.vector(op.V_EXTRACT_S if is_signed else op.V_EXTRACT_U, type, imm, [vector])
            return None
        scalar = vector.args[1]
    elif (operation == op.V_SPLAT and vector.imm == shape) or (operation == op.V_LOW and vector.imm == imm):
        scalar = vector.args[0]
    else:
        return None
    if shape == op.I8X16:
        return b.unary(op.SEXT8, _I32, scalar) if is_signed else b.binary(op.AND, _I32, scalar, b.const(_I32, 0xFF))
    if shape == op.I16X8:
        return b.unary(op.SEXT16, _I32, scalar) if is_signed else b.binary(op.AND, _I32, scalar, b.const(_I32, 0xFFFF))
    return scalar


def _extract_u(b: Builder, imm: int, args: list[Inst]) -> Inst | None:
    return _extract(b, imm, args, False)


def _extract_s(b: Builder, imm: int, args: list[Inst]) -> Inst | None:
    return _extract(b, imm, args, True)


def _replace(b: Builder, imm: int, args: list[Inst]) -> Inst | None:
    vector, scalar = args
    if vector.op != _CONST:
        return None
    shape = imm & _SHAPE
    if scalar.op == _CONST:
        width = op.SHAPE_BITS[shape]
        at = (imm >> _SHIFT) * width
        mask = (1 << width) - 1
        return _const(b, vector.imm & ~(mask << at) | (scalar.imm & mask) << at)
    if vector.imm == 0 and imm == shape and shape >= op.I32X4:
        return b.vector(op.V_LOW, _V128, shape, [scalar])
    return None


# Bytes moved.


def _shuffle(b: Builder, imm: int, args: list[Inst]) -> Inst | None:
    x, y = args
    second = imm & _SECOND
    if x is y or second == 0 or second == _SECOND:
        # One operand is all that matters.
        if x is not y and second:
            x = y
        numbers = imm & _BYTE_NUMBERS
        if numbers == _IDENTITY:
            return x
        if x.op == _CONST:
            return _const(b, _shuffled(x.imm, 0, numbers))
        if x.op == op.V_SPLAT and x.imm == op.I8X16:
            return x
        if x.op == op.V_SHUFFLE and x.args[0] is x.args[1]:
            inner = x.args[0]
            return b.vector(op.V_SHUFFLE, _V128, _shuffled(x.imm, 0, numbers), [inner, inner])
        return None if x is y and numbers == imm else b.vector(op.V_SHUFFLE, _V128, numbers, [x, x])
    if x.op == _CONST and y.op == _CONST:
        return _const(b, _shuffled(x.imm, y.imm, imm))
    # The first byte comes from the first operand: one form instead of two.
    return b.vector(op.V_SHUFFLE, _V128, imm ^ _SECOND, [y, x]) if imm & 0x10 else None


def _shuffled(x: int, y: int, numbers: int) -> int:
    both = (y << 128 | x).to_bytes(32, "little")
    return int.from_bytes(bytes([both[number] for number in numbers.to_bytes(16, "little")]), "little")


def _swizzle(b: Builder, imm: int, args: list[Inst]) -> Inst | None:
    x, numbers = args
    return _known_swizzle(b, x, numbers.imm) if numbers.op == _CONST else None


def _relaxed_swizzle(b: Builder, imm: int, args: list[Inst]) -> Inst | None:
    x, numbers = args
    if numbers.op != _CONST or any(16 <= number < 128 for number in numbers.imm.to_bytes(16, "little")):
        return None
    return _known_swizzle(b, x, numbers.imm)


def _known_swizzle(b: Builder, x: Inst, numbers: int) -> Inst:
    found = int.from_bytes(bytes([min(number, 16) for number in numbers.to_bytes(16, "little")]), "little")
    return b.vector(op.V_SHUFFLE, _V128, found, [x, _const(b, 0)])


# Bits.


def bitwise(b: Builder, operation: int, x: Inst, y: Inst) -> Inst:
    """`and`, `or` or `xor` of vectors."""
    if operation == op.AND:
        if y.op == op.V_NOT:
            return b.vector(op.V_ANDNOT, _V128, 0, [x, y.args[0]])
        if x.op == op.V_NOT:
            return b.vector(op.V_ANDNOT, _V128, 0, [y, x.args[0]])
    elif operation == op.XOR:
        if y.op == _CONST and y.imm == _ONES:
            return b.vector(op.V_NOT, _V128, 0, [x])
        if x.op == _CONST and x.imm == _ONES:
            return b.vector(op.V_NOT, _V128, 0, [y])
    return b.binary(operation, _V128, x, y)


def _not(b: Builder, imm: int, args: list[Inst]) -> Inst | None:
    (x,) = args
    if x.op == _CONST:
        return _const(b, x.imm ^ _ONES)
    if x.op == op.V_NOT:
        return x.args[0]
    if x.op == op.V_ICMP:
        return b.vector(op.V_ICMP, _V128, x.imm ^ 1 << _SHIFT, x.args)
    return None


def _andnot(b: Builder, imm: int, args: list[Inst]) -> Inst | None:
    x, y = args
    if x is y:
        return _const(b, 0)
    if y.op == _CONST:
        return b.binary(op.AND, _V128, x, _const(b, y.imm ^ _ONES))
    if y.op == op.V_NOT:
        return bitwise(b, op.AND, x, y.args[0])
    if x.op == _CONST:
        if x.imm == 0:
            return x
        if x.imm == _ONES:
            return b.vector(op.V_NOT, _V128, 0, [y])
    return None


def _bitselect(b: Builder, imm: int, args: list[Inst]) -> Inst | None:
    x, y, mask = args
    if x is y:
        return x
    if mask.op == _CONST:
        if mask.imm == 0:
            return y
        if mask.imm == _ONES:
            return x
        if x.op == _CONST and y.op == _CONST:
            return _const(b, x.imm & mask.imm | y.imm & ~mask.imm)
    if mask.op == op.V_NOT:
        return b.vector(op.V_BITSELECT, _V128, 0, [y, x, mask.args[0]])
    if y.op == _CONST and y.imm == 0:
        return bitwise(b, op.AND, x, mask)
    if x.op == _CONST:
        if x.imm == 0:
            return b.vector(op.V_ANDNOT, _V128, 0, [y, mask])
        if x.imm == _ONES:
            return b.binary(op.OR, _V128, mask, y)
    return None


# Tests.


def _lanes_of_comparison(x: Inst) -> tuple[int, Inst] | None:
    """For a comparison whether the lanes of a vector are (or are not) zero: the imm, and the vector.

    Not when that is a comparison itself: taking them apart could go on for as long as the chain of them is.
    """
    if x.op == op.V_ICMP and x.imm >> _SHIFT <= op.NE and x.args[1].op == _CONST and x.args[1].imm == 0:
        vector = x.args[0]
        return None if vector.op == op.V_ICMP else (x.imm, vector)
    return None


def _any_true(b: Builder, imm: int, args: list[Inst]) -> Inst | None:
    (x,) = args
    if x.op == _CONST:
        return b.const(_I32, int(x.imm != 0))
    compared = _lanes_of_comparison(x)
    if compared is None:
        return None
    condition, vector = compared
    if condition >> _SHIFT == op.NE:
        return b.vector(op.V_ANY_TRUE, _I32, 0, [vector])
    return b.icmp(op.EQ, b.vector(op.V_ALL_TRUE, _I32, condition & _SHAPE, [vector]), b.const(_I32, 0))


def _all_true(b: Builder, imm: int, args: list[Inst]) -> Inst | None:
    (x,) = args
    if x.op == _CONST:
        return b.const(_I32, int(all(_lane(x.imm, imm, lane) for lane in range(op.SHAPE_LANES[imm]))))
    compared = _lanes_of_comparison(x)
    if compared is None or compared[0] & _SHAPE != imm:
        return None
    condition, vector = compared
    if condition >> _SHIFT == op.NE:
        return b.vector(op.V_ALL_TRUE, _I32, imm, [vector])
    return b.icmp(op.EQ, b.vector(op.V_ANY_TRUE, _I32, 0, [vector]), b.const(_I32, 0))


def _bitmask(b: Builder, imm: int, args: list[Inst]) -> Inst | None:
    (x,) = args
    if x.op != _CONST:
        return None
    top = op.SHAPE_BITS[imm] - 1
    return b.const(_I32, sum([_lane(x.imm, imm, lane) >> top << lane for lane in range(op.SHAPE_LANES[imm])]))


# Integers.


def _comparison(b: Builder, imm: int, args: list[Inst]) -> Inst | None:
    """Constants go to the right; whether a comparison holds is that comparison, or its negation."""
    x, y = args
    if y.op == _CONST and y.imm == 0 and x.op == op.V_ICMP and x.imm & _SHAPE == imm & _SHAPE:
        if imm >> _SHIFT == op.NE:
            return x
        if imm >> _SHIFT == op.EQ:
            return b.vector(op.V_ICMP, _V128, x.imm ^ 1 << _SHIFT, x.args)
    if x.op == _CONST and y.op != _CONST:
        condition = op.ICMP_SWAPPED[imm >> _SHIFT]
        return b.vector(op.V_ICMP, _V128, imm & _SHAPE | condition << _SHIFT, [y, x])
    return None


def _shifted(operation: int) -> _Rule:
    """Counts that are constant are below the width."""

    def rule(b: Builder, imm: int, args: list[Inst]) -> Inst | None:
        x, count = args
        if count.op != _CONST:
            return None
        number = count.imm & op.SHAPE_BITS[imm] - 1
        if number == 0:
            return x
        return None if number == count.imm else b.vector(operation, _V128, imm, [x, b.const(_I32, number)])

    return rule


def _add(b: Builder, imm: int, args: list[Inst]) -> Inst | None:
    x, y = args
    if y.op == _CONST and y.imm == 0:
        return x
    return b.vector(op.V_SUB, _V128, imm, [x, y.args[0]]) if y.op == op.V_NEG and y.imm == imm else None


def _sub(b: Builder, imm: int, args: list[Inst]) -> Inst | None:
    x, y = args
    if x is y:
        return _const(b, 0)
    if y.op == _CONST and y.imm == 0:
        return x
    if x.op == _CONST and x.imm == 0:
        return b.vector(op.V_NEG, _V128, imm, [y])
    return None


def _mul(b: Builder, imm: int, args: list[Inst]) -> Inst | None:
    x, y = args
    if y.op != _CONST:
        return None
    factor = _lane(y.imm, imm, 0)
    if y.imm != factor * _SPREAD[imm]:
        return None
    if factor == 0:
        return y
    if factor & factor - 1:
        return None
    return b.vector(op.V_SHL, _V128, imm, [x, b.const(_I32, factor.bit_length() - 1)])


def _neg(b: Builder, imm: int, args: list[Inst]) -> Inst | None:
    (x,) = args
    return x.args[0] if x.op == op.V_NEG and x.imm == imm else None


def _extended(operation: int) -> _Rule:
    """Of lanes that a shuffle has only brought to the low half: from where they were. So a program that extends all
    lanes to four times the width, a quarter at a time, does the first step once for two of them."""

    def rule(b: Builder, imm: int, args: list[Inst]) -> Inst | None:
        (x,) = args
        if imm & op.HIGH_HALF:
            return None
        inner: Inst | None = None
        size = 8
        if (x.op == op.V_EXTEND_S or x.op == op.V_EXTEND_U) and not x.imm & op.HIGH_HALF:
            inner = x
            x = x.args[0]
            size = 4
        if x.op != op.V_SHUFFLE:
            return None
        numbers = x.imm.to_bytes(16, "little")
        start = numbers[0]
        if start % size or any(numbers[place] != start + place for place in range(1, size)):
            return None
        source = x.args[start >> 4]
        # Not through a chain of any length.
        if source.op == op.V_SHUFFLE:
            return None
        if inner is not None:
            source = b.vector(inner.op, _V128, inner.imm | (op.HIGH_HALF if start & 8 else 0), [source])
            start <<= 1
        return b.vector(operation, _V128, imm | (op.HIGH_HALF if start & 8 else 0), [source])

    return rule


def _same(b: Builder, imm: int, args: list[Inst]) -> Inst | None:
    """Of the same operand twice it is that: minimum and maximum."""
    return args[0] if args[0] is args[1] else None


# Floats.


def _fneg(b: Builder, imm: int, args: list[Inst]) -> Inst | None:
    (x,) = args
    return x.args[0] if x.op == op.V_FNEG and x.imm == imm else None


def _fabs(b: Builder, imm: int, args: list[Inst]) -> Inst | None:
    (x,) = args
    if x.op == op.V_FABS and x.imm == imm:
        return x
    return b.vector(op.V_FABS, _V128, imm, [x.args[0]]) if x.op == op.V_FNEG and x.imm == imm else None


_RULES: Final[dict[int, _Rule]] = {
    op.V_SPLAT: _splat,
    op.V_LOW: _low,
    op.V_EXTRACT_S: _extract_s,
    op.V_EXTRACT_U: _extract_u,
    op.V_REPLACE: _replace,
    op.V_SHUFFLE: _shuffle,
    op.V_SWIZZLE: _swizzle,
    op.V_RELAXED_SWIZZLE: _relaxed_swizzle,
    op.V_NOT: _not,
    op.V_ANDNOT: _andnot,
    op.V_BITSELECT: _bitselect,
    op.V_ANY_TRUE: _any_true,
    op.V_ALL_TRUE: _all_true,
    op.V_BITMASK: _bitmask,
    op.V_ICMP: _comparison,
    op.V_SHL: _shifted(op.V_SHL),
    op.V_SHR_S: _shifted(op.V_SHR_S),
    op.V_SHR_U: _shifted(op.V_SHR_U),
    op.V_ADD: _add,
    op.V_SUB: _sub,
    op.V_MUL: _mul,
    op.V_NEG: _neg,
    op.V_MIN_S: _same,
    op.V_MIN_U: _same,
    op.V_MAX_S: _same,
    op.V_MAX_U: _same,
    op.V_AVGR_U: _same,
    op.V_EXTEND_S: _extended(op.V_EXTEND_S),
    op.V_EXTEND_U: _extended(op.V_EXTEND_U),
    op.V_FNEG: _fneg,
    op.V_FABS: _fabs,
}
#: Operation -> its rule, or None.
VECTOR_RULES: Final[list[_Rule | None]] = [_RULES.get(operation) for operation in range(op.COUNT)]
