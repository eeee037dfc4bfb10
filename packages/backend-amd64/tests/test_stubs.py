"""The stubs, executed: trap and fault exits, foreign signals, lazy compilation (each program in its own process)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from wasm_backend_amd64 import Amd64Backend
from wasm_backend_amd64.cpu import host_support
from wasm_backend_amd64.signals import signal_layout
from wasm_backend_amd64.stubs import build_stubs
from wasm_core.errors import CompileError
from wasm_ir.backend import StubEnvironment

PROGRAMS = Path(__file__).with_name("stub_programs.py")

# The programs are about signals. On Windows the suite of all backends runs the stubs, and the runtime's tests of traps.
executed = pytest.mark.skipif(
    not host_support().supported or sys.platform == "win32",
    reason="there are no signals" if sys.platform == "win32" else host_support().reason,
)


def run(program: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options, str(PROGRAMS), program],
        capture_output=True,
        text=True,
        timeout=120,
        env={key: value for key, value in os.environ.items() if key != "PYTHONFAULTHANDLER"},
    )


@executed
@pytest.mark.parametrize(
    "program",
    [
        "trap_exit",
        "faults",
        "sent_while_in_arena",
        "previous_handler_arguments",
        "lazy_funcref",
        "lazy_slot",
        "lazy_slot_before_caller",
        "lazy_refused",
        "poll",
    ],
)
def test_program(program: str) -> None:
    result = run(program, "-X", "faulthandler")
    assert (result.returncode, result.stdout) == (0, "done\n"), result.stderr


@executed
def test_foreign_faults_reach_faulthandler() -> None:
    result = run("foreign_fault", "-X", "faulthandler")
    assert result.returncode == -signal.SIGSEGV
    assert result.stdout == "before\n"
    assert "Fatal Python error: Segmentation fault" in result.stderr
    assert "in foreign_fault" in result.stderr


@executed
@pytest.mark.parametrize(
    ("program", "number"),
    [
        ("foreign_fault", signal.SIGSEGV),
        ("fault_in_c_code", signal.SIGSEGV),
        ("foreign_fault_ignored", signal.SIGSEGV),
        ("sent_signal", getattr(signal, "SIGBUS", None)),
        ("fault_in_stub", signal.SIGSEGV),
    ],
)
def test_process_dies_as_it_would_have(program: str, number: int) -> None:
    result = run(program)
    assert (result.returncode, result.stdout, result.stderr) == (-number, "before\n", "")


@executed
def test_entries_are_instructions() -> None:
    """Every entry is an instruction's start, aligned, and the code has no gap that is not an instruction."""
    stubs = build_stubs(StubEnvironment(0x7000_0000_0000, 1 << 30, {11: 0x1234_5678_9ABC, 7: 1}, 0x7FFF_1234_5678))
    entries = [stubs.trap_exit, stubs.signal_handler, stubs.lazy_funcref, stubs.lazy_slot, stubs.poll_exit]
    assert len(set(entries)) == 5
    assert all(entry % 16 == 0 for entry in entries)
    lines = Amd64Backend().disassemble(stubs.code, 0)
    if lines is None:
        pytest.skip("capstone is not installed")
    starts = {address for address, _, _ in lines}
    assert starts >= set(entries)
    assert not [text for _, _, text in lines if text.startswith(".byte")]
    texts = [text for _, _, text in lines]
    assert "movabs rax, 0x123456789abc" in texts and "movabs rax, 0x7fff12345678" in texts


def test_unknown_operating_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "plan9")
    with pytest.raises(CompileError, match="plan9"):
        signal_layout()
