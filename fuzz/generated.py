"""Target: programs of our own generator."""

from __future__ import annotations

import random

from fuzz.case import Case, Step
from fuzz.comparison import difference
from fuzz.edge_values import V128, bits
from fuzz.functions import generate
from fuzz.program import DUMP, FUEL, Program
from fuzz.report import Report
from fuzz.run_wasmetal import MACHINES
from wasm_core import decode

FUNCTIONS = 30
CALLS = 6


def case_of(program: Program, seed: str, state_every: int = 1) -> Case:
    """Call every function some times, and look at memory and globals after so many of them."""
    steps: list[Step] = []
    for number in range(len(program.signatures)):
        params, _ = program.exported_signature(number)
        chance = random.Random(f"{seed}/{number}/arguments")
        for _ in range(CALLS):
            arguments = [f"{bits(chance, param):x}" for param in params]
            steps += [["set", "g0", FUEL], ["call", f"f{number}", arguments]]
        if (number + 1) % state_every == 0:
            if V128 in program.kinds:
                steps.append(["call", DUMP, []])
            steps.append(["state"])
    return Case(program.binary(), steps)


def program(seed: str) -> Program:
    """The program that belongs to a seed."""
    return generate(seed, FUNCTIONS)


def make(seed: str) -> Case:
    """The module that belongs to a seed."""
    return case_of(program(seed), seed)


def check(case: Case, seed: str) -> Report:
    """Compare two kinds of machines with the other engine."""
    calls = sum(step[0] == "call" for step in case.steps)
    find = difference(case, random.Random(seed).sample(MACHINES, 2))
    return Report(find, functions=len(decode(case.binary).body_starts), calls=calls)
