"""What tells one state of the software from another: code that is kept is good for the very files that made it, only.

The packages' version numbers would do for released versions, but not while one works on them. So the fingerprint takes
the names, sizes and modification times of all files that are part of the compiler, as `make` would. It is not read from
their contents: that would take longer than loading most programs.

Code that comes with the packages has another one, of the sources' names and sizes alone: their times are those of the
installation, and native modules may stand beside them. A start without a cache asks for this one only.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from _imp import extension_suffixes

from wasmetal.code.checksum import digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

#: What has no part in making code.
_SKIPPED = frozenset({"__pycache__", "cli", "registry", "testing"})
_NATIVE = tuple(extension_suffixes())


@functools.cache
def _files(folder: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Name, size and time of the last change of each source or file of code, and the paths of native modules."""
    found: list[str] = []
    native: list[str] = []
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=_name):
            name = entry.name
            if name.endswith((".py", ".pyc")):
                found.append(_state(name, entry.stat()))
            elif name.endswith(_NATIVE):
                native.append(entry.path)
            elif name not in _SKIPPED and entry.is_dir():
                found.append(f"{name} 0 0")
                inside = _files(entry.path)
                found += inside[0]
                native += inside[1]
    return tuple(found), tuple(native)


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _state(name: str, status: os.stat_result) -> str:
    return f"{name} {status.st_size} {status.st_mtime_ns}"


def _sources(package: str) -> list[str]:
    """The state of the sources of one package, imported before."""
    module = sys.modules[package]
    found = [f"{package} {getattr(module, '__version__', '')} 0"]
    for place in getattr(module, "__path__", None) or [module.__file__ or ""]:
        try:
            found += _files(place)[0]
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
    return _state(path, os.stat(path))


def _native(package: str) -> list[str]:
    """The state of the native modules of one package, imported before."""
    found: list[str] = []
    for place in getattr(sys.modules[package], "__path__", None) or ():
        # Native wheels have all modules in a library beside the package; what is in the package only calls it.
        libraries = _states(f"{place}__mypyc{suffix}" for suffix in _NATIVE)
        found += libraries or (_states(_files(place)[1]) if os.path.isdir(place) else ())
    return found


def _states(paths: Iterable[str]) -> list[str]:
    """The state of each of some files that is there."""
    found = []
    for path in paths:
        with contextlib.suppress(OSError):
            found.append(_state(path, os.stat(path)))
    return found


@functools.cache
def _of_sources(*packages: str) -> bytes:
    # Without times, which are those of the installation.
    return _digest([line[: line.rindex(" ")] for package in packages for line in _sources(package)])


@functools.cache
def _of_all(*packages: str) -> bytes:
    return _digest([line for package in packages for line in (*_sources(package), *_native(package))])


def _digest(lines: list[str]) -> bytes:
    return digest("\n".join(lines).encode())


#: What has a part in making glue: of the runtime, what its room may import (tests/test_directions.py).
_GLUE_MAKERS = ("wasm_core", "wasm_ir", "wasmetal.code", "wasmetal.cpython", "wasmetal.glue", "wasmetal.system")


def _package(backend: object) -> str:
    return type(backend).__module__.partition(".")[0]


def of_compiler(backend: object) -> bytes:
    """The fingerprint of everything that has a part in what `backend` compiles."""
    return _of_all("wasm_core", "wasm_ir", "wasmetal", _package(backend))


def of_glue_makers(backend: object) -> bytes:
    """The fingerprint of everything that has a part in glue."""
    return _of_all(*_GLUE_MAKERS, _package(backend))


def of_sources(backend: object) -> bytes:
    """The fingerprint of its sources, which does not change when they are installed elsewhere."""
    return _of_sources(*_GLUE_MAKERS, _package(backend))
