"""Every encoding against capstone, operands swept: the disassembly must be the text that we meant."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from wasm_backend_amd64 import assembler as asm
from wasm_backend_amd64 import encodings as enc
from wasm_backend_amd64 import float_encodings as scalar
from wasm_backend_amd64 import vector_encodings as vec

capstone = pytest.importorskip("capstone", reason="capstone is not installed")

ADDRESS = 0x10000

# mnemonic, or the constant's prefix=mnemonic | the constant's suffix and its operands | ...
# r8 to r64: integer registers; x: xmm; m8 to m128: memory; i8 to i64: immediate; others stand for themselves.
TABLE = """
and or | RR8 r8 r8
cmp test | MI8 m8 i8
add or and sub xor cmp | RR32 r32 r32 | RM32 r32 m32 | MR32 m32 r32 | RI32 r32 i32 | MI32 m32 i32
add or adc sbb and sub xor cmp | RR64 r64 r64 | RM64 r64 m64 | MR64 m64 r64 | RI64 r64 s32 | MI64 m64 s32
test | RR32 r32 r32 | MR32 m32 r32 | RI32 r32 i32 | MI32 m32 i32
test | RR64 r64 r64 | MR64 m64 r64 | RI64 r64 s32 | MI64 m64 s32
not neg mul imul div idiv dec | R32 r32 | M32 m32 | R64 r64 | M64 m64
imul | RR32 r32 r32 | RM32 r32 m32 | RRI32 r32 r32 i32 | RMI32 r32 m32 i32
imul | RR64 r64 r64 | RM64 r64 m64 | RRI64 r64 r64 s32 | RMI64 r64 m64 s32
rol ror shl shr sar | RI32 r32 u8 | MI32 m32 u8 | R32 r32 cl | M32 m32 cl
rol ror shl shr sar | RI64 r64 u8 | MI64 m64 u8 | R64 r64 cl | M64 m64 cl
shr | R1_64 r64 1 | M1_64 m64 1
shlx sarx shrx andn | RRR32 r32 r32 r32 | RRR64 r64 r64 r64
rorx | RRI32 r32 r32 u8 | RRI64 r64 r64 u8
bsf bsr tzcnt lzcnt popcnt | RR32 r32 r32 | RM32 r32 m32 | RR64 r64 r64 | RM64 r64 m64
mov | MR8 m8 r8 | MR16 m16 r16 | MI8 m8 i8 | MI16 m16 i16
mov | RR32 r32 r32 | RM32 r32 m32 | MR32 m32 r32 | MI32 m32 i32 | RI32 r32 i32
mov | RR64 r64 r64 | RM64 r64 m64 | MR64 m64 r64 | MI64 m64 s32 | RI64_S32 r64 s32
lock_cmpxchg | MR64 m64 r64
mov=movabs | RI64 r64 i64
movzx8=movzx | RR32 r32 r8 | RM32 r32 m8
movzx16=movzx | RR32 r32 r16 | RM32 r32 m16
movsx8=movsx | RR32 r32 r8 | RM32 r32 m8 | RR64 r64 r8 | RM64 r64 m8
movsx16=movsx | RR32 r32 r16 | RM32 r32 m16 | RR64 r64 r16 | RM64 r64 m16
movsxd | RR64 r64 r32 | RM64 r64 m32
lea | RM32 r32 m0 | RM64 r64 m0
push pop | R r64
call jmp | R r64 | M m64
movss | RR x x | RM x m32 | MR m32 x
movsd | RR x x | RM x m64 | MR m64 x
movaps movups | RR x x | RM x m128 | MR m128 x
movd | XR x r32 | RX r32 x | RM x m32 | MR m32 x
movq | XR x r64 | RX r64 x | RR x x | RM x m64 | MR m64 x
addss subss mulss divss minss maxss sqrtss ucomiss cvtss2sd | RR x x | RM x m32
addsd subsd mulsd divsd minsd maxsd sqrtsd ucomisd cvtsd2ss | RR x x | RM x m64
andps andpd andnps andnpd orps orpd xorps xorpd | RR x x | RM x m128
cmpss | RRI x x p | RMI x m32 p
cmpsd | RRI x x p | RMI x m64 p
roundss | RRI x x u8 | RMI x m32 u8
roundsd | RRI x x u8 | RMI x m64 u8
cvtsi2ss cvtsi2sd | RR32 x r32 | RM32 x m32 | RR64 x r64 | RM64 x m64
cvttss2si | RR32 r32 x | RM32 r32 m32 | RR64 r64 x | RM64 r64 m32
cvttsd2si | RR32 r32 x | RM32 r32 m64 | RR64 r64 x | RM64 r64 m64
"""
#: The rows by name.
TABLES = {
    name: row
    for table in (enc, scalar)
    for name, row in vars(table).items()
    if isinstance(row, enc.Encoding) and name[0] != "_"
}
CONDITIONS = ["o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g"]
PREDICATES = ["eq", "lt", "le", "unord", "neq", "nlt", "nle", "ord"]

_R64 = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"]
_HIGH = [f"r{n}" for n in range(8, 16)]
NAMES = {
    "r64": _R64,
    "r32": [f"e{n[1:]}" for n in _R64[:8]] + [n + "d" for n in _HIGH],
    "r16": [n[1:] for n in _R64[:8]] + [n + "w" for n in _HIGH],
    "r8": ["al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"] + [n + "b" for n in _HIGH],
    "x": [f"xmm{n}" for n in range(16)],
}
SIZES = {"m0": "", "m8": "byte", "m16": "word", "m32": "dword", "m64": "qword", "m128": "xmmword"}

DISPLACEMENTS = (0, 1, -1, 127, 128, -128, -129, 2**31 - 1, -(2**31))
IMMEDIATES = {
    "u8": (0, 1, 31, 63, 127, 128, 255),
    "i8": (0, 1, -1, 127, -128, 128, 255),
    "i16": (0, -1, 127, 128, -129, 0x7FFF, -0x8000, 0xFFFF),
    "i32": (0, 1, -1, 127, 128, -128, -129, 2**31 - 1, -(2**31), 2**32 - 1),
    "s32": (0, 1, -1, 127, 128, -128, -129, 2**31 - 1, -(2**31)),
    "i64": (0, 1, -1, 127, -129, 2**31, 2**32 - 1, 2**63 - 1, -(2**63), 2**64 - 1),
    "p": tuple(range(8)),
}
IMMEDIATE_BITS = {"u8": 8, "i8": 8, "i16": 16, "i32": 32, "i64": 64}

Memory = tuple[int, int, int, int]
#: All addressing forms with every base and index.
ALL_MEMORY: list[Memory] = [
    (base, index, shift, disp)
    for base in range(-1, 16)
    for index in range(-1, 16)
    if index != asm.RSP
    for shift in range(4 if index >= 0 else 1)
    for disp in DISPLACEMENTS
]
#: The special cases of ModRM and SIB with every displacement, for each encoding.
SOME_MEMORY: list[Memory] = [
    (base, index, shift, disp)
    for base, index, shift in (
        (-1, -1, 0), (-1, 0, 2), (-1, 13, 3), (0, -1, 0), (3, -1, 0), (4, -1, 0), (5, -1, 0), (8, -1, 0), (12, -1, 0),
        (13, -1, 0), (4, 5, 0), (5, 12, 1), (12, 13, 2), (13, 8, 3), (7, 9, 2), (15, 6, 1),
    )
    for disp in DISPLACEMENTS
]  # fmt: skip


def rows() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """(constant, mnemonic, operand kinds)"""
    for line in TABLE.strip().splitlines():
        heads, *forms = line.split("|")
        for head in heads.split():
            prefix, _, mnemonic = head.partition("=")
            for form in forms:
                suffix, *kinds = form.split()
                yield f"{prefix.upper()}_{suffix}", mnemonic or prefix.replace("_", " "), tuple(kinds)


ROWS = list(rows())


def number(value: int) -> str:
    """As capstone prints numbers: small ones in decimal."""
    return str(value) if value <= 9 else f"{value:#x}"


def memory_text(kind: str, memory: Memory) -> str:
    base, index, shift, disp = memory
    terms = [_R64[base]] if base >= 0 else []
    if index >= 0:
        terms.append(f"{_R64[index]}*{1 << shift}" if shift else _R64[index])
    if not terms:
        text = number(disp & (2**64 - 1))
    elif disp:
        text = f"{' + '.join(terms)} {'-' if disp < 0 else '+'} {number(abs(disp))}"
    else:
        text = " + ".join(terms)
    return f"{SIZES[kind]} ptr [{text}]" if SIZES[kind] else f"[{text}]"


class Sweep:
    """Collects emitted instructions with the texts expected for them, and checks them all at once."""

    def __init__(self) -> None:
        self.code = bytearray()
        self.expected: list[tuple[str, int | None, int]] = []

    def expect(self, text: str, imm: int | None = None, bits: int = 64) -> None:
        """`text` without the immediate, which is compared modulo 2**bits because capstone shows some as signed."""
        self.expected.append((text, None if imm is None else imm & ((1 << bits) - 1), bits))

    def check(self) -> int:
        decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
        position = count = 0
        for at, size, mnemonic, operands in decoder.disasm_lite(bytes(self.code), ADDRESS):
            text, imm, bits = self.expected[count]
            found = f"{mnemonic} {operands}".rstrip()
            if imm is not None:
                found, _, last = found.rpartition(", ")
                assert int(last, 0) & ((1 << bits) - 1) == imm, f"{text}, {imm:#x}: {last}"
            start = at - ADDRESS
            assert found == text, self.code[start : start + size].hex()
            position = start + size
            count += 1
        assert position == len(self.code), f"not an instruction: {self.code[position : position + 15].hex()}"
        assert count == len(self.expected)
        return count


def emit(
    sweep: Sweep, name: str, mnemonic: str, kinds: tuple[str, ...], regs: list[int], memory: Memory, imm: int
) -> None:
    """Emit one instruction by the function that belongs to its operands. `regs`: numbers of the register operands."""
    encoding = TABLES[name]
    emit_form(sweep, encoding, mnemonic, kinds, regs, memory, imm)


def emit_form(
    sweep: Sweep,
    encoding: enc.Encoding,
    mnemonic: str,
    kinds: tuple[str, ...],
    regs: list[int],
    memory: Memory,
    imm: int,
) -> None:
    code = sweep.code
    numbers = iter(regs)
    texts = []
    registers = []
    shape = ""
    imm_kind = ""
    for kind in kinds:
        if kind in NAMES:
            reg = next(numbers)
            registers.append(reg + 16 if kind == "x" else reg)
            texts.append(NAMES[kind][reg])
            shape += "r"
        elif kind in SIZES:
            texts.append(memory_text(kind, memory))
            shape += "m"
        elif kind in IMMEDIATES:
            imm_kind = kind
            shape += "i"
        else:
            texts.append(kind)
    if shape == "rr":
        asm.rr(code, encoding, registers[0], registers[1])
    elif shape in ("rm", "mr"):
        asm.rm(code, encoding, registers[0], *memory)
    elif shape == "r":
        asm.r(code, encoding, registers[0])
    elif shape == "m":
        asm.m(code, encoding, *memory)
    elif shape == "ri":
        asm.ri(code, encoding, registers[0], imm)
    elif shape == "mi":
        asm.mi(code, encoding, *memory, imm)
    elif shape == "rri":
        asm.rri(code, encoding, registers[0], registers[1], imm)
    else:
        assert shape == "rmi"
        asm.rmi(code, encoding, registers[0], *memory, imm)
    if imm_kind == "p":
        mnemonic = mnemonic[:3] + PREDICATES[imm] + mnemonic[3:]
        imm_kind = ""
    text = f"{mnemonic} {', '.join(texts)}"
    if imm_kind:
        bits = IMMEDIATE_BITS.get(imm_kind, 64)
        sweep.expect(text, imm, bits)
    else:
        sweep.expect(text)


def test_the_table_names_every_encoding() -> None:
    """Each constant of these files is in the table above or has a test of its own."""
    assert TABLES.keys() == {name for name, _, _ in ROWS}


def test_register_forms() -> None:
    sweep = Sweep()
    for name, mnemonic, kinds in ROWS:
        if any(kind in SIZES for kind in kinds) or "v" in TABLES[name].operands:
            continue
        count = sum(kind in NAMES for kind in kinds)
        imms = next((IMMEDIATES[kind] for kind in kinds if kind in IMMEDIATES), (0,))
        for number_ in range(16**count):
            regs = [number_ >> 4, number_ & 15] if count == 2 else [number_]
            emit(sweep, name, mnemonic, kinds, regs, (0, -1, 0, 0), imms[number_ % len(imms)])
        for imm in imms:
            emit(sweep, name, mnemonic, kinds, [3, 12][:count], (0, -1, 0, 0), imm)
    assert sweep.check() > 20_000


def test_memory_forms_of_every_encoding() -> None:
    sweep = Sweep()
    for name, mnemonic, kinds in ROWS:
        if not any(kind in SIZES for kind in kinds):
            continue
        imms = next((IMMEDIATES[kind] for kind in kinds if kind in IMMEDIATES), (0,))
        for n, memory in enumerate(SOME_MEMORY):
            # 5 and 16 have no common factor, so that all registers take their turn.
            emit(sweep, name, mnemonic, kinds, [5 * n & 15], memory, imms[n % len(imms)])
        for n in range(16 * len(imms)):
            emit(sweep, name, mnemonic, kinds, [n & 15], SOME_MEMORY[n % len(SOME_MEMORY)], imms[n >> 4])
    assert sweep.check() > 20_000


@pytest.mark.parametrize("name", ["MOV_RM64", "MOV_MR8", "ADDSD_RM", "CMP_MI32"])
def test_every_addressing_form(name: str) -> None:
    """One encoding of each kind with all bases, indices, scales and displacements."""
    sweep = Sweep()
    mnemonic, kinds = next((mnemonic, kinds) for known, mnemonic, kinds in ROWS if known == name)
    for n, memory in enumerate(ALL_MEMORY):
        emit(sweep, name, mnemonic, kinds, [n % 16], memory, n % 300)
    sweep.check()


def test_vex_forms() -> None:
    sweep = Sweep()
    for name, mnemonic, kinds in ROWS:
        encoding = TABLES[name]
        if "v" not in encoding.operands:
            continue
        names = NAMES[kinds[0]]
        for first in range(16):
            for second in range(16):
                third = 7 * (first + second) & 15
                asm.rrr(sweep.code, encoding, first, second, third)
                sweep.expect(f"{mnemonic} {names[first]}, {names[second]}, {names[third]}")
    assert sweep.check() == 8 * 256


#: Vector instructions with an operand that is an integer register: which one, and its kind.
INTEGER_OPERANDS = {
    "PINSRB": (1, "r32"),
    "PINSRW": (1, "r32"),
    "PINSRD": (1, "r32"),
    "PINSRQ": (1, "r64"),
    "PEXTRB": (0, "r32"),
    "PEXTRW": (0, "r32"),
    "PEXTRD": (0, "r32"),
    "PEXTRQ": (0, "r64"),
    "PMOVMSKB": (0, "r32"),
    "MOVMSKPS": (0, "r32"),
    "MOVMSKPD": (0, "r32"),
}


#: Rows that are for memory alone: on registers the same bytes are another instruction, or one of another processor.
MEMORY_ALONE = ("MOVLPS_RM", "MOVHPS_RM", "MOVHPS_MR", "VBROADCASTSS_RM")


def vector_rows() -> Iterator[tuple[str, enc.Encoding]]:
    """Every row of vector_encodings.py and the VEX form of each that has another."""
    for name, row in vars(vec).items():
        if isinstance(row, enc.Encoding):
            yield name, row
            if not isinstance(row, enc.VexEncoding):
                yield name, enc.vex(row)


def vector_text(row: enc.Encoding, operands: list[str], imm: int) -> tuple[str, int | None]:
    """The text of an instruction, and the immediate that comes behind it."""
    mnemonic = row.name
    if "cmpp" in mnemonic:
        return f"{mnemonic[:-2]}{PREDICATES[imm & 7]}{mnemonic[-2:]} {', '.join(operands)}", None
    return f"{mnemonic} {', '.join(operands)}", imm if "i" in row.operands else None


def test_vector_rows() -> None:
    """Each row on registers and with memory in every place that it allows, with and without VEX."""
    sweep = Sweep()
    sizes = {1: "m8", 2: "m16", 4: "m32", 8: "m64", 16: "m128"}
    for name, row in vector_rows():
        place, kind = INTEGER_OPERANDS.get(name, (-1, "x"))
        predicate = name.startswith("CMPP")
        # In the text a VEX instruction has all operands, and one without has its tied operand once.
        vex_source = "v" in row.operands
        for n in range(16 * 16):
            first, second, third, fourth = n >> 4, n & 15, 7 * n + (n >> 4) & 15, 11 * n + (n >> 4) & 15
            imm = (37 * n & 255) if not predicate else n & 7
            if isinstance(row, enc.VexEncoding):
                v = first if row.operands[0] == "V" else second if vex_source else 0
                encoding = row.source(v)
            else:
                encoding = row
            texts = [NAMES[kind if place == 0 else "x"][first], NAMES[kind if place == 1 else "x"][third]]
            if vex_source:
                texts.insert(1, NAMES["x"][second])
            mask = row.operands[-1] == "k"
            start = len(sweep.code)
            if row.digit >= 0:
                if isinstance(row, enc.VexEncoding):
                    asm.ri(sweep.code, encoding, third, imm)
                else:
                    asm.ri(sweep.code, encoding, first, imm)
                    texts.pop()
            elif "i" in row.operands:
                asm.rri(sweep.code, encoding, first, third, imm)
            else:
                asm.rr(sweep.code, encoding, first, third)
            if mask:
                sweep.code += encoding.pack(fourth << 4)
                texts.append(NAMES["x"][fourth])
            if name in MEMORY_ALONE:
                del sweep.code[start:]
            elif not name.endswith("_MR"):
                text, last = vector_text(row, texts, imm)
                sweep.expect(text, last, 8)
            else:
                sweep.expect(f"{row.name} {', '.join(texts)}")
            if not row.memory:
                continue
            memory = SOME_MEMORY[n % len(SOME_MEMORY)]
            texts[0 if row.flags & enc.RM_FIRST else -2 if mask else -1] = memory_text(sizes[row.memory], memory)
            register = first
            if row.flags & enc.RM_FIRST:
                register = third
            if "i" in row.operands:
                asm.rmi(sweep.code, encoding, register, *memory, imm)
            else:
                asm.rm(sweep.code, encoding, register, *memory)
            if mask:
                sweep.code += encoding.pack(fourth << 4)
            text, last = vector_text(row, texts, imm)
            sweep.expect(text, last, 8)
    assert sweep.check() > 50_000


@pytest.mark.parametrize("condition", range(16))
def test_conditional_instructions(condition: int) -> None:
    sweep = Sweep()
    suffix = CONDITIONS[condition]
    assert condition == getattr(enc, f"CC_{suffix.upper()}")
    for register in range(16):
        other = 15 - register
        for rr, rm, kind in ((enc.CMOV_RR32, enc.CMOV_RM32, "32"), (enc.CMOV_RR64, enc.CMOV_RM64, "64")):
            emit_form(
                sweep, rr[condition], "cmov" + suffix, ("r" + kind, "r" + kind), [register, other], (0, 0, 0, 0), 0
            )
            memory = (other, 12, 1, register)
            emit_form(sweep, rm[condition], "cmov" + suffix, ("r" + kind, "m" + kind), [register], memory, 0)
        emit_form(sweep, enc.SET_R8[condition], "set" + suffix, ("r8",), [register], (0, 0, 0, 0), 0)
        emit_form(sweep, enc.SET_M8[condition], "set" + suffix, ("m8",), [], (register, -1, 0, 5), 0)
    position = asm.jcc8(sweep.code, condition)
    asm.patch_rel8(sweep.code, position, position + 1 - 0x10)
    sweep.expect("j" + suffix, ADDRESS + position + 1 - 0x10)
    position = asm.jcc32(sweep.code, condition)
    asm.patch_rel32(sweep.code, position, position + 4 + 0x12345)
    sweep.expect("j" + suffix, ADDRESS + position + 4 + 0x12345)
    for at, (text, imm, bits) in enumerate(sweep.expected[-2:], len(sweep.expected) - 2):
        # A target is the only operand: no comma before it.
        assert imm is not None
        sweep.expected[at] = (f"{text} {imm:#x}", None, bits)
    sweep.check()


@pytest.mark.parametrize("distance", [-0x1000, -1, 0, 1, 0x12345])
def test_rip_relative(distance: int) -> None:
    """The patched displacement leads to the target, with an immediate behind it or not."""
    sweep = Sweep()
    code = sweep.code

    def patch(position: int) -> int:
        target = position + distance
        asm.patch_rel32(code, position, target)
        return target

    def expect(mnemonic: str, before: str, after: str, target: int, imm: int | None = None, bits: int = 64) -> None:
        delta = target - len(code)
        place = "rip" if not delta else f"rip {'-' if delta < 0 else '+'} {number(abs(delta))}"
        sweep.expect(f"{mnemonic} {before}[{place}]{after}", imm, bits)

    for register in range(16):
        target = patch(asm.rip(code, enc.MOV_RM64, register))
        expect("mov", f"{NAMES['r64'][register]}, qword ptr ", "", target)
        target = patch(asm.rip(code, enc.MOV_MR32, register))
        expect("mov", "dword ptr ", f", {NAMES['r32'][register]}", target)
        target = patch(asm.rip(code, enc.MOVSD_RM, register + 16))
        expect("movsd", f"xmm{register}, qword ptr ", "", target)
        target = patch(asm.rip(code, enc.LEA_RM64, register))
        expect("lea", f"{NAMES['r64'][register]}, ", "", target)
    target = patch(asm.rip_m(code, enc.CALL_M))
    expect("call", "qword ptr ", "", target)
    position = asm.rip(code, scalar.ROUNDSD_RMI, asm.XMM9)
    code.append(9)
    expect("roundsd", "xmm9, qword ptr ", "", patch(position), 9)
    sweep.check()


def test_jumps() -> None:
    sweep = Sweep()
    code = sweep.code
    for emit_jump, mnemonic in ((asm.jmp32, "jmp"), (asm.call32, "call")):
        position = emit_jump(code)
        asm.patch_rel32(code, position, 0)
        sweep.expect(f"{mnemonic} {ADDRESS:#x}")
    for distance in (-128, 127):
        position = asm.jmp8(code)
        asm.patch_rel8(code, position, position + 1 + distance)
        sweep.expect(f"jmp {ADDRESS + position + 1 + distance:#x}")
    sweep.check()
    for distance in (-129, 128):
        with pytest.raises(ValueError, match="does not fit"):
            asm.patch_rel8(code, position, position + 1 + distance)


def test_instructions_without_operands() -> None:
    sweep = Sweep()
    for name in ["ret", "ud2", "int3", "cdq", "cqo", "endbr64", "cpuid", "xgetbv", "mfence", "syscall"]:
        sweep.code += getattr(enc, name.upper())
        sweep.expect(name)
    sweep.check()


def test_nops() -> None:
    decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    for size in range(40):
        code = bytearray()
        asm.nop(code, size)
        assert len(code) == size
        instructions = list(decoder.disasm_lite(bytes(code), 0))
        assert [mnemonic for _, _, mnemonic, _ in instructions] == ["nop"] * -(-size // 9)
        assert sum(length for _, length, _, _ in instructions) == size


def test_short_immediates() -> None:
    """The form with a byte is chosen just where it fits."""
    for encoding, long in ((enc.ADD_RI32, 6), (enc.ADD_RI64, 7)):
        for imm in (-129, -128, 127, 128):
            code = bytearray()
            asm.ri(code, encoding, asm.RBX, imm)
            assert len(code) == (long - 3 if -128 <= imm <= 127 else long)
    code = bytearray()
    asm.rri(code, enc.IMUL_RRI32, asm.RBX, asm.RBX, 127)
    assert len(code) == 3


def test_no_needless_rex() -> None:
    """A REX prefix is there for byte registers 4..7 only, not for other operands with these numbers."""
    code = bytearray()
    asm.rr(code, enc.MOVZX8_RR32, asm.RSI, asm.RCX)
    assert len(code) == 3
    asm.rm(code, enc.MOV_MR8, asm.RBX, asm.RSI, -1, 0, 0)
    assert len(code) == 5
    asm.mi(code, enc.CMP_MI8, asm.RSI, -1, 0, 0, 1)  # opcode 80 /7
    assert len(code) == 8
    asm.r(code, enc.SET_R8[enc.CC_E], asm.RBX)
    assert len(code) == 11
    asm.rm(code, enc.MOV_MR8, asm.RSI, asm.RSI, -1, 0, 0)
    assert len(code) == 14


@pytest.mark.parametrize(
    ("encoding", "imm"),
    [
        (enc.ADD_RI64, 2**31),
        (enc.ADD_RI64, -(2**31) - 1),
        (enc.ADD_RI32, 2**32),
        (enc.MOV_RI64, 2**64),
        (enc.TEST_MI8, 256),
        (enc.SHL_RI32, 256),
        (enc.SHL_RI32, -1),
        (enc.NEG_R32, 1),
    ],
)
def test_immediates_that_do_not_fit(encoding: enc.Encoding, imm: int) -> None:
    with pytest.raises((ValueError, struct.error)):
        asm.ri(bytearray(), encoding, asm.RAX, imm)


def test_addresses_that_cannot_be_encoded() -> None:
    with pytest.raises(ValueError, match="rsp cannot be an index"):
        asm.rm(bytearray(), enc.MOV_RM64, asm.RAX, asm.RBX, asm.RSP, 0, 0)
    for disp in (2**31, -(2**31) - 1):
        with pytest.raises(struct.error):
            asm.rm(bytearray(), enc.MOV_RM64, asm.RAX, asm.RBX, -1, 0, disp)
