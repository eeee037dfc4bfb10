"""Programs that fuzzing found to go wrong once: they give the same results in every way of compiling."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))

from fuzz.case import load  # noqa: E402 (the fuzzers are not installed)
from fuzz.results import first_difference  # noqa: E402
from fuzz.run_wasmetal import MACHINES, Machine, run  # noqa: E402

CASES = sorted(Path(__file__).with_name("cases").glob("*.json"))


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path: Path, machine: Machine) -> None:
    case, expected = load(path)
    assert expected is not None
    assert first_difference(case, expected, run(case, machine)) == ""
