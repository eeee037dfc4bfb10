"""The functions on open descriptors (`fd_*`)."""

from __future__ import annotations

import os

from wasm_wasi.abi import (
    BADF,
    FDSTAT,
    FILESTAT,
    INVAL,
    NAMETOOLONG,
    NOTCAPABLE,
    PREOPEN_DIRECTORY,
    PRESTAT,
    U32,
    U64,
    Right,
)
from wasm_wasi.descriptors import Directory
from wasm_wasi.errors import WasiError
from wasm_wasi.guest_memory import MASK32, MASK64
from wasm_wasi.process import Process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_READ: Final = Right.FD_READ
_WRITE: Final = Right.FD_WRITE
_SEEK: Final = Right.FD_SEEK
_TELL: Final = Right.FD_TELL

# By `whence`.
_WHENCE: Final = (os.SEEK_SET, os.SEEK_CUR, os.SEEK_END)

# How many kinds of advice there are.
_ADVICE_COUNT: Final = 6


def fd_read(process: Process, fd: int, iovs: int, count: int, result: int) -> None:
    descriptor = process.table.get(fd, _READ)
    guest = process.guest
    result = guest.check(result, 4)
    U32.pack_into(guest.view, result, descriptor.read(guest.buffers(iovs, count)))


def fd_write(process: Process, fd: int, iovs: int, count: int, result: int) -> None:
    descriptor = process.table.get(fd, _WRITE)
    guest = process.guest
    result = guest.check(result, 4)
    U32.pack_into(guest.view, result, descriptor.write(guest.buffers(iovs, count)))


def fd_pread(process: Process, fd: int, iovs: int, count: int, offset: int, result: int) -> None:
    descriptor = process.table.get(fd, _READ | _SEEK)
    guest = process.guest
    guest.check(result, 4)
    guest.store_u32(result, descriptor.pread(guest.buffers(iovs, count), offset))


def fd_pwrite(process: Process, fd: int, iovs: int, count: int, offset: int, result: int) -> None:
    descriptor = process.table.get(fd, _WRITE | _SEEK)
    guest = process.guest
    guest.check(result, 4)
    guest.store_u32(result, descriptor.pwrite(guest.buffers(iovs, count), offset))


def fd_seek(process: Process, fd: int, offset: int, whence: int, result: int) -> None:
    tells = offset == 0 and whence == os.SEEK_CUR
    descriptor = process.table.get(fd, _TELL if tells else _SEEK)
    if not 0 <= whence < len(_WHENCE):
        raise WasiError(INVAL)
    guest = process.guest
    result = guest.check(result, 8)
    U64.pack_into(guest.view, result, descriptor.seek(offset, _WHENCE[whence]))


def fd_tell(process: Process, fd: int, result: int) -> None:
    fd_seek(process, fd, 0, os.SEEK_CUR, result)


def fd_close(process: Process, fd: int) -> None:
    process.table.close(fd)


def fd_renumber(process: Process, source: int, target: int) -> None:
    process.table.renumber(source, target)


def fd_advise(process: Process, fd: int, offset: int, size: int, advice: int) -> None:
    descriptor = process.table.get(fd, Right.FD_ADVISE)
    if not 0 <= advice < _ADVICE_COUNT or offset < 0 or size < 0:
        raise WasiError(INVAL)
    descriptor.advise(offset, size, advice)


def fd_allocate(process: Process, fd: int, offset: int, size: int) -> None:
    descriptor = process.table.get(fd, Right.FD_ALLOCATE)
    if offset < 0 or size <= 0:
        raise WasiError(INVAL)
    descriptor.allocate(offset, size)


def fd_sync(process: Process, fd: int) -> None:
    process.table.get(fd, Right.FD_SYNC).sync(data_only=False)


def fd_datasync(process: Process, fd: int) -> None:
    process.table.get(fd, Right.FD_DATASYNC).sync(data_only=True)


def fd_fdstat_get(process: Process, fd: int, result: int) -> None:
    descriptor = process.table.get(fd, 0)
    process.guest.store(FDSTAT, result, descriptor.type, descriptor.flags(), descriptor.rights, descriptor.inheriting)


def fd_fdstat_set_flags(process: Process, fd: int, flags: int) -> None:
    descriptor = process.table.get(fd, Right.FD_FDSTAT_SET_FLAGS)
    descriptor.set_flags(flags)


def fd_fdstat_set_rights(process: Process, fd: int, rights: int, inheriting: int) -> None:
    descriptor = process.table.get(fd, 0)
    rights &= MASK64
    inheriting &= MASK64
    # Rights can be given up, never won.
    if rights & ~descriptor.rights or inheriting & ~descriptor.inheriting:
        raise WasiError(NOTCAPABLE)
    descriptor.rights = rights
    descriptor.inheriting = inheriting


def fd_filestat_get(process: Process, fd: int, result: int) -> None:
    process.guest.store(FILESTAT, result, *process.table.get(fd, Right.FD_FILESTAT_GET).stat())


def fd_filestat_set_size(process: Process, fd: int, size: int) -> None:
    process.table.get(fd, Right.FD_FILESTAT_SET_SIZE).set_size(size)


def fd_filestat_set_times(process: Process, fd: int, access: int, modification: int, flags: int) -> None:
    process.table.get(fd, Right.FD_FILESTAT_SET_TIMES).set_times(access, modification, flags)


def _preopen(process: Process, fd: int) -> bytes:
    descriptor = process.table.get(fd, 0)
    # C libraries go through the numbers until this error tells them that there are no more.
    if not isinstance(descriptor, Directory) or descriptor.preopen is None:
        raise WasiError(BADF)
    return descriptor.preopen


def fd_prestat_get(process: Process, fd: int, result: int) -> None:
    process.guest.store(PRESTAT, result, PREOPEN_DIRECTORY, len(_preopen(process, fd)))


def fd_prestat_dir_name(process: Process, fd: int, pointer: int, size: int) -> None:
    name = _preopen(process, fd)
    if size & MASK32 < len(name):
        raise WasiError(NAMETOOLONG)
    process.guest.slice(pointer, len(name))[:] = name


def fd_readdir(process: Process, fd: int, pointer: int, size: int, cookie: int, result: int) -> None:
    directory = process.table.directory(fd, Right.FD_READDIR)
    guest = process.guest
    guest.check(result, 4)
    buffer = guest.slice(pointer, size)
    guest.store_u32(result, directory.read_entries(cookie & MASK64, buffer, process.table.listings))
