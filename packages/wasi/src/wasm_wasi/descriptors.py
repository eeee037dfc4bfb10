"""What a file descriptor of the program stands for: an open file, a directory, a Python file object, or nothing."""

from __future__ import annotations

from _thread import RLock, get_ident
from collections.abc import Callable, Iterator
from contextlib import suppress

from wasm_wasi.abi import (
    AGAIN,
    ALL_RIGHTS,
    BADF,
    DIRECTORY_RIGHTS,
    DIRENT,
    FILE_RIGHTS,
    INVAL,
    MFILE,
    NOMEM,
    NOTCAPABLE,
    NOTDIR,
    NOTSUP,
    READ_WRITE,
    SPIPE,
    STREAM_RIGHTS,
    FileType,
    Right,
)
from wasm_wasi.errors import WasiError
from wasm_wasi.guest_memory import MASK64, STEP
from wasmetal import interruption

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, Protocol

    from wasm_wasi.paths import Place
else:
    from wasm_core.lazy_typing import Protocol

_SEEK_TELL: Final = Right.FD_SEEK | Right.FD_TELL
_FILE_ONLY: Final = FILE_RIGHTS & ~DIRECTORY_RIGHTS
_DIRECTORY_ONLY: Final = DIRECTORY_RIGHTS & ~FILE_RIGHTS

#: Rights that change a file or a directory itself: what is opened in a read-only directory has none of them. (Paths
#: are refused one by one, as a file system that is read-only does it, because C libraries and Rust's ask for
#: more rights than they use.)
READ_ONLY_MISSING: Final = Right.FD_WRITE | Right.FD_ALLOCATE | Right.FD_FILESTAT_SET_SIZE | Right.FD_FILESTAT_SET_TIMES

# Most bytes that go to or come from a Python file object at once: they are copied, by us or by it.
_READ_LIMIT: Final = 1 << 20
_COPY_LIMIT: Final = 1 << 24

#: Most descriptors that a program can have beside those that it was given, if the system lets the process have four
#: times as many: a path has its own on the way, and the host needs some.
MAX_DESCRIPTORS: Final = 4096
#: Most entries of directories that are remembered for a program, in all its directories together.
MAX_ENTRIES: Final = 1 << 20
# Entries that are listed between two checks for interruptions.
_CHECKED: Final = 1024
# Bytes of a directory's entries that are put together before they go to the program.
_ENTRIES_AT_ONCE: Final = 1 << 16

#: The values of `abi.FILESTAT`.
FileStat = tuple[int, int, int, int, int, int, int, int]


class Descriptor:
    """Base: a thing that can do nothing. Operations are called only when `rights` allow them."""

    __slots__ = ("inheriting", "rights", "type")

    def __init__(self, type: int, rights: int, inheriting: int = 0) -> None:
        self.type = type
        self.rights = rights
        #: The most rights that files opened through this one can have.
        self.inheriting = inheriting

    def refusal(self, right: int) -> int:
        """The error number for an operation that needs `right` where it is missing."""
        if right & _DIRECTORY_ONLY:
            return NOTDIR
        if right & READ_WRITE:
            return BADF
        if right & _SEEK_TELL and self.type != FileType.REGULAR_FILE:
            return SPIPE
        return NOTCAPABLE

    def read(self, buffers: list[memoryview]) -> int:
        """Read what there is into the buffers; how much that was, 0 at the end."""
        raise WasiError(BADF)

    def write(self, buffers: list[memoryview]) -> int:
        """Write the buffers, or a part; how much that was."""
        raise WasiError(BADF)

    def seek(self, offset: int, whence: int) -> int:
        """Move the position (`os.SEEK_SET`, ...); the new one."""
        raise WasiError(SPIPE)

    def stat(self) -> FileStat:
        return (0, 0, self.type, 1, 0, 0, 0, 0)

    def flags(self) -> int:
        """The `fdflags`."""
        return 0

    def waitable(self) -> bool:
        """Whether this is something that the system can wait for; else it is always ready."""
        return False

    def blocks(self) -> bool:
        """Whether reading and writing wait, for what is waitable."""
        return True

    def host(self) -> int:
        """The descriptor of the system behind this.

        Raises:
            WasiError: There is none (EINVAL, as the system says for what cannot be synchronized or sized).
        """
        raise WasiError(INVAL)

    def pread(self, buffers: list[memoryview], offset: int) -> int:
        """`read` from a position, leaving the file's own where it is."""
        raise WasiError(BADF)

    def pwrite(self, buffers: list[memoryview], offset: int) -> int:
        """`write` to a position, leaving the file's own where it is."""
        raise WasiError(BADF)

    def set_flags(self, flags: int) -> None:
        """Change the flags.

        Raises:
            WasiError: One of them is fixed once a file is open (ENOTSUP).
        """
        raise WasiError(NOTSUP)

    def advise(self, offset: int, size: int, advice: int) -> None:
        """Hear how the program will use a part of the file."""
        raise WasiError(INVAL)

    def allocate(self, offset: int, size: int) -> None:
        """Have space for a part of the file, which grows if need be.

        Raises:
            WasiError: There is none (ENOSPC); the size is as it was then.
        """
        raise WasiError(INVAL)

    def sync(self, data_only: bool) -> None:
        """Wait until what was written is kept."""
        raise WasiError(INVAL)

    def set_size(self, size: int) -> None:
        """Cut the file off, or let it grow by zeros."""
        raise WasiError(INVAL)

    def set_times(self, access: int, modification: int, flags: int) -> None:
        """Set the times, in nanoseconds; the `fstflags` say which."""
        raise WasiError(INVAL)

    def close(self) -> None:
        """Give back what this holds."""


class NullStream(Descriptor):
    """Always at its end for the reader; takes everything from the writer."""

    __slots__ = ()

    def read(self, buffers: list[memoryview]) -> int:
        return 0

    def write(self, buffers: list[memoryview]) -> int:
        return sum(map(len, buffers))


class ClosedStream(Descriptor):
    """A stream that is not there. It keeps its number, so that no file of the program comes to be its stdout."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(FileType.UNKNOWN, 0)

    def refusal(self, right: int) -> int:
        return BADF


def limited(buffers: list[memoryview], limit: int) -> Iterator[memoryview]:
    """The first `limit` bytes of the buffers."""
    for buffer in buffers:
        yield buffer[:limit]
        limit -= len(buffer)
        if limit <= 0:
            return


def one_step(buffers: list[memoryview]) -> list[memoryview]:
    """The part of the buffers that is quick to move."""
    if len(buffers) == 1 and len(buffers[0]) <= STEP:
        return buffers
    return list(limited(buffers, STEP))


def behind(buffers: list[memoryview], count: int) -> list[memoryview]:
    """What is left of buffers behind their first `count` bytes."""
    if not count:
        return buffers
    left = []
    for buffer in buffers:
        if count < len(buffer):
            left.append(buffer[count:])
        count = max(0, count - len(buffer))
    return left


def in_steps(move: Callable[[list[memoryview], int], int], buffers: list[memoryview]) -> int:
    """Call `move` for parts of the buffers that are quick to move, with the offset of each, until one comes short."""
    if sum(map(len, buffers)) <= STEP:
        return move(buffers, 0) if buffers else 0
    total = 0
    while buffers:
        interruption.check()
        part = one_step(buffers)
        try:
            moved = move(part, total)
        except OSError:
            # What was moved before must be told; the error comes again.
            if not total:
                raise
            break
        total += moved
        if moved < sum(map(len, part)):
            break
        buffers = behind(buffers, moved)
    return total


class BinaryFile(Protocol):
    """What is asked of a Python file object: for stdin `read`, for stdout and stderr `write`."""

    def read(self, size: int, /) -> bytes | None: ...

    def write(self, data: bytes, /) -> int | None: ...


class ObjectStream(Descriptor):
    """A Python file object. Its own buffer is flushed after each write, so what the program wrote is out."""

    __slots__ = ("_file", "_flush", "_read", "_read_into")

    def __init__(self, file: BinaryFile, right: int) -> None:
        self._file = file
        self._flush = getattr(file, "flush", None)
        # read1 returns what is there instead of waiting for all that was asked for.
        self._read = getattr(file, "read1", None) or getattr(file, "read", None)
        self._read_into = getattr(file, "readinto1", None) or getattr(file, "readinto", None)
        rights = STREAM_RIGHTS & ~(READ_WRITE | Right.FD_FDSTAT_SET_FLAGS) | right
        # A position far behind the end, and one byte written there, would fill the memory of the host.
        if right == Right.FD_READ and self._has("seekable"):
            rights |= _SEEK_TELL
        terminal = self._has("isatty")
        super().__init__(FileType.CHARACTER_DEVICE if terminal else FileType.UNKNOWN, rights)

    def _has(self, question: str) -> bool:
        ask = getattr(self._file, question, None)
        return bool(ask and ask())

    def _check_open(self) -> None:
        if getattr(self._file, "closed", False):
            raise WasiError(BADF)

    def read(self, buffers: list[memoryview]) -> int:
        self._check_open()
        size = sum(map(len, buffers))
        if not size:
            return 0
        if self._read_into and len(buffers) == 1:
            count: int | None = self._read_into(buffers[0][:_COPY_LIMIT])
            if count is None:
                raise WasiError(AGAIN)
            return count
        data = self._read(min(size, _READ_LIMIT)) if self._read else b""
        if data is None:
            raise WasiError(AGAIN)
        at = 0
        for buffer in buffers:
            part = data[at : at + len(buffer)]
            buffer[: len(part)] = part
            at += len(part)
        return at

    def write(self, buffers: list[memoryview]) -> int:
        self._check_open()
        # A copy: the file may keep what it is given, and the program will use its buffers again.
        data = b"".join(limited(buffers, _COPY_LIMIT))
        written = self._file.write(data)
        if self._flush:
            self._flush()
        # Objects that merely look like files often return nothing.
        return len(data) if written is None else written

    def seek(self, offset: int, whence: int) -> int:
        self._check_open()
        try:
            position: int = self._file.seek(offset, whence)  # type: ignore[attr-defined]
        except (ValueError, OverflowError):
            raise WasiError(INVAL) from None
        return position


class Owned:
    """Base: something that the system knows by a number. It is closed with this object at the latest."""

    __slots__ = ()

    #: Closes such a number.
    _give_back: Callable[[int], None]
    #: -1 when this has none: not yet, or no more.
    fd: int

    def host(self) -> int:
        return self.fd

    def close(self) -> None:
        if self.fd >= 0:
            fd = self.fd
            # (the slot is that of the subclasses: two bases that have some cannot be joined)
            self.fd = -1  # type: ignore[misc]
            self._give_back(fd)

    def __del__(self) -> None:
        # (there is none when `__init__` has failed)
        if getattr(self, "fd", -1) >= 0:
            self.close()


class Listings:
    """How many entries of directories are remembered for a program."""

    __slots__ = ("_lock", "left")

    def __init__(self) -> None:
        self._lock = RLock()
        self.left = MAX_ENTRIES

    def remember(self, directory: Directory, count: int) -> None:
        """Let a directory remember `count` entries from now on.

        Raises:
            WasiError: They are too many (ENOMEM).
        """
        with self._lock:
            more = count - directory.remembered
            if more > self.left:
                raise WasiError(NOMEM)
            self.left -= more
            directory.remembered = count


class Directory(Descriptor):
    """Base: a directory, of the host or a virtual one.

    Args:
        preopen: The name under which the program got it, None if it opened the directory itself.
        rights: What may be done with it.
        inheriting: The most rights of what is opened through it.
        above: Inode of the directory that `..` is for the program; None for the directory itself.
        read_only: Nothing can be changed through it, nor through what is opened from it.
    """

    __slots__ = ("_cookies", "_entries", "_last_cookie", "_listings", "above", "preopen", "read_only", "remembered")

    def __init__(
        self,
        preopen: bytes | None,
        rights: int = DIRECTORY_RIGHTS,
        inheriting: int = ALL_RIGHTS,
        above: int | None = None,
        read_only: bool = False,
    ) -> None:
        super().__init__(FileType.DIRECTORY, rights & ~READ_ONLY_MISSING if read_only else rights, inheriting)
        self.preopen = preopen
        self.above = above
        self.read_only = read_only
        self._listings: Listings | None = None
        #: How many entries.
        self.remembered = 0
        # Cookie, inode, name, type; in the order of the cookies.
        self._entries: list[tuple[int, int, bytes, int]] = []
        self._cookies: dict[bytes, int] = {}
        self._last_cookie = 0

    def place(self, path: bytes, last: int) -> Place:
        """Where a path from here leads; `last` as for `paths.Place`."""
        raise NotImplementedError

    def inode(self) -> int:
        """Its own number."""
        raise NotImplementedError

    def scan(self) -> Iterator[tuple[int, bytes, int]]:
        """Inode, name and type of each entry, without `.` and `..`."""
        raise NotImplementedError

    def advise(self, offset: int, size: int, advice: int) -> None:
        raise WasiError(BADF)

    def refusal(self, right: int) -> int:
        return BADF if right & _FILE_ONLY else NOTCAPABLE

    def read_entries(self, cookie: int, buffer: memoryview, listings: Listings) -> int:
        """Write entries from `cookie` on in the layout that `fd_readdir` gives them; how many bytes.

        The list is taken when the cookie is 0. A name keeps its cookie for as long as it is there, so cookies stay good
        whatever is made, removed or listed again meanwhile.

        Raises:
            WasiError: There are more entries than `listings` lets us remember (ENOMEM).
        """
        if cookie == 0 or not self._entries:
            self._list(listings)
        from bisect import bisect_right

        data = bytearray()
        done, room = 0, len(buffer)
        # Other threads may list it at the same time.
        entries = self._entries
        for at in range(bisect_right(entries, cookie, key=_cookie), len(entries)):
            if done + len(data) >= room:
                break
            after, inode, name, kind = entries[at]
            data += DIRENT.pack(after, inode & MASK64, len(name), kind)
            data += name
            if len(data) >= _ENTRIES_AT_ONCE:
                interruption.check()
                done += _put(buffer[done:], data)
                data.clear()
        return done + _put(buffer[done:], data)

    def _list(self, listings: Listings) -> None:
        own = self.inode()
        # What stands above a preopened directory is none of the program's business.
        above = own if self.above is None else self.above
        found = [(own, b".", FileType.DIRECTORY), (above, b"..", FileType.DIRECTORY)]
        for entry in self.scan():
            found.append(entry)
            if len(found) % _CHECKED == 0:
                interruption.check()
                if len(found) - self.remembered > listings.left:
                    raise WasiError(NOMEM)
        self._listings = listings
        listings.remember(self, len(found))
        before, last = self._cookies, self._last_cookie
        cookies: dict[bytes, int] = {}
        listed = []
        for inode, name, kind in found:
            cookie = before.get(name)
            if cookie is None:
                cookie = last = last + 1
            cookies[name] = cookie
            listed.append((cookie, inode, name, kind))
        listed.sort(key=_cookie)
        self._cookies, self._last_cookie, self._entries = cookies, last, listed

    def close(self) -> None:
        super().close()
        if self._listings is not None:
            self._listings.remember(self, 0)


def _put(buffer: memoryview, data: bytearray) -> int:
    """As much of `data` as there is room for; how much that is."""
    size = min(len(buffer), len(data))
    buffer[:size] = data[:size]
    return size


def _cookie(entry: tuple[int, int, bytes, int]) -> int:
    return entry[0]


class DescriptorTable:
    """The program's descriptors by number; a new one gets the lowest number that is free.

    Instances of one process may run in several threads. What one thread closes while a call of another one uses it is
    taken out of the table at once, but stays open on the host until that call has ended: else the host could give its
    number to something else, which the call would read or write.
    """

    __slots__ = ("_free", "_limit", "_lock", "_table", "closing", "listings", "used")

    def __init__(self) -> None:
        self._table: dict[int, Descriptor] = {}
        # None while the embedder enters what he gives.
        self._limit: int | None = None
        self.listings = Listings()
        # Signal handlers and finalizers may call while their own thread has it.
        self._lock = RLock()
        # No number below this one is free.
        self._free = 0
        #: Thread -> what its calls use, that of the innermost call last (a signal handler may call while a call waits).
        #: Each call takes what it has added away again, and looks whether it must `close_unused`.
        self.used: dict[int, list[Descriptor]] = {}
        #: Taken out of the table, to be closed when nobody uses them. Always the same list.
        self.closing: list[Descriptor] = []

    def close_unused(self) -> None:
        """Close what nobody uses any more, of that which was taken out of the table."""
        # In this order: what was taken out when this was looked at, nobody begins to use afterwards.
        closing = self.closing[:]
        used = {id(descriptor) for calls in list(self.used.values()) for descriptor in calls[:]}
        for descriptor in closing:
            if id(descriptor) not in used:
                # Others may be doing the same.
                descriptor.close()
                with suppress(ValueError):
                    self.closing.remove(descriptor)

    def limit(self, system: int | None) -> None:
        """From now on the program enters descriptors: MAX_DESCRIPTORS, or fewer if the process may have few.

        Args:
            system: How many the process may have; None if there is no limit.
        """
        most = MAX_DESCRIPTORS if system is None else min(MAX_DESCRIPTORS, system // 4)
        self._limit = len(self._table) + most

    def check_room(self) -> None:
        """To be called before something is opened.

        Raises:
            WasiError: The program has as many descriptors as it may have (EMFILE).
        """
        if self._limit is not None and len(self._table) >= self._limit:
            raise WasiError(MFILE)

    def add(self, descriptor: Descriptor) -> int:
        """Enter a descriptor; its number. It is closed if it cannot be entered.

        Raises:
            WasiError: As `check_room`.
        """
        try:
            return self._add(descriptor)
        except BaseException:
            descriptor.close()
            raise

    def _add(self, descriptor: Descriptor) -> int:
        with self._lock:
            self.check_room()
            number = self._free
            while number in self._table:
                number += 1
            # No call stands between these.
            self._table[number] = descriptor
            self._free = number + 1
        return number

    def _use(self, number: int) -> Descriptor:
        descriptor = self._table.get(number)
        used = self.used.get(get_ident())
        if descriptor is not None and used is not None:
            used.append(descriptor)
            # Who takes it out of the table from here on sees that it is used.
            if self._table.get(number) is not descriptor:
                descriptor = None
        if descriptor is None:
            raise WasiError(BADF)
        return descriptor

    def get(self, number: int, right: int) -> Descriptor:
        """The descriptor of a number, which must have `right` (several: all of them). It stays open during the call.

        Raises:
            WasiError: There is none (EBADF) or it has not the right.
        """
        descriptor = self._use(number)
        missing = right & ~descriptor.rights
        if missing:
            raise WasiError(descriptor.refusal(missing))
        return descriptor

    def directory(self, number: int, right: int) -> Directory:
        """The same, for a directory (else ENOTDIR)."""
        descriptor = self._use(number)
        if not isinstance(descriptor, Directory):
            raise WasiError(NOTDIR)
        if right & ~descriptor.rights:
            raise WasiError(descriptor.refusal(right & ~descriptor.rights))
        return descriptor

    # What a signal handler or a finalizer in the block may do as well stands in one piece, without calls.

    def close(self, number: int) -> None:
        """Close one descriptor."""
        with self._lock:
            if number not in self._table:
                raise WasiError(BADF)
            self.closing += (self._table[number],)
            del self._table[number]
            if number < self._free:
                self._free = number
        self.close_unused()

    def renumber(self, source: int, target: int) -> None:
        """Let `target`, whose old meaning is closed, stand for what `source` stood for, which is free then.

        Raises:
            WasiError: One of them is not open (EBADF): numbers are the table's to give out.
        """
        with self._lock:
            if source not in self._table or target not in self._table:
                raise WasiError(BADF)
            if source == target:
                return
            self.closing += (self._table[target],)
            self._table[target] = self._table[source]
            del self._table[source]
            if source < self._free:
                self._free = source
        self.close_unused()

    def close_all(self) -> None:
        """Close everything, what calls of other threads use when they have ended."""
        with self._lock:
            for number in list(self._table):
                if number in self._table:
                    self.closing += (self._table[number],)
                    del self._table[number]
            self._free = 0
        self.close_unused()
