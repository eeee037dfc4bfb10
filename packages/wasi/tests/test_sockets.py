"""Sockets: given ones, accepted ones, and waiting for them."""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading
from collections.abc import Iterator

import pytest

from wasm_wasi import Wasi
from wasm_wasi.abi import ERRNO, EVENT, FDSTAT, FILESTAT, FdFlag, FileType, Right
from wasm_wasi.sockets import parse_address

IOVECS, RESULT, RESULT2, DATA = 8192, 9000, 9016, 16384
NONBLOCK = int(FdFlag.NONBLOCK)
PEEK, WAITALL = 1, 2


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture
def peers(start) -> Iterator[tuple[object, socket.socket]]:
    """A program whose descriptor 3 is connected with a socket of ours."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(30)
        yield start(sockets=[theirs]), ours


def accept(program, fd=3, flags=0):
    errno = program.call("sock_accept", fd, flags, RESULT)
    return errno, program.u32()


def receive(program, fd, size, flags=0):
    program.put(IOVECS, struct.pack("<II", DATA, size))
    errno = program.call("sock_recv", fd, IOVECS, 1, flags, RESULT, RESULT2)
    return errno, b"" if errno else program.get(DATA, program.u32()), program.u32(RESULT2) & 0xFFFF


def send(program, fd, *parts):
    data = DATA
    for number, part in enumerate(parts):
        program.put(data, part)
        program.put(IOVECS + 8 * number, struct.pack("<II", data, len(part)))
        data += len(part)
    return program.call("sock_send", fd, IOVECS, len(parts), 0, RESULT), program.u32()


def fdstat(program, fd):
    assert program.call("fd_fdstat_get", fd, RESULT) == 0
    return FDSTAT.unpack(program.get(RESULT, FDSTAT.size))


def poll(program, *subscriptions):
    """(user data, kind, fd) each; the events."""
    program.put(0, b"".join(struct.pack("<QB7xI28x", *subscription) for subscription in subscriptions))
    # One more for a clock, so that nothing waits for ever: a tenth of a second.
    program.put(48 * len(subscriptions), struct.pack("<QB7xI4xQQH6x", 99, 0, 1, 100_000_000, 0, 0))
    assert program.call("poll_oneoff", 0, DATA, len(subscriptions) + 1, RESULT) == 0
    return sorted(EVENT.iter_unpack(program.get(DATA, EVENT.size * program.u32())))


def test_a_connection(start, listener):
    program = start(sockets=[listener])
    with socket.create_connection(listener.getsockname(), timeout=30) as client:
        assert accept(program) == (0, 4)
        client.sendall(b"hello")
        assert receive(program, 4, 100) == (0, b"hello", 0)
        assert send(program, 4, b"good", b"bye") == (0, 7)
        assert client.recv(100) == b"goodbye"
        # Files' functions work as well.
        client.sendall(b"more")
        assert program.read(4, 2, 100) == (0, b"more")
        assert program.write(4, b"out") == 0
        assert client.recv(100) == b"out"
        assert program.call("fd_filestat_get", 4, RESULT) == 0
        assert FILESTAT.unpack(program.get(RESULT, FILESTAT.size))[2] == FileType.SOCKET_STREAM
        assert program.call("fd_close", 4) == 0
        assert client.recv(100) == b""
    # The embedder's socket is still his.
    program.process.close()
    assert listener.fileno() >= 0
    listener.getsockname()


def test_the_number_of_a_socket_and_an_address(start, listener):
    program = start(sockets=[listener.fileno(), "127.0.0.1:0"])
    with socket.create_connection(listener.getsockname(), timeout=30):
        assert accept(program)[0] == 0
    assert fdstat(program, 4)[0] == FileType.SOCKET_STREAM
    address = program.process.table.get(4, 0)._socket.getsockname()
    with socket.create_connection(address, timeout=30):
        assert accept(program, 4)[0] == 0


def test_sockets_come_behind_directories(start, listener, directory):
    program = start(preopens={"/": str(directory)}, sockets=[listener])
    assert program.call("fd_prestat_get", 3, RESULT) == 0
    assert program.call("fd_prestat_get", 4, RESULT) == ERRNO["BADF"]
    kind, flags, rights, inheriting = fdstat(program, 4)
    assert (kind, flags) == (FileType.SOCKET_STREAM, 0)
    assert rights & Right.SOCK_ACCEPT
    assert inheriting & Right.FD_READ
    assert not inheriting & Right.SOCK_ACCEPT


def test_not_waiting(start, listener):
    program = start(sockets=[listener])
    assert program.call("fd_fdstat_set_flags", 3, NONBLOCK) == 0
    assert accept(program)[0] == ERRNO["AGAIN"]
    with socket.create_connection(listener.getsockname(), timeout=30):
        while accept(program, flags=NONBLOCK)[0] == ERRNO["AGAIN"]:
            poll(program, (1, 1, 3))
        assert fdstat(program, 4)[1] == NONBLOCK
        assert receive(program, 4, 10)[0] == ERRNO["AGAIN"]
        assert program.read(4, 10)[0] == ERRNO["AGAIN"]
    with socket.create_connection(listener.getsockname(), timeout=30):
        poll(program, (1, 1, 3))
        assert accept(program) == (0, 5)
        # Not inherited.
        assert fdstat(program, 5)[1] == 0
    assert accept(program, flags=int(FdFlag.APPEND))[0] == ERRNO["INVAL"]


def test_polling(start, listener):
    program = start(sockets=[listener])
    assert poll(program, (1, 1, 3)) == [(99, 0, 0, 0, 0)]
    with socket.create_connection(listener.getsockname(), timeout=30) as client:
        assert poll(program, (1, 1, 3))[0][:3] == (1, 0, 1)
        assert accept(program) == (0, 4)
        assert poll(program, (1, 1, 4)) == [(99, 0, 0, 0, 0)]
        assert poll(program, (1, 1, 4), (2, 2, 4)) == [(2, 0, 2, 0, 0)]
        client.sendall(b"abc")
        assert poll(program, (1, 1, 4)) == [(1, 0, 1, 3, 0)]
        assert receive(program, 4, 10)[1] == b"abc"
        client.shutdown(socket.SHUT_WR)
        # The end can be read; the other direction is still open, so this is no hangup.
        assert poll(program, (1, 1, 4)) == [(1, 0, 1, 0, 0)]
        assert receive(program, 4, 10) == (0, b"", 0)


def test_a_peer_that_hangs_up(peers):
    program, ours = peers
    ours.close()
    assert poll(program, (1, 1, 3)) == [(1, 0, 1, 0, 1)]
    assert send(program, 3, b"x")[0] == ERRNO["PIPE"]
    assert program.write(3, b"x") == ERRNO["PIPE"]


def test_flags_of_receiving(peers):
    program, ours = peers
    ours.sendall(b"abc")
    assert receive(program, 3, 2, PEEK) == (0, b"ab", 0)
    assert receive(program, 3, 10) == (0, b"abc", 0)
    ours.sendall(b"12")
    later = threading.Timer(0.05, ours.sendall, (b"34",))
    later.start()
    assert receive(program, 3, 4, WAITALL) == (0, b"1234", 0)
    later.join()
    assert receive(program, 3, 4, 4)[0] == ERRNO["INVAL"]
    program.put(IOVECS, struct.pack("<II", DATA, 1))
    assert program.call("sock_send", 3, IOVECS, 1, 1, RESULT) == ERRNO["INVAL"]


def test_messages_that_are_too_long(start):
    if sys.platform == "win32":
        ours, theirs = (socket.socket(type=socket.SOCK_DGRAM) for _ in range(2))
        theirs.bind(("127.0.0.1", 0))
        ours.connect(theirs.getsockname())
    else:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        program = start(sockets=[theirs])
        assert fdstat(program, 3)[0] == FileType.SOCKET_DGRAM
        ours.send(b"message")
        assert receive(program, 3, 4) == (0, b"mess", 1)
        ours.send(b"fits")
        assert receive(program, 3, 4) == (0, b"fits", 0)


def test_shutting_down(peers):
    program, ours = peers
    for directions in (0, 4, 7, -1):
        assert program.call("sock_shutdown", 3, directions) == ERRNO["INVAL"]
    assert program.call("sock_shutdown", 3, 2) == 0
    assert ours.recv(10) == b""
    ours.sendall(b"still")
    assert receive(program, 3, 10)[1] == b"still"
    assert program.call("sock_shutdown", 3, 1) == 0
    assert receive(program, 3, 10) == (0, b"", 0)
    assert program.call("sock_shutdown", 3, 3) == 0


def test_what_is_no_socket(program):
    fd = program.open("file")[1]
    for number, expected in ((fd, "NOTSOCK"), (3, "NOTSOCK"), (1, "NOTSOCK"), (99, "BADF")):
        assert program.call("sock_accept", number, 0, RESULT) == ERRNO[expected]
        assert program.call("sock_recv", number, IOVECS, 0, 0, RESULT, RESULT2) == ERRNO[expected]
        assert program.call("sock_send", number, IOVECS, 0, 0, RESULT) == ERRNO[expected]
        assert program.call("sock_shutdown", number, 1) == ERRNO[expected]


def test_a_connection_is_no_listener_and_the_other_way_round(start, listener, peers):
    program, _ = peers
    assert accept(program)[0] == ERRNO["NOTCAPABLE"]
    program = start(sockets=[listener])
    assert receive(program, 3, 10)[0] != 0
    assert send(program, 3, b"x")[0] == ERRNO["BADF"]


def test_rights_are_checked(peers):
    program, _ = peers
    assert program.call("fd_fdstat_set_rights", 3, int(Right.FD_READ), 0) == 0
    assert send(program, 3, b"x")[0] == ERRNO["BADF"]
    assert program.call("sock_shutdown", 3, 1) == ERRNO["NOTCAPABLE"]


def test_bad_pointers(peers):
    program, ours = peers
    ours.sendall(b"abc")
    program.put(IOVECS, struct.pack("<II", DATA, 10))
    assert program.call("sock_recv", 3, IOVECS, 1, 0, -1, RESULT) == ERRNO["FAULT"]
    assert program.call("sock_recv", 3, IOVECS, 1, 0, RESULT, -1) == ERRNO["FAULT"]
    assert program.call("sock_recv", 3, -4, 1, 0, RESULT, RESULT2) == ERRNO["FAULT"]
    # Nothing has been taken.
    assert receive(program, 3, 10)[1] == b"abc"
    assert program.call("sock_send", 3, IOVECS, 1, 0, -1) == ERRNO["FAULT"]


def test_stdin_may_be_a_socket(start):
    ours, theirs = socket.socketpair()
    with ours, theirs, os.fdopen(os.dup(theirs.fileno()), "rb", buffering=0) as stream:
        program = start(stdin=stream)
        ours.sendall(b"abc")
        assert receive(program, 0, 10)[1] == b"abc"
        assert send(program, 0, b"x")[0] == ERRNO["BADF"]


def test_pythons_default_timeout_is_not_the_programs(start, listener):
    socket.setdefaulttimeout(0.01)
    try:
        program = start(sockets=[listener])
    finally:
        socket.setdefaulttimeout(None)
    later = threading.Timer(0.1, lambda: socket.create_connection(listener.getsockname()).close())
    later.start()
    assert accept(program)[0] == 0
    later.join()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        ("[::1]:8080", ("::1", 8080)),
        (":1", ("", 1)),
        ("localhost:0", ("localhost", 0)),
    ],
)
def test_addresses(text, expected):
    assert parse_address(text) == expected


@pytest.mark.parametrize("text", ["", "80", "host", "host:", "host:x", "host:65536", "host:-1", "::1:80", "host:٣"])
def test_bad_addresses(text):
    with pytest.raises(ValueError, match="HOST:PORT"):
        Wasi(sockets=[text])


def test_bad_sockets(tmp_path):
    with open(tmp_path / "file", "wb") as file, pytest.raises(ValueError, match="not a socket"):
        Wasi(sockets=[file.fileno()])
    with pytest.raises(TypeError, match="one string"):
        Wasi(sockets="127.0.0.1:80")
    for thing in (None, True, 1.5):
        with pytest.raises(TypeError, match="needed"):
            Wasi(sockets=[thing])  # type: ignore[list-item]
    closed = socket.socket()
    closed.close()
    with pytest.raises(ValueError, match="closed"):
        Wasi(sockets=[closed])


def test_an_address_that_is_taken_leaves_nothing_open(listener, tmp_path, opened):
    before = opened()
    wasi = Wasi(preopens={"/": tmp_path}, sockets=[f"127.0.0.1:{listener.getsockname()[1]}"])
    with pytest.raises(OSError):
        wasi.imports  # noqa: B018
    assert opened() == before
