"""Tail calls: the function is left to the callee, and handlers around see nothing of what that throws."""

from __future__ import annotations

from collections.abc import Callable

from wasm_core import opcodes as wasm
from wasm_core.errors import Unsupported
from wasm_core.leb128 import read_u32
from wasm_ir.frontend import control
from wasm_ir.frontend.calls import indirect_callee, pop_arguments, referred_callee
from wasm_ir.frontend.state import FEW_VALUES, State
from wasm_ir.ir import Inst, Signature

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


def _arguments(s: State, signature: Signature) -> list[Inst]:
    """The operands of the call. (There are no results here to count: those are the function's own.)"""
    if not s.options.tail_calls:
        raise Unsupported("the backend has no tail calls", s.where, feature="tail_calls")
    count = len(signature.params)
    if count > FEW_VALUES:
        s.passes(count)
    return pop_arguments(s, signature)


def _leave_through(s: State, funcref: Inst, signature: Signature, pos: int) -> int:
    s.builder.return_call_ref(funcref, signature, _arguments(s, signature))
    return control.leave(s, pos)


def return_call(s: State, pos: int) -> int:
    index, pos = read_u32(s.source, pos, s.end)
    module = s.module
    signature = s.signature(module.function_types[index])
    if index < module.imported_functions:
        return _leave_through(s, s.context_pointer(s.layout.imports + 8 * index), signature, pos)
    s.builder.return_call(index, signature, _arguments(s, signature))
    return control.leave(s, pos)


def return_call_indirect(s: State, pos: int) -> int:
    funcref, signature, _, pos = indirect_callee(s, pos)
    return _leave_through(s, funcref, signature, pos)


def return_call_ref(s: State, pos: int) -> int:
    return _leave_through(s, *referred_callee(s, pos))


#: What `translate` calls for the instructions of this module.
HANDLERS: Final[dict[int, Callable[[State, int], int]]] = {
    wasm.RETURN_CALL: return_call,
    wasm.RETURN_CALL_INDIRECT: return_call_indirect,
    wasm.RETURN_CALL_REF: return_call_ref,
}
