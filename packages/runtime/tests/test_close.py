"""`close()`: what it ends, what goes on, at every moment and with every holder (docs/ownership.md).

In processes of their own: failures crash.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import closing
import pytest
from systems import posix

#: Of the moments every n-th times this number.
SPARSE = 1 if os.environ.get("WASMETAL_ALL") else 5


def run(*arguments: str) -> None:
    path = os.pathsep.join([os.path.dirname(__file__), *[entry for entry in sys.path if entry]])
    result = subprocess.run(
        [sys.executable, "-X", "faulthandler", str(Path(__file__).with_name("closing.py")), *arguments],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    # What goes wrong in finalizers, threads and exit hooks is only printed.
    assert not result.stderr, result.stderr


@pytest.mark.parametrize("resource", closing.RESOURCES)
def test_what_others_use_stays(resource: str) -> None:
    run("holders", resource)


def test_what_others_use_of_a_large_memory_stays() -> None:
    """Such a one is unmapped, not used again."""
    run("holders", "memory", str(closing.LARGE_PAGES))


@pytest.mark.parametrize("how", ["close", "delete", "drop"])
@pytest.mark.parametrize("kind", ["first", "slow", "raw", "export", "link"])
def test_at_each_line_of(kind: str, how: str) -> None:
    run("moments", kind, how, str((29 if kind == "link" else 1) * SPARSE))


def test_at_each_line_of_linking() -> None:
    run("links", str(SPARSE))


@pytest.mark.parametrize("kind", ["cold", "warm", "slow", "raw", "interrupt", "holding"])
def test_while_other_threads_call(kind: str) -> None:
    run("threads", kind, "1" if SPARSE > 1 else "3")


OF_POSIX = [pytest.param(name, marks=posix) for name in ("signals", "forks")]


@pytest.mark.parametrize("name", ["objects", "inside", "start", "listener", "finalizers", "tables", *OF_POSIX])
def test_closing(name: str) -> None:
    run(name)
