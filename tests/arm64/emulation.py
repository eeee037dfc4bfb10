"""An AArch64 Python under QEMU's user-mode emulation, with the project beside it: python emulation.py [FOLDER].

Debian's arm64 packages are downloaded and unpacked, not installed, into FOLDER, by default a folder of the user's
cache directory; pure Python packages come from PyPI.
Prints the path of a script that starts the emulated Python. Exits with 3 where that cannot be done, after saying what
is missing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from other_pythons import (
    MISSING,
    TESTING,
    Missing,
    cache_folder,
    describe_packages,
    finish,
    pip,
    pure_python,
    run,
    sources,
)

__all__ = ["MISSING", "Missing", "default_folder", "emulator", "prepare", "write_launcher"]

_EMULATOR: Final = "qemu-aarch64"
_ARCHITECTURE: Final = "arm64"
#: The system's part: CPython 3.11 and the libraries that its standard library is linked with.
_SYSTEM_PACKAGES: Final = (
    *("python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib", "libc6", "libgcc-s1", "libstdc++6"),
    *("libffi8", "libssl3", "zlib1g", "libexpat1", "libbz2-1.0", "liblzma5", "libsqlite3-0", "libuuid1", "libcrypt1"),
)
#: The project's packages that make sense there.
_OWN_PACKAGES: Final = ("wasm-core", "wasm-ir", "backend-arm64", "wasm-text", "runtime", "wasi")
#: Where Python is in the unpacked system.
_PYTHON: Final = "usr/bin/python3.11"


def default_folder() -> Path:
    """Where the emulated Python is kept: in the user's cache directory."""
    return cache_folder("wasmetal-arm64")


def _prepare_system(root: Path) -> None:
    """Download and unpack the packages of the system, once."""
    if (root / _PYTHON).exists():
        return
    for tool in ("dpkg", "apt-get"):
        if shutil.which(tool) is None:
            raise Missing(f"{tool} is not here; Debian's packages are unpacked with it")
    foreign = subprocess.run(["dpkg", "--print-foreign-architectures"], capture_output=True, text=True, check=True)
    is_root = os.getuid() == 0
    if _ARCHITECTURE not in foreign.stdout.split():
        if not is_root:
            raise Missing(f"as root: dpkg --add-architecture {_ARCHITECTURE} && apt-get update")
        run("dpkg", "--add-architecture", _ARCHITECTURE)
        run("apt-get", "update")
    downloads = root.parent / "downloads"
    shutil.rmtree(downloads, ignore_errors=True)
    downloads.mkdir(parents=True)
    download = ("apt-get", "download", *(f"{name}:{_ARCHITECTURE}" for name in _SYSTEM_PACKAGES))
    try:
        run(*download, folder=downloads)
    except Missing:
        # The lists of packages are old, or have been removed.
        if not is_root:
            raise
        run("apt-get", "update")
        run(*download, folder=downloads)
    unpacked = root.parent / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)
    for package in sorted(downloads.glob("*.deb")):
        run("dpkg", "-x", str(package), str(unpacked))
    shutil.rmtree(downloads)
    unpacked.rename(root)


def _prepare_python(site: Path) -> None:
    """Install packages that are Python alone, once, and say which backend there is."""
    if not (site / "pytest").exists():
        pip("install", "--target", str(site), *pure_python("3.11"), *TESTING)
    describe_packages(site, _OWN_PACKAGES)


def emulator() -> str:
    """The path of the emulator. Raises Missing."""
    found = shutil.which(_EMULATOR)
    if found is None:
        raise Missing(f"{_EMULATOR} is not here (Debian has it in qemu-user)")
    return found


def write_launcher(folder: Path, launcher: Path) -> None:
    """Write the script that starts the Python in a folder where `prepare` has been. Raises Missing."""
    folder = folder.resolve()
    root, site = folder / "root", folder / "site"
    python = root / _PYTHON
    if not python.exists() or not site.exists():
        raise Missing(f"no emulated Python in {folder}: nox -s arm64 puts one there")
    path = ":".join(map(str, [Path(__file__).parent / "site", *sources(_OWN_PACKAGES), site]))
    launcher.write_text(
        "#!/bin/sh\n"
        # Programs that tests start, with what they put in front, keep theirs.
        f"[ -n \"$WASMETAL_EMULATED_PYTHON\" ] || export PYTHONPATH='{path}'\n"
        f"export PYTHONPYCACHEPREFIX='{folder / 'bytecode'}' WASMETAL_EMULATED_PYTHON='{launcher}'\n"
        f"exec '{emulator()}' -L '{root}' '{python}' \"$@\"\n"
    )
    launcher.chmod(0o755)


def prepare(folder: Path) -> Path:
    """Make an emulated Python in a folder, which may exist; returns the script that starts it. Raises Missing."""
    emulator()
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    _prepare_system(folder / "root")
    _prepare_python(folder / "site")
    launcher = folder / "python"
    write_launcher(folder, launcher)
    return launcher


if __name__ == "__main__":
    sys.exit(finish(lambda: [prepare(Path(sys.argv[1]) if len(sys.argv) > 1 else default_folder())]))
