"""Running a case everywhere and finding the first difference."""

from __future__ import annotations

from collections.abc import Iterable

from fuzz import run_wasmetal, run_wasmtime
from fuzz.case import Case
from fuzz.results import first_difference
from fuzz.run_wasmetal import MACHINES, Machine


def difference(case: Case, machines: Iterable[Machine] = MACHINES) -> str:
    """What wasmetal does otherwise than wasmtime; "" if nothing."""
    expected = run_wasmtime.run(case)
    for machine in machines:
        found = first_difference(case, expected, run_wasmetal.run(case, machine))
        if found:
            return f"{machine.name}: {found}"
    return ""
