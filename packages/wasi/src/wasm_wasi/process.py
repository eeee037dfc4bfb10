"""What one run of a program has: arguments, environment, descriptors, and a look at its memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence

from wasm_wasi import host
from wasm_wasi.descriptors import DescriptorTable
from wasm_wasi.guest_memory import GuestMemory
from wasm_wasi.stdio import Inherit, Stream, open_stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wasm_wasi.preopens import Preopen
    from wasm_wasi.sockets import SocketSource

#: What `Process` opens: stdin, stdout and stderr.
Streams = tuple[Stream | Inherit, Stream | Inherit, Stream | Inherit]


def string_block(strings: Iterable[str]) -> tuple[bytes, ...]:
    """Strings as C sees them: with a NUL behind each.

    Raises:
        ValueError: A string has a NUL in it.
    """
    block = tuple(os.fsencode(string) + b"\0" for string in strings)
    for string in block:
        if b"\0" in string[:-1]:
            raise ValueError(f"a NUL character in {string[:-1]!r}")
    return block


class Process:
    """The state behind the WASI functions of one program.

    Args:
        args: Arguments, ended by NUL, the program's name first.
        environ: `NAME=VALUE`, ended by NUL.
        preopens: Host directory, or what opens one, by the name that the program knows it under.
        streams: stdin, stdout and stderr.
        sockets: Sockets; they get the numbers behind the directories, because C libraries look for directories from 3
            on until they find something else.
        clock, random: As for `Wasi`.

    Raises:
        OSError: A directory or a file cannot be opened.
    """

    __slots__ = ("__weakref__", "args", "clock", "environ", "guest", "random", "suspendable", "table")

    def __init__(
        self,
        args: Sequence[bytes],
        environ: Sequence[bytes],
        preopens: Mapping[str, str | Preopen],
        streams: Streams,
        sockets: Iterable[SocketSource] = (),
        clock: Callable[[], int] | None = None,
        random: Callable[[int], bytes] | None = None,
    ) -> None:
        self.args = args
        self.environ = environ
        #: Instead of the system's clocks: nanoseconds.
        self.clock = clock
        #: Instead of the system's generator: as many bytes as it is asked for.
        self.random = random
        self.guest = GuestMemory(None)
        #: Whether a function may return an awaitable just now.
        self.suspendable: Callable[[], bool] = bool
        self.table = DescriptorTable()
        try:
            for number, stream in enumerate(streams):
                self.table.add(open_stream(number, stream))
            for name, given in preopens.items():
                if isinstance(given, str):
                    self.table.add(host.HostDirectory(host.open_directory(given), os.fsencode(name)))
                else:
                    self.table.add(given.preopen(os.fsencode(name), clock))
            for socket in sockets:
                from wasm_wasi.sockets import open_socket

                self.table.add(open_socket(socket))
            self.table.limit(host.most_descriptors())
        except BaseException:
            self.table.close_all()
            raise

    def with_memory_of_its_own(self) -> Process:
        """The process as one more instance sees it: all is shared but the look at the memory, which is none yet."""
        other = Process.__new__(Process)
        other.args = self.args
        other.environ = self.environ
        other.clock = self.clock
        other.random = self.random
        other.table = self.table
        other.guest = GuestMemory(None)
        other.suspendable = bool
        return other

    def close(self) -> None:
        """Close all descriptors and let go of the memory."""
        self.table.close_all()
        self.guest.release()
