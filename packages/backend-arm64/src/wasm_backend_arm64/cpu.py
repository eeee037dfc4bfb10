"""Which processor this is, and which optional instructions it has: what Linux tells a process about it (HWCAP)."""

from __future__ import annotations

import ctypes
import functools
import platform
import sys

from wasm_ir.backend import HostSupport

#: What platform.machine() calls this architecture.
_MACHINES = frozenset({"aarch64", "arm64"})

_AT_HWCAP = 16
#: Bits of AT_HWCAP (asm/hwcap.h): those that matter to a code generator. Linux promises not to renumber them.
_FEATURES = {
    "fp": 0,
    "asimd": 1,
    "aes": 3,
    "sha2": 6,
    "crc32": 7,
    "atomics": 8,
    "fphp": 9,
    "asimdhp": 10,
    "asimdrdm": 12,
    "jscvt": 13,
    "fcma": 14,
    "lrcpc": 15,
    "asimddp": 20,
}

#: Every name that `features` can report, sorted.
FEATURE_NAMES = tuple(sorted(_FEATURES))


def decode_features(hwcap: int) -> tuple[str, ...]:
    """Names of the features in an AT_HWCAP word, sorted."""
    return tuple(sorted(name for name, bit in _FEATURES.items() if hwcap >> bit & 1))


@functools.cache
def features() -> tuple[str, ...]:
    """Features of this processor among FEATURE_NAMES, sorted; empty on other architectures."""
    if platform.machine().lower() not in _MACHINES or not sys.platform.startswith("linux"):
        return ()
    getauxval = ctypes.CDLL(None).getauxval
    getauxval.argtypes = [ctypes.c_ulong]
    getauxval.restype = ctypes.c_ulong
    return decode_features(getauxval(_AT_HWCAP))


def host_support() -> HostSupport:
    """Whether code of this backend runs in this process."""
    machine = platform.machine()
    if machine.lower() not in _MACHINES:
        return HostSupport(False, f"this backend makes code for AArch64, the processor here is {machine or 'unknown'}")
    if ctypes.sizeof(ctypes.c_void_p) != 8:
        return HostSupport(False, "Python is a 32-bit program here; AArch64 code needs a 64-bit one")
    if sys.byteorder != "little":
        return HostSupport(False, "Python runs big-endian here; generated code is little-endian")
    if not sys.platform.startswith("linux"):
        return HostSupport(False, f"signal frames of {sys.platform} are not known to this backend, only those of Linux")
    return HostSupport(True, f"AArch64 with {', '.join(features()) or 'no optional features'}")
