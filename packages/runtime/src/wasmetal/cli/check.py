"""`wasmetal backends --check`: whether everything works on this machine, and if not, what a report should say."""

from __future__ import annotations

import platform
import signal
import subprocess
import sys
import time
from typing import Final

import click

from wasmetal import __version__
from wasmetal.cli.failures import FAILED
from wasmetal.cli.output import printable, table
from wasmetal.cli.self_test import CHECKS
from wasmetal.registry.backends import BackendInfo
from wasmetal.registry.backends import backends as installed_backends

#: Seconds that a check may take; they take a tenth of one each.
_PATIENCE: Final = 60.0
#: Names of signals by number. (Not all of those between SIGRTMIN and SIGRTMAX have one.)
_SIGNALS: Final = {int(each): each.name for each in signal.Signals}
#: Lines of what a check that ended its process has said.
_LAST_WORDS: Final = 15


def check() -> int:
    """Check each backend that runs here, and print what came of it; the exit code."""
    click.echo(f"wasmetal {__version__}, {platform.python_implementation()} {platform.python_version()}")
    click.echo(f"{platform.platform()}, {platform.machine()}, {' '.join(platform.libc_ver())}".rstrip(", "))
    usable = [backend for backend in installed_backends() if backend.supported]
    if not usable:
        click.echo("no backend runs here: see wasmetal backends")
        return FAILED
    return max(_check(backend) for backend in usable)


def _check(backend: BackendInfo) -> int:
    rows, reports = [], []
    for name in CHECKS:
        started = time.perf_counter()
        said, words = _do(backend.name, name)
        rows.append((name, said or "passed", f"{1000 * (time.perf_counter() - started):,.0f} ms"))
        if said:
            reports.append((name, words))
    table(f"{backend.name} ({backend.distribution} {backend.version})", ("check", "result", "time"), rows)
    for name, words in reports:
        if words:
            click.echo(f"\n{name}:")
            for line in words[-_LAST_WORDS:]:
                click.echo(f"  {printable(line)}" if line else "")
    if reports:
        click.echo(f"\n{len(reports)} of {len(CHECKS)} checks failed: please report what is printed here")
    return FAILED if reports else 0


def _do(backend: str, name: str) -> tuple[str, list[str]]:
    """Do one check in a process of its own. Returns what went wrong, "" for nothing, and the process's last words."""
    command = [sys.executable, "-X", "faulthandler", "-m", "wasmetal.cli.self_test", backend, name]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, text=True, errors="replace"
        )
    except subprocess.TimeoutExpired:
        return f"did not end within {_PATIENCE:.0f} seconds", []
    words = done.stderr.splitlines()
    if not done.returncode:
        return "", []
    if done.returncode < 0:
        return f"ended by {_SIGNALS.get(-done.returncode, f'signal {-done.returncode}')}", words
    if done.returncode > 1:
        return f"ended with {done.returncode:#x}", words
    return f"failed: {words[-1] if words else 'without a word'}", words[:-1]
