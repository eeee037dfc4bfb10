"""Runs code with another Python, in which native wheels of the compiler are installed (`--native`)."""

from __future__ import annotations

import subprocess

from benchmarks.paths import ROOT
from benchmarks.workers import Failed, Unavailable

_CHECK = "from benchmarks.compiling import build; print(build())"
_TIMEOUT = 600.0


def output(python: str, program: str, *arguments: str) -> str:
    """What a program prints that may import the benchmarks; the packages are those installed there.

    Raises:
        Failed: The program failed.
    """
    command = [python, "-P", "-c", f"import sys; sys.path.append({str(ROOT)!r})\n{program}", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    if done.returncode:
        raise Failed(done.stderr.strip().rpartition("\n")[2][:300])
    return done.stdout.strip()


def check(python: str) -> None:
    """Make sure that the compiler is native there.

    Raises:
        Unavailable: It is not.
    """
    how = output(python, _CHECK).split(",")[0]
    if how != "compiled with mypyc":
        raise Unavailable(f"the compiler is {how} there")
