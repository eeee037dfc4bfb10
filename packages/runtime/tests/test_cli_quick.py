"""What is run without click is what click would run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("click", reason="the command line needs click")

from wasmetal.cli import quick
from wasmetal.cli import run as command
from wasmetal.cli.commands import wasmetal

PLAIN = [
    ["run", "f.wasm"],
    ["run", "f.wasm", "one", "--two", "-x", "--", "--dir"],
    ["run", "--dir", ".", "f.wasm"],
    ["run", "--dir=.::/data", "--dir", "b", "f.wasm", "x"],
    ["run", "--env", "A=B=C", "--env=D=", "--listen", "127.0.0.1:1", "--stub", "bench", "f.wasm"],
    ["run", "--no-cache", "f.wasm"],
    ["run", "--no-cache", "--cache", "f.wasm"],
    ["run", "--allow-precompiled", "f.cwasm"],
    ["run", "--invoke", "add", "f.wasm", "1", "-2"],
    ["run", "--invoke", "a", "--invoke=b", "f.wasm"],
    ["run", "--dir=", "f.wasm"],
    ["run", ""],
]
#: For click: `--timeout` and `--max-memory` have checks, the rest is help, wrong usage, or rare.
OTHERS = [
    [],
    ["inspect", "f.wasm"],
    ["run"],
    ["run", "--help"],
    ["run", "-h", "f.wasm"],
    ["run", "--dir"],
    ["run", "--dir", "."],
    ["run", "--dir", "--env", "f.wasm"],
    ["run", "--timeout", "1", "f.wasm"],
    ["run", "--max-memory=1m", "f.wasm"],
    ["run", "--no-cache=1", "f.wasm"],
    ["run", "--", "f.wasm"],
    ["run", "-", "f.wasm"],
    ["run", "--inv", "add", "f.wasm"],
    ["run", "--unknown", "f.wasm"],
]


@pytest.mark.parametrize("args", PLAIN, ids=" ".join)
def test_the_same_as_with_click(args: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def run(*given: object, **options: object) -> int:
        calls.append((given, options))
        return 7

    monkeypatch.setattr(command, "run", run)
    given = quick.parse_run(args)
    assert given is not None
    assert quick.run(given) == 7
    assert wasmetal.main(args=args, prog_name="wasmetal", standalone_mode=False) == 7
    assert calls[0] == calls[1]


@pytest.mark.parametrize("args", OTHERS, ids=" ".join)
def test_left_to_click(args: list[str]) -> None:
    assert quick.parse_run(args) is None


def test_completion_is_left_to_click(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_WASMETAL_COMPLETE", "bash_complete")
    assert quick.parse_run(["run", "f.wasm"]) is None


def test_a_program_runs_without_click(wasm, tmp_path: Path) -> None:
    builder = wasm()
    builder.func("ii", "i", wasm.op.get(0) + wasm.op.get(1) + wasm.op.I32_ADD, export="add")
    path = tmp_path / "add.wasm"
    path.write_bytes(builder.build())
    code = (
        "import sys\n"
        "from wasmetal.cli import main\n"
        f"assert main(['run', '--no-cache', '--invoke', 'add', {str(path)!r}, '2', '3']) == 0\n"
        "assert 'click' not in sys.modules\n"
        f"assert main(['run', '--no-cache', '--invoke', 'add', {str(path)!r}, '2']) == 2\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "5\n"
    assert done.stderr.startswith("Usage: wasmetal run") and "takes 2 arguments" in done.stderr


def test_what_needs_click_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from wasmetal.cli import main

    monkeypatch.setitem(sys.modules, "click", None)
    monkeypatch.delitem(sys.modules, "wasmetal.cli.commands")
    assert main(["--help"]) == 1
    assert "pip install 'wasmetal[cli]'" in capsys.readouterr().err
