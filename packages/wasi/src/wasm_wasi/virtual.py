"""Files and directories that are objects of this process: what such a tree is made of, and descriptors and paths in it.

A tree says what there is and, if it can be changed, how (`FolderNode`, `FileNode`). All else that a program can notice
is the same for all trees and is here; the rules for paths are those of `paths`.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import count

from wasm_wasi import time_flags
from wasm_wasi.abi import (
    ALL_RIGHTS,
    BUSY,
    DIRECTORY_RIGHTS,
    EXIST,
    FILE_RIGHTS,
    INVAL,
    ISDIR,
    LOOP,
    NAMETOOLONG,
    NOENT,
    NOTCAPABLE,
    NOTDIR,
    NOTEMPTY,
    NOTSUP,
    PERM,
    READ_WRITE,
    ROFS,
    WRITES,
    XDEV,
    FdFlag,
    FileType,
    OpenFlag,
)
from wasm_wasi.descriptors import READ_ONLY_MISSING, Descriptor, Directory, FileStat, in_steps
from wasm_wasi.errors import WasiError
from wasm_wasi.guest_memory import MASK64
from wasm_wasi.paths import MAX_DEPTH, Place
from wasm_wasi.time_flags import KEEP, NOW

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Longest name of an entry, in bytes, as on most file systems.
MAX_NAME: Final = 255
# Largest position in a file.
_MAX_OFFSET: Final = (1 << 63) - 1
# Flags that can be changed once a file is open.
_CHANGEABLE: Final = FdFlag.APPEND | FdFlag.NONBLOCK

# Numbers of trees, as devices: none that the system gives has the highest bit.
_devices: Final = count(1 << 63)

#: Nanoseconds for the times of files.
Now = Callable[[], int]


class Node:
    """Something in a tree.

    Args:
        inode: Its number, which no other node of the tree has.
        kind: The `FileType`.
        now: Its times.
    """

    __slots__ = ("__weakref__", "access", "change", "inode", "kind", "links", "modification")

    def __init__(self, inode: int, kind: int, now: int) -> None:
        self.inode = inode
        self.kind = kind
        #: Under how many names it is there.
        self.links = 1
        self.access = self.modification = self.change = now

    def length(self) -> int:
        """The size in bytes."""
        return 0


class FileNode(Node):
    """A file. This one is empty and stays so."""

    __slots__ = ()

    def open(self) -> FileNode:
        """What an open file uses: this node or one of its own, which it closes."""
        return self

    def close(self) -> None:
        """An open file does not use this any more."""

    def read(self, offset: int, size: int) -> bytes | bytearray:
        """Bytes from an offset on, less at the end."""
        return b""

    def write(self, offset: int, data: memoryview, now: Now) -> int:
        """Write; how much.

        Raises:
            OSError: There is no room for anything (ENOSPC).
        """
        raise WasiError(ROFS)

    def resize(self, size: int, now: Now) -> None:
        """Cut off, or let grow by zeros.

        Raises:
            OSError: There is no room (ENOSPC).
        """
        raise WasiError(ROFS)


class LinkNode(Node):
    """A symbolic link."""

    __slots__ = ("target",)

    def __init__(self, inode: int, target: bytes, now: int) -> None:
        super().__init__(inode, FileType.SYMBOLIC_LINK, now)
        self.target = target

    def length(self) -> int:
        return len(self.target)


class FolderNode(Node):
    """A directory. This one is read-only.

    All but `find` and `entries` is called with the tree's lock held, for names that are not there (`make...`) or are
    (`remove`, `move`).
    """

    __slots__ = ()

    def find(self, name: bytes) -> Node | None:
        """The entry of a name."""
        raise NotImplementedError

    def entries(self) -> Iterable[tuple[int, bytes, int]]:
        """Inode, name and type of each entry."""
        raise NotImplementedError

    def make_file(self, name: bytes, now: Now) -> FileNode:
        raise WasiError(ROFS)

    def make_folder(self, name: bytes, now: Now) -> FolderNode:
        raise WasiError(ROFS)

    def make_link(self, name: bytes, target: bytes, now: Now) -> None:
        raise WasiError(ROFS)

    def add_name(self, name: bytes, node: Node, now: Now) -> None:
        """One more name for a node."""
        raise WasiError(ROFS)

    def remove(self, name: bytes, node: Node, now: Now) -> None:
        """Remove an entry, which was found to be `node`: what is no directory, or an empty one."""
        raise WasiError(ROFS)

    def move(self, name: bytes, node: Node, target: FolderNode, new: bytes, replaced: Node | None, now: Now) -> None:
        """Rename an entry, which was found to be `node`; what has the new name is replaced: `replaced`, if any."""
        raise WasiError(ROFS)

    def is_empty(self) -> bool:
        return not any(True for _ in self.entries())

    def is_below(self, folder: Node) -> bool:
        """Whether this is a directory or somewhere in it."""
        return self is folder


class Tree:
    """A file system of objects: its root, and what all of it has in common."""

    __slots__ = ("device", "lock", "read_only", "root")

    def __init__(self, root: FolderNode, read_only: bool, lock: threading.RLock | None = None) -> None:
        self.root = root
        self.read_only = read_only
        #: The number of the file system.
        self.device = next(_devices)
        # Signal handlers and finalizers may call while their own thread has it.
        self.lock = lock or threading.RLock()

    def stat(self, node: Node) -> FileStat:
        """The values of `abi.FILESTAT`."""
        return (
            self.device & MASK64,
            node.inode,
            node.kind,
            node.links,
            node.length(),
            node.access & MASK64,
            node.modification & MASK64,
            node.change & MASK64,
        )

    def preopen(self, name: bytes | None, now: Now | None = None) -> VirtualDirectory:
        """The root for a process."""
        return VirtualDirectory(self, self.root, name, now=now or time.time_ns)


def _set_times(node: Node, access: int, modification: int, flags: int, now: Now) -> None:
    wanted = time_flags.wanted(access, modification, flags)
    time = now()
    node.access, node.modification = (
        {NOW: time, KEEP: before}.get(new, new)
        for new, before in zip(wanted, (node.access, node.modification), strict=True)
    )
    node.change = time


class VirtualFile(Descriptor):
    """An open file of a tree.

    Args:
        tree: The tree.
        node: The file, which `FileNode.open` has given: it is closed with this.
        rights: What may be done with it.
        fdflags: Its flags.
        now: For its times.
    """

    __slots__ = ("_flags", "_lock", "_node", "_now", "_position", "_tree")

    def __init__(self, tree: Tree, node: FileNode, rights: int, fdflags: int, now: Now) -> None:
        super().__init__(FileType.REGULAR_FILE, rights)
        self._tree = tree
        self._node = node
        self._now = now
        self._flags = fdflags
        self._position = 0
        # Instances in several threads share the position.
        self._lock = threading.RLock()

    def read(self, buffers: list[memoryview]) -> int:
        with self._lock:
            moved = self.pread(buffers, self._position)
            self._position += moved
        return moved

    def write(self, buffers: list[memoryview]) -> int:
        with self._lock:
            if self._flags & FdFlag.APPEND and any(buffers):
                # Others may append too.
                with self._tree.lock:
                    self._position = self._node.length()
                    return self._write(buffers)
            return self._write(buffers)

    def _write(self, buffers: list[memoryview]) -> int:
        moved = self._put(buffers, self._position)
        self._position += moved
        return moved

    def pread(self, buffers: list[memoryview], offset: int) -> int:
        if offset < 0:
            raise WasiError(INVAL)
        return in_steps(lambda part, at: self._get_step(part, offset + at), buffers)

    def pwrite(self, buffers: list[memoryview], offset: int) -> int:
        if self._flags & FdFlag.APPEND:
            # As on Linux.
            offset = self._node.length()
        return self._put(buffers, offset)

    def _put(self, buffers: list[memoryview], offset: int) -> int:
        if offset < 0:
            raise WasiError(INVAL)
        return in_steps(lambda part, at: self._put_step(part, offset + at), buffers)

    def _get_step(self, buffers: list[memoryview], offset: int) -> int:
        data = self._node.read(offset, sum(map(len, buffers)))
        at = 0
        for buffer in buffers:
            part = data[at : at + len(buffer)]
            buffer[: len(part)] = part
            at += len(part)
        return at

    def _put_step(self, buffers: list[memoryview], offset: int) -> int:
        data = buffers[0] if len(buffers) == 1 else memoryview(b"".join(buffers))
        return self._node.write(offset, data, self._now) if data else 0

    def seek(self, offset: int, whence: int) -> int:
        with self._lock:
            if whence == os.SEEK_CUR:
                offset += self._position
            elif whence == os.SEEK_END:
                offset += self._node.length()
            if not 0 <= offset <= _MAX_OFFSET:
                raise WasiError(INVAL)
            self._position = offset
        return offset

    def stat(self) -> FileStat:
        return self._tree.stat(self._node)

    def flags(self) -> int:
        return self._flags

    def set_flags(self, flags: int) -> None:
        if (flags ^ self._flags) & ~_CHANGEABLE:
            raise WasiError(NOTSUP)
        self._flags = flags

    def advise(self, offset: int, size: int, advice: int) -> None:
        """Nothing is gained by it."""

    def allocate(self, offset: int, size: int) -> None:
        with self._tree.lock:
            if offset + size > self._node.length():
                self._node.resize(offset + size, self._now)

    def sync(self, data_only: bool) -> None:
        """It is kept already."""

    def set_size(self, size: int) -> None:
        if size < 0:
            raise WasiError(INVAL)
        self._node.resize(size, self._now)

    def set_times(self, access: int, modification: int, flags: int) -> None:
        with self._tree.lock:
            _set_times(self._node, access, modification, flags, self._now)

    def close(self) -> None:
        self._node.close()
        # The program may have removed the file, which then goes.
        self._node = _NOTHING


_NOTHING: Final = FileNode(0, FileType.REGULAR_FILE, 0)


class VirtualDirectory(Directory):
    """An open directory of a tree; `tree`, `node` and `now` as for `VirtualFile`, the others as for `Directory`."""

    __slots__ = ("fdflags", "node", "now", "tree")

    def __init__(
        self,
        tree: Tree,
        node: FolderNode,
        preopen: bytes | None,
        rights: int = DIRECTORY_RIGHTS,
        inheriting: int = ALL_RIGHTS,
        above: int | None = None,
        *,
        now: Now,
    ) -> None:
        super().__init__(preopen, rights, inheriting, above, tree.read_only)
        self.tree = tree
        self.node = node
        self.now = now
        self.fdflags = 0

    def place(self, path: bytes, last: int) -> VirtualPlace:
        return VirtualPlace(self, path, last)

    def inode(self) -> int:
        return self.node.inode

    def scan(self) -> Iterator[tuple[int, bytes, int]]:
        return iter(self.node.entries())

    def stat(self) -> FileStat:
        return self.tree.stat(self.node)

    def flags(self) -> int:
        return self.fdflags

    def set_flags(self, flags: int) -> None:
        if (flags ^ self.fdflags) & ~_CHANGEABLE:
            raise WasiError(NOTSUP)
        self.fdflags = flags

    def sync(self, data_only: bool) -> None:
        """It is kept already."""

    def set_times(self, access: int, modification: int, flags: int) -> None:
        with self.tree.lock:
            _set_times(self.node, access, modification, flags, self.now)


class VirtualPlace(Place):
    """A place in a tree; `start`, `path` and `last` as for `HostPlace`."""

    __slots__ = ("_now", "_opened", "_start", "_tree")

    def __init__(self, start: VirtualDirectory, path: bytes, last: int) -> None:
        self._start = start
        self._tree = start.tree
        self._now = start.now
        # The directories below the first one that led here, deepest last.
        self._opened: list[FolderNode] = []
        self._resolve(path, last)

    @property
    def _parent(self) -> FolderNode:
        return self._opened[-1] if self._opened else self._start.node

    def _above(self) -> int | None:
        if self.name != b".":
            return self._parent.inode
        if not self._opened:
            return self._start.above
        return (self._opened[-2] if len(self._opened) > 1 else self._start.node).inode

    def _leave(self) -> None:
        if not self._opened:
            raise WasiError(NOTCAPABLE)
        self._opened.pop()

    def _find(self, name: bytes) -> Node | None:
        if len(name) > MAX_NAME:
            raise WasiError(NAMETOOLONG)
        return self._parent.find(name)

    def _enter(self, name: bytes) -> bytes | None:
        if len(self._opened) >= MAX_DEPTH:
            raise WasiError(NAMETOOLONG)
        node = self._find(name)
        if node is None:
            raise WasiError(NOENT)
        if isinstance(node, LinkNode):
            return node.target
        if not isinstance(node, FolderNode):
            raise WasiError(NOTDIR)
        self._opened.append(node)
        return None

    def _link(self, name: bytes) -> bytes | None:
        node = self._find(name)
        return node.target if isinstance(node, LinkNode) else None

    def _there(self) -> Node | None:
        """What is there."""
        return self._parent if self.name == b"." else self._find(self.name)

    def node(self) -> Node:
        """What is there.

        Raises:
            WasiError: Nothing (ENOENT).
        """
        node = self._there()
        if node is None:
            raise WasiError(NOENT)
        return node

    def _check_new(self) -> None:
        """Nothing must be there."""
        if self._there() is not None:
            raise WasiError(EXIST)

    def open(self, how: int, rights: int, inheriting: int, fdflags: int) -> Descriptor:
        only_directory = how & OpenFlag.DIRECTORY
        with self._tree.lock:
            node = self._there()
            if node is None:
                if not how & OpenFlag.CREAT:
                    raise WasiError(NOENT)
                node = self._made(how)
            elif how & OpenFlag.CREAT and how & OpenFlag.EXCL:
                raise WasiError(EXIST)
            if isinstance(node, FolderNode):
                writes = rights & READ_WRITE == READ_WRITE if only_directory else rights & WRITES
                if writes or how & (OpenFlag.CREAT | OpenFlag.TRUNC):
                    raise WasiError(ISDIR)
                rights &= DIRECTORY_RIGHTS
                made = VirtualDirectory(self._tree, node, None, rights, inheriting, self._above(), now=self._now)
                made.fdflags = fdflags
                return made
            if only_directory:
                raise WasiError(NOTDIR)
            if not isinstance(node, FileNode):
                raise WasiError(LOOP)
            if how & OpenFlag.TRUNC:
                node.resize(0, self._now)
            rights &= FILE_RIGHTS
            if self._tree.read_only:
                rights &= ~READ_ONLY_MISSING
            return VirtualFile(self._tree, node.open(), rights, fdflags, self._now)

    def _made(self, how: int) -> Node:
        """A new file; or what a signal handler has made there meanwhile."""
        try:
            return self._parent.make_file(self.name, self._now)
        except WasiError as error:
            if error.errno != EXIST or how & OpenFlag.EXCL:
                raise
        return self.node()

    def stat(self) -> FileStat:
        return self._tree.stat(self.node())

    def set_times(self, access: int, modification: int, flags: int) -> None:
        with self._tree.lock:
            _set_times(self.node(), access, modification, flags, self._now)

    def make_directory(self) -> None:
        with self._tree.lock:
            self._check_new()
            self._parent.make_folder(self.name, self._now)

    def remove_directory(self) -> None:
        with self._tree.lock:
            node = self.node()
            if not isinstance(node, FolderNode):
                raise WasiError(NOTDIR)
            if self.name == b".":
                raise WasiError(INVAL)
            if not node.is_empty():
                raise WasiError(NOTEMPTY)
            self._parent.remove(self.name, node, self._now)

    def unlink(self) -> None:
        with self._tree.lock:
            node = self.node()
            if isinstance(node, FolderNode):
                raise WasiError(ISDIR)
            self._parent.remove(self.name, node, self._now)

    def _other(self, new: Place) -> VirtualPlace:
        """The second place, which must be in the same tree."""
        if not isinstance(new, VirtualPlace) or new._tree is not self._tree:
            raise WasiError(XDEV)
        return new

    def rename(self, new: Place) -> None:
        other = self._other(new)
        with self._tree.lock:
            # In the order in which Linux looks.
            if b"." in (self.name, other.name):
                raise WasiError(BUSY)
            node, replaced = self.node(), other._there()
            if other._parent.is_below(node):
                raise WasiError(INVAL)
            if replaced is not None and self._parent.is_below(replaced):
                raise WasiError(NOTEMPTY)
            if isinstance(node, FolderNode):
                if replaced is not None and not isinstance(replaced, FolderNode):
                    raise WasiError(NOTDIR)
            elif isinstance(replaced, FolderNode):
                raise WasiError(ISDIR)
            # Two names of one file stay both, as the standard has it (POSIX, rename).
            if replaced is node:
                return
            if isinstance(replaced, FolderNode) and not replaced.is_empty():
                raise WasiError(NOTEMPTY)
            self._parent.move(self.name, node, other._parent, other.name, replaced, self._now)

    def link(self, new: Place) -> None:
        other = self._other(new)
        with self._tree.lock:
            node = self.node()
            other._check_new()
            if isinstance(node, FolderNode):
                raise WasiError(PERM)
            other._parent.add_name(other.name, node, self._now)

    def make_link(self, target: bytes) -> None:
        with self._tree.lock:
            if not target:
                raise WasiError(NOENT)
            self._check_new()
            self._parent.make_link(self.name, target, self._now)

    def read_link(self) -> bytes:
        node = self.node()
        if not isinstance(node, LinkNode):
            raise WasiError(INVAL)
        return node.target
