"""String literals (core specification, section "Text Format", "Values", "Strings" and "Names")."""

from __future__ import annotations

import re
from typing import Final

_ESCAPE: Final = re.compile(rb"\\(?:([0-9a-fA-F]{2})|u\{([0-9a-fA-F](?:_?[0-9a-fA-F])*)\}|(.|\Z))", re.DOTALL)
_CHARACTERS: Final[dict[bytes, bytes]] = {
    b"t": b"\t",
    b"n": b"\n",
    b"r": b"\r",
    b'"': b'"',
    b"'": b"'",
    b"\\": b"\\",
}
#: What a printed string shows as it is.
_PRINTABLE: Final = re.compile(rb"[^ !#-\[\]-~]")


class StringError(Exception):
    """A literal has an illegal escape, or is no name."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def decode_string(literal: str) -> bytes:
    """The bytes that a literal, quotation marks included, stands for.

    Raises:
        StringError: There is an illegal escape.
    """
    try:
        data = literal[literal.index('"') + 1 : -1].encode()
    except UnicodeEncodeError:
        raise StringError("malformed UTF-8 encoding") from None
    return _ESCAPE.sub(_unescape, data) if b"\\" in data else data


def _unescape(match: re.Match[bytes]) -> bytes:
    code, point, character = match.groups()
    if code is not None:
        return bytes([int(code, 16)])
    if point is not None:
        number = int(point, 16)
        if number >= 0x110000 or 0xD800 <= number < 0xE000:
            raise StringError(f"malformed UTF-8 encoding: there is no character {number:x}")
        return chr(number).encode()
    found = _CHARACTERS.get(character)
    if found is None:
        raise StringError(f"illegal escape \\{character.decode(errors='replace')}")
    return found


def decode_name(literal: str) -> str:
    """The characters of a literal that is a name.

    Raises:
        StringError: There is an illegal escape, or the bytes are not UTF-8.
    """
    data = decode_string(literal)
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise StringError("malformed UTF-8 encoding") from None


def encode_string(data: bytes) -> str:
    """The literal for some bytes."""
    return '"' + _PRINTABLE.sub(_escape, data).decode() + '"'


def _escape(match: re.Match[bytes]) -> bytes:
    character = match.group()
    return b"\\" + character if character in b'"\\' else b"\\%02x" % character[0]
