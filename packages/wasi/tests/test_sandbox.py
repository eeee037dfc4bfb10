"""No path leads out of a preopened directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wasm_wasi.abi import ERRNO, OpenFlag, Right

OUT = [
    "..",
    "../secret",
    "sub/../../secret",
    "sub/../..",
    "./../inside/file",
    "/etc/passwd",
    "/",
    "//file",
    "out/secret",
    "out_file",
    "out_absolute/passwd",
    "absolute_file",
    "sub/up/../../secret",
    "chain",
    "out/inside/file",
]


@pytest.fixture
def links(directory: Path) -> None:
    (directory / "out").symlink_to("..")
    (directory / "out_file").symlink_to("../secret")
    (directory / "out_absolute").symlink_to("/etc")
    (directory / "absolute_file").symlink_to("/etc/passwd")
    (directory / "sub" / "up").symlink_to("..")
    (directory / "chain").symlink_to("sub/up/out_file")
    (directory / "in").symlink_to("sub/./../sub")
    (directory / "in_file").symlink_to("in/deep")
    (directory / "loop").symlink_to("loop")
    (directory / "dangling").symlink_to("sub/new")


@pytest.mark.usefixtures("links")
@pytest.mark.parametrize("path", OUT)
def test_escapes_are_refused(program, path):
    assert program.open(path)[0] == ERRNO["NOTCAPABLE"]
    assert program.open(path, rights=int(Right.FD_READ))[0] == ERRNO["NOTCAPABLE"]
    assert program.stat(path, follow=True)[0] == ERRNO["NOTCAPABLE"]


@pytest.mark.usefixtures("links")
@pytest.mark.parametrize("path", [p for p in OUT if p not in ("out_file", "absolute_file", "chain")])
def test_entries_outside_are_neither_made_nor_removed(program, directory, path):
    before = sorted(os.listdir(directory.parent))
    for name in ("path_create_directory", "path_remove_directory", "path_unlink_file"):
        assert program.path_call(name, path) == ERRNO["NOTCAPABLE"]
    for name, args in (("path_rename", ()), ("path_link", (0,))):
        assert program.two_paths(name, path, "new", args) == ERRNO["NOTCAPABLE"]
        assert program.two_paths(name, "file", path, args) == ERRNO["NOTCAPABLE"]
    assert sorted(os.listdir(directory.parent)) == before
    assert (directory.parent / "secret").read_text() == "secret"


@pytest.mark.usefixtures("links")
def test_a_link_as_the_last_component_is_an_entry_of_its_own(program, directory):
    assert program.path_call("path_unlink_file", "out_file") == 0
    assert not (directory / "out_file").is_symlink()
    assert (directory.parent / "secret").exists()
    assert program.open("absolute_file", rights=int(Right.FD_READ), follow=False)[0] == ERRNO["LOOP"]
    assert program.stat("absolute_file", follow=False)[0] == 0


@pytest.mark.usefixtures("links")
def test_a_slash_at_the_end_does_not_follow_a_link_out(program):
    for path in ("out/", "out/.", "out_absolute/", "out_absolute//"):
        assert program.open(path, OpenFlag.DIRECTORY, follow=False)[0] == ERRNO["NOTCAPABLE"]
        assert program.stat(path)[0] == ERRNO["NOTCAPABLE"]


@pytest.mark.usefixtures("links")
@pytest.mark.parametrize("path", ["in/deep", "in_file", "sub/../sub/deep", "./sub//deep", "sub/up/sub/deep"])
def test_links_and_dots_inside_work(program, path):
    errno, fd = program.open(path)
    assert errno == 0
    assert program.read(fd, 100) == (0, b"deep")


@pytest.mark.usefixtures("links")
def test_links_that_lead_nowhere(program, directory):
    assert program.open("loop")[0] == ERRNO["LOOP"]
    assert program.open("loop/x")[0] == ERRNO["LOOP"]
    assert program.open("dangling")[0] == ERRNO["NOENT"]
    assert program.open("dangling", OpenFlag.CREAT | OpenFlag.EXCL)[0] == ERRNO["EXIST"]
    assert program.open("dangling", OpenFlag.CREAT)[0] == 0
    assert (directory / "sub" / "new").exists()


def test_a_directory_moved_out_does_not_take_the_program_along(program, directory):
    (directory / "sub" / "inner").mkdir()
    errno, fd = program.open("sub", OpenFlag.DIRECTORY)
    assert errno == 0
    os.rename(directory / "sub", directory.parent / "moved")
    assert program.open("../secret", directory=fd)[0] == ERRNO["NOTCAPABLE"]
    assert program.open("inner/../../secret", directory=fd)[0] == ERRNO["NOTCAPABLE"]
    assert program.open("deep", directory=fd)[0] == 0


def test_links_made_by_the_program_do_not_lead_out(program):
    assert program.call("path_symlink", *program.put(0, b"/etc"), 3, *program.put(4096, b"l")) == ERRNO["NOTCAPABLE"]
    assert program.call("path_symlink", *program.put(0, b"../.."), 3, *program.put(4096, b"l")) == 0
    assert program.open("l/secret")[0] == ERRNO["NOTCAPABLE"]


@pytest.mark.parametrize(
    ("path", "error"),
    [
        (b"", "NOENT"),
        (b"fi\0le", "INVAL"),
        (b"\xff\xfe", "ILSEQ"),
        (b"x" * 4097, "NAMETOOLONG"),
        (b"x" * 300, "NAMETOOLONG"),
        (b"file/x", "NOTDIR"),
        (b"file/", "NOTDIR"),
        (b"file/..", "NOTDIR"),
        (b"nothing", "NOENT"),
        (b"nothing/..", "NOENT"),
    ],
)
def test_bad_paths(program, path, error):
    assert program.open(path)[0] == ERRNO[error]


def test_without_preopens_there_are_no_files(start):
    program = start()
    assert program.open("file")[0] == ERRNO["BADF"]
    assert program.open("file", directory=0)[0] == ERRNO["NOTDIR"]


def test_no_descriptor_leaks(program, opened):
    before = opened()
    for _ in range(3):
        for path in ("sub/../../secret", "sub/sub", "sub/deep/x", "nothing/x", "sub/../sub/nothing"):
            assert program.open(path)[0] != 0
            assert program.stat(path)[0] != 0
        errno, fd = program.open("sub/deep")
        assert errno == 0
        assert program.call("fd_close", fd) == 0
    assert opened() == before


def test_a_deep_path_runs_out_of_descriptors_cleanly(program):
    resource = pytest.importorskip("resource", reason="no limit of descriptors here")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 20, hard))
        parts = ["d"] * 100
        for depth in range(1, 15):
            assert program.path_call("path_create_directory", "/".join(parts[:depth])) == 0
        for depth in range(15, 40):
            errno = program.path_call("path_create_directory", "/".join(parts[:depth]))
            assert errno in (0, ERRNO["MFILE"])
        assert errno == ERRNO["MFILE"]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
