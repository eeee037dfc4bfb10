"""preadv2(2) and pwritev2(2) with RWF_NOWAIT, for Pythons that were built where the C library had none of them."""

from __future__ import annotations

import ctypes
import errno
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

#: RWF_NOWAIT of Linux; other systems have no such flag.
_NOWAIT: Final = 8

#: int (int fd, const struct iovec *, int count, off_t, int flags), where -1 for an offset is the file's own position.
_PROTOTYPE: Final = ctypes.CFUNCTYPE(
    ctypes.c_ssize_t, ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_int64, ctypes.c_int, use_errno=True
)


class _Piece(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


def _function(name: str) -> Callable[..., int] | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        return _PROTOTYPE((name, ctypes.CDLL(None)))
    except AttributeError:
        return None


_preadv2: Final = _function("preadv2")
_pwritev2: Final = _function("pwritev2")


def preadv(fd: int, buffers: list[memoryview]) -> int:
    """Read what is there into buffers. Raises OSError: EAGAIN if nothing is there, ENOSYS where this is not known."""
    return _call(_preadv2, fd, buffers)


def pwritev(fd: int, buffers: list[memoryview]) -> int:
    """Write what there is room for, from buffers that could be written to. Raises OSError likewise."""
    return _call(_pwritev2, fd, buffers)


def _call(function: Callable[..., int] | None, fd: int, buffers: list[memoryview]) -> int:
    if function is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    # They keep the buffers where they are.
    held = [(ctypes.c_char * len(buffer)).from_buffer(buffer) for buffer in buffers]
    pieces = (_Piece * len(held))(*[_Piece(ctypes.addressof(piece), len(piece)) for piece in held])
    count: int = function(fd, ctypes.addressof(pieces), len(pieces), -1, _NOWAIT)
    if count < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return count
