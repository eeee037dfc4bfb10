"""Validation of function bodies (core specification, appendix "Validation Algorithm"), in one pass over the bytes.

Iterative: control frames are on a list. The common instructions are handled in the loop, the others by
`rare_instructions`.
"""

from __future__ import annotations

from wasm_core import opcodes as op
from wasm_core.body_facts import BodyFacts
from wasm_core.errors import CompileError, InvalidError, MalformedError, Unsupported
from wasm_core.features import Features
from wasm_core.leb128 import read_s32, read_s33, read_s64, read_u32
from wasm_core.module import DecodedModule
from wasm_core.opcode_kinds import (
    BINARY,
    BLOCK,
    BR,
    BR_TABLE,
    CALL,
    CATCH,
    CONST_FLOAT,
    CONST_INT,
    DELEGATE,
    DROP,
    ELSE,
    END,
    FIRST_RARE,
    GLOBAL_GET,
    GLOBAL_SET,
    LOAD,
    LOCAL_SET,
    LOCAL_TEE,
    NOP,
    RARE,
    RARE_EXIT,
    RETHROW,
    RETURN,
    SELECT,
    STORE,
    UNARY,
    UNREACHABLE,
)
from wasm_core.operand_stack import FLOOR, POLYMORPHIC, check, pop, pop_all, pop_any
from wasm_core.rare_instructions import (
    HANDLERS,
    BodyState,
    all_match,
    check_br_table,
    check_memarg,
    check_offset,
)
from wasm_core.reader import switched_off, value_type_error
from wasm_core.type_codes import (
    EMPTY_BLOCK,
    I32,
    NON_NULL,
    REF_NULL_PREFIX,
    REF_PREFIX,
    UNKNOWN,
    V128,
    VALUE_TYPE_OF,
    type_name,
)
from wasm_core.validation_context import Signature, ValidationContext, context_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_core.unset_locals import UnsetLocals

#: Most locals of a function, parameters included. Other engines have the same limit.
MAX_LOCALS: Final = 50_000
#: Most operands on the stack of a function where several are pushed at once, so that memory stays in proportion.
MAX_OPERANDS: Final = 1_000_000

#: Made once: validating all functions of a module asks for it each time.
_DEFAULT: Final = Features.default()

_MAX_DECLARED_LOCALS: Final = 0xFFFF_FFFF

_NO_TYPES: Final[list[int]] = []
_NO_PARAMS: Final[dict[int, Signature]] = {
    EMPTY_BLOCK: Signature(_NO_TYPES, _NO_TYPES),
    **{code: Signature(_NO_TYPES, [code]) for code in VALUE_TYPE_OF},
}

#: In the place of the type of addresses, where there is no memory.
_NO_MEMORY: Final = -3

#: Kind of the outermost control frame, which no instruction opens.
_FUNCTION_FRAME: Final = -1


def validate_body(module: DecodedModule, index: int, features: Features | None = None) -> BodyFacts:
    """Validate the body of one function.

    Args:
        module: The module, of which `validate_module` must have said that it is valid.
        index: Index of the function in the function index space; it must not be an imported one.
        features: Which parts of WebAssembly are on; those that the module was decoded with.

    Returns:
        What the compiler wants to know about the body in advance.

    Raises:
        MalformedError: The code is not well-formed.
        InvalidError: The code breaks a rule.
        IndexError: There is no function `index`, or it is imported.
    """
    if not module.imported_functions <= index < len(module.function_types):
        raise IndexError(f"function {index} has no body in this module")
    context = context_of(module, _DEFAULT if features is None else features)
    start, end = module.body(index)
    return validate_code(context, index, start, end)


def validate_code(context: ValidationContext, index: int, start: int, end: int) -> BodyFacts:
    """Validate the code entry `source[start:end]` of function `index`; as `validate_body`."""
    code = context.source[start:end]
    try:
        return _validate(context, context.functions[index], code, start)
    except IndexError:
        # The loop reads bytes without asking whether they are there; all other indices it checks.
        raise MalformedError(f"unexpected end of section or function (function {index})", end) from None
    except CompileError as error:
        at = start if error.offset is None else start + error.offset
        message = f"{error.message} (function {index})"
        if isinstance(error, Unsupported):
            raise Unsupported(message, at, feature=error.feature) from None
        raise type(error)(message, at) from None


def validate_constant(context: ValidationContext, code: bytes, result: int) -> None:
    """Validate a constant expression that is more than one instruction; offsets of errors are relative to `code`.

    Whether all instructions are constant is not looked at.
    """
    _validate(context, Signature(_NO_TYPES, [result]), b"\0" + code, 0)


def _read_locals(context: ValidationContext, code: bytes, params: list[int]) -> tuple[list[int], int, bool]:
    """The types of all locals, parameters first, the position after their declarations, and if any has a long type."""
    end = len(code)
    groups, pos = read_u32(code, 0, end)
    if groups * 2 > end - pos:
        raise MalformedError("unexpected end of section or function", 0)
    allowed = context.value_types
    declared: list[tuple[int, int]] = []
    has_long_types = False
    total = 0
    for _ in range(groups):
        at = pos
        count, pos = read_u32(code, pos, end)
        total += count
        if total > _MAX_DECLARED_LOCALS:
            raise MalformedError("too many locals", at)
        code_of_type = code[pos]
        if code_of_type in allowed:
            pos += 1
        else:
            code_of_type, pos = context.read_value_type(code, pos)
            has_long_types = True
        declared.append((count, code_of_type))
    if total + len(params) > MAX_LOCALS:
        raise InvalidError(f"too many locals: {total + len(params)}, the limit is {MAX_LOCALS}", 0)
    local_types = list(params)
    for count, code_of_type in declared:
        local_types.extend([code_of_type] * count)
    return local_types, pos, has_long_types


def _skip_long_offset(context: ValidationContext, code: bytes, pos: int, address_type: int, at: int) -> int:
    """The position after an offset at `pos` that is longer than one byte."""
    start = pos
    while code[pos] >= 0x80:
        pos += 1
    pos += 1
    if pos - start > 4:
        check_offset(context, code, start, address_type, at)
    return pos


def _check_long_int(code: bytes, start: int, pos: int, opcode: int) -> None:
    """Check the immediate of i32.const or i64.const, which is `code[start:pos]`."""
    if opcode == op.I32_CONST:
        read_s32(code, start, pos)
    else:
        read_s64(code, start, pos)


def _block_signature(context: ValidationContext, code: bytes, pos: int) -> tuple[Signature, int]:
    """The type of a block and the position after its encoding."""
    byte = code[pos]
    found = _NO_PARAMS.get(byte)
    if found is not None:
        if byte != EMPTY_BLOCK and byte not in context.value_types:
            raise value_type_error(byte, pos)
        return found, pos + 1
    if byte in (REF_PREFIX, REF_NULL_PREFIX):
        result, pos = context.read_value_type(code, pos)
        return Signature(_NO_TYPES, [result]), pos
    index, after = read_s33(code, pos, len(code))
    if index < 0:
        raise MalformedError("malformed value type", pos)
    if not context.features.multi_value:
        raise switched_off("a block with a type index", "multi_value", pos)
    return context.signature(index, pos), after


def _check_frame_end(context: ValidationContext, stack: list[int], height: int, results: list[int], at: int) -> None:
    """Check that the operands of a frame, whose marker is at `height`, are its results."""
    if check(context, stack, results, at) != height + 1:
        raise InvalidError("type mismatch: operands remain on the stack at the end of the block", at)


def _is_plain(operand: int) -> bool:
    """Whether `select` without types takes an operand: numbers and vectors, and whatever unreachable code has."""
    return operand == UNKNOWN or V128 <= operand <= I32


def _select(context: ValidationContext, stack: list[int], at: int) -> None:
    """`select` without types: a condition and two operands of the same type, not a reference."""
    pop(context, stack, I32, at)
    second = pop_any(stack, at)
    first = pop_any(stack, at)
    if not (_is_plain(first) and _is_plain(second)):
        raise InvalidError("type mismatch: select of references needs a type", at)
    if first == UNKNOWN:
        first = second
    elif second != UNKNOWN and first != second:
        raise InvalidError(f"type mismatch: select between {type_name(first)} and {type_name(second)}", at)
    stack.append(first)


def _find_unset(local_types: list[int], params: int) -> UnsetLocals | None:
    """The locals without a value at the start of a function, if there are any."""
    for index in range(params, len(local_types)):
        if local_types[index] & NON_NULL:
            # Few functions have any.
            from wasm_core.unset_locals import UnsetLocals

            return UnsetLocals(local_types, params)
    return None


def _illegal(opcode: int, at: int) -> CompileError:
    from wasm_core.instructions import find

    instruction = find(opcode)
    if instruction is not None:
        return switched_off(instruction.name, instruction.feature, at)
    return MalformedError(f"illegal opcode {opcode:02x}", at)


def _unknown(what: str, index: int, at: int) -> InvalidError:
    return InvalidError(f"unknown {what} {index}", at)


def _pop_address(context: ValidationContext, stack: list[int], address_type: int, at: int) -> None:
    if address_type == _NO_MEMORY:
        raise _unknown("memory", 0, at)
    pop(context, stack, address_type, at)


def _validate(context: ValidationContext, signature: Signature, code: bytes, base: int) -> BodyFacts:
    """Validate a code entry; offsets of errors are relative to it, those of the facts get `base` added."""
    tables = context.kinds
    kinds = tables.kinds
    operands = tables.operands
    results_of = tables.results
    max_align = tables.max_align
    functions = context.functions
    global_types = context.globals
    # Of memory 0; what no operand has where there is none.
    memory_type = context.address_types[0] if context.address_types else _NO_MEMORY

    local_types, pos, has_long_types = _read_locals(context, code, signature.params)
    local_count = len(local_types)
    unset: UnsetLocals | None = None
    if has_long_types:
        # Parameters have values.
        unset = _find_unset(local_types, len(signature.params))
        if unset is not None:
            local_count = unset.first

    # Three markers, so that the loop may look at the three topmost operands at any time.
    stack = [FLOOR, FLOOR, FLOOR]

    # The innermost control frame, with those around it in `frames`. `labels` has what a branch to each takes.
    frame_kind = _FUNCTION_FRAME
    height = 2
    frame = signature
    frame_start = 0
    frames: list[tuple[int, int, Signature, int]] = []
    labels = [signature.results]
    # Many functions do without.
    state: BodyState | None = None

    loops: dict[int, int] = {}
    local_sets: dict[int, list[int]] = {}
    count = 0

    while True:
        at = pos
        opcode = code[pos]
        pos += 1
        count += 1
        if opcode == 0x20:  # local.get
            index = code[pos]
            pos += 1
            if index >= 0x80:
                index, pos = read_u32(code, pos - 1, len(code))
            if index >= local_count:
                if unset is None:
                    raise _unknown("local", index, at)
                unset.get(index, at)
            stack.append(local_types[index])
            continue
        kind = kinds[opcode]
        if kind < FIRST_RARE:
            if kind == BINARY:
                operand = operands[opcode]
                if stack[-1] == operand and stack[-2] == operand:
                    stack.pop()
                    stack[-1] = results_of[opcode]
                else:
                    pop(context, stack, operand, at)
                    pop(context, stack, operand, at)
                    stack.append(results_of[opcode])
            elif kind == CONST_INT:
                if code[pos] >= 0x80:
                    pos += 1
                    while code[pos] >= 0x80:
                        pos += 1
                    pos += 1
                    if pos - at > 5:
                        _check_long_int(code, at + 1, pos, opcode)
                else:
                    pos += 1
                stack.append(results_of[opcode])
            elif kind <= LOCAL_TEE:  # or LOCAL_SET
                index = code[pos]
                pos += 1
                if index >= 0x80:
                    index, pos = read_u32(code, pos - 1, len(code))
                if index >= local_count:
                    if unset is None:
                        raise _unknown("local", index, at)
                    unset.set(index, at)
                operand = local_types[index]
                if stack[-1] != operand:
                    pop(context, stack, operand, at)
                    if kind != LOCAL_SET:
                        stack.append(operand)
                elif kind == LOCAL_SET:
                    stack.pop()
                if index in local_sets:
                    local_sets[index].append(base + at)
                else:
                    local_sets[index] = [base + at]
            elif kind <= STORE:  # or LOAD
                address_type = memory_type
                if code[pos] > max_align[opcode]:
                    pos, address_type, _ = check_memarg(context, code, pos, max_align[opcode], at)
                else:
                    pos += 1
                    if code[pos] >= 0x80:
                        pos = _skip_long_offset(context, code, pos, address_type, at)
                    else:
                        pos += 1
                operand = operands[opcode]
                if kind == LOAD:
                    if stack[-1] != address_type:
                        _pop_address(context, stack, address_type, at)
                        stack.append(address_type)
                    stack[-1] = results_of[opcode]
                elif stack[-1] == operand and stack[-2] == address_type:
                    del stack[-2:]
                else:
                    pop(context, stack, operand, at)
                    _pop_address(context, stack, address_type, at)
            elif kind == UNARY:
                operand = operands[opcode]
                if stack[-1] == operand:
                    stack[-1] = results_of[opcode]
                else:
                    pop(context, stack, operand, at)
                    stack.append(results_of[opcode])
            else:  # BR_IF
                index = code[pos]
                pos += 1
                if index >= 0x80:
                    index, pos = read_u32(code, pos - 1, len(code))
                if stack[-1] == I32:
                    stack.pop()
                else:
                    pop(context, stack, I32, at)
                if index >= len(labels):
                    raise _unknown("label", index, at)
                types = labels[-1 - index]
                if types and stack[-len(types) :] != types:
                    pop_all(context, stack, types, at)
                    stack += types
        elif kind == END:
            results = frame.results
            if frame_kind == op.IF and frame.params != results and not all_match(context, frame.params, results):
                raise InvalidError("type mismatch: if without else must give what it takes", at)
            if stack[height + 1 :] != results:
                _check_frame_end(context, stack, height, results, at)
            if not frames:
                break
            if unset is not None:
                unset.close()
            del stack[height:]
            if results:
                stack += results
            if frame_kind == op.LOOP:
                loops[base + frame_start + 1] = base + at
            labels.pop()
            frame_kind, height, frame, frame_start = frames.pop()
        elif kind == CALL:
            index, pos = read_u32(code, pos, len(code))
            if index >= len(functions):
                raise _unknown("function", index, at)
            callee = functions[index]
            types = callee.params
            if types:
                size = len(types)
                if stack[-size:] == types:
                    del stack[-size:]
                else:
                    pop_all(context, stack, types, at)
            types = callee.results
            if types:
                stack += types
                if len(stack) > MAX_OPERANDS:
                    raise InvalidError("too many operands", at)
        elif kind == BLOCK:
            if code[pos] == EMPTY_BLOCK:
                pos += 1
                block = _NO_PARAMS[EMPTY_BLOCK]
            else:
                block, pos = _block_signature(context, code, pos)
            if opcode == op.IF:
                if stack[-1] == I32:
                    stack.pop()
                else:
                    pop(context, stack, I32, at)
            elif opcode == op.TRY_TABLE:
                state = state or BodyState(context, code, stack, labels, signature.results)
                from wasm_core.reference_instructions import check_catches

                pos = check_catches(state, pos, at)
            types = block.params
            if types:
                pop_all(context, stack, types, at)
            if unset is not None:
                unset.open()
            frames.append((frame_kind, height, frame, frame_start))
            labels.append(types if opcode == op.LOOP else block.results)
            frame_kind = opcode
            height = len(stack)
            frame = block
            frame_start = at
            stack.append(FLOOR)
            if types:
                stack += types
                if height > MAX_OPERANDS:
                    raise InvalidError("too many operands", at)
        elif kind == BR:
            index, pos = read_u32(code, pos, len(code))
            if index >= len(labels):
                raise _unknown("label", index, at)
            types = labels[-1 - index]
            if types and stack[-len(types) :] != types:
                check(context, stack, types, at)
            del stack[height:]
            stack.append(POLYMORPHIC)
        elif kind == GLOBAL_GET:
            index, pos = read_u32(code, pos, len(code))
            if index >= len(global_types):
                raise _unknown("global", index, at)
            stack.append(global_types[index])
        elif kind == GLOBAL_SET:
            index, pos = read_u32(code, pos, len(code))
            if index >= len(global_types):
                raise _unknown("global", index, at)
            if not context.global_mutable[index]:
                raise InvalidError("global is immutable", at)
            pop(context, stack, global_types[index], at)
        elif kind == SELECT:
            operand = stack[-2]
            if stack[-1] == I32 and I32 >= operand >= V128 and stack[-3] == operand:
                del stack[-2:]
            else:
                _select(context, stack, at)
        elif kind == ELSE:
            if frame_kind != op.IF:
                raise MalformedError("misplaced ELSE opcode", at)
            _check_frame_end(context, stack, height, frame.results, at)
            del stack[height:]
            stack.append(FLOOR)
            stack += frame.params
            frame_kind = op.ELSE
            if unset is not None:
                unset.restart()
        elif kind == DROP:
            if stack[-1] >= 0:
                stack.pop()
            else:
                pop_any(stack, at)
        elif kind == RETURN:
            check(context, stack, signature.results, at)
            del stack[height:]
            stack.append(POLYMORPHIC)
        elif kind == UNREACHABLE:
            del stack[height:]
            stack.append(POLYMORPHIC)
        elif kind == CONST_FLOAT:
            pos += 4 if opcode == op.F32_CONST else 8
            stack.append(results_of[opcode])
        elif kind == NOP:
            pass
        elif kind == BR_TABLE:
            state = state or BodyState(context, code, stack, labels, signature.results)
            pos = check_br_table(state, pos)
            del stack[height:]
            stack.append(POLYMORPHIC)
        elif kind <= RARE_EXIT:  # or RARE
            state = state or BodyState(context, code, stack, labels, signature.results)
            pos = HANDLERS[opcode](state, pos)
            if len(stack) > MAX_OPERANDS:
                raise InvalidError("too many operands", at)
            if kind != RARE:
                del stack[height:]
                stack.append(POLYMORPHIC)
        elif kind == CATCH:
            if frame_kind not in (op.TRY, op.CATCH):
                raise MalformedError("misplaced catch opcode", at)
            _check_frame_end(context, stack, height, frame.results, at)
            del stack[height:]
            stack.append(FLOOR)
            frame_kind = opcode
            if unset is not None:
                unset.restart()
            if opcode == op.CATCH:
                state = state or BodyState(context, code, stack, labels, signature.results)
                from wasm_core.reference_instructions import begin_catch

                pos = begin_catch(state, pos)
        elif kind == DELEGATE:
            if frame_kind != op.TRY:
                raise MalformedError("misplaced delegate opcode", at)
            index, pos = read_u32(code, pos, len(code))
            results = frame.results
            _check_frame_end(context, stack, height, results, at)
            del stack[height:]
            stack += results
            labels.pop()
            if unset is not None:
                unset.close()
            frame_kind, height, frame, frame_start = frames.pop()
            if index >= len(labels):
                raise _unknown("label", index, at)
        elif kind == RETHROW:
            index, pos = read_u32(code, pos, len(code))
            if index >= len(labels):
                raise _unknown("label", index, at)
            if (frames[-index][0] if index else frame_kind) not in (op.CATCH, op.CATCH_ALL):
                raise InvalidError("invalid rethrow label", at)
            del stack[height:]
            stack.append(POLYMORPHIC)
        else:
            raise _illegal(opcode, at)

    if pos != len(code):
        raise MalformedError("section size mismatch: bytes after the end of the function", pos)
    if state is None:
        return BodyFacts(count, loops or None, local_sets)
    never_null = {base + at for at in state.never_null} if state.never_null else None
    return BodyFacts(count, loops or None, local_sets, never_null, state.written_tables or None)
