"""Compile the C examples with zig's C compiler (pip install ziglang). The results are kept in the repository."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent

# Source, and what the compiler is told beside the usual.
PROGRAMS: Final[dict[str, list[str]]] = {
    "wordcount/wordcount.c": ["-target", "wasm32-wasi"],
    "plugin/plugin.c": ["-target", "wasm32-freestanding", "-nostdlib", "-Wl,--no-entry"],
}


def build(source: str, target: Path) -> None:
    """Compile one program."""
    command = [sys.executable, "-m", "ziglang", "cc", "-O2", "-Wall", "-Wextra", "-Wl,--strip-all"]
    subprocess.run([*command, *PROGRAMS[source], str(HERE / source), "-o", str(target)], check=True)


if __name__ == "__main__":
    for program in PROGRAMS:
        wasm = (HERE / program).with_suffix(".wasm")
        build(program, wasm)
        print(f"{wasm.relative_to(HERE)}: {wasm.stat().st_size} bytes")
