"""Code for AArch64 runs: a representative part of what `nox -s arm64` does, on the emulated Python that it has made.

Skipped, with the reason, where the emulator or that Python is missing.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

_HERE = Path(__file__).resolve().parent
_PROJECT = _HERE.parents[1]
_EXAMPLE = _PROJECT / "examples/wordcount/wordcount.wasm"
_SHARED = Path(os.environ.get("WASMETAL_SHARED") or _PROJECT.parent / "shared")

#: Seconds that one program may take: an emulator is slow, and machines that run tests are busy.
_PATIENCE = 600


def _load(name: str) -> ModuleType:
    # Tests are imported without their folder being on the path.
    specification = importlib.util.spec_from_file_location(name, _HERE / f"{name}.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


emulation = _load("emulation")
# Other tests give the process a cache directory of their own.
_FOLDER = emulation.default_folder()


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script that starts the emulated Python."""
    launcher = tmp_path_factory.mktemp("arm64") / "python"
    try:
        emulation.write_launcher(_FOLDER, launcher)
    except emulation.Missing as missing:
        pytest.skip(str(missing))
    return launcher


def run(python: Path, *arguments: object, stdin: str = "") -> str:
    """What a program says; it must succeed."""
    environment = os.environ | {"XDG_CACHE_HOME": str(python.parent / "cache")}
    done = subprocess.run(
        [str(python), *map(str, arguments)],
        cwd=_PROJECT,
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def test_what_is_missing(tmp_path: Path) -> None:
    """Where nothing can be emulated, it is said why, and nothing is downloaded."""
    command = [sys.executable, str(_HERE / "emulation.py"), str(tmp_path / "folder")]
    done = subprocess.run(command, env=os.environ | {"PATH": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == emulation.MISSING
    assert done.stdout == "qemu-aarch64 is not here (Debian has it in qemu-user)\n"
    (tmp_path / "qemu-aarch64").touch(mode=0o755)
    done = subprocess.run(command, env=os.environ | {"PATH": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == emulation.MISSING
    assert done.stdout == "dpkg is not here; Debian's packages are unpacked with it\n"
    assert not [path for path in (tmp_path / "folder").rglob("*") if path.is_file()]


#: Runs a compiled module; if anything is compiled it must be glue that is not ready made, and nothing is translated.
_RUN_PRECOMPILED = """
import sys
from wasm_backend_arm64 import Arm64Backend
from wasmetal.cli import main

names = []
compile = Arm64Backend.compile
Arm64Backend.compile = lambda self, function: names.append(function.name) or compile(self, function)
code = main(["run", "--allow-precompiled", *sys.argv[1:]])
assert not [name for name in names if name.startswith("function ")], names
assert "wasm_ir.frontend" not in sys.modules
sys.exit(code)
"""


def test_cross_compilation(python: Path, tmp_path: Path) -> None:
    """What is compiled on this machine for that one is loaded there, and nothing is left to compile."""
    pytest.importorskip("wasm_backend_arm64", reason="no arm64 backend here to compile with")
    pytest.importorskip("click", reason="the command line needs click")
    output = tmp_path / "wordcount.cwasm"
    command = [sys.executable, "-m", "wasmetal", "compile", "--target", "arm64", "-o", output, _EXAMPLE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE)
    assert done.returncode == 0, done.stderr
    assert "functions for arm64" in done.stdout
    words = run(python, "-c", _RUN_PRECOMPILED, output, "-n", 1, stdin="far out far away far")
    assert [line.split() for line in words.splitlines()] == [["0", "5", "20", "(stdin)"], ["3", "far"]]


def test_operations(python: Path) -> None:
    """A part of the tests that backends share, and traps."""
    test = (python, "-X", "faulthandler", "-m", "pytest", "-q", "-p", "no:cacheprovider")
    run(*test, "packages/backend-arm64/tests/test_backend.py", "-k", "br_table or loop or (trap and not operations)")
    run(*test, "packages/runtime/tests/test_traps.py")


@pytest.mark.skipif(not _SHARED.is_dir(), reason="no specification test suite; set WASMETAL_SHARED")
@pytest.mark.parametrize("options", [(), ("--bounds-checks", "explicit")], ids=["guard", "explicit"])
def test_specification(python: Path, options: tuple[str, ...]) -> None:
    """Files of the specification's suite, with and without guard pages."""
    for name in ("br_table", "memory_trap") if options else ("call", "int_exprs", "memory_trap"):
        run(python, "tests/spec/runner.py", _SHARED / "spec/scripts/2.0", "-k", name, *options)
