"""Error numbers of Windows: those of its interface (GetLastError) and of its kernel (NTSTATUS), as errno."""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: By GetLastError (winerror.h). EIO for all others.
BY_ERROR: Final = {
    1: errno.EINVAL,  # ERROR_INVALID_FUNCTION
    2: errno.ENOENT,  # ERROR_FILE_NOT_FOUND
    3: errno.ENOENT,  # ERROR_PATH_NOT_FOUND
    4: errno.EMFILE,  # ERROR_TOO_MANY_OPEN_FILES
    5: errno.EACCES,  # ERROR_ACCESS_DENIED
    6: errno.EBADF,  # ERROR_INVALID_HANDLE
    8: errno.ENOMEM,  # ERROR_NOT_ENOUGH_MEMORY
    14: errno.ENOMEM,  # ERROR_OUTOFMEMORY
    15: errno.ENOENT,  # ERROR_INVALID_DRIVE
    17: errno.EXDEV,  # ERROR_NOT_SAME_DEVICE
    19: errno.EROFS,  # ERROR_WRITE_PROTECT
    25: errno.EINVAL,  # ERROR_SEEK
    32: errno.EBUSY,  # ERROR_SHARING_VIOLATION
    33: errno.EBUSY,  # ERROR_LOCK_VIOLATION
    36: errno.ENFILE,  # ERROR_SHARING_BUFFER_EXCEEDED
    39: errno.ENOSPC,  # ERROR_HANDLE_DISK_FULL
    50: errno.ENOTSUP,  # ERROR_NOT_SUPPORTED
    53: errno.ENOENT,  # ERROR_BAD_NETPATH
    65: errno.EACCES,  # ERROR_NETWORK_ACCESS_DENIED
    67: errno.ENOENT,  # ERROR_BAD_NET_NAME
    80: errno.EEXIST,  # ERROR_FILE_EXISTS
    82: errno.EACCES,  # ERROR_CANNOT_MAKE
    87: errno.EINVAL,  # ERROR_INVALID_PARAMETER
    109: errno.EPIPE,  # ERROR_BROKEN_PIPE
    111: errno.ENAMETOOLONG,  # ERROR_BUFFER_OVERFLOW
    112: errno.ENOSPC,  # ERROR_DISK_FULL
    120: errno.ENOTSUP,  # ERROR_CALL_NOT_IMPLEMENTED
    123: errno.EINVAL,  # ERROR_INVALID_NAME
    130: errno.EBADF,  # ERROR_DIRECT_ACCESS_HANDLE
    131: errno.EINVAL,  # ERROR_NEGATIVE_SEEK
    132: errno.ESPIPE,  # ERROR_SEEK_ON_DEVICE
    145: errno.ENOTEMPTY,  # ERROR_DIR_NOT_EMPTY
    161: errno.ENOENT,  # ERROR_BAD_PATHNAME
    170: errno.EBUSY,  # ERROR_BUSY
    183: errno.EEXIST,  # ERROR_ALREADY_EXISTS
    206: errno.ENAMETOOLONG,  # ERROR_FILENAME_EXCED_RANGE
    223: errno.EFBIG,  # ERROR_FILE_TOO_LARGE
    230: errno.EPIPE,  # ERROR_BAD_PIPE
    231: errno.EAGAIN,  # ERROR_PIPE_BUSY
    232: errno.EPIPE,  # ERROR_NO_DATA
    233: errno.EPIPE,  # ERROR_PIPE_NOT_CONNECTED
    267: errno.ENOTDIR,  # ERROR_DIRECTORY
    303: errno.ENOENT,  # ERROR_DELETE_PENDING
    998: errno.EFAULT,  # ERROR_NOACCESS
    1142: errno.EMLINK,  # ERROR_TOO_MANY_LINKS
    1224: errno.EBUSY,  # ERROR_USER_MAPPED_FILE
    1314: errno.EPERM,  # ERROR_PRIVILEGE_NOT_HELD
    1450: errno.ENOMEM,  # ERROR_NO_SYSTEM_RESOURCES
    1455: errno.ENOMEM,  # ERROR_COMMITMENT_LIMIT
    1816: errno.ENOMEM,  # ERROR_NOT_ENOUGH_QUOTA
    1920: errno.EACCES,  # ERROR_CANT_ACCESS_FILE
    1921: errno.ELOOP,  # ERROR_CANT_RESOLVE_FILENAME
    4390: errno.EINVAL,  # ERROR_NOT_A_REPARSE_POINT
}

#: By NTSTATUS (ntstatus.h), where the number of the interface says less.
BY_STATUS: Final = {
    0xC00000BA: errno.EISDIR,  # STATUS_FILE_IS_A_DIRECTORY
    # The name is still there, the file is not: it goes when the last one closes it.
    0xC0000056: errno.ENOENT,  # STATUS_DELETE_PENDING
    0xC0000123: errno.ENOENT,  # STATUS_FILE_DELETED
    0xC0000121: errno.EPERM,  # STATUS_CANNOT_DELETE: it is marked as not to be changed
    0x8000002D: errno.ELOOP,  # STATUS_STOPPED_ON_SYMLINK
}

STATUS_INVALID_PARAMETER: Final = 0xC000000D
#: What a system or a file system says of a request that it does not know.
UNKNOWN_REQUEST: Final = frozenset(
    {
        0xC0000002,  # STATUS_NOT_IMPLEMENTED
        0xC0000003,  # STATUS_INVALID_INFO_CLASS
        0xC0000010,  # STATUS_INVALID_DEVICE_REQUEST
        STATUS_INVALID_PARAMETER,
        0xC00000BB,  # STATUS_NOT_SUPPORTED
    }
)

ERROR_NO_MORE_FILES: Final = 18
ERROR_HANDLE_EOF: Final = 38
ERROR_BROKEN_PIPE: Final = 109
ERROR_PIPE_NOT_CONNECTED: Final = 233


def os_error(number: int) -> OSError:
    """The exception for an errno: one of the subclasses of OSError."""
    return OSError(number, os.strerror(number))


def of_error(error: int) -> OSError:
    """The exception for what GetLastError said."""
    return os_error(BY_ERROR.get(error, errno.EIO))
