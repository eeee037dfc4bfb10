"""Validation of the instructions of structures, arrays, i31 and casts (core specification, "Instructions")."""

from __future__ import annotations

from collections.abc import Callable

from wasm_core import opcodes as op
from wasm_core.errors import InvalidError, MalformedError
from wasm_core.leb128 import read_u32
from wasm_core.operand_stack import POLYMORPHIC
from wasm_core.prefixed_instructions import read_prefixed, segment_type
from wasm_core.rare_instructions import BodyState, check_data
from wasm_core.reader import read_byte
from wasm_core.subtyping import top_of
from wasm_core.type_codes import ANYREF, EXNREF, EXTERNREF, FUNCREF, I8, I16, I32, NON_NULL, UNKNOWN_REF, type_name
from wasm_core.types import ArrayType, StructType
from wasm_core.validation_context import ValidationContext, is_reference, unpacked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Most operands of array.new_fixed. Other engines have the same limit.
MAX_FIXED: Final = 10_000


def validate_gc(state: BodyState, pos: int) -> int:
    """The instructions with prefix 0xFB; as a handler of `rare_instructions`."""
    at = pos - 1
    instruction, pos = read_prefixed(state, pos)
    handler = _HANDLERS.get(instruction.opcode)
    if handler is not None:
        return handler(state, instruction.opcode, pos, at)
    # Those whose types are fixed have no immediates.
    assert instruction.params is not None
    assert instruction.results is not None
    for expected in reversed(instruction.params):
        state.pop(expected, at)
    state.stack.extend(instruction.results)
    return pos


def _has_default(code: int) -> bool:
    return not code & NON_NULL


def _check_extension(opcode: int, plain: int, code: int, at: int) -> None:
    """Check that a read of a field says how to extend it, if and only if it is packed."""
    if (code in (I8, I16)) != (opcode != plain):
        raise InvalidError(f"type mismatch: the field is {'' if opcode == plain else 'not '}packed", at)


# Structures.


def _struct_new(state: BodyState, opcode: int, pos: int, at: int) -> int:
    index, pos = read_u32(state.code, pos, state.end)
    operands = state.context.operands(index, at)
    if opcode == op.STRUCT_NEW:
        state.pop_all(operands, at)
    elif not state.context.has_defaults(index):
        raise InvalidError(f"type mismatch: a field of type {index} has no default value", at)
    state.stack.append(state.context.reference_to(index, at, nullable=False))
    return pos


def _field(state: BodyState, pos: int, at: int) -> tuple[int, int, bool, int]:
    """The immediates of an access to a field: type index, type and mutability of the field, position after them."""
    index, pos = read_u32(state.code, pos, state.end)
    number, pos = read_u32(state.code, pos, state.end)
    fields = state.context.fields(index, at, StructType)
    if number >= len(fields):
        raise InvalidError(f"unknown field {number}", at)
    code, mutable = fields[number]
    return index, code, mutable, pos


def _struct_get(state: BodyState, opcode: int, pos: int, at: int) -> int:
    index, code, _, pos = _field(state, pos, at)
    _check_extension(opcode, op.STRUCT_GET, code, at)
    state.pop(state.context.reference_to(index, at), at)
    state.stack.append(unpacked(code))
    return pos


def _struct_set(state: BodyState, opcode: int, pos: int, at: int) -> int:
    index, code, mutable, pos = _field(state, pos, at)
    if not mutable:
        raise InvalidError("field is immutable", at)
    state.pop_all([state.context.reference_to(index, at), unpacked(code)], at)
    return pos


# Arrays.


def _array(context: ValidationContext, index: int, at: int) -> tuple[int, bool]:
    """Type and mutability of an array's elements."""
    return context.fields(index, at, ArrayType)[0]


def _mutable_array(context: ValidationContext, index: int, at: int) -> int:
    """The type of the elements of an array, which must be mutable."""
    code, mutable = _array(context, index, at)
    if not mutable:
        raise InvalidError("array is immutable", at)
    return code


def _array_new(state: BodyState, opcode: int, pos: int, at: int) -> int:
    index, pos = read_u32(state.code, pos, state.end)
    code, _ = _array(state.context, index, at)
    state.pop(I32, at)
    if opcode == op.ARRAY_NEW:
        state.pop(unpacked(code), at)
    elif not _has_default(code):
        raise InvalidError(f"type mismatch: elements of type {type_name(code)} have no default value", at)
    state.stack.append(state.context.reference_to(index, at, nullable=False))
    return pos


def _array_new_fixed(state: BodyState, opcode: int, pos: int, at: int) -> int:
    index, pos = read_u32(state.code, pos, state.end)
    count, pos = read_u32(state.code, pos, state.end)
    code, _ = _array(state.context, index, at)
    if count > MAX_FIXED:
        raise InvalidError(f"too many elements: {count}, the limit is {MAX_FIXED}", at)
    if state.stack[-1] != POLYMORPHIC:
        state.pop_all([unpacked(code)] * count, at)
    state.stack.append(state.context.reference_to(index, at, nullable=False))
    return pos


def _check_data_array(state: BodyState, code: int, segment: int, at: int) -> None:
    """Check that an array may be made of the bytes of a segment."""
    if is_reference(code):
        raise InvalidError("array type is not numeric or vector", at)
    check_data(state.context, segment, at)


def _check_element_array(state: BodyState, code: int, segment: int, at: int) -> None:
    """Check that an array may be made of the references of a segment."""
    found = segment_type(state.context, segment, at)
    if found != code and not state.context.matches(found, code):
        raise InvalidError(f"type mismatch: expected elements of {type_name(code)}, found {type_name(found)}", at)


def _array_new_segment(state: BodyState, opcode: int, pos: int, at: int) -> int:
    index, pos = read_u32(state.code, pos, state.end)
    segment, pos = read_u32(state.code, pos, state.end)
    code, _ = _array(state.context, index, at)
    if opcode == op.ARRAY_NEW_DATA:
        _check_data_array(state, code, segment, at)
    else:
        _check_element_array(state, code, segment, at)
    state.pop_all([I32, I32], at)
    state.stack.append(state.context.reference_to(index, at, nullable=False))
    return pos


def _array_get(state: BodyState, opcode: int, pos: int, at: int) -> int:
    index, pos = read_u32(state.code, pos, state.end)
    code, _ = _array(state.context, index, at)
    _check_extension(opcode, op.ARRAY_GET, code, at)
    state.pop_all([state.context.reference_to(index, at), I32], at)
    state.stack.append(unpacked(code))
    return pos


def _array_set(state: BodyState, opcode: int, pos: int, at: int) -> int:
    index, pos = read_u32(state.code, pos, state.end)
    code = _mutable_array(state.context, index, at)
    state.pop_all([state.context.reference_to(index, at), I32, unpacked(code)], at)
    return pos


def _array_fill(state: BodyState, opcode: int, pos: int, at: int) -> int:
    index, pos = read_u32(state.code, pos, state.end)
    code = _mutable_array(state.context, index, at)
    state.pop_all([state.context.reference_to(index, at), I32, unpacked(code), I32], at)
    return pos


def _array_copy(state: BodyState, opcode: int, pos: int, at: int) -> int:
    context = state.context
    target, pos = read_u32(state.code, pos, state.end)
    source, pos = read_u32(state.code, pos, state.end)
    expected = _mutable_array(context, target, at)
    found, _ = _array(context, source, at)
    if found != expected and not context.matches(found, expected):
        raise InvalidError("array types do not match", at)
    state.pop_all([context.reference_to(target, at), I32, context.reference_to(source, at), I32, I32], at)
    return pos


def _array_init(state: BodyState, opcode: int, pos: int, at: int) -> int:
    index, pos = read_u32(state.code, pos, state.end)
    segment, pos = read_u32(state.code, pos, state.end)
    code = _mutable_array(state.context, index, at)
    if opcode == op.ARRAY_INIT_DATA:
        _check_data_array(state, code, segment, at)
    else:
        _check_element_array(state, code, segment, at)
    state.pop_all([state.context.reference_to(index, at), I32, I32, I32], at)
    return pos


# Casts.


def _top(context: ValidationContext, code: int) -> int:
    """The type of nullable references that a reference of type `code` may be cast from."""
    heap_type = context.value_type(code).heap_type
    assert heap_type is not None
    return _TOP_CODES[top_of(heap_type)]


def _cast(state: BodyState, opcode: int, pos: int, at: int) -> int:
    code, pos = state.context.read_reference(state.code, pos, opcode in (op.REF_TEST_NULL, op.REF_CAST_NULL))
    state.pop(_top(state.context, code), at)
    state.stack.append(code if opcode in (op.REF_CAST, op.REF_CAST_NULL) else I32)
    return pos


def _br_on_cast(state: BodyState, opcode: int, pos: int, at: int) -> int:
    context = state.context
    flags, pos = read_byte(state.code, pos, state.end)
    if flags > 3:
        raise MalformedError("malformed br_on_cast flags", pos - 1)
    index, pos = read_u32(state.code, pos, state.end)
    types = state.label(index, at)
    source, pos = context.read_reference(state.code, pos, bool(flags & 1))
    target, pos = context.read_reference(state.code, pos, bool(flags & 2))
    if target != source and not context.matches(target, source):
        raise InvalidError(f"type mismatch: {type_name(target)} is no subtype of {type_name(source)}", at)
    # What the reference is known to be where the cast fails: if null passes, it is not null.
    failed = source if target & NON_NULL else source | NON_NULL
    taken, stays = (target, failed) if opcode == op.BR_ON_CAST else (failed, target)
    if not types or not is_reference(types[-1]):
        raise InvalidError("type mismatch: a branch with a cast needs a label that takes a reference", at)
    state.pop(source, at)
    state.stack.append(taken)
    state.pop_all(types, at)
    state.stack.extend(types)
    state.stack[-1] = stays
    return pos


def _convert(state: BodyState, opcode: int, pos: int, at: int) -> int:
    source, target = (EXTERNREF, ANYREF) if opcode == op.ANY_CONVERT_EXTERN else (ANYREF, EXTERNREF)
    found = state.pop_reference(at)
    if found not in (source, UNKNOWN_REF) and not state.context.matches(found, source):
        raise InvalidError(f"type mismatch: expected {type_name(source)}, found {type_name(found)}", at)
    state.stack.append(target | found & NON_NULL)
    return pos


_TOP_CODES: Final[dict[str, int]] = {"any": ANYREF, "func": FUNCREF, "extern": EXTERNREF, "exn": EXNREF}

_Handler = Callable[[BodyState, int, int, int], int]

_HANDLERS: Final[dict[int, _Handler]] = {
    op.STRUCT_NEW: _struct_new,
    op.STRUCT_NEW_DEFAULT: _struct_new,
    op.STRUCT_GET: _struct_get,
    op.STRUCT_GET_S: _struct_get,
    op.STRUCT_GET_U: _struct_get,
    op.STRUCT_SET: _struct_set,
    op.ARRAY_NEW: _array_new,
    op.ARRAY_NEW_DEFAULT: _array_new,
    op.ARRAY_NEW_FIXED: _array_new_fixed,
    op.ARRAY_NEW_DATA: _array_new_segment,
    op.ARRAY_NEW_ELEM: _array_new_segment,
    op.ARRAY_GET: _array_get,
    op.ARRAY_GET_S: _array_get,
    op.ARRAY_GET_U: _array_get,
    op.ARRAY_SET: _array_set,
    op.ARRAY_FILL: _array_fill,
    op.ARRAY_COPY: _array_copy,
    op.ARRAY_INIT_DATA: _array_init,
    op.ARRAY_INIT_ELEM: _array_init,
    op.REF_TEST: _cast,
    op.REF_TEST_NULL: _cast,
    op.REF_CAST: _cast,
    op.REF_CAST_NULL: _cast,
    op.BR_ON_CAST: _br_on_cast,
    op.BR_ON_CAST_FAIL: _br_on_cast,
    op.ANY_CONVERT_EXTERN: _convert,
    op.EXTERN_CONVERT_ANY: _convert,
}
