"""What tells one state of the software from another: code that is kept is good for the very files that made it, only.

The packages' version numbers would do for released versions, but not while one works on them. So the fingerprint takes
the names, sizes and modification times of all files that are part of the compiler, as `make` would. It is not read from
their contents: that would take longer than loading most programs.

Code that comes with the packages has another one, of the sources' names and sizes alone: their times are those of the
installation, and native modules may stand beside them.
"""

from __future__ import annotations

import functools
import os
import sys

from wasmetal.code.checksum import digest

_ENDINGS = (".py", ".so", ".pyd", ".pyc")
#: What has no part in making code.
_SKIPPED = frozenset({"__pycache__", "cli", "registry", "testing"})


@functools.cache
def _files(folder: str) -> tuple[str, ...]:
    """Name, size and time of the last change of each file."""
    found: list[str] = []
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=_name):
            name = entry.name
            if name.endswith(_ENDINGS):
                status = entry.stat()
                found.append(f"{name} {status.st_size} {status.st_mtime_ns}")
            elif name not in _SKIPPED and entry.is_dir():
                found.append(f"{name} 0 0")
                found += _files(entry.path)
    return tuple(found)


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _describe(package: str) -> list[str]:
    """The state of one package, imported before."""
    module = sys.modules[package]
    found = [f"{package} {getattr(module, '__version__', '')} 0"]
    for place in getattr(module, "__path__", None) or [module.__file__ or ""]:
        try:
            found += _files(place)
        except (NotADirectoryError, FileNotFoundError):
            # A module without a folder, in an archive, or frozen into a program: the state of the nearest file.
            found.append(_nearest(place))
    return found


def _nearest(path: str) -> str:
    while path and path != os.path.dirname(path):
        if os.path.isfile(path):
            break
        path = os.path.dirname(path)
    else:
        path = sys.executable
    status = os.stat(path)
    return f"{path} {status.st_size} {status.st_mtime_ns}"


@functools.cache
def _of_packages(*packages: str) -> tuple[bytes, bytes]:
    """The fingerprints of some top-level packages, which must have been imported: of all, and of their sources."""
    found = [line for package in packages for line in _describe(package)]
    # (native modules stand beside their sources)
    sources = [line[: line.rindex(" ")] for line in found if ".so " not in line and ".pyd " not in line]
    return digest("\n".join(found).encode()), digest("\n".join(sources).encode())


#: What has a part in making glue: of the runtime, what its room may import (tests/test_directions.py).
_GLUE_MAKERS = ("wasm_core", "wasm_ir", "wasmetal.code", "wasmetal.cpython", "wasmetal.glue", "wasmetal.system")


def _package(backend: object) -> str:
    return type(backend).__module__.partition(".")[0]


def of_compiler(backend: object) -> bytes:
    """The fingerprint of everything that has a part in what `backend` compiles."""
    return _of_packages("wasm_core", "wasm_ir", "wasmetal", _package(backend))[0]


def of_glue_makers(backend: object) -> bytes:
    """The fingerprint of everything that has a part in glue."""
    return _of_packages(*_GLUE_MAKERS, _package(backend))[0]


def of_sources(backend: object) -> bytes:
    """The fingerprint of its sources, which does not change when they are installed elsewhere."""
    return _of_packages(*_GLUE_MAKERS, _package(backend))[1]
