"""Where a path leads on the host: walked with directory descriptors (openat with O_NOFOLLOW)."""

from __future__ import annotations

import errno
import os
import stat
from functools import partial

from wasm_wasi.abi import (
    DIRECTORY_RIGHTS,
    NAMETOOLONG,
    NOTCAPABLE,
    NOTDIR,
    READ_WRITE,
    READS,
    WRITES,
    FdFlag,
    FileType,
    OpenFlag,
)
from wasm_wasi.descriptors import READ_ONLY_MISSING, Descriptor, FileStat
from wasm_wasi.errors import WasiError
from wasm_wasi.host.posix.files import (
    File,
    HostDescriptor,
    HostDirectory,
    file_rights,
    file_stat,
    file_type,
    open_flags,
)
from wasm_wasi.late import whole
from wasm_wasi.opened import Opened
from wasm_wasi.paths import MAX_DEPTH, Place
from wasmetal import interruption

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# O_PATH (Linux) needs no permission to read the directory, just to search it.
_DIRECTORY: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# What opening a symbolic link with these flags fails with, on one system or another.
_MAYBE_LINK: Final = frozenset({errno.ENOTDIR, errno.ELOOP, errno.EMLINK})
_NOT_A_LINK: Final = frozenset({errno.EINVAL, errno.ENOENT})

# Seconds between two attempts to open what another process must open, or give back, first.
_AGAIN: Final = 0.01
_OPENING: Final = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
# Plain ints: what every opening tests.
_CREAT: Final = OpenFlag.CREAT
_EXCL: Final = OpenFlag.EXCL
_TRUNC: Final = OpenFlag.TRUNC
_ONLY_DIRECTORY: Final = OpenFlag.DIRECTORY
_NONBLOCK: Final = FdFlag.NONBLOCK


class HostPlace(Place):
    """A place in a directory of the host.

    Args:
        start: The directory that the path starts from and cannot leave.
        path: The path.
        last: FOLLOW, NO_FOLLOW or ENTRY.
    """

    __slots__ = ("_opened", "_start")

    def __init__(self, start: HostDirectory, path: bytes, last: int) -> None:
        self._start = start
        # The directories below the first one that were opened on the way, deepest last.
        self._opened = Opened()
        self._resolve(path, last)

    @property
    def parent(self) -> int:
        """Descriptor of the directory that holds the entry."""
        return self._opened[-1] if self._opened else self._start.fd

    def _above(self) -> int | None:
        """Inode of the directory that is `..` of what this place names, a directory; as `Directory.above`."""
        if self.name != b".":
            return os.fstat(self.parent).st_ino
        if not self._opened:
            return self._start.above
        return os.fstat(self._opened[-2] if len(self._opened) > 1 else self._start.fd).st_ino

    def _leave(self) -> None:
        if not self._opened:
            raise WasiError(NOTCAPABLE)
        self._opened.close_last()

    def _enter(self, name: bytes) -> bytes | None:
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
        try:
            return os.readlink(name, dir_fd=self.parent)
        except OSError as error:
            if error.errno in _NOT_A_LINK:
                return None
            raise

    def close(self) -> None:
        self._opened.close()

    def open(self, how: int, rights: int, inheriting: int, fdflags: int) -> Descriptor:
        flags = open_flags(fdflags) | _OPENING
        if how & _CREAT:
            flags |= os.O_CREAT
        if how & _EXCL:
            flags |= os.O_EXCL
        if how & _TRUNC:
            flags |= os.O_TRUNC
        if how & _ONLY_DIRECTORY:
            flags |= os.O_DIRECTORY
            if rights & READ_WRITE == READ_WRITE:
                # The system says EISDIR, as it does for whoever wants to write to a directory.
                flags |= os.O_RDWR
        elif rights & WRITES:
            flags |= os.O_RDWR if rights & READS else os.O_WRONLY
        opened = self._open(flags, not fdflags & _NONBLOCK)
        if not fdflags & _NONBLOCK:
            os.set_blocking(opened[0], True)
        return self._descriptor(opened, rights, inheriting)

    def _open(self, flags: int, waits: bool) -> Opened:
        """Open what is there.

        Nothing that opening could wait for is waited for by the system: a FIFO that is read waits when it is read, one
        that is written to waits here for a reader.
        """
        opened = Opened()
        while True:
            try:
                opened += map(partial(os.open, dir_fd=self.parent), (self.name,), (flags,), (0o666,))
                return opened
            except OSError as error:
                if not waits:
                    raise
                if error.errno == errno.ENXIO:
                    if not stat.S_ISFIFO(self._status().st_mode):
                        raise
                elif error.errno != errno.EAGAIN:
                    # EAGAIN: another process has a lease on the file, and is told to give it back.
                    raise
            interruption.sleep(_AGAIN)

    def _descriptor(self, opened: Opened, rights: int, inheriting: int) -> Descriptor:
        """The descriptor for what was opened, which it takes over."""
        fd = opened[0]
        kind = file_type(os.fstat(fd).st_mode)
        descriptor: HostDescriptor | HostDirectory
        read_only = self._start.read_only
        if kind == FileType.DIRECTORY:
            rights &= DIRECTORY_RIGHTS
            descriptor = HostDirectory(-1, None, rights, inheriting, self._above(), read_only)
        else:
            rights &= file_rights(fd, kind)
            # Nothing is opened through a file, so it passes nothing on.
            descriptor = File(-1, kind, rights & ~READ_ONLY_MISSING if read_only else rights)
        # No call stands between these: one of the two closes it.
        descriptor.fd = fd
        del opened[0]
        return descriptor

    def _status(self) -> os.stat_result:
        return os.stat(self.name, dir_fd=self.parent, follow_symlinks=False)

    def stat(self) -> FileStat:
        return file_stat(self._status())

    def set_times(self, access: int, modification: int, flags: int) -> None:
        whole("host.posix.times")
        from wasm_wasi.host.posix.times import set_times_at

        set_times_at(self.parent, self.name, access, modification, flags)

    def make_directory(self) -> None:
        os.mkdir(self.name, dir_fd=self.parent)

    def remove_directory(self) -> None:
        os.rmdir(self.name, dir_fd=self.parent)

    def unlink(self) -> None:
        os.unlink(self.name, dir_fd=self.parent)

    def rename(self, new: Place) -> None:
        assert isinstance(new, HostPlace)
        os.rename(self.name, new.name, src_dir_fd=self.parent, dst_dir_fd=new.parent)

    def link(self, new: Place) -> None:
        assert isinstance(new, HostPlace)
        os.link(self.name, new.name, src_dir_fd=self.parent, dst_dir_fd=new.parent, follow_symlinks=False)

    def make_link(self, target: bytes) -> None:
        os.symlink(target, self.name, dir_fd=self.parent)

    def read_link(self) -> bytes:
        return os.readlink(self.name, dir_fd=self.parent)
