"""Files, streams and directories of Windows: handles of the system."""

from __future__ import annotations

import msvcrt
import os
from _thread import RLock
from collections.abc import Callable, Iterator
from functools import partial

from wasm_wasi.abi import (
    AGAIN,
    ALL_RIGHTS,
    DIRECTORY_RIGHTS,
    FBIG,
    FILE_RIGHTS,
    INVAL,
    NOSPC,
    NOTSUP,
    READ_WRITE,
    STREAM_RIGHTS,
    FdFlag,
    FileType,
    Right,
)
from wasm_wasi.descriptors import Descriptor, Directory, FileStat, Owned, behind, in_steps, one_step
from wasm_wasi.errors import WasiError
from wasm_wasi.host.windows import native
from wasm_wasi.late import whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_wasi.paths import Place

    #: Reads or writes a buffer: `native.read`, `native.write`.
    Move = Callable[[int, memoryview, int | None], int]

_SEEK_TELL: Final = Right.FD_SEEK | Right.FD_TELL
_APPEND: Final = FdFlag.APPEND
_NONBLOCK: Final = FdFlag.NONBLOCK
# Flags that can be changed once a file is open.
_CHANGEABLE: Final = FdFlag.APPEND | FdFlag.NONBLOCK
# Bytes behind the end from which on a write makes a gap that takes no space.
_GAP: Final = 1 << 17
# The largest size of a file.
_MOST: Final = (1 << 63) - 1
# Most bytes that a pipe is given at once.
_PIPE_STEP: Final = 1 << 16

#: What can be waited for, and what can have happened beside it.
READABLE: Final = 1
WRITABLE: Final = 4
ERROR: Final = 8
HANGUP: Final = 16


class OfHost(Owned):
    """What a handle can do."""

    __slots__ = ()

    _give_back = staticmethod(native.close)

    #: The `fdflags`: Windows keeps none for a handle.
    fdflags: int

    def stat(self) -> FileStat:
        return native.stat(self.fd)

    def flags(self) -> int:
        return self.fdflags

    def set_flags(self, flags: int) -> None:
        if (flags ^ self.fdflags) & ~_CHANGEABLE:
            raise WasiError(NOTSUP)
        # (the slot is that of the subclasses)
        self.fdflags = flags  # type: ignore[misc]

    def set_times(self, access: int, modification: int, flags: int) -> None:
        whole("host.windows.times")
        from wasm_wasi.host.windows.times import set_times

        # What was opened to be read may get other times, if that is allowed.
        set_times(native.open_at(self.fd, "", native.WRITE_ATTRIBUTES), access, modification, flags)


class HostDescriptor(OfHost, Descriptor):
    """A handle that is not that of a directory."""

    __slots__ = ("fd", "fdflags")

    def __init__(self, fd: int, type: int, rights: int, inheriting: int = 0, fdflags: int = 0) -> None:
        """`fd`: -1 if this is to get it later."""
        super().__init__(type, rights, inheriting)
        self.fd = fd
        self.fdflags = fdflags

    def blocks(self) -> bool:
        return not self.fdflags & _NONBLOCK


class File(HostDescriptor):
    """A file on a disk, or a device that never lets one wait."""

    __slots__ = ("_lock",)

    def __init__(self, fd: int, type: int, rights: int, inheriting: int = 0, fdflags: int = 0) -> None:
        super().__init__(fd, type, rights, inheriting, fdflags)
        # To read at a position moves the handle's own, which is put back.
        self._lock = RLock()

    def read(self, buffers: list[memoryview]) -> int:
        if self.type != FileType.REGULAR_FILE:
            # What does not end is read in parts.
            buffers = one_step(buffers)
        return in_steps(lambda part, done: self._move(native.read, part, None), buffers)

    def write(self, buffers: list[memoryview]) -> int:
        if self.type != FileType.REGULAR_FILE:
            return self._move(native.write, one_step(buffers), None)
        if self.fdflags & _APPEND:
            return in_steps(lambda part, done: self._move(native.write, part, native.THE_END), buffers)
        self._expect(buffers, None)
        return in_steps(lambda part, done: self._move(native.write, part, None), buffers)

    def pread(self, buffers: list[memoryview], offset: int) -> int:
        if offset < 0:
            raise WasiError(INVAL)
        return in_steps(lambda part, done: self._move_at(native.read, part, offset + done), buffers)

    def pwrite(self, buffers: list[memoryview], offset: int) -> int:
        if offset < 0:
            raise WasiError(INVAL)
        if self.fdflags & _APPEND:
            # As on Linux.
            return in_steps(lambda part, done: self._move_at(native.write, part, native.THE_END), buffers)
        self._expect(buffers, offset)
        return in_steps(lambda part, done: self._move_at(native.write, part, offset + done), buffers)

    def _move(self, move: Move, buffers: list[memoryview], offset: int | None) -> int:
        """Read or write buffers one after the other; how many bytes."""
        total = 0
        with self._lock:
            for buffer in buffers:
                at = offset if offset is None or offset == native.THE_END else offset + total
                moved = move(self.fd, buffer, at)
                total += moved
                if moved < len(buffer):
                    break
        return total

    def _move_at(self, move: Move, buffers: list[memoryview], offset: int) -> int:
        """The same at a position; the handle's own is left where it is."""
        with self._lock:
            own = native.seek(self.fd, 0, os.SEEK_CUR)
            try:
                return self._move(move, buffers, offset)
            finally:
                native.seek(self.fd, own, os.SEEK_SET)

    def _expect(self, buffers: list[memoryview], offset: int | None) -> None:
        """Something is about to be written there; None for the handle's own position.

        Far behind the end, all before it would be written too, as zeros.
        """
        if offset is None:
            offset = native.seek(self.fd, 0, os.SEEK_CUR)
        if offset > native.size_of(self.fd) + _GAP and any(map(len, buffers)) and not native.is_sparse(self.fd):
            native.make_sparse(self.fd)

    def seek(self, offset: int, whence: int) -> int:
        return native.seek(self.fd, offset, whence)

    def advise(self, offset: int, size: int, advice: int) -> None:
        # The system takes advice when a file is opened only.
        pass

    def allocate(self, offset: int, size: int) -> None:
        before = native.size_of(self.fd)
        if offset + size > _MOST:
            raise WasiError(FBIG)
        # Known at once, instead of when everything is full.
        if offset + size - max(offset, before) > native.free_space(self.fd):
            raise WasiError(NOSPC)
        # (what is not sparse has space for all of it)
        if offset + size > before:
            native.set_size(self.fd, offset + size)

    def sync(self, data_only: bool) -> None:
        whole("host.windows.waits")
        from wasm_wasi.host.windows.waits import apart

        # The system lets only those do this who may write; a reader has nothing to wait for.
        if native.access_of(self.fd) & (native.WRITE_DATA | native.APPEND_DATA):
            apart(partial(_flush, native.duplicate(self.fd)))

    def set_size(self, size: int) -> None:
        if size < 0:
            raise WasiError(INVAL)
        before = native.size_of(self.fd)
        if size > before + _GAP and not native.is_sparse(self.fd):
            native.make_sparse(self.fd)
        whole("steps")
        from wasm_wasi.steps import paced

        # To give back gigabytes takes long.
        for at, part in paced(before - size):
            native.set_size(self.fd, before - at - part)
        native.set_size(self.fd, size)


#: For who has seen that a pipe has something, and reads that: another reader would let him wait in the system.
_reading: Final = RLock()


class Pipe(HostDescriptor):
    """A pipe. Windows has nothing that waits for one: we look again and again."""

    __slots__ = ()

    def waitable(self) -> bool:
        return True

    def ready(self, events: int) -> int:
        """For what of `waits.READABLE`, ... it is ready. For writing always: whether there is room is not known while
        somebody reads."""
        ready = events & WRITABLE
        if events & READABLE:
            try:
                if native.pipe_content(self.fd) != 0:
                    ready |= READABLE
            except OSError:
                ready |= READABLE | HANGUP
        return ready

    def available(self) -> int:
        """Bytes that can be read at once."""
        return native.pipe_content(self.fd) or 0

    def read(self, buffers: list[memoryview]) -> int:
        buffers = one_step([buffer for buffer in buffers if len(buffer)])
        if not buffers:
            return 0
        whole("host.windows.waits")
        from wasm_wasi.host.windows import waits

        buffer = buffers[0]
        while True:
            try:
                with _reading:
                    there = native.pipe_content(self.fd)
                    if there:
                        return native.read(self.fd, buffer[:there])
            except OSError:
                # Nobody has the other end.
                return 0
            if there is None:
                break
            if not self.blocks():
                raise WasiError(AGAIN)
            waits.wait(self, READABLE)
        data = bytearray(min(len(buffer), _PIPE_STEP))
        count = waits.apart(partial(_read, native.duplicate(self.fd), data))
        buffer[:count] = data[:count]
        return count

    def write(self, buffers: list[memoryview]) -> int:
        whole("host.windows.waits")
        from wasm_wasi.host.windows import waits

        total = 0
        buffers = [buffer for buffer in buffers if len(buffer)]
        while buffers:
            room = native.pipe_room(self.fd)
            part = buffers[0][: min(room, _PIPE_STEP) or _PIPE_STEP]
            try:
                if room:
                    moved = native.write(self.fd, part)
                elif self.blocks():
                    moved = waits.apart(partial(_write, native.duplicate(self.fd), bytearray(part)))
                elif total:
                    break
                else:
                    raise WasiError(AGAIN)
            except OSError:
                if not total:
                    raise
                break
            total += moved
            buffers = behind(buffers, moved)
        return total


# For threads of their own, which let go of the handle in the end.


def _read(handle: native.Handle, data: bytearray) -> int:
    return native.read(handle.value or 0, data)


def _write(handle: native.Handle, data: bytearray) -> int:
    return native.write(handle.value or 0, data)


def _flush(handle: native.Handle) -> None:
    native.flush(handle.value or 0)


class HostDirectory(OfHost, Directory):
    """A directory of the host."""

    __slots__ = ("fd", "fdflags")

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
        self.fdflags = 0

    def place(self, path: bytes, last: int) -> Place:
        whole("host.windows.places")
        from wasm_wasi.host.windows.places import HostPlace

        return HostPlace(self, path, last)

    def inode(self) -> int:
        return native.number_of(self.fd)

    def scan(self) -> Iterator[tuple[int, bytes, int]]:
        # A handle knows how far it has been read.
        own = native.open_at(self.fd, "", native.READ_DATA)
        assert own.value is not None
        for number, name, kind in native.entries(own.value):
            yield number, os.fsencode(name), kind

    def sync(self, data_only: bool) -> None:
        # Entries are kept by the file system itself, as soon as it wants to.
        pass

    def close(self) -> None:
        OfHost.close(self)
        Directory.close(self)


def most_descriptors() -> int | None:
    """How many the process may have open: handles as many as it likes."""
    return None


def open_directory(path: str) -> int:
    """Open a directory of the embedder, for `HostDirectory`.

    Raises:
        OSError: It is not there, or no directory.
    """
    return _taken(native.open_directory(path))


def check_directory(path: str) -> None:
    """Say what is wrong with a directory, if something is. Raises as `open_directory`."""
    native.open_directory(path)


def _taken(handle: native.Handle) -> int:
    """What a handle stands for, which the caller has to close from now on."""
    value = handle.value
    assert value is not None
    handle.value = None
    return value


def stream_at(path: str | os.PathLike[str], right: int) -> Descriptor:
    """The descriptor for a file to read from, or to make empty and append to.

    Raises:
        OSError: It cannot be opened.
    """
    reads = right == Right.FD_READ
    flags = os.O_RDONLY if reads else os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    fd = os.open(path, flags | os.O_NOINHERIT | os.O_BINARY, 0o666)
    try:
        return _stream(fd, right, 0 if reads else FdFlag.APPEND)
    finally:
        os.close(fd)


def stream_of(fd: int, right: int) -> Descriptor:
    """The descriptor for a number that Python has open, and keeps.

    Raises:
        OSError: It is not open.
    """
    return _stream(fd, right, 0)


def _stream(fd: int, right: int, fdflags: int) -> Descriptor:
    if os.isatty(fd):
        from wasm_wasi.host.windows.consoles import Console, is_console

        if is_console(fd):
            return Console(fd, right)
    own = native.duplicate(msvcrt.get_osfhandle(fd))
    value = own.value
    assert value is not None
    access = native.access_of(value)
    if (right == Right.FD_READ and not access & native.READ_DATA) or (
        right == Right.FD_WRITE and not access & (native.WRITE_DATA | native.APPEND_DATA)
    ):
        right = 0
    kind = native.type_of(value)
    descriptor: HostDescriptor
    # The flags belong to the open file, which other programs may share: not the program's to change.
    if kind == native.DISK:
        rights = FILE_RIGHTS & ~(READ_WRITE | Right.FD_FDSTAT_SET_FLAGS)
        descriptor = File(-1, FileType.REGULAR_FILE, rights | right, fdflags=fdflags)
    elif kind == native.PIPE:
        rights = STREAM_RIGHTS & ~(READ_WRITE | Right.FD_FDSTAT_SET_FLAGS)
        descriptor = Pipe(-1, FileType.UNKNOWN, rights | right)
    else:
        rights = STREAM_RIGHTS & ~(READ_WRITE | Right.FD_FDSTAT_SET_FLAGS) | _SEEK_TELL
        descriptor = File(-1, FileType.CHARACTER_DEVICE, rights | right)
    descriptor.fd = value
    own.value = None
    return descriptor
