"""Finding the backends that are installed, and choosing one for this machine."""

from __future__ import annotations

import configparser
import platform
import sys
from collections.abc import Iterator

import attrs
import entrypoints

from wasm_core.errors import WasmError
from wasm_ir.backend import ENTRY_POINT_GROUP, Backend

#: Distributions of this project are preferred where several offer the same.
_OWN_PREFIX = "wasm-backend-"

#: platform.machine() in lower case -> the distribution that has the backend.
_DISTRIBUTIONS = {"x86_64": "wasm-backend-amd64", "amd64": "wasm-backend-amd64"}


@attrs.frozen
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


@attrs.define
class _Candidate:
    """An entry point and what came of loading it."""

    name: str
    distribution: str
    version: str
    backend: type[Backend] | None
    supported: bool
    reason: str

    @property
    def rank(self) -> tuple[bool, str, str]:
        """Sorts what is preferred first: this project's own distributions, then by name."""
        return (not self.distribution.startswith(_OWN_PREFIX), self.distribution, self.name)


def _scan(folder: str) -> Iterator[tuple[str, str, str, str]]:
    """(name, value, distribution, version) of the group's entry points in one entry of sys.path."""
    try:
        found = list(entrypoints.iter_files_distros([folder]))
    except (configparser.Error, UnicodeDecodeError, OSError):
        # One unreadable entry_points.txt, of whatever package, ends that scan. The standard library reads every
        # distribution by itself, and more leniently. It takes long to import, and nobody else needs it.
        import importlib.metadata

        for distribution in importlib.metadata.distributions(path=[folder]):
            try:
                for entry in distribution.entry_points.select(group=ENTRY_POINT_GROUP):
                    yield entry.name, entry.value, distribution.metadata["Name"], distribution.version
            except (ValueError, OSError, KeyError):
                continue
        return
    for parser, distro in found:
        if ENTRY_POINT_GROUP in parser:
            for name, value in parser[ENTRY_POINT_GROUP].items():
                yield name, value, distro.name if distro else "", (distro.version or "") if distro else ""


def _load(name: str, value: str, distribution: str, version: str) -> _Candidate:
    candidate = _Candidate(name, distribution.replace("_", "-").lower(), version, None, False, "")
    try:
        backend = entrypoints.EntryPoint.from_string(value, name).load()
        support = backend.host_support()
        candidate.supported = bool(support.supported)
        candidate.reason = str(support.reason)
    except Exception as error:  # whatever a third party's package raises while it is imported
        candidate.reason = f"broken entry point {value!r}: {type(error).__name__}: {error}"
    else:
        candidate.backend = backend
    return candidate


def _discover() -> list[_Candidate]:
    """Every entry point, what is preferred first. Of several with one name only the first may be used."""
    found: list[_Candidate] = []
    seen: set[tuple[str, str]] = set()
    for folder in sys.path:
        for name, value, distribution, version in _scan(folder):
            # The first copy of a distribution on sys.path shadows the others, as it does for imports.
            if (name, distribution) not in seen:
                seen.add((name, distribution))
                found.append(_load(name, value, distribution, version))
    found.sort(key=lambda candidate: candidate.rank)
    first: dict[str, _Candidate] = {}
    for candidate in found:
        holder = first.setdefault(candidate.name, candidate)
        if holder is candidate:
            continue
        if holder.backend is None and candidate.backend is not None:
            holder, first[candidate.name] = candidate, candidate
    for candidate in found:
        holder = first[candidate.name]
        if holder is not candidate and candidate.backend is not None:
            candidate.supported = False
            candidate.reason = f"shadowed: {holder.distribution} has a backend of the same name and comes first"
    return found


def _automatic(found: list[_Candidate]) -> _Candidate | None:
    return next((candidate for candidate in found if candidate.supported), None)


def backends() -> tuple[BackendInfo, ...]:
    """What the entry-point group `wasmetal.backends` offers, and which backend this machine gets and why.

    Broken entry points are listed too, with their error as the reason.
    """
    found = _discover()
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
    machine = platform.machine()
    distribution = _DISTRIBUTIONS.get(machine.lower())
    if distribution is None:
        return f"there is no backend for {machine or 'this machine'} yet"
    return f"pip install {distribution}"


def select(name: str = "auto") -> type[Backend]:
    """The class of a backend.

    Args:
        name: A backend's name, or "auto" for the one that suits this machine.

    Raises:
        WasmError: There is none, or it is broken or not for this machine; the message says what to install.
    """
    found = _discover()
    if name == "auto":
        chosen = _automatic(found)
        if chosen is None:
            what = "; ".join(f"{candidate.name}: {candidate.reason}" for candidate in found) or "none is installed"
            raise WasmError(f"no backend for this machine ({what}): {_advice()}")
    else:
        named = [candidate for candidate in found if candidate.name == name]
        if not named:
            names = ", ".join(sorted({candidate.name for candidate in found})) or "none is installed"
            advice = f" (pip install {_OWN_PREFIX}{name})" if f"{_OWN_PREFIX}{name}" in _DISTRIBUTIONS.values() else ""
            raise WasmError(f"there is no backend {name!r}{advice}; installed: {names}")
        chosen = next((candidate for candidate in named if candidate.supported), named[0])
        if not chosen.supported:
            raise WasmError(f"backend {name!r} of {chosen.distribution} cannot be used: {chosen.reason}")
    assert chosen.backend is not None
    return chosen.backend
