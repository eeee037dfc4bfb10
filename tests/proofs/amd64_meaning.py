"""What instructions of x86-64 do (Intel 64 Software Developer's Manual, volume 2), as terms of bit vectors."""

from __future__ import annotations

from collections.abc import Callable

import capstone
import z3
from capstone import x86
from ir_meaning import leading_zeros, ones, product, trailing_zeros
from machine import State, Step, Term, bits, literal, low, sign_extended, unknown, zero_extended

_WIDE = ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", *(f"r{number}" for number in range(8, 16)))
#: Name of a part -> (register, bits).
_PARTS: dict[str, tuple[str, int]] = {name: (name, 64) for name in _WIDE}
for _name in _WIDE[:8]:
    _PARTS[f"e{_name[1:]}"] = (_name, 32)
    _PARTS[_name[1:]] = (_name, 16)
    _PARTS[f"{_name[1:]}l" if _name[2] in "ip" and _name[1] in "sdb" else f"{_name[1]}l"] = (_name, 8)
for _name in _WIDE[8:]:
    _PARTS |= {f"{_name}d": (_name, 32), f"{_name}w": (_name, 16), f"{_name}b": (_name, 8)}


def initial() -> State:
    return State({name: z3.BitVec(name, 64) for name in _WIDE})


def disassembler() -> capstone.Cs:
    found = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    found.detail = True
    return found


class _Operands:
    """The operands of an instruction: what they are and how they are written."""

    def __init__(self, state: State, inst: capstone.CsInsn) -> None:
        self._state = state
        self._inst = inst
        self._list = inst.operands

    def __len__(self) -> int:
        return len(self._list)

    def size(self, number: int = 0) -> int:
        return int(self._list[number].size * 8)

    def address(self, number: int) -> Term:
        memory = self._list[number].mem
        total = bits(memory.disp, 64)
        if memory.base:
            total = total + self._register(memory.base)
        if memory.index:
            total = total + self._register(memory.index) * bits(memory.scale, 64)
        return total

    def _register(self, number: int) -> Term:
        if number == x86.X86_REG_RIP:
            return bits(self._inst.address + self._inst.size, 64)
        name, size = _PARTS[self._inst.reg_name(number)]
        return zero_extended(low(self._state.registers[name], size), 64)

    def get(self, number: int, size: int = 0) -> Term:
        """An operand's value; an immediate with this size, or the first operand's."""
        operand = self._list[number]
        if operand.type == x86.X86_OP_IMM:
            return bits(operand.imm, size or self.size())
        if operand.type == x86.X86_OP_MEM:
            return self._state.load(self.address(number), operand.size * 8)
        name, width = _PARTS[self._inst.reg_name(operand.reg)]
        return low(self._state.registers[name], width)

    def set(self, number: int, value: Term) -> None:
        operand = self._list[number]
        if operand.type == x86.X86_OP_MEM:
            self._state.store(self.address(number), value)
            return
        name, width = _PARTS[self._inst.reg_name(operand.reg)]
        assert value.size() == width, self._inst
        if width == 32:
            value = zero_extended(value, 64)  # writing 32 bits clears the others; 8 and 16 keep them
        elif width < 64:
            value = z3.Concat(z3.Extract(63, width, self._state.registers[name]), value)
        self._state.registers[name] = value


_CONDITIONS: dict[str, Callable[[dict[str, z3.BoolRef]], z3.BoolRef]] = {
    "o": lambda f: f["of"],
    "b": lambda f: f["cf"],
    "e": lambda f: f["zf"],
    "be": lambda f: z3.Or(f["cf"], f["zf"]),
    "s": lambda f: f["sf"],
    "l": lambda f: f["sf"] != f["of"],
    "le": lambda f: z3.Or(f["zf"], f["sf"] != f["of"]),
}
for _name, _opposite in (("no", "o"), ("ae", "b"), ("ne", "e"), ("a", "be"), ("ns", "s"), ("ge", "l"), ("g", "le")):
    _CONDITIONS[_name] = lambda f, _holds=_CONDITIONS[_opposite]: z3.Not(_holds(f))


def _result_flags(state: State, result: Term) -> None:
    state.flags["zf"] = result == 0
    state.flags["sf"] = result < 0


def _add(state: State, x: Term, y: Term, carry: Term | None = None) -> Term:
    wide = zero_extended(x, x.size() + 1) + zero_extended(y, x.size() + 1)
    if carry is not None:
        wide = wide + zero_extended(carry, x.size() + 1)
    result = low(wide, x.size())
    state.flags["cf"] = z3.Extract(x.size(), x.size(), wide) == 1
    state.flags["of"] = z3.And((x < 0) == (y < 0), (x < 0) != (result < 0))
    _result_flags(state, result)
    return result


def _subtract(state: State, x: Term, y: Term, borrow: Term | None = None) -> Term:
    wide = zero_extended(x, x.size() + 1) - zero_extended(y, x.size() + 1)
    if borrow is not None:
        wide = wide - zero_extended(borrow, x.size() + 1)
    result = low(wide, x.size())
    state.flags["cf"] = z3.Extract(x.size(), x.size(), wide) == 1
    state.flags["of"] = z3.And((x < 0) != (y < 0), (x < 0) != (result < 0))
    _result_flags(state, result)
    return result


def _logic(function: Callable[[Term, Term], Term]) -> Callable[[State, Term, Term], Term]:
    def run(state: State, x: Term, y: Term) -> Term:
        result = function(x, y)
        state.flags["cf"] = state.flags["of"] = z3.BoolVal(False)
        _result_flags(state, result)
        return result

    return run


def _unknown_flags(state: State) -> None:
    for name in ("cf", "of", "zf", "sf"):
        state.flags[name] = unknown(1, name) == 1


def _shift(function: Callable[[Term, Term], Term]) -> Callable[[State, Term, Term], Term]:
    def run(state: State, x: Term, y: Term) -> Term:
        _unknown_flags(state)  # they depend on the count; nothing should look at them
        return function(x, zero_extended(low(y, 8), x.size()) & bits(63 if x.size() == 64 else 31, x.size()))

    return run


def _carry(state: State) -> Term:
    return z3.If(state.flags["cf"], bits(1, 1), bits(0, 1))


#: First operand becomes this of both.
_BINARY: dict[str, Callable[[State, Term, Term], Term]] = {
    "add": _add,
    "sub": _subtract,
    "adc": lambda state, x, y: _add(state, x, y, _carry(state)),
    "sbb": lambda state, x, y: _subtract(state, x, y, _carry(state)),
    "and": _logic(lambda x, y: x & y),
    "or": _logic(lambda x, y: x | y),
    "xor": _logic(lambda x, y: x ^ y),
    "shl": _shift(lambda x, y: x << y),
    "sal": _shift(lambda x, y: x << y),
    "shr": _shift(z3.LShR),
    "sar": _shift(lambda x, y: x >> y),
    "rol": _shift(z3.RotateLeft),
    "ror": _shift(z3.RotateRight),
}
#: Only flags come of it.
_COMPARISONS = {"cmp": _subtract, "test": _BINARY["and"]}
#: First operand becomes this of the second and the third; no flags (BMI2).
_FLAGLESS: dict[str, Callable[[Term, Term], Term]] = {
    "shlx": lambda x, y: x << y,
    "shrx": z3.LShR,
    "sarx": lambda x, y: x >> y,
}
_COUNTS = {"lzcnt": leading_zeros, "tzcnt": trailing_zeros, "popcnt": ones}


def _multiply(state: State, operands: _Operands, extend: Callable[[Term, int], Term]) -> None:
    """rdx:rax becomes rax times the operand."""
    size = operands.size()
    product = extend(low(state.registers["rax"], size), 2 * size) * extend(operands.get(0), 2 * size)
    state.registers["rax"] = zero_extended(low(product, size), 64)
    state.registers["rdx"] = zero_extended(z3.Extract(2 * size - 1, size, product), 64)
    _unknown_flags(state)


def _divide(state: State, operands: _Operands, signed: bool) -> None:
    """rax and rdx become quotient and remainder of rdx:rax; here the dividend must be an extended rax."""
    size = operands.size()
    divisor, x, upper = operands.get(0), low(state.registers["rax"], size), low(state.registers["rdx"], size)
    if signed:
        state.obligations.append(upper == x >> bits(size - 1, size))
        state.obligations.append(z3.Not(z3.And(x == bits(1 << size - 1, size), divisor == -1)))
        quotient = x / divisor
    else:
        state.obligations.append(upper == 0)
        quotient = z3.UDiv(x, divisor)
    state.obligations.append(divisor != 0)
    state.registers["rax"] = zero_extended(quotient, 64)
    state.registers["rdx"] = zero_extended(x - quotient * divisor, 64)
    _unknown_flags(state)


def _imul(state: State, operands: _Operands) -> None:
    if len(operands) == 1:
        _multiply(state, operands, sign_extended)
        return
    x, y = (operands.get(0), operands.get(1)) if len(operands) == 2 else (operands.get(1), operands.get(2))
    operands.set(0, product(x, y))
    _unknown_flags(state)


def _push(state: State, value: Term) -> None:
    state.registers["rsp"] = state.registers["rsp"] - 8
    state.store(state.registers["rsp"], value)


def step(state: State, inst: capstone.CsInsn) -> Step:
    """Do one instruction. Raises NotImplementedError for one that is not known."""
    name, operands = inst.mnemonic, _Operands(state, inst)
    registers = state.registers
    if name in ("mov", "movabs"):
        operands.set(0, operands.get(1))
    elif name in ("movsx", "movsxd"):
        operands.set(0, sign_extended(operands.get(1), operands.size()))
    elif name == "movzx":
        operands.set(0, zero_extended(operands.get(1), operands.size()))
    elif name == "lea":
        operands.set(0, low(operands.address(1), operands.size()))
    elif name in _BINARY:
        operands.set(0, _BINARY[name](state, operands.get(0), operands.get(1)))
    elif name in _COMPARISONS:
        _COMPARISONS[name](state, operands.get(0), operands.get(1))
    elif name in _FLAGLESS:
        count = operands.get(2) & bits(operands.size() - 1, operands.size())
        operands.set(0, _FLAGLESS[name](operands.get(1), count))
    elif name == "rorx":
        operands.set(0, z3.RotateRight(operands.get(1), operands.get(2)))
    elif name == "andn":
        operands.set(0, _BINARY["and"](state, ~operands.get(1), operands.get(2)))
    elif name in _COUNTS:
        operands.set(0, _COUNTS[name](operands.get(1)))
        _unknown_flags(state)
    elif name in ("bsf", "bsr"):
        x = operands.get(1)
        index = trailing_zeros(x) if name == "bsf" else bits(x.size() - 1, x.size()) - leading_zeros(x)
        _unknown_flags(state)
        state.flags["zf"] = x == 0
        operands.set(0, z3.If(x == 0, unknown(x.size()), index))
    elif name == "not":
        operands.set(0, ~operands.get(0))
    elif name == "neg":
        operands.set(0, _subtract(state, bits(0, operands.size()), operands.get(0)))
    elif name == "imul":
        _imul(state, operands)
    elif name == "mul":
        _multiply(state, operands, zero_extended)
    elif name in ("div", "idiv"):
        _divide(state, operands, name == "idiv")
    elif name == "cdq":
        registers["rdx"] = zero_extended(low(registers["rax"], 32) >> 31, 64)
    elif name == "cqo":
        registers["rdx"] = registers["rax"] >> 63
    elif name == "xchg":
        first, second = operands.get(0), operands.get(1)
        operands.set(0, second)
        operands.set(1, first)
    elif name == "bt":
        index = operands.get(1) & bits(operands.size() - 1, operands.size())
        state.flags["cf"] = z3.Extract(0, 0, z3.LShR(operands.get(0), index)) == 1
    elif name.startswith("set"):
        operands.set(0, z3.If(_CONDITIONS[name[3:]](state.flags), bits(1, 8), bits(0, 8)))
    elif name.startswith("cmov"):
        # (of 32 bits also clears the upper half when nothing is moved)
        operands.set(0, z3.If(_CONDITIONS[name[4:]](state.flags), operands.get(1), operands.get(0)))
    elif name == "push":
        _push(state, operands.get(0))
    elif name == "pop":
        operands.set(0, state.load(registers["rsp"], 64))
        registers["rsp"] = registers["rsp"] + 8
    elif name == "ret":
        return Step(end="return")
    elif name == "call":
        _push(state, bits(inst.address + inst.size, 64))
        return Step([(None, operands.get(0, 64).as_long())])
    elif name == "jmp":
        target = literal(operands.get(0, 64))
        return Step(end="exit") if target is None else Step([(None, target)])
    elif name.startswith("j"):
        holds = _CONDITIONS[name[1:]](state.flags)
        return Step([(holds, operands.get(0, 64).as_long()), (z3.Not(holds), None)])
    elif name not in ("nop", "endbr64"):
        raise NotImplementedError(f"{inst.mnemonic} {inst.op_str}")
    return Step()
