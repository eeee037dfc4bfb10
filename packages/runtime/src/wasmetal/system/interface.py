"""What the rest of wasmetal asks of the operating system: a port is a module that has all of this (`linux`).

Addresses and sizes are in bytes, sizes of mappings multiples of PAGE. What is refused raises OSError.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

#: A call of a C function by the ticker's code: its field of the ticker's structure, and the arguments: a number, the
#: value of a field, or its address ("&field"; "&" is that of the structure).
Call = tuple[str, tuple[int | str, ...]]


class System(Protocol):
    """An operating system."""

    @property
    def PAGE(self) -> int:
        """Size of a page."""

    # Address space.

    def reserve(self, size: int) -> int:
        """Take address space that nothing may touch yet; returns its address."""

    def reserve_again(self, address: int, size: int) -> None:
        """Replace what is mapped in a reservation by address space that nothing may touch."""

    def allocate(self, size: int) -> int:
        """Memory that reads as zero; returns its address."""

    def release(self, address: int, size: int) -> None:
        """Give address space back, with what is mapped there."""

    def commit(self, address: int, size: int) -> None:
        """Let pages of a reservation be read and written: they read as zero, or as what they were before `forbid`."""

    def forbid(self, address: int, size: int) -> None:
        """Let nothing touch pages any more."""

    def discard(self, address: int, size: int) -> None:
        """Give the memory of pages back to the system; their addresses and protection stay. Safe in finalizers."""

    @property
    def DISCARDED_IS_ZERO(self) -> bool:
        """Whether what was discarded reads as zero (or, of pages of an image, as the image)."""

    @property
    def DISCARD_AT_ONCE(self) -> Callable[[int, int], object] | None:
        """As `discard`, but one call of C code, so that no handler of a signal comes in between; what it cannot give
        back stays. None where there is none, or what was discarded does not read as zero."""

    def image_file(self, size: int, pieces: Sequence[tuple[int, int, int]]) -> int:
        """A file of that size which nobody can write any more; returns its descriptor.

        `pieces`: (offset in the file, address, size) of what is in it, written in this order; the rest is zeros.
        """

    def map_image(self, file: int, size: int, address: int) -> None:
        """Map such a file in a reservation, readable and writable: what is written there is nowhere else.

        Where that cannot be (`discard` must bring back what is in the file), `image_file` raises OSError. When this
        does, the place is as it was before: zeros; MemoryError when it is not, and must not be used.
        """

    def keep_small_pages(self, address: int, size: int) -> None:
        """Advise against huge pages there."""

    def most_mappings(self) -> int:
        """How many mappings a process may have, roughly."""

    # Pages of code, which no mapping lets be written and executed.

    def code_file(self, size: int) -> int:
        """An anonymous file that can be mapped executable, all zeros; returns its descriptor."""

    def map_executable(self, file: int, size: int, address: int) -> None:
        """Map such a file, readable and executable, into a reservation."""

    def map_writable(self, file: int, size: int, address: int | None = None) -> int:
        """Map it readable and writable, somewhere else or in the place of what is mapped at an address."""

    def discard_in_file(self, address: int, size: int) -> None:
        """Give the memory of pages of the file back to the system, if it can do that."""

    def make_executable(self, address: int, size: int) -> None:
        """Let pages that were committed be executed, and written no more."""

    @property
    def SYNCHRONIZE(self) -> Callable[[int, int], object] | None:
        """Lets the processor see code that was written from one address to another; None: the backend's code does."""

    # Faults.

    @property
    def FAULTS(self) -> Sequence[int]:
        """Numbers of the signals or exceptions that accesses to what is not there raise; the first one those to what a
        reservation does not let be touched."""

    def fault_handler(self, number: int) -> int:
        """Address of the handler that comes first for one of them; 0 for the default, or where one cannot know."""

    def set_fault_handler(self, number: int, handler: int) -> None:
        """Let machine code come first (of the kind that the backend makes for this system: `Stubs.signal_handler`)."""

    def default_setter(self) -> int:
        """Address of the C function by which a handler gives up a signal (sigaction(2)), 0 where it need not."""

    # The stack of the calling thread, and what belongs to a thread.

    def thread_stack(self) -> tuple[int, int]:
        """Lowest address and size of what the calling thread may use as its stack."""

    def new_thread_key(self) -> int:
        """A key of thread-specific words, 0 in every thread."""

    def thread_value(self, key: int) -> int:
        """The calling thread's word for a key."""

    def set_thread_value(self, key: int, value: int) -> None:
        """Set it."""

    @property
    def THREAD_VALUE(self) -> str:
        """Name of the C function that returns the calling thread's word for a key."""

    def address_of(self, name: str) -> int:
        """Address of a function of the C library. Raises AttributeError."""

    def at_fork(
        self,
        *,
        before: Callable[[], object] = ...,
        after_in_parent: Callable[[], object] = ...,
        after_in_child: Callable[[], object] = ...,
    ) -> None:
        """Have functions called when the process forks, if it can (`os.register_at_fork`)."""

    # The ticker (`glue.ticker_code` has its code, `glue.ticker_layout` its structure).

    @property
    def TICKER_FUNCTIONS(self) -> Mapping[str, str]:
        """Field of the structure -> name of the C function that goes there."""

    @property
    def TICKER_CALLS(self) -> Mapping[str, tuple[Call, ...]]:
        """What the code does by calling these: "lock" and "unlock" its mutex, and "trylock" it (0: done; only where
        there are timers); "wait" for a tick, or until somebody "wake"s whoever waits; put the time into fields ("now");
        "create" the thread and "join" it; "block_signals" before that and "restore_signals" afterwards."""

    @property
    def CREATING_GIVES_THREAD(self) -> bool:
        """Whether "create" returns the thread, 0 if it fails. Else it returns 0, or the number of an error."""

    def prepare_ticker(self, fields: Callable[[str], int], stack_bytes: int) -> Mapping[str, int]:
        """Initialize what is at the addresses of fields; returns values for fields.

        Raises WasmError on an unknown machine.
        """

    def ticker_time(self, nanoseconds: int) -> int:
        """A time of `time.monotonic_ns`, as "now" would give it."""

    def make_timer(self, handler: Callable[[], int]) -> tuple[int, int]:
        """A timer whose signal is handled by machine code, the address of which `handler` gives.

        Returns the signal's number and the timer. Raises AttributeError where there are none.
        """

    # Waiting.

    def poller(self) -> select.poll:
        """What waits for descriptors, or for a time (`select.poll`)."""

    @property
    def POLLS_ARE_WOKEN(self) -> bool:
        """Whether pipes can be waited for with others, and signals end a wait."""

    # Files.

    def cache_directory(self) -> str:
        """The user's directory for the cache."""

    @property
    def OPEN_FLAGS(self) -> int:
        """Flags of `os.open` for files of bytes that only this process is to have, and that are no links."""

    @property
    def NOT_WAITING(self) -> int:
        """Such a flag for not waiting until a FIFO has another end."""

    @property
    def REPLACES_OPEN_FILES(self) -> bool:
        """Whether a file can be replaced by another while somebody has it open."""

    def is_ours(self, status: os.stat_result) -> bool:
        """Whether a file or directory belongs to this process's user, and nobody else may write to it."""

    def lock_file(self, file: int) -> None:
        """Keep others from having this lock until the descriptor is closed; raises OSError if somebody has it."""

    def read_at(self, file: int, size: int, offset: int) -> bytes:
        """Bytes of a file; fewer than asked for where it ends."""
