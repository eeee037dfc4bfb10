"""`MemoryDirectory`: a directory in memory, for programs to read and write, as large as it may become."""

from __future__ import annotations

import errno
import os
import threading
import time
import weakref
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from itertools import count

from wasm_wasi.abi import BUSY, EXIST, INVAL, NOENT, NOTEMPTY, FileType
from wasm_wasi.errors import WasiError
from wasm_wasi.mappings import encoded
from wasm_wasi.paths import FOLLOW, NO_FOLLOW
from wasm_wasi.virtual import FileNode, FolderNode, LinkNode, Node, Now, Tree, VirtualDirectory, VirtualPlace
from wasmetal import interruption

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# Zeros that are written between two checks for interruptions.
_ZEROS: Final = 1 << 24


class _Quota:
    """What a tree takes, and what it may. Everything in the tree knows this and not the tree, so nothing is a cycle."""

    __slots__ = ("files", "inodes", "lock", "max_bytes", "max_files", "moves", "used")

    def __init__(self, max_bytes: int, max_files: int) -> None:
        self.max_bytes = max_bytes
        self.max_files = max_files
        #: Bytes of the files and links that there are, of files that are open and have no name any more too.
        self.used = 0
        #: Names in all directories together.
        self.files = 0
        #: How often a directory was moved.
        self.moves = 0
        self.inodes = count(1)
        #: The tree's.
        self.lock = threading.RLock()


def _no_space() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class _File(FileNode):
    """A file. `size` is what counts: the bytes that are stored may be fewer (the others are zeros)."""

    __slots__ = ("_content", "_quota", "size")

    def __init__(self, quota: _Quota, now: int) -> None:
        super().__init__(next(quota.inodes), FileType.REGULAR_FILE, now)
        self._quota = quota
        self._content = bytearray()
        self.size = 0

    def length(self) -> int:
        return self.size

    def read(self, offset: int, size: int) -> bytes | bytearray:
        # (no view of the content: it could not grow while somebody has one)
        end = min(offset + size, self.size)
        if end <= offset:
            return b""
        data = self._content[offset:end]
        missing = end - offset - len(data)
        return data + bytes(missing) if missing else data

    def write(self, offset: int, data: memoryview, now: Now) -> int:
        quota = self._quota
        with quota.lock:
            end = offset + len(data)
            room = quota.max_bytes - quota.used
            if end - self.size > room:
                end = self.size + room
                if end <= offset:
                    raise _no_space()
            content = self._content
            # What a shorter size has left.
            del content[self.size :]
            while len(content) < offset:
                interruption.check()
                # (a signal handler may have let it grow since)
                content += bytes(max(0, min(offset - len(content), _ZEROS)))
            content[offset:end] = data[: end - offset]
            self.modification = self.change = now()
            # No call stands between these: a signal handler sees both or none. It may have taken the room before.
            if end > self.size:
                room = quota.max_bytes - quota.used
                if end - self.size > room:
                    raise _no_space()
                quota.used += end - self.size
                self.size = end
        return end - offset

    def resize(self, size: int, now: Now) -> None:
        quota = self._quota
        with quota.lock:
            if size - self.size > quota.max_bytes - quota.used:
                raise _no_space()
            del self._content[min(size, self.size) :]
            self.modification = self.change = now()
            # As above.
            if size - self.size > quota.max_bytes - quota.used:
                raise _no_space()
            quota.used += size - self.size
            self.size = size

    def __del__(self) -> None:
        # It has no name any more, and is not open.
        if getattr(self, "size", 0):
            with self._quota.lock:
                self._quota.used -= self.size
                self.size = 0


class _Link(LinkNode):
    __slots__ = ("_quota",)

    def __init__(self, quota: _Quota, target: bytes, now: int) -> None:
        super().__init__(next(quota.inodes), target, now)
        size = len(target)
        # No call stands between these.
        if size > quota.max_bytes - quota.used:
            raise _no_space()
        self._quota = quota
        quota.used += size

    def __del__(self) -> None:
        # (it has no quota when it was not counted)
        if hasattr(self, "_quota"):
            with self._quota.lock:
                self._quota.used -= len(self.target)


class _Folder(FolderNode):
    __slots__ = ("_entries", "_parent", "_quota", "_removed")

    def __init__(self, quota: _Quota, parent: _Folder | None, now: int) -> None:
        super().__init__(next(quota.inodes), FileType.DIRECTORY, now)
        # Weak, so that what is removed goes at once.
        self._quota = quota
        self._parent = None if parent is None else weakref.ref(parent)
        self._removed = False
        self._entries: dict[bytes, Node] = {}

    def find(self, name: bytes) -> Node | None:
        return self._entries.get(name)

    def entries(self) -> Iterable[tuple[int, bytes, int]]:
        # (at once: others may change it meanwhile)
        return [(node.inode, name, node.kind) for name, node in list(self._entries.items())]

    def nodes(self) -> list[tuple[bytes, Node]]:
        """The entries."""
        return list(self._entries.items())

    # A signal handler may use the same files between any two calls. So what stands in one piece below looks once more
    # whether all is as it was found, and has no call in it.

    def _add(self, name: bytes, node: Node, now: int, more: int = 0) -> None:
        """Enter a node, which gets `more` names than it knows of."""
        entries, quota = self._entries, self._quota
        if self._removed or not node.links:
            raise WasiError(NOENT)
        if name in entries:
            raise WasiError(EXIST)
        if quota.files >= quota.max_files:
            raise _no_space()
        entries[name] = node
        quota.files += 1
        node.links += more
        self.modification = self.change = now

    def make_file(self, name: bytes, now: Now) -> _File:
        time = now()
        file = _File(self._quota, time)
        self._add(name, file, time)
        return file

    def make_folder(self, name: bytes, now: Now) -> _Folder:
        time = now()
        folder = _Folder(self._quota, self, time)
        self._add(name, folder, time)
        return folder

    def make_link(self, name: bytes, target: bytes, now: Now) -> None:
        time = now()
        self._add(name, _Link(self._quota, target, time), time)

    def add_name(self, name: bytes, node: Node, now: Now) -> None:
        time = now()
        self._add(name, node, time, 1)
        node.change = time

    def remove(self, name: bytes, node: Node, now: Now) -> None:
        time = now()
        folder = node if isinstance(node, _Folder) else None
        entries, quota = self._entries, self._quota
        if name not in entries or entries[name] is not node:
            raise WasiError(NOENT)
        if folder is not None:
            if folder._entries:
                raise WasiError(NOTEMPTY)
            folder._removed = True
        del entries[name]
        quota.files -= 1
        node.links -= 1
        node.change = self.modification = self.change = time

    def move(self, name: bytes, node: Node, target: FolderNode, new: bytes, replaced: Node | None, now: Now) -> None:
        assert isinstance(target, _Folder)
        quota, moves = self._quota, self._quota.moves
        folder = node if isinstance(node, _Folder) else None
        lost = replaced if isinstance(replaced, _Folder) else None
        if folder is not None and target.is_below(folder):
            raise WasiError(INVAL)
        parent = weakref.ref(target)
        time = now()
        entries, others = self._entries, target._entries
        if name not in entries or entries[name] is not node or target._removed:
            raise WasiError(NOENT)
        if (new in others) != (replaced is not None) or (replaced is not None and others[new] is not replaced):
            raise WasiError(BUSY)
        if folder is not None:
            # What was found above may have changed with another move.
            if moves != quota.moves:
                raise WasiError(BUSY)
            quota.moves += 1
            if lost is not None:
                if lost._entries:
                    raise WasiError(NOTEMPTY)
                lost._removed = True
            folder._parent = parent
        if replaced is not None:
            replaced.links -= 1
            replaced.change = time
            quota.files -= 1
        others[new] = node
        del entries[name]
        self.modification = self.change = target.modification = target.change = node.change = time

    def is_empty(self) -> bool:
        return not self._entries

    def is_below(self, folder: Node) -> bool:
        above: _Folder | None = self
        while above is not None:
            if above is folder:
                return True
            above = None if above._parent is None else above._parent()
        return False


class MemoryDirectory(MutableMapping[str, bytes]):
    """A directory in memory, for `preopens` of `Wasi`: programs read and write it, and it is a mapping of its files.

    `directory["folder/file"]` is the content of a file, setting it makes the file and the directories on the way, and
    iterating gives the paths of all files. What programs write stays, for the next ones too, until this goes. Several
    threads may use it.

    Args:
        files: What is in it at first: content by path.
        max_bytes: How much all files together may have; programs that write more get ENOSPC.
        max_files: How many files, directories and links there may be, else ENOSPC.

    Raises:
        OSError: The files are more than that (ENOSPC).
        ValueError: A path is not one such as "folder/file".
        NotADirectoryError: A path goes through a file.
    """

    __slots__ = ("_quota", "_tree")

    def __init__(
        self, files: Mapping[str, bytes] | None = None, *, max_bytes: int = 1 << 26, max_files: int = 1 << 16
    ) -> None:
        self._quota = quota = _Quota(max_bytes, max_files)
        self._tree = Tree(_Folder(quota, None, time.time_ns()), read_only=False, lock=quota.lock)
        self.update(files or {})

    def preopen(self, name: bytes, now: Now | None) -> VirtualDirectory:
        """The directory for one process, as `Wasi` asks for it."""
        return self._tree.preopen(name, now)

    @property
    def used(self) -> int:
        """Bytes that its files have, those included that were removed and are still open."""
        return self._quota.used

    def _find(self, path: str) -> Node:
        try:
            return VirtualPlace(self._tree.preopen(None), encoded(path), FOLLOW).node()
        except (WasiError, ValueError):
            raise KeyError(path) from None

    def __getitem__(self, path: str) -> bytes:
        with self._tree.lock:
            node = self._find(path)
            if not isinstance(node, FileNode):
                raise KeyError(path)
            return bytes(node.read(0, node.length()))

    def __setitem__(self, path: str, content: bytes) -> None:
        data = memoryview(bytes(content) if isinstance(content, bytearray | memoryview) else content)
        *folders, name = encoded(path).split(b"/")
        try:
            with self._tree.lock:
                self._set(path, folders, name, data)
        except WasiError:
            # A signal handler has changed what was found.
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), path) from None

    def _set(self, path: str, folders: list[bytes], name: bytes, data: memoryview) -> None:
        folder: FolderNode = self._tree.root
        for part in folders:
            found = folder.find(part)
            if found is None:
                found = folder.make_folder(part, time.time_ns)
            if not isinstance(found, FolderNode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
            folder = found
        file = folder.find(name)
        made = file is None
        if file is None:
            file = folder.make_file(name, time.time_ns)
        if isinstance(file, LinkNode):
            # (a program has made it)
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        if not isinstance(file, FileNode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        # All or nothing.
        try:
            file.resize(len(data), time.time_ns)
        except OSError:
            if made:
                folder.remove(name, file, time.time_ns)
            raise
        if data:
            file.write(0, data, time.time_ns)

    def __delitem__(self, path: str) -> None:
        with self._tree.lock:
            try:
                VirtualPlace(self._tree.preopen(None), encoded(path), NO_FOLLOW).unlink()
            except (WasiError, ValueError):
                raise KeyError(path) from None

    def __iter__(self) -> Iterator[str]:
        pending: list[tuple[bytes, Node]] = [(b"", self._tree.root)]
        while pending:
            path, node = pending.pop()
            if isinstance(node, _Folder):
                found = [(path + b"/" + name if path else name, entry) for name, entry in node.nodes()]
                pending += reversed(found)
            elif isinstance(node, FileNode):
                yield path.decode()

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<MemoryDirectory, {self._quota.files} entries, {self._quota.used} bytes>"
