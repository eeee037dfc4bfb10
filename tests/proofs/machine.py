"""Running straight code with branches symbolically: every path to its end, with registers as terms for z3.

What an instruction does is in `amd64_meaning` and `arm64_meaning`, by its name; written from the manufacturers'
manuals, for the instructions that code for integers is made of. An instruction that they do not know is an error, not
a guess.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import capstone
import z3

Term = z3.BitVecRef
_numbers = itertools.count()


def bits(value: int, size: int) -> Term:
    return z3.BitVecVal(value, size)


def low(term: Term, size: int) -> Term:
    return term if term.size() == size else z3.Extract(size - 1, 0, term)


def zero_extended(term: Term, size: int) -> Term:
    return term if term.size() == size else z3.ZeroExt(size - term.size(), term)


def sign_extended(term: Term, size: int) -> Term:
    return term if term.size() == size else z3.SignExt(size - term.size(), term)


def unknown(size: int, name: str = "unknown") -> Term:
    return z3.BitVec(f"{name}!{next(_numbers)}", size)


def literal(term: Term) -> int | None:
    """The number that a term is, if it is one."""
    simple = z3.simplify(term)
    return simple.as_long() if isinstance(simple, z3.BitVecNumRef) else None


@dataclass
class State:
    """A point on a path: registers, flags, memory of known addresses, and what must hold to come here."""

    registers: dict[str, Term] = field(default_factory=dict)
    flags: dict[str, z3.BoolRef] = field(default_factory=dict)
    #: By the text of an address: what was stored there. Addresses relative to the stack pointer at the start.
    memory: dict[str, Term] = field(default_factory=dict)
    conditions: list[z3.BoolRef] = field(default_factory=list)
    #: What must hold when an instruction is executed, since it faults otherwise.
    obligations: list[z3.BoolRef] = field(default_factory=list)
    #: The code, from address 0 on, with the constants behind it.
    code: bytes = b""

    def fork(self, condition: z3.BoolRef) -> State:
        return State(
            dict(self.registers),
            dict(self.flags),
            dict(self.memory),
            [*self.conditions, condition],
            list(self.obligations),
            self.code,
        )

    def load(self, address: Term, size: int) -> Term:
        place = literal(address)
        if place is not None and place < len(self.code):
            return bits(int.from_bytes(self.code[place : place + size // 8], "little"), size)
        key = f"{z3.simplify(address)}:{size}"
        if key not in self.memory:
            self.memory[key] = unknown(size, "memory")
        return self.memory[key]

    def store(self, address: Term, value: Term) -> None:
        self.memory[f"{z3.simplify(address)}:{value.size()}"] = value


@dataclass
class Step:
    """What an instruction leads to: a condition and an address to go on at (None: the next), or an end."""

    branches: list[tuple[z3.BoolRef | None, int | None]] = field(default_factory=lambda: [(None, None)])
    #: "return", or "exit": a jump to where a register or memory says.
    end: str = ""


class Meaning(Protocol):
    """What `amd64_meaning` and `arm64_meaning` have."""

    def step(self, state: State, inst: capstone.CsInsn) -> Step: ...
    def disassembler(self) -> capstone.Cs: ...


def paths(machine: Meaning, code: bytes, state: State) -> Iterator[tuple[str, State]]:
    """Every path through code from its first byte: how it ends, and the state there."""
    instructions = {inst.address: inst for inst in machine.disassembler().disasm(code, 0)}
    state.code = code
    waiting = [(0, state)]
    while waiting:
        address, state = waiting.pop()
        while True:
            inst = instructions[address]
            step = machine.step(state, inst)
            if step.end:
                yield step.end, state
                break
            following = [
                (address + inst.size if target is None else target, condition) for condition, target in step.branches
            ]
            for target, condition in following[1:]:
                assert condition is not None
                waiting.append((target, state.fork(condition)))
            address, condition = following[0]
            if condition is not None:
                state = state.fork(condition)
