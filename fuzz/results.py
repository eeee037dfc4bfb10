"""Comparing the results of two runs of one case."""

from __future__ import annotations

from fuzz.case import Case, Result


def first_difference(case: Case, expected: list[Result], actual: list[Result]) -> str:
    """The first step whose results differ; where a stack is exhausted, nothing is compared any more."""
    for step, want, have in zip(case.steps, expected, actual):
        if ["trap", "stack"] in (want, have):
            return ""
        if want != have:
            if step[0] == "state":
                pairs = zip(want, have)
                want, have = next((pair for pair in pairs if pair[0] != pair[1]), (want, have))
            return f"{step}: expected {want}, got {have}"
    return ""
