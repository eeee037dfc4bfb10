"""The binary interface of WASI preview 1: error numbers, constants, structure layouts and function signatures.

Everything here restates a table of the standard (WASI, `phases/snapshot/witx/*.witx` and the layouts in `docs.md`).
"""

from __future__ import annotations

import errno as host_errno
from struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Name of the module that programs import.
MODULE_NAME: Final = "wasi_snapshot_preview1"

# The names in the standard's order; the number of each is its place.
# fmt: off
_ERRNO_NAMES: Final = (
    "SUCCESS", "2BIG", "ACCES", "ADDRINUSE", "ADDRNOTAVAIL", "AFNOSUPPORT", "AGAIN", "ALREADY", "BADF",
    "BADMSG", "BUSY", "CANCELED", "CHILD", "CONNABORTED", "CONNREFUSED", "CONNRESET", "DEADLK", "DESTADDRREQ",
    "DOM", "DQUOT", "EXIST", "FAULT", "FBIG", "HOSTUNREACH", "IDRM", "ILSEQ", "INPROGRESS", "INTR", "INVAL",
    "IO", "ISCONN", "ISDIR", "LOOP", "MFILE", "MLINK", "MSGSIZE", "MULTIHOP", "NAMETOOLONG", "NETDOWN",
    "NETRESET", "NETUNREACH", "NFILE", "NOBUFS", "NODEV", "NOENT", "NOEXEC", "NOLCK", "NOLINK", "NOMEM",
    "NOMSG", "NOPROTOOPT", "NOSPC", "NOSYS", "NOTCONN", "NOTDIR", "NOTEMPTY", "NOTRECOVERABLE", "NOTSOCK",
    "NOTSUP", "NOTTY", "NXIO", "OVERFLOW", "OWNERDEAD", "PERM", "PIPE", "PROTO", "PROTONOSUPPORT", "PROTOTYPE",
    "RANGE", "ROFS", "SPIPE", "SRCH", "STALE", "TIMEDOUT", "TXTBSY", "XDEV", "NOTCAPABLE",
)
# fmt: on

#: The number of every error, by name: `ERRNO["NOENT"]`.
ERRNO: Final[dict[str, int]] = {name: number for number, name in enumerate(_ERRNO_NAMES)}

SUCCESS: Final = ERRNO["SUCCESS"]
BADF: Final = ERRNO["BADF"]
FAULT: Final = ERRNO["FAULT"]
FBIG: Final = ERRNO["FBIG"]
ILSEQ: Final = ERRNO["ILSEQ"]
INVAL: Final = ERRNO["INVAL"]
IO: Final = ERRNO["IO"]
ISDIR: Final = ERRNO["ISDIR"]
LOOP: Final = ERRNO["LOOP"]
MFILE: Final = ERRNO["MFILE"]
NAMETOOLONG: Final = ERRNO["NAMETOOLONG"]
NOENT: Final = ERRNO["NOENT"]
NOMEM: Final = ERRNO["NOMEM"]
NOSPC: Final = ERRNO["NOSPC"]
NOSYS: Final = ERRNO["NOSYS"]
NOTCAPABLE: Final = ERRNO["NOTCAPABLE"]
NOTCONN: Final = ERRNO["NOTCONN"]
NOTDIR: Final = ERRNO["NOTDIR"]
NOTSOCK: Final = ERRNO["NOTSOCK"]
NOTSUP: Final = ERRNO["NOTSUP"]
SPIPE: Final = ERRNO["SPIPE"]
AGAIN: Final = ERRNO["AGAIN"]
EXIST: Final = ERRNO["EXIST"]
ACCES: Final = ERRNO["ACCES"]
BUSY: Final = ERRNO["BUSY"]
NOTEMPTY: Final = ERRNO["NOTEMPTY"]
PERM: Final = ERRNO["PERM"]
ROFS: Final = ERRNO["ROFS"]
XDEV: Final = ERRNO["XDEV"]


def _from_host_errno() -> dict[int, int]:
    # (of sockets, Windows has its own: WSAECONNRESET)
    names = {number: name.removeprefix("WSA")[1:] for number, name in host_errno.errorcode.items()}
    return {number: ERRNO[name] for number, name in names.items() if name in ERRNO}


#: From the error numbers of this platform to those of WASI.
FROM_HOST_ERRNO: Final[dict[int, int]] = _from_host_errno()
# Where a platform gives two names one number, `errorcode` keeps one of them, perhaps not the one that WASI knows.
FROM_HOST_ERRNO.setdefault(host_errno.EAGAIN, AGAIN)
FROM_HOST_ERRNO.setdefault(host_errno.EWOULDBLOCK, AGAIN)
FROM_HOST_ERRNO.setdefault(host_errno.ENOTSUP, NOTSUP)
FROM_HOST_ERRNO.setdefault(host_errno.EOPNOTSUPP, NOTSUP)
FROM_HOST_ERRNO.setdefault(host_errno.EDEADLK, ERRNO["DEADLK"])
# What Windows says of a socket that was shut down.
FROM_HOST_ERRNO.setdefault(host_errno.ESHUTDOWN, ERRNO["PIPE"])


# Plain ints in classes: they are combined and tested on every call, and enums of so many members take 8 ms to make.


class Right:
    """What may be done with a descriptor (`rights`)."""

    FD_DATASYNC: Final = 1 << 0
    FD_READ: Final = 1 << 1
    FD_SEEK: Final = 1 << 2
    FD_FDSTAT_SET_FLAGS: Final = 1 << 3
    FD_SYNC: Final = 1 << 4
    FD_TELL: Final = 1 << 5
    FD_WRITE: Final = 1 << 6
    FD_ADVISE: Final = 1 << 7
    FD_ALLOCATE: Final = 1 << 8
    PATH_CREATE_DIRECTORY: Final = 1 << 9
    PATH_CREATE_FILE: Final = 1 << 10
    PATH_LINK_SOURCE: Final = 1 << 11
    PATH_LINK_TARGET: Final = 1 << 12
    PATH_OPEN: Final = 1 << 13
    FD_READDIR: Final = 1 << 14
    PATH_READLINK: Final = 1 << 15
    PATH_RENAME_SOURCE: Final = 1 << 16
    PATH_RENAME_TARGET: Final = 1 << 17
    PATH_FILESTAT_GET: Final = 1 << 18
    PATH_FILESTAT_SET_SIZE: Final = 1 << 19
    PATH_FILESTAT_SET_TIMES: Final = 1 << 20
    FD_FILESTAT_GET: Final = 1 << 21
    FD_FILESTAT_SET_SIZE: Final = 1 << 22
    FD_FILESTAT_SET_TIMES: Final = 1 << 23
    PATH_SYMLINK: Final = 1 << 24
    PATH_REMOVE_DIRECTORY: Final = 1 << 25
    PATH_UNLINK_FILE: Final = 1 << 26
    POLL_FD_READWRITE: Final = 1 << 27
    SOCK_SHUTDOWN: Final = 1 << 28
    SOCK_ACCEPT: Final = 1 << 29


ALL_RIGHTS: Final = (1 << 30) - 1
READ_WRITE: Final = Right.FD_READ | Right.FD_WRITE
#: Rights that are used by reading, and by writing.
READS: Final = Right.FD_READ | Right.FD_READDIR
WRITES: Final = Right.FD_WRITE | Right.FD_ALLOCATE | Right.FD_FILESTAT_SET_SIZE
#: Rights that make sense for something that is read and written as a stream.
STREAM_RIGHTS: Final = (
    Right.FD_READ | Right.FD_WRITE | Right.FD_FDSTAT_SET_FLAGS | Right.FD_FILESTAT_GET | Right.POLL_FD_READWRITE
)
#: Rights that make sense for a regular file.
FILE_RIGHTS: Final = STREAM_RIGHTS | (
    Right.FD_DATASYNC
    | Right.FD_SEEK
    | Right.FD_SYNC
    | Right.FD_TELL
    | Right.FD_ADVISE
    | Right.FD_ALLOCATE
    | Right.FD_FILESTAT_SET_SIZE
    | Right.FD_FILESTAT_SET_TIMES
)
#: Rights that make sense for a socket with a peer.
SOCKET_RIGHTS: Final = STREAM_RIGHTS | Right.SOCK_SHUTDOWN
#: Rights that make sense for a socket that waits for peers: reading is what one polls it for.
LISTENER_RIGHTS: Final = (
    Right.SOCK_ACCEPT
    | Right.FD_READ
    | Right.FD_FDSTAT_SET_FLAGS
    | Right.FD_FILESTAT_GET
    | Right.POLL_FD_READWRITE
    | Right.SOCK_SHUTDOWN
)
#: Rights that make sense for a directory.
DIRECTORY_RIGHTS: Final = (
    Right.FD_FDSTAT_SET_FLAGS
    | Right.FD_SYNC
    | Right.FD_ADVISE
    | Right.PATH_CREATE_DIRECTORY
    | Right.PATH_CREATE_FILE
    | Right.PATH_LINK_SOURCE
    | Right.PATH_LINK_TARGET
    | Right.PATH_OPEN
    | Right.FD_READDIR
    | Right.PATH_READLINK
    | Right.PATH_RENAME_SOURCE
    | Right.PATH_RENAME_TARGET
    | Right.PATH_FILESTAT_GET
    | Right.PATH_FILESTAT_SET_SIZE
    | Right.PATH_FILESTAT_SET_TIMES
    | Right.FD_FILESTAT_GET
    | Right.FD_FILESTAT_SET_TIMES
    | Right.PATH_SYMLINK
    | Right.PATH_REMOVE_DIRECTORY
    | Right.PATH_UNLINK_FILE
    | Right.POLL_FD_READWRITE
)


class FileType:
    """What a descriptor or a directory entry is (`filetype`)."""

    UNKNOWN: Final = 0
    BLOCK_DEVICE: Final = 1
    CHARACTER_DEVICE: Final = 2
    DIRECTORY: Final = 3
    REGULAR_FILE: Final = 4
    SOCKET_DGRAM: Final = 5
    SOCKET_STREAM: Final = 6
    SYMBOLIC_LINK: Final = 7


class FdFlag:
    """Flags of a descriptor (`fdflags`)."""

    APPEND: Final = 1 << 0
    DSYNC: Final = 1 << 1
    NONBLOCK: Final = 1 << 2
    RSYNC: Final = 1 << 3
    SYNC: Final = 1 << 4


class OpenFlag:
    """How `path_open` opens (`oflags`)."""

    CREAT: Final = 1 << 0
    DIRECTORY: Final = 1 << 1
    EXCL: Final = 1 << 2
    TRUNC: Final = 1 << 3


class ReceiveFlag:
    """How `sock_recv` receives (`riflags`)."""

    PEEK: Final = 1 << 0
    WAITALL: Final = 1 << 1


#: `roflags`: the message was longer than the buffers.
RECEIVED_TRUNCATED: Final = 1


class ShutdownFlag:
    """Which directions `sock_shutdown` ends (`sdflags`)."""

    RD: Final = 1 << 0
    WR: Final = 1 << 1


class TimeFlag:
    """Which times to set, and to what (`fstflags`)."""

    ATIM: Final = 1 << 0
    ATIM_NOW: Final = 1 << 1
    MTIM: Final = 1 << 2
    MTIM_NOW: Final = 1 << 3


#: The signals in the standard's order (`signal`); 0 is none.
SIGNALS: Final = (
    *("NONE", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE"),
    *("ALRM", "TERM", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF"),
    *("WINCH", "POLL", "PWR", "SYS"),
)

#: `lookupflags`: follow a symbolic link in the last component of a path.
SYMLINK_FOLLOW: Final = 1
#: `fd` of the directory entry cookie that starts from the beginning.
DIRCOOKIE_START: Final = 0
#: `preopentype`: a directory.
PREOPEN_DIRECTORY: Final = 0
#: `subclockflags`: the timeout is a time, not a duration.
SUBSCRIPTION_CLOCK_ABSTIME: Final = 1
#: `eventtype`.
EVENT_CLOCK: Final = 0
EVENT_FD_READ: Final = 1
EVENT_FD_WRITE: Final = 2
#: `eventrwflags`: the other end hung up.
EVENT_FD_READWRITE_HANGUP: Final = 1

U16: Final = Struct("<H")
U32: Final = Struct("<I")
U64: Final = Struct("<Q")
#: Address and length of a buffer (`iovec`, `ciovec`).
IOVEC: Final = Struct("<II")
#: Kind, length of the name (`prestat`).
PRESTAT: Final = Struct("<BxxxI")
#: Type, flags, rights, inherited rights (`fdstat`).
FDSTAT: Final = Struct("<BxHxxxxQQ")
#: Device, inode, type, links, size, times of access, modification and change in nanoseconds (`filestat`).
FILESTAT: Final = Struct("<QQBxxxxxxxQQQQQ")
#: Cookie of the next entry, inode, length of the name, type (`dirent`); the name follows.
DIRENT: Final = Struct("<QQIBxxx")
#: User data, kind; the parts below stand 16 bytes into it (`subscription`).
SUBSCRIPTION: Final = Struct("<QB")
SUBSCRIPTION_SIZE: Final = 48
SUBSCRIPTION_UNION: Final = 16
#: Clock, timeout, precision, flags (`subscription_clock`).
SUBSCRIPTION_CLOCK: Final = Struct("<IxxxxQQH")
#: User data, error, kind, bytes available, flags (`event`).
EVENT: Final = Struct("<QHBxxxxxQHxxxxxx")

#: Parameters of every function: `i` is an i32, `I` an i64. All return an error number (i32), but for `proc_exit`.
SIGNATURES: Final[dict[str, str]] = {
    "args_get": "ii",
    "args_sizes_get": "ii",
    "environ_get": "ii",
    "environ_sizes_get": "ii",
    "clock_res_get": "ii",
    "clock_time_get": "iIi",
    "fd_advise": "iIIi",
    "fd_allocate": "iII",
    "fd_close": "i",
    "fd_datasync": "i",
    "fd_fdstat_get": "ii",
    "fd_fdstat_set_flags": "ii",
    "fd_fdstat_set_rights": "iII",
    "fd_filestat_get": "ii",
    "fd_filestat_set_size": "iI",
    "fd_filestat_set_times": "iIIi",
    "fd_pread": "iiiIi",
    "fd_prestat_get": "ii",
    "fd_prestat_dir_name": "iii",
    "fd_pwrite": "iiiIi",
    "fd_read": "iiii",
    "fd_readdir": "iiiIi",
    "fd_renumber": "ii",
    "fd_seek": "iIii",
    "fd_sync": "i",
    "fd_tell": "ii",
    "fd_write": "iiii",
    "path_create_directory": "iii",
    "path_filestat_get": "iiiii",
    "path_filestat_set_times": "iiiiIIi",
    "path_link": "iiiiiii",
    "path_open": "iiiiiIIii",
    "path_readlink": "iiiiii",
    "path_remove_directory": "iii",
    "path_rename": "iiiiii",
    "path_symlink": "iiiii",
    "path_unlink_file": "iii",
    "poll_oneoff": "iiii",
    "proc_exit": "i",
    "proc_raise": "i",
    "sched_yield": "",
    "random_get": "ii",
    "sock_accept": "iii",
    "sock_recv": "iiiiii",
    "sock_send": "iiiii",
    "sock_shutdown": "ii",
}

#: The functions that return nothing.
WITHOUT_RESULT: Final = frozenset({"proc_exit"})
