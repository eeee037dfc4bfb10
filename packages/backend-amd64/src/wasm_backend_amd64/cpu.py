"""Which processor this is, and which optional instructions it has (SDM volume 2, CPUID; volume 1, 14.3 for AVX)."""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from wasm_ir.backend import HostSupport

#: (leaf, subleaf) -> eax, ebx, ecx, edx.
Cpuid = Callable[[int, int], tuple[int, int, int, int]]

#: What kernels call this architecture.
_MACHINES = frozenset({"x86_64", "amd64", "x64"})

_EXTENDED = 0x8000_0000
_EBX, _ECX = 1, 2


#: Registers xmm and ymm; besides these the masks and zmm.
_AVX_STATE = 0b110
_AVX512_STATE = 0b1110_0110

#: Where CPUID says that a feature is there: name, leaf, register, bit; then how /proc/cpuinfo calls it, and what the
#: operating system must save (bits of XCR0).
_FEATURES = (
    ("sse3", 1, _ECX, 0, "pni", 0),
    ("ssse3", 1, _ECX, 9, "ssse3", 0),
    ("sse4_1", 1, _ECX, 19, "sse4_1", 0),
    ("sse4_2", 1, _ECX, 20, "sse4_2", 0),
    ("popcnt", 1, _ECX, 23, "popcnt", 0),
    ("lzcnt", _EXTENDED + 1, _ECX, 5, "abm", 0),
    ("bmi1", 7, _EBX, 3, "bmi1", 0),
    ("bmi2", 7, _EBX, 8, "bmi2", 0),
    ("avx", 1, _ECX, 28, "avx", _AVX_STATE),
    ("avx2", 7, _EBX, 5, "avx2", _AVX_STATE),
    ("fma", 1, _ECX, 12, "fma", _AVX_STATE),
    ("avx512f", 7, _EBX, 16, "avx512f", _AVX512_STATE),
    ("avx512dq", 7, _EBX, 17, "avx512dq", _AVX512_STATE),
    ("avx512bw", 7, _EBX, 30, "avx512bw", _AVX512_STATE),
    ("avx512vl", 7, _EBX, 31, "avx512vl", _AVX512_STATE),
    ("avx512vbmi", 7, _ECX, 1, "avx512vbmi", _AVX512_STATE),
    ("avx512bitalg", 7, _ECX, 12, "avx512_bitalg", _AVX512_STATE),
)
_OSXSAVE = 1 << 27  # leaf 1, ecx: xgetbv may be used

#: Every name that `features` can report, sorted.
FEATURE_NAMES = tuple(sorted(row[0] for row in _FEATURES))


#: Two functions with the System V convention: cpuid(leaf, subleaf, address of four 32-bit words for the result), and
#: xgetbv() -> low half of XCR0. Kept assembled, as they run whenever a program starts.
_CODE = bytes.fromhex(
    "53"  # push rbx
    "4c8bc2"  # mov r8, rdx
    "8bc7"  # mov eax, edi
    "8bce"  # mov ecx, esi
    "0fa2"  # cpuid
    "418900"  # mov [r8], eax
    "41895804"  # mov [r8 + 4], ebx
    "41894808"  # mov [r8 + 8], ecx
    "4189500c"  # mov [r8 + 12], edx
    "5b"  # pop rbx
    "c3"  # ret
    "33c9"  # xor ecx, ecx
    "0f01d0"  # xgetbv
    "c3"  # ret
)
_XGETBV = 27
#: The same with the C convention of Windows, which differs in the registers of the arguments.
_WINDOWS_CODE = _CODE.replace(bytes.fromhex("4c8bc28bc78bce"), bytes.fromhex("0f1f008bc18bca"))
#: Bytes to ask for: the system rounds them up to pages.
_SIZE = 4096
# mmap(2) of Linux and macOS. (The module `mmap` takes longer to import than this takes.)
_PROT_READ, _PROT_WRITE, _PROT_EXEC, _MAP_PRIVATE = 1, 2, 4, 2
_MAP_ANONYMOUS = 0x1000 if sys.platform == "darwin" else 0x20
_MAP_FAILED = ctypes.c_void_p(-1).value
# winnt.h
_MEM_COMMIT_AND_RESERVE, _MEM_RELEASE, _PAGE_READWRITE, _PAGE_EXECUTE_READ = 0x3000, 0x8000, 0x04, 0x20


def decode_features(cpuid: Cpuid, xgetbv: Callable[[], int]) -> tuple[str, ...]:
    """Names of the features that a processor reports, sorted.

    `cpuid` returns a leaf's registers, `xgetbv` the low half of XCR0; leaves and registers that the processor does not
    have are not asked for.
    """
    highest = {0: cpuid(0, 0)[0], _EXTENDED: cpuid(_EXTENDED, 0)[0]}
    found = []
    saved = xgetbv() if cpuid(1, 0)[_ECX] & _OSXSAVE else 0
    for name, leaf, register, bit, _, state in _FEATURES:
        if leaf > highest[leaf & _EXTENDED] or state & ~saved:
            continue
        if cpuid(leaf, 0)[register] >> bit & 1:
            found.append(name)
    return tuple(sorted(found))


def features_by_cpuid() -> tuple[str, ...]:
    """Ask the processor. Raises OSError where code cannot be made executable.

    The page is never writable and executable at the same time.
    """
    with _placed() as address:
        registers = (ctypes.c_uint32 * 4)()
        # (one type for both: making one takes longer than all the rest)
        function = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_void_p)
        call = function(address)
        get_state = function(address + _XGETBV)

        def cpuid(leaf: int, subleaf: int) -> tuple[int, int, int, int]:
            call(leaf, subleaf, ctypes.addressof(registers))
            return registers[0], registers[1], registers[2], registers[3]

        def xgetbv() -> int:
            state: int = get_state(0, 0, None)
            return state

        return decode_features(cpuid, xgetbv)


if sys.platform == "win32":

    @contextmanager
    def _placed() -> Iterator[int]:
        """The address of the code, executable."""
        kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel32.VirtualAlloc.restype = ctypes.c_void_p
        address: int | None = kernel32.VirtualAlloc(None, _SIZE, _MEM_COMMIT_AND_RESERVE, _PAGE_READWRITE)
        if not address:
            raise ctypes.WinError(ctypes.get_last_error())
        try:
            ctypes.memmove(address, _WINDOWS_CODE, len(_WINDOWS_CODE))
            pages = (ctypes.c_void_p(address), ctypes.c_size_t(_SIZE))
            if not kernel32.VirtualProtect(*pages, _PAGE_EXECUTE_READ, ctypes.byref(ctypes.c_uint32())):
                raise ctypes.WinError(ctypes.get_last_error())
            yield address
        finally:
            kernel32.VirtualFree(ctypes.c_void_p(address), ctypes.c_size_t(0), _MEM_RELEASE)

else:

    @contextmanager
    def _placed() -> Iterator[int]:
        """The address of the code, executable."""
        libc = ctypes.CDLL(None, use_errno=True)
        pages, size = ctypes.c_void_p, ctypes.c_size_t
        libc.mmap.restype = pages
        libc.mmap.argtypes = [pages, size, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
        libc.mprotect.argtypes = [pages, size, ctypes.c_int]
        libc.munmap.argtypes = [pages, size]
        address: int = libc.mmap(None, _SIZE, _PROT_READ | _PROT_WRITE, _MAP_PRIVATE | _MAP_ANONYMOUS, -1, 0)
        if address == _MAP_FAILED:
            raise OSError(ctypes.get_errno(), "no memory for a page of code")
        try:
            ctypes.memmove(address, _CODE, len(_CODE))
            if libc.mprotect(address, _SIZE, _PROT_READ | _PROT_EXEC) != 0:
                raise OSError(ctypes.get_errno(), "mprotect refuses executable memory")
            yield address
        finally:
            libc.munmap(address, _SIZE)


def features_by_cpuinfo(text: str) -> tuple[str, ...]:
    """The same from the text of Linux's /proc/cpuinfo, which lists what the kernel enabled."""
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "flags":
            flags = set(value.split())
            return tuple(sorted(row[0] for row in _FEATURES if row[4] in flags))
    return ()


def machine() -> str:
    """The architecture, as the kernel calls it; "" where there is no uname(2), and Python does not say it either."""
    if hasattr(os, "uname"):
        return os.uname().machine
    return "AMD64" if "AMD64" in sys.version else ""


@functools.cache
def features() -> tuple[str, ...]:
    """Optional features of this processor among FEATURE_NAMES, sorted; empty on other architectures."""
    if machine().lower() not in _MACHINES:
        return ()
    try:
        return features_by_cpuid()
    except (OSError, AttributeError):
        try:
            with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
                return features_by_cpuinfo(file.read())
        except OSError:
            return ()


def host_support() -> HostSupport:
    """Whether code of this backend runs in this process."""
    name = machine()
    if name.lower() not in _MACHINES:
        return HostSupport(False, f"this backend makes code for x86-64, the processor here is {name or 'unknown'}")
    if ctypes.sizeof(ctypes.c_void_p) != 8:
        return HostSupport(False, "Python is a 32-bit program here; x86-64 code needs a 64-bit one")
    if sys.platform not in ("linux", "darwin", "win32"):
        what = f"signal frames of {sys.platform} are not known to this backend, only those of Linux, macOS and Windows"
        return HostSupport(False, what)
    return HostSupport(True, f"x86-64 with {', '.join(features()) or 'no optional features'}")
