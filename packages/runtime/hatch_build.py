"""What builds of this package do in a clone, where the other packages are beside it.

They let `pip install ./packages/runtime` take these, instead of those of the package index: a wheel that pip makes of
this folder, only to install it, says where they are. Those that are made to be given away (`python -m build`), and
everything outside of a clone, name versions alone.

And they add glue that is ready made (`wasmetal.glue.prebuilt`), which takes all packages to make. Outside of a clone,
that of the sdist goes into the wheel. An editable installation has it in the folder of the sources.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
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
#: What glue is made for, and the folders beside this one that making it takes.
_BACKENDS: Final = ("wasm_backend_amd64.backend:Amd64Backend", "wasm_backend_arm64.backend:Arm64Backend")
_MAKERS: Final = ("wasm-core", "wasm-ir", "backend-amd64", "backend-arm64")
_GLUE: Final = "wasmetal/glue"
#: What pip sets for the builds that it runs.
_PIP: Final = "PIP_BUILD_TRACKER"


class CloneHook(BuildHookInterface):  # type: ignore[type-arg]
    """Puts the places of the packages beside this one into the dependencies, and ready-made glue into the package."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before a wheel or sdist is built; `version` is "editable" or "standard"."""
        self._add_glue(version == "editable", build_data)
        # Editable ones are installed together with editable others.
        if self.target_name == "wheel" and version != "editable" and _PIP in os.environ:
            self._name_siblings()

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Called after that."""
        if self._made is not None:
            self._made.cleanup()

    _made: TemporaryDirectory[str] | None = None

    def _add_glue(self, editable: bool, build_data: dict[str, Any]) -> None:
        packages = Path(self.root).parent
        sources = Path(self.root, "src")
        folder = sources / _GLUE
        paths = [packages / name / "src" for name in _MAKERS]
        if all(path.is_dir() for path in paths):
            command = [sys.executable, "-m", "wasmetal.glue.prebuild"]
            if editable:
                command.append("--in-place")
            else:
                self._made = TemporaryDirectory()
                folder = Path(self._made.name)
            environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, [sources, *paths]))}
            done = subprocess.run([*command, folder, *_BACKENDS], env=environment, capture_output=True, text=True)
            if done.returncode:
                if not editable and _PIP not in os.environ:
                    raise RuntimeError(f"no glue could be made: {done.stderr}")
                # Where nothing runs, nothing needs it either: a build on another system.
                self.app.display_warning(f"without ready-made glue: {done.stderr}")
                return
        if not editable:
            place = f"src/{_GLUE}" if self.target_name == "sdist" else _GLUE
            for path in sorted(folder.glob("*.glue")):
                build_data["force_include"][str(path)] = f"{place}/{path.name}"

    def _name_siblings(self) -> None:
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
