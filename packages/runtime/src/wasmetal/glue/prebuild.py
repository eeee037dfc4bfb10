"""Makes the files of `prebuilt`: python -m wasmetal.glue.prebuild [--in-place] FOLDER MODULE:BACKEND...

Run when a wheel is built, for the backends of all machines: code is the same wherever it is compiled. Each file is made
by a process of its own, as what CPython's objects look like is looked up all over the glue.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from tempfile import TemporaryDirectory
from types import SimpleNamespace

from wasm_core.types import FuncType
from wasm_ir.backend import StubEnvironment
from wasmetal.code import fingerprint
from wasmetal.code.arena import arena
from wasmetal.code.cache import CodeCache
from wasmetal.code.code_file import encode_file, open_file
from wasmetal.cpython import layouts
from wasmetal.glue import prebuilt
from wasmetal.glue.glue import Glue
from wasmetal.glue.thunks import thunks_identity
from wasmetal.system.host import host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any, Final

    from wasm_ir.backend import Backend

#: What builds of CPython look like (`layouts.description`): with a GIL, not for debugging, on a machine of 64 bits.
LAYOUTS: Final = (
    # 3.11
    {"HEAD": 16, "TUPLE_ITEMS": 24, "INT_LAYOUT": layouts.INT_OB_SIZE, "FLOAT_VALUE": 16, "ONE_RAISED_EXCEPTION": 0},
    # 3.12, 3.13
    {"HEAD": 16, "TUPLE_ITEMS": 24, "INT_LAYOUT": layouts.INT_LV_TAG, "FLOAT_VALUE": 16, "ONE_RAISED_EXCEPTION": 1},
    # 3.14 and later: a tuple has room for its hash
    {"HEAD": 16, "TUPLE_ITEMS": 32, "INT_LAYOUT": layouts.INT_LV_TAG, "FLOAT_VALUE": 16, "ONE_RAISED_EXCEPTION": 1},
)
#: Functions of the C API that not every Python has.
_SOME_HAVE: Final = ("PyErr_GetRaisedException", "PyErr_SetRaisedException")

_LETTERS: Final = {"i": "i32", "I": "i64", "f": "f32", "F": "f64"}
#: What functions often get, and give: a letter for each value.
_PARAMETERS: Final = ("", "i", "ii", "iii", "iiii", "iiiii", "iiiiii", "I", "II", "f", "ff", "F", "FF")
#: What host functions get besides, those of WASI above all, which give an i32.
_HOST_PARAMETERS: Final = (
    *("iI", "iII", "iIi", "iIii", "iIIi", "iiiIi", "iiiiIIi", "iiiiiIIii", "iiiiiii", "iiiiiiii"),
)


def entry_types() -> Iterator[FuncType]:
    """Of functions that Python calls."""
    for letters in _PARAMETERS:
        for results in dict.fromkeys(("", "i", letters[:1])):
            yield _type(letters, results)


def host_types() -> Iterator[FuncType]:
    """Of Python functions that are called."""
    yield from entry_types()
    for letters in _HOST_PARAMETERS:
        yield _type(letters, "i")


def generic_host_types() -> Iterator[FuncType]:
    """Of those that want to know their caller."""
    for letters in ("", "i", "ii", "iii", "iiii"):
        yield _type(letters, "")
        yield _type(letters, "i")


def raw_types() -> Iterator[FuncType]:
    """Of functions that the runtime calls: start functions for one."""
    yield _type("", "")


def _type(parameters: str, results: str) -> FuncType:
    return FuncType([_LETTERS[letter] for letter in parameters], [_LETTERS[letter] for letter in results])


class _Glue(Glue):
    """Glue of a backend whose stubs are not there: its machine may be another one."""

    @property
    def lazy_funcref(self) -> int:
        return 1

    @property
    def _resume_entry(self) -> int:
        return 1


def _make(backend: Backend, cache: CodeCache) -> None:
    """Let a cache have all thunks."""
    # Thunks have nothing but the names of these.
    names = ("builtin", "resolve", "failed", "raised", "interrupted", "host_call", "host_result")
    callbacks: Any = SimpleNamespace(**{name: object() for name in names})
    glue = _Glue(backend, callbacks, cache)
    for name in ("slow_entry", "builtin", "resolver", "interrupted", "suspendable_entry"):
        getattr(glue, name)
    for words in glue._helpers.values():
        glue.resolve_helper(words.buffer_info()[0])
    for type in entry_types():
        glue.entry(type)
    for type in host_types():
        glue.host(type)
    for type in generic_host_types():
        glue.host_generic(type)
    for type in raw_types():
        glue.raw(type)
    # SIG_DFL, or somebody's handler, as that of faulthandler.
    for handler in (0, 2):
        glue.make_stubs(StubEnvironment(1, arena().code_size, dict.fromkeys(host.FAULTS, handler), 1))
    assert glue._thunks._entry.save()


def make(backend: Backend, layout: dict[str, int], folder: str, in_place: bool) -> str:
    """Make a file, after which this process can make no other. Returns its path.

    Args:
        backend: Whose code.
        layout: A row of LAYOUTS.
        folder: Where to put it.
        in_place: It is for the sources that this process runs, as long as they are not touched; else for the same
            sources wherever they are installed.
    """
    prebuilt.folder = None  # all is compiled
    for name, value in layout.items():
        setattr(layouts, name, value)
    for number, name in enumerate(_SOME_HAVE):
        layouts.known_api().setdefault(name, number + 1)
    with TemporaryDirectory() as directory:
        cache = CodeCache(directory, sys.maxsize)
        _make(backend, cache)
        identity = thunks_identity(backend)
        made = open_file(cache.path_of(identity), identity)
        assert made is not None
        blobs = {}
        for key in made.keys():  # noqa: SIM118 (not a mapping)
            blob = made.get(key)
            assert blob is not None
            blobs[key] = blob
    sources = fingerprint.of_glue_makers(backend) if in_place else fingerprint.of_sources(backend)
    content = encode_file(prebuilt.identity(backend, sources), 0, blobs)
    path = os.path.join(folder, prebuilt.file_name(backend))
    with open(path, "wb") as file:
        file.write(content)
    return path


def main(arguments: Sequence[str]) -> None:
    """See above. "NUMBER=" in front of a backend: only the file for that row of LAYOUTS."""
    in_place = arguments[0] == "--in-place"
    folder, *names = arguments[in_place:]
    for name in names:
        row, _, place = name.rpartition("=")
        if row:
            module, _, cls = place.partition(":")
            # For the least processor: without features.
            make(getattr(import_module(module), cls)(()), LAYOUTS[int(row)], folder, in_place)
            continue
        for number in range(len(LAYOUTS)):
            command = [sys.executable, "-m", "wasmetal.glue.prebuild", *arguments[:in_place], folder]
            subprocess.run([*command, f"{number}={place}"], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
