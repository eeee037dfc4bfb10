"""The runtime runs on Windows: a small part of what `nox -s windows` does, on the Python that it has put together.

Skipped, with the reason, where Wine or that Python is missing.
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
_SHARED = Path(os.environ.get("WASMETAL_SHARED") or _PROJECT.parent / "shared")

#: Seconds that one program may take: machines that run tests are busy.
_PATIENCE = 300


def _load(name: str) -> ModuleType:
    # Tests are imported without their folder being on the path.
    specification = importlib.util.spec_from_file_location(f"windows_{name}", _HERE / f"{name}.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


emulation = _load("emulation")
# Other tests give the process a cache directory of their own.
_FOLDER = emulation.default_folder()


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script that starts the Python for Windows."""
    launcher = tmp_path_factory.mktemp("windows") / "python"
    try:
        emulation.write_launcher(_FOLDER, launcher)
    except emulation.Missing as missing:
        pytest.skip(str(missing))
    return launcher


def run(python: Path, *arguments: object) -> str:
    """What a program says; it must succeed."""
    command = [str(python), *map(str, arguments)]
    done = subprocess.run(command, cwd=_PROJECT, capture_output=True, text=True, timeout=_PATIENCE)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def test_what_is_missing(tmp_path: Path) -> None:
    """Where there is no Wine, it is said, and nothing is downloaded."""
    if os.path.exists("/usr/lib/wine/wine64"):
        pytest.skip("Wine is here")
    command = [sys.executable, str(_HERE / "emulation.py"), str(tmp_path / "folder")]
    done = subprocess.run(command, env=os.environ | {"PATH": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == emulation.MISSING
    assert done.stdout == "wine is not here (Debian has it in wine and wine64)\n"
    assert not (tmp_path / "folder").exists()


#: Calls in both directions, faults, an exhausted stack, a deadline and Ctrl-C.
_PROGRAM = """
import _thread, sys, threading
import wasmetal
from wasm_text import assemble

assert sys.platform == "win32"
module = wasmetal.Module(assemble('''(module
  (import "env" "half" (func $half (param f64 i32) (result f64)))
  (memory (export "memory") 1 3)
  (func (export "call") (param f64 i32) (result f64)
    (f64.add (call $half (local.get 0) (local.get 1)) (f64.const 1)))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "copy") (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2)))
  (func $deep (export "deep") (call $deep))
  (func (export "loop") (loop (br 0)))
)'''))
exports = module.instantiate({"env": {"half": lambda x, y: x / 2 + y}}).exports
assert exports.call(5.0, -3) == 0.5
assert exports.grow(1) == 1 and exports.load(65536) == 0
exports.memory.write(0, b"abcd")
exports.copy(65536, 0, 4)
assert exports.load(65536) == int.from_bytes(b"abcd", "little")


def expect(what, kind, function, *arguments):
    try:
        function(*arguments)
    except kind as error:
        assert what in str(error), error
    else:
        raise AssertionError(what)


for _ in range(3):
    expect("out of bounds", wasmetal.Trap, exports.load, 131072)
    expect("out of bounds", wasmetal.Trap, exports.load, -4)
    expect("out of bounds", wasmetal.Trap, exports.copy, 0, 131070, 4)
    expect("exhausted", wasmetal.Trap, exports.deep)
with wasmetal.deadline(0.1):
    expect("deadline", wasmetal.DeadlineExceeded, exports.loop)
try:
    # (on a busy machine it may come before the call)
    threading.Timer(0.1, _thread.interrupt_main).start()
    exports.loop()
except KeyboardInterrupt:
    print("done")
"""


def test_program(python: Path) -> None:
    assert run(python, "-X", "faulthandler", "-c", _PROGRAM) == "done\n"


def test_convention(python: Path) -> None:
    """What callers in C rely on."""
    test = (python, "-X", "faulthandler", "-m", "pytest", "-q", "-p", "no:cacheprovider")
    run(*test, "packages/backend-amd64/tests/test_windows_convention.py")


@pytest.mark.skipif(not _SHARED.is_dir(), reason="no specification test suite; set WASMETAL_SHARED")
@pytest.mark.parametrize("options", [(), ("--bounds-checks", "explicit")], ids=["guard", "explicit"])
def test_specification(python: Path, options: tuple[str, ...]) -> None:
    """A file of the specification's suite, with and without guard pages."""
    run(python, "tests/spec/runner.py", _SHARED / "spec/scripts/2.0", "-k", "memory_trap", *options)
