"""Every fuzz target makes programs and finds nothing wrong: one that fell behind would not look for anything."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))

from fuzz.targets import TARGETS  # noqa: E402 (the fuzzers are not installed)


@pytest.mark.parametrize("name", TARGETS)
def test_target(name: str) -> None:
    for needed in ("wasmtime", "capstone"):
        pytest.importorskip(needed)
    target = TARGETS[name]
    if missing := [program for program in target.needs if shutil.which(program) is None]:
        pytest.skip(f"{', '.join(missing)} is not installed")
    make, check = target.load()
    # Some targets choose between kinds of programs.
    for number in range(2):
        seed = f"test/{number}"
        assert check(make(seed), seed).find == ""
