"""`wasmetal stubs` writes types that checkers accept, whatever names a module has."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from wasm_core.testing import binary
from wasm_core.testing.builder import WasmBuilder
from wasmetal.cli import main

USE = """\
from typing import cast
from typing_extensions import assert_type
import wasmetal
from types_of_it import Imports, Module
import plugin

def log(caller: wasmetal.Caller, level: int, text: float) -> None: ...

imports: Imports = {"env": {"log": log, "limit": 5}, "./weird-é.js": {"f": lambda: (1, 2.0)}}
instance = cast(Module, wasmetal.Module("plugin.wasm")).instantiate(imports)
assert_type(instance.exports.scale(1, 2), float)
assert_type(instance.exports.counter.value, int)
assert_type(instance.exports.table[0], "wasmetal.Func | None")
assert_type(plugin.scale(1, 2.5), float)
assert_type(plugin.memory.pages, int)
with instance:
    pass
"""
WRONG = (
    "instance.exports.scal(1, 2)",
    'instance.exports.scale("one", 2)',
    "instance.exports.scale(1)",
    'bad: Imports = {"env": {"log": 5, "limit": 5}, "./weird-é.js": {"f": lambda: (1, 2.0)}}',
    'lacks: Imports = {"env": {"log": log, "limit": 5}}',
    "plugin.scal(1)",
    'plugin.scale("x", 1)',
)

#: Names of exports that would break what is written, if they stood there as they are.
HOSTILE = (
    '"""\nimport os\n',
    "a\nb: int = evil()",
    "\x1b[31m",
    "def",
    "int",
    "get",
    "\ufb01",  # a ligature, which Python takes for "fi"
    "",
    "x" * 100_000,
    "ok\u2028x",
)


def module() -> bytes:
    builder = WasmBuilder()
    op = builder.op
    builder.import_func("env", "log", "iF", "")
    builder.import_func("./weird-é.js", "f", "", "iF")
    builder.import_global("env", "limit", "i")
    builder.memory(1, export="memory")
    builder.table("r", 4, export="table")
    builder.glob("i", op.i32(0), mutable=True, export="counter")
    builder.func("iF", "F", op.get(1), export="scale")
    for number, name in enumerate(HOSTILE):
        builder.func("i" * number, "", b"", export=name)
    local = binary.unsigned(2) + binary.vector([binary.unsigned(0) + binary.name("factor")])
    builder.custom("name", b"\x02" + binary.sized(binary.unsigned(1) + local))
    return builder.build()


@pytest.fixture
def written(tmp_path: Path) -> Path:
    (tmp_path / "plugin.wasm").write_bytes(module())
    assert main(["stubs", str(tmp_path / "plugin.wasm"), "-o", str(tmp_path / "types_of_it.py")]) == 0
    assert main(["stubs", "--as-module", str(tmp_path / "plugin.wasm"), "-o", str(tmp_path / "plugin.pyi")]) == 0
    return tmp_path


def test_names_of_the_module_stay_names(written: Path) -> None:
    for name in ("types_of_it.py", "plugin.pyi"):
        text = (written / name).read_text(encoding="utf-8")
        assert len(text) < 10_000
        assert text.replace("\n", "").isprintable()
        tree = ast.parse(text)
        imported = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
        assert imported == ["wasmetal"]
        functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert "scale" in functions
        assert not functions & {"def", "int", "get", "fi", "evil"} or name == "plugin.pyi"
        assert "factor: int, arg1: float, /) -> float" in text
    # It is Python, too.
    done = [sys.executable, "-c", "import types_of_it; print(types_of_it.Imports.__required_keys__)"]
    assert "env" in subprocess.run(done, cwd=written, capture_output=True, text=True, check=True, timeout=60).stdout


def check(command: list[str], folder: Path, use: str) -> str:
    (folder / "use.py").write_text(use, encoding="utf-8")
    return subprocess.run([*command, "use.py"], cwd=folder, capture_output=True, text=True, timeout=280).stdout


def test_mypy(written: Path) -> None:
    pytest.importorskip("mypy", reason="mypy is not installed")
    command = [sys.executable, "-m", "mypy", "--strict", f"--cache-dir={written / 'cache'}"]
    assert "Success" in check(command, written, USE)
    said = check(command, written, USE + "\n".join(WRONG) + "\n")
    lines = {line.split(":")[1] for line in said.splitlines() if line.startswith("use.py:")}
    assert lines == {str(USE.count("\n") + number) for number in range(1, len(WRONG) + 1)}, said


def test_pyright(written: Path) -> None:
    pytest.importorskip("pyright", reason="pyright is not installed")
    if not shutil.which("node"):
        pytest.skip("pyright needs node")
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable]
    said = check(command, written, USE)
    if "informations" not in said:
        pytest.skip(f"pyright cannot run here: {said[-200:]}")
    assert "0 errors" in said, said
    assert f"{len(WRONG)} errors" in check(command, written, USE + "\n".join(WRONG) + "\n")


def test_a_module_without_imports(tmp_path: Path) -> None:
    builder = WasmBuilder()
    builder.func("", "", b"", export="run")
    path = tmp_path / "plugin.wasm"
    path.write_bytes(builder.build())
    assert main(["stubs", str(path), "-o", str(tmp_path / "types_of_it.py")]) == 0
    text = (tmp_path / "types_of_it.py").read_text()
    assert "def instantiate(self, imports: Imports | None = None) -> Instance: ..." in text


def test_files_that_are_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.wasm"
    path.write_bytes(b"\0asm")
    assert main(["stubs", str(path)]) == 1
    assert f"{path}: malformed module" in capsys.readouterr().err
    path.write_bytes(module())
    assert main(["stubs", str(path), "-o", str(tmp_path)]) == 1
    # (what Windows says of a directory that is opened as a file)
    assert ("Permission denied" if sys.platform == "win32" else "directory") in capsys.readouterr().err
