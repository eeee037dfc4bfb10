"""Glue that comes ready made: it is what the compiler makes here; and what becomes of files that are not for us."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

import wasmetal
from wasmetal.code import fingerprint
from wasmetal.code.cache import CodeCache
from wasmetal.code.code_file import CodeFile, open_file
from wasmetal.cpython import layouts
from wasmetal.glue import prebuild, prebuilt
from wasmetal.glue.thunks import thunks_identity
from wasmetal.registry.selection import select
from wasmetal.store import shared_glue

_ROW = dict(
    zip(("HEAD", "TUPLE_ITEMS", "INT_LAYOUT", "FLOAT_VALUE", "ONE_RAISED_EXCEPTION"), layouts.description()[1:])
)

#: As this process would compile them, which has made some already: in one that has not.
_COMPILE = """
import sys
from wasmetal.code.cache import CodeCache
from wasmetal.glue import prebuild, prebuilt
from wasmetal.registry.selection import select
prebuilt.folder = None
prebuild._make(select("auto")(()), CodeCache(sys.argv[1], 1 << 30))
"""


def run(*command: str | Path) -> None:
    subprocess.run([sys.executable, *map(str, command)], check=True, timeout=60)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the file for this Python."""
    if layouts.description()[0]:
        pytest.skip("of builds of CPython that few use there is none")
    folder = tmp_path_factory.mktemp("glue")
    backend = select("auto")
    name = f"{prebuild.LAYOUTS.index(_ROW)}={backend.__module__}:{backend.__name__}"
    run("-m", "wasmetal.glue.prebuild", folder, name)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The same, where they are looked for; and glue that has made nothing yet."""
    # (of what copies dates as well, Wine has a part only)
    copy = shutil.copytree(made, tmp_path / "glue", copy_function=shutil.copyfile)
    monkeypatch.setattr(prebuilt, "folder", str(copy))
    shared_glue._glues.clear()
    yield copy
    shared_glue._glues.clear()


def blobs(file: CodeFile) -> dict[int, bytes | None]:
    return {key: file.get(key) for key in file.keys()}  # noqa: SIM118 (not a mapping)


def test_it_is_what_the_compiler_makes(folder: Path, tmp_path: Path) -> None:
    """It is made for other Pythons too, and for other machines: neither may make a difference."""
    backend = select("auto")(())
    file = prebuilt.find(backend)
    assert file is not None
    run("-c", _COMPILE, tmp_path / "cache")
    identity = thunks_identity(backend)
    compiled = open_file(CodeCache(tmp_path / "cache", 1 << 30).path_of(identity), identity)
    assert compiled is not None
    assert blobs(file) == blobs(compiled)
    assert len(file) > 90


def test_it_is_used(folder: Path, wasm, monkeypatch: pytest.MonkeyPatch) -> None:
    builder = wasm()
    op = wasm.op
    builder.import_func("host", "f", "i", "i")
    builder.func("i", "i", op.get(0) + op.call(0), export="call")
    compiled: list[str] = []
    backend = type(wasmetal.Engine().backend)
    real = backend.compile
    monkeypatch.setattr(backend, "compile", lambda self, f: (compiled.append(f.name), real(self, f))[1])
    instance = wasmetal.Engine().compile(builder.build()).instantiate({"host": {"f": lambda x: x + 1}})
    assert instance.exports.call(5) == 6
    assert len(compiled) == 1, compiled


def test_of_other_sources(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages that were updated one by one, or changed by hand."""
    backend = wasmetal.Engine().backend
    assert prebuilt.find(backend) is not None
    monkeypatch.setattr(fingerprint, "of_sources", lambda backend: b"others")
    assert prebuilt.find(backend) is None


def test_a_changed_source_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "some_backend"
    package.mkdir()
    source = package / "__init__.py"
    source.write_text("class Backend: 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    import some_backend  # type: ignore[import-not-found]

    def clear() -> None:
        for function in (fingerprint._of_sources, fingerprint._of_all, fingerprint._files):
            function.cache_clear()

    def both() -> tuple[bytes, bytes]:
        clear()
        return fingerprint.of_sources(some_backend.Backend()), fingerprint.of_glue_makers(some_backend.Backend())

    before = both()
    os.utime(source, (1, 1))
    # Installing sets the times anew.
    installed = both()
    assert installed[0] == before[0] and installed[1] != before[1]
    # Native modules stand beside sources, or all in a library beside the package, which these then only call.
    suffix = EXTENSION_SUFFIXES[0]
    seen = {installed[1]}
    for native in (package / f"native{suffix}", tmp_path / f"some_backend__mypyc{suffix}"):
        for content in (b"", b"1"):
            native.write_bytes(content)
            now = both()
            assert now[0] == before[0] and now[1] not in seen
            seen.add(now[1])
    source.write_text("class Backend: 12\n")
    assert both()[0] != before[0]
    clear()


@pytest.mark.parametrize("place", range(10))
def test_damaged(folder: Path, place: int, wasm) -> None:
    (path,) = folder.iterdir()
    content = bytearray(path.read_bytes())
    content[len(content) * place // 10] ^= 1
    path.write_bytes(content)
    builder = wasm()
    builder.func("", "i", wasm.op.i32(3), export="three")
    assert wasmetal.Engine().compile(builder.build()).instantiate().exports.three() == 3
    path.write_bytes(content[: len(content) * place // 10])
    assert prebuilt.find(wasmetal.Engine().backend) is None
    path.unlink()
    path.mkdir()
    assert prebuilt.find(wasmetal.Engine().backend) is None
