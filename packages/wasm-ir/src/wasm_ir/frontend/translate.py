"""The front end's main loop: one pass over the bytes of a function body.

The body must have been validated. Code that cannot run is skipped; everything else becomes IR at once, with a stack of
IR values for the operands. Common instructions are handled in the loop, the others by the functions in `_HANDLERS`.
"""

from __future__ import annotations

from collections.abc import Callable

from wasm_core import opcodes as wasm
from wasm_core.body_facts import BodyFacts
from wasm_core.errors import Unsupported
from wasm_core.leb128 import read_s64, read_u32, read_u64
from wasm_core.module import DecodedModule
from wasm_core.reader import read_value_type
from wasm_ir import opcodes as ir
from wasm_ir import types
from wasm_ir.frontend import calls, control, memory, numeric, tables, variables
from wasm_ir.frontend.locals import Locals, TooManyValuesError
from wasm_ir.frontend.signatures import ir_type_of_code, signatures_of
from wasm_ir.frontend.state import FUNCTION, Frame, State
from wasm_ir.frontend_options import FrontendOptions
from wasm_ir.ir import ABI_WASM, Block, Function
from wasm_ir.passes.dce import eliminate_dead_code
from wasm_ir.passes.loops import find_loops
from wasm_ir.passes.polls import poll_in_long_leaf, share_polls, thin_out_polls
from wasm_ir.passes.trivial_params import remove_trivial_params
from wasm_ir.passes.unroll import unroll_polling_loops
from wasm_ir.vmcontext import ContextLayout, not_yet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: How much work SSA construction may do, beyond what is needed for every function: table entries and arguments on
#: edges. Beyond that, locals are kept in memory. (Compilers' output needs less than 2 per instruction.)
_VALUES_BASE: Final = 10_000
_VALUES_PER_INSTRUCTION: Final = 8

# How the loop treats an opcode.
_HANDLER: Final = 0
_BINARY: Final = 1
_CONST: Final = 2
_LOCAL_SET: Final = 3
_LOCAL_TEE: Final = 4
_LOAD: Final = 5
_STORE: Final = 6
_ICMP: Final = 7
_EQZ: Final = 8
_UNARY: Final = 9
_FCMP: Final = 10
_LOCAL_GET: Final = 11

#: So many bytes may be inlined in a function of any size; beyond that as many as it has itself.
INLINING_ROOM: Final = 1024

_Handler = Callable[[State, int], int]
_Run = Callable[[State], None]


def translate(
    module: DecodedModule, index: int, layout: ContextLayout, facts: BodyFacts, options: FrontendOptions
) -> Function:
    """Translate one function.

    Args:
        module: The module.
        index: Index of one of the module's own functions in the function index space.
        layout: Layout of the module's VMContext.
        facts: What validating the body gave.
        options: How to translate.

    Raises:
        CompileError: The function passes on too many values, or uses vectors, and the options say that there are none.
        Unsupported: The function needs what is not compiled yet; the message says what.
    """
    try:
        return _translate(module, index, layout, facts, options)
    except Unsupported as error:
        offset = module.body(index)[0] if error.offset is None else error.offset
        raise Unsupported(f"{error.message} (function {index})", offset, feature=error.feature) from None


def _translate(
    module: DecodedModule, index: int, layout: ContextLayout, facts: BodyFacts, options: FrontendOptions
) -> Function:
    limit = _VALUES_BASE + _VALUES_PER_INSTRUCTION * facts.instruction_count
    try:
        state = _start(module, index, layout, facts, options, limit)
        state.run(state)
        state.locals.fill_edges()
    except TooManyValuesError:
        state = _start(module, index, layout, facts, options, limit, _run_with_slots)
        if state.fuel is not None:
            state.fuel.in_memory = True
        variables.make_slots(state)
        state.run(state)
        state.locals.fill_edges()
    function = state.function
    remove_trivial_params(function)
    eliminate_dead_code(function)
    if state.trampolines:
        _remove_trampolines(state)
    ends = find_loops(function)
    if state.hints:
        from wasm_ir.passes.cold import mark_cold_blocks

        mark_cold_blocks(function)
    if options.polls:
        if ends:
            thin_out_polls(function, ends)
            ends = unroll_polling_loops(function, ends)
            share_polls(function, ends)
        poll_in_long_leaf(function)
    if not options.vectors:
        from wasm_ir.vectorless import refuse_vectors

        refuse_vectors(function)
    return function


def _run_plain(s: State) -> None:
    _run(s, _KINDS)


def _run_with_slots(s: State) -> None:
    _run(s, _KINDS_WITH_SLOTS)


def _start(
    module: DecodedModule,
    index: int,
    layout: ContextLayout,
    facts: BodyFacts,
    options: FrontendOptions,
    limit: int,
    run: _Run = _run_plain,
) -> State:
    """The state before the first instruction, with the entry block begun."""
    start, end = module.body(index)
    signature = signatures_of(module).get(module.function_types[index])
    s = State(module, Function(f"function {index}", signature, ABI_WASM, index), layout, facts, options, run)
    s.end = end
    s.inlining_room = INLINING_ROOM + end - start
    builder = s.builder
    builder.offset = start
    local_types = list(signature.params)
    s.where = _read_locals(s, local_types, start)
    s.locals = Locals(builder, local_types, facts, limit)
    entry = builder.new_block()
    params = [builder.append_param(entry, type) for type in signature.params]
    s.begin(entry, None, 0, 0, 0)
    s.defs.update(enumerate(params))
    if options.listener:
        from wasm_ir.frontend.listener import listen_before

        listen_before(s, params)
    if options.fuel:
        from wasm_ir.frontend.fuel import begin

        begin(s)
    s.control.append(Frame(FUNCTION, 0, signature.results, s.locals.current, s.where))
    return s


def _read_locals(s: State, local_types: list[int], pos: int) -> int:
    """Append the types of the declared locals; the position of the first instruction."""
    source = s.source
    groups, pos = read_u32(source, pos, s.end)
    for _ in range(groups):
        count, pos = read_u32(source, pos, s.end)
        type_code, pos = read_value_type(source, pos, s.end)
        type = ir_type_of_code(type_code)
        local_types.extend([type] * count)
    return pos


def _run(s: State, kinds: list[int]) -> None:
    """Translate the instructions."""
    source = s.source
    stack = s.stack
    builder = s.builder
    memories = s.module.memories
    #: An access to memory 0 needs no check.
    guarded = not s.options.explicit_bounds and not (memories and memories[0].is64)
    known_i32 = builder.constants[types.I32]
    i32_const = wasm.I32_CONST
    has_index = memory.HAS_INDEX
    locals = s.locals
    counted = s.fuel is not None
    if counted:
        from wasm_ir.frontend.fuel import charge
    pos = s.where
    defs = s.defs
    while s.control:
        opcode = source[pos]
        kind = kinds[opcode]
        where = pos
        pos += 1
        if kind == _LOCAL_GET:
            index = source[pos]
            if index > 0x7F:
                index, pos = read_u32(source, pos, s.end)
            else:
                pos += 1
            value = defs.get(index)
            stack.append(locals.read(index) if value is None else value)
        elif kind == _CONST:
            byte = source[pos]
            if byte < 0x40:
                pos += 1
            elif byte < 0x80:
                pos += 1
                byte -= 0x80
            else:
                byte, pos = read_s64(source, pos, s.end)
            if opcode == i32_const:
                value = known_i32.get(byte)
                stack.append(builder.const(types.I32, byte) if value is None else value)
            else:
                stack.append(builder.const(types.I64, byte))
        elif kind == _BINARY:
            builder.offset = where
            right = stack.pop()
            stack[-1] = builder.binary(_OPS[opcode], _TYPES[opcode], stack[-1], right)
        elif kind == _LOCAL_SET:
            index = source[pos]
            if index > 0x7F:
                index, pos = read_u32(source, pos, s.end)
            else:
                pos += 1
            defs[index] = stack.pop()
        elif kind == _LOCAL_TEE:
            index = source[pos]
            if index > 0x7F:
                index, pos = read_u32(source, pos, s.end)
            else:
                pos += 1
            defs[index] = stack[-1]
        elif kind == _LOAD:
            # Alignment, which says nothing else than whether there is a memory index, and offset.
            number = 0
            if source[pos] >= has_index:
                number, pos = memory.read_memory(s, pos)
            else:
                pos += 1
            offset = source[pos]
            if offset > 0x7F:
                offset, pos = read_u64(source, pos, s.end)
            else:
                pos += 1
            builder.offset = where
            address = stack[-1]
            if guarded and address.op != ir.CONST and number == 0:
                address = builder.heap_address(address)
            else:
                address, offset = memory.access(s, address, offset, _SIZES[opcode], number)
            stack[-1] = builder.load(_OPS[opcode], _TYPES[opcode], address, offset)
        elif kind == _STORE:
            number = 0
            if source[pos] >= has_index:
                number, pos = memory.read_memory(s, pos)
            else:
                pos += 1
            offset = source[pos]
            if offset > 0x7F:
                offset, pos = read_u64(source, pos, s.end)
            else:
                pos += 1
            builder.offset = where
            value = stack.pop()
            address = stack.pop()
            if guarded and address.op != ir.CONST and number == 0:
                address = builder.heap_address(address)
            else:
                address, offset = memory.access(s, address, offset, _SIZES[opcode], number)
            builder.store(_OPS[opcode], address, value, offset)
        elif kind == _ICMP:
            builder.offset = where
            right = stack.pop()
            stack[-1] = builder.icmp(_OPS[opcode], stack[-1], right)
        elif kind == _EQZ:
            builder.offset = where
            stack[-1] = builder.icmp(ir.EQ, stack[-1], builder.const(_TYPES[opcode], 0))
        elif kind == _UNARY:
            builder.offset = where
            stack[-1] = builder.unary(_OPS[opcode], _TYPES[opcode], stack[-1])
        elif kind == _FCMP:
            builder.offset = where
            right = stack.pop()
            stack[-1] = builder.fcmp(_OPS[opcode], stack[-1], right)
        else:
            s.where = builder.offset = where
            if counted:
                charge(s)
            pos = _HANDLERS[opcode](s, pos)
            defs = s.defs


# Instructions that fit nowhere else.


def _not_yet(s: State, pos: int) -> int:
    """What nothing else handles: it never returns."""
    from wasm_core.instructions import find

    opcode = s.source[s.where]
    instruction = find(opcode)
    if instruction is None:
        number, _ = read_u32(s.source, s.where + 1, s.end)
        instruction = find(opcode << 12 | number)
    assert instruction is not None
    raise not_yet(instruction.name, instruction.feature, s.where)


def _nop(s: State, pos: int) -> int:
    return pos


def _drop(s: State, pos: int) -> int:
    s.stack.pop()
    return pos


def _select(s: State, pos: int) -> int:
    stack = s.stack
    condition = stack.pop()
    otherwise = stack.pop()
    stack[-1] = s.builder.select(condition, stack[-1], otherwise)
    return pos


def _select_typed(s: State, pos: int) -> int:
    from wasm_core.immediates import read_immediates
    from wasm_core.instructions import IMM_SELECT_TYPES

    _, pos = read_immediates(s.source, pos, s.end, IMM_SELECT_TYPES)
    return _select(s, pos)


def _f32_const(s: State, pos: int) -> int:
    s.stack.append(s.builder.const(types.F32, int.from_bytes(s.source[pos : pos + 4], "little")))
    return pos + 4


def _f64_const(s: State, pos: int) -> int:
    s.stack.append(s.builder.const(types.F64, int.from_bytes(s.source[pos : pos + 8], "little")))
    return pos + 8


def _prefix_fd(s: State, pos: int) -> int:
    # Most programs have no vectors, and need not wait for the tables.
    from wasm_ir.frontend.vectors import vector_instruction

    return vector_instruction(s, pos)


def _prefix_fc(s: State, pos: int) -> int:
    number, pos = read_u32(s.source, pos, s.end)
    if number < len(numeric.SATURATING):
        operation, type = numeric.SATURATING[number]
        s.stack[-1] = s.builder.unary(operation, type, s.stack[-1])
        return pos
    handler = _FC_HANDLERS.get(number)
    if handler is None:
        # Seldom used.
        from wasm_ir.frontend.rare import HANDLERS

        handler = HANDLERS.get(number)
    return _not_yet(s, pos) if handler is None else handler(s, pos)


def _exceptions(s: State, pos: int) -> int:
    # Most programs have none.
    from wasm_ir.frontend.exceptions import HANDLERS

    return HANDLERS[s.source[pos - 1]](s, pos)


def _tail_calls(s: State, pos: int) -> int:
    # The same.
    from wasm_ir.frontend.tail_calls import HANDLERS

    return HANDLERS[s.source[pos - 1]](s, pos)


#: By the number after the prefix 0xFC.
_FC_HANDLERS: Final[dict[int, _Handler]] = {
    wasm.MEMORY_INIT & 0xFFF: memory.memory_init,
    wasm.DATA_DROP & 0xFFF: memory.data_drop,
    wasm.MEMORY_COPY & 0xFFF: memory.memory_copy,
    wasm.MEMORY_FILL & 0xFFF: memory.memory_fill,
}

#: By first byte.
_HANDLERS: Final[dict[int, _Handler]] = {
    wasm.UNREACHABLE: control.unreachable,
    wasm.NOP: _nop,
    wasm.BLOCK: control.block,
    wasm.LOOP: control.loop,
    wasm.IF: control.if_,
    wasm.ELSE: control.else_,
    wasm.END: control.end,
    wasm.BR: control.br,
    wasm.BR_IF: control.br_if,
    wasm.BR_TABLE: control.br_table,
    wasm.RETURN: control.return_,
    wasm.CALL: calls.call,
    wasm.CALL_INDIRECT: calls.call_indirect,
    wasm.DROP: _drop,
    wasm.SELECT: _select,
    wasm.SELECT_T: _select_typed,
    wasm.LOCAL_GET: variables.slot_get,
    wasm.LOCAL_SET: variables.slot_set,
    wasm.LOCAL_TEE: variables.slot_tee,
    wasm.GLOBAL_GET: variables.global_get,
    wasm.GLOBAL_SET: variables.global_set,
    wasm.TABLE_GET: tables.table_get,
    wasm.TABLE_SET: tables.table_set,
    wasm.MEMORY_SIZE: memory.memory_size,
    wasm.MEMORY_GROW: memory.memory_grow,
    wasm.F32_CONST: _f32_const,
    wasm.F64_CONST: _f64_const,
    wasm.REF_NULL: calls.ref_null,
    wasm.REF_IS_NULL: calls.ref_is_null,
    wasm.REF_FUNC: calls.ref_func,
    wasm.CALL_REF: calls.call_ref,
    wasm.REF_AS_NON_NULL: calls.ref_as_non_null,
    wasm.BR_ON_NULL: control.br_on_null,
    wasm.BR_ON_NON_NULL: control.br_on_non_null,
    0xFB: _not_yet,
    **dict.fromkeys((wasm.TRY, wasm.CATCH, wasm.CATCH_ALL, wasm.DELEGATE, wasm.TRY_TABLE), _exceptions),
    **dict.fromkeys((wasm.THROW, wasm.RETHROW, wasm.THROW_REF), _exceptions),
    0xFC: _prefix_fc,
    0xFD: _prefix_fd,
    0xFE: _not_yet,
    **dict.fromkeys((wasm.RETURN_CALL, wasm.RETURN_CALL_INDIRECT, wasm.RETURN_CALL_REF), _tail_calls),
    wasm.REF_EQ: _not_yet,
}

# By opcode: how the loop treats it, the operation (of comparisons, the condition), the type, the size of the access.
_KINDS: Final = [_HANDLER] * 256
_OPS: Final = [0] * 256
_TYPES: Final = [0] * 256
_SIZES: Final = [0] * 256


def _fill_tables() -> None:
    for kind, runs in (
        (_BINARY, numeric.BINARY),
        (_UNARY, numeric.UNARY),
        (_ICMP, numeric.ICMP),
        (_FCMP, numeric.FCMP),
        (_EQZ, numeric.EQZ),
        (_LOAD, (numeric.LOADS,)),
        (_STORE, (numeric.STORES,)),
    ):
        for first, operations, value_types in runs:
            end = first + len(operations)
            _KINDS[first:end] = [kind] * len(operations)
            _OPS[first:end] = operations
            _TYPES[first:end] = value_types
    for (first, _, _), sizes in ((numeric.LOADS, numeric.LOAD_SIZES), (numeric.STORES, numeric.STORE_SIZES)):
        _SIZES[first : first + len(sizes)] = sizes
    _KINDS[wasm.I32_CONST] = _KINDS[wasm.I64_CONST] = _CONST


_fill_tables()
_KINDS_WITH_SLOTS: Final = list(_KINDS)
_KINDS[wasm.LOCAL_GET] = _LOCAL_GET
_KINDS[wasm.LOCAL_SET] = _LOCAL_SET
_KINDS[wasm.LOCAL_TEE] = _LOCAL_TEE


def _remove_trampolines(s: State) -> None:
    """Let branches go straight to their targets where the block in between has nothing to do."""
    targets: dict[int, Block] = {}
    for block in s.trampolines:
        (edge,) = block.successors()
        if not edge.args:
            targets[block.id] = edge.block
    if not targets:
        return
    function = s.function
    blocks = function.blocks = [block for block in function.blocks if block.id not in targets]
    for block in blocks:
        block.predecessors = []
    for block in blocks:
        for edge in block.successors():
            edge.block = targets.get(edge.block.id, edge.block)
            edge.block.predecessors.append(block)
