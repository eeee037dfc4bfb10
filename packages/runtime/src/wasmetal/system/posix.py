"""What Linux and macOS have in common: functions of the C library, with the same arguments. `interface` says what each
function is for that is there; the others are for these ports alone."""

from __future__ import annotations

import ctypes
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    import select
    from typing import Final

PAGE: Final = os.sysconf("SC_PAGE_SIZE")

PROT_NONE: Final = 0
PROT_READ: Final = 1
PROT_WRITE: Final = 2
PROT_EXEC: Final = 4

MAP_SHARED: Final = 0x1
MAP_PRIVATE: Final = 0x2
MAP_FIXED: Final = 0x10

_MAP_FAILED: Final = ctypes.c_void_p(-1).value

libc = ctypes.CDLL(None, use_errno=True)

_mmap = libc.mmap
_mmap.restype = ctypes.c_void_p
_mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_munmap = libc.munmap
_munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_mprotect = libc.mprotect
_mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_madvise = libc.madvise
_madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]

pthread_self = libc.pthread_self
pthread_self.restype = ctypes.c_void_p
_pthread_getspecific = libc.pthread_getspecific
_pthread_getspecific.restype = ctypes.c_void_p
_pthread_getspecific.argtypes = [ctypes.c_ulong]
_pthread_setspecific = libc.pthread_setspecific
_pthread_setspecific.argtypes = [ctypes.c_ulong, ctypes.c_void_p]


def refused(what: str, number: int | None = None) -> OSError:
    number = ctypes.get_errno() if number is None else number
    return OSError(number, f"{what}: {os.strerror(number)}")


def address_of(name: str) -> int:
    """Address of a function of the C library.

    Raises:
        AttributeError: there is no such function.
    """
    address = ctypes.cast(getattr(libc, name), ctypes.c_void_p).value
    assert address is not None
    return address


def mmap(size: int, protection: int, flags: int, fd: int = -1, offset: int = 0, address: int | None = None) -> int:
    """Map `size` bytes and return the address (mmap(2)).

    Raises:
        OSError: the kernel refused.
    """
    result: int | None = _mmap(address, size, protection, flags, fd, offset)
    if result is None or result == _MAP_FAILED:
        raise refused(f"mmap of {size:#x} bytes")
    return result


def munmap(address: int, size: int) -> None:
    """Undo a mapping (munmap(2)). Raises OSError."""
    if _munmap(address, size):
        raise refused("munmap")


def mprotect(address: int, size: int, protection: int) -> None:
    """Change the protection of whole pages (mprotect(2)). Raises OSError."""
    if _mprotect(address, size, protection):
        raise refused("mprotect")


def madvise(address: int, size: int, advice: int) -> None:
    """Tell the kernel about the use of whole pages (madvise(2)). Raises OSError."""
    if _madvise(address, size, advice):
        raise refused("madvise")


# Address space.


def release(address: int, size: int) -> None:
    munmap(address, size)


def commit(address: int, size: int) -> None:
    mprotect(address, size, PROT_READ | PROT_WRITE)


def forbid(address: int, size: int) -> None:
    mprotect(address, size, PROT_NONE)


def make_executable(address: int, size: int) -> None:
    mprotect(address, size, PROT_READ | PROT_EXEC)


# What belongs to a thread.

THREAD_VALUE: Final = "pthread_getspecific"


def new_thread_key() -> int:
    """A new key of thread-specific data, 0 in every thread (pthread_key_create(3)). Raises OSError."""
    key = ctypes.c_ulong()  # an int in glibc and musl
    error = libc.pthread_key_create(ctypes.byref(key), None)
    if error:
        raise refused("pthread_key_create", error)
    return key.value


def thread_value(key: int) -> int:
    """What the calling thread has for a key."""
    return _pthread_getspecific(key) or 0


def set_thread_value(key: int, value: int) -> None:
    """Set what the calling thread has for a key (pthread_setspecific(3)). Raises OSError."""
    error = _pthread_setspecific(key, value)
    if error:
        raise refused("pthread_setspecific", error)


at_fork: Final = os.register_at_fork


# Waiting.

POLLS_ARE_WOKEN: Final = True


def poller() -> select.poll:
    import select

    return select.poll()


# Files.

OPEN_FLAGS: Final = os.O_NOFOLLOW | os.O_CLOEXEC
NOT_WAITING: Final = os.O_NONBLOCK
REPLACES_OPEN_FILES: Final = True
read_at = os.pread


def is_ours(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def lock_file(file: int) -> None:
    import fcntl

    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def cache_below(*folders: str) -> str:
    """The cache's directory: XDG's (XDG Base Directory Specification), else in these folders of the user's home."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(base):  # else it is not set, or to be ignored as the specification says
        return os.path.join(base, "wasmetal")
    home = os.path.expanduser("~")
    if not os.path.isabs(home):
        # A user without a home, as in containers; `refusal` sees to it that nobody has been there before us.
        return os.path.join("/tmp", f"wasmetal-{os.geteuid()}")
    return os.path.join(home, *folders, "wasmetal")
