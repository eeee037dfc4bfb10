"""Command line of the benchmarks."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path
from time import perf_counter

from benchmarks import machine, report
from benchmarks.model import Options, Section
from benchmarks.paths import DOCS
from benchmarks.workers import Unavailable

#: In the order of the report.
SECTIONS = (
    *("corpus", "kernels", "vectors", "vectors_size", "calls", "startup", "compilation", "code_size", "instances"),
    *("text", "large_module", "peers"),
)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measure wasmetal beside its peers.")
    parser.add_argument("--only", metavar="SECTIONS", help=f"comma-separated, of: {', '.join(SECTIONS)}")
    parser.add_argument("--match", default="", metavar="TEXT", help="only rows whose name contains this")
    parser.add_argument("--quick", action="store_true", help="small workloads, few rounds; saves nothing by default")
    parser.add_argument("--rounds", type=int, help="samples per subject (default: 10, quick: 3)")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="where to save (default: docs/, when not quick)")
    parser.add_argument(
        "--native", default="", metavar="PYTHON", help="one with native wheels, which nox -s mypyc makes"
    )
    parsed = parser.parse_args(argv)
    parsed.only = parsed.only.split(",") if parsed.only else list(SECTIONS)
    if unknown := set(parsed.only) - set(SECTIONS):
        parser.error(f"no such section: {', '.join(sorted(unknown))}")
    return parsed


def _save(folder: Path, section: Section) -> None:
    # Other sections stay as they were.
    folder.mkdir(parents=True, exist_ok=True)
    sections = {**report.load(folder / "performance.json"), section.key: section}
    ordered = [sections[key] for key in SECTIONS if key in sections]
    about = machine.describe()
    report.save_json(folder / "performance.json", about, ordered)
    text = report.markdown(about, ordered)
    try:
        from benchmarks.plot import save_plot
    except ImportError:
        print("no new plot: matplotlib is not installed", file=sys.stderr)
    else:
        save_plot(folder / "performance.svg", sections)
    if (folder / "performance.svg").exists():
        text = "![Ratios to wasmtime, and growth of compile time](performance.svg)\n\n" + text
    report.save_markdown(folder / "performance.md", text)
    print(f"saved performance.json, performance.md, performance.svg in {folder}", file=sys.stderr)


def main(argv: list[str] | None = None) -> None:
    """Measure, print and save."""
    arguments = _arguments(argv)
    rounds = arguments.rounds or (3 if arguments.quick else 10)
    options = Options(
        arguments.quick, rounds, 1 if arguments.quick else min(rounds, 5), arguments.match, arguments.native
    )
    folder = arguments.output or (None if arguments.quick or arguments.match else DOCS)
    for key in SECTIONS:
        if key in arguments.only:
            started = perf_counter()
            try:
                section: Section = import_module(f"benchmarks.sections.{key}").measure(options)
            except Unavailable as error:
                print(f"{key}: skipped: {error}\n", flush=True)
                continue
            print(report.markdown_table(section), f"\n\n({perf_counter() - started:.0f} s)\n", flush=True)
            if folder is not None:
                # At once: a long run that is cut short keeps what it has.
                _save(folder, section)


if __name__ == "__main__":
    main()
