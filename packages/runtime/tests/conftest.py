"""Fixtures: the builder of modules, distributions on sys.path, and a clean-up for tests of garbage."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wasm_core.testing.builder import WasmBuilder

# Tests are imported by path; what they share must be found by name.
sys.path.insert(0, str(Path(__file__).parent))

if TYPE_CHECKING:
    from glue_machine import GlueMachine


@pytest.fixture
def wasm() -> type[WasmBuilder]:
    """The class of builders."""
    return WasmBuilder


@pytest.fixture
def say(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs a command: exit code, stdout, stderr."""
    pytest.importorskip("click", reason="the command line needs click")
    from wasmetal.cli import main

    def run(*args: object) -> tuple[int, str, str]:
        code = main([str(arg) for arg in args])
        return code, *capfd.readouterr()

    return run


@pytest.fixture
def address_limit() -> None:
    """Skips where limits on address space are accepted and then ignored, as QEMU's user-mode emulation does."""
    resource = pytest.importorskip("resource", reason="this system does not limit address space")
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = 1 << 46 if soft != 1 << 46 else 1 << 45
    try:
        resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
        limited = resource.getrlimit(resource.RLIMIT_AS)[0] == wanted
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    except ValueError:  # there is a smaller one already
        return
    if not limited:
        pytest.skip("this system does not limit address space")


@pytest.fixture
def clean() -> Iterator[None]:
    """No garbage of other tests is around, and nothing is collected by chance."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.collect()


@pytest.fixture(autouse=True, scope="session")
def cache_directory(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keeps what tests run out of the user's cache, subprocesses included."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def few_stacks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Lets stores have so many stacks between them, and no more."""
    from wasmetal.store.store import _Lending, _lent

    def limit(most: int) -> None:
        monkeypatch.setattr(_Lending, "most", most)
        monkeypatch.setattr(_Lending, "again", 0)
        monkeypatch.setattr(_Lending, "limit", most)

    _lent.clear()
    yield limit
    _lent.clear()


@pytest.fixture(params=[False, True], ids=["GIL released", "GIL held"])
def machine(request: pytest.FixtureRequest) -> Iterator[GlueMachine]:
    """A store with glue."""
    from glue_machine import GlueMachine

    made = GlueMachine(request.param)
    yield made
    assert made.at_rest()


_BACKEND = """
from wasm_ir.backend import HostSupport

class Backend:
    name = {name!r}
    cpu_features = ()

    @classmethod
    def host_support(cls):
        return HostSupport({supported}, {reason!r})

    def compile(self, function): ...
    def relocate(self, code, address, relocations, slots): ...
    def stubs(self, environment): ...
    def disassemble(self, code, address): ...
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes a distribution with a backend, the only ones on sys.path."""
    libraries = [folder for folder in sys.path if not list(Path(folder).glob("*.dist-info"))]
    monkeypatch.setattr(sys, "path", [str(tmp_path), *libraries])

    def make(
        distribution: str,
        name: str = "toy",
        *,
        supported: bool = True,
        reason: str = "fine",
        entry_points: str | None = None,
    ) -> None:
        module = distribution.replace("-", "_") + "_module"
        (tmp_path / f"{module}.py").write_text(_BACKEND.format(name=name, supported=supported, reason=reason))
        monkeypatch.delitem(sys.modules, module, raising=False)
        folder = tmp_path / f"{distribution.replace('-', '_')}-1.5.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.5\n")
        text = f"[wasmetal.backends]\n{name} = {module}:Backend\n" if entry_points is None else entry_points
        (folder / "entry_points.txt").write_text(text)

    return make
