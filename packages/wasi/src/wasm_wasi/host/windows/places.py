"""Where a path leads on Windows: walked with handles of directories, each opened as an entry of the one before."""

from __future__ import annotations

import errno
import os

from wasm_wasi.abi import (
    BUSY,
    DIRECTORY_RIGHTS,
    EXIST,
    FILE_RIGHTS,
    INVAL,
    ISDIR,
    LOOP,
    NAMETOOLONG,
    NOENT,
    NOTCAPABLE,
    NOTDIR,
    NOTEMPTY,
    PERM,
    READ_WRITE,
    READS,
    WRITES,
    FdFlag,
    FileType,
    OpenFlag,
)
from wasm_wasi.descriptors import READ_ONLY_MISSING, Descriptor, FileStat
from wasm_wasi.errors import WasiError, errno_of
from wasm_wasi.host.windows import native, reparse
from wasm_wasi.host.windows.errors import of_error
from wasm_wasi.host.windows.files import File, HostDescriptor, HostDirectory
from wasm_wasi.host.windows.names import system_name
from wasm_wasi.late import whole
from wasm_wasi.paths import MAX_DEPTH, Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_CREAT: Final = OpenFlag.CREAT
_EXCL: Final = OpenFlag.EXCL
_TRUNC: Final = OpenFlag.TRUNC
_ONLY_DIRECTORY: Final = OpenFlag.DIRECTORY
_CAN_WRITE: Final = native.WRITE_DATA | native.APPEND_DATA
# SYNC and RSYNC are told as all three, as on Linux.
_SYNC: Final = FdFlag.SYNC | FdFlag.RSYNC
_ALL_SYNC: Final = FdFlag.SYNC | FdFlag.RSYNC | FdFlag.DSYNC


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
        self._opened: list[native.Handle] = []
        self._resolve(path, last)

    @property
    def _entry(self) -> str:
        """The name as the system takes it. Raises as `system_name`."""
        return system_name(self.name)

    @property
    def parent(self) -> int:
        """Handle of the directory that holds the entry."""
        return (self._opened[-1].value or 0) if self._opened else self._start.fd

    def _above(self) -> int | None:
        """Number of the directory that is `..` of what this place names, a directory; as `Directory.above`."""
        if self._entry:
            return native.number_of(self.parent)
        if not self._opened:
            return self._start.above
        return native.number_of((self._opened[-2].value or 0) if len(self._opened) > 1 else self._start.fd)

    def _leave(self) -> None:
        if not self._opened:
            raise WasiError(NOTCAPABLE)
        self._opened.pop().close()

    def _enter(self, name: bytes) -> bytes | None:
        if len(self._opened) >= MAX_DEPTH:
            raise WasiError(NAMETOOLONG)
        handle = native.open_at(self.parent, system_name(name), 0)
        value = handle.value or 0
        attributes, tag = native.tag_of(value)
        if reparse.is_link(attributes, tag):
            return native.read_link(value)
        if reparse.leads_elsewhere(attributes, tag):
            # A junction, a volume that is mounted there: always an absolute path.
            raise WasiError(NOTCAPABLE)
        if reparse.kind_of(attributes, tag) != FileType.DIRECTORY:
            raise WasiError(NOTDIR)
        self._opened.append(handle)
        return None

    def _link(self, name: bytes) -> bytes | None:
        try:
            handle = native.open_at(self.parent, system_name(name), 0)
        except OSError as error:
            if error.errno == errno.ENOENT:
                return None
            raise
        value = handle.value or 0
        return native.read_link(value) if reparse.is_link(*native.tag_of(value)) else None

    def close(self) -> None:
        while self._opened:
            self._opened.pop().close()

    def _open(self, access: int, how: int = native.OPEN, options: int = 0) -> native.Handle:
        return native.open_at(self.parent, self._entry, access, how, options)

    def open(self, how: int, rights: int, inheriting: int, fdflags: int) -> Descriptor:
        writes = rights & WRITES
        if how & _ONLY_DIRECTORY and rights & READ_WRITE != READ_WRITE:
            # C libraries ask for more rights than a directory has.
            writes = 0
        access = 0
        if rights & READS:
            access |= native.READ_DATA
        if writes and not how & _ONLY_DIRECTORY:
            access |= _CAN_WRITE
        if how & _TRUNC:
            access |= _CAN_WRITE
        disposition = native.OPEN
        if how & _CREAT:
            if not self._entry:
                raise WasiError(EXIST if how & _EXCL else ISDIR)
            disposition = native.CREATE if how & _EXCL else native.OPEN_OR_CREATE
        handle = self._open(access, disposition, native.WRITE_THROUGH if fdflags & _ALL_SYNC else 0)
        value = handle.value or 0
        attributes, tag = native.tag_of(value)
        kind = reparse.kind_of(attributes, tag)
        if kind == FileType.SYMBOLIC_LINK:
            # Whoever follows links has been led to what is behind it.
            raise WasiError(NOTDIR if how & _ONLY_DIRECTORY else LOOP)
        if kind not in (FileType.DIRECTORY, FileType.REGULAR_FILE):
            raise WasiError(NOTCAPABLE)
        if kind == FileType.DIRECTORY:
            if writes or how & (_CREAT | _TRUNC):
                raise WasiError(ISDIR)
        elif how & _ONLY_DIRECTORY:
            raise WasiError(NOTDIR)
        if how & _TRUNC:
            native.set_size(value, 0)
        if fdflags & _SYNC:
            fdflags |= _ALL_SYNC
        return self._descriptor(handle, kind, rights, inheriting, fdflags)

    def _descriptor(self, handle: native.Handle, kind: int, rights: int, inheriting: int, fdflags: int) -> Descriptor:
        """The descriptor for what was opened, which it takes over."""
        descriptor: HostDescriptor | HostDirectory
        read_only = self._start.read_only
        if kind == FileType.DIRECTORY:
            rights &= DIRECTORY_RIGHTS
            descriptor = HostDirectory(-1, None, rights, inheriting, self._above(), read_only)
        else:
            rights &= FILE_RIGHTS
            # Nothing is opened through a file, so it passes nothing on.
            descriptor = File(-1, kind, rights & ~READ_ONLY_MISSING if read_only else rights)
        descriptor.fdflags = fdflags
        value = handle.value
        assert value is not None
        # No call stands between these: one of the two closes it.
        descriptor.fd = value
        handle.value = None
        return descriptor

    def stat(self) -> FileStat:
        handle = self._open(0)
        return native.stat(handle.value or 0)

    def set_times(self, access: int, modification: int, flags: int) -> None:
        whole("host.windows.times")
        from wasm_wasi.host.windows.times import set_times

        set_times(self._open(native.WRITE_ATTRIBUTES), access, modification, flags)

    def make_directory(self) -> None:
        if not self._entry:
            raise WasiError(EXIST)
        self._open(0, native.CREATE, native.DIRECTORY_ONLY)

    def remove_directory(self) -> None:
        if not self._entry:
            raise WasiError(INVAL)
        handle = self._open(native.DELETE)
        value = handle.value or 0
        if reparse.kind_of(*native.tag_of(value)) != FileType.DIRECTORY:
            raise WasiError(NOTDIR)
        native.remove(value)

    def unlink(self) -> None:
        if not self._entry:
            raise WasiError(ISDIR)
        handle = self._open(native.DELETE)
        value = handle.value or 0
        if reparse.kind_of(*native.tag_of(value)) == FileType.DIRECTORY:
            raise WasiError(ISDIR)
        native.remove(value)

    def rename(self, new: Place) -> None:
        assert isinstance(new, HostPlace)
        if b"." in (self.name, new.name):
            raise WasiError(BUSY)
        handle = self._open(native.DELETE)
        value = handle.value or 0
        if self._yields(value, new):
            native.rename(value, new.parent, new._entry)

    def _yields(self, value: int, new: HostPlace) -> bool:
        """Make the way free for a renaming, with the errors of POSIX; whether it is to be done."""
        device, number, kind, *_ = native.stat(value)
        directory = kind == FileType.DIRECTORY
        if directory and number in new._numbers():
            raise WasiError(INVAL)
        if new._is_free():
            return True
        there = new.stat()
        if (device, number) == there[:2]:
            # Another case of its name; or the same name, or another one of the file: then nothing is done.
            same_directory = native.number_of(self.parent) == native.number_of(new.parent)
            return same_directory and self._entry.upper() == new._entry.upper() and self._entry != new._entry
        if (there[2] == FileType.DIRECTORY) != directory:
            raise WasiError(NOTDIR if directory else ISDIR)
        if directory:
            # The system replaces none, not even an empty one.
            try:
                new.remove_directory()
            except OSError as error:
                raise (WasiError(NOTEMPTY) if errno_of(error) == EXIST else error) from None
        return True

    def _is_free(self) -> bool:
        """Whether there is no such entry."""
        try:
            self.stat()
        except OSError as error:
            if errno_of(error) == NOENT:
                return True
            raise
        return False

    def _numbers(self) -> set[int]:
        """The directories that hold the entry."""
        return {native.number_of(handle) for handle in (self._start.fd, *(one.value or 0 for one in self._opened))}

    def link(self, new: Place) -> None:
        assert isinstance(new, HostPlace)
        handle = self._open(native.WRITE_ATTRIBUTES)
        value = handle.value or 0
        if reparse.kind_of(*native.tag_of(value)) == FileType.DIRECTORY:
            raise WasiError(PERM if new._is_free() else EXIST)
        if new.name == b".":
            raise WasiError(EXIST)
        native.link(value, new.parent, new._entry)

    def make_link(self, target: bytes) -> None:
        if not self._entry:
            raise WasiError(EXIST)
        # As an absolute one, which the caller refuses, a link to a drive or a server (`\\server`) could not be followed
        # from inside.
        for component in target.split(b"/"):
            if component not in (b"", b".."):
                system_name(component)
        text = os.fsdecode(target).replace("/", "\\")
        # What it points to must be known here: Windows has links to files and links to directories.
        to_directory = self._is_directory(target)
        # The system makes them by path: while this is open, and not shared with those who rename, no part of the path
        # can be renamed or removed, so it leads where it leads now.
        held = native.open_at(self.parent, "", 0, share=native.SHARE_READ_WRITE)
        try:
            os.symlink(text, os.path.join(native.path_of(held.value or 0), self._entry), to_directory)
        except OSError as error:
            raise of_error(error.winerror or 0) from None

    def _is_directory(self, target: bytes) -> bool:
        """Whether that, from here, is a directory, as far as can be seen from inside."""
        start = HostDirectory(-1, None)
        ways = [self._start.fd, *(one.value or 0 for one in self._opened)]
        while target.split(b"/", 1)[0] == b".." and len(ways) > 1:
            ways.pop()
            target = target[2:].lstrip(b"/")
        own = native.duplicate(ways[-1])
        value = own.value
        assert value is not None
        start.fd = value
        own.value = None
        try:
            with HostPlace(start, target or b".", 0) as place:
                return place.stat()[2] == FileType.DIRECTORY
        except (OSError, WasiError):
            return False

    def read_link(self) -> bytes:
        handle = self._open(0)
        return native.read_link(handle.value or 0)
