"""How paths are walked on Windows, against a kernel that is made up here: what it is asked for, and what comes of it.

So these tests run everywhere, with links and junctions that a test on Windows may not make.
"""

from __future__ import annotations

import errno
import importlib
import itertools
import os
import struct
import sys
import types
from collections.abc import Iterator

import pytest

pytest.importorskip("hypothesis", reason="hypothesis makes up the paths")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wasm_wasi import late
from wasm_wasi.abi import DIRECTORY_RIGHTS, ERRNO, OpenFlag, Right
from wasm_wasi.host.windows import reparse
from wasm_wasi.host.windows.errors import os_error
from wasm_wasi.host.windows.names import system_name

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the real kernel is here")

RESULT, DATA = 9000, 16384
_ROOM = "wasm_wasi.host.windows"


class Node:
    """A file, a directory, a symbolic link or a junction."""

    def __init__(self, number: int, kind: str, target: str = "", relative: bool = True) -> None:
        self.number = number
        self.kind = kind
        self.target = target
        self.relative = relative
        self.entries: dict[str, Node] = {}
        self.inside = False


class Kernel:
    """Directories and handles; the functions of `native` that places need, checked for what must not be asked."""

    def __init__(self) -> None:
        self.numbers = itertools.count(1)
        self.handles: dict[int, Node] = {}
        self.values = itertools.count(1000)
        #: Every name that was asked for.
        self.asked: set[str] = set()
        self.top = self.make("directory")
        outside = self.top.entries["OUTSIDE"] = self.make("directory")
        outside.entries["SECRET"] = self.make("file")
        self.root = self.top.entries["INSIDE"] = self.make("directory")
        sub = self.root.entries["SUB"] = self.make("directory")
        for folder in (self.root, sub):
            folder.entries["FILE"] = self.make("file")
        self.root.entries |= {
            "UP": self.make("link", "sub\\.."),
            "IN": self.make("link", "sub"),
            "IN_FILE": self.make("link", "in\\file"),
            "OUT": self.make("link", ".."),
            "OUT_FILE": self.make("link", "..\\outside\\secret"),
            "ROOTED": self.make("link", "\\outside\\secret"),
            "ABSOLUTE": self.make("link", "\\??\\C:\\outside", relative=False),
            "DRIVE": self.make("link", "C:"),
            "STREAM": self.make("link", "file:stream"),
            "LOOP": self.make("link", "loop"),
            "JUNCTION": self.make("junction"),
        }
        sub.entries["OUT"] = self.make("link", "..\\..\\outside")
        self.mark(self.root)

    def make(self, kind: str, target: str = "", relative: bool = True) -> Node:
        return Node(next(self.numbers), kind, target, relative)

    def mark(self, folder: Node) -> None:
        folder.inside = True
        for node in folder.entries.values():
            node.inside = True
            if node is not folder:
                self.mark(node)

    def handle(self, node: Node) -> int:
        value = next(self.values)
        self.handles[value] = node
        return value

    def module(self) -> types.ModuleType:
        """`native`."""
        kernel, native = self, types.ModuleType(f"{_ROOM}.native")

        class Handle:
            def __init__(self, value: int | None = None) -> None:
                self.value = value

            def close(self) -> None:
                if self.value is not None:
                    close(self.value)
                    self.value = None

            __del__ = close

        def close(value: int) -> None:
            del kernel.handles[value]

        def open_at(directory: int, name: str, access: int, how: int = 1, options: int = 0, share: int = 7) -> Handle:
            folder = kernel.handles[directory]
            # A link is never walked through, and what is asked for is one plain entry.
            kernel.asked.add(name)
            assert name == "" or system_name(name.encode()) == name
            if name == "":
                assert how == 1
                return Handle(kernel.handle(folder))
            if folder.kind != "directory":
                raise os_error(errno.ENOTDIR)
            node = folder.entries.get(name.upper())
            if node is not None and how == 2:
                raise os_error(errno.EEXIST)
            if node is None:
                if how == 1:
                    raise os_error(errno.ENOENT)
                node = folder.entries[name.upper()] = kernel.make("directory" if options & 1 else "file")
                node.inside = folder.inside
            assert node.inside
            return Handle(kernel.handle(node))

        def tag_of(value: int) -> tuple[int, int]:
            return {
                "file": (0x20, 0),
                "directory": (0x10, 0),
                "link": (0x410, reparse.SYMBOLIC_LINK),
                "junction": (0x410, 0xA0000003),
            }[kernel.handles[value].kind]

        def read_link(value: int) -> bytes:
            node = kernel.handles[value]
            if node.kind != "link":
                raise os_error(errno.EINVAL)
            name = node.target.encode("utf-16-le")
            header = (reparse.SYMBOLIC_LINK, 12 + len(name), 0, 0, len(name), 0, 0, node.relative)
            return reparse.link_target(struct.pack("<IHHHHHHI", *header) + name)

        def stat(value: int) -> tuple[int, ...]:
            return (1, kernel.handles[value].number, reparse.kind_of(*tag_of(value)), 1, 0, 0, 0, 0)

        def find(value: int) -> tuple[Node, str]:
            waiting, sought = [kernel.top], kernel.handles[value]
            while waiting:
                folder = waiting.pop()
                for name, node in folder.entries.items():
                    if node is sought:
                        return folder, name
                    waiting.append(node)
            raise os_error(errno.ENOENT)

        def remove(value: int) -> None:
            folder, name = find(value)
            if folder.entries[name].entries:
                raise os_error(errno.ENOTEMPTY)
            assert folder.inside
            del folder.entries[name]

        def rename(value: int, directory: int, name: str) -> None:
            folder, before = find(value)
            assert folder.inside and kernel.handles[directory].inside and system_name(name.encode()) == name
            kernel.handles[directory].entries[name.upper()] = folder.entries.pop(before)

        def link(value: int, directory: int, name: str) -> None:
            assert kernel.handles[directory].inside and system_name(name.encode()) == name
            if name.upper() in kernel.handles[directory].entries:
                raise os_error(errno.EEXIST)
            kernel.handles[directory].entries[name.upper()] = kernel.handles[value]

        functions = (close, open_at, tag_of, read_link, stat, remove, rename, link)
        native.__dict__.update({function.__name__: function for function in functions})
        native.__dict__.update(
            Handle=Handle,
            number_of=lambda value: kernel.handles[value].number,
            set_size=lambda value, size: None,
            set_times=lambda value, access, modification: None,
            path_of=lambda value: "inside",
            duplicate=lambda value: Handle(kernel.handle(kernel.handles[value])),
            entries=lambda value: [(node.number, name, 4) for name, node in kernel.handles[value].entries.items()],
            READ_DATA=1,
            WRITE_DATA=2,
            APPEND_DATA=4,
            WRITE_ATTRIBUTES=0x100,
            DELETE=0x10000,
            OPEN=1,
            CREATE=2,
            OPEN_OR_CREATE=3,
            DIRECTORY_ONLY=1,
            WRITE_THROUGH=2,
            SHARE_READ_WRITE=3,
            THE_END=-1,
        )
        return native


@pytest.fixture
def kernel(monkeypatch) -> Iterator[Kernel]:
    """A kernel that the modules of Windows ask. They are forgotten in the end."""
    made = Kernel()
    before = {name for name in sys.modules if name.startswith(f"{_ROOM}.")}
    monkeypatch.setitem(sys.modules, "msvcrt", types.ModuleType("msvcrt"))
    monkeypatch.setitem(sys.modules, f"{_ROOM}.native", made.module())
    monkeypatch.setattr(sys.modules[_ROOM], "native", sys.modules[f"{_ROOM}.native"], raising=False)
    yield made
    for name in [name for name in sys.modules if name.startswith(f"{_ROOM}.") and name not in before]:
        del sys.modules[name]
        late._whole.discard(name.removeprefix("wasm_wasi."))


@pytest.fixture
def windows(kernel, start):
    """A program that has `INSIDE` as descriptor 3."""
    files = importlib.import_module(f"{_ROOM}.files")
    program = start()
    assert program.process.table.add(files.HostDirectory(kernel.handle(kernel.root), b"/")) == 3
    return program


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("file", 0),
        ("FILE", 0),
        ("sub/file", 0),
        ("in/file", 0),
        ("in_file", 0),
        ("up/file", 0),
        ("sub/../in/../file", 0),
        ("..", ERRNO["NOTCAPABLE"]),
        ("../inside/file", ERRNO["NOTCAPABLE"]),
        ("/file", ERRNO["NOTCAPABLE"]),
        ("//server/share", ERRNO["NOTCAPABLE"]),
        ("out/outside", ERRNO["NOTCAPABLE"]),
        ("out_file", ERRNO["NOTCAPABLE"]),
        ("sub/out/secret", ERRNO["NOTCAPABLE"]),
        ("rooted", ERRNO["NOTCAPABLE"]),
        ("absolute/secret", ERRNO["NOTCAPABLE"]),
        ("junction/secret", ERRNO["NOTCAPABLE"]),
        ("junction/..", ERRNO["NOTCAPABLE"]),
        ("junction/", ERRNO["NOTCAPABLE"]),
        ("loop", ERRNO["LOOP"]),
        ("drive/x", ERRNO["INVAL"]),
        ("drive", ERRNO["INVAL"]),
        ("stream", ERRNO["INVAL"]),
        ("C:/outside", ERRNO["INVAL"]),
        ("C:", ERRNO["INVAL"]),
        ("..\\outside\\secret", ERRNO["INVAL"]),
        ("sub\\file", ERRNO["INVAL"]),
        ("file:stream", ERRNO["INVAL"]),
        ("file::$DATA", ERRNO["INVAL"]),
        ("sub::$INDEX_ALLOCATION/file", ERRNO["INVAL"]),
        ("NUL", ERRNO["INVAL"]),
        ("sub/com1.txt", ERRNO["INVAL"]),
        ("aux/x", ERRNO["INVAL"]),
        ("file.", ERRNO["INVAL"]),
        ("file ", ERRNO["INVAL"]),
        ("sub /file", ERRNO["INVAL"]),
        (".. /outside", ERRNO["INVAL"]),
        (".../x", ERRNO["INVAL"]),
        ("f*", ERRNO["INVAL"]),
        ("file/x", ERRNO["NOTDIR"]),
        ("nothing", ERRNO["NOENT"]),
    ],
)
def test_paths(windows, path, error):
    assert windows.stat(path, follow=True)[0] == error
    opened, fd = windows.open(path, rights=int(Right.FD_READ))
    assert opened == error
    if not error:
        assert windows.call("fd_close", fd) == 0


@pytest.mark.parametrize("name", ["C:", "x:y", "a\\b", "NUL", "con.txt", "end.", "end ", "a?", "a|b", "x\n"])
def test_nothing_is_made_by_such_names(windows, kernel, name):
    before = set(kernel.root.entries)
    for how in (OpenFlag.CREAT, OpenFlag.CREAT | OpenFlag.EXCL):
        assert windows.open(name, how)[0] == ERRNO["INVAL"]
    assert windows.path_call("path_create_directory", name) == ERRNO["INVAL"]
    assert windows.two_paths("path_rename", "file", name) == ERRNO["INVAL"]
    assert windows.two_paths("path_link", "file", name, (0,)) == ERRNO["INVAL"]
    assert windows.path_call("path_unlink_file", name) == ERRNO["INVAL"]
    assert windows.path_call("path_remove_directory", name) == ERRNO["INVAL"]
    assert set(kernel.root.entries) == before


def test_links_and_junctions_themselves(windows, kernel):
    # Not opened: a junction has no content, and a link is not to be followed.
    assert windows.open("in", follow=False)[0] == ERRNO["LOOP"]
    assert windows.open("junction", rights=0)[0] == ERRNO["NOTCAPABLE"]
    assert windows.open("junction", OpenFlag.TRUNC)[0] == ERRNO["NOTCAPABLE"]
    # But they are entries: renamed and removed like files, never like the directories that they may lead to.
    assert windows.path_call("path_remove_directory", "junction") == ERRNO["NOTDIR"]
    assert windows.path_call("path_remove_directory", "in") == ERRNO["NOTDIR"]
    assert windows.two_paths("path_rename", "junction", "moved") == 0
    assert windows.path_call("path_unlink_file", "moved") == 0
    assert windows.path_call("path_unlink_file", "out") == 0
    assert "SECRET" in kernel.top.entries["OUTSIDE"].entries


def test_the_directory_itself_stays(windows, kernel):
    # As an entry it is asked for without a name, and then it would be the preopened directory that goes.
    assert windows.path_call("path_remove_directory", ".") == ERRNO["INVAL"]
    assert windows.path_call("path_remove_directory", "sub/..") == ERRNO["INVAL"]
    assert windows.path_call("path_unlink_file", ".") == ERRNO["ISDIR"]
    assert windows.two_paths("path_rename", ".", "x") == ERRNO["BUSY"]
    assert windows.two_paths("path_rename", "sub", "sub/x") == ERRNO["INVAL"]
    assert windows.path_call("path_create_directory", ".") == ERRNO["EXIST"]
    assert windows.open(".", OpenFlag.CREAT)[0] == ERRNO["ISDIR"]


@pytest.mark.parametrize(
    ("target", "error"),
    [
        ("..", 0),
        ("../../x", 0),
        ("sub//./file", 0),
        ("sub/", 0),
        ("/outside", ERRNO["NOTCAPABLE"]),
        ("//server/share", ERRNO["NOTCAPABLE"]),
        ("\\outside", ERRNO["INVAL"]),
        ("\\\\server\\share", ERRNO["INVAL"]),
        ("\\??\\C:\\outside", ERRNO["INVAL"]),
        ("C:\\outside", ERRNO["INVAL"]),
        ("C:/outside", ERRNO["INVAL"]),
        ("C:outside", ERRNO["INVAL"]),
        ("..\\outside", ERRNO["INVAL"]),
        ("sub/\\file", ERRNO["INVAL"]),
        ("file:stream", ERRNO["INVAL"]),
        ("sub/con.txt", ERRNO["INVAL"]),
        ("sub./file", ERRNO["INVAL"]),
    ],
)
def test_links_that_are_made(windows, kernel, monkeypatch, target, error):
    """From outside, an absolute one would lead wherever the program likes, also to another machine."""
    made = []
    monkeypatch.setattr(os, "symlink", lambda *arguments: made.append(arguments))
    where = (*windows.put(0, target.encode()), 3, *windows.put(4096, b"new"))
    assert windows.call("path_symlink", *where) == error
    assert made == ([] if error else [(target.replace("/", "\\"), os.path.join("inside", "new"), target == "sub/")])


@pytest.mark.parametrize(
    ("target", "directory"), [("..", True), ("../", True), ("../sub", True), ("../file", False), ("../..", False)]
)
def test_links_to_directories_are_such(windows, monkeypatch, target, directory):
    """As far as can be seen from inside."""
    made = []
    monkeypatch.setattr(os, "symlink", lambda *arguments: made.append(arguments[2]))
    where = (*windows.put(0, target.encode()), 3, *windows.put(4096, b"sub/new"))
    assert windows.call("path_symlink", *where) == 0
    assert made == [directory]


NAMES = [
    *("file", "sub", "in", "in_file", "up", "out", "out_file", "rooted", "absolute", "drive", "stream", "loop"),
    *("junction", "..", ".", "", "new", "NEW", "C:", "c:", "file:x", "a\\b", "..\\..", "NUL", "nul.txt", "x.", "x "),
    *(
        "...",
        "*",
        "\\\\?\\C:\\x",
        "gr\u00fc\u00df",
        "x" * 255,
        "x" * 256,
        "sub::$INDEX_ALLOCATION",
        "outside",
        "secret",
    ),
]
paths = st.lists(st.one_of(st.sampled_from(NAMES), st.text(max_size=4)), min_size=1, max_size=6).map("/".join)
FUNCTIONS = [
    *("path_open", "path_open", "path_filestat_get", "path_create_directory", "path_remove_directory"),
    *("path_unlink_file", "path_rename", "path_link", "path_readlink", "path_filestat_set_times"),
]
cases = st.lists(st.tuples(st.sampled_from(FUNCTIONS), paths, paths, st.integers(0, 255)), min_size=1, max_size=6)


def test_whatever_is_asked_for_is_one_plain_entry_inside(kernel, windows):
    counts = {0: 0, ERRNO["NOTCAPABLE"]: 0, ERRNO["INVAL"]: 0}
    outside = kernel.top.entries["OUTSIDE"]
    open_before = set(kernel.handles)

    @settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(cases)
    def attack(calls):
        for name, path, other, bits in calls:
            one, two = path.encode(errors="surrogatepass")[:4000], other.encode(errors="surrogatepass")[:4000]
            where, there = windows.put(0, one), windows.put(4096, two)
            if name == "path_open":
                how, rights = (0, 1, 5, 8, 2, 2)[bits % 6], (0, 2, 66, DIRECTORY_RIGHTS)[bits >> 5 & 3]
                error = windows.call(name, 3, bits & 1, *where, how, rights, 0, 0, RESULT)
                if not error:
                    assert windows.call("fd_close", windows.u32()) == 0
            elif name == "path_filestat_get":
                error = windows.call(name, 3, bits & 1, *where, RESULT)
            elif name in ("path_rename", "path_link"):
                extra = (bits & 1,) if name == "path_link" else ()
                error = windows.call(name, 3, *extra, *where, 3, *there)
            elif name == "path_readlink":
                error = windows.call(name, 3, *where, DATA, 4096, RESULT)
            elif name == "path_filestat_set_times":
                error = windows.call(name, 3, bits & 1, *where, 5, 6, 5)
            else:
                error = windows.call(name, 3, *where)
            counts[error] = counts.get(error, 0) + 1
            # No handle is left open on the way.
            assert set(kernel.handles) == open_before
        assert list(outside.entries) == ["SECRET"] and set(kernel.top.entries) == {"OUTSIDE", "INSIDE"}

    attack()
    assert all(counts[error] for error in (0, ERRNO["NOTCAPABLE"], ERRNO["INVAL"])), counts
    assert not any(set(name) & set('\\:*?"<>|/') for name in kernel.asked)
