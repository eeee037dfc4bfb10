"""The backend of an engine: what the registry selects, or what it selected before for the same installation.

Scanning for entry points takes longer than all else that a program does whose code is in the cache. So the cache keeps
the choice, with what it depends on: `sys.path`, and the names and times of all directories of metadata there, which is
what changes when a package is installed or removed.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Final

from wasmetal.checksum import digest
from wasmetal.code_cache import CodeCache

if TYPE_CHECKING:
    from wasm_ir.backend import Backend

#: What directories of metadata are called, see `entrypoints.iter_files_distros`.
_METADATA: Final = (".dist-info", ".egg-info", ".egg")
#: Metadata younger than this, in nanoseconds, may still be written to without its time showing it (that has the
#: resolution of the kernel's clock tick, in some file systems of seconds): nothing is remembered.
_SETTLED: Final = 3_000_000_000
#: The only key in the record's file.
_KEY: Final = 0


def resolve(value: str) -> type[Backend]:
    """What the value of an entry point, `package.module:name`, stands for.

    Raises:
        ValueError: It is not of that form.
        Whatever the import raises.
    """
    module, separator, name = value.partition("[")[0].partition(":")
    if not separator or not all(part.isidentifier() for part in f"{module.strip()}.{name.strip()}".split(".")):
        raise ValueError("not of the form package.module:name")
    found = __import__(module.strip(), fromlist=["_"])
    for part in name.strip().split("."):
        found = getattr(found, part)
    backend: type[Backend] = found  # type: ignore[assignment]
    return backend


def _installed(places: list[str]) -> list[tuple[int, str]]:
    """The metadata in these directories: (time of modification in nanoseconds, path)."""
    found = []
    for place in places:
        try:
            with os.scandir(place) as entries:
                found += [(e.stat().st_mtime_ns, e.path) for e in entries if e.name.endswith(_METADATA)]
        except NotADirectoryError:  # an archive
            found.append((os.stat(place).st_mtime_ns, place))
        except (OSError, ValueError):  # not there; a NUL in the name
            continue
    return sorted(found)


def _names(value: str, backend: type[Backend]) -> bool:
    """Whether a value stands for this class: not for one that a function made."""
    try:
        return resolve(value) is backend
    except (AttributeError, ValueError):
        return False


def select(name: str, cache: CodeCache | None) -> type[Backend]:
    """The class of a backend that runs on this machine.

    Args:
        name: Its name, or "auto".
        cache: Remembers the choice.

    Raises:
        WasmError: There is none, or it is broken or not for this machine; the message says what to install.
    """
    if cache is None:
        from wasmetal import registry

        return registry.select(name)
    places = [place or os.getcwd() for place in sys.path]
    installed = _installed(places)
    state = digest(repr(installed).encode()).hex()
    machine = os.uname()
    installation = (sys.version, sys.prefix, machine.sysname, machine.machine, places)
    entry = cache.entry(digest(f"backend {name} {installation}".encode(errors="surrogateescape")))
    blob = entry.get(_KEY)
    if blob is not None:
        value, _, known = blob.decode(errors="replace").partition("\n")
        if known == state:
            try:
                backend = resolve(value)
                if backend.host_support().supported:
                    return backend
            except Exception:  # whatever it is, the registry finds out what to say about it
                pass
    from wasmetal import registry

    backend = registry.select(name)
    value = f"{backend.__module__}:{backend.__qualname__}"
    if (not installed or installed[-1][0] < time.time_ns() - _SETTLED) and _names(value, backend):
        entry.put(_KEY, f"{value}\n{state}".encode())
        entry.save()
    return backend
