"""The programs here, and how they are compiled for WASI. Results are kept in a folder outside the repository.

Tools: ziglang (PyPI) for C and C++; npm for the source of SQLite, which is fetched by the name of a package that ships
it; Debian's rustc with libstd-rust-dev-wasm32 and lld for Rust.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

import attrs

HERE: Final = Path(__file__).parent
#: Where programs and fetched sources are kept: `WASMETAL_PROGRAMS`, if it is a path.
FOLDER: Final = Path(
    os.environ.get("WASMETAL_PROGRAMS", "")
    if os.sep in os.environ.get("WASMETAL_PROGRAMS", "")
    else Path(tempfile.gettempdir()) / "wasmetal-programs"
)
#: The npm package that has SQLite's source as one file.
SQLITE_PACKAGE: Final = "better-sqlite3@12.11.1"
# First compilations build the C++ library too.
_TIMEOUT: Final = 900


class Unavailable(Exception):
    """A program cannot be compiled here; the message says what is missing."""


@attrs.frozen
class Program:
    """A program: its source, and the language that says which compiler it needs."""

    source: str
    compiler: str
    flags: tuple[str, ...] = ()


def _with_exceptions(encoding: str) -> tuple[str, ...]:
    """Flags for one of the encodings of exceptions, "legacy" or "standard"."""
    return ("-mexception-handling", "-mllvm", f"-wasm-use-legacy-eh={'true' if encoding == 'legacy' else 'false'}")


PROGRAMS: Final[dict[str, Program]] = {
    "copy": Program("copy.c", "cc"),
    "echo_server": Program("echo_server.c", "cc"),
    "cpp": Program("standard_library.cpp", "c++", ("-std=c++20", "-fno-exceptions")),
    "rust": Program("standard_library.rs", "rustc"),
    **{
        f"exceptions_{encoding}": Program("exceptions.cpp", "exceptions", _with_exceptions(encoding))
        for encoding in ("legacy", "standard")
    },
    **{
        f"longjmp_{encoding}": Program(
            "longjmp.c", "longjmp", (*_with_exceptions(encoding), "-mllvm", "-wasm-enable-sjlj")
        )
        for encoding in ("legacy", "standard")
    },
    "sqlite": Program("sqlite_demo.c", "sqlite", ("-DSQLITE_THREADSAFE=0", "-DSQLITE_OMIT_LOAD_EXTENSION")),
}


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_TIMEOUT)
    if done.returncode != 0:
        raise Unavailable(f"{' '.join(command[:4])}... failed: {done.stderr[-500:]}")


def _zig(language: str, sources: list[str], flags: tuple[str, ...], target: Path) -> None:
    if importlib.util.find_spec("ziglang") is None:
        raise Unavailable("no compiler: pip install ziglang")
    command = [sys.executable, "-m", "ziglang", language, "-target", "wasm32-wasi", "-O2", "-s"]
    _run([*command, *flags, *sources, "-o", str(target)], HERE)


def _sqlite() -> Path:
    """The folder with sqlite3.c and sqlite3.h."""
    folder = FOLDER / "sqlite"
    if (folder / "sqlite3.c").exists():
        return folder
    if shutil.which("npm") is None:
        raise Unavailable("no npm to fetch SQLite's source with")
    with tempfile.TemporaryDirectory() as temporary:
        _run(["npm", "pack", "--silent", SQLITE_PACKAGE], Path(temporary))
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(next(Path(temporary).glob("*.tgz"))) as package:
            for name in ("sqlite3.h", "sqlite3.c"):
                content = package.extractfile(f"package/deps/sqlite3/{name}")
                assert content is not None
                (folder / name).write_bytes(content.read())
    return folder


def _rustc(source: str, target: Path) -> None:
    # The compiler that Debian's library is for, also where another one comes first in the path.
    compiler = Path("/usr/bin/rustc")
    if not compiler.exists() or not Path("/usr/lib/rustlib/wasm32-wasi").exists() or not shutil.which("rust-lld"):
        raise Unavailable("no Rust for WASI: apt-get install rustc libstd-rust-dev-wasm32 lld")
    _run([str(compiler), "--edition=2021", "--target=wasm32-wasi", "-O", source, "-o", str(target)], HERE)


def _tag(name: str) -> str:
    """An assembler source that defines the tag which generated code throws, for whom the library has none."""
    source = FOLDER / f"{name}.s"
    source.write_text(f"\t.globl\t{name}\n\t.tagtype\t{name} i32\n{name}:\n")
    return str(source)


def _zig_exceptions(source: str, flags: tuple[str, ...], target: Path) -> None:
    """Compile C++ with exceptions. The library for WASI has none: its parts are compiled with it."""
    import ziglang

    library = Path(ziglang.__file__).parent / "lib"
    flags = ("-w", "-fwasm-exceptions", "-fexceptions", *flags)
    in_library = (
        *("-std=c++23", f"-I{library / 'libcxxabi/src'}", f"-I{library / 'libcxx/src'}"),
        *("-D_LIBCXXABI_BUILDING_LIBRARY", "-D_LIBCPP_BUILDING_LIBRARY", "-DLIBCXX_BUILDING_LIBCXXABI"),
        "-D_LIBCXXABI_HAS_NO_THREADS",
    )
    objects = []
    for name in ("cxa_exception", "cxa_personality"):
        objects.append(str(target.with_suffix(f".{name}.o")))
        part = str(library / "libcxxabi" / "src" / f"{name}.cpp")
        _zig("c++", ["-c", part], (*in_library, *flags), Path(objects[-1]))
    objects.append(str(target.with_suffix(".unwind.o")))
    part = str(library / "libunwind" / "src" / "Unwind-wasm.c")
    _zig("cc", ["-c", part], ("-fdeclspec", f"-I{library / 'libunwind/include'}", *flags), Path(objects[-1]))
    _zig("c++", [source, *objects, _tag("__cpp_exception")], flags, target)


def build_native(name: str) -> Path:
    """The same program for this machine. Raises Unavailable."""
    program = PROGRAMS[name]
    target = FOLDER / f"{name}.native"
    if not target.exists() or target.stat().st_mtime <= (HERE / program.source).stat().st_mtime:
        FOLDER.mkdir(parents=True, exist_ok=True)
        language = "c++" if program.source.endswith(".cpp") else "cc"
        if importlib.util.find_spec("ziglang") is None:
            raise Unavailable("no compiler: pip install ziglang")
        command = [sys.executable, "-m", "ziglang", language, "-O1", "-w", program.source, "-o", str(target)]
        _run(command, HERE)
    return target


def build(name: str) -> Path:
    """The compiled program, made if it is not there or older than its source.

    Raises:
        Unavailable: A tool is missing, or it failed.
    """
    program = PROGRAMS[name]
    source = HERE / program.source
    target = FOLDER / f"{name}.wasm"
    if target.exists() and target.stat().st_mtime > source.stat().st_mtime:
        return target
    FOLDER.mkdir(parents=True, exist_ok=True)
    if program.compiler == "rustc":
        _rustc(program.source, target)
    elif program.compiler == "exceptions":
        _zig_exceptions(program.source, program.flags, target)
    elif program.compiler == "longjmp":
        _zig("cc", [program.source, _tag("__c_longjmp")], ("-w", *program.flags), target)
    elif program.compiler == "sqlite":
        sqlite = _sqlite()
        _zig("cc", [program.source, str(sqlite / "sqlite3.c")], (*program.flags, f"-I{sqlite}"), target)
    else:
        _zig(program.compiler, [program.source], program.flags, target)
    return target


if __name__ == "__main__":
    for each in PROGRAMS:
        try:
            made = build(each)
        except Unavailable as reason:
            print(f"{each}: {reason}")
        else:
            print(f"{made}: {made.stat().st_size:,} bytes")
