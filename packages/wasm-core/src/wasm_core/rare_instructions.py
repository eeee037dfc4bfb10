"""Validation of the instructions that are too rare for the body validator's loop, SIMD included.

Every handler gets the body's state and the position after the opcode (or after the prefix byte), pops and pushes
operand types, and returns the position after the immediates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wasm_core import opcodes as op
from wasm_core.errors import InvalidError, MalformedError
from wasm_core.immediates import read_byte, read_memarg, read_zero_byte
from wasm_core.instructions import (
    IMM_DATA,
    IMM_DATA_MEMORY,
    IMM_ELEM,
    IMM_ELEM_TABLE,
    IMM_LANE,
    IMM_MEMARG,
    IMM_MEMARG_LANE,
    IMM_MEMORY,
    IMM_MEMORY_MEMORY,
    IMM_NONE,
    IMM_SHUFFLE,
    IMM_TABLE,
    IMM_TABLE_TABLE,
    IMM_V128,
    Instruction,
    find,
    is_enabled,
)
from wasm_core.leb128 import read_u32
from wasm_core.operand_stack import check, pop, pop_all, pop_any
from wasm_core.type_codes import EXTERNREF, FUNCREF, I32, UNKNOWN, type_name
from wasm_core.validation_context import ValidationContext


class BodyState:
    """What handlers share with the validator's loop about one body."""

    __slots__ = ("code", "context", "end", "stack")

    def __init__(self, context: ValidationContext, code: bytes, stack: list[int]) -> None:
        self.context: Final = context
        #: The code entry; positions are relative to its start.
        self.code: Final = code
        self.end: Final = len(code)
        self.stack: Final = stack


def _table(context: ValidationContext, index: int, at: int) -> int:
    """The element type of a table."""
    if index >= len(context.tables):
        raise InvalidError(f"unknown table {index}", at)
    return context.tables[index]


def _segment(context: ValidationContext, index: int, at: int) -> int:
    """The type of an element segment."""
    if index >= len(context.elements):
        raise InvalidError(f"unknown elem segment {index}", at)
    return context.elements[index]


def _check_memory(context: ValidationContext, at: int) -> None:
    if not context.has_memory:
        raise InvalidError("unknown memory 0", at)


def _check_data(context: ValidationContext, index: int, at: int) -> None:
    if context.data_count is None:
        raise MalformedError("data count section required", at)
    if index >= context.data_count:
        raise InvalidError(f"unknown data segment {index}", at)


def _table_index(state: BodyState, pos: int) -> tuple[int, int]:
    """The table immediate of call_indirect; before reference types it had to be zero."""
    if not state.context.features.reference_types:
        return 0, read_zero_byte(state.code, pos, state.end)
    return read_u32(state.code, pos, state.end)


def _call_indirect(state: BodyState, pos: int) -> int:
    at = pos - 1
    context = state.context
    index, pos = read_u32(state.code, pos, state.end)
    table, pos = _table_index(state, pos)
    if _table(context, table, at) != FUNCREF:
        raise InvalidError("type mismatch: call_indirect needs a table of funcref", at)
    if index >= len(context.types):
        raise InvalidError(f"unknown type {index}", at)
    signature = context.types[index]
    pop(state.stack, I32, at)
    pop_all(state.stack, signature.params, at)
    state.stack.extend(signature.results)
    return pos


def _select_typed(state: BodyState, pos: int) -> int:
    at = pos - 1
    count, pos = read_u32(state.code, pos, state.end)
    if count != 1:
        raise InvalidError("invalid result arity", at)
    code, pos = read_byte(state.code, pos, state.end)
    if code not in state.context.value_types:
        raise MalformedError("malformed value type", pos - 1)
    pop_all(state.stack, [code, code, I32], at)
    state.stack.append(code)
    return pos


def _table_get(state: BodyState, pos: int) -> int:
    at = pos - 1
    index, pos = read_u32(state.code, pos, state.end)
    element = _table(state.context, index, at)
    pop(state.stack, I32, at)
    state.stack.append(element)
    return pos


def _table_set(state: BodyState, pos: int) -> int:
    at = pos - 1
    index, pos = read_u32(state.code, pos, state.end)
    pop_all(state.stack, [I32, _table(state.context, index, at)], at)
    return pos


def _memory_size(state: BodyState, pos: int) -> int:
    at = pos - 1
    pos = read_zero_byte(state.code, pos, state.end)
    _check_memory(state.context, at)
    state.stack.append(I32)
    return pos


def _memory_grow(state: BodyState, pos: int) -> int:
    at = pos - 1
    pos = read_zero_byte(state.code, pos, state.end)
    _check_memory(state.context, at)
    pop(state.stack, I32, at)
    state.stack.append(I32)
    return pos


def _ref_null(state: BodyState, pos: int) -> int:
    code, after = read_byte(state.code, pos, state.end)
    if code != FUNCREF and code != EXTERNREF:
        raise MalformedError("malformed reference type", pos)
    state.stack.append(code)
    return after


def _ref_is_null(state: BodyState, pos: int) -> int:
    at = pos - 1
    found = pop_any(state.stack, at)
    if found != FUNCREF and found != EXTERNREF and found != UNKNOWN:
        raise InvalidError(f"type mismatch: expected a reference, found {type_name(found)}", at)
    state.stack.append(I32)
    return pos


def _ref_func(state: BodyState, pos: int) -> int:
    at = pos - 1
    context = state.context
    index, pos = read_u32(state.code, pos, state.end)
    if index >= len(context.functions):
        raise InvalidError(f"unknown function {index}", at)
    if index not in context.declared:
        raise InvalidError("undeclared function reference", at)
    state.stack.append(FUNCREF)
    return pos


def _prefixed(state: BodyState, pos: int) -> int:
    """The instructions with prefix 0xFC or 0xFD."""
    at = pos - 1
    prefix = state.code[at]
    number, pos = read_u32(state.code, pos, state.end)
    # A larger number would run into the prefix.
    instruction = find((prefix << 12) | number) if number <= 0xFFF else None
    if instruction is None:
        raise MalformedError(f"illegal opcode {prefix:02x} {number:02x}", at)
    if not is_enabled(instruction, state.context.features):
        raise disabled(instruction, at)
    immediates = pos
    if instruction.immediate != IMM_NONE:
        pos = _check_immediates(state, instruction, pos, at)
    params = instruction.params
    results = instruction.results
    if params is None or results is None:
        table, _ = read_u32(state.code, immediates, state.end)
        _table_grow_or_fill(state, instruction.opcode, state.context.tables[table], at)
        return pos
    stack = state.stack
    for expected in reversed(params):
        if stack[-1] == expected:
            stack.pop()
        else:
            pop(stack, expected, at)
    stack.extend(results)
    return pos


def _table_grow_or_fill(state: BodyState, opcode: int, element: int, at: int) -> None:
    if opcode == op.TABLE_GROW:
        pop_all(state.stack, [element, I32], at)
        state.stack.append(I32)
    else:
        pop_all(state.stack, [I32, element, I32], at)


def _check_immediates(state: BodyState, instruction: Instruction, pos: int, at: int) -> int:
    code = state.code
    end = state.end
    context = state.context
    kind = instruction.immediate
    if kind in (IMM_MEMARG, IMM_MEMARG_LANE):
        align, offset, memory, after = read_memarg(code, pos, end)
        if align >= 32 or memory or offset >> 32:
            raise MalformedError("malformed memop flags", pos)
        pos = after
        _check_memory(context, at)
        if 1 << align > instruction.access_size:
            raise InvalidError("alignment must not be larger than natural", at)
        if kind == IMM_MEMARG_LANE:
            pos = _check_lane(state, instruction, pos, at)
    elif kind == IMM_LANE:
        pos = _check_lane(state, instruction, pos, at)
    elif kind in (IMM_V128, IMM_SHUFFLE):
        if pos + 16 > end:
            raise MalformedError("unexpected end of section or function", end)
        if kind == IMM_SHUFFLE and max(code[pos : pos + 16]) >= instruction.lanes:
            raise InvalidError("invalid lane index", at)
        pos += 16
    elif kind == IMM_MEMORY:
        pos = read_zero_byte(code, pos, end)
        _check_memory(context, at)
    elif kind == IMM_MEMORY_MEMORY:
        pos = read_zero_byte(code, read_zero_byte(code, pos, end), end)
        _check_memory(context, at)
    elif kind == IMM_DATA_MEMORY:
        index, pos = read_u32(code, pos, end)
        pos = read_zero_byte(code, pos, end)
        _check_memory(context, at)
        _check_data(context, index, at)
    elif kind == IMM_DATA:
        index, pos = read_u32(code, pos, end)
        _check_data(context, index, at)
    elif kind == IMM_ELEM:
        index, pos = read_u32(code, pos, end)
        _segment(context, index, at)
    elif kind == IMM_ELEM_TABLE:
        index, pos = read_u32(code, pos, end)
        table, pos = read_u32(code, pos, end)
        if _table(context, table, at) != _segment(context, index, at):
            raise InvalidError("type mismatch: the table and the element segment differ in type", at)
    elif kind == IMM_TABLE_TABLE:
        target, pos = read_u32(code, pos, end)
        source, pos = read_u32(code, pos, end)
        if _table(context, target, at) != _table(context, source, at):
            raise InvalidError("type mismatch: the tables differ in element type", at)
    elif kind == IMM_TABLE:
        index, pos = read_u32(code, pos, end)
        _table(context, index, at)
    else:
        raise AssertionError(f"no rule for the immediate of {instruction.name}")
    return pos


def _check_lane(state: BodyState, instruction: Instruction, pos: int, at: int) -> int:
    lane, pos = read_byte(state.code, pos, state.end)
    if lane >= instruction.lanes:
        raise InvalidError("invalid lane index", at)
    return pos


def disabled(instruction: Instruction, at: int) -> MalformedError:
    """The error for an instruction of a feature that is switched off."""
    return MalformedError(f"illegal opcode: {instruction.name} needs the feature {instruction.feature}", at)


def check_br_table(state: BodyState, pos: int, labels: list[list[int]]) -> int:
    """Check a br_table against the operand types of the labels in scope, innermost last."""
    at = pos - 1
    code = state.code
    end = state.end
    stack = state.stack
    depth = len(labels)
    pop(stack, I32, at)
    count, pos = read_u32(code, pos, end)
    if count >= end - pos:
        raise MalformedError("unexpected end of section or function", at)
    # Labels by depth, each once: a table has many equal ones.
    distinct: set[int] = set()
    label = 0
    for _ in range(count + 1):
        if pos < end and code[pos] < 0x80:
            label = code[pos]
            pos += 1
        else:
            label, pos = read_u32(code, pos, end)
        distinct.add(label)
    if max(distinct) >= depth:
        raise InvalidError(f"unknown label {max(distinct)}", at)
    arity = len(labels[-1 - label])
    # Types are shared lists, so that equal labels cost one check.
    checked: set[int] = set()
    for label in distinct:
        types = labels[-1 - label]
        if id(types) not in checked:
            checked.add(id(types))
            if len(types) != arity:
                raise InvalidError("type mismatch: the labels of br_table take different numbers of operands", at)
            check(stack, types, at)
    return pos


#: By first byte.
HANDLERS: Final[dict[int, Callable[[BodyState, int], int]]] = {
    op.CALL_INDIRECT: _call_indirect,
    op.SELECT_T: _select_typed,
    op.TABLE_GET: _table_get,
    op.TABLE_SET: _table_set,
    op.MEMORY_SIZE: _memory_size,
    op.MEMORY_GROW: _memory_grow,
    op.REF_NULL: _ref_null,
    op.REF_IS_NULL: _ref_is_null,
    op.REF_FUNC: _ref_func,
    0xFC: _prefixed,
    0xFD: _prefixed,
}
