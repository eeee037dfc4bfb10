"""The script that puts interpreters together, as far as it goes without downloads."""

from __future__ import annotations

import importlib.util
import os
import struct
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

_HERE = Path(__file__).resolve().parent


def _load(name: str) -> ModuleType:
    # Tests are imported without their folder being on the path.
    specification = importlib.util.spec_from_file_location(name, _HERE / f"{name}.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


interpreters = _load("interpreters")


def executable(*symbols: tuple[str, int]) -> bytes:
    """An executable that exports symbols, mapped at 0x400000."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name, _ in symbols)
    start = 64 + 56
    table = b""
    for name, value in symbols:
        table += struct.pack("<IBBHQQ", 1 + names[1:].index(name.encode() + b"\0"), 0, 0, 1, value, 0)
    sections = start + len(names) + len(table)
    header = bytearray(64)
    header[:4] = b"\x7fELF"
    struct.pack_into("<QQ", header, 0x20, 64, sections)
    struct.pack_into("<H", header, 0x38, 1)
    struct.pack_into("<HH", header, 0x3A, 64, 2)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0, 4096, 4096, 4096)
    strings = struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, start, len(names), 0, 0, 0, 0)
    exported = struct.pack("<IIQQQQIIQQ", 0, 11, 0, 0, start + len(names), len(table), 0, 0, 0, 24)
    return (bytes(header) + segment + names + table + strings + exported).ljust(4096, b"\0")


def test_main_jumps_to_the_ordinary_one() -> None:
    frozen = executable(("main", 0x400800), ("Py_BytesMain", 0x400900))
    made = interpreters.ordinary(frozen)
    assert made[0x800:0x805] == b"\xe9" + struct.pack("<i", 0x100 - 5)
    assert made[:0x800] == frozen[:0x800] and made[0x805:] == frozen[0x805:]


def test_an_executable_without_the_ordinary_one() -> None:
    with pytest.raises(interpreters.Missing, match="no Py_BytesMain"):
        interpreters.ordinary(executable(("main", 0x400800)))


@pytest.mark.skipif(sys.platform != "linux" or os.uname().machine != "x86_64", reason="the interpreters are for others")
def test_what_is_missing(tmp_path: Path) -> None:
    """It is said what, and nothing is left."""
    command = [sys.executable, str(_HERE / "interpreters.py"), "--folder", str(tmp_path / "folder"), "3.14"]
    done = subprocess.run(command, env=os.environ | {"PATH": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == interpreters.MISSING
    assert done.stdout == "npm is not here; the standard library comes through it\n"
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
