"""The conformance programs of WASI, in C and AssemblyScript, all pass."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

# A module beside this one; tests are not a package.
_spec = importlib.util.spec_from_file_location("suite", Path(__file__).with_name("suite.py"))
assert _spec is not None and _spec.loader is not None
suite = importlib.util.module_from_spec(_spec)
sys.modules["suite"] = suite
_spec.loader.exec_module(suite)

PROGRAMS = suite.programs()

pytestmark = pytest.mark.skipif(not PROGRAMS, reason=f"no suite at {suite.FOLDER} (WASMETAL_SHARED)")


# Programs that write to their directory.
WRITERS = ("pwrite-with-access", "pwrite-with-append")


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_program(program, tmp_path):
    assert suite.run(program, tmp_path) == suite.expected(program)


@pytest.mark.parametrize("kind", [kind for kind in suite.DIRECTORIES if kind != "host"])
@pytest.mark.parametrize("program", list(filter(suite.needs_directory, PROGRAMS)), ids=lambda path: path.stem)
def test_program_with_virtual_files(program, tmp_path, kind):
    if kind == "fsspec":
        pytest.importorskip("fsspec", reason="fsspec is not installed")
    if kind != "memory" and program.stem in WRITERS:
        pytest.skip("only one in memory can be written to")
    assert suite.run(program, tmp_path, kind) == suite.expected(program)


def test_the_suite_is_complete():
    assert {language: len(list((suite.FOLDER / language).glob("*.wasm"))) for language in ("c", "assemblyscript")} == {
        "c": 14,
        "assemblyscript": 12,
    }
