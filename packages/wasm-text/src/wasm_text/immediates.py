"""The immediates of instructions: how each kind of the instruction table is written, and its bytes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final

from wasm_core import instructions as table
from wasm_core.instructions import Instruction
from wasm_text import numbers
from wasm_text.body_reader import BodyReader
from wasm_text.encoding import opcode_bytes, signed, unsigned
from wasm_text.numbers import F32, F64, NumberError
from wasm_text.tokens import LEFT, NUMBER, WORD

#: Lane types of v128.const: number of lanes, bits of one, whether they are floats.
SHAPES: Final = {
    "i8x16": (16, 8, False),
    "i16x8": (8, 16, False),
    "i32x4": (4, 32, False),
    "i64x2": (2, 64, False),
    "f32x4": (4, 32, True),
    "f64x2": (2, 64, True),
}
#: Bit of the alignment that says that a memory index follows.
_HAS_MEMORY: Final = 0x40
_SELECT_WITH_TYPES: Final = b"\x1c"
_OUT_OF_RANGE: Final = "constant out of range"
_CATCHES: Final = {
    "catch": table.CATCH,
    "catch_ref": table.CATCH_REF,
    "catch_all": table.CATCH_ALL,
    "catch_all_ref": table.CATCH_ALL_REF,
}


class Row:
    """An instruction of the table, prepared for reading text."""

    __slots__ = ("access_size", "kind", "name", "null_opcode", "opcode", "read")

    def __init__(self, instruction: Instruction) -> None:
        self.name: Final = instruction.name
        self.kind: Final = instruction.immediate
        self.access_size: Final = instruction.access_size
        self.opcode: Final = opcode_bytes(instruction.opcode)
        #: The opcode of the form for nullable reference types, where that is another one.
        self.null_opcode = b""
        #: Reads what follows the name and gives the whole instruction; None where nothing follows.
        self.read: Callable[[BodyReader, Row], bytes] | None = _READERS.get(instruction.immediate)
        if instruction.name == "select":
            self.read = _read_select


@functools.cache
def rows() -> dict[str, Row]:
    """All instructions by name."""
    found: dict[str, Row] = {}
    for instruction in table.instructions():
        row = found.get(instruction.name)
        if row is None:
            found[instruction.name] = Row(instruction)
        elif instruction.immediate == table.IMM_REF_TYPE:
            row.null_opcode = opcode_bytes(instruction.opcode)
    return found


def read_signed(reader: BodyReader, bits: int) -> int:
    """Read an integer of so many bits, signed or unsigned; returns the signed one."""
    pos = reader.pos
    if reader.kinds[pos] != NUMBER:
        raise reader.unexpected("an integer")
    try:
        value = numbers.signed(reader.word(pos), bits)
    except NumberError:
        raise reader.error(_OUT_OF_RANGE, pos) from None
    if value is None:
        raise reader.unexpected("an integer")
    reader.pos = pos + 1
    return value


def read_float(reader: BodyReader, bits: int) -> int:
    """Read a float of so many bits; returns its bits."""
    pos = reader.pos
    kind = reader.kinds[pos]
    if kind != NUMBER and kind != WORD:
        raise reader.unexpected("a number")
    try:
        value = F32.read(reader.word(pos)) if bits == 32 else F64.read(reader.word(pos))
    except NumberError:
        raise reader.error(_OUT_OF_RANGE, pos) from None
    if value is None:
        raise reader.unexpected("a number")
    reader.pos = pos + 1
    return value


def count_literals(reader: BodyReader) -> int:
    """How many number literals come next."""
    pos = reader.pos
    while True:
        kind = reader.kinds[pos]
        if kind != NUMBER and not (kind == WORD and reader.text.startswith(("nan", "inf"), reader.starts[pos])):
            return pos - reader.pos
        pos += 1


def check_lanes(reader: BodyReader, lanes: int) -> None:
    """Check that so many number literals come next."""
    found = count_literals(reader)
    if found != lanes:
        at = reader.pos
        reader.pos += found
        error = reader.unexpected()
        # What looks like a literal and is none comes first.
        if not error.message.startswith("unknown operator"):
            error = reader.error("wrong number of lane literals", at, str(lanes))
        raise error


def read_shape(reader: BodyReader) -> tuple[int, int, bool]:
    """Read a lane shape: number of lanes, bits of one, whether they are floats."""
    shape = SHAPES.get(reader.word(reader.pos))
    if shape is None:
        raise reader.unexpected(f"one of {', '.join(SHAPES)}")
    reader.pos += 1
    return shape


def read_v128(reader: BodyReader) -> bytes:
    """Read a lane shape and the lanes."""
    lanes, bits, floats = read_shape(reader)
    check_lanes(reader, lanes)
    out = bytearray()
    if floats:
        for _ in range(lanes):
            out += read_float(reader, bits).to_bytes(bits >> 3, "little")
    else:
        for _ in range(lanes):
            out += read_signed(reader, bits).to_bytes(bits >> 3, "little", signed=True)
    return bytes(out)


# Readers of each kind.


def _read_select(reader: BodyReader, row: Row) -> bytes:
    if not reader.opens("result"):
        return row.opcode
    types: list[bytes] = []
    reader.types.read_results(reader, types)
    return _SELECT_WITH_TYPES + unsigned(len(types)) + b"".join(types)


def _read_label(reader: BodyReader, row: Row) -> bytes:
    return row.opcode + unsigned(reader.label())


def _read_labels(reader: BodyReader, row: Row) -> bytes:
    labels = [reader.label()]
    while reader.at_index():
        labels.append(reader.label())
    return row.opcode + unsigned(len(labels) - 1) + b"".join([unsigned(label) for label in labels])


def _read_func(reader: BodyReader, row: Row) -> bytes:
    return row.opcode + unsigned(reader.index(reader.spaces.functions))


def _read_local(reader: BodyReader, row: Row) -> bytes:
    return row.opcode + unsigned(reader.index(reader.locals))


def _read_global(reader: BodyReader, row: Row) -> bytes:
    return row.opcode + unsigned(reader.index(reader.spaces.globals))


def _read_tag(reader: BodyReader, row: Row) -> bytes:
    return row.opcode + unsigned(reader.index(reader.spaces.tags))


def _read_type(reader: BodyReader, row: Row) -> bytes:
    return row.opcode + unsigned(reader.index(reader.spaces.types))


def _read_type_table(reader: BodyReader, row: Row) -> bytes:
    chosen = reader.optional_index(reader.spaces.tables)
    return row.opcode + unsigned(reader.types.read_nameless_use(reader)) + unsigned(chosen)


def _read_table(reader: BodyReader, row: Row) -> bytes:
    return row.opcode + unsigned(reader.optional_index(reader.spaces.tables))


def _read_table_table(reader: BodyReader, row: Row) -> bytes:
    if not reader.at_index():
        return row.opcode + b"\0\0"
    target = reader.index(reader.spaces.tables)
    return row.opcode + unsigned(target) + unsigned(reader.index(reader.spaces.tables))


def _read_memory(reader: BodyReader, row: Row) -> bytes:
    return row.opcode + unsigned(reader.optional_index(reader.spaces.memories))


def _read_memory_memory(reader: BodyReader, row: Row) -> bytes:
    if not reader.at_index():
        return row.opcode + b"\0\0"
    target = reader.index(reader.spaces.memories)
    return row.opcode + unsigned(target) + unsigned(reader.index(reader.spaces.memories))


def _two_indices_follow(reader: BodyReader) -> bool:
    if not reader.at_index():
        return False
    reader.pos += 1
    second = reader.at_index()
    reader.pos -= 1
    return second


def _read_elem_table(reader: BodyReader, row: Row) -> bytes:
    chosen = reader.index(reader.spaces.tables) if _two_indices_follow(reader) else 0
    return row.opcode + unsigned(reader.index(reader.spaces.elements)) + unsigned(chosen)


def _read_elem(reader: BodyReader, row: Row) -> bytes:
    return row.opcode + unsigned(reader.index(reader.spaces.elements))


def _read_data_memory(reader: BodyReader, row: Row) -> bytes:
    reader.needs_data_count = True
    chosen = reader.index(reader.spaces.memories) if _two_indices_follow(reader) else 0
    return row.opcode + unsigned(reader.index(reader.spaces.data)) + unsigned(chosen)


def _read_data(reader: BodyReader, row: Row) -> bytes:
    reader.needs_data_count = True
    return row.opcode + unsigned(reader.index(reader.spaces.data))


def _read_option(reader: BodyReader, name: str) -> int:
    """Read `name=number`; -1 if it is not there."""
    pos = reader.pos
    start = reader.starts[pos]
    if reader.kinds[pos] != WORD or not reader.text.startswith(name, start):
        return -1
    word = reader.text[start + len(name) : reader.ends[pos]]
    try:
        value = numbers.unsigned(word, 64) if word else None
    except NumberError:
        raise reader.error(f"{name[:-1]} out of range", pos) from None
    if value is None:
        raise reader.unexpected()
    reader.pos = pos + 1
    return value


def _memory_access(reader: BodyReader, row: Row, memory: int) -> bytes:
    offset = 0
    align = row.access_size
    if reader.kinds[reader.pos] == WORD:
        offset = max(0, _read_option(reader, "offset="))
        at = reader.pos
        given = _read_option(reader, "align=")
        if given >= 0:
            align = given
            if not align or align & (align - 1):
                raise reader.error("alignment must be a power of two", at)
    exponent = align.bit_length() - 1
    if memory:
        return row.opcode + unsigned(exponent | _HAS_MEMORY) + unsigned(memory) + unsigned(offset)
    return row.opcode + unsigned(exponent) + unsigned(offset)


def _read_memarg(reader: BodyReader, row: Row) -> bytes:
    memory = reader.optional_index(reader.spaces.memories)
    return _memory_access(reader, row, memory)


def _read_memarg_lane(reader: BodyReader, row: Row) -> bytes:
    memory = 0
    # A single number is the lane.
    if reader.at_index() and (reader.kinds[reader.pos] != NUMBER or _more_follows(reader)):
        memory = reader.index(reader.spaces.memories)
    return _memory_access(reader, row, memory) + bytes([_lane(reader)])


def _more_follows(reader: BodyReader) -> bool:
    """Whether a number or an option follows the next token."""
    after = reader.pos + 1
    kind = reader.kinds[after]
    return kind == NUMBER or (kind == WORD and reader.text.startswith(("offset=", "align="), reader.starts[after]))


def _lane(reader: BodyReader) -> int:
    """Read a lane index; which lanes there are is for the validator to say."""
    if reader.kinds[reader.pos] != NUMBER:
        raise reader.unexpected("a lane index")
    return reader.unsigned(8)


def _read_lane(reader: BodyReader, row: Row) -> bytes:
    return row.opcode + bytes([_lane(reader)])


def _read_shuffle(reader: BodyReader, row: Row) -> bytes:
    if count_literals(reader) != 16:
        raise reader.error("invalid lane length", reader.pos, "16 lane indices")
    lanes = []
    for _ in range(16):
        value = numbers.integer(reader.word(reader.pos))
        if value is None or not 0 <= value < 256:
            raise reader.error("i8 constant out of range", reader.pos, "a lane index")
        lanes.append(_lane(reader))
    return row.opcode + bytes(lanes)


def _read_i32(reader: BodyReader, row: Row) -> bytes:
    return row.opcode + signed(read_signed(reader, 32))


def _read_i64(reader: BodyReader, row: Row) -> bytes:
    return row.opcode + signed(read_signed(reader, 64))


def _read_f32(reader: BodyReader, row: Row) -> bytes:
    return row.opcode + read_float(reader, 32).to_bytes(4, "little")


def _read_f64(reader: BodyReader, row: Row) -> bytes:
    return row.opcode + read_float(reader, 64).to_bytes(8, "little")


def _read_v128(reader: BodyReader, row: Row) -> bytes:
    return row.opcode + read_v128(reader)


def _read_heap_type(reader: BodyReader, row: Row) -> bytes:
    return row.opcode + reader.types.read_heap_type(reader)


def _read_ref_type(reader: BodyReader, row: Row) -> bytes:
    null, heap_type = reader.types.read_reference_parts(reader)
    return (row.null_opcode if null else row.opcode) + heap_type


def _read_cast_label(reader: BodyReader, row: Row) -> bytes:
    label = unsigned(reader.label())
    source_null, source = reader.types.read_reference_parts(reader)
    target_null, target = reader.types.read_reference_parts(reader)
    return row.opcode + bytes([source_null | target_null << 1]) + label + source + target


def _read_type_field(reader: BodyReader, row: Row) -> bytes:
    index = reader.index(reader.spaces.types)
    fields = reader.types.fields.get(index)
    if fields is None:
        # Not a structure, which is for the validator to say.
        return row.opcode + unsigned(index) + unsigned(reader.unsigned(32))
    return row.opcode + unsigned(index) + unsigned(reader.index(fields))


def _read_type_count(reader: BodyReader, row: Row) -> bytes:
    index = unsigned(reader.index(reader.spaces.types))
    return row.opcode + index + unsigned(reader.unsigned(32))


def _read_type_data(reader: BodyReader, row: Row) -> bytes:
    reader.needs_data_count = True
    index = unsigned(reader.index(reader.spaces.types))
    return row.opcode + index + unsigned(reader.index(reader.spaces.data))


def _read_type_elem(reader: BodyReader, row: Row) -> bytes:
    index = unsigned(reader.index(reader.spaces.types))
    return row.opcode + index + unsigned(reader.index(reader.spaces.elements))


def _read_type_type(reader: BodyReader, row: Row) -> bytes:
    index = unsigned(reader.index(reader.spaces.types))
    return row.opcode + index + unsigned(reader.index(reader.spaces.types))


def _read_block(reader: BodyReader, row: Row) -> bytes:
    return row.opcode + reader.types.read_block_type(reader)


def _read_block_catches(reader: BodyReader, row: Row) -> bytes:
    block_type = reader.types.read_block_type(reader)
    clauses: list[bytes] = []
    while reader.kinds[reader.pos] == LEFT:
        clause = _CATCHES.get(reader.opened_word())
        if clause is None:
            break
        reader.pos += 2
        tag = unsigned(reader.index(reader.spaces.tags)) if clause < table.CATCH_ALL else b""
        clauses.append(bytes([clause]) + tag + unsigned(reader.label()))
        reader.close()
    return row.opcode + block_type + unsigned(len(clauses)) + b"".join(clauses)


def _read_zero(reader: BodyReader, row: Row) -> bytes:
    return row.opcode + b"\0"


_READERS: Final[dict[int, Callable[[BodyReader, Row], bytes]]] = {
    table.IMM_BLOCK: _read_block,
    table.IMM_LABEL: _read_label,
    table.IMM_LABEL_TABLE: _read_labels,
    table.IMM_FUNC: _read_func,
    table.IMM_TYPE_TABLE: _read_type_table,
    table.IMM_LOCAL: _read_local,
    table.IMM_GLOBAL: _read_global,
    table.IMM_TABLE: _read_table,
    table.IMM_MEMARG: _read_memarg,
    table.IMM_I32: _read_i32,
    table.IMM_I64: _read_i64,
    table.IMM_F32: _read_f32,
    table.IMM_F64: _read_f64,
    table.IMM_V128: _read_v128,
    table.IMM_LANE: _read_lane,
    table.IMM_SHUFFLE: _read_shuffle,
    table.IMM_MEMARG_LANE: _read_memarg_lane,
    table.IMM_MEMORY: _read_memory,
    table.IMM_MEMORY_MEMORY: _read_memory_memory,
    table.IMM_DATA: _read_data,
    table.IMM_DATA_MEMORY: _read_data_memory,
    table.IMM_ELEM: _read_elem,
    table.IMM_ELEM_TABLE: _read_elem_table,
    table.IMM_TABLE_TABLE: _read_table_table,
    table.IMM_HEAP_TYPE: _read_heap_type,
    table.IMM_TAG: _read_tag,
    table.IMM_TYPE: _read_type,
    table.IMM_TYPE_FIELD: _read_type_field,
    table.IMM_TYPE_COUNT: _read_type_count,
    table.IMM_TYPE_DATA: _read_type_data,
    table.IMM_TYPE_ELEM: _read_type_elem,
    table.IMM_TYPE_TYPE: _read_type_type,
    table.IMM_REF_TYPE: _read_ref_type,
    table.IMM_CAST_LABEL: _read_cast_label,
    table.IMM_BLOCK_CATCHES: _read_block_catches,
    table.IMM_ZERO: _read_zero,
}
