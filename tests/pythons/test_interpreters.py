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


def test_the_loader_that_starts_it() -> None:
    """Its path stands behind the rest, and the kernel reads it from there."""
    program = bytearray(executable(("main", 0x400800)))
    interpreter = struct.pack("<IIQQQQQQ", 3, 4, 0x700, 0x400700, 0x400700, 25, 25, 1)
    program[0x700:0x738], program[0x20:0x28] = interpreter, struct.pack("<Q", 0x700)
    made = interpreters.started_by(bytes(program), Path("/folder/loader.so"))
    assert made[4096:] == b"/folder/loader.so\0"
    assert struct.unpack_from("<IIQQQQQQ", made, 0x700) == (3, 4, 4096, 0x400700, 0x400700, 18, 18, 1)
    assert made[:0x708] == program[:0x708] and made[0x738:4096] == program[0x738:]


def test_what_musl_does_not_have() -> None:
    """The names are replaced whole, in place."""
    names = b"\0snprintf\0__snprintf_chk\0x__snprintf_chk\0__vsnprintf_chk\0"
    made = interpreters.without_checks(names)
    assert made == b"\0snprintf\0abort" + bytes(10) + b"x__snprintf_chk\0abort" + bytes(11)


def test_names_of_versions() -> None:
    digits = {"3.13": "313", "3.14t": "314t", "3.13-musl": "313", "3.14t-musl": "314t"}
    builds = {version: interpreters._Build.named(version) for version in digits}
    assert {version: build.digits for version, build in builds.items()} == digits
    assert {build.libc for version, build in builds.items() if version.endswith("-musl")} == {"musl"}
    assert {build.libc for version, build in builds.items() if not version.endswith("-musl")} == {"gnu"}


@pytest.mark.skipif(sys.platform != "linux" or os.uname().machine != "x86_64", reason="the interpreters are for others")
def test_what_is_missing(tmp_path: Path) -> None:
    """It is said what, and nothing is left."""
    command = [sys.executable, str(_HERE / "interpreters.py"), "--folder", str(tmp_path / "folder"), "3.14"]
    done = subprocess.run(command, env=os.environ | {"PATH": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == interpreters.MISSING
    assert done.stdout == "npm is not here; the standard library comes through it\n"
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
