"""The backend of an engine: the one made for this machine is found without going through all entry points."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from wasm_core.errors import WasmError
from wasmetal.registry import backends as registry
from wasmetal.registry import selection

Install = Callable[..., None]


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that the distribution wasm-backend-toy is made for."""
    monkeypatch.setattr(selection, "machine", lambda: "Toy86")
    monkeypatch.setitem(selection.DISTRIBUTIONS, "toy86", "wasm-backend-toy")


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


@pytest.mark.parametrize("name", ["auto", "toy"])
def test_the_one_for_this_machine(install: Install, scans: list[str], name: str) -> None:
    install("aaa", "another")
    install("wasm-backend-toy")
    assert selection.select(name).name == "toy"
    assert scans == []
    assert registry.select(name) is selection.select(name)


def test_others_by_name(install: Install, scans: list[str]) -> None:
    install("aaa", "another")
    install("wasm-backend-toy")
    assert selection.select("another").name == "another"
    assert scans == ["another"]


def test_others_where_it_is_not_installed(install: Install, scans: list[str]) -> None:
    install("wasm-backend-toys")
    assert selection.select("auto").name == "toy"
    assert scans == ["auto"]


def test_others_where_there_is_none_for_this_machine(
    install: Install, scans: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "machine", lambda: "pdp11")
    install("wasm-backend-toy")
    assert selection.select("auto").name == "toy"
    assert scans == ["auto"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[console_scripts]\ntoy = wasm_backend_toy_module:Backend\n",
        "[wasmetal.backends]",
        "[wasmetal.backends]\ntoy = no_such_module_anywhere:Backend\n",
        "[wasmetal.backends]\ntoy = ///\n",
        "[wasmetal.backends]\ntoy\n",
        "[wasmetal.backends]\ntoy = sys:maxsize\n",
        b"[wasmetal.backends]\ntoy = wasm_backend_toy_module:\xff\n",
    ],
)
def test_one_that_is_broken(install: Install, scans: list[str], tmp_path: Path, text: str | bytes) -> None:
    install("aaa", "another")
    install("wasm-backend-toy", entry_points="")
    content = text if isinstance(text, bytes) else text.encode()
    (tmp_path / "wasm_backend_toy-1.5.dist-info" / "entry_points.txt").write_bytes(content)
    assert selection.select("auto").name == "another"
    assert scans == ["auto"]


def test_one_that_does_not_run_here(install: Install) -> None:
    install("wasm-backend-toy", supported=False, reason="too old")
    with pytest.raises(WasmError, match="too old"):
        selection.select("auto")


def test_one_with_several_backends(install: Install, scans: list[str]) -> None:
    value = "wasm_backend_toy_module:Backend"
    install("wasm-backend-toy", entry_points=f"[wasmetal.backends]\ntoy = {value}\nfast = {value}\n")
    assert selection.select("auto") is registry.select("auto")
    assert scans


def test_comments_and_other_groups(install: Install, scans: list[str]) -> None:
    group = "[wasmetal.backends]\n# comment\n; comment\n toy=wasm_backend_toy_module:Backend \n"
    text = f"[a]\nx = y:z\n\n{group}[b]\nx = y:z\n"
    install("wasm-backend-toy", entry_points=text)
    assert selection.select("auto").name == "toy"
    assert scans == []


def test_the_first_copy_counts(
    install: Install, scans: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("wasm-backend-toy")
    folder = tmp_path / "first" / "wasm_backend_toy-2.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "entry_points.txt").write_text("[wasmetal.backends]\nnewer = wasm_backend_toy_module:Backend\n")
    places = ["", str(tmp_path / "missing"), str(tmp_path / "first")]
    monkeypatch.setattr(sys, "path", [*places, *sys.path])
    assert selection.select("newer").name == "toy"
    assert scans == []
