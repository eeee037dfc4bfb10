"""Passing over code that cannot run."""

from __future__ import annotations

from wasm_core import instructions as table
from wasm_core.immediates import read_immediates
from wasm_core.leb128 import read_u32
from wasm_core.type_codes import REF_NULL_PREFIX, REF_PREFIX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# What follows an opcode: nothing, some LEB128 integers, some bytes, or a special case.
_NOTHING: Final = 0
_ONE_LEB: Final = 1
_TWO_LEBS: Final = 2
_FOUR_BYTES: Final = 3
_EIGHT_BYTES: Final = 4
_LABELS: Final = 5
_MEMARG: Final = 6
_OPEN: Final = 7
_ELSE: Final = 8
_END: Final = 9
_PREFIX: Final = 10
_SIXTEEN_BYTES: Final = 11
#: `catch`, which is to `try` what `else` is to `if`, and has an index.
_CATCH: Final = 12
_DELEGATE: Final = 13
#: try_table, which opens a construct.
_TRY_TABLE: Final = 14
#: What is too rare or too irregular for a shape of its own.
_ANY: Final = 15

#: By byte: what follows from the immediates in the table of instructions, which takes long to read.
#: tests/test_skipping.py has the rules.
# fmt: off
_SHAPES: Final = bytes.fromhex(
    "000007070708070c0f01000901010500010201020f0f0a0a0d0800000f0a0a0e010101010101010a0606060606060606"
    "060606060606060606060606060606010101010304000000000000000000000000000000000000000000000000000000"
    "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "00000000000a0a0a0a0a0a0a0a0a0a0a010001000001010a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"
    "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"
)
# fmt: on
#: The same of the kinds of immediates that instructions with a prefix have.
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
    table.IMM_MEMARG: _MEMARG,
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
    table.IMM_HEAP_TYPE: _ONE_LEB,
    table.IMM_V128: _SIXTEEN_BYTES,
    table.IMM_SHUFFLE: _SIXTEEN_BYTES,
    # The number of a lane is below 16.
    table.IMM_LANE: _ONE_LEB,
    table.IMM_BLOCK_CATCHES: _TRY_TABLE,
}


def _shape(opcode: int) -> int:
    """That of an instruction with a prefix."""
    instruction = table.find(opcode)
    assert instruction is not None
    return _SHAPE_OF_IMMEDIATE.get(instruction.immediate, _ANY)


def skip_unreachable(source: bytes, pos: int) -> int:
    """The position of the `else`, `catch`, `delegate` or `end` that ends the code at `pos`; past constructs in it."""
    depth = 0
    while True:
        opcode = source[pos]
        shape = _SHAPES[opcode]
        pos += 1
        if shape == _PREFIX:
            number, pos = read_u32(source, pos, len(source))
            # Seldom, and a table would have to be made of all of them.
            opcode = opcode << 12 | number
            shape = _shape(opcode)
        if shape == _NOTHING:
            continue
        if shape == _ONE_LEB:
            count = 1
        elif shape == _TWO_LEBS:
            count = 2
        elif shape == _MEMARG:
            # A memory index stands between alignment and offset where the former says so.
            count = 3 if source[pos] & 0x40 else 2
        elif shape == _OPEN:
            depth += 1
            count = 2 if source[pos] == REF_PREFIX or source[pos] == REF_NULL_PREFIX else 1
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
        elif shape == _LABELS:
            # How many there are, and one more for the default.
            count, pos = read_u32(source, pos, len(source))
            count += 1
        elif shape == _CATCH:
            if depth == 0:
                return pos - 1
            count = 1
        elif shape == _DELEGATE:
            if depth == 0:
                return pos - 1
            depth -= 1
            count = 1
        else:
            instruction = table.find(opcode)
            assert instruction is not None
            _, pos = read_immediates(source, pos, len(source), instruction.immediate)
            if shape == _TRY_TABLE:
                depth += 1
            continue
        while count:
            while source[pos] > 0x7F:
                pos += 1
            pos += 1
            count -= 1
