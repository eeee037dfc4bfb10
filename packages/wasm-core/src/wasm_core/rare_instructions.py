"""Validation of the instructions that are too rare for the body validator's loop, but in most modules.

Every handler gets the body's state and the position after the opcode (or after the prefix byte), pops and pushes
operand types, and returns the position after the immediates. Those of others are imported by the first of them.
"""

from __future__ import annotations

from collections.abc import Callable

from wasm_core import opcodes as op
from wasm_core.errors import InvalidError, MalformedError
from wasm_core.leb128 import read_u32, read_unsigned
from wasm_core.operand_stack import check, pop, pop_all, pop_any
from wasm_core.reader import read_zero_byte, switched_off
from wasm_core.type_codes import FUNCREF, I32, I64, NON_NULL, UNKNOWN, UNKNOWN_REF, type_name
from wasm_core.validation_context import ValidationContext, is_reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


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


def _address_type(context: ValidationContext, memory: int, at: int) -> int:
    """The type of a memory's addresses."""
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


def pop_callee(state: BodyState, pos: int) -> tuple[list[int], list[int], int]:
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
    params, results, pos = pop_callee(state, pos)
    state.pop_all(params, at)
    state.stack.extend(results)
    return pos


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


# Memories.


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


def _others(state: BodyState, pos: int) -> int:
    """Instructions of references, tables and exceptions, and tail calls: few programs have any."""
    from wasm_core.reference_instructions import HANDLERS as found

    HANDLERS.update(found)
    return HANDLERS[state.code[pos - 1]](state, pos)


def _prefixed(state: BodyState, pos: int) -> int:
    """Instructions with prefix 0xFC, 0xFD or 0xFE, most of which need the table of instructions."""
    at = pos - 1
    if state.code[at] == 0xFC and state.context.features.bulk_memory:
        number, after = read_u32(state.code, pos, state.end)
        handler = MEMORY_HANDLERS.get(0xFC000 | number) if number <= 0xFFF else None
        if handler is not None:
            return handler(state, after, at)
    from wasm_core.prefixed_instructions import validate_prefixed

    HANDLERS[0xFD] = HANDLERS[0xFE] = validate_prefixed
    return validate_prefixed(state, pos)


def _gc(state: BodyState, pos: int) -> int:
    """The instructions with prefix 0xFB, whose validator is imported by the first of them."""
    from wasm_core.gc_instructions import validate_gc

    HANDLERS[0xFB] = validate_gc
    return validate_gc(state, pos)


#: By opcode: bulk instructions of memories. They get the position of the opcode besides.
MEMORY_HANDLERS: Final[dict[int, Callable[[BodyState, int, int], int]]] = {
    op.MEMORY_INIT: _memory_init,
    op.DATA_DROP: _data_drop,
    op.MEMORY_COPY: _memory_copy,
    op.MEMORY_FILL: _memory_fill,
}

#: By first byte.
HANDLERS: Final[dict[int, Callable[[BodyState, int], int]]] = {
    op.CALL_INDIRECT: _call_indirect,
    op.MEMORY_SIZE: _memory_size,
    op.MEMORY_GROW: _memory_grow,
    **dict.fromkeys((op.RETURN_CALL, op.RETURN_CALL_INDIRECT, op.CALL_REF, op.RETURN_CALL_REF), _others),
    **dict.fromkeys((op.THROW, op.THROW_REF, op.SELECT_T, op.TABLE_GET, op.TABLE_SET), _others),
    **dict.fromkeys((op.REF_NULL, op.REF_IS_NULL, op.REF_FUNC, op.REF_AS_NON_NULL), _others),
    **dict.fromkeys((op.BR_ON_NULL, op.BR_ON_NON_NULL), _others),
    0xFB: _gc,
    **dict.fromkeys((0xFC, 0xFD, 0xFE), _prefixed),
}
