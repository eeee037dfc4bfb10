"""Exceptions, in both encodings: both become the same IR.

In a `try` each call ends its block and has a landing pad of its own, which brings along what the locals were at the
call. All of them lead to the block of the handler, as do throws in the body. There the exception's tag is compared, an
address, with those of the catch clauses. An exception is an EXCEPTION structure; on its way it is in STORE.exception.
"""

from __future__ import annotations

from collections.abc import Callable

from wasm_core import instructions as table
from wasm_core import opcodes as wasm
from wasm_core.errors import TrapCode, Unsupported
from wasm_core.immediates import read_catch
from wasm_core.leb128 import read_u32
from wasm_ir import opcodes as ir
from wasm_ir import types
from wasm_ir.frontend import control
from wasm_ir.frontend.fuel import reload
from wasm_ir.frontend.state import BLOCK, FEW_VALUES, Frame, Handler, State
from wasm_ir.ir import Block, Inst
from wasm_ir.vmcontext import BUILTIN_EXCEPTION_ROOM, CONTEXT, EXCEPTION, STORE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_NULL_EXCEPTION: Final = TrapCode.NULL_EXCEPTION.value


def _refuse_if_missing(s: State) -> None:
    if not s.options.exceptions:
        raise Unsupported("the backend has no exceptions", s.where, feature="exceptions")


# Throwing.


def _store(s: State) -> Inst:
    return s.context_pointer(CONTEXT["store"])


def _tag_address(s: State, tag: int) -> Inst:
    return s.context_pointer(s.layout.tags + 8 * tag)


def _payload_types(s: State, tag: int) -> tuple[int, ...]:
    return s.signature(s.module.tag_types[tag]).params


def _size(value_type: int) -> int:
    return 16 if value_type == types.V128 else 8


def _make_room(s: State, size: int) -> Inst:
    """The address of a new EXCEPTION of `size` bytes."""
    builder = s.builder
    store = _store(s)
    record = s.locals.current
    room = builder.load(ir.LOAD, types.I64, store, STORE["exception_room"])
    left = builder.binary(ir.ISUB, types.I64, builder.load(ir.LOAD, types.I64, store, STORE["exception_end"]), room)
    is_full = builder.icmp(ir.LT_U, left, builder.const(types.I64, size))
    full = builder.new_block()
    ready = builder.new_block()
    mark = len(builder.log)
    builder.brif(is_full, full, (), ready, ())
    s.continue_in(full, record)
    zero = builder.const(types.I64, 0)
    s.builtin(BUILTIN_EXCEPTION_ROOM, builder.const(types.I64, size), zero, zero, in_memory=True)
    builder.jump(ready)
    s.begin(ready, record, 0, 0, mark)
    s.control[-1].cut_to(mark)
    address = builder.load(ir.LOAD, types.I64, store, STORE["exception_room"])
    after = builder.binary(ir.IADD, types.I64, address, builder.const(types.I64, size))
    builder.store(ir.STORE, store, after, STORE["exception_room"])
    return address


def throw(s: State, pos: int) -> int:
    _refuse_if_missing(s)
    tag, pos = read_u32(s.source, pos, s.end)
    builder = s.builder
    payload = _payload_types(s, tag)
    count = len(payload)
    if count > FEW_VALUES:
        s.passes(count)
    values = s.stack[-count:] if count else []
    address = _make_room(s, EXCEPTION.size + sum([_size(value_type) for value_type in payload]))
    builder.store(ir.STORE, address, _tag_address(s, tag), EXCEPTION["tag"])
    offset = EXCEPTION.size
    for value in values:
        # Room is used again: no upper half may be left of something else, which may look like a reference.
        if value.type == types.F32:
            value = builder.unary(ir.BITCAST, types.I32, value)
        if value.type == types.I32:
            value = builder.unary(ir.EXTEND_U, types.I64, value)
        builder.store(ir.STORE, address, value, offset)
        offset += _size(value.type)
    _throw(s, address)
    return control.leave(s, pos)


def throw_ref(s: State, pos: int) -> int:
    _refuse_if_missing(s)
    builder = s.builder
    exception = s.stack.pop()
    builder.trap_if(builder.icmp(ir.EQ, exception, builder.const(types.I64, 0)), _NULL_EXCEPTION)
    _throw(s, exception)
    return control.leave(s, pos)


def rethrow(s: State, pos: int) -> int:
    depth, pos = read_u32(s.source, pos, s.end)
    handler = s.control[-1 - depth].handler
    assert handler is not None and handler.exception is not None
    _throw(s, handler.exception)
    return control.leave(s, pos)


def _throw(s: State, exception: Inst) -> None:
    s.builder.store(ir.STORE, _store(s), exception, STORE["exception"])
    _pass_on(s, s.handlers[-1] if s.handlers else None)


def _pass_on(s: State, handler: Handler | None) -> None:
    """Let what is in STORE.exception go to a handler around; None: out of the function."""
    if handler is None:
        s.builder.throw()
        return
    s.builder.jump(_block(s, handler))


def _block(s: State, handler: Handler) -> Block:
    block = handler.block
    if block is None:
        block = handler.block = s.builder.new_block()
    return block


# Handlers.


def _open(s: State, pos: int) -> tuple[Handler, int]:
    """Open a `try`; the position after the block type."""
    _refuse_if_missing(s)
    params, results, pos = control.block_type(s, pos)
    frame = Frame(BLOCK, len(s.stack) - len(params), results, s.locals.current, pos)
    handler = frame.handler = Handler(len(s.control))
    frame.mark = len(s.builder.log)
    s.control.append(frame)
    s.handlers.append(handler)
    return handler, pos


def try_(s: State, pos: int) -> int:
    return _open(s, pos)[1]


def try_table(s: State, pos: int) -> int:
    handler, pos = _open(s, pos)
    count, pos = read_u32(s.source, pos, s.end)
    if count > FEW_VALUES:
        s.passes(count)
    for _ in range(count):
        clause, tag, label, pos = read_catch(s.source, pos, s.end)
        handler.clauses.append((clause, tag, label))
    return pos


def _arrive(s: State, frame: Frame, handler: Handler, pos: int) -> bool:
    """Close the body of a `try`, `pos` behind it, and go on where its exceptions go; False when there are none."""
    if s.reachable:
        control.branch_to(s, frame)
        s.reachable = False
    handler.is_open = False
    assert s.handlers[-1] is handler
    s.handlers.pop()
    if handler.block is None and not handler.pads:
        return False
    builder = s.builder
    block = _block(s, handler)
    mark = frame.mark
    for pad, record, where in handler.pads:
        builder.offset = where
        s.begin(pad, record, 0, 0, mark)
        builder.jump(block)
    handler.pads.clear()
    builder.offset = s.where
    s.begin(block, frame.entry, frame.start, pos, mark)
    frame.cut_to(mark)
    s.reachable = True
    if s.fuel is not None:
        reload(s)
    del s.stack[frame.height :]
    handler.exception = builder.load(ir.LOAD, types.I64, _store(s), STORE["exception"])
    return True


def _compare(s: State, exception: Inst, tag: int) -> tuple[Block, Block]:
    """Branch on whether an exception has a tag: where to go on if it has, and if not."""
    builder = s.builder
    has = builder.icmp(ir.EQ, builder.load(ir.LOAD, types.I64, exception, EXCEPTION["tag"]), _tag_address(s, tag))
    match = builder.new_block()
    other = builder.new_block()
    builder.brif(has, match, (), other, ())
    return match, other


def _push_payload(s: State, exception: Inst, tag: int) -> None:
    payload = _payload_types(s, tag)
    if len(payload) > FEW_VALUES:
        s.passes(len(payload))
    offset = EXCEPTION.size
    for value_type in payload:
        s.stack.append(s.builder.load(ir.LOAD, value_type, exception, offset))
        offset += _size(value_type)


def end_try(s: State, frame: Frame, pos: int) -> None:
    """The `end` of a `try` or `try_table`: what no clause has caught goes outwards."""
    handler = frame.handler
    assert handler is not None
    if handler.is_open:
        if _arrive(s, frame, handler, pos):
            _catch_by_table(s, frame, handler)
    elif handler.following is not None:
        if s.reachable:
            control.branch_to(s, frame)
        _go_on(s, frame, handler)
        _pass_on(s, s.handlers[-1] if s.handlers else None)
        s.reachable = False


def _catch_by_table(s: State, frame: Frame, handler: Handler) -> None:
    """The clauses of a `try_table` one after the other; a `try` has none here."""
    exception = handler.exception
    assert exception is not None
    stack = s.stack
    for clause, tag, label in handler.clauses:
        record = s.locals.current
        mark = len(s.builder.log)
        other: Block | None = None
        if clause in (table.CATCH, table.CATCH_REF):
            match, other = _compare(s, exception, tag)
            mark = len(s.builder.log)
            s.continue_in(match, record)
            _push_payload(s, exception, tag)
        if clause in (table.CATCH_REF, table.CATCH_ALL_REF):
            stack.append(exception)
        # The labels are those outside of the try_table.
        control.return_or_branch(s, s.control[-2 - label])
        del stack[frame.height :]
        if other is None:
            break
        s.begin(other, record, 0, 0, mark)
        frame.cut_to(mark)
    else:
        _pass_on(s, s.handlers[-1] if s.handlers else None)
    s.reachable = False


# The older encoding.


def _go_on(s: State, frame: Frame, handler: Handler) -> None:
    """Go on with the exceptions that no clause of a `try` has caught so far."""
    assert handler.following is not None
    s.begin(handler.following, handler.record, 0, 0, handler.mark)
    frame.cut_to(handler.mark)
    handler.following = None
    s.reachable = True


def _begin_catch(s: State, pos: int) -> bool:
    """Close what is in front of a catch clause; whether there are exceptions that get there."""
    frame = s.control[-1]
    handler = frame.handler
    assert handler is not None
    if handler.is_open:
        return _arrive(s, frame, handler, pos)
    if s.reachable:
        control.branch_to(s, frame)
        s.reachable = False
    del s.stack[frame.height :]
    if handler.following is None:
        return False
    _go_on(s, frame, handler)
    return True


def catch(s: State, pos: int) -> int:
    start = pos - 1
    tag, pos = read_u32(s.source, pos, s.end)
    if not _begin_catch(s, start):
        return control.leave(s, pos)
    handler = s.control[-1].handler
    assert handler is not None and handler.exception is not None
    record = s.locals.current
    match, handler.following = _compare(s, handler.exception, tag)
    handler.record = record
    handler.mark = len(s.builder.log)
    s.continue_in(match, record)
    _push_payload(s, handler.exception, tag)
    return pos


def catch_all(s: State, pos: int) -> int:
    return pos if _begin_catch(s, pos - 1) else control.leave(s, pos)


def _handler_at(s: State, level: int) -> Handler | None:
    """The innermost handler that is open and is, or is around, the construct that has `level` constructs around it."""
    handlers = s.handlers
    low = 0
    high = len(handlers)
    while low < high:
        middle = (low + high) >> 1
        if handlers[middle].level <= level:
            low = middle + 1
        else:
            high = middle
    return handlers[low - 1] if low else None


def delegate(s: State, pos: int) -> int:
    depth, pos = read_u32(s.source, pos, s.end)
    frame = s.control[-1]
    handler = frame.handler
    assert handler is not None
    if _arrive(s, frame, handler, pos):
        _pass_on(s, _handler_at(s, len(s.control) - 2 - depth))
        s.reachable = False
    frame.handler = None
    return control.close(s, frame, pos)


#: What `translate` calls for the instructions of this module.
HANDLERS: Final[dict[int, Callable[[State, int], int]]] = {
    wasm.TRY: try_,
    wasm.CATCH: catch,
    wasm.CATCH_ALL: catch_all,
    wasm.DELEGATE: delegate,
    wasm.THROW: throw,
    wasm.RETHROW: rethrow,
    wasm.THROW_REF: throw_ref,
    wasm.TRY_TABLE: try_table,
}
