"""Compiles C files to object files, several at a time, and keeps what it compiled under a hash of what it came from."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from hashlib import sha256
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Final

from setuptools import Extension  # First: what follows is its own, no longer Python's.

from distutils import ccompiler, sysconfig  # isort: skip

_INCLUDE: Final = re.compile(rb'^[ \t]*#[ \t]*include[ \t]+[<"]([^>"]+)[>"]', re.MULTILINE)


class Failure(Exception):
    """A compiler or linker failed; the argument is what it said."""


def _run(command: Sequence[str]) -> None:
    made = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if made.returncode:
        raise Failure(f"{shlex.join(command)}\n{made.stdout}")


class Headers:
    """Hashes of C files together with all that they include from some folders; other headers come with the tools."""

    def __init__(self, folders: Sequence[str]) -> None:
        self._folders = folders
        self._known: dict[Path, tuple[bytes, list[Path]]] = {}

    def _read(self, path: Path) -> tuple[bytes, list[Path]]:
        # The hash of the file alone, and which files it names.
        known = self._known.get(path)
        if known is None:
            content = path.read_bytes()
            included = []
            for name in _INCLUDE.findall(content):
                places = (Path(folder, os.fsdecode(name)) for folder in (path.parent, *self._folders))
                included += [place for place in places if place.is_file()][:1]
            known = self._known[path] = sha256(content).digest(), included
        return known

    def hash(self, source: Path) -> bytes:
        """The hash of a file and all that it includes."""
        seen = {source}
        waiting = [source]
        total = sha256()
        while waiting:
            digest, included = self._read(waiting.pop())
            total.update(digest)
            for path in included:
                if path not in seen:
                    seen.add(path)
                    waiting.append(path)
        return total.digest()


class Toolchain:
    """This Python's C compiler, with a folder for the object files that it made."""

    def __init__(self, objects: Path) -> None:
        self.objects = objects
        self._unfinished = objects / "unfinished"
        self._unfinished.mkdir(parents=True, exist_ok=True)
        # As setuptools: from how Python was made, and variables such as CC and CFLAGS.
        compiler = ccompiler.new_compiler()
        sysconfig.customize_compiler(compiler)
        self._compile: list[str] = compiler.compiler_so
        self._link: list[str] = compiler.linker_so
        said = subprocess.run([*self._compile[:1], "--version"], capture_output=True, text=True, check=True).stdout
        self.is_gcc = "Free Software Foundation" in said
        self._tools = "\0".join([said, sys.version, *self._compile])
        self._headers: dict[tuple[str, ...], Headers] = {}

    def object_path(self, source: str, extension: Extension, options: Sequence[str]) -> Path:
        """Where the object file is, or will be, of a C file of an extension compiled with these options besides."""
        folders = tuple(extension.include_dirs)
        headers = self._headers.setdefault(folders, Headers(folders))
        told = "\0".join([self._tools, *extension.extra_compile_args, *options])
        digest = sha256(told.encode() + headers.hash(Path(source))).hexdigest()[:32]
        return self.objects / f"{Path(source).stem}-{digest}.o"

    def compile(self, source: str, extension: Extension, options: Sequence[str], path: Path) -> None:
        """Compile a C file; one that was compiled before stays."""
        if path.exists():
            path.touch()
            return
        folders = [f"-I{folder}" for folder in (*extension.include_dirs, sysconfig.get_python_inc())]
        # Out of the way until whole, with its own name already: gcc writes that into objects that count.
        made = self._unfinished / path.name
        _run([*self._compile, *folders, *extension.extra_compile_args, *options, "-c", source, "-o", str(made)])
        made.rename(path)

    def link(self, extension: Extension, objects: Iterable[Path], libraries: Path, options: Sequence[str]) -> None:
        """Link an extension module into a folder of packages."""
        output = libraries / f"{extension.name.replace('.', os.sep)}{EXTENSION_SUFFIXES[0]}"
        output.parent.mkdir(parents=True, exist_ok=True)
        _run([*self._link, *map(str, objects), *extension.extra_link_args, *options, "-o", str(output)])

    def forget(self, before: float) -> None:
        """Remove files that were last made or used before this time, in seconds since the epoch."""
        for path in self.objects.glob("*.o"):
            if path.stat().st_mtime < before:
                path.unlink()
                path.with_suffix(".gcda").unlink(missing_ok=True)
