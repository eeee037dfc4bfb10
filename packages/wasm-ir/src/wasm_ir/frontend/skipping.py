"""Passing over code that cannot run."""

from __future__ import annotations

from typing import Final

from wasm_core import instructions as table
from wasm_core import opcodes as wasm
from wasm_core.leb128 import read_u32

# What follows an opcode: nothing, some LEB128 integers, some bytes, or a special case.
_NOTHING: Final = 0
_ONE_LEB: Final = 1
_TWO_LEBS: Final = 2
_FOUR_BYTES: Final = 3
_EIGHT_BYTES: Final = 4
_LABELS: Final = 5
_TYPES: Final = 6
_OPEN: Final = 7
_ELSE: Final = 8
_END: Final = 9
_PREFIX: Final = 10
_SIXTEEN_BYTES: Final = 11
_THREE_LEBS: Final = 12

_SHAPE_OF_IMMEDIATE: Final[dict[int, int]] = {
    table.IMM_NONE: _NOTHING,
    table.IMM_BLOCK: _OPEN,
    table.IMM_LABEL: _ONE_LEB,
    table.IMM_LABEL_TABLE: _LABELS,
    table.IMM_FUNC: _ONE_LEB,
    table.IMM_TYPE_TABLE: _TWO_LEBS,
    table.IMM_LOCAL: _ONE_LEB,
    table.IMM_GLOBAL: _ONE_LEB,
    table.IMM_TABLE: _ONE_LEB,
    table.IMM_MEMARG: _TWO_LEBS,
    table.IMM_I32: _ONE_LEB,
    table.IMM_I64: _ONE_LEB,
    table.IMM_F32: _FOUR_BYTES,
    table.IMM_F64: _EIGHT_BYTES,
    table.IMM_MEMORY: _ONE_LEB,
    table.IMM_MEMORY_MEMORY: _TWO_LEBS,
    table.IMM_DATA: _ONE_LEB,
    table.IMM_DATA_MEMORY: _TWO_LEBS,
    table.IMM_ELEM: _ONE_LEB,
    table.IMM_ELEM_TABLE: _TWO_LEBS,
    table.IMM_TABLE_TABLE: _TWO_LEBS,
    table.IMM_REF_TYPE: _ONE_LEB,
    table.IMM_SELECT_TYPES: _TYPES,
    table.IMM_V128: _SIXTEEN_BYTES,
    table.IMM_SHUFFLE: _SIXTEEN_BYTES,
    # The number of a lane is below 16.
    table.IMM_LANE: _ONE_LEB,
    table.IMM_MEMARG_LANE: _THREE_LEBS,
}


def _shape(opcode: int) -> int:
    instruction = table.find(opcode)
    return _PREFIX if instruction is None else _SHAPE_OF_IMMEDIATE[instruction.immediate]


_SHAPES: Final[list[int]] = [_shape(byte) for byte in range(256)]
_SHAPES[wasm.ELSE] = _ELSE
_SHAPES[wasm.END] = _END

#: By the number after the prefix 0xFC.
_PREFIXED_SHAPES: Final[list[int]] = [_shape(opcode) for opcode in range(0xFC000, wasm.TABLE_FILL + 1)]


def skip_unreachable(source: bytes, pos: int) -> int:
    """The position of the `else` or `end` that ends the code at `pos`, past all constructs inside it."""
    depth = 0
    while True:
        opcode = source[pos]
        shape = _SHAPES[opcode]
        pos += 1
        if shape == _PREFIX:
            number, pos = read_u32(source, pos, len(source))
            if opcode == 0xFD:
                # Seldom, and a table would have to be made of all of them.
                shape = _shape(0xFD000 | number)
            else:
                shape = _PREFIXED_SHAPES[number]
        if shape == _NOTHING:
            continue
        if shape == _ONE_LEB:
            count = 1
        elif shape == _TWO_LEBS:
            count = 2
        elif shape == _OPEN:
            depth += 1
            count = 1
        elif shape == _END:
            if depth == 0:
                return pos - 1
            depth -= 1
            continue
        elif shape == _ELSE:
            if depth == 0:
                return pos - 1
            continue
        elif shape == _FOUR_BYTES:
            pos += 4
            continue
        elif shape == _EIGHT_BYTES:
            pos += 8
            continue
        elif shape == _SIXTEEN_BYTES:
            pos += 16
            continue
        elif shape == _THREE_LEBS:
            count = 3
        else:
            # A vector: its length, and for labels one more for the default.
            count = 1 if shape == _LABELS else 0
            shift = 0
            while True:
                byte = source[pos]
                pos += 1
                count += (byte & 0x7F) << shift
                if byte < 0x80:
                    break
                shift += 7
        while count:
            while source[pos] > 0x7F:
                pos += 1
            pos += 1
            count -= 1
