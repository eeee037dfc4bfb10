"""What follows the opcodes of instructions that are seldom in code that cannot run."""

from __future__ import annotations

from wasm_core import instructions as table
from wasm_core.immediates import read_immediates
from wasm_ir.frontend.skipping import (
    ANY,
    EIGHT_BYTES,
    FOUR_BYTES,
    LABELS,
    MEMARG,
    NOTHING,
    ONE_LEB,
    OPEN,
    SIXTEEN_BYTES,
    TRY_TABLE,
    TWO_LEBS,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Kinds of immediates -> what follows the opcode.
_SHAPE_OF_IMMEDIATE: Final[dict[int, int]] = {
    table.IMM_NONE: NOTHING,
    table.IMM_BLOCK: OPEN,
    table.IMM_LABEL: ONE_LEB,
    table.IMM_LABEL_TABLE: LABELS,
    table.IMM_FUNC: ONE_LEB,
    table.IMM_TYPE_TABLE: TWO_LEBS,
    table.IMM_LOCAL: ONE_LEB,
    table.IMM_GLOBAL: ONE_LEB,
    table.IMM_TABLE: ONE_LEB,
    table.IMM_MEMARG: MEMARG,
    table.IMM_I32: ONE_LEB,
    table.IMM_I64: ONE_LEB,
    table.IMM_F32: FOUR_BYTES,
    table.IMM_F64: EIGHT_BYTES,
    table.IMM_MEMORY: ONE_LEB,
    table.IMM_MEMORY_MEMORY: TWO_LEBS,
    table.IMM_DATA: ONE_LEB,
    table.IMM_DATA_MEMORY: TWO_LEBS,
    table.IMM_ELEM: ONE_LEB,
    table.IMM_ELEM_TABLE: TWO_LEBS,
    table.IMM_TABLE_TABLE: TWO_LEBS,
    table.IMM_HEAP_TYPE: ONE_LEB,
    table.IMM_V128: SIXTEEN_BYTES,
    table.IMM_SHUFFLE: SIXTEEN_BYTES,
    # The number of a lane is below 16.
    table.IMM_LANE: ONE_LEB,
    table.IMM_BLOCK_CATCHES: TRY_TABLE,
}


def shape_of(opcode: int) -> int:
    """That of an instruction with a prefix."""
    instruction = table.find(opcode)
    assert instruction is not None
    return _SHAPE_OF_IMMEDIATE.get(instruction.immediate, ANY)


def skip_immediates(source: bytes, pos: int, opcode: int) -> int:
    """The position behind the immediates, at `pos`, of an instruction."""
    instruction = table.find(opcode)
    assert instruction is not None
    return read_immediates(source, pos, len(source), instruction.immediate)[1]
