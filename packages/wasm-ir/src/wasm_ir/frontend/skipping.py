"""Passing over code that cannot run."""

from __future__ import annotations

from wasm_core.leb128 import read_u32
from wasm_core.type_codes import REF_NULL_PREFIX, REF_PREFIX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# What follows an opcode: nothing, some LEB128 integers, some bytes, or a special case.
NOTHING: Final = 0
ONE_LEB: Final = 1
TWO_LEBS: Final = 2
FOUR_BYTES: Final = 3
EIGHT_BYTES: Final = 4
LABELS: Final = 5
MEMARG: Final = 6
OPEN: Final = 7
ELSE: Final = 8
END: Final = 9
PREFIX: Final = 10
SIXTEEN_BYTES: Final = 11
#: `catch`, which is to `try` what `else` is to `if`, and has an index.
CATCH: Final = 12
DELEGATE: Final = 13
#: try_table, which opens a construct.
TRY_TABLE: Final = 14
#: What is too rare or too irregular for a shape of its own.
ANY: Final = 15

#: By byte: what follows from the immediates in the table of instructions, which takes long to read.
#: tests/test_skipping.py has the rules.
# fmt: off
SHAPES: Final = bytes.fromhex(
    "000007070708070c0f01000901010500010201020f0f0a0a0d0800000f0a0a0e010101010101010a0606060606060606"
    "060606060606060606060606060606010101010304000000000000000000000000000000000000000000000000000000"
    "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "00000000000a0a0a0a0a0a0a0a0a0a0a010001000001010a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"
    "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"
)
# fmt: on


def skip_unreachable(source: bytes, pos: int) -> int:
    """The position of the `else`, `catch`, `delegate` or `end` that ends the code at `pos`; past constructs in it."""
    depth = 0
    while True:
        opcode = source[pos]
        shape = SHAPES[opcode]
        pos += 1
        if shape == PREFIX:
            number, pos = read_u32(source, pos, len(source))
            # Seldom, and a table would have to be made of all of them.
            from wasm_ir.frontend.immediate_shapes import shape_of

            opcode = opcode << 12 | number
            shape = shape_of(opcode)
        if shape == NOTHING:
            continue
        if shape == ONE_LEB:
            count = 1
        elif shape == TWO_LEBS:
            count = 2
        elif shape == MEMARG:
            # A memory index stands between alignment and offset where the former says so.
            count = 3 if source[pos] & 0x40 else 2
        elif shape == OPEN:
            depth += 1
            count = 2 if source[pos] == REF_PREFIX or source[pos] == REF_NULL_PREFIX else 1
        elif shape == END:
            if depth == 0:
                return pos - 1
            depth -= 1
            continue
        elif shape == ELSE:
            if depth == 0:
                return pos - 1
            continue
        elif shape == FOUR_BYTES:
            pos += 4
            continue
        elif shape == EIGHT_BYTES:
            pos += 8
            continue
        elif shape == SIXTEEN_BYTES:
            pos += 16
            continue
        elif shape == LABELS:
            # How many there are, and one more for the default.
            count, pos = read_u32(source, pos, len(source))
            count += 1
        elif shape == CATCH:
            if depth == 0:
                return pos - 1
            count = 1
        elif shape == DELEGATE:
            if depth == 0:
                return pos - 1
            depth -= 1
            count = 1
        else:
            from wasm_ir.frontend.immediate_shapes import skip_immediates

            pos = skip_immediates(source, pos, opcode)
            if shape == TRY_TABLE:
                depth += 1
            continue
        while count:
            while source[pos] > 0x7F:
                pos += 1
            pos += 1
            count -= 1
