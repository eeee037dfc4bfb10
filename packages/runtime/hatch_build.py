"""Lets `pip install ./packages/runtime` take the packages beside it in a clone, instead of those of the package index.

A wheel that pip makes of this folder, only to install it, says where they are. Those that are made to be given away
(`python -m build`), and everything outside of a clone, name versions alone.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

#: Distribution -> folder beside this one.
_BESIDE: Final = {
    "wasm-core": "wasm-core",
    "wasm-ir": "wasm-ir",
    "wasm-backend-amd64": "backend-amd64",
    "wasm-backend-arm64": "backend-arm64",
    "wasm-text": "wasm-text",
    "wasm-wasi": "wasi",
}
#: What pip sets for the builds that it runs.
_PIP: Final = "PIP_BUILD_TRACKER"


class SiblingHook(BuildHookInterface):  # type: ignore[type-arg]
    """Puts the places of the packages beside this one into the dependencies."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before a wheel is built; `version` is "editable" or "standard"."""
        # Editable ones are installed together with editable others.
        if version == "editable" or _PIP not in os.environ:
            return
        # (`build_data` can only add dependencies; pip would look for the versions first)
        core = self.metadata.core
        for dependencies in (core.dependencies, *core.optional_dependencies.values()):
            dependencies[:] = [self._beside(each) for each in dependencies]

    def _beside(self, dependency: str) -> str:
        """A dependency, by its place if it is beside this package."""
        match = re.match(r"[\w.-]+", dependency)
        name = match[0] if match else ""
        folder = Path(self.root).parent / _BESIDE.get(name, "")
        if name not in _BESIDE or not (folder / "pyproject.toml").is_file():
            return dependency
        marker = dependency.partition(";")[2].strip()
        return f"{name} @ {folder.as_uri()}" + (f" ; {marker}" if marker else "")
