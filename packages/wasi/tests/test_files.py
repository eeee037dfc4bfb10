"""Files and directories: opening, reading, writing, positions, metadata, listing."""

from __future__ import annotations

import os
import struct

import pytest

from wasm_wasi.abi import ALL_RIGHTS, DIRENT, ERRNO, FDSTAT, FILESTAT, FdFlag, FileType, OpenFlag, Right, TimeFlag
from wasm_wasi.descriptors import HostDescriptor

IOVECS, RESULT, DATA = 8192, 9000, 16384


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
    errno, sub = program.open("sub", OpenFlag.DIRECTORY, inheriting=int(Right.FD_READ))
    assert errno == 0
    errno, fd = program.open("deep", directory=sub)
    assert errno == 0
    assert program.read(fd, 10) == (0, b"deep")
    assert program.write(fd, b"x") == ERRNO["BADF"]
    base = int(Right.PATH_OPEN | Right.FD_READDIR)
    assert program.call("fd_fdstat_set_rights", 3, base, kept) == 0
    assert program.call("fd_fdstat_set_rights", 3, ALL_RIGHTS, kept) == ERRNO["NOTCAPABLE"]
    assert program.open("new", OpenFlag.CREAT)[0] == ERRNO["NOTCAPABLE"]
    assert program.open("file", OpenFlag.TRUNC)[0] == ERRNO["NOTCAPABLE"]
    assert program.path_call("path_unlink_file", "file") == ERRNO["NOTCAPABLE"]
    assert program.open("file", rights=int(Right.FD_READ))[0] == 0


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
    assert program.call("fd_filestat_set_times", fd, 7_000_000_001, 0, int(TimeFlag.ATIM)) == 0
    assert (directory / "file").stat().st_atime_ns == 7_000_000_001
    both = int(TimeFlag.ATIM | TimeFlag.MTIM)
    assert program.path_call("path_filestat_set_times", "file", 3, 4_000_000_000, both, before=(1,)) == 0
    status = (directory / "file").stat()
    assert (status.st_atime_ns, status.st_mtime_ns) == (3, 4_000_000_000)
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


def test_using_a_thing_as_what_it_is_not(program):
    fd = program.open("file")[1]
    assert program.open("x", directory=fd)[0] == ERRNO["NOTDIR"]
    assert program.read(3, 1)[0] == ERRNO["BADF"]
    assert program.write(3, b"x") == ERRNO["BADF"]
    assert program.call("sock_recv", fd, 0, 0, 0, 0, 0) == ERRNO["NOTSOCK"]


def test_closing_closes_what_the_program_left_open(start, directory):
    program = start(preopens={"/": str(directory)})
    fd = program.open("file")[1]
    descriptor = program.process.table.get(fd, 0)
    assert isinstance(descriptor, HostDescriptor)
    host = descriptor.host()
    os.fstat(host)
    program.process.close()
    with pytest.raises(OSError):
        os.fstat(host)
