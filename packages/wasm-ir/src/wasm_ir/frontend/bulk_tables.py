"""The bulk instructions of tables, and growing them."""

from __future__ import annotations

from wasm_core.errors import TrapCode
from wasm_core.leb128 import read_u32
from wasm_ir import opcodes as ir
from wasm_ir.frontend.memory import (
    check_range,
    drop_segment,
    move_bytes,
    pop_address,
    pop_range,
    push_size,
    segment_field,
)
from wasm_ir.frontend.state import State
from wasm_ir.frontend.tables import ELEMENT_BITS, element_address, table_field
from wasm_ir.ir import Inst
from wasm_ir.types import I64, POINTER
from wasm_ir.vmcontext import BUILTIN_TABLE_GROW

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_OUT_OF_BOUNDS: Final = TrapCode.TABLE_OUT_OF_BOUNDS.value


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
    check_range(s, destination, length, table_field(s, table, "size"), _OUT_OF_BOUNDS, s.module.tables[table].is64)
    if s.fuel is not None:
        from wasm_ir.frontend.fuel import charge_bulk

        charge_bulk(s, length)
    _move_elements(
        s,
        element_address(s, table_field(s, table, "elements"), destination),
        element_address(s, segment_field(s, s.layout.elements, segment, "address"), source),
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
    check_range(s, source, length, table_field(s, origin, "size"), _OUT_OF_BOUNDS, tables[origin].is64)
    check_range(s, destination, length, table_field(s, target, "size"), _OUT_OF_BOUNDS, tables[target].is64)
    if s.fuel is not None:
        from wasm_ir.frontend.fuel import charge_bulk

        charge_bulk(s, length)
    _move_elements(
        s,
        element_address(s, table_field(s, target, "elements"), destination),
        element_address(s, table_field(s, origin, "elements"), source),
        length,
    )
    return pos


def _move_elements(s: State, destination: Inst, source: Inst, length: Inst) -> None:
    builder = s.builder
    move_bytes(s, destination, source, builder.binary(ir.SHL, I64, length, builder.const(I64, ELEMENT_BITS)))


def table_fill(s: State, pos: int) -> int:
    table, pos = read_u32(s.source, pos, s.end)
    builder = s.builder
    length = pop_address(s)
    value = s.stack.pop()
    start = pop_address(s)
    check_range(s, start, length, table_field(s, table, "size"), _OUT_OF_BOUNDS, s.module.tables[table].is64)
    if s.fuel is not None:
        from wasm_ir.frontend.fuel import charge_bulk

        charge_bulk(s, length)
    first = element_address(s, table_field(s, table, "elements"), start)
    last = element_address(s, first, length)
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
