"""stdin, stdout and stderr: from what the embedder names to descriptors."""

from __future__ import annotations

import io
import os
import sys

from wasm_wasi import host
from wasm_wasi.abi import FileType, Right
from wasm_wasi.descriptors import BinaryFile, ClosedStream, Descriptor, NullStream, ObjectStream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: What stands for a stream: a binary file object, a path, None (empty, discarded), or `INHERIT`.
Stream = BinaryFile | str | os.PathLike[str] | None


class Inherit:
    """The process's own stream."""

    def __repr__(self) -> str:
        return "INHERIT"


INHERIT: Final = Inherit()

_NAMES: Final = ("stdin", "stdout", "stderr")


def check(number: int, stream: Stream | Inherit) -> Stream | Inherit:
    """The stream, if it is something that can be one.

    Raises:
        TypeError: It is a text file or nothing like a file.
    """
    name = _NAMES[number]
    if isinstance(stream, io.TextIOBase):
        raise TypeError(f"{name} must be a binary file; give the .buffer of a text file")
    if stream is None or isinstance(stream, str | os.PathLike | Inherit):
        return stream
    method = "read" if number == 0 else "write"
    if not hasattr(stream, method):
        raise TypeError(f"{name} must be a binary file, a path or None, not {type(stream).__name__}")
    return stream


def open_stream(number: int, stream: Stream | Inherit) -> Descriptor:
    """The descriptor for stdin (0), stdout (1) or stderr (2).

    The process's own stdout and stderr are the files of the system that it was started with, unless `sys.stdout` is no
    file: then they follow it. A stream that the process itself has not fails with EBADF. Files named by a path are made
    empty and then appended to, so that stdout and stderr may share one.

    Raises:
        OSError: A path cannot be opened.
    """
    right = Right.FD_READ if number == 0 else Right.FD_WRITE
    if stream is None:
        return NullStream(FileType.UNKNOWN, right | Right.POLL_FD_READWRITE | Right.FD_FILESTAT_GET)
    if isinstance(stream, Inherit):
        if number and not _is_file(_NAMES[number]):
            from wasm_wasi.text_streams import FollowingStream

            return FollowingStream(_NAMES[number])
        if getattr(sys, f"__{_NAMES[number]}__") is None:
            # The process was started without it. Its number may mean anything by now: what was opened since.
            return ClosedStream()
        try:
            return host.stream_of(number, right)
        except OSError:
            return ClosedStream()
    if isinstance(stream, str | os.PathLike):
        return host.stream_at(stream, right)
    raw = stream.raw if isinstance(stream, io.BufferedWriter) else stream
    if isinstance(raw, io.FileIO):
        if isinstance(stream, io.BufferedWriter):
            stream.flush()
        return host.stream_of(raw.fileno(), right)
    return ObjectStream(stream, right)


def _is_file(name: str) -> bool:
    """Whether Python's own stream, as it is now, is a file of the system; or not there, or closed."""
    stream = getattr(sys, name)
    if stream is None or stream is getattr(sys, f"__{name}__"):
        return True
    try:
        stream.fileno()
    except (AttributeError, OSError):
        return False
    except ValueError:
        # It is closed. (What has no number raises a ValueError that is an OSError too.)
        return True
    return True
