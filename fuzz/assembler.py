"""Target: the assemblers of both machines. capstone must read what we meant to write.

The tests of the assemblers sweep chosen operands; here they are random, in the same tables.
"""

from __future__ import annotations

import random
import re
from typing import Any, Final

from fuzz.case import Case
from fuzz.helpers import test_module
from fuzz.report import Report
from wasm_backend_amd64 import assembler as amd64_assembler
from wasm_backend_amd64 import encodings as amd64_encodings
from wasm_backend_arm64 import assembler as arm64_assembler
from wasm_backend_arm64 import encodings as arm64_encodings

_amd64: Final = test_module("backend-amd64", "test_encodings")
_arm64: Final = test_module("backend-arm64", "test_encodings")
#: Instructions per seed.
_COUNT: Final = 2000
_RSP: Final = 4
#: Kinds of immediate operands of amd64: (least, number of bits).
_IMMEDIATES: Final = {
    "u8": (0, 8),
    "i8": (-0x80, 8),
    "i16": (-0x8000, 16),
    "i32": (-0x8000_0000, 32),
    "s32": (-0x8000_0000, 32),
    "i64": (-(1 << 63), 64),
    "p": (0, 3),
}
_NUMBER: Final = re.compile(r"#(-?[0-9][0-9a-fx]*)")


def make(seed: str) -> Case:
    """Nothing: the seed says all."""
    return Case(b"", [])


def check(case: Case, seed: str) -> Report:
    """Assemble and disassemble. The report's kind is the machine."""
    chance = random.Random(seed)
    if chance.random() < 0.5:
        return _check_amd64(chance)
    return _check_arm64(chance)


def _signed(chance: random.Random, bits: int) -> int:
    """Short numbers as often as long ones."""
    length = chance.randint(1, bits)
    return max(chance.getrandbits(length) - (chance.random() < 0.5) * (1 << length - 1), -(1 << bits - 1))


def _check_amd64(chance: random.Random) -> Report:
    sweep = _amd64.Sweep()
    for _ in range(_COUNT):
        _amd64_instruction(sweep, chance)
    return Report(kind="amd64", instructions=sweep.check())


def _memory(chance: random.Random) -> tuple[int, int, int, int]:
    base = chance.randrange(-1, 16)
    index = chance.choice([number for number in range(-1, 16) if number != _RSP])
    shift = chance.randrange(4) if index >= 0 else 0
    disp = _signed(chance, 32)
    return base, index, shift, min(disp, 0x7FFF_FFFF)


def _amd64_instruction(sweep: Any, chance: random.Random) -> None:
    code, expect = sweep.code, sweep.expect
    if chance.random() < 0.1:
        condition = chance.randrange(16)
        suffix = _amd64.CONDITIONS[condition]
        size = chance.choice(("32", "64"))
        form, mnemonic, kinds = chance.choice(
            (
                (f"CMOV_RR{size}", "cmov", (f"r{size}", f"r{size}")),
                (f"CMOV_RM{size}", "cmov", (f"r{size}", f"m{size}")),
                ("SET_R8", "set", ("r8",)),
                ("SET_M8", "set", ("m8",)),
            )
        )
        encoding = getattr(amd64_encodings, form)[condition]
        regs = [chance.randrange(16) for _ in kinds]
        _amd64.emit_form(sweep, encoding, mnemonic + suffix, kinds, regs, _memory(chance), 0)
        return
    name, mnemonic, kinds = chance.choice(_amd64.ROWS)
    encoding = _amd64.TABLES[name]
    regs = [chance.randrange(16) for _ in range(3)]
    if "v" in encoding.operands:
        names = [_amd64.NAMES[kinds[0]][number] for number in regs]
        amd64_assembler.rrr(code, encoding, *regs)
        expect(f"{mnemonic} {', '.join(names)}")
        return
    imm = 0
    for kind in kinds:
        if kind in _IMMEDIATES:
            least, bits = _IMMEDIATES[kind]
            imm = _signed(chance, bits) if least else chance.getrandbits(bits)
            # Where the sign does not matter, the unsigned range is allowed as well.
            imm = min(imm, 0x7FFF_FFFF) if kind == "s32" else imm
    _amd64.emit(sweep, name, mnemonic, kinds, regs, _memory(chance), imm)


def _check_arm64(chance: random.Random) -> Report:
    code = bytearray()
    expected: list[str] = []
    accesses = list(_arm64.ACCESSES.items())
    for _ in range(_COUNT):
        which = chance.random()
        if which < 0.25:
            expected.append(_access(code, chance.choice(accesses), chance))
        elif which < 0.35:
            expected.append(_branch(code, chance))
        else:
            expected.append(_row(code, chance.choice(_arm64.ROWS), chance))
    found = _arm64.disassemble(code)
    for at, (one, other) in enumerate(zip(map(_modulo, found), map(_modulo, expected), strict=True)):
        assert one == other, f"{code[4 * at : 4 * at + 4].hex()}: {one}, not {other}"
    _integers(chance)
    return Report(kind="arm64", instructions=len(found))


def _modulo(text: str) -> str:
    """Numbers modulo 2**64: capstone takes some for signed."""
    return _NUMBER.sub(lambda match: f"#{int(match[1], 0) & (1 << 64) - 1:#x}", text)


def _row(code: bytearray, row: tuple[str, str, tuple[str, ...]], chance: random.Random) -> str:
    name, mnemonic, kinds = row
    wide = name.rstrip("_BL").endswith("64")
    chosen: list[int] = []
    values: list[int] = []
    tail = ""
    for kind in kinds:
        if kind in _arm64.REGISTERS:
            # 31 makes another instruction of many, for people.
            chosen.append(chance.randrange(32 if kind in "bsd" or kind == "v8" else 31))
        elif kind in ("shift", "rshift", "ext"):
            bits, text = chance.choice(list(_arm64.modifiers(kind, wide)))
            if kind != "ext" and text:
                amount = chance.randrange(1, 64 if wide else 32)
                which = chance.randrange(4 if kind == "rshift" else 3)
                bits, text = arm64_encodings.shifted(which, amount), f", {_arm64.SHIFTS[which]} #{amount}"
            values.append(bits)
            tail += text
        elif kind == "c":
            values.append(chance.randrange(14))
            tail += f", {_arm64.CONDITIONS[values[-1]]}"
        else:
            values.append(_number(kind, chance))
            tail += f", {_arm64._immediate(kind, values[-1])}"
    code += _arm64.emit(name, kinds, [*chosen, *values])
    return str(_arm64.row_text(name, mnemonic, kinds, chosen, values, tail))


def _number(kind: str, chance: random.Random) -> int:
    if kind == "a12":
        return chance.randrange(4096) << chance.choice((0, 12))
    if kind in ("l32", "l64"):
        # Ones in each element of 2 to 64 bits, rotated.
        size = 1 << chance.randint(1, 6 if kind == "l64" else 5)
        ones, rotation = (1 << chance.randrange(1, size)) - 1, chance.randrange(size)
        element = (ones >> rotation | ones << size - rotation) & (1 << size) - 1
        return sum(element << at for at in range(0, int(kind[1:]), size))
    return chance.randrange({"b32": 32, "b64": 64, "i5": 32, "f": 16}[kind])


def _access(code: bytearray, named: tuple[str, arm64_encodings.Access], chance: random.Random) -> str:
    name, access = named
    wide = name.endswith("64")
    kind = {1: "b", 2: "h", 4: "s", 8: "d", 16: "q"}[access.size] if "_FM" in name else "x" if wide else "w"
    if access.name in ("strb", "strh", "ldrb", "ldrh"):
        kind = "w"
    short = access.name.partition(".")[0]
    target, base = chance.randrange(31), chance.randrange(32)
    register, place = _arm64.REGISTERS[kind][target], "sp" if base == 31 else f"x{base}"
    if chance.random() < 0.4:
        index, scale = chance.randrange(31), chance.random() < 0.5
        extension, text = chance.choice(
            ((arm64_encodings.UXTX, ""), (arm64_encodings.UXTW, "uxtw"), (arm64_encodings.SXTW, "sxtw"))
        )
        arm64_assembler.rmx(code, access, target, base, index, arm64_encodings.indexed(extension, scale))
        amount = f" #{access.shift}" if scale else ""
        if text:
            return f"{short} {register}, [{place}, w{index}, {text}{amount}]"
        return f"{short} {register}, [{place}, x{index}" + (f", lsl{amount}]" if scale else "]")
    mnemonic = short
    if chance.random() < 0.5:
        offset = chance.randrange(4096) * access.size
    else:
        offset = chance.randrange(-256, 256)
        if offset < 0 or offset % access.size:
            mnemonic = mnemonic.replace("str", "stur").replace("ldr", "ldur")
    arm64_assembler.rm(code, access, target, base, offset)
    return f"{mnemonic} {register}, [{place}" + (f", #{offset}]" if offset else "]")


def _branch(code: bytearray, chance: random.Random) -> str:
    text, reach, emit = chance.choice(_arm64._label_instructions())
    distance = 4 * chance.randrange(-reach // 4, reach // 4)
    position = emit(code)
    if position + distance + _arm64.ADDRESS < 0:
        distance = 0
    assert arm64_assembler.patch(code, position, position + distance)
    return f"{text} #{_arm64.ADDRESS + position + distance:#x}"


def _integers(chance: random.Random) -> None:
    """Sequences that load constants leave them in the register."""
    for _ in range(_COUNT // 10):
        bits = chance.getrandbits(chance.randint(1, 64)) << chance.choice((0, 0, 16, 32))
        bits = (bits ^ -(chance.random() < 0.3)) & (1 << 64) - 1
        code = bytearray()
        arm64_assembler.load_integer(code, 9, bits)
        assert _arm64.evaluate_moves(code, 9) == bits, hex(bits)
