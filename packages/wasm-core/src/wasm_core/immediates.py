"""Reading the immediates of any one instruction (core specification, section "Binary Format", "Instructions").

This is the general way, for constant expressions, tools and rare instructions. The loops that read whole bodies read
the common immediates in line.
"""

from __future__ import annotations

from typing import Final

from wasm_core.errors import MalformedError
from wasm_core.instructions import (
    IMM_BLOCK,
    IMM_DATA,
    IMM_DATA_MEMORY,
    IMM_ELEM,
    IMM_ELEM_TABLE,
    IMM_F32,
    IMM_F64,
    IMM_FUNC,
    IMM_GLOBAL,
    IMM_I32,
    IMM_I64,
    IMM_LABEL,
    IMM_LABEL_TABLE,
    IMM_LANE,
    IMM_LOCAL,
    IMM_MEMARG,
    IMM_MEMARG_LANE,
    IMM_MEMORY,
    IMM_MEMORY_MEMORY,
    IMM_NONE,
    IMM_REF_TYPE,
    IMM_SELECT_TYPES,
    IMM_SHUFFLE,
    IMM_TABLE,
    IMM_TABLE_TABLE,
    IMM_TYPE_TABLE,
    IMM_V128,
)
from wasm_core.leb128 import read_s32, read_s33, read_s64, read_u32
from wasm_core.type_codes import EXTERNREF, FUNCREF, VALUE_TYPE_OF

_ONE_INDEX: Final = frozenset({IMM_LABEL, IMM_FUNC, IMM_LOCAL, IMM_GLOBAL, IMM_TABLE, IMM_DATA, IMM_ELEM})
_TWO_INDICES: Final = frozenset({IMM_TYPE_TABLE, IMM_ELEM_TABLE, IMM_TABLE_TABLE})
_FIXED_SIZE: Final[dict[int, int]] = {IMM_F32: 4, IMM_F64: 8, IMM_V128: 16}


def read_byte(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """One byte."""
    if pos >= end:
        raise MalformedError("unexpected end", pos)
    return data[pos], pos + 1


def read_zero_byte(data: bytes, pos: int, end: int) -> int:
    """A byte that must be zero, which is what 2.0 has in the place of a memory index; returns the position after it."""
    byte, after = read_byte(data, pos, end)
    if byte:
        raise MalformedError("zero byte expected", pos)
    return after


def read_memarg(data: bytes, pos: int, end: int) -> tuple[int, int, int]:
    """Alignment exponent, offset, and the position after them."""
    align, after = read_u32(data, pos, end)
    if align >= 32:
        raise MalformedError("malformed memop flags", pos)
    offset, after = read_u32(data, after, end)
    return align, offset, after


def read_opcode(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """An opcode, numbered as in `opcodes`; a number that cannot be an opcode is given back as it is."""
    byte, after = read_byte(data, pos, end)
    if byte == 0xFC or byte == 0xFD:
        number, after = read_u32(data, after, end)
        if number > 0xFFF:
            raise MalformedError(f"illegal opcode {byte:02x} {number:#x}", pos)
        return (byte << 12) | number, after
    return byte, after


def read_immediates(data: bytes, pos: int, end: int, kind: int) -> tuple[tuple[int, ...], int]:
    """The immediates of kind `kind` (an IMM_ constant of `instructions`), and the position after them.

    Integers are values; floats and v128 are bit patterns (v128 as one unsigned little-endian integer); a memarg is
    (alignment exponent, offset); labels are followed by the default label; a value type is its type code. A block
    type is as encoded: a type index, or a negative number which is a type code (or EMPTY_BLOCK) less 0x80.

    Raises:
        MalformedError: The bytes are not such immediates.
    """
    if kind == IMM_NONE:
        return (), pos
    if kind in _ONE_INDEX:
        index, pos = read_u32(data, pos, end)
        return (index,), pos
    if kind in _TWO_INDICES:
        first, pos = read_u32(data, pos, end)
        second, pos = read_u32(data, pos, end)
        return (first, second), pos
    if kind in _FIXED_SIZE:
        after = pos + _FIXED_SIZE[kind]
        if after > end:
            raise MalformedError("unexpected end", end)
        return (int.from_bytes(data[pos:after], "little"),), after
    if kind == IMM_BLOCK:
        return _read_block_type(data, pos, end)
    if kind == IMM_I32:
        value, pos = read_s32(data, pos, end)
        return (value,), pos
    if kind == IMM_I64:
        value, pos = read_s64(data, pos, end)
        return (value,), pos
    if kind == IMM_MEMARG:
        align, offset, pos = read_memarg(data, pos, end)
        return (align, offset), pos
    if kind == IMM_MEMARG_LANE:
        align, offset, pos = read_memarg(data, pos, end)
        lane, pos = read_byte(data, pos, end)
        return (align, offset, lane), pos
    if kind == IMM_LANE:
        lane, pos = read_byte(data, pos, end)
        return (lane,), pos
    if kind == IMM_SHUFFLE:
        if pos + 16 > end:
            raise MalformedError("unexpected end", end)
        return tuple(data[pos : pos + 16]), pos + 16
    if kind == IMM_MEMORY:
        return (0,), read_zero_byte(data, pos, end)
    if kind == IMM_MEMORY_MEMORY:
        return (0, 0), read_zero_byte(data, read_zero_byte(data, pos, end), end)
    if kind == IMM_DATA_MEMORY:
        segment, pos = read_u32(data, pos, end)
        return (segment, 0), read_zero_byte(data, pos, end)
    if kind == IMM_REF_TYPE:
        code, after = read_byte(data, pos, end)
        if code != FUNCREF and code != EXTERNREF:
            raise MalformedError("malformed reference type", pos)
        return (code,), after
    return _read_vector(data, pos, end, kind)


def _read_block_type(data: bytes, pos: int, end: int) -> tuple[tuple[int, ...], int]:
    block_type, after = read_s33(data, pos, end)
    if block_type < 0:
        code = block_type + 0x80
        # The byte itself, too: a longer encoding of the same number is no value type.
        if after != pos + 1 or (code != 0x40 and code not in VALUE_TYPE_OF):
            raise MalformedError("malformed value type", pos)
    return (block_type,), after


def _read_vector(data: bytes, pos: int, end: int, kind: int) -> tuple[tuple[int, ...], int]:
    start = pos
    count, pos = read_u32(data, pos, end)
    if count > end - pos:
        raise MalformedError("unexpected end", start)
    items: list[int] = []
    if kind == IMM_LABEL_TABLE:
        for _ in range(count + 1):
            label, pos = read_u32(data, pos, end)
            items.append(label)
    elif kind == IMM_SELECT_TYPES:
        for _ in range(count):
            code, after = read_byte(data, pos, end)
            if code not in VALUE_TYPE_OF:
                raise MalformedError("malformed value type", pos)
            items.append(code)
            pos = after
    else:
        raise AssertionError(f"unknown kind of immediate {kind}")
    return tuple(items), pos
