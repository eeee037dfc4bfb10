"""Sockets of a POSIX system."""

from __future__ import annotations

import os
import select
import socket
import stat
import threading

from wasm_wasi.abi import (
    INVAL,
    LISTENER_RIGHTS,
    RECEIVED_TRUNCATED,
    SOCKET_RIGHTS,
    FdFlag,
    FileType,
    ReceiveFlag,
    ShutdownFlag,
)
from wasm_wasi.descriptors import behind
from wasm_wasi.errors import WasiError
from wasm_wasi.host.posix.files import File
from wasmetal import interruption

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_RECEIVE_FLAGS: Final = {ReceiveFlag.PEEK: socket.MSG_PEEK, ReceiveFlag.WAITALL: socket.MSG_WAITALL}
_NO_SIGNAL: Final = getattr(socket, "MSG_NOSIGNAL", 0)
# The peer will send no more.
_ENDED: Final = getattr(select, "POLLRDHUP", select.POLLHUP)
# Seconds between two looks at a socket for more than is there.
_AGAIN: Final = 0.01
# By `sdflags`.
_SHUTDOWN: Final = {
    ShutdownFlag.RD: socket.SHUT_RD,
    ShutdownFlag.WR: socket.SHUT_WR,
    ShutdownFlag.RD | ShutdownFlag.WR: socket.SHUT_RDWR,
}


def _wrap(fd: int) -> socket.socket:
    """A socket object over a descriptor whose owner stays who it was; whether it blocks is left as it is."""
    blocking = os.get_blocking(fd)
    wrapped = socket.socket(fileno=fd)
    if socket.getdefaulttimeout() is not None:
        # Python has made it non-blocking, and would wait by itself.
        wrapped.settimeout(None)
        os.set_blocking(fd, blocking)
    return wrapped


class Socket(File):
    """A socket, listening or with a peer, owned."""

    __slots__ = ("_accepting", "_listens", "_socket")

    def __init__(self, fd: int, rights: int | None = None) -> None:
        """Take over a descriptor; `rights` are those that make sense for what it is, if None."""
        self._socket = _wrap(fd)
        # For one thread at a time: who saw a peer is to get it.
        self._accepting = threading.RLock()
        stream = self._socket.type == socket.SOCK_STREAM
        listens = self._listens = bool(self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
        if rights is None:
            rights = LISTENER_RIGHTS if listens else SOCKET_RIGHTS
        kind = FileType.SOCKET_STREAM if stream else FileType.SOCKET_DGRAM
        super().__init__(fd, kind, rights, SOCKET_RIGHTS if listens else 0)

    def accept(self, flags: int) -> Socket:
        """Wait for a peer.

        Args:
            flags: `fdflags` of the connection: NONBLOCK or nothing.
        """
        if flags & ~FdFlag.NONBLOCK:
            raise WasiError(INVAL)
        connection = self._accept()
        accepted = Socket(connection.detach())
        accepted.rights &= self.inheriting
        os.set_blocking(accepted.host(), not flags & FdFlag.NONBLOCK)
        return accepted

    def _accept(self) -> socket.socket:
        if self._listens and os.get_blocking(self.host()):
            while True:
                interruption.wait(self.host(), select.POLLIN)
                with self._accepting:
                    if self._has(select.POLLIN):
                        return self._socket.accept()[0]
        return self._socket.accept()[0]

    def _has(self, events: int) -> bool:
        poller = select.poll()
        poller.register(self.host(), events)
        return bool(poller.poll(0))

    def waits(self) -> bool:
        # Nothing comes from one that listens: those who try are to be told.
        return not self._listens and super().waits()

    def read(self, buffers: list[memoryview]) -> int:
        return self.receive(buffers, 0)[0] if buffers else 0

    def write(self, buffers: list[memoryview]) -> int:
        return self.send(buffers) if buffers else 0

    def receive(self, buffers: list[memoryview], flags: int) -> tuple[int, int]:
        """Receive into the buffers: how many bytes, and the `roflags`."""
        host_flags = 0
        for wasi, host in _RECEIVE_FLAGS.items():
            if flags & wasi:
                host_flags |= host
                flags &= ~wasi
        if flags:
            raise WasiError(INVAL)
        # The system is never asked to wait.
        waits, whole = self.waits(), bool(host_flags & socket.MSG_WAITALL) and self.type == FileType.SOCKET_STREAM
        host_flags = host_flags & ~socket.MSG_WAITALL | socket.MSG_DONTWAIT
        size = sum(map(len, buffers))
        received = 0
        while True:
            if waits:
                interruption.wait(self.host(), select.POLLIN)
            try:
                count, _, result, _ = self._socket.recvmsg_into(behind(buffers, received), 0, host_flags)
            except BlockingIOError:
                # Another reader was faster.
                if not waits:
                    if received:
                        return received, 0
                    raise
                continue
            except OSError:
                if received:
                    return received, 0
                raise
            if host_flags & socket.MSG_PEEK:
                if not (waits and whole) or count >= size or self._has(_ENDED):
                    return count, RECEIVED_TRUNCATED if result & socket.MSG_TRUNC else 0
                interruption.sleep(_AGAIN)
                continue
            received += count
            if not (waits and whole) or not count or received >= size:
                return received, RECEIVED_TRUNCATED if result & socket.MSG_TRUNC else 0

    def send(self, buffers: list[memoryview]) -> int:
        """Send the buffers, all of them if the socket blocks; how many bytes."""
        waits = self.waits()
        sent = 0
        while True:
            if waits:
                interruption.wait(self.host(), select.POLLOUT)
            try:
                sent += self._socket.sendmsg(behind(buffers, sent), (), _NO_SIGNAL | socket.MSG_DONTWAIT)
            except BlockingIOError:
                if not waits:
                    raise
                continue
            except OSError:
                if sent:
                    return sent
                raise
            if not waits or self.type != FileType.SOCKET_STREAM or sent >= sum(map(len, buffers)):
                return sent

    def shut_down(self, directions: int) -> None:
        """End one direction or both (`sdflags`)."""
        if directions not in _SHUTDOWN:
            raise WasiError(INVAL)
        self._socket.shutdown(_SHUTDOWN[directions])

    def close(self) -> None:
        self._socket.detach()
        super().close()


def check_number(number: int) -> None:
    """See that a number of the system is that of a socket.

    Raises:
        ValueError: It is not.
        OSError: It is not open.
    """
    if not stat.S_ISSOCK(os.fstat(number).st_mode):
        raise ValueError(f"descriptor {number} is not a socket")


def duplicate(source: socket.socket | int) -> Socket:
    """A descriptor for a socket that stays whose it is."""
    return Socket(os.dup(source if isinstance(source, int) else source.fileno()))


def listening(host: str, port: int, family: int) -> Socket:
    """A descriptor that listens at an address.

    Raises:
        OSError: The address cannot be used.
    """
    return Socket(socket.create_server((host, port), family=family).detach())
