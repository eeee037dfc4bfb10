"""Target: programs with vectors, half of them large functions and half many small ones."""

from __future__ import annotations

import random

from fuzz.case import Case
from fuzz.generated import case_of, check
from fuzz.program import Program
from fuzz.vector_functions import generate

__all__ = ["check", "make"]

#: Large and small functions.
FUNCTIONS = (20, 80)


def program(seed: str) -> Program:
    """The program that belongs to a seed."""
    small = random.Random(f"{seed}/size").random() < 0.5
    return generate(seed, FUNCTIONS[small], small)


def make(seed: str) -> Case:
    """The module that belongs to a seed."""
    made = program(seed)
    return case_of(made, seed, state_every=1 if len(made.signatures) == FUNCTIONS[0] else 20)
