"""What tells one state of the software from another: cached code is good for the very files that made it, only.

The packages' version numbers would do for released versions, but not while one works on them. So the fingerprint takes
the names, sizes and modification times of all files that are part of the compiler, as `make` would. It is not read from
their contents: that would take longer than loading most programs.
"""

from __future__ import annotations

import functools
import os
import sys

from wasmetal.code.checksum import digest

_ENDINGS = (".py", ".so", ".pyd", ".pyc")
#: What has no part in making code.
_SKIPPED = frozenset({"__pycache__", "cli", "registry", "testing"})


def _files(folder: str, found: list[str]) -> None:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=_name):
            if entry.name.endswith(_ENDINGS):
                status = entry.stat()
                found.append(f"{entry.name} {status.st_size} {status.st_mtime_ns}")
            elif entry.name not in _SKIPPED and entry.is_dir():
                found.append(entry.name)
                _files(entry.path, found)


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _describe(package: str) -> list[str]:
    """The state of one package, imported before."""
    module = sys.modules[package]
    found = [package, str(getattr(module, "__version__", ""))]
    for place in getattr(module, "__path__", None) or [module.__file__ or ""]:
        try:
            _files(place, found)
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
def of_packages(*packages: str) -> bytes:
    """The fingerprint of some top-level packages, which must have been imported."""
    return digest("\n".join([line for package in packages for line in _describe(package)]).encode())


def of_compiler(backend: object) -> bytes:
    """The fingerprint of everything that has a part in what `backend` compiles."""
    return of_packages("wasm_core", "wasm_ir", "wasmetal", type(backend).__module__.partition(".")[0])
