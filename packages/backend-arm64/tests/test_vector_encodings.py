"""Every row of vector instructions against capstone, operands swept: the disassembly must be the text that we meant."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from wasm_backend_arm64 import assembler as asm
from wasm_backend_arm64 import vector_encodings as v
from wasm_backend_arm64.encodings import Encoding

capstone = pytest.importorskip("capstone", reason="capstone is not installed")

# Families: the constants' names without suffix, or name=mnemonic | suffix | widths of lanes | operands.
# T: all lanes of the width, t: half of them; W: lanes of twice the width; B: bytes, of 128 bits in all; P: the lowest
# lane as a scalar, p: twice as wide; E, I: a lane by number; X: an integer register, w: of 32 bits; others stand for
# themselves. left, right: counts; i4: 0 to 15; i8 and so on: immediates, shifted as the name says.
TABLE = """
add sub addp sqadd uqadd sqsub uqsub cmeq cmtst cmgt cmge cmhi cmhs sshl ushl | VVV | bhsd | T T T
zip1 zip2 uzp1 uzp2 trn1 trn2 | VVV | bhsd | T T T
mul mla mls smax umax smin umin umaxp uminp urhadd sabd uabd | VVV | bhs | T T T
sqrdmulh | VVV | hs | T T T
sdot udot | VVV | . | v.4s B B
smull umull smlal umlal smlsl umlsl saddl uaddl ssubl usubl | VVV | bhs | W t t
smullq=smull2 umullq=umull2 smlalq=smlal2 umlalq=umlal2 smlslq=smlsl2 umlslq=umlsl2 | VVV | bhs | W T T
saddlq=saddl2 uaddlq=uaddl2 ssublq=ssubl2 usublq=usubl2 | VVV | bhs | W T T
saddw uaddw ssubw usubw | VVV | bhs | W W t
saddwq=saddw2 uaddwq=uaddw2 ssubwq=ssubw2 usubwq=usubw2 | VVV | bhs | W W T
xtn sqxtn sqxtun uqxtn | VV | bhs | t W
xtnq=xtn2 sqxtnq=sqxtn2 sqxtunq=sqxtun2 uqxtnq=uqxtn2 | VV | bhs | T W
abs neg | VV | bhsd | T T
cnt rev16 | VV | b | T T
rev32 | VV | bh | T T
rev64 | VV | bhs | T T
saddlp uaddlp sadalp uadalp | VV | bhs | W T
and bic orr orn eor bsl bit bif | VVV | . | B B B
mvn | VV | . | B B
cmgt0=cmgt cmeq0=cmeq cmlt0=cmlt cmge0=cmge cmle0=cmle | VV | bhsd | T T #0
shl sli | VV | bhsd | T T left
sshr ushr ssra usra sri | VV | bhsd | T T right
sshll ushll | VV | bhs | W t left
sshllq=sshll2 ushllq=ushll2 | VV | bhs | W T left
shrn | VV | bhs | t W right
dup | VE | bhsd | T E
dup | VX | bhsd | T X
ins=mov | VX | bhsd | E X
ins=mov | VV | bhsd | E S
dup=mov | PE | bhsd | P E
umov | XE | bhsd | X E
smov | XE | bh | w E
ext | VVV | . | B B B i4
tbl tbx | VVV | . | B {B} B
tbl2=tbl | VVV | . | B {B, +} B
addv umaxv uminv | PV | bhs | P T
uaddlv | PV | bhs | p T
addp | PV | . | d v.2d
movi | V16B | . | v.16b i8
movi mvni | V8H | . | v.8h i8h
movi mvni | V4S | . | v.4s i8s
movi mvni | V4S_ONES | . | v.4s i8m
movi | V2D | . | v.2d mask
orr bic | V8H | . | v.8h i8h
orr bic | V4S | . | v.4s i8s
fmov | V4S | . | v.4s f8
fmov | V2D | . | v.2d f8
fadd fsub fmul fdiv fmax fmin fmla fmls fcmeq fcmge fcmgt | VVV | sd | T T T
fmul fmla fmls | VVE | sd | T T I
fabs fneg fsqrt frintn frintm frintp frintz fcvtzs fcvtzu scvtf ucvtf | VV | sd | T T
fcmeq0=fcmeq fcmgt0=fcmgt fcmge0=fcmge fcmlt0=fcmlt fcmle0=fcmle | VV | sd | T T #0.0
fcvtl | VV | . | v.2d v.2s
fcvtlq=fcvtl2 | VV | . | v.2d v.4s
fcvtn | VV | . | v.2s v.2d
ld1r | VM | bhsd | {T} a
ld1 st1 | EM | bhsd | {M} a
"""
WIDTHS = "bhsd"
_decoder = capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_LITTLE_ENDIAN)


def number(value: int) -> str:
    return f"#{value}" if value <= 9 else f"#{value:#x}"


def families() -> Iterator[tuple[str, str, dict[int, Encoding], str, list[str]]]:
    """(constant, mnemonic, rows by width, widths, operand kinds)"""
    for line in TABLE.strip().splitlines():
        heads, suffix, widths, kinds = (part.strip() for part in line.split("|"))
        for head in heads.split():
            prefix, _, mnemonic = head.partition("=")
            name = f"{prefix.upper()}_{suffix}"
            rows = getattr(v, name)
            yield (
                name,
                mnemonic or prefix,
                {v.B: rows} if isinstance(rows, Encoding) else rows,
                widths,
                kinds.replace(", +", ",+").split(),
            )


def immediates(kind: str, width: int) -> Iterator[tuple[int, str]]:
    """Bits and text of everything that an operand which is no register may be."""
    lanes = 16 >> width
    letter = WIDTHS[width]
    if kind == "left":
        yield from ((v.left(n), f", {number(n)}") for n in range(8 << width))
    elif kind == "right":
        yield from ((v.right(width, n), f", {number(n)}") for n in range(1, (8 << width) + 1))
    elif kind == "E":
        yield from ((v.lane(width, n), f".{letter}[{number(n)[1:]}]") for n in range(lanes))
    elif kind == "S":
        yield from ((v.source_lane(width, n), f".{letter}[{number(n)[1:]}]") for n in range(lanes))
    elif kind == "I":
        yield from ((v.element(width, n), f".{letter}[{number(n)[1:]}]") for n in range(lanes))
    elif kind == "{M}":
        yield from ((v.memory_lane(width, n), f".{letter}}}[{number(n)[1:]}]") for n in range(lanes))
    elif kind == "i4":
        yield from ((n << 11, f", {number(n)}") for n in range(16))
    else:
        shifts = {"i8": [""], "i8h": ["", ", lsl #8"], "i8s": ["", ", lsl #8", ", lsl #16", ", lsl #24"]}
        shifts |= {"i8m": [", msl #8", ", msl #16"], "mask": [""], "f8": [""]}
        for n in range(256):
            text = f", {number(n)}"
            if kind == "mask":
                text = ", #0x" + "".join("ff" if n >> bit & 1 else "00" for bit in reversed(range(8)))
            elif kind == "f8":
                exponent = (n >> 4 & 7 ^ 4) - 3
                text = f", #{(-1 if n >> 7 else 1) * (16 + (n & 15)) / 16 * 2.0**exponent:.8f}"
            for place, shift in enumerate(shifts[kind]):
                yield v.byte_immediate(n) | place << (12 if kind == "i8m" else 13), text + shift


def operand(kind: str, width: int, register: int) -> str:
    """A register as capstone prints it, without the number of a lane."""
    braces = kind.strip("{}")
    vector = f"v{register}"
    text = {
        "T": lambda: f"{vector}.{v.ARRANGEMENTS[0][width]}",
        "t": lambda: f"{vector}.{v.ARRANGEMENTS[1][width]}",
        "W": lambda: f"{vector}.{v.ARRANGEMENTS[0][width + 1]}",
        "B": lambda: f"{vector}.16b",
        "B,+": lambda: f"{vector}.16b, v{(register + 1) & 31}.16b",
        "P": lambda: f"{WIDTHS[width]}{register}",
        "p": lambda: f"{WIDTHS[width + 1]}{register}",
        "d": lambda: f"d{register}",
        "X": lambda: ("x" if width == v.D else "w") + (f"{register}" if register < 31 else "zr"),
        "w": lambda: f"w{register}" if register < 31 else "wzr",
        "a": lambda: f"[x{register}]" if register < 31 else "[sp]",
        **dict.fromkeys("ESIM", lambda: vector),
        **{f"v.{shape}": lambda: f"{vector}.{braces[2:]}" for shape in ("16b", "8h", "4s", "2s", "2d")},
    }[braces]()
    if kind.startswith("{"):
        return "{" + text if braces == "M" else "{" + text + "}"
    return text


def test_every_constant_is_in_the_table() -> None:
    constants = {name for name, value in vars(v).items() if name.isupper() and isinstance(value, Encoding | dict)}
    assert {name for name, *_ in families()} == {name for name in constants if not name.startswith("_")}


@pytest.mark.parametrize(
    ("name", "mnemonic", "rows", "widths", "kinds"), [pytest.param(*family, id=family[0]) for family in families()]
)
def test_rows(name: str, mnemonic: str, rows: dict[int, Encoding], widths: str, kinds: list[str]) -> None:
    assert list(rows) == [v.B if width == "." else WIDTHS.index(width) for width in widths]
    numeric = ("left", "right", "i4", "i8", "i8h", "i8s", "i8m", "mask", "f8")
    registers = [kind for kind in kinds if kind not in ("#0", "#0.0") and kind not in numeric]
    code = bytearray()
    expected = []
    for width, row in rows.items():
        # Rd, Rn, Rm: what has a register here is what the row's letters say, but for tables of two.
        assert name == "TBL2_VVV" or len(registers) == len(row.operands)
        swept = [(0, "")]
        choices = [list(immediates(kind, width)) for kind in kinds if kind in (*numeric, "E", "S", "I", "{M}")]
        if choices:
            swept = choices[0]
        if len(choices) == 2:
            swept = [(a | b, f"{s}+{t}") for a, s in choices[0] for b, t in choices[1]]
        for n in range(max(32, len(swept))):
            places = [n & 31, 7 * n + 3 & 31, 7 * n + 8 & 31][: len(registers)]
            bits, text = swept[n % len(swept)]
            word = row.word | bits
            for shift, register in zip((0, 5, 16), places):
                word |= register << shift
            code += asm.pack(word)
            texts = [operand(kind, width, register) for kind, register in zip(registers, places)]
            lanes = [at for at, kind in enumerate(registers) if kind in ("E", "S", "I", "{M}")]
            for at, part in zip(lanes, text.split("+")):
                texts[at] += part
            texts += [kind for kind in kinds if kind in ("#0", "#0.0")]
            shown = "mov" if mnemonic == "umov" and width >= v.S else mnemonic
            expected.append(f"{shown} {', '.join(texts)}" + ("" if lanes else text))
    lines = [f"{op} {operands}" for _, _, op, operands in _decoder.disasm_lite(bytes(code), 0)]
    if "mask" in kinds:  # of which capstone prints some zeros, but not always as many
        lines = [f"{head}#0x{int(mask, 16):016x}" for head, _, mask in (line.partition("#") for line in lines)]
    assert lines == expected


def test_dot_products_need_a_feature() -> None:
    assert v.SDOT_VVV.feature == v.UDOT_VVV.feature == "asimddp"
