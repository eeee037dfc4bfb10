"""Glue that comes ready made with the package: files of thunks that most programs need, one for each backend and layout
of CPython's objects. `prebuild` makes them.

They are machine code for the least processor that a backend supports, made from the very sources that are installed:
a file that is for anything else is ignored, and thunks are compiled.
"""

from __future__ import annotations

import os

from wasm_ir.backend import c_convention
from wasmetal.code import fingerprint
from wasmetal.code.checksum import digest
from wasmetal.code.code_file import CodeFile
from wasmetal.code.version import LAYOUT
from wasmetal.cpython import layouts
from wasmetal.system.host import host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_ir.backend import Backend

#: Where the files are: beside the sources that they are made from, and as trustworthy. None: nowhere.
folder: str | None = os.path.dirname(os.path.abspath(__file__))

ENDING: Final = ".glue"


def file_name(backend: Backend) -> str:
    """What the file for a backend and this Python is called."""
    flags, *numbers = layouts.description()
    return f"{backend.name}-{'-'.join([f'{number}' for number in numbers])}{flags}{ENDING}"


def identity(backend: Backend, sources: bytes) -> bytes:
    """What a file depends on. `sources`: fingerprint of what it was made from."""
    system = getattr(host, "__name__", ""), c_convention(backend)
    return digest(repr((LAYOUT, backend.name, system, layouts.description())).encode() + sources)


def find(backend: Backend) -> CodeFile | None:
    """The file for a backend and this Python; None if there is none that was made from the installed sources."""
    if folder is None:
        return None
    try:
        with open(os.path.join(folder, file_name(backend)), "rb", buffering=0) as file:
            data = file.readall()
    except OSError:
        return None
    # The second kind is made in place, for an editable installation.
    for sources in (fingerprint.of_sources(backend), fingerprint.of_glue_makers(backend)):
        try:
            return CodeFile(data, identity(backend, sources), len(data))
        except ValueError:
            pass
    return None
