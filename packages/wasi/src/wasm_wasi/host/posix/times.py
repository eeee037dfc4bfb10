"""Setting the times of a file: utimensat of the system, which knows "now" and "leave it" for each time by itself.

`os.utime` wants both times, and to keep one would mean to read it first and write it back: a race, and a loss for those
who may write a file but do not own it.
"""

from __future__ import annotations

import ctypes
import os
import sys

from wasm_wasi import time_flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# <sys/stat.h>, <fcntl.h>
_NOW, _OMIT, _NO_FOLLOW = (-1, -2, 0x20) if sys.platform == "darwin" else ((1 << 30) - 1, (1 << 30) - 2, 0x100)
_NANOSECONDS: Final = 1_000_000_000


class _TimeSpec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


_libc: Final = ctypes.CDLL(None, use_errno=True)


def _time(wanted: int) -> _TimeSpec:
    if wanted == time_flags.NOW:
        return _TimeSpec(0, _NOW)
    return _TimeSpec(0, _OMIT) if wanted == time_flags.KEEP else _TimeSpec(*divmod(wanted, _NANOSECONDS))


def _times(access: int, modification: int, flags: int) -> ctypes.Array[_TimeSpec]:
    """What utimensat takes, from what WASI gives.

    Raises:
        WasiError: The flags contradict each other, or one is unknown (EINVAL).
    """
    return (_TimeSpec * 2)(*map(_time, time_flags.wanted(access, modification, flags)))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def set_times(fd: int, access: int, modification: int, flags: int) -> None:
    """Set the times of an open file: nanoseconds, and the `fstflags` that say which."""
    _check(_libc.futimens(fd, _times(access, modification, flags)))


def set_times_at(directory: int, name: bytes, access: int, modification: int, flags: int) -> None:
    """Set the times of an entry of an open directory; a symbolic link is not followed."""
    _check(_libc.utimensat(directory, name, _times(access, modification, flags), _NO_FOLLOW))
