"""Runs the specification's test suite: scripts (.wast), or JSON of wabt's `wast2json`, which takes less time to read.

As a library: `run_file`, `run_folder`. As a program: python runner.py PATH... [-k NAME] [--bounds-checks explicit]
[--cpu avx,avx2]; prints a table and exits with 1 when a command failed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import attrs

from wasmetal import Config, Features
from wasmetal.cli.script import Script

sys.path.insert(0, str(Path(__file__).parent))
import commands

BoundsChecks = Literal["auto", "guard", "explicit"]
#: Switches that the suite of a proposal needs; the folder is called like it.
_PROPOSALS = {"custom-page-sizes": "custom_page_sizes"}


@attrs.define
class Result:
    """What became of the commands of one file."""

    name: str
    passed: int = 0
    #: Commands that need what the compiler leaves out.
    unsupported: int = 0
    #: "line 12: assert_return: ..."
    failures: list[str] = attrs.field(factory=list)
    seconds: float = 0.0

    @property
    def failed(self) -> int:
        return len(self.failures)


def features_of(path: Path) -> Features:
    """What a script may use: its standard, and the proposal that it is about."""
    features = Features.wasm_2_0() if "2.0" in path.parts else Features.default()
    switch = _PROPOSALS.get(path.parent.name)
    return attrs.evolve(features, **{switch: True}) if switch else features


def run_file(path: Path, bounds_checks: BoundsChecks = "auto", fuel: bool = False) -> Result:
    """Run one script, or JSON file."""
    start = time.perf_counter()
    result = Result(path.stem)
    script = Script(Config(bounds_checks=bounds_checks, features=features_of(path), fuel=fuel))
    for command in commands.read(path):
        problem = script.run(command)
        if problem:
            result.failures.append(f"line {command.line}: {command.kind}: {problem}")
    result.passed, result.unsupported = script.passed, script.unsupported
    result.seconds = time.perf_counter() - start
    return result


def find_files(path: Path, name: str | None = None) -> list[Path]:
    """The files of a folder (or the one file), those whose name contains `name`."""
    files = [path] if path.is_file() else sorted([*path.glob("*.json"), *path.glob("*.wast")])
    return [file for file in files if name is None or name in file.stem]


def run_folder(path: Path, bounds_checks: BoundsChecks = "auto", name: str | None = None) -> Iterator[Result]:
    """Run every file of a folder."""
    for file in find_files(path, name):
        yield run_file(file, bounds_checks)


def use_processor(names: Iterable[str]) -> None:
    """Make code for an x86-64 processor that has of this one's optional features just these and the required ones."""
    from wasm_backend_amd64 import backend, cpu

    found = tuple(sorted(backend.REQUIRED_FEATURES.union(names).intersection(cpu.features())))
    cpu.features = lambda: found  # type: ignore[assignment]


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Run the WebAssembly specification's test suite.")
    parser.add_argument("paths", type=Path, nargs="+", metavar="PATH", help="folder of scripts or JSON, or a file")
    parser.add_argument("-k", dest="name", help="only files whose name contains this")
    parser.add_argument("--bounds-checks", choices=["auto", "guard", "explicit"], default="auto")
    parser.add_argument("--cpu", help="optional features of the processor (x86-64) that code may use, with commas")
    parser.add_argument("-v", "--verbose", action="store_true", help="show every failure, not just five of a file")
    arguments = parser.parse_args()
    if arguments.cpu is not None:
        use_processor(arguments.cpu.split(","))
    row = "{:32} {:>7} {:>7} {:>12} {:>8}"
    print(row.format("file", "passed", "failed", "unsupported", "seconds"))
    total = Result("total")
    for path in arguments.paths:
        for result in run_folder(path, arguments.bounds_checks, arguments.name):
            _print_row(row, result)
            for failure in result.failures if arguments.verbose else result.failures[:5]:
                print(f"    {failure[:300]}")
            total.passed += result.passed
            total.unsupported += result.unsupported
            total.failures += result.failures
            total.seconds += result.seconds
    _print_row(row, total)
    if not total.passed and not total.failed:
        print("nothing to run", file=sys.stderr)
        return 1
    return 1 if total.failed else 0


def _print_row(row: str, result: Result) -> None:
    print(
        row.format(result.name, result.passed, result.failed, result.unsupported, f"{result.seconds:.2f}"), flush=True
    )


if __name__ == "__main__":
    sys.exit(main())
