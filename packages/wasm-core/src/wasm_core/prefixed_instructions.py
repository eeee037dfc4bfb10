"""Validation of instructions with a prefix: bulk operations on memories and tables, SIMD, atomics.

Most are typed by the table of instructions.
"""

from __future__ import annotations

from collections.abc import Callable

from wasm_core import opcodes as op
from wasm_core.errors import InvalidError, MalformedError
from wasm_core.instructions import (
    IMM_LANE,
    IMM_MEMARG,
    IMM_MEMARG_LANE,
    IMM_NONE,
    IMM_SHUFFLE,
    IMM_V128,
    IMM_ZERO,
    Instruction,
    find,
    is_enabled,
)
from wasm_core.leb128 import read_u32
from wasm_core.operand_stack import pop
from wasm_core.rare_instructions import MEMORY_HANDLERS, BodyState, check_memarg, narrower, table_type
from wasm_core.reader import read_byte, read_zero_byte, switched_off
from wasm_core.type_codes import I32
from wasm_core.validation_context import ValidationContext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


def segment_type(context: ValidationContext, index: int, at: int) -> int:
    """The type of an element segment."""
    if index >= len(context.elements):
        raise InvalidError(f"unknown elem segment {index}", at)
    return context.elements[index]


# Tables.


def _table_size(state: BodyState, pos: int, at: int) -> int:
    index, pos = read_u32(state.code, pos, state.end)
    table_type(state.context, index, at)
    state.stack.append(state.context.table_address_types[index])
    return pos


def _table_grow(state: BodyState, pos: int, at: int) -> int:
    index, pos = read_u32(state.code, pos, state.end)
    element = table_type(state.context, index, at)
    address = state.context.table_address_types[index]
    state.pop_all([element, address], at)
    state.stack.append(address)
    state.written_tables.add(index)
    return pos


def _table_fill(state: BodyState, pos: int, at: int) -> int:
    index, pos = read_u32(state.code, pos, state.end)
    element = table_type(state.context, index, at)
    address = state.context.table_address_types[index]
    state.pop_all([address, element, address], at)
    state.written_tables.add(index)
    return pos


def _table_copy(state: BodyState, pos: int, at: int) -> int:
    context = state.context
    target, pos = read_u32(state.code, pos, state.end)
    source, pos = read_u32(state.code, pos, state.end)
    expected = table_type(context, target, at)
    found = table_type(context, source, at)
    if found != expected and not context.matches(found, expected):
        raise InvalidError("type mismatch: the tables differ in element type", at)
    to = context.table_address_types[target]
    origin = context.table_address_types[source]
    state.pop_all([to, origin, narrower(to, origin)], at)
    state.written_tables.add(target)
    return pos


def _table_init(state: BodyState, pos: int, at: int) -> int:
    context = state.context
    segment, pos = read_u32(state.code, pos, state.end)
    table, pos = read_u32(state.code, pos, state.end)
    expected = table_type(context, table, at)
    found = segment_type(context, segment, at)
    if found != expected and not context.matches(found, expected):
        raise InvalidError("type mismatch: the table and the element segment differ in type", at)
    state.pop_all([context.table_address_types[table], I32, I32], at)
    state.written_tables.add(table)
    return pos


def _elem_drop(state: BodyState, pos: int, at: int) -> int:
    segment, pos = read_u32(state.code, pos, state.end)
    segment_type(state.context, segment, at)
    return pos


# Prefixes.


def validate_prefixed(state: BodyState, pos: int) -> int:
    """The instructions with prefix 0xFC, 0xFD or 0xFE."""
    at = pos - 1
    instruction, pos = read_prefixed(state, pos)
    handler = _BULK_HANDLERS.get(instruction.opcode)
    if handler is not None:
        return handler(state, pos, at)
    address_type = I32
    kind = instruction.immediate
    if kind in (IMM_MEMARG, IMM_MEMARG_LANE):
        natural = instruction.access_size.bit_length() - 1
        pos, address_type, align = check_memarg(state.context, state.code, pos, natural, at)
        if align != natural and instruction.feature == "threads":
            raise InvalidError("alignment must not be smaller than natural in an atomic access", at)
    if kind != IMM_NONE:
        pos = _check_immediates(state, instruction, pos, at)
    params = instruction.params
    results = instruction.results
    assert params is not None
    assert results is not None
    stack = state.stack
    for number in range(len(params) - 1, -1, -1):
        expected = params[number] if number or kind == IMM_NONE else _first_operand(instruction, address_type)
        if stack[-1] == expected:
            stack.pop()
        else:
            pop(state.context, stack, expected, at)
    stack.extend(results)
    return pos


def _first_operand(instruction: Instruction, address_type: int) -> int:
    """The type of the first operand, which is the address where there is one."""
    if instruction.immediate in (IMM_MEMARG, IMM_MEMARG_LANE):
        return address_type
    assert instruction.params is not None
    return instruction.params[0]


def read_prefixed(state: BodyState, pos: int) -> tuple[Instruction, int]:
    """The instruction whose prefix is before `pos`, and the position after its opcode."""
    at = pos - 1
    prefix = state.code[at]
    number, pos = read_u32(state.code, pos, state.end)
    # A larger number would run into the prefix.
    instruction = find((prefix << 12) | number) if number <= 0xFFF else None
    if instruction is None:
        raise MalformedError(f"illegal opcode {prefix:02x} {number:02x}", at)
    if not is_enabled(instruction, state.context.features):
        raise switched_off(instruction.name, instruction.feature, at)
    return instruction, pos


def _check_immediates(state: BodyState, instruction: Instruction, pos: int, at: int) -> int:
    """What follows the memarg, or the opcode where there is none."""
    kind = instruction.immediate
    if kind in (IMM_LANE, IMM_MEMARG_LANE):
        lane, pos = read_byte(state.code, pos, state.end)
        if lane >= instruction.lanes:
            raise InvalidError("invalid lane index", at)
    elif kind in (IMM_V128, IMM_SHUFFLE):
        if pos + 16 > state.end:
            raise MalformedError("unexpected end of section or function", state.end)
        if kind == IMM_SHUFFLE and max(state.code[pos : pos + 16]) >= instruction.lanes:
            raise InvalidError("invalid lane index", at)
        pos += 16
    elif kind == IMM_ZERO:
        pos = read_zero_byte(state.code, pos, state.end)
    else:
        assert kind == IMM_MEMARG, instruction.name
    return pos


#: By opcode: instructions of tables and memories with a prefix. They get the position of the opcode besides.
_BULK_HANDLERS: Final[dict[int, Callable[[BodyState, int, int], int]]] = {
    **MEMORY_HANDLERS,
    op.TABLE_INIT: _table_init,
    op.ELEM_DROP: _elem_drop,
    op.TABLE_COPY: _table_copy,
    op.TABLE_GROW: _table_grow,
    op.TABLE_SIZE: _table_size,
    op.TABLE_FILL: _table_fill,
}
