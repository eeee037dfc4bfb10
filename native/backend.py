"""Lets cibuildwheel make native wheels: a build backend (PEP 517) whose wheel is the one of a package among those.

The environment variable NATIVE_PACKAGE says which: a folder in packages/. All are translated together, as they call
each other (see `build`), so each wheel takes the whole build.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import build


def build_wheel(
    wheel_directory: str, config_settings: dict[str, Any] | None = None, metadata_directory: str | None = None
) -> str:
    """Build the wheel; returns its name. `metadata_directory` is never given, as no metadata is prepared."""
    package = os.environ.get("NATIVE_PACKAGE", "")
    if package not in build.PACKAGES:
        raise SystemExit(f"NATIVE_PACKAGE must be one of {', '.join(build.PACKAGES)}, not {package!r}")
    with tempfile.TemporaryDirectory() as folder:
        build.build_wheels(Path(folder), [package])
        (wheel,) = Path(folder).glob(f"{build.import_name(package)}-*.whl")
        shutil.copy2(wheel, wheel_directory)
    return wheel.name
