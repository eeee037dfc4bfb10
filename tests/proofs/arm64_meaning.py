"""What instructions of AArch64 do (Arm Architecture Reference Manual, DDI 0487, part C), as terms of bit vectors."""

from __future__ import annotations

from collections.abc import Callable

import capstone
import z3
from capstone import arm64
from ir_meaning import leading_zeros, ones, product
from machine import State, Step, Term, bits, literal, low, sign_extended, zero_extended

_NAMES = {"fp": "x29", "lr": "x30"}


def initial() -> State:
    registers = {f"x{number}": z3.BitVec(f"x{number}", 64) for number in range(31)}
    return State({**registers, "sp": z3.BitVec("sp", 64), **{f"v{number}": bits(0, 128) for number in range(32)}})


def disassembler() -> capstone.Cs:
    found = capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_LITTLE_ENDIAN)
    found.detail = True
    return found


def _part(name: str) -> tuple[str, int]:
    """The register that a name stands for, and how many bits of it."""
    name = _NAMES.get(name, name)
    if name in ("xzr", "wzr"):
        return "zero", 64 if name[0] == "x" else 32
    if name in ("sp", "wsp"):
        return "sp", 64 if name == "sp" else 32
    kind, number = name[0], name[1:]
    if kind in "xw":
        return f"x{number}", 64 if kind == "x" else 32
    return f"v{number}", {"v": 128, "q": 128, "d": 64, "s": 32, "h": 16, "b": 8}[kind]


def _read(state: State, name: str) -> Term:
    register, size = _part(name)
    return bits(0, size) if register == "zero" else low(state.registers[register], size)


def _write(state: State, name: str, value: Term) -> None:
    register, size = _part(name)
    assert value.size() == size, (name, value.size())
    if register != "zero":
        whole = 128 if register[0] == "v" else 64
        state.registers[register] = zero_extended(value, whole)  # what is above is cleared


_SHIFTS: dict[int, Callable[[Term, Term], Term]] = {
    arm64.ARM64_SFT_LSL: lambda x, y: x << y,
    arm64.ARM64_SFT_LSR: z3.LShR,
    arm64.ARM64_SFT_ASR: lambda x, y: x >> y,
    arm64.ARM64_SFT_ROR: z3.RotateRight,
}
_EXTENSIONS: dict[int, tuple[int, Callable[[Term, int], Term]]] = {
    arm64.ARM64_EXT_UXTB: (8, zero_extended),
    arm64.ARM64_EXT_UXTH: (16, zero_extended),
    arm64.ARM64_EXT_UXTW: (32, zero_extended),
    arm64.ARM64_EXT_UXTX: (64, zero_extended),
    arm64.ARM64_EXT_SXTB: (8, sign_extended),
    arm64.ARM64_EXT_SXTH: (16, sign_extended),
    arm64.ARM64_EXT_SXTW: (32, sign_extended),
    arm64.ARM64_EXT_SXTX: (64, sign_extended),
}


class _Operands:
    """The operands of an instruction: what they are and how they are written."""

    def __init__(self, state: State, inst: capstone.CsInsn) -> None:
        self._state = state
        self._inst = inst
        self._list = inst.operands
        #: Bits of the first operand.
        self.size = self.size_of(0) if self._list and self._list[0].type == arm64.ARM64_OP_REG else 64

    def __len__(self) -> int:
        return len(self._list)

    def name(self, number: int) -> str:
        return str(self._inst.reg_name(self._list[number].reg))

    def size_of(self, number: int) -> int:
        return _part(self.name(number))[1]

    def immediate(self, number: int) -> int:
        return int(self._list[number].imm)

    def get(self, number: int) -> Term:
        operand = self._list[number]
        if operand.type == arm64.ARM64_OP_IMM:
            return bits(operand.imm << (operand.shift.value if operand.shift.type else 0), self.size)
        value = _read(self._state, self.name(number))
        if operand.ext:
            width, extend = _EXTENSIONS[operand.ext]
            value = extend(low(value, width), self.size)
        if operand.shift.type:
            value = _SHIFTS[operand.shift.type](value, bits(operand.shift.value, value.size()))
        return value

    def set(self, number: int, value: Term) -> None:
        _write(self._state, self.name(number), value)


_CONDITIONS: dict[str, Callable[[dict[str, z3.BoolRef]], z3.BoolRef]] = {
    "eq": lambda f: f["z"],
    "hs": lambda f: f["c"],
    "mi": lambda f: f["n"],
    "vs": lambda f: f["v"],
    "hi": lambda f: z3.And(f["c"], z3.Not(f["z"])),
    "ge": lambda f: f["n"] == f["v"],
    "gt": lambda f: z3.And(z3.Not(f["z"]), f["n"] == f["v"]),
}
for _name, _opposite in (
    ("ne", "eq"),
    ("lo", "hs"),
    ("pl", "mi"),
    ("vc", "vs"),
    ("ls", "hi"),
    ("lt", "ge"),
    ("le", "gt"),
):
    _CONDITIONS[_name] = lambda f, _holds=_CONDITIONS[_opposite]: z3.Not(_holds(f))
_CONDITIONS |= {"cs": _CONDITIONS["hs"], "cc": _CONDITIONS["lo"]}
_BY_NUMBER = {
    getattr(arm64, f"ARM64_CC_{name.upper()}"): holds for name, holds in _CONDITIONS.items() if name not in ("cs", "cc")
}


def _condition(state: State, inst: capstone.CsInsn) -> z3.BoolRef:
    return _BY_NUMBER[inst.cc](state.flags)


def _add_with_carry(state: State, x: Term, y: Term, carry: int, flags: bool) -> Term:
    """The pseudocode's AddWithCarry."""
    size = x.size()
    wide = zero_extended(x, size + 1) + zero_extended(y, size + 1) + bits(carry, size + 1)
    result = low(wide, size)
    if flags:
        state.flags = {
            "n": result < 0,
            "z": result == 0,
            "c": z3.Extract(size, size, wide) == 1,
            "v": z3.And((x < 0) == (y < 0), (x < 0) != (result < 0)),
        }
    return result


def _logic_flags(state: State, result: Term) -> None:
    state.flags = {"n": result < 0, "z": result == 0, "c": z3.BoolVal(False), "v": z3.BoolVal(False)}


def _division(divide: Callable[[Term, Term], Term]) -> Callable[[Term, Term], Term]:
    # By zero: 0. The lowest number by -1: itself, as bit vectors have it.
    return lambda x, y: z3.If(y == 0, bits(0, x.size()), divide(x, y))


def _by(shift: Callable[[Term, Term], Term]) -> Callable[[Term, Term], Term]:
    return lambda x, y: shift(x, y & bits(x.size() - 1, x.size()))


_LOGIC: dict[str, Callable[[Term, Term], Term]] = {
    "and": lambda x, y: x & y,
    "orr": lambda x, y: x | y,
    "eor": lambda x, y: x ^ y,
    "bic": lambda x, y: x & ~y,
    "orn": lambda x, y: x | ~y,
    "eon": lambda x, y: x ^ ~y,
}
#: First operand becomes this of the others.
_THREE: dict[str, Callable[..., Term]] = {
    **_LOGIC,
    "mul": product,
    "mneg": lambda x, y: -product(x, y),
    "madd": lambda x, y, z: z + product(x, y),
    "msub": lambda x, y, z: z - product(x, y),
    "umulh": lambda x, y: z3.Extract(127, 64, zero_extended(x, 128) * zero_extended(y, 128)),
    "smulh": lambda x, y: z3.Extract(127, 64, sign_extended(x, 128) * sign_extended(y, 128)),
    "umull": lambda x, y: zero_extended(x, 64) * zero_extended(y, 64),
    "smull": lambda x, y: sign_extended(x, 64) * sign_extended(y, 64),
    "udiv": _division(z3.UDiv),
    "sdiv": _division(lambda x, y: x / y),
    "lsl": _by(lambda x, y: x << y),
    "lsr": _by(z3.LShR),
    "asr": _by(lambda x, y: x >> y),
    "ror": _by(z3.RotateRight),
    "mvn": lambda x: ~x,
    "neg": lambda x: -x,
    "clz": leading_zeros,
    "rbit": lambda x: z3.Concat(*[z3.Extract(bit, bit, x) for bit in range(x.size())]),
}
#: First operand becomes this of the second.
_EXTEND: dict[str, tuple[int, Callable[[Term, int], Term]]] = {
    "sxtb": (8, sign_extended),
    "sxth": (16, sign_extended),
    "sxtw": (32, sign_extended),
    "uxtb": (8, zero_extended),
    "uxth": (16, zero_extended),
    "uxtw": (32, zero_extended),
}
#: First operand becomes the second where the condition holds, else this of the third.
_SELECT: dict[str, Callable[[Term], Term]] = {
    "csel": lambda x: x,
    "csinc": lambda x: x + 1,
    "csinv": lambda x: ~x,
    "csneg": lambda x: -x,
}
#: The same of one operand, where the condition holds, else as it is.
_CHANGE: dict[str, Callable[[Term], Term]] = {"cinc": lambda x: x + 1, "cinv": lambda x: ~x, "cneg": lambda x: -x}
#: Both operands added or subtracted: whether the second is inverted, the carry, whether flags are set.
_SUMS = {"add": (False, 0, False), "adds": (False, 0, True), "sub": (True, 1, False), "subs": (True, 1, True)}


def _field(inst: capstone.CsInsn, operands: _Operands) -> Term:
    """The result of ubfx, sbfx, ubfiz and sbfiz: `width` bits from `lsb`, or put there."""
    lsb, width = operands.immediate(2), operands.immediate(3)
    extend = sign_extended if inst.mnemonic[0] == "s" else zero_extended
    x = operands.get(1)
    if inst.mnemonic.endswith("x"):
        return extend(z3.Extract(lsb + width - 1, lsb, x), operands.size)
    return extend(low(x, width), operands.size) << bits(lsb, operands.size)


def _conditional_compare(state: State, inst: capstone.CsInsn, operands: _Operands) -> None:
    holds = _condition(state, inst)
    add = inst.mnemonic == "ccmn"
    right = operands.get(1)
    _add_with_carry(state, operands.get(0), right if add else ~right, 0 if add else 1, True)
    given = operands.immediate(2)
    for number, name in enumerate("vczn"):
        state.flags[name] = z3.If(holds, state.flags[name], z3.BoolVal(given >> number & 1 == 1))


def _memory(state: State, inst: capstone.CsInsn, operands: _Operands) -> None:
    """ldr, str, ldp, stp of whole registers, with addresses before and after."""
    count = 2 if inst.mnemonic[2] == "p" else 1
    if inst.operands[count].type == arm64.ARM64_OP_IMM:  # a constant behind the code
        operands.set(0, state.load(bits(operands.immediate(count), 64), operands.size))
        return
    memory = inst.operands[count].mem
    base = inst.reg_name(memory.base)
    address = _read(state, base)
    if memory.index:
        address = address + _read(state, inst.reg_name(memory.index))
    after = operands.immediate(count + 1) if len(operands) > count + 1 else 0
    address = address + memory.disp
    for number in range(count):
        place = address + number * operands.size // 8
        if inst.mnemonic[0] == "l":
            operands.set(number, state.load(place, operands.size))
        else:
            state.store(place, operands.get(number))
    if inst.writeback:
        _write(state, base, address + after)


def step(state: State, inst: capstone.CsInsn) -> Step:
    """Do one instruction. Raises NotImplementedError for one that is not known."""
    name, operands = inst.mnemonic, _Operands(state, inst)
    if name in _SUMS:
        inverted, carry, flags = _SUMS[name]
        right = operands.get(2)
        operands.set(0, _add_with_carry(state, operands.get(1), ~right if inverted else right, carry, flags))
    elif name in ("cmp", "cmn"):
        right = operands.get(1)
        _add_with_carry(state, operands.get(0), right if name == "cmn" else ~right, 0 if name == "cmn" else 1, True)
    elif name in ("tst", "ands", "bics"):
        *_, left, right = range(len(operands))
        result = _LOGIC["bic" if name == "bics" else "and"](operands.get(left), operands.get(right))
        _logic_flags(state, result)
        if name != "tst":
            operands.set(0, result)
    elif name in _THREE:
        operands.set(0, _THREE[name](*(operands.get(number) for number in range(1, len(operands)))))
    elif name in ("mov", "movz"):
        operands.set(0, operands.get(1))
    elif name == "movn":
        operands.set(0, ~operands.get(1))
    elif name == "movk":
        place = inst.operands[1].shift.value if inst.operands[1].shift.type else 0
        kept = operands.get(0) & bits(~(0xFFFF << place), operands.size)
        operands.set(0, kept | operands.get(1))
    elif name in _EXTEND:
        width, extend = _EXTEND[name]
        operands.set(0, extend(low(operands.get(1), width), operands.size))
    elif name in ("ubfx", "sbfx", "ubfiz", "sbfiz"):
        operands.set(0, _field(inst, operands))
    elif name == "extr":
        both = z3.Concat(operands.get(1), operands.get(2))
        operands.set(0, low(z3.LShR(both, operands.immediate(3)), operands.size))
    elif name in _SELECT:
        operands.set(0, z3.If(_condition(state, inst), operands.get(1), _SELECT[name](operands.get(2))))
    elif name in _CHANGE:
        operands.set(0, z3.If(_condition(state, inst), _CHANGE[name](operands.get(1)), operands.get(1)))
    elif name in ("cset", "csetm"):
        operands.set(
            0, z3.If(_condition(state, inst), bits(1 if name == "cset" else -1, operands.size), bits(0, operands.size))
        )
    elif name in ("ccmp", "ccmn"):
        _conditional_compare(state, inst, operands)
    elif name in ("ldr", "str", "ldp", "stp"):
        _memory(state, inst, operands)
    elif name == "fmov":
        operands.set(0, operands.get(1))
    elif name == "cnt":  # of 8 bytes
        x = low(state.registers[_part(operands.name(1))[0]], 64)
        counts = [ones(z3.Extract(8 * byte + 7, 8 * byte, x)) for byte in reversed(range(8))]
        state.registers[_part(operands.name(0))[0]] = zero_extended(z3.Concat(*counts), 128)
    elif name in ("addv", "uaddlv"):  # of 8 bytes
        x = low(state.registers[_part(operands.name(1))[0]], 64)
        total = bits(0, operands.size)
        for byte in range(8):
            total = total + zero_extended(z3.Extract(8 * byte + 7, 8 * byte, x), operands.size)
        operands.set(0, total)
    elif name == "ret":
        return Step(end="return")
    elif name in ("b", "bl"):
        if name == "bl":
            _write(state, "x30", bits(inst.address + 4, 64))
        return Step([(None, operands.immediate(0))])
    elif name == "br":
        assert literal(operands.get(0)) is None
        return Step(end="exit")
    elif name.startswith("b."):
        holds = _CONDITIONS[name[2:]](state.flags)
        return Step([(holds, operands.immediate(0)), (z3.Not(holds), None)])
    elif name in ("cbz", "cbnz"):
        holds = (operands.get(0) == 0) == (name == "cbz")
        return Step([(holds, operands.immediate(1)), (z3.Not(holds), None)])
    elif name in ("tbz", "tbnz"):
        bit = operands.immediate(1)
        holds = z3.Extract(bit, bit, operands.get(0)) == (0 if name == "tbz" else 1)
        return Step([(holds, operands.immediate(2)), (z3.Not(holds), None)])
    elif name != "nop":
        raise NotImplementedError(f"{inst.mnemonic} {inst.op_str}")
    return Step()
