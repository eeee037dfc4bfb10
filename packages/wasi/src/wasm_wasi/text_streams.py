"""stdout and stderr that go where Python's own go, when that is no file: a notebook, a test that captures."""

from __future__ import annotations

import codecs
import sys

from wasm_wasi.abi import BADF, FileType, Right
from wasm_wasi.descriptors import Descriptor
from wasm_wasi.errors import WasiError
from wasm_wasi.guest_memory import STEP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, TextIO

_RIGHTS: Final = Right.FD_WRITE | Right.POLL_FD_READWRITE | Right.FD_FILESTAT_GET


class FollowingStream(Descriptor):
    """What `sys.stdout` or `sys.stderr` is at each write. Bytes go to its buffer, if it has one; else it gets text.

    Args:
        name: "stdout" or "stderr".
    """

    __slots__ = ("_decoder", "_name")

    def __init__(self, name: str) -> None:
        super().__init__(FileType.UNKNOWN, _RIGHTS)
        self._name = name
        # Characters may be divided between writes.
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def write(self, buffers: list[memoryview]) -> int:
        stream: TextIO | None = getattr(sys, self._name)
        if stream is None or getattr(stream, "closed", False):
            raise WasiError(BADF)
        data = bytearray()
        for buffer in buffers:
            data += buffer[: STEP - len(data)]
        binary = getattr(stream, "buffer", None)
        if binary is None:
            stream.write(self._decoder.decode(data))
        else:
            # What Python has written before comes first.
            stream.flush()
            binary.write(bytes(data))
        flush = getattr(stream if binary is None else binary, "flush", None)
        if flush is not None:
            flush()
        return len(data)
