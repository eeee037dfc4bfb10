"""Number literals (core specification, section "Text Format", "Values"): exact ranges, exact rounding."""

from __future__ import annotations

import re
import struct
from typing import Final

_DIGITS: Final = "[0-9](?:_?[0-9])*+"
_HEX_DIGITS: Final = "[0-9a-fA-F](?:_?[0-9a-fA-F])*+"
_INTEGER: Final = re.compile(rf"[+-]?(?:0x{_HEX_DIGITS}|{_DIGITS})")
_FLOAT: Final = re.compile(
    rf"([+-]?)(?:0x({_HEX_DIGITS})(?:\.({_HEX_DIGITS})?)?(?:[pP]([+-]?{_DIGITS}))?"
    rf"|({_DIGITS})(?:\.({_DIGITS})?)?(?:[eE]([+-]?{_DIGITS}))?|(inf)|(nan)(?::0x({_HEX_DIGITS}))?)"
)
#: The longest literal that Python's own conversion reads; those that are longer are converted in pieces.
_SHORT: Final = 4000


class NumberError(Exception):
    """A literal is out of range. (One that is not a number is None.)"""


def integer(text: str) -> int | None:
    """The value of an integer literal, or None if it is none."""
    # The syntax of Python differs in a few points only: 0x_1, 0X1 and the limit for long ones.
    if len(text) < 20:
        try:
            return int(text)
        except ValueError:
            pass
    if _INTEGER.fullmatch(text) is None:
        return None
    if "x" in text:
        return int(text, 16)
    digits = text.replace("_", "")
    sign = -1 if digits[0] == "-" else 1
    return sign * _from_decimal(digits.lstrip("+-"))


def _from_decimal(digits: str) -> int:
    """As `int`, which refuses what is longer than some thousand digits."""
    if len(digits) <= _SHORT:
        return int(digits)
    half = len(digits) // 2
    power: int = 10**half
    return _from_decimal(digits[:-half]) * power + _from_decimal(digits[-half:])


def unsigned(text: str, bits: int) -> int | None:
    """The value of an unsigned literal of so many bits; None if it is not one.

    Raises:
        NumberError: It is out of range.
    """
    if not "0" <= text[0] <= "9":
        return None
    value = integer(text)
    if value is not None and value >> bits:
        raise NumberError
    return value


def signed(text: str, bits: int) -> int | None:
    """The signed value of an integer literal of so many bits, of which both ranges are allowed; None if it is not one.

    Raises:
        NumberError: It is out of range.
    """
    value = integer(text)
    if value is None:
        return None
    half = 1 << (bits - 1)
    if -half <= value < half:
        return value
    if half <= value < 2 * half:
        return value - 2 * half
    raise NumberError


class FloatFormat:
    """A binary interchange format of IEEE 754, and the literals that were read of late."""

    __slots__ = ("_known", "bits", "fraction", "precision", "smallest")

    def __init__(self, bits: int, precision: int, smallest: int) -> None:
        self.bits: Final = bits
        #: Bits of the significand, the hidden one included.
        self.precision: Final = precision
        #: Bits of the fraction.
        self.fraction: Final = precision - 1
        #: Exponent of the smallest number above zero.
        self.smallest: Final = smallest
        self._known: dict[str, int] = {}

    def read(self, text: str) -> int | None:
        """The bits of the number nearest to a literal (ties to even); None if it is no number.

        Raises:
            NumberError: It is out of range.
        """
        found = self._known.get(text)
        if found is None:
            found = self._read(text)
            if found is not None and len(text) < 64:
                if len(self._known) > 10000:
                    self._known.clear()
                self._known[text] = found
        return found

    def _read(self, text: str) -> int | None:
        match = _FLOAT.fullmatch(text)
        if match is None:
            return None
        minus, hex_whole, hex_part, power, whole, part, exponent, infinity, nan, payload = match.groups()
        sign = 1 << (self.bits - 1) if minus == "-" else 0
        infinite = ((1 << (self.bits - 1)) - 1) >> self.fraction << self.fraction
        if infinity:
            return sign | infinite
        if nan:
            return sign | infinite | (1 << (self.fraction - 1) if payload is None else self._payload(payload))
        if hex_whole is not None:
            digits = (hex_whole + (hex_part or "")).replace("_", "")
            after = len((hex_part or "").replace("_", ""))
            value = int(digits, 16)
            return sign | self._round(value, 1, _exponent(power) - 4 * after, infinite)
        if self.bits == 64 and len(text) < _SHORT:
            as_float = abs(float(text))
            if as_float == float("inf"):
                raise NumberError
            return sign | int.from_bytes(struct.pack("<d", as_float), "little")
        digits = (whole + (part or "")).replace("_", "")
        after = len((part or "").replace("_", ""))
        stripped = digits.lstrip("0")
        scale = _exponent(exponent) - after
        # No power of ten is computed that could not matter.
        if not stripped or len(stripped) + scale < -400:
            return sign
        if len(stripped) + scale > 400:
            raise NumberError
        value = _from_decimal(stripped)
        if scale >= 0:
            return sign | self._round(value * 10**scale, 1, 0, infinite)
        return sign | self._round(value, 10**-scale, 0, infinite)

    def _payload(self, digits: str) -> int:
        value = int(digits, 16)
        if not 0 < value < 1 << self.fraction:
            raise NumberError
        return value

    def _round(self, numerator: int, denominator: int, exponent: int, infinite: int) -> int:
        """The bits of the number nearest to numerator / denominator * 2**exponent."""
        if not numerator:
            return 0
        # The quotient shall have two bits more than the significand, or as many as the smallest number leaves.
        size = numerator.bit_length() - denominator.bit_length() + exponent
        if size > 2000:
            raise NumberError
        lowest = max(size - self.precision - 2, self.smallest - 2)
        shift = exponent - lowest
        if shift >= 0:
            quotient, rest = divmod(numerator << shift, denominator)
        elif -shift > numerator.bit_length() + 8:
            return 0
        else:
            quotient, rest = divmod(numerator, denominator << -shift)
        drop = max(quotient.bit_length() - self.precision, self.smallest - lowest)
        kept = quotient >> drop
        below = quotient - (kept << drop)
        half = 1 << (drop - 1)
        if below > half or (below == half and (rest or kept & 1)):
            kept += 1
        # A carry out of the fraction goes on into the exponent, as it should.
        power = lowest + drop - self.smallest
        bits = kept if kept < 1 << self.fraction else kept + (power << self.fraction)
        if bits >= infinite:
            raise NumberError
        return bits


def _exponent(text: str | None) -> int:
    if text is None:
        return 0
    digits = text.replace("_", "")
    # Far beyond every format, whatever the digits before it are.
    return int(digits) if len(digits) < 20 else (-1 if digits[0] == "-" else 1) * 10**20


F32: Final = FloatFormat(32, 24, -149)
F64: Final = FloatFormat(64, 53, -1074)


def is_number(text: str) -> bool:
    """Whether a word is a number of any kind."""
    return _INTEGER.fullmatch(text) is not None or _FLOAT.fullmatch(text) is not None


def float_text(bits: int, format: FloatFormat) -> str:
    """The shortest literal that stands for the float with these bits."""
    sign = "-" if bits >> (format.bits - 1) else ""
    magnitude = bits & ((1 << (format.bits - 1)) - 1)
    payload = magnitude & ((1 << format.fraction) - 1)
    infinite = ((1 << (format.bits - 1)) - 1) >> format.fraction << format.fraction
    if magnitude == infinite:
        return f"{sign}inf"
    if magnitude > infinite:
        return f"{sign}nan" if payload == 1 << (format.fraction - 1) else f"{sign}nan:{payload:#x}"
    if format.bits == 64:
        text = repr(struct.unpack("<d", magnitude.to_bytes(8, "little"))[0])
    else:
        value = struct.unpack("<f", magnitude.to_bytes(4, "little"))[0]
        for digits in range(6, 10):
            text = repr(float(f"{value:.{digits}g}"))
            if format.read(text) == magnitude:
                break
    return sign + text.removesuffix(".0")
