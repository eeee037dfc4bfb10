"""A mapping as a read-only directory: content by path. Content is asked for when a file is opened or looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import count

from wasm_wasi.abi import NOENT, FileType
from wasm_wasi.errors import WasiError
from wasm_wasi.virtual import MAX_NAME, FileNode, FolderNode, Node, Tree


def encoded(path: object) -> bytes:
    """A path as it is in a tree: "folder/file".

    Raises:
        TypeError, ValueError: It is none.
    """
    if not isinstance(path, str):
        raise TypeError(f"a path must be a str, not {type(path).__name__}")
    data = path.encode()
    for part in data.split(b"/"):
        if part in (b"", b".", b"..") or b"\0" in part or len(part) > MAX_NAME:
            raise ValueError(f"{path!r} is not a path such as 'folder/file'")
    return data


class LoadedFile(FileNode):
    """An open file whose content is here."""

    __slots__ = ("_content",)

    def __init__(self, node: FileNode, content: bytes) -> None:
        super().__init__(node.inode, FileType.REGULAR_FILE, node.modification)
        self._content = content

    def length(self) -> int:
        return len(self._content)

    def read(self, offset: int, size: int) -> bytes:
        return self._content[offset : offset + size]


class _File(FileNode):
    __slots__ = ("_files", "_path")

    def __init__(self, inode: int, files: Mapping[str, bytes], path: str, now: int) -> None:
        super().__init__(inode, FileType.REGULAR_FILE, now)
        self._files = files
        self._path = path

    def _content(self) -> bytes:
        try:
            content = self._files[self._path]
        except KeyError:
            # It is gone meanwhile.
            raise WasiError(NOENT) from None
        if not isinstance(content, bytes | bytearray | memoryview):
            raise TypeError(f"the content of {self._path!r} must be bytes, not {type(content).__name__}")
        return bytes(content)

    def length(self) -> int:
        return len(self._content())

    def open(self) -> LoadedFile:
        return LoadedFile(self, self._content())


class _Folder(FolderNode):
    __slots__ = ("nodes",)

    def __init__(self, inode: int, now: int) -> None:
        super().__init__(inode, FileType.DIRECTORY, now)
        self.nodes: dict[bytes, Node] = {}

    def find(self, name: bytes) -> Node | None:
        return self.nodes.get(name)

    def entries(self) -> Iterable[tuple[int, bytes, int]]:
        return [(node.inode, name, node.kind) for name, node in self.nodes.items()]


def tree(files: Mapping[str, bytes], now: int) -> Tree:
    """The tree of a mapping, as its paths are now; `now` is the time of everything.

    Raises:
        TypeError, ValueError: A path is not one such as "folder/file", or goes through a file.
    """
    inodes = count(1)
    root = _Folder(next(inodes), now)
    for path in files:
        *parents, name = encoded(path).split(b"/")
        folder = root
        for part in parents:
            found = folder.nodes.get(part)
            if found is None:
                found = folder.nodes[part] = _Folder(next(inodes), now)
            if not isinstance(found, _Folder):
                raise ValueError(f"{path!r} goes through a file")
            folder = found
        if name in folder.nodes:
            raise ValueError(f"{path!r} is a directory too")
        folder.nodes[name] = _File(next(inodes), files, path, now)
    return Tree(root, read_only=True)
