"""Reading and writing the immediates of any one instruction.

Core specification, section "Binary Format", "Instructions".

This is the general way, for constant expressions, tools and rare instructions. The loops that read whole bodies read
the common immediates in line.
"""

from __future__ import annotations

from wasm_core.errors import MalformedError
from wasm_core.instructions import (
    CATCH_ALL,
    CATCH_ALL_REF,
    IMM_BLOCK,
    IMM_BLOCK_CATCHES,
    IMM_CAST_LABEL,
    IMM_DATA,
    IMM_DATA_MEMORY,
    IMM_ELEM,
    IMM_ELEM_TABLE,
    IMM_F32,
    IMM_F64,
    IMM_FUNC,
    IMM_GLOBAL,
    IMM_HEAP_TYPE,
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
    IMM_TAG,
    IMM_TYPE,
    IMM_TYPE_COUNT,
    IMM_TYPE_DATA,
    IMM_TYPE_ELEM,
    IMM_TYPE_FIELD,
    IMM_TYPE_TABLE,
    IMM_TYPE_TYPE,
    IMM_V128,
    IMM_ZERO,
)
from wasm_core.leb128 import read_s32, read_s33, read_s64, read_u32, read_unsigned, signed, unsigned
from wasm_core.reader import read_byte, read_heap_type, read_value_type, read_zero_byte
from wasm_core.type_codes import (
    DEFINED_SHIFT,
    EMPTY_BLOCK,
    NON_NULL,
    ONE_BYTE_CODES,
    REF_NULL_PREFIX,
    REF_PREFIX,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_ONE_INDEX: Final = frozenset(
    {IMM_LABEL, IMM_FUNC, IMM_LOCAL, IMM_GLOBAL, IMM_TABLE, IMM_DATA, IMM_ELEM, IMM_MEMORY, IMM_TAG, IMM_TYPE}
)
_TWO_INDICES: Final = frozenset(
    {
        *(IMM_TYPE_TABLE, IMM_ELEM_TABLE, IMM_TABLE_TABLE, IMM_MEMORY_MEMORY, IMM_DATA_MEMORY),
        *(IMM_TYPE_FIELD, IMM_TYPE_COUNT, IMM_TYPE_DATA, IMM_TYPE_ELEM, IMM_TYPE_TYPE),
    }
)
_FIXED_SIZE: Final[dict[int, int]] = {IMM_F32: 4, IMM_F64: 8, IMM_V128: 16}


def read_memarg(data: bytes, pos: int, end: int) -> tuple[int, int, int, int]:
    """Alignment exponent, offset, memory, and the position after them."""
    flags, after = read_u32(data, pos, end)
    memory = 0
    if flags >= 0x80:
        raise MalformedError("malformed memop flags", pos)
    if flags & 0x40:
        memory, after = read_u32(data, after, end)
    offset, after = read_unsigned(data, after, end, 64)
    return flags & 0x3F, offset, memory, after


def read_opcode(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """An opcode, numbered as in `opcodes`; a number that cannot be an opcode is given back as it is."""
    byte, after = read_byte(data, pos, end)
    if 0xFB <= byte <= 0xFE:
        number, after = read_u32(data, after, end)
        if number > 0xFFF:
            raise MalformedError(f"illegal opcode {byte:02x} {number:#x}", pos)
        return (byte << 12) | number, after
    return byte, after


def read_immediates(data: bytes, pos: int, end: int, kind: int) -> tuple[tuple[int, ...], int]:
    """The immediates of kind `kind` (an IMM_ constant of `instructions`), and the position after them.

    Integers are values; floats and v128 are bit patterns (v128 as one unsigned little-endian integer); a memarg is
    (alignment exponent, offset, memory); labels are followed by the default label; the rest as `instructions` says.

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
        block_type, pos = _read_block_type(data, pos, end)
        return (block_type,), pos
    if kind == IMM_I32:
        value, pos = read_s32(data, pos, end)
        return (value,), pos
    if kind == IMM_I64:
        value, pos = read_s64(data, pos, end)
        return (value,), pos
    if kind == IMM_MEMARG:
        align, offset, memory, pos = read_memarg(data, pos, end)
        return (align, offset, memory), pos
    if kind == IMM_MEMARG_LANE:
        align, offset, memory, pos = read_memarg(data, pos, end)
        lane, pos = read_byte(data, pos, end)
        return (align, offset, memory, lane), pos
    if kind == IMM_LANE:
        lane, pos = read_byte(data, pos, end)
        return (lane,), pos
    if kind == IMM_SHUFFLE:
        if pos + 16 > end:
            raise MalformedError("unexpected end", end)
        return tuple(data[pos : pos + 16]), pos + 16
    if kind in (IMM_HEAP_TYPE, IMM_REF_TYPE):
        heap_type, pos = read_heap_type(data, pos, end)
        return (heap_type,), pos
    if kind == IMM_CAST_LABEL:
        flags, after = read_byte(data, pos, end)
        if flags > 3:
            raise MalformedError("malformed br_on_cast flags", pos)
        label, pos = read_u32(data, after, end)
        source, pos = read_heap_type(data, pos, end)
        target, pos = read_heap_type(data, pos, end)
        return (flags, label, source, target), pos
    if kind == IMM_ZERO:
        return (0,), read_zero_byte(data, pos, end)
    return _read_vector(data, pos, end, kind)


def _read_block_type(data: bytes, pos: int, end: int) -> tuple[int, int]:
    byte, after = read_byte(data, pos, end)
    if byte == EMPTY_BLOCK:
        return -EMPTY_BLOCK, after
    if byte in ONE_BYTE_CODES or byte in (REF_PREFIX, REF_NULL_PREFIX):
        code, after = read_value_type(data, pos, end)
        return -code, after
    index, after = read_s33(data, pos, end)
    if index < 0:
        raise MalformedError("malformed value type", pos)
    return index, after


def _read_vector(data: bytes, pos: int, end: int, kind: int) -> tuple[tuple[int, ...], int]:
    items: list[int] = []
    if kind == IMM_BLOCK_CATCHES:
        block_type, pos = _read_block_type(data, pos, end)
        items.append(block_type)
    start = pos
    count, pos = read_u32(data, pos, end)
    if count > end - pos:
        raise MalformedError("unexpected end", start)
    if kind == IMM_LABEL_TABLE:
        for _ in range(count + 1):
            label, pos = read_u32(data, pos, end)
            items.append(label)
    elif kind == IMM_SELECT_TYPES:
        for _ in range(count):
            code, pos = read_value_type(data, pos, end)
            items.append(code)
    elif kind == IMM_BLOCK_CATCHES:
        for _ in range(count):
            clause, tag, label, pos = read_catch(data, pos, end)
            items += (clause, tag, label)
    else:
        raise AssertionError(f"unknown kind of immediate {kind}")
    return tuple(items), pos


def read_catch(data: bytes, pos: int, end: int) -> tuple[int, int, int, int]:
    """A catch clause of try_table: its kind, tag (0 if it has none) and label, and the position after it."""
    clause, after = read_byte(data, pos, end)
    if clause > CATCH_ALL_REF:
        raise MalformedError("malformed catch clause", pos)
    tag = 0
    if clause < CATCH_ALL:
        tag, after = read_u32(data, after, end)
    label, after = read_u32(data, after, end)
    return clause, tag, label, after


def write_opcode(opcode: int) -> bytes:
    """An opcode, numbered as in `opcodes`, in the binary format."""
    return bytes([opcode]) if opcode <= 0xFF else bytes([opcode >> 12]) + unsigned(opcode & 0xFFF)


def write_heap_type(heap_type: int) -> bytes:
    """A heap type, numbered as for IMM_HEAP_TYPE, in the binary format."""
    return signed(heap_type) if heap_type >= 0 else bytes([-heap_type])


def write_value_type(code: int) -> bytes:
    """The value type with a type code, in the binary format."""
    if code in ONE_BYTE_CODES:
        return bytes([code])
    index = code >> DEFINED_SHIFT
    heap_type = index - 1 if index else -(code & 0xFF)
    return bytes([REF_PREFIX if code & NON_NULL else REF_NULL_PREFIX]) + write_heap_type(heap_type)


def _write_block_type(block_type: int) -> bytes:
    if block_type >= 0:
        return signed(block_type)
    return bytes([EMPTY_BLOCK]) if block_type == -EMPTY_BLOCK else write_value_type(-block_type)


def _write_memarg(align: int, offset: int, memory: int) -> bytes:
    if memory:
        return unsigned(align | 0x40) + unsigned(memory) + unsigned(offset)
    return unsigned(align) + unsigned(offset)


def write_immediates(kind: int, values: tuple[int, ...]) -> bytes:
    """Immediates of a kind in the binary format: what `read_immediates` gives these values for."""
    if kind in _ONE_INDEX or kind in _TWO_INDICES:
        return b"".join([unsigned(value) for value in values])
    if kind in _FIXED_SIZE:
        return values[0].to_bytes(_FIXED_SIZE[kind], "little")
    if kind == IMM_BLOCK:
        return _write_block_type(values[0])
    if kind in (IMM_I32, IMM_I64):
        return signed(values[0])
    if kind == IMM_MEMARG:
        return _write_memarg(values[0], values[1], values[2])
    if kind == IMM_MEMARG_LANE:
        return _write_memarg(values[0], values[1], values[2]) + bytes([values[3]])
    if kind in (IMM_LANE, IMM_SHUFFLE, IMM_ZERO):
        return bytes(values)
    if kind in (IMM_HEAP_TYPE, IMM_REF_TYPE):
        return write_heap_type(values[0])
    if kind == IMM_CAST_LABEL:
        flags, label, source, target = values
        return bytes([flags]) + unsigned(label) + write_heap_type(source) + write_heap_type(target)
    if kind == IMM_LABEL_TABLE:
        return unsigned(len(values) - 1) + b"".join([unsigned(label) for label in values])
    if kind == IMM_SELECT_TYPES:
        return unsigned(len(values)) + b"".join([write_value_type(code) for code in values])
    if kind == IMM_BLOCK_CATCHES:
        parts = [_write_block_type(values[0]), unsigned(len(values) // 3)]
        for at in range(1, len(values), 3):
            clause, tag, label = values[at : at + 3]
            parts.append(bytes([clause]))
            if clause < CATCH_ALL:
                parts.append(unsigned(tag))
            parts.append(unsigned(label))
        return b"".join(parts)
    assert kind == IMM_NONE
    return b""
