"""Finding the backends that are installed, and choosing one for this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator

from wasm_core.errors import WasmError
from wasm_core.records import record
from wasm_ir.backend import ENTRY_POINT_GROUP, Backend

#: Distributions of this project are preferred where several offer the same.
_OWN_PREFIX = "wasm-backend-"

#: The machine that the kernel reports, in lower case -> the distribution that has the backend.
_DISTRIBUTIONS = {
    "x86_64": "wasm-backend-amd64",
    "amd64": "wasm-backend-amd64",
    "aarch64": "wasm-backend-arm64",
    "arm64": "wasm-backend-arm64",
}

#: Where an installed distribution keeps its entry points (PyPA "Core metadata" and "Entry points specification").
_METADATA = (".dist-info", ".egg-info")
_SECTION = f"[{ENTRY_POINT_GROUP}]"


@record
class BackendInfo:
    """A backend that is installed.

    `str()` of it is one line for people.
    """

    #: As in `Config(backend=...)`.
    name: str
    #: The distribution that it comes from, and that one's version ("" if unknown).
    distribution: str
    version: str
    #: Whether it runs code on this machine.
    supported: bool
    #: Whether it is what `Config(backend="auto")` gets.
    selected: bool
    #: Why it is (not) supported or selected.
    reason: str

    def __str__(self) -> str:
        mark = "*" if self.selected else " "
        source = f"{self.distribution} {self.version}".strip()
        return f"{mark} {self.name} ({source}): {'supported' if self.supported else 'not usable'}, {self.reason}"


class _Candidate:
    """An entry point and, once it is loaded, what came of that."""

    def __init__(self, name: str, value: str, distribution: str, version: str) -> None:
        self.name = name
        self.value = value
        self.distribution = distribution
        self.version = version
        self.backend: type[Backend] | None = None
        self.supported = False
        self.reason = ""

    def load(self) -> None:
        """Import the backend and ask it about this machine."""
        try:
            self.backend = _resolve(self.value)
            support = self.backend.host_support()
            self.supported = bool(support.supported)
            self.reason = str(support.reason)
        except Exception as error:  # whatever a third party's package raises while it is imported
            self.backend = None
            self.supported = False
            self.reason = f"broken entry point {self.value!r}: {type(error).__name__}: {error}"


def _machine() -> str:
    return os.uname().machine


def _scan(folder: str, prefix: str = "") -> Iterator[_Candidate]:
    """The group's entry points in one entry of sys.path; with `prefix`, of distributions whose folder starts with it.

    This runs whenever a program starts, so nothing is imported for it: `importlib.metadata` takes longer to import than
    a program to start, and reads all metadata of all distributions.
    """
    try:
        names = os.listdir(folder or ".")
    except NotADirectoryError:
        if not prefix:
            yield from _scan_archive(folder)
        return
    except OSError:
        return
    for name in names:
        if not (name.startswith(prefix) and name.endswith(_METADATA)):
            continue
        try:
            with open(f"{folder or '.'}/{name}/entry_points.txt", "rb", buffering=0) as file:
                content = file.read()
        except OSError:  # most distributions have none
            continue
        if _SECTION.encode() not in content:
            continue
        # `distribution-version.dist-info`; an .egg-info may have no version, or a Python version behind it.
        distribution, _, version = name.rpartition(".")[0].partition("-")
        yield from _parse(content.decode(errors="replace"), distribution, version.partition("-")[0])


def _scan_archive(path: str) -> Iterator[_Candidate]:
    """The same for a zip file."""
    import importlib.metadata

    for found in importlib.metadata.distributions(path=[path]):
        yield from _parse(found.read_text("entry_points.txt") or "", found.name, found.version)


def _parse(text: str, distribution: str, version: str) -> Iterator[_Candidate]:
    """Entry points of the group in the text of an entry_points.txt."""
    if _SECTION not in text:
        return
    inside = False
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            inside = line == _SECTION
        elif inside and line and line[0] not in "#;":
            name, _, value = line.partition("=")
            yield _Candidate(name.strip(), value.strip(), distribution.replace("_", "-").lower(), version)


def _resolve(value: str) -> type[Backend]:
    """What `package.module:name` names."""
    module, separator, name = value.partition("[")[0].partition(":")
    if not separator or not all(part.isidentifier() for part in f"{module.strip()}.{name.strip()}".split(".")):
        raise ValueError("not of the form package.module:name")
    found = __import__(module.strip(), fromlist=["_"])
    for part in name.strip().split("."):
        found = getattr(found, part)
    backend: type[Backend] = found  # type: ignore[assignment]
    return backend


def _discover() -> list[_Candidate]:
    """Every entry point, what is preferred first; none is loaded."""
    found: dict[tuple[str, str], _Candidate] = {}
    for folder in sys.path:
        for candidate in _scan(folder):
            # The first copy of a distribution on sys.path shadows the others, as it does for imports.
            found.setdefault((candidate.name, candidate.distribution), candidate)
    here = _DISTRIBUTIONS.get(_machine().lower())

    def rank(candidate: _Candidate) -> tuple[bool, bool, str, str]:
        """Sorts what is for this machine first, then this project's own distributions, then by name."""
        distribution = candidate.distribution
        return distribution != here, not distribution.startswith(_OWN_PREFIX), distribution, candidate.name

    return sorted(found.values(), key=rank)


def _load(found: Iterable[_Candidate]) -> Iterator[_Candidate]:
    """Load candidates one by one. Of several that work and have one name, only the first may be used."""
    holders: dict[str, _Candidate] = {}
    for candidate in found:
        candidate.load()
        if candidate.backend is not None:
            holder = holders.setdefault(candidate.name, candidate)
            if holder is not candidate:
                candidate.supported = False
                candidate.reason = f"shadowed: {holder.distribution} has a backend of the same name and comes first"
        yield candidate


def _automatic(found: Iterable[_Candidate]) -> _Candidate | None:
    return next((candidate for candidate in found if candidate.supported), None)


def backends() -> tuple[BackendInfo, ...]:
    """What the entry-point group `wasmetal.backends` offers, and which backend this machine gets and why.

    Broken entry points are listed too, with their error as the reason.
    """
    found = list(_load(_discover()))
    chosen = _automatic(found)
    infos = []
    for candidate in found:
        reason = candidate.reason
        if candidate is chosen:
            others = [other.distribution for other in found if other.supported and other is not chosen]
            why = f"chosen before {', '.join(others)}" if others else "the only one for this machine"
            reason = f"{reason}; {why}"
        infos.append(
            BackendInfo(
                name=candidate.name,
                distribution=candidate.distribution,
                version=candidate.version,
                supported=candidate.supported,
                selected=candidate is chosen,
                reason=reason,
            )
        )
    return tuple(infos)


def _advice() -> str:
    machine = _machine()
    distribution = _DISTRIBUTIONS.get(machine.lower())
    if distribution is None:
        return f"there is no backend for {machine or 'this machine'} yet"
    return f"pip install {distribution}"


def select(name: str = "auto", *, to_run: bool = True) -> type[Backend]:
    """The class of a backend.

    Args:
        name: A backend's name, or "auto" for the one that suits this machine.
        to_run: Its code is to run in this process. Without, a backend for any machine will do, to compile with.

    Raises:
        WasmError: There is none, or it is broken or not for this machine; the message says what to install.
    """
    if name == "auto":
        # What comes first anyway is found without looking at every distribution that is installed.
        prefix = f"{_DISTRIBUTIONS.get(_machine().lower(), '-').replace('-', '_')}-"
        preferred = [candidate for folder in sys.path for candidate in _scan(folder, prefix)]
        if len(preferred) == 1:
            preferred[0].load()
            if preferred[0].supported and preferred[0].backend is not None:
                return preferred[0].backend
    found = _discover()
    if name == "auto":
        chosen = _automatic(_load(found))
        if chosen is None:
            what = "; ".join(f"{candidate.name}: {candidate.reason}" for candidate in found) or "none is installed"
            raise WasmError(f"no backend for this machine ({what}): {_advice()}")
    else:
        named = [candidate for candidate in found if candidate.name == name]
        if not named:
            names = ", ".join(sorted({candidate.name for candidate in found})) or "none is installed"
            advice = f" (pip install {_OWN_PREFIX}{name})" if f"{_OWN_PREFIX}{name}" in _DISTRIBUTIONS.values() else ""
            raise WasmError(f"there is no backend {name!r}{advice}; installed: {names}")
        loaded = list(_load(named))
        chosen = _automatic(loaded)
        if chosen is None and not to_run:
            chosen = next((candidate for candidate in loaded if candidate.backend is not None), None)
        if chosen is None:
            chosen = loaded[0]
            raise WasmError(f"backend {name!r} of {chosen.distribution} cannot be used: {chosen.reason}")
    assert chosen.backend is not None
    return chosen.backend
