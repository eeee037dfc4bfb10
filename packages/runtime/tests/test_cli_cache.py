"""`wasmetal cache`, `wasmetal compile`, and the cache in `wasmetal run`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from systems import posix

pytest.importorskip("click", reason="the command line needs click")

from wasmetal.cli import main
from wasmetal.compiled.compiled_module import CompiledModule


@pytest.fixture
def say(capfd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs a command with a cache of its own: exit code, stdout, stderr."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))

    def run(*args: object) -> tuple[int, str, str]:
        code = main([str(arg) for arg in args])
        return code, *capfd.readouterr()

    return run


@pytest.fixture
def program(wasm, tmp_path: Path) -> Path:
    builder = wasm()
    op = wasm.op
    # (with a loop that does nothing, so that it is called, and not inlined)
    builder.func("i", "i", b"\x03\x40\x0b" + op.get(0) + op.get(0) + op.I32_ADD, export="double")
    builder.func("i", "i", op.get(0) + op.call(0) + op.call(0), export="quadruple")
    path = tmp_path / "program.wasm"
    path.write_bytes(builder.build())
    return path


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    found: list[int] = []
    real = CompiledModule.assemble

    def assemble(self: CompiledModule, index: int) -> object:
        found.append(index)
        return real(self, index)

    monkeypatch.setattr(CompiledModule, "assemble", assemble)
    return found


def entries(out: str) -> dict[str, str]:
    return dict(line.split(": ") for line in out.splitlines())


def test_show_and_clear(say, program: Path, tmp_path: Path) -> None:
    directory = tmp_path / "xdg" / "wasmetal"
    code, out, _ = say("cache")
    assert code == 0
    assert entries(out) == {
        "directory": str(directory),
        "entries": "0",
        "size": "0 bytes",
        "limit": "536,870,912 bytes",
    }
    assert not directory.exists()
    assert say("compile", program)[0] == 0
    code, out, _ = say("cache", "show")
    assert code == 0 and int(entries(out)["entries"]) >= 1 and entries(out)["size"] != "0 bytes"
    code, out, _ = say("cache", "clear")
    assert code == 0 and out.endswith("entries removed\n")
    assert entries(say("cache")[1])["entries"] == "0"


@posix
def test_directory_of_others(say, tmp_path: Path) -> None:
    directory = tmp_path / "xdg" / "wasmetal"
    directory.mkdir(parents=True)
    directory.chmod(0o777)
    assert "(not used: others can write to it)" in say("cache")[1]
    code, _, err = say("cache", "clear")
    assert code == 1 and "others can write to it" in err


def test_compile_into_the_cache(say, program: Path, compiled: list[int]) -> None:
    code, out, err = say("compile", program)
    assert (code, err) == (0, "") and out.startswith(f"{program}: 2 functions in the cache, ")
    assert compiled == [0, 1]
    assert say("run", "--invoke", "quadruple", program, "5") == (0, "20\n", "")
    assert compiled == [0, 1]


def test_run_without_the_cache(say, program: Path, compiled: list[int], tmp_path: Path) -> None:
    for _ in range(2):
        assert say("run", "--no-cache", "--invoke", "quadruple", program, "5") == (0, "20\n", "")
    assert compiled == [1, 0] * 2
    assert not (tmp_path / "xdg").exists()


def test_compile_to_a_file(say, program: Path, tmp_path: Path, compiled: list[int]) -> None:
    output = tmp_path / "program.cwasm"
    code, out, _ = say("compile", program, "-o", output)
    assert code == 0 and out.startswith(f"{output}: 2 functions for ")
    code, out, err = say("run", "--invoke", "quadruple", output, "5")
    assert (code, out) == (1, "") and "--allow-precompiled if you trust" in err
    assert say("run", "--allow-precompiled", "--invoke", "quadruple", output, "5") == (0, "20\n", "")
    code, _, err = say("run", "--allow-precompiled", "--invoke", "quadruple", program, "5")
    assert code == 1 and "not a compiled module" in err
    assert compiled == []


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["program.wasm", "--target", "amd64"], 2, "needs -o"),
        (["program.wasm", "--target", "pdp11", "-o", "x"], 1, "no backend 'pdp11'"),
        (["missing.wasm", "-o", "x"], 1, "missing.wasm"),
        (["program.wasm", "-o", "no/such/directory"], 1, "no/such/directory"),
        (["broken.wasm", "-o", "x"], 1, "malformed"),
        (["broken.wasm"], 1, "malformed"),
    ],
)
def test_what_goes_wrong(
    say, program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.wasm").write_bytes(b"\0asm\1\0\0\0\xff")
    done, _, err = say("compile", *arguments)
    assert done == code and message in err
    assert not (tmp_path / "x").exists()


def test_a_cache_that_cannot_be_written(say, program: Path, tmp_path: Path) -> None:
    (tmp_path / "xdg").write_text("a file")
    code, _, err = say("compile", program)
    assert code == 1 and "cannot be written" in err
    assert say("run", "--invoke", "double", program, "5") == (0, "10\n", "")


_OTHER = """
from wasm_ir.backend import HostSupport
from wasmetal.registry import backends as registry

class Other(registry.select()):
    name = "other"

    @classmethod
    def host_support(cls):
        return HostSupport(False, "for another machine")
"""


def test_other_machines(say, program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "site"
    (folder / "other-1.dist-info").mkdir(parents=True)
    (folder / "other-1.dist-info" / "entry_points.txt").write_text("[wasmetal.backends]\nother = other_backend:Other\n")
    (folder / "other_backend.py").write_text(_OTHER)
    monkeypatch.syspath_prepend(str(folder))
    output = tmp_path / "out"
    code, out, err = say("compile", program, "-o", output, "--target", "other")
    assert code == 0, err
    assert "2 functions for other" in out
    code, _, err = say("run", "--allow-precompiled", "--invoke", "double", output, "1")
    assert code == 1 and "compiled for other, not for" in err
    monkeypatch.delitem(sys.modules, "other_backend")
    shutil.rmtree(folder)


def test_progress(say, program: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("rich")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    code, out, _ = say("compile", program, "-o", tmp_path / "out")
    assert code == 0 and "2 functions" in out
