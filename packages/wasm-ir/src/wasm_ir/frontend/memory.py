"""Linear memory: addresses, sizes, growing, and the bulk instructions.

Ranges are checked in 64-bit arithmetic, where the sum of two 32-bit numbers cannot overflow.
"""

from __future__ import annotations

from typing import Final

from wasm_core.errors import TrapCode
from wasm_core.leb128 import read_u32
from wasm_ir import opcodes as ir
from wasm_ir.frontend.state import State
from wasm_ir.ir import Inst, Signature
from wasm_ir.types import I32, I64, POINTER
from wasm_ir.vmcontext import BUILTIN_MEMORY_GROW, CONTEXT, MEMORY, SEGMENT

_OUT_OF_BOUNDS: Final = TrapCode.MEMORY_OUT_OF_BOUNDS.value
_LARGEST_OFFSET: Final = (1 << 32) - 1

_MEMMOVE: Final = Signature((I64, I64, I64), ())
_MEMSET: Final = Signature((I64, I32, I64), ())


#: In the alignment of an access: a memory index follows. Alignments without it are less.
HAS_INDEX: Final = 0x40


def read_memory(s: State, pos: int) -> tuple[int, int]:
    """The memory that an access is to, and the position of its offset; `pos` is that of the alignment."""
    flags, pos = read_u32(s.source, pos, s.end)
    return read_u32(s.source, pos, s.end) if flags & HAS_INDEX else (0, pos)


def access(s: State, index: Inst, offset: int, size: int, memory: int = 0) -> tuple[Inst, int]:
    """Address and constant offset for a heap operation on `size` bytes at the i32 `index` plus `offset` of a memory."""
    builder = s.builder
    if s.options.explicit_bounds:
        last = builder.binary(ir.IADD, I64, builder.unary(ir.EXTEND_U, I64, index), builder.const(I64, offset + size))
        builder.trap_if(builder.icmp(ir.GT_U, last, _size(s, memory)), _OUT_OF_BOUNDS)
    if index.op == ir.CONST and index.imm + offset <= _LARGEST_OFFSET:
        return _base(s, memory), index.imm + offset
    if memory == 0:
        return builder.heap_address(index), offset
    return builder.binary(ir.IADD, POINTER, _base(s, memory), builder.unary(ir.EXTEND_U, I64, index)), offset


def _base(s: State, memory: int) -> Inst:
    """The address of byte 0 of a memory, which never moves."""
    if memory == 0:
        return s.builder.memory_base()
    structure = s.context_pointer(s.layout.memories + 8 * memory)
    return s.builder.load(ir.LOAD_INVARIANT, POINTER, structure, MEMORY["base"])


def _size(s: State, memory: int) -> Inst:
    """The size of a memory in bytes, as an i64."""
    structure = s.context_pointer(s.layout.memories + 8 * memory)
    return s.builder.load(ir.LOAD, I64, structure, MEMORY["size"])


def check_range(s: State, start: Inst, length: Inst, size: Inst, code: int) -> None:
    """Trap unless `start` + `length` <= `size`; all are i64 below 2**33."""
    builder = s.builder
    builder.trap_if(builder.icmp(ir.GT_U, builder.binary(ir.IADD, I64, start, length), size), code)


def pop_range(s: State) -> tuple[Inst, Inst, Inst]:
    """The three i32 operands of a bulk instruction, as i64: destination, source, length."""
    builder = s.builder
    stack = s.stack
    length = builder.unary(ir.EXTEND_U, I64, stack.pop())
    source = builder.unary(ir.EXTEND_U, I64, stack.pop())
    destination = builder.unary(ir.EXTEND_U, I64, stack.pop())
    return destination, source, length


def move_bytes(s: State, destination: Inst, source: Inst, length: Inst) -> None:
    """memmove."""
    s.builder.call_native(s.context_pointer(CONTEXT["memmove"]), _MEMMOVE, (destination, source, length))


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


def memory_size(s: State, pos: int) -> int:
    memory, pos = read_u32(s.source, pos, s.end)
    builder = s.builder
    page_bits = s.module.memories[memory].page_size.bit_length() - 1
    pages = builder.binary(ir.SHR_U, I64, _size(s, memory), builder.const(I64, page_bits))
    s.stack.append(builder.unary(ir.WRAP, I32, pages))
    return pos


def memory_grow(s: State, pos: int) -> int:
    memory, pos = read_u32(s.source, pos, s.end)
    builder = s.builder
    pages = builder.unary(ir.EXTEND_U, I64, s.stack.pop())
    previous = s.builtin(BUILTIN_MEMORY_GROW, builder.const(I64, memory), pages, builder.const(I64, 0))
    s.stack.append(builder.unary(ir.WRAP, I32, previous))
    return pos


def memory_copy(s: State, pos: int) -> int:
    target, pos = read_u32(s.source, pos, s.end)
    origin, pos = read_u32(s.source, pos, s.end)
    builder = s.builder
    destination, source, length = pop_range(s)
    target_size = _size(s, target)
    origin_size = target_size if origin == target else _size(s, origin)
    check_range(s, source, length, origin_size, _OUT_OF_BOUNDS)
    check_range(s, destination, length, target_size, _OUT_OF_BOUNDS)
    to = builder.binary(ir.IADD, I64, _base(s, target), destination)
    move_bytes(s, to, builder.binary(ir.IADD, I64, _base(s, origin), source), length)
    return pos


def memory_fill(s: State, pos: int) -> int:
    memory, pos = read_u32(s.source, pos, s.end)
    builder = s.builder
    stack = s.stack
    length = builder.unary(ir.EXTEND_U, I64, stack.pop())
    value = stack.pop()
    destination = builder.unary(ir.EXTEND_U, I64, stack.pop())
    check_range(s, destination, length, _size(s, memory), _OUT_OF_BOUNDS)
    address = builder.binary(ir.IADD, I64, _base(s, memory), destination)
    builder.call_native(s.context_pointer(CONTEXT["memset"]), _MEMSET, (address, value, length))
    return pos


def memory_init(s: State, pos: int) -> int:
    segment, pos = read_u32(s.source, pos, s.end)
    memory, pos = read_u32(s.source, pos, s.end)
    builder = s.builder
    destination, source, length = pop_range(s)
    check_range(s, source, length, segment_field(s, s.layout.data, segment, "length"), _OUT_OF_BOUNDS)
    check_range(s, destination, length, _size(s, memory), _OUT_OF_BOUNDS)
    to = builder.binary(ir.IADD, POINTER, _base(s, memory), destination)
    address = segment_field(s, s.layout.data, segment, "address")
    move_bytes(s, to, builder.binary(ir.IADD, POINTER, address, source), length)
    return pos


def data_drop(s: State, pos: int) -> int:
    segment, pos = read_u32(s.source, pos, s.end)
    drop_segment(s, s.layout.data, segment)
    return pos
