"""Code bytes of every function of the corpus beside those of wasmtime's Cranelift: nox -s sizes -- [arm64|amd64].

    python -m benchmarks.function_sizes --write FOLDER
    python -m benchmarks.function_sizes --target arm64 FOLDER

The first, which needs wasmtime alone, compiles the corpus with it for the machine that it runs on, or is emulated, into
a folder; programs that are there already are left alone. The second compiles for that machine and compares. Constants
and jump tables count, on both sides.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

from benchmarks.paths import CORPUS

_ENDING = ".elf"
#: Functions of this many bytes and more are listed apart: in small ones it is the prologue that makes the ratio.
_LARGE = 1000


def _write(folder: Path) -> None:
    """Compile the corpus with wasmtime."""
    import wasmtime

    folder.mkdir(parents=True, exist_ok=True)
    engine = wasmtime.Engine()
    for program in sorted(CORPUS.glob("*/program.wasm")):
        made = folder / (program.parent.name + _ENDING)
        if not made.exists():
            content = wasmtime.Module.from_file(engine, str(program)).serialize()
            made.write_bytes(content)
            print(made.name, flush=True)


def _compare(folder: Path, target: str, polls: bool) -> list[tuple[int, int, str, str]]:
    """Our bytes, theirs, program and name of every function."""
    from benchmarks.elf import function_sizes
    from wasm_core.body_validator import validate_body
    from wasm_core.decoder import decode
    from wasm_core.features import Features
    from wasm_core.names import NameSection
    from wasm_ir.frontend import translate
    from wasm_ir.frontend_options import FrontendOptions
    from wasm_ir.vmcontext import ContextLayout
    from wasmetal.registry import backends as registry

    backend = registry.select(target, to_run=False)()
    features = Features.default()
    options = FrontendOptions(polls=polls)
    rows = []
    for reference in sorted(folder.glob("*" + _ENDING)):
        module = decode((CORPUS / reference.stem / "program.wasm").read_bytes(), features)
        layout = ContextLayout(module)
        names = NameSection.of(module)
        sums = [0, 0]
        for index, theirs in function_sizes(reference.read_bytes()).items():
            function = translate(module, index, layout, validate_body(module, index, features), options)
            ours = len(backend.compile(function).code)
            rows.append((ours, theirs, reference.stem, names.function_name(index) or f"function {index}"))
            sums[0] += ours
            sums[1] += theirs
        print(f"{reference.stem:18} {sums[0]:10,} {sums[1]:10,} {sums[0] / sums[1]:7.3f}", flush=True)
    return rows


def _print_worst(title: str, rows: list[tuple[int, int, str, str]], count: int) -> None:
    """The functions with the largest ratios; those of a library that several programs have are one."""
    programs: dict[tuple[int, int, str], list[str]] = {}
    for ours, theirs, program, name in rows:
        programs.setdefault((ours, theirs, name), []).append(program)
    print(f"\n{title}")
    for ours, theirs, name in sorted(programs, key=lambda row: row[0] / row[1], reverse=True)[:count]:
        first, *others = programs[ours, theirs, name]
        more = f" and {len(others)} more" if others else ""
        print(f"{ours / theirs:7.3f} {ours:10,} {theirs:10,}  {first}{more}: {name}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.function_sizes", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="what wasmtime has made")
    parser.add_argument("--write", action="store_true", help="let wasmtime make what is missing there")
    parser.add_argument("--target", default="auto", help="backend to compare")
    parser.add_argument("--no-polls", action="store_true", help="loops that cannot be interrupted, as wasmtime's")
    parser.add_argument("--worst", type=int, default=10, help="how many functions to list")
    options = parser.parse_args()
    if not CORPUS.is_dir():
        sys.exit(f"no corpus at {CORPUS} (WASMETAL_SHARED)")
    if options.write:
        _write(options.folder)
        return
    rows = _compare(options.folder, options.target, not options.no_polls)
    if not rows:
        sys.exit(f"nothing to compare with in {options.folder}: --write")
    mean = math.exp(sum(math.log(row[0] / row[1]) for row in rows) / len(rows))
    total = sum(row[0] for row in rows) / sum(row[1] for row in rows)
    print(f"\n{len(rows):,} functions: geometric mean {mean:.3f}, all bytes {total:.3f}")
    _print_worst("Worst", rows, options.worst)
    _print_worst(f"Worst of {_LARGE:,} bytes and more", [row for row in rows if row[0] >= _LARGE], options.worst)


if __name__ == "__main__":
    main()
