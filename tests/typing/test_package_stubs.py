"""What type checkers and editors see of the packages is what there is."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import typing
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

import wasm_core
import wasm_ir
import wasm_wasi
import wasmetal

sys.path.insert(0, str(Path(__file__).parent))

from package_stubs import LAZY, path_of, stub_of

PACKAGES = (wasm_core, wasm_ir, wasm_wasi, wasmetal)

#: Lines of an embedder's program -> whether a strict type checker takes them.
PROGRAM = """\
from __future__ import annotations
import wasm_core
import wasm_wasi
import wasmetal
from typing_extensions import assert_type

module: wasmetal.Module = wasmetal.Module("plugin.wasm")
instance = module.instantiate({"env": {"log": print}})
three: int = instance.exports.add(1, 2)
counter: wasmetal.Global[int] = wasmetal.Global(wasmetal.GlobalType("i32", mutable=True), 0)
counter.value += 1
assert_type(counter.value, int)
def takes_any(table: wasmetal.Table, variable: wasmetal.Global) -> None: ...
functions: wasmetal.Table[wasmetal.Func | None] = wasmetal.Table(wasmetal.TableType("funcref", minimum=10))
functions[0] = wasmetal.Func(print, wasmetal.FuncType(["i32"], []))
assert_type(functions[0], "wasmetal.Func | None")
assert_type(wasmetal.Memory(wasmetal.MemoryType(1))[0:4], bytes)
with wasmetal.deadline(0.5):
    print(wasmetal.backends()[0].reason, wasm_core.decode(b"").imports, wasmetal.__version__)
wasi = wasm_wasi.Wasi(args=["x"], preopens={"/": "."}, stdout=None)
code: int = wasi.run(module)
"""
WRONG = (
    "from wasmetal import Modul",
    "from wasm_core import decod",
    "from wasm_wasi import Wasy",
    'wasmetal.Modul("plugin.wasm")',
    "wasmetal.Config(holdgil=True)",
    "wasmetal.Config(validation='never')",
    "module.instantiat()",
    "wasi.run(module, stdout=None)",
    'counter.value = "one"',
    "functions[0] = 1",
)


@pytest.mark.parametrize("name", LAZY)
def test_stubs_are_those_of_the_tables(name: str) -> None:
    package = importlib.import_module(name)
    assert path_of(name).read_text() == stub_of(package), "nox -s stubs writes them anew"
    assert all(getattr(package, each) is not None for each in package.__all__)
    assert set(package.__all__) <= set(dir(package))


def checked(tmp_path: Path, *command: str) -> tuple[subprocess.CompletedProcess[str], dict[int, str]]:
    """What a checker says of the program with the wrong lines behind it; messages of errors by line."""
    path = tmp_path / "program.py"
    path.write_text(PROGRAM + "\n".join(WRONG) + "\n")
    done = subprocess.run(
        [*command, str(path)], capture_output=True, text=True, timeout=280, cwd=tmp_path, env=os.environ | {"CI": "1"}
    )
    return done, {}


def expect(errors: dict[int, str]) -> None:
    lines = PROGRAM.count("\n")
    assert {line: text for line, text in errors.items() if line <= lines} == {}
    missed = [line for number, line in enumerate(WRONG, lines + 1) if number not in errors]
    assert not missed, f"taken for right: {missed}"


def test_mypy(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="mypy is not installed")
    done, errors = checked(
        tmp_path, sys.executable, "-m", "mypy", "--strict", "--show-error-codes", f"--cache-dir={tmp_path / 'cache'}"
    )
    for line in done.stdout.splitlines():
        if found := re.match(r"program\.py:(\d+): error: (.*)", line):
            errors[int(found[1])] = found[2]
    assert errors, done
    expect(errors)


def test_pyright(tmp_path: Path) -> None:
    pytest.importorskip("pyright", reason="pyright is not installed")
    if not shutil.which("node"):
        pytest.skip("pyright needs node")
    settings = {"typeCheckingMode": "strict", "reportMissingModuleSource": False}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson"]
    done, errors = checked(tmp_path, *command)
    try:
        found = json.loads(done.stdout[done.stdout.index("{") :])["generalDiagnostics"]
    except ValueError:
        pytest.skip(f"pyright cannot run here: {(done.stderr or done.stdout)[-200:]}")
    for each in found:
        if each["severity"] == "error" and "range" in each:
            errors[each["range"]["start"]["line"] + 1] = each["message"]
    expect(errors)


@pytest.mark.parametrize("name", LAZY)
def test_jedi_completes(name: str) -> None:
    jedi = pytest.importorskip("jedi", reason="jedi is not installed")
    completed = {each.name for each in jedi.Script(f"import {name}\n{name}.").complete()}
    package = importlib.import_module(name)
    assert {each for each in package.__all__ if not each.startswith("_")} <= completed
    if name == "wasmetal":
        script = jedi.Script("import wasmetal\nwasmetal.Module('x.wasm').instantiate().")
        assert {"exports", "close", "interrupt"} <= {each.name for each in script.complete()}


def public() -> Iterator[tuple[str, object]]:
    """Everything public that can have annotations."""
    for package in PACKAGES:
        for name in package.__all__:
            thing = getattr(package, name)
            if inspect.isclass(thing):
                yield f"{package.__name__}.{name}", thing
                for cls in thing.__mro__:
                    if cls.__module__.partition(".")[0] in ("wasm_core", "wasm_ir", "wasm_wasi", "wasmetal"):
                        yield from members(f"{package.__name__}.{name}", cls)
            elif inspect.isfunction(thing):
                yield f"{package.__name__}.{name}", thing


def members(name: str, cls: type) -> Iterator[tuple[str, object]]:
    for key, value in vars(cls).items():
        if not key.startswith("_") or key.startswith("__"):
            parts = (value.fget, value.fset) if isinstance(value, property) else (getattr(value, "__func__", value),)
            yield from ((f"{name}.{key}", part) for part in parts if inspect.isfunction(part))


def test_annotations_mean_something_at_run_time() -> None:
    failed = []
    for name, thing in public():
        try:
            typing.get_type_hints(thing)
        except Exception as error:
            failed.append(f"{name}: {error!r}")
    assert not failed
    hints = typing.get_type_hints(wasmetal.Engine.compile)
    assert hints["return"] is wasmetal.Module


def test_fields_are_explained() -> None:
    """help() shows the docstring: each field of a description stands in it."""
    unexplained = []
    for package in (wasm_core, wasmetal):
        for name in package.__all__:
            thing = getattr(package, name)
            if inspect.isclass(thing) and attrs.has(thing) and thing.__module__ not in INTERNAL:
                text = inspect.getdoc(thing) or ""
                fields = [field.name for field in attrs.fields(thing)]
                explained = re.findall(r"^ +(\w+): ", text, re.MULTILINE)
                unexplained += [f"{name}.{field}" for field in fields if field not in explained]
    assert not unexplained, "an entry under Attributes: in the docstring"


#: Modules whose classes are for the packages themselves.
INTERNAL = ("wasm_core.module", "wasm_core.body_facts", "wasm_core.instructions")


def test_public_things_have_docstrings() -> None:
    documented = {name for name, thing in public() if inspect.getdoc(thing)}
    names = {name for name, _ in public() if not name.rpartition(".")[2].startswith("__")}
    assert not {name for name in names - documented if name.startswith(("wasmetal.", "wasm_wasi."))}
