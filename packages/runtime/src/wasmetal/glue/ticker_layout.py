"""Layout of what Python, the ticker and entry thunks share."""

from __future__ import annotations

from wasm_ir.vmcontext import Layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Nanoseconds between two looks of the ticker. Signals and deadlines are noticed so much later at most.
TICK: Final = 40_000_000
#: Ticks without anything running after which the ticker ends.
IDLE_TICKS: Final = 25

#: STORE.owner of a store that has no stack, so that whoever calls sees to that first. No thread's state is there.
RESTS: Final = 2

#: STORE.owner after a fork that has left the thread which runs the store in the parent. Nor there.
LOST: Final = 3

#: What is said to who would run a store that has another owner.
BUSY: Final = 'another thread is running this instance, or one linked to it (Config(busy="wait") lets calls wait)'

#: Bit of STORE.owner, of which the rest is the thread's state: it has taken the store for something short that it does
#: in a block of `exclusive`.
BRIEFLY: Final = 1

_MUTEX_WORDS: Final = 8  # pthread_mutex_t has 40 bytes in glibc and musl on x86-64, 48 in glibc on AArch64, 64 on macOS
_SIGNAL_SET_WORDS: Final = 16
_ATTRIBUTES_WORDS: Final = 8  # pthread_attr_t has 56 bytes, 64 on AArch64
_CONDITION_WORDS: Final = 6  # pthread_cond_t has 48 bytes


def _words(name: str, count: int) -> list[str]:
    return [name, *(f"{name} {number}" for number in range(1, count))]


#: One per process, in memory that is never given back.
TICKER: Final = Layout(
    "active",  # 0: whoever enters a store must call `start`
    "stop",  # futex; not zero: the thread is to end
    "alive",  # whether the thread will notice `active`
    "joinable",  # whether there is a thread to be joined
    "thread",  # pthread_t
    "main",  # PyThreadState of the main thread, the only one that runs signal handlers
    "contexts",  # -> links of the first VMContext
    "deadlines",  # -> DEADLINE of a thread
    "code",  # -> the thread's code
    # What Python and entry thunks call: OPERATIONS.
    "link",
    "unlink",
    "move",
    "start",
    "stop_now",
    # C functions, and what they are called with (`System.TICKER_CALLS`).
    "lock",
    "unlock",
    "trylock",
    "wait",
    "wake",
    "clock",
    "create",
    "join",
    "close",
    "sigmask",
    "futex",  # number of the system call
    "stack_bytes",
    "tick_milliseconds",
    "tick_seconds",
    "tick_nanoseconds",
    "now_seconds",
    "now_nanoseconds",
    # Where no thread can be made: a timer and a signal. See ticker.fall_back.
    "address",  # of this structure
    "failed",  # there was neither a thread nor a timer when one was needed
    "has_timer",
    "timer",  # timer_t
    "timer_settime",  # C function
    "idle_ticks",  # of the timer
    *_words("tick_interval", 4),  # struct itimerspec
    *_words("no_interval", 4),
    *_words("mutex", _MUTEX_WORDS),
    *_words("wait_mutex", _MUTEX_WORDS),  # where the wait is for a condition
    *_words("condition", _CONDITION_WORDS),
    *_words("all_signals", _SIGNAL_SET_WORDS),
    *_words("old_signals", _SIGNAL_SET_WORDS),
    *_words("attributes", _ATTRIBUTES_WORDS),
    "starting",  # without a GIL: not zero while a thread is in `start` or `stop_now`, or forks
)

#: What Python calls: functions of glue_ticker and fields of TICKER, with the number of arguments beside the ticker.
OPERATIONS: Final = {"link": 2, "unlink": 1, "move": 2, "start": 1, "stop_now": 0}

#: One per thread that has deadlines.
DEADLINE: Final = Layout(
    "next",
    "previous",
    "thread",  # PyThreadState
    "due",  # on the monotonic clock, in nanoseconds
)
