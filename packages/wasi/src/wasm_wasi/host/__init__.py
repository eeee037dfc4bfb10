"""What this package asks of the operating system: the rooms `posix` and `windows` hold the same names.

`files` has files, streams and directories, which are here as well. `places` has `HostPlace`, where a path leads.
`waits`, `loops` and `sockets` are imported when a program needs them, by way of the modules of that name here.
"""

from __future__ import annotations

import sys

if sys.platform == "win32":
    from wasm_wasi.host.windows.files import (
        File,
        HostDescriptor,
        HostDirectory,
        check_directory,
        most_descriptors,
        open_directory,
        stream_at,
        stream_of,
    )
else:
    from wasm_wasi.host.posix.files import (
        File,
        HostDescriptor,
        HostDirectory,
        check_directory,
        most_descriptors,
        open_directory,
        stream_at,
        stream_of,
    )

__all__ = [
    "File",
    "HostDescriptor",
    "HostDirectory",
    "check_directory",
    "most_descriptors",
    "open_directory",
    "stream_at",
    "stream_of",
]
