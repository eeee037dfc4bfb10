"""The functions about the program itself: arguments, environment, clocks, random numbers, scheduling, exit."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from functools import partial

from wasm_wasi import clocks
from wasm_wasi.abi import INVAL, NOTSUP, SIGNALS, U32, U64
from wasm_wasi.errors import Exit, WasiError
from wasm_wasi.guest_memory import MASK32, GuestMemory
from wasm_wasi.process import Process
from wasmetal import interruption

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, NoReturn

# Bytes asked of the random generator at once, so that a big buffer is not held twice, and deadlines hold.
_RANDOM_CHUNK: Final = 1 << 16

# Signals whose default action is to do nothing (POSIX, <signal.h>), and those that stop a process, which is nothing
# that could be done to one program here. The others end it.
_IGNORED: Final = frozenset({"NONE", "CHLD", "CONT", "URG", "WINCH"})
_STOPPING: Final = frozenset({"STOP", "TSTP", "TTIN", "TTOU"})

_yield: Final = getattr(os, "sched_yield", partial(time.sleep, 0))


def _strings_get(guest: GuestMemory, strings: Sequence[bytes], pointers: int, data: int) -> None:
    block = b"".join(strings)
    pointers = guest.check(pointers, 4 * len(strings))
    data = guest.check(data, len(block))
    guest.view[data : data + len(block)] = block
    for string in strings:
        U32.pack_into(guest.view, pointers, data)
        pointers += 4
        data += len(string)


def _strings_sizes_get(guest: GuestMemory, strings: Sequence[bytes], count: int, size: int) -> None:
    guest.check(size, 4)
    guest.store_u32(count, len(strings))
    guest.store_u32(size, sum(map(len, strings)))


def args_get(process: Process, pointers: int, data: int) -> None:
    _strings_get(process.guest, process.args, pointers, data)


def args_sizes_get(process: Process, count: int, size: int) -> None:
    _strings_sizes_get(process.guest, process.args, count, size)


def environ_get(process: Process, pointers: int, data: int) -> None:
    _strings_get(process.guest, process.environ, pointers, data)


def environ_sizes_get(process: Process, count: int, size: int) -> None:
    _strings_sizes_get(process.guest, process.environ, count, size)


def clock_res_get(process: Process, clock: int, result: int) -> None:
    process.guest.store_u64(result, clocks.resolution(clock))


def clock_time_get(process: Process, clock: int, precision: int, result: int) -> None:
    # Programs that measure themselves call this all the time.
    guest = process.guest
    result = guest.check(result, 8)
    own = process.clock
    U64.pack_into(guest.view, result, clocks.now(clock) if own is None else clocks.own_now(own, clock))


def random_get(process: Process, pointer: int, size: int) -> None:
    buffer = process.guest.slice(pointer, size)
    source = process.random or os.urandom
    for at in range(0, len(buffer), _RANDOM_CHUNK):
        if at:
            interruption.check()
        part = buffer[at : at + _RANDOM_CHUNK]
        data = source(len(part))
        if len(data) != len(part):
            raise ValueError(f"random({len(part)}) returned {len(data)} bytes")
        part[:] = data


def sched_yield(process: Process) -> None:
    _yield()


def proc_exit(process: Process, code: int) -> NoReturn:
    raise Exit(code & MASK32)


def proc_raise(process: Process, number: int) -> None:
    """The default action of a signal, for the program alone: the process that it runs in gets none.

    C libraries do handlers among themselves, so whatever comes here has none.
    """
    number &= MASK32
    if number >= len(SIGNALS):
        raise WasiError(INVAL)
    name = SIGNALS[number]
    if name in _STOPPING:
        raise WasiError(NOTSUP)
    if name not in _IGNORED:
        import signal

        # The numbers in exit codes are the system's. (Windows has only some signals, with numbers of its own.)
        own = getattr(signal, f"SIG{name}", number) if hasattr(signal, "SIGKILL") else number
        raise Exit(128 + own, name)
