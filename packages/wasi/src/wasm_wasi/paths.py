"""Path resolution that cannot leave a directory, and what can be done where a path leads.

A path is walked one component at a time, and symbolic links are read and walked the same way. `..` goes back along the
directories that led here, so neither a link nor a directory that somebody moves meanwhile can lead out. What would lead
out is ENOTCAPABLE. `host_places` walks the directories of the host, `virtual` those that are made of objects.
"""

from __future__ import annotations

from types import TracebackType

from wasm_wasi.abi import LOOP, NOENT, NOTCAPABLE
from wasm_wasi.descriptors import Descriptor, FileStat
from wasm_wasi.errors import WasiError
from wasmetal import interruption

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Symbolic links followed on the way to one file, as on Linux.
MAX_LINKS: Final = 40
#: Directories that one path can go down: each is open on the way.
MAX_DEPTH: Final = 128
# Components between two checks for interruptions.
_CHECKED: Final = 64

#: How to treat the last component: follow a link there; do not; or it is an entry to make, remove or rename: then it is
#: not followed either, and a slash behind it is only noted.
FOLLOW: Final = 0
NO_FOLLOW: Final = 1
ENTRY: Final = 2


def _components(path: bytes) -> list[bytes]:
    """The components, the first one last; a slash at the end becomes a final `.`, which asks for a directory."""
    if path.startswith(b"/"):
        raise WasiError(NOTCAPABLE)
    if not path:
        raise WasiError(NOENT)
    components = [component for component in path.split(b"/") if component]
    if path.endswith(b"/"):
        components.append(b".")
    components.reverse()
    return components


class Place:
    """Where a path leads: the entry `name` of a directory. To be used in a `with` statement.

    Whoever opens `name` must not follow a link there: one that has appeared since is an attack.

    Subclasses set what they need and then call `_resolve`. Two places that are used together (`rename`, `link`) are of
    one kind: the functions see to that.

    Raises:
        WasiError: The path leads out (ENOTCAPABLE), is empty (ENOENT), takes too many links (ELOOP), goes through
            something that is no directory (ENOTDIR) or down through too many directories (ENAMETOOLONG).
        DeadlineExceeded, Trap: As `interruption.check`.
        OSError: A directory on the way cannot be entered.
    """

    __slots__ = ("name", "slash")

    #: One component; never `..`.
    name: bytes
    #: With ENTRY: the path ended in a slash, so only a directory is meant.
    slash: bool

    def _resolve(self, path: bytes, last: int) -> None:
        """Walk; `last`: FOLLOW, NO_FOLLOW or ENTRY."""
        self.slash = False
        if last == ENTRY and path.endswith(b"/") and not path.startswith(b"/"):
            path = path.rstrip(b"/")
            self.slash = True
        try:
            self.name = self._walk(_components(path), last == FOLLOW)
        except BaseException:
            self.close()
            raise

    def _walk(self, pending: list[bytes], follow: bool) -> bytes:
        links = steps = 0
        while pending:
            steps += 1
            if steps % _CHECKED == 0:
                interruption.check()
            component = pending.pop()
            if component == b".":
                continue
            if component == b"..":
                self._leave()
                continue
            if pending:
                target = self._enter(component)
                if target is None:
                    continue
            elif follow:
                target = self._link(component)
                if target is None:
                    return component
            else:
                return component
            links += 1
            if links > MAX_LINKS:
                raise WasiError(LOOP)
            pending += _components(target)
        return b"."

    def _leave(self) -> None:
        """Go back to the directory that led here."""
        raise NotImplementedError

    def _enter(self, name: bytes) -> bytes | None:
        """Go down into a directory, or return where the link of that name points."""
        raise NotImplementedError

    def _link(self, name: bytes) -> bytes | None:
        """Where the symbolic link `name` points, or None when there is no link of that name."""
        raise NotImplementedError

    def open(self, how: int, rights: int, inheriting: int, fdflags: int) -> Descriptor:
        """Open or make what is there: `oflags`, `rights` to use and to pass on, `fdflags`."""
        raise NotImplementedError

    def stat(self) -> FileStat:
        """What is there; a link is not followed."""
        raise NotImplementedError

    def set_times(self, access: int, modification: int, flags: int) -> None:
        """Set its times, in nanoseconds; the `fstflags` say which."""
        raise NotImplementedError

    def make_directory(self) -> None:
        raise NotImplementedError

    def remove_directory(self) -> None:
        raise NotImplementedError

    def unlink(self) -> None:
        """Remove what is no directory."""
        raise NotImplementedError

    def rename(self, new: Place) -> None:
        raise NotImplementedError

    def link(self, new: Place) -> None:
        """Make a hard link to this."""
        raise NotImplementedError

    def make_link(self, target: bytes) -> None:
        """Make a symbolic link."""
        raise NotImplementedError

    def read_link(self) -> bytes:
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the directories on the way."""

    def __enter__(self) -> Place:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
