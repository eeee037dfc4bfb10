"""The functions on sockets (`sock_*`). Connections are accepted from sockets that the program was given."""

from __future__ import annotations

from wasm_wasi.abi import INVAL, NOTSOCK, U16, Right
from wasm_wasi.errors import WasiError
from wasm_wasi.guest_memory import MASK32
from wasm_wasi.late import whole
from wasm_wasi.process import Process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_wasi.host.sockets import Socket

_ACCEPT: Final = Right.SOCK_ACCEPT
_READ: Final = Right.FD_READ
_WRITE: Final = Right.FD_WRITE
_SHUTDOWN: Final = Right.SOCK_SHUTDOWN


def _socket(process: Process, fd: int, right: int) -> Socket:
    whole("host.sockets")
    from wasm_wasi.host.sockets import Socket

    # What a thing is comes first: without rights for sockets, a file is still no socket.
    if not isinstance(process.table.get(fd, 0), Socket):
        raise WasiError(NOTSOCK)
    descriptor = process.table.get(fd, right)
    assert isinstance(descriptor, Socket)
    return descriptor


def sock_accept(process: Process, fd: int, flags: int, result: int) -> None:
    listener = _socket(process, fd, _ACCEPT)
    process.guest.check(result, 4)
    process.table.check_room()
    process.guest.store_u32(result, process.table.add(listener.accept(flags)))


def sock_recv(process: Process, fd: int, iovs: int, count: int, flags: int, size: int, result: int) -> None:
    peer = _socket(process, fd, _READ)
    guest = process.guest
    guest.check(size, 4)
    guest.check(result, 2)
    received, received_flags = peer.receive(guest.buffers(iovs, count), flags & MASK32)
    guest.store_u32(size, received)
    guest.store(U16, result, received_flags)


def sock_send(process: Process, fd: int, iovs: int, count: int, flags: int, size: int) -> None:
    peer = _socket(process, fd, _WRITE)
    # `siflags` has no flags.
    if flags:
        raise WasiError(INVAL)
    guest = process.guest
    guest.check(size, 4)
    guest.store_u32(size, peer.send(guest.buffers(iovs, count)))


def sock_shutdown(process: Process, fd: int, directions: int) -> None:
    _socket(process, fd, _SHUTDOWN).shut_down(directions & MASK32)
