"""macOS on AArch64 and x86-64, by way of its C library. `interface` says what each function is for; the others are for
this file alone. What is not here is in `posix`.

Written from Apple's headers and manual pages, and tested with a stand-in for the C library: nobody has run it on a Mac.
Code is written in place and then made executable, page by page, which needs no entitlement unless a program has the
hardened runtime. Faults come as signals (SIGBUS for pages that are protected, SIGSEGV for what is not mapped).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence

from wasmetal.system.posix import (
    MAP_FIXED,
    MAP_PRIVATE,
    PROT_NONE,
    PROT_READ,
    PROT_WRITE,
    cache_below,
    libc,
    mmap,
    pthread_self,
    refused,
)
from wasmetal.system.posix import NOT_WAITING as NOT_WAITING
from wasmetal.system.posix import OPEN_FLAGS as OPEN_FLAGS
from wasmetal.system.posix import PAGE as PAGE
from wasmetal.system.posix import POLLS_ARE_WOKEN as POLLS_ARE_WOKEN
from wasmetal.system.posix import REPLACES_OPEN_FILES as REPLACES_OPEN_FILES
from wasmetal.system.posix import THREAD_VALUE as THREAD_VALUE
from wasmetal.system.posix import address_of as address_of
from wasmetal.system.posix import at_fork as at_fork
from wasmetal.system.posix import commit as commit
from wasmetal.system.posix import forbid as forbid
from wasmetal.system.posix import is_ours as is_ours
from wasmetal.system.posix import lock_file as lock_file
from wasmetal.system.posix import make_executable as make_executable
from wasmetal.system.posix import new_thread_key as new_thread_key
from wasmetal.system.posix import poller as poller
from wasmetal.system.posix import read_at as read_at
from wasmetal.system.posix import release as release
from wasmetal.system.posix import set_thread_value as set_thread_value
from wasmetal.system.posix import thread_value as thread_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasmetal.system.interface import Call

# sys/mman.h
_MAP_NORESERVE: Final = 0x40
_MAP_ANON: Final = 0x1000
# sys/signal.h
_SIGBUS: Final = 10
_SIGSEGV: Final = 11
_SA_ONSTACK: Final = 0x1
_SA_NODEFER: Final = 0x10
_SA_SIGINFO: Final = 0x40
_SIG_BLOCK: Final = 1
_SIG_SETMASK: Final = 3
# mach/vm_region.h
_VM_REGION_BASIC_INFO_64: Final = 9
_VM_REGION_BASIC_INFO_COUNT_64: Final = 9


class SigAction(ctypes.Structure):
    """`struct sigaction`."""

    _fields_ = [("handler", ctypes.c_void_p), ("mask", ctypes.c_uint32), ("flags", ctypes.c_int)]


_sigaction = libc.sigaction
_sigaction.argtypes = [ctypes.c_int, ctypes.POINTER(SigAction), ctypes.POINTER(SigAction)]


# Address space.


def reserve(size: int) -> int:
    return mmap(size, PROT_NONE, MAP_PRIVATE | _MAP_ANON | _MAP_NORESERVE)


def reserve_again(address: int, size: int) -> None:
    mmap(size, PROT_NONE, MAP_PRIVATE | _MAP_ANON | _MAP_NORESERVE | MAP_FIXED, address=address)


def allocate(size: int) -> int:
    return mmap(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | _MAP_ANON)


#: The port of this process, which is another one in a forked child.
_task = ctypes.c_uint32.in_dll(libc, "mach_task_self_")
_region = libc.mach_vm_region
# struct vm_region_basic_info_64, of which the protection comes first.
_RegionInfo: Final = ctypes.c_int32 * _VM_REGION_BASIC_INFO_COUNT_64


# What they use is bound at definition, because module globals may be gone when the interpreter shuts down.
def _regions(  # type: ignore[no-untyped-def]
    address: int,
    size: int,
    _task=_task,
    _region=_region,
    _word=ctypes.c_uint64,
    _half=ctypes.c_uint32,
    _info=_RegionInfo,
    _ref=ctypes.byref,
    _kind=_VM_REGION_BASIC_INFO_64,
    _count=_VM_REGION_BASIC_INFO_COUNT_64,
) -> list[tuple[int, int, int]]:
    """What is mapped there: address, size and protection of each piece (mach_vm_region)."""
    end, found = address + size, []
    while address < end:
        start, length, name, info, count = _word(address), _word(), _half(), _info(), _half(_count)
        failed = _region(_task, _ref(start), _ref(length), _kind, info, _ref(count), _ref(name))
        if failed or start.value >= end:
            break
        low, high = max(start.value, address), min(start.value + length.value, end)
        found.append((low, high - low, info[0]))
        address = high
    return found


DISCARDED_IS_ZERO: Final = True
DISCARD_AT_ONCE: Final = None


def discard(  # type: ignore[no-untyped-def]
    address: int, size: int, _regions=_regions, _mmap=mmap, _flags=MAP_PRIVATE | _MAP_ANON | _MAP_NORESERVE | MAP_FIXED
) -> None:
    # No advice gives memory back and promises zeros (madvise(2)), so each piece is mapped anew, as it was protected.
    for start, part, protection in _regions(address, size):
        _mmap(part, protection, _flags, address=start)


def image_file(size: int, pieces: Sequence[tuple[int, int, int]]) -> int:
    raise OSError("no files that nobody can write on macOS")


def map_image(file: int, size: int, address: int) -> None:
    raise OSError("no images of memories on macOS")


def keep_small_pages(address: int, size: int) -> None:
    """There are no others."""


def most_mappings() -> int:
    return 1 << 20  # no limit but memory


# Pages of code.


def code_file(size: int) -> int:
    # Files in memory (shm_open(2)) may not be executed.
    raise OSError("code is written in place on macOS")


def map_executable(file: int, size: int, address: int) -> None:
    raise OSError("code is written in place on macOS")


def map_writable(file: int, size: int, address: int | None = None) -> int:
    raise OSError("code is written in place on macOS")


def discard_in_file(address: int, size: int) -> None:
    """There is none."""


_invalidate = ctypes.PYFUNCTYPE(None, ctypes.c_void_p, ctypes.c_size_t)(("sys_icache_invalidate", libc))


def SYNCHRONIZE(start: int, end: int) -> None:
    """sys_icache_invalidate(3)."""
    _invalidate(start, end - start)


# Faults.

# Pages that are protected, as those that guard memories are, raise the first.
FAULTS: Final = (_SIGBUS, _SIGSEGV)


def fault_handler(number: int) -> int:
    action = SigAction()
    if _sigaction(number, None, ctypes.byref(action)):
        raise refused("sigaction")
    handler: int | None = action.handler
    return handler or 0


def set_fault_handler(number: int, handler: int) -> None:
    action = SigAction(handler=handler, flags=_SA_SIGINFO | _SA_ONSTACK | _SA_NODEFER)
    if _sigaction(number, ctypes.byref(action), None):
        raise refused("sigaction")


def default_setter() -> int:
    return address_of("sigaction")


def thread_stack() -> tuple[int, int]:
    libc.pthread_get_stackaddr_np.restype = ctypes.c_void_p
    libc.pthread_get_stacksize_np.restype = ctypes.c_size_t
    thread = ctypes.c_void_p(pthread_self())
    top: int | None = libc.pthread_get_stackaddr_np(thread)
    size: int = libc.pthread_get_stacksize_np(thread)
    if not top:
        raise OSError("the system does not tell where the stack is")
    return top - size, size


# The ticker's thread.

TICKER_FUNCTIONS: Final = {
    "lock": "pthread_mutex_lock",
    "unlock": "pthread_mutex_unlock",
    "wait": "pthread_cond_timedwait_relative_np",
    "wake": "pthread_cond_signal",
    "clock": "clock_gettime",
    "create": "pthread_create",
    "join": "pthread_join",
    "sigmask": "pthread_sigmask",
}
#: time.h: what `time.monotonic` reads, too.
_CLOCK_UPTIME_RAW: Final = 8

TICKER_CALLS: Final[Mapping[str, tuple[Call, ...]]] = {
    "lock": (("lock", ("&mutex",)),),
    "unlock": (("unlock", ("&mutex",)),),
    # A call that wakes before the wait begins is missed, which then takes a whole tick.
    "wait": (
        ("lock", ("&wait_mutex",)),
        ("wait", ("&condition", "&wait_mutex", "&tick_seconds")),
        ("unlock", ("&wait_mutex",)),
    ),
    "wake": (("wake", ("&condition",)),),
    "now": (("clock", (_CLOCK_UPTIME_RAW, "&now_seconds")),),
    "create": (("create", ("&thread", "&attributes", "code", "&")),),
    "join": (("join", ("thread", 0)),),
    # Signals are for others: they are to wake whoever waits in a system call.
    "block_signals": (("sigmask", (_SIG_BLOCK, "&all_signals", "&old_signals")),),
    "restore_signals": (("sigmask", (_SIG_SETMASK, "&old_signals", 0)),),
}
CREATING_GIVES_THREAD: Final = False


def prepare_ticker(fields: Callable[[str], int], stack_bytes: int) -> Mapping[str, int]:
    for name in ("mutex", "wait_mutex"):
        libc.pthread_mutex_init(ctypes.c_void_p(fields(name)), None)
    libc.pthread_cond_init(ctypes.c_void_p(fields("condition")), None)
    # sigset_t is a word of 32 bits, and sigfillset is a macro there.
    ctypes.c_uint32.from_address(fields("all_signals")).value = 0xFFFFFFFF
    attributes = ctypes.c_void_p(fields("attributes"))
    libc.pthread_attr_init(attributes)
    libc.pthread_attr_setstacksize(attributes, ctypes.c_size_t(stack_bytes))
    return {}


def ticker_time(nanoseconds: int) -> int:
    return nanoseconds


def make_timer(handler: Callable[[], int]) -> tuple[int, int]:
    raise AttributeError("no timers with signals of their own on macOS")


# Files.


def cache_directory() -> str:
    return cache_below("Library", "Caches")
