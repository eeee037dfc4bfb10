"""Target: programs that Binaryen's wasm-opt makes of random bytes (`-ttf`, translate to fuzz)."""

from __future__ import annotations

import random
import subprocess
import tempfile
from pathlib import Path

from fuzz.case import Case, Step
from fuzz.edge_values import bits
from fuzz.generated import check
from fuzz.hosts import CODES
from wasm_core import decode
from wasm_core.types import FuncType

__all__ = ["check", "make"]

#: The features of WebAssembly 2.0. Reference types are not among them: with these, Binaryen also makes types of later
#: versions.
_FEATURES = ("sign-ext", "nontrapping-float-to-int", "bulk-memory", "multivalue", "mutable-globals")
#: Passes that give code other shapes.
_SHAPES = ("", "-O1", "-O3", "-Os", "--flatten", "--rereloop", "--remove-unused-brs", "--ssa", "--local-cse")
_RESET = "hangLimitInitializer"
_CALLS = 3


def make(seed: str) -> Case:
    """The module that belongs to a seed, which depends on Binaryen's version, and what to do with it."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder, "input"), Path(folder, "result.wasm")
        source.write_bytes(chance.randbytes(chance.choice((300, 2_000, 8_000, 20_000))))
        shape = chance.choice(_SHAPES)
        # Passes that need flat code come after --flatten.
        passes = [*(["--flatten"] if shape == "--rereloop" else []), *([shape] if shape else [])]
        # --denan makes a 0 of every NaN, whose bits could differ between engines.
        command = ["wasm-opt", str(source), "-ttf", *(f"--enable-{name}" for name in _FEATURES), "--denan", *passes]
        subprocess.run([*command, "-o", str(result)], check=True, capture_output=True, timeout=60)
        return case_of(result.read_bytes(), seed)


def case_of(binary: bytes, seed: str) -> Case:
    """Call every export some times; what is left to the limit against hanging is set before."""
    chance = random.Random(seed)
    steps: list[Step] = []
    module = decode(binary)
    for export in module.exports:
        type = module.extern_type(export.kind, export.index)
        if export.name == _RESET or not isinstance(type, FuncType):
            continue
        for _ in range(_CALLS if type.params else 1):
            arguments = [f"{bits(chance, CODES[param.value]):x}" for param in type.params]
            steps += [["call", _RESET, []], ["call", export.name, arguments]]
        steps.append(["state"])
    return Case(binary, steps)
