"""Functions that append encoded instructions to a bytearray.

Registers are numbers: 0..30 are x0..x30, 31 is the zero register or the stack pointer, 32..63 are v0..v31. Operands
come destination first. Immediates that do not fit raise ValueError.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct

from wasm_backend_arm64.encodings import (
    ADD_RRI64,
    ADD_RRX64,
    B_L,
    BCC_L,
    MOVK_RI64,
    MOVN_RI32,
    MOVN_RI64,
    MOVZ_RI32,
    ORR_RRL32,
    ORR_RRL64,
    SUB_RRI64,
    SUB_RRX64,
    UXTX,
    Access,
    Encoding,
    add_immediate,
    extended,
    logical_immediate,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

ZR: Final = 31
SP: Final = 31

_U32 = Struct("<I")
pack: Final[Callable[[int], bytes]] = _U32.pack
_unpack_from = _U32.unpack_from
_pack_into = _U32.pack_into


def rrr(code: bytearray, enc: Encoding, rd: int, rn: int, rm: int, modifier: int = 0) -> None:
    """Three registers, the last perhaps shifted or extended."""
    code += pack(enc.word | modifier | rd & 31 | (rn & 31) << 5 | (rm & 31) << 16)


def rrrr(code: bytearray, enc: Encoding, rd: int, rn: int, rm: int, ra: int) -> None:
    """Four registers: rd = ra + rn * rm, or minus."""
    code += pack(enc.word | rd & 31 | (rn & 31) << 5 | (rm & 31) << 16 | (ra & 31) << 10)


def rrrc(code: bytearray, enc: Encoding, rd: int, rn: int, rm: int, condition: int) -> None:
    """Three registers and a condition: rd = rn if it holds, else rm (or something made of it)."""
    code += pack(enc.word | rd & 31 | (rn & 31) << 5 | (rm & 31) << 16 | condition << 12)


def rrri(code: bytearray, enc: Encoding, rd: int, rn: int, rm: int, bit: int) -> None:
    """extr: the bits of rn:rm from number `bit` on."""
    if not 0 <= bit < (64 if enc.word >> 31 else 32):
        raise ValueError(f"bit number {bit}")
    code += pack(enc.word | rd & 31 | (rn & 31) << 5 | (rm & 31) << 16 | bit << 10)


def ccmp(code: bytearray, enc: Encoding, rn: int, second: int, flags: int, condition: int) -> None:
    """If the condition holds, compare rn with `second` (a register, or 0..31); else set the flags NZCV so."""
    if not 0 <= flags <= 15:
        raise ValueError(f"flags {flags}")
    code += pack(enc.word | (rn & 31) << 5 | (second & 31) << 16 | flags | condition << 12)


def rr(code: bytearray, enc: Encoding, rd: int, rn: int) -> None:
    """Two registers."""
    code += pack(enc.word | rd & 31 | (rn & 31) << 5)


def cmp_rr(code: bytearray, enc: Encoding, rn: int, rm: int) -> None:
    """Two registers that are compared: fcmp."""
    code += pack(enc.word | (rn & 31) << 5 | (rm & 31) << 16)


def r(code: bytearray, enc: Encoding, rn: int) -> None:
    """One register: br, blr, ret."""
    code += pack(enc.word | (rn & 31) << 5)


def r_low(code: bytearray, enc: Encoding, rt: int) -> None:
    """One register in the lowest bits: mrs, dc, ic, movi."""
    code += pack(enc.word | rt & 31)


def rri(code: bytearray, enc: Encoding, rd: int, rn: int, number: int) -> None:
    """Two registers and a number: 0..4095, or a multiple of 4096 below 2^24."""
    bits = add_immediate(number)
    if bits is None:
        raise ValueError(f"immediate {number:#x} of an addition")
    code += pack(enc.word | bits | rd & 31 | (rn & 31) << 5)


def rrl(code: bytearray, enc: Encoding, rd: int, rn: int, mask: int) -> None:
    """Two registers and a bitmask immediate."""
    bits = logical_immediate(mask, 64 if enc.word >> 31 else 32)
    if bits is None:
        raise ValueError(f"bitmask immediate {mask:#x}")
    code += pack(enc.word | bits | rd & 31 | (rn & 31) << 5)


def rrb(code: bytearray, enc: Encoding, rd: int, rn: int, immr: int, imms: int) -> None:
    """Bit field instructions."""
    if not 0 <= immr | imms < (64 if enc.word >> 31 else 32):
        raise ValueError(f"bit field {immr}, {imms}")
    code += pack(enc.word | rd & 31 | (rn & 31) << 5 | immr << 16 | imms << 10)


def ri(code: bytearray, enc: Encoding, rd: int, number: int, half: int = 0) -> None:
    """movz, movn, movk: 16 bits, shifted left by 16 * half."""
    if not 0 <= number <= 0xFFFF:
        raise ValueError(f"immediate {number:#x} of 16 bits")
    code += pack(enc.word | rd & 31 | number << 5 | half << 21)


def rf(code: bytearray, enc: Encoding, rd: int, imm8: int) -> None:
    """A floating-point register and the operand from FLOAT_IMMEDIATES."""
    code += pack(enc.word | rd & 31 | imm8)


def load_integer(code: bytearray, rd: int, bits: int) -> None:
    """The shortest sequence of moves for an unsigned 64-bit number; changes no flags."""
    if bits <= 0xFFFF:
        code += pack(MOVZ_RI32.word | rd | bits << 5)
        return
    if bits <= 0xFFFF_FFFF:
        low = bits & 0xFFFF
        high = bits >> 16
        if low == 0:
            code += pack(MOVZ_RI32.word | 1 << 21 | rd | high << 5)
            return
        if high == 0xFFFF:
            code += pack(MOVN_RI32.word | rd | (low ^ 0xFFFF) << 5)
            return
        if low == 0xFFFF:
            code += pack(MOVN_RI32.word | 1 << 21 | rd | (high ^ 0xFFFF) << 5)
            return
        mask = logical_immediate(bits, 32)
        if mask is not None:
            code += pack(ORR_RRL32.word | mask | rd | ZR << 5)
            return
    mask = logical_immediate(bits, 64)
    if mask is not None:
        code += pack(ORR_RRL64.word | mask | rd | ZR << 5)
        return
    halves = (bits & 0xFFFF, bits >> 16 & 0xFFFF, bits >> 32 & 0xFFFF, bits >> 48)
    background = 0xFFFF if halves.count(0xFFFF) > halves.count(0) else 0
    first = True
    for half, value in enumerate(halves):
        if value == background:
            continue
        if first:
            first = False
            if background:
                code += pack(MOVN_RI64.word | rd | (value ^ 0xFFFF) << 5 | half << 21)
            else:
                code += pack(MOVZ_RI32.word | (half >= 2) << 31 | rd | value << 5 | half << 21)
        else:
            code += pack(MOVK_RI64.word | rd | value << 5 | half << 21)
    if first:
        code += pack(MOVN_RI64.word | rd)


def integer_length(bits: int) -> int:
    """How many instructions `load_integer` takes."""
    code = bytearray()
    load_integer(code, 0, bits)
    return len(code) >> 2


# Memory.


def rm(code: bytearray, access: Access, rt: int, base: int, offset: int) -> None:
    """A register and [base + offset]: a multiple of the size up to 4095 times it, or -256..255."""
    if offset >= 0 and offset & access.size - 1 == 0 and offset >> access.shift <= 0xFFF:
        code += pack(access.scaled | rt & 31 | base << 5 | offset >> access.shift << 10)
    elif -256 <= offset <= 255:
        code += pack(access.unscaled | rt & 31 | base << 5 | (offset & 0x1FF) << 12)
    else:
        raise ValueError(f"offset {offset}")


def rmx(code: bytearray, access: Access, rt: int, base: int, index: int, modifier: int) -> None:
    """A register and [base + index], the index as the modifier says (`indexed`)."""
    code += pack(access.register | modifier | rt & 31 | base << 5 | index << 16)


def pair(code: bytearray, enc: Encoding, first: int, second: int, base: int, offset: int) -> None:
    """Two registers of 64 (128) bits and [base + offset]: a multiple of the size from -64 to 63 times it."""
    shift = 4 if enc.word & 0xFC00_0000 == 0xAC00_0000 else 3
    if offset & (1 << shift) - 1 or not -64 <= offset >> shift <= 63:
        raise ValueError(f"offset {offset} of a pair")
    code += pack(enc.word | first & 31 | (second & 31) << 10 | base << 5 | (offset >> shift & 0x7F) << 15)


def add_sp(code: bytearray, rd: int, rn: int, number: int, scratch: int) -> None:
    """rd = rn + number, either of which may be the stack pointer. `scratch`: used when the number is large."""
    word, wide = (ADD_RRI64, ADD_RRX64) if number >= 0 else (SUB_RRI64, SUB_RRX64)
    number = abs(number)
    if number <= 0xFFF or (number & 0xFFF == 0 and number <= 0xFF_F000):
        rri(code, word, rd, rn, number)
    else:
        load_integer(code, scratch, number)
        rrr(code, wide, rd, rn, scratch, extended(UXTX))


# Places that refer to labels. These append an instruction that refers to itself and return its position.


def branch(code: bytearray, word: int = B_L) -> int:
    """b or bl."""
    code += pack(word)
    return len(code) - 4


def branch_if(code: bytearray, condition: int) -> int:
    """b.cond"""
    code += pack(BCC_L | condition)
    return len(code) - 4


def branch_r(code: bytearray, word: int, rt: int) -> int:
    """cbz and cbnz; adr and loads of literals."""
    code += pack(word | rt & 31)
    return len(code) - 4


def branch_bit(code: bytearray, word: int, rt: int, bit: int) -> int:
    """tbz and tbnz."""
    code += pack(word | rt & 31 | (bit & 31) << 19 | (bit >> 5) << 31)
    return len(code) - 4


def reach(word: int) -> int:
    """How far the label that an instruction refers to may be, in bytes: targets are in [-reach, reach)."""
    if word & 0x7C00_0000 == 0x1400_0000:  # b, bl
        return 1 << 27
    if word & 0x7E00_0000 == 0x3600_0000:  # tbz, tbnz
        return 1 << 15
    return 1 << 20  # b.cond, cbz, cbnz, adr, literals


def patch(code: bytearray, position: int, target: int) -> bool:
    """Let the instruction at `position` refer to `target` (offsets in `code`). Whether it reaches that far."""
    word = _unpack_from(code, position)[0]
    distance = target - position
    limit = reach(word)
    if not -limit <= distance < limit:
        return False
    if word & 0x1F00_0000 == 0x1000_0000:  # adr
        word = word & ~0x60FF_FFE0 | (distance & 3) << 29 | (distance >> 2 & 0x7_FFFF) << 5
    elif limit == 1 << 27:
        word = word & 0xFC00_0000 | distance >> 2 & 0x3FF_FFFF
    elif limit == 1 << 15:
        word = word & ~0x7_FFE0 | (distance >> 2 & 0x3FFF) << 5
    else:
        word = word & ~0xFF_FFE0 | (distance >> 2 & 0x7_FFFF) << 5
    _pack_into(code, position, word)
    return True


def patch_halves(code: bytearray, position: int, number: int) -> None:
    """Set the immediates of a movz and the movk behind it to the halves of a 32-bit number."""
    for half in range(2):
        at = position + 4 * half
        word = _unpack_from(code, at)[0]
        _pack_into(code, at, word & ~0x1F_FFE0 | (number >> 16 * half & 0xFFFF) << 5)
