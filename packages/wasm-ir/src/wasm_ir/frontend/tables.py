"""Tables: elements, size, growing, and the bulk instructions."""

from __future__ import annotations

from wasm_core.errors import TrapCode
from wasm_core.leb128 import read_u32
from wasm_ir import opcodes as ir
from wasm_ir.frontend.known_tables import known_table
from wasm_ir.frontend.memory import (
    check_range,
    drop_segment,
    move_bytes,
    pop_address,
    pop_range,
    push_size,
    segment_field,
    widened,
)
from wasm_ir.frontend.state import State
from wasm_ir.ir import Inst
from wasm_ir.types import I64, POINTER
from wasm_ir.vmcontext import BUILTIN_TABLE_GROW, TABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_OUT_OF_BOUNDS: Final = TrapCode.TABLE_OUT_OF_BOUNDS.value
#: An element takes 8 bytes.
_ELEMENT_BITS: Final = 3


def _field(s: State, table: int, field: str) -> Inst:
    """A field of a TABLE structure; they change when the table grows."""
    structure = s.context_pointer(s.layout.tables + 8 * table)
    return s.builder.load(ir.LOAD, I64, structure, TABLE[field])


def _element_address(s: State, base: Inst, index: Inst) -> Inst:
    """The address of element `index` (an i64)."""
    builder = s.builder
    scaled = builder.binary(ir.SHL, I64, index, builder.const(I64, _ELEMENT_BITS))
    return builder.binary(ir.IADD, POINTER, base, scaled)


def _checked_address(s: State, table: int, index: Inst, code: int) -> Inst:
    """The address of element `index`; traps with `code` if there is none."""
    builder = s.builder
    wide = widened(s, index)
    known = known_table(s.layout, s.module, table)
    if known is not None:
        builder.trap_if(builder.icmp(ir.GE_U, index, builder.const(index.type, known.size)), code)
        structure = s.context_pointer(s.layout.tables + 8 * table)
        elements = builder.load(ir.LOAD_INVARIANT, POINTER, structure, TABLE["elements"])
        return _element_address(s, elements, wide)
    builder.trap_if(builder.icmp(ir.GE_U, wide, _field(s, table, "size")), code)
    return _element_address(s, _field(s, table, "elements"), wide)


def table_element(s: State, table: int, index: Inst, code: int) -> Inst:
    """Element `index` of a table; traps with `code` if there is none."""
    return s.builder.load(ir.LOAD, POINTER, _checked_address(s, table, index, code), 0)


# Instructions.


def table_get(s: State, pos: int) -> int:
    table, pos = read_u32(s.source, pos, s.end)
    stack = s.stack
    stack[-1] = table_element(s, table, stack[-1], _OUT_OF_BOUNDS)
    return pos


def table_set(s: State, pos: int) -> int:
    table, pos = read_u32(s.source, pos, s.end)
    value = s.stack.pop()
    address = _checked_address(s, table, s.stack.pop(), _OUT_OF_BOUNDS)
    s.builder.store(ir.STORE, address, value, 0)
    return pos


def table_size(s: State, pos: int) -> int:
    table, pos = read_u32(s.source, pos, s.end)
    push_size(s, _field(s, table, "size"), s.module.tables[table].is64)
    return pos


def table_grow(s: State, pos: int) -> int:
    table, pos = read_u32(s.source, pos, s.end)
    builder = s.builder
    count = pop_address(s)
    value = s.stack.pop()
    previous = s.builtin(BUILTIN_TABLE_GROW, builder.const(I64, table), count, value)
    if s.fuel is not None:
        from wasm_ir.frontend.fuel import charge_growth

        charge_growth(s, count, previous)
    push_size(s, previous, s.module.tables[table].is64)
    return pos


def table_init(s: State, pos: int) -> int:
    segment, pos = read_u32(s.source, pos, s.end)
    table, pos = read_u32(s.source, pos, s.end)
    destination, source, length = pop_range(s)
    check_range(s, source, length, segment_field(s, s.layout.elements, segment, "length"), _OUT_OF_BOUNDS, False)
    check_range(s, destination, length, _field(s, table, "size"), _OUT_OF_BOUNDS, s.module.tables[table].is64)
    if s.fuel is not None:
        from wasm_ir.frontend.fuel import charge_bulk

        charge_bulk(s, length)
    _move_elements(
        s,
        _element_address(s, _field(s, table, "elements"), destination),
        _element_address(s, segment_field(s, s.layout.elements, segment, "address"), source),
        length,
    )
    return pos


def elem_drop(s: State, pos: int) -> int:
    segment, pos = read_u32(s.source, pos, s.end)
    drop_segment(s, s.layout.elements, segment)
    return pos


def table_copy(s: State, pos: int) -> int:
    target, pos = read_u32(s.source, pos, s.end)
    origin, pos = read_u32(s.source, pos, s.end)
    destination, source, length = pop_range(s)
    tables = s.module.tables
    check_range(s, source, length, _field(s, origin, "size"), _OUT_OF_BOUNDS, tables[origin].is64)
    check_range(s, destination, length, _field(s, target, "size"), _OUT_OF_BOUNDS, tables[target].is64)
    if s.fuel is not None:
        from wasm_ir.frontend.fuel import charge_bulk

        charge_bulk(s, length)
    _move_elements(
        s,
        _element_address(s, _field(s, target, "elements"), destination),
        _element_address(s, _field(s, origin, "elements"), source),
        length,
    )
    return pos


def _move_elements(s: State, destination: Inst, source: Inst, length: Inst) -> None:
    builder = s.builder
    move_bytes(s, destination, source, builder.binary(ir.SHL, I64, length, builder.const(I64, _ELEMENT_BITS)))


def table_fill(s: State, pos: int) -> int:
    table, pos = read_u32(s.source, pos, s.end)
    builder = s.builder
    length = pop_address(s)
    value = s.stack.pop()
    start = pop_address(s)
    check_range(s, start, length, _field(s, table, "size"), _OUT_OF_BOUNDS, s.module.tables[table].is64)
    if s.fuel is not None:
        from wasm_ir.frontend.fuel import charge_bulk

        charge_bulk(s, length)
    first = _element_address(s, _field(s, table, "elements"), start)
    last = _element_address(s, first, length)
    header = builder.new_block()
    body = builder.new_block()
    following = builder.new_block()
    entry = s.locals.current
    address = builder.append_param(header, POINTER)
    builder.jump(header, [first])
    s.continue_in(header, entry)
    in_header = s.locals.current
    # What is numbered in the body does not hold after the loop; the body adds nothing but the increment, so it
    # is enough to go back to where the header ended.
    mark = len(builder.log)
    builder.brif(builder.icmp(ir.EQ, address, last), following, (), body, ())
    s.continue_in(body, in_header)
    builder.store(ir.STORE, address, value, 0)
    builder.jump(header, [builder.binary(ir.IADD, POINTER, address, builder.const(I64, 8))])
    s.begin(following, in_header, 0, 0, mark)
    s.control[-1].cut_to(mark)
    if s.options.polls:
        # It may take some milliseconds, and thousands may follow each other: in a loop that ends soon, for one.
        builder.poll(1)
    return pos
