"""Linux, by way of the C library. `interface` says what each function is for; the others are for this file alone. What
is not here is in `posix`."""

from __future__ import annotations

import _thread
import contextlib
import ctypes
import errno
import os
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial

from wasm_core.errors import WasmError
from wasmetal.system.posix import (
    MAP_FIXED,
    MAP_PRIVATE,
    MAP_SHARED,
    PROT_EXEC,
    PROT_NONE,
    PROT_READ,
    PROT_WRITE,
    cache_below,
    libc,
    madvise,
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
from wasmetal.system.posix import mprotect as mprotect
from wasmetal.system.posix import munmap as munmap
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

MAP_ANONYMOUS: Final = 0x20
MAP_NORESERVE: Final = 0x4000

MADV_DONTNEED: Final = 4
MADV_REMOVE: Final = 9
MADV_NOHUGEPAGE: Final = 15

MFD_CLOEXEC: Final = 1
MFD_ALLOW_SEALING: Final = 2
MFD_EXEC: Final = 0x10

# linux/fcntl.h: F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW and F_SEAL_WRITE.
_F_ADD_SEALS: Final = 1033
_SEALS: Final = 0xF

SIGBUS: Final = 7
SIGSEGV: Final = 11

SA_SIGINFO: Final = 0x4
SA_ONSTACK: Final = 0x08000000
SA_RESTART: Final = 0x10000000
SA_NODEFER: Final = 0x40000000


class SigAction(ctypes.Structure):
    """`struct sigaction`, the same in glibc and musl on 64-bit machines."""

    _fields_ = [
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_ulong * 16),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    ]


_sigaction = libc.sigaction
_sigaction.argtypes = [ctypes.c_int, ctypes.POINTER(SigAction), ctypes.POINTER(SigAction)]
#: The same for each new instance with a memory: it holds the GIL, and does not mind `errno`.
_look = ctypes.PYFUNCTYPE(ctypes.c_int)(("sigaction", libc))
#: By signal: what reads its action, with arguments that need no conversion, and what it is read into.
_present = {
    number: (partial(_look, number, None, ctypes.byref(action)), action)
    for number in (SIGSEGV, SIGBUS)
    for action in (SigAction(),)
}

_GLIBC: Final = hasattr(libc, "gnu_get_libc_version")
#: pthread_attr_t: 56 bytes on x86-64, 64 on AArch64.
_PthreadAttributes: Final = ctypes.c_uint64 * 8


# Address space.


def reserve(size: int) -> int:
    return mmap(size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)


def reserve_again(address: int, size: int) -> None:
    mmap(size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, address=address)


def allocate(size: int) -> int:
    return mmap(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS)


# For private anonymous mappings Linux promises zeros (madvise(2)).
DISCARDED_IS_ZERO: Final = True


def discard(address: int, size: int, _advise=madvise, _unneeded=MADV_DONTNEED) -> None:  # type: ignore[no-untyped-def]
    # Bound at definition, because module globals may be gone when the interpreter shuts down.
    _advise(address, size, _unneeded)


#: An argument that is left out is that.
DISCARD_AT_ONCE: Final = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)(
    ("madvise", libc), ((1, "address"), (1, "size"), (1, "advice", MADV_DONTNEED))
)


def image_file(size: int, pieces: Sequence[tuple[int, int, int]]) -> int:
    import fcntl  # most programs have no images
    import resource

    file = _memory_file("wasmetal-image", MFD_CLOEXEC | MFD_ALLOW_SEALING)
    try:
        # Numbers are given from the lowest on. A module with many memories must leave others some.
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if most != resource.RLIM_INFINITY and file >= most // 2:
            raise OSError(errno.EMFILE, "images leave half of the descriptors to others")
        os.ftruncate(file, size)
        for offset, source, count in pieces:
            done = 0
            while done < count:
                rest = (ctypes.c_char * (count - done)).from_address(source + done)
                done += os.pwrite(file, rest, offset + done)
        fcntl.fcntl(file, _F_ADD_SEALS, _SEALS)
    except BaseException:
        os.close(file)
        raise
    return file


def map_image(file: int, size: int, address: int) -> None:
    try:
        mmap(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, file, address=address)
    except OSError:
        # What was mapped there may be gone (mmap(2)), and then anything may come to be there.
        try:
            mmap(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, address=address)
        except OSError as error:
            raise MemoryError(f"cannot map {size} bytes again: {error}") from error
        raise


def keep_small_pages(address: int, size: int) -> None:
    # Kernels without huge pages know no such advice.
    with contextlib.suppress(OSError):
        madvise(address, size, MADV_NOHUGEPAGE)


@lru_cache(maxsize=1)  # each of thousands of reservations asks
def most_mappings() -> int:
    try:
        with open("/proc/sys/vm/max_map_count", "rb") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 65530  # as usual: Documentation/admin-guide/sysctl/vm.rst


# Pages of code.


def code_file(size: int) -> int:
    """A new anonymous file of `size` bytes, all holes, that may be mapped executable; returns its descriptor.

    Raises:
        OSError: the system has no memfd_create or refuses.
    """
    try:
        # Since Linux 6.3 a memfd is executable only on request where vm.memfd_noexec says so.
        fd = _memory_file("wasmetal-code", MFD_CLOEXEC | MFD_EXEC)
    except OSError:
        fd = _memory_file("wasmetal-code", MFD_CLOEXEC)
    try:
        os.ftruncate(fd, size)
    except OSError:
        os.close(fd)
        raise
    return fd


def _memory_file(name: str, flags: int) -> int:
    """A descriptor of a new file in memory (memfd_create(2)). Raises OSError."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create(name, flags)
    # Python was built with an older C library than the one that is here, as for manylinux.
    if not hasattr(libc, "memfd_create"):
        raise OSError("no memfd_create in this C library")
    file: int = libc.memfd_create(name.encode(), ctypes.c_uint(flags))
    if file < 0:
        raise refused("memfd_create")
    return file


def map_executable(file: int, size: int, address: int) -> None:
    mmap(size, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, file, address=address)


def map_writable(file: int, size: int, address: int | None = None) -> int:
    return mmap(size, PROT_READ | PROT_WRITE, MAP_SHARED | (0 if address is None else MAP_FIXED), file, address=address)


def discard_in_file(address: int, size: int) -> None:
    # Where holes cannot be punched the pages stay, to be used again.
    with contextlib.suppress(OSError):
        madvise(address, size, MADV_REMOVE)


# Faults.

#: Signals of accesses to what is not there.
FAULTS: Final = (SIGSEGV, SIGBUS)


def set_fault_handler(number: int, handler: int) -> None:
    set_signal_action(number, SigAction(handler=handler, flags=SA_SIGINFO | SA_ONSTACK | SA_NODEFER))


def signal_action(number: int) -> SigAction:
    """The action of signal `number` (sigaction(2)). Raises OSError."""
    action = SigAction()
    if _sigaction(number, None, ctypes.byref(action)):
        raise refused("sigaction")
    return action


def fault_handler(number: int) -> int:
    """The handler of signal SIGSEGV or SIGBUS. Quicker than `signal_action`. Raises OSError."""
    look, action = _present[number]
    # Other threads may ask for the same at the same time, and get the same.
    if look():
        raise refused("sigaction")
    handler: int | None = action.handler
    return handler or 0


def set_signal_action(number: int, action: SigAction) -> None:
    """Set the action of signal `number` (sigaction(2)). Raises OSError."""
    if _sigaction(number, ctypes.byref(action), None):
        raise refused("sigaction")


def default_setter() -> int:
    return address_of("sigaction")


# The backend's own code does it.
SYNCHRONIZE: Final = None


def thread_stack() -> tuple[int, int]:
    """Lowest address and size, in bytes, of what the calling thread may use as its stack (pthread_getattr_np(3)).

    Raises:
        OSError: the system does not know.
    """
    attributes = _PthreadAttributes()
    error = libc.pthread_getattr_np(ctypes.c_void_p(pthread_self()), attributes)
    if error:
        raise refused("pthread_getattr_np", error)
    address, size, guard = ctypes.c_void_p(), ctypes.c_size_t(), ctypes.c_size_t()
    try:
        libc.pthread_attr_getstack(attributes, ctypes.byref(address), ctypes.byref(size))
        libc.pthread_attr_getguardsize(attributes, ctypes.byref(guard))
    finally:
        libc.pthread_attr_destroy(attributes)
    # The guard is at the bottom of what glibc calls the stack.
    lowest, usable = (address.value or 0) + guard.value, size.value - guard.value
    if not _GLIBC and _thread.get_native_id() == os.getpid():
        # musl tells how much of the main thread's stack has been used so far; it grows to its limit.
        top = lowest + usable
        usable = max(usable, _main_stack_limit())
        lowest = top - usable
    return lowest, usable


def _main_stack_limit() -> int:
    """How large the main thread's stack may become, in bytes; what is usual if there is no limit."""
    import resource

    limit = resource.getrlimit(resource.RLIMIT_STACK)[0]
    return 1 << 23 if limit == resource.RLIM_INFINITY else limit


# The ticker's thread, and what stands in for it.

#: What the ticker's code calls: its field of the ticker's structure -> function of the C library.
TICKER_FUNCTIONS: Final = {
    "lock": "pthread_mutex_lock",
    "unlock": "pthread_mutex_unlock",
    "trylock": "pthread_mutex_trylock",
    "wait": "syscall",
    "wake": "syscall",
    "clock": "clock_gettime",
    "create": "pthread_create",
    "join": "pthread_join",
    "sigmask": "pthread_sigmask",
}
# linux/futex.h; the numbers of the system call are from asm/unistd.h.
_SYS_FUTEX: Final = {"x86_64": 202, "aarch64": 98}
_FUTEX_WAIT_PRIVATE: Final = 128
_FUTEX_WAKE_PRIVATE: Final = 129
# bits/sigaction.h
_SIG_BLOCK: Final = 0
_SIG_SETMASK: Final = 2
# bits/time.h, bits/sigevent-consts.h
_CLOCK_MONOTONIC: Final = 1
_SIGEV_SIGNAL: Final = 0
_SIGEVENT_BYTES: Final = 64

TICKER_CALLS: Final[Mapping[str, tuple[Call, ...]]] = {
    "lock": (("lock", ("&mutex",)),),
    "unlock": (("unlock", ("&mutex",)),),
    "trylock": (("trylock", ("&mutex",)),),
    "wait": (("wait", ("futex", "&stop", _FUTEX_WAIT_PRIVATE, 0, "&tick_seconds")),),
    "wake": (("wake", ("futex", "&stop", _FUTEX_WAKE_PRIVATE, 1)),),
    "now": (("clock", (_CLOCK_MONOTONIC, "&now_seconds")),),
    "create": (("create", ("&thread", "&attributes", "code", "&")),),
    "join": (("join", ("thread", 0)),),
    # Signals are for others: they are to wake whoever waits in a system call.
    "block_signals": (("sigmask", (_SIG_BLOCK, "&all_signals", "&old_signals")),),
    "restore_signals": (("sigmask", (_SIG_SETMASK, "&old_signals", 0)),),
}
CREATING_GIVES_THREAD: Final = False


def prepare_ticker(fields: Callable[[str], int], stack_bytes: int) -> Mapping[str, int]:
    machine = os.uname().machine
    if machine not in _SYS_FUTEX:
        raise WasmError(f"wasmetal does not know the system calls of {machine}")
    mutex, all_signals, attributes = [ctypes.c_void_p(fields(name)) for name in ("mutex", "all_signals", "attributes")]
    libc.pthread_mutex_init(mutex, None)
    libc.sigfillset(all_signals)
    libc.pthread_attr_init(attributes)
    libc.pthread_attr_setstacksize(attributes, ctypes.c_size_t(stack_bytes))
    return {"futex": _SYS_FUTEX[machine]}


def ticker_time(nanoseconds: int) -> int:
    return nanoseconds


def make_timer(handler: Callable[[], int]) -> tuple[int, int]:
    import signal

    create = libc.timer_create
    number = next((n for n in range(signal.SIGRTMAX, signal.SIGRTMIN - 1, -1) if not signal_action(n).handler), 0)
    if not number:
        raise OSError("all signals are in use")
    action = SigAction(handler=handler(), flags=SA_RESTART | SA_ONSTACK)
    action.mask[:] = [(1 << 64) - 1] * len(action.mask)
    set_signal_action(number, action)
    # struct sigevent: value, signal, way of notification
    event = (ctypes.c_uint64 * (_SIGEVENT_BYTES // 8))(0, number | _SIGEV_SIGNAL << 32)
    timer = ctypes.c_void_p()
    if create(_CLOCK_MONOTONIC, event, ctypes.byref(timer)):
        set_signal_action(number, SigAction())
        raise OSError("no timer can be made")
    return number, timer.value or 0


# Files.


def cache_directory() -> str:
    return cache_below(".cache")
