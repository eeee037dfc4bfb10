"""What is uploaded to a package index has all that it should, and nothing else: each sdist and wheel is built."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

import wasmetal

ROOT = Path(__file__).parent.parent.parent
PACKAGES = sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml"))
#: Where the repository is: links on the package index begin so.
REPOSITORY = "https://github.com/wasmetal/wasmetal"
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")

for needed in ("build", "hatchling"):
    if importlib.util.find_spec(needed) is None:
        pytest.skip(f"{needed} is not installed: pip install build hatchling", allow_module_level=True)


def project(package: Path) -> dict[str, object]:
    found: dict[str, object] = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    return found


def run(*command: str | Path) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module", params=PACKAGES, ids=lambda path: path.name)
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A package, its sdist, and the wheel that is made of that."""
    output = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", output, request.param)
    (sdist,) = output.glob("*.tar.gz")
    (wheel,) = output.glob("*.whl")
    return request.param, sdist, wheel


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def test_sdists(built: tuple[Path, Path, Path]) -> None:
    package, sdist, _ = built
    with tarfile.open(sdist) as archive:
        files = {name.partition("/")[2] for name in archive.getnames()}
        (license_file,) = (member for member in archive.getmembers() if member.name.endswith("/LICENSE"))
        content = archive.extractfile(license_file)
        assert content is not None and content.read() == (ROOT / "LICENSE").read_bytes()
    tests = {str(path.relative_to(package)) for path in (package / "tests").rglob("*.py")}
    sources = {str(path.relative_to(package)) for path in (package / "src").rglob("*.py*") if path.suffix != ".pyc"}
    assert tests and sources
    assert tests | sources | {"README.md", "pyproject.toml", "PKG-INFO"} <= files
    assert not [name for name in files if "__pycache__" in name or name.endswith((".pyc", ".so"))]


def test_wheels(built: tuple[Path, Path, Path]) -> None:
    package, _, wheel = built
    (source,) = (path.parent for path in package.glob("src/*/__init__.py"))
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (license_file,) = (name for name in names if name.endswith(".dist-info/licenses/LICENSE"))
        assert archive.read(license_file) == (ROOT / "LICENSE").read_bytes()
    assert f"{source.name}/py.typed" in names
    assert not [name for name in names if not name.startswith(f"{source.name}/") and ".dist-info/" not in name]
    stubs = [f"{source.name}/{path.relative_to(source)}" for path in source.rglob("*.pyi")]
    assert set(stubs) <= set(names)
    # By way of the sdist, where the packages that it takes to make them are not.
    ready_made = [name for name in names if name.endswith(".glue")]
    assert len(ready_made) == len(set(ready_made)) == (6 if source.name == "wasmetal" else 0)


def test_metadata(built: tuple[Path, Path, Path]) -> None:
    wheel = built[2]
    found = metadata(wheel)
    assert found["License-Expression"] == "Apache-2.0"
    assert found["Description-Content-Type"] == "text/markdown"
    urls = dict(text.split(", ") for text in found.get_all("Project-URL", []))
    assert {"Source", "Documentation", "Changelog", "Issues"} <= urls.keys()
    for target in (*urls.values(), *LINK.findall(found.get_payload())):
        assert target.startswith("https://"), f"does not work on the package index: {target}"
        if place := re.match(rf"{REPOSITORY}/(?:blob|tree)/main/([^#]+)", target):
            assert (ROOT / place[1]).exists(), target
        else:
            assert target in (REPOSITORY, f"{REPOSITORY}/issues"), target
    classifiers = found.get_all("Classifier", [])
    assert {"Typing :: Typed", "Programming Language :: Python :: 3.13"} <= set(classifiers)
    assert not [text for text in classifiers if text.startswith("License ::")], "PEP 639: License-Expression says it"
    # A place on this machine is of no use to anybody else, and indexes refuse it.
    assert not [text for text in found.get_all("Requires-Dist", []) if "@" in text]


def test_versions_are_the_same_and_pinned() -> None:
    """Packages of different versions do not fit together."""
    (version,) = {str(project(package)["version"]) for package in PACKAGES}
    assert wasmetal.__version__ == version
    own = {str(project(package)["name"]) for package in PACKAGES}
    for package in PACKAGES:
        about = project(package)
        extras: dict[str, list[str]] = about.get("optional-dependencies", {})  # type: ignore[assignment]
        for text in [*about.get("dependencies", []), *(each for group in extras.values() for each in group)]:  # type: ignore[misc]
            name = re.match(r"[\w-]+", text)
            assert name is not None
            if name[0] in own - {str(about["name"])}:
                assert text.partition(";")[0].strip() == f"{name[0]}=={version}", f"{package.name}: {text}"


def test_extras() -> None:
    """`wasmetal[all]` is everything that there is."""
    extras: dict[str, list[str]] = project(ROOT / "packages/runtime")["optional-dependencies"]  # type: ignore[assignment]
    assert {"cli", "wasi", "all"} <= extras.keys()
    (everything,) = extras["all"]
    assert everything == f"wasmetal[{','.join(name for name in extras if name != 'all')}]"


def test_pip_takes_what_is_in_the_clone(tmp_path: Path) -> None:
    """`pip install ./packages/runtime` finds the other packages, which no index may have."""
    if importlib.util.find_spec("pip") is None:
        pytest.skip("pip is not installed")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    run(*command, "--wheel-dir", tmp_path, ROOT / "packages/runtime")
    (wheel,) = tmp_path.glob("*.whl")
    required = metadata(wheel).get_all("Requires-Dist", [])
    for name, folder in (("wasm-core", "wasm-core"), ("wasm-backend-amd64", "backend-amd64"), ("wasm-wasi", "wasi")):
        (text,) = (text for text in required if text.startswith(name) and "all" not in text.partition(";")[2])
        assert text.startswith(f"{name} @ {(ROOT / 'packages' / folder).as_uri()}"), text
    assert "PIP_BUILD_TRACKER" not in os.environ
