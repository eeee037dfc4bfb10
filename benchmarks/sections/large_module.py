"""A large module: time to its first call, and the most memory that the process had."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks import native_wheels
from benchmarks.generate import large_module
from benchmarks.model import Options, Row, Section
from benchmarks.paths import BUILD, HERE

#: As yosys.wasm (a hardware synthesis tool), in functions and bytes.
_FUNCTIONS, _BYTES = 46_473, 69_000_000
#: Way to load it: (engine, arguments of its configuration).
_WAYS = {
    "wasmetal": ("wasmetal", {}),
    "wasmetal, lazy validation": ("wasmetal", {"validation": "lazy"}),
    "wasmetal, eager compilation": ("wasmetal", {"compile": "eager"}),
    "wasmtime": ("wasmtime", {}),
}
#: Of these, what is measured with native wheels too.
_NATIVE_WAYS = ("wasmetal", "wasmetal, eager compilation")
_TIMEOUT = 3000.0


def _measure(python: str, path: Path, engine: str, settings: dict[str, str]) -> dict[str, float] | str:
    command = [python, str(HERE / "load_module.py"), str(path), engine, json.dumps(settings)]
    try:
        done = subprocess.run(command, timeout=_TIMEOUT, capture_output=True, text=True, check=False)
    except subprocess.TimeoutExpired:
        return f"not done within {_TIMEOUT:.0f} s"
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1][:300]
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def measure(options: Options) -> Section:
    """Load a large module in processes of their own, once each (a quick run: a tenth of it)."""
    scale = 10 if options.quick else 1
    path = BUILD / f"large-{scale}.wasm"
    source, instructions = large_module(_FUNCTIONS // scale, _BYTES // scale)
    BUILD.mkdir(exist_ok=True)
    path.write_bytes(source)
    time = Row("until the first call returned, s", {}, {})
    peak = Row("peak memory, MB", {}, {})
    ways = {way: (sys.executable, *how) for way, how in _WAYS.items()}
    if options.native:
        native_wheels.check(options.native)
        for way in _NATIVE_WAYS:
            ways[f"native{way.removeprefix('wasmetal')}"] = (options.native, *_WAYS[way])
    for way, how in ways.items():
        answer = _measure(how[0], path, *how[1:])
        for row, key in ((time, "seconds"), (peak, "megabytes")):
            if isinstance(answer, str):
                row.missing[way] = answer  # type: ignore[index]
            else:
                row.samples[way] = [answer[key]]  # type: ignore[index]
    return Section(
        key="large_module",
        title="A large module",
        unit="",
        mean=False,
        subjects=list(ways),
        ratios=[(way, "wasmtime") for way in ways if way.endswith(("wasmetal", "native", "eager compilation"))],
        rows=[time, peak],
        notes=[
            f"Generated: {_FUNCTIONS // scale:,} functions, {len(source) / 1e6:.1f} MB, "
            f"{instructions / 1e6:.1f} million instructions.",
            "One run each. The first function called is small. wasmtime compiles on all cores.",
        ],
    )
