"""Handlers of instructions with the prefix 0xFC that few programs have."""

from __future__ import annotations

from collections.abc import Callable

from wasm_core import opcodes as wasm
from wasm_ir.frontend import bulk_tables, tables, wide_arithmetic
from wasm_ir.frontend.state import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: By the number after the prefix.
HANDLERS: Final[dict[int, Callable[[State, int], int]]] = {
    wasm.TABLE_INIT & 0xFFF: bulk_tables.table_init,
    wasm.ELEM_DROP & 0xFFF: bulk_tables.elem_drop,
    wasm.TABLE_COPY & 0xFFF: bulk_tables.table_copy,
    wasm.TABLE_GROW & 0xFFF: bulk_tables.table_grow,
    wasm.TABLE_SIZE & 0xFFF: tables.table_size,
    wasm.TABLE_FILL & 0xFFF: bulk_tables.table_fill,
    wasm.I64_ADD128 & 0xFFF: wide_arithmetic.add128,
    wasm.I64_SUB128 & 0xFFF: wide_arithmetic.sub128,
    wasm.I64_MUL_WIDE_S & 0xFFF: wide_arithmetic.mul_wide_s,
    wasm.I64_MUL_WIDE_U & 0xFFF: wide_arithmetic.mul_wide_u,
}
