"""Files and directories: opening, reading, writing, positions, metadata, listing."""

from __future__ import annotations

import os
import struct
import sys
import time
import tracemalloc

import pytest

from wasm_wasi.abi import ALL_RIGHTS, DIRENT, ERRNO, FDSTAT, FILESTAT, FdFlag, FileType, OpenFlag, Right, TimeFlag
from wasm_wasi.host import HostDescriptor

IOVECS, RESULT, DATA = 8192, 9000, 16384
#: Nanoseconds in which the system counts the times of files.
UNIT = 100 if sys.platform == "win32" else 1


def test_reading_into_several_buffers(program):
    errno, fd = program.open("file")
    assert (errno, fd) == (0, 4)
    assert program.read(fd, 3, 0, 4) == (0, b"hello w")
    assert program.read(fd, 100) == (0, b"orld")
    assert program.read(fd, 100) == (0, b"")
    assert program.read(fd) == (0, b"")


def test_writing(program, directory):
    program.create("new", b"some text")
    assert (directory / "new").read_bytes() == b"some text"
    errno, fd = program.open("new")
    assert errno == 0
    assert program.write(fd, b"S", b"", b"OME") == 0
    assert program.u32() == 4
    assert (directory / "new").read_bytes() == b"SOME text"


def test_more_buffers_than_the_system_takes(program, directory):
    errno, fd = program.open("big", OpenFlag.CREAT)
    assert errno == 0
    program.put(DATA, b"x" * 2000 * 8)
    program.put(DATA, b"".join(struct.pack("<II", 0, 1) for _ in range(2000)))
    assert program.call("fd_write", fd, DATA, 2000, RESULT) == 0
    assert 0 < program.u32() <= 2000
    assert (directory / "big").stat().st_size == program.u32()


def test_open_flags(program, directory):
    assert program.open("file", OpenFlag.CREAT | OpenFlag.EXCL)[0] == ERRNO["EXIST"]
    assert program.open("file", OpenFlag.DIRECTORY)[0] == ERRNO["NOTDIR"]
    assert program.open("sub")[0] == ERRNO["ISDIR"]
    assert program.open("sub", rights=int(Right.FD_READDIR))[0] == 0
    assert program.open("x", OpenFlag.CREAT | OpenFlag.DIRECTORY)[0] == ERRNO["INVAL"]
    assert program.open("file", OpenFlag.TRUNC)[0] == 0
    assert (directory / "file").read_bytes() == b""
    errno, fd = program.open("file", fdflags=int(FdFlag.APPEND))
    assert errno == 0
    assert program.write(fd, b"a") == 0
    assert program.call("fd_seek", fd, 0, 0, RESULT) == 0
    assert program.write(fd, b"b") == 0
    assert (directory / "file").read_bytes() == b"ab"


def test_access_follows_the_rights(program):
    errno, fd = program.open("file", rights=int(Right.FD_READ))
    assert errno == 0
    assert program.write(fd, b"x") == ERRNO["BADF"]
    assert program.call("fd_seek", fd, 1, 0, RESULT) == ERRNO["NOTCAPABLE"]
    errno, fd = program.open("file", rights=int(Right.FD_WRITE))
    assert errno == 0
    assert program.read(fd, 1)[0] == ERRNO["BADF"]


def test_rights_are_inherited_and_can_only_shrink(program):
    kept = int(Right.PATH_OPEN | Right.FD_READ | Right.FD_READDIR)
    read = int(Right.FD_READ)
    errno, sub = program.open("sub", OpenFlag.DIRECTORY, inheriting=read)
    assert errno == 0
    # More than the directory passes on is not to be had, neither for use nor to pass on.
    assert program.open("deep", directory=sub)[0] == ERRNO["NOTCAPABLE"]
    assert program.open("deep", directory=sub, rights=read)[0] == ERRNO["NOTCAPABLE"]
    errno, fd = program.open("deep", directory=sub, rights=read, inheriting=read)
    assert errno == 0
    assert program.read(fd, 10) == (0, b"deep")
    assert program.write(fd, b"x") == ERRNO["BADF"]
    assert (
        program.open("deep", directory=sub, rights=read, inheriting=0, fdflags=int(FdFlag.SYNC))[0]
        == (ERRNO["NOTCAPABLE"])
    )
    assert (
        program.open("deep", directory=sub, rights=read, inheriting=0, fdflags=int(FdFlag.DSYNC))[0]
        == (ERRNO["NOTCAPABLE"])
    )
    base = int(Right.PATH_OPEN | Right.FD_READDIR)
    assert program.call("fd_fdstat_set_rights", 3, base, kept) == 0
    assert program.call("fd_fdstat_set_rights", 3, ALL_RIGHTS, kept) == ERRNO["NOTCAPABLE"]
    assert program.open("new", OpenFlag.CREAT, rights=0, inheriting=0)[0] == ERRNO["NOTCAPABLE"]
    assert program.open("file", OpenFlag.TRUNC, rights=0, inheriting=0)[0] == ERRNO["NOTCAPABLE"]
    assert program.path_call("path_unlink_file", "file") == ERRNO["NOTCAPABLE"]
    assert program.open("file", rights=read, inheriting=0)[0] == 0


def fdstat(program, fd):
    assert program.call("fd_fdstat_get", fd, RESULT) == 0
    return FDSTAT.unpack(program.get(RESULT, FDSTAT.size))


def test_files_have_no_rights_for_paths(program):
    fd = program.open("file")[1]
    _, _, rights, inheriting = fdstat(program, fd)
    assert rights & Right.FD_READ
    assert not rights & Right.PATH_FILESTAT_GET
    assert inheriting == 0


def test_directories_cannot_be_read_and_written(program):
    both = int(Right.FD_READ | Right.FD_WRITE)
    assert program.open(".", OpenFlag.DIRECTORY, rights=both)[0] == ERRNO["ISDIR"]
    assert program.open(".", OpenFlag.DIRECTORY, rights=int(Right.FD_READ))[0] == 0
    assert program.open(".", OpenFlag.DIRECTORY, rights=0)[0] == 0


@pytest.mark.parametrize(
    ("flags", "host", "told"),
    [
        (FdFlag.APPEND, "O_APPEND", FdFlag.APPEND),
        (FdFlag.NONBLOCK, "O_NONBLOCK", FdFlag.NONBLOCK),
        (FdFlag.DSYNC, "O_DSYNC", FdFlag.DSYNC),
        (FdFlag.SYNC, "O_SYNC", FdFlag.SYNC | FdFlag.DSYNC | FdFlag.RSYNC),
        (FdFlag.DSYNC | FdFlag.SYNC, "O_SYNC", FdFlag.SYNC | FdFlag.DSYNC | FdFlag.RSYNC),
        (FdFlag.DSYNC | FdFlag.RSYNC | FdFlag.SYNC, "O_SYNC", FdFlag.SYNC | FdFlag.DSYNC | FdFlag.RSYNC),
    ],
)
def test_flags_of_the_system(program, flags, host, told):
    errno, fd = program.open("file", fdflags=int(flags))
    assert errno == 0
    if sys.platform != "win32":
        import fcntl

        mask = os.O_APPEND | os.O_NONBLOCK | os.O_SYNC
        assert fcntl.fcntl(program.process.table.get(fd, 0).host(), fcntl.F_GETFL) & mask == getattr(os, host)
    assert fdstat(program, fd)[1] == told
    # What was told can be set again: programs do that to change one of them.
    assert program.call("fd_fdstat_set_flags", fd, int(told)) == 0


def test_positions(program):
    fd = program.open("file")[1]
    for offset, whence, expected in ((2, 0, 2), (3, 1, 5), (-1, 2, 10), (0, 1, 10)):
        assert program.call("fd_seek", fd, offset, whence, RESULT) == 0
        assert program.u64() == expected
    assert program.call("fd_tell", fd, RESULT) == 0
    assert program.u64() == 10
    assert program.call("fd_seek", fd, -1, 0, RESULT) == ERRNO["INVAL"]
    assert program.call("fd_seek", fd, 0, 3, RESULT) == ERRNO["INVAL"]
    assert program.call("fd_seek", 3, 0, 0, RESULT) == ERRNO["BADF"]


def test_positioned_access_leaves_the_position_alone(program, directory):
    fd = program.open("file")[1]
    program.put(IOVECS, struct.pack("<II", DATA, 5))
    assert program.call("fd_pread", fd, IOVECS, 1, 6, RESULT) == 0
    assert program.get(DATA, program.u32()) == b"world"
    program.put(DATA, b"WORLD")
    assert program.call("fd_pwrite", fd, IOVECS, 1, 6, RESULT) == 0
    assert program.call("fd_pwrite", fd, IOVECS, 1, -6, RESULT) == ERRNO["INVAL"]
    assert program.read(fd, 100) == (0, b"hello WORLD")
    assert program.call("fd_pread", 0, IOVECS, 1, 0, RESULT) == ERRNO["SPIPE"]


def test_descriptors_are_closed_reused_and_renumbered(program):
    first, second = program.open("file")[1], program.open("sub/deep")[1]
    assert (first, second) == (4, 5)
    assert program.call("fd_close", first) == 0
    assert program.call("fd_close", first) == ERRNO["BADF"]
    assert program.read(first, 1)[0] == ERRNO["BADF"]
    assert program.open("file")[1] == first
    assert program.call("fd_renumber", second, first) == 0
    assert program.read(first, 10) == (0, b"deep")
    assert program.read(second, 10)[0] == ERRNO["BADF"]
    assert program.call("fd_renumber", first, 77) == ERRNO["BADF"]
    assert program.call("fd_renumber", first, first) == 0
    for name, arguments in (
        ("fd_sync", ()),
        ("fd_datasync", ()),
        ("fd_tell", (RESULT,)),
        ("fd_fdstat_get", (RESULT,)),
        ("fd_filestat_get", (RESULT,)),
        ("fd_prestat_get", (RESULT,)),
        ("fd_filestat_set_size", (0,)),
        ("fd_readdir", (DATA, 100, 0, RESULT)),
        ("sock_shutdown", (0,)),
    ):
        for number in (99, -1):
            assert program.call(name, number, *arguments) == ERRNO["BADF"], name


def test_metadata(program, directory):
    fd = program.open("file")[1]
    real = os.stat(directory / "file")
    assert program.call("fd_filestat_get", fd, RESULT) == 0
    values = FILESTAT.unpack(program.get(RESULT, FILESTAT.size))
    expected = (real.st_dev, real.st_ino, FileType.REGULAR_FILE, 1, 11, real.st_atime_ns, real.st_mtime_ns)
    assert values[:-1] == expected
    assert program.stat("file") == (0, values)
    assert program.stat("sub")[1][2] == FileType.DIRECTORY
    (directory / "link").symlink_to("file")
    assert program.stat("link")[1][2] == FileType.SYMBOLIC_LINK
    assert program.stat("link", follow=True)[1][2] == FileType.REGULAR_FILE
    assert program.stat("sub/.")[1][1] == os.stat(directory / "sub").st_ino
    assert program.call("fd_fdstat_get", fd, RESULT) == 0
    kind, flags, rights, _ = FDSTAT.unpack(program.get(RESULT, FDSTAT.size))
    assert (kind, flags) == (FileType.REGULAR_FILE, 0)
    assert rights & Right.FD_SEEK
    assert not rights & Right.PATH_OPEN


def test_flags_can_be_changed(program, directory):
    fd = program.open("file")[1]
    assert program.call("fd_fdstat_set_flags", fd, int(FdFlag.APPEND)) == 0
    assert program.write(fd, b"!") == 0
    assert (directory / "file").read_bytes() == b"hello world!"
    assert program.call("fd_fdstat_set_flags", fd, 0) == 0
    assert program.call("fd_fdstat_set_flags", fd, int(FdFlag.SYNC)) == ERRNO["NOTSUP"]


def test_size_and_times(program, directory):
    fd = program.open("file")[1]
    assert program.call("fd_filestat_set_size", fd, 5) == 0
    assert (directory / "file").read_bytes() == b"hello"
    assert program.call("fd_filestat_set_size", fd, -1) == ERRNO["INVAL"]
    assert program.call("fd_allocate", fd, 0, 100) == 0
    assert (directory / "file").stat().st_size == 100
    assert program.call("fd_filestat_set_times", fd, 7_000_000_000 + UNIT, 0, int(TimeFlag.ATIM)) == 0
    assert (directory / "file").stat().st_atime_ns == 7_000_000_000 + UNIT
    both = int(TimeFlag.ATIM | TimeFlag.MTIM)
    assert program.path_call("path_filestat_set_times", "file", 3 * UNIT, 4_000_000_000, both, before=(1,)) == 0
    status = (directory / "file").stat()
    assert (status.st_atime_ns, status.st_mtime_ns) == (3 * UNIT, 4_000_000_000)
    now = int(TimeFlag.MTIM_NOW)
    assert program.path_call("path_filestat_set_times", "file", 0, 0, now, before=(1,)) == 0
    assert (directory / "file").stat().st_mtime > 1e9
    contradiction = int(TimeFlag.MTIM | TimeFlag.MTIM_NOW)
    assert program.call("fd_filestat_set_times", fd, 0, 0, contradiction) == ERRNO["INVAL"]
    assert program.call("fd_advise", fd, 0, 10, 1) == 0
    assert program.call("fd_advise", fd, 0, 10, 6) == ERRNO["INVAL"]
    assert program.call("fd_sync", fd) == 0
    assert program.call("fd_datasync", fd) == 0


def entries(program, fd, room=4096):
    """All entries, read with a buffer of a given size."""
    found, cookie = [], 0
    while True:
        assert program.call("fd_readdir", fd, DATA, room, cookie, RESULT) == 0
        data = program.get(DATA, program.u32())
        at = 0
        while at + DIRENT.size <= len(data):
            after, inode, size, kind = DIRENT.unpack_from(data, at)
            if at + DIRENT.size + size > len(data):
                break
            found.append((data[at + DIRENT.size : at + DIRENT.size + size], inode, kind))
            cookie = after
            at += DIRENT.size + size
        if len(data) < room:
            return found


@pytest.mark.parametrize("room", [40, 64, 4096])
def test_listing(program, directory, room):
    (directory / "link").symlink_to("file")
    fd = program.open(".", OpenFlag.DIRECTORY)[1]
    found = entries(program, fd, room)
    assert sorted((name, kind) for name, _, kind in found) == [
        (b".", FileType.DIRECTORY),
        (b"..", FileType.DIRECTORY),
        (b"file", FileType.REGULAR_FILE),
        (b"link", FileType.SYMBOLIC_LINK),
        (b"sub", FileType.DIRECTORY),
    ]
    inodes = {name: inode for name, inode, _ in found}
    assert inodes[b"file"] == os.stat(directory / "file").st_ino
    # From the start again, with what has changed since.
    program.create("another", b"")
    assert b"another" in {name for name, _, _ in entries(program, fd, room)}


def test_a_preopen_hides_what_is_above(program, directory):
    inodes = {name: inode for name, inode, _ in entries(program, 3)}
    assert inodes[b".."] == inodes[b"."] == os.stat(directory).st_ino


def test_listing_from_a_cookie_beyond_the_end(program):
    for cookie in (1000, -1):
        assert program.call("fd_readdir", 3, DATA, 4096, cookie, RESULT) == 0
        assert program.u32() == 0
    fd = program.open("file")[1]
    assert program.call("fd_readdir", fd, DATA, 4096, 0, RESULT) == ERRNO["NOTDIR"]


def test_directories_are_made_and_removed(program, directory):
    assert program.path_call("path_create_directory", "new/") == 0
    assert program.path_call("path_create_directory", "new") == ERRNO["EXIST"]
    assert program.path_call("path_create_directory", "no/new") == ERRNO["NOENT"]
    assert program.path_call("path_remove_directory", "new/") == 0
    assert program.path_call("path_remove_directory", "sub") == ERRNO["NOTEMPTY"]
    assert program.path_call("path_remove_directory", "file") == ERRNO["NOTDIR"]
    assert program.path_call("path_unlink_file", "sub") == ERRNO["ISDIR"]
    assert program.path_call("path_unlink_file", "sub/") == ERRNO["ISDIR"]
    assert program.path_call("path_unlink_file", "file/") == ERRNO["NOTDIR"]
    assert program.path_call("path_unlink_file", "file") == 0
    assert sorted(os.listdir(directory)) == ["sub"]


def test_renaming_and_linking(program, directory):
    assert program.two_paths("path_rename", "file", "sub/file") == 0
    assert (directory / "sub" / "file").read_bytes() == b"hello world"
    assert program.two_paths("path_rename", "sub/file/", "file") == ERRNO["NOTDIR"]
    assert program.two_paths("path_rename", "sub/", "other/") == 0
    assert program.two_paths("path_link", "other/file", "hard", (0,)) == 0
    assert (directory / "hard").stat().st_nlink == 2
    assert program.two_paths("path_link", "other/file", "hard2/", (0,)) == ERRNO["NOENT"]
    assert program.call("path_symlink", *program.put(0, b"hard"), 3, *program.put(4096, b"soft")) == 0
    assert program.path_call("path_readlink", "soft", DATA, 100, RESULT) == 0
    assert program.get(DATA, program.u32()) == b"hard"
    assert program.path_call("path_readlink", "soft", DATA, 2, RESULT) == 0
    assert program.u32() == 2
    assert program.path_call("path_readlink", "hard", DATA, 100, RESULT) == ERRNO["INVAL"]
    # The link itself, or what it points to.
    assert program.two_paths("path_link", "soft", "soft2", (0,)) == 0
    assert (directory / "soft2").is_symlink()
    assert program.two_paths("path_link", "soft", "hard3", (1,)) == 0
    assert (directory / "hard").stat().st_nlink == 3


def test_preopens_have_names(start, directory):
    program = start(preopens={"/": str(directory), "/sub": str(directory / "sub")})
    for fd, name in ((3, b"/"), (4, b"/sub")):
        assert program.call("fd_prestat_get", fd, RESULT) == 0
        assert (program.u32(RESULT), program.u32(RESULT + 4)) == (0, len(name))
        assert program.call("fd_prestat_dir_name", fd, DATA, len(name)) == 0
        assert program.get(DATA, len(name)) == name
        assert program.call("fd_prestat_dir_name", fd, DATA, 0) == ERRNO["NAMETOOLONG"]
    for fd in (0, 5):
        assert program.call("fd_prestat_get", fd, RESULT) == ERRNO["BADF"]


def test_cookies_stay_good_while_the_directory_changes(program, directory):
    for number in range(20):
        (directory / f"n{number:02}").touch()
    fd = program.open(".", OpenFlag.DIRECTORY)[1]

    def listing(cookie):
        assert program.call("fd_readdir", fd, DATA, 8192, cookie, RESULT) == 0
        data, at, found = program.get(DATA, program.u32()), 0, []
        while at < len(data):
            after, _, size, _ = DIRENT.unpack_from(data, at)
            found.append((after, data[at + DIRENT.size : at + DIRENT.size + size]))
            at += DIRENT.size + size
        return found

    first = listing(0)
    middle, rest = first[10][0], [name for _, name in first[11:]]
    # A program that removes what it has seen goes on where it was.
    for _, name in first[2:11]:
        if name.startswith(b"n"):
            os.unlink(directory / os.fsdecode(name))
    (directory / "made").touch()
    assert [name for _, name in listing(middle)] == rest
    # Also when somebody has gone through the directory again from the start.
    again = listing(0)
    assert b"made" in [name for _, name in again]
    after = [name for _, name in listing(middle)]
    assert after == [*rest, b"made"]
    assert len({cookie for cookie, _ in again}) == len(again)
    # A name that comes back gets a new cookie: it is seen by whoever goes on.
    os.unlink(directory / "made")
    listing(0)
    (directory / "made").touch()
    listing(0)
    assert [name for _, name in listing(listing(0)[-2][0])] == [b"made"]


def test_times_that_are_left_alone_or_now(program, directory):
    path = directory / "file"
    fd = program.open("file")[1]
    os.utime(path, ns=(11 * UNIT, 22 * UNIT))
    assert program.call("fd_filestat_set_times", fd, 99, 99, 0) == 0
    assert (path.stat().st_atime_ns, path.stat().st_mtime_ns) == (11 * UNIT, 22 * UNIT)
    began = time.time_ns() - 20_000_000
    assert program.call("fd_filestat_set_times", fd, 0, 0, int(TimeFlag.ATIM_NOW)) == 0
    assert path.stat().st_atime_ns >= began
    assert path.stat().st_mtime_ns == 22 * UNIT
    late = 2**33 * 10**9 + 5 * UNIT
    assert program.call("fd_filestat_set_times", fd, 0, late, int(TimeFlag.MTIM)) == 0
    assert path.stat().st_mtime_ns == late
    for flags in (int(TimeFlag.ATIM | TimeFlag.ATIM_NOW), 16):
        assert program.call("fd_filestat_set_times", fd, 0, 0, flags) == ERRNO["INVAL"]
        assert program.path_call("path_filestat_set_times", "file", 0, 0, flags, before=(1,)) == ERRNO["INVAL"]
    assert (
        program.path_call("path_filestat_set_times", "no", 0, 0, int(TimeFlag.MTIM_NOW), before=(1,)) == ERRNO["NOENT"]
    )


def test_times_of_a_link_or_of_what_it_points_to(program, directory):
    (directory / "link").symlink_to("file")
    os.utime(directory / "file", ns=(1 * UNIT, 2 * UNIT))
    both = int(TimeFlag.ATIM | TimeFlag.MTIM)
    assert program.path_call("path_filestat_set_times", "link", 3 * UNIT, 4 * UNIT, both, before=(0,)) == 0
    assert os.lstat(directory / "link").st_mtime_ns == 4 * UNIT
    assert os.stat(directory / "file").st_mtime_ns == 2 * UNIT
    assert program.path_call("path_filestat_set_times", "link", 5 * UNIT, 6 * UNIT, both, before=(1,)) == 0
    assert os.stat(directory / "file").st_mtime_ns == 6 * UNIT
    assert os.lstat(directory / "link").st_mtime_ns == 4 * UNIT


@pytest.mark.parametrize("name", ["path_symlink", "path_link"])
def test_no_slash_behind_what_is_no_directory(program, directory, name):
    def make(new: bytes) -> int:
        where = program.put(4096, new)
        if name == "path_symlink":
            return program.call(name, *program.put(0, b"file"), 3, *where)
        return program.call(name, 3, 0, *program.put(0, b"file"), 3, *where)

    assert make(b"new/") == ERRNO["NOENT"]
    assert make(b"sub/") == ERRNO["EXIST"]
    assert make(b"sub") == ERRNO["EXIST"]
    assert make(b"file/") == ERRNO["NOTDIR"]
    assert make(b"file") == ERRNO["EXIST"]
    assert sorted(os.listdir(directory)) == ["file", "sub"]
    assert make(b"new") == 0


def test_dangling_links(program, directory):
    (directory / "dangling").symlink_to("nothing")
    assert program.open("dangling", OpenFlag.DIRECTORY, rights=0, follow=False)[0] in (ERRNO["NOTDIR"], ERRNO["LOOP"])
    assert program.open("dangling", rights=0, follow=False)[0] == ERRNO["LOOP"]
    assert program.open("dangling", rights=0)[0] == ERRNO["NOENT"]
    assert program.stat("dangling", follow=True)[0] == ERRNO["NOENT"]
    assert program.stat("dangling")[0] == 0
    assert program.two_paths("path_link", "dangling", "hard", (0,)) == 0
    assert program.two_paths("path_link", "dangling", "hard2", (1,)) == ERRNO["NOENT"]
    assert program.two_paths("path_link", "file", "dangling", (0,)) == ERRNO["EXIST"]
    assert program.path_call("path_create_directory", "dangling") == ERRNO["EXIST"]
    assert program.path_call("path_create_directory", "dangling/") == ERRNO["EXIST"]
    assert program.path_call("path_remove_directory", "dangling") == ERRNO["NOTDIR"]
    assert program.path_call("path_remove_directory", "dangling/") == ERRNO["NOTDIR"]
    assert program.path_call("path_readlink", "dangling", DATA, 100, RESULT) == 0
    assert program.two_paths("path_rename", "dangling", "other") == 0
    assert program.path_call("path_unlink_file", "other") == 0
    assert program.path_call("path_unlink_file", "hard") == 0


def test_renaming_what_cannot_be_renamed(program, directory):
    (directory / "empty").mkdir()
    assert program.two_paths("path_rename", "empty", "sub") == ERRNO["NOTEMPTY"]
    assert program.two_paths("path_rename", "empty", "file") == ERRNO["NOTDIR"]
    assert program.two_paths("path_rename", "file", "empty") == ERRNO["ISDIR"]
    assert program.two_paths("path_rename", "sub", "sub/deeper") == ERRNO["INVAL"]
    assert program.two_paths("path_rename", "nothing", "x") == ERRNO["NOENT"]
    assert program.two_paths("path_rename", ".", "x") != 0
    assert program.two_paths("path_rename", "sub", "empty") == 0
    assert (directory / "empty" / "deep").exists()


def test_allocating(program, directory):
    fd = program.open("file")[1]
    assert program.call("fd_allocate", fd, 0, 0) == ERRNO["INVAL"]
    assert program.call("fd_allocate", fd, -1, 5) == ERRNO["INVAL"]
    assert program.call("fd_allocate", 3, 0, 1) == ERRNO["BADF"]
    assert program.call("fd_filestat_set_size", 3, 0) == ERRNO["BADF"]
    assert program.call("fd_allocate", fd, 2, 5) == 0
    assert (directory / "file").read_bytes() == b"hello world"
    reader = program.open("file", rights=int(Right.FD_READ | Right.FD_ADVISE))[1]
    assert program.call("fd_allocate", reader, 0, 100) == ERRNO["NOTCAPABLE"]
    for advice in range(6):
        assert program.call("fd_advise", reader, 0, 0, advice) == 0
    assert program.call("fd_advise", reader, -1, 0, 0) == ERRNO["INVAL"]
    assert program.call("fd_advise", 3, 0, 0, 0) == ERRNO["BADF"]


def test_big_transfers_are_not_copied(program, directory):
    """What goes between memory and a file takes no Python memory."""
    size = 48 * 1024
    program.put(DATA, b"x" * size)
    program.put(IOVECS, struct.pack("<II", DATA, size) * 64)
    fd = program.open("big", OpenFlag.CREAT)[1]
    tracemalloc.start()
    try:
        assert program.call("fd_write", fd, IOVECS, 64, RESULT) == 0
        assert program.u32() == 64 * size
        assert program.call("fd_pwrite", fd, IOVECS, 64, 0, RESULT) == 0
        assert program.call("fd_seek", fd, 0, 0, RESULT) == 0
        assert program.call("fd_read", fd, IOVECS, 64, RESULT) == 0
        assert program.u32() == 64 * size
        assert program.call("fd_pread", fd, IOVECS, 64, 0, RESULT) == 0
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_using_a_thing_as_what_it_is_not(program):
    fd = program.open("file")[1]
    assert program.open("x", directory=fd)[0] == ERRNO["NOTDIR"]
    assert program.read(3, 1)[0] == ERRNO["BADF"]
    assert program.write(3, b"x") == ERRNO["BADF"]
    assert program.call("sock_recv", fd, 0, 0, 0, 0, 0) == ERRNO["NOTSOCK"]


def test_closing_closes_what_the_program_left_open(start, directory, is_open):
    program = start(preopens={"/": str(directory)})
    fd = program.open("file")[1]
    descriptor = program.process.table.get(fd, 0)
    assert isinstance(descriptor, HostDescriptor)
    host = descriptor.host()
    assert is_open(host)
    program.process.close()
    assert not is_open(host)
