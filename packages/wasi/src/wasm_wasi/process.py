"""What one run of a program has: arguments, environment, descriptors, and a look at its memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from wasm_wasi.descriptors import DescriptorTable, Directory
from wasm_wasi.guest_memory import GuestMemory
from wasm_wasi.stdio import Inherit, Stream, open_stream

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
        preopens: Host directory by the name that the program knows it under.
        streams: stdin, stdout and stderr.

    Raises:
        OSError: A directory or a file cannot be opened.
    """

    __slots__ = ("__weakref__", "args", "environ", "guest", "table")

    def __init__(
        self, args: Sequence[bytes], environ: Sequence[bytes], preopens: Mapping[str, str], streams: Streams
    ) -> None:
        self.args = args
        self.environ = environ
        self.guest = GuestMemory(None)
        self.table = DescriptorTable()
        try:
            for number, stream in enumerate(streams):
                self.table.add(open_stream(number, stream))
            for name, path in preopens.items():
                fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                self.table.add(Directory(fd, os.fsencode(name)))
        except BaseException:
            self.table.close_all()
            raise

    def close(self) -> None:
        """Close all descriptors and let go of the memory."""
        self.table.close_all()
        self.guest.release()
