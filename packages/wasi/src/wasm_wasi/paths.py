"""Path resolution that cannot leave a directory.

A path is walked one component at a time with directory descriptors (openat with O_NOFOLLOW); symbolic links are read
and walked the same way. `..` goes back along the descriptors that led here, so neither a link nor a directory that
another process moves meanwhile can lead out. What would lead out is ENOTCAPABLE.
"""

from __future__ import annotations

import errno
import os
from functools import partial
from types import TracebackType
from typing import Final

from wasm_wasi.abi import LOOP, NAMETOOLONG, NOENT, NOTCAPABLE, NOTDIR
from wasm_wasi.errors import WasiError
from wasm_wasi.opened import Opened
from wasmetal import interruption

#: Symbolic links followed on the way to one file, as on Linux.
MAX_LINKS: Final = 40
#: Directories that one path can go down: each is open on the way.
MAX_DEPTH: Final = 128
# Components between two checks for interruptions.
_CHECKED: Final = 64

#: How to treat the last component: follow a link there; do not; or it is an entry to make, remove or rename: then it is
#: not followed either, and a slash behind it is only noted.
FOLLOW: Final = 0
NO_FOLLOW: Final = 1
ENTRY: Final = 2

# O_PATH (Linux) needs no permission to read the directory, just to search it.
_DIRECTORY: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# What opening a symbolic link with these flags fails with, on one system or another.
_MAYBE_LINK: Final = frozenset({errno.ENOTDIR, errno.ELOOP, errno.EMLINK})
_NOT_A_LINK: Final = frozenset({errno.EINVAL, errno.ENOENT})


def _components(path: bytes) -> list[bytes]:
    """The components, the first one last; a slash at the end becomes a final `.`, which asks for a directory."""
    if path.startswith(b"/"):
        raise WasiError(NOTCAPABLE)
    if not path:
        raise WasiError(NOENT)
    components = [component for component in path.split(b"/") if component]
    if path.endswith(b"/"):
        components.append(b".")
    components.reverse()
    return components


class Place:
    """Where a path leads: the entry `name` of the open directory `parent`. To be used in a `with` statement.

    Whoever opens `name` must not follow a link there: one that has appeared since is an attack.

    Args:
        root: Descriptor of the directory that the path starts from and cannot leave.
        path: The path.
        last: FOLLOW, NO_FOLLOW or ENTRY.

    Raises:
        WasiError: The path leads out (ENOTCAPABLE), is empty (ENOENT), takes too many links (ELOOP), goes through
            something that is no directory (ENOTDIR) or down through too many directories (ENAMETOOLONG).
        DeadlineExceeded, Trap: As `interruption.check`.
        OSError: A directory on the way cannot be entered.
    """

    __slots__ = ("_opened", "_root", "name", "slash")

    def __init__(self, root: int, path: bytes, last: int) -> None:
        self._root = root
        # The directories below the root that were opened on the way, deepest last.
        self._opened = Opened()
        #: With ENTRY: the path ended in a slash, so only a directory is meant.
        self.slash = False
        if last == ENTRY and path.endswith(b"/") and not path.startswith(b"/"):
            path = path.rstrip(b"/")
            self.slash = True
        try:
            #: One component; never `..`.
            self.name = self._walk(_components(path), last == FOLLOW)
        except BaseException:
            self.close()
            raise

    @property
    def parent(self) -> int:
        """Descriptor of the directory that holds the entry."""
        return self._opened[-1] if self._opened else self._root

    def above(self, root_above: int | None) -> int | None:
        """Inode of the directory that is `..` of what this place names, a directory; as `Directory.above`.

        Args:
            root_above: The same for the directory that the path started from.
        """
        if self.name != b".":
            return os.fstat(self.parent).st_ino
        if not self._opened:
            return root_above
        return os.fstat(self._opened[-2] if len(self._opened) > 1 else self._root).st_ino

    def _walk(self, pending: list[bytes], follow: bool) -> bytes:
        links = steps = 0
        while pending:
            steps += 1
            if steps % _CHECKED == 0:
                interruption.check()
            component = pending.pop()
            if component == b".":
                continue
            if component == b"..":
                if not self._opened:
                    raise WasiError(NOTCAPABLE)
                self._opened.close_last()
                continue
            if pending:
                target = self._enter(component)
                if target is None:
                    continue
            elif follow:
                target = self._link(component)
                if target is None:
                    return component
            else:
                return component
            links += 1
            if links > MAX_LINKS:
                raise WasiError(LOOP)
            pending += _components(target)
        return b"."

    def _enter(self, name: bytes) -> bytes | None:
        """Go down into a directory, or return where the link of that name points."""
        if len(self._opened) >= MAX_DEPTH:
            raise WasiError(NAMETOOLONG)
        try:
            self._opened += map(partial(os.open, dir_fd=self.parent), (name,), (_DIRECTORY,))
        except OSError as error:
            if error.errno not in _MAYBE_LINK:
                raise
            target = self._link(name)
            if target is None:
                raise WasiError(NOTDIR) from None
            return target
        return None

    def _link(self, name: bytes) -> bytes | None:
        """Where the symbolic link `name` points, or None when there is no link of that name."""
        try:
            return os.readlink(name, dir_fd=self.parent)
        except OSError as error:
            if error.errno in _NOT_A_LINK:
                return None
            raise

    def close(self) -> None:
        """Close the directories that were opened on the way."""
        self._opened.close()

    def __enter__(self) -> Place:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
