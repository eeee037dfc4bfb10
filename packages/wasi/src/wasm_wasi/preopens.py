"""What a preopen can be beside a path: a directory of the host with conditions, or files that are objects."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from wasm_wasi import descriptors, host  # (one has a class of the same name as the one here)


class Preopen(Protocol):
    """Something that a program can be given as a directory."""

    def preopen(self, name: bytes, now: Callable[[], int] | None) -> descriptors.Directory:
        """A directory for one process, which closes it.

        Args:
            name: What the program knows it by.
            now: The embedder's clock for the times of files that are made, if there is one: nanoseconds.

        Raises:
            OSError: It cannot be opened.
        """
        ...


class Directory:
    """A directory of the host, for `preopens` of `Wasi`: `{"/data": Directory("some/dir", read_only=True)}`.

    Args:
        path: Where it is; it stays the same directory when the current one changes.
        read_only: The program can change nothing in it: what would fails with EROFS. Others may.

    Raises:
        FileNotFoundError, NotADirectoryError: It is not there.
    """

    __slots__ = ("path", "read_only")

    def __init__(self, path: str | os.PathLike[str], read_only: bool = False) -> None:
        #: The absolute path.
        self.path = os.path.abspath(os.fspath(path))
        #: Whether the program can change nothing in it.
        self.read_only = read_only
        if not os.path.isdir(self.path):
            # Says what is wrong, in the words of the system.
            host.check_directory(self.path)

    def preopen(self, name: bytes, now: Callable[[], int] | None) -> host.HostDirectory:
        """The directory for one process, as `Wasi` asks for it."""
        return host.HostDirectory(host.open_directory(self.path), name, read_only=self.read_only)

    # (no `__fspath__`: whoever took it for a path would lose the conditions)

    def __str__(self) -> str:
        return f"{self.path}, read-only" if self.read_only else self.path

    def __repr__(self) -> str:
        return f"Directory({self.path!r}, read_only={self.read_only})"


class FileSystem(Protocol):
    """The part of an fsspec file system that is used."""

    root_marker: str

    def info(self, path: str, /) -> dict[str, Any]: ...

    def ls(self, path: str, /, detail: bool = ...) -> list[Any]: ...

    def open(self, path: str, mode: str = ..., /) -> Any: ...


class _MappingPreopen:
    """A mapping from paths to content, read-only."""

    __slots__ = ("_files",)

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files
        self.preopen(b"", None)

    def preopen(self, name: bytes, now: Callable[[], int] | None) -> descriptors.Directory:
        from wasm_wasi.mappings import tree

        clock = now or time.time_ns
        return tree(self._files, clock()).preopen(name, clock)

    def __str__(self) -> str:
        return f"{len(self._files)} files of a mapping, read-only"


#: What `preopens` of `Wasi` takes: a path of the host, a directory of the host with conditions, files as a mapping from
#: paths to content (read-only), a `MemoryDirectory`, or an fsspec file system (read-only).
Preopened = str | os.PathLike[str] | Directory | Mapping[str, bytes] | FileSystem


def preopen(given: object) -> Preopen:
    """What is given in place of a path.

    Raises:
        TypeError: It can be no directory.
        ValueError: A mapping has a path that is not one such as "folder/file".
    """
    if isinstance(given, Directory):
        return given
    if isinstance(given, Mapping):
        from wasm_wasi.memory import MemoryDirectory

        return given if isinstance(given, MemoryDirectory) else _MappingPreopen(given)
    if all(callable(getattr(given, name, None)) for name in ("info", "ls", "open")):
        from wasm_wasi.file_systems import FileSystemPreopen

        return FileSystemPreopen(given)  # type: ignore[arg-type]
    raise TypeError(
        "a preopen is a path, a wasm_wasi.Directory, a mapping from paths to bytes, a wasm_wasi.MemoryDirectory or an "
        f"fsspec file system, not {type(given).__name__}"
    )
