"""What scripts share that put Pythons together which are not installed, in folders of the user's cache directory.

They are scripts, so they put this folder on their path.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

PROJECT: Final = Path(__file__).resolve().parents[1]
#: What all of them get from PyPI, with what it needs.
TESTING: Final = ("attrs", "entrypoints", "pytest", "pytest-timeout", "hypothesis", "click", "rich")
#: Exit status when something is missing.
MISSING: Final = 3


class Missing(Exception):
    """What cannot be had here."""


def cache_folder(name: str) -> Path:
    """A folder of this name in the user's cache directory."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / name


def run(*command: str, folder: Path | None = None, environment: dict[str, str] | None = None) -> None:
    """Run a program silently. Raises Missing where it fails, with the last line that it said."""
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        last = (result.stderr.strip() or result.stdout.strip()).splitlines()[-1:]
        raise Missing(f"{' '.join(command[:4])} ... failed: {' '.join(last)}")


def pip(what: str, *arguments: str) -> None:
    """Run a command of this Python's pip. Raises Missing."""
    run(sys.executable, "-m", "pip", what, "--quiet", *arguments)


def pure_python(version: str) -> tuple[str, ...]:
    """Options of pip for packages without machine code."""
    portable = ("--platform=any", f"--python-version={version}", "--implementation=py", "--abi=none")
    return ("--only-binary=:all:", *portable)


def sources(names: Sequence[str]) -> list[Path]:
    """What is to be put on the path for these packages of the project."""
    return [PROJECT / "packages" / name / "src" for name in names]


def describe_packages(site: Path, names: Sequence[str]) -> None:
    """Let a Python with the project's packages on its path know of their entry points, as of installed ones."""
    for name in names:
        description = PROJECT / "packages" / name / "pyproject.toml"
        project = tomllib.loads(description.read_text(encoding="utf-8"))["project"]
        version = project["version"]
        metadata = site / f"{project['name'].replace('-', '_')}-{version}.dist-info"
        metadata.mkdir(exist_ok=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {version}\n")
        lines = []
        for group, entries in dict(project.get("entry-points", {}), console_scripts=project.get("scripts", {})).items():
            lines += [f"[{group}]", *(f"{key} = {value}" for key, value in entries.items())]
        (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")


def finish(prepare: Callable[[], Sequence[Path]]) -> int:
    """The end of such a script: print what was prepared, or what is missing; returns the exit status."""
    try:
        for path in prepare():
            print(path)
    except Missing as missing:
        print(missing)
        return MISSING
    return 0
