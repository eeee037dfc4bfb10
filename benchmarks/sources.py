"""The modules that the sections about compiling compile: real ones, and generated functions from small to huge."""

from __future__ import annotations

from benchmarks.generate import functions_of
from benchmarks.model import Options
from benchmarks.paths import CORPUS

_REAL = ("bz2", "pulldown-cmark", "rust-json")
#: Size of a function in instructions; there are as many as make at least 20,000.
SIZES = (100, 1_000, 10_000, 100_000, 300_000)
_QUICK_SIZES = (100, 1_000, 10_000, 100_000)


def row_name(size: int) -> str:
    """Name of the row about generated functions of this size."""
    return f"functions of {size:,}"


def read(name: str) -> bytes:
    """The module of a row."""
    for size in SIZES:
        if name == row_name(size):
            return functions_of(size, max(1, 20_000 // size))
    return (CORPUS / name / "program.wasm").read_bytes()


def names(options: Options) -> list[str]:
    """Rows to measure."""
    real = [name for name in _REAL if (CORPUS / name).is_dir()]
    every = [*real, *map(row_name, _QUICK_SIZES if options.quick else SIZES)]
    return [name for name in every if options.wants(name)]
