"""Sockets of Windows."""

from __future__ import annotations

import ctypes
import errno
import socket
import threading
from ctypes import byref, c_int, c_int16, c_uint32, c_void_p
from functools import partial

from wasm_wasi.abi import (
    AGAIN,
    INVAL,
    LISTENER_RIGHTS,
    NOTCONN,
    NOTSUP,
    RECEIVED_TRUNCATED,
    SOCKET_RIGHTS,
    FdFlag,
    FileType,
    ReceiveFlag,
    ShutdownFlag,
)
from wasm_wasi.descriptors import Descriptor, FileStat, behind, limited
from wasm_wasi.errors import WasiError
from wasm_wasi.guest_memory import STEP
from wasm_wasi.host.windows import waits
from wasm_wasi.host.windows.files import ERROR, HANGUP, READABLE, WRITABLE
from wasmetal import interruption

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_NONBLOCK: Final = FdFlag.NONBLOCK
# WSAPoll (winsock2.h)
_EVENTS: Final = ((0x0300, READABLE), (0x0010, WRITABLE), (0x0001, ERROR), (0x0002, HANGUP), (0x0004, ERROR))
# A message was longer than the buffer: WSAEMSGSIZE.
_TOO_LONG: Final = 10040
# Seconds between two looks at a socket for more than is there.
_AGAIN: Final = 0.01
# Most bytes that are sent at once, which are copied.
_SENT: Final = 1 << 16
# By `sdflags`.
_SHUTDOWN: Final = {
    ShutdownFlag.RD: socket.SHUT_RD,
    ShutdownFlag.WR: socket.SHUT_WR,
    ShutdownFlag.RD | ShutdownFlag.WR: socket.SHUT_RDWR,
}


class _PollEntry(ctypes.Structure):
    _fields_ = (("socket", c_void_p), ("wanted", c_int16), ("happened", c_int16))


_ws2_32: Final = ctypes.WinDLL("ws2_32")
_poll: Final = _ws2_32.WSAPoll
_poll.restype, _poll.argtypes = c_int, (c_void_p, c_uint32, c_int)


class Socket(Descriptor):
    """A socket, listening or with a peer, owned.

    Args:
        given: The socket, which is taken over.
        own: Whether nobody else has it: then the system is told never to wait. Others may count on it that it does.
        fdflags: NONBLOCK or nothing.
    """

    __slots__ = ("_ended", "_fdflags", "_listens", "_own", "_socket", "_using")

    def __init__(self, given: socket.socket, own: bool, fdflags: int = 0) -> None:
        self._socket = given
        self._own = own
        self._fdflags = fdflags
        # Directions that the program has ended: the system waits, and has errors of its own.
        self._ended = 0
        # For one thread at a time: who saw a peer is to get it.
        self._using = threading.RLock()
        if own:
            given.setblocking(False)
        listens = self._listens = bool(given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
        rights = LISTENER_RIGHTS if listens else SOCKET_RIGHTS
        kind = FileType.SOCKET_STREAM if given.type == socket.SOCK_STREAM else FileType.SOCKET_DGRAM
        super().__init__(kind, rights, SOCKET_RIGHTS if listens else 0)

    def host(self) -> int:
        return self._socket.fileno()

    def stat(self) -> FileStat:
        return (0, self.host(), self.type, 1, 0, 0, 0, 0)

    def flags(self) -> int:
        return self._fdflags

    def set_flags(self, flags: int) -> None:
        if flags & ~_NONBLOCK:
            raise WasiError(NOTSUP)
        self._fdflags = flags

    def waitable(self) -> bool:
        return True

    def blocks(self) -> bool:
        return not self._fdflags & _NONBLOCK

    def ready(self, events: int) -> int:
        """For what of `waits.READABLE`, ... it is ready."""
        if events & READABLE and self._ended & ShutdownFlag.RD:
            return READABLE
        happened = self._happened(events | WRITABLE)
        if happened & HANGUP:
            # Its end can be read. That the peer sends no more is no hangup, as long as it receives.
            happened = (happened | READABLE) & ~(HANGUP if happened & WRITABLE else 0)
        return happened & (events | ERROR | HANGUP)

    def _happened(self, events: int) -> int:
        wanted = sum(theirs for theirs, ours in _EVENTS if ours & events and ours & (READABLE | WRITABLE))
        entry = _PollEntry(self.host(), wanted, 0)
        if _poll(byref(entry), 1, 0) <= 0:
            return 0
        return sum({ours for theirs, ours in _EVENTS if entry.happened & theirs})

    def available(self) -> int:
        """Bytes that can be read at once, up to 64 KiB."""
        return len(self._socket.recv(1 << 16, socket.MSG_PEEK)) if self.ready(READABLE) else 0

    def _wait(self, events: int) -> None:
        if self.blocks():
            waits.wait(self, events)
        elif not self.ready(events):
            raise WasiError(AGAIN)

    def accept(self, flags: int) -> Socket:
        """Wait for a peer.

        Args:
            flags: `fdflags` of the connection: NONBLOCK or nothing.
        """
        if flags & ~_NONBLOCK:
            raise WasiError(INVAL)
        while True:
            if self._listens:
                self._wait(READABLE)
            with self._using:
                if self._listens and not self.ready(READABLE):
                    # Another thread was faster.
                    continue
                connection = self._socket.accept()[0]
            accepted = Socket(connection, own=True, fdflags=flags)
            accepted.rights &= self.inheriting
            return accepted

    def read(self, buffers: list[memoryview]) -> int:
        return self.receive(buffers, 0)[0] if buffers else 0

    def write(self, buffers: list[memoryview]) -> int:
        return self.send(buffers) if buffers else 0

    def receive(self, buffers: list[memoryview], flags: int) -> tuple[int, int]:
        """Receive into the buffers: how many bytes, and the `roflags`."""
        if flags & ~(ReceiveFlag.PEEK | ReceiveFlag.WAITALL):
            raise WasiError(INVAL)
        whole = self.type == FileType.SOCKET_STREAM and self.blocks() and bool(flags & ReceiveFlag.WAITALL)
        peek = socket.MSG_PEEK if flags & ReceiveFlag.PEEK else 0
        size = min(sum(map(len, buffers)), STEP) if peek else sum(map(len, buffers))
        received = 0
        while True:
            try:
                count, truncated = self._receive(behind(buffers, 0 if peek else received), peek)
            except (OSError, WasiError):
                if not received or peek:
                    raise
                return received, 0
            received = count if peek else received + count
            if not whole or received >= size or (not count and not peek):
                return received, truncated
            if peek:
                if self._happened(READABLE) & (HANGUP | ERROR):
                    return received, truncated
                interruption.sleep(_AGAIN)

    def _receive(self, buffers: list[memoryview], flags: int) -> tuple[int, int]:
        """Wait for something and receive it, not more than a step of it."""
        if self._listens:
            # Nothing comes from it.
            raise WasiError(NOTCONN)
        if self._ended & ShutdownFlag.RD:
            return 0, 0
        target = buffers[0][:STEP] if len(buffers) == 1 else memoryview(bytearray(min(sum(map(len, buffers)), STEP)))
        if not len(target):
            return 0, 0
        while True:
            self._wait(READABLE)
            with self._using:
                if self.blocks() and not self.ready(READABLE):
                    # Another thread was faster.
                    continue
                try:
                    count, truncated = self._socket.recv_into(target, len(target), flags), 0
                except BlockingIOError:
                    if not self.blocks():
                        raise
                    continue
                except OSError as error:
                    if error.errno != _TOO_LONG:
                        raise
                    count, truncated = len(target), RECEIVED_TRUNCATED
            break
        if len(buffers) > 1:
            at = 0
            for buffer in buffers:
                part = target[at : min(at + len(buffer), count)]
                buffer[: len(part)] = part
                at += len(part)
        return count, truncated

    def send(self, buffers: list[memoryview]) -> int:
        """Send the buffers, all of them if the socket blocks; how many bytes."""
        if self.type != FileType.SOCKET_STREAM:
            self._wait(WRITABLE)
            return self._socket.send(b"".join(buffers))
        sent, size = 0, sum(map(len, buffers))
        while True:
            try:
                self._wait(WRITABLE)
                sent += self._send(behind(buffers, sent))
            except BlockingIOError:
                if self.blocks():
                    continue
                if sent:
                    return sent
                raise
            except (OSError, WasiError):
                if sent:
                    return sent
                raise
            if not self.blocks() or sent >= size:
                return sent

    def _send(self, buffers: list[memoryview]) -> int:
        data = b"".join(limited(buffers, _SENT))
        return self._socket.send(data) if self._own else waits.apart(partial(self._socket.send, data))

    def shut_down(self, directions: int) -> None:
        """End one direction or both (`sdflags`)."""
        if directions not in _SHUTDOWN:
            raise WasiError(INVAL)
        self._socket.shutdown(_SHUTDOWN[directions])
        self._ended |= directions

    def close(self) -> None:
        self._socket.close()

    def __del__(self) -> None:
        # (there is none when `__init__` has failed)
        if hasattr(self, "_socket"):
            self.close()


def check_number(number: int) -> None:
    """See that a number of the system is that of a socket.

    Raises:
        ValueError: It is not.
        OSError: It is not open.
    """
    try:
        socket.socket(fileno=number).detach()
    except OSError as error:
        if error.errno in (errno.ENOTSOCK, errno.EOPNOTSUPP):
            raise ValueError(f"{number} is not a socket") from None
        raise


def duplicate(source: socket.socket | int) -> Socket:
    """A descriptor for a socket that stays whose it is."""
    number = source if isinstance(source, int) else source.fileno()
    waits_itself = isinstance(source, int) or source.gettimeout() != 0
    copy = socket.socket(fileno=socket.dup(number))
    return Socket(copy, own=False, fdflags=0 if waits_itself else _NONBLOCK)


def listening(host: str, port: int, family: int) -> Socket:
    """A descriptor that listens at an address.

    Raises:
        OSError: The address cannot be used.
    """
    return Socket(socket.create_server((host, port), family=family), own=True)
