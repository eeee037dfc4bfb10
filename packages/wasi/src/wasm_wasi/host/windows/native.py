"""The functions of Windows that files need: opening relative to a directory, reading, writing, information, control.

What a name means is asked of the kernel (NtCreateFile), which takes one entry of an open directory; the interface above
it takes whole paths.
"""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Iterator
from ctypes import byref, c_int, c_int64, c_uint32, c_uint64, c_void_p
from struct import Struct

from wasm_wasi.host.windows import reparse
from wasm_wasi.host.windows.errors import (
    BY_STATUS,
    ERROR_BROKEN_PIPE,
    ERROR_HANDLE_EOF,
    ERROR_NO_MORE_FILES,
    ERROR_PIPE_NOT_CONNECTED,
    UNKNOWN_REQUEST,
    of_error,
    os_error,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    from wasm_wasi.descriptors import FileStat

# Access (winnt.h).
READ_DATA: Final = 0x1
WRITE_DATA: Final = 0x2
APPEND_DATA: Final = 0x4
READ_ATTRIBUTES: Final = 0x80
WRITE_ATTRIBUTES: Final = 0x100
DELETE: Final = 0x10000
_SYNCHRONIZE: Final = 0x100000
#: With whom a file is shared: those who read, write and remove it.
SHARE_READ_WRITE: Final = 0x3
_SHARE_ALL: Final = 0x7

# What NtCreateFile does with a file that is there, or is not (wdm.h); and its options.
OPEN: Final = 1
CREATE: Final = 2
OPEN_OR_CREATE: Final = 3
DIRECTORY_ONLY: Final = 0x1
WRITE_THROUGH: Final = 0x2
_SYNCHRONOUS: Final = 0x20
_THE_LINK_ITSELF: Final = 0x200000
_CASE_INSENSITIVE: Final = 0x40

_ATTRIBUTE_NORMAL: Final = 0x80
_ATTRIBUTE_SPARSE: Final = 0x200

# GetFileType
DISK: Final = 1
CHARACTER: Final = 2
PIPE: Final = 3

_BACKUP_SEMANTICS: Final = 0x02000000
_OPEN_EXISTING: Final = 3
_SAME_ACCESS: Final = 2
_THREAD_TERMINATE: Final = 1
_GET_REPARSE_POINT: Final = 0x000900A8
_SET_SPARSE: Final = 0x000900C4
_MAX_REPARSE_DATA: Final = 16384
_MAX_PATH: Final = 32768

# FILE_INFORMATION_CLASS, FS_INFORMATION_CLASS (wdm.h); FILE_INFO_BY_HANDLE_CLASS (minwinbase.h).
_BASIC: Final = 4
_ACCESS: Final = 8
_RENAME: Final = 10
_LINK: Final = 11
_DISPOSITION: Final = 13
_END_OF_FILE: Final = 20
_PIPE_LOCAL: Final = 24
_DISPOSITION_EX: Final = 64
_RENAME_EX: Final = 65
_VOLUME_SIZE: Final = 3
_BASIC_INFO: Final = 0
_TAG_INFO: Final = 9
_ENTRIES_INFO: Final = 10
_ENTRIES_FROM_START_INFO: Final = 11

#: Remove at once, also what others have open, and what is marked as not to be changed.
_REMOVE_POSIX: Final = 0x1 | 0x2 | 0x10
#: Replace what is there, the same way.
_REPLACE_POSIX: Final = 0x1 | 0x2 | 0x40
_REPLACE: Final = 0x1

_U32: Final = Struct("<I")
_I64: Final = Struct("<q")
_U64: Final = Struct("<Q")
# Times of creation, access, writing, change; attributes.
_TIMES: Final = Struct("<qqqqIxxxx")
_TAG: Final = Struct("<II")
# Attributes, volume, size and links, number: behind the times.
_FILE: Final = Struct("<I24xIIIIII")
# Next entry; attributes, size of the name, tag; number. The name follows.
_ENTRY: Final = Struct("<I52xIII28xq")
_ENTRIES_SIZE: Final = 1 << 16
# Flags, directory, size of the name. The name follows.
_NEW_NAME: Final = Struct("<IxxxxQI")
# Units that are free; sectors of one, bytes of a sector.
_VOLUME: Final = Struct("<8xqII")
# What can be written.
_PIPE_ROOM: Final = Struct("<28xI8x")

#: 1970, and a unit in nanoseconds, in the time of Windows.
_EPOCH: Final = 116444736000000000
_UNIT: Final = 100
_MASK64: Final = (1 << 64) - 1
#: As the position of a write: the end, wherever it is then.
THE_END: Final = _MASK64


class Handle(c_void_p):
    """A handle of the system, which is closed with this object. To keep it: take `value`, and then set that to None."""

    __slots__ = ()

    def close(self) -> None:
        value = self.value
        if value is not None:
            self.value = None
            close(value)

    __del__ = close


class _UnicodeString(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("maximum", ctypes.c_uint16), ("buffer", ctypes.c_wchar_p))


class _ObjectAttributes(ctypes.Structure):
    _fields_ = (
        ("length", c_uint32),
        ("root", c_void_p),
        ("name", ctypes.POINTER(_UnicodeString)),
        ("attributes", c_uint32),
        ("security", c_void_p),
        ("quality", c_void_p),
    )


class _IoStatus(ctypes.Structure):
    _fields_ = (("status", c_void_p), ("information", c_void_p))


class _Overlapped(ctypes.Structure):
    _fields_ = (("internal", c_uint64), ("internal_high", c_uint64), ("offset", c_uint64), ("event", c_void_p))


_kernel32: Final = ctypes.WinDLL("kernel32", use_last_error=True)
_ntdll: Final = ctypes.WinDLL("ntdll")


def _function(library: ctypes.WinDLL, name: str, *arguments: Any, result: Any = c_int) -> Any:
    function = getattr(library, name)
    function.restype, function.argtypes = result, arguments
    return function


# As c_void_p: handles, and addresses.
_close_handle: Final = _function(_kernel32, "CloseHandle", c_void_p)
_create_file: Final = _function(
    *(_kernel32, "CreateFileW", ctypes.c_wchar_p, c_uint32, c_uint32, c_void_p, c_uint32, c_uint32, c_void_p),
    result=c_void_p,
)
_duplicate_handle: Final = _function(
    _kernel32, "DuplicateHandle", c_void_p, c_void_p, c_void_p, c_void_p, c_uint32, c_int, c_uint32
)
_read_file: Final = _function(_kernel32, "ReadFile", c_void_p, c_void_p, c_uint32, c_void_p, c_void_p)
_write_file: Final = _function(_kernel32, "WriteFile", c_void_p, c_void_p, c_uint32, c_void_p, c_void_p)
_set_pointer: Final = _function(_kernel32, "SetFilePointerEx", c_void_p, c_int64, c_void_p, c_uint32)
_get_size: Final = _function(_kernel32, "GetFileSizeEx", c_void_p, c_void_p)
_flush: Final = _function(_kernel32, "FlushFileBuffers", c_void_p)
_get_type: Final = _function(_kernel32, "GetFileType", c_void_p, result=c_uint32)
_get_information: Final = _function(_kernel32, "GetFileInformationByHandle", c_void_p, c_void_p)
_get_information_ex: Final = _function(
    _kernel32, "GetFileInformationByHandleEx", c_void_p, c_uint32, c_void_p, c_uint32
)
_get_path: Final = _function(
    *(_kernel32, "GetFinalPathNameByHandleW", c_void_p, c_void_p, c_uint32, c_uint32), result=c_uint32
)
_peek_pipe: Final = _function(_kernel32, "PeekNamedPipe", c_void_p, c_void_p, c_uint32, c_void_p, c_void_p, c_void_p)
_control: Final = _function(
    *(_kernel32, "DeviceIoControl", c_void_p, c_uint32, c_void_p, c_uint32, c_void_p, c_uint32, c_void_p, c_void_p)
)
_get_console_mode: Final = _function(_kernel32, "GetConsoleMode", c_void_p, c_void_p)
_open_thread: Final = _function(_kernel32, "OpenThread", c_uint32, c_int, c_uint32, result=c_void_p)
_cancel: Final = _function(_kernel32, "CancelSynchronousIo", c_void_p)
_nt_create_file: Final = _function(
    *(_ntdll, "NtCreateFile", c_void_p, c_uint32, c_void_p, c_void_p, c_void_p, c_uint32, c_uint32, c_uint32),
    *(c_uint32, c_void_p, c_uint32),
    result=c_uint32,
)
_nt_set: Final = _function(
    _ntdll, "NtSetInformationFile", c_void_p, c_void_p, c_void_p, c_uint32, c_uint32, result=c_uint32
)
_nt_query: Final = _function(
    _ntdll, "NtQueryInformationFile", c_void_p, c_void_p, c_void_p, c_uint32, c_uint32, result=c_uint32
)
_nt_query_volume: Final = _function(
    _ntdll, "NtQueryVolumeInformationFile", c_void_p, c_void_p, c_void_p, c_uint32, c_uint32, result=c_uint32
)
_to_error: Final = _function(_ntdll, "RtlNtStatusToDosError", c_uint32, result=c_uint32)

_process: Final = c_void_p(-1)


def _last_error() -> OSError:
    return of_error(ctypes.get_last_error())


def _of_status(status: int) -> OSError:
    number = BY_STATUS.get(status)
    return of_error(_to_error(status)) if number is None else os_error(number)


def close(handle: int) -> None:
    """Close a handle."""
    _close_handle(handle)


def open_at(
    directory: int, name: str, access: int, how: int = OPEN, options: int = 0, share: int = _SHARE_ALL
) -> Handle:
    """Open an entry of a directory: of a link, the link itself.

    Args:
        directory: Handle of the directory.
        name: One that `system_name` has given: "" is what `directory` stands for itself, opened once more.
        access: READ_DATA, ...
        how: OPEN, CREATE or OPEN_OR_CREATE.
        options: DIRECTORY_ONLY, WRITE_THROUGH.
        share: What others may do with it meanwhile.

    Raises:
        OSError: It cannot be opened.
    """
    text = ctypes.create_unicode_buffer(name)
    size = 2 * (len(text) - 1)
    string = _UnicodeString(size, size, ctypes.cast(text, ctypes.c_wchar_p))
    attributes = _ObjectAttributes(
        ctypes.sizeof(_ObjectAttributes), directory, ctypes.pointer(string), _CASE_INSENSITIVE, None, None
    )
    handle = Handle()
    status = _nt_create_file(
        byref(handle),
        access | _SYNCHRONIZE | READ_ATTRIBUTES,
        byref(attributes),
        byref(_IoStatus()),
        None,
        _ATTRIBUTE_NORMAL,
        share,
        how,
        options | _SYNCHRONOUS | _THE_LINK_ITSELF,
        None,
        0,
    )
    if status:
        raise _of_status(status)
    return handle


def open_directory(path: str) -> Handle:
    """Open a directory of the embedder; links are followed.

    Raises:
        OSError: It is not there, or no directory.
    """
    if len(path) >= 248 and path[1:3] == ":\\":
        path = f"\\\\?\\{path}"
    value = _create_file(
        path, READ_DATA | READ_ATTRIBUTES | _SYNCHRONIZE, _SHARE_ALL, None, _OPEN_EXISTING, _BACKUP_SEMANTICS, None
    )
    if value is None or value == c_void_p(-1).value:
        raise _last_error()
    handle = Handle(value)
    if not tag_of(value)[0] & reparse.ATTRIBUTE_DIRECTORY:
        raise os_error(errno.ENOTDIR)
    return handle


def duplicate(handle: int) -> Handle:
    """A handle of one's own for the same."""
    other = Handle()
    if not _duplicate_handle(_process, handle, _process, byref(other), 0, False, _SAME_ACCESS):
        raise _last_error()
    return other


def type_of(handle: int) -> int:
    """DISK, CHARACTER, PIPE or something else."""
    kind: int = _get_type(handle)
    return kind


def access_of(handle: int) -> int:
    """What a handle may be used for: READ_DATA, ..."""
    data = (ctypes.c_char * 4)()
    status = _nt_query(handle, byref(_IoStatus()), byref(data), len(data), _ACCESS)
    if status:
        raise _of_status(status)
    access: int = _U32.unpack(data)[0]
    return access


def read(handle: int, buffer: memoryview | bytearray, offset: int | None = None) -> int:
    """Read what there is into a buffer, at a position or at the handle's own; 0 at the end.

    The handle's own position is moved in both cases.
    """
    size = len(buffer)
    if not size:
        return 0
    count = c_uint32()
    where = None if offset is None else byref(_Overlapped(0, 0, offset))
    if not _read_file(handle, byref(ctypes.c_char.from_buffer(buffer)), size, byref(count), where):
        error = ctypes.get_last_error()
        if error not in (ERROR_HANDLE_EOF, ERROR_BROKEN_PIPE, ERROR_PIPE_NOT_CONNECTED):
            raise of_error(error)
    return count.value


def write(handle: int, buffer: memoryview | bytearray, offset: int | None = None) -> int:
    """Write a buffer; how much of it. As `read`."""
    size = len(buffer)
    if not size:
        return 0
    count = c_uint32()
    where = None if offset is None else byref(_Overlapped(0, 0, offset))
    if not _write_file(handle, byref(ctypes.c_char.from_buffer(buffer)), size, byref(count), where):
        raise _last_error()
    return count.value


def seek(handle: int, offset: int, whence: int) -> int:
    """Move the handle's own position (`os.SEEK_SET`, ...); the new one."""
    position = c_int64()
    if not _set_pointer(handle, offset, byref(position), whence):
        raise _last_error()
    return position.value


def size_of(handle: int) -> int:
    """The size of a file, in bytes."""
    size = c_int64()
    if not _get_size(handle, byref(size)):
        raise _last_error()
    return size.value


def set_size(handle: int, size: int) -> None:
    """Cut a file off, or let it grow."""
    _set(handle, _END_OF_FILE, _I64.pack(size))


def make_sparse(handle: int) -> None:
    """Let gaps of a file take no space, where the file system can do that."""
    _control(handle, _SET_SPARSE, None, 0, None, 0, byref(c_uint32()), None)


def is_sparse(handle: int) -> bool:
    """Whether gaps of a file take no space."""
    return bool(tag_of(handle)[0] & _ATTRIBUTE_SPARSE)


def flush(handle: int) -> None:
    """Wait until what was written is kept."""
    if not _flush(handle):
        raise _last_error()


def free_space(handle: int) -> int:
    """Bytes that can be had on the volume."""
    data = (ctypes.c_char * 24)()
    status = _nt_query_volume(handle, byref(_IoStatus()), byref(data), len(data), _VOLUME_SIZE)
    if status:
        raise _of_status(status)
    units, sectors, size = _VOLUME.unpack(data)
    space: int = units * sectors * size
    return space


def _information(handle: int, layout: Struct, kind: int) -> tuple[Any, ...]:
    data = (ctypes.c_char * layout.size)()
    if not _get_information_ex(handle, kind, byref(data), layout.size):
        raise _last_error()
    return layout.unpack(data)


def tag_of(handle: int) -> tuple[int, int]:
    """Attributes and the tag of the reparse point that it is, if it is one."""
    attributes, tag = _information(handle, _TAG, _TAG_INFO)
    return attributes, tag


def nanoseconds(time: int) -> int:
    """A time of the system since 1970, as 64 bits."""
    return (time - _EPOCH) * _UNIT & _MASK64


def stat(handle: int) -> FileStat:
    """What the system says about an open file."""
    _, accessed, written, changed, attributes = _information(handle, _TIMES, _BASIC_INFO)
    tag = tag_of(handle)[1] if attributes & reparse.ATTRIBUTE else 0
    data = (ctypes.c_char * _FILE.size)()
    if not _get_information(handle, byref(data)):
        raise _last_error()
    _, volume, size_high, size_low, links, number_high, number_low = _FILE.unpack(data)
    return (
        volume,
        number_high << 32 | number_low,
        reparse.kind_of(attributes, tag),
        links,
        size_high << 32 | size_low,
        nanoseconds(accessed),
        nanoseconds(written),
        nanoseconds(changed),
    )


def number_of(handle: int) -> int:
    """The number of an open file, which no other of its volume has."""
    data = (ctypes.c_char * _FILE.size)()
    if not _get_information(handle, byref(data)):
        raise _last_error()
    high, low = _FILE.unpack(data)[-2:]
    number: int = high << 32 | low
    return number


def _set(handle: int, kind: int, data: bytes) -> None:
    status = _try_set(handle, kind, data)
    if status:
        raise _of_status(status)


def _try_set(handle: int, kind: int, data: bytes) -> int:
    status: int = _nt_set(handle, byref(_IoStatus()), data, len(data), kind)
    return status


def set_times(handle: int, access: int | None, modification: int | None) -> None:
    """Set the times of a file: nanoseconds, or None to keep one."""
    times = (0 if time is None else time // _UNIT + _EPOCH for time in (access, modification))
    _set(handle, _BASIC, _TIMES.pack(0, *times, 0, 0))


def remove(handle: int) -> None:
    """Remove what a handle stands for, under the name that it was opened by; it needs DELETE.

    Where the file system cannot do that at once, the name goes when the last one closes the file.
    """
    status = _try_set(handle, _DISPOSITION_EX, _U32.pack(_REMOVE_POSIX))
    if status in UNKNOWN_REQUEST:
        status = _try_set(handle, _DISPOSITION, b"\1")
    if status:
        raise _of_status(status)


def rename(handle: int, directory: int, name: str) -> None:
    """Give what a handle stands for, which needs DELETE, another name; a file that has it is replaced."""
    status = _try_set(handle, _RENAME_EX, _new_name(_REPLACE_POSIX, directory, name))
    if status in UNKNOWN_REQUEST:
        status = _try_set(handle, _RENAME, _new_name(_REPLACE, directory, name))
    if status:
        raise _of_status(status)


def link(handle: int, directory: int, name: str) -> None:
    """Give an open file one more name."""
    _set(handle, _LINK, _new_name(0, directory, name))


def _new_name(flags: int, directory: int, name: str) -> bytes:
    encoded = name.encode("utf-16-le")
    # (never shorter than the structure, with what pads it)
    return _NEW_NAME.pack(flags, directory, len(encoded)) + encoded + b"\0\0\0\0"


def read_link(handle: int) -> bytes:
    """Where a symbolic link points; see `reparse.link_target`."""
    data = (ctypes.c_char * _MAX_REPARSE_DATA)()
    count = c_uint32()
    if not _control(handle, _GET_REPARSE_POINT, None, 0, byref(data), len(data), byref(count), None):
        raise _last_error()
    return reparse.link_target(data.raw[: count.value])


def path_of(handle: int) -> str:
    """Where an open file is now, absolutely."""
    text = ctypes.create_unicode_buffer(_MAX_PATH)
    size = _get_path(handle, byref(text), _MAX_PATH, 0)
    if not 0 < size < _MAX_PATH:
        raise _last_error()
    return text.value


def entries(directory: int) -> Iterator[tuple[int, str, int]]:
    """Number, name and type of each entry of a directory that was opened with READ_DATA, for the first time."""
    buffer = (ctypes.c_char * _ENTRIES_SIZE)()
    kind = _ENTRIES_FROM_START_INFO
    while True:
        if not _get_information_ex(directory, kind, byref(buffer), _ENTRIES_SIZE):
            error = ctypes.get_last_error()
            if error == ERROR_NO_MORE_FILES:
                return
            raise of_error(error)
        kind = _ENTRIES_INFO
        data, at, following = buffer.raw, 0, 1
        while following:
            following, attributes, size, tag, number = _ENTRY.unpack_from(data, at)
            start = at + _ENTRY.size
            name = data[start : start + size].decode("utf-16-le", "surrogatepass")
            if name not in (".", ".."):
                yield number & _MASK64, name, reparse.kind_of(attributes, tag)
            at += following


def pipe_content(handle: int) -> int | None:
    """Bytes that a pipe has; 0 at its end too; None if that is not known.

    Raises:
        OSError: Nothing comes any more (EPIPE).
    """
    count = c_uint32()
    if _peek_pipe(handle, None, 0, None, byref(count), None):
        return count.value
    error = ctypes.get_last_error()
    if error in (ERROR_BROKEN_PIPE, ERROR_PIPE_NOT_CONNECTED):
        raise of_error(error)
    return None


def pipe_room(handle: int) -> int:
    """Bytes that a pipe takes at once; 0 if that is not known."""
    data = (ctypes.c_char * _PIPE_ROOM.size)()
    if _nt_query(handle, byref(_IoStatus()), byref(data), len(data), _PIPE_LOCAL):
        return 0
    room: int = _PIPE_ROOM.unpack(data)[0]
    return room


def is_console(handle: int) -> bool:
    """Whether a handle is that of a console."""
    return bool(_get_console_mode(handle, byref(c_uint32())))


def cancel(thread: int) -> None:
    """End what a thread, by its number, is waiting for in the system."""
    handle = _open_thread(_THREAD_TERMINATE, False, thread)
    if handle:
        _cancel(handle)
        close(handle)
