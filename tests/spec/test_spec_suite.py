"""The specification's test suite through the public interface, one test per script.

The suite is expected in the folder `shared` beside the project, or where WASMETAL_SHARED says. `WASMETAL_ALL=1` runs
all scripts with explicit bounds checks too, not only those that are about memories, vectors with the code for every
kind of processor, and the suite's other form, JSON.
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
_SCRIPTS = _SHARED / "spec" / "scripts"
_ALL = bool(os.environ.get("WASMETAL_ALL"))

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

#: Those whose subject is where code goes, which is what counting work looks at.
_CONTROL_FILES = (
    "block",
    "bulk",
    "call",
    "call_indirect",
    "fac",
    "func",
    "if",
    "loop",
    "return",
    "switch",
    "unreachable",
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


def scripts(folder: str, name: str | None = None) -> list[Path]:
    """The scripts of a folder, those whose name contains `name`."""
    found: list[Path] = runner.find_files(_SCRIPTS / folder, name)
    return found


FILES = scripts("2.0")
SIMD_FILES = scripts("2.0/simd")
#: Of 3.0 those that all of it runs; the others are the same as in 2.0.
EXCEPTION_FILES = [*scripts("3.0/exceptions"), *scripts("proposals/legacy-exceptions")]
MEMORY64_FILES = scripts("3.0/memory64")
#: Of 64-bit memories, those with accesses.
EXPLICIT_64_FILES = [
    f for f in MEMORY64_FILES if _ALL or f.stem in ("address64", "load64", "memory_trap64", "memory64")
]
COUNTED_FILES = [f for f in FILES if _ALL or f.stem in _CONTROL_FILES or f.stem.startswith(("br", "memory", "table"))]
EXPLICIT_FILES = [f for f in FILES if _ALL or f.stem in _MEMORY_FILES or f.stem.startswith("memory")]

pytestmark = pytest.mark.skipif(not FILES, reason="no specification test suite; set WASMETAL_SHARED")


#: Optional features of x86-64 processors that code may use; None: all that this one has.
PROCESSORS = {
    "host": None,
    "baseline": (),
    "avx": ("avx",),
    "avx2": ("avx", "avx2", "bmi1", "bmi2", "lzcnt"),
    "fma": ("avx", "avx2", "bmi1", "bmi2", "fma", "lzcnt"),
}


@pytest.fixture(params=PROCESSORS)
def processor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind of vector code that a backend makes."""
    chosen = PROCESSORS[request.param]
    if chosen is None:
        return
    if chosen and not _ALL:
        pytest.skip("WASMETAL_ALL=1 runs the kinds of processors in between")
    from wasm_backend_amd64 import cpu

    available = cpu.features()
    if not available or not set(chosen) <= set(available):
        pytest.skip("the processor lacks some of these features")
    monkeypatch.setattr(cpu, "features", cpu.features)
    runner.use_processor(chosen)


def _check(path: Path, bounds_checks: str, fuel: bool = False) -> None:
    result = runner.run_file(path, bounds_checks, fuel)
    assert not result.failures, "\n".join(result.failures[:20])
    assert not result.unsupported
    assert result.passed


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_core(path: Path) -> None:
    _check(path, "auto")


@pytest.mark.parametrize("path", EXPLICIT_FILES, ids=lambda path: path.stem)
def test_core_with_explicit_bounds_checks(path: Path) -> None:
    _check(path, "explicit")


@pytest.mark.parametrize("path", [*COUNTED_FILES, *scripts("3.0", "return_call")], ids=lambda path: path.stem)
def test_core_with_fuel(path: Path) -> None:
    _check(path, "auto", fuel=True)


@pytest.mark.parametrize("path", MEMORY64_FILES, ids=lambda path: path.stem)
def test_memory64(path: Path) -> None:
    _check(path, "auto")


@pytest.mark.parametrize("path", EXPLICIT_64_FILES, ids=lambda path: path.stem)
def test_memory64_with_explicit_bounds_checks(path: Path) -> None:
    _check(path, "explicit")


@pytest.mark.usefixtures("processor")
@pytest.mark.parametrize("path", SIMD_FILES, ids=lambda path: path.stem)
def test_simd(path: Path) -> None:
    _check(path, "auto")


@pytest.mark.parametrize("path", SIMD_FILES, ids=lambda path: path.stem)
def test_simd_with_explicit_bounds_checks(path: Path) -> None:
    _check(path, "explicit")


@pytest.mark.usefixtures("processor")
@pytest.mark.parametrize("path", scripts("3.0/relaxed-simd"), ids=lambda path: path.stem)
def test_relaxed_simd(path: Path) -> None:
    _check(path, "auto")


@pytest.mark.parametrize("path", scripts("proposals/wide-arithmetic"), ids=lambda path: path.stem)
def test_wide_arithmetic(path: Path) -> None:
    _check(path, "auto")


@pytest.mark.parametrize("bounds_checks", ["auto", "explicit"])
@pytest.mark.parametrize("path", EXCEPTION_FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_exceptions(path: Path, bounds_checks: str) -> None:
    """In both encodings."""
    _check(path, bounds_checks)


def _is_new(path: Path) -> bool:
    """Whether a script is not as in 2.0."""
    old = _SCRIPTS / "2.0" / path.name
    return not old.exists() or old.read_bytes() != path.read_bytes()


@pytest.mark.parametrize("path", [f for f in scripts("3.0") if _ALL or _is_new(f)], ids=lambda path: path.stem)
def test_core_of_3_0(path: Path) -> None:
    _check(path, "auto")


MULTI_MEMORY_FILES = [
    *scripts("3.0/multi-memory"),
    *scripts("3.0/simd", "simd_memory-multi"),
]


@pytest.mark.parametrize("bounds_checks", ["auto", "explicit"])
@pytest.mark.parametrize("path", MULTI_MEMORY_FILES, ids=lambda path: path.stem)
def test_multi_memory(path: Path, bounds_checks: str) -> None:
    _check(path, bounds_checks)


PAGE_SIZE_FILES = scripts("proposals/custom-page-sizes")


@pytest.mark.parametrize("bounds_checks", ["auto", "explicit"])
@pytest.mark.parametrize("path", PAGE_SIZE_FILES, ids=lambda path: path.stem)
def test_custom_page_sizes(path: Path, bounds_checks: str) -> None:
    _check(path, bounds_checks)


def test_nothing_is_left_out() -> None:
    """The scripts have every command: the numbers of the suite at the tag wg-2.0."""
    assert sum(len(runner.commands.read(path)) for path in FILES) == 28018
    if _ALL:
        assert sum(len(runner.commands.read(path)) for path in SIMD_FILES) == 25988


JSON_FILES = [path for folder in ("2.0/core", "2.0/simd") for path in runner.find_files(_SHARED / "spec" / folder)]


@pytest.mark.parametrize("path", JSON_FILES if _ALL else JSON_FILES[::16], ids=lambda path: path.stem)
def test_json_has_the_same_commands(path: Path) -> None:
    """What `wast2json` made passes as well; only text that is malformed is not in it."""
    folder = "2.0" if path.parent.name == "core" else "2.0/simd"
    result, script = runner.run_file(path), runner.run_file(_SCRIPTS / folder / f"{path.stem}.wast")
    assert not result.failures and not result.unsupported
    fields = json.loads(path.read_bytes())["commands"]
    assert result.passed + sum(map(runner.commands.is_about_text, fields)) == script.passed
