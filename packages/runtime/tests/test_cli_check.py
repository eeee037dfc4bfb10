"""`wasmetal backends --check`: that it finds what does not work, and that a check that ends its process is reported."""

from __future__ import annotations

import subprocess

import pytest
from systems import posix

pytest.importorskip("click", reason="the command line needs click")

import wasmetal
from wasm_core.testing.builder import Op, WasmBuilder
from wasmetal.cli import check, self_test

pytestmark = pytest.mark.skipif(
    not any(backend.supported for backend in wasmetal.backends()), reason="no backend for this machine"
)


@pytest.mark.parametrize("name", self_test.CHECKS)
def test_everything_works_here(name):
    self_test.CHECKS[name]("auto")


def test_in_processes_of_their_own(say, monkeypatch):
    monkeypatch.setattr(check, "CHECKS", ["address space", "calls"])
    code, out, err = say("backends", "--check")
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert [line[:3] for line in lines if "passed" in line] == [
        ["address", "space", "passed"],
        ["calls", "passed", lines[-1][2]],
    ]
    assert wasmetal.__version__ in out


def test_what_fails_is_shown_with_its_traceback(say, monkeypatch):
    monkeypatch.setattr(check, "CHECKS", ["no such check"])
    code, out, _ = say("backends", "--check")
    assert code == 1
    assert "failed: KeyError: 'no such check'" in out
    assert "Traceback (most recent call last):" in out
    assert "1 of 1 checks failed" in out


@pytest.mark.parametrize(
    ("returncode", "result"),
    [
        (-11, "ended by SIGSEGV"),
        pytest.param(-7, "ended by SIGBUS", marks=posix),
        (-40, "ended by signal 40"),
        (0xC0000005, "ended with 0xc0000005"),
    ],
)
def test_a_check_that_ends_its_process(say, monkeypatch, returncode, result):
    words = "Fatal Python error: Segmentation fault\n\x1b[2J\n  File somewhere"
    died = subprocess.CompletedProcess([], returncode, "", words)
    monkeypatch.setattr(check.subprocess, "run", lambda *arguments, **options: died)
    monkeypatch.setattr(check, "CHECKS", ["memory"])
    code, out, _ = say("backends", "--check")
    assert code == 1
    assert result in out
    assert "Fatal Python error" in out
    assert "\x1b" not in out


def test_a_check_that_does_not_end(say, monkeypatch):
    monkeypatch.setattr(check, "_PATIENCE", 0.01)
    monkeypatch.setattr(check, "CHECKS", ["calls"])
    code, out, _ = say("backends", "--check")
    assert code == 1
    assert "did not end within" in out


def test_wrong_results_are_found():
    with pytest.raises(self_test.Failed, match="the answer is 41, not 42"):
        self_test.expect("the answer", 41, 42)
    module = WasmBuilder()
    module.func("", "i", Op.i32(1), export="one")
    with pytest.raises(self_test.Failed, match="no trap"):
        self_test._traps(wasmetal.instantiate(module.build()).exports.one, wasmetal.TrapCode.UNREACHABLE)
