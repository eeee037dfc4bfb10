"""Target: programs with vectors: large functions, small ones, and such that are little more than some instructions."""

from __future__ import annotations

import random
from typing import Final

from fuzz.case import Case
from fuzz.generated import case_of, check
from fuzz.program import Program
from fuzz.vector_functions import generate

__all__ = ["check", "make"]

#: How many functions of each kind; and after how many of them the state is compared.
_KINDS: Final = {"large": (20, 1), "small": (80, 20), "flat": (60, 20)}


def _kind(seed: str) -> str:
    return random.Random(f"{seed}/kind").choice(list(_KINDS))


def program(seed: str) -> Program:
    """The program that belongs to a seed."""
    kind = _kind(seed)
    return generate(seed, _KINDS[kind][0], kind)


def make(seed: str) -> Case:
    """The module that belongs to a seed."""
    return case_of(program(seed), seed, state_every=_KINDS[_kind(seed)][1])
