"""Whatever path a program makes up, and whatever happens to the links meanwhile: nothing outside is reached.

`WASMETAL_HOSTILE_PATHS` says how many cases to try of each kind; 150 if it is not set.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

pytest.importorskip("hypothesis", reason="hypothesis makes up the paths")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wasm_wasi.abi import DIRECTORY_RIGHTS, ERRNO, FILESTAT, OpenFlag, Right

CASES = int(os.environ.get("WASMETAL_HOSTILE_PATHS", "150"))
RESULT, DATA = 9000, 16384
READ_WRITE = int(Right.FD_READ | Right.FD_WRITE)
_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2)
_AT_FDCWD = -100

NAMES = [
    *(b".", b"..", b"", b"file", b"sub", b"deep", b"empty", b"secret", b"outside", b"inside", b"made", b"grow"),
    *(b"out", b"out_file", b"out_absolute", b"root", b"process", b"up", b"in", b"in_file", b"chain", b"loop"),
    *(b"dangling", b"dangling_out", b"swap", b"swap_file", b"exchange", b"proc", b"self", b"fd", b"cwd", b"3", b"4"),
    *(b"etc", b"passwd", b"tmp", "grüße".encode(), "e\u0301".encode(), "\u2215".encode(), "..\u2024".encode()),
    *(
        b"...",
        b"....",
        b". .",
        b".. ",
        b" ..",
        b"..\\..",
        b"a\\b",
        b"%2e%2e",
        b"\xff\xfe",
        b"..\xc0\xaf",
        b"\xed\xa0\x80",
    ),
    *(b"nul\0", b"\0", b"..\0", b"x" * 255, b"x" * 256, b"~", b"-", b"*", b"\n", b"\x7f", b"C:", b"//"),
    # What Windows gives a meaning of its own.
    *(
        b"C:\\",
        b"c:..",
        b"C:file",
        b"file:",
        b"file:stream",
        b"file::$DATA",
        b"sub::$INDEX_ALLOCATION",
        b"SUB",
        b"sub.",
        b"file ",
    ),
    *(
        b"\\\\?\\C:\\",
        b"\\\\server\\share",
        b"\\??\\C:",
        b"..\\outside\\secret",
        b"sub\\..\\..\\outside",
        b"NUL",
        b"con.txt",
    ),
    *(b"COM1", b"aux ", b"lpt9.tar.gz", b"CONIN$", b"OUTSID~1", b"outside.", b"..::$DATA", b".:", b"?", b"f<", b'f"'),
]
#: Names that mean something in most places.
REAL = [b"file", b"deep", b"secret", b"in_file", b"out_file", b"swap_file", b"sub", b"empty", b"dangling_out", b"grow"]
#: Ways to directories, inside and outside.
WAYS = [b"", b"", b"", b"sub/", b"in/", b"up/", b"sub/../", b"in/up/", b"empty/..//", b"./", b"sub/up/in/", b"swap/"]
WAYS_OUT = [
    b"out/",
    b"sub/out/",
    b"out_absolute/",
    b"root/tmp/",
    b"proc/self/cwd/",
    b"process/",
    b"../",
    b"/",
    b"chain/",
]
odd = st.text(max_size=6).map(lambda text: text.encode(errors="surrogatepass"))
ends = st.sampled_from([b"", b"", b"", b"", b"", b"", b"", b"/", b"//", b"/.", b"/..", b"/../..", b"\0"])
names = st.one_of(st.sampled_from(REAL), st.sampled_from(REAL), st.sampled_from(NAMES))
paths = st.one_of(
    # Plausible, and out in the end.
    st.tuples(st.sampled_from(WAYS), names, ends).map(b"".join),
    st.tuples(st.sampled_from(WAYS), st.sampled_from(WAYS_OUT), names, ends).map(b"".join),
    # Anything.
    st.lists(st.one_of(st.sampled_from(NAMES), odd), min_size=1, max_size=8).map(b"/".join),
    # Long.
    st.tuples(st.sampled_from(NAMES), st.integers(2, 3000)).map(lambda pair: (pair[0] + b"/") * pair[1]),
)


@attrs.frozen
class Case:
    """One call: a function, its paths, and the bits that it takes its flags from."""

    function: str
    path: bytes
    other: bytes
    bits: int


#: What `path_open` is told.
HOW = [
    *(0, 0, OpenFlag.CREAT, OpenFlag.TRUNC, OpenFlag.CREAT | OpenFlag.TRUNC, OpenFlag.CREAT | OpenFlag.EXCL),
    *(OpenFlag.DIRECTORY, OpenFlag.DIRECTORY | OpenFlag.EXCL),
]
FUNCTIONS = [
    *("path_open", "path_open", "path_filestat_get", "path_filestat_set_times", "path_create_directory"),
    *("path_remove_directory", "path_unlink_file", "path_rename", "path_link", "path_symlink", "path_readlink"),
]
cases = st.lists(st.builds(Case, st.sampled_from(FUNCTIONS), paths, paths, st.integers(0, 255)), min_size=1, max_size=3)


def make(top: Path) -> None:
    """What is inside of the directory that the program has; what is there already stays."""
    inside = top / "inside"
    for directory in ("sub", "empty", "exchange"):
        (inside / directory).mkdir(parents=True, exist_ok=True)
    for name in ("file", "deep", "secret", "grüße", "sub/file", "sub/deep", "sub/secret"):
        (inside / name).write_text("inside")
    links = {
        "out": "..",
        "out_file": "../outside/secret",
        "out_absolute": str(top / "outside"),
        "root": "/",
        "process": "/proc/self/root",
        "proc": "/proc",
        "up": "sub/..",
        "in": "sub",
        "in_file": "in/deep",
        "chain": "up/out/outside",
        "loop": "loop",
        "dangling": "sub/nothing",
        "dangling_out": "../outside/made",
        "sub/up": "..",
        "sub/out": "../../outside",
        "swap": "sub",
        "swap_file": "file",
        "link_for_exchange": "../outside",
    }
    for name, target in links.items():
        # (on Windows, who may not make links has none)
        with contextlib.suppress(FileExistsError if sys.platform != "win32" else OSError):
            os.symlink(target, inside / name)


def state(folder: Path) -> list[tuple[object, ...]]:
    """All that calls could have changed in a folder, and in the one above it."""
    found: list[tuple[object, ...]] = []
    for path in sorted([folder, *folder.rglob("*")]):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else sorted(os.listdir(path)) if path.is_dir() else b""
        found.append((str(path), status.st_ino, status.st_nlink, status.st_mtime_ns, status.st_mode, content))
    return [*found, (sorted(os.listdir(folder.parent)),)]


@pytest.fixture
def top(tmp_path: Path) -> Path:
    outside = tmp_path / "outside"
    (outside / "deeper").mkdir(parents=True)
    (outside / "secret").write_text("secret")
    (outside / "deep").write_text("secret")
    (outside / "deeper" / "deep").write_text("secret")
    make(tmp_path)
    return tmp_path


def real_path(host: int) -> str:
    """Where an open file is, by what the system says."""
    if sys.platform == "win32":
        from wasm_wasi.host.windows.native import path_of

        return path_of(host).removeprefix("\\\\?\\")
    return os.readlink(f"/proc/self/fd/{host}")


class Watch:
    """Makes calls, and knows what an escape looks like."""

    def __init__(self, top: Path, program) -> None:
        self._top = top
        self._program = program
        self._inside = os.path.realpath(top / "inside")
        known = [top, top.parent, Path("/"), Path("/etc"), Path("/proc"), Path("/tmp"), Path("/etc/passwd")]
        known += [top / "outside", *(top / "outside").rglob("*")]
        self._outside = {(status.st_dev, status.st_ino) for status in (path.stat() for path in known if path.exists())}
        self._before = state(top / "outside")
        #: How many calls succeeded, and how many were refused because they led out.
        self.counts = {"done": 0, "refused": 0}

    def run(self, case: Case) -> None:
        """Make one call and check what it gave."""
        program, bits = self._program, case.bits
        where = program.put(0, case.path[:8000])
        # 3 is the directory; 4 another one below it.
        directory = 3 + (bits >> 7)
        there = program.put(36864, case.other[:8000])
        name, follow = case.function, bits & 1
        if name == "path_open":
            how = HOW[bits >> 1 & 7]
            rights = (0, READ_WRITE, int(Right.FD_READ), DIRECTORY_RIGHTS)[bits >> 5 & 3]
            errno = program.call(name, directory, follow, *where, how, rights, 0, bits >> 6 & 1 and 4, RESULT)
            if errno == 0:
                self._check_opened(program.u32())
        elif name == "path_filestat_get":
            errno = program.call(name, directory, follow, *where, RESULT)
            if errno == 0:
                status = FILESTAT.unpack(program.get(RESULT, FILESTAT.size))
                assert (status[0], status[1]) not in self._outside, case
        elif name == "path_filestat_set_times":
            errno = program.call(name, directory, follow, *where, 5, 6, 5)
        elif name in ("path_create_directory", "path_remove_directory", "path_unlink_file"):
            errno = program.call(name, directory, *where)
        elif name == "path_rename":
            errno = program.call(name, directory, *where, 3, *there)
        elif name == "path_link":
            errno = program.call(name, directory, follow, *where, 3, *there)
        elif name == "path_symlink":
            errno = program.call(name, *there, directory, *where)
        else:
            errno = program.call(name, directory, *where, DATA, 4096, RESULT)
        self.counts["done"] += errno == 0
        self.counts["refused"] += errno == ERRNO["NOTCAPABLE"]

    def _check_opened(self, fd: int) -> None:
        descriptor = self._program.process.table.get(fd, 0)
        status = descriptor.stat()
        real = real_path(descriptor.host())
        assert real == self._inside or real.startswith(f"{self._inside}{os.sep}"), real
        assert status[:2] not in self._outside
        # Whatever it is, it may be used: that must not reach out either.
        self._program.call("fd_write", fd, 8192, 0, RESULT)
        self._program.call("fd_readdir", fd, DATA, 1000, 0, RESULT)
        assert self._program.call("fd_close", fd) == 0

    def check(self) -> None:
        """Nothing outside has changed."""
        assert state(self._top / "outside") == self._before


def watch(top: Path, start) -> Watch:
    program = start(preopens={"/": str(top / "inside")})
    assert program.open("sub", OpenFlag.DIRECTORY, rights=DIRECTORY_RIGHTS) == (0, 4)
    return Watch(top, program)


def test_nothing_escapes(top, start):
    watched = watch(top, start)

    @settings(max_examples=CASES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(cases)
    def attack(calls):
        # The directory of descriptor 4 may have been moved or removed: there is a new one then.
        if not (top / "inside" / "file").exists() or not (top / "inside" / "sub" / "deep").exists():
            for path in (top / "inside").iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
            make(top)
        for case in calls:
            watched.run(case)
        watched.check()

    attack()
    assert watched.counts["done"] > 0 < watched.counts["refused"]
    print(watched.counts)


#: Runs in a process of its own: a thread would swap as often as it is given a turn. A file says how often it did.
SWAP = """
import contextlib, ctypes, itertools, mmap, os, sys

inside, counter, parent = sys.argv[1], sys.argv[2], int(sys.argv[3])
libc = ctypes.CDLL(None)
exchange, link = (os.fsencode(os.path.join(inside, name)) for name in ("exchange", "link_for_exchange"))

def replace(name, target):
    with contextlib.suppress(OSError):
        os.symlink(target, inside + "/../new")
        os.rename(inside + "/../new", os.path.join(inside, name))

with open(counter, "r+b") as file, mmap.mmap(file.fileno(), 8) as count:
    for number in itertools.count(1):
        if os.getppid() != parent:
            break
        out = number % 2
        replace("swap", "../outside" if out else "sub")
        replace("swap_file", "../outside/secret" if out else "file")
        # A directory in one moment, a link in the next, with nothing between.
        libc.renameat2(AT_FDCWD, exchange, AT_FDCWD, link, EXCHANGE)
        count[:] = number.to_bytes(8, "little")
""".replace("AT_FDCWD", str(_AT_FDCWD)).replace("EXCHANGE", str(_EXCHANGE))


@pytest.fixture
def swaps(top: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], int]]:
    """Somebody swaps links and directories all the time: what led inside leads outside, and back again. How often?"""
    inside = top / "inside"
    counter = tmp_path_factory.mktemp("swaps") / "count"
    counter.write_bytes(bytes(8))

    def swaps() -> int:
        return int.from_bytes(counter.read_bytes(), "little")

    (inside / "exchange" / "deep").write_text("inside")
    (inside / "exchange" / "secret").write_text("inside")
    command = [sys.executable, "-c", SWAP, os.fspath(inside), os.fspath(counter), str(os.getpid())]
    with subprocess.Popen(command) as process:
        try:
            while not swaps():
                assert process.poll() is None
                time.sleep(0.01)
            yield swaps
            assert process.poll() is None
        finally:
            process.kill()


SWAPPED = [
    b"swap",
    b"exchange",
    b"sub/../swap",
    b"exchange/../swap",
    b"swap/../exchange",
    b"up/swap",
    b"in/up/exchange",
]
LAST = [b"", b"/secret", b"/deep", b"/made", b"/..", b"/../outside", b"/.", b"/deeper/deep", b"/", b"/../file"]
raced = st.one_of(
    st.tuples(st.sampled_from(SWAPPED), st.sampled_from(LAST)).map(b"".join),
    st.sampled_from([b"swap_file", b"exchange"]),
)
# Not what would end the game: nothing removes or moves what is swapped.
races = st.lists(
    st.builds(
        Case,
        st.sampled_from(["path_open"] * 4 + ["path_filestat_get", "path_filestat_set_times", "path_readlink"]),
        raced,
        st.just(b"made"),
        st.integers(0, 127),
    ),
    min_size=1,
    max_size=3,
)


@pytest.mark.skipif(sys.platform == "win32", reason="nothing exchanges links and directories on Windows")
def test_nothing_escapes_while_links_are_swapped(top, start, swaps):
    watched = watch(top, start)
    outside = (top / "outside").lstat()

    @settings(max_examples=CASES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(races)
    def attack(calls):
        for case in calls:
            watched.run(case)

    started, enough = time.monotonic(), swaps() + 10
    attack()
    # Where the process that swaps gets few turns, this goes on until it had some.
    while swaps() < enough and time.monotonic() < started + 60:
        attack()
    # The folder above has links come and go, so this looks at the contents only.
    for name in ("secret", "deep", "deeper/deep"):
        assert (top / "outside" / name).read_text() == "secret"
        assert (top / "outside" / name).stat().st_mtime_ns > 10**18
    assert sorted(os.listdir(top / "outside")) == ["deep", "deeper", "secret"]
    assert (top / "outside").lstat().st_mtime_ns == outside.st_mtime_ns
    assert watched.counts["done"] > 0 < watched.counts["refused"]
    assert swaps() >= enough
    print(watched.counts, f"{swaps()} swaps")
