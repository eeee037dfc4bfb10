"""How long the programs take beside wasmtime, and how fast one copies beside dd.

python tests/programs/speed.py [--mebibytes N] [--repeat N] [--folder FOLDER]
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from building import Unavailable, build
from running import with_wasmetal, with_wasmtime

_RUNS: Final = {
    "cpp": (["/d/file"], {}),
    "rust": (["/d"], {}),
    "sqlite": (["/d/db", "20000"], {}),
}
_BUFFER: Final = 1 << 17


def programs(repeat: int) -> None:
    """Print seconds: compiling (with wasmetal the first run, in which functions are compiled), then running."""
    print(f"{'seconds':10} {'wasmetal: load':>15} {'first run':>10} {'again':>8} {'wasmtime: compile':>18} {'run':>8}")
    for name, (args, env) in _RUNS.items():
        try:
            program = build(name)
        except Unavailable as reason:
            print(f"{name}: {reason}")
            continue
        from wasm_wasi import Wasi
        from wasmetal import Module

        with tempfile.TemporaryDirectory() as folder:
            first = with_wasmetal(program, args, env, Path(folder), b"")
        module = Module(program)
        ours, theirs, compiling = [], [], []
        for _ in range(repeat):
            with tempfile.TemporaryDirectory() as folder:
                wasi = Wasi([program.name, *args], env, {"/d": folder}, stdin=None, stdout=None)
                began = time.perf_counter()
                wasi.run(module)
                ours.append(time.perf_counter() - began)
            with tempfile.TemporaryDirectory() as folder:
                outcome = with_wasmtime(program, args, env, Path(folder), b"")
                theirs.append(outcome.run)
                compiling.append(outcome.compile)
        again, other, compiled = map(statistics.median, (ours, theirs, compiling))
        print(f"{name:10} {first.compile:15.3f} {first.run:10.3f} {again:8.3f} {compiled:18.3f} {other:8.3f}")


def _timed(action: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock, and of processors by child processes, which others on the machine disturb less."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    action()
    taken = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return taken, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _piped(*commands: list[str]) -> None:
    """Run commands, each with the output of the one before as its input; the last one's is thrown away."""
    source: int | None = None
    processes = []
    for number, command in enumerate(commands):
        last = number == len(commands) - 1
        process = subprocess.Popen(
            command, stdin=source, stdout=subprocess.DEVNULL if last else subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        processes.append(process)
        source = None if last or process.stdout is None else process.stdout.fileno()
    for process in processes[:-1]:
        if process.stdout is not None:
            process.stdout.close()
    for process in processes:
        assert process.wait() == 0


def copying(mebibytes: int, repeat: int, where: str | None) -> None:
    """Print seconds for copying from file to file and through pipes, the command line's start included and alone.

    Files are in a new folder in `where`.
    """
    program = build("copy")
    run = [sys.executable, "-m", "wasmetal", "run"]
    buffer = str(_BUFFER)
    size = mebibytes << 20
    with tempfile.TemporaryDirectory(dir=where) as folder:
        source, target = Path(folder, "in"), Path(folder, "out")
        with open(source, "wb") as file:
            for _ in range(mebibytes):
                file.write(bytes(1 << 20))
        Path(folder, "empty").touch()
        zeros = ["dd", "if=/dev/zero", f"bs={buffer}", f"count={size // _BUFFER}"]
        ways: dict[str, Callable[[], object]] = {
            "start alone": lambda: _piped([*run, "--dir", f"{folder}::/d", str(program), buffer, "/d/empty", "/d/out"]),
            "files, wasmetal": lambda: _piped(
                [*run, "--dir", f"{folder}::/d", str(program), buffer, "/d/in", "/d/out"]
            ),
            "files, dd": lambda: _piped(["dd", f"if={source}", f"of={target}", f"bs={buffer}"]),
            "pipes, wasmetal": lambda: _piped(
                zeros, [*run, str(program), buffer], ["dd", "of=/dev/null", f"bs={buffer}"]
            ),
            "pipes, dd": lambda: _piped(zeros, ["dd", f"bs={buffer}"], ["dd", "of=/dev/null", f"bs={buffer}"]),
        }
        print(f"\ncopying {mebibytes} MiB, buffer of {_BUFFER >> 10} KiB")
        times: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
        for _ in range(repeat):
            for way, action in ways.items():
                target.unlink(missing_ok=True)
                times[way].append(_timed(action))
    start = [min(column) for column in zip(*times["start alone"])]
    for way, measured in times.items():
        clock, processor = (min(column) for column in zip(*measured))
        line = f"  {way:18} {clock:7.3f} s, {processor:6.3f} s of processors"
        if "wasmetal" in way:
            line += f"; without the start {clock - start[0]:6.3f} s, {processor - start[1]:6.3f} s"
        print(line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mebibytes", type=int, default=1024, help="how much to copy (1024)")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each (3)")
    parser.add_argument("--folder", help="where to copy files; /dev/shm leaves the disk out of it (temporary folder)")
    options = parser.parse_args()
    programs(options.repeat)
    copying(options.mebibytes, options.repeat, options.folder)


if __name__ == "__main__":
    main()
