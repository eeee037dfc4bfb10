"""Sockets: those that a program is given, and the connections that it accepts."""

from __future__ import annotations

import socket

from wasm_wasi.host.sockets import Socket, check_number, duplicate, listening

#: What stands for a socket: one of Python's, the number of an open one, or "host:port" to listen there.
SocketSource = socket.socket | int | str


def parse_address(text: str) -> tuple[str, int]:
    """Host and port of "host:port"; an IPv6 address stands in brackets, no host means all addresses.

    Raises:
        ValueError: It is not of this form.
    """
    host, separator, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        separator = ""
    if not separator or not port.isascii() or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{text!r} is not HOST:PORT")
    return host, int(port)


def check(source: SocketSource) -> SocketSource:
    """The same, if it is something that can be a socket.

    Raises:
        TypeError: It is nothing of the kind.
        ValueError: An address is not HOST:PORT, or the descriptor is not of a socket.
        OSError: The descriptor is not open.
    """
    if isinstance(source, str):
        parse_address(source)
    elif isinstance(source, socket.socket):
        if source.fileno() < 0:
            raise ValueError("the socket is closed")
    elif isinstance(source, int) and not isinstance(source, bool):
        check_number(source)
    else:
        raise TypeError(f"a socket, the number of one or 'HOST:PORT' is needed, not {type(source).__name__}")
    return source


def open_socket(source: SocketSource) -> Socket:
    """The descriptor for a socket. What the embedder has stays his; an address is bound and listened at.

    Raises:
        OSError: The address cannot be used.
    """
    if isinstance(source, str):
        host, port = parse_address(source)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return listening(host, port, family)
    return duplicate(source)
