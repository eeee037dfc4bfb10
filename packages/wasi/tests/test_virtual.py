"""Files in memory: what a program can notice is what it would notice with a directory of the host."""

from __future__ import annotations

import random
import signal
import struct
import sys
import threading
from pathlib import Path

import pytest

from wasm_core.testing.patience import Effort
from wasm_wasi import MemoryDirectory
from wasm_wasi.abi import ALL_RIGHTS, DIRENT, ERRNO, FDSTAT, FILESTAT, FdFlag, FileType, OpenFlag, Right

RESULT, DATA, STRING, STRING2 = 9000, 16384, 0, 4096
HOST, MEMORY = 3, 4
# Names that are there, are not, are too long, go up, or are links.
NAMES = ("a", "b", "c", "d", "d/a", "d/e", "d/e/f", "l", "m", "l/x", "..", ".", "d/..", "d/../a", "a/", "d/", "a/x")
NAMES += ("", "/", "/a", "n" * 256, "d/./e/../a", "m/e", "nothing/..")
TARGETS = ("a", "d", "..", "../secret", "l", "d/../d/e", "/a", "nothing", "")


def unpack_entries(data):
    """Name and type of the entries of a listing."""
    found, at = {}, 0
    while at + DIRENT.size <= len(data):
        _, _, size, kind = DIRENT.unpack_from(data, at)
        found[data[at + DIRENT.size : at + DIRENT.size + size]] = kind
        at += DIRENT.size + size
    return found


class Twins:
    """The same calls for a directory of the host and one in memory, whose answers must be the same."""

    def __init__(self, program, chance, links):
        self.program = program
        #: Whether the host has symbolic links.
        self.links = links
        self.chance = chance
        #: Descriptors that are open, on the host and in memory.
        self.pairs = [(HOST, MEMORY)]

    def both(self, act):
        pair = self.chance.choice(self.pairs)
        return act(pair[0]), act(pair[1])

    def path(self, name, fd, *args, before=()):
        return self.program.call(name, fd, *before, *self.program.put(STRING, args[0].encode()), *args[1:])

    def step(self):
        chance, program = self.chance, self.program
        name, other = chance.choice(NAMES), chance.choice(NAMES)
        pair, to = chance.choice(self.pairs), chance.choice(self.pairs)
        kind = chance.randrange(18)
        if kind == 12 and not self.links:
            kind = 15
        if kind in (13, 16, 17) and sys.platform == "win32":
            # There, what is open can be neither moved nor (with some file systems) removed.
            for opened in self.pairs[1:]:
                assert [program.call("fd_close", fd) for fd in opened] == [0, 0]
            del self.pairs[1:]
            pair = to = self.pairs[0]
        if kind <= 3:
            how = chance.choice((0, 0, 1, 1, 2, 4, 5, 8, 9, 13))
            read, write = int(Right.FD_READ | Right.FD_READDIR), int(Right.FD_WRITE)
            rest = int(
                Right.FD_SEEK | Right.FD_TELL | Right.FD_FILESTAT_GET | Right.FD_FILESTAT_SET_SIZE | Right.FD_ALLOCATE
            )
            rights = chance.choice((read, read | write, write | rest, read | write | rest, ALL_RIGHTS, read | 1 << 2))
            flags, follow = chance.choice((0, 0, FdFlag.APPEND)), chance.random() < 0.7
            results = [program.open(name, how, rights, fdflags=flags, follow=follow, directory=fd) for fd in pair]
            if results[0][0] == results[1][0] == 0:
                self.pairs.append((results[0][1], results[1][1]))
            return [("open", name, how, rights, follow, errno) for errno, _ in results]
        if kind == 4 and len(self.pairs) > 1:
            self.pairs.remove(pair) if pair[0] != HOST else None
            return [program.call("fd_close", fd) if fd > MEMORY else 0 for fd in pair]
        if kind == 5:
            data = chance.randbytes(chance.randrange(50))
            return [("write", program.write(fd, data, data[:3]), program.u32()) for fd in pair]
        if kind == 6:
            return [("read", program.read(fd, 7, 20)) for fd in pair]
        if kind == 7:
            offset, whence = chance.randrange(-30, 60), chance.randrange(4)
            return [("seek", program.call("fd_seek", fd, offset, whence, RESULT), program.u64()) for fd in pair]
        if kind == 8:
            size = chance.randrange(-2, 80)
            name = chance.choice(("fd_filestat_set_size", "fd_allocate"))
            args = (size,) if name == "fd_filestat_set_size" else (chance.randrange(-1, 30), size)
            return [(name, args, program.call(name, fd, *args)) for fd in pair]
        if kind == 9:
            results = []
            for fd in pair:
                program.put(RESULT, bytes(64))
                errno = program.call("fd_filestat_get", fd, RESULT)
                results.append((errno, self.comparable(FILESTAT.unpack(program.get(RESULT, 64)))))
            return results
        if kind == 10:
            return [
                (program.call("fd_fdstat_get", fd, RESULT), FDSTAT.unpack(program.get(RESULT, FDSTAT.size)))
                for fd in pair
            ]
        if kind == 11:
            results = []
            for fd in pair:
                errno = program.call("fd_readdir", fd, DATA, 8000, 0, RESULT)
                results.append((errno, {} if errno else unpack_entries(program.get(DATA, program.u32()))))
            return results
        if kind == 12:
            target = chance.choice(TARGETS)
            return [
                (
                    "symlink",
                    target,
                    name,
                    program.call(
                        "path_symlink", *program.put(STRING2, target.encode()), fd, *program.put(STRING, name.encode())
                    ),
                )
                for fd in pair
            ]
        if kind == 13:
            call = chance.choice(("path_rename", "path_link"))
            extra = (chance.randrange(2),) if call == "path_link" else ()
            return [
                (
                    call,
                    name,
                    other,
                    extra,
                    program.call(
                        call,
                        fd,
                        *extra,
                        *program.put(STRING, name.encode()),
                        other_fd,
                        *program.put(STRING2, other.encode()),
                    ),
                )
                for fd, other_fd in zip(pair, to, strict=True)
            ]
        if kind == 14:
            results = []
            for fd in pair:
                program.put(DATA, bytes(100))
                errno = self.path("path_readlink", fd, name, DATA, chance.choice((100,)), RESULT)
                results.append((errno, program.get(DATA, 100)))
            return results
        if kind == 15:
            follow = chance.randrange(2)
            results = []
            for fd in pair:
                errno = self.path("path_filestat_get", fd, name, RESULT, before=(follow,))
                results.append(
                    (name, errno, None if errno else self.comparable(FILESTAT.unpack(program.get(RESULT, 64))))
                )
            return results
        call = chance.choice(("path_create_directory", "path_remove_directory", "path_unlink_file"))
        return [(call, name, self.path(call, fd, name)) for fd in pair]

    @staticmethod
    def comparable(stat):
        kind, links, size = stat[2:5]
        return (kind, 0, 0) if kind == FileType.DIRECTORY else (kind, links, size)


@pytest.mark.parametrize("seed", range(25))
def test_memory_is_as_the_host(start, tmp_path, can_link, seed):
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "root").mkdir()
    program = start(preopens={"/host": str(tmp_path / "root"), "/memory": MemoryDirectory()})
    twins = Twins(program, random.Random(seed), can_link)
    for number in range(600):
        first, second = twins.step()
        assert first == second, (number, first, second)


@pytest.fixture
def memory():
    return MemoryDirectory({"file": b"hello world", "sub/deep": b"deep"})


@pytest.fixture
def inside(start, memory):
    return start(preopens={"/": memory})


def test_files_go_both_ways(inside, memory):
    errno, fd = inside.open("file")
    assert errno == 0
    assert inside.read(fd, 3, 0, 4) == (0, b"hello w")
    inside.create("sub/new", b"made inside")
    assert memory["sub/new"] == b"made inside"
    memory["sub/other"] = b"made outside"
    errno, fd = inside.open("sub/other")
    assert inside.read(fd, 100) == (0, b"made outside")
    assert list(memory) == ["file", "sub/deep", "sub/new", "sub/other"]
    del memory["file"]
    assert inside.open("file")[0] == ERRNO["NOENT"]


def test_what_is_written_stays_for_the_next_program(start, memory):
    start(preopens={"/": memory}).create("kept", b"x")
    assert start(preopens={"/": memory}).open("kept")[0] == 0


@pytest.mark.parametrize("path", ["..", "../x", "sub/../../x", "/", "/file", "up/x", "up/sub/../../file"])
def test_no_path_leads_out(inside, path):
    assert inside.call("path_symlink", *inside.put(STRING2, b".."), 3, *inside.put(STRING, b"up")) == 0
    assert inside.open(path)[0] == ERRNO["NOTCAPABLE"]
    assert inside.stat(path, follow=True)[0] == ERRNO["NOTCAPABLE"]
    assert inside.path_call("path_create_directory", path + "/new") == ERRNO["NOTCAPABLE"]


def test_numbers_of_files(start, memory, tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    program = start(preopens={"/": memory, "/2": MemoryDirectory({"file": b""}), "/h": str(tmp_path)})
    stats = {program.stat("file")[1][:2], program.stat("sub")[1][:2], program.stat("sub/deep")[1][:2]}
    for directory in (4, 5):
        fd = program.open("file", directory=directory)[1]
        assert program.call("fd_filestat_get", fd, RESULT) == 0
        stats.add(FILESTAT.unpack(program.get(RESULT, 64))[:2])
    assert len(stats) == 5


def test_bytes_are_bounded(start):
    memory = MemoryDirectory({"old": b"12345"}, max_bytes=100)
    program = start(preopens={"/": memory})
    fd = program.open("new", OpenFlag.CREAT)[1]
    assert program.write(fd, bytes(200)) == 0
    # What there is room for is written, as on a disk.
    assert program.u32() == 95
    assert program.write(fd, b"x") == ERRNO["NOSPC"]
    assert memory.used == 100
    for name, args in (("fd_filestat_set_size", (96,)), ("fd_allocate", (0, 1 << 62))):
        assert program.call(name, fd, *args) == ERRNO["NOSPC"]
    assert program.call("path_symlink", *program.put(STRING2, b"x"), 3, *program.put(STRING, b"l")) == ERRNO["NOSPC"]
    assert program.call("fd_seek", fd, 1 << 62, 0, RESULT) == 0
    assert program.write(fd, b"x") == ERRNO["NOSPC"]
    with pytest.raises(OSError, match="No space"):
        memory["more"] = b"x"
    assert "more" not in memory
    # A file that is open and has no name any more takes what it has.
    assert program.path_call("path_unlink_file", "new") == 0
    assert memory.used == 100
    assert program.call("fd_close", fd) == 0
    assert memory.used == 5
    assert program.call("path_symlink", *program.put(STRING2, b"xyz"), 3, *program.put(STRING, b"l")) == 0
    assert memory.used == 8
    assert program.path_call("path_unlink_file", "l") == 0
    assert memory.used == 5


def test_a_hole_is_counted_and_not_stored(start):
    memory = MemoryDirectory(max_bytes=1 << 40)
    program = start(preopens={"/": memory})
    fd = program.open("big", OpenFlag.CREAT)[1]
    assert program.call("fd_filestat_set_size", fd, 1 << 39) == 0
    assert memory.used == 1 << 39
    program.put(RESULT + 8, struct.pack("<II", DATA, 10))
    assert program.call("fd_pread", fd, RESULT + 8, 1, 1 << 38, RESULT) == 0
    assert (program.u32(), program.get(DATA, 10)) == (10, bytes(10))


def test_what_was_cut_off_does_not_come_back(inside, memory):
    fd = inside.open("file")[1]
    assert inside.call("fd_filestat_set_size", fd, 2) == 0
    assert inside.call("fd_filestat_set_size", fd, 5) == 0
    assert memory["file"] == b"he\0\0\0"


def test_files_are_bounded(start):
    memory = MemoryDirectory({"a/b": b""}, max_files=4)
    program = start(preopens={"/": memory})
    assert program.path_call("path_create_directory", "d") == 0
    assert program.two_paths("path_link", "a/b", "c", (0,)) == 0
    assert program.open("new", OpenFlag.CREAT)[0] == ERRNO["NOSPC"]
    assert program.path_call("path_create_directory", "new") == ERRNO["NOSPC"]
    assert program.two_paths("path_link", "a/b", "new", (0,)) == ERRNO["NOSPC"]
    assert program.path_call("path_unlink_file", "c") == 0
    assert program.open("new", OpenFlag.CREAT)[0] == 0
    assert program.two_paths("path_rename", "new", "a/b") == 0
    assert program.open("new", OpenFlag.CREAT)[0] == 0


def test_trees_are_file_systems_of_their_own(start, memory, tmp_path):
    program = start(preopens={"/": memory, "/2": MemoryDirectory(), "/h": str(tmp_path)})
    old, new = program.put(STRING, b"file"), program.put(STRING2, b"new")
    for target in (4, 5):
        assert program.call("path_rename", 3, *old, target, *new) == ERRNO["XDEV"]
        assert program.call("path_link", 3, 0, *old, target, *new) == ERRNO["XDEV"]


def test_the_clock_of_the_program_gives_the_times(start, memory):
    program = start(preopens={"/": memory}, clock=lambda: 77)
    program.create("new", b"x")
    assert program.stat("new")[1][5:] == (77, 77, 77)
    assert program.path_call("path_filestat_set_times", "new", 5, 6, 1 | 4, before=(0,)) == 0
    assert program.stat("new")[1][5:] == (5, 6, 77)
    assert program.path_call("path_filestat_set_times", "new", 0, 0, 3, before=(0,)) == ERRNO["INVAL"]


def test_threads_append_to_one_file(start, memory):
    programs = [start(preopens={"/": memory}) for _ in range(4)]

    def append(program):
        fd = program.open("log", OpenFlag.CREAT, fdflags=int(FdFlag.APPEND))[1]
        for _ in range(300):
            assert program.write(fd, b"0123", b"4567") == 0

    threads = [threading.Thread(target=append, args=(program,)) for program in programs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert memory["log"] == b"01234567" * 1200
    assert memory.used == 9600 + len(b"hello worlddeep")


def test_names_come_and_go_in_threads(start, memory):
    used = memory.used

    def churn(number):
        program = start(preopens={"/": memory})
        for turn in range(100):
            program.create(f"{number}", bytes(turn))
            assert program.two_paths("path_rename", f"{number}", "shared") == 0
            program.path_call("path_unlink_file", "shared")

    threads = [threading.Thread(target=churn, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    memory.pop("shared", None)
    assert sorted(memory) == ["file", "sub/deep"]
    assert memory.used == used
    assert repr(memory) == "<MemoryDirectory, 3 entries, 15 bytes>"


def use_all(program):
    """Have the modules of the functions imported: here it is about files."""
    program.create("a", b"")
    program.path_call("path_unlink_file", "a")


def test_a_signal_handler_uses_the_same_files(start):
    # It comes between any two steps of what it interrupts; the books must be right in the end.
    memory = MemoryDirectory(max_bytes=100_000)
    program, other = start(preopens={"/": memory}), start(preopens={"/": memory})
    use_all(other)
    turns = 0
    busy = False

    def handler(number, frame):
        nonlocal busy, turns
        # (one would overwrite what the other has in the program's memory)
        if busy:
            return
        busy = True
        act(turns)
        turns += 1
        busy = False

    def act(turn):
        other.create("file", bytes(turn % 3000))
        other.two_paths("path_rename", "file", f"file{turn % 3}")
        other.path_call("path_unlink_file", f"file{turn % 2}")

    old = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        effort = Effort(1.5)
        while effort.goes_on(turns > 10):
            errno, fd = program.open("file", OpenFlag.CREAT)
            assert errno == 0
            program.write(fd, bytes(100))
            program.call("fd_filestat_set_size", fd, 50)
            program.write(fd, bytes(2000))
            program.call("fd_close", fd)
            program.path_call("path_unlink_file", "file")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert turns > 10
    assert memory.used == sum(map(len, memory.values()))
    assert repr(memory).startswith(f"<MemoryDirectory, {len(memory)} entries")


@pytest.mark.parametrize("path", ["", "/", "/a", "a/", "a//b", ".", "a/../b", "..", "a\0", "x" * 256])
def test_paths_that_are_none(memory, path):
    with pytest.raises(ValueError, match="is not a path"):
        memory[path] = b""
    with pytest.raises(KeyError):
        memory[path]
    assert path not in memory


def test_a_mapping_of_its_files(memory):
    assert dict(memory) == {"file": b"hello world", "sub/deep": b"deep"}
    assert len(memory) == 2
    for path in ("sub", "nothing", "file/x"):
        with pytest.raises(KeyError):
            memory[path]
        with pytest.raises(KeyError):
            del memory[path]
    memory["file"] = bytearray(b"new")
    assert memory["file"] == b"new"
    with pytest.raises(NotADirectoryError):
        memory["file/x"] = b""
    with pytest.raises(IsADirectoryError):
        memory["sub"] = b""
    with pytest.raises(TypeError):
        memory["text"] = "text"  # type: ignore[assignment]
    assert "text" not in memory
    with pytest.raises(TypeError):
        memory[5] = b""  # type: ignore[index]


def test_deep_trees_come_and_go(start):
    # Nothing recurses on the depth.
    memory = MemoryDirectory()
    program = start(preopens={"/": memory})
    fd = 3
    for _ in range(3000):
        assert program.call("path_create_directory", fd, *program.put(STRING, b"d")) == 0
        errno, deeper = program.open("d", OpenFlag.DIRECTORY, directory=fd)
        assert errno == 0
        if fd != 3:
            assert program.call("fd_close", fd) == 0
        fd = deeper
    assert program.call("path_rename", 3, *program.put(STRING, b"d"), fd, *program.put(STRING2, b"x")) == ERRNO["INVAL"]
    memory["last"] = b""
    assert list(memory) == ["last"]
    program.process.close()
    del memory


def test_a_mapping_is_read_only(start):
    files = {"file": b"hello world", "sub/deep": b"deep"}
    program = start(preopens={"/": _preopen(files)})
    fd = program.open("sub/deep", rights=int(Right.FD_READ | Right.FD_SEEK))[1]
    assert program.read(fd, 2, 100) == (0, b"deep")
    assert program.stat("file")[1][2:5] == (FileType.REGULAR_FILE, 1, 11)
    assert program.open("sub", OpenFlag.DIRECTORY)[0] == 0
    assert program.open("file")[0] == ERRNO["ROFS"]
    assert program.open("new", OpenFlag.CREAT, rights=int(Right.FD_READ))[0] == ERRNO["ROFS"]
    assert program.path_call("path_unlink_file", "file") == ERRNO["ROFS"]
    assert program.call("fd_readdir", 3, DATA, 1000, 0, RESULT) == 0
    assert unpack_entries(program.get(DATA, program.u32())) == {b".": 3, b"..": 3, b"file": 4, b"sub": 3}
    assert files == {"file": b"hello world", "sub/deep": b"deep"}


def _preopen(given):
    from wasm_wasi.preopens import preopen

    return preopen(given)


def test_a_mapping_is_asked_when_a_file_is_opened(start):
    class Lazy(dict):
        asked: list[str] = []

        def __getitem__(self, path):
            self.asked.append(path)
            return super().__getitem__(path)

    files = Lazy({"a": b"A", "b": b"B", "text": "text"})
    program = start(preopens={"/": _preopen(files)})
    assert files.asked == []
    fd = program.open("b", rights=int(Right.FD_READ))[1]
    del files["b"]
    assert program.read(fd, 9) == (0, b"B")
    assert program.stat("b")[0] == ERRNO["NOENT"]
    with pytest.raises(TypeError, match="'text' must be bytes, not str"):
        program.stat("text")


@pytest.mark.parametrize("files", [{"/a": b""}, {"a/../b": b""}, {"a": b"", "a/b": b""}, {"a/b": b"", "a": b""}])
def test_mappings_that_are_no_directories(files):
    with pytest.raises(ValueError, match=r"is not a path|through a file|directory too"):
        _preopen(files)


class TestFileSystem:
    """fsspec."""

    @pytest.fixture
    def system(self):
        memory = pytest.importorskip("fsspec.implementations.memory", reason="fsspec is not installed")
        system = memory.MemoryFileSystem()
        system.pipe({"/wasi/file": b"hello world", "/wasi/sub/deep": b"deep"})
        yield system
        system.rm("/wasi", recursive=True)

    def test_reading(self, start, system):
        program = start(preopens={"/": _preopen(system)})
        errno, fd = program.open("wasi/file", rights=int(Right.FD_READ | Right.FD_SEEK))
        assert errno == 0
        assert program.read(fd, 3, 4) == (0, b"hello w")
        assert program.read(fd, 100) == (0, b"orld")
        assert program.stat("wasi/sub/deep")[1][2:5] == (FileType.REGULAR_FILE, 1, 4)
        assert program.stat("wasi/nothing")[0] == ERRNO["NOENT"]
        assert program.open("wasi/file/x", rights=0)[0] == ERRNO["NOTDIR"]
        errno, sub = program.open("wasi", OpenFlag.DIRECTORY)
        assert program.call("fd_readdir", sub, DATA, 1000, 0, RESULT) == 0
        assert unpack_entries(program.get(DATA, program.u32())) == {b".": 3, b"..": 3, b"file": 4, b"sub": 3}
        assert program.open("wasi/file")[0] == ERRNO["ROFS"]
        assert program.path_call("path_unlink_file", "wasi/file") == ERRNO["ROFS"]
        assert program.open("../wasi", OpenFlag.DIRECTORY)[0] == ERRNO["NOTCAPABLE"]

    def test_links_of_a_local_one_are_not_followed(self, start, tmp_path):
        local = pytest.importorskip("fsspec.implementations.local", reason="fsspec is not installed")
        dirfs = pytest.importorskip("fsspec.implementations.dirfs", reason="fsspec is not installed")
        (tmp_path / "secret").write_bytes(b"secret")
        inside = tmp_path / "inside"
        inside.mkdir()
        (inside / "file").write_bytes(b"x")
        (inside / "out").symlink_to(Path("../secret"))
        (inside / "up").symlink_to("..")
        system = dirfs.DirFileSystem(str(inside), local.LocalFileSystem())
        program = start(preopens={"/": _preopen(system)})
        read = int(Right.FD_READ)
        assert program.open("file", rights=read)[0] == 0
        for path in ("out", "up/secret", "up", "up/inside/file"):
            assert program.open(path, rights=read)[0] == ERRNO["NOTCAPABLE"]
            assert program.stat(path)[0] == ERRNO["NOTCAPABLE"]
