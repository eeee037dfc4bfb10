"""CPythons that few machines have yet: python interpreters.py [--folder FOLDER] [VERSION]...

A `t` behind a version stands for its free-threaded build.

Each is put together in FOLDER, by default a folder of the user's cache directory, out of packages that come through
`pip` and `npm`: freeze-core has the interpreter and its extension modules, pyodide a standard library. What tests need
goes into its site-packages, with the project's packages by reference to this checkout.
Prints the paths of the interpreters. Exits with 3 where that cannot be done, after saying what is missing.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import struct
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from other_pythons import MISSING, PROJECT, TESTING, Missing, cache_folder, describe_packages, finish, pip, run, sources

__all__ = ["MISSING", "VERSIONS", "Missing", "default_folder", "ordinary", "prepare"]

_WHEEL: Final = "freeze-core==0.8.1"
#: Version of Python -> that of the pyodide with its standard library.
_LIBRARIES: Final = {"3.14": "314.0.7", "3.15": "315.0.0-alpha.2"}
#: What a free-threaded build is called.
_FREE_THREADED: Final = "t"
VERSIONS: Final = (*_LIBRARIES, *(version + _FREE_THREADED for version in _LIBRARIES))
_PACKAGES: Final = (*TESTING, "pytest-xdist", "hatchling", "build")
_PLATFORMS: Final = ("manylinux_2_17_x86_64", "manylinux_2_28_x86_64", "any")
#: The standard library has this of the build; nothing but what pip, sysconfig and the tests ask for.
_BUILD: Final = """build_time_vars = {{
    "EXT_SUFFIX": ".cpython-{digits}-x86_64-linux-gnu.so",
    "MULTIARCH": "x86_64-linux-gnu",
    "Py_DEBUG": 0,
    "Py_GIL_DISABLED": {free_threaded:d},
    "SHLIB_SUFFIX": ".so",
    "SOABI": "cpython-{digits}-x86_64-linux-gnu",
}}
"""


def default_folder() -> Path:
    """Where the interpreters are kept: in the user's cache directory."""
    return cache_folder("wasmetal-pythons")


def _portable(version: str) -> tuple[str, ...]:
    """Options of pip for a Python that is not the one it runs on."""
    plain = version.removesuffix(_FREE_THREADED)
    # Free-threaded builds do not have the stable ABI.
    abis = (f"cp{version.replace('.', '')}", *(("abi3",) if plain == version else ()), "none")
    python = ("--only-binary=:all:", "--implementation=cp", f"--python-version={plain}")
    return (*python, *(f"--abi={abi}" for abi in abis), *(f"--platform={name}" for name in _PLATFORMS))


# The interpreter of freeze-core starts frozen programs only. It has all of CPython, so its `main` is made to jump to
# the `main` of the ordinary interpreter.

# elf.h: offsets in the header, sizes and types of entries.
_E_PHOFF, _E_SHOFF, _E_PHNUM, _E_SHNUM = 0x20, 0x28, 0x38, 0x3C
_SEGMENT, _SECTION, _SYMBOL = "<IIQQQQQQ", "<IIQQQQIIQQ", "<IBBHQQ"
_PT_LOAD, _SHT_DYNSYM = 1, 11


def _symbols(program: bytes | bytearray) -> dict[str, int]:
    """Addresses of the symbols that an executable exports."""
    (first,) = struct.unpack_from("<Q", program, _E_SHOFF)
    (count,) = struct.unpack_from("<H", program, _E_SHNUM)
    size = struct.calcsize(_SECTION)
    sections = [struct.unpack_from(_SECTION, program, first + size * number) for number in range(count)]
    found = {}
    for _, kind, _, _, start, length, link, _, _, entry in sections:
        if kind == _SHT_DYNSYM:
            strings = sections[link][4]
            for place in range(start, start + length, entry):
                name, _, _, _, value, _ = struct.unpack_from(_SYMBOL, program, place)
                end = program.index(b"\0", strings + name)
                found[program[strings + name : end].decode()] = value
    return found


def _file_offset(program: bytes | bytearray, address: int) -> int:
    """Where in the file an address of an executable comes from."""
    (first,) = struct.unpack_from("<Q", program, _E_PHOFF)
    (count,) = struct.unpack_from("<H", program, _E_PHNUM)
    for number in range(count):
        place = first + struct.calcsize(_SEGMENT) * number
        kind, _, offset, start, _, size, _, _ = struct.unpack_from(_SEGMENT, program, place)
        if kind == _PT_LOAD and start <= address < start + size:
            return int(offset + address - start)
    raise Missing(f"the executable has nothing at {address:#x}")


def ordinary(frozen: bytes) -> bytes:
    """The executable with a `main` that reads the command line as `python` does. Raises Missing."""
    program = bytearray(frozen)
    symbols = _symbols(program)
    if not {"main", "Py_BytesMain"} <= symbols.keys():
        raise Missing("the executable has no Py_BytesMain")
    place = _file_offset(program, symbols["main"])
    program[place : place + 5] = b"\xe9" + struct.pack("<i", symbols["Py_BytesMain"] - (symbols["main"] + 5))
    return bytes(program)


def _fetch(version: str, root: Path) -> None:
    """Put an interpreter with its standard library together, once."""
    if root.exists():
        return
    if shutil.which("npm") is None:
        raise Missing("npm is not here; the standard library comes through it")
    building = root.with_name(f"{root.name}.part")
    shutil.rmtree(building, ignore_errors=True)
    downloads = building / "downloads"
    downloads.mkdir(parents=True)
    pip("download", *_portable(version), "--no-deps", "--dest", str(downloads), _WHEEL)
    plain = version.removesuffix(_FREE_THREADED)
    run("npm", "pack", f"pyodide@{_LIBRARIES[plain]}", folder=downloads)
    library = building / "lib" / f"python{version}"
    with tarfile.open(next(downloads.glob("pyodide-*.tgz"))) as package:
        member = package.extractfile("package/python_stdlib.zip")
        assert member is not None
        with zipfile.ZipFile(member) as modules:
            modules.extractall(library)
    unpacked = downloads / "wheel"
    with zipfile.ZipFile(next(downloads.glob("*.whl"))) as wheel:
        wheel.extractall(unpacked)
    # The extension modules look for libraries in ../../freeze_core.libs.
    shutil.move(unpacked / "freeze_core/lib", library / "lib-dynload")
    shutil.move(unpacked / "freeze_core.libs", library.parent)
    build = _BUILD.format(digits=version.replace(".", ""), free_threaded=plain != version)
    flags = version[len(plain) :]
    (library / f"_sysconfigdata_{flags}_linux_x86_64-linux-gnu.py").write_text(build)
    program = building / "bin" / f"python{version}"
    program.parent.mkdir()
    program.write_bytes(ordinary(next((unpacked / "freeze_core/bases").glob("console-*")).read_bytes()))
    program.chmod(0o755)
    shutil.rmtree(downloads)
    building.rename(root)


def _install(version: str, site: Path) -> None:
    """Install what tests need, once, and refer to the project's packages."""
    if not (site / "pytest").exists():
        pip("install", *_portable(version), "--target", str(site), *_PACKAGES)
    names = sorted(description.parent.name for description in (PROJECT / "packages").glob("*/pyproject.toml"))
    describe_packages(site, names)
    (site / "project.pth").write_text("".join(f"{source}\n" for source in sources(names)))


def prepare(version: str, folder: Path) -> Path:
    """Make one of VERSIONS in a folder, which may have it already; returns the interpreter's path. Raises Missing."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise Missing("these interpreters are for Linux on x86-64")
    root = folder.resolve() / version
    _fetch(version, root)
    _install(version, root / "lib" / f"python{version}" / "site-packages")
    return root / "bin" / f"python{version}"


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=default_folder())
    parser.add_argument("versions", nargs="*", metavar="VERSION", help=f"of {', '.join(VERSIONS)}; all by default")
    options = parser.parse_args()
    unknown = [version for version in options.versions if version not in VERSIONS]
    if unknown:
        parser.error(f"there is no {unknown[0]}")
    return finish(lambda: [prepare(version, options.folder) for version in options.versions or VERSIONS])


if __name__ == "__main__":
    sys.exit(main())
