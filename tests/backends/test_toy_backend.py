"""A third party's backend is found by its entry point alone, and documentation shows it as it is."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from wasm_ir.testing.native_code import host_backend

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


def test_it_passes_the_suite() -> None:
    """Found on the path, as a third party's package is by its tests. What takes long is left to the other backends."""
    if host_backend() is None:
        pytest.skip("no backend is installed that makes code for this machine")
    test = Path(__file__).parents[1] / "toy_backend/tests/test_backend.py"
    chosen = "not large_function and not operations_on_operations"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", chosen, str(test)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(_SOURCES), os.environ.get("PYTHONPATH", "")))}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 0 and " passed" in result.stdout, result.stdout[-4000:] + result.stderr[-2000:]


def test_the_page_shows_the_module() -> None:
    """docs/backends.md has it word for word, so what is pasted from there is what the tests run."""
    source = (_SOURCES / "toy_backend" / "__init__.py").read_text(encoding="utf-8")
    assert _PAGE.read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0] == source


def test_the_page_tells_what_backends_import() -> None:
    """Whoever writes one finds every name of wasm-core and wasm-ir that the existing ones use."""
    rows = [line.split(" | ") for line in _PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `wasm_")]
    told = {(row[0].strip("|` "), name) for row in rows for name in re.findall(r"`(\w+)`", row[1])}
    root = Path(__file__).parents[2]
    folders = (root / "packages/backend-amd64/src", root / "packages/backend-arm64/src", _SOURCES)
    used = {
        (node.module, alias.name)
        for folder in folders
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in ("wasm_core", "wasm_ir")
        for alias in node.names
    }
    assert used and not used - told
