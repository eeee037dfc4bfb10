"""A backend that is installed from a directory of its own into a fresh environment is found, listed and used."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import wasmetal

venv = pytest.importorskip("venv", reason="this Python cannot make environments")

TOY = Path(__file__).parent / "toy_backend"

PROGRAM = """
import wasmetal
print([(info.name, info.distribution, info.version, info.supported) for info in wasmetal.backends()])
engine = wasmetal.Engine(wasmetal.Config(backend="toy"))
add = engine.compile(bytes.fromhex({module!r})).instantiate().exports.add
print(add(40, 2))
import toy_backend
print("function 0" in toy_backend.compiled)
other = wasmetal.Engine(wasmetal.Config(backend={own!r}))
print(other.compile(bytes.fromhex({module!r})).instantiate().exports.add(1, 2))
print(toy_backend.compiled.count("function 0"))
"""

#: (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)
ADD = "0061736d0100000001070160027f7f017f030201000707010361646400000a09010700200020016a0b"


@pytest.mark.skipif(
    importlib.util.find_spec("hatchling") is None, reason="hatchling, which builds the package, is absent"
)
@pytest.mark.skipif(importlib.util.find_spec("pip") is None, reason="pip is absent")
def test_a_backend_from_elsewhere_is_found_listed_and_used(tmp_path: Path) -> None:
    (own,) = [info.name for info in wasmetal.backends() if info.selected]
    environment = tmp_path / "environment"
    venv = pytest.importorskip("venv", reason="this Python cannot make environments")
    venv.create(environment, with_pip=False, symlinks=True)
    python = environment / "bin" / "python"
    # The fresh environment sees what this one has, editable installs included, but not the other way round.
    purelib = Path(sysconfig.get_path("purelib", vars={"base": str(environment), "platbase": str(environment)}))
    (purelib / "outer.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, "--no-build-isolation", str(TOY)], check=True, timeout=120)
    run = subprocess.run(
        [python, "-c", PROGRAM.format(module=ADD, own=own)], capture_output=True, text=True, check=False, timeout=120
    )
    assert run.stderr == ""
    lines = run.stdout.splitlines()
    assert "('toy', 'wasmetal-toy-backend', '1.2.3', True)" in lines[0]
    assert f"('{own}', 'wasm-backend-{own}'" in lines[0]
    assert lines[1:] == ["42", "True", "3", "1"]
    assert "toy" not in [info.name for info in wasmetal.backends()]
