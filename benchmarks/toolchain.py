"""Compiles the kernels with the C compiler that ziglang from PyPI brings: to WebAssembly and to machine code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.paths import BUILD, HERE

_SOURCES = HERE / "kernels"
_WASM_FLAGS = ["--target=wasm32-freestanding", "-nostdlib", "-Wl,--no-entry"]
_VECTOR_FLAGS = [*_WASM_FLAGS, "-msimd128"]
#: Folder of the kernels with vectors, among the sources and among what is compiled.
_VECTORS = "vectors"
_NATIVE_FLAGS = ["-shared", "-fPIC"]
#: Optimization is the same for both.
OPTIMIZATION = "-O2"
#: WebAssembly has no fused multiply-add: without it natively too, results are the same to the bit.
_COMMON_FLAGS = [OPTIMIZATION, "-ffp-contract=off"]


def _compile(kernel: str, output: Path, flags: list[str]) -> Path:
    source = _SOURCES / f"{kernel}.c"
    newest = max(source.stat().st_mtime, (_SOURCES / "kernel.h").stat().st_mtime)
    if not output.exists() or output.stat().st_mtime < newest:
        output.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "ziglang", "cc", *_COMMON_FLAGS, *flags, str(source), "-o", str(output)]
        subprocess.run(command, check=True, timeout=300)
    return output


def wasm_kernel(kernel: str) -> Path:
    """The kernel as a WebAssembly module, compiled if it is not yet."""
    return _compile(kernel, BUILD / f"{kernel}.wasm", _WASM_FLAGS)


def native_kernel(kernel: str) -> Path:
    """The kernel as a shared object for this machine, compiled if it is not yet."""
    return _compile(kernel, BUILD / f"{kernel}.so", _NATIVE_FLAGS)


def wasm_vector_kernel(kernel: str) -> Path:
    """The kernel with vectors as a WebAssembly module, compiled if it is not yet."""
    return _compile(f"{_VECTORS}/{kernel}", BUILD / _VECTORS / f"{kernel}.wasm", _VECTOR_FLAGS)


def native_vector_kernel(kernel: str) -> Path:
    """The same without WebAssembly's vector instructions, as a shared object for this machine."""
    return _compile(f"{_VECTORS}/{kernel}", BUILD / _VECTORS / f"{kernel}.so", _NATIVE_FLAGS)
