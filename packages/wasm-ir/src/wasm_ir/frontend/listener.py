"""Calls of the listener builtins before and after a function."""

from __future__ import annotations

from collections.abc import Sequence

from wasm_ir import opcodes as ir
from wasm_ir import types
from wasm_ir.frontend.state import State
from wasm_ir.ir import Inst
from wasm_ir.vmcontext import BUILTIN_LISTENER_AFTER, BUILTIN_LISTENER_BEFORE


def _tell(s: State, number: int, values: Sequence[Inst]) -> None:
    """Store values in slots of 8 bytes, zero-extended (two for a vector); call a builtin with the function's index and
    their address."""
    builder = s.builder
    zero = builder.const(types.I64, 0)
    address = builder.stack_slot(sum([_size(value) for value in values])) if values else zero
    offset = 0
    for value in values:
        if value.type == types.F32:
            value = builder.unary(ir.BITCAST, types.I32, value)
        if value.type == types.I32:
            value = builder.unary(ir.EXTEND_U, types.I64, value)
        builder.store(ir.STORE, address, value, offset)
        offset += _size(value)
    s.builtin(number, builder.const(types.I64, s.function.index), address, zero)


def _size(value: Inst) -> int:
    return 16 if value.type == types.V128 else 8


def listen_before(s: State, params: Sequence[Inst]) -> None:
    """Tell the listener that the function was called."""
    _tell(s, BUILTIN_LISTENER_BEFORE, params)


def listen_after(s: State, results: Sequence[Inst]) -> None:
    """Tell the listener that the function is about to return."""
    _tell(s, BUILTIN_LISTENER_AFTER, results)
