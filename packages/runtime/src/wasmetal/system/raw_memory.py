"""Bytes by address. The GIL is held meanwhile: to give it up for some KiB can cost a turn of another thread."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

from wasmetal.system.host import host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: (target, source, size): copy bytes.
copy: Final[Callable[[int, int, int], object]] = ctypes.PYFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t
)(host.address_of("memmove"))
#: (target, byte, size): set bytes.
fill: Final[Callable[[int, int, int], object]] = ctypes.PYFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t
)(host.address_of("memset"))
