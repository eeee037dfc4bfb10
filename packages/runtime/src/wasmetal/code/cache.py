"""The cache of compiled code on disk: a directory with a file for each module, backend and configuration.

Functions are compiled when they are first called, so a file grows from run to run until nothing is left to compile.
Nothing here raises because of the disk: where a file cannot be read or written, functions are compiled.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable
from io import FileIO

from wasm_core.features import Features
from wasm_core.lazy_attrs import frozen, values
from wasm_ir.backend import c_convention
from wasm_ir.frontend_options import FrontendOptions
from wasmetal.code import fingerprint
from wasmetal.code.checksum import digest
from wasmetal.code.code_file import CodeFile, encode_file, open_file
from wasmetal.system.hold import serialized
from wasmetal.system.host import host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_ir.backend import Backend

ENDING: Final = ".wmc"
_TEMPORARY: Final = ".tmp"
_LOCK: Final = ".lock"
#: Temporary files of processes that were killed go after this time, in seconds.
_TEMPORARY_LIFE: Final = 3600.0
#: How long to wait for another process that is writing, in seconds. Without the lock a file is still replaced whole;
#: what another process adds in the same moment may be lost, and is compiled again.
_PATIENCE: Final = 0.5
#: When the cache is full, room is made until it is down to this part of its limit.
_FILL: Final = 0.75
#: New code is written when a module is no longer used and when the program ends, and before that when compiling it
#: took this long in seconds, and this part of the time for all code before it: a program may be killed.
_SAVE_AFTER: Final = 2.0
_SAVE_PART: Final = 0.25


def default_directory() -> str:
    """The user's directory for the cache."""
    return host.cache_directory()


@frozen
class CacheState:
    """What there is in a cache."""

    directory: str
    #: Number of files, their size and the limit of that in bytes.
    entries: int
    size: int
    limit: int
    #: Why the directory is not used; "" when it is.
    refusal: str


class CodeCache:
    """A directory of files of code."""

    def __init__(self, directory: str | os.PathLike[str], limit: int) -> None:
        """`limit`: how large the files may be together, in bytes."""
        self.directory = os.path.abspath(os.fspath(directory))
        self.limit = limit

    def refusal(self) -> str:
        """Why the directory cannot be used; "" when it can, or could if it were made."""
        try:
            status = os.stat(self.directory)
        except FileNotFoundError:
            return ""
        except OSError as error:
            return str(error.strerror)
        if not stat.S_ISDIR(status.st_mode):
            return "it is not a directory"
        if not host.is_ours(status):
            return "others can write to it"
        return ""

    def entry(self, identity: bytes) -> CacheEntry:
        """What is kept for one identity (32 bytes)."""
        return CacheEntry(self, identity)

    def path_of(self, identity: bytes) -> str:
        """Path of an identity's file."""
        return os.path.join(self.directory, identity.hex() + ENDING)

    def _scan(self) -> list[tuple[float, int, str]]:
        """(time of last use, size, path) of all files; temporary ones that were left behind are removed."""
        found = []
        with contextlib.suppress(OSError), os.scandir(self.directory) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    if entry.name.endswith(ENDING):
                        found.append((status.st_mtime, status.st_size, entry.path))
                    elif entry.name.endswith(_TEMPORARY) and status.st_mtime < time.time() - _TEMPORARY_LIFE:
                        os.unlink(entry.path)
        return found

    def state(self) -> CacheState:
        """What there is."""
        files = self._scan()
        return CacheState(self.directory, len(files), sum(size for _, size, _ in files), self.limit, self.refusal())

    def clear(self) -> int:
        """Remove all files; returns how many there were. Raises OSError when one cannot be removed."""
        if self.refusal():
            return 0
        count = 0
        for _, _, path in self._scan():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
                count += 1
        return count

    def evict(self, kept: str) -> None:
        """Make room if there is too much, least recently used files first; the file at path `kept` goes last."""
        files = self._scan()
        total = sum(size for _, size, _ in files)
        if total <= self.limit:
            return
        files.sort(key=lambda file: (file[2] == kept, file))
        for _, size, path in files:
            if total <= self.limit * _FILL:
                break
            with contextlib.suppress(OSError):
                os.unlink(path)
                total -= size

    def _locked(self) -> FileIO:
        """Keep other processes from writing for as long as the file is open, if it does not take too long."""
        file = _open(os.path.join(self.directory, _LOCK), os.O_RDWR)
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                host.lock_file(file.fileno())
                break
            except OSError:
                if time.monotonic() > end:
                    break
            time.sleep(0.005)
        return file

    def write(self, identity: bytes, make: Callable[[CodeFile | None], bytes]) -> bool:
        """Replace an identity's file in one step.

        Args:
            identity: Whose file.
            make: Gets the present file, if there is a good one, and returns the new content.

        Returns:
            Whether it was done: not where the directory cannot be used or written to.
        """
        try:
            os.makedirs(self.directory, mode=0o700, exist_ok=True)
            if self.refusal():
                return False
            path = self.path_of(identity)
            with self._locked():
                _replace(path, make(open_file(path, identity)))
                self.evict(path)
        except OSError:
            return False
        return True


def _open(path: str, flags: int) -> FileIO:
    """Open or create a file to write to. In one call: no exception can come before somebody has the descriptor."""
    flags |= os.O_CREAT | host.OPEN_FLAGS
    return next(map(FileIO, map(os.open, (path,), (flags,), (0o600,)), ("wb",)))


def _replace(path: str, content: bytes) -> None:
    # Not the number of the process: those in containers that share the directory may be equal.
    temporary = f"{path}.{os.urandom(8).hex()}{_TEMPORARY}"
    try:
        with _open(temporary, os.O_WRONLY | os.O_EXCL) as file:
            view = memoryview(content)
            while view:
                view = view[os.write(file.fileno(), view) :]
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


@serialized
class ModuleCache:
    """What is kept for one module and backend: an entry for each way to translate it."""

    def __init__(self, cache: CodeCache | None, source: bytes, features: Features, backend: Backend) -> None:
        """`cache`: None for keeping nothing; `source`: checksum of the module's binary."""
        self._cache = cache
        self._source = source
        self._features = features
        self._backend = backend
        self._entries: dict[FrontendOptions, CacheEntry] = {}

    def add(self, options: FrontendOptions, file: CodeFile) -> None:
        """Take the code for these options from a file that was given."""
        self._entries[options] = CacheEntry(None, b"", file)

    def entry(self, options: FrontendOptions) -> CacheEntry:
        """What is kept for these options: the same object whenever it is asked for."""
        found = self._entries.get(options)
        if found is None:
            if self._cache is None:
                found = CacheEntry(None, b"")
            else:
                found = CacheEntry(self._cache, module_identity(self._source, self._features, options, self._backend))
            self._entries[options] = found
        return found


def module_identity(source: bytes, features: Features, options: FrontendOptions, backend: Backend) -> bytes:
    """What code for a module depends on. `source`: checksum of the binary."""
    parts = [
        source,
        repr((values(features), values(options), backend.name, backend.cpu_features, c_convention(backend))).encode(),
        fingerprint.of_compiler(backend),
    ]
    return digest(b"\0".join(parts))


@serialized
class CacheEntry:
    """The code that is kept for one identity: what was found, and what is new and still to be written."""

    def __init__(self, cache: CodeCache | None, identity: bytes, file: CodeFile | None = None) -> None:
        """`cache`: where it is kept; None when `file` is all there is, and nothing is to be written."""
        self._cache = cache
        self._identity = identity
        self._new: dict[int, bytes] = {}
        #: Seconds that it took to compile what is new, and all of it.
        self._new_seconds = 0.0
        self._seconds = 0.0
        if cache is not None and not cache.refusal():
            file = open_file(cache.path_of(identity), identity, mark_use=True)
        self._file = file
        #: MODULE_VALID, BODIES_VALID and TABLE_UNWRITTEN, as far as it is known, and as it was written.
        self.flags = self._written_flags = 0 if file is None else file.flags

    @property
    def writes(self) -> bool:
        """Whether anything comes of `put`."""
        return self._cache is not None

    @property
    def is_small(self) -> bool:
        """Whether it is worth taking everything at once."""
        return self._file is not None and self._file.is_small

    def found(self) -> list[int]:
        """The keys of what was found."""
        return [] if self._file is None else list(self._file.keys())

    def get(self, key: int) -> bytes | None:
        """A blob that was found."""
        return None if self._file is None else self._file.get(key)

    def learn(self, flags: int) -> None:
        """Remember something about the module."""
        self.flags |= flags

    def put(self, key: int, blob: bytes, seconds: float = 0.0) -> None:
        """Keep a new blob, which took so long to make."""
        if self._cache is None:
            return
        # Each of these is one step; what `save` takes it finds in `_new`, sooner or later.
        self._new[key] = blob
        self._new_seconds += seconds
        self._seconds += seconds
        if self._new_seconds > _SAVE_AFTER and self._new_seconds > _SAVE_PART * self._seconds:
            self.save()

    def save(self) -> bool:
        """Write what is new. Returns whether it is there now."""
        if self._cache is None:
            return False
        # No call stands between these.
        new = self._new
        flags = self.flags
        if not new and self._written_flags == flags:
            return True
        self._new = {}
        self._written_flags = flags
        self._new_seconds = 0.0
        return self._cache.write(self._identity, lambda old: encode_file(self._identity, flags, new, old))
