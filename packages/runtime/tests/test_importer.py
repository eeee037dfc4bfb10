"""`import plugin` loads plugin.wasm."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import wasmetal
import wasmetal.importer


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on sys.path; what is imported meanwhile is forgotten afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("wasm_test_")]:
        del sys.modules[name]


def library(wasm) -> bytes:
    builder = wasm()
    op = wasm.op
    builder.import_func("wasm_test_host", "log", "i", "")
    builder.memory(1, export="memory")
    builder.func("ii", "i", op.get(0) + op.get(1) + op.I32_ADD, export="add")
    builder.func("i", "", op.get(0) + op.call(0), export="tell")
    builder.func("", "", b"", export="__doc__")
    return builder.build()


def test_exports_are_attributes(wasm, folder: Path) -> None:
    (folder / "wasm_test_plugin.wasm").write_bytes(library(wasm))
    (folder / "wasm_test_host.py").write_text("told = []\nlog = told.append\n")
    plugin = importlib.import_module("wasm_test_plugin")
    assert plugin.add(1, 2) == 3
    plugin.tell(5)
    assert importlib.import_module("wasm_test_host").told == [5]
    assert isinstance(plugin.memory, wasmetal.Memory)
    assert isinstance(plugin.__wasm_instance__, wasmetal.Instance)
    # What Python keeps in a module is not the file's to change.
    assert plugin.__doc__ is None
    assert plugin.__file__ == str(folder / "wasm_test_plugin.wasm")
    assert {"add", "tell", "memory"} <= {*plugin.__all__}
    again = importlib.reload(plugin)
    assert again is plugin and again.add(2, 2) == 4


def test_packages(wasm, folder: Path) -> None:
    """Inside a package, names of imports are looked for there first."""
    package = folder / "wasm_test_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "inner.wasm").write_bytes(library(wasm))
    (package / "wasm_test_host.py").write_text("log = print\n")
    assert importlib.import_module("wasm_test_package.inner").add(3, 4) == 7
    assert "wasm_test_package.wasm_test_host" in sys.modules


def test_files_import_from_each_other(wasm, folder: Path) -> None:
    (folder / "wasm_test_host.wasm").write_bytes(exporting_log(wasm))
    (folder / "wasm_test_plugin.wasm").write_bytes(library(wasm))
    importlib.import_module("wasm_test_plugin").tell(7)
    assert importlib.import_module("wasm_test_host").last.value == 7


def exporting_log(wasm) -> bytes:
    builder = wasm()
    op = wasm.op
    builder.glob("i", op.i32(0), mutable=True, export="last")
    builder.func("i", "", op.get(0) + op.global_set(0), export="log")
    return builder.build()


def test_python_comes_first(wasm, folder: Path) -> None:
    (folder / "wasm_test_both.wasm").write_bytes(exporting_log(wasm))
    (folder / "wasm_test_both.py").write_text("python = True\n")
    assert importlib.import_module("wasm_test_both").python


def test_what_goes_wrong_is_an_import_error(wasm, folder: Path) -> None:
    path = folder / "wasm_test_plugin.wasm"
    path.write_bytes(library(wasm))
    with pytest.raises(ImportError, match="imports from 'wasm_test_host', and there is no Python module") as error:
        importlib.import_module("wasm_test_plugin")
    assert error.value.path == str(path)
    (folder / "wasm_test_host.py").write_text("lo = print\n")
    importlib.invalidate_caches()
    with pytest.raises(ImportError, match=r"unknown import: 'wasm_test_host'\.'log'"):
        importlib.import_module("wasm_test_plugin")
    path.write_bytes(b"nothing")
    with pytest.raises(ImportError, match="magic"):
        importlib.import_module("wasm_test_plugin")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("wasm_test_absent")


def test_wasi(wasm, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Files that need WASI have the standard streams, as long as the module is there."""
    builder = wasm()
    op = wasm.op
    builder.import_func("wasi_snapshot_preview1", "fd_write", "iiii", "i")
    builder.memory(1, export="memory")
    builder.data(op.i32(0), b"\x08\x00\x00\x00\x03\x00\x00\x00hi\n")
    write = op.i32(1) + op.i32(0) + op.i32(1) + op.i32(100) + op.call(0)
    builder.func("", "i", write, export="hello")
    (folder / "wasm_test_wasi.wasm").write_bytes(builder.build())
    plugin = importlib.import_module("wasm_test_wasi")
    assert plugin.hello() == 0
    assert capfd.readouterr().out == "hi\n"
