"""Windows on x86-64, by way of its system libraries. `interface` says what each function is for; the others are for
this file alone."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, NoReturn

    from _typeshed import HasFileno

    from wasmetal.system.interface import Call

assert sys.platform == "win32"

PAGE: Final = 4096

# As select.POLLIN and select.POLLOUT are on other systems.
POLLIN: Final = 1
POLLOUT: Final = 4

# winnt.h
_MEM_COMMIT: Final = 0x1000
_MEM_RESERVE: Final = 0x2000
_MEM_DECOMMIT: Final = 0x4000
_MEM_RELEASE: Final = 0x8000
_PAGE_NOACCESS: Final = 0x01
_PAGE_READWRITE: Final = 0x04
_PAGE_EXECUTE_READ: Final = 0x20
_EXCEPTION_ACCESS_VIOLATION: Final = 0xC0000005

_kernel = ctypes.WinDLL("kernel32", use_last_error=True)
#: What functions of the C library, and of synchronization, are looked for in.
_LIBRARIES: Final = (_kernel, ctypes.WinDLL("kernelbase"), ctypes.WinDLL("vcruntime140"), ctypes.WinDLL("ucrtbase"))


class _MemoryInformation(ctypes.Structure):
    """MEMORY_BASIC_INFORMATION."""

    _fields_ = [
        ("base", ctypes.c_uint64),
        ("allocation_base", ctypes.c_uint64),
        ("allocation_protection", ctypes.c_uint32),
        ("partition", ctypes.c_uint16),
        ("size", ctypes.c_uint64),
        ("state", ctypes.c_uint32),
        ("protection", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
    ]


def _function(name: str, result: type | None, *arguments: object) -> Callable[..., int]:
    found = getattr(_kernel, name)
    found.restype, found.argtypes = result, arguments
    made: Callable[..., int] = found
    return made


_U32, _WORD, _POINTER = ctypes.c_uint32, ctypes.c_size_t, ctypes.c_void_p
_virtual_alloc = _function("VirtualAlloc", _POINTER, _POINTER, _WORD, _U32, _U32)
_virtual_free = _function("VirtualFree", _U32, _POINTER, _WORD, _U32)
_virtual_protect = _function("VirtualProtect", _U32, _POINTER, _WORD, _U32, _POINTER)
_virtual_query = _function("VirtualQuery", _WORD, _POINTER, _POINTER, _WORD)
_flush_instruction_cache = _function("FlushInstructionCache", _U32, _POINTER, _POINTER, _WORD)
_add_handler = _function("AddVectoredExceptionHandler", _POINTER, _U32, _POINTER)
_remove_handler = _function("RemoveVectoredExceptionHandler", _U32, _POINTER)
_tls_alloc = _function("TlsAlloc", _U32)
_tls_get = _function("TlsGetValue", ctypes.c_uint64, _U32)
_tls_set = _function("TlsSetValue", _U32, _U32, ctypes.c_uint64)
_stack_limits = _function("GetCurrentThreadStackLimits", None, _POINTER, _POINTER)
_counter = _function("QueryPerformanceCounter", _U32, _POINTER)
_frequency = _function("QueryPerformanceFrequency", _U32, _POINTER)

#: The pseudo-handle of this process.
_THIS_PROCESS: Final = _POINTER(-1)


def _refuse(what: str) -> NoReturn:
    number = ctypes.get_last_error()
    raise OSError(None, f"{what}: {ctypes.FormatError(number).strip()}", None, number)


def address_of(name: str) -> int:
    """Address of a function of the system's libraries.

    Raises:
        AttributeError: there is no such function.
    """
    for library in _LIBRARIES:
        try:
            address = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
        except AttributeError:
            continue
        assert address is not None
        return address
    raise AttributeError(f"no {name} in the system's libraries")


# Address space. What is reserved is committed page by page; committing says how it may be used, and changes nothing
# that is there.


def reserve(size: int) -> int:
    return _virtual_alloc(None, size, _MEM_RESERVE, _PAGE_NOACCESS) or _refuse(f"reserving {size:#x} bytes")


def reserve_again(address: int, size: int) -> None:
    if not _virtual_free(address, size, _MEM_DECOMMIT):
        _refuse("VirtualFree")


def allocate(size: int) -> int:
    made = _virtual_alloc(None, size, _MEM_COMMIT | _MEM_RESERVE, _PAGE_READWRITE)
    return made or _refuse(f"allocating {size:#x} bytes")


def release(address: int, size: int, _free=_virtual_free, _release=_MEM_RELEASE) -> None:  # type: ignore[no-untyped-def]
    # Bound at definition, because module globals may be gone when the interpreter shuts down.
    _free(address, 0, _release)


def commit(address: int, size: int) -> None:
    if not _virtual_alloc(address, size, _MEM_COMMIT, _PAGE_READWRITE):
        _refuse(f"committing {size:#x} bytes")


def _committed(  # type: ignore[no-untyped-def]
    address: int,
    size: int,
    _query=_virtual_query,
    _Information=_MemoryInformation,
    _byref=ctypes.byref,
    _sizeof=ctypes.sizeof,
    _commit=_MEM_COMMIT,
) -> list[tuple[int, int, int]]:
    """Parts of a range that are committed: address, size, protection. Safe in finalizers."""
    found = []
    end = address + size
    information = _Information()
    while address < end and _query(address, _byref(information), _sizeof(information)):
        part = min(end, information.base + information.size) - address
        if information.state == _commit:
            found.append((address, part, information.protection))
        address += part
    return found


def _protect(address: int, size: int, protection: int) -> None:
    """Change how pages that are committed may be used."""
    before = _U32()
    if not _virtual_protect(address, size, protection, ctypes.byref(before)):
        _refuse("VirtualProtect")


def forbid(address: int, size: int) -> None:
    for start, part, _ in _committed(address, size):
        _protect(start, part, _PAGE_NOACCESS)


# New pages are zero.
DISCARDED_IS_ZERO: Final = True
DISCARD_AT_ONCE: Final = None


def discard(  # type: ignore[no-untyped-def]
    address: int,
    size: int,
    _committed=_committed,
    _free=_virtual_free,
    _allocate=_virtual_alloc,
    _decommit=_MEM_DECOMMIT,
    _commit=_MEM_COMMIT,
    _error=OSError,
) -> None:
    for start, part, protection in _committed(address, size):
        if not _free(start, part, _decommit) or not _allocate(start, part, _commit, protection):
            raise _error("memory that was given back is not to be had again")


def image_file(size: int, pieces: Sequence[tuple[int, int, int]]) -> int:
    # Views of sections begin at multiples of 64 KiB, and what was written in one is not to be brought back.
    raise OSError("no images of memories on Windows")


def map_image(file: int, size: int, address: int) -> None:
    raise OSError("no images of memories on Windows")


def keep_small_pages(address: int, size: int) -> None:
    """Large pages come on request only."""


def most_mappings() -> int:
    # As many as there is memory to describe them.
    return 1 << 24


# Pages of code. A section of this size would count as memory that is used from the start, so code is written in place.


def code_file(size: int) -> int:
    raise OSError("code is written in place")


def map_executable(file: int, size: int, address: int) -> None:
    raise OSError("code is written in place")


def map_writable(file: int, size: int, address: int | None = None) -> int:
    raise OSError("code is written in place")


def discard_in_file(address: int, size: int) -> None:
    """There is none."""


def make_executable(address: int, size: int) -> None:
    _protect(address, size, _PAGE_EXECUTE_READ)
    _flush_instruction_cache(_THIS_PROCESS, address, size)


# Faults.

#: Vectored handlers get all exceptions; ours are these.
FAULTS: Final = (_EXCEPTION_ACCESS_VIOLATION,)


class _Handler:
    """What was registered last."""

    def __init__(self) -> None:
        self.address = 0
        self.registered = 0
        #: Whether faulthandler was on then: when it is switched on later, it is asked before ours.
        self.with_faulthandler = False


_handler: Final = _Handler()


def _has_faulthandler() -> bool:
    module = sys.modules.get("faulthandler")
    return module is not None and bool(module.is_enabled())


def fault_handler(number: int) -> int:
    if _handler.with_faulthandler or not _has_faulthandler():
        return _handler.address
    return 0


def set_fault_handler(number: int, handler: int) -> None:
    on = _has_faulthandler()
    registered = _add_handler(1, handler) or _refuse("AddVectoredExceptionHandler")
    before, _handler.registered = _handler.registered, registered
    _handler.address, _handler.with_faulthandler = handler, on
    if before:
        _remove_handler(before)


# x86-64 needs nothing.
SYNCHRONIZE: Final = None


def default_setter() -> int:
    return 0


# The stack of the calling thread, and what belongs to a thread.


def thread_stack() -> tuple[int, int]:
    lowest, end = ctypes.c_uint64(), ctypes.c_uint64()
    _stack_limits(ctypes.byref(lowest), ctypes.byref(end))
    return lowest.value, end.value - lowest.value


def new_thread_key() -> int:
    key = _tls_alloc()
    if key == 0xFFFFFFFF:
        _refuse("TlsAlloc")
    return key


def thread_value(key: int) -> int:
    return _tls_get(key)


def set_thread_value(key: int, value: int) -> None:
    if not _tls_set(key, value):
        _refuse("TlsSetValue")


THREAD_VALUE: Final = "TlsGetValue"


def at_fork(**hooks: Callable[[], object]) -> None:
    """Nothing forks."""


# The ticker.

TICKER_FUNCTIONS: Final = {
    "lock": "AcquireSRWLockExclusive",
    "unlock": "ReleaseSRWLockExclusive",
    "wait": "WaitOnAddress",
    "wake": "WakeByAddressSingle",
    "clock": "QueryPerformanceCounter",
    "create": "CreateThread",
    "join": "WaitForSingleObject",
    "close": "CloseHandle",
}
_STACK_SIZE_PARAM_IS_A_RESERVATION: Final = 0x10000
_INFINITE: Final = 0xFFFFFFFF
_CREATION: Final = ("code", "&", _STACK_SIZE_PARAM_IS_A_RESERVATION, 0)
TICKER_CALLS: Final[Mapping[str, tuple[Call, ...]]] = {
    "lock": (("lock", ("&mutex",)),),
    "unlock": (("unlock", ("&mutex",)),),
    "wait": (("wait", ("&stop", "&no_interval", 8, "tick_milliseconds")),),
    "wake": (("wake", ("&stop",)),),
    # Ticks of the counter, where other systems have nanoseconds.
    "now": (("clock", ("&now_nanoseconds",)),),
    "create": (("create", (0, "stack_bytes", *_CREATION)),),
    "join": (("join", ("thread", _INFINITE)), ("close", ("thread",))),
    "block_signals": (),
    "restore_signals": (),
}
CREATING_GIVES_THREAD: Final = True


def _ask(function: Callable[..., int]) -> int:
    answer = ctypes.c_uint64()
    function(ctypes.byref(answer))
    return answer.value


_PER_SECOND: Final = _ask(_frequency)


def ticker_time(nanoseconds: int) -> int:
    # Before 3.13 Python has another clock.
    return _ask(_counter) + (nanoseconds - time.monotonic_ns()) * _PER_SECOND // 1_000_000_000


def prepare_ticker(fields: Callable[[str], int], stack_bytes: int) -> Mapping[str, int]:
    # An SRWLOCK begins as zero.
    return {"stack_bytes": stack_bytes}


def make_timer(handler: Callable[[], int]) -> tuple[int, int]:
    raise AttributeError("there are no timers without threads")


# Waiting.

POLLS_ARE_WOKEN: Final = False


class _Poller:
    """`select.poll` for sockets, and for times."""

    def __init__(self) -> None:
        self._wanted: dict[int, int] = {}

    def register(self, descriptor: int | HasFileno, events: int = POLLIN | POLLOUT) -> None:
        self._wanted[_number(descriptor)] = events

    def unregister(self, descriptor: int | HasFileno) -> None:
        del self._wanted[_number(descriptor)]

    def poll(self, milliseconds: float | None = None) -> list[tuple[int, int]]:
        import select

        wanted = self._wanted
        seconds = None if milliseconds is None else milliseconds / 1000
        if not wanted:
            time.sleep(seconds or 0)
            return []
        readers = [number for number, events in wanted.items() if events & POLLIN]
        writers = [number for number, events in wanted.items() if events & POLLOUT]
        # (what refuses a connection is in the third list only)
        readable, writable, exceptional = select.select(readers, writers, writers, seconds)
        ready = dict.fromkeys(readable, POLLIN)
        for number in (*writable, *exceptional):
            ready[number] = ready.get(number, 0) | POLLOUT
        return list(ready.items())


def _number(descriptor: int | HasFileno) -> int:
    return descriptor if isinstance(descriptor, int) else descriptor.fileno()


def poller() -> _Poller:
    return _Poller()


# Files of the cache.


def cache_directory() -> str:
    base = os.environ.get("XDG_CACHE_HOME", "")  # of other systems, but who sets it means it
    if os.path.isabs(base):
        return os.path.join(base, "wasmetal")
    base = os.environ.get("LOCALAPPDATA", "")
    if not os.path.isabs(base):
        base = os.path.join(os.path.expanduser("~"), "AppData", "Local")
    return os.path.join(base, "wasmetal", "Cache")


OPEN_FLAGS: Final = os.O_BINARY | os.O_NOINHERIT
NOT_WAITING: Final = 0
REPLACES_OPEN_FILES: Final = False


def is_ours(status: os.stat_result) -> bool:
    # Access control lists are inherited: what is in a user's profile is the user's.
    return True


def lock_file(file: int) -> None:
    import msvcrt

    msvcrt.locking(file, msvcrt.LK_NBLCK, 1)


def read_at(file: int, size: int, offset: int) -> bytes:
    os.lseek(file, offset, os.SEEK_SET)
    return os.read(file, size)
