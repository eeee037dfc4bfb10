"""A third party's backend is found by its entry point alone, and documentation shows it as it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from native_code import host_backend

_SOURCES = Path(__file__).parents[1] / "toy_backend" / "src"
_PAGE = Path(__file__).parents[2] / "docs" / "backends.md"

_PROGRAM = """
import wasmetal
from toy_backend import compiled

# (module (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))
wasm = bytes.fromhex(
    "0061736d01000000" "010701 60027f7f017f" "03020100" "0707010361646400 00" "0a09010700200020016a0b".replace(" ", "")
)
engine = wasmetal.Engine(wasmetal.Config(backend="toy"))
instance = wasmetal.Module(wasm, engine=engine).instantiate()
assert instance.exports["add"](40, 2) == 42
assert "function 0" in compiled and len(compiled) >= 2, compiled
print("toy")
"""


def test_a_module_runs_on_it(tmp_path: Path) -> None:
    if host_backend() is None:
        pytest.skip("no backend is installed that makes code for this machine")
    metadata = tmp_path / "toy_backend-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-backend\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[wasmetal.backends]\ntoy = toy_backend:ToyBackend\n")
    path = os.pathsep.join((str(tmp_path), str(_SOURCES), os.environ.get("PYTHONPATH", "")))
    result = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (result.returncode, result.stdout) == (0, "toy\n"), result.stderr


def test_the_page_shows_the_class() -> None:
    """docs/backends.md has it word for word."""
    source = (_SOURCES / "toy_backend" / "__init__.py").read_text(encoding="utf-8")
    shown = _PAGE.read_text(encoding="utf-8").partition("```python\n")[2].partition("\n```")[0]
    assert shown.startswith("class ToyBackend") and source.endswith(shown + "\n")
