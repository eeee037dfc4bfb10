"""The fuzz targets by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

import attrs

from fuzz.case import Case
from fuzz.report import Report


@attrs.frozen
class Target:
    """Something to fuzz."""

    module: str
    #: Seconds that one seed may take; more is a find.
    limit: float
    #: Seeds per process.
    batch: int = 40
    #: Programs that must be installed.
    needs: tuple[str, ...] = ()
    #: Environments of processes, which take turns.
    environments: tuple[Mapping[str, str], ...] = ({},)

    def load(self) -> tuple[Callable[[str], Case], Callable[[Case, str], Report]]:
        """Functions that make the case for a seed, and that try it."""
        module = import_module(self.module)
        return module.make, module.check


#: Ways of running Python that check or leave out more than usual.
_MODES: tuple[Mapping[str, str], ...] = ({}, {"PYTHONDEVMODE": "1"}, {"PYTHONMALLOC": "debug"}, {"PYTHONOPTIMIZE": "1"})

TARGETS = {
    "mutate": Target("fuzz.mutate", 60, batch=400),
    "text": Target("fuzz.text", 60, batch=400),
    "allocator": Target("fuzz.allocator", 60),
    "assembler": Target("fuzz.assembler", 60),
    "arithmetic": Target("fuzz.arithmetic", 60),
    "generated": Target("fuzz.generated", 60),
    "api": Target("fuzz.api", 60, batch=60, environments=_MODES),
    "vectors": Target("fuzz.vectors", 60),
    "binaryen": Target("fuzz.binaryen", 60, needs=("wasm-opt",)),
}
#: What a name on the command line stands for, where it is not one target.
GROUPS = {"differential": ("arithmetic", "generated", "vectors", "binaryen"), "all": tuple(TARGETS)}
