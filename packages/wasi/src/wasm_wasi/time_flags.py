"""Which times of a file are to be set, and to what (`fstflags`)."""

from __future__ import annotations

from wasm_wasi.abi import INVAL, TimeFlag
from wasm_wasi.errors import WasiError
from wasm_wasi.guest_memory import MASK64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Instead of nanoseconds: the time that it is now, and the one that the file has.
NOW: Final = -1
KEEP: Final = -2

_KNOWN: Final = TimeFlag.ATIM | TimeFlag.ATIM_NOW | TimeFlag.MTIM | TimeFlag.MTIM_NOW


def _time(value: int, flags: int, given: int, now: int) -> int:
    if flags & given:
        if flags & now:
            raise WasiError(INVAL)
        return value & MASK64
    return NOW if flags & now else KEEP


def wanted(access: int, modification: int, flags: int) -> tuple[int, int]:
    """The times of access and modification to set: nanoseconds, NOW or KEEP.

    Raises:
        WasiError: The flags contradict each other, or one is unknown (EINVAL).
    """
    if flags & ~_KNOWN:
        raise WasiError(INVAL)
    return (
        _time(access, flags, TimeFlag.ATIM, TimeFlag.ATIM_NOW),
        _time(modification, flags, TimeFlag.MTIM, TimeFlag.MTIM_NOW),
    )
