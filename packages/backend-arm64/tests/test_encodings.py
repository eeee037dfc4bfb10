"""Every encoding against capstone, operands swept: the disassembly must be the text that we meant."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from wasm_backend_arm64 import Arm64Backend
from wasm_backend_arm64 import assembler as asm
from wasm_backend_arm64 import encodings as e
from wasm_backend_arm64 import float_encodings as floats
from wasm_core.errors import CompileError
from wasm_ir.backend import RELOCATION_FUNCTION_SLOT, Relocation

capstone = pytest.importorskip("capstone", reason="capstone is not installed")

ADDRESS = 0x10000

# Rows of the table: mnemonic, or the constant's prefix=mnemonic | the constant's suffix and its operands | ...
# w, x: integer registers of 32 and 64 bits; b, s, d: floating-point registers; v8: the same as vectors; shift, rshift
# (with ror), ext: modifiers of the register before; a12: immediate of an addition; l32, l64: bitmask immediates; b32,
# b64: bit numbers; i5: 0 to 31; f: flags; c: condition.
TABLE = """
add sub adds subs | RRR32 w w w shift | RRR64 x x x shift | RRX32 w w w ext | RRX64 x x w ext
add sub adds subs | RRI32 w w a12 | RRI64 x x a12
and bic orr orn eor eon ands | RRR32 w w w rshift | RRR64 x x x rshift
and orr eor ands | RRL32 w w l32 | RRL64 x x l64
neg | RZR32 w w shift | RZR64 x x shift
mov | RZR32 w w | RZR64 x x
mvn | RZR32 w w rshift | RZR64 x x rshift
udiv sdiv | RRR32 w w w | RRR64 x x x
lslv=lsl lsrv=lsr asrv=asr rorv=ror | RRR32 w w w | RRR64 x x x
madd msub | RRRR32 w w w w | RRRR64 x x x x
smaddl smsubl umaddl umsubl | RRRR x w w x
adc sbc smulh umulh | RRR64 x x x
extr | RRRI32 w w w b32 | RRRI64 x x x b64
smulh umulh | RRR64 x x x
rbit clz | RR32 w w | RR64 x x
csel csinc csinv csneg | RRRC32 w w w c | RRRC64 x x x c
ccmp | RRC32 w w f c | RRC64 x x f c
ccmp ccmn | RIC32 w i5 f c | RIC64 x i5 f c
fadd fsub fmul fdiv fmax fmin | RRR32 s s s | RRR64 d d d
fmov fabs fneg fsqrt frintn frintp frintm frintz | RR32 s s | RR64 d d
fcvt | RR64_32 d s | RR32_64 s d
fcsel | RRRC32 s s s c | RRRC64 d d d c
fccmp | RRC32 s s f c | RRC64 d d f c
fcvtzs fcvtzu | RR32_32 w s | RR64_32 x s | RR32_64 w d | RR64_64 x d
scvtf ucvtf | RR32_32 s w | RR64_32 s x | RR32_64 d w | RR64_64 d x
fmov | RX32 s w | RX64 d x | XR32 w s | XR64 x d
cnt | RR8B v8 v8
addv | RR8B b v8
"""

REGISTERS: dict[str, list[str]] = {
    "w": [f"w{n}" for n in range(31)] + ["wzr"],
    "x": [f"x{n}" for n in range(31)] + ["xzr"],
    **{kind: [f"{kind}{n}" for n in range(32)] for kind in "bhsdq"},
    "v8": [f"v{n}.8b" for n in range(32)],
}
#: Register numbers that are swept; 31 often makes an alias, and is tested on its own below.
SOME = (0, 1, 7, 15, 16, 28, 30)
CONDITIONS = ("eq", "ne", "hs", "lo", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le")
SHIFTS = ("lsl", "lsr", "asr", "ror")
EXTENSIONS = ("uxtb", "uxth", "uxtw", "uxtx", "sxtb", "sxth", "sxtw", "sxtx")
MASKS64 = (
    *(1 << k for k in range(64)),
    *((1 << k) - 1 for k in range(1, 64)),
    *((1 << 64) - (1 << k) for k in range(1, 64)),
    0x5555_5555_5555_5555, 0xAAAA_AAAA_AAAA_AAAA, 0x00FF_00FF_00FF_00FF, 0xF00F_F00F_F00F_F00F,
    0x8000_0001_8000_0001, 0xFFFF_0000_FFFF_FFFF, 0x7FFF_FFFE_0000_0000, 0xE3E3_E3E3_E3E3_E3E3,
)  # fmt: skip
MASKS32 = (*(m for m in MASKS64 if 0 < m < 0xFFFF_FFFF), 0x5555_5555, 0xFF00_FF00, 0x8000_0001, 0xFFFE_FFFE)
NUMBERS: dict[str, tuple[int, ...]] = {
    "a12": (0, 1, 9, 10, 4095, 4096, 0xFF_F000, 0x7000),
    "l32": MASKS32,
    "l64": MASKS64,
    "b32": (0, 1, 31),
    "b64": (0, 1, 63),
    "i5": (0, 1, 31),
    "f": (0, 1, 8, 15),
}
_decoder = capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_LITTLE_ENDIAN)


def disassemble(code: bytes | bytearray, address: int = ADDRESS) -> list[str]:
    lines = [
        f"{mnemonic} {operands}".strip() for _, _, mnemonic, operands in _decoder.disasm_lite(bytes(code), address)
    ]
    assert len(lines) * 4 == len(code), (code.hex(), lines)
    return lines


def number(value: int) -> str:
    """As capstone prints numbers: small ones in decimal."""
    if value < 0:
        return f"#-{number(-value)[1:]}"
    return f"#{value}" if value <= 9 else f"#{value:#x}"


def rows() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """(constant, mnemonic, operand kinds)"""
    for line in TABLE.strip().splitlines():
        heads, *forms = line.split("|")
        for head in heads.split():
            prefix, _, mnemonic = head.partition("=")
            for form in forms:
                suffix, *kinds = form.split()
                yield f"{prefix.upper()}_{suffix}", mnemonic or prefix, tuple(kinds)


ROWS = list(rows())
#: Rows with tests of their own below.
SPECIAL = {
    *("SBFM_RRB32", "SBFM_RRB64", "BFM_RRB32", "BFM_RRB64", "UBFM_RRB32", "UBFM_RRB64"),
    *("MOVN_RI32", "MOVN_RI64", "MOVZ_RI32", "MOVZ_RI64", "MOVK_RI32", "MOVK_RI64"),
    *("B_L", "BL_L", "BCC_L", "CBZ_RL32", "CBZ_RL64", "CBNZ_RL32", "CBNZ_RL64", "TBZ_RBL", "TBNZ_RBL"),
    *("ADR_RL", "ADRP_RL", "LDR_RL64", "LDR_FL32", "LDR_FL64", "LDR_FL128", "BR_R", "BLR_R", "RET_R"),
    *("STP_RRM64", "LDP_RRM64", "STP_RRM64_PRE", "LDP_RRM64_POST"),
    *("LDAXR_RR64", "STLXR_RRR64"),
    *("STP_FFM64", "LDP_FFM64", "STP_FFM128", "LDP_FFM128"),
    *("FCMP_RR32", "FCMP_RR64", "FCMP_R0_32", "FCMP_R0_64", "FMOV_RF32", "FMOV_RF64"),
    *("MOVI_ZERO_R", "ORR_RRR16B", "INS_RX64_HIGH", "USHR31_RR2S", "USHR63_RR64", "SLI31_RR2S", "SLI63_RR64"),
    *("NOP", "BRK", "SVC", "MRS_CTR_R", "DC_CVAU_R", "IC_IVAU_R", "DSB_ISH", "ISB"),
}
ACCESSES = {name: getattr(e, name) for name in e.names(vars(e)) if isinstance(getattr(e, name), e.Access)}


def test_every_encoding_has_a_row() -> None:
    assert {name for name, _, _ in ROWS} | SPECIAL | set(ACCESSES) == set(e.names(vars(e))) | set(e.names(vars(floats)))


def modifiers(kind: str, wide: bool) -> Iterator[tuple[int, str]]:
    """Bits and text of shifts and extensions."""
    if kind == "ext":
        for number_, name in enumerate(EXTENSIONS):
            if name in ("uxtx", "sxtx") and not wide:
                continue
            for amount in (0, 1, 4):
                yield e.extended(number_, amount), f", {name}" + (f" #{amount}" if amount else "")
        return
    for kind_number in range(4 if kind == "rshift" else 3):
        for amount in (0, 1, 31, 63) if wide else (0, 1, 31):
            if amount == 0 and kind_number == 0:
                yield 0, ""
            else:
                yield e.shifted(kind_number, amount), f", {SHIFTS[kind_number]} #{amount}"


def emit(name: str, kinds: tuple[str, ...], values: list[int]) -> bytes:
    """The instruction with these operands, by the function that the name asks for."""
    code = bytearray()
    form = name.split("_", 1)[1].rstrip("0123456789_B")
    functions: dict[str, Callable[..., None]] = {
        "RRR": asm.rrr, "RRX": asm.rrr, "RRI": asm.rri, "RRL": asm.rrl, "RRRR": asm.rrrr, "RRRI": asm.rrri,
        "RZR": lambda code, enc, rd, *rest: asm.rrr(code, enc, rd, 31, *rest),
        "RRRC": asm.rrrc, "RR": asm.rr, "RX": asm.rr, "XR": asm.rr, "RRC": asm.ccmp, "RIC": asm.ccmp,
    }  # fmt: skip
    functions[form](code, vars(floats).get(name) or getattr(e, name), *values)
    return bytes(code)


@pytest.mark.parametrize(("name", "mnemonic", "kinds"), ROWS, ids=[row[0] for row in ROWS])
def test_rows(name: str, mnemonic: str, kinds: tuple[str, ...]) -> None:
    registers = [kind for kind in kinds if kind in REGISTERS]
    rest = [kind for kind in kinds if kind not in REGISTERS]
    generator = random.Random(name)
    wide = name.rstrip("_BL").endswith("64")
    choices = [[r] * len(registers) for r in SOME]
    choices += [[generator.choice(SOME) for _ in registers] for _ in range(12)]
    code = bytearray()
    expected: list[str] = []
    for chosen in choices:
        tails: list[tuple[list[int], str]] = [([], "")]
        for kind in rest:
            if kind in ("shift", "rshift", "ext"):
                tails = [([*v, bits], t + text) for v, t in tails for bits, text in modifiers(kind, wide)]
            elif kind == "c":
                tails = [([*v, c], f"{t}, {CONDITIONS[c]}") for v, t in tails for c in range(14)]
            else:
                tails = [([*v, n], f"{t}, {_immediate(kind, n)}") for v, t in tails for n in NUMBERS[kind]]
        for values, tail in tails:
            code += emit(name, kinds, [*chosen, *values])
            expected.append(row_text(name, mnemonic, kinds, chosen, values, tail))
    assert disassemble(code) == expected


def row_text(name: str, mnemonic: str, kinds: tuple[str, ...], chosen: list[int], values: list[int], tail: str) -> str:
    """How capstone prints an instruction of a row: register numbers, other operands as numbers, and these as text."""
    names = [REGISTERS[kind][r] for kind, r in zip([kind for kind in kinds if kind in REGISTERS], chosen)]
    if mnemonic == "extr" and chosen[1] == chosen[2]:
        return f"ror {names[0]}, {names[1]}{tail}"
    if mnemonic in ("csinc", "csinv", "csneg") and chosen[1] == chosen[2]:
        alias = {"csinc": "cinc", "csinv": "cinv", "csneg": "cneg"}[mnemonic]
        return f"{alias} {names[0]}, {names[1]}, {CONDITIONS[values[-1] ^ 1]}"
    if "ext" in kinds and tail.split()[1] in ("uxtx", "sxtx"):
        return f"{mnemonic} {', '.join([*names[:-1], names[-1].replace('w', 'x')])}{tail}"
    if name == "ANDS_RRL64" and values[0] >> 63:  # capstone takes these for negative numbers
        tail = f", {number(values[0] - (1 << 64))}"
    return f"{mnemonic} {', '.join(names)}{tail}"


def _immediate(kind: str, value: int) -> str:
    if kind == "a12" and value > 0xFFF:
        return f"{number(value >> 12)}, lsl #12"
    return number(value)


def test_float_registers_are_numbered_behind_the_integer_ones() -> None:
    code = bytearray()
    asm.rrr(code, floats.FADD_RRR64, 32, 47, 63)
    asm.rr(code, e.FMOV_XR64, 3, 40)
    asm.rm(code, e.LDR_FM64, 63, 2, 8)
    asm.pair(code, e.STP_FFM64, 40, 41, 31, 16)
    assert disassemble(code) == ["fadd d0, d15, d31", "fmov x3, d8", "ldr d31, [x2, #8]", "stp d8, d9, [sp, #0x10]"]


def test_register_31() -> None:
    """The zero register or the stack pointer, as the instruction has it."""
    code = bytearray()
    asm.rrr(code, e.SUBS_RRR32, 31, 1, 2, e.shifted(e.LSR, 3))
    asm.rrr(code, e.SUBS_RRX64, 31, 31, 16, e.extended(e.UXTX))
    asm.rri(code, e.ADDS_RRI64, 31, 3, 1)
    asm.rri(code, e.ADD_RRI64, 29, 31, 0)
    asm.rrr(code, e.ORR_RRR32, 5, 31, 6)
    asm.rrr(code, e.ORN_RRR64, 5, 31, 6)
    asm.rrr(code, e.SUB_RRR64, 5, 31, 6, e.shifted(e.ASR, 3))
    asm.rrrr(code, e.MADD_RRRR32, 1, 2, 3, 31)
    asm.rrrr(code, e.SMADDL_RRRR, 1, 2, 3, 31)
    asm.rrrc(code, e.CSINC_RRRC32, 1, 31, 31, e.CC_NE)
    asm.rrrc(code, e.CSINV_RRRC64, 1, 31, 31, e.CC_LT)
    asm.rrl(code, e.ANDS_RRL32, 31, 4, 0xFF)
    asm.rrl(code, e.AND_RRL64, 31, 16, 0xFFFF_FFFF_FFFF_FFF0)
    asm.rm(code, e.STR_RM64, 31, 31, 8)
    assert disassemble(code) == [
        "cmp w1, w2, lsr #3", "cmp sp, x16", "cmn x3, #1", "mov x29, sp", "mov w5, w6", "mvn x5, x6",
        "neg x5, x6, asr #3", "mul w1, w2, w3", "smull x1, w2, w3", "cset w1, eq", "csetm x1, ge", "tst w4, #0xff",
        "and sp, x16, #0xfffffffffffffff0", "str xzr, [sp, #8]",
    ]  # fmt: skip


@pytest.mark.parametrize("bits", [32, 64])
def test_bit_fields(bits: int) -> None:
    """Aliases as the manual defines them (DDI 0487, UBFM, SBFM and BFM)."""
    reg = "w" if bits == 32 else "x"
    code = bytearray()
    expected = []
    numbers = sorted({0, 1, 7, 8, 15, 16, bits - 2, bits - 1, 31})
    for immr in numbers:
        for imms in numbers:
            for sign, word in (
                ("u", e.UBFM_RRB32 if bits == 32 else e.UBFM_RRB64),
                ("s", e.SBFM_RRB32 if bits == 32 else e.SBFM_RRB64),
            ):
                asm.rrb(code, word, 1, 2, immr, imms)
                extend = {7: "b", 15: "h", 31: "w"}.get(imms)
                if imms == bits - 1:
                    text = f"{'lsr' if sign == 'u' else 'asr'} {reg}1, {reg}2, {number(immr)}"
                elif sign == "u" and imms + 1 == immr:
                    text = f"lsl {reg}1, {reg}2, {number(bits - 1 - imms)}"
                elif immr == 0 and extend and (sign == "s" or (bits == 32 and extend != "w")):
                    text = f"{sign}xt{extend} {reg}1, w2"
                elif imms < immr:
                    text = f"{sign}bfiz {reg}1, {reg}2, {number(bits - immr)}, {number(imms + 1)}"
                else:
                    text = f"{sign}bfx {reg}1, {reg}2, {number(immr)}, {number(imms - immr + 1)}"
                expected.append(text)
            asm.rrb(code, e.BFM_RRB32 if bits == 32 else e.BFM_RRB64, 1, 2, immr, imms)
            if imms < immr:
                expected.append(f"bfi {reg}1, {reg}2, {number(bits - immr)}, {number(imms + 1)}")
            else:
                expected.append(f"bfxil {reg}1, {reg}2, {number(immr)}, {number(imms - immr + 1)}")
    assert disassemble(code) == expected


def test_moves_of_immediates() -> None:
    code = bytearray()
    asm.ri(code, e.MOVZ_RI32, 1, 0xABCD)
    asm.ri(code, e.MOVZ_RI64, 2, 0xABCD, 3)
    asm.ri(code, e.MOVN_RI32, 3, 0xABCD)
    asm.ri(code, e.MOVN_RI64, 4, 0, 1)
    asm.ri(code, e.MOVK_RI32, 5, 0xABCD, 1)
    asm.ri(code, e.MOVK_RI64, 6, 1, 2)
    assert disassemble(code) == [
        "mov w1, #0xabcd", "mov x2, #-0x5433000000000000", "mov w3, #-0xabce", "movn x4, #0, lsl #16",
        "movk w5, #0xabcd, lsl #16", "movk x6, #1, lsl #32",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="immediate"):
        asm.ri(code, e.MOVZ_RI32, 1, 0x10000)


def evaluate_moves(code: bytes | bytearray, register: int) -> int:
    """What a sequence of mov, orr, movk leaves in a register, by the manual's definitions."""
    value = 0
    for at in range(0, len(code), 4):
        word = int.from_bytes(code[at : at + 4], "little")
        assert word & 31 == register
        wide = word >> 31
        full = (1 << 64) - 1 if wide else (1 << 32) - 1
        if word & 0x1F80_0000 == 0x1200_0000:  # orr with a bitmask
            text = disassemble(code[at : at + 4])[0]
            value = int(text.rpartition("#")[2], 0) & full
            continue
        shift = 16 * (word >> 21 & 3)
        field = (word >> 5 & 0xFFFF) << shift
        opc = word >> 29 & 3
        if opc == 0:
            value = ~field & full
        elif opc == 2:
            value = field
        else:
            value = (value & ~(0xFFFF << shift) | field) & full
    return value


def test_integers_are_loaded_by_short_sequences() -> None:
    cases = {
        0: 1, 1: 1, 0xFFFF: 1, 0x10000: 1, 0xFFFF_0000: 1, 0xFFFF_FFFF: 1, 0x1234_5678: 2, 0xFFFF_1234: 1,
        0x1234_FFFF: 1, 0x00FF_00FF: 1, (1 << 64) - 1: 1, (1 << 64) - 2: 1, 1 << 63: 1, 0x1234 << 32: 1,
        0x1234_5678_0000_0000: 2, 0x1234_0000_0000_5678: 2, 0x1234_5678_9ABC_DEF0: 4, 0xFFFF_1234_FFFF_5678: 2,
        0xFFFF_FFFF_1234_5678: 2, 0x0000_FFFF_FFFF_0000: 1, 0x1234_5678_9ABC_0000: 3,
    }  # fmt: skip
    generator = random.Random(1)
    for _ in range(3000):
        halves = [generator.choice((0, 0xFFFF, generator.randrange(1 << 16))) for _ in range(4)]
        cases[sum(half << 16 * k for k, half in enumerate(halves))] = 0
    for bits, length in cases.items():
        code = bytearray()
        asm.load_integer(code, 9, bits)
        assert evaluate_moves(code, 9) == bits, hex(bits)
        assert asm.integer_length(bits) == len(code) // 4 <= 4
        assert length in (0, len(code) // 4), hex(bits)


def test_bitmask_immediates_are_all_found() -> None:
    """Against the definition: every element size, number of ones and rotation, and nothing else."""
    valid = set()
    for size in (2, 4, 8, 16, 32, 64):
        for ones in range(1, size):
            element = (1 << ones) - 1
            for rotation in range(size):
                rotated = (element >> rotation | element << size - rotation) & (1 << size) - 1
                valid.add(sum(rotated << k for k in range(0, 64, size)))
    assert len(valid) == 5334
    assert all(e.logical_immediate(bits, 64) is not None for bits in valid)
    generator = random.Random(2)
    for bits in valid:
        other = bits ^ 1 << generator.randrange(64)
        assert (e.logical_immediate(other, 64) is not None) == (other in valid)
    assert e.logical_immediate(0, 32) is None
    assert e.logical_immediate(0xFFFF_FFFF, 32) is None
    assert e.logical_immediate(0xFFFF_FFFF, 64) is not None


@pytest.mark.parametrize("name", ACCESSES)
def test_loads_and_stores(name: str) -> None:
    access = ACCESSES[name]
    size = access.size
    wide = name.endswith("64")
    kind = {1: "b", 2: "h", 4: "s", 8: "d", 16: "q"}[size] if "_FM" in name else "x" if wide else "w"
    if access.name in ("strb", "strh", "ldrb", "ldrh"):
        kind = "w"
    mnemonic = access.name.partition(".")[0]
    code = bytearray()
    expected = []
    for rt, base in ((0, 1), (30, 31), (7, 27), (15, 0)):
        place = "sp" if base == 31 else f"x{base}"
        register = REGISTERS[kind][rt]
        for offset in (0, size, 5 * size, 4095 * size):
            asm.rm(code, access, rt, base, offset)
            expected.append(f"{mnemonic} {register}, [{place}" + (f", {number(offset)}]" if offset else "]"))
        for offset in (-1, -256, -8):
            asm.rm(code, access, rt, base, offset)
            expected.append(
                f"{mnemonic.replace('str', 'stur').replace('ldr', 'ldur')} {register}, [{place}, {number(offset)}]"
            )
        for extension, text in ((e.UXTX, ""), (e.UXTW, "uxtw"), (e.SXTW, "sxtw")):
            for scale in (False, True):
                asm.rmx(code, access, rt, base, 3, e.indexed(extension, scale))
                index = "x3" if extension == e.UXTX else "w3"
                amount = f" #{access.shift}" if scale else ""
                if extension == e.UXTX:
                    tail = f", lsl{amount}" if scale else ""
                else:
                    tail = f", {text}{amount}"
                expected.append(f"{mnemonic} {register}, [{place}, {index}{tail}]")
    assert disassemble(code) == expected
    with pytest.raises(ValueError, match="offset"):
        asm.rm(code, access, 0, 1, 4096 * size)
    with pytest.raises(ValueError, match="offset"):
        asm.rm(code, access, 0, 1, -257)


def test_changing_bases() -> None:
    code = bytearray(asm.pack(e.LDR_RM64.pre | 1 | 2 << 5 | 8 << 12) + asm.pack(e.STR_RM64.post | 1 | 2 << 5 | 8 << 12))
    assert disassemble(code) == ["ldr x1, [x2, #8]!", "str x1, [x2], #8"]


def test_pairs() -> None:
    code = bytearray()
    expected = []
    for word, mnemonic, kind, size in (
        (e.STP_RRM64, "stp", "x", 8),
        (e.LDP_RRM64, "ldp", "x", 8),
        (e.STP_FFM64, "stp", "d", 8),
        (e.LDP_FFM64, "ldp", "d", 8),
        (e.STP_FFM128, "stp", "q", 16),
        (e.LDP_FFM128, "ldp", "q", 16),
    ):
        for offset in (0, size, -size, 63 * size, -64 * size):
            asm.pair(code, word, 3, 4, 31, offset)
            expected.append(f"{mnemonic} {kind}3, {kind}4, [sp" + (f", {number(offset)}]" if offset else "]"))
        for offset in (1, 64 * size, -65 * size):
            with pytest.raises(ValueError, match="offset"):
                asm.pair(bytearray(), word, 3, 4, 31, offset)
    asm.pair(code, e.STP_RRM64_PRE, 29, 30, 31, -16)
    asm.pair(code, e.LDP_RRM64_POST, 29, 30, 31, 16)
    expected += ["stp x29, x30, [sp, #-0x10]!", "ldp x29, x30, [sp], #0x10"]
    assert disassemble(code) == expected


def test_floating_point_comparisons_and_immediates() -> None:
    code = bytearray()
    asm.cmp_rr(code, e.FCMP_RR32, 33, 34)
    asm.cmp_rr(code, e.FCMP_RR64, 33, 34)
    asm.r(code, e.FCMP_R0_32, 33)
    asm.r(code, e.FCMP_R0_64, 33)
    asm.rf(code, e.FMOV_RF32, 33, e.FLOAT_IMMEDIATES32[0x3F80_0000])
    asm.rf(code, e.FMOV_RF64, 33, e.FLOAT_IMMEDIATES64[0xC01F << 48 | 0])
    asm.r_low(code, e.MOVI_ZERO_R, 33)
    asm.rrr(code, e.ORR_RRR16B, 33, 34, 35)
    asm.rr(code, e.INS_RX64_HIGH, 33, 2)
    asm.rr(code, floats.USHR31_RR2S, 33, 34)
    asm.rr(code, floats.USHR63_RR64, 33, 34)
    asm.rr(code, floats.SLI31_RR2S, 33, 34)
    asm.rr(code, floats.SLI63_RR64, 33, 34)
    assert disassemble(code) == [
        "fcmp s1, s2", "fcmp d1, d2", "fcmp s1, #0.0", "fcmp d1, #0.0", "fmov s1, #1.00000000",
        "fmov d1, #-7.75000000", "movi d1, #0000000000000000", "orr v1.16b, v2.16b, v3.16b", "mov v1.d[1], x2",
        "ushr v1.2s, v2.2s, #0x1f", "ushr d1, d2, #0x3f",
        "sli v1.2s, v2.2s, #0x1f", "sli d1, d2, #0x3f",
    ]  # fmt: skip
    assert len(e.FLOAT_IMMEDIATES32) == len(e.FLOAT_IMMEDIATES64) == 256


def test_system_instructions() -> None:
    code = bytearray()
    code += asm.pack(e.NOP)
    code += asm.pack(e.BRK | 7 << 5)
    code += asm.pack(e.SVC)
    asm.r_low(code, e.MRS_CTR_R, 3)
    asm.r_low(code, e.DC_CVAU_R, 4)
    asm.r_low(code, e.IC_IVAU_R, 5)
    code += asm.pack(e.DSB_ISH)
    code += asm.pack(e.ISB)
    asm.r(code, e.BR_R, 16)
    asm.r(code, e.BLR_R, 17)
    asm.r(code, e.RET_R, 30)
    assert disassemble(code) == [
        "nop", "brk #7", "svc #0", "mrs x3, ctr_el0", "dc cvau, x4", "ic ivau, x5", "dsb ish", "isb", "br x16",
        "blr x17", "ret",
    ]  # fmt: skip


def _label_instructions() -> list[tuple[str, int, Callable[[bytearray], int]]]:
    """(text without the label, reach, function that emits it)"""
    return [
        ("b", 1 << 27, lambda c: asm.branch(c)),
        ("bl", 1 << 27, lambda c: asm.branch(c, e.BL_L)),
        ("b.lt", 1 << 20, lambda c: asm.branch_if(c, e.CC_LT)),
        ("cbz w3,", 1 << 20, lambda c: asm.branch_r(c, e.CBZ_RL32, 3)),
        ("cbnz x3,", 1 << 20, lambda c: asm.branch_r(c, e.CBNZ_RL64, 3)),
        ("cbz x3,", 1 << 20, lambda c: asm.branch_r(c, e.CBZ_RL64, 3)),
        ("cbnz w3,", 1 << 20, lambda c: asm.branch_r(c, e.CBNZ_RL32, 3)),
        ("tbz w3, #5,", 1 << 15, lambda c: asm.branch_bit(c, e.TBZ_RBL, 3, 5)),
        ("tbnz x3, #0x28,", 1 << 15, lambda c: asm.branch_bit(c, e.TBNZ_RBL, 3, 40)),
        ("adr x3,", 1 << 20, lambda c: asm.branch_r(c, e.ADR_RL, 3)),
        ("ldr x3,", 1 << 20, lambda c: asm.branch_r(c, e.LDR_RL64, 3)),
        ("ldr s3,", 1 << 20, lambda c: asm.branch_r(c, e.LDR_FL32, 35)),
        ("ldr d3,", 1 << 20, lambda c: asm.branch_r(c, e.LDR_FL64, 35)),
        ("ldr q3,", 1 << 20, lambda c: asm.branch_r(c, e.LDR_FL128, 35)),
    ]


def test_labels_near_and_far() -> None:
    base = 1 << 32
    for text, reach, emit_at in _label_instructions():
        for distance in (0, 4, 8, -4, -reach, reach - 4):
            code = bytearray()
            position = emit_at(code)
            assert asm.patch(code, position, position + distance)
            assert disassemble(code, base) == [f"{text} #{base + distance:#x}"]
        for distance in (reach, -reach - 4):
            code = bytearray()
            position = emit_at(code)
            before = bytes(code)
            assert not asm.patch(code, position, position + distance)
            assert code == before


def test_references_to_slots() -> None:
    def relocated(address: int, slot: int) -> bytearray:
        code = bytearray(4)
        asm.branch_r(code, e.ADRP_RL, 16)
        asm.rm(code, e.LDR_RM64, 17, 16, 0)
        Arm64Backend().relocate(code, address, [Relocation(4, RELOCATION_FUNCTION_SLOT, 3)], slot - 24)
        return code[4:]

    for address, slot in (
        (0x1000, 0x1FF8),
        (0x7000_0123_4FF4, 0x7000_0123_5000),
        (0x7000_0123_4FF8, 0x7000_0123_5000),
        (0x7000_0000_0000, 0x6FFF_4000_0008),
        (0, (1 << 32) - 8),
    ):
        page = slot & ~0xFFF
        offset = slot & 0xFFF
        tail = f", {number(offset)}]" if offset else "]"
        assert disassemble(relocated(address, slot), address + 4) == [f"adrp x16, #{page:#x}", f"ldr x17, [x16{tail}"]
    with pytest.raises(CompileError, match="out of reach"):
        relocated(0, 1 << 32)


def test_halves() -> None:
    code = bytearray()
    asm.ri(code, e.MOVZ_RI64, 17, 0)
    asm.ri(code, e.MOVK_RI64, 17, 0, 1)
    asm.patch_halves(code, 0, -0x1234_5678)
    assert evaluate_moves(code, 17) == -0x1234_5678 & 0xFFFF_FFFF


@pytest.mark.parametrize("register", SOME)
def test_exclusive_accesses(register: int) -> None:
    code = bytearray()
    asm.rr(code, e.LDAXR_RR64, register, 9)
    asm.rr(code, e.LDAXR_RR64, 9, asm.SP)
    asm.rrr(code, e.STLXR_RRR64, register, 9, 16)
    asm.rrr(code, e.STLXR_RRR64, 3, register, 17)
    assert disassemble(code) == [
        f"ldaxr x{register}, [x9]",
        "ldaxr x9, [sp]",
        f"stlxr w16, x{register}, [x9]",
        f"stlxr w17, x3, [x{register}]",
    ]
