"""Linear memory: addresses, sizes, growing, and the bulk instructions.

Ranges are checked in 64-bit arithmetic, where the sum of two 32-bit numbers cannot overflow. The sum of 64-bit ones
can, so these are compared with what the size leaves.
"""

from __future__ import annotations

from wasm_core.errors import TrapCode
from wasm_core.leb128 import read_u32
from wasm_ir import opcodes as ir
from wasm_ir.frontend.state import State
from wasm_ir.ir import Inst, Signature
from wasm_ir.types import I32, I64, POINTER
from wasm_ir.vmcontext import BUILTIN_MEMORY_GROW, CONTEXT, GUARDED_ADDRESSES_64, GUARDED_OFFSETS, MEMORY, SEGMENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_OUT_OF_BOUNDS: Final = TrapCode.MEMORY_OUT_OF_BOUNDS.value
_LARGEST_OFFSET: Final = (1 << 32) - 1
#: No memory has so many bytes.
_TOO_FAR: Final = 1 << 63
#: What a check is made for, if not the size of a memory.
_INDEX_ALONE: Final = -1

#: A bulk instruction on a constant number of bytes up to this one takes no longer than a call.
_FEW_BYTES: Final = 4096
_MEMMOVE: Final = Signature((I64, I64, I64), ())
_MEMSET: Final = Signature((I64, I32, I64), ())

#: In the alignment of an access: a memory index follows. Alignments without it are less.
HAS_INDEX: Final = 0x40


def read_memory(s: State, pos: int) -> tuple[int, int]:
    """The memory that an access is to, and the position of its offset; `pos` is that of the alignment."""
    flags, pos = read_u32(s.source, pos, s.end)
    return read_u32(s.source, pos, s.end) if flags & HAS_INDEX else (0, pos)


def access(s: State, index: Inst, offset: int, size: int, memory: int = 0) -> tuple[Inst, int]:
    """Address and constant offset for a heap operation on `size` bytes at `index` plus `offset` of a memory."""
    if s.module.memories[memory].is64:
        return _access_64(s, index, offset, size, memory)
    builder = s.builder
    if s.options.explicit_bounds:
        last = builder.binary(ir.IADD, I64, builder.unary(ir.EXTEND_U, I64, index), builder.const(I64, offset + size))
        builder.trap_if(builder.icmp(ir.GT_U, last, _size(s, memory)), _OUT_OF_BOUNDS)
    if index.op == ir.CONST and index.imm + offset <= _LARGEST_OFFSET:
        return _base(s, memory), index.imm + offset
    if memory == 0:
        return builder.heap_address(index), offset
    return builder.binary(ir.IADD, POINTER, _base(s, memory), builder.unary(ir.EXTEND_U, I64, index)), offset


def _access_64(s: State, index: Inst, offset: int, size: int, memory: int) -> tuple[Inst, int]:
    """As `access`, for an i64 `index`: the sum may be more than 64 bits."""
    builder = s.builder
    memory_type = s.module.memories[memory]
    end = offset + size
    explicit = s.options.explicit_bounds
    if index.op == ir.CONST:
        offset += index.imm
        end += index.imm
        if end > _TOO_FAR or (not explicit and end > GUARDED_ADDRESSES_64 + GUARDED_OFFSETS):
            return _always_out_of_bounds(s, memory)
        if explicit and end > memory_type.minimum * memory_type.page_size:
            builder.trap_if(builder.icmp(ir.LT_U, _size(s, memory), builder.const(I64, end)), _OUT_OF_BOUNDS)
        address = _base(s, memory)
    else:
        if end > _TOO_FAR:
            return _always_out_of_bounds(s, memory)
        if explicit or offset >= GUARDED_OFFSETS:
            # A check also holds for ends in front of its own.
            if builder.needs_check(memory, index, end, _TOO_FAR):
                limit = builder.const(I64, end)
                space = _size(s, memory)
                if end > memory_type.minimum * memory_type.page_size:
                    builder.trap_if(builder.icmp(ir.LT_U, space, limit), _OUT_OF_BOUNDS)
                last = builder.binary(ir.ISUB, I64, space, limit)
                builder.trap_if(builder.icmp(ir.GT_U, index, last), _OUT_OF_BOUNDS)
        else:
            # A check also holds for indices behind its own, at a distance that guard pages take care of.
            root = index
            distance = 0
            if index.op == ir.IADD and index.args[1].op == ir.CONST:
                root = index.args[0]
                distance = index.args[1].imm
            if builder.needs_check(_INDEX_ALONE, root, -distance, GUARDED_OFFSETS - offset):
                too_large = builder.icmp(ir.GT_U, index, builder.const(I64, GUARDED_ADDRESSES_64 - 1))
                builder.trap_if(too_large, _OUT_OF_BOUNDS)
        address = builder.binary(ir.IADD, POINTER, _base(s, memory), index)
    if offset <= _LARGEST_OFFSET:
        return address, offset
    return builder.binary(ir.IADD, POINTER, address, builder.const(I64, offset)), 0


def _always_out_of_bounds(s: State, memory: int) -> tuple[Inst, int]:
    s.builder.trap_if(s.builder.const(I32, 1), _OUT_OF_BOUNDS)
    # Never used: what follows is still built.
    return _base(s, memory), 0


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


def widened(s: State, value: Inst) -> Inst:
    """An address, a length or the like, i32 or i64, as i64."""
    return value if value.type == I64 else s.builder.unary(ir.EXTEND_U, I64, value)


def pop_address(s: State) -> Inst:
    """Pop such a value, as i64."""
    return widened(s, s.stack.pop())


def push_size(s: State, size: Inst, is64: bool) -> None:
    """Push an i64 as what sizes of a memory or table are: i64 if its addresses are."""
    s.stack.append(size if is64 else s.builder.unary(ir.WRAP, I32, size))


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


def memory_size(s: State, pos: int) -> int:
    memory, pos = read_u32(s.source, pos, s.end)
    builder = s.builder
    page_bits = s.module.memories[memory].page_size.bit_length() - 1
    pages = builder.binary(ir.SHR_U, I64, _size(s, memory), builder.const(I64, page_bits))
    push_size(s, pages, s.module.memories[memory].is64)
    return pos


def memory_grow(s: State, pos: int) -> int:
    memory, pos = read_u32(s.source, pos, s.end)
    builder = s.builder
    pages = pop_address(s)
    previous = s.builtin(BUILTIN_MEMORY_GROW, builder.const(I64, memory), pages, builder.const(I64, 0))
    if s.fuel is not None:
        from wasm_ir.frontend.fuel import charge_growth

        charge_growth(s, pages, previous)
    push_size(s, previous, s.module.memories[memory].is64)
    return pos


def memory_copy(s: State, pos: int) -> int:
    target, pos = read_u32(s.source, pos, s.end)
    origin, pos = read_u32(s.source, pos, s.end)
    builder = s.builder
    destination, source, length = pop_range(s)
    target_size = _size(s, target)
    origin_size = target_size if origin == target else _size(s, origin)
    check_range(s, source, length, origin_size, _OUT_OF_BOUNDS, s.module.memories[origin].is64)
    check_range(s, destination, length, target_size, _OUT_OF_BOUNDS, s.module.memories[target].is64)
    if s.fuel is not None:
        from wasm_ir.frontend.fuel import charge_bulk

        charge_bulk(s, length)
    to = builder.binary(ir.IADD, I64, _base(s, target), destination)
    move_bytes(s, to, builder.binary(ir.IADD, I64, _base(s, origin), source), length)
    return pos


def memory_fill(s: State, pos: int) -> int:
    memory, pos = read_u32(s.source, pos, s.end)
    builder = s.builder
    length = pop_address(s)
    value = s.stack.pop()
    destination = pop_address(s)
    check_range(s, destination, length, _size(s, memory), _OUT_OF_BOUNDS, s.module.memories[memory].is64)
    if s.fuel is not None:
        from wasm_ir.frontend.fuel import charge_bulk

        charge_bulk(s, length)
    address = builder.binary(ir.IADD, I64, _base(s, memory), destination)
    _call_bulk(s, "memset", _MEMSET, (address, value, length))
    return pos


def memory_init(s: State, pos: int) -> int:
    segment, pos = read_u32(s.source, pos, s.end)
    memory, pos = read_u32(s.source, pos, s.end)
    builder = s.builder
    destination, source, length = pop_range(s)
    check_range(s, source, length, segment_field(s, s.layout.data, segment, "length"), _OUT_OF_BOUNDS, False)
    check_range(s, destination, length, _size(s, memory), _OUT_OF_BOUNDS, s.module.memories[memory].is64)
    if s.fuel is not None:
        from wasm_ir.frontend.fuel import charge_bulk

        charge_bulk(s, length)
    to = builder.binary(ir.IADD, POINTER, _base(s, memory), destination)
    address = segment_field(s, s.layout.data, segment, "address")
    move_bytes(s, to, builder.binary(ir.IADD, POINTER, address, source), length)
    return pos


def data_drop(s: State, pos: int) -> int:
    segment, pos = read_u32(s.source, pos, s.end)
    drop_segment(s, s.layout.data, segment)
    return pos
