"""The bulk instructions of memories, and what those of tables share with them: ranges, segments, moving bytes."""

from __future__ import annotations

from wasm_core.errors import TrapCode
from wasm_core.leb128 import read_u32
from wasm_ir import opcodes as ir
from wasm_ir.frontend.memory import base_of, pop_address, size_of
from wasm_ir.frontend.state import State
from wasm_ir.ir import Inst, Signature
from wasm_ir.types import I32, I64, POINTER
from wasm_ir.vmcontext import CONTEXT, SEGMENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_OUT_OF_BOUNDS: Final = TrapCode.MEMORY_OUT_OF_BOUNDS.value
#: A bulk instruction on a constant number of bytes up to this one takes no longer than a call.
_FEW_BYTES: Final = 4096
_MEMMOVE: Final = Signature((I64, I64, I64), ())
_MEMSET: Final = Signature((I64, I32, I64), ())


def check_range(s: State, start: Inst, length: Inst, size: Inst, code: int, is64: bool) -> None:
    """Trap unless `start` + `length` <= `size`. All are i64, and below 2**33 unless `is64`."""
    builder = s.builder
    if is64:
        builder.trap_if(builder.icmp(ir.GT_U, length, size), code)
        builder.trap_if(builder.icmp(ir.GT_U, start, builder.binary(ir.ISUB, I64, size, length)), code)
        return
    builder.trap_if(builder.icmp(ir.GT_U, builder.binary(ir.IADD, I64, start, length), size), code)


def pop_range(s: State) -> tuple[Inst, Inst, Inst]:
    """The three operands of a bulk instruction, as i64: destination, source, length."""
    length = pop_address(s)
    source = pop_address(s)
    destination = pop_address(s)
    return destination, source, length


def move_bytes(s: State, destination: Inst, source: Inst, length: Inst) -> None:
    """memmove."""
    _call_bulk(s, "memmove", _MEMMOVE, (destination, source, length))


def _call_bulk(s: State, name: str, signature: Signature, arguments: tuple[Inst, Inst, Inst]) -> None:
    """Call a C function that may take a second, and poll: thousands of these may follow each other."""
    s.builder.call_native(s.context_pointer(CONTEXT[name]), signature, arguments)
    length = arguments[2]
    if s.options.polls and (length.op != ir.CONST or length.imm > _FEW_BYTES):
        s.builder.poll(1)


def segment_field(s: State, segments: int, index: int, field: str) -> Inst:
    """A field of segment `index`, whose array starts at offset `segments` of the VMContext."""
    offset = segments + SEGMENT.size * index + SEGMENT[field]
    return s.builder.load(ir.LOAD, I64, s.builder.vmctx(), offset)


def drop_segment(s: State, segments: int, index: int) -> None:
    """Set a segment's length to 0."""
    builder = s.builder
    offset = segments + SEGMENT.size * index + SEGMENT["length"]
    builder.store(ir.STORE, builder.vmctx(), builder.const(I64, 0), offset)


# Instructions.


def memory_copy(s: State, pos: int) -> int:
    target, pos = read_u32(s.source, pos, s.end)
    origin, pos = read_u32(s.source, pos, s.end)
    builder = s.builder
    destination, source, length = pop_range(s)
    target_size = size_of(s, target)
    origin_size = target_size if origin == target else size_of(s, origin)
    check_range(s, source, length, origin_size, _OUT_OF_BOUNDS, s.module.memories[origin].is64)
    check_range(s, destination, length, target_size, _OUT_OF_BOUNDS, s.module.memories[target].is64)
    if s.fuel is not None:
        from wasm_ir.frontend.fuel import charge_bulk

        charge_bulk(s, length)
    to = builder.binary(ir.IADD, I64, base_of(s, target), destination)
    move_bytes(s, to, builder.binary(ir.IADD, I64, base_of(s, origin), source), length)
    return pos


def memory_fill(s: State, pos: int) -> int:
    memory, pos = read_u32(s.source, pos, s.end)
    builder = s.builder
    length = pop_address(s)
    value = s.stack.pop()
    destination = pop_address(s)
    check_range(s, destination, length, size_of(s, memory), _OUT_OF_BOUNDS, s.module.memories[memory].is64)
    if s.fuel is not None:
        from wasm_ir.frontend.fuel import charge_bulk

        charge_bulk(s, length)
    address = builder.binary(ir.IADD, I64, base_of(s, memory), destination)
    _call_bulk(s, "memset", _MEMSET, (address, value, length))
    return pos


def memory_init(s: State, pos: int) -> int:
    segment, pos = read_u32(s.source, pos, s.end)
    memory, pos = read_u32(s.source, pos, s.end)
    builder = s.builder
    destination, source, length = pop_range(s)
    check_range(s, source, length, segment_field(s, s.layout.data, segment, "length"), _OUT_OF_BOUNDS, False)
    check_range(s, destination, length, size_of(s, memory), _OUT_OF_BOUNDS, s.module.memories[memory].is64)
    if s.fuel is not None:
        from wasm_ir.frontend.fuel import charge_bulk

        charge_bulk(s, length)
    to = builder.binary(ir.IADD, POINTER, base_of(s, memory), destination)
    address = segment_field(s, s.layout.data, segment, "address")
    move_bytes(s, to, builder.binary(ir.IADD, POINTER, address, source), length)
    return pos


def data_drop(s: State, pos: int) -> int:
    segment, pos = read_u32(s.source, pos, s.end)
    drop_segment(s, s.layout.data, segment)
    return pos
