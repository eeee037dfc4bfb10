"""Finding and choosing backends: distributions are faked as folders on sys.path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from wasm_core.errors import WasmError
from wasmetal.registry import backends as registry
from wasmetal.registry import selection

Install = Callable[..., None]


def test_one_backend(install: Install) -> None:
    install("some-backend")
    (info,) = registry.backends()
    assert (info.name, info.distribution, info.version) == ("toy", "some-backend", "1.5")
    assert info.supported and info.selected
    assert "fine" in info.reason and "only one" in info.reason
    assert str(info) == f"* toy (some-backend 1.5): supported, {info.reason}"
    assert registry.select().name == "toy"
    assert registry.select("toy") is registry.select("auto")


def test_unsupported_backend_is_listed_and_not_selected(install: Install) -> None:
    install("some-backend", supported=False, reason="wrong planet")
    (info,) = registry.backends()
    assert not info.supported and not info.selected
    assert "wrong planet" in str(info)
    with pytest.raises(WasmError, match="wrong planet"):
        registry.select()
    with pytest.raises(WasmError, match="'toy' of some-backend cannot be used: wrong planet"):
        registry.select("toy")


@pytest.mark.parametrize("machine", ["x86_64", "AMD64"])
def test_no_backend_says_what_to_install(install: Install, monkeypatch: pytest.MonkeyPatch, machine: str) -> None:
    monkeypatch.setattr(selection, "machine", lambda: machine)
    assert registry.backends() == ()
    with pytest.raises(WasmError, match="pip install wasm-backend-amd64"):
        registry.select()


def test_no_backend_for_this_machine_at_all(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "machine", lambda: "pdp11")
    with pytest.raises(WasmError, match="no backend for pdp11 yet"):
        registry.select()


def test_unknown_name(install: Install) -> None:
    install("some-backend")
    with pytest.raises(WasmError, match=r"no backend 'amd64' \(pip install wasm-backend-amd64\); installed: toy"):
        registry.select("amd64")
    with pytest.raises(WasmError, match="no backend 'nonsense'; installed: toy"):
        registry.select("nonsense")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[wasmetal.backends]\nbad = no_such_module_anywhere:Backend\n", "ModuleNotFoundError"),
        ("[wasmetal.backends]\nbad = ///\n", "ValueError"),
        ("[wasmetal.backends]\nbad = sys:no_such_name\n", "AttributeError"),
        ("[wasmetal.backends]\nbad = sys:maxsize\n", "not a class"),
    ],
)
def test_broken_entry_point_is_listed_with_its_error(install: Install, text: str, error: str) -> None:
    install("a-broken-one", entry_points=text)
    install("some-backend")
    found = {info.name: info for info in registry.backends()}
    assert not found["bad"].supported
    assert "broken entry point" in found["bad"].reason and error in found["bad"].reason
    assert found["toy"].selected
    with pytest.raises(WasmError, match="broken entry point"):
        registry.select("bad")


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("del Backend.compile", "the class has no compile"),
        ("del Backend.stubs\nBackend.relocate = 5", "the class has no relocate, stubs"),
        ("Backend.name = 'bed'", "the class's name is 'bed', the entry point's 'bad'; they must be the same"),
        ("del Backend.name", "the class's name is None"),
    ],
)
def test_an_incomplete_class_is_listed_with_what_it_lacks(
    install: Install, tmp_path: Path, lines: str, told: str
) -> None:
    """Not found out by the first module that is compiled."""
    install("a-broken-one", "bad")
    install("some-backend")
    with (tmp_path / "a_broken_one_module.py").open("a") as file:
        file.write(f"\n{lines}\n")
    found = {info.name: info for info in registry.backends()}
    assert not found["bad"].supported and told in str(found["bad"])
    assert found["toy"].selected
    with pytest.raises(WasmError, match="broken entry point"):
        registry.select("bad", to_run=False)


def test_a_backend_for_another_version_is_listed_as_such(install: Install, tmp_path: Path) -> None:
    install("some-backend")
    with (tmp_path / "some_backend_module.py").open("a") as file:
        file.write("\nBackend.layout = 3\n")
    (info,) = registry.backends()
    assert not info.supported and "made for layout 3" in info.reason
    with pytest.raises(WasmError, match="made for layout 3"):
        registry.select()


def test_unreadable_metadata_of_another_package_hides_nothing(install: Install) -> None:
    install("a-broken-one", entry_points="this is not an ini file\n")
    install("some-backend")
    assert [info.name for info in registry.backends()] == ["toy"]
    assert registry.select().name == "toy"


@pytest.mark.parametrize("order", [1, -1])
def test_two_distributions_with_one_name(install: Install, order: int) -> None:
    for distribution in ("bbb", "aaa")[::order]:
        install(distribution)
    first, second = registry.backends()
    assert (first.distribution, second.distribution) == ("aaa", "bbb")
    assert first.selected and not second.selected
    assert not second.supported and "shadowed: aaa" in second.reason
    assert registry.select("toy").__module__ == "aaa_module"


def test_a_broken_backend_does_not_shadow_a_working_one(install: Install) -> None:
    install("aaa", entry_points="[wasmetal.backends]\ntoy = no_such_module_anywhere:Backend\n")
    install("bbb")
    assert registry.select("toy").__module__ == "bbb_module"


def test_own_distributions_are_preferred(install: Install) -> None:
    install("aaa", "first")
    install("wasm-backend-own", "own")
    own, other = registry.backends()
    assert own.selected and "chosen before aaa" in own.reason
    assert other.supported and not other.selected
    assert registry.select().name == "own"
    assert registry.select("first").name == "first"


def test_the_real_one() -> None:
    selected = [info for info in registry.backends() if info.selected]
    assert len(selected) == 1
    assert registry.select().name == selected[0].name
