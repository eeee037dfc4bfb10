"""CPythons that few machines have yet: python interpreters.py [--folder FOLDER] [VERSION]...

A `t` behind a version stands for its free-threaded build, `-musl` for a build for musl in place of glibc.

Each is put together in FOLDER, by default a folder of the user's cache directory, out of packages that come through
`pip` and `npm`: freeze-core has the interpreter and its extension modules, pyodide a standard library; musl and zlib
come through `apt-get`. What tests need goes into its site-packages, with the project's packages by reference to this
checkout.
Prints the paths of the interpreters. Exits with 3 where that cannot be done, after saying what is missing.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import struct
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Final, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from other_pythons import MISSING, PROJECT, TESTING, Missing, cache_folder, describe_packages, finish, pip, run, sources

__all__ = ["MISSING", "VERSIONS", "Missing", "default_folder", "ordinary", "prepare"]

_WHEEL: Final = "freeze-core==0.8.1"
#: Version of Python -> that of the pyodide with its standard library.
_LIBRARIES: Final = {"3.13": "0.29.5", "3.14": "314.0.7", "3.15": "315.0.0-alpha.2"}
VERSIONS: Final = ("3.14", "3.15", "3.14t", "3.15t", "3.13-musl", "3.14-musl")
_PACKAGES: Final = (*TESTING, "pytest-xdist", "hatchling", "build")
#: C library -> platforms of the packages for it.
_PLATFORMS: Final = {
    "gnu": ("manylinux_2_17_x86_64", "manylinux_2_28_x86_64", "any"),
    "musl": ("musllinux_1_1_x86_64", "musllinux_1_2_x86_64", "any"),
}
#: The first release of Debian that has musl 1.2.5, which these builds need for preadv2.
_RELEASE: Final = "trixie"
#: Builds for musl take zlib from the system. That of Debian is made for glibc: musl lacks these, which zlib calls for
#: files in its own name only (gzopen(3)); Python does not.
_ONLY_IN_GLIBC: Final = (b"__snprintf_chk", b"__vsnprintf_chk")
#: The standard library has this of the build; nothing but what pip, sysconfig and the tests ask for.
_BUILD: Final = """build_time_vars = {{
    "EXT_SUFFIX": ".cpython-{digits}-x86_64-linux-{libc}.so",
    "MULTIARCH": "x86_64-linux-{libc}",
    "Py_DEBUG": 0,
    "Py_GIL_DISABLED": {free_threaded:d},
    "SHLIB_SUFFIX": ".so",
    "SOABI": "cpython-{digits}-x86_64-linux-{libc}",
}}
"""


class _Build(NamedTuple):
    """What the name of a version says."""

    #: Major and minor number.
    python: str
    #: "t" where threads run without a GIL, else empty.
    flags: str
    #: "gnu" or "musl".
    libc: str

    @classmethod
    def named(cls, version: str) -> _Build:
        """Take a version's name apart."""
        name, _, libc = version.partition("-")
        return cls(name.removesuffix("t"), "t" if name.endswith("t") else "", libc or "gnu")

    @property
    def name(self) -> str:
        """What its executable and its folder of modules have behind `python`."""
        return self.python + self.flags

    @property
    def digits(self) -> str:
        """What its extension modules have behind `cpython-`."""
        return self.name.replace(".", "")


def default_folder() -> Path:
    """Where the interpreters are kept: in the user's cache directory."""
    return cache_folder("wasmetal-pythons")


def _portable(build: _Build) -> tuple[str, ...]:
    """Options of pip for a Python that is not the one it runs on."""
    # Free-threaded builds do not have the stable ABI.
    abis = (f"cp{build.digits}", *(() if build.flags else ("abi3",)), "none")
    python = ("--only-binary=:all:", "--implementation=cp", f"--python-version={build.python}")
    return (*python, *(f"--abi={abi}" for abi in abis), *(f"--platform={name}" for name in _PLATFORMS[build.libc]))


# The interpreter of freeze-core starts frozen programs only. It has all of CPython, so its `main` is made to jump to
# the `main` of the ordinary interpreter.

# elf.h: offsets in the header, sizes and types of entries.
_E_PHOFF, _E_SHOFF, _E_PHNUM, _E_SHNUM = 0x20, 0x28, 0x38, 0x3C
_SEGMENT, _SECTION, _SYMBOL = "<IIQQQQQQ", "<IIQQQQIIQQ", "<IBBHQQ"
_PT_LOAD, _PT_INTERP, _SHT_DYNSYM = 1, 3, 11


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


def _segments(program: bytes | bytearray) -> range:
    """Where the entries of an executable's segments are."""
    (first,) = struct.unpack_from("<Q", program, _E_PHOFF)
    (count,) = struct.unpack_from("<H", program, _E_PHNUM)
    size = struct.calcsize(_SEGMENT)
    return range(first, first + size * count, size)


def _file_offset(program: bytes | bytearray, address: int) -> int:
    """Where in the file an address of an executable comes from."""
    for place in _segments(program):
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


def started_by(program: bytes, loader: Path) -> bytes:
    """The executable as one that the kernel starts by this dynamic loader, whose path is appended."""
    changed = bytearray(program)
    for place in _segments(program):
        kind, flags, _, address, physical, _, _, alignment = struct.unpack_from(_SEGMENT, program, place)
        if kind == _PT_INTERP:
            path = bytes(loader) + b"\0"
            entry = (kind, flags, len(changed), address, physical, len(path), len(path), alignment)
            struct.pack_into(_SEGMENT, changed, place, *entry)
            changed += path
    return bytes(changed)


def without_checks(library: bytes) -> bytes:
    """zlib for glibc as one that musl can load: it aborts where it would call what musl does not have."""
    for name in _ONLY_IN_GLIBC:
        library = library.replace(b"\0" + name + b"\0", b"\0" + b"abort".ljust(len(name), b"\0") + b"\0")
    return library


def _fetch_from_debian(folder: Path, *packages: str) -> None:
    """Unpack packages of Debian in a folder, with lists of its own. Raises Missing."""
    if shutil.which("apt-get") is None:
        raise Missing("apt-get is not here; musl comes through it")
    listed = ("apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN)", "Created-By: Packages", "Component: main")
    targets = subprocess.run(listed, capture_output=True, text=True, check=False).stdout.splitlines()
    mirrors = [target.split()[0] for target in targets if target.endswith(" Debian")]
    if not mirrors:
        raise Missing("apt-get knows no mirror of Debian, or `apt-get update` was not run; musl comes from there")
    for name in ("lists/partial", "cache/archives/partial", "sources"):
        (folder / name).mkdir(parents=True)
    (folder / "sources/debian.list").write_text(f"deb [arch=amd64] {mirrors[0]} {_RELEASE} main\n")
    places = ["Etc::SourceList=/dev/null", f"Etc::SourceParts={folder}/sources"]
    places += [f"State::Lists={folder}/lists", f"Cache={folder}/cache"]
    options = ["--quiet", *(f"--option=Dir::{place}" for place in places)]
    run("apt-get", *options, "update")
    run("apt-get", *options, "download", *(f"{package}:amd64" for package in packages), folder=folder)
    for package in folder.glob("*.deb"):
        run("dpkg-deb", "--extract", str(package), str(folder))


def _fetch(version: str, root: Path) -> None:
    """Put an interpreter with its standard library together, once."""
    if root.exists():
        return
    if shutil.which("npm") is None:
        raise Missing("npm is not here; the standard library comes through it")
    build = _Build.named(version)
    building = root.with_name(f"{root.name}.part")
    shutil.rmtree(building, ignore_errors=True)
    downloads = building / "downloads"
    downloads.mkdir(parents=True)
    pip("download", *_portable(build), "--no-deps", "--dest", str(downloads), _WHEEL)
    run("npm", "pack", f"pyodide@{_LIBRARIES[build.python]}", folder=downloads)
    library = building / "lib" / f"python{build.name}"
    with tarfile.open(next(downloads.glob("pyodide-*.tgz"))) as package:
        member = package.extractfile("package/python_stdlib.zip")
        assert member is not None
        with zipfile.ZipFile(member) as modules:
            modules.extractall(library)
    unpacked = downloads / "wheel"
    with zipfile.ZipFile(next(downloads.glob("*.whl"))) as wheel:
        wheel.extractall(unpacked)
    # The extension modules look for libraries in ../../freeze_core.libs, the executable in ../lib.
    shutil.move(unpacked / "freeze_core/lib", library / "lib-dynload")
    shutil.move(unpacked / "freeze_core.libs", library.parent)
    for path in (library.parent / "freeze_core.libs").iterdir():
        (library.parent / path.name).symlink_to(path.relative_to(library.parent))
    described = _BUILD.format(digits=build.digits, free_threaded=bool(build.flags), libc=build.libc)
    (library / f"_sysconfigdata_{build.flags}_linux_x86_64-linux-{build.libc}.py").write_text(described)
    made = ordinary(next((unpacked / "freeze_core/bases").glob("console-*")).read_bytes())
    if build.libc == "musl":
        debian = downloads / "debian"
        _fetch_from_debian(debian, "musl", "zlib1g")
        # The dynamic loader is the C library.
        loader = Path("lib", "ld-musl-x86_64.so.1")
        shutil.copy(next(debian.rglob("libc.so")), building / loader)
        made = started_by(made, root / loader)
        zlib = next(debian.rglob("libz.so.1")).read_bytes()
        (library.parent / "libz.so.1").write_bytes(without_checks(zlib))
    program = building / "bin" / f"python{build.name}"
    program.parent.mkdir()
    program.write_bytes(made)
    program.chmod(0o755)
    shutil.rmtree(downloads)
    building.rename(root)


def _install(version: str, site: Path) -> None:
    """Install what tests need, once, and refer to the project's packages."""
    if not (site / "pytest").exists():
        pip("install", *_portable(_Build.named(version)), "--target", str(site), *_PACKAGES)
    names = sorted(description.parent.name for description in (PROJECT / "packages").glob("*/pyproject.toml"))
    describe_packages(site, names)
    (site / "project.pth").write_text("".join(f"{source}\n" for source in sources(names)))


def prepare(version: str, folder: Path) -> Path:
    """Make one of VERSIONS in a folder, which may have it already; returns the interpreter's path. Raises Missing."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise Missing("these interpreters are for Linux on x86-64")
    root = folder.resolve() / version
    _fetch(version, root)
    name = _Build.named(version).name
    _install(version, root / "lib" / f"python{name}" / "site-packages")
    return root / "bin" / f"python{name}"


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
