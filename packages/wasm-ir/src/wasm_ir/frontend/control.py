"""Structured control: blocks, loops, branches.

The front end builds blocks in the order of the binary, which puts dominators first and the blocks of a loop together.
"""

from __future__ import annotations

from wasm_core.errors import TrapCode
from wasm_core.leb128 import read_s33, read_u32
from wasm_core.reader import read_value_type
from wasm_core.type_codes import EMPTY_BLOCK, ONE_BYTE_CODES, REF_NULL_PREFIX, REF_PREFIX
from wasm_ir import opcodes as ir
from wasm_ir import types
from wasm_ir.frontend.calls import is_null
from wasm_ir.frontend.signatures import IR_TYPE_OF_CODE, ir_type_of_code
from wasm_ir.frontend.skipping import skip_unreachable
from wasm_ir.frontend.state import (
    BLOCK,
    ELSE,
    ELSE_ALWAYS,
    ELSE_BRANCH,
    ELSE_DEAD,
    FEW_VALUES,
    FUNCTION,
    IF,
    LOOP,
    NO_MARK,
    Frame,
    State,
)
from wasm_ir.ir import Block, Edge, Inst
from wasm_ir.vmcontext import STATUS_EXCEPTION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: So many constructs are looked at to find out whether there is a loop among them.
_FAR: Final = 64
_NO_TYPES: Final[tuple[int, ...]] = ()
#: Byte of a block type -> results.
_RESULTS_OF_CODE: Final[dict[int, tuple[int, ...]]] = {
    EMPTY_BLOCK: _NO_TYPES,
    **{code: (type,) for code, type in IR_TYPE_OF_CODE.items()},
}


def block_type(s: State, pos: int) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Parameters, results, and the position after a block type."""
    results = _RESULTS_OF_CODE.get(s.source[pos])
    if results is not None:
        return _NO_TYPES, results, pos + 1
    if s.source[pos] in ONE_BYTE_CODES or s.source[pos] in (REF_PREFIX, REF_NULL_PREFIX):
        code, pos = read_value_type(s.source, pos, s.end)
        return _NO_TYPES, (ir_type_of_code(code),), pos
    index, pos = read_s33(s.source, pos, s.end)
    signature = s.signature(index)
    return signature.params, signature.results, pos


def leave(s: State, pos: int) -> int:
    """What follows cannot run: the position where the construct that it is in goes on."""
    s.reachable = False
    return skip_unreachable(s.source, pos)


# Opening constructs.


def block(s: State, pos: int) -> int:
    params, results, pos = block_type(s, pos)
    s.control.append(Frame(BLOCK, len(s.stack) - len(params), results, s.locals.current, pos))
    return pos


def loop(s: State, pos: int) -> int:
    loops = s.facts.loops
    assert loops is not None
    end = loops[pos]
    params, _, pos = block_type(s, pos)
    if len(params) > FEW_VALUES:
        s.passes(len(params))
    builder = s.builder
    stack = s.stack
    entry = s.locals.current
    height = len(stack) - len(params)
    frame = Frame(LOOP, height, params, entry, pos)
    header = frame.block = builder.new_block()
    for type in params:
        builder.append_param(header, type)
    builder.jump(header, stack[height:])
    stack[height:] = header.params
    s.control.append(frame)
    # Everything known before the loop stays known: the header is entered from there, and from inside the loop.
    s.begin(header, entry, pos, end, len(builder.log))
    if s.options.polls:
        builder.poll()
    if s.fuel is not None:
        from wasm_ir.frontend.fuel import check, save

        save(s)
        check(s)
    return pos


def if_(s: State, pos: int) -> int:
    params, results, pos = block_type(s, pos)
    builder = s.builder
    stack = s.stack
    condition = stack.pop()
    record = s.locals.current
    frame = Frame(IF, len(stack) - len(params), results, record, pos)
    frame.mark = len(builder.log)
    if params:
        frame.params = stack[frame.height :]
        if len(params) > FEW_VALUES:
            s.passes(len(params))
    s.control.append(frame)
    if condition.op == ir.CONST:
        if condition.imm:
            return pos
        frame.else_kind = ELSE_ALWAYS
        return leave(s, pos)
    then = builder.new_block()
    otherwise = builder.new_block()
    targets = builder.brif(condition, then, (), otherwise, ()).targets
    frame.else_kind = ELSE_BRANCH
    turned = targets[0].block is otherwise
    frame.else_edge = targets[0] if turned else targets[1]
    if s.hints:
        s.hint(targets[1] if turned else targets[0], frame.else_edge)
    s.continue_in(then, record)
    return pos


def else_(s: State, pos: int) -> int:
    frame = s.control[-1]
    if s.reachable:
        branch_to(s, frame)
    frame.kind = ELSE
    del s.stack[frame.height :]
    s.stack.extend(frame.params)
    kind = frame.else_kind
    frame.else_kind = ELSE_DEAD
    if kind == ELSE_DEAD:
        return leave(s, pos)
    s.reachable = True
    if kind == ELSE_BRANCH:
        mark = frame.mark
        frame.cut_to(mark)
        edge = frame.else_edge
        assert edge is not None
        s.begin(edge.block, frame.entry, 0, 0, mark)
    return pos


def end(s: State, pos: int) -> int:
    control = s.control
    frame = control[-1]
    if frame.kind <= FUNCTION:
        if frame.kind == FUNCTION:
            _end_function(s, frame)
        elif frame.block is not None:
            _join(s, frame, pos)
        control.pop()
        return pos
    return close(s, frame, pos)


def close(s: State, frame: Frame, pos: int) -> int:
    """The end of the innermost construct, `pos` behind it."""
    control = s.control
    if frame.kind != LOOP:
        if frame.handler is not None:
            # Most programs have no exceptions.
            from wasm_ir.frontend.exceptions import end_try

            end_try(s, frame, pos)
        if frame.else_kind == ELSE_BRANCH:
            _close_without_else(s, frame)
        elif frame.else_kind == ELSE_ALWAYS:
            # An `if` with constant 0 and no `else`: the block that it stands in was never ended.
            del s.stack[frame.height :]
            s.stack.extend(frame.params)
            s.reachable = True
        if frame.block is not None:
            _join(s, frame, pos)
    control.pop()
    if frame.cut != NO_MARK:
        control[-1].cut_to(frame.cut)
    return pos if s.reachable else skip_unreachable(s.source, pos)


def _close_without_else(s: State, frame: Frame) -> None:
    """Let the branch of an `if` that has no `else` go straight to its end."""
    edge = frame.else_edge
    assert edge is not None
    source = frame.entry.block
    target = _target(s, frame)
    edge.block = target
    edge.args = list(frame.params)
    target.predecessors.append(source)
    # What is behind it may be what a loop comes to in the end, if the body goes back to the loop's start.
    edge.is_cold = False
    frame.branch = edge
    frame.branch_record = frame.entry
    frame.low = min(frame.low, frame.mark)


def _join(s: State, frame: Frame, pos: int) -> None:
    """Start the block after a construct that branches leave."""
    if s.reachable:
        branch_to(s, frame)
    target = frame.block
    assert target is not None
    mark = min(frame.low, len(s.builder.log))
    stack = s.stack
    del stack[frame.height :]
    if len(target.predecessors) == 1:
        # No need for parameters: what the only branch brings along is what they would be.
        edge = frame.branch
        assert edge is not None
        stack.extend(edge.args)
        edge.args = []
        target.params = []
        s.begin(target, frame.branch_record, 0, 0, mark)
    else:
        stack.extend(target.params)
        s.begin(target, frame.entry, frame.start, pos, mark)
    frame.cut_to(mark)
    s.reachable = True


# Branches.


def _target(s: State, frame: Frame) -> Block:
    """Where branches to a frame go."""
    target = frame.block
    if target is None:
        builder = s.builder
        target = frame.block = builder.new_block()
        if len(frame.label_types) > FEW_VALUES:
            s.passes(len(frame.label_types))
        for type in frame.label_types:
            builder.append_param(target, type)
    return target


def _record_branch(s: State, frame: Frame, edge: Edge) -> None:
    frame.branch = edge
    frame.branch_record = s.locals.current
    length = len(s.builder.log)
    if length < frame.low:
        frame.low = length


def _arguments(s: State, frame: Frame) -> list[Inst]:
    count = len(frame.label_types)
    if count > FEW_VALUES:
        s.passes(count)
    return s.stack[-count:] if count else []


def branch_to(s: State, frame: Frame) -> None:
    """Jump to a frame with the operands on top of the stack."""
    branch = s.builder.jump(_target(s, frame), _arguments(s, frame))
    _record_branch(s, frame, branch.targets[0])


def return_or_branch(s: State, frame: Frame) -> None:
    if frame.kind == FUNCTION and not s.options.listener:
        if s.fuel is not None:
            from wasm_ir.frontend.fuel import save

            save(s)
        s.builder.ret(_arguments(s, frame))
    else:
        branch_to(s, frame)


def br(s: State, pos: int) -> int:
    depth, pos = read_u32(s.source, pos, s.end)
    return_or_branch(s, s.control[-1 - depth])
    return leave(s, pos)


def return_(s: State, pos: int) -> int:
    return_or_branch(s, s.control[0])
    return leave(s, pos)


def unreachable(s: State, pos: int) -> int:
    s.builder.trap(TrapCode.UNREACHABLE.value)
    return leave(s, pos)


def br_if(s: State, pos: int) -> int:
    depth = s.source[pos]
    if depth > 0x7F:
        depth, pos = read_u32(s.source, pos, s.end)
    else:
        pos += 1
    return _branch_if(s, s.control[-1 - depth], s.stack.pop(), pos)


def _branch_if(s: State, frame: Frame, condition: Inst, pos: int) -> int:
    """Branch to a frame if the i32 `condition` is not zero."""
    if condition.op == ir.CONST:
        if condition.imm == 0:
            return pos
        return_or_branch(s, frame)
        return leave(s, pos)
    builder = s.builder
    target = _target(s, frame)
    following = builder.new_block()
    targets = builder.brif(condition, target, _arguments(s, frame), following, ()).targets
    turned = targets[0].block is following
    taken = targets[1] if turned else targets[0]
    if s.hints and not _leaves_loop(s, frame):
        s.hint(taken, targets[0] if turned else targets[1])
    _record_branch(s, frame, taken)
    s.continue_in(following, s.locals.current)
    return pos


def _leaves_loop(s: State, frame: Frame) -> bool:
    """Whether a branch to a frame goes out of a loop or back to its start: each loop ends at some time, so what comes
    behind it does not run less often than the loop, however often a hint says that it goes on."""
    for inner in s.control[: -1 - _FAR : -1]:
        if inner.kind == LOOP:
            return True
        if inner is frame:
            return False
    return True


def br_on_null(s: State, pos: int) -> int:
    depth, pos = read_u32(s.source, pos, s.end)
    reference = s.stack.pop()
    pos = _branch_if(s, s.control[-1 - depth], is_null(s, reference), pos)
    if s.reachable:
        s.stack.append(reference)
    return pos


def br_on_non_null(s: State, pos: int) -> int:
    depth, pos = read_u32(s.source, pos, s.end)
    builder = s.builder
    null = is_null(s, s.stack[-1])
    pos = _branch_if(s, s.control[-1 - depth], builder.icmp(ir.EQ, null, builder.const(types.I32, 0)), pos)
    if s.reachable:
        s.stack.pop()
    return pos


def br_table(s: State, pos: int) -> int:
    source = s.source
    end = s.end
    count, pos = read_u32(source, pos, end)
    depths: list[int] = []
    for _ in range(count + 1):
        depth = source[pos]
        if depth > 0x7F:
            depth, pos = read_u32(source, pos, end)
        else:
            pos += 1
        depths.append(depth)
    control = s.control
    builder = s.builder
    index = s.stack.pop()
    if index.op == ir.CONST:
        depths = [depths[min(index.imm, count)]]
    uses: dict[int, int] = {}
    for depth in depths:
        uses[depth] = uses.get(depth, 0) + 1
    if len(uses) == 1:
        return_or_branch(s, control[-1 - depths[0]])
        return leave(s, pos)
    # A target that is named often gets a block of its own in between, so that the values for its parameters
    # are moved in one place and listed once.
    blocks: dict[int, Block] = {}
    arguments: dict[int, list[Inst]] = {}
    for depth, times in uses.items():
        frame = control[-1 - depth]
        target = _target(s, frame)
        blocks[depth] = target if times == 1 else builder.new_block()
        arguments[depth] = _arguments(s, frame) if times == 1 else []
    branch = builder.br_table(index, [(blocks[depth], arguments[depth]) for depth in depths])
    edges = dict(zip([edge.block.id for edge in branch.targets], branch.targets))
    record = s.locals.current
    for depth, times in uses.items():
        frame = control[-1 - depth]
        between = blocks[depth]
        if times == 1:
            s.locals.current = record
            _record_branch(s, frame, edges[between.id])
        else:
            s.continue_in(between, record)
            branch_to(s, frame)
            s.trampolines.append(between)
    return leave(s, pos)


# The end of the function.


def _end_function(s: State, frame: Frame) -> None:
    builder = s.builder
    stack = s.stack
    if frame.block is not None:
        _join(s, frame, s.where)
    if s.reachable:
        values = _arguments(s, frame)
        if s.options.listener:
            from wasm_ir.frontend.listener import listen_after

            listen_after(s, values)
        if s.fuel is not None:
            from wasm_ir.frontend.fuel import save

            save(s)
        builder.ret(values)
        s.reachable = False
    del stack[:]
    for cold, record, where in s.cold:
        s.begin(cold, record, 0, 0, 0)
        builder.offset = where
        builder.unwind(builder.const(types.I32, STATUS_EXCEPTION))
