"""The functions on paths (`path_*`): each starts from a directory that the program has, and stays in it."""

from __future__ import annotations

from wasm_wasi.abi import (
    ALL_RIGHTS,
    EXIST,
    FILESTAT,
    INVAL,
    ISDIR,
    NOENT,
    NOTCAPABLE,
    NOTDIR,
    ROFS,
    SYMLINK_FOLLOW,
    WRITES,
    XDEV,
    FdFlag,
    FileType,
    OpenFlag,
    Right,
)
from wasm_wasi.errors import WasiError, errno_of
from wasm_wasi.paths import ENTRY, FOLLOW, NO_FOLLOW, Place
from wasm_wasi.process import Process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

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
_SYNC: Final = FdFlag.RSYNC | FdFlag.SYNC
# Rights that are used by writing.


def _last(lookup: int) -> int:
    return FOLLOW if lookup & SYMLINK_FOLLOW else NO_FOLLOW


def _place(process: Process, fd: int, right: int, pointer: int, size: int, last: int) -> Place:
    return process.table.directory(fd, right).place(process.guest.path(pointer, size), last)


def _place_to_change(
    process: Process, fd: int, right: int, pointer: int, size: int, last: int, *, makes: bool = False
) -> Place:
    """The same, for what changes something there (else EROFS; EEXIST if it is there already and was to be made)."""
    directory = process.table.directory(fd, right)
    place = directory.place(process.guest.path(pointer, size), last)
    if directory.read_only:
        with place:
            raise WasiError(EXIST if makes and _type(place) is not None else ROFS)
    return place


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
    if fdflags & _DSYNC:
        passed_on |= _DATASYNC_RIGHT
    if fdflags & _SYNC:
        passed_on |= _SYNC_RIGHT
    if how & _CREAT:
        if how & _DIRECTORY:
            raise WasiError(INVAL)
        needed |= _CREATE
    if how & _TRUNC:
        needed |= _TRUNCATE
    directory = process.table.directory(fd, needed)
    if passed_on & ~directory.inheriting:
        raise WasiError(NOTCAPABLE)
    last = NO_FOLLOW if how & _CREAT and how & _EXCL else _last(lookup)
    process.guest.check(result, 4)
    process.table.check_room()
    with directory.place(process.guest.path(pointer, size), last) as place:
        if directory.read_only:
            how = _unchanging(place, how, rights)
        descriptor = place.open(how, rights, inheriting, fdflags)
    process.guest.store_u32(result, process.table.add(descriptor))


def _unchanging(place: Place, how: int, rights: int) -> int:
    """How to open something in a directory that is read-only, without those flags that change something.

    Raises:
        WasiError: It would have to be changed: what a file system that is read-only says.
    """
    kind = _type(place)
    if kind is None:
        raise WasiError(ROFS if how & _CREAT else NOENT)
    if how & _CREAT and how & _EXCL:
        raise WasiError(EXIST)
    if kind == FileType.REGULAR_FILE and how & _DIRECTORY:
        raise WasiError(NOTDIR)
    # What is asked of a directory, the opening itself answers; but nothing else is opened to write.
    if kind not in (FileType.DIRECTORY, FileType.SYMBOLIC_LINK) and (how & _TRUNC or rights & WRITES):
        raise WasiError(ROFS)
    return how & ~(_CREAT | _EXCL | _TRUNC)


def _type(place: Place) -> int | None:
    """The type of what is there, None if there is nothing."""
    try:
        return place.stat()[2]
    except OSError as error:
        if errno_of(error) != NOENT:
            raise
    except WasiError as error:
        if error.errno != NOENT:
            raise
    return None


def path_filestat_get(process: Process, fd: int, lookup: int, pointer: int, size: int, result: int) -> None:
    process.guest.check(result, FILESTAT.size)
    with _place(process, fd, Right.PATH_FILESTAT_GET, pointer, size, _last(lookup)) as place:
        status = place.stat()
    process.guest.store(FILESTAT, result, *status)


def path_filestat_set_times(
    process: Process, fd: int, lookup: int, pointer: int, size: int, access: int, modification: int, flags: int
) -> None:
    with _place_to_change(process, fd, Right.PATH_FILESTAT_SET_TIMES, pointer, size, _last(lookup)) as place:
        place.set_times(access, modification, flags)


def path_create_directory(process: Process, fd: int, pointer: int, size: int) -> None:
    with _place_to_change(process, fd, Right.PATH_CREATE_DIRECTORY, pointer, size, ENTRY, makes=True) as place:
        place.make_directory()


def path_remove_directory(process: Process, fd: int, pointer: int, size: int) -> None:
    with _place_to_change(process, fd, Right.PATH_REMOVE_DIRECTORY, pointer, size, ENTRY) as place:
        place.remove_directory()


def path_unlink_file(process: Process, fd: int, pointer: int, size: int) -> None:
    with _place_to_change(process, fd, Right.PATH_UNLINK_FILE, pointer, size, ENTRY) as place:
        if place.slash:
            raise WasiError(ISDIR if place.stat()[2] == FileType.DIRECTORY else NOTDIR)
        place.unlink()


def _check_pair(old: Place, new: Place) -> None:
    """Files of the host and virtual ones are different file systems."""
    if type(old) is not type(new):
        raise WasiError(XDEV)


def path_rename(
    process: Process, fd: int, pointer: int, size: int, new_fd: int, new_pointer: int, new_size: int
) -> None:
    with (
        _place_to_change(process, fd, Right.PATH_RENAME_SOURCE, pointer, size, ENTRY) as old,
        _place_to_change(process, new_fd, Right.PATH_RENAME_TARGET, new_pointer, new_size, ENTRY) as new,
    ):
        _check_pair(old, new)
        if (old.slash or new.slash) and old.stat()[2] != FileType.DIRECTORY:
            raise WasiError(NOTDIR)
        old.rename(new)


def _refuse_slash(place: Place) -> None:
    """Something that is no directory is to be made here, so there must be no slash behind its name."""
    if place.slash:
        kind = _type(place)
        raise WasiError(NOENT if kind is None else EXIST if kind == FileType.DIRECTORY else NOTDIR)


def path_link(
    process: Process, fd: int, lookup: int, pointer: int, size: int, new_fd: int, new_pointer: int, new_size: int
) -> None:
    # (through another name, elsewhere, a file of a read-only directory could be changed)
    with (
        _place_to_change(process, fd, Right.PATH_LINK_SOURCE, pointer, size, _last(lookup)) as old,
        _place_to_change(process, new_fd, Right.PATH_LINK_TARGET, new_pointer, new_size, ENTRY) as new,
    ):
        _check_pair(old, new)
        _refuse_slash(new)
        old.link(new)


def path_symlink(process: Process, pointer: int, size: int, fd: int, new_pointer: int, new_size: int) -> None:
    target = process.guest.path(pointer, size)
    # It could not be followed from inside; from outside it would lead wherever the program likes.
    if target.startswith(b"/"):
        raise WasiError(NOTCAPABLE)
    with _place_to_change(process, fd, Right.PATH_SYMLINK, new_pointer, new_size, ENTRY, makes=True) as place:
        _refuse_slash(place)
        place.make_link(target)


def path_readlink(
    process: Process, fd: int, pointer: int, size: int, buffer: int, buffer_size: int, result: int
) -> None:
    guest = process.guest
    guest.check(result, 4)
    room = guest.slice(buffer, buffer_size)
    with _place(process, fd, Right.PATH_READLINK, pointer, size, NO_FOLLOW) as place:
        target = place.read_link()[: len(room)]
    room[: len(target)] = target
    guest.store_u32(result, len(target))
