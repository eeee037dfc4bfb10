"""Directories that a program may read and not change."""

from __future__ import annotations

import os
import re
import sys

import pytest

import wasm_wasi
from wasm_wasi.abi import ALL_RIGHTS, ERRNO, FileType, OpenFlag, Right

READ = int(Right.FD_READ | Right.FD_SEEK | Right.FD_READDIR)
RESULT = 9000


@pytest.fixture
def reader(start, directory):
    if sys.platform == "win32":
        # (it has no FIFOs, and may not have links)
        (directory / "link").touch()
        (directory / "fifo").touch()
    else:
        (directory / "link").symlink_to("file")
        os.mkfifo(directory / "fifo")
    return start(preopens={"/": wasm_wasi.Directory(directory, read_only=True)})


def tree(directory):
    return {
        str(path.relative_to(directory)): (path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in directory.rglob("*")
    }


def test_reading_works_as_everywhere(reader):
    errno, fd = reader.open("file", rights=READ)
    assert errno == 0
    assert reader.read(fd, 5) == (0, b"hello")
    assert reader.stat("sub")[1][2] == FileType.DIRECTORY
    assert reader.open("sub", OpenFlag.DIRECTORY)[0] == 0
    # A file that is there needs not be made.
    assert reader.open("file", OpenFlag.CREAT, rights=READ)[0] == 0
    assert reader.open("nothing", rights=READ)[0] == ERRNO["NOENT"]
    assert reader.open("../secret", rights=READ)[0] == ERRNO["NOTCAPABLE"]


@pytest.mark.parametrize("base", ["", "sub/../"])
def test_nothing_is_changed(reader, directory, base):
    before = tree(directory)
    assert reader.open(base + "file", rights=ALL_RIGHTS)[0] == ERRNO["ROFS"]
    for right in (Right.FD_WRITE, Right.FD_ALLOCATE, Right.FD_FILESTAT_SET_SIZE):
        for path in ("file", "link", "fifo"):
            assert reader.open(base + path, rights=int(right))[0] == ERRNO["ROFS"]
    assert reader.open(base + "file", OpenFlag.TRUNC, rights=READ)[0] == ERRNO["ROFS"]
    assert reader.open(base + "new", OpenFlag.CREAT, rights=READ)[0] == ERRNO["ROFS"]
    assert reader.open(base + "file", OpenFlag.CREAT | OpenFlag.EXCL, rights=READ)[0] == ERRNO["EXIST"]
    for name, path in (
        ("path_create_directory", "new"),
        ("path_remove_directory", "sub"),
        ("path_unlink_file", "file"),
    ):
        assert reader.path_call(name, base + path) == ERRNO["ROFS"]
    # `mkdir -p` wants to know.
    for path in ("sub", "sub/", "file", "."):
        assert reader.path_call("path_create_directory", base + path) == ERRNO["EXIST"]
    assert reader.two_paths("path_rename", base + "file", base + "new") == ERRNO["ROFS"]
    assert reader.two_paths("path_link", base + "file", base + "new", (0,)) == ERRNO["ROFS"]
    assert reader.path_call("path_filestat_set_times", base + "file", 0, 0, 5, before=(0,)) == ERRNO["ROFS"]
    assert reader.call("path_symlink", *reader.put(0, b"x"), 3, *reader.put(4096, b"new")) == ERRNO["ROFS"]
    assert tree(directory) == before


def test_what_is_opened_there_cannot_change_anything_either(reader, directory):
    before = tree(directory)
    fd = reader.open("file", rights=int(ALL_RIGHTS & ~(Right.FD_WRITE | Right.FD_ALLOCATE | 1 << 22)))[1]
    assert reader.read(fd, 1) == (0, b"h")
    assert reader.write(fd, b"x") == ERRNO["BADF"]
    assert reader.call("fd_filestat_set_times", fd, 0, 0, 5) == ERRNO["NOTCAPABLE"]
    assert reader.call("fd_filestat_set_size", fd, 0) == ERRNO["NOTCAPABLE"]
    assert reader.call("fd_allocate", fd, 0, 100) == ERRNO["NOTCAPABLE"]
    assert reader.call("fd_filestat_set_times", 3, 0, 0, 5) == ERRNO["NOTCAPABLE"]
    errno, sub = reader.open("sub", OpenFlag.DIRECTORY)
    assert errno == 0
    assert reader.open("deep", directory=sub)[0] == ERRNO["ROFS"]
    assert reader.open("new", OpenFlag.CREAT, rights=READ, directory=sub)[0] == ERRNO["ROFS"]
    assert reader.open("..", OpenFlag.DIRECTORY, directory=sub)[0] == ERRNO["NOTCAPABLE"]
    assert tree(directory) == before


def test_no_other_directory_leads_to_its_files(start, directory, tmp_path):
    # A second name in a directory that can be written would make the file one that can be written.
    (tmp_path / "out").mkdir()
    program = start(preopens={"/in": wasm_wasi.Directory(directory, read_only=True), "/out": str(tmp_path / "out")})
    old, new = program.put(0, b"file"), program.put(4096, b"mine")
    assert program.call("path_link", 3, 0, *old, 4, *new) == ERRNO["ROFS"]
    assert program.call("path_rename", 3, *old, 4, *new) == ERRNO["ROFS"]
    assert program.open("mine", OpenFlag.CREAT, directory=4)[0] == 0
    assert program.call("path_rename", 4, *new, 3, *new) == ERRNO["ROFS"]


def test_a_directory_with_conditions(directory, monkeypatch):
    monkeypatch.chdir(directory)
    given = wasm_wasi.Directory("sub", read_only=True)
    assert given.path == str(directory / "sub")
    # Taken for a path it would lose its conditions.
    with pytest.raises(TypeError):
        os.fspath(given)  # type: ignore[call-overload]
    assert repr(given) == f"Directory({given.path!r}, read_only=True)"
    assert f"/data ({given.path}, read-only)" in repr(wasm_wasi.Wasi(preopens={"/data": given}))
    assert "read-only" not in str(wasm_wasi.Directory("sub"))
    with pytest.raises(FileNotFoundError):
        wasm_wasi.Directory("nothing")
    with pytest.raises(NotADirectoryError):
        wasm_wasi.Directory("file")


def test_what_can_be_no_directory():
    with pytest.raises(TypeError, match=re.escape("a preopen is a path")):
        wasm_wasi.Wasi(preopens={"/": 5})  # type: ignore[dict-item]
