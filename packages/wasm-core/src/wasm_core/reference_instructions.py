"""Validation of instructions of references, tables and exceptions, and of tail calls.

Handlers are as in `rare_instructions`.
"""

from __future__ import annotations

from collections.abc import Callable

from wasm_core import opcodes as op
from wasm_core.errors import InvalidError, MalformedError
from wasm_core.immediates import read_catch
from wasm_core.instructions import CATCH_ALL, CATCH_ALL_REF, CATCH_REF
from wasm_core.leb128 import read_u32
from wasm_core.rare_instructions import BodyState, all_match, pop_callee, table_type
from wasm_core.type_codes import EXNREF, I32, NON_NULL
from wasm_core.validation_context import Signature, is_reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: What `catch_ref` gives besides the values of the exception.
_CAUGHT: Final = EXNREF | NON_NULL

# Calls.


def _return_call_indirect(state: BodyState, pos: int) -> int:
    at = pos - 1
    params, results, pos = pop_callee(state, pos)
    state.pop_all(params, at)
    _check_returned(state, results, at)
    return pos


def _pop_reference(state: BodyState, pos: int) -> tuple[Signature, int]:
    """Check the reference that is called; the signature of what it refers to, and the position behind its type."""
    at = pos - 1
    index, pos = read_u32(state.code, pos, state.end)
    signature = state.context.signature(index, at)
    if state.stack and state.stack[-1] & NON_NULL:
        state.never_null.add(at)
    state.pop(state.context.reference_to(index, at), at)
    state.pop_all(signature.params, at)
    return signature, pos


def _call_ref(state: BodyState, pos: int) -> int:
    signature, pos = _pop_reference(state, pos)
    state.stack.extend(signature.results)
    return pos


def _return_call_ref(state: BodyState, pos: int) -> int:
    at = pos - 1
    signature, pos = _pop_reference(state, pos)
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


# Tables.


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


#: By opcode.
HANDLERS: Final[dict[int, Callable[[BodyState, int], int]]] = {
    op.RETURN_CALL: _return_call,
    op.RETURN_CALL_INDIRECT: _return_call_indirect,
    op.CALL_REF: _call_ref,
    op.RETURN_CALL_REF: _return_call_ref,
    op.THROW: _throw,
    op.THROW_REF: _throw_ref,
    op.SELECT_T: _select_typed,
    op.TABLE_GET: _table_get,
    op.TABLE_SET: _table_set,
    op.REF_NULL: _ref_null,
    op.REF_IS_NULL: _ref_is_null,
    op.REF_FUNC: _ref_func,
    op.REF_AS_NON_NULL: _ref_as_non_null,
    op.BR_ON_NULL: _br_on_null,
    op.BR_ON_NON_NULL: _br_on_non_null,
}
