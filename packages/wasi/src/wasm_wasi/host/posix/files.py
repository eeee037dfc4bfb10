"""Files, streams and directories of a POSIX system: descriptors of the system."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import stat
from collections.abc import Callable, Iterator

from wasm_wasi.abi import (
    ALL_RIGHTS,
    DIRECTORY_RIGHTS,
    FILE_RIGHTS,
    NOSPC,
    NOTSUP,
    READ_WRITE,
    SOCKET_RIGHTS,
    STREAM_RIGHTS,
    FdFlag,
    FileType,
    Right,
)
from wasm_wasi.descriptors import (
    Descriptor,
    Directory,
    FileStat,
    Owned,
    behind,
    in_steps,
    limited,
    one_step,
)
from wasm_wasi.errors import WasiError
from wasm_wasi.guest_memory import MASK64, STEP
from wasm_wasi.late import whole
from wasmetal import interruption

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_wasi.paths import Place

_SEEK_TELL: Final = Right.FD_SEEK | Right.FD_TELL

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_ACCESS: Final = {os.O_RDONLY: Right.FD_READ, os.O_WRONLY: Right.FD_WRITE, os.O_RDWR: READ_WRITE}

# For a read or write of a pipe that must not wait; 0 where Python does not know it.
_NOWAIT: Final = getattr(os, "RWF_NOWAIT", 0)
# What the system says when it does not know that for pipes.
_NO_NOWAIT: Final = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.ESPIPE})

# Flags of an open file and those of WASI, both ways. Linux has no O_RSYNC of its own: it is O_SYNC, and that has the
# bits of O_DSYNC; so the flags that a file tells may be more than it was opened with, but they mean the same.
_HOST_FLAGS: Final = (
    (os.O_APPEND, FdFlag.APPEND),
    (os.O_NONBLOCK, FdFlag.NONBLOCK),
    (getattr(os, "O_DSYNC", os.O_SYNC), FdFlag.DSYNC),
    (getattr(os, "O_RSYNC", os.O_SYNC), FdFlag.RSYNC),
    (os.O_SYNC, FdFlag.SYNC),
)
# Those that can be changed once a file is open.
_CHANGEABLE: Final = FdFlag.APPEND | FdFlag.NONBLOCK

_FILE_TYPES: Final = {
    stat.S_IFBLK: FileType.BLOCK_DEVICE,
    stat.S_IFCHR: FileType.CHARACTER_DEVICE,
    stat.S_IFDIR: FileType.DIRECTORY,
    stat.S_IFREG: FileType.REGULAR_FILE,
    stat.S_IFSOCK: FileType.SOCKET_STREAM,
    stat.S_IFLNK: FileType.SYMBOLIC_LINK,
}

# By `advice`; empty where the system takes none.
_ADVICE: Final = tuple(
    getattr(os, f"POSIX_FADV_{name}")
    for name in ("NORMAL", "SEQUENTIAL", "RANDOM", "WILLNEED", "DONTNEED", "NOREUSE")
    if hasattr(os, "posix_fadvise")
)
_WILL_NEED: Final = 3
# Bytes that the system is asked to read ahead: it may wait for the disk, and nothing interrupts that.
_READ_AHEAD: Final = 1 << 24


def file_type(mode: int) -> int:
    """The WASI type for `st_mode`."""
    return _FILE_TYPES.get(stat.S_IFMT(mode), FileType.UNKNOWN)


def file_stat(status: os.stat_result) -> FileStat:
    """The values of `abi.FILESTAT` for what the system says about a file."""
    return (
        status.st_dev & MASK64,
        status.st_ino & MASK64,
        file_type(status.st_mode),
        status.st_nlink,
        status.st_size,
        status.st_atime_ns & MASK64,
        status.st_mtime_ns & MASK64,
        status.st_ctime_ns & MASK64,
    )


def open_flags(flags: int) -> int:
    """Flags for `os.open` from `fdflags`."""
    host = 0
    for bits, wasi in _HOST_FLAGS:
        if flags & wasi:
            host |= bits
    return host


class OfHost(Owned):
    """What a descriptor of the system can do."""

    __slots__ = ()

    _give_back = staticmethod(os.close)

    def stat(self) -> FileStat:
        return file_stat(os.fstat(self.fd))

    def flags(self) -> int:
        host = fcntl.fcntl(self.fd, fcntl.F_GETFL)
        return sum(wasi for bits, wasi in _HOST_FLAGS if host & bits == bits)

    def set_flags(self, flags: int) -> None:
        host = fcntl.fcntl(self.fd, fcntl.F_GETFL)
        if (flags ^ self.flags()) & ~_CHANGEABLE:
            raise WasiError(NOTSUP)
        for bits, wasi in _HOST_FLAGS:
            if wasi & _CHANGEABLE:
                host = host | bits if flags & wasi else host & ~bits
        fcntl.fcntl(self.fd, fcntl.F_SETFL, host)

    def advise(self, offset: int, size: int, advice: int) -> None:
        if advice == _WILL_NEED:
            size = min(size or _READ_AHEAD, _READ_AHEAD)
        if _ADVICE:
            os.posix_fadvise(self.fd, offset, size, _ADVICE[advice])

    def allocate(self, offset: int, size: int) -> None:
        if not hasattr(os, "posix_fallocate"):
            raise WasiError(NOTSUP)
        whole("steps")
        from wasm_wasi.steps import paced

        before = os.fstat(self.fd).st_size
        space = os.fstatvfs(self.fd)
        # Known at once, instead of when everything is full.
        if offset + size - max(offset, before) > space.f_bavail * space.f_frsize:
            raise WasiError(NOSPC)
        try:
            for at, part in paced(size):
                os.posix_fallocate(self.fd, offset + at, part)
        except OSError:
            if os.fstat(self.fd).st_size > before:
                os.ftruncate(self.fd, before)
            raise

    def sync(self, data_only: bool) -> None:
        whole("host.posix.waits")
        from wasm_wasi.host.posix.waits import apart

        apart(getattr(os, "fdatasync", os.fsync) if data_only else os.fsync, self.fd)

    def set_size(self, size: int) -> None:
        if size >= 0:
            whole("steps")
            from wasm_wasi.steps import paced

            # To give back gigabytes takes long.
            before = os.fstat(self.fd).st_size
            for at, part in paced(before - size):
                os.ftruncate(self.fd, before - at - part)
        os.ftruncate(self.fd, size)

    def set_times(self, access: int, modification: int, flags: int) -> None:
        whole("host.posix.times")
        from wasm_wasi.host.posix.times import set_times

        set_times(self.fd, access, modification, flags)


def _read_ready(fd: int, buffers: list[memoryview]) -> int:
    """Read from a pipe without waiting. Raises BlockingIOError, or one of _NO_NOWAIT."""
    if _NOWAIT:
        return os.preadv(fd, buffers, -1, _NOWAIT)
    from wasm_wasi.host.posix.without_waiting import preadv

    return preadv(fd, buffers)


def _write_ready(fd: int, buffers: list[memoryview]) -> int:
    """Write to a pipe without waiting. Raises BlockingIOError, or one of _NO_NOWAIT."""
    if _NOWAIT:
        return os.pwritev(fd, buffers, -1, _NOWAIT)
    from wasm_wasi.host.posix.without_waiting import pwritev

    return pwritev(fd, buffers)


class HostDescriptor(OfHost, Descriptor):
    """A descriptor of the system that is no directory."""

    __slots__ = ("fd",)

    def __init__(self, fd: int, type: int, rights: int, inheriting: int = 0) -> None:
        """`fd`: -1 if this is to get it later."""
        super().__init__(type, rights, inheriting)
        self.fd = fd


class File(HostDescriptor):
    """A file, a pipe, a device: what is read and written."""

    __slots__ = ()

    def read(self, buffers: list[memoryview]) -> int:
        if self.type == FileType.REGULAR_FILE:
            if len(buffers) == 1 and len(buffers[0]) <= STEP:
                return os.readv(self.fd, buffers)
            return in_steps(self._readv, buffers)
        # What does not end (/dev/zero) is read in parts.
        buffers = one_step(buffers)
        if not buffers:
            return 0
        while self.waits():
            interruption.wait(self.fd, select.POLLIN)
            if not self._knows_nowait():
                break
            try:
                return _read_ready(self.fd, buffers)
            except BlockingIOError:
                # Another reader was faster.
                continue
            except OSError as error:
                if error.errno not in _NO_NOWAIT:
                    raise
                break
        return os.readv(self.fd, buffers)

    def write(self, buffers: list[memoryview]) -> int:
        if self.type == FileType.REGULAR_FILE:
            if len(buffers) == 1 and len(buffers[0]) <= STEP:
                return os.write(self.fd, buffers[0])
            return in_steps(self._writev, buffers)
        total = 0
        waits = self.waits()
        while buffers:
            try:
                moved = self._write_ready(buffers) if waits else self._writev(one_step(buffers), 0)
            except OSError:
                if not total:
                    raise
                break
            total += moved
            if not waits or (len(buffers) == 1 and moved == len(buffers[0])):
                break
            buffers = behind(buffers, moved)
        return total

    def waits(self) -> bool:
        """Whether reading and writing are to wait."""
        return self.blocks()

    def _knows_nowait(self) -> bool:
        # Others than pipes may say that they are ready and then that they would have to wait, for ever.
        return self.type == FileType.UNKNOWN

    def _write_ready(self, buffers: list[memoryview]) -> int:
        """Wait until something can be written; write what then needs no wait."""
        while True:
            interruption.wait(self.fd, select.POLLOUT)
            if self._knows_nowait():
                try:
                    return _write_ready(self.fd, one_step(buffers))
                except BlockingIOError:
                    continue
                except OSError as error:
                    if error.errno not in _NO_NOWAIT:
                        raise
            # What a pipe that is ready takes without blocking.
            limit = STEP if interruption.remaining() is None else select.PIPE_BUF
            return self._writev(list(limited(buffers, limit)), 0)

    def _readv(self, buffers: list[memoryview], offset: int) -> int:
        return os.readv(self.fd, buffers)

    def _writev(self, buffers: list[memoryview], offset: int) -> int:
        return os.writev(self.fd, buffers)

    def seek(self, offset: int, whence: int) -> int:
        return os.lseek(self.fd, offset, whence)

    def pread(self, buffers: list[memoryview], offset: int) -> int:
        if len(buffers) == 1 and len(buffers[0]) <= STEP:
            return os.preadv(self.fd, buffers, offset)
        return in_steps(lambda part, at: os.preadv(self.fd, part, offset + at), buffers)

    def pwrite(self, buffers: list[memoryview], offset: int) -> int:
        if len(buffers) == 1 and len(buffers[0]) <= STEP:
            return os.pwritev(self.fd, buffers, offset)
        return in_steps(lambda part, at: os.pwritev(self.fd, part, offset + at), buffers)

    def waitable(self) -> bool:
        return self.type != FileType.REGULAR_FILE

    def blocks(self) -> bool:
        return os.get_blocking(self.fd)


def _first_host_place(directory: HostDirectory, path: bytes, last: int) -> Place:
    """Many programs never use a path, so the module is imported with the first one."""
    global _host_place
    whole("host.posix.places")
    from wasm_wasi.host.posix.places import HostPlace

    _host_place = HostPlace
    return HostPlace(directory, path, last)


_host_place: Callable[[HostDirectory, bytes, int], Place] = _first_host_place


class HostDirectory(OfHost, Directory):
    """A directory of the host."""

    __slots__ = ("fd",)

    def __init__(
        self,
        fd: int,
        preopen: bytes | None,
        rights: int = DIRECTORY_RIGHTS,
        inheriting: int = ALL_RIGHTS,
        above: int | None = None,
        read_only: bool = False,
    ) -> None:
        """`fd`: -1 if this is to get it later; the others as for `Directory`."""
        super().__init__(preopen, rights, inheriting, above, read_only)
        self.fd = fd

    def place(self, path: bytes, last: int) -> Place:
        return _host_place(self, path, last)

    def inode(self) -> int:
        return os.fstat(self.fd).st_ino

    def scan(self) -> Iterator[tuple[int, bytes, int]]:
        with os.scandir(self.fd) as entries:
            for entry in entries:
                yield entry.inode(), os.fsencode(entry.name), _entry_type(entry)

    advise = Directory.advise

    def close(self) -> None:
        OfHost.close(self)
        Directory.close(self)


def _entry_type(entry: os.DirEntry[str]) -> int:
    if entry.is_symlink():
        return FileType.SYMBOLIC_LINK
    if entry.is_dir(follow_symlinks=False):
        return FileType.DIRECTORY
    if entry.is_file(follow_symlinks=False):
        return FileType.REGULAR_FILE
    try:
        return file_type(entry.stat(follow_symlinks=False).st_mode)
    except OSError:
        return FileType.UNKNOWN


def file_rights(fd: int, type: int) -> int:
    """The rights that make sense for an open file of a type that is not a directory."""
    if type == FileType.REGULAR_FILE:
        return FILE_RIGHTS
    rights = STREAM_RIGHTS | (Right.FD_SYNC | Right.FD_DATASYNC)
    # C libraries take a character device without these rights for a terminal.
    if type == FileType.CHARACTER_DEVICE and not os.isatty(fd):
        rights |= _SEEK_TELL
    return rights


def most_descriptors() -> int | None:
    """How many the process may have open; None for as many as it likes."""
    # The soft limit of RLIMIT_NOFILE.
    most = os.sysconf("SC_OPEN_MAX")
    return None if most < 0 else most


def open_directory(path: str) -> int:
    """Open a directory of the embedder, for `HostDirectory`.

    Raises:
        OSError: It is not there, or no directory.
    """
    return os.open(path, _DIRECTORY)


def check_directory(path: str) -> None:
    """Say what is wrong with a directory, in the words of the system, if something is. Raises as `open_directory`."""
    os.close(open_directory(path))


def stream_at(path: str | os.PathLike[str], right: int) -> Descriptor:
    """The descriptor for a file to read from, or to make empty and append to.

    Raises:
        OSError: It cannot be opened.
    """
    flags = os.O_RDONLY if right == Right.FD_READ else os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    return _stream(os.open(path, flags | os.O_CLOEXEC, 0o666), right)


def stream_of(fd: int, right: int) -> Descriptor:
    """The descriptor for a number that Python has open, and keeps.

    Raises:
        OSError: It is not open.
    """
    return _stream(os.dup(fd), right)


def _stream(fd: int, right: int) -> Descriptor:
    try:
        mode = os.fstat(fd).st_mode
        if stat.S_ISSOCK(mode):
            from wasm_wasi.host.posix.sockets import Socket

            return Socket(fd, SOCKET_RIGHTS & ~READ_WRITE & ~Right.FD_FDSTAT_SET_FLAGS | right)
        kind = file_type(mode)
        rights = file_rights(fd, kind) & ~READ_WRITE
        rights |= right & _ACCESS[fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE]
        # The flags belong to the open file, which other programs may share (a terminal): not the program's to change.
        rights &= ~Right.FD_FDSTAT_SET_FLAGS
    except BaseException:
        os.close(fd)
        raise
    return File(fd, kind, rights)
