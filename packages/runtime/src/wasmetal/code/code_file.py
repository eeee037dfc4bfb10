"""Files of compiled code: the format, and checks that nothing is ever taken from a damaged one or from a stranger.

A file is a header, an index and blobs, one per function. Header and index have one checksum, each blob has its own, so
that a few functions can be taken out of a large file. Numbers are little-endian.

    header   magic, identity of what the code is for (32 bytes), flags, number of blobs, size of the file,
             checksum of the header before it and of the index
    index    keys (8 bytes each), offsets (8), sizes (4), checksums (16)
    blobs

A blob has the fields of a `CompiledCode`, see `encode_code`.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from array import array
from collections.abc import Iterable, Mapping
from struct import Struct, error

from wasm_ir.backend import CompiledCode, Relocation
from wasmetal.code.checksum import digest
from wasmetal.system.host import host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

MAGIC: Final = b"\0metal\x01\n"
#: What compiled modules begin with that are given on as bytes, see `precompiled`.
PRECOMPILED_MAGIC: Final = b"\0metalpre"

#: Flags: what is known about the module.
MODULE_VALID: Final = 1  # everything but function bodies has been validated
BODIES_VALID: Final = 2  # all function bodies have been validated
#: Shifted left by a number below UNWRITTEN_TABLES: no instruction writes to the table with that number.
TABLE_UNWRITTEN: Final = 1 << 16
UNWRITTEN_TABLES: Final = 16

_IDENTITY_SIZE: Final = 32
_HEAD: Final = Struct(f"<8s{_IDENTITY_SIZE}sIIQ")
_CHECKSUM_SIZE: Final = 16
_HEADER_SIZE: Final = _HEAD.size + _CHECKSUM_SIZE
_ENTRY_SIZE: Final = 8 + 8 + 4 + _CHECKSUM_SIZE
#: Files up to this size are read at once, others blob by blob, in bytes.
SMALL: Final = 1 << 20
#: Up to this size all blobs are worth taking: placing a function together with others takes 25 us, later 40 us.
_TAKEN_AT_ONCE: Final = 1 << 18
_FIRST_READ: Final = 1 << 16

#: Size of the code, entry, frame size, numbers of relocations and of rows in the pc table, size of the names.
_CODE: Final = Struct("<6I")


class CodeFile:
    """A file of code that has been opened, or the content of one. Whatever is read from it has been checked."""

    __slots__ = ("_checksums", "_data", "_fd", "_offsets", "_places", "_sizes", "flags", "size")

    def __init__(self, data: bytes, identity: bytes, size: int, fd: int = -1) -> None:
        """Read header and index.

        Args:
            data: The first bytes, or all.
            identity: What the code must be for.
            size: Size of the file.
            fd: Descriptor of the file, which is read further, and closed with this object; -1 when `data` is all.

        Raises:
            ValueError: This is not such a file, or it is damaged.
        """
        self._fd = fd
        self._data = data
        self.size = size
        try:
            magic, found, self.flags, count, stated = _HEAD.unpack_from(data)
        except error:
            raise ValueError("too short") from None
        if magic != MAGIC or found != identity or stated != size:
            raise ValueError("not a file of code for this")
        end = _HEADER_SIZE + count * _ENTRY_SIZE
        if end > size:
            raise ValueError("truncated")
        if end > len(data):
            data += _read(fd, len(data), end - len(data))
        checksum = data[_HEAD.size : _HEADER_SIZE]
        if digest(data[: _HEAD.size] + data[_HEADER_SIZE:end], _CHECKSUM_SIZE) != checksum:
            raise ValueError("damaged")
        view = memoryview(data)
        at = _HEADER_SIZE
        self._places = {key: place for place, key in enumerate(_array("Q", view[at : at + 8 * count]))}
        at += 8 * count
        self._offsets = _array("Q", view[at : at + 8 * count])
        at += 8 * count
        self._sizes = _array("I", view[at : at + 4 * count])
        at += 4 * count
        self._checksums = bytes(view[at : at + _CHECKSUM_SIZE * count])

    @property
    def is_small(self) -> bool:
        """Whether it is worth taking everything at once."""
        return self.size <= _TAKEN_AT_ONCE

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: int) -> bool:
        return key in self._places

    def keys(self) -> Iterable[int]:
        """The keys of all blobs, damaged ones included."""
        return self._places.keys()

    def get(self, key: int) -> bytes | None:
        """A blob; None when there is none, or when it is damaged."""
        place = self._places.get(key)
        if place is None:
            return None
        blob, checksum = self._raw(place)
        return blob if digest(blob, _CHECKSUM_SIZE) == checksum else None

    def raw(self, key: int) -> tuple[bytes, bytes]:
        """A blob and what its checksum is said to be, unchecked: to be copied into another file."""
        return self._raw(self._places[key])

    def _raw(self, place: int) -> tuple[bytes, bytes]:
        offset = self._offsets[place]
        size = self._sizes[place]
        if self._fd < 0:
            blob = self._data[offset : offset + size]
        else:
            blob = _read(self._fd, offset, size)
        return blob, self._checksums[_CHECKSUM_SIZE * place : _CHECKSUM_SIZE * (place + 1)]

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)


def _array(code: str, data: memoryview) -> array[int]:
    words = array(code)
    words.frombytes(data)
    if sys.byteorder == "big":
        words.byteswap()
    return words


def _bytes(code: str, words: Iterable[int]) -> bytes:
    made = array(code, words)
    if sys.byteorder == "big":
        made.byteswap()
    return made.tobytes()


def _read(fd: int, offset: int, size: int) -> bytes:
    """Bytes of a file; fewer than asked for where it ends or cannot be read."""
    try:
        return host.read_at(fd, size, offset) if fd >= 0 else b""
    except OSError:
        return b""


def open_file(path: str, identity: bytes, *, mark_use: bool = False) -> CodeFile | None:
    """Open a file of code.

    Args:
        path: Its path.
        identity: What the code must be for.
        mark_use: Set the file's modification time to now.

    Returns:
        The file; None when there is none, or it is damaged, or another user could have written it.
    """
    try:
        fd = os.open(path, os.O_RDONLY | host.OPEN_FLAGS | host.NOT_WAITING)
    except OSError:
        return None
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or not host.is_ours(status):
            return None
        size = status.st_size
        if mark_use:
            with contextlib.suppress(OSError):  # a file system that is read only
                os.utime(fd if os.utime in os.supports_fd else path)
        if size > SMALL and host.REPLACES_OPEN_FILES:
            kept, fd = fd, -1
            return CodeFile(_read(kept, 0, _FIRST_READ), identity, size, kept)
        return CodeFile(_read(fd, 0, size), identity, size)
    except (OSError, ValueError):
        return None
    finally:
        if fd >= 0:
            os.close(fd)


def encode_file(identity: bytes, flags: int, blobs: Mapping[int, bytes], old: CodeFile | None = None) -> bytes:
    """The content of a file.

    Args:
        identity: What the code is for (32 bytes).
        flags: MODULE_VALID, BODIES_VALID and TABLE_UNWRITTEN.
        blobs: By key.
        old: A file whose blobs are copied where there are no new ones, and whose flags are kept.
    """
    keys = list(blobs)
    pieces = list(blobs.values())
    checksums = [digest(blob, _CHECKSUM_SIZE) for blob in pieces]
    if old is not None:
        flags |= old.flags
        for key in old.keys():  # noqa: SIM118 (not a mapping)
            if key not in blobs:
                blob, checksum = old.raw(key)
                keys.append(key)
                pieces.append(blob)
                checksums.append(checksum)
    sizes = [len(piece) for piece in pieces]
    at = _HEADER_SIZE + _ENTRY_SIZE * len(keys)
    offsets = []
    for size in sizes:
        offsets.append(at)
        at += size
    index = b"".join([_bytes("Q", keys), _bytes("Q", offsets), _bytes("I", sizes), *checksums])
    head = _HEAD.pack(MAGIC, identity, flags, len(keys), at)
    return b"".join([head, digest(head + index, _CHECKSUM_SIZE), index, *pieces])


def encode_code(made: CompiledCode, names: Iterable[str] = ()) -> bytes:
    """One function as a blob. `names`: of the symbols that its relocations refer to."""
    relocations = made.relocations
    text = "\0".join(names).encode()
    words = [
        *[relocation.offset for relocation in relocations],
        *[relocation.kind for relocation in relocations],
        *[relocation.target for relocation in relocations],
        *made.pcs,
        *made.wasm_offsets,
    ]
    head = _CODE.pack(len(made.code), made.entry, made.frame_size, len(relocations), len(made.pcs), len(text))
    return b"".join([head, _bytes("I", words), made.code, text])


def decode_code(blob: bytes) -> tuple[CompiledCode, list[str]]:
    """A function from its blob, and the names of its symbols."""
    size, entry, frame_size, count, rows, text_size = _CODE.unpack_from(blob)
    start = _CODE.size
    end = start + 4 * (3 * count + 2 * rows)
    words = _array("I", memoryview(blob)[start:end])
    relocations = list(map(Relocation, words[:count], words[count : 2 * count], words[2 * count : 3 * count]))
    pcs = words[3 * count : 3 * count + rows]
    text = blob[end + size : end + size + text_size].decode()
    made = CompiledCode(blob[end : end + size], entry, relocations, pcs, words[3 * count + rows :], frame_size)
    return made, text.split("\0") if text else []
