"""Validation of the instructions that are too rare for the body validator's loop, SIMD included.

Every handler gets the body's state and the position after the opcode (or after the prefix byte), pops and pushes
operand types, and returns the position after the immediates.
"""

from __future__ import annotations

from collections.abc import Callable

from wasm_core import opcodes as op
from wasm_core.errors import InvalidError, MalformedError, Unsupported
from wasm_core.immediates import read_byte, read_zero_byte
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
from wasm_core.leb128 import read_u32, read_unsigned
from wasm_core.operand_stack import check, pop, pop_all, pop_any
from wasm_core.reader import switched_off
from wasm_core.type_codes import EXNREF, FUNCREF, I32, I64, NON_NULL, UNKNOWN, UNKNOWN_REF, type_name
from wasm_core.validation_context import ValidationContext, is_reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: What `catch_ref` gives besides the values of the exception.
_CAUGHT: Final = EXNREF | NON_NULL


class BodyState:
    """What handlers share with the validator's loop about one body."""

    __slots__ = ("code", "context", "end", "labels", "never_null", "results", "stack", "written_tables")

    def __init__(
        self, context: ValidationContext, code: bytes, stack: list[int], labels: list[list[int]], results: list[int]
    ) -> None:
        self.context: Final = context
        #: The code entry; positions are relative to its start.
        self.code: Final = code
        self.end: Final = len(code)
        self.stack: Final = stack
        #: What a branch to each construct in scope takes, innermost last.
        self.labels: Final = labels
        #: Results of the function.
        self.results: Final = results
        #: See BodyFacts.never_null.
        self.never_null: Final[set[int]] = set()
        #: See BodyFacts.written_tables.
        self.written_tables: Final[set[int]] = set()

    def pop(self, expected: int, at: int) -> None:
        """Pop one operand of type `expected`."""
        pop(self.context, self.stack, expected, at)

    def pop_all(self, types: list[int], at: int) -> None:
        """Pop operands of these types, the last one first."""
        size = len(types)
        if size and self.stack[-size:] == types:
            del self.stack[-size:]
        else:
            pop_all(self.context, self.stack, types, at)

    def pop_reference(self, at: int) -> int:
        """Pop a reference; its type, UNKNOWN_REF in unreachable code."""
        found = pop_any(self.stack, at)
        if found == UNKNOWN:
            return UNKNOWN_REF
        if not is_reference(found):
            raise InvalidError(f"type mismatch: expected a reference, found {type_name(found)}", at)
        if found & NON_NULL:
            self.never_null.add(at)
        return found

    def label(self, index: int, at: int) -> list[int]:
        """What a branch to label `index` takes."""
        if index >= len(self.labels):
            raise InvalidError(f"unknown label {index}", at)
        return self.labels[-1 - index]


def narrower(left: int, right: int) -> int:
    """The type of lengths that are in two memories or tables with these types of addresses."""
    return I64 if left == right == I64 else I32


def table_type(context: ValidationContext, index: int, at: int) -> int:
    """The element type of a table."""
    if index >= len(context.tables):
        raise InvalidError(f"unknown table {index}", at)
    return context.tables[index]


def segment_type(context: ValidationContext, index: int, at: int) -> int:
    """The type of an element segment."""
    if index >= len(context.elements):
        raise InvalidError(f"unknown elem segment {index}", at)
    return context.elements[index]


def _address_type(context: ValidationContext, memory: int, at: int) -> int:
    if memory >= len(context.address_types):
        raise InvalidError(f"unknown memory {memory}", at)
    return context.address_types[memory]


def check_data(context: ValidationContext, index: int, at: int) -> None:
    """Check that there is a data segment with an index."""
    if context.data_count is None:
        raise MalformedError("data count section required", at)
    if index >= context.data_count:
        raise InvalidError(f"unknown data segment {index}", at)


def check_offset(context: ValidationContext, code: bytes, pos: int, address_type: int, at: int) -> int:
    """Check the offset of a memory access, at `pos`; the position after it."""
    if not context.features.memory64:
        return read_u32(code, pos, len(code))[1]
    offset, pos = read_unsigned(code, pos, len(code), 64)
    if address_type != I64 and offset >> 32:
        raise InvalidError("offset out of range", at)
    return pos


def check_memarg(context: ValidationContext, code: bytes, pos: int, max_align: int, at: int) -> tuple[int, int, int]:
    """Check alignment, memory and offset; the position after them, the type of addresses, the alignment exponent."""
    start = pos
    align, pos = read_u32(code, pos, len(code))
    memory = 0
    if align >= 0x40:
        if align >= 0x80:
            raise MalformedError("malformed memop flags", start)
        if not context.features.multi_memory:
            raise switched_off("a memory index", "multi_memory", start)
        align &= 0x3F
        memory, pos = read_u32(code, pos, len(code))
    elif align >= 32 and not context.features.multi_memory:
        raise MalformedError("malformed memop flags", start)
    if align > max_align:
        raise InvalidError("alignment must not be larger than natural", at)
    address_type = _address_type(context, memory, at)
    return check_offset(context, code, pos, address_type, at), address_type, align


def _memory_index(state: BodyState, pos: int) -> tuple[int, int]:
    """A memory immediate; before there were several memories it had to be zero."""
    if not state.context.features.multi_memory:
        return 0, read_zero_byte(state.code, pos, state.end)
    return read_u32(state.code, pos, state.end)


def _table_index(state: BodyState, pos: int) -> tuple[int, int]:
    """The table immediate of call_indirect; before reference types it had to be zero."""
    if not state.context.features.reference_types:
        return 0, read_zero_byte(state.code, pos, state.end)
    return read_u32(state.code, pos, state.end)


# Calls.


def _pop_callee(state: BodyState, pos: int) -> tuple[list[int], list[int], int]:
    """The immediates and the index of call_indirect; parameters, results, and the position after the immediates."""
    at = pos - 1
    context = state.context
    index, pos = read_u32(state.code, pos, state.end)
    table, pos = _table_index(state, pos)
    element = table_type(context, table, at)
    if element != FUNCREF and not context.matches(element, FUNCREF):
        raise InvalidError("type mismatch: call_indirect needs a table of funcref", at)
    signature = context.signature(index, at)
    state.pop(context.table_address_types[table], at)
    return signature.params, signature.results, pos


def _call_indirect(state: BodyState, pos: int) -> int:
    at = pos - 1
    params, results, pos = _pop_callee(state, pos)
    state.pop_all(params, at)
    state.stack.extend(results)
    return pos


def _return_call_indirect(state: BodyState, pos: int) -> int:
    at = pos - 1
    params, results, pos = _pop_callee(state, pos)
    state.pop_all(params, at)
    _check_returned(state, results, at)
    return pos


def _call_ref(state: BodyState, pos: int) -> int:
    at = pos - 1
    index, pos = read_u32(state.code, pos, state.end)
    signature = state.context.signature(index, at)
    if state.stack and state.stack[-1] & NON_NULL:
        state.never_null.add(at)
    state.pop(state.context.reference_to(index, at), at)
    state.pop_all(signature.params, at)
    state.stack.extend(signature.results)
    return pos


def _return_call_ref(state: BodyState, pos: int) -> int:
    at = pos - 1
    index, pos = read_u32(state.code, pos, state.end)
    signature = state.context.signature(index, at)
    if state.stack and state.stack[-1] & NON_NULL:
        state.never_null.add(at)
    state.pop(state.context.reference_to(index, at), at)
    state.pop_all(signature.params, at)
    _check_returned(state, signature.results, at)
    return pos


def _return_call(state: BodyState, pos: int) -> int:
    at = pos - 1
    functions = state.context.functions
    index, pos = read_u32(state.code, pos, state.end)
    if index >= len(functions):
        raise InvalidError(f"unknown function {index}", at)
    state.pop_all(functions[index].params, at)
    _check_returned(state, functions[index].results, at)
    return pos


def _check_returned(state: BodyState, types: list[int], at: int) -> None:
    """Check that what a tail call gives is what the function gives."""
    if not all_match(state.context, types, state.results):
        raise InvalidError("type mismatch: the callee's results are not those of the function", at)


def all_match(context: ValidationContext, found: list[int], expected: list[int]) -> bool:
    """Whether operands of the types `found` may stand where `expected` are wanted."""
    if found == expected:
        return True
    if len(found) != len(expected):
        return False
    for number, code in enumerate(found):
        if code != expected[number] and not context.matches(code, expected[number]):
            return False
    return True


# Operands.


def _select_typed(state: BodyState, pos: int) -> int:
    at = pos - 1
    count, pos = read_u32(state.code, pos, state.end)
    if count != 1:
        raise InvalidError("invalid result arity", at)
    code, pos = state.context.read_value_type(state.code, pos)
    state.pop_all([code, code, I32], at)
    state.stack.append(code)
    return pos


# References.


def _ref_null(state: BodyState, pos: int) -> int:
    code, pos = state.context.read_reference(state.code, pos, nullable=True)
    state.stack.append(code)
    return pos


def _ref_is_null(state: BodyState, pos: int) -> int:
    state.pop_reference(pos - 1)
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
    state.stack.append(context.function_reference(index))
    return pos


def _ref_as_non_null(state: BodyState, pos: int) -> int:
    state.stack.append(state.pop_reference(pos - 1) | NON_NULL)
    return pos


def _br_on_null(state: BodyState, pos: int) -> int:
    at = pos - 1
    index, pos = read_u32(state.code, pos, state.end)
    types = state.label(index, at)
    found = state.pop_reference(at)
    state.pop_all(types, at)
    state.stack.extend(types)
    state.stack.append(found | NON_NULL)
    return pos


def _br_on_non_null(state: BodyState, pos: int) -> int:
    at = pos - 1
    index, pos = read_u32(state.code, pos, state.end)
    types = state.label(index, at)
    state.stack.append(state.pop_reference(at) | NON_NULL)
    if not types or not is_reference(types[-1]):
        raise InvalidError("type mismatch: br_on_non_null needs a label that takes a reference", at)
    state.pop_all(types, at)
    state.stack.extend(types)
    state.stack.pop()
    return pos


# Exceptions.


def _tag(state: BodyState, index: int, at: int) -> list[int]:
    """What an exception with a tag carries."""
    if index >= len(state.context.tags):
        raise InvalidError(f"unknown tag {index}", at)
    return state.context.tags[index].params


def _throw(state: BodyState, pos: int) -> int:
    at = pos - 1
    index, pos = read_u32(state.code, pos, state.end)
    state.pop_all(_tag(state, index, at), at)
    return pos


def _throw_ref(state: BodyState, pos: int) -> int:
    state.pop(EXNREF, pos - 1)
    return pos


def begin_catch(state: BodyState, pos: int) -> int:
    """The immediate of a legacy `catch`, which pushes what the exception carries."""
    at = pos - 1
    index, pos = read_u32(state.code, pos, state.end)
    state.stack.extend(_tag(state, index, at))
    return pos


def check_catches(state: BodyState, pos: int, at: int) -> int:
    """The catch clauses of try_table, which branch to labels around it."""
    from wasm_core.immediates import read_catch
    from wasm_core.instructions import CATCH_ALL, CATCH_ALL_REF, CATCH_REF

    count, pos = read_u32(state.code, pos, state.end)
    if count > state.end - pos:
        raise MalformedError("unexpected end of section or function", at)
    for _ in range(count):
        clause, tag, label, pos = read_catch(state.code, pos, state.end)
        types: list[int] = []
        if clause < CATCH_ALL:
            types = list(_tag(state, tag, at))
        if clause in (CATCH_REF, CATCH_ALL_REF):
            types.append(_CAUGHT)
        if not all_match(state.context, types, state.label(label, at)):
            raise InvalidError("type mismatch: the label of a catch clause takes other operands", at)
    return pos


# Memories and tables.


def _memory_size(state: BodyState, pos: int) -> int:
    at = pos - 1
    memory, pos = _memory_index(state, pos)
    state.stack.append(_address_type(state.context, memory, at))
    return pos


def _memory_grow(state: BodyState, pos: int) -> int:
    at = pos - 1
    memory, pos = _memory_index(state, pos)
    address = _address_type(state.context, memory, at)
    state.pop(address, at)
    state.stack.append(address)
    return pos


def _memory_fill(state: BodyState, pos: int, at: int) -> int:
    memory, pos = _memory_index(state, pos)
    address = _address_type(state.context, memory, at)
    state.pop_all([address, I32, address], at)
    return pos


def _memory_copy(state: BodyState, pos: int, at: int) -> int:
    target, pos = _memory_index(state, pos)
    source, pos = _memory_index(state, pos)
    to = _address_type(state.context, target, at)
    origin = _address_type(state.context, source, at)
    state.pop_all([to, origin, narrower(to, origin)], at)
    return pos


def _memory_init(state: BodyState, pos: int, at: int) -> int:
    segment, pos = read_u32(state.code, pos, state.end)
    memory, pos = _memory_index(state, pos)
    address = _address_type(state.context, memory, at)
    check_data(state.context, segment, at)
    state.pop_all([address, I32, I32], at)
    return pos


def _data_drop(state: BodyState, pos: int, at: int) -> int:
    segment, pos = read_u32(state.code, pos, state.end)
    check_data(state.context, segment, at)
    return pos


def _table_get(state: BodyState, pos: int) -> int:
    at = pos - 1
    index, pos = read_u32(state.code, pos, state.end)
    element = table_type(state.context, index, at)
    state.pop(state.context.table_address_types[index], at)
    state.stack.append(element)
    return pos


def _table_set(state: BodyState, pos: int) -> int:
    at = pos - 1
    index, pos = read_u32(state.code, pos, state.end)
    element = table_type(state.context, index, at)
    state.pop_all([state.context.table_address_types[index], element], at)
    state.written_tables.add(index)
    return pos


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


def _prefixed(state: BodyState, pos: int) -> int:
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
        raise disabled(instruction, at)
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


def _gc(state: BodyState, pos: int) -> int:
    """The instructions with prefix 0xFB, whose validator is imported by the first of them."""
    from wasm_core.gc_instructions import validate_gc

    HANDLERS[0xFB] = validate_gc
    return validate_gc(state, pos)


def disabled(instruction: Instruction, at: int) -> Unsupported:
    """The error for an instruction of a feature that is switched off."""
    return switched_off(instruction.name, instruction.feature, at)


def check_br_table(state: BodyState, pos: int) -> int:
    """Check a br_table against the operand types of the labels in scope."""
    at = pos - 1
    code = state.code
    end = state.end
    stack = state.stack
    labels = state.labels
    depth = len(labels)
    state.pop(I32, at)
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
            check(state.context, stack, types, at)
    return pos


#: By opcode: instructions of memories and tables with a prefix. They get the position of the opcode besides.
_BULK_HANDLERS: Final[dict[int, Callable[[BodyState, int, int], int]]] = {
    op.MEMORY_INIT: _memory_init,
    op.DATA_DROP: _data_drop,
    op.MEMORY_COPY: _memory_copy,
    op.MEMORY_FILL: _memory_fill,
    op.TABLE_INIT: _table_init,
    op.ELEM_DROP: _elem_drop,
    op.TABLE_COPY: _table_copy,
    op.TABLE_GROW: _table_grow,
    op.TABLE_SIZE: _table_size,
    op.TABLE_FILL: _table_fill,
}

#: By first byte.
HANDLERS: Final[dict[int, Callable[[BodyState, int], int]]] = {
    op.CALL_INDIRECT: _call_indirect,
    op.RETURN_CALL: _return_call,
    op.RETURN_CALL_INDIRECT: _return_call_indirect,
    op.CALL_REF: _call_ref,
    op.RETURN_CALL_REF: _return_call_ref,
    op.THROW: _throw,
    op.THROW_REF: _throw_ref,
    op.SELECT_T: _select_typed,
    op.TABLE_GET: _table_get,
    op.TABLE_SET: _table_set,
    op.MEMORY_SIZE: _memory_size,
    op.MEMORY_GROW: _memory_grow,
    op.REF_NULL: _ref_null,
    op.REF_IS_NULL: _ref_is_null,
    op.REF_FUNC: _ref_func,
    op.REF_AS_NON_NULL: _ref_as_non_null,
    op.BR_ON_NULL: _br_on_null,
    op.BR_ON_NON_NULL: _br_on_non_null,
    0xFB: _gc,
    0xFC: _prefixed,
    0xFD: _prefixed,
    0xFE: _prefixed,
}
