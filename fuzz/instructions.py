"""The numeric instructions of WebAssembly 2.0 without vectors, by the type of their result."""

from __future__ import annotations

from typing import Final

import attrs

from fuzz.edge_values import F32, F64, I32, I64, V128
from wasm_core.testing.binary import unsigned


@attrs.frozen
class Instruction:
    """An instruction without immediates."""

    code: bytes
    params: tuple[int, ...]
    result: int
    #: How often to take it, compared with others.
    weight: int = 4
    #: Its result's bits show those of a NaN, which may differ between engines.
    shows_nan: bool = False
    #: A divisor of zero traps.
    divides: bool = False
    #: Most operands trap: to be used with moderation.
    may_trap: bool = False


def _rows(first: int, last: int, params: tuple[int, ...], result: int, **more: bool | int) -> list[Instruction]:
    return [Instruction(bytes([code]), params, result, **more) for code in range(first, last + 1)]  # type: ignore[arg-type]


def _saturating(number: int, param: int, result: int) -> Instruction:
    return Instruction(b"\xfc" + unsigned(number), (param,), result, weight=2)


# Core specification, section "Binary Format", "Instructions", "Numeric Instructions".
ALL: Final = [
    *_rows(0x45, 0x45, (I32,), I32),
    *_rows(0x46, 0x4F, (I32, I32), I32),
    *_rows(0x50, 0x50, (I64,), I32),
    *_rows(0x51, 0x5A, (I64, I64), I32),
    *_rows(0x5B, 0x60, (F32, F32), I32),
    *_rows(0x61, 0x66, (F64, F64), I32),
    *_rows(0x67, 0x69, (I32,), I32),
    *_rows(0x6A, 0x6C, (I32, I32), I32, weight=12),
    *_rows(0x6D, 0x70, (I32, I32), I32, divides=True),
    *_rows(0x71, 0x78, (I32, I32), I32, weight=10),
    *_rows(0x79, 0x7B, (I64,), I64, weight=8),
    *_rows(0x7C, 0x7E, (I64, I64), I64, weight=12),
    *_rows(0x7F, 0x82, (I64, I64), I64, divides=True),
    *_rows(0x83, 0x8A, (I64, I64), I64, weight=10),
    *_rows(0x8B, 0x91, (F32,), F32),
    *_rows(0x92, 0x98, (F32, F32), F32, weight=6),
    *_rows(0x99, 0x9F, (F64,), F64),
    *_rows(0xA0, 0xA6, (F64, F64), F64, weight=6),
    *_rows(0xA7, 0xA7, (I64,), I32, weight=20),
    *_rows(0xA8, 0xA9, (F32,), I32, may_trap=True),
    *_rows(0xAA, 0xAB, (F64,), I32, may_trap=True),
    *_rows(0xAC, 0xAD, (I32,), I64, weight=16),
    *_rows(0xAE, 0xAF, (F32,), I64, may_trap=True),
    *_rows(0xB0, 0xB1, (F64,), I64, may_trap=True),
    *_rows(0xB2, 0xB3, (I32,), F32),
    *_rows(0xB4, 0xB5, (I64,), F32),
    *_rows(0xB6, 0xB6, (F64,), F32),
    *_rows(0xB7, 0xB8, (I32,), F64),
    *_rows(0xB9, 0xBA, (I64,), F64),
    *_rows(0xBB, 0xBB, (F32,), F64),
    *_rows(0xBC, 0xBC, (F32,), I32, shows_nan=True),
    *_rows(0xBD, 0xBD, (F64,), I64, shows_nan=True),
    *_rows(0xBE, 0xBE, (I32,), F32),
    *_rows(0xBF, 0xBF, (I64,), F64),
    *_rows(0xC0, 0xC1, (I32,), I32, weight=6),
    *_rows(0xC2, 0xC4, (I64,), I64, weight=6),
    *(_saturating(number, F32 if number & 2 == 0 else F64, I32 if number < 4 else I64) for number in range(8)),
]
#: The type of a result -> instructions, and their weights.
BY_RESULT: Final = {
    type_: ([row for row in ALL if row.result == type_], [row.weight for row in ALL if row.result == type_])
    for type_ in (I32, I64, F32, F64)
}
# Loads and stores: (opcode, bytes in memory).
LOADS: Final = {
    I32: [(0x28, 4), (0x2C, 1), (0x2D, 1), (0x2E, 2), (0x2F, 2)],
    I64: [(0x29, 8), (0x30, 1), (0x31, 1), (0x32, 2), (0x33, 2), (0x34, 4), (0x35, 4)],
    F32: [(0x2A, 4)],
    F64: [(0x2B, 8)],
}
STORES: Final = {
    I32: [(0x36, 4), (0x3A, 1), (0x3B, 2)],
    I64: [(0x37, 8), (0x3C, 1), (0x3D, 2), (0x3E, 4)],
    F32: [(0x38, 4)],
    F64: [(0x39, 8)],
}
#: Stores of all bits.
WHOLE_STORES: Final = {I32: b"\x36", I64: b"\x37", F32: b"\x38", F64: b"\x39", V128: b"\xfd\x0b"}
EQUAL: Final = {F32: b"\x5b", F64: b"\x61"}
