"""Functions that append encoded instructions to a bytearray.

Registers are hardware numbers: 0..15 are rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8..r15; 16..31 are xmm0..xmm15.
Operands come destination first. A memory operand is four arguments, [base + (index << shift) + disp]: `base` and
`index` are registers or -1 for none (`index` is never rsp), `shift` is 0..3 (not 1, 2, 4, 8), `disp` is a signed 32-bit
number. Displacements and immediates that do not fit raise struct.error or ValueError.
"""

from __future__ import annotations

from struct import Struct

from wasm_backend_amd64.encodings import (
    CALL_REL32,
    JCC_REL8,
    JCC_REL32,
    JMP_REL8,
    JMP_REL32,
    NOPS,
    Encoding,
    VexEncoding,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 = range(16)
XMM0, XMM1, XMM2, XMM3, XMM4, XMM5, XMM6, XMM7 = range(16, 24)
XMM8, XMM9, XMM10, XMM11, XMM12, XMM13, XMM14, XMM15 = range(24, 32)

_I32: Final = Struct("<i")
_pack_i32: Final = _I32.pack
# The two that ModRM and SIB treat differently, as constants for the compiler.
_RSP: Final = 4
_RBP: Final = 5
#: In the keys of `Encoding.places`: with a displacement of four bytes, which comes behind.
_FAR: Final = 1 << 24


def rr(code: bytearray, enc: Encoding, first: int, second: int) -> None:
    """Two registers: first is the destination."""
    encoded = enc.pairs.get((first & 15) << 4 | second & 15)
    code += enc.pair(first, second) if encoded is None else encoded


def rri(code: bytearray, enc: Encoding, first: int, second: int, imm: int) -> None:
    """Two registers and an immediate."""
    if -128 <= imm <= 127:
        enc = enc.short
    encoded = enc.pairs.get((first & 15) << 4 | second & 15)
    code += enc.pair(first, second) if encoded is None else encoded
    code += enc.pack(imm)


def rm(code: bytearray, enc: Encoding, reg: int, base: int, index: int, shift: int, disp: int) -> None:
    """A register and memory, whichever is the destination."""
    if index == _RSP:
        raise ValueError("rsp cannot be an index")
    if base >= 0:
        place = (index + 1 << 2 | shift) << 16 | (reg & 15) << 12 | base << 8
        if -128 <= disp <= 127:
            encoded = enc.places.get(place | disp & 0xFF)
            code += _near(enc, place, disp) if encoded is None else encoded
        else:
            encoded = enc.places.get(place | _FAR)
            code += _far(enc, place) if encoded is None else encoded
            code += _pack_i32(disp)
        return
    if index < 0:
        # An absolute address: SIB without base and index (ModRM alone would be relative to rip).
        code += (enc.heads or enc.make_heads())[reg & 12]
        code.append((reg & 7) << 3 | 4)
        code.append(0x25)
    else:
        code += (enc.heads or enc.make_heads())[reg & 12 | index >> 2 & 2]
        code.append((reg & 7) << 3 | 4)
        code.append(shift << 6 | (index & 7) << 3 | 5)
    code += _pack_i32(disp)


def _near(enc: Encoding, place: int, disp: int) -> bytes:
    """Bytes of the form with a register and memory at a displacement of a byte; remembered in `places`."""
    if disp == 0 and place >> 8 & 7 != _RBP:
        encoded = _to_place(enc, place, 0)
    else:
        encoded = _to_place(enc, place, 1) + bytes((disp & 0xFF,))
    enc.places[place | disp & 0xFF] = encoded
    return encoded


def _far(enc: Encoding, place: int) -> bytes:
    """The same up to a displacement of four bytes."""
    encoded = enc.places[place | _FAR] = _to_place(enc, place, 2)
    return encoded


def _to_place(enc: Encoding, place: int, mod: int) -> bytes:
    """What stands in front of the displacement, whose size `mod` says. `place`: as `rm` packs it."""
    base = place >> 8 & 15
    reg = place >> 12 & 15
    scaled = place >> 16
    modrm = mod << 6 | (reg & 7) << 3
    if scaled < 4:
        head = (enc.heads or enc.make_heads())[reg & 12 | base >> 3]
        return head + bytes((modrm | 4, 0x24) if base & 7 == _RSP else (modrm | base & 7,))
    index = (scaled >> 2) - 1
    sib = (scaled & 3) << 6 | (index & 7) << 3 | base & 7
    return (enc.heads or enc.make_heads())[reg & 12 | index >> 2 & 2 | base >> 3] + bytes((modrm | 4, sib))


def rmi(code: bytearray, enc: Encoding, reg: int, base: int, index: int, shift: int, disp: int, imm: int) -> None:
    """A register, memory and an immediate."""
    if -128 <= imm <= 127:
        enc = enc.short
    rm(code, enc, reg, base, index, shift, disp)
    code += enc.pack(imm)


def r(code: bytearray, enc: Encoding, reg: int) -> None:
    """One register."""
    code += (enc.singles or enc.make_singles())[reg & 15]


def m(code: bytearray, enc: Encoding, base: int, index: int, shift: int, disp: int) -> None:
    """One memory operand."""
    rm(code, enc, enc.digit, base, index, shift, disp)


def ri(code: bytearray, enc: Encoding, reg: int, imm: int) -> None:
    """A register and an immediate."""
    if -128 <= imm <= 127:
        enc = enc.short
    code += (enc.singles or enc.make_singles())[reg & 15]
    code += enc.pack(imm)


def mi(code: bytearray, enc: Encoding, base: int, index: int, shift: int, disp: int, imm: int) -> None:
    """A memory operand and an immediate."""
    if -128 <= imm <= 127:
        enc = enc.short
    rm(code, enc, enc.digit, base, index, shift, disp)
    code += enc.pack(imm)


def rip(code: bytearray, enc: Encoding, reg: int) -> int:
    """A register and [rip + disp32]. Returns the position of the displacement, to be filled in by patch_rel32.

    Displacements count from the end of the instruction, so the placeholder is minus the size of the immediate that
    the encoding has (zero for most) and the immediate is the caller's to append.
    """
    code += (enc.heads or enc.make_heads())[reg & 12]
    code.append((reg & 7) << 3 | 5)
    position = len(code)
    code += _pack_i32(-enc.imm_size)
    return position


def rip_m(code: bytearray, enc: Encoding) -> int:
    """One operand, [rip + disp32]. Returns the position of the displacement, to be filled in by patch_rel32."""
    return rip(code, enc, enc.digit)


def rrr(code: bytearray, enc: VexEncoding, first: int, second: int, third: int) -> None:
    """Three registers. With memory instead: rm and the like with `enc.source(second)`."""
    if enc.operands == "wrv":
        rr(code, enc.source(third), first, second)
    else:
        rr(code, enc.source(second), first, third)


def jmp32(code: bytearray) -> int:
    """jmp; returns the position of its displacement of 4 bytes, to be filled in by patch_rel32."""
    code += JMP_REL32
    code += b"\0\0\0\0"
    return len(code) - 4


def jcc32(code: bytearray, condition: int) -> int:
    """Conditional jump; returns the position of its displacement of 4 bytes, to be filled in by patch_rel32."""
    code += JCC_REL32[condition]
    code += b"\0\0\0\0"
    return len(code) - 4


def call32(code: bytearray) -> int:
    """call; returns the position of its displacement of 4 bytes, to be filled in by patch_rel32."""
    code += CALL_REL32
    code += b"\0\0\0\0"
    return len(code) - 4


def jmp8(code: bytearray) -> int:
    """jmp; returns the position of its displacement of 1 byte, to be filled in by patch_rel8."""
    code += JMP_REL8
    code.append(0)
    return len(code) - 1


def jcc8(code: bytearray, condition: int) -> int:
    """Conditional jump; returns the position of its displacement of 1 byte, to be filled in by patch_rel8."""
    code += JCC_REL8[condition]
    code.append(0)
    return len(code) - 1


def put_i32(code: bytearray, position: int, number: int) -> None:
    """Overwrite 4 bytes with a signed number."""
    _I32.pack_into(code, position, number)


def patch_rel32(code: bytearray, position: int, target: int) -> None:
    """Make the displacement at `position` refer to `target` (offsets in `code`, or both in one address space).

    Adds to what is there (see rip), so a place can be patched once only.
    """
    _I32.pack_into(code, position, _I32.unpack_from(code, position)[0] + target - position - 4)


def patch_rel8(code: bytearray, position: int, target: int) -> None:
    """The same for a displacement of one byte. Raises ValueError when the target is too far."""
    displacement = target - position - 1
    if not -128 <= displacement <= 127:
        raise ValueError(f"jump over {displacement} bytes does not fit in a byte")
    code[position] = displacement & 0xFF


def nop(code: bytearray, size: int) -> None:
    """`size` bytes that do nothing, in as few instructions as possible."""
    while size > 9:
        code += NOPS[9]
        size -= 9
    code += NOPS[size]
