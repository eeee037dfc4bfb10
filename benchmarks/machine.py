"""Says what was measured where."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from pathlib import Path


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown processor"


def _version(distribution: str) -> str:
    try:
        return f"{distribution} {metadata.version(distribution)}"
    except metadata.PackageNotFoundError:
        return f"{distribution} (not installed)"


def describe() -> dict[str, str]:
    """Kind of machine and versions, for the head of a report."""
    implementation = platform.python_implementation()
    return {
        "machine": f"{platform.machine()}, {_processor()}, {os.cpu_count()} cores, {platform.system()}",
        "Python": f"{implementation} {'.'.join(map(str, sys.version_info[:3]))}",
        "versions": ", ".join(map(_version, ("wasmetal", "wasmtime", "ziglang"))),
    }
