"""The conformance programs of WASI: where they are, what each wants, and running one.

python tests/wasi_testsuite/suite.py [NAME]...
"""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import attrs

import wasmetal
from wasm_wasi import MemoryDirectory, Preopened, Wasi

#: The folder of the suite; `WASMETAL_SHARED` says where the folder above it is, if not beside the project.
FOLDER: Final = Path(os.environ.get("WASMETAL_SHARED", Path(__file__).parents[3] / "shared")) / "wasi-testsuite"


@attrs.frozen
class Outcome:
    """What came of running a program."""

    code: int
    stdout: str
    stderr: str


def programs() -> list[Path]:
    """All programs, in alphabetical order; none where the suite is absent."""
    return sorted(FOLDER.glob("*/*.wasm"))


def wanted(program: Path) -> dict[str, Any]:
    """How to run a program and what to expect: args, env, root, exit_code, stdout, stderr; all optional."""
    settings = program.with_suffix(".json")
    found: dict[str, Any] = json.loads(settings.read_text()) if settings.exists() else {}
    return found


def expected(program: Path) -> Outcome:
    """What a program has to do."""
    settings = wanted(program)
    return Outcome(settings.get("exit_code", 0), settings.get("stdout", ""), settings.get("stderr", ""))


#: What a program's directory can be: one of the host, one in memory, or (not to be written to) a mapping or of fsspec.
DIRECTORIES: Final = ("host", "memory", "mapping", "fsspec")


def needs_directory(program: Path) -> bool:
    """Whether a program uses files."""
    return "root" in wanted(program)


def _files(folder: Path) -> dict[str, bytes]:
    """The content of all files, by path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def _directory(source: Path, scratch: Path, kind: str) -> Preopened:
    """A copy of the directory that a program may write to."""
    if kind == "mapping":
        return _files(source)
    if kind == "memory":
        return MemoryDirectory(_files(source))
    if kind == "fsspec":
        from fsspec.implementations.dirfs import DirFileSystem
        from fsspec.implementations.local import LocalFileSystem

        return DirFileSystem(str(source), LocalFileSystem())
    root = scratch / "root"
    # The suite itself may be read-only.
    shutil.copytree(source, root, copy_function=shutil.copyfile)
    for path in (root, *root.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)
    return root


def run(program: Path, scratch: Path, kind: str = "host") -> Outcome:
    """Run a program; its directory is a copy, on the host in `scratch`, or another of DIRECTORIES."""
    settings = wanted(program)
    preopens = {}
    if "root" in settings:
        preopens["/"] = _directory(program.parent / settings["root"], scratch, kind)
    out, err = io.BytesIO(), io.BytesIO()
    wasi = Wasi([program.name, *settings.get("args", [])], settings.get("env", {}), preopens, None, out, err)
    code = wasi.run(wasmetal.Module(program))
    return Outcome(code, out.getvalue().decode(), err.getvalue().decode())


def main(names: list[str]) -> int:
    """Run programs and print what failed; the exit code."""
    chosen = [program for program in programs() if not names or program.stem in names]
    failed = 0
    for program in chosen:
        with tempfile.TemporaryDirectory() as scratch:
            outcome = run(program, Path(scratch))
        if outcome != expected(program):
            failed += 1
            print(f"{program.parent.name}/{program.stem}: {outcome}, not {expected(program)}")
    print(f"{len(chosen) - failed} passed, {failed} failed")
    return 1 if failed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
