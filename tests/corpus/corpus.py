"""The corpus of real programs: where it is, and running one of them."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs

import wasmetal
from wasm_wasi import Wasi

#: The folder of the corpus; `WASMETAL_SHARED` says where the folder above it is, if not beside the project.
FOLDER: Final = Path(os.environ.get("WASMETAL_SHARED", Path(__file__).parents[3] / "shared")) / "corpus"


def programs() -> list[Path]:
    """The programs' folders, in alphabetical order; empty where the corpus is absent."""
    return sorted(path.parent for path in FOLDER.glob("*/program.wasm"))


@attrs.frozen
class Outcome:
    """What came of running a program."""

    code: int
    stdout: bytes
    stderr: bytes
    #: Seconds between bench.start and bench.end; 0 when the program did not call them.
    region: float


def run(folder: Path, module: wasmetal.Module, clock: Callable[[], float] = time.perf_counter) -> Outcome:
    """Run a program of the corpus; `clock` tells the time for the region."""
    stdout, stderr = io.BytesIO(), io.BytesIO()
    times: list[float] = []

    def mark() -> None:
        times.append(clock())

    wasi = Wasi(args=["program.wasm"], preopens={".": folder}, stdin=None, stdout=stdout, stderr=stderr)
    code = wasi.run(module, {"bench": {"start": mark, "end": mark}})
    return Outcome(code, stdout.getvalue(), stderr.getvalue(), times[1] - times[0] if len(times) == 2 else 0.0)
