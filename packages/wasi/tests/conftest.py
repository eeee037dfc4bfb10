"""A process with a memory of its own, so that WASI functions can be called without a WebAssembly program."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from wasm_wasi.abi import ALL_RIGHTS, DIRECTORY_RIGHTS, FILESTAT, OpenFlag
from wasm_wasi.functions import guarded
from wasm_wasi.guest_memory import GuestMemory
from wasm_wasi.preopens import Preopen
from wasm_wasi.process import Process, string_block
from wasm_wasi.sockets import SocketSource
from wasm_wasi.stdio import Inherit, Stream

MEMORY_SIZE = 65536
#: Where strings go, and where functions put results.
STRING, STRING2, IOVECS, RESULT, DATA = 0, 4096, 8192, 9000, 16384


class ByteMemory:
    """As much of a linear memory as WASI needs."""

    def __init__(self, size: int) -> None:
        self._bytes = bytearray(size)
        self._size = size

    def view(self) -> memoryview:
        return memoryview(self._bytes)[: self._size]


class Program:
    """Calls the WASI functions as a program would: by number and by address."""

    def __init__(self, process: Process) -> None:
        self.process = process
        process.guest = GuestMemory(ByteMemory(MEMORY_SIZE))

    def call(self, name: str, *args: int) -> int:
        return guarded(name, self.process)(*args)

    def put(self, address: int, data: bytes) -> tuple[int, int]:
        self.process.guest.view[address : address + len(data)] = data
        return address, len(data)

    def get(self, address: int, size: int) -> bytes:
        return bytes(self.process.guest.view[address : address + size])

    def u32(self, address: int = RESULT) -> int:
        return int(struct.unpack("<I", self.get(address, 4))[0])

    def u64(self, address: int = RESULT) -> int:
        return int(struct.unpack("<Q", self.get(address, 8))[0])

    def write(self, fd: int, *parts: bytes) -> int:
        self._vectors([len(part) for part in parts])
        self.put(DATA, b"".join(parts))
        return self.call("fd_write", fd, IOVECS, len(parts), RESULT)

    def read(self, fd: int, *sizes: int) -> tuple[int, bytes]:
        self._vectors(list(sizes))
        errno = self.call("fd_read", fd, IOVECS, len(sizes), RESULT)
        return errno, b"" if errno else self.get(DATA, self.u32())

    def _vectors(self, sizes: list[int]) -> None:
        data = DATA
        for number, size in enumerate(sizes):
            self.put(IOVECS + 8 * number, struct.pack("<II", data, size))
            data += size

    def open(
        self,
        path: str | bytes,
        how: int = 0,
        rights: int | None = None,
        inheriting: int = ALL_RIGHTS,
        fdflags: int = 0,
        follow: bool = True,
        directory: int = 3,
    ) -> tuple[int, int]:
        if rights is None:
            rights = DIRECTORY_RIGHTS if how & OpenFlag.DIRECTORY else ALL_RIGHTS
        where = self.put(STRING, path.encode() if isinstance(path, str) else path)
        errno = self.call("path_open", directory, int(follow), *where, how, rights, inheriting, fdflags, RESULT)
        return errno, self.u32()

    def create(self, path: str, content: bytes) -> None:
        errno, fd = self.open(path, OpenFlag.CREAT | OpenFlag.TRUNC)
        assert errno == 0
        assert self.write(fd, content) == 0
        assert self.call("fd_close", fd) == 0

    def path_call(self, name: str, path: str | bytes, *args: int, before: tuple[int, ...] = ()) -> int:
        where = self.put(STRING, path.encode() if isinstance(path, str) else path)
        return self.call(name, 3, *before, *where, *args)

    def two_paths(self, name: str, old: str, new: str, before: tuple[int, ...] = ()) -> int:
        return self.call(name, 3, *before, *self.put(STRING, old.encode()), 3, *self.put(STRING2, new.encode()))

    def stat(self, path: str, follow: bool = False) -> tuple[int, tuple[int, ...]]:
        errno = self.path_call("path_filestat_get", path, RESULT, before=(int(follow),))
        return errno, FILESTAT.unpack(self.get(RESULT, FILESTAT.size))


StartProgram = Callable[..., Program]


@pytest.fixture
def start() -> Iterator[StartProgram]:
    """Starts programs; closes them in the end."""
    programs = []

    def begin(
        args: tuple[str, ...] = (),
        env: tuple[str, ...] = (),
        preopens: Mapping[str, str | Preopen] | None = None,
        stdin: Stream | Inherit = None,
        stdout: Stream | Inherit = None,
        stderr: Stream | Inherit = None,
        sockets: Iterable[SocketSource] = (),
        clock: Callable[[], int] | None = None,
        random: Callable[[int], bytes] | None = None,
    ) -> Program:
        streams = (stdin, stdout, stderr)
        process = Process(string_block(args), string_block(env), preopens or {}, streams, sockets, clock, random)
        programs.append(Program(process))
        return programs[-1]

    yield begin
    for program in programs:
        program.process.close()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory for the program, with something outside that it must not reach."""
    (tmp_path / "secret").write_text("secret")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "file").write_bytes(b"hello world")
    (inside / "sub").mkdir()
    (inside / "sub" / "deep").write_bytes(b"deep")
    return inside


@pytest.fixture
def program(start: StartProgram, directory: Path) -> Program:
    """A program with `directory` as descriptor 3."""
    return start(preopens={"/": str(directory)})
