"""The fuzz targets by name."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import attrs

from fuzz.case import Case
from fuzz.report import Report


@attrs.frozen
class Target:
    """Something to fuzz."""

    module: str
    #: Seconds that one seed may take.
    limit: float
    #: Whether one that takes longer is a find; else it is skipped.
    hang_is_find: bool
    #: Seeds per process.
    batch: int = 40
    #: Programs that must be installed.
    needs: tuple[str, ...] = ()

    def load(self) -> tuple[Callable[[str], Case], Callable[[Case, str], Report]]:
        """Functions that make the case for a seed, and that try it."""
        module = import_module(self.module)
        return module.make, module.check


TARGETS = {
    # A damaged loop may run forever.
    "mutate": Target("fuzz.mutate", 4, False, batch=400),
    "allocator": Target("fuzz.allocator", 60, True),
    "assembler": Target("fuzz.assembler", 60, True),
    "arithmetic": Target("fuzz.arithmetic", 60, True),
    "generated": Target("fuzz.generated", 60, True),
    "binaryen": Target("fuzz.binaryen", 60, True, needs=("wasm-opt",)),
}
#: What a name on the command line stands for, where it is not one target.
GROUPS = {"differential": ("arithmetic", "generated", "binaryen"), "all": tuple(TARGETS)}
