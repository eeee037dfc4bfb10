"""The functions on paths (`path_*`): each starts from a directory that the program has, and stays in it."""

from __future__ import annotations

import errno
import os
import stat
from functools import partial
from typing import Final

from wasm_wasi.abi import (
    ALL_RIGHTS,
    DIRECTORY_RIGHTS,
    EXIST,
    FILESTAT,
    INVAL,
    ISDIR,
    NOENT,
    NOTCAPABLE,
    NOTDIR,
    SYMLINK_FOLLOW,
    FdFlag,
    FileType,
    OpenFlag,
    Right,
)
from wasm_wasi.descriptors import (
    Descriptor,
    Directory,
    File,
    HostDescriptor,
    file_rights,
    file_stat,
    file_type,
    open_flags,
)
from wasm_wasi.errors import WasiError
from wasm_wasi.opened import Opened
from wasm_wasi.paths import ENTRY, FOLLOW, NO_FOLLOW, Place
from wasm_wasi.process import Process
from wasmetal import interruption

# Plain ints: what every opening tests.
_CREAT: Final = OpenFlag.CREAT
_DIRECTORY: Final = OpenFlag.DIRECTORY
_EXCL: Final = OpenFlag.EXCL
_TRUNC: Final = OpenFlag.TRUNC
_OPEN: Final = Right.PATH_OPEN
_CREATE: Final = Right.PATH_CREATE_FILE
_TRUNCATE: Final = Right.PATH_FILESTAT_SET_SIZE
_DATASYNC_RIGHT: Final = Right.FD_DATASYNC
_SYNC_RIGHT: Final = Right.FD_SYNC
_DSYNC: Final = FdFlag.DSYNC
_NONBLOCK: Final = FdFlag.NONBLOCK
_SYNC: Final = FdFlag.RSYNC | FdFlag.SYNC
_READ_WRITE: Final = Right.FD_READ | Right.FD_WRITE
# Rights that are used by reading, and by writing.
_READS: Final = Right.FD_READ | Right.FD_READDIR
# Seconds between two attempts to open what another process must open, or give back, first.
_AGAIN: Final = 0.01
_WRITES: Final = Right.FD_WRITE | Right.FD_ALLOCATE | Right.FD_FILESTAT_SET_SIZE


def _last(lookup: int) -> int:
    return FOLLOW if lookup & SYMLINK_FOLLOW else NO_FOLLOW


def _place(process: Process, fd: int, right: int, pointer: int, size: int, last: int) -> Place:
    directory = process.table.directory(fd, right)
    return Place(directory.host(), process.guest.path(pointer, size), last)


def path_open(
    process: Process,
    fd: int,
    lookup: int,
    pointer: int,
    size: int,
    how: int,
    rights: int,
    inheriting: int,
    fdflags: int,
    result: int,
) -> None:
    needed = _OPEN
    rights &= ALL_RIGHTS
    inheriting &= ALL_RIGHTS
    passed_on = rights | inheriting
    flags = open_flags(fdflags) | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
    if fdflags & _DSYNC:
        passed_on |= _DATASYNC_RIGHT
    if fdflags & _SYNC:
        passed_on |= _SYNC_RIGHT
    if how & _CREAT:
        if how & _DIRECTORY:
            raise WasiError(INVAL)
        flags |= os.O_CREAT
        needed |= _CREATE
    if how & _EXCL:
        flags |= os.O_EXCL
    if how & _TRUNC:
        flags |= os.O_TRUNC
        needed |= _TRUNCATE
    directory = process.table.directory(fd, needed)
    if passed_on & ~directory.inheriting:
        raise WasiError(NOTCAPABLE)
    if how & _DIRECTORY:
        flags |= os.O_DIRECTORY
        if rights & _READ_WRITE == _READ_WRITE:
            # The system says EISDIR, as it does for whoever wants to write to a directory.
            flags |= os.O_RDWR
    elif rights & _WRITES:
        flags |= os.O_RDWR if rights & _READS else os.O_WRONLY
    last = NO_FOLLOW if how & _CREAT and how & _EXCL else _last(lookup)
    process.guest.check(result, 4)
    process.table.check_room()
    with Place(directory.host(), process.guest.path(pointer, size), last) as place:
        opened = _open(place, flags, not fdflags & _NONBLOCK)
        if not fdflags & _NONBLOCK:
            os.set_blocking(opened[0], True)
        descriptor = _opened(opened, rights, inheriting, place, directory)
    process.guest.store_u32(result, process.table.add(descriptor))


def _open(place: Place, flags: int, waits: bool) -> Opened:
    """Open what a path leads to.

    Nothing that opening could wait for is waited for by the system: a FIFO that is read waits when it is read, one that
    is written to waits here for a reader.
    """
    opened = Opened()
    while True:
        try:
            opened += map(partial(os.open, dir_fd=place.parent), (place.name,), (flags,), (0o666,))
            return opened
        except OSError as error:
            if not waits:
                raise
            if error.errno == errno.ENXIO:
                mode = os.stat(place.name, dir_fd=place.parent, follow_symlinks=False).st_mode
                if not stat.S_ISFIFO(mode):
                    raise
            elif error.errno != errno.EAGAIN:
                # EAGAIN: another process has a lease on the file, and is told to give it back.
                raise
        interruption.sleep(_AGAIN)


def _opened(opened: Opened, rights: int, inheriting: int, place: Place, start: Directory) -> Descriptor:
    """The descriptor for what was opened, which it takes over."""
    fd = opened[0]
    kind = file_type(os.fstat(fd).st_mode)
    descriptor: HostDescriptor
    if kind == FileType.DIRECTORY:
        descriptor = Directory(-1, None, rights & DIRECTORY_RIGHTS, inheriting, place.above(start.above))
    else:
        # Nothing is opened through a file, so it passes nothing on.
        descriptor = File(-1, kind, rights & file_rights(fd, kind))
    # No call stands between these: one of the two closes it.
    descriptor.fd = fd
    del opened[0]
    return descriptor


def path_filestat_get(process: Process, fd: int, lookup: int, pointer: int, size: int, result: int) -> None:
    process.guest.check(result, FILESTAT.size)
    with _place(process, fd, Right.PATH_FILESTAT_GET, pointer, size, _last(lookup)) as place:
        status = os.stat(place.name, dir_fd=place.parent, follow_symlinks=False)
    process.guest.store(FILESTAT, result, *file_stat(status))


def path_filestat_set_times(
    process: Process, fd: int, lookup: int, pointer: int, size: int, access: int, modification: int, flags: int
) -> None:
    from wasm_wasi.times import set_times_at

    with _place(process, fd, Right.PATH_FILESTAT_SET_TIMES, pointer, size, _last(lookup)) as place:
        set_times_at(place.parent, place.name, access, modification, flags)


def path_create_directory(process: Process, fd: int, pointer: int, size: int) -> None:
    with _place(process, fd, Right.PATH_CREATE_DIRECTORY, pointer, size, ENTRY) as place:
        os.mkdir(place.name, dir_fd=place.parent)


def path_remove_directory(process: Process, fd: int, pointer: int, size: int) -> None:
    with _place(process, fd, Right.PATH_REMOVE_DIRECTORY, pointer, size, ENTRY) as place:
        os.rmdir(place.name, dir_fd=place.parent)


def _is_directory(place: Place) -> bool:
    return stat.S_ISDIR(os.stat(place.name, dir_fd=place.parent, follow_symlinks=False).st_mode)


def path_unlink_file(process: Process, fd: int, pointer: int, size: int) -> None:
    with _place(process, fd, Right.PATH_UNLINK_FILE, pointer, size, ENTRY) as place:
        if place.slash:
            raise WasiError(ISDIR if _is_directory(place) else NOTDIR)
        os.unlink(place.name, dir_fd=place.parent)


def path_rename(
    process: Process, fd: int, pointer: int, size: int, new_fd: int, new_pointer: int, new_size: int
) -> None:
    with (
        _place(process, fd, Right.PATH_RENAME_SOURCE, pointer, size, ENTRY) as old,
        _place(process, new_fd, Right.PATH_RENAME_TARGET, new_pointer, new_size, ENTRY) as new,
    ):
        if (old.slash or new.slash) and not _is_directory(old):
            raise WasiError(NOTDIR)
        os.rename(old.name, new.name, src_dir_fd=old.parent, dst_dir_fd=new.parent)


def _refuse_slash(place: Place) -> None:
    """Something that is no directory is to be made here, so there must be no slash behind its name."""
    if place.slash:
        try:
            raise WasiError(EXIST if _is_directory(place) else NOTDIR)
        except FileNotFoundError:
            raise WasiError(NOENT) from None


def path_link(
    process: Process, fd: int, lookup: int, pointer: int, size: int, new_fd: int, new_pointer: int, new_size: int
) -> None:
    with (
        _place(process, fd, Right.PATH_LINK_SOURCE, pointer, size, _last(lookup)) as old,
        _place(process, new_fd, Right.PATH_LINK_TARGET, new_pointer, new_size, ENTRY) as new,
    ):
        _refuse_slash(new)
        os.link(old.name, new.name, src_dir_fd=old.parent, dst_dir_fd=new.parent, follow_symlinks=False)


def path_symlink(process: Process, pointer: int, size: int, fd: int, new_pointer: int, new_size: int) -> None:
    target = process.guest.path(pointer, size)
    # It could not be followed from inside; from outside it would lead wherever the program likes.
    if target.startswith(b"/"):
        raise WasiError(NOTCAPABLE)
    with _place(process, fd, Right.PATH_SYMLINK, new_pointer, new_size, ENTRY) as place:
        _refuse_slash(place)
        os.symlink(target, place.name, dir_fd=place.parent)


def path_readlink(
    process: Process, fd: int, pointer: int, size: int, buffer: int, buffer_size: int, result: int
) -> None:
    guest = process.guest
    guest.check(result, 4)
    room = guest.slice(buffer, buffer_size)
    with _place(process, fd, Right.PATH_READLINK, pointer, size, NO_FOLLOW) as place:
        target = os.readlink(place.name, dir_fd=place.parent)[: len(room)]
    room[: len(target)] = target
    guest.store_u32(result, len(target))
