"""The backend of an engine. The one that is made for this machine outranks all others, so where it is installed nothing
else needs looking at; otherwise the registry goes through all entry points.

That takes 30 ms, two thirds of it for importing what reads them, which is as long as a small program takes to compile
and run. Looking for one distribution by its name takes half a millisecond.
"""

from __future__ import annotations

import contextlib
import os
import sys

from wasm_ir.backend import ENTRY_POINT_GROUP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_ir.backend import Backend

#: The machine that the kernel reports, in lower case -> the distribution that has the backend.
DISTRIBUTIONS: Final = {
    "x86_64": "wasm-backend-amd64",
    "amd64": "wasm-backend-amd64",
    "aarch64": "wasm-backend-arm64",
    "arm64": "wasm-backend-arm64",
}

#: How directories of metadata are called: name, a hyphen, version, one of these (PyPA, "Recording installed projects").
_METADATA: Final = (".dist-info", ".egg-info")


def machine() -> str:
    """The kind of this machine, as the kernel reports it; without uname(2), as Python does."""
    if hasattr(os, "uname"):
        return os.uname().machine
    # (`platform.machine` takes as long as a start)
    return sys.version.rpartition("(")[2].rstrip(")]")


def resolve(value: str) -> type[Backend]:
    """What the value of an entry point, `package.module:name`, stands for.

    Raises:
        ValueError: It is not of that form.
        Whatever the import raises.
    """
    module, separator, name = value.partition("[")[0].partition(":")
    if not separator or not all(part.isidentifier() for part in f"{module.strip()}.{name.strip()}".split(".")):
        raise ValueError("not of the form package.module:name")
    # (a name that each module has: another would be looked for among the modules of a package)
    found = __import__(module.strip(), fromlist=["__name__"])
    for part in name.strip().split("."):
        found = getattr(found, part)
    backend: type[Backend] = found  # type: ignore[assignment]
    return backend


def _entry_points(distribution: str) -> str:
    """The entry points of an installed distribution, as they are in its metadata; "" when it is not found."""
    for place in sys.path:
        with contextlib.suppress(OSError, ValueError):  # not a directory; a NUL in the name
            for name in os.listdir(place or "."):
                if name.endswith(_METADATA) and name.partition("-")[0].replace("_", "-").lower() == distribution:
                    # The first one on sys.path shadows the others, as it does for imports.
                    with open(os.path.join(place, name, "entry_points.txt"), encoding="utf-8") as file:
                        return file.read()
    return ""


def _in_group(text: str) -> list[tuple[str, str]]:
    """The names and values of the group of backends in an `entry_points.txt`."""
    found = []
    inside = False
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            inside = line == f"[{ENTRY_POINT_GROUP}]"
        elif inside and line and line[0] not in "#;":
            name, _, value = line.partition("=")
            found.append((name.strip(), value.strip()))
    return found


def _made_for(machine: str, name: str) -> type[Backend] | None:
    """The only backend of the distribution for a machine, if it has this name (or that is "auto") and works here."""
    distribution = DISTRIBUTIONS.get(machine.lower())
    found = [] if distribution is None else _in_group(_entry_points(distribution))
    if len(found) != 1 or name not in ("auto", found[0][0]):
        return None
    try:
        backend = resolve(found[0][1])
        return backend if backend.host_support().supported else None
    except Exception:  # whatever it is, the registry finds out what to say about it
        return None


def select(name: str) -> type[Backend]:
    """The class of a backend that runs on this machine.

    Args:
        name: Its name, or "auto".

    Raises:
        WasmError: There is none, or it is broken or not for this machine; the message says what to install.
    """
    backend = _made_for(machine(), name)
    if backend is None:
        from wasmetal.registry import backends as registry

        backend = registry.select(name)
    return backend
