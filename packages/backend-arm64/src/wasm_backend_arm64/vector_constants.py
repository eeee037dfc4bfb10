"""Constants of 128 bits: what an instruction has room for."""

from __future__ import annotations

from wasm_backend_arm64 import vector_encodings as v
from wasm_backend_arm64.encodings import FLOAT_IMMEDIATES32, FLOAT_IMMEDIATES64, Encoding
from wasm_backend_arm64.vector_encodings import H, S, byte_immediate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_LONG: Final = 0xFFFF_FFFF_FFFF_FFFF
_WORD: Final = 0xFFFF_FFFF
_HALF: Final = 0xFFFF
#: Bits of a number of 64, and that many bytes of ones.
_BYTE_MASKS: Final = {
    sum(0xFF << 8 * bit for bit in range(8) if number >> bit & 1): byte_immediate(number) for number in range(256)
}


def _shifted_byte(number: int, size: int) -> int | None:
    """The immediate of a byte in a lane of `size` bytes."""
    for place in range(size):
        if number & ~(0xFF << 8 * place) == 0:
            return byte_immediate(number >> 8 * place) | place << 13
    return None


def small_immediate(bits: int) -> tuple[int, int] | None:
    """What ORR and BIC have room for: the width of the lanes, and the immediate."""
    low = bits & _LONG
    if bits >> 64 != low or low >> 32 != low & _WORD:
        return None
    word = low & _WORD
    if word >> 16 == word & _HALF:
        imm = _shifted_byte(word & _HALF, 2)
        if imm is not None:
            return H, imm
    imm = _shifted_byte(word, 4)
    return None if imm is None else (S, imm)


def immediate(bits: int) -> tuple[Encoding, int] | None:
    """The instruction that makes a vector, and its immediate."""
    low = bits & _LONG
    if bits >> 64 != low:
        return None
    byte = low & 0xFF
    if low == byte * 0x0101_0101_0101_0101:
        return v.MOVI_V16B, byte_immediate(byte)
    for halves, words, number in ((v.MOVI_V8H, v.MOVI_V4S, low), (v.MVNI_V8H, v.MVNI_V4S, low ^ _LONG)):
        found = small_immediate(number << 64 | number)
        if found is not None:
            return halves if found[0] == H else words, found[1]
    if low in _BYTE_MASKS:
        return v.MOVI_V2D, _BYTE_MASKS[low]
    if low >> 32 == low & _WORD:
        word = low & _WORD
        for row, number in ((v.MOVI_V4S_ONES, word), (v.MVNI_V4S_ONES, word ^ _WORD)):
            for place in range(2):
                ones = 8 << place
                if number & (1 << ones) - 1 == (1 << ones) - 1 and number >> ones <= 0xFF:
                    return row, byte_immediate(number >> ones) | place << 12
        if word in FLOAT_IMMEDIATES32:
            imm8 = FLOAT_IMMEDIATES32[word] >> 13
            return v.FMOV_V4S, byte_immediate(imm8)
    if low in FLOAT_IMMEDIATES64:
        return v.FMOV_V2D, byte_immediate(FLOAT_IMMEDIATES64[low] >> 13)
    return None
