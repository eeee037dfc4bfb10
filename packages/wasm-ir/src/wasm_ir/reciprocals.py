"""Division by constants as multiplication by their reciprocals, and by powers of two as shifts.

Granlund & Montgomery, "Division by Invariant Integers using Multiplication" (PLDI 1994); Hacker's Delight, chapter 10.
Numbers of 32 bits are multiplied in 64; those of 64 bits take the high half of the product (mulhi_u, mulhi_s).
"""

from __future__ import annotations

from wasm_ir import opcodes, types
from wasm_ir.ir import Inst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wasm_ir.builder import Builder

_I32 = types.I32
_I64 = types.I64


def multiplier(divisor: int, width: int, precision: int) -> tuple[int, int]:
    """(m, shift) such that x // divisor == x * m >> width + shift for all x below 2**precision (figure 6.2)."""
    shift = (divisor - 1).bit_length()
    low = (1 << width + shift) // divisor
    high = ((1 << width + shift) + (1 << width + shift - precision)) // divisor
    while shift and low >> 1 < high >> 1:
        low >>= 1
        high >>= 1
        shift -= 1
    return high, shift


def divide_unsigned(b: Builder, type: int, x: Inst, divisor: int) -> Inst:
    """x // divisor for a divisor that is no power of two."""
    width = types.BITS[type]
    m, shift = multiplier(divisor, width, width)
    if m >> width and not divisor & 1:
        # Twos first: what is left of x has fewer bits, so that a multiplier that fits is good enough.
        twos = (divisor & -divisor).bit_length() - 1
        x = b.binary(opcodes.SHR_U, type, x, b.const(type, twos))
        m, shift = multiplier(divisor >> twos, width, width - twos)
    if type == _I32:
        wide = b.unary(opcodes.EXTEND_U, _I64, x)
        if m >> 32:
            quotient = b.binary(opcodes.MULHI_U, _I64, wide, b.const(_I64, m << 32 - shift))
        else:
            product = b.binary(opcodes.IMUL, _I64, wide, b.const(_I64, m))
            quotient = b.binary(opcodes.SHR_U, _I64, product, b.const(_I64, 32 + shift))
        return b.unary(opcodes.WRAP, _I32, quotient)
    high = b.binary(opcodes.MULHI_U, _I64, x, b.const(_I64, m))
    if m >> 64:
        # x + high, halved, without the bit that would be lost.
        rest = b.binary(opcodes.ISUB, _I64, x, high)
        high = b.binary(opcodes.IADD, _I64, b.binary(opcodes.SHR_U, _I64, rest, b.const(_I64, 1)), high)
        shift -= 1
    return b.binary(opcodes.SHR_U, _I64, high, b.const(_I64, shift))


def divide_signed(b: Builder, type: int, x: Inst, divisor: int) -> Inst:
    """x / divisor, rounded towards zero, for a divisor that is neither 0 nor plus or minus a power of two."""
    width = types.BITS[type]
    m, shift = multiplier(abs(divisor), width, width - 1)
    if type == _I32:
        product = b.binary(opcodes.IMUL, _I64, b.unary(opcodes.EXTEND_S, _I64, x), b.const(_I64, m))
        quotient = b.unary(opcodes.WRAP, _I32, b.binary(opcodes.SHR_S, _I64, product, b.const(_I64, 32 + shift)))
    else:
        quotient = b.binary(opcodes.MULHI_S, _I64, x, b.const(_I64, m))
        if m >> 63:
            # As a signed number the multiplier is 2**64 less.
            quotient = b.binary(opcodes.IADD, _I64, quotient, x)
        quotient = b.binary(opcodes.SHR_S, _I64, quotient, b.const(_I64, shift))
    sign = b.binary(opcodes.SHR_S, type, x, b.const(type, width - 1))
    if divisor < 0:
        return b.binary(opcodes.ISUB, type, sign, quotient)
    return b.binary(opcodes.ISUB, type, quotient, sign)


def divide_by_power_of_two(b: Builder, type: int, x: Inst, divisor: int) -> Inst:
    """x / divisor, rounded towards zero, for plus or minus 2**k, k > 0 (Hacker's Delight, section 10-1)."""
    shift = abs(divisor).bit_length() - 1
    quotient = b.binary(opcodes.SHR_S, type, _biased(b, type, x, shift), b.const(type, shift))
    return b.binary(opcodes.ISUB, type, b.const(type, 0), quotient) if divisor < 0 else quotient


def remainder_of_power_of_two(b: Builder, type: int, x: Inst, divisor: int) -> Inst:
    """x minus x / divisor * divisor for 2**k, k > 0."""
    multiple = b.binary(opcodes.AND, type, _biased(b, type, x, divisor.bit_length() - 1), b.const(type, -divisor))
    return b.binary(opcodes.ISUB, type, x, multiple)


def _biased(b: Builder, type: int, x: Inst, shift: int) -> Inst:
    """x, plus 2**shift - 1 if it is negative: rounds a shift that follows towards zero."""
    width = types.BITS[type]
    sign = b.binary(opcodes.SHR_S, type, x, b.const(type, width - 1)) if shift > 1 else x
    return b.binary(opcodes.IADD, type, x, b.binary(opcodes.SHR_U, type, sign, b.const(type, width - shift)))
