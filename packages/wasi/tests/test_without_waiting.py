"""Pythons that were built with an old C library read pipes by the same system calls."""

from __future__ import annotations

import errno
import os
import sys

import pytest

if not sys.platform.startswith("linux"):
    pytest.skip("only Linux has these system calls", allow_module_level=True)

from wasm_wasi.host.posix import files, without_waiting


@pytest.fixture
def pipe():
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


@pytest.mark.skipif(without_waiting._preadv2 is None, reason="the C library has no preadv2")
def test_a_pipe(pipe) -> None:
    """What is there is read, into several buffers, and what is not there is not waited for; so is room to write."""
    end, other = pipe
    first, second = bytearray(3), bytearray(10)
    buffers = [memoryview(first), memoryview(second)]
    with pytest.raises(BlockingIOError):
        without_waiting.preadv(end, buffers)
    assert without_waiting.pwritev(other, [memoryview(bytearray(b"abcdef"))]) == 6
    assert without_waiting.preadv(end, buffers) == 6
    assert first + second[:3] == b"abcdef"
    with pytest.raises(BlockingIOError):
        while True:
            without_waiting.pwritev(other, [memoryview(bytearray(1 << 16))])
    with pytest.raises(OSError) as caught:
        without_waiting.preadv(-1, buffers)
    assert caught.value.errno == errno.EBADF


def test_old_c_libraries(monkeypatch: pytest.MonkeyPatch, pipe) -> None:
    """Without these functions the error says so, upon which pipes are read as those of other systems are."""
    monkeypatch.setattr(without_waiting, "_preadv2", None)
    with pytest.raises(OSError) as caught:
        without_waiting.preadv(pipe[0], [memoryview(bytearray(1))])
    assert caught.value.errno in files._NO_NOWAIT


@pytest.mark.skipif(not hasattr(os, "RWF_NOWAIT"), reason="this Python has no RWF_NOWAIT either")
def test_the_flag() -> None:
    assert without_waiting._NOWAIT == os.RWF_NOWAIT


@pytest.mark.skipif(without_waiting._preadv2 is None, reason="the C library has no preadv2")
def test_files_do_without_the_flag_of_python(monkeypatch: pytest.MonkeyPatch, pipe) -> None:
    """They read and write pipes in this way where Python has no flag for it."""
    monkeypatch.setattr(files, "_NOWAIT", 0)
    buffer = bytearray(10)
    assert files._write_ready(pipe[1], [memoryview(bytearray(b"abc"))]) == 3
    assert files._read_ready(pipe[0], [memoryview(buffer)]) == 3
    with pytest.raises(BlockingIOError):
        files._read_ready(pipe[0], [memoryview(buffer)])
