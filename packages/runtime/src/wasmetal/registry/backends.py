"""Finding the backends that are installed, and choosing one for this machine."""

from __future__ import annotations

import configparser
import sys
from collections.abc import Iterable, Iterator

import entrypoints

from wasm_core.errors import WasmError
from wasm_core.lazy_attrs import frozen
from wasm_ir.backend import ENTRY_POINT_GROUP, Backend
from wasm_ir.vmcontext import LAYOUT
from wasmetal.registry import selection

#: What a backend's class must have, as the protocol says; `cpu_features` may be the instance's.
_METHODS = tuple(name for name in vars(Backend) if not name.startswith("_"))

#: Distributions of this project are preferred where several offer the same.
_OWN_PREFIX = "wasm-backend-"


@frozen
class BackendInfo:
    """A backend that is installed.

    `str()` of it is one line for people.

    Attributes:
        name: As in `Config(backend=...)`.
        distribution: The distribution that it comes from, "" if unknown.
        version: The version of that distribution, "" if unknown.
        supported: Whether it runs code on this machine.
        selected: Whether it is what `Config(backend="auto")` gets.
        reason: Why it is (not) supported or selected.
    """

    name: str
    distribution: str
    version: str
    supported: bool
    selected: bool
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
            self.backend = selection.resolve(self.value)
            self._check(self.backend)
            support = self.backend.host_support()
            self.supported = bool(support.supported)
            self.reason = str(support.reason)
            layout = getattr(self.backend, "layout", LAYOUT)
            if layout != LAYOUT:
                self.supported = False
                self.reason = f"made for layout {layout}, wasm-ir has {LAYOUT}: install one version of all"
        except Exception as error:  # whatever a third party's package raises while it is imported
            self.backend = None
            self.supported = False
            self.reason = f"broken entry point {self.value!r}: {type(error).__name__}: {error}"

    def _check(self, backend: object) -> None:
        """Raises TypeError for what is not a class with the protocol's methods and the entry point's name."""
        if not isinstance(backend, type):
            raise TypeError("not a class")
        missing = [name for name in _METHODS if not callable(getattr(backend, name, None))]
        if missing:
            raise TypeError(f"the class has no {', '.join(missing)} (wasm_ir.backend.Backend)")
        name = getattr(backend, "name", None)
        if name != self.name:
            raise TypeError(f"the class's name is {name!r}, the entry point's {self.name!r}; they must be the same")


def _scan(folder: str) -> Iterator[_Candidate]:
    """The group's entry points in one entry of sys.path."""
    try:
        found = list(entrypoints.iter_files_distros([folder]))
    except (configparser.Error, UnicodeDecodeError, OSError):
        # One unreadable entry_points.txt, of whatever package, ends that scan. The standard library reads every
        # distribution by itself, and more leniently. It takes long to import, and nobody else needs it.
        import importlib.metadata

        for distribution in importlib.metadata.distributions(path=[folder]):
            try:
                for entry in distribution.entry_points.select(group=ENTRY_POINT_GROUP):
                    yield _candidate(entry.name, entry.value, distribution.metadata["Name"], distribution.version)
            except (ValueError, TypeError, OSError, KeyError):  # TypeError: a line without a value
                continue
        return
    for parser, distro in found:
        if ENTRY_POINT_GROUP in parser:
            for name, value in parser[ENTRY_POINT_GROUP].items():
                yield _candidate(name, value, distro.name if distro else "", (distro.version or "") if distro else "")


def _candidate(name: str, value: str, distribution: str, version: str) -> _Candidate:
    return _Candidate(name, value, distribution.replace("_", "-").lower(), version)


def _discover() -> list[_Candidate]:
    """Every entry point, what is preferred first; none is loaded."""
    found: dict[tuple[str, str], _Candidate] = {}
    for folder in sys.path:
        for candidate in _scan(folder):
            # The first copy of a distribution on sys.path shadows the others, as it does for imports.
            found.setdefault((candidate.name, candidate.distribution), candidate)
    here = selection.DISTRIBUTIONS.get(selection.machine().lower())

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
    machine = selection.machine()
    distribution = selection.DISTRIBUTIONS.get(machine.lower())
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
            wanted = f"{_OWN_PREFIX}{name}"
            advice = f" (pip install {wanted})" if wanted in selection.DISTRIBUTIONS.values() else ""
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
