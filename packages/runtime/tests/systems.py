"""What tests ask of the operating system that they run on."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import pytest

windows = sys.platform == "win32"
#: Tests of signals, forks, limits and the like.
posix = pytest.mark.skipif(windows, reason="there is no such thing on Windows")


def mappings() -> list[tuple[int, int, str]]:
    """Start, end and protection ("rw-p": /proc/self/maps) of what is mapped."""
    return _windows_mappings() if windows else _linux_mappings()


def _linux_mappings() -> list[tuple[int, int, str]]:
    found = []
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, protection = line.split()[:2]
        start, end = (int(part, 16) for part in span.split("-"))
        found.append((start, end, protection))
    return found


def _windows_mappings() -> list[tuple[int, int, str]]:
    from wasmetal.system.windows import _MemoryInformation, _virtual_query

    # winnt.h; without those that are rare.
    protections = {0x02: "r--p", 0x04: "rw-p", 0x08: "rw-p", 0x10: "--xp", 0x20: "r-xp", 0x40: "rwxp", 0x80: "rwxp"}
    committed, free = 0x1000, 0x10000
    found = []
    address = 0
    information = _MemoryInformation()
    while _virtual_query(address, ctypes.byref(information), ctypes.sizeof(information)):
        end = information.base + information.size
        if information.state != free:
            is_committed = information.state == committed
            found.append((address, end, protections.get(information.protection, "---p") if is_committed else "---p"))
        address = end
    return found


def mapped(address: int) -> str | None:
    """Protection of the mapping at an address."""
    return next((protection for start, end, protection in mappings() if start <= address < end), None)
