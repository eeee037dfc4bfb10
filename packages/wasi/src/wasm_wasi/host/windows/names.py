"""Names of entries as Windows may be asked for them: those that it gives a meaning of its own are refused.

The system's interface for paths reads more into a name than that of an entry: streams of a file (`file:stream`), drives
(`C:`), devices (`NUL`, `com1.txt`), other directories (`..\\file`), patterns (`*`); and it takes dots and spaces at the
end off. Its kernel, which is asked for one entry of an open directory here, takes most of them literally: a file would
come to be that other programs cannot open, or take for a device.
"""

from __future__ import annotations

import re

from wasm_wasi.abi import INVAL, NAMETOOLONG
from wasm_wasi.errors import WasiError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Most UTF-16 units of a name, on every file system of Windows.
MAX_NAME: Final = 255
_SPECIAL: Final = re.compile(r'[\x00-\x1f"*/:<>?\\|]|[. ]\Z')
# (some take the superscript digits for digits)
_DEVICES: Final = frozenset(
    {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"}
    | {f"{name}{digit}" for name in ("COM", "LPT") for digit in "0123456789\u00b9\u00b2\u00b3"}
)


def is_device(name: str) -> bool:
    """Whether a name means a device wherever it stands, for some versions of Windows at least."""
    return re.split("[.:]", name, maxsplit=1)[0].rstrip(" ").upper() in _DEVICES


def system_name(name: bytes) -> str:
    """The name of an entry for the system; `.`, the directory itself, is empty there.

    Raises:
        WasiError: Windows gives the name a meaning of its own (EINVAL), or it is too long (ENAMETOOLONG).
    """
    if name == b".":
        return ""
    # (the path was checked to be UTF-8; what links and the embedder say may be anything)
    try:
        text = name.decode()
    except UnicodeDecodeError:
        raise WasiError(INVAL) from None
    if _SPECIAL.search(text) or is_device(text):
        raise WasiError(INVAL)
    if len(text.encode("utf-16-le")) > 2 * MAX_NAME:
        raise WasiError(NAMETOOLONG)
    return text
