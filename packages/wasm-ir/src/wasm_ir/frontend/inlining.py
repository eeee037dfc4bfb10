"""Calls of small functions that call nothing: the body of the function stands in the place of the call.

It becomes a construct like `block`, to whose end its returns branch, with locals of its own. Where its instructions
come from is two offsets (`ir.Function.call_sites`), so that backtraces have a frame for it as if it had been called.
"""

from __future__ import annotations

from wasm_core import opcodes as wasm
from wasm_core.body_facts import BodyFacts
from wasm_core.errors import CompileError
from wasm_core.leb128 import read_u32
from wasm_core.reader import read_value_type
from wasm_core.type_codes import REF_NULL_PREFIX, REF_PREFIX
from wasm_ir.frontend.locals import BlockRecord, Locals
from wasm_ir.frontend.signatures import ir_type_of_code
from wasm_ir.frontend.skipping import EIGHT_BYTES, FOUR_BYTES, MEMARG, ONE_LEB, OPEN, SHAPES
from wasm_ir.frontend.state import FEW_LOCALS, INLINED, NO_HINTS, NO_MARK, Frame, State
from wasm_ir.ir import CALL_SITE_SHIFT, Block, Inst, Signature
from wasm_ir.types import V128

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Locals and results that such a function may have.
_FEW: Final = 8

#: Opcodes of the instructions that may be in such a function: they call nothing, and any module may have them.
_ALLOWED: Final = frozenset(
    (
        *(wasm.UNREACHABLE, wasm.NOP, wasm.BLOCK, wasm.IF, wasm.ELSE, wasm.END, wasm.BR, wasm.BR_IF, wasm.RETURN),
        *(wasm.DROP, wasm.SELECT, wasm.LOCAL_GET, wasm.LOCAL_SET, wasm.LOCAL_TEE, wasm.GLOBAL_GET, wasm.GLOBAL_SET),
        *range(wasm.I32_LOAD, wasm.MEMORY_SIZE + 1),
        *range(wasm.I32_CONST, wasm.I64_EXTEND32_S + 1),
    )
)
#: By what follows an opcode: its size, where that is constant.
_BYTES: Final = {FOUR_BYTES: 4, EIGHT_BYTES: 8}


def small_function(s: State, index: int) -> BodyFacts | None:
    """What is known of the body of one of the module's own functions, if calls of it are to be inlined here."""
    options = s.options
    features = s.layout.valid_under
    start, end = s.module.body(index)
    size = end - start
    # Locals in memory have one place for each function. What other options ask for happens in the function called.
    if size > s.inlining_room or features is None or s.slots is not None or s.handlers:
        return None
    if options.fuel or options.listener or not options.vectors:
        return None
    known = s.layout.small_functions
    if index not in known:
        known[index] = _examine(s, index)
    if known[index] is not None:
        s.inlining_room -= size
    return known[index]


def _examine(s: State, index: int) -> BodyFacts | None:
    from wasm_core.body_validator import validate_body

    try:
        # It is valid: whoever sets `valid_under` has looked. These are the facts.
        facts = validate_body(s.module, index, s.layout.valid_under)
    except CompileError:
        return None
    signature = s.signature(s.module.function_types[index])
    types, start = _local_types(s, index, signature)
    if len(types) > _FEW or len(signature.results) > _FEW or V128 in types or V128 in signature.results:
        return None
    return facts if _may_be_inlined(s.source, start, s.module.body(index)[1]) else None


def _may_be_inlined(source: bytes, pos: int, end: int) -> bool:
    """Whether all instructions are allowed."""
    while pos < end:
        opcode = source[pos]
        if opcode not in _ALLOWED:
            return False
        pos += 1
        shape = SHAPES[opcode]
        if shape == MEMARG:
            count = 3 if source[pos] & 0x40 else 2
        elif shape == OPEN:
            count = 2 if source[pos] == REF_PREFIX or source[pos] == REF_NULL_PREFIX else 1
        else:
            count = int(shape == ONE_LEB)
            pos += _BYTES.get(shape, 0)
        while count:
            while source[pos] > 0x7F:
                pos += 1
            pos += 1
            count -= 1
    return True


def _local_types(s: State, index: int, signature: Signature) -> tuple[list[int], int]:
    """Types of the parameters and locals of a function, and the position of its first instruction."""
    pos, end = s.module.body(index)
    types = list(signature.params)
    groups, pos = read_u32(s.source, pos, end)
    for _ in range(groups):
        count, pos = read_u32(s.source, pos, end)
        type_code, pos = read_value_type(s.source, pos, end)
        types.extend([ir_type_of_code(type_code)] * min(count, _FEW + 1))
    return types, pos


def inline(s: State, index: int, facts: BodyFacts, signature: Signature, arguments: list[Inst]) -> None:
    """Translate the body of a small function in the place of the call at `s.where`.

    Its results are on the stack then, if `s.reachable`.
    """
    builder = s.builder
    function = s.function
    outer = s.locals, s.defs, s.control, s.stack, s.end, s.facts, s.where, s.hints
    call_offset = s.where
    before = s.locals.current
    types, start = _local_types(s, index, signature)
    block = before.block
    first_inst = len(block.insts)
    first_block = len(function.blocks)

    record = BlockRecord(block, None, 0, 0)
    record.defs.update(enumerate(arguments))
    s.locals = Locals(builder, types, facts, s.locals.budget)
    s.locals.records.append(record)
    s.locals.current = record
    s.defs = record.defs
    s.stack = []
    frame = Frame(INLINED, 0, signature.results, record, start)
    s.control = [frame]
    s.where = start
    s.end = s.module.body(index)[1]
    s.facts = facts
    s.hints = NO_HINTS
    s.run(s)
    s.locals.fill_edges()
    results = s.stack
    s.locals, s.defs, s.control, s.stack, s.end, s.facts, s.where, s.hints = outer
    builder.offset = call_offset

    _note_call_site(s, call_offset, [(block, first_inst), *[(new, 0) for new in function.blocks[first_block:]]])
    if frame.cut != NO_MARK:
        s.control[-1].cut_to(frame.cut)
    following = builder.block
    if following is not None and following is not block:
        # The function has no locals of this one, so what was known before is known behind it.
        record = BlockRecord(following, before, 0, 0)
        if len(before.defs) <= FEW_LOCALS:
            record.defs = before.defs.copy()
        s.locals.records.append(record)
        s.locals.current = record
        s.defs = record.defs
    if s.reachable:
        s.stack.extend(results)


def _note_call_site(s: State, call_offset: int, places: list[tuple[Block, int]]) -> None:
    """Let new instructions say that they come from the function that is called there."""
    sites = s.function.call_sites
    if not sites:
        sites.append(0)
    mark = len(sites) << CALL_SITE_SHIFT
    sites.append(call_offset)
    for block, first in places:
        for number in range(first, len(block.insts)):
            block.insts[number].offset |= mark
        terminator = block.terminator
        if terminator is not None:
            terminator.offset |= mark
