"""The specification's test suite through the public interface, one test per file.

The suite is expected in the folder `shared` beside the project, or where WASMETAL_SHARED says. WASMETAL_SPEC=all runs
all files with explicit bounds checks too, not only those that are about memories.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

_HERE = Path(__file__).resolve().parent
_SHARED = Path(os.environ.get("WASMETAL_SHARED") or _HERE.parents[2] / "shared")
_CORE = _SHARED / "spec" / "2.0" / "core"
_ALL = os.environ.get("WASMETAL_SPEC") == "all"

#: Files whose modules access memory.
_MEMORY_FILES = (
    "address",
    "align",
    "bulk",
    "data",
    "endianness",
    "float_memory",
    "imports",
    "linking",
    "load",
    "store",
)


def _load_runner() -> ModuleType:
    # Tests are imported without their folder being on the path.
    specification = importlib.util.spec_from_file_location("spec_runner", _HERE / "runner.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["spec_runner"] = module
    specification.loader.exec_module(module)
    return module


runner = _load_runner()
FILES = runner.find_files(_CORE)
EXPLICIT_FILES = [f for f in FILES if _ALL or f.stem in _MEMORY_FILES or f.stem.startswith("memory")]

pytestmark = pytest.mark.skipif(not FILES, reason="no specification test suite; set WASMETAL_SHARED")


def _check(path: Path, bounds_checks: str) -> None:
    result = runner.run_file(path, bounds_checks)
    assert not result.failures, "\n".join(result.failures[:20])
    assert not result.unsupported
    if not result.passed:
        pytest.skip(f"{result.text} commands, all about the text format")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_core(path: Path) -> None:
    _check(path, "auto")


@pytest.mark.parametrize("path", EXPLICIT_FILES, ids=lambda path: path.stem)
def test_core_with_explicit_bounds_checks(path: Path) -> None:
    _check(path, "explicit")


def test_nothing_is_left_out() -> None:
    """Every command is run but those about the text format: the numbers of the suite at the tag wg-2.0."""
    commands = [command for path in FILES for command in json.loads(path.read_bytes())["commands"]]
    assert len(commands) == 28018
    assert sum(command.get("module_type") == "text" for command in commands) == 581
