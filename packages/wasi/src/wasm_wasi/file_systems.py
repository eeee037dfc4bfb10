"""fsspec file systems as read-only directories. What is used of them is duck-typed: fsspec itself is not imported."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2b

from wasm_wasi.abi import ACCES, INVAL, NOENT, NOTCAPABLE, NOTDIR, FileType
from wasm_wasi.errors import WasiError
from wasm_wasi.preopens import FileSystem
from wasm_wasi.virtual import FileNode, FolderNode, Node, Tree, VirtualDirectory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

# These often come without an error number.
_ERRORS: Final = ((FileNotFoundError, NOENT), (NotADirectoryError, NOTDIR), (PermissionError, ACCES))


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        for kind, number in _ERRORS:
            if isinstance(error, kind):
                raise WasiError(number) from None
        raise
    except ValueError:
        # A name that it cannot have.
        raise WasiError(INVAL) from None


def _inode(path: str) -> int:
    """A number that stays the same, as nothing is remembered; hardly ever that of another path."""
    return int.from_bytes(blake2b(path.encode(errors="surrogatepass"), digest_size=8).digest(), "little") or 1


def _kind(info: dict[str, Any]) -> int:
    # (a local file system tells what is behind a link as well)
    if info.get("islink") or info.get("type") == "link":
        return FileType.SYMBOLIC_LINK
    return {"file": FileType.REGULAR_FILE, "directory": FileType.DIRECTORY}.get(info["type"], FileType.UNKNOWN)


class _OpenFile(FileNode):
    """A file that is open there."""

    __slots__ = ("_file", "_lock", "_size")

    def __init__(self, node: _File, file: Any) -> None:
        super().__init__(node.inode, FileType.REGULAR_FILE, node.modification)
        self._file = file
        self._size = node.length()
        # Between seeking and reading nobody may come.
        self._lock = threading.RLock()

    def length(self) -> int:
        return self._size

    def read(self, offset: int, size: int) -> bytes:
        with self._lock, _errors():
            self._file.seek(offset)
            data: bytes = self._file.read(size)
        return data

    def close(self) -> None:
        self._file.close()


class _File(FileNode):
    __slots__ = ("_path", "_size", "_system")

    def __init__(self, system: FileSystem, path: str, size: int, now: int) -> None:
        super().__init__(_inode(path), FileType.REGULAR_FILE, now)
        self._system = system
        self._path = path
        self._size = size

    def length(self) -> int:
        return self._size

    def open(self) -> _OpenFile:
        with _errors():
            return _OpenFile(self, self._system.open(self._path, "rb"))


class _Folder(FolderNode):
    __slots__ = ("_path", "_system")

    def __init__(self, system: FileSystem, path: str, now: int) -> None:
        super().__init__(_inode(path), FileType.DIRECTORY, now)
        self._system = system
        self._path = path

    def find(self, name: bytes) -> Node | None:
        path = f"{self._path.rstrip('/')}/{name.decode()}" if self._path else name.decode()
        try:
            with _errors():
                info = self._system.info(path)
        except WasiError as error:
            if error.errno in (NOENT, NOTDIR):
                return None
            raise
        kind = _kind(info)
        modified = info.get("mtime")
        now = int(modified * 1e9) if isinstance(modified, int | float) else self.modification
        if kind == FileType.DIRECTORY:
            return _Folder(self._system, path, now)
        if kind == FileType.REGULAR_FILE:
            return _File(self._system, path, info.get("size") or 0, now)
        # The file system would follow a link, wherever it leads.
        raise WasiError(NOTCAPABLE)

    def entries(self) -> Iterable[tuple[int, bytes, int]]:
        with _errors():
            listed = self._system.ls(self._path, detail=True)
        for info in listed:
            name = info["name"].rstrip("/").rpartition("/")[2]
            # (stores of objects may list the directory itself)
            if name and name not in (".", "..") and info["name"].strip("/") != self._path.strip("/"):
                path = f"{self._path.rstrip('/')}/{name}" if self._path else name
                yield _inode(path), name.encode(errors="surrogateescape"), _kind(info)


class FileSystemPreopen:
    """A file system for the programs of a `Wasi`."""

    __slots__ = ("_system",)

    def __init__(self, system: FileSystem) -> None:
        self._system = system

    def preopen(self, name: bytes, now: Callable[[], int] | None) -> VirtualDirectory:
        """The root for one process."""
        clock = now or time.time_ns
        root = _Folder(self._system, getattr(self._system, "root_marker", ""), clock())
        return Tree(root, read_only=True).preopen(name, clock)

    def __str__(self) -> str:
        return f"{type(self._system).__name__}, read-only"
