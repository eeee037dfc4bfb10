"""Compiles C files to object files, several at a time, and keeps what it compiled under a hash of what it came from."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from shutil import copy2, rmtree
from typing import Any, Final

from setuptools import Extension  # First: what follows is its own, no longer Python's.

from distutils import ccompiler, sysconfig  # isort: skip

_INCLUDE: Final = re.compile(rb'^[ \t]*#[ \t]*include[ \t]+[<"]([^>"]+)[>"]', re.MULTILINE)


class Failure(Exception):
    """A compiler or linker failed; the argument is what it said."""


def _run(command: Sequence[str]) -> None:
    made = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if made.returncode:
        raise Failure(f"{shlex.join(command)}\n{made.stdout}")


@dataclass(frozen=True)
class Compilation:
    """A C file, folders of headers, options, and the profile (.gcda) for `-fprofile-use` if that is among them."""

    source: Path
    folders: tuple[str, ...]
    options: tuple[str, ...]
    profile: Path | None = None


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
            for found in _INCLUDE.findall(content):
                name = os.fsdecode(found)
                places = (folder / name for folder in (path.parent, *map(Path, self._folders)))
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
        rmtree(self._unfinished, ignore_errors=True)
        self._unfinished.mkdir(parents=True)
        # As setuptools: from how Python was made, and variables such as CC and CFLAGS.
        compiler: Any = ccompiler.new_compiler()
        sysconfig.customize_compiler(compiler)
        self._compile: list[str] = compiler.compiler_so
        self._link: list[str] = compiler.linker_so
        said = subprocess.run([*self._compile[:1], "--version"], capture_output=True, text=True, check=True).stdout
        self.is_gcc = "Free Software Foundation" in said
        self._tools = "\0".join([said, sys.version, *self._compile])
        self._headers: dict[tuple[str, ...], Headers] = {}

    def object_path(self, step: Compilation) -> Path:
        """Where the object file of a compilation is, or will be."""
        headers = self._headers.setdefault(step.folders, Headers(step.folders))
        profile = step.profile.name if step.profile else ""
        told = "\0".join([self._tools, *step.options, profile])
        digest = sha256(told.encode() + headers.hash(step.source)).hexdigest()[:32]
        return self.objects / f"{step.source.stem}-{digest}.o"

    def compile(self, step: Compilation) -> None:
        """Compile a C file; one that was compiled before stays."""
        path = self.object_path(step)
        if path.exists():
            path.touch()
            return
        # Out of the way until whole, with its own name already: by that gcc finds profiles, and names those to be made.
        made = self._unfinished / path.name
        profile = made.with_suffix(".gcda")
        if step.profile:
            copy2(step.profile, profile)
        folders = [f"-I{folder}" for folder in (*step.folders, sysconfig.get_python_inc())]
        _run([*self._compile, *folders, *step.options, "-c", str(step.source), "-o", str(made)])
        profile.unlink(missing_ok=True)
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
