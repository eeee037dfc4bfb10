"""Real programs through the command line, each as a process.

A few of them; `WASMETAL_ALL=1` runs the whole corpus.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("click", reason="the command line needs click")

FOLDER = Path(os.environ.get("WASMETAL_SHARED", Path(__file__).parents[3] / "shared")) / "corpus"
#: Quick ones, in C and Rust, with arguments of all kinds.
REPRESENTATIVE = ("base64", "noop", "random")
PROGRAMS = sorted(path.parent for path in FOLDER.glob("*/program.wasm"))
CHOSEN = PROGRAMS if os.environ.get("WASMETAL_ALL") else [path for path in PROGRAMS if path.name in REPRESENTATIVE]


@pytest.mark.skipif(not PROGRAMS, reason=f"no corpus at {FOLDER} (WASMETAL_SHARED)")
@pytest.mark.parametrize("folder", CHOSEN, ids=lambda folder: folder.name)
def test_program(folder):
    # The programs tell where they are to be timed: nobody listens.
    command = [sys.executable, "-m", "wasmetal", "run", "--dir", ".", "--stub", "bench", "program.wasm"]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for name in ("stdout", "stderr"):
        wanted = folder / f"{name}.expected"
        # hashset prints how long it took.
        if wanted.exists():
            assert getattr(done, name) == wanted.read_bytes()
