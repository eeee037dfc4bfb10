"""A process with a memory of its own, so that WASI functions can be called without a WebAssembly program."""

from __future__ import annotations

import os
import signal
import struct
import sys
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


@pytest.fixture
def is_open() -> Callable[[int], bool]:
    """Tells whether the system still knows a descriptor, by the number that it has there."""

    def ask(host: int) -> bool:
        try:
            if sys.platform == "win32":
                from wasm_wasi.host.windows.native import access_of

                access_of(host)
            else:
                os.fstat(host)
        except OSError:
            return False
        return True

    return ask


@pytest.fixture
def can_link(tmp_path: Path) -> bool:
    """Whether there are symbolic links, and we may make them."""
    link = tmp_path / "whether there are links"
    try:
        link.symlink_to("nothing")
    except OSError:
        return False
    try:
        # (Wine says that it has made one)
        link.unlink()
    except OSError:
        return False
    return True


def _handles() -> int:
    """How many handles this process has. (For GetProcessHandleCount, Wine says 0.)"""
    import ctypes

    ntdll, needed, size = ctypes.WinDLL("ntdll"), ctypes.c_uint32(), 1 << 16
    all_handles, too_short = 64, ctypes.c_int32(0xC0000004).value  # SystemExtendedHandleInformation
    while True:
        data = ctypes.create_string_buffer(size)
        status = ntdll.NtQuerySystemInformation(all_handles, data, size, ctypes.byref(needed))
        if status != too_short:
            break
        size *= 2
    assert status == 0
    # How many of all processes; then, for each, an object and the number of its process, among others.
    (count,) = struct.unpack_from("<Q", data)
    return sum(struct.unpack_from("<Q", data, 16 + 40 * i + 8)[0] == os.getpid() for i in range(count))


@pytest.fixture
def opened() -> Callable[[], int]:
    """Tells how much this process has open."""

    def count() -> int:
        if sys.platform == "win32":
            return _handles()
        return len(os.listdir("/proc/self/fd"))

    return count


@pytest.fixture
def press_ctrl_c() -> Callable[[], None]:
    """Does, from any thread, what Ctrl-C does."""

    def press() -> None:
        if sys.platform == "win32":
            # (os.kill would end the process)
            signal.raise_signal(signal.SIGINT)
        else:
            os.kill(os.getpid(), signal.SIGINT)

    return press


#: What a test needs that Windows has not, or Wine; by name of the test, or of a case.
_NOT_ON_WINDOWS = {
    "FIFOs and sockets among files": (
        "test_opening_and_reading_a_fifo_without_a_writer",
        "test_opening_a_fifo_without_a_reader",
        "test_what_has_no_reader_ever",
    ),
    "a shell": ("test_a_stream_that_was_never_there_is_not_what_took_its_number",),
    "pseudo-terminals": ("test_a_terminal_is_one_and_other_devices_are_not",),
    "pairs of sockets that are not TCP": ("test_a_peer_that_hangs_up",),
    "sockets with the numbers of files": ("test_stdin_may_be_a_socket",),
    "signals that come by themselves": (
        "test_a_handler_calls_while_a_call_waits",
        "test_a_handler_calls_while_the_table_is_changed",
        "test_a_signal_handler_uses_the_same_files",
        "test_exceptions_of_handlers_lose_no_descriptor",
    ),
    "devices among files": ("test_endless_devices",),
    "functions of POSIX, which the test replaces": (
        "test_an_error_in_the_middle_tells_what_was_moved",
        "test_allocation_that_takes_long",
        "test_allocation_that_fails_leaves_the_size",
        "test_a_disk_that_is_slow",
    ),
    "a limit of descriptors": (
        "test_the_host_keeps_descriptors",
        "test_the_host_keeps_descriptors_from_those_who_connect",
        "test_the_limit_is_below_that_of_the_process",
    ),
    "moving a directory away while something in it is open": ("test_nothing_is_told_about_what_is_above",),
}
_NOT_ON_WINE = {
    "symbolic links": (
        "test_metadata",
        "test_listing",
        "test_renaming_and_linking",
        "test_times_of_a_link_or_of_what_it_points_to",
        "test_no_slash_behind_what_is_no_directory",
        "test_dangling_links",
        "test_long_chains_of_links",
        "test_escapes_are_refused[out/secret]",
        "test_escapes_are_refused[out_file]",
        "test_escapes_are_refused[out_absolute/passwd]",
        "test_escapes_are_refused[absolute_file]",
        "test_escapes_are_refused[sub/up/../../secret]",
        "test_escapes_are_refused[chain]",
        "test_escapes_are_refused[out/inside/file]",
        "test_entries_outside_are_neither_made_nor_removed[out/secret]",
        "test_entries_outside_are_neither_made_nor_removed[out_absolute/passwd]",
        "test_entries_outside_are_neither_made_nor_removed[sub/up/../../secret]",
        "test_entries_outside_are_neither_made_nor_removed[out/inside/file]",
        "test_a_link_as_the_last_component_is_an_entry_of_its_own",
        "test_a_slash_at_the_end_does_not_follow_a_link_out",
        "test_links_and_dots_inside_work[in/deep]",
        "test_links_and_dots_inside_work[in_file]",
        "test_links_and_dots_inside_work[sub/up/sub/deep]",
        "test_links_that_lead_nowhere",
        "test_links_made_by_the_program_do_not_lead_out",
    ),
    "times of access": ("test_size_and_times", "test_times_that_are_left_alone_or_now"),
    "the speed to make so many files": ("test_a_large_directory",),
    "the speed to import so often": ("test_calls_in_the_middle_of_the_imports_of_first_calls",),
    "knowing that a peer has ended while there is more to read": ("test_waiting_for_all",),
}


def _is_wine() -> bool:
    if sys.platform != "win32":
        return False
    import ctypes

    return hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if sys.platform != "win32":
        return
    missing = {name: need for need, names in _NOT_ON_WINDOWS.items() for name in names}
    if _is_wine():
        missing |= {name: f"{need} (Wine)" for need, names in _NOT_ON_WINE.items() for name in names}
    for item in items:
        need = missing.get(item.name) or missing.get(getattr(item, "originalname", item.name))
        if need is not None:
            item.add_marker(pytest.mark.skip(reason=need))
