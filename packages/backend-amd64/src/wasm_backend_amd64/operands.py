"""Operands of machine instructions: places in the frame, packed addresses, labels."""

from __future__ import annotations

from wasm_backend_amd64 import assembler as asm
from wasm_backend_amd64.encodings import JCC_REL8, JCC_REL32, JMP_REL8, JMP_REL32, Encoding
from wasm_backend_amd64.registers import RBP, RSP
from wasm_ir.codegen.machinst import IN_ARG, OUT_ARG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_ir.codegen.emission import Emitter

#: Label references are 4 bytes relative to their own end; their kind is what to add to that, mostly nothing.
REL32: Final = 0
#: One byte relative to its own end.
REL8: Final = -128
#: The last bytes of the opcodes of jumps, of those with conditions for the first one: with 4 bytes and with one.
_JMP: Final = JMP_REL32[0]
_JCC: Final = JCC_REL32[0][1]
_JMP_SHORT: Final = JMP_REL8[0]
_JCC_SHORT: Final = JCC_REL8[0][0]

# MInst.imm of instructions with a memory operand: disp << 2 | shift. With an immediate besides:
# value << 34 | (disp as unsigned 32 bits) << 2 | shift. The last uses are the base and, if there is one, the index.


def pack_address(disp: int, shift: int) -> int:
    return disp << 2 | shift


def pack_value(address: int, value: int) -> int:
    """Add an immediate to a packed address."""
    return value << 34 | address & 0x3_FFFF_FFFF


def unpack_disp(packed: int) -> int:
    """The displacement of an address packed together with an immediate."""
    return ((packed >> 2 & 0xFFFF_FFFF) ^ 0x8000_0000) - 0x8000_0000


def frame_address(emitter: Emitter, location: int) -> tuple[int, int]:
    """Base register and displacement of a spill slot, an outgoing or an incoming word; the shorter of two encodings."""
    if location > OUT_ARG:
        frame = emitter.frame
        offset = frame.spill_offset + 8 * (-1 - location)
        from_top = offset - frame.size
        if from_top < -128 and offset <= 127:
            return RSP, offset
        return RBP, from_top
    if location > IN_ARG:
        return RSP, 8 * (OUT_ARG - location)
    return RBP, 16 + 8 * (IN_ARG - location)


def rm_frame(emitter: Emitter, enc: Encoding, reg: int, location: int) -> None:
    """An instruction on a register and a place in the frame."""
    base, disp = frame_address(emitter, location)
    asm.rm(emitter.code, enc, reg, base, -1, 0, disp)


def rm_constant(emitter: Emitter, enc: Encoding, reg: int, bits: int, size: int) -> None:
    """An instruction on a register and a constant of `size` bytes in the pool."""
    position = asm.rip(emitter.code, enc, reg)
    emitter.buffer.fixups.append((position, emitter.constant(bits, size), REL32 - enc.imm_size))


def mark_fault(emitter: Emitter, wasm_offset: int) -> None:
    """Note that the instruction about to be emitted may fault.

    Its row in the pc table must differ from that of a call that returns here.
    """
    buffer = emitter.buffer
    code = buffer.code
    if buffer.pcs and buffer.pcs[-1] == len(code):
        asm.nop(code, 1)
    buffer.pcs.append(len(code))
    buffer.wasm_offsets.append(wasm_offset)


def jump(emitter: Emitter, label: int) -> None:
    """jmp to a label; short when it is bound and near, see shorten_jumps for others."""
    code = emitter.code
    buffer = emitter.buffer
    target = buffer.labels[label]
    if target >= 0 and target - len(code) - 2 >= -128:
        code += JMP_REL8
        buffer.fixups.append((len(code), label, REL8))
        code.append(0)
        return
    code += JMP_REL32
    position = len(code)
    if target < 0:
        buffer.labels[label] = ~position
    buffer.fixups.append((position, label, REL32))
    code += b"\0\0\0\0"


def branch(emitter: Emitter, condition: int, label: int) -> None:
    """jcc to a label; short when it is bound and near, see shorten_jumps for others."""
    code = emitter.code
    buffer = emitter.buffer
    target = buffer.labels[label]
    if target >= 0 and target - len(code) - 2 >= -128:
        code += JCC_REL8[condition]
        buffer.fixups.append((len(code), label, REL8))
        code.append(0)
        return
    code += JCC_REL32[condition]
    position = len(code)
    if target < 0:
        buffer.labels[label] = ~position
    buffer.fixups.append((position, label, REL32))
    code += b"\0\0\0\0"


def shorten_jumps(emitter: Emitter, label: int, room: int) -> None:
    """Make jumps to a block's label, which is about to be bound, short where it is near enough.

    What comes between moves up; where something in it is aligned nothing does.
    """
    buffer = emitter.buffer
    code = emitter.code
    fixups = buffer.fixups
    settled = buffer.settled
    # The reach of a displacement of one byte, from the position of one of four.
    lowest = len(code) + room - 131
    if ~buffer.labels[label] < lowest:
        return
    number = len(fixups) - 1
    #: Numbers of their fixups, the last one first.
    found: list[int] = []
    while number >= 0:
        position, target, _ = fixups[number]
        if position < lowest or position < settled:
            break
        if target == label:
            found.append(number)
            lowest -= 3 if code[position - 1] == _JMP else 4
        number -= 1
    if not found:
        return
    #: Offsets in the code as it is, and how many bytes go there.
    gaps: list[tuple[int, int]] = []
    for number in found:
        position = fixups[number][0]
        fixups[number] = (position, label, REL8)
        gaps.append((position, 3))
        opcode = code[position - 1]
        if opcode == _JMP:
            code[position - 1] = _JMP_SHORT
            del code[position : position + 3]
        else:
            # The opcode has a byte less too.
            gaps.append((position - 1, 1))
            code[position - 2] = opcode - _JCC + _JCC_SHORT
            del code[position : position + 4]
    gaps.reverse()
    buffer.close_gaps(gaps, found[-1])
