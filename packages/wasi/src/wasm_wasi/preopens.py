"""What a preopen can be beside a path: a directory of the host with conditions."""

from __future__ import annotations

import os
from typing import Protocol

from wasm_wasi import descriptors  # (it has a class of the same name as the one here)


class Preopen(Protocol):
    """Something that a program can be given as a directory."""

    def open(self, name: bytes) -> descriptors.Directory:
        """A directory for one process, which closes it; `name` is what the program knows it by.

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
            os.close(os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))

    def open(self, name: bytes) -> descriptors.HostDirectory:
        """A directory for one process, as `Wasi` asks for it."""
        fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return descriptors.HostDirectory(fd, name, read_only=self.read_only)

    # (no `__fspath__`: whoever took it for a path would lose the conditions)

    def __str__(self) -> str:
        return f"{self.path}, read-only" if self.read_only else self.path

    def __repr__(self) -> str:
        return f"Directory({self.path!r}, read_only={self.read_only})"


#: What `preopens` of `Wasi` takes: a path of the host or a directory with conditions.
Preopened = str | os.PathLike[str] | Directory


def preopen(given: object) -> Preopen:
    """What is given in place of a path.

    Raises:
        TypeError: It can be no directory.
    """
    if isinstance(given, Directory):
        return given
    raise TypeError(f"a preopen is a path or a wasm_wasi.Directory, not {type(given).__name__}")
