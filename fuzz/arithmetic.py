"""Target: many small functions without loops, mostly arithmetic with constants."""

from __future__ import annotations

from fuzz.case import Case
from fuzz.functions import generate
from fuzz.generated import case_of, check
from fuzz.program import Program

__all__ = ["check", "make"]

FUNCTIONS = 120


def program(seed: str) -> Program:
    """The program that belongs to a seed."""
    return generate(seed, FUNCTIONS, small=True)


def make(seed: str) -> Case:
    """The module that belongs to a seed."""
    return case_of(program(seed), seed, state_every=40)
