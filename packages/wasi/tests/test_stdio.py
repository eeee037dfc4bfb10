"""The kinds of stdin, stdout and stderr."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys

import pytest

from wasm_wasi.abi import ERRNO, FDSTAT, FILESTAT, FileType, Right
from wasm_wasi.stdio import INHERIT, check

RESULT = 9000


def fdstat(program, fd):
    assert program.call("fd_fdstat_get", fd, RESULT) == 0
    return FDSTAT.unpack(program.get(RESULT, FDSTAT.size))


def test_nothing(start):
    program = start()
    assert program.read(0, 10) == (0, b"")
    assert program.write(1, b"abc", b"de") == 0
    assert program.u32() == 5
    assert program.write(0, b"x") == ERRNO["BADF"]
    assert program.read(1, 1)[0] == ERRNO["BADF"]
    assert program.call("fd_seek", 1, 0, 0, RESULT) == ERRNO["SPIPE"]
    assert program.call("fd_filestat_get", 1, RESULT) == 0
    assert FILESTAT.unpack(program.get(RESULT, 64))[2] == FileType.UNKNOWN


def test_objects(start):
    out, err = io.BytesIO(), io.BytesIO()
    program = start(stdin=io.BytesIO(b"hello world"), stdout=out, stderr=err)
    assert program.read(0, 3, 4) == (0, b"hello w")
    assert program.call("fd_seek", 0, -1, 1, RESULT) == 0
    assert program.read(0, 100) == (0, b"world")
    assert program.read(0, 100) == (0, b"")
    assert program.call("fd_seek", 0, -100, 0, RESULT) == ERRNO["INVAL"]
    assert program.write(1, b"out", b"put") == 0
    assert program.write(2, b"error") == 0
    assert (out.getvalue(), err.getvalue()) == (b"output", b"error")
    assert program.call("fd_sync", 1) != 0
    assert program.call("fd_fdstat_set_flags", 1, 1) == ERRNO["NOTCAPABLE"]
    out.close()
    assert program.write(1, b"x") == ERRNO["BADF"]


def test_objects_with_nothing_but_a_method(start):
    class Sink:
        def __init__(self) -> None:
            self.parts: list[bytes] = []

        def write(self, data: bytes) -> None:
            self.parts.append(data)

    class Source:
        def read(self, size: int) -> bytes | None:
            return None

    sink = Sink()
    program = start(stdin=Source(), stdout=sink)
    assert program.write(1, b"abc") == 0
    assert program.u32() == 3
    assert sink.parts == [b"abc"]
    assert program.read(0, 1)[0] == ERRNO["AGAIN"]
    assert program.call("fd_seek", 1, 0, 0, RESULT) == ERRNO["SPIPE"]


def test_errors_of_objects_become_error_numbers(start):
    class Full(io.RawIOBase):
        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

    program = start(stdout=Full())
    assert program.write(1, b"x") == ERRNO["NOSPC"]


def test_big_writes_to_objects_may_be_short_but_never_lose_count(start):
    out = io.BytesIO()
    program = start(stdout=out)
    # 1024 buffers over the same 64 KiB: 64 MiB in one call.
    import struct

    program.put(0, struct.pack("<II", 0, 65536) * 1024)
    assert program.call("fd_write", 1, 0, 1024, RESULT) == 0
    assert 0 < program.u32() == len(out.getvalue()) <= 1 << 24


def test_paths(start, tmp_path):
    (tmp_path / "in").write_bytes(b"input")
    (tmp_path / "out").write_bytes(b"old content")
    program = start(stdin=str(tmp_path / "in"), stdout=tmp_path / "out", stderr=tmp_path / "out")
    assert program.read(0, 100) == (0, b"input")
    assert program.write(1, b"one ") == 0
    assert program.write(2, b"two ") == 0
    assert program.write(1, b"three") == 0
    assert (tmp_path / "out").read_bytes() == b"one two three"
    assert program.write(0, b"x") == ERRNO["BADF"]
    kind, _, rights, _ = fdstat(program, 0)
    assert kind == FileType.REGULAR_FILE
    assert rights & Right.FD_SEEK
    with pytest.raises(FileNotFoundError):
        start(stdin=str(tmp_path / "nothing"))


def test_real_files_are_used_directly(start, tmp_path):
    with open(tmp_path / "buffered", "wb") as buffered, open(tmp_path / "raw", "wb", buffering=0) as raw:
        buffered.write(b"before ")
        program = start(stdout=buffered, stderr=raw)
        assert program.write(1, b"out") == 0
        assert program.write(2, b"err") == 0
        assert (tmp_path / "buffered").read_bytes() == b"before out"
        assert (tmp_path / "raw").read_bytes() == b"err"
        buffered.write(b" after")
    assert (tmp_path / "buffered").read_bytes() == b"before out after"


def test_what_python_has_read_ahead_is_not_lost(start, tmp_path):
    (tmp_path / "in").write_bytes(b"line one\nline two\n")
    with open(tmp_path / "in", "rb") as file:
        assert file.readline() == b"line one\n"
        program = start(stdin=file)
        assert program.read(0, 100) == (0, b"line two\n")


def test_the_processs_own(start, capfd):
    program = start(stdin=INHERIT, stdout=INHERIT, stderr=INHERIT)
    assert program.write(1, b"to stdout") == 0
    assert program.write(2, b"to stderr") == 0
    assert capfd.readouterr() == ("to stdout", "to stderr")
    # The program may close its stream; that is not ours.
    assert program.call("fd_close", 1) == 0
    os.fstat(1)


def test_what_captures_the_processs_own(start, capsys):
    program = start(stdout=INHERIT, stderr=INHERIT)
    print("before ", end="")
    assert program.write(1, b"to ", b"stdout \xe2") == 0
    assert program.u32() == 11
    assert program.write(1, b"\x82\xac") == 0
    assert program.write(2, b"to stderr") == 0
    assert capsys.readouterr() == ("before to stdout €", "to stderr")
    assert program.call("fd_seek", 1, 0, 0, RESULT) == ERRNO["SPIPE"]
    assert program.read(1, 1)[0] == ERRNO["BADF"]
    assert fdstat(program, 1)[0] == FileType.UNKNOWN


def test_a_text_stream_without_bytes_gets_whole_characters(start):
    # As in a notebook.
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        program = start(stdout=INHERIT)
        for part in (b"5 \xe2\x82", b"\xac \xff", b"!\n"):
            assert program.write(1, part) == 0
    assert out.getvalue() == "5 € \ufffd!\n"


def test_the_stream_is_followed_to_the_next_one(start, capsys):
    first, second = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(first):
        program = start(stdout=INHERIT)
        assert program.write(1, b"one") == 0
    with contextlib.redirect_stdout(second):
        assert program.write(1, b"two") == 0
        second.close()
        assert program.write(1, b"x") == ERRNO["BADF"]
    with contextlib.redirect_stdout(None):
        assert program.write(1, b"x") == ERRNO["BADF"]
    assert program.write(1, b"three") == 0
    assert (first.getvalue(), capsys.readouterr().out) == ("one", "three")


def test_big_writes_to_what_captures_may_be_short_but_never_lose_count(start):
    import struct

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        program = start(stdout=INHERIT)
        program.put(0, struct.pack("<II", 10000, 50000) * 1024)
        assert program.call("fd_write", 1, 0, 1024, RESULT) == 0
    assert 0 < program.u32() == len(out.getvalue()) <= 1 << 20


def test_a_file_in_place_of_the_stream_is_not_followed(start, tmp_path, capfd):
    # As for any other program that this process starts.
    with open(tmp_path / "out", "w") as file, contextlib.redirect_stdout(file):
        assert start(stdout=INHERIT).write(1, b"to the file of the system") == 0
    assert capfd.readouterr().out == "to the file of the system"


def test_a_process_without_streams(start, tmp_path):
    code = (
        "import os; os.close(0); os.close(1)\n"
        "from wasm_wasi.stdio import INHERIT, open_stream\n"
        "from wasm_wasi.descriptors import ClosedStream\n"
        "assert isinstance(open_stream(0, INHERIT), ClosedStream)\n"
        "assert isinstance(open_stream(1, INHERIT), ClosedStream)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_stream_that_was_never_there_is_not_what_took_its_number(tmp_path):
    # Without a stdout the next file that is opened gets its number.
    (tmp_path / "secret").write_text("secret")
    code = (
        "import os, sys\n"
        "fd = os.open(sys.argv[1], os.O_RDWR)\n"
        "from wasm_wasi.process import Process\n"
        "from wasm_wasi.stdio import INHERIT\n"
        "from wasm_wasi.functions import guarded\n"
        "process = Process((), (), {}, (INHERIT, INHERIT, INHERIT))\n"
        "assert fd == 1 and sys.stdout is None\n"
        "assert guarded('fd_read', process)(1, 0, 0, 0) == 8\n"
        "assert guarded('fd_write', process)(1, 0, 0, 0) == 8\n"
        "assert guarded('fd_filestat_get', process)(1, 0) == 8\n"
        "assert guarded('fd_seek', process)(1, 0, 0, 0) == 8\n"
    )
    command = ["sh", "-c", 'exec "$0" -c "$1" "$2" >&-', sys.executable, code, str(tmp_path / "secret")]
    subprocess.run(command, check=True, timeout=60)
    assert (tmp_path / "secret").read_text() == "secret"


def test_objects_that_read_into_memory(start):
    class Source(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: object) -> int:
            assert isinstance(buffer, memoryview)
            buffer[:3] = b"abc"
            return 3

        def read(self, size: int = -1) -> bytes:
            raise AssertionError("copied")

    class Nothing(Source):
        def readinto(self, buffer: object) -> int:
            return None  # type: ignore[return-value]

    assert start(stdin=Source()).read(0, 10) == (0, b"abc")
    assert start(stdin=Nothing()).read(0, 10)[0] == ERRNO["AGAIN"]


def test_a_broken_pipe_is_an_error_number(start):
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "wb", buffering=0) as pipe:
        program = start(stdout=pipe)
        assert program.write(1, b"x") == ERRNO["PIPE"]


@pytest.mark.parametrize(("number", "stream"), [(0, io.StringIO()), (1, io.StringIO()), (1, 5), (0, object())])
def test_what_cannot_be_a_stream(number, stream):
    with pytest.raises(TypeError, match=r"stdin|stdout"):
        check(number, stream)


def test_a_terminal_is_one_and_other_devices_are_not(start):
    master, slave = os.openpty()
    with os.fdopen(slave, "wb", buffering=0) as terminal, open("/dev/null", "wb", buffering=0) as null:
        program = start(stdout=terminal, stderr=null)
        for fd, is_terminal in ((1, True), (2, False)):
            kind, _, rights, _ = fdstat(program, fd)
            assert kind == FileType.CHARACTER_DEVICE
            assert bool(rights & (Right.FD_SEEK | Right.FD_TELL)) is not is_terminal
    os.close(master)
