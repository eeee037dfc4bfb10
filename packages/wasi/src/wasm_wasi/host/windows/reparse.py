"""Reparse points: what stands for another file or directory on Windows, symbolic links and junctions above all.

[MS-FSCC] 2.1.2: layouts and tags.
"""

from __future__ import annotations

import errno
from struct import Struct, error

from wasm_wasi.abi import FileType
from wasm_wasi.host.windows.errors import os_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

SYMBOLIC_LINK: Final = 0xA000000C
#: Of a tag: it stands for something elsewhere. The others (files that are compressed, or in the cloud) are themselves.
SURROGATE: Final = 0x20000000
#: FILE_ATTRIBUTE_REPARSE_POINT, FILE_ATTRIBUTE_DIRECTORY
ATTRIBUTE: Final = 0x400
ATTRIBUTE_DIRECTORY: Final = 0x10

# Tag, size, reserved; offset and size of the name that the system uses, and of the one for people; flags.
_LINK: Final = Struct("<IHHHHHHI")
_RELATIVE: Final = 1


def is_link(attributes: int, tag: int) -> bool:
    """Whether attributes and tag of an entry are those of a symbolic link."""
    return bool(attributes & ATTRIBUTE) and tag == SYMBOLIC_LINK


def leads_elsewhere(attributes: int, tag: int) -> bool:
    """Whether an entry stands for another one: a symbolic link, a junction, a volume that is mounted there."""
    return bool(attributes & ATTRIBUTE) and bool(tag & SURROGATE)


def kind_of(attributes: int, tag: int) -> int:
    """The `FileType`. A junction has none: the program can do nothing with it but remove it."""
    if is_link(attributes, tag):
        return FileType.SYMBOLIC_LINK
    if leads_elsewhere(attributes, tag):
        return FileType.UNKNOWN
    return FileType.DIRECTORY if attributes & ATTRIBUTE_DIRECTORY else FileType.REGULAR_FILE


def link_target(data: bytes) -> bytes:
    """Where a symbolic link points, with slashes. An absolute target begins with one, so that it leads out.

    Args:
        data: What FSCTL_GET_REPARSE_POINT gives.

    Raises:
        OSError: It is no symbolic link (EINVAL).
    """
    try:
        tag, _, _, start, size, shown_start, shown_size, flags = _LINK.unpack_from(data)
    except error:
        raise os_error(errno.EINVAL) from None
    if tag != SYMBOLIC_LINK:
        raise os_error(errno.EINVAL)
    names = data[_LINK.size :]
    target = names[start : start + size].decode("utf-16-le", "surrogatepass")
    if not flags & _RELATIVE:
        # That of the system has a prefix, of its objects.
        shown = names[shown_start : shown_start + shown_size].decode("utf-16-le", "surrogatepass")
        target = "/" + (shown or target).lstrip("\\/")
    return target.replace("\\", "/").encode("utf-8", "surrogatepass")
