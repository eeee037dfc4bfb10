"""The types of IR values: small integers, because the compiler compares and tables them all the time."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

VOID: Final = 0
I32: Final = 1
I64: Final = 2
F32: Final = 3
F64: Final = 4
V128: Final = 5

#: Pointers and references are 64-bit integers on every architecture that we compile for.
POINTER: Final = I64

NAMES: Final[tuple[str, ...]] = ("void", "i32", "i64", "f32", "f64", "v128")
BITS: Final[tuple[int, ...]] = (0, 32, 64, 32, 64, 128)
BYTES: Final[tuple[int, ...]] = (0, 4, 8, 4, 8, 16)
MASKS: Final[tuple[int, ...]] = (0, (1 << 32) - 1, (1 << 64) - 1, (1 << 32) - 1, (1 << 64) - 1, (1 << 128) - 1)

#: Register classes: integers (and pointers, references) and floating point (and vectors).
INT_CLASS: Final = 0
FLOAT_CLASS: Final = 1
CLASS: Final[tuple[int, ...]] = (INT_CLASS, INT_CLASS, INT_CLASS, FLOAT_CLASS, FLOAT_CLASS, FLOAT_CLASS)
