"""The backend of an engine, and the record of it in the cache: what it spares, and when it no longer holds."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from wasm_core.errors import WasmError
from wasm_ir.backend import HostSupport
from wasmetal import registry, selection
from wasmetal.code_cache import CodeCache

Install = Callable[..., None]


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names for which entry points were scanned."""
    found: list[str] = []
    real = registry.select

    def select(name: str = "auto", *, to_run: bool = True) -> object:
        found.append(name)
        return real(name, to_run=to_run)

    monkeypatch.setattr(registry, "select", select)
    return found


@pytest.fixture
def select(tmp_path: Path) -> Callable[[], str]:
    """Selects some time after everything was installed, and gives the backend's name."""
    cache = CodeCache(tmp_path / "cache", 1 << 20)

    def select(name: str = "auto", seconds: float = 60) -> str:
        for folder in tmp_path.glob("*.dist-info"):
            if folder.stat().st_mtime > time.time() - seconds:
                past = folder.stat().st_mtime_ns - int(seconds * 1e9)
                os.utime(folder, ns=(past, past))
        return selection.select(name, cache).name

    return select


def record(tmp_path: Path) -> Path:
    (path,) = (tmp_path / "cache").glob("*.wmc")
    return path


def test_the_second_time_nothing_is_scanned(install: Install, select, scans: list[str]) -> None:
    install("some-backend")
    assert [select(), select(), select()] == ["toy"] * 3
    assert scans == ["auto"]


def test_without_a_cache_there_is_no_record(install: Install, scans: list[str]) -> None:
    install("some-backend")
    for _ in range(2):
        assert selection.select("auto", None).name == "toy"
    assert scans == ["auto", "auto"]


def test_each_name_has_its_record(install: Install, select, scans: list[str]) -> None:
    install("a-backend", "one")
    install("b-backend", "two")
    assert [select("two"), select("one"), select(), select("two"), select("one")] == ["two", "one", "one", "two", "one"]
    assert scans == ["two", "one", "auto"]


def test_another_backend_that_is_installed_is_seen(install: Install, select, scans: list[str]) -> None:
    install("other-backend", "other")
    assert select() == "other"
    install("wasm-backend-better", "better")
    assert select() == "better"
    assert select() == "better"
    assert scans == ["auto", "auto"]


def test_one_that_is_removed_is_not_used(install: Install, select, tmp_path: Path) -> None:
    install("some-backend")
    assert select() == "toy"
    folder = tmp_path / "some_backend-1.5.dist-info"
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    with pytest.raises(WasmError, match="no backend"):
        select()


def test_one_that_is_installed_again_under_the_same_version(
    install: Install, select, scans: list[str], tmp_path: Path
) -> None:
    install("some-backend")
    select()
    (tmp_path / "some_backend-1.5.dist-info" / "new").write_text("")
    select()
    assert scans == ["auto", "auto"]


def test_other_places(
    install: Install, select, scans: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("some-backend")
    select()
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "missing")])
    select()
    assert scans == ["auto", "auto"]


def test_other_files_do_not_matter(install: Install, select, scans: list[str], tmp_path: Path) -> None:
    install("some-backend")
    select()
    (tmp_path / "output.txt").write_text("results")
    select()
    assert scans == ["auto"]


def test_what_has_just_been_installed_is_not_remembered(install: Install, select, scans: list[str]) -> None:
    install("some-backend")
    for _ in range(2):
        assert select(seconds=0) == "toy"
    assert scans == ["auto", "auto"]


@pytest.mark.parametrize("change", ["unsupported", "gone", "raises"])
def test_one_that_no_longer_works(install: Install, select, scans: list[str], tmp_path: Path, change: str) -> None:
    install("some-backend")
    select()
    import some_backend_module

    if change == "unsupported":
        some_backend_module.Backend.host_support = classmethod(lambda cls: HostSupport(False, "changed"))
    elif change == "gone":
        del some_backend_module.Backend
    else:
        del some_backend_module.Backend.host_support
    with pytest.raises(WasmError, match="no backend"):
        select()
    assert scans == ["auto", "auto"]


def test_damaged_records_are_ignored_and_replaced(install: Install, select, scans: list[str], tmp_path: Path) -> None:
    install("some-backend")
    select()
    good = record(tmp_path).read_bytes()
    for position in range(len(good)):
        damaged = bytearray(good)
        damaged[position] ^= 1
        record(tmp_path).write_bytes(damaged)
        del scans[:]
        assert select() == "toy"
        assert scans == ["auto"], position
        assert record(tmp_path).read_bytes() == good


def test_records_that_others_could_have_written_are_ignored(
    install: Install, select, scans: list[str], tmp_path: Path
) -> None:
    install("some-backend")
    select()
    record(tmp_path).chmod(0o666)
    select()
    assert scans == ["auto", "auto"]
    assert record(tmp_path).stat().st_mode & 0o777 == 0o600


def test_a_class_that_has_no_path_is_not_remembered(install: Install, select, scans: list[str], tmp_path: Path) -> None:
    install("some-backend")
    module = tmp_path / "some_backend_module.py"
    body = textwrap.indent(module.read_text(), "    ")
    module.write_text(f"def make():\n{body}\n    return Backend\n\nBackend = make()\n")
    for _ in range(2):
        assert select() == "toy"
    assert scans == ["auto", "auto"]
