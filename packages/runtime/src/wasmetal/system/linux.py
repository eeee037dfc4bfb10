"""Linux, by way of the C library. `interface` says what each function is for; the others are for this file alone."""

from __future__ import annotations

import _thread
import contextlib
import ctypes
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial

from wasm_core.errors import WasmError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import select
    from typing import Final

    from wasmetal.system.interface import Call

PAGE: Final = os.sysconf("SC_PAGE_SIZE")

PROT_NONE: Final = 0
PROT_READ: Final = 1
PROT_WRITE: Final = 2
PROT_EXEC: Final = 4

MAP_SHARED: Final = 0x1
MAP_PRIVATE: Final = 0x2
MAP_FIXED: Final = 0x10
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

_MAP_FAILED: Final = ctypes.c_void_p(-1).value

_libc = ctypes.CDLL(None, use_errno=True)

_mmap = _libc.mmap
_mmap.restype = ctypes.c_void_p
_mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_munmap = _libc.munmap
_munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_mprotect = _libc.mprotect
_mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_madvise = _libc.madvise
_madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


class SigAction(ctypes.Structure):
    """`struct sigaction`, the same in glibc and musl on 64-bit machines."""

    _fields_ = [
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_ulong * 16),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    ]


_sigaction = _libc.sigaction
_sigaction.argtypes = [ctypes.c_int, ctypes.POINTER(SigAction), ctypes.POINTER(SigAction)]
#: The same for each new instance with a memory: it holds the GIL, and does not mind `errno`.
_look = ctypes.PYFUNCTYPE(ctypes.c_int)(("sigaction", _libc))
#: By signal: what reads its action, with arguments that need no conversion, and what it is read into.
_present = {
    number: (partial(_look, number, None, ctypes.byref(action)), action)
    for number in (SIGSEGV, SIGBUS)
    for action in (SigAction(),)
}

_pthread_self = _libc.pthread_self
_pthread_self.restype = ctypes.c_void_p
_pthread_getspecific = _libc.pthread_getspecific
_pthread_getspecific.restype = ctypes.c_void_p
_pthread_getspecific.argtypes = [ctypes.c_uint]
_pthread_setspecific = _libc.pthread_setspecific
_pthread_setspecific.argtypes = [ctypes.c_uint, ctypes.c_void_p]
_GLIBC: Final = hasattr(_libc, "gnu_get_libc_version")
#: pthread_attr_t: 56 bytes on x86-64, 64 on AArch64.
_PthreadAttributes: Final = ctypes.c_uint64 * 8


def _error(what: str, number: int | None = None) -> OSError:
    number = ctypes.get_errno() if number is None else number
    return OSError(number, f"{what}: {os.strerror(number)}")


def address_of(name: str) -> int:
    """Address of a function of the C library.

    Raises:
        AttributeError: there is no such function.
    """
    address = ctypes.cast(getattr(_libc, name), ctypes.c_void_p).value
    assert address is not None
    return address


def mmap(size: int, protection: int, flags: int, fd: int = -1, offset: int = 0, address: int | None = None) -> int:
    """Map `size` bytes and return the address (mmap(2)).

    Raises:
        OSError: the kernel refused.
    """
    result: int | None = _mmap(address, size, protection, flags, fd, offset)
    if result is None or result == _MAP_FAILED:
        raise _error(f"mmap of {size:#x} bytes")
    return result


def munmap(address: int, size: int) -> None:
    """Undo a mapping (munmap(2)). Raises OSError."""
    if _munmap(address, size):
        raise _error("munmap")


def mprotect(address: int, size: int, protection: int) -> None:
    """Change the protection of whole pages (mprotect(2)). Raises OSError."""
    if _mprotect(address, size, protection):
        raise _error("mprotect")


def madvise(address: int, size: int, advice: int) -> None:
    """Tell the kernel about the use of whole pages (madvise(2)). Raises OSError."""
    if _madvise(address, size, advice):
        raise _error("madvise")


# Address space.


def reserve(size: int) -> int:
    return mmap(size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)


def reserve_again(address: int, size: int) -> None:
    mmap(size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, address=address)


def allocate(size: int) -> int:
    return mmap(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS)


def release(address: int, size: int) -> None:
    munmap(address, size)


def commit(address: int, size: int) -> None:
    mprotect(address, size, PROT_READ | PROT_WRITE)


def forbid(address: int, size: int) -> None:
    mprotect(address, size, PROT_NONE)


# For private anonymous mappings Linux promises zeros (madvise(2)).
DISCARDED_IS_ZERO: Final = True


def discard(address: int, size: int, _advise=madvise, _unneeded=MADV_DONTNEED) -> None:  # type: ignore[no-untyped-def]
    # Bound at definition, because module globals may be gone when the interpreter shuts down.
    _advise(address, size, _unneeded)


def image_file(size: int, pieces: Sequence[tuple[int, int, int]]) -> int:
    import fcntl  # most programs have no images

    file = _memory_file("wasmetal-image", MFD_CLOEXEC | MFD_ALLOW_SEALING)
    try:
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
    mmap(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, file, address=address)


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
    if not hasattr(_libc, "memfd_create"):
        raise OSError("no memfd_create in this C library")
    file: int = _libc.memfd_create(name.encode(), ctypes.c_uint(flags))
    if file < 0:
        raise _error("memfd_create")
    return file


def map_executable(file: int, size: int, address: int) -> None:
    mmap(size, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, file, address=address)


def map_writable(file: int, size: int, address: int | None = None) -> int:
    return mmap(size, PROT_READ | PROT_WRITE, MAP_SHARED | (0 if address is None else MAP_FIXED), file, address=address)


def discard_in_file(address: int, size: int) -> None:
    # Where holes cannot be punched the pages stay, to be used again.
    with contextlib.suppress(OSError):
        madvise(address, size, MADV_REMOVE)


def make_executable(address: int, size: int) -> None:
    mprotect(address, size, PROT_READ | PROT_EXEC)


# Faults.

#: Signals of accesses to what is not there.
FAULTS: Final = (SIGSEGV, SIGBUS)


def set_fault_handler(number: int, handler: int) -> None:
    set_signal_action(number, SigAction(handler=handler, flags=SA_SIGINFO | SA_ONSTACK | SA_NODEFER))


def signal_action(number: int) -> SigAction:
    """The action of signal `number` (sigaction(2)). Raises OSError."""
    action = SigAction()
    if _sigaction(number, None, ctypes.byref(action)):
        raise _error("sigaction")
    return action


def fault_handler(number: int) -> int:
    """The handler of signal SIGSEGV or SIGBUS. Quicker than `signal_action`. Raises OSError."""
    look, action = _present[number]
    # Other threads may ask for the same at the same time, and get the same.
    if look():
        raise _error("sigaction")
    handler: int | None = action.handler
    return handler or 0


def set_signal_action(number: int, action: SigAction) -> None:
    """Set the action of signal `number` (sigaction(2)). Raises OSError."""
    if _sigaction(number, ctypes.byref(action), None):
        raise _error("sigaction")


def default_setter() -> int:
    return address_of("sigaction")


THREAD_VALUE: Final = "pthread_getspecific"


def new_thread_key() -> int:
    """A new key of thread-specific data, 0 in every thread (pthread_key_create(3)). Raises OSError."""
    key = ctypes.c_uint()
    error = _libc.pthread_key_create(ctypes.byref(key), None)
    if error:
        raise _error("pthread_key_create", error)
    return key.value


def thread_value(key: int) -> int:
    """What the calling thread has for a key."""
    return _pthread_getspecific(key) or 0


def set_thread_value(key: int, value: int) -> None:
    """Set what the calling thread has for a key (pthread_setspecific(3)). Raises OSError."""
    error = _pthread_setspecific(key, value)
    if error:
        raise _error("pthread_setspecific", error)


at_fork = os.register_at_fork


def thread_stack() -> tuple[int, int]:
    """Lowest address and size, in bytes, of what the calling thread may use as its stack (pthread_getattr_np(3)).

    Raises:
        OSError: the system does not know.
    """
    attributes = _PthreadAttributes()
    error = _libc.pthread_getattr_np(ctypes.c_void_p(_pthread_self()), attributes)
    if error:
        raise _error("pthread_getattr_np", error)
    address, size, guard = ctypes.c_void_p(), ctypes.c_size_t(), ctypes.c_size_t()
    try:
        _libc.pthread_attr_getstack(attributes, ctypes.byref(address), ctypes.byref(size))
        _libc.pthread_attr_getguardsize(attributes, ctypes.byref(guard))
    finally:
        _libc.pthread_attr_destroy(attributes)
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
    _libc.pthread_mutex_init(mutex, None)
    _libc.sigfillset(all_signals)
    _libc.pthread_attr_init(attributes)
    _libc.pthread_attr_setstacksize(attributes, ctypes.c_size_t(stack_bytes))
    return {"futex": _SYS_FUTEX[machine]}


def ticker_time(nanoseconds: int) -> int:
    return nanoseconds


def make_timer(handler: Callable[[], int]) -> tuple[int, int]:
    import signal

    create = _libc.timer_create
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


# Waiting.

POLLS_ARE_WOKEN: Final = True


def poller() -> select.poll:
    import select

    return select.poll()


# Files.


def cache_directory() -> str:
    # XDG Base Directory Specification.
    base = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(base):  # else it is not set, or to be ignored as the specification says
        return os.path.join(base, "wasmetal")
    home = os.path.expanduser("~")
    if not os.path.isabs(home):
        # A user without a home, as in containers; `refusal` sees to it that nobody has been there before us.
        return os.path.join("/tmp", f"wasmetal-{os.geteuid()}")
    return os.path.join(home, ".cache", "wasmetal")


OPEN_FLAGS: Final = os.O_NOFOLLOW | os.O_CLOEXEC
NOT_WAITING: Final = os.O_NONBLOCK
REPLACES_OPEN_FILES: Final = True
read_at = os.pread


def is_ours(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def lock_file(file: int) -> None:
    import fcntl

    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
