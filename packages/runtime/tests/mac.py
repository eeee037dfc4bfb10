"""A stand-in for macOS on Linux: python mac.py NAME... runs checks of `wasmetal.cli.self_test` on the port to macOS.

The port calls the C library of macOS; here a stand-in translates: numbers of flags, signals and clocks, the structure
of `sigaction`, what Linux has not. So all of the port's logic runs, and the runtime on it; what Apple's headers say is
taken as the port has it. Flags that the port should not know are errors.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import wasmetal.system.posix as posix

#: What stands behind the port's back.
real = ctypes.CDLL(None, use_errno=True)
_MAP_BITS = {0x1: 0x1, 0x2: 0x2, 0x10: 0x10, 0x40: 0x4000, 0x1000: 0x20}
_SIGNALS = {10: 7, 11: 11}
_SA_BITS = {0x1: 0x08000000, 0x10: 0x40000000, 0x40: 0x4}
_HOW = {1: 0, 3: 2}
calls: list[str] = []


def translated(bits: int, table: dict[int, int]) -> int:
    result = 0
    for bit, other in table.items():
        if bits & bit:
            bits &= ~bit
            result |= other
    assert not bits, f"flags {bits:#x}"
    return result


def untranslated(bits: int, table: dict[int, int]) -> int:
    return sum(bit for bit, other in table.items() if bits & other)


class LinuxSigAction(ctypes.Structure):
    _fields_ = [
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_ulong * 16),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    ]


class MacSigAction(ctypes.Structure):
    _fields_ = [("handler", ctypes.c_void_p), ("mask", ctypes.c_uint32), ("flags", ctypes.c_int)]


def mac_sigaction(number: int, new: int | None, old: int | None) -> int:
    calls.append("sigaction")
    number = _SIGNALS[number]
    action, before = LinuxSigAction(), LinuxSigAction()
    given = None
    if new:
        wanted = MacSigAction.from_address(new)
        action.handler, action.flags = wanted.handler, translated(wanted.flags, _SA_BITS)
        given = ctypes.byref(action)
    if real.sigaction(number, given, ctypes.byref(before)):
        return -1
    if old:
        found = MacSigAction.from_address(old)
        found.handler, found.mask, found.flags = before.handler, 0, untranslated(before.flags, _SA_BITS)
    return 0


def sigmask(how: int, mask: int, old: int | None) -> int:
    """The masks of both systems begin with a word of 32 bits."""
    wide, before = (ctypes.c_ulong * 16)(), (ctypes.c_ulong * 16)()
    wide[0] = ctypes.c_uint32.from_address(mask).value
    result = int(real.pthread_sigmask(_HOW[how], wide, before))
    if old:
        ctypes.c_uint32.from_address(old).value = before[0] & 0xFFFFFFFF
    return result


def stack() -> tuple[int, int]:
    real.pthread_self.restype = ctypes.c_void_p
    attributes = (ctypes.c_uint64 * 8)()
    real.pthread_getattr_np(ctypes.c_void_p(real.pthread_self()), attributes)
    lowest, size = ctypes.c_void_p(), ctypes.c_size_t()
    real.pthread_attr_getstack(attributes, ctypes.byref(lowest), ctypes.byref(size))
    return (lowest.value or 0) + size.value, size.value


def region(task: int, address: int, size: int, flavor: int, info: int, count: int, name: int) -> int:
    """mach_vm_region: the first region that ends behind an address."""
    calls.append("mach_vm_region")
    assert (task, flavor, ctypes.c_uint32.from_address(count).value) == (77, 9, 9)
    asked = ctypes.c_uint64.from_address(address)
    with open("/proc/self/maps") as maps:
        for line in maps:
            place, rights = line.split()[:2]
            start, end = (int(part, 16) for part in place.split("-"))
            if end > asked.value:
                asked.value = start
                ctypes.c_uint64.from_address(size).value = end - start
                ctypes.c_int32.from_address(info).value = sum(1 << n for n, r in enumerate("rwx") if r in rights)
                return 0
    return 1


def invalidate(address: int, size: int) -> None:
    calls.append("sys_icache_invalidate")
    assert size >= 0


_word, _int, _pointer = ctypes.c_uint64, ctypes.c_int, ctypes.c_void_p
#: Functions that differ: what they take and return.
_FUNCTIONS: dict[str, Any] = {
    "sigaction": ctypes.CFUNCTYPE(_int, _int, _pointer, _pointer)(mac_sigaction),
    "pthread_sigmask": ctypes.CFUNCTYPE(_int, _int, _word, _word)(sigmask),
    "pthread_get_stackaddr_np": ctypes.CFUNCTYPE(_word, _pointer)(lambda thread: stack()[0]),
    "pthread_get_stacksize_np": ctypes.CFUNCTYPE(_word, _pointer)(lambda thread: stack()[1]),
    "mach_vm_region": ctypes.CFUNCTYPE(_int, ctypes.c_uint32, _pointer, _pointer, _int, _pointer, _pointer, _pointer)(
        region
    ),
    "sys_icache_invalidate": ctypes.CFUNCTYPE(None, _word, _word)(invalidate),
}


class Mac:
    """The C library, with what is different."""

    mach_task_self_ = 77

    def __getattr__(self, name: str) -> Any:
        if name in ("memfd_create", "timer_create", "syscall", "madvise", "pthread_getattr_np"):
            raise AttributeError(f"{name} is none of macOS's")
        return _FUNCTIONS.get(name) or getattr(real, name)


def mac_mmap(size: int, protection: int, flags: int, fd: int = -1, offset: int = 0, address: int | None = None) -> int:
    calls.append("mmap")
    assert fd == -1, "only memory without files"
    return linux_mmap(size, protection, translated(flags, _MAP_BITS), fd, offset, address)


linux_mmap = posix.mmap


def become_mac() -> Any:
    """Let `wasmetal.system.host` be the port to macOS; returns it. Nothing else of the runtime may be imported yet."""
    assert "wasmetal.system.host" not in sys.modules
    posix.libc = Mac()  # type: ignore[assignment]
    posix.mmap = mac_mmap
    in_library = ctypes.PYFUNCTYPE

    def prototype(*types: Any, **more: Any) -> Any:
        made = in_library(*types, **more)

        def function(place: Any) -> Any:
            # (name, library): of the stand-in.
            if isinstance(place, tuple) and isinstance(place[1], Mac):
                return made(ctypes.cast(_FUNCTIONS[place[0]], ctypes.c_void_p).value)
            return made(place)

        return function

    ctypes.PYFUNCTYPE = prototype  # type: ignore[misc, assignment]
    ctypes.c_uint32.in_dll = lambda library, name: ctypes.c_uint32(getattr(library, name))  # type: ignore[assignment]
    platform, sys.platform = sys.platform, "darwin"
    from wasmetal.system import darwin
    from wasmetal.system.host import host

    assert host is darwin
    sys.platform = platform
    del ctypes.c_uint32.in_dll
    # The ticker's thread must not need the GIL, so these cannot be functions of Python.
    assert darwin.TICKER_CALLS["now"] == (("clock", (8, "&now_seconds")),), "CLOCK_UPTIME_RAW"
    darwin.TICKER_CALLS["now"] = (("clock", (1, "&now_seconds")),)  # type: ignore[index]
    darwin.TICKER_FUNCTIONS["wait"] = "nanosleep"
    darwin.TICKER_CALLS["wait"] = (("wait", ("&tick_seconds", 0)),)  # type: ignore[index]
    ctypes.PYFUNCTYPE = in_library  # type: ignore[misc]
    return darwin


def main() -> None:
    darwin = become_mac()
    from wasmetal.cli.self_test import CHECKS

    for name in sys.argv[1:] or CHECKS:
        CHECKS[name]("auto")
        print(name)
    assert darwin.libc is not real
    from wasmetal.code.arena import arena

    assert not arena().dual_mapping
    for expected in ("mmap", "sigaction", "mach_vm_region"):
        assert expected in calls, expected


if __name__ == "__main__":
    main()
