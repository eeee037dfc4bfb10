"""Operands of machine instructions: places in the frame, constants, labels near and far."""

from __future__ import annotations

from wasm_backend_arm64 import assembler as asm
from wasm_backend_arm64 import encodings as e
from wasm_backend_arm64.encodings import FLOAT_IMMEDIATES32, FLOAT_IMMEDIATES64, UXTX, Access, indexed
from wasm_backend_arm64.registers import FRAME_POINTER, SCRATCH, SCRATCH2, SP
from wasm_ir import types
from wasm_ir.codegen.machinst import IN_ARG, OUT_ARG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_ir.codegen.emission import Emitter
    from wasm_ir.codegen.frame import Frame

# Kinds of label references: the instruction itself knows its format; an entry of a jump table is the distance from the
# table, which is added to what is there.
INSTRUCTION: Final = 0
TABLE_ENTRY: Final = 1
#: movz and movk of the distance from the position of an `adr` in front of them.
DISTANCE: Final = 2

# Values of Emitter.far: what may be too far away for the short forms of branches.
#: More than 32 KiB (tbz, tbnz).
FAR_BITS: Final = 1
#: More than 1 MiB (b.cond, cbz, cbnz, adr, literals).
FAR_ALL: Final = 2

_pack = asm.pack

#: By type: numbers that an instruction has room for, that instruction, the move from an integer register (of a vector's
#: lower half, the other cleared) and the load from the pool.
_FLOATS: Final = {
    types.F32: (FLOAT_IMMEDIATES32, e.FMOV_RF32, e.FMOV_RX32, e.LDR_FL32),
    types.F64: (FLOAT_IMMEDIATES64, e.FMOV_RF64, e.FMOV_RX64, e.LDR_FL64),
    # An immediate of fmov clears the upper half: the vector has these bits, too.
    types.V128: (FLOAT_IMMEDIATES64, e.FMOV_RF64, e.FMOV_RX64, e.LDR_FL128),
}


def is_compact(frame: Frame) -> bool:
    """Whether x29 and x30 are saved at the bottom of the frame, which then takes one instruction to make.

    Otherwise they are at its top: stack arguments of calls must be at the bottom.
    """
    return frame.spill_offset == 0 and frame.size <= 488


def frame_place(emitter: Emitter, location: int) -> tuple[int, int]:
    """Base register and offset of a spill slot, an outgoing or an incoming word."""
    frame = emitter.frame
    if location > OUT_ARG:
        offset = frame.spill_offset + 8 * (-1 - location)
        return SP, offset + 16 if is_compact(frame) else offset
    if location > IN_ARG:
        return SP, 8 * (OUT_ARG - location)
    offset = 16 + 8 * (IN_ARG - location)
    return FRAME_POINTER, offset + frame.size if is_compact(frame) else offset


def stack_slot_offset(emitter: Emitter, number: int) -> int:
    """Offset of an explicit stack slot from the stack pointer."""
    frame = emitter.frame
    offset = frame.stack_slot_offsets[number]
    return offset + 16 if is_compact(frame) else offset


def rm_frame(emitter: Emitter, access: Access, register: int, location: int) -> None:
    """An access of 8 or 16 bytes to a place in the frame. Uses x17 when it is far from the stack pointer."""
    base, offset = frame_place(emitter, location)
    if offset <= 0x7FF8:
        asm.rm(emitter.code, access, register, base, offset)
    else:
        asm.load_integer(emitter.code, SCRATCH2, offset)
        asm.rmx(emitter.code, access, register, base, SCRATCH2, indexed(UXTX, False))


def load_integer(emitter: Emitter, register: int, bits: int) -> None:
    """An unsigned 64-bit number: moves, or the pool where those would be longer. Changes no flags.

    Symbols are always in the pool, to be filled in (see Arm64Target.emit_data).
    """
    code = emitter.code
    if bits <= 0xFFFF:
        code += _pack(e.MOVZ_RI32.word | register | bits << 5)
        return
    is_symbol = False
    if emitter.function.symbols:
        from wasm_ir.symbols import symbol_number

        is_symbol = symbol_number(bits) >= 0
    start = len(code)
    asm.load_integer(code, register, bits)
    if is_symbol or (len(code) - start == 16 and emitter.far < FAR_ALL):
        del code[start:]
        emitter.buffer.refer(emitter.constant(bits, 8), INSTRUCTION)
        asm.branch_r(code, e.LDR_RL64, register)


def load_float(emitter: Emitter, register: int, bits: int, value_type: int) -> None:
    """A floating-point number or a vector. Uses x16."""
    code = emitter.code
    if bits == 0:
        asm.r_low(code, e.MOVI_ZERO_R, register)
        return
    immediates, immediate, move, load = _FLOATS[value_type]
    imm8 = immediates.get(bits)
    if imm8 is not None:
        asm.rf(code, immediate, register, imm8)
        return
    if value_type == types.V128 and _load_vector(emitter, register, bits):
        return
    low = bits & 0xFFFF_FFFF_FFFF_FFFF
    if emitter.far >= FAR_ALL or (low == bits and asm.integer_length(low) == 1):
        asm.load_integer(code, SCRATCH, low)
        asm.rr(code, move, register, SCRATCH)
        if low != bits:
            asm.load_integer(code, SCRATCH, bits >> 64)
            asm.rr(code, e.INS_RX64_HIGH, register, SCRATCH)
        return
    emitter.buffer.refer(emitter.constant(bits, types.BYTES[value_type]), INSTRUCTION)
    asm.branch_r(code, load, register)


def _load_vector(emitter: Emitter, register: int, bits: int) -> bool:
    """A vector that an instruction has room for, or whose upper half, which is zero, need not be in the pool."""
    # Most programs have none, and need not wait for the tables.
    from wasm_backend_arm64.vector_constants import immediate

    found = immediate(bits)
    if found is not None:
        emitter.code += _pack(found[0].word | found[1] | register & 31)
        return True
    if bits >> 64 == 0:
        load_float(emitter, register, bits, types.F64 if bits >> 32 else types.F32)
        return True
    return False


def mark_fault(emitter: Emitter, wasm_offset: int) -> None:
    """Note that the instruction about to be emitted may fault.

    Its row in the pc table must differ from that of a call that returns here.
    """
    buffer = emitter.buffer
    code = buffer.code
    if buffer.pcs and buffer.pcs[-1] == len(code):
        code += _pack(e.NOP)
    buffer.pcs.append(len(code))
    buffer.wasm_offsets.append(wasm_offset)


# Branches. `word` is an instruction without its label. Where the label may be out of its reach, the opposite condition
# jumps over a `b` instead; that is known for labels behind, and for labels ahead when emission has tried and failed.


def jump(emitter: Emitter, label: int) -> None:
    """b to a label."""
    buffer = emitter.buffer
    buffer.fixups.append((len(buffer.code), label, INSTRUCTION))
    buffer.code += _pack(e.B_L)


def _branch(emitter: Emitter, word: int, opposite: int, label: int, far: bool) -> None:
    buffer = emitter.buffer
    code = buffer.code
    position = len(code)
    target = buffer.labels[label]
    if target >= 0:
        far = position - target > asm.reach(word)
    if far:
        # Over two instructions: a distance of 8 bytes is 2 in the field of any of these.
        code += _pack(opposite | 2 << 5)
        jump(emitter, label)
    else:
        buffer.fixups.append((position, label, INSTRUCTION))
        code += _pack(word)


def branch(emitter: Emitter, condition: int, label: int) -> None:
    """b.cond to a label."""
    _branch(emitter, e.BCC_L | condition, e.BCC_L | condition ^ 1, label, emitter.far >= FAR_ALL)


def branch_zero(emitter: Emitter, word: int, register: int, label: int) -> None:
    """cbz or cbnz to a label."""
    word |= register & 31
    _branch(emitter, word, word ^ 1 << 24, label, emitter.far >= FAR_ALL)


def branch_bit(emitter: Emitter, word: int, register: int, bit: int, label: int) -> None:
    """tbz or tbnz to a label."""
    word |= register & 31 | (bit & 31) << 19 | (bit >> 5) << 31
    _branch(emitter, word, word ^ 1 << 24, label, emitter.far >= FAR_BITS)


def load_address(emitter: Emitter, register: int, label: int) -> None:
    """adr of a label. Uses x17 when that may be far."""
    buffer = emitter.buffer
    code = buffer.code
    if emitter.far < FAR_ALL:
        buffer.fixups.append((len(code), label, INSTRUCTION))
        code += _pack(e.ADR_RL | register)
        return
    code += _pack(e.ADR_RL | register)
    buffer.fixups.append((len(code), label, DISTANCE))
    code += _pack(e.MOVZ_RI64.word | SCRATCH2)
    code += _pack(e.MOVK_RI64.word | SCRATCH2 | 1 << 21)
    asm.rrr(code, e.ADD_RRX64, register, register, SCRATCH2, e.extended(e.SXTW))
