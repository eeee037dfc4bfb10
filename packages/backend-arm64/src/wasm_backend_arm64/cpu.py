"""Which processor this is, and which optional instructions it has: what Linux (HWCAP) and macOS (sysctl) tell of it."""

from __future__ import annotations

import ctypes
import functools
import os
import sys

from wasm_ir.backend import HostSupport

#: What kernels call this architecture.
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

#: What macOS calls them (sysctlbyname(3); Apple, "Determining Instruction Set Characteristics") but for the first two,
#: which are always there.
_SYSCTL = {
    "aes": "hw.optional.arm.FEAT_AES",
    "sha2": "hw.optional.arm.FEAT_SHA256",
    "crc32": "hw.optional.armv8_crc32",
    "atomics": "hw.optional.arm.FEAT_LSE",
    "fphp": "hw.optional.arm.FEAT_FP16",
    "asimdhp": "hw.optional.arm.FEAT_FP16",
    "asimdrdm": "hw.optional.arm.FEAT_RDM",
    "jscvt": "hw.optional.arm.FEAT_JSCVT",
    "fcma": "hw.optional.arm.FEAT_FCMA",
    "lrcpc": "hw.optional.arm.FEAT_LRCPC",
    "asimddp": "hw.optional.arm.FEAT_DotProd",
}

#: Every name that `features` can report, sorted.
FEATURE_NAMES = tuple(sorted(_FEATURES))


def decode_features(hwcap: int) -> tuple[str, ...]:
    """Names of the features in an AT_HWCAP word, sorted."""
    return tuple(sorted(name for name, bit in _FEATURES.items() if hwcap >> bit & 1))


def machine() -> str:
    """The architecture, as the kernel calls it, or where there is no uname(2) as Python does."""
    if hasattr(os, "uname"):
        return os.uname().machine
    # (`platform.machine` takes as long as a start)
    return sys.version.rpartition("(")[2].rstrip(")]")


@functools.cache
def features() -> tuple[str, ...]:
    """Features of this processor among FEATURE_NAMES, sorted; empty on other architectures."""
    if machine().lower() not in _MACHINES:
        return ()
    if sys.platform == "darwin":
        return tuple(sorted({"fp", "asimd", *(name for name, asked in _SYSCTL.items() if _sysctl(asked))}))
    if not sys.platform.startswith("linux"):
        return ()
    getauxval = ctypes.CDLL(None).getauxval
    getauxval.argtypes = [ctypes.c_ulong]
    getauxval.restype = ctypes.c_ulong
    return decode_features(getauxval(_AT_HWCAP))


def _sysctl(name: str) -> int:
    """The number that macOS has for a name, 0 for one that it does not know."""
    value, size = ctypes.c_int64(), ctypes.c_size_t(8)
    failed = ctypes.CDLL(None).sysctlbyname(name.encode(), ctypes.byref(value), ctypes.byref(size), None, 0)
    return 0 if failed else value.value


def host_support() -> HostSupport:
    """Whether code of this backend runs in this process."""
    name = machine()
    if name.lower() not in _MACHINES:
        return HostSupport(False, f"this backend makes code for AArch64, the processor here is {name or 'unknown'}")
    if ctypes.sizeof(ctypes.c_void_p) != 8:
        return HostSupport(False, "Python is a 32-bit program here; AArch64 code needs a 64-bit one")
    if sys.byteorder != "little":
        return HostSupport(False, "Python runs big-endian here; generated code is little-endian")
    if sys.platform not in ("linux", "darwin"):
        what = f"signal frames of {sys.platform} are not known to this backend, only those of Linux and macOS"
        return HostSupport(False, what)
    return HostSupport(True, f"AArch64 with {', '.join(features()) or 'no optional features'}")
