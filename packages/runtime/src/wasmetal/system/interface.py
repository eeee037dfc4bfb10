"""What the rest of wasmetal asks of the operating system: a port is a module that has all of this (`linux`).

Addresses and sizes are in bytes, sizes of mappings multiples of PAGE. What is refused raises OSError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol


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
        """Whether what was discarded reads as zero."""

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

    # Faults.

    @property
    def FAULTS(self) -> Sequence[int]:
        """Numbers of the signals that accesses to what is not there raise."""

    def fault_handler(self, number: int) -> int:
        """Address of the handler of one of them, 0 for the default."""

    def set_fault_handler(self, number: int, handler: int) -> None:
        """Set it to machine code (SA_SIGINFO: number, siginfo, context)."""

    # The stack of the calling thread, and what belongs to a thread.

    def thread_stack(self) -> tuple[int, int]:
        """Lowest address and size of what the calling thread may use as its stack."""

    def new_thread_key(self) -> int:
        """A key of thread-specific words, 0 in every thread."""

    def thread_value(self, key: int) -> int:
        """The calling thread's word for a key."""

    def set_thread_value(self, key: int, value: int) -> None:
        """Set it."""

    def address_of(self, name: str) -> int:
        """Address of a function of the C library. Raises AttributeError."""

    # The ticker (`glue.ticker_code` has its code, `glue.ticker_layout` its structure).

    @property
    def TICKER_FUNCTIONS(self) -> Mapping[str, str]:
        """Field of the structure -> name of the C function that goes there."""

    def futex_number(self) -> int:
        """Number of the system call futex. Raises WasmError on an unknown machine."""

    def prepare_thread(self, mutex: int, all_signals: int, attributes: int, stack_bytes: int) -> None:
        """Initialize a mutex, a full set of signals and a thread's attributes at these addresses."""

    def make_timer(self, handler: Callable[[], int]) -> tuple[int, int]:
        """A timer whose signal is handled by machine code, the address of which `handler` gives.

        Returns the signal's number and the timer. Raises AttributeError where there are none.
        """
