"""Consoles of Windows: text, which Python's own streams make of UTF-8 and back."""

from __future__ import annotations

import _thread
import io
import msvcrt
import os

from wasm_wasi.abi import AGAIN, STREAM_RIGHTS, FileType, Right
from wasm_wasi.descriptors import Descriptor, limited
from wasm_wasi.errors import WasiError
from wasm_wasi.host.windows import native
from wasm_wasi.host.windows.files import READABLE, WRITABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_RIGHTS: Final = STREAM_RIGHTS & ~(Right.FD_READ | Right.FD_WRITE | Right.FD_FDSTAT_SET_FLAGS)
# Most bytes of one write, and of one line.
_WRITTEN: Final = 1 << 15
_LINE: Final = 1 << 13


def is_console(fd: int) -> bool:
    """Whether a number that Python has open is a console's."""
    return native.is_console(msvcrt.get_osfhandle(fd))


class Console(Descriptor):
    """A console, to be read or to be written to.

    Who reads one waits in the system until a line has been typed, which is shown meanwhile. A thread does that, so that
    the program's wait can be interrupted; what it reads then is for the next who reads.
    """

    __slots__ = ("_closed", "_content", "_ended", "_raw", "_thread")

    def __init__(self, fd: int, right: int) -> None:
        super().__init__(FileType.CHARACTER_DEVICE, _RIGHTS | right)
        self._content = b""
        self._ended = False
        self._closed = False
        # Of the thread that reads: its number, 0 when it has not begun.
        self._thread: int | None = None
        # (one that knows consoles: `open` looks)
        self._raw: io.RawIOBase = open(os.dup(fd), "rb" if right == Right.FD_READ else "wb", buffering=0)  # noqa: SIM115

    def host(self) -> int:
        return msvcrt.get_osfhandle(self._raw.fileno())

    def waitable(self) -> bool:
        return True

    def ready(self, events: int) -> int:
        """For what of `READABLE`, WRITABLE it is ready. Reading begins with the question."""
        ready = events & WRITABLE
        if events & READABLE:
            if self._content or self._ended:
                ready |= READABLE
            elif self._thread is None:
                self._thread = 0
                _thread.start_new_thread(self._read_line, ())
        return ready

    def available(self) -> int:
        """Bytes that can be read at once."""
        return len(self._content)

    def _read_line(self) -> None:
        self._thread = _thread.get_native_id()
        try:
            line = self._raw.read(_LINE)
        except (OSError, ValueError):
            line = b""
        # In this order, for those who look.
        self._content = line or b""
        self._ended = not line
        self._thread = None
        if self._closed:
            self._raw.close()

    def read(self, buffers: list[memoryview]) -> int:
        from wasm_wasi.host.windows import waits

        buffers = [buffer for buffer in buffers if len(buffer)]
        if not buffers:
            return 0
        waits.wait(self, READABLE)
        done = 0
        for buffer in buffers:
            part = self._content[: len(buffer)]
            buffer[: len(part)] = part
            self._content = self._content[len(part) :]
            done += len(part)
        if not done:
            # The end is told once: more can be typed.
            self._ended = False
        return done

    def write(self, buffers: list[memoryview]) -> int:
        data = b"".join(limited(buffers, _WRITTEN))
        if not data:
            return 0
        written = self._raw.write(data)
        if written is None:
            raise WasiError(AGAIN)
        return written

    def close(self) -> None:
        self._closed = True
        thread = self._thread
        if thread is None:
            self._raw.close()
        elif thread:
            native.cancel(thread)
